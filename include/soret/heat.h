/* SPDX-License-Identifier: BSD-2-Clause

   Heat conduction on the grid, through fluid and solid:

     C dT/dt = div(k(T, x) grad T) + s(x, t, T)                                     W/m^3   (docs/numerics.md, "Heat")

   Steady where no heat capacity C is given, and then in step with sources and walls that change in time; else integrated in time with steps
   of its own, between which the temperature is interpolated. It knows nothing of the species. It fills a SoretTemperature. */
#pragma once

#include "soret/law.h"
#include "soret/temperature.h"

typedef enum {
  SORET_HEAT_INSULATED, /* no flux, the default       */
  SORET_HEAT_VALUE,     /* temperature at the face    */
  SORET_HEAT_FLUX,      /* into the domain            */
  SORET_HEAT_TRANSFER   /* h (outside - T at the face) into the domain */
} SoretHeatConditionKind;

typedef struct {
  SoretHeatConditionKind kind;
  SoretExpr              value;   /* K, W/m^2 or W/m^2/K */
  SoretExpr              outside; /* K                   */
} SoretHeatCondition;

/* The section `temperature.conduction` as data. */
typedef struct {
  SoretLaw           conductivity, solid_conductivity;     /* the second NULL: as the first            */
  SoretExpr          heat_capacity, solid_heat_capacity;   /* per volume; the second NULL: as the first */
  SoretField         source, initial;                      /* NULL: none, the steady state             */
  SoretHeatCondition condition[6];
  PetscBool          in_time;                              /* integrated with the heat capacity        */
  PetscBool          varies;                               /* the temperature depends on time          */
  PetscReal          longest_step;                         /* of the heat equation; set by the case    */
  const SoretNode   *node;                                 /* NULL after a mistake                     */
} SoretHeatSpec;

/* node - the map `conduction`. */
PetscErrorCode SoretHeatSpecRead(SoretInput in, const SoretNode *node, const SoretGridSpec *grid, SoretHeatSpec *spec);
PetscErrorCode SoretHeatSpecDestroy(SoretHeatSpec *spec);

/* Tells whether the run is transient: a steady one has a steady temperature. A temperature whose level nothing sets is a mistake. */
PetscErrorCode SoretHeatSpecSetMode(SoretInput in, PetscBool transient, SoretHeatSpec *spec);
PetscErrorCode SoretHeatReference(FILE *out);

/* Memory on a grid, bytes over all ranks, counted from what is allocated: what stays as long as the handle, and what a solve takes besides; the latter is over
   before the species are solved unless the temperature varies in time (again). */
PetscErrorCode SoretHeatEstimateMemory(const SoretHeatSpec *spec, const SoretGridSpec *grid, PetscReal *stays, PetscReal *solving, PetscBool *again);

/* Looks into the files of its fields. Collective. */
PetscErrorCode SoretHeatCheck(SoretInput in, MPI_Comm comm, PetscInt dim, const SoretHeatSpec *spec);

typedef struct SoretHeat_s *SoretHeat;

/* spec and grid are borrowed. Nothing is solved yet. Collective. */
PetscErrorCode SoretHeatCreate(const SoretHeatSpec *spec, const SoretGrid *grid, SoretHeat *heat);
PetscErrorCode SoretHeatDestroy(SoretHeat *heat);

/* A SoretTemperatureFiller with the SoretHeat as context. Times may come in any order; going back by more than a few steps costs a new start. A solve
   that fails is a message and SORET_ERR_NOT_CONVERGED. Collective. */
PetscErrorCode SoretHeatFill(void *heat, PetscReal t, PetscReal T[], PetscReal *const wall[6]);

/* The power that the temperature filled last takes in and lets out, W (W/m in 2D ...). */
typedef struct {
  PetscReal inflow[6];   /* through each face of the box, positive inwards                             */
  PetscReal source;
  PetscReal stored;      /* int C dT/dt, of the temperature interpolated in time; 0 in a steady state    */
  PetscReal defect;      /* inflow + source - stored                                                   */
  PetscReal gross;       /* int |inflow| + int |source| + int |stored|                                 */
} SoretHeatBudget;

/* Collective. */
PetscErrorCode SoretHeatGetBudget(SoretHeat heat, SoretHeatBudget *budget);

/* Prints the budget. Collective. */
PetscErrorCode SoretHeatReport(SoretHeat heat);
