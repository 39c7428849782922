# SPDX-License-Identifier: BSD-2-Clause
"""What checkpoints cost: seconds for one of them against the interval between them.

usage: checkpoint_cost.py SORET [--cells 128] [--ranks 2] [--steps 4] [--interval 60]    (environment MPIEXEC)

Dimerization beside a hot spot in time, 2 species, with a checkpoint after every step: written, closed, synced, read back for its checksums. The seconds are
those by the wall; other load of the machine makes them longer, so that what is printed is an upper bound."""
import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

CASE = Path(__file__).resolve().parents[2] / "input" / "dimerization_3d.yaml"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("soret")
    parser.add_argument("--cells", type=int, default=128)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--interval", type=float, default=60.0)
    args = parser.parse_args()
    command = [os.environ.get("MPIEXEC", "mpiexec"), "-n", str(args.ranks), os.path.abspath(args.soret), str(CASE), f"domain.cells=[{args.cells},{args.cells},{args.cells}]", "solve={mode: transient, end: 1, first_step: 1e-4}",
               f"solve.max_steps={args.steps}", "output={file: run.h5, record: true, xdmf: false}", "checkpoint={every: 1e-6, keep: 2}", "-ts_type", "beuler", "-ts_adapt_type", "none"]
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
        if done.returncode != 3:  # max_steps
            raise SystemExit(done.stdout + done.stderr)
        record = json.loads(next(Path(directory).glob("run*.json")).read_text())
        written = [line for line in done.stdout.splitlines() if line.startswith("checkpoint ")]
        size = sorted(Path(directory).glob("run.ckpt-*.h5"))[-1].stat().st_size
    seconds = record["phases"]["checkpoint"]["seconds_max"] / len(written)
    print(f"{args.cells}^3 cells, 2 species, {args.ranks} ranks: {len(written)} checkpoints of {1e-6 * size:.1f} MB, {seconds:.3f} s each")
    print(f"one every {args.interval:g} s: at most {100 * seconds / args.interval:.2f} % of the run")


if __name__ == "__main__":
    main()
