/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/flow.h"

#include <math.h>
#include <stddef.h>

/* ---- the section ---- */

typedef struct {
  const SoretNode *velocity, *slot, *boussinesq;
  SoretExpr        stream;
} FlowSpec;

#define AT(field) offsetof(FlowSpec, field)
static const SoretKey flow_keys[] = {
  {"velocity", SORET_NODE, "m/s", SORET_OPTIONAL, SORET_ANY, AT(velocity), "velocity at the faces, of x y z t, meant divergence-free; the divergence is reported", .syntax = "list of fields, one per axis"},
  {"stream", SORET_FORMULA, "m^2/s", SORET_OPTIONAL, SORET_ANY, AT(stream), "stream function in two dimensions, v = (d/dy, -d/dx): free of divergence on the grid, too, where it is constant on solid", .allowed = SORET_VAR_X | SORET_VAR_Y | SORET_VAR_TIME},
  {"slot", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(slot), "the flow in a tall slot between a cold and a hot wall", .syntax = "map"},
  {"boussinesq", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(boussinesq), "slow flow driven by buoyancy, computed on the grid", .syntax = "map"},
  {.key = NULL}};
#undef AT

#define AT(field) offsetof(SlotSpec, field)
typedef struct {
  int       across, along;
  PetscReal gravity, expansion, viscosity, difference;
} SlotSpec;

static const SoretKey slot_keys[] = {
  {"across", SORET_CHOICE, NULL, "x", SORET_ANY, AT(across), "axis from wall to wall", .choices = "x|y|z"},
  {"along", SORET_CHOICE, NULL, "y", SORET_ANY, AT(along), "axis of the flow, upwards", .choices = "x|y|z"},
  {"gravity", SORET_REAL, "m/s^2", SORET_REQUIRED, SORET_ANY, AT(gravity), "acceleration downwards along that axis"},
  {"expansion", SORET_REAL, "1/K", SORET_REQUIRED, SORET_ANY, AT(expansion), "thermal expansion of the fluid"},
  {"viscosity", SORET_REAL, "m^2/s", SORET_REQUIRED, SORET_POSITIVE, AT(viscosity), "kinematic viscosity"},
  {"difference", SORET_REAL, "difference in K", SORET_REQUIRED, SORET_ANY, AT(difference), "temperature of the wall at the high end of `across` less that of the other"},
  {.key = NULL}};
#undef AT

PetscErrorCode SoretFlowReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`flow` (one of them)", flow_keys));
  PetscCall(SoretKeysPrint(out, "`flow.slot`", slot_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadVelocity(SoretInput in, const SoretNode *list, PetscInt dim, SoretFlowSpec *spec)
{
  PetscFunctionBegin;
  if (list->kind != SORET_NODE_LIST || list->size != dim) {
    PetscCall(SoretInputError(in, list, "expected a list of %" PetscInt_FMT " field%s, one per axis", dim, dim > 1 ? "s" : ""));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt axis = 0; axis < dim; axis++) PetscCall(SoretFieldRead(in, list->item[axis], "m/s", SORET_VAR_SPACE_TIME, &spec->velocity[axis]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadSlot(SoretInput in, const SoretNode *node, PetscInt dim, SoretSlot *slot)
{
  const PetscInt errors = SoretInputCountErrors(in);
  SlotSpec       spec;

  PetscFunctionBegin;
  PetscCall(SoretInputReadMap(in, node, node, "'slot'", slot_keys, &spec));
  if (SoretInputCountErrors(in) > errors) PetscFunctionReturn(PETSC_SUCCESS);
  if (spec.across == spec.along || spec.across >= dim || spec.along >= dim) PetscCall(SoretInputError(in, node, "'across' and 'along' must be two different axes of this case; they are %c and %c", SORET_AXIS_NAMES[spec.across], SORET_AXIS_NAMES[spec.along]));
  slot->across     = spec.across;
  slot->along      = spec.along;
  slot->gravity    = spec.gravity;
  slot->expansion  = spec.expansion;
  slot->viscosity  = spec.viscosity;
  slot->difference = spec.difference;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFlowSpecRead(SoretInput in, const SoretNode *node, const SoretGridSpec *grid, SoretFlowSpec *spec)
{
  const PetscInt errors = SoretInputCountErrors(in);
  FlowSpec       flow;
  int            ways;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  if (!node || SoretNodeIsNull(node)) PetscFunctionReturn(PETSC_SUCCESS);
  spec->node = node;
  PetscCall(SoretInputReadMap(in, node, node, "section 'flow'", flow_keys, &flow));
  spec->stream     = flow.stream;
  spec->boussinesq = flow.boussinesq;
  ways             = (flow.velocity != NULL) + (flow.stream != NULL) + (flow.slot != NULL) + (flow.boussinesq != NULL);
  if (SoretInputCountErrors(in) > errors) PetscFunctionReturn(PETSC_SUCCESS);
  if (ways != 1) PetscCall(SoretInputError(in, node, "section 'flow' needs exactly one of 'velocity', 'stream', 'slot' or 'boussinesq'"));
  else if (flow.velocity) PetscCall(ReadVelocity(in, flow.velocity, grid->dim, spec));
  else if (flow.slot) PetscCall(ReadSlot(in, flow.slot, grid->dim, &spec->slot));
  if (flow.stream && grid->dim != 2) PetscCall(SoretInputError(in, SoretNodeFind(node, "stream"), "a stream function needs two dimensions, this case has %" PetscInt_FMT, grid->dim));
  if (ways == 1) spec->kind = flow.velocity ? SORET_FLOW_VELOCITY : flow.stream ? SORET_FLOW_STREAM : flow.slot ? SORET_FLOW_SLOT : SORET_FLOW_BOUSSINESQ;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFlowSpecDestroy(SoretFlowSpec *spec)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) PetscCall(SoretFieldDestroy(&spec->velocity[axis]));
  PetscCall(SoretExprDestroy(&spec->stream));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFlowCheck(SoretInput in, MPI_Comm comm, PetscInt dim, const SoretFlowSpec *spec)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) PetscCall(SoretFieldCheck(in, comm, dim, spec->velocity[axis]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- velocities at faces ---- */

/* int of the cubic over s' < s, s = (x - x_0)/width in 0..1: v = -g beta dT d^2/(6 nu) (r^3 - r/4), r = s - 1/2. */
static PetscReal SlotIntegral(const SoretSlot *slot, PetscReal width, PetscReal s)
{
  const PetscReal r = s - 0.5;

  return -slot->gravity * slot->expansion * slot->difference * width * width / (6.0 * slot->viscosity) * (0.25 * r * r * r * r - 0.125 * r * r);
}

/* Velocity normal to the face whose lower cell index along the axis is ijk[axis] (global; the face is the lower one of that cell). */
static PetscReal VelocityAt(const SoretFlow *flow, int axis, const PetscInt ijk[3])
{
  const SoretGrid     *grid = flow->grid;
  const SoretFlowSpec *spec = flow->spec;

  if (spec->kind == SORET_FLOW_SLOT) { /* its mean over the face, so that nothing flows on the whole */
    const PetscInt  a = spec->slot.across, i = ijk[a];
    const PetscReal s0 = (grid->edge[a][i] - grid->origin[a]) / grid->size[a], s1 = (grid->edge[a][i + (a == axis ? 0 : 1)] - grid->origin[a]) / grid->size[a];

    return axis == spec->slot.along ? (SlotIntegral(&spec->slot, grid->size[a], s1) - SlotIntegral(&spec->slot, grid->size[a], s0)) / (s1 - s0) : 0.0;
  }
  if (spec->kind == SORET_FLOW_STREAM) {
    SoretPoint corner[2] = {{.t = flow->t}, {.t = flow->t}};
    const int  other     = 1 - axis;

    for (int e = 0; e < 2; e++) {
      corner[e].x[axis]  = grid->edge[axis][ijk[axis]];
      corner[e].x[other] = grid->edge[other][ijk[other] + e];
    }
    return (axis == 0 ? 1.0 : -1.0) * (SoretExprEvaluate(spec->stream, &corner[1]) - SoretExprEvaluate(spec->stream, &corner[0])) / grid->width[other][ijk[other]];
  }
  SoretPoint point = {.t = flow->t};

  for (int k = 0; k < grid->dim; k++) point.x[k] = k == axis ? grid->edge[k][ijk[k]] : grid->center[k][ijk[k]];
  return SoretFieldEvaluate(spec->velocity[axis], &point);
}

static PetscErrorCode FillFromSpec(SoretFlow *flow)
{
  const SoretGrid *grid = flow->grid;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    const PetscInt m[3] = {grid->count[0] + (axis == 0), grid->count[1] + (axis == 1), grid->count[2] + (axis == 2)};

    if (flow->spec->kind == SORET_FLOW_VELOCITY) PetscCall(SoretFieldPrepare(flow->spec->velocity[axis], grid, flow->t));
    for (PetscInt q = 0; q < SoretFlowCountFaces(grid, axis); q++) {
      PetscInt ijk[3] = {grid->start[0] + q % m[0], grid->start[1] + q / m[0] % m[1], grid->start[2] + q / m[0] / m[1]};

      if (grid->periodic[axis] && ijk[axis] == grid->n[axis]) ijk[axis] = 0; /* the same face */
      flow->v[axis][q] = VelocityAt(flow, axis, ijk);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void CloseFaces(SoretFlow *flow)
{
  for (PetscInt p = 0; flow->grid->closed && p < flow->grid->num_cells; p++) {
    for (int face = 0; face < 2 * flow->grid->dim; face++) {
      if (SoretGridIsClosed(flow->grid, p, face)) flow->v[face / 2][SoretFlowFace(flow->grid, face, p)] = 0.0;
    }
  }
}

/* Largest velocity and divergence; values that are no numbers are refused. */
static PetscErrorCode Judge(SoretFlow *flow)
{
  const SoretGrid *grid = flow->grid;
  PetscReal        part[4] = {0.0, 0.0, 0.0, 0.0}, all[4]; /* velocity, net outflow, flow through a face, bad */

  PetscFunctionBegin;
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    PetscReal net = 0.0;
    PetscInt  ijk[3];

    if (SoretGridIsSolid(grid, p)) continue;
    SoretGridCellIndex(grid, p, ijk);
    for (int face = 0; face < 2 * grid->dim; face++) {
      const PetscReal v = flow->v[face / 2][SoretFlowFace(grid, face, p)], through = SoretGridFaceArea(grid, face / 2, ijk) * v;

      if (!isfinite(v)) part[3] = 1.0;
      part[0] = PetscMax(part[0], PetscAbsReal(v));
      part[2] = PetscMax(part[2], PetscAbsReal(through));
      net += face % 2 ? through : -through;
    }
    part[1] = PetscMax(part[1], PetscAbsReal(net));
  }
  PetscCallMPI(MPI_Allreduce(part, all, 4, MPIU_REAL, MPI_MAX, grid->comm));
  flow->largest    = all[0];
  flow->divergence = all[2] > 0.0 ? all[1] / all[2] : 0.0;
  if (all[3] == 0.0) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretComplain(grid->comm, "soret: the velocity of 'flow' is not finite everywhere at t = %g\n", (double)flow->t));
  PetscFunctionReturn(SORET_ERR_INPUT);
}

/* Walls that nothing flows through but what rounding leaves, as of a stream function sin(pi x), are closed to the flow: what could leave there would be told
   from what cannot by nothing else. */
static void CloseWalls(SoretFlow *flow)
{
  const PetscReal rounding = 1.0e-13;

  for (int face = 0; face < 2 * flow->grid->dim; face++) {
    for (PetscInt q = 0; q < SoretGridCountFace(flow->grid, face); q++) {
      PetscInt   ijk[3];
      PetscReal *v;

      SoretGridFaceCell(flow->grid, face, q, ijk);
      v = &flow->v[face / 2][SoretFlowFace(flow->grid, face, SoretGridCellNumber(flow->grid, ijk))];
      if (PetscAbsReal(*v) <= rounding * flow->largest) *v = 0.0;
    }
  }
}

static PetscErrorCode Fill(void *values, PetscReal t)
{
  SoretFlow *flow = (SoretFlow *)values;

  PetscFunctionBegin;
  flow->t = t;
  if (flow->filler) PetscCall(flow->filler(flow->context, t, flow->v));
  else PetscCall(FillFromSpec(flow));
  CloseFaces(flow);
  PetscCall(Judge(flow));
  CloseWalls(flow);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Allocate(const SoretGrid *grid, SoretFlow *flow)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(flow, sizeof(*flow)));
  flow->grid = grid;
  for (int axis = 0; axis < grid->dim; axis++) PetscCall(PetscCalloc1(SoretFlowCountFaces(grid, axis), &flow->v[axis]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFlowCreate(const SoretGrid *grid, const SoretFlowSpec *spec, PetscReal t, SoretFlow *flow)
{
  unsigned uses = SoretExprUses(spec->stream);

  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) uses |= SoretFieldUses(spec->velocity[axis]);
  PetscCall(Allocate(grid, flow));
  flow->spec   = spec;
  flow->varies = uses & SORET_VAR_TIME ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(Fill(flow, t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFlowCreateFilled(const SoretGrid *grid, SoretFlowFiller filler, void *context, PetscBool varies, PetscReal t, SoretFlow *flow)
{
  PetscFunctionBegin;
  PetscCall(Allocate(grid, flow));
  flow->filler  = filler;
  flow->context = context;
  flow->varies  = varies;
  PetscCall(Fill(flow, t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFlowDestroy(SoretFlow *flow)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) PetscCall(PetscFree(flow->v[axis]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFlowSetTime(SoretFlow *flow, PetscReal t, PetscBool *changed)
{
  PetscFunctionBegin;
  PetscCall(SoretFollowTime(flow->varies, flow->t, t, Fill, flow, changed));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFlowReport(const SoretFlow *flow)
{
  const PetscReal tolerated = 1.0e-9;
  const char     *remedy    = flow->spec && flow->spec->kind != SORET_FLOW_VELOCITY ? "solid stands in its way, or it does not fit a periodic axis; a stream function that is constant on solid and periodic there" : "a stream function ('stream')";

  PetscFunctionBegin;
  PetscCall(SoretSay(flow->grid->comm, "flow: largest velocity at a face %g, divergence %.2g of the largest flow through one\n", (double)flow->largest, (double)flow->divergence));
  if (flow->divergence > tolerated) PetscCall(SoretSay(flow->grid->comm, "warning: the flow is not free of divergence on this grid: concentrations are conserved, but a uniform one does not stay uniform; %s or 'boussinesq' is free of it\n", remedy));
  PetscFunctionReturn(PETSC_SUCCESS);
}
