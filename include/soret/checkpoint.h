/* SPDX-License-Identifier: BSD-2-Clause

   Checkpoints: what a run needs to go on as if it had never stopped, and when to write it and to stop.

   A checkpoint is a list of named parts of which this module knows nothing but how to call their owners: solve, output and sweep each
   put arrays and texts in and get them back. Every checkpoint is a new file, a *generation*:

     PREFIX.ckpt-002-000007.h5          the data, parallel HDF5: generation 7, written by attempt 2 of the run
     PREFIX.ckpt-002-000007.manifest    its size and checksums of its blocks, with a checksum of itself

   The data is written, closed, synced and read back before the manifest is made, so that a generation with a good manifest is a good
   one; no file is ever changed or renamed. docs/checkpoints.md */
#pragma once

#include "soret/h5.h"
#include "soret/input.h"

/* The section `checkpoint` as data. */
typedef struct {
  SoretOptional every;  /* s of wall clock                                 */
  PetscInt      keep;
  char         *prefix; /* NULL: the name of the result without its ending */
} SoretCheckpointSpec;

/* Reads the section `checkpoint`; mistakes are collected in the input. Reference prints its keys for docs/case-reference.md. Not collective. */
PetscErrorCode SoretCheckpointSpecRead(SoretInput in, SoretCheckpointSpec *spec);
PetscErrorCode SoretCheckpointReference(FILE *out);

/* ---- what parts hold ---- */

/* One part of a checkpoint, open for writing or for reading. All functions are collective. */
typedef struct SoretArchive_s *SoretArchive;

/* An array of which each rank holds a box, as in SoretH5WriteBox(); any number of ranks may read it again. Getting one of another
   extent fails: message and SORET_ERR_INPUT. */
PetscErrorCode SoretArchivePutBox(SoretArchive archive, const char *name, int rank, const PetscInt size[], const PetscInt start[], const PetscInt count[], const PetscReal data[]);
PetscErrorCode SoretArchiveGetBox(SoretArchive archive, const char *name, int rank, const PetscInt size[], const PetscInt start[], const PetscInt count[], PetscReal data[]);

/* Extent of such an array. size - [8]. None of this name: *rank = -1. */
PetscErrorCode SoretArchiveSize(SoretArchive archive, const char *name, int *rank, PetscInt size[]);

/* Numbers that all ranks share; those of rank 0 are written. Integers are exact up to 2^53. n may be 0. */
PetscErrorCode SoretArchivePutReals(SoretArchive archive, const char *name, PetscInt n, const PetscReal value[]);

/* Exactly n of them; another number fails: message and SORET_ERR_INPUT. */
PetscErrorCode SoretArchiveGetReals(SoretArchive archive, const char *name, PetscInt n, PetscReal value[]);

/* How many there are, 0 if there is no such array. */
PetscErrorCode SoretArchiveCount(SoretArchive archive, const char *name, PetscInt *n);

/* A text of any length. Collective. */
PetscErrorCode SoretArchivePutText(SoretArchive archive, const char *name, const char *text);

/* Free with PetscFree; "" if there is none. */
PetscErrorCode SoretArchiveGetText(SoretArchive archive, const char *name, char **text);

/* Is this the text? */
PetscErrorCode SoretArchiveAgrees(SoretArchive archive, const char *name, const char *text, PetscBool *agrees);

/* Writes or reads a part. Collective. */
typedef PetscErrorCode (*SoretArchiver)(void *context, SoretArchive archive);

/* ---- a checkpoint to go on from ---- */

typedef struct SoretRestart_s *SoretRestart;

/* Finds the generation to go on from and says which it is, and which ones it passed over and why.

   what - a prefix or the name of a result: the newest generation that verifies on all ranks;
          a data file or a manifest: that generation and no other

   None at all: message and SORET_ERR_INPUT; none that is good: message and SORET_ERR_IO. Collective. */
PetscErrorCode SoretRestartFind(MPI_Comm comm, const char *what, SoretRestart *restart);
PetscErrorCode SoretRestartDestroy(SoretRestart *restart);

/* Prefix of the generation. */
const char *SoretRestartPrefix(SoretRestart restart);

/* Time of the state in it, 0 for a steady run. */
PetscReal SoretRestartTime(SoretRestart restart);

/* Reads a part, once: *found is false if there is none or it was asked for before. Collective. */
PetscErrorCode SoretRestartRead(SoretRestart restart, const char *part, SoretArchiver read, void *context, PetscBool *found);

/* Is this the name of a data file or of a manifest? */
PetscBool SoretIsGeneration(const char *path);

/* Verifies a generation by its data file or manifest and prints what it is, or why it is not good. Collective. */
PetscErrorCode SoretCheckpointVerify(MPI_Comm comm, const char *path, PetscBool *good);

/* Checksums of any other file, in the form of a manifest, in the file `sums`, which is replaced; and whether they still hold. Collective. */
PetscErrorCode SoretSumsWrite(MPI_Comm comm, const char *path, const char *sums);
PetscErrorCode SoretSumsVerify(MPI_Comm comm, const char *path, const char *sums, PetscBool *good, size_t length, char why[]);

/* ---- writing ---- */

typedef struct SoretCheckpoint_s *SoretCheckpoint;

/* From here on SIGTERM, SIGINT, SIGUSR1, SIGXCPU, SIGHUP (checkpoint and stop) and SIGUSR2 (checkpoint and go on) wait for the next
   SoretCheckpointPoll(). Not collective. */
PetscErrorCode SoretCheckpointListen(void);

/* Refuses, before anything is computed, a new run over the checkpoints of another (SORET_ERR_INPUT), unless `replace`, and a place that cannot be
   written (SORET_ERR_IO). Collective. */
PetscErrorCode SoretCheckpointCheck(MPI_Comm comm, const char *prefix, PetscBool replace);

/* prefix  - of its files
   result  - name of the result: the files STOP and CHECKPOINT are looked for beside it
   attempt - number of the result file of this attempt
   restart - what the run goes on from, or NULL; borrowed, may be destroyed after the parts are registered

   Collective. */
PetscErrorCode SoretCheckpointCreate(MPI_Comm comm, const SoretCheckpointSpec *spec, const char *prefix, const char *result, int attempt, SoretRestart restart, SoretCheckpoint *checkpoint);
PetscErrorCode SoretCheckpointDestroy(SoretCheckpoint *checkpoint);

/* Registers a part: `write` is called for each checkpoint from now on. If the run goes on from a checkpoint that has a part of this name which
   nobody has read yet, `read` is called at once. With checkpoint = NULL nothing happens. Collective.

   restored - true if `read` was called; may be NULL */
PetscErrorCode SoretCheckpointAdd(SoretCheckpoint checkpoint, const char *part, SoretArchiver write, SoretArchiver read, void *context, PetscBool *restored);

/* Could a part not be read from the checkpoint that the run goes on from? */
PetscBool SoretCheckpointRefused(SoretCheckpoint checkpoint);

/* Forgets a part. */
PetscErrorCode SoretCheckpointRemove(SoretCheckpoint checkpoint, const char *part);

/* To be called by all ranks after each step or iteration, where every part is as it should be written. Finds out whether any rank was asked for a
   checkpoint or a stop, writes a checkpoint if so or if one is due, and says whether the run is to stop now. Costs one small
   reduction. With checkpoint = NULL: never stops. Collective.

   step, t - where the run is, for people, and for chains of jobs, which end where it stays the same */
PetscErrorCode SoretCheckpointPoll(SoretCheckpoint checkpoint, PetscInt step, PetscReal t, PetscBool *stop);

/* Where several problems are solved in turn: what is added to the steps of the one that polls. Not collective. */
void SoretCheckpointCountFrom(SoretCheckpoint checkpoint, PetscInt before);

/* Within a step or iteration, where nothing can be written: is the run asked to stop? Then the caller ends the step, goes back to where it began, and polls.
   Costs one small reduction. With checkpoint = NULL: never. Collective. */
PetscErrorCode SoretCheckpointStopAsked(SoretCheckpoint checkpoint, PetscBool *stop);

/* Why the run was stopped: "SIGTERM", "the file STOP", "the end of the job"; NULL if it was not. */
const char *SoretCheckpointStopped(SoretCheckpoint checkpoint);

/* How many were written; the time that they took is that of SORET_PHASE_CHECKPOINT. */
PetscInt SoretCheckpointCount(SoretCheckpoint checkpoint);
