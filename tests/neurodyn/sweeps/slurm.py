"""A real Slurm on this machine, for tests: one node, on the loopback interface, no system services.

Debian's ``slurm-wlm`` and ``munge`` must be installed. With ``NEURODYN_TEST_SLURM=install`` in the
environment they are installed by apt-get, which takes root.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={control}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2
ReturnToService=2
MpiDefault=none
KillWait=2
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=2000 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class NoSlurm(RuntimeError):
    """Why there is none here."""


def _path():
    return os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"])


def _missing():
    return [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]


def find_programs():
    """Raise NoSlurm if Slurm is not there and cannot be installed."""
    if os.geteuid() != 0:
        raise NoSlurm("its daemons are started as root")
    if _missing() and os.environ.get("NEURODYN_TEST_SLURM") == "install":
        environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        install = ("apt-get", "install", "-qq", "--no-install-recommends", "slurm-wlm", "munge")
        for command in (("apt-get", "update", "-qq"), (*install, "-y")):
            try:
                done = subprocess.run(command, env=environ, capture_output=True, text=True)
            except FileNotFoundError:
                raise NoSlurm("there is no apt-get to install it") from None
            if done.returncode:
                raise NoSlurm(f"it cannot be installed: {done.stderr.strip()[-200:]}")
    if _missing():
        raise NoSlurm(f"{', '.join(_missing())} not found (NEURODYN_TEST_SLURM=install installs)")


class Slurm:
    """Started when it is made; `environ` is for the commands that use it.

    Parameters
    ----------
    folder : Path
        For keys, state and logs. Its path must be short: it holds a socket.
    """

    def __init__(self, folder: Path):
        find_programs()
        self.folder = folder
        for name in ("run", "log", "state", "spool", "munge"):
            (folder / name).mkdir(parents=True)
        folder.chmod(0o755)
        (folder / "munge").chmod(0o711)
        key = folder / "munge" / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        host = socket.gethostname().split(".")[0]
        control, node = _free_ports(2)
        text = CONFIGURATION.format(host=host, control=control, node=node, folder=folder)
        (folder / "slurm.conf").write_text(text)
        self.environ = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": _path()}
        munge = folder / "munge"
        try:
            self._call("munged", "--force", f"--socket={munge}/munge.socket", f"--key-file={key}",
                       f"--log-file={folder}/log/munged.log", f"--seed-file={munge}/munge.seed",
                       f"--pid-file={folder}/run/munged.pid")  # fmt: skip
            self._call("slurmctld")
            self._call("slurmd", "-N", host)
            self._wait_until_idle()
        except BaseException:
            self.stop()
            raise

    def _call(self, *command):
        done = subprocess.run(command, env=os.environ | self.environ, capture_output=True, text=True,
                              timeout=60)  # fmt: skip
        if done.returncode:
            raise NoSlurm(f"{command[0]} does not start: {done.stderr.strip()[-300:]}")
        return done.stdout

    def _wait_until_idle(self):
        end = time.monotonic() + 60
        while True:
            done = subprocess.run(("sinfo", "-h", "-o", "%T"), env=os.environ | self.environ,
                                  capture_output=True, text=True)  # fmt: skip
            if done.stdout.strip() == "idle":
                return
            if time.monotonic() > end:
                log = (self.folder / "log" / "slurmctld.log").read_text()[-500:]
                raise NoSlurm(f"its node does not become idle: {done.stdout}{done.stderr}{log}")
            time.sleep(0.2)

    def stop(self):
        """End its jobs and daemons, and remove its folder."""
        if (self.folder / "run" / "slurmctld.pid").exists():
            subprocess.run(("scancel", "--user=root"), env=os.environ | self.environ,
                           capture_output=True)  # fmt: skip
            time.sleep(0.5)
        for name in ("slurmd", "slurmctld", "munged"):
            try:
                process = psutil.Process(int((self.folder / "run" / f"{name}.pid").read_text()))
                process.send_signal(signal.SIGTERM)
                process.wait(10)
            except (OSError, ValueError, psutil.Error):
                continue
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
