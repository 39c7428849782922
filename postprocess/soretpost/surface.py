# SPDX-License-Identifier: BSD-2-Clause
"""Surfaces of equal value in a box, by marching tetrahedra: numpy is all that this takes."""
import itertools

import numpy as np

# a cube falls into six tetrahedra around its diagonal: one for each order in which the three steps from 000 to 111 can be taken
STEPS = np.eye(3, dtype=int)
TETRAHEDRA = [np.cumsum([np.zeros(3, dtype=int), *(STEPS[i] for i in order)], axis=0) for order in itertools.permutations(range(3))]


def corners(array, tetrahedron):
    """The values of an array [n0][n1][n2] (..) at the four corners of that tetrahedron in every cube: [4][cubes](..)."""
    ends = [n - 1 for n in array.shape[:3]]
    return np.stack([array[tuple(slice(o, o + n) for o, n in zip(offset, ends))].reshape((-1, *array.shape[3:])) for offset in tetrahedron])


def cut(values, places, level, inside, outside):
    """Where the edges from corners above the level to corners below it pass it: [edges][tetrahedra][3]. An edge is always followed from above to below,
    so that the tetrahedra that share it agree to the last bit."""
    pairs = [(i, o) for i in inside for o in outside]
    shares = np.stack([(values[i] - level) / (values[i] - values[o]) for i, o in pairs])
    return np.stack([places[i] + t[:, None] * (places[o] - places[i]) for t, (i, o) in zip(shares, pairs)])


def isosurface(values, level, coordinates):
    """Triangles [n][3 corners][3] of the surface on which a field has a value; none near cells that hold NaN.

    values - [n0][n1][n2]; coordinates - positions along each of these axes; corners of triangles have theirs in the same order
    """
    places = np.stack(np.meshgrid(*coordinates, indexing="ij"), axis=-1)
    found = []
    for tetrahedron in TETRAHEDRA:
        v, p = corners(values, tetrahedron), corners(places, tetrahedron)
        above, finite = v > level, np.isfinite(v).all(axis=0)
        for pattern in itertools.product((False, True), repeat=4):
            inside, outside = np.flatnonzero(pattern), np.flatnonzero(np.logical_not(pattern))
            if not inside.size or not outside.size:
                continue
            here = finite & (above == np.array(pattern)[:, None]).all(axis=0)
            if not here.any():
                continue
            points = cut(v[:, here], p[:, here], level, inside, outside)
            # one corner alone is cut off by a triangle; two and two are parted by a quadrangle, whose corners go round as 0 1 3 2
            for triangle in ((0, 1, 2),) if len(points) == 3 else ((0, 1, 2), (1, 3, 2)):
                found.append(points[list(triangle)].transpose(1, 0, 2))
    return np.concatenate(found) if found else np.zeros((0, 3, 3))


def normals(triangles):
    """Of length one, either way round; zero for triangles without an area."""
    n = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    size = np.linalg.norm(n, axis=1, keepdims=True)
    return np.divide(n, size, out=np.zeros_like(n), where=size > 0)


def area(triangles):
    return 0.5 * np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1).sum()
