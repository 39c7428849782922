/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What limits a node. */
typedef enum {
  THE_NODE,
  THE_GROUPS,
  THE_SHELL,
  NUM_LIMITS
} Limit;

static const char *const allows_text[NUM_LIMITS] = {"the nodes of this run have", "the control groups of this run, which mostly have what its job asked for, allow", "`ulimit -v` allows"};

/* *least: not above the numbers in `root``group`/`name` and the directories above, up to root. group is shortened. */
static void LimitAbove(const char *root, char group[], const char *name, PetscReal *least)
{
  for (char *end = group + strlen(group); end; end = strrchr(group, '/')) {
    char   path[PETSC_MAX_PATH_LEN];
    double bytes;
    FILE  *file;

    *end = 0;
    (void)snprintf(path, sizeof(path), "%s%s/%s", root, group, name);
    file = fopen(path, "r");
    if (!file) continue;
    if (fscanf(file, "%lf", &bytes) == 1) *least = PetscMin(*least, bytes); /* or "max" */
    (void)fclose(file);
  }
}

PetscReal SoretMemoryOfGroups(const char *groups, const char *root)
{
  PetscReal least = PETSC_MAX_REAL;
  char      line[PETSC_MAX_PATH_LEN], of_memory[PETSC_MAX_PATH_LEN];
  FILE     *file = fopen(groups, "r");

  if (!file) return least;
  (void)snprintf(of_memory, sizeof(of_memory), "%s/memory", root);
  while (fgets(line, sizeof(line), file)) { /* number:controllers:group, without controllers in version 2 */
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;

    if (!group) continue;
    *group++                    = 0;
    group[strcspn(group, "\n")] = 0;
    if (!controllers[1]) LimitAbove(root, group, "memory.max", &least);
    for (char *rest, *word = strtok_r(controllers + 1, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
      if (!strcmp(word, "memory")) LimitAbove(of_memory, group, "memory.limit_in_bytes", &least);
    }
  }
  (void)fclose(file);
  return least;
}

/* Of this node, whose ranks are as many as given. */
static PetscReal OfNode(int ranks, Limit *limit)
{
  PetscReal     of[NUM_LIMITS] = {(PetscReal)sysconf(_SC_PHYS_PAGES) * (PetscReal)sysconf(_SC_PAGE_SIZE), SoretMemoryOfGroups("/proc/self/cgroup", "/sys/fs/cgroup"), PETSC_MAX_REAL};
  struct rlimit addresses;

  if (getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY) of[THE_SHELL] = (PetscReal)ranks * (PetscReal)addresses.rlim_cur;
  *limit = THE_NODE;
  for (int k = 0; k < NUM_LIMITS; k++) {
    if (of[k] < of[*limit]) *limit = (Limit)k;
  }
  return of[*limit];
}

PetscErrorCode SoretMemoryAllowed(MPI_Comm comm, PetscReal *bytes, const char **allows)
{
  MPI_Comm    node;
  PetscMPIInt rank, ranks;
  PetscReal   mine  = 0.0;
  Limit       limit = THE_NODE;
  int         worst;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
  PetscCallMPI(MPI_Comm_rank(node, &rank));
  PetscCallMPI(MPI_Comm_size(node, &ranks));
  PetscCallMPI(MPI_Comm_free(&node));
  if (rank == 0) mine = OfNode(ranks, &limit);
  worst = limit;
  PetscCallMPI(MPI_Allreduce(&mine, bytes, 1, MPIU_REAL, MPI_SUM, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_INT, MPI_MAX, comm));
  *allows = allows_text[worst];
  PetscFunctionReturn(PETSC_SUCCESS);
}
