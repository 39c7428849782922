/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/temperature.h"

/* First bad value of all ranks: says where and ends the run. */
static PetscErrorCode CheckValues(const SoretTemperature *temperature)
{
  const SoretGrid *grid         = temperature->grid;
  PetscInt         p            = 0;
  char             trouble[256] = "";

  PetscFunctionBegin;
  while (p < grid->num_cells && temperature->T[p] > 0.0 && temperature->T[p] < PETSC_MAX_REAL) p++;
  if (p < grid->num_cells) {
    const PetscInt i = grid->start[0] + p % grid->count[0], j = grid->start[1] + p / grid->count[0] % grid->count[1], k = grid->start[2] + p / grid->count[0] / grid->count[1];

    (void)snprintf(trouble, sizeof(trouble), "soret: temperature is %g at (%g, %g, %g), t = %g; it must be positive and finite everywhere\n", (double)temperature->T[p], (double)grid->center[0][i], (double)(grid->dim > 1 ? grid->center[1][j] : 0.0), (double)(grid->dim > 2 ? grid->center[2][k] : 0.0), (double)temperature->t);
  }
  PetscCall(SoretFailTogether(grid->comm, trouble));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Fill(SoretTemperature *temperature, PetscReal t)
{
  const SoretGrid *grid     = temperature->grid;
  PetscReal        range[2] = {-PETSC_MAX_REAL, -PETSC_MAX_REAL}, all[2];

  PetscFunctionBegin;
  temperature->t = t;
  PetscCall(SoretFieldPrepare(temperature->field, grid, t));
  PetscCall(SoretFieldFill(temperature->field, grid, t, NULL, temperature->T));
  PetscCall(CheckValues(temperature));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    range[0] = PetscMax(range[0], -temperature->T[p]);
    range[1] = PetscMax(range[1], temperature->T[p]);
  }
  PetscCallMPI(MPI_Allreduce(range, all, 2, MPIU_REAL, MPI_MAX, grid->comm));
  temperature->min = -all[0];
  temperature->max = all[1];
  PetscCall(SoretHaloExchange(&temperature->halo, temperature->T));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTemperatureCreate(const SoretGrid *grid, SoretField field, PetscReal t, SoretTemperature *temperature)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(temperature, sizeof(*temperature)));
  temperature->grid   = grid;
  temperature->field  = field;
  temperature->varies = SoretFieldUses(field) & SORET_VAR_TIME ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscMalloc1(grid->num_cells, &temperature->T));
  PetscCall(SoretHaloCreate(grid, 1, 1, &temperature->halo));
  PetscCall(Fill(temperature, t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTemperatureDestroy(SoretTemperature *temperature)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(temperature->T));
  PetscCall(SoretHaloDestroy(&temperature->halo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTemperatureSetTime(SoretTemperature *temperature, PetscReal t, PetscBool *changed)
{
  PetscFunctionBegin;
  *changed = temperature->varies && t != temperature->t ? PETSC_TRUE : PETSC_FALSE;
  if (*changed) PetscCall(Fill(temperature, t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscReal SoretTemperatureAtPoint(const SoretTemperature *temperature, const PetscReal x[3])
{
  const SoretPoint point = {{x[0], x[1], x[2]}, temperature->t, 0.0};

  return SoretFieldEvaluate(temperature->field, &point);
}
