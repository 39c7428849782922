/* SPDX-License-Identifier: BSD-2-Clause */
#include "operator_private.h"

/* Layers of neighbours along an axis that the transport of species s reaches. */
static PetscInt Reach(const SoretOperator *op, PetscInt s, int axis)
{
  const SoretSpecies *species = &op->model->species[s];

  return axis >= op->grid->dim ? 0 : species->diffuses ? 1 : species->moves[axis] ? 2 : 0;
}

/* Couplings inside a cell, inside[i][j]: row i depends on column j. */
static void FillCouplings(const SoretOperator *op, const PetscReal extra[], PetscInt inside[])
{
  const SoretNetwork *net = &op->model->network;
  const PetscInt      ns  = op->num_species;

  for (PetscInt r = 0; r < net->num_reactions; r++) {
    const SoretFactors *side[2] = {&net->reaction[r].reactants, &net->reaction[r].products};

    for (int a = 0; a < 4; a++) { /* rates depend on both sides, and change both sides */
      for (PetscInt i = 0; i < side[a / 2]->num; i++)
        for (PetscInt j = 0; j < side[a % 2]->num; j++) inside[side[a / 2]->species[i] * ns + side[a % 2]->species[j]] = 1;
    }
  }
  for (PetscInt i = 0; i < ns; i++) {
    inside[i * ns + i] = 1;
    for (int axis = 0; axis < 3; axis++) {
      if (op->model->species[i].mirror[axis] >= 0) inside[i * ns + op->model->species[i].mirror[axis]] = 1;
    }
    for (PetscInt j = 0; extra && j < ns; j++) inside[i * ns + j] |= extra[i * ns + j] != 0.0;
  }
}

/* Columns of the row of species s in cell `local` (indices of this rank): in the cell itself, and across faces, where those of
   other ranks are counted apart. Walls end the stencil; a mirror couples through the wall's face to the cells inside. */
static void ListColumns(const SoretOperator *op, const PetscInt inside[], const PetscInt local[3], PetscInt s, PetscMPIInt rank, PetscInt *num, PetscInt *num_off, MatStencil column[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  const MatStencil here = {.i = grid->start[0] + local[0], .j = grid->start[1] + local[1], .k = grid->start[2] + local[2]};

  *num = *num_off = 0;
  for (PetscInt j = 0; j < ns; j++) {
    if (!inside[s * ns + j]) continue;
    column[*num]        = here;
    column[(*num)++].c  = j;
  }
  for (int axis = 0; axis < grid->dim; axis++) {
    for (PetscInt d = -Reach(op, s, axis); d <= Reach(op, s, axis); d++) {
      const PetscInt  to = local[axis] + d, mirror = op->model->species[s].mirror[axis];
      const PetscBool outside = to < 0 || to >= grid->count[axis] ? PETSC_TRUE : PETSC_FALSE;

      if (d == 0 || (outside && op->halo.neighbor[axis][d > 0] == MPI_PROC_NULL)) continue;
      for (int which = 0; which < (mirror >= 0 ? 2 : 1); which++) {
        MatStencil *m = &column[(*num)++];

        *m = here;
        *(axis == 0 ? &m->i : axis == 1 ? &m->j : &m->k) += d;
        m->c = which ? mirror : s;
        if (outside && op->halo.neighbor[axis][d > 0] != rank) (*num_off)++;
      }
    }
  }
}

/* The pattern is our own: DMCreateMatrix() of PETSc 3.18 refuses periodic boxes whose cells are no multiple of the stencil, and lacks
   the compact pattern for the wide stencil in one dimension. */
PetscErrorCode SoretOperatorCreateMatrix(SoretOperator *op, const PetscReal extra[], Mat *J)
{
  const SoretGrid       *grid = op->grid;
  const PetscInt         ns = op->num_species, rows = grid->num_cells * ns;
  const PetscReal        zero[SORET_MAX_SPECIES + 64] = {0.0};
  MatStencil             column[SORET_MAX_SPECIES + 64];
  ISLocalToGlobalMapping mapping;
  DM                     dm;
  const PetscInt         size = grid->n[0] * grid->n[1] * grid->n[2] * ns;
  PetscInt              *inside, *own, *off, start[3], count[3], num;
  PetscMPIInt            rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(grid->comm, &rank));
  PetscCall(PetscCalloc1(ns * ns, &inside));
  FillCouplings(op, extra, inside);
  PetscCall(MatCreate(grid->comm, J));
  PetscCall(MatSetSizes(*J, rows, rows, PETSC_DETERMINE, PETSC_DETERMINE));
  PetscCall(MatSetBlockSize(*J, ns));
  PetscCall(MatSetType(*J, MATAIJ));
  PetscCall(MatSetFromOptions(*J));
  PetscCall(SoretGridCreateDM(grid, ns, op->width, &dm));
  PetscCall(DMGetLocalToGlobalMapping(dm, &mapping));
  PetscCall(MatSetLocalToGlobalMapping(*J, mapping, mapping));
  PetscCall(DMDAGetGhostCorners(dm, &start[0], &start[1], &start[2], &count[0], &count[1], &count[2]));
  PetscCall(MatSetStencil(*J, grid->dim, count, start, ns));
  PetscCall(DMDestroy(&dm));
  PetscCall(PetscMalloc2(rows, &own, rows, &off));
  for (int pass = 0; pass < 2; pass++) { /* first count, then set the entries to 0, so that none is lost that is 0 at first */
    for (PetscInt p = 0; p < grid->num_cells; p++) {
      const PetscInt local[3] = SORET_LOCAL_INDEX(grid, p);

      for (PetscInt s = 0; s < ns; s++) {
        const MatStencil row = {.i = grid->start[0] + local[0], .j = grid->start[1] + local[1], .k = grid->start[2] + local[2], .c = s};
        PetscInt        *n   = &off[p * ns + s];

        ListColumns(op, inside, local, s, rank, &num, n, column);
        own[p * ns + s] = PetscMin(num - *n, rows); /* on few cells both sides may be the same cell */
        *n              = PetscMin(*n, size - rows);
        if (pass) PetscCall(MatSetValuesStencil(*J, 1, &row, num, column, zero, INSERT_VALUES));
      }
    }
    if (pass) break;
    PetscCall(MatSeqAIJSetPreallocation(*J, 0, own));
    PetscCall(MatMPIAIJSetPreallocation(*J, 0, own, 0, off));
  }
  PetscCall(MatAssemblyBegin(*J, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*J, MAT_FINAL_ASSEMBLY));
  PetscCall(PetscFree2(own, off));
  PetscCall(PetscFree(inside));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One row of the matrix under construction: (cell, species) against the cells of its stencil. */
typedef struct {
  MatStencil  row;
  PetscInt    num;
  MatStencil  column[SORET_MAX_SPECIES + 64];
  PetscScalar value[SORET_MAX_SPECIES + 64];
} MatrixRow;

static void AddEntry(MatrixRow *m, int axis, PetscInt offset, PetscInt species, PetscReal value)
{
  MatStencil *column = &m->column[m->num];

  if (value == 0.0) return;
  *column = m->row;
  if (axis == 0) column->i += offset;
  else if (axis == 1) column->j += offset;
  else column->k += offset;
  column->c          = species;
  m->value[m->num++] = value;
}

/* d(outflow)/dc of ballistic species s through a face, times `factor`, entered into the row. */
static void AddBallisticEntries(const SoretOperator *op, MatrixRow *m, const PetscInt ijk[3], PetscInt s, int axis, int above, PetscReal factor)
{
  SoretFaceStencil stencil;
  const PetscReal  v = SoretStencilOfFace(op, s, axis, ijk[axis] + above, &stencil);

  if (v == 0.0) return;
  AddEntry(m, axis, above + stencil.up, s, factor * v * stencil.weight[1]);
  AddEntry(m, axis, above + stencil.far, s, factor * v * stencil.weight[0]);
  AddEntry(m, axis, above + stencil.down, s, factor * v * stencil.weight[2]);
}

static void AddTransportEntries(const SoretOperator *op, MatrixRow *m, const PetscInt local[3], const PetscInt ijk[3], PetscInt s, const PetscReal *b_of[6], const PetscReal *b)
{
  const SoretGrid    *grid    = op->grid;
  const SoretSpecies *species = &op->model->species[s];

  for (int face = 0; face < 2 * grid->dim; face++) {
    const int       axis = face / 2, side = face % 2;
    const PetscInt  index = ijk[axis] + side, wall = SoretOperatorWall(op, face, local);
    const PetscBool closed = !grid->periodic[axis] && (index == 0 || index == grid->n[axis]) ? PETSC_TRUE : PETSC_FALSE;
    PetscReal       g, w;

    if (wall >= 0) AddEntry(m, 0, 0, s, op->boundary->alpha[face][wall + s]);
    if (!species->diffuses) {
      const PetscReal area = SoretGridFaceArea(grid, axis, ijk) * (side ? 1.0 : -1.0);

      AddBallisticEntries(op, m, ijk, s, axis, side, area);
      if (closed && species->mirror[axis] >= 0) AddBallisticEntries(op, m, ijk, species->mirror[axis], axis, side, -area);
      continue;
    }
    if (closed) continue;
    g = SoretFaceConductance(op, axis, side, local, s, &w);
    /* outflow through the upper face: g (u - u_hi) + w (u + u_hi)/2; through the lower one: g (u - u_lo) - w (u + u_lo)/2 */
    w *= side ? 0.5 : -0.5;
    AddEntry(m, axis, 0, s, (g + w) * b[s]);
    AddEntry(m, axis, side ? 1 : -1, s, (w - g) * b_of[face][s]);
  }
}

PetscErrorCode SoretOperatorJacobian(SoretOperator *op, Vec x, PetscReal shift, const PetscReal extra[], Mat J)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  const PetscReal *c;
  PetscReal       *block, k[2 * SORET_MAX_REACTIONS];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(ns * ns, &block));
  PetscCall(SoretHaloExchange(&op->halo, op->b));
  PetscCall(MatZeroEntries(J));
  PetscCall(VecGetArrayRead(x, &c));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt   local[3] = SORET_LOCAL_INDEX(grid, p);
    const PetscInt   ijk[3]   = {grid->start[0] + local[0], grid->start[1] + local[1], grid->start[2] + local[2]};
    const PetscReal  volume   = SoretOperatorCellVolume(op, p);
    const PetscReal *b_of[6];

    for (int face = 0; face < 2 * grid->dim; face++) {
      PetscInt next[3] = {local[0], local[1], local[2]};

      next[face / 2] += face % 2 ? 1 : -1;
      b_of[face] = SoretCellOrGhost(op, op->b, next);
    }
    PetscCall(PetscArrayzero(block, ns * ns));
    SoretOperatorConstants(op, p, k);
    SoretNetworkAddJacobian(&op->model->network, k, c + p * ns, block);
    for (PetscInt e = 0; e < ns * ns; e++) block[e] = volume * ((extra ? extra[e] : 0.0) - block[e]);
    for (PetscInt s = 0; s < ns; s++) {
      MatrixRow m = {.row = {.i = ijk[0], .j = ijk[1], .k = ijk[2], .c = s}};

      AddEntry(&m, 0, 0, s, volume > 0.0 ? volume * shift : 1.0); /* nothing happens in solid: keep what is there */
      for (PetscInt j = 0; j < ns; j++) AddEntry(&m, 0, 0, j, block[s * ns + j]);
      AddTransportEntries(op, &m, local, ijk, s, b_of, op->b + p * ns);
      PetscCall(MatSetValuesStencil(J, 1, &m.row, m.num, m.column, m.value, ADD_VALUES));
    }
  }
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscCall(MatAssemblyBegin(J, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(J, MAT_FINAL_ASSEMBLY));
  PetscCall(PetscFree(block));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorWeakenSolid(const SoretOperator *op, PetscReal share, Mat J)
{
  const PetscInt ns    = op->num_species;
  PetscReal      least = PETSC_MAX_REAL;
  PetscScalar   *d;
  Vec            diagonal;

  PetscFunctionBegin;
  if (!op->volume) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(MatCreateVecs(J, NULL, &diagonal));
  PetscCall(MatGetDiagonal(J, diagonal));
  PetscCall(VecGetArray(diagonal, &d));
  for (PetscInt q = 0; q < op->grid->num_cells * ns; q++) {
    if (SoretOperatorCellVolume(op, q / ns) > 0.0 && d[q] > 0.0) least = PetscMin(least, d[q]);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPIU_REAL, MPI_MIN, op->grid->comm));
  for (PetscInt q = 0; q < op->grid->num_cells * ns; q++) {
    if (!(SoretOperatorCellVolume(op, q / ns) > 0.0) && least < PETSC_MAX_REAL) d[q] = share * least;
  }
  PetscCall(VecRestoreArray(diagonal, &d));
  PetscCall(MatDiagonalSet(J, diagonal, INSERT_VALUES));
  PetscCall(VecDestroy(&diagonal));
  PetscFunctionReturn(PETSC_SUCCESS);
}
