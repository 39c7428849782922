# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the import tool on made-up images, surfaces and fields: python3 tests/post/test_importer.py"""
import contextlib
import importlib.util
import io
import os
import sys
import tempfile
import unittest

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "postprocess"))

from soretpost.__main__ import main  # noqa: E402


def needs(module):
    return unittest.skipUnless(importlib.util.find_spec(module), f"needs {module}")


class Importing(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = lambda name: os.path.join(directory.name, name)

    def run_tool(self, *arguments, dataset="/solid", status=0):
        """The dataset; or, where it must fail, what it says."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self.assertEqual(main(["import", *map(str, arguments), "-o", self.path("out.h5")]), status, err.getvalue())
        if status:
            return err.getvalue()
        self.said = out.getvalue()
        with h5py.File(self.path("out.h5")) as file:
            return file[dataset][()]

    def voxels(self):
        return np.random.default_rng(1).integers(0, 2, (4, 5, 6)).astype(np.uint8)

    @needs("PIL")
    def test_images(self):
        from PIL import Image

        v = self.voxels()
        pages = [Image.fromarray(255 * page) for page in v]
        names = [self.path(f"slice{k}.png") for k in range(4)]
        for page, name in zip(pages, names):
            page.save(name)
        pages[0].save(self.path("stack.tif"), save_all=True, append_images=pages[1:])
        np.testing.assert_array_equal(self.run_tool(*names), v)
        self.assertIn("solid: {file: out.h5, dataset: /solid}", self.said)
        np.testing.assert_array_equal(self.run_tool(self.path("stack.tif"), "--threshold", 100, "--invert", "--overwrite"), 1 - v)
        np.testing.assert_array_equal(self.run_tool(names[2], "--flip", "y", "--dataset", "/plane", dataset="/plane"), v[2, ::-1])
        self.assertIn("has a dataset /solid", self.run_tool(*names, status=2))
        Image.fromarray(np.zeros((3, 3), np.uint8)).save(self.path("other.png"))
        self.assertIn("differ in size", self.run_tool(names[0], self.path("other.png"), status=2))

    @needs("PIL")
    def test_16_bits(self):
        """As scanners make them, in PNG and in TIFF: the largest number is 65535."""
        from PIL import Image

        values = np.array([[0, 65535, 13107], [65535, 0, 0]], dtype=np.uint16)
        for ending in ("png", "tif"):
            Image.fromarray(values).save(self.path(f"deep.{ending}"))
            np.testing.assert_allclose(self.run_tool(self.path(f"deep.{ending}"), "--overwrite"), values / 65535, rtol=1e-6)

    def test_arrays(self):
        v = self.voxels()
        np.save(self.path("v.npy"), v.transpose(2, 1, 0))
        np.testing.assert_array_equal(self.run_tool(self.path("v.npy"), "--transpose", "xyz"), v)
        np.save(self.path("T.npy"), 300.0 + v)
        self.assertIn("no fractions", self.run_tool(self.path("T.npy"), status=2))
        np.testing.assert_array_equal(self.run_tool(self.path("T.npy"), "--raw", "--dataset", "/T", dataset="/T"), 300.0 + v)
        self.assertIn("No such file", self.run_tool(self.path("none.npy"), status=2))

    def test_tables_of_comsol(self):
        """Several lines before the numbers, the last with the names of the columns, which may have units."""
        x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 2, 7)))
        lines = ["% Model:              heat.mph", "% Dimension:          2", "% Nodes:              63", "% Description:        Temperature, Heat flux", "% x                       y                        T (K)            ht.q (W/m^2)"]
        lines += [f"{a:<25.17g}{b:<25.17g}{300 + 2 * a - b:<25.17g}{7.0:g}" for a, b in zip(x, y)]
        lines.insert(3, "% Length unit:        µm")
        with open(self.path("comsol.txt"), "w", encoding="latin-1") as file:  # as Windows writes it
            file.write("\n".join(lines) + "\n")
        v = self.run_tool(self.path("comsol.txt"), "--columns", "x", "y", "T (K)", "--cells", 5, 6, dataset="/field")
        Y, X = np.meshgrid((np.arange(6) + 0.5) / 3, (np.arange(5) + 0.5) / 5, indexing="ij")
        np.testing.assert_allclose(v, 300 + 2 * X - Y, rtol=1e-12)
        np.testing.assert_allclose(self.run_tool(self.path("comsol.txt"), "--columns", "0", "1", "3", "--cells", 5, 6, "--dataset", "/q", dataset="/q"), 7.0)
        self.run_tool(self.path("comsol.txt"), "--columns", "x", "y", "T", "--cells", 5, 6, "--dataset", "/bare", dataset="/bare")  # without its unit, as docs/import.md has it
        self.assertNotIn("points", self.said)
        self.run_tool(self.path("comsol.txt"), "--columns", "0", "1", "3", "--cells", 5, 6, "--box", 0, 1e-6, 0, 2e-6, "--overwrite", dataset="/field")
        self.assertIn("1 of 63 points lie in the box", self.said)

    def test_no_table(self):
        for text in ("", "x,y,T\n", "% nothing\n"):
            with open(self.path("none.csv"), "w", encoding="ascii") as file:
                file.write(text)
            self.assertIn("no line of numbers", self.run_tool(self.path("none.csv"), "--cells", 5, status=2))
        np.savetxt(self.path("line.dat"), [[0.0, 1.0], [2.0, 5.0]])
        for cells in ((0,), (-4,), (1, 1, 1, 1)):
            self.assertIn("--cells needs", self.run_tool(self.path("line.dat"), "--cells", *cells, status=2))
        self.assertFalse(os.path.exists(self.path("out.h5")))

    def write_surface(self, name, triangles):
        with open(self.path(name), "w", encoding="ascii") as file:
            facets = ("facet normal 0 0 0\nouter loop\n" + "".join("vertex %g %g %g\n" % tuple(c) for c in t) + "endloop\nendfacet\n" for t in triangles)
            file.write("solid t\n" + "".join(facets) + "endsolid t\n")

    @needs("vtkmodules")
    def test_bodies(self):
        """Bodies that overlap or touch are solid as a whole, a hollow is not, and triangles may be turned about. Diagonals and corners of the bodies lie in columns of centres."""
        corners = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=float)
        faces = [[0, 2, 3], [0, 3, 1], [4, 5, 7], [4, 7, 6], [0, 1, 5], [0, 5, 4], [2, 6, 7], [2, 7, 3], [0, 4, 6], [0, 6, 2], [1, 3, 7], [1, 7, 5]]

        def block(low, high):
            return (np.array(low) + (np.array(high) - low) * corners)[faces]

        n, box = (10, 10, 12), [0, 10, 0, 10, 0, 12]
        one, two, beside, inner = ([1.5, 1.5, 2], [6.5, 6.5, 9]), ([3.5, 2.5, 4], [8.5, 7.5, 11]), ([6.5, 1.5, 2], [8.5, 6.5, 9]), ([2.5, 2.5, 3], [5.5, 5.5, 7])
        z, y, x = np.meshgrid(*[np.arange(m) + 0.5 for m in n[::-1]], indexing="ij")

        def inside(low, high):  # of centres on a wall those at its low end
            return (low[0] <= x) & (x < high[0]) & (low[1] <= y) & (y < high[1]) & (low[2] < z) & (z < high[2])

        turned = block(*one)
        turned[5:9] = turned[5:9, ::-1]
        for name, triangles, wanted in (("overlap", [*block(*one), *block(*two)], inside(*one) | inside(*two)), ("touch", [*block(*one), *block(*beside)], inside(*one) | inside(*beside)),
                                        ("hollow", [*block(*one), *block(*inner)[:, ::-1]], inside(*one) & ~inside(*inner)), ("turned", turned, inside(*one)), ("inverse", block(*one)[:, ::-1], inside(*one))):
            with self.subTest(name):
                self.write_surface(f"{name}.STL", triangles)
                np.testing.assert_array_equal(self.run_tool(self.path(f"{name}.STL"), "--cells", *n, "--box", *box, "--overwrite"), wanted)
        self.write_surface("wall.stl", [*block(*one), *block(one[0], [6.5, 6.5, 5])[2:4]])
        self.assertIn("not closed", self.run_tool(self.path("wall.stl"), "--cells", *n, status=2))

    @needs("vtkmodules")
    def test_surface(self):
        """A tetrahedron x, y, z > 0, x + y + z < 1: exactly the cell centres inside."""
        corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
        triangles = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]

        self.write_surface("t.stl", corners[triangles])
        self.write_surface("open.stl", corners[triangles[:3]])
        n, box = (16, 18, 22), [-0.25, 1.25, -0.25, 1.25, -0.25, 1.25]
        v = self.run_tool(self.path("t.stl"), "--cells", *n, "--box", *box)
        z, y, x = np.meshgrid(*[-0.25 + 1.5 * (np.arange(m) + 0.5) / m for m in n[::-1]], indexing="ij")
        inside = (x > 0) & (y > 0) & (z > 0) & (x + y + z < 1)
        unsure = np.min(np.abs([x, y, z, x + y + z - 1]), axis=0) < 1e-6
        self.assertEqual(v.shape, n[::-1])
        np.testing.assert_array_equal(v[~unsure], inside[~unsure])
        self.assertIn("not closed", self.run_tool(self.path("open.stl"), "--cells", *n, status=2))
        self.assertIn("--cells", self.run_tool(self.path("t.stl"), status=2))

    @needs("scipy")
    def test_table(self):
        """A cloud of a linear function gives that function, between the points."""
        p = np.random.default_rng(2).uniform(-0.2, 1.2, (400, 3))
        p[:8] = [[a, b, c] for a in (-0.2, 1.2) for b in (-0.2, 1.2) for c in (-0.2, 1.2)]
        f = lambda x, y, z: 300 + 2 * x - y + 3 * z
        np.savetxt(self.path("t.csv"), np.column_stack([p, p[:, 0], f(*p.T)]), delimiter=",", header="x,y,z,other,T", comments="")
        v = self.run_tool(self.path("t.csv"), "--columns", "x", "y", "z", "T", "--cells", 5, 6, 7, "--box", 0, 1, 0, 1, 0, 1, dataset="/field")
        z, y, x = np.meshgrid(*[(np.arange(m) + 0.5) / m for m in (7, 6, 5)], indexing="ij")
        np.testing.assert_allclose(v, f(x, y, z), rtol=1e-12)
        self.assertIn("no column U", self.run_tool(self.path("t.csv"), "--columns", "x", "U", "--cells", 5, status=2))
        np.savetxt(self.path("line.dat"), [[0.0, 1.0], [2.0, 5.0]])
        np.testing.assert_allclose(self.run_tool(self.path("line.dat"), "--cells", 4, "--dataset", "/line", dataset="/line"), 1 + 2 * np.array([0.25, 0.75, 1.25, 1.75]))

    @needs("vtkmodules")
    @needs("scipy")
    def test_vtk(self):
        from vtkmodules.util.numpy_support import numpy_to_vtk
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

        image = vtkImageData()
        image.SetDimensions(9, 8, 7)
        image.SetSpacing(1 / 8, 1 / 7, 1 / 6)
        z, y, x = np.meshgrid(*[np.linspace(0, 1, m) for m in (7, 8, 9)], indexing="ij")
        for name, values in (("T", (300 + x - 2 * y + z).ravel()), ("v", np.stack([x.ravel(), y.ravel(), 2 * z.ravel()], axis=1))):
            array = numpy_to_vtk(values, deep=True)
            array.SetName(name)
            image.GetPointData().AddArray(array)
        writer = vtkXMLImageDataWriter()
        writer.SetFileName(self.path("f.vti"))
        writer.SetInputData(image)
        writer.Write()
        z, y, x = np.meshgrid(*[(np.arange(m) + 0.5) / m for m in (4, 6, 5)], indexing="ij")
        call = lambda *more: self.run_tool(self.path("f.vti"), "--cells", 5, 6, 4, "--overwrite", *more, dataset="/field")
        np.testing.assert_allclose(call("--field", "T"), 300 + x - 2 * y + z, rtol=1e-12)
        np.testing.assert_allclose(call("--field", "v", "--component", 2), 2 * z, rtol=1e-12)
        call("--field", "T", "--box", 0, 2, 0, 1, 0, 1)
        self.assertIn("outside of the data", self.said)
        self.assertIn("fields: T, v", self.run_tool(self.path("f.vti"), "--cells", 5, 6, 4, "--field", "q", status=2))
        self.assertIn("give --component", self.run_tool(self.path("f.vti"), "--cells", 5, 6, 4, "--field", "v", status=2))

    @needs("vtkmodules")
    @needs("scipy")
    def test_vtk_cells(self):
        """What belongs to the cells of a VTK file: voxels as they are, a gradient up to the outermost centres."""
        from vtkmodules.util.numpy_support import numpy_to_vtk
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkFiltersCore import vtkAppendFilter
        from vtkmodules.vtkIOXML import vtkXMLImageDataWriter, vtkXMLUnstructuredGridWriter

        image = vtkImageData()
        image.SetDimensions(6, 5, 4)
        image.SetOrigin(1, 2, 3)
        z, y, x = np.meshgrid(*[low + 0.5 + np.arange(m) for low, m in ((3, 3), (2, 4), (1, 5))], indexing="ij")
        voxels = np.random.default_rng(1).integers(0, 2, x.shape)
        for name, values in (("T", 300 + x - 2 * y + z), ("rock", voxels)):
            array = numpy_to_vtk(values.ravel(), deep=True)
            array.SetName(name)
            image.GetCellData().AddArray(array)
        mesh = vtkAppendFilter()
        mesh.SetInputData(image)
        mesh.Update()
        for name, writer, data in (("c.vti", vtkXMLImageDataWriter(), image), ("c.vtu", vtkXMLUnstructuredGridWriter(), mesh.GetOutput())):
            writer.SetFileName(self.path(name))
            writer.SetInputData(data)
            writer.Write()
            call = lambda *more: self.run_tool(self.path(name), "--overwrite", *more, dataset="/field")
            np.testing.assert_allclose(call("--cells", 5, 4, 3, "--field", "T"), 300 + x - 2 * y + z, rtol=1e-12)
            np.testing.assert_allclose(call("--cells", 5, 4, 3, "--field", "rock"), voxels, atol=1e-12)
            coarse = call("--cells", 2, 2, 1, "--field", "T")
            np.testing.assert_allclose(coarse.ravel(), [300 + a - 2 * b + 4.5 for b in (3, 5) for a in (2.25, 4.75)], rtol=1e-12)

    @needs("meshio")
    @needs("scipy")
    def test_meshio(self):
        import meshio

        p = np.stack([g.ravel() for g in np.meshgrid([0.0, 0.5, 1.0], [0.0, 0.4, 1.0], [0.0])], axis=1)
        meshio.Mesh(p, {"vertex": np.arange(9)[:, None]}, {"T": 5 + p[:, 0] - 3 * p[:, 1]}).write(self.path("m.xdmf"), data_format="XML")
        v = self.run_tool(self.path("m.xdmf"), "--cells", 4, 2, "--field", "T", dataset="/field")
        y, x = np.meshgrid([0.25, 0.75], (np.arange(4) + 0.5) / 4, indexing="ij")
        np.testing.assert_allclose(v, 5 + x - 3 * y, rtol=1e-12)


if __name__ == "__main__":
    unittest.main()
