/* SPDX-License-Identifier: BSD-2-Clause

   What the steady solver says of a problem, called without the checks that come before it in a run. */
#include "soret/case.h"
#include "test.h"

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

TestMain(TestUnsolvable)
