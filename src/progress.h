/* SPDX-License-Identifier: BSD-2-Clause

   What a run tells while it runs: on a terminal one line that rewrites itself, in a log file a line every few per cent. */
#pragma once

#include "soret/text.h"

typedef struct {
  PetscBool      speaks;      /* rank 0               */
  PetscBool      terminal;    /* stdout is one        */
  PetscLogDouble begin, last; /* last: of a line      */
  int            percent;     /* last one told, or -1 */
  PetscReal      from;        /* percentage at which this attempt began; < 0: not known yet */
  PetscReal      first;       /* residual, or 0       */
} SoretProgress;

PetscErrorCode SoretProgressStart(MPI_Comm comm, SoretProgress *progress);

/* After a Newton iteration or a cycle. The way from the first residual to the tolerance is measured in decades. */
PetscErrorCode SoretProgressSteady(SoretProgress *progress, PetscInt iteration, PetscReal residual, PetscReal tolerance);

/* After a time step. */
PetscErrorCode SoretProgressTime(SoretProgress *progress, PetscInt step, PetscReal t, PetscReal end);

/* Leaves the rewritten line behind. */
PetscErrorCode SoretProgressStop(SoretProgress *progress);
