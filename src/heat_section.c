/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/heat.h"

#include <stddef.h>

static PetscErrorCode ReadConductivity(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest)
{
  const SoretLawUse use = {.unit = key->unit, .allowed = SORET_VAR_SPACE | SORET_VAR_TEMPERATURE, .positive = PETSC_TRUE};

  PetscFunctionBegin;
  PetscCall(SoretLawRead(in, node, &use, (SoretLaw *)dest));
  PetscFunctionReturn(PETSC_SUCCESS);
}

typedef struct {
  SoretLaw         conductivity, solid_conductivity;
  SoretExpr        heat_capacity, solid_heat_capacity;
  const SoretNode *source, *initial, *boundaries;
} ConductionSpec;

#define AT(field) offsetof(ConductionSpec, field)
static const SoretKey conduction_keys[] = {
  {"conductivity", SORET_CUSTOM, "W/m/K", SORET_REQUIRED, SORET_ANY, AT(conductivity), "thermal conductivity of the fluid, may use x y z T", .parse = ReadConductivity, .syntax = "law of temperature"},
  {"solid_conductivity", SORET_CUSTOM, "W/m/K", SORET_OPTIONAL, SORET_ANY, AT(solid_conductivity), "the same inside `domain.solid` (default: that of the fluid)", .parse = ReadConductivity, .syntax = "law of temperature"},
  {"heat_capacity", SORET_FORMULA, "J/m^3/K", SORET_OPTIONAL, SORET_ANY, AT(heat_capacity), "heat capacity per volume: with it the temperature is integrated in time in a transient run; without it, it is steady at each moment", .allowed = SORET_VAR_SPACE},
  {"solid_heat_capacity", SORET_FORMULA, "J/m^3/K", SORET_OPTIONAL, SORET_ANY, AT(solid_heat_capacity), "the same inside `domain.solid` (default: that of the fluid)", .allowed = SORET_VAR_SPACE},
  {"source", SORET_NODE, "W/m^3", SORET_OPTIONAL, SORET_ANY, AT(source), "heat released per volume, of x y z t T: a laser spot, Joule heating", .syntax = "field"},
  {"initial", SORET_NODE, "K", SORET_OPTIONAL, SORET_ANY, AT(initial), "temperature at t = 0, with `heat_capacity` (default: the steady state at t = 0)", .syntax = "field"},
  {"boundaries", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(boundaries), "conditions on the faces of the box; insulated where nothing stands", .syntax = "map of face to condition"},
  {.key = NULL}};
#undef AT

typedef struct {
  SoretExpr value, flux, transfer, outside;
} ConditionSpec;

#define AT(field) offsetof(ConditionSpec, field)
static const SoretKey condition_keys[] = {
  {"value", SORET_FORMULA, "K", SORET_OPTIONAL, SORET_POSITIVE, AT(value), "temperature at the face", .allowed = SORET_VAR_SPACE_TIME},
  {"flux", SORET_FORMULA, "W/m^2", SORET_OPTIONAL, SORET_ANY, AT(flux), "heat flux, positive inwards", .allowed = SORET_VAR_SPACE_TIME},
  {"transfer", SORET_FORMULA, "W/m^2/K", SORET_OPTIONAL, SORET_NONNEGATIVE, AT(transfer), "h: the flux into the domain is h (outside - T at the face)", .allowed = SORET_VAR_SPACE_TIME},
  {"outside", SORET_FORMULA, "K", SORET_OPTIONAL, SORET_POSITIVE, AT(outside), "temperature outside, with `transfer`", .allowed = SORET_VAR_SPACE_TIME},
  {.key = NULL}};
#undef AT

PetscErrorCode SoretHeatReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`temperature.conduction`", conduction_keys));
  PetscCall(SoretKeysPrint(out, "`temperature.conduction.boundaries.x-` (faces x- x+ y- y+ z- z+)", condition_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadCondition(SoretInput in, const SoretNode *key, const SoretNode *node, SoretHeatCondition *condition)
{
  const PetscInt errors = SoretInputCountErrors(in);
  ConditionSpec  spec;
  SoretExpr     *given[3] = {&spec.value, &spec.flux, &spec.transfer};
  char           what[64];
  int            ways = 0;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(what, sizeof(what), "condition of the temperature at %s", key->text));
  PetscCall(SoretInputReadMap(in, node, key, what, condition_keys, &spec));
  for (int k = 0; k < 3; k++) {
    if (!*given[k]) continue;
    ways++;
    if (ways > 1) PetscCall(SoretExprDestroy(given[k]));
    else {
      condition->kind  = (SoretHeatConditionKind)(SORET_HEAT_VALUE + k);
      condition->value = *given[k];
    }
  }
  condition->outside = spec.outside;
  if (SoretInputCountErrors(in) > errors) PetscFunctionReturn(PETSC_SUCCESS);
  if (ways != 1) PetscCall(SoretInputError(in, node, "%s needs exactly one of 'value', 'flux' or 'transfer'", what));
  else if ((condition->kind == SORET_HEAT_TRANSFER) != (condition->outside != NULL)) PetscCall(SoretInputError(in, node, condition->outside ? "'outside' belongs to 'transfer'" : "'transfer' needs the key 'outside'"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadBoundaries(SoretInput in, const SoretNode *map, const SoretGridSpec *grid, SoretHeatSpec *spec)
{
  PetscInt num;

  PetscFunctionBegin;
  PetscCall(SoretInputEntries(in, map, SORET_NODE_MAP, "expected a map of faces, as in {x-: {value: 300}}", &num));
  for (PetscInt k = 0; k < num; k++) {
    int face;

    PetscCall(SoretGridReadFace(in, map->key[k], grid, &face));
    if (face >= 0) PetscCall(ReadCondition(in, map->key[k], map->item[k], &spec->condition[face]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscBool DependsOnTime(const SoretHeatSpec *spec)
{
  if (spec->in_time || SoretFieldUses(spec->source) & SORET_VAR_TIME) return PETSC_TRUE;
  for (int face = 0; face < 6; face++) {
    if ((SoretExprUses(spec->condition[face].value) | SoretExprUses(spec->condition[face].outside)) & SORET_VAR_TIME) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

PetscErrorCode SoretHeatSpecRead(SoretInput in, const SoretNode *node, const SoretGridSpec *grid, SoretHeatSpec *spec)
{
  const PetscInt errors = SoretInputCountErrors(in);
  ConductionSpec conduction;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  PetscCall(PetscMemzero(&conduction, sizeof(conduction))); /* custom keys that are absent leave what was there */
  PetscCall(SoretInputReadMap(in, node, node, "'conduction'", conduction_keys, &conduction));
  spec->conductivity        = conduction.conductivity;
  spec->solid_conductivity  = conduction.solid_conductivity;
  spec->heat_capacity       = conduction.heat_capacity;
  spec->solid_heat_capacity = conduction.solid_heat_capacity;
  if (conduction.source) PetscCall(SoretFieldRead(in, conduction.source, "W/m^3", SORET_VAR_ALL, &spec->source));
  if (conduction.initial) PetscCall(SoretFieldRead(in, conduction.initial, "K", SORET_VAR_SPACE, &spec->initial));
  PetscCall(ReadBoundaries(in, conduction.boundaries, grid, spec));
  if (SoretInputCountErrors(in) > errors) PetscFunctionReturn(PETSC_SUCCESS);
  if (!grid->solid && (spec->solid_conductivity || spec->solid_heat_capacity)) PetscCall(SoretInputError(in, SoretNodeFind(node, spec->solid_conductivity ? "solid_conductivity" : "solid_heat_capacity"), "there is no solid in this case: 'domain' has no key 'solid'"));
  if (!spec->heat_capacity && (spec->solid_heat_capacity || spec->initial)) PetscCall(SoretInputError(in, SoretNodeFind(node, spec->initial ? "initial" : "solid_heat_capacity"), "'%s' needs the key 'heat_capacity'", spec->initial ? "initial" : "solid_heat_capacity"));
  if (SoretInputCountErrors(in) == errors) spec->node = node;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatSpecSetMode(SoretInput in, PetscBool transient, SoretHeatSpec *spec)
{
  PetscBool held = PETSC_FALSE;

  PetscFunctionBegin;
  if (!spec->node) PetscFunctionReturn(PETSC_SUCCESS);
  spec->in_time = transient && spec->heat_capacity ? PETSC_TRUE : PETSC_FALSE;
  spec->varies  = transient ? DependsOnTime(spec) : PETSC_FALSE;
  for (int face = 0; face < 6; face++) held = held || spec->condition[face].kind == SORET_HEAT_VALUE || spec->condition[face].kind == SORET_HEAT_TRANSFER ? PETSC_TRUE : PETSC_FALSE;
  if (!transient && spec->initial) PetscCall(SoretInputError(in, SoretNodeFind(spec->node, "initial"), "'initial' belongs to transient runs: a steady run has a steady temperature"));
  else if (!held && !(spec->in_time && spec->initial)) PetscCall(SoretInputError(in, spec->node, "nothing sets the level of the temperature: give 'value' or 'transfer' at some face%s", transient ? ", or 'heat_capacity' and 'initial'" : ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatSpecDestroy(SoretHeatSpec *spec)
{
  PetscFunctionBegin;
  PetscCall(SoretLawDestroy(&spec->conductivity));
  PetscCall(SoretLawDestroy(&spec->solid_conductivity));
  PetscCall(SoretExprDestroy(&spec->heat_capacity));
  PetscCall(SoretExprDestroy(&spec->solid_heat_capacity));
  PetscCall(SoretFieldDestroy(&spec->source));
  PetscCall(SoretFieldDestroy(&spec->initial));
  for (int face = 0; face < 6; face++) {
    PetscCall(SoretExprDestroy(&spec->condition[face].value));
    PetscCall(SoretExprDestroy(&spec->condition[face].outside));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatCheck(SoretInput in, MPI_Comm comm, PetscInt dim, const SoretHeatSpec *spec)
{
  PetscFunctionBegin;
  PetscCall(SoretFieldCheck(in, comm, dim, spec->source));
  PetscCall(SoretFieldCheck(in, comm, dim, spec->initial));
  PetscFunctionReturn(PETSC_SUCCESS);
}
