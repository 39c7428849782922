# SPDX-License-Identifier: BSD-2-Clause
# Stops with one message where the PETSc, MPI and HDF5 that were found do not belong together. Included after they are found.

set(key "${PETSC_INCLUDE_DIRS};${PETSC_LINK_LIBRARIES};${HDF5_INCLUDE_DIRS};${HDF5_LINK_LIBRARIES};${MPI_C_LIBRARIES}")
if(NOT "${key}" STREQUAL "${SORET_LIBRARIES_CHECKED}")
  set(problem "")
  set(program ${CMAKE_CURRENT_BINARY_DIR}/libraries)
  try_compile(works ${CMAKE_CURRENT_BINARY_DIR}/check ${CMAKE_CURRENT_LIST_DIR}/libraries.c
    LINK_LIBRARIES MPI::MPI_C PkgConfig::HDF5 PkgConfig::PETSC # in this order, so that the mpi.h of the MPI that was found is taken
    OUTPUT_VARIABLE said COPY_FILE ${program} COPY_FILE_ERROR copy_error)
  if(NOT works)
    string(REGEX MATCH "#error[^\n]*" problem "${said}") # PETSc's own, or one of libraries.c
    if(NOT problem)
      set(problem "they cannot be compiled and linked together:\n${said}")
    endif()
  else()
    # all of them at run time with one MPI: that of Open MPI is libmpi.so, of MPICH and its children libmpich.so or libmpi.so
    find_program(LDD ldd)
    if(LDD)
      execute_process(COMMAND ${LDD} ${program} OUTPUT_VARIABLE loaded ERROR_QUIET)
      string(REGEX MATCHALL "libmpi(ch)?\\.so[.0-9]* => [^ \n]+" mpis "${loaded}")
      list(REMOVE_DUPLICATES mpis)
      list(LENGTH mpis count)
      if(count GREATER 1)
        string(REPLACE ";" "\n  " problem "they were made with different MPIs, and would load all of these:\n  ${mpis}")
      endif()
    endif()
  endif()
  file(REMOVE ${program})
  if(problem)
    list(JOIN HDF5_LINK_LIBRARIES " " hdf5)
    list(JOIN MPI_C_LIBRARIES " " mpi)
    message(FATAL_ERROR "PETSc, MPI and HDF5 do not belong together: ${problem}\n"
      "PETSc ${PETSC_VERSION} in ${PETSC_PREFIX}\nMPI   ${mpi}\nHDF5  ${hdf5}\n"
      "Choose those that were made with the same MPI: -DSORET_PETSC and -DSORET_HDF5 take names of pkg-config, -DMPI_C_COMPILER an mpicc; see docs/install.md.\n")
  endif()
  set(SORET_LIBRARIES_CHECKED "${key}" CACHE INTERNAL "PETSc, MPI and HDF5 that were seen to work together")
endif()
