/* SPDX-License-Identifier: BSD-2-Clause

   The section `solve`. */
#include <stddef.h>

#include "soret/solve.h"

static PetscErrorCode ReadUntilSteady(SoretInput in, const SoretNode *node, const SoretKey *key, void *dest)
{
  static const SoretKey number = {"until_steady", SORET_REAL, "1", SORET_OPTIONAL, SORET_POSITIVE, 0, ""};
  SoretOptional        *until  = (SoretOptional *)dest;
  PetscBool             asked;

  PetscFunctionBegin;
  if (SoretNodeIsTruth(node, &asked)) *until = (SoretOptional){.value = 1.0e-8, .given = asked};
  else PetscCall(SoretInputReadValue(in, node, &number, &until->value, &until->given));
  PetscFunctionReturn(PETSC_SUCCESS);
}

#define AT(field) offsetof(SoretSolveSpec, field)
static const SoretKey solve_keys[] = {
  {"mode", SORET_CHOICE, NULL, "steady", SORET_ANY, AT(mode), "steady state, or integration in time from 0 to `end`", .choices = "steady|transient"},
  {"tolerance", SORET_REAL, "1", SORET_OPTIONAL, SORET_BETWEEN(1.0e-15, 1.0), AT(tolerance), "steady (default 1e-8): residual relative to the gross rates; transient (default 1e-5): local error of a step relative to the concentrations"},
  {"absolute", SORET_REAL, "mol/m^3", SORET_OPTIONAL, SORET_POSITIVE, AT(absolute), "transient: local error that is always allowed (default: 1e-2 tolerance times the amount there is, or that walls bring where there is none, species by species)"},
  {"end", SORET_REAL, "s", SORET_OPTIONAL, SORET_POSITIVE, AT(end), "transient: final time"},
  {"first_step", SORET_REAL, "s", SORET_OPTIONAL, SORET_POSITIVE, AT(first_step), "transient: first step to try (default: from the initial rates)"},
  {"max_step", SORET_REAL, "s", SORET_OPTIONAL, SORET_POSITIVE, AT(max_step), "transient: longest step (default: where a formula or dataset depends on time a fiftieth of `end`, but not less than `first_step`, else none). What lasts shorter, a pulse, may be passed over unseen"},
  {"max_steps", SORET_INT, NULL, "100000", SORET_BETWEEN(1, 1.0e9), AT(max_steps), "steps, or Newton iterations, after which the run ends as not converged"},
  {"until_steady", SORET_CUSTOM, "1", SORET_OPTIONAL, SORET_ANY, AT(until_steady), "transient: stop once the state is steady to this tolerance (`true`: 1e-8), by the measure of steady runs or because nothing changes by more per diffusion time; not reached by `end`: status 3", .parse = ReadUntilSteady, .syntax = "`true` or number"},
  {.key = NULL}};

PetscErrorCode SoretSolveReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`solve`", solve_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscReal SoretSolveLongestStep(const SoretSolveSpec *spec, PetscBool varies)
{
  enum { LEAST_STEPS = 50 };
  static const PetscReal any = 1.0e20; /* as TSAdapt has it */

  if (spec->max_step.given) return spec->max_step.value;
  return varies ? PetscMax(spec->end.value / LEAST_STEPS, spec->first_step.given ? spec->first_step.value : 0.0) : any;
}

PetscErrorCode SoretSolveSpecRead(SoretInput in, SoretSolveSpec *spec)
{
  const SoretNode *node = SoretNodeFind(SoretInputRoot(in), "solve"), *mode = SoretNodeFind(node, "mode");

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  PetscCall(SoretInputReadMap(in, node, SoretInputRoot(in), "section 'solve'", solve_keys, spec));
  if (mode && spec->mode == SORET_STEADY && strcmp(mode->text, "steady") && SoretNodeFind(node, "end")) spec->mode = SORET_TRANSIENT; /* misspelt: what belongs to it is no second mistake */
  if (spec->mode == SORET_TRANSIENT && !spec->end.given && !SoretNodeFind(node, "end")) PetscCall(SoretInputError(in, node, "a transient run needs the key 'end' in section 'solve'"));
  if (spec->mode == SORET_STEADY) {
    const char *const only[] = {"end", "first_step", "max_step", "absolute", "until_steady"};

    for (size_t k = 0; k < sizeof(only) / sizeof(only[0]); k++) {
      if (SoretNodeFind(node, only[k])) PetscCall(SoretInputError(in, SoretNodeFind(node, only[k]), "'%s' belongs to `mode: transient`", only[k]));
    }
  }
  if (!spec->tolerance.given) spec->tolerance.value = spec->mode == SORET_STEADY ? 1.0e-8 : 1.0e-5;
  PetscFunctionReturn(PETSC_SUCCESS);
}
