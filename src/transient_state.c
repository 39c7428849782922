/* SPDX-License-Identifier: BSD-2-Clause

   Checkpoints of transients: what TS and the run remember from step to step. */
#include "transient_private.h"

/* What is remembered besides concentrations; step - the next one */
typedef struct {
  PetscReal time, step, steps, rejected, newton, linear, last_step, longer_step, previous_time, cycles, contraction, scaled, euler, forgot;
} Position;

enum { POSITION_SIZE = sizeof(Position) / sizeof(PetscReal) };

PetscErrorCode SoretTransientCount(const SoretTransient *tr, PetscInt *rejected, PetscInt *newton, PetscInt *linear)
{
  PetscFunctionBegin;
  PetscCall(TSGetStepRejections(tr->ts, rejected));
  PetscCall(TSGetSNESIterations(tr->ts, newton));
  PetscCall(TSGetKSPIterations(tr->ts, linear));
  if (tr->euler) {
    PetscInt more;

    PetscCall(TSGetSNESIterations(tr->euler, &more));
    *newton += more;
    PetscCall(TSGetKSPIterations(tr->euler, &more));
    *linear += more;
  }
  *rejected += tr->rejected;
  *newton += tr->newton;
  *linear += tr->linear;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTransientSave(void *context, SoretArchive archive)
{
  SoretTransient *tr = (SoretTransient *)context;
  Position        position;
  PetscInt        rejected, newton, linear;
  Vec             c;

  PetscFunctionBegin;
  PetscCall(TSGetSolution(tr->ts, &c));
  PetscCall(TSGetTime(tr->ts, &position.time));
  PetscCall(TSGetTimeStep(tr->ts, &position.step));
  PetscCall(TSGetPrevTime(tr->ts, &position.previous_time));
  PetscCall(SoretTransientCount(tr, &rejected, &newton, &linear));
  position.steps       = (PetscReal)tr->steps;
  position.rejected    = (PetscReal)rejected;
  position.newton      = (PetscReal)newton;
  position.linear      = (PetscReal)linear;
  position.last_step   = tr->last_step;
  position.longer_step = tr->longer_step;
  position.scaled      = (PetscReal)tr->sys.scaled;
  position.euler       = (PetscReal)tr->euler_steps;
  position.forgot      = (PetscReal)tr->forgot;
  SoretStageGetMemory(tr->stage, &position.cycles, &position.contraction);
  PetscCall(SoretArchivePutReals(archive, "position", POSITION_SIZE, (const PetscReal *)&position));
  PetscCall(SoretStatePut(archive, "concentration", tr->sys.op, c));
  if (tr->previous) PetscCall(SoretStatePut(archive, "previous", tr->sys.op, tr->previous));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Theta methods estimate their error from the state before the last step, and PETSc gives no way to set it. So the last step is taken once
   more, with an iteration that is told to stop at once: TS then remembers its beginning, and its end is replaced by the
   state of the checkpoint. */
static PetscErrorCode Prime(SoretTransient *tr, const Position *position, Vec c)
{
  Vec now;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(c, &now));
  PetscCall(VecCopy(c, now));
  PetscCall(VecCopy(tr->previous, c));
  PetscCall(TSSetTime(tr->ts, position->previous_time));
  PetscCall(TSSetTimeStep(tr->ts, position->last_step));
  PetscCall(TSSetMaxTime(tr->ts, tr->spec->end.value));
  PetscCall(TSRestartStep(tr->ts));
  tr->priming = PETSC_TRUE;
  SoretStageSetIdle(tr->stage, PETSC_TRUE);
  PetscCall(TSStep(tr->ts));
  tr->priming = PETSC_FALSE;
  SoretStageSetIdle(tr->stage, PETSC_FALSE);
  PetscCall(VecCopy(now, c));
  PetscCall(VecDestroy(&now));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTransientLoad(void *context, SoretArchive archive)
{
  SoretTransient *tr = (SoretTransient *)context;
  Position        position;
  Vec             c;

  PetscFunctionBegin;
  PetscCall(TSGetSolution(tr->ts, &c));
  PetscCall(SoretArchiveGetReals(archive, "position", POSITION_SIZE, (PetscReal *)&position));
  PetscCall(SoretStateGet(archive, "concentration", tr->sys.op, c));
  tr->steps     = (PetscInt)position.steps;
  tr->rejected  = (PetscInt)position.rejected;
  tr->newton    = (PetscInt)position.newton;
  tr->linear    = (PetscInt)position.linear;
  tr->last_step = position.last_step;
  tr->longer_step = position.longer_step;
  tr->forgot    = position.forgot != 0.0 ? PETSC_TRUE : PETSC_FALSE;

  tr->sys.scaled  = (PetscInt)position.scaled;
  tr->euler_steps = (PetscInt)position.euler;
  SoretStageSetMemory(tr->stage, position.cycles, position.contraction);
  if (tr->previous && tr->steps > 0 && !tr->forgot) {
    PetscCall(SoretStateGet(archive, "previous", tr->sys.op, tr->previous));
    if (tr->remembers) PetscCall(Prime(tr, &position, c));
  }
  PetscCall(TSSetTime(tr->ts, position.time));
  PetscCall(TSSetTimeStep(tr->ts, position.step));
  PetscCall(TSSetStepNumber(tr->ts, tr->steps));
  if (!tr->exact || tr->restarts || tr->forgot) PetscCall(TSRestartStep(tr->ts));
  PetscCall(SoretOperatorSetTime(tr->sys.op, position.time));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode IsOneOf(const char *type, PetscInt n, const char *const types[], PetscBool *is)
{
  PetscFunctionBegin;
  *is = PETSC_FALSE;
  for (PetscInt k = 0; k < n && !*is; k++) PetscCall(PetscStrcmp(type, types[k], is));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTransientFindMemory(SoretTransient *tr, Vec c)
{
  static const char *const one_step[]  = {TSARKIMEX, TSROSW, TSBEULER, TSCN, TSTHETA};
  static const char *const two_steps[] = {TSBEULER, TSCN, TSTHETA};
  static const char *const adapts[]    = {TSADAPTBASIC, TSADAPTNONE};
  static const char *const options[]   = {"-ts_arkimex_initial_guess_extrapolate", "-ts_theta_initial_guess_extrapolate", "-ts_adapt_time_step_increase_delay"};
  TSType                   type;
  TSAdaptType              adapt_type;
  TSAdapt                  adapt;
  PetscBool                known, basic, given, fixed;

  PetscFunctionBegin;
  PetscCall(TSGetType(tr->ts, &type));
  PetscCall(TSGetAdapt(tr->ts, &adapt));
  PetscCall(TSAdaptGetType(adapt, &adapt_type));
  PetscCall(IsOneOf(type, 5, one_step, &known));
  PetscCall(IsOneOf(adapt_type, 2, adapts, &basic));
  tr->exact = known && basic ? PETSC_TRUE : PETSC_FALSE;
  for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
    PetscCall(PetscOptionsHasName(NULL, NULL, options[k], &given));
    if (given) tr->exact = PETSC_FALSE;
  }
  if (!tr->exact) PetscCall(SoretSay(tr->sys.op->grid->comm, "note: PETSc keeps some of the history of -ts_type %s to itself. A run that goes on from a checkpoint starts it anew, and equals the uninterrupted one only within the tolerance\n", type));
  PetscCall(IsOneOf(type, 3, two_steps, &known));
  PetscCall(PetscStrcmp(adapt_type, TSADAPTNONE, &fixed));
  tr->in_stage = known;
  tr->restarts = !known && tr->sys.num_local ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt k = 0; k < tr->sys.sums->num_global && !known; k++) tr->restarts = tr->restarts || tr->closed[k] ? PETSC_TRUE : PETSC_FALSE;
  tr->remembers = tr->exact && known && !fixed ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscStrcmp(type, TSBEULER, &tr->looks_back));
  if (!tr->stage) tr->looks_back = PETSC_FALSE;
  if (tr->remembers || tr->looks_back) {
    PetscCall(VecDuplicate(c, &tr->previous));
    PetscCall(VecCopy(c, tr->previous));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
