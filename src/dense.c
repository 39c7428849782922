/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/dense.h"

#include <math.h>

static void Swap(PetscReal *a, PetscReal *b)
{
  const PetscReal kept = *a;

  *a = *b;
  *b = kept;
}

PetscBool SoretSolveDense(PetscInt n, PetscReal A[], PetscReal x[])
{
  PetscBool regular = PETSC_TRUE;

  for (PetscInt c = 0; c < n; c++) {
    PetscInt pivot = c;

    for (PetscInt i = c + 1; i < n; i++) {
      if (PetscAbsReal(A[i * n + c]) > PetscAbsReal(A[pivot * n + c])) pivot = i;
    }
    if (pivot != c) {
      for (PetscInt j = 0; j < n; j++) Swap(&A[c * n + j], &A[pivot * n + j]);
      Swap(&x[c], &x[pivot]);
    }
    if (A[c * n + c] == 0.0 || !isfinite(A[c * n + c])) regular = PETSC_FALSE;
    for (PetscInt i = c + 1; i < n && A[c * n + c] != 0.0; i++) {
      const PetscReal factor = A[i * n + c] / A[c * n + c];

      if (factor == 0.0) continue;
      for (PetscInt j = c + 1; j < n; j++) A[i * n + j] -= factor * A[c * n + j];
      x[i] -= factor * x[c];
    }
  }
  for (PetscInt c = n - 1; c >= 0; c--) {
    for (PetscInt j = c + 1; j < n; j++) x[c] -= A[c * n + j] * x[j];
    x[c] = A[c * n + c] != 0.0 ? x[c] / A[c * n + c] : 0.0;
  }
  return regular;
}
