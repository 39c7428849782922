/* SPDX-License-Identifier: BSD-2-Clause

   Which cells are solid, which faces are closed, and how the fluid hangs together.

   A formula makes a cell solid where it is > 0 at the centre. Voxels of 0..1, of any resolution on the same box, are averaged over each cell: solid
   from 0.5. Walls thinner than a cell do not leak: of the fluid voxels in a cell only the largest connected part counts, and a
   face is open only where these parts of its two cells touch. Besides, a face is closed where any plane of voxels across it, between the two
   centres, is solid from 0.5. So cells that are connected are connected in the voxels too (docs/numerics.md, "Solid"). */
#pragma once

#include "soret/field.h"

/* `domain.solid` and `domain.solid_pockets` as data. */
typedef struct {
  SoretField      field; /* NULL: no solid */
  SoretPocketRule pockets;
} SoretSolidSpec;

/* Reads `domain.solid` and its pockets; mistakes are collected in the input. Not collective. */
PetscErrorCode SoretSolidSpecRead(SoretInput in, const SoretGridSpec *grid, SoretSolidSpec *spec);
PetscErrorCode SoretSolidSpecDestroy(SoretSolidSpec *spec);

/* Fills closed, pocket and their volumes of the grid; does nothing where there is no solid. Holds the voxels of one layer of cells at a time. A box
   without fluid, or voxels that are not within 0..1, are a message and SORET_ERR_INPUT. Collective. */
PetscErrorCode SoretSolidApply(const SoretSolidSpec *spec, SoretGrid *grid);

/* Prints porosity and connected parts; nothing where there is no solid. Collective. */
PetscErrorCode SoretSolidReport(const SoretSolidSpec *spec, const SoretGrid *grid);
