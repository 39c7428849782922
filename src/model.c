/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/model.h"

#include <math.h>
#include <stddef.h>

static PetscErrorCode ReadDiffusivity(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest)
{
  const SoretLawUse use = {.unit = key->unit, .allowed = SORET_VAR_SPACE | SORET_VAR_TEMPERATURE, .diffusivity = PETSC_TRUE, .positive = PETSC_TRUE};

  PetscFunctionBegin;
  PetscCall(SoretLawRead(in, node, &use, (SoretLaw *)dest));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadSoret(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest)
{
  const SoretLawUse use = {.unit = key->unit, .allowed = SORET_VAR_TEMPERATURE};

  PetscFunctionBegin;
  PetscCall(SoretLawRead(in, node, &use, (SoretLaw *)dest));
  PetscFunctionReturn(PETSC_SUCCESS);
}

#define AT(field) offsetof(SoretSpecies, field)
static const SoretKey species_keys[] = {
  {"name", SORET_NAME, NULL, SORET_REQUIRED, SORET_ANY, AT(name), "name in reactions and in the result file"},
  {"diffusivity", SORET_CUSTOM, "m^2/s", SORET_REQUIRED, SORET_NONNEGATIVE, AT(diffusivity), "D(T), may use x y z; 0: immobile, or purely ballistic", .parse = ReadDiffusivity, .syntax = "law of temperature"},
  {"convention", SORET_CHOICE, NULL, "ito", SORET_ANY, AT(convention), "where D stands in the flux: -grad(D c), -sqrt(D) grad(sqrt(D) c) or -D grad c", .choices = "ito|stratonovich|fick"},
  {"soret", SORET_CUSTOM, "1/K", SORET_OPTIONAL, SORET_ANY, AT(soret), "intrinsic Soret coefficient S_T(T): adds -D S_T c grad T to the flux", .parse = ReadSoret, .syntax = "law of temperature, without x y z t"},
  {"energy", SORET_REAL, "J/mol", SORET_OPTIONAL, SORET_ANY, AT(energy), "energy of the state, for `balance: energies` and `law: barrier`"},
  {"degeneracy", SORET_REAL, "1", "1", SORET_POSITIVE, AT(degeneracy), "number of equivalent states"},
  {"initial", SORET_NODE, "mol/m^3", SORET_OPTIONAL, SORET_ANY, AT(initial), "initial concentration (default 0); a starting guess in a steady run where `totals` fix the amounts", .syntax = "field"},
  {"velocity", SORET_REALS, "m/s", SORET_OPTIONAL, SORET_ANY, AT(velocity), "velocity of a ballistic state, one entry per axis"},
  {"mirror", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(mirror_node), "species that this one becomes at a wall, of opposite velocity along the axis of the wall", .syntax = "name, or map of axis to name"},
  {.key = NULL}};

static PetscErrorCode CheckName(SoretInput in, const SoretModel *model, PetscInt i)
{
  static const char *const taken[] = {"flux", "rate", "soret", "temperature", "entropy_production", "meter"};
  const SoretNode         *node    = SoretNodeFind(model->species[i].node, "name");

  PetscFunctionBegin;
  if (!node || !model->species[i].name[0]) PetscFunctionReturn(PETSC_SUCCESS);
  for (size_t k = 0; k < sizeof(taken) / sizeof(taken[0]); k++) {
    if (!strcmp(taken[k], model->species[i].name)) PetscCall(SoretInputError(in, node, "'%s' is a name that the result file uses; choose another name for the species", taken[k]));
  }
  for (PetscInt k = 0; k < i; k++) {
    if (strcmp(model->species[k].name, model->species[i].name)) continue;
    PetscCall(SoretInputError(in, node, "species '%s' is defined twice, first in line %d", model->species[i].name, model->species[k].node->line));
    break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadSpecies(SoretInput in, SoretModel *model, const SoretNode *node, PetscInt i)
{
  SoretSpecies    *s    = &model->species[i];
  const SoretNode *name = SoretNodeFind(node, "name");
  char             what[SORET_NAME_LENGTH + 16];
  PetscReal        D;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(what, sizeof(what), "species '%.60s'", name && name->kind == SORET_NODE_SCALAR ? name->text : "?"));
  PetscCall(SoretInputReadMap(in, node, node, what, species_keys, s));
  s->node = node;
  for (int axis = 0; axis < 3; axis++) s->mirror[axis] = -1;
  PetscCall(CheckName(in, model, i));
  s->diffuses = !SoretLawIsConstant(s->diffusivity, &D) || D != 0.0 ? PETSC_TRUE : PETSC_FALSE;
  if (!s->diffusivity && !s->velocity.n) s->diffuses = PETSC_TRUE; /* of a law with mistakes nothing is known; not that the species stands still */
  if (s->velocity.n && s->velocity.n != model->dim) {
    PetscCall(SoretInputError(in, SoretNodeFind(node, "velocity"), "a velocity of this case has %" PetscInt_FMT " entr%s, found %" PetscInt_FMT, model->dim, model->dim == 1 ? "y" : "ies", s->velocity.n));
    s->velocity.n = 0;
  }
  for (PetscInt axis = 0; axis < s->velocity.n; axis++) s->moves[axis] = s->velocity.value[axis] != 0.0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SetMirror(SoretInput in, SoretModel *model, PetscInt i, PetscInt axis, const SoretNode *node)
{
  SoretSpecies *s = &model->species[i];
  PetscInt      m = node->kind == SORET_NODE_SCALAR ? SoretModelFind(model, node->text) : -1;
  const char   *names[SORET_MAX_SPECIES];

  PetscFunctionBegin;
  if (m < 0) {
    for (PetscInt k = 0; k < model->num_species; k++) names[k] = model->species[k].name;
    PetscCall(SoretInputError(in, node, "mirror of '%s' must name a species of this case%s", s->name, SoretSuggest(node->text, model->num_species, names).text));
  } else s->mirror[axis] = m;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadMirror(SoretInput in, SoretModel *model, PetscInt i)
{
  SoretSpecies    *s    = &model->species[i];
  const SoretNode *node = s->mirror_node;

  PetscFunctionBegin;
  if (!node) PetscFunctionReturn(PETSC_SUCCESS);
  if (node->kind == SORET_NODE_MAP) {
    for (PetscInt k = 0; k < node->size; k++) {
      const char *axis = node->key[k]->text, *found = axis[0] && !axis[1] ? strchr(SORET_AXIS_NAMES, axis[0]) : NULL;

      if (!found || found - SORET_AXIS_NAMES >= model->dim) PetscCall(SoretInputError(in, node->key[k], "'%s' is not an axis of this case", axis));
      else PetscCall(SetMirror(in, model, i, (PetscInt)(found - SORET_AXIS_NAMES), node->item[k]));
    }
  } else if (s->moves[0] || s->moves[1] || s->moves[2]) {
    for (PetscInt axis = 0; axis < model->dim; axis++) {
      if (s->moves[axis]) PetscCall(SetMirror(in, model, i, axis, node));
    }
  } else if (s->velocity.n || !SoretNodeFind(s->node, "velocity")) PetscCall(SoretInputError(in, node, "'%s' has no velocity, and so no use for a mirror", s->name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Both species of a pair must name each other and have opposite velocities along the axis of the wall; along the others they may differ. */
static PetscErrorCode CheckMirror(SoretInput in, const SoretModel *model, PetscInt i)
{
  const SoretSpecies *s = &model->species[i];

  PetscFunctionBegin;
  for (PetscInt axis = 0; axis < model->dim; axis++) {
    const SoretSpecies *m;
    PetscReal           vs, vm;

    if (s->mirror[axis] < 0) continue;
    m  = &model->species[s->mirror[axis]];
    vs = s->velocity.n ? s->velocity.value[axis] : 0.0;
    vm = m->velocity.n ? m->velocity.value[axis] : 0.0;
    if (m->mirror[axis] != i) {
      PetscCall(SoretInputError(in, s->mirror_node, "'%s' names '%s' as its mirror along %c, but '%s' does not name '%s'", s->name, m->name, SORET_AXIS_NAMES[axis], m->name, s->name));
      continue;
    }
    if (vs != -vm) PetscCall(SoretInputError(in, s->mirror_node, "mirrored species must have opposite velocities along %c: '%s' has %g, '%s' has %g", SORET_AXIS_NAMES[axis], s->name, (double)vs, m->name, (double)vm));
    if (s->diffuses || m->diffuses) PetscCall(SoretInputError(in, s->mirror_node, "only species with diffusivity 0 can have a mirror ('%s')", s->diffuses ? s->name : m->name));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretModelRead(SoretInput in, PetscInt dim, SoretOptional standard_concentration, SoretModel *model)
{
  const SoretNode *list = SoretNodeFind(SoretInputRoot(in), "species"), *reactions = SoretNodeFind(SoretInputRoot(in), "reactions");

  PetscFunctionBegin;
  PetscCall(PetscMemzero(model, sizeof(*model)));
  model->dim = dim;
  if (!list) PetscFunctionReturn(PETSC_SUCCESS); /* reported by the table of the whole case */
  if (list->kind != SORET_NODE_LIST || list->size == 0) {
    PetscCall(SoretInputError(in, list, "'species' must be a list of maps, with at least one species"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (list->size > SORET_MAX_SPECIES) {
    PetscCall(SoretInputError(in, list, "%" PetscInt_FMT " species are more than the %d that this build holds", list->size, SORET_MAX_SPECIES));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  model->num_species = list->size;
  PetscCall(PetscCalloc2(list->size, &model->species, list->size, &model->brief));
  for (PetscInt i = 0; i < list->size; i++) PetscCall(ReadSpecies(in, model, list->item[i], i));
  for (PetscInt i = 0; i < list->size; i++) PetscCall(ReadMirror(in, model, i));
  for (PetscInt i = 0; i < list->size; i++) PetscCall(CheckMirror(in, model, i));
  for (PetscInt i = 0; i < list->size; i++) {
    const SoretSpecies *s = &model->species[i];

    model->brief[i] = (SoretNetworkSpecies){.name = s->name, .energy = s->energy, .degeneracy = s->degeneracy};
    if (SoretNodeFind(s->node, "energy")) model->brief[i].energy.given = PETSC_TRUE; /* also one that is no energy, which has been told */
  }
  PetscCall(SoretNetworkRead(in, reactions, list->size, model->brief, standard_concentration, &model->network));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretModelDestroy(SoretModel *model)
{
  PetscFunctionBegin;
  PetscCall(SoretNetworkDestroy(&model->network));
  for (PetscInt i = 0; i < model->num_species; i++) {
    PetscCall(SoretLawDestroy(&model->species[i].diffusivity));
    PetscCall(SoretLawDestroy(&model->species[i].soret));
    PetscCall(SoretIntegralDestroy(&model->species[i].theta));
  }
  PetscCall(PetscFree2(model->species, model->brief));
  PetscCall(PetscMemzero(model, sizeof(*model)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscInt SoretModelFind(const SoretModel *model, const char *name)
{
  for (PetscInt i = 0; i < model->num_species; i++) {
    if (!strcmp(model->species[i].name, name)) return i;
  }
  return -1;
}

PetscErrorCode SoretModelSetRange(SoretModel *model, PetscReal T_min, PetscReal T_max)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < model->num_species; i++) {
    SoretSpecies *s = &model->species[i];

    if (!s->soret) continue;
    PetscCall(SoretIntegralDestroy(&s->theta));
    PetscCall(SoretIntegralCreate(s->soret, T_min, T_max, &s->theta));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* a and b from D and exp(Theta). */
static inline void Split(SoretConvention convention, PetscReal D, PetscReal drift, PetscReal *a, PetscReal *b)
{
  const PetscReal power = convention == SORET_ITO ? D : convention == SORET_FICK ? 1.0 : sqrt(D);

  *b = power * drift;
  *a = (convention == SORET_ITO ? 1.0 : convention == SORET_FICK ? D : power) / drift;
}

void SoretModelTransport(const SoretModel *model, PetscInt i, const SoretPoint *point, PetscReal *a, PetscReal *b)
{
  const SoretSpecies *s = &model->species[i];

  *a = 0.0;
  *b = 1.0;
  if (s->diffuses) Split((SoretConvention)s->convention, SoretLawEvaluate(s->diffusivity, point), s->theta ? exp(SoretIntegralEvaluate(s->theta, point->T)) : 1.0, a, b);
}

void SoretModelTransportRow(const SoretModel *model, PetscInt i, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal a[], PetscReal b[])
{
  const SoretSpecies *s = &model->species[i];

  for (PetscInt q = 0; q < n; q++) {
    a[q] = 0.0;
    b[q] = 1.0;
  }
  if (!s->diffuses) return;
  SoretLawEvaluateRow(s->diffusivity, n, point, x, T, b);
  for (PetscInt q = 0; q < n; q++) Split((SoretConvention)s->convention, b[q], s->theta ? exp(SoretIntegralEvaluate(s->theta, T[q])) : 1.0, &a[q], &b[q]);
}

PetscBool SoretModelConductivityIsConstant(const SoretModel *model, PetscInt i, PetscReal *a)
{
  const SoretSpecies *s = &model->species[i];
  PetscReal           D, S, b;
  const PetscBool     constant_D = SoretLawIsConstant(s->diffusivity, &D);

  if (s->diffuses && s->convention != SORET_ITO && !constant_D) return PETSC_FALSE;
  if (s->diffuses && !(SoretLawIsConstant(s->soret, &S) && S == 0.0)) return PETSC_FALSE;
  *a = 0.0;
  if (s->diffuses) Split((SoretConvention)s->convention, D, 1.0, a, &b);
  return PETSC_TRUE;
}

PetscBool SoretModelIsImmobile(const SoretModel *model, PetscInt i)
{
  const SoretSpecies *s = &model->species[i];

  return s->diffuses || s->moves[0] || s->moves[1] || s->moves[2] ? PETSC_FALSE : PETSC_TRUE;
}

PetscBool SoretModelHasBallistic(const SoretModel *model)
{
  for (PetscInt i = 0; i < model->num_species; i++) {
    if (!model->species[i].diffuses && !SoretModelIsImmobile(model, i)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

PetscInt SoretModelWidth(const SoretModel *model)
{
  return SoretModelHasBallistic(model) ? 2 : 1;
}

PetscErrorCode SoretModelReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`species[]`", species_keys));
  PetscCall(SoretNetworkReference(out));
  PetscCall(SoretLawReference(out));
  PetscFunctionReturn(PETSC_SUCCESS);
}
