/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/record.h"

#include <errno.h>
#include <math.h>
#include <sys/resource.h>
#include <time.h>

#include "soret/disk.h"

static const char *const phase_names[SORET_NUM_PHASES] = {"start", "setup", "solve", "residual", "smoother", "transfer", "coarse", "jacobian", "halo", "output", "checkpoint"};

/* What a phase adds up. The counters are those of PETSc, which see the messages of this program and of PETSc, not those inside MPI-IO and MUMPS. */
enum { SECONDS, MESSAGES, MESSAGE_BYTES, REDUCTIONS, CALLS, NUM_COUNTERS };
static const char *const counter_names[NUM_COUNTERS] = {"seconds", "messages", "message_bytes", "reductions", "calls"};

enum { DEPTH = 16 };

/* The one clock of the process. */
static struct {
  PetscReal  sum[SORET_NUM_PHASES][NUM_COUNTERS];
  PetscReal  last[NUM_COUNTERS]; /* counters when the phase last changed      */
  SoretPhase open[DEPTH];        /* phases that run, the innermost at the end */
  int        depth;              /* more than DEPTH are only counted          */
  PetscReal  started, file_bytes;
  /* the same phases for -log_view: stages for those entered, events for those that begin and end inside them */
  PetscBool     logged, in_stage;
  PetscLogStage stage[SORET_NUM_PHASES];
  PetscLogEvent event[SORET_NUM_PHASES];
} record;

static void Sample(PetscReal now[NUM_COUNTERS])
{
  struct timespec t;

  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  now[SECONDS] = (PetscReal)t.tv_sec + 1.0e-9 * (PetscReal)t.tv_nsec;
  now[MESSAGES] = now[MESSAGE_BYTES] = now[REDUCTIONS] = now[CALLS] = 0.0;
#if defined(PETSC_USE_LOG)
  now[MESSAGES]      = petsc_isend_ct + petsc_send_ct;
  now[MESSAGE_BYTES] = petsc_isend_len + petsc_send_len;
  now[REDUCTIONS]    = petsc_allreduce_ct + petsc_gather_ct + petsc_scatter_ct;
#endif
}

static SoretPhase Innermost(void)
{
  return record.open[PetscMin(record.depth, DEPTH) - 1];
}

/* Gives what happened since the last change to the phase that ran. */
static void Attribute(void)
{
  PetscReal  now[NUM_COUNTERS];
  PetscReal *sum;

  if (!record.depth) return; /* the clock was never started: unit tests */
  sum = record.sum[Innermost()];
  Sample(now);
  for (int k = 0; k < NUM_COUNTERS; k++) {
    sum[k] += now[k] - record.last[k];
    record.last[k] = now[k];
  }
}

void SoretRecordStart(void)
{
  Sample(record.last);
  record.started = record.last[SECONDS];
  record.depth   = 1;
  record.open[0] = SORET_PHASE_START;
}

PetscErrorCode SoretRecordLog(void)
{
  PetscClassId id;

  PetscFunctionBegin;
  PetscCall(PetscClassIdRegister("soret", &id));
  for (int phase = 0; phase < SORET_NUM_PHASES; phase++) {
    char name[32];

    (void)snprintf(name, sizeof(name), "soret %s", phase_names[phase]);
    if (phase == SORET_PHASE_SETUP || phase == SORET_PHASE_SOLVE || phase == SORET_PHASE_OUTPUT) PetscCall(PetscLogStageRegister(name, &record.stage[phase])); /* those that are entered */
    PetscCall(PetscLogEventRegister(name, id, &record.event[phase]));
  }
  record.logged = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SoretRecordUnlog(void)
{
  if (record.in_stage) (void)PetscLogStagePop();
  record.logged = record.in_stage = PETSC_FALSE;
}

/* Closes the phases down to a depth. */
static void CloseTo(int depth)
{
  for (int d = PetscMin(record.depth, DEPTH) - 1; d >= depth && record.logged; d--) (void)PetscLogEventEnd(record.event[record.open[d]], 0, 0, 0, 0);
  record.depth = depth;
}

void SoretRecordBegin(SoretPhase phase)
{
  if (!record.depth) return;
  Attribute();
  record.sum[phase][CALLS] += 1.0;
  if (record.depth < DEPTH) {
    record.open[record.depth] = phase;
    if (record.logged) (void)PetscLogEventBegin(record.event[phase], 0, 0, 0, 0);
  }
  record.depth++;
}

void SoretRecordEnd(SoretPhase phase)
{
  if (!record.depth) return;
  Attribute();
  if (record.depth > DEPTH) {
    record.depth--;
    return;
  }
  for (int d = record.depth - 1; d > 0; d--) {
    if (record.open[d] != phase) continue;
    CloseTo(d);
    return;
  }
}

void SoretRecordEnter(SoretPhase phase)
{
  if (!record.depth) return;
  Attribute();
  record.sum[phase][CALLS] += 1.0;
  CloseTo(1);
  record.open[0] = phase;
  if (!record.logged) return;
  if (record.in_stage) (void)PetscLogStagePop();
  (void)PetscLogStagePush(record.stage[phase]);
  record.in_stage = PETSC_TRUE;
}

void SoretRecordCountBytes(PetscReal bytes)
{
  record.file_bytes += bytes;
}

PetscReal SoretRecordElapsed(void)
{
  Attribute();
  return record.last[SECONDS] - record.started;
}

PetscReal SoretRecordSeconds(SoretPhase phase)
{
  Attribute();
  return record.sum[phase][SECONDS];
}

PetscErrorCode SoretRecordMemory(MPI_Comm comm, PetscReal *smallest, PetscReal *largest, PetscReal *sum)
{
  struct rusage usage;
  PetscReal     mine, extremes[2];

  PetscFunctionBegin;
  (void)getrusage(RUSAGE_SELF, &usage);
  mine        = 1024.0 * (PetscReal)usage.ru_maxrss;
  extremes[0] = -mine;
  extremes[1] = mine;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, extremes, 2, MPIU_REAL, MPI_MAX, comm));
  PetscCallMPI(MPI_Allreduce(&mine, sum, 1, MPIU_REAL, MPI_SUM, comm));
  *smallest = -extremes[0];
  *largest  = extremes[1];
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SoretRecordHash(const char *text, char out[])
{
  unsigned long long hash = 14695981039346656037ULL;

  for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
  (void)snprintf(out, 17, "%016llx", hash);
}

/* ---- JSON ---- */

static void PrintText(FILE *out, const char *text)
{
  (void)fputc('"', out);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') (void)fprintf(out, "\\%c", *text);
    else if ((unsigned char)*text < 0x20) (void)fprintf(out, "\\u%04x", *text);
    else (void)fputc(*text, out);
  }
  (void)fputc('"', out);
}

/* %.15g: whole numbers up to 10^15 stay whole. JSON knows neither NaN nor infinity. */
static void PrintNumber(FILE *out, PetscReal value)
{
  if (isfinite(value)) (void)fprintf(out, "%.15g", (double)value);
  else (void)fputs("null", out);
}

static void PrintItems(FILE *out, PetscInt n, const SoretRecordItem item[])
{
  for (PetscInt i = 0; i < n; i++) {
    (void)fprintf(out, "  \"%s\": ", item[i].name);
    if (item[i].text) PrintText(out, item[i].text);
    else PrintNumber(out, item[i].number);
    (void)fputs(",\n", out);
  }
}

/* Over the ranks. */
typedef struct {
  PetscReal smallest[SORET_NUM_PHASES][NUM_COUNTERS], largest[SORET_NUM_PHASES][NUM_COUNTERS], sum[SORET_NUM_PHASES][NUM_COUNTERS];
} Statistics;

/* Seconds as mean, smallest and largest over the ranks; messages of all ranks; reductions and calls of the rank that had most. */
static void PrintPhases(FILE *out, const Statistics *s, PetscMPIInt ranks)
{
  const char *separator = "";

  (void)fputs("  \"phases\": {", out);
  for (int p = 0; p < SORET_NUM_PHASES; p++) {
    if (s->largest[p][SECONDS] == 0.0) continue;
    (void)fprintf(out, "%s\n    \"%s\": {\"seconds\": %.6g, \"seconds_min\": %.6g, \"seconds_max\": %.6g", separator, phase_names[p], (double)(s->sum[p][SECONDS] / ranks), (double)s->smallest[p][SECONDS], (double)s->largest[p][SECONDS]);
    for (int k = MESSAGES; k < NUM_COUNTERS; k++) {
      (void)fprintf(out, ", \"%s\": ", counter_names[k]);
      PrintNumber(out, k >= REDUCTIONS ? s->largest[p][k] : s->sum[p][k]);
    }
    (void)fputc('}', out);
    separator = ",";
  }
  (void)fputs("\n  }\n", out);
}

static PetscErrorCode Gather(MPI_Comm comm, Statistics *s, PetscReal *seconds)
{
  const PetscMPIInt n       = SORET_NUM_PHASES * NUM_COUNTERS;
  const PetscReal   elapsed = SoretRecordElapsed();

  PetscFunctionBegin;
  PetscCallMPI(MPI_Reduce(&elapsed, seconds, 1, MPIU_REAL, MPI_MAX, 0, comm));
  PetscCallMPI(MPI_Reduce(record.sum, s->smallest, n, MPIU_REAL, MPI_MIN, 0, comm));
  PetscCallMPI(MPI_Reduce(record.sum, s->largest, n, MPIU_REAL, MPI_MAX, 0, comm));
  PetscCallMPI(MPI_Reduce(record.sum, s->sum, n, MPIU_REAL, MPI_SUM, 0, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretRecordWrite(MPI_Comm comm, const char *path, PetscInt num_items, const SoretRecordItem item[])
{
  static Statistics s;
  PetscReal         smallest, largest, sum, bytes, seconds;
  PetscMPIInt       rank, ranks;
  FILE             *out;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(SoretRecordMemory(comm, &smallest, &largest, &sum));
  PetscCallMPI(MPI_Reduce(&record.file_bytes, &bytes, 1, MPIU_REAL, MPI_SUM, 0, comm));
  PetscCall(Gather(comm, &s, &seconds));
  if (rank) PetscFunctionReturn(PETSC_SUCCESS);
  out = SoretReplaceBegin(path);
  if (out) {
    (void)fputs("{\n  \"format\": \"soret-record\",\n  \"format_version\": 1,\n", out);
    PrintItems(out, num_items, item);
    (void)fprintf(out, "  \"ranks\": %d,\n  \"seconds\": %.6g,\n  \"file_bytes\": %.15g,\n", ranks, (double)seconds, (double)bytes);
    (void)fprintf(out, "  \"peak_bytes\": {\"rank_min\": %.15g, \"rank_max\": %.15g, \"sum\": %.15g},\n", (double)smallest, (double)largest, (double)sum);
    PrintPhases(out, &s, ranks);
    (void)fputs("}\n", out);
  }
  if (!out || !SoretReplaceEnd(out, path)) (void)fprintf(stderr, "soret: warning: cannot write the performance record '%s': %s\n", path, strerror(errno));
  PetscFunctionReturn(PETSC_SUCCESS);
}
