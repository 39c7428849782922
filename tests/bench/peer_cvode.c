/* SPDX-License-Identifier: BSD-2-Clause

   A peer for run_bench.py: problem C of docs/performance.md by CVODE of SUNDIALS (6).

     peer_cvode CELLS [TOLERANCE [FILE]]

   2 A <=> A2 beside a hot spot, from pure A to t = 1, on the same finite volumes as soret. BDF of variable order, Newton's method with
   GMRES and an exact product with the Jacobian, preconditioned by the blocks of the cells: diagonal of the transport and reactions.
   Prints the contrast at t = 0.01, 0.1 and 1, then what it took. FILE gets the concentrations at these times, eight bytes each, species fastest, then x. */
#include <cvode/cvode.h>
#include <nvector/nvector_serial.h>
#include <string.h>
#include <sunlinsol/sunlinsol_spgmr.h>

#include "peer_box.h"

/* Of the tolerance of Newton's method. With the default, 0.05, the error of linear solutions makes steps short: at 32^3 and 1e-5 1334 steps in 22 s, instead of 117 in 4 s. */
static const double linear_tolerance = 0.003;

typedef struct {
  Box     box;
  double *block; /* [cells][4]  inverse of 1 - gamma J, without neighbours */
} Problem;

static int Equations(double t, N_Vector c, N_Vector f, void *context)
{
  const Problem *problem = context;

  Apply(&problem->box, 1.0, N_VGetArrayPointer(c), N_VGetArrayPointer(c), N_VGetArrayPointer(f));
  return 0;
}

static int JacobianTimes(N_Vector v, N_Vector product, double t, N_Vector c, N_Vector f, void *context, N_Vector work)
{
  const Problem *problem = context;

  Apply(&problem->box, 2.0, N_VGetArrayPointer(c), N_VGetArrayPointer(v), N_VGetArrayPointer(product));
  return 0;
}

static int SetUpBlocks(double t, N_Vector y, N_Vector f, booleantype current, booleantype *renewed, double gamma, void *context)
{
  const Problem *problem = context;
  const Box     *box     = &problem->box;
  const double  *c       = N_VGetArrayPointer(y);

  for (long q = 0; q < box->n * box->n * box->n; q++) {
    const double open = OpenFaces(box, q), slope = 2.0 * box->forward[q] * c[2 * q], back = box->backward[q];
    const double a = 1.0 + gamma * (open * box->d[2 * q] + 2.0 * slope), b = -2.0 * gamma * back, e = -gamma * slope, g = 1.0 + gamma * (open * box->d[2 * q + 1] + back), scale = 1.0 / (a * g - b * e);

    memcpy(problem->block + 4 * q, (double[]){g * scale, -b * scale, -e * scale, a * scale}, 4 * sizeof *problem->block);
  }
  *renewed = SUNTRUE;
  return 0;
}

static int SolveBlocks(double t, N_Vector y, N_Vector f, N_Vector right, N_Vector solution, double gamma, double delta, int side, void *context)
{
  const Problem *problem = context;
  const Box     *box     = &problem->box;
  const double  *r       = N_VGetArrayPointer(right);
  double        *z       = N_VGetArrayPointer(solution);

  for (long q = 0; q < box->n * box->n * box->n; q++) {
    const double *p = problem->block + 4 * q;

    z[2 * q]     = p[0] * r[2 * q] + p[1] * r[2 * q + 1];
    z[2 * q + 1] = p[2] * r[2 * q] + p[3] * r[2 * q + 1];
  }
  return 0;
}

static void *CreateIntegrator(Problem *problem, N_Vector y, double tolerance, SUNContext sundials)
{
  N_Vector        absolute = N_VClone(y);
  void           *cvode    = CVodeCreate(CV_BDF, sundials);
  SUNLinearSolver gmres    = SUNLinSol_SPGMR(y, SUN_PREC_LEFT, 30, sundials);
  const Box      *box      = &problem->box;

  if (!absolute || !cvode || !gmres) Stop("not enough memory");
  for (long q = 0; q < NUM_SPECIES * box->n * box->n * box->n; q++) {
    N_VGetArrayPointer(y)[q]        = q % NUM_SPECIES == 0 ? 1.0 : 0.0;
    N_VGetArrayPointer(absolute)[q] = 1.0e-2 * tolerance * (q % NUM_SPECIES == 0 ? 1.0 : 0.5); /* soret's default */
  }
  if (CVodeInit(cvode, Equations, 0.0, y) || CVodeSVtolerances(cvode, tolerance, absolute) || CVodeSetUserData(cvode, problem) || CVodeSetMaxNumSteps(cvode, 100000)) Stop("CVODE was not set up");
  if (CVodeSetLinearSolver(cvode, gmres, NULL) || CVodeSetPreconditioner(cvode, SetUpBlocks, SolveBlocks) || CVodeSetJacTimes(cvode, NULL, JacobianTimes) || CVodeSetEpsLin(cvode, linear_tolerance)) Stop("CVODE was not set up");
  return cvode;
}

int main(int argc, char **argv)
{
  const long   n = argc > 1 ? strtol(argv[1], NULL, 10) : 0, cells = n * n * n;
  const double tolerance = argc > 2 ? strtod(argv[2], NULL) : 1.0e-5;
  FILE        *file      = argc > 3 ? fopen(argv[3], "wb") : NULL;
  long         steps, equations, products, unsolved, failed;
  double       t;
  SUNContext   sundials;

  if (n < 2 || !(tolerance > 0.0) || (argc > 3 && !file)) Stop("usage: peer_cvode CELLS [TOLERANCE [FILE]]");
  if (SUNContext_Create(NULL, &sundials)) Stop("no context");
  Problem        problem = {CreateBox('C', n), Allocate(4 * cells)};
  const N_Vector y       = N_VNew_Serial(NUM_SPECIES * cells, sundials);
  double *const  c       = N_VGetArrayPointer(y);
  const Seconds  begin   = Now();
  void *const    cvode   = CreateIntegrator(&problem, y, tolerance, sundials);

  for (int k = 0; k < NUM_TIMES; k++) {
    if (CVode(cvode, output_times[k], y, &t, CV_NORMAL) < 0) Stop("the integration failed");
    printf("t %g contrast %.8f\n", t, Contrast(&problem.box, c));
    if (file && fwrite(c, sizeof *c, (size_t)(NUM_SPECIES * cells), file) != (size_t)(NUM_SPECIES * cells)) Stop("cannot write");
  }
  PrintSolve(begin);
  if (file && fclose(file)) Stop("cannot write");
  CVodeGetNumSteps(cvode, &steps);
  CVodeGetNumRhsEvals(cvode, &equations);
  CVodeGetNumJtimesEvals(cvode, &products);
  CVodeGetNumLinConvFails(cvode, &unsolved);
  CVodeGetNumNonlinSolvConvFails(cvode, &failed);
  printf("%ld steps, %ld evaluations, %ld products with the Jacobian, %ld linear solutions and %ld steps of Newton given up, total off by %.1e\n", steps, equations, products, unsolved, failed, TotalOff(&problem.box, c));
  return 0;
}
