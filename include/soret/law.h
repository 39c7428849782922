/* SPDX-License-Identifier: BSD-2-Clause

   Laws of temperature: diffusivities, rate constants, equilibrium constants, intrinsic Soret coefficients. */
#pragma once

#include "soret/input.h"

typedef struct SoretLaw_s *SoretLaw;

/* What a law stands for: decides the unit, the variables a formula may use and the named laws that make sense. */
typedef struct {
  const char *unit;        /* base unit in SI                                            */
  unsigned    allowed;     /* variables of a formula (SoretVar)                          */
  PetscBool   diffusivity; /* einstein and stokes_einstein make sense                    */
  PetscBool   positive;    /* negative values are a mistake                              */
} SoretLawUse;

/* Reads number | quantity | formula | {law: ...} | {A: , b: , Ea: }. *law is NULL after a mistake, which is reported. Not collective. */
PetscErrorCode SoretLawRead(SoretInput in, const SoretNode *node, const SoretLawUse *use, SoretLaw *law);
PetscErrorCode SoretLawDestroy(SoretLaw *law);

/* Value at a point; base units. May be NaN outside of where a formula is defined: the caller checks. */
PetscReal SoretLawEvaluate(SoretLaw law, const SoretPoint *point);

/* Values at n points of a row along x; arrays as in SoretExprEvaluateRow(). */
void SoretLawEvaluateRow(SoretLaw law, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal out[]);

/* Derivative with respect to T at fixed position; closed form for the named laws, fourth-order differences for formulas. */
PetscReal SoretLawDerivative(SoretLaw law, const SoretPoint *point);

/* Variables that the value depends on; 0 for a constant; NULL counts as the constant 0. */
unsigned SoretLawUses(SoretLaw law);

/* PETSC_TRUE if the law is a constant, and its value. NULL is the constant 0. */
PetscBool SoretLawIsConstant(SoretLaw law, PetscReal *value);

/* Where the law stands in the file, for messages; may be NULL. */
const SoretNode *SoretLawNode(SoretLaw law);

/* Antiderivative of a law of T alone, Theta(T) = int_{T_mid}^{T} law dT', with T_mid the middle of [T_min, T_max]: so that
   |Theta|, an exponent, stays as small as it can. Constants in closed form, the rest by panels of Gauss-Legendre quadrature,
   those about kinks and jumps in halves of halves. */
typedef struct SoretIntegral_s *SoretIntegral;

/* The law is borrowed; where it is not finite neither is Theta. Not collective. */
PetscErrorCode SoretIntegralCreate(SoretLaw law, PetscReal T_min, PetscReal T_max, SoretIntegral *integral);
PetscReal      SoretIntegralEvaluate(SoretIntegral integral, PetscReal T);
PetscErrorCode SoretIntegralDestroy(SoretIntegral *integral);

/* Viscosity of liquid water at 0.1 MPa, Pa s; IAPWS SR6-08(2011), valid between these temperatures, K. */
#define SORET_WATER_COLDEST 253.15
#define SORET_WATER_HOTTEST 383.15
PetscReal SoretWaterViscosity(PetscReal T);

/* Does the law use the viscosity of water at temperatures for which it is not known, somewhere from T_min to T_max? */
PetscBool SoretLawExtrapolatesWater(SoretLaw law, PetscReal T_min, PetscReal T_max);

/* Prints the key table of every law for `soret reference`. */
PetscErrorCode SoretLawReference(FILE *out);
