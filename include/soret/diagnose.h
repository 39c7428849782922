/* SPDX-License-Identifier: BSD-2-Clause

   What the physicist wants to know of a state: totals, extremes, fluxes through walls, entropy production, the Soret coefficient.
   Every flux is the face flux of the residual. */
#pragma once

#include "soret/conserve.h"

/* Numbers of one state. Arrays are as long as their comment says. */
typedef struct {
  PetscReal total[3 * SORET_MAX_SPECIES];           /* [sums->num] means over the box                             */
  PetscReal min[SORET_MAX_SPECIES], max[SORET_MAX_SPECIES];
  PetscReal boundary_flux[6][SORET_MAX_SPECIES];    /* net inflow through each face of the box                    */
  PetscReal entropy_production;                     /* integral over the box, units of R; NaN where not defined   */
} SoretState;

/* Collective. */
PetscErrorCode SoretDiagnoseState(SoretOperator *op, const SoretSums *sums, Vec c, SoretState *state);

/* Is entropy production defined: no irreversible reaction, no ballistic species? If not, says why, in at most `size` characters. */
PetscBool SoretEntropyIsDefined(const SoretModel *model, size_t size, char why[]);

/* ---- fields: out is one value per cell of this rank. Collective. ---- */

/* Flux density of species s at the cell centres, out[num_cells][dim]: mean of the two faces along each axis. */
PetscErrorCode SoretDiagnoseFlux(SoretOperator *op, Vec c, PetscInt s, PetscReal out[]);

/* Net rate of reaction r. */
PetscErrorCode SoretDiagnoseRate(SoretOperator *op, Vec c, PetscInt r, PetscReal out[]);

/* Entropy production per volume, units of R: sum over reactions (f - b) ln(f/b), and over species and faces -J ln of the ratio of u = b c
   across the face, half of it to each side. NaN where not defined. */
PetscErrorCode SoretDiagnoseEntropy(SoretOperator *op, Vec c, PetscReal out[]);

/* Soret coefficient -grad ln(sum_i w_i c_i) . grad T/|grad T|^2 by central differences, one-sided at walls; NaN where grad T vanishes.

   mean - of the whole box: -<grad sum . grad T>/<sum |grad T|^2>; NaN for uniform T */
PetscErrorCode SoretDiagnoseSoret(SoretOperator *op, Vec c, const PetscReal w[], PetscReal out[], PetscReal *mean);

/* Mean of sum_i w_i c_i in the layer of cells at x- over that at x+. */
PetscErrorCode SoretDiagnoseContrast(const SoretOperator *op, Vec c, const PetscReal w[], PetscReal *contrast);
