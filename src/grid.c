/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/grid.h"

#include <math.h>
#include <stddef.h>

#include "soret/record.h"

/* ---- the section `domain` ---- */

enum { MOST_GRADED = 10000000 }; /* cells of an axis whose edges are computed before the size of the problem is judged */

static const char *const face_names[] = {"x-", "x+", "y-", "y+", "z-", "z+"};

typedef struct {
  SoretReals       size, cells, origin;
  const SoretNode *periodic, *edges, *grading, *solid;
  int              solid_pockets;
} DomainSpec;

/* Lx, Ly and Lz in formulas; 1 along an axis that is not there. */
static PetscErrorCode DefineLengths(SoretInput in, const SoretReals *size)
{
  static const char *const names[] = {"Lx", "Ly", "Lz"};

  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) PetscCall(SoretInputDefine(in, names[axis], axis < size->n ? size->value[axis] : 1.0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The first row of its table, so that the others may use the lengths. */
static PetscErrorCode ReadSize(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest)
{
  static const SoretReals none = {0, NULL};
  const SoretKey          row  = {key->key, SORET_REALS, key->unit, SORET_REQUIRED, SORET_POSITIVE, 0, key->meaning};
  PetscBool               ok;

  PetscFunctionBegin;
  PetscCall(SoretInputReadValue(in, node, &row, dest, &ok));
  PetscCall(DefineLengths(in, ok ? (const SoretReals *)dest : &none)); /* a bad size is one mistake, its uses are none */
  PetscFunctionReturn(PETSC_SUCCESS);
}

#define AT(field) offsetof(DomainSpec, field)
static const SoretKey domain_keys[] = {
  {"size", SORET_CUSTOM, "m", SORET_REQUIRED, SORET_POSITIVE, AT(size), "extent along each axis; one, two or three entries set the dimension of the problem", .parse = ReadSize, .syntax = "list of numbers, positive"},
  {"cells", SORET_REALS, "1", SORET_REQUIRED, SORET_POSITIVE, AT(cells), "number of cells along each axis"},
  {"origin", SORET_REALS, "m", SORET_OPTIONAL, SORET_ANY, AT(origin), "coordinates of the lower corner (default 0)"},
  {"periodic", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(periodic), "axes along which the box is periodic", .syntax = "list of axes: `[x, z]`"},
  {"edges", SORET_NODE, "m", SORET_OPTIONAL, SORET_ANY, AT(edges), "edges of the cells along an axis, cells + 1 increasing numbers from the origin over the size", .syntax = "map: `{x: [..]}`"},
  {"grading", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(grading), "graded cells along an axis. `ratio`: width of the last cell over that of the first, a geometric series; `tanh: b`: finer at both ends, edges at (1 + tanh(b (2 s - 1))/tanh(b))/2", .syntax = "map: `{x: {ratio: r}}` or `{x: {tanh: b}}`"},
  {"solid", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(solid), "cells closed to all species. Formula of x, y, z: solid where it is > 0 at the centre of the cell; or a dataset of 0..1 on the same box, averaged to a fraction per cell, solid from 0.5", .syntax = "field"},
  {"solid_pockets", SORET_CHOICE, NULL, "keep", SORET_ANY, AT(solid_pockets), "fluid that solid cuts off from the largest connected part: `keep` it with its own totals, or `fill` it with solid", .choices = "keep|fill"},
  {.key = NULL}};

typedef struct {
  SoretOptional ratio, tanh;
} GradingSpec;
static const SoretKey grading_keys[] = {
  {"ratio", SORET_REAL, "1", SORET_OPTIONAL, SORET_BETWEEN(1.0e-6, 1.0e6), offsetof(GradingSpec, ratio), "width of the last cell over that of the first"},
  {"tanh", SORET_REAL, "1", SORET_OPTIONAL, SORET_BETWEEN(1.0e-6, 15.0), offsetof(GradingSpec, tanh), "strength of the refinement at both ends"},
  {.key = NULL}};

PetscErrorCode SoretGridReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`domain`", domain_keys));
  PetscCall(SoretKeysPrint(out, "`domain.grading.x`", grading_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Index of an axis named by a scalar, -1 (reported) if it is none of this problem. */
static PetscErrorCode ReadAxis(SoretInput in, const SoretNode *node, PetscInt dim, PetscInt *axis)
{
  const char *found = node->kind == SORET_NODE_SCALAR && strlen(node->text) == 1 ? strchr(SORET_AXIS_NAMES, node->text[0]) : NULL;

  PetscFunctionBegin;
  *axis = found ? (PetscInt)(found - SORET_AXIS_NAMES) : -1;
  if (*axis >= 0 && *axis < dim) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretInputError(in, node, "'%s' is not an axis of this case (%s)", node->text, dim == 1 ? "x" : dim == 2 ? "x, y" : "x, y, z"));
  *axis = -1;
  PetscFunctionReturn(PETSC_SUCCESS);
}

const char *SoretFaceName(int face)
{
  return face_names[face];
}

PetscErrorCode SoretGridReadFace(SoretInput in, const SoretNode *key, const SoretGridSpec *spec, int *face)
{
  int found = -1;

  PetscFunctionBegin;
  *face = -1;
  for (int f = 0; f < 6; f++) {
    if (!strcmp(key->text, face_names[f])) found = f;
  }
  if (found >= 2 * spec->dim) PetscCall(SoretInputError(in, key, "'%s' is not a face of this box, which has no axis %c", key->text, key->text[0]));
  else if (found < 0) {
    PetscCall(SoretInputError(in, key, "'%s' is not a face of this box%s", key->text, SoretSuggest(key->text, 2 * spec->dim, face_names).text));
    PetscCall(SoretInputHint(in, "faces: x- x+%s%s", spec->dim > 1 ? " y- y+" : "", spec->dim > 2 ? " z- z+" : ""));
  } else if (spec->periodic[found / 2]) PetscCall(SoretInputError(in, key, "face '%s' lies on a periodic axis and takes no condition", key->text));
  else *face = found;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadPeriodic(SoretInput in, const SoretNode *node, SoretGridSpec *spec)
{
  PetscInt num;

  PetscFunctionBegin;
  PetscCall(SoretInputEntries(in, node, SORET_NODE_LIST, "expected a list of axes, as in [x, z]", &num));
  for (PetscInt k = 0; k < num; k++) {
    PetscInt axis;

    PetscCall(ReadAxis(in, node->item[k], spec->dim, &axis));
    if (axis < 0) continue;
    if (spec->n[axis] == 1) PetscCall(SoretInputError(in, node->item[k], "a periodic axis needs at least 2 cells"));
    else spec->periodic[axis] = PETSC_TRUE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where neighbouring edges share nearly all of their digits the width of what is between them is rounding error. */
static PetscErrorCode RefuseThin(SoretInput in, const SoretNode *node, PetscInt axis, const SoretGridSpec *spec)
{
  static const PetscReal thinnest = 1.0e-10; /* of the box: widths that are right to 1e-6 */
  PetscReal              width    = spec->size[axis];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < spec->n[axis]; i++) width = PetscMin(width, spec->edge[axis][i + 1] - spec->edge[axis][i]);
  if (!(width >= thinnest * spec->size[axis])) PetscCall(SoretInputError(in, node, "the thinnest cell along %c would have %.3g of the length of the box, less than the %g that can be told apart", SORET_AXIS_NAMES[axis], (double)(width / spec->size[axis]), (double)thinnest));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadEdges(SoretInput in, const SoretNode *map, SoretGridSpec *spec)
{
  PetscInt num;

  PetscFunctionBegin;
  PetscCall(SoretInputEntries(in, map, SORET_NODE_MAP, "expected a map of axis to list, as in {x: [0, 0.1, 0.3]}", &num));
  for (PetscInt k = 0; k < num; k++) {
    static const SoretKey row = {"edges", SORET_REALS, "m", SORET_REQUIRED, SORET_ANY, 0, ""};
    SoretReals            list = {0, NULL};
    PetscInt              axis;
    PetscBool             ok;
    PetscReal             tolerance, last;

    PetscCall(ReadAxis(in, map->key[k], spec->dim, &axis));
    PetscCall(SoretInputReadValue(in, map->item[k], &row, &list, &ok));
    if (axis < 0 || !ok) continue;
    if (spec->n[axis] && list.n != spec->n[axis] + 1) {
      PetscCall(SoretInputError(in, map->item[k], "%" PetscInt_FMT " cells along %c have %" PetscInt_FMT " edges, found %" PetscInt_FMT, spec->n[axis], SORET_AXIS_NAMES[axis], spec->n[axis] + 1, list.n));
      continue;
    }
    for (PetscInt i = 1; i < list.n && ok; i++) {
      if (list.value[i] > list.value[i - 1]) continue;
      PetscCall(SoretInputError(in, map->item[k], "edges must increase: entry %" PetscInt_FMT " is %g after %g", i, (double)list.value[i], (double)list.value[i - 1]));
      ok = PETSC_FALSE;
    }
    if (!ok || spec->size[axis] == 0.0) continue;
    last      = spec->origin[axis] + spec->size[axis];
    tolerance = 1.0e-9 * spec->size[axis];
    if (PetscAbsReal(list.value[0] - spec->origin[axis]) > tolerance || PetscAbsReal(list.value[list.n - 1] - last) > tolerance) {
      PetscCall(SoretInputError(in, map->item[k], "edges along %c go from %g to %g, but the box goes from %g to %g", SORET_AXIS_NAMES[axis], (double)list.value[0], (double)list.value[list.n - 1], (double)spec->origin[axis], (double)last));
      continue;
    }
    if (!spec->n[axis]) continue;
    PetscCall(PetscMalloc1(list.n, &spec->edge[axis]));
    PetscCall(PetscArraycpy(spec->edge[axis], list.value, list.n));
    PetscCall(RefuseThin(in, map->item[k], axis, spec));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Edges of a geometric series whose last cell is `ratio` times as wide as the first. */
static void GeometricEdges(PetscInt n, PetscReal origin, PetscReal size, PetscReal ratio, PetscReal edge[])
{
  const PetscReal q     = n > 1 ? pow(ratio, 1.0 / (PetscReal)(n - 1)) : 1.0;
  const PetscReal total = PetscAbsReal(q - 1.0) < 1.0e-12 ? (PetscReal)n : expm1(n * log(q)) / (q - 1.0);

  for (PetscInt i = 0; i <= n; i++) {
    const PetscReal part = PetscAbsReal(q - 1.0) < 1.0e-12 ? (PetscReal)i : expm1(i * log(q)) / (q - 1.0);

    edge[i] = origin + size * (part / total);
  }
}

static void TanhEdges(PetscInt n, PetscReal origin, PetscReal size, PetscReal b, PetscReal edge[])
{
  for (PetscInt i = 0; i <= n; i++) edge[i] = origin + size * 0.5 * (1.0 + tanh(b * (2.0 * i / (PetscReal)n - 1.0)) / tanh(b));
}

static PetscErrorCode ReadGrading(SoretInput in, const SoretNode *map, SoretGridSpec *spec)
{
  PetscInt num;

  PetscFunctionBegin;
  PetscCall(SoretInputEntries(in, map, SORET_NODE_MAP, "expected a map of axis to grading, as in {x: {ratio: 4}}", &num));
  for (PetscInt k = 0; k < num; k++) {
    GradingSpec grading;
    PetscInt    axis, errors = SoretInputCountErrors(in);

    PetscCall(ReadAxis(in, map->key[k], spec->dim, &axis));
    PetscCall(SoretInputReadMap(in, map->item[k], map->key[k], "grading", grading_keys, &grading));
    if (SoretInputCountErrors(in) > errors) continue;
    if (grading.ratio.given == grading.tanh.given) {
      PetscCall(SoretInputError(in, map->item[k], "a grading needs one of 'ratio' and 'tanh'"));
      continue;
    }
    if (spec->edge[axis]) {
      PetscCall(SoretInputError(in, map->key[k], "axis %c has both 'edges' and 'grading'", SORET_AXIS_NAMES[axis]));
      continue;
    }
    if (spec->n[axis] > MOST_GRADED) {
      PetscCall(SoretInputError(in, map->key[k], "a graded axis has at most %d cells, found %" PetscInt_FMT " along %c", MOST_GRADED, spec->n[axis], SORET_AXIS_NAMES[axis]));
      continue;
    }
    if (!spec->n[axis] || spec->size[axis] == 0.0) continue;
    PetscCall(PetscMalloc1(spec->n[axis] + 1, &spec->edge[axis]));
    if (grading.ratio.given) GeometricEdges(spec->n[axis], spec->origin[axis], spec->size[axis], grading.ratio.value, spec->edge[axis]);
    else TanhEdges(spec->n[axis], spec->origin[axis], spec->size[axis], grading.tanh.value, spec->edge[axis]);
    PetscCall(RefuseThin(in, map->item[k], axis, spec));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Entries of a list of numbers, of which some may be wrong; -1 where there is none. */
static PetscInt NumEntries(const SoretNode *node, const SoretReals *list)
{
  if (node && node->kind == SORET_NODE_LIST) return node->size;
  return list->n ? list->n : -1; /* a number that stands alone is one */
}

static PetscErrorCode ReadCells(SoretInput in, const SoretNode *node, const SoretReals *cells, SoretGridSpec *spec)
{
  PetscFunctionBegin;
  for (PetscInt axis = 0; axis < spec->dim; axis++) {
    const PetscReal n = cells->value[axis];

    if (n != PetscFloorReal(n)) {
      PetscCall(SoretInputError(in, node, "the number of cells must be a whole number, found %g", (double)n));
    } else if (n > 1.0e9) {
      PetscCall(SoretInputError(in, node, "%g cells along %c are more than soret can index (1e9)", (double)n, SORET_AXIS_NAMES[axis]));
    } else spec->n[axis] = (PetscInt)n;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The box and its cells. A mistake in one key hides none of the others: what it leaves unknown of an axis, its cells or where it lies, is 0 meanwhile. */
static PetscErrorCode ReadAxes(SoretInput in, const SoretNode *node, const DomainSpec *domain, SoretGridSpec *spec)
{
  const SoretNode *size = SoretNodeFind(node, "size"), *cells = SoretNodeFind(node, "cells"), *origin = SoretNodeFind(node, "origin");
  const PetscInt   num_sizes = NumEntries(size, &domain->size), num_cells = NumEntries(cells, &domain->cells), num_origins = NumEntries(origin, &domain->origin);
  const PetscInt   dim = num_sizes < 0 ? num_cells : num_sizes;
  PetscBool        known_size, known_cells, known_origin;

  PetscFunctionBegin;
  spec->dim = PetscMax(1, PetscMin(dim, 3));
  if (num_sizes == 0 || num_sizes > 3) PetscCall(SoretInputError(in, size, "a box has one, two or three axes, found %" PetscInt_FMT " entries", num_sizes));
  if (dim != spec->dim) PetscFunctionReturn(PETSC_SUCCESS);
  if (num_cells >= 0 && num_cells != dim) PetscCall(SoretInputError(in, cells, "'size' has %" PetscInt_FMT " entries, 'cells' has %" PetscInt_FMT, dim, num_cells));
  if (num_origins >= 0 && num_origins != dim) PetscCall(SoretInputError(in, origin, "'size' has %" PetscInt_FMT " entries, 'origin' has %" PetscInt_FMT, dim, num_origins));
  known_size   = domain->size.n == dim ? PETSC_TRUE : PETSC_FALSE;
  known_cells  = domain->cells.n == dim ? PETSC_TRUE : PETSC_FALSE;
  known_origin = domain->origin.n == dim ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt axis = 0; axis < dim; axis++) {
    if (known_origin) spec->origin[axis] = domain->origin.value[axis];
    if (known_size && (known_origin || !origin)) spec->size[axis] = domain->size.value[axis];
  }
  if (known_cells) PetscCall(ReadCells(in, cells, &domain->cells, spec));
  PetscCall(ReadPeriodic(in, domain->periodic, spec));
  PetscCall(ReadEdges(in, domain->edges, spec));
  PetscCall(ReadGrading(in, domain->grading, spec));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretGridSpecRead(SoretInput in, SoretGridSpec *spec)
{
  const SoretNode *node = SoretNodeFind(SoretInputRoot(in), "domain");
  DomainSpec       domain = {.size = {0, NULL}};

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  spec->dim = 1;
  if (node) PetscCall(SoretInputReadMap(in, node, node, "section 'domain'", domain_keys, &domain));
  if (domain.size.n < 1) PetscCall(DefineLengths(in, &domain.size)); /* it may be missing */
  if (node) {
    if (!domain.solid && SoretNodeFind(node, "solid_pockets")) PetscCall(SoretInputError(in, SoretNodeFind(node, "solid_pockets"), "'solid_pockets' belongs to 'solid', which is not given"));
    spec->solid         = domain.solid;
    spec->solid_pockets = domain.solid_pockets;
    PetscCall(ReadAxes(in, node, &domain, spec));
  }
  for (int axis = 0; axis < 3; axis++) { /* beyond the dimension, and what is not known */
    spec->n[axis]    = PetscMax(spec->n[axis], 1);
    spec->size[axis] = spec->size[axis] == 0.0 ? 1.0 : spec->size[axis];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretGridSpecDestroy(SoretGridSpec *spec)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) PetscCall(PetscFree(spec->edge[axis]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the grid ---- */

/* Number of ranks along each axis: the factorisation with the smallest surface between ranks that leaves `width` cells at least
   along every axis, and of these the one that cuts rows least. All zero if there is none. PETSc's own choice ignores the minimum and stops with an internal error. */
static void CutRanks(const SoretGridSpec *spec, PetscMPIInt ranks, PetscInt width, PetscInt cut[3])
{
  PetscReal best = PETSC_MAX_REAL;

  cut[0] = cut[1] = cut[2] = 0;
  for (PetscInt z = 1; z <= ranks; z++) {
    if (ranks % z || spec->n[2] / z < (z > 1 ? width : 1)) continue;
    for (PetscInt y = 1; y <= ranks / z; y++) {
      const PetscInt  x = ranks / z / y;
      const PetscReal nx = (PetscReal)spec->n[0], ny = (PetscReal)spec->n[1], nz = (PetscReal)spec->n[2];
      PetscReal       surface;

      if ((ranks / z) % y || spec->n[1] / y < (y > 1 ? width : 1) || spec->n[0] / x < (x > 1 ? width : 1)) continue;
      surface = (x - 1) * ny * nz + (y - 1) * nx * nz + (z - 1) * nx * ny;
      if (surface <= best) {
        best   = surface;
        cut[0] = x;
        cut[1] = y;
        cut[2] = z;
      }
    }
  }
}

PetscBool SoretGridFits(const SoretGridSpec *spec, PetscMPIInt ranks, PetscInt width, size_t length, char why[])
{
  PetscInt cut[3];

  for (PetscInt axis = 0; axis < spec->dim; axis++) {
    if (spec->n[axis] >= width) continue;
    (void)PetscSNPrintf(why, length, "ballistic transport needs at least %" PetscInt_FMT " cells along %c, found %" PetscInt_FMT, width, SORET_AXIS_NAMES[axis], spec->n[axis]);
    return PETSC_FALSE;
  }
  CutRanks(spec, ranks, width, cut);
  if (cut[0]) return PETSC_TRUE;
  (void)PetscSNPrintf(why, length, "%" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT " cells cannot be cut into boxes for %d ranks; use fewer ranks", spec->n[0], spec->n[1], spec->n[2], ranks);
  return PETSC_FALSE;
}

/* Deals out the cells along an axis in units, the last rank with the rest. Returns the largest share, 0 if a rank has none. */
static PetscInt Deal(PetscInt n, PetscInt ranks, PetscInt unit, PetscInt range[])
{
  PetscInt start = 0, most = 0;

  for (PetscInt r = 0; r < ranks; r++) {
    const PetscInt end = r == ranks - 1 ? n : (PetscInt)((PetscInt64)(r + 1) * (n / unit) / ranks) * unit;

    if (end == start) return 0;
    range[r] = end - start;
    most     = PetscMax(most, range[r]);
    start    = end;
  }
  return most;
}

/* Cells of each rank along an axis in the largest power of two as unit that gives no rank more than an eighth above its share, or one cell: so that cells
   coarsen in pairs, again and again, without crossing ranks. */
static void CutAxis(PetscInt n, PetscInt ranks, PetscInt range[])
{
  const PetscInt most = PetscMax(Deal(n, ranks, 1, range) + 1, (PetscInt)(9 * (PetscInt64)n / (8 * (PetscInt64)ranks)));
  PetscInt       unit = 1;

  while (unit < n) unit *= 2;
  for (; unit > 1; unit /= 2) {
    const PetscInt found = Deal(n, ranks, unit, range);

    if (found && found <= most) return;
  }
  (void)Deal(n, ranks, 1, range);
}

static PetscErrorCode SetAxis(const SoretGridSpec *spec, int axis, SoretGrid *grid)
{
  const PetscInt n = spec->n[axis];
  PetscReal     *edge, *center, *width, *distance;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4(n + 1, &edge, n, &center, n, &width, n + 1, &distance));
  for (PetscInt i = 0; i <= n; i++) edge[i] = spec->edge[axis] ? spec->edge[axis][i] : spec->origin[axis] + spec->size[axis] * ((PetscReal)i / (PetscReal)n);
  for (PetscInt i = 0; i < n; i++) {
    center[i] = 0.5 * (edge[i] + edge[i + 1]);
    /* equal cells have equal widths to the last bit, so that a constant conductance is one number */
    width[i] = spec->edge[axis] ? edge[i + 1] - edge[i] : spec->size[axis] / (PetscReal)n;
  }
  for (PetscInt i = 1; i < n; i++) distance[i] = 0.5 * (width[i - 1] + width[i]);
  distance[0] = grid->periodic[axis] ? 0.5 * (width[0] + width[n - 1]) : 0.5 * width[0];
  distance[n] = grid->periodic[axis] ? distance[0] : 0.5 * width[n - 1];
  grid->equal[axis]    = spec->edge[axis] ? PETSC_FALSE : PETSC_TRUE;
  grid->edge[axis]     = edge;
  grid->center[axis]   = center;
  grid->width[axis]    = width;
  grid->distance[axis] = distance;
  grid->size[axis]     = spec->size[axis];
  grid->origin[axis]   = spec->origin[axis];
  grid->volume *= spec->size[axis];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The grid with a given number of ranks and cells per rank along each axis. */
static PetscErrorCode CreateGrid(MPI_Comm comm, const SoretGridSpec *spec, const PetscInt cut[3], const PetscInt *const range[3], SoretGrid *grid)
{
  PetscInt    stride = 1;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(grid, sizeof(*grid)));
  grid->comm   = comm;
  grid->dim    = spec->dim;
  grid->volume = 1.0;
  for (int axis = 0; axis < 3; axis++) {
    grid->n[axis]        = spec->n[axis];
    grid->periodic[axis] = spec->periodic[axis];
    PetscCall(SetAxis(spec, axis, grid));
  }
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(PetscMalloc3(cut[0], &grid->range[0], cut[1], &grid->range[1], cut[2], &grid->range[2]));
  for (int axis = 0; axis < 3; axis++) {
    const PetscInt place = rank / stride % cut[axis];

    PetscCall(PetscArraycpy(grid->range[axis], range[axis], cut[axis]));
    for (PetscInt r = 0; r < place; r++) grid->start[axis] += range[axis][r];
    grid->count[axis] = range[axis][place];
    grid->cut[axis]   = cut[axis];
    stride *= cut[axis];
  }
  grid->num_cells    = grid->count[0] * grid->count[1] * grid->count[2];
  grid->num_pockets  = 1;
  grid->fluid_volume = grid->volume;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretGridCreate(MPI_Comm comm, const SoretGridSpec *spec, PetscInt width, SoretGrid *grid)
{
  PetscMPIInt ranks;
  PetscInt    cut[3], *range[3];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  CutRanks(spec, ranks, width, cut);
  PetscCheck(cut[0], comm, PETSC_ERR_ARG_OUTOFRANGE, "grid does not fit %d ranks; SoretGridFits() was not asked", ranks);
  PetscCall(PetscMalloc3(cut[0], &range[0], cut[1], &range[1], cut[2], &range[2]));
  for (int axis = 0; axis < 3; axis++) CutAxis(spec->n[axis], cut[axis], range[axis]);
  PetscCall(CreateGrid(comm, spec, cut, (const PetscInt *const *)range, grid));
  PetscCall(PetscFree3(range[0], range[1], range[2]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The connected part of the fluid that each coarse cell stands for: the one of most of its fine cells, so that parts stay apart on every grid. */
static PetscErrorCode CoarsenPockets(const SoretGrid *fine, const PetscBool coarsen[3], SoretGrid *coarse)
{
  PetscFunctionBegin;
  PetscCall(PetscMalloc1(coarse->num_cells, &coarse->pocket));
  PetscCall(PetscMalloc1(fine->num_pockets, &coarse->pocket_volume));
  PetscCall(PetscArraycpy(coarse->pocket_volume, fine->pocket_volume, fine->num_pockets));
  coarse->num_pockets = fine->num_pockets;
  for (PetscInt P = 0; P < coarse->num_cells; P++) {
    PetscInt  first[3], n[3], at[3] = SORET_LOCAL_INDEX(coarse, P), part[8], num = 0;
    PetscReal volume[8], most = 0.0;

    for (int axis = 0; axis < 3; axis++) {
      first[axis] = (coarsen[axis] ? 2 : 1) * at[axis];
      n[axis]     = PetscMin(coarsen[axis] ? 2 : 1, fine->count[axis] - first[axis]);
    }
    coarse->pocket[P] = -1;
    for (PetscInt c = 0; c < n[0] * n[1] * n[2]; c++) {
      const PetscInt p = ((first[2] + c / n[0] / n[1]) * fine->count[1] + first[1] + c / n[0] % n[1]) * fine->count[0] + first[0] + c % n[0];
      PetscInt       e = 0, ijk[3];

      if (fine->pocket[p] < 0) continue;
      SoretGridCellIndex(fine, p, ijk);
      while (e < num && part[e] != fine->pocket[p]) e++;
      if (e == num) {
        part[num]     = fine->pocket[p];
        volume[num++] = 0.0;
      }
      volume[e] += SoretGridCellVolume(fine, ijk);
    }
    for (PetscInt e = 0; e < num; e++) {
      if (!(volume[e] > most * (1.0 + 1.0e-12))) continue;
      most              = volume[e];
      coarse->pocket[P] = part[e];
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretGridCoarsen(const SoretGrid *fine, const PetscBool coarsen[3], PetscBool aligned, SoretGrid *coarse, PetscBool *possible)
{
  PetscMPIInt     ranks;
  PetscInt       *range[3];
  SoretGridSpec   spec = {.dim = fine->dim};

  PetscFunctionBegin;
  *possible = PETSC_TRUE;
  PetscCallMPI(MPI_Comm_size(fine->comm, &ranks));
  PetscCall(PetscMalloc3(fine->cut[0], &range[0], fine->cut[1], &range[1], fine->cut[2], &range[2]));
  for (int axis = 0; axis < 3; axis++) {
    const PetscInt factor = coarsen[axis] ? 2 : 1, n = (fine->n[axis] + factor - 1) / factor;

    spec.n[axis]        = n;
    spec.size[axis]     = fine->size[axis];
    spec.origin[axis]   = fine->origin[axis];
    spec.periodic[axis] = fine->periodic[axis];
    PetscCall(PetscMalloc1(n + 1, &spec.edge[axis]));
    for (PetscInt i = 0; i <= n; i++) spec.edge[axis][i] = fine->edge[axis][PetscMin(factor * i, fine->n[axis])];
    for (PetscInt r = 0; r < fine->cut[axis]; r++) {
      range[axis][r] = (fine->range[axis][r] + factor - 1) / factor;
      if (fine->range[axis][r] % factor && r < fine->cut[axis] - 1) *possible = PETSC_FALSE;
    }
    /* equal cells stay equal cells, to the last bit */
    if (fine->n[axis] % factor == 0 && fine->equal[axis]) PetscCall(PetscFree(spec.edge[axis]));
  }
  if (*possible) PetscCall(CreateGrid(fine->comm, &spec, fine->cut, (const PetscInt *const *)range, coarse));
  else if (!aligned) {
    PetscInt cut[3];

    CutRanks(&spec, ranks, 1, cut);
    *possible = cut[0] ? PETSC_TRUE : PETSC_FALSE;
    if (*possible) PetscCall(SoretGridCreate(fine->comm, &spec, 1, coarse));
  }
  if (*possible) coarse->fluid_volume = fine->fluid_volume;
  if (*possible && aligned && fine->num_pockets > 1) PetscCall(CoarsenPockets(fine, coarsen, coarse));
  PetscCall(PetscFree3(range[0], range[1], range[2]));
  PetscCall(SoretGridSpecDestroy(&spec));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretGridCreateWhole(const SoretGrid *grid, SoretGrid *whole)
{
  const PetscInt        one[3]   = {1, 1, 1};
  const PetscInt *const range[3] = {&grid->n[0], &grid->n[1], &grid->n[2]};
  SoretGridSpec         spec     = {.dim = grid->dim};

  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) {
    spec.n[axis]        = grid->n[axis];
    spec.size[axis]     = grid->size[axis];
    spec.origin[axis]   = grid->origin[axis];
    spec.periodic[axis] = grid->periodic[axis];
    spec.edge[axis]     = grid->equal[axis] ? NULL : grid->edge[axis]; /* borrowed */
  }
  PetscCall(CreateGrid(PETSC_COMM_SELF, &spec, one, range, whole));
  whole->fluid_volume = grid->fluid_volume;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretGridDestroy(SoretGrid *grid)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) {
    if (grid->edge[axis]) PetscCall(PetscFree4(grid->edge[axis], grid->center[axis], grid->width[axis], grid->distance[axis]));
  }
  PetscCall(PetscFree(grid->closed));
  PetscCall(PetscFree(grid->pocket));
  PetscCall(PetscFree(grid->pocket_volume));
  PetscCall(PetscFree3(grid->range[0], grid->range[1], grid->range[2]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretGridCreateDM(const SoretGrid *grid, PetscInt dof, PetscInt width, DM *dm)
{
  const PetscInt dim = grid->dim;
  DMBoundaryType boundary[3];

  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) boundary[axis] = axis < dim && grid->periodic[axis] ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE;
  PetscCall(DMDACreate(grid->comm, dm));
  PetscCall(DMSetDimension(*dm, dim));
  PetscCall(DMDASetSizes(*dm, grid->n[0], grid->n[1], grid->n[2]));
  PetscCall(DMDASetNumProcs(*dm, grid->cut[0], dim > 1 ? grid->cut[1] : 1, dim > 2 ? grid->cut[2] : 1));
  PetscCall(DMDASetOwnershipRanges(*dm, grid->range[0], dim > 1 ? grid->range[1] : NULL, dim > 2 ? grid->range[2] : NULL));
  PetscCall(DMDASetBoundaryType(*dm, boundary[0], boundary[1], boundary[2]));
  PetscCall(DMDASetDof(*dm, dof));
  PetscCall(DMDASetStencilType(*dm, DMDA_STENCIL_STAR));
  PetscCall(DMDASetStencilWidth(*dm, width));
  PetscCall(DMSetUp(*dm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int SoretGridBox(const SoretGrid *grid, PetscInt trailing, PetscInt size[], PetscInt start[], PetscInt count[])
{
  int rank = 0;

  for (int axis = (int)grid->dim - 1; axis >= 0; axis--, rank++) {
    size[rank]  = grid->n[axis];
    start[rank] = grid->start[axis];
    count[rank] = grid->count[axis];
  }
  if (trailing <= 0) return rank;
  size[rank]  = trailing;
  start[rank] = 0;
  count[rank] = trailing;
  return rank + 1;
}

PetscBool SoretGridHasWall(const SoretGrid *grid, int axis, int side)
{
  if (axis >= grid->dim || grid->periodic[axis]) return PETSC_FALSE;
  if (side == 0) return grid->start[axis] == 0 ? PETSC_TRUE : PETSC_FALSE;
  return grid->start[axis] + grid->count[axis] == grid->n[axis] ? PETSC_TRUE : PETSC_FALSE;
}

PetscInt SoretGridCountFace(const SoretGrid *grid, int face)
{
  return SoretGridHasWall(grid, face / 2, face % 2) ? grid->num_cells / grid->count[face / 2] : 0;
}

void SoretGridFaceCell(const SoretGrid *grid, int face, PetscInt q, PetscInt ijk[3])
{
  const int      axis = face / 2, first = axis == 0 ? 1 : 0;
  const PetscInt n    = grid->count[first];

  ijk[axis]                = face % 2 ? grid->count[axis] - 1 : 0;
  ijk[first]               = q % n;
  ijk[axis == 2 ? 1 : 2]   = q / n;
}

PetscReal SoretGridFaceArea(const SoretGrid *grid, int axis, const PetscInt ijk[3])
{
  PetscReal area = 1.0;

  for (int k = 0; k < 3; k++) {
    if (k != axis) area *= grid->width[k][ijk[k]];
  }
  return area;
}

PetscReal SoretGridCellVolume(const SoretGrid *grid, const PetscInt ijk[3])
{
  return grid->width[0][ijk[0]] * grid->width[1][ijk[1]] * grid->width[2][ijk[2]];
}

/* ---- exchange of layers ---- */

/* Rank of the neighbour across a side, MPI_PROC_NULL at a wall. DMDA numbers the ranks of its box x fastest (DMDAGetNeighbors() knows
   nothing in one dimension). */
static PetscErrorCode FindNeighbors(SoretHalo *halo)
{
  const SoretGrid *grid = halo->grid;
  const PetscInt  *cut  = grid->cut;
  PetscMPIInt      rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(grid->comm, &rank));
  for (int axis = 0; axis < 3; axis++) {
    const PetscInt stride = axis == 0 ? 1 : axis == 1 ? cut[0] : cut[0] * cut[1], place = rank / stride % cut[axis];

    for (int side = 0; side < 2; side++) {
      const PetscInt next = (place + (side ? 1 : -1) + cut[axis]) % cut[axis];

      halo->neighbor[axis][side] = axis >= grid->dim || SoretGridHasWall(grid, axis, side) ? MPI_PROC_NULL : (PetscMPIInt)(rank + (next - place) * stride);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHaloCreate(const SoretGrid *grid, PetscInt dof, PetscInt width, SoretHalo *halo)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(halo, sizeof(*halo)));
  halo->grid  = grid;
  halo->dof   = dof;
  halo->width = width;
  PetscCall(FindNeighbors(halo));
  for (int axis = 0; axis < grid->dim; axis++) {
    for (int k = 0; k < 3; k++) halo->count[axis][k] = k == axis ? width : grid->count[k];
    halo->length[axis] = halo->count[axis][0] * halo->count[axis][1] * halo->count[axis][2] * dof;
    for (int side = 0; side < 2; side++) PetscCall(PetscCalloc2(halo->length[axis], &halo->send[axis][side], halo->length[axis], &halo->recv[axis][side]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHaloDestroy(SoretHalo *halo)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < 3; axis++) {
    for (int side = 0; side < 2; side++) {
      if (halo->send[axis][side]) PetscCall(PetscFree2(halo->send[axis][side], halo->recv[axis][side]));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SoretHaloSendStart(const SoretHalo *halo, int axis, int side, PetscInt start[3])
{
  start[0] = start[1] = start[2] = 0;
  if (side == 1) start[axis] = halo->grid->count[axis] - halo->width;
}

PetscErrorCode SoretHaloBegin(SoretHalo *halo)
{
  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_HALO);
  halo->num_requests = 0;
  for (int axis = 0; axis < halo->grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      PetscMPIInt n;

      PetscCall(PetscMPIIntCast(halo->length[axis], &n));
      if (halo->neighbor[axis][side] == MPI_PROC_NULL) continue;
      /* what leaves through the high side arrives at the low side of the neighbour: the tag is the side of arrival */
      PetscCallMPI(MPI_Irecv(halo->recv[axis][side], n, MPIU_REAL, halo->neighbor[axis][side], 2 * axis + side, halo->grid->comm, &halo->request[halo->num_requests++]));
      PetscCallMPI(MPI_Isend(halo->send[axis][side], n, MPIU_REAL, halo->neighbor[axis][side], 2 * axis + (1 - side), halo->grid->comm, &halo->request[halo->num_requests++]));
    }
  }
  SoretRecordEnd(SORET_PHASE_HALO);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHaloEnd(SoretHalo *halo)
{
  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_HALO);
  PetscCallMPI(MPI_Waitall(halo->num_requests, halo->request, MPI_STATUSES_IGNORE));
  SoretRecordEnd(SORET_PHASE_HALO);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHaloExchange(SoretHalo *halo, const PetscReal value[])
{
  const SoretGrid *grid = halo->grid;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      const PetscInt *n = halo->count[axis], row = n[0] * halo->dof;
      PetscReal      *out = halo->send[axis][side];
      PetscInt        start[3];

      if (halo->neighbor[axis][side] == MPI_PROC_NULL) continue;
      SoretHaloSendStart(halo, axis, side, start);
      for (PetscInt k = start[2]; k < start[2] + n[2]; k++) {
        for (PetscInt j = start[1]; j < start[1] + n[1]; j++, out += row) PetscCall(PetscArraycpy(out, value + ((k * grid->count[1] + j) * grid->count[0] + start[0]) * halo->dof, row));
      }
    }
  }
  PetscCall(SoretHaloBegin(halo));
  PetscCall(SoretHaloEnd(halo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Copies layer `at` of a box of cells normal to an axis to a buffer, or back. */
static PetscErrorCode CopyLayer(const PetscInt size[3], PetscInt dof, int axis, PetscInt at, PetscBool back, PetscReal box[], PetscReal buffer[])
{
  const PetscInt begin[3] = {axis == 0 ? at : 0, axis == 1 ? at : 0, axis == 2 ? at : 0}, n[3] = {axis == 0 ? 1 : size[0], axis == 1 ? 1 : size[1], axis == 2 ? 1 : size[2]}, row = n[0] * dof;

  PetscFunctionBegin;
  for (PetscInt k = begin[2]; k < begin[2] + n[2]; k++) {
    for (PetscInt j = begin[1]; j < begin[1] + n[1]; j++, buffer += row) {
      PetscReal *inside = box + ((k * size[1] + j) * size[0] + begin[0]) * dof;

      PetscCall(back ? PetscArraycpy(inside, buffer, row) : PetscArraycpy(buffer, inside, row));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretHaloFillBox(const SoretHalo *halo, PetscReal box[])
{
  const SoretGrid *grid = halo->grid;
  PetscInt         size[3], most = 0;
  PetscReal       *buffer;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_HALO);
  for (int axis = 0; axis < 3; axis++) size[axis] = grid->count[axis] + (axis < grid->dim ? 2 : 0);
  for (int axis = 0; axis < grid->dim; axis++) most = PetscMax(most, size[0] * size[1] * size[2] / size[axis] * halo->dof);
  PetscCall(PetscMalloc1(4 * most, &buffer));
  for (int axis = 0; axis < grid->dim; axis++) {
    const PetscInt length = size[0] * size[1] * size[2] / size[axis] * halo->dof;
    PetscReal     *recv[2] = {buffer, buffer + length}, *send[2] = {buffer + 2 * length, buffer + 3 * length};
    MPI_Request    request[4];
    PetscMPIInt    n;
    int            num_requests = 0;

    PetscCall(PetscMPIIntCast(length, &n));
    for (int side = 0; side < 2; side++) { /* tags as in SoretHaloBegin() */
      if (halo->neighbor[axis][side] == MPI_PROC_NULL) continue;
      PetscCall(CopyLayer(size, halo->dof, axis, side ? size[axis] - 2 : 1, PETSC_FALSE, box, send[side]));
      PetscCallMPI(MPI_Irecv(recv[side], n, MPIU_REAL, halo->neighbor[axis][side], 2 * axis + side, grid->comm, &request[num_requests++]));
      PetscCallMPI(MPI_Isend(send[side], n, MPIU_REAL, halo->neighbor[axis][side], 2 * axis + (1 - side), grid->comm, &request[num_requests++]));
    }
    PetscCallMPI(MPI_Waitall(num_requests, request, MPI_STATUSES_IGNORE));
    for (int side = 0; side < 2; side++) {
      if (halo->neighbor[axis][side] != MPI_PROC_NULL) PetscCall(CopyLayer(size, halo->dof, axis, side ? size[axis] - 1 : 0, PETSC_TRUE, box, recv[side]));
    }
  }
  PetscCall(PetscFree(buffer));
  SoretRecordEnd(SORET_PHASE_HALO);
  PetscFunctionReturn(PETSC_SUCCESS);
}

const PetscReal *SoretHaloCell(const SoretHalo *halo, const PetscReal value[], PetscInt p, int face)
{
  const SoretGrid *grid    = halo->grid;
  const int        axis    = face / 2, side = face % 2;
  const PetscInt   at[3]   = SORET_LOCAL_INDEX(grid, p);
  const PetscInt   step[3] = {1, grid->count[0], grid->count[0] * grid->count[1]}, *n = halo->count[axis];
  PetscInt         in[3]   = {at[0], at[1], at[2]};

  if (at[axis] != (side ? grid->count[axis] - 1 : 0)) return value + (p + (side ? step[axis] : -step[axis])) * halo->dof;
  if (halo->neighbor[axis][side] == MPI_PROC_NULL) return value + p * halo->dof;
  in[axis] = 0;
  return halo->recv[axis][side] + ((in[2] * n[1] + in[1]) * n[0] + in[0]) * halo->dof;
}

const PetscReal *SoretHaloEntries(const SoretHalo *halo, const PetscReal value[], const PetscInt ijk[3])
{
  const SoretGrid *grid = halo->grid;
  PetscInt         p[3] = {ijk[0], ijk[1], ijk[2]};

  for (int axis = 0; axis < grid->dim; axis++) {
    const int       side = ijk[axis] < 0 ? 0 : 1;
    const PetscInt *n    = halo->count[axis];

    if (ijk[axis] >= 0 && ijk[axis] < grid->count[axis]) continue;
    if (halo->neighbor[axis][side] != MPI_PROC_NULL) {
      p[axis] = side ? 0 : halo->width - 1;
      return halo->recv[axis][side] + ((p[2] * n[1] + p[1]) * n[0] + p[0]) * halo->dof;
    }
    p[axis] = side ? grid->count[axis] - 1 : 0;
  }
  return value + SoretGridCellNumber(grid, p) * halo->dof;
}

PetscReal SoretHaloValue(const SoretHalo *halo, const PetscReal value[], const PetscInt ijk[3])
{
  return *SoretHaloEntries(halo, value, ijk);
}
