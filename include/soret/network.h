/* SPDX-License-Identifier: BSD-2-Clause

   Reaction network with mass-action kinetics.

     rate of reaction r       w_r = kf_r prod_i c_i^{a_ri} - kb_r prod_i c_i^{b_ri}     mol m^-3 s^-1, per event
     source of species i      S_i = sum_r nu_ri w_r,   nu = b - a                       mol m^-3 s^-1

   (docs/theory.md, "Reactions".) No grid, no MPI. */
#pragma once

#include "soret/law.h"

/* What the network must know of a species; the array belongs to the caller and lives as long as the network. */
typedef struct {
  const char   *name;
  SoretOptional energy;     /* J/mol, relative to any zero common to all species */
  PetscReal     degeneracy; /* number of equivalent states                       */
} SoretNetworkSpecies;

/* One side of a reaction, as factors: 2 A + B is {A, A, B}. */
typedef struct {
  PetscInt  num;
  PetscInt *species; /* [num] */
} SoretFactors;

typedef enum {
  SORET_BACKWARD_NONE,        /* irreversible                                          */
  SORET_BACKWARD_LAW,         /* backward constant given                               */
  SORET_BACKWARD_EQUILIBRIUM, /* K(T) = forward/backward given                         */
  SORET_BACKWARD_ENERGIES     /* K from energies and degeneracies of the species       */
} SoretBackward;

typedef struct {
  char         *equation; /* as written, for messages and output */
  SoretFactors  reactants, products;
  SoretBackward kind;
  SoretLaw      forward, backward, equilibrium;
  PetscBool     has_barrier;        /* forward = prefactor exp(-(barrier - E_reactants)/RT), backward = forward/K */
  PetscReal     prefactor, barrier; /* with has_barrier */
  PetscReal     energy_reactants;   /* sum a E, with has_barrier                     */
  PetscReal     energy_change;      /* sum nu E, J/mol                               */
  PetscReal     degeneracy_ratio;   /* c0^(sum nu) prod degeneracy^nu                */
  const SoretNode *node;
} SoretReaction;

typedef struct {
  PetscInt                   num_species, num_reactions;
  const SoretNetworkSpecies *species;
  SoretReaction             *reaction;      /* [num_reactions]                                              */
  PetscInt                  *stoichiometry; /* [num_reactions][num_species]  nu_ri, products positive       */
  PetscReal                  gas;           /* R */
  PetscReal                  standard_concentration;
} SoretNetwork;

/* Reads the list `reactions`. list may be NULL (no reactions). Mistakes are reported in `in`; the network is usable only if there are none.

   standard - c0 of `balance: energies`, given or not (1 in reduced units) */
PetscErrorCode SoretNetworkRead(SoretInput in, const SoretNode *list, PetscInt num_species, const SoretNetworkSpecies species[], SoretOptional standard, SoretNetwork *net);
PetscErrorCode SoretNetworkDestroy(SoretNetwork *net);

/* Constants of reaction r at a point: forward kf and backward kb, base units of their orders. */
void SoretNetworkConstants(const SoretNetwork *net, PetscInt r, const SoretPoint *point, PetscReal *kf, PetscReal *kb);

/* The same at n points of a row along x; arrays as in SoretExprEvaluateRow(), T not NULL; kf, kb - [n]. */
void SoretNetworkConstantsRow(const SoretNetwork *net, PetscInt r, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal kf[], PetscReal kb[]);

/* ln K = ln(kf/kb) of reversible reaction r at a point, and its derivative by T (may be NULL). NaN where both constants are 0. */
void SoretNetworkLogEquilibrium(const SoretNetwork *net, PetscInt r, const SoretPoint *point, PetscReal *lnK, PetscReal *slope);

/* Variables that the constants of reaction r depend on (SoretVar). */
unsigned SoretNetworkUses(const SoretNetwork *net, PetscInt r);

/* Is the forward (direction 0) or backward (1) constant of reaction r one number, everywhere and always? */
PetscBool SoretNetworkIsFixed(const SoretNetwork *net, PetscInt r, int direction);

/* Is reaction r switched off: both constants the number 0? */
PetscBool SoretNetworkIsOff(const SoretNetwork *net, PetscInt r);

/* Does reaction r run one way: `=>`, or one of its constants the number 0? */
PetscBool SoretNetworkIsOneWay(const SoretNetwork *net, PetscInt r);

/* Does a reaction that is not switched off change the amount of a species? */
PetscBool SoretNetworkChanges(const SoretNetwork *net, PetscInt species);

/* ---- mass action. No allocation, no errors ---- */

/* Forward and backward rate of reaction r. k - [num_reactions][2] constants, c - [num_species] concentrations of a cell. */
void SoretNetworkRates(const SoretNetwork *net, PetscInt r, const PetscReal k[], const PetscReal c[], PetscReal *forward, PetscReal *backward);

/* Adds the source of one cell to s[num_species]. */
void SoretNetworkAddSource(const SoretNetwork *net, const PetscReal k[], const PetscReal c[], PetscReal s[]);

/* Adds dS_i/dc_j to block[i][j]. */
void SoretNetworkAddJacobian(const SoretNetwork *net, const PetscReal k[], const PetscReal c[], PetscReal block[]);

/* The same for n <= SORET_MAX_LANES cells side by side: k - [num_reactions][2] pointers to n constants each; c, s - [num_species][n];
   block - [i][j][n]. */
void SoretNetworkAddSourceLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscReal s[]);
void SoretNetworkAddJacobianLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscReal block[]);

/* One-way rates: rates[num_reactions][forward, backward][pitch], of which n are written. */
void SoretNetworkRatesLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscInt pitch, PetscReal rates[]);

/* Adds sum over reactions of |nu_i| (|forward| + |backward|) to gross[num_species][n]. */
void SoretNetworkAddGrossLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscReal gross[]);

/* Integer vectors w with matrix w = 0 that span all solutions: non-negative ones of smallest support first (moieties such as
   A + 2 A2), completed by others where those do not span. Farkas' algorithm, then elimination over the integers.

   rows, cols - of matrix
   matrix     - [rows][cols]
   num        - number of vectors
   w          - [num][cols], to be freed with PetscFree */
PetscErrorCode SoretNullVectors(PetscInt rows, PetscInt cols, const PetscInt matrix[], PetscInt *num, PetscReal *w[]);

/* Reads a sum of species such as "A + 2 A2" into weights [num_species], zero where absent. *ok tells whether it was good;
   mistakes are reported. Weights may be any non-negative number or negative with "-". */
PetscErrorCode SoretNetworkReadSum(SoretInput in, const SoretNode *node, PetscInt num_species, const SoretNetworkSpecies species[], PetscReal weight[], PetscBool *ok);

/* "A + 2 A2" from weights. */
PetscErrorCode SoretNetworkPrintSum(PetscInt num_species, const SoretNetworkSpecies species[], const PetscReal weight[], size_t length, char text[]);

/* Prints the keys of `reactions` for docs/case-reference.md. Not collective. */
PetscErrorCode SoretNetworkReference(FILE *out);
