# SPDX-License-Identifier: BSD-2-Clause
"""Tests of `soretpost bench` on a made-up record: python3 tests/post/test_bench.py"""
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "postprocess"))

from soretpost import bench  # noqa: E402
from soretpost.__main__ import main  # noqa: E402


def steady(seconds, solve):
    return {"seconds": seconds + 1, "processor_seconds": seconds, "solve_seconds": solve, "contrast": 1.7}


def in_time(seconds, error):
    return {"seconds": seconds, "processor_seconds": seconds, "errors": {"field": error}}


RECORD = {"format": "soret-bench", "format_version": 1, "cells": 8, "load": [0, 0, 0],
          "problem B": {"unknowns": 1024, "ratios": {}, "late": [], "soret": steady(2.0, 0.5), "other": steady(6.0, 2.0)},
          "problem C": {"unknowns": 1024, "ratios": {}, "late": [], "soret 1e-5": in_time(4.0, 1e-5), "soret 1e-3": in_time(1.0, 1e-3), "soret 1e-7": in_time(9.0, 0.0), "a peer 1e-5": in_time(8.0, 2e-5)}}


class Bench(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "bench.json")

    def command(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["bench", self.path])
        return status, out.getvalue(), err.getvalue()

    def test_figure(self):
        """6 s over 2 of the process, 2 over 0.5 of the solve; curves by error, without the reference, which has none."""
        status, out, err = self.command(json.dumps(RECORD))
        picture = self.path.replace(".json", ".png")
        self.assertEqual((status, out, err), (0, f"{picture}\n", ""))
        with open(picture, "rb") as file:
            self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
        bars, curves = bench.figure(*bench.read(self.path)).axes
        self.assertEqual([bar.get_width() for bar in bars.patches], [3.0, 4.0])
        self.assertEqual({line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in curves.lines}, {"soret": ([1e-5, 1e-3], [4.0, 1.0]), "a peer": ([2e-5], [8.0])})

    def test_mistakes(self):
        for text, said in (("{", "is no record"), ("[]", "is no record"), (json.dumps(RECORD | {"format_version": 2}), "version 2"),
                           ('{"format": "soret-bench", "format_version": 1, "cells": 8}', "has no runs"), (json.dumps(RECORD | {"problem B": {"soret": steady(2.0, 0.5)}, "problem C": {}}), "nothing beside soret")):
            status, out, err = self.command(text)
            self.assertEqual((status, out), (2, ""))
            self.assertIn(said, err)


if __name__ == "__main__":
    unittest.main()
