# SPDX-License-Identifier: BSD-2-Clause
"""Cycles of nonlinear multigrid to the tolerance 1e-8, one thing varied at a time from problem B (two species, 64^3 cells).

usage: cycles.py SORET [--cells 64] [--only WORD ...] [--ranks 1 2 4 8 16] [--at-most N] [--json FILE]

Numbers of iterations do not depend on the machine. Each line: what was varied, cycles, how the run ended, seconds of the whole process. Runs on several
ranks must have the residuals of the first of them to six digits or rounding. With --at-most more cycles, or another solver, are a failure: exit status 1."""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from starting import environment

SPOT = "0.8 + 0.4*x/{0} + 0.3*exp(-((x/{0}-0.3)^2 + (y/{1}-0.6)^2 + (z/{2}-0.5)^2) / (2*0.15^2))"


def einstein(name, mobility, initial=0.0):
    return {"name": name, "diffusivity": {"law": "einstein", "mobility": mobility}, "initial": initial}


def dimer(cells, size=(1.0, 1.0, 1.0), rate=100.0, dim=3, **domain):
    """Problem B."""
    cells = [cells] * dim if isinstance(cells, int) else list(cells)
    where = SPOT.format(*size) if dim == 3 else "0.8 + 0.4*x" + (" + 0.3*exp(-((x-0.3)^2 + (y-0.6)^2) / (2*0.15^2))" if dim == 2 else "")
    return {"soret": 1, "units": "reduced", "domain": {"size": list(size)[:dim], "cells": cells, **domain}, "temperature": where, "species": [einstein("A", 1.0, 1.0), einstein("A2", 0.4)],
            "reactions": [{"equation": "2 A <=> A2", "forward": rate, "backward": f"{rate}*exp(2 - 2/T)"}], "output": {"file": "c.h5", "fields": []}}


def network(cells, species, reactions):
    return dimer(cells) | {"species": species, "reactions": [{"equation": e, "forward": f, "backward": b} for e, f, b in reactions]}


def folding(cells, n):
    """A chain of n states, each more compact than the one before, their energies up and down."""
    return network(cells, [einstein(f"S{i}", 1.0 / (1 + 0.2 * i), 1.0 if i == 0 else 0.0) for i in range(n)],
                   [(f"S{i} <=> S{i + 1}", 100.0, "100*exp(1 - 1/T)" if i % 2 else "100*exp(-0.8 + 0.8/T)") for i in range(n - 1)])


def ladder(cells, n):
    """Oligomers of up to n units that grow by one."""
    return network(cells, [einstein("A1", 1.0, 1.0)] + [einstein(f"A{i}", i**-0.6) for i in range(2, n + 1)], [(f"A1 + A{i} <=> A{i + 1}" if i > 1 else "2 A1 <=> A2", 100.0, "200*exp(2 - 2/T)") for i in range(1, n)])


def variations(n):
    yield "size 32^3", dimer(32)
    yield "size 64^3", dimer(64)
    yield "size 128^3", dimer(128)
    yield "size 256^3", dimer(256)
    yield f"odd {n - 1} {n + 3} {n - 3}", dimer([n - 1, n + 3, n - 3])
    for rate in (1e-2, 1.0, 1e2, 1e4, 1e6, 1e9):
        yield f"rate {rate:g}", dimer(n, rate=rate)
    yield "species 1", network(n, [einstein("A", 1.0, 1.0)], [])
    yield "species 5, folding", folding(n, 5)
    yield "species 16, folding", folding(n, 16)
    yield "species 32, folding", folding(n, 32)
    yield "species 3, A + B <=> AB", network(n, [einstein("A", 1.0, 1.0), einstein("B", 0.7, 0.5), einstein("AB", 0.4)], [("A + B <=> AB", 100.0, "100*exp(2 - 2/T)")])
    yield "species 3, driven cycle", network(n, [einstein(s, m, 1.0) for s, m in zip("ABC", (1.0, 0.6, 0.3))], [("A <=> B", 100.0, "50*exp(1/T)"), ("B <=> C", 80.0, "100*exp(-1/T)"), ("C <=> A", 60.0, 10.0)])
    yield "species 16, oligomers", ladder(n, 16)
    for aspect in (4.0, 10.0, 100.0):
        yield f"aspect {aspect:g} along x", dimer(n, size=(aspect, 1.0, 1.0))
    yield "aspect 100 along z", dimer(n, size=(1.0, 1.0, 100.0))
    yield "aspect 100 across x", dimer(n, size=(1.0, 100.0, 100.0))
    yield "domain 1000:100:20", dimer(n, size=(1000.0, 100.0, 20.0))
    yield "cubes, 1000:100:20", dimer([8 * n, n, max(n // 4, 8)], size=(1000.0, 100.0, 20.0))
    yield "grading 8 along x, tanh 1.5 along y", dimer(n, grading={"x": {"ratio": 8}, "y": {"tanh": 1.5}})
    for amount in (1e-80, 1e80):
        case = dimer(n)
        case["species"][0]["initial"] = amount
        case["reactions"][0]["forward"] = 100.0 / amount
        yield f"amounts {amount:g}", case
    small = dimer(n, size=(1e-6, 1e-6, 1e-6), rate=1e5)
    for species in small["species"]:
        species["diffusivity"]["mobility"] *= 1e-9
    yield "micrometres and seconds", small
    fick = dimer(n)
    for species in fick["species"]:
        species["convention"] = "fick"
    yield "conductivity varies", fick
    yield "1D 1e6 cells, -snes_type fas", dimer(1000000, dim=1)
    yield "2D 2048^2 cells", dimer(2048, dim=2)


def run(soret, case, ranks=1, options=()):
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "c.yaml"), "w") as file:
            yaml.safe_dump(case, file, sort_keys=False)
        launch = [os.environ.get("MPIEXEC", "mpiexec"), "-n", str(ranks)] if ranks > 1 else []
        begin = time.perf_counter()
        done = subprocess.run([*launch, soret, "c.yaml", "-snes_monitor", *options], cwd=directory, capture_output=True, text=True, env=environment(ranks))
        text = done.stdout + done.stderr
        found = re.search(r"\(nonlinear multigrid, \d+ levels, (\d+) cycles", text) or re.search(r"did not converge in (\d+) cycles", text)
        history = []
        for number, norm in re.findall(r"^ *(\d+) SNES Function norm ([0-9.e+-]+)", text, re.M):
            history = [] if number == "0" else history  # those before are of the coarsest grid
            history.append(float(norm))
        last = next((line for line in text.splitlines() if line.startswith(("converged", "soret:", "steady"))), text[-200:])
        return {"cycles": int(found.group(1)) if found else None, "status": done.returncode, "seconds": time.perf_counter() - begin, "ended": last.strip(), "fell_back": "trying Newton" in text, "history": history}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("soret")
    parser.add_argument("--cells", type=int, default=64)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--ranks", type=int, nargs="*", default=[])
    parser.add_argument("--at-most", type=int)
    parser.add_argument("--json")
    args = parser.parse_args()
    soret, records, first, failures = os.path.abspath(args.soret), {}, None, []
    jobs = [(name, case, 1) for name, case in variations(args.cells) if not args.only or any(w in name for w in args.only)]
    jobs += [(f"ranks {r}", dimer(args.cells), r) for r in args.ranks]
    for name, case, ranks in jobs:
        records[name] = result = run(soret, case, ranks, ("-snes_type", "fas") if name.startswith("1D") else ())
        if args.at_most is not None and not (result["status"] == 0 and result["cycles"] is not None and result["cycles"] <= args.at_most and not result["fell_back"]):
            failures.append(name)
        if name.startswith("ranks"):
            first = first or result["history"]
            if len(first) != len(result["history"]) or any(abs(a - b) > 5e-7 * a + 1e-14 * first[0] for a, b in zip(first, result["history"])):
                failures.append(f"{name}: other residuals, {first} and {result['history']}")
        print(f"{name:40s} {result['cycles']!s:>5} cycles{', then Newton' if result['fell_back'] else ''}   status {result['status']}   {result['seconds']:7.2f} s   {result['ended'][:100]}", flush=True)
    if args.json:
        with open(args.json, "w") as file:
            json.dump(records, file, indent=2)
    print(f"failed: {'; '.join(failures)}" if failures else "good")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
