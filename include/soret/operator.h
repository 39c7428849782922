/* SPDX-License-Identifier: BSD-2-Clause

   The discrete equations on one grid: residual, Jacobian, face fluxes, and the caches of everything that depends on temperature alone.

     F_i(cell) = sum over faces of the outflow of species i - volume * S_i(c)          mol/s (mol m^-2 s^-1 in 1D ...)
     dc_i/dt   = -F_i / volume                                                        (docs/numerics.md)

   Vectors hold the concentrations c of a cell together, [k][j][i][species], in the order of a DMDA. Kernels work on slabs of u = b c (planes in 3D, rows
   in 2D) that roll through the box, so no ghosted copy of a vector is made. */
#pragma once

#include "soret/boundary.h"

/* A row of cells as the kernels and diagnostics see it. Entry q = i ns + s of cell i. */
typedef struct {
  PetscInt         j, k;         /* local indices of the row                                              */
  PetscInt         number;       /* of the row on this rank                                               */
  PetscInt         first;        /* number of its first cell                                              */
  PetscInt         next;         /* number of the row above along the last axis if u of that is still to be written (rows.h), else -1 */
  const PetscReal *c;            /* concentrations                                                        */
  const PetscReal *u[3][5];      /* [axis][2 + offset] rows of u = b c at offset -width..width along the axis; along x all are the same row, shifted */
} SoretRow;

typedef struct SoretOperator SoretOperator;
struct SoretOperator {
  SoretModel       *model;
  const SoretGrid  *grid;
  SoretTemperature *temperature;  /* NULL on coarser levels                                                */
  SoretBoundary    *boundary;
  PetscInt          num_species;
  PetscBool         limited;      /* limit ballistic transport (transients)                                */
  PetscBool         varies;       /* something depends on time                                             */
  PetscReal         t;            /* time of the caches                                                    */
  PetscBool         fresh;
  /* caches */
  PetscReal *b;                   /* [num_cells][num_species]                                              */
  PetscReal *k;                   /* [rows][num_slots][cells of a row] rate constants that vary            */
  PetscInt   num_slots, *slot;    /* [2 num_reactions] place in k, or -1: constant                         */
  PetscReal *k_constant;          /* [2 num_reactions][SORET_MAX_LANES] the constants that do not vary     */
  const PetscReal **rates;        /* [2 num_reactions] work: those of a row of k, or of k_constant         */
  PetscReal *volume;              /* [num_cells], or NULL: the product of the widths                       */
  PetscBool  uniform;             /* a is constant for every species: conductances are products            */
  PetscReal *a_constant;          /* [num_species], with uniform                                           */
  PetscReal *gx, *dx, *gx_sum;    /* rows for the uniform kernel                                           */
  PetscReal *inverse[3];          /* and [count + 1] 1 over the distance at each face, 0 at walls          */
  PetscReal *g[3], *w[3];         /* face by face, else; w NULL unless a diffusing species has a velocity  */
  PetscReal *g_diffusive[3];      /* g before it is fitted to w; the array g itself where w is NULL        */
  PetscReal *mean_D;              /* [num_species] mean of D = a b over the box; |v| L for ballistic ones  */
  /* work */
  SoretHalo  halo;
  PetscReal *slabs, *slab[6];     /* all of u that is kept; places of slabs in it, with layers around      */
  PetscInt   width;               /* layers of neighbours                                                  */
  PetscInt   row_start, row_length; /* entries before the first cell of a row of a slab; from row to row   */
  PetscInt   num_slabs, num_rows; /* of this rank; rows of one slab                                        */
  PetscInt   cache_bytes;         /* that rows treated together may use; option -cache_bytes               */
  PetscInt   first_cache_bytes;   /* of the first cache for data; option -first_cache_bytes                */
  PetscReal *row;                 /* [3][num_species] + [1] rows: transport, its derivatives, volumes      */
  PetscReal *window;              /* five rows of u                                                        */
  PetscInt   num_lanes;           /* cells treated side by side                                            */
  PetscReal *lanes;               /* their work arrays                                                     */
  struct SoretPair *pair;         /* [num_reactions] for blocks of four cells (blocks.h), or NULL: not of that kind */
  int               shape;        /* SoretShape: what is known of them                                     */
  int               blocks;       /* SoretBlocks: how rows come to them                                    */
  PetscBool         wall[2];      /* is there nothing beyond the first and the last cell of a row?         */
  /* a coarser level is made of the finer one */
  const SoretOperator *finer;
  PetscBool            coarsened[3];
  PetscBool            whole;     /* or has its cells, all on every rank */
};

/* Collective. The parts are borrowed and must outlive the operator. */
PetscErrorCode SoretOperatorCreate(SoretModel *model, const SoretGrid *grid, SoretTemperature *temperature, SoretBoundary *boundary, SoretOperator *op);
/* One with conductances on all faces and without laws: the caller fills b, g and the coefficients of the boundary, and says by another op->t that
   they have changed; SoretOperatorSetTime() is for its coarser levels only. Collective. */
PetscErrorCode SoretOperatorCreateBare(SoretModel *model, const SoretGrid *grid, SoretBoundary *boundary, SoretOperator *op);
PetscErrorCode SoretOperatorDestroy(SoretOperator *op);

/* A vector of concentrations, [num_cells][num_species] on each rank, 0. Ordered as in a DMDA of the grid, which is made only where PETSc assembles a
   matrix: its scatters take longer to make than a dozen sweeps. Collective. */
PetscErrorCode SoretOperatorCreateVector(const SoretOperator *op, Vec *c);

/* The same equations on the next coarser grid, made of those of the finer one without asking any formula (docs/numerics.md, "Coarser grids"):
   volumes and volume/b are added, rate constants averaged, conductances joined in series and parallel, so that it works for any spacing and for
   closed faces.

   grid      - made from the fine one by SoretGridCoarsen(), aligned
   coarsened - axes along which two cells became one; NULL: the grid is the whole fine one on every rank, made by SoretGridCreateWhole()
   boundary  - made here, too

   Both operators share the model; the fine one must outlive the coarse one. Collective. */
PetscErrorCode SoretOperatorCreateCoarse(const SoretOperator *fine, const SoretGrid *grid, const PetscBool coarsened[3], SoretBoundary *boundary, SoretOperator *op);

/* First entry of the coefficients alpha, beta of a wall for the cell with local indices ijk, -1 if it does not touch that wall. */
PetscInt SoretOperatorWall(const SoretOperator *op, int face, const PetscInt ijk[3]);

/* Brings temperature, boundary and caches to time t; does nothing if they are there already. A diffusivity or rate constant that
   is negative or not finite is a message with species or reaction and place, and SORET_ERR_INPUT. Collective. */
PetscErrorCode SoretOperatorSetTime(SoretOperator *op, PetscReal t);

/* Terms of one cell that a solver adds to F, all per volume: shift (c_s - old[cell][s]) + constant[s] + sum_j matrix[s][j] c_j - kept[cell][s]. Each array may be NULL: 0. */
typedef struct {
  PetscReal        shift;
  const PetscReal *old;      /* [num_cells][num_species]   */
  const PetscReal *constant; /* [num_species]              */
  const PetscReal *matrix;   /* [num_species][num_species] */
  const PetscReal *kept;     /* [num_cells][num_species]   */
} SoretCellTerms;

/* f = F(c) + terms at the time of the last SoretOperatorSetTime(); terms may be NULL. Collective. */
PetscErrorCode SoretOperatorResidual(SoretOperator *op, const SoretCellTerms *terms, Vec c, Vec f);

/* The same row by row, f of the row given to visit and not stored. Collective. */
typedef PetscErrorCode (*SoretResidualVisitor)(SoretOperator *op, const SoretRow *row, const PetscReal f[], void *context);
PetscErrorCode SoretOperatorForEachResidual(SoretOperator *op, const SoretCellTerms *terms, Vec c, SoretResidualVisitor visit, void *context);

/* One red-black point-block Gauss-Seidel sweep for F(c) + terms = rhs: all species of a cell at once by a step of Newton's method with the
   exact reaction Jacobian, the red cells first. A step that would make a positive concentration negative is shortened so that it keeps a
   tenth. Both colours are treated in one pass over memory.

   omega   - over-relaxation of transport: what a cell gives away by itself counts 1/omega in the derivative. 1: none
   rhs     - may be NULL
   content - [num_species] amount of each species on this rank after the sweep, not yet summed over ranks; may be NULL

   Collective. */
PetscErrorCode SoretOperatorSmooth(SoretOperator *op, const SoretCellTerms *terms, PetscReal omega, Vec rhs, Vec c, PetscReal content[]);

/* f divided by the volumes of the cells, times factor. */
PetscErrorCode SoretOperatorPerVolume(const SoretOperator *op, PetscReal factor, Vec f);

/* Matrix with the pattern of the Jacobian: species of a cell coupled as the network (and `extra`) couples them, neighbours
   species by species.

   extra - [num_species][num_species] further couplings inside a cell (non-zero entries), or NULL */
PetscErrorCode SoretOperatorCreateMatrix(SoretOperator *op, const PetscReal extra[], Mat *J);

/* J = dF/dc + volume (shift I + extra). Assembled. Ballistic transport enters without limiter. Collective. */
PetscErrorCode SoretOperatorJacobian(SoretOperator *op, Vec c, PetscReal shift, const PetscReal extra[], Mat J);

/* f = J v with the J of SoretOperatorJacobian(), of which nothing is stored.

   matrix - [num_species][num_species] its shift and `extra` in one

   Collective. */
PetscErrorCode SoretOperatorMultiply(SoretOperator *op, const PetscReal matrix[], Vec c, Vec v, Vec f);

/* Writes a line with the largest cell Peclet number p = |v| h/D where a diffusing species is carried, whose it is, and what exponential fitting adds to D
   there; "" where none is. Collective. */
PetscErrorCode SoretOperatorDescribePeclet(const SoretOperator *op, size_t length, char text[]);

/* Makes the rows of solid cells in J, each 1 on the diagonal, a share of the least diagonal entry of the fluid. Coarse matrices that are products with
   interpolations would else hold the fluid near solid where it is, and correct nothing there. Collective. */
PetscErrorCode SoretOperatorWeakenSolid(const SoretOperator *op, PetscReal share, Mat J);

/* Calls visit for each row of this rank. Collective: exchanges ghosts first. */
typedef PetscErrorCode (*SoretRowVisitor)(SoretOperator *op, const SoretRow *row, void *context);
PetscErrorCode SoretOperatorForEachRow(SoretOperator *op, Vec c, SoretRowVisitor visit, void *context);

/* Fluxes of species s through the faces of cell i of a row, integrated over the face, positive along the axis.

   flux   - [6] faces x- x+ y- y+ z- z+; those of the residual, walls included
   oneway - [6] sum of the flux to and fro, the scale of rounding; or NULL */
void SoretOperatorFaceFluxes(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt s, PetscReal flux[6], PetscReal oneway[6]);

/* Entry by entry of a row, integrated over the cells: net outflow through the faces, walls included; sum of the absolute fluxes; scale, the sum
   of the fluxes to and fro, of which rounding is a part (through faces that of the own u, twice); and carried, what a velocity carries to and fro beside it. */
void SoretOperatorGrossTransport(SoretOperator *op, const SoretRow *row, PetscReal net[], PetscReal gross[], PetscReal scale[], PetscReal carried[]);

/* The same for reactions: net source, and sum over reactions of |nu| (forward + backward rate). */
void SoretOperatorGrossReactions(SoretOperator *op, const SoretRow *row, PetscReal net[], PetscReal gross[]);

/* How far a state is from steady (measure.c): sums over cells, for each species and then for each sum w of species that reactions keep. */
typedef struct {
  PetscInt         num;  /* sums of species                           */
  const PetscReal *w;    /* [num][num_species]                        */
  const PetscReal *D;    /* [num_species] means over the box          */
  PetscBool        each; /* are `relative` and the like wanted, too?  */
  union {
    struct {
      PetscReal residual[4 * SORET_MAX_SPECIES]; /* squares of net outflow less source,                               */
      PetscReal gross[4 * SORET_MAX_SPECIES];    /* of the sum of absolute fluxes and rates,                          */
      PetscReal floor[4 * SORET_MAX_SPECIES];    /* of that of the fluxes to and fro and absolute rates               */
      PetscReal amount[4 * SORET_MAX_SPECIES];   /* of sum_i |w_i| D_i c_i times volume; this and all below for sums only */
      PetscReal relative[4 * SORET_MAX_SPECIES], relative_gross[4 * SORET_MAX_SPECIES], relative_floor[4 * SORET_MAX_SPECIES]; /* each cell over sum_i |w_i| c_i there */
      PetscReal relative_exchange[4 * SORET_MAX_SPECIES]; /* the last one without what a velocity carries */
      PetscReal left[4 * SORET_MAX_SPECIES];  /* not squares: net outflow less source, which the box as a whole lacks of a balance, */
      PetscReal rates[4 * SORET_MAX_SPECIES]; /* and absolute rates                                                                */
    };
    PetscReal all[40 * SORET_MAX_SPECIES];
  };
  PetscReal range[8 * SORET_MAX_SPECIES]; /* of sum_i |w_i| c_i where it is more than 0: largest, and minus the least */
} SoretSquares;

/* Adds what a row contributes, where four cells go at once and no wall of the row is open; PETSC_FALSE elsewhere: nothing is added. */
PetscBool SoretOperatorAddSquares(SoretOperator *op, const SoretRow *row, SoretSquares *squares);

/* As SoretOperatorForEachRow(), for a visitor that calls SoretOperatorAddSquares() for each row, which then fills the row above on the way. Collective. */
PetscErrorCode SoretOperatorForEachRowOfSquares(SoretOperator *op, Vec x, SoretRowVisitor visit, void *context);

/* Coefficients of the faces on one side (0 low, 1 high) of the cells of a row along an axis, entry by entry: the flux of a diffusing species
   through the face is SoretFaceFlux(g, u_lo, u_hi) + w (u_lo + u_hi)/2, its second part carried by a velocity. 0 at walls and for species
   that do not diffuse.

   g, w - [count[0]][num_species]

   PETSC_FALSE: no diffusing species has a velocity along the axis, and w is untouched. */
PetscBool SoretOperatorFaceRow(const SoretOperator *op, const SoretRow *row, int axis, int side, PetscReal g[], PetscReal w[]);

/* Share of the cells of a row in what each of their faces resists diffusion with, share[2 axis + side][count[0]][num_species]: half where cells and their D are alike, 0 where the face is
   closed or nothing diffuses. work - [count[0]][num_species + 2] */
void SoretOperatorFaceShares(const SoretOperator *op, const SoretRow *row, PetscReal work[], PetscReal *const share[6]);

/* b of the cells of this rank, [num_cells][num_species]. */
const PetscReal *SoretOperatorScales(const SoretOperator *op);

/* Rate constants [num_reactions][2] of cell p; pointers to those of cell i of a row and, side by side, of the cells after it, op->num_lanes cells in all. */
void SoretOperatorConstants(const SoretOperator *op, PetscInt p, PetscReal k[]);
void SoretOperatorConstantLanes(const SoretOperator *op, PetscInt row, PetscInt i, const PetscReal *k[]);

/* Volume of cell p of this rank. */
PetscReal SoretOperatorCellVolume(const SoretOperator *op, PetscInt p);

/* Volumes of the cells of a row, rows counted as cells are: in `work`, [count[0]], or where they are stored. */
const PetscReal *SoretOperatorRowVolumes(const SoretOperator *op, PetscInt row, PetscReal work[]);

/* The same over a number, *area, so that they need not be computed where there is no solid. */
const PetscReal *SoretOperatorRowWidths(const SoretOperator *op, PetscInt row, PetscReal *area);

/* Adds the amounts of the species in a row to content[num_species]. */
void SoretOperatorAddContent(const SoretOperator *op, PetscInt row, const PetscReal c[], PetscReal content[]);

/* Amounts of the species in the box, content[num_species]. Collective. */
PetscErrorCode SoretOperatorContent(const SoretOperator *op, Vec c, PetscReal content[]);

/* Point with the y, z and t of the row j, k of this rank; x and T follow cell by cell. */
SoretPoint SoretOperatorRowPoint(const SoretOperator *op, PetscInt j, PetscInt k);

/* Global indices of cell i of a row, and its volume. */
void      SoretOperatorCell(const SoretOperator *op, const SoretRow *row, PetscInt i, PetscInt ijk[3]);
PetscReal SoretOperatorVolume(const SoretOperator *op, const SoretRow *row, PetscInt i);

/* One-way rates of all reactions in the cells of a row, mol/(m^3 s): rates - [num_reactions][forward, backward][cells of the row]. */
void SoretOperatorRates(SoretOperator *op, const SoretRow *row, PetscReal rates[]);
