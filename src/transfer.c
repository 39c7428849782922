/* SPDX-License-Identifier: BSD-2-Clause */
#include "transfer.h"

#include "soret/multigrid.h"

/* ---- to the coarser level ---- */

/* Adds area times width times u of a fine row to the coarse cells that its cells, or pairs of them, are part of. */
INLINED void AddWeighed(const PetscInt ns, PetscInt nx, PetscBool pairs, PetscReal area, const PetscReal *restrict width, const PetscReal *restrict u, PetscReal *restrict coarse)
{
  const PetscInt step = pairs ? 2 : 1, full = nx / step;

  for (PetscInt i = 0; i < full; i++) {
    const PetscReal lo = area * width[step * i], hi = pairs ? area * width[step * i + 1] : 0.0;

    for (PetscInt s = 0; s < ns; s++) coarse[i * ns + s] += pairs ? lo * u[2 * i * ns + s] + hi * u[(2 * i + 1) * ns + s] : lo * u[i * ns + s];
  }
  for (PetscInt s = 0; s < ns && full * step < nx; s++) coarse[full * ns + s] += area * width[nx - 1] * u[(nx - 1) * ns + s];
}

/* Adds the defect rhs - f, or - f where rhs is NULL, in the same way, and its square. */
INLINED void AddDefect(const PetscInt ns, PetscInt nx, PetscBool pairs, const PetscReal *restrict rhs, const PetscReal *restrict f, PetscReal *restrict coarse, PetscReal *square)
{
  const PetscInt full  = pairs ? nx / 2 : nx;
  PetscReal      total = 0.0;

  SORET_SUM(total)
  for (PetscInt i = 0; i < full; i++) {
    for (PetscInt s = 0; s < ns; s++) {
      const PetscInt  q  = pairs ? 2 * i * ns + s : i * ns + s;
      const PetscReal lo = (rhs ? rhs[q] : 0.0) - f[q], hi = pairs ? (rhs ? rhs[q + ns] : 0.0) - f[q + ns] : 0.0;

      coarse[i * ns + s] += lo + hi;
      total += lo * lo + hi * hi;
    }
  }
  for (PetscInt q = (nx - 1) * ns; q < nx * ns && pairs && nx % 2; q++) {
    const PetscReal last = (rhs ? rhs[q] : 0.0) - f[q];

    coarse[full * ns + q - (nx - 1) * ns] += last;
    total += last * last;
  }
  *square += total;
}

/* Leaves nothing in the cells of a row that have no volume. */
static void ZeroOutside(PetscInt nx, PetscInt ns, const PetscReal *volume, PetscReal *x)
{
  for (PetscInt i = 0; i < nx; i++) {
    for (PetscInt s = 0; s < ns && volume[i] == 0.0; s++) x[i * ns + s] = 0.0;
  }
}

typedef struct {
  const SoretTransfer *t;
  const PetscReal     *rhs;    /* of the fine level, or NULL */
  PetscReal           *state, *residual;
  PetscReal            square; /* of the fine residual */
} Restriction;

/* First entry of the coarse row that a fine row is part of. */
static PetscInt CoarseRow(const SoretTransfer *t, PetscInt j, PetscInt k)
{
  return ((t->coarsened[2] ? k / 2 : k) * t->coarse->grid->count[1] + (t->coarsened[1] ? j / 2 : j)) * t->coarse->grid->count[0] * t->coarse->num_species;
}

/* Empties the coarse row x that fine row (j, k) is the first part of: the first of its rows along y and z that are seen. */
static void Begin(const SoretTransfer *t, PetscInt j, PetscInt k, PetscReal *x)
{
  if ((t->coarsened[1] && j % 2) || (t->coarsened[2] && k % 2)) return;
  memset(x, 0, (size_t)(t->coarse->grid->count[0] * t->coarse->num_species) * sizeof(PetscReal));
}

/* Adds volume times u of fine row (j, k) to those of the coarse cells. */
INLINED void AddState(const SoretTransfer *t, PetscInt j, PetscInt k, const PetscReal *u, PetscReal *state)
{
  const PetscInt   nx = t->fine->grid->count[0], number = k * t->fine->grid->count[1] + j;
  PetscReal        area  = 1.0;
  const PetscReal *width = t->volume ? t->volume + number * nx : SoretOperatorRowWidths(t->fine, number, &area);

  state += CoarseRow(t, j, k);
  Begin(t, j, k, state);
  if (t->coarsened[0]) BY_SPECIES(AddWeighed, t->fine->num_species, nx, PETSC_TRUE, area, width, u, state);
  else BY_SPECIES(AddWeighed, t->fine->num_species, nx, PETSC_FALSE, area, width, u, state);
}

/* The defect of the cells that take no part in the coarse grid: its square counts, but it goes nowhere. t->row becomes the f of the row without it. */
static const PetscReal *KeepInside(const SoretTransfer *t, PetscInt first, const PetscReal *rhs, const PetscReal *f, PetscReal *square)
{
  const PetscInt ns = t->fine->num_species;

  for (PetscInt q = 0; q < t->fine->grid->count[0] * ns; q++) {
    const PetscReal right = rhs ? rhs[q] : 0.0;

    t->row[q] = t->volume[first + q / ns] > 0.0 ? f[q] : right;
    *square += (t->row[q] - f[q]) * (t->row[q] - f[q]);
  }
  return t->row;
}

SORET_CLONES static PetscErrorCode RestrictRow(SoretOperator *op, const SoretRow *row, const PetscReal f[], void *context)
{
  Restriction         *r  = (Restriction *)context;
  const SoretTransfer *t  = r->t;
  const PetscInt       ns = op->num_species, nx = op->grid->count[0];
  const PetscReal     *rhs      = r->rhs ? r->rhs + row->first * ns : NULL;
  PetscReal           *residual = r->residual + CoarseRow(t, row->j, row->k);

  PetscFunctionBegin;
  AddState(t, row->j, row->k, row->u[0][2], r->state);
  if (t->volume) f = KeepInside(t, row->first, rhs, f, &r->square);
  Begin(t, row->j, row->k, residual);
  if (!t->coarsened[0]) BY_SPECIES(AddDefect, ns, nx, PETSC_FALSE, rhs, f, residual, &r->square);
  else if (rhs) BY_SPECIES(AddDefect, ns, nx, PETSC_TRUE, rhs, f, residual, &r->square);
  else BY_SPECIES(AddDefect, ns, nx, PETSC_TRUE, NULL, f, residual, &r->square);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sums of volume times u become concentrations. */
SORET_CLONES static void FinishState(const SoretTransfer *t, PetscReal *state)
{
  const SoretOperator *coarse = t->coarse;
  const PetscInt       ns = coarse->num_species, nx = coarse->grid->count[0];

  for (PetscInt row = 0; row < coarse->grid->count[1] * coarse->grid->count[2]; row++) {
    const PetscReal *volume = SoretOperatorRowVolumes(coarse, row, t->work);

    for (PetscInt i = 0; i < nx; i++) {
      for (PetscInt s = 0; s < ns; s++) {
        const PetscInt q = (row * nx + i) * ns + s;

        state[q] = volume[i] > 0.0 ? state[q] / (volume[i] * coarse->b[q]) : 0.0;
      }
    }
  }
}

SORET_CLONES PetscErrorCode SoretTransferState(const SoretTransfer *t, Vec fine, Vec coarse)
{
  const SoretGrid *grid = t->fine->grid;
  const PetscInt   m    = grid->count[0] * t->fine->num_species;
  const PetscReal *c;
  PetscReal       *state;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(fine, &c));
  PetscCall(VecGetArrayWrite(coarse, &state));
  for (PetscInt row = 0; row < grid->count[1] * grid->count[2]; row++) {
    SoretKernelScaleRow(m, t->fine->b + row * m, c + row * m, t->line);
    AddState(t, row % grid->count[1], row / grid->count[1], t->line, state);
  }
  FinishState(t, state);
  PetscCall(VecRestoreArrayWrite(coarse, &state));
  PetscCall(VecRestoreArrayRead(fine, &c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTransferDefect(const SoretTransfer *t, Vec fine_rhs, Vec fine, Vec state, Vec residual, PetscReal *square)
{
  Restriction    r = {.t = t, .square = 0.0};
  SoretCellTerms terms;

  PetscFunctionBegin;
  PetscCall(SoretSystemGetTerms(t->fine_sys, fine, &terms));
  if (fine_rhs) PetscCall(VecGetArrayRead(fine_rhs, &r.rhs));
  PetscCall(VecGetArrayWrite(state, &r.state));
  PetscCall(VecGetArrayWrite(residual, &r.residual));
  PetscCall(SoretOperatorForEachResidual(t->fine, &terms, fine, RestrictRow, &r));
  FinishState(t, r.state);
  PetscCall(VecRestoreArrayWrite(residual, &r.residual));
  PetscCall(VecRestoreArrayWrite(state, &r.state));
  if (fine_rhs) PetscCall(VecRestoreArrayRead(fine_rhs, &r.rhs));
  PetscCall(SoretSystemRestoreTerms(t->fine_sys, &terms));
  *square = r.square;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- to the finer level ---- */

/* Fills the layer of ghosts beyond one wall: the cell inside, for corrections times what the condition there makes of it (a held
   value has no correction at the wall). */
static void MirrorWall(const SoretTransfer *t, int face, PetscBool correction)
{
  const SoretGrid     *grid     = t->coarse->grid;
  const SoretBoundary *boundary = t->coarse->boundary;
  const int            axis     = face / 2;
  const PetscInt      *start = t->start, *size = t->size;
  PetscReal           *u = t->box;
  const PetscInt       ns = t->coarse->num_species, inside = face % 2 ? grid->start[axis] + grid->count[axis] - 1 : grid->start[axis], beyond = inside + (face % 2 ? 1 : -1);
  PetscInt             ijk[3], begin[3], end[3];

  for (int k = 0; k < 3; k++) {
    begin[k] = k == axis ? beyond : start[k];
    end[k]   = k == axis ? beyond + 1 : start[k] + size[k];
  }
  for (ijk[2] = begin[2]; ijk[2] < end[2]; ijk[2]++) {
    for (ijk[1] = begin[1]; ijk[1] < end[1]; ijk[1]++) {
      for (ijk[0] = begin[0]; ijk[0] < end[0]; ijk[0]++) {
        PetscInt from[3] = {ijk[0], ijk[1], ijk[2]}, local[3], wall;

        from[axis] = inside;
        for (int k = 0; k < 3; k++) local[k] = PetscMax(0, PetscMin(from[k] - grid->start[k], grid->count[k] - 1));
        wall = SoretOperatorWall(t->coarse, face, local);
        for (PetscInt s = 0; s < ns; s++) {
          const PetscReal factor = correction && wall >= 0 ? boundary->mirror[face][wall + s] : 1.0;

          u[(((ijk[2] - start[2]) * size[1] + ijk[1] - start[1]) * size[0] + ijk[0] - start[0]) * ns + s] = factor * u[(((from[2] - start[2]) * size[1] + from[1] - start[1]) * size[0] + from[0] - start[0]) * ns + s];
        }
      }
    }
  }
}

/* u = b c of the coarse level, or b (c - old), with its neighbours and the ghosts beyond walls. */
static PetscErrorCode GatherCoarse(const SoretTransfer *t, Vec coarse_c, Vec coarse_old)
{
  const SoretGrid *grid = t->coarse->grid;
  const PetscInt   ns = t->coarse->num_species, m = grid->count[0] * ns;
  const PetscReal *c, *old = NULL;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(coarse_c, &c));
  if (coarse_old) PetscCall(VecGetArrayRead(coarse_old, &old));
  for (PetscInt row = 0; row < grid->count[1] * grid->count[2]; row++) {
    const PetscInt   at[3] = {grid->start[0] - t->start[0], grid->start[1] - t->start[1] + row % grid->count[1], grid->start[2] - t->start[2] + row / grid->count[1]};
    const PetscReal *b = t->coarse->b + row * m;
    PetscReal       *u = t->box + ((at[2] * t->size[1] + at[1]) * t->size[0] + at[0]) * ns;

    if (old) {
      for (PetscInt q = 0; q < m; q++) u[q] = b[q] * (c[row * m + q] - old[row * m + q]);
    } else SoretKernelScaleRow(m, b, c + row * m, u);
  }
  if (coarse_old) PetscCall(VecRestoreArrayRead(coarse_old, &old));
  PetscCall(VecRestoreArrayRead(coarse_c, &c));
  PetscCall(SoretHaloFillBox(&t->coarse->halo, t->box));
  for (int face = 0; face < 2 * grid->dim; face++) { /* axis after axis: edges and corners come out as products */
    if (SoretGridHasWall(grid, face / 2, face % 2)) MirrorWall(t, face, coarse_old ? PETSC_TRUE : PETSC_FALSE);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Interpolated coarse row for the fine row (j, k) of this rank. */
INLINED void InterpolateLine(const SoretTransfer *t, PetscInt j, PetscInt k)
{
  const PetscInt   length = t->size[0] * t->fine->num_species;
  const PetscReal *w1 = t->weight[1] + 2 * j, *w2 = t->weight[2] + 2 * k;
  const PetscInt  *J = t->index[1] + 2 * j, *K = t->index[2] + 2 * k;
  const PetscReal  w00 = w1[0] * w2[0], w10 = w1[1] * w2[0], w01 = w1[0] * w2[1], w11 = w1[1] * w2[1];
  const PetscReal *row[4];

  for (int corner = 0; corner < 4; corner++) row[corner] = t->box + (K[corner >> 1] * t->size[1] + J[corner & 1]) * length;
  for (PetscInt q = 0; q < length; q++) t->line[q] = w00 * row[0][q] + w10 * row[1][q] + w01 * row[2][q] + w11 * row[3][q];
}

/* Adds the correction d of the c of a row, shortened in the cells where a positive concentration would become negative. */
INLINED void AddCorrection(PetscInt nx, PetscInt ns, const PetscReal *restrict d, PetscReal *restrict c)
{
  PetscReal least = 0.0;

  SORET_PRAGMA(omp simd reduction(min : least))
  for (PetscInt q = 0; q < nx * ns; q++) least = PetscMin(least, c[q] + d[q]);
  if (least >= 0.0) { /* as nearly always */
    for (PetscInt q = 0; q < nx * ns; q++) c[q] += d[q];
    return;
  }
  for (PetscInt i = 0; i < nx; i++, c += ns, d += ns) {
    PetscReal scale = 1.0;

    for (PetscInt s = 0; s < ns; s++) {
      if (c[s] > 0.0 && !(c[s] + scale * d[s] > 0.0)) scale = -0.9 * c[s] / d[s];
    }
    for (PetscInt s = 0; s < ns; s++) c[s] += scale * d[s];
  }
}

/* out = u along x from the coarse row `line`, which has a cell more on both sides, over b. lo and hi - weights, or NULL: not coarser along x; c - of the row, asked for ahead */
INLINED void InterpolateRow(const PetscInt ns, PetscInt nx, const PetscReal *restrict lo, const PetscReal *restrict hi, const PetscReal *restrict line, const PetscReal *restrict b, const PetscReal *c, PetscReal *restrict out)
{
  if (!lo) {
    for (PetscInt q = 0; q < nx * ns; q++) out[q] = line[ns + q] / b[q];
    return;
  }
  for (PetscInt m = 0; m < nx / 2; m++) {
    const PetscReal *restrict below = line + m * ns, *restrict above = below + ns;

    SORET_ASK_FOR(b + 2 * m * ns + SORET_AHEAD);
    SORET_ASK_FOR(c + 2 * m * ns + SORET_AHEAD);
    SORET_PRAGMA(GCC unroll 8)
    for (PetscInt e = 0; e < 2 * ns; e++) {
      const PetscInt q = 2 * m * ns + e;

      out[q] = (lo[q] * below[e] + hi[q] * above[e]) / b[q];
    }
  }
  for (PetscInt s = 0, q = (nx - 1) * ns; s < ns && nx % 2; s++, q++) out[q] = (lo[q] * line[nx / 2 * ns + s] + hi[q] * line[(nx / 2 + 1) * ns + s]) / b[q];
}

/* Cells that take no part in the coarse grid keep what they have. */
static void ReplaceInside(PetscInt nx, PetscInt ns, const PetscReal *volume, const PetscReal *restrict from, PetscReal *restrict c)
{
  for (PetscInt i = 0; i < nx; i++) {
    for (PetscInt s = 0; s < ns && volume[i] > 0.0; s++) c[i * ns + s] = from[i * ns + s];
  }
}

/* What a row was interpolated from, without the coarse cells that hold no fluid. */
static void Renormalize(PetscInt nx, PetscInt ns, const PetscReal *share, PetscReal *restrict x)
{
  for (PetscInt i = 0; i < nx; i++) {
    for (PetscInt s = 0; s < ns; s++) x[i * ns + s] /= share[i];
  }
}

SORET_CLONES PetscErrorCode SoretTransferInterpolate(const SoretTransfer *t, Vec coarse, Vec coarse_old, Vec fine)
{
  const SoretGrid *grid = t->fine->grid;
  const PetscInt   ns = t->fine->num_species, nx = grid->count[0];
  PetscReal        content[SORET_MAX_SPECIES] = {0.0};
  PetscReal       *c;

  PetscFunctionBegin;
  PetscCall(GatherCoarse(t, coarse, coarse_old));
  PetscCall(VecGetArray(fine, &c));
  for (PetscInt row = 0; row < grid->count[1] * grid->count[2]; row++) {
    const PetscReal *b   = t->fine->b + row * nx * ns;
    PetscReal       *out = c + row * nx * ns;

    InterpolateLine(t, row % grid->count[1], row / grid->count[1]);
    BY_SPECIES(InterpolateRow, ns, nx, t->lo, t->hi, t->line, b, out, coarse_old || t->volume ? t->row : out);
    if (t->share) Renormalize(nx, ns, t->share + row * nx, coarse_old || t->volume ? t->row : out);
    if (t->volume || t->fine->volume) ZeroOutside(nx, ns, (t->volume ? t->volume : t->fine->volume) + row * nx, coarse_old || t->volume ? t->row : out);
    if (coarse_old) AddCorrection(nx, ns, t->row, out);
    else if (t->volume) ReplaceInside(nx, ns, t->volume + row * nx, t->row, out);
    if (t->fine_sys->num) SoretOperatorAddContent(t->fine, row, c, content);
  }
  PetscCall(VecRestoreArray(fine, &c));
  if (t->fine_sys->num) PetscCall(SoretSystemKnow(t->fine_sys, fine, content));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- creation ---- */

/* Along x the even cells lie between the coarse cell before theirs and theirs, the odd ones between theirs and the next; entries of a row are
   then neighbours, and no index is needed. */
static PetscErrorCode FillWeightsAlongX(SoretTransfer *t)
{
  const SoretGrid *fine = t->fine->grid;
  const PetscInt   ns   = t->fine->num_species;

  PetscFunctionBegin;
  if (!t->coarsened[0]) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc2(fine->count[0] * ns, &t->lo, fine->count[0] * ns, &t->hi));
  for (PetscInt i = 0; i < fine->count[0]; i++) {
    PetscInt  index[2];
    PetscReal weight[2];

    SoretAxisWeights(fine, t->coarse->grid, 0, fine->start[0] + i, index, weight);
    for (PetscInt s = 0; s < ns; s++) {
      t->lo[i * ns + s] = weight[i % 2 ? 0 : 1];
      t->hi[i * ns + s] = weight[i % 2 ? 1 : 0];
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FillWeights(SoretTransfer *t)
{
  const SoretGrid *fine = t->fine->grid, *coarse = t->coarse->grid;

  PetscFunctionBegin;
  for (int axis = 1; axis < 3; axis++) {
    PetscCall(PetscMalloc2(2 * fine->count[axis], &t->index[axis], 2 * fine->count[axis], &t->weight[axis]));
    for (PetscInt i = 0; i < fine->count[axis]; i++) {
      SoretAxisWeights(fine, coarse, axis, fine->start[axis] + i, &t->index[axis][2 * i], &t->weight[axis][2 * i]);
      for (int e = 0; e < 2; e++) t->index[axis][2 * i + e] -= t->start[axis];
    }
  }
  PetscCall(FillWeightsAlongX(t));
  PetscCall(PetscMalloc3(PetscMax(t->size[0], fine->count[0]) * t->fine->num_species, &t->line, fine->count[0] * t->fine->num_species, &t->row, fine->count[0], &t->work));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode FillVolumes(SoretTransfer *t)
{
  const SoretGrid *grid = t->fine->grid;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(grid->num_cells, &t->volume));
  for (PetscInt p = 0; p < grid->num_cells; p++) {
    const PetscInt ijk[3] = SORET_LOCAL_INDEX(grid, p);

    t->volume[p] = SoretGridTakesPart(grid, p, ijk, t->coarse->grid, t->coarsened) ? SoretOperatorCellVolume(t->fine, p) : 0.0;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* For each fine cell the weight, in its interpolation, of coarse cells with fluid. */
static PetscErrorCode FillShares(SoretTransfer *t)
{
  const SoretGrid *grid = t->fine->grid, *coarse = t->coarse->grid;
  const PetscInt   ns = t->fine->num_species, nx = grid->count[0];
  PetscReal       *ones, *b;
  Vec              mask;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(grid->num_cells, &t->share));
  PetscCall(SoretOperatorCreateVector(t->coarse, &mask));
  PetscCall(VecGetArray(mask, &ones));
  for (PetscInt q = 0; q < coarse->num_cells * ns; q++) ones[q] = t->coarse->volume[q / ns] > 0.0 ? 1.0 / t->coarse->b[q] : 0.0;
  PetscCall(VecRestoreArray(mask, &ones));
  PetscCall(GatherCoarse(t, mask, NULL));
  PetscCall(VecDestroy(&mask));
  PetscCall(PetscMalloc1(nx * ns, &b));
  for (PetscInt q = 0; q < nx * ns; q++) b[q] = 1.0;
  for (PetscInt row = 0; row < grid->count[1] * grid->count[2]; row++) {
    InterpolateLine(t, row % grid->count[1], row / grid->count[1]);
    BY_SPECIES(InterpolateRow, ns, nx, t->lo, t->hi, t->line, b, b, t->row);
    for (PetscInt i = 0; i < nx; i++) t->share[row * nx + i] = t->row[i * ns] > 0.0 ? t->row[i * ns] : 1.0;
  }
  PetscCall(PetscFree(b));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTransferCreate(SoretSystem *fine, SoretOperator *coarse, const PetscBool coarsened[3], SoretTransfer *t)
{
  PetscFunctionBegin;
  t->fine_sys = fine;
  t->fine     = fine->op;
  t->coarse   = coarse;
  for (int axis = 0; axis < 3; axis++) {
    const PetscInt layer = axis < t->coarse->grid->dim ? 1 : 0;

    t->coarsened[axis] = coarsened[axis];
    t->start[axis]     = t->coarse->grid->start[axis] - layer;
    t->size[axis]      = t->coarse->grid->count[axis] + 2 * layer;
  }
  PetscCall(PetscCalloc1(t->size[0] * t->size[1] * t->size[2] * t->coarse->num_species, &t->box));
  PetscCall(FillWeights(t));
  if (t->fine->grid->num_pockets > 1) PetscCall(FillVolumes(t));
  if (t->coarse->volume) PetscCall(FillShares(t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretTransferDestroy(SoretTransfer *t)
{
  PetscFunctionBegin;
  if (!t->box) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree2(t->lo, t->hi));
  for (int axis = 1; axis < 3; axis++) {
    if (t->index[axis]) PetscCall(PetscFree2(t->index[axis], t->weight[axis]));
  }
  PetscCall(PetscFree3(t->line, t->row, t->work));
  PetscCall(PetscFree(t->volume));
  PetscCall(PetscFree(t->share));
  PetscCall(PetscFree(t->box));
  PetscFunctionReturn(PETSC_SUCCESS);
}
