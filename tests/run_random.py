# SPDX-License-Identifier: BSD-2-Clause
"""Random cases, each by two ways that have little in common: nonlinear multigrid on some number of ranks, and Newton's method with an assembled matrix on one; and by Newton's
method on the levels of the former, on as many ranks.
Boxes of one to three dimensions, periodic and stretched axes, solid, conventions, 1 to 5 species, networks of two- and three-body reactions with rates over
six decades, open walls; steady and in time with a temperature that changes. The states must agree.

    SORET=build/soret python3 tests/run_random.py [first seed] [number of seeds]
"""
import random
import sys

import numpy as np

import soretrun

NAMES = "ABCDE"


def domain(r, dim, solid):
    cells = [r.choice([8, 12, 13, 16] if dim == 3 else [16, 20, 31]) for _ in range(dim)]
    box = {"size": [r.choice([1.0, 1.0, 0.5, 3.0]) for _ in range(dim)], "cells": cells}
    axes = "xyz"[:dim]
    box["periodic"] = [a for a in axes if r.random() < 0.2]
    box["grading"] = {a: r.choice([{"ratio": 4}, {"ratio": 0.2}, {"tanh": 1.2}]) for a in axes if a not in box["periodic"] and r.random() < 0.25}
    if solid:
        box["solid"] = " + ".join(f"({a}/{s} - 0.4)^2" for a, s in zip(axes, box["size"])) + f" < {r.choice([0.02, 0.05])} ? 1 : -1"
        box["solid_pockets"] = "fill"
    return {key: value for key, value in box.items() if value}


def temperature(r, box, moves):
    terms = ["1"] + (["0.1*sin(20*t)"] if moves else [])
    for axis, size in zip("xyz", box["size"]):
        terms.append(f"{r.uniform(0.05, 0.2):.3f}*sin(2*pi*{axis}/{size})" if axis in box.get("periodic", []) else f"({r.uniform(-0.3, 0.3):.3f})*{axis}/{size}")
    return " + ".join(terms)


def species(r, n):
    made = []
    for name in NAMES[:n]:
        law = r.choice([{"law": "einstein", "mobility": round(r.uniform(0.2, 1.5), 3)}, f"{r.uniform(0.3, 1):.3f}*T^{r.choice([0, 1, 2])}"])
        made.append({"name": name, "diffusivity": law, "initial": round(r.uniform(0.2, 1.5), 3), "convention": r.choice(["ito", "ito", "ito", "fick"])})
    return made


def reactions(r, n, decades):
    """A chain. One that would have a state of its own without any of some species has more than one answer: no A + B <=> C beside another."""
    rate = 10 ** r.uniform(-1, decades)
    kinds = ["{0} <=> {1}", "2 {0} <=> {1}"]
    return [{"equation": r.choice(kinds).format(*NAMES[i : i + 2]), "forward": f"{rate * r.uniform(0.5, 2):.4g}*exp(-{r.uniform(0, 2):.3f}/T)", "backward": f"{rate * r.uniform(0.5, 2):.4g}*exp(-{r.uniform(0, 2):.3f}/T)"} for i in range(n - 1) if r.random() < 0.85]


def case(r, transient):
    dim = r.choice([2, 3, 3])
    box, n = domain(r, dim, r.random() < 0.4), r.choice([1, 2, 2, 3, 4, 5])
    made = dict(soret=1, units="reduced", domain=box, temperature=temperature(r, box, transient), species=species(r, n), reactions=reactions(r, n, 2.5 if transient else 5))
    open_faces = [a + side for a in "xyz"[:dim] if a not in box.get("periodic", []) for side in "-+"]
    if open_faces and r.random() < 0.4:
        made["boundaries"] = {r.choice(open_faces): {r.choice(NAMES[:n]): r.choice([{"value": 0.7}, {"transfer": 2.0, "outside": 0.5}])}}
    made["solve"] = {"mode": "transient", "end": 0.05, "tolerance": 1e-6} if transient else {"tolerance": 1e-10}
    return made


def main(first, number):
    failures = 0
    for seed in range(first, first + number):
        r = random.Random(seed)
        made, ranks = case(r, seed % 3 == 2), r.randint(1, 6)
        many = soretrun.run(made, ranks=ranks, options=["-snes_type", "fas"])
        twin = soretrun.run(made, ranks=ranks, options=["-snes_type", "newtonls", "-pc_type", "fas"])
        one = soretrun.run(made, options=["-snes_type", "newtonls", *(["-pc_type", "mg"] if len(made["domain"]["cells"]) == 3 else [])])
        off = max(np.abs(other.c[s] - one.c[s]).max() / max(np.abs(one.c[s]).max(), 1e-300) for s in one.c for other in (many, twin))
        good = off < (3e-5 if made["solve"].get("mode") else 1e-6)
        method = many.summary["method"]
        method = method.decode() if isinstance(method, bytes) else method
        print(f"{seed}: {made['domain']['cells']}, {len(made['species'])} species, {ranks} ranks: {off:.0e}, {method}{'' if good else '   NOT THE SAME'}", flush=True)
        if not good:
            print(made)
        failures += not good
    return failures


if __name__ == "__main__":
    sys.exit(1 if main(*[int(a) for a in sys.argv[1:]] or (1, 4)) else 0)
