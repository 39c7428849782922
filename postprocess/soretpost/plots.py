# SPDX-License-Identifier: BSD-2-Clause
"""The sensible picture of a result: profiles in 1D, maps in 2D, slices and cuts in 3D, and the course of time if there is one."""
import math

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .result import Result
from .result import open as open_result

STYLE = {
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.6,
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.use_mathtext": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "image.cmap": "viridis",
    "mathtext.default": "regular",
}
# the colours of Okabe and Ito, and dashes for those who see none
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
DASHES = ["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5))]
GREY = "#6b6b6b"
MAPS = {"temperature": "cividis", None: "viridis"}
MOST_PANELS = 8  # of species in one picture; --species chooses others
MOST_PIXELS = 1500  # along each axis of a map
MOST_CELLS = 50_000_000  # that are read to find the hottest


def line_style(i):
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)]}


def total_style(i):
    return {"color": ("black", "#555555", "#999999")[i % 3], "linestyle": DASHES[(i + 2) % len(DASHES)], "linewidth": 1.1}


def pretty(units):
    """mol/m^3 as mol/m³."""
    for plain, nice in (("^2", "²"), ("^3", "³"), ("um", "µm")):
        units = units.replace(plain, nice)
    return units


def label(name, units):
    return f"{name} ({pretty(units)})" if units else name


def scale_of(units, largest):
    """Factor and name of the unit in which a length or a time is easy to read."""
    steps = {"m": [(1, "m"), (1e-3, "mm"), (1e-6, "um"), (1e-9, "nm")], "s": [(86400.0, "d"), (3600.0, "h"), (1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")]}
    chosen = steps.get(units, [(1, units)])
    for unit, name in chosen:
        if largest >= unit * (2 if unit > 1 else 1 - 1e-9):
            return 1 / unit, name
    return 1 / chosen[-1][0], chosen[-1][1]


class View:
    """One frame of a result: what the panels need, read as they need it."""

    def __init__(self, result, frame, species):
        self.result, self.dims = result, result.dims
        if not result.species:
            raise ValueError("there is no frame with species to plot")
        if not -len(result.times) <= frame < len(result.times):
            raise IndexError(f"there is no frame {frame}, the file holds {len(result.times)}")
        self.frame = frame % len(result.times)
        self.species = list(species or result.species[:MOST_PANELS])
        self.left_out = len(result.species) - len(self.species) if not species else 0
        for name in self.species:
            result[name]  # says which there are if this is none
        self.temperature = result.temperature
        size = max(np.ptp(result.edges[a]) for a in self.dims)
        self.factor, self.length_unit = scale_of(result.units(self.dims[-1]), size)

    def field(self, name):
        return self.temperature if name == "temperature" else self.result[name]

    def read(self, name, key):
        """A part of a field in this frame, NaN in solid cells."""
        array = self.field(name)
        data = np.asarray(array[(self.frame,) + key if array.dims[0] == "time" else key], dtype=float)
        solid = self.result.solid
        if solid is not None and name != "temperature":
            data = np.where(np.asarray(solid[key]) > 0.5, np.nan, data)
        return data

    @property
    def fields(self):
        return (["temperature"] if self.temperature is not None else []) + self.species

    def name(self, field):
        return label("T" if field == "temperature" else field, self.field(field).units)

    def centres(self, axis):
        return self.factor * self.result.coords[axis]

    def edges(self, axis):
        return self.factor * self.result.edges[axis]

    def axis_label(self, axis):
        return label(axis, self.length_unit)

    @property
    def title(self):
        time = self.result.times[self.frame]
        if len(self.result.times) < 2 or not np.isfinite(time):
            return self.result.title
        factor, unit = scale_of(self.result.units("time"), np.nanmax(np.abs(self.result.times)))
        return f"{self.result.title},  t = {factor * time:.4g}{' ' + pretty(unit) if unit else ''}"

    def hottest(self):
        """Index of the hottest cell, per axis; the middle where T does not vary. Reads plane by plane, not all planes of a large grid."""
        shape = tuple(len(self.result.coords[a]) for a in self.dims)
        middle = tuple(n // 2 for n in shape)
        if self.temperature is None:
            return middle
        step = math.ceil(math.prod(shape) / MOST_CELLS)
        best, lowest, where = -np.inf, np.inf, middle
        for k in range(step // 2, shape[0], step):
            plane = self.read("temperature", (k,))
            lowest = min(lowest, plane.min())
            if plane.max() > best:
                best = plane.max()
                where = (k,) + tuple(int(i) for i in np.unravel_index(plane.argmax(), plane.shape))
        return where if best > lowest else middle


# ---------------------------------------------------------------------------------------------------------------------- panels


def sum_name(weights):
    return " + ".join(s if w == 1 else f"{w:g} {s}" for s, w in weights.items()).replace("+ -", "- ")


def totals(view):
    """Sums of more than one species that the file names: [(name, {species: weight})]."""
    found = []
    for name in view.result.series:
        if name.startswith("total/"):
            weights = view.result.series.formula(name)
            if len(weights) > 1 and all(s in view.result.species for s in weights):
                found.append((sum_name(weights), weights))
    return found


def use_log(curves):
    """Whether amounts lie so far apart that a linear axis would show one of them only."""
    tops = [np.nanmax(c) for c in curves if np.isfinite(c).any() and np.nanmax(c) > 0]
    return len(tops) > 1 and max(tops) > 300 * min(tops) and all(np.nanmin(c) > 0 for c in curves)


def draw_curves(view, axes, axis, key, with_totals=True):
    """Concentrations along a line of cells, T on the axis at the right. Returns what a legend needs and the second axis."""
    x, curves, handles = view.centres(axis), [], []
    for i, name in enumerate(view.species):
        curves.append(view.read(name, key))
        handles += axes.plot(x, curves[-1], label=name, **line_style(i))
    for i, (name, weights) in enumerate(totals(view) if with_totals else []):
        total = sum(w * view.read(s, key) for s, w in weights.items())
        curves.append(total)
        handles += axes.plot(x, total, label=name, **total_style(i))
    if use_log(curves):
        axes.set_yscale("log")
    else:
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, 0.0) if low < 0.35 * high else low, high)
    twin = None
    if view.temperature is not None:
        twin = axes.twinx()
        handles += twin.plot(x, view.read("temperature", key), label="T", color=GREY, linewidth=1.0, alpha=0.9)
        twin.tick_params(axis="y", colors=GREY)
        twin.spines["right"].set_color(GREY)
        twin.yaxis.set_major_locator(MaxNLocator(5))
        twin.set_ylabel(view.name("temperature"), color=GREY)
        axes.set_zorder(twin.get_zorder() + 1)
        axes.patch.set_visible(False)
    axes.set_xlim(view.edges(axis)[0], view.edges(axis)[-1])
    axes.set_xlabel(view.axis_label(axis))
    return handles, twin


def draw_map(view, figure, axes, field, plane, key, limits=None):
    """A plane of cells in colour. plane - names of the vertical and the horizontal axis."""
    vertical, horizontal = plane
    data, edges = view.read(field, key), {a: view.edges(a) for a in plane}
    for i, a in enumerate(plane):
        step = max(1, math.ceil(data.shape[i] / MOST_PIXELS))
        data = np.take(data, np.arange(0, data.shape[i], step), axis=i)
        edges[a] = np.append(edges[a][:-1:step], edges[a][-1])
    low, high = limits or limits_of([data])
    colours = matplotlib.colormaps[MAPS.get(field, MAPS[None])].copy()
    colours.set_bad("#c8c8c8")  # solid
    mesh = axes.pcolormesh(edges[horizontal], edges[vertical], np.ma.masked_invalid(data), cmap=colours, vmin=low, vmax=high, rasterized=True)
    extent = np.ptp(edges[horizontal]) / np.ptp(edges[vertical])
    axes.set_aspect("equal" if 0.25 <= extent <= 4 else "auto")
    axes.set_xlabel(view.axis_label(horizontal))
    axes.set_ylabel(view.axis_label(vertical))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
    return mesh


def limits_of(planes):
    """Common limits of the colours; a field that does not vary gets a range all the same."""
    finite = [p[np.isfinite(p)] for p in planes]
    finite = [p for p in finite if p.size]
    if not finite:
        return 0.0, 1.0
    low, high = float(min(p.min() for p in finite)), float(max(p.max() for p in finite))
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        pad = 0.5 * abs(high) or 0.5
        return low - pad, high + pad
    return low, high


def add_colorbar(figure, mesh, axes, place, orientation="vertical"):
    """place - left, bottom, width and height in terms of the axes, so that the bar is as long as the map."""
    bar = figure.colorbar(mesh, cax=axes.inset_axes(place), orientation=orientation)
    bar.locator = MaxNLocator(5 if orientation == "vertical" else 4)
    bar.update_ticks()
    bar.outline.set_linewidth(0.5)


def legend_above(axes, handles, **options):
    axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=2.4, columnspacing=1.4, **options)


# ------------------------------------------------------------------------------------------------------------ pictures per dimension


def draw_1d(view, figure):
    axes = figure.subplots()
    handles, _ = draw_curves(view, axes, "x", ())
    legend_above(axes, handles, ncol=min(len(handles), 6))
    axes.set_ylabel(label("concentration", view.field(view.species[0]).units))


def grid_of(count):
    """Rows and columns for panels."""
    columns = count if count <= 3 else 2 if count == 4 else 3 if count <= 9 else 4
    return math.ceil(count / columns), columns


def draw_2d(view, figure):
    rows, columns = grid_of(len(view.fields))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, field in zip(panels, view.fields):
        mesh = draw_map(view, figure, axes, field, ("y", "x"), ())
        add_colorbar(figure, mesh, axes, (1.03, 0, 0.045, 1))
        axes.set_title(view.name(field))
        axes.label_outer()
    for axes in panels[len(view.fields):]:
        axes.set_visible(False)


PLANES = (("z", ("y", "x")), ("y", ("z", "x")), ("x", ("z", "y")))


def draw_3d(view, figure):
    """A column per field, a row per plane through the hottest cell; below them the lines in which the planes meet."""
    where = dict(zip(view.dims, view.hottest()))
    extents = {a: np.ptp(view.edges(a)) for a in view.dims}
    heights = [min(max(extents[v] / extents[h], 0.3), 2.0) for _, (v, h) in PLANES]
    top, bottom = figure.subfigures(2, 1, height_ratios=[sum(heights) + 0.9, 1.1])
    panels = top.subplots(3, len(view.fields), squeeze=False, gridspec_kw={"height_ratios": heights})
    for column, field in zip(panels.T, view.fields):
        draw_planes(view, top, column, field, where)
    for axes, (normal, _) in zip(panels[:, 0], PLANES):
        text = f"{normal} = {view.centres(normal)[where[normal]]:.3g} {pretty(view.length_unit)}".strip()
        axes.annotate(text, (-0.42, 0.5), xycoords="axes fraction", rotation=90, va="center", ha="right", fontweight="bold")
    for axes in panels[:, 1:].ravel():
        axes.set_ylabel("")
        axes.tick_params(labelleft=False)
    draw_cuts(view, bottom, where)


def draw_planes(view, figure, panels, field, where):
    """The three planes of one field, in the same colours."""
    keys = [tuple(where[a] if a == normal else slice(None) for a in view.dims) for normal, _ in PLANES]
    limits = limits_of([view.read(field, key) for key in keys])
    for axes, key, (_, plane) in zip(panels, keys, PLANES):
        mesh = draw_map(view, figure, axes, field, plane, key, limits)
        for line, axis in ((axes.axhline, plane[0]), (axes.axvline, plane[1])):
            line(view.centres(axis)[where[axis]], color="white", linewidth=0.6, linestyle=(0, (4, 3)), alpha=0.8)
    panels[0].set_title(view.name(field))
    add_colorbar(figure, mesh, panels[-1], (0, -0.36, 1, 0.05), "horizontal")


def draw_cuts(view, figure, where):
    """Along the three lines in which the planes meet, on common axes."""
    panels, twins = figure.subplots(1, 3, sharey=True), []
    for axes, axis in zip(panels, "xyz"):
        handles, twin = draw_curves(view, axes, axis, tuple(slice(None) if a == axis else where[a] for a in view.dims), with_totals=False)
        twins += [twin] if twin else []
    panels[0].set_ylabel(label("concentration", view.field(view.species[0]).units))
    for twin in twins:
        twin.set_ylim(min(t.get_ylim()[0] for t in twins), max(t.get_ylim()[1] for t in twins))
    for twin in twins[:-1]:
        twin.set_ylabel("")
        twin.tick_params(labelright=False)
    legend_above(panels[1], handles, ncol=min(len(handles), 8), title="along the dashed lines", title_fontsize=8)


# -------------------------------------------------------------------------------------------------------------------- series


def has_series(result):
    return len(result.times) > 1 and "time" in result.series and len(result.series["time"]) > 1


def rows_of(series, name, length):
    """A series, cut to the length of time: a run that was stopped may have written one row more of some."""
    return np.asarray(series[name][:length], dtype=float)


def draw_series(view, figure):
    """Totals at the left, the range of each species at the right."""
    series = view.result.series
    time = series["time"][:]
    factor, unit = scale_of(view.result.units("time"), np.abs(time).max())
    left, right = figure.subplots(1, 2)
    shown = [n for n in series if n.startswith("total/")][:MOST_PANELS]
    for i, name in enumerate(shown):
        left.plot(factor * time, rows_of(series, name, len(time)), label=sum_name(series.formula(name)) or f"total {name[6:]}", **total_style(i))
    steady_axis(left)
    left.set_ylabel(label("mean of the total", view.result.units(view.species[0])))
    curves = []
    for i, name in enumerate(view.species):
        if f"min/{name}" not in series or f"max/{name}" not in series:
            continue
        low, high = rows_of(series, f"min/{name}", len(time)), rows_of(series, f"max/{name}", len(time))
        curves += [low, high]
        right.fill_between(factor * time, low, high, color=COLOURS[i % len(COLOURS)], alpha=0.18, linewidth=0)
        right.plot(factor * time, high, label=name, **line_style(i))
        right.plot(factor * time, low, **dict(line_style(i), linewidth=0.9))
    if use_log(curves):
        right.set_yscale("log")
    right.set_ylabel(label("min .. max", view.result.units(view.species[0])))
    for axes in (left, right):
        axes.set_xlim(factor * time[0], factor * time[-1])
        axes.set_xlabel(label("t", unit))
        axes.axvline(factor * view.result.times[view.frame], color=GREY, linewidth=0.7, linestyle=":")
        handles = axes.get_legend_handles_labels()[0]
        if handles:
            legend_above(axes, handles, ncol=min(len(handles), 3))


def steady_axis(axes):
    """Totals that are conserved shall look so: not the rounding errors, magnified."""
    values = np.concatenate([line.get_ydata() for line in axes.lines]) if axes.lines else np.zeros(0)
    values = values[np.isfinite(values)]
    if values.size and np.ptp(values) < 1e-6 * np.abs(values).max():
        middle = values.mean()
        axes.set_ylim(0.9 * middle, 1.1 * middle) if middle > 0 else axes.set_ylim(1.1 * middle, 0.9 * middle)


# -------------------------------------------------------------------------------------------------------------------- whole


def sizes_of(view):
    """Width of the picture and height of its fields, inches."""
    if len(view.dims) == 1:
        return 5.6, 3.5
    count = len(view.fields)
    if len(view.dims) == 2:
        rows, columns = grid_of(count)
        shape = np.ptp(view.edges("y")) / np.ptp(view.edges("x"))
        wide = {1: 4.6, 2: 3.7}.get(columns, 3.0)
        return wide * columns, rows * ((wide - 1.2) * min(max(shape, 0.25), 4) + 0.45) + 0.5
    return max(6.4, 2.1 * count + 0.9), 9.6


def plot(result, frame=-1, species=None):
    """Draws a frame (default: the last) of a result or of a file and, if there are several, the course of time; a matplotlib Figure.

    result - a path or what soretpost.open() returns
    species - names, if not all are wanted
    """
    if not isinstance(result, Result):
        with open_result(result) as opened:
            return plot(opened, frame, species)
    view = View(result, frame, species)
    width, height = sizes_of(view)
    series_height = 2.5 if has_series(result) else 0.0
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height + series_height), layout="constrained")
        FigureCanvasAgg(figure)
        parts = figure.subfigures(2, 1, height_ratios=[height, series_height], squeeze=False).ravel() if series_height else [figure]
        {1: draw_1d, 2: draw_2d, 3: draw_3d}[len(view.dims)](view, parts[0])
        if series_height:
            draw_series(view, parts[1])
        note = f"\n(and {view.left_out} more species: --species)" if view.left_out else ""
        figure.suptitle(view.title + note, fontsize=10)
        figure.canvas.draw()  # the layout is made with this style, also when it is saved later
    return figure
