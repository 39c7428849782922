# SPDX-License-Identifier: BSD-2-Clause
"""A result file as labelled arrays that are read when, and as far as, they are asked for."""
import os
import re
from collections.abc import Mapping

import h5py
import numpy as np

# what stands in a frame beside the species
NOT_SPECIES = ("flux", "rate", "soret", "temperature", "entropy_production")


def text(value):
    """Strings of HDF5 come as bytes or str, numbers as arrays of one entry."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray) and value.size == 1:
        return text(value.item())
    return value.item() if isinstance(value, np.generic) else value


class Array:
    """An array with names for its axes, over one dataset or over one per frame. Indexing with [] reads, nothing else does.

    name, dims, shape, dtype, units; coords maps a dimension to the positions along it.
    """

    def __init__(self, name, datasets, dims, coords, units=""):
        self.name, self.dims, self.units = name, tuple(dims), units
        self.coords = {d: coords[d] for d in self.dims if d in coords}
        self._datasets = datasets  # a list: one per entry of the first dimension
        self.stacked = isinstance(datasets, list)

    @property
    def _first(self):
        return self._datasets[0] if self.stacked else self._datasets

    @property
    def attrs(self):
        """Attributes of the dataset: `equation` of a rate, `of` of a Soret coefficient."""
        return {name: text(value) for name, value in self._first.attrs.items()}

    @property
    def shape(self):
        return ((len(self._datasets),) if self.stacked else ()) + self._first.shape

    @property
    def dtype(self):
        return self._first.dtype

    @property
    def ndim(self):
        return len(self.shape)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        if not self.stacked:
            return self._datasets[key]
        if key[0] is Ellipsis:
            key = (slice(None),) * (1 if len(key) == 1 else self.ndim - len(key) + 1) + key[1:]
        rest = key[1:] if len(key) > 1 else (Ellipsis,)
        if isinstance(key[0], (int, np.integer)):
            return self._datasets[key[0]][rest]
        return np.stack([self._datasets[i][rest] for i in np.arange(len(self))[key[0]]])

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[...], dtype=dtype)

    @property
    def values(self):
        """All of it, in memory."""
        return self[...]

    def index(self, dim, position):
        """Number of the entry along a dimension that is nearest to a position."""
        return int(np.argmin(np.abs(np.asarray(self.coords[dim]) - position)))

    def sel(self, **positions):
        """The values nearest to the given positions: array.sel(x=0.5, z=0.1)."""
        for dim in positions:
            if dim not in self.coords:
                raise KeyError(f"{self.name} has no dimension '{dim}' ({', '.join(self.dims)})")
        return self[tuple(self.index(d, positions[d]) if d in positions else slice(None) for d in self.dims)]

    def to_xarray(self, lazy=False):
        """The same as an xarray.DataArray, in memory; lazy - read when asked, as long as the file is open."""
        import xarray

        attrs = dict(self.attrs, units=self.units) if self.units else self.attrs
        if lazy:
            from .lazy import lazily
        return xarray.DataArray(lazily(self) if lazy else self.values, dims=self.dims, coords=self.coords, name=self.name, attrs=attrs)

    def __repr__(self):
        extent = ", ".join(f"{d}: {n}" for d, n in zip(self.dims, self.shape))
        return f"<Array {self.name} ({extent}) {self.dtype}{' in ' + self.units if self.units else ''}, not read>"


class Table(Mapping):
    """The datasets below a group, by their path in it; columns have one dimension in common."""

    def __init__(self, group, dim, units):
        self._group, self._dim, self._units = group, dim, units
        self._names = []
        if group is not None:
            group.visititems(lambda name, item: self._names.append(name) if isinstance(item, h5py.Dataset) else None)

    def __getitem__(self, name):
        if name not in self._names:
            raise KeyError(f"there is no '{name}' in {self._group.name if self._group else 'the file'}: {', '.join(self._names)}")
        data = self._group[name]
        coords = {self._dim: self._group[self._dim][:]} if self._dim in self._names else {}
        rows = not coords or len(data) == len(coords[self._dim])  # the zeros of a column are no rows
        dims = (self._dim if rows else name,) + tuple(f"axis{i}" for i in range(1, data.ndim))
        return Array(name, data, dims, coords, text(data.attrs.get("units", "")) or self._units(name))

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self._names)

    def text(self, name):
        """What a total is the sum of, as the file has it ("A + 2 A2"), else its name."""
        return str(text(self._group[name].attrs.get("formula", name.split("/")[-1])))

    def formula(self, name):
        """{species: weight} of a total, from the attribute `formula`; empty if the file does not tell."""
        return parse_sum(self.text(name))


def parse_sum(formula):
    """{"A": 1.0, "A2": 2.0} of "A + 2 A2". Blanks separate, as names may hold + and -. Empty if it is no sum."""
    weights, sign, factor = {}, 1.0, 1.0
    for word in formula.split():
        if word in "+-":
            sign, factor = (1.0 if word == "+" else -1.0), 1.0
        elif re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", word):
            factor = float(word)
        elif re.match(r"[-+*()]*[^\W\d]", word):
            weights[word] = weights.get(word, 0.0) + sign * factor
        else:
            return {}
    return weights


class Result:
    """A result file of soret. Opening reads its structure only.

    path, attrs (root attributes), title, case (text), summary (dict), dims ("z", "y", "x" as far as there are), coords, edges,
    times, steps, species, temperature, solid, series and sweep (tables); result["A"], result["flux/A"]: over all frames.
    """

    def __init__(self, path):
        if not os.path.exists(path):
            raise FileNotFoundError("No such file or directory")
        # no locks: they fail on many parallel file systems, and nothing is written
        os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
        self.path = path
        if os.path.isdir(path):
            raise IsADirectoryError("it is a folder")
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            if "signature not found" in str(error):
                raise ValueError("it is not an HDF5 file") from error
            raise
        grid = self._file.get("grid", {})
        self.dims = tuple(a for a in "zyx" if isinstance(grid, h5py.Group) and a in grid)
        if not self.dims:
            self.close()
            raise ValueError("it has no /grid with axes: not a result file of soret")
        self.attrs = {name: text(value) for name, value in self._file.attrs.items()}
        self.case = str(self.attrs.pop("case", ""))
        self.coords = {a: grid[a][:] for a in self.dims}
        self.edges = {a: grid[a + "_edges"][:] if a + "_edges" in grid else edges_of(self.coords[a]) for a in self.dims}
        self._frames = []  # none are known yet, and the table of a sweep tells their order
        self.sweep = Table(self._file.get("sweep"), "parameter", self._units_of_column)
        frames = [self._file["frames"][name] for name in self._names_of_frames()]
        self._frames = [f for f in frames if "lost" not in f.attrs]
        self.lost = len(frames) - len(self._frames)
        self.times = np.array([text(f.attrs.get("time", np.nan)) for f in self._frames], dtype=float)
        self.steps = np.array([text(f.attrs.get("step", 0)) for f in self._frames], dtype=np.int64)
        self.summary = {k: text(v) for k, v in self._file["summary"].attrs.items()} if "summary" in self._file else {}
        self.series = Table(self._file.get("series"), "time", self._units_of_column)

    def _names_of_frames(self):
        """In the order of time; of a sweep in that of its table, which with several branches is not the one in which they were solved."""
        names = sorted(self._file.get("frames", {}))
        rows = {int(number): row for row, number in enumerate(self.sweep["frame"][:])} if "frame" in self.sweep else {}
        return sorted(names, key=lambda name: rows.get(int(name), len(rows))) if rows else names

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    @property
    def title(self):
        found = re.search(r"^title:[ \t]*(.+?)[ \t]*(?:\s#.*)?$", self.case, re.MULTILINE)
        return str(self.attrs.get("title") or (found.group(1).strip("\"'") if found else os.path.basename(self.path)))

    def attributes(self, place):
        """Of a group or a dataset of the last frame, by its path in it."""
        return {k: text(v) for k, v in self._frames[-1][place].attrs.items()} if self._frames and place in self._frames[-1] else {}

    def tables(self, place="summary"):
        """{path: attributes} of the groups below /summary that have some: budgets, parts of S_T."""
        found = {}
        if place in self._file:
            self._file[place].visititems(lambda name, item: found.update({name: {k: text(v) for k, v in item.attrs.items()}}) if isinstance(item, h5py.Group) and item.attrs else None)
        return found

    def sweep_point(self, frame):
        """The value of the parameter of a sweep at which a frame was made; None where that is not told."""
        if "frame" not in self.sweep or "parameter" not in self.sweep:
            return None
        at = np.flatnonzero(self.sweep["frame"][:] == int(os.path.basename(self._frames[frame].name)))
        return float(self.sweep["parameter"][int(at[0])]) if at.size else None

    @property
    def along(self):
        """What frames follow each other in: ("time", times), of a sweep ("parameter", its values)."""
        if "frame" not in self.sweep or "parameter" not in self.sweep:
            return "time", self.times
        return "parameter", np.array([self.sweep_point(k) for k in range(len(self._frames))], dtype=float)

    @property
    def sweep_name(self):
        """The key that a sweep changed: an attribute of the group or of its parameter, else what the case says."""
        for place in ("sweep/parameter", "sweep"):
            for name in ("key", "path", "name", "parameter"):
                if place in self._file and name in self._file[place].attrs:
                    return str(text(self._file[place].attrs[name]))
        found = re.search(r"^sweep:.*?\bparameter:[ \t]*[\"']?([^\s,\"'}]+)", self.case, re.MULTILINE | re.DOTALL)
        return found.group(1) if found else ""

    @property
    def species(self):
        """Names in the order of the case."""
        if not self._frames:
            return []
        return [n for n, item in self._frames[-1].items() if isinstance(item, h5py.Dataset) and n not in NOT_SPECIES]

    def _base_units(self, name):
        """Units by the kind of a field where a dataset does not tell, as in the tables of a case in SI, of which the axes have units."""
        if not any("units" in self._file[f"grid/{a}"].attrs for a in self.dims):
            return ""
        kind = name.split("/")[0]
        known = {"temperature": "K", "time": "s", "flux": "mol/m^2/s", "rate": "mol/m^3/s", "soret": "1/K", "x": "m", "y": "m", "z": "m"}
        known.update({"total": "mol/m^3", "min": "mol/m^3", "max": "mol/m^3"})
        return known.get(kind) or ("mol/m^3" if name in self.species else "")

    def _units_of_column(self, name):
        """Of a table. Integrals over the box or a wall are those per area in one dimension, per length in two."""
        if name.split("/")[0] in ("boundary_flux", "source", "entropy_production", "entropy_reactions", "entropy_diffusion", "entropy_heat"):
            return self._base_units("time") and {1: "mol/m^2/s", 2: "mol/m/s", 3: "mol/s"}[len(self.dims)]
        return self._base_units(name)

    def units(self, name):
        """Units of an axis, of time or of a field (of a species, which may be called x: result["x"].units); empty in reduced units."""
        places = [f"grid/{name}", name] + ([f"{self._frames[-1].name}/{name}"] if self._frames and name != "time" else [])
        for place in places:
            if place in self._file and "units" in self._file[place].attrs:
                return str(text(self._file[place].attrs["units"]))
        return self._base_units(name)

    def _array(self, name, datasets):
        stacked = isinstance(datasets, list)
        last = datasets[-1] if stacked else datasets
        along, positions = self.along
        dims = ((along,) if stacked else ()) + self.dims + (("component",) if last.ndim > len(self.dims) else ())
        coords = {**self.coords, along: positions, "component": list("xyz"[: len(self.dims)])}
        return Array(name, datasets, dims, coords, text(last.attrs.get("units", "")) or self._base_units(name))

    def __contains__(self, name):
        return bool(self._frames) and name in self._frames[-1]

    def __getitem__(self, name):
        """A field over all frames; the time, or the parameter of a sweep, is its first dimension."""
        if name not in self or not isinstance(self._frames[-1][name], h5py.Dataset):
            raise KeyError(f"there is no field '{name}' in the frames ({', '.join(self.fields)})")
        return self._array(name, [f[name] for f in self._frames])

    @property
    def fields(self):
        """Names of all datasets in the last frame."""
        names = []
        if self._frames:
            self._frames[-1].visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        return names

    @property
    def temperature(self):
        """With time as its first dimension if it depends on it; None if the file has none."""
        if "temperature" in self:
            return self["temperature"]
        return self._array("temperature", self._file["temperature"]) if "temperature" in self._file else None

    @property
    def solid(self):
        return self._array("solid", self._file["solid"]) if "solid" in self._file else None

    def to_xarray(self, *names, lazy=False):
        """The fields (default: the species and the temperature) as an xarray.Dataset, in memory; lazy - read when asked, as long as the file is open."""
        import xarray

        arrays = [self[n] for n in names or self.species] + ([self.temperature] if not names and self.temperature else [])
        return xarray.Dataset({a.name: a.to_xarray(lazy) for a in arrays}, attrs=dict(self.attrs, case=self.case))

    def describe(self):
        """What the file holds, in words."""
        lines = [f"{self.path}: {self.title}"]
        lines += [f"  {name:20}  {value}" for name, value in self.attrs.items()]
        cells = [f"{a} {self.edges[a][0]:g} .. {self.edges[a][-1]:g} in {len(self.coords[a])} cells" for a in reversed(self.dims)]
        lines += ["grid", "  " + ", ".join(cells)]
        if self._frames:
            lines += ["frames", f"  {len(self._frames)}, time {self.times[0]:g} .. {self.times[-1]:g}" + (f" ({self.lost} more are lost)" if self.lost else ""), "  in the last one: " + " ".join(self.fields)]
        for title, table, dim in (("series", self.series, "time"), ("sweep", self.sweep, "parameter")):
            if table:
                lines += [title, f"  {len(table[dim]) if dim in table else '?'} rows of: {' '.join(table)}"]
        if self.summary:
            lines += ["summary"] + [f"  {name:20}  {value}" for name, value in self.summary.items()]
        if self.case:
            lines += ["case"] + ["  | " + line for line in self.case.splitlines()]
        return "\n".join(lines)

    def __repr__(self):
        extent = " x ".join(str(len(self.coords[a])) for a in reversed(self.dims))
        return f"<Result {self.path}: {extent} cells, {len(self._frames)} frames, species {', '.join(self.species)}>"


def edges_of(centres):
    """Cell edges half-way between the centres."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def open(path):
    """Opens a result file of soret for reading."""
    return Result(os.fspath(path))
