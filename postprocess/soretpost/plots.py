# SPDX-License-Identifier: BSD-2-Clause
"""The sensible picture of a result: profiles in 1D, maps in 2D, planes and cuts in 3D; what else a frame holds, the course of time, a sweep."""
import math

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .courses import columns_of, count_series_panels, draw_beside, draw_series, draw_sweep, has_series, has_sweep, panels_beside, sweep_panels
from .fields import COLUMN, draw_1d, draw_2d, draw_3d, grid_of, height_of_3d, width_of_map
from .result import Result
from .result import open as open_result
from .style import STYLE, thin_out
from .view import View
from .wall import draw_walls, size_of_walls

ROW = 2.5  # inches, of panels beside each other


def size_of_fields(view):
    """Width and height of the fields of a frame, inches."""
    if len(view.dims) == 1:
        return 5.6, 3.5
    count = len(view.fields + view.derived)
    if len(view.dims) == 2:
        rows, columns = grid_of(count)
        shape = np.ptp(view.edges("y")) / np.ptp(view.edges("x"))
        wide = width_of_map(columns)
        return wide * columns, rows * ((wide - 1.2) * min(max(shape, 0.25), 4) + 0.45) + 0.5
    return max(6.4, COLUMN * count + 1.0), height_of_3d(view)


def size_of_row(count):
    """The same of panels beside each other."""
    columns = columns_of(count)
    return {1: 4.6, 2: 6.6}.get(columns, 8.4), ROW * math.ceil(count / columns)


def sweep_part(result):
    """[(name, width, height, draw(figure))] of the curves of a sweep, if there are any."""
    return [("sweep", *size_of_row(len(sweep_panels(result))), lambda figure: draw_sweep(result, figure))] if has_sweep(result) else []


def parts_of(view):
    """The same of all there is to show."""
    result, parts = view.result, []
    draw = {1: draw_1d, 2: draw_2d, 3: draw_3d}[len(view.dims)]
    if view.fluid:
        parts.append(("wall", *size_of_walls(view), lambda figure: draw_walls(view, figure)))
    parts.append(("fields", *size_of_fields(view), lambda figure: draw(view, figure)))
    if panels_beside(view):
        parts.append(("beside", *size_of_row(len(panels_beside(view))), lambda figure: draw_beside(view, figure)))
    if has_series(result):
        parts.append(("time", *size_of_row(count_series_panels(result)), lambda figure: draw_series(view, figure)))
    return parts + sweep_part(result)


def choose(parts, wanted):
    if not wanted:
        return parts
    found = [p for p in parts if p[0] in wanted]
    missing = [w for w in wanted if w not in [p[0] for p in parts]]
    if missing:
        raise ValueError(f"the file has nothing to show as '{missing[0]}' (there is: {', '.join(p[0] for p in parts)})")
    return found


def compose(parts, title):
    """A figure of parts below each other."""
    heights = [p[2] for p in parts]
    figure = Figure(figsize=(max(p[1] for p in parts), sum(heights) + 0.2), layout="constrained")
    FigureCanvasAgg(figure)
    places = figure.subfigures(len(parts), 1, height_ratios=heights, squeeze=False).ravel() if len(parts) > 1 else [figure]
    for place, part in zip(places, parts):
        part[3](place)
    figure.suptitle(title, fontsize=10, parse_math=False)  # a title is drawn as it was written
    for axes in figure.axes:  # how many numbers there are follows from their size, for which matplotlib asks the style of the moment, here and when it draws
        axes.tick_params(labelsize=STYLE["xtick.labelsize"])
        axes.get_tightbbox(figure.canvas.get_renderer())  # tells whether there is a power of ten above the numbers
        if axes.get_legend() and axes.yaxis.get_offset_text().get_text():
            axes.get_legend().borderaxespad = 1.3
    figure.get_layout_engine().execute(figure)  # with this style, and once: drawing it later, in whatever size of dots, keeps it
    for axes in [a for panel in figure.axes for a in (panel, *panel.child_axes)]:
        axes.get_tightbbox(figure.canvas.get_renderer())  # moves what has a proportion, or lies beside another panel, to its place
        thin_out(axes.xaxis)
    figure.set_layout_engine("none")
    return figure


def plot(result, frame=-1, species=None, parts=None, limits=None, where=None):
    """Draws a frame (default: the last) of a result or of a file and all else that belongs to it; a matplotlib Figure.

    result - a path or what soretpost.open() returns
    species - names, if not all are wanted
    parts - some of "wall" (of solid in 3D), "fields", "beside" (fluxes, rates, S_T against T, entropy production), "time", "sweep"; default: all there are
    limits - {field: (low, high)}, where - {axis: cell} of the planes: see View
    """
    if not isinstance(result, Result):
        with open_result(result) as opened:
            return plot(opened, frame, species, parts, limits, where)
    if not result.species and has_sweep(result):  # a sweep may keep no frames
        with matplotlib.rc_context(STYLE):
            return compose(choose(sweep_part(result), parts), result.title)
    view = View(result, frame, species, limits, where)
    note = f"\n(and {view.left_out} more species: --species)" if view.left_out else ""
    with matplotlib.rc_context(STYLE):
        chosen = choose(parts_of(view), parts)
        title = view.title + note if any(p[0] != "sweep" for p in chosen) else view.result.title  # a sweep is not of one frame
        return compose(chosen, title)
