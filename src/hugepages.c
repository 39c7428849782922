/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/hugepages.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE ((uintptr_t)2 << 20) /* bytes of a page on x86 and on most of ARM */

static PetscErrorCode (*usual_malloc)(size_t, PetscBool, int, const char[], const char[], void **);

/* As PETSc's own, but large arrays begin at a huge page, where PETSc's free() can cope with that, and are cleared only when the system knows of what pages they
   are to be made, since the first touch makes them. */
static PetscErrorCode Allocate(size_t size, PetscBool clear, int line, const char function[], const char file[], void **result)
{
  const PetscBool large = size >= 2 * HUGE ? PETSC_TRUE : PETSC_FALSE;
  PetscErrorCode  status;

#if defined(PETSC_HAVE_POSIX_MEMALIGN) && !defined(PETSC_HAVE_MEMKIND)
  if (!large || posix_memalign(result, HUGE, size))
#endif
  {
    status = usual_malloc(size, large ? PETSC_FALSE : clear, line, function, file, result);
    if (status || !large) return status;
  }
#if defined(MADV_HUGEPAGE)
  {
    const uintptr_t begin = ((uintptr_t)*result + HUGE - 1) / HUGE * HUGE, end = ((uintptr_t)*result + size) / HUGE * HUGE;

    (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* a wish */
  }
#endif
  if (clear) (void)memset(*result, 0, size);
  return PETSC_SUCCESS;
}

PetscErrorCode SoretUseHugePages(void)
{
  PetscBool use = PETSC_TRUE, debug;

  PetscFunctionBegin;
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-huge_pages", &use, NULL));
  PetscCall(PetscMallocGetDebug(&debug, NULL, NULL));
  if (!use || debug || usual_malloc) PetscFunctionReturn(PETSC_SUCCESS);
  usual_malloc = PetscTrMalloc;
  PetscCall(PetscMallocSet(Allocate, PetscTrFree, PetscTrRealloc));
  PetscFunctionReturn(PETSC_SUCCESS);
}
