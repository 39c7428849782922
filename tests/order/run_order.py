# SPDX-License-Identifier: BSD-2-Clause
"""Observed order of accuracy by manufactured solutions:  run_order.py FILE.yaml [NAME ...]

A file lists problems; each row gives what the solution shall be and sympy finds the sources that make it so. soret has no key for a source: a helper
X of concentration 1 that does not move makes A by `X => X + A` at the rate dA/dt + div J + k A and takes it away by `X + A => X` at the rate k A, with k
so large that the first is nowhere negative.

    {name: .., domain: {grading: ..}, temperature: T(x,y,z,t), diffusivity: law, convention: .., soret: S(T), velocity: [..], exact: A(x,y,z,t), b for the b of
     the flux -a grad(b c), walls: {x-: value | flux | transfer | closed | outflow}, mirror: exact solution of the species of opposite velocity}

`cells` are those of each axis on the grids compared, the error is that in the root mean square over the cells; with `end` the run is in time and its step is
shortened with the cells. A file with `steps` instead compares one grid with itself, solved in `reference` steps: integrators: [{options: .., order: ..}].
"""
import sys
from pathlib import Path

import numpy as np
import sympy as sp
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from soretrun import run  # noqa: E402

x, y, z, t, Temp = X = sp.symbols("x y z t T")
AXES = (x, y, z)


def parse(text, **names):
    return sp.sympify(str(text).replace("^", "**"), locals=dict(x=x, y=y, z=z, t=t, T=Temp, **names))


def formula(expression):
    """As muParser reads it."""
    return str(sp.N(expression, 17)).replace("**", "^")


def law(spec):
    """Diffusivity as an expression of T and position, reduced units."""
    if not isinstance(spec, dict):
        return parse(spec)
    if spec["law"] == "einstein":
        return spec["mobility"] * Temp
    if spec["law"] == "arrhenius":
        return spec["prefactor"] * Temp ** spec.get("exponent", 0) * sp.exp(-spec.get("activation", 0) / Temp)
    return spec["value"] * (Temp / spec["reference"]) ** spec["exponent"]


class Problem:
    """The equations of one row: exact solution, flux, source."""

    def __init__(self, row, dim):
        self.row, self.dim, self.axes = row, dim, AXES[:dim]
        self.T = parse(row["temperature"])
        D = law(row.get("diffusivity", 0))
        S = parse(row.get("soret", 0))
        alpha = {"ito": sp.Integer(1), "stratonovich": sp.Rational(1, 2), "fick": sp.Integer(0)}[row.get("convention", "ito")]
        theta = sp.integrate(S, Temp)
        b = D**alpha * sp.exp(theta) if D != 0 else sp.Integer(1)
        a = D ** (1 - alpha) * sp.exp(-theta) if D != 0 else sp.Integer(0)
        velocity = row.get("velocity", [0] * dim)
        self.species = [("A", parse(row["exact"], b=b), velocity)]
        if "mirror" in row:
            self.species.append(("M", parse(row["mirror"], b=b), [-velocity[0]] + velocity[1:]))
        self.flux = {n: [v * c - a * self.diff(b * c, s) for v, s in zip(vel, self.axes)] for n, c, vel in self.species}

    def diff(self, expression, s):
        """Total derivative: expressions keep T as a symbol, which keeps the formulas short."""
        return sp.diff(expression, s) + sp.diff(expression, Temp) * sp.diff(self.T, s)

    def sources(self):
        reactions = []
        for name, c, _ in self.species:
            need = self.diff(c, t) + sum(self.diff(J, s) for J, s in zip(self.flux[name], self.axes))
            points = np.random.default_rng(1).random((4, 4000))
            at = lambda e: np.broadcast_to(sp.lambdify((x, y, z, t), e.subs(Temp, self.T), "numpy")(*points), 4000)
            k = float(np.ceil(2 * max(0, np.max(-at(need) / at(c))) + 1))
            reactions += [{"equation": f"X => X + {name}", "forward": formula(need + k * c)}, {"equation": f"X + {name} => X", "forward": k}]
        return reactions

    def walls(self):
        faces = {}
        for face, kind in self.row.get("walls", {}).items():
            axis, side = AXES.index(sp.Symbol(face[0])), face[1] == "+"
            end = self.row.get("size", [1.0] * 3)[axis] if side else 0
            for name, c, _ in self.species:
                inflow = (-1 if side else 1) * self.flux[name][axis].subs(AXES[axis], end)
                value = c.subs(AXES[axis], end)
                condition = {"value": {"value": formula(value)}, "flux": {"flux": formula(inflow)}, "outflow": {"outflow": True}, "closed": None,
                             "transfer": {"transfer": 4.0, "outside": formula(value + inflow / 4)}}[kind]
                if condition:
                    faces.setdefault(face, {})[name] = condition
        return faces

    def case(self, cells):
        row, transient = self.row, "end" in self.row
        species = []
        for name, c, velocity in self.species:
            entry = {"name": name, "diffusivity": row.get("diffusivity", 0), "convention": row.get("convention", "ito"),
                     "initial": formula(c.subs(Temp, self.T).subs(t, 0)) if transient else 1.0}
            if "soret" in row:
                entry["soret"] = row["soret"]
            if any(velocity):
                entry["velocity"] = velocity
            if "mirror" in row:
                entry["mirror"] = "M" if name == "A" else "A"
            species.append(entry)
        domain = {"size": row.get("size", [1.0] * self.dim), "cells": [cells] * self.dim, **row.get("domain", {})}
        case = {"soret": 1, "units": "reduced", "domain": domain, "temperature": formula(self.T), "species": [*species, {"name": "X", "diffusivity": 0, "initial": 1.0}],
                "reactions": self.sources(), "boundaries": self.walls(), "solve": {"mode": "steady", "tolerance": 1e-10}}
        if transient:
            case["solve"] = {"mode": "transient", "end": row["end"], "first_step": row["end"] / cells, "tolerance": 1e-9}
        return {k: v for k, v in case.items() if v}

    def error(self, result):
        exact = sp.lambdify((x, y, z, t), self.species[0][1].subs(Temp, self.T), "numpy")
        pad = [result.x, *(getattr(result, s, 0.0) for s in "yz")]
        return result.norm(result.c["A"] - exact(*pad, result.time))


def space(data, names):
    failures = 0
    for row in data["problems"]:
        if names and row["name"] not in names:
            continue
        problem = Problem(row, data["dim"])
        options = ["-ts_adapt_type", "none"] if "end" in row else []
        errors = np.array([problem.error(run(problem.case(n), options=options)) for n in row.get("cells", data["cells"])])
        order = np.log2(errors[:-1] / errors[1:])
        good = order[-1] >= data["order"]
        failures += not good
        print("ok  " if good else "FAIL", f"{row['name']:40s} order {order[-1]:.2f}  errors", *(f"{e:.3g}" for e in errors), flush=True)
    return failures


def time(data, names):
    failures = 0
    solve = lambda n, options: run(data["case"], [f"solve.first_step={data['case']['solve']['end'] / n!r}"], options=["-ts_adapt_type", "none", *options.split()])
    reference = solve(data["reference"], "")
    for integrator in data["integrators"]:
        steps = integrator.get("steps", data["steps"])
        errors = np.array([reference.norm(solve(n, integrator["options"]).c["A"] - reference.c["A"]) for n in steps])
        order = np.log2(errors[:-1] / errors[1:])
        good = order[-1] >= integrator["order"] - 0.1
        failures += not good
        print("ok  " if good else "FAIL", f"{integrator['name']:40s} order {order[-1]:.2f}  errors", *(f"{e:.3g}" for e in errors), flush=True)
    return failures


def main():
    data = yaml.safe_load(open(sys.argv[1]))
    failures = (time if "integrators" in data else space)(data, sys.argv[2:])
    print(f"{failures} failed" if failures else "all good")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
