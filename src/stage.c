/* SPDX-License-Identifier: BSD-2-Clause

   Implicit stages of TS by nonlinear multigrid, without a matrix. Each stage of PETSc's implicit methods is dc/dt + F(c)/V = 0 with
   dc/dt = shift (c - old), shift and old fixed; both are found by asking TS for its Jacobian and its function once. */
#include <math.h>

#include "kernel.h"
#include "solve_private.h"

enum { NUM_PAST = 3 };

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
  /* where stages start */
  TS           ts;
  PetscReal    t;                /* of the stage                        */
  PetscReal    start, dt;        /* of the step                         */
  PetscInt     num_past;
  PetscReal    past_t[NUM_PAST];
  Vec          past[NUM_PAST];   /* solutions in this step, newest first */
};

enum { MOST_CYCLES = 12 };

PetscBool SoretStageRecord(SoretStage stage, TS ts, PetscReal t, PetscReal shift)
{
  if (!stage || !stage->recording) return PETSC_FALSE;
  if (shift > 0.0) stage->sys->shift = shift;
  stage->ts = ts;
  stage->t  = t;
  return PETSC_TRUE;
}

/* ---- where a stage starts ---- */

/* c becomes c + factor (a - b), but not less than a tenth of what it was. */
static PetscErrorCode Extrapolate(PetscReal factor, Vec a, Vec b, Vec c)
{
  const PetscReal *va, *vb;
  PetscReal       *vc;
  PetscInt         n;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(c, &n));
  PetscCall(VecGetArrayRead(a, &va));
  PetscCall(VecGetArrayRead(b, &vb));
  PetscCall(VecGetArray(c, &vc));
  for (PetscInt q = 0; q < n; q++) {
    const PetscReal guess = vc[q] + factor * (va[q] - vb[q]), least = 0.1 * vc[q];

    vc[q] = guess > least ? guess : least;
  }
  PetscCall(VecRestoreArray(c, &vc));
  PetscCall(VecRestoreArrayRead(b, &vb));
  PetscCall(VecRestoreArrayRead(a, &va));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Keeps c as the solution at a time, in the place of the oldest. */
static PetscErrorCode Keep(SoretStage stage, PetscReal t, Vec c)
{
  const Vec oldest = stage->past[NUM_PAST - 1];

  PetscFunctionBegin;
  for (int i = NUM_PAST - 1; i > 0; i--) {
    stage->past[i]   = stage->past[i - 1];
    stage->past_t[i] = stage->past_t[i - 1];
  }
  stage->past[0]   = oldest;
  stage->past_t[0] = t;
  stage->num_past  = PetscMin(stage->num_past + 1, NUM_PAST);
  PetscCall(VecCopy(c, oldest));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The guess of a stage of ESDIRK from what is known in its step, so that nothing has to be kept for an exact restart: at the first implicit
   stage from the slope at the start of the step, which is what `old` adds to it (a_21 = gamma); then linearly from the two stages that are
   nearest in time. Not in the first step, whose slope may belong to a layer that is over in no time. */
static PetscErrorCode Guess(SoretStage stage, Vec c)
{
  PetscReal start, dt;
  PetscInt  step;
  int       near[2] = {0, 1};

  PetscFunctionBegin;
  PetscCall(TSGetTime(stage->ts, &start));
  PetscCall(TSGetTimeStep(stage->ts, &dt));
  PetscCall(TSGetStepNumber(stage->ts, &step));
  if (start != stage->start || dt != stage->dt || !stage->num_past) {
    stage->start    = start;
    stage->dt       = dt;
    stage->num_past = 0;
    PetscCall(Keep(stage, start, c));
    if (step > 0) PetscCall(Extrapolate(stage->sys->shift * (stage->t - start), stage->old, stage->past[0], c));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (stage->num_past < 2) PetscFunctionReturn(PETSC_SUCCESS);
  for (int i = 2; i < stage->num_past; i++) {
    const int far = PetscAbsReal(stage->past_t[near[0]] - stage->t) > PetscAbsReal(stage->past_t[near[1]] - stage->t) ? 0 : 1;

    if (PetscAbsReal(stage->past_t[i] - stage->t) < PetscAbsReal(stage->past_t[near[far]] - stage->t)) near[far] = i;
  }
  PetscCall(VecCopy(stage->past[near[0]], c));
  PetscCall(Extrapolate((stage->t - stage->past_t[near[0]]) / (stage->past_t[near[0]] - stage->past_t[near[1]]), stage->past[near[0]], stage->past[near[1]], c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- solving it ---- */

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

/* Cycles until what is left, rho/(1 - rho) times the last change with the measured contraction rho, is below three tenths of the error allowed. */
static PetscErrorCode Solve(SNES snes, Vec c)
{
  SNESConvergedReason reason = SNES_CONVERGED_ITERATING;
  PetscReal           change, last = 0.0;
  PetscBool           guess;
  SoretStage          stage;

  PetscFunctionBegin;
  PetscCall(SNESShellGetContext(snes, &stage));
  if (stage->idle) {
    PetscCall(SNESSetIterationNumber(snes, 0));
    PetscCall(SNESSetConvergedReason(snes, SNES_CONVERGED_FNORM_ABS));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(Learn(stage, snes, c));
  PetscCall(PetscObjectTypeCompare((PetscObject)stage->ts, TSARKIMEX, &guess));
  if (guess) PetscCall(Guess(stage, c));
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
    else if (change == 0.0 || (rho < 0.95 && rho / (1.0 - rho) * change <= 0.3)) reason = SNES_CONVERGED_SNORM_RELATIVE;
    else if ((it > 2 && rho > 2.0) || it >= MOST_CYCLES) reason = SNES_DIVERGED_DTOL;
    last = change;
  }
  PetscCall(SNESSetConvergedReason(snes, reason));
  if (guess && reason > 0) PetscCall(Keep(stage, stage->t, c));
  else stage->num_past = 0;
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
  for (int i = 0; i < NUM_PAST; i++) PetscCall(VecDuplicate(c, &s->past[i]));
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
  for (int i = 0; i < NUM_PAST; i++) PetscCall(VecDestroy(&(*stage)->past[i]));
  PetscCall(MatDestroy(&(*stage)->J));
  PetscCall(PetscFree(*stage));
  PetscFunctionReturn(PETSC_SUCCESS);
}
