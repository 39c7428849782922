/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/law.h"

#include <math.h>
#include <stddef.h>

#include "soret/rowmath.h"

typedef struct LawType LawType;

struct SoretLaw_s {
  const LawType   *type;
  const SoretNode *node;
  unsigned         uses;
  PetscReal        boltzmann, gas; /* k_B and R of the unit system */
  SoretExpr        formula;        /* formula                                    */
  PetscReal        mobility;       /* einstein                                   */
  PetscReal        radius;         /* stokes_einstein                            */
  SoretExpr        viscosity;      /*   of T, NULL for water                     */
  PetscReal        prefactor, exponent, activation; /* arrhenius                 */
  PetscReal        value, reference;                /* power                     */
  SoretReals       table_T, table_value;            /* table; copied, owned      */
};

struct LawType {
  const char     *name;
  const char     *meaning;
  PetscBool       diffusivity; /* only for diffusivities */
  const SoretKey *keys;
  PetscErrorCode (*finish)(SoretInput in, const SoretNode *node, SoretLaw law); /* checks across keys; may be NULL */
  PetscReal (*value)(const struct SoretLaw_s *law, const SoretPoint *point);
  PetscReal (*slope)(const struct SoretLaw_s *law, const SoretPoint *point);
  void (*row)(const struct SoretLaw_s *law, PetscInt n, const PetscReal T[], PetscReal out[]); /* of points; NULL: value() of each */
};

/* ---- viscosity of water ---- */

static const PetscReal water_a[] = {280.68, 511.45, 61.131, 0.45903}, water_b[] = {-1.9, -7.7, -19.6, -40.0};

PetscReal SoretWaterViscosity(PetscReal T)
{
  PetscReal sum = 0.0;

  for (int i = 0; i < 4; i++) sum += water_a[i] * pow(T / 300.0, water_b[i]);
  return 1.0e-6 * sum;
}

static PetscReal WaterViscositySlope(PetscReal T)
{
  PetscReal sum = 0.0;

  for (int i = 0; i < 4; i++) sum += water_a[i] * water_b[i] * pow(T / 300.0, water_b[i] - 1.0) / 300.0;
  return 1.0e-6 * sum;
}

/* Fourth-order central difference in T. The step balances truncation against rounding of the formula. */
static PetscReal ExprSlope(SoretExpr expr, const SoretPoint *point)
{
  SoretPoint      p = *point;
  const PetscReal h = 1.0e-3 * PetscMax(PetscAbsReal(point->T), 1.0e-3);
  PetscReal       v[4];

  if (!(SoretExprUses(expr) & SORET_VAR_TEMPERATURE)) return 0.0;
  for (int i = 0; i < 4; i++) {
    static const PetscReal offset[] = {-2.0, -1.0, 1.0, 2.0};

    p.T  = point->T + offset[i] * h;
    v[i] = SoretExprEvaluate(expr, &p);
  }
  return (v[0] - 8.0 * v[1] + 8.0 * v[2] - v[3]) / (12.0 * h);
}

/* ---- the laws ---- */

static PetscReal FormulaValue(const struct SoretLaw_s *law, const SoretPoint *p)
{
  return SoretExprEvaluate(law->formula, p);
}

static PetscReal FormulaSlope(const struct SoretLaw_s *law, const SoretPoint *p)
{
  return ExprSlope(law->formula, p);
}

/* Of a law that is written for rows: a row of one. */
static PetscReal RowValue(const struct SoretLaw_s *law, const SoretPoint *p)
{
  PetscReal value;

  law->type->row(law, 1, &p->T, &value);
  return value;
}

static void EinsteinRow(const struct SoretLaw_s *law, PetscInt n, const PetscReal *restrict T, PetscReal *restrict out)
{
  const PetscReal per_T = law->mobility * law->boltzmann;

  for (PetscInt i = 0; i < n; i++) out[i] = per_T * T[i];
}

static PetscReal EinsteinSlope(const struct SoretLaw_s *law, const SoretPoint *p)
{
  return law->mobility * law->boltzmann;
}

static PetscReal Viscosity(const struct SoretLaw_s *law, const SoretPoint *p)
{
  return law->viscosity ? SoretExprEvaluate(law->viscosity, p) : SoretWaterViscosity(p->T);
}

/* D = k_B T / (6 pi eta r) */
static PetscReal StokesEinsteinValue(const struct SoretLaw_s *law, const SoretPoint *p)
{
  return law->boltzmann * p->T / (6.0 * PETSC_PI * Viscosity(law, p) * law->radius);
}

PetscBool SoretLawExtrapolatesWater(SoretLaw law, PetscReal T_min, PetscReal T_max)
{
  return law->type->value == StokesEinsteinValue && !law->viscosity && (T_min < SORET_WATER_COLDEST || T_max > SORET_WATER_HOTTEST) ? PETSC_TRUE : PETSC_FALSE;
}

static PetscReal StokesEinsteinSlope(const struct SoretLaw_s *law, const SoretPoint *p)
{
  const PetscReal eta = Viscosity(law, p), slope = law->viscosity ? ExprSlope(law->viscosity, p) : WaterViscositySlope(p->T);

  return StokesEinsteinValue(law, p) * (1.0 / p->T - slope / eta);
}

/* A T^b exp(-Ea/(R T)) */
static void ArrheniusRow(const struct SoretLaw_s *law, PetscInt n, const PetscReal *restrict T, PetscReal *restrict out)
{
  for (PetscInt i = 0; i < n; i++) out[i] = -law->activation / (law->gas * T[i]);
  SoretExpRow(n, out);
  for (PetscInt i = 0; i < n; i++) out[i] *= law->prefactor;
  for (PetscInt i = 0; i < n && law->exponent != 0.0; i++) out[i] *= pow(T[i], law->exponent);
}

static PetscReal ArrheniusSlope(const struct SoretLaw_s *law, const SoretPoint *p)
{
  return RowValue(law, p) * (law->exponent + law->activation / (law->gas * p->T)) / p->T;
}

/* value (T/reference)^exponent */
static void PowerRow(const struct SoretLaw_s *law, PetscInt n, const PetscReal *restrict T, PetscReal *restrict out)
{
  for (PetscInt i = 0; i < n; i++) out[i] = T[i] / law->reference;
  SoretPowRow(n, out, law->exponent);
  for (PetscInt i = 0; i < n; i++) out[i] *= law->value;
}

static PetscReal PowerSlope(const struct SoretLaw_s *law, const SoretPoint *p)
{
  return RowValue(law, p) * law->exponent / p->T;
}

/* Index of the interval of the table in which T lies; the outer ones go on beyond the ends. */
static PetscInt TableInterval(const struct SoretLaw_s *law, PetscReal T)
{
  PetscInt lo = 0, hi = law->table_T.n - 1;

  while (hi - lo > 1) {
    const PetscInt mid = lo + (hi - lo) / 2;

    if (T < law->table_T.value[mid]) hi = mid;
    else lo = mid;
  }
  return lo;
}

static PetscReal TableSlope(const struct SoretLaw_s *law, const SoretPoint *p)
{
  const PetscInt   i = TableInterval(law, p->T);
  const PetscReal *T = law->table_T.value, *v = law->table_value.value;

  if (p->T < T[0] || p->T > T[law->table_T.n - 1]) return 0.0;
  return (v[i + 1] - v[i]) / (T[i + 1] - T[i]);
}

/* Linear between the entries, constant beyond the ends. */
static PetscReal TableValue(const struct SoretLaw_s *law, const SoretPoint *p)
{
  const PetscReal *T = law->table_T.value, *v = law->table_value.value;
  const PetscInt   n = law->table_T.n, i = TableInterval(law, p->T);

  if (p->T <= T[0]) return v[0];
  if (p->T >= T[n - 1]) return v[n - 1];
  return v[i] + (v[i + 1] - v[i]) * (p->T - T[i]) / (T[i + 1] - T[i]);
}

static PetscErrorCode TableFinish(SoretInput in, const SoretNode *node, SoretLaw law)
{
  const SoretNode *where = SoretNodeFind(node, "T");
  PetscReal       *T, *v;

  PetscFunctionBegin;
  if (law->table_T.n < 2 || law->table_T.n != law->table_value.n) {
    PetscCall(SoretInputError(in, node, "a table needs the same number of entries, at least 2, in T (%" PetscInt_FMT ") and value (%" PetscInt_FMT ")", law->table_T.n, law->table_value.n));
    law->table_T.value = law->table_value.value = NULL;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt i = 1; i < law->table_T.n; i++) {
    if (law->table_T.value[i] > law->table_T.value[i - 1]) continue;
    PetscCall(SoretInputError(in, where, "the temperatures of a table must increase: entry %" PetscInt_FMT " is %g after %g", i, (double)law->table_T.value[i], (double)law->table_T.value[i - 1]));
    break;
  }
  /* the lists belong to the input, which is gone when the law is used */
  PetscCall(PetscMalloc2(law->table_T.n, &T, law->table_T.n, &v));
  PetscCall(PetscArraycpy(T, law->table_T.value, law->table_T.n));
  PetscCall(PetscArraycpy(v, law->table_value.value, law->table_T.n));
  law->table_T.value     = T;
  law->table_value.value = v;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadViscosity(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest)
{
  PetscFunctionBegin;
  if (node->kind == SORET_NODE_SCALAR && !strcmp(node->text, "water")) {
    if (SoretInputIsReduced(in)) PetscCall(SoretInputError(in, node, "'water' needs units: SI; in reduced units give a number or a formula of T"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretInputReadFormula(in, node, key->unit, SORET_VAR_TEMPERATURE, (SoretExpr *)dest));
  PetscFunctionReturn(PETSC_SUCCESS);
}

#define LAW_KEY {"law", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(struct SoretLaw_s, node), "which law", .syntax = "name of the law"}
#define AT(field) offsetof(struct SoretLaw_s, field)

/* the unit "law" stands for the unit of the quantity that the law describes */
static const SoretKey einstein_keys[] = {
  LAW_KEY,
  {"mobility", SORET_REAL, "s/kg", SORET_REQUIRED, SORET_NONNEGATIVE, AT(mobility), "D = mobility k_B T"},
  {.key = NULL}};
static const SoretKey stokes_einstein_keys[] = {
  LAW_KEY,
  {"radius", SORET_REAL, "m", SORET_REQUIRED, SORET_POSITIVE, AT(radius), "hydrodynamic radius r in D = k_B T / (6 pi viscosity r)"},
  {"viscosity", SORET_CUSTOM, "Pa s", "water", SORET_ANY, AT(viscosity), "`water` (IAPWS SR6-08, 253 to 383 K), a number or a formula of T", .parse = ReadViscosity, .syntax = "`water`, number or formula of T"},
  {.key = NULL}};
static const SoretKey arrhenius_keys[] = {
  LAW_KEY,
  {"prefactor", SORET_REAL, "law", SORET_REQUIRED, SORET_ANY, AT(prefactor), "A in A T^b exp(-Ea/(R T)), in the unit of the quantity"},
  {"exponent", SORET_REAL, "1", "0", SORET_ANY, AT(exponent), "b; T in kelvin, or reduced"},
  {"activation", SORET_REAL, "J/mol", "0", SORET_ANY, AT(activation), "Ea"},
  {.key = NULL}};
static const SoretKey cantera_keys[] = {
  {"A", SORET_REAL, "law", SORET_REQUIRED, SORET_ANY, AT(prefactor), "A in A T^b exp(-Ea/(R T)), in the unit of the quantity"},
  {"b", SORET_REAL, "1", "0", SORET_ANY, AT(exponent), "b"},
  {"Ea", SORET_REAL, "J/mol", "0", SORET_ANY, AT(activation), "Ea"},
  {.key = NULL}};
static const SoretKey power_keys[] = {
  LAW_KEY,
  {"value", SORET_REAL, "law", SORET_REQUIRED, SORET_ANY, AT(value), "value at the reference temperature"},
  {"exponent", SORET_REAL, "1", SORET_REQUIRED, SORET_ANY, AT(exponent), "n in value (T/reference)^n"},
  {"reference", SORET_REAL, "K", SORET_REQUIRED, SORET_POSITIVE, AT(reference), "reference temperature"},
  {.key = NULL}};
static const SoretKey table_keys[] = {
  LAW_KEY,
  {"T", SORET_REALS, "K", SORET_REQUIRED, SORET_POSITIVE, AT(table_T), "temperatures, increasing"},
  {"value", SORET_REALS, "law", SORET_REQUIRED, SORET_ANY, AT(table_value), "values there; linear between, constant beyond the ends"},
  {.key = NULL}};

static const LawType law_types[] = {
  /* name             meaning                             D only       keys                  finish       value                slope                row */
  {"einstein",        "mobility k_B T",                   PETSC_TRUE,  einstein_keys,        NULL,        RowValue,            EinsteinSlope,       EinsteinRow},
  {"stokes_einstein", "k_B T / (6 pi viscosity radius)",  PETSC_TRUE,  stokes_einstein_keys, NULL,        StokesEinsteinValue, StokesEinsteinSlope, NULL       },
  {"arrhenius",       "A T^b exp(-Ea/(R T))",             PETSC_FALSE, arrhenius_keys,       NULL,        RowValue,            ArrheniusSlope,      ArrheniusRow},
  {"power",           "value (T/reference)^exponent",     PETSC_FALSE, power_keys,           NULL,        RowValue,            PowerSlope,          PowerRow   },
  {"table",           "linear between entries",           PETSC_FALSE, table_keys,           TableFinish, TableValue,          TableSlope,          NULL       },
};
static const LawType cantera_type = {"arrhenius", "A T^b exp(-Ea/(R T))", PETSC_FALSE, cantera_keys, NULL, RowValue, ArrheniusSlope, ArrheniusRow};
static const LawType formula_type = {"formula", "formula", PETSC_FALSE, NULL, NULL, FormulaValue, FormulaSlope, NULL};
#define NUM_LAWS ((PetscInt)(sizeof(law_types) / sizeof(law_types[0])))

/* ---- reading ---- */

static PetscErrorCode FindType(SoretInput in, const SoretNode *node, const SoretLawUse *use, const LawType **type)
{
  const SoretNode *law = SoretNodeFind(node, "law");
  const char      *names[sizeof(law_types) / sizeof(law_types[0])];
  PetscInt         n     = 0;
  PetscBool        other = PETSC_FALSE; /* a law, but of diffusivities */

  PetscFunctionBegin;
  *type = NULL;
  if (!law && SoretNodeFind(node, "A")) {
    *type = &cantera_type;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt i = 0; i < NUM_LAWS; i++) {
    const PetscBool named = law && law->kind == SORET_NODE_SCALAR && !strcmp(law->text, law_types[i].name) ? PETSC_TRUE : PETSC_FALSE;

    if (law_types[i].diffusivity && !use->diffusivity) {
      other = other || named ? PETSC_TRUE : PETSC_FALSE;
      continue;
    }
    names[n++] = law_types[i].name;
    if (named) *type = &law_types[i];
  }
  if (*type) PetscFunctionReturn(PETSC_SUCCESS);
  if (!law) {
    PetscCall(SoretInputError(in, node, "a map of a law of temperature needs the key 'law'"));
  } else if (other) {
    PetscCall(SoretInputError(in, law, "the law '%s' is one of diffusivities alone", law->text));
  } else {
    PetscCall(SoretInputError(in, law, "unknown law '%s'%s", law->text, SoretSuggest(law->text, n, names).text));
  }
  {
    char list[256] = "";

    for (PetscInt i = 0; i < n; i++) {
      PetscCall(SoretAppend(list, i ? ", " : "", sizeof(list)));
      PetscCall(SoretAppend(list, names[i], sizeof(list)));
    }
    PetscCall(SoretInputHint(in, "known laws: %s", list));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The table of the law with the unit of the quantity filled in where it says "law". */
static PetscErrorCode ReadKeys(SoretInput in, const SoretNode *node, const SoretLawUse *use, SoretLaw law)
{
  const PetscInt errors = SoretInputCountErrors(in);
  SoretKey       keys[8];
  PetscInt       n = 0;
  char           what[64];

  PetscFunctionBegin;
  for (const SoretKey *k = law->type->keys; k->key; k++) {
    keys[n] = *k;
    if (k->unit && !strcmp(k->unit, "law")) {
      keys[n].unit = use->unit;
      if (use->positive) keys[n].min = 0.0;
    }
    n++;
  }
  keys[n].key = NULL;
  PetscCall(PetscSNPrintf(what, sizeof(what), "law '%s'", law->type->name));
  PetscCall(SoretInputReadMap(in, node, node, what, keys, law));
  law->node = node;
  if (SoretInputCountErrors(in) > errors) law->table_T.value = law->table_value.value = NULL; /* still the input's */
  else if (law->type->finish) PetscCall(law->type->finish(in, node, law));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretLawRead(SoretInput in, const SoretNode *node, const SoretLawUse *use, SoretLaw *law)
{
  const PetscInt errors = SoretInputCountErrors(in);
  const LawType *type   = &formula_type;

  PetscFunctionBegin;
  *law = NULL;
  if (node->kind == SORET_NODE_MAP) PetscCall(FindType(in, node, use, &type));
  if (!type) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscNew(law));
  (*law)->type      = type;
  (*law)->boltzmann = SoretInputIsReduced(in) ? 1.0 : SORET_BOLTZMANN;
  (*law)->gas       = SoretInputIsReduced(in) ? 1.0 : SORET_GAS_CONSTANT;
  if (type == &formula_type) {
    PetscReal value;

    PetscCall(SoretInputReadFormula(in, node, use->unit, use->allowed, &(*law)->formula));
    (*law)->uses = SoretExprUses((*law)->formula);
    if (use->positive && (*law)->formula && SoretLawIsConstant(*law, &value) && value < 0.0) PetscCall(SoretInputError(in, node, "'%s' must be at least 0, found %g", *node->label ? node->label : "value", (double)value));
  } else {
    PetscCall(ReadKeys(in, node, use, *law));
    (*law)->uses = SORET_VAR_TEMPERATURE;
  }
  (*law)->node = node;
  if (SoretInputCountErrors(in) > errors) PetscCall(SoretLawDestroy(law));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretLawDestroy(SoretLaw *law)
{
  PetscFunctionBegin;
  if (!*law) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretExprDestroy(&(*law)->formula));
  PetscCall(SoretExprDestroy(&(*law)->viscosity));
  if ((*law)->table_T.value && (*law)->table_value.value) PetscCall(PetscFree2((*law)->table_T.value, (*law)->table_value.value));
  PetscCall(PetscFree(*law));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- values ---- */

PetscReal SoretLawEvaluate(SoretLaw law, const SoretPoint *point)
{
  return law->type->value(law, point);
}

void SoretLawEvaluateRow(SoretLaw law, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal out[])
{
  SoretPoint p = *point;

  if (law->formula) {
    SoretExprEvaluateRow(law->formula, n, point, x, T, out);
    return;
  }
  if (law->type->row && T) {
    law->type->row(law, n, T, out);
    return;
  }
  for (PetscInt i = 0; i < n; i++) {
    if (x) p.x[0] = x[i];
    if (T) p.T = T[i];
    out[i] = law->type->value(law, &p);
  }
}

PetscReal SoretLawDerivative(SoretLaw law, const SoretPoint *point)
{
  return law->type->slope(law, point);
}

unsigned SoretLawUses(SoretLaw law)
{
  return law ? law->uses : 0;
}

PetscBool SoretLawIsConstant(SoretLaw law, PetscReal *value)
{
  static const SoretPoint origin = {{0.0, 0.0, 0.0}, 0.0, 1.0};

  *value = 0.0;
  if (!law) return PETSC_TRUE;
  if (law->uses) return PETSC_FALSE;
  *value = SoretLawEvaluate(law, &origin);
  return PETSC_TRUE;
}

const SoretNode *SoretLawNode(SoretLaw law)
{
  return law ? law->node : NULL;
}

/* ---- antiderivative ---- */

enum { NUM_PANELS = 256, MAX_HALVINGS = 500 };

struct SoretIntegral_s {
  SoretLaw  law;
  PetscReal constant;
  PetscBool is_constant;
  PetscReal middle, lowest, panel;  /* middle and lower end of the range, width of a panel */
  PetscReal at_middle;              /* integral from the lower end to the middle */
  PetscReal cumulated[NUM_PANELS + 1];
  PetscBool rough[NUM_PANELS];      /* are the points of a panel too few, as about a kink or a jump? */
};

/* int_a^b law dT by 5 Gauss-Legendre points */
static PetscReal Quadrature(SoretLaw law, PetscReal a, PetscReal b)
{
  static const PetscReal node[] = {-0.9061798459386640, -0.5384693101056831, 0.0, 0.5384693101056831, 0.9061798459386640};
  static const PetscReal weight[] = {0.2369268850561891, 0.4786286704993665, 0.5688888888888889, 0.4786286704993665, 0.2369268850561891};
  SoretPoint             p = {{0.0, 0.0, 0.0}, 0.0, 0.0};
  PetscReal              sum = 0.0;

  for (int i = 0; i < 5; i++) {
    p.T = 0.5 * (a + b) + 0.5 * (b - a) * node[i];
    sum += weight[i] * SoretLawEvaluate(law, &p);
  }
  return 0.5 * (b - a) * sum;
}

/* The same in halves, as long as these add up to something else: kinks and jumps are closed in. left: halvings that are still allowed, so that noise ends. */
static PetscReal InHalves(SoretLaw law, PetscReal a, PetscReal b, PetscReal whole, PetscReal tolerance, int *left)
{
  const PetscReal middle = 0.5 * (a + b), lower = Quadrature(law, a, middle), upper = Quadrature(law, middle, b);

  if (!(PetscAbsReal(lower + upper - whole) > tolerance) || *left == 0) return lower + upper;
  --*left;
  return InHalves(law, a, middle, lower, tolerance, left) + InHalves(law, middle, b, upper, tolerance, left);
}

/* The integral is an exponent: what counts is its error, not that relative to it, but for its own rounding. */
static PetscReal Refined(SoretLaw law, PetscReal a, PetscReal b, PetscBool *rough)
{
  const PetscReal whole = Quadrature(law, a, b);
  int             left  = MAX_HALVINGS;
  const PetscReal sum   = InHalves(law, a, b, whole, 1.0e-14 * (1.0 + PetscAbsReal(whole)), &left);

  *rough = left < MAX_HALVINGS ? PETSC_TRUE : PETSC_FALSE;
  return sum;
}

/* Integral from the lower end of the range. */
static PetscReal FromBelow(SoretIntegral s, PetscReal T)
{
  const PetscReal panel = PetscFloorReal((T - s->lowest) / s->panel);
  const PetscInt  i     = (PetscInt)PetscMax(0.0, PetscMin(panel, NUM_PANELS - 1.0)); /* limited before it is an integer: T may be anything */
  const PetscReal from  = s->lowest + i * s->panel;
  PetscBool       rough = s->rough[i] || panel != (PetscReal)i ? PETSC_TRUE : PETSC_FALSE;

  return s->cumulated[i] + (rough ? Refined(s->law, from, T, &rough) : Quadrature(s->law, from, T));
}

PetscErrorCode SoretIntegralCreate(SoretLaw law, PetscReal T_min, PetscReal T_max, SoretIntegral *integral)
{
  SoretIntegral s;

  PetscFunctionBegin;
  PetscCall(PetscNew(integral));
  s              = *integral;
  s->law         = law;
  s->is_constant = SoretLawIsConstant(law, &s->constant);
  s->middle      = 0.5 * (T_min + T_max);
  s->lowest      = T_min;
  s->panel       = PetscMax(T_max - T_min, 1.0e-12 * PetscAbsReal(T_max)) / NUM_PANELS;
  if (s->is_constant) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt i = 0; i < NUM_PANELS; i++) s->cumulated[i + 1] = s->cumulated[i] + Refined(law, T_min + i * s->panel, T_min + (i + 1) * s->panel, &s->rough[i]);
  s->at_middle = FromBelow(s, s->middle);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscReal SoretIntegralEvaluate(SoretIntegral s, PetscReal T)
{
  if (s->is_constant) return s->constant * (T - s->middle);
  return FromBelow(s, T) - s->at_middle;
}

PetscErrorCode SoretIntegralDestroy(SoretIntegral *integral)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(*integral));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- reference ---- */

PetscErrorCode SoretLawReference(FILE *out)
{
  char heading[128];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < NUM_LAWS; i++) {
    PetscCall(PetscSNPrintf(heading, sizeof(heading), "`law: %s` - %s%s", law_types[i].name, law_types[i].meaning, law_types[i].diffusivity ? " (diffusivities only)" : ""));
    PetscCall(SoretKeysPrint(out, heading, law_types[i].keys));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
