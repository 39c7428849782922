/* SPDX-License-Identifier: BSD-2-Clause

   Huge pages of memory for large arrays. */
#pragma once

#include "soret/base.h"

/* From now on PETSc asks the system for huge pages where it allocates 4 MiB and more: the first touch of such arrays and all sweeps over them are faster. Does
   something on Linux where that is left to programs (/sys/kernel/mm/transparent_hugepage/enabled: madvise), nothing else; not with -malloc_debug. Option:
   -huge_pages, true. To be called after PetscInitialize(). Not collective. */
PetscErrorCode SoretUseHugePages(void);
