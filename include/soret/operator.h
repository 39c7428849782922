/* SPDX-License-Identifier: BSD-2-Clause

   The discrete equations on one grid: residual, Jacobian, face fluxes, and the caches of everything that depends on temperature alone.

     F_i(cell) = sum over faces of the outflow of species i - volume * S_i(c)          mol/s (mol m^-2 s^-1 in 1D ...)
     dc_i/dt   = -F_i / volume                                                        (docs/numerics.md)

   Vectors hold the concentrations c of a cell together, [k][j][i][species], on the DMDA `dm`. Kernels work on planes of u = b c that roll through
   the box, so no ghosted copy of a vector is made. */
#pragma once

#include "soret/boundary.h"

/* A row of cells as the kernels and diagnostics see it. Entry q = i ns + s of cell i. */
typedef struct {
  PetscInt         j, k;         /* local indices of the row                                              */
  PetscInt         first;        /* number of its first cell on this rank                                 */
  const PetscReal *c;            /* concentrations                                                        */
  const PetscReal *u[3][5];      /* [axis][2 + offset] rows of u = b c at offset -2..2 along the axis; along x all are the same row, shifted */
} SoretRow;

typedef struct {
  SoretModel       *model;
  const SoretGrid  *grid;
  SoretTemperature *temperature;
  SoretBoundary    *boundary;
  DM                dm;
  PetscInt          num_species;
  PetscBool         limited;      /* limit ballistic transport (transients)                                */
  PetscBool         varies;       /* something depends on time                                             */
  PetscReal         t;            /* time of the caches                                                    */
  PetscBool         fresh;
  /* caches */
  PetscReal *b;                   /* [num_cells][num_species]                                              */
  PetscReal *k;                   /* [num_cells][num_slots] rate constants that vary                       */
  PetscInt   num_slots, *slot;    /* [2 num_reactions] column of k, or -1: constant                        */
  PetscReal *k_constant;          /* [2 num_reactions]                                                     */
  PetscBool  uniform;             /* a is constant for every species: conductances are products            */
  PetscReal *a_constant;          /* [num_species], with uniform                                           */
  PetscReal *gx, *dx;             /* rows for the uniform kernel                                           */
  PetscReal *g[3], *w[3];         /* face by face, else; w NULL unless a diffusing species has a velocity  */
  PetscReal *mean_D;              /* [num_species] mean of D = a b over the box; |v| L for ballistic ones  */
  /* work */
  SoretHalo  halo;
  PetscReal *plane[5];            /* u, with layers around                                                 */
  PetscReal *row;                 /* [2][count[0]][num_species] for the smoother                           */
  PetscInt   width, row_length, plane_length;
  PetscBool  coarse;              /* of a coarser level: the range of Theta is that of the finest          */
} SoretOperator;

/* Collective. The parts are borrowed and must outlive the operator. */
PetscErrorCode SoretOperatorCreate(SoretModel *model, const SoretGrid *grid, SoretTemperature *temperature, SoretBoundary *boundary, SoretOperator *op);
PetscErrorCode SoretOperatorDestroy(SoretOperator *op);

/* Net outflow of each entry of a row through its faces inside the box, added to f, and, if wanted, its derivative by the entry's own u. */
void SoretOperatorAddTransport(const SoretOperator *op, const SoretRow *row, PetscReal f[], PetscReal diagonal[]);

/* First entry of the coefficients alpha, beta of a wall for the cell with local indices ijk, -1 if it does not touch that wall. */
PetscInt SoretOperatorWall(const SoretOperator *op, int face, const PetscInt ijk[3]);

/* Adds alpha c - beta of the walls to a row, and alpha to diagonal if wanted. */
void SoretOperatorAddWalls(const SoretOperator *op, const SoretRow *row, PetscReal f[], PetscReal diagonal[]);

/* Brings temperature, boundary and caches to time t; does nothing if they are there already. A diffusivity or rate constant that
   is negative or not finite is a message with species or reaction and place, and SORET_ERR_INPUT. Collective. */
PetscErrorCode SoretOperatorSetTime(SoretOperator *op, PetscReal t);

/* f = F(c) at the time of the last SoretOperatorSetTime(). Collective. */
PetscErrorCode SoretOperatorResidual(SoretOperator *op, Vec c, Vec f);

/* f divided by the volumes of the cells, times factor. */
PetscErrorCode SoretOperatorPerVolume(const SoretOperator *op, PetscReal factor, Vec f);

/* Matrix with the pattern of the Jacobian: species of a cell coupled as the network (and `extra`) couples them, neighbours
   species by species.

   extra - [num_species][num_species] further couplings inside a cell (non-zero entries), or NULL */
PetscErrorCode SoretOperatorCreateMatrix(SoretOperator *op, const PetscReal extra[], Mat *J);

/* J = dF/dc + volume (shift I + extra). Assembled. Ballistic transport enters without limiter. Collective. */
PetscErrorCode SoretOperatorJacobian(SoretOperator *op, Vec c, PetscReal shift, const PetscReal extra[], Mat J);

/* Calls visit for each row of this rank, k and j ascending. Collective: exchanges ghosts first. */
typedef PetscErrorCode (*SoretRowVisitor)(SoretOperator *op, const SoretRow *row, void *context);
PetscErrorCode SoretOperatorForEachRow(SoretOperator *op, Vec c, SoretRowVisitor visit, void *context);

/* Fluxes of species s through the faces of cell i of a row, integrated over the face, positive along the axis.

   flux   - [6] faces x- x+ y- y+ z- z+; those of the residual, walls included
   oneway - [6] sum of the flux to and fro, the scale of rounding; or NULL */
void SoretOperatorFaceFluxes(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s, PetscReal flux[6], PetscReal oneway[6]);

/* Rate constants [num_reactions][2] of cell p. */
void SoretOperatorConstants(const SoretOperator *op, PetscInt p, PetscReal k[]);

/* Global indices of cell i of a row, and its volume. */
void      SoretOperatorCell(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt ijk[3]);
PetscReal SoretOperatorVolume(const SoretOperator *op, const SoretRow *row, PetscInt i);

/* Terms of one cell that a solver adds to F, all per volume: constant[s] + sum_j matrix[s][j] c_j - kept[cell][s]. Each may be NULL. */
typedef struct {
  const PetscReal *constant; /* [num_species]              */
  const PetscReal *matrix;   /* [num_species][num_species] */
  const PetscReal *kept;     /* [num_cells][num_species]   */
} SoretCellTerms;

/* One red-black point-block Gauss-Seidel sweep for F(c) + terms = rhs: all species of a cell at once by a step of Newton's method with the
   exact reaction Jacobian, the red cells first. A step that would make a positive concentration negative is shortened so that it keeps a
   tenth. rhs may be NULL. Collective. */
PetscErrorCode SoretOperatorSmooth(SoretOperator *op, const SoretCellTerms *terms, Vec rhs, Vec c);
