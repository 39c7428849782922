/* SPDX-License-Identifier: BSD-2-Clause

   Checks for the unit tests: a failed one says what, where and by how much, and the program ends with status 1. */
#pragma once

#include <petscsys.h>

static int test_failures = 0;

#define Check(condition) \
  do { \
    if (!(condition)) { \
      test_failures++; \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
    } \
  } while (0)

/* |value - expected| <= tolerance; a NaN fails. */
#define CheckClose(value, expected, tolerance) \
  do { \
    const double check_v = (value), check_e = (expected), check_t = (tolerance); \
    if (!(check_v - check_e <= check_t && check_e - check_v <= check_t)) { \
      test_failures++; \
      fprintf(stderr, "%s:%d: %s = %.17g, expected %.17g within %g\n", __FILE__, __LINE__, #value, check_v, check_e, check_t); \
    } \
  } while (0)

#define CheckText(value, expected) \
  do { \
    const char *check_v = (value), *check_e = (expected); \
    if (!check_v || strcmp(check_v, check_e)) { \
      test_failures++; \
      fprintf(stderr, "%s:%d: %s is '%s', expected '%s'\n", __FILE__, __LINE__, #value, check_v ? check_v : "(null)", check_e); \
    } \
  } while (0)

/* Runs the tests given in the list inside PETSc. */
#define TestMain(...) \
  int main(int argc, char **argv) \
  { \
    int total = 0; \
    PetscCall(PetscInitialize(&argc, &argv, NULL, NULL)); \
    PetscErrorCode (*const tests[])(void) = {__VA_ARGS__}; \
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) PetscCall(tests[i]()); \
    PetscCallMPI(MPI_Allreduce(&test_failures, &total, 1, MPI_INT, MPI_SUM, PETSC_COMM_WORLD)); \
    PetscCall(PetscFinalize()); \
    return total ? 1 : 0; \
  }
