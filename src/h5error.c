/* SPDX-License-Identifier: BSD-2-Clause

   Why a call of HDF5 failed, and failure of one rank as failure of all, see h5_private.h. */
#include "h5_private.h"
#include "soret/disk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

enum { TEXT = 512 }; /* of a message */

#define FULL_BYTES (1024.0 * 1024.0) /* a disk with less room than that is full */

static char      reason[TEXT];               /* why this rank failed, "" as long as it did not */
static PetscBool write_failed = PETSC_FALSE; /* because bytes could not be written             */

/* Errors of the system that tell a user more than HDF5 does. Others may be left over from a call that went well. */
static PetscBool IsTelling(int error)
{
  const int telling[] = {ENOSPC, EDQUOT, EFBIG, EIO, EROFS, EACCES, EPERM, ESTALE, ENOLCK, ENOSYS, EMFILE, ENFILE, ENXIO, ENODEV};

  for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]); i++)
    if (error == telling[i]) return PETSC_TRUE;
  return PETSC_FALSE;
}

/* MPI-IO loses errno on the way, but a full disk can still be seen. */
static PetscBool DiskIsFull(const char *file)
{
  return file && SoretRoomOnDisk(file) < FULL_BYTES ? PETSC_TRUE : PETSC_FALSE;
}

/* The same of a file that has come to the limit of this process (ulimit -f). */
static PetscBool IsAtLimit(const char *file)
{
  struct stat   found;
  struct rlimit limit;

  return file && stat(file, &found) == 0 && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && (rlim_t)found.st_size >= limit.rlim_cur ? PETSC_TRUE : PETSC_FALSE;
}

/* What the stack of messages says. */
typedef struct {
  char      deepest[TEXT];
  PetscBool writing; /* it was a write that failed */
} Story;

static herr_t ReadEntry(unsigned n, const H5E_error2_t *entry, void *story_pointer)
{
  Story      *story = story_pointer;
  const char *said  = entry->desc ? strstr(entry->desc, "error message = '") : NULL; /* the system's words in those of HDF5 */

  if (entry->maj_num == H5E_PLUGIN) return 0; /* where a filter was looked for; which one is missing is said above */
  if (said) snprintf(story->deepest, TEXT, "%.*s", (int)strcspn(said + 17, "'"), said + 17);
  else if (entry->min_num == H5E_NOTHDF5) snprintf(story->deepest, TEXT, "it is not an HDF5 file"); /* "file signature not found" */
  else if (entry->desc && *entry->desc) snprintf(story->deepest, TEXT, "%s", entry->desc);
  if (entry->min_num == H5E_WRITEERROR || entry->min_num == H5E_CANTFLUSH) story->writing = PETSC_TRUE;
  return 0;
}

/* HDF5 calls this whenever one of its functions fails, while errno and the stack of messages are fresh. */
static herr_t Remember(hid_t stack, void *file)
{
  int   error = errno;
  Story story = {.deepest = "unknown error of HDF5"};

  if (*reason) return 0;
  H5Ewalk2(stack, H5E_WALK_DOWNWARD, ReadEntry, &story);
  write_failed = story.writing;
  if (story.writing && DiskIsFull(file)) error = ENOSPC;
  else if (story.writing && IsAtLimit(file)) error = EFBIG;
  snprintf(reason, sizeof(reason), "%s", IsTelling(error) ? strerror(error) : story.deepest);
  return 0;
}

void SoretH5Listen(const char *file)
{
  reason[0]    = 0;
  write_failed = PETSC_FALSE;
  H5Eset_auto2(H5E_DEFAULT, Remember, (void *)file);
  errno = 0;
}

void SoretH5Because(const char *format, ...)
{
  va_list arguments;

  if (*reason) return;
  va_start(arguments, format);
  vsnprintf(reason, sizeof(reason), format, arguments);
  va_end(arguments);
}

PetscBool SoretH5HasReason(void)
{
  return *reason ? PETSC_TRUE : PETSC_FALSE;
}

void SoretH5Reason(size_t length, char text[])
{
  (void)snprintf(text, length, "%s", reason);
  reason[0] = 0;
}

/* Where HDF5 fails on one rank in the middle of something collective, the others may wait for it inside HDF5 for ever. So a rank that failed waits
   no longer than `patience`; then it tells why and ends all. */
static PetscErrorCode WaitOrEnd(MPI_Comm comm, MPI_Request *request, double patience, const char *file, const char *what, const char *object)
{
  const struct timespec pause = {.tv_nsec = 1000000};
  const double          end   = MPI_Wtime() + patience;
  int                   done  = 0;

  PetscFunctionBegin;
  while (!done) {
    PetscCallMPI(MPI_Test(request, &done, MPI_STATUS_IGNORE));
    if (!done && MPI_Wtime() > end) {
      (void)fprintf(stderr, "%s: cannot %s%s%s: %s\n", file, what, object ? " " : "", object ? object : "", reason);
      (void)fflush(NULL);
      PetscCallMPI(MPI_Abort(comm, SORET_EXIT_IO));
    }
    if (!done) (void)nanosleep(&pause, NULL);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretH5AgreeWithin(MPI_Comm comm, PetscBool ok, double patience, const char *file, const char *what, const char *object, PetscBool *broken)
{
  PetscMPIInt rank, size, mine[2], all[2], first;
  MPI_Request request;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  mine[0] = ok ? size : rank;
  mine[1] = !ok && write_failed ? 0 : 1;
  if (!ok) SoretH5Because("unknown reason");
  PetscCallMPI(MPI_Iallreduce(mine, all, 2, MPI_INT, MPI_MIN, comm, &request));
  if (ok) PetscCallMPI(MPI_Wait(&request, MPI_STATUS_IGNORE));
  else PetscCall(WaitOrEnd(comm, &request, patience, file, what, object));
  first   = all[0];
  *broken = all[1] ? PETSC_FALSE : PETSC_TRUE;
  if (first == size) PetscFunctionReturn(PETSC_SUCCESS);
  SoretH5Because("unknown reason");
  PetscCallMPI(MPI_Bcast(reason, sizeof(reason), MPI_CHAR, first, comm));
  if (rank == 0) (void)fprintf(stderr, "%s: cannot %s%s%s: %s\n", file, what, object ? " " : "", object ? object : "", reason);
  reason[0] = 0;
  PetscFunctionReturn(SORET_ERR_IO);
}

PetscErrorCode SoretH5Agree(MPI_Comm comm, PetscBool ok, const char *file, const char *what, const char *object)
{
  PetscBool broken;

  PetscFunctionBegin;
  PetscCall(SoretH5AgreeWithin(comm, ok, 10.0 * SORET_H5_PATIENCE, file, what, object, &broken)); /* what others read may take its time */
  PetscFunctionReturn(PETSC_SUCCESS);
}
