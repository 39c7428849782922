/* SPDX-License-Identifier: BSD-2-Clause

   The Jacobian against differences of the residual, term by term, and the face fluxes against the residual. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "../../src/solve_private.h"
#include "soret/case.h"

static SoretCase    the_case;
static SoretProblem problem;

static PetscErrorCode Build(const char *yaml)
{
  PetscFunctionBeginUser;
  PetscCall(SoretCaseParse("test.yaml", yaml, strlen(yaml), 0, NULL, &the_case));
  PetscCall(SoretInputCheck(the_case.in, PETSC_COMM_WORLD));
  PetscCall(SoretProblemCreate(PETSC_COMM_WORLD, &the_case, &problem));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TearDown(void)
{
  PetscFunctionBeginUser;
  PetscCall(SoretProblemDestroy(&problem));
  PetscCall(SoretCaseDestroy(&the_case));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Global indices of cell p of this rank. */
static void Locate(PetscInt p, PetscInt at[3])
{
  const SoretGrid *g = &problem.grid;

  at[0] = g->start[0] + p % g->count[0];
  at[1] = g->start[1] + p / g->count[0] % g->count[1];
  at[2] = g->start[2] + p / g->count[0] / g->count[1];
}

/* Reproducible numbers in [lo, hi], the same in each cell on any number of ranks. */
static PetscErrorCode Fill(Vec x, PetscReal seed, PetscReal lo, PetscReal hi)
{
  const SoretGrid *g  = &problem.grid;
  const PetscInt   ns = the_case.model.num_species;
  PetscReal       *a;

  PetscFunctionBeginUser;
  PetscCall(VecGetArray(x, &a));
  for (PetscInt q = 0; q < g->num_cells * ns; q++) {
    PetscInt  at[3];
    PetscReal s;

    Locate(q / ns, at);
    s    = 43758.5453 * sin(12.9898 * at[0] + 78.233 * at[1] + 37.719 * at[2] + 4.581 * (q % ns) + seed);

    a[q] = lo + (hi - lo) * (s - floor(s));
  }
  PetscCall(VecRestoreArray(x, &a));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* |J v - (F(c + h v) - F(c - h v))/2h| relative to |J v|, in random directions; A is what the Krylov method sees. */
static PetscErrorCode CheckDirections(PetscErrorCode (*residual)(void *, Vec, Vec), void *context, Mat A, Vec c)
{
  const PetscReal h = 1.0e-4;
  Vec             v, w, f, Jv;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(c, &v));
  PetscCall(VecDuplicate(c, &w));
  PetscCall(VecDuplicate(c, &f));
  PetscCall(VecDuplicate(c, &Jv));
  for (int seed = 0; seed < 4; seed++) {
    PetscReal error, size;

    PetscCall(Fill(v, 1.7 + seed, -1.0, 1.0));
    PetscCall(MatMult(A, v, Jv));
    PetscCall(VecWAXPY(w, h, v, c));
    PetscCall(residual(context, w, f));
    PetscCall(VecAXPY(Jv, -0.5 / h, f));
    PetscCall(VecWAXPY(w, -h, v, c));
    PetscCall(residual(context, w, f));
    PetscCall(VecAXPY(Jv, 0.5 / h, f));
    PetscCall(VecNorm(Jv, NORM_INFINITY, &error));
    PetscCall(MatMult(A, v, Jv));
    PetscCall(VecNorm(Jv, NORM_INFINITY, &size));
    CheckClose(error / size, 0.0, 2.0e-8); /* h^2 = 1e-8 times third derivatives of order 4 rates, rounding 1e-16/h */
  }
  PetscCall(VecDestroy(&v));
  PetscCall(VecDestroy(&w));
  PetscCall(VecDestroy(&f));
  PetscCall(VecDestroy(&Jv));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode OperatorResidual(void *op, Vec c, Vec f)
{
  return SoretOperatorResidual((SoretOperator *)op, NULL, c, f);
}

static PetscErrorCode SystemResidual(void *sys, Vec c, Vec f)
{
  return SoretSystemResidual((SoretSystem *)sys, c, f);
}

/* Sum of the face fluxes minus the source, against the residual. */
typedef struct {
  const PetscReal *f;
  PetscReal        worst, size;
} FluxSum;

static PetscErrorCode VisitFluxSum(SoretOperator *op, const SoretRow *row, void *context)
{
  FluxSum       *sum = (FluxSum *)context;
  const PetscInt ns  = op->num_species;

  PetscFunctionBeginUser;
  for (PetscInt i = 0; i < op->grid->count[0]; i++) {
    PetscReal source[SORET_MAX_SPECIES] = {0}, k[2 * SORET_MAX_REACTIONS];

    SoretOperatorConstants(op, row->first + i, k);
    SoretNetworkAddSource(&op->model->network, k, row->c + i * ns, source);
    for (PetscInt s = 0; s < ns; s++) {
      PetscReal flux[6], net = 0.0;

      SoretOperatorFaceFluxes(op, row, i, s, flux, NULL);
      for (int face = 0; face < 6; face++) {
        net += face % 2 ? flux[face] : -flux[face];
        sum->size = PetscMax(sum->size, PetscAbsReal(flux[face]));
      }
      net -= SoretOperatorVolume(op, row, i) * source[s];
      sum->worst = PetscMax(sum->worst, PetscAbsReal(net - sum->f[(row->first + i) * ns + s]));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckFluxes(Vec c)
{
  FluxSum          sum = {NULL, 0.0, 0.0};
  const PetscReal *array;
  Vec              f;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(c, &f));
  PetscCall(SoretOperatorResidual(&problem.op, NULL, c, f));
  PetscCall(VecGetArrayRead(f, &array));
  sum.f = array;
  PetscCall(SoretOperatorForEachRow(&problem.op, c, VisitFluxSum, &sum));
  PetscCall(VecRestoreArrayRead(f, &array));
  PetscCall(VecDestroy(&f));
  CheckClose(sum.worst, 0.0, 1.0e-13 * sum.size);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Blocks of four cells and the general way say the same of how far a state is from steady, also where amounts differ by more than a hundred. */
static PetscErrorCode CheckMeasure(Vec c)
{
  const int  blocks = problem.op.blocks;
  PetscReal  ratio[2], *array;
  PetscBool  at_floor;
  PetscInt   n;
  Vec        x;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(c, &x));
  PetscCall(VecCopy(c, x));
  PetscCall(VecGetLocalSize(x, &n));
  for (int varied = 0; varied < 2; varied++) {
    for (int general = 0; general < 2; general++) {
      if (general) problem.op.blocks = 0;
      PetscCall(SoretSteadyMeasure(&problem.op, &the_case.sums, PETSC_FALSE, x, &ratio[general], &at_floor, NULL));
      problem.op.blocks = blocks;
    }
    Check(ratio[0] > 0.0);
    CheckClose(ratio[1] / ratio[0], 1.0, 1.0e-12); /* in the balance of the box rounding of all cells adds up */
    PetscCall(VecGetArray(x, &array));
    for (PetscInt q = 0; q < n; q++) array[q] *= q / problem.op.num_species % 5 ? 1.0 : 1.0e-4;
    PetscCall(VecRestoreArray(x, &array));
  }
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where c solves the equations for a right side, a sweep of the smoother leaves it alone. */
static PetscErrorCode CheckSmoother(SoretSystem *sys, Vec c)
{
  PetscReal error;
  Vec       f, w;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(c, &f));
  PetscCall(VecDuplicate(c, &w));
  PetscCall(SoretSystemResidual(sys, c, f));
  PetscCall(VecCopy(c, w));
  PetscCall(SoretSystemSmooth(sys, f, w));
  PetscCall(VecAXPY(w, -1.0, c));
  PetscCall(VecNorm(w, NORM_INFINITY, &error));
  CheckClose(error, 0.0, 1.0e-12);
  PetscCall(VecDestroy(&f));
  PetscCall(VecDestroy(&w));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A shift adds volume shift (c - old) to the residual; where it is far larger than all rates a sweep goes to `old`. */
static PetscErrorCode CheckShift(SoretSystem *sys, Vec c)
{
  const PetscReal shift = 1.5;
  PetscReal       error, size;
  Vec             f, moved, w;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(c, &f));
  PetscCall(VecDuplicate(c, &moved));
  PetscCall(VecDuplicate(c, &w));
  PetscCall(VecDuplicate(c, &sys->old));
  PetscCall(Fill(sys->old, 1.7, 0.6, 1.6));
  PetscCall(SoretSystemResidual(sys, c, f));
  sys->shift = shift;
  PetscCall(SoretSystemResidual(sys, c, moved));
  PetscCall(CheckSmoother(sys, c));
  PetscCall(VecAXPY(moved, -1.0, f));
  PetscCall(SoretOperatorPerVolume(sys->op, 1.0, moved));
  PetscCall(VecWAXPY(w, -1.0, sys->old, c));
  PetscCall(VecAXPY(moved, -shift, w));
  PetscCall(VecNorm(moved, NORM_INFINITY, &error));
  PetscCall(SoretOperatorPerVolume(sys->op, 1.0, f));
  PetscCall(VecNorm(f, NORM_INFINITY, &size));
  CheckClose(error / PetscMax(size, shift), 0.0, 1.0e-14);
  sys->shift = 1.0e15;
  PetscCall(VecCopy(c, w));
  PetscCall(SoretSystemSmooth(sys, NULL, w));
  PetscCall(VecAXPY(w, -1.0, sys->old));
  PetscCall(VecNorm(w, NORM_INFINITY, &error));
  CheckClose(error, 0.0, 1.0e-8);
  sys->shift = 0.0;
  PetscCall(VecDestroy(&sys->old));
  PetscCall(VecDestroy(&f));
  PetscCall(VecDestroy(&moved));
  PetscCall(VecDestroy(&w));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The shell multiplies as the matrix does, to rounding; without terms of sums, as TS has it, per volume. */
static PetscErrorCode CheckShell(SoretSystem *sys, Vec c)
{
  SoretSystem shell;
  PetscReal   error, size;
  Vec         v, w[2];

  PetscFunctionBeginUser;
  PetscCall(SoretSystemCreate(sys->op, sys->sums, NULL, c, sys->augmented, &shell));
  PetscCall(SoretSystemCreateShell(&shell));
  sys->shift = shell.shift = 1.5;
  PetscCall(SoretSystemJacobian(sys, c));
  PetscCall(SoretSystemJacobian(&shell, c));
  PetscCall(VecDuplicate(c, &v));
  for (int k = 0; k < 2; k++) PetscCall(VecDuplicate(c, &w[k]));
  PetscCall(Fill(v, 2.1, -1.0, 1.0));
  PetscCall(MatMult(sys->A, v, w[0]));
  PetscCall(MatMult(shell.A, v, w[1]));
  if (!sys->augmented) PetscCall(SoretOperatorPerVolume(sys->op, 1.0, w[0]));
  PetscCall(VecNorm(w[0], NORM_INFINITY, &size));
  PetscCall(VecAXPY(w[0], -1.0, w[1]));
  PetscCall(VecNorm(w[0], NORM_INFINITY, &error));
  CheckClose(error / size, 0.0, 1.0e-14);
  PetscCall(VecDestroy(&v));
  for (int k = 0; k < 2; k++) PetscCall(VecDestroy(&w[k]));
  PetscCall(SoretSystemDestroy(&shell));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Everything that must hold for one case. */
static PetscErrorCode CheckAll(const char *yaml)
{
  const int failures = test_failures;
  Mat       J;
  Vec       c;

  PetscFunctionBeginUser;
  PetscCall(Build(yaml));
  PetscCall(VecDuplicate(problem.c, &c));
  PetscCall(Fill(c, 0.3, 0.5, 1.5));
  PetscCall(SoretOperatorSetTime(&problem.op, 0.4));
  PetscCall(SoretOperatorCreateMatrix(&problem.op, NULL, &J));
  PetscCall(SoretOperatorJacobian(&problem.op, c, 0.0, NULL, J));
  PetscCall(CheckDirections(OperatorResidual, &problem.op, J, c));
  PetscCall(CheckFluxes(c));
  PetscCall(CheckMeasure(c));
  PetscCall(MatDestroy(&J));
  for (int augmented = 0; augmented < 2; augmented++) {
    SoretSystem sys;

    PetscCall(SoretSystemCreate(&problem.op, &the_case.sums, NULL, c, (PetscBool)augmented, &sys));
    PetscCall(SoretSystemCreateMatrices(&sys));
    PetscCall(SoretSystemJacobian(&sys, c));
    PetscCall(CheckDirections(SystemResidual, &sys, sys.A, c));
    if (augmented && problem.op.width == 1) PetscCall(CheckSmoother(&sys, c)); /* it has no ballistic transport */
    if (problem.op.width == 1) PetscCall(CheckShift(&sys, c));
    if (problem.op.width == 1) PetscCall(CheckShell(&sys, c));
    PetscCall(SoretSystemDestroy(&sys));
  }
  PetscCall(VecDestroy(&c));
  PetscCall(TearDown());
  if (test_failures != failures) fprintf(stderr, "... in the case\n%s", yaml);
  PetscFunctionReturn(PETSC_SUCCESS);
}

#define HEAD "soret: 1\nunits: reduced\n"
#define BOX1 "domain: {size: [1.0], cells: [9], grading: {x: {ratio: 3}}}\ntemperature: \"1 + x^2 + 0.1*t\"\n"
#define BOX2 "domain: {size: [1.0, 0.7], cells: [7, 5], grading: {y: {tanh: 1.2}}}\ntemperature: \"1 + x^2 + 0.5*x*y + 0.1*t\"\n"
#define BOX3 "domain: {size: [1.0, 0.7, 0.9], cells: [5, 4, 6], grading: {z: {ratio: 2}}}\ntemperature: \"1 + x^2 + 0.5*x*y + z\"\n"
/* equal cells along x, and more of them than the smoother takes at once */
#define BOX4 "domain: {size: [1.0, 0.7, 0.9], cells: [143, 2, 3], grading: {y: {ratio: 2}}}\ntemperature: \"1 + x^2 + 0.5*x*y + z\"\n"
static const char *const boxes[] = {HEAD BOX1, HEAD BOX2, HEAD BOX3, HEAD BOX4};

static PetscErrorCode CheckBoxes(const char *rest)
{
  char text[4096];

  PetscFunctionBeginUser;
  for (size_t k = 0; k < sizeof(boxes) / sizeof(boxes[0]); k++) {
    PetscCall(PetscSNPrintf(text, sizeof(text), "%s%s", boxes[k], rest));
    PetscCall(CheckAll(text));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestConventions(void)
{
  PetscFunctionBeginUser;
  /* constant a: the kernel of products */
  PetscCall(CheckBoxes("species:\n  - {name: A, diffusivity: {law: einstein, mobility: 0.7}}\n  - {name: B, diffusivity: \"0.2*T^2 + 0.1*x\"}\n  - {name: C, diffusivity: 0}\n"));
  /* face by face */
  PetscCall(CheckBoxes("species:\n"
                       "  - {name: A, diffusivity: \"0.2*T^2\"}\n"
                       "  - {name: B, diffusivity: \"0.2*T^2\", convention: stratonovich}\n"
                       "  - {name: C, diffusivity: {law: arrhenius, prefactor: 2, activation: 1.5}, convention: fick}\n"
                       "  - {name: D, diffusivity: 0.4, soret: \"2 - 3/T\"}\n"
                       "  - {name: E, diffusivity: T, soret: 1.5, convention: fick}\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestReactions(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckBoxes("species:\n"
                       "  - {name: A, diffusivity: T}\n  - {name: B, diffusivity: 0.3}\n  - {name: C, diffusivity: 0.1}\n  - {name: D, diffusivity: 0.2}\n"
                       "reactions:\n"
                       "  - {equation: A <=> B, forward: \"2*T\", backward: 1}\n"
                       "  - {equation: 2 A + B <=> C, forward: 3, equilibrium: \"exp(1/T)\"}\n"
                       "  - {equation: 4 D => A, forward: \"0.5 + x\"}\n"
                       "  - {equation: 3 A + D <=> 2 B + 2 C, forward: 0.7, backward: \"0.2*T\"}\n"
                       "  - {equation: A + B => 2 B, forward: \"1 + t\"}\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Reactions of at most two factors go through blocks of four cells: one to four species, with one conductivity (products of one factor per axis, or one number where cells are
   equal) and with several, between closed walls and open ones. */
static PetscErrorCode TestBlocks(void)
{
  static const char *const reactions[] = {"{equation: 2 A => A, forward: \"2*T\"}", "{equation: A + B <=> 2 B, forward: 3, backward: T}", "{equation: A + B <=> C, forward: T, backward: 2}", "{equation: A + B <=> C, forward: T, backward: 2}, {equation: 2 C <=> 2 D, forward: \"1 + x\", backward: 1}", "{equation: 2 A <=> B, forward: 3, backward: T}", "{equation: A <=> B, forward: T, backward: 3}"};
  static const char *const walls[] = {"", "boundaries: {x+: {A: {value: 2}}, x-: {A: {transfer: 1, outside: 0.5}}}\n"};

  PetscFunctionBeginUser;
  for (int network = 0; network < 6; network++) {
    const int ns = network < 4 ? network + 1 : 2; /* the last two are compiled in */

    for (int varies = 0; varies < 2; varies++) {
      for (int open = 0; open < 2; open++) {
        char text[2048] = "species:\n";

        for (int s = 0; s < ns; s++) {
          char line[128];

          PetscCall(PetscSNPrintf(line, sizeof(line), varies ? "  - {name: %c, diffusivity: \"%g*T^2 + 0.1*x\", convention: fick}\n" : s % 2 ? "  - {name: %c, diffusivity: %g, convention: fick}\n" : "  - {name: %c, diffusivity: {law: einstein, mobility: %g}}\n", 'A' + s, 1.0 / (1.0 + s)));
          PetscCall(SoretAppend(text, line, sizeof(text)));
        }
        PetscCall(SoretAppend(text, "reactions: [", sizeof(text)));
        PetscCall(SoretAppend(text, reactions[network], sizeof(text)));
        PetscCall(SoretAppend(text, "]\n", sizeof(text)));
        PetscCall(SoretAppend(text, walls[open], sizeof(text)));
        PetscCall(CheckBoxes(text));
      }
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the residual and a sweep give for a state. */
static PetscErrorCode ResidualAndSweep(const char *yaml, Vec result[2])
{
  Vec c;

  PetscFunctionBeginUser;
  PetscCall(Build(yaml));
  PetscCall(VecDuplicate(problem.c, &c));
  for (int k = 0; k < 2; k++) PetscCall(VecDuplicate(c, &result[k]));
  PetscCall(Fill(c, 0.3, 0.5, 1.5));
  PetscCall(SoretOperatorSetTime(&problem.op, 0.0));
  PetscCall(SoretOperatorResidual(&problem.op, NULL, c, result[0]));
  PetscCall(VecCopy(c, result[1]));
  PetscCall(SoretOperatorSmooth(&problem.op, NULL, 1.0, result[0], result[1], NULL));
  PetscCall(SoretOperatorSmooth(&problem.op, NULL, 1.0, NULL, result[1], NULL));
  PetscCall(VecDestroy(&c));
  PetscCall(TearDown());
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* How many rows are treated together, whether a residual goes past the caches, and into which cache memory is asked for, changes no bit. */
static PetscErrorCode TestRowsTogether(void)
{
  static const char *const rest[] = {"species: [{name: A, diffusivity: T}, {name: B, diffusivity: 0.3, convention: fick}]\nreactions: [{equation: 2 A <=> B, forward: 3, backward: T}]\n",
                                     "species: [{name: A, diffusivity: T}, {name: B, diffusivity: \"0.2*T^2\", convention: fick}]\nreactions: [{equation: A <=> B, forward: 3, backward: T}]\n",
                                     "species: [{name: A, diffusivity: T}, {name: B, diffusivity: 0.3}, {name: C, diffusivity: 0.1}]\nreactions: [{equation: A + B <=> C, forward: T, backward: 1}]\n"};
  static const char *const box[]  = {"domain: {size: [1.0, 0.7, 0.9], cells: [22, 19, 3]}\ntemperature: \"1 + x^2 + 0.5*x*y + z\"\n", "domain: {size: [1.0, 0.7], cells: [6, 9]}\ntemperature: \"1 + x^2\"\n"};

  PetscFunctionBeginUser;
  for (int k = 0; k < 12; k++) {
    char text[1024];
    Vec  usual[2], blocks[2];

    PetscCall(PetscSNPrintf(text, sizeof(text), HEAD "%s%s", box[k % 2], rest[k / 4]));
    PetscCall(ResidualAndSweep(text, usual));
    PetscCall(PetscOptionsSetValue(NULL, "-cache_bytes", "0"));
    PetscCall(PetscOptionsSetValue(NULL, "-first_cache_bytes", k / 2 % 2 ? "65536" : "32768"));
    PetscCall(ResidualAndSweep(text, blocks));
    PetscCall(PetscOptionsClearValue(NULL, "-first_cache_bytes"));
    PetscCall(PetscOptionsClearValue(NULL, "-cache_bytes"));
    for (int what = 0; what < 2; what++) {
      PetscReal size, difference;

      PetscCall(VecNorm(usual[what], NORM_INFINITY, &size));
      PetscCall(VecAXPY(blocks[what], -1.0, usual[what]));
      PetscCall(VecNorm(blocks[what], NORM_INFINITY, &difference));
      Check(size > 0.0);
      CheckClose(difference, 0.0, 0.0);
      PetscCall(VecDestroy(&usual[what]));
      PetscCall(VecDestroy(&blocks[what]));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rows of slabs begin at lines of the caches; rows that are longer than a page, and slabs, lie far from alike in their pages. */
static PetscErrorCode TestSlabs(void)
{
  const PetscInt page = 4096 / sizeof(PetscReal), cells[] = {1, 7, 30, 248, 252, 254, 256, 257, 512};

  PetscFunctionBeginUser;
  for (size_t k = 0; k < sizeof(cells) / sizeof(cells[0]); k++) {
    const SoretOperator *op = &problem.op;
    char                 text[512];

    PetscCall(PetscSNPrintf(text, sizeof(text), HEAD "domain: {size: [1, 1, 1], cells: [%" PetscInt_FMT ", 4, 4]}\ntemperature: 1\nspecies: [{name: A, diffusivity: 1}, {name: B, diffusivity: 1}]\n", cells[k]));
    PetscCall(Build(text));
    Check(op->row_start >= 2 && op->row_length >= op->row_start + 2 * op->grid->count[0] + 2);
    Check(op->row_length % 8 == 0);
    if (op->row_length > page / 2) Check((op->row_length + page / 8) % page >= page / 4);
    for (int p = 0; p < 4; p++) {
      Check((uintptr_t)(op->slab[p] + op->row_start) % 64 == 0);
      if (p) Check((op->slab[p] - op->slab[p - 1]) % page == page / 2);
    }
    PetscCall(TearDown());
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A sweep from random amounts with over-relaxation of transport. The problem stays. */
static PetscErrorCode Relax(const char *box, const char *species, PetscReal omega, Vec *before, Vec *after)
{
  char text[1024];

  PetscFunctionBeginUser;
  PetscCall(PetscSNPrintf(text, sizeof(text), HEAD "%s%s", box, species));
  PetscCall(Build(text));
  PetscCall(VecDuplicate(problem.c, before));
  PetscCall(VecDuplicate(problem.c, after));
  PetscCall(Fill(*before, 0.3, 1.0, 1.2));
  PetscCall(VecCopy(*before, *after));
  PetscCall(SoretOperatorSetTime(&problem.op, 0.0));
  PetscCall(SoretOperatorSmooth(&problem.op, NULL, omega, NULL, *after, NULL));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where there is nothing but transport a red cell, which sees old amounts alone, changes omega times as much. */
static PetscErrorCode CheckRed(const char *box, const char *species)
{
  const PetscReal  omega = 1.3, *c, *once, *more;
  Vec              v[4];

  PetscFunctionBeginUser;
  PetscCall(Relax(box, species, 1.0, &v[0], &v[1]));
  PetscCall(TearDown());
  PetscCall(Relax(box, species, omega, &v[2], &v[3]));
  PetscCall(VecGetArrayRead(v[0], &c));
  PetscCall(VecGetArrayRead(v[1], &once));
  PetscCall(VecGetArrayRead(v[3], &more));
  for (PetscInt q = 0; q < problem.grid.num_cells * the_case.model.num_species; q++) {
    PetscInt at[3];

    Locate(q / the_case.model.num_species, at);
    if ((at[0] + at[1] + at[2]) % 2 == 0) CheckClose(more[q] - c[q], omega * (once[q] - c[q]), 1.0e-13);
  }
  PetscCall(VecRestoreArrayRead(v[0], &c));
  PetscCall(VecRestoreArrayRead(v[1], &once));
  PetscCall(VecRestoreArrayRead(v[3], &more));
  for (int n = 0; n < 4; n++) PetscCall(VecDestroy(&v[n]));
  PetscCall(TearDown());
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Two species that react, which go by four cells, beside the same with three more that make them go the general way. */
static PetscErrorCode CheckReacting(const char *box)
{
  static const char *const more[] = {"", ", {name: C, diffusivity: 1}, {name: D, diffusivity: 1}, {name: E, diffusivity: 1}"};
  const PetscReal         *few, *many;
  PetscInt                 num_cells;
  Vec                      v[4];

  PetscFunctionBeginUser;
  for (int k = 0; k < 2; k++) {
    char species[512];

    PetscCall(PetscSNPrintf(species, sizeof(species), "species: [{name: A, diffusivity: T}, {name: B, diffusivity: 0.3}%s]\nreactions: [{equation: 2 A <=> B, forward: 300, backward: 200*T}]\n", more[k]));
    PetscCall(Relax(box, species, 1.3, &v[2 * k], &v[2 * k + 1]));
    Check(k == (problem.op.blocks == 0));
    num_cells = problem.grid.num_cells;
    PetscCall(TearDown());
  }
  PetscCall(VecGetArrayRead(v[1], &few));
  PetscCall(VecGetArrayRead(v[3], &many));
  for (PetscInt q = 0; q < 2 * num_cells; q++) CheckClose(few[q], many[q / 2 * 5 + q % 2], 1.0e-12);
  PetscCall(VecRestoreArrayRead(v[1], &few));
  PetscCall(VecRestoreArrayRead(v[3], &many));
  for (int n = 0; n < 4; n++) PetscCall(VecDestroy(&v[n]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestRelaxation(void)
{
  static const char *const box[] = {BOX3, BOX4, "domain: {size: [1.0, 0.7, 0.9], cells: [22, 19, 3], grading: {x: {ratio: 3}}}\ntemperature: \"1 + x^2 + 0.5*x*y + z\"\n"};

  PetscFunctionBeginUser;
  for (int k = 0; k < 3; k++) {
    PetscCall(CheckRed(box[k], "species: [{name: A, diffusivity: T}]\n"));
    PetscCall(CheckRed(box[k], "species: [{name: A, diffusivity: T, convention: fick}, {name: B, diffusivity: 0.3}]\n"));
    PetscCall(CheckRed(box[k], "species: [{name: A, diffusivity: T, convention: fick}, {name: B, diffusivity: 0.3}, {name: C, diffusivity: 0.4}, {name: D, diffusivity: 0.5}, {name: E, diffusivity: 0.6}]\n"));
    PetscCall(CheckReacting(box[k]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A copy of x that begins `shift` numbers after a multiple of 64 bytes; memory is to be freed. */
static PetscErrorCode CopyAt(Vec x, PetscInt shift, void **memory, Vec *y)
{
  PetscReal *array;
  PetscInt   n;

  PetscFunctionBeginUser;
  PetscCall(VecGetLocalSize(x, &n));
  Check(posix_memalign(memory, 64, (size_t)(n + shift) * sizeof(PetscReal)) == 0);
  array = (PetscReal *)*memory + shift;
  PetscCall(VecCreateMPIWithArray(PETSC_COMM_WORLD, 1, n, PETSC_DECIDE, array, y));
  PetscCall(VecCopy(x, *y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where vectors lie, and with that whether a residual goes past the caches, changes no bit of residual, product and sweep: a run that goes on has them elsewhere. */
static PetscErrorCode TestPlaces(void)
{
  const PetscReal matrix[4] = {0.3, 0.1, 0.0, 0.2};

  PetscFunctionBeginUser;
  for (int dim = 2; dim <= 3; dim++) {
    Vec   c, kept[3] = {NULL, NULL, NULL}, at[3];
    void *memory[3];

    PetscCall(Build(dim == 2 ? HEAD "domain: {size: [1, 1], cells: [16, 12]}\ntemperature: 1 + 0.3*x + 0.2*y\nspecies: [{name: A, diffusivity: {law: einstein, mobility: 1}}, {name: B, diffusivity: {law: einstein, mobility: 0.4}}]\nreactions: [{equation: 2 A <=> B, forward: 100, backward: 100*exp(2-2/T)}]\n"
                             : HEAD BOX3 "species: [{name: A, diffusivity: T}, {name: B, diffusivity: \"0.2*T^2\", convention: fick}]\nreactions: [{equation: A <=> B, forward: 3, backward: T}]\n"));
    problem.op.cache_bytes = 0;
    PetscCall(VecDuplicate(problem.c, &c));
    PetscCall(Fill(c, 0.3, 0.5, 1.5));
    PetscCall(SoretOperatorSetTime(&problem.op, 0.0));
    for (PetscInt place = 0; place < 8; place += 2) {
      for (int k = 0; k < 3; k++) PetscCall(CopyAt(c, k ? place : 0, &memory[k], &at[k]));
      for (int what = 0; what < 3; what++) {
        PetscReal difference = 0.0;

        PetscCall(VecCopy(c, at[2]));
        if (what == 0) PetscCall(SoretOperatorResidual(&problem.op, NULL, at[1], at[2]));
        else if (what == 1) PetscCall(SoretOperatorMultiply(&problem.op, matrix, at[0], at[1], at[2]));
        else PetscCall(SoretOperatorSmooth(&problem.op, NULL, 1.0, NULL, at[2], NULL));
        if (!kept[what]) PetscCall(VecDuplicate(c, &kept[what]));
        if (place == 0) PetscCall(VecCopy(at[2], kept[what]));
        PetscCall(VecAXPY(at[2], -1.0, kept[what]));
        PetscCall(VecNorm(at[2], NORM_INFINITY, &difference));
        CheckClose(difference, 0.0, 0.0);
      }
      for (int k = 0; k < 3; k++) {
        PetscCall(VecDestroy(&at[k]));
        free(memory[k]);
      }
    }
    for (int k = 0; k < 3; k++) PetscCall(VecDestroy(&kept[k]));
    PetscCall(VecDestroy(&c));
    PetscCall(TearDown());
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestBoundaries(void)
{
  static const char *const sides[] = {"x-", "x+", "y-", "y+", "z-", "z+"};
  char                     text[4096];

  PetscFunctionBeginUser;
  for (int dim = 1; dim <= 3; dim++) {
    for (int face = 0; face < 2 * dim; face++) {
      const char *velocity = dim == 1 ? "[0.8]" : dim == 2 ? "[0.8, -1.3]" : "[0.8, -1.3, 0.4]";

      PetscCall(PetscSNPrintf(text, sizeof(text),
                              "%sspecies:\n"
                              "  - {name: A, diffusivity: T}\n  - {name: B, diffusivity: T, convention: fick, soret: 1}\n  - {name: C, diffusivity: 0.3}\n"
                              "  - {name: D, diffusivity: T, velocity: %s}\n  - {name: E, diffusivity: 0.1, velocity: %s}\n  - {name: F, diffusivity: T, velocity: %s, soret: 2, convention: stratonovich}\n"
                              "boundaries:\n  %s: {A: {value: \"1 + t\"}, B: {transfer: \"2 + x\", outside: T}, C: {flux: -0.3}, D: {value: 2}, E: {outflow: true}, F: {transfer: 1, outside: 2}}\n",
                              boxes[dim - 1], velocity, velocity, velocity, sides[face]));
      PetscCall(CheckAll(text));
    }
  }
  for (int sign = -1; sign <= 1; sign += 2) { /* flow so strong that rounding decides the sign of what passes against it */
    for (int velocity = 300; velocity < 3000; velocity += 100) {
      PetscCall(PetscSNPrintf(text, sizeof(text), "%sspecies:\n  - {name: A, diffusivity: T, velocity: [%d]}\n  - {name: B, diffusivity: T, velocity: [%d]}\nboundaries:\n  x-: {A: {value: 2}, B: {transfer: 1, outside: 2}}\n  x+: {A: {value: 1}, B: {value: 1}}\n", boxes[0], sign * velocity, sign * velocity));
      PetscCall(CheckAll(text));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

#define PERIODIC_SPECIES \
  "species:\n" \
  "  - {name: A, diffusivity: T}\n  - {name: B, diffusivity: \"0.3 + 0.1*T\", convention: stratonovich}\n" \
  "reactions: [{equation: A <=> B, forward: T, backward: 2}]\n"
static PetscErrorCode TestPeriodic(void)
{
  static const char *const domains[] = {
    "domain: {size: [1.0], cells: [7], periodic: [x]}\n",
    "domain: {size: [1.0], cells: [2], periodic: [x]}\n",
    "domain: {size: [1.0], cells: [3], periodic: [x]}\n",
    "domain: {size: [1.0, 1.0], cells: [6, 5], periodic: [x, y], grading: {x: {ratio: 2}}}\n",
    "domain: {size: [1.0, 1.0], cells: [5, 2], periodic: [y]}\n",
    "domain: {size: [1.0, 1.0, 1.0], cells: [4, 3, 5], periodic: [z]}\n",
    "domain: {size: [1.0, 1.0, 1.0], cells: [3, 4, 2], periodic: [x, y, z]}\n"};
  char text[4096];

  PetscFunctionBeginUser;
  for (size_t k = 0; k < sizeof(domains) / sizeof(domains[0]); k++) {
    PetscCall(PetscSNPrintf(text, sizeof(text), HEAD "%stemperature: \"1 + 0.3*cos(2*pi*x)*cos(2*pi*y) + 0.1*cos(2*pi*z)\"\n" PERIODIC_SPECIES, domains[k]));
    PetscCall(CheckAll(text));
  }
  PetscCall(CheckAll(HEAD "domain: {size: [1.0, 1.0], cells: [6, 5], periodic: [x]}\ntemperature: \"1 + 0.3*cos(2*pi*x) + y\"\n"
                          "species: [{name: A, diffusivity: T, velocity: [1.5, -0.5]}, {name: B, diffusivity: 0, velocity: [-1, 0.5]}, {name: C, diffusivity: 0, velocity: [1, 0]}]\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestBallistic(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckAll(HEAD BOX1 "species:\n"
                               "  - {name: L, diffusivity: 0, velocity: [-1.5], mirror: R}\n  - {name: R, diffusivity: 0, velocity: [1.5], mirror: L}\n  - {name: O, diffusivity: 0}\n  - {name: A, diffusivity: T}\n"
                               "reactions: [{equation: L <=> O, forward: 2, backward: T}, {equation: R + A <=> O + A, forward: 2, backward: T}]\n"));
  PetscCall(CheckAll(HEAD BOX1 "species: [{name: L, diffusivity: 0, velocity: [-1.5]}, {name: R, diffusivity: 0, velocity: [1.5]}, {name: S, diffusivity: 0, velocity: [0.5]}, {name: U, diffusivity: 0, velocity: [0.5]}]\n"
                               "boundaries:\n  x-: {L: {outflow: true}, R: {value: 2}, S: {flux: 0.3}, U: {transfer: 0.4, outside: 2}}\n  x+: {L: {value: \"1 + t\"}, R: {outflow: true}, S: {value: 0}, U: {transfer: 0.6, outside: 1}}\n"));
  PetscCall(CheckAll(HEAD BOX2 "species:\n"
                               "  - {name: A, diffusivity: 0, velocity: [1, 0.5], mirror: {x: B, y: D}}\n  - {name: B, diffusivity: 0, velocity: [-1, 0.5], mirror: {x: A, y: C}}\n"
                               "  - {name: C, diffusivity: 0, velocity: [-1, -0.5], mirror: {x: D, y: B}}\n  - {name: D, diffusivity: 0, velocity: [1, -0.5], mirror: {x: C, y: A}}\n"
                               "reactions: [{equation: A <=> C, forward: 1, backward: T}, {equation: B + D <=> 2 A, forward: T, backward: 1}]\n"));
  PetscCall(CheckAll(HEAD BOX3 "species: [{name: A, diffusivity: 0, velocity: [1, 0.5, -0.3]}, {name: B, diffusivity: T}]\n"
                               "boundaries:\n  x-: {A: {value: 1}}\n  x+: {A: {outflow: true}, B: {value: 1}}\n  z-: {A: {outflow: true}}\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Binding sites: the local sums enter the augmented system. */
static PetscErrorCode TestLocalSums(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckBoxes("species: [{name: L, diffusivity: T}, {name: S, diffusivity: 0}, {name: LS, diffusivity: 0}, {name: Q, diffusivity: 0}]\n"
                       "reactions: [{equation: L + S <=> LS, forward: 3, backward: T}, {equation: 2 L + LS <=> Q, forward: 1, backward: 2}]\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* shift adds volume * shift to the diagonal, extra a block. */
static PetscErrorCode TestShift(void)
{
  const PetscReal extra[] = {1.0, 2.0, 0.0, 3.0};
  PetscReal       error;
  Mat             J[2];
  Vec             v, w[2], c;

  PetscFunctionBeginUser;
  PetscCall(Build(HEAD BOX2 "species: [{name: A, diffusivity: T}, {name: B, diffusivity: 1}]\n"));
  PetscCall(VecDuplicate(problem.c, &v));
  PetscCall(VecDuplicate(v, &c));
  PetscCall(Fill(v, 0.1, -1.0, 1.0));
  PetscCall(Fill(c, 0.2, 0.5, 1.0));
  for (int k = 0; k < 2; k++) {
    PetscCall(VecDuplicate(v, &w[k]));
    PetscCall(SoretOperatorCreateMatrix(&problem.op, k ? extra : NULL, &J[k]));
    PetscCall(SoretOperatorJacobian(&problem.op, c, k ? 5.0 : 0.0, k ? extra : NULL, J[k]));
    PetscCall(MatMult(J[k], v, w[k]));
    PetscCall(SoretOperatorPerVolume(&problem.op, 1.0, w[k]));
  }
  {
    const PetscReal *a;
    PetscReal       *b;

    PetscCall(VecGetArrayRead(v, &a));
    PetscCall(VecGetArray(w[0], &b));
    for (PetscInt p = 0; p < problem.grid.num_cells; p++) {
      b[2 * p] += (5.0 + extra[0]) * a[2 * p] + extra[1] * a[2 * p + 1];
      b[2 * p + 1] += (5.0 + extra[3]) * a[2 * p + 1] + extra[2] * a[2 * p];
    }
    PetscCall(VecRestoreArray(w[0], &b));
    PetscCall(VecRestoreArrayRead(v, &a));
  }
  PetscCall(VecAXPY(w[0], -1.0, w[1]));
  PetscCall(VecNorm(w[0], NORM_INFINITY, &error));
  CheckClose(error, 0.0, 1.0e-11); /* rows of 1e3 */
  for (int k = 0; k < 2; k++) {
    PetscCall(MatDestroy(&J[k]));
    PetscCall(VecDestroy(&w[k]));
  }
  PetscCall(VecDestroy(&v));
  PetscCall(VecDestroy(&c));
  PetscCall(TearDown());
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* b c = const is stationary to rounding whatever the law, convention and grid; and the residual of a closed box sums to 0. */
static PetscErrorCode TestZeroFlux(void)
{
  PetscReal  norm, total[2], *c;
  const PetscReal *f;
  Vec        r;

  PetscFunctionBeginUser;
  PetscCall(Build(HEAD BOX3 "species: [{name: A, diffusivity: \"0.2*T^2\", convention: stratonovich, soret: \"1/T\"}, {name: B, diffusivity: \"T*(1 + x)\"}]\n"));
  PetscCall(VecGetArray(problem.c, &c));
  for (PetscInt q = 0; q < 2 * problem.grid.num_cells; q++) c[q] = 1.0 / problem.op.b[q];
  PetscCall(VecRestoreArray(problem.c, &c));
  PetscCall(VecDuplicate(problem.c, &r));
  PetscCall(SoretOperatorResidual(&problem.op, NULL, problem.c, r));
  PetscCall(VecNorm(r, NORM_INFINITY, &norm));
  CheckClose(norm, 0.0, 1.0e-14);
  PetscCall(Fill(problem.c, 0.9, 0.0, 1.0));
  PetscCall(SoretOperatorResidual(&problem.op, NULL, problem.c, r));
  PetscCall(VecGetArrayRead(r, &f));
  total[0] = total[1] = 0.0;
  for (PetscInt q = 0; q < 2 * problem.grid.num_cells; q++) total[q % 2] += f[q];
  PetscCall(VecRestoreArrayRead(r, &f));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, total, 2, MPIU_REAL, MPI_SUM, PETSC_COMM_WORLD));
  PetscCall(VecNorm(r, NORM_1, &norm));
  CheckClose(total[0], 0.0, 1.0e-14 * norm);
  CheckClose(total[1], 0.0, 1.0e-14 * norm);
  PetscCall(VecDestroy(&r));
  PetscCall(TearDown());
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* -pc_type fas as PETSc sees it: linear but for the perturbation of the state by which it works, and what it says of A y = r leaves little of r, wherever it is
   asked: where there is nothing yet of a species, beside solid, with the sums as without, in time as in a steady state. */
static PetscErrorCode CheckPreconditioner(PetscBool augmented, PetscReal shift)
{
  const PetscReal amount[] = {1.0, 1.0e-8};
  SoretSystem     sys;
  PetscReal       size, left, all;
  char            method[128];
  Vec             c, r, y, z;
  PC              pc;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(problem.c, &c));
  PetscCall(VecCopy(problem.c, c)); /* no B */
  PetscCall(SoretSystemCreate(&problem.op, &the_case.sums, NULL, c, augmented, &sys));
  PetscCall(SoretSystemCreateShell(&sys));
  PetscCall(VecDuplicate(c, &r));
  PetscCall(VecDuplicate(c, &y));
  PetscCall(VecDuplicate(c, &z));
  PetscCall(PCCreate(PETSC_COMM_WORLD, &pc));
  PetscCall(SoretPCFASSet(pc, &sys, sizeof(method), method));
  PetscCall(PCSetOperators(pc, sys.A, sys.P));
  sys.shift = shift;
  PetscCall(SoretSystemJacobian(&sys, c));
  sys.shift = 0.0;
  for (int k = 0; k < 2; k++) { /* the second is a thousand million times smaller, and smooth where the first is rough */
    PetscReal *a;

    PetscCall(Fill(r, 0.4 + k, k ? 0.5 : -1.0, 1.0));
    PetscCall(VecScale(r, amount[k]));
    PetscCall(VecGetArray(r, &a));
    for (PetscInt q = 0; q < 2 * problem.grid.num_cells; q++) a[q] = SoretGridIsSolid(&problem.grid, q / 2) ? 0.0 : a[q];
    PetscCall(VecRestoreArray(r, &a));
    PetscCall(PCApply(pc, r, y));
    PetscCall(MatMult(sys.A, y, z));
    PetscCall(VecAYPX(z, -1.0, r));
    PetscCall(VecNorm(r, NORM_2, &size));
    PetscCall(VecNorm(z, NORM_2, &left));
    Check(left < 0.35 * size);
    PetscCall(VecNorm(y, NORM_INFINITY, &all));
    PetscCall(VecScale(r, -1.0e3));
    PetscCall(PCApply(pc, r, z));
    PetscCall(VecAXPY(z, 1.0e3, y));
    PetscCall(VecNorm(z, NORM_INFINITY, &left));
    Check(left < 1.0e-2 * 1.0e3 * all);
  }
  Check(sys.shift == 0.0);
  PetscCall(PCDestroy(&pc));
  PetscCall(VecDestroy(&c));
  PetscCall(VecDestroy(&r));
  PetscCall(VecDestroy(&y));
  PetscCall(VecDestroy(&z));
  PetscCall(SoretSystemDestroy(&sys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestPreconditioner(void)
{
  static const char *const domains[] = {"size: [1.0, 0.7, 0.9], cells: [12, 9, 11], periodic: [y]", "size: [1.0, 0.7, 0.9], cells: [12, 10, 12], solid: \"(x - 0.5)^2 + (y - 0.3)^2 + (z - 0.4)^2 < 0.04 ? 1 : -1\""};
  char                     text[1024];

  PetscFunctionBeginUser;
  for (int d = 0; d < 2; d++) {
    PetscCall(PetscSNPrintf(text, sizeof(text), HEAD "domain: {%s}\ntemperature: \"1 + 0.5*x + 0.2*z\"\nspecies: [{name: A, diffusivity: T, initial: 1}, {name: B, diffusivity: 0.3*T}]\nreactions: [{equation: 2 A <=> B, forward: 100, backward: 50}]\n", domains[d]));
    PetscCall(Build(text));
    PetscCall(CheckPreconditioner(PETSC_TRUE, 0.0));
    PetscCall(CheckPreconditioner(PETSC_TRUE, 20.0));
    PetscCall(CheckPreconditioner(PETSC_FALSE, 20.0));
    PetscCall(TearDown());
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestConventions, TestReactions, TestBlocks, TestRowsTogether, TestSlabs, TestRelaxation, TestPlaces, TestBoundaries, TestPeriodic, TestBallistic, TestLocalSums, TestShift, TestZeroFlux, TestPreconditioner)
