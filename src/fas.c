/* SPDX-License-Identifier: BSD-2-Clause

   Nonlinear multigrid, the full approximation scheme of Brandt (1977). The cycle is our own and not that of PETSc's SNESFAS, which stores and
   copies residuals that here are restricted as they are computed: half the time and a third of the memory (docs/performance.md). Options
   are those of SNESFAS, and the SNES is one like any other. */
#include "transfer.h"

#include "soret/multigrid.h"
#include "soret/record.h"

typedef struct {
  SoretBoundary boundary;
  SoretOperator op;
  SoretSystem   sys;
  SoretTransfer to_coarser; /* from this level to the next */
  Vec           c, old, rhs;
} Level;

struct SoretFAS_s {
  SoretHierarchy hierarchy;
  Level          level[SORET_MAX_LEVELS]; /* 0 is the finest; its operator, system and vectors are the caller's */
  SoretSystem   *sys[SORET_MAX_LEVELS];
  SNES           snes, coarsest;
  Vec            none;                    /* without entries, for a SNES that would else make a residual of its own */
  PetscInt       down, up, cycles;        /* sweeps before and after the coarser level, cycles there */
  SoretCycleTest test;
  void          *context;
  PetscBool      goes_on;                 /* the next cycle begins after its smoother                     */
  SoretAnderson  anderson;                /* NULL while cycles are not accelerated                        */
};

PetscErrorCode SoretFASChoose(const SoretOperator *op, PetscBool *use)
{
  const PetscReal unknowns = (PetscReal)op->grid->n[0] * (PetscReal)op->grid->n[1] * (PetscReal)op->grid->n[2] * (PetscReal)op->num_species;
  char            type[64];
  PetscBool       given;

  PetscFunctionBegin;
  PetscCall(PetscOptionsGetString(NULL, NULL, "-snes_type", type, sizeof(type), &given));
  if (given) PetscCall(PetscStrcmp(type, SNESFAS, use));
  else *use = SoretIsSmall(op->grid->dim, unknowns) ? PETSC_FALSE : PETSC_TRUE;
  if (op->width > 1) *use = PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- one cycle ---- */

static PetscErrorCode SmoothLevel(SoretFAS fas, PetscInt l, PetscInt sweeps, Vec rhs, Vec c)
{
  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_SMOOTHER);
  for (PetscInt k = 0; k < sweeps; k++) PetscCall(SoretSystemSmooth(fas->sys[l], rhs, c));
  SoretRecordEnd(SORET_PHASE_SMOOTHER);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode AddResidualRow(SoretOperator *op, const SoretRow *row, const PetscReal f[], void *context)
{
  PetscReal *rhs = (PetscReal *)context + row->first * op->num_species;

  PetscFunctionBegin;
  for (PetscInt q = 0; q < op->grid->count[0] * op->num_species; q++) rhs[q] += f[q];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The problem of the next level: the defect, and the left side of that level at the restricted state, from which it starts. square: of the
   defect of level l, summed over ranks if wanted. */
static PetscErrorCode Descend(SoretFAS fas, PetscInt l, Vec rhs, Vec c, PetscReal *square)
{
  Level         *next = &fas->level[l + 1];
  SoretCellTerms terms;
  PetscReal     *array, mine;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_RESIDUAL);
  PetscCall(SoretTransferDefect(&fas->level[l].to_coarser, rhs, c, next->old, next->rhs, &mine));
  PetscCall(SoretSystemTerms(&next->sys, next->old, &terms));
  PetscCall(VecGetArray(next->rhs, &array));
  PetscCall(SoretOperatorForEachResidual(&next->op, &terms, next->old, AddResidualRow, array));
  PetscCall(VecRestoreArray(next->rhs, &array));
  PetscCall(VecCopy(next->old, next->c));
  SoretRecordEnd(SORET_PHASE_RESIDUAL);
  if (square) PetscCallMPI(MPI_Allreduce(&mine, square, 1, MPIU_REAL, MPI_SUM, fas->sys[0]->op->grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The coarser level, what it says, and the sweeps after it. */
static PetscErrorCode Ascend(SoretFAS fas, PetscInt l, Vec rhs, Vec c)
{
  Level *next = &fas->level[l + 1];

  PetscFunctionBegin;
  if (l + 1 == fas->hierarchy.num - 1) {
    SoretRecordBegin(SORET_PHASE_COARSE);
    PetscCall(SNESSolve(fas->coarsest, next->rhs, next->c));
    SoretRecordEnd(SORET_PHASE_COARSE);
  } else {
    for (PetscInt k = 0; k < fas->cycles; k++) PetscCall(SoretFASCycle(fas, l + 1, next->rhs, next->c));
  }
  SoretRecordBegin(SORET_PHASE_TRANSFER);
  PetscCall(SoretTransferInterpolate(&fas->level[l].to_coarser, next->c, next->old, c));
  SoretRecordEnd(SORET_PHASE_TRANSFER);
  PetscCall(SmoothLevel(fas, l, fas->up, rhs, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASCycle(SoretFAS fas, PetscInt l, Vec rhs, Vec c)
{
  PetscFunctionBegin;
  PetscCall(SmoothLevel(fas, l, fas->down, rhs, c));
  PetscCall(Descend(fas, l, rhs, c, NULL));
  PetscCall(Ascend(fas, l, rhs, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the SNES ---- */

/* Cycles until the test says so. The test is asked in the middle of a cycle, where the residual is known without computing it for that. */
static PetscErrorCode SolveShell(SNES snes, Vec c)
{
  SNESConvergedReason reason = SNES_CONVERGED_ITERATING;
  PetscInt            max_cycles;
  SoretFAS            fas;

  PetscFunctionBegin;
  PetscCall(SNESShellGetContext(snes, &fas));
  PetscCall(SNESGetTolerances(snes, NULL, NULL, NULL, &max_cycles, NULL));
  if (fas->sys[0]->op->grid->closed) PetscCall(SoretFASAccelerate(fas, c)); /* winding pores are not seen on coarse grids */
  if (!fas->goes_on) SoretAndersonForget(fas->anderson);
  for (PetscInt cycle = 0; !reason; cycle++) {
    PetscReal fnorm;

    if (!fas->goes_on) PetscCall(SmoothLevel(fas, 0, fas->down, NULL, c));
    fas->goes_on = PETSC_FALSE;
    PetscCall(Descend(fas, 0, NULL, c, &fnorm));
    fnorm = PetscSqrtReal(fnorm);
    PetscCall(SNESSetIterationNumber(snes, cycle));
    PetscCall(SNESSetFunctionNorm(snes, fnorm));
    PetscCall(SNESMonitor(snes, cycle, fnorm));
    PetscCall(fas->test(fas->context, cycle, fnorm, c, &reason));
    if (!reason && cycle == max_cycles) reason = SNES_DIVERGED_MAX_IT;
    if (reason) break;
    if (fas->anderson) PetscCall(SoretAndersonBegin(fas->anderson, c));
    PetscCall(Ascend(fas, 0, NULL, c));
    PetscCall(SmoothLevel(fas, 0, fas->down, NULL, c));
    fas->goes_on = PETSC_TRUE;
    if (fas->anderson) PetscCall(SoretAndersonEnd(fas->anderson, c));
    if (fas->sys[0]->num_parts) PetscCall(SoretSystemClose(fas->sys[0], NULL, NULL, c)); /* parts of few cells are not on the coarse grids, where means are set */
  }
  PetscCall(SNESSetConvergedReason(snes, reason));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FormResidual(SNES snes, Vec c, Vec f, void *sys)
{
  PetscFunctionBegin;
  PetscCall(SoretSystemResidual((SoretSystem *)sys, c, f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FormJacobian(SNES snes, Vec c, Mat A, Mat P, void *sys)
{
  PetscFunctionBegin;
  PetscCall(SoretSystemJacobian((SoretSystem *)sys, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The coarsest level: Newton with an assembled matrix, direct (or, where the ranks do not allow a small grid, multigrid). */
static PetscErrorCode CreateCoarsest(SoretFAS fas)
{
  SoretSystem   *sys = fas->sys[fas->hierarchy.num - 1];
  SNESLineSearch search;
  KSP            ksp;
  char           method[128];

  PetscFunctionBegin;
  PetscCall(SNESCreate(sys->op->grid->comm, &fas->coarsest));
  PetscCall(SNESSetOptionsPrefix(fas->coarsest, "fas_coarse_"));
  PetscCall(SNESSetFunction(fas->coarsest, NULL, FormResidual, sys));
  PetscCall(SoretSystemCreateMatrices(sys));
  PetscCall(SNESSetJacobian(fas->coarsest, sys->A, sys->P, FormJacobian, sys));
  PetscCall(SNESGetLineSearch(fas->coarsest, &search));
  PetscCall(SNESLineSearchSetType(search, SORET_LINESEARCH_NONE));
  PetscCall(SNESSetTolerances(fas->coarsest, 0.0, 1.0e-3, 0.0, 2, PETSC_MAX_INT)); /* nothing absolute: residuals in SI may be 1e-30 */
  PetscCall(SNESGetKSP(fas->coarsest, &ksp));
  PetscCall(SoretSystemSetKSP(sys, ksp, 1.0e-6, sizeof(method), method));
  PetscCall(SNESSetFromOptions(fas->coarsest));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Past solid, coarse grids see less of the way: they get more cycles, and what they say more sweeps. */
static PetscErrorCode ReadOptions(SoretFAS fas)
{
  PetscFunctionBegin;
  fas->down = 1;
  fas->up = fas->cycles = fas->sys[0]->op->grid->closed ? 2 : 1;
  PetscOptionsBegin(fas->sys[0]->op->grid->comm, NULL, "Nonlinear multigrid", "SNESFAS");
  PetscCall(PetscOptionsInt("-snes_fas_smoothdown", "sweeps before the coarser level", "", fas->down, &fas->down, NULL));
  PetscCall(PetscOptionsInt("-snes_fas_smoothup", "sweeps after it", "", fas->up, &fas->up, NULL));
  PetscCall(PetscOptionsInt("-snes_fas_cycles", "1: V cycle, 2: W cycle", "", fas->cycles, &fas->cycles, NULL));
  PetscOptionsEnd();
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateSNES(SoretFAS fas)
{
  PetscFunctionBegin;
  PetscCall(ReadOptions(fas));
  PetscCall(SNESCreate(fas->sys[0]->op->grid->comm, &fas->snes));
  PetscCall(VecCreateMPIWithArray(fas->sys[0]->op->grid->comm, fas->sys[0]->op->num_species, fas->sys[0]->op->grid->num_cells * fas->sys[0]->op->num_species, PETSC_DETERMINE, NULL, &fas->none));
  PetscCall(SNESSetFunction(fas->snes, fas->none, FormResidual, fas->sys[0]));
  PetscCall(SNESSetFromOptions(fas->snes)); /* -snes_monitor, -snes_max_it; the type is set after it, -snes_type fas means this one */
  PetscCall(SNESSetType(fas->snes, SNESSHELL));
  PetscCall(SNESShellSetContext(fas->snes, fas));
  PetscCall(SNESShellSetSolve(fas->snes, SolveShell));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- levels ---- */

static PetscErrorCode CreateLevel(SoretFAS fas, PetscInt l, Vec fine_0)
{
  SoretSystem *finer = fas->sys[l - 1];
  Level       *level = &fas->level[l];

  PetscFunctionBegin;
  PetscCall(SoretOperatorCreateCoarse(finer->op, fas->hierarchy.grid[l], fas->hierarchy.coarsened[l], &level->boundary, &level->op));
  level->sys.op = &level->op;
  fas->sys[l]   = &level->sys;
  PetscCall(SoretTransferCreate(finer, &level->sys, fas->hierarchy.coarsened[l], &fas->level[l - 1].to_coarser));
  PetscCall(SoretOperatorCreateVector(&level->op, &level->c));
  PetscCall(VecDuplicate(level->c, &level->old));
  PetscCall(VecDuplicate(level->c, &level->rhs));
  if (finer->num_local) PetscCall(SoretTransferState(&fas->level[l - 1].to_coarser, fine_0, level->c)); /* for the sums that each cell keeps */
  PetscCall(SoretSystemCreate(&level->op, finer->sums, finer, level->c, finer->augmented, &level->sys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASCreate(SoretSystem *finest, Vec c_0, SoretFAS *fas)
{
  SoretFAS f;

  PetscFunctionBegin;
  PetscCall(PetscNew(fas));
  f         = *fas;
  f->sys[0] = finest;
  PetscCall(SoretHierarchyCreate(finest->op->grid, PETSC_TRUE, &f->hierarchy));
  for (PetscInt l = 1; l < f->hierarchy.num; l++) PetscCall(CreateLevel(f, l, l == 1 ? c_0 : f->level[l - 1].c));
  if (f->hierarchy.num < 2) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(CreateCoarsest(f));
  PetscCall(CreateSNES(f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode DestroyLevel(Level *level)
{
  PetscFunctionBegin;
  PetscCall(SoretTransferDestroy(&level->to_coarser));
  if (!level->op.model) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecDestroy(&level->c));
  PetscCall(VecDestroy(&level->old));
  PetscCall(VecDestroy(&level->rhs));
  PetscCall(SoretSystemDestroy(&level->sys));
  PetscCall(SoretOperatorDestroy(&level->op));
  PetscCall(SoretBoundaryDestroy(&level->boundary));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASDestroy(SoretFAS *fas)
{
  PetscFunctionBegin;
  if (!*fas) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SNESDestroy(&(*fas)->snes));
  PetscCall(VecDestroy(&(*fas)->none));
  PetscCall(SoretAndersonDestroy(&(*fas)->anderson));
  PetscCall(SNESDestroy(&(*fas)->coarsest));
  for (PetscInt l = (*fas)->hierarchy.num - 1; l >= 0; l--) PetscCall(DestroyLevel(&(*fas)->level[l]));
  PetscCall(SoretHierarchyDestroy(&(*fas)->hierarchy));
  PetscCall(PetscFree(*fas));
  PetscFunctionReturn(PETSC_SUCCESS);
}

SNES SoretFASGetSNES(SoretFAS fas)
{
  return fas->snes;
}

PetscErrorCode SoretFASSetTest(SoretFAS fas, SoretCycleTest test, void *context)
{
  PetscFunctionBegin;
  fas->test    = test;
  fas->context = context;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASGoOn(SoretFAS fas, SoretAnderson *anderson)
{
  PetscFunctionBegin;
  fas->goes_on = PETSC_TRUE;
  PetscCall(SoretAndersonDestroy(&fas->anderson));
  fas->anderson = *anderson;
  *anderson     = NULL;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASAccelerate(SoretFAS fas, Vec c)
{
  PetscFunctionBegin;
  if (!fas->anderson) PetscCall(SoretAndersonCreate(c, &fas->anderson));
  PetscFunctionReturn(PETSC_SUCCESS);
}

SoretAnderson SoretFASGetAnderson(SoretFAS fas)
{
  return fas->anderson;
}

PetscInt SoretFASNumLevels(SoretFAS fas)
{
  return fas->hierarchy.num;
}

PetscErrorCode SoretFASUpdate(SoretFAS fas)
{
  PetscFunctionBegin;
  for (PetscInt l = 1; l < fas->hierarchy.num; l++) {
    PetscCall(SoretOperatorSetTime(&fas->level[l].op, fas->sys[0]->op->t));
    fas->level[l].sys.shift = fas->sys[0]->shift;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- full multigrid start ---- */

PetscErrorCode SoretFASStart(SoretFAS fas, PetscErrorCode (*solve)(void *context, SoretSystem *sys, Vec c), void *context, Vec c)
{
  const PetscInt num = fas->hierarchy.num;
  Vec            x[SORET_MAX_LEVELS];

  PetscFunctionBegin;
  x[0] = c;
  for (PetscInt l = 1; l < num; l++) {
    PetscCall(VecDuplicate(fas->level[l].c, &x[l]));
    PetscCall(SoretTransferState(&fas->level[l - 1].to_coarser, x[l - 1], x[l]));
  }
  if (num > 1) PetscCall(solve(context, fas->sys[num - 1], x[num - 1]));
  for (PetscInt l = num - 2; l >= 0; l--) {
    PetscCall(SoretTransferInterpolate(&fas->level[l].to_coarser, x[l + 1], NULL, x[l]));
    PetscCall(VecDestroy(&x[l + 1]));
    if (l > 0) PetscCall(SoretFASCycle(fas, l, NULL, x[l]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
