/* SPDX-License-Identifier: BSD-2-Clause

   Formulas: values known from mathematics, what is refused and where the mistake is said to be. */
#include "soret/expr.h"
#include "test.h"

#include <math.h>

static const SoretConstant constants[] = {
  {"Lx",    2.0 },
  {"D_0",   0.25},
  {"sum",   7.0 }, /* a function of muParser, not of soret */
  {"alpha", -1.0}
};
enum {
  NUM_CONSTANTS = sizeof(constants) / sizeof(constants[0])
};

static const SoretPoint point = {
  .x = {0.3, -1.25, 2.0},
  .t = 5.0,
  .T = 310.0
};

static PetscErrorCode Compile(const char *text, unsigned allowed, SoretExpr *expr, SoretExprError *error)
{
  PetscFunctionBeginUser;
  PetscCall(SoretExprCreate(text, NUM_CONSTANTS, constants, allowed, expr, error));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckValue(const char *text, double expected, unsigned uses)
{
  SoretExpr      expr;
  SoretExprError error;

  PetscFunctionBeginUser;
  PetscCall(Compile(text, SORET_VAR_ALL, &expr, &error));
  if (!expr) {
    test_failures++;
    fprintf(stderr, "'%s' was refused: %s\n", text, error.what);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (!(fabs(SoretExprEvaluate(expr, &point) - expected) <= 4e-16 * fabs(expected)) || SoretExprUses(expr) != uses) {
    test_failures++;
    fprintf(stderr, "'%s' = %.17g of variables %u, expected %.17g of %u\n", text, SoretExprEvaluate(expr, &point), SoretExprUses(expr), expected, uses);
  }
  CheckText(SoretExprText(expr), text);
  PetscCall(SoretExprDestroy(&expr));
  Check(!expr);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckRefused(const char *text, unsigned allowed, PetscInt position, const char *what)
{
  SoretExpr      expr;
  SoretExprError error;

  PetscFunctionBeginUser;
  PetscCall(Compile(text, allowed, &expr, &error));
  if (expr || error.position != position || strcmp(error.what, what)) {
    test_failures++;
    fprintf(stderr, "'%.60s': position %" PetscInt_FMT ", '%s'; expected %" PetscInt_FMT ", '%s'\n", text, error.position, expr ? "(accepted)" : error.what, position, what);
  }
  PetscCall(SoretExprDestroy(&expr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Every function of docs/case-format.md at points where its value is known. */
static PetscErrorCode TestFunctions(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckValue("exp(0)", 1.0, 0));
  PetscCall(CheckValue("exp(1)", M_E, 0));
  PetscCall(CheckValue("log(exp(2))", 2.0, 0)); /* natural */
  PetscCall(CheckValue("log(10)", M_LN10, 0));
  PetscCall(CheckValue("log10(1000)", 3.0, 0));
  PetscCall(CheckValue("sqrt(2)", M_SQRT2, 0));
  PetscCall(CheckValue("sin(pi/2)", 1.0, 0));
  PetscCall(CheckValue("cos(pi)", -1.0, 0));
  PetscCall(CheckValue("tan(pi/4)", 1.0, 0));
  PetscCall(CheckValue("asin(1)", M_PI_2, 0));
  PetscCall(CheckValue("acos(-1)", M_PI, 0));
  PetscCall(CheckValue("atan(1)", M_PI_4, 0));
  PetscCall(CheckValue("atan2(1, -1)", 3.0 * M_PI_4, 0));
  PetscCall(CheckValue("sinh(log(2))", 0.75, 0));
  PetscCall(CheckValue("cosh(log(2))", 1.25, 0));
  PetscCall(CheckValue("tanh(log(2))", 0.6, 0));
  PetscCall(CheckValue("min(3, 1, 2)", 1.0, 0));
  PetscCall(CheckValue("max(3)", 3.0, 0));
  PetscCall(CheckValue("max(x, y, z, t, T)", 310.0, SORET_VAR_ALL));
  PetscCall(CheckValue("abs(y)", 1.25, SORET_VAR_Y));
  PetscCall(CheckValue("floor(-1.5) + sign(-3) + erf(0)", -3.0, 0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Precedence as in mathematics: powers bind to the right and before a sign. */
static PetscErrorCode TestOperators(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckValue("2 + 3*4", 14.0, 0));
  PetscCall(CheckValue("2 - 3 - 4", -5.0, 0));
  PetscCall(CheckValue("16/4/2", 2.0, 0));
  PetscCall(CheckValue("2^3^2", 512.0, 0));
  PetscCall(CheckValue("-2^2", -4.0, 0));
  PetscCall(CheckValue("2^-2", 0.25, 0));
  PetscCall(CheckValue("x*-z", -0.6, SORET_VAR_X | SORET_VAR_Z));
  PetscCall(CheckValue("1 - -3", 4.0, 0));
  PetscCall(CheckValue("+5.", 5.0, 0));
  PetscCall(CheckValue(".5e+1*1E-1", 0.5, 0));
  PetscCall(CheckValue("(1 < 2) + (2 <= 2) + (3 > 2) + (3 >= 4) + (1 == 1) + (1 != 1)", 4.0, 0));
  PetscCall(CheckValue("x > 0 && y > 0 || z > 0", 1.0, SORET_VAR_SPACE));
  PetscCall(CheckValue("D_0 && alpha", 1.0, 0)); /* what is not 0 is true */
  PetscCall(CheckValue("x < 0 || D_0 ? D_0 || D_0 - D_0 : 2", 1.0, SORET_VAR_X));
  PetscCall(CheckValue("x < 1 ? 10 : 20", 10.0, SORET_VAR_X));
  PetscCall(CheckValue("x > 1 ? 10 : t > 4 ? 20 : 30", 20.0, SORET_VAR_X | SORET_VAR_TIME));
  PetscCall(CheckValue("x < 1 ? t < 4 ? 1 : 2 : 3", 2.0, SORET_VAR_X | SORET_VAR_TIME));
  PetscCall(CheckValue("max(x > 0 ? 1 : 2, 1.5)", 1.5, SORET_VAR_X));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestNames(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckValue("x/Lx", 0.15, SORET_VAR_X));
  PetscCall(CheckValue("2*pi*D_0", M_PI_2, 0));
  PetscCall(CheckValue("sum + alpha", 6.0, 0)); /* sum is no function here */
  PetscCall(CheckValue("t + T", 315.0, SORET_VAR_TIME | SORET_VAR_TEMPERATURE));
  PetscCall(CheckValue("exp  ( 0 ) +\n\tsqrt (4)", 3.0, 0));
  PetscCall(CheckValue("0.8 + 0.4*x + 0.3*exp(-((x-0.3)^2 + (y+1.25)^2 + (z-2)^2) / (2*0.15^2))", 0.8 + 0.12 + 0.3, SORET_VAR_SPACE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestMistakes(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckRefused("1 + q", SORET_VAR_ALL, 4, "unknown name 'q'"));
  PetscCall(CheckRefused("2*alfa", SORET_VAR_ALL, 2, "unknown name 'alfa'"));
  PetscCall(CheckRefused("2*alhpa", SORET_VAR_ALL, 2, "unknown name 'alhpa'; did you mean 'alpha'?"));
  PetscCall(CheckRefused("lx", SORET_VAR_ALL, 0, "unknown name 'lx'; did you mean 'Lx'?"));
  PetscCall(CheckRefused("PI", SORET_VAR_ALL, 0, "unknown name 'PI'; did you mean 'pi'?"));
  PetscCall(CheckRefused("x + epx(y)", SORET_VAR_ALL, 4, "unknown function 'epx'; did you mean 'exp'?"));
  PetscCall(CheckRefused("rnd()", SORET_VAR_ALL, 0, "unknown function 'rnd'; there are exp log log10 sqrt sin cos tan asin acos atan atan2 sinh cosh tanh erf floor abs sign min max"));
  PetscCall(CheckRefused("x \xe2\x88\x92 1", SORET_VAR_ALL, 2, "unexpected '\xe2\x88\x92'")); /* the minus of printed texts */
  PetscCall(CheckRefused("_pi", SORET_VAR_ALL, 0, "unknown name '_pi'; did you mean 'pi'?"));
  PetscCall(CheckRefused("300 + T", SORET_VAR_SPACE_TIME, 6, "'T' cannot be used here; allowed: x, y, z, t, numbers and parameters"));
  PetscCall(CheckRefused("x", SORET_VAR_TEMPERATURE, 0, "'x' cannot be used here; allowed: T, numbers and parameters"));
  PetscCall(CheckRefused("2*x", SORET_VAR_NONE, 2, "'x' cannot be used here, only numbers and parameters"));
  PetscCall(CheckRefused("x = 3", SORET_VAR_ALL, 2, "unexpected '='; equality is written =="));
  PetscCall(CheckRefused("x**2", SORET_VAR_ALL, 1, "unexpected '**'; a power is written ^"));
  PetscCall(CheckRefused("2x", SORET_VAR_ALL, 1, "unexpected 'x' behind a number; a product needs *, and a unit needs a blank before it"));
  PetscCall(CheckRefused("0x10", SORET_VAR_ALL, 1, "unexpected 'x' behind a number; a product needs *, and a unit needs a blank before it"));
  PetscCall(CheckRefused("x y", SORET_VAR_ALL, 2, "an operator is missing before 'y'"));
  PetscCall(CheckRefused("x/(3 mm)", SORET_VAR_ALL, 5, "an operator is missing before 'mm'; numbers in a formula are in base units, a quantity enters it as a parameter"));
  PetscCall(CheckRefused("x < 1 and y < 1", SORET_VAR_ALL, 6, "'and' is no operator; it is written &&"));
  PetscCall(CheckRefused("ln(x)", SORET_VAR_ALL, 0, "unknown function 'ln'; the natural logarithm is log"));
  PetscCall(CheckRefused("np.exp(x)", SORET_VAR_ALL, 0, "unknown name 'np'; functions and pi stand alone, as in exp(x)"));
  PetscCall(CheckRefused("exp(-1/(R*T))", SORET_VAR_ALL, 8, "unknown name 'R'; a constant of nature is an entry of `parameters`, as in R: 8.314462618"));
  PetscCall(CheckRefused("x(1)", SORET_VAR_ALL, 0, "'x' is not a function; a product needs *"));
  PetscCall(CheckRefused("sin", SORET_VAR_ALL, 0, "'sin' is a function: sin(...)"));
  PetscCall(CheckRefused("sin()", SORET_VAR_ALL, 4, "unexpected ')'; a value is missing before it"));
  PetscCall(CheckRefused("1 + sin(1, 2)", SORET_VAR_ALL, 7, "'sin' takes 1 argument, found 2"));
  PetscCall(CheckRefused("atan2(1)", SORET_VAR_ALL, 5, "'atan2' takes 2 arguments, found 1"));
  PetscCall(CheckRefused("1, 2", SORET_VAR_ALL, 1, "unexpected ','; the decimal sign is a point"));
  PetscCall(CheckRefused("max((1, 2))", SORET_VAR_ALL, 6, "unexpected ','; the decimal sign is a point"));
  PetscCall(CheckRefused("(x + 1", SORET_VAR_ALL, 0, "'(' without ')'"));
  PetscCall(CheckRefused("x + 1)", SORET_VAR_ALL, 5, "')' without '('"));
  PetscCall(CheckRefused("x +", SORET_VAR_ALL, 3, "the formula ends where a value is missing"));
  PetscCall(CheckRefused("", SORET_VAR_ALL, 0, "the formula is empty"));
  PetscCall(CheckRefused("x ? 1", SORET_VAR_ALL, 5, "a ':' is missing; a choice is written condition ? value : value"));
  PetscCall(CheckRefused("x : 1", SORET_VAR_ALL, 2, "':' without '?'"));
  PetscCall(CheckRefused("(x ? 1) : 2", SORET_VAR_ALL, 6, "a ':' is missing; a choice is written condition ? value : value"));
  PetscCall(CheckRefused("--x", SORET_VAR_ALL, 1, "unexpected '-'; a value is missing before it"));
  PetscCall(CheckRefused("\"x\"", SORET_VAR_ALL, 0, "unexpected '\"'"));
  PetscCall(CheckRefused("x; y", SORET_VAR_ALL, 1, "unexpected ';'"));
  PetscCall(CheckRefused("1e999", SORET_VAR_ALL, 0, "the number 1e999 is too large"));
  PetscCall(CheckRefused("1/0", SORET_VAR_ALL, 0, "the value is infinite"));
  PetscCall(CheckRefused("log(-1)", SORET_VAR_ALL, 0, "the value is not a number"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Inputs made to exhaust the parser end at once with a message. */
static PetscErrorCode TestLimits(void)
{
  char long_text[4200], deep[300], fine[300];

  PetscFunctionBeginUser;
  memset(long_text, '1', 4097);
  long_text[4097] = 0;
  PetscCall(CheckRefused(long_text, SORET_VAR_ALL, 0, "a formula of 4097 characters; at most 4096 are read"));
  memset(deep, '(', 101);
  deep[101] = 0;
  PetscCall(CheckRefused(deep, SORET_VAR_ALL, 100, "more than 100 parentheses inside one another"));
  memset(fine, '(', 100);
  fine[100] = 'z';
  memset(fine + 101, ')', 100);
  fine[201] = 0;
  PetscCall(CheckValue(fine, 2.0, SORET_VAR_Z));
  memset(long_text, 'a', 70);
  long_text[70] = 0;
  PetscCall(CheckRefused(long_text, SORET_VAR_ALL, 0, "a name of more than 63 letters"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A row gives what the single points give; x and T without an array come from the point. */
static PetscErrorCode TestRow(void)
{
  static const char *const texts[] = {"7", "y*t", "x^2 + t", "T/2", "x*T"};
  const PetscReal          x[] = {0.0, 1.0, 3.0}, T[] = {280.0, 300.0, 320.0};

  PetscFunctionBeginUser;
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    SoretExpr      expr;
    SoretExprError error;
    PetscReal      out[3];

    PetscCall(Compile(texts[i], SORET_VAR_ALL, &expr, &error));
    for (int arrays = 0; arrays < 4; arrays++) {
      SoretExprEvaluateRow(expr, 3, &point, arrays & 1 ? x : NULL, arrays & 2 ? T : NULL, out);
      for (int k = 0; k < 3; k++) {
        const double here = arrays & 1 ? x[k] : 0.3, temperature = arrays & 2 ? T[k] : 310.0;
        const double expected[] = {7.0, -6.25, here * here + 5.0, temperature / 2.0, here * temperature};

        CheckClose(out[k], expected[i], 1e-13);
      }
    }
    SoretExprEvaluateRow(expr, 0, &point, x, T, NULL);
    PetscCall(SoretExprDestroy(&expr));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Singularities come back as they are: who evaluates knows what to say. */
/* A whole row at once is what muParser says point by point, whatever of x and T changes along it, for lengths around those of the chunks. */
static PetscErrorCode TestRowsAreMuParsers(void)
{
  static const char *const formulas[] = {
    "0.8 + 0.4*x + 0.3*exp(-((x-0.3)^2 + (y-0.6)^2 + (z-0.5)^2) / (2*0.15^2))",
    "-x^2", "2^-x", "2^3^x", "-2^2*x", "x - y - z - T", "x/y/z/T", "2*-x", "-(x)-+y", "x^3 - x^2.5 + x^0.5",
    "x < 0.5 ? y < 0 ? 1 : x : T > 300 ? z : -x", "x <= 0.5 && y != 2 || T == 310", "1 < x < 2", "x > 0.2 && x < 0.9 ? 10 : 0.1",
    "min(x, T, 0.5) + max(y, x, z, t)*atan2(x, T)", "sin(x) + abs(y)*sign(x - 0.5) + erf(x)", "3 + 0*x", "pi*Lx*x + D_0*alpha - sum",
    "((((x))))", "x", "T", "y*t", "log(x - 0.5)", "1/(x - x)", "floor(10*x)*1e-3 + 2.5e+1*x", "x*y^2*z^3*exp(-T/300)",
  };
  enum { LONGEST = 300 };
  static const PetscInt lengths[] = {1, 2, 127, 128, 129, 256, LONGEST};
  PetscReal             x[LONGEST], T[LONGEST], out[LONGEST];

  PetscFunctionBeginUser;
  for (PetscInt i = 0; i < LONGEST; i++) {
    x[i] = 1.3 * sin(0.7 * (PetscReal)i) + 0.4;
    T[i] = 300.0 + 20.0 * cos(0.3 * (PetscReal)i);
  }
  for (size_t f = 0; f < sizeof(formulas) / sizeof(formulas[0]); f++) {
    SoretExpr      expr;
    SoretExprError error;

    PetscCall(Compile(formulas[f], SORET_VAR_ALL, &expr, &error));
    Check(expr);
    for (int arrays = 0; arrays < 4 && expr; arrays++) {
      for (size_t n = 0; n < sizeof(lengths) / sizeof(lengths[0]); n++) {
        SoretExprEvaluateRow(expr, lengths[n], &point, arrays & 1 ? x : NULL, arrays & 2 ? T : NULL, out);
        for (PetscInt i = 0; i < lengths[n]; i++) {
          SoretPoint p = point;
          PetscReal  value;

          if (arrays & 1) p.x[0] = x[i];
          if (arrays & 2) p.T = T[i];
          value = SoretExprEvaluate(expr, &p);
          if (isnan(value) ? isnan(out[i]) : out[i] == value || fabs(out[i] - value) <= 2e-15 * fabs(value)) continue;
          test_failures++;
          fprintf(stderr, "'%s' at point %d of %d (arrays %d): %.17g, muParser has %.17g\n", formulas[f], (int)i, (int)lengths[n], arrays, (double)out[i], (double)value);
          break;
        }
      }
    }
    PetscCall(SoretExprDestroy(&expr));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestSingularities(void)
{
  const SoretPoint zero = {.T = 0.0};
  SoretExpr        expr;
  SoretExprError   error;

  PetscFunctionBeginUser;
  PetscCall(Compile("1/x", SORET_VAR_ALL, &expr, &error));
  Check(isinf(SoretExprEvaluate(expr, &zero)));
  PetscCall(SoretExprDestroy(&expr));
  PetscCall(Compile("min(1, log(x - 1))", SORET_VAR_ALL, &expr, &error));
  Check(isnan(SoretExprEvaluate(expr, &zero)));
  PetscCall(SoretExprDestroy(&expr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestConstants(void)
{
  SoretExpr expr;

  PetscFunctionBeginUser;
  PetscCall(SoretExprCreateConstant(0.1, &expr));
  Check(SoretExprEvaluate(expr, &point) == 0.1);
  Check(SoretExprUses(expr) == SORET_VAR_NONE);
  Check(strtod(SoretExprText(expr), NULL) == 0.1);
  PetscCall(SoretExprDestroy(&expr));
  Check(SoretExprUses(NULL) == SORET_VAR_NONE);
  Check(!SoretExprNameTaken("k_on"));
  Check(SoretExprNameTaken("T") && SoretExprNameTaken("exp") && SoretExprNameTaken("pi") && SoretExprNameTaken("Lx"));
  Check(SoretExprNameTaken("2a") && SoretExprNameTaken("a-b") && SoretExprNameTaken(""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestFunctions, TestOperators, TestNames, TestMistakes, TestLimits, TestRow, TestRowsAreMuParsers, TestSingularities, TestConstants)
