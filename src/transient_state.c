/* SPDX-License-Identifier: BSD-2-Clause

   Checkpoints of transients: what TS and the run remember from step to step. */
#include "transient_private.h"

/* What is remembered besides concentrations. */
enum {
  POSITION_TIME,
  POSITION_STEP, /* the next one */
  POSITION_STEPS,
  POSITION_REJECTED,
  POSITION_NEWTON,
  POSITION_LINEAR,
  POSITION_LAST_STEP,
  POSITION_LONGER_STEP,
  POSITION_PREVIOUS_TIME,
  POSITION_CYCLES,
  POSITION_CONTRACTION,
  POSITION_SCALED,
  POSITION_EULER,
  POSITION_FORGOT,
  POSITION_SIZE
};

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
  PetscReal       position[POSITION_SIZE];
  PetscInt        rejected, newton, linear;
  Vec             c;

  PetscFunctionBegin;
  PetscCall(TSGetSolution(tr->ts, &c));
  PetscCall(TSGetTime(tr->ts, &position[POSITION_TIME]));
  PetscCall(TSGetTimeStep(tr->ts, &position[POSITION_STEP]));
  PetscCall(TSGetPrevTime(tr->ts, &position[POSITION_PREVIOUS_TIME]));
  PetscCall(SoretTransientCount(tr, &rejected, &newton, &linear));
  position[POSITION_STEPS]     = (PetscReal)tr->steps;
  position[POSITION_REJECTED]  = (PetscReal)rejected;
  position[POSITION_NEWTON]    = (PetscReal)newton;
  position[POSITION_LINEAR]    = (PetscReal)linear;
  position[POSITION_LAST_STEP] = tr->last_step;
  position[POSITION_LONGER_STEP]   = tr->longer_step;
  position[POSITION_SCALED]    = (PetscReal)tr->sys.scaled;
  position[POSITION_EULER]     = (PetscReal)tr->euler_steps;
  position[POSITION_FORGOT]    = (PetscReal)tr->forgot;
  SoretStageGetMemory(tr->stage, &position[POSITION_CYCLES], &position[POSITION_CONTRACTION]);
  PetscCall(SoretArchivePutReals(archive, "position", POSITION_SIZE, position));
  PetscCall(SoretStatePut(archive, "concentration", tr->sys.op, c));
  if (tr->previous) PetscCall(SoretStatePut(archive, "previous", tr->sys.op, tr->previous));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Theta methods estimate their error from the state before the last step, and PETSc gives no way to set it. So the last step is taken once
   more, with an iteration that is told to stop at once: TS then remembers its beginning, and its end is replaced by the
   state of the checkpoint. */
static PetscErrorCode Prime(SoretTransient *tr, const PetscReal position[], Vec c)
{
  Vec now;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(c, &now));
  PetscCall(VecCopy(c, now));
  PetscCall(VecCopy(tr->previous, c));
  PetscCall(TSSetTime(tr->ts, position[POSITION_PREVIOUS_TIME]));
  PetscCall(TSSetTimeStep(tr->ts, position[POSITION_LAST_STEP]));
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
  PetscReal       position[POSITION_SIZE];
  Vec             c;

  PetscFunctionBegin;
  PetscCall(TSGetSolution(tr->ts, &c));
  PetscCall(SoretArchiveGetReals(archive, "position", POSITION_SIZE, position));
  PetscCall(SoretStateGet(archive, "concentration", tr->sys.op, c));
  tr->steps     = (PetscInt)position[POSITION_STEPS];
  tr->rejected  = (PetscInt)position[POSITION_REJECTED];
  tr->newton    = (PetscInt)position[POSITION_NEWTON];
  tr->linear    = (PetscInt)position[POSITION_LINEAR];
  tr->last_step = position[POSITION_LAST_STEP];
  tr->longer_step = position[POSITION_LONGER_STEP];
  tr->forgot    = position[POSITION_FORGOT] != 0.0 ? PETSC_TRUE : PETSC_FALSE;

  tr->sys.scaled  = (PetscInt)position[POSITION_SCALED];
  tr->euler_steps = (PetscInt)position[POSITION_EULER];
  SoretStageSetMemory(tr->stage, position[POSITION_CYCLES], position[POSITION_CONTRACTION]);
  if (tr->previous && tr->steps > 0 && !tr->forgot) {
    PetscCall(SoretStateGet(archive, "previous", tr->sys.op, tr->previous));
    if (tr->remembers) PetscCall(Prime(tr, position, c));
  }
  PetscCall(TSSetTime(tr->ts, position[POSITION_TIME]));
  PetscCall(TSSetTimeStep(tr->ts, position[POSITION_STEP]));
  PetscCall(TSSetStepNumber(tr->ts, tr->steps));
  if (!tr->exact || tr->restarts || tr->forgot) PetscCall(TSRestartStep(tr->ts));
  PetscCall(SoretOperatorSetTime(tr->sys.op, position[POSITION_TIME]));
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
