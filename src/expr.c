/* SPDX-License-Identifier: BSD-2-Clause

   muParser evaluates; what a formula may be is decided here, before muParser sees it. Its own messages point behind the mistake
   and its language is larger than ours (assignments, lists of results, random numbers). */
#include "expr_private.h"

#include "soret/rowmath.h"
#include "soret/text.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum {
  LONGEST_FORMULA = 4096,
  DEEPEST_NESTING = 100,
  NUM_VARIABLES   = SORET_NUM_VARIABLES
};

struct SoretExpr_s {
  char            *text;
  unsigned         uses;
  PetscReal        constant; /* value where uses == 0 */
  muParserHandle_t parser;   /* NULL where uses == 0  */
  double           variable[NUM_VARIABLES];
  double          *constants; /* those with a name. Variables to muParser, which takes 0.25 && 0.5 of its own constants for 0 && 0 */
  SoretRowCode     rows;     /* the same for rows of points, or NULL */
};

static const char *const variable_names[NUM_VARIABLES] = {"x", "y", "z", "t", "T"}; /* in the order of the bits of SoretVar */

static double Smallest(const double *v, int n)
{
  double m = v[0];

  for (int i = 1; i < n; i++) m = v[i] < m || isnan(v[i]) ? v[i] : m;
  return m;
}

static double Largest(const double *v, int n)
{
  double m = v[0];

  for (int i = 1; i < n; i++) m = v[i] > m || isnan(v[i]) ? v[i] : m;
  return m;
}

static double Sign(double v)
{
  return v > 0.0 ? 1.0 : v < 0.0 ? -1.0 : v;
}

/* All functions, so that none is left to what a version of muParser means by its name. */
static const SoretFunction functions[] = {
  {.name = "exp",   .one = exp,   .row = SoretExpRow},
  {.name = "log",   .one = log,   .row = SoretLogRow},
  {.name = "log10", .one = log10},
  {.name = "sqrt",  .one = sqrt },
  {.name = "sin",   .one = sin  },
  {.name = "cos",   .one = cos  },
  {.name = "tan",   .one = tan  },
  {.name = "asin",  .one = asin },
  {.name = "acos",  .one = acos },
  {.name = "atan",  .one = atan },
  {.name = "atan2", .two = atan2},
  {.name = "sinh",  .one = sinh },
  {.name = "cosh",  .one = cosh },
  {.name = "tanh",  .one = tanh },
  {.name = "erf",   .one = erf  },
  {.name = "floor", .one = floor},
  {.name = "abs",   .one = fabs },
  {.name = "sign",  .one = Sign },
  {.name = "min",   .any = Smallest},
  {.name = "max",   .any = Largest},
};
enum {
  NUM_FUNCTIONS = sizeof(functions) / sizeof(functions[0])
};

/* ---- reading a formula ---- */

/* What stands between a pair of parentheses, or the whole formula. */
typedef struct {
  int function;  /* whose arguments these are, -1 for plain parentheses */
  int arguments; /* commas so far */
  int questions; /* '?' that wait for their ':' */
  int opened;    /* position of the parenthesis */
} Group;

typedef struct {
  const char          *text;
  char                *copy; /* as given to muParser: function names moved up to their parenthesis, one blank for any blank */
  int                  at;   /* position of the token being read */
  PetscBool            operand_next;
  PetscBool            sign_before; /* a sign was read, and not yet what it is the sign of */
  Group                group[DEEPEST_NESTING + 1];
  int                  depth;
  PetscInt             num_constants;
  const SoretConstant *constants;
  unsigned             allowed, uses;
  double              *values; /* of the constants, as muParser sees them */
  muParserHandle_t     parser;
  SoretExprError      *error;
} Reader;

/* Says what is wrong; the first mistake stays. */
static PetscBool Refuse(SoretExprError *error, int position, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(3, 4);
static PetscBool Refuse(SoretExprError *error, int position, const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(error->what, sizeof(error->what), format, arguments);
  va_end(arguments);
  error->position = position;
  return PETSC_FALSE;
}

static int FindFunction(const char *name)
{
  for (int i = 0; i < NUM_FUNCTIONS; i++)
    if (!strcmp(name, functions[i].name)) return i;
  return -1;
}

const SoretFunction *SoretExprFunction(const char *name)
{
  const int found = FindFunction(name);

  return found < 0 ? NULL : &functions[found];
}

int SoretExprVariable(const char *name)
{
  for (int i = 0; i < NUM_VARIABLES; i++)
    if (!strcmp(name, variable_names[i])) return i;
  return -1;
}

static int FindConstant(const Reader *r, const char *name)
{
  for (int i = 0; i < (int)r->num_constants; i++)
    if (!strcmp(name, r->constants[i].name)) return i;
  return -1;
}

/* What is written here for words of other languages, or "". */
static const char *Translate(const char *word)
{
  static const char choice[] = "; a choice is written condition ? value : value", constant[] = "; a constant of nature is an entry of `parameters`, as in R: 8.314462618", alone[] = "; functions and pi stand alone, as in exp(x)";
  static const struct {
    const char *word, *hint;
  } foreign[] = {
    {"ln", "; the natural logarithm is log"}, {"pow", "; a power is written ^"}, {"power", "; a power is written ^"}, {"e", "; e^x is exp(x)"}, {"and", "; it is written &&"}, {"or", "; it is written ||"},
    {"where", choice}, {"if", choice}, {"heaviside", choice}, {"step", choice}, {"np", alone}, {"numpy", alone}, {"math", alone}, {"R", constant}, {"kB", constant}, {"k_B", constant}, {"NA", constant}, {"N_A", constant},
  };

  for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
    if (!strcmp(word, foreign[i].word)) return foreign[i].hint;
  return "";
}

static PetscBool RefuseName(const Reader *r, const char *name, PetscBool called)
{
  const char *near[NUM_FUNCTIONS + NUM_VARIABLES + 1 + 256], *best;
  PetscInt    n = 0;

  for (int i = 0; i < NUM_FUNCTIONS; i++) near[n++] = functions[i].name;
  if (!called) {
    for (int i = 0; i < NUM_VARIABLES; i++)
      if (r->allowed & 1u << i) near[n++] = variable_names[i];
    near[n++] = "pi";
    for (PetscInt i = 0; i < PetscMin(r->num_constants, 256); i++) near[n++] = r->constants[i].name;
  }
  if (*Translate(name)) return Refuse(r->error, r->at, "unknown %s '%s'%s", called ? "function" : "name", name, Translate(name));
  best = SoretNearest(name, n, near);
  if (called && !best) {
    char   list[160] = "";
    size_t used      = 0;

    for (int i = 0; i < NUM_FUNCTIONS; i++) used += (size_t)snprintf(list + used, sizeof(list) - used, " %s", functions[i].name);
    return Refuse(r->error, r->at, "unknown function '%s'; there are%s", name, list);
  }
  return Refuse(r->error, r->at, "unknown %s '%s'%s%s%s", called ? "function" : "name", name, best ? "; did you mean '" : "", best ? best : "", best ? "'?" : "");
}

static PetscBool RefuseVariable(const Reader *r, const char *name)
{
  char   list[32] = "";
  size_t used     = 0;

  for (int i = 0; i < NUM_VARIABLES; i++)
    if (r->allowed & 1u << i) used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", variable_names[i]);
  if (!used) return Refuse(r->error, r->at, "'%s' cannot be used here, only numbers and parameters", name);
  return Refuse(r->error, r->at, "'%s' cannot be used here; allowed: %s, numbers and parameters", name, list);
}

/* A function with the parenthesis behind it; muParser wants no blank between the two. */
static PetscBool ReadCall(Reader *r, const char *name, int length, int open)
{
  const int function = FindFunction(name);

  if (function < 0) {
    if (SoretExprVariable(name) >= 0 || FindConstant(r, name) >= 0 || !strcmp(name, "pi")) return Refuse(r->error, r->at, "'%s' is not a function; a product needs *", name);
    return RefuseName(r, name, PETSC_TRUE);
  }
  memset(r->copy + r->at, ' ', (size_t)(open - r->at));
  memcpy(r->copy + open - length, name, (size_t)length);
  r->at = open;
  if (r->depth == DEEPEST_NESTING) return Refuse(r->error, open, "more than %d parentheses inside one another", DEEPEST_NESTING);
  r->group[++r->depth] = (Group){.function = function, .opened = open};
  r->at                = open + 1;
  return PETSC_TRUE;
}

static PetscBool ReadName(Reader *r)
{
  char name[SORET_NAME_LENGTH];
  int  length = 0, next, found;

  while (isalnum((unsigned char)r->text[r->at + length]) || r->text[r->at + length] == '_') length++;
  if (length >= SORET_NAME_LENGTH) return Refuse(r->error, r->at, "a name of more than %d letters", SORET_NAME_LENGTH - 1);
  memcpy(name, r->text + r->at, (size_t)length);
  name[length] = 0;
  next         = r->at + length;
  next += (int)strspn(r->copy + next, " ");
  if (r->text[next] == '(') return ReadCall(r, name, length, next);

  if ((found = SoretExprVariable(name)) >= 0) {
    if (!(r->allowed & 1u << found)) return RefuseVariable(r, name);
    r->uses |= 1u << found;
  } else if ((found = FindConstant(r, name)) >= 0) {
    r->values[found] = r->constants[found].value;
    mupDefineVar(r->parser, name, &r->values[found]);
  } else if (!strcmp(name, "pi")) {
    mupDefineConst(r->parser, name, PETSC_PI);
  } else if (FindFunction(name) >= 0) {
    return Refuse(r->error, r->at, "'%s' is a function: %s(...)", name, name);
  } else {
    return RefuseName(r, name, PETSC_FALSE);
  }
  r->at += length;
  r->operand_next = PETSC_FALSE;
  return PETSC_TRUE;
}

/* Whatever stands here: a character of UTF-8 has several bytes. */
static PetscBool RefuseCharacter(const Reader *r)
{
  const char *s      = r->text + r->at;
  int         length = *s ? 1 : 0;

  while (length && (s[length] & 0xc0) == 0x80) length++;
  return Refuse(r->error, r->at, "unexpected '%.*s'", length, s);
}

static PetscBool ReadNumber(Reader *r)
{
  const char  *start  = r->text + r->at;
  const size_t length = SoretScanNumber(start);

  if (!length) return Refuse(r->error, r->at, "'.' is not a number");
  if (isinf(strtod(start, NULL))) return Refuse(r->error, r->at, "the number %.*s is too large", (int)PetscMin(length, 40), start);
  r->at += (int)length;
  if (isalnum((unsigned char)*(start + length)) || *(start + length) == '.' || *(start + length) == '_')
    return Refuse(r->error, r->at, "unexpected '%c' behind a number; a product needs *, and a unit needs a blank before it", *(start + length));
  r->operand_next = PETSC_FALSE;
  return PETSC_TRUE;
}

/* Something that has a value: a name, a number, a sign, an opening parenthesis. */
static PetscBool ReadOperand(Reader *r)
{
  const char c = r->text[r->at];

  if (isalpha((unsigned char)c) || c == '_') return ReadName(r);
  if (isdigit((unsigned char)c) || c == '.') return ReadNumber(r);
  if (c == '(') {
    if (r->depth == DEEPEST_NESTING) return Refuse(r->error, r->at, "more than %d parentheses inside one another", DEEPEST_NESTING);
    r->group[++r->depth] = (Group){.function = -1, .opened = r->at};
    r->at++;
    return PETSC_TRUE;
  }
  if ((c == '+' || c == '-') && !r->sign_before) {
    r->at++;
    return PETSC_TRUE;
  }
  if (c == '*' && r->at && r->text[r->at - 1] == '*') return Refuse(r->error, r->at - 1, "unexpected '**'; a power is written ^");
  if (c && strchr("+-*/^<>=!&|?:,)", c)) return Refuse(r->error, r->at, "unexpected '%c'; a value is missing before it", c);
  return RefuseCharacter(r);
}

/* The end of the arguments of a function, of parentheses or of the formula. */
static PetscBool CloseGroup(Reader *r)
{
  const Group *g = &r->group[r->depth];
  int          wanted;

  if (g->questions) return Refuse(r->error, r->at, "a ':' is missing; a choice is written condition ? value : value");
  if (g->function < 0) return PETSC_TRUE;
  wanted = functions[g->function].one ? 1 : functions[g->function].two ? 2 : 0;
  if (wanted && g->arguments + 1 != wanted) return Refuse(r->error, g->opened, "'%s' takes %d argument%s, found %d", functions[g->function].name, wanted, wanted == 1 ? "" : "s", g->arguments + 1);
  return PETSC_TRUE;
}

/* A value behind a value: words of other languages, and units, are told to be that. */
static PetscBool RefuseOperand(const Reader *r)
{
  const char *s      = r->text + r->at;
  int         length = 0, before = r->at - 1;
  char        word[40];

  while (isalnum((unsigned char)s[length]) || s[length] == '_') length++;
  while (before > 0 && isspace((unsigned char)r->text[before])) before--;
  snprintf(word, sizeof(word), "%.*s", PetscMax(length, 1), s);
  if (*Translate(word)) return Refuse(r->error, r->at, "'%s' is no operator%s", word, Translate(word));
  return Refuse(r->error, r->at, "an operator is missing before '%s'%s", word, isalpha((unsigned char)*s) && isdigit((unsigned char)r->text[before]) ? "; numbers in a formula are in base units, a quantity enters it as a parameter" : "");
}

/* Something behind a value: an operator, a comma, a closing parenthesis. */
static PetscBool ReadOperator(Reader *r)
{
  static const char *const operators[] = {"<=", ">=", "==", "!=", "&&", "||", "<", ">", "+", "-", "*", "/", "^"};
  const char              *s           = r->text + r->at;
  Group                   *g           = &r->group[r->depth];

  r->operand_next = PETSC_TRUE;
  for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
    if (!strncmp(s, operators[i], strlen(operators[i]))) {
      r->at += (int)strlen(operators[i]);
      return PETSC_TRUE;
    }
  }
  switch (*s) {
  case ')':
    if (!r->depth) return Refuse(r->error, r->at, "')' without '('");
    if (!CloseGroup(r)) return PETSC_FALSE;
    r->depth--;
    r->operand_next = PETSC_FALSE;
    break;
  case ',':
    if (g->function < 0) return Refuse(r->error, r->at, "unexpected ','; the decimal sign is a point");
    if (g->questions) return CloseGroup(r);
    g->arguments++;
    break;
  case '?':
    g->questions++;
    break;
  case ':':
    if (!g->questions) return Refuse(r->error, r->at, "':' without '?'");
    g->questions--;
    break;
  case '=':
    return Refuse(r->error, r->at, "unexpected '='; equality is written ==");
  default:
    if (isalnum((unsigned char)*s) || *s == '(' || *s == '_' || *s == '.') return RefuseOperand(r);
    return RefuseCharacter(r);
  }
  r->at++;
  return PETSC_TRUE;
}

/* Checks the whole formula, defines in the parser the constants that it uses. */
static PetscBool ReadFormula(Reader *r)
{
  r->group[0]     = (Group){.function = -1};
  r->operand_next = PETSC_TRUE;
  for (r->at += (int)strspn(r->copy + r->at, " "); r->text[r->at]; r->at += (int)strspn(r->copy + r->at, " ")) {
    const char      c       = r->text[r->at];
    const PetscBool operand = r->operand_next;

    if (!(operand ? ReadOperand(r) : ReadOperator(r))) return PETSC_FALSE;
    r->sign_before = operand && (c == '+' || c == '-') ? PETSC_TRUE : PETSC_FALSE;
  }
  if (r->operand_next) return Refuse(r->error, r->at, r->at ? "the formula ends where a value is missing" : "the formula is empty");
  if (r->depth) return Refuse(r->error, r->group[r->depth].opened, "'(' without ')'");
  return CloseGroup(r);
}

/* ---- the interface ---- */

static PetscErrorCode ParserCreate(double variable[], muParserHandle_t *parser)
{
  PetscFunctionBeginUser;
  *parser = mupCreate(muBASETYPE_FLOAT);
  PetscCheck(*parser, PETSC_COMM_SELF, PETSC_ERR_MEM, "muParser makes no parser");
  mupClearConst(*parser);
  mupClearFun(*parser);
  for (int i = 0; i < NUM_FUNCTIONS; i++) {
    if (functions[i].one) mupDefineFun1(*parser, functions[i].name, functions[i].one, 1);
    if (functions[i].two) mupDefineFun2(*parser, functions[i].name, functions[i].two, 1);
    if (functions[i].any) mupDefineMultFun(*parser, functions[i].name, functions[i].any, 1);
  }
  for (int i = 0; i < NUM_VARIABLES; i++) mupDefineVar(*parser, variable_names[i], &variable[i]);
  PetscCheck(!mupError(*parser), PETSC_COMM_SELF, PETSC_ERR_LIB, "muParser: %s", mupGetErrorMsg(*parser));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Does the code for rows say what muParser says, at a few points with nothing special about them? */
static PetscBool Agrees(SoretExpr e)
{
  for (int probe = 0; probe < 6; probe++) {
    SoretPoint point;
    PetscReal  value, got;

    for (int i = 0; i < 3; i++) point.x[i] = (0.31 + 0.27 * probe) * (1.0 + 0.37 * i) - 0.4;
    point.t = 0.17 + 0.41 * probe;
    point.T = probe < 3 ? 0.6 + 0.35 * probe : 271.3 + 17.9 * probe;
    value   = SoretExprEvaluate(e, &point);
    SoretRowCodeEvaluate(e->rows, 1, &point, &point.x[0], &point.T, &got);
    if (isnan(value) && isnan(got)) continue;
    if (value != got && !(fabs(value - got) <= 1.0e-12 * fabs(value))) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Lets muParser compile the checked text, and evaluates it where it is a constant. */
static PetscBool Compile(SoretExpr e, const Reader *r)
{
  double value;

  mupErrorReset(e->parser);
  mupSetExpr(e->parser, r->copy);
  value = mupEval(e->parser);
  if (mupError(e->parser)) return Refuse(r->error, PetscMax(0, PetscMin(mupGetErrorPos(e->parser), r->at - 1)), "%s", mupGetErrorMsg(e->parser));
  e->uses = r->uses;
  if (e->uses) return PETSC_TRUE;
  if (!isfinite(value)) return Refuse(r->error, 0, "the value is %s", isnan(value) ? "not a number" : "infinite");
  e->constant = value;
  return PETSC_TRUE;
}

PetscErrorCode SoretExprCreate(const char *text, PetscInt num_constants, const SoretConstant constants[], unsigned allowed, SoretExpr *expr, SoretExprError *error)
{
  const size_t length = strlen(text);
  Reader       r      = {.text = text, .num_constants = num_constants, .constants = constants, .allowed = allowed, .error = error};
  SoretExpr    e;
  PetscBool    good;

  PetscFunctionBeginUser;
  *expr  = NULL;
  *error = (SoretExprError){.position = 0};
  if (length > LONGEST_FORMULA) {
    Refuse(error, 0, "a formula of %zu characters; at most %d are read", length, LONGEST_FORMULA);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscNew(&e));
  PetscCall(PetscStrallocpy(text, &e->text));
  PetscCall(PetscStrallocpy(text, &r.copy));
  for (char *c = r.copy; *c; c++)
    if (strchr("\t\r\n", *c)) *c = ' ';
  PetscCall(ParserCreate(e->variable, &e->parser));
  PetscCall(PetscMalloc1(num_constants, &e->constants));
  r.parser = e->parser;
  r.values = e->constants;
  good     = ReadFormula(&r) && Compile(e, &r) ? PETSC_TRUE : PETSC_FALSE;
  if (good && e->uses) {
    PetscCall(SoretRowCodeCreate(r.copy, num_constants, constants, &e->rows));
    if (e->rows && !Agrees(e)) PetscCall(SoretRowCodeDestroy(&e->rows));
  }
  PetscCall(PetscFree(r.copy));
  if (good && !e->uses) {
    mupRelease(e->parser);
    e->parser = NULL;
  }
  if (!good) PetscCall(SoretExprDestroy(&e));
  *expr = e;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretExprCreateConstant(PetscReal value, SoretExpr *expr)
{
  char text[32];

  PetscFunctionBeginUser;
  snprintf(text, sizeof(text), "%.17g", value);
  PetscCall(PetscNew(expr));
  PetscCall(PetscStrallocpy(text, &(*expr)->text));
  (*expr)->constant = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscReal SoretExprEvaluate(SoretExpr expr, const SoretPoint *point)
{
  if (!expr) return 0.0;
  if (!expr->uses) return expr->constant;
  for (int i = 0; i < 3; i++) expr->variable[i] = point->x[i];
  expr->variable[3] = point->t;
  expr->variable[4] = point->T;
  return mupEval(expr->parser);
}

void SoretExprEvaluateRow(SoretExpr expr, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal out[])
{
  SoretPoint p = *point;

  if (expr && expr->rows) {
    SoretRowCodeEvaluate(expr->rows, n, point, x, T, out);
    return;
  }
  for (PetscInt i = 0; i < n; i++) {
    if (x) p.x[0] = x[i];
    if (T) p.T = T[i];
    out[i] = SoretExprEvaluate(expr, &p);
  }
}

unsigned SoretExprUses(SoretExpr expr)
{
  return expr ? expr->uses : 0u;
}

const char *SoretExprText(SoretExpr expr)
{
  return expr ? expr->text : "";
}

const char *SoretExprNameTaken(const char *name)
{
  if (!SoretIsIdentifier(name)) return "a name used in formulas has letters, digits and _, and does not start with a digit";
  if (SoretExprVariable(name) >= 0) return "it is a variable of the formulas";
  if (FindFunction(name) >= 0) return "it is a function of the formulas";
  if (!strcmp(name, "pi") || !strcmp(name, "Lx") || !strcmp(name, "Ly") || !strcmp(name, "Lz")) return "it is a constant of the formulas";
  return NULL;
}

PetscErrorCode SoretExprDestroy(SoretExpr *expr)
{
  PetscFunctionBeginUser;
  if (!*expr) PetscFunctionReturn(PETSC_SUCCESS);
  if ((*expr)->parser) mupRelease((*expr)->parser);
  PetscCall(SoretRowCodeDestroy(&(*expr)->rows));
  PetscCall(PetscFree((*expr)->constants));
  PetscCall(PetscFree((*expr)->text));
  PetscCall(PetscFree(*expr));
  PetscFunctionReturn(PETSC_SUCCESS);
}
