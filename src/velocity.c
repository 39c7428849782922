/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/velocity.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(SoretVelocityLadder, field)
static const SoretKey velocity_keys[] = {
  {"species", SORET_NAME, NULL, SORET_REQUIRED, SORET_ANY, AT(name), "name of the substance; its states are called NAME-1, NAME0, NAME+1"},
  {"count", SORET_INT, NULL, SORET_REQUIRED, SORET_BETWEEN(2, SORET_MAX_SPECIES), AT(count), "number of velocities, equally spaced from -max to max; an odd number has a state at rest"},
  {"max", SORET_REAL, "m/s", SORET_REQUIRED, SORET_POSITIVE, AT(max), "velocity of the fastest state"},
  {"mass", SORET_REAL, "kg/mol", SORET_OPTIONAL, SORET_POSITIVE, AT(mass), "mass m (molar mass in SI, required there; 1 in reduced units)"},
  {"friction", SORET_NODE, "1/s", SORET_REQUIRED, SORET_ANY, AT(friction), "rate gamma at which velocities relax: D = kT/(m gamma) in the limit of many states and fast relaxation", .syntax = "number or formula"},
  {"scheme", SORET_CHOICE, NULL, "bgk", SORET_ANY, AT(scheme), "`bgk`: from every state to every other, at rate gamma times the weight of the new one; `jumps`: Arrhenius jumps between neighbours", .choices = "bgk|jumps"},
  {"weights", SORET_CHOICE, NULL, "moments", SORET_ANY, AT(weights), "bgk: `moments`: Boltzmann factors corrected so that <v^2> = kT/m holds exactly; `boltzmann`: Boltzmann factors of m v^2/2", .choices = "moments|boltzmann"},
  {"axis", SORET_CHOICE, NULL, "x", SORET_ANY, AT(axis), "direction of the velocities", .choices = "x|y|z"},
  {"initial", SORET_NODE, "mol/m^3", SORET_OPTIONAL, SORET_ANY, AT(initial), "initial concentration of all states together, at local thermal equilibrium among them (default 0)", .syntax = "number or formula of x, y, z, T"},
  {.key = NULL}};

PetscErrorCode SoretVelocityReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`velocity_states`", velocity_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the ladder ---- */

void SoretVelocityName(const SoretVelocityLadder *l, PetscInt k, char name[SORET_NAME_LENGTH])
{
  const PetscInt half = l->count / 2, from_middle = k < half ? k - half : l->count % 2 ? k - half : k - half + 1;

  (void)snprintf(name, SORET_NAME_LENGTH, from_middle ? "%.50s%+d" : "%.50s0", l->name, (int)from_middle);
}

/* In units of the largest velocity; exactly opposite in pairs. */
static PetscReal Relative(const SoretVelocityLadder *l, PetscInt k)
{
  return (PetscReal)(2 * k - l->count + 1) / (PetscReal)(l->count - 1);
}

PetscReal SoretVelocityOf(const SoretVelocityLadder *l, PetscInt k)
{
  return l->max * Relative(l, k);
}

static PetscBool IsThree(const SoretVelocityLadder *l)
{
  return l->count == 3 && l->weights == SORET_WEIGHTS_MOMENTS ? PETSC_TRUE : PETSC_FALSE;
}

/* Boltzmann factor of k times the polynomial in v^2 of first degree that makes sum w = 1 and sum w v^2 = kT/m. With s_n = sum u^n e(u),
   u = v/max and q = T/theta that is w = e (s_4 - q s_2 + (q s_0 - s_2) u^2)/(s_0 s_4 - s_2^2). Three velocities have no other weights: q/2
   and 1 - q. */
PetscReal SoretVelocityWeight(const SoretVelocityLadder *l, PetscInt k, PetscReal T)
{
  const PetscReal q = T / l->theta, u = Relative(l, k);
  PetscReal       s0 = 0.0, s2 = 0.0, s4 = 0.0, e;

  if (IsThree(l)) return u == 0.0 ? 1.0 - q : 0.5 * q;
  for (PetscInt j = 0; j < l->count; j++) {
    const PetscReal uu = Relative(l, j) * Relative(l, j);

    e = exp(-0.5 * uu / q);
    s0 += e;
    s2 += uu * e;
    s4 += uu * uu * e;
  }
  e = exp(-0.5 * u * u / q);
  return l->weights == SORET_WEIGHTS_BOLTZMANN ? e / s0 : e * (s4 - q * s2 + (q * s0 - s2) * u * u) / (s0 * s4 - s2 * s2);
}

PetscErrorCode SoretVelocityFriction(SoretInput in, const SoretVelocityLadder *l, const SoretPoint *point, PetscReal *friction)
{
  SoretExpr expr;

  PetscFunctionBegin;
  PetscCall(SoretInputReadFormula(in, l->friction, "1/s", SORET_VAR_ALL, &expr));
  *friction = expr ? SoretExprEvaluate(expr, point) : NAN;
  PetscCall(SoretExprDestroy(&expr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the same as formulas of T ---- */

/* sum over the states of u^power exp(-theta u^2/2 / T); states of opposite velocity are one term. */
static void WriteMoment(FILE *out, const SoretVelocityLadder *l, int power)
{
  const char *plus = "";

  (void)fputs("(", out);
  for (PetscInt k = l->count / 2; k < l->count; k++) {
    const PetscReal u = Relative(l, k), factor = (u == 0.0 ? 1.0 : 2.0) * pow(u, power);

    if (u == 0.0 && power > 0) continue;
    if (u == 0.0) (void)fprintf(out, "%s1", plus);
    else (void)fprintf(out, "%s%.17g*exp(-%.17g/T)", plus, (double)factor, (double)(0.5 * l->theta * u * u));
    plus = " + ";
  }
  (void)fputs(")", out);
}

static void WriteWeight(FILE *out, const SoretVelocityLadder *l, PetscInt k)
{
  const PetscReal u = Relative(l, k);

  if (IsThree(l)) {
    (void)fprintf(out, u == 0.0 ? "(1 - T/%.17g)" : "(T/%.17g)", (double)(u == 0.0 ? l->theta : 2.0 * l->theta));
    return;
  }
  if (u == 0.0) (void)fputs("1", out);
  else (void)fprintf(out, "exp(-%.17g/T)", (double)(0.5 * l->theta * u * u));
  if (l->weights == SORET_WEIGHTS_BOLTZMANN) {
    (void)fputs("/", out);
    WriteMoment(out, l, 0);
    return;
  }
  (void)fputs("*(", out);
  for (PetscInt j = l->count / 2; j < l->count; j++) { /* sum of e_j (u_j^2 - q)(u_j^2 - u^2), which is the same and shorter */
    const PetscReal uu = Relative(l, j) * Relative(l, j), factor = (uu == 0.0 ? 1.0 : 2.0) * (uu - u * u);

    if (factor != 0.0) (void)fprintf(out, "%+.17g*exp(-%.17g/T)*(%.17g - T/%.17g)", (double)factor, (double)(0.5 * l->theta * uu), (double)uu, (double)l->theta);
  }
  (void)fputs(")/(", out);
  WriteMoment(out, l, 0);
  (void)fputs("*", out);
  WriteMoment(out, l, 4);
  (void)fputs(" - ", out);
  WriteMoment(out, l, 2);
  (void)fputs("^2)", out);
}

static void WriteSpecies(FILE *out, const SoretVelocityLadder *l, PetscInt dim, const char *initial)
{
  for (PetscInt k = 0; k < l->count; k++) {
    char name[SORET_NAME_LENGTH], opposite[SORET_NAME_LENGTH];

    SoretVelocityName(l, k, name);
    SoretVelocityName(l, l->count - 1 - k, opposite);
    (void)fprintf(out, "- {name: \"%s\", diffusivity: 0, energy: %.17g, velocity: [", name, (double)(0.5 * l->mass.value * SoretVelocityOf(l, k) * SoretVelocityOf(l, k)));
    for (PetscInt axis = 0; axis < dim; axis++) (void)fprintf(out, "%s%.17g", axis ? ", " : "", axis == l->axis ? (double)SoretVelocityOf(l, k) : 0.0);
    (void)fputs("]", out);
    if (Relative(l, k) != 0.0) (void)fprintf(out, ", mirror: \"%s\"", opposite);
    if (initial) {
      (void)fprintf(out, ", initial: \"(%s)*", initial);
      WriteWeight(out, l, k);
      (void)fputs("\"", out);
    }
    (void)fputs("}\n", out);
  }
}

static void WriteRelaxation(FILE *out, const SoretVelocityLadder *l, const char *friction)
{
  for (PetscInt j = 0; j < l->count; j++) {
    for (PetscInt k = j + 1; k < l->count; k++) {
      char from[SORET_NAME_LENGTH], to[SORET_NAME_LENGTH];

      SoretVelocityName(l, j, from);
      SoretVelocityName(l, k, to);
      (void)fprintf(out, "- {equation: \"%s <=> %s\", forward: \"(%s)*", from, to, friction);
      WriteWeight(out, l, k);
      (void)fprintf(out, "\", backward: \"(%s)*", friction);
      WriteWeight(out, l, j);
      (void)fputs("\"}\n", out);
    }
  }
}

/* Down in energy at rate r, up at rate r exp(-dE/T): a walk in velocity that drifts by -gamma v and spreads by gamma kT/m where steps
   are small, if r = gamma kT/(m step^2). */
static void WriteJumps(FILE *out, const SoretVelocityLadder *l, const char *friction)
{
  const PetscReal step = 2.0 / (PetscReal)(l->count - 1);

  for (PetscInt k = 0; k + 1 < l->count; k++) {
    const PetscReal barrier = 0.5 * l->theta * (Relative(l, k + 1) * Relative(l, k + 1) - Relative(l, k) * Relative(l, k));
    const PetscInt  slow = barrier >= 0.0 ? k : k + 1, fast = barrier >= 0.0 ? k + 1 : k;
    char            from[SORET_NAME_LENGTH], to[SORET_NAME_LENGTH], rate[64];

    SoretVelocityName(l, slow, from);
    SoretVelocityName(l, fast, to);
    (void)snprintf(rate, sizeof(rate), "T/%.17g", (double)(l->theta * step * step));
    (void)fprintf(out, "- {equation: \"%s <=> %s\", forward: \"(%s)*%s*exp(-%.17g/T)\", backward: \"(%s)*%s\"}\n", from, to, friction, rate, (double)PetscAbsReal(barrier), friction, rate);
  }
}

/* ---- reading ---- */

/* A number, quantity or formula as the text of a formula in base units; NULL after a mistake. */
static PetscErrorCode ReadText(SoretInput in, const SoretNode *node, const SoretKey *key, unsigned allowed, PetscBool positive, char **text)
{
  SoretExpr expr = NULL;
  PetscReal value;

  PetscFunctionBegin;
  *text = NULL;
  if (node->kind != SORET_NODE_SCALAR) {
    PetscCall(SoretInputError(in, node, "'%s' of velocity states must be a number or a formula", key->key));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SoretInputReadFormula(in, node, key->unit, allowed, &expr));
  if (!expr) PetscFunctionReturn(PETSC_SUCCESS);
  value = SoretExprUses(expr) ? 1.0 : SoretExprEvaluate(expr, NULL);
  if (value < 0.0 || (positive && value == 0.0)) PetscCall(SoretInputError(in, node, "'%s' must be %s, found %g", key->key, positive ? "positive" : "at least 0", (double)value));
  else PetscCall(PetscStrallocpy(SoretExprText(expr), text));
  PetscCall(SoretExprDestroy(&expr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static const SoretKey *Key(const char *name)
{
  const SoretKey *key = velocity_keys;

  while (key->key && strcmp(key->key, name)) key++;
  return key;
}

/* What the table cannot say. */
static PetscErrorCode CheckLadder(SoretInput in, PetscInt dim, SoretVelocityLadder *l)
{
  const SoretNode *weights = SoretNodeFind(l->node, "weights"), *count = SoretNodeFind(l->node, "count");
  const PetscInt   transitions = l->count * (l->count - 1) / 2;

  PetscFunctionBegin;
  if (!l->mass.given && !SoretInputIsReduced(in)) PetscCall(SoretInputError(in, l->node, "velocity states need the key 'mass', in kg/mol, in SI units"));
  if (!l->mass.given) l->mass.value = 1.0;
  if (l->axis >= dim) PetscCall(SoretInputError(in, SoretNodeFind(l->node, "axis"), "'%c' is not an axis of this case", SORET_AXIS_NAMES[l->axis]));
  if (strlen(l->name) > 50) PetscCall(SoretInputError(in, SoretNodeFind(l->node, "species"), "the name of velocity states has at most 50 letters"));
  if (l->scheme == SORET_JUMPS && weights) PetscCall(SoretInputError(in, weights, "'weights' belongs to `scheme: bgk`; jumps lead to Boltzmann factors"));
  if (l->scheme == SORET_JUMPS) l->weights = SORET_WEIGHTS_BOLTZMANN;
  if (l->count == 2 && l->weights == SORET_WEIGHTS_MOMENTS) PetscCall(SoretInputError(in, count, "two velocities have <v^2> = max^2 at any temperature; use `weights: boltzmann`, or three velocities"));
  if (l->scheme == SORET_BGK && transitions > SORET_MAX_REACTIONS) PetscCall(SoretInputError(in, count, "%" PetscInt_FMT " velocities have %" PetscInt_FMT " transitions by bgk, more than the %d reactions that this build holds; use fewer, or `scheme: jumps`", l->count, transitions, SORET_MAX_REACTIONS));
  l->theta = l->mass.value * l->max * l->max / (SoretInputIsReduced(in) ? 1.0 : SORET_GAS_CONSTANT);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Puts a text made by `write` into the list `key` of the case. */
static PetscErrorCode Add(SoretInput in, const SoretVelocityLadder *l, PetscInt dim, const char *key, const char *formula)
{
  char  *text = NULL;
  size_t size = 0;
  FILE  *out  = open_memstream(&text, &size);

  PetscFunctionBegin;
  PetscCheck(out, PETSC_COMM_SELF, PETSC_ERR_MEM, "no memory for the text of velocity states");
  if (!strcmp(key, "species")) WriteSpecies(out, l, dim, formula);
  else if (l->scheme == SORET_BGK) WriteRelaxation(out, l, formula);
  else WriteJumps(out, l, formula);
  PetscCheck(!fclose(out), PETSC_COMM_SELF, PETSC_ERR_MEM, "no memory for the text of velocity states");
  PetscCall(SoretInputExtend(in, key, text, l->node));
  free(text);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadLadder(SoretInput in, PetscInt dim, const SoretNode *node, SoretVelocityLadder *l)
{
  const PetscInt errors = SoretInputCountErrors(in);
  char          *friction = NULL, *initial = NULL;

  PetscFunctionBegin;
  PetscCall(SoretInputReadMap(in, node, node, "section 'velocity_states'", velocity_keys, l));
  l->node = node;
  if (l->friction) PetscCall(ReadText(in, l->friction, Key("friction"), SORET_VAR_ALL, PETSC_TRUE, &friction));
  if (l->initial) PetscCall(ReadText(in, l->initial, Key("initial"), SORET_VAR_SPACE | SORET_VAR_TEMPERATURE, PETSC_FALSE, &initial));
  if (SoretInputCountErrors(in) == errors) PetscCall(CheckLadder(in, dim, l));
  if (SoretInputCountErrors(in) == errors) {
    PetscCall(Add(in, l, dim, "species", initial));
    PetscCall(Add(in, l, dim, "reactions", friction));
  }
  PetscCall(PetscFree(friction));
  PetscCall(PetscFree(initial));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretVelocityGenerate(SoretInput in, PetscInt dim, SoretVelocity *velocity)
{
  const SoretNode *node = SoretNodeFind(SoretInputRoot(in), "velocity_states");
  const PetscBool  list = node && node->kind == SORET_NODE_LIST ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(velocity, sizeof(*velocity)));
  if (!node || SoretNodeIsNull(node)) PetscFunctionReturn(PETSC_SUCCESS);
  if (list && node->size > SORET_MAX_SPECIES / 2) {
    PetscCall(SoretInputError(in, node, "%" PetscInt_FMT " ladders of velocities have more than the %d species that this build holds", node->size, SORET_MAX_SPECIES));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscCalloc1(list ? node->size + 1 : 1, &velocity->ladder));
  for (PetscInt k = 0; k < (list ? node->size : 1); k++) {
    const PetscInt errors = SoretInputCountErrors(in);

    PetscCall(ReadLadder(in, dim, list ? node->item[k] : node, &velocity->ladder[velocity->num]));
    if (SoretInputCountErrors(in) == errors) velocity->num++;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretVelocityDestroy(SoretVelocity *velocity)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(velocity->ladder));
  velocity->num = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}
