/* SPDX-License-Identifier: BSD-2-Clause */
#include "heat_private.h"

#include <math.h>

#include "kernel.h"

enum {
  LARGE_JUMP      = 100, /* of the conductivity from cell to cell */
  SWEEPS_AT_JUMPS = 3
};

/* ---- bad values ---- */

SoretPoint SoretHeatPoint(const SoretGrid *grid, PetscInt p, PetscReal t, PetscReal T)
{
  SoretPoint point = {.t = t, .T = T};
  PetscInt   ijk[3];

  SoretGridCellIndex(grid, p, ijk);
  for (int axis = 0; axis < grid->dim; axis++) point.x[axis] = grid->center[axis][ijk[axis]];
  return point;
}

void SoretHeatComplain(SoretHeat heat, const char *what, PetscReal value, const SoretPoint *point)
{
  if (*heat->trouble) return;
  (void)snprintf(heat->trouble, sizeof(heat->trouble), "soret: %s is %g at (%g, %g, %g), T = %g, t = %g\n", what, (double)value, (double)point->x[0], (double)point->x[1], (double)point->x[2], (double)point->T, (double)point->t);
}

PetscErrorCode SoretHeatAgree(SoretHeat heat)
{
  const PetscErrorCode ierr = SoretFailTogether(heat->grid->comm, heat->trouble);

  PetscFunctionBegin;
  heat->trouble[0] = 0;
  PetscFunctionReturn(ierr);
}

static SoretLaw ConductivityOf(const SoretHeat heat, PetscInt p)
{
  return SoretGridIsSolid(heat->grid, p) && heat->spec->solid_conductivity ? heat->spec->solid_conductivity : heat->spec->conductivity;
}

/* ---- cells, faces, walls ---- */

PetscErrorCode SoretHeatFillCells(SoretHeat heat, PetscReal t, const PetscReal T[])
{
  PetscFunctionBegin;
  for (PetscInt p = 0; p < heat->grid->num_cells; p++) {
    const SoretPoint point = SoretHeatPoint(heat->grid, p, t, T[p]);
    const SoretLaw   law   = ConductivityOf(heat, p);
    PetscReal       *cell  = heat->cell + SORET_CELL_VALUES * p;

    cell[SORET_CELL_T]     = T[p];
    cell[SORET_CELL_K]     = SoretLawEvaluate(law, &point);
    cell[SORET_CELL_SLOPE] = heat->J && SoretLawUses(law) & SORET_VAR_TEMPERATURE ? SoretLawDerivative(law, &point) : 0.0;
    if (!(cell[SORET_CELL_K] > 0.0) || !isfinite(cell[SORET_CELL_K])) SoretHeatComplain(heat, "the conductivity, which must be positive and finite,", cell[SORET_CELL_K], &point);
  }
  PetscCall(SoretHeatAgree(heat));
  PetscCall(SoretHaloExchange(&heat->halo, heat->cell));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Outflow of a cell through a face inside the box, and its derivatives by the temperatures of both sides. */
static PetscReal FaceOutflow(const SoretGrid *grid, int face, const PetscInt ijk[3], const PetscReal own[], const PetscReal other[], PetscReal *by_own, PetscReal *by_other)
{
  const int       axis = face / 2;
  const PetscInt  beside = (ijk[axis] + (face % 2 ? 1 : -1) + grid->n[axis]) % grid->n[axis];
  const PetscReal d_own = 0.5 * grid->width[axis][ijk[axis]], d_other = 0.5 * grid->width[axis][beside];
  const PetscReal g    = SoretGridFaceArea(grid, axis, ijk) * SoretConductance(own[SORET_CELL_K], d_own, other[SORET_CELL_K], d_other);
  const PetscReal sum  = other[SORET_CELL_K] * d_own + own[SORET_CELL_K] * d_other, flux = SoretFaceFlux(g, own[SORET_CELL_T], other[SORET_CELL_T]);

  *by_own   = g + flux * own[SORET_CELL_SLOPE] * (1.0 / own[SORET_CELL_K] - d_other / sum);
  *by_other = -g + flux * other[SORET_CELL_SLOPE] * (1.0 / other[SORET_CELL_K] - d_own / sum);
  return flux;
}

PetscReal SoretHeatWallInflow(SoretHeat heat, PetscReal t, int face, PetscInt p, PetscReal *by_own, PetscReal *wall_T)
{
  const SoretGrid          *grid      = heat->grid;
  const SoretHeatCondition *condition = &heat->spec->condition[face];
  const PetscReal          *own       = heat->cell + SORET_CELL_VALUES * p;
  SoretPoint                wall      = SoretHeatPoint(grid, p, t, own[SORET_CELL_T]);
  PetscInt                  ijk[3];
  PetscReal                 area, half, value, flux = 0.0, g;

  SoretGridCellIndex(grid, p, ijk);
  area              = SoretGridFaceArea(grid, face / 2, ijk);
  half              = 0.5 * grid->width[face / 2][ijk[face / 2]];
  wall.x[face / 2]  = grid->edge[face / 2][face % 2 ? grid->n[face / 2] : 0];
  value             = condition->value ? SoretExprEvaluate(condition->value, &wall) : 0.0;
  g                 = own[SORET_CELL_K] / half;
  *by_own           = 0.0;
  *wall_T           = own[SORET_CELL_T];
  if (condition->kind == SORET_HEAT_FLUX) {
    flux    = value;
    *wall_T = own[SORET_CELL_T] + flux / g;
  } else if (condition->kind == SORET_HEAT_VALUE) { /* two quarters of a cell in series, with the conductivities at their ends */
    const SoretLaw  law = ConductivityOf(heat, p);
    PetscReal       k_wall, series;

    wall.T  = *wall_T = value;
    k_wall  = SoretLawEvaluate(law, &wall);
    series  = SoretConductance(k_wall, 0.5 * half, own[SORET_CELL_K], 0.5 * half);
    flux    = SoretFaceFlux(series, value, own[SORET_CELL_T]);
    *by_own = -series + flux * own[SORET_CELL_SLOPE] * (1.0 / own[SORET_CELL_K] - 0.5 * half / (0.5 * half * (k_wall + own[SORET_CELL_K])));
    if (!(value > 0.0) || !(k_wall > 0.0)) SoretHeatComplain(heat, "the temperature of a wall, or the conductivity there,", value > 0.0 ? k_wall : value, &wall);
  } else if (condition->kind == SORET_HEAT_TRANSFER) {
    const PetscReal outside = SoretExprEvaluate(condition->outside, &wall), series = value * g / (value + g);

    flux    = SoretFaceFlux(series, outside, own[SORET_CELL_T]);
    *wall_T = own[SORET_CELL_T] + flux / g;
    *by_own = -series + flux * own[SORET_CELL_SLOPE] / own[SORET_CELL_K] * value / (value + g);
    if (!(value >= 0.0)) SoretHeatComplain(heat, "the heat transfer coefficient", value, &wall);
  }
  if (!isfinite(flux)) SoretHeatComplain(heat, "the heat flux through a wall", flux, &wall);
  *by_own *= area;
  return area * flux;
}

PetscReal SoretHeatSource(SoretHeat heat, PetscReal t, PetscInt p, PetscReal T, PetscReal *slope)
{
  SoretPoint point = SoretHeatPoint(heat->grid, p, t, T);
  PetscReal  value;

  *slope = 0.0;
  if (!heat->spec->source) return 0.0;
  value = SoretFieldEvaluate(heat->spec->source, &point);
  if (!isfinite(value)) SoretHeatComplain(heat, "the heat source", value, &point);
  if (SoretFieldUses(heat->spec->source) & SORET_VAR_TEMPERATURE) {
    const PetscReal h = 1.0e-5 * T;
    PetscReal       side[2];

    for (int s = 0; s < 2; s++) {
      point.T = s ? T + h : T - h;
      side[s] = SoretFieldEvaluate(heat->spec->source, &point);
    }
    *slope = (side[1] - side[0]) / (2.0 * h);
  }
  return value;
}

static MatStencil StencilOf(const PetscInt ijk[3])
{
  const MatStencil s = {.k = ijk[2], .j = ijk[1], .i = ijk[0], .c = 0};

  return s;
}

/* ---- the whole ---- */

PetscErrorCode SoretHeatEvaluate(SoretHeat heat, PetscReal t, Vec T, SoretHeatForm form, Vec f, PetscReal shift, Mat J, SoretHeatScale *scale)
{
  const SoretGrid *grid = heat->grid;
  const PetscReal *x;
  PetscReal       *out;
  SoretHeatScale            mine = {.gross = 0.0};

  PetscFunctionBegin;
  PetscCall(SoretFieldPrepare(heat->spec->source, grid, t));
  PetscCall(VecGetArrayRead(T, &x));
  PetscCall(SoretHeatFillCells(heat, t, x));
  PetscCall(VecRestoreArrayRead(T, &x));
  PetscCall(VecGetArray(f, &out));
  if (J) PetscCall(MatZeroEntries(J));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt   local[3] = SORET_LOCAL_INDEX(grid, p);
    const PetscReal *own      = heat->cell + SORET_CELL_VALUES * p;
    PetscInt         ijk[3];
    MatStencil       row, column[7];
    PetscReal        value[7], slope, source, volume, diagonal = 0.0;
    PetscInt         entries = 1;

    SoretGridCellIndex(grid, p, ijk);
    volume    = SoretGridCellVolume(grid, ijk);
    source    = volume * SoretHeatSource(heat, t, p, own[SORET_CELL_T], &slope);
    row       = column[0] = StencilOf(ijk);
    out[p]    = -source;
    value[0]  = -volume * slope;
    mine.gross += PetscAbsReal(source);
    mine.held += PetscAbsReal(value[0]);
    for (int face = 0; face < 2 * grid->dim; face++) {
      const int axis = face / 2, side = face % 2;
      PetscInt  beside[3] = {ijk[0], ijk[1], ijk[2]};
      PetscReal by_own, by_other, wall_T;

      if (local[axis] == (side ? grid->count[axis] - 1 : 0) && SoretGridHasWall(grid, axis, side)) {
        const PetscReal inflow = SoretHeatWallInflow(heat, t, face, p, &by_own, &wall_T);

        out[p] -= inflow;
        diagonal -= by_own;
        mine.gross += PetscAbsReal(inflow);
        mine.held += PetscAbsReal(by_own);
        continue;
      }
      out[p] += FaceOutflow(grid, face, ijk, own, SoretHaloCell(&heat->halo, heat->cell, p, face), &by_own, &by_other);
      diagonal += by_own;
      beside[axis] += side ? 1 : -1;
      column[entries]  = StencilOf(beside); /* DMDA wraps periodic axes */
      value[entries++] = by_other;
    }
    value[0] += diagonal;
    mine.rounding += 0.25 * PETSC_MACHINE_EPSILON * PetscAbsReal(diagonal * own[SORET_CELL_T]); /* a half of what it is at most; 0.16 is usual */
    if (form == SORET_HEAT_PER_CAPACITY) {
      out[p] /= heat->capacity[p];
      for (PetscInt e = 0; e < entries; e++) value[e] /= heat->capacity[p];
    }
    value[0] += shift;
    if (J) PetscCall(MatSetValuesStencil(J, 1, &row, entries, column, value, ADD_VALUES));
  }
  PetscCall(VecRestoreArray(f, &out));
  if (J) { /* also where values are refused: who ends the run in good order evaluates once more */
    PetscCall(MatAssemblyBegin(J, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(J, MAT_FINAL_ASSEMBLY));
  }
  PetscCall(SoretHeatAgree(heat));
  if (scale) PetscCallMPI(MPI_Allreduce(&mine, scale, 3, MPIU_REAL, MPI_SUM, grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatFillElliptic(SoretHeat heat, PetscReal t, PetscReal shift)
{
  const SoretGrid          *grid        = heat->grid;
  SoretEllipticCoefficients coefficient = SoretEllipticGet(heat->elliptic);
  const PetscInt            n[3]        = {grid->count[0], grid->count[1], grid->count[2]};
  PetscReal                 by_own, by_other, wall_T, jump = 1.0;

  PetscFunctionBegin;
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt local[3] = {p % n[0], p / n[0] % n[1], p / n[0] / n[1]};
    PetscInt       ijk[3];

    SoretGridCellIndex(grid, p, ijk);
    for (int face = 0; face < 2 * grid->dim; face++) {
      const PetscReal *own = heat->cell + SORET_CELL_VALUES * p, *other;

      if (face % 2 && local[face / 2] < n[face / 2] - 1) continue; /* told by the cell above */
      if (local[face / 2] == (face % 2 ? n[face / 2] - 1 : 0) && SoretGridHasWall(grid, face / 2, face % 2)) continue;
      other = SoretHaloCell(&heat->halo, heat->cell, p, face);
      jump  = PetscMax(jump, PetscMax(own[SORET_CELL_K] / other[SORET_CELL_K], other[SORET_CELL_K] / own[SORET_CELL_K]));
      (void)FaceOutflow(grid, face, ijk, own, other, &by_own, &by_other);
      coefficient.g[face / 2][SoretFlowFace(grid, face, p)] = by_own;
    }
  }
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < coefficient.num[face]; q++) {
      PetscInt  cell[3], ijk[3], p;
      PetscReal half;

      SoretGridFaceCell(grid, face, q, cell);
      p = (cell[2] * n[1] + cell[1]) * n[0] + cell[0];
      SoretGridCellIndex(grid, p, ijk);
      (void)SoretHeatWallInflow(heat, t, face, p, &by_own, &wall_T);
      half                        = SoretGridFaceArea(grid, face / 2, ijk) * heat->cell[SORET_CELL_VALUES * p + SORET_CELL_K] / (0.5 * grid->width[face / 2][ijk[face / 2]]);
      coefficient.alpha[face][q]  = -by_own;
      coefficient.mirror[face][q] = heat->spec->condition[face].kind == SORET_HEAT_VALUE ? -1.0 : 1.0 + 2.0 * by_own / half;
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &jump, 1, MPIU_REAL, MPI_MAX, grid->comm));
  PetscCall(SoretEllipticSetSweeps(heat->elliptic, jump > LARGE_JUMP ? SWEEPS_AT_JUMPS : 1)); /* corrections are interpolated across jumps, which leaves much to smooth there */
  PetscCall(SoretEllipticUpdate(heat->elliptic, shift));
  PetscFunctionReturn(PETSC_SUCCESS);
}
