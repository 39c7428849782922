# SPDX-License-Identifier: BSD-2-Clause
"""The Soret meter as a whole:  run_meter.py [shipped | ranks | check ...]

shipped  entropy production of reactions and of diffusion, and both, is nowhere negative in any frame of any example of input/ (on coarse grids), the budget closes, and
         in the steady cases of the theory heat flows nowhere from cold to warm
ranks    every number and field of the meter is the same on 1, 2 and 4 ranks, to rounding
check    what `soret check` says of detailed balance, cycles and the S_T of fast reactions
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

from soretrun import prepared, run
from starting import environment

ROOT = Path(__file__).resolve().parent.parent


def coarse(path):
    """Overrides that make an example of input/ small, with all that the meter writes in every frame."""
    case = yaml.safe_load(path.read_text())
    most = {1: 100, 2: 24, 3: 12}[len(case["domain"]["size"])]
    voxels = "file" in str(case["domain"].get("solid", ""))
    cells = [int(n) // 4 if voxels else min(int(n), most) for n in case["domain"]["cells"]]
    fixed = "edges" in case["domain"]
    overrides = ["output.fields=[entropy_production,meter]"] if fixed else [f"domain.cells={cells}".replace(" ", ""), "output.fields=[entropy_production,meter]"]
    return overrides + (["sweep.frames=all"] if "sweep" in case else [])


def against_gradient(result):
    """Heat carried by the species along the gradient of temperature: the largest, over the largest against it."""
    axes = [np.moveaxis(getattr(result, a), k, 0).reshape(result.T.shape[k], -1)[:, 0] for k, a in zip(range(result.dim), "xyz")]
    along = sum(result.meter["heat"][..., k] * np.gradient(result.T, axes[k], axis=k) for k in range(result.dim))
    return np.max(along) / np.max(-along) if np.max(-along) > 1e-12 else 0.0


def shipped():
    for path in sorted((ROOT / "input").rglob("*.yaml")):
        with tempfile.TemporaryDirectory() as directory:
            result = run(prepared(path, directory), coarse(path))
        least = min(np.nanmin(np.r_[np.inf, f.ravel()]) for frame in result.frames for f in (frame.c["entropy_production"], frame.meter["entropy/reactions"], frame.meter["entropy/diffusion"]))
        closure, off = (np.nanmax(np.abs(np.r_[result.sweep[k] if result.sweep else result.summary[k], 0.0])) for k in ("entropy_closure", "entropy_imbalance"))
        good = least >= 0 and closure < 1e-10 and off < 1e-6
        text = f"least entropy production {least:.3g}, budget closes to {closure:.2g}, without the residual to {off:.2g}"
        if path.parent.name == "paper" and "transient" not in path.read_text() and not np.all(np.isnan(result.meter["heat"])):
            heat = against_gradient(result)
            good, text = good and heat < 1e-6, f"{text}, heat up the gradient {heat:.2g}"
        yield path.relative_to(ROOT), text, good


CASE = {
    "soret": 1, "units": "reduced", "domain": {"size": [1.0, 1.0, 1.0], "cells": [12, 11, 10], "periodic": ["z"]},
    "temperature": "0.8 + 0.4*x + 0.2*exp(-((x-0.3)^2 + (y-0.6)^2)/0.05) + 0.05*cos(2*pi*z)",
    "species": [{"name": "A", "diffusivity": "T", "initial": 1.0}, {"name": "A2", "diffusivity": "0.4*T^1.2", "convention": "stratonovich"},
                {"name": "B", "diffusivity": "0.3", "convention": "fick", "soret": 0.4, "initial": 0.5}],
    "reactions": [{"equation": "2 A <=> A2", "forward": 100.0, "backward": "100*exp(2 - 2/T)"}, {"equation": "A <=> B", "forward": "3*exp(-1/T)", "backward": "3*exp(-1.5/T)"}],
    "solve": {"tolerance": 1e-13}, "petsc": {"pc_type": "lu", "pc_factor_mat_solver_type": "mumps"},
    "output": {"fields": ["meter"]},
}


def differences(a, b):
    """Largest difference of what the meter tells, relative to the largest value of its kind; numbers near rounding are compared with all others."""
    for k in a.meter:
        same_blank = np.array_equal(np.isnan(a.meter[k]), np.isnan(b.meter[k]))
        kind = [v for name, v in a.meter.items() if name.rsplit("/", 1)[0] == k.rsplit("/", 1)[0]]
        yield k, np.nanmax(np.abs(a.meter[k] - b.meter[k])) / max(np.nanmax(np.abs(v)) for v in kind) if same_blank else np.inf
    for k in a.groups:
        values = [(np.ravel(a.groups[k][n]), np.ravel(b.groups[k][n])) for n in a.groups[k] if not isinstance(a.groups[k][n], str)]
        if values:
            size = max(np.nanmax(np.abs(v)) for v, _ in values) if "soret" in k else max(g["in"] + g["out"] + abs(g["source"]) + a.summary["entropy_reactions"] for n, g in a.groups.items() if n.startswith("budget/species/"))
            yield k, max(np.max(np.abs(v - w)) if len(v) == len(w) else np.inf for v, w in values) / size
    size = a.summary["entropy_reactions"] + a.summary["entropy_diffusion"]
    yield "summary", max(abs(a.summary[k] - b.summary[k]) / size for k in a.summary if k.startswith("entropy_") and k != "entropy_imbalance")


def ranks():
    for what, overrides in ("the box", []), ("around a bar", ["domain.solid=0.06 - (x-0.5)^2 - (y-0.4)^2"]):
        first = run(CASE, overrides)
        yield f"{what}, 1 rank", f"closes to {first.summary['entropy_imbalance']:.2g}", abs(first.summary["entropy_imbalance"]) < 1e-10
        for n in (2, 4):
            name, worst = max(differences(first, run(CASE, overrides, n)), key=lambda pair: pair[1])
            yield f"{what}, {n} ranks", f"worst of the meter: {worst:.2g} in {name}", worst < 1e-10


def check():
    soret = os.path.abspath(os.environ.get("SORET", "soret"))
    cases = ROOT / "tests" / "cases"
    for path, overrides, texts in [
        (cases / "driven_cycle.yaml", [], ["detailed balance: broken, the cycle (A <=> B) + (B <=> C) + (C <=> A) is driven", "S_T of fast reactions at these amounts"]),
        (cases / "five_states.yaml", [], ["detailed balance: holds at every temperature, 1 cycle of reactions\n"]),
        (cases / "irreversible_decay.yaml", [], ["detailed balance: none, 'A => B' runs one way"]),
        (cases / "velocity_bgk.yaml", [], ["S_T of fast reactions: no prediction (a species is ballistic)"]),
        (cases / "meter_polymer.yaml", [], ["changes sign at T = 296.9567, 331.6756\n"]),
        # the backward constant of one step of a ring that balances: the other steps are energies
        (cases / "five_states.yaml", ["reactions.4={equation: E <=> A, forward: k, backward: k}"], ["broken, the cycle (A <=> B) + (B <=> C) + (C <=> D) + (D <=> E) + (E <=> A) is driven: its equilibrium constants multiply to exp(-2.704"]),
        # a second way that does not fit: named with its sign
        (cases / "complexation.yaml", ["reactions=[{equation: A + B <=> AB, forward: 1, backward: 1}, {equation: AB <=> A + B, forward: 2, backward: 1}]"], ["broken, the cycle (A + B <=> AB) + (AB <=> A + B) is driven: its equilibrium constants multiply to exp(0.693147)"]),
    ]:
        done = subprocess.run([soret, "check", str(path), *overrides], env=environment(), capture_output=True, text=True, timeout=120)
        missing = [t for t in texts if t not in done.stdout]
        yield path.name, "says so" if not missing else f"does not say {missing}:\n{done.stdout}{done.stderr}", done.returncode == 0 and not missing


def main():
    failures = 0
    for name in sys.argv[1:] or ["shipped", "ranks", "check"]:
        for what, text, good in globals()[name]():
            failures += not good
            print("ok  " if good else "FAIL", f"{name}: {what}: {text}", flush=True)
    print(f"{failures} failed" if failures else "all good")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
