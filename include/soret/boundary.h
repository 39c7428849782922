/* SPDX-License-Identifier: BSD-2-Clause

   Conditions on the six faces of the box, for each species. Face f = 2 axis + side: x- x+ y- y+ z- z+.

   Whatever the condition, the flux into a cell at a wall is affine in the concentration of that cell (docs/numerics.md, "Boundaries"),

     inflow = beta - alpha c,        alpha, beta >= 0, integrated over the face

   so residual, Jacobian, smoother and budget treat all conditions alike. */
#pragma once

#include "soret/flow.h"
#include "soret/model.h"
#include "soret/temperature.h"

typedef enum {
  SORET_CLOSED,   /* zero total flux, the default                   */
  SORET_VALUE,    /* concentration at the face                      */
  SORET_FLUX,     /* flux into the domain                           */
  SORET_TRANSFER, /* flux into the domain h (outside - c at face)   */
  SORET_OUTFLOW   /* no diffusive flux, the velocity carries out    */
} SoretConditionKind;

/* Does it hold, exchange or carry away, so that amounts are not those of the start? A prescribed flux does not count. */
static inline PetscBool SoretConditionMayPass(SoretConditionKind kind)
{
  return kind != SORET_CLOSED && kind != SORET_FLUX ? PETSC_TRUE : PETSC_FALSE;
}

/* Does it let a ballistic species leave by its own value at the face? */
static inline PetscBool SoretConditionLetsLeave(SoretConditionKind kind)
{
  return kind == SORET_VALUE || kind == SORET_OUTFLOW ? PETSC_TRUE : PETSC_FALSE;
}

typedef struct {
  SoretConditionKind kind;
  SoretExpr          value;   /* concentration, flux or h */
  SoretExpr          outside; /* of transfer              */
  const SoretNode   *node;
} SoretCondition;

/* The section `boundaries` as data. */
typedef struct {
  PetscInt        num_species;
  SoretCondition *condition; /* [6][num_species] */
} SoretBoundarySpec;

/* Reads the section `boundaries`; mistakes are collected in the input. Reference prints its keys for docs/case-reference.md. Not collective. */
PetscErrorCode SoretBoundarySpecRead(SoretInput in, const SoretGridSpec *grid, const SoretModel *model, SoretBoundarySpec *spec);
PetscErrorCode SoretBoundarySpecDestroy(SoretBoundarySpec *spec);
PetscErrorCode SoretBoundaryReference(FILE *out);

/* As a case has it. */
const char *SoretConditionName(SoretConditionKind kind);

/* Condition of a species at a face (0 to 5: x-, x+, y-, ...). */
static inline const SoretCondition *SoretBoundaryCondition(const SoretBoundarySpec *spec, int face, PetscInt species)
{
  return &spec->condition[face * spec->num_species + species];
}

/* Species that some condition may let pass, open[num_species]. */
void SoretBoundaryMayOpen(const SoretBoundarySpec *spec, PetscBool open[]);

/* Coefficients on the faces of this rank. */
typedef struct {
  const SoretBoundarySpec *spec;
  const SoretModel        *model;
  const SoretGrid         *grid;
  SoretFlow               *flow;     /* carries the species that diffuse; set by the owner before the operator is made, NULL: none. Borrowed */
  PetscBool                varies;   /* some formula depends on time */
  PetscBool                open;     /* does anything pass at a face of this rank? */
  PetscInt                 num[6];   /* cells at the face, 0 if it is not of this rank or closed for all */
  PetscReal               *alpha[6]; /* [num][num_species]  */
  PetscReal               *beta[6];  /* [num][num_species]  */
  PetscReal               *half[6];  /* [num][num_species] conductance between the wall and the centre of the cell, b c at both; 0 where a velocity carries something besides, or nothing is known of the wall */
  PetscReal               *mirror[6]; /* [num][num_species] a correction beyond the wall over that inside, 1 closed, -1 where the value is held: for interpolation between grids */
} SoretBoundary;

/* Room for the coefficients on this rank, without values: SoretBoundaryUpdate() makes these. Spec, model and grid are borrowed. Not collective. */
PetscErrorCode SoretBoundaryCreate(const SoretBoundarySpec *spec, const SoretModel *model, const SoretGrid *grid, SoretBoundary *boundary);
PetscErrorCode SoretBoundaryDestroy(SoretBoundary *boundary);

/* Evaluates the formulas at time t with the temperature at the face. Values that are not finite or negative where they may not be
   are a message and SORET_ERR_INPUT. Collective. */
PetscErrorCode SoretBoundaryUpdate(SoretBoundary *boundary, const SoretTemperature *temperature, PetscReal t);

/* Amounts that walls may bring about until `end`, amount[num_species]: the largest concentration that they hold or have outside at some times; of a prescribed flux the mean
   over the box along its axis if it went on like that. Collective. */
PetscErrorCode SoretBoundaryBrings(const SoretBoundary *boundary, const SoretTemperature *temperature, PetscReal end, PetscReal amount[]);

/* Does species s pass at cell q of a face in proportion to what there is, with the coefficients as they are? Not so beside solid, with a transfer coefficient of 0, or where a
   velocity carries nothing out. */
PetscBool SoretBoundaryPasses(const SoretBoundary *boundary, int face, PetscInt q, PetscInt s);

/* Species that pass anywhere, open[num_species]. Collective. */
PetscErrorCode SoretBoundaryFindOpen(const SoretBoundary *boundary, PetscBool open[]);

/* Local indices of cell q of a face: SoretGridFaceCell(). */
static inline void SoretBoundaryCell(const SoretGrid *grid, int face, PetscInt q, PetscInt ijk[3])
{
  SoretGridFaceCell(grid, face, q, ijk);
}
