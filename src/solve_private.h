/* SPDX-License-Identifier: BSD-2-Clause

   The algebraic system that steady solves and implicit stages share. */
#pragma once

#include <petscts.h>

#include "soret/solve.h"

/* The term of the sums that one part of the fluid keeps. */
typedef struct {
  PetscInt   num;
  PetscReal *q, *target, *beta; /* [num][num_species], [num], [num] */
} SoretPartTerms;

/* Steady:  F(c) + V sum_k beta_k q_k (mean_k(c) - M_k) + V sum_l beta q_l (q_l . c - q_l . c_0) + shift V (c - c_old) = 0
   with orthonormal q_k of the global sums and q_l of the local ones. The first term couples all cells: it is not assembled
   but applied in the operator A; the preconditioner P has the same term cell by cell, gamma_k q_k q_k^T instead. Where solid cuts the fluid
   into parts each of them has this term with its own mean. Where b varies by more than a factor of a hundred the term has the factor 1/b over its mean, or that of
   SoretSystemFollow(). */
typedef struct {
  SoretOperator   *op;
  const SoretSums *sums;
  PetscInt         num, num_local;    /* with several parts of the fluid: the sums that any of them keeps */
  PetscBool        augmented;         /* with the terms of the sums: steady                      */
  PetscReal       *q, *target, *beta; /* [num][num_species], [num], [num]                        */
  PetscReal       *gamma;             /* [num]                                                   */
  PetscInt         num_parts;         /* of the fluid, 0 where it hangs together: each with a term of its own */
  SoretPartTerms  *part;              /* [num_parts]                                             */
  PetscBool        shaped;            /* b differs so much over the box that the terms of the sums follow 1/b, as amounts do */
  PetscReal       *profile;           /* NULL, or [num_cells][num_species]: they follow the amounts themselves, which these are over their means */
  PetscReal       *mean_inverse_b;    /* [num_species]                                           */
  PetscReal       *part_volume;       /* [num_parts] on this grid: 0 where it has no cell for the part */
  PetscReal       *amount, *add;      /* [num_parts][num_species] work                           */
  PetscReal       *q_local;           /* [num_local][num_species]                                */
  PetscReal       *kept;              /* [num_cells][num_local] q_l . c_0                        */
  PetscReal        beta_local;
  PetscReal       *extra;             /* [num_species][num_species] blocks of P                  */
  PetscReal        shift;             /* of pseudo-time, 0 in the end                            */
  PetscReal        omega;             /* over-relaxation of transport in the smoother without a shift */
  Vec              old;
  Mat              A, P;
  Vec              inverse_volume;    /* transient: rows of the Jacobian are divided by volumes  */
  Vec              at;                /* not NULL: A and P are one shell, the Jacobian at this state, with */
  PetscReal        at_shift, *at_matrix; /* this shift, and [num_species][num_species] what it adds in each cell */
  PetscBool        galerkin;          /* coarse matrices will be made of P                       */
  PetscInt         scaled;
  PetscReal       *constant, *matrix, *kept_term; /* terms beside F */
  /* amounts of the species in a vector, known from who wrote it last */
  PetscObjectId    known;
  PetscObjectState known_state;
  PetscBool        summed;                    /* over the ranks */
  PetscReal        content[SORET_MAX_SPECIES];
} SoretSystem;

/* The size of the smallest non-zero eigenvalue of transport by diffusion. */
PetscReal SoretDiffusionRate(const SoretOperator *op, PetscReal D);

/* finer: the system of the next finer grid, or NULL. c_0: state that gives the local sums. augmented: with the terms of conserved sums (steady). Makes no
   matrices. */
PetscErrorCode SoretSystemCreate(SoretOperator *op, const SoretSums *sums, const SoretSystem *finer, Vec c_0, PetscBool augmented, SoretSystem *sys);
PetscErrorCode SoretSystemDestroy(SoretSystem *sys);

/* What the left side above has beside F at c: constant over the box for the global sums, cell by cell for the rest. Until they are given back `old` is not to
   be changed. */
PetscErrorCode SoretSystemGetTerms(SoretSystem *sys, Vec c, SoretCellTerms *terms);
PetscErrorCode SoretSystemRestoreTerms(SoretSystem *sys, SoretCellTerms *terms);

/* Makes the terms of the sums follow the amounts in each cell, or no longer. Amounts of a shape that b does not tell (what a velocity presses against a wall) are then found
   to rounding also where there is next to nothing. Does nothing with several parts of the fluid; not for coarser levels. Not collective. */
PetscErrorCode SoretSystemFollow(SoretSystem *sys, PetscBool follow);

/* Where they do and there is no matrix: divides rows by these amounts (back: multiplies), so that a linear solver sees what is wrong where there is little. */
PetscErrorCode SoretSystemWeigh(const SoretSystem *sys, PetscBool back, Vec f);

/* f = the left side above. */
PetscErrorCode SoretSystemResidual(SoretSystem *sys, Vec c, Vec f);

/* One Gauss-Seidel sweep for the left side = rhs (NULL: 0). */
PetscErrorCode SoretSystemSmooth(SoretSystem *sys, Vec rhs, Vec c);

/* Says the amount [num_species] of each species that this rank has in c as it is now, so that it need not be added up again. */
PetscErrorCode SoretSystemKnow(SoretSystem *sys, Vec c, const PetscReal content[]);

/* Amounts [num_species] in the box, over all ranks: what is known of them, to the last bit, or added up. Collective. */
PetscErrorCode SoretSystemContent(SoretSystem *sys, Vec c, PetscReal content[]);

/* Says them again, for a state that comes back from a checkpoint. */
PetscErrorCode SoretSystemKnowAll(SoretSystem *sys, Vec c, const PetscReal content[]);

/* Makes A and P, if they are not there. */
PetscErrorCode SoretSystemCreateMatrices(SoretSystem *sys);

/* The same without a matrix: for SoretNewtonCreateMatrices(). */
PetscErrorCode SoretSystemCreateShell(SoretSystem *sys);

/* Assembles P at c and with it A; or, of a shell, keeps c. */
PetscErrorCode SoretSystemJacobian(SoretSystem *sys, Vec c);

/* Defaults of the linear solver: direct for small problems, Krylov with multigrid for large ones; method gets its name. */
PetscErrorCode SoretSystemSetKSP(SoretSystem *sys, KSP ksp, PetscReal rtol, size_t length, char method[]);

/* SNESSetFromOptions() of a Newton solver, or TSSetFromOptions() of the ts (else NULL) that it is in: -snes_type fas is meant for the cycles of SoretFAS, not for
   it. Where there are none, as the grid cannot be made coarser, that is said (say) and Newton's method used. */
PetscErrorCode SoretNewtonSetFromOptions(const SoretSystem *sys, PetscBool say, SNES snes, TS ts);

/* Would a problem of this size be solved directly? */
PetscBool SoretIsSmall(PetscInt dim, PetscReal unknowns);

/* Shortens the correction y of c - y before each step of a line search, so that no concentration that was positive becomes negative. */
PetscErrorCode SoretSystemSetPositive(SoretSystem *sys, SNESLineSearch search);

/* Multiplies the species of all cells by 1 + sum_k eta_k w_k so that the global sums have their means again, and the local ones in
   each cell their kept values: along the tangent of local equilibrium, which reactions do not resist. Where the fluid is in several parts, the same
   in each of them for what it keeps, and mean and closed are not used. */
PetscErrorCode SoretSystemClose(SoretSystem *sys, const PetscReal mean[], const PetscBool closed[], Vec c);

/* ---- checkpoints ---- */

/* A vector over the grid as an array of a checkpoint. Collective. */
PetscErrorCode SoretStatePut(SoretArchive archive, const char *name, const SoretOperator *op, Vec c);
PetscErrorCode SoretStateGet(SoretArchive archive, const char *name, const SoretOperator *op, Vec c);

/* ---- nonlinear multigrid ---- */

typedef struct SoretFAS_s *SoretFAS;

/* What a cycle is made of. */
typedef struct {
  PetscInt  down, up; /* sweeps before and after the coarser level                                                    */
  PetscInt  cycles;   /* there: 1 for V, 2 for W cycles                                                               */
  PetscReal omega;    /* over-relaxation of transport, for levels without a shift that are coarsened along three axes */
} SoretCycleOptions;

/* Reads them from the options database, where *options holds the defaults; what cannot be is an error. Collective. */
PetscErrorCode SoretCycleOptionsRead(MPI_Comm comm, SoretCycleOptions *options);

/* Makes the coarser levels of a system, and a SNES that does cycles on all of them. Options: those of SNESFAS (docs/numerics.md). The system is
   borrowed. With a single level (SoretFASNumLevels()) there is nothing to solve with.

   c_0 - state that gives the local sums. Collective. */
PetscErrorCode SoretFASCreate(SoretSystem *finest, Vec c_0, SoretFAS *fas);
PetscErrorCode SoretFASDestroy(SoretFAS *fas);

/* Sweeps before and after what each coarser level does, unless options say otherwise. */
PetscErrorCode SoretFASSetSweeps(SoretFAS fas, PetscInt sweeps);

/* The SNES of the finest level, for options, monitors and tolerances; it is solved by SoretFASSolve(), since its own vectors have no entries. */
SNES SoretFASGetSNES(SoretFAS fas);
PetscErrorCode SoretFASSolve(SoretFAS fas, Vec c, SNESConvergedReason *reason, PetscInt *cycles);

/* Called after the smoother of each cycle with the norm of the residual then: sets *reason to stop. */
typedef PetscErrorCode (*SoretCycleTest)(void *context, PetscInt cycle, PetscReal fnorm, Vec c, SNESConvergedReason *reason);
PetscErrorCode SoretFASSetTest(SoretFAS fas, SoretCycleTest test, void *context);

typedef struct SoretAnderson_s *SoretAnderson;

/* Says that the next solve of the SNES begins at a state that the test has seen: in the middle of a cycle, with the smoother behind it, and with what the acceleration
   remembered then (or NULL), which it takes over. */
PetscErrorCode SoretFASGoOn(SoretFAS fas, SoretAnderson *anderson);

/* One cycle on level l (0: the finest) for left side = rhs (NULL: 0). */
PetscErrorCode SoretFASCycle(SoretFAS fas, PetscInt l, Vec rhs, Vec c);

/* Brings the levels to the time of the finest operator, and to the shift of its system. */
PetscErrorCode SoretFASUpdate(SoretFAS fas);

/* Full multigrid start: solves the coarsest level from the restricted c by `solve`, then interpolates and cycles upwards; c is replaced. */
PetscErrorCode SoretFASStart(SoretFAS fas, PetscErrorCode (*solve)(void *context, SoretSystem *sys, Vec c), void *context, Vec c);

/* Keeps c as far as the next level resolves it, which takes an eighth of a vector in 3D, and puts it back. Where solid is, not all cells are on that level. */
PetscErrorCode SoretFASKeep(SoretFAS fas, Vec c);
PetscErrorCode SoretFASRecall(SoretFAS fas, Vec c);

PetscInt SoretFASNumLevels(SoretFAS fas);

/* Is the problem large enough for multigrid, and has it a smoother, as all but ballistic transport? */
PetscBool SoretFASIsUsual(const SoretOperator *op);

/* Should nonlinear multigrid be used: where it is usual, unless -snes_type says otherwise? */
PetscErrorCode SoretFASChoose(const SoretOperator *op, PetscBool *use);

/* From the next cycle on they are accelerated; the vectors for that are made like c. Collective. */
PetscErrorCode SoretFASAccelerate(SoretFAS fas, Vec c);

/* The acceleration of its cycles, NULL where there is none; for checkpoints. */
SoretAnderson SoretFASGetAnderson(SoretFAS fas);

/* ---- acceleration (anderson.c) ---- */

/* x tells the size. Takes eleven vectors. Collective. */
PetscErrorCode SoretAndersonCreate(Vec x, SoretAnderson *anderson);
PetscErrorCode SoretAndersonDestroy(SoretAnderson *anderson);

/* Before and after a step x <- G(x); after it x is the accelerated one, or, where that would be negative somewhere, what the step has made. Collective. */
PetscErrorCode SoretAndersonBegin(SoretAnderson anderson, Vec x);
PetscErrorCode SoretAndersonEnd(SoretAnderson anderson, Vec x);
void           SoretAndersonForget(SoretAnderson anderson);

/* Steps that it has seen since it forgot; NULL: 0. */
PetscInt SoretAndersonSteps(SoretAnderson anderson);

/* What it remembers of its steps, in a checkpoint: up to ten vectors, so that a run goes on with the same bits. Get makes it; NULL for no steps. Collective. */
PetscErrorCode SoretAndersonPut(SoretAnderson anderson, SoretArchive archive, const SoretOperator *op);
PetscErrorCode SoretAndersonGet(SoretArchive archive, const SoretOperator *op, Vec x, PetscInt steps, SoretAnderson *anderson);

/* ---- Newton's method on the levels of nonlinear multigrid, without a matrix (pcfas.c) ---- */

/* Name of the preconditioner. */
#define SORET_PCFAS "fas"

/* Makes the name known to PETSc. Once is enough. */
PetscErrorCode SoretPCFASRegister(void);

/* Makes A and P for a Newton solver with options of this prefix: a shell where the preconditioner is SORET_PCFAS, by -pc_type or by default, and matrices where
   it is not or where there is no coarser grid, which is said. */
PetscErrorCode SoretNewtonCreateMatrices(SoretSystem *sys, const char *prefix);

/* Makes pc this preconditioner, for a system with a shell that is borrowed. Collective. */
PetscErrorCode SoretPCFASSet(PC pc, SoretSystem *sys, size_t length, char method[]);

/* ---- implicit stages of TS by nonlinear multigrid (stage.c) ---- */

typedef struct SoretStage_s *SoretStage;

/* sys is that of the transient; weight, one over the error allowed in each entry, is borrowed and may change from step to step. *stage is NULL where
   there is no coarser level. Collective. */
PetscErrorCode SoretStageCreate(SoretSystem *sys, Vec c, Vec weight, SoretStage *stage);
PetscErrorCode SoretStageDestroy(SoretStage *stage);

/* What to give to TSSetIJacobian(). */
Mat SoretStageMatrix(SoretStage stage);

/* Makes the SNES of a TS solve its stages by cycles; after TSSetFromOptions(). */
PetscErrorCode SoretStageSetSNES(SoretStage stage, SNES snes);

/* For the callbacks of TS: are they asked only for the shift (given to the Jacobian, else 0) and, in place of the residual, for the state that the shift
   counts from, c - (dc/dt)/shift? */
PetscBool SoretStageRecord(SoretStage stage, TS ts, PetscReal t, PetscReal shift);

/* For backward Euler, before a step from `now`: `before` is the state `span` before, from which the stage is guessed. span = 0: there is none. */
PetscErrorCode SoretStageLookBack(SoretStage stage, PetscReal span, Vec before, Vec now);

PetscErrorCode SoretStageDescribe(SoretStage stage, size_t length, char text[]);
PetscInt       SoretStageCycles(SoretStage stage);

/* What a stage leaves to the next one: cycles so far, and their contraction as measured last (0: none, which is also what stage = NULL has). */
void SoretStageGetMemory(SoretStage stage, PetscReal *cycles, PetscReal *contraction);
void SoretStageSetMemory(SoretStage stage, PetscReal cycles, PetscReal contraction);

/* While idle the solver leaves a stage as it finds it. */
void SoretStageSetIdle(SoretStage stage, PetscBool idle);
