/* SPDX-License-Identifier: BSD-2-Clause

   A quantity over space and time: a formula, or a dataset of an HDF5 file interpolated linearly. */
#pragma once

#include "soret/grid.h"
#include "soret/h5.h"

typedef struct SoretField_s *SoretField;

/* Reads number | quantity | formula | {file: F.h5, dataset: /path, time: /path}. Files are looked for beside the case file. *field is NULL
   after a mistake (reported). Not collective: of a file only the names are read; SoretFieldCheck() looks into it.

   unit    - base unit of the values
   allowed - variables of a formula */
PetscErrorCode SoretFieldRead(SoretInput in, const SoretNode *node, const char *unit, unsigned allowed, SoretField *field);

/* The same value everywhere, in base units. */
PetscErrorCode SoretFieldCreateConstant(PetscReal value, SoretField *field);
PetscErrorCode SoretFieldDestroy(SoretField *field);

/* Looks whether file and dataset exist and have the axes [nt][nz][ny][nx] of the problem; mistakes are reported. Collective. */
PetscErrorCode SoretFieldCheck(SoretInput in, MPI_Comm comm, PetscInt dim, SoretField field);

/* Variables that the value depends on (a file: position, and t if it has a time axis). */
unsigned SoretFieldUses(SoretField field);

/* Makes the field ready for evaluation at time t by this rank: reads the part of the file around its cells, at the two times
   around t. Does nothing for formulas. Collective; all ranks pass the same t. */
PetscErrorCode SoretFieldPrepare(SoretField field, const SoretGrid *grid, PetscReal t);

/* Frees what was read of a file: it is not needed any more, or is read again by the next SoretFieldPrepare(). Not collective. */
PetscErrorCode SoretFieldRelease(SoretField field);

/* Value at a point in the box of cells of this rank or on its walls, at the time of the last SoretFieldPrepare() for files.
   point->T is used by formulas of T. */
PetscReal SoretFieldEvaluate(SoretField field, const SoretPoint *point);

/* The same at n points that differ in x alone; point has the rest, arrays as in SoretExprEvaluateRow(). */
void SoretFieldEvaluateRow(SoretField field, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal out[]);

/* Values at the centres of the cells of this rank, after SoretFieldPrepare().

   T   - [num_cells] for formulas of T, or NULL
   out - [num_cells] */
PetscErrorCode SoretFieldFill(SoretField field, const SoretGrid *grid, PetscReal t, const PetscReal T[], PetscReal out[]);

/* The same for one row of cells, rows counted as cells are; T and out - [cells of a row]. Not collective. */
void SoretFieldFillRow(SoretField field, const SoretGrid *grid, PetscInt row, PetscReal t, const PetscReal T[], PetscReal out[]);

/* Extent of the dataset of a field from a file, 1 beyond the dimension, after SoretFieldCheck(); false for formulas. */
PetscBool SoretFieldResolution(SoretField field, PetscInt n[3]);

/* A box of entries of the dataset as they are in the file, x fastest, for those who do not want them interpolated. h5 is the file, opened
   with SoretFieldOpen(). A rank may ask for none. Collective. */
PetscErrorCode SoretFieldOpen(SoretField field, MPI_Comm comm, SoretH5 *h5);
PetscErrorCode SoretFieldReadRaw(SoretField field, SoretH5 h5, PetscInt dim, const PetscInt start[3], const PetscInt count[3], PetscReal data[]);

/* The place in the file, for messages; may be NULL. */
const SoretNode *SoretFieldNode(SoretField field);

/* The file that it is read from; NULL for a formula. */
const char *SoretFieldPath(SoretField field);

/* For values that are filled for a time: fills them again by `fill` if they vary and t is not the time that they are of; *changed tells whether it did.
   Collective. */
typedef PetscErrorCode (*SoretRefill)(void *values, PetscReal t);
PetscErrorCode SoretFollowTime(PetscBool varies, PetscReal filled, PetscReal t, SoretRefill fill, void *values, PetscBool *changed);
