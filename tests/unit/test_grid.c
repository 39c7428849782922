/* SPDX-License-Identifier: BSD-2-Clause

   The grid: geometry, and the exchange of layers among ranks. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "soret/case.h"

/* The grid of a domain given as YAML. */
static PetscErrorCode MakeGrid(const char *domain, PetscInt width, SoretCase *c, SoretGrid *grid, PetscBool *fits)
{
  char        text[1024], why[256];
  PetscMPIInt ranks;

  PetscFunctionBeginUser;
  PetscCall(PetscSNPrintf(text, sizeof(text), "soret: 1\nunits: reduced\ndomain: %s\ntemperature: 1\nspecies: [{name: A, diffusivity: 1}]\n", domain));
  PetscCall(SoretCaseParse("test.yaml", text, strlen(text), 0, NULL, c));
  PetscCall(SoretInputCheck(c->in, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  *fits = SoretGridFits(&c->grid, ranks, width, sizeof(why), why);
  if (*fits) PetscCall(SoretGridCreate(PETSC_COMM_WORLD, &c->grid, width, grid));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A number that tells cell and entry apart. */
static PetscReal Label(const PetscInt ijk[3], PetscInt entry)
{
  return (PetscReal)(entry + 10 * (ijk[0] + 100 * (ijk[1] + 100 * ijk[2])) + 1);
}

/* Each received layer holds the labels of the cells beyond the face, wrapped around on periodic axes, 0 beyond walls. */
static PetscErrorCode CheckExchange(const char *domain, PetscInt dof, PetscInt width)
{
  const int  failures = test_failures;
  SoretCase  c;
  SoretGrid  grid;
  SoretHalo  halo;
  PetscReal *value;
  PetscBool  fits;

  PetscFunctionBeginUser;
  PetscCall(MakeGrid(domain, width, &c, &grid, &fits));
  if (!fits) { /* too few cells for this number of ranks */
    PetscCall(SoretCaseDestroy(&c));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscMalloc1(grid.num_cells * dof, &value));
  for (PetscInt p = 0; p < grid.num_cells; p++) {
    const PetscInt ijk[3] = {grid.start[0] + p % grid.count[0], grid.start[1] + p / grid.count[0] % grid.count[1], grid.start[2] + p / grid.count[0] / grid.count[1]};

    for (PetscInt s = 0; s < dof; s++) value[p * dof + s] = Label(ijk, s);
  }
  PetscCall(SoretHaloCreate(&grid, dof, width, &halo));
  for (int twice = 0; twice < 2; twice++) PetscCall(SoretHaloExchange(&halo, value));
  for (int axis = 0; axis < grid.dim; axis++) {
    for (int side = 0; side < 2; side++) {
      const PetscInt *n    = halo.count[axis];
      const PetscReal *got = halo.recv[axis][side];
      const PetscBool wall = SoretGridHasWall(&grid, axis, side);

      Check(wall == (halo.neighbor[axis][side] == MPI_PROC_NULL ? PETSC_TRUE : PETSC_FALSE));
      for (PetscInt k = 0; k < n[2]; k++) {
        for (PetscInt j = 0; j < n[1]; j++) {
          for (PetscInt i = 0; i < n[0]; i++) {
            PetscInt ijk[3] = {grid.start[0] + i, grid.start[1] + j, grid.start[2] + k};

            ijk[axis] += side ? grid.count[axis] : -width;
            ijk[axis] = (ijk[axis] + grid.n[axis]) % grid.n[axis];
            for (PetscInt s = 0; s < dof; s++) CheckClose(*got++, wall ? 0.0 : Label(ijk, s), 0.0);
          }
        }
      }
      Check(got - halo.recv[axis][side] == halo.length[axis]);
    }
  }
  PetscCall(SoretHaloDestroy(&halo));
  PetscCall(PetscFree(value));
  PetscCall(SoretGridDestroy(&grid));
  PetscCall(SoretCaseDestroy(&c));
  if (test_failures != failures) fprintf(stderr, "... with the domain %s\n", domain);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestExchange(void)
{
  static const char *const domains[] = {
    "{size: [1], cells: [11]}",
    "{size: [1], cells: [11], periodic: [x]}",
    "{size: [1], cells: [4], periodic: [x]}",
    "{size: [1, 1], cells: [9, 7]}",
    "{size: [1, 1], cells: [9, 7], periodic: [y]}",
    "{size: [1, 1], cells: [13, 4], periodic: [x, y]}",
    "{size: [1, 1, 1], cells: [7, 6, 5]}",
    "{size: [1, 1, 1], cells: [7, 6, 5], periodic: [x, z]}",
    "{size: [1, 1, 1], cells: [4, 4, 4], periodic: [x, y, z]}"};

  PetscFunctionBeginUser;
  for (size_t k = 0; k < sizeof(domains) / sizeof(domains[0]); k++) {
    for (PetscInt width = 1; width <= 2; width++) {
      for (PetscInt dof = 1; dof <= 3; dof += 2) PetscCall(CheckExchange(domains[k], dof, width));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Edges end where the box ends, volumes add up, grading does what it says. */
static PetscErrorCode TestGeometry(void)
{
  PetscReal volume = 0.0, total;
  SoretCase c;
  SoretGrid grid;
  PetscBool fits;

  PetscFunctionBeginUser;
  PetscCall(MakeGrid("{size: [2.0, 3.0], origin: [1.0, -1.0], cells: [8, 10], grading: {x: {ratio: 5}, y: {tanh: 2}}}", 1, &c, &grid, &fits));
  Check(fits);
  CheckClose(grid.edge[0][0], 1.0, 0.0);
  CheckClose(grid.edge[0][8], 3.0, 1e-15);
  CheckClose(grid.edge[1][0], -1.0, 1e-15);
  CheckClose(grid.edge[1][10], 2.0, 1e-15);
  CheckClose(grid.width[0][7] / grid.width[0][0], 5.0, 1e-12);
  for (int i = 1; i < 8; i++) CheckClose(grid.width[0][i] / grid.width[0][i - 1], pow(5.0, 1.0 / 7.0), 1e-12);
  for (int i = 0; i < 10; i++) CheckClose(grid.width[1][i], grid.width[1][9 - i], 1e-14);
  CheckClose(grid.edge[1][3], -1.0 + 3.0 * 0.5 * (1.0 + tanh(2.0 * (0.6 - 1.0)) / tanh(2.0)), 1e-14);
  for (PetscInt p = 0; p < grid.num_cells; p++) volume += SoretGridCellVolume(&grid, (PetscInt[]){grid.start[0] + p % grid.count[0], grid.start[1] + p / grid.count[0], 0});
  PetscCallMPI(MPI_Allreduce(&volume, &total, 1, MPIU_REAL, MPI_SUM, PETSC_COMM_WORLD));
  CheckClose(total, 6.0, 1e-13);
  CheckClose(grid.volume, 6.0, 1e-13);
  CheckClose(grid.distance[0][0], 0.5 * grid.width[0][0], 1e-15);
  CheckClose(grid.distance[0][4], 0.5 * (grid.width[0][3] + grid.width[0][4]), 1e-15);
  PetscCall(SoretGridDestroy(&grid));
  PetscCall(SoretCaseDestroy(&c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The number of an entry in the whole array over cells, faces or cells at a wall, from global indices. */
static PetscReal Number(const SoretGrid *grid, SoretGridPart part, PetscInt i, PetscInt j, PetscInt k)
{
  const PetscInt nx = part.wall >= 0 && part.wall / 2 == 0 ? 1 : grid->n[0] + (part.faces == 0), ny = part.wall >= 0 && part.wall / 2 == 1 ? 1 : grid->n[1] + (part.faces == 1);

  return (PetscReal)((k * ny + j) * nx + i);
}

static PetscErrorCode CheckGather(const SoretGrid *grid, SoretGridPart part, PetscInt m)
{
  PetscInt   begin[3], end[3], total = 1, wrong = 0, n = 0;
  PetscReal *mine, *whole;

  PetscFunctionBeginUser;
  for (int axis = 0; axis < 3; axis++) {
    begin[axis] = grid->start[axis];
    end[axis]   = begin[axis] + grid->count[axis] + (part.faces == axis);
    if (part.wall >= 0 && part.wall / 2 == axis) {
      const PetscBool there = (part.wall % 2 ? end[axis] == grid->n[axis] : begin[axis] == 0) ? PETSC_TRUE : PETSC_FALSE;

      begin[axis] = 0;
      end[axis]   = there ? 1 : 0;
    } else total *= grid->n[axis] + (part.faces == axis);
  }
  PetscCall(PetscMalloc2((grid->num_cells + 1) * 8 * m, &mine, total * m, &whole));
  for (PetscInt k = begin[2]; k < end[2]; k++) {
    for (PetscInt j = begin[1]; j < end[1]; j++) {
      for (PetscInt i = begin[0]; i < end[0]; i++) {
        for (PetscInt s = 0; s < m; s++) mine[n++] = Number(grid, part, i, j, k) * m + s;
      }
    }
  }
  for (PetscInt q = 0; q < total * m; q++) whole[q] = -1.0;
  PetscCall(SoretGridGather(grid, part, m, mine, whole));
  for (PetscInt q = 0; q < total * m; q++) wrong += whole[q] != (PetscReal)q;
  Check(wrong == 0);
  PetscCall(PetscFree2(mine, whole));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The whole array on every rank: cells, faces and walls; and the grid that it is over. */
static PetscErrorCode TestGather(void)
{
  static const char *const domains[] = {"{size: [1], cells: [11]}", "{size: [1, 1], cells: [9, 7], periodic: [y]}", "{size: [1, 2, 3], cells: [7, 6, 5], grading: {y: {ratio: 3}}}"};

  PetscFunctionBeginUser;
  for (size_t d = 0; d < sizeof(domains) / sizeof(domains[0]); d++) {
    SoretCase c;
    SoretGrid grid, whole;
    PetscBool fits;

    PetscCall(MakeGrid(domains[d], 1, &c, &grid, &fits));
    if (fits) {
      PetscCall(CheckGather(&grid, SORET_GRID_CELLS, 3));
      for (int axis = 0; axis < grid.dim; axis++) PetscCall(CheckGather(&grid, (SoretGridPart){.faces = axis, .wall = -1}, 2));
      for (int face = 0; face < 2 * grid.dim; face++) {
        if (!grid.periodic[face / 2]) PetscCall(CheckGather(&grid, (SoretGridPart){.faces = -1, .wall = face}, 2));
      }
      PetscCall(SoretGridCreateWhole(&grid, &whole));
      Check(whole.num_cells == grid.n[0] * grid.n[1] * grid.n[2] && whole.volume == grid.volume);
      for (int axis = 0; axis < 3; axis++) {
        Check(whole.equal[axis] == grid.equal[axis]);
        for (PetscInt i = 0; i < grid.n[axis]; i++) Check(whole.width[axis][i] == grid.width[axis][i] && whole.center[axis][i] == grid.center[axis][i]);
      }
      PetscCall(SoretGridDestroy(&whole));
      PetscCall(SoretGridDestroy(&grid));
    }
    PetscCall(SoretCaseDestroy(&c));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* No rank gets much more than its share, and pairs stay together as often as may be. */
static PetscErrorCode TestShares(void)
{
  SoretCase   c;
  SoretGrid   grid;
  PetscBool   fits;
  PetscMPIInt ranks;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  PetscCall(MakeGrid("{size: [1], cells: [100]}", 1, &c, &grid, &fits));
  Check(fits);
  for (PetscInt r = 0; r < ranks; r++) {
    Check(grid.range[0][r] <= PetscMax((100 + ranks - 1) / ranks + 1, 9 * 100 / (8 * ranks)));
    if (r < ranks - 1) Check(grid.range[0][r] % (ranks == 2 ? 16 : ranks == 3 ? 4 : 8) == 0); /* 48 + 52; 32 + 32 + 36; 24 + 24 + 24 + 28 */
  }
  PetscCall(SoretGridDestroy(&grid));
  PetscCall(SoretCaseDestroy(&c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestExchange, TestGeometry, TestGather, TestShares)
