/* SPDX-License-Identifier: BSD-2-Clause

   Conserved sums sum_i w_i c_i: found from the stoichiometry, the walls and the mobility of the species (docs/numerics.md,
   "Conserved sums").

   Global sums keep their mean over the box. Sums whose members all stand still are conserved in each cell. Moieties that a wall lets in or out
   are not conserved, but still measured. */
#pragma once

#include "soret/checkpoint.h"
#include "soret/operator.h"

enum { SORET_SUM_NAME = 512 };

/* What one connected part of the fluid keeps. */
typedef struct {
  PetscInt   num;  /* the global sums first, then those that only walls of other parts let in or out   */
  PetscReal *w;    /* [num][num_species]                                                               */
  PetscReal *mean; /* [num] over the part                                                              */
  PetscBool *fed;  /* [num] a wall of the part has a prescribed flux of a member                       */
} SoretPocketSums;

typedef struct {
  PetscInt     num_species;
  PetscInt     num;              /* all sums that are measured: global ones first, then local, then open    */
  PetscInt     num_global, num_local;
  PetscReal   *w;                /* [num][num_species]                                                      */
  char       (*name)[SORET_SUM_NAME]; /* [num] "A + 2 A2"                                                   */
  PetscReal   *mean;             /* [num_global + num_local] mean over the box to be kept                   */
  PetscBool   *prescribed;       /* [num_global] mean given by `totals`                                     */
  PetscBool   *fed;              /* [num_global] fluxes through walls change it                             */
  PetscInt     num_parts;        /* of the fluid, 0 where it hangs together: then the means above are all     */
  SoretPocketSums   *part;             /* [num_parts] in the order of SoretGrid.pocket                             */
  PetscInt     num_any;          /* sums that some part keeps, the global ones first                        */
  PetscReal   *any;              /* [num_any][num_species]                                                  */
} SoretSums;

/* The section `totals` of one entry. */
typedef struct {
  const SoretNode *node;
  PetscReal       *weight; /* [num_species] */
  PetscReal        mean;
} SoretTotal;

typedef struct {
  PetscInt    num;
  SoretTotal *total;
} SoretTotals;

/* Reads the section `totals`; mistakes are collected in the input. Reference prints its keys for docs/case-reference.md. Not collective. */
PetscErrorCode SoretTotalsRead(SoretInput in, const SoretModel *model, SoretTotals *totals);
PetscErrorCode SoretTotalsDestroy(SoretTotals *totals);
PetscErrorCode SoretTotalsReference(FILE *out);

/* idle[num_reactions]: reactions that run in no cell at the time of the operator, their rate constants being 0 there. Collective. */
PetscErrorCode SoretSumsFindIdle(const SoretOperator *op, PetscBool idle[]);

/* Adds reactions that run neither way as a catalyst is absent; were there any that were not in idle[] yet? */
PetscBool SoretSumsAddIdle(const SoretSums *sums, const SoretNetwork *net, PetscBool idle[]);

/* Finds the sums; those of `totals` become members of the basis, then those of `known`, which may be NULL. A total that is not conserved is reported.
   idle - [num_reactions] reactions that do not run, besides those that are off by their numbers; or NULL
   open - [num_species] species that walls let in and out. Not collective. */
PetscErrorCode SoretSumsFind(SoretInput in, const SoretModel *model, const PetscBool idle[], const PetscBool open[], const SoretTotals *totals, const SoretSums *known, SoretSums *sums);
PetscErrorCode SoretSumsDestroy(SoretSums *sums);

/* Their names in a checkpoint; and are they those of it? Collective. */
PetscErrorCode SoretSumsPut(const SoretSums *sums, SoretArchive archive);
PetscErrorCode SoretSumsAgree(const SoretSums *sums, SoretArchive archive, PetscBool *agree);

/* Sets the means to be kept to those of c, except where they are prescribed; where solid cuts the fluid into several parts, for each of them, and a
   prescribed mean is that of every part. Sees what walls feed: in a steady run as they are. Collective. */
PetscErrorCode SoretSumsKeep(SoretSums *sums, const SoretOperator *op, Vec c, PetscBool steady);

/* Is there nothing of a species in a part of the fluid (0 where it hangs together), since it is a member of a sum without negative weights whose mean is to be 0? */
PetscBool SoretSumsIsAbsent(const SoretSums *sums, PetscInt part, PetscInt species);

/* Amount of each species in each connected part of the fluid of a grid, amount[num_pockets][num_species]. Collective. */
PetscErrorCode SoretPocketsMeasure(const SoretOperator *op, Vec c, PetscReal amount[]);

/* Mean of sum k of a part with these amounts[num_pockets][num_species] and volumes[num_pockets], and of sum_i |w_i| c_i (scale, may be NULL). */
PetscReal SoretPocketMean(const SoretSums *sums, const PetscReal volume[], PetscInt part, PetscInt k, const PetscReal amount[], PetscReal *scale);

/* Mean over the fluid of each sum, mean[sums->num], and of sum_i |w_i| c_i (scale, may be NULL). Collective. */
PetscErrorCode SoretSumsMeasure(const SoretSums *sums, const SoretOperator *op, Vec c, PetscReal mean[], PetscReal scale[]);

/* The same from the amounts of the species in the box, see SoretOperatorContent(). Not collective. */
void SoretSumsOfContent(const SoretSums *sums, const SoretOperator *op, const PetscReal content[], PetscReal mean[], PetscReal scale[]);

/* Changes the amounts of a guess to the means that the global sums must have by factors exp(sum_k lambda_k w_ki): those leave prod c^nu of every
   reaction, and with it local equilibrium, as it is. The lambda are found sum by sum by Newton's method on a convex function; a guess
   needs no more than a few digits.

   ok - false where that is not possible, since an amount is or must be 0: c is left alone. Collective. */
PetscErrorCode SoretSumsMatch(const SoretSums *sums, const SoretOperator *op, Vec c, PetscBool *ok);

/* There is no steady state if a sum has net input and no outlet, which the augmented residual would hide, or if no concentrations >= 0 have the means that
   are to be kept; there are many if nothing carries a sum along some axis, or where reactions of species that stand still do not run. Message and SORET_ERR_INPUT. Collective. */
PetscErrorCode SoretSumsRefuseImpossible(const SoretSums *sums, const SoretOperator *op);
