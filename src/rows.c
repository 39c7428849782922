/* SPDX-License-Identifier: BSD-2-Clause

   The passes over all cells: residual and smoother. u = b c is held in a few slabs that roll through the box; within a row the species of a
   cell lie together for transport, and side by side in lanes of cells for reactions, so that both vectorise for any network. What is
   inlined for small numbers of species is one source with a constant argument (BY_SPECIES). Nearly all networks go another way: transport and
   reactions together, for four cells at once (blocks.c). */
#include "operator_private.h"

#include "blocks.h"
#include "soret/dense.h"

/* ---- rolling slabs ---- */

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

static PetscErrorCode ExchangeHalo(SoretOperator *op, const PetscReal *c)
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

/* Number of row (j, k) among all rows of this rank. */
static inline PetscInt RowNumber(const SoretOperator *op, PetscInt j, PetscInt k)
{
  return k * op->grid->count[1] + j;
}

/* Cells [begin, end) of a row of this rank as u = b c, with the layers of the neighbours along x where they reach these; beyond walls, which nothing passes here, as
   in the cell there. */
static void FillCells(const SoretOperator *op, const PetscReal *c, PetscInt number, PetscInt begin, PetscInt end, PetscReal *u)
{
  const PetscInt ns = op->num_species, w = op->width * ns, m = op->grid->count[0] * ns, first = begin * ns;

  SoretKernelScaleRow(end * ns - first, op->b + number * m + first, c + number * m + first, u + first);
  if (begin == 0) memcpy(u - w, op->wall[0] ? u : op->halo.recv[0][0] + number * w, (size_t)w * sizeof(PetscReal));
  if (end * ns == m) memcpy(u + m, op->wall[1] ? u + m - ns : op->halo.recv[0][1] + number * w, (size_t)w * sizeof(PetscReal));
}

static void FillRow(const SoretOperator *op, const PetscReal *c, PetscInt number, PetscReal *u)
{
  FillCells(op, c, number, 0, op->grid->count[0], u);
}

/* Fills rows m0 to m1 - 1 of slab o, and those around them; o may lie in the layers of a neighbour. */
static void FillSlab(const SoretOperator *op, const PetscReal *c, PetscInt o, PetscInt m0, PetscInt m1, PetscReal *slab)
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
      FillRow(op, c, RowNumber(op, j, k), u);
    }
  }
}

/* Pointers of a row into the slabs around it, slab[2] its own. Offsets that do not exist point at the row itself. */
static void PointRow(const SoretOperator *op, const PetscReal *c, PetscInt m, PetscInt o, PetscReal *const slab[5], SoretRow *row)
{
  const PetscInt ns = op->num_species, w = op->width, dim = op->grid->dim;
  PetscReal     *own = SlabRow(op, slab[2], m);

  LocateRow(op, m, o, &row->j, &row->k);
  row->first = RowNumber(op, row->j, row->k) * op->grid->count[0];
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
  PetscCall(ExchangeHalo(op, c));
  for (PetscInt m0 = 0; m0 < op->num_rows; m0 += block) {
    const PetscInt m1 = PetscMin(m0 + block, op->num_rows);

    for (PetscInt o = -w; o < w; o++) FillSlab(op, c, o, m0, m1, op->slab[(o + num) % num]);
    for (PetscInt o = 0; o < op->num_slabs; o++) {
      PetscReal *slab[5] = {NULL, NULL, NULL, NULL, NULL};

      FillSlab(op, c, o + w, m0, m1, op->slab[(o + w) % num]);
      for (PetscInt d = -w; d <= w; d++) slab[2 + d] = op->slab[(o + d + num) % num];
      for (PetscInt m = m0; m < m1; m++) {
        SoretRow row;

        PointRow(op, c, m, o, slab, &row);
        if (o + w + 1 < op->num_slabs) row.ahead += (w + 1) * op->grid->count[0] * (op->grid->dim > 2 ? op->grid->count[1] : 1); /* of the slab that is filled next */
        PetscCall(visit(op, &row, context));
      }
    }
  }
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- transport of a row ---- */

/* Of the cross-section of row (j, k). */
static inline PetscReal RowArea(const SoretGrid *grid, PetscInt j, PetscInt k)
{
  return grid->width[1][grid->start[1] + j] * grid->width[2][grid->start[2] + k];
}

/* Conductances per dx and a of the faces y-, y+, z-, z+ of a row; 0 where closed or beyond the dimension. */
static void RowConductances(const SoretOperator *op, const SoretRow *row, PetscReal g[4])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   J = grid->start[1] + row->j, K = grid->start[2] + row->k;

  for (int side = 0; side < 2; side++) {
    g[side] = g[2 + side] = 0.0;
    if (grid->dim > 1 && (grid->periodic[1] || (J + side > 0 && J + side < grid->n[1]))) g[side] = grid->width[2][K] / grid->distance[1][J + side];
    if (grid->dim > 2 && (grid->periodic[2] || (K + side > 0 && K + side < grid->n[2]))) g[2 + side] = grid->width[1][J] / grid->distance[2][K + side];
  }
}

/* Adds alpha c - beta of the walls to f, or writes it there where f holds nothing else, and writes alpha, where wanted. Does the row touch a wall
   where anything passes? If not, nothing is written. */
static PetscBool AddWalls(const SoretOperator *op, const SoretRow *row, PetscBool alone, PetscReal f[], PetscReal slope[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  PetscBool        any  = PETSC_FALSE;

  for (int face = 0; face < 2 * grid->dim; face++) {
    const PetscInt begin = face == 1 ? grid->count[0] - 1 : 0, end = face == 0 ? 1 : grid->count[0];

    if (!op->boundary->num[face]) continue;
    for (PetscInt i = begin; i < end; i++) {
      const PetscInt ijk[3] = {i, row->j, row->k}, q = SoretOperatorWall(op, face, ijk);

      if (q < 0) break;
      if (!any && alone) memset(f, 0, (size_t)(grid->count[0] * ns) * sizeof(PetscReal));
      if (!any && slope) memset(slope, 0, (size_t)(grid->count[0] * ns) * sizeof(PetscReal));
      any = PETSC_TRUE;
      for (PetscInt s = 0; s < ns; s++) {
        const PetscReal alpha = op->boundary->alpha[face][q + s];

        f[i * ns + s] += alpha * row->c[i * ns + s] - op->boundary->beta[face][q + s];
        if (slope) slope[i * ns + s] += alpha;
      }
    }
  }
  return any;
}

/* Net outflow of each entry of a row through its faces, walls left out, written to f, and, if wanted, its derivative by the entry's own u. */
SORET_CLONES static void TransportRow(const SoretOperator *op, const SoretRow *row, PetscReal *restrict f, PetscReal *restrict diagonal)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, m = grid->count[0] * ns;

  if (op->uniform) {
    const PetscReal area = RowArea(grid, row->j, row->k);
    PetscReal       g[4];

    RowConductances(op, row, g);
    SoretKernelUniformRow(m, ns, area, op->gx, op->dx, g, row->u[0][2], row->u[1][1], row->u[1][3], row->u[2][1], row->u[2][3], f);
    if (diagonal) SoretKernelUniformDiagonal(m, ns, area, op->gx, op->dx, g, diagonal);
  } else {
    memset(f, 0, (size_t)m * sizeof(PetscReal));
    if (diagonal) memset(diagonal, 0, (size_t)m * sizeof(PetscReal));
    for (int axis = 0; axis < grid->dim; axis++) {
      const PetscInt   ijk[3] = {0, row->j, row->k}, up[3] = {axis == 0, row->j + (axis == 1), row->k + (axis == 2)};
      const PetscInt   lo = SoretFaceIndex(grid, axis, ijk) * ns, hi = SoretFaceIndex(grid, axis, up) * ns;
      const PetscReal *w_lo = op->w[axis] ? op->w[axis] + lo : NULL, *w_hi = op->w[axis] ? op->w[axis] + hi : NULL;

      SoretKernelAddFaceRow(m, op->g[axis] + lo, op->g[axis] + hi, w_lo, w_hi, row->u[axis][1], row->u[axis][2], row->u[axis][3], f);
      if (diagonal) SoretKernelAddFaceDiagonal(m, op->g[axis] + lo, op->g[axis] + hi, w_lo, w_hi, diagonal);
    }
  }
}

PetscBool SoretOperatorFaceRow(const SoretOperator *op, const SoretRow *row, int axis, int side, PetscReal g[], PetscReal w[])
{
  const SoretGrid *grid  = op->grid;
  const PetscInt   ns    = op->num_species, m = grid->count[0] * ns;
  PetscInt         above[3] = {0, row->j, row->k};

  above[axis] += side;
  if (!op->uniform) {
    const PetscInt first = SoretFaceIndex(grid, axis, above) * ns;

    memcpy(g, op->g[axis] + first, (size_t)m * sizeof(PetscReal));
    if (op->w[axis]) memcpy(w, op->w[axis] + first, (size_t)m * sizeof(PetscReal));
    return op->w[axis] ? PETSC_TRUE : PETSC_FALSE;
  }
  if (axis == 0) {
    const PetscReal  area = RowArea(grid, row->j, row->k);
    const PetscReal *gx   = op->gx + side * ns;

    for (PetscInt q = 0; q < m; q++) g[q] = area * gx[q];
  } else {
    PetscReal shared[4];

    RowConductances(op, row, shared);
    for (PetscInt q = 0; q < m; q++) g[q] = shared[2 * (axis - 1) + side] * op->dx[q];
  }
  return PETSC_FALSE;
}

const PetscReal *SoretOperatorRowVolumes(const SoretOperator *op, PetscInt row, PetscReal work[])
{
  const SoretGrid *grid  = op->grid;
  const PetscReal  area  = RowArea(grid, row % grid->count[1], row / grid->count[1]);
  const PetscReal *width = grid->width[0] + grid->start[0];

  if (op->volume) return op->volume + row * grid->count[0];
  for (PetscInt i = 0; i < grid->count[0]; i++) work[i] = area * width[i];
  return work;
}

void SoretOperatorAddContent(const SoretOperator *op, PetscInt row, const PetscReal c[], PetscReal content[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, nx = grid->count[0];
  const PetscReal *volume = op->volume ? op->volume + row * nx : grid->width[0] + grid->start[0]; /* over the area */
  const PetscReal  area = op->volume ? 1.0 : RowArea(grid, row % grid->count[1], row / grid->count[1]);
  PetscReal        sum[SORET_MAX_SPECIES] = {0.0};

  if (ns <= SORET_FEW) SoretBlocksContent(ns, nx, volume, c + row * nx * ns, sum);
  else {
    for (PetscInt i = 0; i < nx; i++) {
      for (PetscInt s = 0; s < ns; s++) sum[s] += volume[i] * c[(row * nx + i) * ns + s];
    }
  }
  for (PetscInt s = 0; s < ns; s++) content[s] += area * sum[s];
}

/* ---- cells side by side ---- */

/* lanes[s][l] = x of species s of every `stride`-th cell. */
INLINED void Gather(const PetscInt ns, PetscInt n, const PetscInt stride, const PetscReal *restrict x, PetscReal *restrict lanes)
{
  for (PetscInt s = 0; s < ns; s++) {
    for (PetscInt l = 0; l < n; l++) lanes[s * n + l] = x[l * stride * ns + s];
  }
}

/* lanes[s][l] += what a solver adds per volume in the cells from p on. */
INLINED void AddTerms(const PetscInt ns, PetscInt n, const PetscInt stride, const SoretCellTerms *terms, PetscInt p, const PetscReal *restrict c, PetscReal *restrict lanes)
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
  }
}

/* ---- residual ---- */

typedef struct {
  const SoretCellTerms *terms;
  PetscReal            *f;     /* where it is stored, or */
  SoretResidualVisitor  visit; /* who gets it            */
  void                 *context;
} Residual;

/* Adds reactions and terms of cells i to i + n - 1 of a row to their residual f. */
SORET_CLONES static void ResidualLanes(PetscInt ns, SoretOperator *op, const SoretRow *row, const SoretCellTerms *terms, PetscInt i, PetscInt n, const PetscReal *restrict volume, PetscReal *restrict f)
{
  PetscReal       *c = op->lanes, *sum = c + ns * n;
  const PetscReal *k[2 * SORET_MAX_REACTIONS];

  Gather(ns, n, 1, row->c + i * ns, c);
  memset(sum, 0, (size_t)(ns * n) * sizeof(PetscReal));
  if (op->model->network.num_reactions) {
    SoretOperatorConstantLanes(op, row->first + i, k);
    SoretNetworkAddSourceLanes(&op->model->network, n, k, c, sum);
    for (PetscInt q = 0; q < ns * n; q++) sum[q] = -sum[q];
  }
  if (terms) AddTerms(ns, n, 1, terms, row->first + i, c, sum);
  for (PetscInt l = 0; l < n; l++) {
    for (PetscInt s = 0; s < ns; s++) f[l * ns + s] += volume[l] * sum[s * n + l];
  }
}

/* What blocks of four cells need of a row. */
static void BeginBlocks(const SoretOperator *op, const SoretRow *row, const SoretCellTerms *terms, SoretBlockRow *blocks)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, nx = grid->count[0];

  blocks->num_reactions = op->model->network.num_reactions;
  blocks->pair          = op->pair;
  blocks->slot          = op->slot;
  blocks->k_constant    = op->k_constant;
  blocks->k             = op->k + row->first * op->num_slots;
  blocks->nx            = nx;
  blocks->a             = op->a_constant;
  blocks->constant      = terms ? terms->constant : NULL;
  blocks->matrix        = terms ? terms->matrix : NULL;
  blocks->kept          = terms && terms->kept ? terms->kept + row->first * ns : NULL;
  blocks->dim           = (int)grid->dim;
  blocks->u             = row->u[0][2];
  blocks->ahead[0]      = row->c + (row->ahead - row->first) * ns;
  blocks->ahead[1]      = op->b + row->ahead * ns;
  for (int axis = 0; axis < 3; axis++) {
    blocks->u_lo[axis] = row->u[axis][1];
    blocks->u_hi[axis] = row->u[axis][3];
    if (op->blocks == SORET_BLOCKS_FACES && axis < grid->dim) {
      const PetscInt ijk[3] = {0, row->j, row->k}, up[3] = {axis == 0, row->j + (axis == 1), row->k + (axis == 2)};

      blocks->g_lo[axis] = op->g[axis] + SoretFaceIndex(grid, axis, ijk) * ns;
      blocks->g_hi[axis] = op->g[axis] + SoretFaceIndex(grid, axis, up) * ns;
    }
  }
  if (op->blocks < SORET_BLOCKS_UNIFORM) return;
  blocks->gx     = op->gx;
  blocks->dx     = op->dx;
  blocks->gx_sum = op->gx_sum;
  blocks->width  = grid->width[0] + grid->start[0];
  blocks->area   = RowArea(grid, row->j, row->k);
  RowConductances(op, row, blocks->g);
  if (op->blocks != SORET_BLOCKS_EVEN) return;
  blocks->even_width = blocks->width[0];
  for (int side = 0; side < 2; side++) blocks->g_even[side] = blocks->area / blocks->even_width;
  for (int face = 0; face < 4; face++) blocks->g_even[2 + face] = blocks->even_width * blocks->g[face];
}

static PetscErrorCode ResidualRow(SoretOperator *op, const SoretRow *row, void *context)
{
  const Residual *residual = (const Residual *)context;
  const PetscInt  ns = op->num_species, nx = op->grid->count[0];
  const PetscBool stored = op->blocks < SORET_BLOCKS_FACES ? PETSC_TRUE : PETSC_FALSE; /* transport is computed before reactions */
  PetscReal      *f = residual->f ? residual->f + row->first * ns : op->row + nx, *walls = stored ? f : op->row + nx + nx * ns;
  PetscBool       open;

  PetscFunctionBegin;
  if (stored) TransportRow(op, row, f, NULL);
  open = AddWalls(op, row, stored ? PETSC_FALSE : PETSC_TRUE, walls, NULL);
  if (op->width > 1) SoretAddBallisticRow(op, row, f);
  if (op->blocks) {
    SoretBlockRow blocks;

    BeginBlocks(op, row, residual->terms, &blocks);
    blocks.f      = stored || open ? walls : NULL;
    blocks.volume = op->blocks >= SORET_BLOCKS_UNIFORM ? NULL : SoretOperatorRowVolumes(op, row->first / nx, op->row);
    SoretBlocksResidual(ns, op->blocks, &blocks, row->c, f);
  } else if (op->model->network.num_reactions || residual->terms) {
    const PetscReal *volume = SoretOperatorRowVolumes(op, row->first / nx, op->row);

    for (PetscInt i = 0; i < nx; i += op->num_lanes) ResidualLanes(ns, op, row, residual->terms, i, PetscMin(op->num_lanes, nx - i), volume + i, f + i * ns);
  }
  if (residual->visit) PetscCall(residual->visit(op, row, f, residual->context));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorResidual(SoretOperator *op, const SoretCellTerms *terms, Vec c, Vec f)
{
  Residual residual = {.terms = terms};

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(f, &residual.f));
  PetscCall(SoretOperatorForEachRow(op, c, ResidualRow, &residual));
  PetscCall(VecRestoreArrayWrite(f, &residual.f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorForEachResidual(SoretOperator *op, const SoretCellTerms *terms, Vec c, SoretResidualVisitor visit, void *context)
{
  Residual residual = {.terms = terms, .visit = visit, .context = context};

  PetscFunctionBegin;
  PetscCall(SoretOperatorForEachRow(op, c, ResidualRow, &residual));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the Jacobian times a vector ---- */

typedef struct {
  const PetscReal *matrix, *c; /* as below; the state */
  PetscReal       *f;
} Product;

/* Adds reactions and matrix of cells i to i + n - 1 of a row to f. */
INLINED void MultiplyLanes(const PetscInt ns, SoretOperator *op, const SoretRow *row, const Product *product, PetscInt i, PetscInt n, const PetscReal *restrict volume, PetscReal *restrict f)
{
  const PetscInt   p = row->first + i;
  PetscReal       *c = op->lanes, *v = c + ns * n, *J = v + ns * n;
  const PetscReal *k[2 * SORET_MAX_REACTIONS];

  Gather(ns, n, 1, product->c + p * ns, c);
  Gather(ns, n, 1, row->c + i * ns, v);
  memset(J, 0, (size_t)(ns * ns * n) * sizeof(PetscReal));
  SoretOperatorConstantLanes(op, p, k);
  SoretNetworkAddJacobianLanes(&op->model->network, n, k, c, J);
  for (PetscInt s = 0; s < ns; s++) {
    for (PetscInt j = 0; j < ns; j++) {
      const PetscReal *own = J + (s * ns + j) * n;

      for (PetscInt l = 0; l < n; l++) f[l * ns + s] += volume[l] * (product->matrix[s * ns + j] - own[l]) * v[j * n + l];
    }
  }
}

SORET_CLONES static PetscErrorCode MultiplyRow(SoretOperator *op, const SoretRow *row, void *context)
{
  const Product   *product = (const Product *)context;
  const PetscInt   ns = op->num_species, nx = op->grid->count[0];
  PetscReal       *f = product->f + row->first * ns, *walls = op->row + nx, *slope = walls + nx * ns;
  const PetscReal *volume = SoretOperatorRowVolumes(op, row->first / nx, op->row);

  PetscFunctionBegin;
  TransportRow(op, row, f, NULL);
  if (AddWalls(op, row, PETSC_TRUE, walls, slope)) {
    for (PetscInt q = 0; q < nx * ns; q++) f[q] += slope[q] * row->c[q];
  }
  for (PetscInt i = 0; i < nx; i += op->num_lanes) {
    const PetscInt n = PetscMin(op->num_lanes, nx - i);

    BY_SPECIES(MultiplyLanes, ns, op, row, product, i, n, volume + i, f + i * ns);
  }
  for (PetscInt i = 0; i < nx && op->volume; i++) {
    for (PetscInt s = 0; s < ns && volume[i] == 0.0; s++) f[i * ns + s] = row->c[i * ns + s];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorMultiply(SoretOperator *op, const PetscReal matrix[], Vec c, Vec v, Vec f)
{
  Product product = {.matrix = matrix};

  PetscFunctionBegin;
  PetscCheck(op->width == 1, op->grid->comm, PETSC_ERR_SUP, "the product has no ballistic transport");
  PetscCall(VecGetArrayRead(c, &product.c));
  PetscCall(VecGetArrayWrite(f, &product.f));
  PetscCall(SoretOperatorForEachRow(op, v, MultiplyRow, &product));
  PetscCall(VecRestoreArrayWrite(f, &product.f));
  PetscCall(VecRestoreArrayRead(c, &product.c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- gross rates ---- */

/* What passes the walls of a row. */
static void AddGrossWalls(const SoretOperator *op, const SoretRow *row, PetscReal net[], PetscReal gross[], PetscReal scale[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, m = grid->count[0] * ns;

  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = face == 1 ? m - ns : 0; op->boundary->num[face] && q < (face == 0 ? ns : m); q++) {
      const PetscInt ijk[3] = {q / ns, row->j, row->k}, wall = SoretOperatorWall(op, face, ijk);
      PetscReal      in, out;

      if (wall < 0) break;
      in  = op->boundary->beta[face][wall + q % ns];
      out = op->boundary->alpha[face][wall + q % ns] * row->c[q];
      net[q] += out - in;
      gross[q] += PetscAbsReal(out - in);
      scale[q] += PetscAbsReal(in) + PetscAbsReal(out);
    }
  }
}

SORET_CLONES void SoretOperatorGrossTransport(SoretOperator *op, const SoretRow *row, PetscReal net[], PetscReal gross[], PetscReal scale[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, m = grid->count[0] * ns;

  if (op->uniform && op->width == 1) {
    const PetscReal area = RowArea(grid, row->j, row->k);
    PetscReal       g[4];

    RowConductances(op, row, g);
    SoretKernelUniformGrossRow(m, ns, area, op->gx, op->dx, g, row->u[0][2], row->u[1][1], row->u[1][3], row->u[2][1], row->u[2][3], net, gross, scale);
    AddGrossWalls(op, row, net, gross, scale);
    return;
  }
  memset(net, 0, (size_t)m * sizeof(PetscReal));
  memset(gross, 0, (size_t)m * sizeof(PetscReal));
  memset(scale, 0, (size_t)m * sizeof(PetscReal));
  if (op->width > 1) { /* ballistic: face by face */
    for (PetscInt q = 0; q < m; q++) {
      PetscReal flux[6], oneway[6];

      SoretOperatorFaceFluxes(op, row, q / ns, q % ns, flux, oneway);
      for (int face = 0; face < 6; face++) {
        net[q] += face % 2 ? flux[face] : -flux[face];
        gross[q] += PetscAbsReal(flux[face]);
        scale[q] += oneway[face];
      }
    }
    return;
  }
  for (int axis = 0; axis < grid->dim; axis++) {
    const PetscInt ijk[3] = {0, row->j, row->k}, up[3] = {axis == 0, row->j + (axis == 1), row->k + (axis == 2)};
    const PetscInt lo = SoretFaceIndex(grid, axis, ijk) * ns, hi = SoretFaceIndex(grid, axis, up) * ns;

    SoretKernelAddGrossRow(m, op->g[axis] + lo, op->g[axis] + hi, op->w[axis] ? op->w[axis] + lo : NULL, op->w[axis] ? op->w[axis] + hi : NULL, row->u[axis][1], row->u[axis][2], row->u[axis][3], net, gross, scale);
  }
  AddGrossWalls(op, row, net, gross, scale);
}

void SoretOperatorGrossReactions(SoretOperator *op, const SoretRow *row, PetscReal net[], PetscReal gross[])
{
  const PetscInt   ns = op->num_species, nx = op->grid->count[0];
  const PetscReal *volume = SoretOperatorRowVolumes(op, row->first / nx, op->row), *k[2 * SORET_MAX_REACTIONS];

  if (op->blocks) {
    SoretBlockRow blocks;

    BeginBlocks(op, row, NULL, &blocks);
    blocks.volume = volume;
    SoretBlocksGross(ns, &blocks, row->c, net, gross);
    return;
  }
  for (PetscInt i = 0; i < nx; i += op->num_lanes) {
    const PetscInt n = PetscMin(op->num_lanes, nx - i);
    PetscReal     *c = op->lanes, *source = c + ns * n, *absolute = source + ns * n;

    BY_SPECIES(Gather, ns, n, 1, row->c + i * ns, c);
    memset(source, 0, (size_t)(2 * ns * n) * sizeof(PetscReal));
    SoretOperatorConstantLanes(op, row->first + i, k);
    SoretNetworkAddSourceLanes(&op->model->network, n, k, c, source);
    SoretNetworkAddGrossLanes(&op->model->network, n, k, c, absolute);
    for (PetscInt l = 0; l < n; l++) {
      for (PetscInt s = 0; s < ns; s++) {
        net[(i + l) * ns + s]   = volume[i + l] * source[s * n + l];
        gross[(i + l) * ns + s] = volume[i + l] * absolute[s * n + l];
      }
    }
  }
}

void SoretOperatorRates(SoretOperator *op, const SoretRow *row, PetscReal rates[])
{
  const PetscInt   ns = op->num_species, nx = op->grid->count[0];
  const PetscReal *k[2 * SORET_MAX_REACTIONS];

  for (PetscInt i = 0; i < nx; i += op->num_lanes) {
    const PetscInt n = PetscMin(op->num_lanes, nx - i);

    BY_SPECIES(Gather, ns, n, 1, row->c + i * ns, op->lanes);
    SoretOperatorConstantLanes(op, row->first + i, k);
    SoretNetworkRatesLanes(&op->model->network, n, k, op->lanes, nx, rates + i);
  }
}

/* ---- smoother ---- */

typedef struct {
  const SoretCellTerms *terms;
  const PetscReal      *rhs;     /* may be NULL */
  PetscReal            *c;       /* the vector itself, changed in place */
  PetscReal            *content; /* [num_species] */
} Sweep;

/* What is known of a row before its lanes. */
typedef struct {
  const PetscReal *f;        /* transport and walls              */
  const PetscReal *diagonal; /* their derivative by the own u    */
  const PetscReal *walls;    /* that of the walls by c, or NULL  */
  const PetscReal *volume;
} RowParts;

/* Solves J x = f in one lane from scratch: where elimination without pivoting lost too much. */
static void SolveLane(PetscInt ns, PetscInt pitch, const PetscReal *J, const PetscReal *f, PetscReal *x)
{
  PetscReal A[SORET_MAX_SPECIES * SORET_MAX_SPECIES], r[SORET_MAX_SPECIES];

  for (PetscInt e = 0; e < ns * ns; e++) A[e] = J[e * pitch];
  for (PetscInt s = 0; s < ns; s++) r[s] = f[s * pitch];
  (void)SoretSolveDense(ns, A, r);
  for (PetscInt s = 0; s < ns; s++) x[s * pitch] = r[s];
}

/* Solves J x = f in each of n lanes, which lie `pitch` entries apart, by elimination without pivoting, which is safe for the diagonally dominant
   blocks of most networks; the pivots are watched, and lanes that lose digits are solved again with pivoting. J and f survive. */
INLINED void SolveLanes(const PetscInt ns, PetscInt n, const PetscInt pitch, const PetscReal *restrict J, const PetscReal *restrict f, PetscReal *restrict LU, PetscReal *restrict x, PetscReal *restrict pivot)
{
  PetscReal worst[SORET_MAX_LANES];

  for (PetscInt e = 0; e < ns * ns; e++) memcpy(LU + e * pitch, J + e * pitch, (size_t)n * sizeof(PetscReal));
  for (PetscInt s = 0; s < ns; s++) memcpy(x + s * pitch, f + s * pitch, (size_t)n * sizeof(PetscReal));
  for (PetscInt l = 0; l < n; l++) worst[l] = 1.0;
  for (PetscInt c = 0; c < ns; c++) {
    PetscReal       *row = LU + c * ns * pitch;
    const PetscReal *own = J + (c * ns + c) * pitch;

    for (PetscInt l = 0; l < n; l++) {
      worst[l] = PetscMin(worst[l], row[c * pitch + l] / own[l]);
      pivot[l] = 1.0 / row[c * pitch + l];
    }
    for (PetscInt i = c + 1; i < ns; i++) {
      PetscReal *below = LU + i * ns * pitch;

      for (PetscInt l = 0; l < n; l++) below[c * pitch + l] *= pivot[l];
      for (PetscInt j = c + 1; j < ns; j++) {
        for (PetscInt l = 0; l < n; l++) below[j * pitch + l] -= below[c * pitch + l] * row[j * pitch + l];
      }
      for (PetscInt l = 0; l < n; l++) x[i * pitch + l] -= below[c * pitch + l] * x[c * pitch + l];
    }
  }
  for (PetscInt c = ns - 1; c >= 0; c--) {
    PetscReal *row = LU + c * ns * pitch;

    for (PetscInt j = c + 1; j < ns; j++) {
      for (PetscInt l = 0; l < n; l++) x[c * pitch + l] -= row[j * pitch + l] * x[j * pitch + l];
    }
    for (PetscInt l = 0; l < n; l++) x[c * pitch + l] /= row[c * pitch + l];
  }
  for (PetscInt l = 0; l < n; l++) {
    if (!(worst[l] > 1.0e-6)) SolveLane(ns, pitch, J + l, f + l, x + l);
  }
}

/* Would SoretKernelShorten() do anything, or is anything not a number? */
INLINED PetscBool IsTooLong(const PetscInt ns, PetscInt n, const PetscInt pitch, const PetscReal *restrict c, const PetscReal *restrict x)
{
  int bad = 0;

  for (PetscInt s = 0; s < ns; s++) {
    SORET_PRAGMA(omp simd reduction(| : bad))
    for (PetscInt l = 0; l < n; l++) bad |= (c[s * pitch + l] > 0.0) & !(c[s * pitch + l] - x[s * pitch + l] > 0.0);
  }
  return bad ? PETSC_TRUE : PETSC_FALSE;
}

/* Newton's correction of the n cells i, i + 2, ... of a row; f and diagonal hold transport and walls of the row. */
SORET_CLONES static void CorrectLanes(PetscInt ns, SoretOperator *op, const Sweep *sweep, const SoretRow *row, const RowParts *parts, PetscInt i, PetscInt n)
{
  const SoretNetwork   *net   = &op->model->network;
  const SoretCellTerms *terms = sweep->terms;
  const PetscInt        p = row->first + i, R = 2 * net->num_reactions;
  PetscReal            *c = op->lanes, *f = c + ns * n, *sum = f + ns * n, *x = sum + ns * n, *J = x + ns * n, *volume = J + ns * ns * n, *work = volume + n, *k_lanes = work + n;
  PetscReal *restrict   out = sweep->c + p * ns, *restrict u = (PetscReal *)row->u[0][2] + i * ns;
  const PetscReal      *b = op->b + p * ns, *k[2 * SORET_MAX_REACTIONS];

  Gather(ns, n, 2, out, c);
  Gather(ns, n, 2, parts->f + i * ns, f);
  Gather(1, n, 2, parts->volume + i, volume);
  memset(sum, 0, (size_t)(ns * n) * sizeof(PetscReal));
  memset(J, 0, (size_t)(ns * ns * n) * sizeof(PetscReal));
  if (R) {
    SoretOperatorConstantLanes(op, p, k);
    for (PetscInt r = 0; r < R; r++) {
      if (op->slot[r] < 0) continue;
      Gather(1, n, 2, k[r], k_lanes + r * n);
      k[r] = k_lanes + r * n;
    }
    SoretNetworkAddSourceLanes(net, n, k, c, sum);
    SoretNetworkAddJacobianLanes(net, n, k, c, J);
    for (PetscInt q = 0; q < ns * n; q++) sum[q] = -sum[q];
    for (PetscInt e = 0; e < ns * ns; e++) {
      for (PetscInt l = 0; l < n; l++) J[e * n + l] *= -volume[l];
    }
  }
  if (terms) AddTerms(ns, n, 2, terms, p, c, sum);
  if (terms && terms->matrix) {
    for (PetscInt e = 0; e < ns * ns; e++) {
      for (PetscInt l = 0; l < n; l++) J[e * n + l] += volume[l] * terms->matrix[e];
    }
  }
  for (PetscInt s = 0; s < ns; s++) {
    PetscReal *diagonal = J + (s * ns + s) * n;

    for (PetscInt l = 0; l < n; l++) f[s * n + l] += volume[l] * sum[s * n + l];
    for (PetscInt l = 0; l < n && sweep->rhs; l++) f[s * n + l] -= sweep->rhs[(p + 2 * l) * ns + s];
    for (PetscInt l = 0; l < n; l++) {
      const PetscInt q = (i + 2 * l) * ns + s;

      diagonal[l] += b[2 * l * ns + s] * parts->diagonal[q] + (parts->walls ? parts->walls[q] : 0.0);
      diagonal[l] = diagonal[l] == 0.0 ? 1.0 : diagonal[l]; /* nothing happens here: a closed cell */
    }
  }
  SolveLanes(ns, n, n, J, f, k_lanes + R * n, x, work);
  if (IsTooLong(ns, n, n, c, x)) SoretKernelShorten(ns, n, n, c, x);
  for (PetscInt q = 0; q < ns * n; q++) c[q] -= x[q];
  for (PetscInt s = 0; s < ns; s++) {
    PetscReal total = 0.0;

    for (PetscInt l = 0; l < n; l++) {
      out[2 * l * ns + s] = c[s * n + l];
      u[2 * l * ns + s]   = b[2 * l * ns + s] * c[s * n + l];
    }
    SORET_SUM(total)
    for (PetscInt l = 0; l < n; l++) total += volume[l] * c[s * n + l];
    sweep->content[s] += total;
  }
}

/* Of cell (i, j, k) of this rank: 0, which comes first, or 1. */
static inline PetscInt Colour(const SoretOperator *op, PetscInt i, PetscInt j, PetscInt k)
{
  const PetscInt *start = op->grid->start;

  return (start[0] + i + start[1] + j + start[2] + k) & 1;
}

/* Corrects the cells of one colour among cells begin to end - 1 of a row, and their u. */
static void CorrectRow(SoretOperator *op, const Sweep *sweep, const SoretRow *row, PetscInt begin, PetscInt end, PetscInt colour)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, m = grid->count[0] * ns;
  const PetscInt   skip   = Colour(op, begin, row->j, row->k) == colour ? 0 : 1;
  const PetscBool  stored = op->blocks < SORET_BLOCKS_FACES ? PETSC_TRUE : PETSC_FALSE;
  PetscReal       *f = op->row, *diagonal = f + m, *walls = diagonal + m;
  const PetscReal *volume = op->blocks >= SORET_BLOCKS_UNIFORM ? NULL : SoretOperatorRowVolumes(op, row->first / grid->count[0], walls + m);
  PetscBool        open;

  if (stored) TransportRow(op, row, f, diagonal);
  open = AddWalls(op, row, stored ? PETSC_FALSE : PETSC_TRUE, f, walls);
  if (op->blocks) {
    const PetscInt p = row->first * ns;
    SoretBlockRow  blocks;

    BeginBlocks(op, row, sweep->terms, &blocks);
    blocks.f        = stored || open ? f : NULL;
    blocks.diagonal = diagonal;
    blocks.walls    = open ? walls : NULL;
    blocks.volume   = volume;
    blocks.b        = op->b + p;
    blocks.rhs      = sweep->rhs ? sweep->rhs + p : NULL;
    SoretBlocksCorrect(ns, op->blocks, &blocks, begin + skip, end, sweep->c + p, (PetscReal *)row->u[0][2], sweep->content);
  } else {
    const RowParts parts = {.f = f, .diagonal = diagonal, .walls = open ? walls : NULL, .volume = volume};

    for (PetscInt i = begin + skip; i < end; i += 2 * op->num_lanes) CorrectLanes(ns, op, sweep, row, &parts, i, PetscMin(op->num_lanes, (end - i + 1) / 2));
  }
}

/* Cells [begin, end) of a row in the window, with the cells and rows around them, where the slabs are not filled. */
static void PointWindow(const SoretOperator *op, const PetscReal *c, PetscInt j, PetscInt k, PetscInt begin, PetscInt end, SoretRow *row)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, nx = grid->count[0], first = PetscMax(begin - 1, 0), last = PetscMin(end + 1, nx);
  PetscReal       *own = op->window + ns;

  row->j     = j;
  row->k     = k;
  row->first = row->ahead = RowNumber(op, j, k) * nx;
  row->c     = c + row->first * ns;
  FillCells(op, c, RowNumber(op, j, k), first, last, own);
  for (int axis = 0; axis < 3; axis++) {
    for (int d = 0; d < 5; d++) row->u[axis][d] = own + (axis == 0 && PetscAbsInt(d - 2) <= 1 ? (d - 2) * ns : 0);
    for (int side = 0; side < 2 && axis > 0 && axis < grid->dim; side++) {
      const PetscInt at[3] = {0, j + (axis == 1 ? 2 * side - 1 : 0), k + (axis == 2 ? 2 * side - 1 : 0)}, other = axis == 1 ? k : j;
      PetscReal     *u     = op->window + (2 * axis - 1 + side) * op->row_length + ns;

      if (at[axis] >= 0 && at[axis] < grid->count[axis]) FillCells(op, c, RowNumber(op, at[1], at[2]), first, last, u);
      else memcpy(u + first * ns, op->halo.recv[axis][side] + (other * nx + first) * ns, (size_t)((last - first) * ns) * sizeof(PetscReal));
      row->u[axis][2 * side + 1] = u;
    }
  }
}

/* Does row (j, k) touch another rank along y or z? */
static PetscBool RowIsShared(const SoretOperator *op, PetscInt j, PetscInt k)
{
  const PetscInt at[3] = {0, j, k};

  for (int axis = 1; axis < op->grid->dim; axis++) {
    if (at[axis] == 0 && op->halo.neighbor[axis][0] != MPI_PROC_NULL) return PETSC_TRUE;
    if (at[axis] == op->grid->count[axis] - 1 && op->halo.neighbor[axis][1] != MPI_PROC_NULL) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* The red cells at other ranks, before all others: then the neighbours get them with one exchange, and one pass does the rest. first and last
   get the range of the cells that are left in the rows that are not shared. */
static PetscErrorCode CorrectShared(SoretOperator *op, const Sweep *sweep, PetscInt *first, PetscInt *last)
{
  const PetscInt  nx    = op->grid->count[0];
  const PetscBool lo    = op->halo.neighbor[0][0] != MPI_PROC_NULL ? PETSC_TRUE : PETSC_FALSE, hi = op->halo.neighbor[0][1] != MPI_PROC_NULL ? PETSC_TRUE : PETSC_FALSE;
  PetscBool       any   = lo || hi ? PETSC_TRUE : PETSC_FALSE;
  SoretRow        row;

  PetscFunctionBegin;
  *first = lo ? 1 : 0;
  *last  = hi ? nx - 1 : nx;
  for (int axis = 1; axis < op->grid->dim; axis++) any = any || op->halo.neighbor[axis][0] != MPI_PROC_NULL || op->halo.neighbor[axis][1] != MPI_PROC_NULL ? PETSC_TRUE : PETSC_FALSE;
  if (!any) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt k = 0; k < op->grid->count[2]; k++) {
    for (PetscInt j = 0; j < op->grid->count[1]; j++) {
      const PetscBool shared = RowIsShared(op, j, k);

      if (shared) {
        PointWindow(op, sweep->c, j, k, 0, nx, &row);
        CorrectRow(op, sweep, &row, 0, nx, 0);
        continue;
      }
      for (int side = 0; side < 2; side++) {
        const PetscInt i = side ? nx - 1 : 0;

        if (!(side ? hi : lo) || (side && lo && nx == 1) || Colour(op, i, j, k) != 0) continue;
        PointWindow(op, sweep->c, j, k, i, i + 1, &row);
        CorrectRow(op, sweep, &row, i, i + 1, 0);
      }
    }
  }
  PetscCall(ExchangeHalo(op, sweep->c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Both colours in one pass: the black cells of a slab follow when the red ones of the next are done. */
static void SweepSlabs(SoretOperator *op, const Sweep *sweep, PetscInt first, PetscInt last)
{
  const PetscInt w = op->grid->dim > 1 ? 1 : 0, num = op->grid->dim > 1 ? 4 : 1;

  for (PetscInt o = -w; o < w; o++) FillSlab(op, sweep->c, o, 0, op->num_rows, op->slab[(o + num) % num]);
  for (PetscInt o = 0; o < op->num_slabs + w; o++) {
    const PetscInt black = o - w;
    PetscReal     *slab[2][5] = {{NULL}, {NULL}};

    if (o < op->num_slabs) FillSlab(op, sweep->c, o + w, 0, op->num_rows, op->slab[(o + w) % num]);
    for (PetscInt d = -w; d <= w; d++) {
      slab[0][2 + d] = op->slab[(o + d + num) % num];
      slab[1][2 + d] = op->slab[(black + d + num) % num];
    }
    for (PetscInt m = 0; m < op->num_rows; m++) {
      SoretRow row;

      if (o < op->num_slabs) {
        PointRow(op, sweep->c, m, o, slab[0], &row);
        if (!RowIsShared(op, row.j, row.k)) CorrectRow(op, sweep, &row, first, last, 0);
      }
      if (black < 0) continue;
      PointRow(op, sweep->c, m, black, slab[1], &row);
      CorrectRow(op, sweep, &row, 0, op->grid->count[0], 1);
    }
  }
}

PetscErrorCode SoretOperatorSmooth(SoretOperator *op, const SoretCellTerms *terms, Vec rhs, Vec c, PetscReal content[])
{
  PetscReal unused[SORET_MAX_SPECIES];
  Sweep     sweep = {.terms = terms, .rhs = NULL, .content = content ? content : unused};
  PetscInt  first, last;

  PetscFunctionBegin;
  PetscCheck(op->width == 1, op->grid->comm, PETSC_ERR_SUP, "the smoother has no ballistic transport");
  PetscCall(PetscArrayzero(sweep.content, op->num_species));
  if (rhs) PetscCall(VecGetArrayRead(rhs, &sweep.rhs));
  PetscCall(VecGetArray(c, &sweep.c));
  PetscCall(ExchangeHalo(op, sweep.c));
  PetscCall(CorrectShared(op, &sweep, &first, &last));
  SweepSlabs(op, &sweep, first, last);
  PetscCall(VecRestoreArray(c, &sweep.c));
  if (rhs) PetscCall(VecRestoreArrayRead(rhs, &sweep.rhs));
  PetscFunctionReturn(PETSC_SUCCESS);
}
