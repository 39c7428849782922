/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/output.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
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
  {"checksums", SORET_BOOL, NULL, "false", SORET_ANY, AT(checksums), "read the result back in the end and write checksums of it beside it, NAME.sums, which `soret verify` looks at"},
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

/* What the series and the names and attributes of all groups take, seen with h5stat: a chunk and a header for each column, a constant. */
PetscReal SoretOutputOtherBytes(PetscInt num_columns)
{
  return (PetscReal)num_columns * (8.0 * SORET_H5_APPEND_ROWS + 3072.0) + 16384.0;
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

typedef enum {
  FIELD_CONCENTRATION,
  FIELD_TEMPERATURE,
  FIELD_FLUX,
  FIELD_RATE,
  FIELD_SORET,         /* of a sum, one of its parts */
  FIELD_SORET_SPECIES,
  FIELD_EQUILIBRIUM,
  FIELD_ENTROPY,
  FIELD_HEAT
} FieldKind;

/* A dataset of each frame. */
typedef struct {
  FieldKind   kind;
  PetscInt    index;       /* species, reaction, sum or SoretEntropy   */
  SoretPart   part;
  PetscBool   meter;       /* of the group `meter`                     */
  char        name[128];   /* path below the frame                     */
  const char *units;
  const char *note, *text; /* an attribute and its value, NULL if none */
} FrameField;

typedef struct {
  PetscReal time;
  PetscInt  step;
  PetscBool lost; /* carried over from an earlier attempt whose file is gone */
} Frame;

struct SoretOutput_s {
  SoretOutputSpec  spec;
  SoretOperator   *op;
  const SoretSums *sums;
  MPI_Comm         comm;
  PetscBool        SI;                        /* datasets carry their units */
  char             path[PETSC_MAX_PATH_LEN];  /* of this attempt */
  int              attempt;
  char            *earlier;                   /* paths of the attempts that frames came from, one a line */
  PetscReal       *work;                      /* one field of this rank */
  PetscInt         num_fields;
  FrameField      *field;                     /* [num_fields] of each frame */
  PetscInt         num_frames, frame_room;
  Frame           *frame;                     /* [num_frames], on all ranks */
  /* series: columns with names, and all rows so far, kept for checkpoints */
  PetscInt         num_columns, num_rows, num_flushed, room;
  char           **column;
  PetscReal       *rows;                      /* [room][num_columns], on rank 0 */
  PetscReal        first_total[3 * SORET_MAX_SPECIES], drift;
  PetscBool        started, many;             /* many: problems in one file, a sweep */
  PetscBool        reacts[SORET_MAX_SPECIES]; /* which species have a column `source` */
  PetscInt         num_summary;
  SummaryEntry     summary[MAX_SUMMARY];
  SoretThermo      thermo;
  SoretMeter      *meter;                     /* of the last state, NULL before SoretOutputMeter() */
};

/* A new file whose name no earlier attempt has, made by rank 0 in a way that only one run can win. */
static PetscErrorCode ChooseAttempt(SoretOutput o)
{
  PetscMPIInt rank;
  int         status = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  if (rank == 0) {
    for (o->attempt = 1;; o->attempt++) {
      int fd;

      PetscCall(PetscSNPrintf(o->path, sizeof(o->path), "%s.%d", o->spec.file, o->attempt));
      fd = open(o->path, O_CREAT | O_EXCL | O_WRONLY, 0666);
      if (fd >= 0) {
        (void)close(fd);
        break;
      }
      if (errno == EEXIST && o->attempt < 100000) continue;
      (void)fprintf(stderr, "soret: cannot create '%s': %s\n", o->path, strerror(errno));
      status = SORET_ERR_IO;
      break;
    }
  }
  PetscCallMPI(MPI_Bcast(&status, 1, MPI_INT, 0, o->comm));
  PetscCallMPI(MPI_Bcast(&o->attempt, 1, MPI_INT, 0, o->comm));
  PetscCallMPI(MPI_Bcast(o->path, (PetscMPIInt)sizeof(o->path), MPI_CHAR, 0, o->comm));
  PetscFunctionReturn((PetscErrorCode)status);
}

int SoretOutputAttempt(SoretOutput o)
{
  return o->attempt;
}

/* Writes a field over the grid: [nz][ny][nx], or [..][trailing]; units are those of SI. */
static PetscErrorCode WriteField(SoretOutput o, SoretH5 h5, const char *path, const char *units, PetscInt trailing, const PetscReal data[])
{
  const SoretH5Storage storage = {.single = o->spec.precision ? PETSC_TRUE : PETSC_FALSE, .compression = (int)o->spec.compression};
  PetscInt             size[4], start[4], count[4];
  const int            rank = SoretGridBox(o->op->grid, trailing, size, start, count);

  PetscFunctionBegin;
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

/* Largest drift of what the parts of the fluid keep, each by itself; not of what walls feed. */
static PetscErrorCode TrackParts(SoretOutput o, Vec c)
{
  const SoretSums *sums = o->sums;
  PetscReal       *amount;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(sums->num_parts * sums->num_species, &amount));
  PetscCall(SoretPocketsMeasure(o->op, c, amount));
  for (PetscInt part = 0; part < sums->num_parts; part++) {
    for (PetscInt k = 0; k < sums->part[part].num; k++) {
      PetscReal       scale;
      const PetscReal mean = SoretPocketMean(sums, o->op->grid->pocket_volume, part, k, amount, &scale);

      if (scale > 0.0 && !sums->part[part].fed[k]) o->drift = PetscMax(o->drift, PetscAbsReal(mean - sums->part[part].mean[k]) / scale);
    }
  }
  PetscCall(PetscFree(amount));
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
  if (o->sums->num_parts) PetscCall(TrackParts(o, c));
  o->started = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscReal SoretOutputDrift(SoretOutput o)
{
  return o->drift;
}

/* Room for n rows, on rank 0. */
static PetscErrorCode GrowRows(SoretOutput o, PetscInt n)
{
  PetscReal *more;

  PetscFunctionBegin;
  if (n <= o->room) PetscFunctionReturn(PETSC_SUCCESS);
  o->room = PetscMax(PetscMax(2 * o->room, n), 64);
  PetscCall(PetscMalloc1(o->room * o->num_columns, &more));
  if (o->rows) PetscCall(PetscArraycpy(more, o->rows, o->num_rows * o->num_columns));
  PetscCall(PetscFree(o->rows));
  o->rows = more;
  PetscFunctionReturn(PETSC_SUCCESS);
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
  PetscMPIInt rank;
  PetscReal  *row;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(o->num_columns, &row));
  PetscCall(SoretOutputMeasure(o, step, t, c, row));
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  if (rank == 0) {
    PetscCall(GrowRows(o, o->num_rows + 1));
    PetscCall(PetscArraycpy(o->rows + o->num_columns * o->num_rows, row, o->num_columns));
  }
  o->num_rows++;
  PetscCall(PetscFree(row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Writes the rows that are not in the file yet. */
static PetscErrorCode FlushRows(SoretOutput o, SoretH5 h5)
{
  const PetscBool first = o->num_flushed == 0 ? PETSC_TRUE : PETSC_FALSE;
  const PetscInt  fresh = o->num_rows - o->num_flushed;
  PetscReal      *column;

  PetscFunctionBegin;
  if (!fresh) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscCalloc1(fresh, &column));
  for (PetscInt k = 0; k < o->num_columns; k++) {
    char path[300];

    for (PetscInt r = 0; o->rows && r < fresh; r++) column[r] = o->rows[(o->num_flushed + r) * o->num_columns + k];
    PetscCall(PetscSNPrintf(path, sizeof(path), "/series/%s", o->column[k]));
    PetscCall(SoretH5Append(h5, path, fresh, column));
  }
  PetscCall(PetscFree(column));
  for (PetscInt k = 0; first && k < o->sums->num; k++) {
    char path[64];

    PetscCall(PetscSNPrintf(path, sizeof(path), "/series/total/%" PetscInt_FMT, k));
    PetscCall(SoretH5WriteString(h5, path, "formula", o->sums->name[k]));
    PetscCall(SoretH5WriteInt(h5, path, "conserved", k < o->sums->num_global + o->sums->num_local));
  }
  o->num_flushed = o->num_rows;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- frames ---- */

/* Adds to the list of fields; *field is the new one. */
static PetscErrorCode AddField(SoretOutput o, FieldKind kind, PetscInt index, const char *units, FrameField **field, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(6, 7);
static PetscErrorCode AddField(SoretOutput o, FieldKind kind, PetscInt index, const char *units, FrameField **field, const char *format, ...)
{
  FrameField *next = &o->field[o->num_fields++];
  va_list     list;

  PetscFunctionBegin;
  *next = (FrameField){.kind = kind, .index = index, .units = units, .part = SORET_PART_WHOLE};
  va_start(list, format);
  PetscCall(PetscVSNPrintf(next->name, sizeof(next->name), format, NULL, list));
  va_end(list);
  if (field) *field = next;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The Soret coefficient of a sum, or a part of it. */
static PetscErrorCode AddSoret(SoretOutput o, FieldKind kind, PetscInt k, SoretPart part, const char *name)
{
  FrameField *field;

  PetscFunctionBegin;
  PetscCall(AddField(o, kind, k, "1/K", &field, "%s", name));
  field->part = part;
  field->note = "of";
  field->text = o->sums->name[k];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the meter measures. */
static PetscErrorCode NameMeter(SoretOutput o)
{
  const SoretModel *model = o->op->model;
  const PetscInt    first = o->num_fields;
  char              name[100];

  PetscFunctionBegin;
  for (PetscInt s = 0; s < model->num_species; s++) PetscCall(AddField(o, FIELD_SORET_SPECIES, s, "1/K", NULL, "meter/species/%s", model->species[s].name));
  for (PetscInt k = 0; k < o->sums->num; k++) {
    for (int part = 0; part < SORET_NUM_PARTS; part++) {
      PetscCall(PetscSNPrintf(name, sizeof(name), "meter/total/%" PetscInt_FMT "/%s", k, SoretPartName((SoretPart)part)));
      PetscCall(AddSoret(o, FIELD_SORET, k, (SoretPart)part, name));
    }
    PetscCall(PetscSNPrintf(name, sizeof(name), "meter/total/%" PetscInt_FMT "/equilibrium", k));
    PetscCall(AddSoret(o, FIELD_EQUILIBRIUM, k, SORET_PART_WHOLE, name));
  }
  PetscCall(AddField(o, FIELD_ENTROPY, SORET_ENTROPY_REACTIONS, "mol/m^3/s", NULL, "meter/entropy/reactions"));
  PetscCall(AddField(o, FIELD_ENTROPY, SORET_ENTROPY_DIFFUSION, "mol/m^3/s", NULL, "meter/entropy/diffusion"));
  PetscCall(AddField(o, FIELD_HEAT, 0, "W/m^2", NULL, "meter/heat"));
  for (PetscInt f = first; f < o->num_fields; f++) o->field[f].meter = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What a frame of this run holds, in the order in which it is written. */
static PetscErrorCode NameFields(SoretOutput o)
{
  const SoretModel *model = o->op->model;
  const PetscInt    ns = model->num_species, nr = model->network.num_reactions;
  FrameField       *field;

  PetscFunctionBegin;
  PetscCall(PetscFree(o->field));
  o->num_fields = 0;
  PetscCall(PetscMalloc1(3 * ns + nr + o->sums->num * (SORET_NUM_PARTS + 1) + 6, &o->field));
  for (PetscInt s = 0; s < ns; s++) PetscCall(AddField(o, FIELD_CONCENTRATION, s, "mol/m^3", NULL, "%s", model->species[s].name));
  if (o->op->temperature->varies || o->many) PetscCall(AddField(o, FIELD_TEMPERATURE, 0, "K", NULL, "temperature"));
  for (PetscInt s = 0; s < ns && (o->spec.fields & SORET_FIELD_FLUX); s++) PetscCall(AddField(o, FIELD_FLUX, s, "mol/m^2/s", NULL, "flux/%s", model->species[s].name));
  for (PetscInt r = 0; r < nr && (o->spec.fields & SORET_FIELD_RATE); r++) {
    PetscCall(AddField(o, FIELD_RATE, r, "mol/m^3/s", &field, "rate/%" PetscInt_FMT, r));
    field->note = "equation";
    field->text = model->network.reaction[r].equation;
  }
  if ((o->spec.fields & SORET_FIELD_SORET) && o->sums->num) PetscCall(AddSoret(o, FIELD_SORET, 0, SORET_PART_WHOLE, "soret"));
  if (o->spec.fields & SORET_FIELD_ENTROPY) PetscCall(AddField(o, FIELD_ENTROPY, SORET_ENTROPY_BOTH, "mol/m^3/s", NULL, "entropy_production"));
  if (o->spec.fields & SORET_FIELD_METER) PetscCall(NameMeter(o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Numbers per cell of a vector, 0 of a number. */
static PetscInt TrailingOf(const SoretOutput o, const FrameField *field)
{
  return field->kind == FIELD_FLUX || field->kind == FIELD_HEAT ? o->op->grid->dim : 0;
}

/* Computes a field from the concentrations into o->work. */
static PetscErrorCode FillField(SoretOutput o, const FrameField *field, Vec x)
{
  const PetscInt   ns = o->op->num_species, n = o->op->grid->num_cells;
  PetscReal        w[SORET_MAX_SPECIES] = {0.0};
  const PetscReal *c;

  PetscFunctionBegin;
  switch (field->kind) {
  case FIELD_CONCENTRATION:
    PetscCall(VecGetArrayRead(x, &c));
    for (PetscInt p = 0; p < n; p++) o->work[p] = c[p * ns + field->index];
    PetscCall(VecRestoreArrayRead(x, &c));
    break;
  case FIELD_TEMPERATURE:
    PetscCall(PetscArraycpy(o->work, o->op->temperature->T, n));
    break;
  case FIELD_FLUX:
    PetscCall(SoretDiagnoseFlux(o->op, x, field->index, o->work));
    break;
  case FIELD_RATE:
    PetscCall(SoretDiagnoseRate(o->op, x, field->index, o->work));
    break;
  case FIELD_SORET:
    PetscCall(SoretDiagnoseSoret(o->op, x, o->sums->w + field->index * ns, field->part, o->work));
    break;
  case FIELD_SORET_SPECIES:
    w[field->index] = 1.0;
    PetscCall(SoretDiagnoseSoret(o->op, x, w, SORET_PART_WHOLE, o->work));
    break;
  case FIELD_EQUILIBRIUM:
    PetscCall(SoretDiagnoseEquilibrium(o->op, &o->thermo, x, field->index, o->work));
    break;
  case FIELD_ENTROPY:
    PetscCall(SoretDiagnoseEntropy(o->op, (SoretEntropy)field->index, x, o->work));
    break;
  case FIELD_HEAT:
    PetscCall(SoretDiagnoseHeat(o->op, &o->thermo, x, o->work));
    break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Writes o->work as a field of a frame. */
static PetscErrorCode PutField(SoretOutput o, SoretH5 h5, const char *frame, const FrameField *field)
{
  char path[256];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", frame, field->name));
  PetscCall(WriteField(o, h5, path, field->units, TrailingOf(o, field), o->work));
  if (field->note) PetscCall(SoretH5WriteString(h5, path, field->note, field->text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* XDMF of what is complete so far, for the HDF5 file of a given name. */
static PetscErrorCode WriteXDMF(SoretOutput o, const char *xdmf_path, const char *h5_path)
{
  const SoretGrid *grid = o->op->grid;
  SoretXDMF        x    = {.dim = (int)grid->dim, .single = o->spec.precision ? PETSC_TRUE : PETSC_FALSE, .num_frames = o->num_frames, .num_species = o->op->num_species, .fields = o->spec.fields, .num_reactions = o->op->model->network.num_reactions, .varying_temperature = o->op->temperature->varies || o->many ? PETSC_TRUE : PETSC_FALSE, .has_soret = o->sums->num ? PETSC_TRUE : PETSC_FALSE};
  PetscMPIInt      rank;
  const char      *names[SORET_MAX_SPECIES], **extra;
  PetscReal       *time;
  PetscInt        *number;
  int              status = 0;

  PetscFunctionBegin;
  if (!o->spec.xdmf) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(o->num_fields, &extra));
  for (PetscInt k = 0; k < o->num_fields; k++) {
    if (o->field[k].meter && o->field[k].kind != FIELD_HEAT) extra[x.num_extra++] = o->field[k].name; /* a vector of fewer than three components is none there */
  }
  x.extra = extra;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  PetscCall(PetscMalloc2(o->num_frames, &time, o->num_frames, &number));
  x.num_frames = 0;
  for (PetscInt k = 0; k < o->num_frames; k++) {
    if (o->frame[k].lost) continue;
    number[x.num_frames] = k;
    time[x.num_frames++] = o->many ? (PetscReal)k : o->frame[k].time; /* viewers order the frames by it */
  }
  x.time   = time;
  x.number = number;
  for (int axis = 0; axis < 3; axis++) x.n[axis] = grid->n[axis];
  for (PetscInt s = 0; s < o->op->num_species; s++) names[s] = o->op->model->species[s].name;
  x.species = names;
  if (rank == 0) PetscCall(SoretXDMFWrite(&x, xdmf_path, h5_path, &status));
  PetscCall(PetscFree(extra));
  PetscCall(PetscFree2(time, number));
  PetscCallMPI(MPI_Bcast(&status, 1, MPI_INT, 0, o->comm));
  PetscFunctionReturn((PetscErrorCode)status);
}

/* XDMF beside the file of this attempt. */
static PetscErrorCode UpdateXDMF(SoretOutput o)
{
  char xdmf[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(xdmf, sizeof(xdmf), "%s.xdmf", o->path));
  PetscCall(WriteXDMF(o, xdmf, o->path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode RememberFrame(SoretOutput o, Frame frame)
{
  PetscFunctionBegin;
  if (o->num_frames == o->frame_room) {
    Frame *more;

    o->frame_room = PetscMax(2 * o->frame_room, 16);
    PetscCall(PetscMalloc1(o->frame_room, &more));
    if (o->frame) PetscCall(PetscArraycpy(more, o->frame, o->num_frames));
    PetscCall(PetscFree(o->frame));
    o->frame = more;
  }
  o->frame[o->num_frames++] = frame;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FramePath(PetscInt number, size_t length, char path[])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, length, "/frames/%06" PetscInt_FMT, number));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The group of a frame. */
static PetscErrorCode BeginFrame(SoretH5 h5, const char *path, Frame frame)
{
  PetscFunctionBegin;
  PetscCall(SoretH5MakeGroup(h5, path));
  PetscCall(SoretH5WriteReal(h5, path, "time", frame.time));
  PetscCall(SoretH5WriteInt(h5, path, "step", frame.step));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputAddFrame(SoretOutput o, PetscInt step, PetscReal t, Vec c)
{
  const Frame frame = {.time = t, .step = step};
  char        path[64];
  SoretH5     h5;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_OUTPUT);
  PetscCall(SoretOperatorSetTime(o->op, t));
  PetscCall(FramePath(o->num_frames, sizeof(path), path));
  PetscCall(SoretH5Open(o->comm, o->path, SORET_H5_UPDATE, &h5));
  PetscCall(BeginFrame(h5, path, frame));
  for (PetscInt k = 0; k < o->num_fields; k++) {
    PetscCall(FillField(o, &o->field[k], c));
    PetscCall(PutField(o, h5, path, &o->field[k]));
  }
  PetscCall(FlushRows(o, h5));
  PetscCall(SoretH5Close(&h5));
  PetscCall(RememberFrame(o, frame));
  PetscCall(UpdateXDMF(o));
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- checkpoints ---- */

/* Numbers of the part besides series and frames. */
enum {
  STATE_DRIFT,
  STATE_STARTED,
  STATE_FIRST_TOTAL,
  STATE_SIZE = STATE_FIRST_TOTAL + 3 * SORET_MAX_SPECIES
};

/* Paths of this attempt and of those that its frames came from, the newest first, with their directories. */
static PetscErrorCode ListAttempts(SoretOutput o, char **text)
{
  char  *full = realpath(o->path, NULL);
  size_t length;

  PetscFunctionBegin;
  length = strlen(full ? full : o->path) + strlen(o->earlier ? o->earlier : "") + 2;
  PetscCall(PetscMalloc1(length, text));
  PetscCall(PetscSNPrintf(*text, length, "%s\n%s", full ? full : o->path, o->earlier ? o->earlier : ""));
  free(full);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Save(void *context, SoretArchive archive)
{
  SoretOutput o = (SoretOutput)context;
  PetscReal   state[STATE_SIZE], *frames;
  char       *text;

  PetscFunctionBegin;
  PetscCall(ListAttempts(o, &text));
  PetscCall(SoretArchivePutText(archive, "attempts", text));
  PetscCall(PetscFree(text));
  PetscCall(SoretJoinLines(o->num_columns, (const char *const *)o->column, &text));
  PetscCall(SoretArchivePutText(archive, "columns", text));
  PetscCall(PetscFree(text));
  state[STATE_DRIFT]   = o->drift;
  state[STATE_STARTED] = (PetscReal)o->started;
  PetscCall(PetscArraycpy(&state[STATE_FIRST_TOTAL], o->first_total, 3 * SORET_MAX_SPECIES));
  PetscCall(SoretArchivePutReals(archive, "state", STATE_SIZE, state));
  PetscCall(PetscMalloc1(3 * o->num_frames, &frames));
  for (PetscInt k = 0; k < o->num_frames; k++) {
    frames[3 * k]     = o->frame[k].time;
    frames[3 * k + 1] = (PetscReal)o->frame[k].step;
    frames[3 * k + 2] = (PetscReal)o->frame[k].lost;
  }
  PetscCall(SoretArchivePutReals(archive, "frames", 3 * o->num_frames, frames));
  PetscCall(PetscFree(frames));
  PetscCall(SoretArchivePutReals(archive, "series", o->num_rows * o->num_columns, o->rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode LoadFrames(SoretOutput o, SoretArchive archive)
{
  PetscInt   n;
  PetscReal *frames;

  PetscFunctionBegin;
  PetscCall(SoretArchiveCount(archive, "frames", &n));
  PetscCall(PetscMalloc1(n, &frames));
  PetscCall(SoretArchiveGetReals(archive, "frames", n, frames));
  for (PetscInt k = 0; k < n / 3; k++) PetscCall(RememberFrame(o, (Frame){.time = frames[3 * k], .step = (PetscInt)frames[3 * k + 1], .lost = frames[3 * k + 2] != 0.0 ? PETSC_TRUE : PETSC_FALSE}));
  PetscCall(PetscFree(frames));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* All ranks read the series; rank 0 keeps it. */
static PetscErrorCode LoadSeries(SoretOutput o, SoretArchive archive)
{
  char       *theirs, *ours;
  PetscInt    n;
  PetscMPIInt rank;
  PetscBool   same;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  PetscCall(SoretArchiveGetText(archive, "columns", &theirs));
  PetscCall(SoretJoinLines(o->num_columns, (const char *const *)o->column, &ours));
  PetscCall(PetscStrcmp(theirs, ours, &same));
  PetscCall(PetscFree(theirs));
  PetscCall(PetscFree(ours));
  if (!same) {
    if (rank == 0) (void)fprintf(stderr, "soret: the series of the checkpoint has other columns than this run: species, sums and boundary conditions must stay as they were\n");
    PetscFunctionReturn(SORET_ERR_INPUT);
  }
  PetscCall(SoretArchiveCount(archive, "series", &n));
  PetscCall(GrowRows(o, n / o->num_columns));
  PetscCall(SoretArchiveGetReals(archive, "series", n, o->rows));
  o->num_rows = n / o->num_columns;
  if (rank > 0) {
    PetscCall(PetscFree(o->rows));
    o->room = 0;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Load(void *context, SoretArchive archive)
{
  SoretOutput o = (SoretOutput)context;
  PetscReal   state[STATE_SIZE];

  PetscFunctionBegin;
  PetscCall(SoretArchiveGetText(archive, "attempts", &o->earlier));
  PetscCall(SoretArchiveGetReals(archive, "state", STATE_SIZE, state));
  o->drift   = state[STATE_DRIFT];
  o->started = state[STATE_STARTED] != 0.0 ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscArraycpy(o->first_total, &state[STATE_FIRST_TOTAL], 3 * SORET_MAX_SPECIES));
  PetscCall(LoadFrames(o, archive));
  PetscCall(LoadSeries(o, archive));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The file of an earlier attempt: where it was, or beside the file of this one if the directory has moved. NULL if it is gone. */
static PetscErrorCode OpenEarlier(SoretOutput o, const char *path, SoretH5 *h5)
{
  const char *slash = strrchr(path, '/'), *here = strrchr(o->path, '/');
  char        moved[PETSC_MAX_PATH_LEN];
  PetscMPIInt rank;
  int         which = 0; /* 1: path, 2: moved */

  PetscFunctionBegin;
  *h5 = NULL;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  PetscCall(PetscSNPrintf(moved, sizeof(moved), "%.*s%s", here ? (int)(here - o->path) + 1 : 0, o->path, slash ? slash + 1 : path));
  if (rank == 0) which = access(path, R_OK) == 0 ? 1 : access(moved, R_OK) == 0 ? 2 : 0;
  PetscCallMPI(MPI_Bcast(&which, 1, MPI_INT, 0, o->comm));
  if (which && SoretH5Open(o->comm, which == 1 ? path : moved, SORET_H5_READ, h5)) *h5 = NULL;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Copies one field of a frame; *copied is false where the earlier file has it not, or not in good order. */
static PetscErrorCode CopyField(SoretOutput o, SoretH5 from, SoretH5 to, const char *frame, const FrameField *field, PetscBool *copied)
{
  PetscInt       size[4], start[4], count[4], there[8];
  const int      rank = SoretGridBox(o->op->grid, TrailingOf(o, field), size, start, count);
  int            rank_there;
  char           path[256];
  PetscErrorCode ierr;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", frame, field->name));
  ierr    = SoretH5GetSize(from, path, &rank_there, there);
  *copied = !ierr && rank_there == rank && !memcmp(there, size, (size_t)rank * sizeof(*size)) ? PETSC_TRUE : PETSC_FALSE;
  if (*copied && SoretH5ReadBox(from, path, rank, start, count, o->work)) *copied = PETSC_FALSE;
  if (*copied) PetscCall(PutField(o, to, frame, field));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Copies the frames that lie in the file of an earlier attempt and are not in the new one yet. */
static PetscErrorCode CopyFrames(SoretOutput o, SoretH5 from, SoretH5 to)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < o->num_frames; k++) {
    PetscBool copied = PETSC_TRUE, there;
    char      path[64];

    if (!o->frame[k].lost) continue;
    PetscCall(FramePath(k, sizeof(path), path));
    if (SoretH5Exists(from, path, &there) || !there) continue;
    PetscCall(BeginFrame(to, path, o->frame[k]));
    for (PetscInt f = 0; f < o->num_fields && copied; f++) PetscCall(CopyField(o, from, to, path, &o->field[f], &copied));
    if (copied) o->frame[k].lost = PETSC_FALSE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What is left of the frames in none of the earlier files: time and step, and a mark. */
static PetscErrorCode MarkLost(SoretOutput o, SoretH5 h5)
{
  PetscInt lost = 0;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < o->num_frames; k++) {
    char path[64];

    if (!o->frame[k].lost) continue;
    PetscCall(FramePath(k, sizeof(path), path));
    PetscCall(BeginFrame(h5, path, o->frame[k]));
    PetscCall(SoretH5WriteInt(h5, path, "lost", 1));
    lost++;
  }
  if (lost) PetscCall(SoretSay(o->comm, "warning: %" PetscInt_FMT " of %" PetscInt_FMT " frames are lost, the files of the earlier attempts are gone or damaged; the series is complete, and so is all that follows\n", lost, o->num_frames));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Frames of earlier attempts into the file of this one. Their files are only read. */
static PetscErrorCode CarryOver(SoretOutput o)
{
  SoretH5 from, to;
  char   *list, *path, *rest;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < o->num_frames; k++) o->frame[k].lost = PETSC_TRUE; /* until they are found */
  PetscCall(SoretH5Open(o->comm, o->path, SORET_H5_UPDATE, &to));
  PetscCall(PetscStrallocpy(o->earlier, &list));
  for (path = strtok_r(list, "\n", &rest); path; path = strtok_r(NULL, "\n", &rest)) {
    PetscCall(OpenEarlier(o, path, &from));
    if (!from) continue;
    PetscCall(CopyFrames(o, from, to));
    (void)SoretH5Close(&from);
  }
  PetscCall(PetscFree(list));
  PetscCall(MarkLost(o, to));
  PetscCall(FlushRows(o, to));
  PetscCall(SoretH5Close(&to));
  PetscCall(UpdateXDMF(o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputCheckpoint(SoretOutput o, SoretCheckpoint checkpoint)
{
  PetscBool restored;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_OUTPUT);
  PetscCall(SoretCheckpointAdd(checkpoint, "output", Save, Load, o, &restored));
  if (restored) PetscCall(CarryOver(o));
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
  PetscCall(NameFields(o));
  PetscCall(ChooseAttempt(o));
  PetscCall(SoretH5Open(o->comm, o->path, SORET_H5_FILL, &h5));
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
  PetscCall(NameFields(o));
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
  PetscCall(PetscFree(o->frame));
  PetscCall(PetscFree(o->field));
  PetscCall(PetscFree(o->earlier));
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
  const PetscReal solve = SoretRecordElapsed() - SoretRecordSeconds(SORET_PHASE_START) - setup - output - SoretRecordSeconds(SORET_PHASE_CHECKPOINT);
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

static PetscErrorCode PrintBudgets(SoretOutput o, PetscBool steady)
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
    PetscCall(SoretSay(o->comm, " + %s %.3g", steady ? "residual" : "storage", (double)meter->entropy_storage));
    if (!isnan(meter->entropy_closure)) PetscCall(SoretSay(o->comm, "; closes to %.2g of it", (double)meter->entropy_closure));
    if (steady && !isnan(meter->entropy_imbalance)) PetscCall(SoretSay(o->comm, ", without the residual to %.2g", (double)meter->entropy_imbalance));
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
  PetscCall(PrintBudgets(o, steady));
  PetscCall(SoretOutputSummaryReal(o, "soret_mean", o->sums->num ? o->meter->sum[0].part[SORET_PART_WHOLE] : NAN));
  PetscCall(SoretOutputSummaryInt(o, "detailed_balance", o->thermo.balanced));
  PetscCall(SoretOutputSummaryReal(o, "entropy_reactions", o->meter->entropy_reactions));
  PetscCall(SoretOutputSummaryReal(o, "entropy_diffusion", o->meter->entropy_diffusion));
  PetscCall(SoretOutputSummaryReal(o, "entropy_heat", o->meter->entropy_heat));
  PetscCall(SoretOutputSummaryReal(o, "entropy_mobility", o->meter->entropy_mobility));
  PetscCall(SoretOutputSummaryReal(o, "entropy_velocity", o->meter->entropy_velocity));
  PetscCall(SoretOutputSummaryReal(o, "entropy_boundary", o->meter->entropy_boundary));
  PetscCall(SoretOutputSummaryReal(o, "entropy_storage", o->meter->entropy_storage));
  PetscCall(SoretOutputSummaryReal(o, "entropy_closure", o->meter->entropy_closure));
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

PetscErrorCode SoretOutputBeside(const char *h5_path, const char *ending, size_t length, char name[])
{
  size_t n;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(name, h5_path, length));
  PetscCall(PetscStrlen(name, &n));
  if (n > 3 && !strcmp(name + n - 3, ".h5")) name[n - 3] = 0;
  PetscCall(PetscStrlcat(name, ending, length));
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

static PetscErrorCode WriteSums(SoretOutput o, const char *path)
{
  char sums[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(SoretOutputBeside(path, ".sums", sizeof(sums), sums));
  PetscCall(SoretSumsWrite(o->comm, path, sums));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputVerify(MPI_Comm comm, const char *path, PetscBool *good)
{
  char        sums[PETSC_MAX_PATH_LEN], why[512];
  PetscBool   hold;
  PetscMPIInt rank;
  int         there = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(SoretOutputBeside(path, ".sums", sizeof(sums), sums));
  if (rank == 0) there = access(sums, F_OK) == 0;
  PetscCallMPI(MPI_Bcast(&there, 1, MPI_INT, 0, comm));
  PetscCall(SoretH5Verify(comm, path, stdout, good));
  if (!*good) PetscFunctionReturn(PETSC_SUCCESS);
  if (!there) {
    PetscCall(SoretSay(comm, "%s: no checksums beside it (output.checksums=true writes them), so that a changed number would not be noticed\n", path));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretSumsVerify(comm, path, sums, &hold, sizeof(why), why));
  if (hold) PetscCall(SoretSay(comm, "%s: every byte is as it was written, says %s\n", path, sums));
  else PetscCall(SoretSay(comm, "%s: not good: by %s, %s\n", path, sums, why));
  *good = hold;
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
    PetscCall(SoretOutputBeside(o->spec.file, ".xdmf", sizeof(xdmf), xdmf));
    PetscCall(WriteXDMF(o, xdmf, o->spec.file));
    if (rank == 0 && o->spec.xdmf) (void)unlink(old_xdmf);
  }
  PetscCall(PetscStrncpy(path, taken ? o->spec.file : o->path, length));
  if (o->spec.checksums) PetscCall(WriteSums(o, path));
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(complete && !taken ? SORET_ERR_IO : PETSC_SUCCESS);
}
