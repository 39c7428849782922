# SPDX-License-Identifier: BSD-2-Clause
"""Pictures of tests/bench/run_bench.py --json: time against error of what runs in time, and how many times longer others take.

    python3 -m soretpost bench RECORD.json [-o FIGURE]
"""
import json
import os

CLOCKS = {"processor_seconds": "whole process", "solve_seconds": "solve"}


def read(path):
    """The record, and its problems by name."""
    with open(path, encoding="utf-8") as file:
        try:
            record = json.load(file)
        except ValueError as error:
            raise ValueError(f"{path} is no record of run_bench.py: {error}") from None
    if not isinstance(record, dict) or record.get("format") != "soret-bench":
        raise ValueError(f"{path} is no record of run_bench.py")
    if record.get("format_version") != 1:
        raise ValueError(f"{path} has version {record.get('format_version')} of the format, this program reads 1")
    return record, {name.split()[-1]: part for name, part in record.items() if name.startswith("problem ")}


def programs(problem):
    """{name: result} of the runs of a problem."""
    return {name: result for name, result in problem.items() if isinstance(result, dict) and "seconds" in result}


def courses(problem):
    """{program: [(largest error of concentrations, seconds of the processor)]}, the reference left out."""
    found = {}
    for name, result in programs(problem).items():
        if result.get("errors", {}).get("field", 0) > 0:
            found.setdefault(name.rsplit(" ", 1)[0], []).append((result["errors"]["field"], result["processor_seconds"]))
    return {name: sorted(points) for name, points in found.items()}


def draw_errors(axes, problem, line_style):
    for i, (name, points) in enumerate(courses(problem).items()):
        axes.plot(*zip(*points), marker="o", markersize=4, label=name, **line_style(i))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("largest error of concentrations")
    axes.set_ylabel("time of the processor, whole process (s)")
    axes.legend()


def draw_ratios(axes, problem, colours):
    """Bars of times over those of soret."""
    results = programs(problem)
    soret = results.pop("soret")
    names = list(results)
    for i, (key, words) in enumerate(CLOCKS.items()):
        places = [k + 0.38 * (i - 0.5) for k in range(len(names))]
        bars = axes.barh(places, [results[name].get(key, 0.0) / soret[key] for name in names], 0.36, color=colours[i], label=words)
        axes.bar_label(bars, [f"{bar.get_width():.3g}" for bar in bars], padding=2, fontsize=7)
    axes.set_yticks(range(len(names)))
    axes.set_yticklabels(names)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.axvline(1, color="black", linewidth=0.8, linestyle=":")
    axes.set_xlabel("time over that of soret")
    axes.legend()


def figure(record, problems):
    """A matplotlib Figure with a panel for each problem."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from .style import COLOURS, STYLE, line_style

    with matplotlib.rc_context(STYLE):
        drawing = Figure(figsize=(4.6 * len(problems), 3.6), layout="constrained")
        FigureCanvasAgg(drawing)
        for axes, (name, problem) in zip(drawing.subplots(1, len(problems), squeeze=False)[0], problems.items()):
            draw_errors(axes, problem, line_style) if any("errors" in result for result in programs(problem).values()) else draw_ratios(axes, problem, COLOURS)
            axes.set_title(f"Problem {name}, {record['cells']}³ cells")
    return drawing


def draw(options):
    record, problems = read(options.file)
    if not any(programs(problem) for problem in problems.values()):
        raise ValueError("the record has no runs")
    problems = {name: problem for name, problem in problems.items() if len(programs(problem)) > 1}
    if not problems:
        raise ValueError("the record has nothing beside soret: run_bench.py --peers")
    from .style import save

    print(save(figure(record, problems), options.output or os.path.splitext(options.file)[0] + ".png", options.dpi))


def add_command(commands):
    command = commands.add_parser("bench", help="time against error, and ratios, from a record of tests/bench/run_bench.py")
    command.add_argument("file", metavar="RECORD.json", help="what run_bench.py --json wrote")
    command.add_argument("-o", "--output", help="figure, of any format matplotlib knows (default: RECORD with .png)")
    command.add_argument("--dpi", type=int, default=200)
    command.set_defaults(run=draw)
