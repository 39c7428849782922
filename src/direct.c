/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/direct.h"

#include <math.h>

#include <petscksp.h>

/* A control parameter of MUMPS as an option, because a factor is there only when it is needed; unless it is given already. */
static PetscErrorCode SetControl(PC pc, int number, const char value[])
{
  const char *prefix;
  char        name[128];
  PetscBool   given;

  PetscFunctionBegin;
  PetscCall(PCGetOptionsPrefix(pc, &prefix));
  PetscCall(PetscSNPrintf(name, sizeof(name), "-%smat_mumps_icntl_%d", prefix ? prefix : "", number));
  PetscCall(PetscOptionsHasName(NULL, NULL, name, &given));
  if (!given) PetscCall(PetscOptionsSetValue(NULL, name, value));
  PetscCall(PetscOptionsHasName(NULL, NULL, name, &given)); /* no warning where no factor is ever made */
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscReal SoretDirectBytes(PetscInt dim, PetscReal cells, PetscReal n)
{
  return dim == 1 ? 450.0 + 31.0 * n : 800.0 + 24.0 * n * log2(PetscMax(cells, 2.0)) * (dim == 3 ? 3.0 : 1.0);
}

/* A factorisation by MUMPS, where there is one, or PETSc. */
static PetscErrorCode Factorise(PC pc, PetscBool band, PetscBool mumps)
{
  PetscFunctionBegin;
  PetscCall(PCSetType(pc, PCLU));
  if (mumps) {
    PetscCall(PCFactorSetMatSolverType(pc, "mumps"));
    /* neither the analysis, made once, nor the scaling of the columns depend on numbers of earlier matrices: a run that goes on has not seen these */
    PetscCall(SetControl(pc, 6, "0"));
    PetscCall(SetControl(pc, 8, "4"));
    PetscCall(SetControl(pc, 14, "200")); /* pivoting needs more room than it foresees, and MUMPS gives up where it lacks (INFOG(1) = -8, -9) */
  } else {
    PetscCall(PCFactorSetMatOrderingType(pc, band ? MATORDERINGNATURAL : MATORDERINGND));
    PetscCall(PCFactorSetShiftType(pc, MAT_SHIFT_NONE));
    PetscCall(PCFactorSetZeroPivot(pc, 0.0)); /* its 2e-14 is that of no unit: in SI a cell of 0.1 micrometres has pivots of 1e-17 */
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretDirectSetPC(PC pc, PetscInt n, PetscBool band, size_t length, char method[])
{
  PetscMPIInt ranks;
  PetscBool   mumps = PETSC_FALSE, copies;
  KSP         each;
  PC          inner;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PetscObjectComm((PetscObject)pc), &ranks));
  copies = ranks > 1 && n <= SORET_LARGEST_COPY ? PETSC_TRUE : PETSC_FALSE;
#if defined(PETSC_HAVE_MUMPS)
  mumps = !band || (ranks > 1 && !copies) ? PETSC_TRUE : PETSC_FALSE;
#endif
  PetscCheck(mumps || ranks == 1 || copies, PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP, "a PETSc without MUMPS has no parallel direct solver; use one rank or -pc_type asm");
  if (copies) {
    PetscCall(PCSetType(pc, PCREDUNDANT));
    PetscCall(PCRedundantSetNumber(pc, ranks));
    PetscCall(PCRedundantGetKSP(pc, &each));
    PetscCall(KSPGetPC(each, &inner));
    PetscCall(Factorise(inner, band, mumps));
  } else PetscCall(Factorise(pc, band, mumps));
  if (method) PetscCall(PetscSNPrintf(method, length, "direct (%s LU)", mumps ? "MUMPS" : "PETSc"));
  PetscFunctionReturn(PETSC_SUCCESS);
}
