/* SPDX-License-Identifier: BSD-2-Clause

   To be preloaded: makes a call of the system fail for files whose full path begins with a text. Environment: IO_ERROR_CALL (write, pwrite, fsync,
   read, readdir), IO_ERROR (EIO, ENOSPC; EINTR: one call out of two; KILL: the process is killed instead), IO_ERROR_FILE; IO_ERROR_AFTER: so many calls of
   this process succeed first. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int Fails(const char *call, int fd)
{
  const char *wanted = getenv("IO_ERROR_CALL"), *error = getenv("IO_ERROR"), *file = getenv("IO_ERROR_FILE"), *after = getenv("IO_ERROR_AFTER");
  static int  calls = 0, interrupted = 0;
  char        link[64], path[4096];
  ssize_t     n;

  if (!wanted || !error || !file || strcmp(wanted, call)) return 0;
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  n = readlink(link, path, sizeof(path) - 1);
  if (n < 0) return 0;
  path[n] = 0;
  if (strncmp(path, file, strlen(file))) return 0; /* not the files of the same name that Open MPI keeps elsewhere */
  if (after && calls++ < atoi(after)) return 0;
  if (!strcmp(error, "KILL")) (void)raise(SIGKILL);
  errno = !strcmp(error, "EINTR") ? EINTR : strcmp(error, "ENOSPC") ? EIO : ENOSPC;
  if (errno == EINTR) interrupted = !interrupted;
  return errno != EINTR || interrupted;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t n)
{
  return Fails("write", fd) ? -1 : REAL(write)(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
  return Fails("pwrite", fd) ? -1 : REAL(pwrite)(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
  return Fails("pwrite", fd) ? -1 : REAL(pwrite64)(fd, data, n, at);
}

ssize_t writev(int fd, const struct iovec *part, int n)
{
  return Fails("write", fd) ? -1 : REAL(writev)(fd, part, n);
}

ssize_t pwritev(int fd, const struct iovec *part, int n, off_t at)
{
  return Fails("pwrite", fd) ? -1 : REAL(pwritev)(fd, part, n, at);
}

ssize_t pwritev64(int fd, const struct iovec *part, int n, off64_t at)
{
  return Fails("pwrite", fd) ? -1 : REAL(pwritev64)(fd, part, n, at);
}

int fsync(int fd)
{
  return Fails("fsync", fd) ? -1 : REAL(fsync)(fd);
}

ssize_t read(int fd, void *data, size_t n)
{
  return Fails("read", fd) ? -1 : REAL(read)(fd, data, n);
}

struct dirent *readdir(DIR *folder)
{
  return Fails("readdir", dirfd(folder)) ? NULL : REAL(readdir)(folder);
}

struct dirent64 *readdir64(DIR *folder)
{
  return Fails("readdir", dirfd(folder)) ? NULL : REAL(readdir64)(folder);
}
