/* SPDX-License-Identifier: BSD-2-Clause

   The hierarchy of grids and the transfers between them: any number of cells, any spacing, periodic axes, semi-coarsening. */
#pragma once

#include <petscksp.h>

#include "soret/operator.h"

enum { SORET_MAX_LEVELS = 32 };

/* Level 0 is the finest grid. */
typedef struct {
  PetscInt         num;
  const SoretGrid *grid[SORET_MAX_LEVELS];
  PetscBool        coarsened[SORET_MAX_LEVELS][3]; /* [l]: axes along which level l is coarser than l - 1 */
  SoretGrid        made[SORET_MAX_LEVELS];         /* the coarser ones, owned                             */
} SoretHierarchy;

/* aligned: every coarse cell on the rank of its first fine cell; the hierarchy ends where that is not possible. finest is borrowed. Collective. */
PetscErrorCode SoretHierarchyCreate(const SoretGrid *finest, PetscBool aligned, SoretHierarchy *hierarchy);
PetscErrorCode SoretHierarchyEnd(SoretHierarchy *hierarchy, PetscInt num); /* drops the levels from num on */
PetscErrorCode SoretHierarchyDestroy(SoretHierarchy *hierarchy);

/* Linear interpolation to the centre of fine cell i (global) along an axis: two coarse cells and their weights. An index may be -1 or n: the
   neighbour across a periodic axis, or the mirror image of the last cell beyond a wall. */
void SoretAxisWeights(const SoretGrid *fine, const SoretGrid *coarse, int axis, PetscInt i, PetscInt index[2], PetscReal weight[2]);

/* Makes pc a geometric multigrid preconditioner for assembled matrices of op, with Galerkin coarse operators, or a factorisation where there is no
   coarser grid; everything can be changed by -mg_levels_*, -mg_coarse_*, -pc_*. method gets a short description. Collective. */
PetscErrorCode SoretMultigridSetPC(SoretOperator *op, PC pc, size_t length, char method[]);
