/* SPDX-License-Identifier: BSD-2-Clause

   Linear equations for one quantity on the whole grid, solid and fluid alike, by the multigrid of the species: in each cell

     sum over faces of g (u - u_beside) + sum over walls of alpha u + shift capacity u = source

   The quantity is treated as the u = b c of a single species with b = volume/capacity, so that operator, smoother, coarser grids and transfers are
   those of the species. Nothing is assembled but on the coarsest grid. */
#pragma once

#include <petscksp.h>

#include "soret/solve.h"

typedef struct SoretElliptic_s *SoretElliptic;

/* What the equations are made of; the arrays are filled by the caller. */
typedef struct {
  PetscReal *g[3];      /* [faces normal to the axis] conductances, in the order of SoretFlowFace(); those of walls are 0 */
  PetscInt   num[6];    /* cells of this rank at the walls with a condition, 0 at others                                  */
  PetscReal *alpha[6];  /* [num] in the order of SoretGridFaceCell(), times the area                                      */
  PetscReal *mirror[6]; /* [num] a correction beyond the wall over that inside: 1 closed, -1 where the value is held      */
} SoretEllipticCoefficients;

/* open     - [6] walls with a condition
   capacity - [num_cells] of the cells; the rows of the equations are then divided by it. NULL: without that, and without shift

   *elliptic is NULL where no coarser grid can be made. The grid is borrowed. Collective. */
PetscErrorCode SoretEllipticCreate(const SoretGrid *grid, const PetscBool open[6], const PetscReal capacity[], SoretElliptic *elliptic);
PetscErrorCode SoretEllipticDestroy(SoretElliptic *elliptic);

/* The arrays to be filled with the coefficients of this rank, which belong to the solver. Not collective. */
SoretEllipticCoefficients SoretEllipticGet(SoretElliptic elliptic);

/* Says that the coefficients have been filled anew, and the shift. Collective. */
PetscErrorCode SoretEllipticUpdate(SoretElliptic elliptic, PetscReal shift);

/* Sweeps of the smoother before and after what each coarser grid does; 1 at first. Collective. */
PetscErrorCode SoretEllipticSetSweeps(SoretElliptic elliptic, PetscInt sweeps);

/* The left side as a matrix (a shell). */
Mat SoretEllipticMatrix(SoretElliptic elliptic);

/* Makes a cycle of multigrid the preconditioner of a KSP for this matrix. */
PetscErrorCode SoretEllipticSetKSP(SoretElliptic elliptic, KSP ksp);
