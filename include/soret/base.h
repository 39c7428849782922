/* SPDX-License-Identifier: BSD-2-Clause

   What every module needs of PETSc, the constants of nature, and the codes with which soret ends. Header only. */
#pragma once

#include <petscsys.h>

#include <string.h>

/* ---- differences between PETSc versions; nothing else in soret asks for a version ---- */
#if PETSC_VERSION_LT(3, 18, 0)
  #error "soret needs PETSc 3.18 or newer"
#endif
#if defined(PETSC_USE_COMPLEX) || !defined(PETSC_USE_REAL_DOUBLE)
  #error "soret needs a PETSc built for real numbers in double precision (Debian: libpetsc-real-dev)"
#endif
#if PETSC_VERSION_LT(3, 19, 0) && !defined(PETSC_SUCCESS)
  #define PETSC_SUCCESS 0
#endif
/* ARKIMEX without explicit rates takes the slope at the start of a step from the step before (and that of the first from a solve of its own), not from the state alone:
   such a run would not go on with the same bits. */
#define SORET_ARKIMEX_WANTS_RATES PETSC_VERSION_GE(3, 20, 0)
#if PETSC_VERSION_LT(3, 24, 0)
  #define SORET_MPI_BOOL MPIU_BOOL
#else
  #define SORET_MPI_BOOL MPI_C_BOOL /* PetscBool is bool */
#endif
#if PETSC_VERSION_LT(3, 25, 0)
  #define SNES_DIVERGED_FUNCTION_NANORINF SNES_DIVERGED_FNORM_NAN
#endif
#if PETSC_VERSION_LT(3, 26, 0)
  #define SORET_LINESEARCH_NONE SNESLINESEARCHBASIC
#else
  #define SORET_LINESEARCH_NONE SNESLINESEARCHNONE
#endif
/* Appends as much as there is room for. PetscStrlcat() of 3.18 takes the length of what is appended for that of what is there, and writes behind the end.
   text - [length], a text already */
static inline PetscErrorCode SoretAppend(char text[], const char *more, size_t length)
{
  const size_t used = strlen(text);

  return used < length ? PetscStrncpy(text + used, more, length - used) : PETSC_SUCCESS;
}
#define SORET_OPTION_ARGUMENTS(args) ((void *)(args)) /* of PetscOptionsInsertArgs(): char ** in 3.18, const char *const * in 3.26 */

/* ---- constants (CODATA 2018, exact since the revision of the SI in 2019) ---- */
#define SORET_BOLTZMANN    1.380649e-23       /* J/K            */
#define SORET_GAS_CONSTANT 8.31446261815324   /* J/(mol K)      */

/* ---- sizes fixed at compile time ---- */
enum {
  SORET_MAX_SPECIES = 64, /* length of the work arrays of one cell in the kernels */
  SORET_MAX_REACTIONS = 256,
  SORET_MAX_LANES = 64,   /* cells that the kernels treat side by side */
  SORET_NAME_LENGTH = 64  /* longest name of a species or parameter, with the final 0 */
};

/* Exit status of the program (docs/command-line.md). */
typedef enum {
  SORET_EXIT_DONE          = 0,
  SORET_EXIT_INTERNAL      = 1,
  SORET_EXIT_INPUT         = 2,
  SORET_EXIT_NOT_CONVERGED = 3,
  SORET_EXIT_IO            = 4,
  SORET_EXIT_STOPPED       = 75
} SoretExit;

/* Error codes beside PETSc's own. Whoever returns one has already said on stderr, in one clear message, what is wrong; main()
   passes them up without a stack trace and turns them into the exit status. Each is returned by all ranks of the
   communicator or by none. */
enum {
  SORET_ERR_INPUT         = 1002,
  SORET_ERR_NOT_CONVERGED = 1003,
  SORET_ERR_IO            = 1004,
  SORET_ERR_STOPPED       = 1075
};

/* Axis letters, in the order of all arrays over axes. */
#define SORET_AXIS_NAMES "xyz"
