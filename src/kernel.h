/* SPDX-License-Identifier: BSD-2-Clause

   The stencils of soret, and nothing else: pure functions over one row of cells, without allocation, MPI or PETSc objects.

   A row is contiguous in x with the species fastest: entry q = i ns + s; its neighbours lie at q - step and q + step with step = ns along x,
   one row length along y, and in the neighbouring plane along z. The flat row has no inner loop over species: that loop cost a
   factor of three (docs/numerics.md). */
#pragma once

#include <math.h>
#include <petscsys.h>

enum {
  SORET_FEW   = 4,                      /* species for which loops over species are unrolled */
  SORET_LINE  = 64 / sizeof(PetscReal), /* entries of a line of the caches                   */
  SORET_AHEAD = 512                     /* entries that memory is asked for ahead            */
};

/* Asks memory for what comes later, into the second cache: in one of 32 KiB it would drive out rows that are in use. Where the first is larger, into this. */
#define SORET_ASK_FOR(x)  __builtin_prefetch(x, 0, 2)
#define SORET_ASK_NEAR(x) __builtin_prefetch(x, 0, 3)

/* Calls with the number of species, at most SORET_FEW, as a constant: the compiler unrolls the loops over species. */
#define BY_FEW(function, ns, ...) \
  do { \
    if ((ns) == 1) function(1, __VA_ARGS__); \
    else if ((ns) == 2) function(2, __VA_ARGS__); \
    else if ((ns) == 3) function(3, __VA_ARGS__); \
    else function(4, __VA_ARGS__); \
  } while (0)
/* The same for any number. */
#define BY_SPECIES(function, ns, ...) \
  do { \
    if ((ns) <= SORET_FEW) BY_FEW(function, ns, __VA_ARGS__); \
    else function(ns, __VA_ARGS__); \
  } while (0)
#define INLINED static inline __attribute__((always_inline))

/* Before a function that takes time: it is compiled once more for x86 processors with AVX2 and FMA, and the right one chosen as the program starts, so that
   a program for any machine is nearly as fast as one for this. */
#if defined(__x86_64__) && defined(__GLIBC__) && __GNUC__ >= 12 && !defined(__clang__) && !defined(__AVX2__) && !defined(__SANITIZE_ADDRESS__)
  #define SORET_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
  #define SORET_CLONES
#endif

/* Before a loop that adds up: the order of the sum is free, so that it vectorises (-fopenmp-simd). */
#define SORET_PRAGMA(text)  _Pragma(#text)
#define SORET_SUM(...)     SORET_PRAGMA(omp simd reduction(+ : __VA_ARGS__))

/* The face flux, the only one: from lo to hi, with u = b c and conductance g (area times a over distance); numbers or vectors of them (block.h). */
#define SORET_FACE_FLUX(g, u_lo, u_hi) ((g) * ((u_lo) - (u_hi)))
static inline PetscReal SoretFaceFlux(PetscReal g, PetscReal u_lo, PetscReal u_hi)
{
  return SORET_FACE_FLUX(g, u_lo, u_hi);
}

/* Conductance per area of two half cells in series, of lengths d and conductivities a. */
static inline PetscReal SoretConductance(PetscReal a_lo, PetscReal d_lo, PetscReal a_hi, PetscReal d_hi)
{
  return a_lo * a_hi / (a_hi * d_lo + a_lo * d_hi);
}

/* Exponential fitting: with a velocity the flux through a face is g' (u_lo - u_hi) + w (u_lo + u_hi)/2, where w = v/b and
   g' = g (p/2) coth(p/2), p = w/g (Scharfetter and Gummel 1969; exact for constant coefficients, positive at any p). */
static inline void SoretFitted(PetscReal g, PetscReal w, PetscReal *fitted)
{
  const PetscReal half = 0.5 * w / g;

  if (!(g > 0.0)) *fitted = 0.5 * fabs(w); /* upwind, the limit g -> 0 */
  else *fitted = fabs(half) < 1.0e-4 ? g * (1.0 + half * half / 3.0) : g * half / tanh(half);
  *fitted = PetscMax(*fitted, 0.5 * fabs(w)); /* in a strong flow they are equal to rounding, and nothing passes against it */
}

/* u = b c for a row. */
static inline void SoretKernelScaleRow(PetscInt m, const PetscReal *restrict b, const PetscReal *restrict c, PetscReal *restrict u)
{
  PetscInt q = 0;

  for (; q + SORET_LINE <= m; q += SORET_LINE) {
    SORET_ASK_FOR(b + q + SORET_AHEAD);
    SORET_ASK_FOR(c + q + SORET_AHEAD);
    for (PetscInt e = q; e < q + SORET_LINE; e++) u[e] = b[e] * c[e];
  }
  for (; q < m; q++) u[q] = b[q] * c[q];
}

/* Adds the values of a fine row to those of the coarse cells that they are part of: two each, or one. */
INLINED void SoretKernelAddPairs(const PetscInt ns, PetscInt nx, PetscBool pairs, const PetscReal *restrict fine, PetscReal *restrict coarse)
{
  if (!pairs) {
    for (PetscInt q = 0; q < nx * ns; q++) coarse[q] += fine[q];
    return;
  }
  for (PetscInt i = 0; i < nx / 2; i++) {
    for (PetscInt s = 0; s < ns; s++) coarse[i * ns + s] += fine[2 * i * ns + s] + fine[(2 * i + 1) * ns + s];
  }
  for (PetscInt s = 0; s < ns && nx % 2; s++) coarse[nx / 2 * ns + s] += fine[(nx - 1) * ns + s];
}

/* Net outflow through the faces of the cells of a row where conductances are products of one factor per axis (constant a).

   m            - entries of the row
   ns           - species
   area         - dy dz of the row
   gx           - [m + ns] conductance of the lower x faces per area, the last ns entries those of the upper end
   dx           - [m] width of the cell times a
   g[4]         - conductance per dx and a of the faces y-, y+, z-, z+ of the row; 0 where closed or beyond the dimension
   u            - row, with one cell more on both sides
   uy0 ... uz1  - neighbouring rows
   f            - written */
static inline void SoretKernelUniformRow(PetscInt m, PetscInt ns, PetscReal area, const PetscReal *restrict gx, const PetscReal *restrict dx, const PetscReal g[4], const PetscReal *u, const PetscReal *uy0, const PetscReal *uy1, const PetscReal *uz0, const PetscReal *uz1, PetscReal *restrict f)
{
  const PetscReal g0 = g[0], g1 = g[1], g2 = g[2], g3 = g[3];

  for (PetscInt q = 0; q < m; q++) {
    const PetscReal along  = SoretFaceFlux(gx[q + ns], u[q], u[q + ns]) - SoretFaceFlux(gx[q], u[q - ns], u[q]);
    const PetscReal across = SoretFaceFlux(g1, u[q], uy1[q]) - SoretFaceFlux(g0, uy0[q], u[q]) + SoretFaceFlux(g3, u[q], uz1[q]) - SoretFaceFlux(g2, uz0[q], u[q]);

    f[q] = area * along + dx[q] * across;
  }
}

/* The derivative of the same by the own u. */
static inline void SoretKernelUniformDiagonal(PetscInt m, PetscInt ns, PetscReal area, const PetscReal *restrict gx, const PetscReal *restrict dx, const PetscReal g[4], PetscReal *restrict diagonal)
{
  const PetscReal across = g[0] + g[1] + g[2] + g[3];

  for (PetscInt q = 0; q < m; q++) diagonal[q] = area * (gx[q] + gx[q + ns]) + dx[q] * across;
}

/* Adds the net outflow through two opposite faces of each cell, with conductances stored face by face.

   g_lo, g_hi - [m] conductances of the lower and upper faces
   w_lo, w_hi - [m] velocity over b times area, or NULL without velocity
   u_lo, u, u_hi - rows of the cells and their neighbours */
static inline void SoretKernelAddFaceRow(PetscInt m, const PetscReal *restrict g_lo, const PetscReal *restrict g_hi, const PetscReal *w_lo, const PetscReal *w_hi, const PetscReal *u_lo, const PetscReal *u, const PetscReal *u_hi, PetscReal *restrict f)
{
  for (PetscInt q = 0; q < m; q++) f[q] += SoretFaceFlux(g_hi[q], u[q], u_hi[q]) - SoretFaceFlux(g_lo[q], u_lo[q], u[q]);
  if (!w_lo) return;
  for (PetscInt q = 0; q < m; q++) f[q] += 0.5 * (w_hi[q] * (u[q] + u_hi[q]) - w_lo[q] * (u_lo[q] + u[q]));
}

/* Adds the derivative of the same by the own u. */
static inline void SoretKernelAddFaceDiagonal(PetscInt m, const PetscReal *restrict g_lo, const PetscReal *restrict g_hi, const PetscReal *w_lo, const PetscReal *w_hi, PetscReal *restrict diagonal)
{
  for (PetscInt q = 0; q < m; q++) diagonal[q] += g_hi[q] + g_lo[q];
  if (!w_lo) return;
  for (PetscInt q = 0; q < m; q++) diagonal[q] += 0.5 * (w_hi[q] - w_lo[q]);
}

/* What the fluxes through two opposite faces of each cell amount to: net gets the outflow, gross the sum of absolute fluxes, scale the sum of
   the fluxes to and fro, of which each flux is the difference, as if u were the same on both sides, carried what a velocity carries, which diffusion
   may cancel; all added to. Arguments as above. */
static inline void SoretKernelAddGrossRow(PetscInt m, const PetscReal *restrict g_lo, const PetscReal *restrict g_hi, const PetscReal *w_lo, const PetscReal *w_hi, const PetscReal *u_lo, const PetscReal *u, const PetscReal *u_hi, PetscReal *restrict net, PetscReal *restrict gross, PetscReal *restrict scale, PetscReal *restrict carried)
{
  for (PetscInt q = 0; q < m; q++) {
    const PetscReal lo = SoretFaceFlux(g_lo[q], u_lo[q], u[q]), hi = SoretFaceFlux(g_hi[q], u[q], u_hi[q]);

    net[q] += hi - lo;
    gross[q] += fabs(lo) + fabs(hi);
    scale[q] += 2.0 * (g_lo[q] + g_hi[q]) * fabs(u[q]);
  }
  if (!w_lo) return;
  for (PetscInt q = 0; q < m; q++) {
    const PetscReal lo = SoretFaceFlux(g_lo[q], u_lo[q], u[q]), hi = SoretFaceFlux(g_hi[q], u[q], u_hi[q]);
    const PetscReal with_lo = 0.5 * w_lo[q] * (u_lo[q] + u[q]), with_hi = 0.5 * w_hi[q] * (u[q] + u_hi[q]);

    net[q] += with_hi - with_lo;
    gross[q] += fabs(lo + with_lo) - fabs(lo) + fabs(hi + with_hi) - fabs(hi);
    carried[q] += 2.0 * (fabs(with_lo) + fabs(with_hi));
  }
}

/* The same, written, through all faces of the cells of a row where conductances are products. Arguments as in SoretKernelUniformRow(). */
static inline void SoretKernelUniformGrossRow(PetscInt m, PetscInt ns, PetscReal area, const PetscReal *restrict gx, const PetscReal *restrict dx, const PetscReal g[4], const PetscReal *u, const PetscReal *uy0, const PetscReal *uy1, const PetscReal *uz0, const PetscReal *uz1, PetscReal *restrict net, PetscReal *restrict gross, PetscReal *restrict scale)
{
  const PetscReal g0 = g[0], g1 = g[1], g2 = g[2], g3 = g[3];

  for (PetscInt q = 0; q < m; q++) {
    const PetscReal x0 = area * gx[q], x1 = area * gx[q + ns], y0 = g0 * dx[q], y1 = g1 * dx[q], z0 = g2 * dx[q], z1 = g3 * dx[q];
    const PetscReal in_x = SoretFaceFlux(x0, u[q - ns], u[q]), out_x = SoretFaceFlux(x1, u[q], u[q + ns]);
    const PetscReal in_y = SoretFaceFlux(y0, uy0[q], u[q]), out_y = SoretFaceFlux(y1, u[q], uy1[q]);
    const PetscReal in_z = SoretFaceFlux(z0, uz0[q], u[q]), out_z = SoretFaceFlux(z1, u[q], uz1[q]);

    net[q]   = out_x - in_x + (out_y - in_y) + (out_z - in_z);
    gross[q] = fabs(in_x) + fabs(out_x) + fabs(in_y) + fabs(out_y) + fabs(in_z) + fabs(out_z);
    scale[q] = 2.0 * (x0 + x1 + y0 + y1 + z0 + z1) * fabs(u[q]);
  }
}

/* Shortens x where c - x would make a positive concentration negative, so that a tenth is left. */
static inline void SoretKernelShorten(PetscInt ns, PetscInt n, PetscInt pitch, const PetscReal *restrict c, PetscReal *restrict x)
{
  for (PetscInt l = 0; l < n; l++) {
    PetscReal scale = 1.0;

    for (PetscInt s = 0; s < ns; s++) {
      if (c[s * pitch + l] > 0.0 && !(c[s * pitch + l] - scale * x[s * pitch + l] > 0.0)) scale = 0.9 * c[s * pitch + l] / x[s * pitch + l];
    }
    for (PetscInt s = 0; s < ns && scale != 1.0; s++) x[s * pitch + l] *= scale;
  }
}

/* Weights of the value at a face for ballistic transport: far upwind, upwind, downwind cell. Linear with the slope between the
   outer two (Fromm 1968): second order on any spacing.

   d_far    - distance of the centres of far upwind and upwind cell; 0: there is no far upwind cell
   d_near   - distance of the centres of upwind and downwind cell; 0: there is no downwind cell
   d_face   - distance of the centre of the upwind cell to the face */
static inline void SoretBallisticWeights(PetscReal d_far, PetscReal d_near, PetscReal d_face, PetscReal weight[3])
{
  const PetscReal slope = d_far + d_near > 0.0 ? d_face / (d_far + d_near) : 0.0;

  weight[0] = d_far > 0.0 ? -slope : 0.0;
  weight[1] = 1.0 + (d_far > 0.0 ? 0.0 : -slope) + (d_near > 0.0 ? 0.0 : slope);
  weight[2] = d_near > 0.0 ? slope : 0.0;
}

/* Value at a face from the three cells; `limited` takes the smaller, harmonic slope of van Leer (1974), which keeps a transient
   free of new extrema but is not differentiable. Beside a wall there is one slope alone: there the value is between nothing and twice
   what is in the cell, as by the harmonic slope, or a cell that runs empty would go on giving. */
static inline PetscReal SoretBallisticValue(const PetscReal weight[3], PetscReal d_far, PetscReal d_near, PetscReal d_face, PetscReal far, PetscReal up, PetscReal down, PetscBool limited)
{
  const PetscReal value = weight[0] * far + weight[1] * up + weight[2] * down;

  if (limited && d_far > 0.0 && d_near > 0.0) {
    const PetscReal s0 = (up - far) / d_far, s1 = (down - up) / d_near;

    return s0 * s1 > 0.0 ? up + d_face * 2.0 * s0 * s1 / (s0 + s1) : up;
  }
  return limited ? PetscMax(PetscMin(0.0, 2.0 * up), PetscMin(PetscMax(0.0, 2.0 * up), value)) : value;
}
