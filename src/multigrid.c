/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/multigrid.h"

#include "soret/direct.h"

enum { COARSEST_CELLS = 64 };

/* ---- hierarchy of grids ---- */

/* Can cells along an axis be joined? Down to a single one, or else cells that stay thin would hold up the smoother along the other axes. */
static PetscBool CanJoin(const SoretGrid *grid, int axis)
{
  return axis < grid->dim && grid->n[axis] > (grid->periodic[axis] ? 2 : 1) ? PETSC_TRUE : PETSC_FALSE;
}

/* The axes to coarsen: those whose mean spacing is within a factor of two of the smallest; the others wait, because point smoothers
   fail on anisotropic cells. */
static PetscBool ChooseAxes(const SoretGrid *grid, PetscBool coarsen[3])
{
  PetscReal smallest = PETSC_MAX_REAL;
  PetscBool any      = PETSC_FALSE;

  for (int axis = 0; axis < grid->dim; axis++) {
    if (CanJoin(grid, axis)) smallest = PetscMin(smallest, grid->size[axis] / (PetscReal)grid->n[axis]);
  }
  for (int axis = 0; axis < 3; axis++) {
    coarsen[axis] = CanJoin(grid, axis) && grid->size[axis] / (PetscReal)grid->n[axis] <= 1.999 * smallest ? PETSC_TRUE : PETSC_FALSE;
    any           = any || coarsen[axis] ? PETSC_TRUE : PETSC_FALSE;
  }
  return any;
}

PetscErrorCode SoretHierarchyCreate(const SoretGrid *finest, PetscBool aligned, SoretHierarchy *hierarchy)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(hierarchy, sizeof(*hierarchy)));
  hierarchy->grid[0] = finest;
  hierarchy->num     = 1;
  while (hierarchy->num < SORET_MAX_LEVELS) {
    const SoretGrid *fine  = hierarchy->grid[hierarchy->num - 1];
    const PetscReal  cells = (PetscReal)fine->n[0] * (PetscReal)fine->n[1] * (PetscReal)fine->n[2];
    SoretGrid       *coarse = &hierarchy->made[hierarchy->num];
    PetscBool        possible;

    if (cells <= COARSEST_CELLS || !ChooseAxes(fine, hierarchy->coarsened[hierarchy->num])) break;
    PetscCall(SoretGridCoarsen(fine, hierarchy->coarsened[hierarchy->num], aligned, coarse, &possible));
    if (!possible) break;
    hierarchy->grid[hierarchy->num++] = coarse;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHierarchyEnd(SoretHierarchy *hierarchy, PetscInt num)
{
  PetscFunctionBegin;
  while (hierarchy->num > num) PetscCall(SoretGridDestroy(&hierarchy->made[--hierarchy->num]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHierarchyDestroy(SoretHierarchy *hierarchy)
{
  PetscFunctionBegin;
  for (PetscInt l = 1; l < hierarchy->num; l++) PetscCall(SoretGridDestroy(&hierarchy->made[l]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- linear interpolation along an axis ---- */

void SoretAxisWeights(const SoretGrid *fine, const SoretGrid *coarse, int axis, PetscInt i, PetscInt index[2], PetscReal weight[2])
{
  const PetscInt  n = coarse->n[axis], own = n == fine->n[axis] ? i : i / 2;
  const PetscReal x = fine->center[axis][i], centre = coarse->center[axis][own];
  const PetscBool up = x > centre ? PETSC_TRUE : PETSC_FALSE;
  PetscReal       distance;

  index[0] = index[1] = own;
  weight[0]           = 1.0;
  weight[1]           = 0.0;
  if (n == fine->n[axis] || x == centre) return;
  index[1] = up ? own + 1 : own - 1;
  distance = coarse->distance[axis][up ? own + 1 : own];
  if ((index[1] < 0 || index[1] >= n) && !coarse->periodic[axis]) distance *= 2.0; /* to the mirror image beyond the wall */
  weight[1] = PetscAbsReal(x - centre) / distance;
  weight[0] = 1.0 - weight[1];
}

/* ---- preconditioner for assembled matrices ---- */

/* Number in PETSc's ordering of cell ijk of a grid: the cells of each rank are consecutive. */
static PetscErrorCode CellNumber(const SoretGrid *grid, const PetscInt ijk[3], PetscInt *number)
{
  PetscInt        below[3], rank_start[3], size[3];

  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) {
    PetscInt r = 0, start = 0;

    while (axis < grid->dim && start + grid->range[axis][r] <= ijk[axis]) start += grid->range[axis][r++];
    rank_start[axis] = start;
    size[axis]       = axis < grid->dim ? grid->range[axis][r] : 1;
    below[axis]      = ijk[axis] - start;
  }
  *number = grid->n[0] * grid->n[1] * rank_start[2] + grid->n[0] * size[2] * rank_start[1] + size[1] * size[2] * rank_start[0];
  *number += (below[2] * size[1] + below[1]) * size[0] + below[0];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateInterpolation(const SoretGrid *fine, const SoretGrid *coarse, PetscInt ns, Mat *P)
{
  const PetscInt rows = fine->num_cells * ns, cols = coarse->num_cells * ns;

  PetscFunctionBegin;
  PetscCall(MatCreateAIJ(fine->comm, rows, cols, PETSC_DETERMINE, PETSC_DETERMINE, 1 << fine->dim, NULL, 1 << fine->dim, NULL, P));
  PetscCall(MatSetBlockSizes(*P, ns, ns));
  for (PetscInt p = 0; p < fine->num_cells; p++) {
    const PetscInt ijk[3] = SORET_GLOBAL_INDEX(fine, p);
    PetscInt       index[3][2], row;
    PetscReal      weight[3][2];

    for (int axis = 0; axis < 3; axis++) SoretAxisWeights(fine, coarse, axis, ijk[axis], index[axis], weight[axis]);
    PetscCall(CellNumber(fine, ijk, &row));
    for (int corner = 0; corner < 8; corner++) {
      const int       e[3] = {corner & 1, (corner >> 1) & 1, corner >> 2};
      const PetscReal value = weight[0][e[0]] * weight[1][e[1]] * weight[2][e[2]];
      PetscInt        at[3], column;

      if (value == 0.0) continue;
      for (int axis = 0; axis < 3; axis++) {
        const PetscInt n = coarse->n[axis], at_axis = index[axis][e[axis]];

        at[axis] = coarse->periodic[axis] ? (at_axis + n) % n : PetscMax(0, PetscMin(at_axis, n - 1)); /* beyond a wall: the cell inside */
      }
      PetscCall(CellNumber(coarse, at, &column));
      for (PetscInt s = 0; s < ns; s++) PetscCall(MatSetValue(*P, row * ns + s, column * ns + s, value, ADD_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(*P, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*P, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Without a coarser grid, as of few cells with many species, PETSc would smooth the only level and leave it at that. */
static PetscErrorCode FactoriseOnly(PC pc, PetscInt n, size_t length, char method[])
{
  KSP ksp;
  PC  direct;

  PetscFunctionBegin;
  PetscCall(PCMGGetCoarseSolve(pc, &ksp));
  PetscCall(KSPSetType(ksp, KSPPREONLY));
  PetscCall(KSPGetPC(ksp, &direct));
  PetscCall(SoretDirectSetPC(direct, n, PETSC_FALSE, length, method));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretMultigridSetPC(SoretOperator *op, PC pc, size_t length, char method[])
{
  const PetscInt *cells = op->grid->n;
  SoretHierarchy hierarchy;
  KSP            ksp;
  PC             smoother;
  Mat            P;

  PetscFunctionBegin;
  PetscCall(SoretHierarchyCreate(op->grid, PETSC_FALSE, &hierarchy));
  PetscCall(PCSetType(pc, PCMG));
  PetscCall(PCMGSetLevels(pc, hierarchy.num, NULL));
  PetscCall(PCMGSetGalerkin(pc, PC_MG_GALERKIN_BOTH));
  PetscCall(PCSetUseAmat(pc, PETSC_FALSE)); /* the operator may be a shell; its Galerkin products are those of the assembled matrix */
  for (PetscInt l = 1; l < hierarchy.num; l++) {
    const PetscInt fine = hierarchy.num - 1 - l; /* PCMG counts from the coarsest */

    PetscCall(CreateInterpolation(hierarchy.grid[fine], hierarchy.grid[fine + 1], op->num_species, &P));
    PetscCall(PCMGSetInterpolation(pc, l, P));
    PetscCall(MatDestroy(&P));
    /* the species of a cell are solved together, so that stiff reactions do not slow the smoother */
    PetscCall(PCMGGetSmoother(pc, l, &ksp));
    PetscCall(KSPSetType(ksp, KSPCHEBYSHEV));
    PetscCall(KSPGetPC(ksp, &smoother));
    PetscCall(PCSetType(smoother, op->num_species > 1 ? PCPBJACOBI : PCJACOBI));
  }
  PetscCall(PetscSNPrintf(method, length, "FGMRES with geometric multigrid, %" PetscInt_FMT " levels", hierarchy.num));
  if (hierarchy.num == 1) PetscCall(FactoriseOnly(pc, cells[0] * cells[1] * cells[2] * op->num_species, length, method));
  PetscCall(SoretHierarchyDestroy(&hierarchy));
  PetscFunctionReturn(PETSC_SUCCESS);
}
