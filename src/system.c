/* SPDX-License-Identifier: BSD-2-Clause */
#include "solve_private.h"

#include <math.h>
#include <petsc/private/petscimpl.h> /* PetscObjectStateGet(), which has a manual page but no public prototype */

#include "soret/direct.h"
#include "soret/multigrid.h"
#include "soret/record.h"

/* Strength of the shift of the preconditioner relative to that of the operator: small, so that it moves only the null modes, which cost
   the Krylov method one iteration each. */
static const PetscReal gamma_shift = 0.1;

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

/* The size of the smallest non-zero eigenvalue of transport: 10 D/L^2 with the mean diffusivity of the members. */
static PetscReal TransportRate(const SoretOperator *op, const PetscReal q[])
{
  PetscReal length = 0.0, D = 0.0, weight = 0.0;

  for (PetscInt axis = 0; axis < op->grid->dim; axis++) length = PetscMax(length, op->grid->size[axis]);
  for (PetscInt i = 0; i < op->num_species; i++) {
    D += q[i] * q[i] * op->mean_D[i];
    weight += q[i] * q[i];
  }
  return 10.0 * D / weight / (length * length);
}

static void FillExtra(SoretSystem *sys)
{
  const PetscInt ns = sys->op->num_species;

  for (PetscInt i = 0; i < ns; i++) {
    for (PetscInt j = 0; j < ns; j++) {
      PetscReal sum = 0.0;

      for (PetscInt k = 0; k < sys->num; k++) sum += gamma_shift * sys->beta[k] * sys->q[k * ns + i] * sys->q[k * ns + j];
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

/* ---- the operator A ---- */

/* y += V sum_k beta_k q_k (mean_k(x) - target_k), and minus the part of P that stands in for it. */
static PetscErrorCode AddSums(SoretSystem *sys, Vec x, const PetscReal target[], PetscReal gamma, Vec y)
{
  const SoretGrid *grid = sys->op->grid;
  const PetscInt   ns   = sys->op->num_species;
  const PetscReal *xa;
  PetscReal       *ya, part[SORET_MAX_SPECIES] = {0}, mean[SORET_MAX_SPECIES], add[SORET_MAX_SPECIES] = {0};

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(x, &xa));
  PetscCall(VecGetArray(y, &ya));
  for (int pass = 0; pass < 2; pass++) {
    for (PetscInt k = 0, q = 0; k < grid->count[2]; k++) {
      for (PetscInt j = 0; j < grid->count[1]; j++) {
        for (PetscInt i = 0; i < grid->count[0]; i++, q += ns) {
          const PetscReal volume = SoretOperatorCellVolume(sys->op, q / ns);

          for (PetscInt l = 0; l < sys->num; l++) {
            const PetscReal *w   = sys->q + l * ns;
            PetscReal        dot = 0.0;

            if (pass == 0 || gamma != 0.0) {
              for (PetscInt s = 0; s < ns; s++) dot += w[s] * xa[q + s];
            }
            if (pass == 0) part[l] += volume * dot;
            else {
              for (PetscInt s = 0; s < ns; s++) ya[q + s] += volume * (add[l] - gamma * sys->beta[l] * dot) * w[s];
            }
          }
        }
      }
    }
    if (pass == 0) {
      PetscCallMPI(MPI_Allreduce(part, mean, (PetscMPIInt)sys->num, MPIU_REAL, MPI_SUM, grid->comm));
      for (PetscInt l = 0; l < sys->num; l++) add[l] = sys->beta[l] * (mean[l] / grid->fluid_volume - (target ? target[l] : 0.0));
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
  PetscCall(AddSums(sys, x, NULL, gamma_shift, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- creation ---- */

PetscErrorCode SoretSystemCreate(SoretOperator *op, const SoretSums *sums, Vec c_0, PetscBool augmented, SoretSystem *sys)
{
  const PetscInt ns = op->num_species;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(sys, sizeof(*sys)));
  sys->op        = op;
  sys->sums      = sums;
  sys->augmented = augmented;
  sys->num       = augmented ? sums->num_global : 0;
  sys->num_local = sums->num_local;
  PetscCall(PetscMalloc7(ns * ns, &sys->q, ns, &sys->target, ns, &sys->beta, ns * ns, &sys->q_local, ns * ns, &sys->extra, ns, &sys->constant, ns * ns, &sys->matrix));
  Orthonormalise(ns, sys->num, sums->w, sums->mean, sys->q, sys->target);
  Orthonormalise(ns, sys->num_local, sums->w + sums->num_global * ns, NULL, sys->q_local, NULL);
  for (PetscInt k = 0; k < sys->num; k++) sys->beta[k] = TransportRate(op, sys->q + k * ns);
  if (sys->num_local) PetscCall(KeepLocalSums(sys, c_0));
  /* any positive number: the term is solved exactly in each cell; of the size of the other rates it keeps residuals comparable */
  sys->beta_local = 0.0;
  for (PetscInt i = 0; i < ns && augmented; i++) sys->beta_local = PetscMax(sys->beta_local, 10.0 * op->mean_D[i] / (op->grid->size[0] * op->grid->size[0]));
  if (augmented && sys->beta_local == 0.0) sys->beta_local = 1.0;
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

PetscErrorCode SoretSystemDestroy(SoretSystem *sys)
{
  PetscFunctionBegin;
  PetscCall(PetscFree7(sys->q, sys->target, sys->beta, sys->q_local, sys->extra, sys->constant, sys->matrix));
  PetscCall(PetscFree(sys->kept));
  PetscCall(PetscFree(sys->kept_term));
  PetscCall(VecDestroy(&sys->old));
  PetscCall(VecDestroy(&sys->inverse_volume));
  PetscCall(MatDestroy(&sys->A));
  PetscCall(MatDestroy(&sys->P));
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

/* Amount of each species in the box, sys->content: known, if c has not changed since SoretSystemKnow(). */
static PetscErrorCode MeasureContent(SoretSystem *sys, Vec c)
{
  const PetscInt   ns = sys->op->num_species;
  PetscReal        content[SORET_MAX_SPECIES] = {0.0};
  PetscObjectState state;
  PetscObjectId    id;

  PetscFunctionBegin;
  PetscCall(PetscObjectGetId((PetscObject)c, &id));
  PetscCall(PetscObjectStateGet((PetscObject)c, &state));
  if (id != sys->known || state != sys->known_state) {
    const PetscReal *x;

    PetscCall(VecGetArrayRead(c, &x));
    for (PetscInt row = 0; row < sys->op->grid->count[1] * sys->op->grid->count[2]; row++) SoretOperatorAddContent(sys->op, row, x, content);
    PetscCall(VecRestoreArrayRead(c, &x));
    PetscCall(SoretSystemKnow(sys, c, content));
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

PetscErrorCode SoretSystemKnowAll(SoretSystem *sys, Vec c, const PetscReal content[])
{
  PetscFunctionBegin;
  PetscCall(SoretSystemKnow(sys, c, content));
  sys->summed = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- residual and Jacobian ---- */

PetscErrorCode SoretSystemTerms(SoretSystem *sys, Vec x, SoretCellTerms *terms)
{
  const PetscInt   ns = sys->op->num_species, cells = sys->op->grid->num_cells, num_local = sys->beta_local != 0.0 ? sys->num_local : 0;
  const PetscReal *old = NULL;
  PetscObjectState state = 0;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(terms, sizeof(*terms)));
  if (sys->num) {
    PetscCall(MeasureContent(sys, x));
    PetscCall(PetscArrayzero(sys->constant, ns));
    for (PetscInt k = 0; k < sys->num; k++) {
      PetscReal mean = 0.0;

      for (PetscInt s = 0; s < ns; s++) mean += sys->q[k * ns + s] * sys->content[s] / sys->op->grid->fluid_volume;
      for (PetscInt s = 0; s < ns; s++) sys->constant[s] += sys->beta[k] * (mean - sys->target[k]) * sys->q[k * ns + s];
    }
    terms->constant = sys->constant;
  }
  if (!num_local && sys->shift == 0.0) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscArrayzero(sys->matrix, ns * ns));
  for (PetscInt i = 0; i < ns; i++) {
    for (PetscInt j = 0; j < ns; j++) {
      for (PetscInt l = 0; l < num_local; l++) sys->matrix[i * ns + j] += sys->beta_local * sys->q_local[l * ns + i] * sys->q_local[l * ns + j];
    }
    sys->matrix[i * ns + i] += sys->shift;
  }
  terms->matrix = sys->matrix;
  /* on coarser levels constants cancel: what they would be is not known there, nor needed */
  if (!sys->old && !num_local) PetscFunctionReturn(PETSC_SUCCESS);
  if (sys->old) PetscCall(PetscObjectStateGet((PetscObject)sys->old, &state));
  terms->kept = sys->kept_term;
  if (sys->kept_term && state == sys->kept_state && sys->shift == sys->kept_shift) PetscFunctionReturn(PETSC_SUCCESS);
  sys->kept_state = state;
  sys->kept_shift = sys->shift;
  if (!sys->kept_term) PetscCall(PetscMalloc1(cells * ns, &sys->kept_term));
  if (sys->shift != 0.0 && sys->old) PetscCall(VecGetArrayRead(sys->old, &old));
  for (PetscInt p = 0; p < cells; p++) {
    for (PetscInt s = 0; s < ns; s++) {
      PetscReal sum = old ? sys->shift * old[p * ns + s] : 0.0;

      for (PetscInt l = 0; l < num_local; l++) sum += sys->beta_local * sys->kept[p * num_local + l] * sys->q_local[l * ns + s];
      sys->kept_term[p * ns + s] = sum;
    }
  }
  if (old) PetscCall(VecRestoreArrayRead(sys->old, &old));
  terms->kept = sys->kept_term;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemResidual(SoretSystem *sys, Vec c, Vec f)
{
  SoretCellTerms terms;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_RESIDUAL);
  PetscCall(SoretSystemTerms(sys, c, &terms));
  PetscCall(SoretOperatorResidual(sys->op, &terms, c, f));
  SoretRecordEnd(SORET_PHASE_RESIDUAL);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemSmooth(SoretSystem *sys, Vec rhs, Vec c)
{
  PetscReal      content[SORET_MAX_SPECIES];
  SoretCellTerms terms;

  PetscFunctionBegin;
  PetscCall(SoretSystemTerms(sys, c, &terms));
  PetscCall(SoretOperatorSmooth(sys->op, &terms, rhs, c, content));
  PetscCall(SoretSystemKnow(sys, c, content));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemJacobian(SoretSystem *sys, Vec c)
{
  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_JACOBIAN);
  PetscCall(SoretOperatorJacobian(sys->op, c, sys->shift, sys->extra, sys->P));
  if (sys->inverse_volume) PetscCall(MatDiagonalScale(sys->P, sys->inverse_volume, NULL));
  if (sys->A != sys->P) {
    PetscCall(MatAssemblyBegin(sys->A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(sys->A, MAT_FINAL_ASSEMBLY));
  }
  SoretRecordEnd(SORET_PHASE_JACOBIAN);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- linear solver ---- */

PetscBool SoretIsSmall(PetscInt dim, PetscReal unknowns)
{
  /* where sparse LU (nested dissection) and multigrid cost the same was measured: docs/performance.md */
  return dim == 1 || (dim == 2 && unknowns <= 2.0e4) || (dim == 3 && unknowns <= 2.0e3) ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode SoretSystemSetKSP(SoretSystem *sys, KSP ksp, PetscReal rtol, size_t length, char method[])
{
  const SoretGrid *grid = sys->op->grid;
  PetscInt         unknowns;
  PC               pc;

  PetscFunctionBegin;
  PetscCall(MatGetSize(sys->P, &unknowns, NULL));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(KSPSetType(ksp, KSPFGMRES));
  PetscCall(KSPGMRESSetRestart(ksp, 50));
  PetscCall(KSPSetTolerances(ksp, rtol, PETSC_DEFAULT, PETSC_DEFAULT, 200));
  if (SoretIsSmall(grid->dim, (PetscReal)unknowns)) PetscCall(SoretDirectSetPC(pc, unknowns, grid->dim == 1 ? PETSC_TRUE : PETSC_FALSE, length, method));
  else if (sys->op->width > 1) { /* point smoothers do not converge on second-order ballistic transport */
    PetscCall(PCSetType(pc, PCASM));
    PetscCall(PetscSNPrintf(method, length, "FGMRES with additive Schwarz, ILU"));
  } else PetscCall(SoretMultigridSetPC(sys->op, pc, length, method));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- positivity and closure ---- */

PetscErrorCode SoretKeepPositive(SoretSystem *sys, Vec x, Vec y, PetscBool *changed)
{
  const PetscInt   ns = sys->op->num_species;
  const PetscReal *c;
  PetscReal       *d;
  PetscInt         count = 0, total;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(x, &c));
  PetscCall(VecGetArray(y, &d));
  for (PetscInt p = 0; p < sys->op->grid->num_cells; p++) {
    PetscReal scale = 1.0;

    if (SoretGridIsSolid(sys->op->grid, p)) { /* what an iterative solver leaves there */
      PetscCall(PetscArrayzero(d + p * ns, ns));
      continue;
    }
    for (PetscInt q = p * ns; q < (p + 1) * ns; q++) {
      if (c[q] > 0.0 && !(c[q] - scale * d[q] > 0.0)) scale = 0.9 * c[q] / d[q];
    }
    if (scale == 1.0) continue;
    count++;
    for (PetscInt q = p * ns; q < (p + 1) * ns; q++) d[q] *= scale;
  }
  PetscCall(VecRestoreArray(y, &d));
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscCallMPI(MPI_Allreduce(&count, &total, 1, MPIU_INT, MPI_SUM, sys->op->grid->comm));
  sys->scaled += total;
  *changed = total ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PreCheck(SNESLineSearch search, Vec c, Vec y, PetscBool *changed, void *sys)
{
  PetscFunctionBegin;
  PetscCall(SoretKeepPositive((SoretSystem *)sys, c, y, changed));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemSetPositive(SoretSystem *sys, SNESLineSearch search)
{
  PetscFunctionBegin;
  PetscCall(SNESLineSearchSetPreCheck(search, PreCheck, sys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Solves the n x n system G x = r in place by Gauss elimination with pivoting; n is the number of sums. r becomes x. A singular
   direction (a sum of species that are all absent) is left alone. */
static void SolveSmall(PetscInt n, PetscReal G[], PetscReal r[])
{
  PetscInt order[SORET_MAX_SPECIES];

  for (PetscInt i = 0; i < n; i++) order[i] = i;
  for (PetscInt c = 0; c < n; c++) {
    PetscInt pivot = c;

    for (PetscInt i = c; i < n; i++) {
      if (PetscAbsReal(G[order[i] * n + c]) > PetscAbsReal(G[order[pivot] * n + c])) pivot = i;
    }
    {
      const PetscInt swap = order[c];

      order[c]     = order[pivot];
      order[pivot] = swap;
    }
    for (PetscInt i = c + 1; i < n; i++) {
      const PetscReal diagonal = G[order[c] * n + c], factor = diagonal != 0.0 ? G[order[i] * n + c] / diagonal : 0.0;

      for (PetscInt j = c; j < n; j++) G[order[i] * n + j] -= factor * G[order[c] * n + j];
      r[order[i]] -= factor * r[order[c]];
    }
  }
  {
    PetscReal x[SORET_MAX_SPECIES];

    for (PetscInt c = n - 1; c >= 0; c--) {
      x[c] = r[order[c]];
      for (PetscInt j = c + 1; j < n; j++) x[c] -= G[order[c] * n + j] * x[j];
      x[c] = G[order[c] * n + c] != 0.0 ? x[c] / G[order[c] * n + c] : 0.0;
    }
    for (PetscInt c = 0; c < n; c++) r[c] = x[c];
  }
}

/* Local sums of every cell. */
static void CloseCells(SoretSystem *sys, PetscReal c[])
{
  const PetscInt ns = sys->op->num_species, n = sys->num_local;

  for (PetscInt p = 0; p < sys->op->grid->num_cells; p++, c += ns) {
    PetscReal G[SORET_MAX_SPECIES * 8] = {0}, r[SORET_MAX_SPECIES];

    if (n * n > (PetscInt)(sizeof(G) / sizeof(G[0]))) return; /* more than 22 kinds of binding sites: left to the tolerance */
    for (PetscInt k = 0; k < n; k++) {
      r[k] = sys->kept[p * n + k];
      for (PetscInt s = 0; s < ns; s++) r[k] -= sys->q_local[k * ns + s] * c[s];
      for (PetscInt l = 0; l < n; l++) {
        for (PetscInt s = 0; s < ns; s++) G[k * n + l] += sys->q_local[k * ns + s] * sys->q_local[l * ns + s] * c[s];
      }
    }
    SolveSmall(n, G, r);
    for (PetscInt s = 0; s < ns; s++) {
      PetscReal factor = 1.0;

      for (PetscInt k = 0; k < n; k++) factor += r[k] * sys->q_local[k * ns + s];
      c[s] *= factor;
    }
  }
}

PetscErrorCode SoretSystemClose(SoretSystem *sys, const PetscReal mean[], const PetscBool closed[], Vec x)
{
  const SoretSums *sums = sys->sums;
  const PetscInt   ns   = sums->num_species;
  PetscInt         which[SORET_MAX_SPECIES], n = 0;
  PetscReal       *c;

  PetscFunctionBegin;
  if (sys->num_local) {
    PetscCall(VecGetArray(x, &c));
    CloseCells(sys, c);
    PetscCall(VecRestoreArray(x, &c));
  }
  for (PetscInt k = 0; k < sums->num_global; k++) {
    if (closed[k]) which[n++] = k;
  }
  if (!n) PetscFunctionReturn(PETSC_SUCCESS);
  {
    PetscReal *G, now[SORET_MAX_SPECIES * 3], r[SORET_MAX_SPECIES], amount[SORET_MAX_SPECIES];
    SoretSums  each = {.num_species = ns, .num = ns};

    PetscCall(PetscCalloc2(n * n, &G, ns * ns, &each.w)); /* each species as a sum of its own: their means */
    for (PetscInt s = 0; s < ns; s++) each.w[s * ns + s] = 1.0;
    PetscCall(SoretSumsMeasure(&each, sys->op, x, amount, NULL));
    for (PetscInt s = 0; s < ns; s++) amount[s] = SoretModelIsImmobile(sys->op->model, s) ? 0.0 : amount[s];
    PetscCall(SoretSumsMeasure(sums, sys->op, x, now, NULL));
    for (PetscInt a = 0; a < n; a++) {
      r[a] = mean[which[a]] - now[which[a]];
      for (PetscInt b = 0; b < n; b++) {
        for (PetscInt s = 0; s < ns; s++) G[a * n + b] += sums->w[which[a] * ns + s] * sums->w[which[b] * ns + s] * amount[s];
      }
    }
    SolveSmall(n, G, r);
    PetscCall(VecGetArray(x, &c));
    for (PetscInt s = 0; s < ns; s++) {
      PetscReal factor = 1.0;

      if (amount[s] == 0.0) continue; /* immobile species are kept cell by cell */
      for (PetscInt a = 0; a < n; a++) factor += r[a] * sums->w[which[a] * ns + s];
      if (factor == 1.0) continue;
      for (PetscInt p = 0; p < sys->op->grid->num_cells; p++) c[p * ns + s] *= factor;
    }
    PetscCall(VecRestoreArray(x, &c));
    PetscCall(PetscFree2(G, each.w));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- memory ---- */

PetscErrorCode SoretSolveEstimateMemory(const SoretSolveSpec *spec, const SoretGridSpec *grid, const SoretModel *model, PetscReal *bytes, const char **method)
{
  const PetscReal ns = (PetscReal)model->num_species, cells = (PetscReal)grid->n[0] * (PetscReal)grid->n[1] * (PetscReal)grid->n[2], unknowns = cells * ns;
  PetscReal       each; /* bytes per unknown, fitted to measured peaks (docs/performance.md, "Memory") */

  PetscFunctionBegin;
  if (SoretIsSmall(grid->dim, unknowns)) {
    each    = grid->dim == 1 ? 450.0 + 31.0 * ns : 800.0 + 24.0 * ns * log2(PetscMax(cells, 2.0)) * (grid->dim == 3 ? 3.0 : 1.0);
    *method = "direct solver";
  } else if (!SoretModelHasBallistic(model)) {
    PetscBool uniform = PETSC_TRUE;
    PetscReal a;

    for (PetscInt s = 0; s < model->num_species; s++) uniform = uniform && SoretModelConductivityIsConstant(model, s, &a) ? PETSC_TRUE : PETSC_FALSE;
    each    = 130.0 + 45.0 / ns + (uniform ? 0.0 : 30.0);
    *method = "multigrid, matrix-free";
  } else {
    each    = 560.0 + 58.0 * (ns + 2.0 * (PetscReal)grid->dim);
    *method = "multigrid, assembled";
  }
  if (spec->mode == SORET_TRANSIENT) each += 200.0;
  *bytes = unknowns * each + 5.0e7; /* the program and its libraries */
  PetscFunctionReturn(PETSC_SUCCESS);
}
