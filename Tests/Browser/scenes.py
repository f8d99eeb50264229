"""Daemons with robots, as pages and pictures need them."""

import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Soak"))

import camera_policy
import scene_robots as robots
from daemon import ROOT, Daemon, Failed, free_ports

HTTP = re.compile(r"live page, metrics and health at (http://\S+)")


class Scene:
    """A daemon with a live page."""

    def __init__(self, daemon, url, folder):
        self.daemon, self.url, self.folder = daemon, url, folder


@contextlib.contextmanager
def serve(binary, policy, *options):
    """A daemon, until the `with` ends."""
    with tempfile.TemporaryDirectory(prefix="denoised-scene-") as folder:
        folder = pathlib.Path(folder)
        with open(folder / "log", "w+") as log:
            daemon = Daemon(binary, policy, "--http", "0", "--log-level", "info", *options, ports=free_ports(3), log=log)
            daemon.start()
            try:
                yield Scene(daemon, logged(folder / "log", HTTP), folder)
            finally:
                if daemon.is_alive():
                    daemon.kill()
                daemon.context.destroy(0)


def logged(path, pattern):
    """What a daemon's log says."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = pattern.search(path.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    raise Failed(f"the log never says {pattern.pattern}")


@contextlib.contextmanager
def pusht(binary, *options):
    """The shipped policy, which pushes a simulated T."""
    sampler = ["--solver", "ddim", "--steps", "20"]
    robot_file = str(ROOT / "examples/robots/pusht.yaml")
    with serve(binary, ROOT / "policies/pusht", "--robot", robot_file, "--budget-ms", "60", *sampler, *options) as scene:
        command = [binary, "sim", "--connect", f"tcp://127.0.0.1:{scene.daemon.ports[2]}", "--realtime"]
        simulation = subprocess.Popen(
            [*command, "--episodes", "100", "--seed", "100059"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield scene
        finally:
            simulation.kill()
            simulation.wait()


@contextlib.contextmanager
def joints(binary, *options):
    """A robot of 26 joints."""
    with tempfile.TemporaryDirectory(prefix="denoised-joints-") as folder:
        folder = pathlib.Path(folder)
        policy = robots.wide_policy(folder / "humanoid")
        robot_file = robots.wide_robot_file(folder / "humanoid.yaml", "humanoid-1")
        sampler = ["--solver", "ddim", "--steps", "10", "--window", "6", "--budget-ms", "100"]
        with (
            serve(binary, policy, "--robot", str(robot_file), *sampler, *options) as scene,
            robots.Robots(scene.daemon, ["humanoid-1"], 10, see=robots.Followers(scene.daemon)),
        ):
            yield scene


@contextlib.contextmanager
def crowd(binary, count=32, *options):
    """Many robots of the shipped policy; some are stopped."""
    names = [f"cell{1 + index // 4}/arm{1 + index % 4}" for index in range(count)]
    sampler = ["--solver", "ddim", "--steps", "5"]
    with (
        serve(binary, ROOT / "policies/pusht", *sampler, *options) as scene,
        robots.Robots(scene.daemon, names, 5, replan=2),
    ):
        time.sleep(2)
        for name in (names[5], names[18]):
            scene.daemon.request({"type": "stop", "robot": name})
        yield scene


@contextlib.contextmanager
def cameras(binary, *options):
    """A robot with two cameras."""
    with tempfile.TemporaryDirectory(prefix="denoised-cameras-") as folder:
        policy = camera_policy.make(pathlib.Path(folder) / "two-cameras")
        sampler = ["--solver", "ddim", "--steps", "5"]
        with (
            serve(binary, policy, *sampler, *options) as scene,
            robots.Robots(scene.daemon, ["eyes"], 10, replan=1, see=robots.seeing),
        ):
            yield scene
