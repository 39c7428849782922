# SPDX-License-Identifier: BSD-2-Clause
"""Command line: python3 -m soretpost plot | compare | movie | report | info FILE ..., scaling RECORD.json ..., bench RECORD.json, import FILE... -o FILE.h5"""
import argparse
import os
import sys

from . import __version__, bench, importer, scaling
from . import open as open_result


def beside(path, ending):
    """NAME.png of NAME.h5."""
    return os.path.splitext(path)[0] + ending


def draw(options):
    from .plots import plot
    from .style import save

    with open_result(options.file) as result:
        figure = plot(result, options.frame, options.species, options.only)
    print(save(figure, options.output or beside(options.file, ".png"), options.dpi))


def compare(options):
    from .compare import compare as compare_results
    from .style import save

    with open_result(options.file) as first, open_result(options.second) as second:
        text, figure = compare_results(first, second, options.frame)
    print(text)
    print(save(figure, options.output or beside(options.file, "_compare.png"), options.dpi))


def movie(options):
    from .movie import movie as make_movie

    with open_result(options.file) as result:
        print(make_movie(result, options.output, options.fps, options.every, options.species, options.dpi))


def report(options):
    from .report import report as make_report

    output = options.output or beside(options.file, ".html")
    with open_result(options.file) as result:
        page = make_report(result)
    with open(output, "w", encoding="utf-8") as file:
        file.write(page)
    print(output)


def info(options):
    with open_result(options.file) as result:
        print(result.describe())


def add(commands, name, run, words, dpi=None, output=None):
    """A command on one result file."""
    command = commands.add_parser(name, help=words, description=words)
    command.add_argument("file", metavar="FILE", help="result file (HDF5)")
    if output:
        command.add_argument("-o", "--output", help=output)
    if dpi:
        command.add_argument("--dpi", type=int, default=dpi)
    command.set_defaults(run=run)
    return command


def parse(arguments):
    parser = argparse.ArgumentParser(prog="soretpost", description="Reads and draws the result files of soret.")
    parser.add_argument("--version", action="version", version=f"soretpost {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = add(commands, "plot", draw, "profiles, maps or planes of the last frame, and all else that belongs to it", 200, "picture, of any format matplotlib knows (default: FILE with .png)")
    command.add_argument("--frame", type=int, default=-1, help="number of the frame, negative from the end (default: the last)")
    command.add_argument("--species", nargs="+", metavar="NAME", help="only these")
    command.add_argument("--only", nargs="+", metavar="PART", help="only these parts: wall (of solid in 3D), fields, beside (fluxes, rates, S_T against T, ...), time, sweep")
    command = add(commands, "compare", compare, "how far two results are apart, as a table and a picture", 200, "picture (default: FILE with _compare.png)")
    command.add_argument("second", metavar="SECOND", help="another result over the same box, on any grid")
    command.add_argument("--frame", type=int, default=-1, help="number of the frame in both (default: the last)")
    command = add(commands, "movie", movie, "the frames as a film", 110, "film: .mp4 (needs ffmpeg) or .gif (default: FILE with what can be made)")
    command.add_argument("--fps", type=float, default=10.0, help="frames per second (default: 10)")
    command.add_argument("--every", type=int, default=0, metavar="N", help="each N-th frame (default: at most 300 in all)")
    command.add_argument("--species", nargs="+", metavar="NAME", help="only these")
    add(commands, "report", report, "one page of HTML: outcome, pictures, budgets, timings, provenance, case", output="page (default: FILE with .html)")
    add(commands, "info", info, "what the file holds")
    scaling.add_command(commands)
    bench.add_command(commands)
    importer.add_arguments(commands.add_parser("import", help="images, surfaces and fields of other programs as datasets for a case file"))
    if not (sys.argv[1:] if arguments is None else arguments):
        parser.print_help(sys.stderr)
        parser.exit(2)
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has enough, as `head`; what is left must not be tried again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ImportError as error:
        print(f"soretpost: {error.name} is missing, which this command needs (Debian: python3-{error.name})", file=sys.stderr)
        return 1
    except (OSError, KeyError, IndexError, ValueError, RuntimeError) as error:  # RuntimeError: of HDF5, where a file is damaged
        text = error.args[0] if isinstance(error, KeyError) else error
        names = [options.file] if "file" in options else options.files[:1] if "files" in options else []
        print(": ".join([*names, str(text)]), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
