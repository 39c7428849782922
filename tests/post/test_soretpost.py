# SPDX-License-Identifier: BSD-2-Clause
"""Tests of soretpost on made-up results: python3 tests/post/test_soretpost.py"""
import contextlib
import io
import os
import sys
import tempfile
import unittest

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "postprocess")]

import soretpost  # noqa: E402
from make_result import CELLS, concentrations, make, temperature  # noqa: E402
from soretpost.__main__ import main  # noqa: E402
from soretpost.result import parse_sum  # noqa: E402

try:
    import xarray
except ImportError:
    xarray = None


def bytes_read():
    """What this process has read from files so far."""
    with open("/proc/self/io", encoding="ascii") as counters:
        return int(next(line for line in counters if line.startswith("rchar")).split()[1])


class WithFiles(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def make(self, dimension, frames=1, **options):
        path = self.path(f"result{dimension}_{frames}.h5")
        make(path, dimension, frames, **options)
        return path


class Reading(WithFiles):
    def test_labels(self):
        with soretpost.open(self.make(3, 4, flux=True)) as result:
            self.assertEqual(result.title, "Dimerization beside a hot spot")
            self.assertEqual(result.dims, ("z", "y", "x"))
            self.assertEqual(result.species, ["A", "A2"])
            self.assertEqual(result["A"].dims, ("time", "z", "y", "x"))
            self.assertEqual(result["A"].shape, (4,) + CELLS[3])
            self.assertEqual(result["flux/A2"].dims, ("time", "z", "y", "x", "component"))
            self.assertEqual(result["flux/A2"].coords["component"], ["x", "y", "z"])
            self.assertEqual(result.temperature.dims, ("z", "y", "x"))
            np.testing.assert_allclose(result.times, [0, 1 / 3, 2 / 3, 1])
            np.testing.assert_array_equal(result.steps, [0, 10, 20, 30])
            self.assertEqual(result.summary["reason"], "residual below tolerance")
            self.assertEqual(result.series["total/0"].dims, ("time",))
            np.testing.assert_allclose(result.series["total/0"].values, 1.0)
            self.assertIn("not read", repr(result["A"]))

    def test_parts(self):
        path = self.make(2, 3)
        with h5py.File(path) as file:
            frames = np.stack([file[f"frames/{k:06d}/A"][...] for k in range(3)])
        with soretpost.open(path) as result:
            a = result["A"]
            for key in [np.s_[...], np.s_[1], np.s_[-1, 5], np.s_[:, 5, 6], np.s_[1:, ..., 4], np.s_[..., 4], np.s_[[0, 2], 3], np.s_[0, 2:9:3, ::-1][:2]]:
                np.testing.assert_array_equal(a[key], frames[key])
            np.testing.assert_array_equal(np.asarray(a), frames)
            j, i = np.argmin(abs(a.coords["y"] - 0.3)), np.argmin(abs(a.coords["x"] - 1.1))
            np.testing.assert_array_equal(a.sel(time=1.0, y=0.3, x=1.1), frames[2, j, i])
            with self.assertRaisesRegex(KeyError, "no dimension 'z'"):
                a.sel(z=0.1)

    def test_units(self):
        for units, expected in (("SI", ("mol/m^3", "K", "m", "mol/m^2/s")), ("reduced", ("",) * 4)):
            with soretpost.open(self.make(1, units=units, flux=True)) as result:
                self.assertEqual((result["A"].units, result.temperature.units, result.units("x"), result["flux/A"].units), expected)
        path = self.make(1, units="SI")
        with h5py.File(path, "a") as file:
            file["frames/000000/A"].attrs["units"] = "umol/L"
        with soretpost.open(path) as result:
            self.assertEqual(result["A"].units, "umol/L")

    def test_temperature_of_the_frame(self):
        path = self.make(1, 2)
        with h5py.File(path, "a") as file:
            for k in range(2):
                file[f"frames/{k:06d}/temperature"] = file["temperature"][...] + k
        with soretpost.open(path) as result:
            self.assertEqual(result.temperature.dims, ("time", "x"))
            self.assertAlmostEqual(result.temperature[1, 0] - result.temperature[0, 0], 1.0)
            self.assertNotIn("temperature", result.species)

    def test_sums(self):
        self.assertEqual(parse_sum("A + 2 A2"), {"A": 1.0, "A2": 2.0})
        self.assertEqual(parse_sum("Na+ - 0.5 SO4(2-)"), {"Na+": 1.0, "SO4(2-)": -0.5})
        self.assertEqual(parse_sum("0"), {})

    def test_mistakes(self):
        with self.assertRaises(FileNotFoundError):
            soretpost.open(self.path("none.h5"))
        with h5py.File(self.path("other.h5"), "w") as file:
            file["a"] = 1
        with self.assertRaisesRegex(ValueError, "not a result file"):
            soretpost.open(self.path("other.h5"))
        with soretpost.open(self.make(1)) as result:
            with self.assertRaisesRegex(KeyError, r"no field 'B' in the frames \(A, A2\)"):
                result["B"]

    @unittest.skipUnless(os.path.exists("/proc/self/io"), "no counters of the bytes read")
    def test_lazy(self):
        """A result of 50 GB per field, with holes in place of most data: what is asked for is read, and little else."""
        n, path = 1850, self.path("large.h5")
        with h5py.File(path, "w") as file:
            for axis in "xyz":
                file[f"grid/{axis}"] = (np.arange(n) + 0.5) / n
            create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            create.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            frame = file.create_group("frames/000000")
            frame.attrs["time"] = 0.0
            space = h5py.h5s.create_simple((n, n, n))
            for name in (b"A", b"B"):
                h5py.h5d.create(frame.id, name, h5py.h5t.IEEE_F64LE, space, create)
                frame[name.decode()][n // 2, 7, :] = np.arange(n)
        if os.stat(path).st_size < 50e9 or os.stat(path).st_blocks * 512 > 50e6:
            self.skipTest("no files with holes here")
        before = bytes_read()
        with soretpost.open(path) as result:
            a = result["A"]
            self.assertEqual(a.shape, (1, n, n, n))
            self.assertEqual(result.species, ["A", "B"])
            self.assertLess(bytes_read() - before, 1e6)
            np.testing.assert_array_equal(a[0, n // 2, 7], np.arange(n))
            self.assertEqual(a.sel(time=0, z=0.5003, y=7.5 / n, x=1.0), n - 1)
            self.assertLess(bytes_read() - before, 2e6)

    @unittest.skipUnless(xarray, "no xarray")
    def test_xarray(self):
        with soretpost.open(self.make(2, 3, units="SI")) as result:
            data = result.to_xarray()
        self.assertEqual(data["A"].dims, ("time", "y", "x"))
        self.assertEqual(data["temperature"].attrs["units"], "K")
        self.assertAlmostEqual(float(data["A"].sel(time=1.0, x=0.3, y=0.3, method="nearest")), float(data["A"][2, 14, 14]))


class Picture:
    """A figure and its pixels."""

    def __init__(self, figure):
        self.figure = figure
        figure.canvas.draw()
        self.pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
        self.axes = [a for a in figure.axes if a.get_visible()]
        self.maps = [a for a in self.axes if any(type(c).__name__ == "QuadMesh" for c in a.collections)]

    def colour(self, axes, x, y):
        """Colour of the picture at a place in the coordinates of a panel."""
        column, row = axes.transData.transform((x, y))
        return self.pixels[self.pixels.shape[0] - 1 - int(round(row)), int(round(column))]

    def map_of(self, title):
        return next(a for a in self.maps if a.get_title() == title)


def distance(a, b):
    return int(np.abs(a - b).max())


class Plotting(WithFiles):
    def check_not_blank(self, picture):
        """There is ink in every panel, and white paper left."""
        for axes in picture.axes:
            box = axes.get_window_extent()
            part = picture.pixels[::-1][int(box.y0) + 2 : int(box.y1) - 2, int(box.x0) + 2 : int(box.x1) - 2]
            self.assertGreater(part.size, 0)
            self.assertGreater(part.std(), 3.0)
        self.assertGreater(np.mean(picture.pixels.min(axis=-1) > 250), 0.1)

    def test_profiles(self):
        picture = Picture(soretpost.plot(self.make(1)))
        self.assertEqual(len(picture.axes), 2)  # concentrations, T
        self.check_not_blank(picture)
        left, right = picture.axes
        self.assertEqual([line.get_label() for line in left.lines], ["A", "A2", "A + 2 A2"])
        T = temperature(1, [(np.arange(120) + 0.5) / 120])
        expected = concentrations(T, 1.0)
        np.testing.assert_allclose(left.lines[1].get_ydata(), expected["A2"])
        np.testing.assert_allclose(left.lines[2].get_ydata(), expected["A"] + 2 * expected["A2"])
        np.testing.assert_allclose(right.lines[0].get_ydata(), T)
        self.assertEqual((left.get_xlabel(), right.get_ylabel()), ("x", "T"))

    def test_units_on_axes(self):
        left, right = Picture(soretpost.plot(self.make(1, units="SI", size=5e-6))).axes
        self.assertEqual((left.get_xlabel(), left.get_ylabel(), right.get_ylabel()), ("x (µm)", "concentration (mol/m³)", "T (K)"))
        np.testing.assert_allclose(left.get_xlim(), (0, 5))

    def test_far_apart(self):
        path = self.make(1)
        with h5py.File(path, "a") as file:
            file["frames/000000/A"][...] *= 1e-5
        self.assertEqual(Picture(soretpost.plot(path)).axes[0].get_yscale(), "log")

    def test_maps(self):
        picture = Picture(soretpost.plot(self.make(2)))
        self.assertEqual([a.get_title() for a in picture.maps], ["T", "A", "A2"])
        self.check_not_blank(picture)
        hot, cold = (0.35, 0.3), (0.1, 0.9)
        for name in ("T", "A", "A2"):
            self.assertGreater(distance(picture.colour(picture.map_of(name), *hot), picture.colour(picture.map_of(name), *cold)), 60)
        # bright is much: the hot spot of T, the cold corner of A2
        bright = lambda name, place: picture.colour(picture.map_of(name), *place).sum()  # noqa: E731
        self.assertGreater(bright("T", hot), bright("T", cold))
        self.assertLess(bright("A2", hot), bright("A2", cold))

    def test_solid(self):
        picture = Picture(soretpost.plot(self.make(2, solid=True)))
        np.testing.assert_array_equal(picture.colour(picture.map_of("A"), 0.75, 0.75), [0xC8] * 3)

    def test_slices(self):
        picture = Picture(soretpost.plot(self.make(3)))
        self.assertEqual(len(picture.maps), 9)  # three planes of T, A and A2
        self.check_not_blank(picture)
        cuts = [a for a in picture.axes if a not in picture.maps and a.get_xlabel()]
        self.assertEqual([a.get_xlabel() for a in cuts], ["x", "y", "z"])
        self.assertEqual([line.get_label() for line in cuts[0].lines], ["A", "A2"])
        T = picture.map_of("T")
        self.assertGreater(distance(picture.colour(T, 0.27, 0.57), picture.colour(T, 0.05, 0.1)), 60)
        # the planes pass the hottest cell
        vertical = [line.get_xdata()[0] for line in T.lines if line.get_xdata()[0] == line.get_xdata()[1]]
        self.assertAlmostEqual(vertical[0], 0.3, delta=0.03)

    def test_time(self):
        for dimension, fields in ((1, 2), (2, 3)):
            picture = Picture(soretpost.plot(self.make(dimension, 5)))
            self.assertEqual(len(picture.axes), fields + 2)
            self.check_not_blank(picture)
            self.assertIn("t = 1", picture.figure._suptitle.get_text())
            total, extremes = picture.axes[-2:]
            np.testing.assert_allclose(total.lines[0].get_ydata(), 1.0)
            self.assertGreater(np.ptp(total.get_ylim()), 0.01)  # rounding errors are not magnified
            self.assertGreaterEqual(len(extremes.lines), 4)
        first = Picture(soretpost.plot(self.path("result2_5.h5"), frame=0))
        self.assertIn("t = 0", first.figure._suptitle.get_text())

    def test_choice_of_species(self):
        picture = Picture(soretpost.plot(self.make(2), species=["A2"]))
        self.assertEqual([a.get_title() for a in picture.maps], ["T", "A2"])

    def test_many_species(self):
        path = self.make(2)
        with h5py.File(path, "a") as file:
            for k in range(30):
                file[f"frames/000000/S{k}"] = file["frames/000000/A"][...] * k
        picture = Picture(soretpost.plot(path))
        self.assertEqual(len(picture.maps), 9)
        self.assertIn("24 more species", picture.figure._suptitle.get_text())

    def test_uniform(self):
        """Fields that do not vary, no temperature, one cell along an axis."""
        path = self.path("uniform.h5")
        with h5py.File(path, "w") as file:
            for axis, n in (("x", 4), ("y", 1)):
                file[f"grid/{axis}"] = (np.arange(n) + 0.5) / n
            file["frames/000000/A"] = np.zeros((1, 4))
            file["frames/000000/B"] = np.full((1, 4), np.nan)
        self.assertEqual(len(Picture(soretpost.plot(path)).maps), 2)


class CommandLine(WithFiles):
    def run_main(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(list(arguments))
        return status, out.getvalue(), err.getvalue()

    def test_plot(self):
        import matplotlib.image

        path = self.make(2, 3)
        status, out, _ = self.run_main("plot", path)
        self.assertEqual((status, out.strip()), (0, self.path("result2_3.png")))
        image = matplotlib.image.imread(self.path("result2_3.png"))
        self.assertGreater(image.shape[1], 1000)
        self.assertGreater(image[..., :3].std(), 0.05)
        status, _, _ = self.run_main("plot", path, "-o", self.path("other.pdf"), "--frame", "1")
        self.assertEqual(status, 0)
        with open(self.path("other.pdf"), "rb") as file:
            self.assertTrue(file.read(5) == b"%PDF-")

    def test_info(self):
        status, out, _ = self.run_main("info", self.make(3, 4))
        self.assertEqual(status, 0)
        for part in ("Dimerization beside", "z 0 .. 1 in 24 cells", "4, time 0 .. 1", "total/0", "| units: reduced"):
            self.assertIn(part, out)

    def test_mistakes(self):
        self.assertEqual(self.run_main("plot", self.path("none.h5"))[::2], (2, f"{self.path('none.h5')}: No such file or directory\n"))
        path = self.make(1)
        self.assertIn("there is no frame 3", self.run_main("plot", path, "--frame", "3")[2])
        self.assertIn("no field 'B'", self.run_main("plot", path, "--species", "B")[2])
        with open(self.path("text.h5"), "w", encoding="ascii") as file:
            file.write("soret: 1")
        self.assertEqual(self.run_main("info", self.path("text.h5"))[0], 2)


if __name__ == "__main__":
    unittest.main()
