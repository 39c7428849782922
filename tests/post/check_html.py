# SPDX-License-Identifier: BSD-2-Clause
"""Builds the documentation to HTML with warnings as errors, and follows every link and picture between its pages.

usage: check_html.py [FOLDER]       without a folder, into one that is removed. Exit status 77: Sphinx or myst_parser is not installed."""
import html.parser
import os
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.names = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.names |= {attrs[k] for k in ("id", "name") if attrs.get(k)}
        self.links += [attrs[k] for k in ("href", "src") if attrs.get(k)]


def find_python():
    for python in (sys.executable, "/usr/bin/python3", "python3"):
        if subprocess.run([python, "-c", "import sphinx, myst_parser"], capture_output=True).returncode == 0:
            return python
    return None


def check(folder):
    pages = {p: Page(p) for p in Path(folder).glob("*.html")}
    for path, page in pages.items():
        for link in page.links:
            file, _, name = link.partition("#")
            if ":" in file or link.startswith(("//", "#")) and not name or file.startswith("search.html"):
                continue
            target = (path.parent / file.split("?")[0]).resolve() if file else path
            if not target.exists():
                yield f"{path.name}: link to {link}: no such file"
            elif name and target.suffix == ".html" and target in pages and name not in pages[target].names:
                yield f"{path.name}: link to {link}: no such place"
    written = {p.stem for p in DOCS.glob("*.md")}
    for name in sorted(written - {p.stem for p in pages}):
        yield f"docs/{name}.md became no page"


def build(python, folder):
    done = subprocess.run([python, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", os.path.join(folder, ".doctrees"), str(DOCS), folder], capture_output=True, text=True)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()] if done.returncode else []


def main(folder):
    python = find_python()
    if not python:
        print("python3-sphinx and python3-myst-parser are not installed")
        return 77
    problems = build(python, folder) or list(check(folder))
    print("\n".join(problems), file=sys.stderr)
    print(f"{len(list(Path(folder).glob('*.html')))} pages in {folder}, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(os.path.abspath(sys.argv[1])))
    with tempfile.TemporaryDirectory() as made:
        sys.exit(main(made))
