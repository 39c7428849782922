/* SPDX-License-Identifier: BSD-2-Clause */
#include "network_private.h"

#include <ctype.h>

enum { MAX_FACTORS = 32 };

/* ---- words ---- */

/* One blank-separated word of a sum or an equation. */
typedef struct {
  const char *begin;
  PetscInt    length, offset;
} Word;

static PetscBool NextWord(const char *text, PetscInt *position, Word *word)
{
  PetscInt p = *position;

  while (text[p] && isspace((unsigned char)text[p])) p++;
  word->begin  = text + p;
  word->offset = p;
  while (text[p] && !isspace((unsigned char)text[p])) p++;
  word->length = p - word->offset;
  *position    = p;
  return word->length ? PETSC_TRUE : PETSC_FALSE;
}

static PetscBool WordIs(const Word *word, const char *text)
{
  return (size_t)word->length == strlen(text) && !strncmp(word->begin, text, (size_t)word->length) ? PETSC_TRUE : PETSC_FALSE;
}

static PetscBool WordNumber(const Word *word, PetscReal *value)
{
  char  text[64];
  char *end;

  if (word->length >= (PetscInt)sizeof(text) || !(isdigit((unsigned char)word->begin[0]) || word->begin[0] == '.')) return PETSC_FALSE;
  memcpy(text, word->begin, (size_t)word->length);
  text[word->length] = 0;
  *value             = strtod(text, &end);
  return *end || strpbrk(text, "xXpP") || !(PetscAbsReal(*value) < 1.0e15) ? PETSC_FALSE : PETSC_TRUE;
}

static PetscInt FindSpecies(const Word *word, PetscInt n, const SoretNetworkSpecies species[])
{
  for (PetscInt i = 0; i < n; i++) {
    if (WordIs(word, species[i].name)) return i;
  }
  return -1;
}

static PetscErrorCode UnknownSpecies(SoretInput in, const SoretNode *node, const Word *word, PetscInt n, const SoretNetworkSpecies species[])
{
  char        name[SORET_NAME_LENGTH], list[512] = "";
  const char *names[SORET_MAX_SPECIES], *inside;
  PetscInt    digits = 0;
  Word        rest;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(name, word->begin, PetscMin((size_t)word->length + 1, sizeof(name))));
  if (strchr(name, '=')) {
    PetscCall(SoretInputErrorAt(in, node, word->offset, "'%s': an arrow needs blanks around it, as in '2 A <=> A2'", name));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  while (digits < word->length && isdigit((unsigned char)word->begin[digits])) digits++;
  rest = (Word){.begin = word->begin + digits, .length = word->length - digits, .offset = word->offset + digits};
  if (digits && FindSpecies(&rest, n, species) >= 0) {
    PetscCall(SoretInputErrorAt(in, node, word->offset, "'%s': a coefficient needs a blank behind it: '%.*s %.*s'", name, (int)digits, word->begin, (int)rest.length, rest.begin));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt i = 0; i < n; i++) {
    names[i] = species[i].name;
    PetscCall(SoretAppend(list, i ? ", " : "", sizeof(list)));
    PetscCall(SoretAppend(list, species[i].name, sizeof(list)));
  }
  PetscCall(SoretInputErrorAt(in, node, word->offset, "'%s' names '%s', which is not a species of this case (%s)%s", node->text, name, list, SoretSuggest(name, n, names).text));
  inside = strpbrk(name, "+*");
  if (inside && inside[1]) PetscCall(SoretInputHint(in, "+ and * are letters of names; terms are separated by blanks, as in '2 A + B'"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- sums ---- */

/* Where the reader of a sum such as "2 A + B" stands. */
typedef struct {
  SoretInput                 in;
  const SoretNode           *node;
  PetscInt                   n;
  const SoretNetworkSpecies *species;
  PetscBool                  integers;    /* side of an equation: whole coefficients, no minus */
  PetscReal                 *weight;      /* [n] added to                                      */
  PetscReal                  sign, factor; /* of the next species                              */
  PetscBool                  want_term, have_factor;
} SumReader;

static PetscBool IsThirdBody(const Word *word)
{
  return WordIs(word, "M") || WordIs(word, "(+M)") ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode RefuseThirdBody(const SumReader *r, const Word *word)
{
  PetscFunctionBegin;
  PetscCall(SoretInputErrorAt(r->in, r->node, word->offset, "third bodies ('%.*s') are not a feature of soret: write the collision partner as a species", (int)word->length, word->begin));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A word where a term is wanted: a coefficient, a sign or a species. */
static PetscErrorCode ReadTerm(SumReader *r, const Word *word, PetscBool *ok)
{
  const PetscInt i = FindSpecies(word, r->n, r->species);

  PetscFunctionBegin;
  *ok = PETSC_TRUE;
  if (!r->have_factor && WordNumber(word, &r->factor)) {
    r->have_factor = PETSC_TRUE;
    if (!r->integers || (r->factor == PetscFloorReal(r->factor) && r->factor >= 1.0 && r->factor <= MAX_FACTORS)) PetscFunctionReturn(PETSC_SUCCESS);
    *ok = PETSC_FALSE;
    PetscCall(SoretInputErrorAt(r->in, r->node, word->offset, "a stoichiometric coefficient must be a whole number from 1 to %d", MAX_FACTORS));
  } else if (!r->integers && !r->have_factor && WordIs(word, "-")) {
    r->sign = -r->sign;
  } else if (i >= 0) {
    r->weight[i] += r->sign * r->factor;
    r->factor      = 1.0;
    r->sign        = 1.0;
    r->have_factor = r->want_term = PETSC_FALSE;
  } else {
    *ok = PETSC_FALSE;
    if (IsThirdBody(word)) PetscCall(RefuseThirdBody(r, word));
    else if (SoretScanSignedNumber(word->begin) == (size_t)word->length) PetscCall(SoretInputErrorAt(r->in, r->node, word->offset, r->have_factor ? "two coefficients before one species" : "'%.*s' is not a coefficient", (int)word->length, word->begin));
    else PetscCall(UnknownSpecies(r->in, r->node, word, r->n, r->species));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A word behind a species: what joins it to the next. */
static PetscErrorCode ReadJoint(SumReader *r, const Word *word, PetscBool *ok)
{
  PetscFunctionBegin;
  *ok = WordIs(word, "+") || (!r->integers && WordIs(word, "-")) ? PETSC_TRUE : PETSC_FALSE;
  if (*ok) {
    r->want_term = PETSC_TRUE;
    r->sign      = WordIs(word, "-") ? -1.0 : 1.0;
  } else if (WordIs(word, "(+M)")) PetscCall(RefuseThirdBody(r, word));
  else PetscCall(SoretInputErrorAt(r->in, r->node, word->offset, "expected '+'%s in '%s'; terms are separated by blanks, as in '2 A + B <=> C'", r->integers ? ", '<=>' or '=>'" : "", r->node->text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Reads "2 A + B" from *position up to an arrow or the end, adding the terms to weight by species index. */
static PetscErrorCode ReadTerms(SoretInput in, const SoretNode *node, PetscInt *position, PetscInt n, const SoretNetworkSpecies species[], PetscBool integers, PetscReal weight[], Word *stop, PetscBool *ok)
{
  SumReader r = {.in = in, .node = node, .n = n, .species = species, .integers = integers, .weight = weight, .sign = 1.0, .factor = 1.0, .want_term = PETSC_TRUE};
  Word      word;

  PetscFunctionBegin;
  *ok          = PETSC_TRUE;
  stop->length = 0;
  while (*ok && NextWord(node->text, position, &word)) {
    if (WordIs(&word, "<=>") || WordIs(&word, "=") || WordIs(&word, "=>")) {
      *stop = word;
      break;
    }
    if (r.want_term) PetscCall(ReadTerm(&r, &word, ok));
    else PetscCall(ReadJoint(&r, &word, ok));
  }
  if (*ok && r.want_term) {
    *ok = PETSC_FALSE;
    PetscCall(SoretInputErrorAt(in, node, stop->length ? stop->offset : 0, "'%s' lacks a species %s", node->text, stop->length ? "before the arrow" : "at its end"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretNetworkReadSum(SoretInput in, const SoretNode *node, PetscInt num_species, const SoretNetworkSpecies species[], PetscReal weight[], PetscBool *ok)
{
  PetscInt position = 0;
  Word     stop;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(weight, num_species));
  if (node->kind != SORET_NODE_SCALAR) {
    *ok = PETSC_FALSE;
    PetscCall(SoretInputError(in, node, "expected a sum of species such as 'A + 2 A2'"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(ReadTerms(in, node, &position, num_species, species, PETSC_FALSE, weight, &stop, ok));
  if (*ok && stop.length) {
    *ok = PETSC_FALSE;
    PetscCall(SoretInputErrorAt(in, node, stop.offset, "a sum of species has no arrow"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretNetworkPrintSum(PetscInt num_species, const SoretNetworkSpecies species[], const PetscReal weight[], size_t length, char text[])
{
  PetscBool first = PETSC_TRUE;

  PetscFunctionBegin;
  text[0] = 0;
  for (PetscInt i = 0; i < num_species; i++) {
    char term[SORET_NAME_LENGTH + 40], number[32] = "";

    if (weight[i] == 0.0) continue;
    if (PetscAbsReal(weight[i]) != 1.0) (void)snprintf(number, sizeof(number), "%g ", (double)PetscAbsReal(weight[i]));
    PetscCall(PetscSNPrintf(term, sizeof(term), "%s%s%s", weight[i] < 0.0 ? (first ? "- " : " - ") : (first ? "" : " + "), number, species[i].name));
    PetscCall(SoretAppend(text, term, length));
    first = PETSC_FALSE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- equations ---- */

static PetscErrorCode MakeFactors(PetscInt n, const PetscReal weight[], SoretFactors *side)
{
  PetscFunctionBegin;
  side->num = 0;
  for (PetscInt i = 0; i < n; i++) side->num += (PetscInt)weight[i];
  PetscCall(PetscMalloc1(side->num, &side->species));
  side->num = 0;
  for (PetscInt i = 0; i < n; i++) {
    for (PetscInt k = 0; k < (PetscInt)weight[i]; k++) side->species[side->num++] = i;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretNetworkReadEquation(SoretInput in, const SoretNode *node, SoretNetwork *net, SoretReaction *reaction, PetscInt nu[], PetscBool *reversible, PetscBool *ok)
{
  const PetscInt n = net->num_species;
  PetscReal      left[SORET_MAX_SPECIES] = {0}, right[SORET_MAX_SPECIES] = {0}, sum[2] = {0, 0};
  PetscInt       position = 0;
  PetscBool      changes  = PETSC_FALSE;
  Word           arrow, end;

  PetscFunctionBegin;
  PetscCall(ReadTerms(in, node, &position, n, net->species, PETSC_TRUE, left, &arrow, ok));
  if (!*ok) PetscFunctionReturn(PETSC_SUCCESS);
  *ok = PETSC_FALSE;
  if (!arrow.length) {
    PetscCall(SoretInputError(in, node, "'%s' has no '<=>', '=' or '=>' with blanks around it", node->text));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  *reversible = WordIs(&arrow, "=>") ? PETSC_FALSE : PETSC_TRUE;
  PetscCall(ReadTerms(in, node, &position, n, net->species, PETSC_TRUE, right, &end, ok));
  if (!*ok) PetscFunctionReturn(PETSC_SUCCESS);
  *ok = PETSC_FALSE;
  if (end.length) {
    PetscCall(SoretInputErrorAt(in, node, end.offset, "'%s' has a second arrow; write each step as a reaction of its own", node->text));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt i = 0; i < n; i++) {
    nu[i] = (PetscInt)right[i] - (PetscInt)left[i];
    sum[0] += left[i];
    sum[1] += right[i];
    if (nu[i]) changes = PETSC_TRUE;
  }
  if (!changes) {
    PetscCall(SoretInputError(in, node, "'%s' changes nothing: both sides are the same", node->text));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (sum[0] > MAX_FACTORS || sum[1] > MAX_FACTORS) {
    PetscCall(SoretInputError(in, node, "'%s' has more than %d molecules on a side", node->text, MAX_FACTORS));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(MakeFactors(n, left, &reaction->reactants));
  PetscCall(MakeFactors(n, right, &reaction->products));
  *ok = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}
