/* SPDX-License-Identifier: BSD-2-Clause */
#include "output_private.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <H5public.h>
#include <yaml.h>

#include "soret/disk.h"
#include "soret/record.h"
#include "soret_commit.h"

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
    char directory[PETSC_MAX_PATH_LEN];

    PetscCall(SoretDirectoryOf(spec->file, sizeof(directory), directory));
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

/* ---- the file of an attempt ---- */

/* A new file whose name no earlier attempt has, made by rank 0 in a way that only one run can win. */
static PetscErrorCode ChooseAttempt(SoretOutput o)
{
  PetscMPIInt rank;
  int         status = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  if (rank == 0) {
    for (o->attempt = 1;; o->attempt++) {
      PetscCall(PetscSNPrintf(o->path, sizeof(o->path), "%s.%d", o->spec.file, o->attempt));
      if (SoretClaim(o->path)) break;
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

PetscErrorCode SoretOutputWriteField(SoretOutput o, SoretH5 h5, const char *path, const char *units, PetscInt trailing, const PetscReal data[])
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
  PetscCall(SoretOutputWriteField(o, h5, "/temperature", "K", 0, o->op->temperature->T));
  if (!grid->closed) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt p = 0; p < grid->num_cells; p++) o->work[p] = SoretGridIsSolid(grid, p);
  PetscCall(SoretOutputWriteField(o, h5, "/solid", "1", 0, o->work));
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
  o         = *output;
  o->spec   = *spec;
  o->op     = op;
  o->sums   = sums;
  o->comm   = op->grid->comm;
  o->SI     = !provenance->reduced;
  o->varies = op->temperature->varies;
  PetscCall(PetscMalloc1(op->grid->num_cells * op->grid->dim, &o->work));
  for (PetscInt k = 0; spec->hints && k < spec->hints->size; k++) PetscCall(SoretH5SetHint(spec->hints->key[k]->text, spec->hints->item[k]->text));
  PetscCall(SoretDiagnoseThermo(op, sums, &o->thermo));
  PetscCall(SoretSeriesNameColumns(o, op->model, op->boundary->spec));
  PetscCall(SoretFramesNameFields(o));
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
  o->varies  = PETSC_TRUE;
  o->started = PETSC_FALSE;
  o->drift   = 0.0;
  PetscCall(SoretThermoDestroy(&o->thermo));
  PetscCall(SoretDiagnoseThermo(op, sums, &o->thermo));
  PetscCall(SoretFramesNameFields(o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

const char *SoretOutputPath(SoretOutput o)
{
  return o->path;
}

PetscBool SoretOutputIsDue(PetscInt written, PetscInt now)
{
  return 16 * (now - written) >= now ? PETSC_TRUE : PETSC_FALSE;
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

PetscErrorCode SoretOutputBeside(const char *h5_path, const char *ending, size_t length, char name[])
{
  size_t n;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(name, h5_path, length));
  PetscCall(PetscStrlen(name, &n));
  if (n > 3 && !strcmp(name + n - 3, ".h5")) name[n - 3] = 0;
  PetscCall(SoretAppend(name, ending, length));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Checksums, and the XDMF of what is replaced, from an earlier result of that name. They go before the new one comes: whenever this process ends,
   no result lies beside checksums of another. On rank 0. */
static PetscErrorCode RemoveBeside(SoretOutput o)
{
  char path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  if (!o->spec.overwrite && access(o->spec.file, F_OK) == 0) PetscFunctionReturn(PETSC_SUCCESS); /* another run has the name */
  PetscCall(SoretOutputBeside(o->spec.file, ".sums", sizeof(path), path));
  (void)unlink(path);
  PetscCall(SoretOutputBeside(o->spec.file, ".xdmf", sizeof(path), path));
  if (o->spec.overwrite) (void)unlink(path);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The final name. No file is replaced where that was not asked for; replacing is one rename of a complete file. */
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
    } else {
      PetscCall(RemoveBeside(o));
      if (o->spec.overwrite) status = rename(o->path, o->spec.file);
      else status = SoretTakeName(o->path, o->spec.file) ? 0 : -1;
    }
    if (status) (void)fprintf(stderr, "soret: the complete result stays in '%s': cannot name it '%s': %s\n", o->path, o->spec.file, strerror(errno));
  }
  PetscCallMPI(MPI_Bcast(&status, 1, MPI_INT, 0, o->comm));
  *taken = status == 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The file of checksums of a result, and whether it is there. */
static PetscErrorCode FindSums(MPI_Comm comm, const char *path, size_t length, char sums[], int *there)
{
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(SoretOutputBeside(path, ".sums", length, sums));
  if (rank == 0) *there = access(sums, F_OK) == 0;
  PetscCallMPI(MPI_Bcast(there, 1, MPI_INT, 0, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputAddSums(MPI_Comm comm, const char *path)
{
  char sums[PETSC_MAX_PATH_LEN];
  int  there;

  PetscFunctionBegin;
  PetscCall(FindSums(comm, path, sizeof(sums), sums, &there));
  if (!there) PetscCall(SoretSumsWrite(comm, path, sums));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputVerify(MPI_Comm comm, const char *path, PetscBool *good)
{
  char      sums[PETSC_MAX_PATH_LEN], why[512];
  PetscBool hold;
  int       there;

  PetscFunctionBegin;
  PetscCall(FindSums(comm, path, sizeof(sums), sums, &there));
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
  char        xdmf[PETSC_MAX_PATH_LEN], old_xdmf[PETSC_MAX_PATH_LEN], sums[PETSC_MAX_PATH_LEN];
  PetscBool   taken = PETSC_FALSE;
  PetscMPIInt rank;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_OUTPUT);
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  PetscCall(SoretSummaryWrite(o));
  PetscCall(PetscSNPrintf(old_xdmf, sizeof(old_xdmf), "%s.xdmf", o->path));
  if (complete) PetscCall(TakeName(o, &taken));
  if (taken) {
    PetscCall(SoretOutputBeside(o->spec.file, ".xdmf", sizeof(xdmf), xdmf));
    PetscCall(SoretFramesWriteXDMF(o, xdmf, o->spec.file));
    if (rank == 0 && o->spec.xdmf) (void)unlink(old_xdmf);
  } else PetscCall(SoretFramesUpdateXDMF(o));
  PetscCall(PetscStrncpy(path, taken ? o->spec.file : o->path, length));
  if (o->spec.checksums) {
    PetscCall(SoretOutputBeside(path, ".sums", sizeof(sums), sums));
    PetscCall(SoretSumsWrite(o->comm, path, sums));
  }
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(complete && !taken ? SORET_ERR_IO : PETSC_SUCCESS);
}

PetscErrorCode SoretOutputDiscard(SoretOutput o)
{
  char        xdmf[PETSC_MAX_PATH_LEN];
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  PetscCall(PetscSNPrintf(xdmf, sizeof(xdmf), "%s.xdmf", o->path));
  if (rank == 0) {
    (void)unlink(o->path);
    (void)unlink(xdmf);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
