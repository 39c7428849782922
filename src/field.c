/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/field.h"

#include <stddef.h>
#include <unistd.h>

/* The part of a dataset around the cells of this rank at one time. */
typedef struct {
  PetscInt   slice; /* index along the time axis, -1: nothing read yet */
  PetscReal *value; /* [count[2]][count[1]][count[0]]                   */
} Slice;

struct SoretField_s {
  const SoretNode *node;
  SoretExpr        formula; /* or NULL: then a file */
  char            *path, *dataset, *time_path;
  PetscInt         num_times;
  PetscReal       *times;
  PetscInt         n[3];     /* cells of the dataset, x first     */
  /* filled by SoretFieldPrepare() */
  const SoretGrid *grid;
  PetscInt         start[3], count[3];
  Slice            slice[2];
  PetscReal        weight;   /* of slice[1] */
};

typedef struct {
  char *file, *dataset, *time;
} FileSpec;

static const SoretKey file_keys[] = {
  {"file", SORET_STRING, NULL, SORET_REQUIRED, SORET_ANY, offsetof(FileSpec, file), "HDF5 file, looked for beside the case file"},
  {"dataset", SORET_STRING, NULL, SORET_REQUIRED, SORET_ANY, offsetof(FileSpec, dataset), "dataset [nz][ny][nx] (x fastest) of cell-centred values on the same box, in base units; another resolution is interpolated linearly. A time axis may stand in front"},
  {"time", SORET_STRING, NULL, SORET_OPTIONAL, SORET_ANY, offsetof(FileSpec, time), "dataset [nt] of the times of the slices, increasing; linear between, constant beyond the ends"},
  {.key = NULL}};

PetscErrorCode SoretFieldRead(SoretInput in, const SoretNode *node, const char *unit, unsigned allowed, SoretField *field)
{
  const PetscInt errors = SoretInputCountErrors(in);
  FileSpec       spec;
  char           path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(PetscNew(field));
  (*field)->node           = node;
  (*field)->slice[0].slice = (*field)->slice[1].slice = -1;
  if (node->kind == SORET_NODE_MAP) {
    PetscCall(SoretInputReadMap(in, node, node, "field", file_keys, &spec));
    if (SoretInputCountErrors(in) == errors) {
      PetscCall(SoretInputResolve(in, spec.file, sizeof(path), path));
      PetscCall(PetscStrallocpy(path, &(*field)->path));
      PetscCall(PetscStrallocpy(spec.dataset, &(*field)->dataset));
      if (spec.time) PetscCall(PetscStrallocpy(spec.time, &(*field)->time_path));
      if (!spec.dataset[0] || (spec.time && !spec.time[0])) PetscCall(SoretInputError(in, node, "the name of a dataset is empty"));
      if (spec.time && !(allowed & SORET_VAR_TIME)) PetscCall(SoretInputError(in, node, "this field cannot depend on time"));
    }
  } else PetscCall(SoretInputReadFormula(in, node, unit, allowed, &(*field)->formula));
  if (SoretInputCountErrors(in) > errors) PetscCall(SoretFieldDestroy(field));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFieldCreateConstant(PetscReal value, SoretField *field)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(field));
  PetscCall(SoretExprCreateConstant(value, &(*field)->formula));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFieldRelease(SoretField field)
{
  PetscFunctionBegin;
  for (int s = 0; s < 2; s++) {
    PetscCall(PetscFree(field->slice[s].value));
    field->slice[s].slice = -1;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFieldDestroy(SoretField *field)
{
  PetscFunctionBegin;
  if (!*field) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretFieldRelease(*field));
  PetscCall(SoretExprDestroy(&(*field)->formula));
  PetscCall(PetscFree((*field)->path));
  PetscCall(PetscFree((*field)->dataset));
  PetscCall(PetscFree((*field)->time_path));
  PetscCall(PetscFree((*field)->times));
  PetscCall(PetscFree(*field));
  PetscFunctionReturn(PETSC_SUCCESS);
}

const SoretNode *SoretFieldNode(SoretField field)
{
  return field ? field->node : NULL;
}

const char *SoretFieldPath(SoretField field)
{
  return field ? field->path : NULL;
}

PetscBool SoretFieldResolution(SoretField field, PetscInt n[3])
{
  if (!field || field->formula) return PETSC_FALSE;
  for (int axis = 0; axis < 3; axis++) n[axis] = field->n[axis];
  return PETSC_TRUE;
}

PetscErrorCode SoretFieldOpen(SoretField field, MPI_Comm comm, SoretH5 *h5)
{
  PetscFunctionBegin;
  PetscCall(SoretH5Open(comm, field->path, SORET_H5_READ, h5));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFieldReadRaw(SoretField field, SoretH5 h5, PetscInt dim, const PetscInt start[3], const PetscInt count[3], PetscReal data[])
{
  PetscInt from[3], extent[3];

  PetscFunctionBegin;
  for (PetscInt axis = 0; axis < dim; axis++) {
    from[dim - 1 - axis]   = start[axis];
    extent[dim - 1 - axis] = count[axis];
  }
  PetscCall(SoretH5ReadOverlapping(h5, field->dataset, (int)dim, from, extent, data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

unsigned SoretFieldUses(SoretField field)
{
  if (!field) return 0;
  if (field->formula) return SoretExprUses(field->formula);
  return SORET_VAR_SPACE | (field->time_path ? SORET_VAR_TIME : 0);
}

/* ---- files ---- */

/* A dataset that cannot be read, which has been told, is a mistake of the case as well. */
static PetscErrorCode Unreadable(SoretInput in, SoretField field, const char *dataset)
{
  PetscFunctionBegin;
  PetscCall(SoretInputError(in, field->node, "dataset '%s' of '%s' is nothing that can be read", dataset, field->path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckTimes(SoretInput in, SoretH5 h5, SoretField field, PetscInt num_slices)
{
  PetscInt       size[8];
  const PetscInt zero = 0;
  int            rank;

  PetscFunctionBegin;
  if (SoretH5GetSize(h5, field->time_path, &rank, size)) {
    PetscCall(Unreadable(in, field, field->time_path));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (rank != 1 || size[0] != num_slices) {
    PetscCall(SoretInputError(in, field->node, "'%s' in '%s' must be a dataset of %" PetscInt_FMT " times", field->time_path, field->path, num_slices));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscFree(field->times));
  PetscCall(PetscMalloc1(num_slices, &field->times));
  if (SoretH5ReadOverlapping(h5, field->time_path, 1, &zero, &num_slices, field->times)) {
    PetscCall(Unreadable(in, field, field->time_path));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  field->num_times = num_slices;
  for (PetscInt i = 1; i < num_slices; i++) {
    if (field->times[i] > field->times[i - 1]) continue;
    PetscCall(SoretInputError(in, field->node, "the times in '%s' must increase: entry %" PetscInt_FMT " is %g after %g", field->time_path, i, (double)field->times[i], (double)field->times[i - 1]));
    break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckDataset(SoretInput in, SoretH5 h5, PetscInt dim, SoretField field)
{
  const PetscInt lead = field->time_path ? 1 : 0, none[8] = {0};
  PetscReal      nothing;
  PetscInt       size[8];
  int            rank;

  PetscFunctionBegin;
  if (SoretH5GetSize(h5, field->dataset, &rank, size)) {
    PetscCall(Unreadable(in, field, field->dataset));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (rank < 0) {
    PetscCall(SoretInputError(in, field->node, "'%s' has no dataset '%s'", field->path, field->dataset));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (rank != dim + lead) {
    PetscCall(SoretInputError(in, field->node, "dataset '%s' has %d axes, expected %" PetscInt_FMT ": %s%s", field->dataset, rank, dim + lead, lead ? "[nt]" : "", dim == 1 ? "[nx]" : dim == 2 ? "[ny][nx]" : "[nz][ny][nx]"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (int axis = 0; axis < 3; axis++) field->n[axis] = axis < dim ? size[rank - 1 - axis] : 1;
  for (int k = 0; k < rank; k++) {
    if (size[k] > 0) continue;
    PetscCall(SoretInputError(in, field->node, "dataset '%s' is empty", field->dataset));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (SoretH5ReadOverlapping(h5, field->dataset, rank, none, none, &nothing)) { /* no numbers */
    PetscCall(Unreadable(in, field, field->dataset));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (lead) PetscCall(CheckTimes(in, h5, field, size[0]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFieldCheck(SoretInput in, MPI_Comm comm, PetscInt dim, SoretField field)
{
  PetscMPIInt    rank;
  int            readable;
  PetscErrorCode status;
  SoretH5        h5;

  PetscFunctionBegin;
  if (!field || field->formula) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  readable = rank == 0 ? access(field->path, R_OK) == 0 : 0;
  PetscCallMPI(MPI_Bcast(&readable, 1, MPI_INT, 0, comm));
  if (!readable) {
    PetscCall(SoretInputError(in, field->node, "cannot read the file '%s'", field->path));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  status = SoretH5Open(comm, field->path, SORET_H5_READ, &h5);
  if (status) { /* it has said why */
    PetscCall(SoretInputError(in, field->node, "'%s' is not an HDF5 file that can be read", field->path));
    PetscCall(SoretInputHint(in, "`soretpost import` makes one of .npy, images, tables, surfaces and meshes"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(CheckDataset(in, h5, dim, field));
  PetscCall(SoretH5Close(&h5));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Cells of the dataset that linear interpolation needs for the cells of this rank and the layer of ghosts around them. */
static void CoverRank(SoretField field, const SoretGrid *grid)
{
  for (int axis = 0; axis < 3; axis++) {
    const PetscReal h  = grid->size[axis] / (PetscReal)field->n[axis];
    const PetscInt  i0 = grid->start[axis], i1 = grid->start[axis] + grid->count[axis];
    PetscInt        lo = (PetscInt)PetscFloorReal((grid->edge[axis][i0] - grid->origin[axis]) / h - 0.5) - 1;
    PetscInt        hi = (PetscInt)PetscFloorReal((grid->edge[axis][i1] - grid->origin[axis]) / h - 0.5) + 2;

    if (axis < grid->dim && grid->periodic[axis] && (lo < 0 || hi >= field->n[axis])) {
      lo = 0; /* the far end is needed too; keep the whole axis */
      hi = field->n[axis] - 1;
    }
    lo                 = PetscMax(lo, 0);
    hi                 = PetscMin(hi, field->n[axis] - 1);
    lo                 = PetscMin(lo, PetscMax(field->n[axis] - 2, 0)); /* two cells at least, for the slope at a wall */
    field->start[axis] = lo;
    field->count[axis] = PetscMax(hi, PetscMin(lo + 1, field->n[axis] - 1)) - lo + 1;
  }
}

static PetscErrorCode ReadSlice(SoretField field, SoretH5 h5, PetscInt index, Slice *slice)
{
  PetscInt start[4], count[4];
  int      rank = 0;

  PetscFunctionBegin;
  if (!slice->value) PetscCall(PetscMalloc1((size_t)field->count[0] * (size_t)field->count[1] * (size_t)field->count[2], &slice->value));
  if (field->time_path) {
    start[rank]   = index;
    count[rank++] = 1;
  }
  for (int axis = (int)field->grid->dim - 1; axis >= 0; axis--) {
    start[rank]   = field->start[axis];
    count[rank++] = field->count[axis];
  }
  PetscCall(SoretH5ReadOverlapping(h5, field->dataset, rank, start, count, slice->value));
  slice->slice = index;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFieldPrepare(SoretField field, const SoretGrid *grid, PetscReal t)
{
  PetscInt       wanted[2] = {0, 0};
  SoretH5        h5        = NULL;
  PetscErrorCode ierr      = PETSC_SUCCESS;

  PetscFunctionBegin;
  if (!field || field->formula) PetscFunctionReturn(PETSC_SUCCESS);
  if (field->grid != grid) {
    field->grid = grid;
    CoverRank(field, grid);
    PetscCall(SoretFieldRelease(field));
  }
  field->weight = 0.0;
  if (field->num_times > 1) {
    PetscInt i = 0;

    while (i < field->num_times - 2 && field->times[i + 1] <= t) i++;
    wanted[0]     = i;
    wanted[1]     = i + 1;
    field->weight = (t - field->times[i]) / (field->times[i + 1] - field->times[i]);
    field->weight = PetscMin(1.0, PetscMax(0.0, field->weight));
  }
  if (wanted[0] == field->slice[1].slice && wanted[0] != field->slice[0].slice) { /* time went on by one slice */
    const Slice swap = field->slice[0];

    field->slice[0] = field->slice[1];
    field->slice[1] = swap;
  }
  for (int s = 0; s < (field->num_times > 1 ? 2 : 1) && !ierr; s++) {
    if (field->slice[s].slice == wanted[s]) continue;
    if (!h5) PetscCall(SoretH5Open(grid->comm, field->path, SORET_H5_READ, &h5));
    ierr = ReadSlice(field, h5, wanted[s], &field->slice[s]);
  }
  if (h5) PetscCall(SoretH5Close(&h5));
  PetscFunctionReturn(ierr);
}

/* Lower neighbour and weight of the upper one along an axis. Beyond the outermost centres the line through the last two goes on
   (at most half a cell: up to the wall); a periodic axis wraps. */
static void Interval(SoretField field, int axis, PetscReal x, PetscInt index[2], PetscReal *weight)
{
  const SoretGrid *grid = field->grid;
  const PetscInt   n    = field->n[axis];
  const PetscReal  s    = (x - grid->origin[axis]) / (grid->size[axis] / (PetscReal)n) - 0.5;
  PetscInt         i    = (PetscInt)PetscFloorReal(s);

  if (n == 1) {
    index[0] = index[1] = 0;
    *weight             = 0.0;
    return;
  }
  if (axis < grid->dim && grid->periodic[axis]) {
    *weight  = s - (PetscReal)i;
    index[0] = ((i % n) + n) % n;
    index[1] = (index[0] + 1) % n;
  } else {
    i        = PetscMax(0, PetscMin(i, n - 2));
    *weight  = s - (PetscReal)i;
    index[0] = i;
    index[1] = i + 1;
  }
  for (int e = 0; e < 2; e++) index[e] = PetscMax(0, PetscMin(index[e] - field->start[axis], field->count[axis] - 1));
}

/* What goes on beyond the outermost centres does not go below 0 where the dataset does not: concentrations are not negative. */
static PetscReal Interpolate(SoretField field, const Slice *slice, PetscInt index[3][2], const PetscReal weight[3])
{
  PetscReal sum = 0.0, least = PETSC_MAX_REAL;

  for (int corner = 0; corner < 8; corner++) {
    const int       e[3] = {corner & 1, (corner >> 1) & 1, corner >> 2};
    const PetscReal w    = (e[0] ? weight[0] : 1.0 - weight[0]) * (e[1] ? weight[1] : 1.0 - weight[1]) * (e[2] ? weight[2] : 1.0 - weight[2]);
    PetscReal       value;

    if (w == 0.0) continue;
    value = slice->value[((size_t)index[2][e[2]] * (size_t)field->count[1] + (size_t)index[1][e[1]]) * (size_t)field->count[0] + (size_t)index[0][e[0]]];
    least = PetscMin(least, value);
    sum += w * value;
  }
  return sum < 0.0 && least >= 0.0 ? 0.0 : sum;
}

/* ---- values ---- */

PetscReal SoretFieldEvaluate(SoretField field, const SoretPoint *point)
{
  PetscInt  index[3][2];
  PetscReal weight[3], value;

  if (field->formula) return SoretExprEvaluate(field->formula, point);
  for (int axis = 0; axis < 3; axis++) Interval(field, axis, point->x[axis], index[axis], &weight[axis]);
  value = Interpolate(field, &field->slice[0], index, weight);
  if (field->weight != 0.0) value = (1.0 - field->weight) * value + field->weight * Interpolate(field, &field->slice[1], index, weight);
  return value;
}

void SoretFieldEvaluateRow(SoretField field, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal out[])
{
  SoretPoint at = *point;

  if (field->formula) SoretExprEvaluateRow(field->formula, n, point, x, T, out);
  for (PetscInt i = 0; i < n && !field->formula; i++) {
    at.x[0] = x[i];
    out[i]  = SoretFieldEvaluate(field, &at);
  }
}

void SoretFieldFillRow(SoretField field, const SoretGrid *grid, PetscInt row, PetscReal t, const PetscReal T[], PetscReal out[])
{
  const PetscInt   j = row % grid->count[1], k = row / grid->count[1];
  const SoretPoint point = {{0.0, grid->dim > 1 ? grid->center[1][grid->start[1] + j] : 0.0, grid->dim > 2 ? grid->center[2][grid->start[2] + k] : 0.0}, t, 0.0};

  SoretFieldEvaluateRow(field, grid->count[0], &point, grid->center[0] + grid->start[0], T, out);
}

PetscErrorCode SoretFieldFill(SoretField field, const SoretGrid *grid, PetscReal t, const PetscReal T[], PetscReal out[])
{
  const PetscInt nx = grid->count[0];

  PetscFunctionBegin;
  for (PetscInt row = 0; row < grid->count[1] * grid->count[2]; row++) SoretFieldFillRow(field, grid, row, t, T ? T + row * nx : NULL, out + row * nx);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- time ---- */

PetscErrorCode SoretFollowTime(PetscBool varies, PetscReal filled, PetscReal t, SoretRefill fill, void *values, PetscBool *changed)
{
  PetscFunctionBegin;
  *changed = varies && t != filled ? PETSC_TRUE : PETSC_FALSE;
  if (*changed) PetscCall(fill(values, t));
  PetscFunctionReturn(PETSC_SUCCESS);
}
