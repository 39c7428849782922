/* SPDX-License-Identifier: BSD-2-Clause

   A peer for run_bench.py: problem C of docs/performance.md by CVODE of SUNDIALS (6).

     peer_cvode CELLS [TOLERANCE [FILE]]

   2 A <=> A2 beside a hot spot, from pure A to t = 1, on the same finite volumes as soret. BDF of variable order, Newton's method with
   GMRES and an exact product with the Jacobian, preconditioned by the blocks of the cells: diagonal of the transport and reactions.
   Prints the contrast at t = 0.01, 0.1 and 1, then what it took. FILE gets the concentrations at these times, eight bytes each, species fastest, then x. */
#include <cvode/cvode.h>
#include <math.h>
#include <nvector/nvector_serial.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sunlinsol/sunlinsol_spgmr.h>

#define NUM_SPECIES 2
#define NUM_TIMES   3

static const double mobility[NUM_SPECIES] = {1.0, 0.4}, forward = 100.0, times[NUM_TIMES] = {0.01, 0.1, 1.0};

/* The grid with everything that does not change in time. u = D c lies in rows with one cell more at either end, so that walls along x need no branches. */
typedef struct {
  long    n;        /* cells along each axis                                  */
  double *d;        /* [cells][species]  D / spacing^2                        */
  double *backward; /* [cells]  rate constant of A2 => 2 A                    */
  double *u;        /* [rows][n + 2][species]                                 */
  double *block;    /* [cells][4]  inverse of 1 - gamma J, without neighbours */
} Box;

static void Stop(const char *what)
{
  fprintf(stderr, "peer_cvode: %s\n", what);
  exit(1);
}

static double *Allocate(long count)
{
  double *p = calloc((size_t)count, sizeof *p);

  if (!p) Stop("not enough memory");
  return p;
}

static Box CreateBox(long n)
{
  const long   cells = n * n * n;
  const double h     = 1.0 / (double)n;
  Box          box   = {n, Allocate(NUM_SPECIES * cells), Allocate(cells), Allocate(NUM_SPECIES * (n + 2) * n * n), Allocate(4 * cells)};

  for (long q = 0; q < cells; q++) {
    const double x = ((double)(q % n) + 0.5) * h, y = ((double)(q / n % n) + 0.5) * h, z = ((double)(q / n / n) + 0.5) * h;
    const double T = 0.8 + 0.4 * x + 0.3 * exp(-(pow(x - 0.3, 2) + pow(y - 0.6, 2) + pow(z - 0.5, 2)) / (2.0 * 0.15 * 0.15));

    for (long s = 0; s < NUM_SPECIES; s++) box.d[NUM_SPECIES * q + s] = mobility[s] * T / (h * h);
    box.backward[q] = 100.0 * exp(2.0 - 2.0 / T);
  }
  return box;
}

/* u = D v, continued across the walls along x. */
static void FillRows(const Box *box, const double *restrict v)
{
  const long m = NUM_SPECIES * box->n;

  for (long row = 0; row < box->n * box->n; row++) {
    double       *u = box->u + row * (m + 2 * NUM_SPECIES) + NUM_SPECIES;
    const double *d = box->d + row * m, *w = v + row * m;

    for (long q = 0; q < m; q++) u[q] = d[q] * w[q];
    for (long s = 0; s < NUM_SPECIES; s++) {
      u[s - NUM_SPECIES] = u[s];
      u[m + s]           = u[m + s - NUM_SPECIES];
    }
  }
}

/* f = lap(D v) + reactions, those of second order as order * forward * c v: the equations with v = c and order 1, the Jacobian at c with order 2. */
static void Apply(const Box *box, double order, const double *restrict c, const double *restrict v, double *restrict f)
{
  const long n = box->n, m = NUM_SPECIES * n, step = m + 2 * NUM_SPECIES;

  FillRows(box, v);
  for (long row = 0; row < n * n; row++) {
    const long    j = row % n, k = row / n, first = row * m;
    const double *u     = box->u + row * step + NUM_SPECIES;
    const double *south = j > 0 ? u - step : u, *north = j + 1 < n ? u + step : u, *below = k > 0 ? u - n * step : u, *above = k + 1 < n ? u + n * step : u;

    for (long q = 0; q < m; q++) f[first + q] = u[q - NUM_SPECIES] + u[q + NUM_SPECIES] + south[q] + north[q] + below[q] + above[q] - 6.0 * u[q];
    for (long i = 0; i < n; i++) {
      const long   q    = first + NUM_SPECIES * i;
      const double rate = order * forward * c[q] * v[q] - box->backward[row * n + i] * v[q + 1];

      f[q] -= 2.0 * rate;
      f[q + 1] += rate;
    }
  }
}

static int Equations(double t, N_Vector c, N_Vector f, void *box)
{
  Apply(box, 1.0, N_VGetArrayPointer(c), N_VGetArrayPointer(c), N_VGetArrayPointer(f));
  return 0;
}

static int JacobianTimes(N_Vector v, N_Vector product, double t, N_Vector c, N_Vector f, void *box, N_Vector work)
{
  Apply(box, 2.0, N_VGetArrayPointer(c), N_VGetArrayPointer(v), N_VGetArrayPointer(product));
  return 0;
}

static int SetUpBlocks(double t, N_Vector y, N_Vector f, booleantype current, booleantype *renewed, double gamma, void *context)
{
  const Box    *box = context;
  const double *c   = N_VGetArrayPointer(y);
  const long    n = box->n, last = n - 1;

  for (long q = 0; q < n * n * n; q++) {
    const long   i = q % n, j = q / n % n, k = q / n / n;
    const double open = 6 - (i == 0) - (i == last) - (j == 0) - (j == last) - (k == 0) - (k == last), slope = 2.0 * forward * c[2 * q], back = box->backward[q];
    const double a = 1.0 + gamma * (open * box->d[2 * q] + 2.0 * slope), b = -2.0 * gamma * back, e = -gamma * slope, g = 1.0 + gamma * (open * box->d[2 * q + 1] + back), scale = 1.0 / (a * g - b * e);

    memcpy(box->block + 4 * q, (double[]){g * scale, -b * scale, -e * scale, a * scale}, 4 * sizeof *box->block);
  }
  *renewed = SUNTRUE;
  return 0;
}

static int SolveBlocks(double t, N_Vector y, N_Vector f, N_Vector right, N_Vector solution, double gamma, double delta, int side, void *context)
{
  const Box    *box = context;
  const double *r   = N_VGetArrayPointer(right);
  double       *z   = N_VGetArrayPointer(solution);

  for (long q = 0; q < box->n * box->n * box->n; q++) {
    const double *p = box->block + 4 * q;

    z[2 * q]     = p[0] * r[2 * q] + p[1] * r[2 * q + 1];
    z[2 * q + 1] = p[2] * r[2 * q] + p[3] * r[2 * q + 1];
  }
  return 0;
}

/* Sum of A + 2 A2 over every `stride`-th cell from the first on. */
static double Total(const double *c, long first, long stride, long cells)
{
  double sum = 0.0;

  for (long q = first; q < cells; q += stride) sum += c[2 * q] + 2.0 * c[2 * q + 1];
  return sum;
}

static void *CreateIntegrator(Box *box, N_Vector y, double tolerance, SUNContext sundials)
{
  N_Vector        absolute = N_VClone(y);
  void           *cvode    = CVodeCreate(CV_BDF, sundials);
  SUNLinearSolver gmres    = SUNLinSol_SPGMR(y, SUN_PREC_LEFT, 30, sundials);

  if (!absolute || !cvode || !gmres) Stop("not enough memory");
  for (long q = 0; q < NUM_SPECIES * box->n * box->n * box->n; q++) {
    N_VGetArrayPointer(y)[q]        = q % NUM_SPECIES == 0 ? 1.0 : 0.0;
    N_VGetArrayPointer(absolute)[q] = 1.0e-2 * tolerance * (q % NUM_SPECIES == 0 ? 1.0 : 0.5); /* soret's default */
  }
  if (CVodeInit(cvode, Equations, 0.0, y) || CVodeSVtolerances(cvode, tolerance, absolute) || CVodeSetUserData(cvode, box) || CVodeSetMaxNumSteps(cvode, 100000)) Stop("CVODE was not set up");
  if (CVodeSetLinearSolver(cvode, gmres, NULL) || CVodeSetPreconditioner(cvode, SetUpBlocks, SolveBlocks) || CVodeSetJacTimes(cvode, NULL, JacobianTimes)) Stop("CVODE was not set up");
  return cvode;
}

int main(int argc, char **argv)
{
  const long   n = argc > 1 ? strtol(argv[1], NULL, 10) : 0, cells = n * n * n;
  const double tolerance = argc > 2 ? strtod(argv[2], NULL) : 1.0e-5;
  FILE        *file      = argc > 3 ? fopen(argv[3], "wb") : NULL;
  long         steps, equations, products;
  double       t;
  SUNContext   sundials;

  if (n < 2 || !(tolerance > 0.0) || (argc > 3 && !file)) Stop("usage: peer_cvode CELLS [TOLERANCE [FILE]]");
  if (SUNContext_Create(NULL, &sundials)) Stop("no context");
  Box            box   = CreateBox(n);
  const N_Vector y     = N_VNew_Serial(NUM_SPECIES * cells, sundials);
  double *const  c     = N_VGetArrayPointer(y);
  void *const    cvode = CreateIntegrator(&box, y, tolerance, sundials);

  for (int k = 0; k < NUM_TIMES; k++) {
    if (CVode(cvode, times[k], y, &t, CV_NORMAL) < 0) Stop("the integration failed");
    printf("t %g contrast %.8f\n", t, Total(c, 0, n, cells) / Total(c, n - 1, n, cells));
    if (file && fwrite(c, sizeof *c, (size_t)(NUM_SPECIES * cells), file) != (size_t)(NUM_SPECIES * cells)) Stop("cannot write");
  }
  if (file && fclose(file)) Stop("cannot write");
  CVodeGetNumSteps(cvode, &steps);
  CVodeGetNumRhsEvals(cvode, &equations);
  CVodeGetNumJtimesEvals(cvode, &products);
  printf("%ld steps, %ld evaluations, %ld products with the Jacobian, total off by %.1e\n", steps, equations, products, Total(c, 0, 1, cells) / (double)cells - 1.0);
  return 0;
}
