# SPDX-License-Identifier: BSD-2-Clause
"""A box in three dimensions as a picture shows it, without perspective: its edges, and translucent surfaces in it."""
import numpy as np
from matplotlib.collections import LineCollection, PolyCollection

from .style import GREY
from .surface import normals

# directions in the box, x y z: to the right of the picture, upwards in it, and towards the eye
AZIMUTH, ELEVATION = np.radians(-58), np.radians(22)
RIGHT = np.array([-np.sin(AZIMUTH), np.cos(AZIMUTH), 0.0])
TO_EYE = np.array([np.cos(AZIMUTH) * np.cos(ELEVATION), np.sin(AZIMUTH) * np.cos(ELEVATION), np.sin(ELEVATION)])
UP = np.cross(TO_EYE, RIGHT)
LIGHT = (UP + TO_EYE - 0.5 * RIGHT) / np.linalg.norm(UP + TO_EYE - 0.5 * RIGHT)


def seen(points):
    """Where points of a box lie in the picture: to the right and up."""
    return points @ np.stack([RIGHT, UP], axis=1)


def corners_of(shape):
    """The eight corners of a box, [8][3]."""
    return np.array(list(np.ndindex(2, 2, 2))) * shape


def draw_edges(axes, shape, names="xyz"):
    """The edges of a box, those behind it dashed, and names of its axes."""
    corner = lambda *c: np.array(c) * shape  # noqa: E731
    hidden = (0, 1, 0)  # the corner that the box itself hides
    edges = [(a, [tuple(int(k in on) if k != a else e for k in range(3)) for e in (0, 1)]) for a in range(3) for on in ((), *[(k,) for k in range(3) if k != a], tuple(k for k in range(3) if k != a))]
    behind = [seen(np.array([corner(*c) for c in ends])) for _, ends in edges if hidden in ends]
    before = [seen(np.array([corner(*c) for c in ends])) for _, ends in edges if hidden not in ends]
    axes.add_collection(LineCollection(behind, colors=GREY, linewidths=0.5, linestyles=[(0, (3, 3))], zorder=0.9))
    axes.add_collection(LineCollection(before, colors="black", linewidths=0.6, zorder=1.1))
    for name, middle, away in zip(names, (corner(0.5, 0, 0), corner(1, 0.5, 0), corner(1, 1, 0.5)), ((-3, -4), (4, -4), (4, 0))):
        axes.annotate(name, seen(middle), away, textcoords="offset points", ha="left" if away[0] > 0 else "right", va="top" if away[1] else "center")
    axes.set_aspect("equal")
    axes.set_axis_off()


def draw_box(axes, shape, surfaces):
    """The edges of a box behind and before translucent surfaces with light and shade: [(triangles, colour)]."""
    draw_edges(axes, shape)
    triangles = np.concatenate([t for t, _ in surfaces])
    if len(triangles):
        order = np.argsort((triangles.mean(axis=1) @ TO_EYE), kind="stable")  # what is near hides what is far
        light = 0.65 + 0.35 * np.abs(normals(triangles) @ LIGHT)
        faces = np.concatenate([np.tile(colour, (len(t), 1)) for t, colour in surfaces])
        faces[:, :3] *= light[:, None]
        faces[:, 3] = 0.55
        axes.add_collection(PolyCollection(seen(triangles)[order], facecolors=faces[order], edgecolors="none", linewidths=0, rasterized=True))
    axes.autoscale_view()
