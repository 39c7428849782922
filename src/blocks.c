/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocks.h"

#include "block.h"
#include "soret/dense.h"
#include "soret/operator.h"

/* ---- parts ---- */

/* Rate constants of direction r of n cells from cell i on, `step` apart. */
INLINED SoretFour RateConstant(const PetscInt ns, const SoretBlockRow *row, PetscInt r, PetscInt i, PetscInt n, const PetscInt step)
{
  const PetscInt slot = row->slot[r];

  return slot < 0 ? SoretFourOf(row->k_constant[r * SORET_MAX_LANES]) : SoretFourLoadLanes(ns, n, step, row->k + slot * row->nx + i);
}

/* sum = terms less sources of n cells from cell i on, and its derivative J by c if wanted. x - concentrations of the row; c - [ns + 1], written. */
INLINED void React(const PetscInt ns, PetscInt n, const PetscInt step, const SoretBlockRow *row, PetscInt i, const PetscReal *x, SoretFour c[], SoretFour sum[], SoretFour J[])
{
  SoretFourLoadCells(ns, n, step, x + i * ns, c);
  c[ns] = SoretFourOf(1.0);
  for (PetscInt s = 0; s < ns; s++) sum[s] = SoretFourOf(row->constant ? row->constant[s] : 0.0);
  for (PetscInt e = 0; e < ns * ns && J; e++) J[e] = SoretFourOf(0.0);
  if (row->matrix) {
    for (PetscInt e = 0; e < ns * ns; e++) {
      sum[e / ns] += row->matrix[e] * c[e % ns];
      if (J) J[e] += row->matrix[e];
    }
  }
  if (row->kept) {
    SoretFour kept[SORET_FEW];

    SoretFourLoadCells(ns, n, step, row->kept + i * ns, kept);
    for (PetscInt s = 0; s < ns; s++) sum[s] -= kept[s];
  }
  for (PetscInt r = 0; r < row->num_reactions; r++) SoretFourReact(ns, &row->pair[r], RateConstant(ns, row, 2 * r, i, n, step), RateConstant(ns, row, 2 * r + 1, i, n, step), c, sum, J);
}

/* Net outflow of n cells through their faces, mixed, where conductances are products (SoretKernelUniformRow()). */
INLINED void TransportUniform(const PetscInt ns, PetscInt n, const PetscInt step, const SoretBlockRow *row, PetscInt q, SoretFour f[])
{
  SoretFour u[SORET_FEW], lo[SORET_FEW], hi[SORET_FEW], g_lo[SORET_FEW], g_hi[SORET_FEW], dx[SORET_FEW];

  SoretFourLoadMixed(ns, n, step, row->u + q, u);
  SoretFourLoadMixed(ns, n, step, row->u_lo[1] + q, lo);
  SoretFourLoadMixed(ns, n, step, row->u_hi[1] + q, hi);
  for (PetscInt v = 0; v < ns; v++) f[v] = SORET_FACE_FLUX(row->g[1], u[v], hi[v]) - SORET_FACE_FLUX(row->g[0], lo[v], u[v]);
  SoretFourLoadMixed(ns, n, step, row->u_lo[2] + q, lo);
  SoretFourLoadMixed(ns, n, step, row->u_hi[2] + q, hi);
  SoretFourLoadMixed(ns, n, step, row->dx + q, dx);
  for (PetscInt v = 0; v < ns; v++) f[v] = dx[v] * (f[v] + (SORET_FACE_FLUX(row->g[3], u[v], hi[v]) - SORET_FACE_FLUX(row->g[2], lo[v], u[v])));
  SoretFourLoadMixed(ns, n, step, row->u + q - ns, lo);
  SoretFourLoadMixed(ns, n, step, row->u + q + ns, hi);
  SoretFourLoadMixed(ns, n, step, row->gx + q, g_lo);
  SoretFourLoadMixed(ns, n, step, row->gx + q + ns, g_hi);
  for (PetscInt v = 0; v < ns; v++) f[v] += row->area * (SORET_FACE_FLUX(g_hi[v], u[v], hi[v]) - SORET_FACE_FLUX(g_lo[v], lo[v], u[v]));
}

/* The same for conductances face by face, and the sum of these. */
INLINED void TransportFaces(const PetscInt ns, PetscInt n, const PetscInt step, const SoretBlockRow *row, PetscInt q, SoretFour f[], SoretFour sum[])
{
  SoretFour u[SORET_FEW], lo[SORET_FEW], hi[SORET_FEW], g_lo[SORET_FEW], g_hi[SORET_FEW];

  SoretFourLoadMixed(ns, n, step, row->u + q, u);
  for (PetscInt v = 0; v < ns; v++) f[v] = sum[v] = SoretFourOf(0.0);
  for (int axis = 0; axis < row->dim; axis++) {
    SoretFourLoadMixed(ns, n, step, row->u_lo[axis] + q, lo);
    SoretFourLoadMixed(ns, n, step, row->u_hi[axis] + q, hi);
    SoretFourLoadMixed(ns, n, step, row->g_lo[axis] + q, g_lo);
    SoretFourLoadMixed(ns, n, step, row->g_hi[axis] + q, g_hi);
    for (PetscInt v = 0; v < ns; v++) {
      f[v] += SORET_FACE_FLUX(g_hi[v], u[v], hi[v]) - SORET_FACE_FLUX(g_lo[v], lo[v], u[v]);
      sum[v] += g_hi[v] + g_lo[v];
    }
  }
}

/* Transport and walls of n cells from cell i on, in F, and, if wanted, the derivative of transport by the own u. Returns the volumes. */
INLINED SoretFour Transport(const PetscInt ns, const SoretBlocks kind, PetscInt n, const PetscInt step, const SoretBlockRow *row, PetscInt i, SoretFour F[], SoretFour diagonal[])
{
  SoretFour f[SORET_FEW], sum[SORET_FEW], V;

  if (kind == SORET_BLOCKS_UNIFORM) {
    const SoretFour width = SoretFourLoadLanes(ns, n, step, row->width + i);

    V = row->area * width;
    if (diagonal) {
      const SoretFour span = row->area * SoretFourLoadLanes(ns, n, step, row->gx_sum + i) + width * (row->g[0] + row->g[1] + row->g[2] + row->g[3]);

      for (PetscInt s = 0; s < ns; s++) diagonal[s] = row->a[s] * span;
    }
    TransportUniform(ns, n, step, row, i * ns, f);
  } else {
    V = SoretFourLoadLanes(ns, n, step, row->volume + i);
    if (kind == SORET_BLOCKS_FACES) TransportFaces(ns, n, step, row, i * ns, f, sum);
    else if (diagonal) SoretFourLoadMixed(ns, n, step, row->diagonal + i * ns, sum);
    if (diagonal) SoretFourSort(ns, n, sum, diagonal);
  }
  if (kind == SORET_BLOCKS_STORED) SoretFourLoadMixed(ns, n, step, row->f + i * ns, f);
  else if (row->f) {
    SoretFour walls[SORET_FEW];

    SoretFourLoadMixed(ns, n, step, row->f + i * ns, walls);
    for (PetscInt v = 0; v < ns; v++) f[v] += walls[v];
  }
  SoretFourSort(ns, n, f, F);
  return V;
}

/* Functions for 1 to 4 species and each kind of transport: `name` with these as constants, in a function of its own, since registers are few, and for a
   copy of the row that no store can change. */
#define INSTANCE(name, ns, kind, parameters, ...) \
  static void name##ns##kind parameters \
  { \
    const SoretBlockRow copy = *given, *row = &copy; \
    name(ns, SORET_BLOCKS_##kind, __VA_ARGS__); \
  }
#define INSTANCES(name, parameters, ...) \
  INSTANCE(name, 1, STORED, parameters, __VA_ARGS__) \
  INSTANCE(name, 2, STORED, parameters, __VA_ARGS__) \
  INSTANCE(name, 3, STORED, parameters, __VA_ARGS__) \
  INSTANCE(name, 4, STORED, parameters, __VA_ARGS__) \
  INSTANCE(name, 1, UNIFORM, parameters, __VA_ARGS__) \
  INSTANCE(name, 2, UNIFORM, parameters, __VA_ARGS__) \
  INSTANCE(name, 4, UNIFORM, parameters, __VA_ARGS__) \
  INSTANCE(name, 1, FACES, parameters, __VA_ARGS__) \
  INSTANCE(name, 2, FACES, parameters, __VA_ARGS__) \
  INSTANCE(name, 4, FACES, parameters, __VA_ARGS__)
/* The table of them, [kind][species]. */
#define TABLE(name) \
  { \
    [SORET_BLOCKS_STORED] = {NULL, name##1STORED, name##2STORED, name##3STORED, name##4STORED}, [SORET_BLOCKS_UNIFORM] = {NULL, name##1UNIFORM, name##2UNIFORM, NULL, name##4UNIFORM}, [SORET_BLOCKS_FACES] = { NULL, name##1FACES, name##2FACES, NULL, name##4FACES } \
  }

/* ---- residual ---- */

INLINED void ResidualOfFour(const PetscInt ns, const SoretBlocks kind, PetscInt n, const SoretBlockRow *row, PetscInt i, const PetscReal *x, PetscReal *f)
{
  SoretFour       c[SORET_FEW + 1], sum[SORET_FEW], F[SORET_FEW];
  const SoretFour V = Transport(ns, kind, n, 1, row, i, F, NULL);

  React(ns, n, 1, row, i, x, c, sum, NULL);
  for (PetscInt s = 0; s < ns; s++) F[s] += V * sum[s];
  SoretFourStoreCells(ns, n, 1, F, f + i * ns);
}

INLINED void Residual(const PetscInt ns, const SoretBlocks kind, const SoretBlockRow *row, const PetscReal *c, PetscReal *f)
{
  const PetscInt rest = row->nx % SORET_FOUR;

  for (PetscInt i = 0; i < row->nx - rest; i += SORET_FOUR) ResidualOfFour(ns, kind, SORET_FOUR, row, i, c, f);
  if (rest) ResidualOfFour(ns, kind, rest, row, row->nx - rest, c, f);
}

INSTANCES(Residual, (const SoretBlockRow *given, const PetscReal *c, PetscReal *f), row, c, f)

void SoretBlocksResidual(PetscInt ns, SoretBlocks kind, const SoretBlockRow *row, const PetscReal c[], PetscReal f[])
{
  static void (*const by[][SORET_FEW + 1])(const SoretBlockRow *, const PetscReal *, PetscReal *) = TABLE(Residual);

  by[kind][ns](row, c, f);
}

/* ---- smoother ---- */

/* What elimination without pivoting lost in one of four cells, and what would make a concentration negative. */
static void MendCell(PetscInt ns, PetscInt l, PetscBool again, const SoretFour J[], const SoretFour f[], const SoretFour c[], SoretFour x[])
{
  PetscReal A[SORET_FEW * SORET_FEW], old[SORET_FEW], r[SORET_FEW];

  for (PetscInt s = 0; s < ns; s++) {
    for (PetscInt j = 0; j < ns; j++) A[s * ns + j] = J[s * ns + j][l];
    r[s]   = again ? f[s][l] : x[s][l];
    old[s] = c[s][l];
  }
  if (again) (void)SoretSolveDense(ns, A, r);
  SoretKernelShorten(ns, 1, 1, old, r);
  for (PetscInt s = 0; s < ns; s++) x[s][l] = r[s];
}

/* The same for all of them; in memory, where nothing of the usual way needs to be. */
INLINED void Mend(const PetscInt ns, PetscInt n, SoretFour worst, const SoretFour J[], const SoretFour f[], const SoretFour c[], SoretFour x[])
{
  SoretFour J_kept[SORET_FEW * SORET_FEW], f_kept[SORET_FEW], c_kept[SORET_FEW], x_kept[SORET_FEW];

  for (PetscInt e = 0; e < ns * ns; e++) J_kept[e] = J[e];
  for (PetscInt s = 0; s < ns; s++) {
    f_kept[s] = f[s];
    c_kept[s] = c[s];
    x_kept[s] = x[s];
  }
  for (PetscInt l = 0; l < n; l++) MendCell(ns, l, !(worst[l] > 1.0e-6) ? PETSC_TRUE : PETSC_FALSE, J_kept, f_kept, c_kept, x_kept);
  for (PetscInt s = 0; s < ns; s++) x[s] = x_kept[s];
}

INLINED void CorrectFour(const PetscInt ns, const SoretBlocks kind, PetscInt n, const SoretBlockRow *row, PetscInt i, PetscReal *out, PetscReal *u, SoretFour total[])
{
  SoretFour       b[SORET_FEW] = {SoretFourOf(0.0)}, c[SORET_FEW + 1], f[SORET_FEW], F[SORET_FEW], x[SORET_FEW], J[SORET_FEW * SORET_FEW], LU[SORET_FEW * SORET_FEW], diagonal[SORET_FEW], worst;
  const SoretFour V = Transport(ns, kind, n, 2, row, i, F, diagonal);
  SoretFourMask   bad;

  React(ns, n, 2, row, i, out, c, f, J);
  SoretFourLoadCells(ns, n, 2, row->b + i * ns, b);
  for (PetscInt s = 0; s < ns; s++) f[s] = F[s] + V * f[s];
  if (row->rhs) {
    SoretFourLoadCells(ns, n, 2, row->rhs + i * ns, F);
    for (PetscInt s = 0; s < ns; s++) f[s] -= F[s];
  }
  for (PetscInt e = 0; e < ns * ns; e++) J[e] *= V;
  for (PetscInt s = 0; s < ns; s++) J[s * ns + s] += b[s] * diagonal[s];
  if (row->walls) {
    SoretFourLoadCells(ns, n, 2, row->walls + i * ns, F);
    for (PetscInt s = 0; s < ns; s++) J[s * ns + s] += F[s];
  }
  if (kind != SORET_BLOCKS_UNIFORM) { /* where nothing happens: a closed cell */
    for (PetscInt s = 0; s < ns; s++) J[s * ns + s] += (SoretFour)((SoretFourMask)SoretFourOf(1.0) & (J[s * ns + s] == 0.0));
  }
  for (PetscInt e = 0; e < ns * ns; e++) LU[e] = J[e];
  for (PetscInt s = 0; s < ns; s++) F[s] = f[s];
  worst = SoretFourSolve(ns, LU, F, x);
  bad   = ~(worst > 1.0e-6);
  for (PetscInt s = 0; s < ns; s++) bad |= (c[s] > 0.0) & ~(c[s] - x[s] > 0.0);
  if (SoretFourAny(bad)) Mend(ns, n, worst, J, f, c, x);
  for (PetscInt s = 0; s < ns; s++) {
    c[s] -= x[s];
    b[s] *= c[s];
    x[s] = V * c[s];
    if (n == SORET_FOUR) total[s] += x[s];
    else {
      for (PetscInt l = 0; l < n; l++) total[s][l] += x[s][l];
    }
  }
  SoretFourStoreCells(ns, n, 2, c, out + i * ns);
  SoretFourStoreCells(ns, n, 2, b, u + i * ns);
}

INLINED void Correct(const PetscInt ns, const SoretBlocks kind, const SoretBlockRow *row, PetscInt begin, PetscInt end, PetscReal *c, PetscReal *u, PetscReal *content)
{
  SoretFour total[SORET_FEW];
  PetscInt  i;

  for (PetscInt s = 0; s < ns; s++) total[s] = SoretFourOf(0.0);
  for (i = begin; i + 6 < end; i += 8) CorrectFour(ns, kind, SORET_FOUR, row, i, c, u, total);
  if (i < end) CorrectFour(ns, kind, (end - i + 1) / 2, row, i, c, u, total);
  for (PetscInt s = 0; s < ns; s++) content[s] += total[s][0] + total[s][1] + total[s][2] + total[s][3];
}

INSTANCES(Correct, (const SoretBlockRow *given, PetscInt begin, PetscInt end, PetscReal *c, PetscReal *u, PetscReal *content), row, begin, end, c, u, content)

void SoretBlocksCorrect(PetscInt ns, SoretBlocks kind, const SoretBlockRow *row, PetscInt begin, PetscInt end, PetscReal c[], PetscReal u[], PetscReal content[])
{
  static void (*const by[][SORET_FEW + 1])(const SoretBlockRow *, PetscInt, PetscInt, PetscReal *, PetscReal *, PetscReal *) = TABLE(Correct);

  by[kind][ns](row, begin, end, c, u, content);
}

/* ---- gross rates ---- */

INLINED void GrossOfFour(const PetscInt ns, PetscInt n, const SoretBlockRow *row, PetscInt i, const PetscReal *x, PetscReal *net, PetscReal *gross)
{
  const SoretFour V = SoretFourLoadLanes(ns, n, 1, row->volume + i);
  SoretFour       c[SORET_FEW + 1], source[SORET_FEW], absolute[SORET_FEW];

  SoretFourLoadCells(ns, n, 1, x + i * ns, c);
  c[ns] = SoretFourOf(1.0);
  for (PetscInt s = 0; s < ns; s++) source[s] = absolute[s] = SoretFourOf(0.0);
  for (PetscInt r = 0; r < row->num_reactions; r++) {
    const struct SoretPair *pair    = &row->pair[r];
    const SoretFour         forward = RateConstant(ns, row, 2 * r, i, n, 1) * c[pair->factor[0]] * c[pair->factor[1]], backward = RateConstant(ns, row, 2 * r + 1, i, n, 1) * c[pair->factor[2]] * c[pair->factor[3]];
    const SoretFour         both    = SoretFourAbs(forward) + SoretFourAbs(backward);

    for (PetscInt s = 0; s < ns; s++) {
      source[s] += pair->nu[s] * (forward - backward);
      absolute[s] += PetscAbsReal(pair->nu[s]) * both;
    }
  }
  for (PetscInt s = 0; s < ns; s++) {
    source[s] *= V;
    absolute[s] *= V;
  }
  SoretFourStoreCells(ns, n, 1, source, net + i * ns);
  SoretFourStoreCells(ns, n, 1, absolute, gross + i * ns);
}

INLINED void Gross(const PetscInt ns, const SoretBlockRow *row, const PetscReal *c, PetscReal *net, PetscReal *gross)
{
  const PetscInt rest = row->nx % SORET_FOUR;

  for (PetscInt i = 0; i < row->nx - rest; i += SORET_FOUR) GrossOfFour(ns, SORET_FOUR, row, i, c, net, gross);
  if (rest) GrossOfFour(ns, rest, row, row->nx - rest, c, net, gross);
}

void SoretBlocksGross(PetscInt ns, const SoretBlockRow *row, const PetscReal c[], PetscReal net[], PetscReal gross[])
{
  BY_FEW(Gross, ns, row, c, net, gross);
}
