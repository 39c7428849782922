/* SPDX-License-Identifier: BSD-2-Clause

   New files: complete or not there, never over another one, nothing left of one that fails. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soret/disk.h"

#define LENGTH ((size_t)4 << 20)

/* The system without hard links, where another process is quick to take a name before this one renames something to it; and one that renames nothing. */
static PetscBool no_links = PETSC_FALSE, no_renames = PETSC_FALSE;
static int       taken    = 0;

int link(const char *path, const char *name)
{
  if (!no_links) return linkat(AT_FDCWD, path, AT_FDCWD, name, 0);
  errno = EPERM;
  return -1;
}

int rename(const char *path, const char *name)
{
  const int other = no_links ? open(name, O_CREAT | O_EXCL | O_WRONLY, 0666) : -1;

  if (other >= 0) {
    (void)close(other);
    taken++;
  }
  if (!no_renames) return renameat(AT_FDCWD, path, AT_FDCWD, name);
  errno = EIO;
  return -1;
}

/* Looks at a file as fast as it can. */
typedef struct {
  const char  *path;
  volatile int stop;
  long         seen, partly;
} Watcher;

static void *Watch(void *pointer)
{
  Watcher    *w = (Watcher *)pointer;
  struct stat found;

  while (!w->stop) {
    if (stat(w->path, &found)) continue;
    w->seen++;
    w->partly += found.st_size != (off_t)LENGTH;
  }
  return NULL;
}

static PetscBool IsThere(const char *path)
{
  return access(path, F_OK) == 0 ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode TestStore(void)
{
  char          folder[] = "disk.XXXXXX", path[64], fresh[64], missing[64], directory[64], *text;
  Watcher       watcher = {path, 0, 0, 0};
  struct rlimit usual, small;
  struct stat   found;
  pthread_t     thread;

  PetscFunctionBeginUser;
  PetscCheck(mkdtemp(folder), PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "cannot make '%s': %s", folder, strerror(errno));
  (void)snprintf(path, sizeof(path), "%s/a", folder);
  (void)snprintf(fresh, sizeof(fresh), "%s/a.new", folder);
  (void)snprintf(missing, sizeof(missing), "%s/none/a", folder);
  PetscCall(PetscMalloc1(LENGTH, &text));
  memset(text, 'x', LENGTH);

  /* never seen before all of its bytes are there, whatever a killed process has left */
  PetscCheck(!pthread_create(&thread, NULL, Watch, &watcher), PETSC_COMM_SELF, PETSC_ERR_SYS, "no thread");
  for (int k = 0; k < 20; k++) {
    const int left = open(fresh, O_CREAT | O_WRONLY, 0666);

    Check(left >= 0 && close(left) == 0);
    Check(SoretStore(path, LENGTH, text));
    Check(!IsThere(fresh));
    Check(stat(path, &found) == 0 && found.st_size == (off_t)LENGTH && found.st_nlink == 1);
    (void)usleep(1000);
    if (k < 19) Check(unlink(path) == 0);
  }
  watcher.stop = 1;
  (void)pthread_join(thread, NULL);
  Check(watcher.seen > 0 && watcher.partly == 0);

  /* not over another one */
  Check(!SoretStore(path, 3, "new") && errno == EEXIST);
  Check(stat(path, &found) == 0 && found.st_size == (off_t)LENGTH && !IsThere(fresh));
  Check(!SoretStore(missing, 3, "new") && errno == ENOENT);

  /* nothing is left where there is no room */
  Check(unlink(path) == 0);
  (void)signal(SIGXFSZ, SIG_IGN);
  Check(getrlimit(RLIMIT_FSIZE, &usual) == 0);
  small          = usual;
  small.rlim_cur = LENGTH / 2;
  Check(setrlimit(RLIMIT_FSIZE, &small) == 0);
  Check(!SoretStore(path, LENGTH, text) && errno == EFBIG);
  Check(setrlimit(RLIMIT_FSIZE, &usual) == 0);
  Check(rmdir(folder) == 0);
  PetscCall(PetscFree(text));

  PetscCall(SoretDirectoryOf("a/b/c", sizeof(directory), directory));
  CheckText(directory, "a/b");
  PetscCall(SoretDirectoryOf("c", sizeof(directory), directory));
  CheckText(directory, ".");
  PetscCall(SoretDirectoryOf("/c", sizeof(directory), directory));
  CheckText(directory, "/");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Writes n bytes to a file that is to take the place of one. */
static PetscBool Replace(const char *path, size_t n)
{
  FILE *file = SoretReplaceBegin(path);

  Check(file);
  for (size_t k = 0; k < n; k++) (void)fputc('y', file);
  return SoretReplaceEnd(file, path);
}

/* The old file stays until the new one is complete. */
static PetscErrorCode TestReplace(void)
{
  char          folder[] = "disk.XXXXXX", path[64], fresh[64], missing[64];
  struct rlimit usual, small;
  struct stat   found;

  PetscFunctionBeginUser;
  PetscCheck(mkdtemp(folder), PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "cannot make '%s': %s", folder, strerror(errno));
  (void)snprintf(path, sizeof(path), "%s/a", folder);
  (void)snprintf(fresh, sizeof(fresh), "%s/a.new", folder);
  (void)snprintf(missing, sizeof(missing), "%s/none/a", folder);
  Check(Replace(path, 7) && stat(path, &found) == 0 && found.st_size == 7 && !IsThere(fresh));
  Check(Replace(path, 5) && stat(path, &found) == 0 && found.st_size == 5 && !IsThere(fresh));
  Check(!SoretReplaceBegin(missing) && errno == ENOENT);

  (void)signal(SIGXFSZ, SIG_IGN);
  Check(getrlimit(RLIMIT_FSIZE, &usual) == 0);
  small          = usual;
  small.rlim_cur = LENGTH / 2;
  Check(setrlimit(RLIMIT_FSIZE, &small) == 0);
  Check(!Replace(path, LENGTH));
  Check(setrlimit(RLIMIT_FSIZE, &usual) == 0);
  Check(stat(path, &found) == 0 && found.st_size == 5 && !IsThere(fresh));

  /* nor is anything left where the name cannot be taken */
  Check(unlink(path) == 0 && mkdir(path, 0777) == 0);
  Check(!Replace(path, 3) && errno == EISDIR && !IsThere(fresh));
  Check(rmdir(path) == 0 && rmdir(folder) == 0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A name that is free is taken, with hard links and without; one that another file has stays with it. */
static PetscErrorCode TestTakeName(void)
{
  char        folder[] = "disk.XXXXXX", path[64], name[64];
  struct stat found;

  PetscFunctionBeginUser;
  PetscCheck(mkdtemp(folder), PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "cannot make '%s': %s", folder, strerror(errno));
  (void)snprintf(path, sizeof(path), "%s/a.1", folder);
  (void)snprintf(name, sizeof(name), "%s/a", folder);
  for (int k = 0; k < 2; k++) {
    no_links = k ? PETSC_TRUE : PETSC_FALSE;
    Check(Replace(path, 3));
    taken = 0;
    Check(SoretTakeName(path, name) && !IsThere(path));
    Check(taken == 0 && stat(name, &found) == 0 && found.st_size == 3 && found.st_nlink == 1);
    Check(Replace(path, 4));
    Check(!SoretTakeName(path, name) && errno == EEXIST);
    Check(stat(path, &found) == 0 && found.st_size == 4 && stat(name, &found) == 0 && found.st_size == 3);
    Check(unlink(name) == 0 && SoretClaim(name) && !SoretClaim(name) && errno == EEXIST);
    Check(!SoretTakeName(path, name) && errno == EEXIST && unlink(name) == 0);
  }
  no_renames = PETSC_TRUE;
  Check(!SoretTakeName(path, name) && errno == EIO && IsThere(path) && !IsThere(name));
  no_links = no_renames = PETSC_FALSE;
  Check(unlink(path) == 0 && rmdir(folder) == 0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestStore, TestReplace, TestTakeName)
