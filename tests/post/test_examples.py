# SPDX-License-Identifier: BSD-2-Clause
"""Every example in input/ is run on a coarse grid with all fields, and drawn: the picture shows the numbers of the file, in every panel.

usage: test_examples.py [NAME...]        the program is $SORET"""
import contextlib
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy as np
import yaml

from test_soretpost import Picture, distance  # sets the path to soretpost too

import soretpost
from soretpost.style import COLOURS

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from soretrun import prepared  # noqa: E402
from starting import environment  # noqa: E402

CELLS = {1: 48, 2: 20, 3: 10}  # at most, along each axis
FIELDS = "output.fields=[concentration,flux,rate,soret,entropy_production]"


def cases():
    return sorted((ROOT / "input").rglob("*.yaml"))


def overrides(text):
    """Few cells, short sweeps, all fields."""
    case = yaml.load(text, yaml.BaseLoader)
    cells = case.get("domain", {}).get("cells", [])
    found = [FIELDS, "output.file=result.h5", "output.xdmf=false"]
    with contextlib.suppress(ValueError):
        found += [f"domain.cells=[{','.join(str(min(int(n), CELLS[len(cells)])) for n in cells)}]"] if cells else []
    return found


def colours_in(pixels, colour):
    """How many pixels have a colour nearly."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(pixels - wanted).max(axis=-1) <= 30).sum())


class Examples(unittest.TestCase):
    """One test per file, made below."""

    def run_case(self, path, directory):
        text = path.read_text(encoding="utf-8")
        path = prepared(path, directory)
        done = subprocess.run([os.path.abspath(os.environ["SORET"]), str(path), *overrides(text)], cwd=directory, env=environment(), capture_output=True, text=True, timeout=250)
        if done.returncode == 2 and "No such file" in done.stderr and "file:" in text:
            self.skipTest(f"{path.name} needs a file that is not in the tree")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return os.path.join(directory, "result.h5")

    def check(self, path):
        with tempfile.TemporaryDirectory() as directory:
            file = self.run_case(path, directory)
            picture = Picture(soretpost.plot(file))
            with soretpost.open(file) as result:
                self.check_panels(picture, result)
                if not result.species:  # a sweep without frames: its curves
                    self.assertTrue(any(len(line.get_ydata()) == len(result.sweep["parameter"]) for axes in picture.axes for line in axes.lines))
                    return
                {1: self.check_profiles, 2: self.check_maps, 3: self.check_planes}[len(result.dims)](picture, result)

    def check_panels(self, picture, result):
        """Panels have room, there is ink on white paper, and the title is that of the case."""
        self.assertIn(result.title, picture.figure._suptitle.get_text())
        self.assertGreater(np.mean(picture.pixels.min(axis=-1) > 250), 0.1)
        for axes in picture.axes:
            box = axes.get_window_extent()
            self.assertGreater(min(box.width, box.height), 20)
            if axes in picture.maps or axes.lines:
                part = picture.pixels[::-1][int(box.y0) : int(box.y1) + 1, int(box.x0) : int(box.x1) + 1]
                self.assertGreater(part.std(), 1.0)

    def shown(self, result, name):
        """What a panel of a species must show: the last frame, in its unit, without solid cells."""
        from soretpost.view import View

        factor = View(result).amount[0]
        with h5py.File(result.path) as file:
            data = file["frames"][sorted(file["frames"])[-1]][name][()] * factor
            return np.where(file["solid"][()] > 0.5, np.nan, data) if "solid" in file else data

    def check_profiles(self, picture, result):
        lines = {line.get_label(): line for line in picture.axes[0].lines}
        for i, name in enumerate(result.species[:8]):
            np.testing.assert_allclose(lines[name].get_ydata(), self.shown(result, name), rtol=1e-12)
            self.assertGreater(colours_in(picture.pixels, COLOURS[i % len(COLOURS)]), 20, f"no line of {name} to be seen")

    def values_of(self, axes):
        mesh = next(c for c in axes.collections if type(c).__name__ == "QuadMesh")
        shape = tuple(n - 1 for n in mesh.get_coordinates().shape[:2])
        return mesh, np.ma.filled(mesh.get_array().astype(float), np.nan).reshape(shape)

    def check_map(self, picture, axes, expected):
        mesh, values = self.values_of(axes)
        np.testing.assert_allclose(values, expected, rtol=1e-12)
        finite = np.isfinite(values)
        if not finite.any() or np.ptp(values[finite]) < 1e-9 * np.abs(values[finite]).max():
            return
        corners = mesh.get_coordinates()
        centres = 0.25 * (corners[1:, 1:] + corners[:-1, 1:] + corners[1:, :-1] + corners[:-1, :-1])
        low, high = (np.unravel_index(f(values), values.shape) for f in (np.nanargmin, np.nanargmax))
        wanted = distance(*(255 * np.array(mesh.to_rgba(values[cell])[:3]) for cell in (low, high)))  # the scale may be that of other planes, too
        self.assertGreater(distance(picture.colour(axes, *centres[low]), picture.colour(axes, *centres[high])), min(40, 0.7 * wanted))

    def check_maps(self, picture, result):
        for name in result.species[:8]:
            axes = [a for a in picture.maps if a.get_title().split(" (")[0] == name]
            self.assertEqual(len(axes), 1)
            self.check_map(picture, axes[0], self.shown(result, name))
        if "soret" in result:
            self.assertEqual(sum(a.get_title().startswith("$S_T$") for a in picture.maps), 1)

    def check_planes(self, picture, result):
        from soretpost.view import View, plane_key

        view = View(result)
        columns = len(view.fields + view.derived)
        self.assertEqual(len(picture.maps), 3 * columns)
        for k, name in enumerate(view.fields):
            if name != "temperature":
                for row, normal in enumerate("zyx"):
                    self.check_map(picture, picture.maps[row * columns + k], self.shown(result, name)[plane_key(view, normal)])


def add_tests():
    for path in cases():
        name = "test_" + str(path.relative_to(ROOT / "input").with_suffix("")).replace("/", "_")
        setattr(Examples, name, lambda self, path=path: self.check(path))


add_tests()

if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"] + [f"Examples.test_{n}" for n in sys.argv[1:]])
