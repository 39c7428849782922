/* SPDX-License-Identifier: BSD-2-Clause */
#include "heat_private.h"

#include <math.h>

enum {
  MOST_ITERATIONS = 50, /* of Newton's method                                     */
  MOST_PICARD     = 200 /* with multigrid, where the conductivity depends on T */
};

static const PetscReal steady_tolerance = 1.0e-12; /* residual over the power that goes through */

/* A first guess of the right size: the mean of what walls are told. */
static PetscErrorCode Guess(SoretHeat heat, PetscReal t)
{
  PetscReal sum[2] = {0.0, 0.0};

  PetscFunctionBegin;
  for (int face = 0; face < 2 * heat->grid->dim; face++) {
    const SoretHeatCondition *condition = &heat->spec->condition[face];
    const SoretExpr           level     = condition->kind == SORET_HEAT_VALUE ? condition->value : condition->outside;

    for (PetscInt q = 0; level && q < SoretGridCountFace(heat->grid, face); q++) {
      PetscInt   local[3];
      SoretPoint point;

      SoretGridFaceCell(heat->grid, face, q, local);
      point = SoretHeatPoint(heat->grid, SoretGridCellNumber(heat->grid, local), t, 1.0);
      sum[0] += SoretExprEvaluate(level, &point);
      sum[1] += 1.0;
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPIU_REAL, MPI_SUM, heat->grid->comm));
  PetscCall(VecSet(heat->T, sum[1] > 0.0 && sum[0] > 0.0 ? sum[0] / sum[1] : 1.0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* T -= step, shortened where it would make a temperature negative; a tenth is left. cut: that was so somewhere on this rank */
static PetscErrorCode Correct(SoretHeat heat, PetscBool *cut)
{
  const PetscReal *d;
  PetscReal       *T;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(heat->step, &d));
  PetscCall(VecGetArray(heat->T, &T));
  *cut = PETSC_FALSE;
  for (PetscInt p = 0; p < heat->grid->num_cells; p++) {
    const PetscBool cold = T[p] > 0.0 && !SoretHeatIsLinear(heat->spec) && T[p] - d[p] < 0.1 * T[p] ? PETSC_TRUE : PETSC_FALSE;

    T[p] = cold ? 0.1 * T[p] : T[p] - d[p];
    if (cold) *cut = PETSC_TRUE;
  }
  PetscCall(VecRestoreArray(heat->T, &T));
  PetscCall(VecRestoreArrayRead(heat->step, &d));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The correction for the residual f, by multigrid no more exactly than makes f smaller by `share`; good: not so slowly that a matrix is better. */
static PetscErrorCode FindStep(SoretHeat heat, PetscReal share, PetscBool *good)
{
  KSPConvergedReason reason;
  PetscReal          rtol, absolute, divergence;
  PetscInt           iterations;

  PetscFunctionBegin;
  PetscCall(KSPGetTolerances(heat->ksp, &rtol, &absolute, &divergence, &iterations));
  if (heat->elliptic) PetscCall(KSPSetTolerances(heat->ksp, PetscMax(rtol, PetscMin(0.1 * share, 0.1)), absolute, divergence, iterations));
  PetscCall(KSPSolve(heat->ksp, heat->f, heat->step));
  PetscCall(KSPSetTolerances(heat->ksp, rtol, absolute, divergence, iterations));
  PetscCall(KSPGetConvergedReason(heat->ksp, &reason));
  *good = heat->elliptic && reason < 0 ? PETSC_FALSE : PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* cut: temperatures would be 0 or below on this rank */
static PetscErrorCode SayFailed(SoretHeat heat, PetscBool cut, PetscReal norm, PetscReal gross, PetscInt iterations)
{
  PetscMPIInt cold   = cut ? 1 : 0;
  const char *advice = "try -heat_ksp_monitor, or -heat_pc_type lu";

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &cold, 1, MPI_INT, MPI_MAX, heat->grid->comm));
  if (SoretFieldUses(heat->spec->source) & SORET_VAR_TEMPERATURE) advice = "the source depends on T: it may release more than can be led away, and there is no steady state";
  if (cold) advice = "temperatures went to 0 or below: with these sources, walls and conductivities there may be no solution that is positive everywhere";
  PetscCall(SoretComplain(heat->grid->comm, "soret: the heat equation did not converge: residual %g of a power of %g after %d iterations; %s\n", (double)norm, (double)gross, (int)iterations, advice));
  PetscFunctionReturn(SORET_ERR_NOT_CONVERGED);
}

/* T is a solution; the first one is where later solves begin. What has not converged may hold anything, and would stay so. */
static PetscErrorCode KeepStart(SoretHeat heat)
{
  PetscFunctionBegin;
  heat->started = PETSC_TRUE;
  if (!heat->spec->varies || heat->capacity || heat->start) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecDuplicate(heat->T, &heat->start));
  PetscCall(VecCopy(heat->T, heat->start));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatSolveSteady(SoretHeat heat, PetscReal t)
{
  PetscReal      norm = 0.0, last = PETSC_MAX_REAL, goal;
  SoretHeatScale scale  = {.gross = 0.0};
  PetscInt       stalls = 0, most, it = 0;
  PetscBool      picard, good, cut = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(SoretHeatCreateSteadySolver(heat));
  picard = heat->elliptic && !SoretHeatIsLinear(heat->spec) ? PETSC_TRUE : PETSC_FALSE;
  most   = picard ? MOST_PICARD : MOST_ITERATIONS;
  if (!heat->started) PetscCall(Guess(heat, t));
  else if (heat->start) PetscCall(VecCopy(heat->start, heat->T));
  for (; it < most; it++) {
    PetscCall(SoretHeatEvaluate(heat, t, heat->T, SORET_HEAT_PER_CELL, heat->f, 0.0, heat->J, &scale));
    if (scale.held == 0.0) {
      (void)snprintf(heat->trouble, sizeof(heat->trouble), "soret: nothing sets the level of the temperature at t = %g: all coefficients of 'transfer' are 0\n", (double)t);
      PetscCall(SoretHeatAgree(heat));
    }
    PetscCall(VecNorm(heat->f, NORM_1, &norm));
    goal = PetscMax(steady_tolerance * scale.gross, scale.rounding);
    if (!isfinite(norm) || norm <= goal) break;
    stalls = norm > (picard ? 0.95 : 0.25) * last ? stalls + 1 : 0;
    if (stalls >= 2 && it > 3) break;
    last = norm;
    if (heat->J) PetscCall(KSPSetOperators(heat->ksp, heat->J, heat->J));
    else if (it == 0 || picard) PetscCall(SoretHeatFillElliptic(heat, t, 0.0));
    PetscCall(FindStep(heat, goal / norm, &good));
    if (!good) break;
    PetscCall(Correct(heat, &cut));
  }
  PetscCall(PetscInfo(heat->dm, "heat: residual %g of the power %g, rounding %g\n", (double)norm, (double)scale.gross, (double)scale.rounding));
  if (isfinite(norm) && norm <= PetscMax(1.0e-9 * scale.gross, 1.0e3 * scale.rounding)) {
    PetscCall(KeepStart(heat));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (heat->elliptic) {
    PetscCall(SoretSay(heat->grid->comm, "multigrid did not solve the heat equation (residual %g of a power of %g); trying a matrix with algebraic multigrid\n", (double)norm, (double)scale.gross));
    PetscCall(SoretHeatDestroySolver(heat));
    heat->assembled = PETSC_TRUE;
    heat->started   = PETSC_FALSE;
    PetscCall(SoretHeatSolveSteady(heat, t));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscFunctionReturn(SayFailed(heat, cut, norm, scale.gross, it));
}
