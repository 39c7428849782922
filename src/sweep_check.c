/* SPDX-License-Identifier: BSD-2-Clause

   What is seen of a sweep before it runs: each of its values is tried on the case. */
#include <string.h>

#include "sweep_private.h"

#include "soret/text.h"

/* Where value k stands in the file. */
static const SoretNode *PlaceOf(const SoretCase *c, PetscInt k)
{
  const SoretNode *values = SoretNodeFind(c->sweep.node, "values");

  return values ? values->kind == SORET_NODE_LIST && k < values->size ? values->item[k] : values : c->sweep.parameter_node;
}

static PetscBool SameGrid(const SoretGridSpec *a, const SoretGridSpec *b)
{
  for (int axis = 0; axis < 3; axis++) {
    if (a->n[axis] != b->n[axis] || a->size[axis] != b->size[axis] || a->origin[axis] != b->origin[axis] || a->periodic[axis] != b->periodic[axis]) return PETSC_FALSE;
    if (!a->edge[axis] != !b->edge[axis]) return PETSC_FALSE;
    for (PetscInt i = 0; a->edge[axis] && i <= a->n[axis]; i++) {
      if (a->edge[axis][i] != b->edge[axis][i]) return PETSC_FALSE;
    }
  }
  return PETSC_TRUE;
}

/* What must not change along a sweep. */
static PetscErrorCode CompareShape(SoretCase *c, const SoretCase *variant, PetscReal value, PetscInt k)
{
  PetscBool same = variant->model.num_species == c->model.num_species && variant->sums.num == c->sums.num && variant->sums.num_global == c->sums.num_global ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < c->model.num_species && same; i++) same = !strcmp(c->model.species[i].name, variant->model.species[i].name) ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt i = 0; i < c->sums.num && same; i++) same = !strcmp(c->sums.name[i], variant->sums.name[i]) ? PETSC_TRUE : PETSC_FALSE;
  if (!same) PetscCall(SoretInputError(c->in, PlaceOf(c, k), "with %s = %g the case has other species or conserved sums than without; a sweep has one table for all", c->sweep.parameter, (double)value));
  else if (!SameGrid(&c->grid, &variant->grid) && c->sweep.frames != SORET_FRAMES_NONE) PetscCall(SoretInputError(c->in, PlaceOf(c, k), "with %s = %g the case has another grid than without, and a result file holds one; use `frames: none`", c->sweep.parameter, (double)value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where value k stands in the file if it is a quantity, else NULL. */
static const SoretNode *Quantity(const SoretCase *c, PetscInt k)
{
  const SoretNode *range = SoretNodeFind(c->sweep.node, "range"), *node = !range ? PlaceOf(c, k) : !k ? SoretNodeFind(range, "from") : k == c->sweep.values.n - 1 ? SoretNodeFind(range, "to") : NULL;

  return node && node->unit ? node : NULL;
}

/* The unit that a case reads the swept number in; a parameter has that of the quantity it stands there as. */
static PetscErrorCode FindUnit(SoretCase *c, SoretInput in)
{
  const SoretNode *node = NULL;
  PetscBool        ok;

  PetscFunctionBegin;
  if (c->sweep.unit[0]) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretInputLookup(in, c->sweep.parameter_node, c->sweep.parameter, &node, &ok));
  if (node && node->unit) PetscCall(PetscStrncpy(c->sweep.unit, node->unit, sizeof(c->sweep.unit)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Tries value k on the case; `written`: as that stands in the file, with the unit, which only the key knows to be right or wrong; or NULL. */
static PetscErrorCode TryValue(const SoretCaseSource *source, SoretCase *c, PetscInt k, const char *written)
{
  const PetscReal   value = c->sweep.values.value[k];
  SoretSweepVariant variant;
  SoretCase         trial;

  PetscFunctionBegin;
  PetscCall(SoretSweepMakeVariant(source, c, value, &variant));
  if (written) (void)snprintf(variant.assignment, sizeof(variant.assignment), "%s=%s", c->sweep.parameter, written);
  PetscCall(SoretCaseParse(source->path, c->text, strlen(c->text), variant.source.num_overrides, variant.source.overrides, &trial));
  if (SoretInputCountErrors(trial.in)) PetscCall(SoretInputError(c->in, PlaceOf(c, k), "with %s = %g: %s", c->sweep.parameter, (double)value, SoretInputFirstError(trial.in) ? SoretInputFirstError(trial.in) : "the case is wrong"));
  else {
    PetscCall(CompareShape(c, &trial, value, k));
    PetscCall(FindUnit(c, trial.in));
  }
  PetscCall(SoretCaseDestroy(&trial));
  PetscCall(PetscFree(variant.overrides));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckColumn(SoretCase *c)
{
  PetscInt num, num_series;
  char   **column;

  PetscFunctionBegin;
  if (!c->sweep.refines) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretSweepListColumns(c, &num, &num_series, &column));
  if (SoretSweepFindColumn(num, column, c->sweep.refine.of) < 0) {
    PetscCall(SoretInputError(c->in, c->sweep.of_node, "'%s' is no column of the table%s", c->sweep.refine.of, SoretSuggest(c->sweep.refine.of, num, (const char *const *)column).text));
    PetscCall(SoretInputHint(c->in, "contrast, soret_mean, soret/total/0/chemical, entropy_production, total/0, min/NAME, max/NAME, boundary_flux/FACE/NAME, ..."));
  }
  PetscCall(SoretSweepFreeColumns(num, &column));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Does what stands at this node depend on a parameter, by itself or through others, each of which may be made of those before it? */
static PetscErrorCode DependsOn(const SoretNode *node, const SoretNode *parameters, const char *name, PetscBool *depends)
{
  PetscBool *changes;

  PetscFunctionBegin;
  *depends = PETSC_FALSE;
  PetscCall(PetscMalloc1(parameters->size, &changes));
  for (PetscInt k = 0; k < parameters->size && !*depends; k++) {
    changes[k] = !strcmp(parameters->key[k]->text, name) ? PETSC_TRUE : PETSC_FALSE;
    for (PetscInt j = 0; j < k && !changes[k]; j++) changes[k] = changes[j] && SoretNodeMentions(parameters->item[k], parameters->key[j]->text) ? PETSC_TRUE : PETSC_FALSE;
    *depends = changes[k] && SoretNodeMentions(node, parameters->key[k]->text) ? PETSC_TRUE : PETSC_FALSE;
  }
  PetscCall(PetscFree(changes));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A result file holds one mask of what is solid. */
static PetscErrorCode CheckSolid(SoretCase *c)
{
  static const char name[]     = "parameters.", path[] = "domain.solid";
  const SoretNode  *root       = SoretInputRoot(c->in), *parameters = SoretNodeFind(root, "parameters"), *solid = SoretNodeFind(SoretNodeFind(root, "domain"), "solid");
  const char       *varied     = c->sweep.parameter;
  PetscBool         changes    = PETSC_FALSE;

  PetscFunctionBegin;
  if (c->sweep.frames == SORET_FRAMES_NONE || !solid) PetscFunctionReturn(PETSC_SUCCESS);
  if (!strncmp(varied, path, sizeof(path) - 1)) changes = PETSC_TRUE;
  else if (parameters && !strncmp(varied, name, sizeof(name) - 1)) PetscCall(DependsOn(solid, parameters, varied + sizeof(name) - 1, &changes));
  if (changes) PetscCall(SoretInputError(c->in, c->sweep.parameter_node, "%s changes what is solid, and a result file holds one solid; use `frames: none`", varied));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Does the sweep change `initial` of some species, of which changes[] tells, and nothing else? */
static PetscErrorCode FindInitials(const SoretCase *c, PetscBool changes[], PetscBool *alone)
{
  static const char name[] = "parameters.";
  const SoretNode  *root = SoretInputRoot(c->in), *parameters = SoretNodeFind(root, "parameters"), *species = SoretNodeFind(root, "species");
  const char       *varied = strncmp(c->sweep.parameter, name, sizeof(name) - 1) ? NULL : c->sweep.parameter + sizeof(name) - 1;
  PetscBool         depends;

  PetscFunctionBegin;
  *alone = varied ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt k = 0; k < root->size && *alone; k++) {
    if (root->item[k] == parameters || root->item[k] == species || !strcmp(root->key[k]->text, "sweep")) continue;
    PetscCall(DependsOn(root->item[k], parameters, varied, &depends));
    if (depends) *alone = PETSC_FALSE;
  }
  for (PetscInt s = 0; s < c->model.num_species; s++) {
    const SoretNode *entry = species->item[s];

    changes[s] = PETSC_FALSE;
    for (PetscInt k = 0; varied && k < entry->size && *alone; k++) {
      PetscCall(DependsOn(entry->item[k], parameters, varied, &depends));
      if (depends && strcmp(entry->key[k]->text, "initial")) *alone = PETSC_FALSE;
      else if (depends) changes[s] = PETSC_TRUE;
    }
    if (!varied) {
      char by_name[SORET_NAME_LENGTH + 32], by_number[64];

      (void)snprintf(by_name, sizeof(by_name), "species.%s.initial", c->model.species[s].name);
      (void)snprintf(by_number, sizeof(by_number), "species.%" PetscInt_FMT ".initial", s);
      if (!strcmp(c->sweep.parameter, by_name) || !strcmp(c->sweep.parameter, by_number)) changes[s] = *alone = PETSC_TRUE;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where a steady state keeps no amount of `initial`, that is a guess, and all points of a sweep of it are the same. */
static PetscErrorCode WarnOfGuess(MPI_Comm comm, const SoretCase *c)
{
  const SoretSums *sums = &c->sums;
  const PetscInt   ns   = c->model.num_species;
  PetscBool        changes[SORET_MAX_SPECIES], alone, any = PETSC_FALSE;

  PetscFunctionBegin;
  if (c->solve.mode != SORET_STEADY || c->solid.field) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(FindInitials(c, changes, &alone));
  for (PetscInt s = 0; s < ns; s++) any = any || changes[s] ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt q = 0; q < (sums->num_global + sums->num_local) * ns && alone; q++) {
    if (changes[q % ns] && sums->w[q] != 0.0 && !(q / ns < sums->num_global && sums->prescribed[q / ns])) alone = PETSC_FALSE;
  }
  if (alone && any) PetscCall(SoretSay(comm, "warning: the sweep of %s changes nothing but the guess that a steady state is sought from: `totals`, or conditions at walls, fix all amounts that it is part of\n", c->sweep.parameter));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSweepCheck(MPI_Comm comm, const SoretCaseSource *source, SoretCase *c)
{
  enum { ENOUGH = 5 };
  const PetscInt errors = SoretInputCountErrors(c->in);

  PetscFunctionBegin;
  if (!c->sweep.given) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(CheckColumn(c));
  PetscCall(CheckSolid(c));
  PetscCall(FindUnit(c, c->in));
  for (PetscInt k = 0; k < c->sweep.values.n && SoretInputCountErrors(c->in) - errors < ENOUGH; k++) {
    const SoretNode *written = Quantity(c, k);
    const PetscInt   before  = SoretInputCountErrors(c->in);

    /* any unit is one of a parameter, but not beside another */
    if (written && !strncmp(c->sweep.parameter, "parameters.", 11) && c->sweep.unit[0] && strcmp(written->unit, c->sweep.unit)) PetscCall(SoretInputError(c->in, PlaceOf(c, k), "'%s' is in %s, and %s in %s", written->text, written->unit, c->sweep.parameter, c->sweep.unit));
    else PetscCall(TryValue(source, c, k, NULL));
    if (written && SoretInputCountErrors(c->in) == before) PetscCall(TryValue(source, c, k, written->text));
  }
  PetscCall(SoretInputCheck(c->in, comm));
  PetscCall(WarnOfGuess(comm, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSweepReport(MPI_Comm comm, const SoretCase *c)
{
  const SoretSweepSpec *spec = &c->sweep;

  PetscFunctionBegin;
  if (!spec->given) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretSay(comm, "sweep of %s: %" PetscInt_FMT " values from %g to %g%s%s, %" PetscInt_FMT " branch%s\n", spec->parameter, spec->values.n, (double)spec->values.value[0], (double)spec->values.value[spec->values.n - 1], spec->unit[0] ? " " : "", spec->unit, spec->branches, spec->branches == 1 ? "" : "es"));
  if (spec->refine.change.given) PetscCall(SoretSay(comm, "  points added until %s changes by no more than %g, %" PetscInt_FMT " at most\n", spec->refine.of, (double)spec->refine.change.value, spec->refine.most));
  if (spec->refine.zero.given) PetscCall(SoretSay(comm, "  points added where %s changes sign, to %g of %s\n", spec->refine.of, (double)spec->refine.zero.value, spec->parameter));
  PetscFunctionReturn(PETSC_SUCCESS);
}
