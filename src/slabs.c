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
  return slab + (m + RowsAround(op)) * op->row_length + op->width * op->num_species;
}

/* Local indices of row m of slab o. */
static inline void LocateRow(const SoretOperator *op, PetscInt m, PetscInt o, PetscInt *j, PetscInt *k)
{
  *j = op->grid->dim > 2 ? m : o;
  *k = op->grid->dim > 2 ? o : 0;
}

void SoretFillCells(const SoretOperator *op, const PetscReal *c, PetscInt number, PetscInt begin, PetscInt end, PetscReal *u)
{
  const PetscInt ns = op->num_species, w = op->width * ns, m = op->grid->count[0] * ns, first = begin * ns;

  SoretKernelScaleRow(end * ns - first, op->b + number * m + first, c + number * m + first, u + first);
  if (begin == 0) memcpy(u - w, op->wall[0] ? u : op->halo.recv[0][0] + number * w, (size_t)w * sizeof(PetscReal));
  if (end * ns == m) memcpy(u + m, op->wall[1] ? u + m - ns : op->halo.recv[0][1] + number * w, (size_t)w * sizeof(PetscReal));
}

static void FillRow(const SoretOperator *op, const PetscReal *c, PetscInt number, PetscReal *u)
{
  SoretFillCells(op, c, number, 0, op->grid->count[0], u);
}

void SoretFillSlab(const SoretOperator *op, const PetscReal *c, PetscInt o, PetscInt m0, PetscInt m1, PetscReal *slab)
{
  const SoretGrid *grid  = op->grid;
  const PetscInt   w     = op->width, m = grid->count[0] * op->num_species, around = RowsAround(op);
  const int        outer = (int)grid->dim - 1;

  if (o < 0 || o >= op->num_slabs) { /* its edges are never used */
    const PetscReal *layer = op->halo.recv[outer][o < 0 ? 0 : 1] + (o < 0 ? o + w : o - op->num_slabs) * op->num_rows * m;

    for (PetscInt r = m0; r < m1; r++) memcpy(SlabRow(op, slab, r), layer + r * m, (size_t)m * sizeof(PetscReal));
    return;
  }
  for (PetscInt r = m0 - around; r < m1 + around; r++) {
    PetscReal *u = SlabRow(op, slab, r);

    if (r < 0) memcpy(u, op->halo.recv[1][0] + (o * w + r + w) * m, (size_t)m * sizeof(PetscReal));
    else if (r >= op->num_rows) memcpy(u, op->halo.recv[1][1] + (o * w + r - op->num_rows) * m, (size_t)m * sizeof(PetscReal));
    else {
      PetscInt j, k;

      LocateRow(op, r, o, &j, &k);
      FillRow(op, c, SoretRowNumber(op, j, k), u);
    }
  }
}

void SoretPointRow(const SoretOperator *op, const PetscReal *c, PetscInt m, PetscInt o, PetscReal *const slab[5], SoretRow *row)
{
  const PetscInt ns = op->num_species, w = op->width, dim = op->grid->dim;
  PetscReal     *own = SlabRow(op, slab[2], m);

  LocateRow(op, m, o, &row->j, &row->k);
  row->first = SoretRowNumber(op, row->j, row->k) * op->grid->count[0];
  row->c     = c + row->first * ns;
  row->ahead = row->first;
  for (int d = -2; d <= 2; d++) {
    const PetscBool  there = PetscAbsInt(d) <= w ? PETSC_TRUE : PETSC_FALSE;
    const PetscReal *outer = there && dim > 1 ? SlabRow(op, slab[2 + d], m) : own;

    row->u[0][2 + d] = own + (there ? d * ns : 0);
    row->u[1][2 + d] = dim == 2 ? outer : there && dim > 2 ? own + d * op->row_length : own;
    row->u[2][2 + d] = dim > 2 ? outer : own;
  }
}

/* Rows treated together, so that their slabs, and what is asked for ahead, stay in the second-level cache. */
static PetscInt RowsPerBlock(const SoretOperator *op)
{
  const PetscInt bytes = (2 * op->width + 1) * op->row_length * (PetscInt)sizeof(PetscReal), rows = 393216 / bytes;

  return op->num_rows <= 2 * rows ? op->num_rows : PetscMax(rows, 8);
}

PetscErrorCode SoretOperatorForEachRow(SoretOperator *op, Vec x, SoretRowVisitor visit, void *context)
{
  const PetscInt   w = op->grid->dim > 1 ? op->width : 0, num = 2 * w + 1, block = RowsPerBlock(op);
  const PetscReal *c;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(x, &c));
  PetscCall(SoretExchangeHalo(op, c));
  for (PetscInt m0 = 0; m0 < op->num_rows; m0 += block) {
    const PetscInt m1 = PetscMin(m0 + block, op->num_rows);

    for (PetscInt o = -w; o < w; o++) SoretFillSlab(op, c, o, m0, m1, op->slab[(o + num) % num]);
    for (PetscInt o = 0; o < op->num_slabs; o++) {
      PetscReal *slab[5] = {NULL, NULL, NULL, NULL, NULL};

      SoretFillSlab(op, c, o + w, m0, m1, op->slab[(o + w) % num]);
      for (PetscInt d = -w; d <= w; d++) slab[2 + d] = op->slab[(o + d + num) % num];
      for (PetscInt m = m0; m < m1; m++) {
        SoretRow row;

        SoretPointRow(op, c, m, o, slab, &row);
        if (o + w + 1 < op->num_slabs) row.ahead += (w + 1) * op->grid->count[0] * (op->grid->dim > 2 ? op->grid->count[1] : 1); /* of the slab that is filled next */
        PetscCall(visit(op, &row, context));
      }
    }
  }
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscFunctionReturn(PETSC_SUCCESS);
}
