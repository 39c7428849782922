# SPDX-License-Identifier: BSD-2-Clause
"""Nonlinear multigrid, whose kernels are made for each number of species and kind of transport, and Newton's method with an assembled Jacobian find the
same state: 1 to 5 species in a chain, constant conductivity and not, a wall that holds a concentration, another that exchanges, numbers of cells that fit no vector.

    SORET=build/soret python3 tests/run_solvers.py
"""
import sys

import numpy as np

import soretrun


def chain(n, convention):
    species = [{"name": f"S{i}", "diffusivity": {"law": "einstein", "mobility": 1 / (1 + 0.2 * i)}, "convention": convention, "initial": 1.0 if i == 0 else 0.0} for i in range(n)]
    reactions = [{"equation": f"S{i} <=> S{i + 1}", "forward": 100, "backward": "100*exp(1 - 1/T)"} for i in range(n - 1)]
    return dict(soret=1, units="reduced", domain={"size": [1, 1, 1], "cells": [13, 11, 9]}, temperature="0.8 + 0.4*x + 0.2*y*z", species=species, reactions=reactions,
                boundaries={"x-": {"S0": {"value": 2}}, "y+": {f"S{n - 1}": {"transfer": 3, "outside": 0.5}}}, solve={"tolerance": 1e-11})


def main():
    failures = 0
    for n in range(1, 6):
        for convention in ("ito", "fick"):
            cycles, newton = (soretrun.run(chain(n, convention), options=["-snes_type", kind]) for kind in ("fas", "newtonls"))
            assert cycles.summary["cycles"] > 0 and newton.summary["cycles"] == 0, "one of them used the other's method"
            off = max(np.abs(cycles.c[s] / newton.c[s] - 1).max() for s in cycles.c)
            print(f"{n} species, {convention}: {cycles.summary['cycles']} cycles, largest relative difference {off:.1e}")
            failures += not off < 1e-8
    return failures


if __name__ == "__main__":
    sys.exit(main())
