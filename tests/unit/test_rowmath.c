/* SPDX-License-Identifier: BSD-2-Clause

   exp, log and powers of rows of numbers. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "soret/rowmath.h"

enum { N = 1000 };

static void Pow(PetscInt n, PetscReal x[])
{
  SoretPowRow(n, x, -1.7);
}

static double PowOne(double x)
{
  return pow(x, -1.7);
}

static const struct {
  void (*row)(PetscInt n, PetscReal x[]);
  double (*one)(double x);
  double lo, hi;
} functions[] = {
  {SoretExpRow, exp,    -700.0,  700.0 },
  {SoretLogRow, log,    1.0e-12, 1.0e3 },
  {Pow,         PowOne, 1.0e-12, 1.0e12}
};

/* Against the function for one number; and the same bits at any place of a row of any length. */
static PetscErrorCode TestRows(void)
{
  PetscReal x[N], y[N], part[N];

  PetscFunctionBeginUser;
  for (size_t f = 0; f < sizeof(functions) / sizeof(functions[0]); f++) {
    for (int i = 0; i < N; i++) x[i] = functions[f].lo + (functions[f].hi - functions[f].lo) * fmod(0.618033988749895 * i, 1.0);
    memcpy(y, x, sizeof(x));
    functions[f].row(N, y);
    for (int i = 0; i < N; i++) CheckClose(y[i], functions[f].one(x[i]), 8.0 * PETSC_MACHINE_EPSILON * fabs(y[i]));
    for (int n = 1; n < 20; n++) {
      for (int at = 0; at < 17; at++) {
        memcpy(part, x + at, (size_t)n * sizeof(*part));
        functions[f].row(n, part);
        Check(!memcmp(part, y + at, (size_t)n * sizeof(*part)));
      }
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What is beyond the range, and beside the point. */
static PetscErrorCode TestSpecial(void)
{
  PetscReal e[] = {0.0, -INFINITY, INFINITY, 800.0, -800.0, NAN}, l[] = {1.0, 0.0, INFINITY, -1.0, NAN}, p[] = {0.0, INFINITY, 1.0, -1.0, NAN}, squares[] = {-3.0, 4.0};

  PetscFunctionBeginUser;
  SoretExpRow(6, e);
  Check(e[0] == 1.0 && e[1] == 0.0 && isinf(e[2]) && isinf(e[3]) && e[4] == 0.0 && isnan(e[5]));
  SoretLogRow(5, l);
  Check(l[0] == 0.0 && isinf(l[1]) && l[1] < 0.0 && isinf(l[2]) && isnan(l[3]) && isnan(l[4]));
  SoretPowRow(5, p, 0.5);
  Check(p[0] == 0.0 && isinf(p[1]) && p[2] == 1.0 && isnan(p[3]) && isnan(p[4]));
  SoretPowRow(2, squares, 4.0);
  CheckClose(squares[0], 81.0, 1.0e-13);
  CheckClose(squares[1], 256.0, 1.0e-13);
  SoretExpRow(0, e);
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestRows, TestSpecial)
