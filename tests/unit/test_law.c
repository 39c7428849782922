/* SPDX-License-Identifier: BSD-2-Clause

   Laws of temperature: values, derivatives, integrals. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "soret/case.h"

/* Reads a diffusivity law in SI or reduced units; it lives as long as the case. */
static PetscErrorCode ReadLaw(const char *units, const char *law, SoretCase *c)
{
  char text[1024];

  PetscFunctionBeginUser;
  PetscCall(PetscSNPrintf(text, sizeof(text), "soret: 1\nunits: %s\ndomain: {size: [1], cells: [4]}\ntemperature: 300\nspecies: [{name: A, diffusivity: %s, initial: 1}]\n", units, law));
  PetscCall(SoretCaseParse("test.yaml", text, strlen(text), 0, NULL, c));
  PetscCall(SoretInputCheck(c->in, PETSC_COMM_WORLD));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Value at T, and the derivative against a difference of fourth order. */
static PetscErrorCode CheckLaw(const char *units, const char *text, PetscReal T, PetscReal value)
{
  const int  failures = test_failures;
  const PetscReal h = 1e-3 * T;
  SoretPoint point = {{0.3, 0.2, 0.1}, 0.0, T};
  PetscReal  v[4], row[3], slope;
  SoretCase  c;
  SoretLaw   law;

  PetscFunctionBeginUser;
  PetscCall(ReadLaw(units, text, &c));
  law = c.model.species[0].diffusivity;
  CheckClose(SoretLawEvaluate(law, &point), value, 1e-13 * fabs(value));
  SoretLawEvaluateRow(law, 3, &point, (PetscReal[]){0.3, 0.3, 0.3}, (PetscReal[]){T, T, T}, row);
  CheckClose(row[1], value, 1e-13 * fabs(value));
  slope = SoretLawDerivative(law, &point);
  for (int i = 0; i < 4; i++) {
    static const PetscReal offset[] = {-2.0, -1.0, 1.0, 2.0};

    point.T = T + offset[i] * h;
    v[i]    = SoretLawEvaluate(law, &point);
  }
  CheckClose(slope, (v[0] - 8.0 * v[1] + 8.0 * v[2] - v[3]) / (12.0 * h), 1e-8 * fabs(value) / T); /* (h/T)^4 = 1e-12 times fifth derivatives, up to 1e4 */
  PetscCall(SoretCaseDestroy(&c));
  if (test_failures != failures) fprintf(stderr, "... in the law %s\n", text);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestLaws(void)
{
  const PetscReal kB = 1.380649e-23, R = 8.31446261815324;

  PetscFunctionBeginUser;
  PetscCall(CheckLaw("reduced", "0.7", 1.3, 0.7));
  PetscCall(CheckLaw("reduced", "\"0.2*T^2 + x\"", 1.3, 0.2 * 1.69 + 0.3));
  PetscCall(CheckLaw("reduced", "{law: einstein, mobility: 0.4}", 1.3, 0.52));
  PetscCall(CheckLaw("SI", "{law: einstein, mobility: 2.0e11 s/kg}", 310.0, 2.0e11 * kB * 310.0));
  PetscCall(CheckLaw("reduced", "{law: arrhenius, prefactor: 2, exponent: 0.5, activation: 1.5}", 1.3, 2.0 * sqrt(1.3) * exp(-1.5 / 1.3)));
  PetscCall(CheckLaw("SI", "{law: arrhenius, prefactor: 2.0e-7 m^2/s, activation: 20 kJ/mol}", 310.0, 2.0e-7 * exp(-20e3 / (R * 310.0))));
  PetscCall(CheckLaw("SI", "{A: 2.0e-7 m^2/s, b: 1, Ea: 20 kJ/mol}", 310.0, 2.0e-7 * 310.0 * exp(-20e3 / (R * 310.0))));
  PetscCall(CheckLaw("SI", "{law: power, value: 1.0e-9 m^2/s, exponent: 1.75, reference: 25 degC}", 310.0, 1.0e-9 * pow(310.0 / 298.15, 1.75)));
  PetscCall(CheckLaw("reduced", "{law: table, T: [1, 2, 4], value: [1, 3, 2]}", 3.0, 2.5));
  PetscCall(CheckLaw("reduced", "{law: table, T: [1, 2, 4], value: [1, 3, 2]}", 0.5, 1.0));
  PetscCall(CheckLaw("reduced", "{law: table, T: [1, 2, 4], value: [1, 3, 2]}", 9.0, 2.0));
  PetscCall(CheckLaw("SI", "{law: stokes_einstein, radius: 2 nm, viscosity: water}", 298.15, kB * 298.15 / (6.0 * PETSC_PI * SoretWaterViscosity(298.15) * 2e-9)));
  PetscCall(CheckLaw("SI", "{law: stokes_einstein, radius: 2 nm, viscosity: \"1e-3*exp(500/T)\"}", 310.0, kB * 310.0 / (6.0 * PETSC_PI * 1e-3 * exp(500.0 / 310.0) * 2e-9)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* IAPWS SR6-08(2011), Table: 889.9965 uPa s at 298.15 K. */
static PetscErrorCode TestWater(void)
{
  PetscFunctionBeginUser;
  CheckClose(SoretWaterViscosity(298.15), 8.90e-4, 1e-7);
  CheckClose(SoretWaterViscosity(298.15), 889.996773679e-6, 1e-9);
  CheckClose(SoretWaterViscosity(273.15), 1791e-6, 3e-6); /* IAPWS R12-08: 1.7918 mPa s, to the 1 % of the correlation */
  CheckClose(SoretWaterViscosity(373.15), 281.6e-6, 3e-6);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* int of 10 up to T = 1.3, of -5 beyond */
static PetscReal Jump(PetscReal T)
{
  return T < 1.3 ? 10.0 * T : 13.0 - 5.0 * (T - 1.3);
}

/* int of a table that is 0 up to T = 1, 4 at 2 and 0 from 2.001 on: three kinks, of which two are closer than panels */
static PetscReal Kinks(PetscReal T)
{
  const PetscReal up = PetscMin(PetscMax(T - 1.0, 0.0), 1.0), down = PetscMin(PetscMax(2.001 - T, 0.0), 0.001);

  return 2.0 * up * up + (T > 2.0 ? 2000.0 * (1.0e-6 - down * down) : 0.0);
}

/* Theta(T) = int law dT from the middle of the range: closed forms. */
static PetscErrorCode TestIntegral(void)
{
  static const struct {
    const char *law;
    PetscReal (*antiderivative)(PetscReal);
  } tries[] = {
    {"\"1/T\"",                                                  log },
    {"\"cos(T)\"",                                               sin },
    {"\"exp(T)\"",                                               exp },
    {"\"0.5/sqrt(T)\"",                                          sqrt},
    {"\"T < 1.3 ? 10 : -5\"",                                    Jump},
    {"{law: table, T: [1, 2, 2.001], value: [0, 4, 0]}",         Kinks},
  };
  const PetscReal lo = 0.7, hi = 2.9, middle = 0.5 * (lo + hi);

  PetscFunctionBeginUser;
  for (size_t k = 0; k < sizeof(tries) / sizeof(tries[0]); k++) {
    SoretCase     c;
    SoretIntegral theta;
    PetscReal     at;
    char          text[512];

    PetscCall(PetscSNPrintf(text, sizeof(text), "soret: 1\nunits: reduced\ndomain: {size: [1], cells: [4]}\ntemperature: 1\nspecies: [{name: A, diffusivity: 1, soret: %s}]\n", tries[k].law));
    PetscCall(SoretCaseParse("test.yaml", text, strlen(text), 0, NULL, &c));
    PetscCall(SoretInputCheck(c.in, PETSC_COMM_WORLD));
    PetscCall(SoretIntegralCreate(c.model.species[0].soret, lo, hi, &theta));
    at = SoretIntegralEvaluate(theta, middle);
    CheckClose(at, 0.0, 1e-13);
    for (PetscReal T = lo; T <= hi; T += 0.05) CheckClose(SoretIntegralEvaluate(theta, T), tries[k].antiderivative(T) - tries[k].antiderivative(middle), 1e-12 * tries[k].antiderivative(hi) + 1e-13);
    PetscCall(SoretIntegralDestroy(&theta));
    PetscCall(SoretCaseDestroy(&c));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestLaws, TestWater, TestIntegral)
