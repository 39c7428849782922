/* SPDX-License-Identifier: BSD-2-Clause

   Linear solvers of the system: which by default, options, and the memory that they and the cycles take. */
#include "solve_private.h"

#include "soret/direct.h"
#include "soret/multigrid.h"

PetscBool SoretIsSmall(PetscInt dim, PetscReal unknowns)
{
  /* where sparse LU (nested dissection) and multigrid cost the same was measured: docs/performance.md */
  return dim == 1 || (dim == 2 && unknowns <= 2.0e4) || (dim == 3 && unknowns <= 2.0e3) ? PETSC_TRUE : PETSC_FALSE;
}

/* The method by the names of PETSc, where -pc_type, `chosen`, is another preconditioner than ours; galerkin: does it multiply matrices with interpolations? */
static PetscErrorCode NameChosen(const char *prefix, const char *chosen, size_t length, char method[], PetscBool *galerkin)
{
  char     type[64] = KSPFGMRES;
  PetscInt which;

  PetscFunctionBegin;
  if (!chosen[0] || !strcmp(chosen, SORET_PCFAS) || !strcmp(chosen, PCMG)) PetscFunctionReturn(PETSC_SUCCESS); /* the first has been seen to be impossible */
  PetscCall(PetscOptionsGetString(NULL, prefix, "-ksp_type", type, sizeof(type), NULL));
  PetscCall(PetscSNPrintf(method, length, "%s with %s", type, chosen));
  PetscCall(PetscEListFind(2, (const char *const[]){PCGAMG, PCHYPRE}, chosen, &which, galerkin));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Takes back what an iterative solver does to solid, where nothing would take it back later. */
static PetscErrorCode KeepSolid(KSP ksp, Vec b, Vec x, void *context)
{
  const SoretOperator *op = ((SoretSystem *)context)->op;
  const PetscInt       ns = op->num_species;
  PetscReal           *y;

  PetscFunctionBegin;
  PetscCall(VecGetArray(x, &y));
  for (PetscInt p = 0; p < op->grid->num_cells; p++) {
    if (SoretGridIsSolid(op->grid, p)) PetscCall(PetscArrayzero(y + p * ns, ns));
  }
  PetscCall(VecRestoreArray(x, &y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

enum { FEW_UNKNOWNS = 300 }; /* as on the coarsest grid of multigrid: MUMPS takes four times as long for them as a band */

PetscErrorCode SoretSystemSetKSP(SoretSystem *sys, KSP ksp, PetscReal rtol, size_t length, char method[])
{
  const SoretGrid *grid = sys->op->grid;
  const char      *prefix;
  char             chosen[64] = "";
  PetscInt         unknowns;
  PetscBool        mg;
  PC               pc;

  PetscFunctionBegin;
  PetscCall(KSPGetOptionsPrefix(ksp, &prefix));
  PetscCall(PetscOptionsGetString(NULL, prefix, "-pc_type", chosen, sizeof(chosen), NULL));
  PetscCall(PetscStrcmp(chosen, PCMG, &mg));
  PetscCall(MatGetSize(sys->P, &unknowns, NULL));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(KSPSetType(ksp, KSPFGMRES));
  PetscCall(KSPGMRESSetRestart(ksp, 50));
  PetscCall(KSPSetTolerances(ksp, rtol, 0.0, PETSC_DEFAULT, 200));
  if (grid->closed) PetscCall(KSPSetPostSolve(ksp, KeepSolid, sys));
  if (sys->at) {
    PetscCall(SoretPCFASSet(pc, sys, length, method));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (!mg && SoretIsSmall(grid->dim, (PetscReal)unknowns)) PetscCall(SoretDirectSetPC(pc, unknowns, grid->dim == 1 || unknowns <= FEW_UNKNOWNS ? PETSC_TRUE : PETSC_FALSE, length, method));
  else if (!mg && sys->op->width > 1) { /* point smoothers do not converge on second-order ballistic transport */
    PetscCall(PCSetType(pc, PCASM));
    PetscCall(PetscSNPrintf(method, length, "FGMRES with additive Schwarz, ILU"));
  } else {
    PetscCall(SoretMultigridSetPC(sys->op, pc, length, method));
    sys->galerkin = PETSC_TRUE;
  }
  PetscCall(NameChosen(prefix, chosen, length, method, &sys->galerkin));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Takes an option away if it has this value; or gives it back, as one that is of use. */
static PetscErrorCode Hide(const char *option, const char *value, PetscBool *hidden)
{
  char      given[64];
  PetscBool set;

  PetscFunctionBegin;
  *hidden = PETSC_FALSE;
  PetscCall(PetscOptionsGetString(NULL, NULL, option, given, sizeof(given), &set));
  if (set) PetscCall(PetscStrcmp(given, value, hidden));
  if (*hidden) PetscCall(PetscOptionsClearValue(NULL, option));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Show(const char *option, const char *value, PetscBool hidden)
{
  PetscFunctionBegin;
  if (!hidden) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscOptionsSetValue(NULL, option, value));
  PetscCall(PetscOptionsHasName(NULL, NULL, option, &hidden));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretNewtonSetFromOptions(const SoretSystem *sys, PetscBool say, SNES snes, TS ts)
{
  const SoretGrid *grid = sys->op->grid;
  PetscBool        fas, pc = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(Hide("-snes_type", SNESFAS, &fas)); /* a SNES that was of that type once has lost its line search */
  if (!sys->at) PetscCall(Hide("-pc_type", SORET_PCFAS, &pc));
  if (ts) PetscCall(TSSetFromOptions(ts));
  else PetscCall(SNESSetFromOptions(snes));
  PetscCall(Show("-snes_type", SNESFAS, fas));
  PetscCall(Show("-pc_type", SORET_PCFAS, pc));
  if (say && fas) PetscCall(SoretSay(grid->comm, "-snes_type fas: no coarser grid can be made of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT " cells on these ranks; Newton's method is used\n", grid->n[0], grid->n[1], grid->n[2]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- memory ---- */

PetscErrorCode SoretSolveEstimateMemory(const SoretSolveSpec *spec, const SoretGridSpec *grid, const SoretModel *model, PetscBool flows, PetscReal *bytes, const char **method)
{
  const PetscReal ns = (PetscReal)model->num_species, cells = (PetscReal)grid->n[0] * (PetscReal)grid->n[1] * (PetscReal)grid->n[2], unknowns = cells * ns;
  PetscReal       slots = 0.0, each; /* rate constants that vary; bytes per unknown, fitted to measured peaks (docs/performance.md, "Memory") */

  PetscFunctionBegin;
  if (SoretIsSmall(grid->dim, unknowns)) {
    each    = SoretDirectBytes(grid->dim, cells, ns);
    *method = "direct solver";
  } else if (!SoretModelHasBallistic(model)) {
    PetscBool uniform = flows ? PETSC_FALSE : PETSC_TRUE;
    PetscReal a;

    for (PetscInt s = 0; s < model->num_species; s++) uniform = uniform && SoretModelConductivityIsConstant(model, s, &a) ? PETSC_TRUE : PETSC_FALSE;
    each    = 42.0 + 12.0 / ns + (uniform && !grid->solid ? 0.0 : 34.0) + (grid->solid ? 118.0 : 0.0) + (flows ? (PetscReal)grid->dim * (21.0 + 8.0 / ns) : 0.0);
    *method = "multigrid, matrix-free";
  } else {
    each    = 560.0 + 58.0 * (ns + 2.0 * (PetscReal)grid->dim);
    *method = "multigrid, assembled";
  }
  for (PetscInt r = 0; r < 2 * model->network.num_reactions; r++) slots += SoretNetworkIsFixed(&model->network, r / 2, (int)(r % 2)) ? 0.0 : 1.0;
  each += 9.2 * PetscMax(slots / ns - 0.5, 0.0); /* rate constants on all levels, beyond those of the fit */
  if (spec->mode == SORET_TRANSIENT) each += 240.0;
  *bytes = unknowns * each + SORET_PROGRAM_BYTES;
  PetscFunctionReturn(PETSC_SUCCESS);
}
