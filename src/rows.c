/* SPDX-License-Identifier: BSD-2-Clause

   What is done row by row: transport, residual, product with the Jacobian, gross rates. Within a row the species of a
   cell lie together for transport, and side by side in lanes of cells for reactions, so that both vectorise for any network. What is
   inlined for small numbers of species is one source with a constant argument (BY_SPECIES). Nearly all networks go another way: transport and
   reactions together, for four cells at once (blocks.c). */
#include "rows.h"

/* ---- transport of a row ---- */

/* Of the cross-section of row (j, k). */
static inline PetscReal RowArea(const SoretGrid *grid, PetscInt j, PetscInt k)
{
  return grid->width[1][grid->start[1] + j] * grid->width[2][grid->start[2] + k];
}

/* Conductances per dx and a of the faces y-, y+, z-, z+ of a row; 0 where closed or beyond the dimension. */
static inline void RowConductances(const SoretOperator *op, const SoretRow *row, PetscReal g[4])
{
  const SoretGrid *grid = op->grid;
  const PetscReal  dy = grid->width[1][grid->start[1] + row->j], dz = grid->width[2][grid->start[2] + row->k];

  for (int side = 0; side < 2; side++) {
    g[side]     = dz * op->inverse[1][row->j + side];
    g[2 + side] = dy * op->inverse[2][row->k + side];
  }
}

/* Does anything pass a wall of the row? */
static PetscBool RowIsOpen(const SoretOperator *op, const SoretRow *row)
{
  if (!op->boundary->open) return PETSC_FALSE;
  for (int face = 0; face < 2 * op->grid->dim; face++) {
    const PetscInt ijk[3] = {face == 1 ? op->grid->count[0] - 1 : 0, row->j, row->k};

    if (SoretOperatorWall(op, face, ijk) >= 0) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

PetscBool SoretAddWalls(const SoretOperator *op, const SoretRow *row, PetscBool alone, PetscReal f[], PetscReal slope[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;

  if (!RowIsOpen(op, row)) return PETSC_FALSE;
  if (alone) memset(f, 0, (size_t)(grid->count[0] * ns) * sizeof(PetscReal));
  if (slope) memset(slope, 0, (size_t)(grid->count[0] * ns) * sizeof(PetscReal));
  for (int face = 0; face < 2 * grid->dim; face++) {
    const PetscInt begin = face == 1 ? grid->count[0] - 1 : 0, end = face == 0 ? 1 : grid->count[0];

    if (!op->boundary->num[face]) continue;
    for (PetscInt i = begin; i < end; i++) {
      const PetscInt ijk[3] = {i, row->j, row->k}, q = SoretOperatorWall(op, face, ijk);

      if (q < 0) break;
      for (PetscInt s = 0; s < ns; s++) {
        const PetscReal alpha = op->boundary->alpha[face][q + s];

        f[i * ns + s] += alpha * row->c[i * ns + s] - op->boundary->beta[face][q + s];
        if (slope) slope[i * ns + s] += alpha;
      }
    }
  }
  return PETSC_TRUE;
}

SORET_CLONES void SoretTransportRow(const SoretOperator *op, const SoretRow *row, PetscReal *restrict f, PetscReal *restrict diagonal)
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

const PetscReal *SoretOperatorRowWidths(const SoretOperator *op, PetscInt row, PetscReal *area)
{
  const SoretGrid *grid = op->grid;

  *area = op->volume ? 1.0 : RowArea(grid, row % grid->count[1], row / grid->count[1]);
  return op->volume ? op->volume + row * grid->count[0] : grid->width[0] + grid->start[0];
}

const PetscReal *SoretOperatorRowVolumes(const SoretOperator *op, PetscInt row, PetscReal work[])
{
  PetscReal        area;
  const PetscReal *width = SoretOperatorRowWidths(op, row, &area);

  if (op->volume) return width;
  for (PetscInt i = 0; i < op->grid->count[0]; i++) work[i] = area * width[i];
  return work;
}

void SoretOperatorAddContent(const SoretOperator *op, PetscInt row, const PetscReal c[], PetscReal content[])
{
  const PetscInt   ns = op->num_species, nx = op->grid->count[0];
  PetscReal        sum[SORET_MAX_SPECIES] = {0.0}, area;
  const PetscReal *volume = SoretOperatorRowWidths(op, row, &area);

  if (ns <= SORET_FEW) SoretBlocksContent(ns, nx, volume, c + row * nx * ns, sum);
  else {
    for (PetscInt i = 0; i < nx; i++) {
      for (PetscInt s = 0; s < ns; s++) sum[s] += volume[i] * c[(row * nx + i) * ns + s];
    }
  }
  for (PetscInt s = 0; s < ns; s++) content[s] += area * sum[s];
}

PetscErrorCode SoretOperatorContent(const SoretOperator *op, Vec c, PetscReal content[])
{
  const PetscReal *x;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(content, op->num_species));
  PetscCall(VecGetArrayRead(c, &x));
  for (PetscInt row = 0; row < op->grid->count[1] * op->grid->count[2]; row++) SoretOperatorAddContent(op, row, x, content); /* row by row: less rounding than in one go */
  PetscCall(VecRestoreArrayRead(c, &x));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, content, (PetscMPIInt)op->num_species, MPIU_REAL, MPI_SUM, op->grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- residual ---- */

typedef struct {
  const SoretCellTerms *terms;
  PetscReal            *f;     /* where it is stored, or */
  SoretResidualVisitor  visit; /* who gets it            */
  void                 *context;
  SoretBlockRow         blocks;
} Residual;

/* Adds reactions and terms of cells i to i + n - 1 of a row to their residual f. */
SORET_CLONES static void ResidualLanes(PetscInt ns, SoretOperator *op, const SoretRow *row, const SoretCellTerms *terms, PetscInt i, PetscInt n, const PetscReal *restrict volume, PetscReal *restrict f)
{
  PetscReal       *c = op->lanes, *sum = c + ns * n;
  const PetscReal *k[2 * SORET_MAX_REACTIONS];

  SoretGather(ns, n, 1, row->c + i * ns, c);
  memset(sum, 0, (size_t)(ns * n) * sizeof(PetscReal));
  if (op->model->network.num_reactions) {
    SoretOperatorConstantLanes(op, row->number, i, k);
    SoretNetworkAddSourceLanes(&op->model->network, n, k, c, sum);
    for (PetscInt q = 0; q < ns * n; q++) sum[q] = -sum[q];
  }
  if (terms) SoretAddTerms(ns, n, 1, terms, row->first + i, c, sum);
  for (PetscInt l = 0; l < n; l++) {
    for (PetscInt s = 0; s < ns; s++) f[l * ns + s] += volume[l] * sum[s * n + l];
  }
}

void SoretBeginBlocks(const SoretOperator *op, const SoretCellTerms *terms, SoretBlockRow *blocks)
{
  const SoretGrid *grid = op->grid;

  memset(blocks, 0, sizeof(*blocks));
  blocks->nx            = grid->count[0];
  blocks->near          = op->first_cache_bytes >= 48 * 1024 ? PETSC_TRUE : PETSC_FALSE;
  blocks->num_reactions = op->model->network.num_reactions;
  blocks->pair          = op->pair;
  blocks->shape         = op->shape;
  blocks->slot          = op->slot;
  blocks->k             = op->rates;
  blocks->constant      = terms ? terms->constant : NULL;
  blocks->matrix        = terms ? terms->matrix : NULL;
  blocks->shift         = terms ? terms->shift : 0.0;
  blocks->dim           = (int)grid->dim;
  if (op->blocks < SORET_BLOCKS_UNIFORM) return;
  blocks->a      = op->a_constant;
  blocks->gx     = op->gx;
  blocks->dx     = op->dx;
  blocks->gx_sum = op->gx_sum;
  blocks->width  = grid->width[0] + grid->start[0];
  if (op->blocks != SORET_BLOCKS_EVEN) return;
  blocks->even_width   = blocks->width[0];
  blocks->even_inverse = 1.0 / blocks->even_width;
}

void SoretMoveBlocks(const SoretOperator *op, const SoretCellTerms *terms, const SoretRow *row, SoretBlockRow *blocks)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species;

  SoretOperatorConstantLanes(op, row->number, 0, op->rates);
  blocks->kept = terms && terms->kept ? terms->kept + row->first * ns : NULL;
  blocks->old  = terms && terms->old ? terms->old + row->first * ns : NULL;
  blocks->b    = op->b + row->first * ns;
  blocks->u    = row->u[0][2];
  blocks->fill = NULL;
  if (row->next >= 0) {
    blocks->fill   = SoretNextRow(op, row);
    blocks->fill_b = op->b + row->next * grid->count[0] * ns;
    blocks->fill_c = row->c + (row->next - row->number) * grid->count[0] * ns;
  }
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
  blocks->area = RowArea(grid, row->j, row->k);
  RowConductances(op, row, blocks->g);
  if (op->blocks != SORET_BLOCKS_EVEN) return;
  for (int side = 0; side < 2; side++) blocks->g_even[side] = blocks->area * blocks->even_inverse;
  for (int face = 0; face < 4; face++) blocks->g_even[2 + face] = blocks->even_width * blocks->g[face];
}

static PetscErrorCode ResidualRow(SoretOperator *op, const SoretRow *row, void *context)
{
  Residual       *residual = (Residual *)context;
  const PetscInt  ns = op->num_species, nx = op->grid->count[0];
  const PetscBool stored = op->blocks < SORET_BLOCKS_FACES ? PETSC_TRUE : PETSC_FALSE; /* transport is computed before reactions */
  PetscReal      *f = residual->f ? residual->f + row->first * ns : op->row + nx, *walls = stored ? f : op->row + nx + nx * ns;
  PetscBool       open;

  PetscFunctionBegin;
  if (stored) SoretTransportRow(op, row, f, NULL);
  open = SoretAddWalls(op, row, stored ? PETSC_FALSE : PETSC_TRUE, walls, NULL);
  if (op->width > 1) SoretAddBallisticRow(op, row, f);
  if (op->blocks) {
    SoretMoveBlocks(op, residual->terms, row, &residual->blocks);
    residual->blocks.f = stored || open ? walls : NULL;
    if (op->blocks < SORET_BLOCKS_UNIFORM) residual->blocks.volume = SoretOperatorRowVolumes(op, row->number, op->row);
    SoretBlocksResidual(ns, op->blocks, &residual->blocks, row->c, f);
  } else if (op->model->network.num_reactions || residual->terms) {
    const PetscReal *volume = SoretOperatorRowVolumes(op, row->number, op->row);

    for (PetscInt i = 0; i < nx; i += op->num_lanes) ResidualLanes(ns, op, row, residual->terms, i, PetscMin(op->num_lanes, nx - i), volume + i, f + i * ns);
  }
  if (residual->visit) PetscCall(residual->visit(op, row, f, residual->context));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is a residual so large that it is out of the caches when somebody reads it? Then it goes past them, and memory is not read only to be overwritten. */
static PetscBool IsWrittenPast(const SoretOperator *op, const PetscReal *f)
{
  const size_t size = (size_t)op->grid->num_cells * (size_t)op->num_species * sizeof(PetscReal);

  return size >= 16 * (size_t)op->cache_bytes && SoretBlocksAreAligned(op->num_species, op->grid->count[0], f) ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode SoretOperatorResidual(SoretOperator *op, const SoretCellTerms *terms, Vec c, Vec f)
{
  Residual residual = {.terms = terms};

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(f, &residual.f));
  SoretBeginBlocks(op, terms, &residual.blocks);
  residual.blocks.past = IsWrittenPast(op, residual.f);
  PetscCall(SoretForEachRow(op, c, SoretBlocksFill(op), ResidualRow, &residual));
  PetscCall(VecRestoreArrayWrite(f, &residual.f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorForEachResidual(SoretOperator *op, const SoretCellTerms *terms, Vec c, SoretResidualVisitor visit, void *context)
{
  Residual residual = {.terms = terms, .visit = visit, .context = context};

  PetscFunctionBegin;
  SoretBeginBlocks(op, terms, &residual.blocks);
  PetscCall(SoretForEachRow(op, c, SoretBlocksFill(op), ResidualRow, &residual));
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

  SoretGather(ns, n, 1, product->c + p * ns, c);
  SoretGather(ns, n, 1, row->c + i * ns, v);
  memset(J, 0, (size_t)(ns * ns * n) * sizeof(PetscReal));
  SoretOperatorConstantLanes(op, row->number, i, k);
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
  const PetscReal *volume = SoretOperatorRowVolumes(op, row->number, op->row);

  PetscFunctionBegin;
  SoretTransportRow(op, row, f, NULL);
  if (SoretAddWalls(op, row, PETSC_TRUE, walls, slope)) {
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

SORET_CLONES void SoretOperatorGrossTransport(SoretOperator *op, const SoretRow *row, PetscReal net[], PetscReal gross[], PetscReal scale[], PetscReal carried[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, m = grid->count[0] * ns;

  memset(carried, 0, (size_t)m * sizeof(PetscReal));
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

    SoretKernelAddGrossRow(m, op->g[axis] + lo, op->g[axis] + hi, op->w[axis] ? op->w[axis] + lo : NULL, op->w[axis] ? op->w[axis] + hi : NULL, row->u[axis][1], row->u[axis][2], row->u[axis][3], net, gross, scale, carried);
  }
  AddGrossWalls(op, row, net, gross, scale);
}

void SoretOperatorGrossReactions(SoretOperator *op, const SoretRow *row, PetscReal net[], PetscReal gross[])
{
  const PetscInt   ns = op->num_species, nx = op->grid->count[0];
  const PetscReal *volume = SoretOperatorRowVolumes(op, row->number, op->row), *k[2 * SORET_MAX_REACTIONS];

  if (op->blocks) {
    SoretBlockRow blocks;

    SoretBeginBlocks(op, NULL, &blocks);
    SoretMoveBlocks(op, NULL, row, &blocks);
    blocks.volume = volume;
    SoretBlocksGross(ns, &blocks, row->c, net, gross);
    return;
  }
  for (PetscInt i = 0; i < nx; i += op->num_lanes) {
    const PetscInt n = PetscMin(op->num_lanes, nx - i);
    PetscReal     *c = op->lanes, *source = c + ns * n, *absolute = source + ns * n;

    BY_SPECIES(SoretGather, ns, n, 1, row->c + i * ns, c);
    memset(source, 0, (size_t)(2 * ns * n) * sizeof(PetscReal));
    SoretOperatorConstantLanes(op, row->number, i, k);
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

PetscBool SoretOperatorAddSquares(SoretOperator *op, const SoretRow *row, SoretSquares *squares)
{
  SoretBlockRow blocks;
  PetscBool     done = PETSC_FALSE;

  if (op->blocks >= SORET_BLOCKS_FACES && !RowIsOpen(op, row)) {
    SoretBeginBlocks(op, NULL, &blocks);
    SoretMoveBlocks(op, NULL, row, &blocks);
    blocks.volume = SoretOperatorRowVolumes(op, row->number, op->row);
    done = SoretBlocksAddSquares(op->num_species, op->blocks == SORET_BLOCKS_FACES ? SORET_BLOCKS_FACES : SORET_BLOCKS_UNIFORM, &blocks, row->c, squares);
  }
  if (!done && row->next >= 0) SoretFillNext(op, row);
  return done;
}

PetscErrorCode SoretOperatorForEachRowOfSquares(SoretOperator *op, Vec x, SoretRowVisitor visit, void *context)
{
  return SoretForEachRow(op, x, SoretBlocksFill(op), visit, context);
}

void SoretOperatorRates(SoretOperator *op, const SoretRow *row, PetscReal rates[])
{
  const PetscInt   ns = op->num_species, nx = op->grid->count[0];
  const PetscReal *k[2 * SORET_MAX_REACTIONS];

  for (PetscInt i = 0; i < nx; i += op->num_lanes) {
    const PetscInt n = PetscMin(op->num_lanes, nx - i);

    BY_SPECIES(SoretGather, ns, n, 1, row->c + i * ns, op->lanes);
    SoretOperatorConstantLanes(op, row->number, i, k);
    SoretNetworkRatesLanes(&op->model->network, n, k, op->lanes, nx, rates + i);
  }
}
