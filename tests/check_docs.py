# SPDX-License-Identifier: BSD-2-Clause
"""Is what the documentation names there? Relative links and their anchors, paths of the tree in backquotes, subcommands and case files of `soret ...`,
options of CMake and presets, and the reference of the keys, which must be what the program prints.

The program is $SORET; without it what it prints is not compared."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))
FOLDERS = ("docs", "include", "input", "jobscripts", "postprocess", "src", "tests", "cmake", ".ci")
MADE = re.compile(r"^(build|results|docs/images/$)")  # made by builds and runs


def anchors(text):
    """As renderers name headings, and explicit ones."""
    names = set(re.findall(r'<a name="([^"]+)"', text))
    for heading in re.findall(r"^#+ +(.+)$", text, re.M):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        names.add(plain.replace(" ", "-"))
    return names


def check_links(page, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if not path.exists():
            yield f"link to {target}: no such file"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text(encoding="utf-8")):
            yield f"link to {target}: no such heading"


def check_paths(text):
    """Words with a slash in backquotes and code blocks that begin with a folder of this tree."""
    for word in re.findall(r"(?<![\w./$-])((?:%s)/[\w./*-]*)" % "|".join(map(re.escape, FOLDERS)), text):
        word = word.rstrip(".")
        if not MADE.match(word) and not list(ROOT.glob(word.rstrip("/"))):
            yield f"there is no {word}"


def check_commands(text, help_text):
    for command in re.findall(r"(?:^|[`$/] ?)soret ((?!-|\d)[\w./-]+|--\w+)", text, re.M):
        if command.endswith((".yaml", ".h5")) or command.isupper():
            continue
        if help_text and not re.search(r"soret %s\b" % re.escape(command), help_text) and command not in ("verify", "resume", "case.yaml"):
            yield f"`soret {command}` is no command of the program"


def check_soretpost(text, commands):
    for command in re.findall(r"(?:^|[`/$] ?|-m )soretpost ([a-z]+)\b", text, re.M):
        if commands and command not in commands:
            yield f"`soretpost {command}` is no command"


def check_options(text, cmake):
    for option in re.findall(r"(?:\b|-D)(SORET_[A-Z]+)\b", text):
        if option not in cmake:
            yield f"there is no option {option}"


def check_presets(text, presets):
    for name in re.findall(r"--preset (\w+)", text):
        if name not in presets:
            yield f"there is no preset {name}"


def run(*arguments):
    program = os.environ.get("SORET")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout if program else ""


def soretpost_commands():
    """What `soretpost --help` lists; nothing where it cannot be asked."""
    done = subprocess.run([sys.executable, "-m", "soretpost", "--help"], env={**os.environ, "PYTHONPATH": str(ROOT / "postprocess")}, capture_output=True, text=True)
    return re.findall(r"^    (\w+)", done.stdout, re.M)


def main():
    help_text, reference = run("--help"), run("reference")
    commands = soretpost_commands()
    headers = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "include" / "soret").glob("*.h"))  # constants of the code may be named too
    cmake = headers + (ROOT / "CMakeLists.txt").read_text(encoding="utf-8") + (ROOT / "tests" / "CMakeLists.txt").read_text(encoding="utf-8")
    presets = [p["name"] for p in json.loads((ROOT / "CMakePresets.json").read_text(encoding="utf-8"))["configurePresets"]]
    problems = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = [*check_links(page, text), *check_paths(text), *check_commands(text, help_text), *check_soretpost(text, commands), *check_options(text, cmake), *check_presets(text, presets)]
        problems += [f"{page.relative_to(ROOT)}: {problem}" for problem in found]
    if reference and (ROOT / "docs" / "case-reference.md").read_text(encoding="utf-8").partition("\n")[2] != reference:
        problems.append("docs/case-reference.md is not what `soret reference` prints, after its first line")
    tutorial = re.sub(r"(?m)^#.*\n", "", (ROOT / "input" / "tutorial" / "first.yaml").read_text(encoding="utf-8"))
    if tutorial not in (ROOT / "docs" / "first-run.md").read_text(encoding="utf-8"):
        problems.append("docs/first-run.md does not show input/tutorial/first.yaml as it is")
    print("\n".join(problems), file=sys.stderr)
    print(f"{len(PAGES)} pages, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
