/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/case.h"

#include <math.h>
#include <stddef.h>
#include <unistd.h>

/* ---- the top level ---- */

typedef struct {
  PetscInt         version;
  char            *title;
  int              units;
  SoretOptional    standard_concentration;
  const SoretNode *section[20];
} TopSpec;

#define SECTION(i) offsetof(TopSpec, section) + (i) * sizeof(const SoretNode *)
static const SoretKey top_keys[] = {
  {"soret", SORET_INT, NULL, SORET_REQUIRED, SORET_BETWEEN(1, 1), offsetof(TopSpec, version), "version of this format"},
  {"title", SORET_STRING, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(TopSpec, title), "one line for logs and pictures"},
  {"units", SORET_CHOICE, NULL, "SI", SORET_ANY, offsetof(TopSpec, units), "`SI`: m, s, K, mol/m^3, J/mol; `reduced`: plain numbers, k_B = R = 1", .choices = "SI|reduced"},
  {"standard_concentration", SORET_REAL, "mol/m^3", SORET_OPTIONAL, SORET_POSITIVE, offsetof(TopSpec, standard_concentration), "c0 of `balance: energies`; 1 in reduced units, required in SI where the number of molecules changes"},
  {"parameters", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, SECTION(0), "named numbers for formulas", .syntax = "map of name to number"},
  {"domain", SORET_NODE, NULL, SORET_REQUIRED, SORET_ANY, SECTION(1), "the box and its cells", .syntax = "section"},
  {"temperature", SORET_NODE, "K", SORET_REQUIRED, SORET_ANY, SECTION(2), "temperature at the cell centres, of x, y, z, t", .syntax = "field"},
  {"species", SORET_NODE, NULL, SORET_REQUIRED, SORET_ANY, SECTION(3), "the species", .syntax = "list of maps"},
  {"reactions", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, SECTION(4), "the reactions", .syntax = "list of maps"},
  {"boundaries", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, SECTION(5), "conditions on the faces of the box", .syntax = "section"},
  {"totals", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, SECTION(6), "means of conserved sums", .syntax = "list of maps"},
  {"solve", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, SECTION(7), "how to solve", .syntax = "section"},
  {"output", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, SECTION(8), "what to write", .syntax = "section"},
  {"petsc", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, SECTION(9), "PETSc options; the command line wins", .syntax = "map of option to value"},
  {"flow", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, SECTION(10), "not in this version", .syntax = "-"},
  {"sweep", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, SECTION(11), "not in this version", .syntax = "-"},
  {"checkpoint", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, SECTION(12), "when to save the run so that it can go on", .syntax = "section"},
  {"velocity_states", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, SECTION(13), "not in this version", .syntax = "-"},
  {.key = NULL}};

static const SoretKey parameter_key   = {"parameter", SORET_REAL, "*", SORET_REQUIRED, SORET_ANY, 0, "a number"};

PetscErrorCode SoretCaseReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "Top level", top_keys));
  PetscCall(SoretGridReference(out));
  PetscCall(SoretModelReference(out));
  PetscCall(SoretBoundaryReference(out));
  PetscCall(SoretTotalsReference(out));
  PetscCall(SoretSolveReference(out));
  PetscCall(SoretOutputReference(out));
  PetscCall(SoretCheckpointReference(out));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- reading ---- */

enum {
  MOST_FRAMES     = 1000000, /* of a result file                                       */
  MOST_PARAMETERS = 10000    /* they are looked up one by one                          */
};

static PetscErrorCode ReadParameters(SoretInput in, const SoretNode *map)
{
  PetscFunctionBegin;
  if (!map || SoretNodeIsNull(map)) PetscFunctionReturn(PETSC_SUCCESS);
  if (map->kind != SORET_NODE_MAP) {
    PetscCall(SoretInputError(in, map, "'parameters' must be a map of name to number"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (map->size > MOST_PARAMETERS) {
    PetscCall(SoretInputError(in, map, "%" PetscInt_FMT " parameters are more than %d", map->size, MOST_PARAMETERS));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt k = 0; k < map->size; k++) {
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

static PetscErrorCode DefineLengths(SoretInput in, const SoretGridSpec *grid)
{
  static const char *const names[] = {"Lx", "Ly", "Lz"};

  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) PetscCall(SoretInputDefine(in, names[axis], grid->size[axis]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscBool IsFormula(SoretField field)
{
  const SoretNode *node = SoretFieldNode(field);

  return field && (!node || node->kind == SORET_NODE_SCALAR) ? PETSC_TRUE : PETSC_FALSE;
}

/* A field that is one number can be judged without the grid. */
static PetscBool IsNumber(SoretField field, PetscReal *value)
{
  static const SoretPoint origin = {.T = 1.0};

  if (!IsFormula(field) || SoretFieldUses(field)) return PETSC_FALSE;
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

/* Corners, faces and middle of the box (and more), where formulas are tried before the run: most mistakes of sign show there. */
enum { SAMPLES = 9 };

static PetscReal SampleCoordinate(const SoretGridSpec *grid, int axis, PetscInt i)
{
  const PetscReal h = 0.5 / (PetscReal)grid->n[axis]; /* centres of the outermost cells */

  return axis < grid->dim ? grid->origin[axis] + grid->size[axis] * (h + (1.0 - 2.0 * h) * (PetscReal)i / (SAMPLES - 1)) : 0.0;
}

typedef PetscErrorCode (*SampleVisitor)(SoretCase *c, const SoretPoint *point, PetscBool *stop);

static PetscErrorCode VisitSamples(SoretCase *c, SampleVisitor visit)
{
  const PetscInt num[3] = {SAMPLES, c->grid.dim > 1 ? SAMPLES : 1, c->grid.dim > 2 ? SAMPLES : 1};
  PetscBool      stop   = PETSC_FALSE;

  PetscFunctionBegin;
  for (PetscInt p = 0; p < num[0] * num[1] * num[2] && !stop; p++) {
    const PetscInt ijk[3] = {p % num[0], p / num[0] % num[1], p / num[0] / num[1]};
    SoretPoint     point  = {.t = 0.0, .T = 1.0};

    for (int axis = 0; axis < 3; axis++) point.x[axis] = SampleCoordinate(&c->grid, axis, ijk[axis]);
    PetscCall(visit(c, &point, &stop));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SampleTemperature(SoretCase *c, const SoretPoint *point, PetscBool *stop)
{
  const PetscReal T = SoretFieldEvaluate(c->temperature, point);

  PetscFunctionBegin;
  if (T > 0.0 && isfinite(T)) PetscFunctionReturn(PETSC_SUCCESS);
  *stop = PETSC_TRUE;
  PetscCall(SoretInputError(c->in, SoretFieldNode(c->temperature), "the temperature is %g at (%g, %g, %g); it must be positive everywhere", (double)(isnan(T) ? NAN : T) /* without its sign */, (double)point->x[0], (double)point->x[1], (double)point->x[2]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SampleLaws(SoretCase *c, const SoretPoint *at, PetscBool *stop)
{
  const SoretModel *model = &c->model;
  SoretPoint        point = *at;

  PetscFunctionBegin;
  point.T = SoretFieldEvaluate(c->temperature, at);
  for (PetscInt s = 0; s < model->num_species; s++) {
    const SoretSpecies *species = &model->species[s];
    PetscReal           value   = species->diffuses ? SoretLawEvaluate(species->diffusivity, &point) : 1.0;

    if (!(value > 0.0) || !isfinite(value)) {
      *stop = PETSC_TRUE;
      PetscCall(SoretInputError(c->in, SoretLawNode(species->diffusivity), "the diffusivity of '%s' is %g at (%g, %g, %g), T = %g; it must be positive everywhere, or the number 0", species->name, (double)value, (double)point.x[0], (double)point.x[1], (double)point.x[2], (double)point.T));
    }
    if (!IsFormula(c->initial[s])) continue;
    value = SoretFieldEvaluate(c->initial[s], &point);
    if (!(value >= 0.0) || !isfinite(value)) {
      *stop = PETSC_TRUE;
      PetscCall(SoretInputError(c->in, species->initial, "the initial concentration of '%s' is %g at (%g, %g, %g); it must not be negative", species->name, (double)value, (double)point.x[0], (double)point.x[1], (double)point.x[2]));
    }
  }
  for (PetscInt r = 0; r < model->network.num_reactions && !*stop; r++) {
    PetscReal k[2];

    SoretNetworkConstants(&model->network, r, &point, &k[0], &k[1]);
    for (int d = 0; d < 2; d++) {
      if (k[d] >= 0.0 && isfinite(k[d])) continue;
      *stop = PETSC_TRUE;
      PetscCall(SoretInputError(c->in, model->network.reaction[r].node, "the %s constant of '%s' is %g at (%g, %g, %g), T = %g; it must be finite and not negative", d ? "backward" : "forward", model->network.reaction[r].equation, (double)k[d], (double)point.x[0], (double)point.x[1], (double)point.x[2], (double)point.T));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Temperature must be the same at both ends of a periodic axis. */
static PetscErrorCode SamplePeriodic(SoretCase *c, const SoretPoint *point, PetscBool *stop)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < c->grid.dim && !*stop; axis++) {
    SoretPoint lo = *point, hi = *point;
    PetscReal  a, b;

    if (!c->grid.periodic[axis]) continue;
    lo.x[axis] = c->grid.origin[axis];
    hi.x[axis] = c->grid.origin[axis] + c->grid.size[axis];
    a          = SoretFieldEvaluate(c->temperature, &lo);
    b          = SoretFieldEvaluate(c->temperature, &hi);
    if (PetscAbsReal(a - b) <= 1.0e-9 * PetscAbsReal(a)) continue;
    *stop = PETSC_TRUE;
    PetscCall(SoretInputError(c->in, SoretFieldNode(c->temperature), "the temperature must be periodic along %c: it is %g at %c = %g and %g at %c = %g", SORET_AXIS_NAMES[axis], (double)a, SORET_AXIS_NAMES[axis], (double)lo.x[axis], (double)b, SORET_AXIS_NAMES[axis], (double)hi.x[axis]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckFormulas(SoretCase *c)
{
  const PetscInt errors = SoretInputCountErrors(c->in);

  PetscFunctionBegin;
  if (errors || !IsFormula(c->temperature)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VisitSamples(c, SampleTemperature));
  if (SoretInputCountErrors(c->in) == errors) {
    PetscCall(VisitSamples(c, SamplePeriodic));
    PetscCall(VisitSamples(c, SampleLaws));
  }
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
    PetscCall(PetscStrlcat(name, ".h5", sizeof(name)));
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
  PetscFunctionBegin;
  for (PetscInt k = 0; map && k < map->size; k++) {
    const char *name = map->key[k]->text + (map->key[k]->text[0] == '-' ? 1 : 0);

    if (!SoretIsIdentifier(name)) PetscCall(SoretInputError(in, map->key[k], "'%s' is not the name of a PETSc option, such as ksp_type", map->key[k]->text));
    if (map->item[k]->kind != SORET_NODE_SCALAR) PetscCall(SoretInputError(in, map->item[k], "the value of the option '%s' must be a text or a number", map->key[k]->text));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where a file of frames would be more than anybody wants, a slip of the unit is likely. */
static PetscErrorCode CheckFrames(const SoretCase *c)
{
  PetscFunctionBegin;
  if (c->solve.mode == SORET_TRANSIENT && c->output.every.given && c->solve.end.value / c->output.every.value > MOST_FRAMES) PetscCall(SoretInputError(c->in, SoretNodeFind(SoretNodeFind(SoretInputRoot(c->in), "output"), "every"), "a frame every %g until %g makes %.3g frames, more than %d", (double)c->output.every.value, (double)c->solve.end.value, (double)(c->solve.end.value / c->output.every.value), MOST_FRAMES));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCaseParse(const char *name, const char *text, size_t length, int num_overrides, char *const overrides[], SoretCase *c)
{
  const SoretNode *root;
  TopSpec          top;
  PetscReal        T;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(c, sizeof(*c)));
  PetscCall(PetscStrallocpy(name, &c->path));
  PetscCall(SoretInputCreate(name, text, length, &c->in));
  for (int k = 0; k < num_overrides; k++) PetscCall(SoretInputOverride(c->in, overrides[k]));
  root = SoretInputRoot(c->in);
  PetscCall(SoretInputReadMap(c->in, root, root, "the case", top_keys, &top));
  PetscCall(SoretInputSetReduced(c->in, top.units == 1 ? PETSC_TRUE : PETSC_FALSE));
  for (const SoretKey *key = top_keys; key->key; key++) {
    if (!strcmp(key->meaning, "not in this version") && SoretNodeFind(root, key->key)) PetscCall(SoretInputError(c->in, SoretNodeFind(root, key->key), "the section '%s' is not in this version of soret", key->key));
  }
  PetscCall(PetscStrallocpy(top.title ? top.title : "", &c->title));
  c->standard_concentration = top.standard_concentration;
  c->petsc                  = top.section[9] && !SoretNodeIsNull(top.section[9]) ? top.section[9] : NULL;
  if (c->petsc && c->petsc->kind != SORET_NODE_MAP) PetscCall(SoretInputError(c->in, c->petsc, "'petsc' must be a map of option to value, as in {ksp_type: gmres}"));
  else PetscCall(CheckOptions(c->in, c->petsc));
  PetscCall(ReadParameters(c->in, top.section[0]));
  PetscCall(SoretGridSpecRead(c->in, &c->grid));
  PetscCall(DefineLengths(c->in, &c->grid));
  if (SoretNodeFind(top.section[2], "conduction")) PetscCall(SoretInputError(c->in, SoretNodeFind(top.section[2], "conduction"), "'conduction' is not in this version of soret"));
  else if (top.section[2]) PetscCall(SoretFieldRead(c->in, top.section[2], "K", SORET_VAR_SPACE_TIME, &c->temperature));
  if (IsNumber(c->temperature, &T) && T <= 0.0) PetscCall(SoretInputError(c->in, top.section[2], "'temperature' must be positive, found %g", (double)T));
  PetscCall(SoretModelRead(c->in, c->grid.dim, c->standard_concentration, &c->model));
  PetscCall(ReadInitial(c));
  PetscCall(SoretBoundarySpecRead(c->in, &c->grid, &c->model, &c->boundary));
  PetscCall(SoretTotalsRead(c->in, &c->model, &c->totals));
  PetscCall(SoretSolveSpecRead(c->in, &c->solve));
  PetscCall(SoretOutputSpecRead(c->in, &c->output));
  PetscCall(DefaultFile(c));
  PetscCall(SoretCheckpointSpecRead(c->in, &c->checkpoint));
  PetscCall(DefaultPrefix(c));
  PetscCall(CheckFrames(c));
  if (c->solve.mode == SORET_TRANSIENT && c->totals.num) PetscCall(SoretInputError(c->in, c->totals.total[0].node, "'totals' belong to steady runs: a transient run keeps the totals of its initial state"));
  if (!SoretInputCountErrors(c->in)) PetscCall(SoretSumsFind(c->in, &c->model, &c->boundary, &c->totals, &c->sums));
  PetscCall(CheckFormulas(c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- memory ---- */

/* Memory of all nodes that the ranks are on, bytes. Collective. */
static PetscErrorCode NodeMemory(MPI_Comm comm, PetscReal *bytes)
{
  MPI_Comm    node;
  PetscMPIInt rank;
  PetscReal   mine;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
  PetscCallMPI(MPI_Comm_rank(node, &rank));
  PetscCallMPI(MPI_Comm_free(&node));
  mine = rank == 0 ? (PetscReal)sysconf(_SC_PHYS_PAGES) * (PetscReal)sysconf(_SC_PAGE_SIZE) : 0.0;
  PetscCallMPI(MPI_Allreduce(&mine, bytes, 1, MPIU_REAL, MPI_SUM, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckSize(MPI_Comm comm, SoretCase *c)
{
  const SoretNode *cells = SoretNodeFind(SoretNodeFind(SoretInputRoot(c->in), "domain"), "cells");
  const PetscReal  unknowns = (PetscReal)c->grid.n[0] * (PetscReal)c->grid.n[1] * (PetscReal)c->grid.n[2] * (PetscReal)c->model.num_species;
  PetscReal        need, have;
  const char      *method;
  PetscMPIInt      ranks;
  char             why[256];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(SoretSolveEstimateMemory(&c->solve, &c->grid, &c->model, &need, &method));
  PetscCall(NodeMemory(comm, &have));
  if (need > have) PetscCall(SoretInputError(c->in, cells, "%.4g unknowns need about %.3g GiB of memory (%s); the nodes of this run have %.3g GiB. Use fewer cells, or more nodes", (double)unknowns, (double)(need / 1073741824.0), method, (double)(have / 1073741824.0)));
  else if (unknowns > (PetscReal)PETSC_MAX_INT / 8.0 && sizeof(PetscInt) == 4) PetscCall(SoretInputError(c->in, cells, "%.4g unknowns are more than 32-bit indices reach (%.3g); use a PETSc with 64-bit indices (Debian: libpetsc64-real-dev)", (double)unknowns, (double)PETSC_MAX_INT / 8.0));
  else if (!SoretGridFits(&c->grid, ranks, SoretModelHasBallistic(&c->model) ? 2 : 1, sizeof(why), why)) PetscCall(SoretInputError(c->in, cells, "%s", why));
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
  if (!SoretInputCountErrors(c->in)) {
    PetscCall(SoretFieldCheck(c->in, comm, c->grid.dim, c->temperature));
    for (PetscInt s = 0; s < c->model.num_species; s++) PetscCall(SoretFieldCheck(c->in, comm, c->grid.dim, c->initial[s]));
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
  PetscCall(SoretFieldDestroy(&c->temperature));
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
  for (PetscInt k = 0; c->petsc && c->petsc->kind == SORET_NODE_MAP && k < c->petsc->size; k++) {
    const char *key = c->petsc->key[k]->text, *value = c->petsc->item[k]->text;
    char        name[256];
    PetscBool   given;

    PetscCall(PetscSNPrintf(name, sizeof(name), "%s%s", key[0] == '-' ? "" : "-", key));
    PetscCall(PetscOptionsHasName(NULL, NULL, name, &given));
    if (!given) PetscCall(PetscOptionsSetValue(NULL, name, value[0] && strcmp(value, "true") ? value : NULL));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- building ---- */

static PetscErrorCode FillInitial(SoretCase *c, SoretProblem *problem)
{
  const SoretGrid *grid = &problem->grid;
  const PetscInt   ns   = c->model.num_species;
  PetscReal       *x, *field;
  char             trouble[256] = "";
  PetscMPIInt      rank, bad, first;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(grid->num_cells, &field));
  PetscCall(VecGetArray(problem->c, &x));
  for (PetscInt s = 0; s < ns; s++) {
    PetscCall(SoretFieldPrepare(c->initial[s], grid, 0.0));
    PetscCall(SoretFieldFill(c->initial[s], grid, 0.0, problem->temperature.T, field));
    for (PetscInt p = 0; p < grid->num_cells; p++) {
      x[p * ns + s] = field[p];
      if (*trouble || (field[p] >= 0.0 && isfinite(field[p]))) continue;
      (void)snprintf(trouble, sizeof(trouble), "soret: the initial concentration of species '%s' is %g in a cell; it must be finite and not negative\n", c->model.species[s].name, (double)field[p]);
    }
  }
  PetscCall(VecRestoreArray(problem->c, &x));
  PetscCall(PetscFree(field));
  PetscCallMPI(MPI_Comm_rank(grid->comm, &rank));
  bad = *trouble ? rank : PETSC_MPI_INT_MAX;
  PetscCallMPI(MPI_Allreduce(&bad, &first, 1, MPI_INT, MPI_MIN, grid->comm));
  if (first == rank) (void)fputs(trouble, stderr);
  PetscFunctionReturn(first == PETSC_MPI_INT_MAX ? PETSC_SUCCESS : SORET_ERR_INPUT);
}

PetscErrorCode SoretProblemCreate(MPI_Comm comm, SoretCase *c, SoretProblem *problem)
{
  PetscReal mean[3 * SORET_MAX_SPECIES];

  PetscFunctionBegin;
  PetscCall(PetscMemzero(problem, sizeof(*problem)));
  PetscCall(SoretGridCreate(comm, &c->grid, SoretModelHasBallistic(&c->model) ? 2 : 1, &problem->grid));
  PetscCall(SoretTemperatureCreate(&problem->grid, c->temperature, 0.0, &problem->temperature));
  PetscCall(SoretBoundaryCreate(&c->boundary, &c->model, &problem->grid, &problem->boundary));
  PetscCall(SoretOperatorCreate(&c->model, &problem->grid, &problem->temperature, &problem->boundary, &problem->op));
  PetscCall(DMCreateGlobalVector(problem->op.dm, &problem->c));
  PetscCall(FillInitial(c, problem));
  PetscCall(SoretOperatorSetTime(&problem->op, 0.0));
  PetscCall(SoretSumsMeasure(&c->sums, &problem->grid, problem->c, mean, NULL));
  for (PetscInt k = 0; k < c->sums.num_global; k++) {
    if (!c->sums.prescribed[k]) c->sums.mean[k] = mean[k];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretProblemDestroy(SoretProblem *problem)
{
  PetscFunctionBegin;
  PetscCall(VecDestroy(&problem->c));
  PetscCall(SoretOperatorDestroy(&problem->op));
  PetscCall(SoretBoundaryDestroy(&problem->boundary));
  PetscCall(SoretTemperatureDestroy(&problem->temperature));
  PetscCall(SoretGridDestroy(&problem->grid));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the report of `soret check` ---- */

static PetscErrorCode ReportSums(MPI_Comm comm, const SoretCase *c)
{
  PetscFunctionBegin;
  PetscCall(SoretSay(comm, "conserved sums:\n"));
  for (PetscInt k = 0; k < c->sums.num; k++) {
    const PetscBool global = k < c->sums.num_global ? PETSC_TRUE : PETSC_FALSE, local = !global && k < c->sums.num_global + c->sums.num_local ? PETSC_TRUE : PETSC_FALSE;

    if (global) PetscCall(SoretSay(comm, "  %s = %g (mean, %s)\n", c->sums.name[k], (double)c->sums.mean[k], c->sums.prescribed[k] ? "prescribed" : "of `initial`"));
    else PetscCall(SoretSay(comm, "  %s: %s\n", c->sums.name[k], local ? "kept in each cell, its members do not move" : "not conserved, a boundary condition lets it in or out"));
  }
  if (!c->sums.num) PetscCall(SoretSay(comm, "  none\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReportBoundaries(MPI_Comm comm, const SoretCase *c)
{
  PetscFunctionBegin;
  PetscCall(SoretSay(comm, "boundaries:\n"));
  for (int face = 0; face < 2 * c->grid.dim; face++) {
    PetscCall(SoretSay(comm, "  %s:", SoretFaceName(face)));
    if (c->grid.periodic[face / 2]) {
      PetscCall(SoretSay(comm, " periodic\n"));
      continue;
    }
    for (PetscInt s = 0; s < c->model.num_species; s++) {
      const SoretCondition *condition = SoretBoundaryCondition(&c->boundary, face, s);
      const SoretSpecies   *species   = &c->model.species[s];
      const char           *text      = SoretConditionName(condition->kind);

      PetscCall(SoretSay(comm, "%s %s ", s ? "," : "", species->name));
      if (SoretModelIsImmobile(&c->model, s)) PetscCall(SoretSay(comm, "does not move"));
      else if (condition->kind == SORET_CLOSED && species->mirror[face / 2] >= 0) PetscCall(SoretSay(comm, "becomes %s", c->model.species[species->mirror[face / 2]].name));
      else PetscCall(SoretSay(comm, "%s%s%s", text, condition->value ? " " : "", condition->value ? SoretExprText(condition->value) : ""));
    }
    PetscCall(SoretSay(comm, "\n"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Damkoehler number of a reaction: rate over diffusion, at the mean temperature and a concentration of the size of the totals. */
static PetscErrorCode ReportStiffness(MPI_Comm comm, const SoretCase *c, const SoretProblem *problem)
{
  const SoretNetwork *net = &c->model.network;
  SoretPoint          point = {.t = 0.0, .T = 0.5 * (problem->temperature.min + problem->temperature.max)};
  PetscReal           length = 0.0, amount = 0.0, x[SORET_MAX_SPECIES];

  PetscFunctionBegin;
  for (int axis = 0; axis < c->grid.dim; axis++) {
    point.x[axis] = c->grid.origin[axis] + 0.5 * c->grid.size[axis];
    length        = PetscMax(length, c->grid.size[axis]);
  }
  for (PetscInt k = 0; k < c->sums.num_global; k++) amount = PetscMax(amount, PetscAbsReal(c->sums.mean[k]));
  if (amount == 0.0) amount = 1.0;
  for (PetscInt s = 0; s < c->model.num_species; s++) x[s] = amount;
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    PetscReal k[2 * SORET_MAX_REACTIONS], forward, backward, D = 0.0;

    SoretNetworkConstants(net, r, &point, &k[2 * r], &k[2 * r + 1]);
    SoretNetworkRates(net, r, k, x, &forward, &backward);
    for (PetscInt s = 0; s < c->model.num_species; s++) {
      if (net->stoichiometry[r * net->num_species + s]) D = PetscMax(D, problem->op.mean_D[s]);
    }
    if (r == 0) PetscCall(SoretSay(comm, "stiffness (rate L^2/D at concentration %g, T = %g):\n", (double)amount, (double)point.T));
    PetscCall(SoretSay(comm, "  %s: Damkoehler number %.3g forward, %.3g backward%s\n", net->reaction[r].equation, (double)(D > 0.0 ? forward / amount * length * length / D : INFINITY), (double)(D > 0.0 ? backward / amount * length * length / D : INFINITY), SoretNetworkIsOff(net, r) ? " (switched off)" : ""));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCaseReport(MPI_Comm comm, SoretCase *c)
{
  SoretProblem    problem;
  PetscReal       bytes, cells = (PetscReal)c->grid.n[0] * (PetscReal)c->grid.n[1] * (PetscReal)c->grid.n[2], have, frame;
  PetscInt        num_times = 0;
  PetscReal      *times     = NULL;
  const char     *method;
  PetscErrorCode  status = PETSC_SUCCESS;
  PetscBool       varies = SoretFieldUses(c->temperature) & SORET_VAR_TIME ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(SoretProblemCreate(comm, c, &problem));
  PetscCall(SoretSay(comm, "%s: %s\n", c->path, c->title[0] ? c->title : "(no title)"));
  PetscCall(SoretSay(comm, "%s, %" PetscInt_FMT "D, %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT " cells, %" PetscInt_FMT " species, %" PetscInt_FMT " reactions: %.10g unknowns\n", c->solve.mode == SORET_STEADY ? "steady" : "transient", c->grid.dim, c->grid.n[0], c->grid.n[1], c->grid.n[2], c->model.num_species, c->model.network.num_reactions, (double)(cells * (PetscReal)c->model.num_species)));
  PetscCall(SoretSay(comm, "temperature from %g to %g%s\n", (double)problem.temperature.min, (double)problem.temperature.max, varies ? " at t = 0" : ""));
  if (c->standard_concentration.given || SoretInputIsReduced(c->in)) PetscCall(SoretSay(comm, "standard concentration %g\n", (double)c->model.network.standard_concentration));
  PetscCall(ReportSums(comm, c));
  PetscCall(ReportBoundaries(comm, c));
  PetscCall(ReportStiffness(comm, c, &problem));
  PetscCall(SoretSolveEstimateMemory(&c->solve, &c->grid, &c->model, &bytes, &method));
  PetscCall(NodeMemory(comm, &have));
  PetscCall(SoretSay(comm, "memory: about %.3g GiB (%s); the nodes of this run have %.3g GiB\n", (double)(bytes / 1073741824.0), method, (double)(have / 1073741824.0)));
  if (c->solve.mode == SORET_TRANSIENT) PetscCall(SoretOutputTimes(&c->output, c->solve.end.value, &num_times, &times));
  frame = SoretOutputFrameBytes(&c->output, &c->grid, &c->model, varies);
  PetscCall(SoretSay(comm, "result file '%s': about %.3g MiB in %" PetscInt_FMT " frame%s\n", c->output.file, (double)((frame * (PetscReal)(c->solve.mode == SORET_TRANSIENT ? num_times + 2 : 1) + 8.0 * cells) / 1048576.0), c->solve.mode == SORET_TRANSIENT ? num_times + 2 : 1, c->solve.mode == SORET_TRANSIENT ? "s" : ""));
  PetscCall(PetscFree(times));
  if (c->solve.mode == SORET_STEADY) status = SoretSumsRefuseNetInput(&c->sums, &problem.boundary);
  PetscCall(SoretProblemDestroy(&problem));
  PetscFunctionReturn(status);
}
