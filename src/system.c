/* SPDX-License-Identifier: BSD-2-Clause */
#include "solve_private.h"

#include <math.h>
#include <petsc/private/petscimpl.h> /* PetscObjectStateGet(), which has a manual page but no public prototype */

#include "kernel.h"
#include "soret/record.h"

/* Strength of the shift of the preconditioner relative to the rate of transport: small, so that it moves only the null modes, which cost
   the Krylov method one iteration each. */
static const PetscReal shift_of_rate = 0.1;

/* Rows of solid beside the least one of the fluid: coarse matrices, in which up to 4^levels of them stand beside one conductance, shall not feel them; but
   where they are below 1e-10 the Krylov method that estimates eigenvalues for Chebyshev's smoother sees nothing but solid. */
static const PetscReal solid_share = 1.0e-7;

/* ---- orthonormal sums ---- */

/* Orthonormalises num vectors w with means `mean` in place of a copy: q_k . c has mean target_k. */
static void Orthonormalise(PetscInt ns, PetscInt num, const PetscReal w[], const PetscReal mean[], PetscReal q[], PetscReal target[])
{
  for (PetscInt k = 0; k < num; k++) {
    PetscReal norm = 0.0;

    for (PetscInt i = 0; i < ns; i++) q[k * ns + i] = w[k * ns + i];
    if (mean) target[k] = mean[k];
    for (PetscInt l = 0; l < k; l++) {
      PetscReal dot = 0.0;

      for (PetscInt i = 0; i < ns; i++) dot += q[l * ns + i] * q[k * ns + i];
      for (PetscInt i = 0; i < ns; i++) q[k * ns + i] -= dot * q[l * ns + i];
      if (mean) target[k] -= dot * target[l];
    }
    for (PetscInt i = 0; i < ns; i++) norm += q[k * ns + i] * q[k * ns + i];
    norm = sqrt(norm);
    for (PetscInt i = 0; i < ns; i++) q[k * ns + i] /= norm;
    if (mean) target[k] /= norm;
  }
}

PetscReal SoretDiffusionRate(const SoretOperator *op, PetscReal D)
{
  PetscReal length = 0.0;

  for (PetscInt axis = 0; axis < op->grid->dim; axis++) length = PetscMax(length, op->grid->size[axis]);
  return 10.0 * D / (length * length);
}

/* The same with the mean diffusivity of the members of a sum. */
static PetscReal TransportRate(const SoretOperator *op, const PetscReal q[])
{
  PetscReal D = 0.0, weight = 0.0;

  for (PetscInt i = 0; i < op->num_species; i++) {
    D += q[i] * q[i] * op->mean_D[i];
    weight += q[i] * q[i];
  }
  return SoretDiffusionRate(op, D / weight);
}

/* How strong the terms of the sums are, and the shifts in their place. Where velocities relax fast, transport is much slower than they are: a shift of
   their size would move all smooth modes, not the null modes alone. */
static PetscErrorCode SetStrengths(SoretSystem *sys, Vec c_0)
{
  PetscReal D[3 * SORET_MAX_SPECIES] = {0.0}; /* parts of the fluid may have more sums: of species that diffuse */

  PetscFunctionBegin;
  if (!sys->num) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretRelaxedDiffusivity(sys->op, sys->sums, c_0, D));
  for (PetscInt k = 0; k < sys->num; k++) {
    sys->beta[k]  = TransportRate(sys->op, sys->q + k * sys->op->num_species);
    sys->gamma[k] = shift_of_rate * (D[k] > 0.0 ? PetscMin(sys->beta[k], SoretDiffusionRate(sys->op, D[k])) : sys->beta[k]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

typedef struct {
  PetscReal *net, *gross;  /* a row each */
  PetscReal  rate, amount; /* of all species: gross rates, and how much there is */
} LocalRates;

static PetscErrorCode AddLocalRates(SoretOperator *op, const SoretRow *row, void *context)
{
  LocalRates    *local = (LocalRates *)context;
  const PetscInt ns    = op->num_species;

  PetscFunctionBegin;
  SoretOperatorGrossReactions(op, row, local->net, local->gross);
  for (PetscInt q = 0; q < op->grid->count[0] * ns; q++) {
    local->rate += local->gross[q];
    local->amount += SoretOperatorVolume(op, row, q / ns) * PetscAbsReal(row->c[q]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Strength of the term of what each cell keeps: any positive number would do, as it is solved exactly in each cell; of the size of the other rates, those of reactions
   where nothing moves, rounding leaves its digits. */
static PetscErrorCode SetLocalStrength(SoretSystem *sys, Vec c_0)
{
  SoretOperator *op    = sys->op;
  const PetscInt row   = op->grid->count[0] * op->num_species;
  LocalRates     local = {.rate = 0.0};
  PetscReal      sum[2];

  PetscFunctionBegin;
  for (PetscInt s = 0; s < op->num_species; s++) sys->beta_local = PetscMax(sys->beta_local, SoretDiffusionRate(op, op->mean_D[s]));
  if (sys->beta_local > 0.0) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc2(row, &local.net, row, &local.gross));
  PetscCall(SoretOperatorForEachRow(op, c_0, AddLocalRates, &local));
  PetscCall(PetscFree2(local.net, local.gross));
  sum[0] = local.rate;
  sum[1] = local.amount;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPIU_REAL, MPI_SUM, op->grid->comm));
  sys->beta_local = sum[0] > 0.0 && sum[1] > 0.0 ? sum[0] / sum[1] : 1.0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void FillExtra(SoretSystem *sys)
{
  const PetscInt ns = sys->op->num_species;

  for (PetscInt i = 0; i < ns; i++) {
    for (PetscInt j = 0; j < ns; j++) {
      PetscReal sum = 0.0;

      for (PetscInt k = 0; k < sys->num; k++) sum += sys->gamma[k] * sys->q[k * ns + i] * sys->q[k * ns + j];
      for (PetscInt l = 0; l < sys->num_local; l++) sum += sys->beta_local * sys->q_local[l * ns + i] * sys->q_local[l * ns + j];
      sys->extra[i * ns + j] = sum;
    }
  }
}

static PetscErrorCode KeepLocalSums(SoretSystem *sys, Vec c_0)
{
  const PetscInt   ns = sys->op->num_species;
  const PetscReal *c;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(sys->op->grid->num_cells * sys->num_local, &sys->kept));
  PetscCall(VecGetArrayRead(c_0, &c));
  for (PetscInt p = 0; p < sys->op->grid->num_cells; p++) {
    for (PetscInt l = 0; l < sys->num_local; l++) {
      PetscReal dot = 0.0;

      for (PetscInt i = 0; i < ns; i++) dot += sys->q_local[l * ns + i] * c[p * ns + i];
      sys->kept[p * sys->num_local + l] = dot;
    }
  }
  PetscCall(VecRestoreArrayRead(c_0, &c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- amounts ---- */

PetscErrorCode SoretSystemKnow(SoretSystem *sys, Vec c, const PetscReal content[])
{
  PetscFunctionBegin;
  PetscCall(PetscObjectGetId((PetscObject)c, &sys->known));
  PetscCall(PetscObjectStateGet((PetscObject)c, &sys->known_state));
  PetscCall(PetscArraycpy(sys->content, content, sys->op->num_species));
  sys->summed = PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemKnowAll(SoretSystem *sys, Vec c, const PetscReal content[])
{
  PetscFunctionBegin;
  PetscCall(SoretSystemKnow(sys, c, content));
  sys->summed = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Amount of each species in the box, sys->content: known, if c has not changed since SoretSystemKnow(). */
static PetscErrorCode MeasureContent(SoretSystem *sys, Vec c)
{
  const PetscInt   ns = sys->op->num_species;
  PetscReal        content[SORET_MAX_SPECIES];
  PetscObjectState state;
  PetscObjectId    id;

  PetscFunctionBegin;
  PetscCall(PetscObjectGetId((PetscObject)c, &id));
  PetscCall(PetscObjectStateGet((PetscObject)c, &state));
  if (id != sys->known || state != sys->known_state) {
    PetscCall(SoretOperatorContent(sys->op, c, content));
    PetscCall(SoretSystemKnowAll(sys, c, content));
  }
  if (!sys->summed) PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sys->content, (PetscMPIInt)ns, MPIU_REAL, MPI_SUM, sys->op->grid->comm));
  sys->summed = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemContent(SoretSystem *sys, Vec c, PetscReal content[])
{
  PetscFunctionBegin;
  PetscCall(MeasureContent(sys, c));
  PetscCall(PetscArraycpy(content, sys->content, sys->op->num_species));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Are two species members of a sum that the box keeps? */
static PetscBool AreTogether(const SoretSums *sums, PetscInt i, PetscInt j)
{
  for (PetscInt k = 0; k < sums->num_global; k++) {
    if (sums->w[k * sums->num_species + i] != 0.0 && sums->w[k * sums->num_species + j] != 0.0) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* Where the terms of the sums follow the amounts: those in each cell of c of a species and all that share a sum with it, over their mean. Collective. */
static PetscErrorCode SetProfile(SoretSystem *sys, Vec c)
{
  const PetscInt   ns = sys->op->num_species, cells = sys->op->grid->num_cells;
  const PetscReal *x;

  PetscFunctionBegin;
  if (!sys->profile) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(MeasureContent(sys, c));
  PetscCall(VecGetArrayRead(c, &x));
  PetscCall(PetscArrayzero(sys->profile, cells * ns));
  for (PetscInt i = 0; i < ns; i++) {
    PetscReal mean = 0.0;

    for (PetscInt j = 0; j < ns; j++) {
      if (i != j && !AreTogether(sys->sums, i, j)) continue;
      mean += sys->content[j] / sys->op->grid->fluid_volume;
      for (PetscInt p = 0; p < cells; p++) sys->profile[p * ns + i] += PetscMax(x[p * ns + j], 0.0);
    }
    for (PetscInt p = 0; p < cells; p++) sys->profile[p * ns + i] = mean > 0.0 && sys->profile[p * ns + i] > 0.0 ? sys->profile[p * ns + i] / mean : 1.0;
  }
  PetscCall(VecRestoreArrayRead(c, &x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemWeigh(const SoretSystem *sys, PetscBool back, Vec f)
{
  PetscReal *array;

  PetscFunctionBegin;
  if (!sys->profile || !sys->at) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecGetArray(f, &array));
  for (PetscInt q = 0; q < sys->op->grid->num_cells * sys->op->num_species; q++) array[q] *= back ? sys->profile[q] : 1.0 / sys->profile[q];
  PetscCall(VecRestoreArray(f, &array));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemFollow(SoretSystem *sys, PetscBool follow)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(sys->profile));
  PetscCall(PetscFree(sys->kept_term)); /* which has the terms as they were */
  if (follow && !sys->num_parts) PetscCall(PetscMalloc1(sys->op->grid->num_cells * sys->op->num_species, &sys->profile));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the operator A ---- */

/* add = sum_k beta_k q_k (q_k . amount/volume - target_k) of some sums; target NULL: 0. */
static void SumTerm(PetscInt ns, PetscInt num, const PetscReal q[], const PetscReal beta[], const PetscReal target[], const PetscReal amount[], PetscReal volume, PetscReal add[])
{
  for (PetscInt s = 0; s < ns; s++) add[s] = 0.0;
  for (PetscInt k = 0; k < num; k++) {
    PetscReal mean = 0.0;

    for (PetscInt s = 0; s < ns; s++) mean += q[k * ns + s] * amount[s] / volume;
    for (PetscInt s = 0; s < ns; s++) add[s] += beta[k] * (mean - (target ? target[k] : 0.0)) * q[k * ns + s];
  }
}

/* sys->add: the term of the sums in each part of the fluid at x, with or without the means asked for. Collective. */
static PetscErrorCode PartTerms(SoretSystem *sys, Vec x, PetscBool targets)
{
  const PetscInt ns = sys->op->num_species;

  PetscFunctionBegin;
  PetscCall(SoretPocketsMeasure(sys->op, x, sys->amount));
  for (PetscInt part = 0; part < sys->num_parts; part++) {
    const SoretPartTerms *t = &sys->part[part];

    if (sys->part_volume[part] == 0.0) continue; /* not on this grid */
    SumTerm(ns, t->num, t->q, t->beta, targets ? t->target : NULL, sys->amount + part * ns, sys->part_volume[part], sys->add + part * ns);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Factor of the term of the sums in a cell. */
static inline PetscReal Shape(const SoretSystem *sys, PetscInt p, PetscInt s)
{
  if (sys->profile) return sys->profile[p * sys->op->num_species + s];
  return sys->shaped ? 1.0 / (sys->op->b[p * sys->op->num_species + s] * sys->mean_inverse_b[s]) : 1.0;
}

/* y += V sum_k beta_k q_k q_k . mean(x), minus the part of P that stands in for it. */
static PetscErrorCode AddSums(SoretSystem *sys, Vec x, Vec y)
{
  const SoretGrid *grid = sys->op->grid;
  const PetscInt   ns   = sys->op->num_species;
  const PetscReal *xa;
  PetscReal       *ya, content[SORET_MAX_SPECIES], same[SORET_MAX_SPECIES];

  PetscFunctionBegin;
  if (sys->at) PetscCall(SetProfile(sys, sys->at)); /* a cycle has looked at other states */
  if (sys->num_parts) PetscCall(PartTerms(sys, x, PETSC_FALSE));
  else {
    PetscCall(SoretOperatorContent(sys->op, x, content));
    SumTerm(ns, sys->num, sys->q, sys->beta, NULL, content, grid->fluid_volume, same);
  }
  PetscCall(VecGetArrayRead(x, &xa));
  PetscCall(VecGetArray(y, &ya));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscReal  volume = SoretOperatorCellVolume(sys->op, p), *add = same;
    const PetscReal *c = xa + p * ns;

    if (volume == 0.0) continue;
    if (sys->num_parts) add = sys->add + grid->pocket[p] * ns;
    for (PetscInt s = 0; s < ns; s++) ya[p * ns + s] += volume * add[s] * Shape(sys, p, s);
    for (PetscInt k = 0; k < sys->num; k++) {
      const PetscReal *w   = sys->q + k * ns;
      PetscReal        dot = 0.0;

      for (PetscInt s = 0; s < ns; s++) dot += w[s] * c[s];
      for (PetscInt s = 0; s < ns; s++) ya[p * ns + s] -= volume * sys->gamma[k] * dot * w[s];
    }
  }
  PetscCall(VecRestoreArrayRead(x, &xa));
  PetscCall(VecRestoreArray(y, &ya));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MultA(Mat A, Vec x, Vec y)
{
  SoretSystem *sys;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(A, &sys));
  PetscCall(MatMult(sys->P, x, y));
  PetscCall(AddSums(sys, x, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The same of nothing but the state. */
static PetscErrorCode MultShell(Mat A, Vec x, Vec y)
{
  SoretSystem *sys;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_JACOBIAN);
  PetscCall(MatShellGetContext(A, &sys));
  PetscCall(SoretOperatorMultiply(sys->op, sys->at_matrix, sys->at, x, y));
  if (sys->num) PetscCall(AddSums(sys, x, y));
  if (!sys->augmented) PetscCall(SoretOperatorPerVolume(sys->op, 1.0, y));
  PetscCall(SoretSystemWeigh(sys, PETSC_FALSE, y));
  SoretRecordEnd(SORET_PHASE_JACOBIAN);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- creation ---- */

static PetscErrorCode MeasureVolumes(SoretSystem *sys)
{
  const SoretGrid *grid = sys->op->grid;
  PetscMPIInt      n;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast(sys->num_parts, &n));
  PetscCall(PetscArrayzero(sys->part_volume, n));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    if (grid->pocket[p] >= 0) sys->part_volume[grid->pocket[p]] += SoretOperatorCellVolume(sys->op, p);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sys->part_volume, n, MPIU_REAL, MPI_SUM, grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Widens ranges entry by entry. */
SORET_CLONES static void WidenRanges(PetscInt m, const PetscReal *restrict b, PetscReal *restrict least, PetscReal *restrict most)
{
  for (PetscInt q = 0; q < m; q++) {
    least[q] = PetscMin(least[q], b[q]);
    most[q]  = PetscMax(most[q], b[q]);
  }
}

/* Does b of some species vary much over the box? */
static PetscErrorCode IsShaped(const SoretOperator *op, PetscBool *shaped)
{
  const PetscInt ns = op->num_species, nx = op->grid->count[0], m = nx * ns;
  PetscReal     *least, *most, range[2 * SORET_MAX_SPECIES] = {0.0}; /* largest 1/b and b: their product is the ratio */

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(m, &least, m, &most));
  for (PetscInt q = 0; q < m; q++) {
    least[q] = PETSC_MAX_REAL;
    most[q]  = 0.0;
  }
  for (PetscInt row = 0; row < op->grid->count[1] * op->grid->count[2]; row++) {
    const PetscReal *b = op->b + row * m;

    if (!op->volume) WidenRanges(m, b, least, most);
    for (PetscInt i = 0; i < nx && op->volume; i++) {
      if (op->volume[row * nx + i] > 0.0) WidenRanges(ns, b + i * ns, least + i * ns, most + i * ns);
    }
  }
  for (PetscInt q = 0; q < m; q++) {
    range[q % ns]      = PetscMax(range[q % ns], 1.0 / least[q]);
    range[ns + q % ns] = PetscMax(range[ns + q % ns], most[q]);
  }
  PetscCall(PetscFree2(least, most));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, range, (PetscMPIInt)(2 * ns), MPIU_REAL, MPI_MAX, op->grid->comm));
  *shaped = PETSC_FALSE;
  for (PetscInt s = 0; s < ns; s++) *shaped = *shaped || range[s] * range[ns + s] > 100.0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MeasureScales(SoretSystem *sys)
{
  const SoretOperator *op = sys->op;
  const PetscInt       ns = op->num_species;
  PetscReal            sum[SORET_MAX_SPECIES + 1] = {0.0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(ns, &sys->mean_inverse_b));
  for (PetscInt p = 0; p < op->grid->num_cells; p++) {
    const PetscReal volume = SoretOperatorCellVolume(op, p);

    for (PetscInt s = 0; s < ns; s++) sum[s] += volume / op->b[p * ns + s];
    sum[ns] += volume;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, (PetscMPIInt)(ns + 1), MPIU_REAL, MPI_SUM, op->grid->comm));
  for (PetscInt s = 0; s < ns; s++) sys->mean_inverse_b[s] = sum[s] / sum[ns];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The terms of each part of the fluid, and q of all sums that any of them keeps: for P, and to hold on to what the smoother would else leave
   singular in a cell without open faces. */
static PetscErrorCode CreateParts(SoretSystem *sys)
{
  const SoretSums *sums = sys->sums;
  const PetscInt   ns   = sums->num_species;

  PetscFunctionBegin;
  sys->num_parts = sums->num_parts;
  sys->num       = sums->num_any;
  PetscCall(PetscMalloc4(sys->num_parts, &sys->part, sys->num_parts, &sys->part_volume, sys->num_parts * ns, &sys->amount, sys->num_parts * ns, &sys->add));
  PetscCall(MeasureVolumes(sys));
  for (PetscInt part = 0; part < sums->num_parts; part++) {
    const SoretPocketSums *kept = &sums->part[part];
    SoretPartTerms  *t    = &sys->part[part];

    t->num = kept->num;
    PetscCall(PetscMalloc3(t->num * ns, &t->q, t->num, &t->target, t->num, &t->beta));
    Orthonormalise(ns, t->num, kept->w, kept->mean, t->q, t->target);
    for (PetscInt k = 0; k < t->num; k++) t->beta[k] = TransportRate(sys->op, t->q + k * ns);
  }
  Orthonormalise(ns, sys->num, sums->any, NULL, sys->q, NULL);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemCreate(SoretOperator *op, const SoretSums *sums, const SoretSystem *finer, Vec c_0, PetscBool augmented, SoretSystem *sys)
{
  const PetscInt ns = op->num_species;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(sys, sizeof(*sys)));
  sys->op        = op;
  sys->sums      = sums;
  sys->augmented = augmented;
  sys->omega     = 1.0;
  sys->num       = augmented ? sums->num_global : 0;
  sys->num_local = sums->num_local;
  PetscCall(PetscMalloc7(ns * ns, &sys->q, ns, &sys->target, ns, &sys->beta, ns * ns, &sys->q_local, ns * ns, &sys->extra, ns, &sys->constant, ns * ns, &sys->matrix));
  PetscCall(PetscMalloc1(ns, &sys->gamma));
  if (augmented && sums->num_parts) PetscCall(CreateParts(sys));
  else Orthonormalise(ns, sys->num, sums->w, sums->mean, sys->q, sys->target);
  Orthonormalise(ns, sys->num_local, sums->w + sums->num_global * ns, NULL, sys->q_local, NULL);
  PetscCall(SetStrengths(sys, c_0));
  if (finer) sys->shaped = finer->shaped;
  else if (sys->num) PetscCall(IsShaped(op, &sys->shaped));
  if (sys->shaped) PetscCall(MeasureScales(sys));
  if (sys->num_local) PetscCall(KeepLocalSums(sys, c_0));
  if (augmented && sys->num_local) PetscCall(SetLocalStrength(sys, c_0));
  FillExtra(sys);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemCreateMatrices(SoretSystem *sys)
{
  SoretOperator *op = sys->op;
  PetscInt       m;

  PetscFunctionBegin;
  if (sys->P) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretOperatorCreateMatrix(op, sys->extra, &sys->P));
  if (sys->num) {
    PetscCall(MatGetLocalSize(sys->P, &m, NULL));
    PetscCall(MatCreateShell(op->grid->comm, m, m, PETSC_DETERMINE, PETSC_DETERMINE, sys, &sys->A));
    PetscCall(MatShellSetOperation(sys->A, MATOP_MULT, (void (*)(void))MultA));
  } else {
    PetscCall(PetscObjectReference((PetscObject)sys->P));
    sys->A = sys->P;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemCreateShell(SoretSystem *sys)
{
  SoretOperator *op = sys->op;
  PetscInt       m;

  PetscFunctionBegin;
  PetscCall(SoretOperatorCreateVector(op, &sys->at));
  PetscCall(PetscMalloc1(op->num_species * op->num_species, &sys->at_matrix));
  PetscCall(VecGetLocalSize(sys->at, &m));
  PetscCall(MatCreateShell(op->grid->comm, m, m, PETSC_DETERMINE, PETSC_DETERMINE, sys, &sys->P));
  PetscCall(MatShellSetOperation(sys->P, MATOP_MULT, (void (*)(void))MultShell));
  PetscCall(PetscObjectReference((PetscObject)sys->P));
  sys->A = sys->P;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemDestroy(SoretSystem *sys)
{
  PetscFunctionBegin;
  for (PetscInt part = 0; part < sys->num_parts; part++) PetscCall(PetscFree3(sys->part[part].q, sys->part[part].target, sys->part[part].beta));
  PetscCall(PetscFree4(sys->part, sys->part_volume, sys->amount, sys->add));
  PetscCall(PetscFree(sys->gamma));
  PetscCall(PetscFree7(sys->q, sys->target, sys->beta, sys->q_local, sys->extra, sys->constant, sys->matrix));
  PetscCall(PetscFree(sys->mean_inverse_b));
  PetscCall(PetscFree(sys->profile));
  PetscCall(PetscFree(sys->kept));
  PetscCall(PetscFree(sys->kept_term));
  PetscCall(VecDestroy(&sys->old));
  PetscCall(VecDestroy(&sys->inverse_volume));
  PetscCall(VecDestroy(&sys->at));
  PetscCall(PetscFree(sys->at_matrix));
  PetscCall(MatDestroy(&sys->A));
  PetscCall(MatDestroy(&sys->P));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- residual and Jacobian ---- */

/* kept -= add in cell p; with parts, kept += sum_k beta_k q_k q_k . c: with the matrix of the terms that leaves add at c, and a block that is not singular
   in a cell without open faces. */
static void AddPartTerm(const SoretSystem *sys, PetscInt p, const PetscReal c[], const PetscReal add[], PetscReal kept[])
{
  const PetscInt ns = sys->op->num_species;

  for (PetscInt s = 0; s < ns; s++) kept[s] -= add[s] * Shape(sys, p, s);
  for (PetscInt k = 0; k < sys->num && sys->num_parts; k++) {
    const PetscReal *q   = sys->q + k * ns;
    PetscReal        dot = 0.0;

    for (PetscInt s = 0; s < ns; s++) dot += q[s] * c[s];
    for (PetscInt s = 0; s < ns; s++) kept[s] += sys->beta[k] * dot * q[s];
  }
}

/* The matrix of the terms for sums that each cell or each part keeps. */
static void SetMatrix(SoretSystem *sys, PetscInt num_local)
{
  const PetscInt ns = sys->op->num_species, num = sys->num_parts ? sys->num : 0;

  for (PetscInt i = 0; i < ns; i++) {
    for (PetscInt j = 0; j < ns; j++) {
      PetscReal sum = 0.0;

      for (PetscInt l = 0; l < num_local; l++) sum += sys->beta_local * sys->q_local[l * ns + i] * sys->q_local[l * ns + j];
      for (PetscInt k = 0; k < num; k++) sum += sys->beta[k] * sys->q[k * ns + i] * sys->q[k * ns + j];
      sys->matrix[i * ns + j] = sum;
    }
  }
}

/* What these sums have in each cell at x. */
static PetscErrorCode SetKept(SoretSystem *sys, PetscInt num_local, PetscBool by_cell, Vec x)
{
  const PetscInt   ns = sys->op->num_species, cells = sys->op->grid->num_cells;
  const PetscReal *now;

  PetscFunctionBegin;
  if (!sys->kept_term) PetscCall(PetscMalloc1(cells * ns, &sys->kept_term));
  PetscCall(VecGetArrayRead(x, &now));
  for (PetscInt p = 0; p < cells; p++) {
    for (PetscInt s = 0; s < ns; s++) {
      PetscReal sum = 0.0;

      for (PetscInt l = 0; l < num_local; l++) sum += sys->beta_local * sys->kept[p * sys->num_local + l] * sys->q_local[l * ns + s];
      sys->kept_term[p * ns + s] = sum;
    }
    if (by_cell && SoretOperatorCellVolume(sys->op, p) > 0.0) AddPartTerm(sys, p, now + p * ns, sys->num_parts ? sys->add + sys->op->grid->pocket[p] * ns : sys->constant, sys->kept_term + p * ns);
  }
  PetscCall(VecRestoreArrayRead(x, &now));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemGetTerms(SoretSystem *sys, Vec x, SoretCellTerms *terms)
{
  const PetscInt  num_local = sys->beta_local != 0.0 ? sys->num_local : 0;
  const PetscBool shaped    = sys->shaped || sys->profile ? PETSC_TRUE : PETSC_FALSE;
  const PetscBool by_cell   = sys->num_parts || (shaped && sys->num) ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(terms, sizeof(*terms)));
  terms->shift = sys->shift;
  /* on coarser levels constants cancel: what they would be is not known there, nor needed */
  if (sys->shift != 0.0 && sys->old) PetscCall(VecGetArrayRead(sys->old, &terms->old));
  if (sys->num_parts) PetscCall(PartTerms(sys, x, PETSC_TRUE));
  else if (sys->num) {
    PetscCall(MeasureContent(sys, x));
    SumTerm(sys->op->num_species, sys->num, sys->q, sys->beta, sys->target, sys->content, sys->op->grid->fluid_volume, sys->constant);
    if (!shaped) terms->constant = sys->constant;
  }
  PetscCall(SetProfile(sys, x));
  if (!num_local && !by_cell) PetscFunctionReturn(PETSC_SUCCESS);
  SetMatrix(sys, num_local);
  if (by_cell || !sys->kept_term) PetscCall(SetKept(sys, num_local, by_cell, x));
  terms->matrix = sys->matrix;
  terms->kept   = sys->kept_term;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemRestoreTerms(SoretSystem *sys, SoretCellTerms *terms)
{
  PetscFunctionBegin;
  if (terms->old) PetscCall(VecRestoreArrayRead(sys->old, &terms->old));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemResidual(SoretSystem *sys, Vec c, Vec f)
{
  SoretCellTerms terms;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_RESIDUAL);
  PetscCall(SoretSystemGetTerms(sys, c, &terms));
  PetscCall(SoretOperatorResidual(sys->op, &terms, c, f));
  PetscCall(SoretSystemRestoreTerms(sys, &terms));
  SoretRecordEnd(SORET_PHASE_RESIDUAL);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemSmooth(SoretSystem *sys, Vec rhs, Vec c)
{
  PetscReal      content[SORET_MAX_SPECIES];
  SoretCellTerms terms;

  PetscFunctionBegin;
  PetscCall(SoretSystemGetTerms(sys, c, &terms));
  PetscCall(SoretOperatorSmooth(sys->op, &terms, sys->shift == 0.0 ? sys->omega : 1.0, rhs, c, content));
  PetscCall(SoretSystemRestoreTerms(sys, &terms));
  PetscCall(SoretSystemKnow(sys, c, content));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The shell is the Jacobian at c from now on. */
static PetscErrorCode KeepState(SoretSystem *sys, Vec c)
{
  const PetscInt ns = sys->op->num_species;

  PetscFunctionBegin;
  PetscCall(VecCopy(c, sys->at));
  sys->at_shift = sys->shift;
  PetscCall(PetscArraycpy(sys->at_matrix, sys->extra, ns * ns));
  for (PetscInt s = 0; s < ns; s++) sys->at_matrix[s * ns + s] += sys->shift;
  PetscCall(MatAssemblyBegin(sys->P, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(sys->P, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemJacobian(SoretSystem *sys, Vec c)
{
  PetscFunctionBegin;
  PetscCall(SetProfile(sys, c));
  if (sys->at) {
    PetscCall(KeepState(sys, c));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  SoretRecordBegin(SORET_PHASE_JACOBIAN);
  PetscCall(SoretOperatorJacobian(sys->op, c, sys->shift, sys->extra, sys->P));
  if (sys->inverse_volume) PetscCall(MatDiagonalScale(sys->P, sys->inverse_volume, NULL));
  if (sys->galerkin) PetscCall(SoretOperatorWeakenSolid(sys->op, solid_share, sys->P));
  if (sys->A != sys->P) {
    PetscCall(MatAssemblyBegin(sys->A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(sys->A, MAT_FINAL_ASSEMBLY));
  }
  SoretRecordEnd(SORET_PHASE_JACOBIAN);
  PetscFunctionReturn(PETSC_SUCCESS);
}
