# SPDX-License-Identifier: BSD-2-Clause
"""Wall time and peak memory of whole processes, soret beside its yardstick in one run; ratios mean something, seconds do not travel.

usage: run_bench.py SORET [--yardstick snesfas.c] [--peers] [--cells 64] [--repeat 3] [--solver bench_solver] [--json FILE]

The problem is B of docs/performance.md: 2 A <=> A2 beside a hot spot, steady, one core, solved to the default tolerance. The yardstick
is a single-purpose matrix-free multigrid program, compiled here. Peers are Newton's method of PETSc with an assembled matrix, in soret's own frame: Galerkin
multigrid on its grids, GAMG and hypre. Each is run alternately and the fastest of each counts. With --solver the report of bench_solver, with the bandwidth
of the machine, becomes part of the record."""
import argparse
import json
import os
import platform
import resource
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CASE = os.path.join(HERE, "..", "..", "input", "dimerization_3d.yaml")


PEERS = {"assembled, Galerkin": [], "assembled, GAMG": ["-pc_type", "gamg"], "assembled, hypre": ["-pc_type", "hypre"]}


def measure(command, directory):
    """Seconds and peak bytes of a process, and what it printed."""
    read, write = os.pipe()
    begin = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.chdir(directory)
        os.dup2(write, 1)
        os.close(read)
        os.execvp(command[0], command)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{' '.join(command)} failed:\n{text}")
    return {"seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024, "text": text}


def contrast(text):
    """The number after the word in the output of either program."""
    words = text.replace(",", " ").split()
    return float(words[words.index("contrast") + 1])


def compile_yardstick(source, directory):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "PETSc"], check=True, capture_output=True, text=True).stdout.split()
    target = os.path.join(directory, "yardstick")
    subprocess.run(["mpicc", "-O3", "-march=native", "-ffast-math", "-w", source, "-o", target, *flags, "-lm"], check=True)
    return target


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("soret")
    parser.add_argument("--yardstick")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--solver")
    parser.add_argument("--cells", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json")
    args = parser.parse_args()
    n = args.cells
    best = {}
    with tempfile.TemporaryDirectory() as directory:
        commands = {"soret": [os.path.abspath(args.soret), CASE, f"domain.cells=[{n},{n},{n}]", "output.file=bench.h5", "output.overwrite=true"]}
        if args.yardstick:
            commands["yardstick"] = [compile_yardstick(args.yardstick, directory), "-n", str(n), "-prob", "1"]
        for name, options in PEERS.items() if args.peers else ():
            commands[name] = [*commands["soret"], "-snes_type", "newtonls", *options]
        for _ in range(args.repeat):
            for name, command in commands.items():
                result = measure(command, directory)
                if name not in best or result["seconds"] < best[name]["seconds"]:
                    best[name] = result
    unknowns = 2 * n**3
    record = {"problem": "B", "cells": n, "unknowns": unknowns, "machine": platform.machine(), "page_faults": resource.getrusage(resource.RUSAGE_CHILDREN).ru_majflt}
    for name, result in best.items():
        print(f"{name:20s} {result['seconds']:8.3f} s   {result['peak_bytes'] / 2**20:8.1f} MiB   {result['peak_bytes'] / unknowns:7.1f} B/unknown   contrast {contrast(result['text']):.8f}")
        record[name] = {key: result[key] for key in ("seconds", "peak_bytes")} | {"contrast": contrast(result["text"])}
    if "yardstick" in best:
        record["ratio"] = best["soret"]["seconds"] / best["yardstick"]["seconds"]
        print(f"soret / yardstick, whole process: {record['ratio']:.2f}")
    for name in PEERS if args.peers else ():
        record[f"{name} / soret"] = best[name]["seconds"] / best["soret"]["seconds"]
        print(f"{name} / soret: {record[f'{name} / soret']:.1f}")
    if args.solver:
        report = subprocess.run([args.solver, CASE, f"domain.cells=[{n},{n},{n}]"], check=True, capture_output=True, text=True).stdout
        record["solver"] = report.splitlines()
        print(report, end="")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(record, file, indent=2)


if __name__ == "__main__":
    main()
