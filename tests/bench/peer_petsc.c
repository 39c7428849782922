/* SPDX-License-Identifier: BSD-2-Clause

   A peer for run_bench.py: problems A, B and C of docs/performance.md by PETSc with assembled matrices, nothing of soret in it.

     peer_petsc A|B|C CELLS [TOLERANCE [FILE]] [-petsc_option ...]

   SNES for A and B, TS for C, with whatever options; block CSR, and CSR where -mat_type or Galerkin products ask for it. Multigrid (PCMG) has grids
   of half as many cells along each axis, trilinear interpolation, and matrices assembled on each of them (-pc_mg_galerkin both: products instead).
   A and B, whose Jacobian is singular as it stands, get the term beta w (total - 1), of rank one, which vanishes at the solution; they start
   on the coarsest grid and go on from grid to grid (-sequence 0: on the finest). TOLERANCE: of C the local error, else the
   residual over that of the start. FILE gets the concentrations of C at its times, eight bytes each, species fastest, then x. */
#include <petscdmshell.h>
#include <petscts.h>
#include <string.h>

#include "peer_box.h"

enum { MOST_LEVELS = 12,
       COARSEST    = 8 };

static const double beta = 0.1; /* times a mean of 1; little of it is seen by smoothers, which do not know of it */

/* A grid, its matrices, and the transfers between it and the next coarser one. */
typedef struct Level_s Level;
struct Level_s {
  Box       box;
  long      cells;
  PetscBool singular; /* A and B                                                        */
  PetscBool products; /* coarse matrices are products                                   */
  Mat       sparse;   /* shift - lap D - reactions                                      */
  Mat       P;        /* the same; dense and with beta w m^T on the coarsest of A and B */
  Mat       prolongs, restricts;
  double   *slopes;  /* [cells][species]  rate of the reaction by concentrations       */
  Level    *coarser; /* NULL: the coarsest                                             */
};

/* ---- from level to level ---- */

/* One of the eight cells in a coarse one. What is smooth is u = D c: a coarse cell has the mean of 1/D, and the mean of the slopes of the reaction by u. */
static long Child(const Box *fine, long q, int child)
{
  const long half = fine->n / 2, i = 2 * (q % half) + (child & 1), j = 2 * (q / half % half) + (child >> 1 & 1), k = 2 * (q / half / half) + (child >> 2);

  return (k * fine->n + j) * fine->n + i;
}

static void CoarsenDiffusivity(const Box *fine, Box *coarse)
{
  const long half = coarse->n;

  for (long q = 0; q < half * half * half; q++) {
    for (int s = 0; s < NUM_SPECIES; s++) {
      double sum = 0.0;

      for (int child = 0; child < 8; child++) sum += 1.0 / fine->d[NUM_SPECIES * Child(fine, q, child) + s];
      coarse->d[NUM_SPECIES * q + s] = 8.0 / sum / 4.0; /* D over the square of the spacing */
    }
  }
}

static void CoarsenSlopes(const Level *fine, Level *coarse)
{
  for (long q = 0; q < coarse->cells; q++) {
    for (int s = 0; s < NUM_SPECIES; s++) {
      double sum = 0.0;

      for (int child = 0; child < 8; child++) {
        const long at = NUM_SPECIES * Child(&fine->box, q, child) + s;

        sum += fine->slopes[at] / fine->box.d[at];
      }
      coarse->slopes[NUM_SPECIES * q + s] = sum / 8.0 * 4.0 * coarse->box.d[NUM_SPECIES * q + s];
    }
  }
}

/* Interpolation of u becomes one of c. */
static PetscErrorCode ScaleToConcentrations(const Level *fine, Mat prolong)
{
  PetscScalar *values;
  Vec          left, right;

  PetscFunctionBeginUser;
  PetscCall(MatCreateVecs(prolong, &right, &left));
  PetscCall(VecGetArray(left, &values));
  for (long q = 0; q < fine->cells; q++) values[q] = 1.0 / fine->box.d[NUM_SPECIES * q];
  PetscCall(VecRestoreArray(left, &values));
  PetscCall(VecGetArray(right, &values));
  for (long q = 0; q < fine->coarser->cells; q++) values[q] = 4.0 * fine->coarser->box.d[NUM_SPECIES * q];
  PetscCall(VecRestoreArray(right, &values));
  PetscCall(MatDiagonalScale(prolong, left, right));
  PetscCall(VecDestroy(&left));
  PetscCall(VecDestroy(&right));
  PetscFunctionReturn(0);
}

/* Trilinear interpolation of u, the same for both species since their D have one ratio everywhere; and means. */
static PetscErrorCode CreateTransfers(Level *fine)
{
  const long   n = fine->box.n, half = n / 2;
  const Level *coarse = fine->coarser;
  Mat          prolong, restrict_;

  PetscFunctionBeginUser;
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, (PetscInt)fine->cells, (PetscInt)coarse->cells, 8, NULL, &prolong));
  for (long q = 0; q < fine->cells; q++) {
    const long at[3] = {q % n, q / n % n, q / n / n};

    for (int corner = 0; corner < 8; corner++) {
      double weight = 1.0;
      long   column = 0;

      for (int axis = 2; axis >= 0; axis--) {
        const long near = at[axis] / 2, far = near + (at[axis] % 2 ? 1 : -1), there = corner >> axis & 1 ? far : near;

        weight *= corner >> axis & 1 ? 0.25 : 0.75;
        column = column * half + (there < 0 ? 0 : there >= half ? half - 1
                                                                : there); /* behind a wall it is as before it */
      }
      PetscCall(MatSetValue(prolong, (PetscInt)q, (PetscInt)column, weight, ADD_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(prolong, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(prolong, MAT_FINAL_ASSEMBLY));
  PetscCall(MatTranspose(prolong, MAT_INITIAL_MATRIX, &restrict_));
  PetscCall(MatScale(restrict_, 0.125));
  PetscCall(ScaleToConcentrations(fine, prolong));
  PetscCall(MatCreateMAIJ(prolong, NUM_SPECIES, &fine->prolongs));
  PetscCall(MatCreateMAIJ(restrict_, NUM_SPECIES, &fine->restricts));
  PetscCall(MatDestroy(&prolong));
  PetscCall(MatDestroy(&restrict_));
  if (!fine->products) PetscFunctionReturn(0);
  PetscCall(MatConvert(fine->prolongs, MATSEQAIJ, MAT_INPLACE_MATRIX, &fine->prolongs));
  PetscCall(MatConvert(fine->restricts, MATSEQAIJ, MAT_INPLACE_MATRIX, &fine->restricts));
  PetscFunctionReturn(0);
}

/* ---- matrices ---- */

/* The blocks of the row of a cell, in the order of columns: shift - lap D - reactions. */
typedef struct {
  int         count;
  PetscInt    columns[7];
  PetscScalar values[7][NUM_SPECIES][NUM_SPECIES];
} Row;

static inline void FillRow(const Box *box, double shift, const double *slopes, long q, Row *row)
{
  const long n = box->n, step[7] = {-n * n, -n, -1, 0, 1, n, n * n};
  const long from_wall[7] = {q / n / n, q / n % n, q % n, 1, n - 1 - q % n, n - 1 - q / n % n, n - 1 - q / n / n};
  const int  open         = (int)OpenFaces(box, q);

  row->count = 0;
  for (int side = 0; side < 7; side++) {
    PetscScalar(*block)[NUM_SPECIES] = row->values[row->count];

    if (from_wall[side] == 0) continue;
    row->columns[row->count++] = (PetscInt)(q + step[side]);
    for (int s = 0; s < NUM_SPECIES; s++) {
      for (int r = 0; r < NUM_SPECIES; r++) block[s][r] = side == 3 ? (s == 0 ? box->members : -1.0) * slopes[NUM_SPECIES * q + r] : 0.0;
      block[s][s] += side == 3 ? shift + open * box->d[NUM_SPECIES * q + s] : -box->d[NUM_SPECIES * (q + step[side]) + s];
    }
  }
}

/* The blocks with rows of the matrix that are `width` long and stand one after the other. */
static inline void CopyRow(const Row *row, int width, PetscScalar *values)
{
  for (int s = 0; s < NUM_SPECIES; s++) {
    for (int k = 0; k < row->count; k++) {
      for (int r = 0; r < NUM_SPECIES; r++) values[s * width + NUM_SPECIES * k + r] = row->values[k][s][r];
    }
  }
}

/* Once all places are there, values go straight into them. */
static PetscErrorCode FillMatrix(const Box *box, double shift, const double *slopes, Mat A)
{
  PetscScalar *place = NULL, values[7 * NUM_SPECIES * NUM_SPECIES];
  PetscBool    assembled, blocks;
  Row          row;

  PetscFunctionBeginUser;
  PetscCall(MatAssembled(A, &assembled));
  PetscCall(PetscObjectTypeCompare((PetscObject)A, MATSEQBAIJ, &blocks));
  if (assembled) PetscCall(blocks ? MatSeqBAIJGetArray(A, &place) : MatSeqAIJGetArray(A, &place));
  for (long q = 0; q < box->n * box->n * box->n; q++) {
    const PetscInt i = (PetscInt)q;

    FillRow(box, shift, slopes, q, &row);
    if (!assembled) {
      CopyRow(&row, NUM_SPECIES * row.count, values);
      PetscCall(MatSetValuesBlocked(A, 1, &i, row.count, row.columns, values, INSERT_VALUES));
      continue;
    }
    if (!blocks) CopyRow(&row, NUM_SPECIES * row.count, place);
    for (int e = 0; blocks && e < row.count * NUM_SPECIES * NUM_SPECIES; e++) place[e] = row.values[e / 4][e % 2][e / 2 % 2]; /* columns first */
    place += row.count * NUM_SPECIES * NUM_SPECIES;
  }
  if (assembled) PetscCall(blocks ? MatSeqBAIJRestoreArray(A, &place) : MatSeqAIJRestoreArray(A, &place));
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateMatrix(const Level *level, Mat *A)
{
  const PetscInt size = (PetscInt)(NUM_SPECIES * level->cells);

  PetscFunctionBeginUser;
  PetscCall(MatCreate(PETSC_COMM_SELF, A));
  PetscCall(MatSetSizes(*A, size, size, size, size));
  PetscCall(MatSetBlockSize(*A, NUM_SPECIES));
  PetscCall(MatSetType(*A, MATSEQBAIJ));
  PetscCall(MatSetFromOptions(*A));
  PetscCall(MatSeqBAIJSetPreallocation(*A, NUM_SPECIES, 7, NULL));
  PetscCall(MatSeqAIJSetPreallocation(*A, 7 * NUM_SPECIES, NULL));
  PetscFunctionReturn(0);
}

/* m of the total m . c, or w, which no residual without the added term has a part along. */
static double Member(const Box *box, PetscInt entry)
{
  return entry % NUM_SPECIES ? box->members : 1.0;
}

/* A + beta w m^T in a dense matrix, for direct solution. */
static PetscErrorCode FillDense(const Level *level, Mat A, Mat dense)
{
  const PetscInt size = (PetscInt)(NUM_SPECIES * level->cells);

  PetscFunctionBeginUser;
  PetscCall(MatConvert(A, MATSEQDENSE, MAT_REUSE_MATRIX, &dense));
  for (PetscInt i = 0; i < size; i++) {
    for (PetscInt j = 0; j < size; j++) PetscCall(MatSetValue(dense, i, j, beta * Member(&level->box, i) * Member(&level->box, j) / (double)level->cells, ADD_VALUES));
  }
  PetscCall(MatAssemblyBegin(dense, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(dense, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

/* J = P + beta w m^T as a product. */
static PetscErrorCode CreateBordered(const Level *level, Mat P, Mat *J)
{
  const PetscInt size = (PetscInt)(NUM_SPECIES * level->cells);
  Mat            w, m;
  PetscScalar   *values[2];

  PetscFunctionBeginUser;
  PetscCall(MatCreateSeqDense(PETSC_COMM_SELF, size, 1, NULL, &w));
  PetscCall(MatCreateSeqDense(PETSC_COMM_SELF, size, 1, NULL, &m));
  PetscCall(MatDenseGetArray(w, &values[0]));
  PetscCall(MatDenseGetArray(m, &values[1]));
  for (PetscInt i = 0; i < size; i++) {
    values[0][i] = beta * Member(&level->box, i);
    values[1][i] = Member(&level->box, i) / (double)level->cells;
  }
  PetscCall(MatDenseRestoreArray(m, &values[1]));
  PetscCall(MatDenseRestoreArray(w, &values[0]));
  PetscCall(MatCreateLRC(P, w, NULL, m, J));
  PetscCall(MatDestroy(&w));
  PetscCall(MatDestroy(&m));
  PetscFunctionReturn(0);
}

/* Matrices of a level, whose slopes are known, and of the coarser ones; `finer` if it is to be the product. */
static PetscErrorCode Assemble(Level *level, double shift, const Level *finer)
{
  PetscFunctionBeginUser;
  if (finer)
    PetscCall(MatMatMatMult(finer->restricts, finer->sparse, finer->prolongs, level->sparse ? MAT_REUSE_MATRIX : MAT_INITIAL_MATRIX, 1.0, &level->sparse));
  else
    PetscCall(FillMatrix(&level->box, shift, level->slopes, level->sparse));
  if (!level->P) level->P = level->sparse;
  if (level->P != level->sparse) PetscCall(FillDense(level, level->sparse, level->P));
  if (!level->coarser) PetscFunctionReturn(0);
  if (!level->products) CoarsenSlopes(level, level->coarser);
  PetscCall(Assemble(level->coarser, shift, level->products ? level : NULL));
  PetscFunctionReturn(0);
}

static PetscErrorCode Linearize(Level *level, double shift, Vec c)
{
  const PetscScalar *values;

  PetscFunctionBeginUser;
  PetscCall(VecGetArrayRead(c, &values));
  for (long q = 0; q < level->cells; q++) ReactionSlopes(&level->box, q, values, level->slopes + NUM_SPECIES * q);
  PetscCall(VecRestoreArrayRead(c, &values));
  PetscCall(Assemble(level, shift, NULL));
  PetscFunctionReturn(0);
}

/* ---- levels ---- */

/* A level and the coarser ones; product - its matrix will be one. */
static PetscErrorCode CreateLevel(char problem, long n, PetscBool products, PetscBool product, Level **level)
{
  PetscFunctionBeginUser;
  PetscCall(PetscNew(level));
  (*level)->box      = CreateBox(problem, n);
  (*level)->cells    = n * n * n;
  (*level)->products = products;
  (*level)->singular = problem == 'C' ? PETSC_FALSE : PETSC_TRUE;
  (*level)->slopes   = Allocate(NUM_SPECIES * n * n * n);
  if (!product) PetscCall(CreateMatrix(*level, &(*level)->sparse));
  if (n % 2 == 0 && n > 4) {
    PetscCall(CreateLevel(problem, n / 2, products, products, &(*level)->coarser));
    CoarsenDiffusivity(&(*level)->box, &(*level)->coarser->box);
    PetscCall(CreateTransfers(*level));
  } else if (n > COARSEST)
    Stop("peer_petsc: CELLS is to be a power of two times at most 8");
  else if ((*level)->singular) {
    PetscCall(MatCreateSeqDense(PETSC_COMM_SELF, (PetscInt)(NUM_SPECIES * (*level)->cells), (PetscInt)(NUM_SPECIES * (*level)->cells), NULL, &(*level)->P));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode DestroyLevel(Level **level)
{
  PetscFunctionBeginUser;
  if (!*level) PetscFunctionReturn(0);
  PetscCall(DestroyLevel(&(*level)->coarser));
  if ((*level)->P != (*level)->sparse) PetscCall(MatDestroy(&(*level)->P));
  PetscCall(MatDestroy(&(*level)->sparse));
  PetscCall(MatDestroy(&(*level)->prolongs));
  PetscCall(MatDestroy(&(*level)->restricts));
  DestroyBox(&(*level)->box);
  free((*level)->slopes);
  PetscCall(PetscFree(*level));
  PetscFunctionReturn(0);
}

/* Hooks of TS want to know what vectors of a level look like. */
static PetscErrorCode SetShape(const Level *level, KSP ksp)
{
  DM  dm;
  Vec vector;

  PetscFunctionBeginUser;
  PetscCall(DMShellCreate(PETSC_COMM_SELF, &dm));
  PetscCall(MatCreateVecs(level->P, &vector, NULL));
  PetscCall(DMShellSetGlobalVector(dm, vector));
  PetscCall(KSPSetDM(ksp, dm));
  PetscCall(KSPSetDMActive(ksp, PETSC_FALSE));
  PetscCall(VecDestroy(&vector));
  PetscCall(DMDestroy(&dm));
  PetscFunctionReturn(0);
}

/* Multigrid from a level down, unless options choose something else. */
static PetscErrorCode SetPC(Level *level, KSP ksp)
{
  PetscInt count = 0;
  PC       pc;
  KSP      smoother;

  PetscFunctionBeginUser;
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCMG));
  for (Level *l = level; l; l = l->coarser) count++;
  PetscCall(PCMGSetLevels(pc, count, NULL));
  for (Level *l = level; l->coarser; l = l->coarser) {
    PetscCall(PCMGSetInterpolation(pc, --count, l->prolongs));
    PetscCall(PCMGSetRestriction(pc, count, l->restricts));
    PetscCall(PCMGGetSmoother(pc, count - 1, &smoother));
    PetscCall(KSPSetOperators(smoother, l->coarser->P, l->coarser->P));
    PetscCall(SetShape(l->coarser, smoother));
  }
  PetscCall(PCSetFromOptions(pc));
  PetscFunctionReturn(0);
}

/* ---- A and B: - lap(D c) - reactions + beta w (total - 1) = 0 ---- */

static PetscErrorCode FormFunction(SNES snes, Vec c, Vec f, void *context)
{
  const Level       *level = context;
  const PetscScalar *in;
  PetscScalar       *out;
  double             off;

  PetscFunctionBeginUser;
  PetscCall(VecGetArrayRead(c, &in));
  PetscCall(VecGetArray(f, &out));
  Apply(&level->box, 1.0, in, in, out);
  off = TotalOff(&level->box, in);
  for (PetscInt q = 0; q < NUM_SPECIES * level->cells; q++) out[q] = beta * Member(&level->box, q) * off - out[q];
  PetscCall(VecRestoreArray(f, &out));
  PetscCall(VecRestoreArrayRead(c, &in));
  PetscFunctionReturn(0);
}

static PetscErrorCode FormJacobian(SNES snes, Vec c, Mat J, Mat P, void *context)
{
  PetscFunctionBeginUser;
  PetscCall(Linearize(context, 0.0, c));
  PetscCall(MatAssemblyBegin(J, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(J, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

/* Local equilibrium at T = 1 with a total of 1. */
static PetscErrorCode Start(const Level *level, char problem, Vec c)
{
  const double forward = problem == 'A' ? 1.0e3 * exp(-2.0) : 100.0, backward = problem == 'A' ? 1.0e3 * exp(-3.5) : 100.0;
  const double first = problem == 'A' ? backward / (forward + backward) : (sqrt(1.0 + 8.0 * forward / backward) - 1.0) / (4.0 * forward / backward);
  PetscScalar *values;

  PetscFunctionBeginUser;
  PetscCall(VecGetArray(c, &values));
  for (PetscInt q = 0; q < NUM_SPECIES * level->cells; q++) values[q] = q % NUM_SPECIES == 0 ? first : (1.0 - first) / level->box.members;
  PetscCall(VecRestoreArray(c, &values));
  PetscFunctionReturn(0);
}

/* The solution in c, from the coarsest grid on if that is wanted. */
static PetscErrorCode SolveSteady(Level *level, char problem, PetscBool sequence, double tolerance, Vec c)
{
  PetscReal           norm;
  PetscInt            steps, iterations;
  SNESConvergedReason reason;
  SNES                snes;
  KSP                 ksp;
  Mat                 J;
  Vec                 f;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(c, &f));
  PetscCall(Start(level, problem, c));
  PetscCall(FormFunction(NULL, c, f, level));
  PetscCall(VecNorm(f, NORM_2, &norm));
  if (sequence && level->coarser && !level->products) {
    Vec coarse;

    PetscCall(MatCreateVecs(level->coarser->sparse, &coarse, NULL));
    PetscCall(SolveSteady(level->coarser, problem, sequence, tolerance, coarse));
    PetscCall(MatMult(level->prolongs, coarse, c));
    PetscCall(VecDestroy(&coarse));
  }
  PetscCall(SNESCreate(PETSC_COMM_SELF, &snes));
  PetscCall(CreateBordered(level, level->sparse, &J));
  PetscCall(SNESSetFunction(snes, f, FormFunction, level));
  PetscCall(SNESSetJacobian(snes, J, level->P, FormJacobian, level));
  PetscCall(SNESGetKSP(snes, &ksp));
  if (level->coarser) PetscCall(SetPC(level, ksp));
  PetscCall(SNESSetFromOptions(snes));
  PetscCall(SNESSetTolerances(snes, tolerance * norm, 0.0, 0.0, 50, 100000));
  PetscCall(SNESSolve(snes, NULL, c));
  PetscCall(SNESGetConvergedReason(snes, &reason));
  PetscCall(SNESGetIterationNumber(snes, &steps));
  PetscCall(SNESGetLinearSolveIterations(snes, &iterations));
  printf("%ld^3: %s, %d steps, %d linear iterations\n", level->box.n, SNESConvergedReasons[reason], (int)steps, (int)iterations);
  if (reason < 0) Stop("peer_petsc: the iteration failed");
  PetscCall(SNESDestroy(&snes));
  PetscCall(MatDestroy(&J));
  PetscCall(VecDestroy(&f));
  PetscFunctionReturn(0);
}

/* ---- C: dc/dt - lap(D c) - reactions = 0 ---- */

static PetscErrorCode FormIFunction(TS ts, PetscReal t, Vec c, Vec rate, Vec f, void *context)
{
  const Level       *level = context;
  const PetscScalar *in, *dot;
  PetscScalar       *out;

  PetscFunctionBeginUser;
  PetscCall(VecGetArrayRead(c, &in));
  PetscCall(VecGetArrayRead(rate, &dot));
  PetscCall(VecGetArray(f, &out));
  Apply(&level->box, 1.0, in, in, out);
  for (PetscInt q = 0; q < NUM_SPECIES * level->cells; q++) out[q] = dot[q] - out[q];
  PetscCall(VecRestoreArray(f, &out));
  PetscCall(VecRestoreArrayRead(rate, &dot));
  PetscCall(VecRestoreArrayRead(c, &in));
  PetscFunctionReturn(0);
}

static PetscErrorCode FormIJacobian(TS ts, PetscReal t, Vec c, Vec rate, PetscReal shift, Mat J, Mat P, void *context)
{
  PetscFunctionBeginUser;
  PetscCall(Linearize(context, shift, c));
  PetscFunctionReturn(0);
}

/* From pure species 1 to the last time; the state at each of them is printed and written. */
static PetscErrorCode SolveInTime(Level *level, double tolerance, FILE *file, Vec c)
{
  PetscReal    span[NUM_TIMES + 1] = {0.0, output_times[0], output_times[1], output_times[2]};
  PetscInt     steps, rejected, newton, linear;
  PetscScalar *values;
  Vec          absolute, relative, *solutions;
  DM           dm;
  TS           ts;
  SNES         snes;
  KSP          ksp;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(c, &absolute));
  PetscCall(VecDuplicate(c, &relative));
  PetscCall(VecSet(relative, tolerance));
  for (PetscInt s = 0; s < NUM_SPECIES; s++) {
    PetscCall(VecStrideSet(c, s, s == 0 ? 1.0 : 0.0));
    PetscCall(VecStrideSet(absolute, s, 1.0e-2 * tolerance / (s == 0 ? 1.0 : level->box.members))); /* soret's default */
  }
  PetscCall(TSCreate(PETSC_COMM_SELF, &ts));
  PetscCall(TSGetDM(ts, &dm));
  PetscCall(DMShellSetGlobalVector(dm, absolute)); /* what vectors look like */
  PetscCall(TSSetIFunction(ts, NULL, FormIFunction, level));
  PetscCall(TSSetIJacobian(ts, level->P, level->P, FormIJacobian, level));
  PetscCall(TSSetTolerances(ts, 0.0, absolute, 0.0, relative));
  PetscCall(TSSetTimeStep(ts, 1.0e-2 * tolerance));
  PetscCall(TSSetMaxSteps(ts, 1000000));
  PetscCall(TSSetTimeSpan(ts, NUM_TIMES + 1, span));
  PetscCall(TSGetSNES(ts, &snes));
  PetscCall(SNESGetKSP(snes, &ksp));
  PetscCall(SetPC(level, ksp));
  PetscCall(TSSetFromOptions(ts));
  PetscCall(TSSolve(ts, c));
  PetscCall(TSGetTimeSpanSolutions(ts, NULL, &solutions));
  for (int k = 1; k <= NUM_TIMES; k++) {
    PetscCall(VecGetArray(solutions[k], &values));
    printf("t %g contrast %.8f\n", span[k], Contrast(&level->box, values));
    if (file && fwrite(values, sizeof *values, (size_t)(NUM_SPECIES * level->cells), file) != (size_t)(NUM_SPECIES * level->cells)) Stop("peer_petsc: cannot write");
    PetscCall(VecRestoreArray(solutions[k], &values));
  }
  PetscCall(TSGetStepNumber(ts, &steps));
  PetscCall(TSGetStepRejections(ts, &rejected));
  PetscCall(TSGetSNESIterations(ts, &newton));
  PetscCall(TSGetKSPIterations(ts, &linear));
  printf("%d steps, %d rejected, %d steps of Newton, %d linear iterations\n", (int)steps, (int)rejected, (int)newton, (int)linear);
  PetscCall(TSDestroy(&ts));
  PetscCall(VecDestroy(&absolute));
  PetscCall(VecDestroy(&relative));
  PetscFunctionReturn(0);
}

static PetscErrorCode Run(char problem, long n, double tolerance, FILE *file)
{
  PetscBool    sequence = PETSC_TRUE, products = PETSC_FALSE;
  PetscScalar *values;
  Level       *level;
  Seconds      begin;
  Vec          c;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-sequence", &sequence, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-products", &products, NULL));
  PetscCall(CreateLevel(problem, n, products, PETSC_FALSE, &level));
  PetscCall(Assemble(level, 1.0, NULL)); /* so that all matrices are there */
  PetscCall(MatCreateVecs(level->sparse, &c, NULL));
  begin = Now();
  if (problem == 'C')
    PetscCall(SolveInTime(level, tolerance, file, c));
  else
    PetscCall(SolveSteady(level, problem, sequence, tolerance, c));
  PrintSolve(begin);
  PetscCall(VecGetArray(c, &values));
  printf("contrast %.8f, total off by %.1e\n", Contrast(&level->box, values), TotalOff(&level->box, values));
  PetscCall(VecRestoreArray(c, &values));
  PetscCall(VecDestroy(&c));
  PetscCall(DestroyLevel(&level));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  const char   problem   = argc > 1 ? argv[1][0] : ' ';
  const long   n         = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
  const double tolerance = argc > 3 && argv[3][0] != '-' ? strtod(argv[3], NULL) : problem == 'C' ? 1.0e-5
                                                                                                  : 1.0e-8;
  FILE        *file      = argc > 4 && argv[3][0] != '-' && argv[4][0] != '-' ? fopen(argv[4], "wb") : NULL;

  if (!strchr("ABC", problem) || n < 4 || !(tolerance > 0.0)) Stop("usage: peer_petsc A|B|C CELLS [TOLERANCE [FILE]] [-petsc_option ...]");
  PetscCall(PetscInitialize(&argc, &argv, NULL, NULL));
  PetscCall(Run(problem, n, tolerance, file));
  if (file && fclose(file)) Stop("peer_petsc: cannot write");
  PetscCall(PetscFinalize());
  return 0;
}
