/* SPDX-License-Identifier: BSD-2-Clause

   What the files of the module h5 share: the handle, errors of HDF5 made collective, and files looked at without MPI-IO. */
#pragma once

#include "soret/h5.h"

#include <hdf5.h>

#define SORET_H5_SMALL_BYTES (2 * 1024) /* what a group or an attribute takes, more or less */
#define SORET_H5_PATIENCE    20.0       /* s that a rank which failed waits for the others  */

struct SoretH5_s {
  MPI_Comm    comm;
  PetscMPIInt rank;
  char       *path;
  SoretH5Mode mode;
  hid_t       file, transfer; /* transfer: collective */
  hid_t       here;           /* where paths begin: the file, or an object that was entered */
  PetscBool   broken;         /* a write failed: nothing more is asked of HDF5, whose close would write again */

  /* on rank 0 of a file open for writing */
  int     descriptor; /* of the file, else -1                              */
  hsize_t end;        /* about the size of the file when it will be closed */
  hsize_t reserved;   /* the disk has room for the file up to this byte    */
};

/* ---- errors (h5error.c) ---- */

/* From here on the reason of a failed HDF5 call of this process is kept instead of printed; forgets earlier reasons.
   Not collective. file - the file that is worked on, which must stay valid until SoretH5Agree(). */
void SoretH5Listen(const char *file);

/* Puts down why this rank fails, where HDF5 is not the one that knows. The first reason since SoretH5Listen() stays. */
void SoretH5Because(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);

PetscBool SoretH5HasReason(void);

/* The reason put down so far, "" if there is none; forgets it. */
void SoretH5Reason(size_t length, char text[]);

/* Succeeds if ok is true on all ranks. Else rank 0 says "FILE: cannot WHAT OBJECT: reason of the lowest failing rank" and all ranks
   return SORET_ERR_IO. Collective. object - NULL for the file itself. */
PetscErrorCode SoretH5Agree(MPI_Comm comm, PetscBool ok, const char *file, const char *what, const char *object);

/* The same for a rank that waits no longer than `patience` (s) where it failed; then it tells why and ends all.

   broken - bytes could not be written on some rank */
PetscErrorCode SoretH5AgreeWithin(MPI_Comm comm, PetscBool ok, double patience, const char *file, const char *what, const char *object, PetscBool *broken);

/* ---- open files (h5.c) ---- */

/* SoretH5Agree() for an open file, which is marked as broken where bytes could not be written. */
PetscErrorCode SoretH5AgreeOn(SoretH5 h5, PetscBool ok, const char *what, const char *object);

/* Makes sure of disk space for `more` bytes before anything is written. Collective. */
PetscErrorCode SoretH5ReserveFor(SoretH5 h5, hsize_t more, const char *what, const char *object);

/* All ranks call, none agrees: is there an object of that name? */
PetscBool SoretH5IsThere(SoretH5 h5, const char *path);

/* All ranks call, none agrees: makes the groups above path, and with `last` path itself. */
PetscBool SoretH5MakeGroups(SoretH5 h5, const char *path, PetscBool last);

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
