# SPDX-License-Identifier: BSD-2-Clause
"""Runs what the pages tell people to type: the examples of docs/reading.md in Python and Octave, and the commands of docs/first-run.md, whose
answers must be those of the page. What is not installed is left out, and said.

The program is $SORET."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "postprocess"), str(ROOT / "tests")]
import soretpost  # noqa: E402
from starting import environment  # noqa: E402

SORET = os.path.abspath(os.environ["SORET"])
OPTIONAL = ("xarray", "pyvista")  # of Python


def blocks(page, language):
    """[(heading, code)] of the blocks of a language, in order."""
    found, heading = [], ""
    for part in re.finditer(r"^## ([^\n]+)$|^```(\w*)\n(.*?)^```$", page, re.M | re.S):
        if part.group(1):
            heading = part.group(1)
        elif part.group(2) == language:
            found.append((heading, part.group(3)))
    return found


def run(command, directory, **options):
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, env=environment(PYTHONPATH=str(ROOT / "postprocess")), **options)


def check_reading(directory):
    page = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
    with h5py.File(os.path.join(directory, "first.h5")) as file:
        contrast = float(file["summary"].attrs["contrast"])
    for heading, code in blocks(page, "python"):
        done = run([sys.executable, "-"], directory, input=code)
        missing = re.search(r"ModuleNotFoundError: No module named '(\w+)'", done.stderr)
        if missing and missing.group(1) in OPTIONAL:
            print(f"{heading}: left out, {missing.group(1)} is not installed")
            continue
        assert done.returncode == 0, f"{heading}\n{done.stderr}"
        if "contrast" in code:
            assert f"{contrast:.6f}"[:7] in done.stdout, f"{heading}: no contrast {contrast} in\n{done.stdout}"
        print(f"{heading}: good")
    octave = shutil.which("octave-cli")
    for heading, code in blocks(page, "octave"):
        if not octave:
            print(f"{heading}: left out, octave is not installed")
            continue
        done = run([octave, "--no-init-file", "--quiet", "--eval", code], directory)
        assert done.returncode == 0, f"{heading}\n{done.stderr}"
        assert done.stdout.strip() == f"200 cells, contrast {contrast:.6f}", done.stdout
        print(f"{heading}: good")


def answers(text):
    """{"contrast": number, "S_T": number}, as far as they are told: the first of each, as text."""
    found = {"contrast": re.search(r"contrast (\d[\d.]*\d)", text), "S_T": re.search(r"S_T (?:of [^:]*: )?(-?\d[\d.]*\d)", text)}
    return {what: match.group(1) for what, match in found.items() if match}


def check_first_run(directory):
    """Each command of the page is run where `input` is; contrast and S_T of what follows it, to the digits that the page has, are its answer."""
    os.symlink(ROOT / "input", os.path.join(directory, "input"))
    text = (ROOT / "docs" / "first-run.md").read_text(encoding="utf-8")
    commands = list(re.finditer(r"^(?:\$ )?soret (input/\S+.*)$", text, re.M))
    assert len(commands) >= 3, "docs/first-run.md: no commands found"
    for number, command in enumerate(commands):
        done = run([SORET, *command.group(1).split()], directory)
        assert done.returncode == 0, f"soret {command.group(1)}: status {done.returncode}\n{done.stderr}"
        end = commands[number + 1].start() if number + 1 < len(commands) else len(text)
        promised, answer = answers(text[command.end() : end]), answers(done.stdout)
        assert "contrast" in promised and "S_T" in promised, f"docs/first-run.md does not say what 'soret {command.group(1)}' answers"
        for what, told in promised.items():
            digits = len(told.split(".")[1])
            assert abs(float(told) - float(answer[what])) <= 0.51 * 10.0**-digits, f"soret {command.group(1)}: the page says {what} {told}, the program {answer[what]}"
        print(f"soret {command.group(1)}: as the page says")


def changed(case, words):
    """A case with lines of the page in place of its own, or after them; a key of the first species in its place."""
    for word in words:
        key = word.split(":")[0]
        if re.search(rf"^{key}:", case, re.M):
            case = re.sub(rf"^{key}:.*$", lambda _, word=word: word, case, flags=re.M)
        elif f" {key}: " in case:
            case = re.sub(rf" {key}: [^,]+,", lambda _, word=word: f" {word},", case, count=1)
        else:
            case += word + "\n"
    return case


def check_suggestions(directory):
    """What the first run says to try in an editor is a case each, which runs and can be drawn."""
    page = (ROOT / "docs" / "first-run.md").read_text(encoding="utf-8")
    part = page[page.index("try in an editor") : page.index("`soret check CASE.yaml` says")]
    case = (ROOT / "input" / "tutorial" / "first.yaml").read_text(encoding="utf-8")
    items = [" ".join(item.split()) for item in re.split(r"(?m)^- ", part)[1:]]
    assert len(items) >= 5, items
    for number, item in enumerate(items):
        words = [w for w in re.findall(r"`([^`]+)`", item) if re.match(r"\w+: ", w)]
        assert words, f"nothing to try in '{item}'"
        with open(os.path.join(directory, f"try{number}.yaml"), "w", encoding="utf-8") as file:
            file.write(changed(case, words))
        for command in ([SORET, "check", f"try{number}.yaml"], [SORET, f"try{number}.yaml"]):
            done = run(command, directory)
            assert done.returncode == 0, f"{' '.join(words)}: {' '.join(command)}\n{done.stderr}"
        assert soretpost.plot(os.path.join(directory, f"try{number}.h5")).axes
        print(f"{'; '.join(w.split(':')[0] for w in words)}: runs and is drawn")


def check_readme(directory):
    """The first case of README.md, its two commands, and the S_T that it tells."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text[text.index("## Your first case") : text.index("## On a cluster")]
    case = re.search(r"^```yaml\n(.*?)^```$", part, re.M | re.S).group(1)
    with open(os.path.join(directory, "first.yaml"), "w", encoding="utf-8") as file:
        file.write(case)
    assert "build/soret first.yaml\npostprocess/bin/soretpost plot first.h5" in part, "README.md: the commands after the first case"
    done = run([SORET, "first.yaml"], directory)
    assert done.returncode == 0, done.stderr
    told = re.search(r"S_T = (-?[\d.]+\d)", part).group(1)
    assert abs(float(told) - float(answers(done.stdout)["S_T"])) <= 0.51 * 10.0 ** -len(told.split(".")[1]), f"README.md says S_T = {told}, the program {done.stdout}"
    done = run([str(ROOT / "postprocess" / "bin" / "soretpost"), "plot", "first.h5", "--dpi", "50"], directory)
    assert done.returncode == 0 and done.stdout == "first.png\n", done.stderr
    # an edited case is refused, until it is said that it shall replace
    with open(os.path.join(directory, "first.yaml"), "w", encoding="utf-8") as file:
        file.write(case.replace("energy: 2.0", "energy: 3.0"))
    assert run([SORET, "first.yaml"], directory).returncode == 2 and run([SORET, "first.yaml", "--overwrite"], directory).returncode == 0
    print("README.md, the first case: as the page says")


def main():
    with tempfile.TemporaryDirectory() as directory:
        check_readme(directory)
    with tempfile.TemporaryDirectory() as directory:
        check_first_run(directory)
        check_suggestions(directory)
        check_reading(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
