/* SPDX-License-Identifier: BSD-2-Clause

   Rows of cells treated four at a time in vector registers: transport and reactions of up to four species with at most two factors on each side.
   Every number of species and kind of transport has a function of its own, made from one source. */
#pragma once

#include "kernel.h"

/* How a row comes to its blocks. */
typedef enum {
  SORET_BLOCKS_NONE,    /* not at all: another kind of network                                                    */
  SORET_BLOCKS_STORED,  /* with transport that was computed before                                                 */
  SORET_BLOCKS_FACES,   /* transport is computed in them; conductances are stored face by face, or                 */
  SORET_BLOCKS_UNIFORM, /* products of one factor per axis, and                                                    */
  SORET_BLOCKS_EVEN     /* cells are as wide as each other along x; beyond a wall u is what it is in the cell there */
} SoretBlocks;

/* Rate = kf x0 x1 - kb y0 y1, its factors concentrations or 1. */
struct SoretPair {
  PetscInt  factor[4];        /* species of x0, x1, y0, y1; the number of species: the number 1 */
  PetscReal nu[SORET_FEW];    /* stoichiometry                                                  */
  PetscReal is[SORET_FEW][4]; /* 1 where a factor is a species, else 0                          */
};

/* What blocks read of a row of nx cells. Arrays of a row hold [nx][species] or [nx] values. */
typedef struct {
  PetscInt                nx;
  /* reactions */
  PetscInt                num_reactions;
  const struct SoretPair *pair;
  const PetscInt         *slot;                   /* [2 num_reactions] rate constants: row `slot` of k, or -1:          */
  const PetscReal        *k, *k_constant;         /* [2 num_reactions][SORET_MAX_LANES] the same everywhere             */
  /* what a solver adds per volume: constant + matrix c - kept; each may be NULL */
  const PetscReal        *constant, *matrix, *kept;
  const PetscReal        *volume;                 /* not with UNIFORM and EVEN, but for gross rates                     */
  /* transport and walls, with STORED; else walls alone, or NULL: nothing passes */
  const PetscReal        *f;
  const PetscReal        *diagonal;               /* derivative of transport by the own u, with STORED                  */
  const PetscReal        *walls;                  /* that of the walls by the own c, or NULL                            */
  /* transport, else */
  int                     dim;
  const PetscReal        *u, *u_lo[3], *u_hi[3];  /* u = b c of the row, of the cells below and above it along each axis */
  const PetscReal        *g_lo[3], *g_hi[3];      /* conductances of the faces there, with FACES                        */
  const PetscReal        *gx, *dx, *gx_sum, *width, *a; /* with UNIFORM and EVEN: as in SoretKernelUniformRow()         */
  PetscReal               area, g[4];
  PetscReal               even_width, g_even[6];  /* with EVEN: of all cells; conductance over a of each face           */
  const PetscReal        *ahead[2];               /* c and b of a row that is needed soon                               */
  /* smoother */
  const PetscReal        *b, *rhs;                /* rhs may be NULL                                                    */
} SoretBlockRow;

/* Residual of a row, written to f. num_species - at most SORET_FEW */
void SoretBlocksResidual(PetscInt num_species, SoretBlocks kind, const SoretBlockRow *row, const PetscReal c[], PetscReal f[]);

/* Newton's correction of every second cell from begin on before end: c and u are changed, and the amounts in these cells added to content. */
void SoretBlocksCorrect(PetscInt num_species, SoretBlocks kind, const SoretBlockRow *row, PetscInt begin, PetscInt end, PetscReal c[], PetscReal u[], PetscReal content[]);

/* Net source, and sum over reactions of |nu| (forward + backward rate), integrated over the cells. */
void SoretBlocksGross(PetscInt num_species, const SoretBlockRow *row, const PetscReal c[], PetscReal net[], PetscReal gross[]);

/* Adds the sum over nx cells of volume times c of each species. num_species - at most SORET_FEW */
void SoretBlocksContent(PetscInt num_species, PetscInt nx, const PetscReal volume[], const PetscReal c[], PetscReal content[]);
