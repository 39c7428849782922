/* SPDX-License-Identifier: BSD-2-Clause

   The algebraic system that steady solves and implicit stages share. */
#pragma once

#include <petscsnes.h>

#include "soret/solve.h"

/* Steady:  F(c) + V sum_k beta_k q_k (mean_k(c) - M_k) + V sum_l beta q_l (q_l . c - q_l . c_0) + shift V (c - c_old) = 0
   with orthonormal q_k of the global sums and q_l of the local ones. The first term couples all cells: it is not assembled
   but applied in the operator A; the preconditioner P has the same term cell by cell, gamma beta_k q_k q_k^T instead. */
typedef struct {
  SoretOperator   *op;
  const SoretSums *sums;
  PetscInt         num, num_local;
  PetscReal       *q, *target, *beta; /* [num][num_species], [num], [num]                        */
  PetscReal       *q_local;           /* [num_local][num_species]                                */
  PetscReal       *kept;              /* [num_cells][num_local] q_l . c_0                        */
  PetscReal        beta_local;
  PetscReal       *extra;             /* [num_species][num_species] blocks of P                  */
  PetscReal        shift;             /* of pseudo-time, 0 in the end                            */
  Vec              old;
  Mat              A, P;
  Vec              inverse_volume;    /* transient: rows of the Jacobian are divided by volumes  */
  PetscInt         scaled;
  PetscReal       *constant, *matrix, *kept_term; /* terms of the smoother */
} SoretSystem;

/* c_0: state that gives the local sums. augmented: with the terms of conserved sums (steady). Makes no matrices. */
PetscErrorCode SoretSystemCreate(SoretOperator *op, const SoretSums *sums, Vec c_0, PetscBool augmented, SoretSystem *sys);
PetscErrorCode SoretSystemDestroy(SoretSystem *sys);

/* f = the left side above. */
PetscErrorCode SoretSystemResidual(SoretSystem *sys, Vec c, Vec f);

/* One Gauss-Seidel sweep for the left side = rhs (NULL: 0). */
PetscErrorCode SoretSystemSmooth(SoretSystem *sys, Vec rhs, Vec c);

/* Makes A and P, if they are not there. */
PetscErrorCode SoretSystemCreateMatrices(SoretSystem *sys);

/* Assembles P at c and with it A. */
PetscErrorCode SoretSystemJacobian(SoretSystem *sys, Vec c);

/* Defaults of the linear solver: direct for small problems, Krylov with multigrid for large ones; method gets its name. */
PetscErrorCode SoretSystemSetKSP(SoretSystem *sys, KSP ksp, PetscReal rtol, size_t length, char method[]);

/* Would a problem of this size be solved directly? */
PetscBool SoretIsSmall(PetscInt dim, PetscReal unknowns);

/* Scales the correction y of c - y, cell by cell, so that no concentration that was positive becomes negative. */
PetscErrorCode SoretKeepPositive(SoretSystem *sys, Vec c, Vec y, PetscBool *changed);

/* Sets SoretKeepPositive() as the check of a line search before each step. */
PetscErrorCode SoretSystemSetPositive(SoretSystem *sys, SNESLineSearch search);

/* Multiplies the species of all cells by 1 + sum_k eta_k w_k so that the global sums have their means again, and the local ones in
   each cell their kept values: along the tangent of local equilibrium, which reactions do not resist. */
PetscErrorCode SoretSystemClose(SoretSystem *sys, const PetscReal mean[], const PetscBool closed[], Vec c);

/* ---- checkpoints ---- */

/* A vector over the grid as an array of a checkpoint. Collective. */
PetscErrorCode SoretStatePut(SoretArchive archive, const char *name, const SoretOperator *op, Vec c);
PetscErrorCode SoretStateGet(SoretArchive archive, const char *name, const SoretOperator *op, Vec c);

/* ---- nonlinear multigrid ---- */

typedef struct SoretFAS_s *SoretFAS;

/* Makes the coarser levels of a system, rediscretised, and the SNES of type FAS on all of them. The system is borrowed.

   c_0 - state that gives the local sums. Collective. */
PetscErrorCode SoretFASCreate(SoretSystem *finest, Vec c_0, SoretFAS *fas);
PetscErrorCode SoretFASDestroy(SoretFAS *fas);

/* The SNES of the finest level; convergence test and tolerances are the caller's. */
SNES SoretFASGetSNES(SoretFAS fas);

/* Full multigrid start: solves the coarsest level from the restricted c by `solve`, then interpolates and cycles upwards; c is replaced. */
PetscErrorCode SoretFASStart(SoretFAS fas, PetscErrorCode (*solve)(void *context, SoretSystem *sys, Vec c), void *context, Vec c);

PetscInt SoretFASNumLevels(SoretFAS fas);
