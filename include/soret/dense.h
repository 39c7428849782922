/* SPDX-License-Identifier: BSD-2-Clause

   Equations with a handful of unknowns, and least squares without negative ones. */
#pragma once

#include "soret/base.h"

/* Solves A x = x, the right side in x, by Gauss elimination with row pivoting. An unknown without a pivot becomes 0.

   A - [n][n], destroyed

   Returns PETSC_FALSE if an unknown had none, or what was to be one is not a number. */
PetscBool SoretSolveDense(PetscInt n, PetscReal A[], PetscReal x[]);

/* Finds x >= 0 that makes the sum of squares of A x - b least, by the method of Lawson and Hanson (1974).

   A - [m][n], n at most SORET_MAX_SPECIES
   x - [n], written

   Returns the largest |A x - b|. */
PetscReal SoretSolveNonnegative(PetscInt m, PetscInt n, const PetscReal A[], const PetscReal b[], PetscReal x[]);
