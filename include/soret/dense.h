/* SPDX-License-Identifier: BSD-2-Clause

   Equations with a handful of unknowns. */
#pragma once

#include "soret/base.h"

/* Solves A x = x, the right side in x, by Gauss elimination with row pivoting. An unknown without a pivot becomes 0.

   A - [n][n], destroyed

   Returns PETSC_FALSE if an unknown had none, or what was to be one is not a number. */
PetscBool SoretSolveDense(PetscInt n, PetscReal A[], PetscReal x[]);
