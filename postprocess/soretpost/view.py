# SPDX-License-Identifier: BSD-2-Clause
"""One frame of a result, as pictures need it."""
import functools
import math

import numpy as np

from .result import parse_sum
from .style import label, pretty, scale_of, sum_name

MOST_PANELS = 8  # of species in one picture; --species chooses others
MOST_CELLS = 50_000_000  # that are read to find the hottest
MOST_LAYERS = 30  # of cells, along each axis, of which a surface is made
METER = "meter/total/0/"  # S_T of the first sum and the parts that it is made of, where the case asks for the field `meter`


def amount_of(result, species, units):
    """Factor and name of the unit in which concentrations are easy to read, the same in all frames: that of the largest of all times, or of a whole sweep."""
    columns = result.series or result.sweep
    top = max((float(np.nanmax(columns[f"max/{s}"][:], initial=0.0)) for s in species if f"max/{s}" in columns), default=0.0)
    return scale_of(units, 2 * top) if units == "mol/m^3" and top > 0 else (1.0, units)  # a half reads well, too: where a wall is held at 1 the cells have less


class View:
    """One frame of a result: what the panels need, read as they need it.

    limits - {field: (low, high)} where they shall not follow the frame, as in a movie; where - {axis: cell} of the planes, the same
    """

    def __init__(self, result, frame=-1, species=None, limits=None, where=None):
        self.result, self.dims = result, result.dims
        if not result.species:
            raise ValueError("there is no frame with species to plot")
        if not -len(result.times) <= frame < len(result.times):
            raise IndexError(f"there is no frame {frame}, the file holds {len(result.times)}")
        self.frame = frame % len(result.times)
        self.species = list(species or result.species[:MOST_PANELS])
        self.left_out = len(result.species) - len(self.species) if not species else 0
        for name in self.species:
            result[name]  # says which there are if this is none
        self.temperature = result.temperature
        self.limits, self._where = dict(limits or {}), where
        size = max(np.ptp(result.edges[a]) for a in self.dims)
        self.factor, self.length_unit = scale_of(result.units(self.dims[-1]), size)

    def field(self, name):
        return self.temperature if name == "temperature" else self.result[name]

    def read(self, name, key=()):
        """A part of a field in this frame, NaN in solid cells."""
        array = self.field(name)
        data = np.asarray(array[(self.frame,) + key if array.stacked else key], dtype=float)
        if name in self.species and self.amount[0] != 1.0:
            data = data * self.amount[0]
        solid = self.result.solid
        if solid is not None and name != "temperature":
            inside = np.asarray(solid[key]) > 0.5
            data = np.where(inside[..., None] if data.ndim > inside.ndim else inside, np.nan, data)
        return data

    @functools.cached_property
    def amount(self):
        """Factor and name of the unit of concentrations in the picture."""
        return amount_of(self.result, self.species, self.result[self.species[0]].units)

    def has(self, name):
        return name in self.result

    @functools.cached_property
    def derived(self):
        """Names of the scalar fields beside species: soret, entropy_production, rate/0 ..."""
        rates = [n for n in self.result.fields if n.startswith("rate/")][:MOST_PANELS]
        return ([self.soret] if self.soret else []) + [n for n in ("entropy_production",) if self.has(n)] + rates

    @property
    def soret(self):
        """The name of S_T of the first sum, None without it."""
        return next((n for n in ("soret", METER + "soret") if self.has(n)), None)

    @property
    def parts_of_soret(self):
        """{part: its name in the frame}: chemical, diffusivity, intrinsic, transport, velocity, and equilibrium for fast reactions."""
        names = ("chemical", "diffusivity", "intrinsic", "transport", "velocity", "equilibrium")
        return {n: METER + n for n in names if self.has(METER + n)}

    @property
    def fields(self):
        return (["temperature"] if self.temperature is not None else []) + self.species

    @property
    def name_of_temperature(self):
        return "temperature" if "T" in self.result.species else "T"

    def name(self, field):
        """What a panel of the field is called, with units."""
        array = self.field(field)
        if field == "temperature":
            return label(self.name_of_temperature, array.units)
        if field == self.soret:
            of = array.attrs.get("of") or (self.result.attributes(field.rpartition("/")[0]).get("of") if "/" in field else None)
            of = of and (sum_name(parse_sum(of)) or of)
            return label(f"$S_T$ of {of}" if of else "$S_T$", array.units)
        if field == "entropy_production":
            return label("entropy production / R", array.units)
        if field.startswith("rate/"):
            return label(f"rate of {array.attrs.get('equation', field[5:])}", array.units)
        return label(field, self.amount[1])

    def centres(self, axis):
        return self.factor * self.result.coords[axis]

    def edges(self, axis):
        return self.factor * self.result.edges[axis]

    def axis_label(self, axis):
        return label(axis, self.length_unit)

    @property
    def title(self):
        """With the time or the point of a sweep; without either it is a steady state, and told if it is none yet."""
        time, place = self.result.times[self.frame], self.result.sweep_point(self.frame)
        if place is not None:
            return f"{self.result.title},  {self.result.sweep_name.removeprefix('parameters.')} = {place:.4g} {pretty(self.result.sweep['parameter'].units)}".rstrip()
        if len(self.result.times) < 2 or not np.isfinite(time) or np.ptp(self.result.times) == 0:
            return self.result.title + ("" if self.result.summary.get("converged", 1) else ",  not converged")
        factor, unit = scale_of(self.result.units("time"), np.nanmax(np.abs(self.result.times)))
        return f"{self.result.title},  t = {factor * time:.4g}{' ' + pretty(unit) if unit else ''}"

    @functools.cached_property
    def drawn(self):
        """The extents of a box as drawn, x first, in proportion if that can be seen, and the edges of its cells there."""
        edges = [self.edges(a) for a in "xyz"]
        extents = np.array([np.ptp(e) for e in edges])
        shape = np.clip(extents / extents.max(), 0.2, 1)
        return shape, [(e - e[0]) / np.ptp(e) * s for e, s in zip(edges, shape)]

    @functools.cached_property
    def fluid(self):
        """{axis: how many cells of each layer are fluid} of a box with solid in it, None without. Reads plane by plane."""
        solid = self.result.solid
        if solid is None or len(self.dims) < 3:
            return None
        counts = [np.zeros(n, dtype=int) for n in solid.shape]
        for k in range(solid.shape[0]):
            plane = np.asarray(solid[k]) <= 0.5
            counts[0][k] = plane.sum()
            counts[1] += plane.sum(axis=1)
            counts[2] += plane.sum(axis=0)
        return dict(zip(self.dims, counts))

    @property
    def mostly_solid(self):
        """Is less than half of a box in three dimensions fluid?"""
        return self.fluid is not None and 2 * self.fluid["z"].sum() < math.prod(self.result.solid.shape)

    @property
    def where(self):
        """{axis: cell} of the planes that are shown of a box: through the hottest cell, or through the middle of an axis at whose end that is. Where most is solid
        those with the most fluid."""
        if self._where is None and self.mostly_solid:
            most = {a: np.flatnonzero(self.fluid[a] == self.fluid[a].max()) for a in self.dims}
            self._where = {a: int(layers[len(layers) // 2]) for a, layers in most.items()}
        elif self._where is None:
            counts = [len(self.result.coords[a]) for a in self.dims]
            self._where = {a: i if 0 < i < n - 1 else n // 2 for a, i, n in zip(self.dims, self.hottest(), counts)}
        return self._where

    def hottest(self):
        """Index of the hottest cell, per axis; the middle where T does not vary. Reads plane by plane, not all planes of a large grid."""
        shape = tuple(len(self.result.coords[a]) for a in self.dims)
        middle = tuple(n // 2 for n in shape)
        if self.temperature is None:
            return middle
        step = math.ceil(math.prod(shape) / MOST_CELLS)
        best, lowest, where = -np.inf, np.inf, middle
        for k in range(step // 2, shape[0], step):
            plane = self.read("temperature", (k,))
            lowest = min(lowest, plane.min())
            if plane.max() > best:
                best = plane.max()
                where = (k,) + tuple(int(i) for i in np.unravel_index(plane.argmax(), plane.shape))
        return where if best > lowest else middle

    def shown(self, field):
        """The parts of a field that a picture shows: all of it in one and two dimensions, three planes in three."""
        if len(self.dims) < 3:
            return [self.read(field)]
        return [self.read(field, plane_key(self, normal)) for normal in "zyx"]

    def layer_means(self, field):
        """{axis: means of a field over the fluid of each layer of cells}, linear between layers without fluid. Reads plane by plane, and of a large grid not all."""
        shape = self.result.solid.shape
        sums, weights = [np.zeros(n) for n in shape], [np.zeros(n) for n in shape]
        heights, depths, widths = (np.diff(self.edges(a)) for a in self.dims)
        for k in range(0, shape[0], math.ceil(math.prod(shape) / MOST_CELLS)):
            volume = np.where(np.asarray(self.result.solid[k]) > 0.5, 0.0, heights[k] * np.outer(depths, widths))
            amount = np.where(volume > 0, volume * self.read(field, (k,)), 0.0)
            for total, plane in ((sums, amount), (weights, volume)):
                total[0][k] += plane.sum()
                total[1] += plane.sum(axis=1)
                total[2] += plane.sum(axis=0)
        return {a: np.interp(self.centres(a), self.centres(a)[w > 0], s[w > 0] / w[w > 0], np.nan, np.nan) for a, s, w in zip(self.dims, sums, weights)}

    def coarse(self, field):
        """Values and positions of a field in cells spread over the box, at most MOST_LAYERS along each axis and with those at the walls. Reads plane by
        plane, and not the planes between."""
        chosen = [np.unique(np.linspace(0, n - 1, min(n, MOST_LAYERS)).round().astype(int)) for n in (len(self.result.coords[a]) for a in self.dims)]
        planes = [self.read(field, (int(k),))[np.ix_(*chosen[1:])] for k in chosen[0]]
        return np.stack(planes), [self.centres(a)[c] for a, c in zip(self.dims, chosen)]


def plane_key(view, normal):
    """Index of the plane normal to an axis."""
    return tuple(view.where[a] if a == normal else slice(None) for a in view.dims)
