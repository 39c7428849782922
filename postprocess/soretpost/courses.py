# SPDX-License-Identifier: BSD-2-Clause
"""Pictures of what belongs to a frame as a whole: along x in 1D, S_T against T, the course of time, and the curves of a sweep."""
import math

import numpy as np
from matplotlib.patheffects import withStroke

from .fields import legend_above, named_lines, say_undefined, show_single_points, use_log
from .style import COLOURS, GREY, fold, label, line_style, scale_of, sum_name, ticks, total_style, widened
from .view import MOST_PANELS, amount_of

MOST_POINTS = 20_000  # in a cloud of cells
BINS = 25  # of T
HEIGHT = 1.6  # inches, of a panel
HALO = [withStroke(linewidth=2.0, foreground="white")]  # around numbers that stand upon lines
SMALL_PART = 1e-3  # of the whole: not to be seen in a picture
# what a sweep tells of the solver and not of the physics; in a steady state sources are what walls take out
TECHNICAL = ("converged", "reason", "residual", "method", "status", "steps", "cycles", "index", "order", "inserted", "branch", "frame", "warm_start", "conservation_drift", "time", "entropy_heat", "entropy_closure", "entropy_imbalance", "zero", "min", "max", "source")


def columns_of(count):
    return 2 if count == 4 else min(count, 3)


def row_of(figure, count):
    """Panels beside each other, at most three in a row; a single one does not fill a wide page."""
    if count == 1 and figure.bbox.width > 6.5 * figure.dpi:
        panels = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1, 3, 1]})
        panels[0].set_visible(False)
        panels[2].set_visible(False)
        return panels[1:2]
    columns = columns_of(count)
    panels = figure.subplots(math.ceil(count / columns), columns, squeeze=False).ravel()
    for axes in panels[count:]:
        axes.set_visible(False)
    return panels[:count]


def zero_line(axes):
    """Where a curve changes its sign, zero is worth seeing."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines] or [np.zeros(0)])
    if (values < 0).any() and (values > 0).any():
        axes.axhline(0, color=GREY, linewidth=0.6, zorder=0)


def time_axis(axes, time):
    """Logarithmic where most steps are early ones."""
    if len(time) > 8 and time[len(time) // 2] < 0.05 * time[-1]:
        axes.set_xscale("log")
        axes.set_xlim(time[time > 0][0], time[-1])
    else:
        axes.set_xlim(time[0], time[-1])


# ------------------------------------------------------------------------------------------------------ beside the concentrations


def panels_beside(view):
    """[draw(axes)] of what a frame holds beside the concentrations, in 1D all of it, else what is no map: S_T against T."""
    panels = [draw_soret_against_temperature] if view.soret and view.temperature is not None else []
    if len(view.dims) > 1:
        return panels
    if any(view.has(f"flux/{s}") for s in view.species):
        panels.insert(0, draw_fluxes)
    if any(n.startswith("rate/") for n in view.derived):
        panels.append(draw_rates)
    if view.has("entropy_production"):
        panels.append(draw_entropy)
    return panels


def draw_beside(view, figure):
    panels = panels_beside(view)
    for draw, axes in zip(panels, row_of(figure, len(panels))):
        draw(view, axes)
        show_single_points(axes)
        zero_line(axes)


def along_x(view, axes):
    axes.set_xlim(view.edges("x")[0], view.edges("x")[-1])
    axes.set_xlabel(view.axis_label("x"))


def draw_fluxes(view, axes):
    for i, name in enumerate(view.species):
        if view.has(f"flux/{name}"):
            axes.plot(view.centres("x"), view.read(f"flux/{name}")[..., 0], label=name, **line_style(i))
    axes.set_ylabel(label("flux", view.result.units(f"flux/{view.species[0]}")))
    along_x(view, axes)
    legend_above(axes, named_lines(axes), ncol=3)


def draw_rates(view, axes):
    names = [n for n in view.derived if n.startswith("rate/")]
    for i, name in enumerate(names):
        axes.plot(view.centres("x"), view.read(name), label=view.field(name).attrs.get("equation", name), **line_style(i))
    axes.set_ylabel(label("net rate", view.field(names[0]).units))
    along_x(view, axes)
    legend_above(axes, named_lines(axes), ncol=2)


def draw_entropy(view, axes):
    values = view.read("entropy_production")
    axes.plot(view.centres("x"), values, color="black")
    if use_log([values]):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_ylabel(view.name("entropy_production"))
    if not np.isfinite(values).any():
        say_undefined(axes)
    along_x(view, axes)


def sample(view, names):
    """Values of fields in the same cells, at most MOST_POINTS of them, read plane by plane."""
    shape = tuple(len(view.result.coords[a]) for a in view.dims)
    step = max(1, math.ceil((math.prod(shape) / MOST_POINTS) ** (1 / len(shape))))
    key = tuple(slice(step // 2 if n > step else 0, None, step) for n in shape)
    return [view.read(n, key).ravel() for n in names]


def draw_soret_against_temperature(view, axes):
    """A line in 1D, from cell to cell, which breaks where there is solid; in 2D and 3D the cells and their median at each T. A change of sign is marked."""
    T, S = sample(view, ("temperature", view.soret))
    if len(view.dims) > 1:
        keep = np.isfinite(S) & np.isfinite(T)
        order = np.argsort(T[keep], kind="stable")
        T, S = T[keep][order], S[keep][order]
    if len(view.dims) > 1 and T.size > BINS:
        axes.plot(T, S, ".", markersize=1.5, color=COLOURS[5], alpha=0.35, rasterized=True, label="cells")
        bins = np.minimum((BINS * (T - T[0]) / max(T[-1] - T[0], 1e-300)).astype(int), BINS - 1)
        parts = [bins == k for k in range(BINS) if np.count_nonzero(bins == k) >= max(3, T.size // 1000)]
        T, S = (np.array([np.median(v[p]) for p in parts]) for v in (T, S))
        low, high = np.nanpercentile(np.concatenate([line.get_ydata() for line in axes.lines]), [1, 99])
        if high > low:
            axes.set_ylim(low - 0.15 * (high - low), high + 0.15 * (high - low))
    axes.plot(T, S, color=COLOURS[0], label="median" if axes.lines else "$S_T$")
    if len(axes.lines) > 1:
        legend_above(axes, list(axes.lines), ncol=2, markerscale=4)
    if np.isfinite(S).any():
        ends = float(np.nanmin(S)), float(np.nanmax(S))
        wider = widened(*ends)
        if wider != ends:
            axes.set_ylim(wider[0] or -wider[1], wider[1])  # a line at 0 would lie on the frame
    else:
        say_undefined(axes)
    mark_sign_changes(axes, T, S)
    if len(view.dims) == 1 and view.parts_of_soret:
        draw_parts(view, axes)
    axes.set_xlabel(view.name("temperature"))
    axes.set_ylabel(view.name(view.soret))
    axes.xaxis.set_major_locator(ticks(5))


def draw_parts(view, axes):
    """What S_T is the sum of, where that is more than nothing, and what it would be with infinitely fast reactions."""
    T, size = view.read("temperature"), largest(view.read(view.soret))
    for i, (part, name) in enumerate(view.parts_of_soret.items()):
        values = view.read(name)
        if varies(values) and largest(values) > SMALL_PART * size:
            style = {"color": GREY, "linestyle": ":"} if part == "equilibrium" else line_style(i + 1)
            axes.plot(T, values, label="fast reactions" if part == "equilibrium" else part, **dict(style, linewidth=1.0))
    legend_above(axes, named_lines(axes), ncol=3)


def sign_changes(x, y):
    """Where a curve crosses zero, by straight lines between its points, and whether it rises there."""
    y = np.asarray(y, dtype=float)
    at = np.flatnonzero(y[:-1] * y[1:] < 0)
    return zip(x[at] - y[at] * (x[at + 1] - x[at]) / (y[at + 1] - y[at]), y[at + 1] > y[at])


# -------------------------------------------------------------------------------------------------------------------- time


def has_series(result):
    return len(result.times) > 1 and "time" in result.series and len(result.series["time"]) > 1


def rows_of(series, name, length):
    """A series, cut to the length of time: a run that was stopped may have written one row more of some."""
    return np.asarray(series[name][:length], dtype=float)


def varies(values):
    """Is there more in a series than nothing, or nothing defined?"""
    return np.isfinite(values).any() and np.nanmax(np.abs(values)) > 0


def draw_series(view, figure):
    """Totals, the range of each species and, where there are any, the flows through the walls and the production of entropy."""
    series = view.result.series
    time = series["time"][:]
    factor, unit = scale_of(view.result.units("time"), np.abs(time).max())
    panels = [p for p in (draw_totals, draw_ranges, draw_wall_fluxes, draw_entropy_series) if has_panel(p, series, len(time))]
    for draw, axes in zip(panels, row_of(figure, len(panels))):
        draw(view, axes, factor * time)
        zero_line(axes)
        time_axis(axes, factor * time)
        axes.set_xlabel(label("t", unit))
        axes.axvline(factor * view.result.times[view.frame], color=GREY, linewidth=0.7, linestyle=":")
        handles = named_lines(axes)
        if handles:
            legend_above(axes, handles, ncol=min(len(handles), 3))


def has_panel(draw, series, length):
    if draw is draw_wall_fluxes:
        return any(n.startswith("boundary_flux/") for n in series)
    return draw is not draw_entropy_series or ("entropy_production" in series and varies(rows_of(series, "entropy_production", length)))


def count_series_panels(result):
    length = len(result.series["time"])
    return sum(has_panel(p, result.series, length) for p in (draw_totals, draw_ranges, draw_wall_fluxes, draw_entropy_series))


def draw_totals(view, axes, time):
    series = view.result.series
    for i, name in enumerate([n for n in series if n.startswith("total/")][:MOST_PANELS]):
        axes.plot(time, view.amount[0] * rows_of(series, name, len(time)), label=sum_name(series.formula(name)) or f"total {name[6:]}", **total_style(i))
    steady_axis(axes)
    axes.set_ylabel(label("mean of the total", view.amount[1]))


def draw_ranges(view, axes, time):
    series, curves = view.result.series, []
    for i, name in enumerate(view.species):
        if f"min/{name}" not in series or f"max/{name}" not in series:
            continue
        low, high = (view.amount[0] * rows_of(series, f"{end}/{name}", len(time)) for end in ("min", "max"))
        curves += [low, high]
        axes.fill_between(time, low, high, color=COLOURS[i % len(COLOURS)], alpha=0.18, linewidth=0)
        axes.plot(time, high, label=name, **line_style(i))
        axes.plot(time, low, **dict(line_style(i), linewidth=0.9))
    if use_log(curves):
        axes.set_yscale("log")
    axes.set_ylabel(label("min .. max", view.amount[1]))


def draw_wall_fluxes(view, axes, time):
    series = view.result.series
    names = [n for n in series if n.startswith("boundary_flux/")]
    for i, name in enumerate(names[:MOST_PANELS]):
        axes.plot(time, rows_of(series, name, len(time)), label=" ".join(name.split("/")[:0:-1]), **line_style(i))
    axes.set_ylabel(fold(label("net inflow through the face", series[names[0]].units), HEIGHT))


def draw_entropy_series(view, axes, time):
    values = rows_of(view.result.series, "entropy_production", len(time))
    axes.plot(time, values, color="black")
    if use_log([values]):
        axes.set_yscale("log")
    axes.set_ylabel(fold(label("entropy production / R", view.result.series["entropy_production"].units), HEIGHT))


def steady_axis(axes):
    """Totals that are conserved shall look so: not the rounding errors, magnified."""
    values = np.concatenate([line.get_ydata() for line in axes.lines]) if axes.lines else np.zeros(0)
    values = values[np.isfinite(values)]
    if values.size and np.ptp(values) < 1e-6 * np.abs(values).max():
        middle = values.mean()
        axes.set_ylim(0.9 * middle, 1.1 * middle) if middle > 0 else axes.set_ylim(1.1 * middle, 0.9 * middle)


# -------------------------------------------------------------------------------------------------------------------- sweep


def sweep_family_of(name):
    """What shares a panel: total/0 and total/1, the parts of one S_T, the productions of entropy."""
    head = name.split("/")[0]
    return name.rpartition("/")[0] if head == "soret" and "/" in name else "entropy" if head.startswith("entropy_") else head


def sweep_panels(result):
    """{family: [name]} of what a sweep found, S_T first. Left out are what never changes, rounding errors, parts that are next to nothing beside their whole,
    and the mean S_T where it is drawn with its parts."""
    families, length = {}, len(result.sweep["parameter"])
    for name in result.sweep:
        head = name.split("/")[0]
        if name == "parameter" or head in TECHNICAL or head.startswith(("seconds", "peak", "newton", "linear", "rejected", "scaled")):
            continue
        data = result.sweep[name]
        if data.shape == (length,) and np.issubdtype(data.dtype, np.number) and np.isfinite(np.asarray(data[:], dtype=float)).any():
            families.setdefault(sweep_family_of(name), []).append(name)
    values = {n: np.asarray(result.sweep[n][:], dtype=float) for names in families.values() for n in names}
    for family, names in families.items():
        whole = {"entropy": "entropy_production"}.get(family, f"{family}/soret")
        names.sort(key=lambda name: name != whole)  # the whole before its parts
        if whole in names:
            families[family] = [n for n in names if largest(values[n]) > SMALL_PART * largest(values[whole])] or [whole]
    mean, first = values.get("soret_mean"), values.get("soret/total/0/soret")
    if mean is not None and first is not None and np.allclose(mean, first, rtol=1e-9, atol=0, equal_nan=True):
        del families["soret_mean"]
    changing = {f: names for f, names in families.items() if any(changes(values[n]) for n in names) and not all(is_rounding(values[n]) for n in names)}
    return dict(sorted((changing or families).items(), key=lambda item: rank_of(item[0])))


def rank_of(family):
    """S_T of sums comes first, then that of species, then the contrast."""
    return next((k for k, start in enumerate(("soret_mean", "soret/total", "soret", "contrast")) if family.startswith(start)), 4)


def largest(values):
    return np.nanmax(np.abs(values), initial=0.0)


def is_rounding(values):
    """Do neighbours differ by as much as they are large?"""
    values = values[np.isfinite(values)]
    return values.size >= 8 and np.abs(np.diff(values)).mean() > 0.8 * np.abs(values).mean()


def changes(values):
    values = values[np.isfinite(values)]
    return values.size > 0 and np.ptp(values) > 1e-9 * np.abs(values).max()


def has_sweep(result):
    return "parameter" in result.sweep and len(result.sweep["parameter"]) > 1 and bool(sweep_panels(result))


def draw_sweep(result, figure):
    """One panel per kind of observable against the parameter; where S_T changes its sign is marked."""
    parameter = result.sweep["parameter"]
    values = np.asarray(parameter[:], dtype=float)
    order = np.argsort(values, kind="stable")
    families = sweep_panels(result)
    for axes, (family, names) in zip(row_of(figure, len(families)), families.items()):
        factor, units = amount_of(result, [n[4:] for n in result.sweep if n.startswith("max/")], result.sweep[names[0]].units)
        curves = [factor * np.asarray(result.sweep[n][: len(values)], dtype=float)[order] for n in names[:MOST_PANELS]]
        for i, (name, curve) in enumerate(zip(names, curves)):
            mark = "." if len(values) <= 60 and (i == 0 or len(curves) < 3) else ""
            axes.plot(values[order], curve, marker=mark, label=sweep_label(result, name), **line_style(i))
        show_single_points(axes)
        if names[0] in ("soret", "soret_mean") or names[0].endswith("/soret"):
            mark_sign_changes(axes, values[order], curves[0])
        if use_log(curves):
            axes.set_yscale("log")
        elif family.startswith(("total", "contrast")):
            steady_axis(axes)
        if values.min() > 0 and values.max() > 100 * values.min():
            axes.set_xscale("log")
        axes.set_xlabel(label(sweep_parameter(result), parameter.units))
        axes.set_ylabel(fold(label(sweep_title(result, family), units), HEIGHT))
        zero_line(axes)
        if len(names) > 1:
            legend_above(axes, named_lines(axes), ncol=min(len(names), 3))


def mark_sign_changes(axes, x, y):
    for place, rises in sign_changes(x, y):
        axes.plot(place, 0, "o", markersize=4, color=COLOURS[1], zorder=3)
        axes.annotate(f"{place:.4g}", (place, 0), xytext=(4, -11 if rises else 5), textcoords="offset points", fontsize=7.5, color=COLOURS[1], path_effects=HALO)


def sweep_parameter(result):
    """The name of what was changed, from the attribute of /sweep/parameter or of the group, else from the case."""
    return result.sweep_name.removeprefix("parameters.") or "parameter"


def sweep_title(result, family):
    if family.startswith("soret/total/"):
        of = sum_name(result.sweep.formula(family[6:])) if family[6:] in result.sweep else ""
        return f"$S_T$ of {of}" if of else "$S_T$ of a sum"
    return {"soret_mean": "$S_T$", "soret": "$S_T$", "soret/species": "$S_T$ of species", "entropy": "entropy production / R", "total": "mean of the total"}.get(family, family.replace("_", " "))


def sweep_label(result, name):
    if name.startswith("total/"):
        return sum_name(result.sweep.formula(name)) or name
    last = name.rpartition("/")[2] if name.startswith("soret/") else name.split("/", 1)[-1]
    return {"soret": "$S_T$", "equilibrium": "fast reactions", "entropy_production": "all", "entropy_reactions": "reactions", "entropy_diffusion": "diffusion"}.get(last, last)
