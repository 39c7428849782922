/* SPDX-License-Identifier: BSD-2-Clause */
#include "samples.h"

#include <math.h>

enum { SAMPLES = 9 }; /* on an axis, and in time: ends, middle and more, where most mistakes of sign show */

typedef enum {
  POSITIVE,
  NONNEGATIVE,
  FINITE
} Range;

/* A quantity with the number i at a point, whose T it sets; it may move the point to where the quantity is used. */
typedef PetscReal (*Quantity)(const SoretCase *c, PetscInt i, SoretPoint *point);

static PetscBool Fits(PetscReal value, Range range)
{
  return isfinite(value) && (range == FINITE || value > 0.0 || (range == NONNEGATIVE && value == 0.0)) ? PETSC_TRUE : PETSC_FALSE;
}

/* Between the centres of the outermost cells. */
static PetscReal SampleCoordinate(const SoretGridSpec *grid, int axis, PetscInt i)
{
  const PetscReal h = 0.5 / (PetscReal)grid->n[axis];

  return grid->origin[axis] + grid->size[axis] * (h + (1.0 - 2.0 * h) * (PetscReal)i / (SAMPLES - 1));
}

/* The first sample at which the quantity does not fit; PETSC_FALSE if there is none.

   uses - variables of its formulas: along the others one sample will do */
static PetscBool FindBad(const SoretCase *c, Quantity quantity, PetscInt i, unsigned uses, Range range, SoretPoint *point, PetscReal *value)
{
  PetscInt num[4], total = 1;

  if (uses & SORET_VAR_TEMPERATURE) uses |= SoretFieldUses(c->temperature);
  for (int axis = 0; axis < 3; axis++) num[axis] = axis < c->grid.dim && uses & SORET_VAR_X << axis ? SAMPLES : 1;
  num[3] = c->solve.mode == SORET_TRANSIENT && uses & SORET_VAR_TIME ? SAMPLES : 1;
  for (int k = 0; k < 4; k++) total *= num[k];
  for (PetscInt p = 0; p < total; p++) {
    PetscInt rest = p;

    *point = (SoretPoint){.T = 1.0};
    for (int axis = 0; axis < c->grid.dim; rest /= num[axis++]) point->x[axis] = SampleCoordinate(&c->grid, axis, rest % num[axis]);
    if (num[3] > 1) point->t = c->solve.end.value * (PetscReal)rest / (SAMPLES - 1);
    *value = quantity(c, i, point);
    if (!Fits(*value, range)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* "(0.5, 0, 0), t = 2, T = 1.5" */
static const char *Place(const SoretCase *c, const SoretPoint *point, PetscBool with_T, size_t size, char text[])
{
  char t[40] = "", T[40] = "";

  if (c->solve.mode == SORET_TRANSIENT) (void)snprintf(t, sizeof(t), ", t = %g", (double)point->t);
  if (with_T) (void)snprintf(T, sizeof(T), ", T = %g", (double)point->T);
  (void)snprintf(text, size, "(%g, %g, %g)%s%s", (double)point->x[0], (double)point->x[1], (double)point->x[2], t, T);
  return text;
}

static double WithoutSign(PetscReal value)
{
  return isnan(value) ? NAN : value;
}

static PetscBool IsFormula(SoretField field)
{
  const SoretNode *node = SoretFieldNode(field);

  return field && (!node || node->kind == SORET_NODE_SCALAR) ? PETSC_TRUE : PETSC_FALSE;
}

/* What is wrong with something generated is wrong with the ladder of velocities. */
static PetscErrorCode HintVelocities(const SoretCase *c, const SoretNode *at)
{
  PetscFunctionBegin;
  for (PetscInt l = 0; l < c->velocity.num; l++) {
    const SoretNode *ladder = c->velocity.ladder[l].node;

    if (at->line == ladder->line && at->column == ladder->column) PetscCall(SoretInputHint(c->in, "weights with <v^2> = kT/m need kT/m below max^2 and, at the coldest, not far below the distance of the velocities squared: choose `max` of 2 to 4 sqrt(kT/m)"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- temperature ---- */

static PetscReal Temperature(const SoretCase *c, PetscInt i, SoretPoint *point)
{
  return point->T = SoretFieldEvaluate(c->temperature, point);
}

/* 0 where the temperature is the same at both ends of an axis. The point moves to the lower end. */
static PetscReal Misfit(const SoretCase *c, PetscInt axis, SoretPoint *point)
{
  SoretPoint end = *point;
  PetscReal  difference;

  point->x[axis] = c->grid.origin[axis];
  end.x[axis]    = c->grid.origin[axis] + c->grid.size[axis];
  difference     = PetscAbsReal(Temperature(c, 0, &end) - Temperature(c, 0, point));
  return difference <= 1.0e-9 * PetscAbsReal(point->T) ? 0.0 : -difference;
}

static PetscErrorCode TryTemperature(SoretCase *c)
{
  const SoretNode *node = SoretFieldNode(c->temperature);
  SoretPoint       point;
  PetscReal        value;
  char             place[160];

  PetscFunctionBegin;
  if (FindBad(c, Temperature, 0, SORET_VAR_TEMPERATURE, POSITIVE, &point, &value)) {
    PetscCall(SoretInputError(c->in, node, "the temperature is %g at %s; it must be positive everywhere", WithoutSign(value), Place(c, &point, PETSC_FALSE, sizeof(place), place)));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (int axis = 0; axis < c->grid.dim; axis++) {
    const char name = SORET_AXIS_NAMES[axis];
    SoretPoint end;

    if (!c->grid.periodic[axis] || !FindBad(c, Misfit, axis, SORET_VAR_TEMPERATURE, NONNEGATIVE, &point, &value)) continue;
    end         = point;
    end.x[axis] = c->grid.origin[axis] + c->grid.size[axis];
    PetscCall(SoretInputError(c->in, node, "the temperature must be periodic along %c: it is %g at %s and %g at %c = %g", name, (double)point.T, Place(c, &point, PETSC_FALSE, sizeof(place), place), (double)Temperature(c, 0, &end), name, (double)end.x[axis]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- species ---- */

static PetscReal Diffusivity(const SoretCase *c, PetscInt s, SoretPoint *point)
{
  (void)Temperature(c, 0, point);
  return SoretLawEvaluate(c->model.species[s].diffusivity, point);
}

static PetscReal IntrinsicSoret(const SoretCase *c, PetscInt s, SoretPoint *point)
{
  (void)Temperature(c, 0, point);
  return SoretLawEvaluate(c->model.species[s].soret, point);
}

static PetscReal Initial(const SoretCase *c, PetscInt s, SoretPoint *point)
{
  point->t = 0.0;
  (void)Temperature(c, 0, point);
  return SoretFieldEvaluate(c->initial[s], point);
}

static PetscErrorCode TrySpecies(SoretCase *c, PetscInt s)
{
  const SoretSpecies *species = &c->model.species[s];
  SoretPoint          point;
  PetscReal           value;
  char                place[160];

  PetscFunctionBegin;
  if (species->diffuses && FindBad(c, Diffusivity, s, SoretLawUses(species->diffusivity), POSITIVE, &point, &value)) PetscCall(SoretInputError(c->in, SoretLawNode(species->diffusivity), "the diffusivity of '%s' is %g at %s; it must be positive everywhere, or the number 0", species->name, WithoutSign(value), Place(c, &point, PETSC_TRUE, sizeof(place), place)));
  if (species->soret && FindBad(c, IntrinsicSoret, s, SoretLawUses(species->soret), FINITE, &point, &value)) PetscCall(SoretInputError(c->in, SoretLawNode(species->soret), "the intrinsic Soret coefficient of '%s' is %g at %s; it must be finite", species->name, WithoutSign(value), Place(c, &point, PETSC_TRUE, sizeof(place), place)));
  if (IsFormula(c->initial[s]) && FindBad(c, Initial, s, SoretFieldUses(c->initial[s]), NONNEGATIVE, &point, &value)) {
    PetscCall(SoretInputError(c->in, species->initial, "the initial concentration of '%s' is %g at (%g, %g, %g); it must not be negative", species->name, WithoutSign(value), (double)point.x[0], (double)point.x[1], (double)point.x[2]));
    PetscCall(HintVelocities(c, species->initial));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- reactions ---- */

/* Of reaction i/2, forward or backward. */
static PetscReal RateConstant(const SoretCase *c, PetscInt i, SoretPoint *point)
{
  PetscReal k[2];

  (void)Temperature(c, 0, point);
  SoretNetworkConstants(&c->model.network, i / 2, point, &k[0], &k[1]);
  return k[i % 2];
}

static PetscErrorCode TryReaction(SoretCase *c, PetscInt r)
{
  const SoretReaction *reaction = &c->model.network.reaction[r];
  SoretPoint           point;
  PetscReal            value;
  char                 place[160];

  PetscFunctionBegin;
  for (int backward = 0; backward < 2; backward++) {
    if (!FindBad(c, RateConstant, 2 * r + backward, SoretNetworkUses(&c->model.network, r), NONNEGATIVE, &point, &value)) continue;
    PetscCall(SoretInputError(c->in, reaction->node, "the %s constant of '%s' is %g at %s; it must be finite and not negative", backward ? "backward" : "forward", reaction->equation, WithoutSign(value), Place(c, &point, PETSC_TRUE, sizeof(place), place)));
    PetscCall(HintVelocities(c, reaction->node));
    break; /* the other one may follow from it */
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- boundaries ---- */

/* Of condition i/2: its value, flux or transfer coefficient, or what is outside. */
static PetscReal Condition(const SoretCase *c, PetscInt i, SoretPoint *point)
{
  const SoretCondition *condition = &c->boundary.condition[i / 2];
  const int             face      = (int)(i / 2 / c->boundary.num_species), axis = face / 2;

  point->x[axis] = c->grid.origin[axis] + (face % 2 ? c->grid.size[axis] : 0.0);
  (void)Temperature(c, 0, point);
  return SoretExprEvaluate(i % 2 ? condition->outside : condition->value, point);
}

static PetscErrorCode TryCondition(SoretCase *c, int face, PetscInt s)
{
  const SoretCondition *condition = SoretBoundaryCondition(&c->boundary, face, s);
  const PetscInt        i         = face * c->boundary.num_species + s;
  const Range           range     = condition->kind == SORET_FLUX ? FINITE : NONNEGATIVE;
  SoretPoint            point;
  PetscReal             value;
  char                  place[160];

  PetscFunctionBegin;
  for (int outside = 0; outside < 2; outside++) {
    const SoretExpr formula = outside ? condition->outside : condition->value;

    if (!formula || !FindBad(c, Condition, 2 * i + outside, SoretExprUses(formula), range, &point, &value)) continue;
    PetscCall(SoretInputError(c->in, condition->node, "'%s' of '%s' at %s is %g at %s; it must be finite%s", outside ? "outside" : SoretConditionName(condition->kind), c->model.species[s].name, SoretFaceName(face), WithoutSign(value), Place(c, &point, PETSC_TRUE, sizeof(place), place), range == FINITE ? "" : " and not negative"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCaseTryFormulas(SoretCase *c)
{
  const PetscInt errors = SoretInputCountErrors(c->in);

  PetscFunctionBegin;
  if (errors || !IsFormula(c->temperature)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(TryTemperature(c));
  if (SoretInputCountErrors(c->in) > errors) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt s = 0; s < c->model.num_species; s++) PetscCall(TrySpecies(c, s));
  for (PetscInt r = 0; r < c->model.network.num_reactions; r++) PetscCall(TryReaction(c, r));
  for (int face = 0; face < 2 * c->grid.dim; face++) {
    for (PetscInt s = 0; s < c->model.num_species; s++) PetscCall(TryCondition(c, face, s));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
