/* SPDX-License-Identifier: BSD-2-Clause */
#include "solve_private.h"

#include "soret/multigrid.h"

/* Between a level and the next coarser one. In u = b c states and corrections are smooth, so that is what is averaged and interpolated. */
typedef struct {
  const SoretOperator *fine, *coarse;
  PetscBool            coarsened[3];
  DM                   box;       /* the coarse grid with a layer of neighbours, edges and corners included     */
  Vec                  u, ghosted;
  PetscInt            *index[3];  /* [count][2] of the fine cells: entries of the ghosted array along the axis   */
  PetscReal           *weight[3]; /* [count][2] */
  PetscReal           *line;      /* a ghosted coarse row                                                        */
} Transfer;

typedef struct {
  SoretTemperature temperature;
  SoretBoundary    boundary;
  SoretOperator    op;
  SoretSystem      sys;
  Transfer         to_coarser; /* from this level to the next */
  Mat              P, R, Q;    /* prolongation, restriction of residuals, of states; shells on the transfer */
} Level;

struct SoretFAS_s {
  SoretHierarchy hierarchy;
  Level          level[SORET_MAX_LEVELS]; /* 0 is the finest; its operator and system are the caller's */
  SoretSystem   *sys[SORET_MAX_LEVELS];
  SNES           snes;
};

/* ---- transfers ---- */

static PetscErrorCode FillWeights(Transfer *t)
{
  const SoretGrid *fine = t->fine->grid, *coarse = t->coarse->grid;
  PetscInt         start[3], count[3];

  PetscFunctionBegin;
  PetscCall(DMDAGetGhostCorners(t->box, &start[0], &start[1], &start[2], &count[0], &count[1], &count[2]));
  for (int axis = 0; axis < 3; axis++) {
    PetscCall(PetscMalloc2(2 * fine->count[axis], &t->index[axis], 2 * fine->count[axis], &t->weight[axis]));
    for (PetscInt i = 0; i < fine->count[axis]; i++) {
      SoretAxisWeights(fine, coarse, axis, fine->start[axis] + i, &t->index[axis][2 * i], &t->weight[axis][2 * i]);
      for (int e = 0; e < 2; e++) t->index[axis][2 * i + e] -= start[axis];
    }
  }
  PetscCall(PetscMalloc1(count[0] * t->fine->num_species, &t->line));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateTransfer(const SoretOperator *fine, const SoretOperator *coarse, const PetscBool coarsened[3], Transfer *t)
{
  PetscFunctionBegin;
  t->fine   = fine;
  t->coarse = coarse;
  for (int axis = 0; axis < 3; axis++) t->coarsened[axis] = coarsened[axis];
  PetscCall(SoretGridCreateDM(coarse->grid, coarse->num_species, DMDA_STENCIL_BOX, 1, &t->box));
  PetscCall(DMCreateGlobalVector(t->box, &t->u));
  PetscCall(DMCreateLocalVector(t->box, &t->ghosted));
  PetscCall(FillWeights(t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode DestroyTransfer(Transfer *t)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) {
    if (t->index[axis]) PetscCall(PetscFree2(t->index[axis], t->weight[axis]));
  }
  PetscCall(PetscFree(t->line));
  PetscCall(VecDestroy(&t->u));
  PetscCall(VecDestroy(&t->ghosted));
  PetscCall(DMDestroy(&t->box));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Adds to each coarse cell its fine cells' values, each times factor * scale of its entry (volume where by_volume); then divides by
   the coarse volume and b where by_volume: sums of residuals, or means of u. */
static PetscErrorCode Restrict(const Transfer *t, PetscBool by_volume, Vec x, Vec y)
{
  const SoretGrid *fine = t->fine->grid, *coarse = t->coarse->grid;
  const PetscInt   ns = t->fine->num_species, nx = fine->count[0];
  const PetscReal *f;
  PetscReal       *c;

  PetscFunctionBegin;
  PetscCall(VecZeroEntries(y));
  PetscCall(VecGetArrayRead(x, &f));
  PetscCall(VecGetArray(y, &c));
  for (PetscInt k = 0, p = 0; k < fine->count[2]; k++) {
    for (PetscInt j = 0; j < fine->count[1]; j++) {
      const PetscInt  K = t->coarsened[2] ? k / 2 : k, J = t->coarsened[1] ? j / 2 : j, row = (K * coarse->count[1] + J) * coarse->count[0];
      const PetscReal area = fine->width[1][fine->start[1] + j] * fine->width[2][fine->start[2] + k];

      for (PetscInt i = 0; i < nx; i++, p++) {
        const PetscInt  q      = (row + (t->coarsened[0] ? i / 2 : i)) * ns;
        const PetscReal volume = area * fine->width[0][fine->start[0] + i];

        for (PetscInt s = 0; s < ns; s++) c[q + s] += by_volume ? volume * t->fine->b[p * ns + s] * f[p * ns + s] : f[p * ns + s];
      }
    }
  }
  for (PetscInt p = 0; p < coarse->num_cells && by_volume; p++) {
    const PetscInt  ijk[3] = {coarse->start[0] + p % coarse->count[0], coarse->start[1] + p / coarse->count[0] % coarse->count[1], coarse->start[2] + p / coarse->count[0] / coarse->count[1]};
    const PetscReal volume = SoretGridCellVolume(coarse, ijk);

    for (PetscInt s = 0; s < ns; s++) c[p * ns + s] /= volume * t->coarse->b[p * ns + s];
  }
  PetscCall(VecRestoreArray(y, &c));
  PetscCall(VecRestoreArrayRead(x, &f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Fills the layer of ghosts beyond one wall: the cell inside, for corrections times what the condition there makes of it (a held
   value has no correction at the wall). */
static void MirrorWall(const Transfer *t, int face, PetscBool correction, const PetscInt start[3], const PetscInt size[3], PetscReal *u)
{
  const SoretGrid     *grid     = t->coarse->grid;
  const SoretBoundary *boundary = t->coarse->boundary;
  const int            axis     = face / 2;
  const PetscInt       ns = t->coarse->num_species, inside = face % 2 ? grid->start[axis] + grid->count[axis] - 1 : grid->start[axis], beyond = inside + (face % 2 ? 1 : -1);
  PetscInt             ijk[3];

  for (ijk[2] = start[2]; ijk[2] < start[2] + size[2]; ijk[2]++) {
    for (ijk[1] = start[1]; ijk[1] < start[1] + size[1]; ijk[1]++) {
      for (ijk[0] = start[0]; ijk[0] < start[0] + size[0]; ijk[0]++) {
        PetscInt from[3] = {ijk[0], ijk[1], ijk[2]}, local[3], wall;

        if (ijk[axis] != beyond) continue;
        from[axis] = inside;
        for (int k = 0; k < 3; k++) local[k] = PetscMax(0, PetscMin(from[k] - grid->start[k], grid->count[k] - 1));
        wall = SoretOperatorWall(t->coarse, face, local);
        for (PetscInt s = 0; s < ns; s++) {
          const PetscReal factor = correction && wall >= 0 ? boundary->mirror[face][wall + s] : 1.0;

          u[(((ijk[2] - start[2]) * size[1] + ijk[1] - start[1]) * size[0] + ijk[0] - start[0]) * ns + s] = factor * u[(((from[2] - start[2]) * size[1] + from[1] - start[1]) * size[0] + from[0] - start[0]) * ns + s];
        }
      }
    }
  }
}

/* u = b c of the coarse level, with its neighbours and the ghosts beyond walls. */
static PetscErrorCode GatherCoarse(const Transfer *t, PetscBool correction, Vec coarse_c)
{
  PetscInt         start[3], size[3];
  const PetscInt   n = t->coarse->grid->num_cells * t->coarse->num_species;
  const PetscReal *c;
  PetscReal       *u;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(coarse_c, &c));
  PetscCall(VecGetArray(t->u, &u));
  for (PetscInt q = 0; q < n; q++) u[q] = t->coarse->b[q] * c[q];
  PetscCall(VecRestoreArray(t->u, &u));
  PetscCall(VecRestoreArrayRead(coarse_c, &c));
  PetscCall(DMGlobalToLocalBegin(t->box, t->u, INSERT_VALUES, t->ghosted));
  PetscCall(DMGlobalToLocalEnd(t->box, t->u, INSERT_VALUES, t->ghosted));
  PetscCall(DMDAGetGhostCorners(t->box, &start[0], &start[1], &start[2], &size[0], &size[1], &size[2]));
  PetscCall(VecGetArray(t->ghosted, &u));
  for (int face = 0; face < 6; face++) { /* axis after axis: edges and corners come out as products */
    if (SoretGridHasWall(t->coarse->grid, face / 2, face % 2)) MirrorWall(t, face, correction, start, size, u);
  }
  PetscCall(VecRestoreArray(t->ghosted, &u));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Interpolated coarse row for the fine row (j, k) of this rank. */
static void InterpolateLine(const Transfer *t, const PetscReal *ghosted, PetscInt length, PetscInt rows, PetscInt j, PetscInt k)
{
  const PetscReal *w1 = t->weight[1] + 2 * j, *w2 = t->weight[2] + 2 * k;
  const PetscInt  *J = t->index[1] + 2 * j, *K = t->index[2] + 2 * k;

  for (PetscInt q = 0; q < length; q++) t->line[q] = 0.0;
  for (int corner = 0; corner < 4; corner++) {
    const PetscReal  weight = w1[corner & 1] * w2[corner >> 1];
    const PetscReal *row    = ghosted + (K[corner >> 1] * rows + J[corner & 1]) * length;

    if (weight == 0.0) continue;
    for (PetscInt q = 0; q < length; q++) t->line[q] += weight * row[q];
  }
}

/* y = or += interpolated x. Added to a state, a correction is shortened cell by cell so that no positive concentration becomes negative. */
static PetscErrorCode Prolong(const Transfer *t, Vec x, PetscBool add, Vec y)
{
  const SoretGrid *fine = t->fine->grid;
  const PetscInt   ns   = t->fine->num_species;
  PetscInt         size[3];
  const PetscReal *ghosted;
  PetscReal       *c;

  PetscFunctionBegin;
  PetscCall(GatherCoarse(t, add, x));
  PetscCall(DMDAGetGhostCorners(t->box, NULL, NULL, NULL, &size[0], &size[1], &size[2]));
  PetscCall(VecGetArrayRead(t->ghosted, &ghosted));
  PetscCall(VecGetArray(y, &c));
  for (PetscInt k = 0, p = 0; k < fine->count[2]; k++) {
    for (PetscInt j = 0; j < fine->count[1]; j++) {
      InterpolateLine(t, ghosted, size[0] * ns, size[1], j, k);
      for (PetscInt i = 0; i < fine->count[0]; i++, p++) {
        const PetscReal *lo = t->line + t->index[0][2 * i] * ns, *hi = t->line + t->index[0][2 * i + 1] * ns, *b = t->fine->b + p * ns;
        const PetscReal  w0 = t->weight[0][2 * i], w1 = t->weight[0][2 * i + 1];
        PetscReal        d[SORET_MAX_SPECIES], scale = 1.0;

        for (PetscInt s = 0; s < ns; s++) d[s] = (w0 * lo[s] + w1 * hi[s]) / b[s];
        for (PetscInt s = 0; s < ns && add; s++) {
          if (c[p * ns + s] > 0.0 && !(c[p * ns + s] + scale * d[s] > 0.0)) scale = -0.9 * c[p * ns + s] / d[s];
        }
        for (PetscInt s = 0; s < ns; s++) c[p * ns + s] = (add ? c[p * ns + s] : 0.0) + scale * d[s];
      }
    }
  }
  PetscCall(VecRestoreArray(y, &c));
  PetscCall(VecRestoreArrayRead(t->ghosted, &ghosted));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MultP(Mat A, Vec x, Vec y)
{
  Transfer *t;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(A, &t));
  PetscCall(Prolong(t, x, PETSC_FALSE, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MultAddP(Mat A, Vec x, Vec y, Vec z)
{
  Transfer *t;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(A, &t));
  if (y != z) PetscCall(VecCopy(y, z));
  PetscCall(Prolong(t, x, PETSC_TRUE, z));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MultR(Mat A, Vec x, Vec y)
{
  Transfer *t;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(A, &t));
  PetscCall(Restrict(t, PETSC_FALSE, x, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MultQ(Mat A, Vec x, Vec y)
{
  Transfer *t;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(A, &t));
  PetscCall(Restrict(t, PETSC_TRUE, x, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateShells(Level *level)
{
  Transfer      *t = &level->to_coarser;
  const PetscInt m = t->fine->grid->num_cells * t->fine->num_species, n = t->coarse->grid->num_cells * t->coarse->num_species;
  const MPI_Comm comm = t->fine->grid->comm;

  PetscFunctionBegin;
  PetscCall(MatCreateShell(comm, m, n, PETSC_DETERMINE, PETSC_DETERMINE, t, &level->P));
  PetscCall(MatShellSetOperation(level->P, MATOP_MULT, (void (*)(void))MultP));
  PetscCall(MatShellSetOperation(level->P, MATOP_MULT_ADD, (void (*)(void))MultAddP));
  PetscCall(MatCreateShell(comm, n, m, PETSC_DETERMINE, PETSC_DETERMINE, t, &level->R));
  PetscCall(MatShellSetOperation(level->R, MATOP_MULT, (void (*)(void))MultR));
  PetscCall(MatCreateShell(comm, n, m, PETSC_DETERMINE, PETSC_DETERMINE, t, &level->Q));
  PetscCall(MatShellSetOperation(level->Q, MATOP_MULT, (void (*)(void))MultQ));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- levels ---- */

/* Rediscretises on a coarser grid: the same formulas at its centres. */
static PetscErrorCode CreateLevel(const SoretOperator *finest, const SoretGrid *grid, Level *level)
{
  PetscFunctionBegin;
  PetscCall(SoretTemperatureCreate(grid, finest->temperature->field, finest->t, &level->temperature));
  PetscCall(SoretBoundaryCreate(finest->boundary->spec, finest->model, grid, &level->boundary));
  PetscCall(SoretOperatorCreate(finest->model, grid, &level->temperature, &level->boundary, &level->op));
  level->op.coarse = PETSC_TRUE;
  PetscCall(SoretOperatorSetTime(&level->op, finest->t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode DestroyLevel(Level *level)
{
  PetscFunctionBegin;
  PetscCall(MatDestroy(&level->P));
  PetscCall(MatDestroy(&level->R));
  PetscCall(MatDestroy(&level->Q));
  if (level->to_coarser.box) PetscCall(DestroyTransfer(&level->to_coarser));
  if (!level->op.dm) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretSystemDestroy(&level->sys));
  PetscCall(SoretOperatorDestroy(&level->op));
  PetscCall(SoretBoundaryDestroy(&level->boundary));
  PetscCall(SoretTemperatureDestroy(&level->temperature));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FormResidual(SNES snes, Vec c, Vec f, void *sys)
{
  PetscFunctionBegin;
  PetscCall(SoretSystemResidual((SoretSystem *)sys, c, f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FormSweeps(SNES snes, Vec c, Vec rhs, void *sys)
{
  PetscInt sweeps;

  PetscFunctionBegin;
  PetscCall(SNESNGSGetSweeps(snes, &sweeps));
  for (PetscInt k = 0; k < sweeps; k++) PetscCall(SoretSystemSmooth((SoretSystem *)sys, rhs, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FormJacobian(SNES snes, Vec c, Mat A, Mat P, void *sys)
{
  PetscFunctionBegin;
  PetscCall(SoretSystemJacobian((SoretSystem *)sys, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- SNESFAS ---- */

/* What SNESFAS of PETSc 3.18 needs and its manual does not say: the refinement level of each DM (SetFromOptions counts levels by it),
   the shape of coarse vectors by way of the scaling vector of the restriction. */
static PetscErrorCode SetLevelSNES(SoretFAS fas, PetscInt fas_level)
{
  const PetscInt l     = fas->hierarchy.num - 1 - fas_level;
  Level         *finer = &fas->level[l];
  SNES           cycle, smoother;
  Vec            scale;

  PetscFunctionBegin;
  PetscCall(SNESFASGetCycleSNES(fas->snes, fas_level, &cycle));
  PetscCall(SNESSetDM(cycle, fas->sys[l]->op->dm));
  PetscCall(SNESFASSetInterpolation(fas->snes, fas_level, finer->P));
  PetscCall(SNESFASSetRestriction(fas->snes, fas_level, finer->R));
  PetscCall(SNESFASSetInjection(fas->snes, fas_level, finer->Q));
  PetscCall(DMCreateGlobalVector(fas->sys[l + 1]->op->dm, &scale));
  PetscCall(VecSet(scale, 1.0));
  PetscCall(SNESFASSetRScale(fas->snes, fas_level, scale));
  PetscCall(VecDestroy(&scale));
  for (int up = 0; up < 2; up++) {
    PetscCall((up ? SNESFASGetSmootherUp : SNESFASGetSmootherDown)(fas->snes, fas_level, &smoother));
    PetscCall(SNESSetDM(smoother, fas->sys[l]->op->dm));
    PetscCall(SNESSetType(smoother, SNESNGS));
    PetscCall(SNESSetTolerances(smoother, 0.0, 0.0, 0.0, 1, PETSC_MAX_INT));
    PetscCall(SNESSetNormSchedule(smoother, SNES_NORM_NONE));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The coarsest level: Newton with an assembled matrix, direct (or, where the ranks do not allow a small grid, multigrid). */
static PetscErrorCode SetCoarsestSNES(SoretFAS fas)
{
  SoretSystem   *sys = fas->sys[fas->hierarchy.num - 1];
  SNESLineSearch search;
  SNES           cycle, coarse;
  KSP            ksp;
  char           method[128];

  PetscFunctionBegin;
  PetscCall(SNESFASGetCycleSNES(fas->snes, 0, &cycle));
  PetscCall(SNESSetDM(cycle, sys->op->dm));
  PetscCall(SNESFASGetCoarseSolve(fas->snes, &coarse));
  PetscCall(SNESSetDM(coarse, sys->op->dm));
  PetscCall(SNESSetType(coarse, SNESNEWTONLS));
  PetscCall(SoretSystemCreateMatrices(sys));
  PetscCall(SNESSetJacobian(coarse, sys->A, sys->P, FormJacobian, sys));
  PetscCall(SNESGetLineSearch(coarse, &search));
  PetscCall(SNESLineSearchSetType(search, SNESLINESEARCHBASIC));
  PetscCall(SNESSetTolerances(coarse, 1.0e-14, 1.0e-3, 0.0, 2, PETSC_MAX_INT));
  PetscCall(SNESGetKSP(coarse, &ksp));
  PetscCall(SoretSystemSetKSP(sys, ksp, 1.0e-6, sizeof(method), method));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateSNES(SoretFAS fas, Vec x)
{
  const PetscInt num = fas->hierarchy.num;

  PetscFunctionBegin;
  for (PetscInt l = 0; l < num; l++) {
    DM dm = fas->sys[l]->op->dm;

    PetscCall(DMSetRefineLevel(dm, num - 1 - l));
    PetscCall(DMSNESSetFunction(dm, FormResidual, fas->sys[l]));
    PetscCall(DMSNESSetNGS(dm, FormSweeps, fas->sys[l]));
  }
  PetscCall(SNESCreate(fas->sys[0]->op->grid->comm, &fas->snes));
  PetscCall(SNESSetDM(fas->snes, fas->sys[0]->op->dm));
  PetscCall(SNESSetType(fas->snes, SNESFAS));
  PetscCall(SNESFASSetLevels(fas->snes, num, NULL));
  for (PetscInt f = num - 1; f > 0; f--) PetscCall(SetLevelSNES(fas, f));
  PetscCall(SetCoarsestSNES(fas));
  PetscCall(SNESSetFromOptions(fas->snes));
  PetscCall(SNESSetSolution(fas->snes, x));
  PetscCall(SNESSetUp(fas->snes));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASCreate(SoretSystem *finest, Vec c_0, SoretFAS *fas)
{
  Vec      fine_0 = c_0, coarse_0;
  SoretFAS f;

  PetscFunctionBegin;
  PetscCall(PetscNew(fas));
  f         = *fas;
  f->sys[0] = finest;
  PetscCall(SoretHierarchyCreate(finest->op->grid, PETSC_TRUE, &f->hierarchy));
  for (PetscInt l = 1; l < f->hierarchy.num; l++) {
    Level *level = &f->level[l];

    PetscCall(CreateLevel(finest->op, f->hierarchy.grid[l], level));
    PetscCall(CreateTransfer(f->sys[l - 1]->op, &level->op, f->hierarchy.coarsened[l], &f->level[l - 1].to_coarser));
    PetscCall(CreateShells(&f->level[l - 1]));
    PetscCall(DMCreateGlobalVector(level->op.dm, &coarse_0));
    PetscCall(MatMult(f->level[l - 1].Q, fine_0, coarse_0));
    if (l > 1) PetscCall(VecDestroy(&fine_0));
    fine_0 = coarse_0;
    PetscCall(SoretSystemCreate(&level->op, finest->sums, coarse_0, PETSC_TRUE, &level->sys));
    f->sys[l] = &level->sys;
  }
  if (f->hierarchy.num > 1) PetscCall(VecDestroy(&fine_0));
  PetscCall(CreateSNES(f, c_0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASDestroy(SoretFAS *fas)
{
  PetscFunctionBegin;
  if (!*fas) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SNESDestroy(&(*fas)->snes));
  for (PetscInt l = (*fas)->hierarchy.num - 1; l >= 0; l--) PetscCall(DestroyLevel(&(*fas)->level[l]));
  PetscCall(SoretHierarchyDestroy(&(*fas)->hierarchy));
  PetscCall(PetscFree(*fas));
  PetscFunctionReturn(PETSC_SUCCESS);
}

SNES SoretFASGetSNES(SoretFAS fas)
{
  return fas->snes;
}

PetscInt SoretFASNumLevels(SoretFAS fas)
{
  return fas->hierarchy.num;
}

/* ---- full multigrid start ---- */

/* One cycle on an inner level. Its right side must be a vector of zeros that the level keeps: with NULL, PETSC 3.18 loses it. */
static PetscErrorCode CycleLevel(SoretFAS fas, PetscInt l, Vec x)
{
  SNES inner;
  Vec  rhs;

  PetscFunctionBegin;
  PetscCall(SNESFASGetCycleSNES(fas->snes, fas->hierarchy.num - 1 - l, &inner));
  PetscCall(SNESSetNormSchedule(inner, SNES_NORM_NONE));
  PetscCall(SNESSetTolerances(inner, 0.0, 0.0, 0.0, 1, PETSC_MAX_INT));
  PetscCall(SNESGetRhs(inner, &rhs));
  PetscCall(VecZeroEntries(rhs));
  PetscCall(PetscObjectReference((PetscObject)rhs));
  PetscCall(SNESSolve(inner, rhs, x));
  PetscCall(VecDestroy(&rhs));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFASStart(SoretFAS fas, PetscErrorCode (*solve)(void *context, SoretSystem *sys, Vec c), void *context, Vec c)
{
  const PetscInt num = fas->hierarchy.num;
  Vec            x[SORET_MAX_LEVELS];

  PetscFunctionBegin;
  x[0] = c;
  for (PetscInt l = 1; l < num; l++) {
    PetscCall(DMCreateGlobalVector(fas->sys[l]->op->dm, &x[l]));
    PetscCall(MatMult(fas->level[l - 1].Q, x[l - 1], x[l]));
  }
  if (num > 1) PetscCall(solve(context, fas->sys[num - 1], x[num - 1]));
  for (PetscInt l = num - 2; l >= 0; l--) {
    PetscCall(MatMult(fas->level[l].P, x[l + 1], x[l]));
    if (l > 0) PetscCall(CycleLevel(fas, l, x[l]));
  }
  for (PetscInt l = 1; l < num; l++) PetscCall(VecDestroy(&x[l]));
  PetscFunctionReturn(PETSC_SUCCESS);
}
