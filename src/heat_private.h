/* SPDX-License-Identifier: BSD-2-Clause

   What the files of the module heat share: the handle, the discrete equations, the solvers. */
#pragma once

#include "soret/heat.h"

#include <petscksp.h>
#include <petscts.h>

#include "soret/elliptic.h"

enum { SORET_HEAT_WINDOW = 16 }; /* steps in time that are remembered */

/* Temperature and its rate of change at one time. */
typedef struct {
  PetscReal  t;
  PetscReal *T, *rate;
} SoretHeatSnapshot;

/* Per cell, exchanged with the neighbours: */
enum {
  SORET_CELL_T,
  SORET_CELL_K,     /* conductivity              */
  SORET_CELL_SLOPE, /* its derivative by T       */
  SORET_CELL_VALUES
};

struct SoretHeat_s {
  const SoretHeatSpec *spec;
  const SoretGrid     *grid;
  DM                   dm;
  Mat                  J;          /* assembled, or                                                      */
  SoretElliptic        elliptic;   /* multigrid without a matrix                                         */
  KSP                  ksp;        /* NULL: nothing of this is there                                     */
  PetscBool            assembled;  /* multigrid has failed: with a matrix                                */
  Vec                  T, f, step; /* state of the last solve, its residual                              */
  Vec                  start;      /* where solves for walls and sources that change in time begin: the first solution,
                                      so that a temperature does not depend on what was solved before; NULL: T */
  PetscReal           *cell;       /* [num_cells][SORET_CELL_VALUES]                                     */
  SoretHalo            halo;
  PetscReal           *capacity;   /* [num_cells] of the cell; NULL: steady at each moment               */
  PetscBool            started;    /* T holds a solution                                                 */
  char                 trouble[256]; /* first bad value on this rank                                     */
  TS                   ts;
  SoretHeatSnapshot    window[SORET_HEAT_WINDOW];
  PetscInt             num_steps;  /* taken; step n is in window[n % SORET_HEAT_WINDOW]                  */
  PetscReal           *filled;     /* [num_cells] T filled last, and                                     */
  PetscReal           *rate;       /* its rate of change, NULL where it has none                         */
  PetscReal            filled_t;
};

typedef enum {
  SORET_HEAT_PER_CELL,    /* W               */
  SORET_HEAT_PER_CAPACITY /* K/s: over C     */
} SoretHeatForm;

/* What the sum of |f| over the cells is compared with. */
typedef struct {
  PetscReal gross;    /* sum of |inflow| and |source|                  */
  PetscReal rounding; /* left where temperatures have their last digit */
  PetscReal held;     /* how walls and sources answer to the level of T: 0 where nothing sets it */
} SoretHeatScale;

/* ---- the discrete equations (heat_equations.c) ---- */

/* The centre of cell p. */
SoretPoint SoretHeatPoint(const SoretGrid *grid, PetscInt p, PetscReal t, PetscReal T);

/* Puts down the first bad value of this rank. */
void SoretHeatComplain(SoretHeat heat, const char *what, PetscReal value, const SoretPoint *point);

/* If a rank has something to complain of, the first one does and all end. Collective. */
PetscErrorCode SoretHeatAgree(SoretHeat heat);

/* T, conductivity and its slope (for a matrix) in the cells of this rank and beside them. Collective. */
PetscErrorCode SoretHeatFillCells(SoretHeat heat, PetscReal t, const PetscReal T[]);

/* Inflow through a wall, its derivative by the temperature of the cell, and the temperature at the wall. */
PetscReal SoretHeatWallInflow(SoretHeat heat, PetscReal t, int face, PetscInt p, PetscReal *by_own, PetscReal *wall_T);

/* Heat released in a cell and its derivative by T. */
PetscReal SoretHeatSource(SoretHeat heat, PetscReal t, PetscInt p, PetscReal T, PetscReal *slope);

/* f = net outflow of heat of each cell less its source, in one of the forms, and J = df/dT + shift if wanted. scale may be NULL. Collective. */
PetscErrorCode SoretHeatEvaluate(SoretHeat heat, PetscReal t, Vec T, SoretHeatForm form, Vec f, PetscReal shift, Mat J, SoretHeatScale *scale);

/* The coefficients of multigrid with the conductivities of the cells as they are. Collective. */
PetscErrorCode SoretHeatFillElliptic(SoretHeat heat, PetscReal t, PetscReal shift);

/* ---- solvers (heat_solver.c) ---- */

/* Does the conductivity not depend on T, so that the matrix is symmetric? */
PetscBool SoretHeatIsLinear(const SoretHeatSpec *spec);

/* The matrix, or multigrid without one; capacity - for equations in time, else NULL. Collective. */
PetscErrorCode SoretHeatCreateOperator(SoretHeat heat, const PetscReal capacity[]);

PetscErrorCode SoretHeatSetSolver(SoretHeat heat, PetscBool symmetric, KSP ksp);

/* What a steady solve needs, if it is not there. Collective. */
PetscErrorCode SoretHeatCreateSteadySolver(SoretHeat heat);
PetscErrorCode SoretHeatDestroySolver(SoretHeat heat);

/* ---- steady (heat_steady.c) ---- */

/* Newton's method, or with multigrid that of Picard, until the residual is a part in 1e12 of the power that goes through, or as small as rounding lets it
   be, or does not fall any more. Collective. */
PetscErrorCode SoretHeatSolveSteady(SoretHeat heat, PetscReal t);

/* ---- in time (heat_time.c) ---- */

/* T of the cells of this rank at time t, and heat->rate. Collective. */
PetscErrorCode SoretHeatFillInTime(SoretHeat heat, PetscReal t, PetscReal T[]);
PetscErrorCode SoretHeatForgetSteps(SoretHeat heat);
