/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/boundary.h"

#include <math.h>
#include <stddef.h>

#include "kernel.h"

static const char *const condition_names[] = {"zero total flux", "value", "flux", "transfer", "outflow"};

const char *SoretConditionName(SoretConditionKind kind)
{
  return condition_names[kind];
}

/* ---- the section `boundaries` ---- */

typedef struct {
  SoretExpr        value, flux, transfer, outside;
  PetscBool        outflow;
} ConditionSpec;

#define AT(field) offsetof(ConditionSpec, field)
static const SoretKey condition_keys[] = {
  {"value", SORET_FORMULA, "mol/m^3", SORET_OPTIONAL, SORET_NONNEGATIVE, AT(value), "concentration at the face", .allowed = SORET_VAR_ALL},
  {"flux", SORET_FORMULA, "mol/m^2/s", SORET_OPTIONAL, SORET_ANY, AT(flux), "total flux, positive inwards", .allowed = SORET_VAR_ALL},
  {"transfer", SORET_FORMULA, "m/s", SORET_OPTIONAL, SORET_NONNEGATIVE, AT(transfer), "h: the total flux into the domain is h (outside - c at the face)", .allowed = SORET_VAR_ALL},
  {"outside", SORET_FORMULA, "mol/m^3", SORET_OPTIONAL, SORET_NONNEGATIVE, AT(outside), "concentration outside, with `transfer`", .allowed = SORET_VAR_ALL},
  {"outflow", SORET_BOOL, NULL, "false", SORET_ANY, AT(outflow), "no diffusive flux: only the velocity carries the species out"},
  {.key = NULL}};

PetscErrorCode SoretBoundaryReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`boundaries.x-.NAME` (faces x- x+ y- y+ z- z+; zero total flux where nothing stands)", condition_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadCondition(SoretInput in, const SoretNode *node, const SoretNode *parent, const char *what, SoretCondition *condition)
{
  const PetscInt errors = SoretInputCountErrors(in);
  ConditionSpec  spec;
  PetscInt       ways;

  PetscFunctionBegin;
  PetscCall(SoretInputReadMap(in, node, parent, what, condition_keys, &spec));
  condition->node = node;
  ways            = (spec.value != NULL) + (spec.flux != NULL) + (spec.transfer != NULL) + (spec.outflow ? 1 : 0);
  if (SoretInputCountErrors(in) == errors) {
    if (ways != 1) PetscCall(SoretInputError(in, node, "%s needs exactly one of 'value', 'flux', 'transfer' or 'outflow'", what));
    else if (spec.transfer && !spec.outside) PetscCall(SoretInputError(in, node, "'transfer' needs the key 'outside'"));
    else if (!spec.transfer && spec.outside) PetscCall(SoretInputError(in, node, "'outside' belongs to 'transfer'"));
  }
  condition->kind    = spec.value ? SORET_VALUE : spec.flux ? SORET_FLUX : spec.transfer ? SORET_TRANSFER : spec.outflow ? SORET_OUTFLOW : SORET_CLOSED;
  condition->value   = spec.value ? spec.value : spec.flux ? spec.flux : spec.transfer;
  condition->outside = spec.outside;
  if (ways > 1) { /* keep what is kept, free the rest */
    if (spec.flux && condition->value != spec.flux) PetscCall(SoretExprDestroy(&spec.flux));
    if (spec.transfer && condition->value != spec.transfer) PetscCall(SoretExprDestroy(&spec.transfer));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadFace(SoretInput in, const SoretNode *key, const SoretNode *map, const SoretGridSpec *grid, const SoretModel *model, SoretBoundarySpec *spec)
{
  const char *names[SORET_MAX_SPECIES];
  int         face;

  PetscFunctionBegin;
  PetscCall(SoretGridReadFace(in, key, grid, &face));
  if (face < 0) PetscFunctionReturn(PETSC_SUCCESS);
  if (map->kind != SORET_NODE_MAP) {
    PetscCall(SoretInputError(in, map, "expected a map of species to condition, as in {A: {value: 1.0}}"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt i = 0; i < model->num_species; i++) names[i] = model->species[i].name;
  for (PetscInt k = 0; k < map->size; k++) {
    const PetscInt i = SoretModelFind(model, map->key[k]->text);
    char           what[SORET_NAME_LENGTH + 40];

    if (i < 0) {
      PetscCall(SoretInputError(in, map->key[k], "'%s' is not a species of this case%s", map->key[k]->text, SoretSuggest(map->key[k]->text, model->num_species, names).text));
      continue;
    }
    PetscCall(PetscSNPrintf(what, sizeof(what), "condition of '%s' at %s", names[i], SoretFaceName(face)));
    PetscCall(ReadCondition(in, map->item[k], map->key[k], what, &spec->condition[face * spec->num_species + i]));
    if (SoretModelIsImmobile(model, i)) PetscCall(SoretInputError(in, map->key[k], "species '%s' does not move (diffusivity 0): it takes no boundary condition", names[i]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretBoundarySpecRead(SoretInput in, const SoretGridSpec *grid, const SoretModel *model, SoretBoundarySpec *spec)
{
  const SoretNode *map = SoretNodeFind(SoretInputRoot(in), "boundaries");
  PetscInt         num;

  PetscFunctionBegin;
  spec->num_species = model->num_species;
  PetscCall(PetscCalloc1(6 * PetscMax(model->num_species, 1), &spec->condition));
  if (model->num_species == 0) PetscFunctionReturn(PETSC_SUCCESS); /* every name in it would be unknown */
  PetscCall(SoretInputEntries(in, map, SORET_NODE_MAP, "expected a map of faces, as in {x-: {A: {value: 1.0}}}", &num));
  for (PetscInt k = 0; k < num; k++) PetscCall(ReadFace(in, map->key[k], map->item[k], grid, model, spec));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretBoundarySpecDestroy(SoretBoundarySpec *spec)
{
  PetscFunctionBegin;
  if (!spec->condition) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt k = 0; k < 6 * spec->num_species; k++) {
    PetscCall(SoretExprDestroy(&spec->condition[k].value));
    PetscCall(SoretExprDestroy(&spec->condition[k].outside));
  }
  PetscCall(PetscFree(spec->condition));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SoretBoundaryMayOpen(const SoretBoundarySpec *spec, PetscBool open[])
{
  for (PetscInt i = 0; i < spec->num_species; i++) {
    open[i] = PETSC_FALSE;
    for (int face = 0; face < 6; face++) open[i] = open[i] || SoretConditionMayPass(SoretBoundaryCondition(spec, face, i)->kind) ? PETSC_TRUE : PETSC_FALSE;
  }
}

/* ---- coefficients ---- */

PetscErrorCode SoretBoundaryCreate(const SoretBoundarySpec *spec, const SoretModel *model, const SoretGrid *grid, SoretBoundary *boundary)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(boundary, sizeof(*boundary)));
  boundary->spec  = spec;
  boundary->model = model;
  boundary->grid  = grid;
  for (int face = 0; face < 2 * grid->dim; face++) {
    PetscBool any = PETSC_FALSE;
    PetscInt  n;

    for (PetscInt i = 0; i < spec->num_species; i++) {
      const SoretCondition *condition = SoretBoundaryCondition(spec, face, i);

      if (condition->kind != SORET_CLOSED) any = PETSC_TRUE;
      if ((SoretExprUses(condition->value) | SoretExprUses(condition->outside)) & SORET_VAR_TIME) boundary->varies = PETSC_TRUE;
    }
    if (!any || !SoretGridHasWall(grid, face / 2, face % 2)) continue;
    boundary->open      = PETSC_TRUE;
    boundary->num[face] = SoretGridCountFace(grid, face);
    n = boundary->num[face] * spec->num_species;
    PetscCall(PetscCalloc4(n, &boundary->alpha[face], n, &boundary->beta[face], n, &boundary->half[face], n, &boundary->mirror[face]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretBoundaryDestroy(SoretBoundary *boundary)
{
  PetscFunctionBegin;
  for (int face = 0; face < 6; face++) {
    if (boundary->num[face]) PetscCall(PetscFree4(boundary->alpha[face], boundary->beta[face], boundary->half[face], boundary->mirror[face]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Points at the face and at the centre of the cell, with their temperatures. */
static void FacePoints(const SoretBoundary *boundary, const SoretTemperature *temperature, int face, PetscInt q, const PetscInt local[3], SoretPoint *wall, SoretPoint *cell)
{
  const SoretGrid *grid = boundary->grid;
  const int        axis = face / 2;

  for (int k = 0; k < 3; k++) cell->x[k] = k < grid->dim ? grid->center[k][grid->start[k] + local[k]] : 0.0;
  cell->t       = temperature->t;
  cell->T       = SoretHaloValue(&temperature->halo, temperature->T, local);
  *wall         = *cell;
  wall->x[axis] = grid->edge[axis][face % 2 ? grid->n[axis] : 0];
  wall->T       = temperature->wall[face][q];
}

/* Flux per area through the half cell between wall and centre, positive inwards: lo u_wall - hi u_cell, for velocity v inwards. */
static void HalfCell(const SoretModel *model, PetscInt i, const SoretPoint *wall, const SoretPoint *cell, PetscReal distance, PetscReal v, PetscReal *from_wall, PetscReal *from_cell, PetscReal *b_wall, PetscReal *b_cell)
{
  PetscReal a_wall, a_cell, w, g;

  SoretModelTransport(model, i, wall, &a_wall, b_wall);
  SoretModelTransport(model, i, cell, &a_cell, b_cell);
  g = SoretConductance(a_wall, 0.5 * distance, a_cell, 0.5 * distance);
  w = v * 0.5 * (1.0 / *b_wall + 1.0 / *b_cell);
  SoretFitted(g, w, &g);
  *from_wall = g + 0.5 * w;
  *from_cell = g - 0.5 * w;
}

/* alpha, beta and half per area of one species in one cell, with the velocity of the fluid along the axis there (docs/numerics.md, "Boundaries"). */
static void Affine(const SoretBoundary *boundary, int face, PetscInt i, PetscReal flow, const SoretPoint *wall, const SoretPoint *cell, PetscReal *alpha, PetscReal *beta, PetscReal *half, PetscReal *mirror)
{
  const SoretCondition *condition = SoretBoundaryCondition(boundary->spec, face, i);
  const SoretSpecies   *species   = &boundary->model->species[i];
  const SoretGrid      *grid      = boundary->grid;
  const int             axis      = face / 2;
  const PetscReal       inwards   = (face % 2 ? -1.0 : 1.0) * ((species->velocity.n ? species->velocity.value[axis] : 0.0) + (species->diffuses ? flow : 0.0));
  const PetscReal       value     = condition->value ? SoretExprEvaluate(condition->value, wall) : 0.0;
  const PetscReal       outside   = condition->outside ? SoretExprEvaluate(condition->outside, wall) : 0.0;
  PetscReal             from_wall, from_cell, b_wall, b_cell;

  *alpha = *beta = *half = 0.0;
  *mirror = 1.0;
  if (condition->kind == SORET_CLOSED) return;
  if (condition->kind == SORET_FLUX) {
    *beta = value;
    if (!species->diffuses) return;
  }
  if (condition->kind == SORET_OUTFLOW) {
    if (species->diffuses) { /* ballistic species: by their own face value, in the operator */
      PetscReal a;

      SoretModelTransport(boundary->model, i, wall, &a, &b_wall);
      SoretModelTransport(boundary->model, i, cell, &a, &b_cell);
      *alpha = PetscMax(-inwards, 0.0) * b_cell / b_wall; /* no diffusive flux: u = b c goes on, not c */
    }
    return;
  }
  if (!species->diffuses) { /* ballistic: what comes in is prescribed, what leaves is the operator's */
    if (condition->kind == SORET_VALUE) *beta = PetscMax(inwards, 0.0) * value;
    else if (inwards > 0.0) *beta = inwards * value / (value + inwards) * outside; /* inwards c_face = h (outside - c_face) */
    else { /* what comes to the wall and does not pass piles up in the cell */
      *beta  = value * outside;
      *alpha = value;
    }
    return;
  }
  HalfCell(boundary->model, i, wall, cell, grid->distance[axis][face % 2 ? grid->n[axis] : 0], inwards, &from_wall, &from_cell, &b_wall, &b_cell);
  if (inwards == 0.0) *half = from_wall;
  if (condition->kind == SORET_VALUE) {
    *beta   = from_wall * b_wall * value;
    *alpha  = from_cell * b_cell;
    *mirror = -1.0;
  } else if (condition->kind == SORET_TRANSFER) { /* the value at the face follows from h (outside - c_face) = flux through the half cell */
    const PetscReal share = value > 0.0 ? value / (value + from_wall * b_wall) : 0.0; /* from_wall is 0 against a strong flow */

    *beta  = share * from_wall * b_wall * outside;
    *alpha = share * from_cell * b_cell;
    *mirror = 1.0 - 2.0 * share;
  }
}

/* What one condition may bring about until `end`, as below. */
static PetscReal Brings(const SoretCondition *condition, SoretPoint wall, PetscReal end, PetscReal length)
{
  enum { TIMES = 8 };
  const SoretExpr expr   = condition->kind == SORET_TRANSFER ? condition->outside : condition->value;
  PetscReal       amount = 0.0;

  for (int n = 0; n <= TIMES && expr; n++) {
    PetscReal value;

    wall.t = end * n / TIMES;
    value  = PetscAbsReal(SoretExprEvaluate(expr, &wall)) * (condition->kind == SORET_FLUX ? end / length : 1.0);
    if (isfinite(value)) amount = PetscMax(amount, value);
    if (!(SoretExprUses(expr) & SORET_VAR_TIME)) break;
  }
  return amount;
}

PetscErrorCode SoretBoundaryBrings(const SoretBoundary *boundary, const SoretTemperature *temperature, PetscReal end, PetscReal amount[])
{
  const SoretGrid *grid = boundary->grid;
  const PetscInt   ns   = boundary->spec->num_species;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(amount, ns));
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < boundary->num[face]; q++) {
      SoretPoint wall, cell;
      PetscInt   local[3];

      SoretGridFaceCell(grid, face, q, local);
      if (SoretGridIsSolid(grid, SoretGridCellNumber(grid, local))) continue;
      FacePoints(boundary, temperature, face, q, local, &wall, &cell);
      for (PetscInt i = 0; i < ns; i++) amount[i] = PetscMax(amount[i], Brings(SoretBoundaryCondition(boundary->spec, face, i), wall, end, grid->size[face / 2]));
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, amount, (PetscMPIInt)ns, MPIU_REAL, MPI_MAX, grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where a condition is not usable first on this rank. */
static void DescribeBad(const SoretBoundary *boundary, int face, PetscInt i, const SoretPoint *wall, PetscReal alpha, PetscReal beta, size_t size, char text[])
{
  (void)snprintf(text, size, "soret: the boundary condition of species '%s' at %s is not usable at (%g, %g, %g), t = %g, T = %g: coefficients %g and %g; concentrations and transfer coefficients must be finite and not negative\n", boundary->model->species[i].name, SoretFaceName(face), (double)wall->x[0], (double)wall->x[1], (double)wall->x[2], (double)wall->t, (double)wall->T, (double)alpha, (double)beta);
}

PetscErrorCode SoretBoundaryUpdate(SoretBoundary *boundary, const SoretTemperature *temperature, PetscReal t)
{
  const SoretGrid *grid = boundary->grid;
  const PetscInt   ns   = boundary->spec->num_species;
  char             trouble[512] = "";

  PetscFunctionBegin;
  for (int face = 0; face < 2 * grid->dim; face++) {
    for (PetscInt q = 0; q < boundary->num[face]; q++) {
      PetscInt   local[3], global[3], p;
      SoretPoint wall, cell;
      PetscReal  area, flow;

      SoretGridFaceCell(grid, face, q, local);
      for (int k = 0; k < 3; k++) global[k] = grid->start[k] + local[k];
      FacePoints(boundary, temperature, face, q, local, &wall, &cell);
      wall.t = cell.t = t;
      p               = SoretGridCellNumber(grid, local);
      area            = SoretGridIsSolid(grid, p) ? 0.0 : SoretGridFaceArea(grid, face / 2, global);
      flow            = boundary->flow ? boundary->flow->v[face / 2][SoretFlowFace(grid, face, p)] : 0.0;
      for (PetscInt i = 0; i < ns; i++) {
        const SoretConditionKind kind = SoretBoundaryCondition(boundary->spec, face, i)->kind;
        PetscReal                alpha, beta, half;

        Affine(boundary, face, i, flow, &wall, &cell, &alpha, &beta, &half, &boundary->mirror[face][q * ns + i]);
        if (!*trouble && (!isfinite(alpha) || !isfinite(beta) || alpha < 0.0 || (kind != SORET_FLUX && beta < 0.0))) DescribeBad(boundary, face, i, &wall, alpha, beta, sizeof(trouble), trouble);
        boundary->alpha[face][q * ns + i] = area * alpha;
        boundary->beta[face][q * ns + i]  = area * beta;
        boundary->half[face][q * ns + i]  = area * half;
      }
    }
  }
  PetscCall(SoretFailTogether(grid->comm, trouble));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscBool SoretBoundaryPasses(const SoretBoundary *boundary, int face, PetscInt q, PetscInt s)
{
  const SoretSpecies *species  = &boundary->model->species[s];
  const PetscReal     outwards = species->velocity.n ? (face % 2 ? 1.0 : -1.0) * species->velocity.value[face / 2] : 0.0;
  PetscInt            ijk[3];

  if (boundary->alpha[face][q * boundary->spec->num_species + s] > 0.0) return PETSC_TRUE;
  if (species->diffuses || !SoretConditionLetsLeave(SoretBoundaryCondition(boundary->spec, face, s)->kind) || !(outwards > 0.0)) return PETSC_FALSE;
  SoretBoundaryCell(boundary->grid, face, q, ijk); /* a ballistic species leaves by the operator */
  return SoretGridIsSolid(boundary->grid, SoretGridCellNumber(boundary->grid, ijk)) ? PETSC_FALSE : PETSC_TRUE;
}

PetscErrorCode SoretBoundaryFindOpen(const SoretBoundary *boundary, PetscBool open[])
{
  const PetscInt ns = boundary->spec->num_species;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(open, ns));
  for (int face = 0; face < 6; face++) {
    for (PetscInt q = 0; q < boundary->num[face] * ns; q++) open[q % ns] = open[q % ns] || SoretBoundaryPasses(boundary, face, q / ns, q % ns) ? PETSC_TRUE : PETSC_FALSE;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, open, (PetscMPIInt)ns, SORET_MPI_BOOL, MPI_LOR, boundary->grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}
