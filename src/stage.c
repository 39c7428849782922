/* SPDX-License-Identifier: BSD-2-Clause

   Implicit stages of TS by nonlinear multigrid, without a matrix. Each stage of PETSc's implicit methods is dc/dt + F(c)/V = 0 with
   dc/dt = shift (c - old), shift and old fixed; both are found by asking TS for its Jacobian and its function once. */
#include <math.h>

#include "kernel.h"
#include "solve_private.h"

struct SoretStage_s {
  SoretSystem *sys;
  SoretFAS     fas;
  Mat          J;          /* nothing but a place for TS to ask for a Jacobian        */
  Vec          weight;     /* borrowed: one over the error allowed in each entry      */
  Vec          before, old;
  PetscBool    recording;
  PetscReal    contraction; /* of a cycle, as measured last */
  PetscInt     cycles;
  PetscBool    idle;
};

enum { MOST_CYCLES = 12 };

PetscBool SoretStageRecord(SoretStage stage, PetscReal shift)
{
  if (!stage || !stage->recording) return PETSC_FALSE;
  if (shift > 0.0) stage->sys->shift = shift;
  return PETSC_TRUE;
}

/* shift and old of the stage that TS is at, from what it gives at c. */
static PetscErrorCode Learn(SoretStage stage, SNES snes, Vec c)
{
  Vec rate = stage->before;

  PetscFunctionBegin;
  stage->recording = PETSC_TRUE;
  PetscCall(SNESComputeJacobian(snes, c, stage->J, stage->J));
  PetscCall(SNESComputeFunction(snes, c, rate)); /* dc/dt at c */
  stage->recording = PETSC_FALSE;
  PetscCall(VecWAXPY(stage->old, -1.0 / stage->sys->shift, rate, c));
  PetscCall(SoretFASUpdate(stage->fas));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Root mean square of c - before in units of the error allowed; before becomes c. */
static PetscErrorCode MeasureChange(SoretStage stage, Vec c, PetscReal *change)
{
  const PetscReal *now, *weight;
  PetscReal       *before, sum = 0.0, all;
  PetscInt         n, size;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(c, &n));
  PetscCall(VecGetSize(c, &size));
  PetscCall(VecGetArrayRead(c, &now));
  PetscCall(VecGetArrayRead(stage->weight, &weight));
  PetscCall(VecGetArray(stage->before, &before));
  SORET_SUM(sum)
  for (PetscInt q = 0; q < n; q++) {
    const PetscReal e = weight[q] * (now[q] - before[q]);

    sum += e * e;
    before[q] = now[q];
  }
  PetscCall(VecRestoreArray(stage->before, &before));
  PetscCall(VecRestoreArrayRead(stage->weight, &weight));
  PetscCall(VecRestoreArrayRead(c, &now));
  PetscCallMPI(MPI_Allreduce(&sum, &all, 1, MPIU_REAL, MPI_SUM, PetscObjectComm((PetscObject)c)));
  *change = PetscSqrtReal(all / (PetscReal)size);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Cycles until what is left, rho/(1 - rho) times the last change with the measured contraction rho, is below a tenth of the error allowed. */
static PetscErrorCode Solve(SNES snes, Vec c)
{
  SNESConvergedReason reason = SNES_CONVERGED_ITERATING;
  PetscReal           change, last = 0.0;
  SoretStage          stage;

  PetscFunctionBegin;
  PetscCall(SNESShellGetContext(snes, &stage));
  if (stage->idle) {
    PetscCall(SNESSetIterationNumber(snes, 0));
    PetscCall(SNESSetConvergedReason(snes, SNES_CONVERGED_FNORM_ABS));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(Learn(stage, snes, c));
  PetscCall(VecCopy(c, stage->before));
  for (PetscInt it = 1; !reason; it++) {
    PetscReal rho;

    PetscCall(SoretFASCycle(stage->fas, 0, NULL, c));
    PetscCall(MeasureChange(stage, c, &change));
    stage->cycles++;
    /* before there is a second change to compare with, the contraction of earlier stages, but not less than is seen of smooth data */
    rho = it > 1 && last > 0.0 ? change / last : PetscMax(stage->contraction, 0.1);
    if (it > 1) stage->contraction = PetscMin(rho, 0.5);
    PetscCall(SNESSetIterationNumber(snes, it));
    PetscCall(SNESMonitor(snes, it, change));
    if (PetscIsInfOrNanReal(change)) reason = SNES_DIVERGED_FUNCTION_NANORINF;
    else if (change == 0.0 || (rho < 0.95 && rho / (1.0 - rho) * change <= 0.1)) reason = SNES_CONVERGED_SNORM_RELATIVE;
    else if ((it > 2 && rho > 2.0) || it >= MOST_CYCLES) reason = SNES_DIVERGED_DTOL;
    last = change;
  }
  PetscCall(SNESSetConvergedReason(snes, reason));
  stage->sys->shift = 0.0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretStageCreate(SoretSystem *sys, Vec c, Vec weight, SoretStage *stage)
{
  SoretStage s;
  PetscInt   n;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  s->sys         = sys;
  s->weight      = weight;
  s->contraction = 0.3;
  PetscCall(SoretFASCreate(sys, c, &s->fas));
  if (SoretFASNumLevels(s->fas) < 2) {
    PetscCall(SoretFASDestroy(&s->fas));
    PetscCall(PetscFree(s));
    *stage = NULL;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(VecDuplicate(c, &s->before));
  PetscCall(VecDuplicate(c, &s->old));
  sys->old = s->old;
  PetscCall(VecGetLocalSize(c, &n));
  PetscCall(MatCreateShell(sys->op->grid->comm, n, n, PETSC_DETERMINE, PETSC_DETERMINE, NULL, &s->J));
  *stage = s;
  PetscFunctionReturn(PETSC_SUCCESS);
}

Mat SoretStageMatrix(SoretStage stage)
{
  return stage->J;
}

PetscErrorCode SoretStageSetSNES(SoretStage stage, SNES snes)
{
  PetscFunctionBegin;
  PetscCall(SNESSetType(snes, SNESSHELL));
  PetscCall(SNESShellSetContext(snes, stage));
  PetscCall(SNESShellSetSolve(snes, Solve));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretStageDescribe(SoretStage stage, size_t length, char text[])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(text, length, "nonlinear multigrid, %" PetscInt_FMT " levels", SoretFASNumLevels(stage->fas)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscInt SoretStageCycles(SoretStage stage)
{
  return stage ? stage->cycles : 0;
}

void SoretStageGetMemory(SoretStage stage, PetscReal *cycles, PetscReal *contraction)
{
  *cycles      = stage ? (PetscReal)stage->cycles : 0.0;
  *contraction = stage ? stage->contraction : 0.0;
}

void SoretStageSetMemory(SoretStage stage, PetscReal cycles, PetscReal contraction)
{
  if (!stage) return;
  stage->cycles = (PetscInt)cycles;
  if (contraction > 0.0) stage->contraction = contraction;
}

void SoretStageSetIdle(SoretStage stage, PetscBool idle)
{
  if (stage) stage->idle = idle;
}

PetscErrorCode SoretStageDestroy(SoretStage *stage)
{
  PetscFunctionBegin;
  if (!*stage) PetscFunctionReturn(PETSC_SUCCESS);
  (*stage)->sys->old = NULL;
  PetscCall(SoretFASDestroy(&(*stage)->fas));
  PetscCall(VecDestroy(&(*stage)->before));
  PetscCall(VecDestroy(&(*stage)->old));
  PetscCall(MatDestroy(&(*stage)->J));
  PetscCall(PetscFree(*stage));
  PetscFunctionReturn(PETSC_SUCCESS);
}
