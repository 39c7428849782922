#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A real Slurm on this machine for as long as a test needs it: munge, slurmctld and four nodes of four CPUs that are processes here.

    python3 tests/slurm/cluster.py            a shell in which srun, sbatch, squeue ... talk to it
    python3 tests/slurm/cluster.py COMMAND    runs the command in it, and ends with its status

    with Cluster() as cluster:
        cluster.run("srun", "-N", "4", "hostname")

Everything lies in a temporary directory and is gone afterwards. Root or not, but the nodes need name spaces of their own (host name, processes);
where munge, Slurm or name spaces cannot be had, Missing is raised, and status 77 ends the program."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NODES, CPUS = 4, 4
SKIP = 77
LIMIT = 60  # seconds that daemons may take to start on a busy machine
NEEDED = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "scontrol", "unshare")

# for more ranks than cores on one machine, not for users' jobs; mpirun refuses root without the last two
ENVIRONMENT = dict(OMPI_MCA_btl_tcp_if_include="lo", OMPI_MCA_oob_tcp_if_include="lo", OMPI_MCA_mpi_yield_when_idle="1",
                   OMPI_MCA_btl_vader_single_copy_mechanism="none", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")

CONFIGURATION = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
# a requeued job waits for cred_expire + 1 s
AuthInfo=socket={root}/munge/sock,cred_expire=5
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
# one per node: the plugin of PMIx makes a directory of the same name on each
TmpFS={root}/tmp/%n
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/%n.slurmd.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/%n.log
MpiDefault=pmix
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={root}/log/jobcomp.txt
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=2,sched_min_interval=0
EnforcePartLimits=ALL
KillWait=5
MinJobAge=3600
SlurmctldTimeout=30
SlurmdTimeout=10
PropagateResourceLimits=NONE
MailProg=/bin/true
NodeName=DEFAULT CPUs={cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory=1000 State=UNKNOWN
{nodes}
PartitionName=debug Nodes=node[1-{num_nodes}] Default=YES MaxTime=INFINITE State=UP
"""


class Missing(Exception):
    """What a cluster takes cannot be had here."""


def free_ports(count):
    """A port such that it and the next `count` are free now. Below the range from which the system takes ports by itself."""
    first = 20000 + os.getpid() * 16 % 10000
    for port in range(first, first + 2000, 16):
        sockets = []
        try:
            for k in range(count):
                sockets.append(socket.socket())
                sockets[-1].bind(("127.0.0.1", port + k))
            return port
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise Missing("no free ports")


def is_alive(pid):
    """A process that has ended but that nobody has waited for yet does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def wait_until(condition, what, limit=LIMIT, pause=0.1):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {limit} s")
        time.sleep(pause)


class Cluster:
    def __init__(self):
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        lacking = [name for name in NEEDED if not shutil.which(name, path=path)]
        if lacking:
            raise Missing(f"not installed: {', '.join(lacking)}")
        self.unshare = ["unshare", "--uts", "--ipc", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if os.getuid():
            self.unshare[1:1] = ["--user", "--map-current-user", "--keep-caps"]
        if subprocess.run([*self.unshare, "hostname", "node1"], stdin=subprocess.DEVNULL, capture_output=True).returncode:
            raise Missing("this system allows no name spaces of its own to " + ("users" if os.getuid() else "root in this container"))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_", "PMIX_", "OMPI_"))}
        self.environment.update(ENVIRONMENT, PATH=path)
        self.node_process, self.munged = {}, None

    # ---- start and end

    def __enter__(self):
        self.root = Path(tempfile.mkdtemp(prefix="soret-slurm-"))
        try:
            self.configure()
            self.start()
        except BaseException as error:
            self.explain(error)
            self.stop()
            raise
        return self

    def __exit__(self, kind, error, trace):
        if error:
            self.explain(error)
        self.stop()

    def configure(self):
        for name in ("munge", "state", "run", "log", "shm"):
            (self.root / name).mkdir(mode=0o700)
        key = self.root / "munge/key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        host, port = socket.gethostname().split(".")[0], free_ports(NODES + 1)
        nodes = "\n".join(f"NodeName=node{k} NodeHostname={host} NodeAddr=127.0.0.1 Port={port + k}" for k in range(1, NODES + 1))
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        (self.root / "slurm.conf").write_text(CONFIGURATION.format(root=self.root, host=host, port=port, user=user, cpus=CPUS, num_nodes=NODES, nodes=nodes))
        (self.root / "mpi.conf").write_text("PMIxCollFence=ring\n")  # the default crashes now and then with several ranks on several nodes
        self.environment["SLURM_CONF"] = str(self.root / "slurm.conf")

    def spawn(self, *command, log):
        with open(self.root / "log" / log, "ab") as out:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment, start_new_session=True)

    def start(self):
        munge = self.root / "munge"
        self.munged = self.spawn("munged", "--foreground", "--force", f"--key-file={munge}/key", f"--socket={munge}/sock", f"--pid-file={munge}/pid",
                                 f"--log-file={munge}/log", f"--seed-file={munge}/seed", log="munged.out")
        wait_until((munge / "sock").exists, "munged")
        self.spawn("slurmctld", "-c", log="slurmctld.out").wait()  # it goes into the background by itself
        for k in range(1, NODES + 1):
            self.start_node(k)
        wait_until(lambda: self.idle_nodes() == NODES, "nodes of the cluster are idle")

    def start_node(self, k):
        """Its own host name, because Open MPI names shared memory by it; its own processes, so that they all end with it."""
        for name in ("spool", "tmp"):
            (self.root / name / f"node{k}").mkdir(parents=True, exist_ok=True)
        script = f"hostname node{k}; mount -t tmpfs -o size=1g,mode=1777 tmpfs /dev/shm; slurmd -D -N node{k} & wait"
        self.node_process[k] = self.spawn(*self.unshare, "bash", "-c", script, log=f"node{k}.out")

    def kill_node(self, k, tell=True):
        """The node and all that runs on it is gone. tell - Slurm is told too, instead of noticing it half a minute later."""
        self.node_process[k].kill()
        self.node_process.pop(k).wait()
        if tell:
            self.run("scontrol", "update", f"nodename=node{k}", "state=down", "reason=killed")

    def idle_nodes(self):
        found = self.try_run("sinfo", "-h", "-N", "-t", "idle", "-o", "%N", timeout=5)
        return len(set(found.split())) if found else 0

    def stop(self):
        pid = self.root / "run/slurmctld.pid"
        controller = int(pid.read_text()) if pid.exists() else None
        if controller:
            self.try_run("scontrol", "shutdown", timeout=10)
        for process in self.node_process.values():
            process.kill()
            process.wait()
        if controller:
            try:
                wait_until(lambda: not is_alive(controller), "end of slurmctld", 10)
            except TimeoutError:
                os.kill(controller, signal.SIGKILL)
        if self.munged:
            self.munged.kill()
            self.munged.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    # ---- use

    def run(self, *command, timeout=120, status=0, **options):
        """Output of a command that must end with `status` (None: any)."""
        options.setdefault("env", self.environment)
        done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, **options)
        assert status is None or done.returncode == status, f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout[-6000:]}{done.stderr[-6000:]}"
        return done.stdout + done.stderr

    def try_run(self, *command, timeout):
        try:
            return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, env=self.environment).stdout
        except subprocess.TimeoutExpired:
            return ""

    def job(self, number):
        """What scontrol says of a job: {"JobState": "RUNNING", ...}."""
        words = self.run("scontrol", "--oneliner", "show", "job", str(number), timeout=30).split()
        return dict(w.split("=", 1) for w in words if "=" in w)

    def wait_for_job(self, number, states=("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"), limit=120, where=lambda job: True):
        """The job once it is in one of the states (and `where` holds)."""
        found = {}

        def arrived():
            found.update(self.job(number))
            return found["JobState"] in states and where(found)

        wait_until(arrived, f"job {number} {'/'.join(states)}", limit, 0.2)
        return found

    def explain(self, error):
        """What the daemons complained of, for the log of a test that failed."""
        if isinstance(error, SystemExit):
            return
        for path in sorted((self.root / "log").glob("*")):
            lines = [line for line in path.read_text(errors="replace").splitlines() if re.search("error|fatal|NODE|Killed", line) and "state" not in line][-8:]
            if lines:
                print(f"---- {path.name}", *lines, sep="\n", file=sys.stderr)


def main():
    try:
        with Cluster() as cluster:
            return subprocess.run(sys.argv[1:] or [os.environ.get("SHELL", "bash")], env=cluster.environment).returncode
    except Missing as missing:
        print(f"skipped: {missing}", file=sys.stderr)
        return SKIP


if __name__ == "__main__":
    sys.exit(main())
