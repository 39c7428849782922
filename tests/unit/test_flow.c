/* SPDX-License-Identifier: BSD-2-Clause

   Velocities at faces: formulas, stream functions, the flow in a slot, and flow driven by buoyancy. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "soret/case.h"

typedef struct {
  SoretCase    c;
  SoretProblem problem;
} Channel;

static PetscErrorCode MakeChannel(const char *domain, const char *solid, const char *temperature, const char *flow, Channel *channel)
{
  char text[2048], closed[256], *overrides[] = {closed};

  PetscFunctionBeginUser;
  PetscCall(PetscSNPrintf(text, sizeof(text), "soret: 1\nunits: reduced\ndomain: %s\ntemperature: \"%s\"\nflow: %s\nspecies: [{name: A, diffusivity: 1}]\n", domain, temperature, flow));
  PetscCall(PetscSNPrintf(closed, sizeof(closed), "domain.solid=%s", solid ? solid : ""));
  PetscCall(SoretCaseParse("test.yaml", text, strlen(text), solid ? 1 : 0, overrides, &channel->c));
  PetscCall(SoretInputCheck(channel->c.in, PETSC_COMM_WORLD));
  PetscCall(SoretProblemCreate(PETSC_COMM_WORLD, &channel->c, &channel->problem));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FreeChannel(Channel *channel)
{
  PetscFunctionBeginUser;
  PetscCall(SoretProblemDestroy(&channel->problem));
  PetscCall(SoretCaseDestroy(&channel->c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Largest difference from v(axis, centre of the face). */
static PetscErrorCode Error(const Channel *channel, PetscReal (*exact)(int axis, const PetscReal x[3]), PetscReal *error)
{
  const SoretGrid *grid = &channel->problem.grid;

  PetscFunctionBeginUser;
  *error = 0.0;
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    PetscInt ijk[3];

    SoretGridCellIndex(grid, p, ijk);
    for (int face = 0; face < 2 * grid->dim; face++) {
      PetscReal x[3];

      for (int axis = 0; axis < 3; axis++) x[axis] = axis == face / 2 ? grid->edge[axis][ijk[axis] + face % 2] : grid->center[axis][ijk[axis]];
      *error = PetscMax(*error, PetscAbsReal(channel->problem.flow.v[face / 2][SoretFlowFace(grid, face, p)] - exact(face / 2, x)));
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, error, 1, MPIU_REAL, MPI_MAX, PETSC_COMM_WORLD));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* v = (sin y cos z, sin z cos x, sin x cos y): free of divergence, on this grid too, since no component depends on its own coordinate. */
static PetscReal Swirl(int axis, const PetscReal x[3])
{
  return axis == 0 ? sin(x[1]) * cos(x[2]) : axis == 1 ? sin(x[2]) * cos(x[0]) : sin(x[0]) * cos(x[1]);
}

static PetscErrorCode TestFormulas(void)
{
  PetscReal error;
  Channel   channel;
  PetscBool changed;

  PetscFunctionBeginUser;
  PetscCall(MakeChannel("{size: [1, 2, 3], cells: [7, 6, 8], grading: {y: {ratio: 3}}}", NULL, "1", "{velocity: [sin(y)*cos(z), sin(z)*cos(x), sin(x)*cos(y)]}", &channel));
  PetscCall(Error(&channel, Swirl, &error));
  CheckClose(error, 0.0, 1e-15);
  CheckClose(channel.problem.flow.divergence, 0.0, 1e-14);
  PetscCall(FreeChannel(&channel));
  /* with a divergence: v = x t in cells of width 1/4: net outflow t/4 per cell, largest flow t at x = 1 */
  PetscCall(MakeChannel("{size: [1], cells: [4]}", NULL, "1", "{velocity: [x*(1 + t)]}", &channel));
  CheckClose(channel.problem.flow.divergence, 0.25, 1e-15);
  CheckClose(channel.problem.flow.largest, 1.0, 1e-15);
  PetscCall(SoretFlowSetTime(&channel.problem.flow, 2.0, &changed));
  Check(changed);
  CheckClose(channel.problem.flow.largest, 3.0, 1e-15);
  PetscCall(FreeChannel(&channel));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Any stream function is free of divergence on the grid; nothing passes closed faces. */
static PetscErrorCode TestStream(void)
{
  Channel channel;

  PetscFunctionBeginUser;
  PetscCall(MakeChannel("{size: [1, 1], cells: [9, 8], periodic: [x], grading: {y: {tanh: 1}}}", NULL, "1", "{stream: \"sin(2*pi*x)*exp(y)*cos(3*y) + y\"}", &channel));
  CheckClose(channel.problem.flow.divergence, 0.0, 1e-13);
  Check(channel.problem.flow.largest > 1.0);
  PetscCall(FreeChannel(&channel));
  PetscCall(MakeChannel("{size: [1, 1], cells: [8, 8]}", "x - 0.5", "1", "{stream: y}", &channel));
  Check(channel.problem.flow.divergence > 0.5); /* the flow ends at the solid, and that is told */
  for (PetscInt p = 0; p < channel.problem.grid.num_cells; p++) {
    for (int face = 0; face < 4; face++) {
      if (SoretGridIsClosed(&channel.problem.grid, p, face)) CheckClose(channel.problem.flow.v[face / 2][SoretFlowFace(&channel.problem.grid, face, p)], 0.0, 0.0);
    }
  }
  PetscCall(FreeChannel(&channel));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Slot of width 2 with hot wall at x = 2: v_y = -g beta dT d^2/(6 nu) (r^3 - r/4), r = x/2 - 1/2; here -(3*0.1*4*4)/(6*0.5) = -1.6. */
static PetscReal Slot(int axis, const PetscReal x[3])
{
  const PetscReal r = x[0] / 2.0 - 0.5;

  return axis == 1 ? -1.6 * (r * r * r - 0.25 * r) : 0.0;
}

static PetscErrorCode TestSlot(void)
{
  PetscReal error[2], net = 0.0;
  Channel   channel;

  PetscFunctionBeginUser;
  for (int level = 0; level < 2; level++) {
    char domain[80];

    PetscCall(PetscSNPrintf(domain, sizeof(domain), "{size: [2, 1], cells: [%d, 4], periodic: [y]}", 20 << level));
    PetscCall(MakeChannel(domain, NULL, "1", "{slot: {gravity: 3, expansion: 0.1, viscosity: 0.5, difference: 4}}", &channel));
    PetscCall(Error(&channel, Slot, &error[level])); /* of the mean over a face: order 2 */
    CheckClose(channel.problem.flow.divergence, 0.0, 1e-14);
    for (PetscInt p = 0; p < channel.problem.grid.num_cells; p++) net += channel.problem.flow.v[1][SoretFlowFace(&channel.problem.grid, 2, p)];
    PetscCall(FreeChannel(&channel));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &net, 1, MPIU_REAL, MPI_SUM, PETSC_COMM_WORLD));
  CheckClose(net, 0.0, 1e-13);
  Check(error[1] < 5e-4);
  Check(log2(error[0] / error[1]) > 1.9);

  /* the same computed, T = 1 + 2 x: the wall is half a cell away, order 2 */
  for (int level = 0; level < 2; level++) {
    char domain[80];

    PetscCall(PetscSNPrintf(domain, sizeof(domain), "{size: [2, 1], cells: [%d, 4], periodic: [y]}", 20 << level));
    PetscCall(MakeChannel(domain, NULL, "1 + 2*x", "{boussinesq: {gravity: [0, -3], expansion: 0.1, viscosity: 0.5}}", &channel));
    PetscCall(Error(&channel, Slot, &error[level]));
    CheckClose(channel.problem.flow.divergence, 0.0, 1e-12);
    PetscCall(FreeChannel(&channel));
  }
  CheckClose(error[1], 1.2 / 8.0 / (20.0 * 20.0), 1.5e-5); /* h^2 v''/8 from the half cells at the walls, v'' = 1.6*6*(1/2)/4: 0.5 % of the largest velocity, 1.6/(12 sqrt 3) */
  Check(log2(error[0] / error[1]) > 1.9);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A tall closed slot: the cubic at half its height, to what the ends leave (exp(-4 H/d) and smaller: below 1e-6) and the grid. */
static PetscErrorCode TestCavity(void)
{
  PetscReal worst = 0.0;
  Channel   channel;

  PetscFunctionBeginUser;
  PetscCall(MakeChannel("{size: [2, 16], cells: [40, 81]}", NULL, "1 + 2*x", "{boussinesq: {gravity: [0, -3], expansion: 0.1, viscosity: 0.5}}", &channel));
  CheckClose(channel.problem.flow.divergence, 0.0, 1e-12);
  for (PetscInt p = 0; p < channel.problem.grid.num_cells; p++) {
    PetscInt  ijk[3];
    PetscReal x[3];

    SoretGridCellIndex(&channel.problem.grid, p, ijk);
    if (ijk[1] == 0) CheckClose(channel.problem.flow.v[1][SoretFlowFace(&channel.problem.grid, 2, p)], 0.0, 0.0);
    if (ijk[1] == 80) CheckClose(channel.problem.flow.v[1][SoretFlowFace(&channel.problem.grid, 3, p)], 0.0, 0.0);
    if (ijk[1] != 40) continue;
    x[0]  = channel.problem.grid.center[0][ijk[0]];
    worst = PetscMax(worst, PetscAbsReal(channel.problem.flow.v[1][SoretFlowFace(&channel.problem.grid, 2, p)] - Slot(1, x)));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPIU_REAL, MPI_MAX, PETSC_COMM_WORLD));
  CheckClose(worst, 1.2 / 8.0 / (20.0 * 20.0), 1.5e-5); /* that of the endless slot */
  PetscCall(FreeChannel(&channel));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A force along a channel with solid walls, two cells thick, and a free surface: half a parabola, v = f/nu (h y - y^2/2) above the wall. */
static PetscReal Film(int axis, const PetscReal x[3])
{
  const PetscReal y = x[1] - 0.5;

  return axis == 0 && y > 0.0 ? 3.0 / 0.5 * (2.0 * y - 0.5 * y * y) : 0.0;
}

static PetscErrorCode TestForce(void)
{
  PetscReal error;
  Channel   channel;

  PetscFunctionBeginUser;
  for (int cells = 4; cells >= 2; cells--) { /* of two cells each is the neighbour of the other on both sides */
    char domain[64];

    PetscCall(PetscSNPrintf(domain, sizeof(domain), "{size: [1, 2.5], cells: [%d, 40], periodic: [x]}", cells));
    PetscCall(MakeChannel(domain, "0.5 - y", "1", "{boussinesq: {gravity: [0, -1], expansion: 0, viscosity: 0.5, force: [3, 0], slip: [y+]}}", &channel));
    PetscCall(Error(&channel, Film, &error));
    CheckClose(error, 0.0, 2e-3 * 12.0);
    CheckClose(channel.problem.flow.divergence, 0.0, 1e-12);
    PetscCall(FreeChannel(&channel));
  }
  /* 3D, around an obstacle that leaves a pocket cut off: free of divergence in each fluid cell */
  PetscCall(MakeChannel("{size: [1, 1, 1], cells: [8, 7, 6], periodic: [x]}", "0.12 - abs(sqrt((x-0.5)^2 + (y-0.5)^2 + (z-0.5)^2) - 0.3)", "1 + y", "{boussinesq: {gravity: [-2, 0, 0], expansion: 0.1, viscosity: 0.5, force: [1, 0, 0.5]}}", &channel));
  Check(channel.problem.grid.num_pockets == 2);
  Check(channel.problem.flow.largest > 1e-3);
  CheckClose(channel.problem.flow.divergence, 0.0, 1e-11);
  PetscCall(FreeChannel(&channel));
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestFormulas, TestStream, TestSlot, TestCavity, TestForce)
