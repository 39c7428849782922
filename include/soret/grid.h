/* SPDX-License-Identifier: BSD-2-Clause

   The box cut into cells, and over ranks as a DMDA cuts it, in one, two or three dimensions with tensor-product spacing, and the exchange of
   layers of cells between ranks.

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
  const SoretNode *solid; /* of the file, read by module solid; NULL where there is none                     */
  int              solid_pockets; /* SoretPocketRule                                                         */
} SoretGridSpec;

/* What becomes of fluid that solid cuts off from the largest connected part. */
typedef enum {
  SORET_POCKETS_KEEP, /* it stays, and keeps its own totals */
  SORET_POCKETS_FILL  /* it becomes solid                   */
} SoretPocketRule;

/* Bits of SoretGrid.closed: 1 << f for face f = 2 axis + side (x- x+ y- y+ z- z+), and one for the cell as a whole. */
enum {
  SORET_CLOSED_FACES = 0x3f,
  SORET_CLOSED_CELL  = 0x40 /* the cell is solid; all its faces are closed then */
};

typedef struct {
  MPI_Comm   comm;
  PetscInt   cut[3];      /* ranks along the axes, the first one fastest, as a DMDA has them                 */
  PetscInt  *range[3];    /* [cut] cells of each                                                             */
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
  /* what is solid: filled by SoretSolidApply(), which see; where there is no solid the arrays are NULL */
  unsigned char *closed;        /* [num_cells] bits told above. Both cells of a face agree, so no ghosts are needed */
  PetscInt      *pocket;        /* [num_cells] connected part of the fluid that the cell is in, -1 in solid         */
  PetscInt       num_pockets;   /* 1 without solid                                                                  */
  PetscReal     *pocket_volume; /* [num_pockets] the one with most cells first                                      */
  PetscReal      fluid_volume;  /* of the box                                                                       */
} SoretGrid;

/* Reads `domain`, tells mistakes. Edges are made here, so that a grid that cannot be is refused before anything is allocated on it. */
PetscErrorCode SoretGridSpecRead(SoretInput in, SoretGridSpec *spec);
PetscErrorCode SoretGridSpecDestroy(SoretGridSpec *spec);
PetscErrorCode SoretGridReference(FILE *out);

/* "x-" of face 2 axis + side. */
const char *SoretFaceName(int face);

/* The face that a key names, -1 (reported) if it is none of this box or lies on a periodic axis. */
PetscErrorCode SoretGridReadFace(SoretInput in, const SoretNode *key, const SoretGridSpec *spec, int *face);

/* Can this grid be cut for `ranks` ranks with `width` cells at least on each? If not, says why in `why`. */
PetscBool SoretGridFits(const SoretGridSpec *spec, PetscMPIInt ranks, PetscInt width, size_t length, char why[]);

/* Collective. */
PetscErrorCode SoretGridCreate(MPI_Comm comm, const SoretGridSpec *spec, PetscInt width, SoretGrid *grid);
PetscErrorCode SoretGridDestroy(SoretGrid *grid);

/* The next coarser grid: along the axes told, coarse cell I covers fine cells 2 I and 2 I + 1 (the last one a single cell if their number is
   odd) and lies on the rank of fine cell 2 I. Where some rank would begin with an odd cell this cannot be: then the cells are dealt out anew, or,
   if `aligned`, *possible is false and nothing made. Aligned grids know the parts of the fluid: a coarse cell is of the part that most of it belongs to.
   Collective. */
PetscErrorCode SoretGridCoarsen(const SoretGrid *fine, const PetscBool coarsen[3], PetscBool aligned, SoretGrid *coarse, PetscBool *possible);

/* The same cells, all of them on every rank: comm is PETSC_COMM_SELF. Without parts of the fluid. */
PetscErrorCode SoretGridCreateWhole(const SoretGrid *grid, SoretGrid *whole);

/* What an array over a grid has entries for: with faces >= 0 the faces normal to that axis, with wall >= 0 the cells at that wall, else the cells. */
typedef struct {
  int faces, wall;
} SoretGridPart;
#define SORET_GRID_CELLS ((SoretGridPart){-1, -1})

/* The array over the whole grid, x fastest, m values for each entry, from those of the ranks. Collective. */
PetscErrorCode SoretGridGather(const SoretGrid *grid, SoretGridPart part, PetscInt m, const PetscReal mine[], PetscReal whole[]);

/* Local and global indices of cell p of this rank, to initialise an array of three with. */
#define SORET_LOCAL_INDEX(grid, p)  {(p) % (grid)->count[0], (p) / (grid)->count[0] % (grid)->count[1], (p) / (grid)->count[0] / (grid)->count[1]}
#define SORET_GLOBAL_INDEX(grid, p) {(grid)->start[0] + (p) % (grid)->count[0], (grid)->start[1] + (p) / (grid)->count[0] % (grid)->count[1], (grid)->start[2] + (p) / (grid)->count[0] / (grid)->count[1]}

/* The cell of this rank with these local indices. */
static inline PetscInt SoretGridCellNumber(const SoretGrid *grid, const PetscInt at[3])
{
  return (at[2] * grid->count[1] + at[1]) * grid->count[0] + at[0];
}

/* The global indices, written to ijk. */
static inline void SoretGridCellIndex(const SoretGrid *grid, PetscInt p, PetscInt ijk[3])
{
  const PetscInt at[3] = SORET_GLOBAL_INDEX(grid, p);

  for (int axis = 0; axis < 3; axis++) ijk[axis] = at[axis];
}

/* Number of cell p of this rank in the whole box, x fastest. */
static inline PetscInt64 SoretGridNatural(const SoretGrid *grid, PetscInt p)
{
  PetscInt ijk[3];

  SoretGridCellIndex(grid, p, ijk);
  return ((PetscInt64)ijk[2] * grid->n[1] + ijk[1]) * grid->n[0] + ijk[0];
}

/* A DMDA with the same cells on the same ranks, `dof` unknowns per cell and a star as stencil, `width` cells
   wide. Collective. */
PetscErrorCode SoretGridCreateDM(const SoretGrid *grid, PetscInt dof, PetscInt width, DM *dm);

/* The cells of this rank as a box of an array over the grid as files hold it, slowest axis first: [nz][ny][nx], with an axis of `trailing`
   entries per cell behind it where trailing > 0. Arrays over the cells of a rank are such boxes as they lie in memory.

   size, start, count - [4] of the whole array, of the box

   Returns the number of axes. */
int SoretGridBox(const SoretGrid *grid, PetscInt trailing, PetscInt size[], PetscInt start[], PetscInt count[]);

/* Does this rank hold the cells at wall `side` (0 low, 1 high) of an axis? PETSC_FALSE on periodic axes. */
PetscBool SoretGridHasWall(const SoretGrid *grid, int axis, int side);

/* Number of cells of this rank at a wall of the box, 0 if it is not of this rank. */
PetscInt SoretGridCountFace(const SoretGrid *grid, int face);

/* Local indices of cell q of a wall; q runs over the other axes, the first of them fastest. */
void SoretGridFaceCell(const SoretGrid *grid, int face, PetscInt q, PetscInt ijk[3]);

/* Area of the faces normal to `axis` of the cell with global indices ijk. */
PetscReal SoretGridFaceArea(const SoretGrid *grid, int axis, const PetscInt ijk[3]);

/* Volume of the cell with global indices ijk, as if it were no solid. */
PetscReal SoretGridCellVolume(const SoretGrid *grid, const PetscInt ijk[3]);

/* Is cell p of this rank solid? */
static inline PetscBool SoretGridIsSolid(const SoretGrid *grid, PetscInt p)
{
  return grid->closed && (grid->closed[p] & SORET_CLOSED_CELL) ? PETSC_TRUE : PETSC_FALSE;
}

/* Does fine cell p with these local indices take part in the coarse cell that it lies in? Not where that stands for another part of the fluid. Both grids
   of this rank, made by SoretGridCoarsen(), aligned. */
static inline PetscBool SoretGridTakesPart(const SoretGrid *fine, PetscInt p, const PetscInt ijk[3], const SoretGrid *coarse, const PetscBool coarsened[3])
{
  const PetscInt i = coarsened[0] ? ijk[0] / 2 : ijk[0], j = coarsened[1] ? ijk[1] / 2 : ijk[1], k = coarsened[2] ? ijk[2] / 2 : ijk[2];

  return fine->num_pockets == 1 || fine->pocket[p] == coarse->pocket[(k * coarse->count[1] + j) * coarse->count[0] + i] ? PETSC_TRUE : PETSC_FALSE;
}

/* Is a face of cell p of this rank closed by solid? A wall of the box is not, unless the cell is solid. */
static inline PetscBool SoretGridIsClosed(const SoretGrid *grid, PetscInt p, int face)
{
  return grid->closed && (grid->closed[p] >> face & 1) ? PETSC_TRUE : PETSC_FALSE;
}

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

/* Room for `width` layers of cells beyond each face of this rank, dof numbers each, and the ranks they come from. The grid is borrowed. Not collective. */
PetscErrorCode SoretHaloCreate(const SoretGrid *grid, PetscInt dof, PetscInt width, SoretHalo *halo);
PetscErrorCode SoretHaloDestroy(SoretHalo *halo);

/* First cell (local indices) of the layer that is sent from one side of an axis; its extent is halo->count[axis]. */
void SoretHaloSendStart(const SoretHalo *halo, int axis, int side, PetscInt start[3]);

/* Collective among neighbours. */
PetscErrorCode SoretHaloBegin(SoretHalo *halo);
PetscErrorCode SoretHaloEnd(SoretHalo *halo);

/* Both, for an array over the cells of this rank: its outermost layers go out, the neighbours' come in. */
PetscErrorCode SoretHaloExchange(SoretHalo *halo, const PetscReal value[]);

/* For an array over the cells of this rank with a layer more on both sides of each axis of the grid: these layers come in, edges and corners included,
   axis after axis. Layers beyond walls keep what they have, or are filled with nothing of use. For halos of width 1. Collective among neighbours. */
PetscErrorCode SoretHaloFillBox(const SoretHalo *halo, PetscReal box[]);

/* Values of the cell beyond a face (2 axis + side) of cell p; at a wall: of p itself. For halos of width 1. */
const PetscReal *SoretHaloCell(const SoretHalo *halo, const PetscReal value[], PetscInt p, int face);

/* Values of the cell with local indices ijk, of which one may lie one cell outside. At a wall: those of the cell inside. */
const PetscReal *SoretHaloEntries(const SoretHalo *halo, const PetscReal value[], const PetscInt ijk[3]);

/* The first of them. */
PetscReal SoretHaloValue(const SoretHalo *halo, const PetscReal value[], const PetscInt ijk[3]);
