/* SPDX-License-Identifier: BSD-2-Clause

   Parameter studies: a case for a list of values of one number, in one table (docs/result-file.md, "Sweeps"). Steady states start each from the
   one before, transients all from the initial state. */
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
  int         state_rank;                     /* as a box of an array over the grid, see SoretGridBox()     */
  PetscInt    state_size[4], state_start[4], state_count[4];
  PetscBool   again;                          /* a point is tried for the second time                       */
  SoretOutcome in_vain;                       /* what the first time cost                                   */
} SoretSweep;

/* How a sweep is started, and what a checkpoint needs to start it again. */
typedef struct {
  const char   *command; /* line                                            */
  const char   *prefix;  /* of the checkpoints                              */
  SoretRestart  restart; /* what it goes on from, or NULL                   */
  SoretArchiver save;    /* writes the part `run`, of which the caller knows */
  void         *context;
} SoretSweepLaunch;

/* Tries every value on the case, without solving: its mistakes are told at its place in the file. Collective. */
PetscErrorCode SoretSweepCheck(MPI_Comm comm, const SoretCaseSource *source, SoretCase *c);

/* What `soret check` says of it. Collective. */
PetscErrorCode SoretSweepReport(MPI_Comm comm, const SoretCase *c);

/* Runs it and writes the result. A point that fails is recorded, and the next one starts from the last that did not. c is the case without any of
   the values; outcome->converged tells whether all points did, outcome->stopped that it was asked to stop and can go on. *path gets the name of the
   result, where there is one. Collective. */
PetscErrorCode SoretSweepRun(MPI_Comm comm, const SoretCaseSource *source, SoretCase *c, const SoretSweepLaunch *launch, SoretOutcome *outcome, size_t length, char path[]);
