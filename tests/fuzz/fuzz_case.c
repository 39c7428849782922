/* SPDX-License-Identifier: BSD-2-Clause

   Fuzzes everything between the bytes of a case file and the formulas and laws made of them: YAML, key tables, units, formulas, equations,
   overrides, conserved sums, the printing of messages. Lines at the start that begin with '!' are overrides, the rest is the case.

   With libFuzzer (-DSORET_FUZZ=ON) it searches; without (SORET_FUZZ_STANDALONE) it replays the files and directories given. */
#include "soret/case.h"
#include "soret/units.h"

#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
  MOST_OVERRIDES = 8,
  LARGEST_INPUT  = 64 << 10
};

static FILE *nowhere = NULL;

/* Values go through here, so that no evaluation is left out by the compiler. */
static volatile PetscReal sink;

/* Laws and formulas of a case without mistakes at one point; what they give may be infinite or NaN. A temperature that is computed has none. */
static PetscErrorCode EvaluateAt(SoretCase *c, SoretPoint point)
{
  PetscFunctionBeginUser;
  if (c->temperature && SoretFieldNode(c->temperature)->kind == SORET_NODE_SCALAR) point.T = SoretFieldEvaluate(c->temperature, &point);
  for (PetscInt s = 0; s < c->model.num_species; s++) {
    PetscReal a, b;

    SoretModelTransport(&c->model, s, &point, &a, &b);
    sink = a + b;
    sink = SoretLawDerivative(c->model.species[s].diffusivity, &point);
    if (!SoretFieldNode(c->initial[s]) || SoretFieldNode(c->initial[s])->kind == SORET_NODE_SCALAR) sink = SoretFieldEvaluate(c->initial[s], &point);
  }
  for (PetscInt r = 0; r < c->model.network.num_reactions; r++) {
    PetscReal k[2];

    SoretNetworkConstants(&c->model.network, r, &point, &k[0], &k[1]);
    sink = k[0] + k[1];
  }
  for (int face = 0; face < 6; face++) {
    for (PetscInt s = 0; s < c->model.num_species; s++) {
      const SoretCondition *condition = SoretBoundaryCondition(&c->boundary, face, s);

      if (condition->value) sink = SoretExprEvaluate(condition->value, &point);
      if (condition->outside) sink = SoretExprEvaluate(condition->outside, &point);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Evaluate(SoretCase *c)
{
  static const SoretPoint points[] = {
    {{0.0, 0.0, 0.0},   0.0,  1.0  },
    {{0.5, 0.25, 1e-3}, 3.0,  300.0},
    {{-1e9, 1e9, 7.0},  1e30, 1e-30}
  };

  PetscFunctionBeginUser;
  PetscCall(SoretModelSetRange(&c->model, 0.5, 400.0));
  for (size_t p = 0; p < sizeof(points) / sizeof(points[0]); p++) PetscCall(EvaluateAt(c, points[p]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Cuts the lines with '!' off the text, in place. */
static int TakeOverrides(char **text, char *overrides[])
{
  int n = 0;

  while (n < MOST_OVERRIDES && **text == '!') {
    char *end = strchr(*text, '\n');

    overrides[n++] = *text + 1;
    *text          = end ? end + 1 : *text + strlen(*text);
    if (end) *end = 0;
  }
  return n;
}

/* All that a case allocates must be freed with it. (The leak sanitizer cannot tell: MPI's own leaks drown it.) */
static PetscErrorCode TryCase(const uint8_t *data, size_t size)
{
  SoretCase      c;
  char          *copy, *text, *overrides[MOST_OVERRIDES];
  int            num;
  PetscLogDouble before, after;

  PetscFunctionBeginUser;
  PetscCall(PetscMallocGetCurrentUsage(&before));
  PetscCall(PetscMalloc1(size + 1, &copy));
  memcpy(copy, data, size);
  copy[size] = 0;
  text       = copy;
  num        = TakeOverrides(&text, overrides);
  PetscCall(SoretCaseParse("fuzz.yaml", text, size - (size_t)(text - copy), num, overrides, &c));
  if (SoretInputCountErrors(c.in)) PetscCall(SoretInputPrintErrors(c.in, nowhere));
  else PetscCall(Evaluate(&c));
  PetscCall(SoretCaseDestroy(&c));
  PetscCall(PetscFree(copy));
  PetscCall(PetscMallocGetCurrentUsage(&after));
  PetscCheck(after == before, PETSC_COMM_SELF, PETSC_ERR_MEMC, "%g bytes are left", after - before);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Every PETSc error is a mistake of ours: a case file can be wrong, but never an error. */
static void Begin(void)
{
  const char     *metre = "m";
  PetscReal       value;
  SoretUnitStatus status;

  (void)setenv("PETSC_OPTIONS", "-malloc_debug", 1);
  (void)PetscInitializeNoArguments();
  (void)PetscPushErrorHandler(PetscAbortErrorHandler, NULL);
  nowhere = fopen("/dev/null", "w");
  if (!nowhere) abort();
  if (SoretUnitConvert(1.0, "m", &metre, &value, &status)) abort(); /* the table of units stays in memory */
}

#ifndef SORET_FUZZ_STANDALONE

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  Begin();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size <= LARGEST_INPUT && TryCase(data, size)) abort();
  return 0;
}

#else

static int Replay(const char *path)
{
  FILE    *file = fopen(path, "rb");
  uint8_t *data;
  size_t   size;
  int      good;

  if (!file) {
    fprintf(stderr, "cannot read '%s'\n", path);
    return 0;
  }
  data = malloc(LARGEST_INPUT);
  size = fread(data, 1, LARGEST_INPUT, file);
  fclose(file);
  good = TryCase(data, size) ? 0 : 1;
  if (!good) fprintf(stderr, "failed: '%s'\n", path);
  free(data);
  return good;
}

static int ReplayDirectory(const char *path, int *count)
{
  DIR           *directory = opendir(path);
  struct dirent *entry;
  int            good = 1;

  if (!directory) return 0;
  while ((entry = readdir(directory))) {
    char name[4096];

    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
    good = Replay(name) && good;
    (*count)++;
  }
  closedir(directory);
  return good;
}

int main(int argc, char **argv)
{
  int good = argc > 1, count = 0;

  Begin();
  for (int i = 1; i < argc; i++) {
    struct stat info;

    if (!stat(argv[i], &info) && S_ISDIR(info.st_mode)) good = ReplayDirectory(argv[i], &count) && good;
    else {
      good = Replay(argv[i]) && good;
      count++;
    }
  }
  fclose(nowhere);
  (void)PetscFinalize();
  printf("%d inputs replayed\n", count);
  return good && count ? 0 : 1;
}

#endif
