/* SPDX-License-Identifier: BSD-2-Clause

   Large arrays of PETSc after SoretUseHugePages(): at the beginning of huge pages; allocated, cleared, grown and freed as before. */
#include "test.h"

#include <stdint.h>
#include <string.h>

#include "soret/hugepages.h"

static PetscErrorCode TestArrays(void)
{
  static const size_t sizes[] = {1, 1000, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (6 << 20) + 12345, 50 << 20};
  PetscErrorCode (*const before)(size_t, PetscBool, int, const char[], const char[], void **) = PetscTrMalloc;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsSetValue(NULL, "-huge_pages", "false"));
  PetscCall(SoretUseHugePages());
  Check(PetscTrMalloc == before);
  PetscCall(PetscOptionsClearValue(NULL, "-huge_pages"));
  PetscCall(SoretUseHugePages());
  PetscCall(SoretUseHugePages());
  for (int pass = 0; pass < 2; pass++) { /* in the second one memory that was used before is used again */
    for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
      const size_t n = sizes[k];
      char        *a, *b;
      size_t       zeros = 0;

      PetscCall(PetscMalloc1(n, &a));
      memset(a, 1, n);
      PetscCall(PetscCalloc1(n, &b));
      for (size_t i = 0; i < n; i++) zeros += b[i] == 0;
      Check(zeros == n);
#if defined(PETSC_HAVE_POSIX_MEMALIGN) && !defined(PETSC_HAVE_MEMKIND)
      Check(n < (4 << 20) || ((uintptr_t)a % (2 << 20) == 0 && (uintptr_t)b % (2 << 20) == 0));
#endif
      memset(b, 2, n);
      PetscCall(PetscRealloc(2 * n, &a));
      Check(a[0] == 1 && a[n - 1] == 1);
      memset(a, 3, 2 * n);
      PetscCall(PetscFree(a));
      PetscCall(PetscFree(b));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestArrays)
