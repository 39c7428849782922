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

#include "soret/record.h"
#include "soret_commit.h"
#include "xdmf.h"

/* ---- the section `output` ---- */

#define AT(field) offsetof(SoretOutputSpec, field)
static const SoretKey output_keys[] = {
  {"file", SORET_STRING, NULL, SORET_OPTIONAL, SORET_ANY, AT(file), "result file (default: name of the case with .h5), relative to where soret is started"},
  {"every", SORET_REAL, "s", SORET_OPTIONAL, SORET_POSITIVE, AT(every), "transient: time between frames"},
  {"times", SORET_REALS, "s", SORET_OPTIONAL, SORET_NONNEGATIVE, AT(times), "transient: one frame at exactly each of these times, and one at the start"},
  {"fields", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(field_list), "what a frame holds besides the concentrations", .syntax = "list of `concentration`, `flux`, `rate`, `soret`, `entropy_production`, `meter`"},
  {"precision", SORET_CHOICE, NULL, "double", SORET_ANY, AT(precision), "of the fields in the file", .choices = "double|single"},
  {"compression", SORET_INT, NULL, "0", SORET_BETWEEN(0, 9), AT(compression), "deflate level of the fields"},
  {"xdmf", SORET_BOOL, NULL, "true", SORET_ANY, AT(xdmf), "write an .xdmf file for ParaView beside the result"},
  {"overwrite", SORET_BOOL, NULL, "false", SORET_ANY, AT(overwrite), "replace an existing result once the new one is complete; without it an existing file is refused before the run"},
  {"record", SORET_BOOL, NULL, "false", SORET_ANY, AT(record), "write a performance record (JSON) beside the result: where the time went, memory, messages"},
  {"hints", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(hints), "hints for MPI-IO, as in {striping_factor: 16, cb_nodes: 8}", .syntax = "map of hint to value"},
  {.key = NULL}};

static const char *const field_names[] = {"concentration", "flux", "rate", "soret", "entropy_production", "meter"};
enum { NUM_FIELDS = sizeof(field_names) / sizeof(field_names[0]) };

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

    for (int f = 0; f < NUM_FIELDS; f++) {
      if (node->kind == SORET_NODE_SCALAR && !strcmp(node->text, field_names[f])) known = 1u << f;
    }
    spec->fields |= known;
    if (!known) {
      const char *nearest = SoretNearest(node->text, NUM_FIELDS, field_names);

      PetscCall(SoretInputError(in, node, "'%s' is not a field of the result file%s%s%s", node->text, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : ""));
      PetscCall(SoretInputHint(in, "fields: concentration, flux, rate, soret, entropy_production, meter"));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckHints(SoretInput in, const SoretNode *map)
{
  PetscFunctionBegin;
  if (!map) PetscFunctionReturn(PETSC_SUCCESS);
  if (map->kind != SORET_NODE_MAP) {
    PetscCall(SoretInputError(in, map, "'hints' must be a map of hint to value, as in {striping_factor: 16, cb_nodes: 8}"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt k = 0; k < map->size; k++) {
    const char *value = map->item[k]->text;

    if (map->item[k]->kind != SORET_NODE_SCALAR) PetscCall(SoretInputError(in, map->item[k], "the value of the hint '%s' must be a text or a number", map->key[k]->text));
    else if (!value[0] || strlen(value) >= MPI_MAX_INFO_VAL || strlen(map->key[k]->text) >= MPI_MAX_INFO_KEY || !SoretIsIdentifier(map->key[k]->text)) PetscCall(SoretInputError(in, map->key[k], "'%s' with the value '%s' is no hint for MPI-IO, such as cb_nodes: 8", map->key[k]->text, value));
  }
  if (map->size > 32) PetscCall(SoretInputError(in, map, "%" PetscInt_FMT " hints are more than 32", map->size));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputSpecRead(SoretInput in, SoretOutputSpec *spec)
{
  const SoretNode *node = SoretNodeFind(SoretInputRoot(in), "output");

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  PetscCall(SoretInputReadMap(in, node, SoretInputRoot(in), "section 'output'", output_keys, spec));
  if (spec->hints && SoretNodeIsNull(spec->hints)) spec->hints = NULL;
  PetscCall(ReadFields(in, spec));
  PetscCall(CheckHints(in, spec->hints));
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

PetscReal SoretOutputFrameBytes(const SoretOutputSpec *spec, const SoretGridSpec *grid, const SoretModel *model, PetscInt num_sums, PetscBool varying_temperature)
{
  const PetscReal cells = (PetscReal)grid->n[0] * (PetscReal)grid->n[1] * (PetscReal)grid->n[2];
  PetscReal       arrays = (PetscReal)model->num_species + (varying_temperature ? 1.0 : 0.0);

  if (spec->fields & SORET_FIELD_FLUX) arrays += (PetscReal)(model->num_species * grid->dim);
  if (spec->fields & SORET_FIELD_RATE) arrays += (PetscReal)model->network.num_reactions;
  if (spec->fields & SORET_FIELD_SORET) arrays += 1.0;
  if (spec->fields & SORET_FIELD_ENTROPY) arrays += 1.0;
  if (spec->fields & SORET_FIELD_METER) arrays += (PetscReal)(model->num_species + num_sums * SORET_NUM_PARTS + 2 + grid->dim);
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
  PetscBool        started, many;             /* many: problems in one file, a sweep */
  PetscBool        reacts[SORET_MAX_SPECIES]; /* which species have a column `source` */
  PetscInt         num_summary;
  SummaryEntry     summary[MAX_SUMMARY];
  SoretThermo      thermo;
  SoretMeter      *meter;                     /* of the last state, NULL before SoretOutputMeter() */
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

/* Does some reaction make or use the species? */
static PetscBool Reacts(const SoretModel *model, PetscInt s)
{
  for (PetscInt r = 0; r < model->network.num_reactions; r++) {
    if (model->network.stoichiometry[r * model->num_species + s] && !SoretNetworkIsOff(&model->network, r)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

static PetscErrorCode NameColumns(SoretOutput o, const SoretModel *model, const SoretBoundarySpec *boundary)
{
  const PetscInt ns = model->num_species;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(5 + o->sums->num + 9 * ns, &o->column));
  PetscCall(AddColumn(o, "time"));
  PetscCall(AddColumn(o, "step"));
  for (PetscInt k = 0; k < o->sums->num; k++) PetscCall(AddColumn(o, "total/%" PetscInt_FMT, k));
  for (PetscInt s = 0; s < ns; s++) PetscCall(AddColumn(o, "min/%s", model->species[s].name));
  for (PetscInt s = 0; s < ns; s++) PetscCall(AddColumn(o, "max/%s", model->species[s].name));
  for (int face = 0; face < 6; face++) {
    for (PetscInt s = 0; s < ns; s++) {
      if (SoretBoundaryCondition(boundary, face, s)->kind != SORET_CLOSED) PetscCall(AddColumn(o, "boundary_flux/%s/%s", SoretFaceName(face), model->species[s].name));
    }
  }
  for (PetscInt s = 0; s < ns; s++) {
    o->reacts[s] = Reacts(model, s);
    if (o->reacts[s]) PetscCall(AddColumn(o, "source/%s", model->species[s].name));
  }
  PetscCall(AddColumn(o, "entropy_production"));
  PetscCall(AddColumn(o, "entropy_reactions"));
  PetscCall(AddColumn(o, "entropy_diffusion"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputColumns(const SoretModel *model, const SoretBoundarySpec *boundary, const SoretSums *sums, PetscInt *num, char **names[])
{
  SoretOutput o;

  PetscFunctionBegin;
  PetscCall(PetscNew(&o));
  o->sums = sums;
  PetscCall(NameColumns(o, model, boundary));
  *num   = o->num_columns;
  *names = o->column;
  PetscCall(PetscFree(o));
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

PetscErrorCode SoretOutputMeasure(SoretOutput o, PetscInt step, PetscReal t, Vec c, PetscReal row[])
{
  const PetscInt ns = o->op->num_species;
  SoretState     state;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_OUTPUT);
  PetscCall(SoretDiagnoseState(o->op, o->sums, c, &state));
  PetscCall(TrackDrift(o, c, &state));
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
  for (PetscInt s = 0; s < ns; s++) {
    if (o->reacts[s]) *row++ = state.source[s];
  }
  *row++ = state.entropy_reactions + state.entropy_diffusion;
  *row++ = state.entropy_reactions;
  *row   = state.entropy_diffusion;
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputAddRow(SoretOutput o, PetscInt step, PetscReal t, Vec c)
{
  PetscFunctionBegin;
  if (o->num_rows == o->room) {
    PetscReal     *more;
    const PetscInt room = PetscMax(2 * o->room, 64);

    PetscCall(PetscMalloc1(room * o->num_columns, &more));
    if (o->rows) PetscCall(PetscArraycpy(more, o->rows, o->num_rows * o->num_columns));
    PetscCall(PetscFree(o->rows));
    o->rows = more;
    o->room = room;
  }
  PetscCall(SoretOutputMeasure(o, step, t, c, o->rows + o->num_columns * o->num_rows++));
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

/* One dataset of the group `meter` of a frame. */
typedef struct {
  enum {
    METER_SPECIES,
    METER_PART,
    METER_EQUILIBRIUM,
    METER_ENTROPY,
    METER_HEAT
  } kind;
  PetscInt    index; /* species, sum or SoretEntropy */
  SoretPart   part;
  char        path[128]; /* below the frame */
  const char *units, *of;
} MeterField;

static MeterField *AddMeterField(MeterField *field, int kind, PetscInt index, const char *units, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(5, 6);
static MeterField *AddMeterField(MeterField *field, int kind, PetscInt index, const char *units, const char *format, ...)
{
  va_list list;

  *field = (MeterField){.kind = kind, .index = index, .units = units};
  va_start(list, format);
  (void)vsnprintf(field->path, sizeof(field->path), format, list);
  va_end(list);
  return field + 1;
}

static PetscErrorCode ListMeter(const SoretOutput o, PetscInt *num, MeterField **list)
{
  const SoretModel *model = o->op->model;
  MeterField       *next;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(model->num_species + o->sums->num * (SORET_NUM_PARTS + 1) + 3, list));
  next = *list;
  for (PetscInt s = 0; s < model->num_species; s++) next = AddMeterField(next, METER_SPECIES, s, "1/K", "meter/species/%s", model->species[s].name);
  for (PetscInt k = 0; k < o->sums->num; k++) {
    for (int part = 0; part <= SORET_NUM_PARTS; part++) {
      if (part < SORET_NUM_PARTS) next = AddMeterField(next, METER_PART, k, "1/K", "meter/total/%" PetscInt_FMT "/%s", k, SoretPartName((SoretPart)part));
      else next = AddMeterField(next, METER_EQUILIBRIUM, k, "1/K", "meter/total/%" PetscInt_FMT "/equilibrium", k);
      next[-1].part = (SoretPart)part;
      next[-1].of   = o->sums->name[k];
    }
  }
  next = AddMeterField(next, METER_ENTROPY, SORET_ENTROPY_REACTIONS, "mol/m^3/s", "meter/entropy/reactions");
  next = AddMeterField(next, METER_ENTROPY, SORET_ENTROPY_DIFFUSION, "mol/m^3/s", "meter/entropy/diffusion");
  next = AddMeterField(next, METER_HEAT, 0, "W/m^2", "meter/heat");
  *num = (PetscInt)(next - *list);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FillMeterField(SoretOutput o, const MeterField *field, Vec c)
{
  PetscReal w[SORET_MAX_SPECIES] = {0.0};

  PetscFunctionBegin;
  switch (field->kind) {
  case METER_SPECIES:
    w[field->index] = 1.0;
    PetscCall(SoretDiagnoseSoret(o->op, c, w, SORET_PART_WHOLE, o->work));
    break;
  case METER_PART:
    PetscCall(SoretDiagnoseSoret(o->op, c, o->sums->w + field->index * o->sums->num_species, field->part, o->work));
    break;
  case METER_EQUILIBRIUM:
    PetscCall(SoretDiagnoseEquilibrium(o->op, &o->thermo, c, field->index, o->work));
    break;
  case METER_ENTROPY:
    PetscCall(SoretDiagnoseEntropy(o->op, (SoretEntropy)field->index, c, o->work));
    break;
  case METER_HEAT:
    PetscCall(SoretDiagnoseHeat(o->op, &o->thermo, c, o->work));
    break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode WriteMeter(SoretOutput o, SoretH5 h5, const char *frame, Vec c)
{
  PetscInt    num;
  MeterField *list;

  PetscFunctionBegin;
  PetscCall(ListMeter(o, &num, &list));
  for (PetscInt k = 0; k < num; k++) {
    char path[256];

    PetscCall(FillMeterField(o, &list[k], c));
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", frame, list[k].path));
    PetscCall(WriteField(o, h5, path, list[k].units, list[k].kind == METER_HEAT ? o->op->grid->dim : 0, o->work));
    if (list[k].of) PetscCall(SoretH5WriteString(h5, path, "of", list[k].of));
  }
  PetscCall(PetscFree(list));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode WriteDerived(SoretOutput o, SoretH5 h5, const char *frame, Vec c)
{
  const SoretModel *model = o->op->model;
  char              path[160];

  PetscFunctionBegin;
  if (o->op->temperature->varies || o->many) {
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
    PetscCall(SoretDiagnoseSoret(o->op, c, o->sums->w, SORET_PART_WHOLE, o->work));
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/soret", frame));
    PetscCall(WriteField(o, h5, path, "1/K", 0, o->work));
    PetscCall(SoretH5WriteString(h5, path, "of", o->sums->name[0]));
  }
  if (o->spec.fields & SORET_FIELD_ENTROPY) {
    PetscCall(SoretDiagnoseEntropy(o->op, SORET_ENTROPY_BOTH, c, o->work));
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/entropy_production", frame));
    PetscCall(WriteField(o, h5, path, "mol/m^3/s", 0, o->work));
  }
  if (o->spec.fields & SORET_FIELD_METER) PetscCall(WriteMeter(o, h5, frame, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* XDMF of what is complete so far, for the HDF5 file of a given name. */
static PetscErrorCode WriteXDMF(SoretOutput o, const char *xdmf_path, const char *h5_path)
{
  const SoretGrid *grid = o->op->grid;
  SoretXDMF        x    = {.dim = (int)grid->dim, .single = o->spec.precision ? PETSC_TRUE : PETSC_FALSE, .num_frames = o->num_frames, .time = o->frame_time, .num_species = o->op->num_species, .fields = o->spec.fields, .num_reactions = o->op->model->network.num_reactions, .varying_temperature = o->op->temperature->varies || o->many ? PETSC_TRUE : PETSC_FALSE, .has_soret = o->sums->num ? PETSC_TRUE : PETSC_FALSE};
  PetscMPIInt      rank;
  const char      *names[SORET_MAX_SPECIES], **extra = NULL;
  MeterField      *list = NULL;
  PetscInt         num  = 0;
  int              status = 0;

  PetscFunctionBegin;
  if (!o->spec.xdmf) PetscFunctionReturn(PETSC_SUCCESS);
  if (o->spec.fields & SORET_FIELD_METER) PetscCall(ListMeter(o, &num, &list));
  PetscCall(PetscMalloc1(num, &extra));
  for (PetscInt k = 0; k < num; k++) {
    if (list[k].kind != METER_HEAT) extra[x.num_extra++] = list[k].path; /* a vector of fewer than three components is none there */
  }
  x.extra = extra;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  for (int axis = 0; axis < 3; axis++) x.n[axis] = grid->n[axis];
  for (PetscInt s = 0; s < o->op->num_species; s++) names[s] = o->op->model->species[s].name;
  x.species = names;
  if (rank == 0) PetscCall(SoretXDMFWrite(&x, xdmf_path, h5_path, &status));
  PetscCall(PetscFree(extra));
  PetscCall(PetscFree(list));
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
  SoretRecordBegin(SORET_PHASE_OUTPUT);
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
  PetscCall(RememberTime(o, o->many ? (PetscReal)o->num_frames : t)); /* viewers order the frames by it */
  PetscCall(PetscSNPrintf(xdmf, sizeof(xdmf), "%s.xdmf", o->path));
  PetscCall(WriteXDMF(o, xdmf, o->path));
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- creation ---- */

PetscErrorCode SoretOutputCreate(const SoretOutputSpec *spec, SoretOperator *op, const SoretSums *sums, const SoretProvenance *provenance, SoretOutput *output)
{
  SoretOutput o;
  SoretH5     h5;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_OUTPUT);
  PetscCall(PetscNew(output));
  o       = *output;
  o->spec = *spec;
  o->op   = op;
  o->sums = sums;
  o->comm = op->grid->comm;
  o->SI   = !provenance->reduced;
  PetscCall(PetscMalloc1(op->grid->num_cells * op->grid->dim, &o->work));
  for (PetscInt k = 0; spec->hints && k < spec->hints->size; k++) PetscCall(SoretH5SetHint(spec->hints->key[k]->text, spec->hints->item[k]->text));
  PetscCall(SoretDiagnoseThermo(op, sums, &o->thermo));
  PetscCall(NameColumns(o, op->model, op->boundary->spec));
  PetscCall(ChooseAttempt(o));
  PetscCall(SoretH5Open(o->comm, o->path, SORET_H5_CREATE, &h5));
  PetscCall(WriteProvenance(o, h5, provenance));
  PetscCall(WriteGrid(o, h5));
  PetscCall(SoretH5MakeGroup(h5, "/frames"));
  PetscCall(SoretH5MakeGroup(h5, "/series"));
  PetscCall(SoretH5Close(&h5));
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputRebind(SoretOutput o, SoretOperator *op, const SoretSums *sums)
{
  PetscFunctionBegin;
  o->op      = op;
  o->sums    = sums;
  o->many    = PETSC_TRUE;
  o->started = PETSC_FALSE;
  o->drift   = 0.0;
  PetscCall(SoretThermoDestroy(&o->thermo));
  PetscCall(SoretDiagnoseThermo(op, sums, &o->thermo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

const char *SoretOutputPath(SoretOutput o)
{
  return o->path;
}

PetscInt SoretOutputNumFrames(SoretOutput o)
{
  return o->num_frames;
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
  PetscCall(PetscFree(o->meter));
  PetscCall(SoretThermoDestroy(&o->thermo));
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

PetscErrorCode SoretOutputCost(SoretOutput o, PetscReal drift)
{
  const PetscReal setup = SoretRecordSeconds(SORET_PHASE_SETUP), output = SoretRecordSeconds(SORET_PHASE_OUTPUT);
  const PetscReal solve = SoretRecordElapsed() - SoretRecordSeconds(SORET_PHASE_START) - setup - output;
  PetscReal       bytes, smallest, largest;

  PetscFunctionBegin;
  PetscCall(SoretRecordMemory(o->comm, &smallest, &largest, &bytes));
  PetscCall(SoretOutputSummaryReal(o, "conservation_drift", drift));
  PetscCall(SoretOutputSummaryReal(o, "seconds_setup", setup));
  PetscCall(SoretOutputSummaryReal(o, "seconds_solve", solve));
  PetscCall(SoretOutputSummaryReal(o, "seconds_output", output));
  PetscCall(SoretOutputSummaryReal(o, "peak_bytes", bytes));
  PetscCall(SoretSay(o->comm, "conservation drift %.2g, setup %.3g s, solve %.3g s, output %.3g s, %.3g GiB\n", (double)drift, (double)setup, (double)solve, (double)output, (double)(bytes / 1073741824.0)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the meter in the summary ---- */

/* in, out, source and change of a sum of species. */
static void BudgetOf(const SoretMeter *meter, PetscInt ns, const PetscReal w[], PetscReal budget[4])
{
  for (int b = 0; b < 4; b++) budget[b] = 0.0;
  for (PetscInt s = 0; s < ns; s++) {
    budget[0] += w[s] * meter->in[s];
    budget[1] += w[s] * meter->out[s];
    budget[2] += w[s] * meter->source[s];
    budget[3] += w[s] * meter->change[s];
  }
}

static PetscErrorCode WriteBudget(SoretH5 h5, const char *group, const PetscReal budget[4])
{
  static const char *const names[4] = {"in", "out", "source", "change"};

  PetscFunctionBegin;
  PetscCall(SoretH5MakeGroup(h5, group));
  for (int b = 0; b < 4; b++) PetscCall(SoretH5WriteReal(h5, group, names[b], budget[b]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode WriteMeterSum(SoretOutput o, SoretH5 h5, PetscInt k)
{
  const SoretMeterSum *sum = &o->meter->sum[k];
  char                 group[128], path[160];
  PetscReal            budget[4];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(group, sizeof(group), "/summary/soret/total/%" PetscInt_FMT, k));
  PetscCall(SoretH5MakeGroup(h5, group));
  PetscCall(SoretH5WriteString(h5, group, "of", o->sums->name[k]));
  for (int part = 0; part < SORET_NUM_PARTS; part++) PetscCall(SoretH5WriteReal(h5, group, SoretPartName((SoretPart)part), sum->part[part]));
  PetscCall(SoretH5WriteReal(h5, group, "equilibrium", sum->equilibrium));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/inversions", group));
  if (sum->num_inversions) PetscCall(SoretH5Append(h5, path, sum->num_inversions, sum->inversion));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/inversions_equilibrium", group));
  if (sum->num_equilibrium) PetscCall(SoretH5Append(h5, path, sum->num_equilibrium, sum->inversion_equilibrium));
  BudgetOf(o->meter, o->sums->num_species, o->sums->w + k * o->sums->num_species, budget);
  PetscCall(PetscSNPrintf(group, sizeof(group), "/summary/budget/total/%" PetscInt_FMT, k));
  PetscCall(WriteBudget(h5, group, budget));
  PetscCall(SoretH5WriteString(h5, group, "of", o->sums->name[k]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode WriteMeterSummary(SoretOutput o, SoretH5 h5)
{
  const SoretModel *model = o->op->model;

  PetscFunctionBegin;
  PetscCall(SoretH5MakeGroup(h5, "/summary/soret/species"));
  for (PetscInt s = 0; s < model->num_species; s++) {
    const PetscReal budget[4] = {o->meter->in[s], o->meter->out[s], o->meter->source[s], o->meter->change[s]};
    char            group[128];

    PetscCall(SoretH5WriteReal(h5, "/summary/soret/species", model->species[s].name, o->meter->soret[s]));
    PetscCall(PetscSNPrintf(group, sizeof(group), "/summary/budget/species/%s", model->species[s].name));
    PetscCall(WriteBudget(h5, group, budget));
  }
  for (PetscInt k = 0; k < o->sums->num; k++) PetscCall(WriteMeterSum(o, h5, k));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* " = 1.2 chemical + ...": the parts that are not 0. */
static PetscErrorCode PrintParts(MPI_Comm comm, const SoretMeterSum *sum)
{
  PetscInt shown = 0;

  PetscFunctionBegin;
  for (int part = SORET_PART_WHOLE + 1; part < SORET_NUM_PARTS; part++) {
    if (!(PetscAbsReal(sum->part[part]) > 1.0e-12 * PetscAbsReal(sum->part[SORET_PART_WHOLE]))) continue;
    PetscCall(SoretSay(comm, " %s %.6g %s", shown++ ? "+" : "=", (double)sum->part[part], SoretPartName((SoretPart)part)));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PrintTemperatures(MPI_Comm comm, const char *what, PetscInt num, const PetscReal T[])
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < num; k++) PetscCall(SoretSay(comm, "%s%.7g", k ? ", " : what, (double)T[k]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PrintSorets(SoretOutput o)
{
  enum { MOST = 8 };

  PetscFunctionBegin;
  for (PetscInt k = 0; k < PetscMin(o->sums->num, MOST); k++) {
    const SoretMeterSum *sum = &o->meter->sum[k];

    if (isnan(sum->part[SORET_PART_WHOLE])) continue;
    PetscCall(SoretSay(o->comm, "S_T of %s: %.6g", o->sums->name[k], (double)sum->part[SORET_PART_WHOLE]));
    PetscCall(PrintParts(o->comm, sum));
    if (!isnan(sum->equilibrium)) PetscCall(SoretSay(o->comm, "; fast reactions: %.6g", (double)sum->equilibrium));
    PetscCall(PrintTemperatures(o->comm, "; changes sign at T = ", sum->num_inversions, sum->inversion));
    PetscCall(PrintTemperatures(o->comm, "; with fast reactions at T = ", sum->num_equilibrium, sum->inversion_equilibrium));
    PetscCall(SoretSay(o->comm, "\n"));
  }
  if (o->sums->num > MOST) PetscCall(SoretSay(o->comm, "S_T of %" PetscInt_FMT " more sums: in the summary of the result\n", o->sums->num - MOST));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PrintBudgets(SoretOutput o)
{
  enum { MOST = 8 };
  const SoretMeter *meter = o->meter;
  const SoretModel *model = o->op->model;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < PetscMin(model->num_species, MOST); s++) {
    PetscCall(SoretSay(o->comm, "%s%s: in %.6g, out %.6g, by reactions %.6g, change %.3g", s ? "; " : "budget per time: ", model->species[s].name, (double)meter->in[s], (double)meter->out[s], (double)meter->source[s], (double)meter->change[s]));
  }
  PetscCall(SoretSay(o->comm, "%s\n", model->num_species > MOST ? "; ..." : ""));
  for (PetscInt k = 0; k < PetscMin(o->sums->num, MOST); k++) {
    PetscReal budget[4];

    BudgetOf(meter, o->sums->num_species, o->sums->w + k * o->sums->num_species, budget);
    PetscCall(SoretSay(o->comm, "%s%s: in %.6g, out %.6g, change %.3g", k ? "; " : "totals per time: ", o->sums->name[k], (double)budget[0], (double)budget[1], (double)budget[3]));
  }
  if (o->sums->num) PetscCall(SoretSay(o->comm, "\n"));
  if (isnan(meter->entropy_reactions)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretSay(o->comm, "entropy production: reactions %.7g + diffusion %.7g", (double)meter->entropy_reactions, (double)meter->entropy_diffusion));
  if (isnan(meter->entropy_heat)) PetscCall(SoretSay(o->comm, " (no detailed balance: no heat to set against it)\n"));
  else {
    PetscCall(SoretSay(o->comm, " = heat %.7g + mobility %.7g", (double)meter->entropy_heat, (double)meter->entropy_mobility));
    if (meter->entropy_velocity != 0.0) PetscCall(SoretSay(o->comm, " + velocity %.7g", (double)meter->entropy_velocity));
    if (meter->entropy_boundary != 0.0) PetscCall(SoretSay(o->comm, " + walls %.7g", (double)meter->entropy_boundary));
    PetscCall(SoretSay(o->comm, " + storage %.3g", (double)meter->entropy_storage));
    if (!isnan(meter->entropy_imbalance)) PetscCall(SoretSay(o->comm, "; off by %.2g of it", (double)meter->entropy_imbalance));
    PetscCall(SoretSay(o->comm, "\n"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputMeasureMeter(SoretOutput o, PetscBool steady, Vec c, SoretMeter *meter)
{
  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_OUTPUT);
  PetscCall(SoretDiagnoseMeter(o->op, o->sums, &o->thermo, steady, c, meter));
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputMeter(SoretOutput o, PetscBool steady, Vec c)
{
  PetscFunctionBegin;
  if (!o->meter) PetscCall(PetscNew(&o->meter));
  PetscCall(SoretOutputMeasureMeter(o, steady, c, o->meter));
  PetscCall(PrintSorets(o));
  PetscCall(PrintBudgets(o));
  PetscCall(SoretOutputSummaryReal(o, "soret_mean", o->sums->num ? o->meter->sum[0].part[SORET_PART_WHOLE] : NAN));
  PetscCall(SoretOutputSummaryInt(o, "detailed_balance", o->thermo.balanced));
  PetscCall(SoretOutputSummaryReal(o, "entropy_reactions", o->meter->entropy_reactions));
  PetscCall(SoretOutputSummaryReal(o, "entropy_diffusion", o->meter->entropy_diffusion));
  PetscCall(SoretOutputSummaryReal(o, "entropy_heat", o->meter->entropy_heat));
  PetscCall(SoretOutputSummaryReal(o, "entropy_mobility", o->meter->entropy_mobility));
  PetscCall(SoretOutputSummaryReal(o, "entropy_velocity", o->meter->entropy_velocity));
  PetscCall(SoretOutputSummaryReal(o, "entropy_boundary", o->meter->entropy_boundary));
  PetscCall(SoretOutputSummaryReal(o, "entropy_storage", o->meter->entropy_storage));
  PetscCall(SoretOutputSummaryReal(o, "entropy_imbalance", o->meter->entropy_imbalance));
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
  if (o->meter) PetscCall(WriteMeterSummary(o, h5));
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
  SoretRecordBegin(SORET_PHASE_OUTPUT);
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
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(complete && !taken ? SORET_ERR_IO : PETSC_SUCCESS);
}
