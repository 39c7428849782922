/* SPDX-License-Identifier: BSD-2-Clause

   The case file: every statement of docs/case-format.md under "Values", and the exact form of the messages. */
#include "soret/input.h"
#include "test.h"

#include <float.h>
#include <math.h>
#include <unistd.h>

/* ---- a struct with one member of each kind ---- */

enum {
  STEADY,
  TRANSIENT
};

typedef struct {
  char             name[SORET_NAME_LENGTH];
  PetscReal        diffusivity;
  SoretExpr        initial;
  PetscInt         count;
  PetscBool        flag;
  int              mode;
  SoretReals       size;
  char            *file;
  SoretOptional    temperature;
  const SoretNode *node;
  int              custom;
} Thing;

static PetscErrorCode ParseCustom(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest)
{
  PetscFunctionBeginUser;
  *(int *)dest = (int)strlen(node->text);
  if (!strcmp(node->text, "bad")) PetscCall(SoretInputError(in, node, "%s is bad", key->key));
  PetscFunctionReturn(PETSC_SUCCESS);
}

#define ROW(name, what, of, if_absent, from_to, member, says) .key = name, .kind = what, .unit = of, .absent = if_absent, from_to, .offset = offsetof(Thing, member), .meaning = says
#define RANGE(a, b) .min = (a), .max = (b)
#define ANY RANGE(-PETSC_MAX_REAL, PETSC_MAX_REAL)

static const SoretKey thing_keys[] = {
  {ROW("name", SORET_NAME, NULL, SORET_REQUIRED, ANY, name, "name used in reactions")},
  {ROW("diffusivity", SORET_REAL, "m^2/s", "1e-9", RANGE(0.0, PETSC_MAX_REAL), diffusivity, "D, not |D|")},
  {ROW("initial", SORET_FORMULA, "mol/m^3", SORET_OPTIONAL, RANGE(0.0, PETSC_MAX_REAL), initial, "initial"), .allowed = SORET_VAR_SPACE},
  {ROW("count", SORET_INT, NULL, "3", RANGE(1, 1e7), count, "cells")},
  {ROW("flag", SORET_BOOL, NULL, "yes", ANY, flag, "flag")},
  {ROW("mode", SORET_CHOICE, NULL, "steady", ANY, mode, "mode"), .choices = "steady|transient"},
  {ROW("size", SORET_REALS, "m", "[1, 2]", RANGE(DBL_MIN, PETSC_MAX_REAL), size, "size")},
  {ROW("file", SORET_STRING, NULL, SORET_OPTIONAL, ANY, file, "file")},
  {ROW("T", SORET_REAL, "K", SORET_OPTIONAL, RANGE(200, 400), temperature, "T")},
  {ROW("node", SORET_NODE, NULL, SORET_OPTIONAL, ANY, node, "node"), .syntax = "a node"},
  {ROW("custom", SORET_CUSTOM, NULL, "four", ANY, custom, "custom"), .parse = ParseCustom, .syntax = "a word"},
  {.key = NULL}
};

static PetscErrorCode Open(const char *text, SoretInput *in)
{
  PetscFunctionBeginUser;
  PetscCall(SoretInputCreate("case.yaml", text, strlen(text), in));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The messages of an input are exactly these; destroys it. */
static PetscErrorCode Close(SoretInput *in, const char *expected)
{
  char  *printed = NULL;
  size_t size;
  FILE  *out = open_memstream(&printed, &size);

  PetscFunctionBeginUser;
  PetscCheck(out, PETSC_COMM_SELF, PETSC_ERR_MEM, "open_memstream");
  PetscCall(SoretInputPrintErrors(*in, out));
  fclose(out);
  if (strcmp(printed, expected)) {
    test_failures++;
    fprintf(stderr, "---- messages:\n%s---- expected:\n%s", printed, expected);
  }
  free(printed);
  PetscCall(SoretInputDestroy(in));
  Check(!*in);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Reads a file that is one Thing, and compares the messages. */
static PetscErrorCode CheckThing(const char *text, const char *expected)
{
  SoretInput in;
  Thing      thing;

  PetscFunctionBeginUser;
  PetscCall(Open(text, &in));
  PetscCall(SoretInputReadMap(in, SoretInputRoot(in), NULL, "species 'A'", thing_keys, &thing));
  Check((SoretInputCountErrors(in) > 0) == (*expected != 0));
  PetscCall(SoretExprDestroy(&thing.initial));
  PetscCall(Close(&in, expected));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestMap(void)
{
  SoretInput       in;
  Thing            thing;
  const SoretPoint point = {
    .x = {2.0}
  };

  PetscFunctionBeginUser;
  PetscCall(Open("{name: NO, diffusivity: 2 um^2/s, initial: 3*x, count: 1e7, flag: off, mode: transient, size: 5, file: a b.h5, T: 25 degC, node: {a: 1}, custom: seventh}", &in));
  PetscCall(SoretInputReadMap(in, SoretInputRoot(in), NULL, "thing", thing_keys, &thing));
  CheckText(thing.name, "NO");
  Check(thing.diffusivity == 2e-12);
  CheckClose(SoretExprEvaluate(thing.initial, &point), 6.0, 0.0);
  Check(thing.count == 10000000);
  Check(thing.flag == PETSC_FALSE && thing.mode == TRANSIENT && thing.size.n == 1 && thing.size.value[0] == 5.0);
  CheckText(thing.file, "a b.h5");
  Check(thing.temperature.given);
  CheckClose(thing.temperature.value, 298.15, 0.0);
  Check(SoretNodeFind(thing.node, "a") && !SoretNodeFind(thing.node, "b") && !SoretNodeFind(NULL, "a"));
  Check(thing.custom == 7);
  PetscCall(SoretExprDestroy(&thing.initial));
  PetscCall(Close(&in, ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestDefaults(void)
{
  SoretInput in;
  Thing      thing;

  PetscFunctionBeginUser;
  memset(&thing, 0xff, sizeof(thing));
  PetscCall(Open("name: y", &in));
  PetscCall(SoretInputReadMap(in, SoretInputRoot(in), NULL, "thing", thing_keys, &thing));
  CheckText(thing.name, "y"); /* a name, not a truth value */
  Check(thing.diffusivity == 1e-9 && thing.count == 3 && thing.flag == PETSC_TRUE && thing.mode == STEADY);
  Check(thing.size.n == 2 && thing.size.value[0] == 1.0 && thing.size.value[1] == 2.0);
  Check(!thing.initial && !thing.file && !thing.node && !thing.temperature.given && thing.custom == 4);
  PetscCall(Close(&in, ""));

  /* after a mistake the struct is as good as if the key was not there */
  memset(&thing, 0xff, sizeof(thing));
  PetscCall(Open("{name: 2y, diffusivity: -1, initial: -1, count: 0, flag: 3, mode: x, size: [1, -1], T: 1, custom: bad}", &in));
  PetscCall(SoretInputReadMap(in, SoretInputRoot(in), NULL, "thing", thing_keys, &thing));
  Check(SoretInputCountErrors(in) == 9);
  CheckText(thing.name, "");
  Check(thing.diffusivity == 1e-9 && thing.count == 3 && thing.flag == PETSC_TRUE && thing.mode == STEADY && thing.size.n == 2);
  Check(!thing.initial && !thing.temperature.given);
  PetscCall(SoretInputDestroy(&in));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The form that style and case format promise: sorted by line, the line and a caret below, the count. */
static PetscErrorCode TestMessages(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckThing("name: A\n"
                       "difusivity: 1.0e-9 m^2/s\n"
                       "T: 1 m/s\n",
                       "case.yaml:2:1: unknown key 'difusivity' in species 'A'; did you mean 'diffusivity'?\n"
                       "  2 | difusivity: 1.0e-9 m^2/s\n"
                       "    | ^ known keys: name, diffusivity, initial, count, flag, mode, size, file, T, node, custom\n"
                       "case.yaml:3:4: 'm/s' is not a unit of T; expected K\n"
                       "  3 | T: 1 m/s\n"
                       "    |    ^\n"
                       "2 errors in case.yaml; nothing was run.\n"));
  PetscCall(CheckThing("{count: 4}", "case.yaml:1:1: missing key 'name' in species 'A'\n"
                                     "  1 | {count: 4}\n"
                                     "    | ^ name: name used in reactions\n"
                                     "1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckThing("# ten\n\n\n\n\n\n\n\n\nname: A\ncount: 2\nname: B\n", "case.yaml:12:1: key 'name' stands twice in one map, first in line 10\n"
                                                                              "  12 | name: B\n"
                                                                              "     | ^\n"
                                                                              "1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckThing("name: A\nT: [1]\nsize: {a: 1}\nmode: stedy\nflag: 1\nfile:\ncustom: bad\n", "case.yaml:2:4: 'T' must be a number, found a list\n"
                                                                                                  "  2 | T: [1]\n"
                                                                                                  "    |    ^\n"
                                                                                                  "case.yaml:3:7: 'size' must be a number or a list of numbers, found a map\n"
                                                                                                  "  3 | size: {a: 1}\n"
                                                                                                  "    |       ^\n"
                                                                                                  "case.yaml:4:7: unknown mode 'stedy'; did you mean 'steady'?\n"
                                                                                                  "  4 | mode: stedy\n"
                                                                                                  "    |       ^ one of: steady, transient\n"
                                                                                                  "case.yaml:5:7: 'flag' must be true or false, found '1'\n"
                                                                                                  "  5 | flag: 1\n"
                                                                                                  "    |       ^\n"
                                                                                                  "case.yaml:6:6: 'file' must be a text, found nothing\n"
                                                                                                  "  6 | file:\n"
                                                                                                  "    |      ^\n"
                                                                                                  "case.yaml:7:9: custom is bad\n"
                                                                                                  "  7 | custom: bad\n"
                                                                                                  "    |         ^\n"
                                                                                                  "6 errors in case.yaml; nothing was run.\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestRanges(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckThing("{name: A, diffusivity: -2}", "case.yaml:1:24: 'diffusivity' must be at least 0, found -2\n"
                                                     "  1 | {name: A, diffusivity: -2}\n"
                                                     "    |                        ^\n"
                                                     "1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckThing("{name: A, T: 500}", "case.yaml:1:14: 'T' must be between 200 and 400 K, found 500\n"
                                            "  1 | {name: A, T: 500}\n"
                                            "    |              ^\n"
                                            "1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckThing("{name: A, T: 227 degC}", "case.yaml:1:14: 'T' must be between 200 and 400 K, found '227 degC' = 500.15 K\n"
                                                 "  1 | {name: A, T: 227 degC}\n"
                                                 "    |              ^\n"
                                                 "1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckThing("{name: A, size: [1, 0]}", "case.yaml:1:21: 'size' must be positive, found 0\n"
                                                  "  1 | {name: A, size: [1, 0]}\n"
                                                  "    |                     ^\n"
                                                  "1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckThing("{name: A, count: 1.5}", "case.yaml:1:18: 'count' must be a whole number, found '1.5'\n"
                                                "  1 | {name: A, count: 1.5}\n"
                                                "    |                  ^\n"
                                                "1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckThing("{name: A, initial: 1 - 3}", "case.yaml:1:20: 'initial' must be at least 0, found '1 - 3' = -2 mol/m^3\n"
                                                    "  1 | {name: A, initial: 1 - 3}\n"
                                                    "    |                    ^\n"
                                                    "1 error in case.yaml; nothing was run.\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- values ---- */

/* Reads one value of a given unit; the messages, if it is wrong, begin with `mistake`. */
static PetscErrorCode CheckReal(const char *written, const char *unit, PetscBool reduced, PetscReal expected, const char *mistake)
{
  const SoretKey key = {.key = "value", .kind = SORET_REAL, .unit = unit};
  char           text[6000], *printed = NULL;
  size_t         size;
  FILE          *out = open_memstream(&printed, &size);
  SoretInput     in;
  PetscReal      value = NAN;
  PetscBool      ok;

  PetscFunctionBeginUser;
  snprintf(text, sizeof(text), "value: %s\n", written);
  PetscCall(Open(text, &in));
  PetscCall(SoretInputSetReduced(in, reduced));
  PetscCall(SoretInputDefine(in, "k", 4.0));
  PetscCall(SoretInputDefine(in, "k", 5.0)); /* the new value counts */
  Check(SoretNodeFind(SoretInputRoot(in), "value"));
  PetscCall(SoretInputReadValue(in, SoretNodeFind(SoretInputRoot(in), "value"), &key, &value, &ok));
  PetscCall(SoretInputPrintErrors(in, out));
  fclose(out);
  if (mistake) {
    Check(!ok);
    if (strncmp(printed, mistake, strlen(mistake))) {
      test_failures++;
      fprintf(stderr, "'%s': %sexpected: %s\n", written, printed, mistake);
    }
  } else if (!ok || !(fabs(value - expected) <= 4e-16 * fabs(expected))) { /* two roundings */
    test_failures++;
    fprintf(stderr, "'%s' = %.17g, expected %.17g\n%s", written, value, expected, printed);
  }
  free(printed);
  PetscCall(SoretInputDestroy(&in));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestNumbers(void)
{
  PetscFunctionBeginUser;
  for (int reduced = 0; reduced < 2; reduced++) {
    const PetscBool r = reduced ? PETSC_TRUE : PETSC_FALSE;

    PetscCall(CheckReal("1.0e-9", "m^2/s", r, 1e-9, NULL));
    PetscCall(CheckReal("'-.5'", "K", r, -0.5, NULL));
    PetscCall(CheckReal("+3.", "K", r, 3.0, NULL));
    PetscCall(CheckReal("010", "1", r, 10.0, NULL)); /* decimal, not octal as in YAML 1.1 */
    PetscCall(CheckReal("2*k", "K", r, 10.0, NULL));
    PetscCall(CheckReal("sin(pi/2)", NULL, r, 1.0, NULL));
    PetscCall(CheckReal("\"k > 1 ? 3 : 4\"", NULL, r, 3.0, NULL));
    PetscCall(CheckReal("2 - k", "K", r, -3.0, NULL)); /* an operator behind the blank: a formula */
    PetscCall(CheckReal("1e999", "K", r, 0, "case.yaml:1:8: 'value' must be a finite number, found '1e999'\n"));
    PetscCall(CheckReal("x", "K", r, 0, "case.yaml:1:8: formula of value: 'x' cannot be used here, only numbers and parameters\n"));
    PetscCall(CheckReal("inf", "K", r, 0, "case.yaml:1:8: formula of value: unknown name 'inf'"));
    PetscCall(CheckReal(".nan", "K", r, 0, "case.yaml:1:8: formula of value: '.' is not a number\n"));
    PetscCall(CheckReal("0x10", "K", r, 0, "case.yaml:1:9: formula of value: unexpected 'x' behind a number"));
    PetscCall(CheckReal("1:30", "K", r, 0, "case.yaml:1:9: formula of value: ':' without '?'\n"));
    PetscCall(CheckReal("\"1 + qq\"", "K", r, 0, "case.yaml:1:13: formula of value: unknown name 'qq'\n"));
    PetscCall(CheckReal("\"\\x31 + qq\"", "K", r, 0, "case.yaml:1:8: formula of value: unknown name 'qq'\n")); /* not there letter by letter */
    PetscCall(CheckReal("|\n  1 +\n  qq\n", "K", r, 0, "case.yaml:1:8: formula of value: unknown name 'qq'\n"));
    PetscCall(CheckReal("", "K", r, 0, "case.yaml:1:7: 'value' must be a number, found nothing\n"));
    PetscCall(CheckReal("{a: 1}", "K", r, 0, "case.yaml:1:8: 'value' must be a number, found a map\n"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestUnits(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckReal("1.0e-9 m^2/s", "m^2/s", PETSC_FALSE, 1e-9, NULL));
  PetscCall(CheckReal("25 degC", "K", PETSC_FALSE, 298.15, NULL));
  PetscCall(CheckReal("-40 degC", "K", PETSC_FALSE, 233.15, NULL));
  PetscCall(CheckReal("5 degC", "difference in K", PETSC_FALSE, 5.0, NULL));
  PetscCall(CheckReal("9 degF", "difference in K", PETSC_FALSE, 5.0, NULL));
  PetscCall(CheckReal("3 mK", "difference in K", PETSC_FALSE, 3.0e-3, NULL));
  PetscCall(CheckReal("45 kJ/mol", "J/mol", PETSC_FALSE, 45e3, NULL));
  PetscCall(CheckReal("3.2 umol/L", "mol/m^3", PETSC_FALSE, 3.2e-3, NULL));
  PetscCall(CheckReal("7 um^2/s", "m^2/s", PETSC_FALSE, 7e-12, NULL));
  PetscCall(CheckReal("3 \xc2\xb5m", "m", PETSC_FALSE, 3e-6, NULL));
  PetscCall(CheckReal("2 M", "mol/m^3", PETSC_FALSE, 2e3, NULL));
  PetscCall(CheckReal("2 mM", "mol/m^3", PETSC_FALSE, 2.0, NULL));
  PetscCall(CheckReal("3 uM", "mol/m^3", PETSC_FALSE, 3e-3, NULL));
  PetscCall(CheckReal("3 nM", "mol/m^3", PETSC_FALSE, 3e-6, NULL));
  PetscCall(CheckReal("4e6 1/M/s", "m^3/mol/s", PETSC_FALSE, 4e3, NULL));
  PetscCall(CheckReal("4e6 /M/s", "m^3/mol/s", PETSC_FALSE, 4e3, NULL));
  PetscCall(CheckReal("'4e6  / (M s) '", "*", PETSC_FALSE, 4e3, NULL));
  PetscCall(CheckReal("4 /pi", "1/s", PETSC_FALSE, 4.0 / PETSC_PI, NULL)); /* names of formulas stay what they are */
  PetscCall(CheckReal("4e6 L/(mol\xc2\xb7s)", "m^3/mol/s", PETSC_FALSE, 4e3, NULL));
  PetscCall(CheckReal("0.89 cP", "Pa s", PETSC_FALSE, 0.89e-3, NULL));
  PetscCall(CheckReal("10 1/s", "1/s", PETSC_FALSE, 10.0, NULL));
  PetscCall(CheckReal("10 s^-1", "1/s", PETSC_FALSE, 10.0, NULL));
  PetscCall(CheckReal("10 s-1", "1/s", PETSC_FALSE, 10.0, NULL));
  PetscCall(CheckReal("10 min", "s", PETSC_FALSE, 600.0, NULL));
  PetscCall(CheckReal("0.89 mPa s", "Pa s", PETSC_FALSE, 0.89e-3, NULL));
  PetscCall(CheckReal("5 %", "1", PETSC_FALSE, 0.05, NULL));
  PetscCall(CheckReal("'3   um  '", "m", PETSC_FALSE, 3e-6, NULL));
  PetscCall(CheckReal("45 kJ/mol", "*", PETSC_FALSE, 45e3, NULL));
  PetscCall(CheckReal("2 cm^2/s", "*", PETSC_FALSE, 2e-4, NULL));
  PetscCall(CheckReal("2 mM/s", "*", PETSC_FALSE, 2.0, NULL));
  PetscCall(CheckReal("20 degC", "*", PETSC_FALSE, 293.15, NULL));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestWrongUnits(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckReal("1 m/s", "m^2/s", PETSC_FALSE, 0, "case.yaml:1:8: 'm/s' is not a unit of value; expected m^2/s\n"));
  PetscCall(CheckReal("1 s", "1/s", PETSC_FALSE, 0, "case.yaml:1:8: 's' is not a unit of value; expected 1/s\n")); /* not its reciprocal */
  PetscCall(CheckReal("20 C", "K", PETSC_FALSE, 0, "case.yaml:1:8: 'C' is not a unit of value; expected K\n  1 | value: 20 C\n    |        ^ degrees Celsius are degC\n"));
  PetscCall(CheckReal("0.5 eV", "J/mol", PETSC_FALSE, 0, "case.yaml:1:8: 'eV' is not a unit of value; expected J/mol\n  1 | value: 0.5 eV\n    |        ^ for each particle that is 'eV/molecule'\n"));
  PetscCall(CheckReal("6e23 /m^3", "mol/m^3", PETSC_FALSE, 0, "case.yaml:1:8: '1/m^3' is not a unit of value; expected mol/m^3\n  1 | value: 6e23 /m^3\n    |        ^ for each particle that is 'molecule/m^3'\n"));
  PetscCall(CheckReal("1 blorb", "m", PETSC_FALSE, 0, "case.yaml:1:8: 'blorb' is not a unit; expected m\n"));
  PetscCall(CheckReal("25 degC + 10*x", "K", PETSC_FALSE, 0, "case.yaml:1:8: 'degC + 10*x' is not a unit; expected K. Numbers in a formula are in base units; a quantity enters it as a parameter\n"));
  PetscCall(CheckReal("1 m", NULL, PETSC_FALSE, 0, "case.yaml:1:8: 'm' is not a unit of value; expected a number without unit\n"));
  PetscCall(CheckReal("1 m^7", "*", PETSC_FALSE, 0, "case.yaml:1:8: 'm^7' is not a unit that soret computes with\n"));
  PetscCall(CheckReal("1.0 m", "m", PETSC_TRUE, 0, "case.yaml:1:8: '1.0 m' has a unit, but 'units: reduced' takes plain numbers\n"));
  PetscCall(CheckReal("1e-9m", "m", PETSC_FALSE, 0, "case.yaml:1:12: formula of value: unexpected 'm' behind a number; a product needs *, and a unit needs a blank before it\n"));
  PetscCall(CheckReal("1e308 km", "m", PETSC_FALSE, 0, "case.yaml:1:8: '1e308 km' is not finite in its base unit\n"));
  /* what UDUNITS would take, and is no unit here: offsets, time stamps, logarithms, numbers within, long texts */
  PetscCall(CheckReal("1 K @ 273", "K", PETSC_FALSE, 0, "case.yaml:1:8: 'K @ 273' is not a unit; expected K\n"));
  PetscCall(CheckReal("1 s since 1970-01-01", "s", PETSC_FALSE, 0, "case.yaml:1:8: 's since 1970-01-01' is not a unit; expected s\n"));
  PetscCall(CheckReal("1 K from 273", "K", PETSC_FALSE, 0, "case.yaml:1:8: 'K from 273' is not a unit; expected K\n"));
  PetscCall(CheckReal("'1 lg(re 1 W)'", "W", PETSC_FALSE, 0, "case.yaml:1:8: 'lg(re 1 W)' is not a unit; expected W\n"));
  PetscCall(CheckReal("1 dBZ", "m^3", PETSC_FALSE, 0, "case.yaml:1:8: 'dBZ' is not a unit; expected m^3\n"));
  PetscCall(CheckReal("25 3 m", "m", PETSC_FALSE, 0, "case.yaml:1:8: '3 m' is not a unit; expected m\n"));
  PetscCall(CheckReal("1 m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m", "m", PETSC_FALSE, 0, "case.yaml:1:8: 'm.m"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestIntegers(void)
{
  static const struct {
    const char *text;
    PetscInt    value;
    PetscBool   good;
  } cases[] = {
    {"1e6",        1000000,    PETSC_TRUE },
    {"-3",         -3,         PETSC_TRUE },
    {"2^20 - 1",   1048575,    PETSC_TRUE },
    {"2147483647", 2147483647, PETSC_TRUE },
    {"1e19",       0,          PETSC_FALSE},
    {"0.5",        0,          PETSC_FALSE},
    {"3 m",        0,          PETSC_FALSE}
  };
  const SoretKey key = {.key = "n", .kind = SORET_INT};

  PetscFunctionBeginUser;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char       text[64];
    SoretInput in;
    PetscInt   value = 0;
    PetscBool  ok;

    snprintf(text, sizeof(text), "n: %s", cases[i].text);
    PetscCall(Open(text, &in));
    PetscCall(SoretInputReadValue(in, SoretNodeFind(SoretInputRoot(in), "n"), &key, &value, &ok));
    Check(ok == cases[i].good && value == cases[i].value);
    PetscCall(SoretInputDestroy(&in));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestNames(void)
{
  static const char *const good[] = {"NO", "y", "A2", "A_b", "Ca2+", "Cl-", "(CH3)2CO", "*", "CO*"}, *const bad[] = {"2A", "A B", "A.B", "", "+", "-", "A=B", "\xc3\xa9"};
  static const char *const words[] = {"diffusivity", "initial", "Ito", "x", "name"};

  PetscFunctionBeginUser;
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) Check(SoretIsName(good[i]));
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) Check(!SoretIsName(bad[i]));
  CheckText(SoretNearest("difusivity", 5, words), "diffusivity");
  CheckText(SoretNearest("dffusivtiy", 5, words), "diffusivity"); /* one letter missing, two exchanged */
  CheckText(SoretNearest("ITO", 5, words), "Ito");
  CheckText(SoretNearest("nmae", 5, words), "name");
  Check(!SoretNearest("q", 5, words)); /* x is not near */
  Check(!SoretNearest("velocity", 5, words));
  Check(!SoretNearest("", 5, words));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- YAML ---- */

static PetscErrorCode CheckYaml(const char *text, size_t length, const char *expected)
{
  SoretInput in;
  Thing      thing;

  PetscFunctionBeginUser;
  PetscCall(SoretInputCreate("case.yaml", text, length, &in));
  Check(SoretInputCountErrors(in) == 1);
  Check(SoretInputRoot(in)->kind == SORET_NODE_MAP && SoretInputRoot(in)->size == 0);
  /* what is missing now is a consequence, and not said */
  PetscCall(SoretInputReadMap(in, SoretInputRoot(in), NULL, "thing", thing_keys, &thing));
  PetscCall(Close(&in, expected));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestYamlMistakes(void)
{
  char deep[512];

  PetscFunctionBeginUser;
  PetscCall(CheckYaml("", 0, "case.yaml:1:1: there is nothing in this file\n  1 | \n    | ^\n1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckYaml("- 1", 3, "case.yaml:1:1: a case file is a map of keys such as 'domain:', found a list\n  1 | - 1\n    | ^\n1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckYaml("a: 1\n---\nb: 2\n", 14, "case.yaml:2:1: a second document begins here; a case file holds one\n  2 | ---\n    | ^\n1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckYaml("a: 1\nb: \0\n", 10, "case.yaml:2:4: the character NUL (U+0000) cannot stand in a case file\n  2 | b: ?\n    |    ^\n1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckYaml("a: \xff\n", 5, "case.yaml:1:4: the byte 0xff is not UTF-8; a case file is plain text in UTF-8\n  1 | a: ?\n    |    ^\n1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckYaml("a: x ? 1 : 2\n", 13, "case.yaml:1:10: YAML: mapping values are not allowed in this context\n  1 | a: x ? 1 : 2\n    |          ^ a text with ': ', ' #', ',' or brackets in it needs quotes\n1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckYaml("a: *b\n", 6, "case.yaml:1:4: alias '*b': there is no anchor '&b' before it\n  1 | a: *b\n    |    ^ a text that begins with * needs quotes\n1 error in case.yaml; nothing was run.\n"));
  PetscCall(CheckYaml("a: &a [*a]\n", 11, "case.yaml:1:8: alias '*a': there is no anchor '&a' before it\n  1 | a: &a [*a]\n    |        ^ a text that begins with * needs quotes\n1 error in case.yaml; nothing was run.\n"));
  memset(deep, '[', sizeof(deep));
  memcpy(deep, "a: ", 3);
  PetscCall(CheckYaml(deep, sizeof(deep),
                      "case.yaml:1:68: more than 64 lists and maps inside one another\n"
                      "  1 | ...[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...\n"
                      "    |                                                                ^\n"
                      "1 error in case.yaml; nothing was run.\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Eight lines that stand for 10^8 values. */
static PetscErrorCode TestAliasBomb(void)
{
  static const char bomb[] = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
                             "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                             "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                             "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                             "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
                             "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
                             "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"
                             "h: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g,*g]\n";

  PetscFunctionBeginUser;
  PetscCall(CheckYaml(bomb, sizeof(bomb) - 1,
                      "case.yaml:6:29: more than 1000000 values (aliases count as what they repeat); put large arrays into an HDF5 file\n"
                      "  6 | f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
                      "    |                             ^\n"
                      "1 error in case.yaml; nothing was run.\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestAliases(void)
{
  SoretInput       in;
  const SoretNode *root, *c;

  PetscFunctionBeginUser;
  PetscCall(Open("\xef\xbb\xbf"
                 "a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {'<<': 4}\n",
                 &in));
  root = SoretInputRoot(in);
  CheckText(SoretNodeFind(SoretNodeFind(root, "b"), "y")->text, "2");
  c = SoretNodeFind(root, "c");
  Check(c->size == 2);
  CheckText(SoretNodeFind(c, "x")->text, "1");
  CheckText(SoretNodeFind(c, "y")->text, "3");
  CheckText(SoretNodeFind(SoretNodeFind(root, "d"), "<<")->text, "4"); /* in quotes it is a key as any other */
  /* an override of the alias leaves what it repeats alone */
  PetscCall(SoretInputOverride(in, "b.x=7"));
  CheckText(SoretNodeFind(SoretNodeFind(root, "a"), "x")->text, "1");
  CheckText(SoretNodeFind(SoretNodeFind(root, "b"), "x")->text, "7");
  Check(root->line == 1 && root->column == 1 && c->line == 3 && c->column == 4);
  PetscCall(Close(&in, ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A mistake that an alias repeats is told once; and text that the terminal should not see is not shown. */
static PetscErrorCode TestShown(void)
{
  SoretInput       in;
  const SoretNode *list;
  char             text[400];

  PetscFunctionBeginUser;
  PetscCall(Open("a: &a\n  - \"\\e[31mr\xc3\xa9\xe2\x80\xae" "d\"\t# \xc3\xa9\nb: *a\n", &in));
  list = SoretNodeFind(SoretInputRoot(in), "a");
  PetscCall(SoretInputError(in, list->item[0], "'%s' twice", list->item[0]->text));
  PetscCall(SoretInputError(in, SoretNodeFind(SoretInputRoot(in), "b")->item[0], "'%s' twice", list->item[0]->text));
  PetscCall(SoretInputError(in, NULL, "all of it"));
  PetscCall(SoretInputHint(in, "a hint"));
  PetscCall(Close(&in, "case.yaml: all of it\n"
                       "  a hint\n"
                       "case.yaml:2:5: '?[31mr\xc3\xa9?d' twice\n"
                       "  2 |   - \"\\e[31mr\xc3\xa9?d\" # \xc3\xa9\n"
                       "    |     ^\n"
                       "2 errors in case.yaml; nothing was run.\n"));

  /* 60 characters before the place and 110 in all are shown of a long line */
  memset(text, '.', sizeof(text));
  memcpy(text, "a: \"", 4);
  memcpy(text + 200, "here", 4);
  memcpy(text + sizeof(text) - 2, "\"", 2);
  PetscCall(Open(text, &in));
  PetscCall(SoretInputErrorAt(in, SoretNodeFind(SoretInputRoot(in), "a"), 196, "there"));
  PetscCall(Close(&in, "case.yaml:1:201: there\n"
                       "  1 | ...............................................................here.................................................\n"
                       "    |                                                                ^\n"
                       "1 error in case.yaml; nothing was run.\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* No file makes a longer list of messages than one can read. */
static PetscErrorCode TestManyMistakes(void)
{
  SoretInput in;
  char      *printed = NULL, *last;
  size_t     size;
  FILE      *out = open_memstream(&printed, &size);

  PetscFunctionBeginUser;
  PetscCall(Open("a: 1", &in));
  for (int i = 0; i < 250; i++) PetscCall(SoretInputError(in, SoretInputRoot(in), "mistake %d", i));
  PetscCall(SoretInputHint(in, "of a message that is not kept"));
  Check(SoretInputCountErrors(in) == 250);
  PetscCall(SoretInputPrintErrors(in, out));
  fclose(out);
  last = strstr(printed, "... and");
  CheckText(last, "... and 50 more\n250 errors in case.yaml; nothing was run.\n");
  free(printed);
  PetscCall(SoretInputDestroy(&in));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- overrides ---- */

static const char overridden[] = "units: SI\n"
                                 "solve:\n"
                                 "output: {file: a.h5}\n"
                                 "species:\n"
                                 "  - {name: A, initial: 1}\n"
                                 "  - {name: A2}\n"
                                 "totals: []\n";

static PetscErrorCode TestOverrides(void)
{
  static const char *const good[] = {"solve.tolerance=1e-6", "species.A2.initial=2", "species.0.initial={file: b.h5}", "boundaries.x-.A.value=3*y + 1", "output.file=c=d.h5", "sweep.values=[1, 2]", "title='a: b'"};
  SoretInput               in;
  const SoretNode         *root, *value;

  PetscFunctionBeginUser;
  PetscCall(Open(overridden, &in));
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) PetscCall(SoretInputOverride(in, good[i]));
  root = SoretInputRoot(in);
  CheckText(SoretNodeFind(SoretNodeFind(root, "solve"), "tolerance")->text, "1e-6");
  CheckText(SoretNodeFind(SoretNodeFind(root, "species")->item[1], "initial")->text, "2");
  CheckText(SoretNodeFind(SoretNodeFind(SoretNodeFind(root, "species")->item[0], "initial"), "file")->text, "b.h5");
  value = SoretNodeFind(SoretNodeFind(SoretNodeFind(SoretNodeFind(root, "boundaries"), "x-"), "A"), "value");
  Check(value && value->line == 0 && value->column == 3);
  if (value) CheckText(value->text, "3*y + 1");
  CheckText(SoretNodeFind(SoretNodeFind(root, "output"), "file")->text, "c=d.h5");
  Check(SoretNodeFind(SoretNodeFind(root, "sweep"), "values")->size == 2);
  CheckText(SoretNodeFind(root, "title")->text, "a: b");
  PetscCall(Close(&in, ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestOverrideMistakes(void)
{
  static const char *const bad[] = {"a", "=3", "a=", "a..b=2", "species.B.initial=2", "species.a2.initial=2", "species.2.initial=2", "totals.0.mean=1", "sweep.0.a=1", "units.a=1", "a=[1", "species.A.initial=q"};
  SoretInput               in;
  SoretExpr                expr;

  PetscFunctionBeginUser;
  PetscCall(Open(overridden, &in));
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) PetscCall(SoretInputOverride(in, bad[i]));
  PetscCall(SoretInputReadFormula(in, SoretNodeFind(SoretNodeFind(SoretInputRoot(in), "species")->item[0], "initial"), "mol/m^3", SORET_VAR_SPACE, &expr));
  Check(!expr);
  PetscCall(SoretInputError(in, SoretNodeFind(SoretInputRoot(in), "units"), "of the file"));
  PetscCall(Close(&in, "case.yaml:1:8: of the file\n"
                       "  1 | units: SI\n"
                       "    |        ^\n"
                       "command line: a: no '='; expected key.path=value\n"
                       "command line: =3: no key before '='; expected key.path=value\n"
                       "command line: a=: no value behind '='; expected key.path=value\n"
                       "command line: a..b=2: a key is missing beside a '.'\n"
                       "command line: species.B.initial=2: species has no entry 'B' (A, A2)\n"
                       "command line: species.a2.initial=2: species has no entry 'a2' (A, A2); did you mean 'A2'?\n"
                       "command line: species.2.initial=2: species has no entry '2'; entries are numbered from 0 to 1\n"
                       "command line: totals.0.mean=1: totals has no entry '0'; it is empty\n"
                       "command line: sweep.0.a=1: there is no list 'sweep', and so no entry 0 of it\n"
                       "command line: units.a=1: 'units' is the value 'SI' and has no entry 'a'\n"
                       "command line: a=[1: YAML: did not find expected ',' or ']' while parsing a flow sequence\n"
                       "  a text with ': ', ' #', ',' or brackets in it needs quotes\n"
                       "command line: species.A.initial=q: formula of initial: unknown name 'q'\n"
                       "13 errors in case.yaml; nothing was run.\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the reference, files, ranks ---- */

static PetscErrorCode TestReference(void)
{
  char  *printed = NULL;
  size_t size;
  FILE  *out = open_memstream(&printed, &size);

  PetscFunctionBeginUser;
  PetscCall(SoretKeysPrint(out, "`species[]`", thing_keys));
  fclose(out);
  CheckText(printed, "### `species[]`\n\n"
                     "| key | value | unit | default | meaning |\n"
                     "| --- | --- | --- | --- | --- |\n"
                     "| `name` | name |  | required | name used in reactions |\n"
                     "| `diffusivity` | number, at least 0 | m^2/s | `1e-9` | D, not \\|D\\| |\n"
                     "| `initial` | formula of x, y, z, at least 0 | mol/m^3 | | initial |\n"
                     "| `count` | whole number, between 1 and 1e+07 |  | `3` | cells |\n"
                     "| `flag` | true or false |  | `yes` | flag |\n"
                     "| `mode` | `steady`, `transient` |  | `steady` | mode |\n"
                     "| `size` | list of numbers, positive | m | `[1, 2]` | size |\n"
                     "| `file` | text |  | | file |\n"
                     "| `T` | number, between 200 and 400 | K | | T |\n"
                     "| `node` | a node |  | | node |\n"
                     "| `custom` | a word |  | `four` | custom |\n\n");
  free(printed);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestPaths(void)
{
  SoretInput in;
  char       path[32];

  PetscFunctionBeginUser;
  PetscCall(SoretInputCreate("cases/a.yaml", "a: 1", 4, &in));
  PetscCall(SoretInputResolve(in, "f.h5", sizeof(path), path));
  CheckText(path, "cases/f.h5");
  PetscCall(SoretInputResolve(in, "/data/f.h5", sizeof(path), path));
  CheckText(path, "/data/f.h5");
  PetscCall(SoretInputDestroy(&in));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Every rank has the bytes that rank 0 has read, also of a file of many blocks; and every rank knows that there is none. */
static PetscErrorCode TestFile(void)
{
  static const char head[] = "a: \"";
  char              path[64], *text;
  size_t            length;
  PetscMPIInt       rank;
  PetscErrorCode    ierr;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  snprintf(path, sizeof(path), "test_input_%d.yaml", (int)getpid());
  PetscCallMPI(MPI_Bcast(path, sizeof(path), MPI_CHAR, 0, PETSC_COMM_WORLD));
  if (!rank) {
    FILE *file = fopen(path, "w");

    Check(file);
    if (file) {
      fputs(head, file);
      for (int i = 0; i < 300000; i++) fputc('a' + i % 26, file);
      fputc('"', file);
      fclose(file);
    }
  }
  PetscCall(SoretInputReadFile(PETSC_COMM_WORLD, path, &text, &length));
  Check(length == 300005 && text[300005] == 0 && text[300004] == '"' && text[4] == 'a' && text[5] == 'b');
  PetscCall(PetscFree(text));
  if (!rank) remove(path);

  if (!rank) fprintf(stderr, "three messages about files that cannot be read are part of this test:\n");
  ierr = SoretInputReadFile(PETSC_COMM_WORLD, path, &text, &length);
  Check((int)ierr == SORET_ERR_INPUT && !text && !length);
  ierr = SoretInputReadFile(PETSC_COMM_WORLD, ".", &text, &length);
  Check((int)ierr == SORET_ERR_INPUT && !text && !length);
  ierr = SoretInputReadFile(PETSC_COMM_WORLD, "/dev/zero", &text, &length);
  Check((int)ierr == SORET_ERR_INPUT && !text && !length);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestCheck(void)
{
  SoretInput     in;
  PetscMPIInt    rank;
  PetscErrorCode ierr;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(Open("a: 1", &in));
  PetscCall(SoretInputCheck(in, PETSC_COMM_WORLD));
  if (!rank) fprintf(stderr, "one message about case.yaml is part of this test:\n");
  PetscCall(SoretInputError(in, SoretInputRoot(in), "wrong on purpose"));
  ierr = SoretInputCheck(in, PETSC_COMM_WORLD);
  Check((int)ierr == SORET_ERR_INPUT);
  PetscCall(SoretInputDestroy(&in));
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestMap, TestDefaults, TestMessages, TestRanges, TestNumbers, TestUnits, TestWrongUnits, TestIntegers, TestNames, TestYamlMistakes, TestAliasBomb, TestAliases, TestShown, TestManyMistakes, TestOverrides, TestOverrideMistakes, TestReference, TestPaths, TestFile, TestCheck)
