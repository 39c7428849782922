/* SPDX-License-Identifier: BSD-2-Clause

   What the passes over rows of cells share: slabs.c, rows.c, smooth.c. */
#pragma once

#include "blocks.h"
#include "operator_private.h"

/* ---- slabs.c ---- */

PetscErrorCode SoretExchangeHalo(SoretOperator *op, const PetscReal *c);

/* Cells [begin, end) of a row of this rank as u = b c, with the layers of the neighbours along x where they reach these; beyond walls, which nothing passes here, as
   in the cell there. */
void SoretFillCells(const SoretOperator *op, const PetscReal *c, PetscInt number, PetscInt begin, PetscInt end, PetscReal *u);

/* Fills rows [begin, end) of slab o as far as they exist, layers of neighbours included, but not those among [left, right) that are rows of this rank; o may lie in
   the layers of a neighbour. */
void SoretFillSlab(const SoretOperator *op, const PetscReal *c, PetscInt o, PetscInt begin, PetscInt end, PetscInt left, PetscInt right, PetscReal *slab);

/* Rows treated together, so that what they share, as much as `arrays` rows of u for each of them, stays in caches. */
PetscInt SoretRowsPerBlock(const SoretOperator *op, PetscInt arrays);

/* Pointers of a row into the slabs around it, slab[2] its own. Along axes that do not exist, and at offsets beyond op->width, they point at the row itself. */
void SoretPointRow(const SoretOperator *op, const PetscReal *c, PetscInt m, PetscInt o, PetscReal *const slab[5], SoretRow *row);

/* The next row of the same slab, in boxes of three dimensions. */
void SoretStepRow(const SoretOperator *op, SoretRow *row);

/* The row above along the last axis, which exists, is still to be filled, */
void SoretSetNext(const SoretOperator *op, SoretRow *row);
/* whose u is wanted here; */
static inline PetscReal *SoretNextRow(const SoretOperator *op, const SoretRow *row)
{
  return (PetscReal *)row->u[op->grid->dim - 1][3];
}
/* its ends alone are, or all of it. */
void SoretFillEnds(const SoretOperator *op, const SoretRow *row);
void SoretFillNext(const SoretOperator *op, const SoretRow *row);

/* Do blocks of four cells write u of the slab that is needed next while they compute a row? Memory is then read while the processor works. */
static inline PetscBool SoretBlocksFill(const SoretOperator *op)
{
  return op->blocks >= SORET_BLOCKS_FACES && op->width == 1 && op->grid->dim > 1 ? PETSC_TRUE : PETSC_FALSE;
}

/* As SoretOperatorForEachRow(); `fills`: row->next of rows whose upper neighbour is still to be filled, as by blocks. */
PetscErrorCode SoretForEachRow(SoretOperator *op, Vec x, PetscBool fills, SoretRowVisitor visit, void *context);

/* Number of row (j, k) among all rows of this rank. */
static inline PetscInt SoretRowNumber(const SoretOperator *op, PetscInt j, PetscInt k)
{
  return k * op->grid->count[1] + j;
}

/* ---- rows.c ---- */

/* Net outflow of each entry of a row through its faces, walls left out, written to f, and, if wanted, its derivative by the entry's own u. */
void SoretTransportRow(const SoretOperator *op, const SoretRow *row, PetscReal *restrict f, PetscReal *restrict diagonal);

/* Adds alpha c - beta of the walls to f, or writes it there where f holds nothing else, and writes alpha, where wanted. Does the row touch a wall
   where anything passes? If not, nothing is written. */
PetscBool SoretAddWalls(const SoretOperator *op, const SoretRow *row, PetscBool alone, PetscReal f[], PetscReal slope[]);

/* What blocks of four cells need of all rows, and of one. */
void SoretBeginBlocks(const SoretOperator *op, const SoretCellTerms *terms, SoretBlockRow *blocks);
void SoretMoveBlocks(const SoretOperator *op, const SoretCellTerms *terms, const SoretRow *row, SoretBlockRow *blocks);

/* ---- cells side by side ---- */

/* lanes[s][l] = x of species s of every `stride`-th cell. */
INLINED void SoretGather(const PetscInt ns, PetscInt n, const PetscInt stride, const PetscReal *restrict x, PetscReal *restrict lanes)
{
  for (PetscInt s = 0; s < ns; s++) {
    for (PetscInt l = 0; l < n; l++) lanes[s * n + l] = x[l * stride * ns + s];
  }
}

/* lanes[s][l] += what a solver adds per volume in the cells from p on. */
INLINED void SoretAddTerms(const PetscInt ns, PetscInt n, const PetscInt stride, const SoretCellTerms *terms, PetscInt p, const PetscReal *restrict c, PetscReal *restrict lanes)
{
  for (PetscInt s = 0; s < ns; s++) {
    PetscReal *out = lanes + s * n;

    if (terms->constant) {
      for (PetscInt l = 0; l < n; l++) out[l] += terms->constant[s];
    }
    for (PetscInt j = 0; j < ns && terms->matrix; j++) {
      for (PetscInt l = 0; l < n; l++) out[l] += terms->matrix[s * ns + j] * c[j * n + l];
    }
    if (terms->kept) {
      for (PetscInt l = 0; l < n; l++) out[l] -= terms->kept[(p + l * stride) * ns + s];
    }
    if (terms->shift != 0.0) {
      for (PetscInt l = 0; l < n; l++) out[l] += terms->shift * (c[s * n + l] - (terms->old ? terms->old[(p + l * stride) * ns + s] : 0.0));
    }
  }
}
