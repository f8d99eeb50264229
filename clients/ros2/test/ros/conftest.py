"""Each test has a daemon, a node and a simulated robot of its own, on the loopback interface."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
import yaml

# Before rclpy is loaded: nothing leaves this machine, and processes that test at the same time do not meet.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ["PYTHONPATH"] = os.pathsep.join(
    [
        *(str(pathlib.Path(__file__).resolve().parents[3] / name) for name in ("ros2", "python/src")),
        os.environ.get("PYTHONPATH", ""),
    ]
)

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import Trigger

from pusht_world import ROOT
from simulated_robot import Running, SimulatedRobot

BINARY = os.environ.get("DENOISED_BINARY")
CONFIG = ROOT / "clients/ros2/config"
# Ten steps of DPM-Solver++ take a few milliseconds here, so that a machine that does other things keeps up.
FAST = ["--solver", "dpmsolver++", "--steps", "10", "--window", "1", "--precision", "auto"]


class Process:
    """A program whose output is kept, line by line."""

    def __init__(self, *command):
        self.lines = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def output(self):
        return "\n".join(self.lines)

    def wait_for(self, pattern, seconds=20):
        """The first match of a pattern in a line; an AssertionError with the output if none comes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if match := re.search(pattern, line):
                    return match
            assert self.process.poll() is None or self.reader.is_alive(), f"ended without {pattern!r}:\n{self.output}"
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} within {seconds} s:\n{self.output}")

    def end(self, number=signal.SIGINT, seconds=10):
        """Sends a signal, and returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"did not end within {seconds} s:\n{self.output}") from None
        self.reader.join()
        return code


class Setting:
    """What a test works with: starts daemons, nodes and robots, and ends them."""

    def __init__(self, folder):
        self.folder = folder
        self.endings, self.processes = [], []
        self.endpoint = None
        self.watcher = rclpy.create_node("watcher")
        self.diagnostics = []
        self.watcher.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 10)

    def _take_diagnostics(self, message):
        self.diagnostics += message.status

    def daemon(self, *options, policy="pusht", ports=None):
        """A `denoised serve`; `endpoint` is then that of its requests."""
        sockets = []
        for index, name in enumerate(["--observations", "--chunks", "--requests"]):
            sockets += [name, f"tcp://127.0.0.1:{ports[index] if ports else '*'}"]
        daemon = Process(BINARY, "serve", "--policy", str(ROOT / "policies" / policy), *FAST, *sockets, *options)
        self.endings.append(lambda: daemon.end(signal.SIGKILL))
        self.processes.append(daemon)
        self.endpoint = daemon.wait_for(r"^\s*requests\s+(\S+)")[1]
        return daemon

    def node(self, config="pusht.yaml", **changes):
        """The node, as a program of its own, with the parameters of a file and these changes (`__` stands for a dot)."""
        parameters = yaml.safe_load((CONFIG / config).read_text())["/**"]["ros__parameters"]
        changes.setdefault("endpoint", self.endpoint)
        for name, value in changes.items():
            group = parameters
            *groups, last = name.split("__")
            for each in groups:
                group = group.setdefault(each, {})
            group[last] = value
            if value is None:
                del group[last]
        path = self.folder / "parameters.yaml"
        # JSON is YAML with every string in quotes: a bare y would be true.
        path.write_text(json.dumps({"/**": {"ros__parameters": parameters}}))
        node = Process(sys.executable, "-m", "denoised_ros2.node", "--ros-args", "--params-file", str(path))
        self.endings.append(lambda: node.end(signal.SIGKILL))
        self.processes.append(node)
        return node

    def robot(self, seed, **options):
        running = Running(SimulatedRobot(seed, **options))
        self.endings.append(running.close)
        return running

    def call(self, name, seconds=5):
        """Calls one of the node's own services. Returns its response."""
        return self.ask(Trigger, name, Trigger.Request(), seconds)

    def ask(self, kind, name, request, seconds=5):
        """Calls a service of the node, of any type. Returns its response."""
        client = self.watcher.create_client(kind, f"/denoised/{name}")
        assert client.wait_for_service(seconds), f"no service /denoised/{name}"
        future = client.call_async(request)
        rclpy.spin_until_future_complete(self.watcher, future, timeout_sec=seconds)
        assert future.done(), f"/denoised/{name} did not answer within {seconds} s"
        self.watcher.destroy_client(client)
        return future.result()

    def diagnosis(self, condition, seconds=5):
        """The next diagnostic status of the node for which a condition holds."""
        self.diagnostics.clear()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            rclpy.spin_once(self.watcher, timeout_sec=0.1)
            for status in self.diagnostics:
                if condition(status):
                    return status
        raise AssertionError(f"no such diagnosis within {seconds} s: {self.diagnostics[-1:]}")

    def close(self):
        for end in reversed(self.endings):
            end()
        self.watcher.destroy_node()
        for process in self.processes:  # pytest shows it if the test failed
            print(" ".join(process.process.args[:3]), process.output, "", sep="\n")


@pytest.fixture(scope="session", autouse=True)
def ros():
    rclpy.init()
    yield
    rclpy.shutdown()


@pytest.fixture
def setting(tmp_path):
    made = Setting(tmp_path)
    yield made
    made.close()


def pytest_collection_modifyitems(items):
    if BINARY is None:
        for item in items:
            if "setting" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason="DENOISED_BINARY is not set"))
