/* SPDX-License-Identifier: BSD-2-Clause

   Parallel HDF5 files, see soret/h5.h.

   A rank that fails must not leave the others waiting. So each function lets every rank take part in every collective call of HDF5,
   whether or not it failed before, and then asks once whether all are well (SoretH5Agree). */
#define _GNU_SOURCE /* fallocate */
#include "h5_private.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "soret/record.h"

#ifndef H5_HAVE_PARALLEL
  #error "soret needs an HDF5 built with MPI (Debian: libhdf5-openmpi-dev)"
#endif
#if !H5_VERSION_GE(1, 10, 2)
  #error "soret needs HDF5 1.10.2 or newer (compression in parallel files)"
#endif

enum {
  MAX_RANK  = 8,   /* of datasets of others that we read; ours have up to 5 axes */
  TEXT      = 512, /* of a message                                               */
  MAX_HINTS = 64   /* for MPI-IO                                                 */
};

#define CHUNK_BYTES (1024.0 * 1024.0)
#define SMALL_CHUNK (64.0 * 1024.0)
#define SLICE_BYTES (512.0 * 1024.0 * 1024.0) /* per rank and call: MPI-IO is not trusted with 2 GiB */
#define SPARE_BYTES (512 * 1024)              /* disk space kept ahead of the end of the file           */
#define SMALL_BYTES (2 * 1024)                /* what a group or an attribute takes, more or less       */
#define PATIENCE    20.0                      /* s that a rank which failed waits for the others        */

struct SoretH5_s {
  MPI_Comm    comm;
  PetscMPIInt rank;
  char       *path;
  SoretH5Mode mode;
  hid_t       file, transfer; /* transfer: collective */
  PetscBool   counted;        /* among num_writers */
  PetscBool   broken;         /* a write failed: nothing more is asked of HDF5, whose close would write again */

  /* on rank 0 of a file open for writing */
  int     descriptor; /* of the file, else -1                              */
  hsize_t end;        /* about the size of the file when it will be closed */
  hsize_t reserved;   /* the disk has room for the file up to this byte    */
};

/* ------------------------------------------------------------------------------------------------------------------ errors */

static char      reason[TEXT];                  /* why this rank failed, "" as long as it did not       */
static PetscBool write_failed = PETSC_FALSE;    /* because bytes could not be written                  */
static PetscBool stuck        = PETSC_FALSE;    /* a file could not be closed                          */
static int       num_writers  = 0;              /* files open for writing                              */

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
  struct statvfs disk;

  return file && statvfs(file, &disk) == 0 && (double)disk.f_bavail * (double)disk.f_frsize < CHUNK_BYTES ? PETSC_TRUE : PETSC_FALSE;
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

  if (said) snprintf(story->deepest, TEXT, "%.*s", (int)strcspn(said + 17, "'"), said + 17);
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

/* *broken: bytes could not be written on some rank. */
static PetscErrorCode AgreeWithin(MPI_Comm comm, PetscBool ok, double patience, const char *file, const char *what, const char *object, PetscBool *broken)
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
  PetscCall(AgreeWithin(comm, ok, 10.0 * PATIENCE, file, what, object, &broken)); /* what others read may take its time */
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscBool SoretH5IsStuck(void)
{
  return stuck || num_writers > 0 ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode Agree(SoretH5 h5, PetscBool ok, const char *what, const char *object)
{
  PetscBool      broken = PETSC_FALSE;
  PetscErrorCode ierr   = AgreeWithin(h5->comm, ok, h5->mode == SORET_H5_READ ? 10.0 * PATIENCE : PATIENCE, h5->path, what, object, &broken);

  PetscFunctionBegin;
  if (broken && h5->mode != SORET_H5_READ) h5->broken = stuck = PETSC_TRUE;
  PetscFunctionReturn(ierr);
}

/* ------------------------------------------------------------------------------------------------------- opening and closing */

void SoretH5NoLocks(hid_t access)
{
#if H5_VERSION_GE(1, 10, 7) && !(H5_VERS_MAJOR == 1 && H5_VERS_MINOR == 12 && H5_VERS_RELEASE == 0)
  H5Pset_file_locking(access, 0, 1);
#else
  setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0);
#endif
}

/* The directory of a file: memory of the caller. */
static char *Directory(const char *path)
{
  char *directory = strdup(path), *slash = directory ? strrchr(directory, '/') : NULL;

  if (slash == directory && slash) slash[1] = 0;
  else if (slash) *slash = 0;
  else if (directory) snprintf(directory, strlen(path) + 1, ".");
  return directory;
}

/* What the system says to the file, asked directly since MPI-IO translates it badly. Rank 0 only. */
static PetscBool MayOpen(const char *path, SoretH5Mode mode)
{
  struct stat found;
  char       *directory;
  int         file;
  PetscBool   ok;

  if (mode == SORET_H5_CREATE) {
    if (lstat(path, &found) == 0) {
      SoretH5Because("%s", strerror(EEXIST));
      return PETSC_FALSE;
    }
    directory = Directory(path);
    ok        = directory && access(directory, W_OK | X_OK) == 0 ? PETSC_TRUE : PETSC_FALSE;
    if (!ok) SoretH5Because("%s", strerror(errno));
    free(directory);
    return ok;
  }
  file = open(path, (mode == SORET_H5_READ ? O_RDONLY : O_RDWR) | O_NONBLOCK);
  if (file < 0) SoretH5Because("%s", strerror(errno));
  else if (fstat(file, &found) == 0 && !S_ISREG(found.st_mode)) SoretH5Because("it is no regular file");
  else if (mode == SORET_H5_FILL && found.st_size > 0) SoretH5Because("it is not empty");
  if (file >= 0) close(file);
  return *reason ? PETSC_FALSE : PETSC_TRUE;
}

static struct {
  char name[MPI_MAX_INFO_KEY + 1], value[MPI_MAX_INFO_VAL + 1];
} hints[MAX_HINTS];
static int num_hints;

PetscErrorCode SoretH5SetHint(const char *name, const char *value)
{
  int i = 0;

  PetscFunctionBegin;
  while (i < num_hints && strcmp(hints[i].name, name)) i++;
  PetscCheck(i < MAX_HINTS, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "more than %d hints for MPI-IO", MAX_HINTS);
  PetscCall(PetscStrncpy(hints[i].name, name, sizeof(hints[i].name)));
  PetscCall(PetscStrncpy(hints[i].value, value, sizeof(hints[i].value)));
  num_hints = PetscMax(num_hints, i + 1);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The driver of MPI-IO, with the hints; it keeps a copy of them. */
static void UseMPIIO(hid_t access, MPI_Comm comm)
{
  MPI_Info info = MPI_INFO_NULL;

  if (num_hints) MPI_Info_create(&info);
  for (int i = 0; i < num_hints; i++) MPI_Info_set(info, hints[i].name, hints[i].value);
  H5Pset_fapl_mpio(access, comm, info);
  if (num_hints) MPI_Info_free(&info);
}

/* The format of HDF5 1.8 and no older: its object headers carry checksums and hold attributes beyond 64 kB (the case text). */
static hid_t FileAccess(MPI_Comm comm, SoretH5Mode mode)
{
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);

  UseMPIIO(access, comm);
  H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
  SoretH5NoLocks(access);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG); /* what a failed write left open goes with the file */
  H5Pset_all_coll_metadata_ops(access, 1);
  if (mode != SORET_H5_READ) H5Pset_coll_metadata_write(access, 1);
  return access;
}

/* Properties of groups and of the root: members are listed in the order in which they were made. */
static hid_t KeepOrder(hid_t class)
{
  const hid_t properties = H5Pcreate(class);

  H5Pset_link_creation_order(properties, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_attr_creation_order(properties, H5P_CRT_ORDER_TRACKED);
  return properties;
}

/* Open MPI guards what it opens by a semaphore named after the file alone, without its directory. A process that is killed at the wrong moment
   leaves it locked, and whoever opens a file of that name on that node later waits for ever. So a new one is asked for. */
static void DropSemaphore(const char *path)
{
#if defined(OPEN_MPI)
  const char *slash = strrchr(path, '/');
  char        name[252];

  snprintf(name, sizeof(name), "/OMPIO_%s", slash ? slash + 1 : path);
  sem_unlink(name); /* mostly there is none */
  errno = 0;
#endif
}

static hid_t OpenFile(MPI_Comm comm, const char *path, SoretH5Mode mode)
{
  const hid_t access = FileAccess(comm, mode), create = KeepOrder(H5P_FILE_CREATE);
  hid_t       file;

  DropSemaphore(path);
  if (mode == SORET_H5_CREATE || mode == SORET_H5_FILL) file = H5Fcreate(path, mode == SORET_H5_CREATE ? H5F_ACC_EXCL : H5F_ACC_TRUNC, create, access);
  else file = H5Fopen(path, mode == SORET_H5_READ ? H5F_ACC_RDONLY : H5F_ACC_RDWR, access);
  H5Pclose(create);
  H5Pclose(access);
  return file;
}

/* Frees the handle; the file is closed. */
static PetscErrorCode Destroy(SoretH5 *h5)
{
  PetscFunctionBegin;
  if ((*h5)->counted) num_writers--;
  if ((*h5)->transfer >= 0) H5Pclose((*h5)->transfer);
  if ((*h5)->descriptor >= 0) close((*h5)->descriptor);
  PetscCallMPI(MPI_Comm_free(&(*h5)->comm));
  SoretH5Listen(NULL); /* the name is about to go */
  PetscCall(PetscFree((*h5)->path));
  PetscCall(PetscFree(*h5));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rank 0 keeps the file open beside MPI-IO, to reserve space and to sync. */
static PetscBool OpenDescriptor(SoretH5 h5)
{
  struct stat found;

  if (h5->rank > 0 || h5->mode == SORET_H5_READ) return PETSC_TRUE;
  h5->descriptor = open(h5->path, O_RDWR);
  if (h5->descriptor < 0 || fstat(h5->descriptor, &found) < 0) {
    SoretH5Because("%s", strerror(errno));
    return PETSC_FALSE;
  }
  h5->end = (hsize_t)found.st_size;
  return PETSC_TRUE;
}

PetscErrorCode SoretH5Open(MPI_Comm comm, const char *path, SoretH5Mode mode, SoretH5 *h5)
{
  const char    *what = mode == SORET_H5_CREATE || mode == SORET_H5_FILL ? "create the file" : "open the file";
  PetscErrorCode ierr;
  SoretH5        self;

  PetscFunctionBegin;
  *h5 = NULL;
  SoretH5Listen(path);
  PetscCall(PetscNew(&self));
  PetscCallMPI(MPI_Comm_dup(comm, &self->comm));
  PetscCallMPI(MPI_Comm_rank(comm, &self->rank));
  PetscCall(PetscStrallocpy(path, &self->path));
  self->mode       = mode;
  self->descriptor = -1;
  self->transfer   = H5Pcreate(H5P_DATASET_XFER);
  H5Pset_dxpl_mpio(self->transfer, H5FD_MPIO_COLLECTIVE);
  ierr = Agree(self, self->rank == 0 ? MayOpen(path, mode) : PETSC_TRUE, what, NULL);
  if (!ierr) {
    self->file = OpenFile(self->comm, path, mode);
    ierr       = Agree(self, self->file >= 0 ? PETSC_TRUE : PETSC_FALSE, what, NULL);
    if (!ierr) {
      ierr = Agree(self, OpenDescriptor(self), what, NULL);
      if (ierr) H5Fclose(self->file);
    }
  }
  if (ierr) {
    PetscCall(Destroy(&self));
    PetscFunctionReturn(ierr);
  }
  self->counted = mode != SORET_H5_READ ? PETSC_TRUE : PETSC_FALSE;
  if (self->counted) num_writers++;
  *h5 = self;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscBool Sync(int file)
{
  /* EINVAL: a file system that knows no fsync of directories */
  if (file >= 0 && (fsync(file) == 0 || errno == EINVAL)) return PETSC_TRUE;
  SoretH5Because("%s", strerror(errno));
  return PETSC_FALSE;
}

static PetscBool SyncDirectory(const char *path)
{
  char           *name      = Directory(path);
  const int       directory = name ? open(name, O_RDONLY) : -1;
  const PetscBool ok        = Sync(directory);

  if (directory >= 0) close(directory);
  free(name);
  return ok;
}

/* Gives back what was reserved beyond the end, and waits for the disk. The name of a new file is safe only when its directory is. */
static PetscBool SyncFile(SoretH5 h5)
{
  struct stat found;
  PetscBool   ok;

  if (h5->descriptor < 0) return PETSC_TRUE;
  ok = fstat(h5->descriptor, &found) == 0 && ftruncate(h5->descriptor, found.st_size) == 0 ? PETSC_TRUE : PETSC_FALSE;
  if (!ok) SoretH5Because("%s", strerror(errno));
  if (!Sync(h5->descriptor)) ok = PETSC_FALSE;
  if ((h5->mode == SORET_H5_CREATE || h5->mode == SORET_H5_FILL) && !SyncDirectory(h5->path)) ok = PETSC_FALSE;
  return ok;
}

PetscErrorCode SoretH5Close(SoretH5 *h5)
{
  SoretH5        self = *h5;
  PetscBool      ok   = PETSC_TRUE;
  PetscErrorCode ierr;

  PetscFunctionBegin;
  if (!self) PetscFunctionReturn(PETSC_SUCCESS);
  *h5 = NULL;
  SoretH5Listen(self->path);
  if (self->broken) {
    PetscCall(Destroy(&self));
    PetscFunctionReturn(SORET_ERR_IO); /* told already */
  }
  if (self->mode != SORET_H5_READ && H5Fflush(self->file, H5F_SCOPE_GLOBAL) < 0) ok = PETSC_FALSE;
  ierr = Agree(self, ok, "complete the file", NULL);
  if (!ierr) {
    if (H5Fclose(self->file) < 0) ok = PETSC_FALSE;
    if (ok) ok = SyncFile(self);
    ierr = Agree(self, ok, "complete the file", NULL);
  }
  if (ierr) stuck = PETSC_TRUE;
  PetscCall(Destroy(&self));
  PetscFunctionReturn(ierr);
}

PetscErrorCode SoretH5Abandon(SoretH5 *h5)
{
  PetscFunctionBegin;
  stuck = PETSC_TRUE;
  PetscCall(Destroy(h5));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* -------------------------------------------------------------------------------------------------------------- disk space */

/* Whether the file can grow to `end`. Where the file system cannot reserve, the free space of the moment must do. */
static PetscBool SetAside(int file, hsize_t begin, hsize_t end)
{
  struct stat    found;
  struct statvfs disk;

#if defined(__linux__)
  int error;

  do error = fallocate(file, FALLOC_FL_KEEP_SIZE, (off_t)begin, (off_t)(end - begin));
  while (error && errno == EINTR);
  if (!error) return PETSC_TRUE;
  if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) return PETSC_FALSE;
#endif
  if (fstat(file, &found) || fstatvfs(file, &disk)) return PETSC_TRUE;
  errno = ENOSPC;
  return (double)end <= 512.0 * (double)found.st_blocks + (double)disk.f_bavail * (double)disk.f_frsize ? PETSC_TRUE : PETSC_FALSE;
}

/* Makes sure of disk space for `more` bytes before anything is written: on a full disk the collective writes of Open MPI either
   report success or wait for ever, and HDF5 leaves a damaged file. HDF5 does not tell how far a parallel file will reach, so this
   counts, and keeps a reserve for its index structures. Fails on rank 0, for all to agree on. */
static PetscBool Reserve(SoretH5 h5, hsize_t more)
{
  const hsize_t needed = h5->end + more + SPARE_BYTES, wanted = needed + SPARE_BYTES;

  if (h5->descriptor < 0) return PETSC_TRUE;
  if (needed > h5->reserved) {
    if (!SetAside(h5->descriptor, h5->reserved, wanted)) {
      SoretH5Because("%s (%.3g MB more wanted)", strerror(errno), 1e-6 * (double)(wanted - h5->end));
      return PETSC_FALSE;
    }
    h5->reserved = wanted;
  }
  h5->end += more;
  return PETSC_TRUE;
}

/* Reserve() as a step of its own, for a small change. */
static PetscErrorCode ReserveFor(SoretH5 h5, hsize_t more, const char *what, const char *object)
{
  PetscFunctionBegin;
  PetscCall(Agree(h5, Reserve(h5, more), what, object));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ------------------------------------------------------------------------------------------------------- objects and groups */

/* H5Lexists() is an error where a group above is missing, so go down step by step. */
static PetscBool Exists(SoretH5 h5, const char *path)
{
  char     *part   = strdup(path);
  PetscBool exists = part ? PETSC_TRUE : PETSC_FALSE;

  for (char *c = part; exists && *c; c++) {
    if (c[1] && c[1] != '/') continue;
    if (*c == '/') continue;
    const char next = c[1];

    c[1]   = 0;
    exists = H5Lexists(h5->file, part, H5P_DEFAULT) > 0 && H5Oexists_by_name(h5->file, part, H5P_DEFAULT) > 0 ? PETSC_TRUE : PETSC_FALSE;
    c[1]   = next;
  }
  free(part);
  return exists;
}

PetscErrorCode SoretH5Exists(SoretH5 h5, const char *path, PetscBool *exists)
{
  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  *exists = Exists(h5, path);
  PetscCall(Agree(h5, *reason ? PETSC_FALSE : PETSC_TRUE, "look for", path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscBool IsGroup(SoretH5 h5, const char *path)
{
  const hid_t group = Exists(h5, path) ? H5Oopen(h5->file, path, H5P_DEFAULT) : -1;
  PetscBool   is    = PETSC_FALSE;

  if (group >= 0) {
    is = H5Iget_type(group) == H5I_GROUP ? PETSC_TRUE : PETSC_FALSE;
    H5Oclose(group);
  }
  return is;
}

/* One group, whose parent exists. */
static PetscBool MakeOne(SoretH5 h5, const char *path)
{
  hid_t create, group;

  if (Exists(h5, path)) {
    if (IsGroup(h5, path)) return PETSC_TRUE;
    SoretH5Because("%s is no group", path);
    return PETSC_FALSE;
  }
  create = KeepOrder(H5P_GROUP_CREATE);
  group  = H5Gcreate2(h5->file, path, H5P_DEFAULT, create, H5P_DEFAULT);
  H5Pclose(create);
  if (group >= 0) H5Gclose(group);
  return group >= 0 ? PETSC_TRUE : PETSC_FALSE;
}

/* The groups above path, and with `last` path itself. */
static PetscBool MakeGroups(SoretH5 h5, const char *path, PetscBool last)
{
  char     *part = strdup(path);
  PetscBool ok   = part ? PETSC_TRUE : PETSC_FALSE;

  for (char *slash = part; ok && (slash = strchr(slash + 1, '/')); *slash = '/') {
    *slash = 0;
    ok     = MakeOne(h5, part);
  }
  if (ok && last && strcmp(path, "/")) ok = MakeOne(h5, part);
  free(part);
  return ok;
}

PetscErrorCode SoretH5MakeGroup(SoretH5 h5, const char *path)
{
  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  PetscCall(ReserveFor(h5, SMALL_BYTES, "make group", path));
  PetscCall(Agree(h5, MakeGroups(h5, path, PETSC_TRUE), "make group", path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* --------------------------------------------------------------------------------------------------------------- attributes */

static PetscBool PutAttribute(SoretH5 h5, const char *object, const char *name, hid_t file_type, hid_t memory_type, const void *value)
{
  const hid_t where = H5Oopen(h5->file, object, H5P_DEFAULT), space = H5Screate(H5S_SCALAR);
  hid_t       attribute = -1;
  herr_t      error     = -1;

  if (where >= 0) {
    if (H5Aexists(where, name) > 0) H5Adelete(where, name);
    attribute = H5Acreate2(where, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) {
      error = H5Awrite(attribute, memory_type, value);
      if (H5Aclose(attribute) < 0) error = -1;
    }
    H5Oclose(where);
  }
  H5Sclose(space);
  return error < 0 ? PETSC_FALSE : PETSC_TRUE;
}

/* Metadata of a parallel file must be the same on all ranks or the file is damaged, so the value of rank 0 holds
   (a wall-clock time differs between ranks). */
PetscErrorCode SoretH5WriteReal(SoretH5 h5, const char *object, const char *name, PetscReal value)
{
  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  PetscCall(ReserveFor(h5, SMALL_BYTES, "write attribute", name));
  PetscCallMPI(MPI_Bcast(&value, 1, MPI_DOUBLE, 0, h5->comm));
  PetscCall(Agree(h5, PutAttribute(h5, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value), "write attribute", name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretH5WriteInt(SoretH5 h5, const char *object, const char *name, PetscInt64 value)
{
  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  PetscCall(ReserveFor(h5, SMALL_BYTES, "write attribute", name));
  PetscCallMPI(MPI_Bcast(&value, 1, MPI_INT64_T, 0, h5->comm));
  PetscCall(Agree(h5, PutAttribute(h5, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value), "write attribute", name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretH5WriteString(SoretH5 h5, const char *object, const char *name, const char *value)
{
  PetscInt64 bytes = (PetscInt64)strlen(value) + 1;
  char      *text;
  hid_t      type;
  PetscBool  ok;

  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  PetscCallMPI(MPI_Bcast(&bytes, 1, MPI_INT64_T, 0, h5->comm));
  PetscCheck(bytes <= PETSC_MPI_INT_MAX, h5->comm, PETSC_ERR_ARG_SIZ, "text of %lld bytes", (long long)bytes);
  PetscCall(ReserveFor(h5, (hsize_t)bytes + SMALL_BYTES, "write attribute", name));
  PetscCall(PetscMalloc1((size_t)bytes, &text));
  if (h5->rank == 0) memcpy(text, value, (size_t)bytes);
  PetscCallMPI(MPI_Bcast(text, (PetscMPIInt)bytes, MPI_CHAR, 0, h5->comm));
  type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, (size_t)bytes);
  H5Tset_strpad(type, H5T_STR_NULLTERM);
  H5Tset_cset(type, H5T_CSET_UTF8);
  ok = PutAttribute(h5, object, name, type, type, text);
  H5Tclose(type);
  PetscCall(PetscFree(text));
  PetscCall(Agree(h5, ok, "write attribute", name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A number: one entry of an integer or floating-point type. */
static PetscBool IsNumber(hid_t attribute)
{
  const hid_t       type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  const H5T_class_t class = H5Tget_class(type);
  const PetscBool   is    = (class == H5T_INTEGER || class == H5T_FLOAT || class == H5T_ENUM) && H5Sget_simple_extent_npoints(space) == 1 ? PETSC_TRUE : PETSC_FALSE;

  H5Tclose(type);
  H5Sclose(space);
  return is;
}

PetscErrorCode SoretH5ReadReal(SoretH5 h5, const char *object, const char *name, PetscReal *value, PetscBool *found)
{
  hid_t  attribute;
  herr_t error = 0;

  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  *found = PETSC_FALSE;
  if (Exists(h5, object) && H5Aexists_by_name(h5->file, object, name, H5P_DEFAULT) > 0) {
    attribute = H5Aopen_by_name(h5->file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) {
      *found = IsNumber(attribute);
      if (*found) error = H5Aread(attribute, H5T_NATIVE_DOUBLE, value);
      H5Aclose(attribute);
    }
  }
  PetscCall(Agree(h5, error < 0 || *reason ? PETSC_FALSE : PETSC_TRUE, "read attribute", name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The text of an attribute of fixed length, memory of PETSc; NULL if it is none. */
static PetscErrorCode ReadText(hid_t attribute, char **value, PetscBool *ok)
{
  const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);

  PetscFunctionBegin;
  *ok = PETSC_TRUE;
  if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 && H5Sget_simple_extent_npoints(space) == 1) {
    const size_t size = H5Tget_size(type);

    PetscCall(PetscCalloc1(size + 1, value));
    if (H5Aread(attribute, type, *value) < 0) *ok = PETSC_FALSE;
  }
  H5Sclose(space);
  H5Tclose(type);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretH5ReadString(SoretH5 h5, const char *object, const char *name, char **value)
{
  hid_t          attribute;
  PetscBool      ok = PETSC_TRUE;
  PetscErrorCode ierr;

  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  *value = NULL;
  if (Exists(h5, object) && H5Aexists_by_name(h5->file, object, name, H5P_DEFAULT) > 0) {
    attribute = H5Aopen_by_name(h5->file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) {
      PetscCall(ReadText(attribute, value, &ok));
      H5Aclose(attribute);
    }
  }
  ierr = Agree(h5, ok && !*reason ? PETSC_TRUE : PETSC_FALSE, "read attribute", name);
  if (ierr) PetscCall(PetscFree(*value));
  PetscFunctionReturn(ierr);
}

/* ----------------------------------------------------------------------------------------------------------------- datasets */

/* The part of a dataset that one rank reads or writes. */
typedef struct {
  int     rank;
  hsize_t start[MAX_RANK], count[MAX_RANK];
  hsize_t row; /* entries of one step along the slowest axis */
} Box;

static Box MakeBox(int rank, const PetscInt start[], const PetscInt count[])
{
  Box box = {.rank = rank, .row = 1};

  for (int a = 0; a < rank; a++) {
    box.start[a] = (hsize_t)start[a];
    box.count[a] = (hsize_t)count[a];
    if (a > 0) box.row *= box.count[a];
  }
  return box;
}

static double ChunkBytes(int rank, const hsize_t chunk[], size_t entry)
{
  double bytes = (double)entry;

  for (int a = 0; a < rank; a++) bytes *= (double)chunk[a];
  return bytes;
}

/* The next larger number of parts into which a side is cut: an exact divisor if one is near. */
static hsize_t MoreParts(hsize_t side, hsize_t parts)
{
  for (hsize_t k = parts + 1; k <= 2 * parts; k++)
    if (side % k == 0) return k;
  return parts + 1;
}

/* The box of a rank, with its longest side in ever more parts, the slowest first among equals so that rows stay whole, until it fits. Small boxes
   are put together along the fastest axis that has room: thousands of tiny chunks would cost more than sharing them does. In the end the extent
   is cut evenly, for chunks are stored whole.

   box - [rank] largest extent of a box of a rank */
static void ChooseChunk(int rank, const hsize_t size[], const hsize_t box[], size_t entry, hsize_t chunk[])
{
  hsize_t parts[MAX_RANK];

  for (int a = 0; a < rank; a++) {
    parts[a] = 1;
    chunk[a] = box[a] > 0 ? box[a] : 1;
  }
  while (ChunkBytes(rank, chunk, entry) > CHUNK_BYTES) {
    int longest = 0;

    for (int a = 0; a < rank; a++)
      if (chunk[a] > chunk[longest]) longest = a;
    parts[longest] = MoreParts(box[longest], parts[longest]);
    chunk[longest] = (box[longest] + parts[longest] - 1) / parts[longest];
  }
  for (int a = rank - 1; a >= 0 && ChunkBytes(rank, chunk, entry) < SMALL_CHUNK;) {
    if (chunk[a] < size[a]) chunk[a] = 2 * chunk[a] < size[a] ? 2 * chunk[a] : size[a];
    else a--;
  }
  for (int a = 0; a < rank; a++) {
    const hsize_t number = (size[a] + chunk[a] - 1) / chunk[a];

    if (number) chunk[a] = (size[a] + number - 1) / number;
  }
}

/* Most that a dataset takes on disk: all its chunks, whole and not compressed, and their index. */
static hsize_t BytesOnDisk(int rank, const hsize_t size[], const hsize_t chunk[], size_t entry)
{
  hsize_t bytes = entry;

  for (int a = 0; a < rank; a++) bytes *= (size[a] + chunk[a] - 1) / chunk[a] * chunk[a];
  return bytes + bytes / 1024 + 2 * SMALL_BYTES;
}

static hid_t CreateDataset(SoretH5 h5, const char *path, int rank, const hsize_t size[], const hsize_t chunk[], const SoretH5Storage *storage)
{
  const PetscBool single = storage && storage->single ? PETSC_TRUE : PETSC_FALSE;
  const hid_t     create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, size, NULL);
  hid_t           dataset;

  H5Pset_chunk(create, rank, chunk);
  H5Pset_fill_time(create, H5D_FILL_TIME_NEVER); /* all entries are written, once */
  if (storage && storage->compression > 0) {
    H5Pset_shuffle(create);
    H5Pset_deflate(create, (unsigned)storage->compression);
  }
  dataset = H5Dcreate2(h5->file, path, single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
  H5Sclose(space);
  H5Pclose(create);
  return dataset;
}

/* The largest box of a rank, the same on all of them. */
static PetscErrorCode LargestBox(SoretH5 h5, const Box *box, hsize_t largest[])
{
  PetscInt64 count[MAX_RANK];

  PetscFunctionBegin;
  for (int a = 0; a < box->rank; a++) count[a] = (PetscInt64)box->count[a];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, count, box->rank, MPI_INT64_T, MPI_MAX, h5->comm));
  for (int a = 0; a < box->rank; a++) largest[a] = (hsize_t)count[a];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Number of calls for which no rank passes more than SLICE_BYTES; the same on all ranks. */
static PetscErrorCode CountSlices(SoretH5 h5, const Box *box, PetscInt64 *slices)
{
  const double bytes = 8.0 * (double)box->row * (double)box->count[0];

  PetscFunctionBegin;
  *slices = 1 + (PetscInt64)(bytes / SLICE_BYTES);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, slices, 1, MPI_INT64_T, MPI_MAX, h5->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Selects slice i of n of a box; nothing is selected where it is empty, but the rank still takes part. Returns the first entry of the
   slice in the box, and the number of entries. */
static hsize_t SelectSlice(const Box *box, PetscInt64 i, PetscInt64 n, hid_t file_space, hid_t *memory_space, hsize_t *entries)
{
  const hsize_t lo = box->count[0] * (hsize_t)i / (hsize_t)n, hi = box->count[0] * (hsize_t)(i + 1) / (hsize_t)n;
  Box           slice = *box;

  slice.start[0] += lo;
  slice.count[0] = hi - lo;
  *entries       = (hi - lo) * box->row;
  *memory_space  = H5Screate_simple(1, (hsize_t[]){*entries > 0 ? *entries : 1}, NULL);
  if (*entries > 0) {
    H5Sselect_hyperslab(file_space, H5S_SELECT_SET, slice.start, NULL, slice.count, NULL);
  } else {
    H5Sselect_none(file_space);
    H5Sselect_none(*memory_space);
  }
  return lo * box->row;
}

/* Converts to float here: HDF5 writes with conversion one rank at a time, and compressed data not at all. */
static PetscBool WriteSlice(SoretH5 h5, hid_t dataset, PetscBool single, hid_t memory_space, hid_t file_space, hsize_t n, const PetscReal data[])
{
  float  nothing = 0.0F, *converted = single && n > 0 ? malloc(n * sizeof(float)) : &nothing;
  herr_t error;

  if (!converted) {
    SoretH5Because("not enough memory for the conversion to single precision");
    H5Sselect_none(memory_space);
    H5Sselect_none(file_space);
    n = 0;
  }
  if (single)
    for (hsize_t i = 0; i < n; i++) converted[i] = (float)data[i];
  if (single) error = H5Dwrite(dataset, H5T_NATIVE_FLOAT, memory_space, file_space, h5->transfer, converted ? converted : &nothing);
  else error = H5Dwrite(dataset, H5T_NATIVE_DOUBLE, memory_space, file_space, h5->transfer, n > 0 ? (const void *)data : (const void *)&nothing);
  if (!converted) error = -1;
  SoretRecordCountBytes((PetscReal)n * (single ? 4.0 : 8.0));
  if (converted != &nothing) free(converted);
  return error < 0 ? PETSC_FALSE : PETSC_TRUE;
}

static PetscErrorCode WriteSlices(SoretH5 h5, hid_t dataset, const Box *box, PetscBool single, const PetscReal data[], PetscBool *ok)
{
  const hid_t file_space = H5Dget_space(dataset);
  PetscInt64  slices;

  PetscFunctionBegin;
  *ok = PETSC_TRUE;
  PetscCall(CountSlices(h5, box, &slices));
  for (PetscInt64 i = 0; i < slices; i++) {
    hsize_t       n;
    hid_t         memory_space;
    const hsize_t first = SelectSlice(box, i, slices, file_space, &memory_space, &n);

    if (!WriteSlice(h5, dataset, single, memory_space, file_space, n, n > 0 ? &data[first] : NULL)) *ok = PETSC_FALSE;
    H5Sclose(memory_space);
  }
  H5Sclose(file_space);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretH5WriteBox(SoretH5 h5, const char *path, int rank, const PetscInt size[], const PetscInt start[], const PetscInt count[], const PetscReal data[], const SoretH5Storage *storage)
{
  const Box box     = MakeBox(rank, start, count);
  hid_t     dataset = -1;
  hsize_t   extent[MAX_RANK], largest[MAX_RANK] = {0}, chunk[MAX_RANK];
  size_t    entry = storage && storage->single ? 4 : 8;
  PetscBool ok;

  PetscFunctionBegin;
  PetscCheck(rank >= 1 && rank <= 5, h5->comm, PETSC_ERR_ARG_OUTOFRANGE, "%d axes", rank);
  for (int a = 0; a < rank; a++) {
    extent[a] = (hsize_t)size[a];
    PetscCheck(start[a] >= 0 && count[a] >= 0 && start[a] + count[a] <= size[a], PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "box beyond axis %d of %s", a, path);
  }
  SoretH5Listen(h5->path);
  PetscCall(LargestBox(h5, &box, largest));
  ChooseChunk(rank, extent, largest, entry, chunk);
  PetscCall(ReserveFor(h5, BytesOnDisk(rank, extent, chunk, entry), "write", path));
  if (Exists(h5, path)) SoretH5Because("it exists already");
  else if (MakeGroups(h5, path, PETSC_FALSE)) dataset = CreateDataset(h5, path, rank, extent, chunk, storage);
  PetscCall(Agree(h5, dataset >= 0 ? PETSC_TRUE : PETSC_FALSE, "write", path));
  PetscCall(WriteSlices(h5, dataset, &box, storage ? storage->single : PETSC_FALSE, data, &ok));
  if (H5Dclose(dataset) < 0) ok = PETSC_FALSE;
  PetscCall(Agree(h5, ok, "write", path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Axes of a dataset of numbers, -1 with a reason if path is something else. */
static int OpenNumbers(SoretH5 h5, const char *path, hid_t *dataset, hsize_t size[])
{
  hid_t       space, type;
  H5T_class_t class;
  int         rank = -1;

  *dataset = -1;
  if (!Exists(h5, path)) {
    SoretH5Because("there is no such dataset");
    return -1;
  }
  *dataset = H5Dopen2(h5->file, path, H5P_DEFAULT);
  if (*dataset < 0) return -1;
  space = H5Dget_space(*dataset);
  type  = H5Dget_type(*dataset);
  class = H5Tget_class(type);
  if (H5Sget_simple_extent_ndims(space) > MAX_RANK) SoretH5Because("it has more than %d axes", MAX_RANK);
  else if (class != H5T_FLOAT && class != H5T_INTEGER && class != H5T_ENUM) SoretH5Because("it does not hold numbers");
  else rank = H5Sget_simple_extent_dims(space, size, NULL);
  H5Tclose(type);
  H5Sclose(space);
  return rank;
}

/* Whether the box lies in the dataset. */
static PetscBool BoxFits(const Box *box, int rank, const hsize_t size[])
{
  if (rank < 0) return PETSC_FALSE;
  if (rank != box->rank) {
    SoretH5Because("it has %d axes, expected %d", rank, box->rank);
    return PETSC_FALSE;
  }
  for (int a = 0; a < rank; a++) {
    if (box->start[a] + box->count[a] <= size[a]) continue;
    SoretH5Because("axis %d has %llu entries, fewer than expected", a, (unsigned long long)size[a]);
    return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

static PetscErrorCode ReadSlices(SoretH5 h5, hid_t dataset, const Box *box, PetscReal data[], PetscBool *ok)
{
  const hid_t file_space = H5Dget_space(dataset);
  PetscReal   nothing;
  PetscInt64  slices;

  PetscFunctionBegin;
  *ok = PETSC_TRUE;
  PetscCall(CountSlices(h5, box, &slices));
  for (PetscInt64 i = 0; i < slices; i++) {
    hsize_t       n;
    hid_t         memory_space;
    const hsize_t first = SelectSlice(box, i, slices, file_space, &memory_space, &n);

    if (H5Dread(dataset, H5T_NATIVE_DOUBLE, memory_space, file_space, h5->transfer, n > 0 ? &data[first] : &nothing) < 0) *ok = PETSC_FALSE;
    H5Sclose(memory_space);
  }
  H5Sclose(file_space);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretH5ReadBox(SoretH5 h5, const char *path, int rank, const PetscInt start[], const PetscInt count[], PetscReal data[])
{
  hid_t          dataset;
  hsize_t        size[MAX_RANK];
  PetscBool      ok;
  PetscErrorCode ierr;

  PetscFunctionBegin;
  PetscCheck(rank >= 1 && rank <= MAX_RANK, h5->comm, PETSC_ERR_ARG_OUTOFRANGE, "%d axes", rank);
  SoretH5Listen(h5->path);
  const Box box = MakeBox(rank, start, count);

  ok   = BoxFits(&box, OpenNumbers(h5, path, &dataset, size), size);
  ierr = Agree(h5, ok, "read", path);
  if (!ierr) {
    PetscCall(ReadSlices(h5, dataset, &box, data, &ok));
    ierr = Agree(h5, ok, "read", path);
  }
  if (dataset >= 0) H5Dclose(dataset);
  PetscFunctionReturn(ierr);
}

PetscErrorCode SoretH5GetSize(SoretH5 h5, const char *path, int *rank, PetscInt size[])
{
  hsize_t extent[MAX_RANK];
  hid_t   object = -1, space;

  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  *rank = -1;
  if (Exists(h5, path)) object = H5Oopen(h5->file, path, H5P_DEFAULT);
  if (object >= 0 && H5Iget_type(object) == H5I_DATASET) {
    space = H5Dget_space(object);
    if (H5Sget_simple_extent_ndims(space) > MAX_RANK) SoretH5Because("it has more than %d axes", MAX_RANK);
    else *rank = H5Sget_simple_extent_dims(space, extent, NULL);
    for (int a = 0; a < *rank; a++) {
      if (extent[a] > (hsize_t)PETSC_MAX_INT) SoretH5Because("it has %llu entries along axis %d, too many for this PETSc (32-bit indices)", (unsigned long long)extent[a], a);
      size[a] = (PetscInt)extent[a];
    }
    H5Sclose(space);
  }
  if (object >= 0) H5Oclose(object);
  PetscCall(Agree(h5, *reason ? PETSC_FALSE : PETSC_TRUE, "read the size of", path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ------------------------------------------------------------------------------------------------------------------- series */

static hid_t CreateSeries(SoretH5 h5, const char *path, hid_t type)
{
  const hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, (hsize_t[]){0}, (hsize_t[]){H5S_UNLIMITED});
  hid_t       dataset;

  H5Pset_chunk(create, 1, (hsize_t[]){SORET_H5_APPEND_ROWS});
  H5Pset_fill_time(create, H5D_FILL_TIME_NEVER);
  dataset = H5Dcreate2(h5->file, path, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
  H5Sclose(space);
  H5Pclose(create);
  return dataset;
}

/* The series of that name, made if need be, and its length. */
static hid_t OpenSeries(SoretH5 h5, const char *path, hsize_t *length)
{
  hsize_t size[MAX_RANK];
  hid_t   dataset;

  *length = 0;
  if (!Exists(h5, path)) return MakeGroups(h5, path, PETSC_FALSE) ? CreateSeries(h5, path, H5T_IEEE_F64LE) : -1;
  if (OpenNumbers(h5, path, &dataset, size) == 1) {
    *length = size[0];
    return dataset;
  }
  SoretH5Because("it is no series: it has more than one axis");
  if (dataset >= 0) H5Dclose(dataset);
  return -1;
}

/* Puts n values behind the first `keep` of a series, of which there are as many as before if keep is negative. */
static PetscErrorCode PutSeries(SoretH5 h5, const char *path, PetscInt keep, PetscInt n, const PetscReal value[])
{
  hsize_t        length, start;
  hid_t          dataset;
  PetscBool      ok;
  PetscErrorCode ierr;

  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  PetscCall(ReserveFor(h5, 8 * (hsize_t)n + (Exists(h5, path) ? 0 : 8 * SORET_H5_APPEND_ROWS + 2 * SMALL_BYTES), "append to", path));
  dataset = OpenSeries(h5, path, &length);
  start   = keep < 0 ? length : (hsize_t)keep;
  ok      = dataset >= 0 && H5Dset_extent(dataset, (hsize_t[]){start + (hsize_t)n}) >= 0 ? PETSC_TRUE : PETSC_FALSE;
  ierr    = Agree(h5, ok, "append to", path);
  if (!ierr) {
    const Box box = {.rank = 1, .start = {start}, .count = {h5->rank == 0 ? (hsize_t)n : 0}, .row = 1};

    PetscCall(WriteSlices(h5, dataset, &box, PETSC_FALSE, value, &ok));
    if (H5Dclose(dataset) < 0) ok = PETSC_FALSE;
    ierr = Agree(h5, ok, "append to", path);
  } else if (dataset >= 0) H5Dclose(dataset);
  PetscFunctionReturn(ierr);
}

PetscErrorCode SoretH5Append(SoretH5 h5, const char *path, PetscInt n, const PetscReal value[])
{
  PetscFunctionBegin;
  PetscCall(PutSeries(h5, path, -1, n, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretH5Rewrite(SoretH5 h5, const char *path, PetscInt n, const PetscReal value[])
{
  PetscFunctionBegin;
  PetscCall(PutSeries(h5, path, 0, n, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static hid_t OpenTexts(SoretH5 h5, const char *path, PetscInt width)
{
  hid_t type, dataset;

  if (Exists(h5, path)) return H5Dopen2(h5->file, path, H5P_DEFAULT);
  if (!MakeGroups(h5, path, PETSC_FALSE)) return -1;
  type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, (size_t)width);
  H5Tset_strpad(type, H5T_STR_NULLTERM);
  H5Tset_cset(type, H5T_CSET_UTF8);
  dataset = CreateSeries(h5, path, type);
  H5Tclose(type);
  return dataset;
}

/* All ranks take part, rank 0 writes. */
static PetscErrorCode WriteTexts(SoretH5 h5, hid_t dataset, PetscInt n, const char *const text[], PetscBool *ok)
{
  const hid_t  type = H5Dget_type(dataset), file_space = H5Dget_space(dataset), memory_space = H5Screate_simple(1, (hsize_t[]){(hsize_t)PetscMax(n, 1)}, NULL);
  const size_t width = H5Tget_size(type);
  char        *rows;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)PetscMax(n, 1) * width, &rows));
  if (h5->rank || !n) {
    H5Sselect_none(file_space);
    H5Sselect_none(memory_space);
  } else {
    for (PetscInt i = 0; i < n; i++) memcpy(rows + (size_t)i * width, text[i], PetscMin(strlen(text[i]), width - 1));
  }
  *ok = H5Dwrite(dataset, type, memory_space, file_space, h5->transfer, rows) >= 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscFree(rows));
  H5Sclose(memory_space);
  H5Sclose(file_space);
  H5Tclose(type);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretH5RewriteTexts(SoretH5 h5, const char *path, PetscInt n, PetscInt width, const char *const text[])
{
  hid_t          dataset;
  PetscBool      ok;
  PetscErrorCode ierr;

  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  PetscCall(ReserveFor(h5, (hsize_t)(n + SORET_H5_APPEND_ROWS) * (hsize_t)width + 2 * SMALL_BYTES, "write texts", path));
  dataset = OpenTexts(h5, path, width);
  ok      = dataset >= 0 && H5Dset_extent(dataset, (hsize_t[]){(hsize_t)n}) >= 0 ? PETSC_TRUE : PETSC_FALSE;
  ierr    = Agree(h5, ok, "write texts", path);
  if (!ierr) {
    PetscCall(WriteTexts(h5, dataset, n, text, &ok));
    if (H5Dclose(dataset) < 0) ok = PETSC_FALSE;
    ierr = Agree(h5, ok, "write texts", path);
  } else if (dataset >= 0) H5Dclose(dataset);
  PetscFunctionReturn(ierr);
}
