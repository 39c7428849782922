/* SPDX-License-Identifier: BSD-2-Clause

   Datasets of parallel HDF5 files: boxes of a grid, series and texts, see soret/h5.h. */
#include "h5_private.h"

#include <stdlib.h>
#include <string.h>

#include "soret/record.h"

enum { MAX_RANK = 8 }; /* of datasets of others that we read; ours have up to 5 axes */

#define CHUNK_BYTES (1024.0 * 1024.0)
#define SMALL_CHUNK (64.0 * 1024.0)
#define SLICE_BYTES (512.0 * 1024.0 * 1024.0) /* per rank and call: MPI-IO is not trusted with 2 GiB */

/* ------------------------------------------------------------------------------------------------------------------- boxes */

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
  return bytes + bytes / 1024 + 2 * SORET_H5_SMALL_BYTES;
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
  dataset = H5Dcreate2(h5->here, path, single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
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
  /* of the shape of the selection in the file: with another one HDF5 goes through chunks entry by entry */
  *memory_space  = *entries > 0 ? H5Screate_simple(box->rank, slice.count, NULL) : H5Screate_simple(1, (hsize_t[]){1}, NULL);
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
  PetscCall(SoretH5ReserveFor(h5, BytesOnDisk(rank, extent, chunk, entry), "write", path));
  if (SoretH5IsThere(h5, path)) SoretH5Because("it exists already");
  else if (SoretH5MakeGroups(h5, path, PETSC_FALSE)) dataset = CreateDataset(h5, path, rank, extent, chunk, storage);
  PetscCall(SoretH5AgreeOn(h5, dataset >= 0 ? PETSC_TRUE : PETSC_FALSE, "write", path));
  PetscCall(WriteSlices(h5, dataset, &box, storage ? storage->single : PETSC_FALSE, data, &ok));
  if (H5Dclose(dataset) < 0) ok = PETSC_FALSE;
  PetscCall(SoretH5AgreeOn(h5, ok, "write", path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Axes of a dataset of numbers, -1 with a reason if path is something else. */
static int OpenNumbers(SoretH5 h5, const char *path, hid_t *dataset, hsize_t size[])
{
  hid_t       space, type;
  H5T_class_t class;
  int         rank = -1;

  *dataset = -1;
  if (!SoretH5IsThere(h5, path)) {
    SoretH5Because("there is no such dataset");
    return -1;
  }
  *dataset = H5Dopen2(h5->here, path, H5P_DEFAULT);
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

static PetscErrorCode ReadSlices(SoretH5 h5, hid_t dataset, const Box *box, hid_t transfer, PetscReal data[], PetscBool *ok)
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

    if (H5Dread(dataset, H5T_NATIVE_DOUBLE, memory_space, file_space, transfer, n > 0 ? &data[first] : &nothing) < 0) *ok = PETSC_FALSE;
    H5Sclose(memory_space);
  }
  H5Sclose(file_space);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Read(SoretH5 h5, const char *path, int rank, const PetscInt start[], const PetscInt count[], hid_t transfer, PetscReal data[])
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
  ierr = SoretH5AgreeOn(h5, ok, "read", path);
  if (!ierr) {
    PetscCall(ReadSlices(h5, dataset, &box, transfer, data, &ok));
    ierr = SoretH5AgreeOn(h5, ok, "read", path);
  }
  if (dataset >= 0) H5Dclose(dataset);
  PetscFunctionReturn(ierr);
}

PetscErrorCode SoretH5ReadBox(SoretH5 h5, const char *path, int rank, const PetscInt start[], const PetscInt count[], PetscReal data[])
{
  return Read(h5, path, rank, start, count, h5->transfer, data);
}

PetscErrorCode SoretH5ReadOverlapping(SoretH5 h5, const char *path, int rank, const PetscInt start[], const PetscInt count[], PetscReal data[])
{
  return Read(h5, path, rank, start, count, H5P_DEFAULT, data);
}

PetscErrorCode SoretH5GetSize(SoretH5 h5, const char *path, int *rank, PetscInt size[])
{
  hsize_t extent[MAX_RANK];
  hid_t   object = -1, space;

  PetscFunctionBegin;
  SoretH5Listen(h5->path);
  *rank = -1;
  if (SoretH5IsThere(h5, path)) object = H5Oopen(h5->here, path, H5P_DEFAULT);
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
  PetscCall(SoretH5AgreeOn(h5, SoretH5HasReason() ? PETSC_FALSE : PETSC_TRUE, "read the size of", path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ------------------------------------------------------------------------------------------------------------------- series */

static hid_t CreateSeries(SoretH5 h5, const char *path, hid_t type)
{
  const hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, (hsize_t[]){0}, (hsize_t[]){H5S_UNLIMITED});
  hid_t       dataset;

  H5Pset_chunk(create, 1, (hsize_t[]){SORET_H5_APPEND_ROWS});
  H5Pset_fill_time(create, H5D_FILL_TIME_NEVER);
  dataset = H5Dcreate2(h5->here, path, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
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
  if (!SoretH5IsThere(h5, path)) return SoretH5MakeGroups(h5, path, PETSC_FALSE) ? CreateSeries(h5, path, H5T_IEEE_F64LE) : -1;
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
  PetscCall(SoretH5ReserveFor(h5, 8 * (hsize_t)n + (SoretH5IsThere(h5, path) ? 0 : 8 * SORET_H5_APPEND_ROWS + 2 * SORET_H5_SMALL_BYTES), "append to", path));
  dataset = OpenSeries(h5, path, &length);
  start   = keep < 0 ? length : (hsize_t)keep;
  ok      = dataset >= 0 && H5Dset_extent(dataset, (hsize_t[]){start + (hsize_t)n}) >= 0 ? PETSC_TRUE : PETSC_FALSE;
  ierr    = SoretH5AgreeOn(h5, ok, "append to", path);
  if (!ierr) {
    const Box box = {.rank = 1, .start = {start}, .count = {h5->rank == 0 ? (hsize_t)n : 0}, .row = 1};

    PetscCall(WriteSlices(h5, dataset, &box, PETSC_FALSE, value, &ok));
    if (H5Dclose(dataset) < 0) ok = PETSC_FALSE;
    ierr = SoretH5AgreeOn(h5, ok, "append to", path);
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

  if (SoretH5IsThere(h5, path)) return H5Dopen2(h5->here, path, H5P_DEFAULT);
  if (!SoretH5MakeGroups(h5, path, PETSC_FALSE)) return -1;
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
  PetscCall(SoretH5ReserveFor(h5, (hsize_t)(n + SORET_H5_APPEND_ROWS) * (hsize_t)width + 2 * SORET_H5_SMALL_BYTES, "write texts", path));
  dataset = OpenTexts(h5, path, width);
  ok      = dataset >= 0 && H5Dset_extent(dataset, (hsize_t[]){(hsize_t)n}) >= 0 ? PETSC_TRUE : PETSC_FALSE;
  ierr    = SoretH5AgreeOn(h5, ok, "write texts", path);
  if (!ierr) {
    PetscCall(WriteTexts(h5, dataset, n, text, &ok));
    if (H5Dclose(dataset) < 0) ok = PETSC_FALSE;
    ierr = SoretH5AgreeOn(h5, ok, "write texts", path);
  } else if (dataset >= 0) H5Dclose(dataset);
  PetscFunctionReturn(ierr);
}
