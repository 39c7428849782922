/* SPDX-License-Identifier: BSD-2-Clause

   Parameter studies: the steady states of a case for a list of values of one number, each started from the one before, in one table
   (docs/result-file.md, "Sweeps"). */
#pragma once

#include "soret/case.h"

enum { SORET_REASON_LENGTH = 512 };

/* Where a sweep stands: all that is needed to go on with it is this and the state of each branch. Rows belong to points by number, in the order in
   which they were made. */
typedef struct {
  SoretPoints points;
  PetscInt    num_columns;
  char      **column;                         /* [num_columns] names in /sweep                              */
  PetscReal  *row;                            /* [points.room][num_columns] NaN where there is no value     */
  char      (*reason)[SORET_REASON_LENGTH];   /* [points.room]                                              */
  PetscInt    num_done, num_failed, first_failed;
  PetscReal  *state;                          /* [num_state] last concentrations of the branch of this rank */
  PetscInt    num_state;
} SoretSweep;

/* Tries every value on the case, without solving: its mistakes are told at its place in the file. Collective. */
PetscErrorCode SoretSweepCheck(MPI_Comm comm, const SoretCaseSource *source, SoretCase *c);

/* What `soret check` says of it. Collective. */
PetscErrorCode SoretSweepReport(MPI_Comm comm, const SoretCase *c);

/* Runs it and writes the result. A point that fails is recorded, and the next one starts from the last that did not. c is the case without any of
   the values; outcome->converged tells whether all points did. Collective. */
PetscErrorCode SoretSweepRun(MPI_Comm comm, const SoretCaseSource *source, SoretCase *c, const char *command, SoretOutcome *outcome);
