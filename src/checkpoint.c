/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/checkpoint.h"

#include <petsctime.h>

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint_private.h"
#include "soret/disk.h"
#include "soret/record.h"

/* ---- the section `checkpoint` ---- */

/* Wall-clock time: in seconds or with a unit, whatever `units` says. */
static PetscErrorCode ReadInterval(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest)
{
  static const SoretKey seconds = {"every", SORET_REAL, "s", SORET_OPTIONAL, SORET_POSITIVE, 0, ""};
  const PetscBool       reduced = SoretInputIsReduced(in);
  SoretOptional        *every   = (SoretOptional *)dest;
  PetscBool             ok;

  PetscFunctionBegin;
  PetscCall(SoretInputSetReduced(in, PETSC_FALSE));
  PetscCall(SoretInputReadValue(in, node, &seconds, &every->value, &ok));
  PetscCall(SoretInputSetReduced(in, reduced));
  every->given = ok;
  PetscFunctionReturn(PETSC_SUCCESS);
}

#define AT(field) offsetof(SoretCheckpointSpec, field)
static const SoretKey checkpoint_keys[] = {
  {"every", SORET_CUSTOM, "s", SORET_OPTIONAL, SORET_ANY, AT(every), "time by the clock on the wall between checkpoints, also in reduced units with a unit, as in `10 min`; without it one is written only when the run is stopped or asked", .parse = ReadInterval, .syntax = "number or quantity"},
  {"keep", SORET_INT, NULL, "2", SORET_BETWEEN(1, 1000), AT(keep), "generations that are kept; older ones are removed once a new one is complete"},
  {"prefix", SORET_STRING, NULL, SORET_OPTIONAL, SORET_ANY, AT(prefix), "path and beginning of the names of the files (default: the result file without its ending), relative to where soret is started"},
  {.key = NULL}};

PetscErrorCode SoretCheckpointReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`checkpoint`", checkpoint_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCheckpointSpecRead(SoretInput in, SoretCheckpointSpec *spec)
{
  const SoretNode *node = SoretNodeFind(SoretInputRoot(in), "checkpoint");

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  PetscCall(SoretInputReadMap(in, node, SoretInputRoot(in), "section 'checkpoint'", checkpoint_keys, spec));
  if (spec->prefix && (!spec->prefix[0] || spec->prefix[strlen(spec->prefix) - 1] == '/')) PetscCall(SoretInputError(in, SoretNodeFind(node, "prefix"), "'%s' is not the beginning of the name of a file", spec->prefix));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- archives ---- */

struct SoretArchive_s {
  SoretH5     h5;
  MPI_Comm    comm;
  const char *file; /* for messages */
  char        group[64];
};

static PetscErrorCode PathIn(SoretArchive archive, const char *name, size_t length, char path[])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, length, "%s/%s", archive->group, name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The run asks for something else than the checkpoint holds: a mistake of whoever changed the case. */
static PetscErrorCode Differs(SoretArchive archive, const char *path, int rank, const PetscInt size[], int rank_there, const PetscInt size_there[])
{
  char text[2][128] = {"", ""};

  PetscFunctionBegin;
  for (int a = 0; a < rank; a++) (void)snprintf(text[0] + strlen(text[0]), sizeof(text[0]) - strlen(text[0]), "%s%lld", a ? " x " : "", (long long)size[a]);
  for (int a = 0; a < rank_there; a++) (void)snprintf(text[1] + strlen(text[1]), sizeof(text[1]) - strlen(text[1]), "%s%lld", a ? " x " : "", (long long)size_there[a]);
  PetscCall(SoretComplain(archive->comm, "%s: %s has %s entries, but this run needs %s: the case is not the one that the checkpoint was written for\n", archive->file, path, rank_there < 0 ? "no" : text[1], text[0]));
  PetscFunctionReturn(SORET_ERR_INPUT);
}

PetscErrorCode SoretArchivePutBox(SoretArchive archive, const char *name, int rank, const PetscInt size[], const PetscInt start[], const PetscInt count[], const PetscReal data[])
{
  char path[160];

  PetscFunctionBegin;
  PetscCall(PathIn(archive, name, sizeof(path), path));
  PetscCall(SoretH5WriteBox(archive->h5, path, rank, size, start, count, data, NULL));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretArchiveSize(SoretArchive archive, const char *name, int *rank, PetscInt size[])
{
  char path[160];

  PetscFunctionBegin;
  PetscCall(PathIn(archive, name, sizeof(path), path));
  PetscCall(SoretH5GetSize(archive->h5, path, rank, size));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretArchiveGetBox(SoretArchive archive, const char *name, int rank, const PetscInt size[], const PetscInt start[], const PetscInt count[], PetscReal data[])
{
  char     path[160];
  PetscInt there[8];
  int      rank_there;

  PetscFunctionBegin;
  PetscCall(PathIn(archive, name, sizeof(path), path));
  PetscCall(SoretArchiveSize(archive, name, &rank_there, there));
  if (rank_there != rank || memcmp(there, size, (size_t)rank * sizeof(*size))) PetscCall(Differs(archive, path, rank, size, rank_there, there));
  PetscCall(SoretH5ReadBox(archive->h5, path, rank, start, count, data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretArchivePutReals(SoretArchive archive, const char *name, PetscInt n, const PetscReal value[])
{
  const PetscInt zero = 0;
  PetscInt       mine;
  PetscMPIInt    me;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(archive->comm, &me));
  mine = me == 0 ? n : 0;
  if (n) PetscCall(SoretArchivePutBox(archive, name, 1, &n, &zero, &mine, value)); /* none at all: no dataset */
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretArchiveCount(SoretArchive archive, const char *name, PetscInt *n)
{
  PetscInt size[8];
  int      rank;

  PetscFunctionBegin;
  PetscCall(SoretArchiveSize(archive, name, &rank, size));
  *n = rank == 1 ? size[0] : 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretArchiveGetReals(SoretArchive archive, const char *name, PetscInt n, PetscReal value[])
{
  const PetscInt zero = 0;
  PetscInt       there = 0, mine;
  PetscMPIInt    me, length;
  char           path[160];

  PetscFunctionBegin;
  PetscCall(PathIn(archive, name, sizeof(path), path));
  PetscCall(SoretArchiveCount(archive, name, &there));
  if (there != n) PetscCall(Differs(archive, path, 1, &n, 1, &there));
  if (!n) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_rank(archive->comm, &me));
  PetscCall(PetscMPIIntCast(n, &length));
  mine = me == 0 ? n : 0;
  PetscCall(SoretH5ReadBox(archive->h5, path, 1, &zero, &mine, value));
  PetscCallMPI(MPI_Bcast(value, length, MPIU_REAL, 0, archive->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretArchivePutText(SoretArchive archive, const char *name, const char *text)
{
  PetscFunctionBegin;
  PetscCall(SoretH5WriteString(archive->h5, archive->group, name, text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretArchiveGetText(SoretArchive archive, const char *name, char **text)
{
  PetscFunctionBegin;
  PetscCall(SoretH5ReadString(archive->h5, archive->group, name, text));
  if (!*text) PetscCall(PetscCalloc1(1, text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretArchiveAgrees(SoretArchive archive, const char *name, const char *text, PetscBool *agrees)
{
  char *there;

  PetscFunctionBegin;
  PetscCall(SoretArchiveGetText(archive, name, &there));
  PetscCall(PetscStrcmp(there, text, agrees));
  PetscCall(PetscFree(there));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- a checkpoint to go on from ---- */

enum {
  MOST_PARTS = 16,
  VERSION    = 3 /* of what the parts hold; changes with it */
};

struct SoretRestart_s {
  MPI_Comm  comm;
  char      prefix[PETSC_MAX_PATH_LEN], file[PETSC_MAX_PATH_LEN];
  PetscReal t;
  PetscInt  num_read;
  char      read[MOST_PARTS][48]; /* parts that somebody has asked for */
};

PetscBool SoretIsGeneration(const char *path)
{
  SoretGeneration generation;
  char            prefix[PETSC_MAX_PATH_LEN];

  return SoretGenerationParse(path, prefix, &generation);
}

/* Says why a list could not be had. On rank 0. */
static void SayUnlisted(const char *prefix)
{
  (void)fprintf(stderr, "soret: cannot look for checkpoints '%s.ckpt-*': %s\n", prefix, strerror(errno));
}

/* The list of rank 0, for all. No generations where there is no directory; one that cannot be read is an error. */
static PetscErrorCode ListForAll(MPI_Comm comm, const char *prefix, PetscInt *num, SoretGeneration **list)
{
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  *list = NULL;
  if (rank == 0) {
    PetscCall(SoretGenerationList(prefix, num, list));
    if (*num < 0 && (errno == ENOENT || errno == ENOTDIR)) *num = 0;
    if (*num < 0) SayUnlisted(prefix);
  }
  PetscCallMPI(MPI_Bcast(num, 1, MPIU_INT, 0, comm));
  if (*num < 0) PetscFunctionReturn(SORET_ERR_IO);
  if (rank > 0 && *num > 0) PetscCall(PetscMalloc1(*num, list));
  if (*num > 0) PetscCallMPI(MPI_Bcast(*list, (PetscMPIInt)((size_t)*num * sizeof(**list)), MPI_BYTE, 0, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Bytes as the manifest says, and inside them what this version of soret can read. */
static PetscErrorCode TryGeneration(MPI_Comm comm, const char *prefix, const SoretGeneration *generation, SoretManifest *manifest, PetscBool *good, size_t length, char why[])
{
  char           path[PETSC_MAX_PATH_LEN];
  PetscReal      version = 0.0;
  PetscBool      found;
  PetscErrorCode ierr;
  SoretH5        h5;

  PetscFunctionBegin;
  PetscCall(SoretManifestVerify(comm, prefix, generation, manifest, good, length, why));
  if (!*good) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretGenerationName(prefix, generation, ".h5", sizeof(path), path));
  ierr = SoretH5Open(comm, path, SORET_H5_READ, &h5);
  if (!ierr) {
    ierr = SoretH5ReadReal(h5, "/", "checkpoint_version", &version, &found);
    PetscCall(SoretH5Close(&h5));
  }
  *good = !ierr && version == VERSION ? PETSC_TRUE : PETSC_FALSE;
  if (!*good) PetscCall(PetscStrncpy(why, ierr ? "HDF5 cannot read it" : "it is of another version of soret", length));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The generations that `what` may mean. A name that has no generations may be that of a result or a case: its ending is taken off. */
static PetscErrorCode Candidates(MPI_Comm comm, const char *what, char prefix[], PetscInt *num, SoretGeneration **list)
{
  SoretGeneration one;
  char           *dot;

  PetscFunctionBegin;
  if (SoretGenerationParse(what, prefix, &one)) {
    *num = 1;
    PetscCall(PetscMalloc1(1, list));
    (*list)[0]              = one;
    (*list)[0].has_manifest = PETSC_TRUE; /* if it is not there, the reader says so */
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscStrncpy(prefix, what, PETSC_MAX_PATH_LEN));
  PetscCall(ListForAll(comm, prefix, num, list));
  dot = strrchr(prefix, '.');
  if (*num > 0 || !dot || strchr(dot, '/')) PetscFunctionReturn(PETSC_SUCCESS);
  *dot = 0;
  PetscCall(PetscFree(*list));
  PetscCall(ListForAll(comm, prefix, num, list));
  if (*num == 0) *dot = '.';
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretRestartFind(MPI_Comm comm, const char *what, SoretRestart *restart)
{
  SoretGeneration *list;
  SoretManifest    manifest;
  PetscBool        good = PETSC_FALSE;
  PetscInt         num, i;
  SoretRestart     r;
  char             why[512];

  PetscFunctionBegin;
  PetscCall(PetscNew(restart));
  r       = *restart;
  r->comm = comm;
  PetscCall(Candidates(comm, what, r->prefix, &num, &list));
  for (i = num - 1; i >= 0 && !good; i--) {
    PetscCall(SoretGenerationName(r->prefix, &list[i], ".h5", sizeof(r->file), r->file));
    PetscCall(TryGeneration(comm, r->prefix, &list[i], &manifest, &good, sizeof(why), why));
    if (!good) PetscCall(SoretSay(comm, "passing over %s: %s\n", r->file, why));
  }
  if (good) {
    PetscCall(SoretSay(comm, "going on from %s, written %s at step %lld, t = %g\n", r->file, manifest.written, (long long)manifest.step, (double)manifest.t));
    r->t = manifest.t;
  } else if (num == 0) PetscCall(SoretComplain(comm, "soret: there is no checkpoint '%s': no file %s.ckpt-*. Those of a case with `checkpoint.prefix` have that for a name\n", what, r->prefix));
  else PetscCall(SoretComplain(comm, "soret: none of the %" PetscInt_FMT " generations of checkpoint '%s' is good; nothing was run. To start anew: soret CASE.yaml output.overwrite=true\n", num, what));
  PetscCall(PetscFree(list));
  PetscFunctionReturn(good ? PETSC_SUCCESS : num == 0 ? SORET_ERR_INPUT : SORET_ERR_IO);
}

PetscErrorCode SoretRestartDestroy(SoretRestart *restart)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(*restart));
  PetscFunctionReturn(PETSC_SUCCESS);
}

const char *SoretRestartPrefix(SoretRestart restart)
{
  return restart->prefix;
}

PetscReal SoretRestartTime(SoretRestart restart)
{
  return restart->t;
}

PetscErrorCode SoretRestartRead(SoretRestart restart, const char *part, SoretArchiver read, void *context, PetscBool *found)
{
  struct SoretArchive_s archive = {.comm = restart->comm, .file = restart->file};
  PetscErrorCode        ierr    = PETSC_SUCCESS;

  PetscFunctionBegin;
  *found = PETSC_FALSE;
  for (PetscInt k = 0; k < restart->num_read; k++) {
    if (!strcmp(restart->read[k], part)) PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretH5Open(restart->comm, restart->file, SORET_H5_READ, &archive.h5));
  PetscCall(PetscSNPrintf(archive.group, sizeof(archive.group), "/%s", part));
  ierr = SoretH5Exists(archive.h5, archive.group, found);
  /* also one that is not there: whoever asks again, for a later problem of a sweep, may come when the file has been removed */
  if (restart->num_read < MOST_PARTS) PetscCall(PetscStrncpy(restart->read[restart->num_read++], part, sizeof(restart->read[0])));
  if (!ierr && *found) ierr = read(context, &archive);
  PetscCall(SoretH5Close(&archive.h5));
  PetscFunctionReturn(ierr);
}

PetscErrorCode SoretCheckpointVerify(MPI_Comm comm, const char *path, PetscBool *good)
{
  SoretGeneration generation;
  SoretManifest   manifest;
  char            prefix[PETSC_MAX_PATH_LEN], why[512];

  PetscFunctionBegin;
  *good = SoretGenerationParse(path, prefix, &generation);
  PetscCheck(*good, comm, PETSC_ERR_ARG_WRONG, "%s is no name of a generation", path);
  PetscCall(TryGeneration(comm, prefix, &generation, &manifest, good, sizeof(why), why));
  if (*good) PetscCall(SoretSay(comm, "%s: good, %lld bytes, written %s at step %lld, t = %g\n", path, (long long)manifest.bytes, manifest.written, (long long)manifest.step, (double)manifest.t));
  else PetscCall(SoretSay(comm, "%s: not good: %s\n", path, why));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the handle ---- */

typedef struct {
  char          name[48];
  SoretArchiver write;
  void         *context;
} Part;

struct SoretCheckpoint_s {
  MPI_Comm       comm;
  PetscMPIInt    rank;
  PetscReal      every; /* 0: only when asked */
  PetscInt       keep;
  char           prefix[PETSC_MAX_PATH_LEN];
  int            attempt;
  SoretRestart   restart;
  PetscInt       num_parts;
  Part           part[MOST_PARTS];
  PetscBool      refused;
  PetscInt       before; /* steps, of the problems of a sweep that are done */
  SoretAsk       stopped;
  PetscInt       num_written;
  /* on rank 0 */
  int            claimed;       /* number of the newest generation, also one that failed */
  SoretStopFiles files;
  SoretAsk       asked;         /* by them within a step, for the next poll */
  PetscReal      job_end;       /* seconds since 1970, 0: none             */
  PetscLogDouble last_begin;    /* of the last checkpoint, or of the run   */
  PetscLogDouble last_poll;
  PetscReal      longest_step;  /* of late                                 */
  PetscReal      longest_write;
};

PetscErrorCode SoretCheckpointListen(void)
{
  PetscFunctionBegin;
  SoretStopListen();
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Are the names short enough for the file system and for MPI-IO? Asked before the run, not when it is to be saved. */
static PetscBool NamesFit(const char *prefix)
{
  const SoretGeneration last = {.attempt = 999, .number = 999999};
  char                  path[PETSC_MAX_PATH_LEN], manifest[PETSC_MAX_PATH_LEN];

  if (SoretGenerationName(prefix, &last, ".h5", sizeof(path), path) || SoretGenerationName(prefix, &last, ".manifest.new", sizeof(manifest), manifest)) return PETSC_FALSE;
  return SoretH5BearsName(path) && (access(manifest, F_OK) == 0 || errno != ENAMETOOLONG) ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode SoretCheckpointCheck(MPI_Comm comm, const char *prefix, PetscBool replace)
{
  SoretGeneration *list = NULL;
  char             directory[PETSC_MAX_PATH_LEN];
  PetscInt         num, begun = 0;
  PetscMPIInt      rank;
  int              status = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) {
    PetscCall(SoretDirectoryOf(prefix, sizeof(directory), directory));
    PetscCall(SoretGenerationList(prefix, &num, &list));
    for (PetscInt i = 0; i < num; i++) begun += list[i].has_manifest; /* without one: of a run that was killed in its first checkpoint, nothing to go on from */
    if (num < 0 || access(directory, W_OK | X_OK)) {
      (void)fprintf(stderr, "soret: cannot write checkpoints '%s.ckpt-*': directory '%s': %s\n", prefix, directory, strerror(errno));
      status = SORET_ERR_IO;
    } else if (!NamesFit(prefix)) {
      (void)fprintf(stderr, "soret: the names of checkpoints '%s.ckpt-*' are too long; nothing was run. Choose a shorter checkpoint.prefix, relative to where soret is started\n", prefix);
      status = SORET_ERR_INPUT;
    } else if (begun && !replace) {
      (void)fprintf(stderr, "soret: there are checkpoints '%s.ckpt-*' of an earlier run; nothing was run. Go on from them with: soret resume %s; or start anew with output.overwrite=true, or with another checkpoint.prefix\n", prefix, prefix);
      status = SORET_ERR_INPUT;
    }
    PetscCall(PetscFree(list));
  }
  PetscCallMPI(MPI_Bcast(&status, 1, MPI_INT, 0, comm));
  PetscFunctionReturn((PetscErrorCode)status);
}

/* What rank 0 needs to see to know when a checkpoint or a stop is due. Its attempt is -1 where it cannot see the others. */
static PetscErrorCode Watch(SoretCheckpoint ck, const char *result)
{
  SoretGeneration *list;
  PetscInt         num;

  PetscFunctionBegin;
  PetscCall(PetscTime(&ck->last_begin));
  ck->last_poll = ck->last_begin;
  PetscCall(SoretStopFilesCreate(result, &ck->files));
  PetscCall(SoretStopJobEnd(&ck->job_end));
  PetscCall(SoretGenerationList(ck->prefix, &num, &list));
  if (num > 0) ck->attempt = PetscMax(ck->attempt, list[num - 1].attempt + 1);
  if (num < 0) {
    SayUnlisted(ck->prefix);
    ck->attempt = -1;
  }
  PetscCall(PetscFree(list));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCheckpointCreate(MPI_Comm comm, const SoretCheckpointSpec *spec, const char *prefix, const char *result, int attempt, SoretRestart restart, SoretCheckpoint *checkpoint)
{
  SoretCheckpoint ck;

  PetscFunctionBegin;
  PetscCall(PetscNew(checkpoint));
  ck          = *checkpoint;
  ck->comm    = comm;
  ck->every   = spec->every.given ? spec->every.value : 0.0;
  ck->keep    = spec->keep;
  ck->attempt = attempt;
  ck->restart = restart;
  PetscCall(PetscStrncpy(ck->prefix, prefix, sizeof(ck->prefix)));
  PetscCallMPI(MPI_Comm_rank(comm, &ck->rank));
  if (ck->rank == 0) PetscCall(Watch(ck, result));
  PetscCallMPI(MPI_Bcast(&ck->attempt, 1, MPI_INT, 0, comm));
  PetscFunctionReturn(ck->attempt < 0 ? SORET_ERR_IO : PETSC_SUCCESS);
}

PetscErrorCode SoretCheckpointDestroy(SoretCheckpoint *checkpoint)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(*checkpoint));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCheckpointAdd(SoretCheckpoint ck, const char *part, SoretArchiver write, SoretArchiver read, void *context, PetscBool *restored)
{
  PetscBool      found = PETSC_FALSE;
  PetscErrorCode ierr;

  PetscFunctionBegin;
  if (restored) *restored = PETSC_FALSE;
  if (!ck) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCheck(ck->num_parts < MOST_PARTS, ck->comm, PETSC_ERR_PLIB, "too many parts of a checkpoint");
  PetscCall(PetscStrncpy(ck->part[ck->num_parts].name, part, sizeof(ck->part[0].name)));
  ck->part[ck->num_parts].write   = write;
  ck->part[ck->num_parts].context = context;
  ck->num_parts++;
  if (ck->restart && read) {
    ierr = SoretRestartRead(ck->restart, part, read, context, &found);
    if (ierr) ck->refused = PETSC_TRUE;
    PetscCall(ierr);
  }
  if (restored) *restored = found;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscBool SoretCheckpointRefused(SoretCheckpoint ck)
{
  return ck ? ck->refused : PETSC_FALSE;
}

PetscErrorCode SoretCheckpointRemove(SoretCheckpoint ck, const char *part)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; ck && k < ck->num_parts; k++) {
    if (strcmp(ck->part[k].name, part)) continue;
    memmove(&ck->part[k], &ck->part[k + 1], (size_t)(ck->num_parts - k - 1) * sizeof(Part));
    ck->num_parts--;
    break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SoretCheckpointCountFrom(SoretCheckpoint ck, PetscInt before)
{
  if (ck) ck->before = before;
}

const char *SoretCheckpointStopped(SoretCheckpoint ck)
{
  return ck && ck->stopped ? SoretAskText(ck->stopped) : NULL;
}

PetscInt SoretCheckpointCount(SoretCheckpoint ck)
{
  return ck->num_written;
}

/* ---- writing ---- */

/* Has a later attempt, the newest one of the list, taken over? This one was left behind, and touches nothing more. */
static PetscBool LeftBehind(SoretCheckpoint ck, PetscInt num, const SoretGeneration list[])
{
  if (num <= 0 || list[num - 1].attempt <= ck->attempt) return PETSC_FALSE;
  (void)fprintf(stderr, "soret: %s.ckpt-%03d-*: a later attempt of this run writes checkpoints; this one was left behind and stops\n", ck->prefix, list[num - 1].attempt);
  return PETSC_TRUE;
}

/* Does the list hold generations of this attempt that are not of this run? One that started at the same moment with another result writes under the prefix, too. */
static PetscBool HasCompany(SoretCheckpoint ck, PetscInt num, const SoretGeneration list[])
{
  for (PetscInt i = 0; i < num; i++) {
    if (list[i].attempt != ck->attempt || list[i].number <= ck->claimed) continue;
    (void)fprintf(stderr, "soret: %s.ckpt-%03d-*: another run writes checkpoints there, and this one stops; each needs a checkpoint.prefix of its own\n", ck->prefix, ck->attempt);
    return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* The next generation, with a data file that nobody else has. Rank 0 decides. */
static PetscErrorCode ClaimGeneration(SoretCheckpoint ck, SoretGeneration *generation, char file[])
{
  SoretGeneration *list = NULL;
  PetscInt         num;
  int              status = 0;

  PetscFunctionBegin;
  *generation = (SoretGeneration){.attempt = ck->attempt};
  if (ck->rank == 0) {
    PetscCall(SoretGenerationList(ck->prefix, &num, &list));
    for (PetscInt i = 0; i < num; i++) generation->number = PetscMax(generation->number, list[i].number);
    if (num < 0) {
      SayUnlisted(ck->prefix);
      status = SORET_ERR_IO;
    } else if (LeftBehind(ck, num, list) || HasCompany(ck, num, list)) status = SORET_ERR_IO;
    PetscCall(PetscFree(list));
    for (int tries = 0; !status && tries < 1000; tries++) {
      generation->number++;
      PetscCall(SoretGenerationName(ck->prefix, generation, ".h5", PETSC_MAX_PATH_LEN, file));
      ck->claimed = generation->number;
      if (SoretClaim(file)) break;
      if (errno == EEXIST) continue;
      (void)fprintf(stderr, "%s: cannot create the file: %s\n", file, strerror(errno));
      status = SORET_ERR_IO;
    }
  }
  PetscCallMPI(MPI_Bcast(&status, 1, MPI_INT, 0, ck->comm));
  PetscCallMPI(MPI_Bcast(&generation->number, 1, MPI_INT, 0, ck->comm));
  PetscCall(SoretGenerationName(ck->prefix, generation, ".h5", PETSC_MAX_PATH_LEN, file));
  PetscFunctionReturn((PetscErrorCode)status);
}

static PetscErrorCode WriteParts(SoretCheckpoint ck, SoretArchive archive)
{
  PetscFunctionBegin;
  PetscCall(SoretH5WriteString(archive->h5, "/", "format", "soret checkpoint"));
  PetscCall(SoretH5WriteInt(archive->h5, "/", "checkpoint_version", VERSION));
  PetscCall(SoretH5WriteString(archive->h5, "/", "version", SORET_VERSION));
  for (PetscInt k = 0; k < ck->num_parts; k++) {
    PetscCall(PetscSNPrintf(archive->group, sizeof(archive->group), "/%s", ck->part[k].name));
    PetscCall(SoretH5MakeGroup(archive->h5, archive->group));
    PetscCall(ck->part[k].write(ck->part[k].context, archive));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The data file: written, closed, synced. */
static PetscErrorCode WriteData(SoretCheckpoint ck, const char *file)
{
  struct SoretArchive_s archive = {.comm = ck->comm, .file = file};
  PetscErrorCode        ierr;

  PetscFunctionBegin;
  PetscCall(SoretH5Open(ck->comm, file, SORET_H5_FILL, &archive.h5));
  ierr = WriteParts(ck, &archive);
  if (ierr) {
    PetscCall(SoretH5Abandon(&archive.h5));
    PetscFunctionReturn(ierr);
  }
  PetscCall(SoretH5Close(&archive.h5));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void RemoveGeneration(const char *prefix, const SoretGeneration *generation)
{
  static const char *const endings[] = {".manifest", ".manifest.new", ".h5"}; /* in this order: no manifest without its data */
  char                     path[PETSC_MAX_PATH_LEN];

  for (size_t k = 0; k < sizeof(endings) / sizeof(endings[0]); k++) {
    if (!SoretGenerationName(prefix, generation, endings[k], sizeof(path), path)) (void)unlink(path);
  }
}

/* Removes what is older than the `keep` newest complete generations, and data without manifest that earlier attempts left. Whatever a later
   attempt may have made meanwhile is not touched. */
static PetscErrorCode Rotate(SoretCheckpoint ck)
{
  SoretGeneration *list;
  PetscInt         num, complete = 0;

  PetscFunctionBegin;
  PetscCall(SoretGenerationList(ck->prefix, &num, &list));
  for (PetscInt i = num - 1; i >= 0; i--) {
    if (list[i].attempt > ck->attempt) continue;
    if (list[i].has_manifest && list[i].has_data) complete++;
    if (list[i].has_manifest && list[i].has_data ? complete > ck->keep : list[i].attempt < ck->attempt) RemoveGeneration(ck->prefix, &list[i]);
  }
  PetscCall(PetscFree(list));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Removes what there is of a generation that could not be written. A later attempt may have done so while this one was held up. */
static PetscErrorCode GiveUp(SoretCheckpoint ck, const SoretGeneration *generation)
{
  SoretGeneration *list;
  PetscInt         num;

  PetscFunctionBegin;
  RemoveGeneration(ck->prefix, generation);
  PetscCall(SoretGenerationList(ck->prefix, &num, &list));
  if (!LeftBehind(ck, num, list)) (void)fprintf(stderr, "soret: the checkpoint could not be written; older ones are as they were\n");
  PetscCall(PetscFree(list));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Write(SoretCheckpoint ck, SoretAsk ask, PetscInt step, PetscReal t)
{
  SoretGeneration generation;
  char            file[PETSC_MAX_PATH_LEN];
  PetscLogDouble  begin, end;
  PetscInt64      bytes;
  PetscErrorCode  ierr;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_CHECKPOINT);
  PetscCall(PetscTime(&begin));
  SoretStopForgetCheckpoint();
  PetscCall(ClaimGeneration(ck, &generation, file));
  ierr = WriteData(ck, file);
  if (!ierr) ierr = SoretManifestWrite(ck->comm, ck->prefix, &generation, step, t, &bytes);
  if (ierr) {
    if (ck->rank == 0) PetscCall(GiveUp(ck, &generation));
    PetscFunctionReturn(ierr);
  }
  if (ck->rank == 0) PetscCall(Rotate(ck));
  PetscCall(PetscTime(&end));
  ck->num_written++;
  ck->last_begin    = begin;
  ck->longest_write = PetscMax(end - begin, 0.5 * ck->longest_write);
  SoretRecordEnd(SORET_PHASE_CHECKPOINT);
  PetscCall(SoretSay(ck->comm, "checkpoint %s (%s): step %" PetscInt_FMT ", t = %g, %.3g MB in %.2g s\n", file, SoretAskText(ask), step, (double)t, 1.0e-6 * (double)bytes, end - begin));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- when ---- */

#define LEAST_MARGIN  5.0  /* s before the end of a job for all that is not measured                    */
#define UNKNOWN_WRITE 10.0 /* s that a checkpoint may take as long as none has been written in this run */

/* Is the job about to end? Stopping takes the rest of the step that is on the way, and the checkpoint, both with a reserve. */
static PetscBool JobEnds(const SoretCheckpoint ck, PetscReal step)
{
  const PetscReal margin = LEAST_MARGIN + 2.0 * (step + (ck->num_written ? ck->longest_write : UNKNOWN_WRITE));
  struct timespec clock;

  (void)clock_gettime(CLOCK_REALTIME, &clock);
  return ck->job_end > 0.0 && (PetscReal)clock.tv_sec + margin >= ck->job_end ? PETSC_TRUE : PETSC_FALSE;
}

/* What rank 0 sees besides signals. */
static PetscErrorCode Look(SoretCheckpoint ck, SoretAsk *ask)
{
  PetscLogDouble now;
  SoretAsk       files;

  PetscFunctionBegin;
  PetscCall(PetscTime(&now));
  ck->longest_step = PetscMax(now - ck->last_poll, 0.9 * ck->longest_step);
  if (ck->every > 0.0 && now - ck->last_begin >= ck->every) *ask = PetscMax(*ask, SORET_ASK_DUE);
  files     = SoretStopFilesLook(&ck->files);
  *ask      = PetscMax(*ask, PetscMax(files, ck->asked));
  ck->asked = SORET_ASK_NOTHING;
  if (JobEnds(ck, ck->longest_step)) *ask = PetscMax(*ask, SORET_STOP_JOB_ENDS);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCheckpointStopAsked(SoretCheckpoint ck, PetscBool *stop)
{
  SoretAsk ask = SoretStopSignal(), files;
  int      mine, all;

  PetscFunctionBegin;
  *stop = PETSC_FALSE;
  if (!ck) PetscFunctionReturn(PETSC_SUCCESS);
  if (ck->rank == 0) {
    files     = SoretStopFilesLook(&ck->files);
    ck->asked = PetscMax(ck->asked, files);
    if (JobEnds(ck, 0.0)) ck->asked = PetscMax(ck->asked, SORET_STOP_JOB_ENDS); /* what is left of the step need not be waited for */
    ask = PetscMax(ask, ck->asked);
  }
  mine = (int)ask;
  PetscCallMPI(MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MAX, ck->comm));
  *stop = all >= (int)SORET_STOP_JOB_ENDS ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCheckpointPoll(SoretCheckpoint ck, PetscInt step, PetscReal t, PetscBool *stop)
{
  SoretAsk ask = SoretStopSignal();
  int      mine, all;

  PetscFunctionBegin;
  *stop = PETSC_FALSE;
  if (!ck) PetscFunctionReturn(PETSC_SUCCESS);
  if (ck->rank == 0) PetscCall(Look(ck, &ask));
  mine = (int)ask;
  PetscCallMPI(MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MAX, ck->comm));
  ask = (SoretAsk)all;
  if (ask != SORET_ASK_NOTHING) PetscCall(Write(ck, ask, ck->before + step, t));
  if (ask >= SORET_STOP_JOB_ENDS) {
    ck->stopped = ask;
    *stop       = PETSC_TRUE;
  }
  PetscCall(PetscTime(&ck->last_poll));
  PetscFunctionReturn(PETSC_SUCCESS);
}
