"""A Slurm cluster of one machine, started and stopped by whoever may."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={controller}
SlurmdPort={daemon}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class UnavailableError(Exception):
    """Why there is no cluster here."""


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which `sbatch` reaches the cluster, which ends with the block.

    Raises:
        UnavailableError: Slurm is not installed, or may not be started.
    """
    if missing := [name for name in PROGRAMS if program(name) is None]:
        raise UnavailableError(f"Slurm is not installed: no {', '.join(missing)}")
    if os.geteuid() != 0:
        raise UnavailableError("only root may start Slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)
    controller, daemon = free_ports()
    file = folder / "slurm.conf"
    file.write_text(
        CONFIGURATION.format(
            host=socket.gethostname(), folder=folder, controller=controller, daemon=daemon, cpus=os.cpu_count()
        )
    )
    environment = os.environ | {"SLURM_CONF": str(file)}
    files = {
        "key-file": "munge.key",
        "socket": "munge.socket",
        "pid-file": "munge.pid",
        "log-file": "munge.log",
        "seed-file": "munge.seed",
    }
    try:
        start("munged", *(f"--{option}={folder / name}" for option, name in files.items()), "--force")
        start("slurmctld", "-f", str(file), environment=environment)
        start("slurmd", "-f", str(file), environment=environment)
        wait_until_idle(environment, folder)
        yield environment
    finally:
        for name in ("slurmd", "slurmctld", "munge"):
            if (folder / f"{name}.pid").exists():
                subprocess.run(["kill", (folder / f"{name}.pid").read_text().strip()], timeout=240)


def program(name: str) -> str | None:
    """Where it is; daemons lie in folders that not everybody searches."""
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


def start(name: str, *words: str, environment: dict[str, str] | None = None) -> None:
    """Start a daemon, which goes to the background by itself."""
    # Its output goes nowhere: a daemon that kept a pipe would keep its reader waiting.
    done = subprocess.run(
        [str(program(name)), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, timeout=240
    )
    if done.returncode != 0:
        raise UnavailableError(f"{name} cannot be started")


def wait_until_idle(environment: dict[str, str], folder: Path, seconds: float = 60) -> None:
    """Wait until the machine takes jobs."""
    deadline = time.monotonic() + seconds
    said = ""
    while time.monotonic() < deadline:
        asked = subprocess.run(
            ["sinfo", "--noheader", "--format=%t"], capture_output=True, text=True, env=environment, timeout=240
        )
        said = asked.stdout.strip() or asked.stderr.strip()
        if said == "idle":
            return
        time.sleep(0.2)
    raise UnavailableError(f"Slurm's machine takes no jobs ({said}): {(folder / 'slurmd.log').read_text()[-500:]}")


def free_ports() -> tuple[int, int]:
    """Two ports that nobody listens at."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
