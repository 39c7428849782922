# SPDX-License-Identifier: BSD-2-Clause
"""Two results beside each other: how far apart, as numbers and as a picture. The second may have another grid over the same box."""
import os

import matplotlib
import numpy as np

from .fields import add_colorbar, legend_above, named_lines, show_single_points
from .plots import compose
from .style import COLOURS, STYLE, colours_of, label, limits_of, pretty
from .view import View, plane_key

MOST_FIELDS = 4  # in the picture; the table has all


def onto(view, field, other, key):
    """A part of a field of another result at the centres of this one: linear between centres, and on to the walls."""
    key = dict(zip(view.dims, key or (slice(None),) * len(view.dims)))
    fixed = {a: view.result.coords[a][k] for a, k in key.items() if not isinstance(k, slice)}
    data = read_at(other, field, fixed, {})
    for k, axis in enumerate([a for a in view.dims if a not in fixed]):
        here, there = view.result.coords[axis], other.result.coords[axis]
        if len(here) != len(there) or not np.allclose(here, there, rtol=1e-12, atol=0):
            data = interpolate(data, k, there, here)
    return data


def read_at(other, field, fixed, key):
    """Where the axes of `fixed` have these positions: of the two layers beside it. key - {axis: cell} of those that are found."""
    if not fixed:
        return other.read(field, tuple(key.get(a, slice(None)) for a in other.dims))
    (axis, position), rest = next(iter(fixed.items())), dict(list(fixed.items())[1:])
    x = other.result.coords[axis]
    if len(x) == 1:
        return read_at(other, field, rest, {**key, axis: 0})
    at = int(np.clip(np.searchsorted(x, position) - 1, 0, len(x) - 2))
    weight = (position - x[at]) / (x[at + 1] - x[at])
    layers = [(w, k) for w, k in ((1 - weight, at), (weight, at + 1)) if abs(w) > 1e-12]
    return sum(w * read_at(other, field, rest, {**key, axis: k}) for w, k in layers)


def interpolate(data, axis, x, new):
    """Linear along one axis."""
    if len(x) == 1:
        return np.repeat(data, len(new), axis=axis)
    at = np.clip(np.searchsorted(x, new) - 1, 0, len(x) - 2)
    shape = [1] * data.ndim
    shape[axis] = len(new)
    weight = ((new - x[at]) / (x[at + 1] - x[at])).reshape(shape)
    return (1 - weight) * np.take(data, at, axis) + weight * np.take(data, at + 1, axis)


def same_box(a, b):
    if a.dims != b.dims:
        raise ValueError(f"{a.path} has {len(a.dims)} dimensions, {b.path} {len(b.dims)}")
    for axis in a.dims:
        ends = a.edges[axis][[0, -1]], b.edges[axis][[0, -1]]
        if not np.allclose(*ends, rtol=1e-6, atol=1e-6 * np.ptp(ends[0])):
            raise ValueError(f"different boxes: {axis} from {ends[0][0]:g} to {ends[0][1]:g} in {a.path}, from {ends[1][0]:g} to {ends[1][1]:g} in {b.path}")


def common(a, b):
    names = [n for n in a.species if n in b.species]
    for result in (a, b):
        if not result.species:
            raise ValueError(f"there is no frame in {result.path} to compare")
    if not names:
        raise ValueError(f"no species in common: {', '.join(a.species)} and {', '.join(b.species)}")
    return names


def volumes(result):
    """Of the cells, as a product over axes: [dz][dy][dx]."""
    parts = np.meshgrid(*[np.diff(result.edges[a]) for a in result.dims], indexing="ij", sparse=True)
    return [p for p in parts]


def difference(view, field, other):
    """Largest and root mean square of the difference, the largest value, and in how many cells one of the two is not defined; layer by layer, so that large grids
    fit."""
    worst, square, volume, largest, lone = 0.0, 0.0, 0.0, 0.0, 0
    sizes = volumes(view.result)
    layers = [(k,) for k in range(len(view.result.coords[view.dims[0]]))] if len(view.dims) == 3 else [()]
    for key in layers:
        here = view.read(field, key)
        there = onto(view, field, other, key + (slice(None),) * (len(view.dims) - len(key)))
        weight = np.ones_like(here)
        for size in sizes:
            weight = weight * (size[key[0]] if key and size.shape[0] > 1 else size[0] if key else size)
        gap, keep = np.abs(there - here), np.isfinite(there) & np.isfinite(here)
        lone += np.count_nonzero(np.isfinite(there) != np.isfinite(here))
        if keep.any():
            worst, largest = max(worst, gap[keep].max()), max(largest, np.abs(here[keep]).max())
            square, volume = square + np.sum(weight[keep] * gap[keep] ** 2), volume + np.sum(weight[keep])
    return (worst, np.sqrt(square / volume), largest, lone) if volume else (np.nan, np.nan, np.nan, lone)


def table(view, other, names):
    """Lines of text: a row per field, then what differs in the summaries."""
    lines = [f"{'field':20}{'largest difference':>20}{'root mean square':>20}{'largest value':>16}"]
    for name in (["temperature"] if view.temperature is not None and other.temperature is not None else []) + names:
        worst, rms, largest, lone = difference(view, name, other)
        units = view.field(name).units if name == "temperature" else view.amount[1]
        lines.append(f"{label(name, units):20}{worst:20.4g}{rms:20.4g}{largest:16.6g}" + (f"  without {lone} cells where one is solid or not defined" if lone else ""))
    a, b = view.result.summary, other.result.summary
    numbers = [n for n in a if n in b and isinstance(a[n], (int, float)) and not np.array_equal(a[n], b[n], equal_nan=True) and not n.startswith(("seconds_", "peak_"))]
    times = [v.result.times[v.frame] for v in (view, other)]
    moved = not np.array_equal(*times, equal_nan=True)
    if numbers or moved:
        lines.append(f"{'summary':20}{'first':>20}{'second':>20}")
        lines += [f"{'time of the frame':20}{times[0]:20.9g}{times[1]:20.9g}"] if moved else []
        lines += [f"{n:20}{a[n]:20.9g}{b[n]:20.9g}" for n in numbers]
    return "\n".join(lines)


def draw_profiles(view, other, names, figure, labels):
    """Both in the upper panel, the difference in the lower."""
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2, 1]})
    for i, name in enumerate(names):
        colour = COLOURS[i % len(COLOURS)]
        upper.plot(view.centres("x"), view.read(name), color=colour, label=f"{name}, {labels[0]}")
        upper.plot(view.factor * other.result.coords["x"], other.read(name), color=colour, linestyle=(0, (4, 2)), label=f"{name}, {labels[1]}")
        lower.plot(view.centres("x"), onto(view, name, other, ()) - view.read(name), color=colour)
    for axes in (upper, lower):
        show_single_points(axes)
    lower.axhline(0, color="#6b6b6b", linewidth=0.6)
    lower.set_xlabel(view.axis_label("x"))
    lower.set_xlim(view.edges("x")[0], view.edges("x")[-1])
    lower.set_ylabel("difference")
    upper.set_ylabel(label("concentration", view.amount[1]))
    legend_above(upper, named_lines(upper), ncol=2)


def draw_maps(view, other, names, figure, labels):
    """A row per field: first, second, difference, in the plane of the hottest cell normal to z."""
    key = plane_key(view, "z") if len(view.dims) == 3 else ()
    panels = figure.subplots(len(names), 3, squeeze=False)
    for row, name in zip(panels, names):
        first, second = view.read(name, key), onto(view, name, other, key)
        limits = limits_of([first, second])
        for axes, data, kind in zip(row, (first, second, second - first), (name, name, "difference")):
            draw_values(view, figure, axes, data, kind, limits if kind == name else limits_of([data]))
        row[0].set_ylabel(view.axis_label("y"))
        for axes, text in zip(row, (f"{view.name(name)}, {labels[0]}", labels[1], "difference")):
            axes.set_title(text)


def draw_values(view, figure, axes, data, kind, limits):
    """A map of values that no file holds."""
    colours, norm = colours_of(kind, *limits)
    mesh = axes.pcolormesh(view.edges("x"), view.edges("y"), np.ma.masked_invalid(data), cmap=colours, norm=norm, rasterized=True)
    axes.set_aspect("equal" if 0.25 <= np.ptp(view.edges("x")) / np.ptp(view.edges("y")) <= 4 else "auto")
    axes.set_xlabel(view.axis_label("x"))
    add_colorbar(figure, mesh, axes, (1.03, 0, 0.045, 1))


def compare(first, second, frame=-1):
    """(text, matplotlib Figure) of two opened results, at the frame of that number in each."""
    same_box(first, second)
    names = common(first, second)
    view, other = View(first, frame, names), View(second, frame, names)
    other.amount = view.amount
    labels = ("first", "second")
    shown = names[:MOST_FIELDS]
    with matplotlib.rc_context(STYLE):
        if len(view.dims) == 1:
            part = ("compare", 5.6, 4.6, lambda figure: draw_profiles(view, other, shown, figure, labels))
        else:
            shape = min(max(np.ptp(view.edges("y")) / np.ptp(view.edges("x")), 0.25), 4)
            part = ("compare", 9.0, len(shown) * (2.0 * shape + 0.9), lambda figure: draw_maps(view, other, shown, figure, labels))
        where = "  (" + f"z = {view.centres('z')[view.where['z']]:.3g} {pretty(view.length_unit)}".strip() + ")" if len(view.dims) == 3 else ""
        figure = compose([part], f"{view.title}{where}\nfirst: {os.path.basename(first.path)}, second: {os.path.basename(second.path)}")
    return table(view, other, names), figure
