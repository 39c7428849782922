/* SPDX-License-Identifier: BSD-2-Clause */
#include "heat_private.h"

#include <math.h>

#include "soret/direct.h"

enum {
  MOST_CYCLES     = 100,   /* of multigrid for a linear problem: with more, a matrix is cheaper */
  DIRECT_CELLS    = 20000, /* one and two dimensions: up to this many cells by factorisation    */
  DIRECT_CELLS_3D = 3000
};

PetscBool SoretHeatIsLinear(const SoretHeatSpec *spec)
{
  return (SoretLawUses(spec->conductivity) | SoretLawUses(spec->solid_conductivity)) & SORET_VAR_TEMPERATURE ? PETSC_FALSE : PETSC_TRUE;
}

/* Solved by factorisation? */
static PetscBool IsSmall(PetscInt dim, const PetscInt n[3])
{
  const PetscReal cells = (PetscReal)n[0] * (PetscReal)n[1] * (PetscReal)n[2];

  return cells <= (dim == 3 ? DIRECT_CELLS_3D : DIRECT_CELLS) ? PETSC_TRUE : PETSC_FALSE;
}

/* With a matrix: where the problem is small, the source depends on T, or it is asked for by an option; else multigrid without one? */
static PetscErrorCode NeedsMatrix(const SoretHeatSpec *spec, PetscInt dim, const PetscInt n[3], PetscBool *needs)
{
  PetscBool asked;

  PetscFunctionBegin;
  PetscCall(PetscOptionsHasName(NULL, NULL, "-heat_pc_type", &asked));
  *needs = IsSmall(dim, n) || asked || SoretFieldUses(spec->source) & SORET_VAR_TEMPERATURE ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatCreateOperator(SoretHeat heat, const PetscReal capacity[])
{
  PetscBool needs = PETSC_TRUE, open[6];

  PetscFunctionBegin;
  PetscCall(NeedsMatrix(heat->spec, heat->grid->dim, heat->grid->n, &needs));
  for (int face = 0; face < 6; face++) open[face] = heat->spec->condition[face].kind != SORET_HEAT_INSULATED ? PETSC_TRUE : PETSC_FALSE;
  if (!needs && !heat->assembled) PetscCall(SoretEllipticCreate(heat->grid, open, capacity, &heat->elliptic));
  if (!heat->elliptic) PetscCall(DMCreateMatrix(heat->dm, &heat->J));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatSetSolver(SoretHeat heat, PetscBool symmetric, KSP ksp)
{
  const SoretGrid *grid = heat->grid;
  PC               pc;

  PetscFunctionBegin;
  PetscCall(KSPSetOptionsPrefix(ksp, "heat_"));
  PetscCall(KSPSetType(ksp, symmetric ? heat->elliptic ? KSPFCG : KSPCG : KSPFGMRES));
  if (symmetric && heat->elliptic) { /* a cycle is not quite symmetric; few directions, each is two vectors */
    PetscCall(KSPFCGSetMmax(ksp, 3));
    PetscCall(KSPFCGSetNprealloc(ksp, 3));
    PetscCall(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
  }
  if (!symmetric) PetscCall(KSPGMRESSetRestart(ksp, heat->elliptic ? 10 : 30));
  PetscCall(KSPSetTolerances(ksp, heat->elliptic && !SoretHeatIsLinear(heat->spec) ? 1.0e-3 : 1.0e-8, 0.0, PETSC_DEFAULT, heat->elliptic ? MOST_CYCLES : 1000));
  PetscCall(KSPGetPC(ksp, &pc));
  if (heat->elliptic) PetscCall(SoretEllipticSetKSP(heat->elliptic, ksp));
  else if (IsSmall(grid->dim, grid->n)) {
    PetscCall(SoretDirectSetPC(pc, grid->n[0] * grid->n[1] * grid->n[2], grid->dim == 1 ? PETSC_TRUE : PETSC_FALSE, 0, NULL));
  } else PetscCall(PCSetType(pc, PCGAMG));
  PetscCall(KSPSetFromOptions(ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatCreateSteadySolver(SoretHeat heat)
{
  PetscFunctionBegin;
  if (heat->ksp) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretHeatCreateOperator(heat, NULL));
  PetscCall(KSPCreate(heat->grid->comm, &heat->ksp));
  PetscCall(SoretHeatSetSolver(heat, heat->elliptic || SoretHeatIsLinear(heat->spec) ? PETSC_TRUE : PETSC_FALSE, heat->ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatDestroySolver(SoretHeat heat)
{
  PetscFunctionBegin;
  PetscCall(KSPDestroy(&heat->ksp));
  PetscCall(SoretEllipticDestroy(&heat->elliptic));
  PetscCall(MatDestroy(&heat->J));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- memory ---- */

/* For each cell of the finest grid, doubles and indices: on the coarser grids of multigrid, whose cells are a share of those of the finest; in time, shifted equations. */
static PetscReal CoarseBytes(const SoretHeatSpec *spec, PetscReal dim)
{
  const PetscReal vectors = 5.0 + (spec->in_time ? 1.0 : 0.0), coefficients = dim + 1.0, indices = 6.0; /* state, old, right side, u and its halo, the term of the shift */

  return (8.0 * (vectors + coefficients) + indices * sizeof(PetscInt)) / (exp2(dim) - 1.0);
}

PetscErrorCode SoretHeatEstimateMemory(const SoretHeatSpec *spec, const SoretGridSpec *grid, PetscReal *stays, PetscReal *solving, PetscBool *again)
{
  const PetscReal cells = (PetscReal)grid->n[0] * (PetscReal)grid->n[1] * (PetscReal)grid->n[2], dim = (PetscReal)grid->dim, edges = 1.05; /* halos */
  PetscReal       kept = 7.0, solver = 10.0, finest = 2.0 + dim + 1.0 + 1.0;
  PetscBool       needs = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(NeedsMatrix(spec, grid->dim, grid->n, &needs));
  *again = spec->in_time || spec->varies;
  if (spec->in_time) {
    kept += 2.0 + 2.0 * SORET_HEAT_WINDOW; /* capacity, rate; the steps that are remembered */
    solver = 54.0;              /* stages and their rates, Newton's method, FGMRES, as measured */
    finest += 2.0;              /* capacity again, the term of the shift */
  } else if (spec->varies) kept += 1.0;
  *stays = edges * cells * (8.0 * kept + 6.0 * sizeof(PetscInt)); /* T, residual, step, filled, the values of each cell; a DMDA */
  if (IsSmall(grid->dim, grid->n)) *solving = cells * SoretDirectBytes(grid->dim, cells, 1.0);
  else if (needs) *solving = cells * (360.0 + 32.0 * sizeof(PetscInt) + (spec->in_time ? 8.0 * solver : 0.0)); /* matrix and algebraic multigrid, as measured with 32-bit and 64-bit indices */
  else *solving = edges * cells * (8.0 * (finest + solver) + CoarseBytes(spec, dim));
  PetscFunctionReturn(PETSC_SUCCESS);
}
