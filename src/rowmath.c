/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/rowmath.h"

#include <math.h>
#include <string.h>

#include "kernel.h"

/* The GNU C library has these functions for vectors of numbers (libmvec), and GCC calls them in loops that are declared free of order; elsewhere each number is
   a call. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((simd("notinbranch"))) double exp(double);
__attribute__((simd("notinbranch"))) double log(double);
__attribute__((simd("notinbranch"))) double pow(double, double);
#endif

enum { BLOCK = 8 }; /* numbers of the widest vector */

/* n - a multiple of BLOCK */
#define BLOCKS(name, value) \
  SORET_CLONES static void name##Blocks(PetscInt n, PetscReal x[], PetscReal y) \
  { \
    SORET_PRAGMA(omp simd) \
    for (PetscInt i = 0; i < n; i++) x[i] = value; \
  }
BLOCKS(Exp, exp(x[i]))
BLOCKS(Log, log(x[i]))
BLOCKS(Pow, pow(x[i], y))

/* The last block is filled up: one by one its numbers would have other last bits. */
static void Apply(void (*blocks)(PetscInt, PetscReal *, PetscReal), PetscInt n, PetscReal x[], PetscReal y)
{
  const PetscInt rest = n % BLOCK, full = n - rest;
  PetscReal      last[BLOCK];

  blocks(full, x, y);
  if (!rest) return;
  for (PetscInt i = 0; i < BLOCK; i++) last[i] = i < rest ? x[full + i] : 1.0;
  blocks(BLOCK, last, y);
  memcpy(x + full, last, (size_t)rest * sizeof(PetscReal));
}

void SoretExpRow(PetscInt n, PetscReal x[])
{
  Apply(ExpBlocks, n, x, 0.0);
}

void SoretLogRow(PetscInt n, PetscReal x[])
{
  Apply(LogBlocks, n, x, 0.0);
}

void SoretPowRow(PetscInt n, PetscReal x[], PetscReal y)
{
  Apply(PowBlocks, n, x, y);
}
