/* SPDX-License-Identifier: BSD-2-Clause

   What the files of the module `case` share. */
#pragma once

#include "soret/case.h"

/* Peak memory of the run, bytes over all ranks: of the species, and of the temperature, which is solved before them or with them; method - of the species, in words. */
PetscErrorCode SoretCaseEstimateMemory(const SoretCase *c, PetscReal *bytes, const char **method);
