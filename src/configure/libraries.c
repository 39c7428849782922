/* SPDX-License-Identifier: BSD-2-Clause

   Compiled while CMake configures: do PETSc, MPI and HDF5 belong together? petscsys.h itself refuses the mpi.h of another MPI. */
#include <hdf5.h>
#include <petscsys.h>

#if !defined(H5_HAVE_PARALLEL)
#error "this HDF5 is a serial one; a parallel HDF5, made with the same MPI as PETSc, is needed"
#endif
#if defined(PETSC_HAVE_MPIUNI)
#error "this PETSc was made without MPI"
#endif
#if defined(PETSC_USE_COMPLEX)
#error "this PETSc has complex numbers; one with real numbers is needed"
#endif
#if !defined(PETSC_USE_REAL_DOUBLE)
#error "this PETSc is not of double precision"
#endif

int main(int argc, char **argv)
{
  return argc > 1 && (PetscInitialize(&argc, &argv, NULL, NULL) || MPI_Barrier(MPI_COMM_WORLD) || H5open());
}
