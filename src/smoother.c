/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/operator.h"

/* Solves the n x n system A x = r by Gauss elimination with row pivoting; A and r are overwritten, r becomes x. */
static void SolveBlock(PetscInt n, PetscReal A[], PetscReal r[])
{
  for (PetscInt c = 0; c < n; c++) {
    PetscInt pivot = c;

    for (PetscInt i = c + 1; i < n; i++) {
      if (PetscAbsReal(A[i * n + c]) > PetscAbsReal(A[pivot * n + c])) pivot = i;
    }
    if (pivot != c) {
      for (PetscInt j = c; j < n; j++) {
        const PetscReal swap = A[c * n + j];

        A[c * n + j]     = A[pivot * n + j];
        A[pivot * n + j] = swap;
      }
      const PetscReal swap = r[c];

      r[c]     = r[pivot];
      r[pivot] = swap;
    }
    for (PetscInt i = c + 1; i < n; i++) {
      const PetscReal factor = A[i * n + c] / A[c * n + c];

      if (factor == 0.0) continue;
      for (PetscInt j = c + 1; j < n; j++) A[i * n + j] -= factor * A[c * n + j];
      r[i] -= factor * r[c];
    }
  }
  for (PetscInt c = n - 1; c >= 0; c--) {
    for (PetscInt j = c + 1; j < n; j++) r[c] -= A[c * n + j] * r[j];
    r[c] /= A[c * n + c];
  }
}

typedef struct {
  const SoretCellTerms *terms;
  const PetscReal      *rhs;   /* may be NULL */
  PetscReal            *c;     /* the vector itself, changed in place: the planes keep the old values of this colour, and neighbours are of the other */
  PetscInt              colour;
  PetscReal            *block; /* [num_species][num_species] */
} Sweep;

/* Newton's correction of one cell: f and diagonal hold transport and walls of it. */
static void CorrectCell(const SoretOperator *op, const Sweep *sweep, PetscInt p, PetscReal volume, PetscReal f[], const PetscReal diagonal[])
{
  const SoretCellTerms *terms = sweep->terms;
  const PetscInt        ns    = op->num_species;
  PetscReal            *c     = sweep->c + p * ns, *J = sweep->block, k[2 * SORET_MAX_REACTIONS], source[SORET_MAX_SPECIES], scale = 1.0;

  for (PetscInt e = 0; e < ns * ns; e++) J[e] = terms->matrix ? volume * terms->matrix[e] : 0.0;
  for (PetscInt s = 0; s < ns; s++) {
    if (terms->constant) f[s] += volume * terms->constant[s];
    if (terms->kept) f[s] -= volume * terms->kept[p * ns + s];
    for (PetscInt j = 0; j < ns && terms->matrix; j++) f[s] += volume * terms->matrix[s * ns + j] * c[j];
    if (sweep->rhs) f[s] -= sweep->rhs[p * ns + s];
    J[s * ns + s] += diagonal[s];
    source[s] = 0.0;
  }
  if (op->model->network.num_reactions) {
    SoretOperatorConstants(op, p, k);
    SoretNetworkAddSource(&op->model->network, k, c, source);
    SoretNetworkAddJacobian(&op->model->network, k, c, -volume, J);
    for (PetscInt s = 0; s < ns; s++) f[s] -= volume * source[s];
  }
  if (ns == 1) f[0] /= J[0];
  else if (ns == 2) {
    const PetscReal determinant = J[0] * J[3] - J[1] * J[2], f0 = f[0];

    f[0] = (J[3] * f0 - J[1] * f[1]) / determinant;
    f[1] = (J[0] * f[1] - J[2] * f0) / determinant;
  } else SolveBlock(ns, J, f);
  for (PetscInt s = 0; s < ns; s++) {
    if (c[s] > 0.0 && !(c[s] - scale * f[s] > 0.0)) scale = 0.9 * c[s] / f[s];
  }
  for (PetscInt s = 0; s < ns; s++) c[s] -= scale * f[s];
}

static PetscErrorCode SweepRow(SoretOperator *op, const SoretRow *row, void *context)
{
  const Sweep     *sweep    = (const Sweep *)context;
  const SoretGrid *grid     = op->grid;
  const PetscInt   ns       = op->num_species, m = grid->count[0] * ns;
  PetscReal       *f        = op->row, *diagonal = op->row + m;
  const PetscInt   parity   = (grid->start[0] + grid->start[1] + row->j + grid->start[2] + row->k + sweep->colour) & 1;
  const PetscReal  area     = grid->width[1][grid->start[1] + row->j] * grid->width[2][grid->start[2] + row->k];
  const PetscReal *b        = op->b + row->first * ns;

  PetscFunctionBegin;
  memset(f, 0, (size_t)(2 * m) * sizeof(PetscReal));
  SoretOperatorAddTransport(op, row, f, diagonal);
  for (PetscInt q = 0; q < m; q++) diagonal[q] *= b[q];
  SoretOperatorAddWalls(op, row, f, diagonal);
  for (PetscInt i = parity; i < grid->count[0]; i += 2) CorrectCell(op, sweep, row->first + i, area * grid->width[0][grid->start[0] + i], f + i * ns, diagonal + i * ns);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOperatorSmooth(SoretOperator *op, const SoretCellTerms *terms, Vec rhs, Vec c)
{
  PetscReal block[SORET_MAX_SPECIES * SORET_MAX_SPECIES];
  Sweep     sweep = {.terms = terms, .rhs = NULL, .block = block};

  PetscFunctionBegin;
  PetscCheck(op->width == 1, op->grid->comm, PETSC_ERR_SUP, "the smoother has no ballistic transport");
  if (rhs) PetscCall(VecGetArrayRead(rhs, &sweep.rhs));
  for (sweep.colour = 0; sweep.colour < 2; sweep.colour++) {
    PetscCall(VecGetArray(c, &sweep.c)); /* read by the rows, written by the visitor: cells of one colour do not see each other */
    PetscCall(SoretOperatorForEachRow(op, c, SweepRow, &sweep));
    PetscCall(VecRestoreArray(c, &sweep.c));
  }
  if (rhs) PetscCall(VecRestoreArrayRead(rhs, &sweep.rhs));
  PetscFunctionReturn(PETSC_SUCCESS);
}
