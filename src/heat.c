/* SPDX-License-Identifier: BSD-2-Clause */
#include "heat_private.h"

#include <math.h>

/* ---- the handle ---- */

static PetscErrorCode FillCapacity(SoretHeat heat)
{
  const SoretHeatSpec *spec = heat->spec;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(heat->grid->num_cells, &heat->capacity));
  for (PetscInt p = 0; p < heat->grid->num_cells; p++) {
    const SoretPoint point = SoretHeatPoint(heat->grid, p, 0.0, 0.0);
    PetscInt         ijk[3];

    SoretGridCellIndex(heat->grid, p, ijk);
    heat->capacity[p] = SoretExprEvaluate(SoretGridIsSolid(heat->grid, p) && spec->solid_heat_capacity ? spec->solid_heat_capacity : spec->heat_capacity, &point);
    if (!(heat->capacity[p] > 0.0) || !isfinite(heat->capacity[p])) SoretHeatComplain(heat, "the heat capacity, which must be positive and finite,", heat->capacity[p], &point);
    heat->capacity[p] *= SoretGridCellVolume(heat->grid, ijk);
  }
  PetscCall(SoretHeatAgree(heat));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatCreate(const SoretHeatSpec *spec, const SoretGrid *grid, SoretHeat *heat)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(heat));
  (*heat)->spec = spec;
  (*heat)->grid = grid;
  PetscCall(SoretGridCreateDM(grid, 1, 1, &(*heat)->dm));
  PetscCall(DMCreateGlobalVector((*heat)->dm, &(*heat)->T));
  PetscCall(VecDuplicate((*heat)->T, &(*heat)->f));
  PetscCall(VecDuplicate((*heat)->T, &(*heat)->step));
  PetscCall(PetscMalloc2(grid->num_cells * SORET_CELL_VALUES, &(*heat)->cell, grid->num_cells, &(*heat)->filled));
  PetscCall(SoretHaloCreate(grid, SORET_CELL_VALUES, 1, &(*heat)->halo));
  if (spec->in_time) PetscCall(FillCapacity(*heat));
  if (spec->in_time) PetscCall(PetscMalloc1(grid->num_cells, &(*heat)->rate));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatDestroy(SoretHeat *heat)
{
  PetscFunctionBegin;
  if (!*heat) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretHeatForgetSteps(*heat));
  for (int k = 0; k < SORET_HEAT_WINDOW; k++) PetscCall(PetscFree2((*heat)->window[k].T, (*heat)->window[k].rate));
  PetscCall(VecDestroy(&(*heat)->T));
  PetscCall(VecDestroy(&(*heat)->f));
  PetscCall(VecDestroy(&(*heat)->step));
  PetscCall(VecDestroy(&(*heat)->start));
  PetscCall(DMDestroy(&(*heat)->dm));
  PetscCall(SoretHaloDestroy(&(*heat)->halo));
  PetscCall(PetscFree2((*heat)->cell, (*heat)->filled));
  PetscCall(PetscFree((*heat)->capacity));
  PetscCall(PetscFree((*heat)->rate));
  PetscCall(PetscFree(*heat));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- filling ---- */

PetscErrorCode SoretHeatFill(void *context, PetscReal t, PetscReal T[], PetscReal *const wall[6])
{
  SoretHeat        heat = (SoretHeat)context;
  const SoretGrid *grid = heat->grid;
  const PetscReal *x;
  PetscReal        by_own;

  PetscFunctionBegin;
  if (heat->capacity) PetscCall(SoretHeatFillInTime(heat, t, T));
  else {
    PetscCall(SoretHeatSolveSteady(heat, t));
    PetscCall(VecGetArrayRead(heat->T, &x));
    PetscCall(PetscArraycpy(T, x, grid->num_cells));
    PetscCall(VecRestoreArrayRead(heat->T, &x));
  }
  PetscCall(SoretHeatFillCells(heat, t, T));
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < SoretGridCountFace(grid, face); q++) {
      PetscInt local[3];

      SoretGridFaceCell(grid, face, q, local);
      (void)SoretHeatWallInflow(heat, t, face, SoretGridCellNumber(grid, local), &by_own, &wall[face][q]);
    }
  }
  PetscCall(SoretHeatAgree(heat));
  PetscCall(PetscArraycpy(heat->filled, T, grid->num_cells));
  heat->filled_t = t;
  if (!heat->capacity && !heat->spec->varies) PetscCall(SoretHeatDestroySolver(heat)); /* not needed again: room for the species */
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the budget ---- */

PetscErrorCode SoretHeatGetBudget(SoretHeat heat, SoretHeatBudget *budget)
{
  const SoretGrid *grid = heat->grid;
  PetscReal        part[9] = {0}, all[9]; /* inflow by face, source, stored, gross */

  PetscFunctionBegin;
  PetscCall(SoretFieldPrepare(heat->spec->source, grid, heat->filled_t));
  PetscCall(SoretHeatFillCells(heat, heat->filled_t, heat->filled));
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < SoretGridCountFace(grid, face); q++) {
      PetscInt  local[3];
      PetscReal by_own, wall, inflow;

      SoretGridFaceCell(grid, face, q, local);
      inflow = SoretHeatWallInflow(heat, heat->filled_t, face, SoretGridCellNumber(grid, local), &by_own, &wall);
      part[face] += inflow;
      part[8] += PetscAbsReal(inflow);
    }
  }
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    PetscInt  ijk[3];
    PetscReal slope, source, stored = heat->rate ? heat->capacity[p] * heat->rate[p] : 0.0;

    SoretGridCellIndex(grid, p, ijk);
    source = SoretGridCellVolume(grid, ijk) * SoretHeatSource(heat, heat->filled_t, p, heat->filled[p], &slope);
    part[6] += source;
    part[7] += stored;
    part[8] += PetscAbsReal(source) + PetscAbsReal(stored);
  }
  PetscCallMPI(MPI_Allreduce(part, all, 9, MPIU_REAL, MPI_SUM, grid->comm));
  budget->defect = all[6] - all[7];
  for (int face = 0; face < 6; face++) {
    budget->inflow[face] = all[face];
    budget->defect += all[face];
  }
  budget->source = all[6];
  budget->stored = all[7];
  budget->gross  = all[8];
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatReport(SoretHeat heat)
{
  SoretHeatBudget budget;
  MPI_Comm        comm = heat->grid->comm;

  PetscFunctionBegin;
  PetscCall(SoretHeatGetBudget(heat, &budget));
  PetscCall(SoretSay(comm, "heat at t = %g: source %g", (double)heat->filled_t, (double)budget.source));
  for (int face = 0; face < 2 * heat->grid->dim; face++) {
    if (!heat->grid->periodic[face / 2]) PetscCall(SoretSay(comm, ", %s %g", SoretFaceName(face), (double)budget.inflow[face]));
  }
  if (heat->capacity) PetscCall(SoretSay(comm, ", stored %g", (double)budget.stored));
  PetscCall(SoretSay(comm, " (inwards); defect %.2g\n", (double)(budget.gross > 0.0 ? budget.defect / budget.gross : 0.0)));
  PetscFunctionReturn(PETSC_SUCCESS);
}
