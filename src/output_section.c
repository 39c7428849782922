/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/output.h"

#include <stddef.h>

#define AT(field) offsetof(SoretOutputSpec, field)
static const SoretKey output_keys[] = {
  {"file", SORET_STRING, NULL, SORET_OPTIONAL, SORET_ANY, AT(file), "result file (default: name of the case with .h5), relative to where soret is started"},
  {"every", SORET_REAL, "s", SORET_OPTIONAL, SORET_POSITIVE, AT(every), "transient: time between frames"},
  {"times", SORET_REALS, "s", SORET_OPTIONAL, SORET_NONNEGATIVE, AT(times), "transient: one frame at exactly each of these times, and one at the start"},
  {"fields", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(field_list), "what a frame holds besides the concentrations", .syntax = "list of `concentration`, `flux`, `rate`, `soret`, `entropy_production`, `meter`"},
  {"precision", SORET_CHOICE, NULL, "double", SORET_ANY, AT(precision), "of the fields in the file", .choices = "double|single"},
  {"compression", SORET_INT, NULL, "0", SORET_BETWEEN(0, 9), AT(compression), "deflate level of the fields"},
  {"xdmf", SORET_BOOL, NULL, "true", SORET_ANY, AT(xdmf), "write an .xdmf file for ParaView beside the result"},
  {"overwrite", SORET_BOOL, NULL, "false", SORET_ANY, AT(overwrite), "replace an existing result once the new one is complete; without it an existing file is refused before the run"},
  {"record", SORET_BOOL, NULL, "false", SORET_ANY, AT(record), "write a performance record (JSON) beside the result: where the time went, memory, messages"},
  {"checksums", SORET_BOOL, NULL, "false", SORET_ANY, AT(checksums), "read the result back in the end and write checksums of it beside it, NAME.sums, which `soret verify` looks at"},
  {"hints", SORET_NODE, NULL, SORET_OPTIONAL, SORET_ANY, AT(hints), "hints for MPI-IO, as in {striping_factor: 16, cb_nodes: 8}", .syntax = "map of hint to value"},
  {.key = NULL}};

static const char *const field_names[] = {"concentration", "flux", "rate", "soret", "entropy_production", "meter"};
enum { NUM_FIELDS = sizeof(field_names) / sizeof(field_names[0]) };

PetscErrorCode SoretOutputReference(FILE *out)
{
  PetscFunctionBegin;
  PetscCall(SoretKeysPrint(out, "`output`", output_keys));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadFields(SoretInput in, SoretOutputSpec *spec)
{
  PetscInt num;

  PetscFunctionBegin;
  spec->fields = SORET_FIELD_CONCENTRATION;
  PetscCall(SoretInputEntries(in, spec->field_list, SORET_NODE_LIST, "expected a list of fields, as in [concentration, flux]", &num));
  for (PetscInt k = 0; k < num; k++) {
    const SoretNode *node  = spec->field_list->item[k];
    unsigned         known = 0;

    for (int f = 0; f < NUM_FIELDS; f++) {
      if (node->kind == SORET_NODE_SCALAR && !strcmp(node->text, field_names[f])) known = 1u << f;
    }
    spec->fields |= known;
    if (!known) {
      PetscCall(SoretInputError(in, node, "'%s' is not a field of the result file%s", node->text, SoretSuggest(node->text, NUM_FIELDS, field_names).text));
      PetscCall(SoretInputHint(in, "fields: concentration, flux, rate, soret, entropy_production, meter"));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CheckHints(SoretInput in, const SoretNode *map)
{
  PetscInt num;

  PetscFunctionBegin;
  PetscCall(SoretInputEntries(in, map, SORET_NODE_MAP, "'hints' must be a map of hint to value, as in {striping_factor: 16, cb_nodes: 8}", &num));
  for (PetscInt k = 0; k < num; k++) {
    const char *value = map->item[k]->text;

    if (map->item[k]->kind != SORET_NODE_SCALAR) PetscCall(SoretInputError(in, map->item[k], "the value of the hint '%s' must be a text or a number", map->key[k]->text));
    else if (!value[0] || strlen(value) >= MPI_MAX_INFO_VAL || strlen(map->key[k]->text) >= MPI_MAX_INFO_KEY || !SoretIsIdentifier(map->key[k]->text)) PetscCall(SoretInputError(in, map->key[k], "'%s' with the value '%s' is no hint for MPI-IO, such as cb_nodes: 8", map->key[k]->text, value));
  }
  if (num > 32) PetscCall(SoretInputError(in, map, "%" PetscInt_FMT " hints are more than 32", num));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputSpecRead(SoretInput in, SoretOutputSpec *spec)
{
  const SoretNode *node = SoretNodeFind(SoretInputRoot(in), "output");

  PetscFunctionBegin;
  PetscCall(PetscMemzero(spec, sizeof(*spec)));
  PetscCall(SoretInputReadMap(in, node, SoretInputRoot(in), "section 'output'", output_keys, spec));
  PetscCall(ReadFields(in, spec));
  PetscCall(CheckHints(in, spec->hints));
  if (spec->every.given && spec->times.n) PetscCall(SoretInputError(in, node, "give either 'every' or 'times', not both"));
  for (PetscInt i = 1; i < spec->times.n; i++) {
    if (spec->times.value[i] > spec->times.value[i - 1]) continue;
    PetscCall(SoretInputError(in, SoretNodeFind(node, "times"), "times must increase: entry %" PetscInt_FMT " is %g after %g", i, (double)spec->times.value[i], (double)spec->times.value[i - 1]));
    break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputTimes(const SoretOutputSpec *spec, PetscReal end, PetscInt *num, PetscReal *times[])
{
  const PetscInt n = spec->every.given ? (PetscInt)PetscFloorReal(end / spec->every.value * (1.0 + 1.0e-12)) : spec->times.n;

  PetscFunctionBegin;
  *num = 0;
  PetscCall(PetscMalloc1(n + 1, times));
  for (PetscInt i = 0; i < n; i++) {
    const PetscReal t = spec->every.given ? (PetscReal)(i + 1) * spec->every.value : spec->times.value[i];

    if (t > 0.0 && t < end * (1.0 - 1.0e-12)) (*times)[(*num)++] = t;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SoretOutputSayUndefined(const SoretOutputSpec *spec, const SoretModel *model, MPI_Comm comm)
{
  char why[256];

  PetscFunctionBegin;
  if (spec->fields & SORET_FIELD_ENTROPY && !SoretEntropyIsDefined(model, sizeof(why), why)) PetscCall(SoretSay(comm, "entropy_production is not defined: %s; it is written as NaN\n", why));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* frames.c names them. */
SoretFrameSize SoretOutputFrameSize(const SoretOutputSpec *spec, const SoretModel *model, PetscInt num_sums, PetscBool varying_temperature)
{
  SoretFrameSize size = {.scalars = model->num_species + (varying_temperature ? 1 : 0)};

  if (spec->fields & SORET_FIELD_FLUX) size.vectors += model->num_species;
  if (spec->fields & SORET_FIELD_RATE) size.scalars += model->network.num_reactions;
  if (spec->fields & SORET_FIELD_SORET && num_sums) size.scalars++;
  if (spec->fields & SORET_FIELD_ENTROPY) size.scalars++;
  if (spec->fields & SORET_FIELD_METER) {
    size.scalars += model->num_species + num_sums * (SORET_NUM_PARTS + 1) + 2; /* parts and equilibrium; entropy */
    size.vectors++;                                                            /* heat */
  }
  return size;
}

PetscReal SoretOutputWorkBytes(const SoretOutputSpec *spec, const SoretGridSpec *grid)
{
  const PetscReal cells = (PetscReal)grid->n[0] * (PetscReal)grid->n[1] * (PetscReal)grid->n[2];

  return 8.0 * cells * ((spec->fields & SORET_FIELD_FLUX ? (PetscReal)(grid->dim - 1) : 0.0) + (spec->fields & (SORET_FIELD_SORET | SORET_FIELD_METER) ? 3.0 : 0.0));
}

PetscReal SoretOutputFrameBytes(const SoretOutputSpec *spec, const SoretGridSpec *grid, const SoretModel *model, PetscInt num_sums, PetscBool varying_temperature)
{
  const PetscReal      cells = (PetscReal)grid->n[0] * (PetscReal)grid->n[1] * (PetscReal)grid->n[2];
  const SoretFrameSize size  = SoretOutputFrameSize(spec, model, num_sums, varying_temperature);

  return (PetscReal)(size.scalars + size.vectors * grid->dim) * cells * (spec->precision ? 4.0 : 8.0);
}

/* What the series and the names and attributes of all groups take, seen with h5stat: a chunk and a header for each column, a constant. */
PetscReal SoretOutputOtherBytes(PetscInt num_columns)
{
  return (PetscReal)num_columns * (8.0 * SORET_H5_APPEND_ROWS + 3072.0) + 16384.0;
}
