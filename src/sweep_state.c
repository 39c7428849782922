/* SPDX-License-Identifier: BSD-2-Clause

   Where a sweep stands, in checkpoints: points, table, reasons, and the last state of each branch in the natural order of its grid. */
#include <math.h>
#include <string.h>

#include "sweep_private.h"

enum { REASONS_AT_ONCE = 100 }; /* texts are attributes, which HDF5 limits to 64 KiB */

/* Numbers of the part. */
typedef struct {
  PetscReal given, points, branches, done, failed, first_failed, again, newton, linear, cycles;
} Counts;

/* What is saved of a point. */
typedef struct {
  PetscReal value, inserted, given, state, observable, order;
} Point;

enum { COUNT_SIZE = sizeof(Counts) / sizeof(PetscReal), POINT_SIZE = sizeof(Point) / sizeof(PetscReal) };

PetscErrorCode SoretSweepFirstRank(const SoretSweepRanks *ranks, PetscInt branch, PetscMPIInt *first)
{
  PetscMPIInt size;
  PetscInt    rank = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(ranks->comm, &size));
  while (rank * ranks->num_branches / size < branch) rank++;
  *first = (PetscMPIInt)rank;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the last states ---- */

/* Room for a state on a grid. */
static PetscErrorCode ShapeState(SoretSweep *sweep, const SoretGrid *grid, PetscInt num_species)
{
  const PetscInt n = grid->num_cells * num_species;

  PetscFunctionBegin;
  if (n != sweep->num_state || !sweep->state) {
    PetscCall(PetscFree(sweep->state));
    PetscCall(PetscMalloc1(n, &sweep->state));
    sweep->num_state = n;
  }
  sweep->state_rank = SoretGridBox(grid, num_species, sweep->state_size, sweep->state_start, sweep->state_count);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSweepRemember(SoretSweep *sweep, const SoretGrid *grid, PetscInt num_species, Vec c)
{
  const PetscReal *x;

  PetscFunctionBegin;
  PetscCall(ShapeState(sweep, grid, num_species));
  PetscCall(VecGetArrayRead(c, &x));
  PetscCall(PetscArraycpy(sweep->state, x, sweep->num_state));
  PetscCall(VecRestoreArrayRead(c, &x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PutState(const SoretSweep *sweep, const SoretSweepRanks *ranks, PetscInt branch, SoretArchive archive)
{
  const PetscBool mine     = ranks->branch == branch ? PETSC_TRUE : PETSC_FALSE;
  const PetscInt  none[4]  = {0, 0, 0, 0};
  PetscInt        shape[5] = {0, 0, 0, 0, 0}; /* number of axes, extents */
  PetscMPIInt     first;
  char            name[32];

  PetscFunctionBegin;
  PetscCall(SoretSweepFirstRank(ranks, branch, &first));
  if (sweep->state) {
    shape[0] = sweep->state_rank;
    PetscCall(PetscArraycpy(shape + 1, sweep->state_size, sweep->state_rank));
  }
  PetscCallMPI(MPI_Bcast(shape, 5, MPIU_INT, first, ranks->comm));
  if (!shape[0]) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscSNPrintf(name, sizeof(name), "state_%" PetscInt_FMT, branch));
  PetscCall(SoretArchivePutBox(archive, name, (int)shape[0], shape + 1, mine ? sweep->state_start : none, mine ? sweep->state_count : none, mine ? sweep->state : NULL));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Gets the state of a branch where it is on the grid of the case: that of a sweep over cells may be on another, and is of no use then. */
static PetscErrorCode GetState(SoretSweep *sweep, const SoretSweepRanks *ranks, PetscInt branch, const SoretGrid *grid, PetscInt num_species, SoretArchive archive)
{
  const PetscBool mine = ranks->branch == branch ? PETSC_TRUE : PETSC_FALSE;
  PetscInt        size[4], start[4], count[4], there[8];
  const int       rank = SoretGridBox(grid, num_species, size, start, count);
  int             rank_there;
  char            name[32];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(name, sizeof(name), "state_%" PetscInt_FMT, branch));
  PetscCall(SoretArchiveSize(archive, name, &rank_there, there));
  if (rank_there != rank || memcmp(there, size, (size_t)rank * sizeof(*size))) PetscFunctionReturn(PETSC_SUCCESS);
  if (mine) PetscCall(ShapeState(sweep, grid, num_species));
  for (int a = 0; a < 4 && !mine; a++) start[a] = count[a] = 0;
  PetscCall(SoretArchiveGetBox(archive, name, rank, size, start, count, mine ? sweep->state : NULL));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Not where the grid cannot be cut for the ranks of some branch, whose points fail with that message. */
static PetscErrorCode GetStates(SoretSweep *sweep, const SoretSweepRanks *ranks, const SoretCase *c, SoretArchive archive)
{
  const PetscInt width = SoretModelWidth(&c->model);
  PetscMPIInt    size;
  PetscBool      fits;
  SoretGrid      grid;
  char           why[256];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(ranks->branch_comm, &size));
  fits = SoretGridFits(&c->grid, size, width, sizeof(why), why);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &fits, 1, SORET_MPI_BOOL, MPI_LAND, ranks->comm));
  if (!fits) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretGridCreate(ranks->branch_comm, &c->grid, width, &grid));
  for (PetscInt b = 0; b < ranks->num_branches; b++) PetscCall(GetState(sweep, ranks, b, &grid, c->model.num_species, archive));
  PetscCall(SoretGridDestroy(&grid));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- texts ---- */

static PetscErrorCode PutReasons(const SoretSweep *sweep, SoretArchive archive)
{
  PetscFunctionBegin;
  for (PetscInt first = 0; first < sweep->points.num; first += REASONS_AT_ONCE) {
    const PetscInt n = PetscMin(REASONS_AT_ONCE, sweep->points.num - first);
    const char    *text[REASONS_AT_ONCE];
    char           name[32], *lines;

    for (PetscInt k = 0; k < n; k++) text[k] = sweep->reason[first + k];
    PetscCall(SoretJoinLines(n, text, &lines));
    PetscCall(PetscSNPrintf(name, sizeof(name), "reasons_%" PetscInt_FMT, first / REASONS_AT_ONCE));
    PetscCall(SoretArchivePutText(archive, name, lines));
    PetscCall(PetscFree(lines));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode GetReasons(SoretSweep *sweep, SoretArchive archive)
{
  PetscFunctionBegin;
  for (PetscInt first = 0; first < sweep->points.num; first += REASONS_AT_ONCE) {
    const PetscInt n = PetscMin(REASONS_AT_ONCE, sweep->points.num - first);
    char           name[32], *lines, *line, *end;

    PetscCall(PetscSNPrintf(name, sizeof(name), "reasons_%" PetscInt_FMT, first / REASONS_AT_ONCE));
    PetscCall(SoretArchiveGetText(archive, name, &lines));
    line = lines;
    for (PetscInt k = 0; k < n && (end = strchr(line, '\n')); k++) {
      *end = 0;
      PetscCall(PetscStrncpy(sweep->reason[first + k], line, SORET_REASON_LENGTH));
      line = end + 1;
    }
    PetscCall(PetscFree(lines));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- points and table ---- */

PetscErrorCode SoretSweepPut(const SoretSweep *sweep, const SoretSweepRanks *ranks, const SoretCase *c, SoretArchive archive)
{
  const SoretPoints *points = &sweep->points;
  Counts             count;
  Point             *point;
  char              *columns;

  PetscFunctionBegin;
  count.given        = (PetscReal)points->spec->values.n;
  count.points       = (PetscReal)points->num;
  count.branches     = (PetscReal)points->num_branches;
  count.done         = (PetscReal)sweep->num_done;
  count.failed       = (PetscReal)sweep->num_failed;
  count.first_failed = (PetscReal)sweep->first_failed;
  count.again        = (PetscReal)sweep->again;
  count.newton       = (PetscReal)sweep->in_vain.newton_iterations;
  count.linear       = (PetscReal)sweep->in_vain.linear_iterations;
  count.cycles       = (PetscReal)sweep->in_vain.cycles;
  PetscCall(SoretArchivePutReals(archive, "counts", COUNT_SIZE, (const PetscReal *)&count));
  PetscCall(PetscMalloc1(points->num, &point));
  for (PetscInt k = 0; k < points->num; k++) {
    const SoretSweepPoint *p = &points->point[k];

    point[k] = (Point){.value = p->value, .inserted = (PetscReal)p->inserted, .given = (PetscReal)p->given, .state = (PetscReal)(p->state == SORET_POINT_RUNNING ? SORET_POINT_INTERRUPTED : p->state), .observable = p->observable, .order = (PetscReal)points->order[k]};
  }
  PetscCall(SoretArchivePutReals(archive, "points", POINT_SIZE * points->num, (const PetscReal *)point));
  PetscCall(PetscFree(point));
  PetscCall(SoretArchivePutReals(archive, "rows", points->num * sweep->num_columns, sweep->row));
  PetscCall(SoretJoinLines(sweep->num_columns, (const char *const *)sweep->column, &columns));
  PetscCall(SoretArchivePutText(archive, "columns", columns));
  PetscCall(PetscFree(columns));
  PetscCall(SoretSumsPut(&c->sums, archive));
  PetscCall(PutReasons(sweep, archive));
  for (PetscInt b = 0; b < ranks->num_branches; b++) PetscCall(PutState(sweep, ranks, b, archive));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is it the same sweep? If not, *what says in what it differs. */
static PetscErrorCode SameSweep(const SoretSweep *sweep, const SoretSums *sums, const Counts *count, const Point point[], SoretArchive archive, const char **what)
{
  const SoretReals *values = &sweep->points.spec->values;
  char             *columns;
  PetscBool         same, same_sums;

  PetscFunctionBegin;
  *what = NULL;
  PetscCall(SoretJoinLines(sweep->num_columns, (const char *const *)sweep->column, &columns));
  PetscCall(SoretArchiveAgrees(archive, "columns", columns, &same));
  PetscCall(PetscFree(columns));
  PetscCall(SoretSumsAgree(sums, archive, &same_sums));
  if (!same || !same_sums) *what = "columns, that is species, sums or boundary conditions";
  if ((PetscInt)count->given != values->n) *what = "values";
  for (PetscInt k = 0; k < values->n && !*what; k++) {
    if (point[k].value != values->value[k]) *what = "values";
  }
  if ((PetscInt)count->points > sweep->points.room && !*what) *what = "limits of `refine`";
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void SetPoints(SoretPoints *points, PetscInt num, const Point point[])
{
  points->num = num;
  for (PetscInt k = 0; k < num; k++) {
    const Point   *p     = &point[k];
    const PetscInt given = (PetscInt)p->given;

    points->point[k] = (SoretSweepPoint){.value = p->value, .inserted = p->inserted != 0.0 ? PETSC_TRUE : PETSC_FALSE, .branch = given * points->num_branches / points->spec->values.n, .given = given, .state = (SoretPointState)(int)p->state, .observable = p->observable};
    points->order[k] = (PetscInt)p->order;
  }
}

PetscErrorCode SoretSweepGet(SoretSweep *sweep, const SoretSweepRanks *ranks, const SoretCase *c, SoretArchive archive)
{
  Counts      count;
  Point      *point;
  const char *what;
  PetscInt    n;

  PetscFunctionBegin;
  PetscCall(SoretArchiveGetReals(archive, "counts", COUNT_SIZE, (PetscReal *)&count));
  n = (PetscInt)count.points;
  PetscCall(PetscMalloc1(n, &point));
  PetscCall(SoretArchiveGetReals(archive, "points", POINT_SIZE * n, (PetscReal *)point));
  PetscCall(SameSweep(sweep, &c->sums, &count, point, archive, &what));
  if (what) {
    PetscCall(SoretComplain(ranks->comm, "soret: the sweep of the checkpoint has other %s than this run: they must stay as they were\n", what));
    PetscCall(PetscFree(point));
    PetscFunctionReturn(SORET_ERR_INPUT);
  }
  SetPoints(&sweep->points, n, point);
  PetscCall(PetscFree(point));
  sweep->num_done     = (PetscInt)count.done;
  sweep->num_failed   = (PetscInt)count.failed;
  sweep->first_failed = (PetscInt)count.first_failed;
  PetscCall(SoretArchiveGetReals(archive, "rows", n * sweep->num_columns, sweep->row));
  PetscCall(GetReasons(sweep, archive));
  if ((PetscInt)count.branches != ranks->num_branches) PetscFunctionReturn(PETSC_SUCCESS);
  sweep->again   = count.again != 0.0 ? PETSC_TRUE : PETSC_FALSE;
  sweep->in_vain = (SoretOutcome){.newton_iterations = (PetscInt)count.newton, .linear_iterations = (PetscInt)count.linear, .cycles = (PetscInt)count.cycles};
  PetscCall(GetStates(sweep, ranks, c, archive));
  PetscFunctionReturn(PETSC_SUCCESS);
}
