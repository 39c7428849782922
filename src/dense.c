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

/* ---- least squares ---- */

/* r = b - A x */
static void Lack(PetscInt m, PetscInt n, const PetscReal A[], const PetscReal b[], const PetscReal x[], PetscReal r[])
{
  for (PetscInt i = 0; i < m; i++) {
    r[i] = b[i];
    for (PetscInt j = 0; j < n; j++) r[i] -= A[i * n + j] * x[j];
  }
}

/* Least squares with the unknowns list[0..num) alone: y[num]. */
static void SolveSome(PetscInt m, PetscInt n, const PetscReal A[], const PetscReal b[], PetscInt num, const PetscInt list[], PetscReal y[])
{
  PetscReal normal[SORET_MAX_SPECIES * SORET_MAX_SPECIES];

  for (PetscInt p = 0; p < num; p++) {
    y[p] = 0.0;
    for (PetscInt i = 0; i < m; i++) y[p] += A[i * n + list[p]] * b[i];
    for (PetscInt q = 0; q < num; q++) {
      normal[p * num + q] = 0.0;
      for (PetscInt i = 0; i < m; i++) normal[p * num + q] += A[i * n + list[p]] * A[i * n + list[q]];
    }
  }
  (void)SoretSolveDense(num, normal, y);
}

/* The unknown that is 0 and would best be more, -1 if there is none. */
static PetscInt FindToRaise(PetscInt m, PetscInt n, const PetscReal A[], const PetscReal b[], const PetscReal x[])
{
  PetscReal r[SORET_MAX_SPECIES], most = 0.0;
  PetscInt  best = -1;

  Lack(m, n, A, b, x, r);
  for (PetscInt j = 0; j < n; j++) {
    PetscReal slope = 0.0, size = 0.0;

    for (PetscInt i = 0; i < m; i++) {
      slope += A[i * n + j] * r[i];
      size += PetscAbsReal(A[i * n + j] * b[i]);
    }
    if (x[j] > 0.0 || slope <= 1.0e-10 * size || slope <= most) continue;
    most = slope;
    best = j;
  }
  return best;
}

PetscReal SoretSolveNonnegative(PetscInt m, PetscInt n, const PetscReal A[], const PetscReal b[], PetscReal x[])
{
  PetscReal r[SORET_MAX_SPECIES], largest = 0.0;
  PetscInt  raised;

  for (PetscInt j = 0; j < n; j++) x[j] = 0.0;
  /* each round ends nearer than the one before, so that no set of unknowns comes twice; the limit is for rounding */
  for (PetscInt round = 0; round < 3 * n && (raised = FindToRaise(m, n, A, b, x)) >= 0; round++) {
    PetscBool inside = PETSC_FALSE;

    while (!inside) {
      PetscReal y[SORET_MAX_SPECIES], part = 1.0;
      PetscInt  list[SORET_MAX_SPECIES], num = 0, stop = -1;

      for (PetscInt j = 0; j < n; j++) {
        if (x[j] > 0.0 || j == raised) list[num++] = j;
      }
      SolveSome(m, n, A, b, num, list, y);
      for (PetscInt p = 0; p < num; p++) { /* as far as none becomes negative */
        const PetscReal way = x[list[p]] / (x[list[p]] - y[p]);

        if (y[p] > 0.0 || !(way < part)) continue;
        part = way;
        stop = list[p];
      }
      for (PetscInt p = 0; p < num; p++) x[list[p]] += part * (y[p] - x[list[p]]);
      if (stop >= 0) x[stop] = 0.0;
      inside = stop < 0 ? PETSC_TRUE : PETSC_FALSE;
      if (stop == raised) inside = PETSC_TRUE; /* rounding: it should not have been raised */
      raised = -1;
    }
  }
  Lack(m, n, A, b, x, r);
  for (PetscInt i = 0; i < m; i++) largest = PetscMax(largest, PetscAbsReal(r[i]));
  return largest;
}
