# SPDX-License-Identifier: BSD-2-Clause
"""Pictures of one frame: profiles in 1D, maps in 2D, planes and cuts in 3D."""
import math
import re

import numpy as np
from matplotlib.ticker import LogLocator
from matplotlib.transforms import ScaledTranslation

from .box import draw_box
from .style import FLAT, GREY, colours_of, fold, is_wide, label, limits_of, line_style, pretty, sum_name, ticks, total_style, widened
from .surface import isosurface
from .view import plane_key

MOST_PIXELS = 1500  # along each axis of a map
ARROWS = 14  # of the flux, along the longer axis of a map


def totals(view):
    """Sums of more than one species that the file names, in its series or, of a sweep, in its table: [(name, {species: weight})]."""
    found, columns = [], view.result.series or view.result.sweep
    for name in columns:
        if name.startswith("total/"):
            weights = columns.formula(name)
            if len(weights) > 1 and all(s in view.result.species for s in weights):
                found.append((sum_name(weights), weights))
    return found


def show_single_points(axes):
    """Marks what a line does not show: a point without neighbours, as in one cell of fluid between solid."""
    for line in axes.lines:
        there = np.pad(np.isfinite(np.asarray(line.get_ydata(), dtype=float)), 1)
        alone = np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:])
        if alone.size and line.get_marker() in ("None", ""):
            line.set(marker="o", markersize=3, markevery=alone.tolist())


def use_log(curves):
    """Whether amounts lie so far apart that a linear axis would show one of them only. What is 0 everywhere does not count."""
    finite = [c[np.isfinite(c)] for c in curves]
    finite = [c for c in finite if c.any()]
    if not finite or any(c.min() <= 0 for c in finite):
        return False
    tops = [c.max() for c in finite]
    return max(tops) > 300 * min(tops) or any(is_wide(c.min(), c.max()) for c in finite)


def hold_flat(axes, curves):
    """Rounding errors of what is the same everywhere are not magnified."""
    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    if values.size and 0 < np.ptp(values) <= FLAT * np.abs(values).max():
        axes.set_ylim(*widened(values.min(), values.max()))


def draw_curves(view, axes, axis, values, with_totals=True):
    """Concentrations along an axis, T on the axis at the right. values(field) has what belongs there. Returns what a legend needs and the second axis."""
    x, handles = view.centres(axis), []
    for i, name in enumerate(view.species):
        handles += axes.plot(x, values(name), label=name, **line_style(i))
    for i, (name, weights) in enumerate(totals(view) if with_totals else []):
        handles += axes.plot(x, sum(w * values(s) for s, w in weights.items()), label=name, **total_style(i))
    twin = None
    if view.temperature is not None:
        twin = axes.twinx()
        handles += twin.plot(x, values("temperature"), label=view.name_of_temperature, color=GREY, linewidth=1.0, alpha=0.9)
        twin.tick_params(axis="y", colors=GREY)
        twin.spines["right"].set_color(GREY)
        twin.yaxis.set_major_locator(ticks(5))
        twin.set_ylabel(view.name("temperature"), color=GREY)
        hold_flat(twin, [line.get_ydata() for line in twin.lines])
        if "temperature" in view.limits:
            pad_limits(twin, *view.limits["temperature"])
        axes.set_zorder(twin.get_zorder() + 1)
        axes.patch.set_visible(False)
    for panel in (axes, twin) if twin else (axes,):
        show_single_points(panel)
    axes.set_xlim(view.edges(axis)[0], view.edges(axis)[-1])
    axes.set_xlabel(view.axis_label(axis))
    return handles, twin


def scale_amounts(view, panels):
    """Of panels with a common axis and all curves in them. Logarithmic where that is needed, from zero where zero is not far, the same in all frames of a movie."""
    if use_log([line.get_ydata() for axes in panels for line in axes.lines]):
        panels[0].set_yscale("log")
        return
    hold_flat(panels[0], [line.get_ydata() for axes in panels for line in axes.lines])
    if "amounts" in view.limits:
        pad_limits(panels[0], *view.limits["amounts"])
    low, high = panels[0].get_ylim()
    panels[0].set_ylim(min(low, 0.0) if low < 0.35 * high else low, high)


def pad_limits(axes, low, high):
    pad = 0.05 * (high - low)
    axes.set_ylim(low - pad, high + pad)


# ---------------------------------------------------------------------------------------------------------------------- maps


def draw_map(view, axes, field, plane, key, limits=None):
    """A plane of cells in colour. plane - names of the vertical and the horizontal axis; key - index of the plane among the axes of the box."""
    edges, steps = {a: view.edges(a) for a in plane}, {a: max(1, math.ceil(len(view.edges(a)) / MOST_PIXELS)) for a in plane}
    key = tuple(key) or (slice(None),) * len(view.dims)
    key = tuple(slice(None, None, steps[plane[0]]) if a == plane[0] else k for a, k in zip(view.dims, key))
    data = view.read(field, key)[:, :: steps[plane[1]]]
    for a in plane:
        edges[a] = np.append(edges[a][: -1 : steps[a]], edges[a][-1])
    vertical, horizontal = plane
    colours, norm = colours_of(field, *(limits or view.limits.get(field) or limits_of([data])))
    mesh = axes.pcolormesh(edges[horizontal], edges[vertical], np.ma.masked_invalid(data), cmap=colours, norm=norm, rasterized=True)
    extent = np.ptp(edges[horizontal]) / np.ptp(edges[vertical])
    axes.set_aspect("equal" if 0.25 <= extent <= 4 else "auto")
    axes.set_xlabel(view.axis_label(horizontal))
    axes.set_ylabel(view.axis_label(vertical))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(ticks(4))
    return mesh


def add_arrows(view, axes, species):
    """The flux of a species on its map in two dimensions, where the file has it and it is more than rounding."""
    name = f"flux/{species}"
    if not view.has(name):
        return
    cells = max(len(view.result.coords[a]) for a in view.dims)
    coarse = max(1, cells // MOST_PIXELS)
    flux = view.read(name, (slice(None, None, coarse), slice(None, None, coarse)))
    if is_noise(flux[..., 0]) and is_noise(flux[..., 1]):
        return
    step = max(1, math.ceil(cells / coarse / ARROWS))
    middle = slice(step // 2, None, step)
    flux, x, y = flux[middle, middle], view.centres("x")[::coarse][middle], view.centres("y")[::coarse][middle]
    size = np.hypot(flux[..., 0], flux[..., 1])
    if not np.nanmax(size, initial=0.0) > 0:  # what flows does so between the arrows, as at a wall in the beginning
        return
    flux = flux / np.nanmax(size)  # matplotlib finds directions by adding arrows to positions, beside which fluxes in SI are nothing
    flux = np.where(size[..., None] < 0.03 * np.nanmax(size), np.nan, flux)  # no dots where next to nothing flows
    if axes.get_aspect() == "auto":  # stretched: lengths along x and y are no longer the same
        scale = {"scale": ARROWS / 0.95, "scale_units": "width"}
    else:
        scale = {"scale": ARROWS / (0.95 * max(np.ptp(view.edges("x")), np.ptp(view.edges("y")))), "scale_units": "x"}
    shape = {"width": 0.0045, "headwidth": 4, "headlength": 4.5, "headaxislength": 4, "color": "white", "edgecolor": "#303030", "linewidth": 0.3}
    axes.quiver(x, y, flux[..., 0], flux[..., 1], angles="xy", pivot="mid", **scale, **shape)


def is_noise(values):
    """Rounding errors, which differ from cell to cell by as much as they are large, and no field that a grid resolves."""
    values = np.nan_to_num(values)
    steps = [np.abs(np.diff(values, axis=a)).mean() for a in (0, 1) if values.shape[a] > 1]
    size = np.abs(values).mean()
    return not size > 0 or (bool(steps) and min(steps) > 0.8 * size)


def add_colorbar(figure, mesh, axes, place, orientation="vertical", down=0.0):
    """place - left, bottom, width and height in terms of the axes, so that the bar is as long as the map; down - inches by which it lies lower, however high
    the map will be."""
    below = axes.transAxes + ScaledTranslation(0, -down, figure.dpi_scale_trans)
    bar = figure.colorbar(mesh, cax=axes.inset_axes(place, transform=below), orientation=orientation)
    if not is_log(mesh):
        bar.locator = ticks(5 if orientation == "vertical" else 3)  # beside each other, numbers like -0.125 need their room
    elif orientation == "horizontal":
        bar.locator = LogLocator(numticks=5)
    bar.update_ticks()
    bar.outline.set_linewidth(0.5)


def is_defined(meshes):
    """Is there any number in the maps of a field?"""
    return any(np.ma.count(mesh.get_array()) for mesh in meshes)


def say_undefined(axes):
    axes.annotate("not defined", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")


def is_log(mesh):
    return type(mesh.norm).__name__ == "LogNorm"


def named_lines(axes):
    """Those that a legend is to name: matplotlib calls the others _child0, _child1 ..."""
    return [line for line in axes.lines if not re.fullmatch(r"_(child|line)\d+", line.get_label())]


def legend_above(axes, handles, ncol, room=1.3, **options):
    """In at most ncol columns, and so few that it is not wider than `room` panels. Names that begin with _ are shown, which matplotlib takes for a sign to hide them."""
    names = [re.sub("^_", "\u200b_", handle.get_label()) for handle in handles]
    for columns in range(ncol, 0, -1):
        legend = axes.legend(handles, names, ncol=columns, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=2.4, columnspacing=1.4, **options)
        if legend.get_window_extent(axes.figure.canvas.get_renderer()).width <= room * axes.bbox.width:
            break


# ------------------------------------------------------------------------------------------------------------ pictures per dimension


def draw_1d(view, figure):
    axes = figure.subplots()
    handles, _ = draw_curves(view, axes, "x", view.read)
    scale_amounts(view, [axes])
    legend_above(axes, handles, ncol=min(len(handles), 6))
    axes.set_ylabel(label("concentration", view.amount[1]))


def grid_of(count):
    """Rows and columns for panels."""
    columns = count if count <= 3 else 2 if count == 4 else 3 if count <= 9 else 4
    return math.ceil(count / columns), columns


def width_of_map(columns):
    """Inches, with its scale of colours."""
    return {1: 4.6, 2: 3.7}.get(columns, 3.0)


def draw_2d(view, figure):
    fields = view.fields + view.derived
    rows, columns = grid_of(len(fields))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, field in zip(panels, fields):
        mesh = draw_map(view, axes, field, ("y", "x"), ())
        if field in view.species:
            add_arrows(view, axes, field)
        if is_defined([mesh]) or field in view.limits:
            add_colorbar(figure, mesh, axes, (1.03, 0, 0.045, 1))
        else:
            say_undefined(axes)
        axes.set_title(fold(view.name(field), width_of_map(columns)))
    for k, axes in enumerate(panels):
        axes.set_visible(k < len(fields))
        below = k + columns < len(fields)  # the panel below has the labels
        axes.tick_params(labelbottom=not below, labelleft=k % columns == 0)
        if below:
            axes.set_xlabel("")
        if k % columns:
            axes.set_ylabel("")


PLANES = (("z", ("y", "x")), ("y", ("z", "x")), ("x", ("z", "y")))


PANEL = 1.5  # inches, width of a plane
COLUMN = PANEL + 0.5  # with what is between two
CUTS = 2.3  # inches, height of the lines
SURFACES = 1.9  # inches, height of the boxes with surfaces
SHARES = (1 / 3, 2 / 3)  # of the range of colours, at which there are surfaces


def heights_of(view):
    """Heights of the three planes, inches."""
    extents = {a: np.ptp(view.edges(a)) for a in view.dims}
    return [PANEL * min(max(extents[v] / extents[h], 0.3), 2.0) for _, (v, h) in PLANES]


def height_of_3d(view):
    return sum(heights_of(view)) + 2.1 + (0 if view.mostly_solid else SURFACES) + CUTS


def draw_3d(view, figure):
    """A column per field, a row per plane through the hottest cell; below them surfaces, and the lines in which the planes meet. Where most is solid, of which
    surfaces and lines would be scraps: planes with the most fluid, and means over the fluid of each layer of cells."""
    fields, heights = view.fields + view.derived, heights_of(view)
    top, *middle, bottom = figure.subfigures(2 if view.mostly_solid else 3, 1, height_ratios=[sum(heights) + 2.1, *([] if view.mostly_solid else [SURFACES]), CUTS])
    panels = top.subplots(3, len(fields), squeeze=False, gridspec_kw={"height_ratios": heights})
    for column, field in zip(panels.T, fields):
        draw_planes(view, top, column, field, heights)
    for axes, (normal, _) in zip(panels[:, 0], PLANES):
        text = f"{normal} =\n{view.centres(normal)[view.where[normal]]:.3g} {pretty(view.length_unit)}".strip()
        axes.annotate(text, (0, 0.5), xytext=(-5, 0), xycoords=axes.yaxis.label, textcoords="offset points", rotation=90, va="center", ha="right", multialignment="center", fontweight="bold")
    for axes in panels[:, 1:].ravel():
        axes.set_ylabel("")
        axes.tick_params(labelleft=False)
    for figure in middle:
        draw_surfaces(view, figure, fields)
    (draw_layers if view.mostly_solid else draw_cuts)(view, bottom)


def draw_planes(view, figure, panels, field, heights):
    """The three planes of one field, in the same colours."""
    limits = view.limits.get(field) or limits_of(view.shown(field))
    meshes = []
    for axes, (normal, plane), height in zip(panels, PLANES, heights):
        meshes.append(draw_map(view, axes, field, plane, plane_key(view, normal), limits))
        axes.yaxis.set_major_locator(ticks(max(1, min(4, int(height / 0.35)))))
        for line, axis in ((axes.axhline, plane[0]), (axes.axvline, plane[1])):
            line(view.centres(axis)[view.where[axis]], color="white", linewidth=0.6, linestyle=(0, (4, 3)), alpha=0.8)
    panels[0].set_title(fold(view.name(field), COLUMN))
    if is_defined(meshes) or field in view.limits:
        add_colorbar(figure, meshes[-1], panels[-1], (0, 0, 1, 0.075 / heights[-1]), "horizontal", down=0.54)
    else:
        for axes in panels:
            say_undefined(axes)


def draw_surfaces(view, figure, fields):
    """A box per field, with surfaces of equal value in the colours of the maps above."""
    shape, _ = view.drawn
    ends = np.array([view.edges(a)[[0, -1]] for a in "zyx"])
    panels = figure.subplots(1, len(fields), squeeze=False)[0]
    for axes, field in zip(panels, fields):
        values, places = view.coarse(field)
        colours, norm = colours_of(field, *(view.limits.get(field) or limits_of(view.shown(field))))
        places = [(p - e[0]) / np.ptp(e) * s for p, e, s in zip(places, ends, shape[::-1])]
        levels = [(isosurface(values, level, places)[..., ::-1], colours(norm(level))) for level in np.ravel(norm.inverse(np.array(SHARES)))]
        draw_box(axes, shape, levels)
    panels[0].annotate("1/3 and 2/3\nof the range", (-0.12, 0.5), xycoords="axes fraction", rotation=90, va="center", ha="right", multialignment="center", fontweight="bold")


def draw_cuts(view, figure):
    """Along the three lines in which the planes meet."""

    def along(axis):
        key = tuple(slice(None) if a == axis else view.where[a] for a in view.dims)
        return lambda field: view.read(field, key)

    draw_along_axes(view, figure, along, "along the dashed lines", with_totals=False)


def draw_layers(view, figure):
    """Means over the fluid of each layer of cells, along the three axes."""
    means = {field: view.layer_means(field) for field in view.fields}
    draw_along_axes(view, figure, lambda axis: lambda field: means[field][axis], "means over the fluid of each layer of cells", with_totals=True)


def draw_along_axes(view, figure, along, title, with_totals):
    """Curves along x, y and z on common axes; along(axis)(field) has their values."""
    panels, twins = figure.subplots(1, 3, sharey=True), []
    for axes, axis in zip(panels, "xyz"):
        handles, twin = draw_curves(view, axes, axis, along(axis), with_totals)
        twins += [twin] if twin else []
    scale_amounts(view, panels)
    panels[0].set_ylabel(label("concentration", view.amount[1]))
    for twin in twins:
        twin.set_ylim(min(t.get_ylim()[0] for t in twins), max(t.get_ylim()[1] for t in twins))
    for twin in twins[:-1]:
        twin.set_ylabel("")
        twin.tick_params(labelright=False)
    legend_above(panels[1], handles, ncol=min(len(handles), 8), room=3.5, title=title, title_fontsize=8)
