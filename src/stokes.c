/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/stokes.h"

#include <math.h>
#include <stddef.h>

#include <petscdmstag.h>
#include <petscksp.h>

#include "soret/direct.h"

/* ---- the map ---- */

typedef struct {
  SoretReals       gravity, force;
  PetscReal        expansion, viscosity;
  const SoretNode *slip;
} BoussinesqSpec;

#define AT(field) offsetof(BoussinesqSpec, field)
static const SoretKey boussinesq_keys[] = {
  {"gravity", SORET_REALS, "m/s^2", SORET_REQUIRED, SORET_ANY, AT(gravity), "acceleration, one entry per axis: [0, -9.81]"},
  {"expansion", SORET_REAL, "1/K", SORET_REQUIRED, SORET_ANY, AT(expansion), "thermal expansion of the fluid"},
  {"viscosity", SORET_REAL, "m^2/s", SORET_REQUIRED, SORET_POSITIVE, AT(viscosity), "kinematic viscosity"},
  {"force", SORET_REALS, "m/s^2", SORET_OPTIONAL, SORET_ANY, AT(force), "further force per mass, one entry per axis: drives a flow along a periodic axis"},
  {"slip", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(slip), "faces of the box without friction; the others, and solid, hold the fluid", .syntax = "list of faces: `[y-, y+]`"},
  {.key = NULL}};
#undef AT

PetscErrorCode SoretStokesReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`flow.boussinesq`", boussinesq_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadSlip(SoretInput in, const SoretNode *list, const SoretGridSpec *grid, SoretStokesSpec *spec)
{
  PetscInt num;

  PetscFunctionBegin;
  PetscCall(SoretInputEntries(in, list, SORET_NODE_LIST, "expected a list of faces, as in [y-, y+]", &num));
  for (PetscInt k = 0; k < num; k++) {
    int face;

    PetscCall(SoretGridReadFace(in, list->item[k], grid, &face));
    if (face >= 0) spec->slip[face] = PETSC_TRUE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretStokesSpecRead(SoretInput in, const SoretNode *node, const SoretGridSpec *grid, SoretStokesSpec *spec)
{
  const PetscInt errors = SoretInputCountErrors(in);
  BoussinesqSpec given;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  PetscCall(SoretInputReadMap(in, node, node, "'boussinesq'", boussinesq_keys, &given));
  PetscCall(ReadSlip(in, given.slip, grid, spec));
  spec->expansion = given.expansion;
  spec->viscosity = given.viscosity;
  if (SoretInputCountErrors(in) > errors) PetscFunctionReturn(PETSC_SUCCESS);
  if (grid->dim < 2) PetscCall(SoretInputError(in, node, "a flow needs two or three dimensions"));
  if (given.gravity.n != grid->dim) PetscCall(SoretInputError(in, SoretNodeFind(node, "gravity"), "'gravity' has %" PetscInt_FMT " entries, expected %" PetscInt_FMT, given.gravity.n, grid->dim));
  else if (given.force.n && given.force.n != grid->dim) PetscCall(SoretInputError(in, SoretNodeFind(node, "force"), "'force' has %" PetscInt_FMT " entries, expected %" PetscInt_FMT, given.force.n, grid->dim));
  else {
    for (PetscInt axis = 0; axis < grid->dim; axis++) {
      spec->gravity[axis] = given.gravity.value[axis];
      spec->force[axis]   = given.force.n ? given.force.value[axis] : 0.0;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the handle ---- */

struct SoretStokes_s {
  const SoretStokesSpec *spec;
  const SoretGrid       *grid;
  SoretTemperature      *temperature;
  DM                     dm;
  Mat                    A;
  KSP                    ksp;
  Vec                    x, rhs;
  PetscInt64            *pinned; /* [num_pockets] cell (number in the whole box) whose pressure is 0 */
  PetscReal             *closed; /* [num_cells] SoretGrid.closed as numbers, for                     */
  SoretHalo              halo;
  PetscReal              scale;  /* of the pressure, so that the blocks of the matrix are of one size */
};

static const DMStagStencilLocation lower_face[3] = {DMSTAG_LEFT, DMSTAG_DOWN, DMSTAG_BACK};

static PetscErrorCode CreateDM(SoretStokes s)
{
  const SoretGrid *grid = s->grid;
  const PetscInt  *cut = s->grid->cut;
  PetscInt *const *range = s->grid->range;
  DMBoundaryType   type[3];

  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) type[axis] = grid->periodic[axis] ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE;
  if (grid->dim == 2) PetscCall(DMStagCreate2d(grid->comm, type[0], type[1], grid->n[0], grid->n[1], cut[0], cut[1], 0, 1, 1, DMSTAG_STENCIL_BOX, 1, range[0], range[1], &s->dm));
  else PetscCall(DMStagCreate3d(grid->comm, type[0], type[1], type[2], grid->n[0], grid->n[1], grid->n[2], cut[0], cut[1], cut[2], 0, 0, 1, 1, DMSTAG_STENCIL_BOX, 1, range[0], range[1], range[2], &s->dm));
  PetscCall(DMSetUp(s->dm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The first cell of each connected part of the fluid: its pressure is set, since only differences count. Its own equation of continuity
   is the sum of the others. */
static PetscErrorCode Pin(SoretStokes s)
{
  const SoretGrid *grid = s->grid;
  PetscMPIInt      n;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast(grid->num_pockets, &n));
  PetscCall(PetscMalloc1(n, &s->pinned));
  for (PetscInt k = 0; k < n; k++) s->pinned[k] = (PetscInt64)grid->n[0] * grid->n[1] * grid->n[2];
  for (PetscInt p = grid->num_cells - 1; p >= 0; p--) {
    if (!SoretGridIsSolid(grid, p)) s->pinned[grid->pocket ? grid->pocket[p] : 0] = PetscMin(s->pinned[grid->pocket ? grid->pocket[p] : 0], SoretGridNatural(grid, p));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, s->pinned, n, MPIU_INT64, MPI_MIN, grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Bits of the closed faces of a cell that may lie one layer outside of this rank, along one axis. */
static int ClosedOf(const SoretStokes s, PetscInt p, int face)
{
  return s->grid->closed ? (int)*SoretHaloCell(&s->halo, s->closed, p, face) : 0;
}

static DMStagStencil At(const PetscInt ijk[3], DMStagStencilLocation loc)
{
  const DMStagStencil stencil = {.loc = loc, .i = ijk[0], .j = ijk[1], .k = ijk[2], .c = 0};

  return stencil;
}

/* The row of the velocity through the lower face of cell p (global indices ijk) normal to `axis`, inside the box and open: viscous exchange with the faces
   around, which are the same on both sides where a periodic axis has two cells, and the pressures on both sides. */
static PetscErrorCode MomentumRow(SoretStokes s, PetscInt p, const PetscInt ijk[3], int axis)
{
  const SoretGrid *grid  = s->grid;
  const PetscInt   lower = (ijk[axis] - 1 + grid->n[axis]) % grid->n[axis];
  const PetscReal  reach = grid->distance[axis][ijk[axis]], area = SoretGridFaceArea(grid, axis, ijk), nu = s->spec->viscosity;
  const int        own_closed = grid->closed ? grid->closed[p] : 0, beside_closed = ClosedOf(s, p, 2 * axis);
  DMStagStencil    row = At(ijk, lower_face[axis]), column[9];
  PetscReal        value[9];
  PetscInt         entries = 1;

  PetscFunctionBegin;
  column[0] = row;
  value[0]  = 0.0;
  for (int b = 0; b < grid->dim; b++) {
    for (int side = 0; side < 2; side++) {
      PetscInt  to[3] = {ijk[0], ijk[1], ijk[2]};
      PetscReal g;

      to[b] += side ? 1 : -1;
      if (b == axis) g = nu * area / grid->width[axis][side ? ijk[axis] : lower];
      else {
        const PetscReal strip = reach * area / grid->width[b][ijk[b]]; /* side of the control volume */
        const PetscBool wall  = !grid->periodic[b] && (to[b] < 0 || to[b] >= grid->n[b]) ? PETSC_TRUE : PETSC_FALSE;
        const PetscBool solid = (own_closed >> (2 * b + side) & 1) && (beside_closed >> (2 * b + side) & 1) ? PETSC_TRUE : PETSC_FALSE;

        if (wall || solid) { /* held half a cell away */
          if (!wall || !s->spec->slip[2 * b + side]) value[0] += 2.0 * nu * strip / grid->width[b][ijk[b]];
          continue;
        }
        g = nu * strip / grid->distance[b][ijk[b] + side];
      }
      value[0] += g;
      column[entries]  = At(to, lower_face[axis]);
      value[entries++] = -g;
    }
  }
  for (int side = 0; side < 2; side++) {
    PetscInt to[3] = {ijk[0], ijk[1], ijk[2]};

    to[axis] -= 1 - side;
    column[entries]  = At(to, DMSTAG_ELEMENT);
    value[entries++] = (side ? 1.0 : -1.0) * area * s->scale;
  }
  PetscCall(DMStagMatSetValuesStencil(s->dm, s->A, 1, &row, entries, column, value, ADD_VALUES));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode IdentityRow(SoretStokes s, const PetscInt ijk[3], DMStagStencilLocation loc, PetscReal size)
{
  const DMStagStencil row = At(ijk, loc);

  PetscFunctionBegin;
  PetscCall(DMStagMatSetValuesStencil(s->dm, s->A, 1, &row, 1, &row, &size, ADD_VALUES));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ContinuityRow(SoretStokes s, const PetscInt ijk[3])
{
  DMStagStencil row = At(ijk, DMSTAG_ELEMENT), column[6];
  PetscReal     value[6];

  PetscFunctionBegin;
  for (int face = 0; face < 2 * s->grid->dim; face++) {
    PetscInt to[3] = {ijk[0], ijk[1], ijk[2]};

    to[face / 2] += face % 2;
    column[face] = At(to, lower_face[face / 2]);
    value[face]  = (face % 2 ? 1.0 : -1.0) * SoretGridFaceArea(s->grid, face / 2, ijk) * s->scale;
  }
  PetscCall(DMStagMatSetValuesStencil(s->dm, s->A, 1, &row, 2 * (PetscInt)s->grid->dim, column, value, ADD_VALUES));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is the velocity through the lower face of cell p normal to `axis` an unknown? */
static PetscBool IsFree(const SoretStokes s, PetscInt p, const PetscInt ijk[3], int axis)
{
  return (ijk[axis] == 0 && !s->grid->periodic[axis]) || SoretGridIsClosed(s->grid, p, 2 * axis) ? PETSC_FALSE : PETSC_TRUE;
}

static PetscErrorCode Assemble(SoretStokes s)
{
  const SoretGrid *grid = s->grid;

  PetscFunctionBegin;
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt pocket = grid->pocket ? grid->pocket[p] : 0;
    PetscInt       ijk[3];
    PetscReal      size;

    SoretGridCellIndex(grid, p, ijk);
    size = s->spec->viscosity * SoretGridFaceArea(grid, 0, ijk) / grid->width[0][ijk[0]];
    for (int axis = 0; axis < grid->dim; axis++) {
      if (IsFree(s, p, ijk, axis)) PetscCall(MomentumRow(s, p, ijk, axis));
      else PetscCall(IdentityRow(s, ijk, lower_face[axis], size));
      if (ijk[axis] == grid->n[axis] - 1 && !grid->periodic[axis]) { /* the last face is the lower one of an element beyond the box */
        PetscInt beyond[3] = {ijk[0], ijk[1], ijk[2]};

        beyond[axis]++;
        PetscCall(IdentityRow(s, beyond, lower_face[axis], size));
      }
    }
    if (pocket < 0 || s->pinned[pocket] == SoretGridNatural(grid, p)) PetscCall(IdentityRow(s, ijk, DMSTAG_ELEMENT, size));
    else PetscCall(ContinuityRow(s, ijk));
  }
  PetscCall(MatAssemblyBegin(s->A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(s->A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SetSolver(SoretStokes s)
{
  PetscInt rows;
  PC       pc;

  PetscFunctionBegin;
  PetscCall(MatGetSize(s->A, &rows, NULL));
  PetscCall(KSPCreate(s->grid->comm, &s->ksp));
  PetscCall(KSPSetOptionsPrefix(s->ksp, "stokes_"));
  PetscCall(KSPSetOperators(s->ksp, s->A, s->A));
  PetscCall(KSPSetType(s->ksp, KSPFGMRES)); /* refines what the factorisation leaves */
  PetscCall(KSPSetTolerances(s->ksp, 1.0e-13, 0.0, PETSC_DEFAULT, 20));
  PetscCall(KSPGetPC(s->ksp, &pc));
#if !defined(PETSC_HAVE_MUMPS) && defined(PETSC_HAVE_SUPERLU_DIST)
  PetscCall(PCSetType(pc, PCLU));
  PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERSUPERLU_DIST));
#else
  PetscCall(SoretDirectSetPC(pc, rows, PETSC_FALSE, 0, NULL));
#endif
  PetscCall(KSPSetFromOptions(s->ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* As nested dissection fills in: n log n in two dimensions, n^(4/3) in three. */
PetscReal SoretStokesBytes(const SoretGridSpec *grid)
{
  const PetscReal cells = (PetscReal)grid->n[0] * (PetscReal)grid->n[1] * (PetscReal)grid->n[2];

  return cells * (grid->dim == 3 ? 4000.0 * cbrt(cells) : 650.0 * log2(PetscMax(cells, 2.0)));
}

PetscErrorCode SoretStokesCreate(const SoretStokesSpec *spec, const SoretGrid *grid, SoretTemperature *temperature, SoretStokes *stokes)
{
  SoretStokes s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  *stokes        = s;
  s->spec        = spec;
  s->grid        = grid;
  s->temperature = temperature;
  s->scale       = spec->viscosity * (PetscReal)grid->n[0] / grid->size[0];
  PetscCall(CreateDM(s));
  PetscCall(Pin(s));
  PetscCall(SoretHaloCreate(grid, 1, 1, &s->halo));
  if (grid->closed) {
    PetscCall(PetscMalloc1(grid->num_cells, &s->closed));
    for (PetscInt p = 0; p < grid->num_cells; p++) s->closed[p] = grid->closed[p];
    PetscCall(SoretHaloExchange(&s->halo, s->closed));
  }
  PetscCall(DMCreateMatrix(s->dm, &s->A));
  PetscCall(Assemble(s));
  PetscCall(DMCreateGlobalVector(s->dm, &s->x));
  PetscCall(VecDuplicate(s->x, &s->rhs));
  PetscCall(SetSolver(s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretStokesDestroy(SoretStokes *stokes)
{
  SoretStokes s = *stokes;

  PetscFunctionBegin;
  if (!s) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(KSPDestroy(&s->ksp));
  PetscCall(VecDestroy(&s->x));
  PetscCall(VecDestroy(&s->rhs));
  PetscCall(MatDestroy(&s->A));
  PetscCall(DMDestroy(&s->dm));
  PetscCall(SoretHaloDestroy(&s->halo));
  PetscCall(PetscFree(s->pinned));
  PetscCall(PetscFree(s->closed));
  PetscCall(PetscFree(*stokes));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the flow ---- */

static PetscErrorCode MeanTemperature(const SoretStokes s, PetscReal *mean)
{
  PetscReal sum = 0.0;

  PetscFunctionBegin;
  for (PetscInt p = 0; p < s->grid->num_cells; p++) {
    PetscInt ijk[3];

    SoretGridCellIndex(s->grid, p, ijk);
    if (!SoretGridIsSolid(s->grid, p)) sum += SoretGridCellVolume(s->grid, ijk) * s->temperature->T[p];
  }
  PetscCallMPI(MPI_Allreduce(&sum, mean, 1, MPIU_REAL, MPI_SUM, s->grid->comm));
  *mean /= s->grid->fluid_volume;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Buoyancy and force on each control volume; the temperature of a face is that of its two half cells. *largest - of them, per mass */
static PetscErrorCode FillForce(SoretStokes s, PetscReal *largest)
{
  const SoretGrid *grid = s->grid;
  PetscReal        mean;

  PetscFunctionBegin;
  PetscCall(MeanTemperature(s, &mean));
  PetscCall(VecSet(s->rhs, 0.0));
  *largest = 0.0;
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    PetscInt ijk[3];

    SoretGridCellIndex(grid, p, ijk);
    for (int axis = 0; axis < grid->dim; axis++) {
      const DMStagStencil row   = At(ijk, lower_face[axis]);
      const PetscInt      lower = (ijk[axis] - 1 + grid->n[axis]) % grid->n[axis];
      const PetscReal     w0 = 0.5 * grid->width[axis][lower], w1 = 0.5 * grid->width[axis][ijk[axis]], area = SoretGridFaceArea(grid, axis, ijk);
      const PetscReal     below = *SoretHaloCell(&s->temperature->halo, s->temperature->T, p, 2 * axis);
      const PetscReal     value = area * (s->spec->force[axis] * (w0 + w1) - s->spec->gravity[axis] * s->spec->expansion * (w0 * (below - mean) + w1 * (s->temperature->T[p] - mean)));

      *largest = PetscMax(*largest, PetscAbsReal(value) / (area * (w0 + w1)));
      if (IsFree(s, p, ijk, axis)) PetscCall(DMStagVecSetValuesStencil(s->dm, s->rhs, 1, &row, &value, INSERT_VALUES));
    }
  }
  PetscCall(VecAssemblyBegin(s->rhs));
  PetscCall(VecAssemblyEnd(s->rhs));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, largest, 1, MPIU_REAL, MPI_MAX, grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CopyVelocities(SoretStokes s, PetscReal *const v[3])
{
  const SoretGrid *grid = s->grid;
  Vec              local;

  PetscFunctionBegin;
  PetscCall(DMGetLocalVector(s->dm, &local));
  PetscCall(DMGlobalToLocal(s->dm, s->x, INSERT_VALUES, local));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    PetscInt ijk[3];

    SoretGridCellIndex(grid, p, ijk);
    for (int face = 0; face < 2 * grid->dim; face++) {
      PetscInt      at[3] = {ijk[0], ijk[1], ijk[2]};
      DMStagStencil where;

      at[face / 2] += face % 2;
      where = At(at, lower_face[face / 2]);
      PetscCall(DMStagVecGetValuesStencil(s->dm, local, 1, &where, &v[face / 2][SoretFlowFace(grid, face, p)]));
    }
  }
  PetscCall(DMRestoreLocalVector(s->dm, &local));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where pressure balances the forces, as in layers that are warmer above, what is left is rounding of the velocity that they would drive without it: no flow. */
static PetscErrorCode DropRounding(SoretStokes s, PetscReal force, PetscReal *const v[3])
{
  const PetscReal  rounding = 1.0e-14;
  const SoretGrid *grid     = s->grid;
  PetscReal        length = 0.0, largest = 0.0;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    length = PetscMax(length, grid->size[axis]);
    for (PetscInt q = 0; q < SoretFlowCountFaces(grid, axis); q++) largest = PetscMax(largest, PetscAbsReal(v[axis][q]));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPIU_REAL, MPI_MAX, grid->comm));
  if (largest > rounding * force * length * length / s->spec->viscosity) PetscFunctionReturn(PETSC_SUCCESS);
  for (int axis = 0; axis < grid->dim; axis++) PetscCall(PetscArrayzero(v[axis], SoretFlowCountFaces(grid, axis)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretStokesFill(void *context, PetscReal t, PetscReal *const v[3])
{
  SoretStokes        s = (SoretStokes)context;
  KSPConvergedReason reason;
  PetscReal          force, norm, size;
  PetscBool          changed;

  PetscFunctionBegin;
  PetscCall(SoretTemperatureSetTime(s->temperature, t, &changed));
  PetscCall(FillForce(s, &force));
  PetscCall(KSPSolve(s->ksp, s->rhs, s->x));
  PetscCall(KSPGetConvergedReason(s->ksp, &reason));
  PetscCall(KSPGetResidualNorm(s->ksp, &norm));
  PetscCall(VecNorm(s->rhs, NORM_2, &size));
  if (size > 0.0 && !(norm <= 1.0e-9 * size)) { /* the last digits may be beyond rounding */
    PetscCall(SoretComplain(s->grid->comm, "soret: the flow could not be computed (%s, residual %g of %g); try -stokes_ksp_monitor, or -stokes_pc_factor_mat_solver_type\n", KSPConvergedReasons[reason], (double)norm, (double)size));
    PetscFunctionReturn(SORET_ERR_NOT_CONVERGED);
  }
  PetscCall(CopyVelocities(s, v));
  PetscCall(DropRounding(s, force, v));
  PetscFunctionReturn(PETSC_SUCCESS);
}
