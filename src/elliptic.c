/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/elliptic.h"

#include "solve_private.h"

struct SoretElliptic_s {
  SoretGrid         grid; /* as if there were no solid; its arrays are those of the caller's */
  SoretCondition    condition[6];
  SoretBoundarySpec spec;
  SoretSpecies      species;
  SoretModel        model;
  SoretBoundary     boundary;
  SoretOperator     op;
  SoretSums         sums;   /* none */
  SoretSystem       sys;
  SoretFAS          fas;
  Mat               A;
  Vec               c, rhs;
  PetscReal        *capacity; /* [num_cells] a copy, or NULL */
  PetscReal         small;  /* size of the right side for which a correction is far below 1 */
};

/* ---- matrix and preconditioner ---- */

/* c = u/b, or u itself. */
static PetscErrorCode ToContent(SoretElliptic e, Vec u, Vec *c)
{
  const PetscReal *from;
  PetscReal       *to;

  PetscFunctionBegin;
  *c = u;
  if (!e->capacity) PetscFunctionReturn(PETSC_SUCCESS);
  *c = e->c;
  PetscCall(VecGetArrayRead(u, &from));
  PetscCall(VecGetArray(e->c, &to));
  for (PetscInt p = 0; p < e->grid.num_cells; p++) to[p] = from[p] / e->op.b[p];
  PetscCall(VecRestoreArray(e->c, &to));
  PetscCall(VecRestoreArrayRead(u, &from));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Mult(Mat A, Vec u, Vec y)
{
  SoretElliptic e;
  PetscReal    *array;
  Vec           c;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(A, &e));
  PetscCall(ToContent(e, u, &c));
  PetscCall(SoretSystemResidual(&e->sys, c, y));
  if (!e->capacity) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecGetArray(y, &array));
  for (PetscInt p = 0; p < e->grid.num_cells; p++) array[p] /= e->capacity[p];
  PetscCall(VecRestoreArray(y, &array));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* y = b (c - 1/b) / scale, and the largest |b c - 1|. Collective. */
static PetscErrorCode ReadCorrection(SoretElliptic e, PetscReal scale, Vec y, PetscReal *largest)
{
  const PetscReal *c;
  PetscReal       *out, most = 0.0;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(e->c, &c));
  PetscCall(VecGetArray(y, &out));
  for (PetscInt p = 0; p < e->grid.num_cells; p++) {
    const PetscReal du = e->op.b[p] * c[p] - 1.0;

    most   = PetscMax(most, PetscAbsReal(du));
    out[p] = du / scale;
  }
  PetscCall(VecRestoreArray(y, &out));
  PetscCall(VecRestoreArrayRead(e->c, &c));
  PetscCallMPI(MPI_Allreduce(&most, largest, 1, MPIU_REAL, MPI_MAX, e->grid.comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* y = what one cycle makes of A y = r. Cycles keep what is positive positive, as concentrations have to be: so the correction is computed on top of u = 1, of a
   right side scaled down so far that it stays far below that. */
static PetscErrorCode Cycle(PC pc, Vec r, Vec y)
{
  SoretElliptic    e;
  const PetscReal *from;
  PetscReal       *to, size, scale, largest;

  PetscFunctionBegin;
  PetscCall(PCShellGetContext(pc, &e));
  PetscCall(VecNorm(r, NORM_INFINITY, &size));
  if (size == 0.0) {
    PetscCall(VecZeroEntries(y));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (int attempt = 0; attempt < 4; attempt++) {
    scale = e->small / size;
    PetscCall(VecGetArray(e->c, &to));
    for (PetscInt p = 0; p < e->grid.num_cells; p++) to[p] = 1.0 / e->op.b[p];
    PetscCall(VecRestoreArray(e->c, &to));
    PetscCall(SoretSystemResidual(&e->sys, e->c, e->rhs));
    PetscCall(VecGetArrayRead(r, &from));
    PetscCall(VecGetArray(e->rhs, &to));
    for (PetscInt p = 0; p < e->grid.num_cells; p++) to[p] += scale * from[p] * (e->capacity ? e->capacity[p] : 1.0);
    PetscCall(VecRestoreArray(e->rhs, &to));
    PetscCall(VecRestoreArrayRead(r, &from));
    PetscCall(SoretFASCycle(e->fas, 0, e->rhs, e->c));
    PetscCall(ReadCorrection(e, scale, y, &largest));
    if (largest > 0.0) e->small *= PetscMin(1.0e-4 / largest, 1.0e6);
    if (largest <= 0.1 && largest >= 1.0e-9) break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- creation ---- */

/* A model of one species that diffuses and does nothing else. */
static void FillModel(SoretElliptic e, PetscInt dim)
{
  e->species.diffuses = PETSC_TRUE;
  for (int axis = 0; axis < 3; axis++) e->species.mirror[axis] = -1;
  e->model.num_species = 1;
  e->model.dim         = dim;
  e->model.species     = &e->species;
}

static void FillGrid(SoretElliptic e, const SoretGrid *grid)
{
  e->grid               = *grid;
  e->grid.closed        = NULL;
  e->grid.pocket        = NULL;
  e->grid.pocket_volume = NULL;
  e->grid.num_pockets   = 1;
  e->grid.fluid_volume  = grid->volume;
}

PetscErrorCode SoretEllipticCreate(const SoretGrid *grid, const PetscBool open[6], const PetscReal capacity[], SoretElliptic *elliptic)
{
  SoretElliptic e;
  PetscInt      n;

  PetscFunctionBegin;
  PetscCall(PetscNew(&e));
  *elliptic = e;
  FillGrid(e, grid);
  FillModel(e, grid->dim);
  e->spec.num_species = e->sums.num_species = 1;
  e->spec.condition   = e->condition;
  for (int face = 0; face < 6; face++) e->condition[face].kind = open[face] ? SORET_VALUE : SORET_CLOSED;
  PetscCall(SoretBoundaryCreate(&e->spec, &e->model, &e->grid, &e->boundary));
  PetscCall(SoretOperatorCreateBare(&e->model, &e->grid, &e->boundary, &e->op));
  if (capacity) PetscCall(PetscMalloc1(grid->num_cells, &e->capacity));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    e->op.b[p] = capacity ? SoretOperatorCellVolume(&e->op, p) / capacity[p] : 1.0;
    if (capacity) e->capacity[p] = capacity[p];
  }
  PetscCall(SoretOperatorCreateVector(&e->op, &e->c));
  PetscCall(VecDuplicate(e->c, &e->rhs));
  PetscCall(VecSet(e->c, 1.0));
  PetscCall(SoretSystemCreate(&e->op, &e->sums, NULL, e->c, PETSC_FALSE, &e->sys));
  PetscCall(SoretFASCreate(&e->sys, e->c, &e->fas));
  PetscCall(VecGetLocalSize(e->c, &n));
  PetscCall(MatCreateShell(grid->comm, n, n, PETSC_DETERMINE, PETSC_DETERMINE, e, &e->A));
  PetscCall(MatShellSetOperation(e->A, MATOP_MULT, (void (*)(void))Mult));
  if (SoretFASNumLevels(e->fas) < 2) PetscCall(SoretEllipticDestroy(elliptic));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretEllipticDestroy(SoretElliptic *elliptic)
{
  SoretElliptic e = *elliptic;

  PetscFunctionBegin;
  if (!e) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretFASDestroy(&e->fas));
  PetscCall(SoretSystemDestroy(&e->sys));
  PetscCall(MatDestroy(&e->A));
  PetscCall(VecDestroy(&e->c));
  PetscCall(VecDestroy(&e->rhs));
  PetscCall(SoretOperatorDestroy(&e->op));
  PetscCall(SoretBoundaryDestroy(&e->boundary));
  PetscCall(PetscFree(e->capacity));
  PetscCall(PetscFree(*elliptic));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- use ---- */

SoretEllipticCoefficients SoretEllipticGet(SoretElliptic e)
{
  SoretEllipticCoefficients coefficients = {.num = {0}};

  for (int axis = 0; axis < e->grid.dim; axis++) coefficients.g[axis] = e->op.g[axis];
  for (int face = 0; face < 6; face++) {
    coefficients.num[face]    = e->boundary.num[face];
    coefficients.alpha[face]  = e->boundary.alpha[face];
    coefficients.mirror[face] = e->boundary.mirror[face];
  }
  return coefficients;
}

PetscErrorCode SoretEllipticUpdate(SoretElliptic e, PetscReal shift)
{
  PetscReal largest = 0.0;

  PetscFunctionBegin;
  for (int axis = 0; axis < e->grid.dim; axis++) {
    for (PetscInt f = 0; f < e->grid.num_cells / e->grid.count[axis] * (e->grid.count[axis] + 1); f++) largest = PetscMax(largest, e->op.g[axis][f]);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPIU_REAL, MPI_MAX, e->grid.comm));
  if (e->small == 0.0) e->small = 1.0e-4 * largest;
  for (int face = 0; face < 6; face++) { /* alpha c, not alpha u */
    for (PetscInt q = 0; q < e->boundary.num[face] && e->capacity; q++) {
      PetscInt ijk[3];

      SoretGridFaceCell(&e->grid, face, q, ijk);
      e->boundary.alpha[face][q] *= e->op.b[SoretGridCellNumber(&e->grid, ijk)];
    }
  }
  e->sys.shift = shift;
  e->op.t += 1.0;
  PetscCall(SoretFASUpdate(e->fas));
  PetscCall(MatAssemblyBegin(e->A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(e->A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretEllipticSetSweeps(SoretElliptic e, PetscInt sweeps)
{
  PetscFunctionBegin;
  PetscCall(SoretFASSetSweeps(e->fas, sweeps));
  PetscFunctionReturn(PETSC_SUCCESS);
}

Mat SoretEllipticMatrix(SoretElliptic e)
{
  return e->A;
}

PetscErrorCode SoretEllipticSetKSP(SoretElliptic e, KSP ksp)
{
  PC pc;

  PetscFunctionBegin;
  PetscCall(KSPSetOperators(ksp, e->A, e->A));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCSHELL));
  PetscCall(PCShellSetContext(pc, e));
  PetscCall(PCShellSetApply(pc, Cycle));
  PetscFunctionReturn(PETSC_SUCCESS);
}
