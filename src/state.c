/* SPDX-License-Identifier: BSD-2-Clause

   Vectors of concentrations in checkpoints: in the natural order of the grid, so that any number of ranks may go on from them. */
#include "solve_private.h"

PetscErrorCode SoretStatePut(SoretArchive archive, const char *name, const SoretOperator *op, Vec c)
{
  PetscInt         size[4], start[4], count[4];
  const int        rank = SoretGridBox(op->grid, op->num_species, size, start, count);
  const PetscReal *x;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(c, &x));
  PetscCall(SoretArchivePutBox(archive, name, rank, size, start, count, x));
  PetscCall(VecRestoreArrayRead(c, &x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretStateGet(SoretArchive archive, const char *name, const SoretOperator *op, Vec c)
{
  PetscInt   size[4], start[4], count[4];
  const int  rank = SoretGridBox(op->grid, op->num_species, size, start, count);
  PetscReal *x;

  PetscFunctionBegin;
  PetscCall(VecGetArray(c, &x));
  PetscCall(SoretArchiveGetBox(archive, name, rank, size, start, count, x));
  PetscCall(VecRestoreArray(c, &x));
  PetscFunctionReturn(PETSC_SUCCESS);
}
