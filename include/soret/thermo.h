/* SPDX-License-Identifier: BSD-2-Clause

   Thermodynamics of a network at a point: detailed balance and the cycles that break it, chemical potentials, local equilibrium, and the
   Soret coefficients that infinitely fast reactions would give (docs/theory.md, "Local equilibrium"). No grid, no MPI. */
#pragma once

#include "soret/model.h"

/* How the composition at rest follows from the totals. */
typedef enum {
  SORET_REST_UNKNOWN,  /* irreversible, driven and not linear, or with ballistic states: no prediction */
  SORET_REST_BALANCED, /* detailed balance: local equilibrium                                          */
  SORET_REST_LINEAR    /* driven, but every step is A -> B: the stationary weights                     */
} SoretRest;

typedef struct {
  const SoretModel *model;
  PetscInt          num_sums;
  const PetscReal  *w;            /* [num_sums][num_species] basis of the conserved sums; borrowed            */
  PetscInt          irreversible; /* a reaction that runs one way, or -1                                      */
  PetscBool         ballistic;    /* some species does                                                        */
  PetscInt          rank;         /* number of independent reactions                                          */
  PetscInt         *independent;  /* [rank]                                                                   */
  PetscReal        *basis;        /* [rank][num_species] orthonormal; stoichiometry = lower basis             */
  PetscReal        *lower;        /* [rank][rank] lower triangle                                              */
  PetscInt          num_cycles;
  PetscReal        *ln_weight; /* [num_species] ln(degeneracy c0)                                          */
  PetscReal        *cycle;     /* [num_cycles][num_reactions] combinations of reactions that change nothing */
  /* of SoretThermoJudge() */
  SoretRest rest;
  PetscBool balanced;
  PetscInt  broken;               /* cycle with the largest affinity, or -1                                   */
  PetscReal affinity, affinity_T; /* sum_r cycle_r ln K_r there, and at which temperature                     */
} SoretThermo;

/* w spans all sums that the active reactions conserve; model and w are borrowed. */
PetscErrorCode SoretThermoCreate(const SoretModel *model, PetscInt num_sums, const PetscReal w[], SoretThermo *thermo);
PetscErrorCode SoretThermoDestroy(SoretThermo *thermo);

/* Does detailed balance hold from T_min to T_max: every active reaction is reversible and every cycle has affinity 0? Tried at many
   temperatures and n places; fills the last part of the struct. Places where a reaction rests count for nothing. */
PetscErrorCode SoretThermoJudge(SoretThermo *thermo, PetscReal T_min, PetscReal T_max, PetscInt n, const SoretPoint place[]);

/* "(A <=> B) - 2 (B <=> C)" */
PetscErrorCode SoretThermoCycleName(const SoretThermo *thermo, PetscInt cycle, size_t length, char name[]);

/* Standard potentials over RT: ln K_r = -sum_i nu_ri mu_i. From the energies of the species as far as those explain K, the rest by the
   smallest correction. Meaningful with detailed balance only; NaN where a reaction rests whose K is told by its rate constants alone.

   point - of a row, whose x and T follow in
   x, T  - [n] places and temperatures, n <= SORET_MAX_LANES
   k     - [num_reactions][2] pointers to n constants there each
   mu    - [n][num_species], or [num_species]
   SoretThermoPotentialsAt() evaluates the laws at the point, and also the slopes dmu/dT: energy_i = -R T^2 slope_i (van 't Hoff) */
void SoretThermoPotentials(const SoretThermo *thermo, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], const PetscReal *const k[], PetscReal mu[]);
void SoretThermoPotentialsAt(const SoretThermo *thermo, const SoretPoint *point, PetscReal mu[], PetscReal slope[]);

/* Concentrations at rest with these amounts of the conserved sums: in local equilibrium, or stationary (thermo->rest).

   total - [num_sums]
   c     - [num_species] in: a guess, may be 0; out: the solution

   PETSC_FALSE where there is none: totals that no concentrations have, or reactions that rest. */
PetscBool SoretThermoRest(const SoretThermo *thermo, const SoretPoint *point, const PetscReal total[], PetscReal c[]);

/* Soret coefficient of each sum if reactions are infinitely fast and no sum flows: -d ln(total)/dT along a gradient, at these totals.

   c     - [num_species] guess and solution as above
   soret - [num_sums], NaN where the amount is 0 */
PetscBool SoretThermoSoret(const SoretThermo *thermo, const SoretPoint *point, const PetscReal total[], PetscReal c[], PetscReal soret[]);

/* Temperatures between T_min and T_max at which that Soret coefficient of one sum changes its sign, ascending, at most max of them.

   place - where laws are evaluated; its T is not used */
PetscErrorCode SoretThermoInversions(const SoretThermo *thermo, const SoretPoint *place, PetscReal T_min, PetscReal T_max, const PetscReal total[], PetscInt sum, PetscInt max, PetscInt *num, PetscReal T[]);
