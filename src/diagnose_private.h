/* SPDX-License-Identifier: BSD-2-Clause

   What the files of the module diagnose share. */
#pragma once

#include <math.h>

#include "soret/diagnose.h"

/* ln(a/b), to the last digits where a and b are close; 0 where both vanish. */
static inline PetscReal SoretLogRatio(PetscReal a, PetscReal b)
{
  const PetscReal z = (a - b) / (a + b), q = z * z;

  if (a == b) return 0.0;
  if (!(q < 0.0064)) return log(a / b);
  return 2.0 * z * (1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q / 13.0))))));
}

/* Is the face on one side of a cell (global index along the axis) a wall? */
static inline PetscBool SoretIsWall(const SoretGrid *grid, int axis, int side, PetscInt index)
{
  return !grid->periodic[axis] && index == (side ? grid->n[axis] - 1 : 0) ? PETSC_TRUE : PETSC_FALSE;
}
