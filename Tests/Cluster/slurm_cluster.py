"""A Slurm cluster of two nodes on this machine, in a temporary folder, without systemd."""

import os
import pwd
import secrets
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

NODES = ("w1", "w2")

CONFIGURATION = """\
ClusterName=denoised-test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={controller}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
PlugStackConfig={folder}/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
KillWait=2
# All traffic stays on the loopback interface. This machine may have fewer cores than a node says.
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmdParameters=config_overrides
{nodes}
PartitionName=all Nodes=ALL Default=YES State=UP
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class SlurmCluster:
    """Runs while it is entered. Everything that it starts ends with it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.processes: list[subprocess.Popen] = []
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "SLURM_TIME_FORMAT": "standard"}

    def __enter__(self) -> "SlurmCluster":
        controller, *ports = free_ports(1 + len(NODES))
        nodes = "\n".join(
            f"NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=1 State=UNKNOWN"
            for node, port in zip(NODES, ports)
        )
        user = pwd.getpwuid(os.getuid()).pw_name
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(user=user, folder=self.folder, controller=controller, nodes=nodes)
        )
        (self.folder / "plugstack.conf").touch()
        (self.folder / "state").mkdir()
        for node in NODES:
            (self.folder / f"spool-{node}").mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        try:
            # `--force`: the folder of a temporary file may be writable for others, which munge warns of.
            options = {"key-file": key, "socket": "munge.socket", "pid-file": "munge.pid", "log-file": "munge.log"}
            options |= {"seed-file": "munge.seed"}
            self._start("munged", "--foreground", "--force", *(f"--{k}={self.folder / v}" for k, v in options.items()))
            self._wait("munge's socket", lambda: (self.folder / "munge.socket").exists())
            self._start("slurmctld", "-D", "-c")
            for node in NODES:
                self._start("slurmd", "-D", "-N", node)
            self._wait("idle nodes", lambda: self.run("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * len(NODES))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_) -> None:
        with suppress(subprocess.CalledProcessError, FileNotFoundError):
            self.run("scancel", "--user", pwd.getpwuid(os.getuid()).pw_name)
            self._wait("no job", lambda: not self.run("squeue", "-h").strip(), seconds=20)
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()

    def run(self, *command: str) -> str:
        """What a command of Slurm prints."""
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def revive(self, node: str) -> None:
        """Lets a node that was lost work again. It may have come back by itself (ReturnToService), which resume refuses."""
        with suppress(subprocess.CalledProcessError):
            self.run("scontrol", "update", f"nodename={node}", "state=resume")
        self._wait(
            f"{node} again", lambda: self.run("sinfo", "-h", "-n", node, "-o", "%T").strip() in ("idle", "mixed", "allocated")
        )

    def log(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    def _start(self, program: str, *options: str) -> None:
        with (self.folder / f"{program}-{len(self.processes)}.log").open("w") as log:
            self.processes.append(subprocess.Popen([program, *map(str, options)], env=self.environment, stdout=log, stderr=log))

    def _wait(self, what: str, is_there, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with suppress(subprocess.CalledProcessError):
                if is_there():
                    return
            if time.monotonic() > deadline:
                raise SystemExit(f"Slurm: {what} not within {seconds} s\n{self.log()}")
            time.sleep(0.2)
