/* SPDX-License-Identifier: BSD-2-Clause

   Steady states by SNES and transients by TS. Every solver choice can be changed through the PETSc options database; what is set here
   are defaults by problem. */
#pragma once

#include "soret/checkpoint.h"
#include "soret/conserve.h"

typedef enum {
  SORET_STEADY,
  SORET_TRANSIENT
} SoretMode;

/* The section `solve` as data. */
typedef struct {
  int           mode; /* SoretMode */
  SoretOptional tolerance, absolute, end, first_step, max_step;
  PetscInt      max_steps;
  SoretOptional until_steady;
  PetscBool     warm; /* the guess is a solution nearby: take it as it is. Not in the file, set by sweeps */
} SoretSolveSpec;

/* Reads the section `solve`; mistakes are collected in the input. Reference prints its keys for docs/case-reference.md. Not collective. */
PetscErrorCode SoretSolveSpecRead(SoretInput in, SoretSolveSpec *spec);
PetscErrorCode SoretSolveReference(FILE *out);

/* The longest step of a transient run: `max_step`, or, where something depends on time by itself, a fiftieth of `end` (or `first_step`, if that is given and longer): no step may pass over what is on its way before
   the method has seen that it begins. Not collective. */
PetscReal SoretSolveLongestStep(const SoretSolveSpec *spec, PetscBool varies);

/* Can a run of this mode do with the value (NULL: none) of an option of PETSc, with or without the "-" in front, and does it go by it? If not, complaint is a sentence that says so;
   "" if it does, or if no solver knows the option. One that prints into a file is not tried, but the file has to be one that rank 0 can write. Makes solvers of no size; other options do not count.
   Collective. */
PetscErrorCode SoretSolveTryOption(const char *name, const char *value, SoretMode mode, size_t length, char complaint[]);

/* How a run ended. */
typedef struct {
  PetscBool converged;
  PetscBool stopped;            /* because it was asked to, with a checkpoint                                            */
  char      reason[512];        /* one line for the log and the summary; says what to try where converged is false       */
  char      method[128];        /* the solver, in words                                                                  */
  PetscReal residual;           /* steady: largest of the ratios of SoretSteadyMeasure; transient: 0                     */
  PetscInt  newton_iterations, linear_iterations, cycles;
  PetscInt  steps, rejected;    /* transient                                                                             */
  PetscInt  euler;              /* steps among them that were taken by backward Euler, the last resort for positivity    */
  PetscInt  scaled;             /* cells in which a correction was scaled to keep concentrations positive                */
} SoretOutcome;

/* Called after each step (steady: each Newton iteration) and at each output time.

   frame - t is an output time: c is to be written */
typedef PetscErrorCode (*SoretStepMonitor)(void *context, PetscInt step, PetscReal t, PetscReal residual, Vec c, PetscBool frame);

/* Solves F(c) = 0 with the conserved sums at their means. c holds the initial guess, which is also what cells of immobile sums keep.
   An unsolvable problem (a sum with net input and no outlet) is refused: message and SORET_ERR_INPUT. Otherwise outcome tells. Collective.

   checkpoint - gets the iterate as its part `solve` while the solve lasts; one that holds such a part is gone on from, and c, which must be the
                same initial guess, then replaced by it. May be NULL */
PetscErrorCode SoretSolveSteady(const SoretSolveSpec *spec, SoretOperator *op, const SoretSums *sums, SoretCheckpoint checkpoint, SoretStepMonitor monitor, void *context, Vec c, SoretOutcome *outcome);

/* Integrates from t = 0 to spec->end; monitor gets a frame at 0, at each of `times` (ascending) and at the end. c holds the
   initial state, and the last good one on return. checkpoint: as above; where the run goes on from one, times that are past give no frame
   again. Collective. */
PetscErrorCode SoretSolveTransient(const SoretSolveSpec *spec, SoretOperator *op, const SoretSums *sums, PetscInt num_times, const PetscReal times[], SoretCheckpoint checkpoint, SoretStepMonitor monitor, void *context, Vec c, SoretOutcome *outcome);

/* How far a state is from steady: the largest ratio over conserved combinations of |residual| to gross transport, and over
   species of |residual| to gross rates, each in the 2-norm over cells (docs/numerics.md, "When is a steady state converged").

   relaxed          - c comes from integration in time, so that velocities have relaxed: else rates are no measure for ballistic species
   at_floor         - the residual is rounding error: it cannot fall further
   at_floor_of_most - it is beside the largest amounts, and not beside what there is in cells with little; may be NULL */
PetscErrorCode SoretSteadyMeasure(SoretOperator *op, const SoretSums *sums, PetscBool relaxed, Vec c, PetscReal *ratio, PetscBool *at_floor, PetscBool *at_floor_of_most);

/* About the diffusivity that relaxation makes of velocities, D[sums->num]: <v^2> over the rate at which members that do not diffuse become each other; 0 where
   some member diffuses or none moves or reacts. Collective. */
PetscErrorCode SoretRelaxedDiffusivity(SoretOperator *op, const SoretSums *sums, Vec c, PetscReal D[]);

/* Smallest concentration: its value, species and the coordinates of its cell. Collective. */
PetscErrorCode SoretSmallest(const SoretOperator *op, Vec c, PetscReal *value, PetscInt *species, PetscReal x[3]);

/* Of the program and its libraries. */
#define SORET_PROGRAM_BYTES 5.0e7

/* Estimated peak memory of a run, bytes over all ranks, for the solver that would be chosen; from measurements (docs/performance.md). flows - is there a flow? */
PetscErrorCode SoretSolveEstimateMemory(const SoretSolveSpec *spec, const SoretGridSpec *grid, const SoretModel *model, PetscBool flows, PetscReal *bytes, const char **method);
