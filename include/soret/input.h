/* SPDX-License-Identifier: BSD-2-Clause

   The case file as a tree of nodes with line and column, key tables that say what a map may hold, units, and every text about
   a mistake in the input. Knows no physics. */
#pragma once

#include "soret/expr.h"
#include "soret/text.h" /* SoretNearest, SoretIsName */

#include <float.h>

typedef struct SoretInput_s *SoretInput;

typedef enum {
  SORET_NODE_SCALAR,
  SORET_NODE_LIST,
  SORET_NODE_MAP
} SoretNodeKind;

/* One node of the file. Made by SoretInputCreate() and SoretInputOverride(), read-only for everybody else, freed with its input. */
typedef struct SoretNode SoretNode;
struct SoretNode {
  SoretNodeKind kind;
  char         *text;       /* scalar: as written, without quotes; "" otherwise */
  PetscBool     quoted;     /* scalar: stood in quotes */
  PetscInt      size;       /* list, map: number of entries */
  SoretNode   **item;       /* list, map: [size] */
  SoretNode   **key;        /* map: [size] scalar nodes */
  int           line, column; /* from 1; line 0: not from the file but from override number `column` */
  const char   *unit;         /* scalar: base unit of the number that was read from it; NULL: none, or in a key of any unit a plain number */

  /* for messages only */
  const char *label;       /* key under which the node stands, also for the entries of a list; "" for the root */
  int         text_column; /* where the text begins in its line, 0 where it is not in the file letter by letter */
};

/* What a value must be. */
typedef enum {
  SORET_REAL,     /* PetscReal; a formula of constants is evaluated on the spot                               */
  SORET_INT,      /* PetscInt, likewise                                                                       */
  SORET_BOOL,     /* PetscBool: true/false, yes/no, on/off as YAML 1.1                                        */
  SORET_NAME,     /* char[SORET_NAME_LENGTH]: letters, digits, _ + - ( ) *, not starting with a digit         */
  SORET_STRING,   /* char *, owned by the input                                                               */
  SORET_CHOICE,   /* int: index into choices                                                                  */
  SORET_FORMULA,  /* SoretExpr of the variables in `allowed`, to be destroyed by the owner of the struct      */
  SORET_REALS,    /* SoretReals: a list, or one number for a list of length one                               */
  SORET_NODE,     /* const SoretNode *: read by the module itself                                             */
  SORET_CUSTOM    /* read by `parse`                                                                          */
} SoretKind;

typedef struct {
  PetscInt   n;
  PetscReal *value; /* [n], owned by the input */
} SoretReals;

/* An optional number: value counts only if given. Destination of SORET_REAL rows whose `absent` is SORET_OPTIONAL. */
typedef struct {
  PetscReal value;
  PetscBool given;
} SoretOptional;

#define SORET_REQUIRED ((const char *)1) /* a missing key is a mistake                              */
#define SORET_OPTIONAL ((const char *)0) /* a missing key leaves NULL, given = PETSC_FALSE, n = 0, 0 or ""; SORET_CUSTOM: what was there */
/* else: the default, written as it would be in the file */

typedef struct SoretKey SoretKey;
struct SoretKey {
  const char *key;
  SoretKind   kind;
  const char *unit;    /* base unit in SI, "1" for pure numbers, NULL where there is none */
  const char *absent;  /* SORET_REQUIRED, SORET_OPTIONAL or the default as text           */
  PetscReal   min, max;/* inclusive; SORET_ANY, SORET_POSITIVE ... below                  */
  size_t      offset;  /* of the destination in the struct                                */
  const char *meaning; /* one or two sentences for `soret reference` and the docs         */
  unsigned    allowed; /* SORET_FORMULA: mask of SoretVar                                 */
  const char *choices; /* SORET_CHOICE: "steady|transient"                                */
  PetscErrorCode (*parse)(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest); /* SORET_CUSTOM */
  const char *syntax;  /* SORET_CUSTOM, SORET_NODE: what stands there, for the reference: "law of temperature" */
};

#define SORET_ANY         -PETSC_MAX_REAL, PETSC_MAX_REAL
#define SORET_NONNEGATIVE 0.0, PETSC_MAX_REAL
#define SORET_POSITIVE    DBL_MIN, PETSC_MAX_REAL
#define SORET_BETWEEN(a, b) (a), (b)

/* ---- reading the file ---- */

/* Reads a file on rank 0 and gives its bytes to all ranks (0 at the end added; *text to be freed with PetscFree).
   A file that cannot be read is a message on stderr and SORET_ERR_INPUT. Collective. */
PetscErrorCode SoretInputReadFile(MPI_Comm comm, const char *path, char **text, size_t *length);

/* Makes the tree. Mistakes of YAML become messages in the input (SoretInputCountErrors), the tree is then an empty map.
   Aliases are resolved; depth and number of nodes are limited, so that no file can exhaust the machine.

   name - shown in messages
   text - [length] bytes, copied

   After a mistake of YAML itself nothing else is reported: it would be a consequence. Not collective: all ranks make the same tree from the same bytes. */
PetscErrorCode SoretInputCreate(const char *name, const char *text, size_t length, SoretInput *in);
PetscErrorCode SoretInputDestroy(SoretInput *in);

/* Replaces one value: "solve.tolerance=1e-6", "species.A.initial=2", "reactions.0.forward=3". List entries by index or, for lists of maps,
   by the value of their key `name`; missing keys of maps are added, those that are set to null taken out. The right side is read as YAML. */
PetscErrorCode SoretInputOverride(SoretInput in, const char *assignment);

/* Adds the entries of a list, written as YAML, to the list `key` of the root, which is made if it is not there: what is generated stands in
   the tree as if it were written. A `key` that is no list is left alone, for its reader to report.

   place - where mistakes about the entries are shown */
PetscErrorCode SoretInputExtend(SoretInput in, const char *key, const char *yaml, const SoretNode *place);

/* The node at a path as SoretInputOverride() takes it, NULL where nothing stands yet. An entry that a list does not have, or a path that goes
   on behind a value, is a mistake, told at `at`; *ok is false then. */
PetscErrorCode SoretInputLookup(SoretInput in, const SoretNode *at, const char *path, const SoretNode **node, PetscBool *ok);

/* The root of the tree, a map. */
const SoretNode *SoretInputRoot(SoretInput in);

/* Entry of a map, NULL if there is none or node is no map. */
const SoretNode *SoretNodeFind(const SoretNode *map, const char *key);

/* Does the name stand as a word in a value at or below this node? */
PetscBool SoretNodeMentions(const SoretNode *node, const char *name);

/* Is this an empty value: nothing, ~ or null? */
PetscBool SoretNodeIsNull(const SoretNode *node);

/* Is this a truth value of YAML 1.1: true, no, On ...? */
PetscBool SoretNodeIsTruth(const SoretNode *node, PetscBool *value);

/* ---- units and constants ---- */

/* Where a file named in the case file is: relative paths start from the directory of the case file. A path that does not fit into
   `size` is cut, and does not exist then. */
PetscErrorCode SoretInputResolve(SoretInput in, const char *file, size_t size, char path[]);

/* SI with UDUNITS-2 (default), or reduced: plain numbers only, k_B = R = 1. */
PetscErrorCode SoretInputSetReduced(SoretInput in, PetscBool reduced);
PetscBool      SoretInputIsReduced(SoretInput in);

/* Defines a constant for all formulas read from now on, or gives it a new value. SoretExprNameTaken() says which names are free. */
PetscErrorCode SoretInputDefine(SoretInput in, const char *name, PetscReal value);

/* ---- values ---- */

/* Reads a map into a struct, row by row, and reports unknown, repeated and missing keys, wrong types, units and ranges.

   node - the map; NULL stands for an empty one, missing keys are then reported at `parent`
   what - what the map is, for messages: "species 'A'", "section 'solve'"
   keys - table ended by a row with key NULL
   dest - the struct that the offsets are of; fully set on return, with defaults where the file is wrong

   Not collective. */
PetscErrorCode SoretInputReadMap(SoretInput in, const SoretNode *node, const SoretNode *parent, const char *what, const SoretKey keys[], void *dest);

/* Reads one value as a row of a table would; returns PETSC_TRUE in *ok if it was good. dest is the destination itself (key->offset is not
   added), as for the row's kind, and always a PetscReal for SORET_REAL. A row without a range (0, 0) allows any number. */
PetscErrorCode SoretInputReadValue(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest, PetscBool *ok);

/* Entries of what must be a list, or a map: none where nothing stands (NULL, or an empty value), nor where something else does, which is told as `expected`. */
PetscErrorCode SoretInputEntries(SoretInput in, const SoretNode *node, SoretNodeKind kind, const char *expected, PetscInt *num);

/* A list of numbers made by the caller, copied into memory of the input. */
PetscErrorCode SoretInputKeepReals(SoretInput in, PetscInt n, const PetscReal value[], SoretReals *list);

/* Reads number | quantity | formula. unit as in SoretKey. *expr is NULL after a mistake (reported). */
PetscErrorCode SoretInputReadFormula(SoretInput in, const SoretNode *node, const char *unit, unsigned allowed, SoretExpr *expr);

/* ---- mistakes ---- */

/* Adds a message at a node; NULL: about the file as a whole. Always PETSC_SUCCESS. */
PetscErrorCode SoretInputError(SoretInput in, const SoretNode *node, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(3, 4);

/* The same at `offset` bytes into the text of a scalar; at the node where the text is not in the file letter by letter. */
PetscErrorCode SoretInputErrorAt(SoretInput in, const SoretNode *node, PetscInt offset, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(4, 5);

/* A second line below the message added last: known keys, allowed units. */
PetscErrorCode SoretInputHint(SoretInput in, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);

/* Grows with every mistake found: "none since then" means that what was read is good. */
PetscInt SoretInputCountErrors(SoretInput in);

/* Text of the message found first, without place and hint; NULL if there is none. */
const char *SoretInputFirstError(SoretInput in);

/* Prints all messages in the order of the file, each with its line of the file and a caret, and a last line
   "3 errors in case.yaml; nothing was run." Not collective: call on one rank. */
PetscErrorCode SoretInputPrintErrors(SoretInput in, FILE *out);

/* If messages are there, prints them on rank 0 and returns SORET_ERR_INPUT on all ranks. Collective. */
PetscErrorCode SoretInputCheck(SoretInput in, MPI_Comm comm);

/* ---- reference ---- */

/* Writes a key table as a Markdown table with a heading: key, value, unit, default, meaning. */
PetscErrorCode SoretKeysPrint(FILE *out, const char *heading, const SoretKey keys[]);
