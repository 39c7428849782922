/* SPDX-License-Identifier: BSD-2-Clause

   Between a level and the next coarser one, matrix-free. u = b c is smooth where c is not, so that is what is averaged and interpolated. */
#pragma once

#include "solve_private.h"

#include "kernel.h"

typedef struct {
  SoretSystem   *fine_sys;
  SoretOperator *fine, *coarse;
  PetscBool      coarsened[3];
  PetscReal     *share;           /* [fine cells] weight of coarse cells with fluid in what is interpolated, NULL: 1 everywhere */
  PetscReal     *box;             /* u of the coarse grid with a layer of neighbours, edges and corners included */
  PetscInt       start[3], size[3]; /* its first cell in the whole grid, and its extent                       */
  PetscInt      *index[3];        /* [count][2] of the fine cells: entries of the ghosted array along y and z */
  PetscReal     *weight[3];       /* [count][2] */
  PetscReal     *lo, *hi;         /* [count][species] weights along x, of the coarse cells below and above     */
  PetscReal     *line;            /* a ghosted coarse row, or u of a fine one */
  PetscReal     *row, *work;      /* fine rows            */
  PetscReal     *volume;          /* [fine cells] volumes, 0 where a cell takes no part in the coarse one: only with several parts of the fluid */
} SoretTransfer;

/* Both are borrowed. Collective. */
PetscErrorCode SoretTransferCreate(SoretSystem *fine, SoretOperator *coarse, const PetscBool coarsened[3], SoretTransfer *t);
PetscErrorCode SoretTransferDestroy(SoretTransfer *t);

/* coarse = mean of the u of the fine cells, over b. Collective. */
PetscErrorCode SoretTransferState(const SoretTransfer *t, Vec fine, Vec coarse);

/* In one pass: state as above, residual = sums of fine_rhs - (left side of the fine system), and the square of the latter on this rank.
   fine_rhs may be NULL: 0. Collective. */
PetscErrorCode SoretTransferDefect(const SoretTransfer *t, Vec fine_rhs, Vec fine, Vec state, Vec residual, PetscReal *square);

/* fine = interpolated coarse; or, with coarse_old, fine += interpolated (coarse - coarse_old), shortened cell by cell where a positive
   concentration would become negative. Linear in u; beyond walls corrections obey the linearised condition. Collective. */
PetscErrorCode SoretTransferInterpolate(const SoretTransfer *t, Vec coarse, Vec coarse_old, Vec fine);
