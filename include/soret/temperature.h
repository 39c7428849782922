/* SPDX-License-Identifier: BSD-2-Clause

   The temperature of the cells, held for everybody who needs it; from a field. Immutable unless it depends on time. */
#pragma once

#include "soret/field.h"

typedef struct {
  const SoretGrid *grid;
  SoretField       field;       /* borrowed                                                            */
  PetscBool        varies;      /* depends on time                                                     */
  PetscReal        t;           /* time that the values are of                                         */
  PetscReal       *T;           /* [num_cells]                                                         */
  SoretHalo        halo;        /* one layer of the neighbours' cells                                  */
  PetscReal        min, max;    /* over the whole box, at time t                                       */
} SoretTemperature;

/* Evaluates the field at the cell centres at time t. A temperature that is not positive or not finite is a message with the place and
   SORET_ERR_INPUT. Collective. */
PetscErrorCode SoretTemperatureCreate(const SoretGrid *grid, SoretField field, PetscReal t, SoretTemperature *temperature);
PetscErrorCode SoretTemperatureDestroy(SoretTemperature *temperature);

/* Moves to time t; *changed tells whether the values did. Collective. */
PetscErrorCode SoretTemperatureSetTime(SoretTemperature *temperature, PetscReal t, PetscBool *changed);

/* Temperature at a point of the wall of this rank. */
PetscReal SoretTemperatureAtPoint(const SoretTemperature *temperature, const PetscReal x[3]);
