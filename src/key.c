/* SPDX-License-Identifier: BSD-2-Clause

   Values of the case file, and the key tables that read and document maps. */
#include "input_private.h"
#include "soret/units.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum {
  LONGEST_LIST = 400, /* characters of a list of names in a message */
  MOST_CHOICES = 32,
  MOST_KEYS    = 64,
  MOST_NEAREST = 1000 /* unknown keys for which the nearest one is looked for */
};

typedef enum {
  VALUE_NUMBER, /* also a quantity, converted */
  VALUE_FORMULA,
  VALUE_BAD     /* reported */
} ValueKind;

/* ---- texts for messages ---- */

/* What a node is, to follow "found". */
static const char *Found(const SoretNode *node, size_t size, char text[])
{
  if (node->kind == SORET_NODE_LIST) return "a list";
  if (node->kind == SORET_NODE_MAP) return "a map";
  if (SoretNodeIsNull(node)) return "nothing";
  snprintf(text, size, strlen(node->text) < size - 8 ? "'%s'" : "'%.40s...'", node->text);
  return text;
}

static PetscErrorCode ReportKind(SoretInput in, const SoretNode *node, const SoretKey *key, const char *expected)
{
  char found[120];

  PetscFunctionBeginUser;
  PetscCall(SoretInputError(in, node, "'%s' must be %s, found %s", key->key, expected, Found(node, sizeof(found), found)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* "a, b, c" of names; what does not fit becomes "..." */
static void JoinNames(PetscInt n, const char *const names[], size_t size, char text[])
{
  size_t used = 0;

  *text = 0;
  for (PetscInt i = 0; i < n; i++) {
    if (used + strlen(names[i]) + 8 > size) {
      snprintf(text + used, size - used, ", ...");
      return;
    }
    used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", names[i]);
  }
}

static PetscBool IsPure(const char *unit)
{
  return !unit || !*unit || !strcmp(unit, "1") ? PETSC_TRUE : PETSC_FALSE;
}

/* ---- numbers, quantities, formulas ---- */

/* Where the unit of a quantity begins: a number, blanks and then no operator. NULL where the text is no quantity. */
static const char *FindUnit(const char *text)
{
  const size_t length = SoretScanSignedNumber(text), blanks = length ? strspn(text + length, " \t") : 0;
  const char  *rest = text + length + blanks;

  if (!blanks || !*rest || strchr("+-*/^<>=!&|?:,)(", *rest)) return NULL;
  return rest;
}

/* The end of a line is left out, which may stand behind texts in quotes and blocks. */
static void CopyTrimmed(const char *text, size_t size, char out[])
{
  size_t length = strlen(text);

  while (length && isspace((unsigned char)text[length - 1])) length--;
  snprintf(out, size, "%.*s", (int)PetscMin(length, size - 1), text);
}

/* Tells the node in which unit it was read; the text of that may be gone before the node. */
static PetscErrorCode KeepUnit(SoretInput in, const SoretNode *node, const char *unit)
{
  const size_t prefix = strlen(SORET_UNIT_DIFFERENCE);
  char        *copy;

  PetscFunctionBeginUser;
  if (in->reduced || IsPure(unit) || !strcmp(unit, "*")) PetscFunctionReturn(PETSC_SUCCESS);
  if (!strncmp(unit, SORET_UNIT_DIFFERENCE, prefix)) unit += prefix;
  PetscCall(SoretInputCopyText(in, unit, strlen(unit), &copy));
  ((SoretNode *)node)->unit = copy;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A unit that is one for each particle, where chemists ask for one for each mole; and a coulomb that is a degree. */
static PetscErrorCode HintUnit(SoretInput in, const char *text, const char *unit)
{
  char            other[2][140];
  PetscReal       value;
  SoretUnitStatus status;

  PetscFunctionBeginUser;
  if (!strcmp(text, "C") && !strcmp(unit, "K")) PetscCall(SoretInputHint(in, "degrees Celsius are degC"));
  (void)snprintf(other[0], sizeof(other[0]), "%s/molecule", text);
  (void)snprintf(other[1], sizeof(other[1]), "molecule%s%s", !strncmp(text, "1/", 2) ? "" : " ", !strncmp(text, "1/", 2) ? text + 1 : text);
  for (int k = 0; k < 2; k++) {
    PetscCall(SoretUnitConvert(1.0, other[k], &unit, &value, &status));
    if (status == SORET_UNIT_GOOD) PetscCall(SoretInputHint(in, "for each particle that is '%s'", other[k]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadQuantity(SoretInput in, const SoretNode *node, const char *label, const char *unit, PetscReal number, const char *given, PetscReal *value, ValueKind *kind)
{
  const char     *base = IsPure(unit) ? "1" : unit;
  SoretUnitStatus status;
  char            text[120];

  PetscFunctionBeginUser;
  *kind = VALUE_BAD;
  CopyTrimmed(given, sizeof(text), text);
  if (in->reduced) {
    PetscCall(SoretInputError(in, node, "'%s' has a unit, but 'units: reduced' takes plain numbers", node->text));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretUnitConvert(number, text, &base, value, &status));
  switch (status) {
  case SORET_UNIT_GOOD:
    *kind = VALUE_NUMBER;
    PetscCall(KeepUnit(in, node, base));
    break;
  case SORET_UNIT_OVERFLOW:
    PetscCall(SoretInputError(in, node, "'%s' is not finite in its base unit", node->text));
    break;
  default:
    if (!IsPure(unit) && !strcmp(unit, "*")) PetscCall(SoretInputError(in, node, "'%s' is not a unit that soret computes with", text));
    else if (IsPure(unit)) PetscCall(SoretInputError(in, node, "'%s' is not a unit of %s; expected a number without unit", text, label));
    else if (status == SORET_UNIT_WRONG) {
      PetscCall(SoretInputError(in, node, "'%s' is not a unit of %s; expected %s", text, label, unit));
      PetscCall(HintUnit(in, text, unit));
    }
    else PetscCall(SoretInputError(in, node, "'%s' is not a unit; expected %s%s", text, unit, strpbrk(text, "+*") ? ". Numbers in a formula are in base units; a quantity enters it as a parameter" : ""));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Tells the three kinds of values apart, and reads the first two. */
static PetscErrorCode ReadNumber(SoretInput in, const SoretNode *node, const char *label, const char *expected, const char *unit, PetscReal *value, ValueKind *kind)
{
  const char *start, *given;
  char        found[120];
  size_t      length;
  PetscReal   number;

  PetscFunctionBeginUser;
  *value = 0.0;
  *kind  = VALUE_BAD;
  if (node->kind != SORET_NODE_SCALAR || SoretNodeIsNull(node)) {
    PetscCall(SoretInputError(in, node, "'%s' must be %s, found %s", label, expected, Found(node, sizeof(found), found)));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(KeepUnit(in, node, unit));
  start  = node->text + strspn(node->text, " \t\n");
  length = SoretScanSignedNumber(start);
  given  = FindUnit(start);
  if (!length || (start[length + strspn(start + length, " \t\n")] && !given)) {
    *kind = VALUE_FORMULA;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  number = strtod(start, NULL);
  if (!isfinite(number)) {
    PetscCall(SoretInputError(in, node, "'%s' must be a finite number, found %s", label, Found(node, sizeof(found), found)));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (given) {
    PetscCall(ReadQuantity(in, node, label, unit, number, given, value, kind));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  *value = number;
  *kind  = VALUE_NUMBER;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* `1e6 /M/s` is a quantity in the unit 1/M/s where it is no formula, as `1 /T` is; *kind stays VALUE_FORMULA where it is neither. */
static PetscErrorCode ReadReciprocal(SoretInput in, const SoretNode *node, const char *label, const char *unit, PetscReal *value, ValueKind *kind)
{
  const char     *start  = node->text + strspn(node->text, " \t\n");
  const size_t    length = SoretScanSignedNumber(start), blanks = strspn(start + length, " \t");
  const PetscReal number = strtod(start, NULL);
  const char     *any = "*";
  char            given[120] = "1";
  SoretUnitStatus status;

  PetscFunctionBeginUser;
  *kind = VALUE_FORMULA;
  if (in->reduced || !length || !blanks || start[length + blanks] != '/' || !isfinite(number)) PetscFunctionReturn(PETSC_SUCCESS);
  CopyTrimmed(start + length + blanks, sizeof(given) - 1, given + 1);
  PetscCall(SoretUnitConvert(1.0, given, &any, value, &status));
  if (status != SORET_UNIT_UNKNOWN) PetscCall(ReadQuantity(in, node, label, unit, number, given, value, kind));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Number, quantity or formula; NULL after a mistake. */
static PetscErrorCode ReadExpr(SoretInput in, const SoretNode *node, const char *label, const char *expected, const char *unit, unsigned allowed, SoretExpr *expr)
{
  PetscReal      value;
  ValueKind      kind;
  SoretExprError error;

  PetscFunctionBeginUser;
  *expr = NULL;
  PetscCall(ReadNumber(in, node, label, expected, unit, &value, &kind));
  if (kind == VALUE_NUMBER) PetscCall(SoretExprCreateConstant(value, expr));
  if (kind == VALUE_FORMULA) {
    PetscCall(SoretExprCreate(node->text, in->num_constants, in->constants, allowed, expr, &error));
    if (*expr) PetscFunctionReturn(PETSC_SUCCESS);
    PetscCall(ReadReciprocal(in, node, label, unit, &value, &kind));
    if (kind == VALUE_NUMBER) PetscCall(SoretExprCreateConstant(value, expr));
    if (kind == VALUE_FORMULA) PetscCall(SoretInputErrorAt(in, node, error.position, "formula of %s: %s", label, error.what));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputReadFormula(SoretInput in, const SoretNode *node, const char *unit, unsigned allowed, SoretExpr *expr)
{
  PetscFunctionBeginUser;
  PetscCall(ReadExpr(in, node, *node->label ? node->label : "value", "a number or a formula", unit, allowed, expr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- ranges ---- */

static PetscBool HasRange(const SoretKey *key)
{
  return (key->min == 0.0 && key->max == 0.0) || (key->min <= -PETSC_MAX_REAL && key->max >= PETSC_MAX_REAL) ? PETSC_FALSE : PETSC_TRUE;
}

static void DescribeRange(SoretInput in, const SoretKey *key, size_t size, char text[])
{
  const PetscBool shown = in && !in->reduced && !IsPure(key->unit) ? PETSC_TRUE : PETSC_FALSE;
  const char     *blank = shown ? " " : "", *unit = shown ? key->unit : "";

  *text = 0;
  if (!HasRange(key)) return;
  if (key->min == key->max) snprintf(text, size, "%g%s%s", key->min, blank, unit);
  else if (key->max < PETSC_MAX_REAL && key->min <= -PETSC_MAX_REAL) snprintf(text, size, "at most %g%s%s", key->max, blank, unit);
  else if (key->max < PETSC_MAX_REAL) snprintf(text, size, "between %g and %g%s%s", key->min, key->max, blank, unit);
  else if (key->min == DBL_MIN) snprintf(text, size, "positive");
  else if (key->min == 0.0) snprintf(text, size, "at least 0");
  else snprintf(text, size, "at least %g%s%s", key->min, blank, unit);
}

static PetscErrorCode CheckRange(SoretInput in, const SoretNode *node, const SoretKey *key, PetscReal value, PetscBool *ok)
{
  char range[160], found[120];

  PetscFunctionBeginUser;
  *ok = PETSC_TRUE;
  if (!HasRange(key) || (value >= key->min && value <= key->max)) PetscFunctionReturn(PETSC_SUCCESS);
  *ok = PETSC_FALSE;
  DescribeRange(in, key, sizeof(range), range);
  Found(node, sizeof(found), found);
  /* what is written and what it means are both told where they differ */
  if (SoretScanSignedNumber(node->text) == strlen(node->text)) PetscCall(SoretInputError(in, node, "'%s' must be %s, found %s", key->key, range, node->text));
  else PetscCall(SoretInputError(in, node, "'%s' must be %s, found %s = %g%s%s", key->key, range, found, value, in->reduced || IsPure(key->unit) || !strcmp(key->unit, "*") ? "" : " ", in->reduced || IsPure(key->unit) || !strcmp(key->unit, "*") ? "" : key->unit));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- one value of each kind ---- */

static PetscErrorCode ReadReal(SoretInput in, const SoretNode *node, const SoretKey *key, const char *expected, PetscReal *value, PetscBool *ok)
{
  SoretExpr expr;

  PetscFunctionBeginUser;
  *ok = PETSC_FALSE;
  PetscCall(ReadExpr(in, node, key->key, expected, key->unit, SORET_VAR_NONE, &expr));
  if (!expr) PetscFunctionReturn(PETSC_SUCCESS);
  *value = SoretExprEvaluate(expr, NULL);
  PetscCall(SoretExprDestroy(&expr));
  PetscCall(CheckRange(in, node, key, *value, ok));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadInt(SoretInput in, const SoretNode *node, const SoretKey *key, PetscInt *dest, PetscBool *ok)
{
  PetscReal value;

  PetscFunctionBeginUser;
  PetscCall(ReadReal(in, node, key, "a whole number", &value, ok));
  if (!*ok) PetscFunctionReturn(PETSC_SUCCESS);
  *ok = PETSC_FALSE;
  if (value != floor(value)) PetscCall(ReportKind(in, node, key, "a whole number"));
  else if (!(PetscAbsReal(value) < (PetscReal)PETSC_MAX_INT + 1.0)) PetscCall(SoretInputError(in, node, "'%s' must be at most %" PetscInt_FMT " in this build, found %s", key->key, PETSC_MAX_INT, node->text));
  else {
    *dest = (PetscInt)value;
    *ok   = PETSC_TRUE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscBool SoretNodeIsTruth(const SoretNode *node, PetscBool *value)
{
  static const char *const words[2][11] = {
    {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"},
    {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"}
  };

  for (int truth = 0; truth < 2 && node->kind == SORET_NODE_SCALAR; truth++) {
    for (int i = 0; i < 11; i++) {
      if (strcmp(node->text, words[truth][i])) continue;
      *value = truth ? PETSC_TRUE : PETSC_FALSE;
      return PETSC_TRUE;
    }
  }
  return PETSC_FALSE;
}

static PetscErrorCode ReadBool(SoretInput in, const SoretNode *node, const SoretKey *key, PetscBool *dest, PetscBool *ok)
{
  PetscFunctionBeginUser;
  *ok = SoretNodeIsTruth(node, dest);
  if (!*ok) PetscCall(ReportKind(in, node, key, "true or false"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadName(SoretInput in, const SoretNode *node, const SoretKey *key, char *dest, PetscBool *ok)
{
  PetscFunctionBeginUser;
  *ok = PETSC_FALSE;
  if (node->kind != SORET_NODE_SCALAR || !*node->text) PetscCall(ReportKind(in, node, key, "a name"));
  else if (strlen(node->text) >= SORET_NAME_LENGTH) PetscCall(SoretInputError(in, node, "'%s' has more than %d letters", key->key, SORET_NAME_LENGTH - 1));
  else if (!SoretIsName(node->text)) PetscCall(SoretInputError(in, node, "'%s' is not a name: letters, digits and _ + - ( ) *, not starting with a digit", node->text));
  else {
    PetscCall(PetscStrncpy(dest, node->text, SORET_NAME_LENGTH));
    *ok = PETSC_TRUE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Cuts "a|b|c" into words, in place. */
static PetscInt SplitChoices(const char *choices, size_t size, char copy[], const char *words[])
{
  PetscInt n = 0;

  snprintf(copy, size, "%s", choices);
  for (char *word = copy; word && n < MOST_CHOICES;) {
    char *bar = strchr(word, '|');

    words[n++] = word;
    if (bar) *bar++ = 0;
    word = bar;
  }
  return n;
}

static PetscErrorCode ReadChoice(SoretInput in, const SoretNode *node, const SoretKey *key, int *dest, PetscBool *ok)
{
  char        copy[LONGEST_LIST], list[LONGEST_LIST];
  const char *words[MOST_CHOICES];
  PetscInt    n = SplitChoices(key->choices, sizeof(copy), copy, words);

  PetscFunctionBeginUser;
  *ok = PETSC_FALSE;
  for (PetscInt i = 0; i < n && node->kind == SORET_NODE_SCALAR; i++) {
    if (strcmp(node->text, words[i])) continue;
    *dest = (int)i;
    *ok   = PETSC_TRUE;
  }
  if (*ok) PetscFunctionReturn(PETSC_SUCCESS);
  JoinNames(n, words, sizeof(list), list);
  if (node->kind != SORET_NODE_SCALAR || SoretNodeIsNull(node)) PetscCall(ReportKind(in, node, key, "one of the words below"));
  else PetscCall(SoretInputError(in, node, "unknown %s '%s'%s", key->key, node->text, SoretSuggest(node->text, n, words).text));
  PetscCall(SoretInputHint(in, "one of: %s", list));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadFormula(SoretInput in, const SoretNode *node, const SoretKey *key, SoretExpr *dest, PetscBool *ok)
{
  PetscFunctionBeginUser;
  PetscCall(ReadExpr(in, node, key->key, "a number or a formula", key->unit, key->allowed, dest));
  *ok = *dest ? PETSC_TRUE : PETSC_FALSE;
  if (*ok && !SoretExprUses(*dest)) PetscCall(CheckRange(in, node, key, SoretExprEvaluate(*dest, NULL), ok));
  if (!*ok) PetscCall(SoretExprDestroy(dest));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadReals(SoretInput in, const SoretNode *node, const SoretKey *key, SoretReals *dest, PetscBool *ok)
{
  const PetscBool list = node->kind == SORET_NODE_LIST ? PETSC_TRUE : PETSC_FALSE;
  const PetscInt  n    = list ? node->size : 1;
  PetscReal      *value;

  PetscFunctionBeginUser;
  *ok = PETSC_TRUE;
  PetscCall(SoretInputAllocate(in, (size_t)n * sizeof(*value), &value));
  for (PetscInt i = 0; i < n; i++) {
    PetscBool good;

    PetscCall(ReadReal(in, list ? node->item[i] : node, key, list ? "a list of numbers" : "a number or a list of numbers", &value[i], &good));
    if (!good) *ok = PETSC_FALSE;
  }
  *dest = *ok ? (SoretReals){.n = n, .value = value} : (SoretReals){.n = 0};
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputKeepReals(SoretInput in, PetscInt n, const PetscReal value[], SoretReals *list)
{
  PetscFunctionBeginUser;
  *list = (SoretReals){.n = n};
  PetscCall(SoretInputAllocate(in, (size_t)n * sizeof(*value), &list->value));
  PetscCall(PetscArraycpy(list->value, value, n));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadString(SoretInput in, const SoretNode *node, const SoretKey *key, char **dest, PetscBool *ok)
{
  PetscFunctionBeginUser;
  *ok = node->kind == SORET_NODE_SCALAR && !SoretNodeIsNull(node) ? PETSC_TRUE : PETSC_FALSE;
  if (*ok) PetscCall(SoretInputCopyText(in, node->text, strlen(node->text), dest));
  else PetscCall(ReportKind(in, node, key, "a text"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputReadValue(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest, PetscBool *ok)
{
  const PetscInt errors = in->num_errors;

  PetscFunctionBeginUser;
  *ok = PETSC_TRUE;
  switch (key->kind) {
  case SORET_REAL:
    PetscCall(ReadReal(in, node, key, "a number", dest, ok));
    break;
  case SORET_INT:
    PetscCall(ReadInt(in, node, key, dest, ok));
    break;
  case SORET_BOOL:
    PetscCall(ReadBool(in, node, key, dest, ok));
    break;
  case SORET_NAME:
    PetscCall(ReadName(in, node, key, dest, ok));
    break;
  case SORET_STRING:
    PetscCall(ReadString(in, node, key, dest, ok));
    break;
  case SORET_CHOICE:
    PetscCall(ReadChoice(in, node, key, dest, ok));
    break;
  case SORET_FORMULA:
    PetscCall(ReadFormula(in, node, key, dest, ok));
    break;
  case SORET_REALS:
    PetscCall(ReadReals(in, node, key, dest, ok));
    break;
  case SORET_NODE:
    *(const SoretNode **)dest = node;
    break;
  case SORET_CUSTOM:
    PetscCall(key->parse(in, node, key, dest));
    *ok = in->num_errors == errors ? PETSC_TRUE : PETSC_FALSE;
    break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- maps ---- */

/* A number that a wrong or missing required one is replaced by, so that reading can go on. */
static PetscReal Substitute(const SoretKey *key)
{
  if (!HasRange(key) || (key->min <= 1.0 && key->max >= 1.0)) return 1.0;
  return key->min > -PETSC_MAX_REAL ? key->min : key->max;
}

static void SetBlank(const SoretKey *key, void *dest)
{
  const PetscReal number = key->absent == SORET_OPTIONAL ? 0.0 : Substitute(key);

  switch (key->kind) {
  case SORET_REAL:
    *(PetscReal *)dest = number;
    break;
  case SORET_INT:
    *(PetscInt *)dest = (PetscInt)number;
    break;
  case SORET_BOOL:
    *(PetscBool *)dest = PETSC_FALSE;
    break;
  case SORET_NAME:
    *(char *)dest = 0;
    break;
  case SORET_STRING:
    *(char **)dest = NULL;
    break;
  case SORET_CHOICE:
    *(int *)dest = 0;
    break;
  case SORET_FORMULA:
    *(SoretExpr *)dest = NULL;
    break;
  case SORET_REALS:
    *(SoretReals *)dest = (SoretReals){.n = 0};
    break;
  case SORET_NODE:
    *(const SoretNode **)dest = NULL;
    break;
  case SORET_CUSTOM:
    break;
  }
}

/* The default of a key, at the place of its map. */
static PetscErrorCode ReadDefault(SoretInput in, const SoretNode *map, const SoretKey *key, void *dest)
{
  SoretNode *node;
  PetscBool  ok;

  PetscFunctionBeginUser;
  if (*key->absent == '[' || *key->absent == '{') PetscCall(SoretTreeRead(in, key->absent, strlen(key->absent), NO_OVERRIDE, map, &node));
  else PetscCall(SoretTreeScalar(in, key->absent, key->key, map, &node));
  if (node) PetscCall(SoretInputReadValue(in, node, key, dest, &ok));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadRow(SoretInput in, const SoretNode *map, const SoretNode *value, const char *what, const SoretKey *key, void *dest)
{
  const PetscBool has_default = key->absent != SORET_REQUIRED && key->absent != SORET_OPTIONAL ? PETSC_TRUE : PETSC_FALSE;
  PetscBool       ok          = PETSC_FALSE;

  PetscFunctionBeginUser;
  SetBlank(key, dest);
  if (value) PetscCall(SoretInputReadValue(in, value, key, dest, &ok));
  else if (key->absent == SORET_REQUIRED) {
    PetscCall(SoretInputError(in, map, "missing key '%s' in %s", key->key, what));
    if (key->meaning && *key->meaning) PetscCall(SoretInputHint(in, "%s: %s", key->key, key->meaning));
  }
  if (!ok) SetBlank(key, dest);
  /* a wrong value of a custom kind was reported, and its parser has left what it could */
  if (!ok && has_default && !(value && key->kind == SORET_CUSTOM)) PetscCall(ReadDefault(in, map, key, dest));
  if (key->kind == SORET_REAL && key->absent == SORET_OPTIONAL) ((SoretOptional *)dest)->given = ok;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReportUnknownKeys(SoretInput in, const SoretNode *map, const char *what, PetscInt n, const char *const known[])
{
  char list[LONGEST_LIST];

  PetscFunctionBeginUser;
  JoinNames(n, known, sizeof(list), list);
  for (PetscInt i = 0; i < map->size; i++) {
    const char *name = map->key[i]->text;
    PetscInt    k    = 0;

    while (k < n && strcmp(name, known[k])) k++;
    if (k < n) continue;
    PetscCall(SoretInputError(in, map->key[i], "unknown key '%s' in %s%s", name, what, SoretSuggest(name, in->num_errors < MOST_NEAREST ? n : 0, known).text)); /* slow, and no longer printed */
    if (map == in->root && SoretNodeFind(SoretNodeFind(map, "parameters"), name)) PetscCall(SoretInputHint(in, "the path of the parameter is 'parameters.%s'", name));
    else PetscCall(SoretInputHint(in, "known keys: %s", list));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputReadMap(SoretInput in, const SoretNode *node, const SoretNode *parent, const char *what, const SoretKey keys[], void *dest)
{
  const SoretNode *place = node ? node : parent ? parent : in->root;
  const char      *known[MOST_KEYS];
  PetscInt         n     = 0;
  PetscBool        wrong = node && node->kind != SORET_NODE_MAP && !SoretNodeIsNull(node) ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBeginUser;
  for (; keys[n].key; n++) {
    PetscCheck(n < MOST_KEYS, PETSC_COMM_SELF, PETSC_ERR_PLIB, "A key table of more than %d rows", MOST_KEYS);
    known[n] = keys[n].key;
  }
  if (wrong) {
    char found[120], list[LONGEST_LIST];

    JoinNames(n, known, sizeof(list), list);
    PetscCall(SoretInputError(in, node, "%s must be a map of keys, found %s", what, Found(node, sizeof(found), found)));
    PetscCall(SoretInputHint(in, "known keys: %s", list));
  } else if (node && node->kind == SORET_NODE_MAP) PetscCall(ReportUnknownKeys(in, node, what, n, known));
  for (PetscInt i = 0; i < n; i++) {
    void *const to = (char *)dest + keys[i].offset;

    if (wrong && keys[i].absent == SORET_REQUIRED) SetBlank(&keys[i], to); /* what the map lacks is known once it is one */
    else PetscCall(ReadRow(in, place, SoretNodeFind(node, keys[i].key), what, &keys[i], to));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretInputEntries(SoretInput in, const SoretNode *node, SoretNodeKind kind, const char *expected, PetscInt *num)
{
  PetscFunctionBeginUser;
  *num = node && node->kind == kind ? node->size : 0;
  if (node && node->kind != kind && !SoretNodeIsNull(node)) PetscCall(SoretInputError(in, node, "%s", expected));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- reference ---- */

static void PrintEscaped(FILE *out, const char *text)
{
  for (; *text; text++) {
    if (*text == '|') fputc('\\', out);
    fputc(*text == '\n' ? ' ' : *text, out);
  }
}

static void PrintChoices(FILE *out, const char *choices)
{
  char        copy[LONGEST_LIST];
  const char *words[MOST_CHOICES];
  PetscInt    n = SplitChoices(choices, sizeof(copy), copy, words);

  for (PetscInt i = 0; i < n; i++) fprintf(out, "%s`%s`", i ? ", " : "", words[i]);
}

static void PrintVariables(FILE *out, unsigned allowed)
{
  static const char *const names[] = {"x", "y", "z", "t", "T"};
  const char              *used[5];
  PetscInt                 n = 0;
  char                     list[32];

  for (int i = 0; i < 5; i++)
    if (allowed & 1u << i) used[n++] = names[i];
  JoinNames(n, used, sizeof(list), list);
  fprintf(out, n ? "formula of %s" : "formula of parameters", list);
}

static void PrintKind(FILE *out, const SoretKey *key)
{
  static const char *const kinds[] = {[SORET_REAL] = "number", [SORET_INT] = "whole number", [SORET_BOOL] = "true or false", [SORET_NAME] = "name", [SORET_STRING] = "text", [SORET_REALS] = "list of numbers"};
  char                     range[160];

  if (key->syntax) PrintEscaped(out, key->syntax);
  else if (key->kind == SORET_CHOICE) PrintChoices(out, key->choices);
  else if (key->kind == SORET_FORMULA) PrintVariables(out, key->allowed);
  else if (key->kind == SORET_NODE || key->kind == SORET_CUSTOM) fputs("see below", out);
  else fputs(kinds[key->kind], out);
  if (key->kind != SORET_REAL && key->kind != SORET_INT && key->kind != SORET_FORMULA && key->kind != SORET_REALS) return;
  DescribeRange(NULL, key, sizeof(range), range);
  if (*range) fprintf(out, ", %s", range);
}

PetscErrorCode SoretKeysPrint(FILE *out, const char *heading, const SoretKey keys[])
{
  PetscFunctionBeginUser;
  fprintf(out, "### %s\n\n| key | value | unit | default | meaning |\n| --- | --- | --- | --- | --- |\n", heading);
  for (const SoretKey *key = keys; key->key; key++) {
    fprintf(out, "| `%s` | ", key->key);
    PrintKind(out, key);
    fputs(" | ", out);
    PrintEscaped(out, IsPure(key->unit) ? "" : key->unit);
    if (key->absent == SORET_REQUIRED) fputs(" | required | ", out);
    else if (key->absent == SORET_OPTIONAL) fputs(" | | ", out);
    else {
      fputs(" | `", out);
      PrintEscaped(out, key->absent);
      fputs("` | ", out);
    }
    PrintEscaped(out, key->meaning ? key->meaning : "");
    fputs(" |\n", out);
  }
  fputc('\n', out);
  PetscFunctionReturn(PETSC_SUCCESS);
}
