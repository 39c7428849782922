# SPDX-License-Identifier: BSD-2-Clause
"""The branching pore of input/geometry/rock.yaml, from its script to the result, on half the voxels: run_rock.py [VOXELS]

The script makes the same voxels again, one connected pore with one mouth at the one end and eight at the other; D_M c_M + 2 D_D c_D is constant in it (sum rule), the heat
that goes in comes out, and a voxel of rock is 0 in the result. On 1 and 2 ranks."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
from scipy import ndimage

from soretrun import run

INPUT = Path(__file__).resolve().parent.parent / "input" / "geometry"
VOXELS = sys.argv[1:4] or ["80", "40", "40"]


def expect(what, value, good):
    print("ok  " if good else "FAIL", what, f"  [{value:.6g}]")
    return not good


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        shutil.copy(INPUT / "rock.yaml", here)
        for name in ("rock.h5", "again.h5"):
            subprocess.run([sys.executable, str(INPUT / "rock.py"), str(here / name), "--voxels", *VOXELS], check=True)
        with h5py.File(here / "rock.h5") as f, h5py.File(here / "again.h5") as g:
            solid = f["solid"][()]
            failures += expect("the same voxels again", np.sum(solid != g["solid"][()]), np.array_equal(solid, g["solid"][()]))
        failures += expect("connected parts", ndimage.label(solid == 0)[1], ndimage.label(solid == 0)[1] == 1)
        for at, mouths in ((0, 1), (-1, 8)):
            found = ndimage.label(solid[:, :, at] == 0)[1]
            failures += expect(f"mouths at x[{at}]", found, found == mouths)
        first = None
        for ranks in (1, 2):
            result = run(here / "rock.yaml", [f"domain.cells=[{','.join(VOXELS)}]"], ranks)
            fluid = solid.T == 0
            phi = (result.T * (1.2 * result.c["M"] + 2 * 0.85 * result.c["D"]))[fluid]
            failures += expect("spread of D_M c_M + 2 D_D c_D", np.ptp(phi) / phi.max(), np.ptp(phi) / phi.max() < 1e-6)
            failures += expect("in rock", max(result.c["M"][~fluid]), max(result.c["M"][~fluid]) == 0)
            failures += expect("least M in the pore", min(result.c["M"][fluid]), min(result.c["M"][fluid]) > 0)
            failures += expect("dimers over monomers, cold over hot", np.max(result.c["D"]) / np.min(result.c["D"][fluid]), np.max(result.c["D"]) > 2 * np.min(result.c["D"][fluid]))
            failures += expect("heat defect", result.summary["heat_defect"], abs(result.summary["heat_defect"]) < 1e-10)
            failures += expect("heat in over heat out, less 1", result.summary["heat_inflow_x-"] / -result.summary["heat_inflow_x+"] - 1, abs(result.summary["heat_inflow_x-"] / -result.summary["heat_inflow_x+"] - 1) < 1e-10)
            failures += expect("cycles, no matrix", result.summary["cycles"], 0 < result.summary["cycles"] <= 100 and result.summary["newton_iterations"] == 0)
            if first:
                worst = max(np.max(np.abs(result.c[s] - first.c[s])) / np.max(first.c[s]) for s in ("M", "D"))
                failures += expect("the same on two ranks", worst, worst < 1e-6)
            first = result
    print(f"{failures} failed" if failures else "all good")
    return 1 if failures else 0


if __name__ == "__main__":
    os.environ.setdefault("SORET", "soret")
    sys.exit(main())
