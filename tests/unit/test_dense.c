/* SPDX-License-Identifier: BSD-2-Clause

   Equations with a handful of unknowns, and least squares without negative ones, against Karush, Kuhn and Tucker's conditions. */
#include "test.h"

#include <math.h>

#include "soret/dense.h"

static PetscErrorCode TestSolve(void)
{
  PetscReal A[] = {0.0, 2.0, 1.0, 1.0, -2.0, -3.0, -1.0, 1.0, 2.0}, x[] = {-8.0, 5.0, -2.0}; /* A (1, -5, 2) */
  PetscReal S[] = {1.0, 2.0, 2.0, 4.0}, y[] = {1.0, 2.0};

  PetscFunctionBeginUser;
  Check(SoretSolveDense(3, A, x));
  CheckClose(x[0], 1.0, 1.0e-14);
  CheckClose(x[1], -5.0, 1.0e-14);
  CheckClose(x[2], 2.0, 1.0e-14);
  Check(!SoretSolveDense(2, S, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A + AB = 1, A - B = 2 for A, B, AB: nearest is A = 3/2 alone, which misses both by a half. */
static PetscErrorCode TestContradiction(void)
{
  const PetscReal A[] = {1.0, 0.0, 1.0, 1.0, -1.0, 0.0}, b[] = {1.0, 2.0}, possible[] = {1.0, 0.25};
  PetscReal       x[3];

  PetscFunctionBeginUser;
  CheckClose(SoretSolveNonnegative(2, 3, A, b, x), 0.5, 1.0e-14);
  CheckClose(x[0], 1.5, 1.0e-14);
  CheckClose(x[1], 0.0, 0.0);
  CheckClose(x[2], 0.0, 0.0);
  CheckClose(SoretSolveNonnegative(2, 3, A, possible, x), 0.0, 1.0e-14);
  Check(x[0] >= 0.0 && x[1] >= 0.0 && x[2] >= 0.0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Numbers in [-1, 1], the same everywhere. */
static PetscReal Random(unsigned *state)
{
  *state = *state * 1664525u + 1013904223u;
  return (PetscReal)(*state >> 8) / 8388608.0 - 1.0;
}

/* Small whole weights and any right side: x >= 0, no slope A^T (b - A x) above 0, and none at all where x > 0. */
static PetscErrorCode TestConditions(void)
{
  enum { M = 6, N = 14 };
  unsigned state = 7;

  PetscFunctionBeginUser;
  for (int turn = 0; turn < 300; turn++) {
    const PetscInt m = 1 + turn % M, n = m + turn % (N - m);
    PetscReal      A[M * N], b[M], x[N], r[M], largest = 0.0, found;

    for (PetscInt k = 0; k < m * n; k++) A[k] = round(3.0 * Random(&state));
    for (PetscInt i = 0; i < m; i++) b[i] = Random(&state);
    found = SoretSolveNonnegative(m, n, A, b, x);
    for (PetscInt i = 0; i < m; i++) {
      r[i] = b[i];
      for (PetscInt j = 0; j < n; j++) r[i] -= A[i * n + j] * x[j];
      largest = PetscMax(largest, PetscAbsReal(r[i]));
    }
    CheckClose(found, largest, 1.0e-14);
    for (PetscInt j = 0; j < n; j++) {
      PetscReal slope = 0.0;

      for (PetscInt i = 0; i < m; i++) slope += A[i * n + j] * r[i];
      Check(x[j] >= 0.0);
      if (x[j] > 0.0) CheckClose(slope, 0.0, 1.0e-9);
      else Check(slope <= 1.0e-8);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestSolve, TestContradiction, TestConditions)
