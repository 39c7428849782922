/* SPDX-License-Identifier: BSD-2-Clause

   The Soret meter cell by cell (docs/theory.md, "The Soret meter"). */
#include "meter_faces.h"

typedef struct {
  SoretAround      around;
  const PetscReal *w;
  SoretPart        part;
  int              axis;
  SoretPartRows    rows;
  PetscReal       *weight; /* of the cells of a row */
  PetscReal       *slope;  /* [num_cells][2], of the logarithm of the sum, as far as this part goes, and of T, along the axis */
} LocalContext;

/* A gradient a million times smaller than that of the box as a whole counts as none. */
static PetscReal LeastGradient(const SoretOperator *op)
{
  PetscReal length = 0.0;

  for (int axis = 0; axis < op->grid->dim; axis++) length = PetscMax(length, op->grid->size[axis]);
  return 1.0e-6 * (op->temperature->max - op->temperature->min) / length;
}

/* Adds the slopes at the faces on one side of the cells of a row, each over its distance, the nearer face in proportion more. */
static void AddSlopes(LocalContext *local, int side, PetscReal *slope)
{
  const SoretOperator *op    = local->around.op;
  const SoretGrid     *grid  = op->grid;
  const PetscBool      moves = SoretLoadFaces(&local->around, local->axis, side);
  const SoretFaces     faces = SoretFacesOf(&local->around, local->axis, side, moves);

  SoretPartsOf(op, &faces, local->w, &local->rows);
  for (PetscInt i = 0; i < faces.n; i++) {
    PetscReal part[SORET_NUM_PARTS], log_mean, lo, hi, weight;
    PetscInt  ijk[3];

    SoretOperatorCell(op, local->around.row, i, ijk);
    if (SoretIsWall(grid, local->axis, side, ijk[local->axis]) || !SoretFaceIsOpen(op, faces.g + i * op->num_species)) continue;
    SoretPartsAt(&local->rows, i, part);
    lo       = 1.0 / local->rows.over_lo[i];
    hi       = 1.0 / local->rows.over_hi[i];
    log_mean = lo == hi ? lo : (lo - hi) / SoretLogRatio(lo, hi); /* d(P) = log_mean d(ln P) */
    weight   = 1.0 / grid->distance[local->axis][ijk[local->axis] + side];
    local->weight[i] += weight;
    slope[2 * i] += local->rows.mean[i] != 0.0 ? part[local->part] / log_mean * weight * weight : NAN;
    slope[2 * i + 1] += (faces.T[1][i] - faces.T[0][i]) * weight * weight;
  }
}

/* From the differences across the two faces of each cell, so that they are those at its centre. If only one is open, they are those there; 0 where neither is, and NaN where the sum
   is not of one sign. */
static PetscErrorCode SlopesOfRow(SoretOperator *op, const SoretRow *row, void *context)
{
  LocalContext  *local = (LocalContext *)context;
  const PetscInt n     = op->grid->count[0];
  PetscReal     *slope = local->slope + 2 * row->first;

  PetscFunctionBegin;
  local->around.row = row;
  PetscCall(PetscArrayzero(local->weight, n));
  PetscCall(PetscArrayzero(slope, 2 * n));
  for (int side = 0; side < 2; side++) AddSlopes(local, side, slope);
  for (PetscInt i = 0; i < n; i++) {
    for (int k = 0; k < 2 && local->weight[i] != 0.0; k++) slope[2 * i + k] /= local->weight[i];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The slopes at the centre of cell p. Beside a wall or a solid they are known at the one face that is left, half way to the centre of the next cell: a straight line
   through both, or the values there would be of first order in the width of a cell. */
static void SlopesAtCentre(const SoretGrid *grid, const SoretHalo *halo, const PetscReal *slope, int axis, PetscInt p, PetscReal at_centre[2])
{
  const PetscInt   ijk[3] = SORET_GLOBAL_INDEX(grid, p);
  const PetscReal *own    = slope + 2 * p, *next;
  PetscBool        open[2];

  for (int side = 0; side < 2; side++) open[side] = SoretIsWall(grid, axis, side, ijk[axis]) || SoretGridIsClosed(grid, p, 2 * axis + side) ? PETSC_FALSE : PETSC_TRUE;
  next = SoretHaloCell(halo, slope, p, 2 * axis + (open[1] ? 1 : 0));
  for (int k = 0; k < 2; k++) at_centre[k] = own[k];
  /* a gradient of T that vanishes at the wall is half as large at the centre; one that changes by more than that from cell to cell could be anything there */
  if (open[0] == open[1] || isnan(next[0]) || !(PetscAbsReal(own[1] - next[1]) < 0.75 * PetscAbsReal(own[1]))) return;
  for (int k = 0; k < 2; k++) at_centre[k] += own[k] - next[k];
}

PetscErrorCode SoretDiagnoseSoret(SoretOperator *op, Vec c, const PetscReal w[], SoretPart part, PetscReal out[])
{
  const SoretGrid *grid  = op->grid;
  const PetscReal  least = LeastGradient(op);
  LocalContext     local = {.w = w, .part = part};
  PetscReal       *square;
  SoretHalo        halo;

  PetscFunctionBegin;
  for (PetscInt p = 0; p < grid->num_cells; p++) out[p] = SoretTemperatureVaries(op->temperature) ? 0.0 : NAN;
  if (!SoretTemperatureVaries(op->temperature)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretAroundCreate(op, c, &local.around));
  PetscCall(PetscMalloc2((1 + SORET_NUM_PART_ROWS) * grid->count[0], &local.weight, 2 * grid->num_cells, &local.slope));
  local.rows = SoretPartRowsIn(local.weight + grid->count[0], grid->count[0]);
  PetscCall(PetscCalloc1(grid->num_cells, &square));
  PetscCall(SoretHaloCreate(grid, 2, 1, &halo));
  for (local.axis = 0; local.axis < grid->dim; local.axis++) {
    PetscCall(SoretOperatorForEachRow(op, c, SlopesOfRow, &local));
    PetscCall(SoretHaloExchange(&halo, local.slope));
    for (PetscInt p = 0; p < grid->num_cells; p++) {
      PetscReal slope[2];

      SlopesAtCentre(grid, &halo, local.slope, local.axis, p, slope);
      out[p] += slope[0] * slope[1];
      square[p] += slope[1] * slope[1];
    }
  }
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    if (SoretGridIsSolid(grid, p))
      out[p] = 0.0;
    else
      out[p] = square[p] > least * least ? out[p] / square[p] : NAN;
  }
  PetscCall(SoretHaloDestroy(&halo));
  PetscCall(PetscFree(square));
  PetscCall(PetscFree2(local.weight, local.slope));
  PetscCall(SoretAroundDestroy(&local.around, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscReal SumOf(PetscInt n, const PetscReal w[], const PetscReal c[])
{
  PetscReal sum = 0.0;

  for (PetscInt s = 0; s < n; s++) sum += w[s] * c[s];
  return sum;
}

PetscErrorCode SoretDiagnoseEquilibrium(SoretOperator *op, const SoretThermo *thermo, Vec x, PetscInt k, PetscReal out[])
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns   = op->num_species;
  const PetscReal *c;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(x, &c));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt ijk[3] = SORET_GLOBAL_INDEX(grid, p);
    PetscReal      total[SORET_MAX_SPECIES], soret[SORET_MAX_SPECIES], guess[SORET_MAX_SPECIES];
    SoretPoint     point = {.t = op->t, .T = op->temperature->T[p]};

    out[p] = 0.0;
    if (SoretGridIsSolid(grid, p)) continue;
    for (int axis = 0; axis < grid->dim; axis++) point.x[axis] = grid->center[axis][ijk[axis]];
    for (PetscInt m = 0; m < thermo->num_sums; m++) total[m] = SumOf(ns, thermo->w + m * ns, c + p * ns);
    PetscCall(PetscArraycpy(guess, c + p * ns, ns));
    (void)SoretThermoSoret(thermo, &point, total, guess, soret);
    out[p] = soret[k];
  }
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscFunctionReturn(PETSC_SUCCESS);
}
