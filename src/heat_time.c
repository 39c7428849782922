/* SPDX-License-Identifier: BSD-2-Clause */
#include "heat_private.h"

#include "soret/esdirk.h"

enum { MOST_REJECTIONS = 30 }; /* of a step in a row */

static const PetscReal time_tolerance = 1.0e-7; /* relative error of the temperature in one step of time */

PetscErrorCode SoretHeatForgetSteps(SoretHeat heat)
{
  PetscFunctionBegin;
  PetscCall(TSDestroy(&heat->ts));
  PetscCall(SoretHeatDestroySolver(heat));
  heat->num_steps = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TimeResidual(TS ts, PetscReal t, Vec T, Vec rate, Vec F, void *context)
{
  SoretHeat heat = (SoretHeat)context;

  PetscFunctionBegin;
  PetscCall(SoretHeatEvaluate(heat, t, T, SORET_HEAT_PER_CAPACITY, F, 0.0, NULL, NULL));
  PetscCall(VecAXPY(F, 1.0, rate));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TimeJacobian(TS ts, PetscReal t, Vec T, Vec rate, PetscReal shift, Mat J, Mat P, void *context)
{
  SoretHeat heat = (SoretHeat)context;

  PetscFunctionBegin;
  PetscCall(SoretHeatEvaluate(heat, t, T, SORET_HEAT_PER_CAPACITY, heat->step, shift, heat->J, NULL));
  if (heat->elliptic) PetscCall(SoretHeatFillElliptic(heat, t, shift));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Remember(SoretHeat heat, PetscReal t)
{
  SoretHeatSnapshot *snapshot = &heat->window[heat->num_steps % SORET_HEAT_WINDOW];
  const PetscInt     n        = heat->grid->num_cells;
  const PetscReal   *T, *f;

  PetscFunctionBegin;
  if (!snapshot->T) PetscCall(PetscMalloc2(n, &snapshot->T, n, &snapshot->rate));
  PetscCall(SoretHeatEvaluate(heat, t, heat->T, SORET_HEAT_PER_CAPACITY, heat->f, 0.0, NULL, NULL));
  PetscCall(VecGetArrayRead(heat->T, &T));
  PetscCall(VecGetArrayRead(heat->f, &f));
  PetscCall(PetscArraycpy(snapshot->T, T, n));
  for (PetscInt p = 0; p < n; p++) snapshot->rate[p] = -f[p];
  PetscCall(VecRestoreArrayRead(heat->T, &T));
  PetscCall(VecRestoreArrayRead(heat->f, &f));
  snapshot->t = t;
  heat->num_steps++;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A step in which the fastest cell changes by about the tolerance times a thousand. */
static PetscErrorCode FirstStep(SoretHeat heat, PetscReal *step)
{
  const SoretHeatSnapshot *now     = &heat->window[0];
  PetscReal                fastest = 0.0;

  PetscFunctionBegin;
  for (PetscInt p = 0; p < heat->grid->num_cells; p++) fastest = PetscMax(fastest, PetscAbsReal(now->rate[p] / now->T[p]));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &fastest, 1, MPIU_REAL, MPI_MAX, heat->grid->comm));
  *step = PetscMin(heat->spec->longest_step, fastest > 0.0 ? 1.0e3 * time_tolerance / fastest : 1.0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode StartTime(SoretHeat heat)
{
  PetscReal *T, step;
  TSAdapt    adapt;
  SNES       snes;
  KSP        ksp;
  Mat        J;

  PetscFunctionBegin;
  PetscCall(SoretHeatForgetSteps(heat));
  if (heat->spec->initial) {
    PetscCall(SoretFieldPrepare(heat->spec->initial, heat->grid, 0.0));
    PetscCall(VecGetArray(heat->T, &T));
    PetscCall(SoretFieldFill(heat->spec->initial, heat->grid, 0.0, NULL, T));
    PetscCall(VecRestoreArray(heat->T, &T));
    PetscCall(SoretFieldRelease(heat->spec->initial));
  } else {
    heat->started = PETSC_FALSE;
    PetscCall(SoretHeatSolveSteady(heat, 0.0));
  }
  PetscCall(SoretHeatDestroySolver(heat));
  PetscCall(SoretHeatCreateOperator(heat, heat->capacity));
  PetscCall(Remember(heat, 0.0));
  PetscCall(FirstStep(heat, &step));
  PetscCall(TSCreate(heat->grid->comm, &heat->ts));
  PetscCall(TSSetOptionsPrefix(heat->ts, "heat_"));
  PetscCall(TSSetDM(heat->ts, heat->dm));
  PetscCall(SoretTimeSetESDIRK(heat->ts));
  PetscCall(TSSetIFunction(heat->ts, NULL, TimeResidual, heat));
  J = heat->J ? heat->J : SoretEllipticMatrix(heat->elliptic);
  PetscCall(TSSetIJacobian(heat->ts, J, J, TimeJacobian, heat));
  PetscCall(TSSetTolerances(heat->ts, 0.0, NULL, time_tolerance, NULL));
  PetscCall(TSSetMaxTime(heat->ts, 0.5 * PETSC_MAX_REAL));
  PetscCall(TSSetMaxSteps(heat->ts, PETSC_MAX_INT));
  PetscCall(TSSetExactFinalTime(heat->ts, TS_EXACTFINALTIME_STEPOVER));
  PetscCall(TSSetTimeStep(heat->ts, step));
  PetscCall(TSSetMaxStepRejections(heat->ts, MOST_REJECTIONS));
  PetscCall(TSSetErrorIfStepFails(heat->ts, PETSC_FALSE)); /* StepTo() sees to it */
  PetscCall(TSGetAdapt(heat->ts, &adapt));
  PetscCall(TSAdaptSetStepLimits(adapt, 0.0, heat->spec->longest_step));
  PetscCall(TSGetSNES(heat->ts, &snes));
  PetscCall(SNESSetTolerances(snes, 0.0, 1.0e-10, 1.0e-14, 20, PETSC_DEFAULT));
  PetscCall(SNESGetKSP(snes, &ksp));
  PetscCall(SoretHeatSetSolver(heat, PETSC_FALSE, ksp));
  PetscCall(TSSetFromOptions(heat->ts));
  PetscCall(TSSetSolution(heat->ts, heat->T));
  PetscCall(TSSetUp(heat->ts));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscReal LastTime(const SoretHeat heat)
{
  return heat->window[(heat->num_steps - 1) % SORET_HEAT_WINDOW].t;
}

static PetscErrorCode StepTo(SoretHeat heat, PetscReal t)
{
  TSConvergedReason reason;
  PetscReal         now;

  PetscFunctionBegin;
  while (LastTime(heat) < t) {
    PetscCall(TSStep(heat->ts));
    PetscCall(TSGetConvergedReason(heat->ts, &reason));
    PetscCall(TSGetTime(heat->ts, &now));
    if ((reason < 0 || !(now > LastTime(heat))) && heat->elliptic) { /* from the beginning, with a matrix */
      heat->assembled = PETSC_TRUE;
      PetscCall(StartTime(heat));
      continue;
    }
    if (reason < 0 || !(now > LastTime(heat))) {
      PetscCall(SoretComplain(heat->grid->comm, "soret: the heat equation could not be integrated beyond t = %g (%s); try -heat_ts_monitor, -heat_snes_monitor\n", (double)LastTime(heat), TSConvergedReasons[reason]));
      PetscFunctionReturn(SORET_ERR_NOT_CONVERGED);
    }
    PetscCall(Remember(heat, now));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Cubic in time between two steps, with the rates of change at both (Hermite): of the order of the error of a step, and linear in what is conserved. */
static void Interpolate(const SoretHeat heat, const SoretHeatSnapshot *a, const SoretHeatSnapshot *b, PetscReal t, PetscReal T[], PetscReal rate[])
{
  const PetscReal h = b->t - a->t, s = h > 0.0 ? (t - a->t) / h : 0.0;
  const PetscReal w[4] = {(1.0 + 2.0 * s) * (1.0 - s) * (1.0 - s), s * s * (3.0 - 2.0 * s), h * s * (1.0 - s) * (1.0 - s), h * s * s * (s - 1.0)};
  const PetscReal v[4] = {h > 0.0 ? 6.0 * s * (s - 1.0) / h : 0.0, h > 0.0 ? 6.0 * s * (1.0 - s) / h : 0.0, (1.0 - s) * (1.0 - 3.0 * s), s * (3.0 * s - 2.0)};

  for (PetscInt p = 0; p < heat->grid->num_cells; p++) {
    T[p]    = w[0] * a->T[p] + w[1] * b->T[p] + w[2] * a->rate[p] + w[3] * b->rate[p];
    rate[p] = v[0] * a->T[p] + v[1] * b->T[p] + v[2] * a->rate[p] + v[3] * b->rate[p];
  }
}

PetscErrorCode SoretHeatFillInTime(SoretHeat heat, PetscReal t, PetscReal T[])
{
  PetscInt oldest = PetscMax(heat->num_steps - SORET_HEAT_WINDOW, 0), n;

  PetscFunctionBegin;
  if (!heat->num_steps || t < heat->window[oldest % SORET_HEAT_WINDOW].t) PetscCall(StartTime(heat));
  PetscCall(StepTo(heat, t));
  oldest = PetscMax(heat->num_steps - SORET_HEAT_WINDOW, 0);
  n      = heat->num_steps - 1;
  while (n > oldest && heat->window[(n - 1) % SORET_HEAT_WINDOW].t >= t) n--;
  Interpolate(heat, &heat->window[PetscMax(n - 1, oldest) % SORET_HEAT_WINDOW], &heat->window[n % SORET_HEAT_WINDOW], t, T, heat->rate);
  PetscFunctionReturn(PETSC_SUCCESS);
}
