/* SPDX-License-Identifier: BSD-2-Clause

   Errors of HDF5 made collective, and files looked at without MPI-IO; shared by h5.c, h5tools.c and h5verify.c. */
#pragma once

#include "soret/h5.h"

#include <hdf5.h>

/* From here on the reason of a failed HDF5 call of this process is kept instead of printed; forgets earlier reasons.
   Not collective. file - the file that is worked on, which must stay valid until SoretH5Agree(). */
void SoretH5Listen(const char *file);

/* Puts down why this rank fails, where HDF5 is not the one that knows. The first reason since SoretH5Listen() stays. */
void SoretH5Because(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);

/* The reason put down so far, "" if there is none; forgets it. */
void SoretH5Reason(size_t length, char text[]);

/* Succeeds if ok is true on all ranks. Else rank 0 says "FILE: cannot WHAT OBJECT: reason of the lowest failing rank" and all ranks
   return SORET_ERR_IO. Collective. object - NULL for the file itself. */
PetscErrorCode SoretH5Agree(MPI_Comm comm, PetscBool ok, const char *file, const char *what, const char *object);

/* No locks for this file access: they fail on many parallel file systems, and a result has one writer. */
void SoretH5NoLocks(hid_t access);

/* ---- files that each rank opens for itself (h5tools.c) ---- */

/* For reading; negative if that fails. */
hid_t SoretH5OpenAlone(const char *path);

/* Names; freed by SoretH5FreeList(). */
typedef struct {
  char  **path;
  size_t  n, room;
} SoretH5List;

void SoretH5FreeList(SoretH5List *list);

/* Of an object; H5I_BADID if there is none. */
H5I_type_t SoretH5TypeOf(hid_t file, const char *path);

/* The objects in a file, with their full names, sorted: datasets and groups apart. */
typedef struct {
  SoretH5List datasets, groups;
} SoretH5Contents;

PetscBool SoretH5ListContents(hid_t file, SoretH5Contents *contents);
void      SoretH5FreeContents(SoretH5Contents *contents);

/* Names in a group, in the order in which they were made where the file knows it. */
SoretH5List SoretH5ListGroup(hid_t file, const char *path);

/* A string attribute of either kind, memory of the caller; NULL if it is none. */
char *SoretH5AttributeText(hid_t attribute);

/* An attribute that is one number. */
PetscBool SoretH5GetNumber(hid_t file, const char *object, const char *name, double *value);
