/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/output.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <H5public.h>
#include <yaml.h>

#include "soret_commit.h"
#include "xdmf.h"

/* ---- the section `output` ---- */

#define AT(field) offsetof(SoretOutputSpec, field)
static const SoretKey output_keys[] = {
  {"file", SORET_STRING, NULL, SORET_OPTIONAL, SORET_ANY, AT(file), "result file (default: name of the case with .h5), relative to where soret is started"},
  {"every", SORET_REAL, "s", SORET_OPTIONAL, SORET_POSITIVE, AT(every), "transient: time between frames"},
  {"times", SORET_REALS, "s", SORET_OPTIONAL, SORET_NONNEGATIVE, AT(times), "transient: one frame at exactly each of these times, and one at the start"},
  {"fields", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(field_list), "what a frame holds besides the concentrations", .syntax = "list of `concentration`, `flux`, `rate`, `soret`, `entropy_production`"},
  {"precision", SORET_CHOICE, NULL, "double", SORET_ANY, AT(precision), "of the fields in the file", .choices = "double|single"},
  {"compression", SORET_INT, NULL, "0", SORET_BETWEEN(0, 9), AT(compression), "deflate level of the fields"},
  {"xdmf", SORET_BOOL, NULL, "true", SORET_ANY, AT(xdmf), "write an .xdmf file for ParaView beside the result"},
  {"overwrite", SORET_BOOL, NULL, "false", SORET_ANY, AT(overwrite), "replace an existing result once the new one is complete; without it an existing file is refused before the run"},
  {.key = NULL}};

static const char *const field_names[] = {"concentration", "flux", "rate", "soret", "entropy_production"};

PetscErrorCode SoretOutputReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`output`", output_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadFields(SoretInput in, SoretOutputSpec *spec)
{
  PetscFunctionBegin;
  spec->fields = SORET_FIELD_CONCENTRATION;
  if (!spec->field_list) PetscFunctionReturn(PETSC_SUCCESS);
  if (spec->field_list->kind != SORET_NODE_LIST) {
    PetscCall(SoretInputError(in, spec->field_list, "expected a list of fields, as in [concentration, flux]"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt k = 0; k < spec->field_list->size; k++) {
    const SoretNode *node  = spec->field_list->item[k];
    unsigned         known = 0;

    for (int f = 0; f < 5; f++) {
      if (node->kind == SORET_NODE_SCALAR && !strcmp(node->text, field_names[f])) known = 1u << f;
    }
    spec->fields |= known;
    if (!known) {
      const char *nearest = SoretNearest(node->text, 5, field_names);

      PetscCall(SoretInputError(in, node, "'%s' is not a field of the result file%s%s%s", node->text, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : ""));
      PetscCall(SoretInputHint(in, "fields: concentration, flux, rate, soret, entropy_production"));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputSpecRead(SoretInput in, SoretOutputSpec *spec)
{
  const SoretNode *node = SoretNodeFind(SoretInputRoot(in), "output");

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  PetscCall(SoretInputReadMap(in, node, SoretInputRoot(in), "section 'output'", output_keys, spec));
  PetscCall(ReadFields(in, spec));
  if (spec->every.given && spec->times.n) PetscCall(SoretInputError(in, node, "give either 'every' or 'times', not both"));
  for (PetscInt i = 1; i < spec->times.n; i++) {
    if (spec->times.value[i] > spec->times.value[i - 1]) continue;
    PetscCall(SoretInputError(in, SoretNodeFind(node, "times"), "times must increase: entry %" PetscInt_FMT " is %g after %g", i, (double)spec->times.value[i], (double)spec->times.value[i - 1]));
    break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputTimes(const SoretOutputSpec *spec, PetscReal end, PetscInt *num, PetscReal *times[])
{
  const PetscInt n = spec->every.given ? (PetscInt)PetscFloorReal(end / spec->every.value * (1.0 + 1.0e-12)) : spec->times.n;

  PetscFunctionBegin;
  *num = 0;
  PetscCall(PetscMalloc1(n + 1, times));
  for (PetscInt i = 0; i < n; i++) {
    const PetscReal t = spec->every.given ? (PetscReal)(i + 1) * spec->every.value : spec->times.value[i];

    if (t > 0.0 && t < end * (1.0 - 1.0e-12)) (*times)[(*num)++] = t;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputSayUndefined(const SoretOutputSpec *spec, const SoretModel *model, MPI_Comm comm)
{
  char why[256];

  PetscFunctionBegin;
  if (spec->fields & SORET_FIELD_ENTROPY && !SoretEntropyIsDefined(model, sizeof(why), why)) PetscCall(SoretSay(comm, "entropy_production is not defined: %s; it is written as NaN\n", why));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscReal SoretOutputFrameBytes(const SoretOutputSpec *spec, const SoretGridSpec *grid, const SoretModel *model, PetscBool varying_temperature)
{
  const PetscReal cells = (PetscReal)grid->n[0] * (PetscReal)grid->n[1] * (PetscReal)grid->n[2];
  PetscReal       arrays = (PetscReal)model->num_species + (varying_temperature ? 1.0 : 0.0);

  if (spec->fields & SORET_FIELD_FLUX) arrays += (PetscReal)(model->num_species * grid->dim);
  if (spec->fields & SORET_FIELD_RATE) arrays += (PetscReal)model->network.num_reactions;
  if (spec->fields & SORET_FIELD_SORET) arrays += 1.0;
  if (spec->fields & SORET_FIELD_ENTROPY) arrays += 1.0;
  return arrays * cells * (spec->precision ? 4.0 : 8.0);
}

/* ---- places ---- */

/* Directories, devices, pipes, and links to them or to nothing: no result replaces those, whatever is asked for. */
static PetscBool IsSpecial(const char *path)
{
  struct stat target, itself;

  if (lstat(path, &itself)) return PETSC_FALSE;
  return stat(path, &target) || !S_ISREG(target.st_mode) ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode SoretOutputCheck(const SoretOutputSpec *spec, MPI_Comm comm)
{
  PetscMPIInt rank;
  int         status = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) {
    char  directory[PETSC_MAX_PATH_LEN];
    char *slash;

    PetscCall(PetscStrncpy(directory, spec->file, sizeof(directory)));
    slash = strrchr(directory, '/');
    if (slash) *(slash == directory ? slash + 1 : slash) = 0;
    else PetscCall(PetscStrncpy(directory, ".", sizeof(directory)));
    if (!spec->overwrite && access(spec->file, F_OK) == 0) {
      (void)fprintf(stderr, "soret: the result file '%s' exists; nothing was run. Choose another with output.file=NAME, or replace it, once the new one is complete, with output.overwrite=true\n", spec->file);
      status = SORET_ERR_INPUT;
    } else if (IsSpecial(spec->file)) {
      (void)fprintf(stderr, "soret: '%s' is there and no regular file; nothing was run. Choose another with output.file=NAME\n", spec->file);
      status = SORET_ERR_INPUT;
    } else if (access(directory, W_OK | X_OK) != 0) {
      (void)fprintf(stderr, "soret: cannot write the result file '%s': directory '%s': %s\n", spec->file, directory, strerror(errno));
      status = SORET_ERR_IO;
    }
  }
  PetscCallMPI(MPI_Bcast(&status, 1, MPI_INT, 0, comm));
  PetscFunctionReturn((PetscErrorCode)status);
}

/* ---- the handle ---- */

enum { MAX_SUMMARY = 64 };

typedef struct {
  char        name[48];
  enum {
    SUMMARY_REAL,
    SUMMARY_INT,
    SUMMARY_STRING
  } kind;
  PetscReal  real;
  PetscInt64 integer;
  char       string[640];
} SummaryEntry;

struct SoretOutput_s {
  SoretOutputSpec  spec;
  SoretOperator   *op;
  const SoretSums *sums;
  MPI_Comm         comm;
  PetscBool        SI;                        /* datasets carry their units */
  char             path[PETSC_MAX_PATH_LEN];  /* of this attempt */
  PetscReal       *work;                      /* one field of this rank */
  PetscInt         num_frames;
  PetscReal       *frame_time;                /* [num_frames], on all ranks: for XDMF */
  PetscInt         frame_room;
  /* series: columns with names, rows not yet written */
  PetscInt         num_columns, num_rows, num_flushed, room;
  char           **column;
  PetscReal       *rows;                      /* [room][num_columns] */
  PetscReal        first_total[3 * SORET_MAX_SPECIES], drift;
  PetscBool        started;
  PetscInt         num_summary;
  SummaryEntry     summary[MAX_SUMMARY];
};

/* A file name that no earlier attempt has, made by rank 0 in a way that only one run can win. */
static PetscErrorCode ChooseAttempt(SoretOutput o)
{
  PetscMPIInt rank;
  int         status = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  if (rank == 0) {
    for (int attempt = 1;; attempt++) {
      int fd;

      PetscCall(PetscSNPrintf(o->path, sizeof(o->path), "%s.%d", o->spec.file, attempt));
      fd = open(o->path, O_CREAT | O_EXCL | O_WRONLY, 0666);
      if (fd >= 0) {
        (void)close(fd);
        break;
      }
      if (errno == EEXIST && attempt < 100000) continue;
      (void)fprintf(stderr, "soret: cannot create '%s': %s\n", o->path, strerror(errno));
      status = SORET_ERR_IO;
      break;
    }
    if (!status) (void)unlink(o->path); /* HDF5 makes it anew, exclusively */
  }
  PetscCallMPI(MPI_Bcast(&status, 1, MPI_INT, 0, o->comm));
  PetscCallMPI(MPI_Bcast(o->path, (PetscMPIInt)sizeof(o->path), MPI_CHAR, 0, o->comm));
  PetscFunctionReturn((PetscErrorCode)status);
}

/* Writes a field over the grid: [nz][ny][nx], or [..][trailing]; units are those of SI. */
static PetscErrorCode WriteField(SoretOutput o, SoretH5 h5, const char *path, const char *units, PetscInt trailing, const PetscReal data[])
{
  const SoretGrid   *grid    = o->op->grid;
  const SoretH5Storage storage = {.single = o->spec.precision ? PETSC_TRUE : PETSC_FALSE, .compression = (int)o->spec.compression};
  PetscInt           size[5], start[5], count[5];
  int                rank = 0;

  PetscFunctionBegin;
  for (int axis = (int)grid->dim - 1; axis >= 0; axis--, rank++) {
    size[rank]  = grid->n[axis];
    start[rank] = grid->start[axis];
    count[rank] = grid->count[axis];
  }
  if (trailing) {
    size[rank]  = trailing;
    start[rank] = 0;
    count[rank] = trailing;
    rank++;
  }
  PetscCall(SoretH5WriteBox(h5, path, rank, size, start, count, data, &storage));
  if (o->SI) PetscCall(SoretH5WriteString(h5, path, "units", units));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode WriteProvenance(SoretOutput o, SoretH5 h5, const SoretProvenance *provenance)
{
  char        petsc[256], mpi[MPI_MAX_LIBRARY_VERSION_STRING];
  char        number[64];
  int         length, major, minor, patch;
  unsigned    hmajor, hminor, hrelease;
  PetscMPIInt ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(o->comm, &ranks));
  PetscCall(SoretH5WriteString(h5, "/", "format", "soret"));
  PetscCall(SoretH5WriteInt(h5, "/", "format_version", 1));
  PetscCall(SoretH5WriteString(h5, "/", "version", SORET_VERSION));
  PetscCall(SoretH5WriteString(h5, "/", "commit", SORET_COMMIT));
  PetscCall(SoretH5WriteString(h5, "/", "title", provenance->title));
  PetscCall(SoretH5WriteString(h5, "/", "case", provenance->text));
  PetscCall(SoretH5WriteString(h5, "/", "command", provenance->command));
  PetscCall(SoretH5WriteInt(h5, "/", "ranks", ranks));
  PetscCall(PetscGetVersion(petsc, sizeof(petsc)));
  PetscCall(SoretH5WriteString(h5, "/", "petsc_version", petsc));
  PetscCallMPI(MPI_Get_library_version(mpi, &length));
  PetscCall(SoretH5WriteString(h5, "/", "mpi_version", mpi));
  (void)H5get_libversion(&hmajor, &hminor, &hrelease);
  PetscCall(PetscSNPrintf(number, sizeof(number), "%u.%u.%u", hmajor, hminor, hrelease));
  PetscCall(SoretH5WriteString(h5, "/", "hdf5_version", number));
  yaml_get_version(&major, &minor, &patch);
  PetscCall(PetscSNPrintf(number, sizeof(number), "%d.%d.%d", major, minor, patch));
  PetscCall(SoretH5WriteString(h5, "/", "libyaml_version", number));
  PetscCall(SoretH5WriteInt(h5, "/", "index_bits", (PetscInt64)(8 * sizeof(PetscInt))));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode WriteGrid(SoretOutput o, SoretH5 h5)
{
  const SoretGrid *grid = o->op->grid;
  PetscMPIInt      rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  for (int axis = 0; axis < grid->dim; axis++) {
    const PetscInt n = grid->n[axis], m = n + 1, zero = 0, mine = rank ? 0 : n, mine_edges = rank ? 0 : m;
    char           path[32];

    PetscCall(PetscSNPrintf(path, sizeof(path), "/grid/%c", SORET_AXIS_NAMES[axis]));
    PetscCall(SoretH5WriteBox(h5, path, 1, &n, &zero, &mine, grid->center[axis], NULL));
    if (o->SI) PetscCall(SoretH5WriteString(h5, path, "units", "m"));
    PetscCall(PetscSNPrintf(path, sizeof(path), "/grid/%c_edges", SORET_AXIS_NAMES[axis]));
    PetscCall(SoretH5WriteBox(h5, path, 1, &m, &zero, &mine_edges, grid->edge[axis], NULL));
    if (o->SI) PetscCall(SoretH5WriteString(h5, path, "units", "m"));
  }
  PetscCall(WriteField(o, h5, "/temperature", "K", 0, o->op->temperature->T));
  if (!grid->closed) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt p = 0; p < grid->num_cells; p++) o->work[p] = SoretGridIsSolid(grid, p);
  PetscCall(WriteField(o, h5, "/solid", "1", 0, o->work));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- series ---- */

static PetscErrorCode AddColumn(SoretOutput o, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
static PetscErrorCode AddColumn(SoretOutput o, const char *format, ...)
{
  char    name[256];
  va_list list;

  PetscFunctionBegin;
  va_start(list, format);
  PetscCall(PetscVSNPrintf(name, sizeof(name), format, NULL, list));
  va_end(list);
  PetscCall(PetscStrallocpy(name, &o->column[o->num_columns++]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode NameColumns(SoretOutput o)
{
  const SoretModel *model = o->op->model;
  const PetscInt    ns    = model->num_species;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(3 + o->sums->num + 8 * ns, &o->column));
  PetscCall(AddColumn(o, "time"));
  PetscCall(AddColumn(o, "step"));
  for (PetscInt k = 0; k < o->sums->num; k++) PetscCall(AddColumn(o, "total/%" PetscInt_FMT, k));
  for (PetscInt s = 0; s < ns; s++) PetscCall(AddColumn(o, "min/%s", model->species[s].name));
  for (PetscInt s = 0; s < ns; s++) PetscCall(AddColumn(o, "max/%s", model->species[s].name));
  for (int face = 0; face < 6; face++) {
    for (PetscInt s = 0; s < ns; s++) {
      if (SoretBoundaryCondition(o->op->boundary->spec, face, s)->kind != SORET_CLOSED) PetscCall(AddColumn(o, "boundary_flux/%s/%s", SoretFaceName(face), model->species[s].name));
    }
  }
  PetscCall(AddColumn(o, "entropy_production"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Drift of the conserved sums. */
static PetscErrorCode TrackDrift(SoretOutput o, Vec c, const SoretState *state)
{
  PetscReal mean[3 * SORET_MAX_SPECIES], scale[3 * SORET_MAX_SPECIES];

  PetscFunctionBegin;
  PetscCall(SoretSumsMeasure(o->sums, o->op, c, mean, scale));
  for (PetscInt k = 0; k < o->sums->num_global + o->sums->num_local; k++) {
    /* global sums are compared with what they should be, the others with what they were first */
    if (k < o->sums->num_global) o->first_total[k] = o->sums->mean[k];
    else if (!o->started) o->first_total[k] = state->total[k];
    if (scale[k] > 0.0) o->drift = PetscMax(o->drift, PetscAbsReal(state->total[k] - o->first_total[k]) / scale[k]);
  }
  o->started = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscReal SoretOutputDrift(SoretOutput o)
{
  return o->drift;
}

PetscErrorCode SoretOutputAddRow(SoretOutput o, PetscInt step, PetscReal t, Vec c)
{
  const PetscInt ns = o->op->num_species;
  SoretState     state;
  PetscReal     *row;

  PetscFunctionBegin;
  PetscCall(SoretDiagnoseState(o->op, o->sums, c, &state));
  PetscCall(TrackDrift(o, c, &state));
  if (o->num_rows == o->room) {
    PetscReal     *more;
    const PetscInt room = PetscMax(2 * o->room, 64);

    PetscCall(PetscMalloc1(room * o->num_columns, &more));
    if (o->rows) PetscCall(PetscArraycpy(more, o->rows, o->num_rows * o->num_columns));
    PetscCall(PetscFree(o->rows));
    o->rows = more;
    o->room = room;
  }
  row    = o->rows + o->num_columns * o->num_rows++;
  *row++ = t;
  *row++ = (PetscReal)step;
  for (PetscInt k = 0; k < o->sums->num; k++) *row++ = state.total[k];
  for (PetscInt s = 0; s < ns; s++) *row++ = state.min[s];
  for (PetscInt s = 0; s < ns; s++) *row++ = state.max[s];
  for (int face = 0; face < 6; face++) {
    for (PetscInt s = 0; s < ns; s++) {
      if (SoretBoundaryCondition(o->op->boundary->spec, face, s)->kind != SORET_CLOSED) *row++ = state.boundary_flux[face][s];
    }
  }
  *row = state.entropy_production;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FlushRows(SoretOutput o, SoretH5 h5)
{
  const PetscBool first = o->num_flushed == 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscReal      *column;

  PetscFunctionBegin;
  if (!o->num_rows) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(o->num_rows, &column));
  for (PetscInt k = 0; k < o->num_columns; k++) {
    char path[300];

    for (PetscInt r = 0; r < o->num_rows; r++) column[r] = o->rows[r * o->num_columns + k];
    PetscCall(PetscSNPrintf(path, sizeof(path), "/series/%s", o->column[k]));
    PetscCall(SoretH5Append(h5, path, o->num_rows, column));
  }
  PetscCall(PetscFree(column));
  for (PetscInt k = 0; first && k < o->sums->num; k++) {
    char path[64];

    PetscCall(PetscSNPrintf(path, sizeof(path), "/series/total/%" PetscInt_FMT, k));
    PetscCall(SoretH5WriteString(h5, path, "formula", o->sums->name[k]));
    PetscCall(SoretH5WriteInt(h5, path, "conserved", k < o->sums->num_global + o->sums->num_local));
  }
  o->num_flushed += o->num_rows;
  o->num_rows = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- frames ---- */

static PetscErrorCode WriteConcentrations(SoretOutput o, SoretH5 h5, const char *frame, Vec x)
{
  const PetscInt   ns = o->op->num_species, n = o->op->grid->num_cells;
  const PetscReal *c;
  char             path[160];

  PetscFunctionBegin;
  for (PetscInt s = 0; s < ns; s++) {
    PetscCall(VecGetArrayRead(x, &c));
    for (PetscInt p = 0; p < n; p++) o->work[p] = c[p * ns + s];
    PetscCall(VecRestoreArrayRead(x, &c));
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", frame, o->op->model->species[s].name));
    PetscCall(WriteField(o, h5, path, "mol/m^3", 0, o->work));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode WriteDerived(SoretOutput o, SoretH5 h5, const char *frame, Vec c)
{
  const SoretModel *model = o->op->model;
  char              path[160];

  PetscFunctionBegin;
  if (o->op->temperature->varies) {
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/temperature", frame));
    PetscCall(WriteField(o, h5, path, "K", 0, o->op->temperature->T));
  }
  for (PetscInt s = 0; s < model->num_species && (o->spec.fields & SORET_FIELD_FLUX); s++) {
    PetscCall(SoretDiagnoseFlux(o->op, c, s, o->work));
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/flux/%s", frame, model->species[s].name));
    PetscCall(WriteField(o, h5, path, "mol/m^2/s", o->op->grid->dim, o->work));
  }
  for (PetscInt r = 0; r < model->network.num_reactions && (o->spec.fields & SORET_FIELD_RATE); r++) {
    PetscCall(SoretDiagnoseRate(o->op, c, r, o->work));
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/rate/%" PetscInt_FMT, frame, r));
    PetscCall(WriteField(o, h5, path, "mol/m^3/s", 0, o->work));
    PetscCall(SoretH5WriteString(h5, path, "equation", model->network.reaction[r].equation));
  }
  if ((o->spec.fields & SORET_FIELD_SORET) && o->sums->num) {
    PetscCall(SoretDiagnoseSoret(o->op, c, o->sums->w, o->work, NULL));
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/soret", frame));
    PetscCall(WriteField(o, h5, path, "1/K", 0, o->work));
    PetscCall(SoretH5WriteString(h5, path, "of", o->sums->name[0]));
  }
  if (o->spec.fields & SORET_FIELD_ENTROPY) {
    PetscCall(SoretDiagnoseEntropy(o->op, c, o->work));
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/entropy_production", frame));
    PetscCall(WriteField(o, h5, path, "mol/m^3/s", 0, o->work));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* XDMF of what is complete so far, for the HDF5 file of a given name. */
static PetscErrorCode WriteXDMF(SoretOutput o, const char *xdmf_path, const char *h5_path)
{
  const SoretGrid *grid = o->op->grid;
  SoretXDMF        x    = {.dim = (int)grid->dim, .single = o->spec.precision ? PETSC_TRUE : PETSC_FALSE, .num_frames = o->num_frames, .time = o->frame_time, .num_species = o->op->num_species, .fields = o->spec.fields, .num_reactions = o->op->model->network.num_reactions, .varying_temperature = o->op->temperature->varies, .has_soret = o->sums->num ? PETSC_TRUE : PETSC_FALSE};
  PetscMPIInt      rank;
  const char      *names[SORET_MAX_SPECIES];
  int              status = 0;

  PetscFunctionBegin;
  if (!o->spec.xdmf) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  for (int axis = 0; axis < 3; axis++) x.n[axis] = grid->n[axis];
  for (PetscInt s = 0; s < o->op->num_species; s++) names[s] = o->op->model->species[s].name;
  x.species = names;
  if (rank == 0) PetscCall(SoretXDMFWrite(&x, xdmf_path, h5_path, &status));
  PetscCallMPI(MPI_Bcast(&status, 1, MPI_INT, 0, o->comm));
  PetscFunctionReturn((PetscErrorCode)status);
}

static PetscErrorCode RememberTime(SoretOutput o, PetscReal t)
{
  PetscFunctionBegin;
  if (o->num_frames == o->frame_room) {
    PetscReal *more;

    o->frame_room = PetscMax(2 * o->frame_room, 16);
    PetscCall(PetscMalloc1(o->frame_room, &more));
    if (o->frame_time) PetscCall(PetscArraycpy(more, o->frame_time, o->num_frames));
    PetscCall(PetscFree(o->frame_time));
    o->frame_time = more;
  }
  o->frame_time[o->num_frames++] = t;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputAddFrame(SoretOutput o, PetscInt step, PetscReal t, Vec c)
{
  char    frame[64], xdmf[PETSC_MAX_PATH_LEN];
  SoretH5 h5;

  PetscFunctionBegin;
  PetscCall(SoretOperatorSetTime(o->op, t));
  PetscCall(PetscSNPrintf(frame, sizeof(frame), "/frames/%06" PetscInt_FMT, o->num_frames));
  PetscCall(SoretH5Open(o->comm, o->path, SORET_H5_UPDATE, &h5));
  PetscCall(SoretH5MakeGroup(h5, frame));
  PetscCall(SoretH5WriteReal(h5, frame, "time", t));
  PetscCall(SoretH5WriteInt(h5, frame, "step", step));
  PetscCall(WriteConcentrations(o, h5, frame, c));
  PetscCall(WriteDerived(o, h5, frame, c));
  PetscCall(FlushRows(o, h5));
  PetscCall(SoretH5Close(&h5));
  PetscCall(RememberTime(o, t));
  PetscCall(PetscSNPrintf(xdmf, sizeof(xdmf), "%s.xdmf", o->path));
  PetscCall(WriteXDMF(o, xdmf, o->path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- creation ---- */

PetscErrorCode SoretOutputCreate(const SoretOutputSpec *spec, SoretOperator *op, const SoretSums *sums, const SoretProvenance *provenance, SoretOutput *output)
{
  SoretOutput o;
  SoretH5     h5;

  PetscFunctionBegin;
  PetscCall(PetscNew(output));
  o       = *output;
  o->spec = *spec;
  o->op   = op;
  o->sums = sums;
  o->comm = op->grid->comm;
  o->SI   = !provenance->reduced;
  PetscCall(PetscMalloc1(op->grid->num_cells * op->grid->dim, &o->work));
  PetscCall(NameColumns(o));
  PetscCall(ChooseAttempt(o));
  PetscCall(SoretH5Open(o->comm, o->path, SORET_H5_CREATE, &h5));
  PetscCall(WriteProvenance(o, h5, provenance));
  PetscCall(WriteGrid(o, h5));
  PetscCall(SoretH5MakeGroup(h5, "/frames"));
  PetscCall(SoretH5MakeGroup(h5, "/series"));
  PetscCall(SoretH5Close(&h5));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputDestroy(SoretOutput *output)
{
  SoretOutput o = *output;

  PetscFunctionBegin;
  if (!o) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt k = 0; k < o->num_columns; k++) PetscCall(PetscFree(o->column[k]));
  PetscCall(PetscFree(o->column));
  PetscCall(PetscFree(o->rows));
  PetscCall(PetscFree(o->frame_time));
  PetscCall(PetscFree(o->work));
  PetscCall(PetscFree(*output));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the end ---- */

static SummaryEntry *NewEntry(SoretOutput o, const char *name)
{
  SummaryEntry *entry = &o->summary[PetscMin(o->num_summary, MAX_SUMMARY - 1)];

  o->num_summary = PetscMin(o->num_summary + 1, MAX_SUMMARY);
  (void)PetscStrncpy(entry->name, name, sizeof(entry->name));
  return entry;
}

PetscErrorCode SoretOutputSummaryReal(SoretOutput o, const char *name, PetscReal value)
{
  SummaryEntry *entry = NewEntry(o, name);

  PetscFunctionBegin;
  entry->kind = SUMMARY_REAL;
  entry->real = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputSummaryInt(SoretOutput o, const char *name, PetscInt64 value)
{
  SummaryEntry *entry = NewEntry(o, name);

  PetscFunctionBegin;
  entry->kind    = SUMMARY_INT;
  entry->integer = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputSummaryString(SoretOutput o, const char *name, const char *value)
{
  SummaryEntry *entry = NewEntry(o, name);

  PetscFunctionBegin;
  entry->kind = SUMMARY_STRING;
  PetscCall(PetscStrncpy(entry->string, value, sizeof(entry->string)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode WriteSummary(SoretOutput o)
{
  SoretH5 h5;

  PetscFunctionBegin;
  PetscCall(SoretH5Open(o->comm, o->path, SORET_H5_UPDATE, &h5));
  PetscCall(FlushRows(o, h5));
  PetscCall(SoretH5MakeGroup(h5, "/summary"));
  for (PetscInt k = 0; k < o->num_summary; k++) {
    const SummaryEntry *entry = &o->summary[k];

    if (entry->kind == SUMMARY_REAL) PetscCall(SoretH5WriteReal(h5, "/summary", entry->name, entry->real));
    else if (entry->kind == SUMMARY_INT) PetscCall(SoretH5WriteInt(h5, "/summary", entry->name, entry->integer));
    else PetscCall(SoretH5WriteString(h5, "/summary", entry->name, entry->string));
  }
  PetscCall(SoretH5Close(&h5));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* NAME.xdmf beside NAME.h5. */
static PetscErrorCode XDMFName(const char *h5_path, size_t length, char name[])
{
  size_t n;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(name, h5_path, length));
  PetscCall(PetscStrlen(name, &n));
  if (n > 3 && !strcmp(name + n - 3, ".h5")) name[n - 3] = 0;
  PetscCall(PetscStrlcat(name, ".xdmf", length));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The final name. A link never replaces a file; replacing, where asked for, is one rename of a complete file. */
static PetscErrorCode TakeName(SoretOutput o, PetscBool *taken)
{
  PetscMPIInt rank;
  int         status = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  if (rank == 0) {
    if (IsSpecial(o->spec.file)) { /* it was not there before the run */
      errno  = EEXIST;
      status = -1;
    } else if (o->spec.overwrite) status = rename(o->path, o->spec.file);
    else {
      status = link(o->path, o->spec.file);
      if (status == 0) (void)unlink(o->path);
      else if (errno != EEXIST && access(o->spec.file, F_OK) != 0) status = rename(o->path, o->spec.file); /* no hard links there */
    }
    if (status) (void)fprintf(stderr, "soret: the complete result stays in '%s': cannot name it '%s': %s\n", o->path, o->spec.file, strerror(errno));
  }
  PetscCallMPI(MPI_Bcast(&status, 1, MPI_INT, 0, o->comm));
  *taken = status == 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputFinish(SoretOutput o, PetscBool complete, size_t length, char path[])
{
  char        xdmf[PETSC_MAX_PATH_LEN], old_xdmf[PETSC_MAX_PATH_LEN];
  PetscBool   taken = PETSC_FALSE;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  PetscCall(WriteSummary(o));
  PetscCall(PetscSNPrintf(old_xdmf, sizeof(old_xdmf), "%s.xdmf", o->path));
  if (complete) PetscCall(TakeName(o, &taken));
  if (taken) {
    PetscCall(XDMFName(o->spec.file, sizeof(xdmf), xdmf));
    PetscCall(WriteXDMF(o, xdmf, o->spec.file));
    if (rank == 0 && o->spec.xdmf) (void)unlink(old_xdmf);
  }
  PetscCall(PetscStrncpy(path, taken ? o->spec.file : o->path, length));
  PetscFunctionReturn(complete && !taken ? SORET_ERR_IO : PETSC_SUCCESS);
}
