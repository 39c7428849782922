/* SPDX-License-Identifier: BSD-2-Clause

   The files of checkpoints (manifest.c), and what asks for one (stop.c). */
#pragma once

#include "soret/checkpoint.h"

#include <stdint.h>

/* ---- manifest.c ---- */

/* Names one generation. Later attempts come after earlier ones, whatever their generations. */
typedef struct {
  int       attempt, number;
  PetscBool has_data, has_manifest;
} SoretGeneration;

/* PREFIX.ckpt-002-000007 and an ending. */
PetscErrorCode SoretGenerationName(const char *prefix, const SoretGeneration *generation, const char *ending, size_t length, char name[]);

/* Takes a name apart; false if it is none. prefix - [PETSC_MAX_PATH_LEN] */
PetscBool SoretGenerationParse(const char *path, char prefix[], SoretGeneration *generation);

/* All generations of a prefix, in ascending order; free with PetscFree. On one rank. A directory that cannot be read to its end: *num = -1, errno tells. */
PetscErrorCode SoretGenerationList(const char *prefix, PetscInt *num, SoretGeneration *list[]);

/* What a manifest says. */
typedef struct {
  PetscInt64 bytes, block;  /* size of the data file and of its blocks */
  PetscInt   num_blocks;
  uint64_t  *sum;           /* [num_blocks], NULL once they are checked */
  PetscInt64 step;
  PetscReal  t;
  char       written[32];   /* date                                    */
} SoretManifest;

/* Checksums the data file, all ranks together, and then writes the manifest and syncs it. Collective. */
PetscErrorCode SoretManifestWrite(MPI_Comm comm, const char *prefix, const SoretGeneration *generation, PetscInt step, PetscReal t, PetscInt64 *bytes);

/* Reads the manifest and checks the data file against it by plain reads, a share of it on each rank. manifest - filled if good, but for `sum`; why - the reason
   if not, on all ranks. Collective. */
PetscErrorCode SoretManifestVerify(MPI_Comm comm, const char *prefix, const SoretGeneration *generation, SoretManifest *manifest, PetscBool *good, size_t length, char why[]);

/* CRC-64 (ECMA-182, reflected, as in xz); start with 0. */
uint64_t SoretChecksum(uint64_t sum, size_t n, const void *data);

/* ---- stop.c ---- */

/* What a run is asked for, in order of importance. */
typedef enum {
  SORET_ASK_NOTHING,
  SORET_ASK_DUE,        /* the interval is over                */
  SORET_ASK_SIGNAL,     /* SIGUSR2                             */
  SORET_ASK_FILE,       /* the file CHECKPOINT                 */
  SORET_STOP_JOB_ENDS,  /* from here on: checkpoint and stop   */
  SORET_STOP_FILE,      /* the file STOP                       */
  SORET_STOP_HUP,       /* the terminal has gone away          */
  SORET_STOP_XCPU,      /* a limit of the time of processors   */
  SORET_STOP_USR1,
  SORET_STOP_INT,
  SORET_STOP_TERM
} SoretAsk;

/* In words. */
const char *SoretAskText(SoretAsk ask);

void SoretStopListen(void);

/* The strongest wish that signals have brought. That for a stop stays; that for a checkpoint is forgotten when one begins. */
SoretAsk SoretStopSignal(void);
void     SoretStopForgetCheckpoint(void);

/* Files beside the result that ask for something when they are made or touched while the run goes on. Rank 0 only. */
typedef struct {
  char           path[2][PETSC_MAX_PATH_LEN]; /* CHECKPOINT, STOP */
  struct {
    PetscInt64 s, ns;
    PetscBool  there;
  } seen[2];
  PetscLogDouble looked;
} SoretStopFiles;

PetscErrorCode SoretStopFilesCreate(const char *result, SoretStopFiles *files);
SoretAsk       SoretStopFilesLook(SoretStopFiles *files);

/* When the job ends, seconds since 1970; 0 if nobody says so. Asks the environment, then Slurm. Rank 0 only. */
PetscErrorCode SoretStopJobEnd(PetscReal *end);
