/* SPDX-License-Identifier: BSD-2-Clause

   How far a state is from steady, and the smallest of its concentrations. */
#include <math.h>

#include "kernel.h"
#include "soret/solve.h"

typedef struct {
  const SoretSums *sums;
  PetscReal       *net, *transport, *scale, *source, *reaction; /* a row each */
  /* sums of squares over cells: for each species, then for each global and open sum */
  PetscReal residual[4 * SORET_MAX_SPECIES], gross[4 * SORET_MAX_SPECIES], floor[4 * SORET_MAX_SPECIES];
  PetscReal amount[4 * SORET_MAX_SPECIES]; /* of sum_i |w_i| u_i times volume; sums only */
  /* the same for sums, each cell over sum_i |w_i| c_i there; least and largest of these */
  PetscReal relative[4 * SORET_MAX_SPECIES], relative_gross[4 * SORET_MAX_SPECIES], relative_floor[4 * SORET_MAX_SPECIES], range[8 * SORET_MAX_SPECIES];
} Measure;

/* The squares of one sum in a row: net transport, in which reactions cancel. */
INLINED void MeasureSum(const PetscInt ns, PetscInt nx, const SoretRow *row, const PetscReal *restrict w, const PetscReal *restrict volume, Measure *m, PetscInt entry)
{
  const PetscReal *restrict net = m->net, *restrict transport = m->transport, *restrict scales = m->scale, *restrict u = row->u[0][2], *restrict cs = row->c;
  PetscReal f2 = 0.0, gross2 = 0.0, scale2 = 0.0, amount2 = 0.0, relative = 0.0, relative_gross = 0.0, relative_scale = 0.0, most = m->range[2 * entry], over_least = m->range[2 * entry + 1];

  SORET_PRAGMA(omp simd reduction(+ : f2, gross2, scale2, amount2, relative, relative_gross, relative_scale) reduction(max : most, over_least))
  for (PetscInt i = 0; i < nx; i++) {
    PetscReal f = 0.0, gross = 0.0, scale = 0.0, amount = 0.0, c = 0.0, over_c, over;

    for (PetscInt s = 0; s < ns; s++) {
      f += w[s] * net[i * ns + s];
      gross += PetscAbsReal(w[s]) * transport[i * ns + s];
      scale += PetscAbsReal(w[s]) * scales[i * ns + s];
      amount += PetscAbsReal(w[s] * u[i * ns + s]) * volume[i];
      c += PetscAbsReal(w[s] * cs[i * ns + s]);
    }
    over_c = c > 0.0 && volume[i] > 0.0 ? 1.0 / c : 0.0;
    over   = volume[i] > 0.0 ? over_c / volume[i] : 0.0;
    f2 += f * f;
    gross2 += gross * gross;
    scale2 += scale * scale;
    amount2 += amount * amount;
    relative += f * over * (f * over);
    relative_gross += gross * over * (gross * over);
    relative_scale += scale * over * (scale * over);
    most       = PetscMax(most, over_c > 0.0 ? c : 0.0);
    over_least = PetscMax(over_least, over_c);
  }
  m->residual[entry] += f2;
  m->gross[entry] += gross2;
  m->floor[entry] += scale2;
  m->amount[entry] += amount2;
  m->relative[entry] += relative;
  m->relative_gross[entry] += relative_gross;
  m->relative_floor[entry] += relative_scale;
  m->range[2 * entry]     = most;
  m->range[2 * entry + 1] = over_least;
}

/* The squares of all species in a row. */
INLINED void MeasureSpecies(const PetscInt ns, PetscInt nx, Measure *m)
{
  const PetscReal *restrict net = m->net, *restrict source = m->source, *restrict transport = m->transport, *restrict reaction = m->reaction, *restrict scales = m->scale;

  for (PetscInt s = 0; s < ns; s++) {
    PetscReal residual = 0.0, all = 0.0, floor = 0.0;

    SORET_SUM(residual, all, floor)
    for (PetscInt i = 0; i < nx; i++) {
      const PetscReal f = net[i * ns + s] - source[i * ns + s], gross = transport[i * ns + s] + reaction[i * ns + s], scale = scales[i * ns + s] + reaction[i * ns + s];

      residual += f * f;
      all += gross * gross;
      floor += scale * scale;
    }
    m->residual[s] += residual;
    m->gross[s] += all;
    m->floor[s] += floor;
  }
}

/* Adds the squares of one row: species by species, then sum by sum. */
SORET_CLONES static PetscErrorCode MeasureRow(SoretOperator *op, const SoretRow *row, void *context)
{
  Measure        *m  = (Measure *)context;
  const PetscInt  ns = op->num_species, nx = op->grid->count[0];
  const PetscReal *volume;

  PetscFunctionBegin;
  SoretOperatorGrossTransport(op, row, m->net, m->transport, m->scale);
  SoretOperatorGrossReactions(op, row, m->source, m->reaction);
  BY_SPECIES(MeasureSpecies, ns, nx, m);
  volume = SoretOperatorRowVolumes(op, row->first / nx, op->row);
  for (PetscInt l = 0; l < m->sums->num; l++) BY_SPECIES(MeasureSum, ns, nx, row, m->sums->w + l * ns, volume, m, ns + l);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSteadyMeasure(SoretOperator *op, const SoretSums *sums, Vec c, PetscReal *ratio, PetscBool *at_floor)
{
  const PetscInt ns = op->num_species, n = ns + sums->num, row = op->grid->count[0] * ns;
  Measure        m;
  PetscReal      largest = 0.0, largest_sum = 0.0, length = 0.0;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&m, sizeof(m)));
  m.sums = sums;
  PetscCall(PetscMalloc5(row, &m.net, row, &m.transport, row, &m.scale, row, &m.source, row, &m.reaction));
  PetscCall(SoretOperatorForEachRow(op, c, MeasureRow, &m));
  PetscCall(PetscFree5(m.net, m.transport, m.scale, m.source, m.reaction));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, m.residual, (PetscMPIInt)n, MPIU_REAL, MPI_SUM, op->grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, m.gross, (PetscMPIInt)n, MPIU_REAL, MPI_SUM, op->grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, m.floor, (PetscMPIInt)n, MPIU_REAL, MPI_SUM, op->grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, m.amount, (PetscMPIInt)n, MPIU_REAL, MPI_SUM, op->grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, m.relative, (PetscMPIInt)n, MPIU_REAL, MPI_SUM, op->grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, m.relative_gross, (PetscMPIInt)n, MPIU_REAL, MPI_SUM, op->grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, m.relative_floor, (PetscMPIInt)n, MPIU_REAL, MPI_SUM, op->grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, m.range, (PetscMPIInt)(2 * n), MPIU_REAL, MPI_MAX, op->grid->comm));
  for (PetscInt i = 0; i < n; i++) largest = PetscMax(largest, m.floor[i]);
  for (PetscInt i = ns; i < n; i++) largest_sum = PetscMax(largest_sum, m.floor[i]);
  for (PetscInt axis = 0; axis < op->grid->dim; axis++) length = PetscMax(length, op->grid->size[axis]);
  *ratio    = 0.0;
  *at_floor = PETSC_TRUE;
  for (PetscInt i = 0; i < n; i++) {
    /* rounding of the two terms of each flux; a species or sum of which there is next to nothing is judged on the scale of the others */
    const PetscReal floor = 4.0 * PETSC_MACHINE_EPSILON * PetscMax(sqrt(m.floor[i]), 1.0e-3 * sqrt(i < ns ? largest : largest_sum)), residual = sqrt(m.residual[i]);

    /* where amounts differ much over the box, what happens where there is little counts as well */
    if (i >= ns && i < ns + sums->num_global && m.range[2 * i] * m.range[2 * i + 1] > 100.0 && m.relative[i] > 16.0 * PETSC_MACHINE_EPSILON * PETSC_MACHINE_EPSILON * m.relative_floor[i]) {
      *at_floor = PETSC_FALSE;
      *ratio    = PetscMax(*ratio, sqrt(m.relative[i] / m.relative_gross[i]));
    }
    if (!(residual <= floor)) *at_floor = PETSC_FALSE;
    if (residual <= floor) continue;
    *ratio = PetscMax(*ratio, m.gross[i] > 0.0 ? residual / sqrt(m.gross[i]) : PETSC_MAX_REAL);
    /* a smooth error hides behind gross fluxes that grow with the number of cells: for sums, whose equation is Laplace's, it is known,
       L^2/(pi^2 a) times the residual; its spread is 2 sqrt(2) times its 2-norm, and asked to be below a hundredth of the tolerance */
    if (i >= ns && op->uniform && m.amount[i] > 0.0) *ratio = PetscMax(*ratio, 100.0 * 2.0 * PETSC_SQRT2 * residual * length * length / (PETSC_PI * PETSC_PI) / sqrt(m.amount[i]));
  }
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
