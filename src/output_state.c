/* SPDX-License-Identifier: BSD-2-Clause */
#include "output_private.h"

#include <stdlib.h>
#include <unistd.h>

#include "soret/record.h"

/* ---- the grid ---- */

/* A text for what is solid, the same on any number of ranks. */
static PetscErrorCode NameSolid(const SoretGrid *grid, size_t length, char name[])
{
  unsigned long long sum = 0;

  PetscFunctionBegin;
  for (PetscInt p = 0; p < grid->num_cells && grid->closed; p++) {
    unsigned long long cell = ((unsigned long long)SoretGridNatural(grid, p) << 7 | grid->closed[p]) * 0x9e3779b97f4a7c15ULL;

    if (grid->closed[p]) sum += (cell ^ cell >> 32) * 0xd6e8feb86659fd93ULL;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_UNSIGNED_LONG_LONG, MPI_SUM, grid->comm));
  PetscCall(PetscSNPrintf(name, length, "%016llx", sum));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SaveGrid(const SoretGrid *grid, SoretArchive archive)
{
  char name[32];

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    PetscCall(PetscSNPrintf(name, sizeof(name), "edges_%c", SORET_AXIS_NAMES[axis]));
    PetscCall(SoretArchivePutReals(archive, name, grid->n[axis] + 1, grid->edge[axis]));
  }
  PetscCall(NameSolid(grid, sizeof(name), name));
  PetscCall(SoretArchivePutText(archive, "solid", name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Are the cells along an axis those of the checkpoint, to rounding? */
static PetscErrorCode CompareEdges(const SoretGrid *grid, int axis, SoretArchive archive, PetscBool *same)
{
  const PetscInt n = grid->n[axis] + 1;
  PetscReal     *edge;
  PetscInt       there;
  char           name[32];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(name, sizeof(name), "edges_%c", SORET_AXIS_NAMES[axis]));
  PetscCall(SoretArchiveCount(archive, name, &there));
  *same = there == n ? PETSC_TRUE : PETSC_FALSE;
  if (!*same) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(n, &edge));
  PetscCall(SoretArchiveGetReals(archive, name, n, edge));
  for (PetscInt i = 0; i < n; i++) *same = *same && PetscAbsReal(edge[i] - grid->edge[axis][i]) <= 1.0e-12 * (grid->size[axis] + PetscAbsReal(edge[i])) ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscFree(edge));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The state of a checkpoint means another one on another grid. */
static PetscErrorCode CheckGrid(const SoretGrid *grid, SoretArchive archive)
{
  char        name[32];
  const char *what = NULL;
  PetscBool   same;

  PetscFunctionBegin;
  PetscCall(NameSolid(grid, sizeof(name), name));
  PetscCall(SoretArchiveAgrees(archive, "solid", name, &same));
  if (!same) what = "what is solid";
  for (int axis = grid->dim - 1; axis >= 0; axis--) {
    PetscCall(CompareEdges(grid, axis, archive, &same));
    if (!same) what = axis == 0 ? "the cells along x" : axis == 1 ? "the cells along y" : "the cells along z";
  }
  if (what) PetscCall(SoretComplain(grid->comm, "soret: the checkpoint is of another grid than this run: %s must stay as in the section `domain` of then\n", what));
  PetscFunctionReturn(what ? SORET_ERR_INPUT : PETSC_SUCCESS);
}

/* ---- saving and loading ---- */

/* Numbers of the part besides series and frames. */
typedef struct {
  PetscReal drift, started, first_total[3 * SORET_MAX_SPECIES];
} State;

enum { STATE_SIZE = sizeof(State) / sizeof(PetscReal) };

/* Numbers of a frame. */
typedef struct {
  PetscReal time, step, lost, place;
} Frame;

enum { FRAME_SIZE = sizeof(Frame) / sizeof(PetscReal) };

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
  State       state = {.drift = o->drift, .started = (PetscReal)o->started};
  Frame      *frames;
  char       *text;

  PetscFunctionBegin;
  PetscCall(SaveGrid(o->op->grid, archive));
  PetscCall(ListAttempts(o, &text));
  PetscCall(SoretArchivePutText(archive, "attempts", text));
  PetscCall(PetscFree(text));
  PetscCall(SoretJoinLines(o->num_columns, (const char *const *)o->column, &text));
  PetscCall(SoretArchivePutText(archive, "columns", text));
  PetscCall(PetscFree(text));
  PetscCall(SoretSumsPut(o->sums, archive));
  PetscCall(PetscArraycpy(state.first_total, o->first_total, 3 * SORET_MAX_SPECIES));
  PetscCall(SoretArchivePutReals(archive, "state", STATE_SIZE, (const PetscReal *)&state));
  PetscCall(PetscMalloc1(o->num_frames, &frames));
  for (PetscInt k = 0; k < o->num_frames; k++) frames[k] = (Frame){.time = o->frame[k].time, .step = (PetscReal)o->frame[k].step, .lost = (PetscReal)o->frame[k].lost, .place = o->frame[k].place};
  PetscCall(SoretArchivePutReals(archive, "frames", FRAME_SIZE * o->num_frames, (const PetscReal *)frames));
  PetscCall(PetscFree(frames));
  PetscCall(SoretArchivePutReals(archive, "series", o->num_rows * o->num_columns, o->rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode LoadFrames(SoretOutput o, SoretArchive archive)
{
  PetscInt n;
  Frame   *frames;

  PetscFunctionBegin;
  PetscCall(SoretArchiveCount(archive, "frames", &n));
  n /= FRAME_SIZE;
  PetscCall(PetscMalloc1(n, &frames));
  PetscCall(SoretArchiveGetReals(archive, "frames", n * FRAME_SIZE, (PetscReal *)frames));
  for (const Frame *f = frames; f < frames + n; f++) PetscCall(SoretFrameRemember(o, (SoretFrame){.time = f->time, .step = (PetscInt)f->step, .lost = f->lost != 0.0 ? PETSC_TRUE : PETSC_FALSE, .place = f->place}));
  PetscCall(PetscFree(frames));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rank 0 reads the series and keeps it: of a long run it may be larger than the fields. */
static PetscErrorCode LoadSeries(SoretOutput o, SoretArchive archive)
{
  const PetscInt zero = 0;
  char          *columns;
  PetscInt       n, mine;
  PetscMPIInt    rank;
  PetscBool      same, sums;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  PetscCall(SoretJoinLines(o->num_columns, (const char *const *)o->column, &columns));
  PetscCall(SoretArchiveAgrees(archive, "columns", columns, &same));
  PetscCall(PetscFree(columns));
  PetscCall(SoretSumsAgree(o->sums, archive, &sums));
  if (!same || !sums) {
    PetscCall(SoretComplain(o->comm, "soret: the series of the checkpoint has other columns than this run: species, sums and boundary conditions must stay as they were\n"));
    PetscFunctionReturn(SORET_ERR_INPUT);
  }
  PetscCall(SoretArchiveCount(archive, "series", &n));
  mine = rank == 0 ? n : 0;
  PetscCall(SoretSeriesGrow(o, mine / o->num_columns));
  if (n) PetscCall(SoretArchiveGetBox(archive, "series", 1, &n, &zero, &mine, o->rows));
  o->num_rows = n / o->num_columns;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Load(void *context, SoretArchive archive)
{
  SoretOutput o = (SoretOutput)context;
  State       state;

  PetscFunctionBegin;
  PetscCall(CheckGrid(o->op->grid, archive));
  PetscCall(SoretArchiveGetText(archive, "attempts", &o->earlier));
  PetscCall(SoretArchiveGetReals(archive, "state", STATE_SIZE, (PetscReal *)&state));
  o->drift   = state.drift;
  o->started = state.started != 0.0 ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscArraycpy(o->first_total, state.first_total, 3 * SORET_MAX_SPECIES));
  PetscCall(LoadFrames(o, archive));
  PetscCall(LoadSeries(o, archive));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- frames of earlier attempts ---- */

/* Is the result in a file that of this attempt of the run, as far as its number and the case tell? Another run may have taken the name since. */
static PetscErrorCode IsOfAttempt(SoretH5 from, SoretH5 to, const char *number, PetscBool *is)
{
  PetscReal attempt;
  char     *theirs = NULL, *ours = NULL;
  PetscBool found;

  PetscFunctionBegin;
  *is = PETSC_FALSE;
  if (SoretH5ReadReal(from, "/summary", "attempt", &attempt, &found) || !found || attempt != strtod(number, NULL)) PetscFunctionReturn(PETSC_SUCCESS);
  if (!SoretH5ReadString(from, "/", "case", &theirs) && !SoretH5ReadString(to, "/", "case", &ours)) *is = theirs && ours && !strcmp(theirs, ours) ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscFree(theirs));
  PetscCall(PetscFree(ours));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The file of an earlier attempt: where it was, or beside the file of this one if the directory has moved. Where the run was done it has lost its number.
   NULL if it is gone. */
static PetscErrorCode OpenEarlier(SoretOutput o, SoretH5 to, const char *path, PetscBool done, SoretH5 *h5)
{
  const char *slash = strrchr(path, '/'), *here = strrchr(o->path, '/'), *number = strrchr(path, '.');
  const int   length = done && number ? (int)(number - path) : (int)strlen(path), folder = slash ? (int)(slash + 1 - path) : 0;
  char        name[2][PETSC_MAX_PATH_LEN];
  PetscMPIInt rank;
  PetscBool   right;
  int         which = 0; /* 1: as it was, 2: moved */

  PetscFunctionBegin;
  *h5 = NULL;
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  PetscCall(PetscSNPrintf(name[0], sizeof(name[0]), "%.*s", length, path));
  PetscCall(PetscSNPrintf(name[1], sizeof(name[1]), "%.*s%.*s", here ? (int)(here - o->path) + 1 : 0, o->path, length - folder, path + folder));
  if (rank == 0) which = access(name[0], R_OK) == 0 ? 1 : access(name[1], R_OK) == 0 ? 2 : 0;
  PetscCallMPI(MPI_Bcast(&which, 1, MPI_INT, 0, o->comm));
  if (which && SoretH5Open(o->comm, name[which - 1], SORET_H5_READ, h5)) *h5 = NULL;
  if (!*h5 || !done) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(IsOfAttempt(*h5, to, number ? number + 1 : "", &right));
  if (!right) (void)SoretH5Close(h5);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Was a frame of an earlier file computed with another temperature than that of this run? Then all frames hold their own from now on. */
static PetscErrorCode CompareTemperature(SoretOutput o, SoretH5 from, SoretH5 to)
{
  const PetscReal *T = o->op->temperature->T;
  PetscInt         size[4], start[4], count[4], differs = 0;
  const int        rank = SoretGridBox(o->op->grid, 0, size, start, count);
  PetscBool        there;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < o->num_frames && !o->varies; k++) {
    char path[64];

    PetscCall(SoretFramePath(k, sizeof(path), path));
    PetscCall(SoretAppend(path, "/temperature", sizeof(path)));
    if (!SoretH5Exists(from, path, &there)) o->varies = there;
  }
  if (o->varies || SoretH5ReadBox(from, "/temperature", rank, start, count, o->work)) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt p = 0; p < o->op->grid->num_cells; p++) differs = differs || PetscAbsReal(o->work[p] - T[p]) > 1.0e-6 * T[p]; /* files may be in single precision */
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &differs, 1, MPIU_INT, MPI_MAX, o->comm));
  o->varies = differs ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Copies one field of a frame, which is `there` in the earlier file, unless another one has given it already; *copied is false where this one has it not, or not in good
   order. A temperature that did not change in time is that of the whole file. */
static PetscErrorCode CopyField(SoretOutput o, SoretH5 from, const char *there, SoretH5 to, const char *frame, const SoretFrameField *field, PetscBool *copied)
{
  PetscInt       size[4], start[4], count[4], size_there[8];
  const int      rank = SoretGridBox(o->op->grid, SoretFrameTrailing(o, field), size, start, count);
  int            rank_there;
  char           path[256];
  PetscErrorCode ierr;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", frame, field->name));
  PetscCall(SoretH5Exists(to, path, copied));
  if (*copied) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", there, field->name));
  if (field->kind == SORET_FRAME_TEMPERATURE && !SoretH5Exists(from, path, copied) && !*copied) PetscCall(PetscStrncpy(path, "/temperature", sizeof(path)));
  ierr    = SoretH5GetSize(from, path, &rank_there, size_there);
  *copied = !ierr && rank_there == rank && !memcmp(size_there, size, (size_t)rank * sizeof(*size)) ? PETSC_TRUE : PETSC_FALSE;
  if (*copied && SoretH5ReadBox(from, path, rank, start, count, o->work)) *copied = PETSC_FALSE;
  if (*copied) PetscCall(SoretFramePutField(o, to, frame, field));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is it the frame that this run remembers? Another run may have taken the name of the file since. */
static PetscErrorCode IsSameFrame(SoretH5 from, const char *path, SoretFrame frame, PetscBool *same)
{
  PetscReal time, step;
  PetscBool found;

  PetscFunctionBegin;
  *same = PETSC_FALSE;
  if (SoretH5Exists(from, path, &found) || !found) PetscFunctionReturn(PETSC_SUCCESS);
  if (SoretH5ReadReal(from, path, "time", &time, &found) || !found) PetscFunctionReturn(PETSC_SUCCESS);
  if (SoretH5ReadReal(from, path, "step", &step, &found) || !found) PetscFunctionReturn(PETSC_SUCCESS);
  *same = time == frame.time && step == (PetscReal)frame.step ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Looks for a frame: at its place, where it is although a process was killed while it changed the names; or by its name in the file of another attempt. */
static PetscErrorCode FindFrame(SoretH5 from, const char *path, SoretFrame frame, const char **there)
{
  PetscBool found;

  PetscFunctionBegin;
  *there = ".";
  PetscCall(SoretH5Enter(from, frame.place, &found));
  if (found) PetscCall(IsSameFrame(from, *there, frame, &found));
  if (found) PetscFunctionReturn(PETSC_SUCCESS);
  *there = path;
  PetscCall(IsSameFrame(from, *there, frame, &found));
  if (!found) *there = NULL;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Copies the frames that lie in the file of an earlier attempt and are not in the new one yet. */
static PetscErrorCode CopyFrames(SoretOutput o, SoretH5 from, SoretH5 to)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < o->num_frames; k++) {
    PetscBool   copied = PETSC_TRUE, root;
    const char *there;
    char        path[64];

    if (!o->frame[k].lost) continue;
    PetscCall(SoretFramePath(k, sizeof(path), path));
    PetscCall(FindFrame(from, path, o->frame[k], &there));
    if (there) {
      PetscCall(SoretFrameBegin(to, path, o->frame[k]));
      for (PetscInt f = 0; f < o->num_fields && copied; f++) PetscCall(CopyField(o, from, there, to, path, &o->field[f], &copied));
      if (copied) o->frame[k].lost = PETSC_FALSE;
    }
    PetscCall(SoretH5Enter(from, 0.0, &root));
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
    PetscCall(SoretFramePath(k, sizeof(path), path));
    PetscCall(SoretFrameBegin(h5, path, o->frame[k]));
    PetscCall(SoretH5WriteInt(h5, path, "lost", 1));
    lost++;
  }
  if (lost) PetscCall(SoretSay(o->comm, "warning: %" PetscInt_FMT " of %" PetscInt_FMT " frames are lost, the files of the earlier attempts are gone, damaged or without some of `output.fields`; the series is complete, and so is all that follows\n", lost, o->num_frames));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Something with the file of each earlier attempt that is there, the newest first. */
static PetscErrorCode ForEachEarlier(SoretOutput o, PetscErrorCode (*action)(SoretOutput o, SoretH5 from, SoretH5 to), SoretH5 to)
{
  char *list, *path, *rest;

  PetscFunctionBegin;
  PetscCall(PetscStrallocpy(o->earlier, &list));
  for (path = strtok_r(list, "\n", &rest); path; path = strtok_r(NULL, "\n", &rest)) {
    for (int done = 0; done < 2; done++) {
      SoretH5 from;

      PetscCall(OpenEarlier(o, to, path, done ? PETSC_TRUE : PETSC_FALSE, &from));
      if (!from) continue;
      PetscCall(action(o, from, to));
      (void)SoretH5Close(&from);
    }
  }
  PetscCall(PetscFree(list));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Frames of earlier attempts into the file of this one. Their files are only read. */
static PetscErrorCode CarryOver(SoretOutput o)
{
  SoretH5 to;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < o->num_frames; k++) o->frame[k].lost = PETSC_TRUE; /* until they are found */
  PetscCall(SoretH5Open(o->comm, o->path, SORET_H5_UPDATE, &to));
  PetscCall(ForEachEarlier(o, CompareTemperature, to));
  PetscCall(SoretFramesNameFields(o));
  PetscCall(ForEachEarlier(o, CopyFrames, to));
  PetscCall(MarkLost(o, to));
  for (PetscInt k = 0; k < o->num_frames; k++) {
    char path[64];

    PetscCall(SoretFramePath(k, sizeof(path), path));
    PetscCall(SoretH5GetPlace(to, path, &o->frame[k].place));
  }
  PetscCall(SoretSeriesFlush(o, to));
  PetscCall(SoretH5Close(&to));
  PetscCall(SoretFramesUpdateXDMF(o));
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
