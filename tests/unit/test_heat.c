/* SPDX-License-Identifier: BSD-2-Clause

   Heat conduction against exact temperatures, with its budget of energy. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "soret/case.h"

typedef struct {
  SoretCase    c;
  SoretProblem problem;
} Plate;

/* Solves the conduction in a domain with a solid (or NULL), all as YAML. */
static PetscErrorCode MakePlate(const char *domain, const char *solid, const char *conduction, Plate *plate)
{
  char text[2048], closed[256], *overrides[] = {closed};

  PetscFunctionBeginUser;
  PetscCall(PetscSNPrintf(text, sizeof(text), "soret: 1\nunits: reduced\ndomain: %s\ntemperature: {conduction: %s}\nspecies: [{name: A, diffusivity: 1}]\nsolve: {mode: transient, end: 1, max_step: 1e20}\n", domain, conduction));
  PetscCall(PetscSNPrintf(closed, sizeof(closed), "domain.solid=%s", solid ? solid : ""));
  PetscCall(SoretCaseParse("test.yaml", text, strlen(text), solid ? 1 : 0, overrides, &plate->c));
  PetscCall(SoretInputCheck(plate->c.in, PETSC_COMM_WORLD));
  PetscCall(SoretProblemCreate(PETSC_COMM_WORLD, &plate->c, &plate->problem));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FreePlate(Plate *plate)
{
  PetscFunctionBeginUser;
  PetscCall(SoretProblemDestroy(&plate->problem));
  PetscCall(SoretCaseDestroy(&plate->c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Largest difference from a formula at the cell centres. */
static PetscErrorCode Error(const Plate *plate, PetscReal (*exact)(const PetscReal x[3]), PetscReal *error)
{
  PetscFunctionBeginUser;
  *error = 0.0;
  for (PetscInt p = 0; p < plate->problem.grid.num_cells; p++) {
    PetscInt  ijk[3];
    PetscReal x[3];

    SoretGridCellIndex(&plate->problem.grid, p, ijk);
    for (int axis = 0; axis < 3; axis++) x[axis] = plate->problem.grid.center[axis][ijk[axis]];
    *error = PetscMax(*error, PetscAbsReal(plate->problem.temperature.T[p] - exact(x)));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, error, 1, MPIU_REAL, MPI_MAX, PETSC_COMM_WORLD));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The budget closes to a part in 1e10 of what goes through (in time: to what is asked of the interpolation), the same on all ranks. */
static PetscErrorCode CheckBudget(const Plate *plate, PetscReal tolerance)
{
  SoretHeatBudget budget;

  PetscFunctionBeginUser;
  PetscCall(SoretHeatGetBudget(plate->problem.heat, &budget));
  Check(budget.gross > 0.0);
  CheckClose(budget.defect / budget.gross, 0.0, tolerance);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* k = 1 left of x = 1/2 and 1000 right of it; T = 2 + cos(pi y) g(x)/k with g(1/2) = 0, so that T and the flux k dT/dx are continuous;
   source = -div(k grad T) = cos(pi y) (pi^2 g - g''), g = sin(2 pi x) + x - 1/2. */
static PetscReal JumpExact(const PetscReal x[3])
{
  return 2.0 + cos(PETSC_PI * x[1]) * (sin(2.0 * PETSC_PI * x[0]) + x[0] - 0.5) / (x[0] < 0.5 ? 1.0 : 1000.0);
}

/* In two dimensions by factorisation, in three, where nothing depends on z, by multigrid. */
static PetscErrorCode Jump(PetscBool thick, int num, PetscReal error[])
{
  PetscFunctionBeginUser;
  for (int level = 0; level < num; level++) {
    char  domain[96];
    Plate plate;

    PetscCall(PetscSNPrintf(domain, sizeof(domain), thick ? "{size: [1, 1, 1], cells: [%d, %d, 20], periodic: [z]}" : "{size: [1, 1], cells: [%d, %d]}", 16 << level, 12 << level));
    PetscCall(MakePlate(domain, "x - 0.5", "{conductivity: 1, solid_conductivity: 1000, source: \"cos(pi*y)*(5*pi^2*sin(2*pi*x) + pi^2*(x - 0.5))\", boundaries: {x-: {value: \"2 - 0.5*cos(pi*y)\"}, x+: {flux: \"cos(pi*y)*(2*pi + 1)\"}}}", &plate));
    PetscCall(Error(&plate, JumpExact, &error[level]));
    PetscCall(CheckBudget(&plate, 1e-10));
    PetscCall(FreePlate(&plate));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestJump(void)
{
  PetscReal error[3], multigrid[2];

  PetscFunctionBeginUser;
  PetscCall(Jump(PETSC_FALSE, 3, error));
  Check(log2(error[0] / error[1]) > 1.9);
  Check(log2(error[1] / error[2]) > 1.9);
  Check(error[2] < 2e-3);
  PetscCall(Jump(PETSC_TRUE, 2, multigrid));
  for (int level = 0; level < 2; level++) CheckClose(multigrid[level] / error[level], 1.0, 1e-7);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* k = T between walls at 1 and 2: T^2 is linear, T = sqrt(1 + 3 x). The walls are held, or exchange heat with h: flux = 3/2, T_wall = 1 and 2. */
static PetscReal RootExact(const PetscReal x[3])
{
  return sqrt(1.0 + 3.0 * x[0]);
}

static PetscErrorCode TestConductivityOfT(void)
{
  static const char *const walls[] = {"{x-: {value: 1}, x+: {value: 2}}", "{x-: {transfer: 5, outside: 0.7}, x+: {transfer: 3, outside: 2.5}}", "{x-: {value: 1}, x+: {flux: 1.5}}"};

  PetscFunctionBeginUser;
  for (int k = 0; k < 3; k++) {
    PetscReal error[2];

    for (int level = 0; level < 2; level++) {
      char            domain[96], conduction[160];
      SoretHeatBudget budget;
      Plate           plate;

      PetscCall(PetscSNPrintf(domain, sizeof(domain), "{size: [1], cells: [%d], grading: {x: {ratio: 2}}}", 100 << level));
      PetscCall(PetscSNPrintf(conduction, sizeof(conduction), "{conductivity: T, boundaries: %s}", walls[k]));
      PetscCall(MakePlate(domain, NULL, conduction, &plate));
      PetscCall(Error(&plate, RootExact, &error[level]));
      PetscCall(CheckBudget(&plate, 1e-10));
      PetscCall(SoretHeatGetBudget(plate.problem.heat, &budget));
      CheckClose(budget.inflow[1], 1.5, 2e-3);
      if (SoretGridHasWall(&plate.problem.grid, 0, 1)) CheckClose(plate.problem.temperature.wall[1][0], 2.0, 1e-3); /* what species see at the wall */
      if (SoretGridHasWall(&plate.problem.grid, 0, 0)) CheckClose(plate.problem.temperature.wall[0][0], 1.0, 1e-3);
      PetscCall(FreePlate(&plate));
    }
    Check(log2(error[0] / error[1]) > 1.9);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The same with multigrid, in a box that is thick enough: T does not depend on y and z. */
static PetscErrorCode TestPicard(void)
{
  SoretHeatBudget budget;
  Plate           plate;
  PetscReal       error;

  PetscFunctionBeginUser;
  PetscCall(MakePlate("{size: [1, 0.5, 0.4], cells: [40, 12, 10]}", NULL, "{conductivity: T, boundaries: {x-: {value: 1}, x+: {transfer: 3, outside: 2.5}}}", &plate));
  PetscCall(Error(&plate, RootExact, &error));
  Check(error < 2e-4);
  PetscCall(CheckBudget(&plate, 1e-10));
  PetscCall(SoretHeatGetBudget(plate.problem.heat, &budget));
  CheckClose(budget.inflow[1], 1.5 * 0.2, 1e-4);
  PetscCall(FreePlate(&plate));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Layers of k = 1 and 1000 in series, aligned with the cells: exact on any grid. Flux (T1 - T0)/(0.25 + 0.5/1000 + 0.25). */
static PetscErrorCode TestLayers(void)
{
  SoretHeatBudget budget;
  Plate           plate;

  PetscFunctionBeginUser;
  PetscCall(MakePlate("{size: [1, 0.5], cells: [8, 5], periodic: [y]}", "abs(x - 0.5) < 0.25", "{conductivity: 1, solid_conductivity: 1000, boundaries: {x-: {value: 300}, x+: {value: 310}}}", &plate));
  PetscCall(SoretHeatGetBudget(plate.problem.heat, &budget));
  CheckClose(budget.inflow[1], 0.5 * 10.0 / (0.5 + 0.5e-3), 1e-9);
  CheckClose(budget.inflow[0], -0.5 * 10.0 / (0.5 + 0.5e-3), 1e-9);
  PetscCall(CheckBudget(&plate, 1e-10));
  PetscCall(FreePlate(&plate));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A random-looking medium with k = 1 and 1000, 3D, by multigrid; then, with a matrix, a source that falls with T: the budget closes, and T lies between the walls. */
static PetscErrorCode TestMedium(void)
{
  Plate plate;

  PetscFunctionBeginUser;
  PetscCall(MakePlate("{size: [1, 1, 1], cells: [18, 17, 16], periodic: [z]}", "sin(37*x + 11*sin(29*y) + 13*sin(12*pi*z))", "{conductivity: 1, solid_conductivity: 1000, boundaries: {x-: {value: 1}, x+: {value: 2}, y+: {transfer: 10, outside: 1.5}}}", &plate));
  Check(plate.problem.temperature.min >= 1.0 - 1e-12 && plate.problem.temperature.max <= 2.0 + 1e-12);
  Check(plate.problem.temperature.max - plate.problem.temperature.min > 0.5);
  PetscCall(CheckBudget(&plate, 1e-10));
  PetscCall(FreePlate(&plate));
  PetscCall(MakePlate("{size: [1, 1, 1], cells: [18, 17, 16]}", NULL, "{conductivity: \"1 + 0.3*T\", source: \"5*exp(-((x-0.5)^2 + (y-0.5)^2)/0.02)*(2 - 0.5*T)\", boundaries: {z-: {value: 1}}}", &plate));
  PetscCall(CheckBudget(&plate, 1e-10));
  Check(plate.problem.temperature.min > 1.0);
  PetscCall(FreePlate(&plate));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Insulated: T = 2 + cos(pi x) exp(-lambda t) on the grid with lambda = (k/C) (2 sin(pi h/2)/h)^2, exactly so in the discrete equations; the heat stays. Times
   may go back, near and far. */
static PetscErrorCode TestTime(void)
{
  const PetscReal times[] = {0.0, 0.05, 0.02, 0.3, 0.29, 1.0, 0.01};
  const PetscReal lambda = 0.5 * pow(2.0 * 20.0 * sin(PETSC_PI / 40.0), 2);
  Plate           plate;

  PetscFunctionBeginUser;
  PetscCall(MakePlate("{size: [1], cells: [20]}", NULL, "{conductivity: 1, heat_capacity: 2, initial: \"2 + cos(pi*x)\"}", &plate));
  for (size_t k = 0; k < sizeof(times) / sizeof(times[0]); k++) {
    PetscReal mean = 0.0;
    PetscBool changed;

    PetscCall(SoretTemperatureSetTime(&plate.problem.temperature, times[k], &changed));
    for (PetscInt p = 0; p < plate.problem.grid.num_cells; p++) {
      CheckClose(plate.problem.temperature.T[p], 2.0 + cos(PETSC_PI * plate.problem.grid.center[0][plate.problem.grid.start[0] + p]) * exp(-lambda * times[k]), 1e-5);
      mean += plate.problem.temperature.T[p] / 20.0;
    }
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &mean, 1, MPIU_REAL, MPI_SUM, PETSC_COMM_WORLD));
    CheckClose(mean, 2.0, 1e-11);
  }
  PetscCall(FreePlate(&plate));

  /* a source switched on: far from the walls T rises by s t/C; budget with what is stored */
  PetscCall(MakePlate("{size: [10], cells: [50]}", NULL, "{conductivity: 1, heat_capacity: 2, source: \"4*t\", boundaries: {x-: {value: 1}, x+: {value: 1}}}", &plate));
  PetscCall(SoretTemperatureSetTime(&plate.problem.temperature, 0.1, &(PetscBool){PETSC_FALSE}));
  CheckClose(plate.problem.temperature.max, 1.0 + 0.1 * 0.1, 1e-7);
  PetscCall(CheckBudget(&plate, 1e-5));
  PetscCall(FreePlate(&plate));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* In time by multigrid and with a matrix: the same, in a medium of two conductivities and heat capacities. */
static PetscErrorCode TestTimeMultigrid(void)
{
  static const char conduction[] = "{conductivity: 1, solid_conductivity: 20, heat_capacity: 1, solid_heat_capacity: 3, initial: 1, source: \"3*exp(-20*((x - 0.5)^2 + (y - 0.5)^2))\", boundaries: {x-: {value: \"1 + t\"}, z+: {transfer: 2, outside: 1}}}";
  Plate             plate[2];
  PetscReal         most = 0.0;

  PetscFunctionBeginUser;
  for (int k = 0; k < 2; k++) {
    if (k) PetscCall(PetscOptionsSetValue(NULL, "-heat_pc_type", "bjacobi")); /* the simplest that works on any number of ranks */
    PetscCall(MakePlate("{size: [1, 1, 1], cells: [16, 14, 16]}", "sin(37*x + 11*sin(29*y) + 13*sin(12*pi*z))", conduction, &plate[k]));
    PetscCall(SoretTemperatureSetTime(&plate[k].problem.temperature, 0.05, &(PetscBool){PETSC_FALSE}));
    PetscCall(CheckBudget(&plate[k], 1e-4));
  }
  PetscCall(PetscOptionsClearValue(NULL, "-heat_pc_type"));
  for (PetscInt p = 0; p < plate[0].problem.grid.num_cells; p++) most = PetscMax(most, PetscAbsReal(plate[0].problem.temperature.T[p] - plate[1].problem.temperature.T[p]));
  Check(most < 1e-6);
  Check(plate[0].problem.temperature.max > 1.01);
  for (int k = 0; k < 2; k++) PetscCall(FreePlate(&plate[k]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A wall that changes in time without heat capacity: in step with it. */
static PetscErrorCode TestQuasiSteady(void)
{
  PetscBool changed;
  Plate     plate;

  PetscFunctionBeginUser;
  PetscCall(MakePlate("{size: [1], cells: [10]}", NULL, "{conductivity: 3, boundaries: {x-: {value: 1}, x+: {value: \"2 + t\"}}}", &plate));
  Check(plate.problem.temperature.varies);
  PetscCall(SoretTemperatureSetTime(&plate.problem.temperature, 0.5, &changed));
  Check(changed);
  for (PetscInt p = 0; p < plate.problem.grid.num_cells; p++) CheckClose(plate.problem.temperature.T[p], 1.0 + 1.5 * plate.problem.grid.center[0][plate.problem.grid.start[0] + p], 1e-12);
  PetscCall(FreePlate(&plate));
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestJump, TestConductivityOfT, TestPicard, TestLayers, TestMedium, TestTime, TestTimeMultigrid, TestQuasiSteady)
