/* SPDX-License-Identifier: BSD-2-Clause

   The section `sweep` as data, and the points of a sweep: which there are, which is next, where more are wanted. No grid, no MPI: all ranks hold
   the same list and come to the same decisions. */
#pragma once

#include "soret/input.h"

typedef enum {
  SORET_FRAMES_ALL, /* one of each point that converged */
  SORET_FRAMES_LAST,
  SORET_FRAMES_NONE
} SoretSweepFrames;

/* Where points are added by themselves. */
typedef struct {
  char         *of;       /* name of a column of the table                                              */
  SoretOptional change;   /* points are added until it changes by no more than this from one to the next */
  SoretOptional zero;     /* a change of its sign is located to this, relative to ScaleOfZero()           */
  PetscReal     smallest; /* distance of points added for `change`, relative to the whole range          */
  PetscInt      most;     /* points added                                                                */
} SoretRefineSpec;

typedef struct {
  PetscBool       given;
  char           *parameter; /* path of the key                        */
  char            unit[32];  /* of its values, "" where there is none   */
  SoretReals      values;    /* those of `values`, or made from `range` */
  PetscBool       log;       /* distances are ratios                   */
  int             frames;    /* SoretSweepFrames                       */
  PetscInt        branches;
  PetscBool       refines;
  SoretRefineSpec refine;
  const SoretNode *node, *parameter_node, *of_node;
} SoretSweepSpec;

/* Reads the section; a path that cannot be a number of the case is a mistake. Not collective. */
PetscErrorCode SoretSweepSpecRead(SoretInput in, SoretSweepSpec *spec);
PetscErrorCode SoretSweepReference(FILE *out);

/* ---- the points ---- */

typedef enum {
  SORET_POINT_WAITING,
  SORET_POINT_RUNNING,
  SORET_POINT_INTERRUPTED, /* was running when the checkpoint was written that the sweep goes on from */
  SORET_POINT_CONVERGED,
  SORET_POINT_FAILED
} SoretPointState;

typedef struct {
  PetscReal       value;
  PetscBool       inserted; /* not one of those given                  */
  PetscInt        branch;
  PetscInt        given;    /* number of the given point at or before it */
  SoretPointState state;
  PetscReal       observable; /* `refine.of`; NaN until it is known     */
} SoretSweepPoint;

typedef struct {
  const SoretSweepSpec *spec;
  PetscInt              num, room, num_branches;
  SoretSweepPoint      *point; /* [num], never moved: a number stays that of its point */
  PetscInt             *order; /* [num] the numbers along the sweep                    */
} SoretPoints;

/* num_branches parts of the values, each contiguous. */
PetscErrorCode SoretPointsCreate(const SoretSweepSpec *spec, PetscInt num_branches, SoretPoints *points);
PetscErrorCode SoretPointsDestroy(SoretPoints *points);

/* Number of the point that a branch does next, or -1 if nothing is left for now: one that was interrupted, then one that refinement wants between two that
   have converged, made here, then the next of those given. It is running from then on. */
PetscErrorCode SoretPointsNext(SoretPoints *points, PetscInt branch, PetscInt *number);

/* A point is done. */
PetscErrorCode SoretPointsSet(SoretPoints *points, PetscInt number, PetscBool converged, PetscReal observable);

/* How many points there are that are not given. */
PetscInt SoretPointsInserted(const SoretPoints *points);

/* Where the observable is zero, at a point or by interpolation between neighbours of different sign: zero[num] at most. */
void SoretPointsZeros(const SoretPoints *points, PetscInt *num, PetscReal zero[]);
