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
    text = re.sub(r"(?m)^python3 .*$", "", text)  # there it is an argument
    for command in re.findall(r"(?:^|[`$/] ?)soret ((?!-|\d)[\w./-]+|--\w+)", text, re.M):
        if command.endswith((".yaml", ".h5")) or command.isupper():
            continue
        if help_text and not re.search(r"soret %s\b" % re.escape(command), help_text) and command not in ("verify", "resume", "case.yaml"):
            yield f"`soret {command}` is no command of the program"


def check_soretpost(text, commands):
    for command in re.findall(r"(?:^|[`/$] ?|-m )soretpost ([a-z]+)\b", text, re.M):
        if commands and command not in commands:
            yield f"`soretpost {command}` is no command"


def check_scripts(text):
    """Options of the scripts in jobscripts/, as they are typed on these pages, are those of their usage."""
    for script, rest in re.findall(r"^(?:\$ )?(?:jobscripts|tests)/([\w.]+)((?: [^#\n]*)?)", text, re.M):
        path = next((p for p in (ROOT / "jobscripts" / script, ROOT / "tests" / script) if p.is_file()), None)
        if path is None or path.name == "run.sh":  # hands its options on to ctest
            continue
        usage = "".join(re.findall(r"(?m)^#.*\n", path.read_text(encoding="utf-8")))
        for option in re.findall(r"(?<= )--?[A-Za-z][\w-]*", rest):
            if not re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(option), usage):
                yield f"jobscripts/{script} has no option {option} in its usage"


def check_rows(page, text):
    """The names in the last column of the tables of docs/verification.md are cases or programs of the tests."""
    if page.name != "verification.md":
        return
    kinds = {"NAME": (("tests/cases/%s.yaml", "tests/cases/paper_%s.yaml"), "def test_%s("), "FILE": (("tests/order/%s.yaml",), None)}
    programs = "".join((ROOT / "tests" / path).read_text(encoding="utf-8") for path in ("slurm/run_slurm.py", "fault/run_restart.py"))
    for head, body in re.findall(r"^\|(.*)\|\n\|[-| ]+\|\n((?:\|.*\n)+)", text, re.M):
        titles = [title.strip() for title in head.split("|")]
        for title in set(titles) & set(kinds):
            files, function = kinds[title]
            for row in body.splitlines():
                cell = re.sub(r"\\\|", "", row).split("|")[titles.index(title) + 1]
                for name in re.findall(r"`(\w+)`", cell):
                    if not any((ROOT / (file % name)).is_file() for file in files) and not (function and function % name in programs):
                        yield f"a row of a table names '{name}', which is no test"


def check_regenerated(page, text):
    """Programs behind the tables of docs/verification.md are run by docs/regenerate.sh, which says what else prints those of stops and of clusters."""
    if page.name != "verification.md":
        return
    script = (ROOT / "docs" / "regenerate.sh").read_text(encoding="utf-8")
    for program in sorted(set(re.findall(r"python3 (?!fault/|slurm/)(?:\w+/)?(run_\w+\.py)", text))):
        if program not in script:
            yield f"docs/regenerate.sh tables does not run {program}"


def check_functions(text, code):
    """Functions and types of the program that are named are there."""
    for name in sorted(set(re.findall(r"\bSoret[A-Z]\w+", text))):
        if not re.search(rf"\b{name}\b", code):
            yield f"there is no {name} in the program"


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
    code = headers + "".join(p.read_text(encoding="utf-8") for p in (ROOT / "src").glob("*.[ch]"))
    cmake = headers + (ROOT / "CMakeLists.txt").read_text(encoding="utf-8") + (ROOT / "tests" / "CMakeLists.txt").read_text(encoding="utf-8")
    presets = [p["name"] for p in json.loads((ROOT / "CMakePresets.json").read_text(encoding="utf-8"))["configurePresets"]]
    problems = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = [*check_links(page, text), *check_paths(text), *check_commands(text, help_text), *check_soretpost(text, commands), *check_scripts(text), *check_rows(page, text), *check_regenerated(page, text), *check_functions(text, code), *check_options(text, cmake), *check_presets(text, presets)]
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
