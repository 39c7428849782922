# SPDX-License-Identifier: BSD-2-Clause
"""Runs the cases of input/paper/ and draws a figure of each into docs/images/paper/:

    python3 postprocess/paper.py             all of them
    python3 postprocess/paper.py 3 6         cases 3 and 6
    python3 postprocess/paper.py --soret build/soret --output figures

Each panel shows what soret computed as marks or full lines, and the exact answer of docs/theory.md, where there is one, as thin black lines.
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
EXACT = dict(color="black", linewidth=0.7, zorder=1)
plt.rcParams.update({"font.size": 8, "axes.titlesize": 8.5, "legend.frameon": False, "legend.fontsize": 7, "lines.linewidth": 1.4, "lines.markersize": 3.2, "axes.linewidth": 0.6,
                     "mathtext.default": "regular", "axes.prop_cycle": plt.cycler(color=COLOURS), "figure.constrained_layout.use": True})


class Runner:
    """Runs a case and gives its open result."""

    def __init__(self, soret):
        self.soret, self.directory, self.count = soret, tempfile.TemporaryDirectory(), 0

    def __call__(self, name, *overrides):
        self.count += 1
        path = Path(self.directory.name) / f"{self.count}.h5"
        done = subprocess.run([self.soret, str(ROOT / "input" / "paper" / f"{name}.yaml"), *overrides, f"output.file={path}", "output.xdmf=false"], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name}: status {done.returncode}\n{done.stdout[-1000:]}{done.stderr}")
        return h5py.File(path)


def last(result):
    frames = sorted(result["frames"])
    return result[f"frames/{frames[-1]}"]


def species(frame):
    return {k: v[()] for k, v in frame.items() if isinstance(v, h5py.Dataset) and k not in ("temperature", "entropy_production")}


def slope(c, T):
    """S_T between neighbouring cells."""
    return -np.diff(np.log(c)) / np.diff(T)


def middle(x):
    return 0.5 * (x[1:] + x[:-1])


def panels(count, title, width=2.5):
    figure, axes = plt.subplots(1, count, figsize=(width * count, 2.3), squeeze=False)
    figure.suptitle(title, fontsize=9)
    return figure, axes[0]


def case_1(run):
    result = run("1_einstein")
    x, T, c = result["grid/x"][()], result["temperature"][()], species(last(result))
    figure, (left, right) = panels(2, "1. Einstein relation, D ~ T", 3)
    for i, name in enumerate(("ito", "stratonovich", "fick")):
        left.plot(x, c[name], label=name)
        right.plot(middle(T), slope(c[name], T), "o", markevery=8, color=COLOURS[i], label=name)
    for factor in (1, 0.5, 0):
        right.plot(T, factor / T, **EXACT)
    left.set(xlabel="x", ylabel="c")
    left.legend()
    right.set(xlabel="T", ylabel="$S_T$")
    return figure


def case_2(run):
    figure, (left, centre, right) = panels(3, "2. Reacting states: the sum does not see the reactions")
    two = run("2_two_state")
    x, T, c, frame = two["grid/x"][()], two["temperature"][()], species(last(two)), last(two)
    for name in ("F", "U"):
        left.plot(x, c[name], label=name)
    left.plot(x, c["F"] + 0.2 * c["U"], color="black", linestyle="--", label="$\\Sigma D c$")
    left.set(xlabel="x", ylabel="c", ylim=(0, None))
    left.legend()
    flux = {k: frame[f"flux/{k}"][:, 0] for k in ("F", "U")}
    for name in ("F", "U"):
        centre.plot(x, flux[name], label=f"$J_{name}$")
    centre.plot(x, flux["F"] + flux["U"], color="black", linestyle="--", label="sum")
    centre.set(xlabel="x", ylabel="flux", ylim=(-0.021, 0.029))
    centre.legend(ncol=3, loc="upper center", handlelength=1.2, columnspacing=0.8)
    for i, (name, D, title) in enumerate((("2_two_state", [1, 0.2], "two states"), ("2_five_states", [1, 0.7, 0.5, 0.2, 0.1], "five states"), ("2_driven_cycle", [1, 0.4, 0.1], "driven cycle"))):
        result = run(name)
        T, c = result["temperature"][()], np.array([c for _, c in sorted(species(last(result)).items())])
        D = np.array(D)
        right.plot(middle(T), slope(c.sum(0), T), "o", markevery=7, color=COLOURS[i], label=title)
        right.plot(middle(T), np.diff(np.log(D @ c / c.sum(0))) / np.diff(T), **EXACT)
    right.set(xlabel="T", ylabel="$S_T$", title="marks: c, lines: d ln<D>/dT")
    right.legend()
    return figure


def polymer(T, dE=24400.0, Tm=311.7, r=2.3 / 5.9):
    p = 1 / (1 + np.exp(dE / T - dE / Tm))
    return 1 / T - dE / T**2 * (1 - r) * p * (1 - p) / (1 - (1 - r) * p)


def case_3(run):
    figure, (axes, close) = panels(2, "3. Polymer: the sign of $S_T$ changes with temperature", 3)
    T = np.linspace(285, 345, 400)
    for i, (k, text) in enumerate(((1e10, "fast"), (1e3, "k = $10^3$"))):
        result = run("3_polymer", f"parameters.k={k}")
        for a in (axes, close):
            a.plot(result["sweep/parameter"][()], 1e3 * result["sweep/soret_mean"][()], "o", color=COLOURS[i], label=text)
            a.plot(result["sweep/zero"][()], 0 * result["sweep/zero"][()], "D", color=COLOURS[i], markersize=5, markerfacecolor="white", zorder=3)
        print("  inversions", *(f"{z:.5f}" for z in result["sweep/zero"][()]))
    for a in (axes, close):
        a.plot(T, 1e3 * polymer(T), **EXACT)
        a.axhline(0, color="grey", linewidth=0.5)
        a.set(xlabel="mean temperature (K)", ylabel="$S_T$ ($10^{-3}$/K)")
    close.set(xlim=(293, 300), ylim=(-4, 3), title="the lower inversion")
    axes.legend()
    return figure


def case_4(run):
    figure, (left, right) = panels(2, "4. Covariance of energy and diffusivity", 3)
    for sign, marker in ((1, "o"), (-1, "s")):
        for i, n in enumerate((2, 4, 8, 16)):
            result = run(f"4_ladder_{n}", f"parameters.correlation={sign}")
            T, fields = result["temperature"][()], species(last(result))
            c = sum(fields[f"S{k}"] for k in range(1, n + 1))
            E, D, t = 0.25 * np.arange(n), 1 + sign * 0.05 * np.arange(n), middle(T)
            p = np.exp(-E[:, None] / t)
            p /= p.sum(0)
            left.plot(t, slope(c, T), marker, markevery=12, color=COLOURS[i], label=f"{n} states" if sign == 1 else None)
            left.plot(t, ((E * D) @ p - (E @ p) * (D @ p)) / ((D @ p) * t**2), **EXACT)
    left.set(xlabel="T", ylabel="$S_T$", title="E and D correlated (o), anticorrelated (squares)", ylim=(-0.18, 0.25))
    left.legend(ncol=2, loc="upper center", columnspacing=1.5, handletextpad=0.1)
    result = run("4_uncorrelated")
    x, fields = result["grid/x"][()], species(last(result))
    for i, k in enumerate((1, 3, 5)):
        right.plot(x, fields[f"s{k}"] + fields[f"f{k}"], color=COLOURS[i], label=f"level {k}")
    right.plot(x, sum(fields.values()), color="black", linestyle="--", label="all")
    right.set(xlabel="x", ylabel="c", title="independent", ylim=(0, 1.1))
    right.legend()
    return figure


def case_5(run):
    result = run("5_damkoehler")
    figure, (left, right, entropy) = panels(3, "5. From slow to fast reactions")
    k, p = result["sweep/parameter"][()], np.exp(-1.5) / (1 + np.exp(-1.5))
    S = 1.5 * p * (1 - p) * (0.2 - 1) / (1 - p + 0.2 * p)
    x = result["grid/x"][()]
    measured = np.log(result["sweep/contrast"][()]) / (1e-3 * (x[-1] - x[0])) / S
    h = 0.5 * np.sqrt(k * (1 + np.exp(1.5) / 0.2))
    fine = np.geomspace(h[0], h[-1], 400)
    left.loglog(h, measured, "o")
    left.plot(fine, 1 - np.tanh(fine) / fine, **EXACT)
    left.plot(fine[fine < 1.5], fine[fine < 1.5] ** 2 / 3, color="grey", linestyle=":", linewidth=0.8)
    left.set(xlabel="$h = \\kappa L/2$", ylabel="$S_T/S_{ch}$", title="dotted: $h^2/3$")
    frames = sorted(result["frames"])
    for i, j in enumerate((8, 16, 20, 24, 32)):
        f = result[f"frames/{frames[int(result['sweep/frame'][j])]}"]
        c = f["F"][()] + f["U"][()]
        right.plot(x, 1e4 * (c / c.mean() - 1), color=plt.cm.viridis(i / 5), label=f"k = {k[j]:.3g}")
    right.set(xlabel="x", ylabel="$10^4$ (c/mean - 1)", ylim=(-1.2, 2.2))
    right.legend(ncol=2, loc="upper center", handlelength=1.2, columnspacing=0.8)
    both = {part: result[f"sweep/entropy_{part}"][()] for part in ("reactions", "diffusion")}
    for part, production in both.items():
        entropy.loglog(h, production / both["diffusion"][-1], "o", markersize=2.4, label=part)
    entropy.set(xlabel="$h = \\kappa L/2$", ylabel="entropy production", title="relative to that of fast reactions")
    entropy.legend(loc="lower center")
    return figure


def case_6(run):
    figure, axes = plt.subplots(2, 3, figsize=(7.5, 4.6))
    figure.suptitle("6. Dimerization", fontsize=9)
    (a, b, c), (d, e, f) = axes
    for i, (k, text) in enumerate(((20, "k = 20"), (1e10, "fast"))):
        result = run("6_dimer", f"parameters.k={k}")
        x, fields = result["grid/x"][()], species(last(result))
        a.plot(x, fields["A"], "-" if i else "--", color=COLOURS[0], label=f"A, {text}")
        a.plot(x, 2 * fields["A2"], "-" if i else "--", color=COLOURS[1], label=f"2 A2, {text}")
    a.set(xlabel="x", ylabel="c", ylim=(0, None))
    a.legend()
    result = run("6_dimer_total")
    M, S = result["sweep/parameter"][()], np.log(result["sweep/contrast"][()]) / (0.01 * (1 - 1 / 32))
    fine = np.geomspace(1e-4, 1e4, 300)
    cA = 0.25 * (np.sqrt(1 + 8 * fine) - 1)
    fraction = 2 * cA**2 / fine
    b.semilogx(M, S, "o")
    b.plot(fine, 2 * fraction * (1 - fraction) * 0.6 / (1 - fraction + 0.8 * fraction), **EXACT)
    b.set(xlabel="total concentration A + 2 A2", ylabel="$S_T$", xticks=[1e-4, 1e-2, 1, 1e2, 1e4])
    result = run("6_dimer_transient")
    x = result["grid/x"][()]
    frames = sorted(result["frames"])
    for i, k in enumerate(frames):
        fields, t = species(result[f"frames/{k}"]), result[f"frames/{k}"].attrs["time"]
        c.plot(x, fields["A"] + 2 * fields["A2"], color=plt.cm.viridis(i / len(frames)), label=f"t = {t:g}")
        c.plot(x, fields["A"], ":", color=plt.cm.viridis(i / len(frames)), linewidth=1)
    c.set(xlabel="x", ylabel="A + 2 A2 (dotted: A)", ylim=(0, 2.35))
    c.legend(ncol=3, loc="upper left", fontsize=5.5, handlelength=1, columnspacing=0.8)
    two = run("6_dimer_2d")
    fields = species(last(two))
    for panel, (field, title) in zip((d, e), ((two["temperature"][()], "T"), (fields["A"] + 2 * fields["A2"], "A + 2 A2"))):
        picture = panel.imshow(field, origin="lower", extent=(0, 1, 0, 1), cmap="cividis" if title == "T" else "viridis")
        figure.colorbar(picture, ax=panel, shrink=0.85)
        panel.set(title=title, xlabel="x", ylabel="y")
    three = run("6_dimer_3d")
    T, fields = three["temperature"][()], species(last(three))
    f.plot(two["temperature"][()].ravel(), (lambda g: (g["A"] + 2 * g["A2"]).ravel())(species(last(two))), ".", markersize=0.8, color=COLOURS[0], label="2D")
    f.plot(T.ravel()[::7], (fields["A"] + 2 * fields["A2"]).ravel()[::7], ".", markersize=0.8, color=COLOURS[1], label="3D")
    f.set(xlabel="T of the cell", ylabel="A + 2 A2", title="fast: a function of T alone")
    f.legend(markerscale=8)
    return figure


def ladder(fields):
    names = sorted(fields, key=lambda k: int(k[1:]))
    return names, np.array([fields[k] for k in names])


def case_7(run):
    figure, (a, b, c) = panels(3, "7. Velocities that relax to the local temperature")
    for i, (name, text) in enumerate((("7_velocity_three", "3, BGK"), ("7_velocity_jumps", "3, jumps"))):
        result = run(name)
        x, T, total = result["grid/x"][()], result["temperature"][()], sum(species(last(result)).values())
        a.plot(x, total, "o", markevery=8, color=COLOURS[i], label=text)
        exact = 1 / T if i == 0 else 2 + np.exp(1.125 / T)
        a.plot(x, exact / exact.mean(), **EXACT)
    a.set(xlabel="x", ylabel="c", title="exact at any rate")
    a.legend()
    for i, gamma in enumerate((1, 10, 100)):
        result = run("7_velocity_ladder", f"parameters.gamma={gamma}", "domain.cells=[400]")
        x, T, total = result["grid/x"][()], result["temperature"][()], sum(species(last(result)).values())
        b.plot(x, total * T, color=COLOURS[i], label=f"$\\gamma$ = {gamma}")
    b.axhline(1 / np.mean(1 / T), **EXACT)
    b.set(xlabel="x", ylabel="c T", title="nine velocities: fast limit c T = const")
    b.legend()
    v = 3.5 * np.arange(-4, 5) / 4
    for i, gamma in enumerate((2, 10, 40)):
        result = run("7_velocity_diffusion", f"parameters.gamma={gamma}")
        x, amplitude, times = result["grid/x"][()], [], []
        for k in sorted(result["frames"]):
            frame = result[f"frames/{k}"]
            amplitude.append(2 * np.mean(np.cos(np.pi * x) * sum(species(frame).values())))
            times.append(frame.attrs["time"])
        c.plot(np.pi**2 * np.array(times) / gamma, amplitude, "o", color=COLOURS[i], label=f"$\\gamma$ = {gamma}")
    t = np.linspace(0, 1.2, 100)
    c.plot(t, 0.5 * np.exp(-t), **EXACT)
    c.set(xlabel="$D \\pi^2 t$, D = T/$\\gamma$", ylabel="amplitude of the wave", title="line: diffusion", xlim=(0, 1.2))
    c.legend()
    return figure


def response(omega, k=10.0):
    """Amplitude of (F + U) cos(pi x) per amplitude of T, relative to the total."""
    K = np.exp(-2.0)
    c0, R = np.array([1, K]) / (1 + K), k * np.array([[-K, 1], [K, -1]])
    drive = -np.pi**2 * np.array([1, 0.2]) * c0 + 2 * k * K * c0[0] * np.array([-1, 1])
    return np.array([np.linalg.solve(1j * w * np.eye(2) + np.pi**2 * np.diag([1, 0.2]) - R, drive).sum() for w in np.atleast_1d(omega)])


def case_8(run):
    figure, axes = plt.subplots(2, 3, figsize=(7.5, 4.6))
    figure.suptitle("8. Oscillating gradient, and a hot spot with no net flux", fontsize=9)
    a, b, c = axes[0]
    measured, omegas = [], [1, 3, 10, 30, 100]
    for omega in omegas:
        result = run("8_oscillating", f"parameters.omega={omega}", "parameters.amplitude=0.01", *(["solve.end=14*pi/omega"] if omega > 20 else []))
        x, frames = result["grid/x"][()], [result[f"frames/{k}"] for k in sorted(result["frames"])]
        late = frames[-17:-1]
        measured.append(2 / len(late) * sum(2 * np.mean(np.cos(np.pi * x) * (f["F"][()] + f["U"][()])) * np.exp(-1j * omega * f.attrs["time"]) for f in late) / 0.01)
    fine = np.geomspace(0.8, 130, 200)
    exact = -response(fine)
    a.semilogx(omegas, -np.real(measured), "o", label="in phase")
    a.semilogx(omegas, np.imag(measured), "s", label="lag")
    a.plot(fine, exact.real, **EXACT)
    a.plot(fine, -exact.imag, **EXACT)
    a.set(xlabel="$\\omega$", ylabel="$S_T(\\omega)$", title="small amplitude")
    a.legend()
    result = run("8_oscillating")
    x, frames = result["grid/x"][()], [result[f"frames/{k}"] for k in sorted(result["frames"])][-17:]
    for i, k in enumerate((0, 4, 8, 12)):
        b.plot(x, frames[k]["F"][()] + frames[k]["U"][()], color=plt.cm.twilight((i + 0.5) / 4), label=("0", "1/4", "1/2", "3/4")[i])
    b.set(xlabel="x", ylabel="F + U", title="parts of a period, $\\omega$ = 10", ylim=(0.86, 1.21))
    b.legend(ncol=4, loc="upper center", handlelength=1, columnspacing=0.7, handletextpad=0.3)
    left = [2 * np.mean(np.cos(np.pi * x) * (f["F"][()] + f["U"][()])) for f in frames]
    c.plot(0.3 * np.cos(10 * np.array([f.attrs["time"] for f in frames])), left, "-o")
    c.set(xlabel="T(left) - 1", ylabel="mode cos $\\pi$x of F + U", title="the lag is a loop")
    spot = run("8_hot_spot_2d")
    frame, fields, T = last(spot), species(last(spot)), spot["temperature"][()]
    a, b, c = axes[1]
    X, Y = np.meshgrid(spot["grid/x"][()], spot["grid/y"][()])
    pick = (slice(3, None, 6), slice(3, None, 6))
    for panel, (field, title, cmap) in zip((a, b, c), ((fields["F"] + fields["U"], "F + U, and the flux of F", "viridis"), (fields["U"], "U, and the flux of U", "viridis"), (frame["entropy_production"][()], "entropy production", "magma"))):
        picture = panel.imshow(field, origin="lower", extent=(0, 1, 0, 1), cmap=cmap)
        figure.colorbar(picture, ax=panel, shrink=0.85)
        panel.contour(X, Y, T, levels=[1.1, 1.3, 1.5], colors="white", linewidths=0.5)
        panel.set(title=title, xlabel="x", ylabel="y")
    for panel, name in ((a, "F"), (b, "U")):
        J = frame[f"flux/{name}"][()]
        long = np.hypot(*np.moveaxis(J[pick], -1, 0)) > 0.03 * np.hypot(*np.moveaxis(J, -1, 0)).max()  # the others would be dots
        panel.quiver(X[pick][long], Y[pick][long], J[pick][long][:, 0], J[pick][long][:, 1], color="white", width=0.008)
    total = np.abs(frame["flux/F"][()] + frame["flux/U"][()]).max() / np.abs(frame["flux/F"][()]).max()
    print(f"  largest flux of the sum over that of F: {total:.1e}")
    return figure


CASES = {1: (case_1, "einstein"), 2: (case_2, "states"), 3: (case_3, "polymer"), 4: (case_4, "covariance"), 5: (case_5, "damkoehler"), 6: (case_6, "dimer"), 7: (case_7, "velocities"), 8: (case_8, "beyond")}


def main():
    parser = argparse.ArgumentParser(description="Runs the cases of input/paper/ and draws a figure of each.")
    parser.add_argument("cases", type=int, nargs="*", choices=[[], *CASES], metavar="NUMBER", help=f"cases of the theory, {min(CASES)} to {max(CASES)} (default: all)")
    parser.add_argument("--soret", default=str(ROOT / "build" / "soret"), help="the program (default: build/soret)")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images" / "paper", help="folder of the figures")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    run = Runner(str(Path(options.soret).resolve()))
    for number in options.cases or CASES:
        draw, name = CASES[number]
        path = options.output / f"{number}_{name}.png"
        print(path)
        figure = draw(run)
        figure.savefig(path, dpi=130)
        plt.close(figure)


if __name__ == "__main__":
    main()
