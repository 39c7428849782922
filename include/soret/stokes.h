/* SPDX-License-Identifier: BSD-2-Clause

   Slow flow driven by buoyancy on the staggered grid (Stokes equations in the Boussinesq approximation):

     0 = -grad p/rho + nu lap v - g beta (T - T_0) + f,     div v = 0           (docs/theory.md, "Flow")

   without slip at walls and solid, or with free slip where it is asked for. T_0 is the mean over the fluid: another one changes the pressure
   alone, unless the box is periodic along gravity. It fills a SoretFlow. Assembled on a DMStag and solved by factorisation, once for all times. */
#pragma once

#include "soret/flow.h"
#include "soret/temperature.h"

/* The map `flow.boussinesq` as data. */
typedef struct {
  PetscReal gravity[3];   /* m/s^2                  */
  PetscReal expansion;    /* 1/K                    */
  PetscReal viscosity;    /* kinematic, m^2/s       */
  PetscReal force[3];     /* per mass, m/s^2        */
  PetscBool slip[6];      /* faces without friction */
} SoretStokesSpec;

/* Reads the map `flow.boussinesq`, node; mistakes are collected in the input. Reference prints its keys for docs/case-reference.md. Not collective. */
PetscErrorCode SoretStokesSpecRead(SoretInput in, const SoretNode *node, const SoretGridSpec *grid, SoretStokesSpec *spec);
PetscErrorCode SoretStokesReference(FILE *out);

typedef struct SoretStokes_s *SoretStokes;

/* Estimated memory, bytes over all ranks, that the factorisation keeps; from measurements (docs/performance.md). */
PetscReal SoretStokesBytes(const SoretGridSpec *grid);

/* All are borrowed. Collective. */
PetscErrorCode SoretStokesCreate(const SoretStokesSpec *spec, const SoretGrid *grid, SoretTemperature *temperature, SoretStokes *stokes);
PetscErrorCode SoretStokesDestroy(SoretStokes *stokes);

/* A SoretFlowFiller with the SoretStokes as context. A solve that fails is a message and SORET_ERR_NOT_CONVERGED. Collective. */
PetscErrorCode SoretStokesFill(void *stokes, PetscReal t, PetscReal *const v[3]);
