/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/operator.h"

#include <math.h>

#include "kernel.h"

/* ---- creation ---- */

/* Columns of the cache for rate constants that vary from cell to cell; the others are numbers. */
static PetscErrorCode AssignSlots(SoretOperator *op)
{
  const SoretNetwork *net   = &op->model->network;
  const SoretPoint    point = {{0.0, 0.0, 0.0}, 0.0, 1.0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(2 * net->num_reactions, &op->slot, 2 * net->num_reactions, &op->k_constant));
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    const SoretReaction *reaction = &net->reaction[r];
    PetscReal            value;
    PetscBool            fixed[2];

    SoretNetworkConstants(net, r, &point, &op->k_constant[2 * r], &op->k_constant[2 * r + 1]);
    fixed[0] = !reaction->has_barrier && SoretLawIsConstant(reaction->forward, &value) ? PETSC_TRUE : PETSC_FALSE;
    fixed[1] = reaction->kind == SORET_BACKWARD_NONE || (reaction->kind == SORET_BACKWARD_LAW && SoretLawIsConstant(reaction->backward, &value)) || SoretNetworkUses(net, r) == 0 ? PETSC_TRUE : PETSC_FALSE;
    for (int d = 0; d < 2; d++) op->slot[2 * r + d] = fixed[d] ? -1 : op->num_slots++;
    if (SoretNetworkUses(net, r) & SORET_VAR_TIME) op->varies = PETSC_TRUE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is a the same everywhere for every species, and does no diffusing species have a velocity? */
static PetscBool IsUniform(SoretOperator *op)
{
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
  PetscCall(PetscMalloc2((m + 1) * ns, &op->gx, m * ns, &op->dx));
  for (PetscInt i = 0; i <= m; i++) {
    const PetscInt  face = grid->start[0] + i;
    const PetscBool wall = !grid->periodic[0] && (face == 0 || face == grid->n[0]) ? PETSC_TRUE : PETSC_FALSE;

    for (PetscInt s = 0; s < ns; s++) {
      op->gx[i * ns + s] = wall ? 0.0 : op->a_constant[s] / grid->distance[0][face];
      if (i < m) op->dx[i * ns + s] = op->a_constant[s] * grid->width[0][face];
    }
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
    PetscBool moves = PETSC_FALSE;

    for (PetscInt s = 0; s < op->num_species; s++) moves = moves || (op->model->species[s].diffuses && op->model->species[s].moves[axis]) ? PETSC_TRUE : PETSC_FALSE;
    PetscCall(PetscMalloc1(NumFaces(op->grid, axis) * op->num_species, &op->g[axis]));
    if (moves) PetscCall(PetscMalloc1(NumFaces(op->grid, axis) * op->num_species, &op->w[axis]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode AllocatePlanes(SoretOperator *op)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   wy   = grid->dim > 1 ? op->width : 0;

  PetscFunctionBegin;
  op->row_length   = (grid->count[0] + 2 * op->width) * op->num_species;
  op->plane_length = op->row_length * (grid->count[1] + 2 * wy);
  for (int p = 0; p < (grid->dim > 2 ? 2 * op->width + 1 : 1); p++) PetscCall(PetscCalloc1(op->plane_length, &op->plane[p]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorCreate(SoretModel *model, const SoretGrid *grid, SoretTemperature *temperature, SoretBoundary *boundary, SoretOperator *op)
{
  const PetscInt ns = model->num_species;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(op, sizeof(*op)));
  op->model       = model;
  op->grid        = grid;
  op->temperature = temperature;
  op->boundary    = boundary;
  op->num_species = ns;
  op->width       = SoretModelHasBallistic(model) ? 2 : 1;
  op->varies      = temperature->varies || boundary->varies ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(SoretGridCreateDM(grid, ns, DMDA_STENCIL_STAR, op->width, &op->dm));
  PetscCall(AssignSlots(op));
  PetscCall(PetscMalloc2(ns, &op->a_constant, ns, &op->mean_D));
  PetscCall(PetscMalloc2(grid->num_cells * ns, &op->b, grid->num_cells * op->num_slots, &op->k));
  op->uniform = IsUniform(op);
  if (op->uniform) PetscCall(AllocateUniform(op));
  else PetscCall(AllocateFaces(op));
  PetscCall(SoretHaloCreate(grid, ns, op->width, &op->halo));
  PetscCall(PetscMalloc1(2 * grid->count[0] * ns, &op->row));
  PetscCall(AllocatePlanes(op));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorDestroy(SoretOperator *op)
{
  PetscFunctionBegin;
  if (!op->dm) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(DMDestroy(&op->dm));
  PetscCall(PetscFree2(op->slot, op->k_constant));
  PetscCall(PetscFree2(op->a_constant, op->mean_D));
  PetscCall(PetscFree2(op->b, op->k));
  PetscCall(PetscFree2(op->gx, op->dx));
  PetscCall(PetscFree(op->row));
  for (int axis = 0; axis < 3; axis++) {
    PetscCall(PetscFree(op->g[axis]));
    PetscCall(PetscFree(op->w[axis]));
  }
  for (int p = 0; p < 5; p++) PetscCall(PetscFree(op->plane[p]));
  PetscCall(SoretHaloDestroy(&op->halo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- caches ---- */

/* What went wrong first on this rank while the caches were filled. */
typedef struct {
  PetscBool bad;
  char      text[512];
} Trouble;

static void Complain(Trouble *trouble, const char *kind, const char *name, PetscReal value, const SoretPoint *point)
{
  if (trouble->bad) return;
  trouble->bad = PETSC_TRUE;
  (void)snprintf(trouble->text, sizeof(trouble->text), "soret: %s '%s' is %g at (%g, %g, %g), T = %g, t = %g; it must be positive and finite everywhere\n", kind, name, (double)value, (double)point->x[0], (double)point->x[1], (double)point->x[2], (double)point->T, (double)point->t);
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

static void FillTransportRow(SoretOperator *op, const SoretPoint *row, const PetscReal T[], PetscReal work[], PetscReal b[], PetscReal sum_D[], Trouble *trouble, PetscInt j, PetscInt k)
{
  const SoretGrid *grid = op->grid;
  const PetscReal *x    = grid->center[0] + grid->start[0];
  const PetscInt   ns   = op->num_species;

  for (PetscInt s = 0; s < ns; s++) {
    SoretModelTransportRow(op->model, s, grid->count[0], row, x, T, work);
    for (PetscInt i = 0; i < grid->count[0]; i++) {
      SoretPoint     point  = *row;
      const PetscInt ijk[3] = {grid->start[0] + i, grid->start[1] + j, grid->start[2] + k};
      PetscReal      a, D;

      b[i * ns + s] = work[i];
      point.x[0]    = x[i];
      point.T       = T[i];
      if (!(work[i] > 0.0) || !isfinite(work[i])) Complain(trouble, "the diffusivity of species", op->model->species[s].name, work[i], &point);
      if (op->uniform) a = op->a_constant[s];
      else SoretModelTransport(op->model, s, &point, &a, &D);
      D = a * work[i];
      if (op->model->species[s].diffuses && (!(D > 0.0) || !isfinite(D))) Complain(trouble, "the diffusivity of species", op->model->species[s].name, D, &point);
      sum_D[s] += D * SoretGridCellVolume(grid, ijk);
    }
  }
}

static void FillConstantsRow(SoretOperator *op, const SoretPoint *row, const PetscReal T[], PetscReal k[], Trouble *trouble)
{
  const SoretNetwork *net = &op->model->network;
  const PetscReal    *x   = op->grid->center[0] + op->grid->start[0];

  for (PetscInt i = 0; i < op->grid->count[0]; i++) {
    SoretPoint point = *row;

    point.x[0] = x[i];
    point.T    = T[i];
    for (PetscInt r = 0; r < net->num_reactions; r++) {
      PetscReal value[2];

      if (op->slot[2 * r] < 0 && op->slot[2 * r + 1] < 0) continue;
      SoretNetworkConstants(net, r, &point, &value[0], &value[1]);
      for (int d = 0; d < 2; d++) {
        if (op->slot[2 * r + d] >= 0) k[i * op->num_slots + op->slot[2 * r + d]] = value[d];
        if (!(value[d] >= 0.0) || !isfinite(value[d])) Complain(trouble, d ? "the backward constant of reaction" : "the forward constant of reaction", net->reaction[r].equation, value[d], &point);
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
  PetscCall(PetscMalloc1(grid->count[0], &work));
  for (PetscInt k = 0; k < grid->count[2]; k++) {
    for (PetscInt j = 0; j < grid->count[1]; j++) {
      const PetscInt   first = (k * grid->count[1] + j) * grid->count[0];
      const SoretPoint row   = RowPoint(op, j, k);

      FillTransportRow(op, &row, op->temperature->T + first, work, op->b + first * ns, sum_D, &trouble, j, k);
      if (op->num_slots) FillConstantsRow(op, &row, op->temperature->T + first, op->k + first * op->num_slots, &trouble);
    }
  }
  PetscCall(PetscFree(work));
  PetscCall(RaiseTrouble(op, &trouble));
  PetscCallMPI(MPI_Allreduce(sum_D, op->mean_D, (PetscMPIInt)ns, MPIU_REAL, MPI_SUM, grid->comm));
  for (PetscInt s = 0; s < ns; s++) {
    const SoretSpecies *species = &op->model->species[s];

    op->mean_D[s] /= grid->volume;
    for (PetscInt axis = 0; axis < species->velocity.n && !species->diffuses; axis++) op->mean_D[s] = PetscMax(op->mean_D[s], PetscAbsReal(species->velocity.value[axis]) * grid->size[axis]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

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
        for (PetscInt j = start[1]; j < start[1] + n[1]; j++) {
          const PetscInt p = ((k * grid->count[1] + j) * grid->count[0] + start[0]) * ns;

          SoretKernelScaleRow(n[0] * ns, op->b + p, c + p, out);
          out += n[0] * ns;
        }
      }
    }
  }
}

/* Values of a cell with local indices ijk, which may lie in the first layer beyond a face of this rank; NULL beyond a wall. */
static const PetscReal *CellOrGhost(const SoretOperator *op, const PetscReal *x, const PetscInt ijk[3])
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

/* Entry of the arrays g[axis], w[axis] for the lower face of cell ijk. */
static inline PetscInt FaceIndex(const SoretGrid *grid, int axis, const PetscInt ijk[3])
{
  const PetscInt nx = grid->count[0] + (axis == 0), ny = grid->count[1] + (axis == 1);

  return (ijk[2] * ny + ijk[1]) * nx + ijk[0];
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
        PetscReal       *face = out + FaceIndex(grid, axis, ijk) * op->num_species;

        below[axis]--;
        lo = CellOrGhost(op, x, below);
        hi = CellOrGhost(op, x, ijk);
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

static PetscReal ConductanceOfFace(const SoretOperator *op, int axis, const PetscInt ijk[3], PetscInt s, PetscReal a_lo, PetscReal a_hi)
{
  PetscReal below, above, area;

  FaceGeometry(op, axis, ijk, &below, &above, &area);
  if (!op->model->species[s].diffuses) return 0.0;
  return area * SoretConductance(a_lo, 0.5 * below, a_hi, 0.5 * above);
}

static PetscReal VelocityOverB(const SoretOperator *op, int axis, const PetscInt ijk[3], PetscInt s, PetscReal b_lo, PetscReal b_hi)
{
  const SoretSpecies *species = &op->model->species[s];
  PetscReal           below, above, area;

  FaceGeometry(op, axis, ijk, &below, &above, &area);
  if (!species->diffuses || !species->moves[axis]) return 0.0;
  return area * species->velocity.value[axis] * (below / b_lo + above / b_hi) / (below + above);
}

/* Conductances of all faces; with a velocity also v/b, and the conductance fitted to it. */
static PetscErrorCode FillConductances(SoretOperator *op)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  PetscReal       *a;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(grid->num_cells * ns, &a));
  for (PetscInt k = 0, p = 0; k < grid->count[2]; k++) {
    for (PetscInt j = 0; j < grid->count[1]; j++) {
      SoretPoint point = RowPoint(op, j, k);

      for (PetscInt i = 0; i < grid->count[0]; i++, p++) {
        point.x[0] = grid->center[0][grid->start[0] + i];
        point.T    = op->temperature->T[p];
        for (PetscInt s = 0; s < ns; s++) {
          PetscReal b;

          SoretModelTransport(op->model, s, &point, &a[p * ns + s], &b);
        }
      }
    }
  }
  PetscCall(SoretHaloExchange(&op->halo, a));
  for (int axis = 0; axis < grid->dim; axis++) FillFaces(op, axis, a, ConductanceOfFace, op->g[axis]);
  PetscCall(PetscFree(a));
  if (!op->w[0] && !op->w[1] && !op->w[2]) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretHaloExchange(&op->halo, op->b));
  for (int axis = 0; axis < grid->dim; axis++) {
    if (!op->w[axis]) continue;
    FillFaces(op, axis, op->b, VelocityOverB, op->w[axis]);
    for (PetscInt q = 0; q < NumFaces(grid, axis) * ns; q++) {
      if (op->w[axis][q] != 0.0) SoretFitted(op->g[axis][q], op->w[axis][q], &op->g[axis][q]);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorSetTime(SoretOperator *op, PetscReal t)
{
  PetscBool changed;

  PetscFunctionBegin;
  if (op->fresh && (!op->varies || op->t == t)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretTemperatureSetTime(op->temperature, t, &changed));
  op->t = t;
  if (!op->coarse) PetscCall(SoretModelSetRange(op->model, op->temperature->min, op->temperature->max));
  PetscCall(FillCells(op));
  if (!op->uniform) PetscCall(FillConductances(op));
  PetscCall(SoretBoundaryUpdate(op->boundary, op->temperature, t));
  op->fresh = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SoretOperatorConstants(const SoretOperator *op, PetscInt p, PetscReal k[])
{
  const PetscReal *cached = op->k + p * op->num_slots;

  for (PetscInt r = 0; r < 2 * op->model->network.num_reactions; r++) k[r] = op->slot[r] < 0 ? op->k_constant[r] : cached[op->slot[r]];
}

/* ---- rolling planes ---- */

/* Fills the plane with local index k (from -width to count + width - 1): u = b c, with the neighbours' layers around. */
static void FillPlane(SoretOperator *op, const PetscReal *c, PetscInt k, PetscReal *plane)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, w = op->width, m = grid->count[0] * ns, wy = grid->dim > 1 ? w : 0;
  const SoretHalo *halo = &op->halo;

  if (k < 0 || k >= grid->count[2]) { /* a layer of the neighbour along z: its edges are never used */
    const PetscReal *layer = halo->recv[2][k < 0 ? 0 : 1] + (k < 0 ? k + w : k - grid->count[2]) * grid->count[1] * m;

    for (PetscInt j = 0; j < grid->count[1]; j++) memcpy(plane + (j + wy) * op->row_length + w * ns, layer + j * m, (size_t)m * sizeof(PetscReal));
    return;
  }
  for (PetscInt j = 0; j < grid->count[1]; j++) {
    const PetscInt  p   = (k * grid->count[1] + j) * m, q = (k * grid->count[1] + j) * w * ns;
    PetscReal      *row = plane + (j + wy) * op->row_length;

    memcpy(row, halo->recv[0][0] + q, (size_t)(w * ns) * sizeof(PetscReal));
    SoretKernelScaleRow(m, op->b + p, c + p, row + w * ns);
    memcpy(row + w * ns + m, halo->recv[0][1] + q, (size_t)(w * ns) * sizeof(PetscReal));
  }
  for (PetscInt j = 0; j < wy; j++) {
    const PetscInt q = (k * w + j) * m;

    memcpy(plane + j * op->row_length + w * ns, halo->recv[1][0] + q, (size_t)m * sizeof(PetscReal));
    memcpy(plane + (grid->count[1] + wy + j) * op->row_length + w * ns, halo->recv[1][1] + q, (size_t)m * sizeof(PetscReal));
  }
}

/* Pointers of a row into the planes around it. Offsets that do not exist point at the row itself. */
static void PointRow(const SoretOperator *op, const PetscReal *c, PetscInt j, PetscInt k, PetscReal *const plane[5], SoretRow *row)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, w = op->width, wy = grid->dim > 1 ? w : 0;
  const PetscInt   at  = (j + wy) * op->row_length + w * ns;

  row->j     = j;
  row->k     = k;
  row->first = (k * grid->count[1] + j) * grid->count[0];
  row->c     = c + row->first * ns;
  for (int d = -2; d <= 2; d++) {
    const PetscBool there = PetscAbsInt(d) <= w ? PETSC_TRUE : PETSC_FALSE;

    row->u[0][2 + d] = plane[2] + at + (there ? d * ns : 0);
    row->u[1][2 + d] = plane[2] + at + (there && grid->dim > 1 ? d * op->row_length : 0);
    row->u[2][2 + d] = (there && grid->dim > 2 ? plane[2 + d] : plane[2]) + at;
  }
}

PetscErrorCode SoretOperatorForEachRow(SoretOperator *op, Vec x, SoretRowVisitor visit, void *context)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   w = op->width, num = grid->dim > 2 ? 2 * w + 1 : 1, wz = grid->dim > 2 ? w : 0;
  const PetscReal *c;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(x, &c));
  PackHalo(op, c);
  PetscCall(SoretHaloBegin(&op->halo));
  PetscCall(SoretHaloEnd(&op->halo));
  for (PetscInt k = -wz; k < wz; k++) FillPlane(op, c, k, op->plane[(k + num) % num]);
  for (PetscInt k = 0; k < grid->count[2]; k++) {
    PetscReal *plane[5] = {NULL, NULL, NULL, NULL, NULL};

    FillPlane(op, c, k + wz, op->plane[(k + wz) % num]);
    for (PetscInt d = -wz; d <= wz; d++) plane[2 + d] = op->plane[(k + d + num) % num];
    for (PetscInt j = 0; j < grid->count[1]; j++) {
      SoretRow row;

      PointRow(op, c, j, k, plane, &row);
      PetscCall(visit(op, &row, context));
    }
  }
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SoretOperatorCell(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt ijk[3])
{
  ijk[0] = op->grid->start[0] + i;
  ijk[1] = op->grid->start[1] + row->j;
  ijk[2] = op->grid->start[2] + row->k;
}

PetscReal SoretOperatorVolume(const SoretOperator *op, const SoretRow *row, PetscInt i)
{
  PetscInt ijk[3];

  SoretOperatorCell(op, row, i, ijk);
  return SoretGridCellVolume(op->grid, ijk);
}

/* ---- ballistic transport ---- */

/* The stencil of the value at a face for a species of velocity v: cells counted from the one above the face (-2, -1 | 0, 1). */
typedef struct {
  int       up, far, down; /* offsets; far and down only where their weight is not 0 */
  PetscReal weight[3];     /* far, up, down                                          */
  PetscReal d_far, d_near, d_face;
} FaceStencil;

/* face - global index of the face along the axis. The upwind cell must exist. */
static FaceStencil StencilOfFace(const SoretGrid *grid, int axis, PetscInt face, PetscReal v)
{
  const PetscInt n = grid->n[axis];
  FaceStencil    s = {.up = v > 0.0 ? -1 : 0, .far = v > 0.0 ? -2 : 1, .down = v > 0.0 ? 0 : -1};
  const PetscInt far_face = v > 0.0 ? face - 1 : face + 1; /* the face between far and upwind cell */

  if (grid->periodic[axis]) {
    s.d_far  = grid->distance[axis][(far_face % n + n) % n];
    s.d_near = grid->distance[axis][face % n];
  } else {
    s.d_far  = far_face > 0 && far_face < n ? grid->distance[axis][far_face] : 0.0;
    s.d_near = face > 0 && face < n ? grid->distance[axis][face] : 0.0;
  }
  s.d_face = 0.5 * grid->width[axis][((face + s.up) % n + n) % n];
  SoretBallisticWeights(s.d_far, s.d_near, s.d_face, s.weight);
  return s;
}

/* Does the velocity carry the species out through a wall face (not periodic), and what becomes of it there? */
static PetscBool LeavesThroughWall(const SoretOperator *op, PetscInt s, int axis, int side)
{
  const SoretConditionKind kind = SoretBoundaryCondition(op->boundary->spec, 2 * axis + side, s)->kind;

  return op->model->species[s].mirror[axis] >= 0 || kind == SORET_OUTFLOW || kind == SORET_VALUE ? PETSC_TRUE : PETSC_FALSE;
}

/* Flux per area, along the axis, of ballistic species s through the face below the cell that the rows point at with offset `above`
   (0: lower face of cell i, 1: its upper face). Outgoing fluxes at walls included; incoming ones are those of the mirror or the boundary. */
static PetscReal BallisticFlux(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s, int axis, int above)
{
  const SoretGrid *grid   = op->grid;
  const PetscInt   q      = i * op->num_species + s;
  const PetscInt   at[3]  = {i, row->j, row->k};
  const PetscInt   face   = grid->start[axis] + at[axis] + above;
  FaceStencil      stencil;
  PetscReal        v, far, up, down;

  if (!op->model->species[s].moves[axis]) return 0.0;
  v = op->model->species[s].velocity.value[axis];
  if (!grid->periodic[axis] && (face == 0 || face == grid->n[axis])) {
    const int side = face == 0 ? 0 : 1;

    if ((v > 0.0) != (side == 1) || !LeavesThroughWall(op, s, axis, side)) return 0.0;
  }
  stencil = StencilOfFace(grid, axis, face, v);
  up      = row->u[axis][2 + above + stencil.up][q];
  far     = stencil.d_far > 0.0 ? row->u[axis][2 + above + stencil.far][q] : 0.0;
  down    = stencil.d_near > 0.0 ? row->u[axis][2 + above + stencil.down][q] : 0.0;
  return v * SoretBallisticValue(stencil.weight, stencil.d_far, stencil.d_near, stencil.d_face, far, up, down, op->limited);
}

/* Face flux of a ballistic species, mirrors included. */
static PetscReal BallisticFaceFlux(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s, int axis, int above)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   at[3] = {i, row->j, row->k}, face = grid->start[axis] + at[axis] + above, mirror = op->model->species[s].mirror[axis];
  PetscReal        flux = BallisticFlux(op, row, i, s, axis, above);

  /* at a wall the outgoing flux of the mirror enters as this species */
  if (mirror >= 0 && !grid->periodic[axis] && (face == 0 || face == grid->n[axis])) flux -= BallisticFlux(op, row, i, mirror, axis, above);
  return flux;
}

static void AddBallisticRow(const SoretOperator *op, const SoretRow *row, PetscReal *f)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;

  for (PetscInt s = 0; s < ns; s++) {
    const SoretSpecies *species = &op->model->species[s];

    if (species->diffuses) continue;
    for (int axis = 0; axis < grid->dim; axis++) {
      if (!species->moves[axis]) continue;
      for (PetscInt i = 0; i < grid->count[0]; i++) {
        PetscInt ijk[3];

        SoretOperatorCell(op, row, i, ijk);
        f[i * ns + s] += SoretGridFaceArea(grid, axis, ijk) * (BallisticFaceFlux(op, row, i, s, axis, 1) - BallisticFaceFlux(op, row, i, s, axis, 0));
      }
    }
  }
}

/* ---- residual ---- */

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

void SoretOperatorAddTransport(const SoretOperator *op, const SoretRow *row, PetscReal f[], PetscReal diagonal[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, m = grid->count[0] * ns;

  if (op->uniform) {
    const PetscReal area = grid->width[1][grid->start[1] + row->j] * grid->width[2][grid->start[2] + row->k];
    PetscReal       g[4];

    RowConductances(op, row, g);
    SoretKernelAddUniformRow(m, ns, area, op->gx, op->dx, g, row->u[0][2], row->u[1][1], row->u[1][3], row->u[2][1], row->u[2][3], f);
    if (diagonal) SoretKernelAddUniformDiagonal(m, ns, area, op->gx, op->dx, g, diagonal);
    return;
  }
  for (int axis = 0; axis < grid->dim; axis++) {
    const PetscInt   ijk[3] = {0, row->j, row->k}, up[3] = {axis == 0, row->j + (axis == 1), row->k + (axis == 2)};
    const PetscInt   lo = FaceIndex(grid, axis, ijk) * ns, hi = FaceIndex(grid, axis, up) * ns;
    const PetscReal *w_lo = op->w[axis] ? op->w[axis] + lo : NULL, *w_hi = op->w[axis] ? op->w[axis] + hi : NULL;

    SoretKernelAddFaceRow(m, op->g[axis] + lo, op->g[axis] + hi, w_lo, w_hi, row->u[axis][1], row->u[axis][2], row->u[axis][3], f);
    if (diagonal) SoretKernelAddFaceDiagonal(m, op->g[axis] + lo, op->g[axis] + hi, w_lo, w_hi, diagonal);
  }
}

static void AddReactionRow(const SoretOperator *op, const SoretRow *row, PetscReal *f)
{
  const PetscInt ns = op->num_species;
  PetscReal      constants[2 * SORET_MAX_REACTIONS];

  for (PetscInt i = 0; i < op->grid->count[0]; i++) {
    const PetscReal volume = SoretOperatorVolume(op, row, i);
    PetscReal       source[SORET_MAX_SPECIES];

    for (PetscInt s = 0; s < ns; s++) source[s] = 0.0;
    SoretOperatorConstants(op, row->first + i, constants);
    SoretNetworkAddSource(&op->model->network, constants, row->c + i * ns, source);
    for (PetscInt s = 0; s < ns; s++) f[i * ns + s] -= volume * source[s];
  }
}

PetscInt SoretOperatorWall(const SoretOperator *op, int face, const PetscInt ijk[3])
{
  const SoretGrid *grid = op->grid;
  const int        axis = face / 2;

  if (!op->boundary->num[face] || ijk[axis] != (face % 2 ? grid->count[axis] - 1 : 0)) return -1;
  return (axis == 0 ? ijk[2] * grid->count[1] + ijk[1] : axis == 1 ? ijk[2] * grid->count[0] + ijk[0] : ijk[1] * grid->count[0] + ijk[0]) * op->num_species;
}

void SoretOperatorAddWalls(const SoretOperator *op, const SoretRow *row, PetscReal f[], PetscReal diagonal[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;

  for (int face = 0; face < 2 * grid->dim; face++) {
    const PetscInt begin = face == 1 ? grid->count[0] - 1 : 0, end = face == 0 ? 1 : grid->count[0];

    if (!op->boundary->num[face]) continue;
    for (PetscInt i = begin; i < end; i++) {
      const PetscInt ijk[3] = {i, row->j, row->k}, q = SoretOperatorWall(op, face, ijk);

      if (q < 0) break;
      for (PetscInt s = 0; s < ns; s++) {
        const PetscReal alpha = op->boundary->alpha[face][q + s];

        f[i * ns + s] += alpha * row->c[i * ns + s] - op->boundary->beta[face][q + s];
        if (diagonal) diagonal[i * ns + s] += alpha;
      }
    }
  }
}

static PetscErrorCode ResidualRow(SoretOperator *op, const SoretRow *row, void *context)
{
  PetscReal *f = (PetscReal *)context + row->first * op->num_species;

  PetscFunctionBegin;
  memset(f, 0, (size_t)(op->grid->count[0] * op->num_species) * sizeof(PetscReal));
  SoretOperatorAddTransport(op, row, f, NULL);
  if (op->width > 1) AddBallisticRow(op, row, f);
  if (op->model->network.num_reactions) AddReactionRow(op, row, f);
  SoretOperatorAddWalls(op, row, f, NULL);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorResidual(SoretOperator *op, Vec c, Vec f)
{
  PetscReal *array;

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(f, &array));
  PetscCall(SoretOperatorForEachRow(op, c, ResidualRow, array));
  PetscCall(VecRestoreArrayWrite(f, &array));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorPerVolume(const SoretOperator *op, PetscReal factor, Vec f)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  PetscReal       *array;

  PetscFunctionBegin;
  PetscCall(VecGetArray(f, &array));
  for (PetscInt k = 0, q = 0; k < grid->count[2]; k++) {
    for (PetscInt j = 0; j < grid->count[1]; j++) {
      for (PetscInt i = 0; i < grid->count[0]; i++) {
        const PetscInt  ijk[3] = {grid->start[0] + i, grid->start[1] + j, grid->start[2] + k};
        const PetscReal scale  = factor / SoretGridCellVolume(grid, ijk);

        for (PetscInt s = 0; s < ns; s++) array[q++] *= scale;
      }
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
        f = FaceIndex(grid, axis, above) * op->num_species + s;
        g = op->g[axis][f];
        w = op->w[axis] ? op->w[axis][f] : 0.0;
      }
      flux[face] = SoretFaceFlux(g, lo, hi) + 0.5 * w * (lo + hi);
      if (oneway) oneway[face] = g * (lo + hi);
    } else if (species->moves[axis]) {
      flux[face] = SoretGridFaceArea(grid, axis, ijk) * BallisticFaceFlux(op, row, i, s, axis, side);
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

/* ---- Jacobian ---- */

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
  PetscCall(DMGetLocalToGlobalMapping(op->dm, &mapping));
  PetscCall(MatSetLocalToGlobalMapping(*J, mapping, mapping));
  PetscCall(DMDAGetGhostCorners(op->dm, &start[0], &start[1], &start[2], &count[0], &count[1], &count[2]));
  PetscCall(MatSetStencil(*J, grid->dim, count, start, ns));
  PetscCall(PetscMalloc2(rows, &own, rows, &off));
  for (int pass = 0; pass < 2; pass++) { /* first count, then set the entries to 0, so that none is lost that is 0 at first */
    for (PetscInt p = 0; p < grid->num_cells; p++) {
      const PetscInt local[3] = {p % grid->count[0], p / grid->count[0] % grid->count[1], p / grid->count[0] / grid->count[1]};

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

/* d(outflow)/dc of ballistic species s through a face, entered into the row of `into` with a sign. */
static void AddBallisticEntries(const SoretOperator *op, MatrixRow *m, const PetscInt ijk[3], PetscInt s, int axis, int above, PetscReal factor)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   face = ijk[axis] + above;
  FaceStencil      stencil;
  PetscReal        v;

  if (!op->model->species[s].moves[axis]) return;
  v = op->model->species[s].velocity.value[axis];
  if (!grid->periodic[axis] && (face == 0 || face == grid->n[axis])) {
    const int side = face == 0 ? 0 : 1;

    if ((v > 0.0) != (side == 1) || !LeavesThroughWall(op, s, axis, side)) return;
  }
  stencil = StencilOfFace(grid, axis, face, v);
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
    PetscReal       g, w = 0.0;

    if (wall >= 0) AddEntry(m, 0, 0, s, op->boundary->alpha[face][wall + s]);
    if (!species->diffuses) {
      const PetscReal area = SoretGridFaceArea(grid, axis, ijk) * (side ? 1.0 : -1.0);

      AddBallisticEntries(op, m, ijk, s, axis, side, area);
      if (closed && species->mirror[axis] >= 0) AddBallisticEntries(op, m, ijk, species->mirror[axis], axis, side, -area);
      continue;
    }
    if (closed) continue;
    if (op->uniform) g = op->a_constant[s] * SoretGridFaceArea(grid, axis, ijk) / grid->distance[axis][index];
    else {
      PetscInt above[3] = {local[0], local[1], local[2]};
      PetscInt f;

      above[axis] += side;
      f = FaceIndex(grid, axis, above) * op->num_species + s;
      g = op->g[axis][f];
      w = op->w[axis] ? op->w[axis][f] : 0.0;
    }
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
    const PetscInt   local[3] = {p % grid->count[0], p / grid->count[0] % grid->count[1], p / grid->count[0] / grid->count[1]};
    const PetscInt   ijk[3]   = {grid->start[0] + local[0], grid->start[1] + local[1], grid->start[2] + local[2]};
    const PetscReal  volume   = SoretGridCellVolume(grid, ijk);
    const PetscReal *b_of[6];

    for (int face = 0; face < 2 * grid->dim; face++) {
      PetscInt next[3] = {local[0], local[1], local[2]};

      next[face / 2] += face % 2 ? 1 : -1;
      b_of[face] = CellOrGhost(op, op->b, next);
    }
    for (PetscInt e = 0; e < ns * ns; e++) block[e] = extra ? volume * extra[e] : 0.0;
    SoretOperatorConstants(op, p, k);
    SoretNetworkAddJacobian(&op->model->network, k, c + p * ns, -volume, block);
    for (PetscInt s = 0; s < ns; s++) {
      MatrixRow m = {.row = {.i = ijk[0], .j = ijk[1], .k = ijk[2], .c = s}};

      AddEntry(&m, 0, 0, s, volume * shift);
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
