# SPDX-License-Identifier: BSD-2-Clause
"""jobscripts/quickstart.sh and tests/run.sh where nothing can be installed: status 1, what is missing, and the packages that an administrator
installs; nothing else happens. The machine is one of few tools, with a dpkg that knows no package as installed where it is a Debian. And the job
scripts without Slurm (tests/slurm has one): what chain.sh would submit and over which checkpoints it goes on, points of a sweep that are stopped and
finished, what the scripts print.    (environment SORET: the program)"""
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SORET = Path(os.environ.get("SORET", ROOT / "build/soret")).resolve()
TOOLS = ["bash", "dirname", "env", "grep", "nproc", "tail", "rm", "mktemp", "cat"]
FAKES = {"id": "echo 1000", "dpkg": "exit 1", "apt-get": "echo apt-get was run; exit 100"}


def needs(script):
    """[package, what] of the lists of jobscripts/common.sh that the script asks for."""
    text = (ROOT / "jobscripts" / "common.sh").read_text(encoding="utf-8")
    lists = ["build_needs", "plot_needs"] + (["test_needs"] if script.startswith("tests") else [])
    for name in lists:
        yield from re.findall(r'^  "([^|"]+)\|([^|]+)\|', re.search(rf"^{name}=\((.*?)^\)", text, re.M | re.S).group(1), re.M)


def machine(directory, fakes):
    """A folder with the tools, for PATH."""
    directory.mkdir()
    for tool in TOOLS:
        (directory / tool).symlink_to(next(Path(p) / tool for p in ("/usr/bin", "/bin", "/usr/local/bin") if (Path(p) / tool).exists()))
    for name in fakes:
        (directory / name).write_text(f"#!/bin/sh\n{FAKES[name]}\n")
        (directory / name).chmod(0o755)
    return directory


def try_script(script, path):
    """What the script says on this machine."""
    before = sorted(p.name for p in ROOT.iterdir())
    done = subprocess.run([str(ROOT / script)], env={"PATH": str(path), "HOME": "/"}, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=100)
    assert done.returncode == 1 and not done.stdout, done
    assert sorted(p.name for p in ROOT.iterdir()) == before
    return done.stderr


def check(script, path, debian):
    said = try_script(script, path)
    listed = re.findall(r"^  (.*) \(Debian: (\S+)\)$", said, re.M)
    installs = re.search(r"^  apt-get install --no-install-recommends (.*)$", said, re.M).group(1).split()
    wanted = [package for package, _ in needs(script)]
    assert ("a C11 compiler", "gcc") in listed and ("PETSc >= 3.18 with MPI, real numbers", "libpetsc-real-dev") in listed, said
    assert {(what, package) for package, what in needs(script)} >= set(listed), said
    assert len(listed) >= 10 and installs == wanted, f"{installs} instead of {wanted}"
    assert "apt-get was run" not in said and ("load the modules of the same names" in said), said
    print(f"ok   {script}, {'Debian without root' if debian else 'another system'}: {len(listed)} things are missing, {len(installs)} packages")


def chain(directory, site, *arguments):
    """What chain.sh would submit with this site file."""
    (directory / "site.sh").write_text(site)
    env = {**os.environ, "SORET_SITE_FILE": str(directory / "site.sh")}
    return subprocess.run([str(ROOT / "jobscripts/chain.sh"), "--print", *arguments], cwd=directory, env=env, capture_output=True, text=True, timeout=100)


def check_chain(directory):
    (directory / "case.yaml").write_text("soret: 1\n# prefix: none\nspecies: [{name: A, diffusivity: {law: arrhenius, prefactor: 1}}]\n")
    (directory / "own.yaml").write_text("soret: 1\ncheckpoint: {every: 60, prefix: there/own}\n")
    for way, options in {"requeue": ["--requeue"], "dependent": ["--no-requeue"]}.items():
        done = chain(directory, f"site_chain={way}\n", "-n", "2", "case.yaml", "output.file=runs/r.h5")
        assert done.returncode == 0 and re.findall(r" (--(?:no-)?requeue)\b", done.stderr) == options, done
        assert " checkpoint.prefix=runs/case" in done.stderr, done
        assert f"\nexport SORET_SITE_FILE={directory}/site.sh\nexec " in done.stderr, "the job needs it although sbatch may have --export=NONE"
    for arguments in (["own.yaml"], ["case.yaml", "checkpoint={every: 60, prefix: there/own}"]):
        done = chain(directory, "", *arguments)
        assert done.returncode == 2 and f"'{arguments[0]}' sets checkpoint.prefix, which is not read here" in done.stderr and "sbatch" not in done.stderr, done
    done = chain(directory, "", "own.yaml", "checkpoint.prefix=there/own")
    assert done.returncode == 0 and done.stderr.count("checkpoint.prefix=there/own") == 1, done
    print("ok   jobscripts/chain.sh: one follower, prefix")


def executable(path, text):
    path.write_text(text)
    path.chmod(0o755)


def check_command_of_chain(directory):
    """Over the checkpoints of another command, or of another state of the case file, a chain is refused; its own jobs go on. soret is one that leaves
    a checkpoint and ends with 3."""
    fakes = directory / "bin"
    fakes.mkdir()
    executable(fakes / "sbatch", "#!/bin/sh\necho 204\n")
    executable(fakes / "scancel", "#!/bin/sh\n")
    executable(fakes / "launch", "#!/bin/sh\nshift 2\nexec \"$@\"\n")
    executable(fakes / "soret", "#!/bin/sh\n[ \"$1\" != --version ] || exit 0\necho \"ran: $*\"\nprintf '\\nstep 1 t 0.5 written\\n' >long.ckpt-001-000001.manifest\nexit 3\n")
    site = f"site_soret='{fakes}/soret'\nsite_launcher='{fakes}/launch'\nsite_free_mib=1\n"
    case, edited = "soret: 1\n", "soret: 1\n# edited\n"
    one, two = (["long.yaml", f"output.file=k{k}.h5", "title=a  b", f"parameters.k={k}"] for k in (1, 2))

    def start(job, arguments, text, status, said, chain="requeue"):
        """By hand (job 0), or in a job; the case file is as in `text`."""
        (directory / "long.yaml").write_text(text)
        (directory / "site.sh").write_text(f"{site}site_chain={chain}\n")
        env = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}
        env.update(SORET_SITE_FILE=str(directory / "site.sh"), PATH=f"{fakes}:{env['PATH']}", SLURM_JOB_ID=str(job or 101))
        done = subprocess.run([str(ROOT / "jobscripts/chain.sh"), "--inside" if job else "--print", *arguments], cwd=directory, env=env, capture_output=True, text=True, timeout=100)
        assert done.returncode == status and said in done.stdout + done.stderr, f"job {job}, status {status} and '{said}' expected: {done}"
        assert status != 2 or ("ran: " not in done.stdout and "sbatch" not in done.stderr), done
        return done.stderr

    start(0, one, case, 0, "sbatch")
    assert not list(directory.glob("long.ckpt-*"))
    start(101, one, case, 3, "ran: long.yaml output.file=k1.h5")
    start(101, one, edited, 3, "ran: resume ./long")
    start(0, one, case, 0, "sbatch")
    for job in (0, 102):
        said = start(job, two, case, 2, "checkpoints './long.ckpt-*' of another command")
        assert "they are of: long.yaml output.file=k1.h5 title=a\\ \\ b parameters.k=1" in said and "this is:     long.yaml output.file=k2.h5" in said, said
        start(job, one, edited, 2, "'long.yaml' is not what it was when")
    start(102, one, case, 3, "ran: resume ./long")
    start(102, one, edited, 3, "ran: resume ./long")
    start(101, one, edited, 2, "is not what it was when")
    (directory / "long.chain").write_text("")  # a start that was killed there
    start(102, one, case, 3, "chain: start 1 of job 102, at step 1 t 0.5")
    start(203, one, case, 3, "ran: resume ./long", "dependent")
    start(204, one, edited, 3, "ran: resume ./long", "dependent")
    kept = directory / "kept"
    kept.mkdir()
    for path in directory.glob("long.ckpt-*"):
        path.rename(kept / path.name)
    assert len(list(kept.iterdir())) == 2
    start(301, two, case, 3, "ran: long.yaml output.file=k2.h5")
    (directory / "long.ckpt-command").write_text("")
    start(0, two, case, 2, "of a run that was started otherwise")
    (directory / "long.ckpt-command").unlink()
    start(0, two, case, 2, "of a run that was started otherwise")
    print("ok   jobscripts/chain.sh: the same command goes on, another one and an edited case are refused, its own jobs are not")


def check_followers(directory):
    """A part whose follower Slurm does not take runs all the same, and asks once more when it is stopped. soret is one that leaves a checkpoint and
    ends with 75; of sbatch, the first so many times fail."""
    fakes = directory / "bin"
    fakes.mkdir()
    executable(fakes / "sbatch", "#!/bin/sh\necho x >>tries\n[ $(wc -l <tries) -gt $FAILS ] || { echo 'sbatch: error: job submit limit' >&2; exit 1; }\necho 204\n")
    executable(fakes / "launch", "#!/bin/sh\nshift 2\nexec \"$@\"\n")
    executable(fakes / "soret", "#!/bin/sh\n[ \"$1\" != --version ] || exit 0\necho \"ran: $*\"\nprintf '\\nstep 1 t 0.5 written\\n' >long.ckpt-001-000001.manifest\nexit 75\n")
    (directory / "site.sh").write_text(f"site_soret='{fakes}/soret'\nsite_launcher='{fakes}/launch'\nsite_free_mib=1\nsite_chain=dependent\n")
    (directory / "long.yaml").write_text("soret: 1\n")
    env = {**{k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}, "SORET_SITE_FILE": str(directory / "site.sh"), "SLURM_JOB_ID": "101"}
    for fails, said, jobs in ((0, "stopped at step 1 t 0.5; job 204 goes on", "101 204"), (1, "stopped at step 1 t 0.5; job 204 goes on", "101 204"),
                              (2, "stopped at step 1 t 0.5, and again sbatch takes no job that goes on", "101 ")):
        (directory / "tries").unlink(missing_ok=True)
        done = subprocess.run([str(ROOT / "jobscripts/chain.sh"), "--inside", "long.yaml"], cwd=directory, capture_output=True, text=True, timeout=100,
                              env={**env, "PATH": f"{fakes}:{env['PATH']}", "FAILS": str(fails)})
        all_said = done.stdout + done.stderr
        assert done.returncode == 75 and "ran: " in all_said and said in all_said and ("runs all the same" in all_said) == (fails > 0), f"{fails}: {done}"
        assert (directory / "long.ckpt-command").read_text().splitlines()[0] == jobs and len((directory / "tries").read_text().split()) == min(fails + 1, 2), done
    for name in ("USR1", "TERM"):  # before soret could hear it
        executable(fakes / "soret", f"#!/bin/sh\n[ \"$1\" != --version ] || exit 0\nkill -{name} $$\n")
        (directory / "long.chain").unlink()  # the starts so far made no progress
        done = subprocess.run([str(ROOT / "jobscripts/chain.sh"), "--inside", "long.yaml"], cwd=directory, capture_output=True, text=True, timeout=100,
                              env={**env, "PATH": f"{fakes}:{env['PATH']}", "FAILS": "0"})
        assert done.returncode == 75 and "stopped at step 1 t 0.5; job 204 goes on" in done.stdout, done
    # a part that is done ends so although its follower cannot be cancelled: with another status the follower would begin
    executable(fakes / "scancel", "#!/bin/sh\nexit 1\n")
    executable(fakes / "soret", "#!/bin/sh\nexit 0\n")
    done = subprocess.run([str(ROOT / "jobscripts/chain.sh"), "--inside", "long.yaml"], cwd=directory, capture_output=True, text=True, timeout=100,
                          env={**env, "PATH": f"{fakes}:{env['PATH']}", "FAILS": "0"})
    assert done.returncode == 0 and "chain: ended with status 0" in done.stdout and not (directory / "long.chain").exists(), done
    print("ok   jobscripts/chain.sh: a follower that is not taken at once, or cannot be cancelled")


SHORT = """soret: 1
title: Relaxation
units: reduced
parameters: {k: 1}
domain: {size: [1], cells: [16]}
temperature: 1 + 0.3*x
species:
  - {name: A, diffusivity: {law: einstein, mobility: 1}, initial: 1 + x}
  - {name: B, diffusivity: {law: einstein, mobility: 0.3}, initial: 1}
reactions: [{equation: A <=> B, forward: k, backward: 20*exp(-1/T)}]
solve: {mode: transient, end: 0.01}
checkpoint: {prefix: own}
"""


def script(directory, name, *arguments, status=0, **environment):
    """Standard output and error of a job script."""
    env = {**os.environ, "SORET_SITE_FILE": str(directory / "site.sh"), **environment}
    (directory / "site.sh").write_text(f"site_soret='{SORET}'\nsite_free_mib=1\nsite_python='{sys.executable}'\n")
    done = subprocess.run([str(ROOT / "jobscripts" / name), *arguments], cwd=directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
    assert done.returncode == status, done
    return done.stdout, done.stderr


def check_stopped_points(directory):
    """Points that were stopped early are finished by the same command, and by no other one."""
    (directory / "short.yaml").write_text(SHORT)
    command = ["sweep.sh", "--local", "-n", "1", "-o", "a study", "short.yaml", "parameters.k=1", "parameters.k=2"]

    def ends(**environment):
        return [line[6:22].strip() for line in script(directory, *command, **environment)[0].splitlines()]

    assert ends(SLURM_JOB_END_TIME=str(int(time.time()) + 2)) == ["stopped early"] * 2
    assert ends(OMP_NUM_THREADS="100000") == ["not finished"] * 2, "how a start before ended is of no interest"
    (directory / "short.yaml").write_text(SHORT.replace("end: 0.01", "end: 0.02"))
    assert ends() == ["wrong input"] * 2 and "is not what it was when" in (directory / "a study/0001.log").read_text()
    (directory / "short.yaml").write_text(SHORT)
    assert ends() == ["done"] * 2 and "going on from" in (directory / "a study/0002.log").read_text()
    for k in (1, 2):
        script(directory, "single.sh", "--local", "short.yaml", f"parameters.k={k}", f"output.file=k{k}.h5", f"checkpoint.prefix=k{k}")
        subprocess.run([SORET, "compare", f"a study/000{k}.h5", f"k{k}.h5"], cwd=directory, check=True, timeout=100)
    print("ok   jobscripts/sweep.sh: points that were stopped go on")


def check_lines(directory):
    """What a log gets is lines, although mpirun gives its processes a terminal; at a terminal one line rewrites itself."""
    (directory / "short.yaml").write_text(SHORT)
    command = ["single.sh", "--local", "-n", "2", "short.yaml", "checkpoint.prefix=lines", "--overwrite"]
    said = script(directory, *command)[0]
    assert re.search(r"^step +\d+ .* 100 %", said, re.M) and not re.search(r"[\033\r]", said), repr(said)
    if shutil.which("script"):  # a terminal
        line = " ".join(shlex.quote(word) for word in [str(ROOT / "jobscripts" / command[0]), *command[1:]])
        said = subprocess.run(["script", "-qec", line, "/dev/null"], cwd=directory, env={**os.environ, "SORET_SITE_FILE": str(directory / "site.sh")},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=True).stdout
        assert "\033[K" in said, repr(said)
    print("ok   jobscripts/single.sh: lines in a log, one line at a terminal")


def check_studies(directory):
    """Help, options without a value, --print that leaves nothing behind, and the table of a study of one kind."""
    (directory / "short.yaml").write_text(SHORT)
    for name in ("single.sh", "chain.sh", "scaling.sh", "sweep.sh", "doctor"):
        for option in ("--help", "-h"):
            out, error = script(directory, name, option)
            assert f"jobscripts/{name}" in out and not error, (name, out, error)
    for words in (["single.sh"], ["chain.sh"], ["sweep.sh"], ["scaling.sh", "strong"]):
        assert script(directory, *words, "-n", status=2)[1].endswith(f"{words[0]}: '-n' needs a value\n")
        for option, value in (("-n", "two"), ("-N", "0"), ("--repeat", ""), ("--at-once", "1.5"), ("--restarts", "-1")):
            assert script(directory, *words, option, value, "short.yaml", status=2)[1].endswith(f"{words[0]}: '{value}' is no value of '{option}'; see {ROOT}/jobscripts/{words[0]} --help\n")
        assert script(directory, *words, "--print", "-n", "1", "nowhere.yaml", "parameters.k=1", status=2)[1].endswith(f"{words[0]}: there is no 'nowhere.yaml' here\n")
    assert "not both" in script(directory, "scaling.sh", "strong", "--print", "-n", "1,2", "-N", "1,2", "short.yaml", status=2)[1]
    assert "OMP_NUM_THREADS=100000 with 1 ranks" in script(directory, "single.sh", "--local", "short.yaml", status=2, OMP_NUM_THREADS="100000")[1]
    before = sorted(directory.iterdir())
    assert f"{directory}/100%%a/%4a.log" in script(directory, "sweep.sh", "--print", "-o", "100%a", "short.yaml", "parameters.k=1")[1].replace("\\", "")
    assert f"{directory}/100%%x/%x-%j.log" in script(directory, "scaling.sh", "strong", "--print", "-n", "1", "-o", "100%x", "short.yaml")[1].replace("\\", "")
    assert f"{directory}/new/study/%4a.log" in script(directory, "sweep.sh", "--print", "-o", "new/study", "short.yaml", "parameters.k=1")[1].replace("\\", "")
    lines = script(directory, "single.sh", "--print", "-n", "3", "short.yaml")[1].splitlines()
    assert lines[0].startswith("# sbatch ") and lines[0].endswith(" --ntasks=3") and lines[1] == "#!/usr/bin/env bash" and lines[-1].startswith("exec "), lines
    script(directory, "scaling.sh", "strong", "--print", "-n", "1,2", "short.yaml")
    assert sorted(directory.iterdir()) == before
    assert "no records" in script(directory, "scaling.sh", "collect", ".", status=2)[1]
    if subprocess.run([sys.executable, "-c", "import matplotlib"], check=False, capture_output=True).returncode == 0:
        script(directory, "scaling.sh", "strong", "--local", "-n", "1", "-o", "study", "short.yaml", "checkpoint.prefix=study/s")
        assert "efficiency" in script(directory, "scaling.sh", "collect", "study")[0]
    print("ok   job scripts: help, options without a value, --print, collect")


def check_cancelled(directory):
    """scancel, as the job sees it: the shell and the ranks get TERM. Nothing is left in the directory, and nothing goes on."""
    executable(directory / "launch", "#!/bin/sh\ntrap 'sleep 0.5; exit 0' TERM\n: >started\nsleep 20 &\nwait\n")
    executable(directory / "soret", "#!/bin/sh\n")
    (directory / "mine.sh").write_text(f"site_soret='{directory}/soret'\nsite_launcher='{directory}/launch'\nsite_free_mib=1\n")
    (directory / "long.yaml").write_text("soret: 1\n")
    job = subprocess.Popen([str(ROOT / "jobscripts/chain.sh"), "--inside", "long.yaml"], cwd=directory, env={**os.environ, "SORET_SITE_FILE": str(directory / "mine.sh"), "SLURM_JOB_ID": "1"},
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not (directory / "started").exists():
        assert job.poll() is None, job.communicate()
        time.sleep(0.05)
    os.killpg(job.pid, signal.SIGTERM)
    out, error = job.communicate(timeout=60)
    assert job.returncode in (143, -signal.SIGTERM) and "ended with status" not in out, (job.returncode, out, error)
    assert not list(directory.glob(".soret-status-*")), list(directory.iterdir())
    print("ok   job scripts: nothing is left of a job that is cancelled")


def check_status(directory):
    """The status of soret, whatever the launcher makes of it; not 0 where it cannot be kept, as on the full disk that ended the run."""
    for file, kept in (("/dev/full", 4), ("status", 0)):
        done = subprocess.run([str(ROOT / "jobscripts/rank.sh"), file, "sh", "-c", "exit 4"], cwd=directory, capture_output=True, check=False, timeout=100)
        assert done.returncode == kept, done
    assert (directory / "status").read_text() == "4\n"
    executable(directory / "launch", "#!/bin/sh\nshift 2\n\"$@\"\nexit 1\n")
    executable(directory / "soret", "#!/bin/sh\n[ \"$1\" = --version ] || exit 4\n")
    (directory / "mine.sh").write_text(f"site_soret='{directory}/soret'\nsite_launcher='{directory}/launch'\nsite_free_mib=1\n")
    (directory / "case.yaml").write_text("soret: 1\n")
    done = subprocess.run([str(ROOT / "jobscripts/single.sh"), "--inside", "case.yaml"], cwd=directory, env={**os.environ, "SORET_SITE_FILE": str(directory / "mine.sh")},
                          capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 4, done
    print("ok   job scripts: the status is that of soret")


def check_doctor(directory):
    """Modules that are not there, and what fails before a job, have to be mended, as all else; on the nodes, too."""
    site = f"site_soret='{SORET}'\nsite_free_mib=1\nsite_modules=(petsc hdf5)\n"
    modules, prepare = "MEND  modules petsc hdf5 on ", "MEND  site_prepare on "
    there = "module() { [ $# -eq 3 ]; }\n"
    for module, status, mend in (("", 1, modules), (there, 0, "nothing to mend"), ("module() { [ ! -f trial.yaml ]; }\n", 1, modules),
                                 (there + "site_prepare() { ls /nowhere; true; }\n", 1, prepare), (there + "site_prepare() { [ ! -f trial.yaml ]; }\n", 1, prepare)):
        (directory / "mine.sh").write_text(site + module)
        done = subprocess.run([str(ROOT / "jobscripts/doctor"), "--local"], cwd=directory, env={**os.environ, "SORET_SITE_FILE": str(directory / "mine.sh")},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
        assert done.returncode == status and mend in done.stdout, done
        assert done.stdout.splitlines()[-1].startswith("mend what is marked MEND" if status else "nothing to mend") and not done.stderr, done
    print("ok   jobscripts/doctor: modules that are not there, what fails before a job")


def main():
    with tempfile.TemporaryDirectory() as directory:
        check_chain(Path(directory))
    for check_scripts in (check_command_of_chain, check_followers, check_stopped_points, check_lines, check_studies, check_cancelled, check_status, check_doctor):
        with tempfile.TemporaryDirectory(prefix="with [a] blank ") as directory:
            check_scripts(Path(os.path.realpath(directory)))
    with tempfile.TemporaryDirectory() as directory:
        for debian in (False, True):
            path = machine(Path(directory) / f"bin{int(debian)}", FAKES if debian else ["id"])
            for script in ("jobscripts/quickstart.sh", "tests/run.sh"):
                check(script, path, debian)
    return 0


if __name__ == "__main__":
    sys.exit(main())
