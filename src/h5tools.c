/* SPDX-License-Identifier: BSD-2-Clause

   What a result file holds, and whether two of them agree; see soret/h5.h.

   Files are read without MPI-IO here: each rank opens them for itself and reads what it is to look at. No rank waits for another
   within HDF5, and a damaged file cannot hang the run. */
#include "h5_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  MAX_RANK = 32, /* the most that HDF5 knows */
  MAX_SHOWN = 20 /* lines about differences or of the case */
};

#define SLAB_BYTES (16.0 * 1024.0 * 1024.0) /* memory per file and rank */

hid_t SoretH5OpenAlone(const char *path)
{
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  hid_t       file;

  SoretH5NoLocks(access);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  file = H5Fopen(path, H5F_ACC_RDONLY, access);
  H5Pclose(access);
  return file;
}

/* --------------------------------------------------------------------------------------------------------- lists of objects */

/* Without memory the list stays as it was. */
static PetscBool Add(SoretH5List *list, const char *path)
{
  if (list->n == list->room) {
    const size_t room = 2 * list->room + 16;
    char       **more = realloc(list->path, room * sizeof(*more));

    if (!more) return PETSC_FALSE;
    list->path = more;
    list->room = room;
  }
  list->path[list->n] = strdup(path);
  if (!list->path[list->n]) return PETSC_FALSE;
  list->n++;
  return PETSC_TRUE;
}

void SoretH5FreeList(SoretH5List *list)
{
  for (size_t i = 0; i < list->n; i++) free(list->path[i]);
  free(list->path);
  *list = (SoretH5List){0};
}

H5I_type_t SoretH5TypeOf(hid_t file, const char *path)
{
  hid_t       object = -1;
  H5I_type_t  type   = H5I_BADID;

  H5E_BEGIN_TRY /* asking for what is not there is an error to HDF5 */
  {
    if (H5Oexists_by_name(file, path, H5P_DEFAULT) > 0) object = H5Oopen(file, path, H5P_DEFAULT);
  }
  H5E_END_TRY
  if (object >= 0) {
    type = H5Iget_type(object);
    H5Oclose(object);
  }
  return type;
}

static herr_t Visit(hid_t root, const char *name, const H5L_info_t *info, void *contents_pointer)
{
  SoretH5Contents        *contents = contents_pointer;
  const H5I_type_t type     = SoretH5TypeOf(root, name);
  char            *path     = malloc(strlen(name) + 2);
  PetscBool        added    = PETSC_TRUE;

  if (!path) return -1;
  sprintf(path, "/%s", name);
  if (type == H5I_DATASET) added = Add(&contents->datasets, path);
  if (type == H5I_GROUP) added = Add(&contents->groups, path);
  free(path);
  return added ? 0 : -1;
}

static int ByName(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

PetscBool SoretH5ListContents(hid_t file, SoretH5Contents *contents)
{
  *contents = (SoretH5Contents){0};
  if (H5Lvisit(file, H5_INDEX_NAME, H5_ITER_INC, Visit, contents) < 0) return PETSC_FALSE;
  if (contents->datasets.n) qsort(contents->datasets.path, contents->datasets.n, sizeof(char *), ByName);
  if (contents->groups.n) qsort(contents->groups.path, contents->groups.n, sizeof(char *), ByName);
  return PETSC_TRUE;
}

void SoretH5FreeContents(SoretH5Contents *contents)
{
  SoretH5FreeList(&contents->datasets);
  SoretH5FreeList(&contents->groups);
}

static herr_t AddChild(hid_t group, const char *name, const H5L_info_t *info, void *list)
{
  return Add(list, name) ? 0 : -1;
}

SoretH5List SoretH5ListGroup(hid_t file, const char *path)
{
  const hid_t group = SoretH5TypeOf(file, path) == H5I_GROUP ? H5Gopen2(file, path, H5P_DEFAULT) : -1;
  SoretH5List list  = {0};

  if (group >= 0) {
    const hid_t create = H5Gget_create_plist(group);
    unsigned    order  = 0;

    H5Pget_link_creation_order(create, &order);
    H5Literate(group, order & H5P_CRT_ORDER_INDEXED ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME, H5_ITER_INC, NULL, AddChild, &list);
    H5Pclose(create);
    H5Gclose(group);
  }
  return list;
}

/* --------------------------------------------------------------------------------------------------------------- attributes */

char *SoretH5AttributeText(hid_t attribute)
{
  const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  char       *text = NULL;

  if (H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1) {
    if (H5Tis_variable_str(type) > 0) {
      char *inside = NULL;

      if (H5Aread(attribute, type, &inside) >= 0 && inside) {
        text = strdup(inside);
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, &inside);
      }
    } else {
      text = calloc(H5Tget_size(type) + 1, 1);
      if (text && H5Aread(attribute, type, text) < 0) text[0] = 0;
    }
  }
  H5Sclose(space);
  H5Tclose(type);
  return text;
}

static PetscBool AttributeNumber(hid_t attribute, double *value)
{
  const hid_t       type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  const H5T_class_t class = H5Tget_class(type);
  PetscBool         found = class == H5T_INTEGER || class == H5T_FLOAT || class == H5T_ENUM ? PETSC_TRUE : PETSC_FALSE;

  if (H5Sget_simple_extent_npoints(space) != 1) found = PETSC_FALSE;
  if (found && H5Aread(attribute, H5T_NATIVE_DOUBLE, value) < 0) found = PETSC_FALSE;
  H5Sclose(space);
  H5Tclose(type);
  return found;
}

PetscBool SoretH5GetNumber(hid_t file, const char *object, const char *name, double *value)
{
  PetscBool found = PETSC_FALSE;
  hid_t     attribute;

  if (SoretH5TypeOf(file, object) == H5I_BADID && strcmp(object, "/")) return PETSC_FALSE;
  if (H5Aexists_by_name(file, object, name, H5P_DEFAULT) <= 0) return PETSC_FALSE;
  attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
  if (attribute >= 0) {
    found = AttributeNumber(attribute, value);
    H5Aclose(attribute);
  }
  return found;
}

/* --------------------------------------------------------------------------------------------------------------------- info */

static herr_t PrintAttribute(hid_t object, const char *name, const H5A_info_t *info, void *out)
{
  const hid_t attribute = strcmp(name, "case") ? H5Aopen(object, name, H5P_DEFAULT) : -1;
  char       *text;
  double      value;

  if (attribute < 0) return 0;
  text = SoretH5AttributeText(attribute);
  if (text) fprintf(out, "  %-20s  %s\n", name, text);
  else if (AttributeNumber(attribute, &value)) fprintf(out, "  %-20s  %.10g\n", name, value);
  else fprintf(out, "  %-20s  (not a single value)\n", name);
  free(text);
  H5Aclose(attribute);
  return 0;
}

/* All attributes but the case, one a line. */
static void PrintAttributes(hid_t file, const char *path, FILE *out)
{
  const hid_t object = strcmp(path, "/") && SoretH5TypeOf(file, path) == H5I_BADID ? -1 : H5Oopen(file, path, H5P_DEFAULT);

  if (object < 0) return;
  H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, PrintAttribute, out);
  H5Oclose(object);
}

/* Extent of a one-dimensional dataset, with its first and last entry; 0 if there is none. */
static hsize_t Ends(hid_t file, const char *path, double ends[2])
{
  const hid_t dataset = SoretH5TypeOf(file, path) == H5I_DATASET ? H5Dopen2(file, path, H5P_DEFAULT) : -1;
  hsize_t     n       = 0;

  if (dataset >= 0) {
    const hid_t space = H5Dget_space(dataset), memory = H5Screate(H5S_SCALAR);

    if (H5Sget_simple_extent_ndims(space) == 1) H5Sget_simple_extent_dims(space, &n, NULL);
    for (hsize_t i = 0; n > 0 && i < 2; i++) {
      H5Sselect_elements(space, H5S_SELECT_SET, 1, (hsize_t[]){i * (n - 1)});
      if (H5Dread(dataset, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, &ends[i]) < 0) n = 0;
    }
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(dataset);
  }
  return n;
}

static void PrintGrid(hid_t file, FILE *out)
{
  const char *separator = "";
  char        path[32];

  fprintf(out, "grid\n  ");
  for (int a = 0; a < 3; a++) {
    double  ends[2];
    hsize_t n;

    snprintf(path, sizeof(path), "/grid/%c_edges", SORET_AXIS_NAMES[a]);
    n = Ends(file, path, ends);
    if (n < 2) continue;
    fprintf(out, "%s%c %.6g .. %.6g in %llu cells", separator, SORET_AXIS_NAMES[a], ends[0], ends[1], (unsigned long long)n - 1);
    separator = ", ";
  }
  fprintf(out, "\n");
}

static void PrintNames(const SoretH5Contents *contents, const char *prefix, FILE *out)
{
  const size_t skip = strlen(prefix);

  for (size_t i = 0; i < contents->datasets.n; i++)
    if (!strncmp(contents->datasets.path[i], prefix, skip)) fprintf(out, " %s", contents->datasets.path[i] + skip);
  fprintf(out, "\n");
}

/* Names in a file that is not of soret may have any length. NULL without memory. */
static char *Join(const char *a, const char *b, const char *c)
{
  const size_t length = strlen(a) + strlen(b) + strlen(c) + 1;
  char        *text   = malloc(length);

  if (text) snprintf(text, length, "%s%s%s", a, b, c);
  return text;
}

static void FrameTime(hid_t file, const char *frame, double *time)
{
  char *path = Join("/frames/", frame, "");

  if (path) SoretH5GetNumber(file, path, "time", time);
  free(path);
}

static void PrintFrames(hid_t file, const SoretH5Contents *contents, FILE *out)
{
  SoretH5List frames = SoretH5ListGroup(file, "/frames");
  double      first = 0.0, last = 0.0;
  char       *path;

  if (frames.n > 0) {
    FrameTime(file, frames.path[0], &first);
    FrameTime(file, frames.path[frames.n - 1], &last);
    fprintf(out, "frames\n  %zu, time %.10g .. %.10g\n  in the last one:", frames.n, first, last);
    path = Join("/frames/", frames.path[frames.n - 1], "/");
    if (path) PrintNames(contents, path, out);
    free(path);
  }
  SoretH5FreeList(&frames);
}

static void PrintSeries(hid_t file, const char *group, const char *length_of, const SoretH5Contents *contents, FILE *out)
{
  double  ends[2];
  char    path[64];
  hsize_t rows;

  if (SoretH5TypeOf(file, group) != H5I_GROUP) return;
  snprintf(path, sizeof(path), "%s/%s", group, length_of);
  rows = Ends(file, path, ends);
  if (!rows) return; /* a sweep has no series */
  fprintf(out, "%s\n", group + 1);
  PrintAttributes(file, group, out);
  fprintf(out, "  %llu rows of:", (unsigned long long)rows);
  snprintf(path, sizeof(path), "%s/", group);
  PrintNames(contents, path, out);
}

static void PrintCase(hid_t file, FILE *out)
{
  const hid_t attribute = H5Aexists(file, "case") > 0 ? H5Aopen(file, "case", H5P_DEFAULT) : -1;
  char       *text      = attribute >= 0 ? SoretH5AttributeText(attribute) : NULL;
  int         shown = 0, lines = 0;

  if (attribute >= 0) H5Aclose(attribute);
  if (!text) return;
  fprintf(out, "case\n");
  for (char *line = text, *end; *line; line = end, lines++) {
    end = line + strcspn(line, "\n");
    if (shown < 5 * MAX_SHOWN) {
      fprintf(out, "  | %.*s\n", (int)(end - line), line);
      shown++;
    }
    if (*end) end++;
  }
  if (lines > shown) fprintf(out, "  | ... %d more lines: h5dump -a /case FILE\n", lines - shown);
  free(text);
}

static PetscBool PrintFile(const char *path, FILE *out)
{
  const hid_t file = SoretH5OpenAlone(path);
  SoretH5Contents    contents;

  if (file < 0) return PETSC_FALSE;
  if (!SoretH5ListContents(file, &contents)) {
    SoretH5FreeContents(&contents);
    H5Fclose(file);
    return PETSC_FALSE;
  }
  fprintf(out, "%s\n", path);
  PrintAttributes(file, "/", out);
  PrintGrid(file, out);
  PrintFrames(file, &contents, out);
  PrintSeries(file, "/series", "time", &contents, out);
  PrintSeries(file, "/sweep", "parameter", &contents, out);
  if (SoretH5TypeOf(file, "/summary") == H5I_GROUP) {
    fprintf(out, "summary\n");
    PrintAttributes(file, "/summary", out);
  }
  PrintCase(file, out);
  SoretH5FreeContents(&contents);
  return H5Fclose(file) >= 0 ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode SoretH5Info(MPI_Comm comm, const char *path, FILE *out)
{
  PetscMPIInt rank;
  PetscBool   ok;
  char        why[400];

  PetscFunctionBegin;
  SoretH5Listen(NULL);
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  ok = rank > 0 ? PETSC_TRUE : PrintFile(path, out);
  if (!ok) {
    SoretH5Reason(sizeof(why), why);
    SoretH5Because("%s%s", why, strstr(why, "not an HDF5 file") ? ", as results are; `soret check` reads case files" : "");
  }
  PetscCall(SoretH5Agree(comm, ok, path, "read", NULL));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ------------------------------------------------------------------------------------------------------------------ compare */

/* Two files side by side. */
typedef struct {
  MPI_Comm    comm;
  PetscMPIInt rank, size;
  const char *name[2];
  char        names[512]; /* for messages about both */
  hid_t       file[2];
  PetscReal   rtol, atol;
  PetscBool   bitwise;
  PetscBool   ok; /* nothing failed on this rank */
} Pair;

/* One line of the report. */
typedef struct {
  double badness; /* relative to the largest value; infinite where the files are not of one form */
  char   text[512];
} Difference;

/* Two results may differ in each of a million datasets: what is shown is kept. */
typedef struct {
  Difference line[MAX_SHOWN]; /* the worst, sorted */
  size_t     n, compared;     /* differences in all, objects */
} Report;

/* What comparing the entries of a dataset has found: on a part of it, later on all. */
typedef struct {
  double  worst;     /* largest |a - b|, negative as long as no entry differs */
  double  a, b;      /* there                                                 */
  hsize_t index;     /* where, counting in the order of the file              */
  double  largest;   /* max |a| of finite entries                             */
  hsize_t differing; /* number of entries                                     */
} Tally;

/* A dataset in both files. */
typedef struct {
  hid_t     dataset[2], space[2], native;
  size_t    entry; /* bytes of an entry in memory, at least those of a double */
  PetscBool numbers;
  int       rank;
  hsize_t   size[MAX_RANK], block[MAX_RANK];
} Both;

static void Say(Report *report, double badness, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(3, 4);

static PetscBool IsWorse(const Difference *one, const Difference *two)
{
  if (one->badness != two->badness) return one->badness > two->badness ? PETSC_TRUE : PETSC_FALSE;
  return strcmp(one->text, two->text) < 0 ? PETSC_TRUE : PETSC_FALSE;
}

static void Say(Report *report, double badness, const char *format, ...)
{
  Difference found = {.badness = badness};
  size_t     place = PetscMin(report->n, MAX_SHOWN);
  va_list    arguments;

  va_start(arguments, format);
  vsnprintf(found.text, sizeof(found.text), format, arguments);
  va_end(arguments);
  report->n++;
  for (; place > 0 && IsWorse(&found, &report->line[place - 1]); place--) {
    if (place < MAX_SHOWN) report->line[place] = report->line[place - 1];
  }
  if (place < MAX_SHOWN) report->line[place] = found;
}

static double Distance(double a, double b)
{
  if (a == b || (isnan(a) && isnan(b))) return 0.0;
  return isnan(a - b) ? INFINITY : fabs(a - b);
}

/* Entry n of the dataset as [k][j][i]. */
static void IndexText(const Both *both, hsize_t n, size_t length, char text[])
{
  hsize_t index[MAX_RANK];
  size_t  used = 0;

  for (int a = both->rank - 1; a >= 0; a--) {
    index[a] = n % both->size[a];
    n /= both->size[a];
  }
  text[0] = 0;
  for (int a = 0; a < both->rank && used < length; a++) used += (size_t)snprintf(text + used, length - used, "[%llu]", (unsigned long long)index[a]);
}

/* Parts to read at a time: whole chunks, so that each is decompressed once, along the rows as far as memory goes. */
static void ChooseBlock(Both *both)
{
  const hid_t create = H5Dget_create_plist(both->dataset[0]);
  double      bytes  = (double)both->entry;

  for (int a = 0; a < both->rank; a++) both->block[a] = 1;
  if (H5Pget_layout(create) == H5D_CHUNKED) H5Pget_chunk(create, both->rank, both->block);
  H5Pclose(create);
  for (int a = 0; a < both->rank; a++) bytes *= (double)both->block[a];
  for (int a = both->rank - 1; a >= 0; a--) {
    for (; both->block[a] < both->size[a] && 2.0 * bytes <= SLAB_BYTES; bytes *= 2.0) both->block[a] *= 2;
    both->block[a] = PetscMin(both->block[a], both->size[a]);
  }
}

/* Where block number b lies; its extent goes to count. Returns false beyond the last block. */
static PetscBool PlaceBlock(const Both *both, hsize_t b, hsize_t start[], hsize_t count[])
{
  for (int a = both->rank - 1; a >= 0; a--) {
    const hsize_t blocks = (both->size[a] + both->block[a] - 1) / both->block[a];

    start[a] = b % blocks * both->block[a];
    count[a] = PetscMin(both->block[a], both->size[a] - start[a]);
    b /= blocks;
  }
  return b == 0 ? PETSC_TRUE : PETSC_FALSE;
}

/* Number in the dataset of entry n of a block. */
static hsize_t EntryInFile(const Both *both, const hsize_t start[], const hsize_t count[], hsize_t n)
{
  hsize_t number = 0, stride = 1;

  for (int a = both->rank - 1; a >= 0; a--) {
    number += (start[a] + n % count[a]) * stride;
    stride *= both->size[a];
    n /= count[a];
  }
  return number;
}

/* Compares the bits first, then, of numbers, the values (which are made in place). */
static PetscBool TallyBlock(const Both *both, const hsize_t start[], const hsize_t count[], hsize_t n, char *data[2], Tally *tally)
{
  const size_t width = H5Tget_size(both->native);
  hsize_t      first = n;

  for (hsize_t i = 0; i < n; i++) {
    if (!memcmp(data[0] + i * width, data[1] + i * width, width)) continue;
    if (first == n) first = i;
    tally->differing++;
  }
  if (first < n && tally->worst < 0.0) {
    tally->worst = 0.0;
    tally->index = EntryInFile(both, start, count, first);
  }
  if (!both->numbers) return PETSC_TRUE;
  for (int f = 0; f < 2; f++)
    if (H5Tconvert(both->native, H5T_NATIVE_DOUBLE, n, data[f], NULL, H5P_DEFAULT) < 0) return PETSC_FALSE;
  for (hsize_t i = 0; i < n; i++) {
    const double a = ((double *)data[0])[i], b = ((double *)data[1])[i], distance = Distance(a, b);

    if (isfinite(a) && fabs(a) > tally->largest) tally->largest = fabs(a);
    if (distance > tally->worst && distance > 0.0) {
      tally->worst = distance;
      tally->index = EntryInFile(both, start, count, i);
      tally->a     = a;
      tally->b     = b;
    }
  }
  return PETSC_TRUE;
}

static PetscBool ReadBlock(const Both *both, const hsize_t start[], const hsize_t count[], hsize_t n, char *data[2])
{
  const hid_t memory = H5Screate_simple(1, &n, NULL);
  herr_t      error  = 0;

  for (int f = 0; f < 2 && error >= 0; f++) {
    if (both->rank > 0) error = H5Sselect_hyperslab(both->space[f], H5S_SELECT_SET, start, NULL, count, NULL);
    if (error >= 0) error = H5Dread(both->dataset[f], both->native, memory, both->space[f], H5P_DEFAULT, data[f]);
  }
  H5Sclose(memory);
  return error < 0 ? PETSC_FALSE : PETSC_TRUE;
}

/* Every rank takes its share of the blocks. */
static PetscBool TallyShare(const Pair *pair, const Both *both, Tally *tally)
{
  hsize_t   start[MAX_RANK], count[MAX_RANK], most = 1;
  char     *data[2];
  PetscBool ok;

  for (int a = 0; a < both->rank; a++) most *= both->block[a];
  if (H5Sget_simple_extent_npoints(both->space[0]) == 0) return PETSC_TRUE;
  data[0] = malloc(most * both->entry);
  data[1] = malloc(most * both->entry);
  ok      = data[0] && data[1] ? PETSC_TRUE : PETSC_FALSE;
  if (!ok) SoretH5Because("not enough memory");
  for (hsize_t b = (hsize_t)pair->rank; ok && PlaceBlock(both, b, start, count); b += (hsize_t)pair->size) {
    hsize_t n = 1;

    for (int a = 0; a < both->rank; a++) n *= count[a];
    ok = ReadBlock(both, start, count, n, data) && TallyBlock(both, start, count, n, data, tally) ? PETSC_TRUE : PETSC_FALSE;
  }
  free(data[0]);
  free(data[1]);
  return ok;
}

/* The tallies of all ranks in one. */
static PetscErrorCode Merge(const Pair *pair, Tally *tally)
{
  struct {
    double worst;
    int    rank;
  } mine = {tally->worst, pair->rank}, winner;
  unsigned long long differing = tally->differing;
  double             largest   = tally->largest;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(&mine, &winner, 1, MPI_DOUBLE_INT, MPI_MAXLOC, pair->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &differing, 1, MPI_UNSIGNED_LONG_LONG, MPI_SUM, pair->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, pair->comm));
  PetscCallMPI(MPI_Bcast(tally, sizeof(*tally), MPI_BYTE, winner.rank, pair->comm));
  tally->differing = differing;
  tally->largest   = largest;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether the two can be compared entry by entry; says so if not. */
static PetscBool SameForm(const Pair *pair, Both *both, const char *path, Report *report)
{
  const hid_t     type[2] = {H5Dget_type(both->dataset[0]), H5Dget_type(both->dataset[1])};
  const PetscBool same_type = H5Tequal(type[0], type[1]) > 0 ? PETSC_TRUE : PETSC_FALSE;
  H5T_class_t     class[2];
  hsize_t         size[MAX_RANK];
  PetscBool       same_size, skip, comparable;

  for (int f = 0; f < 2; f++) class[f] = H5Tget_class(type[f]);
  both->numbers = (class[0] == H5T_INTEGER || class[0] == H5T_FLOAT) && (class[1] == H5T_INTEGER || class[1] == H5T_FLOAT) ? PETSC_TRUE : PETSC_FALSE;
  both->rank    = H5Sget_simple_extent_dims(both->space[0], both->size, NULL);
  same_size     = H5Sget_simple_extent_dims(both->space[1], size, NULL) == both->rank ? PETSC_TRUE : PETSC_FALSE;
  for (int a = 0; same_size && a < both->rank; a++) same_size = size[a] == both->size[a] ? PETSC_TRUE : PETSC_FALSE;
  /* text of variable length is not data of ours */
  skip       = H5Tdetect_class(type[0], H5T_VLEN) > 0 || H5Tis_variable_str(type[0]) > 0 ? PETSC_TRUE : PETSC_FALSE;
  comparable = same_size && !skip && (same_type || (both->numbers && !pair->bitwise)) ? PETSC_TRUE : PETSC_FALSE;
  if (!same_size) Say(report, INFINITY, "%s: the extents differ", path);
  else if (!comparable && !skip) Say(report, INFINITY, "%s: the number types differ", path);
  both->native = same_type ? H5Tget_native_type(type[0], H5T_DIR_ASCEND) : H5Tcopy(H5T_NATIVE_DOUBLE);
  both->entry  = PetscMax(H5Tget_size(both->native), sizeof(double));
  H5Tclose(type[0]);
  H5Tclose(type[1]);
  return comparable;
}

static void SayTally(const Pair *pair, const Both *both, const char *path, const Tally *tally, Report *report)
{
  const PetscBool equal = pair->bitwise ? (tally->differing == 0 ? PETSC_TRUE : PETSC_FALSE) : (tally->worst <= pair->atol + pair->rtol * tally->largest ? PETSC_TRUE : PETSC_FALSE);
  hsize_t         total = 1;
  char            index[256];

  if (equal && (both->numbers || tally->differing == 0)) return;
  for (int a = 0; a < both->rank; a++) total *= both->size[a];
  IndexText(both, tally->index, sizeof(index), index);
  if (tally->worst > 0.0) {
    const double relative = tally->largest > 0.0 ? tally->worst / tally->largest : INFINITY;

    Say(report, relative, "%s%s: %.17g and %.17g, difference %.3g, %.3g of the largest value; %llu of %llu entries differ", path, index, tally->a, tally->b, tally->worst, relative, (unsigned long long)tally->differing, (unsigned long long)total);
  } else {
    Say(report, 0.0, "%s%s: %s; %llu of %llu entries differ", path, index, both->numbers ? "equal numbers of different bits (zeros or NaN)" : "the contents differ", (unsigned long long)tally->differing, (unsigned long long)total);
  }
}

/* Numbers in enumerations, strings and the like are compared as bits. */
static PetscErrorCode CompareDataset(Pair *pair, const char *path, Report *report)
{
  Both  both  = {.rank = 0};
  Tally tally = {.worst = -1.0};

  PetscFunctionBegin;
  for (int f = 0; f < 2; f++) {
    both.dataset[f] = H5Dopen2(pair->file[f], path, H5P_DEFAULT);
    both.space[f]   = both.dataset[f] >= 0 ? H5Dget_space(both.dataset[f]) : -1;
  }
  report->compared++;
  PetscCall(SoretH5Agree(pair->comm, both.dataset[0] >= 0 && both.dataset[1] >= 0 ? PETSC_TRUE : PETSC_FALSE, pair->names, "compare", path));
  if (SameForm(pair, &both, path, report)) {
    ChooseBlock(&both);
    if (!TallyShare(pair, &both, &tally)) pair->ok = PETSC_FALSE;
    PetscCall(Merge(pair, &tally));
    SayTally(pair, &both, path, &tally, report);
  }
  H5Tclose(both.native);
  for (int f = 0; f < 2; f++) {
    H5Sclose(both.space[f]);
    H5Dclose(both.dataset[f]);
  }
  PetscCall(SoretH5Agree(pair->comm, pair->ok, pair->names, "compare", path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Wall-clock times are no result. */
static PetscBool IsTiming(const char *path)
{
  const char *name = strrchr(path, '/') + 1;

  return !strncmp(name, "seconds", 7) || !strcmp(name, "peak_bytes") ? PETSC_TRUE : PETSC_FALSE;
}

/* Both lists are sorted, so one pass finds what is in one file only. */
static PetscErrorCode CompareDatasets(Pair *pair, const SoretH5List list[2], Report *report)
{
  size_t i = 0, j = 0;

  PetscFunctionBegin;
  while (i < list[0].n || j < list[1].n) {
    const int   order = i == list[0].n ? 1 : j == list[1].n ? -1 : strcmp(list[0].path[i], list[1].path[j]);
    const char *path  = order <= 0 ? list[0].path[i] : list[1].path[j];

    if (order && !IsTiming(path)) Say(report, INFINITY, "%s: only in %s", path, pair->name[order > 0]);
    else if (!IsTiming(path)) PetscCall(CompareDataset(pair, path, report));
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void CompareAttribute(const Pair *pair, const char *object, const char *name, Report *report)
{
  double          value[2] = {0.0, 0.0}, distance;
  const PetscBool found[2] = {SoretH5GetNumber(pair->file[0], object, name, &value[0]), SoretH5GetNumber(pair->file[1], object, name, &value[1])};

  if (!found[0] && !found[1]) return;
  report->compared++;
  if (found[0] != found[1]) {
    Say(report, INFINITY, "%s, attribute %s: only in %s", object, name, pair->name[found[1]]);
    return;
  }
  distance = Distance(value[0], value[1]);
  if (distance > pair->atol + pair->rtol * fabs(value[0])) Say(report, value[0] != 0.0 ? distance / fabs(value[0]) : INFINITY, "%s, attribute %s: %.17g and %.17g", object, name, value[0], value[1]);
}

static void CompareAttributes(const Pair *pair, const SoretH5List *groups, Report *report)
{
  for (size_t i = 0; i < groups->n; i++) {
    const char *path = groups->path[i];

    if (strncmp(path, "/frames/", 8) || strchr(path + 8, '/')) continue;
    if (SoretH5TypeOf(pair->file[1], path) != H5I_GROUP) {
      Say(report, INFINITY, "%s: only in %s", path, pair->name[0]);
      continue;
    }
    CompareAttribute(pair, path, "time", report);
    CompareAttribute(pair, path, "step", report);
  }
  CompareAttribute(pair, "/summary", "converged", report);
}

static void PrintReport(const Pair *pair, const Report *report, FILE *out)
{
  if (pair->bitwise) fprintf(out, "%s and %s %s (bitwise, %zu objects compared)\n", pair->name[0], pair->name[1], report->n ? "differ" : "are equal", report->compared);
  else fprintf(out, "%s and %s %s (rtol %g, atol %g, %zu objects compared)\n", pair->name[0], pair->name[1], report->n ? "differ" : "are equal", (double)pair->rtol, (double)pair->atol, report->compared);
  for (size_t i = 0; i < report->n && i < MAX_SHOWN; i++) fprintf(out, "  %s\n", report->line[i].text);
  if (report->n > MAX_SHOWN) fprintf(out, "  ... and %zu more differences\n", report->n - MAX_SHOWN);
}

static PetscErrorCode ComparePair(Pair *pair, FILE *out, PetscBool *equal)
{
  SoretH5Contents contents[2] = {{{0}, {0}}, {{0}, {0}}};
  Report          report      = {0};
  PetscErrorCode  ierr        = PETSC_SUCCESS;

  PetscFunctionBegin;
  for (int f = 0; f < 2 && !ierr; f++) ierr = SoretH5Agree(pair->comm, SoretH5ListContents(pair->file[f], &contents[f]), pair->name[f], "read", NULL);
  if (!ierr) ierr = CompareDatasets(pair, (SoretH5List[]){contents[0].datasets, contents[1].datasets}, &report);
  if (!ierr) {
    CompareAttributes(pair, &contents[0].groups, &report);
    *equal = report.n == 0 ? PETSC_TRUE : PETSC_FALSE;
    if (pair->rank == 0) PrintReport(pair, &report, out);
  }
  SoretH5FreeContents(&contents[0]);
  SoretH5FreeContents(&contents[1]);
  PetscFunctionReturn(ierr);
}

PetscErrorCode SoretH5Compare(MPI_Comm comm, const char *path_a, const char *path_b, PetscReal rtol, PetscReal atol, FILE *out, PetscBool *equal)
{
  Pair           pair = {.comm = comm, .name = {path_a, path_b}, .file = {-1, -1}, .rtol = rtol, .atol = atol, .bitwise = rtol == 0.0 && atol == 0.0 ? PETSC_TRUE : PETSC_FALSE, .ok = PETSC_TRUE};
  PetscErrorCode ierr = PETSC_SUCCESS;

  PetscFunctionBegin;
  *equal = PETSC_FALSE;
  SoretH5Listen(NULL);
  PetscCallMPI(MPI_Comm_rank(comm, &pair.rank));
  PetscCallMPI(MPI_Comm_size(comm, &pair.size));
  snprintf(pair.names, sizeof(pair.names), "%s and %s", path_a, path_b);
  for (int f = 0; f < 2 && !ierr; f++) {
    pair.file[f] = SoretH5OpenAlone(pair.name[f]);
    ierr         = SoretH5Agree(comm, pair.file[f] >= 0 ? PETSC_TRUE : PETSC_FALSE, pair.name[f], "open the file", NULL);
  }
  if (!ierr) ierr = ComparePair(&pair, out, equal);
  for (int f = 0; f < 2; f++)
    if (pair.file[f] >= 0) H5Fclose(pair.file[f]);
  PetscFunctionReturn(ierr);
}
