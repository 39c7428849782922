/* SPDX-License-Identifier: BSD-2-Clause

   What the physicist wants to know of a state: totals, extremes, fluxes through walls, entropy production, the Soret coefficient.
   Every flux is the face flux of the residual. */
#pragma once

#include "soret/conserve.h"
#include "soret/thermo.h"

/* Numbers of one state. Arrays are as long as their comment says. */
typedef struct {
  PetscReal total[3 * SORET_MAX_SPECIES]; /* [sums->num] means over the box                             */
  PetscReal scale[3 * SORET_MAX_SPECIES]; /* of sum_i |w_i| c_i                                         */
  PetscReal min[SORET_MAX_SPECIES], max[SORET_MAX_SPECIES];
  PetscReal boundary_flux[6][SORET_MAX_SPECIES];  /* net inflow through each face of the box                    */
  PetscReal source[SORET_MAX_SPECIES];            /* what reactions make, over the box                          */
  PetscReal entropy_reactions, entropy_diffusion; /* over the box, units of R; NaN where not defined            */
} SoretState;

/* Collective. */
PetscErrorCode SoretDiagnoseState(SoretOperator *op, const SoretSums *sums, Vec c, SoretState *state);

/* Is entropy production defined: no irreversible reaction, no ballistic species? If not, says why, in at most `size` characters. */
PetscBool SoretEntropyIsDefined(const SoretModel *model, size_t size, char why[]);

/* Thermodynamics of the network, judged over the temperatures and positions of this grid. Free with SoretThermoDestroy(). Not collective. */
PetscErrorCode SoretDiagnoseThermo(const SoretOperator *op, const SoretSums *sums, SoretThermo *thermo);

/* Where the laws of a prediction that is of no place in particular are evaluated: the middle of the box, and of the range of T. */
SoretPoint SoretDiagnoseMiddle(const SoretOperator *op);

/* ---- the Soret meter (docs/theory.md, "The Soret meter") ---- */

/* The Soret coefficient of a sum of species and the parts that it is the sum of. */
typedef enum {
  SORET_PART_WHOLE,       /* -grad ln c . grad T/|grad T|^2                                    */
  SORET_PART_CHEMICAL,    /* the composition changes                                           */
  SORET_PART_DIFFUSIVITY, /* the diffusivities change, as far as the convention feels it       */
  SORET_PART_INTRINSIC,   /* intrinsic drift of the members                                    */
  SORET_PART_TRANSPORT,   /* the sum flows                                                     */
  SORET_PART_VELOCITY,    /* a velocity carries it, against the flux                           */
  SORET_NUM_PARTS
} SoretPart;

/* As results have it: "soret", "chemical", ... */
const char *SoretPartName(SoretPart part);

enum { SORET_MAX_INVERSIONS = 8 };

/* Of one sum, over the whole box. NaN: not defined. */
typedef struct {
  PetscReal part[SORET_NUM_PARTS];
  PetscReal equilibrium;                     /* that infinitely fast reactions would give at the mean amounts          */
  PetscInt  num_inversions, num_equilibrium; /* temperatures at which they change sign                                 */
  PetscReal inversion[SORET_MAX_INVERSIONS], inversion_equilibrium[SORET_MAX_INVERSIONS];
} SoretMeterSum;

/* Budgets are per time, over the box; those of entropy in units of R. */
typedef struct {
  SoretMeterSum sum[3 * SORET_MAX_SPECIES];                    /* [sums->num]                                            */
  PetscReal     soret[SORET_MAX_SPECIES];                      /* of each species                                        */
  PetscReal     in[SORET_MAX_SPECIES], out[SORET_MAX_SPECIES]; /* through walls                         */
  PetscReal     source[SORET_MAX_SPECIES];                     /* by reactions                                           */
  PetscReal     change[SORET_MAX_SPECIES];                     /* of the content: minus the residual                     */
  PetscReal     entropy_reactions, entropy_diffusion;
  /* what they come from, where there is detailed balance; else NaN */
  PetscReal entropy_heat;      /* int H . grad(1/T)/R, H = sum_i E_i J_i                 */
  PetscReal entropy_mobility;  /* -sum_i int J_i . grad ln b_i                           */
  PetscReal entropy_velocity;  /* sum_i int v_i c_i . grad ln(b_i c_i)                   */
  PetscReal entropy_boundary;  /* through walls: sum_i inflow_i (ln c_i + mu_i)          */
  PetscReal entropy_storage;   /* -sum_i int dc_i/dt (ln c_i + mu_i)                     */
  PetscReal entropy_closure;   /* left minus right over the production: rounding         */
  PetscReal entropy_imbalance; /* the same; steady: without the storage, which would be 0 if the state were solved exactly */
} SoretMeter;

/* steady: the storage is what is left of the residual, and no part of the imbalance. Collective. */
PetscErrorCode SoretDiagnoseMeter(SoretOperator *op, const SoretSums *sums, const SoretThermo *thermo, PetscBool steady, Vec c, SoretMeter *meter);

/* ---- fields: out is one value per cell of this rank. Collective. ---- */

/* Flux density of species s at the cell centres, out[num_cells][dim]: mean of the two faces along each axis. */
PetscErrorCode SoretDiagnoseFlux(SoretOperator *op, Vec c, PetscInt s, PetscReal out[]);

/* Heat carried by the species, sum_i E_i J_i, out[num_cells][dim]; NaN without detailed balance. */
PetscErrorCode SoretDiagnoseHeat(SoretOperator *op, const SoretThermo *thermo, Vec c, PetscReal out[]);

/* Net rate of reaction r. */
PetscErrorCode SoretDiagnoseRate(SoretOperator *op, Vec c, PetscInt r, PetscReal out[]);

/* Entropy production per volume, units of R: sum over reactions (f - b) ln(f/b), and over species and faces -J ln of the ratio of u = b c
   across the face, half of it to each side. NaN where not defined. */
typedef enum {
  SORET_ENTROPY_BOTH,
  SORET_ENTROPY_REACTIONS,
  SORET_ENTROPY_DIFFUSION
} SoretEntropy;

/* Entropy production per volume in units of R, out[num_cells]; that of a face counts half in each of its cells. NaN where it is not defined. Collective. */
PetscErrorCode SoretDiagnoseEntropy(SoretOperator *op, SoretEntropy which, Vec c, PetscReal out[]);

/* Soret coefficient of sum_i w_i c_i cell by cell, or one of its parts, by central differences, extrapolated at walls; NaN where grad T vanishes. */
PetscErrorCode SoretDiagnoseSoret(SoretOperator *op, Vec c, const PetscReal w[], SoretPart part, PetscReal out[]);

/* What infinitely fast reactions would give for sum k at the local amounts of all sums. */
PetscErrorCode SoretDiagnoseEquilibrium(SoretOperator *op, const SoretThermo *thermo, Vec c, PetscInt k, PetscReal out[]);

/* Mean of sum_i w_i c_i in the layer of cells at x- over that at x+. */
PetscErrorCode SoretDiagnoseContrast(const SoretOperator *op, Vec c, const PetscReal w[], PetscReal *contrast);
