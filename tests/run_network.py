# SPDX-License-Identifier: BSD-2-Clause
"""A random network of 32 species and 64 reactions in detailed balance: it runs, steady and in time, keeps its conserved sums, and obeys the sum rule."""
import sys

import numpy as np

from soretrun import run


def case(seed, species=32, reactions=64):
    """Molecules of one to eight units of two kinds; reactions exchange units and keep the number of each, by construction."""
    random = np.random.default_rng(seed)
    units = random.integers(0, 5, (species, 2))
    units[units.sum(axis=1) == 0] = 1
    units[:2] = [[1, 0], [0, 1]]  # both kinds of units by themselves: there is always a way to balance
    name = [f"S{i}" for i in range(species)]
    terms = lambda counts: " + ".join(f"{n} {name[i]}" if n > 1 else name[i] for i, n in enumerate(counts) if n)
    equations = set()
    while len(equations) < reactions:
        i, j = random.integers(2, species, 2)
        left, right = np.zeros(species, int), np.zeros(species, int)
        left[i] += 1
        right[j] += 1
        surplus = units[i] - units[j]
        for unit in range(2):
            (right if surplus[unit] > 0 else left)[unit] += abs(surplus[unit])
        if i != j and max(left.sum(), right.sum()) <= 4:
            equations.add((terms(left), terms(right)))
    D, E = random.uniform(0.1, 1.0, species), random.uniform(-1.0, 1.0, species)
    return units, D, {
        "soret": 1, "units": "reduced", "domain": {"size": [1.0], "cells": [12]}, "temperature": "1 + 0.3*x",
        "species": [{"name": n, "diffusivity": {"law": "einstein", "mobility": float(d)}, "energy": float(e), "initial": 0.1} for n, d, e in zip(name, D, E)],
        "reactions": [{"equation": f"{a} <=> {b}", "forward": float(k), "balance": "energies"} for (a, b), k in zip(sorted(equations), 10 ** random.uniform(-1, 3, reactions))]}


def main():
    failures = 0
    for seed in range(2):
        units, D, steady = case(seed)
        for mode in ({"mode": "steady"}, {"mode": "transient", "end": 0.1}):
            for ranks in (1, 2):
                result = run({**steady, "solve": mode}, ranks=ranks)
                c = np.array([result.c[f"S{i}"] for i in range(len(D))])
                drift = max(abs(result.mean(w @ c) / (0.1 * w.sum()) - 1) for w in units.T)
                flat = max(np.ptp((w * D) @ c * result.T) / np.max((w * D) @ c * result.T) for w in units.T)
                good = drift < 1e-12 and c.min() > 0 and (mode["mode"] != "steady" or flat < 1e-10)
                failures += not good
                print("ok  " if good else "FAIL", f"seed {seed}, {mode['mode']}, {ranks} ranks: drift {drift:.3g}, spread of w D c {flat:.3g}, smallest concentration {c.min():.3g}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
