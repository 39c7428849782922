# SPDX-License-Identifier: BSD-2-Clause
"""Time and peak memory of whole processes on one core, soret beside its yardstick and other programs in one run; ratios mean something, seconds do not travel.

usage: run_bench.py SORET [--problem A B C] [--yardstick snesfas.c] [--peers] [--cells 64] [--repeat 3] [--limit 300] [--solver bench_solver] [--json FILE]

The problems are those of docs/performance.md: A two states, linear, and B, 2 A <=> A2, both steady, and C, B in time. B is the default. The yardstick is a
single-purpose matrix-free multigrid program for A and B, compiled here. Peers are
- PETSc with an assembled matrix (peer_petsc.c, compiled here): multigrid tuned by hand, then Galerkin products, GAMG and hypre; in time BDF of order 4 and a Rosenbrock method,
- DOLFINx for A and B (peer_dolfinx.py), where a Python has it; its forms are compiled before,
- CVODE for C (peer_cvode.c, compiled here), where the compiler finds it.
All are run alternately and the fastest of each counts; one that takes more than --limit seconds of the processor is stopped. Two times are compared: of the whole process, and what each says of its solve,
without grids, places of matrices and files. In problem C cost counts at equal achieved error: each is compared with a run of soret at a tolerance of 1e-7, and
a peer with the cheapest run of soret that is no less accurate. With --solver the report of bench_solver, with the bandwidth of the machine, becomes part of the record.
Exit status 1 if a program fails or finds another solution than soret."""
import argparse
import json
import os
import platform
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = {"A": os.path.join(HERE, "..", "cases", "reference_A.yaml"), "B": os.path.join(HERE, "..", "..", "input", "dimerization_3d.yaml"),
         "C": os.path.join(HERE, "..", "cases", "reference_C.yaml")}
LEVELS = ["-ksp_type", "fgmres", "-ksp_rtol", "1e-2", "-mg_levels_ksp_type", "richardson", "-mg_levels_ksp_max_it", "1", "-mg_levels_pc_type", "sor"]
LOOSE = ["-ksp_type", "fgmres", "-ksp_rtol", "1e-2", "-mat_type", "aij"]
ASSEMBLED = {"PETSc, multigrid": [*LEVELS, "-mat_type", "aij"],
             "PETSc, multigrid, point blocks": [*LEVELS, "-mat_type", "baij", "-mg_levels_ksp_type", "chebyshev", "-mg_levels_ksp_max_it", "2", "-mg_levels_pc_type", "pbjacobi"],
             "PETSc, Galerkin": [*LEVELS, "-mat_type", "aij", "-products", "1"],
             "PETSc, GAMG": [*LOOSE, "-sequence", "0", "-pc_type", "gamg", "-mg_coarse_pc_type", "svd"],
             "PETSc, hypre": [*LOOSE, "-sequence", "0", "-pc_type", "hypre"]}
BDF4 = ["-ts_type", "bdf", "-ts_bdf_order", "4", "-snes_type", "ksponly"]
INTEGRATORS = {"PETSc, BDF4": [*LEVELS, *BDF4],
               "PETSc, Rosenbrock": [*LEVELS, "-ts_type", "rosw", "-ts_rosw_type", "4l"],
               "PETSc, BDF4, Galerkin": [*LEVELS, "-mat_type", "aij", "-products", "1", *BDF4],
               "PETSc, BDF4, GAMG": [*LOOSE, "-pc_type", "gamg", *BDF4],
               "PETSc, BDF4, hypre": [*LOOSE, "-pc_type", "hypre", *BDF4]}
# with hypre's own choice of interpolation and of strong couplings its matrices of finite elements fill up: 118 s and 3.5 GiB at 64^3, to no solution
DOLFINX = {"DOLFINx, GAMG": [], "DOLFINx, hypre": ["-pc_type", "hypre", "-pc_hypre_boomeramg_coarsen_type", "HMIS", "-pc_hypre_boomeramg_interp_type", "ext+i", "-pc_hypre_boomeramg_P_max", "4",
                                                   "-pc_hypre_boomeramg_strong_threshold", "0.5", "-pc_hypre_boomeramg_agg_nl", "1"]}
TIMES = (0.01, 0.1, 1.0)
REFERENCE = "soret 1e-7"
TOLERANCES = {"soret": ("3e-3", "1e-3", "3e-4", "1e-4", "3e-5", "1e-5", "1e-6", "1e-7"), "PETSc, BDF4": ("1e-3", "1e-4", "1e-5"), "PETSc, Rosenbrock": ("1e-3", "1e-4"),
              "PETSc, BDF4, Galerkin": ("1e-3", "1e-4"), "PETSc, BDF4, GAMG": ("1e-4",), "PETSc, BDF4, hypre": ("1e-4",), "CVODE": ("1e-4", "1e-5")}
JUDGED = ("contrast at 0.1", "contrast at 1", "field")  # together
CLOCKS = ("seconds", "processor_seconds", "solve_seconds", "solve_processor_seconds")
# contrasts agree within this: with the same finite volumes, with finite elements (times the square of the cell), and in time (times the tolerance)
SAME, SAME_ELEMENTS, SAME_IN_TIME = 1e-7, 2.0, 100.0


def measure(command, directory, limit):
    """Seconds by the clock and of the processor, and peak bytes of a process, its status and what it printed; status "late" if it was stopped."""
    read, write = os.pipe()
    begin = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.chdir(directory)
        os.dup2(write, 1)
        os.close(read)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        os.execvp(command[0], command)
    os.close(write)
    with os.fdopen(read, errors="replace") as pipe:
        text = pipe.read()
    _, status, usage = os.wait4(pid, 0)
    used, status = usage.ru_utime + usage.ru_stime, os.waitstatus_to_exitcode(status)
    result = {"seconds": time.perf_counter() - begin, "processor_seconds": used, "peak_bytes": usage.ru_maxrss * 1024, "status": "late" if status == -signal.SIGXCPU or (status and used > limit - 1) else status, "text": text}
    return result if result["status"] else result | solve_seconds(text)


def solve_seconds(text):
    """What a program says of its solve: peers "solve 1.2 s, processor 1.1 s", soret "solve 1.2 s, output" or nothing."""
    found = re.findall(r"solve ([\d.e+-]+) s(?:, processor ([\d.e+-]+) s)?", text)
    if not found:
        return {}
    return {key: float(word) for key, word in zip(CLOCKS[2:], found[-1]) if word}


def contrast(text):
    """The number after the word in the output of any of the programs."""
    words = text.replace(",", " ").split()
    return float(words[words.index("contrast") + 1])


def compile_petsc(source, name, directory):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "PETSc"], check=True, capture_output=True, text=True).stdout.split()
    target = os.path.join(directory, name)
    subprocess.run(["mpicc", "-O3", "-march=native", "-ffast-math", "-w", source, "-o", target, *flags, "-lm"], check=True)
    return target


def compile_cvode(directory):
    """The path of the program, or None where there is no CVODE."""
    compiler, target = os.environ.get("CC", "cc"), os.path.join(directory, "peer_cvode")
    if subprocess.run([compiler, "-E", "-xc", "-"], input="#include <cvode/cvode.h>\n", text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        return None
    subprocess.run([compiler, "-std=gnu11", "-O3", "-march=native", "-ffast-math", os.path.join(HERE, "peer_cvode.c"), "-o", target, "-lsundials_cvode", "-lsundials_nvecserial", "-lm"], check=True)
    return target


def find_dolfinx(problem):
    """A Python with DOLFINx, or None. What DOLFINx compiles is there after this run."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, os.path.join(HERE, "peer_dolfinx.py"), problem, "4"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 77:
            return python
    return None


def steady_commands(problem, soret, args, directory):
    """Name: command, None where it is not installed."""
    commands = {"soret": soret}
    if args.yardstick:
        commands["yardstick"] = [compile_petsc(args.yardstick, "yardstick", directory), "-n", str(args.cells), "-prob", "0" if problem == "A" else "1"]
    if args.peers:
        program, python = compile_petsc(os.path.join(HERE, "peer_petsc.c"), "peer_petsc", directory), find_dolfinx(problem)
        commands |= {name: [program, problem, str(args.cells), *options] for name, options in ASSEMBLED.items()}
        commands |= {name: python and [python, os.path.join(HERE, "peer_dolfinx.py"), problem, str(args.cells), *options] for name, options in DOLFINX.items()}
    return commands


def transient_commands(soret, args, directory):
    at = lambda name, tolerance, *options: [*soret, f"output.file={name} {tolerance}.h5", f"solve.tolerance={tolerance}", *options]
    commands = {f"soret {tolerance}": at("soret", tolerance) for tolerance in TOLERANCES["soret"]}
    if args.peers:
        assembled, program = compile_petsc(os.path.join(HERE, "peer_petsc.c"), "peer_petsc", directory), compile_cvode(directory)
        for name, options in INTEGRATORS.items():
            commands |= {f"{name} {tolerance}": [assembled, "C", str(args.cells), tolerance, f"{name} {tolerance}.bin", "-mat_type", "baij", *options] for tolerance in TOLERANCES[name]}
        commands |= {f"CVODE {tolerance}": program and [program, str(args.cells), tolerance, f"CVODE {tolerance}.bin"] for tolerance in TOLERANCES["CVODE"]}
    return commands


def run_all(commands, repeat, limit, directory):
    """The fastest of each by either clock."""
    best = {}
    for _ in range(repeat):
        for name, command in commands.items():
            if not command or best.get(name, {"status": 0})["status"]:
                continue
            result = measure(command, directory, limit)
            for key in CLOCKS if name in best else ():
                if key in result:
                    result[key] = min(result[key], best[name][key])
            best[name] = result
    return best


def read_fields(name, n, directory):
    """Concentrations [time][z][y][x][species] of a run of C."""
    import h5py
    import numpy as np
    path = os.path.join(directory, name)
    if not name.startswith("soret"):
        return np.fromfile(f"{path}.bin").reshape(len(TIMES), n, n, n, 2)
    with h5py.File(f"{path}.h5") as f:
        frames = [f["frames"][k] for k in sorted(f["frames"])][1:]
        if not np.allclose([frame.attrs["time"] for frame in frames], TIMES):
            raise SystemExit(f"{name}: frames at other times than {TIMES}")
        return np.stack([np.stack([frame["A"][()], frame["A2"][()]], axis=-1) for frame in frames])


def errors_in_time(name, n, directory, reference):
    """Contrasts of a run of C, and how far these and the concentrations are from the reference."""
    total = lambda fields: fields[..., 0] + 2 * fields[..., 1]
    contrasts = lambda fields: [float(one[..., 0].sum() / one[..., -1].sum()) for one in total(fields)]
    fields = read_fields(name, n, directory)
    found, right = contrasts(fields), contrasts(reference)
    return {"contrast": found, "errors": {f"contrast at {t:g}": abs(a - b) for t, a, b in zip(TIMES, found, right)} | {"field": float(abs(fields - reference).max())}}


def say_ratio(name, result, other, other_name, record):
    """Time of one over that of another, on the screen and in the record."""
    ratios = {key: result[key] / other[key] for key in CLOCKS if result.get(key) and other.get(key)}
    record[f"{name} / {other_name}"] = ratios
    words = {"seconds": "whole process {:.2f} by the clock", "processor_seconds": "{:.2f} in time of the processor", "solve_seconds": "solve {:.2f} by the clock", "solve_processor_seconds": "{:.2f} in time of the processor"}
    print(f"{name} / {other_name}: " + ", ".join(words[key].format(ratio) for key, ratio in ratios.items()))


def compare_steady(n, best, record, failures):
    for name, result in best.items():
        result["contrast"] = contrast(result["text"])
        same = SAME_ELEMENTS / n**2 if name.startswith("DOLFINx") else SAME
        if not abs(result["contrast"] - best["soret"]["contrast"]) < same:
            failures.append(f"{name}: contrast {result['contrast']:.8f}, more than {same:.1e} from that of soret")
    if "yardstick" in best:
        say_ratio("soret", best["soret"], best["yardstick"], "yardstick", record)
    for name, result in best.items():
        if name not in ("soret", "yardstick"):
            say_ratio(name, result, best["soret"], "soret", record)


def compare_in_time(n, best, directory, record, failures):
    reference = read_fields(REFERENCE, n, directory)
    for name, result in best.items():
        result |= errors_in_time(name, n, directory, reference)
        print(f"{name:32s} contrast {'  '.join(f'{c:.8f}' for c in result['contrast'])}   off by " + "  ".join(f"{e:.1e} ({what})" for what, e in result["errors"].items()))
        same = SAME_IN_TIME * float(name.split()[-1])
        failures += [f"{name}: {what} off by {e:.1e}, more than {same:.1e}" for what, e in result["errors"].items() if not e < same]
    for name in (name for name in best if not name.startswith("soret")):
        errors = best[name]["errors"]
        for what, parts in [(part, [part]) for part in errors] + [("all", JUDGED)]:
            good = [s for s in best if s.startswith("soret") and all(best[s]["errors"][part] <= errors[part] for part in parts)]
            cheapest = min(good, key=lambda s: best[s]["processor_seconds"])  # the reference at least
            print(f"{what} no worse than off by {', '.join(f'{errors[part]:.1e}' for part in parts)}: ", end="")
            say_ratio(name, best[name], best[cheapest], f"{cheapest}, {what}", record)


def describe(name, result, unknowns):
    solve = "".join(f"{result[key]:8.3f} s" if key in result else "         -" for key in CLOCKS[2:])
    return f"{name:32s} {result['seconds']:8.3f} s, processor {result['processor_seconds']:8.3f} s, solve {solve}   {result['peak_bytes'] / 2**20:7.1f} MiB {result['peak_bytes'] / unknowns:7.1f} B/unknown"


def run_problem(problem, args, failures):
    n, unknowns, record = args.cells, 2 * args.cells**3, {}
    with tempfile.TemporaryDirectory() as directory:
        soret = [os.path.abspath(args.soret), CASES[problem], f"domain.cells=[{n},{n},{n}]", "output.file=bench.h5", "output.overwrite=true"]
        commands = transient_commands(soret, args, directory) if problem == "C" else steady_commands(problem, soret, args, directory)
        best = run_all(commands, args.repeat, args.limit, directory)
        print(f"problem {problem}, {n}^3 cells")
        for name in commands:
            if name not in best:
                print(f"{name:32s} not installed")
                continue
            result = best[name]
            if result["status"] == "late":
                print(f"{name:32s} more than {args.limit} s of the processor")
                continue
            print(describe(name, result, unknowns) + ("" if problem == "C" or result["status"] else f"   contrast {contrast(result['text']):.8f}"))
            if result["status"]:
                failures.append(f"{problem}: {name} ended with status {result['status']}\n{result['text'][-2000:]}")
        late = [name for name, result in best.items() if result["status"] == "late"]
        best = {name: result for name, result in best.items() if result["status"] == 0}
        reference = REFERENCE if problem == "C" else "soret"
        if reference in late:
            failures.append(f"{problem}: nothing to compare with, {reference} took more than {args.limit} s")
        if reference in best:
            compare_in_time(n, best, directory, record, failures) if problem == "C" else compare_steady(n, best, record, failures)
    return {"unknowns": unknowns, "ratios": record, "late": late, "limit": args.limit} | {name: {k: v for k, v in result.items() if k not in ("text", "status")} for name, result in best.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("soret")
    parser.add_argument("--problem", nargs="+", choices=sorted(CASES), default=["B"])
    parser.add_argument("--yardstick")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--solver")
    parser.add_argument("--cells", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--json")
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    if "C" in args.problem:
        import h5py  # noqa: F401  missed now, and not after all programs have run
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    failures = []
    with tempfile.TemporaryDirectory() as cache:  # a run that was killed leaves a lock in the cache of DOLFINx
        os.environ["XDG_CACHE_HOME"] = cache
        record = {"format": "soret-bench", "format_version": 1, "cells": args.cells, "machine": platform.machine(), "load": os.getloadavg()} | {f"problem {problem}": run_problem(problem, args, failures) for problem in args.problem}
    record["page_faults"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_majflt
    if args.solver:
        n = args.cells
        report = subprocess.run([args.solver, CASES["B"], f"domain.cells=[{n},{n},{n}]"], check=True, capture_output=True, text=True).stdout
        record["solver"] = report.splitlines()
        print(report, end="")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(record, file, indent=2)
    print("\n".join(f"failed: {what}" for what in failures) or "good")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
