# SPDX-License-Identifier: BSD-2-Clause
"""The job scripts on a real Slurm (cluster.py): usage: run_slurm.py TEST...    (environment SORET: the program)

Status 77 where there is no Slurm to be had."""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from cluster import SKIP, Cluster, Missing

ROOT = Path(__file__).resolve().parents[2]
JOBS = ROOT / "jobscripts"
SORET = Path(os.environ.get("SORET", ROOT / "build/soret")).resolve()

CASE = """soret: 1
title: Dimerization
units: reduced
parameters: {k: 10}
domain: {size: [1, 1], cells: [48, 40]}
temperature: "0.8 + 0.4*x + 0.3*exp(-((x-0.3)^2 + (y-0.6)^2)/(2*0.15^2))"
species:
  - {name: A, diffusivity: {law: einstein, mobility: 1}, initial: 1}
  - {name: A2, diffusivity: {law: einstein, mobility: 0.4}}
reactions: [{equation: 2 A <=> A2, forward: k, backward: "k*exp(2 - 2/T)"}]
"""


class Place:
    """A directory with a case and a site file, from which jobs are submitted."""

    def __init__(self, cluster, directory):
        self.cluster, self.directory = cluster, Path(directory)
        self.write("case.yaml", CASE)
        self.num_sites = 0
        self.site()

    def write(self, name, text):
        (self.directory / name).write_text(text)

    def site(self, **settings):
        """A new site file for what is submitted from now on; jobs read theirs when they start. A list is an array of bash."""
        lines = [f"site_soret={SORET}", "site_ranks_per_node=2", "site_margin=30", "site_free_mib=1"]
        for key, value in settings.items():
            lines.append(f"site_{key}=({' '.join(value)})" if isinstance(value, list) else f"site_{key}={value}")
        self.num_sites += 1
        self.write(f"site{self.num_sites}.sh", "\n".join(lines) + "\n")

    def run(self, *command, status=0, timeout=240, **environment):
        env = {**self.cluster.environment, "SORET_SITE_FILE": str(self.directory / f"site{self.num_sites}.sh"), **{k: str(v) for k, v in environment.items()}}
        env.pop("OMP_NUM_THREADS", None)  # of the test suite
        env.update({k: str(v) for k, v in environment.items()})
        return self.cluster.run(*command, status=status, timeout=timeout, cwd=self.directory, env=env)

    def script(self, name, *arguments, **options):
        return self.run(JOBS / name, *arguments, **options)

    def submit(self, name, *arguments, **options):
        return int(self.script(name, *arguments, **options).split()[-1])

    def finish(self, number, state="COMPLETED", limit=180):
        job = self.cluster.wait_for_job(number, limit=limit)
        log = self.log(number)
        assert job["JobState"] == state, f"job {number} is {job['JobState']} ({job.get('Reason')}), not {state}; its log:\n{log[-4000:]}"
        return log

    def log(self, number):
        return "".join(p.read_text(errors="replace") for p in self.directory.glob(f"*-{number}.log"))

    def record(self, name):
        return json.loads((self.directory / name).read_text())

    def reference(self, *overrides):
        """The same case on one rank, without Slurm."""
        self.run(SORET, "case.yaml", "output.file=reference.h5", *overrides)

    def compare(self, name, *tolerance):
        self.run(SORET, "compare", name, "reference.h5", *tolerance)


# ---- tests ----


def test_launch(place):
    """The quick case by srun and by mpirun, on two and on four nodes: the ranks and nodes that were asked for, and the result of one rank."""
    jobs = {}
    for launcher in ("srun", "mpirun"):
        place.site(launcher=launcher)
        for nodes in (2, 4):
            name = f"{launcher}{nodes}"
            jobs[name] = place.submit("single.sh", "-N", nodes, "case.yaml", f"output.file={name}.h5")
    place.reference()
    for name, number in jobs.items():
        place.finish(number)
        record, nodes = place.record(f"{name}.json"), int(name[-1])
        assert (record["ranks"], record["nodes"], record["ranks_per_node"]) == (2 * nodes, nodes, 2), record
        assert record["job"] == str(number)
        place.compare(f"{name}.h5", "--rtol", "1e-7")


def test_traps(place):
    """Each ends the job with status 2 and one line that names the remedy, and no result."""
    serial = sorted(Path("/usr/lib/x86_64-linux-gnu").glob("libhdf5_serial.so.*"))
    parallel = re.search(r"(libhdf5_openmpi\.so\.\d+) ", place.run("ldd", SORET))
    jobs = {}
    # four processes that do not see each other, as with an srun that does not know the MPI
    place.site(launcher_options=["bash", "-c", "'unset ${!PMIX*} SLURM_STEPID SLURM_STEP_ID; exec \"$@\"'", "x"])
    jobs["4 separate runs of the same case"] = place.submit("single.sh", "-n", 4, "case.yaml")
    place.site()
    jobs["OMP_NUM_THREADS=4 with 4 ranks on a node of 4 CPUs"] = place.submit("single.sh", "-N", 1, "-n", 4, "case.yaml", OMP_NUM_THREADS=4)
    jobs["there is no directory 'nowhere'"] = place.submit("single.sh", "case.yaml", "output.file=nowhere/r.h5")
    place.site(free_mib=10**9)
    jobs["MiB left, less than the 1000000000 MiB"] = place.submit("single.sh", "case.yaml")
    place.site(soret="/nowhere/soret")
    jobs["there is no program '/nowhere/soret'"] = place.submit("single.sh", "case.yaml")
    if serial and parallel:
        (place.directory / "lib").mkdir()
        (place.directory / "lib" / parallel.group(1)).symlink_to(serial[0])
        place.site()
        jobs["is a serial one"] = place.submit("single.sh", "case.yaml", LD_LIBRARY_PATH=place.directory / "lib")
    if os.getuid():
        (place.directory / "closed").mkdir(mode=0o500)
        jobs["cannot be written"] = place.submit("single.sh", "case.yaml", "output.file=closed/r.h5")
    for said, number in jobs.items():
        log = place.finish(number, "FAILED")
        lines = [line for line in log.splitlines() if "soret" in line and "srun: error" not in line and "soret on" not in line]
        assert said in log and len(lines) == 1, f"job {number}, expected '{said}':\n{log}"
        assert place.cluster.job(number)["ExitCode"] == "2:0", log
    assert not list(place.directory.rglob("*.h5*"))
    # refused at submission
    assert "sbatch: error" in place.script("single.sh", "-N", 9, "case.yaml", status=None)
    assert "how many ranks on a node" in place.run("bash", "-c", f"echo 'site_soret={SORET}' >mine.sh; SORET_SITE_FILE=mine.sh {JOBS}/single.sh -N 2 case.yaml", status=2)


def test_scaling(place):
    """One command submits three sizes, and a job that makes table and figure of them."""
    said = place.script("scaling.sh", "strong", "-N", "1,2,4", "-o", "study", "case.yaml", "domain.cells=[64,64]")
    figure = int(re.search(r"then job (\d+)", said).group(1))
    place.finish(figure)
    study = place.directory / "study"
    table = (study / "strong.txt").read_text()
    rows = [line.split() for line in table.splitlines() if re.match(r" *\d+ +\d", line)]
    assert [(row[0], row[1]) for row in rows] == [("2", "1"), ("4", "2"), ("8", "4")], table
    assert (study / "strong.png").read_bytes()[:4] == b"\x89PNG" and (study / "strong.png").stat().st_size > 20000
    assert len({place.record(p)["unknowns"] for p in study.glob("*.json")}) == 1
    if os.environ.get("SORET_KEEP_FIGURE"):
        (study / "strong.png").rename(os.environ["SORET_KEEP_FIGURE"])


def test_sweep(place):
    """An array of points, of which one fails: the table says so, the others are done, and the same command runs only what is missing."""
    points = ["parameters.k=1", "parameters.k=-1", "parameters.k=3", "species.A.initial=1", "species.A.initial=2"]
    said = place.script("sweep.sh", "-n", 2, "--at-once", 3, "-o", "sweep", "case.yaml", *points)
    assert said.startswith("6 points")
    place.cluster.wait_for_job(re.search(r"then job (\d+)", said).group(1), limit=180)
    sweep = place.directory / "sweep"
    ends = [line.split("  ") for line in (sweep / "table.txt").read_text().splitlines()]
    assert [line[1].strip() for line in ends] == ["done", "done", "wrong input", "wrong input", "done", "done"], ends
    assert place.record("sweep/0001.json")["ranks"] == 2
    before = {p: p.stat().st_mtime_ns for p in sweep.glob("*.h5")}
    said = place.script("sweep.sh", "-n", 2, "-o", "sweep", "case.yaml", *points)
    place.cluster.wait_for_job(re.search(r"then job (\d+)", said).group(1), limit=180)
    assert before == {p: p.stat().st_mtime_ns for p in sweep.glob("*.h5")} and len(before) == 4
    assert "holds the points of another study" in place.script("sweep.sh", "-o", "sweep", "case.yaml", "parameters.k=7", status=2)


def test_doctor(place):
    """Finds nothing to mend with srun and with mpirun, and says what is wrong with a launcher that does not fit."""
    for launcher in ("srun", "mpirun"):
        place.site(launcher=launcher)
        said = place.script("doctor")
        assert said.splitlines()[-1] == "nothing to mend" and "4 ranks on 2 nodes" in said, said
    place.site(launcher="srun", launcher_options=["--mpi=none"], account="", partition="nowhere")
    said = place.script("doctor", status=1)
    assert re.search(r"MEND .*sbatch refuses", said) and "nowhere" in said, said
    place.site(launcher="srun", launcher_options=["--mpi=none"])
    said = place.script("doctor", "-n", "2", status=1)
    assert "MEND  launch of 2 ranks by srun" in said, said
    assert not list(place.directory.glob(".doctor*"))


def main(names):
    known = {name[5:]: value for name, value in globals().items() if name.startswith("test_")}
    failed = []
    try:
        for name in names or known:
            begin = time.monotonic()
            with Cluster() as cluster, tempfile.TemporaryDirectory() as directory:
                try:
                    known[name](Place(cluster, os.path.realpath(directory)))
                except (AssertionError, TimeoutError, OSError, KeyError, subprocess.TimeoutExpired) as error:
                    traceback.print_exc()
                    cluster.explain(error)
                    failed.append(name)
            print(f"{name}: {'failed' if name in failed else 'passed'}, {time.monotonic() - begin:.1f} s", flush=True)
    except Missing as missing:
        print(f"skipped: {missing}")
        return SKIP
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
