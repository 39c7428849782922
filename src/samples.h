/* SPDX-License-Identifier: BSD-2-Clause

   The formulas of a case, tried at some points before anything is allocated on the grid. */
#pragma once

#include "soret/case.h"

/* Reports, with the place in the file, formulas whose values no run can use: a temperature or diffusivity that is not positive, a negative
   concentration, rate constant or transfer coefficient, a temperature that does not fit together at the ends of a periodic axis. They are
   tried at the corners, faces and inside of the box and, in a transient run, from the start to the end. What slips through is found cell
   by cell in the run.

   c - a case without mistakes so far; sections of which the temperature is a dataset are left to the run

   Not collective. */
PetscErrorCode SoretCaseTryFormulas(SoretCase *c);
