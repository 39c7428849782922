/* SPDX-License-Identifier: BSD-2-Clause

   What the solver costs, beside what the memory of the machine allows, in one run:

     bench_solver CASE.yaml [key.path=value ...] [-petsc_option ...] [-bench_passes N]

   Prints the bandwidth of a triad, then seconds and bytes per cell of a residual and of a sweep of the smoother (the best of N, 5; residuals and triads in turn), and what
   a steady state costs from a cold start: set-up, full multigrid start, and cycles to discretization accuracy and to the tolerance of the case; and how far the former
   state is from the latter. Seconds are processor time of rank 0, which other work on the machine disturbs less than the clock. */
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

/* a = b + s c over arrays far larger than the caches: two reads, one write and its write-allocate. */
typedef struct {
  PetscInt   n;
  PetscReal *a, *b, *c;
  PetscReal  bandwidth; /* bytes per second of this rank, the best so far */
} Triad;

static PetscErrorCode TriadCreate(Triad *triad)
{
  PetscFunctionBeginUser;
  triad->n = 60000000;
  PetscCall(PetscMalloc3(triad->n, &triad->a, triad->n, &triad->b, triad->n, &triad->c));
  for (PetscInt i = 0; i < triad->n; i++) {
    triad->a[i] = 0.0;
    triad->b[i] = 1.0 + (PetscReal)i;
    triad->c[i] = 2.0;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void TriadPass(Triad *triad)
{
  PetscReal   *a = triad->a, *b = triad->b, *c = triad->c;
  const double begin = Seconds();

  for (PetscInt i = 0; i < triad->n; i++) a[i] = b[i] + 3.0 * c[i];
  triad->bandwidth = PetscMax(triad->bandwidth, 32.0 * (PetscReal)triad->n / (Seconds() - begin));
  b[0]             = a[triad->n / 2];
}

static PetscErrorCode TriadDestroy(Triad *triad)
{
  PetscFunctionBeginUser;
  PetscCall(PetscFree3(triad->a, triad->b, triad->c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What one thing costs: the fastest of several. */
typedef enum {
  RESIDUAL,
  SWEEP
} What;

static PetscErrorCode Measure(What what, SoretSystem *sys, Triad *triad, Vec c, Vec f, PetscReal *seconds)
{
  PetscInt passes = 5;
  double   begin;

  PetscFunctionBeginUser;
  *seconds = PETSC_MAX_REAL;
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-bench_passes", &passes, NULL));
  for (int pass = 0; pass < passes; pass++) {
    if (what == RESIDUAL && pass < 5) { /* in turn, since the host changes; the first residual after a triad finds nothing in the caches */
      TriadPass(triad);
      PetscCall(SoretSystemResidual(sys, c, f));
    }
    begin = Seconds();
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

/* How far x, which is overwritten, is from c: at most and in the mean square of what there is of a species, the worst of all. */
static PetscErrorCode Difference(PetscInt num_species, Vec c, Vec x, PetscReal *most, PetscReal *rms)
{
  PetscReal largest, norm, difference[2];

  PetscFunctionBeginUser;
  *most = *rms = 0.0;
  PetscCall(VecAXPY(x, -1.0, c));
  for (PetscInt s = 0; s < num_species; s++) {
    PetscCall(VecStrideNorm(c, s, NORM_INFINITY, &largest));
    PetscCall(VecStrideNorm(c, s, NORM_2, &norm));
    PetscCall(VecStrideNorm(x, s, NORM_INFINITY, &difference[0]));
    PetscCall(VecStrideNorm(x, s, NORM_2, &difference[1]));
    *most = PetscMax(*most, difference[0] / largest);
    *rms  = PetscMax(*rms, difference[1] / norm);
  }
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
  Triad           triad = {0};
  PetscReal       bandwidth, residual, sweep, contrast[2], most, rms, bytes, cells;
  double          begin, setup, solve[2], first = 0.0;
  Vec             early = NULL, f;

  PetscFunctionBeginUser;
  PetscCall(TriadCreate(&triad));
  for (int pass = 0; pass < 5; pass++) TriadPass(&triad);
  PetscCall(TriadDestroy(&triad)); /* what the solver takes next is memory that has been in use */
  PetscCall(SoretCaseRead(comm, &(SoretCaseSource){.path = path, .num_overrides = num_overrides, .overrides = overrides}, &c));
  PetscCall(SoretCaseInsertOptions(&c));
  cells = (PetscReal)c.grid.n[0] * (PetscReal)c.grid.n[1] * (PetscReal)c.grid.n[2];
  for (int pass = 0; pass < 2; pass++) { /* to discretization accuracy, then to the tolerance */
    begin = Seconds();
    PetscCall(SoretProblemCreate(comm, &c, &problem));
    setup         = Seconds() - begin;
    one           = c.solve;
    one.max_steps = pass == 0 ? 1 : c.solve.max_steps;
    PetscCall(SoretSolveSteady(&one, &problem.op, &c.sums, NULL, pass == 0 ? TimeOfFirstCycle : NULL, &first, problem.c, &outcome));
    solve[pass] = (pass == 0 ? first : Seconds()) - begin;
    PetscCall(Contrast(&c, &problem, &contrast[pass]));
    if (pass == 1) break;
    PetscCall(PetscObjectReference((PetscObject)problem.c));
    early = problem.c;
    PetscCall(SoretProblemDestroy(&problem));
  }
  PetscCall(Difference(c.model.num_species, problem.c, early, &most, &rms));
  PetscCall(VecDestroy(&early));
  PetscCall(SoretSystemCreate(&problem.op, &c.sums, NULL, problem.c, PETSC_TRUE, &sys));
  PetscCall(VecDuplicate(problem.c, &f));
  PetscCall(TriadCreate(&triad));
  PetscCall(Measure(RESIDUAL, &sys, &triad, problem.c, f, &residual));
  PetscCall(Measure(SWEEP, &sys, NULL, problem.c, f, &sweep));
  PetscCall(TriadDestroy(&triad));
  bandwidth = triad.bandwidth;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &bandwidth, 1, MPIU_REAL, MPI_SUM, comm));
  PetscCall(PetscPrintf(comm, "triad %.2f GB/s\n", (double)(bandwidth / 1.0e9)));
  bytes = 8.0 * (4.0 * c.model.num_species + problem.op.num_slots); /* c, b, f with write-allocate, rate constants */
  PetscCall(PetscPrintf(comm, "residual %.4g s, %.0f B/cell, %.0f %% of the triad\n", (double)residual, (double)bytes, (double)(100.0 * bytes * cells / residual / bandwidth)));
  PetscCall(PetscPrintf(comm, "sweep %.4g s, %.2f residuals\n", (double)sweep, (double)(sweep / residual)));
  PetscCall(PetscPrintf(comm, "set-up %.3f s, %.1f residuals\n", setup, setup / (double)residual));
  PetscCall(PetscPrintf(comm, "to discretization accuracy %.3f s with set-up, %.1f residuals, %.2f M unknowns/s, contrast %.9f; off by %.2g, %.2g in the mean square\n", solve[0], solve[0] / (double)residual, (double)(cells * c.model.num_species) / solve[0] / 1.0e6, (double)contrast[0], (double)most, (double)rms));
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
