/* SPDX-License-Identifier: BSD-2-Clause

   Where the time of a run goes: one clock per process that is always attributed to one phase, with the messages and reductions of the
   phase, and the JSON record that is left beside a result (docs/result-file.md).

   A phase that begins inside another interrupts it, so that seconds never count twice and the phases add up to the whole run. */
#pragma once

#include "soret/base.h"

typedef enum {
  SORET_PHASE_START,    /* MPI, PETSc, the case file                         */
  SORET_PHASE_SETUP,    /* grid, temperature, operator, the first state      */
  SORET_PHASE_SOLVE,    /* of the solution what no other phase names: linear solves, vectors, norms */
  SORET_PHASE_RESIDUAL, /* residuals, restricted or not, all grids           */
  SORET_PHASE_SMOOTHER, /* Gauss-Seidel sweeps, all grids                    */
  SORET_PHASE_TRANSFER, /* interpolation between grids                       */
  SORET_PHASE_COARSE,   /* the coarsest grid of nonlinear multigrid         */
  SORET_PHASE_JACOBIAN, /* assembled matrices, products with one that is not  */
  SORET_PHASE_HALO,     /* values of neighbouring ranks: packing and waiting */
  SORET_PHASE_OUTPUT,   /* frames, series, diagnostics                       */
  SORET_PHASE_CHECKPOINT,
  SORET_NUM_PHASES
} SoretPhase;

/* Starts the clock, in SORET_PHASE_START. First thing in main(), before MPI. */
void SoretRecordStart(void);

/* From now on PETSc's log knows the phases: stages and events "soret <phase>" of -log_view. After PetscInitialize(); Unlog before PetscFinalize(). */
PetscErrorCode SoretRecordLog(void);
void           SoretRecordUnlog(void);

/* Begin and end of a phase; ends those that errors left open inside it. Each reads the clock once. Not collective. */
void SoretRecordBegin(SoretPhase phase);
void SoretRecordEnd(SoretPhase phase);

/* The phase to which the time between all others belongs from now on. */
void SoretRecordEnter(SoretPhase phase);

/* Counts bytes that this rank passed to MPI-IO. */
void SoretRecordCountBytes(PetscReal bytes);

/* Seconds since SoretRecordStart() on this rank, and those of one phase. */
PetscReal SoretRecordElapsed(void);
PetscReal SoretRecordSeconds(SoretPhase phase);

/* One more line of a record: a number (text NULL) or a text. */
typedef struct {
  const char *name;
  PetscReal   number; /* NaN is written as null */
  const char *text;
} SoretRecordItem;

/* Largest and smallest peak memory of a rank, and the sum over all, bytes. Collective. */
PetscErrorCode SoretRecordMemory(MPI_Comm comm, PetscReal *smallest, PetscReal *largest, PetscReal *sum);

/* Hash of a text (FNV-1a, 64 bits) as 16 hexadecimal digits. out - [17] */
void SoretRecordHash(const char *text, char out[]);

/* Writes the record as JSON: the items, then ranks, seconds, bytes, memory, phases. A record that cannot be written is a warning, not a failure:
   the result is what counts. Collective. */
PetscErrorCode SoretRecordWrite(MPI_Comm comm, const char *path, PetscInt num_items, const SoretRecordItem item[]);
