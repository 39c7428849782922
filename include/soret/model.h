/* SPDX-License-Identifier: BSD-2-Clause

   Everything that is true at one point: species, their laws, their reactions. No grid, no MPI. */
#pragma once

#include "soret/network.h"

/* Flux convention; the exponent alpha of the general flux -a grad(b c), b = D^alpha exp(Theta), a = D^(1-alpha) exp(-Theta),
   is 1, 1/2 or 0 (docs/theory.md, "Flux"). */
typedef enum {
  SORET_ITO,          /* J = -grad(D c)                */
  SORET_STRATONOVICH, /* J = -sqrt(D) grad(sqrt(D) c)  */
  SORET_FICK          /* J = -D grad c                 */
} SoretConvention;

typedef struct {
  char             name[SORET_NAME_LENGTH];
  SoretLaw         diffusivity;  /* D(T, x, y, z), m^2/s                                 */
  int              convention;   /* SoretConvention                                      */
  SoretLaw         soret;        /* intrinsic Soret coefficient S_T(T), 1/K; may be NULL */
  SoretOptional    energy;       /* J/mol                                                */
  PetscReal        degeneracy;
  const SoretNode *initial;      /* field, may be NULL                                   */
  SoretReals       velocity;     /* of a ballistic state, m/s; n = 0 or the dimension    */
  const SoretNode *mirror_node;
  PetscInt         mirror[3];    /* per axis: the species that a wall turns this one into, or -1 */
  PetscBool        diffuses;     /* D is not the number 0                                */
  PetscBool        moves[3];     /* velocity along the axis is not 0                     */
  const SoretNode *node;
  SoretIntegral    theta;        /* int S_T dT, made by SoretModelSetRange(); NULL without drift         */
} SoretSpecies;

typedef struct {
  PetscInt             num_species;
  PetscInt             dim;
  SoretSpecies        *species;
  SoretNetworkSpecies *brief; /* what the network sees */
  SoretNetwork         network;
} SoretModel;

/* Reads `species` and `reactions`; usable only if the input has no mistakes afterwards. The input must outlive the model. */
PetscErrorCode SoretModelRead(SoretInput in, PetscInt dim, SoretOptional standard_concentration, SoretModel *model);
PetscErrorCode SoretModelDestroy(SoretModel *model);

/* Index of a species, -1 if there is none of that name. */
PetscInt SoretModelFind(const SoretModel *model, const char *name);

/* Makes Theta = int S_T dT of all species for temperatures in (about) this range. Its zero lies in the middle: a and b depend on it, their
   product D and every flux do not. */
PetscErrorCode SoretModelSetRange(SoretModel *model, PetscReal T_min, PetscReal T_max);

/* Coefficients a and b of species i at a point; a = 0, b = 1 where the species does not diffuse. Not finite or not positive where D
   is not: the caller checks. */
void SoretModelTransport(const SoretModel *model, PetscInt i, const SoretPoint *point, PetscReal *a, PetscReal *b);

/* The same for n points of a row along x; arrays as in SoretExprEvaluateRow(), T not NULL. */
void SoretModelTransportRow(const SoretModel *model, PetscInt i, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal a[], PetscReal b[]);

/* PETSC_TRUE if a is the same number in every point, and that number (1 for ito without drift). */
PetscBool SoretModelConductivityIsConstant(const SoretModel *model, PetscInt i, PetscReal *a);

/* PETSC_TRUE if the species neither diffuses nor moves. */
PetscBool SoretModelIsImmobile(const SoretModel *model, PetscInt i);

/* PETSC_TRUE if some species has a velocity and does not diffuse: its transport needs two cells on each side. */
PetscBool SoretModelHasBallistic(const SoretModel *model);

/* Cells on each side that transport needs, 1 or 2, which is also the least that each rank must have along an axis. */
PetscInt SoretModelWidth(const SoretModel *model);

/* Prints the keys of `species` and of the laws for docs/case-reference.md. Not collective. */
PetscErrorCode SoretModelReference(FILE *out);
