/* SPDX-License-Identifier: BSD-2-Clause */
#include "network_private.h"

#include <math.h>
#include <stddef.h>

#include "soret/rowmath.h"

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
  else if (equation) PetscCall(SoretNetworkReadEquation(in, equation, net, reaction, nu, &reversible, &ok));
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
  PetscInt num;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(net, sizeof(*net)));
  net->num_species            = num_species;
  net->species                = species;
  net->gas                    = SoretInputIsReduced(in) ? 1.0 : SORET_GAS_CONSTANT;
  net->standard_concentration = standard.given ? standard.value : 1.0;
  if (num_species == 0) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SoretInputEntries(in, list, SORET_NODE_LIST, "'reactions' must be a list of maps with the key 'equation'", &num));
  if (num > SORET_MAX_REACTIONS) {
    PetscCall(SoretInputError(in, list, "%" PetscInt_FMT " reactions are more than the %d that this build holds", num, SORET_MAX_REACTIONS));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscCalloc2(num, &net->reaction, num * num_species, &net->stoichiometry));
  net->num_reactions = num;
  for (PetscInt r = 0; r < num; r++) PetscCall(ReadReaction(in, list->item[r], standard, net, r));
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
    for (PetscInt i = 0; i < n; i++) kf[i] = -(reaction->barrier - reaction->energy_reactants) / (net->gas * T[i]);
    SoretExpRow(n, kf);
    for (PetscInt i = 0; i < n; i++) kf[i] *= reaction->prefactor;
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
    for (PetscInt i = 0; i < n; i++) kb[i] = -reaction->energy_change / (net->gas * T[i]);
    SoretExpRow(n, kb);
    for (PetscInt i = 0; i < n; i++) kb[i] = kf[i] / (reaction->degeneracy_ratio * kb[i]);
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

PetscBool SoretNetworkIsFixed(const SoretNetwork *net, PetscInt r, int direction)
{
  const SoretReaction *reaction = &net->reaction[r];
  PetscReal            value;

  if (!direction) return !reaction->has_barrier && SoretLawIsConstant(reaction->forward, &value) ? PETSC_TRUE : PETSC_FALSE;
  return reaction->kind == SORET_BACKWARD_NONE || (reaction->kind == SORET_BACKWARD_LAW && SoretLawIsConstant(reaction->backward, &value)) || SoretNetworkUses(net, r) == 0 ? PETSC_TRUE : PETSC_FALSE;
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

PetscBool SoretNetworkIsOneWay(const SoretNetwork *net, PetscInt r)
{
  const SoretReaction *reaction = &net->reaction[r];
  PetscReal            kf, kb;

  if (SoretNetworkIsOff(net, r)) return PETSC_FALSE;
  if (reaction->kind != SORET_BACKWARD_LAW) return reaction->kind == SORET_BACKWARD_NONE ? PETSC_TRUE : PETSC_FALSE;
  return (SoretLawIsConstant(reaction->forward, &kf) && kf == 0.0) || (SoretLawIsConstant(reaction->backward, &kb) && kb == 0.0) ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool SoretNetworkChanges(const SoretNetwork *net, PetscInt species)
{
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    if (net->stoichiometry[r * net->num_species + species] && !SoretNetworkIsOff(net, r)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* ---- reference ---- */

PetscErrorCode SoretNetworkReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`reactions[]`", reaction_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}
