/* SPDX-License-Identifier: BSD-2-Clause

   The section `velocity_states`: writes a ladder of ballistic states and the transitions that keep it at the local temperature into the
   case, as if they stood in the file (docs/theory.md, "Velocity states"). */
#pragma once

#include "soret/input.h"

typedef enum {
  SORET_BGK,  /* relaxation to the weights of T, from every state to every other */
  SORET_JUMPS /* Arrhenius jumps between neighbours                              */
} SoretVelocityScheme;

typedef enum {
  SORET_WEIGHTS_MOMENTS,  /* Boltzmann factors corrected so that <v^2> = kT/m */
  SORET_WEIGHTS_BOLTZMANN /* Boltzmann factors as they are                    */
} SoretVelocityWeights;

/* One ladder as data. */
typedef struct {
  char             name[SORET_NAME_LENGTH];
  PetscInt         count;
  PetscReal        max;      /* of the fastest state, m/s                                            */
  SoretOptional    mass;     /* kg/mol; 1 in reduced units                                           */
  const SoretNode *friction; /* rate of relaxation gamma, 1/s: formula                               */
  const SoretNode *initial;  /* of all states together; formula, may be NULL                         */
  int              scheme, weights, axis;
  PetscReal        theta;    /* m max^2/k, K: temperature at which <v^2> is max^2                    */
  const SoretNode *node;
} SoretVelocityLadder;

typedef struct {
  PetscInt             num;
  SoretVelocityLadder *ladder; /* [num] */
} SoretVelocity;

/* Reads the section (one map, or a list of maps) and adds what it asks for to `species` and `reactions` of the tree. Units and parameters
   must be known to the input. Mistakes are reported. Not collective. */
PetscErrorCode SoretVelocityGenerate(SoretInput in, PetscInt dim, SoretVelocity *velocity);
PetscErrorCode SoretVelocityDestroy(SoretVelocity *velocity);
PetscErrorCode SoretVelocityReference(FILE *out);

/* Name of state k of a ladder: P-1, P0, P+1 of three, P-1, P+1 of two. */
void SoretVelocityName(const SoretVelocityLadder *ladder, PetscInt k, char name[SORET_NAME_LENGTH]);

/* Velocity of state k, m/s. */
PetscReal SoretVelocityOf(const SoretVelocityLadder *ladder, PetscInt k);

/* Share of state k in thermal equilibrium at T. */
PetscReal SoretVelocityWeight(const SoretVelocityLadder *ladder, PetscInt k, PetscReal T);

/* Rate of relaxation at a point with the middle of the box and temperature T, for the report; NaN where it is no number. */
PetscErrorCode SoretVelocityFriction(SoretInput in, const SoretVelocityLadder *ladder, const SoretPoint *point, PetscReal *friction);
