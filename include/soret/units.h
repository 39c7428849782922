/* SPDX-License-Identifier: BSD-2-Clause

   Units of the case file, by UDUNITS-2, in which M is also known as mol/L. */
#pragma once

#include "soret/base.h"

typedef enum {
  SORET_UNIT_GOOD,
  SORET_UNIT_UNKNOWN, /* not a unit, or one that is no plain factor: a time stamp, a logarithm */
  SORET_UNIT_WRONG,   /* a unit, but of something else */
  SORET_UNIT_OVERFLOW /* the converted value is not finite */
} SoretUnitStatus;

/* Before the base unit of a difference: 5 degC are then 5 K, not 278.15 K. */
#define SORET_UNIT_DIFFERENCE "difference in "

/* Converts a value to a base unit.

   value - in `unit`
   unit  - as the user wrote it, any text
   base  - the unit wanted, or SORET_UNIT_DIFFERENCE and it; "*": any that soret computes with, in SI, which then takes its place
   out   - in `base`, if the status is good

   Not collective. */
PetscErrorCode SoretUnitConvert(PetscReal value, const char *unit, const char **base, PetscReal *out, SoretUnitStatus *status);
