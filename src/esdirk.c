/* SPDX-License-Identifier: BSD-2-Clause */
#include "soret/esdirk.h"

enum { STAGES = 6 };

/* Explicit rates: there are none. */
static PetscErrorCode NoRates(TS ts, PetscReal t, Vec c, Vec rate, void *context)
{
  return VecZeroEntries(rate);
}

PetscErrorCode SoretTimeSetESDIRK(TS ts)
{
  static PetscBool registered = PETSC_FALSE;

  /* ESDIRK4(3)6L[2]SA, the implicit part of ARK4(3)6L[2]SA of Kennedy and Carpenter (2003), Appl. Numer. Math. 44, 139. PETSc has it with its explicit part, whose
     rates, all zero here, TS would add up in each stage. */
  static const PetscReal A[STAGES][STAGES] = {
    {0.0,                              0.0,                        0.0,                         0.0,                       0.0,              0.0 },
    {0.25,                             0.25,                       0.0,                         0.0,                       0.0,              0.0 },
    {8611.0 / 62500.0,                 -1743.0 / 31250.0,          0.25,                        0.0,                       0.0,              0.0 },
    {5012029.0 / 34652500.0,           -654441.0 / 2922500.0,      174375.0 / 388108.0,         0.25,                      0.0,              0.0 },
    {15267082809.0 / 155376265600.0,   -71443401.0 / 120774400.0,  730878875.0 / 902184768.0,   2285395.0 / 8070912.0,     0.25,             0.0 },
    {82889.0 / 524892.0,               0.0,                        15625.0 / 83664.0,           69875.0 / 102672.0,        -2260.0 / 8211.0, 0.25}
  };
  static const PetscReal embedded[STAGES] = {4586570599.0 / 29645900160.0, 0.0, 178811875.0 / 945068544.0, 814220225.0 / 1159782912.0, -3700637.0 / 11593932.0, 61727.0 / 225920.0};
  static const PetscReal none[STAGES * STAGES] = {0.0};

  PetscFunctionBegin;
  PetscCall(TSSetType(ts, TSARKIMEX));
  if (!registered) PetscCall(TSARKIMEXRegister(SORET_ESDIRK, 4, STAGES, &A[0][0], NULL, NULL, none, none, none, embedded, none, 0, NULL, NULL));
  registered = PETSC_TRUE;
  PetscCall(TSARKIMEXSetType(ts, SORET_ESDIRK));
  PetscCall(TSARKIMEXSetFullyImplicit(ts, PETSC_TRUE));
  if (SORET_ARKIMEX_WANTS_RATES) PetscCall(TSSetRHSFunction(ts, NULL, NoRates, NULL));
  PetscFunctionReturn(PETSC_SUCCESS);
}
