# SPDX-License-Identifier: BSD-2-Clause
"""Sphinx builds these pages to HTML (Debian: python3-sphinx python3-myst-parser), with warnings as errors:

    cmake --build build --target docs          # or: sphinx-build -W -b html docs build/html
"""
import os
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

project = "soret"
author = copyright = "The soret developers"
version = release = re.search(r"project\(soret VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")).group(1)

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
master_doc = "index"
exclude_patterns = ["build", "_build"]
myst_heading_anchors = 3
highlight_language = "none"
smartquotes = False

html_theme = "alabaster"
html_theme_options = {"description": "thermophoresis in reacting, diffusing systems", "fixed_sidebar": True, "page_width": "72rem", "body_max_width": "54rem", "font_family": "system-ui, sans-serif", "font_size": "16px"}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
html_static_path = ["style"]
html_css_files = ["soret.css"]
html_show_sourcelink = False


def links_out_of_the_pages(docname, text):
    """Links to files of the tree (../input/first.yaml) work in a checkout; in HTML the path is shown instead."""

    def replace(match):
        words, target = match.groups()
        path = (HERE / docname).parent / target.split("#")[0]
        if not path.exists():
            return match.group(0)  # Sphinx says that it is not there
        shown = os.path.relpath(path.resolve(), ROOT)
        return f"`{shown}`" if shown.startswith(words) or words in shown else f"{words} (`{shown}`)"

    return re.sub(r"\[([^\]]+)\]\((\.\./[^)\s]+)\)", replace, text)


def with_contents(text):
    """The pages in the order in which index.md links to them; one that it does not link to is a warning, hence an error."""
    pages = list(dict.fromkeys(re.findall(r"\]\(([\w-]+)\.md\)", text)))
    return text + "\n```{toctree}\n:hidden:\n:maxdepth: 1\n\n" + "\n".join(pages) + "\n```\n"


def prepare(app, docname, source):
    text = links_out_of_the_pages(docname, source[0])
    if docname == "index":
        text = with_contents(text)
    if docname == "case-reference":  # what `soret reference` prints has no title
        text = "# Every key of the case file\n\n" + re.sub(r"(?m)^### ", "## ", text)
    source[0] = text


def setup(app):
    app.connect("source-read", prepare)
