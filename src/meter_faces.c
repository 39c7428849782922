/* SPDX-License-Identifier: BSD-2-Clause */
#include "meter_faces.h"

#include "kernel.h"

const char *SoretPartName(SoretPart part)
{
  static const char *const names[SORET_NUM_PARTS] = {"soret", "chemical", "diffusivity", "intrinsic", "transport", "velocity"};

  return names[part];
}

PetscErrorCode SoretAroundCreate(SoretOperator *op, Vec x, SoretAround *a)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   m    = grid->count[0] * op->num_species;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(a, sizeof(*a)));
  a->op = op;
  a->b  = SoretOperatorScales(op);
  PetscCall(VecGetArrayRead(x, &a->c));
  PetscCall(SoretHaloCreate(grid, op->num_species, 1, &a->halo_c));
  PetscCall(SoretHaloCreate(grid, op->num_species, 1, &a->halo_b));
  PetscCall(SoretHaloExchange(&a->halo_c, a->c));
  PetscCall(SoretHaloExchange(&a->halo_b, a->b));
  PetscCall(PetscMalloc1(15 * m, &a->work));
  for (int face = 0; face < 6; face++) {
    a->g[face] = a->work + face * m;
    a->w[face] = a->work + (6 + face) * m;
  }
  for (int k = 0; k < 3; k++) a->beside[k] = a->work + (12 + k) * m;
  if (!grid->closed) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(grid->num_cells, &a->closed));
  for (PetscInt p = 0; p < grid->num_cells; p++) a->closed[p] = grid->closed[p];
  PetscCall(SoretHaloCreate(grid, 1, 1, &a->halo_closed));
  PetscCall(SoretHaloExchange(&a->halo_closed, a->closed));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretAroundDestroy(SoretAround *a, Vec x)
{
  PetscFunctionBegin;
  PetscCall(VecRestoreArrayRead(x, &a->c));
  PetscCall(SoretHaloDestroy(&a->halo_c));
  PetscCall(SoretHaloDestroy(&a->halo_b));
  PetscCall(SoretHaloDestroy(&a->halo_closed));
  PetscCall(PetscFree(a->closed));
  PetscCall(PetscFree(a->work));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscBool SoretLoadFaces(SoretAround *a, int axis, int side)
{
  const PetscInt  m     = a->op->grid->count[0] * a->op->num_species;
  const int       face  = 2 * axis + side;
  const PetscBool moves = SoretOperatorFaceRow(a->op, a->row, axis, side, a->g[face], a->w[face]);

  if (!moves) (void)memset(a->w[face], 0, (size_t)m * sizeof(PetscReal));
  return moves;
}

PetscBool SoretFaceOf(const SoretAround *a, PetscInt i, int axis, int side, SoretFace *face)
{
  const SoretOperator *op   = a->op;
  const SoretGrid     *grid = op->grid;
  const PetscInt       ns = op->num_species, at[3] = {i, a->row->j, a->row->k};
  PetscInt             ijk[3], cell[3]             = {i, a->row->j, a->row->k};

  SoretOperatorCell(op, a->row, i, ijk);
  if (SoretIsWall(grid, axis, side, ijk[axis])) return PETSC_FALSE;
  for (int s = 0; s < 2; s++) {
    cell[axis] = at[axis] + side + s - 1;
    face->c[s] = SoretHaloEntries(&a->halo_c, a->c, cell);
    face->b[s] = SoretHaloEntries(&a->halo_b, a->b, cell);
    face->T[s] = SoretHaloValue(&op->temperature->halo, op->temperature->T, cell);
  }
  face->g        = a->g[2 * axis + side] + i * ns;
  face->w        = a->w[2 * axis + side] + i * ns;
  face->distance = grid->distance[axis][ijk[axis] + side];
  face->shape    = SoretGridFaceArea(grid, axis, ijk) / face->distance;
  return PETSC_TRUE;
}

PetscBool SoretFaceIsOpen(const SoretOperator *op, const SoretFace *face)
{
  PetscBool diffuses = PETSC_FALSE;

  for (PetscInt s = 0; s < op->num_species; s++) {
    if (face->g[s] > 0.0) return PETSC_TRUE;
    diffuses = diffuses || op->model->species[s].diffuses ? PETSC_TRUE : PETSC_FALSE;
  }
  return diffuses ? PETSC_FALSE : PETSC_TRUE;
}

/* exp(Theta) of a species with intrinsic drift in the cells of a face. */
static void DriftFactors(const SoretSpecies *species, const PetscReal T[2], PetscReal e[2])
{
  for (int s = 0; s < 2; s++) e[s] = exp(SoretIntegralEvaluate(species->theta, T[s]));
}

PetscBool SoretPartsOf(const SoretOperator *op, const SoretFace *face, const PetscReal w[], PetscReal part[SORET_NUM_PARTS])
{
  const PetscInt  ns = op->num_species;
  const PetscReal lo = SoretSumOf(ns, w, face->c[0]), hi = SoretSumOf(ns, w, face->c[1]), mean = 0.5 * (lo + hi), over_lo = 1.0 / lo, over_hi = 1.0 / hi;
  PetscReal       D = 0.0, chemical = 0.0, diffusivity = 0.0, intrinsic = 0.0, diffusive = 0.0, carried = 0.0, over_D;

  if (!(lo * hi > 0.0)) return PETSC_FALSE;
  part[SORET_PART_WHOLE] = lo - hi;
  for (PetscInt s = 0; s < ns; s++) {
    const PetscReal c_lo = face->c[0][s], c_hi = face->c[1][s], b_lo = face->b[0][s], b_hi = face->b[1][s], g = w[s] * face->g[s];
    const PetscReal b = 0.5 * (b_lo + b_hi), c = 0.5 * (c_lo + c_hi), p_lo = c_lo * over_lo, p_hi = c_hi * over_hi;

    if (g == 0.0) continue;
    D += g * b * 0.5 * (p_lo + p_hi);
    chemical += g * b * (p_hi - p_lo);
    diffusive += SoretFaceFlux(g, b_lo * c_lo, b_hi * c_hi);
    if (face->w) carried += w[s] * 0.5 * face->w[s] * (b_lo * c_lo + b_hi * c_hi);
    if (!op->model->species[s].theta)
      diffusivity += g * c * (b_hi - b_lo);
    else {
      PetscReal e[2];

      DriftFactors(&op->model->species[s], face->T, e);
      diffusivity += g * c * 0.5 * (e[0] + e[1]) * (b_hi / e[1] - b_lo / e[0]);
      intrinsic += g * c * 0.5 * (b_lo / e[0] + b_hi / e[1]) * (e[1] - e[0]);
    }
  }
  over_D                       = 1.0 / D;
  part[SORET_PART_CHEMICAL]    = mean * chemical * over_D;
  part[SORET_PART_DIFFUSIVITY] = diffusivity * over_D;
  part[SORET_PART_INTRINSIC]   = intrinsic * over_D;
  part[SORET_PART_TRANSPORT]   = (diffusive + carried) * over_D;
  part[SORET_PART_VELOCITY]    = -carried * over_D;
  return PETSC_TRUE;
}
