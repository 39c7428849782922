# SPDX-License-Identifier: BSD-2-Clause
"""One page per run, complete in one HTML file: what came out, pictures, budgets, timings, provenance, the case."""
import base64
import html
import io

import numpy as np

from .courses import has_sweep, rows_of, sweep_label, sweep_panels, sweep_parameter
from .plots import plot
from .style import label, pretty

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; color: #1c1c1c; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; margin-bottom: .2rem; }} h3 {{ font-size: 1rem; margin-bottom: .3rem; }} h2 {{ font-size: 1.1rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #ccc; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }} td, th {{ padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top; }}
td.n, th.n {{ text-align: right; white-space: nowrap; }} td {{ overflow-wrap: anywhere; }} pre {{ background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: 13px; }}
img {{ max-width: 100%; }} .wide {{ overflow-x: auto; }} .wide td {{ white-space: nowrap; }} .good {{ color: #00674a; }} .bad {{ color: #b03a00; font-weight: bold; }} .small {{ color: #555; }}
@media print {{ h2 {{ break-after: avoid; }} img, table {{ break-inside: avoid; }} }}
</style></head><body>
{body}
</body></html>
"""


def escape(value):
    return html.escape(str(value), quote=False)


def number(value):
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return escape(value)
    return f"{value:d}" if isinstance(value, (int, np.integer)) else f"{value:.6g}"


def rows(pairs):
    return "<table>" + "".join(f"<tr><td>{escape(k)}</td><td>{number(v)}</td></tr>" for k, v in pairs) + "</table>"


def columns(head, lines):
    """A table of numbers with a heading; the first column is text."""
    cells = lambda tag, line: "".join(f"<{tag}{' class=n' if i else ''}>{number(v)}</{tag}>" for i, v in enumerate(line))  # noqa: E731
    return f"<table><tr>{cells('th', head)}</tr>" + "".join(f"<tr>{cells('td', line)}</tr>" for line in lines) + "</table>"


def section(title, content):
    return f"<h2>{escape(title)}</h2>\n{content}\n" if content else ""


def verdict(result):
    """Did it end well?"""
    if not result.summary:
        return '<p class="bad">No summary: the run did not end, or goes on.</p>'
    good = bool(result.summary.get("converged", 0))
    reason = escape(result.summary.get("reason", "no reason given"))
    return f'<p class="good">{reason[:1].upper() + reason[1:]}</p>' if good else f'<p class="bad">Not converged: {reason}</p>'


def picture(result):
    if not result.species and not has_sweep(result):
        return ""
    figure = plot(result)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=140)
    return f'<img alt="{html.escape(result.title)}" src="data:image/png;base64,{base64.b64encode(image.getvalue()).decode("ascii")}">'


def extent(result):
    unit = pretty(result.units(result.dims[-1]))
    return ", ".join(f"{a} {result.edges[a][0]:g} .. {result.edges[a][-1]:g}{' ' + unit if unit else ''} in {len(result.coords[a])} cells" for a in reversed(result.dims))


def overview(result):
    pairs = [("box", extent(result)), ("species", ", ".join(result.species)), ("frames", len(result.times))] if result.species else [("box", extent(result))]
    if len(result.times) > 1:
        unit = pretty(result.units("time"))
        pairs.append(("time", f"{result.times[0]:g} .. {result.times[-1]:g} {unit}".strip()))
    return rows(pairs)


def words(name):
    """What a column of the file is called: inflow x- A_2. Species keep their names."""
    head, _, rest = name.partition("/")
    return f"{head.replace('boundary_flux', 'inflow').replace('_', ' ')} {rest.replace('/', ' ')}".strip()


def budgets(result):
    """Totals and what crossed the walls: first and last row, and the drift."""
    series = result.series
    length = len(series["time"]) if "time" in series else 0
    if not length:
        return ""
    lines = []
    for name in series:
        if name.startswith(("total/", "boundary_flux/", "entropy")):
            values = rows_of(series, name, length)
            title = series.text(name) if name.startswith("total/") else words(name)
            lines.append((("mean of " if name.startswith("total/") else "") + title, values[0], values[-1], values[-1] - values[0]))
    table = columns(("", "first", "last", "change"), lines) if lines else ""
    drift = result.summary.get("conservation_drift")
    return table + (f'<p class="small">Conservation drift {drift:.2g}: the largest change of a conserved total over the mean of its parts.</p>' if drift is not None else "")


ORDER = ("in", "out", "source", "change", "soret", "chemical", "diffusivity", "intrinsic", "transport", "velocity", "equilibrium")  # of columns


def details(result):
    """Tables below /summary, one per kind of group: budgets and parts of S_T, a row per species or sum."""
    tables, text, told = {}, "", None
    for path, attrs in result.tables().items():
        kind = path.split("/")[0]
        tables.setdefault((kind, tuple(n for n in attrs if n != "of")), []).append((path, attrs))
    for (kind, there), found in tables.items():
        names = [n for n in ORDER if n in there] + [n for n in there if n not in ORDER]
        lines = [(attrs.get("of", path.split("/", 1)[-1].replace("/", " ")), *(attrs.get(n, "") for n in names)) for path, attrs in found]
        if kind != told:
            text += f"<h3>{escape({'soret': 'Soret coefficient', 'budget': 'Budget at the end'}.get(kind, kind))}</h3>"
        text, told = text + columns(("", *({"soret": "S_T"}.get(n, n) for n in names)), lines), kind
    return text


def sweep_table(result):
    """A row per point of a sweep, of what the picture shows, and whether it converged."""
    if not has_sweep(result):
        return ""
    sweep, names = result.sweep, [n for family in sweep_panels(result).values() for n in family]
    values = [np.asarray(sweep[n][:], dtype=float) for n in ["parameter", *names]]
    good = ["" if ok else "not converged" for ok in sweep["converged"][:]] if "converged" in sweep else [""] * len(values[0])
    lines = [(f"{values[0][k]:.6g}", *(f"{v[k]:.4g}" for v in values[1:]), good[k]) for k in np.argsort(values[0], kind="stable")]
    return f"<div class=wide>{columns((label(sweep_parameter(result), sweep['parameter'].units), *(sweep_head(result, n) for n in names), ''), lines)}</div>"


def sweep_head(result, name):
    if name.startswith("soret/species/"):
        return f"S_T of {name[14:]}"
    return sweep_label(result, name).replace("$", "") if name.startswith("soret/") else words(name)


def split_summary(result):
    """The summary as (outcome, solver, timings)."""
    timing = [(k[8:] if k.startswith("seconds_") else k, v) for k, v in result.summary.items() if k.startswith("seconds_")]
    timings = [(name, f"{value:.4g} s") for name, value in timing]
    if "peak_bytes" in result.summary:
        timings.append(("memory, all ranks", f"{result.summary['peak_bytes'] / 2**30:.3g} GiB"))
    solver = ("method", "residual", "newton_iterations", "linear_iterations", "cycles", "steps", "rejected_steps", "backward_euler_steps", "scaled_corrections", "checkpoints", "attempt")
    known = set(solver) | {"converged", "reason", "peak_bytes", "conservation_drift"}
    outcome = [(k.replace("_", " "), ("yes" if v else "no") if k == "detailed_balance" else v) for k, v in result.summary.items() if k not in known and not k.startswith("seconds_")]
    return outcome, [(k.replace("_", " "), result.summary[k]) for k in solver if k in result.summary], timings


def report(result):
    """The page, as text."""
    outcome, solver, timings = split_summary(result)
    body = f"<h1>{escape(result.title)}</h1>\n<p class=small>{escape(result.path)}</p>\n" + verdict(result) + overview(result)
    body += section("Results", rows(outcome) if outcome else "")
    body += section("Pictures", picture(result))
    body += section("Sweep", sweep_table(result))
    body += section("Budgets", budgets(result) + details(result))
    body += section("Solver", rows(solver) if solver else "") + section("Time and memory", rows(timings) if timings else "")
    body += section("Provenance", rows([(k.replace("_", " "), v) for k, v in result.attrs.items() if k != "title"]))
    body += section("Case", f"<pre>{escape(result.case)}</pre>" if result.case else "")
    return PAGE.format(title=escape(result.title), body=body)
