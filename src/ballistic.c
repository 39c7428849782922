/* SPDX-License-Identifier: BSD-2-Clause */
#include "operator_private.h"

static PetscBool IsWall(const SoretGrid *grid, int axis, PetscInt face)
{
  return !grid->periodic[axis] && (face == 0 || face == grid->n[axis]) ? PETSC_TRUE : PETSC_FALSE;
}

/* Does the condition at a wall let a ballistic species leave by its own face value? */
static PetscBool LeavesThroughWall(const SoretOperator *op, PetscInt s, int axis, int side)
{
  const SoretConditionKind kind = SoretBoundaryCondition(op->boundary->spec, 2 * axis + side, s)->kind;

  return op->model->species[s].mirror[axis] >= 0 || SoretConditionLetsLeave(kind) ? PETSC_TRUE : PETSC_FALSE;
}

PetscReal SoretStencilOfFace(const SoretOperator *op, PetscInt species, int axis, PetscInt face, SoretFaceStencil *stencil)
{
  const SoretGrid *grid     = op->grid;
  const PetscInt   n        = grid->n[axis];
  const PetscReal  v        = op->model->species[species].moves[axis] ? op->model->species[species].velocity.value[axis] : 0.0;
  const PetscInt   far_face = v > 0.0 ? face - 1 : face + 1; /* the face between far and upwind cell */
  SoretFaceStencil s        = {.up = v > 0.0 ? -1 : 0, .far = v > 0.0 ? -2 : 1, .down = v > 0.0 ? 0 : -1};

  if (v == 0.0 || (IsWall(grid, axis, face) && ((v > 0.0) != (face > 0) || !LeavesThroughWall(op, species, axis, face > 0)))) return 0.0;
  if (grid->periodic[axis]) {
    s.d_far  = grid->distance[axis][(far_face % n + n) % n];
    s.d_near = grid->distance[axis][face % n];
  } else {
    s.d_far  = far_face > 0 && far_face < n ? grid->distance[axis][far_face] : 0.0;
    s.d_near = face > 0 && face < n ? grid->distance[axis][face] : 0.0;
  }
  s.d_face = 0.5 * grid->width[axis][((face + s.up) % n + n) % n];
  SoretBallisticWeights(s.d_far, s.d_near, s.d_face, s.weight);
  *stencil = s;
  return v;
}

/* Flux per area, along the axis, of ballistic species s through the face below the cell that the rows point at with offset `above`
   (0: lower face of cell i, 1: its upper face). Outgoing fluxes at walls included; incoming ones are those of the mirror or the boundary. */
static PetscReal BallisticFlux(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s, int axis, int above)
{
  const PetscInt   q = i * op->num_species + s, at[3] = {i, row->j, row->k};
  SoretFaceStencil stencil;
  PetscReal        far, up, down;
  const PetscReal  v = SoretStencilOfFace(op, s, axis, op->grid->start[axis] + at[axis] + above, &stencil);

  if (v == 0.0) return 0.0;
  up   = row->u[axis][2 + above + stencil.up][q];
  far  = stencil.d_far > 0.0 ? row->u[axis][2 + above + stencil.far][q] : 0.0;
  down = stencil.d_near > 0.0 ? row->u[axis][2 + above + stencil.down][q] : 0.0;
  return v * SoretBallisticValue(stencil.weight, stencil.d_far, stencil.d_near, stencil.d_face, far, up, down, op->limited);
}

PetscReal SoretBallisticFaceFlux(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s, int axis, int above)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   at[3] = {i, row->j, row->k}, face = grid->start[axis] + at[axis] + above, mirror = op->model->species[s].mirror[axis];
  PetscReal        flux = BallisticFlux(op, row, i, s, axis, above);

  /* at a wall the outgoing flux of the mirror enters as this species */
  if (mirror >= 0 && IsWall(grid, axis, face)) flux -= BallisticFlux(op, row, i, mirror, axis, above);
  return flux;
}

void SoretAddBallisticRow(const SoretOperator *op, const SoretRow *row, PetscReal *f)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;

  for (PetscInt s = 0; s < ns; s++) {
    const SoretSpecies *species = &op->model->species[s];

    if (species->diffuses) continue;
    for (int axis = 0; axis < grid->dim; axis++) {
      if (!species->moves[axis]) continue;
      for (PetscInt i = 0; i < grid->count[0]; i++) {
        PetscInt ijk[3];

        SoretOperatorCell(op, row, i, ijk);
        f[i * ns + s] += SoretGridFaceArea(grid, axis, ijk) * (SoretBallisticFaceFlux(op, row, i, s, axis, 1) - SoretBallisticFaceFlux(op, row, i, s, axis, 0));
      }
    }
  }
}

