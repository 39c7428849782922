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

/* sum = terms less sources of n cells from cell i on, and its derivative J by c if wanted. one - the only reaction, or NULL: what is looked up of it is
   then the same in all blocks of a loop, a third of the instructions of a residual; x - concentrations of the row; c - [ns + 1], written. */
INLINED void React(const PetscInt ns, const struct SoretPair *one, PetscInt n, const PetscInt step, const SoretBlockRow *row, PetscInt i, const PetscReal *x, SoretFour c[], SoretFour sum[], SoretFour J[])
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
  if (one) {
    SoretFourReact(ns, one, RateConstant(ns, row, 0, i, n, step), RateConstant(ns, row, 1, i, n, step), c, sum, J);
    return;
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

/* The same over a, where conductances are the same in all cells. */
INLINED void TransportEven(const PetscInt ns, PetscInt n, const PetscInt step, const SoretBlockRow *row, PetscInt q, SoretFour f[])
{
  SoretFour u[SORET_FEW], lo[SORET_FEW], hi[SORET_FEW];

  SoretFourLoadMixed(ns, n, step, row->u + q, u);
  SoretFourLoadMixed(ns, n, step, row->u + q - ns, lo);
  SoretFourLoadMixed(ns, n, step, row->u + q + ns, hi);
  for (PetscInt v = 0; v < ns; v++) f[v] = SORET_FACE_FLUX(row->g_even[1], u[v], hi[v]) - SORET_FACE_FLUX(row->g_even[0], lo[v], u[v]);
  for (int axis = 1; axis < 3; axis++) {
    SoretFourLoadMixed(ns, n, step, row->u_lo[axis] + q, lo);
    SoretFourLoadMixed(ns, n, step, row->u_hi[axis] + q, hi);
    for (PetscInt v = 0; v < ns; v++) f[v] += SORET_FACE_FLUX(row->g_even[2 * axis + 1], u[v], hi[v]) - SORET_FACE_FLUX(row->g_even[2 * axis], lo[v], u[v]);
  }
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

  if (kind >= SORET_BLOCKS_UNIFORM) {
    const SoretFour width = kind == SORET_BLOCKS_EVEN ? SoretFourOf(row->even_width) : SoretFourLoadLanes(ns, n, step, row->width + i);

    V = row->area * width;
    if (diagonal) {
      const SoretFour span = row->area * SoretFourLoadLanes(ns, n, step, row->gx_sum + i) + width * (row->g[0] + row->g[1] + row->g[2] + row->g[3]);

      for (PetscInt s = 0; s < ns; s++) diagonal[s] = row->a[s] * span;
    }
    if (kind == SORET_BLOCKS_EVEN) TransportEven(ns, n, step, row, i * ns, f);
    else TransportUniform(ns, n, step, row, i * ns, f);
  } else {
    V = SoretFourLoadLanes(ns, n, step, row->volume + i);
    if (kind == SORET_BLOCKS_FACES) TransportFaces(ns, n, step, row, i * ns, f, sum);
    else if (diagonal) SoretFourLoadMixed(ns, n, step, row->diagonal + i * ns, sum);
    if (diagonal) SoretFourSort(ns, n, sum, diagonal);
  }
  if (kind == SORET_BLOCKS_STORED) SoretFourLoadMixed(ns, n, step, row->f + i * ns, f);
  SoretFourSort(ns, n, f, F);
  for (PetscInt s = 0; s < ns && kind == SORET_BLOCKS_EVEN; s++) F[s] *= row->a[s];
  if (kind != SORET_BLOCKS_STORED && row->f) {
    SoretFour walls[SORET_FEW];

    SoretFourLoadCells(ns, n, step, row->f + i * ns, walls);
    for (PetscInt s = 0; s < ns; s++) F[s] += walls[s];
  }
  return V;
}

/* Functions for 1 to 4 species and each kind of transport: `name` with these as constants, in a function of its own, since registers are few, and for
   copies of the row and of an only reaction that no store can change. That a reaction is the only one is made use of where it is a good part of the work. */
#define INSTANCE(name, ns, kind, parameters, ...) \
  SORET_CLONES static void name##ns##kind parameters \
  { \
    const SoretBlockRow copy = *given, *row = &copy; \
    if ((ns) <= 2 && SORET_BLOCKS_##kind != SORET_BLOCKS_STORED && row->num_reactions == 1) { \
      const struct SoretPair one = *row->pair; \
      name(ns, SORET_BLOCKS_##kind, &one, __VA_ARGS__); \
    } else name(ns, SORET_BLOCKS_##kind, NULL, __VA_ARGS__); \
  }
/* The same for the last cells of a row, fewer than four: compiled once. */
#define REST(name, ns, kind, parameters, ...) \
  static void name##ns##kind parameters \
  { \
    name(ns, SORET_BLOCKS_##kind, __VA_ARGS__); \
  }
#define INSTANCES(each, name, parameters, ...) \
  each(name, 1, STORED, parameters, __VA_ARGS__) \
  each(name, 2, STORED, parameters, __VA_ARGS__) \
  each(name, 3, STORED, parameters, __VA_ARGS__) \
  each(name, 4, STORED, parameters, __VA_ARGS__) \
  each(name, 1, UNIFORM, parameters, __VA_ARGS__) \
  each(name, 1, EVEN, parameters, __VA_ARGS__) \
  each(name, 2, UNIFORM, parameters, __VA_ARGS__) \
  each(name, 2, EVEN, parameters, __VA_ARGS__) \
  each(name, 4, UNIFORM, parameters, __VA_ARGS__) \
  each(name, 4, EVEN, parameters, __VA_ARGS__) \
  each(name, 1, FACES, parameters, __VA_ARGS__) \
  each(name, 2, FACES, parameters, __VA_ARGS__) \
  each(name, 4, FACES, parameters, __VA_ARGS__)
/* The table of them, [kind][species]. */
#define TABLE(name) \
  { \
    [SORET_BLOCKS_STORED]  = {NULL, name##1STORED, name##2STORED, name##3STORED, name##4STORED}, \
    [SORET_BLOCKS_FACES]   = {NULL, name##1FACES, name##2FACES, NULL, name##4FACES}, \
    [SORET_BLOCKS_UNIFORM] = {NULL, name##1UNIFORM, name##2UNIFORM, NULL, name##4UNIFORM}, \
    [SORET_BLOCKS_EVEN]    = {NULL, name##1EVEN, name##2EVEN, NULL, name##4EVEN} \
  }

/* ---- residual ---- */

INLINED void ResidualOfFour(const PetscInt ns, const SoretBlocks kind, const struct SoretPair *one, PetscInt n, const SoretBlockRow *row, PetscInt i, const PetscReal *x, PetscReal *f)
{
  SoretFour       c[SORET_FEW + 1], sum[SORET_FEW], F[SORET_FEW];
  const SoretFour V = Transport(ns, kind, n, 1, row, i, F, NULL);

  React(ns, one, n, 1, row, i, x, c, sum, NULL);
  for (PetscInt s = 0; s < ns; s++) F[s] += V * sum[s];
  SoretFourStoreCells(ns, n, 1, F, f + i * ns);
}

INLINED void Residual(const PetscInt ns, const SoretBlocks kind, const struct SoretPair *one, const SoretBlockRow *row, const PetscReal *c, PetscReal *f)
{
  for (PetscInt i = 0; i + SORET_FOUR <= row->nx; i += SORET_FOUR) { /* memory works ahead while this row is computed */
    __builtin_prefetch(row->ahead[0] + i * ns);
    __builtin_prefetch(row->ahead[1] + i * ns);
    ResidualOfFour(ns, kind, one, SORET_FOUR, row, i, c, f);
  }
}

INLINED void ResidualRest(const PetscInt ns, const SoretBlocks kind, const SoretBlockRow *row, const PetscReal *c, PetscReal *f)
{
  const PetscInt rest = row->nx % SORET_FOUR;

  ResidualOfFour(ns, kind, NULL, rest, row, row->nx - rest, c, f);
}

INSTANCES(INSTANCE, Residual, (const SoretBlockRow *given, const PetscReal *c, PetscReal *f), row, c, f)
INSTANCES(REST, ResidualRest, (const SoretBlockRow *row, const PetscReal *c, PetscReal *f), row, c, f)

void SoretBlocksResidual(PetscInt ns, SoretBlocks kind, const SoretBlockRow *row, const PetscReal c[], PetscReal f[])
{
  static void (*const full[][SORET_FEW + 1])(const SoretBlockRow *, const PetscReal *, PetscReal *) = TABLE(Residual);
  static void (*const rest[][SORET_FEW + 1])(const SoretBlockRow *, const PetscReal *, PetscReal *) = TABLE(ResidualRest);

  full[kind][ns](row, c, f);
  if (row->nx % SORET_FOUR) rest[kind][ns](row, c, f);
}

/* ---- smoother ---- */

/* Newton's equations of four cells of one colour: J x = f. */
typedef struct {
  SoretFour V, c[SORET_FEW + 1], b[SORET_FEW];
  SoretFour f[SORET_FEW], diagonal[SORET_FEW]; /* first of transport and walls alone */
  SoretFour J[SORET_FEW * SORET_FEW];
} Equations;

INLINED void Linearise(const PetscInt ns, const SoretBlocks kind, const struct SoretPair *one, PetscInt n, const SoretBlockRow *row, PetscInt i, const PetscReal *x, Equations *eq)
{
  SoretFour c[SORET_FEW + 1], b[SORET_FEW], sum[SORET_FEW], J[SORET_FEW * SORET_FEW], more[SORET_FEW];

  React(ns, one, n, 2, row, i, x, c, sum, J);
  SoretFourLoadCells(ns, n, 2, row->b + i * ns, b);
  for (PetscInt s = 0; s < ns; s++) sum[s] = eq->f[s] + eq->V * sum[s];
  if (row->rhs) {
    SoretFourLoadCells(ns, n, 2, row->rhs + i * ns, more);
    for (PetscInt s = 0; s < ns; s++) sum[s] -= more[s];
  }
  for (PetscInt e = 0; e < ns * ns; e++) J[e] *= eq->V;
  for (PetscInt s = 0; s < ns; s++) J[s * ns + s] += b[s] * eq->diagonal[s];
  if (row->walls) {
    SoretFourLoadCells(ns, n, 2, row->walls + i * ns, more);
    for (PetscInt s = 0; s < ns; s++) J[s * ns + s] += more[s];
  }
  if (kind < SORET_BLOCKS_UNIFORM) { /* where nothing happens: a closed cell */
    for (PetscInt s = 0; s < ns; s++) J[s * ns + s] += (SoretFour)((SoretFourMask)SoretFourOf(1.0) & (J[s * ns + s] == 0.0));
  }
  for (PetscInt s = 0; s < ns; s++) {
    eq->c[s] = c[s];
    eq->b[s] = b[s];
    eq->f[s] = sum[s];
  }
  for (PetscInt e = 0; e < ns * ns; e++) eq->J[e] = J[e];
}

/* What elimination without pivoting lost in one of four cells, and what would make a concentration negative. */
static void MendCell(PetscInt ns, PetscInt l, PetscBool again, const Equations *eq, SoretFour x[])
{
  PetscReal A[SORET_FEW * SORET_FEW], old[SORET_FEW], r[SORET_FEW];

  for (PetscInt s = 0; s < ns; s++) {
    for (PetscInt j = 0; j < ns; j++) A[s * ns + j] = eq->J[s * ns + j][l];
    r[s]   = again ? eq->f[s][l] : x[s][l];
    old[s] = eq->c[s][l];
  }
  if (again) (void)SoretSolveDense(ns, A, r);
  SoretKernelShorten(ns, 1, 1, old, r);
  for (PetscInt s = 0; s < ns; s++) x[s][l] = r[s];
}

/* The same for all of them; in memory, where x of the usual way needs not be. */
INLINED void Mend(const PetscInt ns, PetscInt n, SoretFour worst, const Equations *eq, SoretFour x[])
{
  SoretFour kept[SORET_FEW];

  for (PetscInt s = 0; s < ns; s++) kept[s] = x[s];
  for (PetscInt l = 0; l < n; l++) MendCell(ns, l, !(worst[l] > 1.0e-6) ? PETSC_TRUE : PETSC_FALSE, eq, kept);
  for (PetscInt s = 0; s < ns; s++) x[s] = kept[s];
}

INLINED void SolveFour(const PetscInt ns, PetscInt n, PetscInt i, const Equations *eq, PetscReal *out, PetscReal *u, SoretFour total[])
{
  SoretFour     c[SORET_FEW], b[SORET_FEW], f[SORET_FEW], x[SORET_FEW], LU[SORET_FEW * SORET_FEW], worst;
  SoretFourMask bad;

  for (PetscInt e = 0; e < ns * ns; e++) LU[e] = eq->J[e];
  for (PetscInt s = 0; s < ns; s++) f[s] = eq->f[s];
  worst = SoretFourSolve(ns, LU, f, x);
  bad   = ~(worst > 1.0e-6);
  for (PetscInt s = 0; s < ns; s++) {
    c[s] = eq->c[s];
    bad |= (c[s] > 0.0) & ~(c[s] - x[s] > 0.0);
  }
  if (SoretFourAny(bad)) Mend(ns, n, worst, eq, x);
  for (PetscInt s = 0; s < ns; s++) {
    c[s] -= x[s];
    b[s] = eq->b[s] * c[s];
    x[s] = eq->V * c[s];
    if (n == SORET_FOUR) total[s] += x[s];
    else {
      for (PetscInt l = 0; l < n; l++) total[s][l] += x[s][l];
    }
  }
  SoretFourStoreCells(ns, n, 2, c, out + i * ns);
  SoretFourStoreCells(ns, n, 2, b, u + i * ns);
}

/* Some blocks in three short loops, of which a processor holds several rounds at once and so hides what loads and divisions take. Cells of one colour do not change each other's transport. */
INLINED void Correct(const PetscInt ns, const SoretBlocks kind, const struct SoretPair *one, const SoretBlockRow *row, PetscInt begin, PetscInt end, PetscReal *c, PetscReal *u, PetscReal *content)
{
  enum { MOST = 8 };
  const PetscInt full = (end - begin + 1) / 8;
  SoretFour      total[SORET_FEW];
  Equations      eq[MOST];

  for (PetscInt s = 0; s < ns; s++) total[s] = SoretFourOf(0.0);
  for (PetscInt k0 = 0; k0 < full; k0 += MOST) {
    const PetscInt num = PetscMin(full - k0, MOST), at = begin + 8 * k0;

    for (PetscInt k = 0; k < num; k++) eq[k].V = Transport(ns, kind, SORET_FOUR, 2, row, at + 8 * k, eq[k].f, eq[k].diagonal);
    for (PetscInt k = 0; k < num; k++) Linearise(ns, kind, one, SORET_FOUR, row, at + 8 * k, c, &eq[k]);
    for (PetscInt k = 0; k < num; k++) SolveFour(ns, SORET_FOUR, at + 8 * k, &eq[k], c, u, total);
  }
  for (PetscInt s = 0; s < ns; s++) content[s] += total[s][0] + total[s][1] + total[s][2] + total[s][3];
}

INLINED void CorrectRest(const PetscInt ns, const SoretBlocks kind, const SoretBlockRow *row, PetscInt begin, PetscInt end, PetscReal *c, PetscReal *u, PetscReal *content)
{
  const PetscInt rest = (end - begin + 1) / 2 % SORET_FOUR, at = begin + 8 * ((end - begin + 1) / 8);
  SoretFour      total[SORET_FEW];
  Equations      eq;

  for (PetscInt s = 0; s < ns; s++) total[s] = SoretFourOf(0.0);
  eq.V = Transport(ns, kind, rest, 2, row, at, eq.f, eq.diagonal);
  Linearise(ns, kind, NULL, rest, row, at, c, &eq);
  SolveFour(ns, rest, at, &eq, c, u, total);
  for (PetscInt s = 0; s < ns; s++) content[s] += total[s][0] + total[s][1] + total[s][2] + total[s][3];
}

INSTANCES(INSTANCE, Correct, (const SoretBlockRow *given, PetscInt begin, PetscInt end, PetscReal *c, PetscReal *u, PetscReal *content), row, begin, end, c, u, content)
INSTANCES(REST, CorrectRest, (const SoretBlockRow *row, PetscInt begin, PetscInt end, PetscReal *c, PetscReal *u, PetscReal *content), row, begin, end, c, u, content)

void SoretBlocksCorrect(PetscInt ns, SoretBlocks kind, const SoretBlockRow *row, PetscInt begin, PetscInt end, PetscReal c[], PetscReal u[], PetscReal content[])
{
  static void (*const full[][SORET_FEW + 1])(const SoretBlockRow *, PetscInt, PetscInt, PetscReal *, PetscReal *, PetscReal *) = TABLE(Correct);
  static void (*const rest[][SORET_FEW + 1])(const SoretBlockRow *, PetscInt, PetscInt, PetscReal *, PetscReal *, PetscReal *) = TABLE(CorrectRest);

  if (end - begin + 1 >= 8) full[kind][ns](row, begin, end, c, u, content);
  if ((end - begin + 1) / 2 % SORET_FOUR) rest[kind][ns](row, begin, end, c, u, content);
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

SORET_CLONES void SoretBlocksGross(PetscInt ns, const SoretBlockRow *row, const PetscReal c[], PetscReal net[], PetscReal gross[])
{
  BY_FEW(Gross, ns, row, c, net, gross);
}

/* ---- amounts ---- */

INLINED void ContentOfFour(const PetscInt ns, PetscInt n, const PetscReal *volume, const PetscReal *x, SoretFour total[])
{
  const SoretFour V = SoretFourLoadLanes(ns, n, 1, volume);
  SoretFour       c[SORET_FEW];

  SoretFourLoadCells(ns, n, 1, x, c);
  for (PetscInt s = 0; s < ns; s++) {
    c[s] *= V;
    for (PetscInt l = n; l < SORET_FOUR; l++) c[s][l] = 0.0;
    total[s] += c[s];
  }
}

INLINED void Content(const PetscInt ns, PetscInt nx, const PetscReal *volume, const PetscReal *c, PetscReal *content)
{
  const PetscInt rest = nx % SORET_FOUR, full = nx - rest;
  SoretFour      total[SORET_FEW];

  for (PetscInt s = 0; s < ns; s++) total[s] = SoretFourOf(0.0);
  for (PetscInt i = 0; i < full; i += SORET_FOUR) ContentOfFour(ns, SORET_FOUR, volume + i, c + i * ns, total);
  if (rest) ContentOfFour(ns, rest, volume + full, c + full * ns, total);
  for (PetscInt s = 0; s < ns; s++) content[s] += total[s][0] + total[s][1] + total[s][2] + total[s][3];
}

SORET_CLONES void SoretBlocksContent(PetscInt ns, PetscInt nx, const PetscReal volume[], const PetscReal c[], PetscReal content[])
{
  BY_FEW(Content, ns, nx, volume, c, content);
}
