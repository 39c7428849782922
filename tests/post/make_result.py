# SPDX-License-Identifier: BSD-2-Clause
"""Writes result files with made-up but plausible numbers, laid out as soret does (docs/result-file.md).

    python3 make_result.py DIMENSION FILE [FRAMES]
    python3 make_result.py large FILE N          N^3 cells, five fields, written plane by plane
"""
import sys

import h5py
import numpy as np

CASE = """soret: 1
title: {title}
units: {units}
"""
TITLES = {1: "Dimerization along a temperature gradient", 2: "Dimerization between two hot spots", 3: "Dimerization beside a hot spot"}
CELLS = {1: (120,), 2: (48, 72), 3: (24, 32, 40)}


def temperature(dimension, position):
    """T between about 0.8 and 1.6; position - one array per axis, x first."""
    x = position[0]
    if dimension == 1:
        return 0.8 + 0.6 * x
    if dimension == 2:
        y = position[1]
        return 0.8 + 0.7 * np.exp(-((x - 0.35) ** 2 + (y - 0.3) ** 2) / 0.03) + 0.4 * np.exp(-((x - 1.1) ** 2 + (y - 0.7) ** 2) / 0.05)
    y, z = position[1], position[2]
    return 0.8 + 0.4 * x + 0.5 * np.exp(-((x - 0.3) ** 2 + (y - 0.6) ** 2 + (z - 0.4) ** 2) / 0.04)


def concentrations(T, progress):
    """A and A2 with a mean of A + 2 A2 of 1; progress 0 is uniform, 1 is final."""
    total = (1.0 - progress) + progress * (1 / T) / np.mean(1 / T)
    K = 0.8 * np.exp(2.0 - 2.0 / T) ** -1
    a = (np.sqrt(1 + 8 * K * total) - 1) / (4 * K)
    return {"A": a, "A2": 0.5 * (total - a)}


def write_frame(group, number, time, T, fields, flux):
    frame = group.create_group(f"{number:06d}", track_order=True)
    frame.attrs["time"], frame.attrs["step"] = time, 10 * number
    for name, data in fields.items():
        frame[name] = data
    if flux:
        gradient = np.stack(np.gradient(T, axis=tuple(range(T.ndim - 1, -1, -1))) if T.ndim > 1 else [np.gradient(T)], axis=-1)
        for name, data in fields.items():
            frame[f"flux/{name}"] = -0.01 * data[..., None] * gradient


def write_derived(frame, T, fields):
    """The total's S_T = 2 (1 - T), which changes its sign at T = 1, a rate of both signs and an entropy production over four decades."""
    frame["soret"] = 2 * (1 - T)
    frame["soret"].attrs["of"] = "A + 2 A2"
    frame["rate/0"] = fields["A"] - np.mean(fields["A"])
    frame["rate/0"].attrs["equation"] = "2 A <=> A2"
    frame["entropy_production"] = 10 ** (-4 * (T - T.min()) / np.ptp(T))


def write_sweep(file):
    """Over a parameter from 1e-2 to 1e2; S_T changes its sign where it is 1."""
    values = np.logspace(-2, 2, 9)
    file["sweep/parameter"] = values
    file["sweep"].attrs["parameter"] = "parameters.k"
    file["sweep/frame"] = np.where(np.arange(9) == 8, 0, -1)
    file["sweep/zero"] = [1.0]
    file["sweep/soret_mean"] = 0.1 * np.log10(values)
    file["sweep/contrast"] = 1 + values / 100
    for k in range(2):
        file[f"sweep/total/{k}"] = np.full(9, 1.0 + k)
    file["sweep/converged"] = np.ones(9, dtype=int)


def make(path, dimension, frames=1, units="reduced", solid=False, flux=False, size=1.0, derived=False, sweep=False):
    """size - edge of the box along y (and z); 1.5 times as long along x in 2D."""
    cells = CELLS[dimension]
    axes = "xyz"[:dimension]
    lengths = {"x": size * (1.5 if dimension == 2 else 1.0), "y": size, "z": size}
    edges = {a: np.linspace(0, lengths[a], n + 1) for a, n in zip(axes, reversed(cells))}
    centres = {a: 0.5 * (e[1:] + e[:-1]) for a, e in edges.items()}
    mesh = np.meshgrid(*[centres[a] / size for a in reversed(axes)], indexing="ij")[::-1]
    T = temperature(dimension, mesh)
    si = units == "SI"
    with h5py.File(path, "w", track_order=True) as file:
        file.attrs["format"], file.attrs["format_version"], file.attrs["version"] = "soret", 1, "0.1.0"
        file.attrs["case"] = CASE.format(title=TITLES[dimension], units=units)
        for a in axes:
            file[f"grid/{a}"], file[f"grid/{a}_edges"] = centres[a], edges[a]
            if si:
                file[f"grid/{a}"].attrs["units"] = file[f"grid/{a}_edges"].attrs["units"] = "m"
        file["temperature"] = 300 * T if si else T
        if solid:
            file["solid"] = ((mesh[0] - 0.75) ** 2 + (mesh[1] - 0.75) ** 2 < 0.02).astype(float)
        group = file.create_group("frames")
        times = np.linspace(0, 1, frames) if frames > 1 else np.zeros(1)
        for k, time in enumerate(times):
            fields = concentrations(T, 1.0 if frames == 1 else 1 - np.exp(-4 * time))
            if solid:
                fields = {n: np.where(file["solid"][...] > 0.5, 0.0, d) for n, d in fields.items()}
            write_frame(group, k, time, T, fields, flux)
            if derived:
                write_derived(group[f"{k:06d}"], T, fields)
        write_series(file, T, np.linspace(0, 1, 40) if frames > 1 else times)
        if sweep:
            write_sweep(file)
        summary = file.create_group("summary")
        summary.attrs["converged"], summary.attrs["reason"], summary.attrs["residual"] = 1, "converged: residual below tolerance", 3.2e-9


def write_series(file, T, times):
    rows = [concentrations(T, 1 - np.exp(-4 * t) if len(times) > 1 else 1.0) for t in times]
    file["series/time"] = times
    file["series/total/0"] = [np.mean(r["A"] + 2 * r["A2"]) for r in rows]
    file["series/total/0"].attrs["formula"] = "A + 2 A2"
    for name in ("A", "A2"):
        file[f"series/min/{name}"] = [r[name].min() for r in rows]
        file[f"series/max/{name}"] = [r[name].max() for r in rows]


def make_large(path, n):
    """A hot spot in a box; A, A2, soret and entropy_production as simple functions of T."""
    x = (np.arange(n) + 0.5) / n
    functions = {"A": lambda t: 1 / t, "A2": lambda t: t**-2, "soret": lambda t: 1 - t, "entropy_production": lambda t: t * t}
    with h5py.File(path, "w", track_order=True) as file:
        file.attrs["case"] = CASE.format(title=TITLES[3], units="reduced")
        for a in "xyz":
            file[f"grid/{a}"], file[f"grid/{a}_edges"] = x, np.linspace(0, 1, n + 1)
        T = file.create_dataset("temperature", (n, n, n), "f8")
        frame = file.create_group("frames/000000", track_order=True)
        frame.attrs["time"], frame.attrs["step"] = 0.0, 0
        fields = {name: frame.create_dataset(name, (n, n, n), "f8") for name in functions}
        mesh = np.meshgrid(x, x, indexing="ij")[::-1]
        for k, z in enumerate(x):
            t = temperature(3, (*mesh, z))
            T[k] = t
            for name, function in functions.items():
                fields[name][k] = function(t)


if __name__ == "__main__":
    if sys.argv[1] == "large":
        make_large(sys.argv[2], int(sys.argv[3]))
        sys.exit()
    make(sys.argv[2], int(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
