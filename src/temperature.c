/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/temperature.h"

static inline PetscBool IsGood(PetscReal T)
{
  return T > 0.0 && T < PETSC_MAX_REAL ? PETSC_TRUE : PETSC_FALSE;
}

/* Range of this rank. First bad value of all ranks: says where and ends the run. */
static PetscErrorCode CheckValues(const SoretTemperature *temperature, PetscReal *least, PetscReal *most)
{
  const SoretGrid *grid         = temperature->grid;
  const PetscReal *T            = temperature->T;
  PetscInt         num_bad      = 0, p = 0;
  PetscReal        lo           = PETSC_MAX_REAL, hi = -PETSC_MAX_REAL;
  char             trouble[256] = "";

  PetscFunctionBegin;
#pragma omp simd reduction(min : lo) reduction(max : hi) reduction(+ : num_bad)
  for (PetscInt q = 0; q < grid->num_cells; q++) {
    lo = PetscMin(lo, T[q]);
    hi = PetscMax(hi, T[q]);
    num_bad += IsGood(T[q]) ? 0 : 1;
  }
  *least = lo;
  *most  = hi;
  if (num_bad) {
    while (IsGood(T[p])) p++;
    const PetscInt i = grid->start[0] + p % grid->count[0], j = grid->start[1] + p / grid->count[0] % grid->count[1], k = grid->start[2] + p / grid->count[0] / grid->count[1];

    (void)snprintf(trouble, sizeof(trouble), "soret: temperature is %g at (%g, %g, %g), t = %g; it must be positive and finite everywhere\n", (double)T[p], (double)grid->center[0][i], (double)(grid->dim > 1 ? grid->center[1][j] : 0.0), (double)(grid->dim > 2 ? grid->center[2][k] : 0.0), (double)temperature->t);
  }
  PetscCall(SoretFailTogether(grid->comm, trouble));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A field at the centres of the faces of the walls, by rows where these are along x. */
static void FillWalls(SoretTemperature *temperature, PetscReal t)
{
  const SoretGrid *grid = temperature->grid;

  for (int face = 0; face < 2 * grid->dim; face++) {
    const int      axis = face / 2;
    const PetscInt step = axis > 0 ? grid->count[0] : 1;

    for (PetscInt q = 0; q < SoretGridCountFace(grid, face); q += step) {
      PetscReal *wall  = temperature->wall[face] + q;
      SoretPoint point = {.t = t};
      PetscInt   local[3];

      SoretGridFaceCell(grid, face, q, local);
      for (int k = 0; k < grid->dim; k++) point.x[k] = grid->center[k][grid->start[k] + local[k]];
      point.x[axis] = grid->edge[axis][face % 2 ? grid->n[axis] : 0];
      if (axis > 0) SoretFieldEvaluateRow(temperature->field, step, &point, grid->center[0] + grid->start[0], NULL, wall);
      else *wall = SoretFieldEvaluate(temperature->field, &point);
    }
  }
}

static PetscErrorCode Fill(void *values, PetscReal t)
{
  SoretTemperature *temperature = (SoretTemperature *)values;
  const SoretGrid  *grid        = temperature->grid;
  PetscReal         range[2], all[2];

  PetscFunctionBegin;
  temperature->t = t;
  if (temperature->filler) PetscCall(temperature->filler(temperature->context, t, temperature->T, temperature->wall));
  else {
    PetscCall(SoretFieldPrepare(temperature->field, grid, t));
    PetscCall(SoretFieldFill(temperature->field, grid, t, NULL, temperature->T));
    FillWalls(temperature, t);
  }
  PetscCall(CheckValues(temperature, &range[0], &range[1]));
  range[0] = -range[0];
  PetscCallMPI(MPI_Allreduce(range, all, 2, MPIU_REAL, MPI_MAX, grid->comm));
  temperature->min = -all[0];
  temperature->max = all[1];
  PetscCall(SoretHaloExchange(&temperature->halo, temperature->T));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Allocate(const SoretGrid *grid, SoretTemperature *temperature)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(temperature, sizeof(*temperature)));
  temperature->grid = grid;
  PetscCall(PetscMalloc1(grid->num_cells, &temperature->T));
  for (int face = 0; face < 6; face++) PetscCall(PetscMalloc1(SoretGridCountFace(grid, face), &temperature->wall[face]));
  PetscCall(SoretHaloCreate(grid, 1, 1, &temperature->halo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTemperatureCreate(const SoretGrid *grid, SoretField field, PetscReal t, SoretTemperature *temperature)
{
  PetscFunctionBegin;
  PetscCall(Allocate(grid, temperature));
  temperature->field  = field;
  temperature->varies = SoretFieldUses(field) & SORET_VAR_TIME ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(Fill(temperature, t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTemperatureCreateFilled(const SoretGrid *grid, SoretTemperatureFiller filler, void *context, PetscBool varies, PetscReal t, SoretTemperature *temperature)
{
  PetscFunctionBegin;
  PetscCall(Allocate(grid, temperature));
  temperature->filler  = filler;
  temperature->context = context;
  temperature->varies  = varies;
  PetscCall(Fill(temperature, t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTemperatureDestroy(SoretTemperature *temperature)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(temperature->T));
  for (int face = 0; face < 6; face++) PetscCall(PetscFree(temperature->wall[face]));
  PetscCall(SoretHaloDestroy(&temperature->halo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTemperatureSetTime(SoretTemperature *temperature, PetscReal t, PetscBool *changed)
{
  PetscFunctionBegin;
  PetscCall(SoretFollowTime(temperature->varies, temperature->t, t, Fill, temperature, changed));
  PetscFunctionReturn(PETSC_SUCCESS);
}
