# SPDX-License-Identifier: BSD-2-Clause
"""What comes with the program: one version everywhere, SPDX headers, and recipes that name what is there.

  version      that of CMakeLists.txt stands in each file of VERSIONS
  SPDX         every file of code has the line in its first lines; every data file lies in a folder that LICENSE covers
  metadata     CITATION.cff and codemeta.json have what their readers need
  man page     names every command and every exit status of `soret --help`, in roff without mistakes
  Spack        the recipe is run with directives of our own; its options are those of CMakeLists.txt
  Apptainer    sections, shell syntax, files and packages
  workflow     YAML, and the commands that it runs are there

The program is $SORET; without it the man page is not compared."""
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "jobscripts" / "packaging"
VERSIONS = {  # file: what stands around the version
    "CITATION.cff": r"^version: (\S+)$",
    "codemeta.json": r'"version": "([^"]+)"',
    "postprocess/pyproject.toml": r'^version = "([^"]+)"',
    "postprocess/soretpost/__init__.py": r'^__version__ = "([^"]+)"',
    "docs/soret.1": r'^\.TH SORET 1 "[\d-]+" "soret ([^"]+)"',
    "CHANGELOG.md": r"^## \[(\d[^\]]*)\]",
}
CODE = {".c", ".h", ".py", ".sh", ".cmake", ".def", ".yml", ".toml", ".1", ".tcl", ".css"}
CODE_NAMES = {"CMakeLists.txt", "run", "modulefile", "soretpost", "doctor"}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def tracked():
    """The files of the tree: those that git knows, or all but builds where there is no git."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True) if shutil.which("git") else None
    if done and done.returncode == 0:
        return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [p for folder in ("docs", "include", "input", "jobscripts", "postprocess", "src", "tests") for p in (ROOT / folder).rglob("*") if p.is_file()]


def check_versions():
    version = re.search(r"project\(soret VERSION (\d+\.\d+\.\d+)", read("CMakeLists.txt")).group(1)
    for name, pattern in VERSIONS.items():
        found = re.search(pattern, read(name), re.M)
        if not found:
            yield f"{name}: no version found"
        elif found.group(1) != version:
            yield f"{name}: version {found.group(1)}, but {version} in CMakeLists.txt"


def check_spdx():
    for path in tracked():
        if path.suffix not in CODE and path.name not in CODE_NAMES or "corpus" in path.parts:
            continue
        head = path.read_text(encoding="utf-8").splitlines()[:6]
        if not any("SPDX-License-Identifier: BSD-2-Clause" in line for line in head):
            yield f"{path.relative_to(ROOT)}: no line 'SPDX-License-Identifier: BSD-2-Clause' at its top"


def check_metadata():
    import yaml

    citation, meta = yaml.safe_load(read("CITATION.cff")), json.loads(read("codemeta.json"))
    for key in ("cff-version", "message", "title", "authors", "version", "date-released", "license"):
        if not citation.get(key):
            yield f"CITATION.cff: no {key}"
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(citation.get("date-released"))):
        yield "CITATION.cff: date-released is no date"
    for author in citation["authors"] + [a for r in citation.get("references", []) for a in r["authors"]]:
        if not ({"name"} <= set(author) or {"family-names", "given-names"} <= set(author)):
            yield f"CITATION.cff: an author without a name: {author}"
    for key in ("@context", "@type", "name", "description", "version", "license", "programmingLanguage", "author"):
        if not meta.get(key):
            yield f"codemeta.json: no {key}"
    if not meta["license"].endswith(citation["license"]) or "BSD 2-Clause" not in read("LICENSE"):
        yield "CITATION.cff, codemeta.json and LICENSE name different licences"
    if meta["name"] != citation["title"]:
        yield "CITATION.cff and codemeta.json name different programs"


def check_man_page():
    page = read("docs/soret.1")
    if shutil.which("groff"):
        said = subprocess.run(["groff", "-man", "-ww", "-z", str(ROOT / "docs" / "soret.1")], capture_output=True, text=True).stderr
        if said:
            yield f"docs/soret.1: {said.strip()}"
    program = os.environ.get("SORET")
    if not program:
        return
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    for command in set(re.findall(r"^  (?:mpiexec -n \d+ )?soret ([a-z]+)\b", text, re.M)) - {"case", "input"}:
        if f".B {command}\n" not in page or f".B soret {command}\n" not in page:
            yield f"docs/soret.1: the command '{command}' of soret --help is missing in the synopsis or in COMMANDS"
    for status in re.findall(r"(\d+) [a-z]", text[text.index("Exit status") :]):
        if f".TP\n.B {status}\n" not in page:
            yield f"docs/soret.1: the exit status {status} of soret --help is missing"


class Recorder:
    """Stands for spack.package: writes down what a recipe asks for."""

    def __init__(self):
        self.depends, self.variants, self.versions = [], {}, []

    def module(self):
        class CMakePackage:
            run_tests = False
            define = staticmethod(lambda name, value: f"-D{name}={value}")

            def define_from_variant(package, name, variant):
                assert variant in self.variants, f"there is no variant '{variant}'"
                return f"-D{name}=ON"

        module = types.ModuleType("spack.package")
        module.CMakePackage = CMakePackage
        module.license = lambda name: None
        module.version = lambda *a, **k: self.versions.append(a[0])
        module.variant = lambda name, default, description: self.variants.update({name: default})
        module.depends_on = lambda spec, type=None, when=None: self.depends.append((spec, when))
        module.__all__ = ["CMakePackage", "license", "version", "variant", "depends_on"]
        return module


def check_spack():
    source = (PACKAGING / "spack" / "packages" / "soret" / "package.py").read_text(encoding="utf-8")
    ast.parse(source)
    recorder = Recorder()
    sys.modules["spack"], sys.modules["spack.package"] = types.ModuleType("spack"), recorder.module()
    names = {}
    exec(compile(source, "package.py", "exec"), names)
    options = names["Soret"]().cmake_args()
    cmake = read("CMakeLists.txt")
    for option in options:
        name = re.match(r"-D(\w+)=", option).group(1)
        if name != "BUILD_TESTING" and not re.search(r"(option|set)\(%s " % name, cmake):
            yield f"Spack recipe: CMakeLists.txt has no {name}"
    for _, when in recorder.depends:
        if when and when[1:] not in recorder.variants:
            yield f"Spack recipe: there is no variant {when}"
    packages = " ".join(spec for spec, _ in recorder.depends)
    for needed in ("mpi", "petsc", "hdf5", "libyaml", "muparser", "udunits", "pkgconfig", "cmake"):
        if not re.search(r"\b%s\b" % needed, packages):
            yield f"Spack recipe: no {needed}"
    least = re.search(r"SORET_PETSC}>=([\d.]+)", cmake).group(1)
    if f"petsc@{least}:" not in packages:
        yield f"Spack recipe: PETSc {least} is what CMakeLists.txt asks for"


def debian_packages(lists):
    """The first words of the lists in jobscripts/common.sh."""
    text = read("jobscripts/common.sh")
    found = set()
    for name in lists:
        found |= set(re.findall(r'^  "([\w.+-]+)\|', re.search(r"^%s=\((.*?)^\)" % name, text, re.M | re.S).group(1), re.M))
    return found


def check_apptainer():
    text = (PACKAGING / "soret.def").read_text(encoding="utf-8")
    parts = re.split(r"^%(\w+)\n", text, flags=re.M)
    sections = dict(zip(parts[1::2], parts[2::2]))
    for name in ("files", "post", "environment", "test", "runscript", "help"):
        if name not in sections:
            yield f"soret.def: no section {name}"
    for name in ("post", "environment", "test", "runscript"):
        done = subprocess.run(["sh", "-n"], input=sections[name], capture_output=True, text=True)
        if done.returncode:
            yield f"soret.def, {name}: {done.stderr.strip()}"
    for line in sections["files"].split("\n"):
        if line.strip() and not (ROOT / line.split()[0]).exists():
            yield f"soret.def: there is no {line.split()[0]}"
    asked = set(re.search(r"--no-install-recommends(.*?[^\\])\n", sections["post"], re.S).group(1).replace("\\", " ").split())
    wanted = debian_packages(("build_needs", "plot_needs"))
    if asked != wanted:
        yield f"soret.def installs other packages than jobscripts/common.sh: {', '.join(sorted(asked ^ wanted))}"
    page = read("docs/install.md")
    if not wanted <= set(page[page.index("apt-get install --no-install-recommends gcc") :].split("\n")[0].split()):
        yield "docs/install.md: the list of packages for Debian is not that of jobscripts/common.sh"
    lacking = debian_packages(("test_needs",)) - set(re.findall(r"[\w.+-]+", page[page.index("installs what is missing (also") :].split(")")[0]))
    if lacking:
        yield f"docs/install.md does not name these packages of the tests: {', '.join(sorted(lacking))}"


def check_workflow():
    import yaml

    flow = yaml.safe_load(read(".github/workflows/ci.yml"))
    for job in flow["jobs"].values():
        for step in job["steps"]:
            if ("run" in step) == ("uses" in step):
                yield f"ci.yml: a step has to have one of run and uses: {step}"
            done = subprocess.run(["sh", "-n"], input=step.get("run", ""), capture_output=True, text=True)
            if done.returncode:
                yield f"ci.yml: {done.stderr.strip()}"
            for script in re.findall(r"bash (\S+)", step.get("run", "")):
                if not (ROOT / script).is_file():
                    yield f"ci.yml: there is no {script}"


def main():
    checks = (check_versions, check_spdx, check_metadata, check_man_page, check_spack, check_apptainer, check_workflow)
    problems = [p for check in checks for p in check()]
    print("\n".join(problems), file=sys.stderr)
    print(f"{len(checks)} checks, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
