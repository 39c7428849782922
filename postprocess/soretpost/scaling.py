# SPDX-License-Identifier: BSD-2-Clause
"""Scaling studies from the performance records that runs leave (output.record=true): a table, and a figure with the ideal line, the efficiency
and where the time goes.

    python3 -m soretpost scaling RECORD.json ... [-o FIGURE]

Records of one case with one number of unknowns are a strong series; where the unknowns grow with the ranks it is a weak one. Of several runs of
one size the fastest counts. matplotlib is needed for the figure only.
"""
import json
import math
import os

OUTSIDE = ("start", "setup", "output", "checkpoint")  # phases that are not the solution
SHADES = {"residual": "#0072B2", "smoother": "#56B4E9", "transfer": "#009E73", "halo": "#D55E00", "coarse": "#CC79A7", "jacobian": "#E69F00",
          "solve": "#F0E442", "start": "#d9d9d9", "setup": "#b3b3b3", "output": "#8c8c8c", "checkpoint": "#5c5c5c"}
NEEDED = ("ranks", "nodes", "unknowns", "seconds", "phases", "case_hash", "converged")


class Run:
    """One record."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            try:
                self.record = json.load(file)
            except ValueError as error:
                raise ValueError(f"{path} is no performance record: {error}") from None
        if not isinstance(self.record, dict) or self.record.get("format") != "soret-record":
            raise ValueError(f"{path} is no performance record of soret")
        if self.record.get("format_version") != 1:
            raise ValueError(f"{path} has version {self.record.get('format_version')} of the format, this program reads 1")
        missing = [key for key in NEEDED if key not in self.record]
        if missing:
            raise ValueError(f"{path} has no {', '.join(missing)}")
        self.path = path
        self.phases = {name: phase["seconds"] for name, phase in self.record["phases"].items()}

    def __getattr__(self, name):
        try:
            return self.__dict__["record"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def solving(self):
        """Seconds of the solution alone."""
        return sum(seconds for name, seconds in self.phases.items() if name not in OUTSIDE)

    def total(self, counter):
        return sum(phase[counter] for phase in self.record["phases"].values())

    @property
    def cycles_or_steps(self):
        return self.record.get("steps") or self.record.get("cycles") or self.record.get("newton_iterations") or 1


class Series:
    """Runs of one case on ever more ranks; the fastest of each size."""

    def __init__(self, runs, kind):
        best = {}
        for run in runs:
            if run.ranks not in best or run.solving < best[run.ranks].solving:
                best[run.ranks] = run
        self.runs = [best[ranks] for ranks in sorted(best)]
        self.kind = kind

    @property
    def first(self):
        return self.runs[0]

    @property
    def name(self):
        title = self.first.record.get("title") or os.path.splitext(os.path.basename(self.first.record.get("case", "")))[0]
        if self.kind == "weak":
            return f"{title}, {self.first.unknowns / self.first.ranks:.4g} unknowns per rank"
        return f"{title}, {self.first.unknowns:.4g} unknowns"

    def ideal(self, run):
        """Seconds of the solution if it scaled perfectly from the first size."""
        return self.first.solving * (run.unknowns / self.first.unknowns) / (run.ranks / self.first.ranks)

    def efficiency(self, run):
        return self.ideal(run) / run.solving


def read(paths):
    return [Run(path) for path in paths]


def grows_with_ranks(runs):
    """Is the number of unknowns per rank about the same on all?"""
    each = [run.unknowns / run.ranks for run in runs]
    return max(each) < 1.6 * min(each)


def collect(runs, kind="auto"):
    """Series of the runs. kind - strong, weak or auto."""
    cases = {}
    for run in runs:
        cases.setdefault((run.case_hash, run.record.get("species"), run.record.get("mode")), []).append(run)
    series = []
    for members in cases.values():
        sizes = sorted({run.unknowns for run in members})
        weak = kind == "weak" or (kind == "auto" and len(sizes) > 1 and grows_with_ranks(members))
        if weak:
            series.append(Series(members, "weak"))
        else:
            series += [Series([run for run in members if run.unknowns == size], "strong") for size in sizes]
    return series


# ----------------------------------------------------------------------------------------------------------------------- table

COLUMNS = (
    ("ranks", lambda s, r: f"{r.ranks}"),
    ("nodes", lambda s, r: f"{r.nodes}"),
    ("unknowns", lambda s, r: f"{r.unknowns:.4g}"),
    ("whole s", lambda s, r: f"{r.seconds:.3g}"),
    ("solve s", lambda s, r: f"{r.solving:.3g}"),
    ("ideal s", lambda s, r: f"{s.ideal(r):.3g}"),
    ("efficiency", lambda s, r: f"{100 * s.efficiency(r):.0f} %"),
    ("cycles", lambda s, r: f"{r.cycles_or_steps}"),
    ("halo", lambda s, r: f"{100 * r.phases.get('halo', 0) / r.solving:.0f} %"),
    ("coarse", lambda s, r: f"{100 * r.phases.get('coarse', 0) / r.solving:.0f} %"),
    ("messages", lambda s, r: f"{r.total('messages'):.3g}"),
    ("MB sent", lambda s, r: f"{r.total('message_bytes') / 1e6:.3g}"),
    ("reductions", lambda s, r: f"{r.total('reductions'):.0f}"),
    ("MiB/rank", lambda s, r: f"{r.peak_bytes['rank_max'] / 2**20:.0f}"),
)


def table(series):
    """The series as text."""
    lines = []
    for s in series:
        rows = [[title for title, _ in COLUMNS]] + [[show(s, run) for _, show in COLUMNS] for run in s.runs]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        lines.append(f"{s.kind} scaling: {s.name}")
        lines += ["  ".join(word.rjust(width) for word, width in zip(row, widths)) for row in rows]
        lines += [f"not converged: {run.path}" for run in s.runs if not run.converged]
        versions = sorted({run.record.get("commit", "") for run in s.runs})
        if len(versions) > 1:
            lines.append(f"from different versions: {', '.join(versions)}")
        lines.append("")
    return "\n".join(lines).rstrip()


# ----------------------------------------------------------------------------------------------------------------------- figure


def rank_axis(axes, series):
    """Powers of two, with the sizes that were run as ticks."""
    ranks = sorted({run.ranks for s in series for run in s.runs})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ranks)
    axes.set_xticklabels([str(n) for n in ranks])
    axes.minorticks_off()
    axes.set_xlabel("ranks")
    if len(ranks) == 1:
        axes.set_xlim(ranks[0] / 2, ranks[0] * 2)


def draw_times(axes, series, line_style):
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for i, s in enumerate(series):
        ranks = [run.ranks for run in s.runs]
        axes.plot(ranks, [run.solving for run in s.runs], marker="o", markersize=4, label=s.name.replace("$", r"\$"), **line_style(i))
        axes.plot(ranks, [s.ideal(run) for run in s.runs], color=line_style(i)["color"], linewidth=0.8, linestyle=":", label="ideal" if i == len(series) - 1 else None)
    axes.set_yscale("log", base=2)
    low, high = map(math.log2, axes.get_ylim())
    axes.set_ylim(2.0 ** math.floor(low), 2.0 ** math.ceil(high))  # two numbers at least
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.3g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("time of the solution (s)")
    axes.set_title("Time")


def draw_efficiency(axes, series, line_style):
    for i, s in enumerate(series):
        axes.plot([run.ranks for run in s.runs], [100 * s.efficiency(run) for run in s.runs], marker="o", markersize=4, **line_style(i))
    axes.axhline(100, color="black", linewidth=0.8, linestyle=":")
    top = max(100 * s.efficiency(run) for s in series for run in s.runs)
    axes.set_ylim(0, max(110, 1.08 * top))
    axes.set_ylabel("efficiency (%)")
    axes.set_title("Efficiency")


def draw_phases(axes, s):
    """The time of all ranks together, as a share of that of the first size: what grows here is what scaling loses."""
    unit = s.first.seconds * s.first.ranks / s.first.unknowns
    names = [name for name in SHADES if any(name in run.phases for run in s.runs)]
    names += sorted({name for run in s.runs for name in run.phases} - set(SHADES))
    bottom = [0.0] * len(s.runs)
    for name in names:
        heights = [run.phases.get(name, 0.0) * run.ranks / run.unknowns / unit for run in s.runs]
        axes.bar(range(len(s.runs)), heights, 0.7, bottom=bottom, color=SHADES.get(name, "white"), edgecolor="white", linewidth=0.4, label=name)
        bottom = [b + h for b, h in zip(bottom, heights)]
    axes.axhline(1, color="black", linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(s.runs)))
    axes.set_xticklabels([str(run.ranks) for run in s.runs])
    axes.set_xlabel("ranks")
    axes.set_ylabel("core time per unknown\n(1: the first size)")
    axes.set_title("Where it goes" if s.kind == "strong" else "Where it goes (weak)")


def figure(series):
    """A matplotlib Figure of the series; a column of phases for each of the first three."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from .style import STYLE, line_style

    shown = series[:3]
    with matplotlib.rc_context(STYLE):
        drawing = Figure(figsize=(3.2 * (2 + len(shown)) + 0.8, 3.6), layout="constrained")
        FigureCanvasAgg(drawing)
        panels = drawing.subplots(1, 2 + len(shown))
        draw_times(panels[0], series, line_style)
        draw_efficiency(panels[1], series, line_style)
        for axes in panels[:2]:
            rank_axis(axes, series)
        for axes, s in zip(panels[2:], shown):
            draw_phases(axes, s)
        handles, labels = panels[-1].get_legend_handles_labels()
        panels[-1].legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.02, 0.5))
        drawing.legend(handles=panels[0].get_legend_handles_labels()[0], loc="upper center", ncol=min(3, len(series) + 1), bbox_to_anchor=(0.5, 0.0))
        drawing.canvas.draw()
    return drawing


# ---------------------------------------------------------------------------------------------------------------------- command


def run_command(options):
    options.file = options.records[0]  # for messages
    series = collect(read(options.records), options.kind)
    print(table(series))
    if options.output:
        try:
            from .style import save

            print(save(figure(series), options.output, options.dpi, bbox_inches="tight"))
        except ImportError as error:
            print(f"no figure: {error}")


def add_command(commands):
    command = commands.add_parser("scaling", help="table and figure of strong or weak scaling from performance records")
    command.add_argument("records", nargs="+", metavar="RECORD.json", help="performance records (output.record=true)")
    command.add_argument("-o", "--output", help="figure, of any format matplotlib knows (default: the table only)")
    command.add_argument("--kind", choices=("auto", "strong", "weak"), default="auto", help="default: by the number of unknowns")
    command.add_argument("--dpi", type=int, default=200)
    command.set_defaults(run=run_command)
