/* SPDX-License-Identifier: BSD-2-Clause

   Do the PETSc, MPI and HDF5 that the system loaded belong together, and to those that soret was built with? */
#pragma once

#include "soret/base.h"

/* Compares what was loaded with the headers of the build: versions of HDF5 and PETSc, width of PETSc's integers, a parallel HDF5, the kind of MPI,
   and one MPI only in the process. If something is amiss prints one message that names all three, and what to do. To be called before MPI is
   initialized, which may crash with the wrong library. Not collective: each rank sees the same; `out` is NULL on those that keep silent. */
PetscBool SoretLibrariesFit(FILE *out);
