/* SPDX-License-Identifier: BSD-2-Clause

   Is a result file whole? See SoretH5Verify() in soret/h5.h. Rank 0 looks at the structure; the datasets are read by all ranks in turn. */
#include "h5_private.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RANK = 32 }; /* the most that HDF5 knows */

#define SLAB_BYTES (16.0 * 1024.0 * 1024.0) /* of a dataset, read at once */

/* What is there. */
typedef struct {
  hid_t           file;
  SoretH5Contents contents;
  size_t          frames, lost, rows, points;
  PetscBool       ended; /* with a summary */
  double          converged, bytes;
} Look;

/* ---- structure ---- */

static PetscBool HasText(hid_t file, const char *name, const char *wanted)
{
  const hid_t attribute = H5Aexists(file, name) > 0 ? H5Aopen(file, name, H5P_DEFAULT) : -1;
  char       *text      = attribute >= 0 ? SoretH5AttributeText(attribute) : NULL;
  PetscBool   same      = text && !strcmp(text, wanted) ? PETSC_TRUE : PETSC_FALSE;

  free(text);
  if (attribute >= 0) H5Aclose(attribute);
  return same;
}

/* Extent of a dataset; its number of axes, -1 if it is none. */
static int Extent(hid_t file, const char *path, hsize_t size[])
{
  const hid_t dataset = SoretH5TypeOf(file, path) == H5I_DATASET ? H5Dopen2(file, path, H5P_DEFAULT) : -1;
  int         rank    = -1;

  if (dataset >= 0) {
    const hid_t space = H5Dget_space(dataset);

    rank = H5Sget_simple_extent_dims(space, size, NULL);
    H5Sclose(space);
    H5Dclose(dataset);
  }
  return rank;
}

/* Cells along the axes, slowest first; the dimension, 0 if there is no grid. */
static int GridOf(hid_t file, hsize_t cells[3])
{
  hsize_t size[MAX_RANK];
  char    path[32];
  int     dim = 0;

  for (int a = 2; a >= 0; a--) {
    snprintf(path, sizeof(path), "/grid/%c", SORET_AXIS_NAMES[a]);
    if (Extent(file, path, size) == 1) cells[dim++] = size[0];
  }
  return dim;
}

/* Has a field of a frame one value, or one vector, in each cell? */
static void CheckField(const Look *look, const char *path, int dim, const hsize_t cells[])
{
  hsize_t size[MAX_RANK];
  int     rank = Extent(look->file, path, size);

  if (rank == dim || rank == dim + 1) {
    for (int a = 0; a < dim; a++) {
      if (size[a] != cells[a]) rank = -1;
    }
  } else rank = -1;
  if (rank < 0) SoretH5Because("%s has not one value in each cell", path);
}

/* The name of dataset i below a group, NULL if it is elsewhere. */
static const char *Below(const SoretH5Contents *contents, size_t i, const char *group)
{
  const size_t n = strlen(group);

  return i < contents->datasets.n && !strncmp(contents->datasets.path[i], group, n) && contents->datasets.path[i][n] == '/' ? contents->datasets.path[i] + n + 1 : NULL;
}

/* Number of the first dataset below a group, or of some other one if there is none: the list is sorted, and may be long. */
static size_t FirstBelow(const SoretH5Contents *contents, const char *group)
{
  const size_t n  = strlen(group);
  size_t       lo = 0, hi = contents->datasets.n;

  while (lo < hi) {
    const size_t middle = lo + (hi - lo) / 2;
    const char  *path   = contents->datasets.path[middle];
    const int    order  = strncmp(path, group, n);

    if (order < 0 || (!order && (unsigned char)path[n] < '/')) lo = middle + 1;
    else hi = middle;
  }
  return lo;
}

/* A frame: when it was, and the same fields as the one at `first` (that number of datasets, "" if this is the first). */
static void CheckFrame(Look *look, const char *path, char first[], size_t length, int dim, const hsize_t cells[])
{
  double      value, lost = 0.0;
  size_t      i = FirstBelow(&look->contents, path), k = *first ? FirstBelow(&look->contents, first) : 0;
  const char *name, *other;

  if (!SoretH5GetNumber(look->file, path, "time", &value) || !SoretH5GetNumber(look->file, path, "step", &value)) SoretH5Because("%s has no time or step", path);
  if (SoretH5GetNumber(look->file, path, "lost", &lost) && lost != 0.0) {
    look->lost++;
    return;
  }
  if (!Below(&look->contents, i, path)) SoretH5Because("%s is empty", path);
  for (; (name = Below(&look->contents, i, path)); i++, k++) {
    CheckField(look, look->contents.datasets.path[i], dim, cells);
    other = *first ? Below(&look->contents, k, first) : name;
    if (!other || strcmp(other, name)) SoretH5Because("%s has other fields than %s", path, first);
  }
  if (*first && Below(&look->contents, k, first)) SoretH5Because("%s has other fields than %s", path, first);
  if (!*first) snprintf(first, length, "%s", path);
}

static void CheckFrames(Look *look)
{
  SoretH5List frames = SoretH5ListGroup(look->file, "/frames");
  hsize_t     cells[3];
  const int   dim = GridOf(look->file, cells);
  char        path[64], first[64] = "";

  if (SoretH5TypeOf(look->file, "/frames") != H5I_GROUP || dim == 0) SoretH5Because("it has no frames, or no grid");
  look->frames = frames.n;
  for (size_t k = 0; k < frames.n; k++) {
    snprintf(path, sizeof(path), "/frames/%06zu", k);
    if (SoretH5TypeOf(look->file, path) != H5I_GROUP) SoretH5Because("%s is missing", path);
    else CheckFrame(look, path, first, sizeof(first), dim, cells);
  }
  SoretH5FreeList(&frames);
}

/* The columns of a table are of one length. */
static size_t CheckTable(const Look *look, const char *group, const char *leader, const char *apart)
{
  hsize_t size[MAX_RANK], rows = 0;
  char    path[64];

  if (SoretH5TypeOf(look->file, group) != H5I_GROUP) return 0;
  snprintf(path, sizeof(path), "%s/%s", group, leader);
  if (Extent(look->file, path, size) == 1) rows = size[0];
  for (size_t i = FirstBelow(&look->contents, group); Below(&look->contents, i, group); i++) {
    if (apart && !strcmp(Below(&look->contents, i, group), apart)) continue;
    if (Extent(look->file, look->contents.datasets.path[i], size) != 1 || size[0] != rows) SoretH5Because("%s has not as many rows as %s", look->contents.datasets.path[i], path);
  }
  return (size_t)rows;
}

static void CheckStructure(Look *look)
{
  double version;

  if (!HasText(look->file, "format", "soret") || !SoretH5GetNumber(look->file, "/", "format_version", &version) || version != 1.0) {
    SoretH5Because("it is no result of soret");
    return;
  }
  CheckFrames(look);
  look->rows   = CheckTable(look, "/series", "time", NULL);
  look->points = CheckTable(look, "/sweep", "parameter", "zero");
  look->ended  = SoretH5GetNumber(look->file, "/summary", "converged", &look->converged);
  if (!look->ended) SoretH5Because("it has no summary: its run was killed, or goes on");
}

/* ---- data ---- */

/* Reads all of a dataset, some planes of its slowest axis at a time. HDF5 notices what does not fit together. */
static PetscBool ReadAll(hid_t dataset, const char *path, double *bytes)
{
  const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
  hsize_t     size[MAX_RANK], start[MAX_RANK] = {0}, count[MAX_RANK], planes;
  const int   rank  = H5Sget_simple_extent_dims(space, size, NULL);
  double      plane = (double)H5Tget_size(type);
  PetscBool   ok    = PETSC_TRUE;
  void       *data;

  for (int a = 1; a < rank; a++) plane *= (double)size[a];
  planes = (hsize_t)PetscMax(1.0, SLAB_BYTES / plane);
  for (int a = 0; a < rank; a++) count[a] = size[a];
  if (rank > 0) planes = PetscMin(planes, PetscMax(size[0], 1));
  data = malloc((size_t)(plane * (double)planes) + 1);
  if (!data) SoretH5Because("%s: too little memory to read it", path);
  for (hsize_t at = 0; data && ok && rank > 0 && at < size[0]; at += planes) {
    hid_t memory;

    start[0] = at;
    count[0] = PetscMin(planes, size[0] - at);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    memory = H5Screate_simple(rank, count, NULL);
    if (H5Dread(dataset, type, memory, space, H5P_DEFAULT, data) < 0) ok = PETSC_FALSE;
    H5Sclose(memory);
  }
  if (rank > 0) *bytes += plane * (double)size[0];
  free(data);
  H5Sclose(space);
  H5Tclose(type);
  return ok && data ? PETSC_TRUE : PETSC_FALSE;
}

/* Every rank reads its share of the datasets. */
static PetscBool ReadShare(Look *look, PetscMPIInt rank, PetscMPIInt size)
{
  PetscBool ok = PETSC_TRUE;

  for (size_t i = (size_t)rank; i < look->contents.datasets.n && ok; i += (size_t)size) {
    const char *path    = look->contents.datasets.path[i];
    const hid_t dataset = H5Dopen2(look->file, path, H5P_DEFAULT);

    ok = dataset >= 0 ? ReadAll(dataset, path, &look->bytes) : PETSC_FALSE;
    if (dataset >= 0) H5Dclose(dataset);
  }
  return ok;
}

PetscErrorCode SoretH5Verify(MPI_Comm comm, const char *path, FILE *out, PetscBool *good)
{
  Look        look = {.file = -1};
  PetscMPIInt rank, size, mine, first;
  PetscBool   ok;
  char        why[512];

  PetscFunctionBegin;
  SoretH5Listen(path);
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  look.file = SoretH5OpenAlone(path);
  ok        = look.file >= 0 && SoretH5ListContents(look.file, &look.contents) ? PETSC_TRUE : PETSC_FALSE;
  if (ok && rank == 0) CheckStructure(&look);
  if (ok) ok = ReadShare(&look, rank, size);
  SoretH5Reason(sizeof(why), why);
  mine = ok && !why[0] ? size : rank;
  PetscCallMPI(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &look.bytes, 1, MPI_DOUBLE, MPI_SUM, comm));
  if (first < size) PetscCallMPI(MPI_Bcast(why, sizeof(why), MPI_CHAR, first, comm));
  *good = first == size ? PETSC_TRUE : PETSC_FALSE;
  if (rank == 0 && *good) {
    const size_t rows = look.points ? look.points : look.rows; /* of the table of a sweep, which has no series, or of the series */

    (void)fprintf(out, "%s: complete, %s; %zu frame%s, %zu %s%s, %.3g MB in %zu datasets\n", path, look.converged != 0.0 ? "converged" : "not converged or stopped", look.frames, look.frames == 1 ? "" : "s", rows, look.points ? "point" : "row", rows == 1 ? "" : "s", 1.0e-6 * look.bytes, look.contents.datasets.n);
  } else if (rank == 0) (void)fprintf(out, "%s: not good: %s\n", path, why[0] ? why : "HDF5 cannot read it");
  if (rank == 0 && *good && look.lost) (void)fprintf(out, "%s: %zu of the frames were lost with an earlier attempt\n", path, look.lost);
  SoretH5FreeContents(&look.contents);
  if (look.file >= 0) H5Fclose(look.file);
  PetscFunctionReturn(PETSC_SUCCESS);
}
