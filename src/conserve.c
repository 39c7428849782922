/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/conserve.h"

#include <math.h>
#include <stddef.h>

#include "soret/dense.h"

/* ---- the section `totals` ---- */

typedef struct {
  const SoretNode *of;
  PetscReal        mean;
} TotalSpec;

static const SoretKey total_keys[] = {
  {"of", SORET_NODE, NULL, SORET_REQUIRED, SORET_ANY, offsetof(TotalSpec, of), "a conserved sum of species", .syntax = "`A + 2 A2`"},
  {"mean", SORET_REAL, "mol/m^3", SORET_REQUIRED, SORET_ANY, offsetof(TotalSpec, mean), "its mean over the fluid volume; where steady states are sought. Without it a conserved sum keeps the mean of `initial`"},
  {.key = NULL}};

PetscErrorCode SoretTotalsReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`totals[]`", total_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscBool IsNonnegative(PetscInt n, const PetscReal weight[])
{
  for (PetscInt i = 0; i < n; i++) {
    if (weight[i] < 0.0) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

PetscErrorCode SoretTotalsRead(SoretInput in, const SoretModel *model, SoretTotals *totals)
{
  const SoretNode *list = SoretNodeFind(SoretInputRoot(in), "totals");
  PetscInt         num;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(totals, sizeof(*totals)));
  if (model->num_species == 0) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretInputEntries(in, list, SORET_NODE_LIST, "'totals' must be a list of maps, as in [{of: A + 2 A2, mean: 1.0}]", &num));
  PetscCall(PetscCalloc1(num, &totals->total));
  for (PetscInt k = 0; k < num; k++) {
    SoretTotal *total = &totals->total[totals->num];
    TotalSpec   spec;
    PetscBool   ok = PETSC_FALSE;

    PetscCall(SoretInputReadMap(in, list->item[k], list->item[k], "a total", total_keys, &spec));
    total->node = spec.of ? spec.of : list->item[k];
    total->mean = spec.mean;
    PetscCall(PetscCalloc1(PetscMax(model->num_species, 1), &total->weight));
    totals->num++;
    if (spec.of) PetscCall(SoretNetworkReadSum(in, spec.of, model->num_species, model->brief, total->weight, &ok));
    if (ok && spec.mean < 0.0 && IsNonnegative(model->num_species, total->weight)) PetscCall(SoretInputError(in, SoretNodeFind(list->item[k], "mean"), "the mean of a sum of concentrations cannot be negative, found %g", (double)spec.mean));
    if (!ok) {
      PetscCall(PetscFree(total->weight));
      totals->num--;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTotalsDestroy(SoretTotals *totals)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < totals->num; k++) PetscCall(PetscFree(totals->total[k].weight));
  PetscCall(PetscFree(totals->total));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- finding the sums ---- */

/* A set of vectors over the species with a growing orthonormal basis beside it, to tell what is new. */
typedef struct {
  PetscInt   n, num;
  PetscReal *basis; /* [num][n] orthonormal */
} Span;

/* Part of v outside the span, relative to |v|; the direction is left in `rest` (normalised) if it is not negligible. */
static PetscReal Outside(const Span *span, const PetscReal v[], PetscReal rest[])
{
  PetscReal norm = 0.0, left = 0.0;

  for (PetscInt i = 0; i < span->n; i++) {
    rest[i] = v[i];
    norm += v[i] * v[i];
  }
  for (int twice = 0; twice < 2; twice++) {
    for (PetscInt b = 0; b < span->num; b++) {
      const PetscReal *q   = span->basis + b * span->n;
      PetscReal        dot = 0.0;

      for (PetscInt i = 0; i < span->n; i++) dot += q[i] * rest[i];
      for (PetscInt i = 0; i < span->n; i++) rest[i] -= dot * q[i];
    }
  }
  for (PetscInt i = 0; i < span->n; i++) left += rest[i] * rest[i];
  for (PetscInt i = 0; i < span->n && left > 0.0; i++) rest[i] /= sqrt(left);
  return norm > 0.0 ? sqrt(left / norm) : 0.0;
}

static PetscBool AddToSpan(Span *span, const PetscReal v[])
{
  if (span->num == span->n || Outside(span, v, span->basis + span->num * span->n) < 1.0e-9) return PETSC_FALSE;
  span->num++;
  return PETSC_TRUE;
}

/* Conditions that a conserved sum must fulfil, as rows of a matrix: the reactions that are not off or `idle` (NULL: none), equal weights of species that
   a wall turns into each other, and weight 0 of the species in `excluded`. */
static PetscErrorCode NullSpace(const SoretModel *model, const PetscBool idle[], const PetscBool excluded[], PetscInt *num, PetscReal **w)
{
  const PetscInt ns   = model->num_species;
  PetscInt       rows = 0, *matrix;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((model->network.num_reactions + 4 * ns) * ns, &matrix));
  for (PetscInt r = 0; r < model->network.num_reactions; r++) {
    if (SoretNetworkIsOff(&model->network, r) || (idle && idle[r])) continue;
    for (PetscInt i = 0; i < ns; i++) matrix[rows * ns + i] = model->network.stoichiometry[r * ns + i];
    rows++;
  }
  for (PetscInt i = 0; i < ns; i++) {
    for (int axis = 0; axis < 3; axis++) {
      if (model->species[i].mirror[axis] < 0) continue;
      matrix[rows * ns + i] += 1;
      matrix[rows * ns + model->species[i].mirror[axis]] -= 1;
      rows++;
    }
    if (excluded[i]) matrix[rows++ * ns + i] = 1;
  }
  PetscCall(SoretNullVectors(rows, ns, matrix, num, w));
  PetscCall(PetscFree(matrix));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Append(SoretSums *sums, const SoretModel *model, const PetscReal w[])
{
  PetscFunctionBegin;
  PetscCall(PetscArraycpy(sums->w + sums->num * sums->num_species, w, sums->num_species));
  PetscCall(SoretNetworkPrintSum(model->num_species, model->brief, w, SORET_SUM_NAME, sums->name[sums->num]));
  sums->num++;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Totals of the case: they must lie in the span of the conserved sums. Immobile parts are conserved cell by cell by themselves. */
static PetscErrorCode AppendTotals(SoretInput in, const SoretModel *model, const PetscBool open[], const SoretTotals *totals, const Span *conserved, Span *chosen, SoretSums *sums)
{
  PetscReal rest[SORET_MAX_SPECIES];

  PetscFunctionBegin;
  for (PetscInt k = 0; k < totals->num; k++) {
    const SoretTotal *total = &totals->total[k];
    char              name[SORET_SUM_NAME];

    PetscCall(SoretNetworkPrintSum(model->num_species, model->brief, total->weight, sizeof(name), name));
    if (Outside(conserved, total->weight, rest) > 1.0e-9) {
      PetscInt passes = -1;

      for (PetscInt i = 0; i < model->num_species; i++) {
        if (total->weight[i] != 0.0 && open[i]) passes = i;
      }
      if (passes >= 0) PetscCall(SoretInputError(in, total->node, "'%s' is not conserved: a boundary condition lets species '%s' in and out, so its amount cannot be prescribed", name, model->species[passes].name));
      else PetscCall(SoretInputError(in, total->node, "'%s' is not conserved by the reactions", name));
      continue;
    }
    if (!AddToSpan(chosen, total->weight)) {
      PetscCall(SoretInputError(in, total->node, "'%s' is fixed already by the totals before it (or by immobile species alone)", name));
      continue;
    }
    sums->mean[sums->num]       = total->mean;
    sums->prescribed[sums->num] = PETSC_TRUE;
    PetscCall(Append(sums, model, total->weight));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sums found before come first, so that they keep their names. */
static PetscErrorCode AppendKnown(const SoretModel *model, const SoretSums *known, const Span *within, Span *chosen, SoretSums *sums)
{
  PetscReal rest[SORET_MAX_SPECIES];

  PetscFunctionBegin;
  for (PetscInt k = 0; known && k < known->num; k++) {
    const PetscReal *w = known->w + k * known->num_species;

    if ((!within || Outside(within, w, rest) <= 1.0e-9) && AddToSpan(chosen, w)) PetscCall(Append(sums, model, w));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSumsFind(SoretInput in, const SoretModel *model, const PetscBool idle[], const PetscBool open[], const SoretTotals *totals, const SoretSums *known, SoretSums *sums)
{
  const PetscInt ns = model->num_species;
  PetscBool      none[SORET_MAX_SPECIES] = {PETSC_FALSE}, moving[SORET_MAX_SPECIES];
  PetscInt       num_all, num_closed, num_local;
  PetscReal     *all, *closed, *local;
  Span           conserved = {ns, 0, NULL}, chosen = {ns, 0, NULL}, measured = {ns, 0, NULL};

  PetscFunctionBegin;
  PetscCall(PetscMemzero(sums, sizeof(*sums)));
  sums->num_species = ns;
  PetscCall(PetscCalloc1(3 * ns * ns, &sums->w));
  PetscCall(PetscCalloc4(3 * ns, &sums->name, ns, &sums->mean, ns, &sums->prescribed, ns, &sums->fed));
  PetscCall(PetscCalloc3((ns + 1) * ns, &conserved.basis, (ns + 1) * ns, &chosen.basis, (ns + 1) * ns, &measured.basis));
  for (PetscInt i = 0; i < ns; i++) moving[i] = !SoretModelIsImmobile(model, i);
  PetscCall(NullSpace(model, idle, none, &num_all, &all));
  PetscCall(NullSpace(model, idle, open, &num_closed, &closed));
  PetscCall(NullSpace(model, idle, moving, &num_local, &local)); /* members all immobile, hence never open */

  for (PetscInt k = 0; k < num_closed; k++) (void)AddToSpan(&conserved, closed + k * ns);
  for (PetscInt k = 0; k < num_local; k++) (void)AddToSpan(&chosen, local + k * ns);
  PetscCall(AppendTotals(in, model, open, totals, &conserved, &chosen, sums));
  PetscCall(AppendKnown(model, known, &conserved, &chosen, sums));
  for (PetscInt k = 0; k < num_closed; k++) {
    if (AddToSpan(&chosen, closed + k * ns)) PetscCall(Append(sums, model, closed + k * ns));
  }
  sums->num_global = sums->num;
  for (PetscInt k = 0; k < num_local; k++) PetscCall(Append(sums, model, local + k * ns));
  sums->num_local = num_local;
  for (PetscInt k = 0; k < sums->num; k++) (void)AddToSpan(&measured, sums->w + k * ns);
  PetscCall(AppendKnown(model, known, NULL, &measured, sums));
  for (PetscInt k = 0; k < num_all; k++) {
    if (AddToSpan(&measured, all + k * ns)) PetscCall(Append(sums, model, all + k * ns));
  }
  PetscCall(PetscFree3(conserved.basis, chosen.basis, measured.basis));
  PetscCall(PetscFree(all));
  PetscCall(PetscFree(closed));
  PetscCall(PetscFree(local));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FreePart(SoretPocketSums *part)
{
  PetscFunctionBegin;
  PetscCall(PetscFree3(part->w, part->mean, part->fed));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode DestroyParts(SoretSums *sums)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < sums->num_parts; k++) PetscCall(FreePart(&sums->part[k]));
  PetscCall(PetscFree(sums->part));
  PetscCall(PetscFree(sums->any));
  sums->num_parts = sums->num_any = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSumsDestroy(SoretSums *sums)
{
  PetscFunctionBegin;
  PetscCall(DestroyParts(sums));
  PetscCall(PetscFree(sums->w));
  PetscCall(PetscFree4(sums->name, sums->mean, sums->prescribed, sums->fed));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Their names, one a line; free with PetscFree(). */
static PetscErrorCode ListNames(const SoretSums *sums, char **lines)
{
  const char *name[3 * SORET_MAX_SPECIES];

  PetscFunctionBegin;
  for (PetscInt k = 0; k < sums->num; k++) name[k] = sums->name[k];
  PetscCall(SoretJoinLines(sums->num, name, lines));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSumsPut(const SoretSums *sums, SoretArchive archive)
{
  char *names;

  PetscFunctionBegin;
  PetscCall(ListNames(sums, &names));
  PetscCall(SoretArchivePutText(archive, "sums", names));
  PetscCall(PetscFree(names));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSumsAgree(const SoretSums *sums, SoretArchive archive, PetscBool *agree)
{
  char *names;

  PetscFunctionBegin;
  PetscCall(ListNames(sums, &names));
  PetscCall(SoretArchiveAgrees(archive, "sums", names, agree));
  PetscCall(PetscFree(names));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- measuring ---- */

void SoretSumsOfContent(const SoretSums *sums, const SoretOperator *op, const PetscReal content[], PetscReal mean[], PetscReal scale[])
{
  const PetscInt ns = sums->num_species;

  for (PetscInt k = 0; k < sums->num; k++) {
    mean[k] = 0.0;
    if (scale) scale[k] = 0.0;
    for (PetscInt s = 0; s < ns; s++) {
      mean[k] += sums->w[k * ns + s] * content[s] / op->grid->fluid_volume;
      if (scale) scale[k] += PetscAbsReal(sums->w[k * ns + s] * content[s]) / op->grid->fluid_volume;
    }
  }
}

PetscErrorCode SoretSumsMeasure(const SoretSums *sums, const SoretOperator *op, Vec c, PetscReal mean[], PetscReal scale[])
{
  PetscReal content[SORET_MAX_SPECIES];

  PetscFunctionBegin;
  PetscCall(SoretOperatorContent(op, c, content));
  SoretSumsOfContent(sums, op, content, mean, scale);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- connected parts of the fluid ---- */

PetscErrorCode SoretPocketsMeasure(const SoretOperator *op, Vec x, PetscReal amount[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  const PetscReal *c;
  PetscMPIInt      n;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast(grid->num_pockets * ns, &n));
  PetscCall(PetscArrayzero(amount, n));
  PetscCall(VecGetArrayRead(x, &c));
  for (PetscInt row = 0; row < grid->count[1] * grid->count[2]; row++) {
    PetscReal here[SORET_MAX_SPECIES] = {0.0};

    for (PetscInt p = row * grid->count[0]; p < (row + 1) * grid->count[0]; p++) { /* run by run: less rounding than in one go */
      const PetscInt  part = grid->pocket[p];
      const PetscReal V    = SoretOperatorCellVolume(op, p);

      for (PetscInt s = 0; s < ns && part >= 0; s++) here[s] += V * c[p * ns + s];
      if (part < 0 || (p + 1 < (row + 1) * grid->count[0] && grid->pocket[p + 1] == part)) continue;
      for (PetscInt s = 0; s < ns; s++) {
        amount[part * ns + s] += here[s];
        here[s] = 0.0;
      }
    }
  }
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, amount, n, MPIU_REAL, MPI_SUM, grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscReal SoretPocketMean(const SoretSums *sums, const PetscReal volume[], PetscInt part, PetscInt k, const PetscReal amount[], PetscReal *scale)
{
  const PetscInt   ns = sums->num_species;
  const PetscReal *w  = sums->part[part].w + k * ns;
  PetscReal        sum = 0.0, absolute = 0.0;

  for (PetscInt s = 0; s < ns; s++) {
    sum += w[s] * amount[part * ns + s];
    absolute += PetscAbsReal(w[s] * amount[part * ns + s]);
  }
  if (scale) *scale = absolute / volume[part];
  return sum / volume[part];
}

/* open[part][species]: some wall of the part holds, exchanges or carries away the species, in a steady run as its coefficients are; fed: it has a prescribed flux. Collective. */
static PetscErrorCode LookAtWalls(const SoretBoundary *boundary, PetscBool steady, PetscMPIInt open[], PetscMPIInt fed[])
{
  const SoretGrid *grid = boundary->grid;
  const PetscInt   ns   = boundary->spec->num_species;
  PetscMPIInt      n;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast(grid->num_pockets * ns, &n));
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < boundary->num[face]; q++) {
      PetscInt ijk[3], part;

      SoretBoundaryCell(grid, face, q, ijk);
      part = grid->pocket[SoretGridCellNumber(grid, ijk)];
      for (PetscInt s = 0; s < ns && part >= 0; s++) {
        const SoretConditionKind kind   = SoretBoundaryCondition(boundary->spec, face, s)->kind;
        const PetscBool          passes = steady ? SoretBoundaryPasses(boundary, face, q, s) : SoretConditionMayPass(kind);

        if (passes) open[part * ns + s] = 1;
        else if (kind == SORET_FLUX || boundary->beta[face][q * ns + s] != 0.0) fed[part * ns + s] = 1;
      }
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, open, n, MPI_INT, MPI_MAX, grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, fed, n, MPI_INT, MPI_MAX, grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Does a reaction run at some concentrations in cell i of a row? */
static PetscBool Runs(const SoretOperator *op, PetscInt r, PetscInt row, PetscInt i)
{
  for (PetscInt way = 2 * r; way < 2 * r + 2; way++) {
    const PetscReal k = op->slot[way] < 0 ? op->k_constant[way * SORET_MAX_LANES] : op->k[((size_t)row * (size_t)op->num_slots + (size_t)op->slot[way]) * (size_t)op->grid->count[0] + (size_t)i]; /* more than PetscInt counts */

    if (k != 0.0) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* runs[part][reaction]: in some cell of the part of the fluid. Collective. */
static PetscErrorCode LookAtReactions(const SoretOperator *op, PetscInt num_parts, PetscMPIInt runs[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   nr   = op->model->network.num_reactions;
  PetscInt         left = num_parts * nr; /* not seen to run so far */
  PetscMPIInt      n;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast(num_parts * nr, &n));
  for (PetscInt p = 0; p < grid->num_cells && left; p++) {
    const PetscInt part = SoretGridIsSolid(grid, p) ? -1 : num_parts > 1 ? grid->pocket[p] : 0;

    for (PetscInt r = 0; r < nr && part >= 0; r++) {
      if (runs[part * nr + r] || !Runs(op, r, p / grid->count[0], p % grid->count[0])) continue;
      runs[part * nr + r] = 1;
      left--;
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, runs, n, MPI_INT, MPI_MAX, grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSumsFindIdle(const SoretOperator *op, PetscBool idle[])
{
  PetscMPIInt runs[SORET_MAX_REACTIONS] = {0};

  PetscFunctionBegin;
  PetscCall(LookAtReactions(op, 1, runs));
  for (PetscInt r = 0; r < op->model->network.num_reactions; r++) idle[r] = runs[r] ? PETSC_FALSE : PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is there nothing of a species, since it is a member of a sum without negative weights whose mean is 0? */
static PetscBool IsAbsent(PetscInt ns, PetscInt num, const PetscReal w[], const PetscReal mean[], PetscInt species)
{
  for (PetscInt k = 0; k < num; k++) {
    if (mean[k] == 0.0 && w[k * ns + species] > 0.0 && IsNonnegative(ns, w + k * ns)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* Do `totals` leave nothing of all members of a sum, whatever `initial` has of them? */
static PetscBool IsRuledOut(const SoretSums *sums, const PetscReal w[])
{
  const PetscInt ns = sums->num_species;

  for (PetscInt s = 0; s < ns; s++) {
    PetscBool absent = w[s] == 0.0 ? PETSC_TRUE : PETSC_FALSE;

    for (PetscInt k = 0; k < sums->num_global && !absent; k++) absent = sums->prescribed[k] && IsAbsent(ns, 1, sums->w + k * ns, &sums->mean[k], s) ? PETSC_TRUE : PETSC_FALSE;
    if (!absent) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

PetscBool SoretSumsIsAbsent(const SoretSums *sums, PetscInt part, PetscInt species)
{
  const PetscInt ns = sums->num_species;

  if (IsAbsent(ns, sums->num_global + sums->num_local, sums->w, sums->mean, species)) return PETSC_TRUE;
  return sums->num_parts && IsAbsent(ns, sums->part[part].num, sums->part[part].w, sums->part[part].mean, species) ? PETSC_TRUE : PETSC_FALSE;
}

/* Where a catalyst is absent a reaction runs neither way. Puts such reactions down in idle[]; were there any that were not? Reactants that it changes need no such care: where they
   are absent, sums with what is made of them say what there is of the others. */
static PetscBool AddIdle(const SoretNetwork *net, PetscInt num, const PetscReal w[], const PetscReal mean[], PetscBool idle[])
{
  PetscBool any = PETSC_FALSE;

  for (PetscInt r = 0; r < net->num_reactions; r++) {
    const SoretFactors *reactants = &net->reaction[r].reactants;

    for (PetscInt i = 0; i < reactants->num && !idle[r]; i++) {
      const PetscInt c = reactants->species[i];

      if (!net->stoichiometry[r * net->num_species + c] && IsAbsent(net->num_species, num, w, mean, c)) any = idle[r] = PETSC_TRUE;
    }
  }
  return any;
}

PetscBool SoretSumsAddIdle(const SoretSums *sums, const SoretNetwork *net, PetscBool idle[])
{
  return AddIdle(net, sums->num_global + sums->num_local, sums->w, sums->mean, idle);
}

/* The sums that a part keeps, with their means: [part][species] whether its walls let a species in or out, or feed it, and amounts; reactions that are idle in it (NULL: none). */
static PetscErrorCode FindPart(SoretSums *sums, const SoretOperator *op, PetscInt number, const PetscMPIInt open[], const PetscMPIInt fed[], const PetscBool idle[], const PetscReal amount[])
{
  const PetscInt   ns   = sums->num_species;
  SoretPocketSums *part = &sums->part[number];
  Span             kept = {ns, 0, NULL};
  PetscBool        out[SORET_MAX_SPECIES];
  PetscReal       *closed;
  PetscInt         num;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < ns; s++) out[s] = open[number * ns + s] ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(NullSpace(op->model, idle, out, &num, &closed));
  PetscCall(PetscCalloc1((ns + 1) * ns, &kept.basis));
  PetscCall(PetscCalloc3(ns * ns, &part->w, ns, &part->mean, ns, &part->fed));
  for (PetscInt k = 0; k < sums->num_global + sums->num_local; k++) (void)AddToSpan(&kept, sums->w + k * ns);
  PetscCall(PetscArraycpy(part->w, sums->w, sums->num_global * ns));
  part->num = sums->num_global;
  for (PetscInt k = 0; k < num; k++) {
    if (!AddToSpan(&kept, closed + k * ns)) continue;
    PetscCall(PetscArraycpy(part->w + part->num * ns, closed + k * ns, ns));
    part->num++;
  }
  for (PetscInt k = 0; k < part->num; k++) {
    if (k < sums->num_global && sums->prescribed[k]) part->mean[k] = sums->mean[k];
    else part->mean[k] = IsRuledOut(sums, part->w + k * ns) ? 0.0 : SoretPocketMean(sums, op->grid->pocket_volume, number, k, amount, NULL);
    for (PetscInt s = 0; s < ns; s++) part->fed[k] = part->fed[k] || (part->w[k * ns + s] != 0.0 && fed[number * ns + s]) ? PETSC_TRUE : PETSC_FALSE;
  }
  PetscCall(PetscFree(kept.basis));
  PetscCall(PetscFree(closed));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The sums that some part keeps. */
static PetscErrorCode UnitePartSums(SoretSums *sums)
{
  const PetscInt ns    = sums->num_species;
  Span           united = {ns, 0, NULL};

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((ns + 1) * ns, &united.basis));
  PetscCall(PetscCalloc1(ns * ns, &sums->any));
  for (PetscInt k = 0; k < sums->num_global + sums->num_local; k++) (void)AddToSpan(&united, sums->w + k * ns);
  PetscCall(PetscArraycpy(sums->any, sums->w, sums->num_global * ns));
  sums->num_any = sums->num_global;
  for (PetscInt part = 0; part < sums->num_parts; part++) {
    for (PetscInt k = sums->num_global; k < sums->part[part].num; k++) {
      const PetscReal *w = sums->part[part].w + k * ns;

      if (!AddToSpan(&united, w)) continue;
      PetscCall(PetscArraycpy(sums->any + sums->num_any * ns, w, ns));
      sums->num_any++;
    }
  }
  PetscCall(PetscFree(united.basis));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The sums that a part of a steady run keeps: of reactions that run nowhere in it, and of those that lack a catalyst there. */
static PetscErrorCode FindSteadyPart(SoretSums *sums, const SoretOperator *op, PetscInt part, const PetscMPIInt open[], const PetscMPIInt fed[], const PetscMPIInt runs[], const PetscReal amount[])
{
  const SoretNetwork *net  = &op->model->network;
  const PetscInt      ns   = sums->num_species;
  const PetscReal    *w    = sums->w + sums->num_global * ns;
  SoretPocketSums    *kept = &sums->part[part];
  PetscBool           idle[SORET_MAX_REACTIONS];
  PetscReal           local[SORET_MAX_SPECIES] = {0.0};

  PetscFunctionBegin;
  for (PetscInt r = 0; r < net->num_reactions; r++) idle[r] = runs[part * net->num_reactions + r] ? PETSC_FALSE : PETSC_TRUE;
  for (PetscInt q = 0; q < sums->num_local * ns; q++) local[q / ns] += w[q] * amount[part * ns + q % ns];
  (void)AddIdle(net, sums->num_local, w, local, idle);
  do {
    PetscCall(FreePart(kept));
    PetscCall(FindPart(sums, op, part, open, fed, idle, amount));
  } while (AddIdle(net, kept->num, kept->w, kept->mean, idle));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FindParts(SoretSums *sums, const SoretOperator *op, Vec c, PetscBool steady)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = sums->num_species, nr = op->model->network.num_reactions, num = grid->num_pockets;
  PetscMPIInt     *open, *fed, *runs;
  PetscReal       *amount;

  PetscFunctionBegin;
  PetscCall(PetscCalloc4(num * ns, &open, num * ns, &fed, num * nr, &runs, num * ns, &amount));
  PetscCall(LookAtWalls(op->boundary, steady, open, fed));
  if (steady) PetscCall(LookAtReactions(op, num, runs));
  PetscCall(SoretPocketsMeasure(op, c, amount));
  PetscCall(PetscCalloc1(num, &sums->part));
  sums->num_parts = num;
  for (PetscInt part = 0; part < num; part++) {
    if (steady) PetscCall(FindSteadyPart(sums, op, part, open, fed, runs, amount));
    else PetscCall(FindPart(sums, op, part, open, fed, NULL, amount));
  }
  PetscCall(UnitePartSums(sums));
  PetscCall(PetscFree4(open, fed, runs, amount));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Does a wall have a prescribed flux of a member of a sum? */
static PetscBool HasFlux(const SoretSums *sums, const SoretBoundarySpec *spec, PetscInt k)
{
  for (int face = 0; face < 6; face++) {
    for (PetscInt s = 0; s < sums->num_species; s++) {
      if (sums->w[k * sums->num_species + s] != 0.0 && SoretBoundaryCondition(spec, face, s)->kind == SORET_FLUX) return PETSC_TRUE;
    }
  }
  return PETSC_FALSE;
}

/* What prescribed fluxes bring of each species into each of several parts of the fluid, or into all of it, in[num_parts][num_species], net and gross. Collective. */
static PetscErrorCode MeasureInput(const SoretBoundary *boundary, PetscInt num_parts, PetscReal in[])
{
  const SoretGrid *grid = boundary->grid;
  const PetscInt   ns   = boundary->spec->num_species;
  PetscMPIInt      n;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast(2 * num_parts * ns, &n));
  PetscCall(PetscArrayzero(in, n));
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < boundary->num[face] * ns; q++) {
      PetscInt ijk[3], part;

      SoretBoundaryCell(grid, face, q / ns, ijk);
      part = num_parts > 1 ? grid->pocket[SoretGridCellNumber(grid, ijk)] : 0;
      if (part < 0) continue;
      in[2 * (part * ns + q % ns)] += boundary->beta[face][q];
      in[2 * (part * ns + q % ns) + 1] += PetscAbsReal(boundary->beta[face][q]);
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, in, n, MPIU_REAL, MPI_SUM, grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is the net input of a sum more than rounding? */
static PetscBool HasInput(PetscInt ns, const PetscReal w[], const PetscReal in[], PetscReal *net)
{
  PetscReal gross = 0.0;

  *net = 0.0;
  for (PetscInt s = 0; s < ns; s++) {
    *net += w[s] * in[2 * s];
    gross += PetscAbsReal(w[s]) * in[2 * s + 1];
  }
  return PetscAbsReal(*net) > 1.0e-12 * gross ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode SoretSumsKeep(SoretSums *sums, const SoretOperator *op, Vec c, PetscBool steady)
{
  PetscReal mean[3 * SORET_MAX_SPECIES], in[2 * SORET_MAX_SPECIES], net;

  PetscFunctionBegin;
  PetscCall(SoretSumsMeasure(sums, op, c, mean, NULL));
  for (PetscInt k = 0; k < sums->num_global + sums->num_local; k++) {
    if (!sums->prescribed[k]) sums->mean[k] = IsRuledOut(sums, sums->w + k * sums->num_species) ? 0.0 : mean[k];
  }
  PetscCall(MeasureInput(op->boundary, 1, in));
  for (PetscInt k = 0; k < sums->num_global; k++) { /* fluxes that balance now may not do so later */
    sums->fed[k] = HasInput(sums->num_species, sums->w + k * sums->num_species, in, &net) || (!steady && op->varies && HasFlux(sums, op->boundary->spec, k)) ? PETSC_TRUE : PETSC_FALSE;
  }
  PetscCall(DestroyParts(sums));
  if (op->grid->num_pockets > 1) PetscCall(FindParts(sums, op, c, steady));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSumsMatch(const SoretSums *sums, const SoretOperator *op, Vec x, PetscBool *ok)
{
  const PetscInt ns = sums->num_species;
  PetscReal      amount[SORET_MAX_SPECIES], factor[SORET_MAX_SPECIES], lambda[SORET_MAX_SPECIES] = {0.0}, worst = 1.0, *c;
  PetscBool      same = PETSC_TRUE;

  PetscFunctionBegin;
  *ok = PETSC_TRUE;
  PetscCall(SoretOperatorContent(op, x, amount));
  for (PetscInt s = 0; s < ns; s++) {
    amount[s] /= op->grid->fluid_volume;
    factor[s] = 1.0;
  }
  for (int sweep = 0; sweep < 400 && worst > 1.0e-3 && *ok; sweep++) {
    worst = 0.0;
    for (PetscInt k = 0; k < sums->num_global && *ok; k++) {
      const PetscReal *w    = sums->w + k * ns;
      PetscReal        mean = 0.0, slope = 0.0, scale = 0.0, step;

      for (PetscInt s = 0; s < ns; s++) {
        PetscReal power = 0.0;

        for (PetscInt l = 0; l < sums->num_global; l++) power += lambda[l] * sums->w[l * ns + s];
        factor[s] = SoretModelIsImmobile(op->model, s) ? 1.0 : exp(power);
        mean += w[s] * amount[s] * factor[s];
        scale += fabs(w[s] * amount[s] * factor[s]);
        if (!SoretModelIsImmobile(op->model, s)) slope += w[s] * w[s] * amount[s] * factor[s];
      }
      if (!(slope > 0.0) || (sums->mean[k] == 0.0 && scale > 0.0)) *ok = sums->mean[k] == mean ? PETSC_TRUE : PETSC_FALSE;
      if (!(slope > 0.0)) continue;
      step = (sums->mean[k] - mean) / slope;
      /* of a sum of positive terms the logarithm is nearer to a straight line */
      if (mean > 0.0 && mean == scale && sums->mean[k] > 0.0) step = log(sums->mean[k] / mean) * mean / slope;
      lambda[k] += PetscMax(-3.0, PetscMin(3.0, step));
      worst = PetscMax(worst, fabs(sums->mean[k] - mean) / PetscMax(scale, fabs(sums->mean[k])));
    }
  }
  if (worst > 0.1) *ok = PETSC_FALSE;
  for (PetscInt s = 0; s < ns; s++) same = same && factor[s] == 1.0 ? PETSC_TRUE : PETSC_FALSE;
  if (same) PetscFunctionReturn(PETSC_SUCCESS); /* as where no totals are given */
  PetscCall(VecGetArray(x, &c));
  for (PetscInt p = 0; p < op->grid->num_cells && *ok; p++) {
    for (PetscInt s = 0; s < ns; s++) c[p * ns + s] *= factor[s];
  }
  PetscCall(VecRestoreArray(x, &c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Does a sum that a part of the fluid keeps not balance? The first is told. Collective. */
static PetscErrorCode FindUnbalancedPart(const SoretSums *sums, const SoretBoundary *boundary, PetscBool *found)
{
  const PetscInt ns = sums->num_species;
  PetscReal     *in;

  PetscFunctionBegin;
  *found = PETSC_FALSE;
  PetscCall(PetscMalloc1(2 * sums->num_parts * ns, &in));
  PetscCall(MeasureInput(boundary, sums->num_parts, in));
  for (PetscInt part = 0; part < sums->num_parts && !*found; part++) {
    for (PetscInt k = 0; k < sums->part[part].num && !*found; k++) {
      const PetscReal *w = sums->part[part].w + k * ns;
      PetscReal        net;
      char             name[SORET_SUM_NAME];

      *found = HasInput(ns, w, in + 2 * part * ns, &net);
      if (!*found) continue;
      PetscCall(SoretNetworkPrintSum(ns, boundary->model->brief, w, sizeof(name), name));
      PetscCall(SoretComplain(boundary->grid->comm, "soret: there is no steady state: the walls %s %g of '%s' per time %s a part of the fluid, of volume %g, that solid cuts off from the rest, and nothing %s; use `solid_pockets: fill`, or run `mode: transient`\n", net > 0.0 ? "bring" : "take", (double)PetscAbsReal(net), name, net > 0.0 ? "into" : "out of", (double)boundary->grid->pocket_volume[part], net > 0.0 ? "takes it out" : "brings it in"));
    }
  }
  PetscCall(PetscFree(in));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is there no c >= 0 with sum_i w_ki c_i = mean_k for all k? */
static PetscBool Contradict(PetscInt ns, PetscInt num, const PetscReal w[], const PetscReal mean[])
{
  PetscReal c[SORET_MAX_SPECIES], largest = 0.0;

  for (PetscInt k = 0; k < num; k++) largest = PetscMax(largest, PetscAbsReal(mean[k]));
  return SoretSolveNonnegative(num, ns, w, mean, c) > 1.0e-8 * largest ? PETSC_TRUE : PETSC_FALSE;
}

/* Means of `initial` belong to concentrations; those of `totals` may be at odds with them or with each other. Collective. */
static PetscErrorCode FindContradiction(const SoretSums *sums, MPI_Comm comm, PetscBool *found)
{
  PetscBool prescribed = PETSC_FALSE;
  char      list[4 * SORET_SUM_NAME] = "";

  PetscFunctionBegin;
  *found = PETSC_FALSE;
  for (PetscInt k = 0; k < sums->num_global; k++) prescribed = prescribed || sums->prescribed[k] ? PETSC_TRUE : PETSC_FALSE;
  if (!prescribed) PetscFunctionReturn(PETSC_SUCCESS);
  if (!sums->num_parts) *found = Contradict(sums->num_species, sums->num_global, sums->w, sums->mean);
  for (PetscInt part = 0; part < sums->num_parts && !*found; part++) *found = Contradict(sums->num_species, sums->part[part].num, sums->part[part].w, sums->part[part].mean);
  if (!*found) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt k = 0; k < sums->num_global; k++) {
    char item[SORET_SUM_NAME + 64];

    (void)snprintf(item, sizeof(item), "%s%s = %.10g%s", k ? ", " : "", sums->name[k], (double)sums->mean[k], sums->prescribed[k] ? "" : " (of `initial`)");
    PetscCall(SoretAppend(list, item, sizeof(list)));
  }
  PetscCall(SoretComplain(comm, "soret: there is no steady state: with these means some concentration would be negative: %s; correct `totals`, or `initial`, from which those are taken that `totals` does not give\n", list));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A sum none of whose members moves along some axis is kept by each layer of cells across it: the mean over the box does not say how much there is in which. Those
   of species that stand still are known in each cell. Collective. */
static PetscErrorCode FindLayers(const SoretSums *sums, const SoretOperator *op, PetscBool *found)
{
  const PetscInt ns = sums->num_species;
  PetscBool      open[SORET_MAX_SPECIES], leaves[SORET_MAX_SPECIES];

  PetscFunctionBegin;
  *found = PETSC_FALSE;
  PetscCall(SoretBoundaryFindOpen(op->boundary, open));
  for (int axis = 0; axis < op->grid->dim && !*found; axis++) {
    Span       known = {ns, 0, NULL};
    PetscReal *w;
    PetscInt   num;

    for (PetscInt s = 0; s < ns; s++) leaves[s] = open[s] || op->model->species[s].diffuses || op->model->species[s].moves[axis] ? PETSC_TRUE : PETSC_FALSE;
    PetscCall(NullSpace(op->model, NULL, leaves, &num, &w));
    PetscCall(PetscCalloc1((ns + 1) * ns, &known.basis));
    for (PetscInt k = sums->num_global; k < sums->num_global + sums->num_local; k++) (void)AddToSpan(&known, sums->w + k * ns);
    for (PetscInt k = 0; k < num && !*found; k++) {
      char name[SORET_SUM_NAME];

      if (!AddToSpan(&known, w + k * ns)) continue;
      *found = PETSC_TRUE;
      PetscCall(SoretNetworkPrintSum(ns, op->model->brief, w + k * ns, sizeof(name), name));
      PetscCall(SoretComplain(op->grid->comm, "soret: there is more than one steady state: nothing carries '%s' along %c, so that each layer of cells keeps what it has of it; leave %c out of the domain, give one of its species a diffusivity or a velocity along %c, or run `mode: transient`, with `until_steady`\n", name, SORET_AXIS_NAMES[axis], SORET_AXIS_NAMES[axis], SORET_AXIS_NAMES[axis]));
    }
    PetscCall(PetscFree(known.basis));
    PetscCall(PetscFree(w));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Does a reaction change a species that stands still? */
static PetscBool ChangesImmobile(const SoretModel *model, PetscInt r)
{
  for (PetscInt s = 0; s < model->num_species; s++) {
    if (model->network.stoichiometry[r * model->num_species + s] && SoretModelIsImmobile(model, s)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* Where reactions of species that stand still do not run, as outside a patch of catalyst, there are more sums of them that a cell keeps than everywhere. The first
   such cell is told, with a reaction that does not run there. Collective. */
static PetscErrorCode FindIdleCell(const SoretSums *sums, const SoretOperator *op, PetscBool *found)
{
  const SoretGrid  *grid  = op->grid;
  const SoretModel *model = op->model;
  const PetscInt    nr    = model->network.num_reactions;
  PetscBool         moving[SORET_MAX_SPECIES], idle[SORET_MAX_REACTIONS] = {PETSC_FALSE}, more = PETSC_FALSE;
  PetscInt          local[SORET_MAX_REACTIONS], num_local = 0; /* reactions that change a species that stands still */
  PetscReal         first = PETSC_MAX_REAL; /* number of the cell times nr and of the reaction */

  PetscFunctionBegin;
  for (PetscInt s = 0; s < model->num_species; s++) moving[s] = !SoretModelIsImmobile(model, s);
  for (PetscInt r = 0; r < nr; r++) {
    if (ChangesImmobile(model, r) && !SoretNetworkIsOff(&model->network, r)) local[num_local++] = r;
  }
  for (PetscInt p = 0; p < grid->num_cells && num_local && first == PETSC_MAX_REAL; p++) {
    const PetscInt at[3]  = SORET_LOCAL_INDEX(grid, p);
    PetscBool      others = PETSC_FALSE;
    PetscInt       none = -1, num;
    PetscReal     *w;

    if (SoretGridIsSolid(grid, p)) continue;
    for (PetscInt l = 0; l < num_local; l++) {
      const PetscInt  r     = local[l];
      const PetscBool rests = Runs(op, r, p / grid->count[0], at[0]) ? PETSC_FALSE : PETSC_TRUE;

      others  = others || rests != idle[r] ? PETSC_TRUE : PETSC_FALSE;
      idle[r] = rests;
      if (rests && none < 0) none = r;
    }
    if (others) {
      PetscCall(NullSpace(model, idle, moving, &num, &w));
      more = num > sums->num_local ? PETSC_TRUE : PETSC_FALSE;
      PetscCall(PetscFree(w));
    }
    if (more) first = (PetscReal)nr * (((PetscReal)(grid->start[2] + at[2]) * (PetscReal)grid->n[1] + (PetscReal)(grid->start[1] + at[1])) * (PetscReal)grid->n[0] + (PetscReal)(grid->start[0] + at[0])) + (PetscReal)none;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPIU_REAL, MPI_MIN, grid->comm));
  *found = first < PETSC_MAX_REAL ? PETSC_TRUE : PETSC_FALSE;
  if (*found) {
    const PetscInt64 number = (PetscInt64)first, cell = number / nr;
    const PetscInt64 ijk[3] = {cell % grid->n[0], cell / grid->n[0] % grid->n[1], cell / grid->n[0] / grid->n[1]};
    PetscReal        x[3];
    char             place[96];

    for (int axis = 0; axis < 3; axis++) x[axis] = axis < grid->dim ? grid->center[axis][ijk[axis]] : 0.0;
    (void)snprintf(place, sizeof(place), "(%g, %g, %g)", (double)x[0], (double)x[1], (double)x[2]);
    PetscCall(SoretComplain(grid->comm, "soret: there is more than one steady state: the rate constants of '%s' are 0 at %s, where nothing else decides about its species that do not move; give it small ones there, or run `mode: transient`, with `until_steady`\n", model->network.reaction[number % nr].equation, place));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSumsRefuseImpossible(const SoretSums *sums, const SoretOperator *op)
{
  const SoretBoundary *boundary = op->boundary;
  PetscReal            in[2 * SORET_MAX_SPECIES], net;
  PetscBool            refused = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(MeasureInput(boundary, 1, in));
  for (PetscInt k = 0; k < sums->num_global; k++) {
    if (!HasInput(sums->num_species, sums->w + k * sums->num_species, in, &net)) continue;
    refused = PETSC_TRUE;
    PetscCall(SoretComplain(boundary->grid->comm, "soret: there is no steady state: the walls %s %g of '%s' per time and nothing %s; give one of its species a 'value', 'transfer' or 'outflow' condition, balance the fluxes, or run `mode: transient`\n", net > 0.0 ? "bring in" : "take out", (double)PetscAbsReal(net), sums->name[k], net > 0.0 ? "takes it out" : "brings it in"));
  }
  if (!refused && sums->num_parts) PetscCall(FindUnbalancedPart(sums, boundary, &refused));
  if (!refused) PetscCall(FindContradiction(sums, boundary->grid->comm, &refused));
  if (!refused) PetscCall(FindLayers(sums, op, &refused));
  if (!refused) PetscCall(FindIdleCell(sums, op, &refused));
  PetscFunctionReturn(refused ? SORET_ERR_INPUT : PETSC_SUCCESS);
}
