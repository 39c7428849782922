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

/* The coarsest level of several ranks, whole on each of them, with levels of its own below. */
typedef struct {
  SoretGrid grid;
  Level     level;
  SoretFAS  fas;
} Whole;

struct SoretFAS_s {
  SoretHierarchy hierarchy;
  Level          level[SORET_MAX_LEVELS]; /* 0 is the finest; its operator, system and vectors are the caller's */
  SoretSystem   *sys[SORET_MAX_LEVELS];
  Whole         *whole;                   /* NULL: the coarsest level is solved directly */
  SNES           snes, coarsest;
  Vec            none[2];                 /* without entries: state and residual of the SNES, which would else make vectors that nobody needs */
  Vec            c;                       /* the state while it is solved for           */
  Vec            guess;                   /* what SoretFASKeep() has seen, on level 1; without one on the finest */

  SoretCycleOptions options;

  SoretCycleTest test;
  void          *context;
  PetscBool      goes_on;                 /* the next cycle begins after its smoother                     */
  SoretAnderson  anderson;                /* NULL while cycles are not accelerated                        */
};

PetscBool SoretFASIsUsual(const SoretOperator *op)
{
  const PetscReal unknowns = (PetscReal)op->grid->n[0] * (PetscReal)op->grid->n[1] * (PetscReal)op->grid->n[2] * (PetscReal)op->num_species;

  return op->width == 1 && !SoretIsSmall(op->grid->dim, unknowns) ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode SoretFASChoose(const SoretOperator *op, PetscBool *use)
{
  char      type[64];
  PetscBool given;

  PetscFunctionBegin;
  *use = SoretFASIsUsual(op);
  PetscCall(PetscOptionsGetString(NULL, NULL, "-snes_type", type, sizeof(type), &given));
  if (given) PetscCall(PetscStrcmp(type, SNESFAS, use));
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
  PetscCall(SoretSystemGetTerms(&next->sys, next->old, &terms));
  PetscCall(VecGetArray(next->rhs, &array));
  PetscCall(SoretOperatorForEachResidual(&next->op, &terms, next->old, AddResidualRow, array));
  PetscCall(VecRestoreArray(next->rhs, &array));
  PetscCall(SoretSystemRestoreTerms(&next->sys, &terms));
  PetscCall(VecCopy(next->old, next->c));
  SoretRecordEnd(SORET_PHASE_RESIDUAL);
  if (square) PetscCallMPI(MPI_Allreduce(&mine, square, 1, MPIU_REAL, MPI_SUM, fas->sys[0]->op->grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Vectors of the coarsest level, to all ranks in one go. */
static PetscErrorCode ToWhole(SoretFAS fas, PetscInt num, const Vec mine[], const Vec whole[])
{
  const SoretOperator *op = fas->sys[fas->hierarchy.num - 1]->op;
  const PetscInt       ns = op->num_species, m = op->grid->num_cells * ns, n = fas->whole->grid.num_cells * ns;
  const PetscReal     *from;
  PetscReal           *parts, *all, *to;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(num * m, &parts, num * n, &all));
  for (PetscInt v = 0; v < num; v++) {
    PetscCall(VecGetArrayRead(mine[v], &from));
    for (PetscInt q = 0; q < m; q++) parts[(q / ns * num + v) * ns + q % ns] = from[q];
    PetscCall(VecRestoreArrayRead(mine[v], &from));
  }
  PetscCall(SoretGridGather(op->grid, SORET_GRID_CELLS, num * ns, parts, all));
  for (PetscInt v = 0; v < num; v++) {
    PetscCall(VecGetArrayWrite(whole[v], &to));
    for (PetscInt q = 0; q < n; q++) to[q] = all[(q / ns * num + v) * ns + q % ns];
    PetscCall(VecRestoreArrayWrite(whole[v], &to));
  }
  PetscCall(PetscFree2(parts, all));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The cells of this rank of what all have found. */
static PetscErrorCode FromWhole(SoretFAS fas, Vec whole, Vec mine)
{
  const SoretGrid *grid = fas->sys[fas->hierarchy.num - 1]->op->grid;
  const PetscInt   ns   = fas->sys[0]->op->num_species;
  const PetscReal *from;
  PetscReal       *to;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(whole, &from));
  PetscCall(VecGetArray(mine, &to));
  for (PetscInt k = 0; k < grid->count[2]; k++) {
    for (PetscInt j = 0; j < grid->count[1]; j++) PetscCall(PetscArraycpy(to + (k * grid->count[1] + j) * grid->count[0] * ns, from + (((grid->start[2] + k) * grid->n[1] + grid->start[1] + j) * grid->n[0] + grid->start[0]) * ns, grid->count[0] * ns));
  }
  PetscCall(VecRestoreArray(mine, &to));
  PetscCall(VecRestoreArrayRead(whole, &from));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The coarsest level for left side = rhs: directly, or by cycles on every rank. */
static PetscErrorCode SolveLast(SoretFAS fas, Vec rhs, Vec c)
{
  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_COARSE);
  if (fas->whole) {
    PetscCall(ToWhole(fas, 2, (Vec[]){rhs, c}, (Vec[]){fas->whole->level.rhs, fas->whole->level.c}));
    for (PetscInt k = 0; k < fas->options.cycles; k++) PetscCall(SoretFASCycle(fas->whole->fas, 0, fas->whole->level.rhs, fas->whole->level.c));
    PetscCall(FromWhole(fas, fas->whole->level.c, c));
  } else PetscCall(SNESSolve(fas->coarsest, rhs, c));
  SoretRecordEnd(SORET_PHASE_COARSE);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The coarser level, what it says, and the sweeps after it. */
static PetscErrorCode Ascend(SoretFAS fas, PetscInt l, Vec rhs, Vec c)
{
  Level *next = &fas->level[l + 1];

  PetscFunctionBegin;
  for (PetscInt k = 0; k < (l + 1 < fas->hierarchy.num - 1 ? fas->options.cycles : 1); k++) PetscCall(SoretFASCycle(fas, l + 1, next->rhs, next->c));
  SoretRecordBegin(SORET_PHASE_TRANSFER);
  PetscCall(SoretTransferInterpolate(&fas->level[l].to_coarser, next->c, next->old, c));
  SoretRecordEnd(SORET_PHASE_TRANSFER);
  PetscCall(SmoothLevel(fas, l, fas->options.up, rhs, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASCycle(SoretFAS fas, PetscInt l, Vec rhs, Vec c)
{
  PetscFunctionBegin;
  if (l == fas->hierarchy.num - 1) {
    PetscCall(SolveLast(fas, rhs, c));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SmoothLevel(fas, l, fas->options.down, rhs, c));
  PetscCall(Descend(fas, l, rhs, c, NULL));
  PetscCall(Ascend(fas, l, rhs, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the SNES ---- */

/* Cycles until the test says so. The test is asked in the middle of a cycle, where the residual is known without computing it for that. */
static PetscErrorCode SolveShell(SNES snes, Vec none)
{
  SNESConvergedReason reason = SNES_CONVERGED_ITERATING;
  PetscInt            max_cycles;
  SoretFAS            fas;
  Vec                 c;

  PetscFunctionBegin;
  PetscCall(SNESShellGetContext(snes, &fas));
  c = fas->c;
  PetscCall(SNESGetTolerances(snes, NULL, NULL, NULL, &max_cycles, NULL));
  if (fas->sys[0]->op->grid->closed) PetscCall(SoretFASAccelerate(fas, c)); /* winding pores are not seen on coarse grids */
  if (!fas->goes_on) SoretAndersonForget(fas->anderson);
  for (PetscInt cycle = 0; !reason; cycle++) {
    PetscReal fnorm;

    if (!fas->goes_on) PetscCall(SmoothLevel(fas, 0, fas->options.down, NULL, c));
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
    PetscCall(SmoothLevel(fas, 0, fas->options.down, NULL, c));
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

PetscErrorCode SoretCycleOptionsRead(MPI_Comm comm, SoretCycleOptions *o)
{
  PetscFunctionBegin;
  PetscOptionsBegin(comm, NULL, "Nonlinear multigrid", "SNESFAS");
  PetscCall(PetscOptionsInt("-snes_fas_smoothdown", "sweeps before the coarser level", "", o->down, &o->down, NULL));
  PetscCall(PetscOptionsInt("-snes_fas_smoothup", "sweeps after it", "", o->up, &o->up, NULL));
  PetscCall(PetscOptionsInt("-snes_fas_cycles", "1: V cycle, 2: W cycle", "", o->cycles, &o->cycles, NULL));
  PetscCall(PetscOptionsReal("-snes_fas_omega", "over-relaxation of transport in sweeps of steady problems, where the coarser level is coarser along three axes", "", o->omega, &o->omega, NULL));
  PetscOptionsEnd();
  PetscCheck(o->down >= 0 && o->up >= 0, comm, PETSC_ERR_ARG_OUTOFRANGE, "sweeps cannot be negative");
  PetscCheck(o->cycles >= 1, comm, PETSC_ERR_ARG_OUTOFRANGE, "at least one cycle is needed on the coarser level");
  PetscCheck(o->omega > 0.0 && o->omega < 2.0, comm, PETSC_ERR_ARG_OUTOFRANGE, "it must be between 0 and 2");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateSNES(SoretFAS fas)
{
  PetscFunctionBegin;
  PetscCall(SNESCreate(fas->sys[0]->op->grid->comm, &fas->snes));
  for (int k = 0; k < 2; k++) PetscCall(VecCreateMPI(fas->sys[0]->op->grid->comm, 0, 0, &fas->none[k]));
  PetscCall(SNESSetFunction(fas->snes, fas->none[1], FormResidual, fas->sys[0]));
  PetscCall(SNESSetTolerances(fas->snes, 0.0, 0.0, 0.0, fas->sys[0]->op->grid->closed ? 120 : 60, PETSC_MAX_INT)); /* winding pores take their time, and still less than a matrix */
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
  fas->sys[l] = &level->sys;
  PetscCall(SoretTransferCreate(finer, &level->op, fas->hierarchy.coarsened[l], &fas->level[l - 1].to_coarser));
  PetscCall(SoretOperatorCreateVector(&level->op, &level->c));
  PetscCall(VecDuplicate(level->c, &level->old));
  PetscCall(VecDuplicate(level->c, &level->rhs));
  if (finer->num_local) PetscCall(SoretTransferState(&fas->level[l - 1].to_coarser, fine_0, level->c)); /* for the sums that each cell keeps */
  PetscCall(SoretSystemCreate(&level->op, finer->sums, finer, level->c, finer->augmented, &level->sys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Few cells on each rank: what a message takes would be most of the time of a level, and a direct solver on many ranks far more. */
enum { FEW_PER_RANK = 8, MOST_WHOLE = 65536 };

/* The last level that the ranks share, whole on each of them from there on; the number of levels if there is none. Parts of the fluid are not known
   there. */
static PetscErrorCode FindWhole(const SoretHierarchy *hierarchy, PetscInt *level)
{
  PetscMPIInt ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(hierarchy->grid[0]->comm, &ranks));
  for (*level = 1; *level < hierarchy->num; (*level)++) {
    const SoretGrid *grid  = hierarchy->grid[*level];
    const PetscReal  cells = (PetscReal)grid->n[0] * (PetscReal)grid->n[1] * (PetscReal)grid->n[2];

    if (ranks > 1 && grid->num_pockets == 1 && cells <= (*level == hierarchy->num - 1 ? MOST_WHOLE : FEW_PER_RANK * ranks)) break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateLevels(SoretSystem *finest, Vec c_0, SoretFAS *fas);

static PetscErrorCode CreateWhole(SoretFAS fas)
{
  const PetscInt last = fas->hierarchy.num - 1;
  SoretSystem   *sys  = fas->sys[last];
  Whole         *whole;
  Level         *level;

  PetscFunctionBegin;
  PetscCall(PetscNew(&whole));
  fas->whole = whole;
  level      = &whole->level;
  PetscCall(SoretGridCreateWhole(sys->op->grid, &whole->grid));
  PetscCall(SoretOperatorCreateCoarse(sys->op, &whole->grid, NULL, &level->boundary, &level->op));
  PetscCall(SoretOperatorCreateVector(&level->op, &level->c));
  PetscCall(VecDuplicate(level->c, &level->rhs));
  if (sys->num_local) PetscCall(ToWhole(fas, 1, &fas->level[last].c, &level->c)); /* for the sums that each cell keeps */
  PetscCall(SoretSystemCreate(&level->op, sys->sums, sys, level->c, sys->augmented, &level->sys));
  PetscCall(CreateLevels(&level->sys, level->c, &whole->fas));
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

static PetscErrorCode DestroyWhole(Whole **whole)
{
  PetscFunctionBegin;
  if (!*whole) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretFASDestroy(&(*whole)->fas));
  PetscCall(DestroyLevel(&(*whole)->level));
  PetscCall(SoretGridDestroy(&(*whole)->grid));
  PetscCall(PetscFree(*whole));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The levels of a system, and what solves the coarsest of them. */
static PetscErrorCode CreateLevels(SoretSystem *finest, Vec c_0, SoretFAS *fas)
{
  PetscInt last;
  SoretFAS f;

  PetscFunctionBegin;
  PetscCall(PetscNew(fas));
  f          = *fas;
  f->sys[0]  = finest;
  f->options = (SoretCycleOptions){.down = 1, .up = 1, .cycles = 1, .omega = 1.1};
  if (finest->op->grid->closed) f->options.up = f->options.cycles = 2; /* past solid, coarse grids see less of the way: they get more cycles, and what they say more sweeps */
  PetscCall(SoretCycleOptionsRead(finest->op->grid->comm, &f->options));
  PetscCall(SoretHierarchyCreate(finest->op->grid, PETSC_TRUE, &f->hierarchy));
  PetscCall(FindWhole(&f->hierarchy, &last));
  PetscCall(SoretHierarchyEnd(&f->hierarchy, last + 1));
  for (PetscInt l = 1; l < f->hierarchy.num; l++) {
    const PetscBool *axes = f->hierarchy.coarsened[l];

    PetscCall(CreateLevel(f, l, l == 1 ? c_0 : f->level[l - 1].c));
    if (axes[0] && axes[1] && axes[2]) f->sys[l - 1]->omega = f->options.omega;
  }
  if (last < f->hierarchy.num) PetscCall(CreateWhole(f));
  else if (last > 1 || finest->op->whole) PetscCall(CreateCoarsest(f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASCreate(SoretSystem *finest, Vec c_0, SoretFAS *fas)
{
  PetscFunctionBegin;
  PetscCall(CreateLevels(finest, c_0, fas));
  if ((*fas)->hierarchy.num < 2) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(CreateSNES(*fas));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASDestroy(SoretFAS *fas)
{
  PetscFunctionBegin;
  if (!*fas) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SNESDestroy(&(*fas)->snes));
  for (int k = 0; k < 2; k++) PetscCall(VecDestroy(&(*fas)->none[k]));
  PetscCall(VecDestroy(&(*fas)->guess));
  PetscCall(SoretAndersonDestroy(&(*fas)->anderson));
  PetscCall(SNESDestroy(&(*fas)->coarsest));
  PetscCall(DestroyWhole(&(*fas)->whole));
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

PetscErrorCode SoretFASSolve(SoretFAS fas, Vec c, SNESConvergedReason *reason, PetscInt *cycles)
{
  PetscFunctionBegin;
  fas->c = c;
  PetscCall(SNESSolve(fas->snes, NULL, fas->none[0]));
  fas->c = NULL;
  PetscCall(SNESGetConvergedReason(fas->snes, reason));
  PetscCall(SNESGetIterationNumber(fas->snes, cycles));
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

PetscErrorCode SoretFASSetSweeps(SoretFAS fas, PetscInt sweeps)
{
  PetscFunctionBegin;
  fas->options.down = fas->options.up = sweeps;
  PetscCall(SoretCycleOptionsRead(fas->sys[0]->op->grid->comm, &fas->options));
  if (fas->whole) PetscCall(SoretFASSetSweeps(fas->whole->fas, sweeps));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscInt SoretFASNumLevels(SoretFAS fas)
{
  return fas->hierarchy.num + (fas->whole ? SoretFASNumLevels(fas->whole->fas) - 1 : 0);
}

PetscErrorCode SoretFASUpdate(SoretFAS fas)
{
  PetscFunctionBegin;
  for (PetscInt l = 1; l < fas->hierarchy.num; l++) {
    PetscCall(SoretOperatorSetTime(&fas->level[l].op, fas->sys[0]->op->t));
    fas->level[l].sys.shift = fas->sys[0]->shift;
  }
  if (fas->whole) {
    PetscCall(SoretOperatorSetTime(&fas->whole->level.op, fas->sys[0]->op->t));
    fas->whole->level.sys.shift = fas->sys[0]->shift;
    PetscCall(SoretFASUpdate(fas->whole->fas));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- full multigrid start ---- */

PetscErrorCode SoretFASKeep(SoretFAS fas, Vec c)
{
  PetscFunctionBegin;
  PetscCall(VecDuplicate(fas->hierarchy.num > 1 ? fas->level[1].c : c, &fas->guess));
  if (fas->hierarchy.num > 1) PetscCall(SoretTransferState(&fas->level[0].to_coarser, c, fas->guess));
  else PetscCall(VecCopy(c, fas->guess));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASRecall(SoretFAS fas, Vec c)
{
  PetscFunctionBegin;
  if (fas->hierarchy.num > 1) PetscCall(SoretTransferInterpolate(&fas->level[0].to_coarser, fas->guess, NULL, c));
  else PetscCall(VecCopy(fas->guess, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASStart(SoretFAS fas, PetscErrorCode (*solve)(void *context, SoretSystem *sys, Vec c), void *context, Vec c)
{
  const PetscInt num = fas->hierarchy.num;
  Vec            x[SORET_MAX_LEVELS];

  PetscFunctionBegin;
  x[0] = c;
  for (PetscInt l = 1; l < num; l++) {
    PetscCall(VecDuplicate(fas->level[l].c, &x[l]));
    if (l == 1 && fas->guess) PetscCall(VecCopy(fas->guess, x[l]));
    else PetscCall(SoretTransferState(&fas->level[l - 1].to_coarser, x[l - 1], x[l]));
  }
  if (fas->whole) {
    PetscCall(ToWhole(fas, 1, &x[num - 1], &fas->whole->level.c));
    PetscCall(SoretFASStart(fas->whole->fas, solve, context, fas->whole->level.c));
    if (fas->whole->fas->hierarchy.num > 1) PetscCall(SoretFASCycle(fas->whole->fas, 0, NULL, fas->whole->level.c)); /* not its finest level, but one of many */
    PetscCall(FromWhole(fas, fas->whole->level.c, x[num - 1]));
  } else PetscCall(solve(context, fas->sys[num - 1], x[num - 1]));
  for (PetscInt l = num - 2; l >= 0; l--) {
    PetscCall(SoretTransferInterpolate(&fas->level[l].to_coarser, x[l + 1], NULL, x[l]));
    PetscCall(VecDestroy(&x[l + 1]));
    if (l > 0) PetscCall(SoretFASCycle(fas, l, NULL, x[l]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
