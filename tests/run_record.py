# SPDX-License-Identifier: BSD-2-Clause
"""What a run tells of itself and of how it was started: the performance record, the hints for MPI-IO, launchers that MPI does not know.
The program is $SORET, the launcher $MPIEXEC; with names of tests only these are run:

    SORET=build/soret python3 tests/run_record.py [test_...]
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import soretrun
from bench.cycles import dimer
from starting import environment

BOX = dict(soret=1, units="reduced", domain={"size": [1, 1], "cells": [40, 32]}, temperature="1 + 0.3*x",
           species=[{"name": "A", "diffusivity": 1, "initial": 1}, {"name": "B", "diffusivity": 2}],
           reactions=[{"equation": "A <=> B", "forward": 1, "backward": 2}], output={"file": "r.h5", "record": True})


def run(directory, *arguments, ranks=1, status=0, case=BOX, **environment):
    kept = dict(os.environ)
    os.environ.update({k: str(v) for k, v in environment.items()})
    try:
        done = soretrun.execute(case, arguments, ranks, directory=directory)
    finally:
        os.environ.clear()
        os.environ.update(kept)
    assert done.returncode == status, f"status {done.returncode} instead of {status}\n{done.stdout}{done.stderr}"
    return done


def record(directory, name="r.json"):
    return json.loads((Path(directory) / name).read_text())


def test_record(directory):
    """Phases add up to the whole; unknowns, iterations and bytes are those of the result."""
    run(directory, ranks=2)
    r = record(directory)
    assert (r["format"], r["ranks"], r["nodes"], r["ranks_per_node"]) == ("soret-record", 2, 1, 2)
    assert (r["unknowns"], r["cells"], r["species"], r["converged"]) == (2 * 40 * 32, 40 * 32, 2, 1)
    mean, most = (sum(p[k] for p in r["phases"].values()) for k in ("seconds", "seconds_max"))
    assert mean - 1e-4 <= r["seconds"] <= most + 1e-4, f"phases add up to {mean} .. {most}, the whole is {r['seconds']} s"
    # temperature, two species: 8 bytes each; cell centres and edges; a series of one row
    columns = 8 + 2 * 2
    fields, axes = 3 * 8 * 40 * 32, 8 * (40 + 41 + 32 + 33)
    assert fields + axes < r["file_bytes"] < fields + axes + 8 * 2 * columns, r["file_bytes"]
    assert 1e6 < r["peak_bytes"]["rank_min"] <= r["peak_bytes"]["rank_max"] < r["peak_bytes"]["sum"]
    halo, residual = r["phases"]["halo"], r["phases"]["residual"]
    # the longer axis is split: a message holds a face of 32 cells, of two species or of one field
    assert halo["messages"] > 0 and halo["message_bytes"] % (8 * 32) == 0 and 8 * 32 <= halo["message_bytes"] / halo["messages"] <= 8 * 32 * 2, halo
    assert residual["calls"] >= r["newton_iterations"] > 0
    assert sum(p["reductions"] for p in r["phases"].values()) > 0


def test_record_when_asked(directory):
    """Off unless asked for; beside an attempt where the run did not converge; the hash tells cases apart, overrides do not change it."""
    run(directory, "output.record=false")
    assert not list(Path(directory).glob("*.json"))
    run(directory, "solve.mode=transient", "solve.end=1", "solve.max_steps=1", "output.file=t.h5", status=3)
    assert record(directory, "t.h5.1.json")["converged"] == 0
    run(directory, "output.file=s.h5")
    run(directory, "output.file=o.h5", case={**BOX, "title": "another"})
    hashes = [record(directory, n)["case_hash"] for n in ("t.h5.1.json", "s.json", "o.json")]
    assert hashes[0] == hashes[1] != hashes[2]


def test_record_cannot_be_written(directory):
    """The result counts: a record that fails is a warning."""
    (Path(directory) / "r.json.new").mkdir()
    done = run(directory)
    assert "warning: cannot write the performance record 'r.json'" in done.stderr and (Path(directory) / "r.h5").exists()


def test_log(directory):
    """-log_view names the phases of the record: stages for those that a run goes through, events inside them."""
    log = run(directory, "-log_view", "solve.tolerance=1e-6", "-snes_type", "fas").stdout
    stages = [line.split(":")[1].strip() for line in log.splitlines() if re.match(r" *\d+: +soret ", line)]
    assert stages == ["soret setup", "soret solve", "soret output"], stages
    events = {" ".join(line.split()[:2]): int(line.split()[2]) for line in log.splitlines() if re.match(r"soret \w+ +\d+ \d", line)}
    assert {"soret residual", "soret smoother", "soret transfer", "soret coarse", "soret halo"} <= set(events) and min(events.values()) > 0, events


def test_hints(directory):
    """They arrive in MPI-IO; seen through ROMIO, which prints what it uses."""
    done = run(directory, "output.hints={cb_nodes: 1, cb_buffer_size: 4194304}", ranks=2, OMPI_MCA_io="romio321", ROMIO_PRINT_HINTS=1)
    if "cb_nodes" not in done.stdout + done.stderr:
        return  # another MPI, or none with ROMIO
    lines = [" ".join(line.split()) for line in (done.stdout + done.stderr).splitlines()]
    assert "key = cb_buffer_size value = 4194304" in lines and "key = cb_nodes value = 1" in lines, lines


def test_singletons(directory):
    """One rank in a launch of four: refused, and told once, by the process that the launcher calls the first."""
    for size, rank in (("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"), ("PMI_SIZE", "PMI_RANK"), ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK")):
        environment = {"SORET_ANY_SIZE": "", size: 4}
        done = run(directory, status=2, **environment, **{rank: 0})
        assert f"{size} is 4, but MPI has one rank" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
        assert not run(directory, status=2, **environment, **{rank: 3}).stderr
    assert not (Path(directory) / "r.h5").exists()
    run(directory, SLURM_STEP_NUM_TASKS=4, SLURM_PROCID=0, SORET_ANY_SIZE=1)


def test_no_launcher(directory):
    """In a job of four tasks, started as one process."""
    done = run(directory, status=2, SLURM_JOB_ID=1, SLURM_NTASKS=4)
    assert "write `srun soret ...` or `mpirun soret ...`" in done.stderr
    run(directory, SLURM_JOB_ID=1, SLURM_NTASKS=1)


def test_coarse_levels(directory):
    """Levels with few cells for each of 8 ranks cost one collective message a cycle and no others, in the start as well; all else needs at most three reductions for a level."""
    case = dict(BOX, domain={"size": [1, 1, 1], "cells": [24, 24, 24]}, output={"file": "r.h5", "record": True, "fields": []})
    run(directory, "-snes_type", "fas", ranks=8, case=case)
    r = record(directory)
    coarse, cycles = r["phases"]["coarse"], r["cycles"]
    assert coarse["messages"] == 0 and 0 < coarse["reductions"] <= cycles + 4, coarse
    levels = [r["phases"][name] for name in ("smoother", "residual", "transfer", "halo")]
    assert 0 < sum(p["reductions"] for p in levels) <= 3 * 2 * 2 * (cycles + 4), levels


def test_memory_per_rank(directory):
    """Nothing is gathered: on 16 ranks the one with most memory has less than half a field more than the one with least. The buffer of the rank that
    collects for MPI-IO is bounded, and here kept to 1 MiB."""
    case = dict(soret=1, units="reduced", domain={"size": [1, 1, 1], "cells": [112, 112, 112]}, temperature=1,
                species=[{"name": "A", "diffusivity": 1, "initial": 1}, {"name": "B", "diffusivity": 2, "initial": 2}],
                output={"file": "m.h5", "fields": ["flux"], "record": True, "hints": {"cb_buffer_size": 1048576}})
    run(directory, ranks=16, case=case, OMPI_MCA_io_ompio_bytes_per_agg=1048576)
    peak, field = record(directory, "m.json")["peak_bytes"], 8 * 112**3
    assert peak["rank_max"] - peak["rank_min"] < 0.5 * field, peak
    print(f"peak memory of 16 ranks: {peak['rank_min'] / 2**20:.1f} to {peak['rank_max'] / 2**20:.1f} MiB, a field has {field / 2**20:.1f} MiB")


def peak_of(command, directory):
    """What a process prints, and the most memory that it had, bytes."""
    with open(Path(directory) / "out", "w+") as out:
        process = subprocess.Popen(command, cwd=directory, stdout=out, stderr=subprocess.STDOUT, env=environment(1))
        _, status, usage = os.wait4(process.pid, 0)
        out.seek(0)
        text = out.read()
    assert status == 0, text
    return text, 1024 * usage.ru_maxrss


def test_memory_of_species(directory):
    """What `soret check` foresees without heat conduction is enough, and not much more than is taken: with one conductivity and with several, with many rate constants that vary, beside solid, in time, with all fields in the result, in a flow, and in one
    driven by buoyancy, which a factorisation finds. Of Newton's method with
    cycles, which a run may fall back on, 400 bytes per unknown are enough."""
    soret = os.path.abspath(os.environ.get("SORET", "soret"))
    output = {"output": {"file": "m.h5", "overwrite": True, "xdmf": False}}
    several = dimer(80)
    several["species"] = [{**species, "convention": "fick"} for species in several["species"]]
    many = dimer(64)
    many["reactions"] = [{"equation": many["reactions"][0]["equation"], "forward": f"{k}*exp(-{k}/T)", "backward": f"exp(-{k}/T)"} for k in range(1, 9)]
    inert = dimer(80) | {"species": dimer(80)["species"][:1], "reactions": [], "output": {"fields": ["flux", "soret", "meter"]}}
    swirl = dimer(64) | {"flow": {"velocity": ["sin(pi*x)*cos(pi*y)", "-cos(pi*x)*sin(pi*y)", 0]}}
    buoyancy = dimer(16) | {"domain": {"size": [1, 1], "cells": [100, 100]}, "temperature": "1 + 0.4*x", "flow": {"boussinesq": {"gravity": [0, -9.81], "expansion": 0.01, "viscosity": 0.3}}}
    for what, case in (("one conductivity", dimer(96)), ("all fields", inert), ("flow", swirl), ("buoyancy", buoyancy), ("several", several), ("many reactions", many), ("solid", dimer(64, solid="((x-0.5)^2 + (y-0.5)^2 + (z-0.5)^2) < 0.04")),
                       ("in time", dimer(48) | {"solve": {"mode": "transient", "end": 1e-3, "tolerance": 1e-2}})):
        (Path(directory) / "m.yaml").write_text(json.dumps(case | {"output": case["output"] | output["output"]}))
        told, _ = peak_of([soret, "check", "m.yaml"], directory)
        _, most = peak_of([soret, "m.yaml"], directory)
        foreseen = float(re.search(r"memory: about ([\d.e+-]+) GiB", told)[1]) * 2**30
        print(f"memory, {what}: {most / 2**20:.0f} MiB, foreseen {foreseen / 2**20:.0f}")
        assert most <= 1.03 * foreseen <= 1.3 * most, (what, most, foreseen)
    (Path(directory) / "m.yaml").write_text(json.dumps(dimer(48) | output))
    _, most = peak_of([soret, "m.yaml", "-snes_type", "newtonls"], directory)
    print(f"memory, Newton's method with cycles: {most / 2**20:.0f} MiB, {(most - 5e7) / (2 * 48**3):.0f} bytes per unknown")
    assert most <= 5e7 + 400 * 2 * 48**3, most


def test_memory_of_heat(directory):
    """What `soret check` foresees with heat conduction is enough, and not much more than is taken (a steady temperature is found by the check itself): by multigrid with one conductivity and with k(T), in three dimensions and in two,
    with walls that change in time, integrated in time, and with a matrix."""
    soret = os.path.abspath(os.environ.get("SORET", "soret"))
    heat = dict(conductivity=1, boundaries={"x-": {"value": 1}, "x+": {"value": 1.2}})
    case = dict(soret=1, units="reduced", domain={"size": [1, 1, 1], "cells": [64, 64, 64]}, temperature={"conduction": heat},
                species=[{"name": "A", "diffusivity": 1, "initial": 1}], output={"file": "m.h5", "overwrite": True, "xdmf": False})
    in_time = {"domain": {"size": [1, 1, 1], "cells": [40, 40, 40]}, "solve": {"mode": "transient", "end": 1e-4, "first_step": 1e-4, "tolerance": 0.1}}
    for what, changes, conduction, options in (
            ("3D", {}, {}, []), ("k(T)", {}, {"conductivity": "T"}, []), ("2D", {"domain": {"size": [1, 1], "cells": [500, 500]}}, {}, []),
            ("walls that change", in_time, {"boundaries": {"x-": {"value": 1}, "x+": {"value": "1.2 + sin(9*t)"}}}, []),
            ("in time", in_time, {"heat_capacity": 1, "initial": 1}, []), ("a matrix", {"domain": {"size": [1, 1, 1], "cells": [48, 48, 48]}}, {}, ["-heat_pc_type", "gamg"])):
        (Path(directory) / "m.yaml").write_text(json.dumps({**case, **changes, "temperature": {"conduction": {**heat, **conduction}}}))
        told, most = peak_of([soret, "check", "m.yaml", *options], directory)
        if changes is in_time:
            _, most = peak_of([soret, "m.yaml", *options], directory)
        foreseen = float(re.search(r"memory: about ([\d.e+-]+) GiB", told)[1]) * 2**30
        print(f"memory with heat, {what}: {most / 2**20:.0f} MiB, foreseen {foreseen / 2**20:.0f}")
        assert most <= 1.01 * foreseen <= 1.5 * most, (what, most, foreseen)


def main(names):
    failed = 0
    for name in names or [n for n in globals() if n.startswith("test_") and "memory" not in n]:
        if "memory" in name and "ASAN_OPTIONS" in os.environ:
            print(f"{name}: left out, the sanitizer takes memory of its own")
            continue
        with tempfile.TemporaryDirectory() as directory:
            try:
                globals()[name](directory)
            except AssertionError as error:
                failed += 1
                print(f"{name}: {error}")
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
