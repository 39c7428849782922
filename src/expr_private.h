/* SPDX-License-Identifier: BSD-2-Clause

   What the files of the module expr share. */
#pragma once

#include "soret/expr.h"

#include <muParserDLL.h>

enum {
  SORET_NUM_VARIABLES = 5 /* bits of SoretVar */
};

/* A function of formulas: one of the first three is given, and of one argument maybe the same in place for a row. */
typedef struct {
  const char *name;
  muFun1_t    one;
  muFun2_t    two;
  muMultFun_t any;
  void (*row)(PetscInt n, PetscReal x[]);
} SoretFunction;

/* NULL if there is none of this name. */
const SoretFunction *SoretExprFunction(const char *name);

/* Number of a variable in the order of the bits of SoretVar, -1 if there is none of this name. */
int SoretExprVariable(const char *name);

/* ---- formulas for rows of points (rowcode.c) ---- */

typedef struct SoretRowCode_s *SoretRowCode;

/* Compiles a formula that has been checked. *code is NULL where it is too long for this; then muParser has to do. Not collective. */
PetscErrorCode SoretRowCodeCreate(const char *text, PetscInt num_constants, const SoretConstant constants[], SoretRowCode *code);

/* As SoretExprEvaluateRow(). */
void SoretRowCodeEvaluate(SoretRowCode code, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal out[]);

PetscErrorCode SoretRowCodeDestroy(SoretRowCode *code);
