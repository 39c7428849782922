/* SPDX-License-Identifier: BSD-2-Clause

   The temperature of the cells and at the walls, held for everybody who needs it; from a field, or filled by module heat. Immutable
   unless it depends on time. */
#pragma once

#include "soret/field.h"

/* Fills the temperature at time t: T[num_cells] of the cells, wall[face][SoretGridCountFace()] at the centres of the faces of the walls. Collective. */
typedef PetscErrorCode (*SoretTemperatureFiller)(void *context, PetscReal t, PetscReal T[], PetscReal *const wall[6]);

typedef struct {
  const SoretGrid       *grid;
  SoretField             field;  /* borrowed; NULL if filled by                                            */
  SoretTemperatureFiller filler; /* this, with                                                             */
  void                  *context;
  PetscBool        varies;      /* depends on time                                                     */
  PetscReal        t;           /* time that the values are of                                         */
  PetscReal       *T;           /* [num_cells]                                                         */
  PetscReal       *wall[6];     /* [SoretGridCountFace()] at the walls of this rank                    */
  SoretHalo        halo;        /* one layer of the neighbours' cells                                  */
  PetscReal        min, max;    /* over the whole box, at time t                                       */
} SoretTemperature;

/* Evaluates the field at the cell centres at time t. A temperature that is not positive or not finite is a message with the place and
   SORET_ERR_INPUT. Collective. */
PetscErrorCode SoretTemperatureCreate(const SoretGrid *grid, SoretField field, PetscReal t, SoretTemperature *temperature);

/* The same from a filler; varies: it depends on time. */
PetscErrorCode SoretTemperatureCreateFilled(const SoretGrid *grid, SoretTemperatureFiller filler, void *context, PetscBool varies, PetscReal t, SoretTemperature *temperature);

/* Not collective. */
PetscErrorCode SoretTemperatureDestroy(SoretTemperature *temperature);

/* Moves to time t; *changed tells whether the values did. Collective. */
PetscErrorCode SoretTemperatureSetTime(SoretTemperature *temperature, PetscReal t, PetscBool *changed);
