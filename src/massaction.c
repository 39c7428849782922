/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include "soret/network.h"

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

SORET_CLONES void SoretNetworkRatesLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscInt pitch, PetscReal rates[])
{
  for (PetscInt r = 0; r < net->num_reactions; r++) RatesOf(&net->reaction[r], n, k + 2 * r, c, rates + 2 * r * pitch, rates + (2 * r + 1) * pitch);
}

SORET_CLONES void SoretNetworkAddSourceLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscReal s[])
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

SORET_CLONES void SoretNetworkAddGrossLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscReal gross[])
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

SORET_CLONES void SoretNetworkAddJacobianLanes(const SoretNetwork *net, PetscInt n, const PetscReal *const k[], const PetscReal c[], PetscReal block[])
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
