/* SPDX-License-Identifier: BSD-2-Clause

   What a solver must not do to a state, taken back: negative concentrations, and sums that are off. */
#include "solve_private.h"

#include "soret/dense.h"

static PetscErrorCode KeepPositive(SNESLineSearch search, Vec x, Vec y, PetscBool *changed, void *context)
{
  SoretSystem     *sys = (SoretSystem *)context;
  const PetscInt   ns  = sys->op->num_species;
  const PetscReal *c;
  PetscReal       *d;
  PetscInt         count = 0, total;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(x, &c));
  PetscCall(VecGetArray(y, &d));
  for (PetscInt p = 0; p < sys->op->grid->num_cells; p++) {
    PetscBool shortened = PETSC_FALSE;

    /* species by species: a cell that is shortened as a whole by one species that tends to 0 stands still for ever */
    for (PetscInt q = p * ns; q < (p + 1) * ns; q++) {
      if (!(c[q] > 0.0) || c[q] - d[q] > 0.0) continue;
      d[q]      = 0.9 * c[q];
      shortened = PETSC_TRUE;
    }
    if (shortened) count++;
  }
  PetscCall(VecRestoreArray(y, &d));
  PetscCall(VecRestoreArrayRead(x, &c));
  PetscCallMPI(MPI_Allreduce(&count, &total, 1, MPIU_INT, MPI_SUM, sys->op->grid->comm));
  sys->scaled += total;
  *changed = total ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemSetPositive(SoretSystem *sys, SNESLineSearch search)
{
  PetscFunctionBegin;
  PetscCall(SNESLineSearchSetPreCheck(search, KeepPositive, sys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Factors of the species by which those with these amounts (0 for species that must not change) get sums that differ by `off` from what they are: off
   is [n], and becomes eta. */
static void ClosingFactors(PetscInt ns, PetscInt n, const PetscReal w[], const PetscReal amount[], PetscReal G[], PetscReal off[], PetscReal factor[])
{
  for (PetscInt a = 0; a < n; a++) {
    for (PetscInt b = 0; b < n; b++) {
      G[a * n + b] = 0.0;
      for (PetscInt s = 0; s < ns; s++) G[a * n + b] += w[a * ns + s] * w[b * ns + s] * amount[s];
    }
  }
  (void)SoretSolveDense(n, G, off); /* a sum of species that are all absent is left alone */
  for (PetscInt s = 0; s < ns; s++) {
    factor[s] = 1.0;
    for (PetscInt a = 0; a < n && amount[s] != 0.0; a++) factor[s] += off[a] * w[a * ns + s];
  }
}

/* Local sums of every cell. */
static PetscErrorCode CloseCells(SoretSystem *sys, Vec x)
{
  const PetscInt ns = sys->op->num_species, n = sys->num_local;
  PetscReal     *array, *G, off[SORET_MAX_SPECIES], factor[SORET_MAX_SPECIES];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n * n, &G));
  PetscCall(VecGetArray(x, &array));
  for (PetscInt p = 0; p < sys->op->grid->num_cells; p++) {
    PetscReal *c = array + p * ns;

    for (PetscInt k = 0; k < n; k++) {
      off[k] = sys->kept[p * n + k];
      for (PetscInt s = 0; s < ns; s++) off[k] -= sys->q_local[k * ns + s] * c[s];
    }
    ClosingFactors(ns, n, sys->q_local, c, G, off, factor);
    for (PetscInt s = 0; s < ns; s++) c[s] *= factor[s];
  }
  PetscCall(VecRestoreArray(x, &array));
  PetscCall(PetscFree(G));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Each part of the fluid by itself; in time, what walls feed is left as it comes. */
static PetscErrorCode CloseParts(SoretSystem *sys, Vec x)
{
  const SoretSums *sums = sys->sums;
  const SoretGrid *grid = sys->op->grid;
  const PetscInt   ns   = sums->num_species;
  const PetscReal *volume = sys->num_parts ? sys->part_volume : grid->pocket_volume; /* the former on coarser grids, too */
  PetscReal       *amount, *factor, *G, *w, off[SORET_MAX_SPECIES], *c;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4(sums->num_parts * ns, &amount, sums->num_parts * ns, &factor, ns * ns, &G, ns * ns, &w));
  PetscCall(SoretPocketsMeasure(sys->op, x, amount));
  for (PetscInt part = 0; part < sums->num_parts; part++) {
    PetscInt n = 0;

    for (PetscInt k = 0; k < sums->part[part].num && volume[part] > 0.0; k++) {
      if (!sys->augmented && sums->part[part].fed[k]) continue;
      off[n] = volume[part] * (sums->part[part].mean[k] - SoretPocketMean(sums, volume, part, k, amount, NULL));
      PetscCall(PetscArraycpy(w + n++ * ns, sums->part[part].w + k * ns, ns));
    }
    for (PetscInt s = 0; s < ns; s++) amount[part * ns + s] = SoretModelIsImmobile(sys->op->model, s) ? 0.0 : amount[part * ns + s];
    ClosingFactors(ns, n, w, amount + part * ns, G, off, factor + part * ns);
  }
  PetscCall(VecGetArray(x, &c));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    for (PetscInt s = 0; s < ns && grid->pocket[p] >= 0; s++) c[p * ns + s] *= factor[grid->pocket[p] * ns + s];
  }
  PetscCall(VecRestoreArray(x, &c));
  PetscCall(PetscFree4(amount, factor, G, w));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSystemClose(SoretSystem *sys, const PetscReal mean[], const PetscBool closed[], Vec x)
{
  const SoretSums *sums = sys->sums;
  const PetscInt   ns   = sums->num_species;
  PetscReal       *c, *G, *w, now[SORET_MAX_SPECIES * 3], off[SORET_MAX_SPECIES], amount[SORET_MAX_SPECIES], factor[SORET_MAX_SPECIES];
  PetscInt         n    = 0;

  PetscFunctionBegin;
  if (sys->num_local) PetscCall(CloseCells(sys, x));
  if (sums->num_parts) {
    PetscCall(CloseParts(sys, x));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt k = 0; k < sums->num_global; k++) n += closed[k];
  if (!n) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc2(n * n, &G, n * ns, &w));
  PetscCall(SoretOperatorContent(sys->op, x, amount));
  SoretSumsOfContent(sums, sys->op, amount, now, NULL);
  for (PetscInt s = 0; s < ns; s++) amount[s] = SoretModelIsImmobile(sys->op->model, s) ? 0.0 : amount[s] / sys->op->grid->fluid_volume; /* those are kept cell by cell */
  for (PetscInt k = 0, a = 0; k < sums->num_global; k++) {
    if (!closed[k]) continue;
    off[a] = mean[k] - now[k];
    PetscCall(PetscArraycpy(w + a++ * ns, sums->w + k * ns, ns));
  }
  ClosingFactors(ns, n, w, amount, G, off, factor);
  PetscCall(VecGetArray(x, &c));
  for (PetscInt s = 0; s < ns; s++) {
    for (PetscInt p = 0; p < sys->op->grid->num_cells && factor[s] != 1.0; p++) c[p * ns + s] *= factor[s];
  }
  PetscCall(VecRestoreArray(x, &c));
  PetscCall(PetscFree2(G, w));
  PetscFunctionReturn(PETSC_SUCCESS);
}
