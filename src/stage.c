/* SPDX-License-Identifier: BSD-2-Clause

   Implicit stages of TS by nonlinear multigrid, without a matrix. Each stage of PETSc's implicit methods is dc/dt + F(c)/V = 0 with
   dc/dt = shift (c - old), shift and old fixed; both are found by asking TS for its Jacobian and its function once. */
#include <math.h>

#include "kernel.h"
#include "solve_private.h"

enum { MOST_PAST = 16 };

struct SoretStage_s {
  SoretSystem *sys;
  SoretFAS     fas;
  Mat          J;          /* nothing but a place for TS to ask for a Jacobian        */
  Vec          weight;     /* borrowed: one over the error allowed in each entry      */
  Vec          before, old;
  PetscBool    recording;
  PetscReal    contraction; /* of the first cycle of a stage, as measured last */
  PetscInt     cycles;
  PetscBool    idle;
  /* where stages start */
  TS           ts;
  PetscReal    t;                 /* of the stage                                             */
  PetscReal    dt;                /* of the step                                              */
  Vec          ahead;             /* state at its start + slope there over the shift; backward Euler: the state `span` before its start */
  PetscReal    span;              /* 0: there is none                                         */
  PetscInt     num_past;
  PetscReal    past_t[MOST_PAST];
  Vec          past[MOST_PAST];   /* borrowed: state at the start, and the stages of the step */
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

/* Begins to collect what is known in a step: its start and, in what `old` adds to it at the first implicit stage (a_21 = gamma), the slope there. */
static PetscErrorCode BeginStep(SoretStage stage, PetscReal start, PetscReal dt)
{
  PetscFunctionBegin;
  stage->dt        = dt;
  stage->past_t[0] = start;
  stage->num_past  = 1;
  /* it depends on the length of the step: to be measured anew */
  stage->contraction = 0.5;
  PetscCall(TSGetSolution(stage->ts, &stage->past[0]));
  PetscCall(VecCopy(stage->old, stage->ahead));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* c and `before` become c_0 + square (near - c_0) + slope (ahead - c_0), but not less than a tenth of c_0. */
SORET_CLONES static PetscErrorCode Extrapolate(SoretStage stage, PetscReal square, Vec near, PetscReal slope, Vec c)
{
  const PetscReal *start, *at, *ahead;
  PetscReal       *guess, *before;
  PetscInt         n;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(c, &n));
  PetscCall(VecGetArrayRead(stage->past[0], &start));
  PetscCall(VecGetArrayRead(near, &at));
  PetscCall(VecGetArrayRead(stage->ahead, &ahead));
  PetscCall(VecGetArray(c, &guess));
  PetscCall(VecGetArray(stage->before, &before));
  for (PetscInt q = 0; q < n; q++) {
    const PetscReal value = start[q] + square * (at[q] - start[q]) + slope * (ahead[q] - start[q]), least = 0.1 * start[q];

    guess[q] = before[q] = value > least ? value : least;
  }
  PetscCall(VecRestoreArray(stage->before, &before));
  PetscCall(VecRestoreArray(c, &guess));
  PetscCall(VecRestoreArrayRead(stage->ahead, &ahead));
  PetscCall(VecRestoreArrayRead(near, &at));
  PetscCall(VecRestoreArrayRead(stage->past[0], &start));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The guess of a stage of ESDIRK from what is known in its step, so that nothing has to be kept for an exact restart: the parabola through the
   start of the step, with its slope there, and the stage that is nearest in time. Longer ones carry on more of the error that stages are left with
   than they gain. The slope at the start of the first step may belong to a layer that is over in no time: there it is a straight line. */
static PetscErrorCode Guess(SoretStage stage, Vec c)
{
  PetscReal start, dt, ratio;
  PetscInt  step;
  int       near = 0;

  PetscFunctionBegin;
  PetscCall(TSGetTime(stage->ts, &start));
  PetscCall(TSGetTimeStep(stage->ts, &dt));
  PetscCall(TSGetStepNumber(stage->ts, &step));
  if (!stage->num_past || start != stage->past_t[0] || dt != stage->dt) PetscCall(BeginStep(stage, start, dt));
  for (int i = 1; i < stage->num_past; i++) {
    if (stage->past_t[i] != start && (!near || PetscAbsReal(stage->past_t[i] - stage->t) < PetscAbsReal(stage->past_t[near] - stage->t))) near = i;
  }
  ratio = near ? (stage->t - start) / (stage->past_t[near] - start) : 0.0;
  if (step > 0) PetscCall(Extrapolate(stage, ratio * ratio, stage->past[near], (stage->t - start) * (1.0 - ratio) * stage->sys->shift, c));
  else PetscCall(Extrapolate(stage, ratio, stage->past[near], 0.0, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretStageLookBack(SoretStage stage, PetscReal span, Vec before)
{
  PetscFunctionBegin;
  stage->span = span;
  if (span > 0.0) PetscCall(VecCopy(before, stage->ahead));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The guess of the stage of backward Euler: the straight line through the state at the start of the step and that before. */
static PetscErrorCode GuessOnward(SoretStage stage, Vec c)
{
  PetscReal start;

  PetscFunctionBegin;
  PetscCall(TSGetTime(stage->ts, &start));
  PetscCall(TSGetSolution(stage->ts, &stage->past[0]));
  PetscCall(Extrapolate(stage, 0.0, stage->past[0], -(stage->t - start) / stage->span, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Keeps a stage of this step, which TS holds until the next one. */
static void Keep(SoretStage stage, Vec c)
{
  if (stage->num_past == MOST_PAST) return;
  stage->past[stage->num_past]     = c;
  stage->past_t[stage->num_past++] = stage->t;
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
  if (guess) PetscCall(Guess(stage, c));
  else if (stage->span > 0.0) PetscCall(GuessOnward(stage, c));
  else PetscCall(VecCopy(c, stage->before));
  for (PetscInt it = 1; !reason; it++) {
    PetscReal rho;

    PetscCall(SoretFASCycle(stage->fas, 0, NULL, c));
    PetscCall(MeasureChange(stage, c, &change));
    stage->cycles++;
    /* before there is a second change to compare with, what the first stage of the step has shown; methods without such steps take what was measured last, but
       not less than is seen of smooth data */
    rho = it > 1 && last > 0.0 ? change / last : guess ? stage->contraction : PetscMax(stage->contraction, 0.1);
    if (it == 2) stage->contraction = PetscMin(rho, 0.5);
    PetscCall(SNESSetIterationNumber(snes, it));
    PetscCall(SNESMonitor(snes, it, change));
    if (PetscIsInfOrNanReal(change)) reason = SNES_DIVERGED_FUNCTION_NANORINF;
    else if (change == 0.0 || (rho < 0.95 && rho / (1.0 - rho) * change <= 0.3)) reason = SNES_CONVERGED_SNORM_RELATIVE;
    else if ((it > 2 && rho > 2.0) || it >= MOST_CYCLES) reason = SNES_DIVERGED_DTOL;
    last = change;
    if (!reason) PetscCall(VecCopy(c, stage->before));
  }
  PetscCall(SNESSetConvergedReason(snes, reason));
  if (guess && reason > 0) Keep(stage, c);
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
  PetscCall(VecDuplicate(c, &s->ahead));
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
  PetscCall(VecDestroy(&(*stage)->ahead));
  PetscCall(MatDestroy(&(*stage)->J));
  PetscCall(PetscFree(*stage));
  PetscFunctionReturn(PETSC_SUCCESS);
}
