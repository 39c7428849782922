/* SPDX-License-Identifier: BSD-2-Clause

   The velocity of the fluid: its component normal to each face of the grid, held for everybody who needs it; from formulas, files, a stream function or
   the flow in a slot, or filled by module stokes. Immutable unless it depends on time. Nothing flows through closed faces. */
#pragma once

#include "soret/field.h"

/* The analytic flow in a tall slot between a cold and a hot wall (docs/theory.md, "Flow"). */
typedef struct {
  PetscInt  across, along;   /* axes                                                 */
  PetscReal gravity;         /* m/s^2, pulls towards the low end of `along`           */
  PetscReal expansion;       /* 1/K                                                  */
  PetscReal viscosity;       /* kinematic, m^2/s                                     */
  PetscReal difference;      /* K, temperature at the high end of `across` less that at the low end */
} SoretSlot;

typedef enum {
  SORET_FLOW_NONE,
  SORET_FLOW_VELOCITY,
  SORET_FLOW_STREAM,
  SORET_FLOW_SLOT,
  SORET_FLOW_BOUSSINESQ /* computed by module stokes, which reads the map */
} SoretFlowKind;

/* The section `flow` as data. */
typedef struct {
  SoretFlowKind    kind;
  SoretField       velocity[3]; /* one per axis                    */
  SoretExpr        stream;
  SoretSlot        slot;
  const SoretNode *boussinesq;
  const SoretNode *node;
} SoretFlowSpec;

/* node - the section, or NULL: no flow. */
PetscErrorCode SoretFlowSpecRead(SoretInput in, const SoretNode *node, const SoretGridSpec *grid, SoretFlowSpec *spec);
PetscErrorCode SoretFlowSpecDestroy(SoretFlowSpec *spec);
PetscErrorCode SoretFlowReference(FILE *out);

/* Looks into the files of its fields. Collective. */
PetscErrorCode SoretFlowCheck(SoretInput in, MPI_Comm comm, PetscInt dim, const SoretFlowSpec *spec);

/* Fills the velocities at time t: v[axis][SoretFlowCountFaces()]. Collective. */
typedef PetscErrorCode (*SoretFlowFiller)(void *context, PetscReal t, PetscReal *const v[3]);

typedef struct {
  const SoretGrid     *grid;
  const SoretFlowSpec *spec;   /* borrowed; or                                                         */
  SoretFlowFiller      filler; /* this, with                                                           */
  void                *context;
  PetscBool            varies;
  PetscReal            t;
  PetscReal           *v[3];       /* [SoretFlowCountFaces()] m/s along the axis; NULL beyond the dimension */
  PetscReal            largest;    /* largest |v| over the box                                         */
  PetscReal            divergence; /* largest net outflow of a fluid cell over the largest flow through one of its faces (0 where nothing flows) */
} SoretFlow;

/* Evaluates at time t. A velocity that is not finite is a message and SORET_ERR_INPUT. Collective. */
PetscErrorCode SoretFlowCreate(const SoretGrid *grid, const SoretFlowSpec *spec, PetscReal t, SoretFlow *flow);
PetscErrorCode SoretFlowCreateFilled(const SoretGrid *grid, SoretFlowFiller filler, void *context, PetscBool varies, PetscReal t, SoretFlow *flow);
PetscErrorCode SoretFlowDestroy(SoretFlow *flow);

/* Moves to time t; *changed tells whether the values did. Collective. */
PetscErrorCode SoretFlowSetTime(SoretFlow *flow, PetscReal t, PetscBool *changed);

/* Prints the largest velocity and the divergence, with a warning where it is not small. Collective. */
PetscErrorCode SoretFlowReport(const SoretFlow *flow);

/* Faces normal to an axis of the cells of this rank: one more than cells along the axis, x fastest. */
static inline PetscInt SoretFlowCountFaces(const SoretGrid *grid, int axis)
{
  return axis < grid->dim ? grid->num_cells / grid->count[axis] * (grid->count[axis] + 1) : 0;
}

/* Number of face `face` (2 axis + side) of cell p among them. */
static inline PetscInt SoretFlowFace(const SoretGrid *grid, int face, PetscInt p)
{
  const int axis  = face / 2;
  PetscInt  at[3] = {p % grid->count[0], p / grid->count[0] % grid->count[1], p / grid->count[0] / grid->count[1]};

  at[axis] += face % 2;
  return (at[2] * (grid->count[1] + (axis == 1)) + at[1]) * (grid->count[0] + (axis == 0)) + at[0];
}
