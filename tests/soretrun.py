# SPDX-License-Identifier: BSD-2-Clause
"""Runs soret on a case and loads the result. The program is $SORET, the launcher $MPIEXEC (default mpiexec).

    result = run({...} or "case.yaml", ["domain.cells=[32]"], ranks=2)
    result.c["A"], result.T, result.x, result.volume, result.summary["converged"], result.series["total/0"]
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import yaml

from starting import environment


class Failed(Exception):
    """soret ended with another status than expected."""


def plain(value):
    """An attribute as a number or str."""
    value = value.item() if hasattr(value, "item") else value
    return value.decode() if isinstance(value, bytes) else value


class Frame:
    """Concentrations c[NAME], flux[NAME], rate[K], meter["total/0/soret"] and the other fields of one frame, indexed [x, y, z] as far as there are axes."""

    def __init__(self, group, dim):
        load = lambda d: np.moveaxis(d[()], range(dim), range(dim - 1, -1, -1))
        self.time, self.step = group.attrs["time"], group.attrs["step"]
        self.c = {k: load(v) for k, v in group.items() if isinstance(v, h5py.Dataset)}
        for name in ("flux", "rate"):
            setattr(self, name, {k: load(v) for k, v in group[name].items()} if name in group else {})
        self.meter = {}
        if "meter" in group:
            group["meter"].visititems(lambda k, v: self.meter.update({k: load(v)}) if isinstance(v, h5py.Dataset) else None)


class Result(Frame):
    """The last frame, and what belongs to the run as a whole."""

    def __init__(self, path, keep_frames=True):
        with h5py.File(path) as f:
            axes = [a for a in "xyz" if a in f["grid"]]
            self.dim = dim = len(axes)
            center, edges = ([f[f"grid/{a}{s}"][()] for a in axes] for s in ("", "_edges"))
            self.edges = dict(zip(axes, edges))
            for a, v in zip("xyz", np.meshgrid(*center, indexing="ij")):
                setattr(self, a, v)
            self.volume = np.prod(np.meshgrid(*[np.diff(e) for e in edges], indexing="ij"), axis=0)
            names = sorted(f["frames"])
            self.frames = [Frame(f["frames"][k], dim) for k in (names if keep_frames else names[-1:])]
            self.__dict__.update(self.frames[-1].__dict__ if self.frames else dict(c={}, flux={}, rate={}))
            self.T = self.c.pop("temperature", f["temperature"][()].T)
            self.summary = {k: v.item() if hasattr(v, "item") else v for k, v in f["summary"].attrs.items()}
            self.groups = {}  # of the summary: {"soret/total/0": {...}, "budget/species/A": {...}}, datasets among the attributes
            f["summary"].visititems(lambda k, v: self.groups.update({k: {a: plain(x) for a, x in v.attrs.items()} | {d: x[()] for d, x in v.items() if isinstance(x, h5py.Dataset)}}) if isinstance(v, h5py.Group) else None)
            self.series = {}
            self.sweep, self.sweep_zero = {}, f["sweep/zero"][()] if "sweep/zero" in f else np.array([])
            if "sweep" in f:
                f["sweep"].visititems(lambda k, v: self.sweep.update({k: v.asstr()[()] if v.dtype.kind in "SO" else v[()]}) if isinstance(v, h5py.Dataset) and k != "zero" else None)
            f["series"].visititems(lambda k, v: self.series.update({k: v[()]}) if isinstance(v, h5py.Dataset) else None)

    def mean(self, field):
        return np.sum(self.volume * field) / np.sum(self.volume)

    def norm(self, field):
        """Root mean square over the box."""
        return np.sqrt(self.mean(np.asarray(field) ** 2))


def execute(case, overrides=(), ranks=1, options=(), directory=".", timeout=600):
    """Runs soret; the finished process. A case that is a dictionary is written to a file first."""
    directory = Path(directory)
    if isinstance(case, dict):
        (directory / "case.yaml").write_text(yaml.safe_dump(case, sort_keys=False))
        case = directory / "case.yaml"
    launch = [os.environ.get("MPIEXEC", "mpiexec"), "-n", str(ranks)] if ranks > 1 else []
    command = [*launch, os.path.abspath(os.environ.get("SORET", "soret")), str(Path(case).resolve()), *overrides, *options]
    return subprocess.run(command, cwd=directory, env=environment(ranks), capture_output=True, text=True, timeout=timeout)


def prepared(path, directory):
    """The path of an example that can be run: one with a script beside it, which makes what it reads, is copied into the directory, on half the voxels."""
    script = path.with_suffix(".py")
    if not script.is_file():
        return path
    subprocess.run([sys.executable, str(script), os.path.join(directory, f"{path.stem}.h5"), "--voxels", "80", "40", "40"], check=True)
    return Path(shutil.copy(path, directory))


def run(case, overrides=(), ranks=1, options=(), status=0, timeout=600):
    """The result of a run that must end with `status`."""
    with tempfile.TemporaryDirectory() as directory:
        done = execute(case, [*overrides, "output.file=result.h5", "output.xdmf=false"], ranks, options, directory, timeout)
        if done.returncode != status:
            raise Failed(f"status {done.returncode} instead of {status} on {ranks} ranks\n{' '.join(map(str, done.args))}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
        path = Path(directory) / ("result.h5" if status != 3 else "result.h5.1")
        return Result(path) if path.exists() else None
