# SPDX-License-Identifier: BSD-2-Clause
"""Turns images, arrays, surfaces and fields of other programs into datasets that a case file can name.

    python3 -m soretpost import slices/*.png -o rock.h5 --threshold 128
    python3 -m soretpost import part.stl -o part.h5 --cells 200 100 50 --box 0 2e-3 0 1e-3 0 5e-4
    python3 -m soretpost import heat.csv -o heat.h5 --dataset /temperature --cells 80 60 --box 0 1 0 1 --columns x y T
    python3 -m soretpost import heat.vtu -o heat.h5 --dataset /temperature --cells 80 60 40 --field Temperature

Datasets are [nz][ny][nx], x fastest, values at the centres of equal cells that fill the box. Images, TIFF stacks and .npy keep their own
resolution; soret averages or interpolates. Surfaces and fields are sampled on the cells asked for.
"""
import os
import re

import h5py
import numpy as np

IMAGES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
VTK = (".vtk", ".vtu", ".vtp", ".vti", ".vts", ".vtr", ".pvtu", ".pvti")
BLOCK = 1 << 20  # points interpolated at a time


# ---- voxels ----

def read_images(paths):
    """Pages of all files in order, [page][row][column]; a single page has two axes."""
    from PIL import Image, ImageSequence

    pages = []
    for path in paths:
        with Image.open(path) as image:
            for page in ImageSequence.Iterator(image):
                grey = page if page.mode in ("1", "L", "I", "F", "I;16", "I;16B") else page.convert("L")
                values = np.asarray(grey)
                pages.append(values.astype(np.uint16) if page.mode == "I" and image.format == "PNG" else values)  # Pillow makes 32 bits of its 16
    if len({page.shape for page in pages}) > 1:
        raise ValueError(f"the pages differ in size: {sorted({page.shape for page in pages})}")
    return pages[0] if len(pages) == 1 else np.stack(pages)


def fractions(values, threshold=None):
    """Solid as numbers in 0..1: above the threshold, or scaled by the largest number of an integer type."""
    if threshold is not None:
        return (values > threshold).astype(np.float32)
    if values.dtype == bool:
        return values.astype(np.float32)
    if np.issubdtype(values.dtype, np.integer):
        top = np.iinfo(values.dtype).max
        return (values / (1 if values.max(initial=0) <= 1 else top)).astype(np.float32)
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(f"values from {values.min():g} to {values.max():g} are no fractions of solid; give --threshold, or --raw for a field")
    return values


def read_stl(path):
    """Corners of triangles that agree with their neighbours about which side is outside: [n][corner][axis]."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkFiltersCore import vtkPolyDataNormals
    from vtkmodules.vtkIOGeometry import vtkSTLReader

    reader, turned = vtkSTLReader(), vtkPolyDataNormals()
    reader.SetFileName(path)
    turned.SetInputConnection(reader.GetOutputPort())
    turned.ConsistencyOn()
    turned.NonManifoldTraversalOff()
    turned.SplittingOff()
    turned.Update()
    surface = turned.GetOutput()
    if not surface.GetNumberOfPolys():
        raise ValueError("no triangles found")
    corners = vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int64)
    edges = np.concatenate([corners[:, [k, (k + 1) % 3]] for k in range(3)])
    _, which = np.unique(edges.min(1) * surface.GetNumberOfPoints() + edges.max(1), return_inverse=True)
    open_edges = np.count_nonzero(np.bincount(which, np.sign(edges[:, 1] - edges[:, 0])))  # each is passed as often forwards as backwards where all is closed
    if open_edges:
        raise ValueError(f"the surface is not closed: triangles end at {open_edges} edges, or one more stands on them inside")
    return vtk_to_numpy(surface.GetPoints().GetData()).astype(float)[corners]


def is_left(at, a, b):
    """Is a point of the plane to the left of the line from a to b? Where it lies on the line, asked a little further along x, then along y: a point then is in one
    of the triangles around a corner, or beside an edge, never in two or in none."""
    swap = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))  # so that both triangles beside an edge get the same answer
    low, high = np.where(swap[:, None], b, a), np.where(swap[:, None], a, b)
    (dx, dy), (x, y) = (high - low).T, (at - low).T
    area = dx * y - dy * x
    return swap ^ np.where(area != 0, area > 0, np.where(dy != 0, dy < 0, dx > 0))


def voxelize(path, cells, box):
    """1 at the centres of the cells inside of a closed surface (STL), else 0: where it winds around them. So bodies may overlap, and a hollow whose surface is turned to
    the inside is none of a body. What passes a column of centres adds to those below."""
    if len(cells) != 3:
        raise ValueError("a surface needs three numbers after --cells")
    triangles = read_stl(path)
    low, size = box_of(box, np.stack([triangles.min((0, 1)), triangles.max((0, 1))], axis=1).ravel(), 3)
    triangles = (triangles - low) / size * cells - 0.5  # in cells, from the first centre
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    triangles, normals = triangles[normals[:, 2] != 0], normals[normals[:, 2] != 0]  # no column passes those that stand upright
    first = np.clip(np.ceil(triangles.min(1)[:, :2]).astype(np.int64), 0, cells[:2])
    counts = np.maximum(np.clip(np.floor(triangles.max(1)[:, :2]).astype(np.int64) + 1, 0, cells[:2]) - first, 0)
    pairs = np.cumsum(counts.prod(1))
    passed = np.zeros((cells[2] + 1) * cells[1] * cells[0], dtype=np.int32)
    for begin in range(0, int(pairs[-1]), BLOCK):
        pair = np.arange(begin, min(begin + BLOCK, int(pairs[-1])))
        which = np.searchsorted(pairs, pair, side="right")
        k = pair - (pairs[which] - counts[which].prod(1))
        column = first[which] + np.stack([k % counts[which, 0], k // counts[which, 0]], axis=1)
        corner = triangles[which].transpose(1, 0, 2)
        left = np.stack([is_left(column, corner[i, :, :2], corner[(i + 1) % 3, :, :2]) for i in range(3)])
        hit = left.all(0) | ~left.any(0)
        column, corner, normal = column[hit], corner[0, hit], normals[which[hit]]
        height = corner[:, 2] - ((column - corner[:, :2]) * normal[:, :2]).sum(1) / normal[:, 2]
        below = np.clip(np.ceil(height).astype(np.int64), 0, cells[2])
        np.add.at(passed, (below * cells[1] + column[:, 1]) * cells[0] + column[:, 0], np.where(left[0, hit], 1, -1))
    winding = passed.reshape(cells[2] + 1, cells[1], cells[0])[:0:-1].cumsum(0)[::-1]
    return (winding != 0).astype(np.float32)


# ---- fields ----

def box_of(box, bounds, dimension):
    """Lower corner and size: what --box says, else what the data fill."""
    edges = np.array(box if box else bounds[: 2 * dimension], dtype=float)
    if len(edges) != 2 * dimension:
        raise ValueError(f"--box needs {2 * dimension} numbers: lower and upper end of each axis")
    low, high = edges[::2], edges[1::2]
    if not np.all(high > low):
        raise ValueError(f"the box has no extent: {edges}")
    return low, high - low


def centers(cells, low, size):
    """Coordinates of the cell centres, x fastest: [n][dimension]."""
    axes = [l + s * (np.arange(n) + 0.5) / n for n, l, s in zip(cells, low, size)]
    return np.stack([g.ravel() for g in np.meshgrid(*axes[::-1], indexing="ij")][::-1], axis=1)


def interpolate(points, values, cells, box):
    """A cloud of points on the cells: linear between them (Delaunay), the nearest one outside of their hull."""
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

    dimension = len(cells)
    points = points[:, :dimension]
    low, size = box_of(box, np.stack([points.min(0), points.max(0)], axis=1).ravel(), dimension)
    within = np.count_nonzero(np.all((points >= low) & (points <= low + size), axis=1))
    if within < len(points):
        print(f"{within} of {len(points)} points lie in the box")  # few do where its unit is not that of the file
    at = centers(cells, low, size)
    if dimension == 1:
        order = np.argsort(points[:, 0])
        return np.interp(at[:, 0], points[order, 0], values[order])
    scale = size.max()  # triangles of a slender box are good ones when its axes are of one size
    linear, nearest = (kind((points - low) / size * scale, values) for kind in (LinearNDInterpolator, NearestNDInterpolator))
    result = np.empty(len(at))
    for k in range(0, len(at), BLOCK):
        block = (at[k:k + BLOCK] - low) / size * scale
        result[k:k + BLOCK] = linear(block)
        outside = np.isnan(result[k:k + BLOCK])
        result[k:k + BLOCK][outside] = nearest(block[outside])
    return result.reshape(cells[::-1])


def is_row(fields):
    """Are these numbers, and some?"""
    try:
        return bool([float(f) for f in fields])
    except ValueError:
        return False


def read_heading(path):
    """Delimiter of a table, names of its columns, and how many lines are before the numbers, of which the last has the names: COMSOL writes eight or nine."""
    heading, skip = "", 0
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            delimiter = next((d for d in ",;\t" if d in line), None)
            row = line.strip().split(delimiter)
            if is_row(row):
                break
            heading, skip = line.strip().lstrip("%# ") or heading, skip + 1
        else:
            raise ValueError("there is no line of numbers in it (separated by commas, semicolons, tabs or blanks; the decimal sign is a point)")
    for words in (heading.split(delimiter), re.split(r"\s{2,}", heading)):
        if len(words) == len(row):
            return delimiter, [w.strip().strip('"') for w in words], skip
    return delimiter, [str(k) for k in range(len(row))], skip


def find_column(names, wanted):
    """Number of a column by its name, by that without the unit, T of T (K), if only one has it, or by its number from 0; else None."""
    bare = [name.split(" (")[0] for name in names]
    if wanted in names:
        return names.index(wanted)
    if bare.count(wanted) == 1:
        return bare.index(wanted)
    return int(wanted) if wanted.isdigit() and int(wanted) < len(names) else None


def read_csv(path, columns):
    """Columns of a table; the last is the value."""
    delimiter, names, skip = read_heading(path)
    index = [find_column(names, c) for c in columns] if columns else list(range(len(names)))
    if None in index:
        raise ValueError(f"there is no column {', '.join(c for c, k in zip(columns, index) if k is None)}; columns: {', '.join(names)}")
    table = np.loadtxt(path, delimiter=delimiter, skiprows=skip, usecols=index, ndmin=2, comments=("#", "%"), encoding="latin-1")  # numbers are the same in all encodings
    return table[:, :-1], table[:, -1]


def choose(names, name):
    if name is None and len(names) == 1:
        return names[0]
    if name not in names:
        raise ValueError(f"give --field one of: {', '.join(names)}" if name is None else f"there is no field '{name}'; fields: {', '.join(names)}")
    return name


def component_of(values, component):
    if values.ndim == 1:
        return values
    if component is None:
        raise ValueError(f"the field has {values.shape[1]} components; give --component 0, 1, ...")
    return values[:, component]


def grid_of_centers(image):
    """The values of the cells of a box as those of points at their centres."""
    from vtkmodules.vtkCommonDataModel import vtkImageData

    grid = vtkImageData()
    grid.SetDimensions(*[max(n - 1, 1) for n in image.GetDimensions()])
    grid.SetSpacing(*image.GetSpacing())
    grid.SetOrigin(*[(image.GetBounds()[2 * k] + (image.GetSpacing()[k] if n > 1 else 0) / 2) for k, n in enumerate(image.GetDimensions())])
    grid.GetPointData().ShallowCopy(image.GetCellData())
    return grid


def sample_vtk(path, cells, box, name, component):
    """A field of a VTK file at the cell centres, as VTK interpolates it in its own cells; the nearest point outside of them. Values of cells are those at their centres,
    and linear between these."""
    from scipy.spatial import cKDTree
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkCellCenters, vtkProbeFilter
    from vtkmodules.vtkIOLegacy import vtkGenericDataObjectReader
    from vtkmodules.vtkIOXML import vtkXMLGenericDataObjectReader

    reader = vtkGenericDataObjectReader() if path.lower().endswith(".vtk") else vtkXMLGenericDataObjectReader()
    reader.SetFileName(path)
    reader.Update()
    data = reader.GetOutput()
    if not data or not data.GetNumberOfPoints():
        raise ValueError("VTK finds no points in it")
    bounds, arrays = data.GetBounds(), data.GetPointData()
    names = [[of.GetArrayName(k) for k in range(of.GetNumberOfArrays())] for of in (arrays, data.GetCellData())]
    name = choose(names[0] + [n for n in names[1] if n not in names[0]], name)
    if name not in names[0] and isinstance(data, vtkImageData):
        data = grid_of_centers(data)
        arrays = data.GetPointData()
    elif name not in names[0]:
        middles = vtkCellCenters()
        middles.SetInputData(data)
        middles.Update()
        values = component_of(vtk_to_numpy(data.GetCellData().GetArray(name)), component).astype(float)
        return interpolate(vtk_to_numpy(middles.GetOutput().GetPoints().GetData()).astype(float), values, cells, box or bounds[: 2 * len(cells)]), 0
    low, size = box_of(box, bounds, len(cells))
    target = vtkImageData()
    n = list(cells) + [1] * (3 - len(cells))
    spacing = list(size / cells) + [1.0] * (3 - len(cells))
    middle = [(bounds[2 * k] + bounds[2 * k + 1]) / 2 for k in range(len(cells), 3)]
    target.SetDimensions(*n)
    target.SetSpacing(*spacing)
    target.SetOrigin(*(low + size / cells / 2), *middle)
    probe = vtkProbeFilter()
    probe.SetInputData(target)
    probe.SetSourceData(data)
    probe.Update()
    found = probe.GetOutput().GetPointData()
    values = component_of(vtk_to_numpy(found.GetArray(name)), component).astype(float)
    outside = vtk_to_numpy(found.GetArray(probe.GetValidPointMaskArrayName())) == 0
    if outside.any():
        points = np.array([data.GetPoint(k) for k in range(data.GetNumberOfPoints())])[:, : len(cells)]
        _, near = cKDTree(points).query(centers(cells, low, size)[outside])
        values = values.copy()
        values[outside] = component_of(vtk_to_numpy(arrays.GetArray(name)), component)[near]
    return values.reshape(cells[::-1]), int(outside.sum())


def sample_mesh(path, cells, box, name, component):
    """A field of any file that meshio reads, from its points."""
    try:
        import meshio
    except ImportError as error:
        raise ValueError("files of this kind need meshio (Debian: python3-meshio); images, .npy, .stl, .csv and VTK's own files do not") from error

    mesh = meshio.read(path)
    name = choose(sorted(mesh.point_data), name)
    return interpolate(np.asarray(mesh.points, dtype=float), component_of(np.asarray(mesh.point_data[name], dtype=float), component), cells, box)


# ---- the tool ----

def turn(values, flip, transpose):
    """Reverses axes by name, after moving them: transpose names the axes as they are in the file, slowest first."""
    names = "zyx"[3 - values.ndim:]
    if transpose:
        if sorted(transpose) != sorted(names):
            raise ValueError(f"--transpose must name the axes of the data, as in {names[::-1]}")
        values = values.transpose([transpose.index(a) for a in names])
    for axis in flip or "":
        if axis not in names:
            raise ValueError(f"--flip {axis}: the data have the axes {', '.join(names[::-1])}")
        values = np.flip(values, names.index(axis))
    return values


def load(options):
    """The dataset, and what to say about it."""
    paths, first = options.files, options.files[0]
    suffix = os.path.splitext(first)[1].lower()
    solid = not options.raw
    if suffix in IMAGES:
        values = read_images(paths)
    elif len(paths) > 1:
        raise ValueError("more than one file makes a stack of images only")
    elif suffix == ".npy":
        values = np.load(first)
    else:
        if not options.cells:
            raise ValueError("this kind of file needs --cells NX [NY [NZ]]")
        cells = np.array(options.cells)
        if len(cells) > 3 or cells.min() < 1:
            raise ValueError("--cells needs one to three numbers from 1")
        if suffix == ".stl":
            values = voxelize(first, cells, options.box)
        elif suffix in (".csv", ".txt", ".dat"):
            points, numbers = read_csv(first, options.columns)
            if points.shape[1] < len(cells):
                raise ValueError(f"{points.shape[1]} columns of coordinates for {len(cells)} axes")
            values, solid = interpolate(points, numbers, cells, options.box), False
        elif suffix in VTK:
            (values, outside), solid = sample_vtk(first, cells, options.box, options.field, options.component), False
            if outside:
                print(f"{outside} of {values.size} cells lie outside of the data; they take the value of the nearest point")
        else:
            values, solid = sample_mesh(first, cells, options.box, options.field, options.component), False
    if values.ndim > 3:
        raise ValueError(f"{values.ndim} axes; at most three are expected")
    values = turn(values, options.flip, options.transpose)
    if solid:
        values = fractions(values, options.threshold)
        if options.invert:
            values = 1 - values
    elif not np.all(np.isfinite(values)):
        raise ValueError(f"{np.count_nonzero(~np.isfinite(values))} values are not finite")
    return values, solid


def convert(options):
    """Writes the dataset and prints the line for the case file."""
    values, solid = load(options)
    dataset = options.dataset or ("/solid" if solid else "/field")
    with h5py.File(options.output, "a") as file:
        if dataset in file:
            if not options.overwrite:
                raise ValueError(f"{options.output} has a dataset {dataset}; choose another with --dataset, or replace it with --overwrite")
            del file[dataset]
        made = file.create_dataset(dataset, data=values, chunks=True, compression="gzip", compression_opts=4, dtype=np.float32 if solid else np.float64)
        made.attrs["source"] = " ".join(options.files if len(options.files) < 3 else [options.files[0], "...", options.files[-1]])
    print(f"{options.output}: {dataset} " + " x ".join(map(str, values.shape[::-1])) + f" from {values.min():g} to {values.max():g}" + (f", solid {values.mean():.4g}" if solid else ""))
    print(f"{'solid' if solid else 'temperature'}: {{file: {os.path.basename(options.output)}, dataset: {dataset}}}")


def add_arguments(command):
    command.add_argument("files", nargs="+", metavar="FILE", help="images in order, a TIFF stack, .npy, .stl, .csv, VTK's files, or what meshio reads")
    command.add_argument("-o", "--output", required=True, help="HDF5 file, made or added to")
    command.add_argument("--dataset", help="name in it (default: /solid, or /field)")
    command.add_argument("--overwrite", action="store_true", help="replace a dataset of that name")
    command.add_argument("--threshold", type=float, help="images, .npy: solid where the value is larger (default: fractions, integers scaled by the largest of their type)")
    command.add_argument("--invert", action="store_true", help="fluid where solid was")
    command.add_argument("--raw", action="store_true", help="images, .npy: values as they are, for a temperature or an initial state")
    command.add_argument("--flip", metavar="AXES", help="reverse axes: pictures have their first row at the top, y = 0 is that row unless --flip y")
    command.add_argument("--transpose", metavar="AXES", help="order of the axes in the file, slowest first (default: zyx, or yx)")
    command.add_argument("--cells", type=int, nargs="+", metavar="N", help="surfaces and fields: cells along x [y [z]] to sample")
    command.add_argument("--box", type=float, nargs="+", metavar="X", help="lower and upper end of each axis, in the unit of the file (default: the extent of the data)")
    command.add_argument("--columns", nargs="+", metavar="NAME", help="tables: coordinates and last the value, by name or number from 0 (default: all in order)")
    command.add_argument("--field", help="VTK, meshio: name of the field")
    command.add_argument("--component", type=int, help="of a vector, from 0")
    command.set_defaults(run=convert)
