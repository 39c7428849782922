/* SPDX-License-Identifier: BSD-2-Clause */
#include "output_private.h"

#include "soret/record.h"

/* ---- columns ---- */

static PetscErrorCode AddColumn(SoretOutput o, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
static PetscErrorCode AddColumn(SoretOutput o, const char *format, ...)
{
  char    name[256];
  va_list list;

  PetscFunctionBegin;
  va_start(list, format);
  PetscCall(PetscVSNPrintf(name, sizeof(name), format, NULL, list));
  va_end(list);
  PetscCall(PetscStrallocpy(name, &o->column[o->num_columns++]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSeriesNameColumns(SoretOutput o, const SoretModel *model, const SoretBoundarySpec *boundary)
{
  const PetscInt ns = model->num_species;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(5 + o->sums->num + 9 * ns, &o->column));
  PetscCall(AddColumn(o, "time"));
  PetscCall(AddColumn(o, "step"));
  for (PetscInt k = 0; k < o->sums->num; k++) PetscCall(AddColumn(o, "total/%" PetscInt_FMT, k));
  for (PetscInt s = 0; s < ns; s++) PetscCall(AddColumn(o, "min/%s", model->species[s].name));
  for (PetscInt s = 0; s < ns; s++) PetscCall(AddColumn(o, "max/%s", model->species[s].name));
  for (int face = 0; face < 6; face++) {
    for (PetscInt s = 0; s < ns; s++) {
      if (SoretBoundaryCondition(boundary, face, s)->kind != SORET_CLOSED) PetscCall(AddColumn(o, "boundary_flux/%s/%s", SoretFaceName(face), model->species[s].name));
    }
  }
  for (PetscInt s = 0; s < ns; s++) {
    o->reacts[s] = SoretNetworkChanges(&model->network, s);
    if (o->reacts[s]) PetscCall(AddColumn(o, "source/%s", model->species[s].name));
  }
  PetscCall(AddColumn(o, "entropy_production"));
  PetscCall(AddColumn(o, "entropy_reactions"));
  PetscCall(AddColumn(o, "entropy_diffusion"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputColumns(const SoretModel *model, const SoretBoundarySpec *boundary, const SoretSums *sums, PetscInt *num, char **names[])
{
  SoretOutput o;

  PetscFunctionBegin;
  PetscCall(PetscNew(&o));
  o->sums = sums;
  PetscCall(SoretSeriesNameColumns(o, model, boundary));
  *num   = o->num_columns;
  *names = o->column;
  PetscCall(PetscFree(o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- drift ---- */

/* Largest drift of what the parts of the fluid keep, each by itself; not of what walls feed. */
static PetscErrorCode TrackParts(SoretOutput o, Vec c)
{
  const SoretSums *sums = o->sums;
  PetscReal       *amount;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(sums->num_parts * sums->num_species, &amount));
  PetscCall(SoretPocketsMeasure(o->op, c, amount));
  for (PetscInt part = 0; part < sums->num_parts; part++) {
    for (PetscInt k = 0; k < sums->part[part].num; k++) {
      PetscReal       scale;
      const PetscReal mean = SoretPocketMean(sums, o->op->grid->pocket_volume, part, k, amount, &scale);

      if (scale > 0.0 && !sums->part[part].fed[k]) o->drift = PetscMax(o->drift, PetscAbsReal(mean - sums->part[part].mean[k]) / scale);
    }
  }
  PetscCall(PetscFree(amount));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Drift of the conserved sums, but for those that walls feed. */
static PetscErrorCode TrackDrift(SoretOutput o, Vec c, const SoretState *state)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < o->sums->num_global + o->sums->num_local; k++) {
    /* global sums are compared with what they should be, the others with what they were first */
    if (k < o->sums->num_global) o->first_total[k] = o->sums->mean[k];
    else if (!o->started) o->first_total[k] = state->total[k];
    if (state->scale[k] > 0.0 && !(k < o->sums->num_global && o->sums->fed[k])) o->drift = PetscMax(o->drift, PetscAbsReal(state->total[k] - o->first_total[k]) / state->scale[k]);
  }
  if (o->sums->num_parts) PetscCall(TrackParts(o, c));
  o->started = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscReal SoretOutputDrift(SoretOutput o)
{
  return o->drift;
}

/* ---- rows ---- */

PetscErrorCode SoretSeriesGrow(SoretOutput o, PetscInt n)
{
  PetscReal *more;

  PetscFunctionBegin;
  if (n <= o->room) PetscFunctionReturn(PETSC_SUCCESS);
  o->room = PetscMax(PetscMax(2 * o->room, n), 64);
  PetscCall(PetscMalloc1(o->room * o->num_columns, &more));
  if (o->rows) PetscCall(PetscArraycpy(more, o->rows, o->num_rows * o->num_columns));
  PetscCall(PetscFree(o->rows));
  o->rows = more;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputMeasure(SoretOutput o, PetscInt step, PetscReal t, Vec c, PetscReal row[])
{
  const PetscInt ns = o->op->num_species;
  SoretState     state;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_OUTPUT);
  PetscCall(SoretDiagnoseState(o->op, o->sums, c, &state));
  PetscCall(TrackDrift(o, c, &state));
  *row++ = t;
  *row++ = (PetscReal)step;
  for (PetscInt k = 0; k < o->sums->num; k++) *row++ = state.total[k];
  for (PetscInt s = 0; s < ns; s++) *row++ = state.min[s];
  for (PetscInt s = 0; s < ns; s++) *row++ = state.max[s];
  for (int face = 0; face < 6; face++) {
    for (PetscInt s = 0; s < ns; s++) {
      if (SoretBoundaryCondition(o->op->boundary->spec, face, s)->kind != SORET_CLOSED) *row++ = state.boundary_flux[face][s];
    }
  }
  for (PetscInt s = 0; s < ns; s++) {
    if (o->reacts[s]) *row++ = state.source[s];
  }
  *row++ = state.entropy_reactions + state.entropy_diffusion;
  *row++ = state.entropy_reactions;
  *row   = state.entropy_diffusion;
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputAddRow(SoretOutput o, PetscInt step, PetscReal t, Vec c)
{
  PetscMPIInt rank;
  PetscReal  *row;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(o->num_columns, &row));
  PetscCall(SoretOutputMeasure(o, step, t, c, row));
  PetscCallMPI(MPI_Comm_rank(o->comm, &rank));
  if (rank == 0) {
    PetscCall(SoretSeriesGrow(o, o->num_rows + 1));
    PetscCall(PetscArraycpy(o->rows + o->num_columns * o->num_rows, row, o->num_columns));
  }
  o->num_rows++;
  PetscCall(PetscFree(row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSeriesFlush(SoretOutput o, SoretH5 h5)
{
  const PetscBool first = o->num_flushed == 0 ? PETSC_TRUE : PETSC_FALSE;
  const PetscInt  fresh = o->num_rows - o->num_flushed;
  PetscReal      *column;

  PetscFunctionBegin;
  if (!fresh) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscCalloc1(fresh, &column));
  for (PetscInt k = 0; k < o->num_columns; k++) {
    char path[300];

    for (PetscInt r = 0; o->rows && r < fresh; r++) column[r] = o->rows[(o->num_flushed + r) * o->num_columns + k];
    PetscCall(PetscSNPrintf(path, sizeof(path), "/series/%s", o->column[k]));
    PetscCall(SoretH5Append(h5, path, fresh, column));
  }
  PetscCall(PetscFree(column));
  for (PetscInt k = 0; first && k < o->sums->num; k++) {
    char path[64];

    PetscCall(PetscSNPrintf(path, sizeof(path), "/series/total/%" PetscInt_FMT, k));
    PetscCall(SoretH5WriteString(h5, path, "formula", o->sums->name[k]));
    PetscCall(SoretH5WriteInt(h5, path, "conserved", k < o->sums->num_global ? !o->sums->fed[k] : k < o->sums->num_global + o->sums->num_local));
  }
  o->num_flushed = o->num_rows;
  PetscFunctionReturn(PETSC_SUCCESS);
}
