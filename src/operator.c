/* SPDX-License-Identifier: BSD-2-Clause */
#include "operator_private.h"

#include "blocks.h"

#include <math.h>

/* ---- creation ---- */

/* Columns of the cache for rate constants that vary from cell to cell; the others are numbers. */
static PetscErrorCode AssignSlots(SoretOperator *op)
{
  const SoretNetwork *net   = &op->model->network;
  const SoretPoint    point = {{0.0, 0.0, 0.0}, 0.0, 1.0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(2 * net->num_reactions, &op->slot, 2 * net->num_reactions * SORET_MAX_LANES, &op->k_constant));
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    const SoretReaction *reaction = &net->reaction[r];
    PetscReal            value, k[2];
    PetscBool            fixed[2];

    SoretNetworkConstants(net, r, &point, &k[0], &k[1]);
    fixed[0] = !reaction->has_barrier && SoretLawIsConstant(reaction->forward, &value) ? PETSC_TRUE : PETSC_FALSE;
    fixed[1] = reaction->kind == SORET_BACKWARD_NONE || (reaction->kind == SORET_BACKWARD_LAW && SoretLawIsConstant(reaction->backward, &value)) || SoretNetworkUses(net, r) == 0 ? PETSC_TRUE : PETSC_FALSE;
    for (int d = 0; d < 2; d++) {
      op->slot[2 * r + d] = fixed[d] ? -1 : op->num_slots++;
      for (int l = 0; l < SORET_MAX_LANES; l++) op->k_constant[(2 * r + d) * SORET_MAX_LANES + l] = k[d];
    }
    if (SoretNetworkUses(net, r) & SORET_VAR_TIME) op->varies = PETSC_TRUE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is a the same everywhere for every species, and does no diffusing species have a velocity? */
static PetscBool IsUniform(SoretOperator *op)
{
  if (op->grid->closed || op->boundary->flow) return PETSC_FALSE;
  for (PetscInt s = 0; s < op->num_species; s++) {
    const SoretSpecies *species = &op->model->species[s];

    if (!SoretModelConductivityIsConstant(op->model, s, &op->a_constant[s])) return PETSC_FALSE;
    if (species->diffuses && (species->moves[0] || species->moves[1] || species->moves[2])) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

static PetscErrorCode AllocateUniform(SoretOperator *op)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, m = grid->count[0];

  PetscFunctionBegin;
  PetscCall(PetscMalloc3((m + 1) * ns, &op->gx, m * ns, &op->dx, m, &op->gx_sum));
  PetscCall(PetscArrayzero(op->gx_sum, m));
  for (PetscInt i = 0; i <= m; i++) {
    const PetscInt  face = grid->start[0] + i;
    const PetscBool wall = !grid->periodic[0] && (face == 0 || face == grid->n[0]) ? PETSC_TRUE : PETSC_FALSE;

    for (PetscInt s = 0; s < ns; s++) {
      op->gx[i * ns + s] = wall ? 0.0 : op->a_constant[s] / grid->distance[0][face];
      if (i < m) op->dx[i * ns + s] = op->a_constant[s] * grid->width[0][face];
    }
    if (i > 0 && !wall) op->gx_sum[i - 1] += 1.0 / grid->distance[0][face];
    if (i < m && !wall) op->gx_sum[i] += 1.0 / grid->distance[0][face];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Number of faces normal to an axis on this rank. */
static PetscInt NumFaces(const SoretGrid *grid, int axis)
{
  return grid->num_cells / grid->count[axis] * (grid->count[axis] + 1);
}

static PetscErrorCode AllocateFaces(SoretOperator *op)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < op->grid->dim; axis++) {
    PetscBool moves = op->boundary->flow || (op->finer && op->finer->w[axis]) ? PETSC_TRUE : PETSC_FALSE;

    for (PetscInt s = 0; s < op->num_species; s++) moves = moves || (op->model->species[s].diffuses && op->model->species[s].moves[axis]) ? PETSC_TRUE : PETSC_FALSE;
    PetscCall(PetscMalloc1(NumFaces(op->grid, axis) * op->num_species, &op->g[axis]));
    op->g_diffusive[axis] = op->g[axis];
    if (!moves) continue;
    PetscCall(PetscMalloc1(NumFaces(op->grid, axis) * op->num_species, &op->w[axis]));
    PetscCall(PetscMalloc1(NumFaces(op->grid, axis) * op->num_species, &op->g_diffusive[axis]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Solid cells have no volume. */
static PetscErrorCode FillVolumes(SoretOperator *op)
{
  PetscFunctionBegin;
  PetscCall(PetscMalloc1(op->grid->num_cells, &op->volume));
  for (PetscInt p = 0; p < op->grid->num_cells; p++) {
    PetscInt ijk[3];

    SoretGridCellIndex(op->grid, p, ijk);
    op->volume[p] = SoretGridIsSolid(op->grid, p) ? 0.0 : SoretGridCellVolume(op->grid, ijk);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Slabs of u and the work arrays of rows and lanes. */
static PetscErrorCode AllocateWork(SoretOperator *op)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, rows_around = grid->dim > 2 ? 2 * op->width : 0;

  PetscFunctionBegin;
  op->num_slabs  = grid->dim > 1 ? grid->count[grid->dim - 1] : 1;
  op->num_rows   = grid->dim > 2 ? grid->count[1] : 1;
  op->row_length = (grid->count[0] + 2 * op->width) * ns;
  op->num_lanes  = ns <= 2 ? 64 : ns <= 4 ? 32 : ns <= 8 ? 16 : 8; /* so that the Jacobians of all lanes stay in the first-level cache */
  for (int p = 0; p < (grid->dim > 1 ? 2 * op->width + 2 : 1); p++) PetscCall(PetscCalloc1(op->row_length * (op->num_rows + rows_around), &op->slab[p]));
  PetscCall(PetscMalloc1((3 * ns + 1) * grid->count[0], &op->row));
  PetscCall(PetscCalloc1(5 * op->row_length, &op->window));
  PetscCall(PetscMalloc1((2 * ns * ns + 4 * ns + 2 * op->model->network.num_reactions + 2) * op->num_lanes, &op->lanes));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The network for blocks of four cells, if it is of their kind. */
static PetscErrorCode CreatePairs(SoretOperator *op)
{
  const SoretNetwork *net = &op->model->network;

  PetscFunctionBegin;
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    if (net->reaction[r].reactants.num > 2 || net->reaction[r].products.num > 2) PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (net->num_species > SORET_FEW) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscCalloc1(net->num_reactions + 1, &op->pair)); /* + 1: no reaction is of this kind, too */
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    const SoretFactors *side[2] = {&net->reaction[r].reactants, &net->reaction[r].products};
    struct SoretPair   *pair    = &op->pair[r];

    for (PetscInt s = 0; s < net->num_species; s++) pair->nu[s] = (PetscReal)net->stoichiometry[r * net->num_species + s];
    for (int e = 0; e < 4; e++) {
      pair->factor[e] = e % 2 < side[e / 2]->num ? side[e / 2]->species[e % 2] : net->num_species;
      if (pair->factor[e] < net->num_species) pair->is[pair->factor[e]][e] = 1.0;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* How transport and reactions of a row are joined, once it is known which faces have velocities. */
static void ChooseBlocks(SoretOperator *op)
{
  const PetscBool moves = op->width > 1 || op->w[0] || op->w[1] || op->w[2] ? PETSC_TRUE : PETSC_FALSE;

  if (!op->pair) op->blocks = SORET_BLOCKS_NONE;
  else if (moves || op->num_species == 3) op->blocks = SORET_BLOCKS_STORED; /* the species of four cells do not fill whole vectors */
  else op->blocks = op->uniform ? SORET_BLOCKS_UNIFORM : SORET_BLOCKS_FACES;
}

/* What a fine and a coarse operator have in common. */
static PetscErrorCode CreateCommon(SoretModel *model, const SoretGrid *grid, SoretBoundary *boundary, SoretOperator *op)
{
  const PetscInt ns = model->num_species;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(op, sizeof(*op)));
  op->model       = model;
  op->grid        = grid;
  op->boundary    = boundary;
  op->num_species = ns;
  op->width       = SoretModelHasBallistic(model) ? 2 : 1;
  PetscCall(AssignSlots(op));
  PetscCall(PetscMalloc2(ns, &op->a_constant, ns, &op->mean_D));
  PetscCall(PetscMalloc2(grid->num_cells * ns, &op->b, grid->num_cells * op->num_slots, &op->k));
  PetscCall(SoretHaloCreate(grid, ns, op->width, &op->halo));
  PetscCall(AllocateWork(op));
  PetscCall(CreatePairs(op));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorCreate(SoretModel *model, const SoretGrid *grid, SoretTemperature *temperature, SoretBoundary *boundary, SoretOperator *op)
{
  PetscFunctionBegin;
  PetscCall(CreateCommon(model, grid, boundary, op));
  op->temperature = temperature;
  op->varies      = op->varies || temperature->varies || boundary->varies || (boundary->flow && boundary->flow->varies) ? PETSC_TRUE : PETSC_FALSE;
  if (grid->closed) PetscCall(FillVolumes(op));
  op->uniform     = IsUniform(op);
  if (op->uniform) PetscCall(AllocateUniform(op));
  else PetscCall(AllocateFaces(op));
  ChooseBlocks(op);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorCreateVector(const SoretOperator *op, Vec *c)
{
  PetscFunctionBegin;
  PetscCall(VecCreate(op->grid->comm, c));
  PetscCall(VecSetSizes(*c, op->grid->num_cells * op->num_species, PETSC_DETERMINE));
  PetscCall(VecSetBlockSize(*c, op->num_species));
  PetscCall(VecSetType(*c, VECSTANDARD));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorCreateBare(SoretModel *model, const SoretGrid *grid, SoretBoundary *boundary, SoretOperator *op)
{
  PetscFunctionBegin;
  PetscCall(CreateCommon(model, grid, boundary, op));
  op->varies = op->fresh = PETSC_TRUE;
  PetscCall(AllocateFaces(op));
  for (int axis = 0; axis < grid->dim; axis++) PetscCall(PetscArrayzero(op->g[axis], NumFaces(grid, axis) * op->num_species));
  for (PetscInt s = 0; s < op->num_species; s++) op->mean_D[s] = 0.0;
  ChooseBlocks(op);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorDestroy(SoretOperator *op)
{
  PetscFunctionBegin;
  if (!op->model) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree2(op->slot, op->k_constant));
  PetscCall(PetscFree2(op->a_constant, op->mean_D));
  PetscCall(PetscFree2(op->b, op->k));
  PetscCall(PetscFree3(op->gx, op->dx, op->gx_sum));
  PetscCall(PetscFree(op->volume));
  PetscCall(PetscFree(op->row));
  PetscCall(PetscFree(op->window));
  PetscCall(PetscFree(op->lanes));
  PetscCall(PetscFree(op->pair));
  for (int axis = 0; axis < 3; axis++) {
    if (op->w[axis]) PetscCall(PetscFree(op->g_diffusive[axis]));
    PetscCall(PetscFree(op->g[axis]));
    PetscCall(PetscFree(op->w[axis]));
  }
  for (int p = 0; p < 6; p++) PetscCall(PetscFree(op->slab[p]));
  PetscCall(SoretHaloDestroy(&op->halo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- caches ---- */

/* What went wrong first on this rank while the caches were filled. */
typedef struct {
  PetscBool bad;
  char      text[512];
} Trouble;

static void Complain(Trouble *trouble, const char *kind, const char *name, PetscReal value, const char *must, const SoretPoint *point)
{
  if (trouble->bad) return;
  trouble->bad = PETSC_TRUE;
  (void)snprintf(trouble->text, sizeof(trouble->text), "soret: %s '%s' is %g at (%g, %g, %g), T = %g, t = %g; it must be %s everywhere\n", kind, name, (double)value, (double)point->x[0], (double)point->x[1], (double)point->x[2], (double)point->T, (double)point->t, must);
}

/* Point with the y, z and t of a row; x and T follow cell by cell. */
static SoretPoint RowPoint(const SoretOperator *op, PetscInt j, PetscInt k)
{
  const SoretGrid *grid  = op->grid;
  SoretPoint       point = {{0.0, 0.0, 0.0}, op->t, 1.0};

  if (grid->dim > 1) point.x[1] = grid->center[1][grid->start[1] + j];
  if (grid->dim > 2) point.x[2] = grid->center[2][grid->start[2] + k];
  return point;
}

static PetscBool IsPositive(PetscReal value)
{
  return value > 0.0 && isfinite(value) ? PETSC_TRUE : PETSC_FALSE;
}

/* The point of cell i of a row. */
static SoretPoint CellPoint(const SoretOperator *op, const SoretPoint *row, const PetscReal T[], PetscInt i)
{
  SoretPoint point = *row;

  point.x[0] = op->grid->center[0][op->grid->start[0] + i];
  point.T    = T[i];
  return point;
}

/* b of the cells of a row, and what they add to the mean of D. work - [3][cells of a row] */
static void FillTransportRow(SoretOperator *op, const SoretPoint *row, PetscInt number, PetscReal work[], PetscReal b[], PetscReal sum_D[], Trouble *trouble)
{
  const SoretGrid *grid   = op->grid;
  const PetscInt   ns     = op->num_species, nx = grid->count[0];
  const PetscReal *T      = op->temperature->T + number * nx;
  PetscReal       *a_row  = work, *b_row = work + nx;
  const PetscReal *volume = SoretOperatorRowVolumes(op, number, work + 2 * nx);

  for (PetscInt s = 0; s < ns; s++) {
    const PetscBool diffuses = op->model->species[s].diffuses;
    PetscReal       sum      = 0.0;
    int             good     = 1;

    SoretModelTransportRow(op->model, s, nx, row, grid->center[0] + grid->start[0], T, a_row, b_row);
    for (PetscInt i = 0; i < nx; i++) {
      const PetscReal D = a_row[i] * b_row[i];

      b[i * ns + s] = b_row[i];
      good &= b_row[i] > 0.0 && b_row[i] <= PETSC_MAX_REAL && (!diffuses || (D > 0.0 && D <= PETSC_MAX_REAL));
      sum += D * volume[i];
    }
    sum_D[s] += sum;
    for (PetscInt i = 0; i < nx && !good && !trouble->bad; i++) {
      const PetscReal  value = IsPositive(b_row[i]) ? a_row[i] * b_row[i] : b_row[i];
      const SoretPoint point = CellPoint(op, row, T, i);

      if (!IsPositive(value) && (diffuses || !IsPositive(b_row[i]))) Complain(trouble, "the diffusivity of species", op->model->species[s].name, value, "positive and finite", &point);
    }
  }
}

/* Rate constants of the cells of a row. work - [2][cells of a row] */
static void FillConstantsRow(SoretOperator *op, const SoretPoint *row, PetscInt number, PetscReal work[], Trouble *trouble)
{
  const SoretNetwork *net = &op->model->network;
  const PetscInt      nx  = op->grid->count[0];
  const PetscReal    *T   = op->temperature->T + number * nx;

  for (PetscInt r = 0; r < net->num_reactions; r++) {
    if (op->slot[2 * r] < 0 && op->slot[2 * r + 1] < 0) continue;
    SoretNetworkConstantsRow(net, r, nx, row, op->grid->center[0] + op->grid->start[0], T, work, work + nx);
    for (int d = 0; d < 2; d++) {
      const PetscReal *k    = work + d * nx;
      int              good = 1;

      if (op->slot[2 * r + d] >= 0) memcpy(op->k + (number * op->num_slots + op->slot[2 * r + d]) * nx, k, (size_t)nx * sizeof(PetscReal));
      for (PetscInt i = 0; i < nx; i++) good &= k[i] >= 0.0 && k[i] <= PETSC_MAX_REAL;
      for (PetscInt i = 0; i < nx && !good && !trouble->bad; i++) {
        const SoretPoint point = CellPoint(op, row, T, i);

        if (!(k[i] >= 0.0) || !isfinite(k[i])) Complain(trouble, d ? "the backward constant of reaction" : "the forward constant of reaction", net->reaction[r].equation, k[i], "finite and not negative", &point);
      }
    }
  }
}

static PetscErrorCode RaiseTrouble(const SoretOperator *op, const Trouble *trouble)
{
  PetscMPIInt rank, bad, first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(op->grid->comm, &rank));
  bad = trouble->bad ? rank : PETSC_MPI_INT_MAX;
  PetscCallMPI(MPI_Allreduce(&bad, &first, 1, MPI_INT, MPI_MIN, op->grid->comm));
  if (first == rank) (void)fputs(trouble->text, stderr);
  PetscFunctionReturn(first == PETSC_MPI_INT_MAX ? PETSC_SUCCESS : SORET_ERR_INPUT);
}

static PetscErrorCode FillCells(SoretOperator *op)
{
  const SoretGrid *grid    = op->grid;
  const PetscInt   ns      = op->num_species;
  Trouble          trouble = {PETSC_FALSE, ""};
  PetscReal       *work, sum_D[SORET_MAX_SPECIES] = {0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(3 * grid->count[0], &work));
  for (PetscInt number = 0; number < grid->count[1] * grid->count[2]; number++) {
    const SoretPoint row = RowPoint(op, number % grid->count[1], number / grid->count[1]);

    FillTransportRow(op, &row, number, work, op->b + number * grid->count[0] * ns, sum_D, &trouble);
    FillConstantsRow(op, &row, number, work, &trouble);
  }
  PetscCall(PetscFree(work));
  PetscCall(RaiseTrouble(op, &trouble));
  PetscCallMPI(MPI_Allreduce(sum_D, op->mean_D, (PetscMPIInt)ns, MPIU_REAL, MPI_SUM, grid->comm));
  for (PetscInt s = 0; s < ns; s++) {
    const SoretSpecies *species = &op->model->species[s];

    op->mean_D[s] /= grid->fluid_volume;
    for (PetscInt axis = 0; axis < species->velocity.n && !species->diffuses; axis++) op->mean_D[s] = PetscMax(op->mean_D[s], PetscAbsReal(species->velocity.value[axis]) * grid->size[axis]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Values of a cell with local indices ijk, which may lie in the first layer beyond a face of this rank; NULL beyond a wall. */
const PetscReal *SoretCellOrGhost(const SoretOperator *op, const PetscReal *x, const PetscInt ijk[3])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;

  for (int axis = 0; axis < grid->dim; axis++) {
    const int       side = ijk[axis] < 0 ? 0 : 1;
    const PetscInt *n    = op->halo.count[axis];
    PetscInt        q[3] = {ijk[0], ijk[1], ijk[2]};

    if (ijk[axis] >= 0 && ijk[axis] < grid->count[axis]) continue;
    if (op->halo.neighbor[axis][side] == MPI_PROC_NULL) return NULL;
    q[axis] = side ? 0 : op->width - 1;
    return op->halo.recv[axis][side] + ((q[2] * n[1] + q[1]) * n[0] + q[0]) * ns;
  }
  return x + ((ijk[2] * grid->count[1] + ijk[1]) * grid->count[0] + ijk[0]) * ns;
}

/* Calls for each face normal to an axis: puts value(lo, hi) of the arrays x of the two cells, walls 0. */
typedef PetscReal (*FaceValue)(const SoretOperator *op, int axis, const PetscInt ijk[3], PetscInt s, PetscReal lo, PetscReal hi);
static void FillFaces(const SoretOperator *op, int axis, const PetscReal *x, FaceValue value, PetscReal *out)
{
  const SoretGrid *grid   = op->grid;
  const PetscInt   end[3] = {grid->count[0] + (axis == 0), grid->count[1] + (axis == 1), grid->count[2] + (axis == 2)};

  for (PetscInt k = 0; k < end[2]; k++) {
    for (PetscInt j = 0; j < end[1]; j++) {
      for (PetscInt i = 0; i < end[0]; i++) {
        const PetscInt   ijk[3] = {i, j, k};
        PetscInt         below[3] = {i, j, k};
        const PetscReal *lo, *hi;
        PetscReal       *face = out + SoretFaceIndex(grid, axis, ijk) * op->num_species;

        below[axis]--;
        lo = SoretCellOrGhost(op, x, below);
        hi = SoretCellOrGhost(op, x, ijk);
        for (PetscInt s = 0; s < op->num_species; s++) face[s] = lo && hi ? value(op, axis, ijk, s, lo[s], hi[s]) : 0.0;
      }
    }
  }
}

/* Width of the cells below and above a face, and its area. */
static void FaceGeometry(const SoretOperator *op, int axis, const PetscInt ijk[3], PetscReal *below, PetscReal *above, PetscReal *area)
{
  const SoretGrid *grid = op->grid;
  PetscInt         global[3];

  for (int k = 0; k < 3; k++) global[k] = grid->start[k] + ijk[k];
  global[axis] %= grid->n[axis];
  *above = grid->width[axis][global[axis]];
  *below = grid->width[axis][(global[axis] + grid->n[axis] - 1) % grid->n[axis]];
  *area  = SoretGridFaceArea(grid, axis, global);
}

/* Does solid close the lower face of cell ijk (local indices; one beyond the last for the upper face of that)? */
static PetscBool IsClosed(const SoretGrid *grid, int axis, const PetscInt ijk[3])
{
  const PetscInt step[3] = {1, grid->count[0], grid->count[0] * grid->count[1]}, p = (ijk[2] * grid->count[1] + ijk[1]) * grid->count[0] + ijk[0];

  return ijk[axis] < grid->count[axis] ? SoretGridIsClosed(grid, p, 2 * axis) : SoretGridIsClosed(grid, p - step[axis], 2 * axis + 1);
}

static PetscReal ConductanceOfFace(const SoretOperator *op, int axis, const PetscInt ijk[3], PetscInt s, PetscReal a_lo, PetscReal a_hi)
{
  PetscReal below, above, area;

  FaceGeometry(op, axis, ijk, &below, &above, &area);
  if (!op->model->species[s].diffuses || IsClosed(op->grid, axis, ijk)) return 0.0;
  return area * SoretConductance(a_lo, 0.5 * below, a_hi, 0.5 * above);
}

static PetscReal VelocityOverB(const SoretOperator *op, int axis, const PetscInt ijk[3], PetscInt s, PetscReal b_lo, PetscReal b_hi)
{
  const SoretSpecies *species = &op->model->species[s];
  PetscReal           below, above, area, v = species->moves[axis] ? species->velocity.value[axis] : 0.0;

  if (!species->diffuses || IsClosed(op->grid, axis, ijk)) return 0.0;
  FaceGeometry(op, axis, ijk, &below, &above, &area);
  if (op->boundary->flow) v += op->boundary->flow->v[axis][SoretFaceIndex(op->grid, axis, ijk)];
  return area * v * (below / b_lo + above / b_hi) / (below + above);
}

/* Conductances fitted to the velocities. */
static void FitConductances(SoretOperator *op)
{
  for (int axis = 0; axis < op->grid->dim; axis++) {
    if (!op->w[axis]) continue;
    for (PetscInt q = 0; q < NumFaces(op->grid, axis) * op->num_species; q++) {
      op->g[axis][q] = op->g_diffusive[axis][q];
      if (op->w[axis][q] != 0.0) SoretFitted(op->g_diffusive[axis][q], op->w[axis][q], &op->g[axis][q]);
    }
  }
}

/* Conductances of all faces; with a velocity also v/b, and the conductance fitted to it. */
static PetscErrorCode FillConductances(SoretOperator *op)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  const PetscInt   nx   = grid->count[0];
  PetscReal       *a, *work;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(grid->num_cells * ns, &a, 2 * nx, &work));
  for (PetscInt number = 0; number < grid->count[1] * grid->count[2]; number++) {
    const SoretPoint row = RowPoint(op, number % grid->count[1], number / grid->count[1]);

    for (PetscInt s = 0; s < ns; s++) {
      SoretModelTransportRow(op->model, s, nx, &row, grid->center[0] + grid->start[0], op->temperature->T + number * nx, work, work + nx);
      for (PetscInt i = 0; i < nx; i++) a[(number * nx + i) * ns + s] = work[i];
    }
  }
  PetscCall(SoretHaloExchange(&op->halo, a));
  for (int axis = 0; axis < grid->dim; axis++) FillFaces(op, axis, a, ConductanceOfFace, op->g_diffusive[axis]);
  PetscCall(PetscFree2(a, work));
  if (!op->w[0] && !op->w[1] && !op->w[2]) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretHaloExchange(&op->halo, op->b));
  for (int axis = 0; axis < grid->dim; axis++) {
    if (op->w[axis]) FillFaces(op, axis, op->b, VelocityOverB, op->w[axis]);
  }
  FitConductances(op);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- coarser levels ---- */

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
  const PetscInt   p    = (cell[2] * grid->count[1] + cell[1]) * grid->count[0] + cell[0];

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
  PetscReal           *products = work + fx, *volume = op->volume ? op->volume + row * nx : products + ns * fx, *b = op->b + row * nx * ns, *k = op->k + row * nx * op->num_slots;
  PetscInt             j, k0, nj = FineRange(op, 1, row % ny, &j), nk = FineRange(op, 2, row / ny, &k0);

  memset(volume, 0, (size_t)nx * sizeof(PetscReal));
  memset(b, 0, (size_t)(nx * ns) * sizeof(PetscReal));
  if (op->num_slots) memset(k, 0, (size_t)(nx * op->num_slots) * sizeof(PetscReal));
  for (PetscInt c = 0; c < nj * nk; c++) {
    const PetscInt   fine_row = (k0 + c / nj) * fine->grid->count[1] + j + c % nj;
    const PetscReal *V = VolumesThatTakePart(op, fine_row, work), *fine_k = fine->k + fine_row * fx * op->num_slots;

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
  const SoretGrid     *grid = fine->grid;
  PetscInt             first, beside[3] = {cell[0], cell[1], cell[2]}, face[3] = {cell[0], cell[1], cell[2]};

  if (FineRange(op, axis, cell[axis] / (op->coarsened[axis] ? 2 : 1), &first) < 2) return 0.0;
  beside[axis] = 2 * first + 1 - cell[axis];
  face[axis]   = first + 1;
  if (fine->uniform) {
    const PetscInt global[3] = {grid->start[0] + face[0], grid->start[1] + face[1], grid->start[2] + face[2]};

    return fine->a_constant[s] * SoretGridFaceArea(grid, axis, global) / grid->distance[axis][global[axis]];
  }
  return TakesPart(op, beside) ? fine->g_diffusive[axis][SoretFaceIndex(grid, axis, face) * op->num_species + s] : 0.0;
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
    const PetscInt cell[3] = {p % fine_grid->count[0], p / fine_grid->count[0] % fine_grid->count[1], p / fine_grid->count[0] / fine_grid->count[1]};

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
   velocity carries out is simply added. */
static void AggregateWall(SoretOperator *op, int face, PetscInt q)
{
  const SoretOperator *fine = op->finer;
  SoretBoundary       *boundary = op->boundary;
  const PetscInt       ns = op->num_species;
  const int            axis = face / 2;
  PetscInt             ijk[3], first[3], n[3], p;

  SoretBoundaryCell(op->grid, face, q, ijk);
  p = (ijk[2] * op->grid->count[1] + ijk[1]) * op->grid->count[0] + ijk[0];
  for (int k = 0; k < 3; k++) n[k] = FineRange(op, k, ijk[k], &first[k]);
  first[axis] = face % 2 ? fine->grid->count[axis] - 1 : 0;
  n[axis]     = 1;
  for (PetscInt s = 0; s < ns; s++) {
    PetscReal alpha = 0.0, beta = 0.0, mirror = 0.0;

    for (PetscInt line = 0; line < n[0] * n[1] * n[2]; line++) {
      const PetscInt  cell[3] = {first[0] + line % n[0], first[1] + line / n[0] % n[1], first[2] + line / n[0] / n[1]};
      const PetscInt  wall = SoretOperatorWall(fine, face, cell) + s;
      const PetscBool out  = op->grid->num_pockets > 1 && !TakesPart(op, cell) ? PETSC_TRUE : PETSC_FALSE;
      const PetscReal A = fine->boundary->alpha[face][wall] / fine->b[((cell[2] * fine->grid->count[1] + cell[1]) * fine->grid->count[0] + cell[0]) * ns + s];
      const PetscReal share = A > 0.0 && !op->w[axis] && !op->model->species[s].moves[axis] ? 1.0 / (1.0 + A * InnerResistance(op, axis, cell, s)) : 1.0;

      alpha += out ? 0.0 : share * A;
      beta += out ? 0.0 : share * fine->boundary->beta[face][wall];
      mirror += fine->boundary->mirror[face][wall] / (PetscReal)(n[0] * n[1] * n[2]);
    }
    boundary->alpha[face][q * ns + s]  = alpha * op->b[p * ns + s];
    boundary->beta[face][q * ns + s]   = beta;
    boundary->mirror[face][q * ns + s] = mirror;
  }
}

static PetscErrorCode Aggregate(SoretOperator *op)
{
  const SoretGrid *grid = op->grid;
  PetscReal       *work;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((op->num_species + 1) * op->finer->grid->count[0] + grid->count[0], &work));
  for (PetscInt row = 0; row < grid->count[1] * grid->count[2]; row++) AggregateRow(op, row, work);
  PetscCall(PetscFree(work));
  for (int axis = 0; axis < grid->dim && !op->uniform; axis++) PetscCall(AggregateFaces(op, axis));
  FitConductances(op);
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < op->boundary->num[face]; q++) AggregateWall(op, face, q);
  }
  PetscCall(PetscArraycpy(op->mean_D, op->finer->mean_D, op->num_species));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorCreateCoarse(const SoretOperator *fine, const SoretGrid *grid, const PetscBool coarsened[3], SoretBoundary *boundary, SoretOperator *op)
{
  PetscFunctionBegin;
  PetscCall(SoretBoundaryCreate(fine->boundary->spec, fine->model, grid, boundary));
  PetscCall(CreateCommon(fine->model, grid, boundary, op));
  op->finer   = fine;
  op->varies  = fine->varies;
  op->uniform = fine->uniform;
  for (int axis = 0; axis < 3; axis++) op->coarsened[axis] = coarsened[axis];
  PetscCall(PetscArraycpy(op->a_constant, fine->a_constant, op->num_species));
  if (op->uniform) PetscCall(AllocateUniform(op));
  else PetscCall(AllocateFaces(op));
  ChooseBlocks(op);
  if (fine->volume) PetscCall(PetscMalloc1(grid->num_cells, &op->volume));
  PetscCall(SoretOperatorSetTime(op, fine->t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- time ---- */

PetscErrorCode SoretOperatorSetTime(SoretOperator *op, PetscReal t)
{
  PetscBool changed;

  PetscFunctionBegin;
  if (op->fresh && (!op->varies || op->t == t)) PetscFunctionReturn(PETSC_SUCCESS);
  op->t = t;
  if (op->finer) PetscCall(Aggregate(op));
  else {
    PetscCall(SoretTemperatureSetTime(op->temperature, t, &changed));
    PetscCall(SoretModelSetRange(op->model, op->temperature->min, op->temperature->max));
    PetscCall(FillCells(op));
    if (op->boundary->flow) PetscCall(SoretFlowSetTime(op->boundary->flow, t, &changed));
    if (!op->uniform) PetscCall(FillConductances(op));
    PetscCall(SoretBoundaryUpdate(op->boundary, op->temperature, t));
  }
  op->fresh = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SoretOperatorConstantLanes(const SoretOperator *op, PetscInt p, const PetscReal *k[])
{
  const PetscInt   nx     = op->grid->count[0];
  const PetscReal *cached = op->k + p / nx * op->num_slots * nx + p % nx;

  for (PetscInt r = 0; r < 2 * op->model->network.num_reactions; r++) k[r] = op->slot[r] < 0 ? op->k_constant + r * SORET_MAX_LANES : cached + op->slot[r] * nx;
}

void SoretOperatorConstants(const SoretOperator *op, PetscInt p, PetscReal k[])
{
  const PetscReal *lanes[2 * SORET_MAX_REACTIONS];

  SoretOperatorConstantLanes(op, p, lanes);
  for (PetscInt r = 0; r < 2 * op->model->network.num_reactions; r++) k[r] = lanes[r][0];
}

/* ---- cells and walls ---- */

PetscReal SoretOperatorCellVolume(const SoretOperator *op, PetscInt p)
{
  const SoretGrid *grid   = op->grid;
  const PetscInt   ijk[3] = {grid->start[0] + p % grid->count[0], grid->start[1] + p / grid->count[0] % grid->count[1], grid->start[2] + p / grid->count[0] / grid->count[1]};

  return op->volume ? op->volume[p] : SoretGridCellVolume(grid, ijk);
}

void SoretOperatorCell(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt ijk[3])
{
  ijk[0] = op->grid->start[0] + i;
  ijk[1] = op->grid->start[1] + row->j;
  ijk[2] = op->grid->start[2] + row->k;
}

PetscReal SoretOperatorVolume(const SoretOperator *op, const SoretRow *row, PetscInt i)
{
  return SoretOperatorCellVolume(op, row->first + i);
}

PetscInt SoretOperatorWall(const SoretOperator *op, int face, const PetscInt ijk[3])
{
  const SoretGrid *grid = op->grid;
  const int        axis = face / 2;

  if (!op->boundary->num[face] || ijk[axis] != (face % 2 ? grid->count[axis] - 1 : 0)) return -1;
  return (axis == 0 ? ijk[2] * grid->count[1] + ijk[1] : axis == 1 ? ijk[2] * grid->count[0] + ijk[0] : ijk[1] * grid->count[0] + ijk[0]) * op->num_species;
}

PetscErrorCode SoretOperatorPerVolume(const SoretOperator *op, PetscReal factor, Vec f)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  PetscReal       *array;

  PetscFunctionBegin;
  PetscCall(VecGetArray(f, &array));
  for (PetscInt row = 0, q = 0; row < grid->count[1] * grid->count[2]; row++) {
    const PetscReal *volume = SoretOperatorRowVolumes(op, row, op->row);

    for (PetscInt i = 0; i < grid->count[0]; i++) {
      for (PetscInt s = 0; s < ns; s++) array[q++] *= volume[i] > 0.0 ? factor / volume[i] : factor; /* solid: nothing, or 1 of a matrix */
    }
  }
  PetscCall(VecRestoreArray(f, &array));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- face fluxes one by one ---- */

void SoretOperatorFaceFluxes(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s, PetscReal flux[6], PetscReal oneway[6])
{
  const SoretGrid    *grid    = op->grid;
  const SoretSpecies *species = &op->model->species[s];
  const PetscInt      q = i * op->num_species + s, at[3] = {i, row->j, row->k};
  PetscInt            ijk[3];

  SoretOperatorCell(op, row, i, ijk);
  for (int face = 0; face < 6; face++) {
    const int axis = face / 2, side = face % 2;

    flux[face] = 0.0;
    if (oneway) oneway[face] = 0.0;
    if (axis >= grid->dim) continue;
    if (species->diffuses) {
      const PetscReal lo = row->u[axis][1 + side][q], hi = row->u[axis][2 + side][q];
      const PetscInt  index = grid->start[axis] + at[axis] + side;
      PetscReal       g, w = 0.0;

      if (op->uniform) {
        const PetscBool wall = !grid->periodic[axis] && (index == 0 || index == grid->n[axis]) ? PETSC_TRUE : PETSC_FALSE;

        g = wall ? 0.0 : op->a_constant[s] * SoretGridFaceArea(grid, axis, ijk) / grid->distance[axis][index];
      } else {
        PetscInt above[3] = {i, row->j, row->k};
        PetscInt f;

        above[axis] += side;
        f = SoretFaceIndex(grid, axis, above) * op->num_species + s;
        g = op->g[axis][f];
        w = op->w[axis] ? op->w[axis][f] : 0.0;
      }
      flux[face] = SoretFaceFlux(g, lo, hi) + 0.5 * w * (lo + hi);
      if (oneway) oneway[face] = g * (lo + hi);
    } else if (species->moves[axis]) {
      flux[face] = SoretGridFaceArea(grid, axis, ijk) * SoretBallisticFaceFlux(op, row, i, s, axis, side);
      if (oneway) oneway[face] = PetscAbsReal(flux[face]);
    }
    {
      const PetscInt wall = SoretOperatorWall(op, face, at);

      if (wall >= 0) {
        const PetscReal in = op->boundary->beta[face][wall + s], out = op->boundary->alpha[face][wall + s] * row->c[q];

        flux[face] += (side ? -1.0 : 1.0) * (in - out);
        if (oneway) oneway[face] += PetscAbsReal(in) + PetscAbsReal(out);
      }
    }
  }
}

PetscBool SoretOperatorFaceRow(const SoretOperator *op, const SoretRow *row, int axis, int side, PetscReal g[], PetscReal w[])
{
  const SoretGrid *grid  = op->grid;
  const PetscInt   ns    = op->num_species, m = grid->count[0] * ns;
  PetscInt         ijk[3], above[3] = {0, row->j, row->k};
  PetscReal        area;

  above[axis] += side;
  if (!op->uniform) {
    const PetscInt first = SoretFaceIndex(grid, axis, above) * ns;

    memcpy(g, op->g[axis] + first, (size_t)m * sizeof(PetscReal));
    if (op->w[axis]) memcpy(w, op->w[axis] + first, (size_t)m * sizeof(PetscReal));
    return op->w[axis] ? PETSC_TRUE : PETSC_FALSE;
  }
  SoretOperatorCell(op, row, 0, ijk);
  area = SoretGridFaceArea(grid, axis, ijk) / (axis ? grid->width[0][ijk[0]] : 1.0);
  if (axis) area = !grid->periodic[axis] && (ijk[axis] + side == 0 || ijk[axis] + side == grid->n[axis]) ? 0.0 : area / grid->distance[axis][ijk[axis] + side];
  for (PetscInt i = 0; i < grid->count[0]; i++) {
    const PetscInt  index = ijk[0] + i + side;
    const PetscReal shape = axis ? area * grid->width[0][ijk[0] + i] : !grid->periodic[0] && (index == 0 || index == grid->n[0]) ? 0.0 : area / grid->distance[0][index];

    for (PetscInt s = 0; s < ns; s++) g[i * ns + s] = shape * op->a_constant[s];
  }
  return PETSC_FALSE;
}

const PetscReal *SoretOperatorScales(const SoretOperator *op)
{
  return op->b;
}
