/* SPDX-License-Identifier: BSD-2-Clause

   Huge pages of memory for large arrays. */
#pragma once

#include "soret/base.h"

/* From now on arrays of 4 MiB and more that PETSc allocates begin at a multiple of 2 MiB, so that residuals can be written past the caches, and are wished to be made of
   huge pages: their first touch and all sweeps over them are faster. The wish matters on Linux where that is left to programs
   (/sys/kernel/mm/transparent_hugepage/enabled: madvise). Not with -malloc_debug. Option: -huge_pages, true. To be called after PetscInitialize(). Not collective. */
PetscErrorCode SoretUseHugePages(void);
