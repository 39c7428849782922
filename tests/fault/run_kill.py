# SPDX-License-Identifier: BSD-2-Clause
"""A run killed at random instants leaves every complete frame readable, and no result under the final name.

usage: run_kill.py SORET KILLS [SEED]    (environment MPIEXEC: mpiexec)"""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

import h5py
import numpy as np

CASE = """
soret: 1
units: reduced
domain: {size: [1, 1], cells: [64, 48]}
temperature: 1 + 0.3*x
species:
  - {name: A, diffusivity: {law: einstein, mobility: 1}, initial: 1 + x}
  - {name: B, diffusivity: {law: einstein, mobility: 0.3}, initial: 1}
reactions: [{equation: A <=> B, forward: 10, backward: 20*exp(-1/T)}]
solve: {mode: transient, end: 50}
output: {file: killed.h5, every: 0.002}
"""


def complete_frames(directory):
    """The frames that the XDMF beside the attempt lists: it is renamed into place after a frame is closed and synced."""
    path = os.path.join(directory, "killed.h5.1.xdmf")
    return len(ET.parse(path).getroot().findall(".//Grid[@GridType='Uniform']")) if os.path.exists(path) else 0


def kill_once(soret, mpiexec, delay, directory):
    """Starts the run in a session of its own, and kills all of it some time after its file has appeared."""
    with open(os.path.join(directory, "killed.yaml"), "w") as file:
        file.write(CASE)
    run = subprocess.Popen([mpiexec, "-n", "2", soret, "killed.yaml"], cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 60
    while not os.path.exists(os.path.join(directory, "killed.h5.1")) and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(delay)
    # the ranks first, by the name of their case file: mpiexec gives each a session of its own
    subprocess.run(["pkill", "-KILL", "-f", directory], check=False)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/cwd") == directory:
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def check(directory):
    frames = complete_frames(directory)
    assert not os.path.exists(os.path.join(directory, "killed.h5")), "a killed run has a result under its final name"
    if frames:
        with h5py.File(os.path.join(directory, "killed.h5.1")) as file:
            for k in range(frames):
                frame = file[f"frames/{k:06d}"]
                total = frame["A"][()] + frame["B"][()]
                assert np.isfinite(total).all() and abs(total.mean() - 2.5) < 1e-12, f"frame {k} is damaged"
                assert abs(frame.attrs["time"] - 0.002 * k) < 1e-12
            assert len(file["series/time"]) >= frames
    return frames


def main(soret, kills, seed):
    generator = random.Random(seed)
    mpiexec, damaged, seen = os.environ.get("MPIEXEC", "mpiexec"), 0, 0
    for k in range(kills):
        with tempfile.TemporaryDirectory() as directory:
            directory = os.path.realpath(directory)
            delay = generator.uniform(0.0, 0.8)
            kill_once(soret, mpiexec, delay, directory)
            try:
                frames = check(directory)
                seen += frames
            except (AssertionError, OSError, KeyError, RuntimeError) as error:
                damaged += 1
                print(f"kill {k} after {delay:.3f} s: {error}")
    print(f"{kills} kills, {seen} complete frames read, {damaged} files damaged")
    assert seen > 0, "no run got as far as a frame"
    return 1 if damaged else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1))
