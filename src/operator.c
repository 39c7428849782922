/* SPDX-License-Identifier: BSD-2-Clause */
#include "operator_private.h"

#include <unistd.h>

#include "blocks.h"

/* ---- creation ---- */

/* Columns of the cache for rate constants that vary from cell to cell; the others are numbers. */
static PetscErrorCode AssignSlots(SoretOperator *op)
{
  const SoretNetwork *net   = &op->model->network;
  const SoretPoint    point = {{0.0, 0.0, 0.0}, 0.0, 1.0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(2 * net->num_reactions, &op->slot, 2 * net->num_reactions * SORET_MAX_LANES, &op->k_constant, 2 * net->num_reactions, &op->rates));
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    PetscReal k[2];

    SoretNetworkConstants(net, r, &point, &k[0], &k[1]);
    for (int d = 0; d < 2; d++) {
      op->slot[2 * r + d] = SoretNetworkIsFixed(net, r, d) ? -1 : op->num_slots++;
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
  PetscCall(PetscMalloc3(m + 1, &op->inverse[0], grid->count[1] + 1, &op->inverse[1], grid->count[2] + 1, &op->inverse[2]));
  for (int axis = 0; axis < 3; axis++) {
    for (PetscInt i = 0; i <= grid->count[axis]; i++) {
      const PetscInt  face = grid->start[axis] + i;
      const PetscBool wall = axis >= grid->dim || (!grid->periodic[axis] && (face == 0 || face == grid->n[axis])) ? PETSC_TRUE : PETSC_FALSE;

      op->inverse[axis][i] = wall ? 0.0 : 1.0 / grid->distance[axis][face];
    }
  }
  for (PetscInt i = 0; i < m; i++) op->gx_sum[i] = op->inverse[0][i] + op->inverse[0][i + 1];
  for (PetscInt q = 0; q < (m + 1) * ns; q++) op->gx[q] = op->a_constant[q % ns] * op->inverse[0][q / ns];
  for (PetscInt q = 0; q < m * ns; q++) op->dx[q] = op->a_constant[q % ns] * grid->width[0][grid->start[0] + q / ns];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode AllocateFaces(SoretOperator *op)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < op->grid->dim; axis++) {
    PetscBool moves = op->boundary->flow || (op->finer && op->finer->w[axis]) ? PETSC_TRUE : PETSC_FALSE;

    for (PetscInt s = 0; s < op->num_species; s++) moves = moves || (op->model->species[s].diffuses && op->model->species[s].moves[axis]) ? PETSC_TRUE : PETSC_FALSE;
    PetscCall(PetscMalloc1(SoretFlowCountFaces(op->grid, axis) * op->num_species, &op->g[axis]));
    op->g_diffusive[axis] = op->g[axis];
    if (!moves) continue;
    PetscCall(PetscMalloc1(SoretFlowCountFaces(op->grid, axis) * op->num_species, &op->w[axis]));
    PetscCall(PetscMalloc1(SoretFlowCountFaces(op->grid, axis) * op->num_species, &op->g_diffusive[axis]));
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

static inline PetscInt RoundUp(PetscInt n, PetscInt unit)
{
  return (n + unit - 1) / unit * unit;
}

/* Slabs of u. Rows begin at a line of the caches, so that no four cells lie across two of them, and neighbouring rows and slabs at other places of a page: a
   cache has few places for lines that lie alike in their pages, and a cell reads of seven rows at once (docs/performance.md). */
static PetscErrorCode AllocateSlabs(SoretOperator *op)
{
  enum {
    PAGE = 4096 / sizeof(PetscReal),
    NEAR = PAGE / 8
  };
  const SoretGrid *grid = op->grid;
  const PetscInt   ends = op->width * op->num_species, num = grid->dim > 1 ? 2 * op->width + 2 : 1;
  size_t           entries;

  PetscFunctionBegin;
  op->num_slabs  = grid->dim > 1 ? grid->count[grid->dim - 1] : 1;
  op->num_rows   = grid->dim > 2 ? grid->count[1] : 1;
  op->row_start  = RoundUp(ends, SORET_LINE);
  op->row_length = RoundUp(op->row_start + grid->count[0] * op->num_species + ends, SORET_LINE);
  if (op->row_length > PAGE - NEAR && (op->row_length + NEAR) % PAGE < 2 * NEAR) op->row_length += 2 * NEAR - (op->row_length + NEAR) % PAGE;
  entries = (size_t)RoundUp(op->row_length * (op->num_rows + (grid->dim > 2 ? 2 * op->width : 0)), PAGE) + PAGE / 2;
  PetscCall(PetscCalloc1((size_t)num * entries + SORET_LINE, &op->slabs));
  for (PetscInt p = 0; p < num; p++) op->slab[p] = op->slabs + (size_t)p * entries + -(uintptr_t)op->slabs % (SORET_LINE * sizeof(PetscReal)) / sizeof(PetscReal);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The work arrays of rows and lanes. */
static PetscErrorCode AllocateWork(SoretOperator *op)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;

  PetscFunctionBegin;
  op->num_lanes = ns <= 2 ? 64 : ns <= 4 ? 32 : ns <= 8 ? 16 : 8; /* so that the Jacobians of all lanes stay in the first-level cache */
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
  op->shape = SoretBlocksShape(net->num_species, net->num_reactions, op->pair);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* How transport and reactions of a row are joined, once it is known which faces have velocities. */
static void ChooseBlocks(SoretOperator *op)
{
  const PetscBool moves = op->width > 1 || op->w[0] || op->w[1] || op->w[2] ? PETSC_TRUE : PETSC_FALSE;

  if (!op->pair) op->blocks = SORET_BLOCKS_NONE;
  else if (moves || op->num_species == 3) op->blocks = SORET_BLOCKS_STORED; /* the species of four cells do not fill whole vectors */
  else op->blocks = !op->uniform ? SORET_BLOCKS_FACES : op->grid->equal[0] ? SORET_BLOCKS_EVEN : SORET_BLOCKS_UNIFORM;
  for (int side = 0; side < 2; side++) op->wall[side] = op->width == 1 && op->halo.neighbor[0][side] == MPI_PROC_NULL ? PETSC_TRUE : PETSC_FALSE;
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
  op->width       = SoretModelWidth(model);
  op->cache_bytes = 1 << 20; /* 0.2 and 0.4 MB were slower with 0.5 MB of second-level cache and plenty behind it */
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-cache_bytes", &op->cache_bytes, NULL));
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  op->first_cache_bytes = (PetscInt)sysconf(_SC_LEVEL1_DCACHE_SIZE); /* 0: not known */
#endif
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-first_cache_bytes", &op->first_cache_bytes, NULL));
  PetscCall(AssignSlots(op));
  PetscCall(PetscMalloc2(ns, &op->a_constant, ns, &op->mean_D));
  PetscCall(PetscMalloc2(grid->num_cells * ns, &op->b, (size_t)grid->num_cells * (size_t)op->num_slots, &op->k));
  PetscCall(SoretHaloCreate(grid, ns, op->width, &op->halo));
  PetscCall(AllocateSlabs(op));
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
  for (int axis = 0; axis < grid->dim; axis++) PetscCall(PetscArrayzero(op->g[axis], SoretFlowCountFaces(grid, axis) * op->num_species));
  for (PetscInt s = 0; s < op->num_species; s++) op->mean_D[s] = 0.0;
  ChooseBlocks(op);
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
  op->whole   = coarsened ? PETSC_FALSE : PETSC_TRUE;
  for (int axis = 0; axis < 3 && coarsened; axis++) op->coarsened[axis] = coarsened[axis];
  PetscCall(PetscArraycpy(op->a_constant, fine->a_constant, op->num_species));
  if (op->uniform) PetscCall(AllocateUniform(op));
  else PetscCall(AllocateFaces(op));
  ChooseBlocks(op);
  if (fine->volume) PetscCall(PetscMalloc1(grid->num_cells, &op->volume));
  PetscCall(SoretOperatorSetTime(op, fine->t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorDestroy(SoretOperator *op)
{
  PetscFunctionBegin;
  if (!op->model) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree3(op->slot, op->k_constant, op->rates));
  PetscCall(PetscFree2(op->a_constant, op->mean_D));
  PetscCall(PetscFree2(op->b, op->k));
  PetscCall(PetscFree3(op->gx, op->dx, op->gx_sum));
  PetscCall(PetscFree3(op->inverse[0], op->inverse[1], op->inverse[2]));
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
  PetscCall(PetscFree(op->slabs));
  PetscCall(SoretHaloDestroy(&op->halo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- time ---- */

PetscErrorCode SoretOperatorSetTime(SoretOperator *op, PetscReal t)
{
  PetscBool changed;

  PetscFunctionBegin;
  if (op->fresh && (!op->varies || op->t == t)) PetscFunctionReturn(PETSC_SUCCESS);
  op->t = t;
  if (op->whole) PetscCall(SoretOperatorGather(op));
  else if (op->finer) PetscCall(SoretOperatorAggregate(op));
  else {
    PetscCall(SoretTemperatureSetTime(op->temperature, t, &changed));
    PetscCall(SoretModelSetRange(op->model, op->temperature->min, op->temperature->max));
    PetscCall(SoretOperatorFillCells(op));
    if (op->boundary->flow) PetscCall(SoretFlowSetTime(op->boundary->flow, t, &changed));
    if (!op->uniform) PetscCall(SoretOperatorFillConductances(op));
    PetscCall(SoretBoundaryUpdate(op->boundary, op->temperature, t));
  }
  op->fresh = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorDescribePeclet(const SoretOperator *op, size_t length, char text[])
{
  const PetscInt ns = op->num_species;
  struct {
    PetscReal value;
    int       species;
  } mine = {0.0, 0}, all;
  PetscReal fitted;

  PetscFunctionBegin;
  for (int axis = 0; axis < op->grid->dim; axis++) {
    for (PetscInt q = 0; op->w[axis] && q < SoretFlowCountFaces(op->grid, axis) * ns; q++) {
      const PetscReal g = op->g_diffusive[axis][q], peclet = g > 0.0 ? PetscAbsReal(op->w[axis][q]) / g : 0.0;

      if (peclet <= mine.value) continue;
      mine.value   = peclet;
      mine.species = (int)(q % ns);
    }
  }
  PetscCallMPI(MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE_INT, MPI_MAXLOC, op->grid->comm));
  text[0] = 0;
  if (all.value == 0.0) PetscFunctionReturn(PETSC_SUCCESS);
  SoretFitted(1.0, all.value, &fitted);
  (void)snprintf(text, length, "largest cell Peclet number |v| h/D: %.3g (%s), where the scheme adds %.3g D along the flow\n", (double)all.value, op->model->species[all.species].name, (double)(fitted - 1.0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SoretOperatorConstantLanes(const SoretOperator *op, PetscInt row, PetscInt i, const PetscReal *k[])
{
  const PetscInt   nx     = op->grid->count[0];
  const PetscReal *cached = SoretConstantsOfRow(op, row) + i;

  for (PetscInt r = 0; r < 2 * op->model->network.num_reactions; r++) k[r] = op->slot[r] < 0 ? op->k_constant + r * SORET_MAX_LANES : cached + op->slot[r] * nx;
}

void SoretOperatorConstants(const SoretOperator *op, PetscInt p, PetscReal k[])
{
  const PetscReal *lanes[2 * SORET_MAX_REACTIONS];

  SoretOperatorConstantLanes(op, p / op->grid->count[0], p % op->grid->count[0], lanes);
  for (PetscInt r = 0; r < 2 * op->model->network.num_reactions; r++) k[r] = lanes[r][0];
}

/* ---- cells and walls ---- */

PetscReal SoretOperatorCellVolume(const SoretOperator *op, PetscInt p)
{
  const SoretGrid *grid   = op->grid;
  const PetscInt   ijk[3] = SORET_GLOBAL_INDEX(grid, p);

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
      PetscReal       w;
      const PetscReal g = SoretFaceConductance(op, axis, side, at, s, &w);

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

const PetscReal *SoretOperatorScales(const SoretOperator *op)
{
  return op->b;
}
