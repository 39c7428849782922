/* SPDX-License-Identifier: BSD-2-Clause

   What the files of the module output share: the handle, and what one file asks of another. */
#pragma once

#include "soret/output.h"

enum { SORET_MAX_SUMMARY = 64 };

/* An attribute of /summary. */
typedef struct {
  char name[48];
  enum {
    SORET_SUMMARY_REAL,
    SORET_SUMMARY_INT,
    SORET_SUMMARY_STRING
  } kind;
  PetscReal  real;
  PetscInt64 integer;
  char       string[640];
} SoretSummaryEntry;

typedef enum {
  SORET_FRAME_CONCENTRATION,
  SORET_FRAME_TEMPERATURE,
  SORET_FRAME_FLUX,
  SORET_FRAME_RATE,
  SORET_FRAME_SORET,         /* of a sum, one of its parts */
  SORET_FRAME_SORET_SPECIES,
  SORET_FRAME_EQUILIBRIUM,
  SORET_FRAME_ENTROPY,
  SORET_FRAME_HEAT
} SoretFrameFieldKind;

/* A dataset of each frame. */
typedef struct {
  SoretFrameFieldKind kind;
  PetscInt            index;       /* species, reaction, sum or SoretEntropy   */
  SoretPart           part;
  char                name[128];   /* path below the frame                     */
  const char         *units;
  const char         *note, *text; /* an attribute and its value, NULL if none */
} SoretFrameField;

typedef struct {
  PetscReal time;
  PetscInt  step;
  PetscBool lost;  /* carried over from an earlier attempt whose file is gone */
  PetscReal place; /* in the file of this attempt (SoretH5GetPlace())         */
} SoretFrame;

struct SoretOutput_s {
  SoretOutputSpec    spec;
  SoretOperator     *op;
  const SoretSums   *sums;
  MPI_Comm           comm;
  PetscBool          SI;                        /* datasets carry their units */
  char               path[PETSC_MAX_PATH_LEN];  /* of this attempt */
  int                attempt;
  char              *earlier;                   /* paths of the attempts that frames came from, one a line */
  PetscReal         *work;                      /* one field of this rank */
  PetscInt           num_fields;
  SoretFrameField   *field;                     /* [num_fields] of each frame */
  PetscInt           num_frames, frame_room, num_listed; /* listed: in the XDMF */
  SoretFrame        *frame;                     /* [num_frames], on all ranks */
  /* series: columns with names, and all rows so far, kept for checkpoints */
  PetscInt           num_columns, num_rows, num_flushed, room;
  char             **column;
  PetscReal         *rows;                      /* [room][num_columns], on rank 0 */
  PetscReal          first_total[3 * SORET_MAX_SPECIES], drift;
  PetscBool          started, many;             /* many: problems in one file, a sweep */
  PetscBool          varies;                    /* each frame holds its temperature    */
  PetscBool          reacts[SORET_MAX_SPECIES]; /* which species have a column `source` */
  PetscInt           num_summary;
  SoretSummaryEntry  summary[SORET_MAX_SUMMARY];
  SoretThermo        thermo;
  SoretMeter        *meter;                     /* of the last state, NULL before SoretOutputMeter() */
};

/* Writes a field over the grid: [nz][ny][nx], or [..][trailing]; units are those of SI. Collective. */
PetscErrorCode SoretOutputWriteField(SoretOutput o, SoretH5 h5, const char *path, const char *units, PetscInt trailing, const PetscReal data[]);

/* ---- series.c ---- */

PetscErrorCode SoretSeriesNameColumns(SoretOutput o, const SoretModel *model, const SoretBoundarySpec *boundary);

/* Room for n rows, on rank 0. */
PetscErrorCode SoretSeriesGrow(SoretOutput o, PetscInt n);

/* Writes the rows that are not in the file yet. Collective. */
PetscErrorCode SoretSeriesFlush(SoretOutput o, SoretH5 h5);

/* ---- frames.c ---- */

/* What a frame of this run holds, in the order in which it is written. */
PetscErrorCode SoretFramesNameFields(SoretOutput o);

/* Numbers per cell of a vector, 0 of a number. */
PetscInt SoretFrameTrailing(const SoretOutput o, const SoretFrameField *field);

/* Path of the group of a frame; the group with time and step; o->work as a field of it. */
PetscErrorCode SoretFramePath(PetscInt number, size_t length, char path[]);
PetscErrorCode SoretFrameBegin(SoretH5 h5, const char *path, SoretFrame frame);
PetscErrorCode SoretFramePutField(SoretOutput o, SoretH5 h5, const char *frame, const SoretFrameField *field);

/* Adds to the list of frames. */
PetscErrorCode SoretFrameRemember(SoretOutput o, SoretFrame frame);

/* ---- xdmf.c ---- */

/* XDMF of what is complete so far: for the HDF5 file of a given name, and beside the file of this attempt. Collective. */
PetscErrorCode SoretFramesWriteXDMF(SoretOutput o, const char *xdmf_path, const char *h5_path);
PetscErrorCode SoretFramesUpdateXDMF(SoretOutput o);

/* ---- summary.c ---- */

/* Writes /summary, and the rows that are not in the file yet. Collective. */
PetscErrorCode SoretSummaryWrite(SoretOutput o);
