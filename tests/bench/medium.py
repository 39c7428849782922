# SPDX-License-Identifier: BSD-2-Clause
"""Voxels of a random medium, the same for the same arguments: medium.py N POROSITY FILE [GRAIN]

N^3 voxels, each solid or fluid by itself, or, with GRAIN, smoothed over so many voxels first; dataset /solid."""
import sys

import h5py
import numpy as np


def make(n, porosity, grain=0.0):
    noise = np.random.Generator(np.random.PCG64(3)).random((n, n, n))
    if grain:
        from scipy.ndimage import gaussian_filter
        noise = gaussian_filter(noise, grain, mode="wrap")
    return (noise > np.quantile(noise, porosity)).astype(np.uint8)


if __name__ == "__main__":
    with h5py.File(sys.argv[3], "w") as f:
        f["solid"] = make(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[4]) if len(sys.argv) > 4 else 0.0)
