/* SPDX-License-Identifier: BSD-2-Clause */
#include "operator_private.h"

#include <math.h>

/* First fine cell along an axis of a coarse one (local indices), and how many there are. */
static PetscInt FineRange(const SoretOperator *op, int axis, PetscInt coarse, PetscInt *first)
{
  const PetscInt factor = op->coarsened[axis] ? 2 : 1;

  *first = factor * coarse;
  return PetscMin(factor, op->finer->grid->count[axis] - *first);
}

/* Is a fine cell (local indices) part of the fluid of its coarse cell? */
static PetscBool TakesPart(const SoretOperator *op, const PetscInt cell[3])
{
  const SoretGrid *grid = op->finer->grid;
  const PetscInt   p    = SoretGridCellNumber(grid, cell);

  if (op->finer->volume && op->finer->volume[p] == 0.0) return PETSC_FALSE;
  return SoretGridTakesPart(grid, p, cell, op->grid, op->coarsened);
}

/* out = volume over b. */
INLINED void DivideRow(const PetscInt ns, PetscInt nx, const PetscReal *restrict volume, const PetscReal *restrict b, PetscReal *restrict out)
{
  for (PetscInt i = 0; i < nx; i++) {
    for (PetscInt s = 0; s < ns; s++) out[i * ns + s] = volume[i] / b[i * ns + s];
  }
}

/* Volumes of a row of fine cells, without those that take no part. */
static const PetscReal *VolumesThatTakePart(const SoretOperator *op, PetscInt fine_row, PetscReal work[])
{
  const SoretOperator *fine = op->finer;
  const PetscInt       ny = fine->grid->count[1], nx = fine->grid->count[0];
  const PetscReal     *volume = SoretOperatorRowVolumes(fine, fine_row, work);

  if (fine->grid->num_pockets == 1) return volume;
  for (PetscInt i = 0; i < nx; i++) {
    const PetscInt cell[3] = {i, fine_row % ny, fine_row / ny};

    work[i] = TakesPart(op, cell) ? volume[i] : 0.0;
  }
  return work;
}

/* Volumes, volume/b and rate constants of a row of coarse cells from the fine ones. work - [ns + 1][fine cells of a row] and a coarse row */
static void AggregateRow(SoretOperator *op, PetscInt row, PetscReal work[])
{
  const SoretOperator *fine = op->finer;
  const PetscInt       ns = op->num_species, ny = op->grid->count[1], nx = op->grid->count[0], fx = fine->grid->count[0];
  PetscReal           *products = work + fx, *volume = op->volume ? op->volume + row * nx : products + ns * fx, *b = op->b + row * nx * ns, *k = SoretConstantsOfRow(op, row);
  PetscInt             j, k0, nj = FineRange(op, 1, row % ny, &j), nk = FineRange(op, 2, row / ny, &k0);

  memset(volume, 0, (size_t)nx * sizeof(PetscReal));
  memset(b, 0, (size_t)(nx * ns) * sizeof(PetscReal));
  if (op->num_slots) memset(k, 0, (size_t)(nx * op->num_slots) * sizeof(PetscReal));
  for (PetscInt c = 0; c < nj * nk; c++) {
    const PetscInt   fine_row = (k0 + c / nj) * fine->grid->count[1] + j + c % nj;
    const PetscReal *V = VolumesThatTakePart(op, fine_row, work), *fine_k = SoretConstantsOfRow(fine, fine_row);

    SoretKernelAddPairs(1, fx, op->coarsened[0], V, volume);
    BY_SPECIES(DivideRow, ns, fx, V, fine->b + fine_row * fx * ns, products);
    BY_SPECIES(SoretKernelAddPairs, ns, fx, op->coarsened[0], products, b);
    for (PetscInt r = 0; r < op->num_slots; r++) {
      SoretKernelScaleRow(fx, V, fine_k + r * fx, products);
      SoretKernelAddPairs(1, fx, op->coarsened[0], products, k + r * nx);
    }
  }
  for (PetscInt i = 0; i < nx; i++) {
    for (PetscInt s = 0; s < ns; s++) b[i * ns + s] = volume[i] > 0.0 ? volume[i] / b[i * ns + s] : 1.0;
    for (PetscInt r = 0; r < op->num_slots && volume[i] > 0.0; r++) k[r * nx + i] /= volume[i];
  }
}

/* Conductance through the face between two fine cells of one coarse cell, side by side along an axis; cell is one of them. 0 where one of them takes
   no part or there is but one. */
static PetscReal InnerConductance(const SoretOperator *op, int axis, const PetscInt cell[3], PetscInt s)
{
  const SoretOperator *fine = op->finer;
  PetscInt             first, beside[3] = {cell[0], cell[1], cell[2]}, face[3] = {cell[0], cell[1], cell[2]};

  if (FineRange(op, axis, cell[axis] / (op->coarsened[axis] ? 2 : 1), &first) < 2) return 0.0;
  beside[axis] = 2 * first + 1 - cell[axis];
  face[axis]   = first + 1;
  if (fine->uniform) return SoretUniformConductance(fine, axis, face, s);
  return TakesPart(op, beside) ? fine->g_diffusive[axis][SoretFaceIndex(fine->grid, axis, face) * op->num_species + s] : 0.0;
}

/* Is there no fluid in the layer of a coarse cell, normal to an axis, that does not hold this fine cell? */
static PetscBool IsLayerBesideEmpty(const SoretOperator *op, int axis, const PetscInt cell[3])
{
  PetscInt first[3], n[3], beside;

  for (int k = 0; k < 3; k++) n[k] = FineRange(op, k, cell[k] / (op->coarsened[k] ? 2 : 1), &first[k]);
  beside      = 2 * first[axis] + 1 - cell[axis];
  first[axis] = beside;
  n[axis]     = 1;
  for (PetscInt c = 0; c < n[0] * n[1] * n[2]; c++) {
    const PetscInt at[3] = {first[0] + c % n[0], first[1] + c / n[0] % n[1], first[2] + c / n[0] / n[1]};

    if (TakesPart(op, at)) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Of the faces of a fine cell. */
static PetscReal LargestConductance(const SoretOperator *op, const PetscInt cell[3], PetscInt s)
{
  const SoretOperator *fine    = op->finer;
  PetscReal            largest = 0.0;

  for (int face = 0; face < 2 * fine->grid->dim; face++) {
    PetscInt at[3] = {cell[0], cell[1], cell[2]};

    at[face / 2] += face % 2;
    largest = PetscMax(largest, fine->g_diffusive[face / 2][SoretFaceIndex(fine->grid, face / 2, at) * op->num_species + s]);
  }
  return largest;
}

/* Resistance from the centre of the coarse cell around a fine one to the outer face of the fine one: half of what joins the two fine cells, nothing
   where there is but one. Where solid lies behind the fine cell: nothing if the whole layer there is solid, since the fluid of the coarse cell is then beside
   the face; else the way leads past the solid, through a cell at the side, or, if there is none, through other coarse cells. */
static PetscReal InnerResistance(const SoretOperator *op, int axis, const PetscInt fine_cell[3], PetscInt s)
{
  PetscReal g, sideways = 0.0;
  PetscInt  first;

  if (op->finer->volume && !TakesPart(op, fine_cell)) return INFINITY;
  if (FineRange(op, axis, fine_cell[axis] / (op->coarsened[axis] ? 2 : 1), &first) < 2) return 0.0;
  g = InnerConductance(op, axis, fine_cell, s);
  if (g > 0.0) return 0.5 / g;
  if (IsLayerBesideEmpty(op, axis, fine_cell)) return 0.0;
  for (int k = 0; k < op->grid->dim; k++) sideways = PetscMax(sideways, k == axis ? 0.0 : InnerConductance(op, k, fine_cell, s));
  return sideways > 0.0 ? 1.0 / sideways : 4.0 / LargestConductance(op, fine_cell, s);
}

/* Conductances through the coarse faces normal to an axis: along each line of fine cells in series, the lines side by side. Velocities add up. */
static PetscErrorCode AggregateFaces(SoretOperator *op, int axis)
{
  const SoretOperator *fine = op->finer;
  const SoretGrid     *grid = op->grid, *fine_grid = fine->grid;
  const PetscInt       ns = op->num_species, end[3] = {grid->count[0] + (axis == 0), grid->count[1] + (axis == 1), grid->count[2] + (axis == 2)};
  PetscReal           *inner;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(fine_grid->num_cells * ns, &inner));
  for (PetscInt p = 0; p < fine_grid->num_cells; p++) {
    const PetscInt cell[3] = SORET_LOCAL_INDEX(fine_grid, p);

    for (PetscInt s = 0; s < ns; s++) inner[p * ns + s] = InnerResistance(op, axis, cell, s);
  }
  PetscCall(SoretHaloExchange(&((SoretOperator *)fine)->halo, inner));
  for (PetscInt f = 0; f < end[0] * end[1] * end[2]; f++) {
    const PetscInt ijk[3] = {f % end[0], f / end[0] % end[1], f / end[0] / end[1]};
    PetscInt       first[3], n[3];
    PetscReal     *g = op->g_diffusive[axis] + f * ns, *w = op->w[axis] ? op->w[axis] + f * ns : NULL;

    for (int k = 0; k < 3; k++) n[k] = FineRange(op, k, ijk[k], &first[k]);
    first[axis] = PetscMin(first[axis], fine_grid->count[axis]);
    n[axis]     = 1;
    for (PetscInt s = 0; s < ns; s++) {
      g[s] = 0.0;
      if (w) w[s] = 0.0;
    }
    for (PetscInt line = 0; line < n[0] * n[1] * n[2]; line++) {
      const PetscInt   hi[3] = {first[0] + line % n[0], first[1] + line / n[0] % n[1], first[2] + line / n[0] / n[1]}, face = SoretFaceIndex(fine_grid, axis, hi) * ns;
      PetscInt         lo[3] = {hi[0], hi[1], hi[2]};
      const PetscReal *R_lo, *R_hi;

      lo[axis]--;
      R_lo = SoretCellOrGhost(fine, inner, lo);
      R_hi = SoretCellOrGhost(fine, inner, hi);
      for (PetscInt s = 0; s < ns && R_lo && R_hi; s++) {
        if (fine->g_diffusive[axis][face + s] > 0.0) g[s] += 1.0 / (1.0 / fine->g_diffusive[axis][face + s] + R_lo[s] + R_hi[s]);
        if (w && (grid->num_pockets == 1 || !isinf(R_lo[s] + R_hi[s]))) w[s] += fine->w[axis][face + s];
      }
    }
  }
  PetscCall(PetscFree(inner));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The condition at a coarse wall cell: inflow = A (outside - u) of each fine cell with the resistance to the coarse centre in series. What a
   velocity carries out is simply added, and so is what a species brings that reacts: on its way to the centre it may go as another one, and a coarse grid that
   made it go alone would ask for several times the correction. */
static void AggregateWall(SoretOperator *op, int face, PetscInt q)
{
  const SoretOperator *fine = op->finer;
  SoretBoundary       *boundary = op->boundary;
  const PetscInt       ns = op->num_species;
  const int            axis = face / 2;
  PetscInt             ijk[3], first[3], n[3], p;

  SoretBoundaryCell(op->grid, face, q, ijk);
  p = SoretGridCellNumber(op->grid, ijk);
  for (int k = 0; k < 3; k++) n[k] = FineRange(op, k, ijk[k], &first[k]);
  first[axis] = face % 2 ? fine->grid->count[axis] - 1 : 0;
  n[axis]     = 1;
  for (PetscInt s = 0; s < ns; s++) {
    const PetscBool alone = !op->w[axis] && !op->model->species[s].moves[axis] && !SoretNetworkChanges(&op->model->network, s) ? PETSC_TRUE : PETSC_FALSE;
    PetscReal       alpha = 0.0, beta = 0.0, mirror = 0.0;

    for (PetscInt line = 0; line < n[0] * n[1] * n[2]; line++) {
      const PetscInt  cell[3] = {first[0] + line % n[0], first[1] + line / n[0] % n[1], first[2] + line / n[0] / n[1]};
      const PetscInt  wall = SoretOperatorWall(fine, face, cell) + s;
      const PetscBool out  = op->grid->num_pockets > 1 && !TakesPart(op, cell) ? PETSC_TRUE : PETSC_FALSE;
      const PetscReal A = fine->boundary->alpha[face][wall] / fine->b[SoretGridCellNumber(fine->grid, cell) * ns + s];
      const PetscReal share = A > 0.0 && alone ? 1.0 / (1.0 + A * InnerResistance(op, axis, cell, s)) : 1.0;

      alpha += out ? 0.0 : share * A;
      beta += out ? 0.0 : share * fine->boundary->beta[face][wall];
      mirror += fine->boundary->mirror[face][wall] / (PetscReal)(n[0] * n[1] * n[2]);
    }
    boundary->alpha[face][q * ns + s]  = alpha * op->b[p * ns + s];
    boundary->beta[face][q * ns + s]   = beta;
    boundary->mirror[face][q * ns + s] = mirror;
  }
}

PetscErrorCode SoretOperatorAggregate(SoretOperator *op)
{
  const SoretGrid *grid = op->grid;
  PetscReal       *work;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((op->num_species + 1) * op->finer->grid->count[0] + grid->count[0], &work));
  for (PetscInt row = 0; row < grid->count[1] * grid->count[2]; row++) AggregateRow(op, row, work);
  PetscCall(PetscFree(work));
  for (int axis = 0; axis < grid->dim && !op->uniform; axis++) PetscCall(AggregateFaces(op, axis));
  SoretOperatorFitConductances(op);
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < op->boundary->num[face]; q++) AggregateWall(op, face, q);
  }
  PetscCall(PetscArraycpy(op->mean_D, op->finer->mean_D, op->num_species));
  PetscFunctionReturn(PETSC_SUCCESS);
}
