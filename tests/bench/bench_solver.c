/* SPDX-License-Identifier: BSD-2-Clause

   What the solver costs, beside what the memory of the machine allows, in one run:

     bench_solver CASE.yaml [key.path=value ...] [-petsc_option ...] [-bench_passes N]

   Prints the bandwidth of a triad, then seconds and bytes per cell of a residual and of a sweep of the smoother (the best of N, 5), and what a steady state costs
   from a cold start: set-up, full multigrid start, and cycles to discretization accuracy and to the tolerance of the case. Seconds are
   processor time of rank 0, which other work on the machine disturbs less than the clock. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "../../src/solve_private.h"
#include "soret/case.h"
#include "soret/hugepages.h"

static double Seconds(void)
{
  struct timespec t;

  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1.0e-9 * (double)t.tv_nsec;
}

/* Bytes per second of a = b + s c over arrays far larger than the caches: two reads, one write and its write-allocate. Best of five, all ranks together. */
static PetscErrorCode MeasureBandwidth(MPI_Comm comm, PetscReal *bandwidth)
{
  const PetscInt n = 60000000;
  PetscReal     *a, *b, *c;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc3(n, &a, n, &b, n, &c));
  for (PetscInt i = 0; i < n; i++) {
    a[i] = 0.0;
    b[i] = 1.0 + (PetscReal)i;
    c[i] = 2.0;
  }
  *bandwidth = 0.0;
  for (int pass = 0; pass < 5; pass++) {
    const double begin = Seconds();

    for (PetscInt i = 0; i < n; i++) a[i] = b[i] + 3.0 * c[i];
    *bandwidth = PetscMax(*bandwidth, 32.0 * (PetscReal)n / (Seconds() - begin));
    b[pass] = a[n / 2 + pass];
  }
  PetscCall(PetscFree3(a, b, c));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, bandwidth, 1, MPIU_REAL, MPI_SUM, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What one thing costs: the fastest of several. */
typedef enum {
  RESIDUAL,
  SWEEP
} What;

static PetscErrorCode Measure(What what, SoretSystem *sys, Vec c, Vec f, PetscReal *seconds)
{
  PetscInt passes = 5;

  PetscFunctionBeginUser;
  *seconds = PETSC_MAX_REAL;
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-bench_passes", &passes, NULL));
  for (int pass = 0; pass < passes; pass++) {
    const double begin = Seconds();

    if (what == RESIDUAL) PetscCall(SoretSystemResidual(sys, c, f));
    else PetscCall(SoretSystemSmooth(sys, NULL, c));
    *seconds = PetscMin(*seconds, Seconds() - begin);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The moment when the residual after one cycle is known, half a cycle later. */
static PetscErrorCode TimeOfFirstCycle(void *context, PetscInt step, PetscReal t, PetscReal measure, Vec c, PetscBool last)
{
  PetscFunctionBeginUser;
  if (step == 1) *(double *)context = Seconds();
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Contrast(const SoretCase *c, const SoretProblem *problem, PetscReal *contrast)
{
  PetscFunctionBeginUser;
  PetscCall(SoretDiagnoseContrast(&problem->op, problem->c, c->sums.w, contrast));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Run(int num_overrides, char **overrides, const char *path)
{
  const MPI_Comm  comm = PETSC_COMM_WORLD;
  SoretCase       c;
  SoretProblem    problem;
  SoretSystem     sys;
  SoretOutcome    outcome;
  SoretSolveSpec  one;
  PetscReal       bandwidth = 0.0, residual, sweep, contrast[2], bytes, cells;
  double          begin, setup, solve[2], first = 0.0;
  Vec             f;

  PetscFunctionBeginUser;
  PetscCall(MeasureBandwidth(comm, &bandwidth));
  PetscCall(SoretCaseRead(comm, &(SoretCaseSource){.path = path, .num_overrides = num_overrides, .overrides = overrides}, &c));
  PetscCall(SoretCaseInsertOptions(&c));
  cells = (PetscReal)c.grid.n[0] * (PetscReal)c.grid.n[1] * (PetscReal)c.grid.n[2];
  PetscCall(PetscPrintf(comm, "triad %.2f GB/s\n", (double)(bandwidth / 1.0e9)));
  for (int pass = 0; pass < 2; pass++) { /* to discretization accuracy, then to the tolerance */
    begin = Seconds();
    PetscCall(SoretProblemCreate(comm, &c, &problem));
    setup         = Seconds() - begin;
    one           = c.solve;
    one.max_steps = pass == 0 ? 1 : c.solve.max_steps;
    PetscCall(SoretSolveSteady(&one, &problem.op, &c.sums, NULL, pass == 0 ? TimeOfFirstCycle : NULL, &first, problem.c, &outcome));
    solve[pass] = (pass == 0 ? first : Seconds()) - begin;
    PetscCall(Contrast(&c, &problem, &contrast[pass]));
    if (pass == 0) PetscCall(SoretProblemDestroy(&problem));
  }
  PetscCall(SoretSystemCreate(&problem.op, &c.sums, NULL, problem.c, PETSC_TRUE, &sys));
  PetscCall(VecDuplicate(problem.c, &f));
  PetscCall(Measure(RESIDUAL, &sys, problem.c, f, &residual));
  PetscCall(Measure(SWEEP, &sys, problem.c, f, &sweep));
  bytes = 8.0 * (4.0 * c.model.num_species + problem.op.num_slots); /* c, b, f with write-allocate, rate constants */
  PetscCall(PetscPrintf(comm, "residual %.4g s, %.0f B/cell, %.0f %% of the triad\n", (double)residual, (double)bytes, (double)(100.0 * bytes * cells / residual / bandwidth)));
  PetscCall(PetscPrintf(comm, "sweep %.4g s, %.2f residuals\n", (double)sweep, (double)(sweep / residual)));
  PetscCall(PetscPrintf(comm, "set-up %.3f s, %.1f residuals\n", setup, setup / (double)residual));
  PetscCall(PetscPrintf(comm, "to discretization accuracy %.3f s with set-up, %.1f residuals, %.2f M unknowns/s, contrast %.9f\n", solve[0], solve[0] / (double)residual, (double)(cells * c.model.num_species) / solve[0] / 1.0e6, (double)contrast[0]));
  PetscCall(PetscPrintf(comm, "to the tolerance %.3f s, %.1f residuals, %" PetscInt_FMT " cycles, contrast %.9f\n", solve[1], solve[1] / (double)residual, outcome.cycles, (double)contrast[1]));
  PetscCall(VecDestroy(&f));
  PetscCall(SoretSystemDestroy(&sys));
  PetscCall(SoretProblemDestroy(&problem));
  PetscCall(SoretCaseDestroy(&c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  int overrides = 0;

  if (argc < 2) return fprintf(stderr, "usage: %s CASE.yaml [key.path=value ...] [-petsc_option ...]\n", argv[0]), 2;
  while (2 + overrides < argc && argv[2 + overrides][0] != '-') overrides++;
  PetscCall(PetscInitialize(&argc, &argv, NULL, NULL));
  PetscCall(SoretUseHugePages());
  PetscCall(Run(overrides, argv + 2, argv[1]));
  PetscCall(PetscFinalize());
  return 0;
}
