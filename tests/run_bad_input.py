# SPDX-License-Identifier: BSD-2-Clause
"""Every case of tests/bad_input must be refused, by `soret check` and by a run, with exactly the messages that its first lines tell:

    # expect: 7:12: unknown key 'difusivity' in species 'A'; did you mean 'diffusivity'?
    # args: species.A.initial=-1

in the order of the output, <number> and <text> standing for any. Status 2, nothing written, within ten seconds of work. Run with names to
try some of them. A file fields.h5 lies beside the cases.
"""
import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np

from soretrun import alone

CASES = Path(__file__).parent / "bad_input"
SORET = os.environ.get("SORET", "soret")
LIMITED = ["sh", "-c", 'ulimit -t 10 && exec "$@"', "sh"]  # seconds of the processor, not of the clock, which says little on a busy machine
LOCATED = re.compile(r"\d+:\d+: |command line: ")


def make_fields(path):
    """Fields of a box of 8 cells that are not what a case may want."""
    with h5py.File(path, "w") as f:
        f["plane"] = np.ones((8, 8))
        f["empty"] = np.ones((0,))
        f["negative"] = 1.0 - np.arange(8.0)
        f["text"] = "warm"
        f["history"] = np.ones((3, 8))
        f["times"] = [0.0, 1.0, 2.0]
        f["two_times"] = [0.0, 1.0]
        f["falling_times"] = [0.0, 2.0, 1.0]
        f.create_group("group")


def header(path, key):
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line[len(key) + 4:] for line in lines if line.startswith(f"# {key}: ")]


def expected_lines(path):
    messages = header(path, "expect")
    lines = [f"{path.name}:{m}" if m[0].isdigit() else m for m in messages]
    count = sum(bool(LOCATED.match(m)) for m in messages)
    return lines + ([f"{count} error{'' if count == 1 else 's'} in {path.name}; nothing was run."] if count else [])


def same(pattern, line):
    parts = re.split("(<number>|<text>)", pattern)
    kinds = {"<number>": r"[-+0-9.e]+", "<text>": ".*"}
    return re.fullmatch("".join(kinds.get(p, re.escape(p)) for p in parts), line) is not None


def try_command(path, command, directory):
    """The reasons why this command fails the test; empty if it does not."""
    args = [word for line in header(path, "args") for word in shlex.split(line)]
    work = Path(tempfile.mkdtemp(dir=directory))
    try:
        with tempfile.TemporaryDirectory() as place:
            done = subprocess.run([*LIMITED, SORET, *command, str(path), *args], cwd=work, env=alone(place), capture_output=True, timeout=240)
    except subprocess.TimeoutExpired:
        return ["not refused within four minutes"]
    found = done.stderr.decode(errors="replace").replace(f"{path.parent}/", "").splitlines()
    found = [line for line in found if not line.startswith("  ")]  # without excerpts and hints
    expected = expected_lines(path)
    reasons = []
    if done.returncode != 2:
        reasons.append(f"status {done.returncode} instead of 2")
    if len(found) != len(expected) or not all(map(same, expected, found)):
        reasons += difflib.unified_diff(expected, found, "expected", "found", lineterm="", n=0)
    if not expected:
        reasons.append("the file does not tell what to expect")
    if left := sorted(p.name for p in work.iterdir()):
        reasons.append(f"left behind: {', '.join(left)}")
    return reasons


def main(names):
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory).resolve()
        make_fields(directory / "fields.h5")
        for path in CASES.glob("*.yaml"):
            (directory / path.name).write_bytes(path.read_bytes())
        paths = sorted(directory / f"{n}.yaml" for n in names) or sorted(directory.glob("*.yaml"))
        tasks = [(path, command) for path in paths for command in (["check"], [])]
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda task: try_command(*task, directory), tasks))
    failed = 0
    for (path, command), reasons in zip(tasks, results):
        if reasons:
            failed += 1
            print(f"{' '.join(['soret', *command])} {path.name}:", *reasons, sep="\n    ")
    print(f"{len(paths)} broken cases, {failed} of {len(tasks)} commands failed")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
