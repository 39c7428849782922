/* SPDX-License-Identifier: BSD-2-Clause

   What the files of the module operator share. */
#pragma once

#include "soret/operator.h"

#include "kernel.h"

/* Entry of the arrays g[axis], w[axis] for the lower face of cell ijk (local indices). */
static inline PetscInt SoretFaceIndex(const SoretGrid *grid, int axis, const PetscInt ijk[3])
{
  const PetscInt nx = grid->count[0] + (axis == 0), ny = grid->count[1] + (axis == 1);

  return (ijk[2] * ny + ijk[1]) * nx + ijk[0];
}

/* Rate constants that vary, of a row: [num_slots][cells]. There may be more of them than PetscInt counts. */
static inline PetscReal *SoretConstantsOfRow(const SoretOperator *op, PetscInt row)
{
  return op->k + (size_t)row * (size_t)(op->num_slots * op->grid->count[0]);
}

/* Conductance a A/d of the lower face of cell ijk (local indices), normal to an axis, where a is the same everywhere; 0 for a wall. */
static inline PetscReal SoretUniformConductance(const SoretOperator *op, int axis, const PetscInt ijk[3], PetscInt s)
{
  const SoretGrid *grid      = op->grid;
  const PetscInt   global[3] = {grid->start[0] + ijk[0], grid->start[1] + ijk[1], grid->start[2] + ijk[2]}, face = global[axis];

  if (!grid->periodic[axis] && (face == 0 || face == grid->n[axis])) return 0.0;
  return op->a_constant[s] * SoretGridFaceArea(grid, axis, global) / grid->distance[axis][face];
}

/* Conductance of a face of cell ijk (local indices) for species s, which diffuses; *w gets v/b, 0 without a velocity. */
static inline PetscReal SoretFaceConductance(const SoretOperator *op, int axis, int side, const PetscInt ijk[3], PetscInt s, PetscReal *w)
{
  PetscInt above[3] = {ijk[0], ijk[1], ijk[2]}, f;

  above[axis] += side;
  *w = 0.0;
  if (op->uniform) return SoretUniformConductance(op, axis, above, s);
  f = SoretFaceIndex(op->grid, axis, above) * op->num_species + s;
  if (op->w[axis]) *w = op->w[axis][f];
  return op->g[axis][f];
}

/* ---- what depends on temperature and time alone (caches.c) ---- */

/* Fills b, the rate constants that vary and the mean of D. Collective: a diffusivity or rate constant that cannot be is a message, and SORET_ERR_INPUT. */
PetscErrorCode SoretOperatorFillCells(SoretOperator *op);

/* Conductances of all faces; with a velocity also v/b, and the conductance fitted to it. Collective. */
PetscErrorCode SoretOperatorFillConductances(SoretOperator *op);

/* Conductances fitted to the velocities. */
void SoretOperatorFitConductances(SoretOperator *op);

/* Values of a cell with local indices ijk, which may lie in the first layer beyond a face of this rank; NULL beyond a wall. The halo must hold
   the layers of x. */
const PetscReal *SoretCellOrGhost(const SoretOperator *op, const PetscReal *x, const PetscInt ijk[3]);

/* ---- coarser levels (coarse.c) ---- */

/* Makes all caches and wall coefficients from those of the finer operator. Collective. */
PetscErrorCode SoretOperatorAggregate(SoretOperator *op);

/* The same from an operator for the same cells, dealt out to ranks (gather.c). Collective on the ranks of that. */
PetscErrorCode SoretOperatorGather(SoretOperator *op);

/* ---- ballistic transport (ballistic.c) ---- */

/* The stencil of the value at a face for a species of velocity v: cells counted from the one above the face (-2, -1 | 0, 1). */
typedef struct {
  int       up, far, down; /* offsets; far and down only where their weight is not 0 */
  PetscReal weight[3];     /* far, up, down                                          */
  PetscReal d_far, d_near, d_face;
} SoretFaceStencil;

/* The velocity of a ballistic species along an axis at a face, given by its global index, and the stencil; 0, and none, where it does not move, or does not leave
   through the wall that the face is. */
PetscReal SoretStencilOfFace(const SoretOperator *op, PetscInt species, int axis, PetscInt face, SoretFaceStencil *stencil);

/* Flux per area, along the axis, of ballistic species s through the lower (above = 0) or upper (1) face of cell i, mirrors included. */
PetscReal SoretBallisticFaceFlux(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s, int axis, int above);

/* Adds the net outflow of all ballistic species to a row. */
void SoretAddBallisticRow(const SoretOperator *op, const SoretRow *row, PetscReal *f);
