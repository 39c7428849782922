/* SPDX-License-Identifier: BSD-2-Clause

   Factorisation of small matrices, with the same bits each time. */
#pragma once

#include "soret/base.h"

#include <petscpc.h>

/* Makes a preconditioner of a matrix with n rows a factorisation: PETSc's own, without pivoting, for a band (one dimension, or few rows), else MUMPS.

   On several ranks MUMPS adds in the order in which messages arrive, so that two runs differ in the last digits. Therefore every rank
   factorises the whole matrix for itself, as one rank would; that is no slower for small matrices. Those with more than SORET_LARGEST_COPY rows
   are shared out, and cost the bits. Options: -pc_type, or -redundant_pc_... and -redundant_mat_mumps_... for what each rank does.

   method - gets a name */
PetscErrorCode SoretDirectSetPC(PC pc, PetscInt n, PetscBool band, size_t length, char method[]);

enum { SORET_LARGEST_COPY = 50000 };

/* Peak memory for each unknown of such a problem, bytes: n unknowns in each of this many cells; fitted to measured peaks (docs/performance.md, "Memory"). */
PetscReal SoretDirectBytes(PetscInt dim, PetscReal cells, PetscReal n);
