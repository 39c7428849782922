/* SPDX-License-Identifier: BSD-2-Clause

   Acceleration of a fixed-point iteration x <- G(x) by Anderson (1965): of the last few steps that combination is taken whose change G(x) - x would be
   least. It holds what a few slow or diverging modes would else spoil. */
#include <math.h>

#include "solve_private.h"

enum { DEPTH = 4 };

struct SoretAnderson_s {
  Vec      start, last_f, last_g;      /* x before the step; G(x) - x and G(x) of the step before */
  Vec      df[DEPTH], dg[DEPTH];       /* differences of them from step to step                   */
  PetscInt steps;                      /* so far; number k is in entry k % DEPTH                  */
};

PetscErrorCode SoretAndersonCreate(Vec x, SoretAnderson *anderson)
{
  SoretAnderson a;

  PetscFunctionBegin;
  PetscCall(PetscNew(&a));
  PetscCall(VecDuplicate(x, &a->start));
  PetscCall(VecDuplicate(x, &a->last_f));
  PetscCall(VecDuplicate(x, &a->last_g));
  for (int k = 0; k < DEPTH; k++) {
    PetscCall(VecDuplicate(x, &a->df[k]));
    PetscCall(VecDuplicate(x, &a->dg[k]));
  }
  *anderson = a;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretAndersonDestroy(SoretAnderson *anderson)
{
  PetscFunctionBegin;
  if (!*anderson) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecDestroy(&(*anderson)->start));
  PetscCall(VecDestroy(&(*anderson)->last_f));
  PetscCall(VecDestroy(&(*anderson)->last_g));
  for (int k = 0; k < DEPTH; k++) {
    PetscCall(VecDestroy(&(*anderson)->df[k]));
    PetscCall(VecDestroy(&(*anderson)->dg[k]));
  }
  PetscCall(PetscFree(*anderson));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SoretAndersonForget(SoretAnderson anderson)
{
  if (anderson) anderson->steps = 0;
}

PetscInt SoretAndersonSteps(SoretAnderson anderson)
{
  return anderson ? anderson->steps : 0;
}

/* ---- checkpoints ---- */

/* Writes or reads a vector of the checkpoint. */
typedef PetscErrorCode (*Transfer)(SoretArchive archive, const char *name, const SoretOperator *op, Vec x);

/* All vectors that the next step looks at; a difference needs two steps. */
static PetscErrorCode TransferAll(SoretAnderson a, SoretArchive archive, const SoretOperator *op, Transfer transfer)
{
  char name[32];

  PetscFunctionBegin;
  if (!a->steps) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(transfer(archive, "acceleration_f", op, a->last_f));
  PetscCall(transfer(archive, "acceleration_g", op, a->last_g));
  for (PetscInt k = 0; k < PetscMin(a->steps - 1, DEPTH); k++) {
    PetscCall(PetscSNPrintf(name, sizeof(name), "acceleration_df%d", (int)k));
    PetscCall(transfer(archive, name, op, a->df[k]));
    PetscCall(PetscSNPrintf(name, sizeof(name), "acceleration_dg%d", (int)k));
    PetscCall(transfer(archive, name, op, a->dg[k]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretAndersonPut(SoretAnderson anderson, SoretArchive archive, const SoretOperator *op)
{
  PetscFunctionBegin;
  if (anderson) PetscCall(TransferAll(anderson, archive, op, SoretStatePut));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretAndersonGet(SoretArchive archive, const SoretOperator *op, Vec x, PetscInt steps, SoretAnderson *anderson)
{
  PetscFunctionBegin;
  *anderson = NULL;
  if (!steps) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretAndersonCreate(x, anderson));
  (*anderson)->steps = steps;
  PetscCall(TransferAll(*anderson, archive, op, SoretStateGet));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- steps ---- */

PetscErrorCode SoretAndersonBegin(SoretAnderson anderson, Vec x)
{
  PetscFunctionBegin;
  PetscCall(VecCopy(x, anderson->start));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* gamma that makes |f - sum gamma_j df_j| least, by the normal equations with a little of the diagonal added: steps that say the same do no harm. */
static PetscErrorCode LeastSquares(SoretAnderson a, PetscInt n, Vec f, PetscReal gamma[])
{
  PetscScalar G[DEPTH * DEPTH], r[DEPTH];

  PetscFunctionBegin;
  PetscCall(VecMDot(f, n, a->df, r));
  for (PetscInt j = 0; j < n; j++) PetscCall(VecMDot(a->df[j], n, a->df, G + j * n));
  for (PetscInt j = 0; j < n; j++) G[j * n + j] *= 1.0 + 1.0e-12;
  for (PetscInt k = 0; k < n; k++) { /* Cholesky: G is symmetric and positive */
    for (PetscInt j = 0; j <= k; j++) {
      PetscReal sum = G[k * n + j];

      for (PetscInt i = 0; i < j; i++) sum -= G[k * n + i] * G[j * n + i];
      if (j < k) G[k * n + j] = G[j * n + j] > 0.0 ? sum / G[j * n + j] : 0.0;
      else G[k * n + k] = sum > 1.0e-14 * G[k * n + k] ? sqrt(sum) : 0.0;
    }
  }
  for (PetscInt k = 0; k < n; k++) {
    for (PetscInt i = 0; i < k; i++) r[k] -= G[k * n + i] * r[i];
    r[k] = G[k * n + k] > 0.0 ? r[k] / G[k * n + k] : 0.0;
  }
  for (PetscInt k = n - 1; k >= 0; k--) {
    gamma[k] = r[k];
    for (PetscInt i = k + 1; i < n; i++) gamma[k] -= G[i * n + k] * gamma[i];
    gamma[k] = G[k * n + k] > 0.0 ? gamma[k] / G[k * n + k] : 0.0;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretAndersonEnd(SoretAnderson a, Vec x)
{
  PetscReal gamma[DEPTH], smallest_g, smallest;
  PetscInt  n = PetscMin(a->steps, DEPTH);

  PetscFunctionBegin;
  PetscCall(VecAYPX(a->start, -1.0, x)); /* f = G(x) - x */
  if (a->steps > 0) {
    const PetscInt entry = (a->steps - 1) % DEPTH;

    PetscCall(VecWAXPY(a->df[entry], -1.0, a->last_f, a->start));
    PetscCall(VecWAXPY(a->dg[entry], -1.0, a->last_g, x));
  }
  PetscCall(VecCopy(a->start, a->last_f));
  PetscCall(VecCopy(x, a->last_g));
  a->steps++;
  if (!n) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(LeastSquares(a, n, a->last_f, gamma));
  PetscCall(VecMin(x, NULL, &smallest_g));
  for (PetscInt j = 0; j < n; j++) gamma[j] = -gamma[j];
  PetscCall(VecMAXPY(x, n, gamma, a->dg));
  PetscCall(VecMin(x, NULL, &smallest));
  if (!(smallest >= PetscMin(smallest_g, 0.0))) PetscCall(VecCopy(a->last_g, x)); /* concentrations stay positive: then the step as it was */
  PetscFunctionReturn(PETSC_SUCCESS);
}
