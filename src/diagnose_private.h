/* SPDX-License-Identifier: BSD-2-Clause

   What the files of the module diagnose share. */
#pragma once

#include <math.h>

#include "soret/diagnose.h"

#define SORET_LOG_NEAR 0.0064 /* largest z^2 for which the series below is exact to rounding */

/* ln(a/b) as a series in z = (a - b)/(a + b). */
static inline PetscReal SoretLogSeries(PetscReal z)
{
  const PetscReal q = z * z;

  return 2.0 * z * (1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q * (1.0 / 13.0)))))));
}

/* ln(a/b), to the last digits where a and b are close; 0 where both vanish. */
static inline PetscReal SoretLogRatio(PetscReal a, PetscReal b)
{
  const PetscReal z = (a - b) / (a + b);

  if (a == b) return 0.0;
  if (z * z < SORET_LOG_NEAR) return SoretLogSeries(z);
  return a < 0.0 || b < 0.0 ? 0.0 : log(a / b); /* below 0 is an error of a step in time, beside which what is exchanged is as little */
}

/* Entropy production of n exchanges side by side, each of lo to and hi fro times g: the sum of g (lo - hi) ln(lo/hi). Entries with g = 0 count as
   nothing.

   w        - or NULL: a velocity carries w (lo + hi)/2 besides, which adds -w (lo + hi)/2 ln(lo/hi) to *velocity
   scale    - the sum of g (lo + hi) is added, the size of which rounding is a part; may be NULL, like velocity without w */
PetscReal SoretEntropyOfRow(PetscInt n, const PetscReal g[], const PetscReal w[], const PetscReal lo[], const PetscReal hi[], PetscReal *scale, PetscReal *velocity);

/* Reactions in the cells of a row, of each volume times the net rate.

   volume         - [count[0]], work
   amount         - [num_reactions][2][count[0]]: the first of the two rows of each reaction gets what is asked for, the second is work
   entropy, scale - what the reactions produce, and the sum of volume (forward + backward), are added; may be NULL */
void SoretReactionsOfRow(SoretOperator *op, const SoretRow *row, PetscReal volume[], PetscReal amount[], PetscReal *entropy, PetscReal *scale);

/* Entropy that diffusion of species s produces in cell i of a row between walls, or solid, and its centre, as in the halves of cells beside other faces. Where a velocity passes or leans on the
   wall it is that of what diffuses at the centre: layers thinner than half a cell are not seen. A wall that holds next to nothing, where it is infinite, does not count.

   boundary - or NULL: what comes in gets entropy from the wall to the centre, which is added */
PetscReal SoretEntropyAtWalls(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s, PetscReal *boundary);

/* Adds what a reaction makes and uses up in n places to source[n][num_species]; amount - [n]. */
void SoretAddReaction(const SoretReaction *reaction, PetscInt n, PetscInt num_species, const PetscReal amount[], PetscReal source[]);

/* Is the face on one side of a cell (global index along the axis) a wall? */
static inline PetscBool SoretIsWall(const SoretGrid *grid, int axis, int side, PetscInt index)
{
  return !grid->periodic[axis] && index == (side ? grid->n[axis] - 1 : 0) ? PETSC_TRUE : PETSC_FALSE;
}

/* The same for a wall that something may pass, or that a velocity leans on: ballistic species change their direction at any. */
static inline PetscBool SoretIsPassed(const SoretOperator *op, int axis, int side, PetscInt index)
{
  return SoretIsWall(op->grid, axis, side, index) && (op->boundary->num[2 * axis + side] || op->width > 1 || op->w[axis]) ? PETSC_TRUE : PETSC_FALSE;
}

/* The first cell of a row, from cell i on, that may be at such a wall or at solid that velocities lean on; the number of cells if there is none. */
static inline PetscInt SoretCellAtWall(const SoretOperator *op, const SoretRow *row, PetscInt i)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   last = grid->count[0] - 1;

  if (grid->closed && (op->w[0] || op->w[1] || op->w[2])) return i; /* velocities lean on solid as well */
  for (int axis = 1; axis < grid->dim; axis++) {
    const PetscInt index = grid->start[axis] + (axis == 1 ? row->j : row->k);

    if (SoretIsPassed(op, axis, 0, index) || SoretIsPassed(op, axis, 1, index)) return i;
  }
  if (i == 0 && SoretIsPassed(op, 0, 0, grid->start[0])) return i;
  return i <= last && SoretIsPassed(op, 0, 1, grid->start[0] + last) ? last : last + 1;
}
