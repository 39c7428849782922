/* SPDX-License-Identifier: BSD-2-Clause

   The whole case as data: walks the sections of the file, cross-checks them, builds nothing on the grid. */
#pragma once

#include "soret/heat.h"
#include "soret/output.h"
#include "soret/points.h"
#include "soret/solid.h"
#include "soret/solve.h"
#include "soret/velocity.h"
#include "soret/stokes.h"

typedef struct {
  SoretInput        in;
  char             *path, *text;     /* of the case file                            */
  char             *title;
  SoretOptional     standard_concentration;
  SoretGridSpec     grid;
  SoretField        temperature;     /* NULL: by conduction                         */
  PetscBool         conducts;
  SoretHeatSpec     heat;            /* with conducts                               */
  SoretSolidSpec    solid;
  SoretFlowSpec     flow;
  SoretStokesSpec   stokes;          /* with flow.boussinesq                        */
  SoretVelocity     velocity;        /* what it generates stands in `model` too     */
  SoretModel        model;
  SoretField       *initial;         /* [num_species]                               */
  SoretBoundarySpec boundary;
  SoretTotals       totals;
  SoretSums         sums;
  PetscBool         other_sums; /* than the kinds of conditions tell, since of some walls nothing passes */
  SoretSolveSpec    solve;
  SoretOutputSpec   output;
  SoretCheckpointSpec checkpoint;    /* with a prefix                              */
  SoretSweepSpec    sweep;
  const SoretNode  *petsc;           /* map of PETSc options, may be NULL           */
} SoretCase;

/* Text of a case, where it came from, and what to change in it. */
typedef struct {
  const char  *path;
  char        *text;          /* NULL: read the file; otherwise it is copied */
  int          num_overrides;
  char *const *overrides;
} SoretCaseSource;

/* Reads the file, applies the overrides, checks everything that can be checked without the grid, including files of fields, the number of
   ranks and the memory of the nodes. All mistakes are printed together: SORET_ERR_INPUT. Collective. */
PetscErrorCode SoretCaseRead(MPI_Comm comm, const SoretCaseSource *source, SoretCase *c);

/* Tells parameters that no formula uses: slips, or left over; a study that varies one varies nothing. Collective. */
PetscErrorCode SoretCaseWarnOfUnused(MPI_Comm comm, const SoretCase *c);
PetscErrorCode SoretCaseDestroy(SoretCase *c);

/* The same from bytes in memory, without looking at files, ranks or memory: for tests and fuzzing. Mistakes are left in c->in. */
PetscErrorCode SoretCaseParse(const char *name, const char *text, size_t length, int num_overrides, char *const overrides[], SoretCase *c);

/* What the files of the fields are now: a line for each, on rank 0; free with PetscFree. And the warnings of a run that goes on, of files that were others
   `before`, when it was begun or last gone on with. Collective. */
PetscErrorCode SoretCaseDescribeFiles(MPI_Comm comm, const SoretCase *c, char **lines);
PetscErrorCode SoretCaseWarnOfChanged(MPI_Comm comm, const char *before, const char *now);

/* Puts the map `petsc` into the options database; what is there already (the command line) wins. */
PetscErrorCode SoretCaseInsertOptions(const SoretCase *c);

/* Everything built from a case, in the order in which it depends on each other. */
typedef struct {
  SoretGrid        grid;
  SoretHeat        heat;     /* NULL: the temperature is a field */
  SoretTemperature temperature;
  SoretStokes      stokes;   /* NULL: the flow is not computed   */
  SoretFlow        flow;     /* grid NULL: none                  */
  SoretBoundary    boundary;
  SoretOperator    op;
  Vec              c;        /* concentrations, filled from `initial` */
} SoretProblem;

/* Collective. Also finds what is conserved, in a steady run by what walls let pass, and sets the means that no total prescribes. */
PetscErrorCode SoretProblemCreate(MPI_Comm comm, SoretCase *c, SoretProblem *problem);
PetscErrorCode SoretProblemDestroy(SoretProblem *problem);

/* Tells of the solid, the flow and the largest cell Peclet number, and of what can be computed and is hardly meant: sums that are kept though conditions are there to let a member in or out, water
   beyond the temperatures that its viscosity is known for, time in a steady run, sums that are rounding error beside others there. Collective.

   told - where many cases are solved in turn, what was said of the one before, NULL at first, which is not said again, and solid and flow are not told of; free with PetscFree. Else NULL */
PetscErrorCode SoretCaseSayNotes(MPI_Comm comm, const SoretCase *c, const SoretProblem *problem, char **told);

/* Warns where the disk of the result has less room than that needs; refuses a steady run then, which would lose all in the end: SORET_ERR_IO. Collective. */
PetscErrorCode SoretCaseCheckDisk(MPI_Comm comm, const SoretCase *c, const SoretProblem *problem);

/* A table of several cases has one name for each sum: refuses a case with others than the kinds of its conditions tell. Message and SORET_ERR_INPUT. */
PetscErrorCode SoretCaseRefuseOtherSums(MPI_Comm comm, const SoretCase *c);

/* Prints what `soret check` says of a case: unknowns, conserved sums, boundary conditions, stiffness, memory, file size. Collective. */
PetscErrorCode SoretCaseReport(MPI_Comm comm, SoretCase *c);

/* Prints every key: docs/case-reference.md. Not collective. */
PetscErrorCode SoretCaseReference(FILE *out);
