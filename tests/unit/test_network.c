/* SPDX-License-Identifier: BSD-2-Clause

   Reaction networks: grammar, rates, derivatives, conserved sums. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "soret/case.h"

static SoretCase the_case;

/* A case with these species (names, blank-separated; all diffuse) and reactions; PETSC_TRUE in *good if it has no mistakes. */
static PetscErrorCode Build(const char *names, const char *reactions, PetscBool *good)
{
  char text[8192] = "soret: 1\nunits: reduced\ndomain: {size: [1], cells: [4]}\ntemperature: 0.5\nspecies:\n", copy[1024], *save = NULL;

  PetscFunctionBeginUser;
  PetscCall(PetscStrncpy(copy, names, sizeof(copy)));
  for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
    PetscCall(SoretAppend(text, "  - {name: \"", sizeof(text)));
    PetscCall(SoretAppend(text, name, sizeof(text)));
    PetscCall(SoretAppend(text, "\", diffusivity: 1, initial: 1, energy: 0.5, degeneracy: 2}\n", sizeof(text)));
  }
  PetscCall(SoretAppend(text, "reactions:\n", sizeof(text)));
  PetscCall(SoretAppend(text, reactions, sizeof(text)));
  PetscCall(SoretCaseParse("test.yaml", text, strlen(text), 0, NULL, &the_case));
  *good = SoretInputCountErrors(the_case.in) ? PETSC_FALSE : PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscReal Dot(PetscInt n, const PetscReal a[], const PetscReal b[])
{
  PetscReal sum = 0.0;

  for (PetscInt i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

/* Number of conserved sums, each of them named `expected[k]` in some order, and no reaction changes them. */
static PetscErrorCode CheckSums(const char *names, const char *reactions, PetscInt num, const char *const expected[])
{
  const int failures = test_failures;
  PetscBool good;

  PetscFunctionBeginUser;
  PetscCall(Build(names, reactions, &good));
  Check(good);
  if (good) {
    const PetscInt ns = the_case.model.num_species;

    Check(the_case.sums.num_global == num);
    for (PetscInt k = 0; k < num; k++) {
      PetscBool found = PETSC_FALSE;

      for (PetscInt l = 0; l < the_case.sums.num_global; l++) found = found || !strcmp(the_case.sums.name[l], expected[k]) ? PETSC_TRUE : PETSC_FALSE;
      Check(found);
    }
    for (PetscInt l = 0; l < the_case.sums.num_global; l++) {
      for (PetscInt r = 0; r < the_case.model.network.num_reactions; r++) {
        PetscReal change = 0.0;

        for (PetscInt s = 0; s < ns; s++) change += the_case.sums.w[l * ns + s] * the_case.model.network.stoichiometry[r * ns + s];
        if (!SoretNetworkIsOff(&the_case.model.network, r)) CheckClose(change, 0.0, 1e-12);
      }
    }
    if (test_failures != failures) {
      for (PetscInt l = 0; l < the_case.sums.num_global; l++) fprintf(stderr, "... found the sum %s\n", the_case.sums.name[l]);
    }
  } else PetscCall(SoretInputPrintErrors(the_case.in, stderr));
  PetscCall(SoretCaseDestroy(&the_case));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode TestSums(void)
{
  PetscFunctionBeginUser;
  PetscCall(CheckSums("A A2", "  - {equation: 2 A <=> A2, forward: 1, backward: 1}\n", 1, (const char *const[]){"A + 2 A2"}));
  PetscCall(CheckSums("A B AB", "  - {equation: A + B <=> AB, forward: 1, backward: 1}\n", 2, (const char *const[]){"A + AB", "B + AB"}));
  PetscCall(CheckSums("E S ES P", "  - {equation: E + S <=> ES, forward: 1, backward: 1}\n  - {equation: ES => E + P, forward: 1}\n", 2, (const char *const[]){"E + ES", "S + ES + P"}));
  PetscCall(CheckSums("A B C", "  - {equation: A <=> B, forward: 1, backward: 1}\n  - {equation: B <=> C, forward: 1, backward: 1}\n  - {equation: C <=> A, forward: 1, backward: 1}\n", 1, (const char *const[]){"A + B + C"}));
  /* a reaction that is off couples nothing; a reaction only in one direction does */
  PetscCall(CheckSums("A B", "  - {equation: A <=> B, forward: 0, backward: 0}\n", 2, (const char *const[]){"A", "B"}));
  PetscCall(CheckSums("A B", "  - {equation: A <=> B, forward: 0, backward: 1}\n", 1, (const char *const[]){"A + B"}));
  /* water: atoms, not molecules */
  PetscCall(CheckSums("H2 O2 H2O", "  - {equation: 2 H2 + O2 <=> 2 H2O, forward: 1, backward: 1}\n", 2, (const char *const[]){"H2 + H2O", "2 O2 + H2O"}));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A chain of 32 oligomers, A_i + A_1 <=> A_(i+1): one sum, the number of monomers, up to its sign and scale. */
static PetscErrorCode TestManySpecies(void)
{
  enum { N = 32 };
  PetscInt   matrix[(N - 1) * N] = {0}, num;
  PetscReal *w;

  PetscFunctionBeginUser;
  for (int r = 0; r < N - 1; r++) {
    matrix[r * N] -= 1;
    matrix[r * N + r] -= 1;
    matrix[r * N + r + 1] += 1;
  }
  PetscCall(SoretNullVectors(N - 1, N, matrix, &num, &w));
  Check(num == 1);
  for (int i = 0; i < N; i++) CheckClose(w[i], i + 1.0, 1e-12);
  PetscCall(PetscFree(w));

  /* 16 pairs A + B <=> C with the B common to all: 16 sums A_i + C_i, one B + sum C_i */
  PetscCall(PetscArrayzero(matrix, (N - 1) * N));
  for (int r = 0; r < 15; r++) {
    matrix[r * N] = matrix[r * N + 1 + 2 * r] = -1;
    matrix[r * N + 2 + 2 * r]                 = 1;
  }
  PetscCall(SoretNullVectors(15, N, matrix, &num, &w)); /* species 31 takes part in nothing: a sum of its own */
  Check(num == 17);
  for (PetscInt k = 0; k < num; k++) {
    for (int r = 0; r < 15; r++) {
      PetscReal row[N];

      for (int i = 0; i < N; i++) row[i] = matrix[r * N + i];
      CheckClose(Dot(N, row, w + k * N), 0.0, 0.0);
    }
    for (int i = 0; i < N; i++) Check(w[k * N + i] >= 0.0 && w[k * N + i] == floor(w[k * N + i]));
  }
  PetscCall(PetscFree(w));

  /* numbers that 64 bits do not hold: 24 reactions, each of all 32 species, with coefficients up to 9 */
  for (int i = 0; i < 24 * N; i++) matrix[i] = i * 7919 % 10007 * 31 % 101 % 19 - 9;
  PetscCall(SoretNullVectors(24, N, matrix, &num, &w));
  Check(num == N - 24);
  for (PetscInt k = 0; k < num; k++) {
    for (int r = 0; r < 24; r++) {
      PetscReal row[N], gross = 0.0;

      for (int i = 0; i < N; i++) {
        row[i] = matrix[r * N + i];
        gross += PetscAbsReal(row[i] * w[k * N + i]);
      }
      CheckClose(Dot(N, row, w + k * N), 0.0, 1e-9 * gross);
    }
  }
  PetscCall(PetscFree(w));

  PetscCall(SoretNullVectors(0, 3, matrix, &num, &w)); /* no reactions: each by itself */
  Check(num == 3);
  PetscCall(PetscFree(w));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* w = kf c^a - kb c^b per event, without 1/n!; losses multiply. */
static PetscErrorCode TestRates(void)
{
  const PetscReal  c[] = {2.0, 3.0, 5.0}, k[] = {0.7, 0.2, 1.1, 0.0};
  PetscReal        s[3] = {0.0}, f, b;
  PetscBool        good;
  SoretNetwork    *net;
  const SoretPoint point = {{0.0, 0.0, 0.0}, 0.0, 0.5};

  PetscFunctionBeginUser;
  PetscCall(Build("A B C", "  - {equation: 2 A + B <=> 3 C, forward: 0.7, backward: 0.2}\n  - {equation: C => A, forward: 1.1}\n", &good));
  Check(good);
  net = &the_case.model.network;
  SoretNetworkRates(net, 0, k, c, &f, &b);
  CheckClose(f, 0.7 * 4.0 * 3.0, 1e-14);
  CheckClose(b, 0.2 * 125.0, 1e-13);
  SoretNetworkAddSource(net, k, c, s);
  CheckClose(s[0], -2.0 * (8.4 - 25.0) + 5.5, 1e-13);
  CheckClose(s[1], -(8.4 - 25.0), 1e-13);
  CheckClose(s[2], 3.0 * (8.4 - 25.0) - 5.5, 1e-13);
  PetscCall(SoretCaseDestroy(&the_case));

  /* energies: K = c0^(sum nu) prod g^nu exp(-sum nu E/RT), all E = 0.5, g = 2, T = 0.5; barrier: prefactor exp(-(barrier - E)/RT) */
  PetscCall(Build("A A2 B", "  - {equation: 2 A <=> A2, forward: 3, balance: energies}\n  - {equation: A <=> B, law: barrier, prefactor: 4, barrier: 1.5}\n", &good));
  Check(good);
  net = &the_case.model.network;
  SoretNetworkConstants(net, 0, &point, &f, &b);
  CheckClose(f, 3.0, 0.0);
  CheckClose(b, 3.0 / (0.5 * exp(0.5 / 0.5)), 1e-14);
  SoretNetworkConstants(net, 1, &point, &f, &b);
  CheckClose(f, 4.0 * exp(-(1.5 - 0.5) / 0.5), 1e-14);
  CheckClose(b, f, 1e-15);
  PetscCall(SoretCaseDestroy(&the_case));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* dS_i/dc_j against differences, orders up to 4. */
static PetscErrorCode TestJacobian(void)
{
  const PetscReal h = 1e-4, c[] = {0.8, 1.3, 0.6}, k[] = {0.7, 0.2, 1.1, 0.3, 0.9, 0.4, 2.0, 0.0};
  PetscReal       block[9] = {0.0};
  PetscBool       good;

  PetscFunctionBeginUser;
  PetscCall(Build("A B C",
                  "  - {equation: A <=> B, forward: 1, backward: 1}\n  - {equation: 2 A + B <=> 3 C, forward: 1, backward: 1}\n"
                  "  - {equation: 4 A <=> B + C, forward: 1, backward: 1}\n  - {equation: 2 A + 2 B => A + 3 B, forward: 1}\n",
                  &good));
  Check(good);
  SoretNetworkAddJacobian(&the_case.model.network, k, c, block);
  for (int j = 0; j < 3; j++) {
    PetscReal up[3] = {0.0}, down[3] = {0.0}, cc[3] = {c[0], c[1], c[2]};

    cc[j] = c[j] + h;
    SoretNetworkAddSource(&the_case.model.network, k, cc, up);
    cc[j] = c[j] - h;
    SoretNetworkAddSource(&the_case.model.network, k, cc, down);
    for (int i = 0; i < 3; i++) CheckClose(block[3 * i + j], (up[i] - down[i]) / (2.0 * h), 1e-6); /* h^2 times third derivatives of about 20 */
  }
  PetscCall(SoretCaseDestroy(&the_case));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What is a mistake, and what is not. */
static PetscErrorCode TestGrammar(void)
{
  static const struct {
    const char *equation;
    PetscBool   good;
  } tries[] = {
    {"A + B <=> C",  PETSC_TRUE },
    {"A + B = C",    PETSC_TRUE },
    {"A  +  B<=> C", PETSC_FALSE},
    {"2 A <=> C",    PETSC_TRUE },
    {"2A <=> C",     PETSC_FALSE},
    {"A+ <=> C",     PETSC_TRUE }, /* an ion */
    {"A + A <=> C",  PETSC_TRUE },
    {"A + M <=> C",  PETSC_FALSE},
    {"A (+M) <=> C", PETSC_FALSE},
    {"A + <=> C",    PETSC_FALSE},
    {"<=> C",        PETSC_FALSE},
    {"A <=>",        PETSC_FALSE},
    {"A",            PETSC_FALSE},
    {"A <=> X",      PETSC_FALSE},
    {"1.5 A <=> C",  PETSC_FALSE},
    {"0 A <=> C",    PETSC_FALSE},
    {"A <=> B <=> C", PETSC_FALSE},
  };

  PetscFunctionBeginUser;
  for (size_t k = 0; k < sizeof(tries) / sizeof(tries[0]); k++) {
    char      text[256];
    PetscBool good;

    PetscCall(PetscSNPrintf(text, sizeof(text), "  - {equation: \"%s\", forward: 1, backward: 1}\n", tries[k].equation));
    PetscCall(Build("A B C A+", text, &good));
    if (good != tries[k].good) {
      test_failures++;
      fprintf(stderr, "'%s' is taken for %s\n", tries[k].equation, good ? "good" : "a mistake");
    }
    PetscCall(SoretCaseDestroy(&the_case));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

TestMain(TestSums, TestManySpecies, TestRates, TestJacobian, TestGrammar)
