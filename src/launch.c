/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/launch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Variables that launchers give to each process. A launcher that is started inside a job of Slurm leaves the variables of Slurm as its
   own daemons see them, so its own come first. */
typedef struct {
  const char *size, *rank; /* names of the variables; size may be NULL: it does not say      */
  const char *remedy;      /* where MPI has one rank although `size` says more               */
  PetscBool   of_mpi;      /* who has them is a rank of MPI; those of Slurm a batch script has, too */
} Launcher;

static const Launcher launchers[] = {
  {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "start it with the mpiexec that belongs to the MPI of soret (`ldd soret` shows which)", PETSC_TRUE},
  {"PMI_SIZE", "PMI_RANK", "start it with the mpiexec, or the srun --mpi=..., that belongs to the MPI of soret (`ldd soret` shows which)", PETSC_TRUE},
  {NULL, "PMIX_RANK", NULL, PETSC_TRUE},
  {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "use srun --mpi=pmix (srun --mpi=list shows what there is), or mpirun instead of srun", PETSC_FALSE}};

enum { NUM_LAUNCHERS = sizeof(launchers) / sizeof(launchers[0]) };

static PetscBool launched = PETSC_FALSE;
static char      own_directory[PETSC_MAX_PATH_LEN]; /* for temporary files of Open MPI; empty: its own choice */

static long Variable(const char *name)
{
  const char *text = getenv(name);

  return text ? strtol(text, NULL, 10) : 0;
}

/* A process of its own talks to nobody. Open MPI would start a daemon for it, and try the networks there are: that is four fifths of the time of its start. All such
   processes would share one directory for temporary files, which the first to end removes. */
static void BeAlone(void)
{
  const char *temporary = getenv("TMPDIR");

  (void)setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
  (void)setenv("OMPI_MCA_pml", "ob1", 0);
  if (getenv("OMPI_MCA_orte_tmpdir_base")) return;
  (void)snprintf(own_directory, sizeof(own_directory), "%s/soret-XXXXXX", temporary ? temporary : "/tmp");
  if (mkdtemp(own_directory)) (void)setenv("OMPI_MCA_orte_tmpdir_base", own_directory, 0);
  else own_directory[0] = 0;
}

void SoretLaunchEnd(void)
{
  if (own_directory[0]) (void)rmdir(own_directory);
}

/* When it opens a file, MPI-IO of Open MPI asks a component, needed by nobody here, that writes its name into 256 letters: longer ones end the process. On one node
   there is another. */
static void BearLongNames(void)
{
  const char *size = getenv("OMPI_COMM_WORLD_SIZE"), *here = getenv("OMPI_COMM_WORLD_LOCAL_SIZE");

  if (!launched || (size && here && !strcmp(size, here))) (void)setenv("OMPI_MCA_sharedfp", "^lockedfile", 0);
}

void SoretLaunchLook(void)
{
  for (int i = 0; i < NUM_LAUNCHERS; i++) {
    const Launcher *launcher = &launchers[i];

    if (launcher->of_mpi && (getenv(launcher->rank) || (launcher->size && getenv(launcher->size)))) launched = PETSC_TRUE;
  }
  if (!launched) BeAlone();
  BearLongNames();
}

PetscBool SoretLaunched(void)
{
  return launched;
}

PetscBool SoretLaunchIsFirst(void)
{
  for (int i = 0; i < NUM_LAUNCHERS; i++) {
    if (getenv(launchers[i].rank)) return Variable(launchers[i].rank) == 0 ? PETSC_TRUE : PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* In a job of several tasks, but not started by anything that would make them ranks. */
static PetscBool WithoutLauncher(void)
{
  return getenv("SLURM_JOB_ID") && !getenv("SLURM_STEP_NUM_TASKS") && Variable("SLURM_NTASKS") > 1 ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode SoretLaunchCheck(MPI_Comm comm)
{
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  if (size > 1 || Variable("SORET_ANY_SIZE")) PetscFunctionReturn(PETSC_SUCCESS);
  for (int i = 0; i < NUM_LAUNCHERS; i++) {
    const Launcher *launcher = &launchers[i];

    if (!launcher->size || !getenv(launcher->size)) continue;
    if (Variable(launcher->size) <= 1) PetscFunctionReturn(PETSC_SUCCESS);
    if (Variable(launcher->rank) == 0) (void)fprintf(stderr, "soret: %s is %ld, but MPI has one rank: these are %ld separate runs of the same case, not one parallel run. Nothing was run: %s; SORET_ANY_SIZE=1 switches this check off\n", launcher->size, Variable(launcher->size), Variable(launcher->size), launcher->remedy);
    else (void)sleep(5); /* the launcher may end all as soon as one has ended: let the first one speak */
    PetscFunctionReturn(SORET_ERR_INPUT);
  }
  if (!WithoutLauncher()) PetscFunctionReturn(PETSC_SUCCESS);
  (void)fprintf(stderr, "soret: this job has %ld tasks (SLURM_NTASKS), but soret was started as a single process. Nothing was run: write `srun soret ...` or `mpirun soret ...`; SORET_ANY_SIZE=1 switches this check off\n", Variable("SLURM_NTASKS"));
  PetscFunctionReturn(SORET_ERR_INPUT);
}

PetscErrorCode SoretLaunchNodes(MPI_Comm comm, PetscMPIInt *nodes, PetscMPIInt *most)
{
  MPI_Comm    node;
  PetscMPIInt rank, size, first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
  PetscCallMPI(MPI_Comm_rank(node, &rank));
  PetscCallMPI(MPI_Comm_size(node, &size));
  PetscCallMPI(MPI_Comm_free(&node));
  first = rank == 0;
  PetscCallMPI(MPI_Allreduce(&first, nodes, 1, MPI_INT, MPI_SUM, comm));
  PetscCallMPI(MPI_Allreduce(&size, most, 1, MPI_INT, MPI_MAX, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}
