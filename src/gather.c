/* SPDX-License-Identifier: BSD-2-Clause

   Coarse levels with few cells on each rank: the whole grid on every rank. */
#include "operator_private.h"

/* The box of a rank in an array over the grid: its cells, its faces normal to an axis, or its cells at a wall. Returns the number of entries. */
static PetscInt BoxOf(const SoretGrid *grid, SoretGridPart part, PetscMPIInt rank, PetscInt start[3], PetscInt count[3])
{
  PetscInt stride = 1, n = 1;

  for (int axis = 0; axis < 3; axis++) {
    const PetscInt place = rank / stride % grid->cut[axis];
    const PetscBool wall = part.wall >= 0 && part.wall / 2 == axis ? PETSC_TRUE : PETSC_FALSE;

    start[axis] = 0;
    for (PetscInt r = 0; r < place; r++) start[axis] += grid->range[axis][r];
    count[axis] = grid->range[axis][place] + (part.faces == axis ? 1 : 0);
    if (wall) {
      count[axis] = place == (part.wall % 2 ? grid->cut[axis] - 1 : 0) ? 1 : 0;
      start[axis] = 0;
    }
    n *= count[axis];
    stride *= grid->cut[axis];
  }
  return n;
}

PetscErrorCode SoretGridGather(const SoretGrid *grid, SoretGridPart part, PetscInt m, const PetscReal mine[], PetscReal whole[])
{
  PetscMPIInt size, rank, *count, *first;
  PetscInt    start[3], box[3], extent[3], total = 0;
  PetscReal  *all, *from;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(grid->comm, &size));
  PetscCallMPI(MPI_Comm_rank(grid->comm, &rank));
  PetscCall(PetscMalloc2(size, &count, size, &first));
  for (PetscMPIInt r = 0; r < size; r++) {
    const PetscInt n = m * BoxOf(grid, part, r, start, box);

    PetscCall(PetscMPIIntCast(total, &first[r]));
    PetscCall(PetscMPIIntCast(n, &count[r]));
    total += n;
  }
  PetscCall(PetscMalloc1(total, &all));
  PetscCallMPI(MPI_Allgatherv(mine, count[rank], MPIU_REAL, all, count, first, MPIU_REAL, grid->comm));
  for (int axis = 0; axis < 3; axis++) extent[axis] = part.wall >= 0 && part.wall / 2 == axis ? 1 : grid->n[axis] + (part.faces == axis ? 1 : 0);
  from = all;
  for (PetscMPIInt r = 0; r < size; r++) {
    (void)BoxOf(grid, part, r, start, box);
    for (PetscInt k = 0; k < box[2]; k++) {
      for (PetscInt j = 0; j < box[1]; j++, from += box[0] * m) PetscCall(PetscArraycpy(whole + (((start[2] + k) * extent[1] + start[1] + j) * extent[0] + start[0]) * m, from, box[0] * m));
    }
  }
  PetscCall(PetscFree(all));
  PetscCall(PetscFree2(count, first));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rate constants, which lie row by row for the whole grid and for each rank. */
static PetscErrorCode GatherConstants(SoretOperator *op)
{
  const SoretOperator *parts = op->finer;
  const PetscInt       cells = parts->grid->num_cells, nx = parts->grid->count[0], whole_nx = op->grid->count[0];
  PetscReal           *mine, *whole;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(cells, &mine, op->grid->num_cells, &whole));
  for (PetscInt r = 0; r < op->num_slots; r++) {
    for (PetscInt row = 0; row < cells / nx; row++) PetscCall(PetscArraycpy(mine + row * nx, SoretConstantsOfRow(parts, row) + r * nx, nx));
    PetscCall(SoretGridGather(parts->grid, SORET_GRID_CELLS, 1, mine, whole));
    for (PetscInt row = 0; row < op->grid->num_cells / whole_nx; row++) PetscCall(PetscArraycpy(SoretConstantsOfRow(op, row) + r * whole_nx, whole + row * whole_nx, whole_nx));
  }
  PetscCall(PetscFree2(mine, whole));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorGather(SoretOperator *op)
{
  const SoretOperator *parts = op->finer;
  const SoretGrid     *grid  = parts->grid;
  const PetscInt       ns    = op->num_species;

  PetscFunctionBegin;
  PetscCall(SoretGridGather(grid, SORET_GRID_CELLS, ns, parts->b, op->b));
  PetscCall(GatherConstants(op));
  if (op->volume) PetscCall(SoretGridGather(grid, SORET_GRID_CELLS, 1, parts->volume, op->volume));
  for (int axis = 0; axis < grid->dim && !op->uniform; axis++) {
    const SoretGridPart faces = {.faces = axis, .wall = -1};

    PetscCall(SoretGridGather(grid, faces, ns, parts->g_diffusive[axis], op->g_diffusive[axis]));
    if (!op->w[axis]) continue;
    PetscCall(SoretGridGather(grid, faces, ns, parts->w[axis], op->w[axis]));
    PetscCall(SoretGridGather(grid, faces, ns, parts->g[axis], op->g[axis]));
  }
  for (int face = 0; face < 2 * grid->dim; face++) {
    const SoretGridPart wall = {.faces = -1, .wall = face};

    if (!op->boundary->num[face]) continue;
    PetscCall(SoretGridGather(grid, wall, ns, parts->boundary->alpha[face], op->boundary->alpha[face]));
    PetscCall(SoretGridGather(grid, wall, ns, parts->boundary->beta[face], op->boundary->beta[face]));
    PetscCall(SoretGridGather(grid, wall, ns, parts->boundary->mirror[face], op->boundary->mirror[face]));
  }
  PetscCall(PetscArraycpy(op->mean_D, parts->mean_D, ns));
  PetscFunctionReturn(PETSC_SUCCESS);
}
