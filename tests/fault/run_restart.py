# SPDX-License-Identifier: BSD-2-Clause
"""Runs that are stopped, killed or starved of disk go on from a checkpoint as if nothing had happened.

usage: run_restart.py [TEST...]    (environment SORET, MPIEXEC; FAULT_COUNT: how many corruptions and kills are tried; FAULT_SEED)"""
import glob
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from starting import environment  # noqa: E402

SORET = shutil.which(os.environ.get("SORET", "soret"))
MPIEXEC = os.environ.get("MPIEXEC", "mpiexec")
COUNT = int(os.environ.get("FAULT_COUNT", "0"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
SHIM = Path(__file__).parent / "io_errors.c"

CLOSED = """soret: 1
units: reduced
domain: {size: [1, 1], cells: [16, 12]}
temperature: 1 + 0.3*x + 0.2*y
species:
  - {name: A, diffusivity: {law: einstein, mobility: 1}, initial: 1 + x}
  - {name: A2, diffusivity: {law: einstein, mobility: 0.4}, initial: 0.1}
reactions: [{equation: 2 A <=> A2, forward: 100, backward: 100*exp(2-2/T)}]
solve: {mode: transient, end: 0.1, tolerance: 1e-3}
output: {file: run.h5, times: [0.003, 0.02], fields: [flux, rate, soret, entropy_production]}
"""
OPEN = """soret: 1
units: reduced
domain: {size: [1], cells: [40]}
temperature: 1 + 0.3*x + 0.1*sin(t)
species:
  - {name: A, diffusivity: {law: einstein, mobility: 1}, initial: 1}
boundaries: {x-: {A: {value: 2}}, x+: {A: {value: 1}}}
solve: {mode: transient, end: 0.1}
output: {file: run.h5, every: 0.03, precision: single, compression: 1}
"""
SWEEP = CLOSED.replace("mode: transient, end: 0.1, tolerance: 1e-3", "mode: steady, tolerance: 1e-9").replace("times: [0.003, 0.02], ", "").replace("forward: 100,", "forward: k,") + """parameters: {k: 100}
sweep: {parameter: parameters.k, values: [1, 100, 1e4, 3], refine: {of: contrast, change: 0.02}}
"""
HEAT = """soret: 1
units: reduced
domain: {size: [1, 1], cells: [16, 12], solid: "0.02 - (x - 0.5)^2 - (y - 0.5)^2"}
temperature: {conduction: {conductivity: 1 + 0.1*T, solid_conductivity: 3, BOUNDARIES}}
flow: {boussinesq: {gravity: [0, -9], expansion: 0.5, viscosity: 1}}
species: [{name: A, diffusivity: 0.1, convention: fick, soret: 0.1, initial: 1}, {name: B, diffusivity: 0.05, initial: 1}]
reactions: [{equation: A <=> B, forward: 1, backward: 1}]
solve: {mode: transient, end: 0.1, tolerance: 1e-3}
output: {file: run.h5, times: [0.02]}
"""
CAPACITY = HEAT.replace("BOUNDARIES", "heat_capacity: 1, initial: 1, boundaries: {x-: {value: 1}, x+: {value: 1.5}}")
QUASISTEADY = HEAT.replace("BOUNDARIES", "boundaries: {x-: {value: 1}, x+: {value: 1.5 + 0.2*sin(20*t)}}")
LONG = CLOSED.replace("end: 0.1", "end: 0.05, first_step: 1e-5").replace("times: [0.003, 0.02]", "every: 0.002")
EVERY_STEP = "checkpoint={every: 1e-6, keep: 1000}"


class Folder:
    """A directory of its own with a case in it, and the program run there."""

    def __init__(self, path, case=CLOSED):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "case.yaml").write_text(case)

    def command(self, *args, ranks=1):
        return [*([MPIEXEC, "-n", str(ranks)] if ranks > 1 else []), SORET, *args]

    def run(self, *args, ranks=1, status=0, env=None, timeout=120):
        done = subprocess.run(self.command(*args, ranks=ranks), cwd=self.path, capture_output=True, text=True, timeout=timeout, env=environment(ranks, **(env or {})))
        if status is not None:
            assert done.returncode == status, f"soret {' '.join(args)}: status {done.returncode} instead of {status}\n{done.stdout}{done.stderr}"
        return done

    def start(self, *args, ranks=1, env=None):
        return subprocess.Popen(self.command(*args, ranks=ranks), cwd=self.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, env=environment(ranks, **(env or {})))

    def generations(self):
        return sorted(self.path.glob("run.ckpt-*.manifest"))

    def same(self, other, *tolerances, status=0):
        return self.run("compare", str(other), "run.h5", *tolerances, status=status)

    def wait_for_generation(self, after=0, seconds=60):
        """Waits until more than `after` generations have been entered."""
        end = time.time() + seconds
        while time.time() < end:
            if len(self.generations()) > after:
                return
            time.sleep(0.01)
        raise AssertionError("no checkpoint appeared")


def select(folder, generation, target, case=CLOSED, result="run.h5"):
    """A folder as it was when a generation was the newest: that one alone, and the result file of its attempt."""
    there = Folder(target, case)
    shutil.copy(generation, target)
    shutil.copy(str(generation)[: -len("manifest")] + "h5", target)
    shutil.copy(folder.path / result, target / "run.h5.1")
    return there


def check_exact(tmp, case, *args, ranks=1, count=3, status=0):
    """Stop anywhere, go on: the same bytes as without the stop. And checkpoints do not change the run that writes them."""
    whole, often = Folder(tmp / "whole", case), Folder(tmp / "often", case)
    name = "run.h5" if status == 0 else "run.h5.1"
    whole.run("case.yaml", *args, ranks=ranks, status=status)
    often.run("case.yaml", EVERY_STEP, *args, ranks=ranks, status=status)
    often.run("compare", str(whole.path / name), name)
    generations = often.generations()
    assert len(generations) > 2, "too few checkpoints to test anything"
    chosen = sorted({round(k * (len(generations) - 1) / (count - 1)) for k in range(count)})
    for k in chosen:
        part = select(often, generations[k], tmp / f"part{k}", case, name)
        part.run("resume", "run", ranks=ranks, status=status)
        done = part.run("compare", str(whole.path / name), "run.h5" if status == 0 else "run.h5.2", status=None)
        assert done.returncode == 0, f"{case.splitlines()[2]} {args}: not the same after {generations[k].name}\n{done.stdout}"
        assert (part.path / "run.h5.1").read_bytes() == (often.path / name).read_bytes(), "an earlier attempt was changed"
        shutil.rmtree(part.path)


# ---- exact continuation ----


def test_exact_esdirk(tmp):
    check_exact(tmp, CLOSED)


def test_exact_esdirk_two_ranks(tmp):
    """With the factorisation that soret takes by itself, which gives the same bits on the same ranks; and with another method."""
    check_exact(tmp / "a", CLOSED, ranks=2)
    check_exact(tmp / "b", CLOSED, "-ts_arkimex_type", "3", "-pc_type", "bjacobi", "-sub_pc_type", "lu", ranks=2)


def test_exact_open(tmp):
    """A temperature that changes in time, open walls, single precision, compression; adaptive and with a memory of one step."""
    check_exact(tmp / "a", OPEN)
    check_exact(tmp / "b", OPEN, "-ts_type", "cn", "solve.tolerance=1e-3")


def test_exact_backward_euler(tmp):
    check_exact(tmp, OPEN, "-ts_type", "beuler", "solve.tolerance=1e-2")


def test_exact_last_resort(tmp):
    """The first step is one of backward Euler, since the method does not stay positive."""
    case = OPEN.replace("cells: [40]", "cells: [200]").replace("1 + 0.3*x + 0.1*sin(t)", "1 + 0.2*x").replace("initial: 1", "initial: 'x < 0.05 ? 1 : 0'")
    case = re.sub("boundaries:.*\n", "", case).replace("end: 0.1", "end: 1e-3, tolerance: 1e-3, absolute: 1e-20, first_step: 1e-4").replace("every: 0.03", "every: 2e-4")
    check_exact(tmp, case)
    with h5py.File(tmp / "whole" / "run.h5") as f:
        assert f["summary"].attrs["backward_euler_steps"] == 1
        newton = f["summary"].attrs["newton_iterations"]
    told = Folder(tmp / "told", case).run("case.yaml", "-snes_converged_reason").stdout
    assert newton == sum(int(n) for n in re.findall(r"Nonlinear solve .* iterations (\d+)", told)), "iterations of backward Euler are iterations, too"


def test_exact_closed_sums(tmp):
    """Sums that are closed in each step do not keep methods with a memory of one step from adapting it."""
    for method in ("beuler", "cn"):
        args = ("-ts_type", method, "solve.first_step=1e-4", "solve.end=0.05", "solve.tolerance=1e-2")
        check_exact(tmp / method, CLOSED, *args)
        with h5py.File(tmp / method / "whole" / "run.h5") as file:
            total, steps = file["series/total/0"][()], np.diff(file["series/time"][()])
            assert steps.max() > 5 * steps.min(), f"{method} does not adapt: {steps}"
            assert np.ptp(total) < 1e-13 * abs(total[0]), f"{method}: the sum drifts by {np.ptp(total)}"


def test_exact_theta(tmp):
    check_exact(tmp, OPEN, "-ts_type", "theta", "-ts_theta_theta", "0.7", "solve.tolerance=1e-2")


def test_exact_fixed_steps(tmp):
    for method in ("cn", "rosw"):
        check_exact(tmp / method, CLOSED, "-ts_type", method, "-ts_adapt_type", "none", "solve.first_step=2e-3", "solve.end=0.02", "output.times=[0.01]")


def test_exact_steady(tmp):
    check_exact(tmp, CLOSED.replace("mode: transient, end: 0.1, tolerance: 1e-3", "mode: steady").replace("times: [0.003, 0.02], ", ""), count=4)


def test_fewer_steps(tmp):
    """Going on with fewer iterations than were made: not converged, no mistake of the program. By Newton's method and by cycles."""
    case = CLOSED.replace("mode: transient, end: 0.1, tolerance: 1e-3", "mode: steady").replace("times: [0.003, 0.02], ", "")
    for name, cells in (("newton", "[16, 12]"), ("cycles", "[160, 160]")):
        folder = Folder(tmp / name, case.replace("[16, 12]", cells))
        folder.run("case.yaml", EVERY_STEP)
        part = select(folder, folder.generations()[-2], tmp / f"{name}_part", folder.path.joinpath("case.yaml").read_text())
        assert "steady solve stopped after" in part.run("resume", "run", "solve.max_steps=1", status=3).stdout


def test_exact_steady_multigrid(tmp):
    case = CLOSED.replace("[1, 1]", "[1, 1, 1]").replace("[16, 12]", "[32, 32, 32]").replace("mode: transient, end: 0.1, tolerance: 1e-3", "mode: steady").replace("times: [0.003, 0.02], fields: [flux, rate, soret, entropy_production]", "xdmf: false")
    check_exact(tmp, case, count=3)
    with h5py.File(tmp / "whole" / "run.h5") as file:
        assert "nonlinear multigrid" in str(file["summary"].attrs["method"]), "this is to test nonlinear multigrid"


def test_exact_steady_accelerated(tmp):
    """Cycles around solid are accelerated by what the last ones did; with parts of the fluid that are cut off, too; and slow ones of a stretched grid, from the fourth
    on. On one rank and on two."""
    walls = "max(0.06 - (x - 0.5)^2 - (y - 0.4)^2 - (z - 0.5)^2, abs(z - 0.8) < 0.04 ? 1 : -1)"
    case = CLOSED.replace("size: [1, 1], cells: [16, 12]", f'size: [1, 1, 1], cells: [16, 16, 16], solid: "{walls}"').replace("mode: transient, end: 0.1, tolerance: 1e-3", "mode: steady, tolerance: 1e-9").replace(
        "times: [0.003, 0.02], fields: [flux, rate, soret, entropy_production]", "xdmf: false")
    stretched = case.replace(f'solid: "{walls}"', "grading: {x: {ratio: 20}, y: {tanh: 2}}")
    for name, changed, ranks, cycles in (("parts", case, 1, 2), ("ball", case.replace("abs(z - 0.8) < 0.04", "1 < 0"), 2, 2), ("stretched", stretched, 1, 8)):
        check_exact(tmp / name, changed, ranks=ranks, count=3)
        with h5py.File(tmp / name / "whole" / "run.h5") as file:
            assert "nonlinear multigrid" in str(file["summary"].attrs["method"]) and file["summary"].attrs["cycles"] > cycles, f"this is to test accelerated cycles, not {file['summary'].attrs['cycles']}"


def test_exact_stages_multigrid(tmp):
    """Stages by nonlinear multigrid remember the contraction of its cycles."""
    case = CLOSED.replace("[1, 1]", "[1, 1, 1]").replace("[16, 12]", "[16, 16, 16]").replace("fields: [flux, rate, soret, entropy_production]", "fields: [meter]")
    check_exact(tmp, case)
    with h5py.File(tmp / "whole" / "run.h5") as file:
        assert "nonlinear multigrid" in str(file["summary"].attrs["method"]), "this is to test nonlinear multigrid"


def test_exact_stages_theta(tmp):
    """Stages by multigrid with methods that remember the step before, or are guessed from it."""
    case = CLOSED.replace("[1, 1]", "[1, 1, 1]").replace("[16, 12]", "[16, 16, 16]").replace("fields: [flux, rate, soret, entropy_production]", "xdmf: false")
    for name, method in (("cn", ["-ts_type", "cn"]), ("euler", ["-ts_type", "beuler"]), ("fixed", ["-ts_type", "beuler", "-ts_adapt_type", "none"])):
        check_exact(tmp / name, case, *method, "solve.tolerance=1e-2", "solve.first_step=1e-3")
        with h5py.File(tmp / name / "whole" / "run.h5") as file:
            assert "nonlinear multigrid" in str(file["summary"].attrs["method"]), "this is to test nonlinear multigrid"


def test_exact_heat(tmp):
    """Heat conduction in time, and in step with a wall that changes; a solid, a flow driven by buoyancy."""
    check_exact(tmp / "capacity", CAPACITY)
    check_exact(tmp / "quasisteady", QUASISTEADY)


def test_exact_heat_two_ranks(tmp):
    check_exact(tmp, QUASISTEADY, ranks=2)


def test_exact_steady_two_ranks(tmp):
    """Norms that PETSc keeps with a vector may have been rounded otherwise than those of a run that goes on; seen with both."""
    steady = CLOSED.replace("mode: transient, end: 0.1, tolerance: 1e-3", "mode: steady").replace("times: [0.003, 0.02], ", "")
    for slope in (0.2, 0.4):
        check_exact(tmp / str(slope), steady.replace("0.2*y", f"{slope}*y"), ranks=2, count=5)


def test_exact_steady_follow(tmp):
    """What a velocity presses against a wall: the terms of the sums follow the amounts in the last iterations, directly and without a matrix."""
    case = """\
soret: 1
units: reduced
domain: {size: [4], cells: [10]}
temperature: 1
species: [{name: A, diffusivity: 1, initial: 1}]
flow: {velocity: [-12]}
output: {file: run.h5}
"""
    check_exact(tmp / "direct", case, count=4)
    check_exact(tmp / "cycles", case.replace("[4], cells: [10]", "[4, 1, 1], cells: [16, 12, 12]").replace("[-12]", "[-8, 0, 0]"), "-snes_type", "newtonls", count=4)


def test_exact_pseudo_transient(tmp):
    """A guess that Newton's method fails on: the rescue is saved, too."""
    case = (Path(__file__).parent.parent / "cases" / "dimer_bad_guess.yaml").read_text() + "\noutput: {file: run.h5}\n"
    check_exact(tmp, case, count=3)


def test_until_steady(tmp):
    check_exact(tmp, CLOSED.replace("end: 0.1, ", "end: 100, until_steady: 1e-3, "))


def test_sweep(tmp):
    """Between two points and in the middle of one, with points that refinement added."""
    check_exact(tmp, SWEEP, count=4)
    with h5py.File(tmp / "whole" / "run.h5") as file:
        assert sum(file["sweep/inserted"][()]) > 2 and all(file["sweep/converged"][()] == 1)
    steps = [int(path.read_text(errors="replace").splitlines()[1].split()[1]) for path in Folder(tmp / "often", SWEEP).generations()]
    assert steps == sorted(steps) and all(steps.count(n) <= 2 for n in steps), f"counted over all points, for chains of jobs: {steps}"


def test_sweep_second_try(tmp):
    """Points that fail from the state before them and then from `initial`: going on in the middle of either try."""
    case = SWEEP.replace("tolerance: 1e-9", "tolerance: 1e-9, max_steps: 4").replace(", refine: {of: contrast, change: 0.02}", "")
    whole, often = Folder(tmp / "whole", case), Folder(tmp / "often", case)
    whole.run("case.yaml", status=3)
    often.run("case.yaml", EVERY_STEP, status=3)
    tries = {0: [], 1: []}
    for generation in often.generations():
        with h5py.File(str(generation)[: -len("manifest")] + "h5") as file:
            tries[int(file["sweep/counts"][6])].append(generation)
    for generation in (tries[0][1], tries[1][0], tries[1][-1], tries[0][-1]):
        part = select(often, generation, tmp / f"part_{generation.stem}", case, "run.h5.1")
        part.run("resume", "run", status=3)
        part.run("compare", str(whole.path / "run.h5.1"), "run.h5.2")


def test_sweep_transient(tmp):
    check_exact(tmp, CLOSED.replace("times: [0.003, 0.02], ", "").replace("forward: 100,", "forward: k,") + "parameters: {k: 100}\nsweep: {parameter: parameters.k, values: [1, 100, 1e4]}\n", count=4)


def test_sweep_branches(tmp):
    """Each branch goes on from its own last state; with another number of branches from none, and the table is the same to the tolerance."""
    case = SWEEP.replace("refine: {of: contrast, change: 0.02}", "branches: 2")
    check_exact(tmp, case, ranks=2)
    generations = Folder(tmp / "often", case).generations()
    part = select(Folder(tmp / "often", case), generations[len(generations) // 2], tmp / "alone", case)
    part.run("resume", "run", ranks=1)
    with h5py.File(part.path / "run.h5") as a, h5py.File(tmp / "whole" / "run.h5") as b:
        assert np.allclose(a["sweep/contrast"][()], b["sweep/contrast"][()], rtol=1e-7)


def test_sweep_branch_that_does_not_fit(tmp):
    """3 x 3 cells can be cut for nine ranks and for four, not for the five of the other branch: its points fail, and the sweep goes on all the same."""
    case = SWEEP.replace("[16, 12]", "[3, 3]").replace("[1, 100, 1e4, 3]", "[1, 100]").replace("refine: {of: contrast, change: 0.02}", "branches: 2")
    folder = Folder(tmp, case)
    assert "cannot be cut into boxes for 5 ranks" in folder.run("case.yaml", EVERY_STEP, ranks=9, status=3).stderr
    folder.run("resume", "run", ranks=9, status=3)
    with h5py.File(tmp / "run.h5.2") as file:
        assert list(file["sweep/converged"][()]) == [0, 1]


def test_sweep_branch_that_fits_alone(tmp):
    """3 x 3 cells can be cut for three ranks and for four, the two branches, not for all seven, which measure: the point fails, and the sweep goes on all the same."""
    case = SWEEP.replace("[16, 12]", "[16, 3]").replace("parameters.k, values: [1, 100, 1e4, 3], refine: {of: contrast, change: 0.02}", "domain.cells.0, values: [16, 3, 12], branches: 2, frames: none")
    folder = Folder(tmp, case)
    assert "3 x 3 x 1 cells cannot be cut into boxes for 7 ranks" in folder.run("case.yaml", ranks=7, status=3).stderr
    with h5py.File(tmp / "run.h5.1") as file:
        assert list(file["sweep/converged"][()]) == [1, 0, 1]


def test_sweep_stop(tmp):
    """A stop gives a checkpoint and status 75; other values are refused where it goes on, and what is done is not done again."""
    case = SWEEP.replace("values: [1, 100, 1e4, 3]", "range: {from: 1, to: 1e4, count: 2000, spacing: log}").replace(", refine: {of: contrast, change: 0.02}", ", frames: none")
    folder = Folder(tmp / "run", case)
    run = folder.start("case.yaml", "checkpoint.every=1e-6")
    folder.wait_for_generation(after=1)
    run.send_signal(signal.SIGUSR1)
    text = run.communicate(timeout=60)[0]
    assert run.returncode == 75 and "stopped by SIGUSR1 after" in text and "of 2000 points" in text and "to go on: soret resume run" in text, text
    with h5py.File(folder.path / "run.h5.1") as file:
        done = len(file["sweep/parameter"]) if "sweep" in file else 0
    files = sorted(folder.path.iterdir())
    assert "has other values than this run" in folder.run("resume", "run", "sweep.range={from: 1, to: 1e4, count: 1999, spacing: log}", status=2).stderr
    assert "has other columns" in folder.run("resume", "run", "reactions.0.equation=3 A <=> A2", status=2).stderr
    assert sorted(folder.path.iterdir()) == files, "a refused resume leaves nothing"
    (folder.path / "STOP").write_text("")
    run = folder.start("resume", "run")
    while run.poll() is None and folder.generations()[-1].stem < "run.ckpt-002-000050":  # a point takes about eight iterations
        time.sleep(0.02)
    (folder.path / "STOP").touch()
    text = run.communicate(timeout=60)[0]
    assert run.returncode == 75 and "stopped by the file STOP" in text, text
    with h5py.File(sorted(folder.path.glob("run.h5.*[0-9]"))[-1]) as file:
        order = file["sweep/order"][()]
        assert len(order) > done and list(order) == list(range(len(order)))


def check_ranks(tmp, first, then):
    """Goes on with another number of ranks: what differs is rounding."""
    whole, stopped = Folder(tmp / "whole"), Folder(tmp / "stopped")
    args = ("solve.tolerance=1e-5", "solve.end=0.02", "output.times=[0.003]")
    whole.run("case.yaml", *args, ranks=first)
    stopped.run("case.yaml", EVERY_STEP, *args, ranks=first)
    generations = stopped.generations()
    part = select(stopped, generations[len(generations) // 2], tmp / "part")
    part.run("resume", "run", ranks=then)
    part.same(whole.path / "run.h5", "--rtol", "1e-10")


def test_ranks_4_to_1(tmp):
    check_ranks(tmp, 4, 1)


def test_ranks_1_to_3(tmp):
    check_ranks(tmp, 1, 3)


def test_ranks_2_to_8(tmp):
    check_ranks(tmp, 2, 8)


def test_ranks_solid(tmp):
    """What is solid is the same on any number of ranks."""
    folder = Folder(tmp, CAPACITY)
    folder.run("case.yaml", "checkpoint.every=1e-6")
    folder.run("resume", "run", "output.file=other.h5", ranks=3)


# ---- stopping ----


def finish_equal(folder, tmp, ranks=1, case=None, args=()):
    whole = Folder(tmp / "whole", case or LONG)
    whole.run("case.yaml", *args, ranks=ranks)
    folder.same(whole.path / "run.h5")


def ranks_of(run):
    """Processes of the program under a launcher, or the program itself."""
    children = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True).stdout.split()
    return [int(pid) for pid in children] or [run.pid]


def test_signals(tmp):
    """Each signal, also to one rank only: a checkpoint, status 75; going on gives the same bytes."""
    for name in ("SIGTERM", "SIGINT", "SIGUSR1", "SIGXCPU", "SIGHUP"):
        folder = Folder(tmp / name, LONG)
        run = folder.start("case.yaml", "checkpoint.every=1e-6", ranks=1)
        folder.wait_for_generation()
        run.send_signal(getattr(signal, name))
        run.send_signal(getattr(signal, name))  # a second one is harmless
        text = run.communicate(timeout=60)[0]
        assert run.returncode == 75, f"{name}: status {run.returncode}\n{text}"
        assert f"stopped by {name}" in text and "to go on: soret resume run" in text, text
        with h5py.File(folder.path / "run.h5.1") as file:
            assert file["summary"].attrs["converged"] == 0
        folder.run("resume", "run", "checkpoint.every=1000")
    finish_equal(folder, tmp)


def test_nohup(tmp):
    """What ignores that the terminal goes away goes on."""
    folder = Folder(tmp / "run", LONG)
    ignore = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run = folder.start("case.yaml", "checkpoint.every=1e-6")
    signal.signal(signal.SIGHUP, ignore)
    folder.wait_for_generation()
    run.send_signal(signal.SIGHUP)
    text = run.communicate(timeout=60)[0]
    assert run.returncode == 0, text
    finish_equal(folder, tmp)


def test_signal_to_one_rank(tmp):
    folder = Folder(tmp / "run", LONG)
    run = folder.start("case.yaml", ranks=2)
    while not (folder.path / "run.h5.1.xdmf").exists():
        time.sleep(0.02)
    os.kill(ranks_of(run)[-1], signal.SIGUSR1)
    text = run.communicate(timeout=60)[0]
    assert run.returncode == 75 and "stopped by SIGUSR1" in text, text
    assert len(folder.generations()) == 1, "a stop gives a checkpoint even where none was asked for"
    folder.run("resume", "run", ranks=2)
    finish_equal(folder, tmp, ranks=2)


def test_usr2_and_files(tmp):
    folder = Folder(tmp / "run", LONG.replace("end: 0.05", "end: 50"))
    (tmp / "run" / "STOP").write_text("")  # one from before is not meant for this run
    run = folder.start("case.yaml")
    while not (folder.path / "run.h5.1.xdmf").exists():
        time.sleep(0.02)
    run.send_signal(signal.SIGUSR2)
    folder.wait_for_generation()
    (folder.path / "CHECKPOINT").write_text("")
    folder.wait_for_generation(after=1)
    assert run.poll() is None, "SIGUSR2 and CHECKPOINT do not stop a run"
    (folder.path / "STOP").touch()
    text = run.communicate(timeout=60)[0]
    assert run.returncode == 75 and "stopped by the file STOP" in text, text
    assert "(SIGUSR2)" in text and "(the file CHECKPOINT)" in text
    assert len(folder.generations()) == 2, "two are kept"


def test_end_of_job(tmp):
    """Slurm's end of the job, from the environment or from scontrol."""
    folder = Folder(tmp / "run", LONG.replace("end: 0.05", "end: 50"))
    begin = time.time()
    text = folder.run("case.yaml", status=75, env={"SLURM_JOB_END_TIME": str(int(begin) + 30)}).stdout
    assert "stopped by the end of the job" in text and time.time() < begin + 30, text
    (tmp / "bin").mkdir()
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 30))
    (tmp / "bin" / "scontrol").write_text(f"#!/bin/sh\n[ $SLURM_TIME_FORMAT = standard ] && end={end} || end=19:18:54\necho JobId=7 JobState=RUNNING EndTime=$end Deadline=N/A\n")
    (tmp / "bin" / "scontrol").chmod(0o755)
    text = folder.run("resume", "run", status=75, env={"SLURM_JOB_ID": "7", "SLURM_TIME_FORMAT": "relative", "PATH": f"{tmp / 'bin'}:{os.environ['PATH']}"}).stdout
    assert "stopped by the end of the job" in text


def test_stop_steady(tmp):
    """Inside a steady solve; with no iteration done yet, too."""
    case = CLOSED.replace("mode: transient, end: 0.1, tolerance: 1e-3", "mode: steady").replace("times: [0.003, 0.02], ", "")
    folder = Folder(tmp / "run", case)
    text = folder.run("case.yaml", status=75, env={"SLURM_JOB_END_TIME": str(int(time.time()) + 1)}).stdout
    assert "stopped by the end of the job after iteration 0" in text, text
    folder.run("resume", "run.h5")
    finish_equal(folder, tmp, case=case)


# ---- what the user may ask for ----


def test_resume_arguments(tmp):
    folder = Folder(tmp / "run")
    folder.run("case.yaml", "checkpoint={every: 1e-6, keep: 3}")
    generations = folder.generations()
    assert len(generations) == 3, "three are kept"
    assert "the run is done, its result is in 'run.h5'; nothing was run" in folder.run("resume", "run").stdout
    shutil.move(folder.path / "run.h5", folder.path / "whole.h5")
    assert "there are checkpoints 'run.ckpt-*' of an earlier run" in folder.run("case.yaml", status=2).stderr
    (folder.path / "case.yaml").unlink()  # not needed any more
    for what in ("run", "run.h5", generations[0].name, generations[0].name.replace("manifest", "h5")):
        text = folder.run("resume", what, "output.file=again.h5", "output.overwrite=true", "checkpoint.prefix=other").stdout
        assert (generations[0].stem if "ckpt" in what else generations[-1].stem) in text.splitlines()[0], text
    assert "no checkpoint 'nothing'" in folder.run("resume", "nothing", status=2).stderr
    species = [{"name": "A", "diffusivity": 1, "initial": 1}, {"name": "B", "diffusivity": 1, "initial": 1}]
    for domain, what in {"cells: [8, 8], size: [1, 1]": "the cells along x", "cells: [16, 12], size: [1, 2]": "the cells along y", "cells: [16, 12], size: [1, 1], origin: [1, 0]": "the cells along x",
                         "cells: [16, 12], size: [1, 1], grading: {y: {ratio: 2}}": "the cells along y", "cells: [16, 12], size: [1, 1], solid: x - 0.9": "what is solid"}.items():
        said = folder.run("resume", "run", f"domain={{{domain}}}", "output.file=third.h5", ranks=2, status=2)
        assert f"of another grid than this run: {what} must stay" in said.stderr and "lost" not in said.stdout, said
    assert "has other columns" in folder.run("resume", "run", f"species={species}", "reactions=[]", "output.file=third.h5", ranks=2, status=2).stderr
    assert not list(folder.path.glob("third*")), "a refused resume leaves nothing"
    assert "with `units: reduced`, which must stay" in folder.run("resume", "run", "units=SI", "output.file=third.h5", ranks=2, status=2).stderr
    assert "has other columns" in folder.run("resume", "run", "reactions=[{equation: 3 A <=> A2, forward: 1, backward: 1}]", "output.file=third.h5", ranks=2, status=2).stderr
    assert not list(folder.path.glob("third*")), "a refused resume leaves nothing"
    assert "good" in folder.run("verify", generations[-1].name).stdout
    assert "nothing was run" in folder.run("resume", "run", "solve.end=0.01", "output.file=third.h5", status=2).stderr
    assert not list(folder.path.glob("third*")), "a refused resume leaves nothing"
    longer = folder.run("resume", "run", "solve.end=0.2", "output.file=longer.h5").stdout
    assert "reached t = 0.2" in longer
    assert "left" not in next(line for line in longer.splitlines() if line.startswith("step")), "nothing is known yet of this attempt's pace"


def test_commands(tmp):
    """The result of a run that went on twice tells with what it was started, and what was added."""
    folder = Folder(tmp)
    folder.run("case.yaml", "species.A.initial=2", "checkpoint={every: 1e-6}")
    for k, added in ((1, ["solve.end=0.11", "checkpoint.every=1e-6"]), (2, ["solve.end=0.12", "-ts_adapt_safety", "0.8"])):
        (tmp / "run.h5").rename(tmp / f"run.h5.{k}")
        folder.run("resume", "run", *added)
    with h5py.File(tmp / "run.h5") as file:
        command = file.attrs["command"].decode().replace(SORET, "soret")
    assert command == "soret case.yaml species.A.initial=2 'checkpoint={every: 1e-6}'; soret resume run solve.end=0.11 checkpoint.every=1e-6; soret resume run solve.end=0.12 -ts_adapt_safety 0.8", command


def crc64(data):
    """CRC-64 of XZ, with which manifests check files, as 16 digits."""
    value = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xC96C5795D7870F42 if value & 1 else 0)
    return f"{value ^ 0xFFFFFFFFFFFFFFFF:016x}"


def test_complete(tmp):
    """A run whose job was killed when its result had just got its name is done, unless more is asked for or the result is of another run."""
    folder = Folder(tmp, OPEN)
    folder.run("case.yaml", "checkpoint.every=1e-6", "output.record=false", "output.checksums=true")
    (tmp / "run.sums").rename(tmp / "sums")
    folder.run("resume", "run", ranks=2)
    assert len((tmp / "run.sums").read_text().splitlines()) == len((tmp / "sums").read_text().splitlines())
    assert "every byte is as it was written" in folder.run("verify", "run.h5").stdout
    files = {path: path.read_bytes() for path in tmp.iterdir()}
    for ranks, again in ((1, ()), (2, ("output.record=false",))):
        assert "the run is done, its result is in 'run.h5'; nothing was run" in folder.run("resume", "run", *again, ranks=ranks).stdout
    for more in ("solve.end=0.2", "output.record=true", "-ts_monitor"):
        assert "'run.h5' exists; nothing was run" in folder.run("resume", "run", more, status=2).stderr
    assert files == {path: path.read_bytes() for path in tmp.iterdir()}
    folder.run("case.yaml", "checkpoint.prefix=other", "output.overwrite=true")
    assert "'run.h5' exists; nothing was run" in folder.run("resume", "run", status=2).stderr


def test_of_no_run(tmp):
    """A checkpoint whose bytes are good, and in which there is nothing."""
    folder = Folder(tmp)
    with h5py.File(tmp / "run.ckpt-001-000001.h5", "w") as file:
        file.attrs["checkpoint_version"] = 3
    data = (tmp / "run.ckpt-001-000001.h5").read_bytes()
    text = f"soret checkpoint manifest 1\nstep 0 t 0 written 2026-01-01T00:00:00Z\nbytes {len(data)} block 1048576 blocks 1\n{crc64(data)}\n"
    (tmp / "run.ckpt-001-000001.manifest").write_text(f"{text}end {crc64(text.encode())}\n")
    said = folder.run("resume", "run", ranks=2, status=4)
    assert said.stderr.count("the checkpoint does not say which run it is of") == 1 and "PETSC ERROR" not in said.stderr, said


def test_frames_lost(tmp):
    """The file of the earlier attempt is gone: the run goes on, and says what is missing."""
    folder = Folder(tmp / "run", CLOSED.replace("entropy_production]", "entropy_production, meter]"))
    folder.run("case.yaml", "checkpoint={every: 1e-6}")
    shutil.move(folder.path / "run.h5", folder.path / "whole.h5")
    done = folder.run("resume", "run")
    assert "warning: 3 of 3 frames are lost" in done.stdout, done.stdout
    with h5py.File(folder.path / "run.h5") as file, h5py.File(folder.path / "whole.h5") as whole:
        assert [f"frames/{k:06d}" in file and bool(file[f"frames/{k:06d}"].attrs.get("lost", 0)) for k in range(4)] == [True, True, True, False]
        assert np.array_equal(file["frames/000003/A"][()], whole["frames/000003/A"][()])
        assert np.array_equal(file["series/time"][()], whole["series/time"][()])
    frames = re.findall(r'<Grid Name="frame (\d+)" GridType="Uniform">(.*?)</Grid>', (folder.path / "run.xdmf").read_text(), re.S)
    assert [number for number, _ in frames] == ["3"]
    assert set(re.findall(r"/frames/(\d+)/", frames[0][1])) == {"000003"}, "a field of another frame"


def test_longer(tmp):
    """A run that was done goes on to a later end, under another name and in the place of its result: all its frames are there. Those of another run that has taken the
    name since are not taken for them."""
    whole, folder = Folder(tmp / "whole"), Folder(tmp / "run")
    whole.run("case.yaml", "solve.end=0.2", "output.times=[0.003, 0.02, 0.1]")
    folder.run("case.yaml", "checkpoint={every: 1e-6, keep: 3}")
    longer = ("resume", folder.generations()[-1].name, "solve.end=0.2", "output.times=[0.003, 0.02, 0.1]", "checkpoint.every=1e9")
    folder.run(*longer, "output.file=longer.h5")
    folder.run("compare", str(whole.path / "run.h5"), "longer.h5")
    (folder.path / "moved").mkdir()
    for name in ("run.h5", *(generation.with_suffix(ending).name for generation in folder.generations() for ending in (".h5", ".manifest"))):
        (folder.path / name).rename(folder.path / "moved" / name)
    moved = Folder(folder.path / "moved")
    moved.run(*longer, "--overwrite", ranks=2)
    moved.same(whole.path / "run.h5", "--rtol", "1e-10")
    (moved.path / "case.yaml").write_text(CLOSED.replace("initial: 1 + x", "initial: 2"))
    moved.run("case.yaml", "--overwrite", "checkpoint.prefix=other")
    assert "warning: 3 of 3 frames are lost" in moved.run(*longer, "--overwrite").stdout


def test_another_temperature(tmp):
    """A run that goes on with another temperature, at rest or changing in time: the frames of before keep theirs, whatever attempts follow."""
    before, after = CLOSED.replace("end: 0.1", "end: 0.01").replace(", 0.02]", "]"), "1.5 + 0.1*x"
    folder = Folder(tmp / "run", before)
    folder.run("case.yaml", "checkpoint.every=1e-6")
    (folder.path / "run.h5").rename(folder.path / "run.h5.1")
    folder.run("resume", "run", "solve.end=0.05", f"temperature={after}", "output.times=[0.003, 0.02]", "checkpoint.every=1e-6", ranks=2)
    (folder.path / "run.h5").rename(folder.path / "run.h5.2")
    folder.run("resume", "run", "solve.end=0.1")
    x, y = (np.arange(16) + 0.5) / 16, (np.arange(12)[:, None] + 0.5) / 12
    for path, times in (("run.h5.2", [0, 0.003, 0.02, 0.05]), ("run.h5", [0, 0.003, 0.02, 0.1])):
        with h5py.File(folder.path / path) as file:
            found = [(frame.attrs["time"], frame["temperature"][()]) for frame in file["frames"].values()]
            assert not any(frame.attrs.get("lost", 0) for frame in file["frames"].values())
        assert np.allclose([t for t, _ in found], times), path
        for t, T in found:
            assert np.allclose(T, 1 + 0.3 * x + 0.2 * y if t < 0.015 else 1.5 + 0.1 * x + 0 * y, rtol=1e-12), (path, t)
    assert (folder.path / "run.xdmf").read_text().count("/temperature") == 4
    folder.run("verify", "run.h5")
    folder = Folder(tmp / "moving", before)
    folder.run("case.yaml", "checkpoint.every=1e-6")
    (folder.path / "run.h5").rename(folder.path / "run.h5.1")
    assert "lost" not in folder.run("resume", "run", "solve.end=0.03", "temperature=1 + 0.3*x + 0.2*y + t").stdout
    with h5py.File(folder.path / "run.h5") as file:
        for frame in file["frames"].values():
            t = frame.attrs["time"]
            assert np.allclose(frame["temperature"][()], 1 + 0.3 * x + 0.2 * y + (t if t > 0.015 else 0), rtol=1e-12), t


def test_changed_dataset(tmp):
    """A file of the case that is another one when a run goes on is told, once, with what it was and is; one that is the same is not."""
    folder = Folder(tmp / "run", CLOSED.replace("1 + 0.3*x + 0.2*y", "{file: data.h5, dataset: /T}").replace("initial: 1 + x", "initial: {file: data.h5, dataset: /A}"))
    for name, ranks, changed in (("first", 1, 0), ("same", 2, 0), ("other", 2, 1), ("after", 1, 0)):
        if name in ("first", "other"):
            with h5py.File(folder.path / "data.h5", "w") as file:
                file["T"], file["A"] = np.full((12, 16), 1.0 + (name == "other")), np.ones((12, 16))
        done = folder.run(*(["case.yaml"] if name == "first" else ["resume", "run"]), "checkpoint={every: 1e-6, keep: 2}", ranks=ranks)
        assert done.stdout.count(f"warning: '{folder.path}/data.h5' has changed since") == done.stdout.count("has changed") == changed, f"{name}: {done.stdout}"
        (folder.path / "run.h5").unlink()


def test_frames_damaged(tmp):
    """A frame of which the file of the last attempt has only some fields is completed from the attempt before; what is in neither is lost."""
    case = Folder(tmp / "run")
    case.run("case.yaml", EVERY_STEP)
    generations = case.generations()
    folder = select(case, generations[len(generations) // 2], tmp / "part")
    (case.path / "run.h5").rename(case.path / "whole.h5")
    folder.run("resume", "run", "checkpoint.every=1e-6")
    (folder.path / "run.h5").rename(folder.path / "run.h5.2")
    for path, field in (("run.h5.2", "frames/000000/rate/0"), ("run.h5.2", "frames/000001/A2"), ("run.h5.1", "frames/000001/A2")):
        with h5py.File(folder.path / path, "a") as file:
            del file[field]
    done = folder.run("resume", "run")
    assert "warning: 1 of 3 frames are lost" in done.stdout, done.stdout
    with h5py.File(folder.path / "run.h5") as file, h5py.File(case.path / "whole.h5") as whole:
        assert [bool(file[f"frames/{k:06d}"].attrs.get("lost", 0)) for k in range(4)] == [False, True, False, False]
        for name in ("A", "rate/0", "flux/A2", "entropy_production"):
            assert np.array_equal(file[f"frames/000000/{name}"][()], whole[f"frames/000000/{name}"][()]), name
    assert "1 of the frames were lost" in folder.run("verify", "run.h5").stdout


def test_killed_in_frame(tmp):
    """Killed at any write of a frame: those before it are there, although names and head of the file are changed in several pieces."""
    case = CLOSED.replace("[16, 12]", "[8, 6]").replace("times: [0.003, 0.02], fields: [flux, rate, soret, entropy_production]", "every: 0.005, xdmf: false")
    shim, whole = build_shim(tmp), Folder(tmp / "whole", case)
    whole.run("case.yaml")
    for count in range(260, 300, 4):  # about the ninth frame, for which HDF5 keeps names in another way
        folder = Folder(tmp / f"after{count}", case)
        env = {"LD_PRELOAD": str(shim), "IO_ERROR_CALL": "pwrite", "IO_ERROR": "KILL", "IO_ERROR_FILE": f"{folder.path}/run.h5", "IO_ERROR_AFTER": str(count)}
        folder.run("case.yaml", "checkpoint.every=1e-6", status=-signal.SIGKILL, env=env)
        text = folder.run("resume", "run", "checkpoint.every=1000").stdout
        assert "lost" not in text, f"killed at write {count}:\n{text}"
        folder.same(whole.path / "run.h5")


def kill_somewhere(folder, ranks, longest, all_ranks, *args):
    """Kills one rank or all of them at a random instant after the first checkpoint. Returns false if the run was done before."""
    run = folder.start("case.yaml", "checkpoint.every=1e-6", *args, ranks=ranks)
    folder.wait_for_generation()
    victims = ranks_of(run)
    time.sleep(random.uniform(0.0, longest))
    if all_ranks:
        for pid in victims:
            kill(pid)
        kill(run.pid)
    else:
        kill(random.choice(victims))
    run.communicate(timeout=60)  # the launcher ends the other ranks
    return not (folder.path / "run.h5").exists()


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def check_kills(tmp, ranks, all_ranks, *args):
    """SIGKILL at random instants, mostly inside a checkpoint: each resume succeeds, goes on from what was complete, and ends with the same bytes."""
    random.seed(SEED)
    whole = Folder(tmp / "whole", LONG)
    whole.run("case.yaml", *args, ranks=ranks)
    longest = 1.0  # seconds to wait; less where the machine is quicker than that
    inside = 0
    for k in range(COUNT or 2):
        for attempt in range(10):
            folder = Folder(tmp / f"killed{k}_{attempt}", LONG)
            if kill_somewhere(folder, ranks, longest, all_ranks, *args):
                break
            longest /= 2  # it was done already
        complete = folder.generations()[-1].stem
        inside += any(not p.with_suffix(".manifest").exists() for p in folder.path.glob("run.ckpt-*.h5"))
        text = folder.run("resume", "run", "checkpoint.every=1000", ranks=ranks).stdout
        assert f"going on from {complete}" in text, f"kill {k}: more than one interval is lost\n{text}"
        assert "frames are lost" not in text, f"kill {k}:\n{text}"
        folder.same(whole.path / "run.h5")
        shutil.rmtree(folder.path)
    print(f"  {COUNT or 2} kills on {ranks} ranks, {inside} of them inside a checkpoint", flush=True)


def test_kills(tmp):
    check_kills(tmp, 1, True)


def test_kills_of_one_rank(tmp):
    check_kills(tmp, 2, False)


def test_kills_of_all_ranks(tmp):
    check_kills(tmp, 2, True)


def test_killed_in_first_checkpoint(tmp):
    """There is nothing to go on from: the run begins anew, unasked, and its first checkpoint removes what is left of the one before."""
    folder = Folder(tmp)
    left = tmp / "run.ckpt-001-000001.h5"
    left.write_bytes(bytes(5000))
    assert "To start anew: soret CASE.yaml" in folder.run("resume", "run", status=4).stderr
    folder.run("case.yaml", "checkpoint.every=1e-6")
    assert not left.exists() and len(folder.generations()) == 2


# ---- damage ----


def damaged_resume(folder, newest, older, tmp, what):
    """After some damage to the newest generation the older one is taken, or the resume refuses; never anything else."""
    done = folder.run("resume", "run", "output.file=x.h5", "output.overwrite=true", "checkpoint.prefix=other", status=None, timeout=60)
    assert done.returncode == 0, f"{what}: status {done.returncode}\n{done.stdout}{done.stderr}"
    assert f"passing over {newest}" in done.stdout and f"going on from {older}" in done.stdout, f"{what}:\n{done.stdout}"
    for leftover in glob.glob(str(folder.path / "x.h5*")):
        os.unlink(leftover)


def prepare_damage(tmp):
    folder = Folder(tmp / "run", OPEN.replace("end: 0.1", "end: 0.01").replace("every: 0.03, precision: single, compression: 1", "xdmf: false"))
    folder.run("case.yaml", "checkpoint={every: 1e-6, keep: 2}")
    shutil.move(folder.path / "run.h5", folder.path / "run.h5.1")
    older, newest = (g.with_suffix(".h5") for g in folder.generations())
    return folder, older, newest


def test_truncation(tmp):
    folder, older, newest = prepare_damage(tmp)
    random.seed(SEED)
    for file in (newest, newest.with_suffix(".manifest")):
        good = file.read_bytes()
        offsets = {0, 1, len(good) - 1} | {random.randrange(len(good)) for _ in range(COUNT or 3)} | (set(range(0, len(good), 4096)) if COUNT else set())
        for n in sorted(offsets):
            file.write_bytes(good[:n])
            damaged_resume(folder, newest.name, older.name, tmp, f"{file.name} cut to {n} bytes")
        file.write_bytes(good)
        file.write_bytes(good + b"\0")
        damaged_resume(folder, newest.name, older.name, tmp, f"{file.name} one byte longer")
        file.write_bytes(good)


def test_bit_flips(tmp):
    folder, older, newest = prepare_damage(tmp)
    random.seed(SEED)
    for _ in range(COUNT or 6):
        file = random.choice([newest, newest, newest.with_suffix(".manifest")])
        good = file.read_bytes()
        bit = random.randrange(8 * len(good))
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        file.write_bytes(bad)
        damaged_resume(folder, newest.name, older.name, tmp, f"bit {bit} of {file.name} flipped")
        file.write_bytes(good)


def test_all_damaged(tmp):
    folder, older, newest = prepare_damage(tmp)
    for file in (older, newest):
        file.write_bytes(file.read_bytes()[:-1])
    done = folder.run("resume", "run", status=4)
    assert "none of the 2 generations of checkpoint 'run' is good; nothing was run" in done.stderr
    assert "not good: it has" in folder.run("verify", newest.name, status=4).stdout
    newest.with_suffix(".manifest").unlink()
    assert "no manifest" in folder.run("verify", newest.name, status=4).stdout


# ---- errors of writing ----


def intact(folder, before):
    """Generations and result are what they were."""
    for name, data in before.items():
        assert (folder.path / name).read_bytes() == data, f"{name} was changed"


def build_shim(tmp):
    shim = tmp / "io_errors.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(SHIM), "-ldl"], check=True)
    return shim


def test_write_errors(tmp):
    """write, pwrite and fsync fail with EIO or ENOSPC for files of checkpoints: status 4, one reason, nothing else is touched."""
    shim = build_shim(tmp)
    folder = Folder(tmp / "run")
    folder.run("case.yaml", "checkpoint={every: 1e-6, keep: 2}")
    shutil.move(folder.path / "run.h5", folder.path / "run.h5.1")
    before = {p.name: p.read_bytes() for p in [*folder.path.glob("run.ckpt-*"), folder.path / "run.h5.1"]}
    for call in ("write", "pwrite", "fsync"):
        for error in ("EIO", "ENOSPC"):
            for ranks in (1, 2):
                env = {"LD_PRELOAD": str(shim), "IO_ERROR_CALL": call, "IO_ERROR": error, "IO_ERROR_FILE": f"{folder.path}/run.ckpt-002"}
                done = folder.run("resume", "run", "checkpoint.every=1e-6", status=None, env=env, ranks=ranks, timeout=60)
                what = f"{call} {error} on {ranks} ranks"
                assert done.returncode == 4, f"{what}: status {done.returncode}\n{done.stdout}{done.stderr}"
                assert "the checkpoint could not be written; older ones are as they were" in done.stderr, f"{what}\n{done.stderr}"
                intact(folder, before)
                assert not list(folder.path.glob("run.ckpt-002*")), "something is left of the failed one"
                for leftover in folder.path.glob("run.h5.2*"):
                    leftover.unlink()
    folder.run("resume", "run")


def test_file_limit(tmp):
    """A file that may grow no longer (ulimit -f, in KiB): status 4 with the reason, and checkpoints that are there stay good."""
    folder = Folder(tmp / "run", OPEN.replace("every: 0.03, precision: single, compression: 1", "every: 0.03"))
    folder.run("case.yaml", EVERY_STEP, "solve.end=0.02")
    good = folder.generations()[-1]
    for limit, cells in ((20, 40), (100, 40), (150, 40), (200, 20000)):
        command = ["bash", "-c", f"ulimit -f {limit}; exec \"$@\"", "bash", *folder.command("case.yaml", f"domain.cells=[{cells}]", "checkpoint={every: 1e-6, prefix: other}", "output.file=limited.h5", "output.overwrite=true")]
        done = subprocess.run(command, cwd=folder.path, capture_output=True, text=True, timeout=120, env=environment())
        assert done.returncode == 4 and "File too large" in done.stderr, f"{limit} KiB: {done}"
    folder.run("verify", good.name)


def test_read_errors(tmp):
    """A manifest whose reading is interrupted is good; a list of generations that breaks off is an error, not the whole list; so is a directory that is gone."""
    folder = Folder(tmp / "run")
    folder.run("case.yaml", "checkpoint={every: 1e-6, keep: 3}")
    shutil.move(folder.path / "run.h5", folder.path / "run.h5.1")
    env = {"LD_PRELOAD": str(build_shim(tmp)), "IO_ERROR_CALL": "read", "IO_ERROR": "EINTR", "IO_ERROR_FILE": f"{folder.path}/run.ckpt-001"}
    folder.run("verify", folder.generations()[-1].name, env=env)
    env.update(IO_ERROR_CALL="readdir", IO_ERROR="EIO", IO_ERROR_FILE=str(folder.path), IO_ERROR_AFTER="5")
    for ranks in (1, 2):
        done = folder.run("resume", "run", status=4, env=env, ranks=ranks)
        assert done.stderr.count("soret: cannot look for checkpoints 'run.ckpt-*': Input/output error\n") == 1 and "no checkpoint" not in done.stderr, done.stderr
    assert "there is no checkpoint 'gone/run'" in folder.run("resume", "gone/run", status=2).stderr

    lost = Folder(tmp / "lost", LONG)
    (lost.path / "there").mkdir()
    run = lost.start("case.yaml", "solve.end=50", "checkpoint.prefix=there/run")
    while not (lost.path / "run.h5.1.xdmf").exists():
        time.sleep(0.02)
    (lost.path / "there").rmdir()
    run.send_signal(signal.SIGUSR2)
    text = run.communicate(timeout=60)[0]
    assert run.returncode == 4 and "cannot look for checkpoints 'there/run.ckpt-*': No such file or directory" in text, f"{run.returncode} {text}"


def test_write_errors_of_results(tmp):
    """The same for the result file, at its beginning, in the middle and at its end: status 4 with the reason, and no hang. On three ranks the others wait
    inside HDF5 for the one that failed, which ends all after 20 s."""
    shim = build_shim(tmp)

    def check(call, count, ranks):
        folder = Folder(tmp / f"{call}{count}_{ranks}")
        env = {"LD_PRELOAD": str(shim), "IO_ERROR_CALL": call, "IO_ERROR": "EIO", "IO_ERROR_FILE": f"{folder.path}/run.h5", "IO_ERROR_AFTER": str(count)}
        done = folder.run("case.yaml", status=None, env=env, ranks=ranks, timeout=60)
        what = f"{call} number {count} on {ranks} ranks"
        assert done.returncode == 4, f"{what}: status {done.returncode}\n{done.stdout}{done.stderr}"
        assert re.search(r"run\.h5\.1: cannot .*: Input/output error", done.stderr), f"{what}\n{done.stderr}"
        assert not (folder.path / "run.h5").exists()
        assert "not good" in folder.run("verify", "run.h5.1", status=4).stdout

    tasks = [("pwrite", 100, 3)] + [(call, count, ranks) for call, counts in (("pwrite", (0, 40, 80)), ("fsync", (0, 1))) for count in counts for ranks in (1, 2)]
    with ThreadPoolExecutor(8) as pool:  # mostly waiting, some for the 20 s
        list(pool.map(lambda task: check(*task), tasks))


# ---- results ----


def test_verify_result(tmp):
    folder = Folder(tmp / "run")
    folder.run("case.yaml", "output.checksums=true", ranks=2)
    for ranks in (1, 2):
        text = folder.run("verify", "run.h5", ranks=ranks).stdout
        assert "run.h5: complete, converged; 4 frames" in text and "every byte is as it was written, says run.sums" in text, text
    good = (folder.path / "run.h5").read_bytes()
    random.seed(SEED)
    for _ in range(COUNT or 5):
        bit = random.randrange(8 * len(good))
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        (folder.path / "run.h5").write_bytes(bad)
        assert "run.h5: not good: " in folder.run("verify", "run.h5", status=4, timeout=60).stdout, f"bit {bit}"
    (folder.path / "run.h5").write_bytes(good[: len(good) // 2])
    assert "run.h5: not good: " in folder.run("verify", "run.h5", status=4).stdout
    (folder.path / "run.h5").write_bytes(good)
    (folder.path / "run.sums").unlink()
    assert "no checksums beside it" in folder.run("verify", "run.h5").stdout
    for path, why in (("frames/000001/A", "other fields than"), ("series/total/0", None), ("frames/000002", "/frames/000002 is missing"), ("summary", "no summary")):
        with h5py.File(folder.path / "run.h5", "a") as file:
            if why:
                del file[path]
            else:
                file[path].resize((2,))
                why = "has not as many rows as /series/time"
        text = folder.run("verify", "run.h5", status=4).stdout
        assert why in text, text
        (folder.path / "run.h5").write_bytes(good)
    steady = CLOSED.replace("mode: transient, end: 0.1, tolerance: 1e-3", "mode: steady").replace("times: [0.003, 0.02], ", "")
    sweep = Folder(tmp / "sweep", steady + "sweep: {parameter: species.A2.diffusivity.mobility, values: [0.3, 0.4]}\n")
    sweep.run("case.yaml")
    assert "complete, converged; 2 frames, 2 points," in sweep.run("verify", "run.h5").stdout
    assert "no result of soret" in folder.run("verify", str(make_other(folder.path / "other.h5")), status=4).stdout
    assert "not good: No such file" in folder.run("verify", "nothing.h5", status=4).stdout


def test_verify_replaced(tmp):
    """Checksums and XDMF of an earlier result do not stay beside the one that takes its name, whether that was replaced or removed, nor where the run is
    killed before its own are written."""
    folder = Folder(tmp / "run")
    folder.run("case.yaml", "output.checksums=true")
    folder.run("case.yaml", "species.A.initial=2", "output={overwrite: true, file: run.h5, xdmf: false}")
    assert "no checksums beside it" in folder.run("verify", "run.h5").stdout and not (folder.path / "run.xdmf").exists()
    folder.run("case.yaml", "output.checksums=true", "output.overwrite=true")
    assert "every byte is as it was written" in folder.run("verify", "run.h5").stdout
    (folder.path / "run.h5").unlink()
    folder.run("case.yaml", "species.A.initial=2")
    assert "no checksums beside it" in folder.run("verify", "run.h5").stdout
    folder.run("case.yaml", "output.checksums=true", "output.overwrite=true")
    env = {"LD_PRELOAD": str(build_shim(tmp)), "IO_ERROR_CALL": "write", "IO_ERROR": "ENOSPC", "IO_ERROR_FILE": f"{folder.path}/run.sums"}
    done = folder.run("case.yaml", "species.A.initial=2", "output.checksums=true", "output.overwrite=true", status=4, env=env)
    assert "run.sums: cannot write the checksums: No space left on device" in done.stderr, done.stderr
    assert "no checksums beside it" in folder.run("verify", "run.h5").stdout


def make_other(path):
    with h5py.File(path, "w") as file:
        file["x"] = [1, 2]
    return path


def test_read_only_directory(tmp):
    folder = Folder(tmp / "run")
    (tmp / "run" / "there").mkdir()
    done = folder.run("case.yaml", "checkpoint.prefix=nowhere/run", status=4)
    assert "cannot write checkpoints 'nowhere/run.ckpt-*': directory 'nowhere': No such file or directory" in done.stderr
    if os.geteuid() != 0:
        (tmp / "run" / "there").chmod(0o555)
        assert "Permission denied" in folder.run("case.yaml", "checkpoint.prefix=there/run", status=4).stderr


def test_full_disk(tmp):
    """A small tmpfs; needs the right to mount."""
    small = tmp / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(small)], capture_output=True).returncode:
        print("  skipped: mounting is not allowed here")
        return
    try:
        folder = Folder(tmp / "run")
        done = folder.run("case.yaml", "checkpoint={every: 1e-6, keep: 1000, prefix: small/run}".replace("small", str(small)), status=4)
        assert "No space left on device" in done.stderr and "older ones are as they were" in done.stderr, done.stderr
        newest = sorted(small.glob("*.manifest"))[-1]
        folder.run("verify", str(newest))
        with h5py.File(folder.path / "run.h5.1") as file:
            assert "frames/000000/A" in file
        folder.run("resume", str(small / "run"), "checkpoint.every=1e9")
        finish_equal(folder, tmp, case=CLOSED)
        for path in small.iterdir():
            path.unlink()
        done = folder.run("case.yaml", f"output={{file: {small}/a.h5}}", "solve={mode: steady}", "domain.cells=[300, 300]", status=4, ranks=2)
        assert f"soret: the result '{small}/a.h5' will have about" in done.stderr and "its disk has 1.17 MiB left; nothing was run" in done.stderr and not list(small.iterdir()), done
        done = folder.run("case.yaml", f"output={{file: {small}/a.h5, every: 1e-4}}", status=4)
        assert f"warning: the result '{small}/a.h5' will have about" in done.stdout and "No space left on device" in done.stderr, done
    finally:
        subprocess.run(["umount", str(small)], check=True)


# ---- two writers ----


def test_stale_writer(tmp):
    """The process of a lost node wakes up beside its successor: it stops, and neither checkpoints nor results are touched by it."""
    folder = Folder(tmp / "run", LONG)
    args = ("case.yaml", "checkpoint={every: 1e-6}")
    stale = folder.start(*args)
    folder.wait_for_generation(after=1)  # the first is complete, whatever this process is stopped in
    stale.send_signal(signal.SIGSTOP)
    successor = folder.start("resume", "run", "checkpoint.every=0.05")
    while not list(folder.path.glob("run.ckpt-002-*.manifest")):
        assert successor.poll() is None, successor.communicate()[0]
        time.sleep(0.02)
    successor.send_signal(signal.SIGSTOP)
    theirs = {p.name: p.read_bytes() for p in [*folder.path.glob("run.ckpt-002*"), folder.path / "run.h5.2"]}
    stale.send_signal(signal.SIGCONT)
    text = stale.communicate(timeout=60)[0]
    assert stale.returncode == 4 and "a later attempt of this run writes checkpoints; this one was left behind and stops" in text, text
    intact(folder, theirs)
    successor.send_signal(signal.SIGCONT)
    text = successor.communicate(timeout=120)[0]
    assert successor.returncode == 0, text
    finish_equal(folder, tmp)


def test_one_prefix(tmp):
    """Two runs with one prefix that start before either has a checkpoint: one stops, the checkpoints are those of the other."""
    folder = Folder(tmp / "run", LONG)
    runs = [folder.start("case.yaml", f"output.file={name}.h5", "checkpoint={every: 0.05, prefix: cp}", "solve.end=0.2") for name in "ab"]
    texts = [run.communicate(timeout=120)[0] for run in runs]
    codes = [run.returncode for run in runs]
    assert sorted(codes) in ([0, 4], [0, 2]), (codes, texts)
    stopped = codes.index(max(codes))
    assert ("another run writes checkpoints there, and this one stops" if codes[stopped] == 4 else "there are checkpoints 'cp.ckpt-*'") in texts[stopped], texts


def main(names):
    tests = {name: test for name, test in globals().items() if name.startswith("test_")}
    failed = 0
    for name in names or tests:
        begin = time.time()
        with tempfile.TemporaryDirectory() as directory:
            try:
                tests["test_" + name.removeprefix("test_")](Path(os.path.realpath(directory)))
                print(f"good    {name} {time.time() - begin:.1f} s", flush=True)
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
