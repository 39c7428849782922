# SPDX-License-Identifier: BSD-2-Clause
"""Tests of `soretpost scaling` on made-up records: python3 tests/post/test_scaling.py"""
import contextlib
import html
import io
import json
import os
import sys
import tempfile
import unittest

import matplotlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "postprocess"))

from soretpost import scaling  # noqa: E402
from soretpost.__main__ import main  # noqa: E402


def make(path, ranks, unknowns, residual, halo=0.0, output=1.0, **more):
    """A record of a run whose solution took residual + halo seconds."""
    phase = lambda seconds: {"seconds": seconds, "seconds_min": seconds, "seconds_max": seconds, "messages": 2 * ranks, "message_bytes": 1e6, "reductions": 10, "calls": 1}
    record = {"format": "soret-record", "format_version": 1, "version": "0.1.0", "commit": "abc", "case": "c.yaml", "case_hash": "1", "title": "A case", "mode": "steady",
              "converged": 1, "species": 2, "unknowns": unknowns, "cycles": 8, "steps": 0, "nodes": max(1, ranks // 4), "ranks": ranks, "seconds": residual + halo + output,
              "peak_bytes": {"rank_min": 1e8, "rank_max": 2 * 2**20, "sum": 1e8 * ranks}, "phases": {"residual": phase(residual), "halo": phase(halo), "output": phase(output)}, **more}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(record, file)
    return path


class Scaling(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.count = 0

    def make(self, *arguments, **more):
        self.count += 1
        return make(os.path.join(self.directory.name, f"{self.count}.json"), *arguments, **more)

    def command(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["scaling", *arguments])
        return status, out.getvalue(), err.getvalue()

    def test_strong(self):
        """8 s on 1, 4 on 2, 2 + 2 of halo on 4: 100, 100, 50 %. The output, which does not scale, does not count."""
        (series,) = scaling.collect(scaling.read([self.make(4, 1000, 2.0, 2.0), self.make(1, 1000, 8.0), self.make(2, 1000, 4.0)]))
        self.assertEqual(series.kind, "strong")
        self.assertEqual([r.ranks for r in series.runs], [1, 2, 4])
        self.assertEqual([series.efficiency(r) for r in series.runs], [1.0, 1.0, 0.5])
        self.assertEqual([series.ideal(r) for r in series.runs], [8.0, 4.0, 2.0])

    def test_weak(self):
        """As many unknowns per rank, 8 s, then 10: 80 %; with a tenth less unknowns per rank the ideal is a tenth less."""
        (series,) = scaling.collect(scaling.read([self.make(1, 1000, 8.0), self.make(8, 8000, 8.0, 2.0), self.make(4, 3600, 7.2)]))
        self.assertEqual(series.kind, "weak")
        for run, efficiency in zip(series.runs, (1.0, 1.0, 0.8)):
            self.assertAlmostEqual(series.efficiency(run), efficiency)

    def test_fastest_counts(self):
        (series,) = scaling.collect(scaling.read([self.make(1, 1000, 9.0), self.make(1, 1000, 8.0), self.make(1, 1000, 11.0)]))
        self.assertEqual([r.solving for r in series.runs], [8.0])

    def test_cases_are_kept_apart(self):
        runs = scaling.read([self.make(1, 1000, 8.0), self.make(2, 1000, 4.0), self.make(1, 1000, 3.0, case_hash="2"), self.make(1, 64000, 9.0), self.make(2, 64000, 9.0)])
        self.assertEqual(sorted((s.kind, s.first.unknowns, len(s.runs)) for s in scaling.collect(runs)), [("strong", 1000, 1), ("strong", 1000, 2), ("strong", 64000, 2)])

    def test_table_and_figure(self):
        picture = os.path.join(self.directory.name, "scaling.png")
        status, out, err = self.command(self.make(1, 1000, 8.0), self.make(2, 1000, 4.0, 1.0), self.make(4, 1000, 4.0, converged=0, commit="def"), "-o", picture)
        self.assertEqual((status, err), (0, ""))
        lines = out.splitlines()
        self.assertEqual(lines[0], "strong scaling: A case, 1000 unknowns")
        self.assertEqual(lines[2].split(), "1 1 1000 9 8 8 100 % 8 0 % 0 % 6 3 30 2".split())
        self.assertEqual(lines[3].split(), "2 1 1000 6 5 4 80 % 8 20 % 0 % 12 3 30 2".split())
        self.assertIn("not converged: ", out)
        self.assertIn("from different versions: abc, def", out)
        with open(picture, "rb") as file:
            self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
        figure = scaling.figure(scaling.collect(scaling.read([self.make(1, 2000, 8.0, 1.0, case_hash="3"), self.make(2, 2000, 4.0, 2.0, case_hash="3")])))
        time, efficiency, phases = figure.axes
        self.assertEqual([t for t in time.get_yticks() if time.get_ylim()[0] <= t <= time.get_ylim()[1]], [4, 8, 16])  # more than one number for 4.5 to 9 s
        self.assertEqual(list(time.lines[0].get_ydata()), [9.0, 6.0])
        self.assertEqual(list(time.lines[1].get_ydata()), [9.0, 4.5])
        self.assertEqual(list(efficiency.lines[0].get_ydata()), [100.0, 75.0])
        tops = {}
        for bar in phases.patches:
            x = round(bar.get_x() + bar.get_width() / 2)
            tops[x] = max(tops.get(x, 0), bar.get_y() + bar.get_height())
        self.assertAlmostEqual(tops[0], 1.0)
        self.assertAlmostEqual(tops[1], 2 * 7.0 / 10.0)

    def test_title_as_written(self):
        """A title is no formula in the legend."""
        title = r"50 $\mu$m channel, $A_^{ is here$"
        drawn = io.StringIO()
        with matplotlib.rc_context({"svg.fonttype": "none"}):
            scaling.figure(scaling.collect(scaling.read([self.make(ranks, 1000, 8.0 / ranks, title=title) for ranks in (1, 2)]))).savefig(drawn, format="svg")
        self.assertIn(f"{title}, 1000 unknowns", html.unescape(drawn.getvalue()))

    def test_mistakes(self):
        path = os.path.join(self.directory.name, "bad.json")
        for text, said in (("{", "is no performance record"), ("{}", "is no performance record of soret"), ('{"format": "soret-record", "format_version": 2}', "version 2"),
                           ('{"format": "soret-record", "format_version": 1}', "has no ranks")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            status, out, err = self.command(path)
            self.assertEqual((status, out), (2, ""))
            self.assertIn(said, err)
        self.assertEqual(self.command(os.path.join(self.directory.name, "none.json"))[0], 2)


if __name__ == "__main__":
    unittest.main()
