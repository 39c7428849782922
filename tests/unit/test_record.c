/* SPDX-License-Identifier: BSD-2-Clause

   The clock of the phases: every second belongs to exactly one of them. */
#include "test.h"

#include <string.h>
#include <time.h>

#include "soret/launch.h"
#include "soret/record.h"

static void Sleep(long milliseconds)
{
  const struct timespec t = {.tv_nsec = 1000000 * milliseconds};

  (void)nanosleep(&t, NULL);
}

/* setup 20 ms, solve 10 + 10 ms around a residual of 40 ms that holds a halo exchange of 20 ms: sleeping takes at least what was asked. */
static PetscErrorCode TestPhases(void)
{
  PetscReal sum = 0.0;

  PetscFunctionBeginUser;
  SoretRecordBegin(SORET_PHASE_HALO); /* no clock yet: nothing happens */
  SoretRecordEnd(SORET_PHASE_HALO);
  SoretRecordStart();
  SoretRecordEnter(SORET_PHASE_SETUP);
  Sleep(20);
  SoretRecordEnter(SORET_PHASE_SOLVE);
  Sleep(10);
  SoretRecordBegin(SORET_PHASE_RESIDUAL);
  Sleep(40);
  SoretRecordBegin(SORET_PHASE_HALO);
  Sleep(20);
  SoretRecordEnd(SORET_PHASE_HALO);
  SoretRecordEnd(SORET_PHASE_RESIDUAL);
  Sleep(10);
  for (int p = 0; p < SORET_NUM_PHASES; p++) sum += SoretRecordSeconds((SoretPhase)p);
  Check(SoretRecordElapsed() >= sum && SoretRecordElapsed() - sum < 1e-3);
  Check(SoretRecordSeconds(SORET_PHASE_SETUP) >= 0.02 && SoretRecordSeconds(SORET_PHASE_SOLVE) >= 0.02);
  Check(SoretRecordSeconds(SORET_PHASE_RESIDUAL) >= 0.04 && SoretRecordSeconds(SORET_PHASE_HALO) >= 0.02);
  Check(SoretRecordSeconds(SORET_PHASE_OUTPUT) == 0.0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* An error that leaves phases open does not spoil what follows, and neither does a phase that ends twice or nests without end. */
static PetscErrorCode TestUnbalanced(void)
{
  PetscReal halo;

  PetscFunctionBeginUser;
  SoretRecordStart();
  SoretRecordEnter(SORET_PHASE_SOLVE);
  SoretRecordBegin(SORET_PHASE_RESIDUAL);
  SoretRecordBegin(SORET_PHASE_HALO);
  SoretRecordEnd(SORET_PHASE_RESIDUAL);
  SoretRecordEnd(SORET_PHASE_HALO);
  halo = SoretRecordSeconds(SORET_PHASE_HALO);
  Sleep(5);
  Check(SoretRecordSeconds(SORET_PHASE_HALO) == halo && SoretRecordSeconds(SORET_PHASE_SOLVE) >= 0.005);
  for (int k = 0; k < 100; k++) SoretRecordBegin(SORET_PHASE_HALO);
  for (int k = 0; k < 100; k++) SoretRecordEnd(SORET_PHASE_HALO);
  halo = SoretRecordSeconds(SORET_PHASE_HALO);
  Sleep(5);
  Check(SoretRecordSeconds(SORET_PHASE_HALO) == halo);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The values that the inventors of FNV-1a give for 64 bits. */
static PetscErrorCode TestHash(void)
{
  char hash[17];

  PetscFunctionBeginUser;
  SoretRecordHash("", hash);
  Check(!strcmp(hash, "cbf29ce484222325"));
  SoretRecordHash("a", hash);
  Check(!strcmp(hash, "af63dc4c8601ec8c"));
  SoretRecordHash("foobar", hash);
  Check(!strcmp(hash, "85944171f73967e8"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestNodes(void)
{
  PetscMPIInt nodes, most, ranks;
  PetscReal   smallest, largest, sum;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  PetscCall(SoretLaunchNodes(PETSC_COMM_WORLD, &nodes, &most));
  Check(nodes == 1 && most == ranks);
  PetscCall(SoretRecordMemory(PETSC_COMM_WORLD, &smallest, &largest, &sum));
  Check(smallest > 1e6 && smallest <= largest && sum >= ranks * smallest && sum <= ranks * largest);
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestPhases, TestUnbalanced, TestHash, TestNodes)
