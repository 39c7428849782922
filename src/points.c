/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/points.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum {
  MOST_VALUES   = 10000,
  PATIENCE      = 12 /* points between two given ones after which a zero is sought by halving */
};

/* ---- the section ---- */

typedef struct {
  char            *parameter;
  SoretReals       values;
  const SoretNode *range, *refine;
  int              frames;
  PetscInt         branches;
} Section;

typedef struct {
  PetscReal from, to;
  PetscInt  count;
  int       spacing;
} Range;

#define AT(field) offsetof(Section, field)
static const SoretKey sweep_keys[] = {
  {"parameter", SORET_STRING, NULL, SORET_REQUIRED, SORET_ANY, AT(parameter), "path of the number that changes, as on the command line: `parameters.NAME`, `totals.0.mean`, `species.A.energy`, `reactions.1.forward`, `domain.cells.0`"},
  {"values", SORET_REALS, "*", SORET_OPTIONAL, SORET_ANY, AT(values), "its values, in this order; a steady state is solved from that of the one before, a transient from `initial`"},
  {"range", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(range), "values in place of a list", .syntax = "section"},
  {"refine", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(refine), "where to add points", .syntax = "section"},
  {"frames", SORET_CHOICE, NULL, "all", SORET_ANY, AT(frames), "which states are written: of every point that converged, of the last value only, of none", .choices = "all|last|none"},
  {"branches", SORET_INT, NULL, "1", SORET_BETWEEN(1, 10000), AT(branches), "parts of the list, each on ranks of its own (at most one for each rank), at the same time"},
  {.key = NULL}};
#undef AT

#define AT(field) offsetof(Range, field)
static const SoretKey range_keys[] = {
  {"from", SORET_REAL, "*", SORET_REQUIRED, SORET_ANY, AT(from), "first value"},
  {"to", SORET_REAL, "*", SORET_REQUIRED, SORET_ANY, AT(to), "last value"},
  {"count", SORET_INT, NULL, SORET_REQUIRED, SORET_BETWEEN(2, MOST_VALUES), AT(count), "number of values, both ends included"},
  {"spacing", SORET_CHOICE, NULL, "linear", SORET_ANY, AT(spacing), "equal differences, or equal ratios", .choices = "linear|log"},
  {.key = NULL}};
#undef AT

#define AT(field) offsetof(SoretRefineSpec, field)
static const SoretKey refine_keys[] = {
  {"of", SORET_STRING, NULL, "soret_mean", SORET_ANY, AT(of), "column of the table that decides, such as `contrast`, `total/0`, `max/A`"},
  {"change", SORET_REAL, "*", SORET_OPTIONAL, SORET_POSITIVE, AT(change), "add points until it changes by no more than this from one to the next"},
  {"zero", SORET_REAL, "1", SORET_OPTIONAL, SORET_BETWEEN(1.0e-14, 1.0), AT(zero), "where it changes sign, add points until the place is known to this, relative to the parameter (between values of different signs, at least to the smaller of them)"},
  {"smallest", SORET_REAL, "1", "1.0e-3", SORET_BETWEEN(0, 1), AT(smallest), "distance below which no points are added for `change`, relative to the whole range"},
  {"most", SORET_INT, NULL, "100", SORET_BETWEEN(1, MOST_VALUES), AT(most), "number of points added"},
  {.key = NULL}};
#undef AT

PetscErrorCode SoretSweepReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`sweep`", sweep_keys));
  PetscCall(SoretKeysPrint(out, "`sweep.range`", range_keys));
  PetscCall(SoretKeysPrint(out, "`sweep.refine`", refine_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sections of which a number can be swept: those that describe the problem. */
static const char *const sections[] = {"parameters", "standard_concentration", "domain", "temperature", "species", "reactions", "velocity_states", "flow", "boundaries", "totals", "solve"};
enum { NUM_SECTIONS = sizeof(sections) / sizeof(sections[0]) };

/* `parameters.NAME` must be there: an override would make a new one that nothing uses. */
static PetscErrorCode CheckParameter(SoretInput in, const SoretNode *at, const char *name)
{
  const SoretNode *map  = SoretNodeFind(SoretInputRoot(in), "parameters");
  const PetscInt   n    = map && map->kind == SORET_NODE_MAP ? map->size : 0;
  const char     **names, *nearest;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n + 1, &names));
  for (PetscInt k = 0; k < n; k++) names[k] = map->key[k]->text;
  nearest = SoretNearest(name, n, names);
  PetscCall(SoretInputError(in, at, "there is no parameter '%s' to sweep%s%s%s", name, nearest ? "; did you mean 'parameters." : "", nearest ? nearest : "", nearest ? "'?" : ""));
  PetscCall(PetscFree(names));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckPath(SoretInput in, const SoretNode *at, const char *path)
{
  const SoretNode *node  = NULL;
  const size_t     first = strcspn(path, ".");
  PetscBool        ok, known = PETSC_FALSE;

  PetscFunctionBegin;
  for (int k = 0; k < NUM_SECTIONS; k++) known = known || (strlen(sections[k]) == first && !strncmp(path, sections[k], first)) ? PETSC_TRUE : PETSC_FALSE;
  if (!known) {
    char        word[SORET_NAME_LENGTH];
    const char *nearest;

    PetscCall(PetscSNPrintf(word, sizeof(word), "%.*s", (int)PetscMin(first, sizeof(word) - 1), path));
    nearest = SoretNearest(word, NUM_SECTIONS, sections);
    if (SoretNodeFind(SoretNodeFind(SoretInputRoot(in), "parameters"), path)) PetscCall(SoretInputError(in, at, "the path of the parameter '%s' is 'parameters.%s'", path, path));
    else PetscCall(SoretInputError(in, at, "'%s' is no number of the problem that could be swept%s%s%s%s", path, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? path + first : "", nearest ? "'?" : ""));
    PetscCall(SoretInputHint(in, "a path as on the command line, such as parameters.k, totals.0.mean, species.A.energy, reactions.0.forward"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretInputLookup(in, at, path, &node, &ok));
  if (!ok) PetscFunctionReturn(PETSC_SUCCESS);
  if (node && node->kind != SORET_NODE_SCALAR) PetscCall(SoretInputError(in, at, "'%s' is a %s; a sweep changes one number", path, node->kind == SORET_NODE_MAP ? "map" : "list"));
  else if (!node && !strncmp(path, "parameters.", 11)) PetscCall(CheckParameter(in, at, path + 11));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadRange(SoretInput in, const SoretNode *node, SoretSweepSpec *spec)
{
  const PetscInt errors = SoretInputCountErrors(in);
  Range          range;
  PetscReal     *value;

  PetscFunctionBegin;
  PetscCall(SoretInputReadMap(in, node, node, "section 'range'", range_keys, &range));
  if (SoretInputCountErrors(in) != errors) PetscFunctionReturn(PETSC_SUCCESS);
  if (range.spacing == 1 && !(range.from > 0.0 && range.to > 0.0)) {
    PetscCall(SoretInputError(in, node, "`spacing: log` needs positive ends, found %g and %g", (double)range.from, (double)range.to));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  spec->log = range.spacing == 1 ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscMalloc1(range.count, &value));
  for (PetscInt k = 0; k < range.count; k++) {
    const PetscReal part = (PetscReal)k / (PetscReal)(range.count - 1);

    value[k] = spec->log ? range.from * pow(range.to / range.from, part) : range.from + (range.to - range.from) * part;
  }
  value[range.count - 1] = range.to;
  PetscCall(SoretInputKeepReals(in, range.count, value, &spec->values));
  PetscCall(PetscFree(value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Values that grow by about equal ratios over more than a decade are meant in ratios. */
static PetscBool LooksLogarithmic(const SoretReals *values)
{
  const PetscInt n = values->n;

  if (n < 3) return PETSC_FALSE;
  for (PetscInt k = 0; k < n; k++) {
    if (values->value[k] <= 0.0) return PETSC_FALSE;
  }
  return fabs(log(values->value[n - 1] / values->value[0])) > log(10.0) && fabs(log(values->value[1] / values->value[0])) > 0.3 * fabs(log(values->value[n - 1] / values->value[0])) / (PetscReal)(n - 1) ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode ReadRefine(SoretInput in, const SoretNode *node, SoretSweepSpec *spec)
{
  PetscFunctionBegin;
  if (!node) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretInputReadMap(in, node, node, "section 'refine'", refine_keys, &spec->refine));
  spec->refines = PETSC_TRUE;
  spec->of_node = SoretNodeFind(node, "of") ? SoretNodeFind(node, "of") : node;
  if (!spec->refine.change.given && !spec->refine.zero.given) PetscCall(SoretInputError(in, node, "'refine' needs 'change' (an amount), 'zero' (a precision), or both"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSweepSpecRead(SoretInput in, SoretSweepSpec *spec)
{
  const SoretNode *node = SoretNodeFind(SoretInputRoot(in), "sweep");
  Section          section;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  if (!node || SoretNodeIsNull(node)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMemzero(&section, sizeof(section)));
  PetscCall(SoretInputReadMap(in, node, node, "section 'sweep'", sweep_keys, &section));
  spec->given          = PETSC_TRUE;
  spec->node           = node;
  spec->parameter      = section.parameter;
  spec->parameter_node = SoretNodeFind(node, "parameter");
  spec->values         = section.values;
  spec->frames         = section.frames;
  spec->branches       = section.branches;
  if (section.parameter) PetscCall(CheckPath(in, spec->parameter_node, section.parameter));
  if (!SoretNodeFind(node, "values") == !section.range) PetscCall(SoretInputError(in, node, section.range ? "give either 'values' or 'range', not both" : "a sweep needs 'values' or 'range'"));
  else if (section.range) PetscCall(ReadRange(in, section.range, spec));
  else if (!section.values.n && SoretNodeFind(node, "values")->kind == SORET_NODE_LIST && !SoretNodeFind(node, "values")->size) PetscCall(SoretInputError(in, SoretNodeFind(node, "values"), "the list of values is empty"));
  else spec->log = LooksLogarithmic(&spec->values);
  if (spec->values.n > MOST_VALUES) PetscCall(SoretInputError(in, node, "%" PetscInt_FMT " values are more than the %d that a sweep holds", spec->values.n, MOST_VALUES));
  PetscCall(ReadRefine(in, section.refine, spec));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the points ---- */

PetscErrorCode SoretPointsCreate(const SoretSweepSpec *spec, PetscInt num_branches, SoretPoints *points)
{
  const PetscInt n = spec->values.n;

  PetscFunctionBegin;
  *points = (SoretPoints){.spec = spec, .num = n, .room = n + (spec->refines ? spec->refine.most : 0), .num_branches = num_branches};
  PetscCall(PetscCalloc2(points->room, &points->point, points->room, &points->order));
  for (PetscInt k = 0; k < n; k++) {
    points->order[k] = k;
    points->point[k] = (SoretSweepPoint){.value = spec->values.value[k], .given = k, .branch = k * num_branches / n, .observable = NAN};
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretPointsDestroy(SoretPoints *points)
{
  PetscFunctionBegin;
  PetscCall(PetscFree2(points->point, points->order));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretPointsSet(SoretPoints *points, PetscInt number, PetscBool converged, PetscReal observable)
{
  PetscFunctionBegin;
  points->point[number].state      = converged ? SORET_POINT_CONVERGED : SORET_POINT_FAILED;
  points->point[number].observable = observable;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscReal Distance(const SoretSweepSpec *spec, PetscReal a, PetscReal b)
{
  return spec->log ? fabs(log(b / a)) : fabs(b - a);
}

static PetscReal Middle(const SoretSweepSpec *spec, PetscReal a, PetscReal b)
{
  return spec->log ? sqrt(a * b) : 0.5 * (a + b);
}

static PetscReal Secant(PetscReal xa, PetscReal fa, PetscReal xb, PetscReal fb)
{
  return xa - fa * (xb - xa) / (fb - fa);
}

/* The neighbour along the sweep with a known observable, NULL at the ends. */
static const SoretSweepPoint *Known(const SoretPoints *points, PetscInt place)
{
  const SoretSweepPoint *p = place >= 0 && place < points->num ? &points->point[points->order[place]] : NULL;

  return p && p->state == SORET_POINT_CONVERGED && !isnan(p->observable) ? p : NULL;
}

/* Where the zero between places i and i + 1 should be, from these two and, where it helps, a third point by inverse interpolation; *error
   is what the third one changes. */
static PetscReal Estimate(const SoretPoints *points, PetscInt i, PetscReal *error)
{
  const SoretSweepPoint *a = Known(points, i), *b = Known(points, i + 1), *c = Known(points, i - 1);
  const PetscReal        linear = Secant(a->value, a->observable, b->value, b->observable), lo = PetscMin(a->value, b->value), hi = PetscMax(a->value, b->value);
  PetscReal              fa = a->observable, fb = b->observable, fc, inverse;

  if (Known(points, i + 2) && (!c || fabs(Known(points, i + 2)->value - b->value) < fabs(c->value - a->value))) c = Known(points, i + 2);
  *error = 0.1 * (hi - lo);
  if (!c) return linear;
  fc      = c->observable;
  inverse = a->value * fb * fc / ((fa - fb) * (fa - fc)) + b->value * fa * fc / ((fb - fa) * (fb - fc)) + c->value * fa * fb / ((fc - fa) * (fc - fb));
  if (!(inverse > lo && inverse < hi)) return linear;
  *error = 2.0 * fabs(inverse - linear);
  return inverse;
}

/* The next point for a zero between places i and i + 1: beside the estimate, on the side of the farther end, so that both ends close in. */
static PetscReal TowardZero(const SoretPoints *points, PetscInt i, PetscReal width)
{
  const SoretSweepPoint *a = &points->point[points->order[i]], *b = &points->point[points->order[i + 1]];
  const PetscReal        gap = fabs(b->value - a->value);
  PetscReal              error, guess = Estimate(points, i, &error), step = PetscMin(PetscMax(0.4 * width, error), 0.25 * gap), x;
  PetscInt               tries = 0;

  for (PetscInt k = 0; k < points->num; k++) tries += points->point[k].inserted && points->point[k].given == a->given;
  if (tries > PATIENCE) return Middle(points->spec, a->value, b->value);
  x = guess + (fabs(guess - a->value) < fabs(b->value - guess) ? 1.0 : -1.0) * (b->value > a->value ? step : -step);
  if (fabs(x - a->value) < 0.01 * PetscMin(width, gap) || fabs(b->value - x) < 0.01 * PetscMin(width, gap) || !((x - a->value) * (b->value - x) > 0.0)) return Middle(points->spec, a->value, b->value);
  return x;
}

/* To what the place of a zero between two points is relative: the parameter, which may be next to 0 where the two values of the list around it have
   different signs; there the smaller of these. */
static PetscReal ScaleOfZero(const SoretPoints *points, const SoretSweepPoint *a, const SoretSweepPoint *b)
{
  const SoretReals *values = &points->spec->values;
  const PetscReal   lo = values->value[a->given], hi = values->value[PetscMin(a->given + 1, values->n - 1)];

  return PetscMax(PetscMax(fabs(a->value), fabs(b->value)), lo * hi < 0.0 ? PetscMin(fabs(lo), fabs(hi)) : 0.0);
}

/* Does refinement want a point between places i and i + 1? */
static PetscBool Wants(const SoretPoints *points, PetscInt i, PetscReal *value)
{
  const SoretSweepSpec  *spec   = points->spec;
  const SoretRefineSpec *refine = &spec->refine;
  const SoretSweepPoint *a = Known(points, i), *b = Known(points, i + 1);
  const PetscReal        whole = Distance(spec, spec->values.value[0], spec->values.value[spec->values.n - 1]);

  if (!a || !b || a->value == b->value) return PETSC_FALSE;
  if (refine->zero.given && a->observable * b->observable < 0.0) {
    const PetscReal width = refine->zero.value * ScaleOfZero(points, a, b);

    if (fabs(b->value - a->value) > width) {
      *value = TowardZero(points, i, width);
      return *value != a->value && *value != b->value ? PETSC_TRUE : PETSC_FALSE;
    }
  }
  if (refine->change.given && fabs(b->observable - a->observable) > refine->change.value && Distance(spec, a->value, b->value) > 2.0 * refine->smallest * whole) {
    *value = Middle(spec, a->value, b->value);
    return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* Makes a point behind place i. */
static PetscInt Insert(SoretPoints *points, PetscInt i, PetscReal value)
{
  const SoretSweepPoint *before = &points->point[points->order[i]];

  points->point[points->num] = (SoretSweepPoint){.value = value, .inserted = PETSC_TRUE, .branch = before->branch, .given = before->given, .observable = NAN};
  memmove(&points->order[i + 2], &points->order[i + 1], (size_t)(points->num - i - 1) * sizeof(*points->order));
  points->order[i + 1] = points->num;
  return points->num++;
}

/* The first point along the sweep that is in a state, -1 if there is none. */
static PetscInt FindState(const SoretPoints *points, PetscInt branch, SoretPointState state)
{
  for (PetscInt i = 0; i < points->num; i++) {
    const SoretSweepPoint *p = &points->point[points->order[i]];

    if (p->branch == branch && p->state == state) return points->order[i];
  }
  return -1;
}

PetscErrorCode SoretPointsNext(SoretPoints *points, PetscInt branch, PetscInt *number)
{
  PetscReal value;

  PetscFunctionBegin;
  *number = FindState(points, branch, SORET_POINT_INTERRUPTED);
  if (points->spec->refines && points->num < points->room) {
    for (PetscInt i = 0; i + 1 < points->num && *number < 0; i++) {
      if (points->point[points->order[i]].branch == branch && Wants(points, i, &value)) *number = Insert(points, i, value);
    }
  }
  if (*number < 0) *number = FindState(points, branch, SORET_POINT_WAITING);
  if (*number >= 0) points->point[*number].state = SORET_POINT_RUNNING;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscInt SoretPointsInserted(const SoretPoints *points)
{
  return points->num - points->spec->values.n;
}

void SoretPointsZeros(const SoretPoints *points, PetscInt *num, PetscReal zero[])
{
  *num = 0;
  for (PetscInt i = 0; i < points->num; i++) {
    const SoretSweepPoint *a = Known(points, i), *b = Known(points, i + 1);

    if (a && b && a->observable * b->observable < 0.0) zero[(*num)++] = Secant(a->value, a->observable, b->value, b->observable);
    else if (a && a->observable == 0.0) zero[(*num)++] = a->value;
  }
}
