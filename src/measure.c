/* SPDX-License-Identifier: BSD-2-Clause

   How far a state is from steady, and the smallest of its concentrations. */
#include <math.h>

#include "kernel.h"
#include "soret/solve.h"

typedef struct {
  SoretSquares squares;
  PetscReal   *net, *transport, *scale, *carried, *source, *reaction; /* a row each */
  PetscReal    counts[SORET_MAX_SPECIES];                             /* 1, or 0 where reactions are no measure of a species */
} Measure;

/* The squares of one sum in a row: net transport, in which reactions cancel. */
INLINED void MeasureSum(const PetscInt ns, PetscInt nx, const SoretRow *row, const PetscReal *restrict w, const PetscReal *restrict volume, Measure *m, PetscInt entry)
{
  SoretSquares *squares = &m->squares;
  const PetscReal *restrict net = m->net, *restrict transport = m->transport, *restrict scales = m->scale, *restrict carried = m->carried, *restrict cs = row->c, *restrict D = squares->D;
  PetscReal left = 0.0, f2 = 0.0, gross2 = 0.0, scale2 = 0.0, amount2 = 0.0, relative = 0.0, relative_gross = 0.0, relative_scale = 0.0, exchange = 0.0, most = squares->range[2 * entry], minus_least = squares->range[2 * entry + 1];

  SORET_PRAGMA(omp simd reduction(+ : left, f2, gross2, scale2, amount2, relative, relative_gross, relative_scale, exchange) reduction(max : most, minus_least))
  for (PetscInt i = 0; i < nx; i++) {
    PetscReal f = 0.0, gross = 0.0, own = 0.0, scale = 0.0, amount = 0.0, c = 0.0, over;

    for (PetscInt s = 0; s < ns; s++) {
      f += w[s] * net[i * ns + s];
      gross += PetscAbsReal(w[s]) * transport[i * ns + s];
      own += PetscAbsReal(w[s]) * scales[i * ns + s];
      scale += PetscAbsReal(w[s]) * (scales[i * ns + s] + carried[i * ns + s]);
      amount += PetscAbsReal(w[s] * cs[i * ns + s]) * D[s] * volume[i];
      c += PetscAbsReal(w[s] * cs[i * ns + s]);
    }
    over = c > 0.0 && volume[i] > 0.0 ? 1.0 / (c * volume[i]) : 0.0;
    left += f;
    f2 += f * f;
    gross2 += gross * gross;
    scale2 += scale * scale;
    amount2 += amount * amount;
    relative += f * over * (f * over);
    relative_gross += gross * over * (gross * over);
    relative_scale += scale * over * (scale * over);
    exchange += own * over * (own * over);
    most        = PetscMax(most, over > 0.0 ? c : 0.0);
    minus_least = PetscMax(minus_least, over > 0.0 ? -c : -PETSC_MAX_REAL);
  }
  squares->left[entry] += left;
  squares->residual[entry] += f2;
  squares->gross[entry] += gross2;
  squares->floor[entry] += scale2;
  squares->amount[entry] += amount2;
  squares->relative[entry] += relative;
  squares->relative_gross[entry] += relative_gross;
  squares->relative_floor[entry] += relative_scale;
  squares->relative_exchange[entry] += exchange;
  squares->range[2 * entry]     = most;
  squares->range[2 * entry + 1] = minus_least;
}

/* The squares of all species in a row. */
INLINED void MeasureSpecies(const PetscInt ns, PetscInt nx, Measure *m)
{
  const PetscReal *restrict net = m->net, *restrict source = m->source, *restrict transport = m->transport, *restrict reaction = m->reaction, *restrict scales = m->scale, *restrict carried = m->carried;

  for (PetscInt s = 0; s < ns; s++) {
    const PetscReal counts = m->counts[s];
    PetscReal       residual = 0.0, all = 0.0, floor = 0.0, left = 0.0, rates = 0.0;

    SORET_SUM(residual, all, floor, left, rates)
    for (PetscInt i = 0; i < nx; i++) {
      const PetscReal f = net[i * ns + s] - source[i * ns + s], gross = transport[i * ns + s] + counts * reaction[i * ns + s], scale = scales[i * ns + s] + carried[i * ns + s] + reaction[i * ns + s];

      residual += f * f;
      all += gross * gross;
      floor += scale * scale;
      left += f;
      rates += reaction[i * ns + s];
    }
    m->squares.residual[s] += residual;
    m->squares.gross[s] += all;
    m->squares.floor[s] += floor;
    m->squares.left[s] += left;
    m->squares.rates[s] += rates;
  }
}

/* Adds the squares of one row: species by species, then sum by sum. */
SORET_CLONES static PetscErrorCode MeasureRow(SoretOperator *op, const SoretRow *row, void *context)
{
  Measure        *m  = (Measure *)context;
  const PetscInt  ns = op->num_species, nx = op->grid->count[0];
  const PetscReal *volume;

  PetscFunctionBegin;
  if (SoretOperatorAddSquares(op, row, &m->squares)) PetscFunctionReturn(PETSC_SUCCESS);
  SoretOperatorGrossTransport(op, row, m->net, m->transport, m->scale, m->carried);
  SoretOperatorGrossReactions(op, row, m->source, m->reaction);
  BY_SPECIES(MeasureSpecies, ns, nx, m);
  volume = SoretOperatorRowVolumes(op, row->number, op->row);
  for (PetscInt l = 0; l < m->squares.num; l++) BY_SPECIES(MeasureSum, ns, nx, row, m->squares.w + l * ns, volume, m, ns + l);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* All squares, of all ranks; where they are wanted, also those of each cell over what there is in it. */
static PetscErrorCode AddUp(SoretOperator *op, Vec c, PetscBool each, Measure *m)
{
  SoretSquares  *squares = &m->squares;
  const PetscInt n       = op->num_species + squares->num;

  PetscFunctionBegin;
  squares->each = each;
  PetscCall(PetscMemzero(squares->all, sizeof(squares->all)));
  for (PetscInt i = 0; i < n; i++) {
    squares->range[2 * i]     = 0.0;
    squares->range[2 * i + 1] = -PETSC_MAX_REAL;
  }
  PetscCall(SoretOperatorForEachRowOfSquares(op, c, MeasureRow, m));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, squares->all, (PetscMPIInt)(sizeof(squares->all) / sizeof(PetscReal)), MPIU_REAL, MPI_SUM, op->grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, squares->range, (PetscMPIInt)(2 * n), MPIU_REAL, MPI_MAX, op->grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What may be missing of the balance of the box is measured on turnover[]: of a species its rates and what walls let in and out, of a sum the latter alone. That of ballistic
   species, of which rates are no measure, is 0. Collective. */
static PetscErrorCode FindTurnover(const SoretOperator *op, Vec c, const Measure *m, PetscReal turnover[])
{
  const SoretGrid    *grid    = op->grid;
  const SoretSquares *squares = &m->squares;
  const PetscInt      ns      = op->num_species;
  PetscReal           walls[SORET_MAX_SPECIES] = {0.0};
  const PetscReal    *array;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(c, &array));
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < op->boundary->num[face]; q++) {
      PetscInt at[3];

      SoretGridFaceCell(grid, face, q, at);
      for (PetscInt s = 0; s < ns; s++) walls[s] += PetscAbsReal(op->boundary->beta[face][q * ns + s]) + PetscAbsReal(op->boundary->alpha[face][q * ns + s] * array[SoretGridCellNumber(grid, at) * ns + s]);
    }
  }
  PetscCall(VecRestoreArrayRead(c, &array));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, walls, (PetscMPIInt)ns, MPIU_REAL, MPI_SUM, grid->comm));
  for (PetscInt s = 0; s < ns; s++) turnover[s] = m->counts[s] * (walls[s] + squares->rates[s]);
  for (PetscInt l = 0; l < squares->num; l++) {
    turnover[ns + l] = 0.0;
    for (PetscInt s = 0; s < ns; s++) turnover[ns + l] += PetscAbsReal(squares->w[l * ns + s]) * walls[s];
    for (PetscInt s = 0; s < ns; s++) turnover[ns + l] *= squares->w[l * ns + s] == 0.0 ? 1.0 : m->counts[s];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Do the amounts of sum i differ much over the box? */
static PetscBool Varies(const SoretSquares *squares, PetscInt i)
{
  return squares->range[2 * i] > -100.0 * squares->range[2 * i + 1] ? PETSC_TRUE : PETSC_FALSE;
}

/* ---- ballistic sums ---- */

typedef struct {
  const SoretSums *sums;
  PetscReal       *source, *reaction; /* a row each */
  PetscReal        all[6 * SORET_MAX_SPECIES]; /* of each sum: sum |w| v^2 c and sum |w| times gross rates, over the box */
} Relaxation;

static PetscErrorCode AddRelaxation(SoretOperator *op, const SoretRow *row, void *context)
{
  Relaxation    *r  = (Relaxation *)context;
  const PetscInt ns = op->num_species;

  PetscFunctionBegin;
  SoretOperatorGrossReactions(op, row, r->source, r->reaction);
  for (PetscInt q = 0; q < op->grid->count[0] * ns; q++) {
    const SoretReals *v       = &op->model->species[q % ns].velocity;
    PetscReal         content = SoretOperatorVolume(op, row, q / ns) * PetscAbsReal(row->c[q]), square = 0.0;

    for (PetscInt axis = 0; axis < v->n; axis++) square += v->value[axis] * v->value[axis];
    for (PetscInt k = 0; k < r->sums->num; k++) {
      const PetscReal w = PetscAbsReal(r->sums->w[k * ns + q % ns]);

      r->all[2 * k] += w * square * content;
      r->all[2 * k + 1] += w * r->reaction[q];
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretRelaxedDiffusivity(SoretOperator *op, const SoretSums *sums, Vec c, PetscReal D[])
{
  const PetscInt ns = op->num_species, row = op->grid->count[0] * ns;
  Relaxation     r  = {.sums = sums};

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(D, sums->num));
  if (!SoretModelHasBallistic(op->model)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc2(row, &r.source, row, &r.reaction));
  PetscCall(SoretOperatorForEachRow(op, c, AddRelaxation, &r));
  PetscCall(PetscFree2(r.source, r.reaction));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, r.all, (PetscMPIInt)(2 * sums->num), MPIU_REAL, MPI_SUM, op->grid->comm));
  for (PetscInt k = 0; k < sums->num; k++) {
    PetscBool diffuses = PETSC_FALSE;

    for (PetscInt s = 0; s < ns; s++) diffuses = diffuses || (sums->w[k * ns + s] != 0.0 && op->model->species[s].diffuses) ? PETSC_TRUE : PETSC_FALSE;
    if (!diffuses && r.all[2 * k] > 0.0 && r.all[2 * k + 1] > 0.0) D[k] = 2.0 * r.all[2 * k] / r.all[2 * k + 1]; /* gross rates count what leaves and what comes */
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSteadyMeasure(SoretOperator *op, const SoretSums *sums, PetscBool relaxed, Vec c, PetscReal *ratio, PetscBool *at_floor, PetscBool *at_floor_of_most)
{
  const PetscInt ns = op->num_species, n = ns + sums->num, row = op->grid->count[0] * ns;
  PetscBool      each = PETSC_FALSE, of_most = PETSC_TRUE, of_little = PETSC_TRUE; /* is the residual rounding error? */
  Measure        m;
  SoretSquares  *squares = &m.squares;
  PetscReal      largest = 0.0, largest_sum = 0.0, length = 0.0, most = 0.0, cells = 1.0, D[3 * SORET_MAX_SPECIES], turnover[4 * SORET_MAX_SPECIES], mean_D[SORET_MAX_SPECIES]; /* most: cells along an axis */

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&m, sizeof(m)));
  squares->num = sums->num;
  squares->w   = sums->w;
  squares->D   = mean_D;
  for (PetscInt s = 0; s < ns; s++) mean_D[s] = op->model->species[s].diffuses ? op->mean_D[s] : 1.0;
  /* velocities that relax fast: what is missing of a species moves the sums by fluxes, beside which rates may be any number of times as large */
  for (PetscInt s = 0; s < ns; s++) m.counts[s] = relaxed || op->model->species[s].diffuses || SoretModelIsImmobile(op->model, s) ? 1.0 : 0.0;
  PetscCall(PetscMalloc6(row, &m.net, row, &m.transport, row, &m.scale, row, &m.carried, row, &m.source, row, &m.reaction));
  PetscCall(AddUp(op, c, PETSC_FALSE, &m));
  for (PetscInt i = ns; i < ns + sums->num_global; i++) each = each || Varies(squares, i) ? PETSC_TRUE : PETSC_FALSE;
  if (each) PetscCall(AddUp(op, c, PETSC_TRUE, &m));
  PetscCall(SoretRelaxedDiffusivity(op, sums, c, D));
  PetscCall(FindTurnover(op, c, &m, turnover));
  PetscCall(PetscFree6(m.net, m.transport, m.scale, m.carried, m.source, m.reaction));
  for (PetscInt i = 0; i < n; i++) largest = PetscMax(largest, squares->floor[i]);
  for (PetscInt i = ns; i < n; i++) largest_sum = PetscMax(largest_sum, squares->floor[i]);
  for (PetscInt axis = 0; axis < op->grid->dim; axis++) length = PetscMax(length, op->grid->size[axis]);
  for (PetscInt axis = 0; axis < op->grid->dim; axis++) most = PetscMax(most, (PetscReal)op->grid->n[axis]);
  for (PetscInt axis = 0; axis < op->grid->dim; axis++) cells *= (PetscReal)op->grid->n[axis];
  *ratio = 0.0;
  for (PetscInt i = 0; i < n; i++) {
    /* rounding of the two terms of each flux; a species or sum of which there is next to nothing is judged on the scale of the others */
    const PetscReal floor = 4.0 * PETSC_MACHINE_EPSILON * PetscMax(sqrt(squares->floor[i]), 1.0e-3 * sqrt(i < ns ? largest : largest_sum)), residual = sqrt(squares->residual[i]);

    /* where amounts differ much over the box, what happens where there is little counts as well */
    if (i >= ns && i < ns + sums->num_global && Varies(squares, i) && squares->relative[i] > 16.0 * PETSC_MACHINE_EPSILON * PETSC_MACHINE_EPSILON * squares->relative_floor[i]) {
      /* nothing may flow at all: then what diffuses to and fro is the measure, of which a smooth error of the size of the ratio leaves one over the square of the number of cells */
      const PetscReal of_gross = sqrt(squares->relative[i] / squares->relative_gross[i]), of_exchange = op->width > 1 ? of_gross : most * most * sqrt(squares->relative[i] / squares->relative_exchange[i]);

      of_little = PETSC_FALSE;
      *ratio    = PetscMax(*ratio, PetscMin(of_gross, of_exchange));
    }
    /* transport cancels in the box as a whole, and most of its rounding with it: what slow reactions, or walls that let little through, have not yet done to all cells
       alike shows in its balance alone. Below 1e-9 of what diffuses through the box to and fro a linear solver sees nothing of it */
    const PetscReal through = sqrt(cells * squares->floor[i]) / (most * most);

    if (turnover[i] > 1.0e-9 * through && PetscAbsReal(squares->left[i]) > PetscMax(sqrt(cells) * floor / (most * most), 4.0 * PETSC_MACHINE_EPSILON * turnover[i])) {
      of_most = PETSC_FALSE;
      *ratio  = PetscMax(*ratio, PetscAbsReal(squares->left[i]) / turnover[i]);
    }
    if (!(residual <= floor)) of_most = PETSC_FALSE;
    if (residual <= floor) continue;
    *ratio = PetscMax(*ratio, squares->gross[i] > 0.0 ? residual / sqrt(squares->gross[i]) : PETSC_MAX_REAL);
    /* a smooth error hides behind gross fluxes that grow with the number of cells, and with the rate at which velocities relax: for sums, whose equation is or tends
       to Laplace's, it is known, L^2/(pi^2 D) times the residual; its spread is 2 sqrt(2) times its 2-norm, and asked to be below a hundredth of the tolerance */
    if (i >= ns && (op->uniform || D[i - ns] > 0.0) && squares->amount[i] > 0.0) *ratio = PetscMax(*ratio, 100.0 * 2.0 * PETSC_SQRT2 * residual * length * length / (PETSC_PI * PETSC_PI) / sqrt(squares->amount[i]) / (D[i - ns] > 0.0 ? D[i - ns] : 1.0));
  }
  *at_floor = of_most && of_little ? PETSC_TRUE : PETSC_FALSE;
  if (at_floor_of_most) *at_floor_of_most = of_most && !of_little ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSmallest(const SoretOperator *op, Vec x, PetscReal *value, PetscInt *species, PetscReal at[3])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  struct {
    double value;
    int    rank;
  } mine = {PETSC_MAX_REAL, 0}, all;
  PetscMPIInt      rank;
  PetscReal        place[4] = {0};
  PetscInt         where    = 0;
  const PetscReal *c;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(grid->comm, &rank));
  mine.rank = rank;
  PetscCall(VecGetArrayRead(x, &c));
  for (PetscInt q = 0; q < grid->num_cells * ns; q++) {
    if (!(c[q] < mine.value)) continue;
    mine.value = c[q];
    where      = q;
  }
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscCallMPI(MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE_INT, MPI_MINLOC, grid->comm));
  if (all.rank == rank) {
    const PetscInt p = where / ns;

    place[0] = grid->center[0][grid->start[0] + p % grid->count[0]];
    if (grid->dim > 1) place[1] = grid->center[1][grid->start[1] + p / grid->count[0] % grid->count[1]];
    if (grid->dim > 2) place[2] = grid->center[2][grid->start[2] + p / grid->count[0] / grid->count[1]];
    place[3] = (PetscReal)(where % ns);
  }
  PetscCallMPI(MPI_Bcast(place, 4, MPIU_REAL, all.rank, grid->comm));
  *value   = all.value;
  *species = (PetscInt)place[3];
  for (int axis = 0; axis < 3; axis++) at[axis] = place[axis];
  PetscFunctionReturn(PETSC_SUCCESS);
}
