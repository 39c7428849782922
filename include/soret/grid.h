/* SPDX-License-Identifier: BSD-2-Clause

   The box cut into cells: a DMDA in one, two or three dimensions with tensor-product spacing, and the exchange of layers of cells
   between ranks.

   Arrays over the cells of a rank are dense, x fastest: cell (i, j, k) counted from the first of the rank is p = (k ny + j) nx + i with
   nx, ny, nz = count[]. Axes beyond the dimension have one cell of width 1. */
#pragma once

#include <petscdmda.h>

#include "soret/input.h"

/* The section `domain` as data. */
typedef struct {
  PetscInt   dim;
  PetscInt   n[3];        /* cells, 1 beyond dim                                                             */
  PetscReal  size[3];     /* m, 1 beyond dim                                                                 */
  PetscReal  origin[3];
  PetscBool  periodic[3];
  PetscReal *edge[3];     /* [n+1] where given by `edges` or `grading`, NULL for equal cells; owned          */
} SoretGridSpec;

typedef struct {
  MPI_Comm   comm;
  DM         da;          /* one unknown per cell, star stencil of width 1                                   */
  PetscInt   dim;
  PetscInt   n[3];        /* cells of the whole box                                                          */
  PetscInt   start[3];    /* first cell of this rank                                                         */
  PetscInt   count[3];    /* cells of this rank                                                              */
  PetscInt   num_cells;   /* their product                                                                   */
  PetscBool  periodic[3];
  PetscBool  equal[3];    /* all cells along the axis have the same width                                    */
  PetscReal *edge[3];     /* [n+1] of the whole axis                                                         */
  PetscReal *center[3];   /* [n]                                                                             */
  PetscReal *width[3];    /* [n]                                                                             */
  PetscReal *distance[3]; /* [n+1] between the centres on both sides of face i; half a cell at a wall        */
  PetscReal  size[3], origin[3];
  PetscReal  volume;      /* of the box: m, m^2 or m^3                                                       */
} SoretGrid;

/* Reads `domain`, tells mistakes. Edges are made here, so that a grid that cannot be is refused before anything is allocated on it. */
PetscErrorCode SoretGridSpecRead(SoretInput in, SoretGridSpec *spec);
PetscErrorCode SoretGridSpecDestroy(SoretGridSpec *spec);
PetscErrorCode SoretGridReference(FILE *out);

/* Can this grid be cut for `ranks` ranks with `width` cells at least on each? If not, says why in `why`. */
PetscBool SoretGridFits(const SoretGridSpec *spec, PetscMPIInt ranks, PetscInt width, size_t length, char why[]);

/* Collective. */
PetscErrorCode SoretGridCreate(MPI_Comm comm, const SoretGridSpec *spec, PetscInt width, SoretGrid *grid);
PetscErrorCode SoretGridDestroy(SoretGrid *grid);

/* The next coarser grid: along the axes told, coarse cell I covers fine cells 2 I and 2 I + 1 (the last one a single cell if their number is
   odd) and lies on the rank of fine cell 2 I. Where some rank would begin with an odd cell this cannot be: then the cells are dealt out anew, or,
   if `aligned`, *possible is false and nothing made. Collective. */
PetscErrorCode SoretGridCoarsen(const SoretGrid *fine, const PetscBool coarsen[3], PetscBool aligned, SoretGrid *coarse, PetscBool *possible);

/* A DMDA with the same cells on the same ranks, `dof` unknowns per cell and a stencil of `width`; with a box stencil its local vectors
   have ghosts beyond the walls too, for the caller to fill. Collective. */
PetscErrorCode SoretGridCreateDM(const SoretGrid *grid, PetscInt dof, DMDAStencilType stencil, PetscInt width, DM *dm);

/* The cells of this rank as a box of an array over the grid as files hold it, slowest axis first: [nz][ny][nx], with an axis of `trailing`
   entries per cell behind it where trailing > 0. Arrays over the cells of a rank are such boxes as they lie in memory.

   size, start, count - [4] of the whole array, of the box

   Returns the number of axes. */
int SoretGridBox(const SoretGrid *grid, PetscInt trailing, PetscInt size[], PetscInt start[], PetscInt count[]);

/* Does this rank hold the cells at wall `side` (0 low, 1 high) of an axis? PETSC_FALSE on periodic axes. */
PetscBool SoretGridHasWall(const SoretGrid *grid, int axis, int side);

/* Area of the faces normal to `axis` of the cell with global indices ijk. */
PetscReal SoretGridFaceArea(const SoretGrid *grid, int axis, const PetscInt ijk[3]);

PetscReal SoretGridCellVolume(const SoretGrid *grid, const PetscInt ijk[3]);

/* ---- exchange of layers ----

   Each rank gives, on each side of each axis, its outermost `width` layers of cells to the neighbour, and gets the neighbour's. A layer
   is a box of cells, x fastest, `dof` values each. At a wall nothing is exchanged and the received layer is zero. Edges and
   corners are not exchanged: the stencils are stars. The vector itself is never copied. */
typedef struct {
  const SoretGrid *grid;
  PetscInt         dof, width;
  PetscInt         count[3][3];  /* [axis] extent of its layers                                            */
  PetscInt         length[3];    /* [axis] number of values in a layer, 0 beyond dim                       */
  PetscReal       *send[3][2];   /* filled by the caller before SoretHaloBegin()                           */
  PetscReal       *recv[3][2];   /* valid after SoretHaloEnd()                                             */
  PetscMPIInt      neighbor[3][2];
  MPI_Request      request[12];
  int              num_requests;
} SoretHalo;

PetscErrorCode SoretHaloCreate(const SoretGrid *grid, PetscInt dof, PetscInt width, SoretHalo *halo);
PetscErrorCode SoretHaloDestroy(SoretHalo *halo);

/* First cell (local indices) of the layer that is sent from one side of an axis; its extent is halo->count[axis]. */
void SoretHaloSendStart(const SoretHalo *halo, int axis, int side, PetscInt start[3]);

/* Collective among neighbours. */
PetscErrorCode SoretHaloBegin(SoretHalo *halo);
PetscErrorCode SoretHaloEnd(SoretHalo *halo);

/* Both, for an array over the cells of this rank: its outermost layers go out, the neighbours' come in. */
PetscErrorCode SoretHaloExchange(SoretHalo *halo, const PetscReal value[]);

/* Values of the cell with local indices ijk, of which one may lie one cell outside. At a wall: those of the cell inside. */
const PetscReal *SoretHaloEntries(const SoretHalo *halo, const PetscReal value[], const PetscInt ijk[3]);

/* The first of them. */
PetscReal SoretHaloValue(const SoretHalo *halo, const PetscReal value[], const PetscInt ijk[3]);
