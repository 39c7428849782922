/* SPDX-License-Identifier: BSD-2-Clause

   Conserved sums sum_i w_i c_i: found from the stoichiometry, the walls and the mobility of the species (docs/numerics.md,
   "Conserved sums").

   Global sums keep their mean over the box. Sums whose members all stand still are conserved in each cell. Moieties that a wall lets in or out
   are not conserved, but still measured. */
#pragma once

#include "soret/operator.h"

enum { SORET_SUM_NAME = 512 };

typedef enum {
  SORET_SUM_GLOBAL, /* conserved in total        */
  SORET_SUM_LOCAL,  /* conserved in each cell    */
  SORET_SUM_OPEN    /* not conserved             */
} SoretSumKind;

typedef struct {
  PetscInt     num_species;
  PetscInt     num;              /* all sums that are measured: global ones first, then local, then open    */
  PetscInt     num_global, num_local;
  PetscReal   *w;                /* [num][num_species]                                                      */
  char       (*name)[SORET_SUM_NAME]; /* [num] "A + 2 A2"                                                   */
  PetscReal   *mean;             /* [num_global] mean over the box to be kept                               */
  PetscBool   *prescribed;       /* [num_global] mean given by `totals`                                     */
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

PetscErrorCode SoretTotalsRead(SoretInput in, const SoretModel *model, SoretTotals *totals);
PetscErrorCode SoretTotalsDestroy(SoretTotals *totals);
PetscErrorCode SoretTotalsReference(FILE *out);

/* Finds the sums; those of `totals` become members of the basis. A total that is not conserved is reported. Not collective. */
PetscErrorCode SoretSumsFind(SoretInput in, const SoretModel *model, const SoretBoundarySpec *boundary, const SoretTotals *totals, SoretSums *sums);
PetscErrorCode SoretSumsDestroy(SoretSums *sums);

/* Mean over the fluid of each sum, mean[sums->num], and of sum_i |w_i| c_i (scale, may be NULL). Collective. */
PetscErrorCode SoretSumsMeasure(const SoretSums *sums, const SoretOperator *op, Vec c, PetscReal mean[], PetscReal scale[]);

/* Net flux into the box of each global sum through walls with prescribed flux, net[num_global], and the sum of its absolute
   parts, gross[num_global]. Where net is not 0 there is no steady state. Collective. */
PetscErrorCode SoretSumsNetInput(const SoretSums *sums, const SoretBoundary *boundary, PetscReal net[], PetscReal gross[]);

/* A sum with net input and no outlet has no steady state; the augmented residual would hide that. Message and SORET_ERR_INPUT. Collective. */
PetscErrorCode SoretSumsRefuseNetInput(const SoretSums *sums, const SoretBoundary *boundary);
