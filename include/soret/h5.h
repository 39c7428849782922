/* SPDX-License-Identifier: BSD-2-Clause

   Parallel HDF5 files: a thin layer that makes every operation collective and every failure one clear line.

   All functions are collective over the communicator of the file unless they say otherwise. Failure of any rank is failure of all:
   one line on stderr (file, object, what failed, the system's reason where it is known) and SORET_ERR_IO on all ranks. */
#pragma once

#include "soret/base.h"

typedef struct SoretH5_s *SoretH5;

enum { SORET_H5_APPEND_ROWS = 1024 }; /* chunk of an extendible dataset: disk space is taken for so many rows at a time */

/* How a dataset over the grid is stored. */
typedef struct {
  PetscBool single;      /* float32 instead of float64                       */
  int       compression; /* deflate level, 0 none                            */
} SoretH5Storage;

typedef enum {
  SORET_H5_CREATE, /* a new file; one of that name that exists is an error              */
  SORET_H5_FILL,   /* an empty file that this run has made, so that nobody else has it */
  SORET_H5_UPDATE, /* an existing file, for writing                                     */
  SORET_H5_READ
} SoretH5Mode;

/* Adds a hint for MPI-IO ("cb_nodes", "8") to all files opened from now on; one of the same name is replaced. MPI ignores those that it does
   not know. All ranks pass the same. Not collective. */
PetscErrorCode SoretH5SetHint(const char *name, const char *value);

/* Is the name short enough for MPI-IO? Not collective. */
PetscBool SoretH5BearsName(const char *path);

/* Opens a file through MPI-IO. The locking of HDF5 is switched off for it, the format is kept readable for HDF5 1.8. */
PetscErrorCode SoretH5Open(MPI_Comm comm, const char *path, SoretH5Mode mode, SoretH5 *h5);

/* Closes; a file open for writing is also fsynced, so that what is complete stays readable whatever happens next. */
PetscErrorCode SoretH5Close(SoretH5 *h5);

/* Instead of SoretH5Close() after a write that failed: closing would write what is left, and ranks on which that fails leave the others waiting.
   The file stays as it is. */
PetscErrorCode SoretH5Abandon(SoretH5 *h5);

/* Could some file not be closed, or is one still open after an error? HDF5 would try again in MPI_Finalize(), and crash: the program must end without it. Where
   branches of a sweep read files of their own, not the same on all ranks. */
PetscBool SoretH5IsStuck(void);

/* Is there a group or dataset of that name? The same on all ranks. Collective. */
PetscErrorCode SoretH5Exists(SoretH5 h5, const char *path, PetscBool *exists);

/* Where an object lies in the file, which stays so; and from there on paths without a / in front begin at what lies at a place ("." is the object itself), or at
   the root for 0. What the names lead to may be lost where a process was killed while it changed the file; objects that were complete are where they were. */
PetscErrorCode SoretH5GetPlace(SoretH5 h5, const char *path, PetscReal *place);
PetscErrorCode SoretH5Enter(SoretH5 h5, PetscReal place, PetscBool *there);

/* Makes a group and those above it; one that exists is no error. */
PetscErrorCode SoretH5MakeGroup(SoretH5 h5, const char *path);

/* Attributes of an object ("/" is the root). Replaced if they exist. Strings are variable-length-free, UTF-8, NUL-terminated. */
PetscErrorCode SoretH5WriteString(SoretH5 h5, const char *object, const char *name, const char *value);
PetscErrorCode SoretH5WriteReal(SoretH5 h5, const char *object, const char *name, PetscReal value);
PetscErrorCode SoretH5WriteInt(SoretH5 h5, const char *object, const char *name, PetscInt64 value);

/* Writes a dataset of which each rank holds a box.

   path       - of the dataset; groups above it are made, an existing dataset is an error
   rank       - number of axes, 1 to 5, slowest first as HDF5 counts: [nz][ny][nx] or [nz][ny][nx][dim]
   size       - [rank] global extent
   start      - [rank] first entry of the box of this rank
   count      - [rank] extent of that box; 0 entries are allowed
   data       - the box, contiguous
   storage    - NULL for float64 without compression

   Chunked. A chunk is the largest box of a rank, or an even part of it, up to 1 MiB, so that ranks with boxes of one size share no chunk;
   boxes of less than 64 KiB are put together. */
PetscErrorCode SoretH5WriteBox(SoretH5 h5, const char *path, int rank, const PetscInt size[], const PetscInt start[], const PetscInt count[], const PetscReal data[], const SoretH5Storage *storage);

/* Reads a box of a dataset of floating-point or integer type. Those of different ranks must not overlap: MPI-IO of Open MPI 4.1 then leaves out entries, and says nothing. */
PetscErrorCode SoretH5ReadBox(SoretH5 h5, const char *path, int rank, const PetscInt start[], const PetscInt count[], PetscReal data[]);

/* The same for boxes that may overlap: each rank reads for itself. */
PetscErrorCode SoretH5ReadOverlapping(SoretH5 h5, const char *path, int rank, const PetscInt start[], const PetscInt count[], PetscReal data[]);

/* Extent of a dataset. size - [8]. A path that is no dataset: *rank = -1. */
PetscErrorCode SoretH5GetSize(SoretH5 h5, const char *path, int *rank, PetscInt size[]);

/* Appends rows to an extendible one-dimensional dataset of float64, made at the first call. All ranks pass the same values. */
PetscErrorCode SoretH5Append(SoretH5 h5, const char *path, PetscInt n, const PetscReal value[]);

/* The same, but the values take the place of what was there: a table that is written anew as it grows. */
PetscErrorCode SoretH5Rewrite(SoretH5 h5, const char *path, PetscInt n, const PetscReal value[]);

/* A column of texts of less than `width` bytes, written as SoretH5Rewrite() does; each is an entry of fixed length, cut if it is longer. Those
   of rank 0 are written. The width stays what it was at the first call. */
PetscErrorCode SoretH5RewriteTexts(SoretH5 h5, const char *path, PetscInt n, PetscInt width, const char *const text[]);

/* Reads an attribute that is a text of fixed length, as SoretH5WriteString() makes it; free *value with PetscFree. NULL if there is none. */
PetscErrorCode SoretH5ReadString(SoretH5 h5, const char *object, const char *name, char **value);

/* Reads an attribute that is a number; *found is false if there is none. */
PetscErrorCode SoretH5ReadReal(SoretH5 h5, const char *object, const char *name, PetscReal *value, PetscBool *found);

/* Prints what a result file holds: provenance, grid, frames, series, summary. Only rank 0 prints. */
PetscErrorCode SoretH5Info(MPI_Comm comm, const char *path, FILE *out);

/* Is a result file whole: does HDF5 read all of it, has every frame its fields, has every column its rows, and is there a summary, which is written
   last? Prints a line on rank 0. HDF5 checks its own structures by checksums, but not the numbers. Only a file that cannot be verified for
   another reason than its content is an error. */
PetscErrorCode SoretH5Verify(MPI_Comm comm, const char *path, FILE *out, PetscBool *good);

/* Compares two files object by object: datasets of numbers and the attributes `time` and `step` of frames; provenance and timings are
   not compared. Equal means bitwise equal where rtol = atol = 0, else |a - b| <= atol + rtol max|a| per dataset.
   Differences are printed on rank 0, worst first. */
PetscErrorCode SoretH5Compare(MPI_Comm comm, const char *path_a, const char *path_b, PetscReal rtol, PetscReal atol, FILE *out, PetscBool *equal);
