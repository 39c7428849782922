/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

PetscErrorCode SoretDirectoryOf(const char *path, size_t length, char directory[])
{
  char *slash;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(directory, path, length));
  slash = strrchr(directory, '/');
  if (slash) *(slash == directory ? slash + 1 : slash) = 0;
  else PetscCall(PetscStrncpy(directory, ".", length));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscReal SoretRoomOnDisk(const char *path)
{
  struct statvfs disk;

  return statvfs(path, &disk) == 0 && disk.f_blocks ? (PetscReal)disk.f_bavail * (PetscReal)disk.f_frsize : PETSC_MAX_REAL;
}

PetscBool SoretSync(int file)
{
  /* EINVAL: a file system that knows no fsync of directories */
  return fsync(file) == 0 || errno == EINVAL ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool SoretSyncDirectory(const char *path)
{
  char      directory[PETSC_MAX_PATH_LEN];
  int       file, why;
  PetscBool ok;

  if (SoretDirectoryOf(path, sizeof(directory), directory)) return PETSC_FALSE;
  file = open(directory, O_RDONLY);
  if (file < 0) return PETSC_FALSE;
  ok  = SoretSync(file);
  why = errno;
  (void)close(file);
  errno = why;
  return ok;
}

/* A new file with these bytes, on the disk; nothing is left of one that fails. */
static PetscBool Write(const char *path, size_t length, const char text[])
{
  const int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0666);
  PetscBool ok   = PETSC_TRUE;
  int       why;

  if (file < 0) return PETSC_FALSE;
  for (size_t at = 0; ok && at < length;) {
    const ssize_t n = write(file, text + at, length - at);

    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) ok = PETSC_FALSE;
    else at += (size_t)n;
  }
  if (ok) ok = SoretSync(file);
  why = errno;
  if (close(file) && ok) {
    ok  = PETSC_FALSE;
    why = errno;
  }
  if (!ok) (void)unlink(path);
  errno = why;
  return ok;
}

/* A second name of a file. That of a network may be there although link() says that it was there before: its first answer got lost. */
static PetscBool Link(const char *path, const char *name)
{
  const int   status = link(path, name), why = errno;
  struct stat a, b;
  PetscBool   ok = status == 0 || (stat(path, &a) == 0 && stat(name, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino) ? PETSC_TRUE : PETSC_FALSE;

  errno = why;
  return ok;
}

PetscBool SoretClaim(const char *path)
{
  const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0666);

  if (fd < 0) return PETSC_FALSE;
  (void)close(fd);
  return PETSC_TRUE;
}

PetscBool SoretTakeName(const char *path, const char *name)
{
  int why;

  if (Link(path, name)) {
    (void)unlink(path);
    return PETSC_TRUE;
  }
  if (errno == EEXIST || !SoretClaim(name)) return PETSC_FALSE; /* no hard links here: what is replaced is the empty file of this claim */
  if (rename(path, name) == 0) return PETSC_TRUE;
  why = errno;
  (void)unlink(name);
  errno = why;
  return PETSC_FALSE;
}

PetscBool SoretStore(const char *path, size_t length, const char text[])
{
  char      fresh[PETSC_MAX_PATH_LEN];
  PetscBool ok;
  int       why;

  if (PetscSNPrintf(fresh, sizeof(fresh), "%s.new", path)) return PETSC_FALSE;
  (void)unlink(fresh); /* of a process that was killed */
  if (!Write(fresh, length, text)) return PETSC_FALSE;
  ok = Link(fresh, path);
  if (!ok && errno != EEXIST) ok = Write(path, length, text); /* no hard links here */
  why = errno;
  (void)unlink(fresh);
  errno = why;
  if (!ok) return PETSC_FALSE;
  ok = SoretSyncDirectory(path);
  if (!ok) {
    why = errno;
    (void)unlink(path);
    errno = why;
  }
  return ok;
}

FILE *SoretReplaceBegin(const char *path)
{
  char fresh[PETSC_MAX_PATH_LEN];

  return PetscSNPrintf(fresh, sizeof(fresh), "%s.new", path) ? NULL : fopen(fresh, "w");
}

PetscBool SoretReplaceEnd(FILE *file, const char *path)
{
  char      fresh[PETSC_MAX_PATH_LEN];
  PetscBool ok = fflush(file) == 0 && !ferror(file) && SoretSync(fileno(file)) ? PETSC_TRUE : PETSC_FALSE;
  int       why = errno;

  if (fclose(file) && ok) {
    ok  = PETSC_FALSE;
    why = errno;
  }
  if (PetscSNPrintf(fresh, sizeof(fresh), "%s.new", path)) return PETSC_FALSE;
  if (ok && rename(fresh, path) == 0) return PETSC_TRUE;
  if (ok) why = errno;
  (void)unlink(fresh);
  errno = why;
  return PETSC_FALSE;
}
