/* SPDX-License-Identifier: BSD-2-Clause

   Transport, and reactions of a few species with at most two factors on each side, as nearly all are, for four cells at once in vector registers:
   pure functions, without allocation, MPI or PETSc objects. Any other network goes the general way (kernel.h, network.h).

   Vectors of four are an extension that GCC and Clang share; on machines with shorter registers they become two or four operations. */
#pragma once

#include <stdint.h>

#include "blocks.h"

enum {
  SORET_FOUR = 4 /* cells */
};

typedef PetscReal  SoretFour __attribute__((vector_size(SORET_FOUR * sizeof(PetscReal))));
typedef PetscInt64 SoretFourMask __attribute__((vector_size(SORET_FOUR * sizeof(PetscInt64))));

typedef PetscReal  SoretTwo __attribute__((vector_size(2 * sizeof(PetscReal))));
/* As they lie in arrays; a copy by memcpy() goes through the stack here and there. */
typedef SoretFour SoretFourAnywhere __attribute__((aligned(sizeof(PetscReal)), may_alias));
typedef SoretTwo  SoretTwoAnywhere __attribute__((aligned(sizeof(PetscReal)), may_alias));

/* Four of the eight entries of a and b; two pairs joined; a pair of a vector. */
#if defined(__clang__) || __GNUC__ >= 12
  #define SORET_FOUR_PICK(a, b, ...)  __builtin_shufflevector(a, b, __VA_ARGS__)
  #define SORET_FOUR_JOIN(a, b)       __builtin_shufflevector(a, b, 0, 1, 2, 3)
  #define SORET_FOUR_PAIR(v, k)       __builtin_shufflevector(v, v, 2 * (k), 2 * (k) + 1)
#else
  #define SORET_FOUR_PICK(a, b, ...)  __builtin_shuffle(a, b, (SoretFourMask){__VA_ARGS__})
  #define SORET_FOUR_JOIN(a, b)       ((SoretFour){(a)[0], (a)[1], (b)[0], (b)[1]})
  #define SORET_FOUR_PAIR(v, k)       ((SoretTwo){(v)[2 * (k)], (v)[2 * (k) + 1]})
#endif

INLINED SoretFour SoretFourOf(PetscReal value)
{
  return (SoretFour){value, value, value, value};
}

/* Four entries that lie together. */
INLINED SoretFour SoretFourAt(const PetscReal *x)
{
  return *(const SoretFourAnywhere *)x;
}

INLINED SoretTwo SoretTwoAt(const PetscReal *x)
{
  return *(const SoretTwoAnywhere *)x;
}

INLINED void SoretTwoPut(SoretTwo v, PetscReal *x)
{
  *(SoretTwoAnywhere *)x = v;
}

/* Entries x[0], x[step], x[2 step], x[3 step]; only the first n exist, and the last of these stands for the others. */
INLINED SoretFour SoretFourLoad(PetscInt n, const PetscInt step, const PetscReal *x)
{
  if (n == SORET_FOUR && step == 1) return SoretFourAt(x);
  if (n == SORET_FOUR && step == 2) {
    const SoretFour a = SoretFourAt(x), b = SoretFourAt(x + 3); /* no entry beyond x[6], which may be the last */

    return SORET_FOUR_PICK(a, b, 0, 2, 5, 7);
  }
  if (n == SORET_FOUR) return (SoretFour){x[0], x[step], x[2 * step], x[3 * step]};
  return (SoretFour){x[0], x[n > 1 ? step : 0], x[n > 2 ? 2 * step : (n - 1) * step], x[(n - 1) * step]};
}

INLINED void SoretFourPut(SoretFour v, PetscReal *x)
{
  *(SoretFourAnywhere *)x = v;
}

/* The same past the caches, where memory would be read only to be overwritten. x - a multiple of 32 bytes */
INLINED void SoretFourPutPast(SoretFour v, PetscReal *x)
{
#if defined(__clang__)
  __builtin_nontemporal_store(v, (SoretFour *)x);
#elif defined(__AVX__)
  __builtin_ia32_movntpd256(x, v);
#elif defined(__SSE2__)
  __builtin_ia32_movntpd(x, SORET_FOUR_PAIR(v, 0));
  __builtin_ia32_movntpd(x + 2, SORET_FOUR_PAIR(v, 1));
#else
  SoretFourPut(v, x);
#endif
}

/* ns values of each of four cells `step` apart, in whatever order is cheapest to load: what is done entry by entry needs no other, and Sort brings
   it to vectors of one species each. x - first value of the first cell; only the first n cells exist. */
INLINED void SoretFourLoadMixed(const PetscInt ns, PetscInt n, const PetscInt step, const PetscReal *x, SoretFour mixed[])
{
  if (ns == 2 && n == SORET_FOUR && step == 1) {
    mixed[0] = SoretFourAt(x);
    mixed[1] = SoretFourAt(x + 4);
  } else if (ns == 2 && n == SORET_FOUR) {
    const SoretTwo x0 = SoretTwoAt(x), x1 = SoretTwoAt(x + 2 * step), x2 = SoretTwoAt(x + 4 * step), x3 = SoretTwoAt(x + 6 * step);

    mixed[0] = SORET_FOUR_JOIN(x0, x2);
    mixed[1] = SORET_FOUR_JOIN(x1, x3);
  } else if (ns == 4 && n == SORET_FOUR) {
    for (PetscInt l = 0; l < SORET_FOUR; l++) mixed[l] = SoretFourAt(x + l * step * ns);
  } else {
    for (PetscInt s = 0; s < ns; s++) mixed[s] = SoretFourLoad(n, step * ns, x + s);
  }
}

INLINED void SoretFourSort(const PetscInt ns, PetscInt n, const SoretFour mixed[], SoretFour v[])
{
  if (ns == 2 && n == SORET_FOUR) {
    const SoretFour a = mixed[0], b = mixed[1];

    v[0] = SORET_FOUR_PICK(a, b, 0, 4, 2, 6);
    v[1] = SORET_FOUR_PICK(a, b, 1, 5, 3, 7);
  } else if (ns == 4 && n == SORET_FOUR) {
    const SoretFour a = SORET_FOUR_PICK(mixed[0], mixed[1], 0, 4, 2, 6), b = SORET_FOUR_PICK(mixed[0], mixed[1], 1, 5, 3, 7);
    const SoretFour c = SORET_FOUR_PICK(mixed[2], mixed[3], 0, 4, 2, 6), d = SORET_FOUR_PICK(mixed[2], mixed[3], 1, 5, 3, 7);

    v[0] = SORET_FOUR_PICK(a, c, 0, 1, 4, 5);
    v[1] = SORET_FOUR_PICK(b, d, 0, 1, 4, 5);
    v[2] = SORET_FOUR_PICK(a, c, 2, 3, 6, 7);
    v[3] = SORET_FOUR_PICK(b, d, 2, 3, 6, 7);
  } else {
    for (PetscInt s = 0; s < ns; s++) v[s] = mixed[s];
  }
}

/* One value of each of the four cells, in the order of the cells in sorted vectors of ns species: 0, 2, 1, 3 for two species side by side. */
INLINED SoretFour SoretFourLoadLanes(const PetscInt ns, PetscInt n, const PetscInt step, const PetscReal *x)
{
  if (ns == 2 && n == SORET_FOUR && step == 1) {
    const SoretFour v = SoretFourAt(x);

    return SORET_FOUR_PICK(v, v, 0, 2, 1, 3);
  }
  return SoretFourLoad(n, step, x);
}

INLINED void SoretFourLoadCells(const PetscInt ns, PetscInt n, const PetscInt step, const PetscReal *x, SoretFour v[])
{
  SoretFour mixed[SORET_FEW];

  SoretFourLoadMixed(ns, n, step, x, mixed);
  SoretFourSort(ns, n, mixed, v);
}

/* past - past the caches, for 2 and 4 species of cells that lie together? */
INLINED void SoretFourStoreCells(const PetscInt ns, PetscInt n, const PetscInt step, const PetscBool past, const SoretFour v[], PetscReal *x)
{
  SoretFour mixed[SORET_FEW];

  if (n == SORET_FOUR && (ns == 2 || ns == 4)) SoretFourSort(ns, n, v, mixed); /* its own inverse */
  if (past) {
    for (PetscInt k = 0; k < ns; k++) SoretFourPutPast(mixed[k], x + k * SORET_FOUR);
  } else if (ns == 2 && n == SORET_FOUR && step == 1) {
    SoretFourPut(mixed[0], x);
    SoretFourPut(mixed[1], x + 4);
  } else if (ns == 2 && n == SORET_FOUR) {
    SoretTwoPut(SORET_FOUR_PAIR(mixed[0], 0), x);
    SoretTwoPut(SORET_FOUR_PAIR(mixed[1], 0), x + 2 * step);
    SoretTwoPut(SORET_FOUR_PAIR(mixed[0], 1), x + 4 * step);
    SoretTwoPut(SORET_FOUR_PAIR(mixed[1], 1), x + 6 * step);
  } else if (ns == 4 && n == SORET_FOUR) {
    for (PetscInt l = 0; l < SORET_FOUR; l++) SoretFourPut(mixed[l], x + l * step * ns);
  } else {
    for (PetscInt l = 0; l < n; l++) {
      for (PetscInt s = 0; s < ns; s++) x[l * step * ns + s] = v[s][l];
    }
  }
}

INLINED PetscBool SoretFourAny(SoretFourMask mask)
{
#if defined(__SSE2__)
  return __builtin_ia32_movmskpd(SORET_FOUR_PAIR((SoretFour)mask, 0)) | __builtin_ia32_movmskpd(SORET_FOUR_PAIR((SoretFour)mask, 1)) ? PETSC_TRUE : PETSC_FALSE; /* else each entry is taken out of its register */
#else
  return mask[0] | mask[1] | mask[2] | mask[3] ? PETSC_TRUE : PETSC_FALSE;
#endif
}

/* v where the mask is set, else 0. */
INLINED SoretFour SoretFourWhere(SoretFourMask mask, SoretFour v)
{
  return (SoretFour)(mask & (SoretFourMask)v);
}

INLINED PetscReal SoretFourTotal(SoretFour v)
{
  return v[0] + v[1] + v[2] + v[3];
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
