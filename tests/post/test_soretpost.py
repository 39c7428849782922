# SPDX-License-Identifier: BSD-2-Clause
"""Tests of soretpost on made-up results: python3 tests/post/test_soretpost.py"""
import base64
import contextlib
import html.parser
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import warnings

import h5py
import matplotlib
import matplotlib.image
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "postprocess")]

import soretpost  # noqa: E402
import soretpost.style as style  # noqa: E402
from make_result import CELLS, concentrations, make, temperature  # noqa: E402
from soretpost.__main__ import main  # noqa: E402
from soretpost.box import TO_EYE, seen  # noqa: E402
from soretpost.compare import compare  # noqa: E402
from soretpost.movie import common_limits, frames_to_show, movie  # noqa: E402
from soretpost.plots import plot  # noqa: E402
from soretpost.report import report  # noqa: E402
from soretpost.result import parse_sum  # noqa: E402
from soretpost.surface import area, isosurface, normals  # noqa: E402
from soretpost.view import View  # noqa: E402
from soretpost.wall import cast, facing  # noqa: E402

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
            self.assertEqual(result.summary["reason"], "converged: residual below tolerance")
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

    def test_units_are_those_of_the_file(self):
        """Whatever the text of the case looks like, which overrides may contradict."""
        for units, case, expected in (("reduced", "{soret: 1, units: reduced}", ("", "", "")), ("reduced", "units: SI", ("", "", "")), ("SI", "units: reduced", ("m", "s", "mol/m^3"))):
            path = self.make(1, 3, units=units)
            with h5py.File(path, "a") as file:
                file.attrs["case"] = case
            with soretpost.open(path) as result:
                self.assertEqual((result.units("x"), result.units("time"), result.series["total/0"].units), expected)

    def test_units_of_integrals(self):
        """Per area of the cross section in one dimension, per length in two; none in reduced units."""
        for dimension, units, expected in ((1, "SI", "mol/m^2/s"), (2, "SI", "mol/m/s"), (3, "SI", "mol/s"), (2, "reduced", "")):
            path = self.make(dimension, 3, units=units)
            with h5py.File(path, "a") as file:
                for name in ("boundary_flux/x-/A", "source/A", "entropy_production"):
                    file[f"series/{name}"] = np.arange(40.0)
            with soretpost.open(path) as result:
                self.assertEqual({result.series[n].units for n in ("boundary_flux/x-/A", "source/A", "entropy_production")}, {expected})
        path = self.path("result1_3.h5")
        labels = [axes.get_ylabel() for axes in Picture(soretpost.plot(path, parts=["time"])).axes]
        self.assertEqual(labels[2:], ["net inflow through the\nface (mol/m²/s)", "entropy production / R\n(mol/m²/s)"])

    def test_sweep_in_SI(self):
        with soretpost.open(self.make(1, units="SI", sweep=True)) as result:
            self.assertEqual((result.sweep["total/0"].units, result.sweep["frame"].units), ("mol/m^3", ""))
            self.assertEqual(result.sweep_point(0), 100.0)
            self.assertEqual((result.sweep["zero"].dims, result.sweep["zero"].coords), (("zero",), {}))

    def test_sweep_with_points_that_are_not_defined(self):
        """The points beside them are seen: S_T where T is uniform at some values of the parameter."""
        path = self.make(1, sweep=True)
        with h5py.File(path, "a") as file:
            file["sweep/soret/total/0/soret"] = np.where(np.arange(9) % 2, np.nan, 1.0)
            file["sweep/soret/total/0/chemical"] = np.where(np.arange(9) % 2, np.nan, 0.5 + np.arange(9))
            file["sweep/soret/total/0/transport"] = np.where(np.arange(9) % 2, np.nan, 0.1 + np.arange(9))
        lines = [line for axes in Picture(soretpost.plot(path, parts=["sweep"])).axes for line in axes.lines if line.get_label() in ("$S_T$", "chemical", "transport")]
        self.assertEqual(len(lines), 3)
        self.assertFalse({"None", ""} & {line.get_marker() for line in lines})

    def test_species_with_names_of_axes(self):
        path = self.make(1, 3, units="SI", solid=False)
        with h5py.File(path, "a") as file:
            for group in [file["series/min"], file["series/max"], *file["frames"].values()]:
                group.move("A", "x")
                group.move("A2", "time")
            for frame in file["frames"].values():
                frame["x"].attrs["units"] = frame["time"].attrs["units"] = "mol/m^3"
        with soretpost.open(path) as result:
            self.assertEqual((result["x"].units, result["time"].units, result.units("x"), result.units("time"), result.series["time"].units), ("mol/m^3", "mol/m^3", "m", "s", "s"))
            self.assertEqual(View(result).amount[1], "mol/m^3")
            self.assertTrue(View(result).title.endswith("t = 1 s"))

    def test_temperature_of_the_frame(self):
        path = self.make(1, 2)
        with h5py.File(path, "a") as file:
            for k in range(2):
                file[f"frames/{k:06d}/temperature"] = file["temperature"][...] + k
        with soretpost.open(path) as result:
            self.assertEqual(result.temperature.dims, ("time", "x"))
            self.assertAlmostEqual(result.temperature[1, 0] - result.temperature[0, 0], 1.0)
            self.assertNotIn("temperature", result.species)

    def test_lost_frames(self):
        """Frames that went with an earlier attempt have only their time: the others are the result."""
        path = self.make(2, frames=4)
        with h5py.File(path, "a") as file:
            for name in ("000000", "000001"):
                frame = file["frames"][name]
                for member in list(frame):
                    del frame[member]
                frame.attrs["lost"] = 1
            expected = file["frames/000003/A"][()]
        with soretpost.open(path) as result:
            self.assertEqual((len(result.times), result.lost), (2, 2))
            self.assertEqual(result["A"].shape[0], 2)
            self.assertTrue(np.array_equal(result["A"][-1], expected))
            self.assertIn("2 more are lost", result.describe())
        with contextlib.redirect_stdout(io.StringIO()):
            main(["plot", path, "-o", self.path("lost.png")])
        self.assertGreater(os.path.getsize(self.path("lost.png")), 1000)

    def test_sums(self):
        self.assertEqual(parse_sum("A + 2 A2"), {"A": 1.0, "A2": 2.0})
        self.assertEqual(parse_sum("Na+ - 0.5 SO4(2-)"), {"Na+": 1.0, "SO4(2-)": -0.5})
        self.assertEqual(parse_sum("0"), {})
        for text in ("(B) + 2 *C - +D + -e", "- A + 0.5 B", "A"):
            self.assertEqual(style.sum_name(parse_sum(text)), text)
        self.assertEqual(parse_sum("(B) + 2 *C - +D + -e"), {"(B)": 1.0, "*C": 2.0, "+D": -1.0, "-e": 1.0})

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

    @unittest.skipUnless(xarray and os.path.exists("/proc/self/io"), "no xarray, or no counters of the bytes read")
    def test_lazy_xarray(self):
        path = self.make(3, 2)
        with h5py.File(path, "a") as file:
            for k in range(2):
                file[f"frames/{k:06d}/B"] = np.arange(60 * 200 * 200.0).reshape(60, 200, 200)
            for axis, n in (("x", 200), ("y", 200), ("z", 60)):
                del file[f"grid/{axis}"], file[f"grid/{axis}_edges"]
                file[f"grid/{axis}"] = (np.arange(n) + 0.5) / n
        with soretpost.open(path) as result:
            before = bytes_read()
            data = result.to_xarray("B", lazy=True)
            self.assertLess(bytes_read() - before, 1e6)
            plane = data["B"].isel(time=1, z=3)[::-2, 5]
            np.testing.assert_array_equal(plane.values, np.arange(3 * 40000 + 5, 4 * 40000, 200.0)[::-2])
            self.assertLess(bytes_read() - before, 2e6)
            self.assertEqual(float(data["B"].sel(time=0, z=0.99, y=0.99, x=0.99, method="nearest")), data["B"].isel(time=0, z=59, y=197, x=197).item())


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


# what the colour-blind see of linear RGB: protanopia, deuteranopia, tritanopia (Machado, Oliveira and Fernandes 2009)
BLIND = [
    np.eye(3),
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
]


def lab(colours, blind):
    """CIE L*a*b* of sRGB colours as such eyes see them."""
    rgb = np.asarray(colours, dtype=float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ np.transpose(blind)
    xyz = np.clip(linear, 0, 1) @ np.transpose([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


class Colours(unittest.TestCase):
    """Just noticeable is a distance of 2.3 in L*a*b*."""

    def test_lightness(self):
        """Maps of amounts get lighter from end to end for all eyes; those with two signs are lightest in the middle."""
        for kind in (None, "temperature", "entropy_production"):
            colours, _ = style.colours_of(kind or "A", 0.0, 1.0)
            for blind in BLIND:
                self.assertGreater(np.diff(lab(colours(np.linspace(0, 1, 64))[:, :3], blind)[:, 0]).min(), 0.0, (kind, blind))
        for kind in style.SIGNED:
            colours, norm = style.colours_of(kind, -2.0, 1.0)
            self.assertEqual(norm(0.0), 0.5)
            for blind in BLIND:
                L = lab(colours(np.linspace(0, 1, 65))[:, :3], blind)
                self.assertTrue(abs(int(L[:, 0].argmax()) - 32) <= 1, (kind, blind))
                self.assertGreater(np.linalg.norm(L[8] - L[56]), 30, (kind, blind))  # the signs are far apart

    def test_lines(self):
        """Lines with the same dashes differ by 20 for all eyes; the others, which their dashes tell apart, by 6 at least."""
        rgb = [matplotlib.colors.to_rgb(c) for c in style.COLOURS]
        for blind in BLIND:
            seen_as = lab(rgb, blind)
            for i in range(len(rgb)):
                for j in range(i):
                    least = 20 if i % len(style.DASHES) == j % len(style.DASHES) else 6
                    self.assertGreater(np.linalg.norm(seen_as[i] - seen_as[j]), least, (style.COLOURS[i], style.COLOURS[j], blind))


class Surfaces(unittest.TestCase):
    def ball(self, n):
        """Distance from the middle of a box of unequal spacing, and the positions."""
        x = [np.linspace(-1, 1, m) * (1 + 0.1 * np.linspace(-1, 1, m) ** 2) for m in (n, n + 3, n - 2)]
        return np.sqrt(sum(c**2 for c in np.meshgrid(*x, indexing="ij"))), x

    def test_ball(self):
        """Closed, at the right distance, with the area of a sphere, to second order in the spacing."""
        errors = []
        for n in (16, 32):
            values, x = self.ball(n)
            triangles = isosurface(values, 0.7, x)
            self.assertLess(abs(np.linalg.norm(triangles, axis=-1) - 0.7).max(), 0.6 / n)
            self.assertLess(np.linalg.norm(normals(triangles).sum(axis=0)), len(triangles))
            edges = {}
            for a, b, c in np.unique(triangles.reshape(-1, 3), axis=0, return_inverse=True)[1].reshape(-1, 3):
                for edge in ((a, b), (b, c), (c, a)):
                    edges[tuple(sorted(edge))] = edges.get(tuple(sorted(edge)), 0) + 1
            self.assertEqual(set(edges.values()), {2})  # two triangles meet at each edge: no hole, no overlap
            errors.append(abs(area(triangles) / (4 * np.pi * 0.7**2) - 1))
        self.assertLess(errors[1], 0.005)
        self.assertGreater(errors[0] / errors[1], 3)

    def test_plane(self):
        """Exact for a linear field; nothing where there is no such value, nothing beside what is not known."""
        x = [np.linspace(0, 1, n) for n in (5, 7, 6)]
        z, y, _ = np.meshgrid(*x, indexing="ij")
        triangles = isosurface(z + y, 0.9, x)
        self.assertAlmostEqual(area(triangles), 0.9 * np.sqrt(2), 12)
        np.testing.assert_allclose(triangles[..., 0] + triangles[..., 1], 0.9, rtol=1e-12)
        self.assertEqual(isosurface(z + y, 5.0, x).shape, (0, 3, 3))
        holed = np.where((z < 0.3) & (y > 0.5), np.nan, z + y)
        self.assertTrue(0 < area(isosurface(holed, 0.9, x)) < 0.9 * np.sqrt(2))


class Rays(unittest.TestCase):
    """A ball of cells in a box with unequal spacing, seen by rays."""

    def setUp(self):
        self.edges = [s * (np.linspace(0, 1, n + 1) + 0.1 * np.linspace(0, 1, n + 1) ** 2) / 1.1 for n, s in ((50, 1.0), (44, 0.8), (40, 0.9))]
        centres = np.meshgrid(*[0.5 * (e[1:] + e[:-1]) for e in self.edges], indexing="ij")
        self.middle, self.radius = np.array([0.5, 0.4, 0.45]), 0.3
        self.body = sum((c - m) ** 2 for c, m in zip(centres, self.middle)) < self.radius**2
        self.hits = cast(self.body, self.edges, 150)

    def place(self, cells):
        return np.stack([0.5 * (e[1:] + e[:-1])[c] for e, c in zip(self.edges, cells.T)], axis=1)

    def test_ball(self):
        """What is met is the body, from a cell beside that is not; it covers a disc; no place before it on the ray belongs to the body."""
        hits = self.hits
        self.assertTrue(self.body[tuple(hits.cell.T)].all() and not self.body[tuple(hits.before.T)].any())
        np.testing.assert_array_equal(np.abs(hits.cell - hits.before).sum(axis=1), 1)
        left, right, low, top = hits.extent
        size = (right - left) / hits.shape[1]
        self.assertAlmostEqual((top - low) / hits.shape[0], size, 12)
        self.assertEqual(len(np.unique(hits.pixel)), len(hits.pixel))
        self.assertAlmostEqual(len(hits.pixel) * size**2, np.pi * self.radius**2, delta=0.02)
        self.assertAlmostEqual(hits.depth.max(), self.middle @ TO_EYE + self.radius, delta=0.02)
        rows, columns = np.divmod(hits.pixel, hits.shape[1])
        centres = np.stack([left + (columns + 0.5) * size, top - (rows + 0.5) * size], axis=1)
        self.assertLess(np.abs(seen(self.place(hits.cell)) - centres).max(), 0.03)  # where the cell is in the picture
        start = self.place(hits.cell) + (hits.depth - self.place(hits.cell) @ TO_EYE)[:, None] * TO_EYE
        for step in np.linspace(0.03, 1.5, 60):
            at = start + step * TO_EYE
            self.assertTrue((np.linalg.norm(at - self.middle, axis=1) > self.radius - 0.03).all())

    def test_facing(self):
        out = (self.place(self.hits.cell) - self.middle) / self.radius
        self.assertGreater((facing(self.body, self.edges, self.hits.cell) * out).sum(axis=1).min(), 0.9)

    def test_full_and_empty(self):
        """A body that fills the box is met at its walls, from outside; where there is none nothing is met."""
        hits = cast(np.ones((4, 3, 5), bool), [np.linspace(0, 1, n + 1) for n in (4, 3, 5)], 60)
        self.assertTrue((hits.before < 0).all())
        walls = (hits.cell == np.where(TO_EYE > 0, np.array([3, 2, 4]), 0)).any(axis=1)
        self.assertTrue(walls.all() and 0.5 < len(hits.pixel) / np.prod(hits.shape) < 1)
        self.assertEqual(len(cast(np.zeros((4, 3, 5), bool), [np.linspace(0, 1, n + 1) for n in (4, 3, 5)], 60).pixel), 0)


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

    def porous(self, solid, **options):
        """A result in three dimensions, with the cells solid where solid(x, y, z) says."""
        path = self.make(3, solid=True, **options)
        z, y, x = np.meshgrid(*[(np.arange(n) + 0.5) / n for n in CELLS[3]], indexing="ij")
        with h5py.File(path, "a") as file:
            file["solid"][...] = solid(x, y, z)
            for name, data in concentrations(temperature(3, (x, y, z)), 1.0).items():
                file[f"frames/000000/{name}"][...] = np.where(file["solid"][()] > 0.5, 0.0, data)
        return path

    def boxes(self, picture):
        return {a.get_title(): a for a in picture.axes if a.images}

    def test_pore(self):
        """Most is solid: the pore is seen, coloured by what is in it; planes with the most fluid, means over the fluid instead of surfaces and lines."""
        inside = lambda y, z: (y - 0.55) ** 2 + (z - 0.4) ** 2 < 0.15**2  # noqa: E731
        path = self.porous(lambda x, y, z: np.where(inside(y, z), 0, 1))
        picture = Picture(soretpost.plot(path))
        self.check_not_blank(picture)
        boxes = self.boxes(picture)
        self.assertEqual(list(boxes), ["T", "A", "A2", "A + 2 A2"])
        front = lambda x: seen(np.array([x, 0.55, 0.4]) + 0.149 * np.cross([1.0, 0, 0], np.cross(TO_EYE, [1.0, 0, 0])) / np.hypot(*TO_EYE[1:]))  # noqa: E731
        hot, cold = (picture.colour(boxes["T"], *front(x)) for x in (0.3, 0.03))
        for colour, share in ((hot, 0.9), (cold, 0.15)):  # the hues of cividis there, in light and shade
            hues = [np.array(matplotlib.colormaps["cividis"](s)[:3]) for s in (share - 0.15, share, share + 0.1)]
            self.assertLess(min(np.abs(colour / max(colour) - hue / max(hue)).max() for hue in hues), 0.15)
        self.assertGreater(hot.sum(), cold.sum() + 60)
        np.testing.assert_array_equal(picture.colour(boxes["T"], *seen(np.array([0.5, 0.1, 0.9]))), [255] * 3)  # rock is not drawn
        with soretpost.open(path) as result:
            where = View(result).where
        self.assertLess(abs((where["y"] + 0.5) / CELLS[3][1] - 0.55) + abs((where["z"] + 0.5) / CELLS[3][0] - 0.4), 0.05)
        layers = next(a for a in picture.axes if [line.get_label() for line in a.lines] == ["A", "A2", "A + 2 A2"] and a.get_xlabel() == "x")
        with h5py.File(path) as file:
            fluid, a = file["solid"][()] < 0.5, file["frames/000000/A"][()]
        np.testing.assert_allclose(layers.lines[0].get_ydata(), [a[:, :, i][fluid[:, :, i]].mean() for i in range(CELLS[3][2])])

    def test_obstacle(self):
        """Most is fluid: the obstacle is seen, coloured by the fluid beside it; grey at its end, which no fluid touches."""
        path = self.porous(lambda x, y, z: np.where((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.2**2, 1, 0))
        with h5py.File(path, "a") as file:
            file["frames/000000/A"][...] = np.where(file["solid"][()] > 0.5, 0.0, 2.0)
        picture = Picture(soretpost.plot(path, parts=["wall"]))
        axes = self.boxes(picture)["A"]
        end = picture.colour(axes, *seen(np.array([0.5, 0.5, 1.0])))
        self.assertTrue(np.ptp(end) <= 2 and end[0] > 0x60, end)
        side = picture.colour(axes, *seen(np.array([0.5, 0.5, 0.5])))
        hue = np.array(matplotlib.colormaps["viridis"](0.5)[:3])  # of a field that does not vary
        self.assertLess(np.abs(side / max(side) - hue / max(hue)).max(), 0.03)

    def test_upright_box(self):
        """Four times as high as wide: its picture is not."""
        path = self.porous(lambda x, y, z: np.where(x < 0.5, 1, 0))
        with h5py.File(path, "a") as file:
            file["grid/z_edges"][:] *= 4
            file["grid/z"][:] *= 4
        width, height = soretpost.plot(path, parts=["wall"]).get_size_inches()
        self.assertLess(height, 1.8 * width)

    def test_no_wall(self):
        with self.assertRaisesRegex(ValueError, "nothing to show as 'wall'"):
            soretpost.plot(self.make(3), parts=["wall"])

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
        self.check_surfaces(picture)

    def test_lines_across(self):
        """What varies along y only is seen along y: the lines share an axis, which holds all of them."""
        path = self.make(3)
        with h5py.File(path, "a") as file:
            file["frames/000000/A"][...] = np.linspace(0.1, 2, CELLS[3][1])[:, None]
            file["frames/000000/A2"][...] = np.linspace(1, 1.5, CELLS[3][1])[:, None]
        picture = Picture(soretpost.plot(path))
        cuts = [a for a in picture.axes if a.lines and a not in picture.maps and a.get_xlabel()]
        self.assertEqual([a.get_xlabel() for a in cuts], ["x", "y", "z"])
        for axes in cuts:
            low, high = axes.get_ylim()
            self.assertTrue(low <= 0.1 and 2 <= high < 3, (low, high))

    def test_flux_between_the_arrows(self):
        """No arrows, and no warnings of NumPy, where all that flows is beside a wall."""
        path = self.make(2, flux=True)
        with h5py.File(path, "a") as file:
            flux = np.zeros(CELLS[2] + (2,))
            flux[:, 0, 0] = 1.0
            file["frames/000000/flux/A"][...] = flux
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            picture = Picture(soretpost.plot(path))
        self.assertFalse([c for c in picture.maps[1].collections if type(c).__name__ == "Quiver"])

    def test_room_for_numbers(self):
        """At the colours of narrow planes numbers stand apart, also long ones with a sign."""
        path = self.make(3, derived=True)
        for low, high in ((-0.155, -0.07), (-0.151, -0.074), (-0.0151, 0.0049), (-0.00126, 0.00251), (0.046664, 0.046742)):
            with h5py.File(path, "a") as file:
                file["frames/000000/soret"][...] = np.linspace(low, high, CELLS[3][2])
            picture = Picture(soretpost.plot(path, parts=["fields"]))
            bars = [bar for axes in picture.maps for bar in axes.child_axes]
            self.assertEqual(len(bars), 6)
            for bar in bars:
                ends = bar.get_xlim()
                boxes = [t.get_window_extent() for t in bar.get_xticklabels() if t.get_text() and ends[0] <= t.get_position()[0] <= ends[1]]
                self.assertGreaterEqual(len(boxes), 2)
                gaps = [right.x0 - left.x1 for left, right in zip(boxes, boxes[1:])]
                self.assertGreater(min(gaps) * 72 / picture.figure.dpi, 3)  # points

    def test_room_for_titles(self):
        """Those of narrow planes have several lines where they are long."""
        path = self.make(3, units="SI", derived=True)
        with h5py.File(path, "a") as file:
            file["frames/000000/soret"].attrs["of"] = "Protein + Complex"
            file["frames/000000/rate/0"].attrs["equation"] = "Protein + Ligand <=> Complex"
        picture = Picture(soretpost.plot(path, parts=["fields"]))
        boxes = sorted((axes.title.get_window_extent() for axes in picture.maps if axes.get_title()), key=lambda box: box.x0)
        self.assertEqual(len(boxes), 6)
        self.assertTrue(all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:])))
        self.assertLessEqual(boxes[-1].x1, picture.figure.bbox.x1)

    def check_surfaces(self, picture):
        """A box per field below the planes, with surfaces in colours of its map, around the hot spot of T."""
        boxes = [a for a in picture.axes if any(type(c).__name__ == "PolyCollection" for c in a.collections)]
        self.assertEqual(len(boxes), 3)
        faces = next(c for c in boxes[0].collections if type(c).__name__ == "PolyCollection")
        hue = matplotlib.colormaps["cividis"](2 / 3)[:3]
        shades = faces.get_facecolor()[:, :3] / faces.get_facecolor()[:, :3].max(axis=1, keepdims=True)
        self.assertGreater(np.count_nonzero(np.abs(shades - np.array(hue) / max(hue)).max(axis=1) < 1e-6), 100)
        place = seen(np.array([0.3, 0.6, 0.4]))
        self.assertGreater(distance(picture.colour(boxes[0], *place), np.array([255, 255, 255])), 60)

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

    def panel(self, picture, **labels):
        """The one panel with these labels."""
        found = [a for a in picture.axes if all(getattr(a, f"get_{k}")() == v for k, v in labels.items())]
        self.assertEqual(len(found), 1, labels)
        return found[0]

    def test_derived_profiles(self):
        picture = Picture(soretpost.plot(self.make(1, derived=True, flux=True)))
        self.check_not_blank(picture)
        T = temperature(1, [(np.arange(120) + 0.5) / 120])
        flux = self.panel(picture, ylabel="flux")
        np.testing.assert_allclose(flux.lines[0].get_ydata(), -0.01 * concentrations(T, 1.0)["A"] * np.gradient(T))
        soret = self.panel(picture, ylabel="$S_T$ of A + 2 A2")
        np.testing.assert_allclose(soret.lines[0].get_xdata(), T)
        np.testing.assert_allclose(soret.lines[0].get_ydata(), 2 * (1 - T))
        self.assertAlmostEqual(soret.lines[1].get_xdata()[0], 1.0)  # the mark where it changes its sign
        self.assertEqual(soret.texts[0].get_text(), "1")
        self.assertEqual(self.panel(picture, ylabel="net rate").get_legend().get_texts()[0].get_text(), "2 A <=> A2")
        self.assertEqual(self.panel(picture, ylabel="entropy production / R").get_yscale(), "log")

    def test_derived_maps(self):
        picture = Picture(soretpost.plot(self.make(2, derived=True, flux=True)))
        self.assertEqual([a.get_title() for a in picture.maps], ["T", "A", "A2", "$S_T$ of A + 2 A2", "entropy production / R", "rate of 2 A <=> A2"])
        self.check_not_blank(picture)
        soret = picture.map_of("$S_T$ of A + 2 A2")
        warm, cold = picture.colour(soret, 0.35, 0.3), picture.colour(soret, 0.1, 0.9)  # S_T < 0 and > 0
        self.assertGreater(warm[0], warm[2] + 60)  # red gathers in the warmth
        self.assertGreater(cold[2], cold[0] + 30)  # blue in the cold
        arrows = [c for c in picture.map_of("A").collections if type(c).__name__ == "Quiver"]
        self.assertEqual(len(arrows), 1)
        # -grad T leads away from the hot spot
        offsets, u = arrows[0].get_offsets(), np.ma.filled(arrows[0].U, 0.0)
        right = (abs(offsets[:, 1] - 0.3) < 0.15) & (offsets[:, 0] > 0.4) & (offsets[:, 0] < 0.6)
        self.assertTrue(right.any() and (u[right] > 0).all())
        mesh = next(c for c in picture.map_of("entropy production / R").collections if type(c).__name__ == "QuadMesh")
        self.assertEqual(type(mesh.norm).__name__, "LogNorm")

    def test_no_arrows_of_rounding(self):
        path = self.make(2, flux=True)
        with h5py.File(path, "a") as file:
            flux = file["frames/000000/flux/A"]
            flux[...] = 1e-16 * np.random.default_rng(1).standard_normal(flux.shape)
        picture = Picture(soretpost.plot(path))
        self.assertEqual([any(type(c).__name__ == "Quiver" for c in picture.map_of(n).collections) for n in ("A", "A2")], [False, True])

    def test_arrows_of_small_fluxes(self):
        """Fluxes in SI are small numbers: the same arrows, not all of them along x."""
        images = []
        for factor in (1.0, 1e-20):
            path = self.make(2, flux=True)
            with h5py.File(path, "a") as file:
                for name in ("A", "A2"):
                    file[f"frames/000000/flux/{name}"][...] *= factor
            images.append(Picture(soretpost.plot(path)).pixels)
        np.testing.assert_array_equal(*images)

    def test_rounding_is_no_picture(self):
        """S_T that is the same everywhere, but for rounding, and an entropy production of nothing look like that."""
        path, random = self.make(2, derived=True), np.random.default_rng(2)
        with h5py.File(path, "a") as file:
            shape = CELLS[2]
            file["frames/000000/soret"][...] = 0.02 * (1 + 1e-11 * random.standard_normal(shape))
            file["frames/000000/entropy_production"][...] = 1e-37 * random.random(shape)
        picture = Picture(soretpost.plot(path))
        for title in ("$S_T$ of A + 2 A2", "entropy production / R"):
            axes = picture.map_of(title)
            places = [picture.colour(axes, x, y) for x in np.linspace(0.1, 1.4, 9) for y in np.linspace(0.1, 0.9, 7)]
            self.assertLess(np.ptp(places, axis=0).max(), 3, title)
        self.assertGreater(np.ptp(self.panel(picture, ylabel="$S_T$ of A + 2 A2").get_ylim()), 0.01)

    def test_not_defined(self):
        """A field without a number, as entropy production where a reaction has no way back, says so and has no scale of colours."""
        for dimension, count in ((1, 2), (2, 3), (3, 9)):  # maps and walls of both, and S_T against T
            path = self.make(dimension, derived=True)
            if dimension == 3:  # with a wall, too
                path = self.porous(lambda x, y, z: np.where((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.2**2, 1, 0), derived=True)
            with h5py.File(path, "a") as file:
                for name in ("entropy_production", "soret"):
                    file[f"frames/000000/{name}"][...] = np.nan
            picture = Picture(soretpost.plot(path))
            said = [a for a in picture.axes if any(t.get_text() == "not defined" for t in a.texts)]
            self.assertEqual(len(said), count)
            self.assertFalse([a for a in said if a.child_axes])

    def test_soret_of_zero_is_seen(self):
        path = self.make(1, derived=True)
        with h5py.File(path, "a") as file:
            file["frames/000000/soret"][...] = 0.0
        low, high = self.panel(Picture(soretpost.plot(path)), ylabel="$S_T$ of A + 2 A2").get_ylim()
        self.assertTrue(low < 0 < high)

    def test_what_has_not_converged_is_told(self):
        """Of a steady run; the states of a run in time are good up to its last."""
        for frames, told in ((1, True), (3, False)):
            path = self.make(1, frames)
            with h5py.File(path, "a") as file:
                file["summary"].attrs["converged"] = 0
            self.assertEqual("not converged" in Picture(soretpost.plot(path)).figure._suptitle.get_text(), told)

    def test_flat_profiles(self):
        """Rounding errors beside what is the same everywhere are not seen."""
        path = self.make(1)
        with h5py.File(path, "a") as file:
            del file["series"]
            for field in ("temperature", "frames/000000/A", "frames/000000/A2"):
                file[field][:] = 1 + 1e-13 * np.arange(120)
        for axes in Picture(soretpost.plot(path, parts=["fields"])).axes[:2]:
            self.assertGreater(np.ptp(axes.get_ylim()), 0.5)

    def test_derived_planes(self):
        picture = Picture(soretpost.plot(self.make(3, derived=True)))
        self.assertEqual(len(picture.maps), 18)
        cloud = self.panel(picture, ylabel="$S_T$ of A + 2 A2")
        T, S = cloud.lines[0].get_data()
        np.testing.assert_allclose(S, 2 * (1 - T))
        self.check_not_blank(picture)

    def test_sweep(self):
        picture = Picture(soretpost.plot(self.make(1, sweep=True)))
        soret = self.panel(picture, xlabel="k", ylabel="$S_T$")
        self.assertEqual(soret.get_xscale(), "log")
        np.testing.assert_allclose(soret.lines[0].get_ydata(), 0.1 * np.linspace(-2, 2, 9), atol=1e-15)
        self.panel(picture, xlabel="k", ylabel="contrast")
        self.assertFalse([a for a in picture.axes if "converged" in a.get_ylabel() or "total" in a.get_ylabel()])  # a total that never changes is no news
        self.assertIn("k = 100", picture.figure._suptitle.get_text())
        self.check_not_blank(picture)
        self.assertEqual(len(Picture(soretpost.plot(self.path("result1_1.h5"), parts=["sweep"])).axes), 2)

    def test_sweep_of_both_signs(self):
        """A logarithmic axis, which the one curve asks for, would hide the other, which is negative everywhere."""
        path = self.make(1, sweep=True)
        with h5py.File(path, "a") as file:
            file["sweep/soret/species/A"] = np.linspace(1e-4, 1, 9)
            file["sweep/soret/species/A2"] = -np.linspace(1e-4, 1, 9)
        self.assertEqual(self.panel(Picture(soretpost.plot(path)), ylabel="$S_T$ of species").get_yscale(), "linear")

    def test_sums_of_a_sweep(self):
        """Which are known from its table, for it has no series."""
        path = self.make(1, sweep=True)
        with h5py.File(path, "a") as file:
            del file["series"]
            file["sweep/total/0"].attrs["formula"] = "A + 2 A2"
        profiles = self.panel(Picture(soretpost.plot(path)), ylabel="concentration")
        self.assertEqual([line.get_label() for line in profiles.lines][:3], ["A", "A2", "A + 2 A2"])

    def test_page_on_sweeps(self):
        """The block of docs/result-file.md draws a sweep as it stands there."""
        with open(os.path.join(HERE, "..", "..", "docs", "result-file.md"), encoding="utf-8") as page:
            code = re.search(r"^## Sweeps$.*?^```python\n(.*?)^```$", page.read(), re.M | re.S).group(1)
        shutil.move(self.make(1, sweep=True), self.path("sweep.h5"))
        done = subprocess.run([sys.executable, "-"], input=code, cwd=self.directory.name, capture_output=True, text=True, env=dict(os.environ, MPLBACKEND="Agg"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_frames_of_branches(self):
        """Solved in another order than that of the table, which counts: the last frame is that of the last value."""
        path = self.make(1, frames=3, sweep=True)
        with h5py.File(path, "a") as file:
            file["sweep/frame"][:] = [0, -1, -1, -1, 2, -1, -1, -1, 1]
            k = file["sweep/parameter"][[0, 4, 8]]
            A = [file[f"frames/{number:06d}/A"][()] for number in (0, 2, 1)]
        with soretpost.open(path) as result:
            np.testing.assert_allclose([result.sweep_point(i) for i in range(3)], k)
            data = result.to_xarray("A")
            self.assertEqual(data["A"].dims[0], "parameter")
            np.testing.assert_allclose(data["parameter"], k)
            np.testing.assert_array_equal(data["A"].sel(parameter=k[1], method="nearest"), result["A"].sel(parameter=k[1]))
            np.testing.assert_array_equal(result["A"][:], A)
        self.assertIn(f"k = {k[-1]:.4g}", Picture(soretpost.plot(path)).figure._suptitle.get_text())

    def test_sweep_of_the_meter(self):
        """S_T with those of its parts that can be seen, once; no panel of rounding errors; entropy in one panel."""
        path, n = self.make(1, sweep=True), 9
        with h5py.File(path, "a") as file:
            S = file["sweep/soret_mean"][()]
            for name, values in (("soret", S), ("chemical", 2 * S), ("diffusivity", -S), ("transport", 1e-16 * S), ("equilibrium", 1.1 * S)):
                file[f"sweep/soret/total/0/{name}"] = values
            for name, values in (("production", 2 + S), ("diffusion", 1 + S), ("reactions", np.full(n, 1e-9))):
                file[f"sweep/entropy_{name}"] = values
            file["sweep/total/0"].attrs["formula"] = "A + 2 A2"
            file["sweep/boundary_flux/x-/A"] = 1e-12 * (-1.0) ** np.arange(n)
        picture = Picture(soretpost.plot(path, parts=["sweep"]))
        self.assertEqual(len(picture.axes), 3)
        labels = lambda **where: [t.get_text() for t in self.panel(picture, **where).get_legend().get_texts()]  # noqa: E731
        self.assertEqual(labels(ylabel="$S_T$ of A + 2 A2"), ["$S_T$", "chemical", "diffusivity", "fast reactions"])
        self.assertEqual(labels(ylabel="entropy production / R"), ["all", "diffusion"])
        self.panel(picture, ylabel="contrast")

    def test_meter(self):
        """S_T by the meter, with its parts; the budgets below /summary come into the report."""
        path = self.make(1)
        with h5py.File(path, "a") as file:
            T = file["temperature"][()]
            for name, values in (("soret", 1 - T), ("chemical", -T), ("diffusivity", np.ones_like(T)), ("transport", np.zeros_like(T)), ("equilibrium", 1.1 - T)):
                file[f"frames/000000/meter/total/0/{name}"] = values
            file["frames/000000/meter/total/0"].attrs["of"] = "A + 2 A2"
            file.create_group("summary/budget/species/A").attrs.update({"in": 1.5, "out": 0.25, "source": -1.25, "change": 0.0})
        axes = self.panel(Picture(soretpost.plot(path)), ylabel="$S_T$ of A + 2 A2")
        self.assertEqual([line.get_label() for line in axes.lines if not line.get_label().startswith("_")], ["$S_T$", "chemical", "diffusivity", "fast reactions"])
        with soretpost.open(path) as result:
            self.assertEqual(result.species, ["A", "A2"])
            words = Page(report(result)).words
        at = words.index("species A")
        self.assertEqual(words[at - 4 : at + 5], ["in", "out", "source", "change", "species A", "1.5", "0.25", "-1.25", "0"])

    def test_gap_of_soret(self):
        """S_T against T, and its parts, break where there is solid, also where both sides of it have the same T."""
        path = self.make(1)
        with h5py.File(path, "a") as file:
            x = (np.arange(120) + 0.5) / 120
            T, S, solid = 1 + 0.3 * np.cos(2 * np.pi * x), 0.5 - x, (x > 0.3) & (x < 0.7)
            file["temperature"][...], file["solid"] = T, solid.astype(float)
            for name, values in (("soret", S), ("chemical", 2 * S)):
                file[f"frames/000000/meter/total/0/{name}"] = np.where(solid, np.nan, values)
        axes = self.panel(Picture(soretpost.plot(path)), ylabel="$S_T$")
        self.assertEqual(axes.lines[1].get_label(), "chemical")
        for line, factor in zip(axes.lines, (1, 2)):
            np.testing.assert_allclose(line.get_xdata(), T)
            np.testing.assert_array_equal(line.get_ydata(), np.where(solid, np.nan, factor * S))
        self.assertEqual(len(axes.texts), 0)  # no change of sign in the solid

    def test_species_called_T(self):
        """Then the temperature is called by its full name."""
        for dimension in (1, 2):
            path = self.make(dimension)
            with h5py.File(path, "a") as file:
                for group in (file["series/min"], file["series/max"], file["frames/000000"]):
                    group.move("A", "T")
            picture = Picture(soretpost.plot(path))
            names = [text.get_text() for text in picture.axes[0].get_legend().get_texts()] if dimension == 1 else [axes.get_title() for axes in picture.maps]
            self.assertEqual((names.count("T"), names.count("temperature")), (1, 1))

    def test_small_amounts(self):
        """A unit in which the largest is from 0.5 to 500, also of sweeps, which have a table in the place of a series."""
        path, sweep = self.make(1, units="SI"), self.path("sweep.h5")
        shutil.move(self.make(1, 2, units="SI", sweep=True), sweep)
        with h5py.File(path, "a") as file:
            A = file["frames/000000/A"][:]
            for name in ("A", "A2"):
                file[f"frames/000000/{name}"][...] *= 1e-3
                file[f"series/max/{name}"][...] *= 1e-3
        with h5py.File(sweep, "a") as file:
            del file["series"]
            file["sweep/max/A"] = np.linspace(1e-4, 1e-2, 9)
        for name in (path, sweep):
            self.assertEqual(Picture(soretpost.plot(name)).axes[0].get_ylabel(), "concentration (µmol/L)")
        np.testing.assert_allclose(Picture(soretpost.plot(path)).axes[0].lines[0].get_ydata(), A)  # 1e-3 mol/m^3 = 1 µmol/L

    def test_small_amounts_of_a_sweep(self):
        """Sweeps have no series; what single runs show in umol/L they do, too, and their totals as their profiles."""
        path = self.make(1, units="SI", sweep=True)
        with h5py.File(path, "a") as file:
            del file["series"]
            for name in ("A", "A2"):
                file[f"frames/000000/{name}"][...] *= 1e-3
                file[f"sweep/max/{name}"] = np.full(9, 1e-3)
            file["sweep/total/0"][...] = 1e-3 * (1 + np.arange(9))
        picture = Picture(soretpost.plot(path))
        profile, total = (next(a for a in picture.axes if a.get_ylabel().replace("\n", " ") == name) for name in ("concentration (µmol/L)", "mean of the total (µmol/L)"))
        T = temperature(1, [(np.arange(120) + 0.5) / 120])
        np.testing.assert_allclose(profile.lines[0].get_ydata(), concentrations(T, 1.0)["A"])
        np.testing.assert_allclose(total.lines[0].get_ydata(), 1 + np.arange(9))

    def test_hot_wall(self):
        """Where the hottest cell is at a wall, the planes pass the middle."""
        path = self.make(3)
        with h5py.File(path, "a") as file:
            file["temperature"][...] = np.linspace(1, 2, CELLS[3][2])
        T = Picture(soretpost.plot(path)).map_of("T")
        vertical = [line.get_xdata()[0] for line in T.lines if line.get_xdata()[0] == line.get_xdata()[1]]
        self.assertAlmostEqual(vertical[0], 0.5, delta=0.02)

    def test_choice_of_species(self):
        picture = Picture(soretpost.plot(self.make(2), species=["A2"]))
        self.assertEqual([a.get_title() for a in picture.maps], ["T", "A2"])

    def test_title_as_written(self):
        """Neither formulas nor markup are seen in a title."""
        for title in (r"50 $\mu$m channel, $A_^{ is here$", "cost $5 and $x_^{ % & <b>", r"A \$ and \alpha"):
            path = self.make(1, 3)
            with h5py.File(path, "a") as file:
                file.attrs["title"] = title
            with soretpost.open(path) as result, soretpost.open(path) as same, matplotlib.rc_context({"svg.fonttype": "none"}):
                for figure in (soretpost.plot(result), compare(result, same)[1]):
                    drawn = io.StringIO()
                    figure.savefig(drawn, format="svg")
                    self.assertIn(f"{title},  t = 1", html.unescape(drawn.getvalue()))
                self.assertEqual(len(Page(report(result)).images), 1)
                movie(result, self.path("a.gif"), dpi=40)

    def test_many_species(self):
        path = self.make(2)
        with h5py.File(path, "a") as file:
            for k in range(30):
                file[f"frames/000000/S{k}"] = file["frames/000000/A"][...] * k
        picture = Picture(soretpost.plot(path))
        self.assertEqual(len(picture.maps), 9)
        self.assertIn("24 more species", picture.figure._suptitle.get_text())

    def test_long_legends_leave_room(self):
        """A sum of many species, and many long names, take no more than the width of the panel and nothing from the profiles."""
        for names, members in (([f"S{k}" for k in range(16)], 16), ([f"a_rather_long_name_of_a_species_{k}" for k in range(6)], 1)):
            path = self.make(1, 3)
            with h5py.File(path, "a") as file:
                for frame in file["frames"].values():
                    for name in names:
                        frame[name] = frame["A"][...]
                file["series/total/0"].attrs["formula"] = " + ".join(names[:members])
            figure = soretpost.plot(path)
            for axes in [a for a in Picture(figure).axes if a.get_legend()]:
                self.assertGreater(axes.get_window_extent().width, 0.15 * figure.bbox.width)
                box = axes.get_legend().get_window_extent()
                self.assertTrue(0 <= box.x0 and box.x1 <= figure.bbox.width, f"{axes.get_ylabel()}: {box}")
            self.assertEqual(style.sum_name(parse_sum("S0 + 2 S1 + S2 + S3 - S4 + 3 species")), "S0 + ... + 3 species")
            self.assertEqual(style.sum_name(parse_sum("A + 2 A2 - B")), "A + 2 A2 - B")

    def test_names_that_begin_with_an_underscore(self):
        path = self.make(1, 3, flux=True)
        with h5py.File(path, "a") as file:
            for group in [*file["frames"].values(), *(frame["flux"] for frame in file["frames"].values()), file["series/min"], file["series/max"]]:
                group.move("A2", "_h")
        for axes in Picture(soretpost.plot(path, species=["A", "_h"])).axes:
            if axes.get_ylabel() in ("concentration", "flux", "min .. max"):
                self.assertIn("_h", [text.get_text().strip("\u200b") for text in axes.get_legend().get_texts()])

    def test_legends_lie_above_powers_of_ten(self):
        path = self.make(1, flux=True)
        with h5py.File(path, "a") as file:
            for name in ("A", "A2"):
                file[f"frames/000000/flux/{name}"][...] *= 1e-9
        picture = Picture(soretpost.plot(path))
        axes = next(a for a in picture.axes if a.get_ylabel() == "flux")
        power = axes.yaxis.get_offset_text()
        self.assertNotEqual(power.get_text(), "")
        self.assertGreater(axes.get_legend().get_texts()[0].get_window_extent().y0, power.get_window_extent().y1)

    def test_numbers_at_axes_are_those_of_the_layout(self):
        """They do not depend on the style at the time of drawing, for which no room was made."""
        figure = soretpost.plot(self.make(1, 3, flux=True, derived=True))
        ticks = []
        for size in (7.5, 10, 20):
            with matplotlib.rc_context({"xtick.labelsize": size, "ytick.labelsize": size}):
                ticks.append([list(axis.get_majorticklocs()) for axes in Picture(figure).axes for axis in (axes.xaxis, axes.yaxis)])
        self.assertEqual(ticks[0], ticks[1])
        self.assertEqual(ticks[0], ticks[2])

    def test_colours_lie_below_the_names_of_axes(self):
        """In flat boxes, too, and where maps become narrower than planned."""
        path = self.make(3, derived=True, solid=True)
        with h5py.File(path, "a") as file:
            for axis, low, size in (("x", -0.005, 0.01), ("y", 0, 0.006), ("z", 0, 0.004)):
                for name in (f"grid/{axis}", f"grid/{axis}_edges"):
                    file[name][...] = low + size * file[name][...]
        picture = Picture(soretpost.plot(path, parts=["fields"]))
        renderer = picture.figure.canvas.get_renderer()
        panels = [a for a in picture.maps if a.child_axes and a.get_xlabel() == "y"]
        self.assertEqual(len(panels), 6)
        for axes in panels:
            self.assertLess(axes.child_axes[0].get_window_extent(renderer).y1, axes.xaxis.label.get_window_extent(renderer).y0)

    def test_single_points(self):
        """One cell along an axis, or one of fluid between solid, is a point: a line would show nothing."""
        path = self.make(3)
        with h5py.File(path, "a") as file:
            for name in ("temperature", "frames/000000/A", "frames/000000/A2"):
                values = file[name][:1]
                del file[name]
                file[name] = values
            del file["grid/z"], file["grid/z_edges"]
            file["grid/z"], file["grid/z_edges"] = [0.5], [0.0, 1.0]
        panels = [a for a in Picture(soretpost.plot(path)).axes if a.get_ylabel() != "" or a.lines]
        lines = {axis: [line for a in panels if a.get_xlabel() == axis and not a.collections for line in a.lines] for axis in "xz"}
        self.assertEqual([(line.get_marker(), list(line.get_markevery())) for line in lines["z"]], [("o", [0])] * 2)
        self.assertEqual({line.get_marker() for line in lines["x"]}, {"None"})
        path = self.make(1)
        with h5py.File(path, "a") as file:
            file["solid"] = np.isin(np.arange(CELLS[1][0]), [10, 12, 13]).astype(float)
        axes = Picture(soretpost.plot(path)).axes[0]
        self.assertEqual([list(line.get_markevery()) for line in axes.lines if line.get_label() == "A"], [[11]])

    def test_uniform(self):
        """Fields that do not vary, no temperature, one cell along an axis."""
        path = self.path("uniform.h5")
        with h5py.File(path, "w") as file:
            for axis, n in (("x", 4), ("y", 1)):
                file[f"grid/{axis}"] = (np.arange(n) + 0.5) / n
            file["frames/000000/A"] = np.zeros((1, 4))
            file["frames/000000/B"] = np.full((1, 4), np.nan)
        self.assertEqual(len(Picture(soretpost.plot(path)).maps), 2)


class Comparing(WithFiles):
    def test_same(self):
        path = self.make(2)
        with soretpost.open(path) as a, soretpost.open(path) as b:
            text, figure = compare(a, b)
        self.assertEqual([line.split()[:3] for line in text.splitlines()[1:]], [["temperature", "0", "0"], ["A", "0", "0"], ["A2", "0", "0"]])
        self.assertEqual(len(Picture(figure).maps), 6)

    def test_known_difference(self):
        for dimension in (1, 2, 3):
            path, other = self.make(dimension), self.path("other.h5")
            shutil.copy(path, other)
            with h5py.File(other, "a") as file:
                file["frames/000000/A"][...] += 0.25
                file["summary"].attrs["residual"] = 1.0
            with soretpost.open(path) as a, soretpost.open(other) as b:
                text, figure = compare(a, b)
            self.assertIn(f"{'A':20}{0.25:20.4g}{0.25:20.4g}", text)
            self.assertRegex(text, r"residual +3.2e-09 +1\b")
            picture = Picture(figure)
            if dimension == 1:
                np.testing.assert_allclose(picture.axes[1].lines[0].get_ydata(), 0.25)

    def test_units_of_the_table(self):
        """They are those of the numbers, which need not be those of the file; what is not defined in both is no difference."""
        path = self.make(1, units="SI")
        with h5py.File(path, "a") as file:
            for name in ("frames/000000/A", "frames/000000/A2", "series/max/A", "series/max/A2"):
                file[name][...] *= 1e-3
            file["summary"].attrs["contrast"] = np.nan
            largest = file["frames/000000/A"][...].max()
        with soretpost.open(path) as a, soretpost.open(path) as b:
            lines = compare(a, b)[0].splitlines()
        self.assertEqual(lines[1].split()[:2], ["temperature", "(K)"])
        self.assertEqual(lines[2].split()[:2], ["A", "(µmol/L)"])
        self.assertAlmostEqual(float(lines[2].split()[-1]), 1e3 * largest, places=5)
        self.assertEqual(len(lines), 4)

    def test_not_defined_in_one(self):
        """That is no difference of zero."""
        path, other = self.make(3), self.path("other.h5")
        shutil.copy(path, other)
        with h5py.File(other, "a") as file:
            file["frames/000000/A"][1:3, 4, 5] = np.nan
        with soretpost.open(path) as a, soretpost.open(other) as b:
            lines = compare(a, b)[0].splitlines()
        self.assertTrue(lines[2].endswith("without 2 cells where one is solid or not defined"), lines[2])
        self.assertNotIn("without", lines[1] + lines[3])
        with h5py.File(other, "a") as file:
            file["frames/000000/A"][...] = np.nan
        with soretpost.open(path) as a, soretpost.open(other) as b:
            self.assertEqual(compare(a, b)[0].splitlines()[2].split()[1:4], ["nan"] * 3)

    def test_frames_of_other_times(self):
        first, second = self.make(2, 3), self.make(2, 2)
        with h5py.File(second, "a") as file:
            file["frames/000001"].attrs["time"] = 0.5
        with soretpost.open(first) as a, soretpost.open(second) as b:
            text, figure = compare(a, b)
        self.assertRegex(text, r"time of the frame +1 +0\.5\b")
        self.assertEqual([axes.get_ylabel() for axes in Picture(figure).maps], ["y", "", ""] * 2)

    def test_nothing_to_compare(self):
        path = self.make(1)
        with h5py.File(path, "a") as file:
            del file["frames"]
        with soretpost.open(path) as a, soretpost.open(path) as b, self.assertRaisesRegex(ValueError, "there is no frame in"):
            compare(a, b)

    def test_other_grid(self):
        """Linear functions survive the change of grid, on graded grids too; the mean is over volumes."""
        paths = []
        for n, power in ((20, 1.0), (31, 1.7)):
            paths.append(self.path(f"grid{n}.h5"))
            with h5py.File(paths[-1], "w") as file:
                edges = {a: np.linspace(0, 1, m + 1) ** power for a, m in (("x", n), ("y", n + 3), ("z", n - 4))}
                centres = {a: 0.5 * (e[1:] + e[:-1]) for a, e in edges.items()}
                for a in "xyz":
                    file[f"grid/{a}"], file[f"grid/{a}_edges"] = centres[a], edges[a]
                z, y, x = np.meshgrid(*[centres[a] for a in "zyx"], indexing="ij")
                file["frames/000000/A"] = 1 + x - 2 * y + 3 * z + (0.5 * (x > 0.5) if n == 31 else 0)
        with soretpost.open(paths[1]) as a, soretpost.open(paths[0]) as b:
            numbers = [float(v) for v in compare(a, b)[0].splitlines()[1].split()[1:3]]
        edges = np.linspace(0, 1, 32) ** 1.7
        far = np.diff(edges)[0.5 * (edges[1:] + edges[:-1]) > 0.5].sum()
        np.testing.assert_allclose(numbers, [0.5, 0.5 * np.sqrt(far)], rtol=1e-3)  # the table has four digits

    def test_mistakes(self):
        with soretpost.open(self.make(1)) as a, soretpost.open(self.make(2)) as b:
            with self.assertRaisesRegex(ValueError, "1 dimensions"):
                compare(a, b)
        first = self.make(1)
        shutil.move(first, self.path("a.h5"))
        with soretpost.open(self.path("a.h5")) as a, soretpost.open(self.make(1, size=2.0)) as b:
            with self.assertRaisesRegex(ValueError, "different boxes: x from 0 to 1"):
                compare(a, b)


class Moving(WithFiles):
    def frames_of(self, path):
        from PIL import Image, ImageSequence

        with Image.open(path) as film:
            return [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(film)]

    def test_gif(self):
        path = self.make(1, 5)
        with soretpost.open(path) as result:
            self.assertEqual(movie(result, self.path("a.gif"), dpi=60), self.path("a.gif"))
        frames = self.frames_of(self.path("a.gif"))
        self.assertEqual(len(frames), 5)
        self.assertEqual(len({f.shape for f in frames}), 1)
        for one, next_one in zip(frames, frames[1:]):
            moved = np.abs(one - next_one).max(axis=-1) > 60
            self.assertGreater(moved.sum(), 20)
            self.assertFalse(moved[:, : one.shape[1] // 12].any())  # the axis stands still

    def test_same_axis_in_3d(self):
        """The axis of the lines along x, y and z stands still, and holds all of them."""
        with soretpost.open(self.make(3, 3)) as result:
            limits, where = common_limits(result, range(3), None)
            panels = [[a for a in Picture(plot(result, k, None, ["fields"], limits, where)).axes if a.get_ylabel() == "concentration"][0] for k in range(3)]
        self.assertEqual(len({axes.get_ylim() for axes in panels}), 1)
        for axes in panels:
            low, high = axes.get_ylim()
            self.assertTrue(all(low <= line.get_ydata().min() and line.get_ydata().max() <= high for line in axes.lines))

    def test_same_colours(self):
        """A film that brightens: the colours mean the same in each frame."""
        path = self.path("film.h5")
        with h5py.File(path, "w") as file:
            for axis in "xy":
                file[f"grid/{axis}"] = (np.arange(8) + 0.5) / 8
            for k in range(3):
                file[f"frames/{k:06d}/A"] = np.full((8, 8), float(k))
                file[f"frames/{k:06d}"].attrs["time"] = float(k)
        with soretpost.open(path) as result:
            movie(result, self.path("film.gif"), dpi=60)
        middle = [f[f.shape[0] // 2, f.shape[1] // 3].sum() for f in self.frames_of(self.path("film.gif"))]
        self.assertTrue(middle[0] + 60 < middle[1] and middle[1] + 60 < middle[2], middle)

    @unittest.skipUnless(shutil.which("ffmpeg"), "no ffmpeg")
    def test_video(self):
        with soretpost.open(self.make(2, 4)) as result:
            path = movie(result, dpi=60)
        with open(path, "rb") as file:
            self.assertEqual(file.read(12)[4:8], b"ftyp")

    def test_mistakes(self):
        with soretpost.open(self.make(1, 1)) as result, self.assertRaisesRegex(ValueError, "one frame only"):
            movie(result)
        with soretpost.open(self.make(1, 3)) as result, unittest.mock.patch("shutil.which", return_value=None):
            with self.assertRaisesRegex(OSError, "ffmpeg is not here"):
                movie(result, self.path("a.mp4"))
            self.assertTrue(movie(result, dpi=40).endswith("result1_3.gif"))
            for options, text in ((dict(fps=0.0), "0 frames per second"), (dict(fps=-3.0), "-3 frames"), (dict(fps=float("nan")), "nan frames"), (dict(every=-1), "--every -1")):
                with self.assertRaisesRegex(ValueError, text):
                    movie(result, **options)
        path = self.make(1, sweep=True)
        with h5py.File(path, "a") as file:
            del file["frames"]
        with soretpost.open(path) as result, self.assertRaisesRegex(ValueError, "there is no frame; sweep.frames"):
            movie(result)

    @unittest.skipUnless(shutil.which("ffmpeg"), "no ffmpeg")
    def test_mistakes_that_ffmpeg_finds(self):
        with soretpost.open(self.make(1, 30)) as result, self.assertRaisesRegex(OSError, "ffmpeg ended with status"):
            movie(result, self.path("missing/a.mp4"), dpi=60)

    def test_choice_of_frames(self):
        self.assertEqual(frames_to_show(5, 0), [0, 1, 2, 3, 4])
        self.assertEqual(frames_to_show(6, 4), [0, 4, 5])
        self.assertLessEqual(len(frames_to_show(5000, 0)), 301)


class Page(html.parser.HTMLParser):
    """The text of a page, its pictures, and whether its elements are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.words, self.images, self.open = [], [], []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs)["src"])
        elif tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if data.strip():
            self.words.append(data.strip())


class Reporting(WithFiles):
    def test_page(self):
        path = self.make(2, 3)
        with h5py.File(path, "a") as file:
            file.attrs["commit"] = "<b> & co"
            file["summary"].attrs["seconds_solve"], file["summary"].attrs["contrast"] = 1.25, 1.7777
        with soretpost.open(path) as result:
            text = report(result)
        page = Page(text)
        for part in ("Dimerization between two hot spots", "Converged: residual below tolerance", "x 0 .. 1.5 in 72 cells, y 0 .. 1 in 48 cells", "mean of A + 2 A2", "1.25 s", "1.7777", "<b> & co"):
            self.assertIn(part, page.words)
        self.assertIn("title: Dimerization between two hot spots", page.words[-1])
        self.assertEqual(len(page.images), 1)
        image = matplotlib.image.imread(io.BytesIO(base64.b64decode(page.images[0].split(",")[1])), format="png")
        self.assertGreater(image[..., :3].std(), 0.05)
        self.assertNotIn("http", re.sub(r"base64,[^\"]*", "", text))  # complete: nothing is fetched

    def test_sweep(self):
        """A row per point, in the order of the parameter, also where no frames were kept; and the picture of the curves."""
        path = self.make(1, sweep=True)
        with h5py.File(path, "a") as file:
            del file["frames"]
            file["sweep/converged"][2] = 0
        with soretpost.open(path) as result:
            page = Page(report(result))
            k, soret = result.sweep["parameter"][:], result.sweep["soret_mean"][:]
        self.assertEqual(len(page.images), 1)
        at = page.words.index("soret mean")
        self.assertEqual(page.words[at - 1 : at + 2], ["k", "soret mean", "contrast"])
        self.assertEqual(page.words[at + 2 : at + 4], [f"{k[0]:.6g}", f"{soret[0]:.4g}"])
        self.assertEqual(page.words[page.words.index("not converged") - 3], f"{k[2]:.6g}")

    def test_names_with_underscores(self):
        """They are those of the case, in budgets, in the parts of S_T and in the table of a sweep."""
        path = self.make(1, 3, sweep=True)
        with h5py.File(path, "a") as file:
            file["series/boundary_flux/x-/_a_b"] = np.zeros(40)
            file["sweep/boundary_flux/x+/_a_b"] = np.arange(9.0)
            file["summary"].create_group("soret/species").attrs["_a_b"] = 0.5
        with soretpost.open(path) as result:
            page = Page(report(result))
        for part in ("inflow x- _a_b", "inflow x+ _a_b", "_a_b"):
            self.assertIn(part, page.words)

    def test_run_without_end(self):
        path = self.make(1)
        with h5py.File(path, "a") as file:
            del file["summary"], file["series"]
        with soretpost.open(path) as result:
            self.assertIn("No summary: the run did not end, or goes on.", Page(report(result)).words)
        with h5py.File(path, "a") as file:
            del file["frames/000000"]
        with soretpost.open(path) as result:
            self.assertEqual(Page(report(result)).images, [])


class CommandLine(WithFiles):
    def run_main(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(list(arguments))
        return status, out.getvalue(), err.getvalue()

    def test_plot(self):
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

    def test_commands(self):
        path = self.make(1, 3)
        for arguments, made in ((["compare", path, path], "result1_3_compare.png"), (["movie", path, "--dpi", "50", "-o", self.path("a.gif")], "a.gif"), (["report", path], "result1_3.html")):
            status, out, err = self.run_main(*arguments)
            self.assertEqual((status, err, out.splitlines()[-1]), (0, "", self.path(made)))
            self.assertGreater(os.path.getsize(self.path(made)), 1000)
        self.assertIn("nothing to show as 'sweep' (there is: fields, time)", self.run_main("plot", path, "--only", "sweep")[2])

    def test_reader_that_has_enough(self):
        """`soretpost info FILE | head` says nothing of a broken pipe."""
        path = self.make(1)
        with h5py.File(path, "a") as file:
            file.attrs["case"] = "# a long case\n" * 20000
        environment = dict(os.environ, PYTHONPATH=os.path.join(HERE, "..", "..", "postprocess"))
        process = subprocess.Popen([sys.executable, "-m", "soretpost", "info", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.stderr.read(), b"")
        self.assertEqual(process.wait(), 0)
        process.stderr.close()

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

    def test_names_of_pictures(self):
        """What is printed is what there is, whatever -o says."""
        path = self.make(1)
        for command in (["plot", path], ["compare", path, path]):
            for name, made in (("a.pdf", "a.pdf"), ("b", "b.png"), ("c.", "c.png")):
                status, out, _ = self.run_main(*command, "-o", self.path(name), "--dpi", "60")
                self.assertEqual((status, out.splitlines()[-1]), (0, self.path(made)))
                self.assertTrue(os.path.exists(self.path(made)))
                os.remove(self.path(made))
            status, _, err = self.run_main(*command, "-o", self.directory.name)
            self.assertEqual(status, 2)
            self.assertIn("is a folder", err)

    def run_apart(self, *arguments):
        """(status, is anything said?) of a process of its own, or None: of some damages HDF5 dies, sooner or later."""
        child = os.fork()
        if not child:
            status, _, err = self.run_main(*arguments)
            os._exit(2 * status + bool(err))
        _, end = os.waitpid(child, 0)
        return (os.WEXITSTATUS(end) // 2, bool(os.WEXITSTATUS(end) % 2)) if os.WIFEXITED(end) else None

    def test_damaged_and_foreign_files(self):
        """A message and status 2, wherever bytes are wrong; never a trace."""
        with open(self.make(1), "rb") as file:
            good = file.read()
        ends = set()
        for start in range(64, min(len(good), 8192), 128):
            with open(self.path("damaged.h5"), "wb") as file:
                file.write(good[:start] + bytes(b ^ 0xFF for b in good[start : start + 64]) + good[start + 64 :])
            ends.add(self.run_apart("info", self.path("damaged.h5")))
        self.assertLessEqual(ends, {(0, False), (2, True), None})
        self.assertIn((2, True), ends)
        for name in ("grid", "grid/q"):
            with h5py.File(self.path("foreign.h5"), "w") as file:
                file[name] = [1, 2, 3]
            for command in ("info", "plot", "report"):
                self.assertRegex(self.run_main(command, self.path("foreign.h5"))[2], "not a result file")
        with open(self.path("case.yaml"), "w", encoding="ascii") as file:
            file.write("soret: 1\n")
        self.assertEqual(self.run_main("plot", self.path("case.yaml"))[2], f"{self.path('case.yaml')}: it is not an HDF5 file\n")
        self.assertEqual(self.run_main("plot", self.directory.name)[2], f"{self.directory.name}: it is a folder\n")


if __name__ == "__main__":
    unittest.main()
