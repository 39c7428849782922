/* SPDX-License-Identifier: BSD-2-Clause

   A run in time, as the files that integrate it and that write its checkpoints see it. */
#pragma once

#include "solve_private.h"

typedef struct {
  const SoretSolveSpec *spec;
  SoretSystem           sys;
  SoretStage            stage;       /* solves the stages, NULL: Newton's method */
  SoretStepMonitor      monitor;
  void                 *context;
  PetscReal            *absolute, *usual; /* [num_species] error that is always allowed: as the case has it, and its default */
  PetscReal             mean[3 * SORET_MAX_SPECIES]; /* of the sums at the start */
  PetscBool             closed[SORET_MAX_SPECIES];   /* global sums without prescribed fluxes */
  Vec                   stage_weight; /* 1/(absolute + tolerance |c|), for the stages       */
  PetscReal             change, previous_change;
  PetscInt              steps, rejected, newton, linear;
  PetscReal             jacobian_step; /* step that the Jacobian was made for */
  PetscReal             last_step, longer_step; /* the last, and the longer one of the last two: an output time shortens steps */
  PetscReal             longest_step; /* that is allowed */
  PetscBool             steady, stalled;
  /* backward Euler, the last resort */
  TS                    euler;       /* NULL until it is needed                             */
  PetscInt              negative;    /* rejections in a row for negative concentrations     */
  PetscReal             refused;     /* step of the first of them                           */
  PetscInt              euler_steps;
  PetscBool             forgot;      /* the last step was such a one: the method starts anew */
  /* checkpoints */
  SoretCheckpoint       checkpoint;
  TS                    ts;
  PetscReal             target;   /* next output time                                            */
  Vec                   previous; /* state before the last step, NULL if nothing needs it        */
  PetscBool             exact;    /* all that the method remembers can be saved                  */
  PetscBool             remembers; /* the method itself knows that state: its error is made of it        */
  PetscBool             looks_back; /* backward Euler: stages are guessed from it. Other methods do not damp what such a guess carries on */
  PetscBool             in_stage; /* sums are closed in the only stage of a step, else after the step          */
  PetscBool             restarts; /* then the closing changes the solution, and TS forgets what it knew        */
  PetscBool             priming;  /* the step that gives the method its memory back              */
  PetscBool             stopped;
} SoretTransient;

/* ---- checkpoints (transient_state.c) ---- */

/* For SoretCheckpointAdd(), with the run as context. Collective. */
PetscErrorCode SoretTransientSave(void *context, SoretArchive archive);
PetscErrorCode SoretTransientLoad(void *context, SoretArchive archive);

/* Finds out what the method remembers from step to step, after all options are set. */
PetscErrorCode SoretTransientFindMemory(SoretTransient *tr, Vec c);

/* Counts of TS, which begin at 0 where a run goes on, and those of before. */
PetscErrorCode SoretTransientCount(const SoretTransient *tr, PetscInt *rejected, PetscInt *newton, PetscInt *linear);
