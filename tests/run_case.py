# SPDX-License-Identifier: BSD-2-Clause
"""Runs a case file and checks what its leading comments say:  run_case.py CASE.yaml [--ranks 1 2]

    # case: ../../input/dimer.yaml       the case that is run, relative to this file, where it is not this file itself
    # ranks: 1 2 4                       numbers of ranks; the fields must agree to `same`
    # same: 1e-10                        relative to the largest concentration (default 1e-10)
    # vary: domain.cells = [16] [32]     one run for each value of a key; several such lines: every combination
    # options: | -pc_type lu             one run for each group of PETSc options, groups separated by |
    # status: 2                          exit status of soret (default 0)
    # let: phi = T*(c['A'] + c['B'])     a name for later lines
    # expect: spread(phi) < 1e-12        must be true in every run; the left side is printed
    # order: error > 1.9                 observed order of a name from `let` over the runs with doubled cells
    # across: max(contrast) < 2          as `expect`, with each name from `let` an array over all variants (where they have the same shape)

Expressions see numpy, the fields c['A'], T, x, y, z, volume, flux, rate, meter, the frames, summary, groups, series, the columns sweep['parameter'] and sweep_zero, the value of each varied key (`vary`), the helpers
below, `table(file)` of numbers in a file beside the case, and everything in exact.py.
"""
import argparse
import ast
import itertools
import re
import sys
from pathlib import Path

import numpy as np

import exact
from soretrun import Failed, run


def directives(path):
    """Pairs (word, text) of the leading comments; an indented comment line continues the one before."""
    found = []
    for line in open(path):
        if not line.startswith("#"):
            break
        match = re.match(r"# (case|ranks|same|vary|options|status|let|expect|order|across): ?(.*)", line.rstrip("\n"))
        if match:
            found.append([match[1], match[2]])
        elif line.startswith("#   ") and found:
            found[-1][1] += " " + line[1:].strip()
    return found


def namespace(result, values, directory=Path()):
    companion = lambda file, *overrides: run(directory / file, overrides)
    table = lambda file: np.loadtxt(directory / file)
    spread = lambda f: (np.max(f) - np.min(f)) / np.max(np.abs(f))
    off = lambda f, g: np.max(np.abs(f - g)) / np.max(np.abs(g))
    names = {k: v for k, v in vars(np).items() if not k.startswith("_")} | {k: v for k, v in vars(exact).items() if not k.startswith("_")}
    names |= {k: v for k, v in vars(result).items()} if result else {}
    if result:
        names |= dict(mean=result.mean, norm=result.norm, totals=[result.series[f"total/{k}"] for k in range(64) if f"total/{k}" in result.series])
    return names | dict(companion=companion, table=table, abs=np.abs, max=np.max, min=np.min, spread=spread, off=off, vary=values, all=np.all, any=np.any, sum=np.sum)


def in_order(result):
    """The frames; those of a sweep along its points, as branches write them in turn."""
    return [result.frames[int(k)] for k in result.sweep["frame"] if k >= 0] if "frame" in result.sweep else result.frames


def check(text, names):
    """Evaluates a condition; (true?, text with the number found)."""
    tree = ast.parse(text.strip(), mode="eval")
    shown = text
    if isinstance(tree.body, ast.Compare):
        left = eval(compile(ast.Expression(tree.body.left), text, "eval"), names)
        shown += f"   [{left:.6g}]" if np.isscalar(left) or np.ndim(left) == 0 else f"   {np.asarray(left)}"
    return bool(np.all(eval(compile(tree, text, "eval"), names))), shown


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("--ranks", type=int, nargs="+", help="instead of those in the file")
    arguments = parser.parse_args()
    told = directives(arguments.case)
    if not {"expect", "order", "across", "status", "same"} & {key for key, _ in told}:
        sys.exit(f"{arguments.case} expects nothing")
    one = lambda word, default: next((text for key, text in told if key == word), default)
    case = Path(arguments.case).parent / one("case", Path(arguments.case).name)
    ranks = arguments.ranks or [int(n) for n in one("ranks", "1").split()]
    status, same = int(one("status", "0")), float(one("same", "1e-10"))
    varied = [text.partition("=")[::2] for key, text in told if key == "vary"]
    groups = [group.split() for group in one("options", "").split("|")]
    collected, failures = {}, 0

    for values in itertools.product(*[text.split() for _, text in varied]):
        overrides = [f"{key.strip()}={value}" for (key, _), value in zip(varied, values)]
        first = None
        for number, options in itertools.product(ranks, groups):
            print("--", *overrides, *options, f"{number} rank{'s'[:number > 1]}", flush=True)
            try:
                result = run(case, overrides, number, options, status)
            except Failed as failed:
                print(failed)
                failures += 1
                continue
            names = namespace(result, [float(v) if re.fullmatch(r"[-+.\deE]+", v) else v for v in values], Path(arguments.case).parent)
            for key, text in told:
                if key == "let":
                    name, _, expression = text.partition("=")
                    names[name.strip()] = eval(expression.strip(), names)
                    if first is None:
                        collected.setdefault(name.strip(), []).append(names[name.strip()])
                if key == "expect":
                    good, shown = check(text, names)
                    failures += not good
                    print("ok  " if good else "FAIL", shown)
            if first is not None and result:
                pairs = [(f.c[s], g.c[s]) for f, g in zip(in_order(result), in_order(first), strict=True) for s in first.c if s in g.c]
                worst = max(np.max(np.abs(f - g)) for f, g in pairs) / max(np.max(np.abs(g)) for _, g in pairs) if pairs else 0.0
                print("ok  " if worst <= same else "FAIL", f"same fields as the first run   [{worst:.3g}]")
                failures += not worst <= same
            first = first or result
    for key, text in told:
        if key == "order":
            name, _, least = text.partition(">")
            error = np.array(collected[name.strip()])
            order = np.log2(error[:-1] / error[1:])
            good = bool(np.all(order > float(least)))
            failures += not good
            print("ok  " if good else "FAIL", text, f"  {order.round(3)} from {error}")
        if key == "across":
            good, shown = check(text, namespace(None, []) | {k: np.array(v) for k, v in collected.items() if len({np.shape(x) for x in v}) == 1})
            failures += not good
            print("ok  " if good else "FAIL", shown)
    print(f"{failures} failed" if failures else "all good")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
