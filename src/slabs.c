/* SPDX-License-Identifier: BSD-2-Clause

   u = b c in a few slabs that roll through the box, and rows of cells with what is around them. */
#include "rows.h"

/* Puts the outermost layers of u = b c into the send buffers. */
static void PackHalo(SoretOperator *op, const PetscReal *c)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;

  for (int axis = 0; axis < grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      const PetscInt *n   = op->halo.count[axis];
      PetscReal      *out = op->halo.send[axis][side];
      PetscInt        start[3];

      if (op->halo.neighbor[axis][side] == MPI_PROC_NULL) continue;
      SoretHaloSendStart(&op->halo, axis, side, start);
      for (PetscInt k = start[2]; k < start[2] + n[2]; k++) {
        for (PetscInt j = start[1]; j < start[1] + n[1]; j++, out += n[0] * ns) {
          const PetscInt p = ((k * grid->count[1] + j) * grid->count[0] + start[0]) * ns;

          SoretKernelScaleRow(n[0] * ns, op->b + p, c + p, out);
        }
      }
    }
  }
}

PetscErrorCode SoretExchangeHalo(SoretOperator *op, const PetscReal *c)
{
  PetscFunctionBegin;
  PackHalo(op, c);
  PetscCall(SoretHaloBegin(&op->halo));
  PetscCall(SoretHaloEnd(&op->halo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Layers of neighbouring rows in a slab. */
static inline PetscInt RowsAround(const SoretOperator *op)
{
  return op->grid->dim > 2 ? op->width : 0;
}

static inline PetscReal *SlabRow(const SoretOperator *op, PetscReal *slab, PetscInt m)
{
  return slab + (m + RowsAround(op)) * op->row_length + op->row_start;
}

/* Local indices of row m of slab o. */
static inline void LocateRow(const SoretOperator *op, PetscInt m, PetscInt o, PetscInt *j, PetscInt *k)
{
  *j = op->grid->dim > 2 ? m : o;
  *k = op->grid->dim > 2 ? o : 0;
}

/* Beyond the lower or upper end of a row of u. */
static void FillEnd(const SoretOperator *op, PetscInt number, int side, PetscReal *u)
{
  const PetscInt   ns = op->num_species, w = op->width * ns, m = op->grid->count[0] * ns;
  const PetscReal *from = op->wall[side] ? u + side * (m - ns) : op->halo.recv[0][side] + number * w;
  PetscReal       *to   = u + (side ? m : -w);

  for (PetscInt q = 0; q < w; q++) to[q] = from[q];
}

void SoretFillCells(const SoretOperator *op, const PetscReal *c, PetscInt number, PetscInt begin, PetscInt end, PetscReal *u)
{
  const PetscInt ns = op->num_species, m = op->grid->count[0] * ns, first = begin * ns;

  SoretKernelScaleRow(end * ns - first, op->b + number * m + first, c + number * m + first, u + first);
  if (begin == 0) FillEnd(op, number, 0, u);
  if (end * ns == m) FillEnd(op, number, 1, u);
}

void SoretFillSlab(const SoretOperator *op, const PetscReal *c, PetscInt o, PetscInt begin, PetscInt end, PetscInt left, PetscInt right, PetscReal *slab)
{
  const SoretGrid *grid  = op->grid;
  const PetscInt   w     = op->width, m = grid->count[0] * op->num_species;
  const int        outer = (int)grid->dim - 1;

  if (o < 0 || o >= op->num_slabs) { /* its edges are never used */
    const PetscReal *layer = op->halo.recv[outer][o < 0 ? 0 : 1] + (o < 0 ? o + w : o - op->num_slabs) * op->num_rows * m;

    for (PetscInt r = PetscMax(begin, 0); r < PetscMin(end, op->num_rows); r++) memcpy(SlabRow(op, slab, r), layer + r * m, (size_t)m * sizeof(PetscReal));
    return;
  }
  for (PetscInt r = PetscMax(begin, -RowsAround(op)); r < PetscMin(end, op->num_rows + RowsAround(op)); r++) {
    PetscReal *u = SlabRow(op, slab, r);

    if (r < 0) memcpy(u, op->halo.recv[1][0] + (o * w + r + w) * m, (size_t)m * sizeof(PetscReal));
    else if (r >= op->num_rows) memcpy(u, op->halo.recv[1][1] + (o * w + r - op->num_rows) * m, (size_t)m * sizeof(PetscReal));
    else if (r < left || r >= right) {
      PetscInt j, k;

      LocateRow(op, r, o, &j, &k);
      SoretFillCells(op, c, SoretRowNumber(op, j, k), 0, op->grid->count[0], u);
    }
  }
}

void SoretPointRow(const SoretOperator *op, const PetscReal *c, PetscInt m, PetscInt o, PetscReal *const slab[5], SoretRow *row)
{
  const PetscInt ns = op->num_species, w = op->width, dim = op->grid->dim;
  PetscReal     *own = SlabRow(op, slab[2], m);

  LocateRow(op, m, o, &row->j, &row->k);
  row->number = SoretRowNumber(op, row->j, row->k);
  row->first  = row->number * op->grid->count[0];
  row->c      = c + row->first * ns;
  row->next   = -1;
  for (PetscInt d = -2; d <= 2; d++) {
    const PetscInt   near  = PetscAbsInt(d) <= w ? d : 0;
    const PetscReal *outer = dim > 1 ? SlabRow(op, slab[2 + near], m) : own;

    row->u[0][2 + d] = own + near * ns;
    row->u[1][2 + d] = dim == 2 ? outer : dim > 2 ? own + near * op->row_length : own;
    row->u[2][2 + d] = dim > 2 ? outer : own;
  }
}

void SoretSetNext(const SoretOperator *op, SoretRow *row)
{
  row->next = row->number + (op->grid->dim > 2 ? op->grid->count[1] : 1);
}

void SoretStepRow(const SoretOperator *op, SoretRow *row)
{
  row->j++;
  row->number++;
  row->first += op->grid->count[0];
  row->c += op->grid->count[0] * op->num_species;
  if (row->next >= 0) row->next++;
  for (int axis = 0; axis < 3; axis++) {
    for (int d = 0; d < 5; d++) row->u[axis][d] += op->row_length;
  }
}

void SoretFillEnds(const SoretOperator *op, const SoretRow *row)
{
  for (int side = 0; side < 2; side++) FillEnd(op, row->next, side, SoretNextRow(op, row));
}

void SoretFillNext(const SoretOperator *op, const SoretRow *row)
{
  const PetscInt nx = op->grid->count[0];

  SoretFillCells(op, row->c - row->first * op->num_species, row->next, 0, nx, SoretNextRow(op, row));
}

PetscInt SoretRowsPerBlock(const SoretOperator *op, PetscInt arrays)
{
  const PetscInt rows = op->cache_bytes / (arrays * op->row_length * (PetscInt)sizeof(PetscReal));

  return op->num_rows <= 2 * rows ? op->num_rows : PetscMax(rows, 4);
}

PetscErrorCode SoretForEachRow(SoretOperator *op, Vec x, PetscBool fills, SoretRowVisitor visit, void *context)
{
  const PetscInt   w = op->grid->dim > 1 ? op->width : 0, num = 2 * w + 1, block = SoretRowsPerBlock(op, num), around = RowsAround(op);
  const PetscReal *c;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(x, &c));
  PetscCall(SoretExchangeHalo(op, c));
  for (PetscInt m0 = 0; m0 < op->num_rows; m0 += block) {
    const PetscInt m1 = PetscMin(m0 + block, op->num_rows);

    for (PetscInt o = -w; o < w; o++) SoretFillSlab(op, c, o, m0 - around, m1 + around, 0, 0, op->slab[(o + num) % num]);
    for (PetscInt o = 0; o < op->num_slabs; o++) {
      const PetscBool left    = fills && o + w < op->num_slabs ? PETSC_TRUE : PETSC_FALSE;
      PetscReal      *slab[5] = {NULL, NULL, NULL, NULL, NULL};
      SoretRow        row;

      SoretFillSlab(op, c, o + w, m0 - around, m1 + around, left ? m0 : 0, left ? m1 : 0, op->slab[(o + w) % num]);
      for (PetscInt d = -w; d <= w; d++) slab[2 + d] = op->slab[(o + d + num) % num];
      SoretPointRow(op, c, m0, o, slab, &row);
      if (left) SoretSetNext(op, &row);
      for (PetscInt m = m0; m < m1; m++) {
        if (m > m0) SoretStepRow(op, &row);
        PetscCall(visit(op, &row, context));
        if (left) SoretFillEnds(op, &row);
      }
    }
  }
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorForEachRow(SoretOperator *op, Vec x, SoretRowVisitor visit, void *context)
{
  return SoretForEachRow(op, x, PETSC_FALSE, visit, context);
}
