# SPDX-License-Identifier: BSD-2-Clause
"""Nonlinear multigrid, whose kernels are made for each number of species and kind of transport, Newton's method with an assembled Jacobian, and Newton's method
without one find the same state: 1 to 5 species in a chain, constant conductivity and not, a wall that holds a concentration, another that exchanges, numbers of cells that fit no vector.
The linear solvers of both take few iterations around solid, too, in whatever units: the fluid of a random medium is not held by the rows of solid in coarse matrices.
Heat around and through a disc and a ball that conduct a thousand times better or worse than what is around them is found by multigrid, without a matrix.

    SORET=build/soret python3 tests/run_solvers.py
"""
import os
import re
import sys
import tempfile

import h5py
import numpy as np

import soretrun


def chain(n, convention):
    species = [{"name": f"S{i}", "diffusivity": {"law": "einstein", "mobility": 1 / (1 + 0.2 * i)}, "convention": convention, "initial": 1.0 if i == 0 else 0.0} for i in range(n)]
    reactions = [{"equation": f"S{i} <=> S{i + 1}", "forward": 100, "backward": "100*exp(1 - 1/T)"} for i in range(n - 1)]
    return dict(soret=1, units="reduced", domain={"size": [1, 1, 1], "cells": [13, 11, 9]}, temperature="0.8 + 0.4*x + 0.2*y*z", species=species, reactions=reactions,
                boundaries={"x-": {"S0": {"value": 2}}, "y+": {f"S{n - 1}": {"transfer": 3, "outside": 0.5}}}, solve={"tolerance": 1e-11})


def random_medium(directory, cells, length, diffusivity, pc):
    """Two states in a box of which two cells of five are solid (porosity 0.6), or none: iterations of Newton's method and of its linear solver."""
    solid = np.random.Generator(np.random.PCG64(3)).random((cells,) * 3) > 0.6
    with h5py.File(os.path.join(directory, "medium.h5"), "w") as file:
        file["solid"] = solid.astype(np.uint8)
    domain = {"size": [length] * 3, "cells": [cells] * 3}
    rate = diffusivity / length**2
    case = dict(soret=1, units="reduced", temperature=f"0.8 + 0.4*x/{length}", species=[{"name": "A", "diffusivity": diffusivity, "initial": 1.0}, {"name": "B", "diffusivity": 0.3 * diffusivity}],
                reactions=[{"equation": "A <=> B", "forward": f"{100 * rate}*exp(1 - 1/T)", "backward": 100 * rate}])
    counts = []
    for extra in ({}, {"solid": {"file": os.path.join(directory, "medium.h5"), "dataset": "/solid"}, "solid_pockets": "fill"}):
        result = soretrun.run(dict(case, domain={**domain, **extra}), options=["-snes_type", "newtonls", "-pc_type", pc])
        phi = (result.c["A"] + 0.3 * result.c["B"])[result.c["A"] > 0]
        assert np.ptp(phi) < 1e-8 * phi.max(), "sum rule"
        counts.append((result.summary["newton_iterations"], result.summary["linear_iterations"]))
    return counts


def cycles_of_heat(directory, cells, solid, conductivity, ranks):
    """Cycles that each linear problem takes; none if multigrid was given up."""
    case = dict(soret=1, units="reduced", domain={"size": [1] * len(cells), "cells": cells, "solid": solid}, species=[{"name": "A", "diffusivity": 1, "initial": 1}],
                temperature={"conduction": {"conductivity": 1, "solid_conductivity": conductivity, "boundaries": {"x-": {"value": 1}, "x+": {"value": 2}}}})
    done = soretrun.execute(case, ["output.file=heat.h5", "output.overwrite=true"], ranks, ["-heat_ksp_monitor"], directory, 600)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [int(n) for n in re.findall(r"^ *(\d+) KSP Residual norm", done.stdout, re.M)]
    return [] if "trying a matrix" in done.stdout else [n for n, after in zip(counts, [*counts[1:], 0]) if after == 0]


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as directory:
        for cells, solid, ranks in (([200, 200], "0.04 - (x - 0.5)^2 - (y - 0.5)^2", 1), ([200, 200], "sin(20*x)*sin(23*y + 3*x) - 0.5", 2), ([32, 32, 32], "0.06 - (x - 0.5)^2 - (y - 0.45)^2 - (z - 0.5)^2", 1)):
            for conductivity in (1000, 0.001):
                counts = cycles_of_heat(directory, cells, solid, conductivity, ranks)
                print(f"heat, {cells}, {ranks} ranks, solid conducts {conductivity}: cycles {counts}")
                failures += not (counts and max(counts) <= 60)
    with tempfile.TemporaryDirectory() as directory:
        for length, diffusivity in ((1.0, 1.0), (1e-4, 1e-10)):
            for pc in ("mg", "fas"):
                (newton, empty), (newton_medium, medium) = random_medium(directory, 20, length, diffusivity, pc)
                print(f"box of {length:g}, D {diffusivity:g}, {pc}: {empty / newton:.1f} linear iterations a step, in a random medium {medium / newton_medium:.1f}")
                failures += not medium / newton_medium <= 2.0 * empty / newton
    for n in range(1, 6):
        for convention in ("ito", "fick"):
            cycles, twin, newton = (soretrun.run(chain(n, convention), options=["-snes_type", *kind]) for kind in (["fas"], ["newtonls", "-pc_type", "fas"], ["newtonls", "-pc_type", "mg"]))
            assert cycles.summary["cycles"] > 0 and newton.summary["cycles"] == twin.summary["cycles"] == 0, "one of them used the other's method"
            off = max(np.abs(other.c[s] / newton.c[s] - 1).max() for s in cycles.c for other in (cycles, twin))
            print(f"{n} species, {convention}: {cycles.summary['cycles']} cycles; Newton's method {twin.summary['linear_iterations'] / twin.summary['newton_iterations']:.1f} a step; largest relative difference {off:.1e}")
            failures += not (off < 1e-8 and twin.summary["linear_iterations"] <= 12 * twin.summary["newton_iterations"])
    return failures


if __name__ == "__main__":
    sys.exit(main())
