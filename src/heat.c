/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/heat.h"

#include <math.h>
#include <stddef.h>

#include <petscksp.h>
#include <petscts.h>

#include "soret/elliptic.h"

#include "kernel.h"
#include "soret/direct.h"

enum {
  MOST_ITERATIONS = 50,    /* of Newton's method                                                 */
  MOST_PICARD     = 200,   /* with multigrid, where the conductivity depends on T                */
  MOST_CYCLES     = 100,   /* of multigrid for a linear problem: with more, a matrix is cheaper  */
  DIRECT_CELLS    = 20000, /* one and two dimensions: up to this many cells by factorisation     */
  DIRECT_CELLS_3D = 3000,
  WINDOW          = 16     /* steps in time that are remembered                                  */
};

static const PetscReal steady_tolerance = 1.0e-12; /* residual over the power that goes through             */
static const PetscReal time_tolerance   = 1.0e-7;  /* relative error of the temperature in one step of time */

/* ---- the section ---- */

static PetscErrorCode ReadConductivity(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest)
{
  const SoretLawUse use = {.unit = key->unit, .allowed = SORET_VAR_SPACE | SORET_VAR_TEMPERATURE, .positive = PETSC_TRUE};

  PetscFunctionBegin;
  PetscCall(SoretLawRead(in, node, &use, (SoretLaw *)dest));
  PetscFunctionReturn(PETSC_SUCCESS);
}

typedef struct {
  SoretLaw         conductivity, solid_conductivity;
  SoretExpr        heat_capacity, solid_heat_capacity;
  const SoretNode *source, *initial, *boundaries;
} ConductionSpec;

#define AT(field) offsetof(ConductionSpec, field)
static const SoretKey conduction_keys[] = {
  {"conductivity", SORET_CUSTOM, "W/m/K", SORET_REQUIRED, SORET_ANY, AT(conductivity), "thermal conductivity of the fluid, may use x y z T", .parse = ReadConductivity, .syntax = "law of temperature"},
  {"solid_conductivity", SORET_CUSTOM, "W/m/K", SORET_OPTIONAL, SORET_ANY, AT(solid_conductivity), "the same inside `domain.solid` (default: that of the fluid)", .parse = ReadConductivity, .syntax = "law of temperature"},
  {"heat_capacity", SORET_FORMULA, "J/m^3/K", SORET_OPTIONAL, SORET_ANY, AT(heat_capacity), "heat capacity per volume: with it the temperature is integrated in time in a transient run; without it, it is steady at each moment", .allowed = SORET_VAR_SPACE},
  {"solid_heat_capacity", SORET_FORMULA, "J/m^3/K", SORET_OPTIONAL, SORET_ANY, AT(solid_heat_capacity), "the same inside `domain.solid` (default: that of the fluid)", .allowed = SORET_VAR_SPACE},
  {"source", SORET_NODE, "W/m^3", SORET_OPTIONAL, SORET_ANY, AT(source), "heat released per volume, of x y z t T: a laser spot, Joule heating", .syntax = "field"},
  {"initial", SORET_NODE, "K", SORET_OPTIONAL, SORET_ANY, AT(initial), "temperature at t = 0, with `heat_capacity` (default: the steady state at t = 0)", .syntax = "field"},
  {"boundaries", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(boundaries), "conditions on the faces of the box; insulated where nothing stands", .syntax = "map of face to condition"},
  {.key = NULL}};
#undef AT

typedef struct {
  SoretExpr value, flux, transfer, outside;
} ConditionSpec;

#define AT(field) offsetof(ConditionSpec, field)
static const SoretKey condition_keys[] = {
  {"value", SORET_FORMULA, "K", SORET_OPTIONAL, SORET_POSITIVE, AT(value), "temperature at the face", .allowed = SORET_VAR_SPACE_TIME},
  {"flux", SORET_FORMULA, "W/m^2", SORET_OPTIONAL, SORET_ANY, AT(flux), "heat flux, positive inwards", .allowed = SORET_VAR_SPACE_TIME},
  {"transfer", SORET_FORMULA, "W/m^2/K", SORET_OPTIONAL, SORET_NONNEGATIVE, AT(transfer), "h: the flux into the domain is h (outside - T at the face)", .allowed = SORET_VAR_SPACE_TIME},
  {"outside", SORET_FORMULA, "K", SORET_OPTIONAL, SORET_POSITIVE, AT(outside), "temperature outside, with `transfer`", .allowed = SORET_VAR_SPACE_TIME},
  {.key = NULL}};
#undef AT

PetscErrorCode SoretHeatReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`temperature.conduction`", conduction_keys));
  PetscCall(SoretKeysPrint(out, "`temperature.conduction.boundaries.x-` (faces x- x+ y- y+ z- z+)", condition_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadCondition(SoretInput in, const SoretNode *key, const SoretNode *node, SoretHeatCondition *condition)
{
  const PetscInt errors = SoretInputCountErrors(in);
  ConditionSpec  spec;
  SoretExpr     *given[3] = {&spec.value, &spec.flux, &spec.transfer};
  char           what[64];
  int            ways = 0;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(what, sizeof(what), "condition of the temperature at %s", key->text));
  PetscCall(SoretInputReadMap(in, node, key, what, condition_keys, &spec));
  for (int k = 0; k < 3; k++) {
    if (!*given[k]) continue;
    ways++;
    if (ways > 1) PetscCall(SoretExprDestroy(given[k]));
    else {
      condition->kind  = (SoretHeatConditionKind)(SORET_HEAT_VALUE + k);
      condition->value = *given[k];
    }
  }
  condition->outside = spec.outside;
  if (SoretInputCountErrors(in) > errors) PetscFunctionReturn(PETSC_SUCCESS);
  if (ways != 1) PetscCall(SoretInputError(in, node, "%s needs exactly one of 'value', 'flux' or 'transfer'", what));
  else if ((condition->kind == SORET_HEAT_TRANSFER) != (condition->outside != NULL)) PetscCall(SoretInputError(in, node, condition->outside ? "'outside' belongs to 'transfer'" : "'transfer' needs the key 'outside'"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadBoundaries(SoretInput in, const SoretNode *map, const SoretGridSpec *grid, SoretHeatSpec *spec)
{
  PetscFunctionBegin;
  if (!map || SoretNodeIsNull(map)) PetscFunctionReturn(PETSC_SUCCESS);
  if (map->kind != SORET_NODE_MAP) {
    PetscCall(SoretInputError(in, map, "expected a map of faces, as in {x-: {value: 300}}"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt k = 0; k < map->size; k++) {
    int face;

    PetscCall(SoretGridReadFace(in, map->key[k], grid, &face));
    if (face >= 0) PetscCall(ReadCondition(in, map->key[k], map->item[k], &spec->condition[face]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscBool DependsOnTime(const SoretHeatSpec *spec)
{
  if (spec->in_time || SoretFieldUses(spec->source) & SORET_VAR_TIME) return PETSC_TRUE;
  for (int face = 0; face < 6; face++) {
    if ((SoretExprUses(spec->condition[face].value) | SoretExprUses(spec->condition[face].outside)) & SORET_VAR_TIME) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

PetscErrorCode SoretHeatSpecRead(SoretInput in, const SoretNode *node, const SoretGridSpec *grid, SoretHeatSpec *spec)
{
  const PetscInt errors = SoretInputCountErrors(in);
  ConductionSpec conduction;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  PetscCall(PetscMemzero(&conduction, sizeof(conduction))); /* custom keys that are absent leave what was there */
  PetscCall(SoretInputReadMap(in, node, node, "'conduction'", conduction_keys, &conduction));
  spec->conductivity        = conduction.conductivity;
  spec->solid_conductivity  = conduction.solid_conductivity;
  spec->heat_capacity       = conduction.heat_capacity;
  spec->solid_heat_capacity = conduction.solid_heat_capacity;
  if (conduction.source) PetscCall(SoretFieldRead(in, conduction.source, "W/m^3", SORET_VAR_ALL, &spec->source));
  if (conduction.initial) PetscCall(SoretFieldRead(in, conduction.initial, "K", SORET_VAR_SPACE, &spec->initial));
  PetscCall(ReadBoundaries(in, conduction.boundaries, grid, spec));
  if (SoretInputCountErrors(in) > errors) PetscFunctionReturn(PETSC_SUCCESS);
  if (!grid->solid && (spec->solid_conductivity || spec->solid_heat_capacity)) PetscCall(SoretInputError(in, SoretNodeFind(node, spec->solid_conductivity ? "solid_conductivity" : "solid_heat_capacity"), "there is no solid in this case: 'domain' has no key 'solid'"));
  if (!spec->heat_capacity && (spec->solid_heat_capacity || spec->initial)) PetscCall(SoretInputError(in, SoretNodeFind(node, spec->initial ? "initial" : "solid_heat_capacity"), "'%s' needs the key 'heat_capacity'", spec->initial ? "initial" : "solid_heat_capacity"));
  if (SoretInputCountErrors(in) == errors) spec->node = node;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatSpecSetMode(SoretInput in, PetscBool transient, SoretHeatSpec *spec)
{
  PetscBool held = PETSC_FALSE;

  PetscFunctionBegin;
  if (!spec->node) PetscFunctionReturn(PETSC_SUCCESS);
  spec->in_time = transient && spec->heat_capacity ? PETSC_TRUE : PETSC_FALSE;
  spec->varies  = transient ? DependsOnTime(spec) : PETSC_FALSE;
  for (int face = 0; face < 6; face++) held = held || spec->condition[face].kind == SORET_HEAT_VALUE || spec->condition[face].kind == SORET_HEAT_TRANSFER ? PETSC_TRUE : PETSC_FALSE;
  if (!transient && spec->initial) PetscCall(SoretInputError(in, SoretNodeFind(spec->node, "initial"), "'initial' belongs to transient runs: a steady run has a steady temperature"));
  else if (!held && !(spec->in_time && spec->initial)) PetscCall(SoretInputError(in, spec->node, "nothing sets the level of the temperature: give 'value' or 'transfer' at some face%s", transient ? ", or 'heat_capacity' and 'initial'" : ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatSpecDestroy(SoretHeatSpec *spec)
{
  PetscFunctionBegin;
  PetscCall(SoretLawDestroy(&spec->conductivity));
  PetscCall(SoretLawDestroy(&spec->solid_conductivity));
  PetscCall(SoretExprDestroy(&spec->heat_capacity));
  PetscCall(SoretExprDestroy(&spec->solid_heat_capacity));
  PetscCall(SoretFieldDestroy(&spec->source));
  PetscCall(SoretFieldDestroy(&spec->initial));
  for (int face = 0; face < 6; face++) {
    PetscCall(SoretExprDestroy(&spec->condition[face].value));
    PetscCall(SoretExprDestroy(&spec->condition[face].outside));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatCheck(SoretInput in, MPI_Comm comm, PetscInt dim, const SoretHeatSpec *spec)
{
  PetscFunctionBegin;
  PetscCall(SoretFieldCheck(in, comm, dim, spec->source));
  PetscCall(SoretFieldCheck(in, comm, dim, spec->initial));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the handle ---- */

/* Temperature and its rate of change at one time. */
typedef struct {
  PetscReal  t;
  PetscReal *T, *rate;
} Snapshot;

/* Per cell, exchanged with the neighbours: */
enum {
  CELL_T,
  CELL_K,     /* conductivity              */
  CELL_SLOPE, /* its derivative by T       */
  CELL_VALUES
};

struct SoretHeat_s {
  const SoretHeatSpec *spec;
  const SoretGrid     *grid;
  DM                   dm;
  Mat                  J;          /* assembled, or                                                      */
  SoretElliptic        elliptic;   /* multigrid without a matrix                                         */
  KSP                  ksp;        /* NULL: nothing of this is there                                     */
  PetscBool            assembled;  /* multigrid has failed: with a matrix                                */
  Vec                  T, f, step; /* state of the last solve, its residual                              */
  Vec                  start;      /* where solves for walls and sources that change in time begin: the first solution,
                                      so that a temperature does not depend on what was solved before; NULL: T */
  PetscReal           *cell;       /* [num_cells][CELL_VALUES]                                           */
  SoretHalo            halo;
  PetscReal           *capacity;   /* [num_cells] of the cell; NULL: steady at each moment               */
  PetscBool            started;    /* T holds a solution                                                 */
  char                 trouble[256]; /* first bad value on this rank                                     */
  TS                   ts;
  Snapshot             window[WINDOW];
  PetscInt             num_steps;  /* taken; step n is in window[n % WINDOW]                             */
  PetscReal           *filled;     /* [num_cells] T filled last, and                                     */
  PetscReal           *rate;       /* its rate of change, NULL where it has none                         */
  PetscReal            filled_t;
};

static SoretPoint CellPoint(const SoretGrid *grid, PetscInt p, PetscReal t, PetscReal T)
{
  SoretPoint point = {.t = t, .T = T};
  PetscInt   ijk[3];

  SoretGridCellIndex(grid, p, ijk);
  for (int axis = 0; axis < grid->dim; axis++) point.x[axis] = grid->center[axis][ijk[axis]];
  return point;
}

static void Complain(SoretHeat heat, const char *what, PetscReal value, const SoretPoint *point)
{
  if (*heat->trouble) return;
  (void)snprintf(heat->trouble, sizeof(heat->trouble), "soret: %s is %g at (%g, %g, %g), T = %g, t = %g\n", what, (double)value, (double)point->x[0], (double)point->x[1], (double)point->x[2], (double)point->T, (double)point->t);
}

/* If a rank has something to complain of, the first one does and all end. Collective. */
static PetscErrorCode AgreeOnTrouble(SoretHeat heat)
{
  PetscMPIInt rank, bad, first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(heat->grid->comm, &rank));
  bad = *heat->trouble ? rank : PETSC_MPI_INT_MAX;
  PetscCallMPI(MPI_Allreduce(&bad, &first, 1, MPI_INT, MPI_MIN, heat->grid->comm));
  if (first == rank) (void)fputs(heat->trouble, stderr);
  heat->trouble[0] = 0;
  PetscFunctionReturn(first == PETSC_MPI_INT_MAX ? PETSC_SUCCESS : SORET_ERR_INPUT);
}

static SoretLaw ConductivityOf(const SoretHeat heat, PetscInt p)
{
  return SoretGridIsSolid(heat->grid, p) && heat->spec->solid_conductivity ? heat->spec->solid_conductivity : heat->spec->conductivity;
}

static PetscErrorCode FillCapacity(SoretHeat heat)
{
  const SoretHeatSpec *spec = heat->spec;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(heat->grid->num_cells, &heat->capacity));
  for (PetscInt p = 0; p < heat->grid->num_cells; p++) {
    const SoretPoint point = CellPoint(heat->grid, p, 0.0, 0.0);
    PetscInt         ijk[3];

    SoretGridCellIndex(heat->grid, p, ijk);
    heat->capacity[p] = SoretExprEvaluate(SoretGridIsSolid(heat->grid, p) && spec->solid_heat_capacity ? spec->solid_heat_capacity : spec->heat_capacity, &point);
    if (!(heat->capacity[p] > 0.0) || !isfinite(heat->capacity[p])) Complain(heat, "the heat capacity, which must be positive and finite,", heat->capacity[p], &point);
    heat->capacity[p] *= SoretGridCellVolume(heat->grid, ijk);
  }
  PetscCall(AgreeOnTrouble(heat));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Does the conductivity not depend on T, so that the matrix is symmetric? */
static PetscBool IsLinear(const SoretHeatSpec *spec)
{
  return (SoretLawUses(spec->conductivity) | SoretLawUses(spec->solid_conductivity)) & SORET_VAR_TEMPERATURE ? PETSC_FALSE : PETSC_TRUE;
}

/* Solved by factorisation? */
static PetscBool IsSmall(PetscInt dim, const PetscInt n[3])
{
  const PetscReal cells = (PetscReal)n[0] * (PetscReal)n[1] * (PetscReal)n[2];

  return cells <= (dim == 3 ? DIRECT_CELLS_3D : DIRECT_CELLS) ? PETSC_TRUE : PETSC_FALSE;
}

/* With a matrix: where the problem is small, the source depends on T, or it is asked for by an option; else multigrid without one? */
static PetscErrorCode NeedsMatrix(const SoretHeatSpec *spec, PetscInt dim, const PetscInt n[3], PetscBool *needs)
{
  PetscBool asked;

  PetscFunctionBegin;
  PetscCall(PetscOptionsHasName(NULL, NULL, "-heat_pc_type", &asked));
  *needs = IsSmall(dim, n) || asked || SoretFieldUses(spec->source) & SORET_VAR_TEMPERATURE ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateOperator(SoretHeat heat, const PetscReal capacity[])
{
  PetscBool needs = PETSC_TRUE, open[6];

  PetscFunctionBegin;
  PetscCall(NeedsMatrix(heat->spec, heat->grid->dim, heat->grid->n, &needs));
  for (int face = 0; face < 6; face++) open[face] = heat->spec->condition[face].kind != SORET_HEAT_INSULATED ? PETSC_TRUE : PETSC_FALSE;
  if (!needs && !heat->assembled) PetscCall(SoretEllipticCreate(heat->grid, open, capacity, &heat->elliptic));
  if (!heat->elliptic) PetscCall(DMCreateMatrix(heat->dm, &heat->J));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SetSolver(SoretHeat heat, PetscBool symmetric, KSP ksp)
{
  const SoretGrid *grid = heat->grid;
  PC               pc;

  PetscFunctionBegin;
  PetscCall(KSPSetOptionsPrefix(ksp, "heat_"));
  PetscCall(KSPSetType(ksp, symmetric ? heat->elliptic ? KSPFCG : KSPCG : KSPFGMRES));
  if (symmetric && heat->elliptic) { /* a cycle is not quite symmetric; few directions, each is two vectors */
    PetscCall(KSPFCGSetMmax(ksp, 3));
    PetscCall(KSPFCGSetNprealloc(ksp, 3));
    PetscCall(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
  }
  if (!symmetric) PetscCall(KSPGMRESSetRestart(ksp, heat->elliptic ? 10 : 30));
  PetscCall(KSPSetTolerances(ksp, heat->elliptic && !IsLinear(heat->spec) ? 1.0e-3 : 1.0e-8, 0.0, PETSC_DEFAULT, heat->elliptic ? MOST_CYCLES : 1000));
  PetscCall(KSPGetPC(ksp, &pc));
  if (heat->elliptic) PetscCall(SoretEllipticSetKSP(heat->elliptic, ksp));
  else if (IsSmall(grid->dim, grid->n)) {
    PetscCall(SoretDirectSetPC(pc, grid->n[0] * grid->n[1] * grid->n[2], grid->dim == 1 ? PETSC_TRUE : PETSC_FALSE, 0, NULL));
  } else PetscCall(PCSetType(pc, PCGAMG));
  PetscCall(KSPSetFromOptions(ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What a steady solve needs, if it is not there. */
static PetscErrorCode CreateSteadySolver(SoretHeat heat)
{
  PetscFunctionBegin;
  if (heat->ksp) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(CreateOperator(heat, NULL));
  PetscCall(KSPCreate(heat->grid->comm, &heat->ksp));
  PetscCall(SetSolver(heat, heat->elliptic || IsLinear(heat->spec) ? PETSC_TRUE : PETSC_FALSE, heat->ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode DestroySolver(SoretHeat heat)
{
  PetscFunctionBegin;
  PetscCall(KSPDestroy(&heat->ksp));
  PetscCall(SoretEllipticDestroy(&heat->elliptic));
  PetscCall(MatDestroy(&heat->J));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatCreate(const SoretHeatSpec *spec, const SoretGrid *grid, SoretHeat *heat)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(heat));
  (*heat)->spec = spec;
  (*heat)->grid = grid;
  PetscCall(SoretGridCreateDM(grid, 1, 1, &(*heat)->dm));
  PetscCall(DMCreateGlobalVector((*heat)->dm, &(*heat)->T));
  PetscCall(VecDuplicate((*heat)->T, &(*heat)->f));
  PetscCall(VecDuplicate((*heat)->T, &(*heat)->step));
  PetscCall(PetscMalloc2(grid->num_cells * CELL_VALUES, &(*heat)->cell, grid->num_cells, &(*heat)->filled));
  PetscCall(SoretHaloCreate(grid, CELL_VALUES, 1, &(*heat)->halo));
  if (spec->in_time) PetscCall(FillCapacity(*heat));
  if (spec->in_time) PetscCall(PetscMalloc1(grid->num_cells, &(*heat)->rate));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ForgetSteps(SoretHeat heat)
{
  PetscFunctionBegin;
  PetscCall(TSDestroy(&heat->ts));
  PetscCall(DestroySolver(heat));
  heat->num_steps = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatDestroy(SoretHeat *heat)
{
  PetscFunctionBegin;
  if (!*heat) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(ForgetSteps(*heat));
  for (int k = 0; k < WINDOW; k++) PetscCall(PetscFree2((*heat)->window[k].T, (*heat)->window[k].rate));
  PetscCall(VecDestroy(&(*heat)->T));
  PetscCall(VecDestroy(&(*heat)->f));
  PetscCall(VecDestroy(&(*heat)->step));
  PetscCall(VecDestroy(&(*heat)->start));
  PetscCall(DMDestroy(&(*heat)->dm));
  PetscCall(SoretHaloDestroy(&(*heat)->halo));
  PetscCall(PetscFree2((*heat)->cell, (*heat)->filled));
  PetscCall(PetscFree((*heat)->capacity));
  PetscCall(PetscFree((*heat)->rate));
  PetscCall(PetscFree(*heat));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the discrete equations ---- */

/* T, conductivity and its slope (for a matrix) in the cells of this rank and beside them. */
static PetscErrorCode FillCells(SoretHeat heat, PetscReal t, const PetscReal T[])
{
  PetscFunctionBegin;
  for (PetscInt p = 0; p < heat->grid->num_cells; p++) {
    const SoretPoint point = CellPoint(heat->grid, p, t, T[p]);
    const SoretLaw   law   = ConductivityOf(heat, p);
    PetscReal       *cell  = heat->cell + CELL_VALUES * p;

    cell[CELL_T]     = T[p];
    cell[CELL_K]     = SoretLawEvaluate(law, &point);
    cell[CELL_SLOPE] = heat->J && SoretLawUses(law) & SORET_VAR_TEMPERATURE ? SoretLawDerivative(law, &point) : 0.0;
    if (!(cell[CELL_K] > 0.0) || !isfinite(cell[CELL_K])) Complain(heat, "the conductivity, which must be positive and finite,", cell[CELL_K], &point);
  }
  PetscCall(AgreeOnTrouble(heat));
  PetscCall(SoretHaloExchange(&heat->halo, heat->cell));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Outflow of a cell through a face inside the box, and its derivatives by the temperatures of both sides. */
static PetscReal FaceOutflow(const SoretGrid *grid, int face, const PetscInt ijk[3], const PetscReal own[], const PetscReal other[], PetscReal *by_own, PetscReal *by_other)
{
  const int       axis = face / 2;
  const PetscInt  beside = (ijk[axis] + (face % 2 ? 1 : -1) + grid->n[axis]) % grid->n[axis];
  const PetscReal d_own = 0.5 * grid->width[axis][ijk[axis]], d_other = 0.5 * grid->width[axis][beside];
  const PetscReal g    = SoretGridFaceArea(grid, axis, ijk) * SoretConductance(own[CELL_K], d_own, other[CELL_K], d_other);
  const PetscReal sum  = other[CELL_K] * d_own + own[CELL_K] * d_other, flux = SoretFaceFlux(g, own[CELL_T], other[CELL_T]);

  *by_own   = g + flux * own[CELL_SLOPE] * (1.0 / own[CELL_K] - d_other / sum);
  *by_other = -g + flux * other[CELL_SLOPE] * (1.0 / other[CELL_K] - d_own / sum);
  return flux;
}

/* Inflow through a wall, its derivative by the temperature of the cell, and the temperature at the wall. */
static PetscReal WallInflow(SoretHeat heat, PetscReal t, int face, PetscInt p, PetscReal *by_own, PetscReal *wall_T)
{
  const SoretGrid          *grid      = heat->grid;
  const SoretHeatCondition *condition = &heat->spec->condition[face];
  const PetscReal          *own       = heat->cell + CELL_VALUES * p;
  SoretPoint                wall      = CellPoint(grid, p, t, own[CELL_T]);
  PetscInt                  ijk[3];
  PetscReal                 area, half, value, flux = 0.0, g;

  SoretGridCellIndex(grid, p, ijk);
  area              = SoretGridFaceArea(grid, face / 2, ijk);
  half              = 0.5 * grid->width[face / 2][ijk[face / 2]];
  wall.x[face / 2]  = grid->edge[face / 2][face % 2 ? grid->n[face / 2] : 0];
  value             = condition->value ? SoretExprEvaluate(condition->value, &wall) : 0.0;
  g                 = own[CELL_K] / half;
  *by_own           = 0.0;
  *wall_T           = own[CELL_T];
  if (condition->kind == SORET_HEAT_FLUX) {
    flux    = value;
    *wall_T = own[CELL_T] + flux / g;
  } else if (condition->kind == SORET_HEAT_VALUE) { /* two quarters of a cell in series, with the conductivities at their ends */
    const SoretLaw  law = ConductivityOf(heat, p);
    PetscReal       k_wall, series;

    wall.T  = *wall_T = value;
    k_wall  = SoretLawEvaluate(law, &wall);
    series  = SoretConductance(k_wall, 0.5 * half, own[CELL_K], 0.5 * half);
    flux    = SoretFaceFlux(series, value, own[CELL_T]);
    *by_own = -series + flux * own[CELL_SLOPE] * (1.0 / own[CELL_K] - 0.5 * half / (0.5 * half * (k_wall + own[CELL_K])));
    if (!(value > 0.0) || !(k_wall > 0.0)) Complain(heat, "the temperature of a wall, or the conductivity there,", value > 0.0 ? k_wall : value, &wall);
  } else if (condition->kind == SORET_HEAT_TRANSFER) {
    const PetscReal outside = SoretExprEvaluate(condition->outside, &wall), series = value * g / (value + g);

    flux    = SoretFaceFlux(series, outside, own[CELL_T]);
    *wall_T = own[CELL_T] + flux / g;
    *by_own = -series + flux * own[CELL_SLOPE] / own[CELL_K] * value / (value + g);
    if (!(value >= 0.0)) Complain(heat, "the heat transfer coefficient", value, &wall);
  }
  if (!isfinite(flux)) Complain(heat, "the heat flux through a wall", flux, &wall);
  *by_own *= area;
  return area * flux;
}

/* Heat released in a cell and its derivative by T. */
static PetscReal Source(SoretHeat heat, PetscReal t, PetscInt p, PetscReal T, PetscReal *slope)
{
  SoretPoint point = CellPoint(heat->grid, p, t, T);
  PetscReal  value;

  *slope = 0.0;
  if (!heat->spec->source) return 0.0;
  value = SoretFieldEvaluate(heat->spec->source, &point);
  if (!isfinite(value)) Complain(heat, "the heat source", value, &point);
  if (SoretFieldUses(heat->spec->source) & SORET_VAR_TEMPERATURE) {
    const PetscReal h = 1.0e-5 * T;
    PetscReal       side[2];

    for (int s = 0; s < 2; s++) {
      point.T = s ? T + h : T - h;
      side[s] = SoretFieldEvaluate(heat->spec->source, &point);
    }
    *slope = (side[1] - side[0]) / (2.0 * h);
  }
  return value;
}

static MatStencil StencilOf(const PetscInt ijk[3])
{
  const MatStencil s = {.k = ijk[2], .j = ijk[1], .i = ijk[0], .c = 0};

  return s;
}

typedef enum {
  PER_CELL,    /* W               */
  PER_CAPACITY /* K/s: over C     */
} Form;

/* What the sum of |f| over the cells is compared with. */
typedef struct {
  PetscReal gross;    /* sum of |inflow| and |source|                  */
  PetscReal rounding; /* left where temperatures have their last digit */
} Scale;

/* f = net outflow of heat of each cell less its source, in one of the forms, and J = df/dT + shift if wanted. scale may be NULL. */
static PetscErrorCode Evaluate(SoretHeat heat, PetscReal t, Vec T, Form form, Vec f, PetscReal shift, Mat J, Scale *scale)
{
  const SoretGrid *grid = heat->grid;
  const PetscReal *x;
  PetscReal       *out;
  Scale            mine = {.gross = 0.0};

  PetscFunctionBegin;
  PetscCall(SoretFieldPrepare(heat->spec->source, grid, t));
  PetscCall(VecGetArrayRead(T, &x));
  PetscCall(FillCells(heat, t, x));
  PetscCall(VecRestoreArrayRead(T, &x));
  PetscCall(VecGetArray(f, &out));
  if (J) PetscCall(MatZeroEntries(J));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt   local[3] = {p % grid->count[0], p / grid->count[0] % grid->count[1], p / grid->count[0] / grid->count[1]};
    const PetscReal *own      = heat->cell + CELL_VALUES * p;
    PetscInt         ijk[3];
    MatStencil       row, column[7];
    PetscReal        value[7], slope, source, volume, diagonal = 0.0;
    PetscInt         entries = 1;

    SoretGridCellIndex(grid, p, ijk);
    volume    = SoretGridCellVolume(grid, ijk);
    source    = volume * Source(heat, t, p, own[CELL_T], &slope);
    row       = column[0] = StencilOf(ijk);
    out[p]    = -source;
    value[0]  = -volume * slope;
    mine.gross += PetscAbsReal(source);
    for (int face = 0; face < 2 * grid->dim; face++) {
      const int axis = face / 2, side = face % 2;
      PetscInt  beside[3] = {ijk[0], ijk[1], ijk[2]};
      PetscReal by_own, by_other, wall_T;

      if (local[axis] == (side ? grid->count[axis] - 1 : 0) && SoretGridHasWall(grid, axis, side)) {
        const PetscReal inflow = WallInflow(heat, t, face, p, &by_own, &wall_T);

        out[p] -= inflow;
        diagonal -= by_own;
        mine.gross += PetscAbsReal(inflow);
        continue;
      }
      out[p] += FaceOutflow(grid, face, ijk, own, SoretHaloCell(&heat->halo, heat->cell, p, face), &by_own, &by_other);
      diagonal += by_own;
      beside[axis] += side ? 1 : -1;
      column[entries]  = StencilOf(beside); /* DMDA wraps periodic axes */
      value[entries++] = by_other;
    }
    value[0] += diagonal;
    mine.rounding += 0.25 * PETSC_MACHINE_EPSILON * PetscAbsReal(diagonal * own[CELL_T]); /* a half of what it is at most; 0.16 is usual */
    if (form == PER_CAPACITY) {
      out[p] /= heat->capacity[p];
      for (PetscInt e = 0; e < entries; e++) value[e] /= heat->capacity[p];
    }
    value[0] += shift;
    if (J) PetscCall(MatSetValuesStencil(J, 1, &row, entries, column, value, ADD_VALUES));
  }
  PetscCall(VecRestoreArray(f, &out));
  PetscCall(AgreeOnTrouble(heat));
  if (J) {
    PetscCall(MatAssemblyBegin(J, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(J, MAT_FINAL_ASSEMBLY));
  }
  if (scale) PetscCallMPI(MPI_Allreduce(&mine, scale, 2, MPIU_REAL, MPI_SUM, grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The coefficients of multigrid with the conductivities of the cells as they are. */
static PetscErrorCode FillElliptic(SoretHeat heat, PetscReal t, PetscReal shift)
{
  const SoretGrid          *grid        = heat->grid;
  SoretEllipticCoefficients coefficient = SoretEllipticGet(heat->elliptic);
  const PetscInt            n[3]        = {grid->count[0], grid->count[1], grid->count[2]};
  PetscReal                 by_own, by_other, wall_T;

  PetscFunctionBegin;
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt local[3] = {p % n[0], p / n[0] % n[1], p / n[0] / n[1]};
    PetscInt       ijk[3];

    SoretGridCellIndex(grid, p, ijk);
    for (int face = 0; face < 2 * grid->dim; face++) {
      if (face % 2 && local[face / 2] < n[face / 2] - 1) continue; /* told by the cell above */
      if (local[face / 2] == (face % 2 ? n[face / 2] - 1 : 0) && SoretGridHasWall(grid, face / 2, face % 2)) continue;
      (void)FaceOutflow(grid, face, ijk, heat->cell + CELL_VALUES * p, SoretHaloCell(&heat->halo, heat->cell, p, face), &by_own, &by_other);
      coefficient.g[face / 2][SoretFlowFace(grid, face, p)] = by_own;
    }
  }
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < coefficient.num[face]; q++) {
      PetscInt  cell[3], ijk[3], p;
      PetscReal half;

      SoretGridFaceCell(grid, face, q, cell);
      p = (cell[2] * n[1] + cell[1]) * n[0] + cell[0];
      SoretGridCellIndex(grid, p, ijk);
      (void)WallInflow(heat, t, face, p, &by_own, &wall_T);
      half                        = SoretGridFaceArea(grid, face / 2, ijk) * heat->cell[CELL_VALUES * p + CELL_K] / (0.5 * grid->width[face / 2][ijk[face / 2]]);
      coefficient.alpha[face][q]  = -by_own;
      coefficient.mirror[face][q] = heat->spec->condition[face].kind == SORET_HEAT_VALUE ? -1.0 : 1.0 + 2.0 * by_own / half;
    }
  }
  PetscCall(SoretEllipticUpdate(heat->elliptic, shift));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- steady ---- */

/* A first guess of the right size: the mean of what walls are told. */
static PetscErrorCode Guess(SoretHeat heat, PetscReal t)
{
  PetscReal sum[2] = {0.0, 0.0};

  PetscFunctionBegin;
  for (int face = 0; face < 2 * heat->grid->dim; face++) {
    const SoretHeatCondition *condition = &heat->spec->condition[face];
    const SoretExpr           level     = condition->kind == SORET_HEAT_VALUE ? condition->value : condition->outside;

    for (PetscInt q = 0; level && q < SoretGridCountFace(heat->grid, face); q++) {
      PetscInt   local[3];
      SoretPoint point;

      SoretGridFaceCell(heat->grid, face, q, local);
      point = CellPoint(heat->grid, (local[2] * heat->grid->count[1] + local[1]) * heat->grid->count[0] + local[0], t, 1.0);
      sum[0] += SoretExprEvaluate(level, &point);
      sum[1] += 1.0;
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPIU_REAL, MPI_SUM, heat->grid->comm));
  PetscCall(VecSet(heat->T, sum[1] > 0.0 && sum[0] > 0.0 ? sum[0] / sum[1] : 1.0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* T -= step, shortened where it would make a temperature negative; a tenth is left. */
static PetscErrorCode Correct(SoretHeat heat)
{
  const PetscReal *d;
  PetscReal       *T;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(heat->step, &d));
  PetscCall(VecGetArray(heat->T, &T));
  for (PetscInt p = 0; p < heat->grid->num_cells; p++) T[p] = T[p] > 0.0 && !IsLinear(heat->spec) ? PetscMax(T[p] - d[p], 0.1 * T[p]) : T[p] - d[p];
  PetscCall(VecRestoreArray(heat->T, &T));
  PetscCall(VecRestoreArrayRead(heat->step, &d));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The correction for the residual f, by multigrid no more exactly than makes f smaller by `share`; good: not so slowly that a matrix is better. */
static PetscErrorCode FindStep(SoretHeat heat, PetscReal share, PetscBool *good)
{
  KSPConvergedReason reason;
  PetscReal          rtol, absolute, divergence;
  PetscInt           iterations;

  PetscFunctionBegin;
  PetscCall(KSPGetTolerances(heat->ksp, &rtol, &absolute, &divergence, &iterations));
  if (heat->elliptic) PetscCall(KSPSetTolerances(heat->ksp, PetscMax(rtol, PetscMin(0.1 * share, 0.1)), absolute, divergence, iterations));
  PetscCall(KSPSolve(heat->ksp, heat->f, heat->step));
  PetscCall(KSPSetTolerances(heat->ksp, rtol, absolute, divergence, iterations));
  PetscCall(KSPGetConvergedReason(heat->ksp, &reason));
  *good = heat->elliptic && reason < 0 ? PETSC_FALSE : PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Newton's method, or with multigrid that of Picard, until the residual is a part in 1e12 of the power that goes through, or as small as rounding lets it
   be, or does not fall any more. */
static PetscErrorCode SolveSteady(SoretHeat heat, PetscReal t)
{
  PetscReal norm = 0.0, last = PETSC_MAX_REAL, goal;
  Scale     scale = {.gross = 0.0};
  PetscInt  stalls = 0, most;
  PetscBool picard, good;

  PetscFunctionBegin;
  PetscCall(CreateSteadySolver(heat));
  picard = heat->elliptic && !IsLinear(heat->spec) ? PETSC_TRUE : PETSC_FALSE;
  most   = picard ? MOST_PICARD : MOST_ITERATIONS;
  if (!heat->started) PetscCall(Guess(heat, t));
  else if (heat->start) PetscCall(VecCopy(heat->start, heat->T));
  for (PetscInt it = 0; it < most; it++) {
    PetscCall(Evaluate(heat, t, heat->T, PER_CELL, heat->f, 0.0, heat->J, &scale));
    PetscCall(VecNorm(heat->f, NORM_1, &norm));
    goal = PetscMax(steady_tolerance * scale.gross, scale.rounding);
    if (!isfinite(norm) || norm <= goal) break;
    stalls = norm > (picard ? 0.95 : 0.25) * last ? stalls + 1 : 0;
    if (stalls >= 2 && it > 3) break;
    last = norm;
    if (heat->J) PetscCall(KSPSetOperators(heat->ksp, heat->J, heat->J));
    else if (it == 0 || picard) PetscCall(FillElliptic(heat, t, 0.0));
    PetscCall(FindStep(heat, goal / norm, &good));
    if (!good) break;
    PetscCall(Correct(heat));
  }
  heat->started = PETSC_TRUE;
  if (heat->spec->varies && !heat->capacity && !heat->start) {
    PetscCall(VecDuplicate(heat->T, &heat->start));
    PetscCall(VecCopy(heat->T, heat->start));
  }
  PetscCall(PetscInfo(heat->dm, "heat: residual %g of the power %g, rounding %g\n", (double)norm, (double)scale.gross, (double)scale.rounding));
  if (isfinite(norm) && norm <= PetscMax(1.0e-9 * scale.gross, 1.0e3 * scale.rounding)) PetscFunctionReturn(PETSC_SUCCESS);
  if (heat->elliptic) {
    PetscCall(SoretSay(heat->grid->comm, "multigrid did not solve the heat equation (residual %g of a power of %g); trying a matrix with algebraic multigrid\n", (double)norm, (double)scale.gross));
    PetscCall(DestroySolver(heat));
    heat->assembled = PETSC_TRUE;
    heat->started   = PETSC_FALSE;
    PetscCall(SolveSteady(heat, t));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscFPrintf(heat->grid->comm, stderr, "soret: the heat equation did not converge: residual %g of a power of %g after %d iterations; try -heat_ksp_monitor, or -heat_pc_type lu\n", (double)norm, (double)scale.gross, (int)most));
  PetscFunctionReturn(SORET_ERR_NOT_CONVERGED);
}

/* ---- in time ---- */

static PetscErrorCode TimeResidual(TS ts, PetscReal t, Vec T, Vec rate, Vec F, void *context)
{
  SoretHeat heat = (SoretHeat)context;

  PetscFunctionBegin;
  PetscCall(Evaluate(heat, t, T, PER_CAPACITY, F, 0.0, NULL, NULL));
  PetscCall(VecAXPY(F, 1.0, rate));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TimeJacobian(TS ts, PetscReal t, Vec T, Vec rate, PetscReal shift, Mat J, Mat P, void *context)
{
  SoretHeat heat = (SoretHeat)context;

  PetscFunctionBegin;
  PetscCall(Evaluate(heat, t, T, PER_CAPACITY, heat->step, shift, heat->J, NULL));
  if (heat->elliptic) PetscCall(FillElliptic(heat, t, shift));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Remember(SoretHeat heat, PetscReal t)
{
  Snapshot        *snapshot = &heat->window[heat->num_steps % WINDOW];
  const PetscInt   n        = heat->grid->num_cells;
  const PetscReal *T, *f;

  PetscFunctionBegin;
  if (!snapshot->T) PetscCall(PetscMalloc2(n, &snapshot->T, n, &snapshot->rate));
  PetscCall(Evaluate(heat, t, heat->T, PER_CAPACITY, heat->f, 0.0, NULL, NULL));
  PetscCall(VecGetArrayRead(heat->T, &T));
  PetscCall(VecGetArrayRead(heat->f, &f));
  PetscCall(PetscArraycpy(snapshot->T, T, n));
  for (PetscInt p = 0; p < n; p++) snapshot->rate[p] = -f[p];
  PetscCall(VecRestoreArrayRead(heat->T, &T));
  PetscCall(VecRestoreArrayRead(heat->f, &f));
  snapshot->t = t;
  heat->num_steps++;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A step in which the fastest cell changes by about the tolerance times a thousand. */
static PetscErrorCode FirstStep(SoretHeat heat, PetscReal *step)
{
  const Snapshot *now = &heat->window[0];
  PetscReal       fastest = 0.0;

  PetscFunctionBegin;
  for (PetscInt p = 0; p < heat->grid->num_cells; p++) fastest = PetscMax(fastest, PetscAbsReal(now->rate[p] / now->T[p]));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &fastest, 1, MPIU_REAL, MPI_MAX, heat->grid->comm));
  *step = fastest > 0.0 ? 1.0e3 * time_tolerance / fastest : 1.0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode StartTime(SoretHeat heat)
{
  PetscReal *T, step;
  SNES       snes;
  KSP        ksp;
  Mat        J;

  PetscFunctionBegin;
  PetscCall(ForgetSteps(heat));
  if (heat->spec->initial) {
    PetscCall(SoretFieldPrepare(heat->spec->initial, heat->grid, 0.0));
    PetscCall(VecGetArray(heat->T, &T));
    PetscCall(SoretFieldFill(heat->spec->initial, heat->grid, 0.0, NULL, T));
    PetscCall(VecRestoreArray(heat->T, &T));
  } else {
    heat->started = PETSC_FALSE;
    PetscCall(SolveSteady(heat, 0.0));
  }
  PetscCall(DestroySolver(heat));
  PetscCall(CreateOperator(heat, heat->capacity));
  PetscCall(Remember(heat, 0.0));
  PetscCall(FirstStep(heat, &step));
  PetscCall(TSCreate(heat->grid->comm, &heat->ts));
  PetscCall(TSSetOptionsPrefix(heat->ts, "heat_"));
  PetscCall(TSSetDM(heat->ts, heat->dm));
  PetscCall(TSSetType(heat->ts, TSARKIMEX));
  PetscCall(TSARKIMEXSetType(heat->ts, TSARKIMEX4));
  PetscCall(TSARKIMEXSetFullyImplicit(heat->ts, PETSC_TRUE));
  PetscCall(TSSetIFunction(heat->ts, NULL, TimeResidual, heat));
  J = heat->J ? heat->J : SoretEllipticMatrix(heat->elliptic);
  PetscCall(TSSetIJacobian(heat->ts, J, J, TimeJacobian, heat));
  PetscCall(TSSetTolerances(heat->ts, 0.0, NULL, time_tolerance, NULL));
  PetscCall(TSSetMaxTime(heat->ts, 0.5 * PETSC_MAX_REAL));
  PetscCall(TSSetMaxSteps(heat->ts, PETSC_MAX_INT));
  PetscCall(TSSetExactFinalTime(heat->ts, TS_EXACTFINALTIME_STEPOVER));
  PetscCall(TSSetTimeStep(heat->ts, step));
  PetscCall(TSGetSNES(heat->ts, &snes));
  PetscCall(SNESSetTolerances(snes, 0.0, 1.0e-10, 1.0e-14, 20, PETSC_DEFAULT));
  PetscCall(SNESGetKSP(snes, &ksp));
  PetscCall(SetSolver(heat, PETSC_FALSE, ksp));
  PetscCall(TSSetFromOptions(heat->ts));
  PetscCall(TSSetSolution(heat->ts, heat->T));
  PetscCall(TSSetUp(heat->ts));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscReal LastTime(const SoretHeat heat)
{
  return heat->window[(heat->num_steps - 1) % WINDOW].t;
}

static PetscErrorCode StepTo(SoretHeat heat, PetscReal t)
{
  TSConvergedReason reason;
  PetscReal         now;

  PetscFunctionBegin;
  while (LastTime(heat) < t) {
    PetscCall(TSStep(heat->ts));
    PetscCall(TSGetConvergedReason(heat->ts, &reason));
    PetscCall(TSGetTime(heat->ts, &now));
    if ((reason < 0 || !(now > LastTime(heat))) && heat->elliptic) { /* from the beginning, with a matrix */
      heat->assembled = PETSC_TRUE;
      PetscCall(StartTime(heat));
      continue;
    }
    if (reason < 0 || !(now > LastTime(heat))) {
      PetscCall(PetscFPrintf(heat->grid->comm, stderr, "soret: the heat equation could not be integrated beyond t = %g (%s); try -heat_ts_monitor, -heat_snes_monitor\n", (double)LastTime(heat), TSConvergedReasons[reason]));
      PetscFunctionReturn(SORET_ERR_NOT_CONVERGED);
    }
    PetscCall(Remember(heat, now));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Cubic in time between two steps, with the rates of change at both (Hermite): of the order of the error of a step, and linear in what is conserved. */
static void Interpolate(const SoretHeat heat, const Snapshot *a, const Snapshot *b, PetscReal t, PetscReal T[], PetscReal rate[])
{
  const PetscReal h = b->t - a->t, s = h > 0.0 ? (t - a->t) / h : 0.0;
  const PetscReal w[4] = {(1.0 + 2.0 * s) * (1.0 - s) * (1.0 - s), s * s * (3.0 - 2.0 * s), h * s * (1.0 - s) * (1.0 - s), h * s * s * (s - 1.0)};
  const PetscReal v[4] = {h > 0.0 ? 6.0 * s * (s - 1.0) / h : 0.0, h > 0.0 ? 6.0 * s * (1.0 - s) / h : 0.0, (1.0 - s) * (1.0 - 3.0 * s), s * (3.0 * s - 2.0)};

  for (PetscInt p = 0; p < heat->grid->num_cells; p++) {
    T[p]    = w[0] * a->T[p] + w[1] * b->T[p] + w[2] * a->rate[p] + w[3] * b->rate[p];
    rate[p] = v[0] * a->T[p] + v[1] * b->T[p] + v[2] * a->rate[p] + v[3] * b->rate[p];
  }
}

static PetscErrorCode FillInTime(SoretHeat heat, PetscReal t, PetscReal T[])
{
  PetscInt oldest = PetscMax(heat->num_steps - WINDOW, 0), n;

  PetscFunctionBegin;
  if (!heat->num_steps || t < heat->window[oldest % WINDOW].t) PetscCall(StartTime(heat));
  PetscCall(StepTo(heat, t));
  oldest = PetscMax(heat->num_steps - WINDOW, 0);
  n      = heat->num_steps - 1;
  while (n > oldest && heat->window[(n - 1) % WINDOW].t >= t) n--;
  Interpolate(heat, &heat->window[PetscMax(n - 1, oldest) % WINDOW], &heat->window[n % WINDOW], t, T, heat->rate);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- filling ---- */

PetscErrorCode SoretHeatFill(void *context, PetscReal t, PetscReal T[], PetscReal *const wall[6])
{
  SoretHeat        heat = (SoretHeat)context;
  const SoretGrid *grid = heat->grid;
  const PetscReal *x;
  PetscReal        by_own;

  PetscFunctionBegin;
  if (heat->capacity) PetscCall(FillInTime(heat, t, T));
  else {
    PetscCall(SolveSteady(heat, t));
    PetscCall(VecGetArrayRead(heat->T, &x));
    PetscCall(PetscArraycpy(T, x, grid->num_cells));
    PetscCall(VecRestoreArrayRead(heat->T, &x));
  }
  PetscCall(FillCells(heat, t, T));
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < SoretGridCountFace(grid, face); q++) {
      PetscInt local[3];

      SoretGridFaceCell(grid, face, q, local);
      (void)WallInflow(heat, t, face, (local[2] * grid->count[1] + local[1]) * grid->count[0] + local[0], &by_own, &wall[face][q]);
    }
  }
  PetscCall(AgreeOnTrouble(heat));
  PetscCall(PetscArraycpy(heat->filled, T, grid->num_cells));
  heat->filled_t = t;
  if (!heat->capacity && !heat->spec->varies) PetscCall(DestroySolver(heat)); /* not needed again: room for the species */
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- memory ---- */

/* For each cell of the finest grid, doubles and indices: on the coarser grids of multigrid, whose cells are a share of those of the finest; in time, shifted equations. */
static PetscReal CoarseBytes(const SoretHeatSpec *spec, PetscReal dim)
{
  const PetscReal vectors = 5.0 + (spec->in_time ? 1.0 : 0.0), coefficients = dim + 1.0, indices = 6.0; /* state, old, right side, u and its halo, the term of the shift */

  return (8.0 * (vectors + coefficients) + indices * sizeof(PetscInt)) / (exp2(dim) - 1.0);
}

PetscErrorCode SoretHeatEstimateMemory(const SoretHeatSpec *spec, const SoretGridSpec *grid, PetscReal *stays, PetscReal *solving, PetscBool *again)
{
  const PetscReal cells = (PetscReal)grid->n[0] * (PetscReal)grid->n[1] * (PetscReal)grid->n[2], dim = (PetscReal)grid->dim, edges = 1.05; /* halos */
  PetscReal       kept = 7.0, solver = 10.0, finest = 2.0 + dim + 1.0 + 1.0;
  PetscBool       needs = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(NeedsMatrix(spec, grid->dim, grid->n, &needs));
  *again = spec->in_time || spec->varies;
  if (spec->in_time) {
    kept += 2.0 + 2.0 * WINDOW; /* capacity, rate; the steps that are remembered */
    solver = 54.0;              /* stages and their rates, Newton's method, FGMRES, as measured */
    finest += 2.0;              /* capacity again, the term of the shift */
  } else if (spec->varies) kept += 1.0;
  *stays = edges * cells * (8.0 * kept + 6.0 * sizeof(PetscInt)); /* T, residual, step, filled, the values of each cell; a DMDA */
  if (IsSmall(grid->dim, grid->n)) *solving = cells * SoretDirectBytes(grid->dim, cells, 1.0);
  else if (needs) *solving = cells * (360.0 + 32.0 * sizeof(PetscInt) + (spec->in_time ? 8.0 * solver : 0.0)); /* matrix and algebraic multigrid, as measured with 32-bit and 64-bit indices */
  else *solving = edges * cells * (8.0 * (finest + solver) + CoarseBytes(spec, dim));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the budget ---- */

PetscErrorCode SoretHeatGetBudget(SoretHeat heat, SoretHeatBudget *budget)
{
  const SoretGrid *grid = heat->grid;
  PetscReal        part[9] = {0}, all[9]; /* inflow by face, source, stored, gross */

  PetscFunctionBegin;
  PetscCall(SoretFieldPrepare(heat->spec->source, grid, heat->filled_t));
  PetscCall(FillCells(heat, heat->filled_t, heat->filled));
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < SoretGridCountFace(grid, face); q++) {
      PetscInt  local[3];
      PetscReal by_own, wall, inflow;

      SoretGridFaceCell(grid, face, q, local);
      inflow = WallInflow(heat, heat->filled_t, face, (local[2] * grid->count[1] + local[1]) * grid->count[0] + local[0], &by_own, &wall);
      part[face] += inflow;
      part[8] += PetscAbsReal(inflow);
    }
  }
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    PetscInt  ijk[3];
    PetscReal slope, source, stored = heat->rate ? heat->capacity[p] * heat->rate[p] : 0.0;

    SoretGridCellIndex(grid, p, ijk);
    source = SoretGridCellVolume(grid, ijk) * Source(heat, heat->filled_t, p, heat->filled[p], &slope);
    part[6] += source;
    part[7] += stored;
    part[8] += PetscAbsReal(source) + PetscAbsReal(stored);
  }
  PetscCallMPI(MPI_Allreduce(part, all, 9, MPIU_REAL, MPI_SUM, grid->comm));
  budget->defect = all[6] - all[7];
  for (int face = 0; face < 6; face++) {
    budget->inflow[face] = all[face];
    budget->defect += all[face];
  }
  budget->source = all[6];
  budget->stored = all[7];
  budget->gross  = all[8];
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHeatReport(SoretHeat heat)
{
  SoretHeatBudget budget;
  MPI_Comm        comm = heat->grid->comm;

  PetscFunctionBegin;
  PetscCall(SoretHeatGetBudget(heat, &budget));
  PetscCall(SoretSay(comm, "heat at t = %g: source %g", (double)heat->filled_t, (double)budget.source));
  for (int face = 0; face < 2 * heat->grid->dim; face++) {
    if (!heat->grid->periodic[face / 2]) PetscCall(SoretSay(comm, ", %s %g", SoretFaceName(face), (double)budget.inflow[face]));
  }
  if (heat->capacity) PetscCall(SoretSay(comm, ", stored %g", (double)budget.stored));
  PetscCall(SoretSay(comm, " (inwards); defect %.2g\n", (double)(budget.gross > 0.0 ? budget.defect / budget.gross : 0.0)));
  PetscFunctionReturn(PETSC_SUCCESS);
}
