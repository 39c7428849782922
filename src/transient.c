/* SPDX-License-Identifier: BSD-2-Clause */
#include <petscts.h>

#include <math.h>

#include "kernel.h"
#include "transient_private.h"

#include "soret/esdirk.h"

/* ---- the equations as TS wants them: dc/dt + F(c)/V = 0 ---- */

static PetscErrorCode FormIFunction(TS ts, PetscReal t, Vec c, Vec rate, Vec f, void *context)
{
  SoretTransient *tr = (SoretTransient *)context;

  PetscFunctionBegin;
  PetscCall(SoretOperatorSetTime(tr->sys.op, t));
  if (SoretStageRecord(tr->stage, ts, t, 0.0)) {
    PetscCall(VecWAXPY(f, -1.0 / tr->sys.shift, rate, c));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretSystemResidual(&tr->sys, c, f));
  PetscCall(SoretOperatorPerVolume(tr->sys.op, 1.0, f));
  PetscCall(VecAXPY(f, 1.0, rate));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FormIJacobian(TS ts, PetscReal t, Vec c, Vec rate, PetscReal shift, Mat A, Mat P, void *context)
{
  SoretTransient *tr = (SoretTransient *)context;

  PetscFunctionBegin;
  PetscCall(SoretOperatorSetTime(tr->sys.op, t));
  if (SoretStageRecord(tr->stage, ts, t, shift)) PetscFunctionReturn(PETSC_SUCCESS);
  tr->sys.shift = shift;
  PetscCall(SoretSystemJacobian(&tr->sys, c));
  tr->sys.shift = 0.0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- stages ---- */

/* Stops the Newton iteration of a stage when the error left, estimated from the last change and the measured contraction rho,
   rho/(1 - rho) |change|, is below a tenth of the tolerance of the step. A fixed number of iterations is never trusted. */
static PetscErrorCode TestStage(SNES snes, PetscInt it, PetscReal xnorm, PetscReal ynorm, PetscReal fnorm, SNESConvergedReason *reason, void *context)
{
  SoretTransient *tr = (SoretTransient *)context;
  PetscReal       rho;
  PetscInt        n;
  Vec             y, work;

  PetscFunctionBegin;
  *reason = tr->priming ? SNES_CONVERGED_FNORM_ABS : SNES_CONVERGED_ITERATING;
  if (PetscIsInfOrNanReal(fnorm)) *reason = SNES_DIVERGED_FUNCTION_NANORINF;
  else if (fnorm == 0.0) *reason = SNES_CONVERGED_FNORM_ABS;
  if (*reason || it == 0) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SNESGetSolutionUpdate(snes, &y));
  PetscCall(VecDuplicate(y, &work));
  PetscCall(VecPointwiseMult(work, y, tr->stage_weight));
  PetscCall(VecNorm(work, NORM_2, &tr->change));
  PetscCall(VecGetSize(y, &n));
  PetscCall(VecDestroy(&work));
  tr->change /= sqrt((double)n);
  /* after the first iteration nothing is known of the contraction; half is what a fresh Jacobian is asked for below */
  rho = it > 1 && tr->previous_change > 0.0 ? tr->change / tr->previous_change : 0.5;
  if (it > 1 && rho > 0.5 && !tr->sys.at) PetscCall(SNESSetLagJacobian(snes, -2)); /* stale: a fresh one for the next iteration */
  if (rho < 0.95 && rho / (1.0 - rho) * tr->change <= 0.1) *reason = SNES_CONVERGED_SNORM_RELATIVE;
  if (tr->change == 0.0) *reason = SNES_CONVERGED_SNORM_RELATIVE;
  if (it > 2 && rho > 2.0) *reason = SNES_DIVERGED_DTOL;
  tr->previous_change = tr->change;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* All stages of a step have the same diagonal coefficient, so one Jacobian serves them, as long as the iteration contracts: made anew
   at the first stage of a step and whenever the step has changed. */
static PetscErrorCode PreStage(TS ts, PetscReal stage_time)
{
  SoretTransient *tr;
  PetscReal       step;
  SNES            snes;

  PetscFunctionBegin;
  PetscCall(TSGetApplicationContext(ts, &tr));
  PetscCall(TSGetTimeStep(ts, &step));
  if (tr->stage || tr->sys.at || step == tr->jacobian_step) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(TSGetSNES(ts, &snes));
  PetscCall(SNESSetLagJacobian(snes, -2));
  tr->jacobian_step = step;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Methods with one stage that remember the state before the last step: what changes the solution behind their back makes them forget it, and
   they would never adapt the step. Their sums are closed in the stage. What they make of it is a linear combination with the state
   before, which has the same sums. */
static PetscErrorCode PostStage(TS ts, PetscReal stage_time, PetscInt stage, Vec *c)
{
  SoretTransient *tr;

  PetscFunctionBegin;
  PetscCall(TSGetApplicationContext(ts, &tr));
  if (tr->in_stage && !tr->priming) PetscCall(SoretSystemClose(&tr->sys, tr->mean, tr->closed, c[stage]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

INLINED void WeightsOf(const PetscInt ns, PetscInt n, const PetscReal *restrict absolute, PetscReal relative, const PetscReal *restrict c, PetscReal *restrict w)
{
  SORET_PRAGMA(omp simd)
  for (PetscInt p = 0; p < n; p++) {
    for (PetscInt s = 0; s < ns; s++) w[p * ns + s] = 1.0 / (absolute[s] + relative * PetscAbsReal(c[p * ns + s]));
  }
}

/* Weights for the changes of the stages of a step, from the state at its beginning. */
static PetscErrorCode SetStageWeights(SoretTransient *tr, Vec c)
{
  const PetscInt   ns = tr->sys.op->num_species;
  const PetscReal *x;
  PetscReal       *w;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(c, &x));
  PetscCall(VecGetArray(tr->stage_weight, &w));
  BY_SPECIES(WeightsOf, ns, tr->sys.op->grid->num_cells, tr->absolute, tr->spec->tolerance.value, x, w);
  PetscCall(VecRestoreArray(tr->stage_weight, &w));
  PetscCall(VecRestoreArrayRead(c, &x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

enum {
  MOST_NEGATIVE = 8, /* rejections of a step, each to a quarter, before backward Euler is taken */
  MOST_ATTEMPTS = 30 /* of a step                                                               */
};

/* Is each of n cells free of concentrations below -absolute, and of what is not a number? */
INLINED int AllAbove(const PetscInt ns, PetscInt n, const PetscReal *restrict absolute, const PetscReal *restrict c)
{
  int good = 1;

  SORET_PRAGMA(omp simd reduction(& : good))
  for (PetscInt p = 0; p < n; p++) {
    for (PetscInt s = 0; s < ns; s++) good &= c[p * ns + s] >= -absolute[s];
  }
  return good;
}

/* A stage with a concentration below -absolute is refused: the step is repeated with a shorter one. Nothing is clipped. Where that goes on the
   step is given up, for StepByEuler(). */
static PetscErrorCode CheckStage(TSAdapt adapt, TS ts, PetscReal t, Vec c, PetscBool *accept)
{
  SoretTransient  *tr;
  const PetscReal *x;
  PetscInt         ns;
  int              good, all;

  PetscFunctionBegin;
  PetscCall(TSGetApplicationContext(ts, &tr));
  ns = tr->sys.op->num_species;
  PetscCall(VecGetArrayRead(c, &x));
  BY_SPECIES(good = AllAbove, ns, tr->sys.op->grid->num_cells, tr->absolute, x);
  PetscCall(VecRestoreArrayRead(c, &x));
  PetscCallMPI(MPI_Allreduce(&good, &all, 1, MPI_INT, MPI_MIN, tr->sys.op->grid->comm));
  *accept = all ? PETSC_TRUE : PETSC_FALSE;
  if (all || ts == tr->euler) PetscFunctionReturn(PETSC_SUCCESS);
  if (tr->negative == 0) PetscCall(TSGetTimeStep(ts, &tr->refused));
  if (++tr->negative >= MOST_NEGATIVE) PetscCall(TSSetConvergedReason(ts, TS_DIVERGED_STEP_REJECTED));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- after each step ---- */

static PetscErrorCode PreStep(TS ts)
{
  SoretTransient *tr;
  Vec             c;

  PetscFunctionBegin;
  PetscCall(TSGetApplicationContext(ts, &tr));
  PetscCall(TSGetSolution(ts, &c));
  PetscCall(SetStageWeights(tr, c));
  if (tr->looks_back) PetscCall(SoretStageLookBack(tr->stage, tr->steps > 0 && !tr->forgot ? tr->last_step : 0.0, tr->previous, c));
  if (tr->previous) PetscCall(VecCopy(c, tr->previous));
  tr->jacobian_step = 0.0; /* the state has changed: a fresh Jacobian */
  tr->negative      = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Change of the state per diffusion time L^2/D of the slowest species that moves, relative to what there is: the largest over species, in
   the 2-norm. The measure of steady solves compares with gross fluxes and means nothing where those die out with the residual; it alone counts where
   nothing moves, and there is no such time. */
static PetscErrorCode RelativeChange(SoretTransient *tr, Vec c, PetscReal *change)
{
  const SoretOperator *op = tr->sys.op;
  PetscReal            length = 0.0, slowest = PETSC_MAX_REAL, rate, amount, D[3 * SORET_MAX_SPECIES];
  Vec                  f;

  PetscFunctionBegin;
  for (PetscInt axis = 0; axis < op->grid->dim; axis++) length = PetscMax(length, op->grid->size[axis]);
  for (PetscInt s = 0; s < op->num_species; s++) {
    if (!SoretModelIsImmobile(op->model, s)) slowest = PetscMin(slowest, op->mean_D[s]);
  }
  PetscCall(SoretRelaxedDiffusivity(tr->sys.op, tr->sys.sums, c, D));
  for (PetscInt k = 0; k < tr->sys.sums->num; k++) slowest = D[k] > 0.0 ? PetscMin(slowest, D[k]) : slowest;
  *change = PETSC_MAX_REAL;
  if (slowest == PETSC_MAX_REAL) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecDuplicate(c, &f));
  PetscCall(SoretOperatorResidual(tr->sys.op, NULL, c, f));
  PetscCall(SoretOperatorPerVolume(op, 1.0, f));
  *change = 0.0;
  for (PetscInt s = 0; s < op->num_species; s++) {
    PetscCall(VecStrideNorm(f, s, NORM_2, &rate));
    PetscCall(VecStrideNorm(c, s, NORM_2, &amount));
    if (rate > 0.0) *change = PetscMax(*change, amount > 0.0 ? rate * length * length / slowest / amount : PETSC_MAX_REAL);
  }
  PetscCall(VecDestroy(&f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What follows a step, from `before` to t: is it the end, is it time for a checkpoint? */
static PetscErrorCode FinishStep(SoretTransient *tr, PetscReal before, PetscReal t, Vec c)
{
  PetscReal next;

  PetscFunctionBegin;
  tr->longer_step = PetscMax(tr->last_step, t - before);
  tr->last_step   = t - before;
  tr->steps++;
  if (!(t > before)) tr->stalled = PETSC_TRUE;
  if (tr->spec->until_steady.given) {
    PetscReal ratio, change;
    PetscBool at_floor;

    PetscCall(SoretOperatorSetTime(tr->sys.op, t));
    PetscCall(SoretSteadyMeasure(tr->sys.op, tr->sys.sums, PETSC_TRUE, c, &ratio, &at_floor, NULL));
    PetscCall(RelativeChange(tr, c, &change));
    tr->steady = at_floor || PetscMin(ratio, change) <= tr->spec->until_steady.value ? PETSC_TRUE : PETSC_FALSE;
  }
  if (tr->stalled || tr->steady) PetscCall(TSSetConvergedReason(tr->ts, TS_CONVERGED_USER));
  PetscCall(tr->monitor(tr->context, tr->steps, t, 0.0, c, PETSC_FALSE));
  if (t >= tr->target || tr->stalled || tr->steady) PetscFunctionReturn(PETSC_SUCCESS); /* a frame comes first, or the end */
  /* a step that will end at the target but for rounding, as TSSolve() takes it where a run goes on */
  PetscCall(TSGetTimeStep(tr->ts, &next));
  if (t + next >= tr->target) PetscCall(TSSetTimeStep(tr->ts, tr->target - t));
  PetscCall(SoretCheckpointPoll(tr->checkpoint, tr->steps, t, &tr->stopped));
  if (tr->stopped) PetscCall(TSSetConvergedReason(tr->ts, TS_CONVERGED_USER));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Conservation: the sums are exact in the discrete equations, what is missing is the error of the iterations of the stages. It is closed
   here along the direction that reactions do not resist. */
static PetscErrorCode PostStep(TS ts)
{
  SoretTransient   *tr;
  PetscReal         t, before;
  TSConvergedReason reason;
  Vec               c;

  PetscFunctionBegin;
  PetscCall(TSGetConvergedReason(ts, &reason));
  if (reason < 0) PetscFunctionReturn(PETSC_SUCCESS); /* there was no step */
  PetscCall(TSGetApplicationContext(ts, &tr));
  PetscCall(TSGetSolution(ts, &c));
  PetscCall(TSGetTime(ts, &t));
  PetscCall(TSGetPrevTime(ts, &before));
  tr->forgot = PETSC_FALSE;
  if (!tr->in_stage) PetscCall(SoretSystemClose(&tr->sys, tr->mean, tr->closed, c));
  PetscCall(FinishStep(tr, before, t, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- tolerances and the first step ---- */

/* The amount that a species could reach, that of the sums it belongs to; scale - of the sums. */
static PetscReal ReachOf(const SoretSums *sums, PetscInt s, const PetscReal scale[])
{
  PetscReal amount = 0.0;

  for (PetscInt k = 0; k < sums->num; k++) {
    const PetscReal w = PetscAbsReal(sums->w[k * sums->num_species + s]);

    if (w != 0.0) amount = PetscMax(amount, scale[k] / w);
  }
  return amount;
}

/* Default absolute tolerance: a hundredth of the relative one on the amount that a species could reach, with what is in the box, or, where there is nothing, with what
   walls bring. scale - of the sums at the start */
static PetscErrorCode SetAbsolute(SoretTransient *tr, const PetscReal scale[], Vec c)
{
  const SoretOperator *op   = tr->sys.op;
  const SoretSums     *sums = tr->sys.sums;
  const PetscInt       ns   = sums->num_species;
  PetscReal            brought[SORET_MAX_SPECIES], later[3 * SORET_MAX_SPECIES] = {0.0}, largest;

  PetscFunctionBegin;
  PetscCall(SoretBoundaryBrings(op->boundary, op->temperature, tr->spec->end.value, brought));
  for (PetscInt q = 0; q < sums->num * ns; q++) later[q / ns] += PetscAbsReal(sums->w[q]) * brought[q % ns];
  PetscCall(VecNorm(c, NORM_INFINITY, &largest));
  for (PetscInt s = 0; s < ns && largest == 0.0; s++) largest = PetscMax(largest, brought[s]);
  for (PetscInt s = 0; s < ns; s++) {
    PetscReal amount = ReachOf(sums, s, scale);

    if (amount == 0.0) amount = ReachOf(sums, s, later);
    if (amount == 0.0) amount = largest > 0.0 ? largest : 1.0;
    tr->usual[s]    = 1.0e-2 * tr->spec->tolerance.value * amount;
    tr->absolute[s] = tr->spec->absolute.given ? tr->spec->absolute.value : tr->usual[s];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A step that changes no concentration by more than about its tolerance times a hundred: |c|/|dc/dt| in the weighted norm. */
static PetscErrorCode FirstStep(SoretTransient *tr, Vec c, PetscReal *step)
{
  const PetscReal most = PetscMin(tr->longest_step, tr->spec->end.value);
  PetscReal       d0, d1;
  Vec             f;

  PetscFunctionBegin;
  if (tr->spec->first_step.given) {
    *step = PetscMin(tr->spec->first_step.value, most);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SetStageWeights(tr, c));
  PetscCall(VecDuplicate(c, &f));
  PetscCall(SoretOperatorResidual(tr->sys.op, NULL, c, f));
  PetscCall(SoretOperatorPerVolume(tr->sys.op, 1.0, f));
  PetscCall(VecPointwiseMult(f, f, tr->stage_weight));
  PetscCall(VecNorm(f, NORM_INFINITY, &d1));
  PetscCall(VecPointwiseMult(f, c, tr->stage_weight));
  PetscCall(VecNorm(f, NORM_INFINITY, &d0));
  PetscCall(VecDestroy(&f));
  *step = d1 > 0.0 && d0 > 0.0 ? 1.0e-2 * d0 / d1 : 1.0e-3 * tr->spec->end.value;
  *step = PetscMin(*step, PetscMin(1.0e-2 * tr->spec->end.value, most));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- TS ---- */

static PetscErrorCode SetVectorTolerance(SoretTransient *tr, TS ts, Vec c)
{
  const PetscInt ns = tr->sys.op->num_species;
  PetscReal     *a;
  Vec            absolute;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(c, &absolute));
  PetscCall(VecGetArray(absolute, &a));
  for (PetscInt q = 0; q < tr->sys.op->grid->num_cells * ns; q++) a[q] = tr->absolute[q % ns];
  PetscCall(VecRestoreArray(absolute, &a));
  PetscCall(TSSetTolerances(ts, PETSC_DECIDE, absolute, tr->spec->tolerance.value, NULL));
  PetscCall(VecDestroy(&absolute));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Newton's method with an assembled matrix for the stages. */
static PetscErrorCode SetNewton(SoretTransient *tr, SNES snes, size_t length, char method[])
{
  SNESLineSearch search;
  KSP            ksp;

  PetscFunctionBegin;
  PetscCall(SNESSetConvergenceTest(snes, TestStage, tr, NULL));
  PetscCall(SNESSetTolerances(snes, 0.0, 0.0, 0.0, 12, PETSC_MAX_INT));
  PetscCall(SNESGetLineSearch(snes, &search));
  PetscCall(SNESLineSearchSetType(search, SORET_LINESEARCH_NONE));
  PetscCall(SNESGetKSP(snes, &ksp));
  PetscCall(SoretSystemSetKSP(&tr->sys, ksp, 1.0e-3, length, method));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The solver of the stages, and the matrices that it needs. */
static PetscErrorCode CreateStageSolver(SoretTransient *tr, Vec c)
{
  PetscBool multigrid;

  PetscFunctionBegin;
  PetscCall(SoretFASChoose(tr->sys.op, &multigrid));
  if (multigrid) PetscCall(SoretStageCreate(&tr->sys, c, tr->stage_weight, &tr->stage));
  if (tr->stage) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretNewtonCreateMatrices(&tr->sys, NULL));
  if (tr->sys.at) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecDuplicate(c, &tr->sys.inverse_volume));
  PetscCall(VecSet(tr->sys.inverse_volume, 1.0));
  PetscCall(SoretOperatorPerVolume(tr->sys.op, 1.0, tr->sys.inverse_volume));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A TS that knows the equations. */
static PetscErrorCode CreateEquations(SoretTransient *tr, TS *ts)
{
  PetscFunctionBegin;
  PetscCall(TSCreate(tr->sys.op->grid->comm, ts));
  PetscCall(TSSetApplicationContext(*ts, tr));
  PetscCall(TSSetProblemType(*ts, TS_NONLINEAR));
  PetscCall(TSSetIFunction(*ts, NULL, FormIFunction, tr));
  if (tr->stage) PetscCall(TSSetIJacobian(*ts, SoretStageMatrix(tr->stage), SoretStageMatrix(tr->stage), FormIJacobian, tr));
  else PetscCall(TSSetIJacobian(*ts, tr->sys.A, tr->sys.P, FormIJacobian, tr));
  PetscCall(TSSetPreStage(*ts, PreStage));
  PetscCall(TSSetMaxSNESFailures(*ts, -1));
  PetscCall(TSSetErrorIfStepFails(*ts, PETSC_FALSE)); /* a collapse of the step is told by Diagnose() */
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateTS(SoretTransient *tr, Vec c, size_t length, char method[])
{
  TSAdapt adapt;
  SNES    snes;
  char    solver[96];
  TSType  type, scheme = NULL;
  TS      ts;

  PetscFunctionBegin;
  PetscCall(CreateEquations(tr, &tr->ts));
  ts = tr->ts;
  PetscCall(SoretTimeSetESDIRK(ts));
  PetscCall(TSSetExactFinalTime(ts, TS_EXACTFINALTIME_MATCHSTEP));
  PetscCall(TSSetMaxSteps(ts, tr->spec->max_steps));
  PetscCall(TSSetMaxStepRejections(ts, MOST_ATTEMPTS));
  PetscCall(SetVectorTolerance(tr, ts, c));
  PetscCall(TSGetAdapt(ts, &adapt));
  PetscCall(TSAdaptSetType(adapt, TSADAPTBASIC));
  PetscCall(TSAdaptSetStepLimits(adapt, 0.0, tr->longest_step)); /* PETSc takes a step of 1e-20, in any unit of time, whatever its error */
  PetscCall(TSSetPreStep(ts, PreStep));
  PetscCall(TSSetPostStage(ts, PostStage));
  PetscCall(TSSetPostStep(ts, PostStep));
  PetscCall(TSGetSNES(ts, &snes));
  if (tr->stage) {
    PetscCall(TSSetFromOptions(ts));
    PetscCall(SoretStageSetSNES(tr->stage, snes));
    PetscCall(SoretStageDescribe(tr->stage, sizeof(solver), solver));
  } else {
    PetscCall(SetNewton(tr, snes, sizeof(solver), solver));
    PetscCall(SoretNewtonSetFromOptions(&tr->sys, PETSC_TRUE, snes, ts));
  }
  PetscCall(TSGetType(ts, &type));
  if (strcmp(type, TSROSW)) PetscCall(TSAdaptSetCheckStage(adapt, CheckStage)); /* what Rosenbrock methods give are increments, of any sign */
  if (!strcmp(type, TSARKIMEX)) PetscCall(TSARKIMEXGetType(ts, &scheme));
  if (scheme && !strcmp(scheme, SORET_ESDIRK)) PetscCall(PetscSNPrintf(method, length, "ESDIRK4(3), %s", solver));
  else PetscCall(PetscSNPrintf(method, length, "%s%s%s, %s", type, scheme ? " " : "", scheme ? scheme : "", solver));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is this an error that has been told, and that ends a run with the state of the last step: a value of T, a rate or a wall that no run can use, at a time that was not tried before, or a
   temperature or flow that was not found? */
static PetscBool EndsRun(PetscErrorCode status)
{
  return status == (PetscErrorCode)SORET_ERR_INPUT || status == (PetscErrorCode)SORET_ERR_NOT_CONVERGED ? PETSC_TRUE : PETSC_FALSE;
}

/* ---- the last resort ---- */

/* No method of an order above one keeps concentrations positive with any step. Where one fails again and again, backward Euler goes on: it is
   positive with any step. */
static PetscErrorCode CreateEuler(SoretTransient *tr)
{
  SNESLineSearch search;
  TSAdapt        adapt;
  SNES           snes;
  char           solver[96];

  PetscFunctionBegin;
  PetscCall(CreateEquations(tr, &tr->euler));
  PetscCall(TSSetType(tr->euler, TSBEULER));
  PetscCall(TSSetMaxStepRejections(tr->euler, 0));
  PetscCall(TSSetMaxTime(tr->euler, tr->spec->end.value));
  PetscCall(TSSetExactFinalTime(tr->euler, TS_EXACTFINALTIME_STEPOVER));
  PetscCall(TSGetAdapt(tr->euler, &adapt));
  PetscCall(TSAdaptSetType(adapt, TSADAPTNONE));
  PetscCall(TSAdaptSetCheckStage(adapt, CheckStage));
  PetscCall(TSGetSNES(tr->euler, &snes));
  if (tr->stage) PetscCall(SoretStageSetSNES(tr->stage, snes));
  else {
    PetscCall(SetNewton(tr, snes, sizeof(solver), solver));
    PetscCall(SoretNewtonSetFromOptions(&tr->sys, PETSC_FALSE, snes, NULL));
    PetscCall(SNESGetLineSearch(snes, &search));
    PetscCall(SoretSystemSetPositive(&tr->sys, search));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One step of backward Euler from t, x the state before and after. good - it was solved, and nothing is negative */
static PetscErrorCode EulerStep(SoretTransient *tr, PetscReal t, PetscReal step, Vec x, PetscBool *good, PetscErrorCode *status)
{
  TSConvergedReason reason;

  PetscFunctionBegin;
  PetscCall(TSSetSolution(tr->euler, x));
  PetscCall(TSSetTime(tr->euler, t));
  PetscCall(TSSetTimeStep(tr->euler, step));
  PetscCall(TSSetConvergedReason(tr->euler, TS_CONVERGED_ITERATING));
  PetscCall(TSRestartStep(tr->euler));
  tr->jacobian_step = 0.0;
  *status           = TSStep(tr->euler);
  if (!EndsRun(*status)) PetscCall(*status);
  PetscCall(TSGetConvergedReason(tr->euler, &reason));
  *good = !*status && reason >= 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The step once, and in two halves, y; error - of the latter, in the norm of TS with an `absolute` of at least the default: an error of 1e-20 at the foot of a
   front is what no method of first order can promise. */
static PetscErrorCode TryEuler(SoretTransient *tr, PetscReal t, PetscReal step, Vec c, Vec once, Vec y, PetscBool *good, PetscReal *error, PetscErrorCode *status)
{
  const PetscReal *a, *b;
  PetscReal        sum = 0.0, all;
  PetscInt         n, size, ns = tr->sys.op->num_species;

  PetscFunctionBegin;
  PetscCall(VecCopy(c, once));
  PetscCall(EulerStep(tr, t, step, once, good, status));
  if (!*good) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecCopy(c, y));
  PetscCall(EulerStep(tr, t, 0.5 * step, y, good, status));
  if (*good) PetscCall(EulerStep(tr, t + 0.5 * step, 0.5 * step, y, good, status));
  if (!*good) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecGetLocalSize(y, &n));
  PetscCall(VecGetSize(y, &size));
  PetscCall(VecGetArrayRead(once, &a));
  PetscCall(VecGetArrayRead(y, &b));
  for (PetscInt q = 0; q < n; q++) {
    const PetscReal e = (a[q] - b[q]) / (PetscMax(tr->absolute[q % ns], tr->usual[q % ns]) + tr->spec->tolerance.value * PetscMax(PetscAbsReal(a[q]), PetscAbsReal(b[q])));

    sum += e * e;
  }
  PetscCall(VecRestoreArrayRead(y, &b));
  PetscCall(VecRestoreArrayRead(once, &a));
  PetscCallMPI(MPI_Allreduce(&sum, &all, 1, MPIU_REAL, MPI_SUM, tr->sys.op->grid->comm));
  *error = sqrt(all / (PetscReal)size);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One step of backward Euler for the run, with the local error that is asked for: the TS of the run tells the step to try and gets the next one.
   TS_DIVERGED_STEP_REJECTED: it cannot be done. */
static PetscErrorCode StepByEuler(SoretTransient *tr, PetscReal target, Vec c, PetscErrorCode *status)
{
  const TS  ts   = tr->ts;
  PetscReal t, step, error = 0.0;
  PetscInt  number;
  PetscBool good = PETSC_FALSE;
  Vec       once, y;

  PetscFunctionBegin;
  PetscCall(PreStep(ts));
  if (tr->looks_back) PetscCall(SoretStageLookBack(tr->stage, 0.0, NULL, NULL));
  PetscCall(TSGetTime(ts, &t));
  PetscCall(TSGetTimeStep(ts, &step));
  PetscCall(VecDuplicate(c, &once));
  PetscCall(VecDuplicate(c, &y));
  for (PetscInt attempt = 0; attempt < MOST_ATTEMPTS && !good; attempt++) {
    if (t + 1.001 * step >= target) step = target - t;
    PetscCall(TryEuler(tr, t, step, c, once, y, &good, &error, status));
    if (*status) break;
    if (good && error <= 1.0) break;
    step *= good ? PetscMax(0.1, 0.9 / sqrt(error)) : 0.25;
    good = PETSC_FALSE;
    tr->rejected++;
  }
  if (good) {
    const PetscReal now = step == target - t ? target : t + step;

    PetscCall(VecCopy(y, c));
    PetscCall(SoretSystemClose(&tr->sys, tr->mean, tr->closed, c));
    PetscCall(TSGetStepNumber(ts, &number));
    PetscCall(TSSetStepNumber(ts, number + 1));
    PetscCall(TSSetTime(ts, now));
    PetscCall(TSSetTimeStep(ts, PetscMin(tr->longest_step, step * (error > 0.0 ? PetscMin(5.0, 0.9 / sqrt(error)) : 5.0))));
    PetscCall(TSRestartStep(ts));
    PetscCall(TSSetConvergedReason(ts, number + 1 >= tr->spec->max_steps ? TS_CONVERGED_ITS : TS_CONVERGED_ITERATING));
    tr->euler_steps++;
    tr->forgot = PETSC_TRUE;
    PetscCall(FinishStep(tr, t, now, c));
  } else PetscCall(TSSetConvergedReason(ts, TS_DIVERGED_STEP_REJECTED));
  PetscCall(VecDestroy(&once));
  PetscCall(VecDestroy(&y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- failures ---- */

/* The reaction that changes a species most in the cell with its centre at x, -1 if none does. Collective. */
static PetscErrorCode FastestReaction(const SoretOperator *op, Vec c, PetscInt species, const PetscReal x[3], PetscInt *fastest)
{
  const SoretGrid    *grid     = op->grid;
  const SoretNetwork *net      = &op->model->network;
  PetscInt            local[3] = {0, 0, 0}, mine = -1;
  PetscReal           k[2 * SORET_MAX_REACTIONS], largest = 0.0;
  const PetscReal    *a;
  PetscBool           here = PETSC_TRUE;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    while (local[axis] < grid->count[axis] && grid->center[axis][grid->start[axis] + local[axis]] != x[axis]) local[axis]++;
    if (local[axis] == grid->count[axis]) here = PETSC_FALSE;
  }
  PetscCall(VecGetArrayRead(c, &a));
  if (here) {
    const PetscInt p = SoretGridCellNumber(grid, local);

    SoretOperatorConstants(op, p, k);
    for (PetscInt r = 0; r < net->num_reactions; r++) {
      PetscReal forward, backward, rate;

      SoretNetworkRates(net, r, k, a + p * op->num_species, &forward, &backward);
      rate = PetscAbsReal((PetscReal)net->stoichiometry[r * op->num_species + species] * (forward - backward));
      if (!(rate > largest)) continue;
      largest = rate;
      mine    = r;
    }
  }
  PetscCall(VecRestoreArrayRead(c, &a));
  PetscCallMPI(MPI_Allreduce(&mine, fastest, 1, MPIU_INT, MPI_MAX, grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Names what keeps the step small: the species and cell of the fastest change in the weighted norm, and the fastest reaction there. */
static PetscErrorCode Diagnose(SoretTransient *tr, PetscReal t, const char *what, Vec c, SoretOutcome *outcome)
{
  const SoretOperator *op = tr->sys.op;
  PetscReal            value, x[3];
  PetscInt             s, r;
  Vec                  f;

  PetscFunctionBegin;
  PetscCall(SetStageWeights(tr, c));
  PetscCall(VecDuplicate(c, &f));
  PetscCall(SoretOperatorSetTime(tr->sys.op, t));
  PetscCall(SoretOperatorResidual(tr->sys.op, NULL, c, f));
  PetscCall(SoretOperatorPerVolume(op, 1.0, f));
  PetscCall(VecPointwiseMult(f, f, tr->stage_weight));
  PetscCall(VecAbs(f));
  PetscCall(VecScale(f, -1.0));
  PetscCall(SoretSmallest(op, f, &value, &s, x));
  PetscCall(VecDestroy(&f));
  PetscCall(FastestReaction(op, c, s, x, &r));
  (void)snprintf(outcome->reason, sizeof(outcome->reason), "%s at t = %g after %" PetscInt_FMT " steps (last step %g): species '%s' at (%g, %g, %g) changes fastest%s%.200s%s", what, (double)t, tr->steps, (double)tr->last_step, op->model->species[s].name, (double)x[0], (double)x[1], (double)x[2], r < 0 ? "" : ", in '", r < 0 ? "" : op->model->network.reaction[r].equation, r < 0 ? "" : "'");
  PetscCall(SoretAppend(outcome->reason, ". Try a smaller first_step, a larger tolerance or absolute, or -ts_monitor -ts_adapt_monitor", sizeof(outcome->reason)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the run ---- */

static PetscErrorCode StopAt(SoretTransient *tr, PetscErrorCode status, SoretOutcome *outcome)
{
  PetscReal t;

  PetscFunctionBegin;
  PetscCall(TSGetTime(tr->ts, &t));
  tr->sys.op->fresh = PETSC_FALSE; /* what it holds is of the time of the bad value */
  PetscCall(SoretOperatorSetTime(tr->sys.op, t));
  (void)snprintf(outcome->reason, sizeof(outcome->reason), "stopped at t = %g after %" PetscInt_FMT " steps: %s", (double)t, tr->steps, status == (PetscErrorCode)SORET_ERR_INPUT ? "the case has no usable values soon after it (see above). Choose an earlier `end`, or correct the formula or dataset" : "the temperature or the flow could not be computed soon after it (see above)");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Was the step given up because it would not stay positive? Then backward Euler takes the one that was refused first. */
static PetscErrorCode TurnToEuler(SoretTransient *tr, PetscReal target, Vec c, PetscBool *turn, PetscErrorCode *status)
{
  TSConvergedReason reason;

  PetscFunctionBegin;
  PetscCall(TSGetConvergedReason(tr->ts, &reason));
  *turn = !*status && reason == TS_DIVERGED_STEP_REJECTED && tr->negative >= MOST_NEGATIVE ? PETSC_TRUE : PETSC_FALSE;
  if (!*turn) PetscFunctionReturn(PETSC_SUCCESS);
  if (!tr->euler) PetscCall(CreateEuler(tr));
  PetscCall(TSSetTimeStep(tr->ts, tr->refused));
  PetscCall(StepByEuler(tr, target, c, status));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Integrates up to one output time. */
static PetscErrorCode RunTo(SoretTransient *tr, PetscReal target, Vec c, PetscBool *arrived, SoretOutcome *outcome)
{
  TSConvergedReason reason;
  PetscErrorCode    status;
  PetscReal         t;
  PetscBool         turned;

  PetscFunctionBegin;
  tr->target = target;
  PetscCall(TSSetMaxTime(tr->ts, target));
  PetscCall(TSSetConvergedReason(tr->ts, TS_CONVERGED_ITERATING));
  do {
    status = TSSolve(tr->ts, c);
    if (!EndsRun(status)) PetscCall(status);
    PetscCall(TurnToEuler(tr, target, c, &turned, &status));
    PetscCall(TSGetConvergedReason(tr->ts, &reason));
    PetscCall(TSGetTime(tr->ts, &t));
  } while (turned && !status && !reason && t < target);
  *arrived = t >= target || tr->steady ? PETSC_TRUE : PETSC_FALSE;
  if (*arrived || tr->stopped) PetscFunctionReturn(PETSC_SUCCESS);
  if (status) PetscCall(StopAt(tr, status, outcome));
  else if (reason == TS_CONVERGED_ITS) PetscCall(Diagnose(tr, t, "max_steps reached", c, outcome));
  else PetscCall(Diagnose(tr, t, tr->stalled ? "the clock stands still: the step is below rounding" : "the step size collapsed", c, outcome));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSolveTransient(const SoretSolveSpec *spec, SoretOperator *op, const SoretSums *sums, PetscInt num_times, const PetscReal times[], SoretCheckpoint checkpoint, SoretStepMonitor monitor, void *context, Vec c, SoretOutcome *outcome)
{
  SoretTransient tr = {.spec = spec, .monitor = monitor, .context = context, .checkpoint = checkpoint};
  PetscReal      step, now, scale[3 * SORET_MAX_SPECIES];
  PetscBool      arrived = PETSC_TRUE, restored;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(outcome, sizeof(*outcome)));
  op->limited = PETSC_TRUE;
  PetscCall(SoretOperatorSetTime(op, 0.0));
  PetscCall(SoretSystemCreate(op, sums, NULL, c, PETSC_FALSE, &tr.sys));
  tr.longest_step = SoretSolveLongestStep(spec, op->varies);
  PetscCall(VecDuplicate(c, &tr.stage_weight));
  PetscCall(CreateStageSolver(&tr, c));
  PetscCall(PetscMalloc2(op->num_species, &tr.absolute, op->num_species, &tr.usual));
  PetscCall(SoretSumsMeasure(sums, op, c, tr.mean, scale));
  PetscCall(SetAbsolute(&tr, scale, c));
  for (PetscInt k = 0; k < sums->num_global; k++) tr.closed[k] = !sums->fed[k];
  PetscCall(CreateTS(&tr, c, sizeof(outcome->method), outcome->method));
  PetscCall(FirstStep(&tr, c, &step));
  PetscCall(TSSetTimeStep(tr.ts, step));
  PetscCall(TSSetSolution(tr.ts, c));
  PetscCall(SoretTransientFindMemory(&tr, c));
  PetscCall(SoretCheckpointAdd(checkpoint, "solve", SoretTransientSave, SoretTransientLoad, &tr, &restored));
  if (!restored) PetscCall(monitor(context, 0, 0.0, 0.0, c, PETSC_TRUE));
  PetscCall(TSGetTime(tr.ts, &now));
  PetscCall(SoretCheckpointPoll(checkpoint, tr.steps, now, &tr.stopped));
  for (PetscInt i = 0; i <= num_times && arrived && !tr.steady && !tr.stopped; i++) {
    const PetscReal target = i < num_times ? PetscMin(times[i], spec->end.value) : spec->end.value;

    if (target <= now) continue;
    PetscCall(RunTo(&tr, target, c, &arrived, outcome));
    PetscCall(TSGetTime(tr.ts, &now));
    if (tr.stopped) break;
    /* the step that hit the output time may have been cut short; go on with the one before */
    PetscCall(TSGetTimeStep(tr.ts, &step));
    PetscCall(TSSetTimeStep(tr.ts, PetscMax(step, tr.longer_step)));
    PetscCall(monitor(context, tr.steps, now, 0.0, c, PETSC_TRUE));
    if (arrived && !tr.steady && i < num_times) PetscCall(SoretCheckpointPoll(checkpoint, tr.steps, now, &tr.stopped));
  }
  PetscCall(SoretCheckpointRemove(checkpoint, "solve"));
  PetscCall(SoretTransientCount(&tr, &outcome->rejected, &outcome->newton_iterations, &outcome->linear_iterations));
  outcome->steps     = tr.steps;
  outcome->euler     = tr.euler_steps;
  outcome->scaled    = tr.sys.scaled;
  outcome->cycles    = SoretStageCycles(tr.stage);
  outcome->stopped   = tr.stopped;
  outcome->converged = !tr.stopped && arrived && (tr.steady || !spec->until_steady.given) ? PETSC_TRUE : PETSC_FALSE;
  if (tr.stopped) (void)snprintf(outcome->reason, sizeof(outcome->reason), "stopped by %s after step %" PetscInt_FMT " at t = %g", SoretCheckpointStopped(checkpoint), tr.steps, (double)now);
  else if (outcome->converged) (void)snprintf(outcome->reason, sizeof(outcome->reason), tr.steady ? "steady at t = %g" : "reached t = %g", (double)now);
  else if (arrived) (void)snprintf(outcome->reason, sizeof(outcome->reason), "not steady to %.2g by t = %g; choose a later `end`", (double)spec->until_steady.value, (double)now);
  if (outcome->euler && outcome->converged) PetscCall(SoretSay(op->grid->comm, "note: %" PetscInt_FMT " of %" PetscInt_FMT " steps were taken by backward Euler, of first order, because those of the method would not stay positive however short; with a larger `absolute` they may\n", outcome->euler, tr.steps));
  PetscCall(TSDestroy(&tr.ts));
  PetscCall(TSDestroy(&tr.euler));
  PetscCall(SoretStageDestroy(&tr.stage));
  PetscCall(VecDestroy(&tr.stage_weight));
  PetscCall(VecDestroy(&tr.previous));
  PetscCall(PetscFree2(tr.absolute, tr.usual));
  PetscCall(SoretSystemDestroy(&tr.sys));
  op->limited = PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}
