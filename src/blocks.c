/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocks.h"

#include "block.h"
#include "soret/dense.h"

/* ---- parts ---- */

/* Rate constants of direction r of n cells from cell i on, `step` apart. */
INLINED SoretFour RateConstant(const PetscInt ns, const SoretBlockRow *row, PetscInt r, ptrdiff_t i, PetscInt n, const PetscInt step)
{
  return SoretFourLoadLanes(ns, n, step, row->k[r] + (row->slot[r] < 0 ? 0 : i));
}

/* What is the same in all blocks of a row, in a copy that no store can change. */
typedef struct {
  SoretFour        a[SORET_FEW], constant[SORET_FEW], matrix[SORET_FEW * SORET_FEW], shift;
  PetscReal        area, g[4], across, even_width, g_even[6]; /* across: sum of g */
  struct SoretPair pair;       /* the only reaction, but with ANY         */
  const PetscReal *k[2];       /* its rate constants                      */
  ptrdiff_t        advance[2]; /* all bits where these vary along the row */
} Same;

/* What a function is made for: any reactions; a single one, of which what is looked up is then the same in all blocks; this without matrix, kept terms and open
   walls; and, of these, steady or in time. */
typedef enum {
  ANY,
  ONE,
  STILL,
  MOVING
} What;

/* Reactions of which nothing is looked up, since they are known when this is compiled. */
static const struct SoretPair known[] = {
  [SORET_DIMERIZATION]  = {.factor = {0, 0, 1, 2}, .nu = {-2.0, 1.0}, .is = {{1.0, 1.0, 0.0, 0.0}, {0.0, 0.0, 1.0, 0.0}}},
  [SORET_ISOMERIZATION] = {.factor = {0, 2, 1, 2}, .nu = {-1.0, 1.0}, .is = {{1.0, 0.0, 0.0, 0.0}, {0.0, 0.0, 1.0, 0.0}}}
};

SoretShape SoretBlocksShape(PetscInt ns, PetscInt num_reactions, const struct SoretPair *pair)
{
  if (num_reactions != 1) return SORET_ANY_REACTIONS;
  if (ns == 2 && !memcmp(pair, &known[SORET_DIMERIZATION], sizeof(*pair))) return SORET_DIMERIZATION;
  if (ns == 2 && !memcmp(pair, &known[SORET_ISOMERIZATION], sizeof(*pair))) return SORET_ISOMERIZATION;
  return SORET_ONE_REACTION;
}

INLINED void SetSame(const PetscInt ns, const SoretBlocks kind, const SoretBlockRow *row, Same *same)
{
  if (kind >= SORET_BLOCKS_UNIFORM) {
    for (PetscInt s = 0; s < ns; s++) same->a[s] = SoretFourOf(row->a[s]);
    same->area   = row->area;
    same->across = 0.0;
    for (int face = 0; face < 4; face++) same->across += same->g[face] = row->g[face];
  }
  if (kind == SORET_BLOCKS_EVEN) {
    same->even_width = row->even_width;
    for (int face = 0; face < 6; face++) same->g_even[face] = row->g_even[face];
  }
  same->shift = SoretFourOf(row->shift);
  for (PetscInt s = 0; s < ns; s++) same->constant[s] = SoretFourOf(row->constant ? row->constant[s] : 0.0);
  for (PetscInt e = 0; e < ns * ns; e++) same->matrix[e] = SoretFourOf(row->matrix ? row->matrix[e] : 0.0);
}

INLINED void SetPair(const SoretBlockRow *row, const struct SoretPair *pair, Same *same)
{
  same->pair = *pair;
  for (int r = 0; r < 2; r++) {
    same->k[r]       = row->k[r];
    same->advance[r] = row->slot[r] < 0 ? 0 : -1;
  }
}

/* sum = terms less sources of n cells from cell i on, `step` apart, and its derivative J by c if wanted. x - concentrations of the row; c - [ns + 1], written. */
INLINED void React(const PetscInt ns, const What what, const Same *same, PetscInt n, const PetscInt step, const SoretBlockRow *row, ptrdiff_t i, const PetscReal *x, SoretFour c[], SoretFour sum[], SoretFour J[])
{
  SoretFourLoadCells(ns, n, step, x + i * ns, c);
  c[ns] = SoretFourOf(1.0);
  for (PetscInt s = 0; s < ns; s++) sum[s] = same->constant[s];
  for (PetscInt e = 0; e < ns * ns && J; e++) J[e] = SoretFourOf(0.0);
  if (what == MOVING || (what <= ONE && row->shift != 0.0)) {
    SoretFour old[SORET_FEW];

    for (PetscInt s = 0; s < ns; s++) old[s] = SoretFourOf(0.0);
    if (row->old) SoretFourLoadCells(ns, n, step, row->old + i * ns, old);
    for (PetscInt s = 0; s < ns; s++) {
      sum[s] += same->shift * (c[s] - old[s]);
      if (J) J[s * ns + s] = same->shift;
    }
  }
  if (what <= ONE && row->matrix) {
    for (PetscInt e = 0; e < ns * ns; e++) {
      sum[e / ns] += same->matrix[e] * c[e % ns];
      if (J) J[e] += same->matrix[e];
    }
  }
  if (what <= ONE && row->kept) {
    SoretFour kept[SORET_FEW];

    SoretFourLoadCells(ns, n, step, row->kept + i * ns, kept);
    for (PetscInt s = 0; s < ns; s++) sum[s] -= kept[s];
  }
  if (what != ANY) {
    const SoretFour kf = SoretFourLoadLanes(ns, n, step, same->k[0] + (i & same->advance[0])), kb = SoretFourLoadLanes(ns, n, step, same->k[1] + (i & same->advance[1]));

    SoretFourReact(ns, &same->pair, kf, kb, c, sum, J);
    return;
  }
  for (PetscInt r = 0; r < row->num_reactions; r++) SoretFourReact(ns, &row->pair[r], RateConstant(ns, row, 2 * r, i, n, step), RateConstant(ns, row, 2 * r + 1, i, n, step), c, sum, J);
}

/* Net outflow of n cells through their faces, mixed, where conductances are products (SoretKernelUniformRow()). */
INLINED void TransportUniform(const PetscInt ns, const Same *same, PetscInt n, const PetscInt step, const SoretBlockRow *row, ptrdiff_t q, SoretFour f[])
{
  SoretFour u[SORET_FEW], lo[SORET_FEW], hi[SORET_FEW], g_lo[SORET_FEW], g_hi[SORET_FEW], dx[SORET_FEW];

  SoretFourLoadMixed(ns, n, step, row->u + q, u);
  SoretFourLoadMixed(ns, n, step, row->u_lo[1] + q, lo);
  SoretFourLoadMixed(ns, n, step, row->u_hi[1] + q, hi);
  for (PetscInt v = 0; v < ns; v++) f[v] = SORET_FACE_FLUX(same->g[1], u[v], hi[v]) - SORET_FACE_FLUX(same->g[0], lo[v], u[v]);
  SoretFourLoadMixed(ns, n, step, row->u_lo[2] + q, lo);
  SoretFourLoadMixed(ns, n, step, row->u_hi[2] + q, hi);
  SoretFourLoadMixed(ns, n, step, row->dx + q, dx);
  for (PetscInt v = 0; v < ns; v++) f[v] = dx[v] * (f[v] + (SORET_FACE_FLUX(same->g[3], u[v], hi[v]) - SORET_FACE_FLUX(same->g[2], lo[v], u[v])));
  SoretFourLoadMixed(ns, n, step, row->u + q - ns, lo);
  SoretFourLoadMixed(ns, n, step, row->u + q + ns, hi);
  SoretFourLoadMixed(ns, n, step, row->gx + q, g_lo);
  SoretFourLoadMixed(ns, n, step, row->gx + q + ns, g_hi);
  for (PetscInt v = 0; v < ns; v++) f[v] += same->area * (SORET_FACE_FLUX(g_hi[v], u[v], hi[v]) - SORET_FACE_FLUX(g_lo[v], lo[v], u[v]));
}

/* The same over a, where conductances are the same in all cells. */
INLINED void TransportEven(const PetscInt ns, const Same *same, PetscInt n, const PetscInt step, const SoretBlockRow *row, ptrdiff_t q, SoretFour f[])
{
  SoretFour u[SORET_FEW], lo[SORET_FEW], hi[SORET_FEW];

  SoretFourLoadMixed(ns, n, step, row->u + q, u);
  SoretFourLoadMixed(ns, n, step, row->u + q - ns, lo);
  SoretFourLoadMixed(ns, n, step, row->u + q + ns, hi);
  for (PetscInt v = 0; v < ns; v++) f[v] = SORET_FACE_FLUX(same->g_even[1], u[v], hi[v]) - SORET_FACE_FLUX(same->g_even[0], lo[v], u[v]);
  for (int axis = 1; axis < 3; axis++) {
    SoretFourLoadMixed(ns, n, step, row->u_lo[axis] + q, lo);
    SoretFourLoadMixed(ns, n, step, row->u_hi[axis] + q, hi);
    for (PetscInt v = 0; v < ns; v++) f[v] += SORET_FACE_FLUX(same->g_even[2 * axis + 1], u[v], hi[v]) - SORET_FACE_FLUX(same->g_even[2 * axis], lo[v], u[v]);
  }
}

/* The same for conductances face by face, and the sum of these. */
INLINED void TransportFaces(const PetscInt ns, PetscInt n, const PetscInt step, const SoretBlockRow *row, ptrdiff_t q, SoretFour f[], SoretFour sum[])
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
INLINED SoretFour Transport(const PetscInt ns, const SoretBlocks kind, const What what, const Same *same, PetscInt n, const PetscInt step, const SoretBlockRow *row, ptrdiff_t i, SoretFour F[], SoretFour diagonal[])
{
  SoretFour f[SORET_FEW], sum[SORET_FEW], V;

  if (kind >= SORET_BLOCKS_UNIFORM) {
    const SoretFour width = kind == SORET_BLOCKS_EVEN ? SoretFourOf(same->even_width) : SoretFourLoadLanes(ns, n, step, row->width + i);

    V = same->area * width;
    if (diagonal) {
      const SoretFour span = same->area * SoretFourLoadLanes(ns, n, step, row->gx_sum + i) + width * same->across;

      for (PetscInt s = 0; s < ns; s++) diagonal[s] = same->a[s] * span;
    }
    if (kind == SORET_BLOCKS_EVEN) TransportEven(ns, same, n, step, row, i * ns, f);
    else TransportUniform(ns, same, n, step, row, i * ns, f);
  } else {
    V = SoretFourLoadLanes(ns, n, step, row->volume + i);
    if (kind == SORET_BLOCKS_FACES) TransportFaces(ns, n, step, row, i * ns, f, sum);
    else if (diagonal) SoretFourLoadMixed(ns, n, step, row->diagonal + i * ns, sum);
    if (diagonal) SoretFourSort(ns, n, sum, diagonal);
  }
  if (kind == SORET_BLOCKS_STORED) SoretFourLoadMixed(ns, n, step, row->f + i * ns, f);
  SoretFourSort(ns, n, f, F);
  for (PetscInt s = 0; s < ns && kind == SORET_BLOCKS_EVEN; s++) F[s] *= same->a[s];
  if (kind != SORET_BLOCKS_STORED && what <= ONE && row->f) {
    SoretFour walls[SORET_FEW];

    SoretFourLoadCells(ns, n, step, row->f + i * ns, walls);
    for (PetscInt s = 0; s < ns; s++) F[s] += walls[s];
  }
  return V;
}

/* Asks memory for what will be needed when n cells from cell i on have been filled. */
#define ASK_AHEAD(ask, n) \
  do { \
    for (int r = 0; r < 2 && what != ANY; r++) ask(same->k[r] + (i & same->advance[r]) + SORET_AHEAD / 2); \
    for (ptrdiff_t q = i * ns; q < (i + (n)) * ns; q += SORET_LINE) { \
      if (what == MOVING && row->old) ask(row->old + q + SORET_AHEAD); \
      ask(row->fill_b + q + SORET_AHEAD); \
      ask(row->fill_c + q + SORET_AHEAD); \
    } \
  } while (0)

/* u of n cells, a multiple of four, of the row that is filled on the way. */
INLINED void FillOnTheWay(const PetscInt ns, const What what, const PetscBool near, const Same *same, const PetscInt n, const SoretBlockRow *row, ptrdiff_t i)
{
  if (near) ASK_AHEAD(SORET_ASK_NEAR, n);
  else ASK_AHEAD(SORET_ASK_FOR, n);
  for (ptrdiff_t q = i * ns; q < (i + n) * ns; q += SORET_FOUR) SoretFourPut(SoretFourAt(row->fill_b + q) * SoretFourAt(row->fill_c + q), row->fill + q);
}

/* The same for cells [begin, end). */
INLINED void FillRest(const PetscInt ns, const SoretBlockRow *row, PetscInt begin, PetscInt end)
{
  SoretKernelScaleRow((end - begin) * ns, row->fill_b + begin * ns, row->fill_c + begin * ns, row->fill + begin * ns);
}

/* Functions for 1 to 4 species and each kind of transport: `name` with these as constants, in a function of its own, since registers are few, and with
   what else can be known where that is a good part of the work. */
#define INSTANCE(name, ns, kind, parameters, ...) \
  SORET_CLONES static void name##ns##kind parameters \
  { \
    const PetscBool plain = row->matrix || row->kept || row->f || row->walls ? PETSC_FALSE : PETSC_TRUE; \
    Same            same; \
    SetSame(ns, SORET_BLOCKS_##kind, row, &same); \
    if ((ns) > 2 || SORET_BLOCKS_##kind == SORET_BLOCKS_STORED || row->shape == SORET_ANY_REACTIONS) name(ns, SORET_BLOCKS_##kind, ANY, &same, __VA_ARGS__); \
    else if ((ns) == 2 && row->shape == SORET_DIMERIZATION) WITH_PAIR(name, ns, kind, &known[SORET_DIMERIZATION], __VA_ARGS__); \
    else if ((ns) == 2 && row->shape == SORET_ISOMERIZATION) WITH_PAIR(name, ns, kind, &known[SORET_ISOMERIZATION], __VA_ARGS__); \
    else WITH_PAIR(name, ns, kind, row->pair, __VA_ARGS__); \
  }
#define WITH_PAIR(name, ns, kind, pair, ...) \
  do { \
    SetPair(row, pair, &same); \
    if (plain && row->shift == 0.0) name(ns, SORET_BLOCKS_##kind, STILL, &same, __VA_ARGS__); \
    else if (plain) name(ns, SORET_BLOCKS_##kind, MOVING, &same, __VA_ARGS__); \
    else name(ns, SORET_BLOCKS_##kind, ONE, &same, __VA_ARGS__); \
  } while (0)
/* The same for the last cells of a row, fewer than four: compiled once. */
#define REST(name, ns, kind, parameters, ...) \
  static void name##ns##kind parameters \
  { \
    Same same; \
    SetSame(ns, SORET_BLOCKS_##kind, row, &same); \
    name(ns, SORET_BLOCKS_##kind, &same, __VA_ARGS__); \
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

/* past - past the caches? */
INLINED void ResidualOfFour(const PetscInt ns, const SoretBlocks kind, const PetscBool past, const What what, const Same *same, PetscInt n, const SoretBlockRow *row, ptrdiff_t i, const PetscReal *x, PetscReal *f)
{
  SoretFour       c[SORET_FEW + 1], sum[SORET_FEW], F[SORET_FEW];
  const SoretFour V = Transport(ns, kind, what, same, n, 1, row, i, F, NULL);

  React(ns, what, same, n, 1, row, i, x, c, sum, NULL);
  for (PetscInt s = 0; s < ns; s++) F[s] += V * sum[s];
  SoretFourStoreCells(ns, n, 1, past, F, f + i * ns);
}

INLINED void ResidualOfFours(const PetscInt ns, const SoretBlocks kind, const PetscBool past, const PetscBool near, const What what, const Same *same, const SoretBlockRow *row, const PetscReal *c, PetscReal *f)
{
  const SoretBlockRow own = *row; /* which no store changes */

  for (ptrdiff_t i = 0; i + SORET_FOUR <= own.nx; i += SORET_FOUR) {
    if (own.fill) FillOnTheWay(ns, what, near, same, SORET_FOUR, &own, i);
    ResidualOfFour(ns, kind, past, what, same, SORET_FOUR, &own, i, c, f);
  }
}

INLINED void Residual(const PetscInt ns, const SoretBlocks kind, const What what, const Same *same, const SoretBlockRow *row, const PetscReal *c, PetscReal *f)
{
  if (!((ns == 2 || ns == 4) && row->past)) ResidualOfFours(ns, kind, PETSC_FALSE, PETSC_FALSE, what, same, row, c, f);
  else if (row->near) ResidualOfFours(ns, kind, PETSC_TRUE, PETSC_TRUE, what, same, row, c, f);
  else ResidualOfFours(ns, kind, PETSC_TRUE, PETSC_FALSE, what, same, row, c, f);
}

INLINED void ResidualRest(const PetscInt ns, const SoretBlocks kind, const Same *same, const SoretBlockRow *row, const PetscReal *c, PetscReal *f)
{
  const PetscInt rest = row->nx % SORET_FOUR;

  if (row->fill) FillRest(ns, row, row->nx - rest, row->nx);
  ResidualOfFour(ns, kind, PETSC_FALSE, ANY, same, rest, row, row->nx - rest, c, f);
}

INSTANCES(INSTANCE, Residual, (const SoretBlockRow *restrict row, const PetscReal *c, PetscReal *f), row, c, f)
INSTANCES(REST, ResidualRest, (const SoretBlockRow *restrict row, const PetscReal *c, PetscReal *f), row, c, f)

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

INLINED void Linearise(const PetscInt ns, const SoretBlocks kind, const What what, const Same *same, PetscInt n, const SoretBlockRow *row, ptrdiff_t i, const PetscReal *x, Equations *eq)
{
  SoretFour c[SORET_FEW + 1], b[SORET_FEW], sum[SORET_FEW], J[SORET_FEW * SORET_FEW], more[SORET_FEW];

  React(ns, what, same, n, 2, row, i, x, c, sum, J);
  SoretFourLoadCells(ns, n, 2, row->b + i * ns, b);
  for (PetscInt s = 0; s < ns; s++) sum[s] = eq->f[s] + eq->V * sum[s];
  if (row->rhs) {
    SoretFourLoadCells(ns, n, 2, row->rhs + i * ns, more);
    for (PetscInt s = 0; s < ns; s++) sum[s] -= more[s];
  }
  for (PetscInt e = 0; e < ns * ns; e++) J[e] *= eq->V;
  for (PetscInt s = 0; s < ns; s++) J[s * ns + s] += row->inverse_omega * b[s] * eq->diagonal[s];
  if (what <= ONE && row->walls) {
    SoretFourLoadCells(ns, n, 2, row->walls + i * ns, more);
    for (PetscInt s = 0; s < ns; s++) J[s * ns + s] += more[s];
  }
  if (kind < SORET_BLOCKS_UNIFORM) { /* where nothing happens: a closed cell */
    for (PetscInt s = 0; s < ns; s++) J[s * ns + s] += SoretFourWhere(J[s * ns + s] == 0.0, SoretFourOf(1.0));
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

INLINED void SolveFour(const PetscInt ns, PetscInt n, ptrdiff_t i, const Equations *eq, PetscReal *out, PetscReal *u, SoretFour total[])
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
  SoretFourStoreCells(ns, n, 2, PETSC_FALSE, c, out + i * ns);
  SoretFourStoreCells(ns, n, 2, PETSC_FALSE, b, u + i * ns);
}

/* Stretches of eight cells from begin on that are filled while every second of them is corrected. */
static inline PetscInt FilledOnTheWay(const SoretBlockRow *row, PetscInt begin, PetscInt end)
{
  return row->fill ? PetscMin((end - begin + 1) / 8, (row->nx - begin) / 8) : 0;
}

/* Some blocks in three short loops, of which a processor holds several rounds at once and so hides what loads and divisions take. Cells of one colour do not change each other's transport. */
INLINED void Correct(const PetscInt ns, const SoretBlocks kind, const What what, const Same *same, const SoretBlockRow *row, PetscInt begin, PetscInt end, PetscReal *c, PetscReal *u, PetscReal *content)
{
  enum { MOST = 8 };
  const SoretBlockRow own  = *row; /* which no store changes */
  const PetscInt      full = (end - begin + 1) / 8, filled = FilledOnTheWay(row, begin, end);
  SoretFour           total[SORET_FEW];
  Equations           eq[MOST];

  for (PetscInt s = 0; s < ns; s++) total[s] = SoretFourOf(0.0);
  for (PetscInt k0 = 0; k0 < full; k0 += MOST) {
    const PetscInt  num = PetscMin(full - k0, MOST);
    const ptrdiff_t at  = begin + 8 * k0;

    for (PetscInt k = 0; k < num; k++) {
      if (k0 + k < filled) FillOnTheWay(ns, what, own.near, same, 2 * SORET_FOUR, &own, at + 8 * k);
      eq[k].V = Transport(ns, kind, what, same, SORET_FOUR, 2, &own, at + 8 * k, eq[k].f, eq[k].diagonal);
    }
    for (PetscInt k = 0; k < num; k++) Linearise(ns, kind, what, same, SORET_FOUR, &own, at + 8 * k, c, &eq[k]);
    for (PetscInt k = 0; k < num; k++) SolveFour(ns, SORET_FOUR, at + 8 * k, &eq[k], c, u, total);
  }
  for (PetscInt s = 0; s < ns; s++) content[s] += SoretFourTotal(total[s]);
}

INLINED void CorrectRest(const PetscInt ns, const SoretBlocks kind, const Same *same, const SoretBlockRow *row, PetscInt begin, PetscInt end, PetscReal *c, PetscReal *u, PetscReal *content)
{
  const PetscInt rest = (end - begin + 1) / 2 % SORET_FOUR, at = begin + 8 * ((end - begin + 1) / 8);
  SoretFour      total[SORET_FEW];
  Equations      eq;

  for (PetscInt s = 0; s < ns; s++) total[s] = SoretFourOf(0.0);
  eq.V = Transport(ns, kind, ANY, same, rest, 2, row, at, eq.f, eq.diagonal);
  Linearise(ns, kind, ANY, same, rest, row, at, c, &eq);
  SolveFour(ns, rest, at, &eq, c, u, total);
  for (PetscInt s = 0; s < ns; s++) content[s] += SoretFourTotal(total[s]);
}

INSTANCES(INSTANCE, Correct, (const SoretBlockRow *restrict row, PetscInt begin, PetscInt end, PetscReal *c, PetscReal *u, PetscReal *content), row, begin, end, c, u, content)
INSTANCES(REST, CorrectRest, (const SoretBlockRow *restrict row, PetscInt begin, PetscInt end, PetscReal *c, PetscReal *u, PetscReal *content), row, begin, end, c, u, content)

void SoretBlocksCorrect(PetscInt ns, SoretBlocks kind, const SoretBlockRow *row, PetscInt begin, PetscInt end, PetscReal c[], PetscReal u[], PetscReal content[])
{
  static void (*const full[][SORET_FEW + 1])(const SoretBlockRow *, PetscInt, PetscInt, PetscReal *, PetscReal *, PetscReal *) = TABLE(Correct);
  static void (*const rest[][SORET_FEW + 1])(const SoretBlockRow *, PetscInt, PetscInt, PetscReal *, PetscReal *, PetscReal *) = TABLE(CorrectRest);

  if (row->fill) {
    FillRest(ns, row, 0, begin);
    FillRest(ns, row, begin + 8 * FilledOnTheWay(row, begin, end), row->nx);
  }
  if (end - begin + 1 >= 8) full[kind][ns](row, begin, end, c, u, content);
  if ((end - begin + 1) / 2 % SORET_FOUR) rest[kind][ns](row, begin, end, c, u, content);
}

/* ---- gross rates ---- */

/* Net source of n cells from cell i on, and sum over reactions of |nu| (forward + backward rate), per volume. only - the single reaction where it is known when this
   is compiled, else NULL; c - [ns + 1], written. */
INLINED void GrossRates(const PetscInt ns, const struct SoretPair *only, PetscInt n, const SoretBlockRow *row, ptrdiff_t i, const PetscReal *x, SoretFour c[], SoretFour source[], SoretFour absolute[])
{
  SoretFourLoadCells(ns, n, 1, x + i * ns, c);
  c[ns] = SoretFourOf(1.0);
  for (PetscInt s = 0; s < ns; s++) source[s] = absolute[s] = SoretFourOf(0.0);
  for (PetscInt r = 0; r < (only ? 1 : row->num_reactions); r++) {
    const struct SoretPair *pair    = only ? only : &row->pair[r];
    const SoretFour         forward = RateConstant(ns, row, 2 * r, i, n, 1) * c[pair->factor[0]] * c[pair->factor[1]], backward = RateConstant(ns, row, 2 * r + 1, i, n, 1) * c[pair->factor[2]] * c[pair->factor[3]];
    const SoretFour         both    = SoretFourAbs(forward) + SoretFourAbs(backward);

    for (PetscInt s = 0; s < ns; s++) {
      source[s] += pair->nu[s] * (forward - backward);
      absolute[s] += PetscAbsReal(pair->nu[s]) * both;
    }
  }
}

INLINED void GrossOfFour(const PetscInt ns, PetscInt n, const SoretBlockRow *row, ptrdiff_t i, const PetscReal *x, PetscReal *net, PetscReal *gross)
{
  const SoretFour V = SoretFourLoadLanes(ns, n, 1, row->volume + i);
  SoretFour       c[SORET_FEW + 1], source[SORET_FEW], absolute[SORET_FEW];

  GrossRates(ns, NULL, n, row, i, x, c, source, absolute);
  for (PetscInt s = 0; s < ns; s++) {
    source[s] *= V;
    absolute[s] *= V;
  }
  SoretFourStoreCells(ns, n, 1, PETSC_FALSE, source, net + i * ns);
  SoretFourStoreCells(ns, n, 1, PETSC_FALSE, absolute, gross + i * ns);
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

/* ---- squares ---- */

enum {
  MOST_SUMS = 8
};

/* Squares of four cells, and largest values, in each lane. */
typedef struct {
  SoretFour residual[SORET_FEW], gross[SORET_FEW], floor[SORET_FEW], left[SORET_FEW], rates[SORET_FEW];
  struct SumSquares {
    SoretFour residual, gross, floor, left, amount, relative, relative_gross, relative_floor, most, minus_least;
  } sum[MOST_SUMS];
} Squares;

/* Conductances of the lower and upper faces of n cells along an axis, mixed. */
INLINED void FaceConductances(const PetscInt ns, const SoretBlocks kind, const Same *same, PetscInt n, const SoretBlockRow *row, int axis, PetscInt q, SoretFour g_lo[], SoretFour g_hi[])
{
  if (kind == SORET_BLOCKS_FACES) {
    SoretFourLoadMixed(ns, n, 1, row->g_lo[axis] + q, g_lo);
    SoretFourLoadMixed(ns, n, 1, row->g_hi[axis] + q, g_hi);
  } else if (axis == 0) {
    SoretFourLoadMixed(ns, n, 1, row->gx + q, g_lo);
    SoretFourLoadMixed(ns, n, 1, row->gx + q + ns, g_hi);
    for (PetscInt v = 0; v < ns; v++) {
      g_lo[v] *= same->area;
      g_hi[v] *= same->area;
    }
  } else {
    SoretFourLoadMixed(ns, n, 1, row->dx + q, g_lo);
    for (PetscInt v = 0; v < ns; v++) {
      g_hi[v] = same->g[2 * axis - 1] * g_lo[v];
      g_lo[v] *= same->g[2 * axis - 2];
    }
  }
}

/* Net outflow, sum of absolute fluxes and of the fluxes to and fro of n cells from cell i on; u of these. */
INLINED void GrossTransport(const PetscInt ns, const SoretBlocks kind, const Same *same, PetscInt n, const SoretBlockRow *row, ptrdiff_t i, SoretFour u[], SoretFour net[], SoretFour gross[], SoretFour scale[])
{
  SoretFour own[SORET_FEW], lo[SORET_FEW], hi[SORET_FEW], g_lo[SORET_FEW], g_hi[SORET_FEW], f[SORET_FEW], sum[SORET_FEW], span[SORET_FEW];

  SoretFourLoadMixed(ns, n, 1, row->u + i * ns, own);
  for (PetscInt v = 0; v < ns; v++) f[v] = sum[v] = span[v] = SoretFourOf(0.0);
  for (int axis = 0; axis < row->dim; axis++) {
    SoretFourLoadMixed(ns, n, 1, row->u_lo[axis] + i * ns, lo);
    SoretFourLoadMixed(ns, n, 1, row->u_hi[axis] + i * ns, hi);
    FaceConductances(ns, kind, same, n, row, axis, i * ns, g_lo, g_hi);
    for (PetscInt v = 0; v < ns; v++) {
      const SoretFour in = SORET_FACE_FLUX(g_lo[v], lo[v], own[v]), out = SORET_FACE_FLUX(g_hi[v], own[v], hi[v]);

      f[v] += out - in;
      sum[v] += SoretFourAbs(in) + SoretFourAbs(out);
      span[v] += g_lo[v] + g_hi[v];
    }
  }
  for (PetscInt v = 0; v < ns; v++) span[v] *= 2.0 * SoretFourAbs(own[v]);
  SoretFourSort(ns, n, own, u);
  SoretFourSort(ns, n, f, net);
  SoretFourSort(ns, n, sum, gross);
  SoretFourSort(ns, n, span, scale);
}

INLINED SoretFour Larger(SoretFour a, SoretFour b)
{
  const SoretFourMask mask = a > b;

  return (SoretFour)((mask & (SoretFourMask)a) | (~mask & (SoretFourMask)b));
}

INLINED void AddSquaresOfFour(const PetscInt ns, const SoretBlocks kind, const struct SoretPair *only, const Same *same, PetscInt n, const SoretBlockRow *row, ptrdiff_t i, const PetscReal *x, const SoretSquares *squares, Squares *all)
{
  const SoretFourMask live = {-1, n > 1 ? -1 : 0, n > 2 ? -1 : 0, n > 3 ? -1 : 0};
  const SoretFour     V    = SoretFourLoadLanes(ns, n, 1, row->volume + i);
  SoretFour           u[SORET_FEW], net[SORET_FEW], gross[SORET_FEW], scale[SORET_FEW], c[SORET_FEW + 1], source[SORET_FEW], absolute[SORET_FEW];

  GrossTransport(ns, kind, same, n, row, i, u, net, gross, scale);
  GrossRates(ns, only, n, row, i, x, c, source, absolute);
  for (PetscInt s = 0; s < ns; s++) {
    const SoretFour f = SoretFourWhere(live, net[s] - V * source[s]), g = SoretFourWhere(live, gross[s] + V * absolute[s]), r = SoretFourWhere(live, scale[s] + V * absolute[s]);

    all->residual[s] += f * f;
    all->gross[s] += g * g;
    all->floor[s] += r * r;
    all->left[s] += f;
    all->rates[s] += SoretFourWhere(live, V * absolute[s]);
  }
  for (PetscInt l = 0; l < squares->num; l++) {
    struct SumSquares *sum = &all->sum[l];
    const PetscReal   *w   = squares->w + l * ns;
    SoretFour          f = SoretFourOf(0.0), g = f, r = f, amount = f, content = f, over;
    SoretFourMask      there;

    for (PetscInt s = 0; s < ns; s++) {
      const PetscReal weight = PetscAbsReal(w[s]);

      f += w[s] * net[s];
      g += weight * gross[s];
      r += weight * scale[s];
      amount += weight * squares->D[s] * SoretFourAbs(c[s]);
      content += weight * SoretFourAbs(c[s]);
    }
    f      = SoretFourWhere(live, f);
    g      = SoretFourWhere(live, g);
    r      = SoretFourWhere(live, r);
    amount = SoretFourWhere(live, V * amount);
    there  = live & (content > 0.0) & (V > 0.0);
    sum->residual += f * f;
    sum->gross += g * g;
    sum->floor += r * r;
    sum->left += f;
    sum->amount += amount * amount;
    sum->most        = Larger(sum->most, SoretFourWhere(there, content));
    sum->minus_least = Larger(sum->minus_least, (SoretFour)((there & (SoretFourMask)(-content)) | (~there & (SoretFourMask)sum->minus_least)));
    if (!squares->each) continue;
    over = SoretFourWhere(there, 1.0 / (content * V));
    f *= over;
    g *= over;
    r *= over;
    sum->relative += f * f;
    sum->relative_gross += g * g;
    sum->relative_floor += r * r;
  }
}

INLINED PetscReal Largest(SoretFour v)
{
  return PetscMax(PetscMax(v[0], v[1]), PetscMax(v[2], v[3]));
}

INLINED void AddSquares(const PetscInt ns, const SoretBlocks kind, const struct SoretPair *only, const SoretBlockRow *row, const PetscReal *c, SoretSquares *squares)
{
  const PetscInt rest = row->nx % SORET_FOUR;
  Squares        all;
  Same           same;

  memset(&all, 0, sizeof(all));
  for (PetscInt l = 0; l < squares->num; l++) all.sum[l].minus_least = SoretFourOf(-PETSC_MAX_REAL);
  SetSame(ns, kind, row, &same);
  for (PetscInt i = 0; i < row->nx - rest; i += SORET_FOUR) {
    if (row->fill) FillOnTheWay(ns, ANY, row->near, &same, SORET_FOUR, row, i);
    AddSquaresOfFour(ns, kind, only, &same, SORET_FOUR, row, i, c, squares, &all);
  }
  if (rest && row->fill) FillRest(ns, row, row->nx - rest, row->nx);
  if (rest) AddSquaresOfFour(ns, kind, only, &same, rest, row, row->nx - rest, c, squares, &all);
  for (PetscInt s = 0; s < ns; s++) {
    squares->residual[s] += SoretFourTotal(all.residual[s]);
    squares->gross[s] += SoretFourTotal(all.gross[s]);
    squares->floor[s] += SoretFourTotal(all.floor[s]);
    squares->left[s] += SoretFourTotal(all.left[s]);
    squares->rates[s] += SoretFourTotal(all.rates[s]);
  }
  for (PetscInt l = 0; l < squares->num; l++) {
    const struct SumSquares *sum = &all.sum[l];
    const PetscInt           e   = ns + l;

    squares->residual[e] += SoretFourTotal(sum->residual);
    squares->gross[e] += SoretFourTotal(sum->gross);
    squares->floor[e] += SoretFourTotal(sum->floor);
    squares->left[e] += SoretFourTotal(sum->left);
    squares->amount[e] += SoretFourTotal(sum->amount);
    squares->relative[e] += SoretFourTotal(sum->relative);
    squares->relative_gross[e] += SoretFourTotal(sum->relative_gross);
    squares->relative_floor[e] += SoretFourTotal(sum->relative_floor);
    squares->relative_exchange[e] += SoretFourTotal(sum->relative_floor); /* no velocity here */
    squares->range[2 * e]     = PetscMax(squares->range[2 * e], Largest(sum->most));
    squares->range[2 * e + 1] = PetscMax(squares->range[2 * e + 1], Largest(sum->minus_least));
  }
}

#define SQUARES(kind) \
  SORET_CLONES static void AddSquares##kind(PetscInt ns, const SoretBlockRow *restrict row, const PetscReal *c, SoretSquares *squares) \
  { \
    if (row->shape == SORET_DIMERIZATION) AddSquares(2, SORET_BLOCKS_##kind, &known[SORET_DIMERIZATION], row, c, squares); \
    else if (row->shape == SORET_ISOMERIZATION) AddSquares(2, SORET_BLOCKS_##kind, &known[SORET_ISOMERIZATION], row, c, squares); \
    else BY_FEW(AddSquares, ns, SORET_BLOCKS_##kind, NULL, row, c, squares); \
  }
SQUARES(FACES)
SQUARES(UNIFORM)

PetscBool SoretBlocksAddSquares(PetscInt ns, SoretBlocks kind, const SoretBlockRow *row, const PetscReal c[], SoretSquares *squares)
{
  if (squares->num > MOST_SUMS) return PETSC_FALSE;
  if (kind == SORET_BLOCKS_FACES) AddSquaresFACES(ns, row, c, squares);
  else AddSquaresUNIFORM(ns, row, c, squares);
  return PETSC_TRUE;
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
  for (PetscInt s = 0; s < ns; s++) content[s] += SoretFourTotal(total[s]);
}

SORET_CLONES void SoretBlocksContent(PetscInt ns, PetscInt nx, const PetscReal volume[], const PetscReal c[], PetscReal content[])
{
  BY_FEW(Content, ns, nx, volume, c, content);
}
