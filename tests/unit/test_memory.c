/* SPDX-License-Identifier: BSD-2-Clause

   How much memory a run may take, where control groups of either version have limits. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "soret/memory.h"

static char directory[] = "test-memory-XXXXXX", groups[256];

/* Writes a file of the directory. */
static const char *Write(const char *name, const char *text)
{
  static char path[256];
  FILE       *file;

  (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
  file = fopen(path, "w");
  Check(file && fputs(text, file) >= 0 && fclose(file) == 0);
  return path;
}

/* Removes a file or a directory of it. */
static void Remove(const char *name)
{
  char path[256];

  (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
  Check(remove(path) == 0);
}

static void MakeDirectory(const char *name)
{
  char path[256];

  (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
  Check(mkdir(path, 0777) == 0);
}

/* The least of a group and those above it, which may not all be seen; "max" and files that are not there are no limits. */
static PetscErrorCode TestGroups(void)
{
  const char *const made[] = {"memory/job/memory.limit_in_bytes", "memory/memory.limit_in_bytes", "job/step/memory.max", "job/memory.max", "memory.max", "groups", "memory/job", "memory", "job/step", "job", ""};

  PetscFunctionBeginUser;
  Check(mkdtemp(directory) != NULL);
  MakeDirectory("job");
  MakeDirectory("job/step");
  MakeDirectory("memory");
  MakeDirectory("memory/job");
  (void)snprintf(groups, sizeof(groups), "%s", Write("groups", "0::/job/step\n"));
  Check(SoretMemoryOfGroups(groups, directory) == PETSC_MAX_REAL);
  (void)Write("memory.max", "4e9\n");
  (void)Write("job/memory.max", "3000000000\n");
  (void)Write("job/step/memory.max", "max\n");
  Check(SoretMemoryOfGroups(groups, directory) == 3.0e9);
  (void)Write("groups", "9:pids:/job\n4:hugetlb,memory:/job/gone\n0::/\n");
  (void)Write("memory/memory.limit_in_bytes", "9223372036854771712\n");
  Check(SoretMemoryOfGroups(groups, directory) == 4.0e9);
  (void)Write("memory/job/memory.limit_in_bytes", "2000000000\n");
  Check(SoretMemoryOfGroups(groups, directory) == 2.0e9);
  (void)Write("groups", "4:nomemory,memory2:/job\nwhat is this\n");
  Check(SoretMemoryOfGroups(groups, directory) == PETSC_MAX_REAL);
  Check(SoretMemoryOfGroups("/nowhere", directory) == PETSC_MAX_REAL);
  for (size_t k = 0; k < sizeof(made) / sizeof(made[0]); k++) Remove(made[k]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestAllowed(void)
{
  struct rlimit before, limit;
  const char   *allows;
  PetscReal     without, with;

  PetscFunctionBeginUser;
  PetscCall(SoretMemoryAllowed(PETSC_COMM_WORLD, &without, &allows));
  Check(without > 1.0e8 && strstr(allows, "ulimit") == NULL);
  Check(getrlimit(RLIMIT_AS, &before) == 0);
  limit          = before;
  limit.rlim_cur = (rlim_t)(0.5 * without);
  Check(setrlimit(RLIMIT_AS, &limit) == 0);
  PetscCall(SoretMemoryAllowed(PETSC_COMM_WORLD, &with, &allows));
  Check(setrlimit(RLIMIT_AS, &before) == 0);
  Check(with == (PetscReal)limit.rlim_cur);
  CheckText(allows, "`ulimit -v` allows");
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestGroups, TestAllowed)
