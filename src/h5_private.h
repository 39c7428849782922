/* SPDX-License-Identifier: BSD-2-Clause

   Errors of HDF5 made collective; shared by h5.c and h5tools.c. */
#pragma once

#include "soret/h5.h"

#include <hdf5.h>

/* From here on the reason of a failed HDF5 call of this process is kept instead of printed; forgets earlier reasons.
   Not collective. file - the file that is worked on, which must stay valid until SoretH5Agree(). */
void SoretH5Listen(const char *file);

/* Puts down why this rank fails, where HDF5 is not the one that knows. The first reason since SoretH5Listen() stays. */
void SoretH5Because(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);

/* Succeeds if ok is true on all ranks. Else rank 0 says "FILE: cannot WHAT OBJECT: reason of the lowest failing rank" and all ranks
   return SORET_ERR_IO. Collective. object - NULL for the file itself. */
PetscErrorCode SoretH5Agree(MPI_Comm comm, PetscBool ok, const char *file, const char *what, const char *object);

/* No locks for this file access: they fail on many parallel file systems, and a result has one writer. */
void SoretH5NoLocks(hid_t access);
