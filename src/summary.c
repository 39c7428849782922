/* SPDX-License-Identifier: BSD-2-Clause */
#include "output_private.h"

#include <math.h>

#include "soret/record.h"

/* ---- entries ---- */

static SoretSummaryEntry *NewEntry(SoretOutput o, const char *name)
{
  SoretSummaryEntry *entry = &o->summary[PetscMin(o->num_summary, SORET_MAX_SUMMARY - 1)];

  o->num_summary = PetscMin(o->num_summary + 1, SORET_MAX_SUMMARY);
  (void)PetscStrncpy(entry->name, name, sizeof(entry->name));
  return entry;
}

PetscErrorCode SoretOutputSummaryReal(SoretOutput o, const char *name, PetscReal value)
{
  SoretSummaryEntry *entry = NewEntry(o, name);

  PetscFunctionBegin;
  entry->kind = SORET_SUMMARY_REAL;
  entry->real = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputSummaryInt(SoretOutput o, const char *name, PetscInt64 value)
{
  SoretSummaryEntry *entry = NewEntry(o, name);

  PetscFunctionBegin;
  entry->kind    = SORET_SUMMARY_INT;
  entry->integer = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SummaryString(SoretOutput o, const char *name, const char *value)
{
  SoretSummaryEntry *entry = NewEntry(o, name);

  PetscFunctionBegin;
  entry->kind = SORET_SUMMARY_STRING;
  PetscCall(PetscStrncpy(entry->string, value, sizeof(entry->string)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputOutcome(SoretOutput o, const SoretOutcome *outcome, PetscInt num_checkpoints, PetscReal drift)
{
  const PetscReal setup = SoretRecordSeconds(SORET_PHASE_SETUP), output = SoretRecordSeconds(SORET_PHASE_OUTPUT);
  const PetscReal checkpoint = SoretRecordSeconds(SORET_PHASE_CHECKPOINT), solve = SoretRecordElapsed() - SoretRecordSeconds(SORET_PHASE_START) - setup - output - checkpoint;
  PetscReal       bytes, smallest, largest;

  PetscFunctionBegin;
  PetscCall(SoretRecordMemory(o->comm, &smallest, &largest, &bytes));
  PetscCall(SoretOutputSummaryInt(o, "converged", outcome->converged));
  PetscCall(SummaryString(o, "reason", outcome->reason));
  PetscCall(SummaryString(o, "method", outcome->method));
  PetscCall(SoretOutputSummaryReal(o, "residual", outcome->residual));
  PetscCall(SoretOutputSummaryInt(o, "newton_iterations", outcome->newton_iterations));
  PetscCall(SoretOutputSummaryInt(o, "linear_iterations", outcome->linear_iterations));
  PetscCall(SoretOutputSummaryInt(o, "cycles", outcome->cycles));
  PetscCall(SoretOutputSummaryInt(o, "steps", outcome->steps));
  PetscCall(SoretOutputSummaryReal(o, "conservation_drift", drift));
  PetscCall(SoretOutputSummaryReal(o, "seconds_setup", setup));
  PetscCall(SoretOutputSummaryReal(o, "seconds_solve", solve));
  PetscCall(SoretOutputSummaryReal(o, "seconds_output", output));
  PetscCall(SoretOutputSummaryReal(o, "seconds_checkpoint", checkpoint));
  PetscCall(SoretOutputSummaryInt(o, "checkpoints", num_checkpoints));
  PetscCall(SoretOutputSummaryInt(o, "attempt", SoretOutputAttempt(o)));
  PetscCall(SoretOutputSummaryReal(o, "peak_bytes", bytes));
  PetscCall(SoretSay(o->comm, "conservation drift %.2g, setup %.3g s, solve %.3g s, output %.3g s, %.3g GiB\n", (double)drift, (double)setup, (double)solve, (double)output, (double)(bytes / 1073741824.0)));
  if (num_checkpoints) PetscCall(SoretSay(o->comm, "%" PetscInt_FMT " checkpoint%s, %.3g s\n", num_checkpoints, num_checkpoints > 1 ? "s" : "", (double)checkpoint));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the meter ---- */

/* in, out, source and change of a sum of species. */
static void BudgetOf(const SoretMeter *meter, PetscInt ns, const PetscReal w[], PetscReal budget[4])
{
  for (int b = 0; b < 4; b++) budget[b] = 0.0;
  for (PetscInt s = 0; s < ns; s++) {
    budget[0] += w[s] * meter->in[s];
    budget[1] += w[s] * meter->out[s];
    budget[2] += w[s] * meter->source[s];
    budget[3] += w[s] * meter->change[s];
  }
}

static PetscErrorCode WriteBudget(SoretH5 h5, const char *group, const PetscReal budget[4])
{
  static const char *const names[4] = {"in", "out", "source", "change"};

  PetscFunctionBegin;
  PetscCall(SoretH5MakeGroup(h5, group));
  for (int b = 0; b < 4; b++) PetscCall(SoretH5WriteReal(h5, group, names[b], budget[b]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode WriteMeterSum(SoretOutput o, SoretH5 h5, PetscInt k)
{
  const SoretMeterSum *sum = &o->meter->sum[k];
  char                 group[128], path[160];
  PetscReal            budget[4];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(group, sizeof(group), "/summary/soret/total/%" PetscInt_FMT, k));
  PetscCall(SoretH5MakeGroup(h5, group));
  PetscCall(SoretH5WriteString(h5, group, "of", o->sums->name[k]));
  for (int part = 0; part < SORET_NUM_PARTS; part++) PetscCall(SoretH5WriteReal(h5, group, SoretPartName((SoretPart)part), sum->part[part]));
  PetscCall(SoretH5WriteReal(h5, group, "equilibrium", sum->equilibrium));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/inversions", group));
  if (sum->num_inversions) PetscCall(SoretH5Append(h5, path, sum->num_inversions, sum->inversion));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/inversions_equilibrium", group));
  if (sum->num_equilibrium) PetscCall(SoretH5Append(h5, path, sum->num_equilibrium, sum->inversion_equilibrium));
  BudgetOf(o->meter, o->sums->num_species, o->sums->w + k * o->sums->num_species, budget);
  PetscCall(PetscSNPrintf(group, sizeof(group), "/summary/budget/total/%" PetscInt_FMT, k));
  PetscCall(WriteBudget(h5, group, budget));
  PetscCall(SoretH5WriteString(h5, group, "of", o->sums->name[k]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode WriteMeterSummary(SoretOutput o, SoretH5 h5)
{
  const SoretModel *model = o->op->model;

  PetscFunctionBegin;
  PetscCall(SoretH5MakeGroup(h5, "/summary/soret/species"));
  for (PetscInt s = 0; s < model->num_species; s++) {
    const PetscReal budget[4] = {o->meter->in[s], o->meter->out[s], o->meter->source[s], o->meter->change[s]};
    char            group[128];

    PetscCall(SoretH5WriteReal(h5, "/summary/soret/species", model->species[s].name, o->meter->soret[s]));
    PetscCall(PetscSNPrintf(group, sizeof(group), "/summary/budget/species/%s", model->species[s].name));
    PetscCall(WriteBudget(h5, group, budget));
  }
  for (PetscInt k = 0; k < o->sums->num; k++) PetscCall(WriteMeterSum(o, h5, k));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* " = 1.2 chemical - 0.3 diffusivity ...": the parts that are seen beside the others, and are more than the rounding of 1/T. */
static PetscErrorCode PrintParts(SoretOutput o, const SoretMeterSum *sum)
{
  const PetscReal SEEN = 1.0e-7, ROUNDING = 1.0e-12;

  PetscReal least = ROUNDING / o->op->temperature->max;
  PetscInt  shown = 0;

  PetscFunctionBegin;
  for (int part = SORET_PART_WHOLE; part < SORET_NUM_PARTS; part++) least = PetscMax(least, SEEN * PetscAbsReal(sum->part[part]));
  for (int part = SORET_PART_WHOLE + 1; part < SORET_NUM_PARTS; part++) {
    const PetscReal value = sum->part[part];

    if (!(PetscAbsReal(value) > least)) continue;
    PetscCall(SoretSay(o->comm, " %s %.6g %s", !shown ? "=" : value < 0.0 ? "-" : "+", (double)(shown ? PetscAbsReal(value) : value), SoretPartName((SoretPart)part)));
    shown++;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PrintTemperatures(MPI_Comm comm, const char *what, PetscInt num, const PetscReal T[])
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < num; k++) PetscCall(SoretSay(comm, "%s%.7g", k ? ", " : what, (double)T[k]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PrintSorets(SoretOutput o)
{
  enum { MOST = 8 };

  PetscFunctionBegin;
  for (PetscInt k = 0; k < PetscMin(o->sums->num, MOST); k++) {
    const SoretMeterSum *sum = &o->meter->sum[k];

    if (isnan(sum->part[SORET_PART_WHOLE])) continue;
    PetscCall(SoretSay(o->comm, "S_T of %s: %.6g", o->sums->name[k], (double)sum->part[SORET_PART_WHOLE]));
    PetscCall(PrintParts(o, sum));
    if (!isnan(sum->equilibrium)) PetscCall(SoretSay(o->comm, "; fast reactions: %.6g", (double)sum->equilibrium));
    PetscCall(PrintTemperatures(o->comm, "; changes sign at T = ", sum->num_inversions, sum->inversion));
    PetscCall(PrintTemperatures(o->comm, "; with fast reactions at T = ", sum->num_equilibrium, sum->inversion_equilibrium));
    PetscCall(SoretSay(o->comm, "\n"));
  }
  if (o->sums->num > MOST) PetscCall(SoretSay(o->comm, "S_T of %" PetscInt_FMT " more sums: in the summary of the result\n", o->sums->num - MOST));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PrintBudgets(SoretOutput o, PetscBool steady)
{
  enum { MOST = 8 };
  const SoretMeter *meter = o->meter;
  const SoretModel *model = o->op->model;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < PetscMin(model->num_species, MOST); s++) {
    PetscCall(SoretSay(o->comm, "%s%s: in %.6g, out %.6g, by reactions %.6g, change %.3g", s ? "; " : "budget per time: ", model->species[s].name, (double)meter->in[s], (double)meter->out[s], (double)meter->source[s], (double)meter->change[s]));
  }
  PetscCall(SoretSay(o->comm, "%s\n", model->num_species > MOST ? "; ..." : ""));
  for (PetscInt k = 0; k < PetscMin(o->sums->num, MOST); k++) {
    PetscReal budget[4];

    BudgetOf(meter, o->sums->num_species, o->sums->w + k * o->sums->num_species, budget);
    PetscCall(SoretSay(o->comm, "%s%s: in %.6g, out %.6g, change %.3g", k ? "; " : "totals per time: ", o->sums->name[k], (double)budget[0], (double)budget[1], (double)budget[3]));
  }
  if (o->sums->num) PetscCall(SoretSay(o->comm, "\n"));
  if (isnan(meter->entropy_reactions)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretSay(o->comm, "entropy production: reactions %.7g + diffusion %.7g", (double)meter->entropy_reactions, (double)meter->entropy_diffusion));
  if (isnan(meter->entropy_heat)) PetscCall(SoretSay(o->comm, " (%s: no heat to set against it)\n", o->thermo.balanced ? "a reaction rests in places" : "no detailed balance"));
  else {
    PetscCall(SoretSay(o->comm, " = heat %.7g + mobility %.7g", (double)meter->entropy_heat, (double)meter->entropy_mobility));
    if (meter->entropy_velocity != 0.0) PetscCall(SoretSay(o->comm, " + velocity %.7g", (double)meter->entropy_velocity));
    if (meter->entropy_boundary != 0.0) PetscCall(SoretSay(o->comm, " + walls %.7g", (double)meter->entropy_boundary));
    PetscCall(SoretSay(o->comm, " + %s %.3g", steady ? "residual" : "storage", (double)meter->entropy_storage));
    if (!isnan(meter->entropy_closure)) PetscCall(SoretSay(o->comm, "; closes to %.2g of it", (double)meter->entropy_closure));
    if (steady && !isnan(meter->entropy_imbalance)) PetscCall(SoretSay(o->comm, ", without the residual to %.2g", (double)meter->entropy_imbalance));
    PetscCall(SoretSay(o->comm, "\n"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputMeasureMeter(SoretOutput o, PetscBool steady, Vec c, SoretMeter *meter)
{
  PetscFunctionBegin;
  SoretRecordBegin(SORET_PHASE_OUTPUT);
  PetscCall(SoretDiagnoseMeter(o->op, o->sums, &o->thermo, steady, c, meter));
  SoretRecordEnd(SORET_PHASE_OUTPUT);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputMeter(SoretOutput o, PetscBool steady, Vec c)
{
  PetscFunctionBegin;
  if (!o->meter) PetscCall(PetscNew(&o->meter));
  PetscCall(SoretOutputMeasureMeter(o, steady, c, o->meter));
  PetscCall(PrintSorets(o));
  PetscCall(PrintBudgets(o, steady));
  PetscCall(SoretOutputSummaryReal(o, "soret_mean", o->sums->num ? o->meter->sum[0].part[SORET_PART_WHOLE] : NAN));
  PetscCall(SoretOutputSummaryInt(o, "detailed_balance", o->thermo.balanced));
  PetscCall(SoretOutputSummaryReal(o, "entropy_reactions", o->meter->entropy_reactions));
  PetscCall(SoretOutputSummaryReal(o, "entropy_diffusion", o->meter->entropy_diffusion));
  PetscCall(SoretOutputSummaryReal(o, "entropy_heat", o->meter->entropy_heat));
  PetscCall(SoretOutputSummaryReal(o, "entropy_mobility", o->meter->entropy_mobility));
  PetscCall(SoretOutputSummaryReal(o, "entropy_velocity", o->meter->entropy_velocity));
  PetscCall(SoretOutputSummaryReal(o, "entropy_boundary", o->meter->entropy_boundary));
  PetscCall(SoretOutputSummaryReal(o, "entropy_storage", o->meter->entropy_storage));
  PetscCall(SoretOutputSummaryReal(o, "entropy_closure", o->meter->entropy_closure));
  PetscCall(SoretOutputSummaryReal(o, "entropy_imbalance", o->meter->entropy_imbalance));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- writing ---- */

PetscErrorCode SoretSummaryWrite(SoretOutput o)
{
  SoretH5 h5;

  PetscFunctionBegin;
  PetscCall(SoretH5Open(o->comm, o->path, SORET_H5_UPDATE, &h5));
  PetscCall(SoretSeriesFlush(o, h5));
  PetscCall(SoretH5MakeGroup(h5, "/summary"));
  for (PetscInt k = 0; k < o->num_summary; k++) {
    const SoretSummaryEntry *entry = &o->summary[k];

    if (entry->kind == SORET_SUMMARY_REAL) PetscCall(SoretH5WriteReal(h5, "/summary", entry->name, entry->real));
    else if (entry->kind == SORET_SUMMARY_INT) PetscCall(SoretH5WriteInt(h5, "/summary", entry->name, entry->integer));
    else PetscCall(SoretH5WriteString(h5, "/summary", entry->name, entry->string));
  }
  if (o->meter) PetscCall(WriteMeterSummary(o, h5));
  PetscCall(SoretH5Close(&h5));
  PetscFunctionReturn(PETSC_SUCCESS);
}
