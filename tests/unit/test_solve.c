/* SPDX-License-Identifier: BSD-2-Clause

   What the steady solver says of a problem, called without the checks that come before it in a run; and where it stops. */
#include "soret/case.h"
#include "test.h"

#include <signal.h>
#include <stdlib.h>

#include "../../src/solve_private.h"

static char two_states[] =
  "soret: 1\n"
  "units: reduced\n"
  "domain: {size: [1, 1], cells: [24, 20]}\n"
  "temperature: 1 + x\n"
  "species: [{name: A, diffusivity: 1, initial: 1}, {name: B, diffusivity: 2*T}]\n"
  "reactions: [{equation: A <=> B, forward: 10, backward: 5*T}]\n";

/* Solves the case with these walls; the mean of its sum. */
static PetscErrorCode Solve(const char *walls, SoretOutcome *outcome, PetscReal mean[])
{
  char           *overrides[] = {(char *)walls, "solve={max_steps: 20}"};
  SoretCaseSource source      = {.path = "case.yaml", .text = two_states, .num_overrides = 2, .overrides = overrides};
  SoretCase       c;
  SoretProblem    problem;

  PetscFunctionBeginUser;
  PetscCall(SoretCaseRead(PETSC_COMM_WORLD, &source, &c));
  PetscCall(SoretProblemCreate(PETSC_COMM_WORLD, &c, &problem));
  PetscCall(SoretSolveSteady(&c.solve, &problem.op, &c.sums, NULL, NULL, NULL, problem.c, outcome));
  PetscCall(SoretSumsMeasure(&c.sums, &problem.op, problem.c, mean, NULL));
  PetscCall(SoretProblemDestroy(&problem));
  PetscCall(SoretCaseDestroy(&c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What comes in through a wall and cannot leave is balanced by the term that holds the total: the equations with that term have a solution, and
   it is none of the problem. By the direct solver and by multigrid. */
static PetscErrorCode TestUnsolvable(void)
{
  SoretOutcome outcome;
  PetscReal    mean[8];

  PetscFunctionBeginUser;
  for (int multigrid = 0; multigrid < 2; multigrid++) {
    if (multigrid) PetscCall(PetscOptionsSetValue(NULL, "-snes_type", "fas"));
    PetscCall(Solve("boundaries={x-: {A: {flux: 1}}}", &outcome, mean));
    Check(!outcome.converged && outcome.residual > 1.0e-4);
    PetscCall(Solve("boundaries={x-: {A: {flux: 1}}, x+: {B: {flux: -1}}}", &outcome, mean));
    Check(outcome.converged);
    CheckClose(mean[0], 1.0, 1.0e-12);
    Check(!outcome.cycles == !multigrid);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What a monitor does after the first iteration. */
typedef struct {
  PetscBool stops;
  Vec       kept;
} Watch;

static PetscErrorCode Monitor(void *context, PetscInt step, PetscReal t, PetscReal residual, Vec c, PetscBool frame)
{
  Watch *watch = (Watch *)context;

  PetscFunctionBeginUser;
  if (step != 1) PetscFunctionReturn(PETSC_SUCCESS);
  if (watch->stops) (void)raise(SIGTERM);
  else PetscCall(VecCopy(c, watch->kept));
  PetscFunctionReturn(PETSC_SUCCESS);
}

typedef struct {
  const SoretOperator *op;
  Vec                  c;
} Saved;

static PetscErrorCode ReadSaved(void *context, SoretArchive archive)
{
  Saved *saved = (Saved *)context;

  PetscFunctionBeginUser;
  PetscCall(SoretStateGet(archive, "concentration", saved->op, saved->c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A stop that is asked for in the course of a linear solve ends it: the checkpoint holds what the iteration began with, to the bit. The last test: a
   wish to stop is never forgotten. */
static PetscErrorCode TestStopInLinearSolve(void)
{
  const SoretCheckpointSpec spec      = {.keep = 1};
  char                     *overrides[] = {"reactions=[{equation: 2 A <=> B, forward: 10, backward: 5*T}]", "solve={mode: steady}"};
  SoretCaseSource           source    = {.path = "case.yaml", .text = two_states, .num_overrides = 2, .overrides = overrides};
  SoretCase                 c;
  SoretOutcome              outcome[2];
  Watch                     watch = {.stops = PETSC_FALSE};
  SoretCheckpoint           ck    = NULL;
  SoretRestart              restart;
  Saved                     saved;
  PetscBool                 found, same;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsClearValue(NULL, "-snes_type"));
  PetscCall(PetscOptionsSetValue(NULL, "-ksp_type", "fgmres"));
  PetscCall(PetscOptionsSetValue(NULL, "-pc_type", "jacobi"));
  PetscCall(SoretCheckpointListen());
  PetscCall(SoretCaseRead(PETSC_COMM_WORLD, &source, &c));
  for (int pass = 0; pass < 2; pass++) {
    SoretProblem problem;

    PetscCall(SoretProblemCreate(PETSC_COMM_WORLD, &c, &problem));
    if (!watch.kept) PetscCall(VecDuplicate(problem.c, &watch.kept));
    watch.stops = pass ? PETSC_TRUE : PETSC_FALSE;
    if (pass) PetscCall(SoretCheckpointCreate(PETSC_COMM_WORLD, &spec, "./test_solve_stop", "./test_solve.h5", 1, NULL, &ck));
    PetscCall(SoretSolveSteady(&c.solve, &problem.op, &c.sums, ck, Monitor, &watch, problem.c, &outcome[pass]));
    if (pass) {
      PetscCall(VecEqual(problem.c, watch.kept, &same));
      Check(same);
      saved = (Saved){.op = &problem.op, .c = problem.c};
      PetscCall(SoretRestartFind(PETSC_COMM_WORLD, "./test_solve_stop", &restart));
      PetscCall(SoretRestartRead(restart, "solve", ReadSaved, &saved, &found));
      PetscCall(SoretRestartDestroy(&restart));
      PetscCall(VecEqual(problem.c, watch.kept, &same));
      Check(found && same);
    }
    PetscCall(SoretProblemDestroy(&problem));
  }
  Check(outcome[0].converged && outcome[0].newton_iterations > 2 && outcome[0].linear_iterations > 8 * outcome[0].newton_iterations);
  Check(outcome[1].stopped && outcome[1].newton_iterations == 1 && SoretCheckpointCount(ck) == 1);
  CheckText(outcome[1].reason, "stopped by SIGTERM after iteration 1");
  PetscCall(SoretCheckpointDestroy(&ck));
  PetscCall(VecDestroy(&watch.kept));
  PetscCall(SoretCaseDestroy(&c));
  (void)remove("./test_solve_stop.ckpt-001-000001.h5");
  (void)remove("./test_solve_stop.ckpt-001-000001.manifest");
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestUnsolvable, TestStopInLinearSolve)
