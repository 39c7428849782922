/* SPDX-License-Identifier: BSD-2-Clause

   The method of integration in time. */
#pragma once

#include "soret/base.h"

#include <petscts.h>

#define SORET_ESDIRK "esdirk4" /* for -ts_arkimex_type */

/* Makes a TS integrate by an implicit Runge-Kutta method with an explicit first stage: order 4, its error estimated with order 3, L-stable, stiffly accurate;
   one-step, so that it restarts exactly. It is registered with TSARKIMEX; options: -ts_type, -ts_arkimex_type. */
PetscErrorCode SoretTimeSetESDIRK(TS ts);
