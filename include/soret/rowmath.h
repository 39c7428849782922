/* SPDX-License-Identifier: BSD-2-Clause

   Functions of the mathematical library for rows of numbers: several at once where the C library can, which takes a third to a sixth of the time. */
#pragma once

#include "soret/base.h"

/* x[i] becomes exp(x[i]), ln(x[i]), x[i]^y, to a few units in the last place. Zeros, infinities and what is not a number give what exp(), log() and
   pow() give, and a number gives the same wherever it stands in a row and however long that is. */
void SoretExpRow(PetscInt n, PetscReal x[]);
void SoretLogRow(PetscInt n, PetscReal x[]);
void SoretPowRow(PetscInt n, PetscReal x[], PetscReal y);
