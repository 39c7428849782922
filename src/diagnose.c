/* SPDX-License-Identifier: BSD-2-Clause */
#include "diagnose_private.h"
#include "kernel.h"

PetscBool SoretEntropyIsDefined(const SoretModel *model, size_t size, char why[])
{
  for (PetscInt r = 0; r < model->network.num_reactions; r++) {
    if (!SoretNetworkIsOneWay(&model->network, r)) continue;
    (void)snprintf(why, size, "'%s' runs one way", model->network.reaction[r].equation);
    return PETSC_FALSE;
  }
  for (PetscInt s = 0; s < model->num_species; s++) {
    if (model->species[s].diffuses || SoretModelIsImmobile(model, s)) continue;
    (void)snprintf(why, size, "'%s' is ballistic", model->species[s].name);
    return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

PetscErrorCode SoretDiagnoseThermo(const SoretOperator *op, const SoretSums *sums, SoretThermo *thermo)
{
  enum { ALONG = 3 };
  const SoretGrid *grid = op->grid;
  SoretPoint       place[ALONG * ALONG * ALONG];
  PetscInt         n = 0, most[3];

  PetscFunctionBegin;
  PetscCall(SoretThermoCreate(op->model, sums->num, sums->w, thermo));
  for (int axis = 0; axis < 3; axis++) most[axis] = axis < grid->dim ? ALONG : 1;
  for (PetscInt p = 0; p < most[0] * most[1] * most[2]; p++) { /* constants may depend on the place: catalytic patches */
    const PetscInt ijk[3] = {p % most[0], p / most[0] % most[1], p / most[0] / most[1]};

    place[n] = SoretDiagnoseMiddle(op);
    for (int axis = 0; axis < grid->dim; axis++) place[n].x[axis] = grid->center[axis][ijk[axis] * (grid->n[axis] - 1) / (ALONG - 1)];
    n++;
  }
  PetscCall(SoretThermoJudge(thermo, op->temperature->min, op->temperature->max, n, place));
  PetscFunctionReturn(PETSC_SUCCESS);
}

SoretPoint SoretDiagnoseMiddle(const SoretOperator *op)
{
  SoretPoint point = {.t = op->t, .T = 0.5 * (op->temperature->min + op->temperature->max)};

  for (int axis = 0; axis < op->grid->dim; axis++) point.x[axis] = op->grid->origin[axis] + 0.5 * op->grid->size[axis];
  return point;
}

/* ---- entropy production of one cell ---- */

typedef struct {
  SoretEntropy which;
  PetscReal   *out;
  PetscReal   *g[6], *share[6], *work; /* rows of the faces on both sides along each axis: conductances, shares of the cells in what the faces resist */
} EntropyContext;

/* Diffusion: J ln(u_lo/u_hi) of each face inside the box, of which the part between the centre of this cell and the face is produced here. The part of J that a velocity carries
   produces none. */
static PetscReal FaceEntropy(const SoretOperator *op, const SoretRow *row, const EntropyContext *ec, PetscInt q)
{
  PetscReal sum = 0.0;

  for (int face = 0; face < 2 * op->grid->dim; face++) {
    const PetscReal here = row->u[face / 2][2][q], there = row->u[face / 2][face % 2 ? 3 : 1][q], between = here + ec->share[face][q] * (there - here);

    if (ec->g[face][q] > 0.0) sum += SoretFaceFlux(ec->g[face][q], here, there) * SoretLogRatio(here, between);
  }
  return sum;
}

/* What comes in through the half of a cell between a wall, or solid, and its centre. */
typedef struct {
  PetscReal inflow, carried; /* in all, and by the velocity alone with what there is at the centre */
  PetscReal force;           /* ln(u_wall/u_cell), which the rest of the inflow goes with, or what it tends to in small cells */
} HalfCell;

static HalfCell FindHalfCell(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s, int face)
{
  const SoretBoundary *boundary = op->boundary;
  const SoretSpecies  *species  = &op->model->species[s];
  const PetscInt       local[3] = {i, row->j, row->k}, p = row->first + i, wall = SoretOperatorWall(op, face, local), q = i * op->num_species + s;
  const int            axis     = face / 2;
  const PetscReal      u        = row->u[0][2][q];
  HalfCell             half     = {0.0, 0.0, 0.0};
  PetscReal            v        = species->moves[axis] ? species->velocity.value[axis] : 0.0;
  PetscInt             ijk[3];

  if (!species->diffuses || SoretGridIsSolid(op->grid, p)) return half;
  if (boundary->flow) v += boundary->flow->v[axis][SoretFlowFace(op->grid, face, p)];
  if (wall >= 0) half.inflow = boundary->beta[face][wall + s] - boundary->alpha[face][wall + s] * row->c[q];
  if (v == 0.0 && wall >= 0 && boundary->half[face][wall + s] > 0.0) {
    const PetscReal u_wall = u + half.inflow / boundary->half[face][wall + s];

    if (u_wall > 1.0e-10 * u && u > 0.0) half.force = SoretLogRatio(u_wall, u);
  } else if (v != 0.0 && row->c[q] > 0.0) {
    SoretPoint point = SoretOperatorRowPoint(op, row->j, row->k);
    PetscReal  a, b, area;

    SoretOperatorCell(op, row, i, ijk);
    area         = SoretGridFaceArea(op->grid, axis, ijk);
    point.x[0]   = op->grid->center[0][ijk[0]];
    point.T      = op->temperature->T[p];
    SoretModelTransport(op->model, s, &point, &a, &b);
    half.carried = (face % 2 ? -v : v) * area * row->c[q];
    half.force   = (half.inflow - half.carried) * 0.5 * op->grid->width[axis][ijk[axis]] / (area * a * b * row->c[q]);
    if (half.inflow != 0.0) half.force = half.force > 0.0 ? log1p(half.force) : -log1p(-half.force); /* as without a velocity: a front may be steeper than the cell tells */
  }
  return half;
}

PetscReal SoretEntropyAtWalls(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s, PetscReal *boundary)
{
  PetscReal sum = 0.0;
  PetscInt  ijk[3];

  SoretOperatorCell(op, row, i, ijk);
  for (int face = 0; face < 2 * op->grid->dim; face++) {
    HalfCell half;

    if (!SoretIsWall(op->grid, face / 2, face % 2, ijk[face / 2]) && !SoretGridIsClosed(op->grid, row->first + i, face)) continue;
    half = FindHalfCell(op, row, i, s, face);
    sum += (half.inflow - half.carried) * half.force;
    if (boundary) *boundary += half.inflow * half.force;
  }
  return sum;
}

/* Reactions in cell i of a row, per volume. */
static PetscReal CellEntropy(const SoretOperator *op, const SoretRow *row, PetscInt i)
{
  const SoretNetwork *net = &op->model->network;
  PetscReal           k[2 * SORET_MAX_REACTIONS], sum = 0.0;

  SoretOperatorConstants(op, row->first + i, k);
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    PetscReal f, b;

    if (SoretNetworkIsOff(net, r)) continue;
    SoretNetworkRates(net, r, k, row->c + i * op->num_species, &f, &b);
    sum += (f - b) * SoretLogRatio(f, b);
  }
  return sum;
}

/* ---- numbers ---- */

typedef struct {
  SoretState *state;
  PetscBool   entropy;
  PetscReal  *g, *w;            /* coefficients of a row of faces                */
  PetscReal  *volume, *rates;   /* of a row; [num_reactions][2][cells] of a row */
} StateContext;

/* One exchange by one: where the two sides differ much, or one vanishes, or a velocity carries something besides. */
static PetscReal EntropyOneByOne(PetscInt n, const PetscReal g[], const PetscReal w[], const PetscReal lo[], const PetscReal hi[], PetscReal *velocity)
{
  PetscReal entropy = 0.0;

  for (PetscInt q = 0; q < n; q++) {
    PetscReal ln;

    if (g[q] == 0.0) continue;
    ln = SoretLogRatio(lo[q], hi[q]);
    if (lo[q] != hi[q]) entropy += SoretFaceFlux(g[q], lo[q], hi[q]) * ln;
    if (w) *velocity -= 0.5 * w[q] * (lo[q] + hi[q]) * ln;
  }
  return entropy;
}

/* Side by side with the series; PETSC_FALSE where that is not exact. */
SORET_CLONES static PetscBool EntropyNear(PetscInt n, const PetscReal *restrict g, const PetscReal *restrict lo, const PetscReal *restrict hi, PetscReal *entropy)
{
  PetscReal sum  = 0.0;
  int       near = 1;

  SORET_PRAGMA(omp simd reduction(+ : sum) reduction(& : near))
  for (PetscInt q = 0; q < n; q++) {
    const PetscReal z = (lo[q] - hi[q]) / (lo[q] + hi[q]);

    near &= z * z < SORET_LOG_NEAR;
    sum += SoretFaceFlux(g[q], lo[q], hi[q]) * SoretLogSeries(z);
  }
  *entropy = sum;
  return near ? PETSC_TRUE : PETSC_FALSE;
}

PetscReal SoretEntropyOfRow(PetscInt n, const PetscReal *restrict g, const PetscReal *restrict w, const PetscReal *restrict lo, const PetscReal *restrict hi, PetscReal *scale, PetscReal *velocity)
{
  PetscReal entropy, both = 0.0;

  if (scale) {
    SORET_SUM(both)
    for (PetscInt q = 0; q < n; q++) both += g[q] * (lo[q] + hi[q]);
    *scale += both;
  }
  if (!w && EntropyNear(n, g, lo, hi, &entropy)) return entropy;
  return EntropyOneByOne(n, g, w, lo, hi, velocity);
}

void SoretReactionsOfRow(SoretOperator *op, const SoretRow *row, PetscReal work[], PetscReal amount[], PetscReal *entropy, PetscReal *scale)
{
  const PetscInt   nx     = op->grid->count[0];
  const PetscReal *volume = SoretOperatorRowVolumes(op, row->number, work);

  if (!op->model->network.num_reactions) return;
  SoretOperatorRates(op, row, amount);
  for (PetscInt r = 0; r < op->model->network.num_reactions; r++) {
    PetscReal *f = amount + 2 * r * nx, *b = f + nx;

    if (entropy) *entropy += SoretEntropyOfRow(nx, volume, NULL, f, b, scale, NULL);
    for (PetscInt i = 0; i < nx; i++) f[i] = volume[i] * (f[i] - b[i]);
  }
}

void SoretAddReaction(const SoretReaction *reaction, PetscInt n, PetscInt num_species, const PetscReal amount[], PetscReal source[])
{
  for (PetscInt a = 0; a < reaction->reactants.num; a++) {
    for (PetscInt i = 0; i < n; i++) source[i * num_species + reaction->reactants.species[a]] -= amount[i];
  }
  for (PetscInt a = 0; a < reaction->products.num; a++) {
    for (PetscInt i = 0; i < n; i++) source[i * num_species + reaction->products.species[a]] += amount[i];
  }
}

/* What reactions make in a row, and the entropy that they produce. */
static void AddReactions(SoretOperator *op, const SoretRow *row, StateContext *sc)
{
  const PetscInt nx = op->grid->count[0];

  SoretReactionsOfRow(op, row, sc->volume, sc->rates, sc->entropy ? &sc->state->entropy_reactions : NULL, NULL);
  for (PetscInt r = 0; r < op->model->network.num_reactions; r++) {
    const PetscReal *amount = sc->rates + 2 * r * nx;
    PetscReal        sum    = 0.0;

    SORET_SUM(sum)
    for (PetscInt i = 0; i < nx; i++) sum += amount[i];
    SoretAddReaction(&op->model->network.reaction[r], 1, op->num_species, &sum, sc->state->source);
  }
}

/* Net inflow through walls, and the entropy beside them. */
static void AddWallFluxes(const SoretOperator *op, const SoretRow *row, PetscBool entropy, SoretState *state)
{
  const SoretGrid *grid = op->grid;

  for (PetscInt i = SoretCellAtWall(op, row, 0); i < grid->count[0]; i = SoretCellAtWall(op, row, i + 1)) {
    for (PetscInt s = 0; s < op->num_species; s++) {
      PetscReal flux[6];
      PetscInt  ijk[3];

      SoretOperatorCell(op, row, i, ijk);
      SoretOperatorFaceFluxes(op, row, i, s, flux, NULL);
      for (int face = 0; face < 2 * grid->dim; face++) {
        if (SoretIsWall(grid, face / 2, face % 2, ijk[face / 2])) state->boundary_flux[face][s] += face % 2 ? -flux[face] : flux[face];
      }
      if (entropy) state->entropy_diffusion += SoretEntropyAtWalls(op, row, i, s, NULL);
    }
  }
}

/* Least and largest concentrations of n cells; several cells at once, each with places of its own. */
INLINED void RangeOf(const PetscInt ns, PetscInt n, const PetscReal *restrict c, PetscReal *restrict min, PetscReal *restrict max)
{
  enum { AT_ONCE = 4 };
  PetscReal      least[AT_ONCE * SORET_MAX_SPECIES], most[AT_ONCE * SORET_MAX_SPECIES];
  const PetscInt m = AT_ONCE * ns, rest = n % AT_ONCE * ns;

  for (PetscInt v = 0; v < m; v++) {
    least[v] = min[v % ns];
    most[v]  = max[v % ns];
  }
  for (PetscInt q = 0; q < n * ns - rest; q += m) {
    for (PetscInt v = 0; v < m; v++) {
      least[v] = PetscMin(least[v], c[q + v]);
      most[v]  = PetscMax(most[v], c[q + v]);
    }
  }
  for (PetscInt v = 0; v < rest; v++) {
    least[v] = PetscMin(least[v], c[n * ns - rest + v]);
    most[v]  = PetscMax(most[v], c[n * ns - rest + v]);
  }
  for (PetscInt v = 0; v < m; v++) {
    min[v % ns] = PetscMin(min[v % ns], least[v]);
    max[v % ns] = PetscMax(max[v % ns], most[v]);
  }
}

/* The same of the fluid cells of a row. */
SORET_CLONES static void AddRange(const SoretOperator *op, const SoretRow *row, SoretState *state)
{
  const PetscInt ns = op->num_species, nx = op->grid->count[0];

  if (!op->grid->closed) BY_SPECIES(RangeOf, ns, nx, row->c, state->min, state->max);
  else {
    for (PetscInt i = 0; i < nx; i++) {
      if (!SoretGridIsSolid(op->grid, row->first + i)) RangeOf(ns, 1, row->c + i * ns, state->min, state->max);
    }
  }
}

static PetscErrorCode StateRow(SoretOperator *op, const SoretRow *row, void *context)
{
  StateContext   *sc    = (StateContext *)context;
  SoretState     *state = sc->state;
  const PetscInt  m     = op->grid->count[0] * op->num_species;

  PetscFunctionBegin;
  AddRange(op, row, state);
  AddWallFluxes(op, row, sc->entropy, state);
  AddReactions(op, row, sc);
  for (int axis = 0; axis < op->grid->dim && sc->entropy; axis++) {
    PetscInt ijk[3], last;

    SoretOperatorCell(op, row, op->grid->count[0] - 1, ijk);
    last = SoretIsWall(op->grid, axis, 1, ijk[axis]) ? op->num_species : 0; /* of the row along x there is no face */
    if (axis && last) continue;
    (void)SoretOperatorFaceRow(op, row, axis, 1, sc->g, sc->w);
    state->entropy_diffusion += SoretEntropyOfRow(m - last, sc->g, NULL, row->u[axis][2], row->u[axis][3], NULL, NULL);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretDiagnoseState(SoretOperator *op, const SoretSums *sums, Vec c, SoretState *state)
{
  StateContext   context = {.state = state, .entropy = SoretEntropyIsDefined(op->model, 0, NULL)};
  const MPI_Comm comm    = op->grid->comm;
  const PetscInt m       = op->grid->count[0] * op->num_species;
  PetscReal      entropy[2];

  PetscFunctionBegin;
  PetscCall(PetscMemzero(state, sizeof(*state)));
  for (PetscInt s = 0; s < op->num_species; s++) {
    state->min[s] = PETSC_MAX_REAL;
    state->max[s] = -PETSC_MAX_REAL;
  }
  PetscCall(PetscMalloc4(m, &context.g, m, &context.w, op->grid->count[0], &context.volume, 2 * op->model->network.num_reactions * op->grid->count[0], &context.rates));
  PetscCall(SoretOperatorForEachRow(op, c, StateRow, &context));
  PetscCall(PetscFree4(context.g, context.w, context.volume, context.rates));
  entropy[0] = state->entropy_reactions;
  entropy[1] = state->entropy_diffusion;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, state->min, (PetscMPIInt)op->num_species, MPIU_REAL, MPI_MIN, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, state->max, (PetscMPIInt)op->num_species, MPIU_REAL, MPI_MAX, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, state->boundary_flux, 6 * SORET_MAX_SPECIES, MPIU_REAL, MPI_SUM, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, state->source, (PetscMPIInt)op->num_species, MPIU_REAL, MPI_SUM, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, entropy, 2, MPIU_REAL, MPI_SUM, comm));
  state->entropy_reactions = context.entropy ? entropy[0] : NAN;
  state->entropy_diffusion = context.entropy ? entropy[1] : NAN;
  PetscCall(SoretSumsMeasure(sums, op, c, state->total, state->scale));
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

typedef struct {
  const SoretThermo *thermo;
  PetscReal         *out;
} HeatContext;

/* Each species carries its energy; E = -R T^2 dmu/dT. */
static PetscErrorCode HeatRow(SoretOperator *op, const SoretRow *row, void *context)
{
  const HeatContext *heat = (const HeatContext *)context;
  const SoretGrid   *grid = op->grid;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < grid->count[0]; i++) {
    PetscReal  mu[SORET_MAX_SPECIES], slope[SORET_MAX_SPECIES], *out = heat->out + (row->first + i) * grid->dim;
    SoretPoint point = {.t = op->t, .T = op->temperature->T[row->first + i]};
    PetscInt   ijk[3];

    SoretOperatorCell(op, row, i, ijk);
    for (int axis = 0; axis < grid->dim; axis++) {
      point.x[axis] = grid->center[axis][ijk[axis]];
      out[axis]     = 0.0;
    }
    SoretThermoPotentialsAt(heat->thermo, &point, mu, slope);
    for (PetscInt s = 0; s < op->num_species; s++) {
      const PetscReal energy = -op->model->network.gas * point.T * point.T * slope[s];
      PetscReal       flux[6];

      SoretOperatorFaceFluxes(op, row, i, s, flux, NULL);
      for (int axis = 0; axis < grid->dim; axis++) out[axis] += energy * 0.5 * (flux[2 * axis] + flux[2 * axis + 1]) / SoretGridFaceArea(grid, axis, ijk);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretDiagnoseHeat(SoretOperator *op, const SoretThermo *thermo, Vec c, PetscReal out[])
{
  HeatContext heat = {thermo, out};

  PetscFunctionBegin;
  for (PetscInt p = 0; p < op->grid->num_cells * op->grid->dim; p++) out[p] = NAN;
  if (thermo->balanced) PetscCall(SoretOperatorForEachRow(op, c, HeatRow, &heat));
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
  const EntropyContext *ec = (const EntropyContext *)context;
  const PetscInt        ns = op->num_species;

  PetscFunctionBegin;
  SoretOperatorFaceShares(op, row, ec->work, ec->share);
  for (int face = 0; face < 2 * op->grid->dim; face++) (void)SoretOperatorFaceRow(op, row, face / 2, face % 2, ec->g[face], ec->work);
  for (PetscInt i = 0; i < op->grid->count[0]; i++) {
    const PetscReal volume = SoretOperatorVolume(op, row, i);
    PetscReal       sum    = 0.0;

    ec->out[row->first + i] = 0.0;
    if (SoretGridIsSolid(op->grid, row->first + i)) continue;
    if (ec->which != SORET_ENTROPY_DIFFUSION) sum += CellEntropy(op, row, i);
    for (PetscInt s = 0; s < ns && ec->which != SORET_ENTROPY_REACTIONS; s++) sum += (FaceEntropy(op, row, ec, i * ns + s) + SoretEntropyAtWalls(op, row, i, s, NULL)) / volume;
    ec->out[row->first + i] = sum;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretDiagnoseEntropy(SoretOperator *op, SoretEntropy which, Vec c, PetscReal out[])
{
  const PetscInt m  = op->grid->count[0] * op->num_species;
  EntropyContext ec = {.which = which, .out = out};
  PetscReal     *work;

  PetscFunctionBegin;
  if (!SoretEntropyIsDefined(op->model, 0, NULL)) {
    for (PetscInt p = 0; p < op->grid->num_cells; p++) out[p] = NAN;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscMalloc1(15 * m, &work));
  for (int face = 0; face < 6; face++) {
    ec.g[face]     = work + face * m;
    ec.share[face] = work + (6 + face) * m;
  }
  ec.work = work + 12 * m;
  PetscCall(SoretOperatorForEachRow(op, c, EntropyRow, &ec));
  PetscCall(PetscFree(work));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- contrast ---- */

PetscErrorCode SoretDiagnoseContrast(const SoretOperator *op, Vec x, const PetscReal w[], PetscReal *contrast)
{
  const SoretGrid *grid     = op->grid;
  const PetscInt   ns       = op->num_species;
  PetscReal        layer[4] = {0.0, 0.0, 0.0, 0.0}; /* amounts, and areas of the fluid */
  const PetscReal *c;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(x, &c));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt ijk[3] = SORET_GLOBAL_INDEX(grid, p);

    for (int side = 0; side < 2; side++) {
      if (ijk[0] != (side ? grid->n[0] - 1 : 0) || SoretGridIsSolid(grid, p)) continue;
      layer[2 + side] += SoretGridFaceArea(grid, 0, ijk);
      for (PetscInt s = 0; s < ns; s++) layer[side] += w[s] * c[p * ns + s] * SoretGridFaceArea(grid, 0, ijk);
    }
  }
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, layer, 4, MPIU_REAL, MPI_SUM, grid->comm));
  *contrast = layer[2] > 0.0 && layer[3] > 0.0 ? layer[0] / layer[2] / (layer[1] / layer[3]) : NAN;
  PetscFunctionReturn(PETSC_SUCCESS);
}
