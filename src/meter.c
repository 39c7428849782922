/* SPDX-License-Identifier: BSD-2-Clause

   The Soret meter of the whole box: Soret coefficients, the parts that they are the sum of, where they change sign, and budgets that close
   (docs/theory.md, "The Soret meter", "Entropy production"). Everything is made of the differences across faces that the residual is made of, so
   the sums are identities of algebra and hold to rounding on any grid. */
#include "meter_faces.h"

#include "kernel.h"
#include "soret/rowmath.h"

enum {
  TABLE = 128,      /* intervals of the table of predictions over T */
  BINS  = 4 * TABLE /* of temperature, for the sign of S_T; those in which too little is seen are joined */
};

/* Predictions over T at the mean amounts: [num_sums][TABLE + 1], NaN where there is none. */
static PetscErrorCode FillTable(const SoretOperator *op, const SoretThermo *thermo, const PetscReal mean[], PetscReal **table)
{
  const PetscInt n                    = thermo->num_sums;
  PetscReal      c[SORET_MAX_SPECIES] = {0.0}, soret[SORET_MAX_SPECIES];
  SoretPoint     point                = SoretDiagnoseMiddle(op);

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(PetscMax(n, 1) * (TABLE + 1), table));
  for (PetscInt e = 0; e <= TABLE; e++) {
    point.T = op->temperature->min + (op->temperature->max - op->temperature->min) * (PetscReal)e / TABLE;
    if (!SoretThermoSoret(thermo, &point, mean, c, soret)) PetscCall(PetscArrayzero(c, op->num_species));
    for (PetscInt m = 0; m < n; m++) (*table)[m * (TABLE + 1) + e] = soret[m];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sums over the faces of one conserved sum at about the same temperature, which is weighted as well, as is the difference of T across the face. */
typedef struct {
  PetscReal whole, weight, T, step;
} Bin;

/* Over all faces. */
typedef struct {
  PetscReal part[SORET_NUM_PARTS];
  Bin       bin[BINS];
} SumTally;

/* All that is summed over the box; reduced as one array of numbers. */
typedef struct {
  PetscReal soret[SORET_MAX_SPECIES], weight[SORET_MAX_SPECIES];
  PetscReal in[SORET_MAX_SPECIES], out[SORET_MAX_SPECIES], source[SORET_MAX_SPECIES], change[SORET_MAX_SPECIES];
  PetscReal reactions, diffusion, heat, mobility, velocity, boundary, storage;
  PetscReal scale; /* of all one-way rates and fluxes: that of rounding */
} BoxTally;

typedef struct {
  SoretAround        around;
  const SoretThermo *thermo;
  PetscReal         *table;
  PetscReal          reference[SORET_MAX_SPECIES]; /* potentials and b in the middle: what is common to all cells changes nothing */
  PetscReal          reference_b[SORET_MAX_SPECIES];
  PetscReal         *outflow, *wall, *source;      /* of the cells of a row: through inner faces, through walls, by reactions */
  PetscReal         *rates, *volume;               /* [num_reactions][2] rows; a row             */
  PetscReal         *potential;                    /* three of the cells of a row                */
  PetscReal         *shape;                        /* faces of a row                             */
  SoretPartRows      rows;
  PetscBool          varies, entropy, budget, ballistic[SORET_MAX_SPECIES], any_ballistic;
  BoxTally           box;
  SumTally          *sum; /* [num_sums] */
} BoxContext;

/* What the faces of a row say of S_T of the species themselves; shape - [n] area over distance, times the difference of T. */
INLINED void AddSpecies(const PetscInt ns, const SoretFaces *f, const PetscReal *restrict shape, PetscReal *soret, PetscReal *weight)
{
  const PetscReal *restrict c_lo = f->c[0], *restrict c_hi = f->c[1], *restrict T_lo = f->T[0], *restrict T_hi = f->T[1];

  for (PetscInt s = 0; s < ns; s++) {
    PetscReal sum = 0.0, mean = 0.0;

    SORET_SUM(sum, mean)
    for (PetscInt i = 0; i < f->n; i++) {
      sum += shape[i] * (c_lo[i * ns + s] - c_hi[i * ns + s]);
      mean += shape[i] * (T_hi[i] - T_lo[i]) * 0.5 * (c_lo[i * ns + s] + c_hi[i * ns + s]);
    }
    soret[s] += sum;
    weight[s] += mean;
  }
}

/* The same with the sums and their parts. shape - [n] area over distance, overwritten */
SORET_CLONES static void AddSoret(BoxContext *bc, const SoretFaces *f, PetscReal *restrict shape)
{
  const SoretOperator      *op          = bc->around.op;
  const SoretTemperature   *temperature = op->temperature;
  const PetscInt            ns = op->num_species, n = f->n;
  const PetscReal *restrict T_lo = f->T[0], *restrict T_hi = f->T[1];
  const PetscReal           bins = BINS / (temperature->max - temperature->min);

  for (PetscInt i = 0; i < n; i++) shape[i] *= op->grid->closed && !SoretFaceIsOpen(op, f->g + i * ns) ? 0.0 : T_hi[i] - T_lo[i];
  BY_SPECIES(AddSpecies, ns, f, shape, bc->box.soret, bc->box.weight);
  for (PetscInt m = 0; m < bc->thermo->num_sums; m++) {
    SumTally *tally = &bc->sum[m];

    SoretPartsOf(op, f, bc->thermo->w + m * ns, &bc->rows);
    SoretAddParts(n, shape, &bc->rows, tally->part);
    for (PetscInt i = 0; i < n; i++) {
      const PetscReal dT = T_hi[i] - T_lo[i], T = 0.5 * (T_lo[i] + T_hi[i]), mean = bc->rows.mean[i], weight = shape[i] * dT * mean;
      Bin            *bin;

      if (weight == 0.0) continue; /* in solid T may be beyond what it is in the fluid */
      bin = &tally->bin[PetscMin((PetscInt)((T - temperature->min) * bins), BINS - 1)];
      bin->whole += shape[i] * bc->rows.whole[i];
      bin->weight += weight;
      bin->T += weight * T;
      bin->step += weight * PetscAbsReal(dT);
    }
  }
}

/* Is there a wall or a solid at `side` of the cell `step` cells beyond cell p, which lies at `index` along the axis? */
static PetscBool EndsAt(const SoretAround *a, PetscInt p, int axis, int side, PetscInt index, int step)
{
  PetscReal closed;

  if (SoretIsWall(a->op->grid, axis, side, index + step)) return PETSC_TRUE;
  if (!a->closed) return PETSC_FALSE;
  closed = step ? *SoretHaloCell(&a->halo_closed, a->closed, p, 2 * axis + (step > 0)) : a->closed[p];
  return (int)closed >> (2 * axis + side) & 1 ? PETSC_TRUE : PETSC_FALSE;
}

/* Between the outermost centres and a wall there is half a cell without a face of its own. What holds at its middle is extrapolated from the next
   two faces, as a straight line, by no more than their difference, or is that of the next face if this is the only one. This is the length for which the
   face on the inner side of cell p stands besides its own: the wall is at `side` of p, or of the cell before it. */
static PetscReal HalfCellShare(const SoretAround *a, PetscInt p, int axis, int side, PetscInt index)
{
  const SoretGrid *grid    = a->op->grid;
  const int        inwards = side ? -1 : 1;
  const PetscInt   n = grid->n[axis], next = (index + inwards + n) % n, last = (index - inwards + n) % n;
  const PetscReal *width   = grid->width[axis];

  if (EndsAt(a, p, axis, side, index, 0)) return 0.5 * width[index] * (EndsAt(a, p, axis, 1 - side, index, inwards) ? 1.0 : 1.0 + PetscMin(0.75 * width[index] / width[next], 1.0));
  if (EndsAt(a, p, axis, side, index, -inwards)) return -0.5 * width[last] * PetscMin(0.75 * width[last] / width[index], 1.0);
  return 0.0;
}

/* Half cells at the walls of the box and of solids. Left out, the mean over the box would be of first order in the width of a cell
   wherever gradients at a wall are not those inside. */
static void AddHalfCells(BoxContext *bc, int axis, PetscBool moves)
{
  const SoretAround *a    = &bc->around;
  const SoretGrid   *grid = a->op->grid;
  const PetscInt     first = a->row->first, ns = a->op->num_species;
  PetscInt           ijk[3];

  SoretOperatorCell(a->op, a->row, 0, ijk);
  if (axis && !grid->closed && HalfCellShare(a, first, axis, 0, ijk[axis]) == 0.0 && HalfCellShare(a, first, axis, 1, ijk[axis]) == 0.0) return; /* the row is far from walls */
  for (int side = 0; side < 2; side++) {
    SoretFaces faces = SoretFacesOf(a, axis, 1 - side, moves);
    PetscInt   begin = grid->count[0], end = 0; /* of the cells that have any */

    for (PetscInt i = 0; i < grid->count[0]; i++) {
      PetscReal length;

      ijk[0]       = grid->start[0] + i;
      length       = SoretIsWall(grid, axis, 1 - side, ijk[axis]) ? 0.0 : HalfCellShare(a, first + i, axis, side, ijk[axis]);
      bc->shape[i] = length == 0.0 ? 0.0 : SoretGridFaceArea(grid, axis, ijk) * length / PetscSqr(grid->distance[axis][ijk[axis] + 1 - side]);
      if (length == 0.0) continue;
      begin = PetscMin(begin, i);
      end   = i + 1;
    }
    if (begin >= end) continue;
    for (int k = 0; k < 2; k++) {
      faces.c[k] += begin * ns;
      faces.b[k] += begin * ns;
      faces.T[k] += begin;
    }
    faces.g += begin * ns;
    if (moves) faces.w += begin * ns;
    faces.n = end - begin;
    AddSoret(bc, &faces, bc->shape + begin);
  }
}

/* Fluxes of diffusing species through one side of the cells of a row, added to their outflow. */
static void AddOutflow(const SoretAround *a, int axis, int side, PetscBool moves, PetscReal outflow[])
{
  const PetscReal *lo = a->row->u[axis][1 + side], *hi = a->row->u[axis][2 + side], *g = a->g[2 * axis + side], *w = a->w[2 * axis + side], sign = side ? 1.0 : -1.0;
  const PetscInt   m = a->op->grid->count[0] * a->op->num_species;

  for (PetscInt q = 0; q < m; q++) outflow[q] += sign * SoretFaceFlux(g[q], lo[q], hi[q]);
  for (PetscInt q = 0; q < m && moves; q++) outflow[q] += sign * 0.5 * w[q] * (lo[q] + hi[q]);
}

/* The faces of a row along one axis: each face of the box once, as the upper one of a cell, for what is summed over faces; both for the outflow. */
static void AddAxis(BoxContext *bc, int axis, PetscReal outflow[])
{
  SoretAround         *a     = &bc->around;
  const SoretOperator *op    = a->op;
  const SoretGrid     *grid  = op->grid;
  const PetscInt       ns    = op->num_species;
  const PetscBool      moves = SoretLoadFaces(a, axis, 1);
  SoretFaces           faces;
  PetscInt             ijk[3];
  PetscReal            area;

  (void)SoretLoadFaces(a, axis, 0);
  for (int side = 0; side < 2; side++) AddOutflow(a, axis, side, moves, outflow);
  if (bc->varies) AddHalfCells(bc, axis, moves);
  SoretOperatorCell(op, a->row, 0, ijk);
  if (axis && SoretIsWall(grid, axis, 1, ijk[axis])) return;
  faces = SoretFacesOf(a, axis, 1, moves);
  faces.n -= (axis == 0 && SoretIsWall(grid, 0, 1, ijk[0] + grid->count[0] - 1)) ? 1 : 0;
  if (bc->entropy) bc->box.diffusion += SoretEntropyOfRow(faces.n * ns, faces.g, faces.w, a->row->u[axis][2], a->row->u[axis][3], &bc->box.scale, &bc->box.velocity);
  if (!bc->varies) return;
  area = SoretGridFaceArea(grid, axis, ijk) / (axis ? grid->width[0][ijk[0]] * grid->distance[axis][ijk[axis] + 1] : 1.0);
  for (PetscInt i = 0; i < faces.n; i++) bc->shape[i] = axis ? area * grid->width[0][ijk[0] + i] : area / grid->distance[0][ijk[0] + i + 1];
  AddSoret(bc, &faces, bc->shape);
}

/* What walls let in is counted at the centre of the cell; from the temperature of the wall to there it does what it does between two cells. */
static void MoveToWalls(BoxContext *bc, PetscInt i)
{
  const SoretOperator *op   = bc->around.op;
  const SoretRow      *row  = bc->around.row;
  const SoretGrid     *grid = op->grid;
  const PetscInt       ns = op->num_species, local[3] = {i, row->j, row->k};
  SoretPoint           cell = SoretOperatorRowPoint(op, row->j, row->k);
  PetscInt             ijk[3];

  SoretOperatorCell(op, row, i, ijk);
  cell.x[0] = grid->center[0][ijk[0]];
  cell.T    = op->temperature->T[row->first + i];
  for (int face = 0; face < 2 * grid->dim; face++) {
    const PetscInt q    = SoretOperatorWall(op, face, local);
    SoretPoint     wall = cell;
    PetscReal      mu[SORET_MAX_SPECIES], mu_wall[SORET_MAX_SPECIES], slope[SORET_MAX_SPECIES];

    if (q < 0 || !SoretIsWall(grid, face / 2, face % 2, ijk[face / 2])) continue;
    wall.x[face / 2] = grid->edge[face / 2][face % 2 ? grid->n[face / 2] : 0];
    wall.T           = op->temperature->wall[face][q / ns];
    SoretThermoPotentialsAt(bc->thermo, &cell, mu, slope);
    SoretThermoPotentialsAt(bc->thermo, &wall, mu_wall, slope);
    for (PetscInt s = 0; s < ns; s++) {
      const PetscReal inflow = op->boundary->beta[face][q + s] - op->boundary->alpha[face][q + s] * row->c[i * ns + s];
      PetscReal       a, b, b_wall, heat, mobility;

      if (inflow == 0.0) continue;
      SoretModelTransport(op->model, s, &cell, &a, &b);
      SoretModelTransport(op->model, s, &wall, &a, &b_wall);
      heat     = inflow * (mu[s] - mu_wall[s]);
      mobility = inflow * log(b_wall / b);
      if (!isfinite(heat) || !isfinite(mobility)) continue; /* a reaction without equilibrium there, D of 0 */
      bc->box.heat += heat;
      bc->box.mobility += mobility;
      bc->box.boundary -= heat + mobility;
    }
  }
}

/* Outflow of cell i through walls, and of ballistic species through the other faces, which is added to inner. */
static void AddOtherOutflow(BoxContext *bc, PetscInt i, PetscReal inner[], PetscReal wall[])
{
  const SoretAround *a    = &bc->around;
  const SoretGrid   *grid = a->op->grid;
  PetscInt           ijk[3];

  SoretOperatorCell(a->op, a->row, i, ijk);
  for (PetscInt s = 0; s < a->op->num_species; s++) {
    PetscReal flux[6];

    SoretOperatorFaceFluxes(a->op, a->row, i, s, flux, NULL);
    for (int face = 0; face < 2 * grid->dim; face++) {
      const PetscReal out = face % 2 ? flux[face] : -flux[face];

      if (SoretIsWall(grid, face / 2, face % 2, ijk[face / 2])) {
        wall[s] += out;
        *(out > 0.0 ? &bc->box.out[s] : &bc->box.in[s]) += PetscAbsReal(out);
      } else if (bc->ballistic[s])
        inner[s] += out;
    }
    if (bc->entropy) { /* what walls let in is counted as it comes from them */
      PetscReal       boundary = 0.0;
      const PetscReal entropy  = SoretEntropyAtWalls(a->op, a->row, i, s, &boundary);

      bc->box.diffusion += entropy;
      bc->box.boundary += boundary;
      bc->box.velocity += entropy - boundary;
    }
  }
  if (bc->budget) MoveToWalls(bc, i);
}

/* Reactions in the cells of a row: what they make of each species, and their entropy. */
static void AddReactions(BoxContext *bc, PetscReal source[])
{
  SoretOperator *op = bc->around.op;
  const PetscInt nx = op->grid->count[0], ns = op->num_species;

  memset(source, 0, (size_t)(nx * ns) * sizeof(PetscReal));
  SoretReactionsOfRow(op, bc->around.row, bc->volume, bc->rates, bc->entropy ? &bc->box.reactions : NULL, &bc->box.scale);
  for (PetscInt r = 0; r < op->model->network.num_reactions; r++) SoretAddReaction(&op->model->network.reaction[r], nx, ns, bc->rates + 2 * r * nx, source);
}

/* mu of the cells of a row, [count[0]][num_species]. */
static void FindPotentials(const BoxContext *bc, PetscReal mu[])
{
  const SoretOperator *op    = bc->around.op;
  const SoretRow      *row   = bc->around.row;
  const PetscInt       first = row->first, nx = op->grid->count[0];
  const SoretPoint     point = SoretOperatorRowPoint(op, row->j, row->k);
  const PetscReal     *k[2 * SORET_MAX_REACTIONS];

  for (PetscInt i = 0; i < nx; i += op->num_lanes) {
    SoretOperatorConstantLanes(op, row->number, i, k);
    SoretThermoPotentials(bc->thermo, PetscMin(op->num_lanes, nx - i), &point, op->grid->center[0] + op->grid->start[0] + i, op->temperature->T + first + i, k, mu + i * op->num_species);
  }
}

/* What the cells of a row add to the budget of entropy. ln_c, ln_b - [n][num_species] */
INLINED void AddBudget(const PetscInt ns, PetscInt n, BoxContext *bc, const PetscReal *restrict mus, const PetscReal *restrict ln_c, const PetscReal *restrict ln_b)
{
  const PetscReal *restrict outflow = bc->outflow, *restrict walls = bc->wall, *restrict source = bc->source;

  for (PetscInt s = 0; s < ns; s++) {
    const PetscReal reference = bc->reference[s];
    PetscReal       heat = 0.0, mobility = 0.0, boundary = 0.0, storage = 0.0;

    SORET_SUM(heat, mobility, boundary, storage)
    for (PetscInt i = 0; i < n; i++) {
      const PetscInt  q     = i * ns + s;
      const PetscReal inner = outflow[q], wall = walls[q], change = source[q] - inner - wall, mu = mus[q], potential = ln_c[q] + mu;

      heat -= (mu - reference) * inner;
      mobility += inner != 0.0 ? ln_b[q] * inner : 0.0;
      boundary -= wall != 0.0 ? wall * potential : 0.0;
      storage -= change != 0.0 ? change * potential : 0.0;
    }
    bc->box.heat += heat;
    bc->box.mobility += mobility;
    bc->box.boundary += boundary;
    bc->box.storage += storage;
  }
}

/* Logarithms are found for whole rows. */
SORET_CLONES static void AddBudgetRow(BoxContext *bc)
{
  const SoretAround *a  = &bc->around;
  const PetscInt     ns = a->op->num_species, nx = a->op->grid->count[0], m = nx * ns;
  const PetscReal   *b  = a->b + a->row->first * ns;
  PetscReal         *mu = bc->potential, *ln_c = mu + m, *ln_b = ln_c + m;

  FindPotentials(bc, mu);
  for (PetscInt s = 0; s < ns; s++) {
    for (PetscInt q = s; q < m; q += ns) ln_b[q] = b[q] / bc->reference_b[s];
  }
  for (PetscInt q = 0; q < m; q++) ln_c[q] = PetscAbsReal(a->row->c[q]); /* below 0 by as little as in SoretLogRatio() */
  SoretLogRow(2 * m, ln_c);
  BY_SPECIES(AddBudget, ns, nx, bc, mu, ln_c, ln_b);
}

static PetscErrorCode BoxRow(SoretOperator *op, const SoretRow *row, void *context)
{
  BoxContext    *bc = (BoxContext *)context;
  const PetscInt ns = op->num_species, nx = op->grid->count[0];

  PetscFunctionBegin;
  bc->around.row = row;
  PetscCall(PetscArrayzero(bc->outflow, nx * ns));
  PetscCall(PetscArrayzero(bc->wall, nx * ns));
  for (int axis = 0; axis < op->grid->dim; axis++) AddAxis(bc, axis, bc->outflow);
  AddReactions(bc, bc->source);
  for (PetscInt i = bc->any_ballistic ? 0 : SoretCellAtWall(op, row, 0); i < nx; i = bc->any_ballistic ? i + 1 : SoretCellAtWall(op, row, i + 1)) AddOtherOutflow(bc, i, bc->outflow + i * ns, bc->wall + i * ns);
  for (PetscInt s = 0; s < ns; s++) {
    for (PetscInt q = s; q < nx * ns; q += ns) {
      bc->box.source[s] += bc->source[q];
      bc->box.change[s] += bc->source[q] - bc->outflow[q] - bc->wall[q];
    }
  }
  if (bc->budget) AddBudgetRow(bc);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where the Soret coefficient as a function of temperature, the mean over all faces at that temperature, changes its sign: between clearly
   positive and clearly negative values, the last old sign and what follows it.

   At finite rates S_T differs from place to place along a surface of equal T, and a few of its faces say little of the mean. A surface is seen as a
   whole in an interval that is wider than the steps of T from cell to cell, so bins are joined to two such steps, and further where there is hardly
   any gradient. */
static void FindInversions(const SumTally *tally, PetscReal range, SoretMeterSum *sum)
{
  PetscReal sign = 0.0, S_old = 0.0, T_old = 0.0, S_next = 0.0, T_next = 0.0, width = 0.0, all = 0.0;
  PetscBool have_next = PETSC_FALSE;
  Bin       joined    = {0.0, 0.0, 0.0, 0.0};

  for (PetscInt bin = 0; bin < BINS; bin++) all += PetscAbsReal(tally->bin[bin].weight);
  for (PetscInt bin = 0; bin < BINS; bin++) {
    const Bin *next = &tally->bin[bin];
    PetscReal  S, T, weight;

    joined = (Bin){joined.whole + next->whole, joined.weight + next->weight, joined.T + next->T, joined.step + next->step};
    weight = PetscAbsReal(joined.weight);
    width += 1.0 / BINS;
    if (weight <= 1.0e-3 * width * all || range * width * weight < 2.0 * PetscAbsReal(joined.step)) continue;
    S      = joined.whole / joined.weight;
    T      = joined.T / joined.weight;
    joined = (Bin){0.0, 0.0, 0.0, 0.0};
    width  = 0.0;
    if (sign != 0.0 && !have_next && S * sign <= 0.0) { /* may be a crossing */
      S_next    = S;
      T_next    = T;
      have_next = PETSC_TRUE;
    }
    if (sign != 0.0 && S * sign > 0.0) { /* still the old sign */
      S_old     = S;
      T_old     = T;
      have_next = PETSC_FALSE;
    }
    if (PetscAbsReal(S) * T < 1.0e-6 || S * sign > 0.0) continue;
    if (sign != 0.0 && sum->num_inversions < SORET_MAX_INVERSIONS) sum->inversion[sum->num_inversions++] = T_old + S_old / (S_old - S_next) * (T_next - T_old);
    sign      = S > 0.0 ? 1.0 : -1.0;
    S_old     = S;
    T_old     = T;
    have_next = PETSC_FALSE;
  }
}

static void CopyTally(const BoxContext *bc, PetscBool steady, SoretMeter *meter)
{
  const BoxTally *box        = &bc->box;
  const PetscReal production = box->reactions + box->diffusion;
  PetscReal       right;

  for (PetscInt s = 0; s < bc->around.op->num_species; s++) {
    meter->soret[s]  = bc->varies && box->weight[s] > 0.0 ? box->soret[s] / box->weight[s] : NAN;
    meter->in[s]     = box->in[s];
    meter->out[s]    = box->out[s];
    meter->source[s] = box->source[s];
    meter->change[s] = box->change[s];
  }
  meter->entropy_reactions = bc->entropy ? box->reactions : NAN;
  meter->entropy_diffusion = bc->entropy ? box->diffusion : NAN;
  meter->entropy_heat      = bc->budget ? box->heat : NAN;
  meter->entropy_mobility  = bc->budget ? box->mobility : NAN;
  meter->entropy_velocity  = bc->budget ? box->velocity : NAN;
  meter->entropy_boundary  = bc->budget ? box->boundary : NAN;
  meter->entropy_storage   = bc->budget ? box->storage : NAN;
  right                    = box->heat + box->mobility + box->velocity + box->boundary;
  /* what comes of rounded fluxes is of the size of rounding squared: nothing is produced then, and there is nothing to close */
  meter->entropy_closure   = bc->budget && production > 1.0e-24 * box->scale ? (production - right - box->storage) / production : NAN;
  meter->entropy_imbalance = steady && !isnan(meter->entropy_closure) ? (production - right) / production : meter->entropy_closure;
}

/* The prediction, a straight line within a bin, and the parts, both as means over the faces. */
static void CopySum(const BoxContext *bc, PetscInt m, SoretMeterSum *sum)
{
  const SoretTemperature *temperature = bc->around.op->temperature;
  const SumTally         *tally = &bc->sum[m];
  PetscReal               weight = 0.0, equilibrium = 0.0;

  for (PetscInt i = 0; i < BINS && bc->varies; i++) {
    const Bin       *bin   = &tally->bin[i];
    const PetscInt   e     = i / (BINS / TABLE);
    const PetscReal *table = bc->table + m * (TABLE + 1) + e, at = (bin->T - temperature->min * bin->weight) / (temperature->max - temperature->min) * TABLE;

    if (bin->weight == 0.0) continue;
    weight += bin->weight;
    equilibrium += bin->weight * table[0] + (at - bin->weight * (PetscReal)e) * (table[1] - table[0]);
  }
  for (int p = 0; p < SORET_NUM_PARTS; p++) sum->part[p] = weight != 0.0 ? tally->part[p] / weight : NAN;
  sum->equilibrium = weight != 0.0 ? equilibrium / weight : NAN;
  if (bc->varies) FindInversions(tally, temperature->max - temperature->min, sum);
}

PetscErrorCode SoretDiagnoseMeter(SoretOperator *op, const SoretSums *sums, const SoretThermo *thermo, PetscBool steady, Vec c, SoretMeter *meter)
{
  const PetscInt   n = thermo->num_sums, nx = op->grid->count[0];
  const MPI_Comm   comm   = op->grid->comm;
  const SoretPoint middle = SoretDiagnoseMiddle(op);
  PetscReal        mean[3 * SORET_MAX_SPECIES], slope[SORET_MAX_SPECIES];
  BoxContext       bc;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(meter, sizeof(*meter)));
  PetscCall(PetscMemzero(&bc, sizeof(bc)));
  bc.thermo  = thermo;
  bc.varies  = SoretTemperatureVaries(op->temperature);
  bc.entropy = SoretEntropyIsDefined(op->model, 0, NULL);
  bc.budget  = bc.entropy && thermo->balanced ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(SoretSumsMeasure(sums, op, c, mean, NULL));
  PetscCall(FillTable(op, thermo, mean, &bc.table));
  if (bc.budget) SoretThermoPotentialsAt(thermo, &middle, bc.reference, slope);
  for (PetscInt s = 0; s < op->num_species; s++) SoretModelTransport(op->model, s, &middle, &slope[s], &bc.reference_b[s]);
  for (PetscInt s = 0; s < op->num_species; s++) bc.ballistic[s] = !op->model->species[s].diffuses && !SoretModelIsImmobile(op->model, s) ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt s = 0; s < op->num_species; s++) bc.any_ballistic = bc.any_ballistic || bc.ballistic[s] ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscCalloc1(n, &bc.sum));
  PetscCall(PetscMalloc5(nx * op->num_species, &bc.outflow, nx * op->num_species, &bc.wall, nx * op->num_species, &bc.source, 2 * op->model->network.num_reactions * nx, &bc.rates, (2 + SORET_NUM_PART_ROWS + 3 * op->num_species) * nx, &bc.volume));
  bc.shape     = bc.volume + nx;
  bc.rows      = SoretPartRowsIn(bc.shape + nx, nx);
  bc.potential = bc.shape + (1 + SORET_NUM_PART_ROWS) * nx;
  PetscCall(SoretAroundCreate(op, c, &bc.around));
  PetscCall(SoretOperatorForEachRow(op, c, BoxRow, &bc));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &bc.box, (PetscMPIInt)(sizeof(bc.box) / sizeof(PetscReal)), MPIU_REAL, MPI_SUM, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, bc.sum, (PetscMPIInt)(n * (PetscInt)(sizeof(*bc.sum) / sizeof(PetscReal))), MPIU_REAL, MPI_SUM, comm));
  CopyTally(&bc, steady, meter);
  for (PetscInt m = 0; m < n; m++) {
    SoretMeterSum *sum = &meter->sum[m];

    CopySum(&bc, m, sum);
    if (bc.varies) PetscCall(SoretThermoInversions(thermo, &middle, op->temperature->min, op->temperature->max, mean, m, SORET_MAX_INVERSIONS, &sum->num_equilibrium, sum->inversion_equilibrium));
  }
  PetscCall(SoretAroundDestroy(&bc.around, c));
  PetscCall(PetscFree(bc.table));
  PetscCall(PetscFree(bc.sum));
  PetscCall(PetscFree5(bc.outflow, bc.wall, bc.source, bc.rates, bc.volume));
  PetscFunctionReturn(PETSC_SUCCESS);
}
