# SPDX-License-Identifier: BSD-2-Clause
"""Command line: python3 -m soretpost plot FILE [-o PNG], python3 -m soretpost info FILE, python3 -m soretpost import FILE... -o FILE.h5."""
import argparse
import os
import sys

from . import open as open_result
from . import importer, plot


def draw(options):
    with open_result(options.file) as result:
        figure = plot(result, frame=options.frame, species=options.species)
    output = options.output or os.path.splitext(options.file)[0] + ".png"
    figure.savefig(output, dpi=options.dpi)
    print(output)


def info(options):
    with open_result(options.file) as result:
        print(result.describe())


def parse(arguments):
    parser = argparse.ArgumentParser(prog="soretpost", description="Reads and plots the result files of soret.")
    commands = parser.add_subparsers(required=True, metavar="plot | info | import")
    command = commands.add_parser("plot", help="profiles, maps or slices of the last frame, and the course of time")
    command.add_argument("file", help="result file (HDF5)")
    command.add_argument("-o", "--output", help="picture, of any format matplotlib knows (default: FILE with .png)")
    command.add_argument("--frame", type=int, default=-1, help="number of the frame, negative from the end (default: the last)")
    command.add_argument("--species", nargs="+", metavar="NAME", help="only these")
    command.add_argument("--dpi", type=int, default=200)
    command.set_defaults(run=draw)
    command = commands.add_parser("info", help="what the file holds")
    command.add_argument("file", help="result file (HDF5)")
    command.set_defaults(run=info)
    importer.add_arguments(commands.add_parser("import", help="images, surfaces and fields of other programs as datasets for a case file"))
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    try:
        options.run(options)
    except (OSError, KeyError, IndexError, ValueError) as error:
        text = error.args[0] if isinstance(error, KeyError) else error
        print(f"{options.file if 'file' in options else options.files[0]}: {text}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
