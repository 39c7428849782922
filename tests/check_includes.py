# SPDX-License-Identifier: BSD-2-Clause
"""Compares the #include lines of include/soret and src with the table of modules in docs/architecture.md.

An include may point to the module itself, to base or to one that its row names, and those that a row names must lie lower. Modules that are to
know nothing of grids include no header of PETSc beyond petscsys.h."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
POINTWISE = ("text", "expr", "units", "input", "law", "network", "model", "thermo")  # no DM, Vec or MPI in these
GENERATED = ("soret_commit.h",)


def read_table(text):
    """{module: (level, names it may include)} and {file in src: module}."""
    modules, owner = {}, {}
    for line in text.splitlines():
        row = re.match(r"\| (\d+) \| `(\w+)` \|([^|]*)\|[^|]*\|([^|]*)\|$", line)
        if not row:
            continue
        level, name, includes, files = row.groups()
        modules[name] = (int(level), set(re.findall(r"\w+", includes)))
        for file in [f"{name}.c"] + re.findall(r"`([\w.]+)`", files):
            owner[file] = name
    return modules, owner


def check_table(modules):
    for name, (level, includes) in modules.items():
        for other in sorted(includes):
            if other not in modules:
                yield f"docs/architecture.md: module '{name}' includes '{other}', which has no row"
            elif modules[other][0] >= level:
                yield f"docs/architecture.md: '{name}' (level {level}) may not include '{other}' (level {modules[other][0]})"


def check_file(path, module, modules, owner):
    allowed = {module, "base"} | modules[module][1]
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        include = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if not include:
            continue
        bracket, name = include.groups()
        place = f"{path.relative_to(ROOT)}:{number}: "
        if bracket == "<":
            if module in POINTWISE and re.match(r"petsc(?!sys)|mpi", name):
                yield place + f"'{module}' includes {name}, but is to know nothing of grids and ranks"
            continue
        if name in GENERATED:
            continue
        target = name[6:-2] if name.startswith("soret/") else owner.get(name)
        if target not in modules:
            yield place + f"{name} belongs to no module of docs/architecture.md"
        elif target not in allowed:
            yield place + f"'{module}' (level {modules[module][0]}) includes '{target}' (level {modules[target][0]}), which its row does not name"


def main():
    modules, owner = read_table((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    problems = list(check_table(modules)) if modules else ["docs/architecture.md: no table of modules"]
    files = sorted((ROOT / "include" / "soret").glob("*.h")) + sorted(p for p in (ROOT / "src").iterdir() if p.suffix in (".c", ".h"))
    for path in files:
        module = path.stem if path.parent.name == "soret" else owner.get(path.name)
        if module not in modules:
            problems.append(f"{path.relative_to(ROOT)} belongs to no module of docs/architecture.md")
        else:
            problems += check_file(path, module, modules, owner)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(files)} files, {len(modules)} modules, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
