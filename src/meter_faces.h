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

/* n faces side by side as their cells see them, lower ones first: of a row along one axis, or some of them. */
typedef struct {
  PetscInt         n;
  const PetscReal *c[2], *b[2], *T[2]; /* [n][num_species], T [n]              */
  const PetscReal *g, *w;              /* [n][num_species], w may be NULL: no velocity */
} SoretFaces;

/* What is known of one sum at each of n faces: its difference, lower less upper, its mean, 0 where it is not of one sign or nothing can diffuse through the face, and, before they are divided by D, what its parts are made of. */
typedef struct {
  PetscReal *whole, *mean, *over_lo, *over_hi, *D, *chemical, *diffusivity, *intrinsic, *diffusive, *carried; /* [n] */
} SoretPartRows;

enum { SORET_NUM_PART_ROWS = sizeof(SoretPartRows) / sizeof(PetscReal *) };

/* Values of x in its own cells and beside them; collective. x is borrowed until SoretAroundDestroy(). Before the others, `row` is set. */
PetscErrorCode SoretAroundCreate(SoretOperator *op, Vec x, SoretAround *a);
PetscErrorCode SoretAroundDestroy(SoretAround *a, Vec x);

/* Coefficients of the faces on one side of the cells of the row; does a velocity carry anything through them? */
PetscBool SoretLoadFaces(SoretAround *a, int axis, int side);

/* All faces on one side of the cells of the row, after SoretLoadFaces(), which said whether a velocity moves; beyond a wall is the cell itself. Good until it is called again. */
SoretFaces SoretFacesOf(const SoretAround *a, int axis, int side, PetscBool moves);

/* Can something diffuse through a face with the conductances g[num_species]? A closed one says nothing of a gradient. */
PetscBool SoretFaceIsOpen(const SoretOperator *op, const PetscReal g[]);

/* Rows in work[SORET_NUM_PART_ROWS * n]. */
SoretPartRows SoretPartRowsIn(PetscReal work[], PetscInt n);

/* Splits -(P_hi - P_lo) of the sum P = w c into parts, at all faces. With d the difference across the face, m the mean of both cells and D~ = g m(b),

     -J + carried = sum w g d(b c) = m<D> dP + m(P) sum w D~ d(p) + sum w g m(c) d(b),     d(b) = m(e) d(D^alpha) + m(D^alpha) d(e),  e = exp(Theta)

   which is the product rule of differences, without a remainder. <D> = sum w D~ m(p), p = c/P. */
void SoretPartsOf(const SoretOperator *op, const SoretFaces *faces, const PetscReal w[], const SoretPartRows *rows);

/* The parts at face i, if the mean is not 0 there; they are NaN where no member diffuses. */
static inline void SoretPartsAt(const SoretPartRows *rows, PetscInt i, PetscReal part[SORET_NUM_PARTS])
{
  const PetscReal over_D = 1.0 / rows->D[i];

  part[SORET_PART_WHOLE]       = rows->whole[i];
  part[SORET_PART_CHEMICAL]    = rows->mean[i] * rows->chemical[i] * over_D;
  part[SORET_PART_DIFFUSIVITY] = rows->diffusivity[i] * over_D;
  part[SORET_PART_INTRINSIC]   = rows->intrinsic[i] * over_D;
  part[SORET_PART_TRANSPORT]   = (rows->diffusive[i] + rows->carried[i]) * over_D;
  part[SORET_PART_VELOCITY]    = -rows->carried[i] * over_D;
}

/* Adds shape[n] times the parts of all faces where the mean is not 0. */
void SoretAddParts(PetscInt n, const PetscReal shape[], const SoretPartRows *rows, PetscReal part[SORET_NUM_PARTS]);

/* Does T vary at all, beyond rounding? */
static inline PetscBool SoretTemperatureVaries(const SoretTemperature *temperature)
{
  return temperature->max - temperature->min > 1.0e-12 * temperature->max ? PETSC_TRUE : PETSC_FALSE;
}
