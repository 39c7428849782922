/* SPDX-License-Identifier: BSD-2-Clause

   Implicit stages of TS by nonlinear multigrid, without a matrix. Each stage of PETSc's implicit methods is dc/dt + F(c)/V = 0 with
   dc/dt = shift (c - old), shift and old fixed; both are found by asking TS for its Jacobian and its function once. */
#include <math.h>

#include "kernel.h"
#include "solve_private.h"

enum { MOST_SLOPES = 3 };

struct SoretStage_s {
  SoretSystem *sys;
  SoretFAS     fas;
  Mat          J;      /* nothing but a place for TS to ask for a Jacobian        */
  Vec          weight; /* borrowed: one over the error allowed in each entry      */
  Vec          before, old;
  PetscBool    recording;
  PetscReal    contraction; /* of the first cycle of a stage, as measured last */
  PetscInt     cycles;
  PetscBool    idle;
  /* where stages start */
  TS        ts;
  PetscReal t;         /* of the stage                                                  */
  PetscReal start, dt; /* of the step                                                   */
  PetscReal span;      /* backward Euler: what slope[0] is the change in; 0: it has none */
  int       num_slopes;
  PetscReal slope_t[MOST_SLOPES], slope_shift[MOST_SLOPES];
  Vec       slope[MOST_SLOPES]; /* dc/dt over the shift: at the start of the step and of the two stages before */
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

/* c and `before` become old + the slopes times their weights, but not less than a tenth of what there is at the start of the step. */
SORET_CLONES static PetscErrorCode Extrapolate(SoretStage stage, const PetscReal weight[], Vec start, Vec c)
{
  const PetscReal *least, *old, *slope[MOST_SLOPES];
  PetscReal       *guess, *before;
  PetscInt         n;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(c, &n));
  for (int i = 0; i < MOST_SLOPES; i++) PetscCall(VecGetArrayRead(stage->slope[i], &slope[i]));
  PetscCall(VecGetArrayRead(start, &least));
  PetscCall(VecGetArrayRead(stage->old, &old));
  PetscCall(VecGetArray(c, &guess));
  PetscCall(VecGetArray(stage->before, &before));
  for (PetscInt q = 0; q < n; q++) {
    const PetscReal value = old[q] + weight[0] * slope[0][q] + weight[1] * slope[1][q] + weight[2] * slope[2][q];

    guess[q] = before[q] = value > 0.1 * least[q] ? value : 0.1 * least[q];
  }
  PetscCall(VecRestoreArray(stage->before, &before));
  PetscCall(VecRestoreArray(c, &guess));
  PetscCall(VecRestoreArrayRead(stage->old, &old));
  PetscCall(VecRestoreArrayRead(start, &least));
  for (int i = 0; i < MOST_SLOPES; i++) PetscCall(VecRestoreArrayRead(stage->slope[i], &slope[i]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Keeps the slope at t, c - old, in place of the one at the same time or the older one of the two last. */
static PetscErrorCode KeepSlope(SoretStage stage, PetscReal t, Vec c, Vec old)
{
  int at = 0;

  PetscFunctionBegin;
  while (at < stage->num_slopes && stage->slope_t[at] != t) at++;
  if (at == MOST_SLOPES) {
    const Vec oldest = stage->slope[1];

    at                    = MOST_SLOPES - 1;
    stage->slope[1]       = stage->slope[at];
    stage->slope_t[1]     = stage->slope_t[at];
    stage->slope_shift[1] = stage->slope_shift[at];
    stage->slope[at]      = oldest;
  }
  PetscCall(VecWAXPY(stage->slope[at], -1.0, old, c));
  stage->slope_t[at]     = t;
  stage->slope_shift[at] = stage->sys->shift;
  stage->num_slopes      = PetscMax(stage->num_slopes, at + 1);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Forgets other steps. Where the first stage is explicit, the first implicit one has in its `old` the slope at the start (a_21 = gamma); else it has the start. */
static PetscErrorCode BeginStep(SoretStage stage, PetscReal start, PetscReal dt, Vec at_start)
{
  PetscBool none;

  PetscFunctionBegin;
  stage->start      = start;
  stage->dt         = dt;
  stage->num_slopes = 0;
  /* it depends on the length of the step: to be measured anew */
  stage->contraction = 0.5;
  PetscCall(VecEqual(stage->old, at_start, &none));
  if (!none) PetscCall(KeepSlope(stage, start, stage->old, at_start));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The guess of a stage of ESDIRK from what is known in its step, so that nothing has to be kept for an exact restart: its `old`, which holds the stages before it with the errors they
   have, and the slope, extrapolated by the parabola through that at the start and those of the two stages before. The slope at the start of the first step may belong to
   a layer that is over in no time: there a stage starts where the one before ended. */
static PetscErrorCode Guess(SoretStage stage, Vec c)
{
  PetscReal start, dt, weight[MOST_SLOPES] = {0.0};
  PetscInt  step;
  Vec       at_start;

  PetscFunctionBegin;
  PetscCall(TSGetTime(stage->ts, &start));
  PetscCall(TSGetTimeStep(stage->ts, &dt));
  PetscCall(TSGetStepNumber(stage->ts, &step));
  PetscCall(TSGetSolution(stage->ts, &at_start));
  if (!stage->num_slopes || start != stage->start || dt != stage->dt) PetscCall(BeginStep(stage, start, dt, at_start));
  if (step == 0) {
    PetscCall(VecCopy(c, stage->before));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (int i = 0; i < stage->num_slopes; i++) {
    weight[i] = stage->slope_shift[i] / stage->sys->shift;
    for (int j = 0; j < stage->num_slopes; j++) {
      if (j != i) weight[i] *= (stage->t - stage->slope_t[j]) / (stage->slope_t[i] - stage->slope_t[j]);
    }
  }
  PetscCall(Extrapolate(stage, weight, at_start, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretStageLookBack(SoretStage stage, PetscReal span, Vec before, Vec now)
{
  PetscFunctionBegin;
  stage->span = span;
  if (span > 0.0) PetscCall(VecWAXPY(stage->slope[0], -1.0, before, now));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The guess of the stage of backward Euler, whose `old` is the start of the step: the straight line through that and the state before. */
static PetscErrorCode GuessOnward(SoretStage stage, Vec c)
{
  PetscReal start, weight[MOST_SLOPES] = {0.0};
  Vec       at_start;

  PetscFunctionBegin;
  PetscCall(TSGetTime(stage->ts, &start));
  PetscCall(TSGetSolution(stage->ts, &at_start));
  weight[0] = (stage->t - start) / stage->span;
  PetscCall(Extrapolate(stage, weight, at_start, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- solving it ---- */

/* shift and old of the stage that TS is at, from what it gives at c. */
static PetscErrorCode Learn(SoretStage stage, SNES snes, Vec c)
{
  PetscFunctionBegin;
  stage->recording = PETSC_TRUE;
  PetscCall(SNESComputeJacobian(snes, c, stage->J, stage->J));
  PetscCall(SNESComputeFunction(snes, c, stage->old));
  stage->recording = PETSC_FALSE;
  PetscCall(SoretFASUpdate(stage->fas));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Root mean square of c - before in units of the error allowed. */
SORET_CLONES static PetscErrorCode MeasureChange(SoretStage stage, Vec c, PetscReal *change)
{
  const PetscReal *now, *before, *weight;
  PetscReal        sum = 0.0, all;
  PetscInt         n, size;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(c, &n));
  PetscCall(VecGetSize(c, &size));
  PetscCall(VecGetArrayRead(c, &now));
  PetscCall(VecGetArrayRead(stage->weight, &weight));
  PetscCall(VecGetArrayRead(stage->before, &before));
  SORET_SUM(sum)
  for (PetscInt q = 0; q < n; q++) {
    const PetscReal e = weight[q] * (now[q] - before[q]);

    sum += e * e;
  }
  PetscCall(VecRestoreArrayRead(stage->before, &before));
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
  if (guess)
    PetscCall(Guess(stage, c));
  else if (stage->span > 0.0)
    PetscCall(GuessOnward(stage, c));
  else
    PetscCall(VecCopy(c, stage->before));
  for (PetscInt it = 1; !reason; it++) {
    PetscReal rho;

    PetscCall(SoretFASCycle(stage->fas, 0, NULL, c));
    PetscCall(MeasureChange(stage, c, &change));
    stage->cycles++;
    /* before there is a second change to compare with, what the first stage of the step has shown; methods without such steps take what was measured last, but
       not less than is seen of smooth data */
    rho = it > 1 && last > 0.0 ? change / last : guess ? stage->contraction
                                                       : PetscMax(stage->contraction, 0.1);
    if (it == 2) stage->contraction = PetscMin(rho, 0.5);
    PetscCall(SNESSetIterationNumber(snes, it));
    PetscCall(SNESMonitor(snes, it, change));
    if (PetscIsInfOrNanReal(change))
      reason = SNES_DIVERGED_FUNCTION_NANORINF;
    else if (change == 0.0 || (rho < 0.95 && rho / (1.0 - rho) * change <= 0.3))
      reason = SNES_CONVERGED_SNORM_RELATIVE;
    else if ((it > 2 && rho > 2.0) || it >= MOST_CYCLES)
      reason = SNES_DIVERGED_DTOL;
    last = change;
    if (!reason) PetscCall(VecCopy(c, stage->before));
  }
  PetscCall(SNESSetConvergedReason(snes, reason));
  if (guess && reason > 0)
    PetscCall(KeepSlope(stage, stage->t, c, stage->old));
  else
    stage->num_slopes = 0;
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
  for (int i = 0; i < MOST_SLOPES; i++) PetscCall(VecDuplicate(c, &s->slope[i]));
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
  for (int i = 0; i < MOST_SLOPES; i++) PetscCall(VecDestroy(&(*stage)->slope[i]));
  PetscCall(MatDestroy(&(*stage)->J));
  PetscCall(PetscFree(*stage));
  PetscFunctionReturn(PETSC_SUCCESS);
}
