/* SPDX-License-Identifier: BSD-2-Clause

   Reactions of a few species with at most two factors on each side, as nearly all are, for four cells at once in vector registers: pure
   functions, without allocation, MPI or PETSc objects. Any other network goes the general way (network.h).

   Vectors of four are an extension that GCC and Clang share; on machines with shorter registers they become two or four operations. */
#pragma once

#include <stdint.h>

#include "kernel.h"

enum {
  SORET_FOUR = 4 /* cells */
};

/* Rate = kf x0 x1 - kb y0 y1, its factors concentrations or 1. */
struct SoretPair {
  PetscInt  factor[4];        /* species of x0, x1, y0, y1; the number of species: the number 1 */
  PetscReal nu[SORET_FEW];    /* stoichiometry                                                  */
  PetscReal is[SORET_FEW][4]; /* 1 where a factor is a species, else 0                          */
};

typedef PetscReal  SoretFour __attribute__((vector_size(SORET_FOUR * sizeof(PetscReal))));
typedef PetscInt64 SoretFourMask __attribute__((vector_size(SORET_FOUR * sizeof(PetscInt64))));

/* Entries 0, 4, 2, 6 (first) or 1, 5, 3, 7 (second) of the eight of a and b. */
#if defined(__clang__)
  #define SORET_FOUR_FIRST(a, b)  __builtin_shufflevector(a, b, 0, 4, 2, 6)
  #define SORET_FOUR_SECOND(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)
#else
  #define SORET_FOUR_FIRST(a, b)  __builtin_shuffle(a, b, (SoretFourMask){0, 4, 2, 6})
  #define SORET_FOUR_SECOND(a, b) __builtin_shuffle(a, b, (SoretFourMask){1, 5, 3, 7})
#endif

INLINED SoretFour SoretFourOf(PetscReal value)
{
  return (SoretFour){value, value, value, value};
}

/* Entries x[0], x[step], x[2 step], x[3 step]; only the first n exist, and the last of these stands for the others. */
INLINED SoretFour SoretFourLoad(PetscInt n, const PetscInt step, const PetscReal *x)
{
  if (n == SORET_FOUR) return (SoretFour){x[0], x[step], x[2 * step], x[3 * step]};
  return (SoretFour){x[0], x[n > 1 ? step : 0], x[n > 2 ? 2 * step : (n - 1) * step], x[(n - 1) * step]};
}

/* The same for ns values that lie together in each cell: v[s] = x[s], x[s + step], ... */
INLINED void SoretFourLoadCells(const PetscInt ns, PetscInt n, const PetscInt step, const PetscReal *x, SoretFour v[])
{
  if (ns == 2 && n == SORET_FOUR) { /* two shuffles */
    const PetscReal *x1 = x + step, *x2 = x + 2 * step, *x3 = x + 3 * step;
    const SoretFour  even = {x[0], x[1], x2[0], x2[1]}, odd = {x1[0], x1[1], x3[0], x3[1]};

    v[0] = SORET_FOUR_FIRST(even, odd);
    v[1] = SORET_FOUR_SECOND(even, odd);
  } else {
    for (PetscInt s = 0; s < ns; s++) v[s] = SoretFourLoad(n, step, x + s);
  }
}

INLINED void SoretFourStoreCells(const PetscInt ns, PetscInt n, const PetscInt step, const SoretFour v[], PetscReal *x)
{
  if (ns == 2 && n == SORET_FOUR) {
    const SoretFour even = SORET_FOUR_FIRST(v[0], v[1]), odd = SORET_FOUR_SECOND(v[0], v[1]);

    for (int e = 0; e < 2; e++) {
      x[e]            = even[e];
      x[step + e]     = odd[e];
      x[2 * step + e] = even[2 + e];
      x[3 * step + e] = odd[2 + e];
    }
  } else {
    for (PetscInt l = 0; l < n; l++) {
      for (PetscInt s = 0; s < ns; s++) x[l * step + s] = v[s][l];
    }
  }
}

INLINED PetscBool SoretFourAny(SoretFourMask mask)
{
  return mask[0] | mask[1] | mask[2] | mask[3] ? PETSC_TRUE : PETSC_FALSE;
}

INLINED SoretFour SoretFourAbs(SoretFour v)
{
  return (SoretFour)((SoretFourMask)v & INT64_MAX);
}

/* Subtracts the source of a reaction from sum[ns] and, unless J is NULL, its derivatives by c from J[ns][ns].

   c - [ns + 1], the last one 1 */
INLINED void SoretFourReact(const PetscInt ns, const struct SoretPair *pair, SoretFour kf, SoretFour kb, const SoretFour c[], SoretFour sum[], SoretFour J[])
{
  const SoretFour x0 = c[pair->factor[0]], x1 = c[pair->factor[1]], y0 = c[pair->factor[2]], y1 = c[pair->factor[3]];
  const SoretFour dx0 = kf * x1, dx1 = kf * x0, dy0 = kb * y1, dy1 = kb * y0, rate = dx0 * x0 - dy0 * y0;

  SORET_PRAGMA(GCC unroll 4)
  for (PetscInt j = 0; j < ns; j++) {
    sum[j] -= pair->nu[j] * rate;
    if (!J) continue;
    {
      const SoretFour slope = pair->is[j][0] * dx0 + pair->is[j][1] * dx1 - pair->is[j][2] * dy0 - pair->is[j][3] * dy1;

      SORET_PRAGMA(GCC unroll 4)
      for (PetscInt i = 0; i < ns; i++) J[i * ns + j] -= pair->nu[i] * slope;
    }
  }
}

/* x = J^-1 f by elimination without pivoting, which is safe for the diagonally dominant blocks of most networks. J and f are overwritten.
   Returns the smallest ratio of a pivot to the diagonal entry that it came from: what was lost. */
INLINED SoretFour SoretFourSolve(const PetscInt ns, SoretFour J[], SoretFour f[], SoretFour x[])
{
  SoretFour worst = {1.0, 1.0, 1.0, 1.0};

  if (ns == 1) {
    x[0] = f[0] / J[0];
  } else if (ns == 2) {
    const SoretFour inverse = 1.0 / (J[0] * J[3] - J[1] * J[2]);

    x[0] = (J[3] * f[0] - J[1] * f[1]) * inverse;
    x[1] = (J[0] * f[1] - J[2] * f[0]) * inverse;
  } else {
    SoretFour own[SORET_FEW];

    for (PetscInt c = 0; c < ns; c++) own[c] = J[c * ns + c];
    SORET_PRAGMA(GCC unroll 4)
    for (PetscInt c = 0; c < ns; c++) {
      const SoretFour     pivot = 1.0 / J[c * ns + c], ratio = J[c * ns + c] / own[c];
      const SoretFourMask less = ~(ratio >= worst);

      worst = (SoretFour)(((SoretFourMask)ratio & less) | ((SoretFourMask)worst & ~less));
      SORET_PRAGMA(GCC unroll 4)
      for (PetscInt i = c + 1; i < ns; i++) {
        const SoretFour factor = J[i * ns + c] * pivot;

        SORET_PRAGMA(GCC unroll 4)
        for (PetscInt j = c + 1; j < ns; j++) J[i * ns + j] -= factor * J[c * ns + j];
        f[i] -= factor * f[c];
      }
    }
    SORET_PRAGMA(GCC unroll 4)
    for (PetscInt c = ns - 1; c >= 0; c--) {
      x[c] = f[c];
      SORET_PRAGMA(GCC unroll 4)
      for (PetscInt j = c + 1; j < ns; j++) x[c] -= J[c * ns + j] * x[j];
      x[c] /= J[c * ns + c];
    }
  }
  return worst;
}
