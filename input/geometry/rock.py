#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the voxels of rock.yaml: a pore that branches from one mouth at x = 0 to several at the other end, in rock.

    python3 rock.py [rock.h5] [--voxels 160 80 80] [--seed 7]

Tubes wander through the box and split; each goes on with a smaller radius, so that the sum of the cross sections stays (Murray's rule with
exponent 2). The same arguments give the same file. The dataset /solid is [nz][ny][nx] of 0 (fluid) and 1 (rock)."""
import argparse

import h5py
import numpy as np


def carve(solid, points, radius):
    """Removes a ball around each point; coordinates and radius in voxels."""
    n = np.array(solid.shape)
    for p in points:
        low = np.maximum(np.floor(p - radius).astype(int), 0)
        high = np.minimum(np.ceil(p + radius).astype(int) + 1, n)
        if np.any(low >= high):
            continue
        grid = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high))]
        inside = sum((g + 0.5 - c) ** 2 for g, c in zip(grid, p)) <= radius**2
        solid[tuple(slice(a, b) for a, b in zip(low, high))][inside] = 0


def grow(random, n, generations):
    """Branches as (points, radius), in voxels: [x, y, z]."""
    radius = 0.13 * min(n[1:])
    tips = [(np.array([0.0, 0.5 * n[1], 0.5 * n[2]]), np.array([1.0, 0.0, 0.0]), radius)]
    length = 1.02 * n[0] / generations
    for generation in range(generations):
        following = []
        for start, direction, r in tips:
            steps = int(np.ceil(length / (0.25 * r)))
            points, at = [], start.copy()
            for _ in range(steps):
                direction = direction + 0.12 * random.standard_normal(3)
                direction[0] = max(direction[0], 0.6 * np.hypot(direction[1], direction[2]))
                for axis in (1, 2):  # back towards the middle where the wall is near
                    if at[axis] < 2.5 * r or at[axis] > n[axis] - 2.5 * r:
                        direction[axis] = 0.3 * np.sign(0.5 * n[axis] - at[axis])
                direction /= np.linalg.norm(direction)
                at = at + direction / direction[0] * length / steps
                points.append(at.copy())
            yield points, r
            if generation + 1 < generations:
                angle = random.uniform(0, 2 * np.pi)
                side = 0.8 * np.array([0.0, np.cos(angle), np.sin(angle)])
                following += [(at, direction + side, r / np.sqrt(2)), (at, direction - side, r / np.sqrt(2))]
        tips = following


def make(n, seed):
    solid = np.ones(n, np.uint8)
    random = np.random.Generator(np.random.PCG64(seed))
    for points, radius in grow(random, n, 4):
        carve(solid, points, radius)
    return solid.transpose(2, 1, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", default="rock.h5")
    parser.add_argument("--voxels", nargs=3, type=int, default=[160, 80, 80])
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    solid = make(arguments.voxels, arguments.seed)
    with h5py.File(arguments.file, "w") as f:
        f.create_dataset("solid", data=solid, compression="gzip", track_times=False)
    print(f"{arguments.file}: {arguments.voxels} voxels, porosity {1 - solid.mean():.4f}")


if __name__ == "__main__":
    main()
