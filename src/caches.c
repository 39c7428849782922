/* SPDX-License-Identifier: BSD-2-Clause */
#include "operator_private.h"

#include <math.h>

/* ---- cells ---- */

enum { TROUBLE = 512 };

/* Puts down in trouble[TROUBLE] what went wrong first on this rank. */
static void Complain(char trouble[], const char *kind, const char *name, PetscReal value, const char *must, const SoretPoint *point)
{
  if (*trouble) return;
  (void)snprintf(trouble, TROUBLE, "soret: %s '%s' is %g at (%g, %g, %g), T = %g, t = %g; it must be %s everywhere\n", kind, name, (double)value, (double)point->x[0], (double)point->x[1], (double)point->x[2], (double)point->T, (double)point->t, must);
}

SoretPoint SoretOperatorRowPoint(const SoretOperator *op, PetscInt j, PetscInt k)
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
static void FillTransportRow(SoretOperator *op, const SoretPoint *row, PetscInt number, PetscReal work[], PetscReal b[], PetscReal sum_D[], char trouble[])
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
    for (PetscInt i = 0; i < nx && !good && !*trouble; i++) {
      const SoretSpecies *species = &op->model->species[s];
      const SoretPoint    point   = CellPoint(op, row, T, i);
      const PetscReal     value   = IsPositive(b_row[i]) ? a_row[i] * b_row[i] : b_row[i], D = SoretLawEvaluate(species->diffusivity, &point);

      if (IsPositive(value) || (!diffuses && IsPositive(b_row[i]))) continue;
      if (IsPositive(D)) Complain(trouble, "exp(int soret dT) of species", species->name, b_row[i], "positive and finite", &point);
      else Complain(trouble, "the diffusivity of species", species->name, D, "positive and finite", &point);
    }
  }
}

/* Rate constants of the cells of a row. work - [2][cells of a row] */
static void FillConstantsRow(SoretOperator *op, const SoretPoint *row, PetscInt number, PetscReal work[], char trouble[])
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

      if (op->slot[2 * r + d] >= 0) memcpy(SoretConstantsOfRow(op, number) + op->slot[2 * r + d] * nx, k, (size_t)nx * sizeof(PetscReal));
      for (PetscInt i = 0; i < nx; i++) good &= k[i] >= 0.0 && k[i] <= PETSC_MAX_REAL;
      for (PetscInt i = 0; i < nx && !good && !*trouble; i++) {
        const SoretPoint point = CellPoint(op, row, T, i);

        if (!(k[i] >= 0.0) || !isfinite(k[i])) Complain(trouble, d ? "the backward constant of reaction" : "the forward constant of reaction", net->reaction[r].equation, k[i], "finite and not negative", &point);
      }
    }
  }
}

PetscErrorCode SoretOperatorFillCells(SoretOperator *op)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  char             trouble[TROUBLE] = "";
  PetscReal       *work, sum_D[SORET_MAX_SPECIES] = {0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(3 * grid->count[0], &work));
  for (PetscInt number = 0; number < grid->count[1] * grid->count[2]; number++) {
    const SoretPoint row = SoretOperatorRowPoint(op, number % grid->count[1], number / grid->count[1]);

    FillTransportRow(op, &row, number, work, op->b + number * grid->count[0] * ns, sum_D, trouble);
    FillConstantsRow(op, &row, number, work, trouble);
  }
  PetscCall(PetscFree(work));
  PetscCall(SoretFailTogether(grid->comm, trouble));
  PetscCallMPI(MPI_Allreduce(sum_D, op->mean_D, (PetscMPIInt)ns, MPIU_REAL, MPI_SUM, grid->comm));
  for (PetscInt s = 0; s < ns; s++) {
    const SoretSpecies *species = &op->model->species[s];

    op->mean_D[s] /= grid->fluid_volume;
    for (PetscInt axis = 0; axis < species->velocity.n && !species->diffuses; axis++) op->mean_D[s] = PetscMax(op->mean_D[s], PetscAbsReal(species->velocity.value[axis]) * grid->size[axis]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- faces ---- */

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
  return x + SoretGridCellNumber(grid, ijk) * ns;
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
  const PetscInt step[3] = {1, grid->count[0], grid->count[0] * grid->count[1]}, p = SoretGridCellNumber(grid, ijk);

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

void SoretOperatorFitConductances(SoretOperator *op)
{
  for (int axis = 0; axis < op->grid->dim; axis++) {
    if (!op->w[axis]) continue;
    for (PetscInt q = 0; q < SoretFlowCountFaces(op->grid, axis) * op->num_species; q++) {
      op->g[axis][q] = op->g_diffusive[axis][q];
      if (op->w[axis][q] != 0.0) SoretFitted(op->g_diffusive[axis][q], op->w[axis][q], &op->g[axis][q]);
    }
  }
}

/* a of the cells of a row; work - [2 count[0]] */
static void FillConductivities(const SoretOperator *op, PetscInt number, PetscReal work[], PetscReal a[])
{
  const PetscInt   nx = op->grid->count[0], ns = op->num_species;
  const SoretPoint row = SoretOperatorRowPoint(op, number % op->grid->count[1], number / op->grid->count[1]);

  for (PetscInt s = 0; s < ns; s++) {
    SoretModelTransportRow(op->model, s, nx, &row, op->grid->center[0] + op->grid->start[0], op->temperature->T + number * nx, work, work + nx);
    for (PetscInt i = 0; i < nx; i++) a[i * ns + s] = work[i];
  }
}

void SoretOperatorFaceShares(const SoretOperator *op, const SoretRow *row, PetscReal work[], PetscReal *const share[6])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   nx = grid->count[0], ns = op->num_species;
  PetscReal       *a = work + 2 * nx;

  FillConductivities(op, row->number, work, a);
  for (int face = 0; face < 2 * grid->dim; face++) {
    const int axis = face / 2;

    for (PetscInt q = 0; q < nx * ns; q++) {
      PetscInt  ijk[3], above[3] = {q / ns, row->j, row->k};
      PetscReal g;

      SoretOperatorCell(op, row, q / ns, ijk);
      above[axis] += face % 2;
      g              = op->uniform ? SoretUniformConductance(op, axis, above, q % ns) : op->g_diffusive[axis][SoretFaceIndex(grid, axis, above) * ns + q % ns];
      share[face][q] = a[q] > 0.0 ? g * 0.5 * grid->width[axis][ijk[axis]] / (a[q] * SoretGridFaceArea(grid, axis, ijk)) : 0.0;
    }
  }
}

PetscErrorCode SoretOperatorFillConductances(SoretOperator *op)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  const PetscInt   nx   = grid->count[0];
  PetscReal       *a, *work;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(grid->num_cells * ns, &a, 2 * nx, &work));
  for (PetscInt number = 0; number < grid->count[1] * grid->count[2]; number++) FillConductivities(op, number, work, a + number * nx * ns);
  PetscCall(SoretHaloExchange(&op->halo, a));
  for (int axis = 0; axis < grid->dim; axis++) FillFaces(op, axis, a, ConductanceOfFace, op->g_diffusive[axis]);
  PetscCall(PetscFree2(a, work));
  if (!op->w[0] && !op->w[1] && !op->w[2]) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretHaloExchange(&op->halo, op->b));
  for (int axis = 0; axis < grid->dim; axis++) {
    if (op->w[axis]) FillFaces(op, axis, op->b, VelocityOverB, op->w[axis]);
  }
  SoretOperatorFitConductances(op);
  PetscFunctionReturn(PETSC_SUCCESS);
}
