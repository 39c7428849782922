/* SPDX-License-Identifier: BSD-2-Clause */
#include "progress.h"

#include <petsctime.h>
#include <unistd.h>

/* Does what is printed reach a terminal? mpiexec gives its processes a pseudo-terminal even when its own output goes to a file, so under
   a launcher its standard output is asked too; one on another node counts as a file. */
static PetscBool IsTerminal(void)
{
  char    link[64], target[256];
  ssize_t length;

  if (!isatty(STDOUT_FILENO)) return PETSC_FALSE;
  if (!getenv("OMPI_COMM_WORLD_SIZE") && !getenv("PMI_SIZE") && !getenv("PMIX_RANK")) return PETSC_TRUE;
  (void)snprintf(link, sizeof(link), "/proc/%ld/fd/1", (long)getppid());
  length = readlink(link, target, sizeof(target) - 1);
  if (length < 0) return PETSC_FALSE;
  target[length] = 0;
  return !strncmp(target, "/dev/pts/", 9) || !strncmp(target, "/dev/tty", 8) ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode SoretProgressStart(MPI_Comm comm, SoretProgress *progress)
{
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  progress->speaks   = rank == 0 ? PETSC_TRUE : PETSC_FALSE;
  progress->terminal = IsTerminal();
  progress->percent  = -1;
  progress->last     = 0.0;
  PetscCall(PetscTime(&progress->begin));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretProgressSteady(SoretProgress *progress, PetscInt iteration, PetscReal residual, PetscReal tolerance)
{
  PetscLogDouble now;

  PetscFunctionBegin;
  if (!progress->speaks) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscTime(&now));
  (void)printf("%siteration %3" PetscInt_FMT "   residual %9.2e of the gross rates (goal %.0e)   %.1f s%s", progress->terminal ? "\r" : "", iteration, (double)residual, (double)tolerance, now - progress->begin, progress->terminal ? "  " : "\n");
  (void)fflush(stdout);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* "1 h 02 min" */
static void Duration(PetscLogDouble seconds, size_t length, char text[])
{
  if (seconds < 100.0) (void)snprintf(text, length, "%.0f s", seconds);
  else if (seconds < 6000.0) (void)snprintf(text, length, "%.0f min", seconds / 60.0);
  else (void)snprintf(text, length, "%.0f h %02.0f min", (double)(long)(seconds / 3600.0), (seconds - 3600.0 * (double)(long)(seconds / 3600.0)) / 60.0);
}

PetscErrorCode SoretProgressTime(SoretProgress *progress, PetscInt step, PetscReal t, PetscReal end)
{
  const int      percent = (int)(100.0 * t / end);
  PetscLogDouble now;
  char           left[64];

  PetscFunctionBegin;
  if (!progress->speaks) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscTime(&now));
  if (progress->terminal ? now - progress->last < 0.1 && t < end : percent / 5 == progress->percent / 5 && now - progress->last < 60.0 && progress->percent >= 0) PetscFunctionReturn(PETSC_SUCCESS);
  progress->last    = now;
  progress->percent = percent;
  Duration(t > 0.0 ? (now - progress->begin) * (end - t) / t : 0.0, sizeof(left), left);
  (void)printf("%sstep %6" PetscInt_FMT "   t = %-10.4g %3d %%   %.1f s, about %s left%s", progress->terminal ? "\r" : "", step, (double)t, percent, now - progress->begin, left, progress->terminal ? "      " : "\n");
  (void)fflush(stdout);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretProgressStop(SoretProgress *progress)
{
  PetscFunctionBegin;
  if (progress->speaks && progress->terminal) (void)printf("\n");
  PetscFunctionReturn(PETSC_SUCCESS);
}
