# SPDX-License-Identifier: BSD-2-Clause
"""The job scripts on a real Slurm (cluster.py): usage: run_slurm.py TEST...    (environment SORET: the program)

Status 77 where there is no Slurm to be had."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from cluster import SKIP, Cluster, Missing, wait_until

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


# of the same length on a machine of any speed: a frame is synced to a disk that takes its time
TRANSIENT = """soret: 1
title: Relaxation
units: reduced
domain: {size: [1, 1], cells: [24, 20]}
temperature: 1 + 0.3*x
species:
  - {name: A, diffusivity: {law: einstein, mobility: 1}, initial: 1 + x}
  - {name: B, diffusivity: {law: einstein, mobility: 0.3}, initial: 1}
reactions: [{equation: A <=> B, forward: 10, backward: 20*exp(-1/T)}]
solve: {mode: transient, end: 0.24, tolerance: 1e-2}
output: {file: long.h5, every: 0.01, xdmf: false}
checkpoint: {every: 20 s}
"""
SLOW_DISK = """#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int fsync(int file)
{
  char name[64], path[1024];
  ssize_t n;

  (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
  n = readlink(name, path, sizeof(path) - 1);
  path[n > 0 ? n : 0] = 0;
  if (strstr(path, "long.h5.")) (void)sleep(1);
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}
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
        lines = [f"site_soret={SORET}", "site_ranks_per_node=2", "site_margin=15", "site_free_mib=1"]
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
        place.compare(f"{name}.h5", "--rtol", "1e-7", "--atol", "1e-12")


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


def test_weak(place):
    """Weak scaling: cells grow with the ranks."""
    said = place.script("scaling.sh", "weak", "-n", "1,2,4", "-o", "study", "case.yaml")
    place.finish(int(re.search(r"then job (\d+)", said).group(1)))
    study = place.directory / "study"
    sizes = [place.record(p) for p in sorted(study.glob("*.json"))]
    assert [r["ranks"] for r in sizes] == [1, 2, 4], sizes
    assert all(abs(r["unknowns"] / (48 * 40 * 2 * r["ranks"]) - 1) < 0.05 for r in sizes), sizes
    assert "efficiency" in (study / "weak.txt").read_text() and (study / "weak.png").stat().st_size > 20000


def test_local(place):
    """Every script without Slurm, through mpirun."""
    place.site(ranks_per_node="")
    place.script("single.sh", "--local", "-n", 2, "case.yaml", "output.file=single.h5")
    assert place.record("single.json")["ranks"] == 2
    place.reference()
    place.compare("single.h5", "--rtol", "1e-7", "--atol", "1e-12")
    for kind in ("strong", "weak"):
        place.script("scaling.sh", kind, "--local", "-n", "1,2", "-o", kind, "case.yaml")
        assert (place.directory / kind / f"{kind}.png").stat().st_size > 20000
    place.script("sweep.sh", "--local", "-n", 1, "-o", "sweep", "case.yaml", "parameters.k=1", "parameters.k=-1")
    assert [line.split("  ")[1].strip() for line in (place.directory / "sweep" / "table.txt").read_text().splitlines()] == ["done", "wrong input"]
    assert "chain.sh needs Slurm" in place.script("chain.sh", "--local", "case.yaml", status=2)


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


def slow_disk(place):
    """Settings of the environment with which every fsync of the result takes 1 s, so that the 25 frames of TRANSIENT take longer than 50 s."""
    place.write("slow.c", SLOW_DISK)
    place.run("cc", "-shared", "-fPIC", "-o", "slow.so", "slow.c", "-ldl")
    return {"LD_PRELOAD": place.directory / "slow.so"}


def checkpoints(place):
    """Where the checkpoints are, "step 12 t 0.01 written ...", by the name of their manifest."""
    return {p.name: p.read_text().splitlines()[1] for p in sorted(place.directory.glob("long.ckpt-*.manifest"))}


def begin_chain(place, *options):
    """A chain of two ranks on the first two nodes; the same run without interruption meanwhile, on the other two."""
    place.write("long.yaml", TRANSIENT)
    # of itself soret would stop a good half minute before the end, too careful for a limit of one minute
    with (place.directory / f"site{place.num_sites}.sh").open("a") as site:
        site.write("site_prepare() { export SLURM_JOB_END_TIME=4102444800; }\n")
    chain = place.submit("chain.sh", "-N", 2, "-n", 2, *options, **slow_disk(place))
    place.write("reference.yaml", TRANSIENT)
    place.site(sbatch=["'--nodelist=node[3-4]'"])
    whole = place.submit("single.sh", "-N", 2, "-n", 2, "reference.yaml", "output.file=reference.h5", "checkpoint.prefix=reference")
    return chain, whole


def end_chain(place, chain, whole):
    """The chain is done, and has the result of the run without interruption, bit by bit. Returns its log."""
    place.finish(whole, limit=500)
    log = place.finish(chain, limit=500)
    place.compare("long.h5")
    assert "chain: ended with status 0" in log and not (place.directory / "long.chain").exists()
    return log


def test_chain(place):
    """Time limit, signal, checkpoint, back into the queue, until it is done. The limit is a minute, the signal comes 15 to 45 s after the start (Slurm
    looks every 30 s), the run takes longer than that: at least one restart."""
    chain, whole = begin_chain(place, "-t", 1, "long.yaml")
    log = end_chain(place, chain, whole)
    starts = re.findall(r"chain: start (\d+) of job \d+, at (.*)", log)
    assert len(starts) >= 2 and starts[0] == ("1", "the beginning"), log
    assert [int(n) for n, _ in starts] == list(range(1, len(starts) + 1))
    steps = [int(re.match(r"step (\d+)", at).group(1)) for _, at in starts[1:]]
    assert steps == sorted(set(steps)), f"no progress between restarts: {starts}"
    assert int(place.cluster.job(chain)["Restarts"]) == len(starts) - 1
    assert "(SIGUSR1)" in log, log
    print(f"{len(starts)} starts, at {', '.join(at for _, at in starts)}")


def test_followers(place):
    """The same by jobs that wait for the one before: no job ever goes back into the queue."""
    place.site(chain="dependent")
    chain, whole = begin_chain(place, "-t", 1, "long.yaml")
    place.finish(whole, limit=500)
    wait_until(lambda: (place.directory / "long.h5").exists() and not place.run("squeue", "-h").strip(), "the end of the chain", 500)
    place.compare("long.h5")
    logs = [p.read_text() for p in sorted(place.directory.glob("soret-chain-*.log"))]
    assert len(logs) >= 2 and all(f"chain: start {k + 1} of job" in log for k, log in enumerate(logs)), logs
    assert place.cluster.job(chain)["Restarts"] == "0" and "chain: ended with status 0" in logs[-1]


def test_node(place):
    """A node dies in the middle of a run: the job goes on elsewhere, from its last checkpoint."""
    chain, whole = begin_chain(place, "-t", 10, "long.yaml", "checkpoint.every=8")
    place.finish(whole, limit=500)  # frees its nodes
    wait_until(lambda: any(int(at.split()[1]) > 0 for at in checkpoints(place).values()), "the first checkpoint", 120)
    lost = place.cluster.job(chain)["BatchHost"]
    place.cluster.kill_node(int(lost[4:]))
    place.cluster.wait_for_job(chain, ("PENDING", "RUNNING"), 60, lambda job: int(job["Restarts"]) == 1)
    log = end_chain(place, chain, whole)
    starts = re.findall(r"chain: start \d+ of job \d+, at step (\d+)", log)
    assert len(starts) == 1 and int(starts[0]) > 0 and "going on from ./long.ckpt-" in log, log


def test_other_command(place):
    """A chain that was cancelled goes on with the same command, not with another one, neither at submission nor where its job comes later than that of
    the first; requeued it goes on although its case was edited."""
    place.write("long.yaml", TRANSIENT)
    disk = slow_disk(place)
    command = ["-n", 1, "-t", 5, "long.yaml", "checkpoint.every=2"]
    first = place.submit("chain.sh", *command, **disk)
    place.site(sbatch=[f"--dependency=afterany:{first}"])
    other = place.submit("chain.sh", *command, "solve.end=0.3", **disk)
    place.site()
    wait_until(lambda: any(int(at.split()[1]) > 0 for at in checkpoints(place).values()), "the first checkpoint", 120)
    place.cluster.run("scancel", first)
    place.finish(first, "CANCELLED")
    assert not list(place.directory.glob(".soret-status-*"))
    assert "of another command; nothing was run" in place.finish(other, "FAILED") and place.cluster.job(other)["ExitCode"] == "2:0"
    said = place.script("chain.sh", *command, "solve.end=0.3", status=2)
    assert "they are of: long.yaml checkpoint.every=2 " in said and "this is:     long.yaml checkpoint.every=2 solve.end=0.3 " in said, said
    place.write("long.yaml", TRANSIENT.replace("end: 0.24", "end: 0.3"))
    assert "'long.yaml' is not what it was when" in place.script("chain.sh", *command, status=2)
    place.write("long.yaml", TRANSIENT)
    second = place.submit("chain.sh", *command, **disk)
    place.cluster.wait_for_job(second, ("RUNNING",))
    wait_until(lambda: "(the interval)" in place.log(second), "a checkpoint of the second chain", 60)
    place.write("long.yaml", "soret: 1\n")
    (place.directory / "STOP").touch()
    log = place.finish(second)
    assert len(re.findall(r"chain: start \d+ of job", log)) == 2 and "chain: ended with status 0" in log, log
    place.write("reference.yaml", TRANSIENT)
    place.run(SORET, "reference.yaml", "output.file=reference.h5", "checkpoint.prefix=reference")
    place.compare("long.h5")
    assert "of another command" in place.script("chain.sh", *command, "output.file=./k2.h5", status=2)


def test_no_progress(place):
    """A chain of followers that gets nowhere ends after as many restarts as were allowed. The program is one that is always told to stop at once."""
    place.write("soret", "#!/bin/sh\n[ \"$1\" != --version ] || exit 0\nexit 75\n")
    (place.directory / "soret").chmod(0o755)
    place.site(soret=place.directory / "soret", chain="dependent")
    first = place.submit("chain.sh", "-n", 1, "-t", 5, "--restarts", 2, "case.yaml")
    wait_until(lambda: "restarts in a row" in "".join(p.read_text() for p in place.directory.glob("*.log")), "the end of the chain", 120)
    logs = sorted(place.directory.glob("soret-chain-*.log"))
    assert len(logs) == 4 and "start 1 of job" in logs[0].read_text() and "2 restarts in a row got no further than the start: the chain ends" in logs[3].read_text()
    assert place.finish(first + 3, "FAILED") and not place.run("squeue", "-h").strip()


def main(names):
    known = {name[5:]: value for name, value in globals().items() if name.startswith("test_")}
    failed = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # clears up
    try:
        for name in names or known:
            begin = time.monotonic()
            with tempfile.TemporaryDirectory() as directory, Cluster() as cluster:
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
