/* SPDX-License-Identifier: BSD-2-Clause

   XDMF, version 2 of the format, the subset that ParaView's own reader and VisIt read: one rectilinear grid per frame, values on cells. */
#pragma once

#include "soret/base.h"

typedef struct {
  int                dim;
  PetscInt           n[3];
  PetscReal          depth;      /* extent of what is drawn along the axes that the problem lacks */
  PetscBool          single;
  PetscInt           num_frames;
  const PetscReal   *time;       /* [num_frames] */
  const PetscInt    *number;     /* [num_frames] of its group in the file */
  PetscInt           num_species;
  const char *const *species;    /* [num_species] */
  PetscInt           num_reactions;
  unsigned           fields;     /* of output.h */
  PetscBool          varying_temperature, has_soret, has_solid;
  PetscInt           num_extra;
  const char *const *extra;      /* [num_extra] further scalars, paths below the frame */
  const char        *heat;       /* the same of a vector, NULL: none */
} SoretXDMF;

/* Writes to a new file and renames it into place. *status is 0 or SORET_ERR_IO (said on stderr). Not collective. */
PetscErrorCode SoretXDMFWrite(const SoretXDMF *xdmf, const char *path, const char *h5_path, int *status);
