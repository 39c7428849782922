/* SPDX-License-Identifier: BSD-2-Clause */
#include "output_private.h"

#include "soret/record.h"

/* ---- fields ---- */

/* Adds to the list of fields; *field is the new one. */
static PetscErrorCode AddField(SoretOutput o, SoretFrameFieldKind kind, PetscInt index, const char *units, SoretFrameField **field, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(6, 7);
static PetscErrorCode AddField(SoretOutput o, SoretFrameFieldKind kind, PetscInt index, const char *units, SoretFrameField **field, const char *format, ...)
{
  SoretFrameField *next = &o->field[o->num_fields++];
  va_list          list;

  PetscFunctionBegin;
  *next = (SoretFrameField){.kind = kind, .index = index, .units = units, .part = SORET_PART_WHOLE};
  va_start(list, format);
  PetscCall(PetscVSNPrintf(next->name, sizeof(next->name), format, NULL, list));
  va_end(list);
  if (field) *field = next;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The Soret coefficient of a sum, or a part of it. */
static PetscErrorCode AddSoret(SoretOutput o, SoretFrameFieldKind kind, PetscInt k, SoretPart part, const char *name)
{
  SoretFrameField *field;

  PetscFunctionBegin;
  PetscCall(AddField(o, kind, k, "1/K", &field, "%s", name));
  field->part = part;
  field->note = "of";
  field->text = o->sums->name[k];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the meter measures. */
static PetscErrorCode NameMeter(SoretOutput o)
{
  const SoretModel *model = o->op->model;
  char              name[100];

  PetscFunctionBegin;
  for (PetscInt s = 0; s < model->num_species; s++) PetscCall(AddField(o, SORET_FRAME_SORET_SPECIES, s, "1/K", NULL, "meter/species/%s", model->species[s].name));
  for (PetscInt k = 0; k < o->sums->num; k++) {
    for (int part = 0; part < SORET_NUM_PARTS; part++) {
      PetscCall(PetscSNPrintf(name, sizeof(name), "meter/total/%" PetscInt_FMT "/%s", k, SoretPartName((SoretPart)part)));
      PetscCall(AddSoret(o, SORET_FRAME_SORET, k, (SoretPart)part, name));
    }
    PetscCall(PetscSNPrintf(name, sizeof(name), "meter/total/%" PetscInt_FMT "/equilibrium", k));
    PetscCall(AddSoret(o, SORET_FRAME_EQUILIBRIUM, k, SORET_PART_WHOLE, name));
  }
  PetscCall(AddField(o, SORET_FRAME_ENTROPY, SORET_ENTROPY_REACTIONS, "mol/m^3/s", NULL, "meter/entropy/reactions"));
  PetscCall(AddField(o, SORET_FRAME_ENTROPY, SORET_ENTROPY_DIFFUSION, "mol/m^3/s", NULL, "meter/entropy/diffusion"));
  PetscCall(AddField(o, SORET_FRAME_HEAT, 0, "W/m^2", NULL, "meter/heat"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFramesNameFields(SoretOutput o)
{
  const SoretModel    *model  = o->op->model;
  const SoretFrameSize size   = SoretOutputFrameSize(&o->spec, model, o->sums->num, o->varies);
  const PetscInt       ns = model->num_species, nr = model->network.num_reactions, room = size.scalars + size.vectors;
  SoretFrameField     *field;

  PetscFunctionBegin;
  PetscCall(PetscFree(o->field));
  o->num_fields = 0;
  PetscCall(PetscMalloc1(room, &o->field));
  for (PetscInt s = 0; s < ns; s++) PetscCall(AddField(o, SORET_FRAME_CONCENTRATION, s, "mol/m^3", NULL, "%s", model->species[s].name));
  if (o->varies) PetscCall(AddField(o, SORET_FRAME_TEMPERATURE, 0, "K", NULL, "temperature"));
  for (PetscInt s = 0; s < ns && (o->spec.fields & SORET_FIELD_FLUX); s++) PetscCall(AddField(o, SORET_FRAME_FLUX, s, "mol/m^2/s", NULL, "flux/%s", model->species[s].name));
  for (PetscInt r = 0; r < nr && (o->spec.fields & SORET_FIELD_RATE); r++) {
    PetscCall(AddField(o, SORET_FRAME_RATE, r, "mol/m^3/s", &field, "rate/%" PetscInt_FMT, r));
    field->note = "equation";
    field->text = model->network.reaction[r].equation;
  }
  if ((o->spec.fields & SORET_FIELD_SORET) && o->sums->num) PetscCall(AddSoret(o, SORET_FRAME_SORET, 0, SORET_PART_WHOLE, "soret"));
  if (o->spec.fields & SORET_FIELD_ENTROPY) PetscCall(AddField(o, SORET_FRAME_ENTROPY, SORET_ENTROPY_BOTH, "mol/m^3/s", NULL, "entropy_production"));
  if (o->spec.fields & SORET_FIELD_METER) PetscCall(NameMeter(o));
  PetscCheck(o->num_fields == room, o->comm, PETSC_ERR_PLIB, "%" PetscInt_FMT " fields of a frame, %" PetscInt_FMT " expected", o->num_fields, room);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscInt SoretFrameTrailing(const SoretOutput o, const SoretFrameField *field)
{
  return field->kind == SORET_FRAME_FLUX || field->kind == SORET_FRAME_HEAT ? o->op->grid->dim : 0;
}

/* Computes a field from the concentrations into o->work. */
static PetscErrorCode FillField(SoretOutput o, const SoretFrameField *field, Vec x)
{
  const PetscInt   ns = o->op->num_species, n = o->op->grid->num_cells;
  PetscReal        w[SORET_MAX_SPECIES] = {0.0};
  const PetscReal *c;

  PetscFunctionBegin;
  switch (field->kind) {
  case SORET_FRAME_CONCENTRATION:
    PetscCall(VecGetArrayRead(x, &c));
    for (PetscInt p = 0; p < n; p++) o->work[p] = c[p * ns + field->index];
    PetscCall(VecRestoreArrayRead(x, &c));
    break;
  case SORET_FRAME_TEMPERATURE:
    PetscCall(PetscArraycpy(o->work, o->op->temperature->T, n));
    break;
  case SORET_FRAME_FLUX:
    PetscCall(SoretDiagnoseFlux(o->op, x, field->index, o->work));
    break;
  case SORET_FRAME_RATE:
    PetscCall(SoretDiagnoseRate(o->op, x, field->index, o->work));
    break;
  case SORET_FRAME_SORET:
    PetscCall(SoretDiagnoseSoret(o->op, x, o->sums->w + field->index * ns, field->part, o->work));
    break;
  case SORET_FRAME_SORET_SPECIES:
    w[field->index] = 1.0;
    PetscCall(SoretDiagnoseSoret(o->op, x, w, SORET_PART_WHOLE, o->work));
    break;
  case SORET_FRAME_EQUILIBRIUM:
    PetscCall(SoretDiagnoseEquilibrium(o->op, &o->thermo, x, field->index, o->work));
    break;
  case SORET_FRAME_ENTROPY:
    PetscCall(SoretDiagnoseEntropy(o->op, (SoretEntropy)field->index, x, o->work));
    break;
  case SORET_FRAME_HEAT:
    PetscCall(SoretDiagnoseHeat(o->op, &o->thermo, x, o->work));
    break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFramePutField(SoretOutput o, SoretH5 h5, const char *frame, const SoretFrameField *field)
{
  char path[256];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", frame, field->name));
  PetscCall(SoretOutputWriteField(o, h5, path, field->units, SoretFrameTrailing(o, field), o->work));
  if (field->note) PetscCall(SoretH5WriteString(h5, path, field->note, field->text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- frames ---- */

PetscErrorCode SoretFrameRemember(SoretOutput o, SoretFrame frame)
{
  PetscFunctionBegin;
  if (o->num_frames == o->frame_room) {
    SoretFrame *more;

    o->frame_room = PetscMax(2 * o->frame_room, 16);
    PetscCall(PetscMalloc1(o->frame_room, &more));
    if (o->frame) PetscCall(PetscArraycpy(more, o->frame, o->num_frames));
    PetscCall(PetscFree(o->frame));
    o->frame = more;
  }
  o->frame[o->num_frames++] = frame;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFramePath(PetscInt number, size_t length, char path[])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, length, "/frames/%06" PetscInt_FMT, number));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretFrameBegin(SoretH5 h5, const char *path, SoretFrame frame)
{
  PetscFunctionBegin;
  PetscCall(SoretH5MakeGroup(h5, path));
  PetscCall(SoretH5WriteReal(h5, path, "time", frame.time));
  PetscCall(SoretH5WriteInt(h5, path, "step", frame.step));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputAddFrame(SoretOutput o, PetscInt step, PetscReal t, Vec c)
{
  SoretFrame frame = {.time = t, .step = step};
  char       path[64];
  SoretH5    h5;

  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_OUTPUT);
  PetscCall(SoretOperatorSetTime(o->op, t));
  PetscCall(SoretFramePath(o->num_frames, sizeof(path), path));
  PetscCall(SoretH5Open(o->comm, o->path, SORET_H5_UPDATE, &h5));
  PetscCall(SoretFrameBegin(h5, path, frame));
  PetscCall(SoretH5GetPlace(h5, path, &frame.place));
  for (PetscInt k = 0; k < o->num_fields; k++) {
    PetscCall(FillField(o, &o->field[k], c));
    PetscCall(SoretFramePutField(o, h5, path, &o->field[k]));
  }
  PetscCall(SoretSeriesFlush(o, h5));
  PetscCall(SoretH5Close(&h5));
  PetscCall(SoretFrameRemember(o, frame));
  if (SoretOutputIsDue(o->num_listed, o->num_frames)) PetscCall(SoretFramesUpdateXDMF(o));
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(PETSC_SUCCESS);
}
