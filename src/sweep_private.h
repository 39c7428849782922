/* SPDX-License-Identifier: BSD-2-Clause

   What the files of the module sweep share. */
#pragma once

#include "soret/sweep.h"

/* The ranks of a sweep, and which of them do what. */
typedef struct {
  MPI_Comm comm, branch_comm;
  PetscInt branch, num_branches; /* of this rank; of all */
} SoretSweepRanks;

/* Rank of comm that is the first of a branch. Not collective. */
PetscErrorCode SoretSweepFirstRank(const SoretSweepRanks *ranks, PetscInt branch, PetscMPIInt *first);

/* Keeps a state of the branch of this rank, from which its next point starts. Collective over the branch. */
PetscErrorCode SoretSweepRemember(SoretSweep *sweep, const SoretGrid *grid, PetscInt num_species, Vec c);

/* Puts all of a sweep into a part of a checkpoint. A point that is on the way is the first of its branch where the sweep goes on. Collective over comm. */
PetscErrorCode SoretSweepPut(const SoretSweep *sweep, const SoretSweepRanks *ranks, const SoretCase *c, SoretArchive archive);

/* Gets it back into a sweep that was made for the same case. Other values or columns than in the checkpoint: message and SORET_ERR_INPUT. With another
   number of branches each begins without a last state, and where the grid cannot be cut for the ranks of some branch. Collective over comm.

   c - the case without any of the values: the grid that states are on */
PetscErrorCode SoretSweepGet(SoretSweep *sweep, const SoretSweepRanks *ranks, const SoretCase *c, SoretArchive archive);

/* The case with the value as one more override, and without its sweep, the values of which would be read with every one of them; to be read by SoretCaseRead();
   memory of the caller. */
typedef struct {
  SoretCaseSource source;
  char            assignment[PETSC_MAX_PATH_LEN];
  char          **overrides;
} SoretSweepVariant;

PetscErrorCode SoretSweepMakeVariant(const SoretCaseSource *source, const SoretCase *c, PetscReal value, SoretSweepVariant *variant);

/* Names of all columns of the table, to be freed by SoretSweepFreeColumns(); num_series of them come from the series, after the own ones. */
PetscErrorCode SoretSweepListColumns(const SoretCase *c, PetscInt *num, PetscInt *num_series, char ***column);
PetscErrorCode SoretSweepFreeColumns(PetscInt num, char ***column);

/* -1: there is none. */
PetscInt SoretSweepFindColumn(PetscInt num, char *const column[], const char *name);
