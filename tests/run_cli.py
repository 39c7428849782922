# SPDX-License-Identifier: BSD-2-Clause
"""The command line of soret: commands, overrides, exit status, what is written and what is left alone. Each test has a directory of its
own with a small case; run with names of tests to try some of them. The program is $SORET, the launcher $MPIEXEC."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np

from starting import environment

SORET = shutil.which(os.environ.get("SORET", "soret"))
MPIEXEC = os.environ.get("MPIEXEC", "mpiexec")
ROOT = Path(__file__).parent.parent

CASE = """soret: 1
title: two states
units: reduced
domain: {size: [1], cells: [16]}
temperature: 1 + x
species:
  - {name: A, diffusivity: 1, initial: 1}
  - {name: B, diffusivity: 2}
reactions:
  - {equation: A <=> B, forward: 1, backward: 2}
output: {file: result.h5}
"""
BINDING = ["species=[{name: A, diffusivity: 1, initial: 1}, {name: B, diffusivity: 1, initial: 1}, {name: AB, diffusivity: 1}]", "reactions=[{equation: A + B <=> AB, forward: 1, backward: 1}]"]
TRANSIENT = ["solve.mode=transient", "solve.end=0.1"]


class Soret:
    """Runs the program in a directory."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.write("case.yaml", CASE)

    def __call__(self, *args, status=0, ranks=1, **variables):
        launch = [MPIEXEC, "-n", str(ranks)] if ranks > 1 else []
        done = subprocess.run([*launch, SORET, *args], cwd=self.directory, env=environment(ranks, **variables), capture_output=True, text=True, timeout=240)
        assert done.returncode == status, f"soret {' '.join(args)}: status {done.returncode} instead of {status}\n{done.stdout}{done.stderr}"
        return done

    def bytes_written(self, *args):
        """How many a run passes to the system, as that counts them."""
        with subprocess.Popen([SORET, *args], cwd=self.directory, env=environment(1), stdout=subprocess.DEVNULL) as run:
            os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)
            counts = Path(f"/proc/{run.pid}/io").read_text()
        assert run.returncode == 0, f"soret {' '.join(args)}: status {run.returncode}"
        return int(re.search(r"wchar: (\d+)", counts)[1])

    def write(self, name, text):
        (self.directory / name).write_text(text)

    def files(self):
        return sorted(p.name for p in self.directory.iterdir())

    def open(self, name="result.h5"):
        return h5py.File(self.directory / name)


def attribute(group, name):
    value = group.attrs[name]
    return value.decode() if isinstance(value, bytes) else value


def contains(text, *parts):
    for part in parts:
        assert part in text, f"'{part}' is not in\n{text}"


# ---- commands ----


def test_help(soret):
    text = soret("--help").stdout
    lines = text.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80, "the help does not fit on a screen of 24 lines and 80 columns"
    contains(text, "check", "reference", "info", "compare", "--version", "key.path=value", "Exit status: 0 done, 1 internal error, 2 the input is wrong")
    assert soret("-h").stdout == text and soret("check", "--help").stdout == text


def test_version(soret):
    assert re.fullmatch(r"soret \d+\.\d+\.\d+\n", soret("--version").stdout)


def test_without_mpi(soret):
    """What needs no MPI is told by one rank, and leaves no directory for temporary files behind."""
    for args, status, start in ((("--version",), 0, "soret 0"), (("--help",), 0, "  soret reference"), ((), 2, "  soret reference")):
        done = soret(*args, ranks=3, status=status)
        assert (done.stdout + done.stderr).count(start) == 1, done
    (soret.directory / "temporary").mkdir()
    for args, status in ((("--version",), 0), (("--help",), 0), ((), 2)):
        soret(*args, status=status, TMPDIR=str(soret.directory / "temporary"))
    assert not list((soret.directory / "temporary").iterdir())


def test_streams(soret):
    """A command whose answer cannot be written fails, a reader that has seen enough is no error; a run is done although its log is lost. Streams that are closed do no harm."""
    soret("case.yaml")
    answers = ("--help", "--version", "reference", "info result.h5", "check case.yaml", "verify result.h5", "compare result.h5 result.h5")
    for command, status in [*((answer, 4) for answer in answers), ("case.yaml --overwrite", 0)]:
        for streams, expected in ((">/dev/full", status), (">&-", 0), ("<&- >&- 2>&-", 0), ("2>/dev/full | head -n 1", 0)):
            script = f"set -o pipefail; '{SORET}' {command} {streams}"
            done = subprocess.run(["bash", "-c", script], cwd=soret.directory, env=environment(), capture_output=True, text=True, timeout=60)
            assert done.returncode == expected, f"{script}: {done}"
            assert ("standard output cannot be written" in done.stderr) == (expected == 4) and "PETSC" not in done.stderr, f"{script}: {done}"
    soret("verify", "result.h5")


def test_no_arguments(soret):
    done = soret(status=2)
    assert not done.stdout
    contains(done.stderr, "Exit status")


def test_wrong_arguments(soret):
    for args, message in {
        ("chek", "case.yaml"): "soret: unknown command 'chek'; did you mean 'check'? See soret --help\n",
        ("case.yaml", "--overwite"): "soret: unknown argument '--overwite'; see soret --help\n",
        ("case.yaml", "case.yaml"): "soret: unexpected argument 'case.yaml' (overrides are written key.path=value); see soret --help\n",
        ("check",): "soret: 'check' needs 1 file name; see soret --help\n",
        ("compare", "a.h5"): "soret: 'compare' needs 2 file names; see soret --help\n",
        ("compare", "a.h5", "b.h5", "--rtol", "small"): "soret: --rtol needs a number, 0 or more, after it; see soret --help\n",
        ("compare", "a.h5", "b.h5", "--atol"): "soret: --atol needs a number, 0 or more, after it; see soret --help\n",
        ("nowhere.yaml",): "soret: cannot read 'nowhere.yaml': No such file or directory\n",
        ("check", "."): "soret: cannot read '.': Is a directory\n",
    }.items():
        assert soret(*args, status=2).stderr == message
    assert soret.files() == ["case.yaml"]


def test_check_of_several(soret):
    soret.write("bad.yaml", CASE.replace("diffusivity: 2", "diffusivity: -2"))
    done = soret("check", "case.yaml", "bad.yaml", "case.yaml", "domain.cells=[8]", status=2)
    parts = re.split(r"^# (\S+)\n", done.stdout, flags=re.M)
    assert parts[1::2] == ["case.yaml", "bad.yaml", "case.yaml"] and parts[2] == parts[6] == soret("check", "case.yaml", "domain.cells=[8]").stdout and not parts[4]
    assert re.findall(r"^# (\S+)$|^([\w.]+:\d+):", done.stderr, re.M) == [("case.yaml", ""), ("bad.yaml", ""), ("", "bad.yaml:8"), ("case.yaml", "")], done.stderr
    assert soret("check", "case.yaml", "case.yaml").stdout.count("# case.yaml\n") == 2


def test_reference(soret):
    document = (ROOT / "docs" / "case-reference.md").read_text()
    lines = [line for line in document.splitlines() if not line.startswith("<!--")]
    assert soret("reference").stdout.splitlines() == lines, "docs/case-reference.md is not what `soret reference` prints"


def test_check(soret):
    done = soret("check", "case.yaml", "totals=[{of: A + B, mean: 3}]", "boundaries={x-: {A: {flux: 0}}}", "output.fields=[flux]")
    assert not done.stderr
    contains(done.stdout, "case.yaml: two states", "steady, 1D, 16 cells, 2 species, 1 reaction: 32 unknowns", "A + B = 3 (mean, prescribed)", "x-: A flux 0, B zero total flux",
             "x+: A zero total flux, B zero total flux", "A <=> B: Damkoehler number", "memory: about", "result file 'result.h5': about")
    assert soret.files() == ["case.yaml"], "check writes nothing"
    swept = soret("check", "case.yaml", "domain={size: [1, 1], cells: [16, 4]}", "sweep={parameter: species.A.initial, values: [1, 2, 3]}", "totals=[]").stdout
    contains(swept, "steady, 2D, 16 x 4 cells,", "MiB in 3 frames\n")
    assert "in 1 frame" not in swept, swept


def test_check_file_size(soret):
    """What `check` promises is what the disk has to hold, for small files and for large ones."""
    large = "domain.cells=[20000]"
    for margin, overrides in ((0.2, []), (0.2, ["domain={size: [1, 1, 1], cells: [24, 20, 16]}", "output.fields=[concentration, flux, rate]"]),
                              (0.2, [*TRANSIENT, "output.every=0.01", "domain.cells=[5000]"]), (0.05, ["output.fields=[soret, meter]", large]),
                              (0.05, ["output.fields=[soret]", large, "boundaries={x-: {A: {value: 1}, B: {value: 1}}}"])):
        told = float(re.search(r"about ([\d.e+-]+) MiB in", soret("check", "case.yaml", *overrides).stdout).group(1)) * 2**20
        soret("case.yaml", *overrides, "--overwrite")
        size = os.path.getsize(soret.directory / "result.h5")
        assert abs(told - size) < margin * size, f"{told} bytes told, {size} written, with {overrides}"


# ---- overrides ----


def test_overrides(soret):
    soret("case.yaml", "species.A.initial=2", "species.1.initial=1", "domain.cells=[8]", "reactions.0.backward=1", "title='by hand'")
    with soret.open() as f:
        assert f["frames/000000/A"].shape == (8,) and attribute(f, "title") == "by hand"
        np.testing.assert_allclose(f["series/total/0"][0], 3.0, rtol=1e-12)


def test_near_misses(soret):
    """What is written elsewhere, or nearly right, is told to be that."""
    for mistake, hint in {"sweep={parameter: k, values: [1]}": "the path of the parameter 'k' is 'parameters.k'", "reactions.0.equation=2*A <=> B": "as in '2 A + B'", "reactions.0.equation=A+A <=> B": "as in '2 A + B'"}.items():
        soret.write("near.yaml", CASE.replace("A <=> B", mistake[21:]) if mistake.startswith("reactions") else CASE + f"parameters: {{k: 1}}\nsweep: {mistake[6:]}\n")
        contains(soret("check", "near.yaml", status=2).stderr, hint)
    contains(soret("check", "case.yaml", "parameters={k: 1}", "k=2", status=2).stderr, "the path of the parameter is 'parameters.k'")
    contains(soret("run", "case.yaml", status=2).stderr, "a case is run without a command: soret case.yaml")


def test_overrides_that_take_out(soret):
    """A key is as if it had never been there, for all that looks for it."""
    soret.write("case.yaml", CASE + "solve: {mode: transient, end: 1}\nsweep: {parameter: species.A.initial, values: [1]}\nboundaries: {x-: {A: {value: 1}}}\n")
    said = soret("check", "case.yaml", "solve.mode=steady", "solve.end=null", "sweep=null", "boundaries.x-.A=null", "reactions.0.backward=null", "reactions.0.equilibrium=2").stdout
    contains(said, "steady, 1D", "x-: A zero total flux")
    assert "sweep" not in said
    contains(soret("check", "case.yaml", "temperature=null", status=2).stderr, "missing key 'temperature'")


def test_overrides_of_numbers(soret):
    first = soret("check", "case.yaml", "domain.cells=[2^5]", "parameters={k: 3}", "reactions.0.forward=k*T").stdout
    contains(first, ", 32 cells,", "Damkoehler number 2.25 forward")


def test_unused_parameters(soret):
    said = soret("check", "case.yaml", "parameters={k: 3, m: 1, k2: 2*m, T0: 1}", "reactions.0.forward=k*T", "sweep={parameter: parameters.T0, values: [1, 2]}", "title='k2 and T0'").stdout
    assert re.findall(r"no formula uses the parameter '(\w+)'", said) == ["k2", "T0"], said


def test_many_frames(soret):
    """The .xdmf, which is not written anew for each of many frames, has all of them when the run ends, also where it ends early."""
    for steps, status, name in ((180, 3, "result.h5.1"), (10000, 0, "result")):
        soret("case.yaml", *TRANSIENT, f"solve.max_steps={steps}", "solve.end=0.02", "output.every=1e-4", status=status)
        with soret.open("result.h5" if status == 0 else name) as f:
            assert len(f["frames"]) == (soret.directory / f"{name}.xdmf").read_text().count("<Time") > 64


def test_sweep_without_frames(soret):
    """No .xdmf of no frames, which ends ParaView."""
    soret("case.yaml", "parameters={k: 1}", "reactions.0.forward=k", "sweep={parameter: parameters.k, values: [1, 2], frames: none}", "solve.mode=steady")
    assert soret.files() == ["case.yaml", "result.h5"]
    with soret.open() as f:
        assert len(f["frames"]) == 0 and list(f["sweep/frame"]) == [-1, -1]


def test_formula_with_a_choice(soret):
    """To YAML "a ? b : c" is a map; that it needs quotes is said once."""
    done = soret("check", "case.yaml", "temperature=x < 0.5 ? 1 : 2", status=2)
    contains(done.stderr, "a formula with it needs quotes within those of the shell", "1 error in ")
    soret("check", "case.yaml", "temperature='x < 0.5 ? 1 : 2'")


def test_sweep_says_what_single_runs_say(soret):
    """The largest Peclet number, water beyond what is known of it, time in a steady run: of the case, and of each point where something else is to be said."""
    soret.write("case.yaml", """soret: 1
parameters: {v: 1e-5, T0: 350}
domain: {size: [1e-3], cells: [16], periodic: [x]}
temperature: T0 + 0*t
species: [{name: A, diffusivity: {law: stokes_einstein, radius: 1e-9, viscosity: water}, initial: 1}]
flow: {velocity: [v]}
output: {file: result.h5, xdmf: false, overwrite: true}
""")
    sweep = "sweep={parameter: parameters.T0, values: [350, 350, 390, 390], frames: none}"
    lines = lambda *args: [line for line in soret("case.yaml", *args).stdout.splitlines() if line.startswith(("largest cell Peclet", "warning: ", "flow: "))]
    cold, hot = lines(), lines("parameters.T0=390")
    assert len(cold) == 3 and len(hot) == 4 and "extrapolated to T from 390 to 390" in hot[-1]
    assert lines(sweep) == cold + hot[1:]
    assert lines(sweep, "parameters.T0=390") == hot + cold[1:] + hot[1:]


def test_sweep_of_a_guess(soret):
    """Where `totals` or walls fix the amounts a steady state keeps nothing of `initial`: said by the check and the run, and of no other sweep."""
    case = ["case.yaml", "parameters={c: 1, d: 2*c}", "species.A.initial=d", "domain.cells=[4]", "--overwrite"]
    totals, wall = ["totals=[{of: A + B, mean: 1}]", "solve.mode=steady"], ["boundaries={x-: {A: {value: 1}}}", "solve.mode=steady"]
    warned = lambda *args: "changes nothing but the guess" in soret(*args).stdout
    for path in ("parameters.c", "species.A.initial", "species.1.initial"):
        sweep = f"sweep={{parameter: {path}, values: [1, 2]}}"
        assert warned(*case, sweep, *totals) and warned("check", *case, sweep, *wall)
        assert not warned("check", *case, sweep) and not warned("check", *case, sweep, *TRANSIENT)
    for other in ("reactions.0.forward=c", "species.B.diffusivity=d", "totals=[{of: A + B, mean: d}]"):
        assert not warned("check", *case, *totals, "sweep={parameter: parameters.c, values: [1, 2]}", other)


def test_sweep_without_steady_states(soret):
    """What is wrong is what the value leads to, not the value."""
    said = soret("case.yaml", "parameters={j: 0}", "boundaries={x-: {A: {flux: j}}}", "sweep={parameter: parameters.j, values: [0, 1]}", "solve.mode=steady", "domain.cells=[4]", status=3)
    contains(said.stderr, "the walls bring in 1 of 'A + B' per time")
    contains(said.stdout, "1 of 2 points failed, the first at parameters.j = 1: there is no single steady state at this value; why stands in the log")


def test_sweep_has_the_unit_of_its_key(soret):
    """Also where that is known from the file alone, or from the values; plain numbers of a parameter have none."""
    case = ["case.yaml", "units=SI", "parameters={k: 3 1/min, c: 1, d: 1, T0: 1}", "reactions.0.forward=k*d", "totals=[{of: A + B, mean: c}]", "temperature=T0 + x", "solve.mode=steady", "--overwrite"]
    keys = {"parameters.k": "[1, 2]", "parameters.c": "[1 mM, 2 mM]", "parameters.d": "[1, 2]", "parameters.T0": "[20 degC, 30 degC]", "reactions.0.backward": "[1 /s, 2 /s]", "species.A.energy": "[1, 2]"}
    units = []
    for key, values in keys.items():
        said = soret(*case, f"sweep={{parameter: {key}, values: {values}, frames: none}}").stdout
        with soret.open() as f:
            units.append(attribute(f["sweep/parameter"], "units") if "units" in f["sweep/parameter"].attrs else "")
    assert units == ["1/s", "mol/m^3", "", "K", "1/s", "J/mol"], units
    contains(said, "1/2  species.A.energy = 1 J/mol      ")
    contains(soret("info", "result.h5").stdout, "sweep\n  parameter             species.A.energy\n  2 rows of: ")
    for values, parameter in (("[1 1/min, 1 s]", "k"), ("[1 1/s, 1 s]", "d")):
        contains(soret("check", *case[:-1], f"sweep={{parameter: parameters.{parameter}, values: {values}}}", status=2).stderr, f"'1 s' is in s, and parameters.{parameter} in 1/s")
    contains(soret("check", "case.yaml", "units=SI", "sweep={parameter: reactions.0.backward, values: [1 /m]}", status=2).stderr, "'1/m' is not a unit of backward; expected 1/s")


def test_sweep_of_many_points(soret):
    """The table is not written anew for each of them: twice as many are not four times the bytes."""
    sweep = "sweep={parameter: parameters.k, range: {from: 1, to: 2, count: %d}, frames: none}"
    case = ["case.yaml", "parameters={k: 1}", "reactions.0.forward=k", "solve.mode=steady", "domain.cells=[4]", "--overwrite"]
    few, many = (soret.bytes_written(*case, sweep % n) for n in (120, 240))
    assert many < 2.5 * few, (few, many)
    with soret.open() as f:
        assert len(f["sweep/parameter"]) == 240 and list(f["sweep/order"]) == list(range(240))


def test_sweep_made_of_its_parameter(soret):
    """The values are those of the case as it stands: they are not read again with each of them in the place of the parameter."""
    soret("case.yaml", "parameters={k: 1}", "reactions.0.forward=k", "sweep={parameter: parameters.k, values: [k, 2*k, 3, 1/(3 - k)]}", "solve.mode=steady")
    with soret.open() as f:
        assert list(f["sweep/parameter"]) == [1, 2, 3, 0.5]


def test_sweep_with_other_sums(soret):
    """A table has one name for each sum: where a wall of no effect makes others conserved, the value is refused, and so is such a case to begin with."""
    case = ["case.yaml", *BINDING, "parameters={h: 1}", "boundaries={x-: {A: {transfer: h, outside: 1}, B: {transfer: h, outside: 1}, AB: {value: 0.7}}}", "sweep={parameter: parameters.h, values: [1, 0, 2]}"]
    done = soret(*case, status=3)
    contains(done.stderr, "so that other sums are conserved")
    with soret.open("result.h5.1") as f:
        assert list(f["sweep/converged"]) == [1, 0, 1] and np.isnan(f["sweep/total/0"][1]) and np.all(f["sweep/total/0"][::2] > 0)
    contains(soret(*case, "parameters.h=0", status=2).stderr, "so that other sums are conserved")
    soret(*case, "boundaries.x-={A: {transfer: h, outside: 1}}", "output.file=same.h5")  # A + AB is conserved or not, and has its name
    with soret.open("same.h5") as f:
        assert list(f["sweep/converged"]) == [1, 1, 1]


def test_sweep_of_solid(soret):
    """A result file holds one mask."""
    case = ["case.yaml", "domain={size: [1.0], cells: [32], solid: x - a}", "sweep={parameter: parameters.w, values: [0.4, 0.6]}", "solve.mode=steady"]
    varies, other = "parameters={k: 2, w: 0.5, a: 1.2*w}", "parameters={k: 2, w: 0.5, a: 0.8}"
    for change in (["parameters={k: 2, w: 0.5, a: 0.5}", "sweep.parameter=parameters.a"], [varies]):
        contains(soret("check", *case, *change, status=2).stderr, "changes what is solid, and a result file holds one solid; use `frames: none`")
        soret("check", *case, *change, "sweep.frames=none")
    soret("check", *case, other)
    chain = ", ".join(f"p{k}: {'+'.join(f'p{j}' for j in range(k)) or 'w'}" for k in range(40))  # looked through once, not along every way
    soret("check", *case, f"parameters={{k: 2, w: 0.5, a: 0.8, {chain}}}")
    assert "changes what is solid" in soret("check", *case, f"parameters={{k: 2, w: 0.5, {chain}, a: 0.8 + 0*p39}}", status=2).stderr


# ---- results ----


def test_result(soret):
    soret("case.yaml")
    assert soret.files() == ["case.yaml", "result.h5", "result.xdmf"]
    with soret.open() as f:
        assert attribute(f, "format") == "soret" and attribute(f, "format_version") == 1
        assert attribute(f, "case") == CASE and attribute(f, "command").endswith("case.yaml") and attribute(f, "ranks") == 1
        for name in ("version", "commit", "petsc_version", "mpi_version", "hdf5_version", "libyaml_version"):
            assert attribute(f, name), f"no {name}"
        assert soret("--version").stdout.split()[1] == attribute(f, "version")
        assert f["summary"].attrs["converged"] == 1 and f["summary"].attrs["reason"]
    contains(soret("info", "case.yaml", status=4).stderr, "not an HDF5 file, as results are; `soret check` reads case files")
    contains(soret("check", "result.h5", status=2).stderr, "this is an HDF5 file, not a case file; `soret info` reads it")
    contains(soret("info", "result.h5").stdout, "two states", "x 0 .. 1 in 16 cells", "in the last one: A B", "converged", "temperature: 1 + x")


def test_info_of_long_names(soret):
    """Names in a file that another program made."""
    for length in (7, 501, 502, 503, 504, 2000):
        with h5py.File(soret.directory / "other.h5", "w") as f:
            f[f"frames/{'x' * length}/A"] = [1.0, 2.0]
            f[f"frames/{'x' * length}"].attrs["time"] = 7.0
        contains(soret("info", "other.h5").stdout, "1, time 7 .. 7\n  in the last one: A\n")


def test_default_name(soret):
    soret.write("other.yaml", CASE[: CASE.index("output:")])
    soret("other.yaml")
    assert soret.files() == ["case.yaml", "other.h5", "other.xdmf", "other.yaml"]


def test_existing_result_is_kept(soret):
    soret("case.yaml")
    before = (soret.directory / "result.h5").read_bytes()
    done = soret("case.yaml", "species.A.initial=2", status=2)
    contains(done.stderr, "the result file 'result.h5' exists; nothing was run", "output.overwrite=true")
    assert (soret.directory / "result.h5").read_bytes() == before and soret.files() == ["case.yaml", "result.h5", "result.xdmf"]


def test_overwrite(soret):
    soret("case.yaml")
    soret("case.yaml", "species.A.initial=2", "output.overwrite=true")
    with soret.open() as f:
        np.testing.assert_allclose(f["series/total/0"][0], 2.0, rtol=1e-12)
    soret("case.yaml", "species.A.initial=3", "--overwrite")
    with soret.open() as f:
        np.testing.assert_allclose(f["series/total/0"][0], 3.0, rtol=1e-12)
    assert soret.files() == ["case.yaml", "result.h5", "result.xdmf"]


def test_not_converged(soret):
    for attempt in (1, 2):
        done = soret("case.yaml", *TRANSIENT, "solve.max_steps=1", status=3)
        contains(done.stdout, "max_steps reached", f"result in result.h5.{attempt}")
    assert soret.files() == ["case.yaml", "result.h5.1", "result.h5.1.xdmf", "result.h5.2", "result.h5.2.xdmf"]
    with soret.open("result.h5.1") as f:
        assert f["summary"].attrs["converged"] == 0
    soret("case.yaml", *TRANSIENT)
    assert "result.h5" in soret.files()


def test_overwrite_replaces_results_alone(soret):
    # not what the case is read from, and nothing that is no regular file: a pipe stands for the devices, which root could replace
    os.mkfifo(soret.directory / "pipe.h5")
    (soret.directory / "folder.h5").mkdir()
    (soret.directory / "link.h5").symlink_to("pipe.h5")
    with h5py.File(soret.directory / "fields.h5", "w") as f:
        f["c"] = np.ones(16)
    before = soret.files()
    for name in ("pipe.h5", "folder.h5", "link.h5", f"{soret.directory}/pipe.h5"):
        contains(soret("case.yaml", f"output.file={name}", "--overwrite", status=2).stderr, f"soret: '{name}' is there and no regular file; nothing was run")
        soret("case.yaml", f"output.file={name}", status=2)
    for name in ("case.yaml", "./fields.h5"):
        for command in ([], ["check"]):
            done = soret(*command, "case.yaml", "species.A.initial={file: fields.h5, dataset: c}", f"output.file={name}", "--overwrite", status=2)
            contains(done.stderr, f"the result file '{name}' is a file that this case is read from")
    conduction = "temperature={{conduction: {{conductivity: 1, heat_capacity: 1, initial: {}, source: {}, boundaries: {{x-: {{value: 1}}}}}}}}"
    field = "{file: fields.h5, dataset: c}"
    for overrides in ([f"temperature={field}"], [*TRANSIENT, conduction.format(field, 0)], [*TRANSIENT, conduction.format(1, field)], [f"domain.solid={field}"],
                      ["domain={size: [1], cells: [16], periodic: [x]}", "temperature=1", f"flow={{velocity: [{field}]}}"]):
        done = soret("check", "case.yaml", *overrides, "output.file=fields.h5", "--overwrite", status=2)
        contains(done.stderr, "the result file 'fields.h5' is a file that this case is read from")
    assert soret.files() == before and (soret.directory / "case.yaml").read_text() == CASE and (soret.directory / "pipe.h5").is_fifo()


def test_long_paths(soret):
    """Longer than what a component of Open MPI has room for: it ended the process. On one node another is asked; on several such a path is refused."""
    folder = "/".join(["d" * 90] * 3)
    (soret.directory / folder).mkdir(parents=True)
    for ranks in (1, 2):
        soret("case.yaml", *TRANSIENT, "checkpoint.every=1e-6", f"output.file={soret.directory}/{folder}/{ranks}.h5", ranks=ranks)
    assert {"1.h5", "2.h5"} <= {p.name for p in (soret.directory / folder).iterdir()}
    names = "are too long; nothing was run. Choose a shorter checkpoint.prefix"  # known before the run, not when it is to be stopped
    for words, status, said in (([f"output.file={folder}/3.h5", "checkpoint.prefix=short"], 4, "its name has more than 230 letters"), ([f"output.file={'d' * 90}/{'r' * 125}.h5"], 2, names)):
        launch = [MPIEXEC, "-n", "2", "env", "OMPI_COMM_WORLD_LOCAL_SIZE=1", SORET, "case.yaml", *words]
        done = subprocess.run(launch, cwd=soret.directory, env=environment(2), capture_output=True, text=True, timeout=240)
        assert done.returncode == status and said in done.stderr, done.stdout + done.stderr
    contains(soret("case.yaml", f"output.file={'r' * 230}.h5", status=2).stderr, names)


def test_damaged_fields(soret):
    """Fields whose numbers cannot be read: status 4 with the reason, once, in good order; nothing is left."""
    with h5py.File(soret.directory / "fields.h5", "w") as f:
        places = [f.create_dataset(name, data=np.ones(16) - (name == "solid"), chunks=(16,), fletcher32=True).id.get_chunk_info(0).byte_offset for name in ("field", "solid")]
    data = bytearray((soret.directory / "fields.h5").read_bytes())
    for place in places:
        data[place + 20] ^= 64
    (soret.directory / "fields.h5").write_bytes(data)
    (soret.directory / "tmp").mkdir()
    before = soret.files()
    field = "{file: fields.h5, dataset: field}"
    for override in (f"temperature={field}", f"species.A.initial={field}", "domain.solid={file: fields.h5, dataset: solid}"):
        for ranks in (1, 2):
            done = soret("case.yaml", override, status=4, ranks=ranks, **({} if ranks > 1 else {"TMPDIR": str(soret.directory / "tmp")}))
            assert done.stderr.count("fields.h5: cannot read ") == 1 and "MPI_FINALIZE" not in done.stderr, done
    assert soret.files() == before and not list((soret.directory / "tmp").iterdir())


def test_units_of_check(soret):
    """In SI cases numbers have their units, so that degrees Celsius given as kelvin are seen; in reduced ones they have none."""
    case = """soret: 1
domain: {size: [1 mm], cells: [8]}
parameters: {q: 1 nmol/m^2/s}
temperature: 25 + 1e3*x
species: [{name: A, diffusivity: 100 um^2/s, initial: 3 umol/L}, {name: B, diffusivity: 100 um^2/s}]
boundaries: {x-: {B: {value: 1 uM}}, x+: {B: {transfer: 1 um/s, outside: 2 nM}}}
"""
    soret.write("case.yaml", case)
    contains(soret("check", "case.yaml").stdout, "temperature from 25.0625 to 25.9375 K\n", "A = 0.003 mol/m^3 (mean", "B value 0.001 mol/m^3\n", "B transfer 1e-06 m/s outside 2e-06 mol/m^3\n")
    contains(soret("check", "case.yaml", "solve={mode: transient, end: 1}", "boundaries={x-: {B: {flux: q}}, x+: {B: {flux: -q*T/25}}}").stdout, "B flux 1e-09 mol/m^2/s\n", "B flux -q*T/25\n")


def test_missing_filter(soret):
    """Of a dataset that is packed in a way that this HDF5 does not know the way is named, not the folder in which it was looked for."""
    soret.write("case.yaml", CASE)
    with h5py.File(soret.directory / "T.h5", "w") as f:
        f.create_dataset("T", data=np.ones(16), chunks=(16,), compression="lzf")
    done = soret("check", "case.yaml", "temperature={file: T.h5, dataset: T}", status=4)
    contains(done.stderr, "T.h5: cannot read T: required filter 'lzf' is not registered")


def test_many_at_once(soret):
    """Processes without a launcher share nothing, not even a directory of Open MPI; with this they said that it was gone. Nothing is left of it."""
    scratch = soret.directory / "tmp"
    scratch.mkdir()
    env = environment(1) | {"TMPDIR": str(scratch)}
    chain = "for k in 1 2 3 4 5 6; do {} case.yaml output.file={}$k.h5 || exit 1; done"
    chains = [subprocess.Popen(["sh", "-c", chain.format(SORET, name)], cwd=soret.directory, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for name in "abc"]
    for chain in chains:
        out, err = chain.communicate(timeout=240)
        assert chain.returncode == 0 and not err, out + err
    assert not list(scratch.iterdir())


def test_failed_run_keeps_the_old_result(soret):
    soret("case.yaml")
    before = (soret.directory / "result.h5").read_bytes()
    soret("case.yaml", *TRANSIENT, "solve.max_steps=1", "output.overwrite=true", status=3)
    assert (soret.directory / "result.h5").read_bytes() == before


def test_directory(soret):
    for name in ("nowhere/result.h5", "case.yaml/result.h5"):
        contains(soret("case.yaml", f"output.file={name}", status=4).stderr, f"soret: cannot write the result file '{name}'")
    if os.geteuid():  # root may write anywhere
        (soret.directory / "closed").mkdir(mode=0o500)
        contains(soret("case.yaml", "output.file=closed/result.h5", status=4).stderr, "soret: cannot write the result file 'closed/result.h5'")
    (soret.directory / "runs").mkdir()
    soret("case.yaml", "output.file=runs/result.h5")
    assert sorted(p.name for p in (soret.directory / "runs").iterdir()) == ["result.h5", "result.xdmf"]


def test_compare(soret):
    for name, total in {"a": 1, "b": 1, "c": 1.001}.items():
        soret("case.yaml", f"species.A.initial={total}", f"output.file={name}.h5")
    contains(soret("compare", "a.h5", "b.h5").stdout, "equal")
    contains(soret("compare", "a.h5", "c.h5", status=3).stdout, "different", "/frames/000000/A")
    soret("compare", "a.h5", "c.h5", "--rtol", "1e-4", status=3)
    soret("compare", "a.h5", "nowhere.h5", status=4)
    soret("compare", "a.h5", "case.yaml", status=4)
    soret("info", "nowhere.h5", status=4)


def test_compare_of_many(soret):
    """All differences are counted, and the twenty worst shown, the worst first."""
    with h5py.File(soret.directory / "a.h5", "w") as a, h5py.File(soret.directory / "b.h5", "w") as b:
        for k in range(300):
            a[f"x{k}"], b[f"x{k}"] = [1.0, 2.0], [1.0, 2.0 + (7 * k % 300) * 1e-3]  # each size once
    lines = soret("compare", "a.h5", "b.h5", status=3).stdout.splitlines()
    shown = [float(re.search(r"difference ([^,]*),", line)[1]) for line in lines[1:21]]
    np.testing.assert_allclose(shown, 1e-3 * np.arange(299, 279, -1), rtol=1e-2)
    assert lines[21].strip() == "... and 279 more differences", lines[21]


def test_compare_with_tolerance(soret):
    # entropy production vanishes here but for rounding, and has no relative tolerance
    soret("case.yaml", "output.file=a.h5")
    soret("case.yaml", "species.A.initial=1.001", "output.file=b.h5")
    contains(soret("compare", "a.h5", "b.h5", "--rtol", "1e-2", "--atol", "1e-12").stdout, "equal")
    soret("compare", "a.h5", "b.h5", "--atol", "1e-9", status=3)


# ---- PETSc options ----


def tolerance(soret, *args):
    text = soret("case.yaml", "output.overwrite=true", "petsc.snes_view=true", *args).stdout
    return re.findall(r"^ {4}tolerances: +relative=([^,]*)", text, re.M)[-1]


def test_petsc_options(soret):
    assert tolerance(soret, "petsc.ksp_rtol=1e-3") == "0.001"
    assert tolerance(soret, "petsc.ksp_rtol=1e-3", "-ksp_rtol", "1e-4") == "0.0001", "the command line wins"
    assert tolerance(soret, "petsc.-ksp_rtol=1e-3") == "0.001", "the sign may stand"
    contains(soret("case.yaml", "output.overwrite=true", "-snes_monitor").stdout, "SNES Function norm")
    contains(soret("case.yaml", "output.overwrite=true", "petsc.snes_montor=true").stdout, "the option -snes_montor was not used")
    for command in (("check",), ()):
        done = soret(*command, "case.yaml", "output.file=other.h5", "-snes_max_it", "abc", "-ksp_rtol", "1e-3", "-pc_type", "best", status=2)
        lines = sorted(done.stderr.splitlines())
        assert len(lines) == 2 and not done.stdout, done
        assert lines[0].startswith("command line: 'abc' is no value of the PETSc option '-snes_max_it': ")
        assert lines[1].startswith("command line: 'best' is no value of the PETSc option '-pc_type': ")
    assert not [name for name in soret.files() if name.startswith("other")]
    for ranks in (1, 2):
        done = soret("case.yaml", "output.overwrite=true", "-ksp_type", "fastest", status=2, ranks=ranks)
        assert done.stderr.count("command line: 'fastest' is no value of the PETSc option '-ksp_type': Unable to find requested KSP type fastest") == 1, done.stderr
        assert "PETSC ERROR" not in done.stderr
    for option, value in (("-snes_fas_omega", "2"), ("-snes_fas_smoothup", "-1"), ("-snes_fas_cycles", "0"), ("-snes_max_it", "-1"), ("-fas_coarse_snes_max_it", "-1"), ("-heat_ksp_rtol", "-1e-3"),
                          ("-ts_max_steps", "-5"), ("-pc_mg_levels", "0"), ("-ksp_atol", "nan"), ("-ts_dt", "1e-3"), ("-ts_init_time", "0.1"), ("-ts_max_time", "0.1"),
                          ("-ts_type", "rk"), ("-ts_type", "pseudo"), ("-ts_adapt_type", "cfl"), ("-snes_type", "vinewtonrsls"), ("-snes_rtol", "1e-3"), ("-snes_atol", "1"), ("-snes_stol", "1"),
                          ("-snes_divergence_tolerance", "10"), ("-snes_convergence_test", "skip"), ("-snes_max_funcs", "100"), ("-snes_mf_operator", "true")):
        contains(soret("check", "case.yaml", option, value, status=2).stderr, f"command line: '{value}' is no value of the PETSc option '{option}': ")
    assert "PETSC ERROR" not in soret("case.yaml", "output.overwrite=true", *TRANSIENT, "-snes_max_it", "-1", status=2).stderr
    contains(soret("check", "case.yaml", "-snes_mf_operator", status=2).stderr, "command line: the PETSc option '-snes_mf_operator' is not taken: the Jacobian is exact")
    contains(soret("check", "case.yaml", "petsc={snes_mf_operator: true}", status=2).stderr, "the PETSc option 'snes_mf_operator' is not taken: the Jacobian is exact")
    soret("check", "case.yaml", "-fas_coarse_snes_rtol", "1e-3")
    contains(soret("check", "case.yaml", *TRANSIENT, "-snes_type", "qn", status=2).stderr, "command line: 'qn' is no value of the PETSc option '-snes_type': a run in time takes one of: newtonls newtontr fas\n")
    contains(soret("check", "case.yaml", *TRANSIENT, "petsc.snes_type=ksponly", status=2).stderr, "'ksponly' is no value of the PETSc option 'snes_type': a run in time takes one of: newtonls newtontr fas\n")
    soret("check", "case.yaml", *TRANSIENT, "petsc.snes_type=ksponly", "-snes_type", "newtonls")
    for scheme in (["-ts_type", "rosw", "-ts_rosw_type", "theta1"], ["-ts_arkimex_type", "prssp2"], ["petsc={ts_arkimex_type: bpr3}"]):  # not one that estimates its error
        contains(soret("case.yaml", "output.overwrite=true", *TRANSIENT, *scheme, status=2).stderr, "does not estimate its error")
        soret("case.yaml", "output.overwrite=true", *TRANSIENT, "solve.first_step=0.02", *scheme, "-ts_adapt_type", "none")
    for options, method in (([], "ESDIRK4(3)"), (["-ts_arkimex_type", "3"], "arkimex 3"), (["-ts_type", "beuler"], "beuler")):
        soret("case.yaml", "output.overwrite=true", *TRANSIENT, *options)
        with soret.open() as f:
            assert f["summary"].attrs["method"].decode().startswith(method + ", "), f["summary"].attrs["method"]


def test_most_iterations(soret):
    """-snes_max_it is the most for Newton's method and for cycles, each by itself."""
    dimer = "reactions=[{equation: 2 A <=> B, forward: 100, backward: 2/T}]"
    contains(soret("case.yaml", dimer, "solve.max_steps=50", "-snes_max_it", "1", status=3).stdout, "steady solve stopped after 1 iterations")
    contains(soret("case.yaml", dimer, "domain.size=[1,1]", "domain.cells=[16,16]", "-snes_type", "fas", "-snes_max_it", "2").stdout,
             "nonlinear multigrid did not converge in 2 cycles; trying Newton's method")


def test_options_from_elsewhere(soret):
    """Values of options in the environment, in .petscrc and in a file of options are tried as those of the command line are; what the command line says is told once."""
    said = "PETSC_OPTIONS, .petscrc or -options_file: 'many' is no value of the PETSc option '-snes_max_it': "

    def refused(*args, **more):
        done = soret(*args, status=2, **more)
        assert done.stderr.count(said) == 1 and "PETSC ERROR" not in done.stderr, done

    for command in (["case.yaml"], ["check", "case.yaml"]):
        for ranks in (1, 2):
            refused(*command, ranks=ranks, PETSC_OPTIONS="-ksp_rtol 1e-9 -snes_max_it many -ksp_max_it 5")
        soret.write("options.txt", "-snes_max_it many\n")
        refused(*command, "-options_file", "options.txt")
        assert soret(*command, "-snes_max_it", "many", status=2).stderr.count("is no value of") == 1
    assert soret.files() == ["case.yaml", "options.txt"]
    soret.write(".petscrc", "-snes_max_it many\n")
    refused("case.yaml")
    soret("case.yaml", "-snes_max_it", "20")


def test_files_of_options(soret):
    """Files that options print to, or are read from: what cannot be is told before anything is built, not when the run is done."""
    for ranks in (1, 2):
        for option, value in (("-log_view", ":nowhere/log.txt"), ("-snes_monitor", "ascii:nowhere/log.txt:default"), ("-ksp_view", ":.")):
            for command in ([], ["check"])[: 3 - ranks]:
                done = soret(*command, "case.yaml", option, value, status=2, ranks=ranks)
                assert done.stderr.count(f"command line: '{value}' is no value of the PETSc option '{option}': the file cannot be written: ") == 1 and "PETSC ERROR" not in done.stderr, done
        done = soret("case.yaml", "-options_file", "nowhere.txt", status=2, ranks=ranks)
        assert done.stderr.count("soret: cannot read 'nowhere.txt' of '-options_file': No such file or directory\n") == 1 and "PETSC ERROR" not in done.stderr, done
    contains(soret("check", "case.yaml", "petsc={log_view: ':nowhere/x'}", status=2).stderr, "':nowhere/x' is no value of the PETSc option 'log_view': the file cannot be written: ")
    assert soret.files() == ["case.yaml"]
    soret.write("options.txt", "-log_view :log.txt\n")
    soret("case.yaml", "-options_file", "options.txt", "-snes_monitor", ":monitor.txt")
    assert {"log.txt", "monitor.txt"} <= set(soret.files())


def test_long_texts(soret):
    """A command line of any length; names of species that fill a message."""
    title = "x" * 60000
    soret("case.yaml", f"title={title}")
    with soret.open() as f:
        assert attribute(f, "title") == title and attribute(f, "command").endswith(f"soret case.yaml title={title}")
    names = [f"S{k}_{'x' * 50}" for k in range(60)]
    species = "species=[" + ", ".join(f"{{name: {name}, diffusivity: 1}}" for name in names) + "]"
    said = soret("check", "case.yaml", species, f"reactions=[{{equation: {names[0]} <=> B, forward: 1, backward: 1}}]", status=2).stderr
    contains(said, f"names 'B', which is not a species of this case ({names[0]}, {names[1]}, ")
    chain = "reactions=[" + ", ".join(f"{{equation: {a} <=> {b}, forward: 1, backward: 1}}" for a, b in zip(names, names[1:])) + "]"
    contains(soret("check", "case.yaml", species, chain).stdout, f"{names[0]} + {names[1]} + ")


# ---- ranks ----


def test_ranks(soret):
    for ranks in (2, 3):
        soret("case.yaml", "output.overwrite=true", ranks=ranks)
        with soret.open() as f:
            assert f.attrs["ranks"] == ranks
        soret("case.yaml", "output.file=one.h5", "output.overwrite=true")
        soret("compare", "result.h5", "one.h5", "--rtol", "1e-9", "--atol", "1e-12")


def mistakes_are_told_once(soret, ranks):
    mistakes = {
        ("case.yaml", "solve.tolerence=1"): "unknown key 'tolerence'",
        ("check", "case.yaml", "temperature=0"): "'temperature' must be positive",
        ("nowhere.yaml",): "cannot read 'nowhere.yaml'",
        ("case.yaml", "--what"): "unknown argument '--what'",
        ("case.yaml", "boundaries={x-: {A: {value: 0.5 - T}}}"): "'value' of 'A' at x- is -0.5",
        ("case.yaml", "domain={size: [1, 1], cells: [4, 64]}", "boundaries={x-: {A: {value: 0.5 - exp(-((y - 0.3)/0.01)^2)}}}"): "the boundary condition of species 'A' at x- is not usable",
        ("case.yaml", "boundaries={x-: {A: {flux: 1}}}"): "there is no steady state",
        ("case.yaml", "domain.cells=[1]"): "cannot be cut into boxes for",
        ("case.yaml", *BINDING, "totals=[{of: A + AB, mean: 1}, {of: A - B, mean: 2}]"): "with these means some concentration would be negative: A + AB = 1, A - B = 2; correct",
        ("check", "case.yaml", *BINDING, "totals=[{of: A - B, mean: 2}]"): "A - B = 2, A + AB = 1 (of `initial`); correct",
    }
    for args, message in mistakes.items():
        done = soret(*args, status=2, ranks=ranks)
        assert (done.stdout + done.stderr).count(message) == 1, f"on {ranks} ranks, {args}:\n{done.stdout}{done.stderr}"
    assert soret.files() == ["case.yaml"]


def test_mistakes_on_two_ranks(soret):
    mistakes_are_told_once(soret, 2)


def test_mistakes_on_three_ranks(soret):
    mistakes_are_told_once(soret, 3)


def run(test):
    with tempfile.TemporaryDirectory() as directory:
        try:
            test(Soret(Path(directory).resolve()))
        except Exception:
            return traceback.format_exc(limit=-2)
    return None


def run_tests(namespace, names):
    """Runs the functions test_... of a module, each with a directory of its own; its exit status."""
    tests = [value for name, value in namespace.items() if name.startswith("test_") and (not names or name in names)]
    with ThreadPoolExecutor(6) as pool:  # starting MPI is mostly waiting
        results = list(pool.map(run, tests[::-1]))[::-1]  # the slow ones stand last
    for test, result in zip(tests, results):
        if result:
            print(f"{test.__name__}: {result}")
    print(f"{len(tests)} tests, {sum(map(bool, results))} failed")
    return 1 if any(results) or not tests else 0


if __name__ == "__main__":
    sys.exit(run_tests(globals(), sys.argv[1:]))
