/* SPDX-License-Identifier: BSD-2-Clause

   The linear twin of nonlinear multigrid: -pc_type fas, for Newton's method without a matrix. J y = r is solved approximately by one cycle for

     G(c + epsilon y) = G(c) + epsilon r

   from c, where G is the left side of the system and c Newton's state: a cycle leaves what solves its equation as it is, so that for a small epsilon it is
   linear in r. The levels are those of SoretFAS as they are.

   Cycles keep concentrations positive, which corrections are not. So c is not less than a share of the largest u = b c of each species over b, and epsilon so small that
   no concentration changes by more than a share of itself. Where that lifts c, only the rates of reactions are affected, in the preconditioner and not in J. */
#include "solve_private.h"

#include <petsc/private/pcimpl.h> /* what a PC is made of has no public header */

#include "soret/multigrid.h"

/* Least u relative to the largest of the species: far above rounding when epsilon times a correction is `change` of it. */
static const PetscReal lift = 1.0e-6;

/* What the largest relative change in a cell is to be, and what is good enough. */
static const PetscReal change = 1.0e-2, most_change = 0.3, least_change = 1.0e-8;

typedef struct {
  SoretSystem *sys;
  SoretFAS     fas;
  Vec          left, rhs, c;             /* G(c); its sum with epsilon r; c, from which the cycle goes on */
  PetscReal    least[SORET_MAX_SPECIES]; /* u                                            */
  PetscReal    gain;                     /* largest relative change by an r of size 1    */
} Levels;

/* ---- the state that corrections are added to ---- */

/* Least u of each species; those of which there is nothing anywhere get a share of the largest concentration. Collective. */
static PetscErrorCode MeasureLeast(Levels *levels)
{
  const SoretOperator *op = levels->sys->op;
  const PetscInt       ns = op->num_species, n = op->grid->num_cells * ns;
  PetscReal            most[2 * SORET_MAX_SPECIES + 1] = {0.0}; /* u, 1/b, c of any species */
  const PetscReal     *c;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(levels->sys->at, &c));
  for (PetscInt q = 0; q < n; q++) {
    if (SoretGridIsSolid(op->grid, q / ns)) continue;
    most[q % ns]      = PetscMax(most[q % ns], op->b[q] * c[q]);
    most[ns + q % ns] = PetscMax(most[ns + q % ns], 1.0 / op->b[q]);
    most[2 * ns]      = PetscMax(most[2 * ns], c[q]);
  }
  PetscCall(VecRestoreArrayRead(levels->sys->at, &c));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, most, (PetscMPIInt)(2 * ns + 1), MPIU_REAL, MPI_MAX, op->grid->comm));
  for (PetscInt s = 0; s < ns; s++) levels->least[s] = lift * (most[s] > 0.0 || most[ns + s] == 0.0 ? most[s] : most[2 * ns] / most[ns + s]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static inline PetscReal Base(const Levels *levels, const PetscReal c[], PetscInt q)
{
  const PetscInt ns = levels->sys->op->num_species;

  return SoretGridIsSolid(levels->sys->op->grid, q / ns) ? 0.0 : PetscMax(c[q], levels->least[q % ns] / levels->sys->op->b[q]);
}

static PetscErrorCode SetBase(Levels *levels)
{
  const PetscReal *at;
  PetscReal       *c;
  PetscInt         n;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(levels->c, &n));
  PetscCall(VecGetArrayRead(levels->sys->at, &at));
  PetscCall(VecGetArrayWrite(levels->c, &c));
  for (PetscInt q = 0; q < n; q++) c[q] = Base(levels, at, q);
  PetscCall(VecRestoreArrayWrite(levels->c, &c));
  PetscCall(VecRestoreArrayRead(levels->sys->at, &at));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the preconditioner ---- */

/* rhs = left + epsilon r, without what is in solid; of TS r is per volume. */
static PetscErrorCode SetRightSide(const Levels *levels, PetscReal epsilon, Vec r)
{
  const SoretOperator *op = levels->sys->op;
  const PetscInt       ns = op->num_species;
  const PetscReal     *left, *from;
  PetscReal           *rhs;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(levels->left, &left));
  PetscCall(VecGetArrayRead(r, &from));
  PetscCall(VecGetArrayWrite(levels->rhs, &rhs));
  for (PetscInt p = 0; p < op->grid->num_cells; p++) {
    const PetscReal factor = SoretGridIsSolid(op->grid, p) ? 0.0 : epsilon * (levels->sys->augmented ? 1.0 : SoretOperatorCellVolume(op, p));

    for (PetscInt q = p * ns; q < (p + 1) * ns; q++) rhs[q] = left[q] + factor * from[q];
  }
  PetscCall(VecRestoreArrayWrite(levels->rhs, &rhs));
  PetscCall(VecRestoreArrayRead(r, &from));
  PetscCall(VecRestoreArrayRead(levels->left, &left));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* y = (c - base)/epsilon, r itself in solid, and the largest of |c - base| relative to base. Where there is nothing, and nothing is asked for, nothing comes:
   rounding would make something of a species that is absent, which may then change by as much as there is of it, and of the others nothing would be seen.
   Collective. */
static PetscErrorCode ReadCorrection(const Levels *levels, PetscReal epsilon, Vec r, Vec y, PetscReal *largest)
{
  const SoretOperator *op = levels->sys->op;
  const PetscReal     *at, *c, *from;
  PetscReal           *to, most = 0.0;
  PetscInt             n;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(y, &n));
  PetscCall(VecGetArrayRead(levels->sys->at, &at));
  PetscCall(VecGetArrayRead(levels->c, &c));
  PetscCall(VecGetArrayRead(r, &from));
  PetscCall(VecGetArrayWrite(y, &to));
  for (PetscInt q = 0; q < n; q++) {
    const PetscReal base = Base(levels, at, q), by = at[q] == 0.0 && from[q] == 0.0 ? 0.0 : c[q] - base;

    to[q] = SoretGridIsSolid(op->grid, q / op->num_species) ? from[q] : by / epsilon;
    if (base > 0.0) most = PetscMax(most, PetscAbsReal(by) / base);
  }
  PetscCall(VecRestoreArrayWrite(y, &to));
  PetscCall(VecRestoreArrayRead(r, &from));
  PetscCall(VecRestoreArrayRead(levels->c, &c));
  PetscCall(VecRestoreArrayRead(levels->sys->at, &at));
  PetscCallMPI(MPI_Allreduce(&most, largest, 1, MPIU_REAL, MPI_MAX, op->grid->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Corrections by an r of the same size are much the same from one r to the next. An epsilon that was no good is mended and the cycle done again. */
static PetscErrorCode ApplyUnweighed(PC pc, Vec r, Vec y)
{
  enum { ATTEMPTS = 5 };
  Levels         *levels = (Levels *)pc->data;
  SoretSystem    *sys    = levels->sys;
  const PetscReal shift  = sys->shift;
  PetscReal       size, largest;

  PetscFunctionBegin;
  PetscCall(VecNorm(r, NORM_INFINITY, &size));
  if (size == 0.0) {
    PetscCall(VecZeroEntries(y));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  sys->shift = sys->at_shift;
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    const PetscReal epsilon = change / (levels->gain * size);

    PetscCall(SetBase(levels));
    PetscCall(SetRightSide(levels, epsilon, r));
    PetscCall(SoretFASCycle(levels->fas, 0, levels->rhs, levels->c));
    PetscCall(ReadCorrection(levels, epsilon, r, y, &largest));
    if (PetscIsInfReal(largest)) break;
    levels->gain *= PetscMax(largest / change, 1.0e-6) * (largest > most_change ? 10.0 : 1.0); /* nothing is left of what is below rounding; what was shortened would have been larger */
    if (largest <= most_change && largest >= least_change) break;
    PetscCall(PetscInfo(pc, "cycle done again: largest relative change %g\n", (double)largest));
  }
  sys->shift = shift;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Apply(PC pc, Vec r, Vec y)
{
  const SoretSystem *sys = ((Levels *)pc->data)->sys;
  Vec                own = r;

  PetscFunctionBegin;
  if (sys->profile) {
    PetscCall(VecDuplicate(r, &own));
    PetscCall(VecCopy(r, own));
    PetscCall(SoretSystemWeigh(sys, PETSC_TRUE, own));
  }
  PetscCall(ApplyUnweighed(pc, own, y));
  if (sys->profile) PetscCall(VecDestroy(&own));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The first guess of the gain: G changes all there is by about as much, as Newton's method would; so does what diffusion over the box does to it. It depends on
   nothing but the state, so that a run that goes on from a checkpoint has the same bits. */
static PetscErrorCode GuessGain(Levels *levels)
{
  const SoretOperator *op = levels->sys->op;
  const PetscInt       ns = op->num_species;
  const PetscReal     *left, *c;
  PetscReal            rate[SORET_MAX_SPECIES], most = 0.0;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < ns; s++) rate[s] = levels->sys->at_shift + SoretDiffusionRate(op, op->mean_D[s]);
  PetscCall(VecGetArrayRead(levels->left, &left));
  PetscCall(VecGetArrayRead(levels->c, &c));
  for (PetscInt p = 0; p < op->grid->num_cells; p++) {
    const PetscReal volume = SoretOperatorCellVolume(op, p);

    for (PetscInt s = 0; s < ns && volume > 0.0; s++) most = PetscMax(most, PetscMax(PetscAbsReal(left[p * ns + s]), rate[s] * volume * c[p * ns + s]) / (levels->sys->augmented ? 1.0 : volume));
  }
  PetscCall(VecRestoreArrayRead(levels->c, &c));
  PetscCall(VecRestoreArrayRead(levels->left, &left));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPIU_REAL, MPI_MAX, op->grid->comm));
  levels->gain = most > 0.0 ? 1.0 / most : 1.0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SetUp(PC pc)
{
  Levels      *levels = (Levels *)pc->data;
  SoretSystem *sys    = levels->sys;
  PetscReal    shift;

  PetscFunctionBegin;
  PetscCheck(sys, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_WRONGSTATE, "it is for Newton's method on the finest grid alone");
  shift      = sys->shift;
  sys->shift = sys->at_shift;
  PetscCall(SoretFASUpdate(levels->fas));
  PetscCall(MeasureLeast(levels));
  PetscCall(SetBase(levels));
  PetscCall(SoretSystemResidual(sys, levels->c, levels->left));
  PetscCall(GuessGain(levels));
  sys->shift = shift;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Destroy(PC pc)
{
  Levels *levels = (Levels *)pc->data;

  PetscFunctionBegin;
  PetscCall(SoretFASDestroy(&levels->fas));
  PetscCall(VecDestroy(&levels->left));
  PetscCall(VecDestroy(&levels->rhs));
  PetscCall(VecDestroy(&levels->c));
  PetscCall(PetscFree(pc->data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode View(PC pc, PetscViewer viewer)
{
  const Levels *levels = (const Levels *)pc->data;

  PetscFunctionBegin;
  if (levels->fas) PetscCall(PetscViewerASCIIPrintf(viewer, "  one cycle of nonlinear multigrid, %" PetscInt_FMT " levels\n", SoretFASNumLevels(levels->fas)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Create(PC pc)
{
  const char *prefix;
  Levels     *levels;

  PetscFunctionBegin;
  PetscCall(PCGetOptionsPrefix(pc, &prefix));
  PetscCheck(!prefix || !prefix[0], PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP, "it is for Newton's method on the finest grid alone");
  PetscCall(PetscNew(&levels));
  pc->data         = levels;
  pc->ops->apply   = Apply;
  pc->ops->setup   = SetUp;
  pc->ops->destroy = Destroy;
  pc->ops->view    = View;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretPCFASRegister(void)
{
  PetscFunctionBegin;
  PetscCall(PCRegister(SORET_PCFAS, Create));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretPCFASSet(PC pc, SoretSystem *sys, size_t length, char method[])
{
  Levels *levels;

  PetscFunctionBegin;
  PetscCall(SoretPCFASRegister());
  PetscCall(PCSetType(pc, SORET_PCFAS));
  levels      = (Levels *)pc->data;
  levels->sys = sys;
  PetscCall(VecDuplicate(sys->at, &levels->c));
  PetscCall(VecDuplicate(sys->at, &levels->left));
  PetscCall(VecDuplicate(sys->at, &levels->rhs));
  PetscCall(VecZeroEntries(levels->c));
  PetscCall(SoretFASCreate(sys, levels->c, &levels->fas)); /* what the local sums are cancels in a cycle */
  PetscCall(PetscSNPrintf(method, length, "FGMRES with a cycle of nonlinear multigrid, %" PetscInt_FMT " levels", SoretFASNumLevels(levels->fas)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the choice ---- */

/* By default where a matrix would get multigrid, after cycles that have not converged as well: among cases like those (strong flow, grids that are stretched much) it solves what
   assembled multigrid solves, and some that it does not (docs/numerics.md). */
static PetscErrorCode IsWanted(const SoretSystem *sys, const char *prefix, PetscBool *wanted, PetscBool *given)
{
  char type[64];

  PetscFunctionBegin;
  *wanted = *given = PETSC_FALSE;
  if (prefix) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscOptionsGetString(NULL, NULL, "-pc_type", type, sizeof(type), given));
  if (*given) PetscCall(PetscStrcmp(type, SORET_PCFAS, wanted));
  else *wanted = SoretFASIsUsual(sys->op);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretNewtonCreateMatrices(SoretSystem *sys, const char *prefix)
{
  const SoretGrid *grid = sys->op->grid;
  SoretHierarchy   hierarchy;
  PetscBool        wanted, given;

  PetscFunctionBegin;
  PetscCall(IsWanted(sys, prefix, &wanted, &given));
  if (wanted && sys->op->width == 1) {
    PetscCall(SoretHierarchyCreate(grid, PETSC_TRUE, &hierarchy));
    if (hierarchy.num > 1) PetscCall(SoretSystemCreateShell(sys));
    PetscCall(SoretHierarchyDestroy(&hierarchy));
  }
  if (sys->at) PetscFunctionReturn(PETSC_SUCCESS);
  if (wanted && given && sys->op->width > 1) PetscCall(SoretSay(grid->comm, "-pc_type fas: its smoother has no ballistic transport; a matrix is used\n"));
  else if (wanted && given) PetscCall(SoretSay(grid->comm, "-pc_type fas: no coarser grid can be made of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT " cells on these ranks; a matrix is used\n", grid->n[0], grid->n[1], grid->n[2]));
  PetscCall(SoretSystemCreateMatrices(sys));
  PetscFunctionReturn(PETSC_SUCCESS);
}
