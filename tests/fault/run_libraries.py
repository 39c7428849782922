# SPDX-License-Identifier: BSD-2-Clause
"""soret refuses to run where other libraries were loaded than it was built with: one message, status 1, nothing written.

usage: run_libraries.py SORET COMPILER

Small libraries that are loaded first (LD_PRELOAD) play the wrong HDF5, PETSc and MPI."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from starting import environment  # noqa: E402

CASE = Path(__file__).resolve().parent.parent.parent / "input" / "tutorial" / "first.yaml"
WRONG = {
    # file, code, what the message must say
    "HDF5 of another version": ("libold.so", "int H5get_libversion(unsigned *a, unsigned *b, unsigned *c) { *a = 1; *b = 6; *c = 5; return 0; }", "and HDF5 1.6.5 was loaded"),
    "PETSc of another version": ("libnew.so", "int PetscGetVersionNumber(int *a, int *b, int *c, int *d) { *a = 9; *b = 1; *c = 0; *d = 1; return 0; }", "and PETSc 9.1 was loaded"),
    "PETSc of other indices": ("libwide.so", "int PetscDataTypeGetSize(int t, unsigned long *size) { *size = 16; return 0; }", "and one of 128 bits was loaded"),
    "two MPIs": ("libmpich.so.99", "int soret_test_of_two_mpis;", "they bring 2 different MPIs into the program"),
}


def run(soret, directory, preload=None):
    preloaded = {"LD_PRELOAD": preload} if preload else {}
    return subprocess.run([soret, str(CASE)], cwd=directory, env=environment(**preloaded), capture_output=True, text=True, timeout=60)


def main(soret, compiler):
    with tempfile.TemporaryDirectory() as directory:
        for what, (name, code, message) in WRONG.items():
            library = os.path.join(directory, name)
            subprocess.run([compiler, "-shared", "-fPIC", "-w", "-x", "c", "-", "-o", library], input=code, text=True, check=True)
            done = run(soret, directory, library)
            assert done.returncode == 1, f"{what}: status {done.returncode}\n{done.stdout}{done.stderr}"
            for part in (message, "do not belong together", "  PETSc /", "  HDF5  /", "  MPI   /", "docs/install.md"):
                assert part in done.stderr, f"{what}: no '{part}' in\n{done.stderr}"
            assert done.stderr.count("soret:") == 1 and not done.stdout, done.stderr
            assert not list(Path(directory).glob("*.h5*")), f"{what}: a result was begun"
            print(f"{what}: refused")
        done = run(soret, directory)
        assert done.returncode == 0, done.stderr
    return 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2]))
