# SPDX-License-Identifier: BSD-2-Clause
"""The wall between fluid and solid in three dimensions, seen from outside and coloured by what is in the fluid beside it. numpy casts the rays."""
import math
from collections import namedtuple

import numpy as np
from matplotlib.cm import ScalarMappable

from .box import LIGHT, RIGHT, TO_EYE, UP, corners_of, draw_edges, seen
from .fields import add_colorbar, grid_of, say_undefined, totals
from .style import colours_of, label, limits_of, pretty

PIXELS = 500  # across a box
MOST_CELLS = 300_000_000  # that are held to cast rays through; of larger grids each second, third ... along an axis is taken
REACH = 2  # cells on each side that tell which way a wall faces
AMBIENT = 0.65  # how bright a wall is that faces away from the light
UPRIGHT = 1.6  # height of a box over its width from which on panels get no higher
STEP = 0.04  # of the size of the box: where the wall jumps back by more, a line is drawn

# What rays meet. pixel - numbers of the pixels [n] of an image of shape (rows, columns) that covers extent (left, right, bottom, top); cell - the first cell of the body
# on the ray, [n][3] with x first; before - the cell that the ray left there, -1 where it came from outside of the box; depth - towards the eye
Hits = namedtuple("Hits", "shape extent pixel cell before depth")


def start_rays(edges, pixels):
    """An image that covers the box and the rays through its pixels that meet it: shape, extent, pixels, places on the picture, distance from there to the box."""
    corners = seen(np.array([[e[-i] for e, i in zip(edges, on)] for on in np.ndindex(2, 2, 2)]))
    (left, low), (right, top) = corners.min(axis=0), corners.max(axis=0)
    step = (right - left) / pixels
    shape = (max(1, math.ceil((top - low) / step)), pixels)
    top = low + step * shape[0]
    rows, columns = np.indices(shape)
    origin = (left + (columns.ravel() + 0.5) * step)[:, None] * RIGHT + (top - (rows.ravel() + 0.5) * step)[:, None] * UP
    # along the ray the place is origin - t TO_EYE; each pair of walls is passed between two t
    ends = np.stack([[(origin[:, a] - e[i]) / TO_EYE[a] for a, e in enumerate(edges)] for i in (0, -1)])
    enter, leave = ends.min(axis=0).max(axis=0), ends.max(axis=0).min(axis=0)
    meets = enter < leave
    return shape, (left, right, low, top), np.flatnonzero(meets), origin[meets], enter[meets]


def cast(body, edges, pixels=PIXELS):
    """Follows rays from the eye cell by cell until the first cell of the body.

    body - bool [nx][ny][nz]; edges - positions of the edges of cells along x, y, z
    """
    shape, extent, pixel, origin, enter = start_rays(edges, pixels)
    ends = np.pad(body, 1, constant_values=True)  # rays end outside, too
    ahead, place = np.where(TO_EYE > 0, -1, 1), origin - enter[:, None] * TO_EYE
    cell = np.stack([np.clip(np.searchsorted(e, place[:, a]) - 1, 0, len(e) - 2) for a, e in enumerate(edges)], axis=1)
    # t where a ray leaves its cell along an axis
    passing = lambda a, cell, origin: (origin[:, a] - edges[a][np.clip(cell[:, a] + (ahead[a] > 0), 0, len(edges[a]) - 1)]) / TO_EYE[a]  # noqa: E731
    leave = np.stack([passing(a, cell, origin) for a in range(3)], axis=1)
    last, met = np.full(len(cell), -1), []  # the axis along which a ray came into its cell
    while pixel.size:
        end = ends[tuple(cell.T + 1)]
        met.append([array[end] for array in (pixel, cell, last, -enter)])
        pixel, cell, leave, origin = (array[~end] for array in (pixel, cell, leave, origin))
        last = leave.argmin(axis=1)
        enter = np.take_along_axis(leave, last[:, None], 1)[:, 0]
        for a in range(3):
            here = np.flatnonzero(last == a)
            cell[here, a] += ahead[a]
            leave[here, a] = passing(a, cell[here], origin[here])
    pixel, cell, last, depth = (np.concatenate(parts) for parts in zip(*met))
    before = np.where(last[:, None] >= 0, cell - np.where(last[:, None] == np.arange(3), ahead, 0), -1)
    inside = np.all((cell >= 0) & (cell < body.shape), axis=1)
    return Hits(shape, extent, pixel[inside], cell[inside], before[inside], depth[inside])


def facing(body, edges, cells):
    """Directions, of length one, in which a body faces at some of its cells: away from where most of it is within REACH cells."""
    padded = np.pad(body, REACH)
    towards = np.zeros((len(cells), 3))
    for offset in np.ndindex((2 * REACH + 1,) * 3):
        towards -= padded[tuple((cells + offset).T)][:, None] * (np.array(offset) - REACH)
    towards /= np.stack([np.diff(e)[c] for e, c in zip(edges, cells.T)], axis=1)
    size = np.linalg.norm(towards, axis=1, keepdims=True)
    return np.divide(towards, size, out=np.tile(TO_EYE, (len(cells), 1)), where=size > 0)


class Wall:
    """What is seen of a box with solid in it: the fluid, where that is less than half of it, else the solid. Drawn with any field of a view."""

    def __init__(self, view):
        self.view = view
        step = math.ceil((math.prod(view.result.solid.shape) / MOST_CELLS) ** (1 / 3))
        self.chosen = [np.arange(step // 2, n, step) for n in view.result.solid.shape]
        solid = np.stack([np.asarray(view.result.solid[int(k)])[np.ix_(*self.chosen[1:])] > 0.5 for k in self.chosen[0]]).T
        self.of_fluid = solid.mean() > 0.5
        self.shape, edges = view.drawn
        edges = [np.append(e[: step * len(c) : step], e[-1]) for e, c in zip(edges, reversed(self.chosen))]
        body = ~solid if self.of_fluid else solid
        self.hits = cast(body, edges)
        facing_light = facing(body, edges, self.hits.cell) @ LIGHT
        self.light = AMBIENT + (1 - AMBIENT) * np.clip(facing_light, 0, 1)

    def values(self, field):
        """Of the fluid at each pixel; NaN where solid is seen that no fluid touches. T is that of the wall itself."""
        cell = self.hits.cell if self.of_fluid or field == "temperature" else self.hits.before
        known = cell[:, 0] >= 0
        values = np.full(len(cell), np.nan)
        for k in np.unique(cell[known, 2]):
            here = known & (cell[:, 2] == k)
            plane = self.view.read(field, (int(self.chosen[0][k]),))
            values[here] = plane[self.chosen[1][cell[here, 1]], self.chosen[2][cell[here, 0]]]
        return values

    def image(self, colours):
        """Colours [n][4] of the pixels with light and shade, and lines where what is near ends before what is far; RGBA [rows][columns][4]."""
        rows, columns = self.hits.shape
        image = np.zeros((rows * columns, 4))
        image[self.hits.pixel] = colours
        image[self.hits.pixel, :3] *= self.light[:, None]
        depth = np.full(rows * columns, -np.inf)
        depth[self.hits.pixel] = self.hits.depth
        depth, border = depth.reshape(rows, columns), np.zeros((rows, columns), dtype=bool)
        for axis in (0, 1):
            for side in (1, -1):
                behind = np.roll(depth, side, axis=axis)
                behind[(slice(None),) * axis + (0 if side > 0 else -1,)] = -np.inf
                border |= np.isfinite(depth) & (depth - np.where(np.isfinite(behind), behind, -1e300) > STEP * np.linalg.norm(self.shape))
        image = image.reshape(rows, columns, 4)
        image[border, :3] *= 0.35
        return image


def panels_of(view):
    """[(name, {field: weight})]: each field, and the sums of species that the file names, which tell where they gather."""
    return [(view.name(f), {f: 1.0}) for f in view.fields] + [(label(n, view.amount[1]), w) for n, w in totals(view)] + [(view.name(f), {f: 1.0}) for f in view.derived]


def height_of_box(view):
    """As a share of its width in the picture."""
    corners = seen(corners_of(view.drawn[0]))
    return np.ptp(corners[:, 1]) / np.ptp(corners[:, 0])


def grid_of_walls(view):
    """Rows and columns; three upright boxes stand beside each other."""
    count = len(panels_of(view))
    return (math.ceil(count / 2), 2) if count == 4 or (count == 3 and height_of_box(view) < UPRIGHT) else grid_of(count)


def size_of_walls(view):
    """Width and height of all panels, inches."""
    rows, columns = grid_of_walls(view)
    wide = 8.4 / columns if columns > 1 else 6.0
    return wide * columns, rows * ((wide - 0.4) * min(height_of_box(view), UPRIGHT) + 0.95)


def draw_walls(view, figure):
    """A box per field, with its scale of colours."""
    wall, wanted = Wall(view), panels_of(view)
    extents = [f"{a}, {np.ptp(view.edges(a)):.3g} {pretty(view.length_unit)}".rstrip() for a in "xyz"]
    panels = figure.subplots(*grid_of_walls(view), squeeze=False).ravel()
    for axes, (name, weights) in zip(panels, wanted):
        values = sum(w * wall.values(f) for f, w in weights.items())
        field = next(iter(weights))
        colours, norm = colours_of(field, *(len(weights) == 1 and view.limits.get(field) or limits_of([values])))
        draw_edges(axes, wall.shape, extents)
        axes.imshow(wall.image(colours(norm(np.ma.masked_invalid(values)))), extent=wall.hits.extent, zorder=1)
        if np.isfinite(values).any():
            add_colorbar(figure, ScalarMappable(norm, colours), axes, (0.2, -0.1, 0.6, 0.03), "horizontal")
        else:
            say_undefined(axes)
        axes.set_title(name)
    for axes in panels[len(wanted) :]:
        axes.set_visible(False)
