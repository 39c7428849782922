# SPDX-License-Identifier: BSD-2-Clause
"""Every case of tests/bad_input must be refused, by `soret check` and by a run, with exactly the messages that its first lines tell:

    # expect: 7:12: unknown key 'difusivity' in species 'A'; did you mean 'diffusivity'?
    # args: species.A.initial=-1

in the order of the output, <number> and <text> standing for any. Status 2, nothing written, within ten seconds of work. Run with names to
try some of them. A file fields.h5 lies beside the cases. Those without arguments are checked several at a time, since most of the time is that
of starting a process.
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

from starting import environment

CASES = Path(__file__).parent / "bad_input"
SORET = os.environ.get("SORET", "soret")
LIMITED = ["sh", "-c", 'ulimit -t 10 && exec "$@"', "sh"]  # seconds of the processor, not of the clock, which says little on a busy machine
AT_ONCE = 12  # cases
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


def arguments(path):
    return [word for line in header(path, "args") for word in shlex.split(line)]


def try_command(paths, command, directory):
    """For each of the files the reasons why this command fails the test; empty if it does not."""
    work = Path(tempfile.mkdtemp(dir=directory))
    try:
        done = subprocess.run([*LIMITED, SORET, *command, *map(str, paths), *arguments(paths[0])], cwd=work, env=environment(), capture_output=True, timeout=240)
    except subprocess.TimeoutExpired:
        return [["not refused within four minutes"]] * len(paths)
    texts = [done.stderr.decode(errors="replace").replace(f"{directory}/", "")]
    if len(paths) > 1:
        names, texts = (re.split(r"^# (\S+\.yaml)\n", texts[0], flags=re.M)[k::2] for k in (1, 2))
        if names != [path.name for path in paths]:
            return [[f"status {done.returncode} after {len(names)} of {len(paths)} cases"]] * len(paths)
    left = sorted(p.name for p in work.iterdir())
    return [judge(path, text.splitlines(), done.returncode, left) for path, text in zip(paths, texts)]


def judge(path, lines, status, left):
    found = [line for line in lines if not line.startswith("  ")]  # without excerpts and hints
    expected = expected_lines(path)
    reasons = []
    if status != 2:
        reasons.append(f"status {status} instead of 2")
    if len(found) != len(expected) or not all(map(same, expected, found)):
        reasons += difflib.unified_diff(expected, found, "expected", "found", lineterm="", n=0)
    if not expected:
        reasons.append("the file does not tell what to expect")
    if left:
        reasons.append(f"left behind: {', '.join(left)}")
    return reasons


def main(names):
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory).resolve()
        make_fields(directory / "fields.h5")
        for path in CASES.glob("*.yaml"):
            (directory / path.name).write_bytes(path.read_bytes())
        paths = sorted(directory / f"{n}.yaml" for n in names) or sorted(directory.glob("*.yaml"))
        plain = [path for path in paths if not arguments(path)]
        tasks = [([path], []) for path in paths] + [([path], ["check"]) for path in paths if path not in plain]
        tasks += [(plain[k : k + AT_ONCE], ["check"]) for k in range(0, len(plain), AT_ONCE)]
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda task: try_command(*task, directory), tasks))
    failed = 0
    single = [(path, command, reasons) for (some, command), several in zip(tasks, results) for path, reasons in zip(some, several)]
    for path, command, reasons in single:
        if reasons:
            failed += 1
            print(f"{' '.join(['soret', *command])} {path.name}:", *reasons, sep="\n    ")
    print(f"{len(paths)} broken cases, {failed} of {len(single)} checks and runs failed")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
