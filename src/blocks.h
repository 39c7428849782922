/* SPDX-License-Identifier: BSD-2-Clause

   Rows of cells treated four at a time in vector registers: transport and reactions of up to four species with at most two factors on each side.
   Every number of species and kind of transport has a function of its own, made from one source. */
#pragma once

#include <stdint.h>

#include "kernel.h"
#include "soret/operator.h"

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

/* What is known of the reactions. */
typedef enum {
  SORET_ANY_REACTIONS,
  SORET_ONE_REACTION,
  SORET_DIMERIZATION, /* 2 A <=> B of two species */
  SORET_ISOMERIZATION /* A <=> B                  */
} SoretShape;

SoretShape SoretBlocksShape(PetscInt num_species, PetscInt num_reactions, const struct SoretPair pair[]);

/* What blocks read of a row of nx cells. Arrays of a row hold [nx][species] or [nx] values. */
typedef struct {
  PetscInt                nx;
  /* reactions */
  PetscInt                num_reactions;
  const struct SoretPair *pair;
  SoretShape              shape;
  const PetscReal *const *k;                      /* [2 num_reactions] their rate constants: [nx], or                   */
  const PetscInt         *slot;                   /* [2 num_reactions] where -1: [SORET_MAX_LANES] the same everywhere  */
  /* what a solver adds per volume: constant + matrix c - kept + shift (c - old); each may be NULL */
  const PetscReal        *constant, *matrix, *kept, *old;
  PetscReal               shift;
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
  PetscReal               even_width, even_inverse, g_even[6]; /* with EVEN: of all cells, and 1 over it; conductance over a of each face */
  PetscBool               past;                   /* is the residual written past the caches?                          */
  PetscReal              *fill;                   /* u of another row, written on the way, or NULL; it may be read as u_hi */
  const PetscReal        *fill_b, *fill_c;        /* of that row                                                        */
  PetscBool               near;                   /* does the first cache hold what memory is asked for ahead?          */
  /* smoother */
  const PetscReal        *b, *rhs;                /* rhs may be NULL                                                    */
  PetscReal               inverse_omega;          /* of the over-relaxation of transport                                */
} SoretBlockRow;

/* May all rows of f be written past the caches (SoretBlockRow.past)? */
static inline PetscBool SoretBlocksAreAligned(PetscInt num_species, PetscInt nx, const PetscReal f[])
{
  return (uintptr_t)f % 32 == 0 && nx * num_species % 4 == 0 ? PETSC_TRUE : PETSC_FALSE;
}

/* Residual of a row, written to f. num_species - at most SORET_FEW */
void SoretBlocksResidual(PetscInt num_species, SoretBlocks kind, const SoretBlockRow *row, const PetscReal c[], PetscReal f[]);

/* Newton's correction of every second cell from begin on before end: c and u are changed, and the amounts in these cells added to content. */
void SoretBlocksCorrect(PetscInt num_species, SoretBlocks kind, const SoretBlockRow *row, PetscInt begin, PetscInt end, PetscReal c[], PetscReal u[], PetscReal content[]);

/* Adds what the row contributes to the squares. kind - SORET_BLOCKS_FACES or SORET_BLOCKS_UNIFORM; volume in both. PETSC_FALSE: more sums than there is room for, nothing is added. */
PetscBool SoretBlocksAddSquares(PetscInt num_species, SoretBlocks kind, const SoretBlockRow *row, const PetscReal c[], SoretSquares *squares);

/* Net source, and sum over reactions of |nu| (forward + backward rate), integrated over the cells. */
void SoretBlocksGross(PetscInt num_species, const SoretBlockRow *row, const PetscReal c[], PetscReal net[], PetscReal gross[]);

/* Adds the sum over nx cells of volume times c of each species. num_species - at most SORET_FEW */
void SoretBlocksContent(PetscInt num_species, PetscInt nx, const PetscReal volume[], const PetscReal c[], PetscReal content[]);
