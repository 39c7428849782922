/* SPDX-License-Identifier: BSD-2-Clause

   The program: arguments and subcommands. Creates in order, wires the monitor, destroys. */
#include <petscsnes.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "progress.h"
#include "soret/hugepages.h"
#include "soret/launch.h"
#include "soret/record.h"
#include "soret/sweep.h"
#include "soret_commit.h"
#include "soret/libraries.h"

/* fits a screen of 24 lines and 80 columns; a test sees to it */
static const char help_text[] =
  "soret " SORET_VERSION ": thermophoresis in reacting, diffusing systems\n"
  "\n"
  "  mpiexec -n 4 soret CASE.yaml [key.path=value ...] [-petsc_option ...]\n"
  "                           run a case\n"
  "  soret resume NAME        go on from its newest good checkpoint\n"
  "  soret check CASE.yaml    check it: unknowns, sums, walls, memory, file size\n"
  "  soret reference          every key of a case file, as Markdown\n"
  "  soret info FILE.h5       what a result file holds\n"
  "  soret verify FILE        is a checkpoint, or a result, good?\n"
  "  soret compare A.h5 B.h5 [--rtol R] [--atol A]   bitwise without tolerances\n"
  "  soret --help, soret --version\n"
  "\n"
  "  soret input/tutorial/first.yaml\n"
  "  soret case.yaml domain.cells=[64,64] species.A.initial=2 output.file=fine.h5\n"
  "  soret case.yaml -snes_monitor -ksp_converged_reason    any PETSc option\n"
  "\n"
  "A run writes NAME.h5.1 (.2, ...) and names it NAME.h5 when it is complete; an\n"
  "existing NAME.h5 is refused unless --overwrite (output.overwrite=true) is given.\n"
  "Exit status: 0 done, 1 internal error, 2 the input is wrong, 3 not converged,\n"
  "4 I/O error, 75 stopped early with a valid checkpoint.\n";

/* ---- arguments ---- */

typedef struct {
  const char *command; /* "run", "check", ... */
  char      **words;   /* what is neither option nor override: files */
  int         num_words;
  char      **overrides;
  int         num_overrides;
  char      **petsc;   /* argv for PETSc: program and options */
  int         num_petsc;
  PetscReal   rtol, atol;
  const char *mistake;    /* an argument that makes no sense */
  const char *numberless; /* an option without its number    */
} Arguments;

static const char *const commands[] = {"check", "reference", "info", "compare", "resume", "verify"};
enum { NUM_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

/* "key.path=value": starts as a key does. */
static PetscBool IsOverride(const char *text)
{
  const char *equals = strchr(text, '=');

  return equals && equals > text && text[0] != '-' && text[0] != '/' && text[0] != '.' ? PETSC_TRUE : PETSC_FALSE;
}

/* Is the word the value of the option before it? Negative numbers are. */
static PetscBool IsValue(const char *text)
{
  return text[0] != '-' || (text[1] >= '0' && text[1] <= '9') || text[1] == '.' ? PETSC_TRUE : PETSC_FALSE;
}

static void ParseArguments(int argc, char **argv, Arguments *a)
{
  int first = 1;

  memset(a, 0, sizeof(*a));
  a->words            = (char **)calloc((size_t)argc + 1, sizeof(char *));
  a->overrides        = (char **)calloc((size_t)argc + 1, sizeof(char *));
  a->petsc            = (char **)calloc((size_t)argc + 2, sizeof(char *));
  a->petsc[a->num_petsc++] = argv[0];
  a->command          = "run";
  for (int k = 0; argc > 1 && k < NUM_COMMANDS; k++) {
    if (strcmp(argv[1], commands[k])) continue;
    a->command = commands[k];
    first      = 2;
  }
  for (int i = first; i < argc; i++) {
    if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) a->command = "help";
    else if (!strcmp(argv[i], "--version")) a->command = "version";
    else if (!strcmp(argv[i], "--overwrite")) a->overrides[a->num_overrides++] = (char *)"output.overwrite=true";
    else if (!strcmp(argv[i], "--rtol") || !strcmp(argv[i], "--atol")) {
      const char *text  = i + 1 < argc ? argv[i + 1] : "";
      char       *end;
      PetscReal   value = strtod(text, &end);

      if (end == text || *end || !(value >= 0.0)) a->numberless = argv[i];
      *(argv[i][2] == 'r' ? &a->rtol : &a->atol) = value;
      i++;
    } else if (argv[i][0] == '-' && argv[i][1] == '-') a->mistake = argv[i];
    else if (argv[i][0] == '-') {
      a->petsc[a->num_petsc++] = argv[i];
      if (i + 1 < argc && IsValue(argv[i + 1]) && !IsOverride(argv[i + 1])) a->petsc[a->num_petsc++] = argv[++i];
    } else if (a->num_words && IsOverride(argv[i])) a->overrides[a->num_overrides++] = argv[i];
    else a->words[a->num_words++] = argv[i];
  }
}

static void FreeArguments(Arguments *a)
{
  free(a->words);
  free(a->overrides);
  free(a->petsc);
}

/* Right number of files for the command? If not, says what it takes. */
static PetscBool WordsFit(const Arguments *a)
{
  const int   want = !strcmp(a->command, "reference") ? 0 : !strcmp(a->command, "compare") ? 2 : 1;
  const char *nearest;

  if (a->numberless) {
    (void)SoretComplain(PETSC_COMM_WORLD, "soret: %s needs a number, 0 or more, after it; see soret --help\n", a->numberless);
    return PETSC_FALSE;
  }
  if (a->mistake) {
    (void)SoretComplain(PETSC_COMM_WORLD, "soret: unknown argument '%s'; see soret --help\n", a->mistake);
    return PETSC_FALSE;
  }
  if (a->num_words == want || (a->num_words > want && !strcmp(a->command, "check"))) return PETSC_TRUE;
  if (a->num_words > want && !strcmp(a->command, "run") && (nearest = SoretNearest(a->words[0], NUM_COMMANDS, commands))) {
    (void)SoretComplain(PETSC_COMM_WORLD, "soret: unknown command '%s'; did you mean '%s'? See soret --help\n", a->words[0], nearest);
    return PETSC_FALSE;
  }
  if (a->num_words > want && !strcmp(a->command, "run") && !strcmp(a->words[0], "run")) (void)SoretComplain(PETSC_COMM_WORLD, "soret: a case is run without a command: soret %s\n", a->words[1]);
  else if (a->num_words > want && want) (void)SoretComplain(PETSC_COMM_WORLD, "soret: unexpected argument '%s' (overrides are written key.path=value); see soret --help\n", a->words[want]);
  else (void)SoretComplain(PETSC_COMM_WORLD, "soret: '%s' needs %d file name%s; see soret --help\n", strcmp(a->command, "run") ? a->command : "soret", want, want == 1 ? "" : "s");
  return PETSC_FALSE;
}

/* The command line as one string, for the result file; memory of PETSc. */
static PetscErrorCode JoinArguments(int argc, char **argv, char **text)
{
  size_t length = 1;

  PetscFunctionBegin;
  for (int i = 0; i < argc; i++) length += strlen(argv[i]) + 3;
  PetscCall(PetscCalloc1(length, text));
  for (int i = 0; i < argc; i++) {
    const PetscBool quote = strpbrk(argv[i], " \"'") ? PETSC_TRUE : PETSC_FALSE;

    if (i) PetscCall(SoretAppend(*text, " ", length));
    if (quote) PetscCall(SoretAppend(*text, "'", length));
    PetscCall(SoretAppend(*text, argv[i], length));
    if (quote) PetscCall(SoretAppend(*text, "'", length));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the run ---- */

/* How a run is started: what a checkpoint needs to start it again. */
typedef struct {
  SoretCaseSource  source;
  int              num_petsc;
  char           **petsc;   /* options of the command line, without the program       */
  SoretRestart     restart; /* what it goes on from, or NULL                          */
  char            *units;   /* of that                                                */
  char            *begun;   /* its command                                            */
  PetscBool        alters;  /* does the command line add anything that is new to it?  */
  char            *files, *files_before; /* of the fields, now and when that was begun */
  const Arguments *added;   /* then: what the command line adds to that of the start  */
  char             prefix[PETSC_MAX_PATH_LEN]; /* of its checkpoints                  */
  const char      *command; /* line; of a run that goes on, behind those before it    */
} Launch;

typedef struct {
  const SoretCase *c;
  SoretProblem     problem;
  SoretOutput      output;
  SoretCheckpoint  checkpoint;
  SoretProgress    progress;
  const Launch    *launch;
} Run;

static PetscErrorCode Monitor(void *context, PetscInt step, PetscReal t, PetscReal residual, Vec c, PetscBool frame)
{
  Run *run = (Run *)context;

  PetscFunctionBegin;
  if (run->c->solve.mode == SORET_STEADY) {
    PetscCall(SoretProgressSteady(&run->progress, step, residual, run->c->solve.tolerance.value));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (!frame || step == 0) PetscCall(SoretOutputAddRow(run->output, step, t, c));
  if (frame) PetscCall(SoretOutputAddFrame(run->output, step, t, c));
  PetscCall(SoretProgressTime(&run->progress, step, t, run->c->solve.end.value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What goes in and out of the temperature that was computed. */
static PetscErrorCode SummariseHeat(Run *run)
{
  SoretHeatBudget budget;

  PetscFunctionBegin;
  PetscCall(SoretHeatReport(run->problem.heat));
  PetscCall(SoretHeatGetBudget(run->problem.heat, &budget));
  for (int face = 0; face < 2 * run->problem.grid.dim; face++) {
    char name[32];

    if (run->problem.grid.periodic[face / 2]) continue;
    PetscCall(PetscSNPrintf(name, sizeof(name), "heat_inflow_%s", SoretFaceName(face)));
    PetscCall(SoretOutputSummaryReal(run->output, name, budget.inflow[face]));
  }
  PetscCall(SoretOutputSummaryReal(run->output, "heat_source", budget.source));
  PetscCall(SoretOutputSummaryReal(run->output, "heat_stored", budget.stored));
  PetscCall(SoretOutputSummaryReal(run->output, "heat_defect", budget.gross > 0.0 ? budget.defect / budget.gross : 0.0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Summarise(Run *run, const SoretOutcome *outcome)
{
  const SoretSums *sums     = &run->c->sums;
  PetscReal        contrast = NAN;

  PetscFunctionBegin;
  if (sums->num) PetscCall(SoretDiagnoseContrast(&run->problem.op, run->problem.c, sums->w, &contrast));
  if (run->problem.heat) PetscCall(SummariseHeat(run));
  PetscCall(SoretOutputSummaryInt(run->output, "rejected_steps", outcome->rejected));
  PetscCall(SoretOutputSummaryInt(run->output, "backward_euler_steps", outcome->euler));
  PetscCall(SoretOutputSummaryInt(run->output, "scaled_corrections", outcome->scaled));
  PetscCall(SoretOutputSummaryReal(run->output, "contrast", contrast));
  PetscCall(SoretOutputOutcome(run->output, outcome, SoretCheckpointCount(run->checkpoint), SoretOutputDrift(run->output)));
  if (isfinite(contrast)) PetscCall(SoretSay(run->problem.grid.comm, "%s: contrast %.9g\n", sums->name[0], (double)contrast));
  PetscCall(SoretOutputMeter(run->output, run->c->solve.mode == SORET_STEADY ? PETSC_TRUE : PETSC_FALSE, run->problem.c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The performance record (docs/result-file.md). */
static PetscErrorCode WriteRecord(MPI_Comm comm, const SoretCase *c, const SoretOutcome *outcome, const char *command, const char *result)
{
  const PetscReal cells = (PetscReal)c->grid.n[0] * (PetscReal)c->grid.n[1] * (PetscReal)c->grid.n[2];
  const char     *job   = getenv("SLURM_JOB_ID");
  PetscMPIInt     nodes, most;
  char            hash[17], petsc[256], path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  if (!c->output.record) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretLaunchNodes(comm, &nodes, &most));
  PetscCall(PetscGetVersion(petsc, sizeof(petsc)));
  SoretRecordHash(c->text, hash);
  const SoretRecordItem items[] = {
    {"version", 0.0, SORET_VERSION},
    {"commit", 0.0, SORET_COMMIT},
    {"petsc_version", 0.0, petsc},
    {"case", 0.0, c->path},
    {"case_hash", 0.0, hash},
    {"title", 0.0, c->title},
    {"command", 0.0, command},
    {"result", 0.0, result},
    {"job", 0.0, job ? job : ""},
    {"mode", 0.0, c->sweep.given ? "sweep" : c->solve.mode == SORET_STEADY ? "steady" : "transient"},
    {"method", 0.0, outcome->method},
    {"converged", outcome->converged, NULL},
    {"dimension", (PetscReal)c->grid.dim, NULL},
    {"cells", cells, NULL},
    {"species", (PetscReal)c->model.num_species, NULL},
    {"unknowns", cells * (PetscReal)c->model.num_species, NULL},
    {"newton_iterations", (PetscReal)outcome->newton_iterations, NULL},
    {"linear_iterations", (PetscReal)outcome->linear_iterations, NULL},
    {"cycles", (PetscReal)outcome->cycles, NULL},
    {"steps", (PetscReal)outcome->steps, NULL},
    {"nodes", nodes, NULL},
    {"ranks_per_node", most, NULL}
  };

  PetscCall(SoretOutputBeside(result, ".json", sizeof(path), path));
  PetscCall(SoretRecordWrite(comm, path, (PetscInt)(sizeof(items) / sizeof(items[0])), items));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- starting again ---- */

/* A list of words; "=" in front tells an empty one from the end. */
static PetscErrorCode PutWords(SoretArchive archive, const char *name, int num, char *const words[])
{
  PetscFunctionBegin;
  for (int k = 0; k < num; k++) {
    const size_t length = strlen(words[k]) + 2;
    char         key[32], *text;

    PetscCall(PetscSNPrintf(key, sizeof(key), "%s_%d", name, k));
    PetscCall(PetscMalloc1(length, &text));
    PetscCall(PetscSNPrintf(text, length, "=%s", words[k]));
    PetscCall(SoretArchivePutText(archive, key, text));
    PetscCall(PetscFree(text));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The words, with `more` behind them; allocated by PETSc. */
static PetscErrorCode GetWords(SoretArchive archive, const char *name, int num_more, char *const more[], int *num, char ***words)
{
  char **list = NULL, *text;
  int    n    = 0, room = 0;

  PetscFunctionBegin;
  for (;;) {
    char key[32];

    if (n + num_more + 1 > room) {
      char **larger;

      room = 2 * (n + num_more) + 16;
      PetscCall(PetscMalloc1(room, &larger));
      if (n) PetscCall(PetscArraycpy(larger, list, n));
      PetscCall(PetscFree(list));
      list = larger;
    }
    PetscCall(PetscSNPrintf(key, sizeof(key), "%s_%d", name, n));
    PetscCall(SoretArchiveGetText(archive, key, &text));
    if (!text[0]) break;
    memmove(text, text + 1, strlen(text));
    list[n++] = text;
  }
  PetscCall(PetscFree(text));
  for (int k = 0; k < num_more; k++) PetscCall(PetscStrallocpy(more[k], &list[n++]));
  *num   = n;
  *words = list;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static const char *UnitsOf(const SoretCase *c)
{
  return SoretInputIsReduced(c->in) ? "reduced" : "SI";
}

static PetscErrorCode SaveLaunch(void *context, SoretArchive archive)
{
  const Run    *run    = (const Run *)context;
  const Launch *launch = run->launch;
  char         *full   = realpath(launch->source.path, NULL);

  PetscFunctionBegin;
  PetscCall(SoretArchivePutText(archive, "path", full ? full : launch->source.path));
  free(full);
  PetscCall(SoretArchivePutText(archive, "case", run->c->text));
  PetscCall(SoretArchivePutText(archive, "units", UnitsOf(run->c)));
  PetscCall(SoretArchivePutText(archive, "files", launch->files));
  PetscCall(SoretArchivePutText(archive, "command", launch->command));
  PetscCall(PutWords(archive, "override", launch->source.num_overrides, launch->source.overrides));
  PetscCall(PutWords(archive, "petsc", launch->num_petsc, launch->petsc));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is this override the last one of its key among those given before? */
static PetscBool IsGiven(const char *override, int num, char *const before[])
{
  const size_t key = strcspn(override, "=") + 1;

  while (num > 0 && strncmp(before[num - 1], override, key) != 0) num--;
  return num > 0 && !strcmp(before[num - 1], override) ? PETSC_TRUE : PETSC_FALSE;
}

/* Puts together the launch of a run that goes on: as it was, and what the command line adds. */
static PetscErrorCode LoadLaunch(void *context, SoretArchive archive)
{
  Launch          *launch = (Launch *)context;
  const Arguments *a      = launch->added;
  char            *path, *before, *command, **overrides;
  size_t           length;

  PetscFunctionBegin;
  PetscCall(SoretArchiveGetText(archive, "command", &before));
  length = strlen(before) + strlen(launch->command) + 3;
  PetscCall(PetscMalloc1(length, &command));
  PetscCall(PetscSNPrintf(command, length, "%s; %s", before, launch->command));
  launch->begun   = before;
  launch->command = command;
  PetscCall(SoretArchiveGetText(archive, "path", &path));
  PetscCall(SoretArchiveGetText(archive, "case", &launch->source.text));
  PetscCall(SoretArchiveGetText(archive, "units", &launch->units));
  PetscCall(SoretArchiveGetText(archive, "files", &launch->files_before));
  PetscCall(GetWords(archive, "override", a->num_overrides, a->overrides, &launch->source.num_overrides, &overrides));
  PetscCall(GetWords(archive, "petsc", a->num_petsc - 1, a->petsc + 1, &launch->num_petsc, &launch->petsc));
  launch->source.path      = path;
  launch->source.overrides = overrides;
  launch->alters           = a->num_petsc > 1 ? PETSC_TRUE : PETSC_FALSE;
  for (int k = 0; k < a->num_overrides; k++) {
    if (!IsGiven(a->overrides[k], launch->source.num_overrides - a->num_overrides, overrides)) launch->alters = PETSC_TRUE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FreeWords(int num, char **words)
{
  PetscFunctionBegin;
  for (int k = 0; k < num; k++) PetscCall(PetscFree(words[k]));
  PetscCall(PetscFree(words));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the run itself ---- */

static PetscErrorCode CreateOutput(Run *run, SoretCase *c)
{
  const MPI_Comm        comm       = PETSC_COMM_WORLD;
  const SoretProvenance provenance = {.title = c->title, .text = c->text, .command = run->launch->command, .reduced = SoretInputIsReduced(c->in)};

  PetscFunctionBegin;
  PetscCall(SoretOutputCreate(&c->output, &run->problem.op, &c->sums, &provenance, &run->output));
  PetscCall(SoretCheckpointCreate(comm, &c->checkpoint, run->launch->prefix, c->output.file, SoretOutputAttempt(run->output), run->launch->restart, &run->checkpoint));
  PetscCall(SoretCheckpointAdd(run->checkpoint, "run", SaveLaunch, NULL, run, NULL));
  PetscCall(SoretOutputCheckpoint(run->output, run->checkpoint));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* *path is left alone where there is no result. */
static PetscErrorCode SolveAndWrite(Run *run, SoretCase *c, SoretOutcome *outcome, size_t length, char path[])
{
  const MPI_Comm comm = PETSC_COMM_WORLD;
  PetscInt       num_times = 0;
  PetscReal     *times     = NULL;
  PetscErrorCode status;

  PetscFunctionBegin;
  SoretRecordEnter(SORET_PHASE_SETUP);
  PetscCall(SoretProblemCreate(comm, c, &run->problem));
  PetscCall(SoretCaseSayNotes(comm, c, &run->problem, NULL));
  if (c->solve.mode == SORET_STEADY) PetscCall(SoretSumsRefuseImpossible(&c->sums, &run->problem.op)); /* before a file is made */
  PetscCall(SoretCaseCheckDisk(comm, c, &run->problem));
  PetscCall(CreateOutput(run, c));
  PetscCall(SoretOutputSayUndefined(&c->output, &c->model, comm));
  SoretRecordEnter(SORET_PHASE_SOLVE);
  PetscCall(SoretProgressStart(comm, &run->progress));
  if (c->solve.mode == SORET_STEADY) {
    PetscCall(SoretSolveSteady(&c->solve, &run->problem.op, &c->sums, run->checkpoint, Monitor, run, run->problem.c, outcome));
    PetscCall(SoretOutputAddRow(run->output, outcome->newton_iterations, 0.0, run->problem.c));
    PetscCall(SoretOutputAddFrame(run->output, outcome->newton_iterations, 0.0, run->problem.c));
  } else {
    PetscCall(SoretOutputTimes(&c->output, c->solve.end.value, &num_times, &times));
    PetscCall(SoretSolveTransient(&c->solve, &run->problem.op, &c->sums, num_times, times, run->checkpoint, Monitor, run, run->problem.c, outcome));
    PetscCall(PetscFree(times));
  }
  SoretRecordEnter(SORET_PHASE_OUTPUT);
  PetscCall(SoretProgressStop(&run->progress));
  PetscCall(SoretSay(comm, "%s (%s; %" PetscInt_FMT " Newton, %" PetscInt_FMT " linear iterations)\n", outcome->reason, outcome->method, outcome->newton_iterations, outcome->linear_iterations));
  PetscCall(Summarise(run, outcome));
  status = SoretOutputFinish(run->output, outcome->converged, length, path);
  PetscFunctionReturn(status);
}

/* In the end PETSc 3.26 lists them as well, also where nothing was run. */
static PetscErrorCode SilencePETSc(void)
{
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(PetscOptionsHasName(NULL, NULL, "-options_left", &given));
  if (!given) PetscCall(PetscOptionsSetValue(NULL, "-options_left", "false"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A misspelt option does nothing: say so. */
static PetscErrorCode WarnUnusedOptions(void)
{
  PetscInt n;
  char   **names, **values;

  PetscFunctionBegin;
  PetscCall(PetscOptionsLeftGet(NULL, &n, &names, &values));
  for (PetscInt k = 0; k < n; k++) PetscCall(SoretSay(PETSC_COMM_WORLD, "warning: the option -%s was not used; is it spelt correctly, and does this solver have it?\n", names[k]));
  PetscCall(PetscOptionsLeftRestore(NULL, &n, &names, &values));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Values that PETSc would stop at, or that are not for runs of this mode, of all options that PETSc has found; given - those of the command line */
static PetscErrorCode TryOptions(SoretMode mode, int num_given, char *const given[])
{
  PetscErrorCode status = PETSC_SUCCESS;
  char           complaint[1024], *all, **words;
  int            num;

  PetscFunctionBegin;
  PetscCall(PetscOptionsGetAll(NULL, &all));
  PetscCall(PetscStrToArray(all, ' ', &num, &words));
  for (int k = 0; k < num; k++) {
    const char *value = k + 1 < num && IsValue(words[k + 1]) ? words[k + 1] : NULL, *from = "PETSC_OPTIONS, .petscrc or -options_file";

    if (IsValue(words[k])) continue;
    PetscCall(SoretSolveTryOption(words[k], value, mode, sizeof(complaint), complaint));
    if (!complaint[0]) continue;
    for (int i = 0; i < num_given; i++) from = strcmp(words[k], given[i]) ? from : "command line";
    PetscCall(SoretComplain(PETSC_COMM_WORLD, "%s: %s\n", from, complaint));
    PetscCall(PetscOptionsClearValue(NULL, words[k])); /* -log_view would be looked at in the end */
    status = SORET_ERR_INPUT;
  }
  PetscCall(PetscStrToArrayDestroy(num, words));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(status);
}

/* The mistakes of the case, and of the options, are told in one go. */
static PetscErrorCode ReadCase(const SoretCaseSource *source, int num_petsc, char *const petsc[], SoretCase *c)
{
  PetscErrorCode status, others;

  PetscFunctionBegin;
  c->solve.mode = SORET_STEADY; /* where there is no file */
  status        = SoretCaseRead(PETSC_COMM_WORLD, source, c);
  if (status != (PetscErrorCode)SORET_ERR_INPUT) PetscCall(status);
  others = TryOptions((SoretMode)c->solve.mode, num_petsc, petsc);
  PetscCall(status);
  PetscCall(others);
  PetscCall(SoretSweepCheck(PETSC_COMM_WORLD, source, c));
  PetscCall(SoretCaseWarnOfUnused(PETSC_COMM_WORLD, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The numbers of the checkpoint mean something else in other units. */
static PetscErrorCode CheckUnits(const SoretCase *c, const char *before)
{
  PetscFunctionBegin;
  if (!before || !strcmp(before, UnitsOf(c))) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretComplain(PETSC_COMM_WORLD, "soret: the checkpoint is of a run with `units: %s`, which must stay; nothing was run\n", before));
  PetscFunctionReturn(SORET_ERR_INPUT);
}

/* A run that is told to end before it goes on. */
static PetscErrorCode CheckEnd(const SoretCase *c, SoretRestart restart)
{
  PetscFunctionBegin;
  if (!restart || c->sweep.given || c->solve.mode != SORET_TRANSIENT || SoretRestartTime(restart) <= c->solve.end.value) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretComplain(PETSC_COMM_WORLD, "soret: the checkpoint is of t = %g, behind `solve.end`, which is %g; nothing was run\n", (double)SoretRestartTime(restart), (double)c->solve.end.value));
  PetscFunctionReturn(SORET_ERR_INPUT);
}

/* Is the second command the first one, or that and what went on from there? */
static PetscBool GoesOn(const char *first, const char *second)
{
  const size_t n = strlen(first);

  return !strncmp(second, first, n) && (!second[n] || second[n] == ';') ? PETSC_TRUE : PETSC_FALSE;
}

/* Has the run that is to go on, as it was, come to its end? Its job may have been killed after that, before it could say so. */
static PetscErrorCode IsComplete(const Launch *launch, const SoretCase *c, PetscBool *complete)
{
  PetscReal      converged = 0.0;
  char          *command   = NULL;
  PetscMPIInt    rank;
  int            there = 0;
  PetscErrorCode status;
  SoretH5        h5;

  PetscFunctionBegin;
  *complete = PETSC_FALSE;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (rank == 0) there = launch->restart && !launch->alters && !c->output.overwrite && access(c->output.file, R_OK) == 0;
  PetscCallMPI(MPI_Bcast(&there, 1, MPI_INT, 0, PETSC_COMM_WORLD));
  if (!there || SoretH5Open(PETSC_COMM_WORLD, c->output.file, SORET_H5_READ, &h5)) PetscFunctionReturn(PETSC_SUCCESS);
  status = SoretH5Exists(h5, "/summary", complete);
  if (!status && *complete) status = SoretH5ReadReal(h5, "/summary", "converged", &converged, complete);
  if (!status && *complete) status = SoretH5ReadString(h5, "/", "command", &command);
  PetscCall(SoretH5Close(&h5));
  *complete = !status && converged == 1.0 && command && GoesOn(launch->begun, command) ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscFree(command));
  if (*complete && c->output.checksums) PetscCall(SoretOutputAddSums(PETSC_COMM_WORLD, c->output.file));
  if (*complete) PetscCall(SoretSay(PETSC_COMM_WORLD, "the run is done, its result is in '%s'; nothing was run. To do the last part once more: output.overwrite=true, or another output.file\n", c->output.file));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode RunCase(Launch *launch)
{
  SoretCase      c;
  Run            run = {.c = &c, .launch = launch};
  SoretOutcome   outcome = {.stopped = PETSC_FALSE};
  PetscBool      complete;
  PetscErrorCode status;
  char           path[PETSC_MAX_PATH_LEN] = ""; /* of the result, once it is there */

  PetscFunctionBegin;
  PetscCall(SoretLaunchCheck(PETSC_COMM_WORLD));
  PetscCall(ReadCase(&launch->source, launch->num_petsc, launch->petsc, &c));
  PetscCall(CheckUnits(&c, launch->units));
  PetscCall(CheckEnd(&c, launch->restart));
  PetscCall(IsComplete(launch, &c, &complete));
  if (complete) {
    PetscCall(SoretCaseDestroy(&c));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretCaseDescribeFiles(PETSC_COMM_WORLD, &c, &launch->files));
  if (launch->files_before) PetscCall(SoretCaseWarnOfChanged(PETSC_COMM_WORLD, launch->files_before, launch->files));
  PetscCall(SoretCheckpointListen());
  if (!launch->prefix[0]) PetscCall(PetscStrncpy(launch->prefix, c.checkpoint.prefix, sizeof(launch->prefix)));
  PetscCall(SoretOutputCheck(&c.output, PETSC_COMM_WORLD));
  PetscCall(SoretCheckpointCheck(PETSC_COMM_WORLD, launch->prefix, launch->restart || c.output.overwrite ? PETSC_TRUE : PETSC_FALSE));
  PetscCall(SoretCaseInsertOptions(&c));
  if (c.sweep.given) {
    const SoretSweepLaunch sweep = {.command = launch->command, .prefix = launch->prefix, .restart = launch->restart, .save = SaveLaunch, .context = &run};

    status = SoretSweepRun(PETSC_COMM_WORLD, &launch->source, &c, &sweep, &outcome, sizeof(path), path);
  }
  else status = SolveAndWrite(&run, &c, &outcome, sizeof(path), path);
  if (SoretCheckpointRefused(run.checkpoint)) PetscCall(SoretOutputDiscard(run.output));
  if (path[0]) {
    PetscCall(WriteRecord(PETSC_COMM_WORLD, &c, &outcome, launch->command, path));
    PetscCall(SoretSay(PETSC_COMM_WORLD, "result in %s\n", path));
    if (outcome.stopped) PetscCall(SoretSay(PETSC_COMM_WORLD, "to go on: soret resume %s\n", launch->prefix));
  }
  PetscCall(WarnUnusedOptions());
  PetscCall(SoretCheckpointDestroy(&run.checkpoint));
  PetscCall(SoretOutputDestroy(&run.output));
  PetscCall(SoretProblemDestroy(&run.problem));
  PetscCall(SoretCaseDestroy(&c));
  PetscCall(PetscFree(launch->files));
  PetscCall(status);
  PetscFunctionReturn(outcome.converged ? PETSC_SUCCESS : outcome.stopped ? SORET_ERR_STOPPED : SORET_ERR_NOT_CONVERGED);
}

static PetscErrorCode Start(const Arguments *a, const char *command)
{
  Launch launch = {.source = {.path = a->words[0], .num_overrides = a->num_overrides, .overrides = a->overrides}, .num_petsc = a->num_petsc - 1, .petsc = a->petsc + 1, .command = command};

  PetscFunctionBegin;
  PetscCall(RunCase(&launch));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Does the command line say where checkpoints go? Otherwise they stay where the run found them. */
static PetscBool GivesPrefix(const Arguments *a)
{
  for (int k = 0; k < a->num_overrides; k++) {
    if (!strncmp(a->overrides[k], "checkpoint.prefix=", 18) || !strncmp(a->overrides[k], "checkpoint=", 11)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

static PetscErrorCode Resume(const Arguments *a, const char *command)
{
  Launch         launch = {.command = command, .added = a};
  PetscBool      found;
  PetscErrorCode status;

  PetscFunctionBegin;
  PetscCall(SoretRestartFind(PETSC_COMM_WORLD, a->words[0], &launch.restart));
  PetscCall(SoretRestartRead(launch.restart, "run", LoadLaunch, &launch, &found));
  if (!found) {
    PetscCall(SoretComplain(PETSC_COMM_WORLD, "soret: the checkpoint does not say which run it is of: it has no part 'run'\n"));
    PetscCall(SoretRestartDestroy(&launch.restart));
    PetscFunctionReturn(SORET_ERR_IO);
  }
  if (!GivesPrefix(a)) PetscCall(PetscStrncpy(launch.prefix, SoretRestartPrefix(launch.restart), sizeof(launch.prefix)));
  PetscCall(PetscOptionsInsertArgs(NULL, launch.num_petsc, SORET_OPTION_ARGUMENTS(launch.petsc)));
  status = RunCase(&launch);
  PetscCall(SoretRestartDestroy(&launch.restart));
  PetscCall(FreeWords(launch.source.num_overrides, (char **)launch.source.overrides));
  PetscCall(FreeWords(launch.num_petsc, launch.petsc));
  PetscCall(PetscFree(launch.source.text));
  PetscCall(PetscFree(launch.units));
  PetscCall(PetscFree(launch.files_before));
  PetscCall(PetscFree(launch.begun));
  PetscCall(PetscFree(launch.command));
  PetscCall(PetscFree(launch.source.path));
  PetscFunctionReturn(status);
}

static PetscErrorCode Verify(const Arguments *a)
{
  PetscBool good = PETSC_FALSE;

  PetscFunctionBegin;
  if (SoretIsGeneration(a->words[0])) PetscCall(SoretCheckpointVerify(PETSC_COMM_WORLD, a->words[0], &good));
  else PetscCall(SoretOutputVerify(PETSC_COMM_WORLD, a->words[0], &good));
  PetscFunctionReturn(good ? PETSC_SUCCESS : SORET_ERR_IO);
}

static PetscErrorCode CheckCase(const Arguments *a, const char *path)
{
  const SoretCaseSource source = {.path = path, .num_overrides = a->num_overrides, .overrides = a->overrides};
  SoretCase             c;

  PetscFunctionBegin;
  PetscCall(ReadCase(&source, a->num_petsc - 1, a->petsc + 1, &c));
  PetscCall(SoretCaseReport(PETSC_COMM_WORLD, &c));
  PetscCall(SoretSweepReport(PETSC_COMM_WORLD, &c));
  PetscCall(SoretCaseDestroy(&c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One case after the other, all of them; of several each is named first, on both streams, since its mistakes are on one and all else on the other. */
static PetscErrorCode Check(const Arguments *a)
{
  PetscErrorCode worst = PETSC_SUCCESS;

  PetscFunctionBegin;
  for (int k = 0; k < a->num_words; k++) {
    PetscErrorCode status;

    if (a->num_words > 1) {
      PetscCall(SoretSay(PETSC_COMM_WORLD, "# %s\n", a->words[k]));
      PetscCall(SoretComplain(PETSC_COMM_WORLD, "# %s\n", a->words[k]));
    }
    status = CheckCase(a, a->words[k]);
    if (status != (PetscErrorCode)SORET_ERR_INPUT) PetscCall(status);
    if (status) worst = status;
  }
  PetscFunctionReturn(worst);
}

static PetscErrorCode Compare(const Arguments *a)
{
  PetscBool equal;

  PetscFunctionBegin;
  PetscCall(SoretH5Compare(PETSC_COMM_WORLD, a->words[0], a->words[1], a->rtol, a->atol, stdout, &equal));
  PetscCall(SoretSay(PETSC_COMM_WORLD, "%s\n", equal ? "equal" : "different"));
  PetscFunctionReturn(equal ? PETSC_SUCCESS : SORET_ERR_NOT_CONVERGED);
}

static PetscErrorCode Dispatch(const Arguments *a, const char *command)
{
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (!strcmp(a->command, "reference")) {
    if (rank == 0) PetscCall(SoretCaseReference(stdout));
  } else if (!strcmp(a->command, "info")) PetscCall(SoretH5Info(PETSC_COMM_WORLD, a->words[0], stdout));
  else if (!strcmp(a->command, "compare")) PetscCall(Compare(a));
  else if (!strcmp(a->command, "check")) PetscCall(Check(a));
  else if (!strcmp(a->command, "verify")) PetscCall(Verify(a));
  else if (!strcmp(a->command, "resume")) PetscCall(Resume(a, command));
  else PetscCall(Start(a, command));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- errors ---- */

/* Did PETSc stop at the value of an option that was not tried before the run? */
static PetscBool bad_option = PETSC_FALSE;

/* Our own codes have been explained already: no stack trace. Everything else is a mistake of ours or of a library. */
static PetscErrorCode HandleError(MPI_Comm comm, int line, const char *function, const char *file, PetscErrorCode code, PetscErrorType type, const char *message, void *context)
{
  if (code >= SORET_ERR_INPUT && code <= SORET_ERR_STOPPED) return code;
  if (code == PETSC_ERR_ARG_UNKNOWN_TYPE) { /* of an option: the defaults are known */
    if (type == PETSC_ERROR_INITIAL) (void)SoretComplain(PETSC_COMM_WORLD, "soret: an option of PETSc asks for what it does not have: %.300s\n", message);
    return code;
  }
  if (type == PETSC_ERROR_INITIAL && function && !strncmp(function, "PetscOptions", 12)) {
    bad_option = PETSC_TRUE;
    (void)SoretComplain(PETSC_COMM_WORLD, "soret: the value of an option of PETSc cannot be read: %.300s\n", message);
  }
  if (bad_option) return code;
  return PetscTraceBackErrorHandler(comm, line, function, file, code, type, message, context);
}

static SoretExit ExitStatus(PetscErrorCode code)
{
  switch ((int)code) {
  case PETSC_SUCCESS:
    return SORET_EXIT_DONE;
  case SORET_ERR_INPUT:
  case PETSC_ERR_ARG_UNKNOWN_TYPE:
    return SORET_EXIT_INPUT;
  case SORET_ERR_NOT_CONVERGED:
    return SORET_EXIT_NOT_CONVERGED;
  case SORET_ERR_IO:
    return SORET_EXIT_IO;
  case SORET_ERR_STOPPED:
    return SORET_EXIT_STOPPED;
  default:
    return bad_option ? SORET_EXIT_INPUT : SORET_EXIT_INTERNAL;
  }
}

/* ---- streams ---- */

/* What is opened next would else get the number of a stream that is closed, and the log. A file that a limit (ulimit -f) lets grow no longer is an error of
   writing, not the end of the process. */
static void OpenStreams(void)
{
  (void)signal(SIGXFSZ, SIG_IGN);
  for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
    if (fcntl(file, F_GETFD) < 0) (void)open("/dev/null", file == STDIN_FILENO ? O_RDONLY : O_WRONLY);
  }
}

/* The status of a command whose answer could not be written. A reader that has seen enough (soret reference | head) is no error. */
static int StatusOfAnswer(int status)
{
  struct stat found;
  PetscBool   lost;

  errno = 0;
  lost  = fflush(stdout) || ferror(stdout) ? PETSC_TRUE : PETSC_FALSE;
  if (!lost || (status != SORET_EXIT_DONE && status != SORET_EXIT_NOT_CONVERGED)) return status;
  if (fstat(STDOUT_FILENO, &found) == 0 && (S_ISFIFO(found.st_mode) || S_ISSOCK(found.st_mode))) return status;
  (void)fprintf(stderr, "soret: standard output cannot be written%s%s\n", errno ? ": " : "", errno ? strerror(errno) : "");
  return SORET_EXIT_IO;
}

/* What needs no MPI is done without it, and told once. The others end with 0: a launcher may end all as soon as one has failed, before the first has spoken. */
static PetscBool Simple(const Arguments *a, int argc, int *status)
{
  const PetscBool first = SoretLaunchIsFirst();

  *status = argc == 1 && first ? SORET_EXIT_INPUT : SORET_EXIT_DONE;
  if (!strcmp(a->command, "help") || argc == 1) {
    if (first) (void)fputs(help_text, argc == 1 ? stderr : stdout);
  } else if (!strcmp(a->command, "version")) {
    if (first) (void)puts("soret " SORET_VERSION);
  } else return PETSC_FALSE;
  *status = StatusOfAnswer(*status);
  return PETSC_TRUE;
}

/* A file of options that cannot be read ends PETSc with a trace when it starts. Told as above. */
static PetscBool OptionFilesThere(const Arguments *a, int *status)
{
  for (int k = 1; k + 1 < a->num_petsc; k++) {
    if (strcmp(a->petsc[k], "-options_file") && strcmp(a->petsc[k], "-options_file_yaml")) continue;
    if (access(a->petsc[k + 1], R_OK) == 0) continue;
    if (!SoretLaunchIsFirst()) return PETSC_FALSE;
    (void)fprintf(stderr, "soret: cannot read '%s' of '%s': %s\n", a->petsc[k + 1], a->petsc[k], strerror(errno));
    *status = SORET_EXIT_INPUT;
    return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Before PETSc and MPI: is there nothing for them to do? */
static PetscBool IsDone(const Arguments *a, int argc, int *status)
{
  if (Simple(a, argc, status)) return PETSC_TRUE;
  *status = SoretLibrariesFit(SoretLaunchIsFirst() ? stderr : NULL) ? SORET_EXIT_DONE : SORET_EXIT_INTERNAL;
  return *status != SORET_EXIT_DONE || !OptionFilesThere(a, status) ? PETSC_TRUE : PETSC_FALSE;
}

/* Does the command print, and nothing else? */
static PetscBool OnlyAnswers(const Arguments *a)
{
  return strcmp(a->command, "run") && strcmp(a->command, "resume") ? PETSC_TRUE : PETSC_FALSE;
}

int main(int argc, char **argv)
{
  Arguments      arguments;
  PetscErrorCode code;
  char         **petsc_argv;
  char          *command;
  int            status, stuck;

  OpenStreams();
  SoretLaunchLook();
  SoretRecordStart();
  ParseArguments(argc, argv, &arguments);
  if (IsDone(&arguments, argc, &status)) {
    SoretLaunchEnd();
    FreeArguments(&arguments);
    return status;
  }
  petsc_argv = arguments.petsc;
  code       = PetscInitialize(&arguments.num_petsc, &petsc_argv, NULL, NULL);
  if (code) return SORET_EXIT_INTERNAL;
  PetscCall(PetscPushErrorHandler(HandleError, NULL));
  PetscCall(SoretUseHugePages());
  PetscCall(SoretRecordLog());
  (void)signal(SIGPIPE, SIG_IGN); /* a reader of the log that goes away does not end a run; PETSc would */
  PetscCall(JoinArguments(argc, argv, &command));
  if (!WordsFit(&arguments)) code = SORET_ERR_INPUT;
  else code = Dispatch(&arguments, command);
  status = ExitStatus(code);
  if (OnlyAnswers(&arguments)) status = StatusOfAnswer(status);
  if (status == SORET_EXIT_INTERNAL) (void)MPI_Abort(PETSC_COMM_WORLD, status); /* other ranks may wait for this one */
  stuck = SoretH5IsStuck();
  (void)MPI_Allreduce(MPI_IN_PLACE, &stuck, 1, MPI_INT, MPI_MAX, PETSC_COMM_WORLD);
  if (stuck) {
    (void)fflush(NULL);
    (void)MPI_Barrier(PETSC_COMM_WORLD);
    _exit(status);
  }
  PetscCall(PetscFree(command));
  PetscCall(PetscPopErrorHandler());
  SoretRecordUnlog();
  PetscCall(SilencePETSc());
  PetscCall(PetscFinalize());
  SoretLaunchEnd();
  FreeArguments(&arguments);
  return status;
}
