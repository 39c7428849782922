/* SPDX-License-Identifier: BSD-2-Clause

   What the Soret meter sees beside the cells of a row (meter_cells.c, meter.c). */
#pragma once

#include "diagnose_private.h"

/* What the loops need around a row: c, b and T of the cells beside it, and the coefficients of the faces between. */
typedef struct {
  SoretOperator   *op;
  const SoretRow  *row;
  const PetscReal *c, *b; /* of this rank                         */
  SoretHalo        halo_c, halo_b;
  PetscReal       *g[6], *w[6]; /* [count[0] num_species] of each face  */
  PetscReal       *work, *beside[3];
  PetscReal       *closed; /* [num_cells] SoretGrid.closed as numbers, for its halo; NULL without solid */
  SoretHalo        halo_closed;
} SoretAround;

/* A face as its two cells see it, lower one first. */
typedef struct {
  const PetscReal *c[2], *b[2]; /* [num_species] */
  const PetscReal *g, *w;       /* [num_species], w may be NULL: no velocity */
  PetscReal        T[2];
  PetscReal        shape; /* area over distance of the centres */
  PetscReal        distance;
} SoretFace;

/* Values of x in its own cells and beside them; collective. x is borrowed until SoretAroundDestroy(). Before the others, `row` is set. */
PetscErrorCode SoretAroundCreate(SoretOperator *op, Vec x, SoretAround *a);
PetscErrorCode SoretAroundDestroy(SoretAround *a, Vec x);

/* Coefficients of the faces on one side of the cells of the row; does a velocity carry anything through them? */
PetscBool SoretLoadFaces(SoretAround *a, int axis, int side);

/* The face on one side of cell i of the row; PETSC_FALSE at a wall. */
PetscBool SoretFaceOf(const SoretAround *a, PetscInt i, int axis, int side, SoretFace *face);

/* Can something diffuse through the face? A closed one says nothing of a gradient. */
PetscBool SoretFaceIsOpen(const SoretOperator *op, const SoretFace *face);

/* Splits -(P_hi - P_lo) of the sum P into parts. With d the difference across the face, m the mean of both cells and D~ = g m(b),

     -J + carried = sum w g d(b c) = m<D> dP + m(P) sum w D~ d(p) + sum w g m(c) d(b),     d(b) = m(e) d(D^alpha) + m(D^alpha) d(e),  e = exp(Theta)

   which is the product rule of differences, without a remainder. <D> = sum w D~ m(p), p = c/P. PETSC_FALSE where P is not of one sign; the parts
   are NaN where no member diffuses. */
PetscBool SoretPartsOf(const SoretOperator *op, const SoretFace *face, const PetscReal w[], PetscReal part[SORET_NUM_PARTS]);

static inline PetscReal SoretSumOf(PetscInt n, const PetscReal w[], const PetscReal c[])
{
  PetscReal sum = 0.0;

  for (PetscInt s = 0; s < n; s++) sum += w[s] * c[s];
  return sum;
}

/* Does T vary at all, beyond rounding? */
static inline PetscBool SoretTemperatureVaries(const SoretTemperature *temperature)
{
  return temperature->max - temperature->min > 1.0e-12 * temperature->max ? PETSC_TRUE : PETSC_FALSE;
}
