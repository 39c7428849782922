/* SPDX-License-Identifier: BSD-2-Clause

   What input.c (files, messages), tree.c (YAML, overrides) and key.c (values, key tables) share. */
#pragma once

#include "soret/input.h"

enum {
  NO_OVERRIDE = -1
};

typedef struct SoretBlock SoretBlock; /* memory of the nodes and texts, freed together */

/* line and column as in SoretNode; line -1: the file as a whole */
typedef struct {
  int      line, column;
  PetscInt order; /* in which it was found */
  char    *what, *hint;
} SoretMessage;

struct SoretInput_s {
  char          *name, *text; /* text without a byte-order mark */
  size_t         length;
  SoretBlock    *blocks;
  SoretNode     *root;
  PetscInt       num_nodes;
  PetscBool      reduced;
  PetscBool      broken; /* not YAML: further messages would be consequences of that */
  PetscInt       num_constants, max_constants;
  SoretConstant *constants;
  int            num_overrides;
  char         **overrides; /* as given */
  PetscInt       num_errors, num_messages, num_dropped;
  SoretMessage  *messages;
  SoretMessage  *last; /* which a hint belongs to, NULL if that message is not kept */
};

/* Zeroed memory that lives as long as the input. */
PetscErrorCode SoretInputAllocate(SoretInput in, size_t size, void *pointer);
PetscErrorCode SoretInputCopyText(SoretInput in, const char *text, size_t length, char **copy);

/* A message at a line and column, both from 1, as SoretInputError(). */
PetscErrorCode SoretInputErrorPlace(SoretInput in, int line, int column, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(4, 5);

/* Reads YAML into a tree, NULL after a mistake (reported).

   override - number of the override whose right side this is, or negative: the file, or a default
   place    - node whose place all nodes get (defaults), NULL: their own */
PetscErrorCode SoretTreeRead(SoretInput in, const char *text, size_t length, int override, const SoretNode *place, SoretNode **root);

/* A scalar that stands for a default. */
PetscErrorCode SoretTreeScalar(SoretInput in, const char *text, const char *label, const SoretNode *place, SoretNode **node);
