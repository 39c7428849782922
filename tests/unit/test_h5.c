/* SPDX-License-Identifier: BSD-2-Clause

   What is written by any number of ranks is read back by them, bit by bit; what fails is said once and hangs nobody. */
#include "soret/h5.h"
#include "test.h"

#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static PetscMPIInt rank, ranks;

/* Name of a file of this test and this number of ranks, which does not exist yet. */
static PetscErrorCode FreshName(const char *what, size_t length, char name[])
{
  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  snprintf(name, length, "test_h5_%s_%d.h5", what, ranks);
  if (rank == 0) unlink(name);
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Remove(const char *name)
{
  PetscFunctionBegin;
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  if (rank == 0) unlink(name);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The error of a call that is to fail; its line on stderr goes to `said` on rank 0. */
#define FailingCall(call, said) \
  do { \
    FILE     *test_file = tmpfile(); \
    const int test_old = dup(2), test_new = fileno(test_file); \
    PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, NULL)); \
    fflush(stderr); \
    if (rank == 0) dup2(test_new, 2); \
    const PetscErrorCode test_error = (call); \
    fflush(stderr); \
    dup2(test_old, 2); \
    PetscCall(PetscPopErrorHandler()); \
    memset(said, 0, sizeof(said)); \
    if (rank == 0 && pread(test_new, said, sizeof(said) - 1, 0) < 0) said[0] = 0; \
    close(test_old); \
    fclose(test_file); \
    PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD)); \
    Check(test_error == SORET_ERR_IO); \
  } while (0)

static PetscBool Contains(const char *text, const char *part)
{
  return rank > 0 || strstr(text, part) ? PETSC_TRUE : PETSC_FALSE;
}

/* ----------------------------------------------------------------------------------------------------------------- datasets */

/* A number that tells the place in the dataset and that float32 holds too. */
static PetscReal Value(int n, const PetscInt size[], const PetscInt index[])
{
  PetscReal number = 0.0;

  for (int a = 0; a < n; a++) number = number * (PetscReal)size[a] + (PetscReal)index[a];
  return number + 0.25;
}

/* Splits axis `along` unevenly; with `skip` rank 0 holds nothing. */
static void SplitBox(int n, const PetscInt size[], int along, PetscBool skip, PetscInt start[], PetscInt count[])
{
  const PetscInt first = skip && ranks > 1 ? 1 : 0, parts = ranks - first, mine = rank - first;

  for (int a = 0; a < n; a++) {
    start[a] = 0;
    count[a] = size[a];
  }
  start[along] = mine < 0 ? 0 : mine * mine * size[along] / (parts * parts);
  count[along] = mine < 0 ? 0 : (mine + 1) * (mine + 1) * size[along] / (parts * parts) - start[along];
}

static PetscInt FillBox(int n, const PetscInt size[], const PetscInt start[], const PetscInt count[], PetscReal data[])
{
  PetscInt total = 1, index[8];

  for (int a = 0; a < n; a++) total *= count[a];
  for (PetscInt i = 0; i < total; i++) {
    PetscInt rest = i;

    for (int a = n - 1; a >= 0; a--) {
      index[a] = start[a] + rest % count[a];
      rest /= count[a];
    }
    data[i] = Value(n, size, index);
  }
  return total;
}

/* Written in boxes split one way, read in boxes split another way. */
static PetscErrorCode RoundTrip(SoretH5 h5, const char *path, int n, const PetscInt size[], const SoretH5Storage *storage)
{
  PetscInt   start[8], count[8], extent[8], total = 1;
  PetscReal *data, *expected;
  int        axes;

  PetscFunctionBegin;
  for (int a = 0; a < n; a++) total *= size[a];
  PetscCall(PetscMalloc2(total, &data, total, &expected));
  SplitBox(n, size, 0, PETSC_TRUE, start, count);
  FillBox(n, size, start, count, data);
  PetscCall(SoretH5WriteBox(h5, path, n, size, start, count, data, storage));
  SplitBox(n, size, n > 1 ? n - 2 : 0, PETSC_FALSE, start, count);
  total = FillBox(n, size, start, count, expected);
  PetscCall(SoretH5ReadBox(h5, path, n, start, count, data));
  Check(total == 0 || !memcmp(data, expected, (size_t)total * sizeof(*data)));
  PetscCall(SoretH5GetSize(h5, path, &axes, extent));
  Check(axes == n);
  for (int a = 0; a < n; a++) Check(extent[a] == size[a]);
  PetscCall(PetscFree2(data, expected));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestBoxes(void)
{
  const PetscInt       sizes[][4] = {{17, 5, 3, 2}, {3, 1, 7, 3}, {40, 60, 50, 3}}; /* the last is split into chunks */
  const SoretH5Storage storages[] = {{PETSC_FALSE, 0}, {PETSC_TRUE, 0}, {PETSC_FALSE, 4}, {PETSC_TRUE, 1}};
  SoretH5              h5;
  char                 name[64], path[64];

  PetscFunctionBegin;
  PetscCall(FreshName("boxes", sizeof(name), name));
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_CREATE, &h5));
  for (int s = 0; s < 3; s++)
    for (int n = 1; n <= 4; n++)
      for (int k = 0; k < 4; k++) {
        snprintf(path, sizeof(path), "/size%d/storage%d/axes%d", s, k, n);
        PetscCall(RoundTrip(h5, path, n, sizes[s], &storages[k]));
      }
  PetscCall(RoundTrip(h5, "/default", 3, sizes[0], NULL));
  PetscCall(SoretH5Close(&h5));
  Check(h5 == NULL);
  PetscCall(Remove(name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The extent of the chunks, and what else other programs rely upon, seen through HDF5 itself. */
static PetscErrorCode TestLayout(void)
{
  const PetscInt size[4] = {100, 100, 100, 3};
  PetscInt       start[4], count[4];
  PetscReal     *data;
  hsize_t        chunk[4], bytes = 8;
  SoretH5        h5;
  char           name[64];

  PetscFunctionBegin;
  PetscCall(FreshName("layout", sizeof(name), name));
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_CREATE, &h5));
  SplitBox(4, size, 1, PETSC_FALSE, start, count);
  PetscCall(PetscCalloc1(count[0] * count[1] * count[2] * count[3], &data));
  PetscCall(SoretH5WriteBox(h5, "/frames/000000/A", 4, size, start, count, data, NULL));
  PetscCall(PetscFree(data));
  PetscCall(SoretH5Close(&h5));
  if (rank == 0) {
    const hid_t file = H5Fopen(name, H5F_ACC_RDONLY, H5P_DEFAULT), dataset = H5Dopen2(file, "/frames/000000/A", H5P_DEFAULT), create = H5Dget_create_plist(dataset);
    struct stat found;

    Check(H5Pget_chunk(create, 4, chunk) == 4);
    for (int a = 0; a < 4; a++) bytes *= chunk[a];
    Check(bytes <= 1 << 20 && bytes > 1 << 18);
    Check(chunk[3] == 3 && chunk[2] >= chunk[0]);
    H5Pclose(create);
    H5Dclose(dataset);
    H5Fclose(file);
    /* whole chunks are stored, but nothing that was reserved beyond */
    Check(stat(name, &found) == 0 && found.st_blocks * 512 < 40 * 1000 * 1000);
  }
  PetscCall(Remove(name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Single precision rounds once: what is read is the nearest float. */
static PetscErrorCode TestSingle(void)
{
  const PetscInt       size = 3, start = 0, count = 3, none = 0;
  const SoretH5Storage single = {PETSC_TRUE, 0};
  PetscReal            data[3] = {0.1, 1.0e30, -1.0 / 3.0}, back[3];
  SoretH5              h5;
  char                 name[64];

  PetscFunctionBegin;
  PetscCall(FreshName("single", sizeof(name), name));
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_CREATE, &h5));
  PetscCall(SoretH5WriteBox(h5, "/a", 1, &size, &start, rank == 0 ? &count : &none, data, &single));
  PetscCall(SoretH5ReadBox(h5, "/a", 1, &start, &count, back));
  for (int i = 0; i < 3; i++) Check(back[i] == (PetscReal)(float)data[i]);
  PetscCall(SoretH5Close(&h5));
  PetscCall(Remove(name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A voxel image from elsewhere: bytes, not chunked, in the oldest format. */
static PetscErrorCode TestForeign(void)
{
  const unsigned char voxel[2][3] = {{0, 1, 255}, {1, 0, 1}};
  const PetscInt      start[2] = {0, 1}, count[2] = {2, 2};
  PetscReal           back[4];
  SoretH5             h5;
  char                name[64];

  PetscFunctionBegin;
  PetscCall(FreshName("foreign", sizeof(name), name));
  if (rank == 0) {
    const hid_t file = H5Fcreate(name, H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT), space = H5Screate_simple(2, (hsize_t[]){2, 3}, NULL);
    const hid_t dataset = H5Dcreate2(file, "voxels", H5T_STD_U8BE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    Check(H5Dwrite(dataset, H5T_NATIVE_UCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, voxel) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Fclose(file);
  }
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_READ, &h5));
  PetscCall(SoretH5ReadBox(h5, "/voxels", 2, start, count, back));
  Check(back[0] == 1.0 && back[1] == 255.0 && back[2] == 0.0 && back[3] == 1.0);
  PetscCall(SoretH5Close(&h5));
  PetscCall(Remove(name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ----------------------------------------------------------------------------------------------------- series and attributes */

/* Rows come one by one and in larger lots, over the end of a chunk, and after the file was opened anew. */
static PetscErrorCode TestAppend(void)
{
  const PetscInt start = 0;
  PetscInt       size[8], total = 0;
  PetscReal      value[1500], back[4100];
  SoretH5        h5;
  char           name[64];
  int            axes;

  PetscFunctionBegin;
  PetscCall(FreshName("append", sizeof(name), name));
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_CREATE, &h5));
  for (int k = 0; k < 60; k++) {
    const PetscInt n = k == 30 || k == 50 ? 1500 : 1;

    if (k == 40) {
      PetscCall(SoretH5Close(&h5));
      PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_UPDATE, &h5));
    }
    for (PetscInt i = 0; i < n; i++) value[i] = (PetscReal)(total + i);
    PetscCall(SoretH5Append(h5, "/series/total/0", n, value));
    total += n;
  }
  PetscCall(SoretH5GetSize(h5, "/series/total/0", &axes, size));
  Check(axes == 1 && size[0] == total);
  PetscCall(SoretH5ReadBox(h5, "/series/total/0", 1, &start, &total, back));
  for (PetscInt i = 0; i < total; i++) Check(back[i] == (PetscReal)i);
  PetscCall(SoretH5Close(&h5));
  PetscCall(Remove(name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The length of a string attribute as others see it; -1 if it is not what was written. */
static PetscErrorCode CheckString(const char *file_name, const char *attribute_name, const char *expected)
{
  hid_t  file, attribute, type;
  size_t length = strlen(expected);
  char  *text;

  PetscFunctionBegin;
  if (rank > 0) PetscFunctionReturn(PETSC_SUCCESS);
  file      = H5Fopen(file_name, H5F_ACC_RDONLY, H5P_DEFAULT);
  attribute = H5Aopen(file, attribute_name, H5P_DEFAULT);
  type      = H5Aget_type(attribute);
  Check(H5Tget_size(type) == length + 1 && H5Tis_variable_str(type) == 0 && H5Tget_cset(type) == H5T_CSET_UTF8);
  PetscCall(PetscCalloc1(H5Tget_size(type) + 1, &text));
  Check(H5Aread(attribute, type, text) >= 0);
  Check(!strcmp(text, expected));
  PetscCall(PetscFree(text));
  H5Tclose(type);
  H5Aclose(attribute);
  H5Fclose(file);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Many attributes, some replaced; a number that differs between the ranks is that of rank 0; a case file may be long. */
static PetscErrorCode TestAttributes(void)
{
  const size_t long_length = 200000;
  PetscReal    value = 0.0;
  PetscBool    found;
  SoretH5      h5;
  char         name[64], attribute[16], *text;

  PetscFunctionBegin;
  PetscCall(FreshName("attributes", sizeof(name), name));
  PetscCall(PetscCalloc1(long_length + 1, &text));
  for (size_t i = 0; i < long_length; i++) text[i] = (char)('a' + i % 26);
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_CREATE, &h5));
  PetscCall(SoretH5MakeGroup(h5, "/frames/000000"));
  PetscCall(SoretH5MakeGroup(h5, "/frames/000000")); /* again: no error */
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < 20; i++) {
      snprintf(attribute, sizeof(attribute), "number%d", 20 - i);
      PetscCall(SoretH5WriteReal(h5, "/frames/000000", attribute, 0.1 * i + k + 100.0 * rank));
    }
  PetscCall(SoretH5WriteInt(h5, "/frames/000000", "step", INT64_C(1) << 40));
  PetscCall(SoretH5WriteString(h5, "/", "format", "to be replaced"));
  PetscCall(SoretH5WriteString(h5, "/", "format", "soret \xc3\xa9"));
  PetscCall(SoretH5WriteString(h5, "/", "empty", ""));
  PetscCall(SoretH5WriteString(h5, "/", "case", text));
  for (int k = 0; k < 2; k++) {
    PetscCall(SoretH5ReadReal(h5, "/frames/000000", "number17", &value, &found));
    Check(found);
    CheckClose(value, 1.3, 0.0);
    PetscCall(SoretH5ReadReal(h5, "/frames/000000", "step", &value, &found));
    Check(found && value == ldexp(1.0, 40));
    PetscCall(SoretH5ReadReal(h5, "/frames/000000", "none", &value, &found));
    Check(!found);
    PetscCall(SoretH5ReadReal(h5, "/frames/000001", "time", &value, &found));
    Check(!found);
    PetscCall(SoretH5ReadReal(h5, "/", "format", &value, &found));
    Check(!found); /* it is a text */
    PetscCall(SoretH5Close(&h5));
    if (k == 0) PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_READ, &h5));
  }
  PetscCall(CheckString(name, "format", "soret \xc3\xa9"));
  PetscCall(CheckString(name, "empty", ""));
  PetscCall(CheckString(name, "case", text));
  PetscCall(PetscFree(text));
  PetscCall(Remove(name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ------------------------------------------------------------------------------------------------------------------- errors */

static PetscErrorCode TestOpenErrors(void)
{
  SoretH5 h5;
  char    name[64], said[512];

  PetscFunctionBegin;
  PetscCall(FreshName("errors", sizeof(name), name));
  FailingCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_READ, &h5), said);
  Check(h5 == NULL && Contains(said, name) && Contains(said, "No such file"));
  FailingCall(SoretH5Open(PETSC_COMM_WORLD, "no/such/directory/a.h5", SORET_H5_CREATE, &h5), said);
  Check(Contains(said, "no/such/directory/a.h5: cannot create the file: No such file"));
  FailingCall(SoretH5Open(PETSC_COMM_WORLD, "/dev/null", SORET_H5_UPDATE, &h5), said);
  Check(Contains(said, "regular file"));
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_CREATE, &h5));
  PetscCall(SoretH5WriteInt(h5, "/", "mine", 1));
  PetscCall(SoretH5Close(&h5));
  FailingCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_CREATE, &h5), said);
  Check(Contains(said, name) && Contains(said, "File exists"));
  if (rank == 0) Check(truncate(name, 100) == 0); /* a copy that was cut short */
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  FailingCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_READ, &h5), said);
  Check(Contains(said, "truncated"));
  if (rank == 0) Check(truncate(name, 0) == 0);
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  FailingCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_READ, &h5), said);
  Check(Contains(said, "not an HDF5 file"));
  PetscCall(Remove(name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The file stays usable after each mistake. */
static PetscErrorCode TestObjectErrors(void)
{
  const PetscInt size = 4, start = 0, count = 4, none = 0, beyond = 3;
  PetscReal      data[4] = {1.0, 2.0, 3.0, 4.0}, back[4];
  PetscInt       extent[8];
  PetscBool      exists;
  SoretH5        h5;
  char           name[64], said[512];
  int            axes;

  PetscFunctionBegin;
  PetscCall(FreshName("objects", sizeof(name), name));
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_CREATE, &h5));
  PetscCall(SoretH5WriteBox(h5, "/g/a", 1, &size, &start, rank == 0 ? &count : &none, data, NULL));
  FailingCall(SoretH5WriteBox(h5, "/g/a", 1, &size, &start, rank == 0 ? &count : &none, data, NULL), said);
  Check(Contains(said, "/g/a") && Contains(said, "exists already"));
  FailingCall(SoretH5ReadBox(h5, "/g/b", 1, &start, &count, back), said);
  Check(Contains(said, "cannot read /g/b: there is no such dataset"));
  FailingCall(SoretH5ReadBox(h5, "/g/a/c", 1, &start, &count, back), said);
  FailingCall(SoretH5ReadBox(h5, "/g", 1, &start, &count, back), said);
  /* one rank alone asks for too much: all fail */
  FailingCall(SoretH5ReadBox(h5, "/g/a", 1, rank == ranks - 1 ? &beyond : &start, &count, back), said);
  Check(Contains(said, "fewer than expected"));
  FailingCall(SoretH5MakeGroup(h5, "/g/a/c"), said);
  Check(Contains(said, "/g/a is no group"));
  FailingCall(SoretH5WriteReal(h5, "/g/b", "time", 1.0), said);
  FailingCall(SoretH5Append(h5, "/g/a", 1, data), said); /* not extendible */
  PetscCall(SoretH5Exists(h5, "/g/a", &exists));
  Check(exists);
  PetscCall(SoretH5Exists(h5, "/g", &exists));
  Check(exists);
  PetscCall(SoretH5Exists(h5, "/", &exists));
  Check(exists);
  PetscCall(SoretH5Exists(h5, "/h/a", &exists));
  Check(!exists);
  PetscCall(SoretH5GetSize(h5, "/g", &axes, extent));
  Check(axes == -1);
  PetscCall(SoretH5GetSize(h5, "/h/a", &axes, extent));
  Check(axes == -1);
  PetscCall(SoretH5ReadBox(h5, "/g/a", 1, &start, &count, back));
  Check(!memcmp(data, back, sizeof(data)));
  PetscCall(SoretH5Close(&h5));
  PetscCall(Remove(name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Fills a disk of 3 MB. What was written before stays whole, and the handle can be closed. */
static PetscErrorCode FillDisk(const char *directory, const SoretH5Storage *storage)
{
  const PetscInt size[2] = {200, 1000};
  PetscInt       start[2], count[2];
  PetscReal     *data, *back;
  SoretH5        h5;
  char           name[128], said[2048];

  PetscFunctionBegin;
  snprintf(name, sizeof(name), "%s/full_%d.h5", directory, storage->compression);
  SplitBox(2, size, 0, PETSC_FALSE, start, count);
  PetscCall(PetscMalloc2(size[0] * size[1], &data, size[0] * size[1], &back));
  FillBox(2, size, start, count, data);
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_CREATE, &h5));
  PetscCall(SoretH5WriteBox(h5, "/frames/000000/A", 2, size, start, count, data, NULL));
  FailingCall(SoretH5WriteBox(h5, "/frames/000001/A", 2, size, start, count, data, storage), said);
  Check(Contains(said, "cannot write /frames/000001/A: No space left on device"));
  PetscCall(SoretH5Close(&h5));
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_READ, &h5));
  PetscCall(SoretH5ReadBox(h5, "/frames/000000/A", 2, start, count, back));
  Check(!memcmp(data, back, (size_t)(count[0] * count[1]) * sizeof(*data)));
  PetscCall(SoretH5Close(&h5));
  PetscCall(PetscFree2(data, back));
  PetscCall(Remove(name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Needs the right to mount; elsewhere there is nothing to see. */
static PetscErrorCode TestFullDisk(void)
{
  int  mounted = 0;
  char directory[64];

  PetscFunctionBegin;
  snprintf(directory, sizeof(directory), "test_h5_disk_%d", ranks);
  if (rank == 0) {
    mkdir(directory, 0700);
    mounted = mount("tmpfs", directory, "tmpfs", 0, "size=3m") == 0;
    if (!mounted) printf("no right to mount a small disk: full disks are not tested\n");
  }
  PetscCallMPI(MPI_Bcast(&mounted, 1, MPI_INT, 0, PETSC_COMM_WORLD));
  if (mounted) {
    PetscCall(FillDisk(directory, &(SoretH5Storage){PETSC_FALSE, 0}));
    PetscCall(FillDisk(directory, &(SoretH5Storage){PETSC_FALSE, 1}));
  }
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  if (rank == 0) {
    if (mounted) Check(umount(directory) == 0);
    rmdir(directory);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* --------------------------------------------------------------------------------------------------------- compare and info */

/* What makes two results differ. */
typedef struct {
  PetscReal added, time, seconds; /* added to one entry */
  PetscBool extra, single;
} Change;

static PetscErrorCode WriteResult(const char *what, const Change *change, size_t length, char name[])
{
  const PetscInt       size[3] = {20, 30, 40}, edges = 41, zero = 0;
  const SoretH5Storage storage = {change->single, 0};
  PetscInt             start[3], count[3], total;
  PetscReal           *data, edge[41];
  SoretH5              h5;

  PetscFunctionBegin;
  PetscCall(FreshName(what, length, name));
  PetscCall(SoretH5Open(PETSC_COMM_WORLD, name, SORET_H5_CREATE, &h5));
  for (int i = 0; i < 41; i++) edge[i] = 0.025 * i;
  PetscCall(SoretH5WriteBox(h5, "/grid/x_edges", 1, &edges, &zero, rank == 0 ? &edges : &zero, edge, NULL));
  SplitBox(3, size, 0, PETSC_FALSE, start, count);
  PetscCall(PetscMalloc1(size[0] * size[1] * size[2], &data));
  total = FillBox(3, size, start, count, data);
  PetscCall(SoretH5WriteBox(h5, "/frames/000000/A", 3, size, start, count, data, &storage));
  if (rank == ranks - 1) data[total - 1] += change->added;
  if (rank == 0) data[0] = NAN;
  PetscCall(SoretH5WriteBox(h5, "/frames/000001/A", 3, size, start, count, data, &storage));
  if (change->extra) PetscCall(SoretH5WriteBox(h5, "/frames/000001/B", 3, size, start, count, data, &storage));
  PetscCall(PetscFree(data));
  PetscCall(SoretH5WriteReal(h5, "/frames/000000", "time", 0.0));
  PetscCall(SoretH5WriteReal(h5, "/frames/000001", "time", 1.0 + change->time));
  PetscCall(SoretH5Append(h5, "/series/time", 2, (PetscReal[]){0.0, 1.0}));
  PetscCall(SoretH5WriteString(h5, "/", "command", what));
  PetscCall(SoretH5WriteString(h5, "/", "case", "soret: 1\ntitle: a test\n"));
  PetscCall(SoretH5MakeGroup(h5, "/summary"));
  PetscCall(SoretH5WriteReal(h5, "/summary", "seconds_solve", change->seconds));
  PetscCall(SoretH5WriteInt(h5, "/summary", "converged", 1));
  PetscCall(SoretH5Close(&h5));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Compares and hands back what was printed (rank 0). */
static PetscErrorCode Compare(const char *a, const char *b, PetscReal rtol, PetscReal atol, PetscBool *equal, size_t length, char text[])
{
  FILE *out = tmpfile();

  PetscFunctionBegin;
  PetscCall(SoretH5Compare(PETSC_COMM_WORLD, a, b, rtol, atol, out, equal));
  rewind(out);
  text[fread(text, 1, length - 1, out)] = 0;
  fclose(out);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestCompare(void)
{
  const PetscReal largest = Value(3, (PetscInt[]){20, 30, 40}, (PetscInt[]){19, 29, 39});
  char            a[64], b[64], text[4096];
  PetscBool       equal;

  PetscFunctionBegin;
  PetscCall(WriteResult("a", &(Change){.seconds = 1.0}, sizeof(a), a));

  /* provenance and timings do not count; NaN is equal to itself */
  PetscCall(WriteResult("b", &(Change){.seconds = 2.0}, sizeof(b), b));
  PetscCall(Compare(a, b, 0.0, 0.0, &equal, sizeof(text), text));
  Check(equal && Contains(text, "are equal"));

  /* one entry off by a little */
  PetscCall(WriteResult("b", &(Change){.added = 1e-6 * largest}, sizeof(b), b));
  PetscCall(Compare(a, b, 0.0, 0.0, &equal, sizeof(text), text));
  Check(!equal && Contains(text, "/frames/000001/A[19][29][39]") && Contains(text, "1 of 24000 entries differ"));
  PetscCall(Compare(a, b, 1.1e-6, 0.0, &equal, sizeof(text), text));
  Check(equal);
  PetscCall(Compare(a, b, 0.9e-6, 0.0, &equal, sizeof(text), text));
  Check(!equal);
  PetscCall(Compare(a, b, 0.0, 1.1e-6 * largest, &equal, sizeof(text), text));
  Check(equal);

  /* a number against NaN is never near */
  PetscCall(WriteResult("b", &(Change){.added = NAN}, sizeof(b), b));
  PetscCall(Compare(a, b, 1e10, 1e10, &equal, sizeof(text), text));
  Check(!equal);

  /* the worst stands first: what is missing, then the large difference, then the small one */
  PetscCall(WriteResult("b", &(Change){.added = 1e-3 * largest, .time = 1e-9, .extra = PETSC_TRUE}, sizeof(b), b));
  PetscCall(Compare(a, b, 1e-12, 0.0, &equal, sizeof(text), text));
  Check(!equal);
  if (rank == 0) {
    const char *missing = strstr(text, "/frames/000001/B: only in"), *large = strstr(text, "/frames/000001/A["), *small = strstr(text, "attribute time");

    Check(missing && large && small && missing < large && large < small);
  }

  /* single against double precision: only with a tolerance */
  PetscCall(WriteResult("b", &(Change){.single = PETSC_TRUE}, sizeof(b), b));
  PetscCall(Compare(a, b, 0.0, 0.0, &equal, sizeof(text), text));
  Check(!equal && Contains(text, "number types differ"));
  PetscCall(Compare(a, b, 1e-6, 0.0, &equal, sizeof(text), text));
  Check(equal);
  PetscCall(Remove(b));
  FailingCall(SoretH5Compare(PETSC_COMM_WORLD, a, b, 0.0, 0.0, stdout, &equal), text);
  Check(!equal && Contains(text, "No such file"));
  PetscCall(Remove(a));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestInfo(void)
{
  FILE *out = tmpfile();
  char  name[64], text[4096];

  PetscFunctionBegin;
  PetscCall(WriteResult("info", &(Change){.seconds = 1.5}, sizeof(name), name));
  PetscCall(SoretH5Info(PETSC_COMM_WORLD, name, out));
  rewind(out);
  text[fread(text, 1, sizeof(text) - 1, out)] = 0;
  fclose(out);
  if (rank > 0) CheckText(text, "");
  Check(Contains(text, name) && Contains(text, "x 0 .. 1 in 40 cells") && Contains(text, "2, time 0 .. 1"));
  Check(Contains(text, "seconds_solve") && Contains(text, "| title: a test") && Contains(text, "2 rows of: time"));
  PetscCall(Remove(name));
  FailingCall(SoretH5Info(PETSC_COMM_WORLD, name, stdout), text);
  Check(Contains(text, "No such file"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestBoxes, TestLayout, TestSingle, TestForeign, TestAppend, TestAttributes, TestOpenErrors, TestObjectErrors, TestFullDisk, TestCompare, TestInfo)
