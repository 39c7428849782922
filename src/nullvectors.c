/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/network.h"

#include <stdint.h>

enum { MAX_RAYS = 1000 };

/* a x + b y; PETSC_FALSE where 64 bits do not hold it. */
static PetscBool Combine(PetscInt64 a, PetscInt64 x, PetscInt64 b, PetscInt64 y, PetscInt64 *sum)
{
  PetscInt64 ax, by;

  return __builtin_mul_overflow(a, x, &ax) || __builtin_mul_overflow(b, y, &by) || __builtin_add_overflow(ax, by, sum) || *sum == INT64_MIN ? PETSC_FALSE : PETSC_TRUE;
}

static PetscInt64 Gcd(PetscInt64 a, PetscInt64 b)
{
  a = a < 0 ? -a : a;
  b = b < 0 ? -b : b;
  while (b) {
    const PetscInt64 rest = a % b;

    a = b;
    b = rest;
  }
  return a;
}

static void DivideByGcd(PetscInt n, PetscInt64 v[])
{
  PetscInt64 g = 0;

  for (PetscInt i = 0; i < n; i++) g = Gcd(g, v[i]);
  if (g > 1) {
    for (PetscInt i = 0; i < n; i++) v[i] /= g;
  }
}

static PetscInt Support(PetscInt n, const PetscInt64 v[])
{
  PetscInt count = 0;

  for (PetscInt i = 0; i < n; i++) count += v[i] != 0;
  return count;
}

/* Rays of Farkas' algorithm: each carries [matrix w | w]. */
typedef struct {
  PetscInt    rows, width; /* of the matrix; rows + number of weights */
  PetscInt    num;
  PetscInt64 *entry;       /* [MAX_RAYS][width] */
} Rays;

static PetscInt64 *Ray(const Rays *rays, PetscInt i)
{
  return rays->entry + (size_t)i * rays->width;
}

/* Is the ray behind the last one minimal: does its support contain that of no other one that vanishes in row r? Of the first `before` not
   all do, of the others all. */
static PetscBool IsMinimal(const Rays *rays, PetscInt r, PetscInt before)
{
  const PetscInt64 *v = Ray(rays, rays->num);

  for (PetscInt l = 0; l < rays->num; l++) {
    const PetscInt64 *other  = Ray(rays, l);
    PetscBool         inside = PETSC_TRUE;

    if (l < before && other[r]) continue;
    for (PetscInt k = rays->rows; k < rays->width && inside; k++) inside = (!other[k] || v[k]) ? PETSC_TRUE : PETSC_FALSE;
    if (inside) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Appends the combination of two rays of opposite sign in row r that vanishes there, if its support contains no other ray's. PETSC_FALSE
   where there is no room for it, or in 64 bits none for its numbers. */
static PetscBool AppendCombination(Rays *rays, PetscInt r, PetscInt before, PetscInt i, PetscInt j)
{
  const PetscInt64 *x = Ray(rays, i), *y = Ray(rays, j), p = x[r] < 0 ? -x[r] : x[r], q = y[r] < 0 ? -y[r] : y[r];
  PetscInt64       *v = Ray(rays, rays->num);

  if (rays->num == MAX_RAYS) return PETSC_FALSE;
  for (PetscInt k = 0; k < rays->width; k++) {
    if (!Combine(p, y[k], q, x[k], &v[k])) return PETSC_FALSE;
  }
  DivideByGcd(rays->width, v);
  if (IsMinimal(rays, r, before)) rays->num++;
  return PETSC_TRUE;
}

/* Makes all rays vanish in row r: by combining them, and dropping those that do not. */
static PetscErrorCode Eliminate(Rays *rays, PetscInt r, PetscBool *possible)
{
  const PetscInt before = rays->num;
  PetscInt       kept   = 0;

  PetscFunctionBegin;
  *possible = PETSC_TRUE;
  for (PetscInt i = 0; i < before && *possible; i++) {
    for (PetscInt j = i + 1; j < before && *possible; j++) {
      const PetscInt64 p = Ray(rays, i)[r], q = Ray(rays, j)[r];

      if ((p < 0 && q > 0) || (p > 0 && q < 0)) *possible = AppendCombination(rays, r, before, i, j);
    }
  }
  for (PetscInt i = 0; i < rays->num; i++) {
    if (Ray(rays, i)[r]) continue;
    if (kept != i) PetscCall(PetscArraycpy(Ray(rays, kept), Ray(rays, i), rays->width));
    kept++;
  }
  rays->num = kept;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Farkas' algorithm, row by row of the matrix. Gives up (num = 0) when there are too many rays, or their numbers too long. */
static PetscErrorCode NonnegativeRays(PetscInt rows, PetscInt cols, const PetscInt matrix[], PetscInt *num, PetscInt64 **rays)
{
  Rays      all      = {.rows = rows, .width = rows + cols, .num = cols};
  PetscBool possible = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)MAX_RAYS * all.width, &all.entry));
  for (PetscInt i = 0; i < cols; i++) {
    for (PetscInt r = 0; r < rows; r++) Ray(&all, i)[r] = matrix[r * cols + i];
    Ray(&all, i)[rows + i] = 1;
  }
  for (PetscInt r = 0; r < rows && possible; r++) PetscCall(Eliminate(&all, r, &possible));
  *num = possible ? all.num : 0;
  PetscCall(PetscMalloc1((size_t)PetscMax(*num, 1) * cols, rays));
  for (PetscInt i = 0; i < *num; i++) PetscCall(PetscArraycpy(*rays + i * cols, Ray(&all, i) + rows, cols));
  PetscCall(PetscFree(all.entry));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is v independent of the rows that are in the echelon basis? Adds it if so. basis - [][cols], pivot - [] column of each. */
static PetscBool AddIndependent(PetscInt cols, PetscReal basis[], PetscInt pivot[], PetscInt *n, const PetscReal v[])
{
  PetscReal *row = basis + *n * cols, largest = 0.0, scale = 0.0;

  for (PetscInt i = 0; i < cols; i++) {
    row[i] = v[i];
    scale  = PetscMax(scale, PetscAbsReal(v[i]));
  }
  for (PetscInt b = 0; b < *n; b++) {
    const PetscReal factor = row[pivot[b]] / basis[b * cols + pivot[b]];

    for (PetscInt i = 0; i < cols; i++) row[i] -= factor * basis[b * cols + i];
  }
  for (PetscInt i = 0; i < cols; i++) {
    if (PetscAbsReal(row[i]) > largest) {
      largest   = PetscAbsReal(row[i]);
      pivot[*n] = i;
    }
  }
  if (largest <= 1.0e-9 * scale) return PETSC_FALSE;
  (*n)++;
  return PETSC_TRUE;
}

/* A matrix after the elimination of the columns of its pivots. */
typedef struct {
  PetscReal *m;            /* [rows][cols] */
  PetscInt   rank;
  PetscInt  *pivot_of_row; /* [rank]       */
  PetscBool *is_pivot;     /* [cols]       */
} Reduced;

static void SwapRows(size_t size, char *a, char *b)
{
  for (size_t i = 0; i < size && a != b; i++) {
    const char swap = a[i];

    a[i] = b[i];
    b[i] = swap;
  }
}

/* Exact elimination of m[rows][cols]; PETSC_FALSE where the numbers become too long. */
static PetscBool ReduceExactly(PetscInt rows, PetscInt cols, PetscInt64 m[], Reduced *reduced)
{
  reduced->rank = 0;
  for (PetscInt c = 0; c < cols && reduced->rank < rows; c++) {
    PetscInt64 *const top = m + reduced->rank * cols;
    PetscInt          p   = reduced->rank;

    while (p < rows && !m[p * cols + c]) p++;
    if (p == rows) continue;
    SwapRows((size_t)cols * sizeof(*m), (char *)(m + p * cols), (char *)top);
    for (PetscInt r = 0; r < rows; r++) {
      const PetscInt64 b = m[r * cols + c];

      if (r == reduced->rank || !b) continue;
      for (PetscInt k = 0; k < cols; k++) {
        if (!Combine(top[c], m[r * cols + k], -b, top[k], &m[r * cols + k])) return PETSC_FALSE;
      }
      DivideByGcd(cols, m + r * cols);
    }
    reduced->is_pivot[c]                   = PETSC_TRUE;
    reduced->pivot_of_row[reduced->rank++] = c;
  }
  for (PetscInt i = 0; i < rows * cols; i++) reduced->m[i] = (PetscReal)m[i];
  return PETSC_TRUE;
}

/* The same of reduced->m in floating point, with the largest entry of a column as its pivot. */
static void ReduceNumerically(PetscInt rows, PetscInt cols, Reduced *reduced)
{
  PetscReal *const m = reduced->m;

  reduced->rank = 0;
  for (PetscInt c = 0; c < cols && reduced->rank < rows; c++) {
    PetscReal *const top = m + reduced->rank * cols;
    PetscInt         p   = reduced->rank;

    for (PetscInt r = p + 1; r < rows; r++) {
      if (PetscAbsReal(m[r * cols + c]) > PetscAbsReal(m[p * cols + c])) p = r;
    }
    if (PetscAbsReal(m[p * cols + c]) < 1.0e-10) {
      for (PetscInt r = reduced->rank; r < rows; r++) m[r * cols + c] = 0.0;
      continue;
    }
    SwapRows((size_t)cols * sizeof(*m), (char *)(m + p * cols), (char *)top);
    for (PetscInt r = 0; r < rows; r++) {
      const PetscReal factor = m[r * cols + c] / top[c];

      if (r == reduced->rank || factor == 0.0) continue;
      for (PetscInt k = 0; k < cols; k++) m[r * cols + k] -= factor * top[k];
      m[r * cols + c] = 0.0;
    }
    reduced->is_pivot[c]                   = PETSC_TRUE;
    reduced->pivot_of_row[reduced->rank++] = c;
  }
}

/* A basis of the null space by elimination: one vector for each column without pivot. */
static PetscErrorCode EliminationBasis(PetscInt rows, PetscInt cols, const PetscInt matrix[], PetscInt *num, PetscReal **w)
{
  PetscInt64 *exact;
  Reduced     reduced;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4((size_t)rows * cols + 1, &exact, (size_t)rows * cols + 1, &reduced.m, rows + 1, &reduced.pivot_of_row, cols, &reduced.is_pivot));
  PetscCall(PetscArrayzero(reduced.is_pivot, cols));
  for (PetscInt i = 0; i < rows * cols; i++) exact[i] = matrix[i];
  if (!ReduceExactly(rows, cols, exact, &reduced)) {
    PetscCall(PetscArrayzero(reduced.is_pivot, cols));
    for (PetscInt i = 0; i < rows * cols; i++) reduced.m[i] = (PetscReal)matrix[i];
    ReduceNumerically(rows, cols, &reduced);
  }
  *num = cols - reduced.rank;
  PetscCall(PetscCalloc1((size_t)PetscMax(*num, 1) * cols, w));
  for (PetscInt c = 0, n = 0; c < cols; c++) {
    PetscReal *v = *w + n * cols;

    if (reduced.is_pivot[c]) continue;
    v[c] = 1.0;
    for (PetscInt r = 0; r < reduced.rank; r++) {
      const PetscReal weight = -reduced.m[r * cols + c] / reduced.m[r * cols + reduced.pivot_of_row[r]];

      v[reduced.pivot_of_row[r]] = PetscAbsReal(weight) < 1.0e-12 ? 0.0 : weight; /* rounding */
    }
    n++;
  }
  PetscCall(PetscFree4(exact, reduced.m, reduced.pivot_of_row, reduced.is_pivot));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretNullVectors(PetscInt rows, PetscInt cols, const PetscInt matrix[], PetscInt *num, PetscReal *w[])
{
  PetscInt    num_rays = 0, found = 0, dimension = 0, *pivot;
  PetscInt64 *rays;
  PetscReal  *eliminated, *basis, *v;

  PetscFunctionBegin;
  PetscCall(NonnegativeRays(rows, cols, matrix, &num_rays, &rays));
  PetscCall(EliminationBasis(rows, cols, matrix, &dimension, &eliminated));
  PetscCall(PetscMalloc3((size_t)(cols + 1) * cols, &basis, cols + 1, &pivot, cols, &v));
  PetscCall(PetscCalloc1((size_t)PetscMax(dimension, 1) * cols, w));
  for (PetscInt support = 1; support <= cols; support++) {
    for (PetscInt i = 0; i < num_rays; i++) {
      if (Support(cols, rays + i * cols) != support) continue;
      for (PetscInt k = 0; k < cols; k++) v[k] = (PetscReal)rays[i * cols + k];
      if (found < dimension && AddIndependent(cols, basis, pivot, &found, v)) PetscCall(PetscArraycpy(*w + (found - 1) * cols, v, cols));
    }
  }
  for (PetscInt i = 0; i < dimension; i++) {
    if (found < dimension && AddIndependent(cols, basis, pivot, &found, eliminated + i * cols)) PetscCall(PetscArraycpy(*w + (found - 1) * cols, eliminated + i * cols, cols));
  }
  *num = found;
  PetscCall(PetscFree3(basis, pivot, v));
  PetscCall(PetscFree(rays));
  PetscCall(PetscFree(eliminated));
  PetscFunctionReturn(PETSC_SUCCESS);
}
