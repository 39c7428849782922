/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/case.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "case_private.h"
#include "samples.h"
#include "soret/memory.h"

/* ---- the top level ---- */

typedef struct {
  PetscInt         version;
  char            *title;
  int              units;
  SoretOptional    standard_concentration;
  const SoretNode *temperature, *petsc, *flow;
  const SoretNode *other; /* sections that their modules look for themselves */
} TopSpec;

static const SoretKey top_keys[] = {
  {"soret", SORET_INT, NULL, SORET_REQUIRED, SORET_BETWEEN(1, 1), offsetof(TopSpec, version), "version of this format, which is 1"},
  {"title", SORET_STRING, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, title), "one line for logs and pictures"},
  {"units", SORET_CHOICE, NULL, "SI", SORET_ANY, offsetof(TopSpec, units), "`SI`: m, s, K, mol/m^3, J/mol; `reduced`: plain numbers, k_B = R = 1", .choices = "SI|reduced"},
  {"standard_concentration", SORET_REAL, "mol/m^3", SORET_OPTIONAL, SORET_POSITIVE, offsetof(TopSpec, standard_concentration), "c0 of `balance: energies`; 1 in reduced units, required in SI where the number of molecules changes"},
  {"parameters", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, other), "named numbers for formulas", .syntax = "map of name to number"},
  {"domain", SORET_NODE, NULL, SORET_REQUIRED, SORET_ANY, offsetof(TopSpec, other), "the box and its cells", .syntax = "section"},
  {"temperature", SORET_NODE, "K", SORET_REQUIRED, SORET_ANY, offsetof(TopSpec, temperature), "temperature at the cell centres, of x, y, z, t; or `conduction`: the heat equation, solved on the grid", .syntax = "field, or `{conduction: ...}`"},
  {"species", SORET_NODE, NULL, SORET_REQUIRED, SORET_ANY, offsetof(TopSpec, other), "the species", .syntax = "list of maps"},
  {"reactions", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, other), "the reactions", .syntax = "list of maps"},
  {"boundaries", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, other), "conditions on the faces of the box", .syntax = "section"},
  {"totals", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, other), "means of conserved sums", .syntax = "list of maps"},
  {"solve", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, other), "how to solve", .syntax = "section"},
  {"output", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, other), "what to write", .syntax = "section"},
  {"petsc", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, petsc), "PETSc options; the command line wins", .syntax = "map of option to value"},
  {"flow", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, flow), "velocity of the fluid, which carries the species that diffuse", .syntax = "section"},
  {"sweep", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, other), "the case for a list of values of one number", .syntax = "section"},
  {"checkpoint", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, other), "when to save the run so that it can go on", .syntax = "section"},
  {"velocity_states", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, other), "generator of a ladder of discrete velocities with thermalization at T: adds to `species` and `reactions`", .syntax = "section, or a list of them"},
  {.key = NULL}};

static const SoretKey temperature_keys[] = {
  {"conduction", SORET_NODE, NULL, SORET_REQUIRED, SORET_ANY, 0, "the heat equation", .syntax = "map"},
  {.key = NULL}};

static const SoretKey parameter_key   = {"parameter", SORET_REAL, "*", SORET_REQUIRED, SORET_ANY, 0, "a number"};

PetscErrorCode SoretCaseReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "Top level", top_keys));
  PetscCall(SoretGridReference(out));
  PetscCall(SoretHeatReference(out));
  PetscCall(SoretFlowReference(out));
  PetscCall(SoretStokesReference(out));
  PetscCall(SoretModelReference(out));
  PetscCall(SoretVelocityReference(out));
  PetscCall(SoretBoundaryReference(out));
  PetscCall(SoretTotalsReference(out));
  PetscCall(SoretSolveReference(out));
  PetscCall(SoretOutputReference(out));
  PetscCall(SoretCheckpointReference(out));
  PetscCall(SoretSweepReference(out));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- reading ---- */

enum {
  MOST_FRAMES     = 1000000, /* of a result file                                       */
  MOST_PARAMETERS = 10000    /* they are looked up one by one                          */
};

/* Before all other values, which need to know; a wrong one is reported with the other keys. */
static PetscErrorCode ReadUnits(SoretInput in, const SoretNode *node)
{
  PetscFunctionBegin;
  PetscCall(SoretInputSetReduced(in, node && !strcmp(node->text, "reduced") ? PETSC_TRUE : PETSC_FALSE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadParameters(SoretInput in, const SoretNode *map)
{
  PetscInt num;

  PetscFunctionBegin;
  PetscCall(SoretInputEntries(in, map, SORET_NODE_MAP, "'parameters' must be a map of name to number", &num));
  if (num > MOST_PARAMETERS) PetscCall(SoretInputError(in, map, "%" PetscInt_FMT " parameters are more than %d", num, MOST_PARAMETERS));
  for (PetscInt k = 0; k < num && num <= MOST_PARAMETERS; k++) {
    const char *taken = SoretExprNameTaken(map->key[k]->text);
    PetscReal   value;
    PetscBool   ok;

    if (taken) {
      PetscCall(SoretInputError(in, map->key[k], "'%s' cannot be the name of a parameter: %s", map->key[k]->text, taken));
      continue;
    }
    PetscCall(SoretInputReadValue(in, map->item[k], &parameter_key, &value, &ok));
    /* a bad one is defined all the same: its uses are no mistakes of their own */
    PetscCall(SoretInputDefine(in, map->key[k]->text, ok ? value : 1.0));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is there a use of the parameter? To vary one in a sweep is none, nor is a word of the title. */
static PetscBool IsUsed(const SoretNode *root, const char *name)
{
  for (PetscInt k = 0; k < root->size; k++) {
    if (strcmp(root->key[k]->text, "sweep") && strcmp(root->key[k]->text, "title") && SoretNodeMentions(root->item[k], name)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

PetscErrorCode SoretCaseWarnOfUnused(MPI_Comm comm, const SoretCase *c)
{
  const SoretNode *root = SoretInputRoot(c->in), *map = SoretNodeFind(root, "parameters");

  PetscFunctionBegin;
  for (PetscInt k = 0; map && k < map->size; k++) {
    if (!IsUsed(root, map->key[k]->text)) PetscCall(SoretSay(comm, "warning: no formula uses the parameter '%s' of %s\n", map->key[k]->text, c->path));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A field that is one number can be judged without the grid. */
static PetscBool IsNumber(SoretField field, PetscReal *value)
{
  static const SoretPoint origin = {.T = 1.0};

  if (!field || SoretFieldUses(field)) return PETSC_FALSE;
  *value = SoretFieldEvaluate(field, &origin);
  return PETSC_TRUE;
}

/* Initial concentrations; formulas may use the temperature. */
static PetscErrorCode ReadInitial(SoretCase *c)
{
  PetscReal value;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(PetscMax(c->model.num_species, 1), &c->initial));
  for (PetscInt s = 0; s < c->model.num_species; s++) {
    if (!c->model.species[s].initial) PetscCall(SoretFieldCreateConstant(0.0, &c->initial[s]));
    else PetscCall(SoretFieldRead(c->in, c->model.species[s].initial, "mol/m^3", SORET_VAR_SPACE | SORET_VAR_TEMPERATURE, &c->initial[s]));
    if (IsNumber(c->initial[s], &value) && value < 0.0) PetscCall(SoretInputError(c->in, c->model.species[s].initial, "'initial' must be at least 0, found %g", (double)value));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A field, or the heat equation. */
static PetscErrorCode ReadTemperature(SoretCase *c, const SoretNode *node)
{
  const SoretNode *conduction;
  PetscReal        T;

  PetscFunctionBegin;
  if (!node) PetscFunctionReturn(PETSC_SUCCESS); /* reported */
  if (SoretNodeFind(node, "conduction")) {
    PetscCall(SoretInputReadMap(c->in, node, node, "section 'temperature'", temperature_keys, &conduction));
    PetscCall(SoretHeatSpecRead(c->in, conduction, &c->grid, &c->heat));
    c->conducts = PETSC_TRUE;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretFieldRead(c->in, node, "K", SORET_VAR_SPACE_TIME, &c->temperature));
  if (IsNumber(c->temperature, &T) && T <= 0.0) PetscCall(SoretInputError(c->in, node, "'temperature' must be positive, found %g", (double)T));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Result file named after the case: "runs/dimer.yaml" gives "dimer.h5". */
static PetscErrorCode DefaultFile(SoretCase *c)
{
  const char *slash = strrchr(c->path, '/'), *base = slash ? slash + 1 : c->path, *dot = strrchr(base, '.');
  char        name[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  if (c->output.file && (!c->output.file[0] || c->output.file[strlen(c->output.file) - 1] == '/')) PetscCall(SoretInputError(c->in, SoretNodeFind(SoretNodeFind(SoretInputRoot(c->in), "output"), "file"), "'%s' is not the name of a file", c->output.file));
  if (!c->output.file) {
    PetscCall(PetscStrncpy(name, base, dot && dot > base ? PetscMin((size_t)(dot - base) + 1, sizeof(name) - 4) : sizeof(name) - 4));
    PetscCall(SoretAppend(name, ".h5", sizeof(name)));
    PetscCall(PetscStrallocpy(name, &c->output.file));
  } else PetscCall(PetscStrallocpy(c->output.file, &c->output.file));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Checkpoints named after the result: "dimer.h5" gives "dimer". */
static PetscErrorCode DefaultPrefix(SoretCase *c)
{
  const char *given = c->checkpoint.prefix;
  size_t      n     = strlen(given ? given : c->output.file);

  PetscFunctionBegin;
  if (!given && n > 3 && !strcmp(c->output.file + n - 3, ".h5")) n -= 3;
  PetscCall(PetscCalloc1(n + 1, &c->checkpoint.prefix));
  PetscCall(PetscArraycpy(c->checkpoint.prefix, given ? given : c->output.file, n));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* PETSc would take a list for nothing, and stop at a name that it cannot read. */
static PetscErrorCode CheckOptions(SoretInput in, const SoretNode *map)
{
  PetscInt num;

  PetscFunctionBegin;
  PetscCall(SoretInputEntries(in, map, SORET_NODE_MAP, "'petsc' must be a map of option to value, as in {ksp_type: gmres}", &num));
  for (PetscInt k = 0; k < num; k++) {
    const char *name = map->key[k]->text + (map->key[k]->text[0] == '-' ? 1 : 0);

    if (!SoretIsIdentifier(name)) PetscCall(SoretInputError(in, map->key[k], "'%s' is not the name of a PETSc option, such as ksp_type", map->key[k]->text));
    if (map->item[k]->kind != SORET_NODE_SCALAR) PetscCall(SoretInputError(in, map->item[k], "the value of the option '%s' must be a text or a number", map->key[k]->text));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Option k as PETSc takes it: a switch that is on has no value. given: it is known already, and wins, as on the command line */
static PetscErrorCode GetOption(const SoretNode *map, PetscInt k, size_t length, char name[], const char **value, PetscBool *given)
{
  const char *key = map->key[k]->text, *text = map->item[k]->text;

  PetscFunctionBegin;
  *value = text[0] && strcmp(text, "true") ? text : NULL;
  PetscCall(PetscSNPrintf(name, length, "%s%s", key[0] == '-' ? "" : "-", key));
  PetscCall(PetscOptionsHasName(NULL, NULL, name, given));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Values that PETSc would stop at when the solvers are made. */
static PetscErrorCode TryOptions(const SoretCase *c)
{
  char complaint[1024], name[256];

  PetscFunctionBegin;
  for (PetscInt k = 0; c->petsc && k < c->petsc->size; k++) {
    const SoretNode *item = c->petsc->item[k];
    const char      *value;
    PetscBool        given;

    if (item->kind != SORET_NODE_SCALAR) continue;
    PetscCall(GetOption(c->petsc, k, sizeof(name), name, &value, &given));
    if (given) continue;
    PetscCall(SoretSolveTryOption(c->petsc->key[k]->text, value, (SoretMode)c->solve.mode, sizeof(complaint), complaint));
    if (complaint[0]) PetscCall(SoretInputError(c->in, item, "%s", complaint));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* An option as the run will have it: "" where it has none. */
typedef struct {
  const SoretNode *item; /* in the map `petsc`; NULL elsewhere, which wins */
  char             value[64];
} Option;

static PetscErrorCode FindOption(const SoretCase *c, const char *name, Option *option)
{
  char      dashed[64];
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(option, sizeof(*option)));
  (void)snprintf(dashed, sizeof(dashed), "-%s", name);
  PetscCall(PetscOptionsGetString(NULL, NULL, dashed, option->value, sizeof(option->value), &given));
  if (given) PetscFunctionReturn(PETSC_SUCCESS);
  option->item = SoretNodeFind(c->petsc, name);
  if (!option->item) option->item = SoretNodeFind(c->petsc, dashed);
  if (option->item && option->item->kind == SORET_NODE_SCALAR) PetscCall(PetscStrncpy(option->value, option->item->text, sizeof(option->value)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Schemes of PETSc that do not estimate their error take steps that somebody else chooses. */
static PetscErrorCode CheckSteps(const SoretCase *c)
{
  static const struct {
    const char *option, *without;
  } known[] = {
    {"ts_rosw_type",    " theta1 theta2 "     },
    {"ts_arkimex_type", " ars443 prssp2 bpr3 "}
  };
  Option adapt, type;

  PetscFunctionBegin;
  PetscCall(FindOption(c, "ts_adapt_type", &adapt));
  if (c->solve.mode != SORET_TRANSIENT || !strcmp(adapt.value, "none")) PetscFunctionReturn(PETSC_SUCCESS);
  for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
    char word[sizeof(type.value) + 2];

    PetscCall(FindOption(c, known[k].option, &type));
    (void)snprintf(word, sizeof(word), " %s ", type.value);
    if (type.value[0] && strstr(known[k].without, word)) PetscCall(SoretInputError(c->in, type.item, "-%s %s does not estimate its error, by which steps are chosen; -ts_adapt_type none makes all as long as solve.first_step%s", known[k].option, type.value, type.item ? "" : " (command line, PETSC_OPTIONS, .petscrc or -options_file)"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Species that do not diffuse are not stopped by solid, nor carried by the fluid. */
static PetscErrorCode RefuseBallistic(SoretCase *c)
{
  PetscFunctionBegin;
  if (!SoretModelHasBallistic(&c->model)) PetscFunctionReturn(PETSC_SUCCESS);
  if (c->grid.solid) PetscCall(SoretInputError(c->in, c->grid.solid, "'solid' is not for ballistic species (velocity without diffusivity) in this version of soret"));
  if (c->flow.node) PetscCall(SoretInputError(c->in, c->flow.node, "a flow carries no ballistic species (velocity without diffusivity) in this version of soret"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Frames that no run would come to; and more of them than anybody wants, where a slip of the unit is likely. */
static PetscErrorCode CheckFrames(const SoretCase *c)
{
  const SoretNode  *node  = SoretNodeFind(SoretInputRoot(c->in), "output");
  const SoretReals *times = &c->output.times;

  PetscFunctionBegin;
  if (c->sweep.given && c->solve.mode == SORET_TRANSIENT) {
    static const char *const keys[] = {"every", "times"};

    for (int k = 0; k < 2; k++) {
      if (SoretNodeFind(node, keys[k])) PetscCall(SoretInputError(c->in, SoretNodeFind(node, keys[k]), "a sweep writes the last state of each point only: '%s' has no place here", keys[k]));
    }
  }
  if (c->solve.mode == SORET_STEADY && c->output.every.given) PetscCall(SoretInputError(c->in, SoretNodeFind(node, "every"), "'every' belongs to `mode: transient`"));
  if (c->solve.mode == SORET_STEADY && times->n) PetscCall(SoretInputError(c->in, SoretNodeFind(node, "times"), "'times' belong to `mode: transient`"));
  if (c->solve.mode == SORET_TRANSIENT && times->n && c->solve.end.given && times->value[times->n - 1] > c->solve.end.value) PetscCall(SoretInputError(c->in, SoretNodeFind(node, "times"), "the run ends at %g, before the last of the times, %g", (double)c->solve.end.value, (double)times->value[times->n - 1]));
  if (c->solve.mode == SORET_TRANSIENT && c->output.every.given && c->solve.end.value / c->output.every.value > MOST_FRAMES) PetscCall(SoretInputError(c->in, SoretNodeFind(node, "every"), "a frame every %g until %g makes %.3g frames, more than %d", (double)c->output.every.value, (double)c->solve.end.value, (double)(c->solve.end.value / c->output.every.value), MOST_FRAMES));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What is conserved as far as the kinds of conditions tell. */
static PetscErrorCode GuessSums(SoretCase *c)
{
  PetscBool open[SORET_MAX_SPECIES];

  PetscFunctionBegin;
  if (SoretInputCountErrors(c->in)) PetscFunctionReturn(PETSC_SUCCESS);
  SoretBoundaryMayOpen(&c->boundary, open);
  PetscCall(SoretSumsFind(c->in, &c->model, NULL, open, &c->totals, NULL, &c->sums));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCaseParse(const char *name, const char *text, size_t length, int num_overrides, char *const overrides[], SoretCase *c)
{
  const SoretNode *root;
  TopSpec          top;
  PetscInt         errors;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(c, sizeof(*c)));
  PetscCall(PetscStrallocpy(name, &c->path));
  PetscCall(SoretInputCreate(name, text, length, &c->in));
  for (int k = 0; k < num_overrides; k++) PetscCall(SoretInputOverride(c->in, overrides[k]));
  root = SoretInputRoot(c->in);
  PetscCall(ReadUnits(c->in, SoretNodeFind(root, "units")));
  PetscCall(ReadParameters(c->in, SoretNodeFind(root, "parameters")));
  if (SoretNodeFind(root, "velocity_states")) PetscCall(SoretInputExtend(c->in, "species", "[]", SoretNodeFind(root, "velocity_states"))); /* there need be no others */
  PetscCall(SoretInputReadMap(c->in, root, root, "the case", top_keys, &top));
  PetscCall(PetscStrallocpy(top.title ? top.title : "", &c->title));
  c->standard_concentration = top.standard_concentration;
  c->petsc                  = top.petsc && top.petsc->kind == SORET_NODE_MAP ? top.petsc : NULL;
  PetscCall(CheckOptions(c->in, top.petsc));
  PetscCall(SoretGridSpecRead(c->in, &c->grid));
  PetscCall(SoretSolidSpecRead(c->in, &c->grid, &c->solid));
  PetscCall(ReadTemperature(c, top.temperature));
  PetscCall(SoretFlowSpecRead(c->in, top.flow, &c->grid, &c->flow));
  if (c->flow.kind == SORET_FLOW_BOUSSINESQ) PetscCall(SoretStokesSpecRead(c->in, c->flow.boussinesq, &c->grid, &c->stokes));
  errors = SoretInputCountErrors(c->in);
  PetscCall(SoretVelocityGenerate(c->in, c->grid.dim, &c->velocity));
  /* without all its species everything that names one would be a mistake */
  if (SoretInputCountErrors(c->in) == errors) PetscCall(SoretModelRead(c->in, c->grid.dim, c->standard_concentration, &c->model));
  PetscCall(ReadInitial(c));
  PetscCall(SoretBoundarySpecRead(c->in, &c->grid, &c->model, &c->boundary));
  PetscCall(SoretTotalsRead(c->in, &c->model, &c->totals));
  PetscCall(SoretSolveSpecRead(c->in, &c->solve));
  if (c->conducts) PetscCall(SoretHeatSpecSetMode(c->in, c->solve.mode == SORET_TRANSIENT ? PETSC_TRUE : PETSC_FALSE, &c->heat));
  c->heat.longest_step = SoretSolveLongestStep(&c->solve, c->heat.varies);
  PetscCall(SoretOutputSpecRead(c->in, &c->output));
  PetscCall(SoretSweepSpecRead(c->in, &c->sweep));
  PetscCall(DefaultFile(c));
  PetscCall(SoretCheckpointSpecRead(c->in, &c->checkpoint));
  PetscCall(DefaultPrefix(c));
  PetscCall(CheckFrames(c));
  if (c->solve.mode == SORET_TRANSIENT && c->totals.num) PetscCall(SoretInputError(c->in, c->totals.total[0].node, "'totals' belong to steady runs: a transient run keeps the totals of its initial state"));
  PetscCall(GuessSums(c));
  PetscCall(SoretCaseTryFormulas(c));
  PetscCall(RefuseBallistic(c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- memory ---- */

PetscErrorCode SoretCaseEstimateMemory(const SoretCase *c, PetscReal *bytes, const char **method)
{
  const PetscReal cells = (PetscReal)c->grid.n[0] * (PetscReal)c->grid.n[1] * (PetscReal)c->grid.n[2], before = SORET_PROGRAM_BYTES + 16.0 * cells; /* T, what is solid */
  PetscReal       stays, solving;
  PetscBool       again;

  PetscFunctionBegin;
  PetscCall(SoretSolveEstimateMemory(&c->solve, &c->grid, &c->model, c->flow.kind == SORET_FLOW_NONE ? PETSC_FALSE : PETSC_TRUE, bytes, method));
  *bytes += SoretOutputWorkBytes(&c->output, &c->grid);
  if (c->flow.kind == SORET_FLOW_BOUSSINESQ) *bytes += SoretStokesBytes(&c->grid);
  if (!c->conducts) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretHeatEstimateMemory(&c->heat, &c->grid, &stays, &solving, &again));
  *bytes = stays + (again ? *bytes + solving : PetscMax(*bytes, before + solving));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckSize(MPI_Comm comm, SoretCase *c)
{
  const SoretNode *cells = SoretNodeFind(SoretNodeFind(SoretInputRoot(c->in), "domain"), "cells");
  const PetscReal  unknowns = (PetscReal)c->grid.n[0] * (PetscReal)c->grid.n[1] * (PetscReal)c->grid.n[2] * (PetscReal)c->model.num_species;
  PetscReal        need, have;
  const char      *method, *allows;
  PetscMPIInt      ranks;
  char             why[256];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(SoretCaseEstimateMemory(c, &need, &method));
  PetscCall(SoretMemoryAllowed(comm, &have, &allows));
  if (need > have) PetscCall(SoretInputError(c->in, cells, "%.4g unknowns need about %.3g GiB of memory (%s); %s %.3g GiB. Use fewer cells, or more memory or nodes", (double)unknowns, (double)(need / 1073741824.0), method, allows, (double)(have / 1073741824.0)));
  else if (unknowns > (PetscReal)PETSC_MAX_INT / 8.0 && sizeof(PetscInt) == 4) PetscCall(SoretInputError(c->in, cells, "%.4g unknowns are more than 32-bit indices reach (%.3g); use a PETSc with 64-bit indices (Debian: libpetsc64-real-dev)", (double)unknowns, (double)PETSC_MAX_INT / 8.0));
  else if (!SoretGridFits(&c->grid, ranks, SoretModelWidth(&c->model), sizeof(why), why)) PetscCall(SoretInputError(c->in, cells, "%s", why));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscBool IsSameFile(const char *a, const char *b)
{
  struct stat A, B;

  return !stat(a, &A) && !stat(b, &B) && A.st_dev == B.st_dev && A.st_ino == B.st_ino ? PETSC_TRUE : PETSC_FALSE;
}

static PetscBool IsFieldFile(const char *path, SoretField field)
{
  return SoretFieldPath(field) && IsSameFile(path, SoretFieldPath(field)) ? PETSC_TRUE : PETSC_FALSE;
}

enum {
  NUM_OTHER_FIELDS = 7
};

/* What may come from a file, from 0: what the species have in common, then the initial state of each. */
static SoretField FieldOf(const SoretCase *c, PetscInt k)
{
  const SoretField other[NUM_OTHER_FIELDS] = {c->temperature, c->heat.source, c->heat.initial, c->solid.field, c->flow.velocity[0], c->flow.velocity[1], c->flow.velocity[2]};

  return k < NUM_OTHER_FIELDS ? other[k] : c->initial[k - NUM_OTHER_FIELDS];
}

/* Is this one of the files that the case is read from? */
static PetscBool IsInput(const SoretCase *c, const char *path)
{
  PetscBool is = IsSameFile(path, c->path);

  for (PetscInt k = 0; k < NUM_OTHER_FIELDS + c->model.num_species; k++) is = is || IsFieldFile(path, FieldOf(c, k)) ? PETSC_TRUE : PETSC_FALSE;
  return is;
}

/* Even who may overwrite results does not mean what a case is made of. */
static PetscErrorCode CheckOutputIsNoInput(MPI_Comm comm, SoretCase *c)
{
  const SoretNode *node = SoretNodeFind(SoretNodeFind(SoretInputRoot(c->in), "output"), "file");
  PetscMPIInt      rank;
  int              same = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) same = IsInput(c, c->output.file);
  PetscCallMPI(MPI_Bcast(&same, 1, MPI_INT, 0, comm));
  if (same) PetscCall(SoretInputError(c->in, node ? node : SoretInputRoot(c->in), "the result file '%s' is a file that this case is read from", c->output.file));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A file as a line: size and time of change, which tell whether it has changed since, and its full name. */
static void DescribeFile(const char *path, FILE *out)
{
  char       *full = realpath(path, NULL);
  char        date[32];
  struct stat found;
  struct tm   utc;

  if (full && !stat(full, &found) && gmtime_r(&found.st_mtim.tv_sec, &utc) && strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc)) (void)fprintf(out, "%lld bytes of %s.%09ldZ: %s\n", (long long)found.st_size, date, (long)found.st_mtim.tv_nsec, full);
  free(full);
}

PetscErrorCode SoretCaseDescribeFiles(MPI_Comm comm, const SoretCase *c, char **lines)
{
  const char *last = NULL; /* species often share one */
  char       *text = NULL;
  size_t      length;
  FILE       *out;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  out = rank == 0 ? open_memstream(&text, &length) : NULL;
  for (PetscInt k = 0; out && k < NUM_OTHER_FIELDS + c->model.num_species; k++) {
    const char *path = SoretFieldPath(FieldOf(c, k));

    if (!path || (last && !strcmp(path, last))) continue;
    DescribeFile(path, out);
    last = path;
  }
  if (out) (void)fclose(out);
  PetscCall(PetscStrallocpy(text ? text : "", lines));
  free(text);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCaseWarnOfChanged(MPI_Comm comm, const char *before, const char *now)
{
  PetscFunctionBegin;
  for (const char *line = now, *end; (end = strchr(line, '\n')); line = end + 1) {
    const char *name = strstr(line, ": ");
    char        whole[PETSC_MAX_PATH_LEN + 128];
    const char *there, *begin;

    if (!name || (size_t)(end - line) + 2 > sizeof(whole)) continue;
    (void)snprintf(whole, sizeof(whole), "%.*s", (int)(end + 1 - line), line);
    there = strstr(before, whole + (name - line));
    if (!there || strstr(before, whole) || strstr(now, whole) < line) continue;
    for (begin = there; begin > before && begin[-1] != '\n';) begin--;
    PetscCall(SoretSay(comm, "warning: '%.*s' has changed since the run that goes on read it (%.*s then, now %.*s): from here on it is computed with what is there now. If that is not meant, stop, put the old file back, and go on from the same generation\n", (int)(end - name) - 2, name + 2, (int)(there - begin), begin, (int)(name - line), line));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCaseRead(MPI_Comm comm, const SoretCaseSource *source, SoretCase *c)
{
  char  *text;
  size_t length;

  PetscFunctionBegin;
  if (source->text) {
    PetscCall(PetscStrallocpy(source->text, &text));
    length = strlen(text);
  } else PetscCall(SoretInputReadFile(comm, source->path, &text, &length));
  PetscCall(SoretCaseParse(source->path, text, length, source->num_overrides, source->overrides, c));
  c->text = text;
  PetscCall(TryOptions(c));
  PetscCall(CheckSteps(c));
  if (!SoretInputCountErrors(c->in)) {
    PetscCall(SoretFieldCheck(c->in, comm, c->grid.dim, c->temperature));
    PetscCall(SoretHeatCheck(c->in, comm, c->grid.dim, &c->heat));
    PetscCall(SoretFieldCheck(c->in, comm, c->grid.dim, c->solid.field));
    PetscCall(SoretFlowCheck(c->in, comm, c->grid.dim, &c->flow));
    for (PetscInt s = 0; s < c->model.num_species; s++) PetscCall(SoretFieldCheck(c->in, comm, c->grid.dim, c->initial[s]));
    PetscCall(CheckOutputIsNoInput(comm, c));
    PetscCall(CheckSize(comm, c));
  }
  PetscCall(SoretInputCheck(c->in, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCaseDestroy(SoretCase *c)
{
  PetscFunctionBegin;
  PetscCall(SoretSumsDestroy(&c->sums));
  PetscCall(SoretTotalsDestroy(&c->totals));
  PetscCall(SoretBoundarySpecDestroy(&c->boundary));
  for (PetscInt s = 0; c->initial && s < c->model.num_species; s++) PetscCall(SoretFieldDestroy(&c->initial[s]));
  PetscCall(PetscFree(c->initial));
  PetscCall(SoretModelDestroy(&c->model));
  PetscCall(SoretVelocityDestroy(&c->velocity));
  PetscCall(SoretFieldDestroy(&c->temperature));
  PetscCall(SoretHeatSpecDestroy(&c->heat));
  PetscCall(SoretSolidSpecDestroy(&c->solid));
  PetscCall(SoretFlowSpecDestroy(&c->flow));
  PetscCall(SoretGridSpecDestroy(&c->grid));
  PetscCall(PetscFree(c->output.file));
  PetscCall(PetscFree(c->checkpoint.prefix));
  PetscCall(PetscFree(c->title));
  PetscCall(PetscFree(c->path));
  PetscCall(PetscFree(c->text));
  PetscCall(SoretInputDestroy(&c->in));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCaseInsertOptions(const SoretCase *c)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; c->petsc && k < c->petsc->size; k++) {
    char        name[256];
    const char *value;
    PetscBool   given;

    PetscCall(GetOption(c->petsc, k, sizeof(name), name, &value, &given));
    if (!given) PetscCall(PetscOptionsSetValue(NULL, name, value));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- building ---- */

/* The first value of a row of cells that is no concentration, as a message. */
static void CheckInitial(const SoretCase *c, const SoretGrid *grid, PetscInt s, PetscInt row, const PetscReal value[], size_t length, char trouble[])
{
  for (PetscInt i = 0; i < grid->count[0] && !*trouble; i++) {
    const PetscInt p = row * grid->count[0] + i;

    if (SoretGridIsSolid(grid, p) || (value[i] >= 0.0 && isfinite(value[i]))) continue;
    (void)snprintf(trouble, length, "soret: the initial concentration of species '%s' is %g in cell (%" PetscInt_FMT ", %" PetscInt_FMT ", %" PetscInt_FMT "), counted from 0; it must be finite and not negative\n", c->model.species[s].name, (double)value[i], grid->start[0] + i, grid->start[1] + row % grid->count[1], grid->start[2] + row / grid->count[1]);
  }
}

/* A species in a row of cells; value - [cells of a row] work. */
static void FillInitialRow(const SoretCase *c, const SoretProblem *problem, PetscInt s, PetscInt row, PetscReal value[], PetscReal x[], size_t length, char trouble[])
{
  const SoretGrid *grid = &problem->grid;
  const PetscInt   ns = c->model.num_species, nx = grid->count[0];
  int              good = 1;

  SoretFieldFillRow(c->initial[s], grid, row, 0.0, problem->temperature.T + row * nx, value);
  for (PetscInt i = 0; i < nx; i++) good &= value[i] >= 0.0 && value[i] <= PETSC_MAX_REAL;
  if (!good) CheckInitial(c, grid, s, row, value, length, trouble);
  for (PetscInt i = 0; i < nx; i++) x[(row * nx + i) * ns + s] = SoretGridIsSolid(grid, row * nx + i) ? 0.0 : value[i];
}

/* Formulas row by row, for which memory is passed once; datasets, which may be finer than the grid, one after the other, each of them freed before the next. */
static PetscErrorCode FillInitial(SoretCase *c, SoretProblem *problem)
{
  const PetscInt rows = problem->grid.count[1] * problem->grid.count[2];
  PetscReal     *x, *value;
  char           trouble[256] = "";

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(problem->grid.count[0], &value));
  PetscCall(VecGetArray(problem->c, &x));
  for (PetscInt row = 0; row < rows; row++) {
    for (PetscInt s = 0; s < c->model.num_species; s++) {
      if (!SoretFieldPath(c->initial[s])) FillInitialRow(c, problem, s, row, value, x, sizeof(trouble), trouble);
    }
  }
  for (PetscInt s = 0; s < c->model.num_species; s++) {
    if (!SoretFieldPath(c->initial[s])) continue;
    PetscCall(SoretFieldPrepare(c->initial[s], &problem->grid, 0.0));
    for (PetscInt row = 0; row < rows; row++) FillInitialRow(c, problem, s, row, value, x, sizeof(trouble), trouble);
    PetscCall(SoretFieldRelease(c->initial[s]));
  }
  PetscCall(VecRestoreArray(problem->c, &x));
  PetscCall(PetscFree(value));
  PetscCall(SoretFailTogether(problem->grid.comm, trouble));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateFlow(SoretCase *c, SoretProblem *problem)
{
  PetscFunctionBegin;
  if (c->flow.kind == SORET_FLOW_NONE) PetscFunctionReturn(PETSC_SUCCESS);
  if (c->flow.kind == SORET_FLOW_BOUSSINESQ) {
    PetscCall(SoretStokesCreate(&c->stokes, &problem->grid, &problem->temperature, &problem->stokes));
    PetscCall(SoretFlowCreateFilled(&problem->grid, SoretStokesFill, problem->stokes, problem->temperature.varies, 0.0, &problem->flow));
  } else PetscCall(SoretFlowCreate(&problem->grid, &c->flow, 0.0, &problem->flow));
  problem->boundary.flow = &problem->flow;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What is conserved in a steady run, seen from the coefficients of walls and reactions, and from what there is: reactions that lack a catalyst do not run, and
   without them more is conserved. */
static PetscErrorCode FindSteadySums(SoretCase *c, SoretProblem *problem)
{
  SoretSums known = c->sums;
  PetscBool open[SORET_MAX_SPECIES], idle[SORET_MAX_REACTIONS];

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&c->sums, sizeof(c->sums)));
  PetscCall(SoretBoundaryFindOpen(&problem->boundary, open));
  PetscCall(SoretSumsFindIdle(&problem->op, idle));
  do {
    PetscCall(SoretSumsDestroy(&c->sums));
    PetscCall(SoretSumsFind(c->in, &c->model, idle, open, &c->totals, &known, &c->sums));
    PetscCall(SoretSumsKeep(&c->sums, &problem->op, problem->c, PETSC_TRUE));
  } while (SoretSumsAddIdle(&c->sums, &c->model.network, idle));
  c->other_sums = c->sums.num != known.num ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt k = 0; k < known.num && !c->other_sums; k++) c->other_sums = strcmp(known.name[k], c->sums.name[k]) ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(SoretSumsDestroy(&known));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretProblemCreate(MPI_Comm comm, SoretCase *c, SoretProblem *problem)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(problem, sizeof(*problem)));
  PetscCall(SoretGridCreate(comm, &c->grid, SoretModelWidth(&c->model), &problem->grid));
  PetscCall(SoretSolidApply(&c->solid, &problem->grid));
  if (c->conducts) {
    PetscCall(SoretHeatCreate(&c->heat, &problem->grid, &problem->heat));
    PetscCall(SoretTemperatureCreateFilled(&problem->grid, SoretHeatFill, problem->heat, c->heat.varies, 0.0, &problem->temperature));
  } else PetscCall(SoretTemperatureCreate(&problem->grid, c->temperature, 0.0, &problem->temperature));
  PetscCall(SoretBoundaryCreate(&c->boundary, &c->model, &problem->grid, &problem->boundary));
  PetscCall(CreateFlow(c, problem));
  PetscCall(SoretOperatorCreate(&c->model, &problem->grid, &problem->temperature, &problem->boundary, &problem->op));
  PetscCall(SoretOperatorCreateVector(&problem->op, &problem->c));
  PetscCall(FillInitial(c, problem));
  PetscCall(SoretOperatorSetTime(&problem->op, 0.0));
  if (c->solve.mode == SORET_STEADY) PetscCall(FindSteadySums(c, problem));
  else PetscCall(SoretSumsKeep(&c->sums, &problem->op, problem->c, PETSC_FALSE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Adds a line to the notes; what is too long for them is cut. */
static void AddNote(size_t length, char notes[], const char *format, ...) PETSC_ATTRIBUTE_FORMAT(3, 4);
static void AddNote(size_t length, char notes[], const char *format, ...)
{
  const size_t n = strlen(notes);
  va_list      list;

  va_start(list, format);
  (void)vsnprintf(notes + n, length - n, format, list);
  va_end(list);
}

/* Datasets of any resolution are taken, also those with x in front: where they have the cells of the box the wrong way round that is told. */
static void NoteExchangedAxes(const SoretCase *c, size_t length, char notes[])
{
  const PetscInt dim = c->grid.dim;

  for (PetscInt k = 0; k < NUM_OTHER_FIELDS + c->model.num_species; k++) {
    const SoretField field = FieldOf(c, k);
    PetscInt         n[3];
    PetscBool        same = PETSC_TRUE, reverse = PETSC_TRUE;

    if (!SoretFieldResolution(field, n)) continue;
    for (PetscInt axis = 0; axis < dim; axis++) {
      if (n[axis] != c->grid.n[axis]) same = PETSC_FALSE;
      if (n[axis] != c->grid.n[dim - 1 - axis]) reverse = PETSC_FALSE;
    }
    if (reverse && !same) AddNote(length, notes, "warning: the dataset of '%s' in '%s' has the cells of the box the wrong way round, %" PetscInt_FMT " along x: it is read as %s, x fastest\n", SoretFieldNode(field)->label, SoretFieldPath(field), n[0], dim == 2 ? "[ny][nx]" : "[nz][ny][nx]");
  }
}

PetscErrorCode SoretCaseSayNotes(MPI_Comm comm, const SoretCase *c, const SoretProblem *problem, char **told)
{
  const SoretTemperature *temperature = &problem->temperature;
  const PetscInt          ns          = c->model.num_species;
  PetscBool               open[SORET_MAX_SPECIES];
  PetscReal               most = 0.0;
  char                    notes[16384];

  PetscFunctionBegin;
  if (!told) {
    PetscCall(SoretSolidReport(&c->solid, &problem->grid));
    if (problem->boundary.flow) PetscCall(SoretFlowReport(&problem->flow));
  }
  PetscCall(SoretOperatorDescribePeclet(&problem->op, sizeof(notes), notes));
  NoteExchangedAxes(c, sizeof(notes), notes);
  SoretBoundaryMayOpen(&c->boundary, open);
  for (PetscInt q = 0; q < c->sums.num_global * ns; q++) {
    if (c->sums.w[q] != 0.0 && open[q % ns] && !c->sums.fed[q / ns]) AddNote(sizeof(notes), notes, "note: nothing passes where conditions let species '%s' in or out (solid, no flow, or a transfer coefficient of 0): %s keeps its mean\n", c->model.species[q % ns].name, c->sums.name[q / ns]);
  }
  for (PetscInt k = 0; k < c->sums.num_global; k++) most = PetscMax(most, PetscAbsReal(c->sums.mean[k]));
  for (PetscInt k = 0; k < c->sums.num_global && c->solve.mode == SORET_STEADY; k++) {
    const PetscReal mean = PetscAbsReal(c->sums.mean[k]);

    if (mean > 0.0 && mean < 1.0e-14 * most) AddNote(sizeof(notes), notes, "warning: %s = %g is rounding error beside %g of another sum: how it is spread may be wrong in a steady state; solve it in a case of its own, or with `mode: transient`\n", c->sums.name[k], (double)mean, (double)most);
  }
  if (c->solve.mode == SORET_STEADY && problem->op.varies) AddNote(sizeof(notes), notes, "warning: T, a rate, a wall or the flow depends on time, of which a steady run takes the values at t = 0; `mode: transient` follows it\n");
  for (PetscInt s = 0; s < ns; s++) {
    if (c->model.species[s].diffuses && SoretLawExtrapolatesWater(c->model.species[s].diffusivity, temperature->min, temperature->max)) AddNote(sizeof(notes), notes, "warning: the viscosity of water is known from %g to %g K; for species '%s' it is extrapolated to T from %g to %g\n", SORET_WATER_COLDEST, SORET_WATER_HOTTEST, c->model.species[s].name, (double)temperature->min, (double)temperature->max);
  }
  if (!told || !*told || strcmp(*told, notes)) PetscCall(SoretSay(comm, "%s", notes));
  if (!told) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree(*told));
  PetscCall(PetscStrallocpy(notes, told));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCaseRefuseOtherSums(MPI_Comm comm, const SoretCase *c)
{
  PetscFunctionBegin;
  if (!c->other_sums) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretComplain(comm, "soret: nothing passes at some walls, or a reaction runs nowhere, so that other sums are conserved than elsewhere along the sweep (%s is one); a sweep has one table for all: leave such a value out, also where the parameter is set\n", c->sums.name[0]));
  PetscFunctionReturn(SORET_ERR_INPUT);
}

PetscErrorCode SoretProblemDestroy(SoretProblem *problem)
{
  PetscFunctionBegin;
  PetscCall(VecDestroy(&problem->c));
  PetscCall(SoretOperatorDestroy(&problem->op));
  PetscCall(SoretBoundaryDestroy(&problem->boundary));
  PetscCall(SoretFlowDestroy(&problem->flow));
  PetscCall(SoretStokesDestroy(&problem->stokes));
  PetscCall(SoretTemperatureDestroy(&problem->temperature));
  PetscCall(SoretHeatDestroy(&problem->heat));
  PetscCall(SoretGridDestroy(&problem->grid));
  PetscFunctionReturn(PETSC_SUCCESS);
}
