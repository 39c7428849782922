/* SPDX-License-Identifier: BSD-2-Clause

   Formulas of position, time and temperature, evaluated by muParser. */
#pragma once

#include "soret/base.h"

/* The variables that a formula may use, as bits of a mask. */
typedef enum {
  SORET_VAR_X = 1,
  SORET_VAR_Y = 2,
  SORET_VAR_Z = 4,
  SORET_VAR_TIME = 8,         /* t */
  SORET_VAR_TEMPERATURE = 16, /* T */
  SORET_VAR_NONE = 0,
  SORET_VAR_SPACE = 7,
  SORET_VAR_SPACE_TIME = 15,
  SORET_VAR_ALL = 31
} SoretVar;

/* Where a formula is evaluated; m, s and K, or plain numbers in reduced units. */
typedef struct {
  PetscReal x[3]; /* x, y, z; 0 beyond the dimension of the problem */
  PetscReal t;
  PetscReal T;
} SoretPoint;

/* A named constant that formulas may use: pi, Lx, entries of `parameters`. */
typedef struct {
  char      name[SORET_NAME_LENGTH];
  PetscReal value;
} SoretConstant;

/* Why a formula was refused. */
typedef struct {
  PetscInt position; /* offset of the offending character in the text, from 0 */
  char     what[256];
} SoretExprError;

typedef struct SoretExpr_s *SoretExpr;

/* Compiles a formula.

   text          - the formula, base units throughout (docs/case-format.md, "Values")
   num_constants - length of constants
   constants     - named constants, copied
   allowed       - mask of SoretVar that the formula may use; another one is an error that names those allowed
   expr          - the compiled formula, NULL if it was refused
   error         - filled if the formula was refused

   A formula that uses no variable is evaluated once, here; a result that is not finite is refused. Not collective. */
PetscErrorCode SoretExprCreate(const char *text, PetscInt num_constants, const SoretConstant constants[], unsigned allowed, SoretExpr *expr, SoretExprError *error);

/* A formula that is a plain number. Not collective. */
PetscErrorCode SoretExprCreateConstant(PetscReal value, SoretExpr *expr);

/* Value at one point. May be infinite or NaN where the formula is (log(0), 0/0): the caller checks, since it knows what to say.
   Not collective, not thread-safe. */
PetscReal SoretExprEvaluate(SoretExpr expr, const SoretPoint *point);

/* Values at n points of a row along the first axis: out[i] at (x[i], y, z) with temperature T[i].

   n        - number of points
   point    - y, z and t; x and T where the arrays are NULL
   x, T     - [n] or NULL
   out      - [n]

   Not collective. */
void SoretExprEvaluateRow(SoretExpr expr, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal out[]);

/* Mask of the variables that the formula uses: 0 for a constant. NULL counts as a constant. */
unsigned SoretExprUses(SoretExpr expr);

/* The text that the formula was made from ("%.17g" of a number). */
const char *SoretExprText(SoretExpr expr);

/* Why `name` may not be given to a constant of formulas (no identifier, or taken by a variable, a function or a constant), NULL if it may. */
const char *SoretExprNameTaken(const char *name);

/* Frees a formula and sets it to NULL, which is no error. Not collective. */
PetscErrorCode SoretExprDestroy(SoretExpr *expr);
