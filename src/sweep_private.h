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
