/* SPDX-License-Identifier: BSD-2-Clause

   What the peers written in C share: problems A, B and C of docs/performance.md on the finite volumes of soret. Two species beside a hot spot in
   a closed box, A: 1 <=> 2, B and C: 2 1 <=> 2, dc/dt = lap(D c) + reactions; the mean of c1 + members c2 is 1. */
#pragma once
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NUM_SPECIES 2
#define NUM_TIMES   3

static const double output_times[NUM_TIMES] = {0.01, 0.1, 1.0}; /* of C */

/* The grid with everything that does not change in time. u = D c lies in rows with one cell more at either end, so that walls along x need no branches. */
typedef struct {
  long    n;                  /* cells along each axis                              */
  double  members;            /* molecules of species 1 in one of species 2: 1 or 2 */
  double *d;                  /* [cells][species]  D / spacing^2                    */
  double *forward, *backward; /* [cells]  rate constants                            */
  double *u;                  /* [rows][n + 2][species]                             */
} Box;

static inline void Stop(const char *what)
{
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static inline double *Allocate(long count)
{
  double *p = calloc((size_t)count, sizeof *p);

  if (!p) Stop("not enough memory");
  return p;
}

/* Seconds of the clock and of the processor. */
typedef struct {
  double clock, processor;
} Seconds;

static inline Seconds Now(void)
{
  struct timespec t, p;

  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &p);
  return (Seconds){(double)t.tv_sec + 1.0e-9 * (double)t.tv_nsec, (double)p.tv_sec + 1.0e-9 * (double)p.tv_nsec};
}

static inline void PrintSolve(Seconds begin)
{
  const Seconds end = Now();

  printf("solve %.3f s, processor %.3f s\n", end.clock - begin.clock, end.processor - begin.processor);
}

static inline Box CreateBox(char problem, long n)
{
  const long   cells = n * n * n;
  const double h = 1.0 / (double)n, mobility[NUM_SPECIES] = {1.0, problem == 'A' ? 0.2 : 0.4};
  Box          box = {n, problem == 'A' ? 1.0 : 2.0, Allocate(NUM_SPECIES * cells), Allocate(cells), Allocate(cells), Allocate(NUM_SPECIES * (n + 2) * n * n)};

  for (long q = 0; q < cells; q++) {
    const double x = ((double)(q % n) + 0.5) * h, y = ((double)(q / n % n) + 0.5) * h, z = ((double)(q / n / n) + 0.5) * h;
    const double T = 0.8 + 0.4 * x + 0.3 * exp(-(pow(x - 0.3, 2) + pow(y - 0.6, 2) + pow(z - 0.5, 2)) / (2.0 * 0.15 * 0.15));

    for (long s = 0; s < NUM_SPECIES; s++) box.d[NUM_SPECIES * q + s] = mobility[s] * T / (h * h);
    box.forward[q]  = problem == 'A' ? 1.0e3 * exp(-2.0 / T) : 100.0;
    box.backward[q] = problem == 'A' ? 1.0e3 * exp(-3.5 / T) : 100.0 * exp(2.0 - 2.0 / T);
  }
  return box;
}

static inline void DestroyBox(Box *box)
{
  free(box->d);
  free(box->forward);
  free(box->backward);
  free(box->u);
}

/* Open faces of a cell. */
static inline double OpenFaces(const Box *box, long q)
{
  const long last = box->n - 1, i = q % box->n, j = q / box->n % box->n, k = q / box->n / box->n;

  return 6 - (i == 0) - (i == last) - (j == 0) - (j == last) - (k == 0) - (k == last);
}

/* u = D v, continued across the walls along x. */
static inline void FillRows(const Box *box, const double *restrict v)
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
static inline void Apply(const Box *box, double order, const double *restrict c, const double *restrict v, double *restrict f)
{
  const long   n = box->n, m = NUM_SPECIES * n, step = m + 2 * NUM_SPECIES;
  const double power = box->members - 1.0; /* A: k+ v, else k+ order c v */

  FillRows(box, v);
  for (long row = 0; row < n * n; row++) {
    const long    j = row % n, k = row / n, first = row * m;
    const double *u     = box->u + row * step + NUM_SPECIES;
    const double *south = j > 0 ? u - step : u, *north = j + 1 < n ? u + step : u, *below = k > 0 ? u - n * step : u, *above = k + 1 < n ? u + n * step : u;

    for (long q = 0; q < m; q++) f[first + q] = u[q - NUM_SPECIES] + u[q + NUM_SPECIES] + south[q] + north[q] + below[q] + above[q] - 6.0 * u[q];
    for (long i = 0; i < n; i++) {
      const long   q    = first + NUM_SPECIES * i;
      const double rate = box->forward[row * n + i] * (1.0 - power + power * order * c[q]) * v[q] - box->backward[row * n + i] * v[q + 1];

      f[q] -= box->members * rate;
      f[q + 1] += rate;
    }
  }
}

/* Rates of the reaction by the concentrations, at a cell. */
static inline void ReactionSlopes(const Box *box, long q, const double *c, double slope[NUM_SPECIES])
{
  slope[0] = box->forward[q] * (box->members == 2.0 ? 2.0 * c[NUM_SPECIES * q] : 1.0);
  slope[1] = -box->backward[q];
}

/* Sum of c1 + members c2 over every `stride`-th cell from the first on. */
static inline double Total(const Box *box, const double *c, long first, long stride)
{
  double sum = 0.0;

  for (long q = first; q < box->n * box->n * box->n; q += stride) sum += c[NUM_SPECIES * q] + box->members * c[NUM_SPECIES * q + 1];
  return sum;
}

static inline double Contrast(const Box *box, const double *c)
{
  return Total(box, c, 0, box->n) / Total(box, c, box->n - 1, box->n);
}

static inline double TotalOff(const Box *box, const double *c)
{
  const double n = (double)box->n;

  return Total(box, c, 0, 1) / (n * n * n) - 1.0;
}
