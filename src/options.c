/* SPDX-License-Identifier: BSD-2-Clause

   Values of PETSc options, tried before anything is built. PETSc itself reads them when the solvers are made, and ends with a trace. */
#include <petscts.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "solve_private.h"

#include "soret/esdirk.h"

typedef struct {
  size_t length;
  char  *text;
} Complaint;

/* Keeps the first message, and prints none. */
static PetscErrorCode Listen(MPI_Comm comm, int line, const char *function, const char *file, PetscErrorCode code, PetscErrorType type, const char *message, void *context)
{
  const Complaint *complaint = (const Complaint *)context;

  if (complaint->text[0] == 0) (void)snprintf(complaint->text, complaint->length, "%s", message && message[0] ? message : "it cannot be read");
  return code;
}

/* A solver with the options of this prefix, as src/ makes them. */
static PetscErrorCode ConfigureSNES(const char *prefix, PCType preconditioner)
{
  SNES snes;
  KSP  ksp;
  PC   pc;

  PetscFunctionBegin;
  PetscCall(SNESCreate(PETSC_COMM_SELF, &snes));
  PetscCall(SNESSetOptionsPrefix(snes, prefix));
  PetscCall(SNESGetKSP(snes, &ksp));
  PetscCall(KSPSetType(ksp, KSPFGMRES));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, preconditioner));
  PetscCall(SNESSetFromOptions(snes));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(SNESDestroy(&snes));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ConfigureTS(void)
{
  TS ts;

  PetscFunctionBegin;
  PetscCall(TSCreate(PETSC_COMM_SELF, &ts));
  PetscCall(TSSetProblemType(ts, TS_NONLINEAR));
  PetscCall(SoretTimeSetESDIRK(ts));
  PetscCall(TSSetFromOptions(ts));
  PetscCall(TSDestroy(&ts));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ConfigureAll(void)
{
  SoretCycleOptions cycle = {.cycles = 1, .omega = 1.0};

  PetscFunctionBegin;
  PetscCall(SoretPCFASRegister());
  PetscCall(ConfigureSNES(NULL, PCLU));
  PetscCall(ConfigureSNES(NULL, PCMG));
  PetscCall(ConfigureSNES("fas_coarse_", PCLU));
  PetscCall(ConfigureSNES("mg_levels_", PCPBJACOBI));
  PetscCall(ConfigureSNES("mg_coarse_", PCLU));
  PetscCall(ConfigureTS());
  PetscCall(SoretCycleOptionsRead(PETSC_COMM_SELF, &cycle));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is it this option, of whichever solver ("fas_coarse_snes_max_it")? */
static PetscBool IsOption(const char *name, const char *option)
{
  const size_t n = strlen(name), m = strlen(option);

  return n >= m && !strcmp(name + n - m, option) && (n == m || name[n - m - 1] == '_') ? PETSC_TRUE : PETSC_FALSE;
}

/* Numbers that PETSc takes when the solvers are made, and stops at, or fails with, when they are used. */
static PetscErrorCode TryNumber(const char *name, const char *value, size_t length, char complaint[])
{
  static const struct {
    const char *option;
    int         least;
  } known[] = {
    {"snes_max_it",  0},
    {"snes_rtol",    0},
    {"snes_atol",    0},
    {"snes_stol",    0},
    {"ksp_max_it",   0},
    {"ksp_rtol",     0},
    {"ksp_atol",     0},
    {"ts_max_steps", 0},
    {"ts_rtol",      0},
    {"ts_atol",      0},
    {"pc_mg_levels", 1}
  };

  PetscFunctionBegin;
  for (size_t k = 0; value && k < sizeof(known) / sizeof(known[0]); k++) {
    char           *end;
    const PetscReal number = strtod(value, &end);

    if (IsOption(name, known[k].option) && end > value && !*end && !(number >= known[k].least)) PetscCall(PetscSNPrintf(complaint, length, "it must be at least %d", known[k].least));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the case or soret decides: PETSc would read the option, and the run would go by the case all the same, by half of both, or not at all. */
static PetscErrorCode TryDecided(const char *name, size_t length, char complaint[])
{
  static const struct {
    const char *option, *instead;
  } known[] = {
    {"ts_dt",                     "the first step is solve.first_step"                                          },
    {"ts_init_time",              "every run begins at t = 0"                                                   },
    {"ts_max_time",               "a run ends at solve.end"                                                     },
    {"ts_final_time",             "a run ends at solve.end"                                                     },
    {"snes_rtol",                 "solve.tolerance tells when iterations end"                                   },
    {"snes_atol",                 "solve.tolerance tells when iterations end"                                   },
    {"snes_stol",                 "solve.tolerance tells when iterations end"                                   },
    {"snes_divergence_tolerance", "solve.tolerance tells when iterations end"                                   },
    {"snes_convergence_test",     "solve.tolerance tells when iterations end"                                   },
    {"snes_max_funcs",            "-snes_max_it limits iterations"                                              },
    {"snes_mf_operator",          "the Jacobian is exact, with a matrix and with -pc_type fas, which needs none"}
  };

  PetscFunctionBegin;
  for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
    if (!strcmp(name, known[k].option)) PetscCall(PetscSNPrintf(complaint, length, "%s", known[k].instead));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Types that PETSc has and soret has no use for: methods in time that are explicit, want equations of another form or miss the times of output, steps that are not
   chosen by the error, and nonlinear solvers that want what soret does not give them, some of which crash without it. The stages of a step in time end by what an
   iteration still changes, which is the error that is left where it is one of Newton's method or of multigrid: others change little long before they are done, or are
   not asked. */
static PetscErrorCode TryType(const char *name, const char *value, SoretMode mode, size_t length, char complaint[])
{
  const struct {
    const char *option, *offered;
  } known[] = {
    {"ts_type",       " arkimex rosw theta cn beuler bdf alpha "                                                                        },
    {"ts_adapt_type", " basic dsp none "                                                                                                },
    {"snes_type",     mode == SORET_STEADY ? " newtonls newtontr fas ngmres anderson qn nrichardson ncg ksponly " : " newtonls newtontr fas "}
  };
  char word[64];

  PetscFunctionBegin;
  (void)snprintf(word, sizeof(word), " %s ", value ? value : "");
  for (size_t k = 0; value && k < sizeof(known) / sizeof(known[0]); k++) {
    if (strcmp(name, known[k].option) || strstr(known[k].offered, word)) continue;
    PetscCall(PetscSNPrintf(complaint, length, "%s takes one of:%.*s", mode == SORET_STEADY ? "soret" : "a run in time", (int)strlen(known[k].offered) - 1, known[k].offered));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Why a file cannot be written, 0 if it can. */
static int WhyNot(char path[])
{
  const int file = open(path, O_WRONLY | O_NONBLOCK);

  if (file >= 0) return close(file) ? errno : 0;
  if (errno == ENXIO) return 0; /* a pipe without a reader as yet */
  if (errno != ENOENT) return errno;
  return access(dirname(path), W_OK | X_OK) ? errno : 0;
}

/* "[type]:FILE[:format[:mode]]", as PETSc names what it prints to: can rank 0 write such a file? If not, complaint says why. */
static PetscErrorCode TryFile(const char *value, size_t length, char complaint[])
{
  const char *file = value ? strchr(value, ':') : NULL;
  const int   n    = file ? (int)strcspn(file + 1, ":") : 0;
  char        path[PETSC_MAX_PATH_LEN];
  PetscMPIInt rank;
  int         error = 0;

  PetscFunctionBegin;
  if (n == 0) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%.*s", n, file + 1));
  if (rank == 0) error = WhyNot(path);
  PetscCallMPI(MPI_Bcast(&error, 1, MPI_INT, 0, PETSC_COMM_WORLD));
  if (error) PetscCall(PetscSNPrintf(complaint, length, "the file cannot be written: %s", strerror(error)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Why a value is none, "" if it is one. */
static PetscErrorCode TryValue(const char *name, const char *value, SoretMode mode, size_t length, char complaint[])
{
  Complaint      heard = {length, complaint};
  PetscOptions   alone;
  PetscErrorCode status;
  char           option[256];

  PetscFunctionBegin;
  complaint[0] = 0;
  name += name[0] == '-';
  /* those that print or open files would do so */
  if (!strcmp(name, "help")) PetscFunctionReturn(PETSC_SUCCESS);
  if (strstr(name, "monitor") || strstr(name, "view")) {
    PetscCall(TryFile(value, length, complaint));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(TryNumber(name, value, length, complaint));
  PetscCall(TryDecided(name, length, complaint));
  PetscCall(TryType(name, value, mode, length, complaint));
  if (complaint[0]) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscSNPrintf(option, sizeof(option), "-%s", name));
  PetscCall(PetscOptionsCreate(&alone));
  PetscCall(PetscOptionsSetValue(alone, option, value));
  PetscCall(PetscOptionsPush(alone));
  PetscCall(PetscPushErrorHandler(Listen, &heard));
  status = ConfigureAll();
  PetscCall(PetscPopErrorHandler());
  PetscCall(PetscOptionsPop());
  PetscCall(PetscOptionsDestroy(&alone));
  if (!status) complaint[0] = 0; /* what a solver has tried, and could do without */
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretSolveTryOption(const char *name, const char *value, SoretMode mode, size_t length, char complaint[])
{
  char why[256];

  PetscFunctionBegin;
  PetscCall(TryValue(name, value, mode, sizeof(why), why));
  complaint[0] = 0;
  if (why[0] && value) (void)snprintf(complaint, length, "'%s' is no value of the PETSc option '%s': %s", value, name, why);
  else if (why[0]) (void)snprintf(complaint, length, "the PETSc option '%s' is not taken: %s", name, why);
  PetscFunctionReturn(PETSC_SUCCESS);
}
