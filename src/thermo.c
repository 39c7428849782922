/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/thermo.h"

#include "soret/dense.h"
#include "soret/rowmath.h"

#include <math.h>

/* ---- independent reactions and cycles ---- */

/* Gram-Schmidt on the stoichiometry of the active reactions: a new direction becomes a row of `basis`, anything else closes a cycle with the
   independent reactions before it. share - [rank] components along the basis; PETSC_TRUE if the reaction is independent. */
static PetscBool Project(SoretThermo *thermo, PetscInt r, PetscReal share[])
{
  const PetscInt ns = thermo->model->num_species, *nu = thermo->model->network.stoichiometry + r * ns;
  PetscReal     *rest = thermo->basis + thermo->rank * ns, norm = 0.0, left = 0.0;

  for (PetscInt i = 0; i < ns; i++) {
    rest[i] = (PetscReal)nu[i];
    norm += rest[i] * rest[i];
  }
  for (PetscInt k = 0; k < thermo->rank; k++) share[k] = 0.0;
  for (int twice = 0; twice < 2; twice++) {
    for (PetscInt k = 0; k < thermo->rank; k++) {
      PetscReal dot = 0.0;

      for (PetscInt i = 0; i < ns; i++) dot += thermo->basis[k * ns + i] * rest[i];
      for (PetscInt i = 0; i < ns; i++) rest[i] -= dot * thermo->basis[k * ns + i];
      share[k] += dot;
    }
  }
  for (PetscInt i = 0; i < ns; i++) left += rest[i] * rest[i];
  if (left <= 1.0e-18 * norm) return PETSC_FALSE;
  share[thermo->rank] = sqrt(left);
  for (PetscInt i = 0; i < ns; i++) rest[i] /= share[thermo->rank];
  return PETSC_TRUE;
}

/* Cycle of a dependent reaction: itself minus the independent ones that make up its stoichiometry, by back substitution. */
static void AddCycle(SoretThermo *thermo, PetscInt r, PetscReal share[])
{
  const PetscInt nr = thermo->model->network.num_reactions, most = thermo->model->num_species;
  PetscReal     *cycle = thermo->cycle + thermo->num_cycles * nr;

  cycle[r] = 1.0;
  for (PetscInt k = thermo->rank - 1; k >= 0; k--) {
    const PetscReal *row = thermo->lower + k * most, a = share[k] / row[k], whole = round(a);

    for (PetscInt l = 0; l <= k; l++) share[l] -= a * row[l];
    cycle[thermo->independent[k]] = PetscAbsReal(a - whole) < 1.0e-9 ? -whole : -a;
  }
  thermo->num_cycles++;
}

PetscErrorCode SoretThermoCreate(const SoretModel *model, PetscInt num_sums, const PetscReal w[], SoretThermo *thermo)
{
  const PetscInt ns = model->num_species, nr = model->network.num_reactions;
  PetscReal      share[SORET_MAX_SPECIES + 1];

  PetscFunctionBegin;
  PetscCall(PetscMemzero(thermo, sizeof(*thermo)));
  thermo->model        = model;
  thermo->num_sums     = num_sums;
  thermo->w            = w;
  thermo->irreversible = thermo->broken = -1;
  PetscCall(PetscCalloc5(ns, &thermo->independent, (ns + 1) * ns, &thermo->basis, ns * ns, &thermo->lower, nr * nr, &thermo->cycle, ns, &thermo->ln_weight));
  thermo->ballistic = SoretModelHasBallistic(model);
  for (PetscInt i = 0; i < ns; i++) thermo->ln_weight[i] = log(model->species[i].degeneracy * model->network.standard_concentration);
  for (PetscInt r = 0; r < nr; r++) {
    if (SoretNetworkIsOff(&model->network, r)) continue;
    if (SoretNetworkIsOneWay(&model->network, r) && thermo->irreversible < 0) thermo->irreversible = r;
    if (!Project(thermo, r, share)) {
      AddCycle(thermo, r, share);
      continue;
    }
    PetscCall(PetscArraycpy(thermo->lower + thermo->rank * ns, share, thermo->rank + 1));
    thermo->independent[thermo->rank++] = r;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretThermoDestroy(SoretThermo *thermo)
{
  PetscFunctionBegin;
  PetscCall(PetscFree5(thermo->independent, thermo->basis, thermo->lower, thermo->cycle, thermo->ln_weight));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretThermoCycleName(const SoretThermo *thermo, PetscInt c, size_t length, char name[])
{
  const SoretNetwork *net   = &thermo->model->network;
  const PetscReal    *cycle = thermo->cycle + c * net->num_reactions;
  PetscBool           first = PETSC_TRUE;

  PetscFunctionBegin;
  name[0] = 0;
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    char factor[32] = "";

    if (cycle[r] == 0.0) continue;
    if (PetscAbsReal(cycle[r]) != 1.0) (void)snprintf(factor, sizeof(factor), "%g ", (double)PetscAbsReal(cycle[r]));
    PetscCall(SoretAppend(name, cycle[r] < 0.0 ? (first ? "- " : " - ") : (first ? "" : " + "), length));
    PetscCall(SoretAppend(name, factor, length));
    PetscCall(SoretAppend(name, "(", length));
    PetscCall(SoretAppend(name, net->reaction[r].equation, length));
    PetscCall(SoretAppend(name, ")", length));
    first = PETSC_FALSE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- judging ---- */

/* Affinities of all cycles at a point; the largest is remembered. */
static void JudgeAt(SoretThermo *thermo, const SoretPoint *point)
{
  const SoretNetwork *net = &thermo->model->network;

  for (PetscInt c = 0; c < thermo->num_cycles; c++) {
    const PetscReal *cycle    = thermo->cycle + c * net->num_reactions;
    PetscReal        affinity = 0.0, size = 1.0;

    for (PetscInt r = 0; r < net->num_reactions; r++) {
      PetscReal lnK;

      if (cycle[r] == 0.0) continue;
      SoretNetworkLogEquilibrium(net, r, point, &lnK, NULL);
      affinity += cycle[r] * lnK;
      size += PetscAbsReal(cycle[r] * lnK);
    }
    if (isnan(affinity) || (isfinite(affinity) && PetscAbsReal(affinity) <= 1.0e-9 * size)) continue; /* infinite where a constant is 0 here */
    thermo->balanced = PETSC_FALSE;
    if (thermo->broken >= 0 && PetscAbsReal(affinity) <= PetscAbsReal(thermo->affinity)) continue;
    thermo->broken     = c;
    thermo->affinity   = affinity;
    thermo->affinity_T = point->T;
  }
}

/* Does every active reaction turn one molecule into one? */
static PetscBool IsLinear(const SoretNetwork *net)
{
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    if (!SoretNetworkIsOff(net, r) && (net->reaction[r].reactants.num != 1 || net->reaction[r].products.num != 1)) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

PetscErrorCode SoretThermoJudge(SoretThermo *thermo, PetscReal T_min, PetscReal T_max, PetscInt n, const SoretPoint place[])
{
  enum { STEPS = 32 };

  PetscFunctionBegin;
  thermo->balanced = thermo->irreversible < 0 ? PETSC_TRUE : PETSC_FALSE;
  thermo->broken   = -1;
  for (PetscInt p = 0; thermo->balanced && p < n; p++) {
    for (int step = 0; step <= STEPS; step++) {
      SoretPoint point = place[p];

      point.T = T_min + (T_max - T_min) * step / STEPS;
      JudgeAt(thermo, &point);
    }
  }
  thermo->rest = thermo->ballistic ? SORET_REST_UNKNOWN : thermo->balanced                ? SORET_REST_BALANCED
                                                      : IsLinear(&thermo->model->network) ? SORET_REST_LINEAR
                                                                                          : SORET_REST_UNKNOWN;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- potentials ---- */

/* mu and, if wanted, dmu/dT as far as the energies tell. */
static void EnergyPotentials(const SoretThermo *thermo, PetscReal T, PetscReal mu[], PetscReal slope[])
{
  const SoretModel *model = thermo->model;
  const PetscReal   RT    = model->network.gas * T;

  for (PetscInt i = 0; i < model->num_species; i++) {
    const SoretSpecies *s = &model->species[i];

    mu[i] = s->energy.given ? s->energy.value / RT - thermo->ln_weight[i] : 0.0;
    if (slope) slope[i] = s->energy.given ? -s->energy.value / (RT * T) : 0.0;
  }
}

/* Smallest change of x so that nu_r x = -value_j for the independent reactions r: forward substitution along the basis. */
static void Correct(const SoretThermo *thermo, const PetscReal value[], PetscReal x[])
{
  const PetscInt ns = thermo->model->num_species;
  PetscReal      along[SORET_MAX_SPECIES];

  for (PetscInt j = 0; j < thermo->rank; j++) {
    const PetscInt *nu = thermo->model->network.stoichiometry + thermo->independent[j] * ns;
    PetscReal       d  = -value[j];

    along[j] = 0.0;
    if (thermo->model->network.reaction[thermo->independent[j]].kind != SORET_BACKWARD_ENERGIES) {
      for (PetscInt i = 0; i < ns; i++) d -= nu[i] * x[i];
    } else
      d = 0.0; /* exact already */
    for (PetscInt k = 0; k < j; k++) d -= thermo->lower[j * ns + k] * along[k];
    along[j] = d / thermo->lower[j * ns + j];
  }
  for (PetscInt j = 0; j < thermo->rank; j++) {
    if (along[j] == 0.0) continue;
    for (PetscInt i = 0; i < ns; i++) x[i] += along[j] * thermo->basis[j * ns + i];
  }
}

/* K of a reaction, which its rate constants tell but where they are 0; 1 where the energies of the species tell it. */
static void EquilibriumRow(const SoretReaction *reaction, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], const PetscReal forward[], const PetscReal backward[], PetscReal K[])
{
  PetscBool rests = PETSC_FALSE;

  for (PetscInt i = 0; i < n; i++) {
    K[i]  = reaction->kind == SORET_BACKWARD_ENERGIES ? 1.0 : forward[i] / backward[i];
    rests = rests || isnan(K[i]) ? PETSC_TRUE : PETSC_FALSE;
  }
  if (rests && reaction->kind == SORET_BACKWARD_EQUILIBRIUM) SoretLawEvaluateRow(reaction->equilibrium, n, point, x, T, K);
}

void SoretThermoPotentials(const SoretThermo *thermo, PetscInt n, const SoretPoint *point, const PetscReal x[], const PetscReal T[], const PetscReal *const k[], PetscReal mu[])
{
  const SoretReaction *reaction = thermo->model->network.reaction;
  PetscReal            lnK[SORET_MAX_SPECIES * SORET_MAX_LANES];

  for (PetscInt j = 0; j < thermo->rank; j++) {
    const PetscInt r = thermo->independent[j];

    EquilibriumRow(&reaction[r], n, point, x, T, k[2 * r], k[2 * r + 1], lnK + j * n);
  }
  SoretLogRow(thermo->rank * n, lnK);
  for (PetscInt i = 0; i < n; i++) {
    PetscReal here[SORET_MAX_SPECIES];

    for (PetscInt j = 0; j < thermo->rank; j++) here[j] = lnK[j * n + i];
    EnergyPotentials(thermo, T[i], mu + i * thermo->model->num_species, NULL);
    Correct(thermo, here, mu + i * thermo->model->num_species);
  }
}

void SoretThermoPotentialsAt(const SoretThermo *thermo, const SoretPoint *point, PetscReal mu[], PetscReal slope[])
{
  PetscReal lnK[SORET_MAX_SPECIES], dlnK[SORET_MAX_SPECIES];

  EnergyPotentials(thermo, point->T, mu, slope);
  for (PetscInt j = 0; j < thermo->rank; j++) SoretNetworkLogEquilibrium(&thermo->model->network, thermo->independent[j], point, &lnK[j], &dlnK[j]);
  Correct(thermo, lnK, mu);
  Correct(thermo, dlnK, slope);
}

/* ---- small systems ---- */

/* Solves a x = x (right side in x) after scaling the rows; a is destroyed. PETSC_FALSE if singular. */
static PetscBool SolveScaled(PetscInt n, PetscReal *a, PetscReal x[])
{
  for (PetscInt i = 0; i < n; i++) {
    PetscReal largest = 0.0;

    for (PetscInt j = 0; j < n; j++) largest = PetscMax(largest, PetscAbsReal(a[i * n + j]));
    if (!(largest > 0.0) || !isfinite(largest)) return PETSC_FALSE;
    for (PetscInt j = 0; j < n; j++) a[i * n + j] /= largest;
    x[i] /= largest;
  }
  return SoretSolveDense(n, a, x);
}

/* ---- local equilibrium ----

   c_i = exp(sum_m w_mi lambda_m - mu_i) balances every reaction for any lambda; the amounts fix lambda as the minimum of the convex
   function G = sum_i c_i - sum_m lambda_m total_m (docs/theory.md). Newton's method with a step limit and a line search on G finds it from any start. */

typedef struct {
  const SoretThermo *thermo;
  const PetscReal   *mu, *total;
} Balance;

static PetscReal Fill(const Balance *b, const PetscReal lambda[], PetscReal c[])
{
  const SoretThermo *thermo = b->thermo;
  const PetscInt     ns     = thermo->model->num_species;
  PetscReal          G      = 0.0;

  for (PetscInt i = 0; i < ns; i++) {
    PetscReal ln = -b->mu[i];

    for (PetscInt m = 0; m < thermo->num_sums; m++) ln += thermo->w[m * ns + i] * lambda[m];
    c[i] = exp(ln);
    G += c[i];
  }
  for (PetscInt m = 0; m < thermo->num_sums; m++) G -= lambda[m] * b->total[m];
  return G;
}

/* matrix = sum_i w_mi w_ni weight_i; most species are in a few of many sums */
static void Moments(const SoretThermo *thermo, const PetscReal weight[], PetscReal matrix[])
{
  const PetscInt ns = thermo->model->num_species, n = thermo->num_sums;

  for (PetscInt k = 0; k < n * n; k++) matrix[k] = 0.0;
  for (PetscInt i = 0; i < ns; i++) {
    for (PetscInt p = 0; p < n; p++) {
      if (thermo->w[p * ns + i] == 0.0) continue;
      for (PetscInt q = 0; q < n; q++) matrix[p * n + q] += thermo->w[p * ns + i] * thermo->w[q * ns + i] * weight[i];
    }
  }
}

/* Newton step for lambda; *change is the largest change of ln c, *error the largest mismatch of a total relative to its members. */
static PetscBool NewtonStep(const Balance *b, const PetscReal c[], PetscReal matrix[], PetscReal step[], PetscReal *change, PetscReal *error)
{
  const SoretThermo *thermo = b->thermo;
  const PetscInt     ns     = thermo->model->num_species;

  *change = *error = 0.0;
  for (PetscInt m = 0; m < thermo->num_sums; m++) {
    PetscReal scale = PetscAbsReal(b->total[m]);

    step[m] = b->total[m];
    for (PetscInt i = 0; i < ns; i++) {
      step[m] -= thermo->w[m * ns + i] * c[i];
      scale += PetscAbsReal(thermo->w[m * ns + i]) * c[i];
    }
    if (scale > 0.0) *error = PetscMax(*error, PetscAbsReal(step[m]) / scale);
  }
  Moments(thermo, c, matrix);
  if (!SolveScaled(thermo->num_sums, matrix, step)) return PETSC_FALSE;
  for (PetscInt i = 0; i < ns; i++) {
    PetscReal ln = 0.0;

    for (PetscInt m = 0; m < thermo->num_sums; m++) ln += thermo->w[m * ns + i] * step[m];
    *change = PetscMax(*change, PetscAbsReal(ln));
  }
  return PETSC_TRUE;
}

/* lambda that comes nearest to the guess, weighted by amounts; all species alike where there is no guess. */
static PetscBool FirstLambda(const Balance *b, const PetscReal guess[], PetscReal matrix[], PetscReal lambda[])
{
  const SoretThermo *thermo = b->thermo;
  const PetscInt     ns     = thermo->model->num_species;
  PetscReal          weight[SORET_MAX_SPECIES], ln[SORET_MAX_SPECIES], most = 0.0, amount = 0.0;

  for (PetscInt m = 0; m < thermo->num_sums; m++) amount = PetscMax(amount, PetscAbsReal(b->total[m]));
  for (PetscInt i = 0; i < ns; i++) most = PetscMax(most, guess[i]);
  if (most > 0.0) amount = most;
  for (PetscInt i = 0; i < ns; i++) {
    const PetscReal c = most > 0.0 ? PetscMax(guess[i], 1.0e-12 * most) : amount;

    weight[i] = c / amount;
    ln[i]     = log(c) + b->mu[i];
  }
  for (PetscInt m = 0; m < thermo->num_sums; m++) {
    lambda[m] = 0.0;
    for (PetscInt i = 0; i < ns; i++) lambda[m] += thermo->w[m * ns + i] * weight[i] * ln[i];
  }
  Moments(thermo, weight, matrix);
  return SolveScaled(thermo->num_sums, matrix, lambda);
}

/* Amounts of sums without negative weights must be positive. */
static PetscBool TotalsArePositive(const SoretThermo *thermo, const PetscReal total[])
{
  const PetscInt ns = thermo->model->num_species;

  for (PetscInt m = 0; m < thermo->num_sums; m++) {
    PetscBool positive = PETSC_TRUE;

    for (PetscInt i = 0; i < ns; i++) positive = positive && thermo->w[m * ns + i] >= 0.0 ? PETSC_TRUE : PETSC_FALSE;
    if (positive && !(total[m] > 0.0)) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

static PetscBool LocalEquilibrium(const SoretThermo *thermo, const PetscReal mu[], const PetscReal total[], PetscReal c[])
{
  const PetscInt  ns = thermo->model->num_species, n = thermo->num_sums;
  const Balance   b       = {thermo, mu, total};
  const PetscReal longest = 3.0; /* of ln c in one step */
  PetscReal       lambda[SORET_MAX_SPECIES], step[SORET_MAX_SPECIES], trial[SORET_MAX_SPECIES], matrix[SORET_MAX_SPECIES * SORET_MAX_SPECIES], G;

  for (PetscInt i = 0; i < ns; i++) {
    if (!isfinite(mu[i])) return PETSC_FALSE;
    if (!(c[i] >= 0.0) || !isfinite(c[i])) c[i] = 0.0; /* left over from a failure */
  }
  if (!TotalsArePositive(thermo, total) || !FirstLambda(&b, c, matrix, lambda)) return PETSC_FALSE;
  G = Fill(&b, lambda, c);
  for (int iteration = 0; iteration < 1000; iteration++) {
    PetscReal change, error, factor = 1.0, slope = 0.0;

    if (!isfinite(G) || !NewtonStep(&b, c, matrix, step, &change, &error)) return PETSC_FALSE;
    if (error <= 4.0e-16 * (PetscReal)ns || (change <= 1.0e-14 && error <= 1.0e-12)) return PETSC_TRUE;
    if (change > longest) factor = longest / change;
    for (PetscInt m = 0; m < n; m++) { /* slope of G along the step */
      PetscReal gradient = -total[m];

      for (PetscInt i = 0; i < ns; i++) gradient += thermo->w[m * ns + i] * c[i];
      slope += gradient * step[m];
    }
    for (int half = 0; half < 40; half++, factor *= 0.5) {
      PetscReal next;

      for (PetscInt m = 0; m < n; m++) trial[m] = lambda[m] + factor * step[m];
      next = Fill(&b, trial, c);
      if (change < 1.0e-3 || next <= G + 1.0e-4 * factor * slope) { /* near the end G is flat to rounding, and Newton safe */
        G = next;
        break;
      }
    }
    for (PetscInt m = 0; m < n; m++) lambda[m] = trial[m];
  }
  return PETSC_FALSE;
}

/* ---- stationary weights of driven isomers ---- */

/* The matrix dS/dc at temperature T. */
static void RateMatrix(const SoretThermo *thermo, const SoretPoint *point, PetscReal T, PetscReal matrix[])
{
  const SoretNetwork *net = &thermo->model->network;
  const PetscInt      ns  = net->num_species;
  PetscReal           k[2 * SORET_MAX_REACTIONS], c[SORET_MAX_SPECIES] = {0.0};
  SoretPoint          at = *point;

  at.T = T;
  for (PetscInt r = 0; r < net->num_reactions; r++) {
    SoretNetworkConstants(net, r, &at, &k[2 * r], &k[2 * r + 1]);
    if (SoretNetworkIsOff(net, r)) k[2 * r] = k[2 * r + 1] = 0.0;
  }
  for (PetscInt e = 0; e < ns * ns; e++) matrix[e] = 0.0;
  SoretNetworkAddJacobian(net, k, c, matrix);
}

/* Row of the rate matrix that a sum takes the place of: its largest member that no other sum has taken. */
static void ReplacedRows(const SoretThermo *thermo, PetscInt row[])
{
  const PetscInt ns                       = thermo->model->num_species;
  PetscBool      taken[SORET_MAX_SPECIES] = {PETSC_FALSE};

  for (PetscInt m = 0; m < thermo->num_sums; m++) {
    row[m] = -1;
    for (PetscInt i = 0; i < ns; i++) {
      if (!taken[i] && thermo->w[m * ns + i] != 0.0 && (row[m] < 0 || PetscAbsReal(thermo->w[m * ns + i]) > PetscAbsReal(thermo->w[m * ns + row[m]]))) row[m] = i;
    }
    if (row[m] >= 0) taken[row[m]] = PETSC_TRUE;
  }
}

static PetscBool Stationary(const SoretThermo *thermo, const SoretPoint *point, const PetscReal total[], PetscReal c[])
{
  const PetscInt ns = thermo->model->num_species;
  PetscReal      matrix[SORET_MAX_SPECIES * SORET_MAX_SPECIES];
  PetscInt       row[SORET_MAX_SPECIES];

  if (!TotalsArePositive(thermo, total)) return PETSC_FALSE;
  RateMatrix(thermo, point, point->T, matrix);
  ReplacedRows(thermo, row);
  for (PetscInt i = 0; i < ns; i++) c[i] = 0.0;
  for (PetscInt m = 0; m < thermo->num_sums; m++) {
    if (row[m] < 0) return PETSC_FALSE;
    for (PetscInt i = 0; i < ns; i++) matrix[row[m] * ns + i] = thermo->w[m * ns + i];
    c[row[m]] = total[m];
  }
  return SolveScaled(ns, matrix, c);
}

PetscBool SoretThermoRest(const SoretThermo *thermo, const SoretPoint *point, const PetscReal total[], PetscReal c[])
{
  PetscReal mu[SORET_MAX_SPECIES], slope[SORET_MAX_SPECIES];

  if (thermo->rest == SORET_REST_UNKNOWN) return PETSC_FALSE;
  if (thermo->rest == SORET_REST_LINEAR) return Stationary(thermo, point, total, c);
  SoretThermoPotentialsAt(thermo, point, mu, slope);
  return LocalEquilibrium(thermo, mu, total, c);
}

/* ---- the Soret coefficients of fast reactions ---- */

/* D_i, and beta_i = d ln b_i/dT = alpha d ln D_i/dT + S_i. */
static void Transport(const SoretThermo *thermo, const SoretPoint *point, PetscReal D[], PetscReal beta[])
{
  static const PetscReal alpha[] = {[SORET_ITO] = 1.0, [SORET_STRATONOVICH] = 0.5, [SORET_FICK] = 0.0};

  for (PetscInt i = 0; i < thermo->model->num_species; i++) {
    const SoretSpecies *s = &thermo->model->species[i];

    D[i] = beta[i] = 0.0;
    if (!s->diffuses) continue;
    D[i]    = SoretLawEvaluate(s->diffusivity, point);
    beta[i] = (s->convention == SORET_FICK ? 0.0 : alpha[s->convention] * SoretLawDerivative(s->diffusivity, point) / D[i]) + (s->soret ? SoretLawEvaluate(s->soret, point) : 0.0);
  }
}

/* Conditions that fix the change of the composition with T: no flux of a sum, sum_i w_i D_i (c_i' + beta_i c_i) = 0; a sum whose members all
   stand still keeps its amount. weight[i] is w_i D_i, or w_i. */
static void Conditions(const SoretThermo *thermo, PetscInt m, const PetscReal D[], PetscReal weight[])
{
  const PetscInt ns    = thermo->model->num_species;
  PetscBool      still = PETSC_TRUE;

  for (PetscInt i = 0; i < ns; i++) still = still && (thermo->w[m * ns + i] == 0.0 || D[i] == 0.0) ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt i = 0; i < ns; i++) weight[i] = thermo->w[m * ns + i] * (still ? 1.0 : D[i]);
}

/* c_i' = c_i (sum_n w_ni lambda_n' - mu_i') under these conditions. */
static PetscBool BalancedSlope(const SoretThermo *thermo, const SoretPoint *point, const PetscReal D[], const PetscReal beta[], const PetscReal c[], PetscReal slope[])
{
  const PetscInt ns = thermo->model->num_species, n = thermo->num_sums;
  PetscReal      mu[SORET_MAX_SPECIES], dmu[SORET_MAX_SPECIES], weight[SORET_MAX_SPECIES], matrix[SORET_MAX_SPECIES * SORET_MAX_SPECIES], lambda[SORET_MAX_SPECIES];

  SoretThermoPotentialsAt(thermo, point, mu, dmu);
  for (PetscInt m = 0; m < n; m++) {
    Conditions(thermo, m, D, weight);
    lambda[m] = 0.0;
    for (PetscInt i = 0; i < ns; i++) lambda[m] += weight[i] * c[i] * (dmu[i] - beta[i]);
    for (PetscInt q = 0; q < n; q++) {
      matrix[m * n + q] = 0.0;
      for (PetscInt i = 0; i < ns; i++) matrix[m * n + q] += weight[i] * c[i] * thermo->w[q * ns + i];
    }
  }
  if (!SolveScaled(n, matrix, lambda)) return PETSC_FALSE;
  for (PetscInt i = 0; i < ns; i++) {
    slope[i] = -dmu[i];
    for (PetscInt m = 0; m < n; m++) slope[i] += thermo->w[m * ns + i] * lambda[m];
    slope[i] *= c[i];
  }
  return PETSC_TRUE;
}

/* M c' = -M' c with rows replaced by the conditions; M' by differences of fourth order. */
static PetscBool LinearSlope(const SoretThermo *thermo, const SoretPoint *point, const PetscReal D[], const PetscReal beta[], const PetscReal c[], PetscReal slope[])
{
  static const PetscReal offset[4] = {-2.0, -1.0, 1.0, 2.0}, factor[4] = {1.0 / 12.0, -2.0 / 3.0, 2.0 / 3.0, -1.0 / 12.0};
  const PetscInt         ns = thermo->model->num_species;
  const PetscReal        h  = 1.0e-3 * point->T;
  PetscReal              matrix[SORET_MAX_SPECIES * SORET_MAX_SPECIES], weight[SORET_MAX_SPECIES];
  PetscInt               row[SORET_MAX_SPECIES];

  for (PetscInt i = 0; i < ns; i++) slope[i] = 0.0;
  for (int k = 0; k < 4; k++) {
    RateMatrix(thermo, point, point->T + offset[k] * h, matrix);
    for (PetscInt i = 0; i < ns; i++) {
      for (PetscInt j = 0; j < ns; j++) slope[i] -= factor[k] / h * matrix[i * ns + j] * c[j];
    }
  }
  RateMatrix(thermo, point, point->T, matrix);
  ReplacedRows(thermo, row);
  for (PetscInt m = 0; m < thermo->num_sums; m++) {
    Conditions(thermo, m, D, weight);
    slope[row[m]] = 0.0;
    for (PetscInt i = 0; i < ns; i++) {
      matrix[row[m] * ns + i] = weight[i];
      slope[row[m]] -= weight[i] * beta[i] * c[i];
    }
  }
  return SolveScaled(ns, matrix, slope);
}

PetscBool SoretThermoSoret(const SoretThermo *thermo, const SoretPoint *point, const PetscReal total[], PetscReal c[], PetscReal soret[])
{
  const PetscInt ns = thermo->model->num_species;
  PetscReal      D[SORET_MAX_SPECIES], beta[SORET_MAX_SPECIES], slope[SORET_MAX_SPECIES];
  PetscBool      ok;

  for (PetscInt m = 0; m < thermo->num_sums; m++) soret[m] = NAN;
  if (!SoretThermoRest(thermo, point, total, c)) return PETSC_FALSE;
  Transport(thermo, point, D, beta);
  ok = thermo->rest == SORET_REST_LINEAR ? LinearSlope(thermo, point, D, beta, c, slope) : BalancedSlope(thermo, point, D, beta, c, slope);
  for (PetscInt m = 0; m < thermo->num_sums && ok; m++) {
    PetscReal change = 0.0;

    for (PetscInt i = 0; i < ns; i++) change += thermo->w[m * ns + i] * slope[i];
    if (total[m] != 0.0) soret[m] = -change / total[m];
  }
  return ok;
}

/* ---- inversion ---- */

/* The Soret coefficient of one sum at temperature T; 0 where it is nothing but rounding. */
static PetscReal SoretAt(const SoretThermo *thermo, const SoretPoint *place, PetscReal T, const PetscReal total[], PetscInt sum, PetscReal c[])
{
  PetscReal  soret[SORET_MAX_SPECIES];
  SoretPoint point = *place;

  point.T = T;
  if (!SoretThermoSoret(thermo, &point, total, c, soret)) return NAN;
  return PetscAbsReal(soret[sum]) * T < 1.0e-10 ? 0.0 : soret[sum];
}

PetscErrorCode SoretThermoInversions(const SoretThermo *thermo, const SoretPoint *place, PetscReal T_min, PetscReal T_max, const PetscReal total[], PetscInt sum, PetscInt max, PetscInt *num, PetscReal T[])
{
  enum { STEPS = 256 };
  PetscReal c[SORET_MAX_SPECIES] = {0.0}, before = 0.0, T_before = T_min;

  PetscFunctionBegin;
  *num = 0;
  for (int step = 0; step <= STEPS && *num < max; step++) {
    const PetscReal T_here = T_min + (T_max - T_min) * step / STEPS, here = SoretAt(thermo, place, T_here, total, sum, c);

    if (isnan(here)) { /* a crossing beside it is not seen */
      before = 0.0;
      continue;
    }
    if (before * here < 0.0) {
      PetscReal lo = T_before, hi = T_here;

      while (hi - lo > 4.0e-16 * hi) {
        const PetscReal middle = 0.5 * (lo + hi);

        if (middle <= lo || middle >= hi) break;
        if (SoretAt(thermo, place, middle, total, sum, c) * before > 0.0)
          lo = middle;
        else
          hi = middle;
      }
      T[(*num)++] = 0.5 * (lo + hi);
    }
    if (here != 0.0) { /* an exact zero between two signs is one crossing */
      before   = here;
      T_before = T_here;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
