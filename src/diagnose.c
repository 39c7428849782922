/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/diagnose.h"

#include <math.h>

PetscBool SoretEntropyIsDefined(const SoretModel *model, size_t size, char why[])
{
  for (PetscInt r = 0; r < model->network.num_reactions; r++) {
    if (model->network.reaction[r].kind != SORET_BACKWARD_NONE || SoretNetworkIsOff(&model->network, r)) continue;
    (void)snprintf(why, size, "'%s' has no backward reaction", model->network.reaction[r].equation);
    return PETSC_FALSE;
  }
  for (PetscInt s = 0; s < model->num_species; s++) {
    if (model->species[s].diffuses || SoretModelIsImmobile(model, s)) continue;
    (void)snprintf(why, size, "'%s' is ballistic", model->species[s].name);
    return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* ---- entropy production of one cell ---- */

/* (f - b) ln(f/b), 0 where both vanish. */
static inline PetscReal ReactionEntropy(PetscReal f, PetscReal b)
{
  if (f == b) return 0.0;
  return (f - b) * log(f / b);
}

/* Diffusion: J ln(u_lo/u_hi) of each face inside the box, half for this cell. The part of J that a velocity carries produces none. */
static PetscReal FaceEntropy(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   q = i * op->num_species + s, at[3] = {i, row->j, row->k};
  PetscReal        flux[6], sum = 0.0;

  if (!op->model->species[s].diffuses) return 0.0;
  SoretOperatorFaceFluxes(op, row, i, s, flux, NULL);
  for (int face = 0; face < 2 * grid->dim; face++) {
    const int       axis = face / 2, side = face % 2;
    const PetscInt  index = grid->start[axis] + at[axis] + side;
    const PetscReal lo = row->u[axis][1 + side][q], hi = row->u[axis][2 + side][q];
    PetscReal       carried = 0.0;

    if ((!grid->periodic[axis] && (index == 0 || index == grid->n[axis])) || SoretGridIsClosed(grid, row->first + i, face)) continue;
    if (op->w[axis]) {
      PetscInt above[3] = {at[0], at[1], at[2]}, nx = grid->count[0] + (axis == 0), ny = grid->count[1] + (axis == 1);

      above[axis] += side;
      carried = 0.5 * op->w[axis][((above[2] * ny + above[1]) * nx + above[0]) * op->num_species + s] * (lo + hi);
    }
    if (lo != hi) sum += 0.5 * (flux[face] - carried) * log(lo / hi);
  }
  return sum;
}

/* Entropy produced in cell i of a row, integrated over it. */
static PetscReal CellEntropy(const SoretOperator *op, const SoretRow *row, PetscInt i)
{
  const SoretNetwork *net = &op->model->network;
  PetscReal           k[2 * SORET_MAX_REACTIONS], sum = 0.0;

  SoretOperatorConstants(op, row->first + i, k);
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    PetscReal f, b;

    if (SoretNetworkIsOff(net, r)) continue;
    SoretNetworkRates(net, r, k, row->c + i * op->num_species, &f, &b);
    sum += ReactionEntropy(f, b);
  }
  sum *= SoretOperatorVolume(op, row, i);
  for (PetscInt s = 0; s < op->num_species; s++) sum += FaceEntropy(op, row, i, s);
  return sum;
}

/* ---- numbers ---- */

typedef struct {
  SoretState *state;
  PetscBool   entropy;
} StateContext;

static PetscErrorCode StateRow(SoretOperator *op, const SoretRow *row, void *context)
{
  const SoretGrid    *grid  = op->grid;
  const StateContext *sc    = (const StateContext *)context;
  SoretState         *state = sc->state;
  const PetscInt      ns    = op->num_species;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < grid->count[0]; i++) {
    const PetscInt at[3] = {i, row->j, row->k};
    PetscBool      wall  = PETSC_FALSE;

    if (SoretGridIsSolid(grid, row->first + i)) continue;
    for (int axis = 0; axis < grid->dim; axis++) {
      const PetscInt global = grid->start[axis] + at[axis];

      wall = wall || (!grid->periodic[axis] && (global == 0 || global == grid->n[axis] - 1)) ? PETSC_TRUE : PETSC_FALSE;
    }
    for (PetscInt s = 0; s < ns; s++) {
      const PetscReal c = row->c[i * ns + s];
      PetscReal       flux[6];

      state->min[s] = PetscMin(state->min[s], c);
      state->max[s] = PetscMax(state->max[s], c);
      if (!wall) continue;
      SoretOperatorFaceFluxes(op, row, i, s, flux, NULL);
      for (int face = 0; face < 2 * grid->dim; face++) {
        const int      axis = face / 2, side = face % 2;
        const PetscInt index = grid->start[axis] + at[axis] + side;

        if (!grid->periodic[axis] && index == (side ? grid->n[axis] : 0)) state->boundary_flux[face][s] += side ? -flux[face] : flux[face];
      }
    }
    if (sc->entropy) state->entropy_production += CellEntropy(op, row, i);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretDiagnoseState(SoretOperator *op, const SoretSums *sums, Vec c, SoretState *state)
{
  StateContext   context = {state, SoretEntropyIsDefined(op->model, 0, NULL)};
  const MPI_Comm comm    = op->grid->comm;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(state, sizeof(*state)));
  for (PetscInt s = 0; s < op->num_species; s++) {
    state->min[s] = PETSC_MAX_REAL;
    state->max[s] = -PETSC_MAX_REAL;
  }
  PetscCall(SoretOperatorForEachRow(op, c, StateRow, &context));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, state->min, (PetscMPIInt)op->num_species, MPIU_REAL, MPI_MIN, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, state->max, (PetscMPIInt)op->num_species, MPIU_REAL, MPI_MAX, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, state->boundary_flux, 6 * SORET_MAX_SPECIES, MPIU_REAL, MPI_SUM, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &state->entropy_production, 1, MPIU_REAL, MPI_SUM, comm));
  if (!context.entropy) state->entropy_production = NAN;
  PetscCall(SoretSumsMeasure(sums, op, c, state->total, NULL));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- fields ---- */

typedef struct {
  PetscInt   which; /* species or reaction */
  PetscReal *out;
} FieldContext;

static PetscErrorCode FluxRow(SoretOperator *op, const SoretRow *row, void *context)
{
  const FieldContext *field = (const FieldContext *)context;
  const PetscInt      dim   = op->grid->dim;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < op->grid->count[0]; i++) {
    PetscInt  ijk[3];
    PetscReal flux[6];

    SoretOperatorCell(op, row, i, ijk);
    SoretOperatorFaceFluxes(op, row, i, field->which, flux, NULL);
    for (int axis = 0; axis < dim; axis++) field->out[(row->first + i) * dim + axis] = 0.5 * (flux[2 * axis] + flux[2 * axis + 1]) / SoretGridFaceArea(op->grid, axis, ijk);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretDiagnoseFlux(SoretOperator *op, Vec c, PetscInt s, PetscReal out[])
{
  FieldContext field = {s, out};

  PetscFunctionBegin;
  PetscCall(SoretOperatorForEachRow(op, c, FluxRow, &field));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode RateRow(SoretOperator *op, const SoretRow *row, void *context)
{
  const FieldContext *field = (const FieldContext *)context;
  PetscReal           k[2 * SORET_MAX_REACTIONS], f, b;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < op->grid->count[0]; i++) {
    SoretOperatorConstants(op, row->first + i, k);
    SoretNetworkRates(&op->model->network, field->which, k, row->c + i * op->num_species, &f, &b);
    field->out[row->first + i] = SoretGridIsSolid(op->grid, row->first + i) ? 0.0 : f - b;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretDiagnoseRate(SoretOperator *op, Vec c, PetscInt r, PetscReal out[])
{
  FieldContext field = {r, out};

  PetscFunctionBegin;
  PetscCall(SoretOperatorForEachRow(op, c, RateRow, &field));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode EntropyRow(SoretOperator *op, const SoretRow *row, void *context)
{
  const FieldContext *field = (const FieldContext *)context;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < op->grid->count[0]; i++) field->out[row->first + i] = !field->which ? NAN : SoretGridIsSolid(op->grid, row->first + i) ? 0.0 : CellEntropy(op, row, i) / SoretOperatorVolume(op, row, i);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretDiagnoseEntropy(SoretOperator *op, Vec c, PetscReal out[])
{
  FieldContext field = {SoretEntropyIsDefined(op->model, 0, NULL), out};

  PetscFunctionBegin;
  PetscCall(SoretOperatorForEachRow(op, c, EntropyRow, &field));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the Soret coefficient ---- */

/* Total sum_i w_i c_i with one layer of the neighbours' cells, by the exchange of the temperature module's kind. */
typedef struct {
  PetscReal *value; /* [num_cells] */
  SoretHalo  halo;
} Scalar;

static PetscErrorCode CreateScalar(const SoretOperator *op, Vec x, const PetscReal w[], Scalar *scalar)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  const PetscReal *c;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(grid->num_cells, &scalar->value));
  PetscCall(VecGetArrayRead(x, &c));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    scalar->value[p] = 0.0;
    for (PetscInt s = 0; s < ns; s++) scalar->value[p] += w[s] * c[p * ns + s];
  }
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscCall(SoretHaloCreate(grid, 1, 1, &scalar->halo));
  PetscCall(SoretHaloExchange(&scalar->halo, scalar->value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Gradient along an axis at a cell: (value above - value below) over the distance of their centres; at a wall from the inner side. */
static PetscReal Gradient(const SoretGrid *grid, const SoretHalo *halo, const PetscReal value[], int axis, const PetscInt local[3])
{
  PetscReal v[3], distance = 0.0;

  v[1] = SoretHaloValue(halo, value, local);
  for (int side = 0; side < 2; side++) {
    PetscInt       next[3] = {local[0], local[1], local[2]};
    const PetscInt face    = grid->start[axis] + local[axis] + side;

    v[2 * side] = v[1];
    if (!grid->periodic[axis] && (face == 0 || face == grid->n[axis])) continue;
    next[axis] += side ? 1 : -1;
    v[2 * side] = SoretHaloValue(halo, value, next);
    distance += grid->distance[axis][face];
  }
  return distance > 0.0 ? (v[2] - v[0]) / distance : 0.0;
}

PetscErrorCode SoretDiagnoseSoret(SoretOperator *op, Vec c, const PetscReal w[], PetscReal out[], PetscReal *mean)
{
  const SoretGrid *grid   = op->grid;
  PetscReal        sum[2] = {0.0, 0.0};
  Scalar           total;

  PetscFunctionBegin;
  PetscCall(CreateScalar(op, c, w, &total));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt  local[3] = {p % grid->count[0], p / grid->count[0] % grid->count[1], p / grid->count[0] / grid->count[1]};
    const PetscInt  ijk[3]   = {grid->start[0] + local[0], grid->start[1] + local[1], grid->start[2] + local[2]};
    const PetscReal volume   = SoretGridCellVolume(grid, ijk);
    PetscReal       cT = 0.0, TT = 0.0;

    for (int axis = 0; axis < grid->dim; axis++) {
      const PetscReal dT = Gradient(grid, &op->temperature->halo, op->temperature->T, axis, local);

      cT += dT * Gradient(grid, &total.halo, total.value, axis, local);
      TT += dT * dT;
    }
    if (out) out[p] = TT > 0.0 ? -cT / (total.value[p] * TT) : NAN;
    sum[0] += volume * cT;
    sum[1] += volume * total.value[p] * TT;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPIU_REAL, MPI_SUM, grid->comm));
  if (mean) *mean = sum[1] != 0.0 ? -sum[0] / sum[1] : NAN;
  PetscCall(PetscFree(total.value));
  PetscCall(SoretHaloDestroy(&total.halo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretDiagnoseContrast(const SoretOperator *op, Vec x, const PetscReal w[], PetscReal *contrast)
{
  const SoretGrid *grid    = op->grid;
  const PetscInt   ns      = op->num_species;
  PetscReal        layer[2] = {0.0, 0.0};
  const PetscReal *c;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(x, &c));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt ijk[3] = {grid->start[0] + p % grid->count[0], grid->start[1] + p / grid->count[0] % grid->count[1], grid->start[2] + p / grid->count[0] / grid->count[1]};

    for (int side = 0; side < 2; side++) {
      if (ijk[0] != (side ? grid->n[0] - 1 : 0)) continue;
      for (PetscInt s = 0; s < ns; s++) layer[side] += w[s] * c[p * ns + s] * SoretGridFaceArea(grid, 0, ijk);
    }
  }
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, layer, 2, MPIU_REAL, MPI_SUM, grid->comm));
  *contrast = layer[0] / layer[1];
  PetscFunctionReturn(PETSC_SUCCESS);
}
