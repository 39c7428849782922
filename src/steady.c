/* SPDX-License-Identifier: BSD-2-Clause */
#include <petscsnes.h>

#include <math.h>
#include <stddef.h>

#include "kernel.h"
#include "solve_private.h"

/* ---- SNES ---- */

/* What a solve is doing. */
typedef enum {
  PHASE_CYCLES, /* of nonlinear multigrid */
  PHASE_NEWTON,
  PHASE_PSEUDO, /* pseudo-transient continuation */
  PHASE_FOLLOW  /* Newton's method, where the terms of the sums follow the amounts */
} Phase;

/* State of the pseudo-transient continuation between its steps. */
typedef struct {
  PetscInt  step;
  PetscReal shift, cnorm, fnorm;
} Pseudo;

/* What the test of an iteration remembers for the next one. */
typedef struct {
  PetscReal ratio;
  PetscReal four_ago, eight_ago; /* norms of the residual when the iterations were a multiple of four and of eight */
  PetscReal measured;            /* norm of the residual when the ratio was measured                               */
  PetscReal totals_off;          /* largest distance of a mean from what it should be, relative to its members     */
  PetscBool at_floor, at_floor_of_most;
} Test;

typedef struct {
  SoretSystem     *sys;
  PetscReal        tolerance;
  PetscInt         max_steps;
  PetscBool        warm;                       /* the guess is a solution nearby: it is not lifted           */
  const char      *prefix;                     /* of the options of Newton's method                          */
  SoretStepMonitor monitor;
  void            *context;
  SoretOutcome    *outcome;                    /* its counts are those of the solves that have ended         */
  Phase            phase;
  Test             test;
  SoretFAS         fas;                        /* while it is used                                           */
  PetscBool        uncoarsened;                /* multigrid was wanted, but there is no coarser grid         */
  Pseudo           pseudo;
  /* checkpoints, of which there are none of the coarse solves within a solve */
  SoretCheckpoint  checkpoint;
  Vec              c;                          /* as it is now                                               */
  PetscInt         first;                      /* iterations of this solve before the checkpoint that it goes on from */
  PetscInt         before, linear_before;      /* iterations of this solve so far, for the checkpoint        */
  PetscInt         attempt;                    /* of the cycles, from 0                                      */
  SoretAnderson    anderson;                   /* what the acceleration of the cycles remembered then        */
  Vec              restored;                   /* what the checkpoint holds, until its phase has come        */
  PetscReal        content[SORET_MAX_SPECIES]; /* amounts in it, as the smoother had them                    */
  PetscBool        stopped;
  Test             entry;                      /* before the test of the iteration of Newton's method that is on the way */
  PetscInt         entry_it, entry_linear;     /* iterations then                                            */
  PetscBool        interrupted;                /* its linear solve has been ended, since a stop is asked for */
} Steady;

/* Of all solves that have ended. */
static PetscInt Iterations(const Steady *steady)
{
  return steady->outcome->newton_iterations + steady->outcome->cycles;
}

static PetscBool IsNewton(const Steady *steady)
{
  return steady->phase == PHASE_NEWTON || steady->phase == PHASE_FOLLOW ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode FormResidual(SNES snes, Vec c, Vec f, void *context)
{
  PetscFunctionBegin;
  PetscCall(SoretSystemResidual(((Steady *)context)->sys, c, f));
  PetscCall(SoretSystemWeigh(((Steady *)context)->sys, PETSC_FALSE, f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Makes PETSc forget the norm of the residual, by which the linear solver divides. A line search adds it up from squares of the norms of ranks, which rounds
   differently from VecNorm(), and a run that goes on from a checkpoint has only that. */
static PetscErrorCode FormJacobian(SNES snes, Vec c, Mat A, Mat P, void *context)
{
  PetscReal *array;
  Vec        f;

  PetscFunctionBegin;
  PetscCall(SNESGetFunction(snes, &f, NULL, NULL));
  PetscCall(VecGetArray(f, &array)); /* as if it were changed */
  PetscCall(VecRestoreArray(f, &array));
  PetscCall(SoretSystemJacobian(((Steady *)context)->sys, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* As MeasureTotals() below, for the sums of each part of the fluid by itself. */
static PetscErrorCode MeasurePartTotals(const SoretSystem *sys, Vec c, PetscReal *off)
{
  const SoretSums *sums    = sys->sums;
  PetscReal       *amount, largest = 0.0, scale;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(sums->num_parts * sums->num_species, &amount));
  PetscCall(SoretPocketsMeasure(sys->op, c, amount));
  *off = 0.0;
  for (int pass = 0; pass < 2; pass++) {
    for (PetscInt part = 0; part < sums->num_parts; part++) {
      for (PetscInt k = 0; k < sums->part[part].num; k++) {
        const PetscReal mean = sums->part[part].mean[k], now = SoretPocketMean(sums, sys->part_volume, part, k, amount, &scale);

        if (sys->part_volume[part] == 0.0) continue; /* not on this grid */
        if (pass == 0) largest = PetscMax(largest, scale);
        else if (now != mean) *off = PetscMax(*off, PetscAbsReal(now - mean) / PetscMax(PetscMax(scale, PetscAbsReal(mean)), 1.0e-3 * largest));
      }
    }
  }
  PetscCall(PetscFree(amount));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Largest distance of the mean of a global sum from what is asked, relative to what there is of its members. */
static PetscErrorCode MeasureTotals(const SoretSystem *sys, Vec c, PetscReal *off)
{
  PetscReal mean[3 * SORET_MAX_SPECIES], scale[3 * SORET_MAX_SPECIES], largest = 0.0;

  PetscFunctionBegin;
  if (sys->sums->num_parts) {
    PetscCall(MeasurePartTotals(sys, c, off));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretSumsMeasure(sys->sums, sys->op, c, mean, scale));
  *off = 0.0;
  for (PetscInt k = 0; k < sys->sums->num; k++) largest = PetscMax(largest, scale[k]);
  for (PetscInt k = 0; k < sys->sums->num_global; k++) {
    const PetscReal size = PetscMax(PetscMax(scale[k], PetscAbsReal(sys->sums->mean[k])), 1.0e-3 * largest), distance = PetscAbsReal(mean[k] - sys->sums->mean[k]);

    if (distance > 0.0) *off = PetscMax(*off, distance / size);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- checkpoints ---- */

/* What a checkpoint holds besides concentrations. */
typedef struct {
  PetscReal phase, first, attempt, newton, linear, cycles, scaled;
  PetscReal ratio, four_ago, eight_ago, measured, totals_off; /* of the test         */
  PetscReal step, shift, cnorm, fnorm;                        /* of the continuation */
  PetscReal accelerated;
} Position;

enum { POSITION_SIZE = sizeof(Position) / sizeof(PetscReal) };

static PetscErrorCode Save(void *context, SoretArchive archive)
{
  Steady   *steady = (Steady *)context;
  PetscReal content[SORET_MAX_SPECIES];
  Position  position = {
    .phase       = (PetscReal)steady->phase,
    .first       = (PetscReal)(steady->first + steady->before),
    .attempt     = (PetscReal)steady->attempt,
    .newton      = (PetscReal)(steady->outcome->newton_iterations + (IsNewton(steady) ? steady->before : 0)),
    .linear      = (PetscReal)(steady->outcome->linear_iterations + (IsNewton(steady) ? steady->linear_before : 0)),
    .cycles      = (PetscReal)(steady->outcome->cycles + (steady->phase == PHASE_CYCLES ? steady->before : 0)),
    .scaled      = (PetscReal)steady->sys->scaled,
    .ratio       = steady->test.ratio,
    .four_ago    = steady->test.four_ago,
    .eight_ago   = steady->test.eight_ago,
    .measured    = steady->test.measured,
    .totals_off  = steady->test.totals_off,
    .step        = (PetscReal)steady->pseudo.step,
    .shift       = steady->pseudo.shift,
    .cnorm       = steady->pseudo.cnorm,
    .fnorm       = steady->pseudo.fnorm,
    .accelerated = steady->fas ? (PetscReal)SoretAndersonSteps(SoretFASGetAnderson(steady->fas)) : 0.0
  };

  PetscFunctionBegin;
  PetscCall(SoretArchivePutReals(archive, "position", POSITION_SIZE, (const PetscReal *)&position));
  PetscCall(SoretStatePut(archive, "concentration", steady->sys->op, steady->c));
  PetscCall(SoretSystemContent(steady->sys, steady->c, content));
  PetscCall(SoretArchivePutReals(archive, "content", steady->sys->op->num_species, content));
  if (steady->fas) PetscCall(SoretAndersonPut(SoretFASGetAnderson(steady->fas), archive, steady->sys->op));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Load(void *context, SoretArchive archive)
{
  Steady  *steady = (Steady *)context;
  Position position;

  PetscFunctionBegin;
  PetscCall(SoretArchiveGetReals(archive, "position", POSITION_SIZE, (PetscReal *)&position));
  PetscCall(VecDuplicate(steady->c, &steady->restored));
  PetscCall(SoretStateGet(archive, "concentration", steady->sys->op, steady->restored));
  PetscCall(SoretArchiveGetReals(archive, "content", steady->sys->op->num_species, steady->content));
  PetscCall(SoretAndersonGet(archive, steady->sys->op, steady->c, (PetscInt)position.accelerated, &steady->anderson));
  steady->phase                      = (Phase)position.phase;
  steady->first                      = (PetscInt)position.first;
  steady->attempt                    = (PetscInt)position.attempt;
  steady->outcome->newton_iterations = (PetscInt)position.newton;
  steady->outcome->linear_iterations = (PetscInt)position.linear;
  steady->outcome->cycles            = (PetscInt)position.cycles;
  steady->sys->scaled                = (PetscInt)position.scaled;
  steady->test                       = (Test){.ratio = position.ratio, .four_ago = position.four_ago, .eight_ago = position.eight_ago, .measured = position.measured, .totals_off = position.totals_off};
  steady->pseudo                     = (Pseudo){.step = (PetscInt)position.step, .shift = position.shift, .cnorm = position.cnorm, .fnorm = position.fnorm};
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Between two iterations, c as it is: is there a checkpoint to write, or is the solve to stop? */
static PetscErrorCode Poll(Steady *steady, Vec c, PetscInt iterations, PetscInt linear)
{
  PetscFunctionBegin;
  steady->c             = c;
  steady->before        = iterations;
  steady->linear_before = linear;
  PetscCall(SoretCheckpointPoll(steady->checkpoint, Iterations(steady) + iterations, 0.0, &steady->stopped));
  steady->before = steady->linear_before = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A linear solve may take as long as all the rest: where a stop is asked for, this iteration becomes its last. Not in PHASE_FOLLOW, where a linear solve may fall short and
   Newton's method would take the unfinished correction, nor in PHASE_PSEUDO, which stops between its own steps. */
static PetscErrorCode WatchLinear(KSP ksp, PetscInt it, PetscReal rnorm, void *context)
{
  enum { EVERY = 4 };
  Steady   *steady = (Steady *)context;
  PetscReal rtol, absolute, divergence;
  PetscInt  most;

  PetscFunctionBegin;
  if (steady->interrupted || it == 0 || it % EVERY || steady->phase != PHASE_NEWTON) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretCheckpointStopAsked(steady->checkpoint, &steady->interrupted));
  if (!steady->interrupted) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(KSPGetTolerances(ksp, &rtol, &absolute, &divergence, &most));
  PetscCall(KSPSetTolerances(ksp, rtol, absolute, divergence, it));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Newton's method takes no step from such a solve: c is what it was when the iteration began, and so becomes all that a checkpoint holds. */
static PetscErrorCode StopWhereItBegan(Steady *steady, Vec c)
{
  PetscFunctionBegin;
  steady->test = steady->entry;
  PetscCall(Poll(steady, c, steady->entry_it, steady->entry_linear));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Begins a phase; the one in which the checkpoint was written begins with its iterate. */
static PetscErrorCode Begin(Steady *steady, Phase phase, Vec c, PetscBool *goes_on)
{
  PetscFunctionBegin;
  *goes_on = steady->restored && steady->phase == phase ? PETSC_TRUE : PETSC_FALSE;
  if (*goes_on) {
    PetscCall(VecCopy(steady->restored, c));
    PetscCall(SoretSystemKnowAll(steady->sys, c, steady->content));
    PetscCall(VecDestroy(&steady->restored));
  } else steady->first = 0;
  steady->phase = phase;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Converged on the residual without the terms of the sums, and on the totals by themselves (docs/numerics.md). The measure costs a few
   residuals, much for a cycle and little for an iteration of Newton's method: between cycles it is not taken again while the norm says that it cannot be good yet. */
static PetscErrorCode TestState(Steady *steady, PetscInt it, PetscInt linear, PetscReal fnorm, Vec c, SNESConvergedReason *reason)
{
  const PetscInt  at     = steady->first + it;
  const PetscBool cycles = steady->phase == PHASE_CYCLES ? PETSC_TRUE : PETSC_FALSE;
  const PetscBool closes = cycles || steady->sys->num_parts ? PETSC_TRUE : PETSC_FALSE; /* the last digits of the means are set afterwards */
  Test           *test   = &steady->test;

  PetscFunctionBegin;
  *reason = SNES_CONVERGED_ITERATING;
  if (PetscIsInfOrNanReal(fnorm)) {
    *reason = SNES_DIVERGED_FUNCTION_NANORINF;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (steady->sys->shift != 0.0) PetscFunctionReturn(PETSC_SUCCESS);
  steady->entry        = *test;
  steady->entry_it     = it;
  steady->entry_linear = linear;
  if (steady->phase != PHASE_PSEUDO) PetscCall(Poll(steady, c, it, linear));
  if (steady->stopped) {
    *reason = SNES_DIVERGED_FUNCTION_DOMAIN; /* nobody looks at it */
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (at % 8 == 0) { /* multigrid that gains next to nothing in eight cycles will not do so later; gains of accelerated cycles come in jumps */
    if (at > 0 && cycles && fnorm > 0.5 * test->eight_ago) *reason = SNES_DIVERGED_DTOL;
    test->eight_ago = fnorm;
  }
  if (!cycles || at % 8 == 0 || test->ratio * fnorm <= 2.0 * steady->tolerance * test->measured) {
    PetscCall(SoretSteadyMeasure(steady->sys->op, steady->sys->sums, PETSC_FALSE, c, &test->ratio, &test->at_floor, &test->at_floor_of_most));
    PetscCall(MeasureTotals(steady->sys, c, &test->totals_off));
    test->measured = fnorm;
    if ((test->at_floor || test->ratio <= steady->tolerance) && test->totals_off <= (closes ? 1.0e-7 : test->at_floor && at >= 16 ? 1.0e-10 : 1.0e-12)) *reason = SNES_CONVERGED_FNORM_RELATIVE;
    else if (steady->phase == PHASE_NEWTON && test->at_floor_of_most && steady->sys->num) *reason = SNES_DIVERGED_DTOL; /* goes on otherwise */
  }
  if (steady->monitor) PetscCall(steady->monitor(steady->context, Iterations(steady) + it, 0.0, test->ratio * (test->measured > 0.0 ? fnorm / test->measured : 1.0), c, PETSC_FALSE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Cycles that gain less than a digit in four are accelerated from then on. */
static PetscErrorCode TestCycle(void *context, PetscInt cycle, PetscReal fnorm, Vec c, SNESConvergedReason *reason)
{
  Steady        *steady = (Steady *)context;
  const PetscInt at     = steady->first + cycle;

  PetscFunctionBegin;
  PetscCall(TestState(steady, cycle, 0, fnorm, c, reason));
  if (*reason || at % 4) PetscFunctionReturn(PETSC_SUCCESS);
  if (at > 0 && fnorm > 0.1 * steady->test.four_ago) PetscCall(SoretFASAccelerate(steady->fas, c));
  steady->test.four_ago = fnorm;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestSteady(SNES snes, PetscInt it, PetscReal xnorm, PetscReal ynorm, PetscReal fnorm, SNESConvergedReason *reason, void *context)
{
  PetscInt linear;
  Vec      c;

  PetscFunctionBegin;
  PetscCall(SNESGetSolution(snes, &c));
  PetscCall(SNESGetLinearSolveIterations(snes, &linear));
  PetscCall(TestState((Steady *)context, it, linear, fnorm, c, reason));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* How many iterations a SNES may make, as its default or -snes_max_it says, and max_steps. */
static PetscErrorCode MostOf(const Steady *steady, SNES snes, PetscInt *most)
{
  PetscFunctionBegin;
  PetscCall(SNESGetTolerances(snes, NULL, NULL, NULL, most, NULL));
  *most = PetscMin(*most, steady->max_steps);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The next solve makes `most` of them: none where a run that goes on may make fewer than it has made. */
static PetscErrorCode Allow(SNES snes, PetscInt most)
{
  PetscFunctionBegin;
  PetscCall(SNESSetTolerances(snes, 0.0, 0.0, 0.0, PetscMax(most, 0), PETSC_MAX_INT));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateSNES(Steady *steady, SNES *snes)
{
  SoretOutcome *outcome = steady->outcome;
  SNESLineSearch search;
  KSP            ksp;
  Vec            f;

  PetscFunctionBegin;
  PetscCall(SNESCreate(steady->sys->op->grid->comm, snes));
  PetscCall(SNESSetOptionsPrefix(*snes, steady->prefix));
  PetscCall(MatCreateVecs(steady->sys->P, &f, NULL));
  PetscCall(SNESSetFunction(*snes, f, FormResidual, steady));
  PetscCall(VecDestroy(&f));
  PetscCall(SNESSetJacobian(*snes, steady->sys->A, steady->sys->P, FormJacobian, steady));
  PetscCall(SNESSetConvergenceTest(*snes, TestSteady, steady, NULL));
  PetscCall(Allow(*snes, 50));
  PetscCall(SNESGetLineSearch(*snes, &search));
  PetscCall(SNESLineSearchSetType(search, SORET_LINESEARCH_NONE));
  PetscCall(SoretSystemSetPositive(steady->sys, search));
  PetscCall(SNESGetKSP(*snes, &ksp));
  PetscCall(SoretSystemSetKSP(steady->sys, ksp, steady->sys->at ? 1.0e-4 : 1.0e-6, sizeof(outcome->method), outcome->method)); /* with cycles Newton takes as many steps, and a third fewer of them */
  if (steady->checkpoint) PetscCall(KSPMonitorSet(ksp, WatchLinear, steady, NULL));
  PetscCall(SoretNewtonSetFromOptions(steady->sys, steady->uncoarsened, *snes, NULL));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the solve ---- */

/* absent[part][species]: is there nothing of the species in this part of the fluid? One part where the fluid hangs together. Free with PetscFree(). */
static PetscErrorCode FindAbsent(const SoretSums *sums, PetscBool **absent)
{
  const PetscInt ns = sums->num_species;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(PetscMax(sums->num_parts, 1) * ns, absent));
  for (PetscInt q = 0; q < PetscMax(sums->num_parts, 1) * ns; q++) (*absent)[q] = SoretSumsIsAbsent(sums, q / ns, q % ns);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static inline PetscInt PartOf(const SoretSums *sums, const SoretGrid *grid, PetscInt p)
{
  return sums->num_parts ? grid->pocket[p] : 0;
}

/* Iterations would come near 0, but not to it, and leave of the state what their rounding makes of it. */
static PetscErrorCode RemoveAbsent(const SoretSums *sums, const SoretGrid *grid, Vec x)
{
  const PetscInt ns  = sums->num_species;
  PetscBool     *absent, any = PETSC_FALSE;
  PetscReal     *c;

  PetscFunctionBegin;
  PetscCall(FindAbsent(sums, &absent));
  for (PetscInt q = 0; q < PetscMax(sums->num_parts, 1) * ns; q++) any = any || absent[q] ? PETSC_TRUE : PETSC_FALSE;
  if (any) {
    PetscCall(VecGetArray(x, &c));
    for (PetscInt q = 0; q < grid->num_cells * ns; q++) {
      if (!SoretGridIsSolid(grid, q / ns) && absent[PartOf(sums, grid, q / ns) * ns + q % ns]) c[q] = 0.0;
    }
    PetscCall(VecRestoreArray(x, &c));
  }
  PetscCall(PetscFree(absent));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* How much there may be in a box that is empty at first: what comes in through walls over what leaves, or diffuses away. Collective. */
static PetscErrorCode AmountFromWalls(const SoretOperator *op, PetscReal *amount)
{
  const SoretBoundary *boundary = op->boundary;
  const PetscInt       ns       = op->num_species;
  PetscReal            sum[2 * SORET_MAX_SPECIES] = {0.0};

  PetscFunctionBegin;
  for (int face = 0; face < 6; face++) {
    for (PetscInt q = 0; q < boundary->num[face] * ns; q++) {
      sum[q % ns] += PetscAbsReal(boundary->beta[face][q]);
      sum[ns + q % ns] += boundary->alpha[face][q];
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, (PetscMPIInt)(2 * ns), MPIU_REAL, MPI_SUM, op->grid->comm));
  *amount = 0.0;
  for (PetscInt s = 0; s < ns; s++) {
    const PetscReal rate = sum[ns + s] + SoretDiffusionRate(op, op->mean_D[s]) * op->grid->fluid_volume;

    if (rate > 0.0) *amount = PetscMax(*amount, sum[s] / rate);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Newton needs positive concentrations to stay where the physical solution is: every species that can change starts from at least a thousandth of the
   amount there is; where b varies much, with the shape 1/b of rest; and all with the amounts that the sums must have, where that can be done:
   iterations fix them, too, but take long over many decades. Where amounts grow, equilibrium moves to larger molecules, which must be there before the amounts are
   set; where they shrink that is done first. */
static PetscErrorCode LiftGuess(const SoretSystem *sys, Vec x)
{
  const SoretOperator *op = sys->op;
  const PetscInt ns = op->num_species, cells = op->grid->num_cells;
  PetscReal      largest, mean[3 * SORET_MAX_SPECIES], *c;
  PetscBool      changes[SORET_MAX_SPECIES], *absent, grows = PETSC_FALSE, matched;

  PetscFunctionBegin;
  PetscCall(SoretSumsMeasure(sys->sums, op, x, mean, NULL));
  for (PetscInt k = 0; k < sys->sums->num_global; k++) grows = grows || PetscAbsReal(sys->sums->mean[k]) > 1.01 * PetscAbsReal(mean[k]) ? PETSC_TRUE : PETSC_FALSE;
  if (!grows) PetscCall(SoretSumsMatch(sys->sums, op, x, &matched));
  for (PetscInt s = 0; s < ns; s++) changes[s] = !SoretModelIsImmobile(op->model, s) || SoretNetworkChanges(&op->model->network, s) ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(FindAbsent(sys->sums, &absent));
  PetscCall(VecMax(x, NULL, &largest));
  if (largest <= 0.0) PetscCall(AmountFromWalls(op, &largest));
  if (largest <= 0.0) largest = 1.0;
  PetscCall(VecGetArray(x, &c));
  for (PetscInt p = 0; p < cells; p++) {
    if (SoretGridIsSolid(op->grid, p)) continue;
    for (PetscInt s = 0; s < ns; s++) {
      const PetscInt q = p * ns + s;

      if (!changes[s] || absent[PartOf(sys->sums, op->grid, p) * ns + s]) continue;
      c[q] = PetscMax(c[q], 1.0e-3 * largest);
      if (sys->shaped && !SoretModelIsImmobile(op->model, s)) c[q] /= op->b[q] * sys->mean_inverse_b[s];
    }
  }
  PetscCall(VecRestoreArray(x, &c));
  PetscCall(PetscFree(absent));
  if (grows) PetscCall(SoretSumsMatch(sys->sums, op, x, &matched));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode RunSNES(Steady *steady, SNES snes, Vec c, SNESConvergedReason *reason)
{
  PetscInt its, linear;

  PetscFunctionBegin;
  PetscCall(SNESSolve(snes, NULL, c));
  PetscCall(SNESGetConvergedReason(snes, reason));
  if (steady->interrupted && !steady->stopped && *reason == SNES_DIVERGED_LINEAR_SOLVE) PetscCall(StopWhereItBegan(steady, c));
  PetscCall(SNESGetIterationNumber(snes, &its));
  PetscCall(SNESGetLinearSolveIterations(snes, &linear));
  steady->outcome->newton_iterations += its;
  steady->outcome->linear_iterations += linear;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Pseudo-transient continuation: implicit Euler steps in time, longer as the residual falls, then Newton again. The sums keep their
   term in the residual, so that no drift can pass as convergence. */
static PetscErrorCode Rescue(Steady *steady, SNES snes, PetscInt most, Vec guess, Vec c, SNESConvergedReason *reason)
{
  SoretSystem *sys = steady->sys;
  Vec          f;
  PetscReal    cnorm, fnorm, before;
  PetscBool    goes_on;

  PetscFunctionBegin;
  PetscCall(VecCopy(guess, c));
  PetscCall(Begin(steady, PHASE_PSEUDO, c, &goes_on));
  if (steady->monitor && !goes_on) PetscCall(SoretSay(sys->op->grid->comm, "Newton's method did not converge; trying pseudo-transient continuation\n"));
  PetscCall(VecDuplicate(c, &f));
  if (!sys->old) PetscCall(VecDuplicate(c, &sys->old));
  sys->shift = 0.0;
  PetscCall(SoretSystemResidual(sys, c, f));
  PetscCall(SoretOperatorPerVolume(sys->op, 1.0, f));
  PetscCall(VecNorm(c, NORM_2, &cnorm));
  PetscCall(VecNorm(f, NORM_2, &fnorm));
  sys->shift = cnorm > 0.0 ? 10.0 * fnorm / cnorm : 1.0;
  if (goes_on) {
    cnorm      = steady->pseudo.cnorm;
    fnorm      = steady->pseudo.fnorm;
    sys->shift = steady->pseudo.shift;
  }
  for (PetscInt step = goes_on ? steady->pseudo.step : 0; step < 200; step++) {
    PetscReal shift = sys->shift;

    steady->pseudo = (Pseudo){.step = step, .shift = shift, .cnorm = cnorm, .fnorm = fnorm};
    PetscCall(Poll(steady, c, 0, 0));
    if (steady->stopped) break;
    PetscCall(VecCopy(c, sys->old));
    PetscCall(Allow(snes, 3));
    PetscCall(RunSNES(steady, snes, c, reason));
    before     = fnorm;
    sys->shift = 0.0;
    PetscCall(SoretSystemResidual(sys, c, f));
    PetscCall(SoretOperatorPerVolume(sys->op, 1.0, f));
    PetscCall(VecNorm(f, NORM_2, &fnorm));
    if (PetscIsInfOrNanReal(fnorm) || fnorm > 100.0 * before) { /* too bold: back, with shorter steps */
      PetscCall(VecCopy(sys->old, c));
      fnorm      = before;
      sys->shift = 10.0 * shift;
      continue;
    }
    sys->shift = shift * PetscMax(0.2, PetscMin(0.7, fnorm / before));
    if (fnorm <= 1.0e-6 * sys->shift * cnorm || step % 20 == 19) {
      const PetscReal keep = sys->shift;

      PetscCall(VecCopy(c, sys->old));
      sys->shift = 0.0;
      PetscCall(Allow(snes, most));
      PetscCall(RunSNES(steady, snes, c, reason));
      if (*reason > 0) break;
      PetscCall(VecCopy(sys->old, c));
      sys->shift = keep;
    }
  }
  sys->shift = 0.0;
  PetscCall(VecDestroy(&f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What to try next: where velocities relax within a free path below 1e-7 of the box, rounding of the reactions is as large as what transport changes. */
static const char *Advice(const SoretSystem *sys)
{
  PetscBool short_path = PETSC_FALSE;

  for (PetscInt k = 0; k < sys->num; k++) short_path = short_path || sys->gamma[k] < 1.0e-8 * sys->beta[k] ? PETSC_TRUE : PETSC_FALSE;
  return short_path ? "Velocities relax too fast for the digits there are: take a species with their diffusivity, <v^2> over the rate, for the states" : "Try -snes_monitor, a better `initial`, or `mode: transient` with `until_steady`";
}

/* Species and place of the largest residual, for the message of a failure. */
static PetscErrorCode LargestResidual(Steady *steady, Vec c)
{
  SoretOutcome *outcome = steady->outcome;
  Vec       f;
  PetscReal value, x[3];
  PetscInt  s;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(c, &f));
  PetscCall(SoretSystemResidual(steady->sys, c, f));
  PetscCall(VecAbs(f));
  PetscCall(VecScale(f, -1.0));
  PetscCall(SoretSmallest(steady->sys->op, f, &value, &s, x));
  PetscCall(VecDestroy(&f));
  (void)snprintf(outcome->reason, sizeof(outcome->reason), "steady solve stopped after %" PetscInt_FMT " iterations at %.2g times the gross rates (goal %.2g)%s; largest residual %.3g in species '%s' at (%g, %g, %g). %s", Iterations(steady), (double)steady->test.ratio, (double)steady->tolerance, steady->test.totals_off <= 1.0e-12 ? "" : ", totals not reached", (double)-value, steady->sys->op->model->species[s].name, (double)x[0], (double)x[1], (double)x[2], Advice(steady->sys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is the state free of negative concentrations, but for rounding of those that vanish? */
static PetscErrorCode CheckPositive(Steady *steady, Vec c, PetscBool *positive)
{
  const SoretOperator *op = steady->sys->op;
  PetscReal value, x[3], largest;
  PetscInt  s;

  PetscFunctionBegin;
  PetscCall(SoretSmallest(op, c, &value, &s, x));
  PetscCall(VecNorm(c, NORM_INFINITY, &largest));
  *positive = value >= -1.0e-14 * largest ? PETSC_TRUE : PETSC_FALSE;
  if (!*positive) (void)snprintf(steady->outcome->reason, sizeof(steady->outcome->reason), "the steady state found has a negative concentration, %.3g of species '%s' at (%g, %g, %g): it is not the physical one. Try a better `initial`, or `mode: transient` with `until_steady`", (double)value, op->model->species[s].name, (double)x[0], (double)x[1], (double)x[2]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sets the last digits of the means, which cycles, and Newton's method for many parts of the fluid, leave to the size of the tolerance; the state must stay as good as it was. */
static PetscErrorCode CloseTotals(Steady *steady, Vec c, PetscBool *good)
{
  Test     *test = &steady->test;
  PetscBool all[SORET_MAX_SPECIES];

  PetscFunctionBegin;
  for (PetscInt k = 0; k < SORET_MAX_SPECIES; k++) all[k] = PETSC_TRUE;
  PetscCall(SoretSystemClose(steady->sys, steady->sys->sums->mean, all, c));
  PetscCall(SoretSteadyMeasure(steady->sys->op, steady->sys->sums, PETSC_FALSE, c, &test->ratio, &test->at_floor, NULL));
  PetscCall(MeasureTotals(steady->sys, c, &test->totals_off));
  *good = (test->at_floor || test->ratio <= steady->tolerance) && test->totals_off <= 1.0e-12 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is the state that Newton's method has found the one to take? */
static PetscErrorCode Accept(Steady *steady, Vec c, PetscBool *good)
{
  PetscFunctionBegin;
  *good = PETSC_TRUE;
  if (steady->sys->num_parts || steady->sys->num_local || steady->test.totals_off > 1.0e-12) PetscCall(CloseTotals(steady, c, good)); /* fast reactions: rounding leaves more in the means, and in what each cell keeps */
  if (*good) PetscCall(CheckPositive(steady, c, good));
  else PetscCall(LargestResidual(steady, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Newton's method in one of its phases; `most` counts the steps before the checkpoint that the run goes on from. Where rows are weighed rounding is not far below what
   is left: two digits from a linear solver at a time, and it may fall short. */
static PetscErrorCode RunNewton(Steady *steady, SNES snes, Phase phase, PetscInt most, Vec c, PetscBool *solved, SNESConvergedReason *reason)
{
  PetscReal rtol, absolute, divergence;
  PetscInt  most_linear, failures;
  PetscBool goes_on;
  KSP       ksp;

  PetscFunctionBegin;
  PetscCall(SNESGetKSP(snes, &ksp));
  PetscCall(KSPGetTolerances(ksp, &rtol, &absolute, &divergence, &most_linear));
  PetscCall(SNESGetMaxLinearSolveFailures(snes, &failures));
  if (phase == PHASE_FOLLOW && steady->sys->at) {
    PetscCall(KSPSetTolerances(ksp, PetscMax(rtol, 1.0e-2), absolute, divergence, most_linear));
    PetscCall(SNESSetMaxLinearSolveFailures(snes, PetscMax(failures, 50)));
  }
  PetscCall(Begin(steady, phase, c, &goes_on));
  PetscCall(SoretSystemFollow(steady->sys, phase == PHASE_FOLLOW ? PETSC_TRUE : PETSC_FALSE));
  PetscCall(Allow(snes, most - steady->first));
  PetscCall(RunSNES(steady, snes, c, reason));
  PetscCall(SoretSystemFollow(steady->sys, PETSC_FALSE));
  PetscCall(KSPSetTolerances(ksp, rtol, absolute, divergence, most_linear));
  PetscCall(SNESSetMaxLinearSolveFailures(snes, failures));
  steady->first = 0;
  if (*reason > 0) PetscCall(Accept(steady, c, solved));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Newton's method, then pseudo-transient continuation. */
static PetscErrorCode SolveNewton(Steady *steady, Vec c, PetscBool *solved)
{
  SNES                snes;
  SNESConvergedReason reason = SNES_DIVERGED_MAX_IT;
  const PetscBool     follows = steady->restored && steady->phase == PHASE_FOLLOW ? PETSC_TRUE : PETSC_FALSE;
  PetscInt            most;
  Vec                 guess;

  PetscFunctionBegin;
  *solved = PETSC_FALSE;
  PetscCall(SoretNewtonCreateMatrices(steady->sys, steady->prefix));
  PetscCall(CreateSNES(steady, &snes));
  PetscCall(MostOf(steady, snes, &most));
  PetscCall(VecDuplicate(c, &guess));
  PetscCall(VecCopy(c, guess));
  if (!steady->restored || steady->phase != PHASE_PSEUDO) {
    if (!follows) PetscCall(RunNewton(steady, snes, PHASE_NEWTON, most, c, solved, &reason));
    if (!*solved && !steady->stopped && (follows || steady->test.at_floor_of_most)) PetscCall(RunNewton(steady, snes, PHASE_FOLLOW, most, c, solved, &reason));
  }
  if (!*solved && !steady->stopped && steady->max_steps > 50) {
    PetscCall(Rescue(steady, snes, most, guess, c, &reason));
    if (reason > 0 && !steady->stopped) PetscCall(Accept(steady, c, solved));
  }
  if (reason <= 0 && !steady->stopped) PetscCall(LargestResidual(steady, c));
  PetscCall(VecDestroy(&guess));
  PetscCall(SNESDestroy(&snes));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The coarsest level of the full multigrid start, with everything that a small problem gets: a poor guess is overcome where it costs
   nothing. What cannot be solved there is left to the finer levels. */
static PetscErrorCode SolveCoarsest(void *context, SoretSystem *sys, Vec c)
{
  const Steady *finest = (const Steady *)context;
  SoretOutcome  outcome = {.converged = PETSC_FALSE};
  Steady        steady  = {.sys = sys, .tolerance = finest->tolerance, .max_steps = 1000, .prefix = "fas_start_", .outcome = &outcome};
  PetscBool     solved;

  PetscFunctionBegin;
  if (!finest->warm && !finest->sys->op->grid->closed) PetscCall(LiftGuess(sys, c));
  PetscCall(SolveNewton(&steady, c, &solved));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The full multigrid start and cycles after it. The guess is lifted where it is used: on the coarsest grid; around solid before, since cells that are on no
   coarser grid keep what they have. */
static PetscErrorCode Cycle(Steady *steady, Vec c, PetscBool *solved)
{
  SoretOutcome       *outcome = steady->outcome;
  const PetscBool     closed = steady->sys->op->grid->closed ? PETSC_TRUE : PETSC_FALSE;
  const SNES          snes = SoretFASGetSNES(steady->fas);
  SNESConvergedReason reason;
  PetscInt            most, cycles;
  PetscBool           goes_on;

  PetscFunctionBegin;
  if (closed && !steady->warm) PetscCall(LiftGuess(steady->sys, c));
  PetscCall(MostOf(steady, snes, &most));
  PetscCall(SoretFASSetTest(steady->fas, TestCycle, steady));
  PetscCall(SoretFASStart(steady->fas, SolveCoarsest, steady, c)); /* also where the run goes on: the coarse levels then remember the same */
  PetscCall(Begin(steady, PHASE_CYCLES, c, &goes_on));
  if (goes_on) PetscCall(SoretFASGoOn(steady->fas, &steady->anderson));
  for (; steady->attempt < 3 && !*solved; steady->attempt++) {
    PetscCall(Allow(snes, most - steady->first));
    PetscCall(SoretFASSolve(steady->fas, c, &reason, &cycles));
    outcome->cycles += cycles;
    steady->first = 0;
    if (reason <= 0) break;
    PetscCall(CloseTotals(steady, c, solved));
  }
  if (*solved) PetscCall(CheckPositive(steady, c, solved));
  (void)snprintf(outcome->method, sizeof(outcome->method), "nonlinear multigrid, %d levels, %d cycles", (int)SoretFASNumLevels(steady->fas), (int)outcome->cycles);
  if (*solved || steady->stopped) PetscFunctionReturn(PETSC_SUCCESS);
  if (outcome->cycles >= steady->max_steps) PetscCall(LargestResidual(steady, c));
  else PetscCall(SoretSay(steady->sys->op->grid->comm, "nonlinear multigrid did not converge in %d cycles; trying Newton's method\n", (int)outcome->cycles));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Nonlinear multigrid, unless the run goes on from Newton's method. What is not solved begins again with the guess, lifted unless it is warm: as it was around
   solid and where it is a solution nearby, else as far as the next level resolves it. */
static PetscErrorCode SolveFAS(Steady *steady, Vec c, PetscBool *solved)
{
  Vec c_0 = NULL;

  PetscFunctionBegin;
  PetscCall(SoretFASCreate(steady->sys, c, &steady->fas));
  steady->uncoarsened = SoretFASNumLevels(steady->fas) < 2 ? PETSC_TRUE : PETSC_FALSE; /* so few cells on each rank that there is no coarser level */
  if (!steady->uncoarsened) {
    if (steady->warm || steady->sys->op->grid->closed) {
      PetscCall(VecDuplicate(c, &c_0));
      PetscCall(VecCopy(c, c_0));
    } else PetscCall(SoretFASKeep(steady->fas, c));
    if (!steady->restored || steady->phase == PHASE_CYCLES) PetscCall(Cycle(steady, c, solved));
  }
  if (!*solved && !steady->stopped && steady->outcome->cycles < steady->max_steps) {
    if (c_0) PetscCall(VecCopy(c_0, c));
    else if (!steady->uncoarsened) PetscCall(SoretFASRecall(steady->fas, c));
    if (!steady->warm) PetscCall(LiftGuess(steady->sys, c));
  }
  PetscCall(SoretFASDestroy(&steady->fas));
  PetscCall(VecDestroy(&c_0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is the box empty, and does nothing come in? Then that is the steady state, and there is no scale that a solver could measure by. */
static PetscErrorCode IsEmpty(SoretSystem *sys, Vec c, PetscBool *empty)
{
  const PetscInt   n = sys->op->grid->num_cells * sys->op->num_species;
  PetscInt         q = 0;
  PetscReal        size;
  const PetscReal *array;
  Vec              f;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(c, &array));
  while (q < n && array[q] == 0.0) q++;
  PetscCall(VecRestoreArrayRead(c, &array));
  *empty = q == n ? PETSC_TRUE : PETSC_FALSE;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, empty, 1, SORET_MPI_BOOL, MPI_LAND, sys->op->grid->comm));
  if (!*empty) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecDuplicate(c, &f));
  PetscCall(SoretSystemResidual(sys, c, f)); /* with the totals asked for */
  PetscCall(VecNorm(f, NORM_INFINITY, &size));
  PetscCall(VecDestroy(&f));
  *empty = size == 0.0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSolveSteady(const SoretSolveSpec *spec, SoretOperator *op, const SoretSums *sums, SoretCheckpoint checkpoint, SoretStepMonitor monitor, void *context, Vec c, SoretOutcome *outcome)
{
  SoretSystem sys;
  Steady      steady = {.sys = &sys, .tolerance = spec->tolerance.value, .max_steps = spec->max_steps, .monitor = monitor, .context = context, .checkpoint = checkpoint, .outcome = outcome, .c = c, .warm = spec->warm};
  PetscBool   solved = PETSC_FALSE, use_fas = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(outcome, sizeof(*outcome)));
  PetscCall(SoretOperatorSetTime(op, 0.0));
  PetscCall(SoretSystemCreate(op, sums, NULL, c, PETSC_TRUE, &sys));
  PetscCall(RemoveAbsent(sums, op->grid, c));
  PetscCall(IsEmpty(&sys, c, &solved));
  if (solved) (void)snprintf(outcome->method, sizeof(outcome->method), "none: there is nothing in the box");
  PetscCall(SoretFASChoose(op, &use_fas));
  if (!solved && !spec->warm && !use_fas) PetscCall(LiftGuess(&sys, c));
  PetscCall(SoretCheckpointAdd(checkpoint, "solve", Save, Load, &steady, NULL));
  if (use_fas && !solved) PetscCall(SolveFAS(&steady, c, &solved));
  if (!solved && !steady.stopped && !(use_fas && outcome->cycles >= spec->max_steps)) PetscCall(SolveNewton(&steady, c, &solved));
  PetscCall(RemoveAbsent(sums, op->grid, c));
  PetscCall(SoretCheckpointRemove(checkpoint, "solve"));
  PetscCall(VecDestroy(&steady.restored));
  PetscCall(SoretAndersonDestroy(&steady.anderson));
  outcome->converged = solved;
  outcome->stopped   = steady.stopped;
  outcome->residual  = steady.test.ratio;
  outcome->scaled    = sys.scaled;
  if (steady.stopped) (void)snprintf(outcome->reason, sizeof(outcome->reason), "stopped by %s after iteration %" PetscInt_FMT, SoretCheckpointStopped(checkpoint), Iterations(&steady));
  if (solved) (void)snprintf(outcome->reason, sizeof(outcome->reason), steady.test.at_floor ? "converged: the residual is rounding error" : "converged");
  PetscCall(SoretSystemDestroy(&sys));
  PetscFunctionReturn(PETSC_SUCCESS);
}
