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

/* Values of the cells on one side of those of the row along an axis, as one row; of the cells themselves beyond a wall. */
static const PetscReal *RowBeside(const SoretAround *a, const SoretHalo *halo, const PetscReal *value, int axis, int side, PetscReal *buffer)
{
  const PetscInt   n = a->op->grid->count[0], dof = halo->dof, inner = (n - 1) * dof;
  const PetscReal *own       = value + a->row->first * dof;
  PetscInt         beside[3] = {0, a->row->j, a->row->k};

  if (axis) {
    beside[axis] += side ? 1 : -1;
    return SoretHaloEntries(halo, value, beside);
  }
  beside[0] = side ? n : -1;
  (void)memcpy(buffer + (side ? 0 : dof), side ? own + dof : own, (size_t)inner * sizeof(PetscReal));
  (void)memcpy(buffer + (side ? inner : 0), SoretHaloEntries(halo, value, beside), (size_t)dof * sizeof(PetscReal));
  return buffer;
}

SoretFaces SoretFacesOf(const SoretAround *a, int axis, int side, PetscBool moves)
{
  const SoretTemperature *temperature = a->op->temperature;
  const PetscInt          first = a->row->first, ns = a->op->num_species;
  SoretFaces              faces = {.n = a->op->grid->count[0], .g = a->g[2 * axis + side], .w = moves ? a->w[2 * axis + side] : NULL};

  faces.c[1 - side] = a->c + first * ns;
  faces.b[1 - side] = a->b + first * ns;
  faces.T[1 - side] = temperature->T + first;
  faces.c[side]     = RowBeside(a, &a->halo_c, a->c, axis, side, a->beside[0]);
  faces.b[side]     = RowBeside(a, &a->halo_b, a->b, axis, side, a->beside[1]);
  faces.T[side]     = RowBeside(a, &temperature->halo, temperature->T, axis, side, a->beside[2]);
  return faces;
}

PetscBool SoretFaceIsOpen(const SoretOperator *op, const PetscReal g[])
{
  PetscBool diffuses = PETSC_FALSE;

  for (PetscInt s = 0; s < op->num_species; s++) {
    if (g[s] > 0.0) return PETSC_TRUE;
    diffuses = diffuses || op->model->species[s].diffuses ? PETSC_TRUE : PETSC_FALSE;
  }
  return diffuses ? PETSC_FALSE : PETSC_TRUE;
}

/* ---- a sum and its parts ---- */

SoretPartRows SoretPartRowsIn(PetscReal work[], PetscInt n)
{
  return (SoretPartRows){.whole = work, .mean = work + n, .over_lo = work + 2 * n, .over_hi = work + 3 * n, .D = work + 4 * n, .chemical = work + 5 * n, .diffusivity = work + 6 * n, .intrinsic = work + 7 * n, .diffusive = work + 8 * n, .carried = work + 9 * n};
}

/* The sum itself, and nothing of its parts so far. */
INLINED void BeginParts(const PetscInt ns, const SoretFaces *f, const PetscReal *restrict w, const SoretPartRows *rows)
{
  const PetscReal *restrict c_lo = f->c[0], *restrict c_hi = f->c[1];
  const SoretPartRows r = *rows;

  SORET_PRAGMA(omp simd)
  for (PetscInt i = 0; i < f->n; i++) {
    PetscReal lo = 0.0, hi = 0.0;

    for (PetscInt s = 0; s < ns; s++) {
      lo += w[s] * c_lo[i * ns + s];
      hi += w[s] * c_hi[i * ns + s];
    }
    r.whole[i]   = lo - hi;
    r.mean[i]    = lo * hi > 0.0 ? 0.5 * (lo + hi) : 0.0;
    r.over_lo[i] = 1.0 / lo;
    r.over_hi[i] = 1.0 / hi;
    r.D[i] = r.chemical[i] = r.diffusivity[i] = r.intrinsic[i] = r.diffusive[i] = r.carried[i] = 0.0;
  }
}

/* What b does across the faces, as the difference of D^alpha and of exp(Theta). */
static void AddDrift(const SoretSpecies *species, PetscInt ns, PetscInt s, const SoretFaces *f, PetscReal w, const SoretPartRows *rows)
{
  for (PetscInt i = 0; i < f->n; i++) {
    const PetscInt  q  = i * ns + s;
    const PetscReal gc = w * f->g[q] * 0.5 * (f->c[0][q] + f->c[1][q]);
    PetscReal       e[2], D[2];

    if (gc == 0.0) continue;
    for (int side = 0; side < 2; side++) {
      e[side] = exp(SoretIntegralEvaluate(species->theta, f->T[side][i]));
      D[side] = f->b[side][q] / e[side];
    }
    rows->diffusivity[i] += gc * 0.5 * (e[0] + e[1]) * (D[1] - D[0]);
    rows->intrinsic[i] += gc * 0.5 * (D[0] + D[1]) * (e[1] - e[0]);
  }
}

/* A species at a time, so that faces are treated side by side. */
INLINED void AddSpecies(const PetscInt ns, const SoretOperator *op, const SoretFaces *f, const PetscReal *restrict w, const SoretPartRows *rows)
{
  const PetscReal *restrict c_lo = f->c[0], *restrict c_hi = f->c[1], *restrict b_lo = f->b[0], *restrict b_hi = f->b[1], *restrict g = f->g;
  const SoretPartRows r = *rows;

  for (PetscInt s = 0; s < ns; s++) {
    const PetscReal plain = op->model->species[s].theta ? 0.0 : 1.0;

    SORET_PRAGMA(omp simd)
    for (PetscInt i = 0; i < f->n; i++) {
      const PetscInt  q  = i * ns + s;
      const PetscReal wg = w[s] * g[q], b = 0.5 * (b_lo[q] + b_hi[q]), c = 0.5 * (c_lo[q] + c_hi[q]), p_lo = c_lo[q] * r.over_lo[i], p_hi = c_hi[q] * r.over_hi[i];

      r.D[i] += wg * b * 0.5 * (p_lo + p_hi);
      r.chemical[i] += wg * b * (p_hi - p_lo);
      r.diffusivity[i] += plain * wg * c * (b_hi[q] - b_lo[q]);
      r.diffusive[i] += SoretFaceFlux(wg, b_lo[q] * c_lo[q], b_hi[q] * c_hi[q]);
    }
    if (op->model->species[s].theta) AddDrift(&op->model->species[s], ns, s, f, w[s], rows);
    for (PetscInt i = 0; i < f->n && f->w; i++) r.carried[i] += w[s] * 0.5 * f->w[i * ns + s] * (b_lo[i * ns + s] * c_lo[i * ns + s] + b_hi[i * ns + s] * c_hi[i * ns + s]);
  }
}

SORET_CLONES void SoretPartsOf(const SoretOperator *op, const SoretFaces *f, const PetscReal w[], const SoretPartRows *rows)
{
  const PetscInt ns = op->num_species;

  BY_SPECIES(BeginParts, ns, f, w, rows);
  BY_SPECIES(AddSpecies, ns, op, f, w, rows);
  for (PetscInt i = 0; i < f->n && op->grid->closed; i++) {
    if (!SoretFaceIsOpen(op, f->g + i * ns)) rows->mean[i] = 0.0;
  }
}

void SoretAddParts(PetscInt n, const PetscReal *restrict shape, const SoretPartRows *rows, PetscReal part[SORET_NUM_PARTS])
{
  const SoretPartRows r     = *rows;
  PetscReal           whole = 0.0, chemical = 0.0, diffusivity = 0.0, intrinsic = 0.0, transport = 0.0, velocity = 0.0;

  SORET_SUM(whole, chemical, diffusivity, intrinsic, transport, velocity)
  for (PetscInt i = 0; i < n; i++) {
    const PetscBool known = r.mean[i] != 0.0 ? PETSC_TRUE : PETSC_FALSE;
    PetscReal       at[SORET_NUM_PARTS];

    SoretPartsAt(&r, i, at);
    whole += known ? shape[i] * at[SORET_PART_WHOLE] : 0.0;
    chemical += known ? shape[i] * at[SORET_PART_CHEMICAL] : 0.0;
    diffusivity += known ? shape[i] * at[SORET_PART_DIFFUSIVITY] : 0.0;
    intrinsic += known ? shape[i] * at[SORET_PART_INTRINSIC] : 0.0;
    transport += known ? shape[i] * at[SORET_PART_TRANSPORT] : 0.0;
    velocity += known ? shape[i] * at[SORET_PART_VELOCITY] : 0.0;
  }
  part[SORET_PART_WHOLE] += whole;
  part[SORET_PART_CHEMICAL] += chemical;
  part[SORET_PART_DIFFUSIVITY] += diffusivity;
  part[SORET_PART_INTRINSIC] += intrinsic;
  part[SORET_PART_TRANSPORT] += transport;
  part[SORET_PART_VELOCITY] += velocity;
}
