# SPDX-License-Identifier: BSD-2-Clause
"""How pictures look: type, lines, colours, and units that read well. For all who draw: with matplotlib.rc_context(STYLE): ..."""
import os
import textwrap

import matplotlib
import numpy as np
from matplotlib import colors
from matplotlib.ticker import FixedLocator, MaxNLocator

STYLE = {
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.6,
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.useoffset": False,  # numbers as they are, not what is to be added to another one in a corner
    "axes.formatter.use_mathtext": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "image.cmap": "viridis",
    "mathtext.default": "regular",
    "pdf.fonttype": 42,  # text stays text in PDF, as journals ask
    "svg.fonttype": "none",
}
# the colours of Okabe and Ito, and dashes for those who see none
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
DASHES = ["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5))]
GREY = "#6b6b6b"
SOLID = "#c8c8c8"
# sequential maps of even lightness for amounts; with two signs, white is zero: red gathers in the warmth (S_T < 0), blue in the cold
MAPS = {"temperature": "cividis", "entropy_production": "magma", "soret": "RdBu", "rate": "PuOr", "difference": "PuOr", None: "viridis"}
SIGNED = ("soret", "rate", "difference")
DECADES = 3  # of a field on a linear scale; beyond, it is logarithmic
MOST_DECADES = 12
LONG_SUM = 24  # letters
LETTER = 0.068  # inches, of the name of a panel
FLAT = 1e-9  # a smaller relative change is none
NOTHING = 1e-30  # a field that is smaller everywhere is zero, in any units that people use


def save(figure, path, dpi, **options):
    """Writes a picture; returns the name that it has then, which ends in .png where none is named."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"'{path}' is a folder")
    path = path if len(os.path.splitext(path)[1]) > 1 else path.rstrip(".") + ".png"
    figure.savefig(path, dpi=dpi, **options)
    return path


def line_style(i):
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)]}


def total_style(i):
    return {"color": ("black", "#555555", "#999999")[i % 3], "linestyle": DASHES[(i + 2) % len(DASHES)], "linewidth": 1.1}


def pretty(units):
    """mol/m^3 as mol/m³."""
    for plain, nice in (("^2", "²"), ("^3", "³"), ("um", "µm"), ("us", "µs")):
        units = units.replace(plain, nice)
    return units


def ticks(count):
    """At most so many, at numbers that are easy to read."""
    return MaxNLocator(count, steps=[1, 2, 2.5, 5, 10])


def sum_name(weights):
    """A + 2 A2 of {"A": 1, "A2": 2}; of a long sum the ends, as there is little room."""
    terms = [("-" if w < 0 else "+", s if abs(w) == 1 else f"{abs(w):g} {s}") for s, w in weights.items()]
    joined = lambda terms: " ".join(word for term in terms for word in term).removeprefix("+ ")  # noqa: E731
    return joined([terms[0], ("+", "..."), terms[-1]]) if len(terms) > 3 and len(joined(terms)) > LONG_SUM else joined(terms)


def fold(text, inches):
    """In lines of at most that length, as far as there are blanks."""
    return textwrap.fill(text, int(inches / LETTER), break_long_words=False, break_on_hyphens=False)


def thin_out(axis):
    """Leaves out every other number along a horizontal axis where they touch. For figures that are laid out."""
    while True:
        low, high = sorted(axis.get_view_interval())
        shown = [place for place in axis.get_majorticklocs() if low <= place <= high]
        boxes = sorted((box.x0, box.x1 + 0.5 * box.height) for box in (text.get_window_extent() for text in axis.get_ticklabels() if text.get_text()))
        if len(shown) < 3 or all(left[1] < right[0] for left, right in zip(boxes, boxes[1:])):
            return
        axis.set_major_locator(FixedLocator(shown[::2]))


def label(name, units):
    return f"{name} ({pretty(units)})" if units else name


def scale_of(units, largest):
    """Factor and name of the unit in which a length, a time or a concentration is easy to read."""
    steps = {
        "m": [(1, "m"), (1e-3, "mm"), (1e-6, "um"), (1e-9, "nm")],
        "s": [(86400.0, "d"), (3600.0, "h"), (1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")],
        "mol/m^3": [(1, "mol/m^3"), (1e-3, "umol/L"), (1e-6, "nmol/L")],
    }
    chosen = steps.get(units, [(1, units)])
    for unit, name in chosen:
        if largest >= unit * (2 if unit > 1 else 1 - 1e-9):
            return 1 / unit, name
    return 1 / chosen[-1][0], chosen[-1][1]


def limits_of(planes):
    """Common limits of the colours; a field that does not vary, or by rounding errors only, gets a range all the same."""
    finite = [p[np.isfinite(p)] for p in planes]
    finite = [p for p in finite if p.size]
    if not finite:
        return 0.0, 1.0
    low, high = float(min(p.min() for p in finite)), float(max(p.max() for p in finite))
    return widened(low, high)


def widened(low, high):
    """Limits that do not magnify rounding errors."""
    if max(abs(low), abs(high)) < NOTHING:
        return (0.0, 1.0) if low >= 0 else (-0.5, 0.5)
    if high - low <= FLAT * max(abs(low), abs(high)):
        pad = 0.5 * abs(high)
        return low - pad, high + pad
    return low, high


def is_wide(low, high):
    """Are both positive and so far apart that a linear scale shows the largest only?"""
    return low > 0 and high > 10.0**DECADES * low


def kind_of(field):
    """The kind of a field by its name: "rate" of rate/0, "soret" of meter/total/0/soret."""
    return "soret" if field.startswith("meter/") else field.split("/")[0]


def colours_of(field, low, high):
    """Colour map and norm of a field. A signed field has white at zero; one of a single sign takes the half of the map that tells it."""
    kind = kind_of(field)
    colours = matplotlib.colormaps[MAPS.get(kind, MAPS[None])]
    norm = colors.Normalize(low, high)
    if kind in SIGNED:
        if low < 0 < high:
            norm = colors.Normalize(-max(-low, high), max(-low, high))
        else:
            half = np.linspace(0.6, 1.0, 256) if low >= 0 else np.linspace(0.0, 0.4, 256)
            colours = colors.ListedColormap(colours(half))
    elif is_wide(low, high):
        norm = colors.LogNorm(max(low, high / 10.0**MOST_DECADES), high)
    return colours.with_extremes(bad=SOLID), norm
