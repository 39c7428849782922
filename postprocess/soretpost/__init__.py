# SPDX-License-Identifier: BSD-2-Clause
"""Reads and draws the result files of soret (docs/result-file.md).

    import soretpost
    with soretpost.open("dimer.h5") as result:
        result["A"]                        # time, z, y, x: nothing is read yet
        result["A"][-1, :, 12]             # reads this part of the last frame
        result["A"].sel(z=0.5)[-1]         # the plane of cells nearest to z = 0.5
        result.temperature.coords["x"], result.times, result.summary
        result.series["total/0"][:]
        result.to_xarray(lazy=True)        # an xarray.Dataset that reads when asked
    soretpost.plot("dimer.h5").savefig("dimer.pdf")
"""
from .result import Array, Result, open

__version__ = "0.1.0"
__all__ = ["Array", "Result", "open", "plot"]


def plot(result, **options):
    """The sensible picture of a result file; see soretpost.plots.plot(). matplotlib is loaded only here."""
    from .plots import plot as draw

    return draw(result, **options)
