/* SPDX-License-Identifier: BSD-2-Clause

   Parallel HDF5 files, see soret/h5.h.

   A rank that fails must not leave the others waiting. So each function lets every rank take part in every collective call of HDF5,
   whether or not it failed before, and then asks once whether all are well (SoretH5Agree). */
#define _GNU_SOURCE /* fallocate */
#include "h5_private.h"
#include "soret/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifndef H5_HAVE_PARALLEL
  #error "soret needs an HDF5 built with MPI (Debian: libhdf5-openmpi-dev)"
#endif
#if !H5_VERSION_GE(1, 10, 2)
  #error "soret needs HDF5 1.10.2 or newer (compression in parallel files)"
#endif

enum { MAX_HINTS = 64 }; /* for MPI-IO */

#define SPARE_BYTES (512 * 1024) /* disk space kept ahead of the end of the file */

static PetscBool stuck    = PETSC_FALSE; /* a file could not be closed */
static int       num_open = 0;           /* files that are open        */

PetscBool SoretH5IsStuck(void)
{
  return stuck || num_open > 0 ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode SoretH5AgreeOn(SoretH5 h5, PetscBool ok, const char *what, const char *object)
{
  PetscBool      broken = PETSC_FALSE;
  PetscErrorCode ierr   = SoretH5AgreeWithin(h5->comm, ok, h5->mode == SORET_H5_READ ? 10.0 * SORET_H5_PATIENCE : SORET_H5_PATIENCE, h5->path, what, object, &broken);

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

#define LONGEST_NAME 230 /* for what Open MPI asks when it opens a file (SoretLaunchLook()) */

PetscBool SoretH5BearsName(const char *path)
{
#ifdef OPEN_MPI
  const char *components = getenv("OMPI_MCA_sharedfp");

  return strlen(path) <= LONGEST_NAME || (components && components[0] == '^' && strstr(components, "lockedfile")) ? PETSC_TRUE : PETSC_FALSE;
#else
  return PETSC_TRUE;
#endif
}

/* What the system says to the file, asked directly since MPI-IO translates it badly. Rank 0 only. */
static PetscBool MayOpen(const char *path, SoretH5Mode mode)
{
  struct stat found;
  char        directory[PETSC_MAX_PATH_LEN];
  int         file;
  PetscBool   ok;

  if (!SoretH5BearsName(path)) {
    SoretH5Because("its name has more than %d letters, which Open MPI does not bear on several nodes; use one relative to where soret is started", LONGEST_NAME);
    return PETSC_FALSE;
  }
  if (mode == SORET_H5_CREATE) {
    if (lstat(path, &found) == 0) {
      SoretH5Because("%s", strerror(EEXIST));
      return PETSC_FALSE;
    }
    ok = !SoretDirectoryOf(path, sizeof(directory), directory) && access(directory, W_OK | X_OK) == 0 ? PETSC_TRUE : PETSC_FALSE;
    if (!ok) SoretH5Because("%s", strerror(errno));
    return ok;
  }
  file = open(path, (mode == SORET_H5_READ ? O_RDONLY : O_RDWR) | O_NONBLOCK);
  if (file < 0) SoretH5Because("%s", strerror(errno));
  else if (fstat(file, &found) == 0 && !S_ISREG(found.st_mode)) SoretH5Because("it is no regular file");
  else if (mode == SORET_H5_FILL && found.st_size > 0) SoretH5Because("it is not empty");
  if (file >= 0) close(file);
  return SoretH5HasReason() ? PETSC_FALSE : PETSC_TRUE;
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
static PetscErrorCode UseMPIIO(hid_t access, MPI_Comm comm)
{
  MPI_Info info = MPI_INFO_NULL;

  PetscFunctionBegin;
  if (num_hints) PetscCallMPI(MPI_Info_create(&info));
  for (int i = 0; i < num_hints; i++) PetscCallMPI(MPI_Info_set(info, hints[i].name, hints[i].value));
  H5Pset_fapl_mpio(access, comm, info);
  if (num_hints) PetscCallMPI(MPI_Info_free(&info));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The format of HDF5 1.8 and no older: its object headers carry checksums and hold attributes beyond 64 kB (the case text). */
static PetscErrorCode FileAccess(MPI_Comm comm, SoretH5Mode mode, hid_t *access)
{
  PetscFunctionBegin;
  *access = H5Pcreate(H5P_FILE_ACCESS);
  PetscCall(UseMPIIO(*access, comm));
  H5Pset_libver_bounds(*access, H5F_LIBVER_V18, H5F_LIBVER_V18);
  SoretH5NoLocks(*access);
  H5Pset_fclose_degree(*access, H5F_CLOSE_STRONG); /* what a failed write left open goes with the file */
  H5Pset_all_coll_metadata_ops(*access, 1);
  if (mode != SORET_H5_READ) H5Pset_coll_metadata_write(*access, 1);
  PetscFunctionReturn(PETSC_SUCCESS);
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

/* *file is negative where it cannot be opened. */
static PetscErrorCode OpenFile(MPI_Comm comm, const char *path, SoretH5Mode mode, hid_t *file)
{
  const hid_t create = KeepOrder(H5P_FILE_CREATE);
  hid_t       access;

  PetscFunctionBegin;
  PetscCall(FileAccess(comm, mode, &access));
  DropSemaphore(path);
  if (mode == SORET_H5_CREATE || mode == SORET_H5_FILL) *file = H5Fcreate(path, mode == SORET_H5_CREATE ? H5F_ACC_EXCL : H5F_ACC_TRUNC, create, access);
  else *file = H5Fopen(path, mode == SORET_H5_READ ? H5F_ACC_RDONLY : H5F_ACC_RDWR, access);
  H5Pclose(create);
  H5Pclose(access);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Frees the handle; the file is closed. */
static PetscErrorCode Destroy(SoretH5 *h5)
{
  PetscFunctionBegin;
  num_open--;
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
  num_open++;
  PetscCallMPI(MPI_Comm_dup(comm, &self->comm));
  PetscCallMPI(MPI_Comm_rank(comm, &self->rank));
  PetscCall(PetscStrallocpy(path, &self->path));
  self->mode       = mode;
  self->descriptor = -1;
  self->transfer   = H5Pcreate(H5P_DATASET_XFER);
  H5Pset_dxpl_mpio(self->transfer, H5FD_MPIO_COLLECTIVE);
  ierr = SoretH5AgreeOn(self, self->rank == 0 ? MayOpen(path, mode) : PETSC_TRUE, what, NULL);
  if (!ierr) {
    PetscCall(OpenFile(self->comm, path, mode, &self->file));
    ierr = SoretH5AgreeOn(self, self->file >= 0 ? PETSC_TRUE : PETSC_FALSE, what, NULL);
    if (!ierr) {
      self->here = self->file;
      ierr       = SoretH5AgreeOn(self, OpenDescriptor(self), what, NULL);
      if (ierr) H5Fclose(self->file);
    }
  }
  if (ierr) {
    PetscCall(Destroy(&self));
    PetscFunctionReturn(ierr);
  }
  *h5 = self;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Gives back what was reserved beyond the end, and waits for the disk. */
static PetscBool SyncFile(SoretH5 h5)
{
  struct stat found;
  PetscBool   ok;

  if (h5->descriptor < 0) return PETSC_TRUE;
  ok = fstat(h5->descriptor, &found) == 0 && ftruncate(h5->descriptor, found.st_size) == 0 && SoretSync(h5->descriptor) ? PETSC_TRUE : PETSC_FALSE;
  if (ok && (h5->mode == SORET_H5_CREATE || h5->mode == SORET_H5_FILL)) ok = SoretSyncDirectory(h5->path);
  if (!ok) SoretH5Because("%s", strerror(errno));
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
  ierr = SoretH5AgreeOn(self, ok, "complete the file", NULL);
  if (!ierr) {
    if (H5Fclose(self->file) < 0) ok = PETSC_FALSE;
    if (ok) ok = SyncFile(self);
    ierr = SoretH5AgreeOn(self, ok, "complete the file", NULL);
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

/* Makes the file as long as `end`, which is more than it is, on disk space of its own. Where the file system cannot reserve, the free space of the moment must do. */
static PetscBool SetAside(int file, hsize_t begin, hsize_t end)
{
  struct stat    found;
  struct statvfs disk;

#if defined(__linux__)
  int error;

  do error = fallocate(file, 0, (off_t)begin, (off_t)(end - begin));
  while (error && errno == EINTR);
  if (!error) return PETSC_TRUE;
  if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) return PETSC_FALSE;
#endif
  if (fstat(file, &found) || fstatvfs(file, &disk)) return PETSC_TRUE;
  errno = ENOSPC;
  if ((double)end > 512.0 * (double)found.st_blocks + (double)disk.f_bavail * (double)disk.f_frsize) return PETSC_FALSE;
  return (hsize_t)found.st_size >= end || ftruncate(file, (off_t)end) == 0 ? PETSC_TRUE : PETSC_FALSE;
}

/* Makes sure of disk space for `more` bytes before anything is written: on a full disk the collective writes of Open MPI either
   report success or wait for ever, and HDF5 leaves a damaged file. HDF5 does not tell how far a parallel file will reach, so this
   counts, and keeps a reserve for its index structures. And the file is as long as that before its head says so: HDF5 opens none that is shorter than it
   says, and frames of days would be lost where a process is killed in between. Fails on rank 0, for all to agree on. */
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

PetscErrorCode SoretH5ReserveFor(SoretH5 h5, hsize_t more, const char *what, const char *object)
{
  PetscFunctionBegin;
  PetscCall(SoretH5AgreeOn(h5, Reserve(h5, more), what, object));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ------------------------------------------------------------------------------------------------------- objects and groups */

/* H5Lexists() is an error where a group above is missing, so go down step by step. A "." in front is the object where paths begin. */
PetscBool SoretH5IsThere(SoretH5 h5, const char *path)
{
  char     *part   = strdup(path);
  PetscBool exists = part ? PETSC_TRUE : PETSC_FALSE;

  for (char *c = part; exists && *c; c++) {
    if (c[1] && c[1] != '/') continue;
    if (*c == '/' || (c == part && *c == '.')) continue;
    const char next = c[1];

    c[1]   = 0;
    exists = H5Lexists(h5->here, part, H5P_DEFAULT) > 0 && H5Oexists_by_name(h5->here, part, H5P_DEFAULT) > 0 ? PETSC_TRUE : PETSC_FALSE;
    c[1]   = next;
  }
  free(part);
  return exists;
}

PetscErrorCode SoretH5Exists(SoretH5 h5, const char *path, PetscBool *exists)
{
  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  *exists = SoretH5IsThere(h5, path);
  PetscCall(SoretH5AgreeOn(h5, SoretH5HasReason() ? PETSC_FALSE : PETSC_TRUE, "look for", path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretH5GetPlace(SoretH5 h5, const char *path, PetscReal *place)
{
  hobj_ref_t reference = 0;
  PetscBool  ok;

  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  ok     = H5Rcreate(&reference, h5->here, path, H5R_OBJECT, -1) >= 0 ? PETSC_TRUE : PETSC_FALSE;
  *place = (PetscReal)reference;
  PetscCall(SoretH5AgreeOn(h5, ok, "look for", path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretH5Enter(SoretH5 h5, PetscReal place, PetscBool *there)
{
  const hobj_ref_t reference = (hobj_ref_t)place;
  hid_t            object;

  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  if (h5->here != h5->file) H5Oclose(h5->here);
  object   = reference ? H5Rdereference2(h5->file, H5P_DEFAULT, H5R_OBJECT, &reference) : h5->file;
  *there   = object >= 0 ? PETSC_TRUE : PETSC_FALSE;
  h5->here = *there ? object : h5->file;
  SoretH5Listen(h5->path); /* where there is none that is an answer, no error */
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, there, 1, SORET_MPI_BOOL, MPI_LAND, h5->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscBool IsGroup(SoretH5 h5, const char *path)
{
  const hid_t group = SoretH5IsThere(h5, path) ? H5Oopen(h5->here, path, H5P_DEFAULT) : -1;
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

  if (SoretH5IsThere(h5, path)) {
    if (IsGroup(h5, path)) return PETSC_TRUE;
    SoretH5Because("%s is no group", path);
    return PETSC_FALSE;
  }
  create = KeepOrder(H5P_GROUP_CREATE);
  group  = H5Gcreate2(h5->here, path, H5P_DEFAULT, create, H5P_DEFAULT);
  H5Pclose(create);
  if (group >= 0) H5Gclose(group);
  return group >= 0 ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool SoretH5MakeGroups(SoretH5 h5, const char *path, PetscBool last)
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
  PetscCall(SoretH5ReserveFor(h5, SORET_H5_SMALL_BYTES, "make group", path));
  PetscCall(SoretH5AgreeOn(h5, SoretH5MakeGroups(h5, path, PETSC_TRUE), "make group", path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* --------------------------------------------------------------------------------------------------------------- attributes */

static PetscBool PutAttribute(SoretH5 h5, const char *object, const char *name, hid_t file_type, hid_t memory_type, const void *value)
{
  const hid_t where = H5Oopen(h5->here, object, H5P_DEFAULT), space = H5Screate(H5S_SCALAR);
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
  PetscCall(SoretH5ReserveFor(h5, SORET_H5_SMALL_BYTES, "write attribute", name));
  PetscCallMPI(MPI_Bcast(&value, 1, MPI_DOUBLE, 0, h5->comm));
  PetscCall(SoretH5AgreeOn(h5, PutAttribute(h5, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value), "write attribute", name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretH5WriteInt(SoretH5 h5, const char *object, const char *name, PetscInt64 value)
{
  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  PetscCall(SoretH5ReserveFor(h5, SORET_H5_SMALL_BYTES, "write attribute", name));
  PetscCallMPI(MPI_Bcast(&value, 1, MPI_INT64_T, 0, h5->comm));
  PetscCall(SoretH5AgreeOn(h5, PutAttribute(h5, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value), "write attribute", name));
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
  PetscCall(SoretH5ReserveFor(h5, (hsize_t)bytes + SORET_H5_SMALL_BYTES, "write attribute", name));
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
  PetscCall(SoretH5AgreeOn(h5, ok, "write attribute", name));
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
  if (SoretH5IsThere(h5, object) && H5Aexists_by_name(h5->here, object, name, H5P_DEFAULT) > 0) {
    attribute = H5Aopen_by_name(h5->here, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) {
      *found = IsNumber(attribute);
      if (*found) error = H5Aread(attribute, H5T_NATIVE_DOUBLE, value);
      H5Aclose(attribute);
    }
  }
  PetscCall(SoretH5AgreeOn(h5, error < 0 || SoretH5HasReason() ? PETSC_FALSE : PETSC_TRUE, "read attribute", name));
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
  if (SoretH5IsThere(h5, object) && H5Aexists_by_name(h5->here, object, name, H5P_DEFAULT) > 0) {
    attribute = H5Aopen_by_name(h5->here, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) {
      PetscCall(ReadText(attribute, value, &ok));
      H5Aclose(attribute);
    }
  }
  ierr = SoretH5AgreeOn(h5, ok && !SoretH5HasReason() ? PETSC_TRUE : PETSC_FALSE, "read attribute", name);
  if (ierr) PetscCall(PetscFree(*value));
  PetscFunctionReturn(ierr);
}
