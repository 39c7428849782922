/* SPDX-License-Identifier: BSD-2-Clause */
#include "progress.h"

#include "soret/launch.h"

#include <math.h>
#include <petsctime.h>
#include <stdlib.h>
#include <unistd.h>

/* Does what is printed reach a terminal? mpiexec gives its processes a pseudo-terminal even when its own output goes to a file, so under
   a launcher its standard output is asked too; one on another node counts as a file. A script between the two says who it is
   (jobscripts/rank.sh). */
static PetscBool IsTerminal(void)
{
  const char *launcher = getenv("SORET_LAUNCHER_PID");
  char        link[64], target[256];
  ssize_t     length;

  if (!isatty(STDOUT_FILENO)) return PETSC_FALSE;
  if (!SoretLaunched()) return PETSC_TRUE;
  (void)snprintf(link, sizeof(link), "/proc/%ld/fd/1", launcher ? strtol(launcher, NULL, 10) : (long)getppid());
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
  progress->from     = -1.0;
  progress->last     = 0.0;
  progress->first    = 0.0;
  PetscCall(PetscTime(&progress->begin));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* "1 h 02 min" */
static void Duration(PetscLogDouble seconds, size_t length, char text[])
{
  if (seconds < 100.0) (void)snprintf(text, length, "%.0f s", seconds);
  else if (seconds < 6000.0) (void)snprintf(text, length, "%.0f min", seconds / 60.0);
  else (void)snprintf(text, length, "%.0f h %02.0f min", (double)(long)(seconds / 3600.0), (seconds - 3600.0 * (double)(long)(seconds / 3600.0)) / 60.0);
}

/* Is it time for a line? On a terminal ten times a second, in a log with each 5 % that are new and at least once a minute. */
static PetscBool IsDue(const SoretProgress *progress, int percent, PetscLogDouble now)
{
  if (progress->percent < 0 || (percent >= 100 && progress->percent < 100)) return PETSC_TRUE;
  if (progress->terminal) return now - progress->last >= 0.1 ? PETSC_TRUE : PETSC_FALSE;
  return percent / 5 > progress->percent / 5 || now - progress->last >= 60.0 ? PETSC_TRUE : PETSC_FALSE;
}

/* What has been done, how much that is of all, the time that this attempt took and what is left at its pace. */
static void Tell(SoretProgress *progress, const char *done, PetscReal exact, PetscLogDouble now)
{
  const int            percent = (int)exact;
  const PetscLogDouble spent = now - progress->begin;
  char                 line[256], left[64] = "";

  if (progress->from < 0.0) progress->from = exact;
  if (exact >= 1.0 && exact > progress->from) Duration(spent * (100.0 - exact) / (exact - progress->from), sizeof(left), left);
  (void)snprintf(line, sizeof(line), "%s %3d %%   %.1f s%s%s%s", done, percent, spent, *left ? ", about " : "", left, *left ? " left" : "");
  if (progress->terminal) SoretRewrite(line);
  else {
    (void)puts(line);
    (void)fflush(stdout);
  }
  progress->last    = now;
  progress->percent = PetscMax(percent, progress->percent);
}

PetscErrorCode SoretProgressSteady(SoretProgress *progress, PetscInt iteration, PetscReal residual, PetscReal tolerance)
{
  PetscLogDouble now;
  char           done[160];
  int            percent = 0;

  PetscFunctionBegin;
  if (!progress->speaks) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscTime(&now));
  if (progress->first == 0.0) progress->first = residual;
  if (residual <= tolerance) percent = 100;
  else if (residual < progress->first) percent = PetscMin(99, (int)(100.0 * log(progress->first / residual) / log(progress->first / tolerance)));
  if (!IsDue(progress, percent, now)) PetscFunctionReturn(PETSC_SUCCESS);
  (void)snprintf(done, sizeof(done), "iteration %3" PetscInt_FMT "   residual %9.2e of the gross rates (goal %.0e)", iteration, (double)residual, (double)tolerance);
  Tell(progress, done, percent, now);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretProgressTime(SoretProgress *progress, PetscInt step, PetscReal t, PetscReal end)
{
  const PetscReal percent = t < end ? PetscMin(99.9, 100.0 * t / end) : 100.0;
  PetscLogDouble now;
  char           done[160];

  PetscFunctionBegin;
  if (!progress->speaks) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscTime(&now));
  if (!IsDue(progress, (int)percent, now)) PetscFunctionReturn(PETSC_SUCCESS);
  (void)snprintf(done, sizeof(done), "step %6" PetscInt_FMT "   t = %-10.4g", step, (double)t);
  Tell(progress, done, percent, now);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretProgressStop(SoretProgress *progress)
{
  PetscFunctionBegin;
  if (progress->speaks) SoretEndLine();
  PetscFunctionReturn(PETSC_SUCCESS);
}
