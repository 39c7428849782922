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

TestMain(TestExchange, TestGeometry)
