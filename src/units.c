/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/units.h"
#include "soret/text.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>
#include <udunits2.h>

enum {
  LONGEST_UNIT = 64
};

static ut_system *unit_system = NULL; /* read once per process */

/* What "*" may be converted to. */
static const char *const base_units[] = {
  "1",         "m",         "s",       "K",         "kg",          "mol",     "m^2",     "m^3",     "1/m",     "1/s",     "1/K",    "m/s",
  "m^2/s",     "K/m",       "s/kg",    "J",         "N",           "W",       "Pa",      "Pa s",    "kg/m^3",  "kg/mol",  "J/K",    "J/mol",
  "J/mol/K",   "mol/m^3",   "mol/s",   "mol/m^2/s", "mol/m^3/s",   "m^3/mol", "1/m^3",   "1/m^2",   "W/m/K",   "W/m^2/K", "W/m^2",  "W/m^3",
  "m^3/mol/s", "J/m^3/K",   "J/kg/K",  "m^3/s",     "m^6/mol^2/s", "V",       "A",       "C",
};

static PetscErrorCode FreeUnitSystem(void)
{
  PetscFunctionBeginUser;
  ut_free_system(unit_system);
  unit_system = NULL;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Adds a symbol; a table that has one of its own keeps it. */
static PetscErrorCode AddSymbol(const char *symbol, const char *meaning)
{
  ut_unit *unit = ut_parse(unit_system, meaning, UT_UTF8);

  PetscFunctionBeginUser;
  PetscCheck(unit, PETSC_COMM_SELF, PETSC_ERR_LIB, "UDUNITS-2 does not know %s", meaning);
  ut_map_symbol_to_unit(symbol, UT_ASCII, unit);
  ut_free(unit);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode ReadUnitSystem(void)
{
  PetscFunctionBeginUser;
  if (unit_system) PetscFunctionReturn(PETSC_SUCCESS);
  ut_set_error_message_handler(ut_ignore);
  unit_system = ut_read_xml(NULL);
  PetscCheck(unit_system, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "UDUNITS-2 cannot read its table of units; see its variable UDUNITS2_XML_PATH");
  PetscCall(PetscRegisterFinalize(FreeUnitSystem));
  PetscCall(AddSymbol("M", "mol/L"));
  PetscCall(AddSymbol("P", "0.1 Pa s"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Numbers inside a unit are exponents, or the 1 of 1/s: "25 3 m" is a slip and not 75 m. */
static PetscBool NumberIsMeant(const char *unit, size_t at)
{
  const char before = at ? unit[at - 1] : ' ';

  if (isalpha((unsigned char)before) || (unsigned char)before >= 128 || before == ')' || before == '^') return PETSC_TRUE;
  if ((before == '-' || before == '+') && at > 1 && (isalpha((unsigned char)unit[at - 2]) || unit[at - 2] == '^' || unit[at - 2] == ')')) return PETSC_TRUE;
  return unit[at] == '1' && unit[at + 1 + strspn(unit + at + 1, " ")] == '/' ? PETSC_TRUE : PETSC_FALSE;
}

/* Words with which UDUNITS makes a time stamp, an offset or a logarithm of a unit. */
static PetscBool IsReserved(const char *word, size_t length)
{
  static const char *const reserved[] = {"since", "after", "from", "ref", "re", "at", "lg", "ln", "lb"};

  for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
    if (strlen(reserved[i]) == length && !strncasecmp(word, reserved[i], length)) return PETSC_TRUE;
  return PETSC_FALSE;
}

/* UDUNITS reads a large language; only what looks like a unit is given to it. */
static PetscBool LooksLikeUnit(const char *unit)
{
  static const unsigned others[] = {0xb0 /* degree */, 0xb7 /* point between factors */, 0xb2, 0xb3 /* squared, cubed */, 0xb5, 0x3bc /* micro */, 0xc5 /* Angstrom */};
  const size_t          length   = strlen(unit);

  if (!length || length > LONGEST_UNIT) return PETSC_FALSE;
  for (size_t i = 0; i < length;) {
    unsigned     code  = 0;
    const size_t bytes = SoretScanUtf8(unit + i, length - i, &code);
    const char   first = unit[i];
    size_t       step  = bytes;
    PetscBool    sane  = PETSC_FALSE;

    if (!bytes) return PETSC_FALSE;
    if (bytes > 1) {
      for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++)
        if (code == others[k]) sane = PETSC_TRUE;
    } else if (isalpha((unsigned char)first)) {
      for (step = 1; isalpha((unsigned char)unit[i + step]);) step++;
      sane = IsReserved(unit + i, step) ? PETSC_FALSE : PETSC_TRUE;
    } else if (isdigit((unsigned char)first)) {
      for (step = 1; isdigit((unsigned char)unit[i + step]);) step++;
      sane = NumberIsMeant(unit, i);
    } else {
      sane = strchr("_^*./-+()% ", first) ? PETSC_TRUE : PETSC_FALSE;
    }
    if (!sane) return PETSC_FALSE;
    i += step;
  }
  return PETSC_TRUE;
}

/* ---- is a unit a plain one? Walks through its definition ---- */

static ut_status VisitBasic(const ut_unit *unit, void *plain)
{
  return UT_SUCCESS;
}

static ut_status VisitProduct(const ut_unit *unit, int count, const ut_unit *const *factors, const int *powers, void *plain)
{
  return UT_SUCCESS; /* its factors are basic */
}

static ut_status VisitGalilean(const ut_unit *unit, double scale, const ut_unit *underlying, double offset, void *plain);

static ut_status VisitTimestamp(const ut_unit *unit, const ut_unit *time, double origin, void *plain)
{
  *(PetscBool *)plain = PETSC_FALSE;
  return UT_SUCCESS;
}

static ut_status VisitLogarithm(const ut_unit *unit, double base, const ut_unit *reference, void *plain)
{
  *(PetscBool *)plain = PETSC_FALSE;
  return UT_SUCCESS;
}

static const ut_visitor plain_visitor = {VisitBasic, VisitProduct, VisitGalilean, VisitTimestamp, VisitLogarithm};

static ut_status VisitGalilean(const ut_unit *unit, double scale, const ut_unit *underlying, double offset, void *plain)
{
  return ut_accept_visitor(underlying, &plain_visitor, plain);
}

static ut_unit *ParsePlainUnit(const char *text)
{
  ut_unit  *unit  = LooksLikeUnit(text) ? ut_parse(unit_system, text, UT_UTF8) : NULL;
  PetscBool plain = PETSC_TRUE;

  if (unit && (ut_accept_visitor(unit, &plain_visitor, &plain) != UT_SUCCESS || !plain)) {
    ut_free(unit);
    unit = NULL;
  }
  return unit;
}

/* ---- conversion ---- */

/* UDUNITS multiplies its factors one by one and finds 999.99999999999977 mol/m^3 in 1 mol/L. A factor within a few roundings of a
   short decimal number is that number; one below 1 is applied by dividing, so that 3 um is 3e-6 m exactly as the file could say it. */
static PetscReal Scaled(PetscReal value, PetscReal scale)
{
  const PetscReal inverse = 1.0 / scale, larger = PetscAbsReal(scale) < 1.0 ? inverse : scale;
  char            text[40];
  PetscReal       decimal;

  snprintf(text, sizeof(text), "%.12g", larger);
  decimal = strtod(text, NULL);
  if (!isfinite(larger) || PetscAbsReal(decimal - larger) > 8 * PETSC_MACHINE_EPSILON * PetscAbsReal(larger)) return value * scale;
  return PetscAbsReal(scale) < 1.0 ? value / decimal : value * decimal;
}

/* The factor of a converter without its offset: over a long way, of whose ends the rounding of the offset is nothing. */
static PetscReal Slope(const cv_converter *converter)
{
  return (cv_convert_double(converter, 1.0e8) - cv_convert_double(converter, 0.0)) / 1.0e8;
}

/* PETSC_TRUE if `unit` measures what `base` does. */
static PetscBool Convert(PetscReal value, const ut_unit *unit, const char *base, PetscReal *out)
{
  const size_t    prefix     = strlen(SORET_UNIT_DIFFERENCE);
  const PetscBool difference = strncmp(base, SORET_UNIT_DIFFERENCE, prefix) ? PETSC_FALSE : PETSC_TRUE;
  ut_unit        *to         = ut_parse(unit_system, difference ? base + prefix : base, UT_UTF8);
  cv_converter   *converter  = NULL;

  /* UDUNITS also converts to reciprocals, s to 1/s; here that is a mistake */
  if (to && ut_are_convertible(unit, to)) {
    ut_unit *ratio = ut_divide(unit, to);

    if (ratio && ut_is_dimensionless(ratio)) converter = ut_get_converter((ut_unit *)unit, to);
    ut_free(ratio);
  }
  ut_free(to);
  if (!converter) return PETSC_FALSE;
  if (cv_convert_double(converter, 0.0) == 0.0) *out = Scaled(value, cv_convert_double(converter, 1.0));
  else *out = difference ? Scaled(value, Slope(converter)) : cv_convert_double(converter, value);
  cv_free(converter);
  return PETSC_TRUE;
}

PetscErrorCode SoretUnitConvert(PetscReal value, const char *unit, const char **base, PetscReal *out, SoretUnitStatus *status)
{
  const size_t n     = sizeof(base_units) / sizeof(base_units[0]);
  PetscBool    found = PETSC_FALSE;
  ut_unit     *from;

  PetscFunctionBeginUser;
  PetscCall(ReadUnitSystem());
  *out = 0.0;
  from = ParsePlainUnit(unit);
  if (!from) {
    *status = SORET_UNIT_UNKNOWN;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (strcmp(*base, "*")) found = Convert(value, from, *base, out);
  for (size_t i = 0; i < n && !found && !strcmp(*base, "*"); i++) {
    found = Convert(value, from, base_units[i], out);
    if (found) *base = base_units[i];
  }
  ut_free(from);
  *status = !found ? SORET_UNIT_WRONG : isfinite(*out) ? SORET_UNIT_GOOD : SORET_UNIT_OVERFLOW;
  PetscFunctionReturn(PETSC_SUCCESS);
}
