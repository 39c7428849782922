/* SPDX-License-Identifier: BSD-2-Clause

   The result file: frames, series, summary and provenance in one parallel HDF5 file, and XDMF beside it.

   A run writes NAME.h5.<attempt>, closed and synced after each frame, with NAME.h5.<attempt>.xdmf. When it is complete the file gets its
   final name NAME.h5 (and NAME.xdmf); an existing NAME.h5 is replaced only where that was asked for, and only then
   (docs/result-file.md). */
#pragma once

#include "soret/checkpoint.h"
#include "soret/diagnose.h"
#include "soret/h5.h"
#include "soret/solve.h"

/* Bits of `fields`. */
enum {
  SORET_FIELD_CONCENTRATION = 1,
  SORET_FIELD_FLUX = 2,
  SORET_FIELD_RATE = 4,
  SORET_FIELD_SORET = 8,
  SORET_FIELD_ENTROPY = 16,
  SORET_FIELD_METER = 32
};

/* The section `output` as data. */
typedef struct {
  char           *file;       /* NULL: no `file` given, named after the case */
  SoretOptional   every;
  SoretReals      times;
  const SoretNode *field_list;
  unsigned        fields;
  int             precision;  /* 0 double, 1 single */
  PetscInt        compression;
  PetscBool       xdmf, overwrite, record, checksums;
  const SoretNode *hints;      /* map of hint to value, for MPI-IO, may be NULL */
} SoretOutputSpec;

/* Reads the section `output`; mistakes are collected in the input. Reference prints its keys for docs/case-reference.md. Not collective. */
PetscErrorCode SoretOutputSpecRead(SoretInput in, SoretOutputSpec *spec);
PetscErrorCode SoretOutputReference(FILE *out);

/* Times of the frames of a transient run between 0 and end, ascending; free with PetscFree. */
PetscErrorCode SoretOutputTimes(const SoretOutputSpec *spec, PetscReal end, PetscInt *num, PetscReal *times[]);

/* Tells which of the fields asked for cannot be computed for this model, and why. Collective. */
PetscErrorCode SoretOutputSayUndefined(const SoretOutputSpec *spec, const SoretModel *model, MPI_Comm comm);

/* How many fields a frame holds, of one number per cell and of one for each axis; num_sums conserved sums are measured. */
typedef struct {
  PetscInt scalars, vectors;
} SoretFrameSize;

SoretFrameSize SoretOutputFrameSize(const SoretOutputSpec *spec, const SoretModel *model, PetscInt num_sums, PetscBool varying_temperature);

/* What fields take in memory while a frame is written, beyond what every run has, bytes over all ranks. */
PetscReal SoretOutputWorkBytes(const SoretOutputSpec *spec, const SoretGridSpec *grid);

/* Bytes of one frame; num_sums conserved sums are measured. */
PetscReal SoretOutputFrameBytes(const SoretOutputSpec *spec, const SoretGridSpec *grid, const SoretModel *model, PetscInt num_sums, PetscBool varying_temperature);

/* Bytes of what a file holds beside frames and grid, with that many columns in the series (SoretOutputColumns). */
PetscReal SoretOutputOtherBytes(PetscInt num_columns);

/* Refuses, before anything is computed, a file that exists (SORET_ERR_INPUT) or a place that cannot be written (SORET_ERR_IO). Collective. */
PetscErrorCode SoretOutputCheck(const SoretOutputSpec *spec, MPI_Comm comm);

typedef struct SoretOutput_s *SoretOutput;

/* Where a result comes from. */
typedef struct {
  const char *title, *text; /* of the case, and the whole text of its file */
  const char *command;      /* command line                                */
  PetscBool   reduced;      /* reduced units: datasets carry no `units`    */
} SoretProvenance;

/* Opens a new attempt and writes provenance and grid. Parts are borrowed, texts are not kept. Collective. */
PetscErrorCode SoretOutputCreate(const SoretOutputSpec *spec, SoretOperator *op, const SoretSums *sums, const SoretProvenance *provenance, SoretOutput *output);

/* Number of the attempt: 1 for NAME.h5.1. */
int SoretOutputAttempt(SoretOutput output);

/* Registers the series, the drift and the list of frames as a part of checkpoints. Where the run goes on from one that has this part, the new attempt
   gets the series from it and the frames from the files of earlier attempts, which are only read; a frame that is in none of them any
   more is told, and marked by an attribute `lost`. Collective. */
PetscErrorCode SoretOutputCheckpoint(SoretOutput output, SoretCheckpoint checkpoint);

/* ---- many problems in one file (sweeps) ---- */

/* Names of the columns of the series; free each and the list with PetscFree. */
PetscErrorCode SoretOutputColumns(const SoretModel *model, const SoretBoundarySpec *boundary, const SoretSums *sums, PetscInt *num, char **names[]);

/* What follows is of another problem, on the same ranks and grid and with the same species. Frames then hold their temperature, and the
   drift is counted from here. */
PetscErrorCode SoretOutputRebind(SoretOutput output, SoretOperator *op, const SoretSums *sums);

/* Measures a row of the series without adding it: row[number of columns]. Collective. */
PetscErrorCode SoretOutputMeasure(SoretOutput output, PetscInt step, PetscReal t, Vec c, PetscReal row[]);

/* Measures Soret coefficients and budgets of the state, and keeps nothing of them. Collective. */
PetscErrorCode SoretOutputMeasureMeter(SoretOutput output, PetscBool steady, Vec c, SoretMeter *meter);

/* The file that this attempt writes, and the frames in it so far. */
const char *SoretOutputPath(SoretOutput output);
PetscInt    SoretOutputNumFrames(SoretOutput output);

/* Is it time to write what is written anew as a whole each time, as it grows: the XDMF, the table of a sweep? At first with each entry, then whenever there are a 16th
   more: all of it together is no more than some 16 times the last. */
PetscBool SoretOutputIsDue(PetscInt written, PetscInt now);

/* Name of a file beside a result: NAME.json beside NAME.h5, NAME.h5.1.json beside NAME.h5.1. Not collective. */
PetscErrorCode SoretOutputBeside(const char *h5_path, const char *ending, size_t length, char name[]);

/* ---- frames and series ---- */

/* Adds a row to the series; kept in memory until the next frame. Collective. */
PetscErrorCode SoretOutputAddRow(SoretOutput output, PetscInt step, PetscReal t, Vec c);

/* Writes a frame, and the series so far. Collective. */
PetscErrorCode SoretOutputAddFrame(SoretOutput output, PetscInt step, PetscReal t, Vec c);

/* Measures Soret coefficients and budgets of the state, prints them, and puts them into the summary. Collective. */
PetscErrorCode SoretOutputMeter(SoretOutput output, PetscBool steady, Vec c);

/* Attributes of /summary. Written with the end. Not collective. */
PetscErrorCode SoretOutputSummaryReal(SoretOutput output, const char *name, PetscReal value);
PetscErrorCode SoretOutputSummaryInt(SoretOutput output, const char *name, PetscInt64 value);

/* Puts into the summary how the run ended, a single one or a sweep, and its drift, seconds, memory and checkpoints; prints what it cost. Collective. */
PetscErrorCode SoretOutputOutcome(SoretOutput output, const SoretOutcome *outcome, PetscInt num_checkpoints, PetscReal drift);

/* Largest drift of a conserved sum over the rows so far, relative to its members (docs/result-file.md). */
PetscReal SoretOutputDrift(SoretOutput output);

/* Checksums for a result that is complete and has none, since its run was killed before. Collective. */
PetscErrorCode SoretOutputAddSums(MPI_Comm comm, const char *path);

/* Verifies a result by its structure, and by the checksums beside it if there are any; prints what it is, or why it is not good. Collective. */
PetscErrorCode SoretOutputVerify(MPI_Comm comm, const char *path, PetscBool *good);

/* Writes the summary; complete: gives the file its final name. *path gets the name under which the result lies. Collective. */
PetscErrorCode SoretOutputFinish(SoretOutput output, PetscBool complete, size_t length, char path[]);

/* Removes the file of this attempt, in which nothing of this run is yet. Collective. */
PetscErrorCode SoretOutputDiscard(SoretOutput output);
PetscErrorCode SoretOutputDestroy(SoretOutput *output);
