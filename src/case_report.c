/* SPDX-License-Identifier: BSD-2-Clause

   What `soret check` says of a case, and whether there is room for its result. */
#include <math.h>

#include "case_private.h"
#include "soret/disk.h"
#include "soret/memory.h"

/* A unit behind a number, with its blank: who has written kelvin for degrees Celsius, or mol/m^3 for umol/L, sees it here. None in reduced units. */
static const char *Behind(const SoretCase *c, const char *unit)
{
  return SoretInputIsReduced(c->in) ? "" : unit;
}

/* What the largest parts of the fluid keep. */
static PetscErrorCode ReportParts(MPI_Comm comm, const SoretCase *c, const SoretGrid *grid)
{
  const SoretSums  *sums  = &c->sums;
  const SoretModel *model = &c->model;

  enum { SHOWN = 5 };

  PetscFunctionBegin;
  for (PetscInt part = 0; part < PetscMin(sums->num_parts, SHOWN); part++) {
    PetscCall(SoretSay(comm, "  in the part of the fluid of volume %g:", (double)grid->pocket_volume[part]));
    for (PetscInt k = 0; k < sums->part[part].num; k++) {
      char name[SORET_SUM_NAME];

      PetscCall(SoretNetworkPrintSum(model->num_species, model->brief, sums->part[part].w + k * model->num_species, sizeof(name), name));
      PetscCall(SoretSay(comm, "%s %s = %g%s", k ? "," : "", name, (double)sums->part[part].mean[k], Behind(c, " mol/m^3")));
    }
    PetscCall(SoretSay(comm, "%s\n", sums->part[part].num ? "" : " nothing is kept"));
  }
  if (sums->num_parts > SHOWN) PetscCall(SoretSay(comm, "  and so on for %" PetscInt_FMT " smaller parts\n", sums->num_parts - SHOWN));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReportSums(MPI_Comm comm, const SoretCase *c)
{
  PetscFunctionBegin;
  PetscCall(SoretSay(comm, "conserved sums:\n"));
  for (PetscInt k = 0; k < c->sums.num; k++) {
    const PetscBool global = k < c->sums.num_global ? PETSC_TRUE : PETSC_FALSE, local = !global && k < c->sums.num_global + c->sums.num_local ? PETSC_TRUE : PETSC_FALSE;

    if (global && c->sums.fed[k]) PetscCall(SoretSay(comm, "  %s = %g%s at the start: fluxes through walls change it\n", c->sums.name[k], (double)c->sums.mean[k], Behind(c, " mol/m^3")));
    else if (global) PetscCall(SoretSay(comm, "  %s = %g%s (mean, %s)\n", c->sums.name[k], (double)c->sums.mean[k], Behind(c, " mol/m^3"), c->sums.prescribed[k] ? "prescribed" : "of `initial`"));
    else PetscCall(SoretSay(comm, "  %s: %s\n", c->sums.name[k], local ? "kept in each cell, its members do not move" : "not conserved, a boundary condition lets it in or out"));
  }
  if (!c->sums.num) PetscCall(SoretSay(comm, "  none\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A number with its unit, or a formula as it was written. */
static PetscErrorCode SayQuantity(MPI_Comm comm, const SoretCase *c, const char *name, SoretExpr expr, const char *unit)
{
  PetscFunctionBegin;
  if (SoretExprUses(expr)) PetscCall(SoretSay(comm, "%s %s", name, SoretExprText(expr)));
  else PetscCall(SoretSay(comm, "%s %.9g%s", name, (double)SoretExprEvaluate(expr, NULL), Behind(c, unit)));
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
      else if (!condition->value) PetscCall(SoretSay(comm, "%s", text));
      else PetscCall(SayQuantity(comm, c, text, condition->value, condition->kind == SORET_VALUE ? " mol/m^3" : condition->kind == SORET_FLUX ? " mol/m^2/s" : " m/s"));
      if (condition->outside) PetscCall(SayQuantity(comm, c, " outside", condition->outside, " mol/m^3"));
    }
    PetscCall(SoretSay(comm, "\n"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the generator has made. Weights of states of equal speed are told once. */
static PetscErrorCode ReportVelocities(MPI_Comm comm, const SoretCase *c, const SoretProblem *problem)
{
  const PetscReal  T = 0.5 * (problem->temperature.min + problem->temperature.max);
  const SoretPoint point = {.T = T, .x = {c->grid.origin[0] + 0.5 * c->grid.size[0], c->grid.origin[1] + 0.5 * c->grid.size[1], c->grid.origin[2] + 0.5 * c->grid.size[2]}};

  PetscFunctionBegin;
  for (PetscInt i = 0; i < c->velocity.num; i++) {
    const SoretVelocityLadder *l  = &c->velocity.ladder[i];
    const PetscReal            vv = T * l->max * l->max / l->theta; /* kT/m */
    PetscReal                  friction;
    char                       name[SORET_NAME_LENGTH];

    PetscCall(SoretVelocityFriction(c->in, l, &point, &friction));
    PetscCall(SoretSay(comm, "velocity states of %s: %" PetscInt_FMT " along %c, %s, friction %g at T = %g; fast limit D = kT/(m friction) = %g, mean free path %g\n", l->name, l->count, SORET_AXIS_NAMES[l->axis], l->scheme == SORET_JUMPS ? "jumps between neighbours" : "relaxation (bgk)", (double)friction, (double)T, (double)(vv / friction), (double)(sqrt(vv) / friction)));
    for (PetscInt k = l->count / 2; k < l->count; k++) {
      SoretVelocityName(l, k, name);
      PetscCall(SoretSay(comm, "  %s: velocity %g, weight %g at T = %g, %g at T = %g\n", name, (double)SoretVelocityOf(l, k), (double)SoretVelocityWeight(l, k, problem->temperature.min), (double)problem->temperature.min, (double)SoretVelocityWeight(l, k, problem->temperature.max), (double)problem->temperature.max));
    }
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
    if (r == 0) PetscCall(SoretSay(comm, "stiffness (rate L^2/D at concentration %g%s, T = %g%s):\n", (double)amount, Behind(c, " mol/m^3"), (double)point.T, Behind(c, " K")));
    PetscCall(SoretSay(comm, "  %s: Damkoehler number %.3g forward, %.3g backward%s\n", net->reaction[r].equation, (double)(D > 0.0 ? forward / amount * length * length / D : INFINITY), (double)(D > 0.0 ? backward / amount * length * length / D : INFINITY), SoretNetworkIsOff(net, r) ? " (switched off)" : ""));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReportBalance(MPI_Comm comm, const SoretThermo *thermo)
{
  const SoretNetwork *net = &thermo->model->network;
  char                cycle[1024];

  PetscFunctionBegin;
  if (!net->num_reactions) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretSay(comm, "detailed balance: "));
  if (thermo->irreversible >= 0) PetscCall(SoretSay(comm, "none, '%s' runs one way\n", net->reaction[thermo->irreversible].equation));
  else if (thermo->balanced) PetscCall(SoretSay(comm, "holds at every temperature, %" PetscInt_FMT " cycle%s of reactions\n", thermo->num_cycles, thermo->num_cycles == 1 ? "" : "s"));
  else {
    PetscCall(SoretThermoCycleName(thermo, thermo->broken, sizeof(cycle), cycle));
    PetscCall(SoretSay(comm, "broken, the cycle %s is driven: its equilibrium constants multiply to exp(%g) at T = %g, not to 1\n", cycle, (double)thermo->affinity, (double)thermo->affinity_T));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What infinitely fast reactions would give, before anything is solved. */
static PetscErrorCode ReportSoret(MPI_Comm comm, const SoretCase *c, const SoretProblem *problem, const SoretThermo *thermo)
{
  const SoretTemperature *temperature = &problem->temperature;
  PetscReal               total[3 * SORET_MAX_SPECIES], x[SORET_MAX_SPECIES] = {0.0}, soret[3][SORET_MAX_SPECIES], roots[8];
  SoretPoint              point = SoretDiagnoseMiddle(&problem->op);
  PetscBool               ok    = c->sums.num ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(SoretSumsMeasure(&c->sums, &problem->op, problem->c, total, NULL));
  PetscCall(PetscArraycpy(total, c->sums.mean, c->sums.num_global));
  for (int k = 0; k < 3 && ok; k++) {
    point.T = temperature->min + 0.5 * k * (temperature->max - temperature->min);
    ok      = SoretThermoSoret(thermo, &point, total, x, soret[k]);
  }
  if (!ok) {
    PetscCall(SoretSay(comm, "S_T of fast reactions: no prediction (%s)\n", thermo->ballistic ? "a species is ballistic" : thermo->rest == SORET_REST_UNKNOWN ? "no detailed balance" : "an amount is 0, or a reaction rests"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretSay(comm, "S_T of fast reactions at these amounts, without flux, at T = %g, %g, %g%s:\n", (double)temperature->min, (double)(0.5 * (temperature->min + temperature->max)), (double)temperature->max, Behind(c, " K")));
  for (PetscInt m = 0; m < c->sums.num; m++) {
    PetscInt num;

    PetscCall(SoretSay(comm, "  %s: %.6g, %.6g, %.6g%s", c->sums.name[m], (double)soret[0][m] + 0.0, (double)soret[1][m] + 0.0, (double)soret[2][m] + 0.0, Behind(c, " 1/K"))); /* no -0 */
    PetscCall(SoretThermoInversions(thermo, &point, temperature->min, temperature->max, total, m, 8, &num, roots));
    for (PetscInt k = 0; k < num; k++) PetscCall(SoretSay(comm, "%s%.7g%s", k ? ", " : "; changes sign at T = ", (double)roots[k], Behind(c, " K")));
    PetscCall(SoretSay(comm, "\n"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReportThermo(MPI_Comm comm, const SoretCase *c, const SoretProblem *problem)
{
  SoretThermo thermo;

  PetscFunctionBegin;
  PetscCall(SoretDiagnoseThermo(&problem->op, &c->sums, &thermo));
  PetscCall(ReportBalance(comm, &thermo));
  PetscCall(ReportSoret(comm, c, problem, &thermo));
  PetscCall(SoretThermoDestroy(&thermo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* How large the result will be, before compression. */
static PetscErrorCode EstimateFile(const SoretCase *c, PetscInt num_frames, PetscBool varies, PetscReal *bytes)
{
  const PetscReal cells = (PetscReal)c->grid.n[0] * (PetscReal)c->grid.n[1] * (PetscReal)c->grid.n[2];
  PetscInt        num_columns;
  char          **columns;

  PetscFunctionBegin;
  *bytes = (PetscReal)num_frames * SoretOutputFrameBytes(&c->output, &c->grid, &c->model, c->sums.num, varies);
  *bytes += cells * (c->output.precision ? 4.0 : 8.0) * (c->solid.field ? 2.0 : 1.0); /* temperature, what is solid */
  for (int axis = 0; axis < c->grid.dim; axis++) *bytes += 8.0 * (2.0 * (PetscReal)c->grid.n[axis] + 1.0);
  PetscCall(SoretOutputColumns(&c->model, &c->boundary, &c->sums, &num_columns, &columns));
  for (PetscInt k = 0; k < num_columns; k++) PetscCall(PetscFree(columns[k]));
  PetscCall(PetscFree(columns));
  *bytes += SoretOutputOtherBytes(num_columns);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* But for points that a sweep adds. */
static PetscErrorCode CountFrames(const SoretCase *c, PetscInt *num_frames)
{
  PetscReal *times = NULL;

  PetscFunctionBegin;
  *num_frames = 1;
  if (c->sweep.given) *num_frames = c->sweep.frames == SORET_FRAMES_ALL ? c->sweep.values.n : c->sweep.frames == SORET_FRAMES_LAST ? 1 : 0;
  if (c->sweep.given || c->solve.mode != SORET_TRANSIENT) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretOutputTimes(&c->output, c->solve.end.value, num_frames, &times));
  PetscCall(PetscFree(times));
  *num_frames += 2;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReportFile(MPI_Comm comm, const SoretCase *c, PetscBool varies)
{
  PetscReal bytes;
  PetscInt  num_frames;

  PetscFunctionBegin;
  PetscCall(CountFrames(c, &num_frames));
  PetscCall(EstimateFile(c, num_frames, varies, &bytes));
  PetscCall(SoretSay(comm, "result file '%s': about %.3g MiB in %" PetscInt_FMT " frame%s\n", c->output.file, (double)(bytes / 1048576.0), num_frames, num_frames == 1 ? "" : "s"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCaseCheckDisk(MPI_Comm comm, const SoretCase *c, const SoretProblem *problem)
{
  char        directory[PETSC_MAX_PATH_LEN];
  PetscReal   bytes, have;
  PetscInt    num_frames;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(SoretDirectoryOf(c->output.file, sizeof(directory), directory));
  PetscCall(CountFrames(c, &num_frames));
  PetscCall(EstimateFile(c, num_frames, problem->temperature.varies, &bytes));
  have = rank ? 0.0 : SoretRoomOnDisk(directory);
  PetscCallMPI(MPI_Bcast(&have, 1, MPIU_REAL, 0, comm));
  if (bytes <= have) PetscFunctionReturn(PETSC_SUCCESS);
  if (c->solve.mode == SORET_STEADY && !c->output.compression) { /* all that is written comes in the end */
    PetscCall(SoretComplain(comm, "soret: the result '%s' will have about %.3g MiB, and its disk has %.3g MiB left; nothing was run. Make room there, or choose another output.file\n", c->output.file, (double)(bytes / 1048576.0), (double)(have / 1048576.0)));
    PetscFunctionReturn(SORET_ERR_IO);
  }
  PetscCall(SoretSay(comm, "warning: the result '%s' will have about %.3g MiB in %" PetscInt_FMT " frame%s%s, and its disk has %.3g MiB left. Where it is full the run ends: make room there, or choose another output.file or fewer frames; with checkpoint.every, and checkpoint.prefix on another disk, the run can go on then\n", c->output.file, (double)(bytes / 1048576.0), num_frames, num_frames == 1 ? "" : "s", c->output.compression ? " before compression" : "", (double)(have / 1048576.0)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretCaseReport(MPI_Comm comm, SoretCase *c)
{
  SoretProblem    problem;
  PetscReal       bytes, cells = (PetscReal)c->grid.n[0] * (PetscReal)c->grid.n[1] * (PetscReal)c->grid.n[2], have;
  const char     *method, *allows;
  PetscErrorCode  status = PETSC_SUCCESS;
  PetscBool       varies;

  PetscFunctionBegin;
  PetscCall(SoretProblemCreate(comm, c, &problem));
  varies = problem.temperature.varies;
  PetscCall(SoretSay(comm, "%s: %s\n", c->path, c->title[0] ? c->title : "(no title)"));
  PetscCall(SoretSay(comm, "%s, %" PetscInt_FMT "D, ", c->solve.mode == SORET_STEADY ? "steady" : "transient", c->grid.dim));
  for (int axis = 0; axis < c->grid.dim; axis++) PetscCall(SoretSay(comm, "%s%" PetscInt_FMT, axis ? " x " : "", c->grid.n[axis]));
  PetscCall(SoretSay(comm, " cells, %" PetscInt_FMT " species, %" PetscInt_FMT " reaction%s: %.10g unknowns\n", c->model.num_species, c->model.network.num_reactions, c->model.network.num_reactions == 1 ? "" : "s", (double)(cells * (PetscReal)c->model.num_species)));
  PetscCall(SoretSay(comm, "temperature from %g to %g%s%s\n", (double)problem.temperature.min, (double)problem.temperature.max, Behind(c, " K"), varies ? " at t = 0" : ""));
  if (problem.heat) PetscCall(SoretHeatReport(problem.heat));
  PetscCall(SoretCaseSayNotes(comm, c, &problem, NULL));
  if (c->standard_concentration.given || SoretInputIsReduced(c->in)) PetscCall(SoretSay(comm, "standard concentration %g%s\n", (double)c->model.network.standard_concentration, Behind(c, " mol/m^3")));
  PetscCall(ReportVelocities(comm, c, &problem));
  PetscCall(ReportSums(comm, c));
  PetscCall(ReportParts(comm, c, &problem.grid));
  PetscCall(ReportBoundaries(comm, c));
  PetscCall(ReportStiffness(comm, c, &problem));
  PetscCall(ReportThermo(comm, c, &problem));
  PetscCall(SoretCaseEstimateMemory(c, &bytes, &method));
  PetscCall(SoretMemoryAllowed(comm, &have, &allows));
  PetscCall(SoretSay(comm, "memory: about %.3g GiB (%s); %s %.3g GiB\n", (double)(bytes / 1073741824.0), method, allows, (double)(have / 1073741824.0)));
  PetscCall(SoretOutputSayUndefined(&c->output, &c->model, comm));
  PetscCall(ReportFile(comm, c, varies || c->sweep.given ? PETSC_TRUE : PETSC_FALSE));
  if (c->solve.mode == SORET_STEADY) status = SoretSumsRefuseImpossible(&c->sums, &problem.op);
  PetscCall(SoretProblemDestroy(&problem));
  PetscFunctionReturn(status);
}
