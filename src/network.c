/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/network.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_FACTORS = 32 };

/* ---- reading equations ---- */

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
  const char *names[SORET_MAX_SPECIES], *nearest;
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
    PetscCall(PetscStrlcat(list, i ? ", " : "", sizeof(list)));
    PetscCall(PetscStrlcat(list, species[i].name, sizeof(list)));
  }
  nearest = SoretNearest(name, n, names);
  PetscCall(SoretInputErrorAt(in, node, word->offset, "'%s' names '%s', which is not a species of this case (%s)%s%s%s", node->text, name, list, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

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

static PetscErrorCode ReadEquation(SoretInput in, const SoretNode *node, SoretNetwork *net, SoretReaction *reaction, PetscInt nu[], PetscBool *reversible, PetscBool *ok)
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
    PetscCall(PetscStrlcat(text, term, length));
    first = PETSC_FALSE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- reading a reaction ---- */

typedef struct {
  const SoretNode *equation, *forward, *backward, *equilibrium, *orders, *duplicate, *efficiencies, *type;
  int              balance, law;
  SoretOptional    prefactor, barrier;
} ReactionSpec;

#define AT(field) offsetof(ReactionSpec, field)
static const SoretKey reaction_keys[] = {
  {"equation", SORET_NODE, NULL, SORET_REQUIRED, SORET_ANY, AT(equation), "Cantera's grammar: terms separated by blanks, `<=>` or `=` reversible, `=>` irreversible", .syntax = "`2 A <=> A2`"},
  {"forward", SORET_NODE, "from the order", SORET_OPTIONAL, SORET_ANY, AT(forward), "rate constant k(T, x, y, z, t) per event: the rate is k prod c, without a factor 1/n!", .syntax = "law of temperature"},
  {"backward", SORET_NODE, "from the order", SORET_OPTIONAL, SORET_ANY, AT(backward), "rate constant of the backward reaction", .syntax = "law of temperature"},
  {"equilibrium", SORET_NODE, "from the orders", SORET_OPTIONAL, SORET_ANY, AT(equilibrium), "K(T) = forward/backward", .syntax = "law of temperature"},
  {"balance", SORET_CHOICE, NULL, "none", SORET_ANY, AT(balance), "`energies`: K = c0^(sum nu) prod degeneracy^nu exp(-sum nu energy/(R T)) with c0 = standard_concentration", .choices = "none|energies"},
  {"law", SORET_CHOICE, NULL, "none", SORET_ANY, AT(law), "`barrier`: forward = prefactor exp(-(barrier - sum of the energies of the reactants)/(R T)), backward = forward/K of `balance: energies`", .choices = "none|barrier"},
  {"prefactor", SORET_REAL, "from the order", SORET_OPTIONAL, SORET_NONNEGATIVE, AT(prefactor), "with `law: barrier`"},
  {"barrier", SORET_REAL, "J/mol", SORET_OPTIONAL, SORET_ANY, AT(barrier), "with `law: barrier`: energy of the transition state, on the scale of the species' energies"},
  {"orders", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(orders), "refused: rates follow mass action", .syntax = "-"},
  {"duplicate", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(duplicate), "refused: not needed, equal equations add up", .syntax = "-"},
  {"efficiencies", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(efficiencies), "refused: there are no third bodies", .syntax = "-"},
  {"type", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(type), "refused: only mass action", .syntax = "-"},
  {.key = NULL}};

/* Unit of a rate constant of order n in SI: (mol/m^3)^(1-n)/s. */
static PetscErrorCode RateUnit(PetscInt order, size_t length, char unit[])
{
  PetscFunctionBegin;
  if (order == 1) PetscCall(PetscStrncpy(unit, "1/s", length));
  else if (order == 2) PetscCall(PetscStrncpy(unit, "m^3/mol/s", length));
  else PetscCall(PetscSNPrintf(unit, length, "m^%" PetscInt_FMT "/mol^%" PetscInt_FMT "/s", 3 * (order - 1), order - 1));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Unit of K = kf/kb: (mol/m^3)^(sum nu). */
static PetscErrorCode EquilibriumUnit(PetscInt sum_nu, size_t length, char unit[])
{
  PetscFunctionBegin;
  if (sum_nu == 0) PetscCall(PetscStrncpy(unit, "1", length));
  else if (sum_nu == 1) PetscCall(PetscStrncpy(unit, "mol/m^3", length));
  else if (sum_nu == -1) PetscCall(PetscStrncpy(unit, "m^3/mol", length));
  else if (sum_nu > 0) PetscCall(PetscSNPrintf(unit, length, "mol^%" PetscInt_FMT "/m^%" PetscInt_FMT, sum_nu, 3 * sum_nu));
  else PetscCall(PetscSNPrintf(unit, length, "m^%" PetscInt_FMT "/mol^%" PetscInt_FMT, -3 * sum_nu, -sum_nu));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode RefuseFeatures(SoretInput in, const ReactionSpec *spec)
{
  PetscFunctionBegin;
  if (spec->orders) PetscCall(SoretInputError(in, spec->orders, "'orders' is not a feature of soret: rates follow mass action, the powers are the stoichiometric coefficients"));
  if (spec->duplicate) PetscCall(SoretInputError(in, spec->duplicate, "'duplicate' is not a feature of soret: reactions with the same equation simply add up, leave the key out"));
  if (spec->efficiencies) PetscCall(SoretInputError(in, spec->efficiencies, "'efficiencies' (third bodies) is not a feature of soret: write the collision partner as a species"));
  if (spec->type) PetscCall(SoretInputError(in, spec->type, "'type' is not a feature of soret: every reaction follows mass action"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* K of `balance: energies`. */
static PetscErrorCode SetEnergies(SoretInput in, const SoretNode *node, SoretNetwork *net, const PetscInt nu[], SoretOptional standard, SoretReaction *reaction)
{
  PetscInt sum_nu = 0;

  PetscFunctionBegin;
  reaction->degeneracy_ratio = 1.0;
  for (PetscInt i = 0; i < net->num_species; i++) {
    if (!nu[i]) continue;
    sum_nu += nu[i];
    if (!net->species[i].energy.given) PetscCall(SoretInputError(in, node, "'%s' is balanced by energies, but species '%s' has no 'energy'", reaction->equation, net->species[i].name));
    reaction->energy_change += nu[i] * net->species[i].energy.value;
    reaction->degeneracy_ratio *= pow(net->species[i].degeneracy, (double)nu[i]);
  }
  if (sum_nu && !standard.given && !SoretInputIsReduced(in)) {
    PetscCall(SoretInputError(in, node, "'%s' changes the number of molecules: `balance: energies` then needs the top-level key 'standard_concentration' (for example 1 mol/L)", reaction->equation));
  } else reaction->degeneracy_ratio *= pow(net->standard_concentration, (double)sum_nu);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadRate(SoretInput in, const SoretNode *node, const char *unit, SoretLaw *law)
{
  const SoretLawUse use = {.unit = unit, .allowed = SORET_VAR_ALL, .positive = PETSC_TRUE};

  PetscFunctionBegin;
  PetscCall(SoretLawRead(in, node, &use, law));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadBarrier(SoretInput in, const SoretNode *node, const ReactionSpec *spec, PetscBool reversible, const PetscInt nu[], const SoretNetwork *net, SoretReaction *reaction)
{
  PetscFunctionBegin;
  if (!reversible) PetscCall(SoretInputError(in, node, "`law: barrier` needs a reversible reaction ('<=>')"));
  if (!spec->prefactor.given || !spec->barrier.given) PetscCall(SoretInputError(in, node, "`law: barrier` needs the keys 'prefactor' and 'barrier'"));
  if (spec->forward || spec->backward || spec->equilibrium) PetscCall(SoretInputError(in, node, "`law: barrier` sets both directions: leave out 'forward', 'backward' and 'equilibrium'"));
  reaction->kind        = SORET_BACKWARD_ENERGIES;
  reaction->has_barrier = PETSC_TRUE;
  reaction->prefactor   = spec->prefactor.value;
  reaction->barrier     = spec->barrier.value;
  for (PetscInt i = 0; i < reaction->reactants.num; i++) {
    const PetscInt             s       = reaction->reactants.species[i];
    const SoretNetworkSpecies *species = &net->species[s];

    /* of the others SetEnergies() tells */
    if (!species->energy.given && !nu[s] && (i == 0 || reaction->reactants.species[i - 1] != s)) PetscCall(SoretInputError(in, node, "'%s' has a barrier, but species '%s' has no 'energy'", reaction->equation, species->name));
    reaction->energy_reactants += species->energy.value;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadConstants(SoretInput in, const SoretNode *node, const ReactionSpec *spec, PetscBool reversible, SoretReaction *reaction)
{
  const PetscInt ways = (spec->backward != NULL) + (spec->equilibrium != NULL) + (spec->balance != 0);
  char           unit[64];

  PetscFunctionBegin;
  if (spec->prefactor.given || spec->barrier.given) PetscCall(SoretInputError(in, node, "'prefactor' and 'barrier' belong to `law: barrier`"));
  if (!spec->forward) {
    PetscCall(SoretInputError(in, node, "reaction '%s' needs the key 'forward'", reaction->equation));
  } else {
    PetscCall(RateUnit(reaction->reactants.num, sizeof(unit), unit));
    PetscCall(ReadRate(in, spec->forward, unit, &reaction->forward));
  }
  if (!reversible) {
    if (ways) PetscCall(SoretInputError(in, node, "'%s' is irreversible ('=>'): it takes 'forward' alone", reaction->equation));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (ways != 1) {
    PetscCall(SoretInputError(in, node, "reversible reaction '%s' needs exactly one of 'backward', 'equilibrium' or `balance: energies`", reaction->equation));
  } else if (spec->backward) {
    reaction->kind = SORET_BACKWARD_LAW;
    PetscCall(RateUnit(reaction->products.num, sizeof(unit), unit));
    PetscCall(ReadRate(in, spec->backward, unit, &reaction->backward));
  } else if (spec->equilibrium) {
    reaction->kind = SORET_BACKWARD_EQUILIBRIUM;
    PetscCall(EquilibriumUnit(reaction->products.num - reaction->reactants.num, sizeof(unit), unit));
    PetscCall(ReadRate(in, spec->equilibrium, unit, &reaction->equilibrium));
  } else reaction->kind = SORET_BACKWARD_ENERGIES;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadReaction(SoretInput in, const SoretNode *node, SoretOptional standard, SoretNetwork *net, PetscInt r)
{
  SoretReaction *reaction   = &net->reaction[r];
  PetscInt      *nu         = &net->stoichiometry[r * net->num_species];
  PetscBool      reversible = PETSC_TRUE, ok = PETSC_FALSE;
  SoretKey       keys[sizeof(reaction_keys) / sizeof(reaction_keys[0])];
  ReactionSpec   spec;
  char           unit[64] = "1/s";
  const SoretNode *equation = SoretNodeFind(node, "equation");

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&spec, sizeof(spec)));
  reaction->node = node;
  PetscCall(PetscStrallocpy(equation && equation->kind == SORET_NODE_SCALAR ? equation->text : "?", &reaction->equation));
  if (equation && equation->kind != SORET_NODE_SCALAR) PetscCall(SoretInputError(in, equation, "expected an equation such as '2 A <=> A2'"));
  else if (equation) PetscCall(ReadEquation(in, equation, net, reaction, nu, &reversible, &ok));
  if (ok) PetscCall(RateUnit(reaction->reactants.num, sizeof(unit), unit));
  PetscCall(PetscMemcpy(keys, reaction_keys, sizeof(keys)));
  for (SoretKey *k = keys; k->key; k++) {
    if (!strcmp(k->key, "prefactor")) k->unit = unit;
  }
  PetscCall(SoretInputReadMap(in, node, node, "a reaction", keys, &spec));
  PetscCall(RefuseFeatures(in, &spec));
  if (!ok) PetscFunctionReturn(PETSC_SUCCESS);
  if (spec.law) PetscCall(ReadBarrier(in, node, &spec, reversible, nu, net, reaction));
  else PetscCall(ReadConstants(in, node, &spec, reversible, reaction));
  if (reaction->kind == SORET_BACKWARD_ENERGIES) PetscCall(SetEnergies(in, node, net, nu, standard, reaction));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretNetworkRead(SoretInput in, const SoretNode *list, PetscInt num_species, const SoretNetworkSpecies species[], SoretOptional standard, SoretNetwork *net)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(net, sizeof(*net)));
  net->num_species            = num_species;
  net->species                = species;
  net->gas                    = SoretInputIsReduced(in) ? 1.0 : SORET_GAS_CONSTANT;
  net->standard_concentration = standard.given ? standard.value : 1.0;
  if (!list || SoretNodeIsNull(list) || num_species == 0) PetscFunctionReturn(PETSC_SUCCESS);
  if (list->kind != SORET_NODE_LIST) {
    PetscCall(SoretInputError(in, list, "'reactions' must be a list of maps with the key 'equation'"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (list->size > SORET_MAX_REACTIONS) {
    PetscCall(SoretInputError(in, list, "%" PetscInt_FMT " reactions are more than the %d that this build holds", list->size, SORET_MAX_REACTIONS));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscCalloc2(list->size, &net->reaction, list->size * num_species, &net->stoichiometry));
  net->num_reactions = list->size;
  for (PetscInt r = 0; r < list->size; r++) PetscCall(ReadReaction(in, list->item[r], standard, net, r));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretNetworkDestroy(SoretNetwork *net)
{
  PetscFunctionBegin;
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    SoretReaction *reaction = &net->reaction[r];

    PetscCall(PetscFree(reaction->equation));
    PetscCall(PetscFree(reaction->reactants.species));
    PetscCall(PetscFree(reaction->products.species));
    PetscCall(SoretLawDestroy(&reaction->forward));
    PetscCall(SoretLawDestroy(&reaction->backward));
    PetscCall(SoretLawDestroy(&reaction->equilibrium));
  }
  PetscCall(PetscFree2(net->reaction, net->stoichiometry));
  PetscCall(PetscMemzero(net, sizeof(*net)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- rate constants ---- */

void SoretNetworkConstantsRow(const SoretNetwork *net, PetscInt r, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], PetscReal kf[], PetscReal kb[])
{
  const SoretReaction *reaction = &net->reaction[r];

  if (reaction->has_barrier) {
    for (PetscInt i = 0; i < n; i++) kf[i] = reaction->prefactor * exp(-(reaction->barrier - reaction->energy_reactants) / (net->gas * T[i]));
  } else SoretLawEvaluateRow(reaction->forward, n, point, x, T, kf);
  switch (reaction->kind) {
  case SORET_BACKWARD_NONE:
    for (PetscInt i = 0; i < n; i++) kb[i] = 0.0;
    break;
  case SORET_BACKWARD_LAW:
    SoretLawEvaluateRow(reaction->backward, n, point, x, T, kb);
    break;
  case SORET_BACKWARD_EQUILIBRIUM:
    SoretLawEvaluateRow(reaction->equilibrium, n, point, x, T, kb);
    for (PetscInt i = 0; i < n; i++) kb[i] = kf[i] / kb[i];
    break;
  case SORET_BACKWARD_ENERGIES:
    for (PetscInt i = 0; i < n; i++) kb[i] = kf[i] / (reaction->degeneracy_ratio * exp(-reaction->energy_change / (net->gas * T[i])));
    break;
  }
}

void SoretNetworkConstants(const SoretNetwork *net, PetscInt r, const SoretPoint *point, PetscReal *kf, PetscReal *kb)
{
  SoretNetworkConstantsRow(net, r, 1, point, &point->x[0], &point->T, kf, kb);
}

/* Derivative of ln(law) by T. */
static PetscReal LogSlope(SoretLaw law, const SoretPoint *point)
{
  return SoretLawDerivative(law, point) / SoretLawEvaluate(law, point);
}

void SoretNetworkLogEquilibrium(const SoretNetwork *net, PetscInt r, const SoretPoint *point, PetscReal *lnK, PetscReal *slope)
{
  const SoretReaction *reaction = &net->reaction[r];
  const PetscReal      RT       = net->gas * point->T;

  switch (reaction->kind) {
  case SORET_BACKWARD_NONE:
    *lnK = INFINITY;
    if (slope) *slope = NAN;
    break;
  case SORET_BACKWARD_LAW:
    *lnK = log(SoretLawEvaluate(reaction->forward, point) / SoretLawEvaluate(reaction->backward, point));
    if (slope) *slope = LogSlope(reaction->forward, point) - LogSlope(reaction->backward, point);
    break;
  case SORET_BACKWARD_EQUILIBRIUM:
    *lnK = log(SoretLawEvaluate(reaction->equilibrium, point));
    if (slope) *slope = LogSlope(reaction->equilibrium, point);
    break;
  case SORET_BACKWARD_ENERGIES:
    *lnK = log(reaction->degeneracy_ratio) - reaction->energy_change / RT;
    if (slope) *slope = reaction->energy_change / (RT * point->T);
    break;
  }
}

unsigned SoretNetworkUses(const SoretNetwork *net, PetscInt r)
{
  const SoretReaction *reaction = &net->reaction[r];
  unsigned             uses     = SoretLawUses(reaction->forward) | SoretLawUses(reaction->backward) | SoretLawUses(reaction->equilibrium);

  if (reaction->has_barrier || reaction->kind == SORET_BACKWARD_ENERGIES) uses |= SORET_VAR_TEMPERATURE;
  return uses;
}

PetscBool SoretNetworkIsOff(const SoretNetwork *net, PetscInt r)
{
  const SoretReaction *reaction = &net->reaction[r];
  PetscReal            kf, kb;

  if (reaction->has_barrier) return reaction->prefactor == 0.0 ? PETSC_TRUE : PETSC_FALSE;
  if (!SoretLawIsConstant(reaction->forward, &kf) || kf != 0.0) return PETSC_FALSE;
  if (reaction->kind != SORET_BACKWARD_LAW) return PETSC_TRUE; /* backward is forward/K */
  return SoretLawIsConstant(reaction->backward, &kb) && kb == 0.0 ? PETSC_TRUE : PETSC_FALSE;
}

/* ---- mass action, for several cells side by side ----

   Loops over the lanes are innermost and independent, so that they vectorise whatever the network. */

/* out = k times the concentrations of a side, without factor `skip` (-1: all). */
static void Product(const SoretFactors *side, PetscInt skip, PetscInt n, const PetscReal *restrict k, const PetscReal *c, PetscReal *restrict out)
{
  const PetscReal *factor[2];
  PetscInt         num = 0;

  for (PetscInt i = 0; i < side->num; i++) {
    if (i == skip) continue;
    if (num < 2) factor[num] = c + side->species[i] * n;
    num++;
  }
  if (num == 0) {
    for (PetscInt l = 0; l < n; l++) out[l] = k[l];
  } else if (num == 1) {
    for (PetscInt l = 0; l < n; l++) out[l] = k[l] * factor[0][l];
  } else {
    for (PetscInt l = 0; l < n; l++) out[l] = k[l] * factor[0][l] * factor[1][l];
  }
  if (num <= 2) return;
  for (PetscInt i = 0, passed = 0; i < side->num; i++) { /* the third factor and those after it */
    const PetscReal *more = c + side->species[i] * n;

    if (i == skip || ++passed <= 2) continue;
    for (PetscInt l = 0; l < n; l++) out[l] *= more[l];
  }
}

static void AddLanes(PetscInt n, PetscReal sign, const PetscReal *restrict x, PetscReal *restrict y)
{
  for (PetscInt l = 0; l < n; l++) y[l] += sign * x[l];
}

static void RatesOf(const SoretReaction *reaction, PetscInt n, const PetscReal *const k[2], const PetscReal c[], PetscReal forward[], PetscReal backward[])
{
  Product(&reaction->reactants, -1, n, k[0], c, forward);
  Product(&reaction->products, -1, n, k[1], c, backward);
}

void SoretNetworkRatesLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscInt pitch, PetscReal rates[])
{
  for (PetscInt r = 0; r < net->num_reactions; r++) RatesOf(&net->reaction[r], n, k + 2 * r, c, rates + 2 * r * pitch, rates + (2 * r + 1) * pitch);
}

void SoretNetworkAddSourceLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscReal s[])
{
  PetscReal forward[SORET_MAX_LANES], backward[SORET_MAX_LANES];

  for (PetscInt r = 0; r < net->num_reactions; r++) {
    const SoretFactors *reactants = &net->reaction[r].reactants, *products = &net->reaction[r].products;

    RatesOf(&net->reaction[r], n, k + 2 * r, c, forward, backward);
    for (PetscInt l = 0; l < n; l++) forward[l] -= backward[l];
    for (PetscInt i = 0; i < reactants->num; i++) AddLanes(n, -1.0, forward, s + reactants->species[i] * n);
    for (PetscInt i = 0; i < products->num; i++) AddLanes(n, 1.0, forward, s + products->species[i] * n);
  }
}

void SoretNetworkAddGrossLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscReal gross[])
{
  PetscReal forward[SORET_MAX_LANES], backward[SORET_MAX_LANES];

  for (PetscInt r = 0; r < net->num_reactions; r++) {
    RatesOf(&net->reaction[r], n, k + 2 * r, c, forward, backward);
    for (PetscInt l = 0; l < n; l++) forward[l] = fabs(forward[l]) + fabs(backward[l]);
    for (PetscInt s = 0; s < net->num_species; s++) {
      const PetscInt nu = PetscAbsInt(net->stoichiometry[r * net->num_species + s]);

      if (nu) AddLanes(n, (PetscReal)nu, forward, gross + s * n);
    }
  }
}

/* Adds the derivative of k prod(side) to the rows of the species that the reaction makes (sign) and uses (-sign). */
static void AddSide(const SoretNetwork *net, const SoretReaction *reaction, const SoretFactors *side, PetscReal sign, PetscInt n, const PetscReal k[], const PetscReal c[], PetscReal block[])
{
  PetscReal gradient[SORET_MAX_LANES];

  for (PetscInt a = 0; a < side->num; a++) { /* product rule: leave out factor a */
    const PetscInt j = side->species[a];

    Product(side, a, n, k, c, gradient);
    for (PetscInt i = 0; i < reaction->reactants.num; i++) AddLanes(n, -sign, gradient, block + (reaction->reactants.species[i] * net->num_species + j) * n);
    for (PetscInt i = 0; i < reaction->products.num; i++) AddLanes(n, sign, gradient, block + (reaction->products.species[i] * net->num_species + j) * n);
  }
}

void SoretNetworkAddJacobianLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscReal block[])
{
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    const SoretReaction *reaction = &net->reaction[r];

    AddSide(net, reaction, &reaction->reactants, 1.0, n, k[2 * r], c, block);
    AddSide(net, reaction, &reaction->products, -1.0, n, k[2 * r + 1], c, block);
  }
}

/* ---- one cell ---- */

static void PointAt(const SoretNetwork *net, const PetscReal k[], const PetscReal *pointer[])
{
  for (PetscInt r = 0; r < 2 * net->num_reactions; r++) pointer[r] = k + r;
}

void SoretNetworkRates(const SoretNetwork *net, PetscInt r, const PetscReal k[], const PetscReal c[], PetscReal *forward, PetscReal *backward)
{
  const PetscReal *const pointer[2] = {k + 2 * r, k + 2 * r + 1};

  RatesOf(&net->reaction[r], 1, pointer, c, forward, backward);
}

void SoretNetworkAddSource(const SoretNetwork *net, const PetscReal k[], const PetscReal c[], PetscReal s[])
{
  const PetscReal *pointer[2 * SORET_MAX_REACTIONS];

  PointAt(net, k, pointer);
  SoretNetworkAddSourceLanes(net, 1, pointer, c, s);
}

void SoretNetworkAddJacobian(const SoretNetwork *net, const PetscReal k[], const PetscReal c[], PetscReal block[])
{
  const PetscReal *pointer[2 * SORET_MAX_REACTIONS];

  PointAt(net, k, pointer);
  SoretNetworkAddJacobianLanes(net, 1, pointer, c, block);
}

/* ---- conserved sums ---- */

enum { MAX_RAYS = 1000 };

/* a x + b y; PETSC_FALSE where 64 bits do not hold it. */
static PetscBool Combine(PetscInt64 a, PetscInt64 x, PetscInt64 b, PetscInt64 y, PetscInt64 *sum)
{
  PetscInt64 ax, by;

  return __builtin_mul_overflow(a, x, &ax) || __builtin_mul_overflow(b, y, &by) || __builtin_add_overflow(ax, by, sum) || *sum == INT64_MIN ? PETSC_FALSE : PETSC_TRUE;
}

static PetscInt64 Gcd(PetscInt64 a, PetscInt64 b)
{
  a = a < 0 ? -a : a;
  b = b < 0 ? -b : b;
  while (b) {
    const PetscInt64 rest = a % b;

    a = b;
    b = rest;
  }
  return a;
}

static void DivideByGcd(PetscInt n, PetscInt64 v[])
{
  PetscInt64 g = 0;

  for (PetscInt i = 0; i < n; i++) g = Gcd(g, v[i]);
  if (g > 1) {
    for (PetscInt i = 0; i < n; i++) v[i] /= g;
  }
}

static PetscInt Support(PetscInt n, const PetscInt64 v[])
{
  PetscInt count = 0;

  for (PetscInt i = 0; i < n; i++) count += v[i] != 0;
  return count;
}

/* Rays of Farkas' algorithm: each carries [matrix w | w]. */
typedef struct {
  PetscInt    rows, width; /* of the matrix; rows + number of weights */
  PetscInt    num;
  PetscInt64 *entry;       /* [MAX_RAYS][width] */
} Rays;

static PetscInt64 *Ray(const Rays *rays, PetscInt i)
{
  return rays->entry + (size_t)i * rays->width;
}

/* Is the ray behind the last one minimal: does its support contain that of no other one that vanishes in row r? Of the first `before` not
   all do, of the others all. */
static PetscBool IsMinimal(const Rays *rays, PetscInt r, PetscInt before)
{
  const PetscInt64 *v = Ray(rays, rays->num);

  for (PetscInt l = 0; l < rays->num; l++) {
    const PetscInt64 *other  = Ray(rays, l);
    PetscBool         inside = PETSC_TRUE;

    if (l < before && other[r]) continue;
    for (PetscInt k = rays->rows; k < rays->width && inside; k++) inside = (!other[k] || v[k]) ? PETSC_TRUE : PETSC_FALSE;
    if (inside) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Appends the combination of two rays of opposite sign in row r that vanishes there, if its support contains no other ray's. PETSC_FALSE
   where there is no room for it, or in 64 bits none for its numbers. */
static PetscBool AppendCombination(Rays *rays, PetscInt r, PetscInt before, PetscInt i, PetscInt j)
{
  const PetscInt64 *x = Ray(rays, i), *y = Ray(rays, j), p = x[r] < 0 ? -x[r] : x[r], q = y[r] < 0 ? -y[r] : y[r];
  PetscInt64       *v = Ray(rays, rays->num);

  if (rays->num == MAX_RAYS) return PETSC_FALSE;
  for (PetscInt k = 0; k < rays->width; k++) {
    if (!Combine(p, y[k], q, x[k], &v[k])) return PETSC_FALSE;
  }
  DivideByGcd(rays->width, v);
  if (IsMinimal(rays, r, before)) rays->num++;
  return PETSC_TRUE;
}

/* Makes all rays vanish in row r: by combining them, and dropping those that do not. */
static PetscErrorCode Eliminate(Rays *rays, PetscInt r, PetscBool *possible)
{
  const PetscInt before = rays->num;
  PetscInt       kept   = 0;

  PetscFunctionBegin;
  *possible = PETSC_TRUE;
  for (PetscInt i = 0; i < before && *possible; i++) {
    for (PetscInt j = i + 1; j < before && *possible; j++) {
      const PetscInt64 p = Ray(rays, i)[r], q = Ray(rays, j)[r];

      if ((p < 0 && q > 0) || (p > 0 && q < 0)) *possible = AppendCombination(rays, r, before, i, j);
    }
  }
  for (PetscInt i = 0; i < rays->num; i++) {
    if (Ray(rays, i)[r]) continue;
    if (kept != i) PetscCall(PetscArraycpy(Ray(rays, kept), Ray(rays, i), rays->width));
    kept++;
  }
  rays->num = kept;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Farkas' algorithm, row by row of the matrix. Gives up (num = 0) when there are too many rays, or their numbers too long. */
static PetscErrorCode NonnegativeRays(PetscInt rows, PetscInt cols, const PetscInt matrix[], PetscInt *num, PetscInt64 **rays)
{
  Rays      all      = {.rows = rows, .width = rows + cols, .num = cols};
  PetscBool possible = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)MAX_RAYS * all.width, &all.entry));
  for (PetscInt i = 0; i < cols; i++) {
    for (PetscInt r = 0; r < rows; r++) Ray(&all, i)[r] = matrix[r * cols + i];
    Ray(&all, i)[rows + i] = 1;
  }
  for (PetscInt r = 0; r < rows && possible; r++) PetscCall(Eliminate(&all, r, &possible));
  *num = possible ? all.num : 0;
  PetscCall(PetscMalloc1((size_t)PetscMax(*num, 1) * cols, rays));
  for (PetscInt i = 0; i < *num; i++) PetscCall(PetscArraycpy(*rays + i * cols, Ray(&all, i) + rows, cols));
  PetscCall(PetscFree(all.entry));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is v independent of the rows that are in the echelon basis? Adds it if so. basis - [][cols], pivot - [] column of each. */
static PetscBool AddIndependent(PetscInt cols, PetscReal basis[], PetscInt pivot[], PetscInt *n, const PetscReal v[])
{
  PetscReal *row = basis + *n * cols, largest = 0.0, scale = 0.0;

  for (PetscInt i = 0; i < cols; i++) {
    row[i] = v[i];
    scale  = PetscMax(scale, PetscAbsReal(v[i]));
  }
  for (PetscInt b = 0; b < *n; b++) {
    const PetscReal factor = row[pivot[b]] / basis[b * cols + pivot[b]];

    for (PetscInt i = 0; i < cols; i++) row[i] -= factor * basis[b * cols + i];
  }
  for (PetscInt i = 0; i < cols; i++) {
    if (PetscAbsReal(row[i]) > largest) {
      largest   = PetscAbsReal(row[i]);
      pivot[*n] = i;
    }
  }
  if (largest <= 1.0e-9 * scale) return PETSC_FALSE;
  (*n)++;
  return PETSC_TRUE;
}

/* A matrix after the elimination of the columns of its pivots. */
typedef struct {
  PetscReal *m;            /* [rows][cols] */
  PetscInt   rank;
  PetscInt  *pivot_of_row; /* [rank]       */
  PetscBool *is_pivot;     /* [cols]       */
} Reduced;

static void SwapRows(size_t size, char *a, char *b)
{
  for (size_t i = 0; i < size && a != b; i++) {
    const char swap = a[i];

    a[i] = b[i];
    b[i] = swap;
  }
}

/* Exact elimination of m[rows][cols]; PETSC_FALSE where the numbers become too long. */
static PetscBool ReduceExactly(PetscInt rows, PetscInt cols, PetscInt64 m[], Reduced *reduced)
{
  reduced->rank = 0;
  for (PetscInt c = 0; c < cols && reduced->rank < rows; c++) {
    PetscInt64 *const top = m + reduced->rank * cols;
    PetscInt          p   = reduced->rank;

    while (p < rows && !m[p * cols + c]) p++;
    if (p == rows) continue;
    SwapRows((size_t)cols * sizeof(*m), (char *)(m + p * cols), (char *)top);
    for (PetscInt r = 0; r < rows; r++) {
      const PetscInt64 b = m[r * cols + c];

      if (r == reduced->rank || !b) continue;
      for (PetscInt k = 0; k < cols; k++) {
        if (!Combine(top[c], m[r * cols + k], -b, top[k], &m[r * cols + k])) return PETSC_FALSE;
      }
      DivideByGcd(cols, m + r * cols);
    }
    reduced->is_pivot[c]                   = PETSC_TRUE;
    reduced->pivot_of_row[reduced->rank++] = c;
  }
  for (PetscInt i = 0; i < rows * cols; i++) reduced->m[i] = (PetscReal)m[i];
  return PETSC_TRUE;
}

/* The same of reduced->m in floating point, with the largest entry of a column as its pivot. */
static void ReduceNumerically(PetscInt rows, PetscInt cols, Reduced *reduced)
{
  PetscReal *const m = reduced->m;

  reduced->rank = 0;
  for (PetscInt c = 0; c < cols && reduced->rank < rows; c++) {
    PetscReal *const top = m + reduced->rank * cols;
    PetscInt         p   = reduced->rank;

    for (PetscInt r = p + 1; r < rows; r++) {
      if (PetscAbsReal(m[r * cols + c]) > PetscAbsReal(m[p * cols + c])) p = r;
    }
    if (PetscAbsReal(m[p * cols + c]) < 1.0e-10) {
      for (PetscInt r = reduced->rank; r < rows; r++) m[r * cols + c] = 0.0;
      continue;
    }
    SwapRows((size_t)cols * sizeof(*m), (char *)(m + p * cols), (char *)top);
    for (PetscInt r = 0; r < rows; r++) {
      const PetscReal factor = m[r * cols + c] / top[c];

      if (r == reduced->rank || factor == 0.0) continue;
      for (PetscInt k = 0; k < cols; k++) m[r * cols + k] -= factor * top[k];
      m[r * cols + c] = 0.0;
    }
    reduced->is_pivot[c]                   = PETSC_TRUE;
    reduced->pivot_of_row[reduced->rank++] = c;
  }
}

/* A basis of the null space by elimination: one vector for each column without pivot. */
static PetscErrorCode EliminationBasis(PetscInt rows, PetscInt cols, const PetscInt matrix[], PetscInt *num, PetscReal **w)
{
  PetscInt64 *exact;
  Reduced     reduced;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4((size_t)rows * cols + 1, &exact, (size_t)rows * cols + 1, &reduced.m, rows + 1, &reduced.pivot_of_row, cols, &reduced.is_pivot));
  PetscCall(PetscArrayzero(reduced.is_pivot, cols));
  for (PetscInt i = 0; i < rows * cols; i++) exact[i] = matrix[i];
  if (!ReduceExactly(rows, cols, exact, &reduced)) {
    PetscCall(PetscArrayzero(reduced.is_pivot, cols));
    for (PetscInt i = 0; i < rows * cols; i++) reduced.m[i] = (PetscReal)matrix[i];
    ReduceNumerically(rows, cols, &reduced);
  }
  *num = cols - reduced.rank;
  PetscCall(PetscCalloc1((size_t)PetscMax(*num, 1) * cols, w));
  for (PetscInt c = 0, n = 0; c < cols; c++) {
    PetscReal *v = *w + n * cols;

    if (reduced.is_pivot[c]) continue;
    v[c] = 1.0;
    for (PetscInt r = 0; r < reduced.rank; r++) {
      const PetscReal weight = -reduced.m[r * cols + c] / reduced.m[r * cols + reduced.pivot_of_row[r]];

      v[reduced.pivot_of_row[r]] = PetscAbsReal(weight) < 1.0e-12 ? 0.0 : weight; /* rounding */
    }
    n++;
  }
  PetscCall(PetscFree4(exact, reduced.m, reduced.pivot_of_row, reduced.is_pivot));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretNullVectors(PetscInt rows, PetscInt cols, const PetscInt matrix[], PetscInt *num, PetscReal *w[])
{
  PetscInt    num_rays = 0, found = 0, dimension = 0, *pivot;
  PetscInt64 *rays;
  PetscReal  *eliminated, *basis, *v;

  PetscFunctionBegin;
  PetscCall(NonnegativeRays(rows, cols, matrix, &num_rays, &rays));
  PetscCall(EliminationBasis(rows, cols, matrix, &dimension, &eliminated));
  PetscCall(PetscMalloc3((size_t)(cols + 1) * cols, &basis, cols + 1, &pivot, cols, &v));
  PetscCall(PetscCalloc1((size_t)PetscMax(dimension, 1) * cols, w));
  for (PetscInt support = 1; support <= cols; support++) {
    for (PetscInt i = 0; i < num_rays; i++) {
      if (Support(cols, rays + i * cols) != support) continue;
      for (PetscInt k = 0; k < cols; k++) v[k] = (PetscReal)rays[i * cols + k];
      if (found < dimension && AddIndependent(cols, basis, pivot, &found, v)) PetscCall(PetscArraycpy(*w + (found - 1) * cols, v, cols));
    }
  }
  for (PetscInt i = 0; i < dimension; i++) {
    if (found < dimension && AddIndependent(cols, basis, pivot, &found, eliminated + i * cols)) PetscCall(PetscArraycpy(*w + (found - 1) * cols, eliminated + i * cols, cols));
  }
  *num = found;
  PetscCall(PetscFree3(basis, pivot, v));
  PetscCall(PetscFree(rays));
  PetscCall(PetscFree(eliminated));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretNetworkReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`reactions[]`", reaction_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}
