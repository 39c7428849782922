/* SPDX-License-Identifier: BSD-2-Clause

   Thermodynamics at a point: local equilibrium from any start and over many decades, cycles, van 't Hoff energies, inversions. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "soret/case.h"
#include "soret/thermo.h"

static SoretCase   the_case;
static SoretThermo thermo;

/* Species as a list of maps, reactions as one; judged between T = 0.5 and 1.5. */
static PetscErrorCode Build(const char *species, const char *reactions)
{
  const SoretPoint place = {.T = 1.0};
  char             text[4096];

  PetscFunctionBeginUser;
  PetscCall(PetscSNPrintf(text, sizeof(text), "soret: 1\nunits: reduced\ndomain: {size: [1], cells: [4]}\ntemperature: 1\nspecies: %s\nreactions: %s\n", species, reactions));
  PetscCall(SoretCaseParse("test.yaml", text, strlen(text), 0, NULL, &the_case));
  Check(SoretInputCountErrors(the_case.in) == 0);
  PetscCall(SoretThermoCreate(&the_case.model, the_case.sums.num, the_case.sums.w, &thermo));
  PetscCall(SoretThermoJudge(&thermo, 0.5, 1.5, 1, &place));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Discard(void)
{
  PetscFunctionBeginUser;
  PetscCall(SoretThermoDestroy(&thermo));
  PetscCall(SoretCaseDestroy(&the_case));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* 2 A <=> A2 with K from 1e-12 to 1e12 and amounts from 1e-8 to 1e8: c_A = 2 C/(1 + sqrt(1 + 8 K C)), from nothing and from far off. */
static PetscErrorCode TestDimer(void)
{
  PetscFunctionBeginUser;
  PetscCall(Build("[{name: A, diffusivity: 1}, {name: A2, diffusivity: 0.4}]", "[{equation: 2 A <=> A2, forward: 1, equilibrium: \"10^(12*(T - 1))\"}]"));
  Check(thermo.rest == SORET_REST_BALANCED && thermo.num_cycles == 0);
  for (int e = -8; e <= 8; e += 4) {
    for (int k = -12; k <= 12; k += 3) {
      const PetscReal  total = pow(10.0, e), K = pow(10.0, k), exactly = 2.0 * total / (1.0 + sqrt(1.0 + 8.0 * K * total));
      const SoretPoint point = {.T = 1.0 + k / 12.0 + (k == -12 ? 1.0e-9 : 0.0)};

      for (int start = 0; start < 3; start++) {
        PetscReal c[2] = {start == 1 ? 1.0e-6 * total : 0.0, start == 2 ? 1.0e6 * total : 0.0};

        Check(SoretThermoRest(&thermo, &point, &total, c));
        CheckClose(c[0] / exactly, 1.0, 1.0e-6);
        CheckClose((c[0] + 2.0 * c[1]) / total, 1.0, 1.0e-14);
      }
    }
  }
  PetscCall(Discard());
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Complexes of complexes: every reaction balances, every amount is kept. */
static PetscErrorCode TestComplexes(void)
{
  const SoretPoint point    = {.T = 0.7};
  const PetscReal  total[2] = {3.0, 1.0e-3};
  PetscReal        c[5] = {0.0}, k[8];

  PetscFunctionBeginUser;
  PetscCall(Build("[{name: A, diffusivity: 1, energy: 1}, {name: B, diffusivity: 1, energy: 0.5}, {name: AB, diffusivity: 1, energy: -3, degeneracy: 2}, {name: A2B, diffusivity: 1, energy: -9}, {name: B2, diffusivity: 1, energy: 2}]",
                  "[{equation: A + B <=> AB, forward: 1, balance: energies}, {equation: AB + A <=> A2B, forward: 2, balance: energies}, {equation: 2 B <=> B2, forward: 1, balance: energies}, {equation: A2B + B <=> 2 AB, forward: 1, balance: energies}]"));
  Check(thermo.balanced && thermo.num_cycles == 1 && the_case.sums.num == 2);
  Check(SoretThermoRest(&thermo, &point, total, c));
  for (PetscInt r = 0; r < 4; r++) {
    PetscReal f, b;

    SoretNetworkConstants(&the_case.model.network, r, &point, &k[2 * r], &k[2 * r + 1]);
    SoretNetworkRates(&the_case.model.network, r, k, c, &f, &b);
    CheckClose(f / b, 1.0, 1.0e-11);
  }
  for (PetscInt m = 0; m < 2; m++) {
    PetscReal sum = 0.0;

    for (PetscInt i = 0; i < 5; i++) sum += the_case.sums.w[m * 5 + i] * c[i];
    CheckClose(sum / total[m], 1.0, 1.0e-14);
  }
  PetscCall(Discard());
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Amounts that no concentrations have are refused, and so is nothing at all. */
static PetscErrorCode TestNoSolution(void)
{
  const SoretPoint point = {.T = 1.0};
  const PetscReal  none  = 0.0, negative = -1.0;
  PetscReal        c[2]  = {0.0, 0.0}, soret;

  PetscFunctionBeginUser;
  PetscCall(Build("[{name: A, diffusivity: 1}, {name: B, diffusivity: 0.4}]", "[{equation: A <=> B, forward: 1, backward: \"exp(1/T)\"}]"));
  Check(!SoretThermoRest(&thermo, &point, &none, c));
  Check(!SoretThermoSoret(&thermo, &point, &negative, c, &soret));
  Check(isnan(soret));
  PetscCall(Discard());
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* K = exp(1.5/T) as a law: the energies differ by -1.5; with energies of the species the law agrees with, their zero is kept. */
static PetscErrorCode TestEnergies(void)
{
  const SoretPoint point = {.T = 0.8};
  PetscReal        mu[2], slope[2];

  PetscFunctionBeginUser;
  PetscCall(Build("[{name: A, diffusivity: 1}, {name: B, diffusivity: 1}]", "[{equation: A <=> B, forward: 3, equilibrium: \"exp(1.5/T)\"}]"));
  SoretThermoPotentialsAt(&thermo, &point, mu, slope);
  CheckClose(mu[1] - mu[0], -1.5 / 0.8, 1.0e-12);
  CheckClose(-0.64 * (slope[1] - slope[0]), -1.5, 1.0e-8);
  PetscCall(Discard());
  PetscCall(Build("[{name: A, diffusivity: 1, energy: 5}, {name: B, diffusivity: 1, energy: 3.5}]", "[{equation: A <=> B, forward: \"3*exp(1/T)\", backward: \"3*exp(-0.5/T)\"}]"));
  SoretThermoPotentialsAt(&thermo, &point, mu, slope);
  CheckClose(mu[0], 5.0 / 0.8, 1.0e-12);
  CheckClose(-0.64 * slope[1], 3.5, 1.0e-8);
  PetscCall(Discard());
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A ring that is driven by a factor 3, its direction written backwards in one step; and one that only seems to be. */
static PetscErrorCode TestCycles(void)
{
  char name[256];

  PetscFunctionBeginUser;
  PetscCall(Build("[{name: A, diffusivity: 1}, {name: B, diffusivity: 1}, {name: C, diffusivity: 1}]", "[{equation: A <=> B, forward: 3, backward: 1}, {equation: B <=> C, forward: 2, backward: 2}, {equation: A <=> C, forward: 1, backward: 1}]"));
  Check(!thermo.balanced && thermo.broken == 0 && thermo.rest == SORET_REST_LINEAR);
  PetscCall(SoretThermoCycleName(&thermo, 0, sizeof(name), name));
  CheckText(name, "- (A <=> B) - (B <=> C) + (A <=> C)");
  CheckClose(thermo.affinity, -log(3.0), 1.0e-14);
  PetscCall(Discard());
  PetscCall(Build("[{name: A, diffusivity: 1}, {name: B, diffusivity: 1}, {name: C, diffusivity: 1}]", "[{equation: A <=> B, forward: 3, backward: \"exp(2/T)\"}, {equation: B <=> C, forward: 2, backward: \"2*exp(-3/T)\"}, {equation: A <=> C, forward: 3, backward: \"exp(-1/T)\"}]"));
  Check(thermo.balanced && thermo.num_cycles == 1);
  PetscCall(Discard());
  PetscCall(Build("[{name: A, diffusivity: 1}, {name: B, diffusivity: 1}]", "[{equation: A => B, forward: 3}]"));
  Check(!thermo.balanced && thermo.irreversible == 0);
  PetscCall(Discard());
  /* a constant that is 0: for good, and at some temperatures */
  PetscCall(Build("[{name: A, diffusivity: 1}, {name: B, diffusivity: 1}]", "[{equation: A <=> B, forward: 1, backward: 1}, {equation: A <=> B, forward: 3, backward: 0}]"));
  Check(!thermo.balanced && thermo.irreversible == 1);
  PetscCall(Discard());
  PetscCall(Build("[{name: A, diffusivity: 1}, {name: B, diffusivity: 1}]", "[{equation: A <=> B, forward: 1, backward: 1}, {equation: A <=> B, forward: 1, backward: \"T < 1 ? 1 : 0\"}]"));
  Check(!thermo.balanced && thermo.irreversible < 0 && thermo.broken == 0 && isinf(thermo.affinity));
  PetscCall(Discard());
  PetscCall(Build("[{name: A, diffusivity: 1}, {name: B, diffusivity: 1}]", "[{equation: A <=> B, forward: 1, backward: 1}, {equation: A <=> B, forward: \"T < 1 ? 1 : 0\", backward: \"T < 1 ? 1 : 0\"}]"));
  Check(thermo.balanced);
  PetscCall(Discard());
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* D_A = 1, equal weights, S_T = <dD/dT>/<D>: with D_B = 1 + (T - 1)^2 it changes sign at T = 1, with D_B = 2 - (T - 1) nowhere. */
static PetscErrorCode TestInversion(void)
{
  const SoretPoint place = {.T = 1.0};
  const PetscReal  total = 1.0;
  PetscReal        T[4];
  PetscInt         num;

  PetscFunctionBeginUser;
  PetscCall(Build("[{name: A, diffusivity: 1}, {name: B, diffusivity: \"1 + (T - 1)^2\"}]", "[{equation: A <=> B, forward: 1, backward: 1}]"));
  PetscCall(SoretThermoInversions(&thermo, &place, 0.6, 1.5, &total, 0, 4, &num, T));
  Check(num == 1);
  if (num) CheckClose(T[0], 1.0, 1.0e-9);
  PetscCall(Discard());
  PetscCall(Build("[{name: A, diffusivity: 1}, {name: B, diffusivity: \"2 - (T - 1)\"}]", "[{equation: A <=> B, forward: 1, backward: 1}]"));
  PetscCall(SoretThermoInversions(&thermo, &place, 0.6, 1.5, &total, 0, 4, &num, T));
  Check(num == 0);
  PetscCall(Discard());
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestDimer, TestComplexes, TestNoSolution, TestEnergies, TestCycles, TestInversion)
