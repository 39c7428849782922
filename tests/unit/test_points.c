/* SPDX-License-Identifier: BSD-2-Clause

   Points of a sweep without anything to solve: order, branches, and where refinement puts points. */
#include "soret/points.h"
#include "test.h"

#include <math.h>

static SoretSweepSpec Values(PetscInt n, PetscReal *value)
{
  return (SoretSweepSpec){.given = PETSC_TRUE, .values = {.n = n, .value = value}};
}

/* Runs all branches in turn on a function; the number of rounds. */
static PetscErrorCode RunAll(SoretPoints *points, PetscReal (*f)(PetscReal), PetscInt *rounds)
{
  PetscBool more = PETSC_TRUE;

  PetscFunctionBeginUser;
  for (*rounds = 0; more; ++*rounds) {
    PetscInt number[8];

    more = PETSC_FALSE;
    for (PetscInt b = 0; b < points->num_branches; b++) PetscCall(SoretPointsNext(points, b, &number[b]));
    for (PetscInt b = 0; b < points->num_branches; b++) {
      if (number[b] < 0) continue;
      more = PETSC_TRUE;
      PetscCall(SoretPointsSet(points, number[b], PETSC_TRUE, f(points->point[number[b]].value)));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscReal Parabola(PetscReal x)
{
  return x * x - 2.0;
}

static PetscReal Step(PetscReal x)
{
  return tanh(20.0 * (x - 0.3));
}

static PetscReal Line(PetscReal x)
{
  return x;
}

/* Each branch has a contiguous part, in order, and all are done in as many rounds as the longest has points. */
static PetscErrorCode TestBranches(void)
{
  PetscReal            value[] = {5, 4, 3, 2, 1, 0, -1};
  const SoretSweepSpec spec    = Values(7, value);
  SoretPoints          points;
  PetscInt             rounds;

  PetscFunctionBeginUser;
  PetscCall(SoretPointsCreate(&spec, 3, &points));
  PetscCall(RunAll(&points, Line, &rounds));
  Check(rounds == 4); /* three points at most, and one round that finds nothing */
  for (PetscInt k = 1; k < 7; k++) Check(points.point[k].branch == points.point[k - 1].branch || points.point[k].branch == points.point[k - 1].branch + 1);
  Check(points.point[0].branch == 0 && points.point[6].branch == 2);
  PetscCall(SoretPointsDestroy(&points));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Signs that change are located to the width asked for, on both sides, by few points, with one branch and with two. */
static PetscErrorCode LocateZeros(PetscInt branches)
{
  PetscReal      value[] = {-3, -2, -1, 0, 1, 2, 3}, zero[100];
  SoretSweepSpec spec    = Values(7, value);
  SoretPoints    points;
  PetscInt       rounds, num;

  PetscFunctionBeginUser;
  spec.refines = PETSC_TRUE;
  spec.refine  = (SoretRefineSpec){.zero = {.value = 1.0e-9, .given = PETSC_TRUE}, .most = 90};
  PetscCall(SoretPointsCreate(&spec, branches, &points));
  PetscCall(RunAll(&points, Parabola, &rounds));
  SoretPointsZeros(&points, &num, zero);
  Check(num == 2);
  CheckClose(zero[0], -sqrt(2.0), 1.0e-13);
  CheckClose(zero[1], sqrt(2.0), 1.0e-13);
  Check(SoretPointsInserted(&points) <= 24);
  for (PetscInt i = 0; i + 1 < points.num; i++) Check(points.point[points.order[i]].value < points.point[points.order[i + 1]].value);
  PetscCall(SoretPointsDestroy(&points));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Zeros at points themselves: the first, one within, the last. */
static PetscErrorCode TestZeroAtPoint(void)
{
  PetscReal   value[3][3] = {{0, 1, 2}, {-1, 0, 1}, {2, 1, 0}}, zero[3];
  SoretPoints points;
  PetscInt    num, rounds;

  PetscFunctionBeginUser;
  for (int k = 0; k < 3; k++) {
    const SoretSweepSpec spec = Values(3, value[k]);

    PetscCall(SoretPointsCreate(&spec, 1, &points));
    PetscCall(RunAll(&points, Line, &rounds));
    SoretPointsZeros(&points, &num, zero);
    Check(num == 1 && zero[0] == 0.0);
    PetscCall(SoretPointsDestroy(&points));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscReal NearlyLine(PetscReal x)
{
  return x - 1.0e-13;
}

/* No precision relative to the parameter is ever reached where it is 0: a few points do, not one for each of its digits. */
static PetscErrorCode TestZeroNearZero(void)
{
  PetscReal      value[] = {-1, 2}, zero[3];
  SoretSweepSpec spec    = Values(2, value);
  SoretPoints    points;
  PetscInt       num, rounds;

  PetscFunctionBeginUser;
  spec.refines = PETSC_TRUE;
  spec.refine  = (SoretRefineSpec){.zero = {.value = 1.0e-6, .given = PETSC_TRUE}, .most = 90};
  PetscCall(SoretPointsCreate(&spec, 1, &points));
  PetscCall(RunAll(&points, NearlyLine, &rounds));
  SoretPointsZeros(&points, &num, zero);
  Check(num == 1 && fabs(zero[0]) < 1.0e-6);
  Check(SoretPointsInserted(&points) < 8);
  PetscCall(SoretPointsDestroy(&points));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestZero(void)
{
  PetscFunctionBeginUser;
  PetscCall(LocateZeros(1));
  PetscCall(LocateZeros(2));
  PetscCall(TestZeroNearZero());
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The observable changes by no more than asked from one point to the next, and points are not wasted where it is flat. */
static PetscErrorCode TestChange(void)
{
  PetscReal      value[] = {0, 0.25, 0.5, 0.75, 1};
  SoretSweepSpec spec    = Values(5, value);
  SoretPoints    points;
  PetscInt       rounds;

  PetscFunctionBeginUser;
  spec.refines = PETSC_TRUE;
  spec.refine  = (SoretRefineSpec){.change = {.value = 0.1, .given = PETSC_TRUE}, .smallest = 1.0e-4, .most = 200};
  PetscCall(SoretPointsCreate(&spec, 1, &points));
  PetscCall(RunAll(&points, Step, &rounds));
  for (PetscInt i = 0; i + 1 < points.num; i++) Check(fabs(points.point[points.order[i + 1]].observable - points.point[points.order[i]].observable) <= 0.1);
  Check(SoretPointsInserted(&points) > 20 && SoretPointsInserted(&points) < 60);
  PetscCall(SoretPointsDestroy(&points));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* No more points than allowed; a point that fails is left out of the decisions. */
static PetscErrorCode TestLimits(void)
{
  PetscReal      value[] = {0, 1};
  SoretSweepSpec spec    = Values(2, value);
  SoretPoints    points;
  PetscInt       rounds, number;

  PetscFunctionBeginUser;
  spec.refines = PETSC_TRUE;
  spec.refine  = (SoretRefineSpec){.change = {.value = 1.0e-3, .given = PETSC_TRUE}, .smallest = 1.0e-6, .most = 7};
  PetscCall(SoretPointsCreate(&spec, 1, &points));
  PetscCall(RunAll(&points, Line, &rounds));
  Check(points.num == 9 && SoretPointsInserted(&points) == 7);
  PetscCall(SoretPointsDestroy(&points));
  PetscCall(SoretPointsCreate(&spec, 1, &points));
  PetscCall(SoretPointsNext(&points, 0, &number));
  PetscCall(SoretPointsSet(&points, number, PETSC_FALSE, NAN));
  PetscCall(SoretPointsNext(&points, 0, &number));
  Check(number == 1);
  PetscCall(SoretPointsSet(&points, number, PETSC_TRUE, 1.0));
  PetscCall(SoretPointsNext(&points, 0, &number));
  Check(number == -1);
  PetscCall(SoretPointsDestroy(&points));
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestBranches, TestZero, TestZeroAtPoint, TestChange, TestLimits)
