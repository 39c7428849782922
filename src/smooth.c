/* SPDX-License-Identifier: BSD-2-Clause

   The smoother: red-black Gauss-Seidel by cells, each with the exact derivative of its reactions, both colours in one pass. */
#include "rows.h"
#include "soret/dense.h"

typedef struct {
  const SoretCellTerms *terms;
  const PetscReal      *rhs;     /* may be NULL */
  PetscReal            *c;       /* the vector itself, changed in place */
  PetscReal            *content; /* [num_species] */
  SoretBlockRow         blocks;  /* the general way takes inverse_omega of it, too */
} Sweep;

/* What is known of a row before its lanes. */
typedef struct {
  const PetscReal *f;        /* transport and walls              */
  const PetscReal *diagonal; /* their derivative by the own u    */
  const PetscReal *walls;    /* that of the walls by c, or NULL  */
  const PetscReal *volume;
} RowParts;

/* Solves J x = f in one lane from scratch: where elimination without pivoting lost too much. */
static void SolveLane(PetscInt ns, PetscInt pitch, const PetscReal *J, const PetscReal *f, PetscReal *x)
{
  PetscReal A[SORET_MAX_SPECIES * SORET_MAX_SPECIES], r[SORET_MAX_SPECIES];

  for (PetscInt e = 0; e < ns * ns; e++) A[e] = J[e * pitch];
  for (PetscInt s = 0; s < ns; s++) r[s] = f[s * pitch];
  (void)SoretSolveDense(ns, A, r);
  for (PetscInt s = 0; s < ns; s++) x[s * pitch] = r[s];
}

/* Solves J x = f in each of n lanes, which lie `pitch` entries apart, by elimination without pivoting, which is safe for the diagonally dominant
   blocks of most networks; the pivots are watched, and lanes that lose digits are solved again with pivoting. J and f survive. */
INLINED void SolveLanes(const PetscInt ns, PetscInt n, const PetscInt pitch, const PetscReal *restrict J, const PetscReal *restrict f, PetscReal *restrict LU, PetscReal *restrict x, PetscReal *restrict pivot)
{
  PetscReal worst[SORET_MAX_LANES];

  for (PetscInt e = 0; e < ns * ns; e++) memcpy(LU + e * pitch, J + e * pitch, (size_t)n * sizeof(PetscReal));
  for (PetscInt s = 0; s < ns; s++) memcpy(x + s * pitch, f + s * pitch, (size_t)n * sizeof(PetscReal));
  for (PetscInt l = 0; l < n; l++) worst[l] = 1.0;
  for (PetscInt c = 0; c < ns; c++) {
    PetscReal       *row = LU + c * ns * pitch;
    const PetscReal *own = J + (c * ns + c) * pitch;

    for (PetscInt l = 0; l < n; l++) {
      worst[l] = PetscMin(worst[l], row[c * pitch + l] / own[l]);
      pivot[l] = 1.0 / row[c * pitch + l];
    }
    for (PetscInt i = c + 1; i < ns; i++) {
      PetscReal *below = LU + i * ns * pitch;

      for (PetscInt l = 0; l < n; l++) below[c * pitch + l] *= pivot[l];
      for (PetscInt j = c + 1; j < ns; j++) {
        for (PetscInt l = 0; l < n; l++) below[j * pitch + l] -= below[c * pitch + l] * row[j * pitch + l];
      }
      for (PetscInt l = 0; l < n; l++) x[i * pitch + l] -= below[c * pitch + l] * x[c * pitch + l];
    }
  }
  for (PetscInt c = ns - 1; c >= 0; c--) {
    PetscReal *row = LU + c * ns * pitch;

    for (PetscInt j = c + 1; j < ns; j++) {
      for (PetscInt l = 0; l < n; l++) x[c * pitch + l] -= row[j * pitch + l] * x[j * pitch + l];
    }
    for (PetscInt l = 0; l < n; l++) x[c * pitch + l] /= row[c * pitch + l];
  }
  for (PetscInt l = 0; l < n; l++) {
    if (!(worst[l] > 1.0e-6)) SolveLane(ns, pitch, J + l, f + l, x + l);
  }
}

/* Would SoretKernelShorten() do anything, or is anything not a number? */
INLINED PetscBool IsTooLong(const PetscInt ns, PetscInt n, const PetscInt pitch, const PetscReal *restrict c, const PetscReal *restrict x)
{
  int bad = 0;

  for (PetscInt s = 0; s < ns; s++) {
    SORET_PRAGMA(omp simd reduction(| : bad))
    for (PetscInt l = 0; l < n; l++) bad |= (c[s * pitch + l] > 0.0) & !(c[s * pitch + l] - x[s * pitch + l] > 0.0);
  }
  return bad ? PETSC_TRUE : PETSC_FALSE;
}

/* Newton's correction of the n cells i, i + 2, ... of a row; f and diagonal hold transport and walls of the row. */
SORET_CLONES static void CorrectLanes(PetscInt ns, SoretOperator *op, const Sweep *sweep, const SoretRow *row, const RowParts *parts, PetscInt i, PetscInt n)
{
  const SoretNetwork   *net   = &op->model->network;
  const SoretCellTerms *terms = sweep->terms;
  const PetscInt        p = row->first + i, R = 2 * net->num_reactions;
  PetscReal            *c = op->lanes, *f = c + ns * n, *sum = f + ns * n, *x = sum + ns * n, *J = x + ns * n, *volume = J + ns * ns * n, *work = volume + n, *k_lanes = work + n;
  PetscReal *restrict   out = sweep->c + p * ns, *restrict u = (PetscReal *)row->u[0][2] + i * ns;
  const PetscReal      *b = op->b + p * ns, *k[2 * SORET_MAX_REACTIONS];

  SoretGather(ns, n, 2, out, c);
  SoretGather(ns, n, 2, parts->f + i * ns, f);
  SoretGather(1, n, 2, parts->volume + i, volume);
  memset(sum, 0, (size_t)(ns * n) * sizeof(PetscReal));
  memset(J, 0, (size_t)(ns * ns * n) * sizeof(PetscReal));
  if (R) {
    SoretOperatorConstantLanes(op, row->number, i, k);
    for (PetscInt r = 0; r < R; r++) {
      if (op->slot[r] < 0) continue;
      SoretGather(1, n, 2, k[r], k_lanes + r * n);
      k[r] = k_lanes + r * n;
    }
    SoretNetworkAddSourceLanes(net, n, k, c, sum);
    SoretNetworkAddJacobianLanes(net, n, k, c, J);
    for (PetscInt q = 0; q < ns * n; q++) sum[q] = -sum[q];
    for (PetscInt e = 0; e < ns * ns; e++) {
      for (PetscInt l = 0; l < n; l++) J[e * n + l] *= -volume[l];
    }
  }
  if (terms) SoretAddTerms(ns, n, 2, terms, p, c, sum);
  if (terms && terms->matrix) {
    for (PetscInt e = 0; e < ns * ns; e++) {
      for (PetscInt l = 0; l < n; l++) J[e * n + l] += volume[l] * terms->matrix[e];
    }
  }
  for (PetscInt s = 0; s < ns; s++) {
    PetscReal *diagonal = J + (s * ns + s) * n;

    for (PetscInt l = 0; l < n && terms; l++) diagonal[l] += volume[l] * terms->shift;
    for (PetscInt l = 0; l < n; l++) f[s * n + l] += volume[l] * sum[s * n + l];
    for (PetscInt l = 0; l < n && sweep->rhs; l++) f[s * n + l] -= sweep->rhs[(p + 2 * l) * ns + s];
    for (PetscInt l = 0; l < n; l++) {
      const PetscInt q = (i + 2 * l) * ns + s;

      diagonal[l] += sweep->blocks.inverse_omega * b[2 * l * ns + s] * parts->diagonal[q] + (parts->walls ? parts->walls[q] : 0.0);
      diagonal[l] = diagonal[l] == 0.0 ? 1.0 : diagonal[l]; /* nothing happens here: a closed cell */
    }
  }
  SolveLanes(ns, n, n, J, f, k_lanes + R * n, x, work);
  if (IsTooLong(ns, n, n, c, x)) SoretKernelShorten(ns, n, n, c, x);
  for (PetscInt q = 0; q < ns * n; q++) c[q] -= x[q];
  for (PetscInt s = 0; s < ns; s++) {
    PetscReal total = 0.0;

    for (PetscInt l = 0; l < n; l++) {
      out[2 * l * ns + s] = c[s * n + l];
      u[2 * l * ns + s]   = b[2 * l * ns + s] * c[s * n + l];
    }
    SORET_SUM(total)
    for (PetscInt l = 0; l < n; l++) total += volume[l] * c[s * n + l];
    sweep->content[s] += total;
  }
}

/* Of cell (i, j, k) of this rank: 0, which comes first, or 1. */
static inline PetscInt Colour(const SoretOperator *op, PetscInt i, PetscInt j, PetscInt k)
{
  const PetscInt *start = op->grid->start;

  return (start[0] + i + start[1] + j + start[2] + k) & 1;
}

/* Corrects the cells of one colour among cells begin to end - 1 of a row, and their u. */
static void CorrectRow(SoretOperator *op, Sweep *sweep, const SoretRow *row, PetscInt begin, PetscInt end, PetscInt colour)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, m = grid->count[0] * ns;
  const PetscInt   first  = PetscMin(begin + (Colour(op, begin, row->j, row->k) == colour ? 0 : 1), end); /* a single cell along x may be none of them */
  const PetscBool  stored = op->blocks < SORET_BLOCKS_FACES ? PETSC_TRUE : PETSC_FALSE;
  PetscReal       *f = op->row, *diagonal = f + m, *walls = diagonal + m;
  const PetscReal *volume = op->blocks >= SORET_BLOCKS_UNIFORM ? NULL : SoretOperatorRowVolumes(op, row->number, walls + m);
  PetscBool        open;

  if (stored) SoretTransportRow(op, row, f, diagonal);
  open = SoretAddWalls(op, row, stored ? PETSC_FALSE : PETSC_TRUE, f, walls);
  if (op->blocks) {
    const PetscInt p      = row->first * ns;
    SoretBlockRow *blocks = &sweep->blocks;

    SoretMoveBlocks(op, sweep->terms, row, blocks);
    blocks->f        = stored || open ? f : NULL;
    blocks->diagonal = diagonal;
    blocks->walls    = open ? walls : NULL;
    blocks->volume   = volume;
    blocks->rhs      = sweep->rhs ? sweep->rhs + p : NULL;
    SoretBlocksCorrect(ns, op->blocks, blocks, first, end, sweep->c + p, (PetscReal *)row->u[0][2], sweep->content);
  } else {
    const RowParts parts = {.f = f, .diagonal = diagonal, .walls = open ? walls : NULL, .volume = volume};

    for (PetscInt i = first; i < end; i += 2 * op->num_lanes) CorrectLanes(ns, op, sweep, row, &parts, i, PetscMin(op->num_lanes, (end - i + 1) / 2));
  }
}

/* Cells [begin, end) of a row in the window, with the cells and rows around them, where the slabs are not filled. */
static void PointWindow(const SoretOperator *op, const PetscReal *c, PetscInt j, PetscInt k, PetscInt begin, PetscInt end, SoretRow *row)
{
  const SoretGrid *grid = op->grid;
  const PetscInt   ns = op->num_species, nx = grid->count[0], first = PetscMax(begin - 1, 0), last = PetscMin(end + 1, nx);
  PetscReal       *own = op->window + ns;

  row->j      = j;
  row->k      = k;
  row->number = SoretRowNumber(op, j, k);
  row->first  = row->number * nx;
  row->next   = -1;
  row->c      = c + row->first * ns;
  SoretFillCells(op, c, row->number, first, last, own);
  for (int axis = 0; axis < 3; axis++) {
    for (int d = 0; d < 5; d++) row->u[axis][d] = own + (axis == 0 && PetscAbsInt(d - 2) <= 1 ? (d - 2) * ns : 0);
    for (int side = 0; side < 2 && axis > 0 && axis < grid->dim; side++) {
      const PetscInt at[3] = {0, j + (axis == 1 ? 2 * side - 1 : 0), k + (axis == 2 ? 2 * side - 1 : 0)}, other = axis == 1 ? k : j;
      PetscReal     *u     = op->window + (2 * axis - 1 + side) * op->row_length + ns;

      if (at[axis] >= 0 && at[axis] < grid->count[axis]) SoretFillCells(op, c, SoretRowNumber(op, at[1], at[2]), first, last, u);
      else memcpy(u + first * ns, op->halo.recv[axis][side] + (other * nx + first) * ns, (size_t)((last - first) * ns) * sizeof(PetscReal));
      row->u[axis][2 * side + 1] = u;
    }
  }
}

/* Does row (j, k) touch another rank along y or z? */
static PetscBool RowIsShared(const SoretOperator *op, PetscInt j, PetscInt k)
{
  const PetscInt at[3] = {0, j, k};

  for (int axis = 1; axis < op->grid->dim; axis++) {
    if (at[axis] == 0 && op->halo.neighbor[axis][0] != MPI_PROC_NULL) return PETSC_TRUE;
    if (at[axis] == op->grid->count[axis] - 1 && op->halo.neighbor[axis][1] != MPI_PROC_NULL) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* The red cells at other ranks, before all others: then the neighbours get them with one exchange, and one pass does the rest. first and last
   get the range of the cells that are left in the rows that are not shared. */
static PetscErrorCode CorrectShared(SoretOperator *op, Sweep *sweep, PetscInt *first, PetscInt *last)
{
  const PetscInt  nx    = op->grid->count[0];
  const PetscBool lo    = op->halo.neighbor[0][0] != MPI_PROC_NULL ? PETSC_TRUE : PETSC_FALSE, hi = op->halo.neighbor[0][1] != MPI_PROC_NULL ? PETSC_TRUE : PETSC_FALSE;
  PetscBool       any   = lo || hi ? PETSC_TRUE : PETSC_FALSE;
  SoretRow        row;

  PetscFunctionBegin;
  *first = lo ? 1 : 0;
  *last  = hi ? nx - 1 : nx;
  for (int axis = 1; axis < op->grid->dim; axis++) any = any || op->halo.neighbor[axis][0] != MPI_PROC_NULL || op->halo.neighbor[axis][1] != MPI_PROC_NULL ? PETSC_TRUE : PETSC_FALSE;
  if (!any) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt k = 0; k < op->grid->count[2]; k++) {
    for (PetscInt j = 0; j < op->grid->count[1]; j++) {
      const PetscBool shared = RowIsShared(op, j, k);

      if (shared) {
        PointWindow(op, sweep->c, j, k, 0, nx, &row);
        CorrectRow(op, sweep, &row, 0, nx, 0);
        continue;
      }
      for (int side = 0; side < 2; side++) {
        const PetscInt i = side ? nx - 1 : 0;

        if (!(side ? hi : lo) || (side && lo && nx == 1) || Colour(op, i, j, k) != 0) continue;
        PointWindow(op, sweep->c, j, k, i, i + 1, &row);
        CorrectRow(op, sweep, &row, i, i + 1, 0);
      }
    }
  }
  PetscCall(SoretExchangeHalo(op, sweep->c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Both colours in one pass, some rows of all slabs after the other: the black cells of a slab follow when the red ones of the next are done, and those of the
   last row of a block when the red ones of the next block are. */
static void SweepSlabs(SoretOperator *op, Sweep *sweep, PetscInt first, PetscInt last)
{
  const PetscInt  w = op->grid->dim > 1 ? 1 : 0, num = op->grid->dim > 1 ? 4 : 1, rows = op->num_rows;
  const PetscInt  block = SoretRowsPerBlock(op, 9); /* four slabs of u, and c, b and k of two or three */
  const PetscBool fills = SoretBlocksFill(op);

  for (PetscInt m0 = 0; m0 < rows; m0 += block) {
    const PetscInt m1 = PetscMin(m0 + block, rows), lag0 = PetscMax(m0 - 1, 0), lag1 = m1 < rows ? m1 - 1 : rows;

    for (PetscInt o = -w; o < w; o++) SoretFillSlab(op, sweep->c, o, lag0 - 1, m1 + 1, 0, 0, op->slab[(o + num) % num]);
    for (PetscInt o = 0; o < op->num_slabs + w; o++) {
      const PetscInt  black      = o - w;
      const PetscBool left       = fills && o + w < op->num_slabs ? PETSC_TRUE : PETSC_FALSE;
      PetscReal      *slab[2][5] = {{NULL}, {NULL}};
      SoretRow        red, late;

      if (o < op->num_slabs) SoretFillSlab(op, sweep->c, o + w, lag0 - 1, m1 + 1, left ? m0 : 0, left ? m1 : 0, op->slab[(o + w) % num]);
      for (PetscInt d = -w; d <= w; d++) {
        slab[0][2 + d] = op->slab[(o + d + num) % num];
        slab[1][2 + d] = op->slab[(black + d + num) % num];
      }
      for (PetscInt m = lag0; m < m1; m++) {
        if (o < op->num_slabs && m >= m0) {
          if (m > m0) SoretStepRow(op, &red);
          else SoretPointRow(op, sweep->c, m, o, slab[0], &red);
          if (m == m0 && left) SoretSetNext(op, &red);
          if (!RowIsShared(op, red.j, red.k)) {
            CorrectRow(op, sweep, &red, first, last, 0);
            if (left) SoretFillEnds(op, &red);
          } else if (left) SoretFillNext(op, &red);
        }
        if (black < 0 || m >= lag1) continue;
        if (m > lag0) SoretStepRow(op, &late);
        else SoretPointRow(op, sweep->c, m, black, slab[1], &late);
        CorrectRow(op, sweep, &late, 0, op->grid->count[0], 1);
      }
    }
  }
}

PetscErrorCode SoretOperatorSmooth(SoretOperator *op, const SoretCellTerms *terms, PetscReal omega, Vec rhs, Vec c, PetscReal content[])
{
  PetscReal unused[SORET_MAX_SPECIES];
  Sweep     sweep = {.terms = terms, .rhs = NULL, .content = content ? content : unused};
  PetscInt  first, last;

  PetscFunctionBegin;
  PetscCheck(op->width == 1, op->grid->comm, PETSC_ERR_SUP, "the smoother has no ballistic transport");
  PetscCall(PetscArrayzero(sweep.content, op->num_species));
  if (rhs) PetscCall(VecGetArrayRead(rhs, &sweep.rhs));
  PetscCall(VecGetArray(c, &sweep.c));
  SoretBeginBlocks(op, terms, &sweep.blocks);
  sweep.blocks.inverse_omega = 1.0 / omega;
  PetscCall(SoretExchangeHalo(op, sweep.c));
  PetscCall(CorrectShared(op, &sweep, &first, &last));
  SweepSlabs(op, &sweep, first, last);
  PetscCall(VecRestoreArray(c, &sweep.c));
  if (rhs) PetscCall(VecRestoreArrayRead(rhs, &sweep.rhs));
  PetscFunctionReturn(PETSC_SUCCESS);
}
