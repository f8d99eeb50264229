"""Daemons for the tests."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
TINY = ROOT / "Tests/PolicyTests/Fixtures/processors"
SEEING = ROOT / "policies/pusht-image"
PACKAGE = "lerobot_policy_denoised"
SOURCES = pathlib.Path(__file__).resolve().parents[1] / "src"
#: Tests that cannot be imported without LeRobot, and what they lack.
NEED_LEROBOT = ("test_observations.py", "test_policy.py", "test_robot.py")
LACKING = [package for package in ("torch", "lerobot") if importlib.util.find_spec(package) is None]
BINARY = os.environ.get("DENOISED_BINARY")


class Daemon:
    """`denoised serve` on sockets in a folder of its own."""

    def __init__(self, policy: object, *options: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="denoised-")
        names = ("observations", "chunks", "requests")
        sockets = [part for name in names for part in (f"--{name}", f"ipc://{self._folder.name}/{name}")]
        self.endpoint = f"ipc://{self._folder.name}/requests"
        with open(f"{self._folder.name}/log", "w") as log:
            command = [BINARY, "serve", "--policy", str(policy), "--threads", "1", "--window", "1", *sockets, *options]
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + 60
        while not pathlib.Path(self._folder.name, "requests").exists():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log
            time.sleep(0.01)

    @property
    def log(self) -> str:
        return pathlib.Path(self._folder.name, "log").read_text()

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.log
        self._folder.cleanup()
