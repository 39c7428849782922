# SPDX-License-Identifier: BSD-2-Clause
"""Follows docs/how-to.md to the letter: the additions in docs/how-to/ apply to the sources as they are, all at once.

    test_how_to.py            only that
    test_how_to.py build      builds the program with them in a copy of the tree, with warnings as errors, and runs the tests that they bring
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ADDITIONS = sorted((ROOT / "docs" / "how-to").glob("*.diff"))
COPIED = ("CMakeLists.txt", "docs", "include", "input", "jobscripts", "postprocess", "src", "tests")
PROVEN = {"law": ("saturating", "limit T/(T + half)"), "condition": ("uptake", "k: the wall takes up"), "diagnostic": ("centre", None)}  # case, words of the reference


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def apply_all(tree):
    for addition in ADDITIONS:
        run("patch", "-p1", "--forward", "--fuzz=3", "--no-backup-if-mismatch", "-i", addition, cwd=tree)
        print(f"{addition.name} applies")


def build(tree):
    made = tree / "made"
    run("cmake", "-S", tree, "-B", made, "-DCMAKE_BUILD_TYPE=Debug", "-DSORET_WERROR=ON")
    run("cmake", "--build", made, "--parallel", "2", "--target", "soret", "test_law")
    run(made / "tests" / "test_law")
    environment = dict(os.environ, SORET=str(made / "soret"))
    for name, (case, words) in PROVEN.items():
        print(run(sys.executable, "run_case.py", f"cases/{case}.yaml", cwd=tree / "tests", env=environment).strip())
        assert words is None or words in run(made / "soret", "reference"), f"soret reference does not tell of {name}"


def main(arguments):
    if not shutil.which("patch"):
        print("skipped: there is no patch")
        return 77
    assert {a.stem for a in ADDITIONS} == set(PROVEN)
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        for name in COPIED if "build" in arguments else ("include", "src", "tests"):
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tree / name)
        apply_all(tree)
        if "build" in arguments:
            build(tree)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
