/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/solid.h"

#include <math.h>
#include <stdlib.h>

/* ---- the keys ---- */

PetscErrorCode SoretSolidSpecRead(SoretInput in, const SoretGridSpec *grid, SoretSolidSpec *spec)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  spec->pockets = (SoretPocketRule)grid->solid_pockets;
  if (grid->solid) PetscCall(SoretFieldRead(in, grid->solid, "1", SORET_VAR_SPACE, &spec->field));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSolidSpecDestroy(SoretSolidSpec *spec)
{
  PetscFunctionBegin;
  PetscCall(SoretFieldDestroy(&spec->field));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- a formula ---- */

static PetscErrorCode CloseByFormula(SoretField field, SoretGrid *grid)
{
  PetscReal *value;
  SoretHalo  halo;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(grid->num_cells, &value));
  PetscCall(SoretFieldFill(field, grid, 0.0, NULL, value));
  PetscCall(SoretHaloCreate(grid, 1, 1, &halo));
  PetscCall(SoretHaloExchange(&halo, value));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt local[3] = SORET_LOCAL_INDEX(grid, p);

    if (value[p] > 0.0) grid->closed[p] = SORET_CLOSED_FACES | SORET_CLOSED_CELL;
    for (int face = 0; face < 2 * grid->dim; face++) {
      PetscInt beside[3] = {local[0], local[1], local[2]};

      beside[face / 2] += face % 2 ? 1 : -1;
      if (SoretHaloValue(&halo, value, beside) > 0.0) grid->closed[p] |= (unsigned char)(1 << face); /* at a wall of the box: that of the cell itself */
    }
  }
  PetscCall(SoretHaloDestroy(&halo));
  PetscCall(PetscFree(value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- voxels ---- */

/* Where the cells -1 .. count of this rank lie along an axis, in voxels; entry i + 1 for cell i. Cells beyond a wall have num = 0; across a periodic
   axis voxel numbers go on below 0 and beyond the last. */
typedef struct {
  PetscInt  *first, *num; /* voxels that the cell overlaps */
  PetscReal *lo, *mid, *hi;
  PetscInt   most;        /* largest num                   */
} VoxelAxis;

typedef struct {
  const SoretGrid *grid;
  SoretField       field;
  SoretH5          h5;
  PetscInt         n[3];            /* voxels of the whole box                                    */
  VoxelAxis        axis[3];
  PetscInt         lo[3], count[3]; /* voxels held: those of one layer of cells, one cell beyond the rank along x and y */
  PetscReal       *value, *piece;
  PetscInt         block;           /* entries of the mask of a cell                              */
  PetscInt        *stack;           /* [block]                                                    */
  unsigned char   *seen;            /* [block]                                                    */
  PetscBool        bad;             /* a value outside 0..1                                       */
} Voxels;

/* A layer of cells, one cell beyond the rank along x and y. */
typedef struct {
  PetscBool     *solid;      /* [(nx + 2) (ny + 2)]                                                                     */
  PetscReal    (*plane)[3][2]; /* largest fraction of a plane of voxels normal to the axis in the lower and upper half */
  unsigned char *mask;       /* [..][block] largest connected part of the fluid, [mz][my][mx]                           */
} Layer;

static PetscErrorCode CreateAxis(Voxels *v, int axis)
{
  const SoretGrid *grid = v->grid;
  const PetscInt   m = grid->count[axis] + 2, n = grid->n[axis];
  const PetscReal  scale = (PetscReal)v->n[axis] / grid->size[axis], slack = 1.0e-9;
  VoxelAxis       *a     = &v->axis[axis];

  PetscFunctionBegin;
  PetscCall(PetscCalloc5(m, &a->first, m, &a->num, m, &a->lo, m, &a->mid, m, &a->hi));
  a->most = 1;
  for (PetscInt i = 0; i < m; i++) {
    const PetscInt cell = grid->start[axis] + i - 1, inside = (cell + n) % n, wraps = cell < 0 ? -v->n[axis] : cell >= n ? v->n[axis] : 0;

    if (wraps && !grid->periodic[axis]) continue;
    a->lo[i]    = (grid->edge[axis][inside] - grid->origin[axis]) * scale + (PetscReal)wraps;
    a->hi[i]    = (grid->edge[axis][inside + 1] - grid->origin[axis]) * scale + (PetscReal)wraps;
    a->mid[i]   = 0.5 * (a->lo[i] + a->hi[i]);
    a->first[i] = (PetscInt)floor(a->lo[i] + slack);
    a->num[i]   = PetscMax(1, (PetscInt)ceil(a->hi[i] - slack) - a->first[i]);
    a->most     = PetscMax(a->most, a->num[i]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Length of voxel m of cell i that lies in the cell. */
static PetscReal Overlap(const VoxelAxis *a, PetscInt i, PetscInt m)
{
  return PetscMax(PetscMin(a->hi[i], (PetscReal)(m + 1)) - PetscMax(a->lo[i], (PetscReal)m), 0.0);
}

static PetscErrorCode VoxelsCreate(SoretField field, const SoretGrid *grid, Voxels *v)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(v, sizeof(*v)));
  v->grid  = grid;
  v->field = field;
  v->block = 1;
  (void)SoretFieldResolution(field, v->n);
  for (int axis = 0; axis < 3; axis++) {
    PetscCall(CreateAxis(v, axis));
    v->block *= v->axis[axis].most;
  }
  for (int axis = 0; axis < 2; axis++) {
    const VoxelAxis *a    = &v->axis[axis];
    const PetscInt   from = a->num[0] ? 0 : 1, to = a->num[grid->count[axis] + 1] ? grid->count[axis] + 1 : grid->count[axis];

    v->lo[axis]    = a->first[from];
    v->count[axis] = a->first[to] + a->num[to] - a->first[from];
  }
  v->count[2] = v->axis[2].most;
  PetscCall(PetscMalloc2(v->count[0] * v->count[1] * v->count[2], &v->value, v->count[0] * v->count[1] * v->count[2], &v->piece));
  PetscCall(PetscMalloc2(v->block, &v->stack, v->block, &v->seen));
  PetscCall(SoretFieldOpen(field, grid->comm, &v->h5));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode VoxelsDestroy(Voxels *v)
{
  PetscFunctionBegin;
  PetscCall(SoretH5Close(&v->h5));
  PetscCall(PetscFree2(v->value, v->piece));
  PetscCall(PetscFree2(v->stack, v->seen));
  for (int axis = 0; axis < 3; axis++) PetscCall(PetscFree5(v->axis[axis].first, v->axis[axis].num, v->axis[axis].lo, v->axis[axis].mid, v->axis[axis].hi));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One period of the voxels held: -1, 0 or 1 along each axis. Others need no read where the axis is not periodic. */
static PetscErrorCode ReadPiece(Voxels *v, const PetscInt period[3], PetscBool wanted)
{
  PetscInt         start[3], count[3];
  const PetscReal *from = v->piece;

  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) {
    const PetscInt shift = period[axis] * v->n[axis];
    const PetscInt lo    = PetscMax(v->lo[axis], shift), hi = PetscMin(v->lo[axis] + v->count[axis], shift + v->n[axis]);

    start[axis] = lo - shift;
    count[axis] = hi - lo;
    if (hi <= lo) wanted = PETSC_FALSE;
  }
  if (!wanted) start[0] = start[1] = start[2] = count[0] = count[1] = count[2] = 0;
  PetscCall(SoretFieldReadRaw(v->field, v->h5, v->grid->dim, start, count, v->piece));
  for (PetscInt k = 0; k < count[2]; k++) {
    for (PetscInt j = 0; j < count[1]; j++, from += count[0]) {
      const PetscInt at[3] = {start[0] + period[0] * v->n[0] - v->lo[0], start[1] + j + period[1] * v->n[1] - v->lo[1], start[2] + k + period[2] * v->n[2] - v->lo[2]};

      PetscCall(PetscArraycpy(v->value + (at[2] * v->count[1] + at[1]) * v->count[0] + at[0], from, count[0]));
      for (PetscInt i = 0; i < count[0]; i++) v->bad = v->bad || !(from[i] >= 0.0 && from[i] <= 1.0) ? PETSC_TRUE : PETSC_FALSE;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Voxels of layer k of this rank, -1 .. count; a layer beyond the last takes part in the reading only. Collective. */
static PetscErrorCode ReadLayer(Voxels *v, PetscInt k, PetscBool *exists)
{
  const SoretGrid *grid = v->grid;

  PetscFunctionBegin;
  *exists = k <= grid->count[2] && v->axis[2].num[k + 1] ? PETSC_TRUE : PETSC_FALSE;
  if (*exists) {
    v->lo[2]    = v->axis[2].first[k + 1];
    v->count[2] = v->axis[2].num[k + 1];
  }
  for (PetscInt z = grid->periodic[2] ? -1 : 0; z <= (grid->periodic[2] ? 1 : 0); z++) {
    for (PetscInt y = grid->periodic[1] ? -1 : 0; y <= (grid->periodic[1] ? 1 : 0); y++) {
      for (PetscInt x = grid->periodic[0] ? -1 : 0; x <= (grid->periodic[0] ? 1 : 0); x++) PetscCall(ReadPiece(v, (PetscInt[]){x, y, z}, *exists));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Value of voxel (a, b, c) of a cell, counted from its first; i and j are entries of the axes. */
static PetscReal VoxelOf(const Voxels *v, PetscInt i, PetscInt j, PetscInt a, PetscInt b, PetscInt c)
{
  const PetscInt x = v->axis[0].first[i] - v->lo[0] + a, y = v->axis[1].first[j] - v->lo[1] + b;

  return v->value[(c * v->count[1] + y) * v->count[0] + x];
}

/* Marks with `mark` the fluid voxels connected to `start` within the cell; returns their volume. mask: 1 fluid not yet seen. */
static PetscReal Flood(Voxels *v, const PetscInt ijk[3], PetscInt start, unsigned char mark, unsigned char mask[])
{
  const PetscInt m[3] = {v->axis[0].most, v->axis[1].most, v->axis[2].most}, stride[3] = {1, m[0], m[0] * m[1]};
  PetscInt       depth  = 0;
  PetscReal      volume = 0.0;

  v->stack[depth++] = start;
  mask[start]       = mark;
  while (depth) {
    const PetscInt q = v->stack[--depth], at[3] = {q % m[0], q / m[0] % m[1], q / m[0] / m[1]};
    PetscReal      part = 1.0;

    for (int axis = 0; axis < 3; axis++) part *= Overlap(&v->axis[axis], ijk[axis], v->axis[axis].first[ijk[axis]] + at[axis]);
    volume += part;
    for (int axis = 0; axis < 3; axis++) {
      for (int side = -1; side <= 1; side += 2) {
        const PetscInt next = q + side * stride[axis];

        if (at[axis] + side < 0 || at[axis] + side >= v->axis[axis].num[ijk[axis]] || mask[next] != 1) continue;
        mask[next]        = mark;
        v->stack[depth++] = next;
      }
    }
  }
  return volume;
}

/* Leaves 1 at the largest connected part of the fluid in the cell, 0 elsewhere. */
static void KeepLargest(Voxels *v, const PetscInt ijk[3], unsigned char mask[])
{
  PetscReal best = -1.0;

  for (PetscInt q = 0; q < v->block; q++) {
    if (mask[q] != 1) continue;
    const PetscReal volume = Flood(v, ijk, q, 2, mask);

    if (volume <= best * (1.0 + 1.0e-9)) {
      for (PetscInt r = q; r < v->block; r++) mask[r] = mask[r] == 2 ? 0 : mask[r];
      continue;
    }
    best = volume;
    for (PetscInt r = 0; r < v->block; r++) mask[r] = mask[r] == 3 ? 0 : mask[r] == 2 ? 3 : mask[r];
  }
  for (PetscInt q = 0; q < v->block; q++) mask[q] = mask[q] == 3;
}

/* What the voxels say of a cell: entries ijk of the axes, c = (j, i) of the layer. */
static void JudgeCell(Voxels *v, const PetscInt ijk[3], Layer *layer, PetscInt cell)
{
  const VoxelAxis *x = &v->axis[0], *y = &v->axis[1], *z = &v->axis[2];
  unsigned char   *mask = layer->mask + cell * v->block;
  PetscReal        sum = 0.0, volume = 0.0;

  (void)memset(mask, 0, (size_t)v->block);
  (void)memset(layer->plane[cell], 0, sizeof(layer->plane[cell]));
  for (PetscInt c = 0; c < z->num[ijk[2]]; c++) {
    for (PetscInt b = 0; b < y->num[ijk[1]]; b++) {
      for (PetscInt a = 0; a < x->num[ijk[0]]; a++) {
        const PetscReal part  = Overlap(x, ijk[0], x->first[ijk[0]] + a) * Overlap(y, ijk[1], y->first[ijk[1]] + b) * Overlap(z, ijk[2], z->first[ijk[2]] + c);
        const PetscReal value = VoxelOf(v, ijk[0], ijk[1], a, b, c);

        sum += part * value;
        volume += part;
        mask[(c * y->most + b) * x->most + a] = value < 0.5;
      }
    }
  }
  layer->solid[cell] = sum >= (0.5 - 1.0e-9) * volume ? PETSC_TRUE : PETSC_FALSE;
  KeepLargest(v, ijk, mask);
  for (int axis = 0; axis < 3; axis++) { /* planes whose middle lies in the cell */
    const int        u = (axis + 1) % 3, w = (axis + 2) % 3;
    const VoxelAxis *along = &v->axis[axis];

    for (PetscInt m = 0; m < along->num[ijk[axis]]; m++) {
      const PetscReal middle = (PetscReal)(along->first[ijk[axis]] + m) + 0.5;
      PetscReal       area = 0.0, filled = 0.0, *half = &layer->plane[cell][axis][middle > along->mid[ijk[axis]] ? 1 : 0];

      if (middle < along->lo[ijk[axis]] || middle > along->hi[ijk[axis]]) continue;
      for (PetscInt p = 0; p < v->axis[u].num[ijk[u]]; p++) {
        for (PetscInt q = 0; q < v->axis[w].num[ijk[w]]; q++) {
          const PetscReal part = Overlap(&v->axis[u], ijk[u], v->axis[u].first[ijk[u]] + p) * Overlap(&v->axis[w], ijk[w], v->axis[w].first[ijk[w]] + q);
          PetscInt        at[3];

          at[axis] = m;
          at[u]    = p;
          at[w]    = q;
          area += part;
          filled += part * VoxelOf(v, ijk[0], ijk[1], at[0], at[1], at[2]);
        }
      }
      *half = PetscMax(*half, filled / area);
    }
  }
}

/* Do the largest parts of two cells touch across the face between them? `entry` are those of the axes, of the lower cell. */
static PetscBool Touch(const Voxels *v, int axis, const PetscInt entry[3], const unsigned char *lower, const unsigned char *upper)
{
  const VoxelAxis *a = &v->axis[axis];
  const int        u = (axis + 1) % 3, w = (axis + 2) % 3;
  const PetscInt   i = entry[axis], m[3] = {v->axis[0].most, v->axis[1].most, v->axis[2].most};

  /* the last plane of the lower cell meets the first of the upper one; or both are the same plane, which the face cuts */
  for (PetscInt p = 0; p < v->axis[u].num[entry[u]]; p++) {
    for (PetscInt q = 0; q < v->axis[w].num[entry[w]]; q++) {
      PetscInt at[3], last, first;

      at[u]    = p;
      at[w]    = q;
      at[axis] = a->num[i] - 1;
      last     = (at[2] * m[1] + at[1]) * m[0] + at[0];
      at[axis] = 0;
      first    = (at[2] * m[1] + at[1]) * m[0] + at[0];
      if (lower[last] && upper[first]) return PETSC_TRUE;
    }
  }
  return PETSC_FALSE;
}

static PetscBool IsOpen(const Voxels *v, int axis, const PetscInt entry[3], const Layer *below, PetscInt lower, const Layer *above, PetscInt upper)
{
  const PetscReal limit = 0.5 - 1.0e-9;

  if (below->solid[lower] || above->solid[upper]) return PETSC_FALSE;
  if (below->plane[lower][axis][1] >= limit || above->plane[upper][axis][0] >= limit) return PETSC_FALSE;
  return Touch(v, axis, entry, below->mask + lower * v->block, above->mask + upper * v->block);
}

/* Faces of one axis of a layer, and between two layers along z. `below` is the layer that holds the lower cell. */
static void CloseLayerFaces(const Voxels *v, SoretGrid *grid, int axis, PetscInt k, const Layer *below, const Layer *above)
{
  const PetscInt row = grid->count[0] + 2, step[3] = {1, row, 0};

  for (PetscInt j = axis == 1 ? 0 : 1; j <= grid->count[1]; j++) {
    for (PetscInt i = axis == 0 ? 0 : 1; i <= grid->count[0]; i++) {
      const PetscInt lower = j * row + i, upper = lower + step[axis], entry[3] = {i, j, axis == 2 ? k : k + 1};
      PetscInt       at[3] = {i - 1, j - 1, axis == 2 ? k - 1 : k};

      if (!v->axis[0].num[i + (axis == 0)] || !v->axis[1].num[j + (axis == 1)] || !v->axis[0].num[i] || !v->axis[1].num[j]) continue; /* beyond a wall */
      if (IsOpen(v, axis, entry, below, lower, above, upper)) continue;
      for (int side = 1; side >= 0; side--, at[axis]++) {
        if (at[axis] >= 0 && at[axis] < grid->count[axis]) grid->closed[SoretGridCellNumber(grid, at)] |= (unsigned char)(1 << (2 * axis + side));
      }
    }
  }
}

static void CloseLayerCells(SoretGrid *grid, PetscInt k, const Layer *layer)
{
  for (PetscInt j = 0; j < grid->count[1]; j++) {
    for (PetscInt i = 0; i < grid->count[0]; i++) {
      if (layer->solid[(j + 1) * (grid->count[0] + 2) + i + 1]) grid->closed[(k * grid->count[1] + j) * grid->count[0] + i] = SORET_CLOSED_FACES | SORET_CLOSED_CELL;
    }
  }
}

static PetscErrorCode CloseByVoxels(SoretField field, SoretGrid *grid)
{
  const PetscInt cells = (grid->count[0] + 2) * (grid->count[1] + 2);
  PetscInt       layers = grid->count[2], most;
  Layer          layer[2], *now = &layer[0], *last = &layer[1];
  PetscBool      exists, existed = PETSC_FALSE;
  PetscMPIInt    bad;
  PetscErrorCode ierr = PETSC_SUCCESS;
  Voxels         v;

  PetscFunctionBegin;
  PetscCall(VoxelsCreate(field, grid, &v));
  for (int l = 0; l < 2; l++) PetscCall(PetscCalloc3(cells, &layer[l].solid, cells, &layer[l].plane, cells * v.block, &layer[l].mask));
  PetscCallMPI(MPI_Allreduce(&layers, &most, 1, MPIU_INT, MPI_MAX, grid->comm));
  for (PetscInt k = -1; k <= most && !ierr; k++) {
    Layer *swap = last;

    ierr = ReadLayer(&v, k, &exists);
    if (ierr || k > grid->count[2]) continue;
    last = now;
    now  = swap;
    for (PetscInt j = 0; exists && j < grid->count[1] + 2; j++) {
      for (PetscInt i = 0; i < grid->count[0] + 2; i++) {
        if (v.axis[0].num[i] && v.axis[1].num[j]) JudgeCell(&v, (PetscInt[]){i, j, k + 1}, now, j * (grid->count[0] + 2) + i);
      }
    }
    if (exists && existed) CloseLayerFaces(&v, grid, 2, k, last, now);
    if (k >= 0 && k < grid->count[2]) {
      for (int axis = 0; axis < 2; axis++) CloseLayerFaces(&v, grid, axis, k, now, now);
      CloseLayerCells(grid, k, now);
    }
    existed = exists;
  }
  for (int l = 0; l < 2; l++) PetscCall(PetscFree3(layer[l].solid, layer[l].plane, layer[l].mask));
  bad = v.bad;
  PetscCall(VoxelsDestroy(&v));
  PetscCall(ierr);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &bad, 1, MPI_INT, MPI_MAX, grid->comm));
  if (bad) PetscCall(SoretComplain(grid->comm, "soret: the dataset of 'domain.solid' holds values outside 0..1 (or none at all, NaN); 0 is fluid, 1 is solid\n"));
  PetscFunctionReturn(bad ? SORET_ERR_INPUT : PETSC_SUCCESS);
}

/* ---- connected parts of the fluid ---- */

static PetscInt Root(PetscInt parent[], PetscInt p)
{
  while (parent[p] != p) p = parent[p] = parent[parent[p]];
  return p;
}

/* Joins the cells of this rank through its open faces; the root of a part is its first cell. */
static void JoinCells(const SoretGrid *grid, PetscInt parent[])
{
  const PetscInt step[3] = {1, grid->count[0], grid->count[0] * grid->count[1]};

  for (PetscInt p = 0; p < grid->num_cells; p++) parent[p] = p;
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt local[3] = SORET_LOCAL_INDEX(grid, p);

    for (int axis = 0; axis < grid->dim; axis++) {
      PetscInt a, b;

      if (local[axis] + 1 == grid->count[axis] || SoretGridIsClosed(grid, p, 2 * axis + 1)) continue;
      a                       = Root(parent, p);
      b                       = Root(parent, p + step[axis]);
      parent[PetscMax(a, b)] = PetscMin(a, b);
    }
  }
}

/* Takes the smaller labels of the neighbouring ranks over; did any label change? */
static PetscBool TakeLabels(const SoretGrid *grid, const SoretHalo *halo, PetscInt parent[], PetscReal label[])
{
  PetscBool changed = PETSC_FALSE;

  for (int face = 0; face < 2 * grid->dim; face++) {
    const int axis = face / 2, side = face % 2;

    if (halo->neighbor[axis][side] == MPI_PROC_NULL) continue;
    for (PetscInt q = 0; q < halo->length[axis]; q++) {
      const PetscInt *n     = halo->count[axis];
      PetscInt        at[3] = {q % n[0], q / n[0] % n[1], q / n[0] / n[1]}, p, root;

      if (side) at[axis] = grid->count[axis] - 1;
      p = SoretGridCellNumber(grid, at);
      if (SoretGridIsClosed(grid, p, face)) continue;
      root = Root(parent, p);
      if (halo->recv[axis][side][q] >= label[root]) continue;
      label[root] = halo->recv[axis][side][q];
      changed     = PETSC_TRUE;
    }
  }
  return changed;
}

/* label[root] = smallest number of a cell in the part, over all ranks. */
static PetscErrorCode JoinRanks(const SoretGrid *grid, PetscInt parent[], PetscReal label[])
{
  PetscReal *value;
  PetscInt   rounds = 0;
  PetscMPIInt changed = 1;
  SoretHalo  halo;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(grid->num_cells, &value));
  PetscCall(SoretHaloCreate(grid, 1, 1, &halo));
  for (PetscInt p = 0; p < grid->num_cells; p++) label[p] = (PetscReal)SoretGridNatural(grid, p);
  for (; changed; rounds++) {
    for (PetscInt p = 0; p < grid->num_cells; p++) value[p] = label[Root(parent, p)];
    PetscCall(SoretHaloExchange(&halo, value));
    changed = TakeLabels(grid, &halo, parent, label);
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &changed, 1, MPI_INT, MPI_MAX, grid->comm));
  }
  PetscCall(PetscInfo(NULL, "fluid joined across ranks in %" PetscInt_FMT " rounds\n", rounds));
  PetscCall(SoretHaloDestroy(&halo));
  PetscCall(PetscFree(value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

typedef struct {
  PetscReal  first; /* number of its first cell: exact up to 2^53 */
  PetscInt64 cells;
  PetscReal  volume;
  PetscInt   rank;  /* by size */
} Part;

static int ByFirst(const void *a, const void *b)
{
  const PetscReal x = ((const Part *)a)->first, y = ((const Part *)b)->first;

  return x < y ? -1 : x > y;
}

static int BySize(const void *a, const void *b)
{
  const Part *x = *(const Part *const *)a, *y = *(const Part *const *)b;

  if (x->cells != y->cells) return x->cells > y->cells ? -1 : 1;
  return ByFirst(x, y);
}

/* The parts of all ranks, in the order of their first cells. Each is told by the rank that has its first cell. */
static PetscErrorCode GatherParts(const SoretGrid *grid, PetscInt parent[], const PetscReal label[], PetscInt *num, Part **parts)
{
  PetscMPIInt ranks, mine = 0, all = 0, *counts, *offsets;
  PetscReal  *first = NULL, *every;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(grid->comm, &ranks));
  for (int pass = 0; pass < 2; pass++) {
    if (pass) PetscCall(PetscMalloc1(mine, &first));
    mine = 0;
    for (PetscInt p = 0; p < grid->num_cells; p++) {
      if (SoretGridIsSolid(grid, p) || parent[p] != p || label[p] != (PetscReal)SoretGridNatural(grid, p)) continue;
      if (pass) first[mine] = label[p];
      mine++;
    }
  }
  PetscCall(PetscMalloc2(ranks, &counts, ranks, &offsets));
  PetscCallMPI(MPI_Allgather(&mine, 1, MPI_INT, counts, 1, MPI_INT, grid->comm));
  for (PetscMPIInt r = 0; r < ranks; r++) {
    offsets[r] = all;
    all += counts[r];
  }
  PetscCall(PetscMalloc1(all, &every));
  PetscCallMPI(MPI_Allgatherv(first, mine, MPIU_REAL, every, counts, offsets, MPIU_REAL, grid->comm));
  PetscCall(PetscCalloc1(all, parts));
  for (PetscMPIInt k = 0; k < all; k++) (*parts)[k].first = every[k];
  if (all) qsort(*parts, (size_t)all, sizeof(Part), ByFirst);
  *num = all;
  PetscCall(PetscFree(every));
  PetscCall(PetscFree(first));
  PetscCall(PetscFree2(counts, offsets));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MeasureParts(const SoretGrid *grid, PetscInt num, Part parts[])
{
  PetscInt64 *cells;
  PetscReal  *volume;
  PetscMPIInt n;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast(num, &n));
  PetscCall(PetscCalloc2(num, &cells, num, &volume));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    PetscInt ijk[3];

    if (grid->pocket[p] < 0) continue;
    SoretGridCellIndex(grid, p, ijk);
    cells[grid->pocket[p]]++;
    volume[grid->pocket[p]] += SoretGridCellVolume(grid, ijk);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, cells, n, MPIU_INT64, MPI_SUM, grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, volume, n, MPIU_REAL, MPI_SUM, grid->comm));
  for (PetscInt k = 0; k < num; k++) {
    parts[k].cells  = cells[k];
    parts[k].volume = volume[k];
  }
  PetscCall(PetscFree2(cells, volume));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Numbers the parts by size in the grid. */
static PetscErrorCode RankParts(SoretGrid *grid, PetscInt num, Part parts[])
{
  Part **order;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(num, &order));
  for (PetscInt k = 0; k < num; k++) order[k] = &parts[k];
  qsort(order, (size_t)num, sizeof(Part *), BySize);
  PetscCall(PetscMalloc1(num, &grid->pocket_volume));
  grid->fluid_volume = 0.0;
  for (PetscInt k = 0; k < num; k++) {
    order[k]->rank         = k;
    grid->pocket_volume[k] = order[k]->volume;
    grid->fluid_volume += order[k]->volume;
  }
  for (PetscInt p = 0; p < grid->num_cells; p++) grid->pocket[p] = grid->pocket[p] < 0 ? -1 : parts[grid->pocket[p]].rank;
  grid->num_pockets = num;
  PetscCall(PetscFree(order));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FindPockets(SoretGrid *grid)
{
  PetscInt  *parent, num;
  PetscReal *label;
  Part      *parts;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(grid->num_cells, &parent, grid->num_cells, &label));
  PetscCall(PetscMalloc1(grid->num_cells, &grid->pocket));
  JoinCells(grid, parent);
  PetscCall(JoinRanks(grid, parent, label));
  PetscCall(GatherParts(grid, parent, label, &num, &parts));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const Part  wanted = {.first = label[Root(parent, p)]};
    const Part *found  = SoretGridIsSolid(grid, p) ? NULL : (const Part *)bsearch(&wanted, parts, (size_t)num, sizeof(Part), ByFirst);

    grid->pocket[p] = found ? (PetscInt)(found - parts) : -1;
  }
  PetscCall(PetscFree2(parent, label));
  if (num) {
    PetscCall(MeasureParts(grid, num, parts));
    PetscCall(RankParts(grid, num, parts));
  } else PetscCall(SoretComplain(grid->comm, "soret: 'domain.solid' leaves no fluid: every cell is solid\n"));
  PetscCall(PetscFree(parts));
  PetscFunctionReturn(num ? PETSC_SUCCESS : SORET_ERR_INPUT);
}

static void FillPockets(SoretGrid *grid)
{
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    if (grid->pocket[p] <= 0) continue;
    grid->closed[p] = SORET_CLOSED_FACES | SORET_CLOSED_CELL;
    grid->pocket[p] = -1;
  }
  grid->num_pockets  = 1;
  grid->fluid_volume = grid->pocket_volume[0];
}

PetscErrorCode SoretSolidApply(const SoretSolidSpec *spec, SoretGrid *grid)
{
  PetscInt n[3];

  PetscFunctionBegin;
  if (!spec->field) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscCalloc1(grid->num_cells, &grid->closed));
  if (SoretFieldResolution(spec->field, n)) PetscCall(CloseByVoxels(spec->field, grid));
  else PetscCall(CloseByFormula(spec->field, grid));
  PetscCall(FindPockets(grid));
  if (spec->pockets == SORET_POCKETS_FILL) FillPockets(grid);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSolidReport(const SoretSolidSpec *spec, const SoretGrid *grid)
{
  enum { SHOWN = 5 };
  const PetscInt num = grid->num_pockets;

  PetscFunctionBegin;
  if (!spec->field) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretSay(grid->comm, "solid: the fluid fills %.6g of the box", (double)(grid->fluid_volume / grid->volume)));
  if (num == 1) PetscCall(SoretSay(grid->comm, "%s\n", spec->pockets == SORET_POCKETS_FILL ? ", all of it connected (pockets are filled)" : ", all of it connected"));
  else {
    PetscCall(SoretSay(grid->comm, " in %" PetscInt_FMT " parts that are cut off from each other, each with its own totals (solid_pockets: fill leaves the largest); volumes", num));
    for (PetscInt k = 0; k < PetscMin(num, SHOWN); k++) PetscCall(SoretSay(grid->comm, "%s %.6g", k ? "," : "", (double)grid->pocket_volume[k]));
    PetscCall(SoretSay(grid->comm, "%s\n", num > SHOWN ? ", ..." : ""));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
