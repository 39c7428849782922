/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep_private.h"

#include <petsctime.h>

#include <math.h>
#include <string.h>

#include "soret/record.h"
#include "soret/text.h"

/* Columns of the table before those of the series. */
enum {
  AT_PARAMETER,
  AT_CONVERGED,
  AT_INSERTED,
  AT_BRANCH,
  AT_ORDER,
  AT_FRAME,
  AT_TIME,
  AT_STEPS,
  AT_WARM,
  AT_NEWTON,
  AT_LINEAR,
  AT_CYCLES,
  AT_RESIDUAL,
  AT_DRIFT,
  AT_SECONDS,
  AT_CONTRAST,
  AT_SORET,
  NUM_OWN
};
static const char *const own_columns[NUM_OWN] = {"parameter", "converged", "inserted", "branch", "order", "frame", "time", "steps", "warm_start", "newton_iterations", "linear_iterations", "cycles", "residual", "conservation_drift", "seconds", "contrast", "soret_mean"};

/* A case and what is built of it, for one value. */
typedef struct {
  const char  *why; /* it is not, NULL if it is */
  SoretCase    c;
  SoretProblem problem;
} Instance;

/* ---- one value ---- */

PetscErrorCode SoretSweepMakeVariant(const SoretCaseSource *source, const SoretCase *c, PetscReal value, SoretSweepVariant *variant)
{
  static char no_sweep[] = "sweep=null";
  const int   n = source->num_overrides;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n + 2, &variant->overrides));
  for (int k = 0; k < n; k++) variant->overrides[k] = source->overrides[k];
  (void)snprintf(variant->assignment, sizeof(variant->assignment), "%s=%.17g", c->sweep.parameter, (double)value);
  variant->overrides[n]     = variant->assignment;
  variant->overrides[n + 1] = no_sweep;
  variant->source           = (SoretCaseSource){.path = source->path, .text = c->text, .num_overrides = n + 2, .overrides = variant->overrides};
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Why a point has failed where that has been told, NULL for errors that end the sweep. */
static const char *WhyFailed(PetscErrorCode code)
{
  if (code == (PetscErrorCode)SORET_ERR_INPUT) return "the case of this value is wrong; its messages stand in the log";
  if (code == (PetscErrorCode)SORET_ERR_NOT_CONVERGED) return "the temperature or the flow of this value could not be computed; the message stands in the log";
  return NULL;
}

/* What the case refuses, and a temperature or flow that cannot be computed, is a point that failed; `why` tells. Other errors are errors. Collective. */
static PetscErrorCode Build(MPI_Comm comm, const SoretCaseSource *source, const SoretCase *c, PetscReal value, Instance *instance)
{
  SoretSweepVariant variant;
  PetscErrorCode    ierr;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_SETUP);
  PetscCall(PetscMemzero(instance, sizeof(*instance)));
  PetscCall(SoretSweepMakeVariant(source, c, value, &variant));
  ierr = SoretCaseRead(comm, &variant.source, &instance->c);
  PetscCall(PetscFree(variant.overrides));
  if (!ierr) ierr = SoretProblemCreate(comm, &instance->c, &instance->problem);
  if (!ierr) ierr = SoretCaseRefuseOtherSums(comm, &instance->c);
  instance->why = WhyFailed(ierr);
  if (!ierr && instance->c.solve.mode == SORET_STEADY) {
    ierr = SoretSumsRefuseImpossible(&instance->c.sums, &instance->problem.op);
    if (ierr == (PetscErrorCode)SORET_ERR_INPUT) instance->why = "there is no single steady state at this value; why stands in the log";
  }
  if (!instance->why) PetscCall(ierr);
  SoretRecordEnd(SORET_PHASE_SETUP);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Discard(Instance *instance)
{
  PetscFunctionBegin;
  PetscCall(SoretProblemDestroy(&instance->problem));
  PetscCall(SoretCaseDestroy(&instance->c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the guess ---- */

/* Fills the guess from the last state of the branch, if there is one and it fits. Members of sums that are kept in each cell stay as
   `initial` has them: that is what their amounts are. */
static PetscErrorCode Warm(const SoretSweep *sweep, const Instance *instance, Vec initial, Vec x, PetscBool *warm)
{
  const SoretSums *sums                    = &instance->c.sums;
  const PetscInt   ns                      = sums->num_species, n = instance->problem.grid.num_cells * ns;
  PetscBool        kept[SORET_MAX_SPECIES] = {PETSC_FALSE};
  PetscMPIInt      fits                    = sweep->state && sweep->num_state == n;
  PetscReal       *c;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &fits, 1, MPI_INT, MPI_MIN, instance->problem.grid.comm));
  *warm = fits ? PETSC_TRUE : PETSC_FALSE;
  if (!fits) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecCopy(initial, x));
  for (PetscInt k = sums->num_global; k < sums->num_global + sums->num_local; k++) {
    for (PetscInt s = 0; s < ns; s++) kept[s] = kept[s] || sums->w[k * ns + s] != 0.0 ? PETSC_TRUE : PETSC_FALSE;
  }
  PetscCall(VecGetArray(x, &c));
  for (PetscInt q = 0; q < n; q++) c[q] = kept[q % ns] ? c[q] : sweep->state[q];
  PetscCall(VecRestoreArray(x, &c));
  PetscCall(SoretSumsMatch(sums, &instance->problem.op, x, warm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Solves from the last state; where that fails once more from `initial`. Where the sweep goes on in the middle of the second try, the first one is not
   made again. Collective over the ranks of the branch. */
static PetscErrorCode SolveSteady(SoretSweep *sweep, Instance *instance, SoretCheckpoint checkpoint, PetscBool *warm, SoretOutcome *outcome)
{
  SoretCase *c = &instance->c;
  Vec        initial;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(instance->problem.c, &initial));
  PetscCall(VecCopy(instance->problem.c, initial));
  *warm = PETSC_FALSE;
  if (!sweep->again) {
    PetscCall(Warm(sweep, instance, initial, instance->problem.c, warm));
    if (!*warm) PetscCall(VecCopy(initial, instance->problem.c));
    c->solve.warm = *warm;
    PetscCall(SoretSolveSteady(&c->solve, &instance->problem.op, &c->sums, checkpoint, NULL, NULL, instance->problem.c, outcome));
    sweep->again = *warm && !outcome->converged && !outcome->stopped ? PETSC_TRUE : PETSC_FALSE;
    if (sweep->again) sweep->in_vain = *outcome;
  }
  if (sweep->again) {
    c->solve.warm = *warm = PETSC_FALSE;
    PetscCall(VecCopy(initial, instance->problem.c));
    PetscCall(SoretSolveSteady(&c->solve, &instance->problem.op, &c->sums, checkpoint, NULL, NULL, instance->problem.c, outcome));
    outcome->newton_iterations += sweep->in_vain.newton_iterations;
    outcome->linear_iterations += sweep->in_vain.linear_iterations;
    outcome->cycles += sweep->in_vain.cycles;
    if (!outcome->stopped) sweep->again = PETSC_FALSE;
  }
  PetscCall(VecDestroy(&initial));
  if (outcome->converged) PetscCall(SoretSweepRemember(sweep, &instance->problem.grid, c->sums.num_species, instance->problem.c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Monitor of a transient: where it is. */
static PetscErrorCode NoteTime(void *context, PetscInt step, PetscReal t, PetscReal residual, Vec c, PetscBool frame)
{
  PetscFunctionBegin;
  *(PetscReal *)context = t;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A transient begins with `initial`, whatever was before; *t is how far it came. */
static PetscErrorCode SolveTransient(Instance *instance, SoretCheckpoint checkpoint, PetscReal *t, SoretOutcome *outcome)
{
  SoretCase *c = &instance->c;

  PetscFunctionBegin;
  PetscCall(SoretSolveTransient(&c->solve, &instance->problem.op, &c->sums, 0, NULL, checkpoint, NoteTime, t, instance->problem.c, outcome));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- from the ranks of a branch to all ranks ---- */

typedef struct {
  PetscInt start[3], count[3];
} Box;

/* Cells that two boxes share; their number. */
static PetscInt Intersect(const Box *a, const Box *b, Box *both)
{
  PetscInt cells = 1;

  for (int axis = 0; axis < 3; axis++) {
    const PetscInt start = PetscMax(a->start[axis], b->start[axis]), end = PetscMin(a->start[axis] + a->count[axis], b->start[axis] + b->count[axis]);

    both->start[axis] = start;
    both->count[axis] = PetscMax(end - start, 0);
    cells *= both->count[axis];
  }
  return cells;
}

/* Copies between a box of this rank and a contiguous buffer. */
static void CopyBox(const Box *part, const Box *whole, PetscInt ns, PetscBool pack, PetscReal *buffer, PetscReal *c)
{
  for (PetscInt k = 0; k < part->count[2]; k++) {
    for (PetscInt j = 0; j < part->count[1]; j++) {
      const PetscInt at = ((part->start[2] + k - whole->start[2]) * whole->count[1] + part->start[1] + j - whole->start[1]) * whole->count[0] + part->start[0] - whole->start[0];
      const size_t   bytes = (size_t)(part->count[0] * ns) * sizeof(PetscReal);

      if (pack) memcpy(buffer, c + at * ns, bytes);
      else memcpy(c + at * ns, buffer, bytes);
      buffer += part->count[0] * ns;
    }
  }
}

static Box BoxOf(const SoretGrid *grid)
{
  Box box;

  for (int axis = 0; axis < 3; axis++) {
    box.start[axis] = grid->start[axis];
    box.count[axis] = grid->count[axis];
  }
  return box;
}

/* Moves a state from the ranks of a branch, `from` there and NULL elsewhere, to all ranks. Collective over comm. */
static PetscErrorCode MoveState(MPI_Comm comm, const Instance *from, const Instance *to)
{
  const PetscInt ns  = to->c.model.num_species;
  Box            mine = from ? BoxOf(&from->problem.grid) : (Box){.count = {0, 0, 0}}, target = BoxOf(&to->problem.grid), *source, *all, part;
  PetscMPIInt    size, *counts, *starts;
  PetscReal     *send, *receive, *c;
  PetscInt       sent = 0, received = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc2(size, &source, size, &all));
  PetscCall(PetscCalloc2(2 * size, &counts, 2 * size, &starts));
  PetscCallMPI(MPI_Allgather(&mine, 6, MPIU_INT, source, 6, MPIU_INT, comm));
  PetscCallMPI(MPI_Allgather(&target, 6, MPIU_INT, all, 6, MPIU_INT, comm));
  PetscCall(PetscMalloc2(mine.count[0] * mine.count[1] * mine.count[2] * ns, &send, to->problem.grid.num_cells * ns, &receive));
  if (from) PetscCall(VecGetArray(from->problem.c, &c));
  for (PetscMPIInt r = 0; r < size; r++) {
    const PetscInt n = ns * Intersect(&mine, &all[r], &part);

    PetscCall(PetscMPIIntCast(n, &counts[r]));
    PetscCall(PetscMPIIntCast(sent, &starts[r]));
    if (n) CopyBox(&part, &mine, ns, PETSC_TRUE, send + sent, c);
    sent += n;
    PetscCall(PetscMPIIntCast(ns * Intersect(&target, &source[r], &part), &counts[size + r]));
    PetscCall(PetscMPIIntCast(received, &starts[size + r]));
    received += counts[size + r];
  }
  if (from) PetscCall(VecRestoreArray(from->problem.c, &c));
  PetscCallMPI(MPI_Alltoallv(send, counts, starts, MPIU_REAL, receive, counts + size, starts + size, MPIU_REAL, comm));
  PetscCall(VecGetArray(to->problem.c, &c));
  for (PetscMPIInt r = 0; r < size; r++) {
    if (Intersect(&target, &source[r], &part)) CopyBox(&part, &target, ns, PETSC_FALSE, receive + starts[size + r], c);
  }
  PetscCall(VecRestoreArray(to->problem.c, &c));
  PetscCall(PetscFree2(send, receive));
  PetscCall(PetscFree2(counts, starts));
  PetscCall(PetscFree2(source, all));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the run ---- */

typedef struct {
  SoretSweepRanks        ranks;
  const SoretCaseSource *source;
  SoretCase             *c;
  SoretSweep             sweep;
  SoretOutput            output;
  SoretCheckpoint        checkpoint;
  SoretProblem           base;   /* without any of the values: what the file belongs to between points */
  PetscReal             *work;   /* one row of the series */
  char                  *told;   /* what was said of the last case that this branch has built */
  PetscInt               num_series; /* columns that the table takes from it */
  SoretMeter             meter;  /* of one point */
  PetscInt               of;     /* column of refine.of, -1 */
  PetscInt               num_written; /* points that the table in the file has */
  PetscBool              stopped;
} Run;

/* How a point of a branch went, as its first rank tells all. */
typedef struct {
  PetscReal    seconds, time; /* by the clock; in the equations, of a transient */
  PetscBool    warm, built;
  SoretOutcome outcome;
} Report;

/* The solvers see to checkpoints and stops where all ranks solve the same point. */
static PetscErrorCode RunPoint(Run *run, PetscInt number, Instance *instance, Report *report)
{
  const SoretCheckpoint checkpoint = run->ranks.num_branches == 1 ? run->checkpoint : NULL;
  PetscLogDouble        begin, end;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(report, sizeof(*report)));
  PetscCall(PetscTime(&begin));
  PetscCall(Build(run->ranks.branch_comm, run->source, run->c, run->sweep.points.point[number].value, instance));
  report->built = instance->why ? PETSC_FALSE : PETSC_TRUE;
  if (report->built) PetscCall(SoretCaseSayNotes(run->ranks.branch_comm, &instance->c, &instance->problem, &run->told));
  if (report->built && instance->c.solve.mode == SORET_TRANSIENT) PetscCall(SolveTransient(instance, checkpoint, &report->time, &report->outcome));
  else if (report->built) PetscCall(SolveSteady(&run->sweep, instance, checkpoint, &report->warm, &report->outcome));
  else PetscCall(PetscStrncpy(report->outcome.reason, instance->why, sizeof(report->outcome.reason)));
  PetscCall(PetscTime(&end));
  report->seconds = end - begin;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Numbers of the budget of entropy in the table. */
static const char *const budget_columns[] = {"entropy_heat", "entropy_closure", "entropy_imbalance"};
enum { NUM_BUDGET = sizeof(budget_columns) / sizeof(budget_columns[0]) };

/* The columns that NameMeter() names. */
static void CopyMeter(const SoretMeter *meter, const SoretSums *sums, PetscReal *row)
{
  for (PetscInt s = 0; s < sums->num_species; s++) *row++ = meter->soret[s];
  for (PetscInt k = 0; k < sums->num; k++) {
    for (int part = 0; part < SORET_NUM_PARTS; part++) *row++ = meter->sum[k].part[part];
    *row++ = meter->sum[k].equilibrium;
  }
  *row++ = meter->entropy_heat;
  *row++ = meter->entropy_closure;
  *row   = meter->entropy_imbalance;
}

/* Measures a state on all ranks and writes its frame. */
static PetscErrorCode Measure(Run *run, PetscInt number, PetscReal t, Instance *instance, PetscReal row[])
{
  const SoretSweepSpec *spec  = &run->c->sweep;
  const SoretSums      *sums  = &instance->c.sums;
  const PetscBool       last  = !run->sweep.points.point[number].inserted && number == spec->values.n - 1 ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(SoretOperatorSetTime(&instance->problem.op, t));
  PetscCall(SoretOutputRebind(run->output, &instance->problem.op, sums));
  PetscCall(SoretOutputMeasure(run->output, number, t, instance->problem.c, run->work));
  PetscCall(PetscArraycpy(row + NUM_OWN, run->work + 2, run->num_series));
  PetscCall(SoretOutputMeasureMeter(run->output, instance->c.solve.mode == SORET_STEADY ? PETSC_TRUE : PETSC_FALSE, instance->problem.c, &run->meter));
  CopyMeter(&run->meter, sums, row + NUM_OWN + run->num_series);
  row[AT_DRIFT] = SoretOutputDrift(run->output);
  if (sums->num) {
    PetscCall(SoretDiagnoseContrast(&instance->problem.op, instance->problem.c, sums->w, &row[AT_CONTRAST]));
    row[AT_SORET] = run->meter.sum[0].part[SORET_PART_WHOLE];
  }
  if (spec->frames == SORET_FRAMES_ALL || (spec->frames == SORET_FRAMES_LAST && last)) {
    row[AT_FRAME] = (PetscReal)SoretOutputNumFrames(run->output);
    PetscCall(SoretOutputAddFrame(run->output, number, t, instance->problem.c));
  }
  PetscCall(SoretOutputRebind(run->output, &run->base.op, &run->c->sums));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Tell(const Run *run, PetscInt number, const SoretOutcome *outcome)
{
  const SoretSweep      *sweep = &run->sweep;
  const SoretSweepPoint *point = &sweep->points.point[number];
  const PetscReal       *row   = sweep->row + number * sweep->num_columns;
  char                   work[64], value[64];

  PetscFunctionBegin;
  (void)snprintf(value, sizeof(value), "%.8g%s%s", (double)point->value, run->c->sweep.unit[0] ? " " : "", run->c->sweep.unit);
  if (outcome->steps) (void)snprintf(work, sizeof(work), "%d steps", (int)outcome->steps);
  else if (outcome->cycles) (void)snprintf(work, sizeof(work), "%d cycles", (int)outcome->cycles);
  else (void)snprintf(work, sizeof(work), "%d Newton", (int)outcome->newton_iterations);
  PetscCall(SoretSay(run->ranks.comm, "%4" PetscInt_FMT "/%" PetscInt_FMT "  %s = %-12s %s%s  ", sweep->num_done, sweep->points.num, run->c->sweep.parameter, value, point->inserted ? "(added) " : "", outcome->converged ? work : "FAILED"));
  if (!outcome->converged) PetscCall(SoretSay(run->ranks.comm, "%s\n", outcome->reason));
  else PetscCall(SoretSay(run->ranks.comm, "%.2g s   contrast %.9g, S_T %.6g\n", (double)row[AT_SECONDS], (double)row[AT_CONTRAST], (double)row[AT_SORET]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Builds the case of a point that one branch has solved on all ranks, with its state. What cannot be built there, as a grid that is cut for the ranks of a branch
   and not for all, is a point that failed. */
static PetscErrorCode Spread(const Run *run, PetscReal value, const Instance *mine, Instance *everywhere, SoretOutcome *outcome)
{
  PetscFunctionBegin;
  PetscCall(Build(run->ranks.comm, run->source, run->c, value, everywhere));
  if (!everywhere->why) PetscCall(MoveState(run->ranks.comm, mine, everywhere));
  else {
    outcome->converged = PETSC_FALSE;
    PetscCall(PetscStrncpy(outcome->reason, everywhere->why, sizeof(outcome->reason)));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The result of a point of one branch becomes a row on all ranks. */
static PetscErrorCode Record(Run *run, PetscInt number, Instance *instance, Report *report)
{
  SoretSweep     *sweep = &run->sweep;
  const PetscInt  branch = sweep->points.point[number].branch;
  PetscReal      *row    = sweep->row + number * sweep->num_columns;
  PetscBool       spread;
  Instance        everywhere;
  PetscMPIInt     first;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_OUTPUT);
  PetscCall(SoretSweepFirstRank(&run->ranks, branch, &first));
  PetscCallMPI(MPI_Bcast(report, (PetscMPIInt)sizeof(*report), MPI_BYTE, first, run->ranks.comm));
  spread = sweep->points.num_branches > 1 && report->outcome.converged ? PETSC_TRUE : PETSC_FALSE;
  if (spread) PetscCall(Spread(run, sweep->points.point[number].value, run->ranks.branch == branch ? instance : NULL, &everywhere, &report->outcome));
  row[AT_PARAMETER] = sweep->points.point[number].value;
  row[AT_CONVERGED] = report->outcome.converged;
  row[AT_INSERTED]  = sweep->points.point[number].inserted;
  row[AT_BRANCH]    = (PetscReal)branch;
  row[AT_ORDER]     = (PetscReal)sweep->num_done++;
  row[AT_FRAME]     = -1.0;
  row[AT_TIME]      = report->time;
  row[AT_STEPS]     = (PetscReal)report->outcome.steps;
  row[AT_WARM]      = report->warm;
  row[AT_NEWTON]    = (PetscReal)report->outcome.newton_iterations;
  row[AT_LINEAR]    = (PetscReal)report->outcome.linear_iterations;
  row[AT_CYCLES]    = (PetscReal)report->outcome.cycles;
  row[AT_RESIDUAL]  = report->built ? report->outcome.residual : NAN;
  row[AT_SECONDS]   = report->seconds;
  PetscCall(PetscStrncpy(sweep->reason[number], report->outcome.reason, SORET_REASON_LENGTH));
  if (report->outcome.converged) PetscCall(Measure(run, number, report->time, spread ? &everywhere : instance, row));
  else if (!sweep->num_failed++) sweep->first_failed = number;
  if (spread) PetscCall(Discard(&everywhere));
  PetscCall(SoretPointsSet(&sweep->points, number, report->outcome.converged, run->of >= 0 ? row[run->of] : NAN));
  PetscCall(Tell(run, number, &report->outcome));
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Writes the table as far as it is known, along the sweep. */
static PetscErrorCode WriteTable(Run *run)
{
  const SoretSweep *sweep = &run->sweep;
  PetscReal        *column;
  const char      **reason;
  PetscInt         *number, n = 0, zeros;
  SoretH5           h5;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(sweep->points.num, &column, sweep->points.num, &reason, sweep->points.num, &number));
  for (PetscInt i = 0; i < sweep->points.num; i++) {
    const SoretPointState state = sweep->points.point[sweep->points.order[i]].state;

    if (state == SORET_POINT_CONVERGED || state == SORET_POINT_FAILED) number[n++] = sweep->points.order[i];
  }
  PetscCall(SoretH5Open(run->ranks.comm, SoretOutputPath(run->output), SORET_H5_UPDATE, &h5));
  PetscCall(SoretH5MakeGroup(h5, "/sweep"));
  for (PetscInt k = 0; k < sweep->num_columns; k++) {
    char path[300];

    for (PetscInt i = 0; i < n; i++) column[i] = sweep->row[number[i] * sweep->num_columns + k];
    PetscCall(PetscSNPrintf(path, sizeof(path), "/sweep/%s", sweep->column[k]));
    PetscCall(SoretH5Rewrite(h5, path, n, column));
  }
  for (PetscInt i = 0; i < n; i++) reason[i] = sweep->reason[number[i]];
  PetscCall(SoretH5RewriteTexts(h5, "/sweep/reason", n, SORET_REASON_LENGTH, reason));
  PetscCall(SoretH5WriteString(h5, "/sweep", "parameter", run->c->sweep.parameter));
  if (run->c->sweep.unit[0]) PetscCall(SoretH5WriteString(h5, "/sweep/parameter", "units", run->c->sweep.unit));
  if (run->of >= 0) {
    SoretPointsZeros(&sweep->points, &zeros, column);
    PetscCall(SoretH5Rewrite(h5, "/sweep/zero", zeros, column));
    PetscCall(SoretH5WriteString(h5, "/sweep/zero", "of", sweep->column[run->of]));
    if (run->c->sweep.unit[0]) PetscCall(SoretH5WriteString(h5, "/sweep/zero", "units", run->c->sweep.unit));
  }
  for (PetscInt k = 0; k < run->c->sums.num; k++) {
    char path[64];

    PetscCall(PetscSNPrintf(path, sizeof(path), "/sweep/total/%" PetscInt_FMT, k));
    PetscCall(SoretH5WriteString(h5, path, "formula", run->c->sums.name[k]));
    PetscCall(PetscSNPrintf(path, sizeof(path), "/sweep/soret/total/%" PetscInt_FMT, k));
    PetscCall(SoretH5WriteString(h5, path, "of", run->c->sums.name[k]));
  }
  PetscCall(SoretH5Close(&h5));
  PetscCall(PetscFree3(column, reason, number));
  run->num_written = run->sweep.num_done;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Ends all ranks with the largest code that any of them has, so that none waits for those of a branch that is given up. A mistake of ours or of a library
   may be known to a single rank: it aborts the run. */
static PetscErrorCode Agree(const Run *run, PetscErrorCode status)
{
  int code = (int)status;

  PetscFunctionBegin;
  if (code && (code < SORET_ERR_INPUT || code > SORET_ERR_STOPPED)) PetscCall(status);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &code, 1, MPI_INT, MPI_MAX, run->ranks.comm));
  PetscFunctionReturn((PetscErrorCode)code);
}

/* Points that are done and their steps or iterations: with them no step of one point has the number of a step of another. */
static PetscInt StepsDone(const SoretSweep *sweep)
{
  PetscInt n = sweep->num_done;

  for (PetscInt i = 0; i < sweep->points.num; i++) {
    const PetscReal *row = sweep->row + i * sweep->num_columns;

    if (!isnan(row[AT_STEPS])) n += (PetscInt)(row[AT_STEPS] > 0.0 ? row[AT_STEPS] : row[AT_NEWTON] + row[AT_CYCLES]);
  }
  return n;
}

/* Between two points. */
static PetscErrorCode Poll(Run *run)
{
  PetscFunctionBegin;
  SoretCheckpointCountFrom(run->checkpoint, StepsDone(&run->sweep));
  PetscCall(SoretCheckpointPoll(run->checkpoint, 0, 0.0, &run->stopped));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One round: every branch that has something to do does one point, then all of them are recorded. */
static PetscErrorCode Round(Run *run, PetscBool *more)
{
  const PetscInt num = run->sweep.points.num_branches;
  PetscInt      *number;
  Instance       instance;
  Report         report;
  PetscErrorCode status = PETSC_SUCCESS;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&instance, sizeof(instance)));
  PetscCall(PetscMemzero(&report, sizeof(report))); /* of a branch without a point it is told, but not looked at */
  PetscCall(PetscMalloc1(num, &number));
  *more = PETSC_FALSE;
  for (PetscInt b = 0; b < num; b++) {
    PetscCall(SoretPointsNext(&run->sweep.points, b, &number[b]));
    if (number[b] >= 0) *more = PETSC_TRUE;
  }
  if (number[run->ranks.branch] >= 0) status = RunPoint(run, number[run->ranks.branch], &instance, &report);
  PetscCall(Agree(run, status));
  if (num == 1 && *more) run->stopped = report.outcome.stopped;
  for (PetscInt b = 0; b < num && !run->stopped; b++) {
    Report told = report;

    if (number[b] >= 0) PetscCall(Record(run, number[b], &instance, &told));
  }
  if (*more && !run->stopped) {
    if (SoretOutputIsDue(run->num_written, run->sweep.num_done)) PetscCall(WriteTable(run));
    PetscCall(Poll(run));
  }
  if (number[run->ranks.branch] >= 0) PetscCall(Discard(&instance));
  PetscCall(PetscFree(number));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- beginning and end ---- */

/* What the table has of the meter: S_T of each species, then of each sum with its parts, as in /summary/soret; and of the budget of entropy. */
static PetscErrorCode NameMeter(const SoretCase *c, char *column[])
{
  char name[SORET_NAME_LENGTH + 32];

  PetscFunctionBegin;
  for (PetscInt s = 0; s < c->model.num_species; s++) {
    PetscCall(PetscSNPrintf(name, sizeof(name), "soret/species/%s", c->model.species[s].name));
    PetscCall(PetscStrallocpy(name, column++));
  }
  for (PetscInt k = 0; k < c->sums.num; k++) {
    for (int part = 0; part <= SORET_NUM_PARTS; part++) {
      PetscCall(PetscSNPrintf(name, sizeof(name), "soret/total/%" PetscInt_FMT "/%s", k, part < SORET_NUM_PARTS ? SoretPartName((SoretPart)part) : "equilibrium"));
      PetscCall(PetscStrallocpy(name, column++));
    }
  }
  for (int k = 0; k < NUM_BUDGET; k++) PetscCall(PetscStrallocpy(budget_columns[k], column++));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSweepListColumns(const SoretCase *c, PetscInt *num, PetscInt *num_series, char ***column)
{
  PetscInt n;
  char   **series;

  PetscFunctionBegin;
  PetscCall(SoretOutputColumns(&c->model, &c->boundary, &c->sums, &n, &series));
  *num_series = n - 2; /* without time and step */
  *num        = NUM_OWN + *num_series + c->model.num_species + c->sums.num * (SORET_NUM_PARTS + 1) + NUM_BUDGET;
  PetscCall(PetscMalloc1(*num, column));
  for (PetscInt k = 0; k < NUM_OWN; k++) PetscCall(PetscStrallocpy(own_columns[k], &(*column)[k]));
  for (PetscInt k = 0; k < n; k++) {
    if (k < 2) PetscCall(PetscFree(series[k]));
    else (*column)[NUM_OWN + k - 2] = series[k];
  }
  PetscCall(PetscFree(series));
  PetscCall(NameMeter(c, *column + NUM_OWN + *num_series));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSweepFreeColumns(PetscInt num, char ***column)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < num; k++) PetscCall(PetscFree((*column)[k]));
  PetscCall(PetscFree(*column));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscInt SoretSweepFindColumn(PetscInt num, char *const column[], const char *name)
{
  for (PetscInt k = 0; k < num; k++) {
    if (!strcmp(column[k], name)) return k;
  }
  return -1;
}

static PetscErrorCode CreateSweep(Run *run)
{
  SoretSweep *sweep = &run->sweep;
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(run->ranks.comm, &rank));
  PetscCallMPI(MPI_Comm_size(run->ranks.comm, &size));
  run->ranks.num_branches = PetscMin(PetscMin(run->c->sweep.branches, size), run->c->sweep.values.n);
  run->ranks.branch       = rank * run->ranks.num_branches / size;
  PetscCallMPI(MPI_Comm_split(run->ranks.comm, (int)run->ranks.branch, rank, &run->ranks.branch_comm));
  PetscCall(SoretPointsCreate(&run->c->sweep, run->ranks.num_branches, &sweep->points));
  PetscCall(SoretSweepListColumns(run->c, &sweep->num_columns, &run->num_series, &sweep->column));
  PetscCall(PetscMalloc1(run->num_series + 2, &run->work));
  PetscCall(PetscMalloc1(sweep->points.room * sweep->num_columns, &sweep->row));
  PetscCall(PetscCalloc1(sweep->points.room, &sweep->reason));
  for (PetscInt k = 0; k < sweep->points.room * sweep->num_columns; k++) sweep->row[k] = NAN;
  run->of = run->c->sweep.refines ? SoretSweepFindColumn(sweep->num_columns, sweep->column, run->c->sweep.refine.of) : -1;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode DestroySweep(Run *run)
{
  PetscFunctionBegin;
  PetscCall(SoretPointsDestroy(&run->sweep.points));
  PetscCall(SoretSweepFreeColumns(run->sweep.num_columns, &run->sweep.column));
  PetscCall(PetscFree(run->sweep.row));
  PetscCall(PetscFree(run->sweep.reason));
  PetscCall(PetscFree(run->sweep.state));
  PetscCall(PetscFree(run->work));
  PetscCall(PetscFree(run->told));
  PetscCallMPI(MPI_Comm_free(&run->ranks.branch_comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One line, and what a single run tells of itself, summed or the worst of all points. */
static PetscErrorCode Summarise(Run *run, SoretOutcome *outcome)
{
  const SoretSweep *sweep = &run->sweep;
  const PetscReal  *last  = sweep->row + (run->c->sweep.values.n - 1) * sweep->num_columns;
  PetscReal         sum[NUM_OWN] = {0.0}, worst[NUM_OWN] = {0.0};

  PetscFunctionBegin;
  for (PetscInt i = 0; i < sweep->points.num; i++) {
    for (int k = 0; k < NUM_OWN; k++) {
      const PetscReal value = sweep->row[i * sweep->num_columns + k];

      if (isnan(value)) continue;
      sum[k] += value;
      worst[k] = PetscMax(worst[k], value);
    }
  }
  outcome->stopped           = run->stopped;
  outcome->converged         = sweep->num_failed || run->stopped ? PETSC_FALSE : PETSC_TRUE;
  outcome->residual          = worst[AT_RESIDUAL];
  outcome->newton_iterations = (PetscInt)sum[AT_NEWTON];
  outcome->linear_iterations = (PetscInt)sum[AT_LINEAR];
  outcome->cycles            = (PetscInt)sum[AT_CYCLES];
  outcome->steps             = (PetscInt)sum[AT_STEPS];
  (void)snprintf(outcome->method, sizeof(outcome->method), "%" PetscInt_FMT " %s", sweep->points.num, run->c->solve.mode == SORET_STEADY ? "steady states" : "transients");
  if (run->stopped) (void)snprintf(outcome->reason, sizeof(outcome->reason), "stopped by %s after %" PetscInt_FMT " of %" PetscInt_FMT " points", SoretCheckpointStopped(run->checkpoint), sweep->num_done, sweep->points.num);
  else if (outcome->converged) (void)snprintf(outcome->reason, sizeof(outcome->reason), "all %" PetscInt_FMT " points converged", sweep->points.num);
  else (void)snprintf(outcome->reason, sizeof(outcome->reason), "%" PetscInt_FMT " of %" PetscInt_FMT " points failed, the first at %s = %.8g: %.300s", sweep->num_failed, sweep->points.num, run->c->sweep.parameter, (double)sweep->points.point[sweep->first_failed].value, sweep->reason[sweep->first_failed]);
  PetscCall(SoretSay(run->ranks.comm, "%s; %" PetscInt_FMT " added\n", outcome->reason, SoretPointsInserted(&sweep->points)));
  if (run->of >= 0) {
    PetscInt   num;
    PetscReal *zero;

    PetscCall(PetscMalloc1(sweep->points.num, &zero));
    SoretPointsZeros(&sweep->points, &num, zero);
    for (PetscInt k = 0; k < num; k++) PetscCall(SoretSay(run->ranks.comm, "%s changes sign at %s = %.10g%s%s\n", sweep->column[run->of], run->c->sweep.parameter, (double)zero[k], run->c->sweep.unit[0] ? " " : "", run->c->sweep.unit));
    PetscCall(PetscFree(zero));
  }
  PetscCall(SoretOutputSummaryInt(run->output, "points", sweep->points.num));
  PetscCall(SoretOutputSummaryInt(run->output, "points_added", SoretPointsInserted(&sweep->points)));
  PetscCall(SoretOutputSummaryInt(run->output, "points_failed", sweep->num_failed));
  PetscCall(SoretOutputSummaryInt(run->output, "branches", sweep->points.num_branches));
  PetscCall(SoretOutputSummaryReal(run->output, "contrast", last[AT_CONTRAST]));
  PetscCall(SoretOutputSummaryReal(run->output, "soret_mean", last[AT_SORET]));
  PetscCall(SoretOutputOutcome(run->output, outcome, SoretCheckpointCount(run->checkpoint), worst[AT_DRIFT]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Save(void *context, SoretArchive archive)
{
  const Run *run = (const Run *)context;

  PetscFunctionBegin;
  PetscCall(SoretSweepPut(&run->sweep, &run->ranks, run->c, archive));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Load(void *context, SoretArchive archive)
{
  Run *run = (Run *)context;

  PetscFunctionBegin;
  PetscCall(SoretSweepGet(&run->sweep, &run->ranks, run->c, archive));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The result file, and checkpoints. Where the sweep goes on from one, table and frames are in the file of this attempt afterwards. */
static PetscErrorCode CreateOutput(Run *run, const SoretSweepLaunch *launch)
{
  SoretCase            *c          = run->c;
  const SoretProvenance provenance = {.title = c->title, .text = c->text, .command = launch->command, .reduced = SoretInputIsReduced(c->in)};
  PetscBool             restored;

  PetscFunctionBegin;
  PetscCall(SoretOutputCreate(&c->output, &run->base.op, &c->sums, &provenance, &run->output));
  PetscCall(SoretOutputRebind(run->output, &run->base.op, &c->sums));
  PetscCall(SoretOutputSayUndefined(&c->output, &c->model, run->ranks.comm));
  PetscCall(SoretCheckpointCreate(run->ranks.comm, &c->checkpoint, launch->prefix, c->output.file, SoretOutputAttempt(run->output), launch->restart, &run->checkpoint));
  PetscCall(SoretCheckpointAdd(run->checkpoint, "run", launch->save, NULL, launch->context, NULL));
  PetscCall(SoretOutputCheckpoint(run->output, run->checkpoint));
  PetscCall(SoretCheckpointAdd(run->checkpoint, "sweep", Save, Load, run, &restored));
  if (restored && run->sweep.num_done) PetscCall(WriteTable(run));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSweepRun(MPI_Comm comm, const SoretCaseSource *source, SoretCase *c, const SoretSweepLaunch *launch, SoretOutcome *outcome, size_t length, char path[])
{
  Run            run  = {.ranks = {.comm = comm}, .source = source, .c = c};
  PetscBool      more = PETSC_TRUE;
  PetscErrorCode status;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(outcome, sizeof(*outcome)));
  SoretRecordEnter(SORET_PHASE_SETUP);
  PetscCall(SoretProblemCreate(comm, c, &run.base));
  PetscCall(SoretCaseRefuseOtherSums(comm, c));
  PetscCall(SoretSolidReport(&c->solid, &run.base.grid));
  if (run.base.boundary.flow) PetscCall(SoretFlowReport(&run.base.flow));
  PetscCall(SoretCaseSayNotes(comm, c, &run.base, &run.told));
  PetscCall(CreateSweep(&run));
  status = CreateOutput(&run, launch);
  if (SoretCheckpointRefused(run.checkpoint)) PetscCall(SoretOutputDiscard(run.output));
  PetscCall(status);
  SoretRecordEnter(SORET_PHASE_SOLVE);
  PetscCall(Poll(&run));
  while (more && !run.stopped) PetscCall(Round(&run, &more));
  if (run.num_written < run.sweep.num_done) PetscCall(WriteTable(&run));
  SoretRecordEnter(SORET_PHASE_OUTPUT);
  PetscCall(Summarise(&run, outcome));
  status = SoretOutputFinish(run.output, outcome->converged, length, path);
  PetscCall(SoretCheckpointDestroy(&run.checkpoint));
  PetscCall(SoretOutputDestroy(&run.output));
  PetscCall(SoretProblemDestroy(&run.base));
  PetscCall(DestroySweep(&run));
  PetscFunctionReturn(status);
}
