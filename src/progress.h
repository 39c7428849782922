/* SPDX-License-Identifier: BSD-2-Clause

   What a run tells while it runs: on a terminal one line that rewrites itself, in a log file a line every few per cent. */
#pragma once

#include "soret/base.h"

typedef struct {
  PetscBool      speaks;   /* rank 0          */
  PetscBool      terminal; /* stdout is one   */
  PetscLogDouble begin, last;
  int            percent;  /* last one told   */
} SoretProgress;

PetscErrorCode SoretProgressStart(MPI_Comm comm, SoretProgress *progress);

/* After a Newton iteration. */
PetscErrorCode SoretProgressSteady(SoretProgress *progress, PetscInt iteration, PetscReal residual, PetscReal tolerance);

/* After a time step. */
PetscErrorCode SoretProgressTime(SoretProgress *progress, PetscInt step, PetscReal t, PetscReal end);

/* Leaves the rewritten line behind. */
PetscErrorCode SoretProgressStop(SoretProgress *progress);
