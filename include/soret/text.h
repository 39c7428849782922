/* SPDX-License-Identifier: BSD-2-Clause

   Small things about text that both formulas and the case file need: numbers, names, the nearest name, printable copies. */
#pragma once

#include "soret/base.h"

/* Length of the decimal number at the start of text, without a sign: "12", "1.5", ".5", "1.e-3"; 0 if there is none. */
size_t SoretScanNumber(const char *text);

/* The same with an optional sign. */
size_t SoretScanSignedNumber(const char *text);

/* Is this text a name as the case format defines it? Letters, digits, _ + - ( ) *, not starting with a digit; not + or - alone, which
   would be lost in an equation; shorter than SORET_NAME_LENGTH. */
PetscBool SoretIsName(const char *text);

/* Is this text an identifier, as the constants of a formula must be? Letters, digits, _, not starting with a digit; shorter than
   SORET_NAME_LENGTH. */
PetscBool SoretIsIdentifier(const char *text);

/* The name among n that is nearest to `name` (Damerau-Levenshtein distance of at most a third of its length, at least 1), or NULL.
   Names that have no letter in common, or differ only by case, are handled as a reader would: x is not near to y, Ito is near to ito. */
const char *SoretNearest(const char *name, PetscInt n, const char *const candidates[]);

/* The same as the end of a message: "; did you mean 'NAME'?", or "". */
typedef struct {
  char text[256];
} SoretSuggestion;

SoretSuggestion SoretSuggest(const char *name, PetscInt n, const char *const candidates[]);

/* Length of the UTF-8 sequence at the start of text, at most `available` bytes, and its code point; 0 if it is not valid. */
size_t SoretScanUtf8(const char *text, size_t available, unsigned *code);

/* Number of characters in the first `bytes` bytes of text. */
PetscInt SoretCountCharacters(const char *text, size_t bytes);

/* Copies `length` bytes so that they can be shown on a terminal: control characters, marks of writing direction and broken UTF-8
   become '?', tabs and line ends a blank. Stops at a whole character before `size` is exceeded.

   out - [size], ends with 0 */
void SoretPrintable(const char *text, size_t length, char out[], size_t size);

/* Texts as one, with the end of a line behind each; free with PetscFree. */
PetscErrorCode SoretJoinLines(PetscInt n, const char *const text[], char **lines);

/* Prints on rank 0, with C's own formats: PETSc's printf writes 2 as "2.". Collective. */
PetscErrorCode SoretSay(MPI_Comm comm, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);

/* The same on stderr: why a run cannot be. */
PetscErrorCode SoretComplain(MPI_Comm comm, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);

/* The first rank that has something to tell tells it on stderr, then all ranks have failed: SORET_ERR_INPUT. Collective.

   trouble - a line with its end, "" where all is well */
PetscErrorCode SoretFailTogether(MPI_Comm comm, const char *trouble);

/* Writes a line of a terminal that the next one replaces; what SoretSay() says comes below it. For the rank that prints. */
void SoretRewrite(const char *text);

/* Ends the line that SoretRewrite() has left open, if there is one. */
void SoretEndLine(void);
