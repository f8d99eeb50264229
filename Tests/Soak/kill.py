"""A daemon that is killed again and again while robots are driven.

    python3 Tests/Soak/kill.py --binary .build/release/denoised --kills 200

Holds, or exits 1: after each SIGKILL and restart every robot gets commands again, within one second of the moment at which the
daemon answers again, but for one, which was stopped before the first kill and never gets another; every recording opens, and
the chunks that a replay can compare come out identical.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import msgpack
import zmq

import report
from daemon import ROBOT_FILE, Client, Daemon, Failed, free_ports, observation

# The robot that somebody stops.
STOPPED = "stopped"


class Robots(Client):
    """Robots that publish for as long as they live, whether a daemon is there or not."""

    def __init__(self, daemon, count, hz):
        self.daemon = daemon
        self.names = [f"robot{index}" for index in range(count)]
        self.hz = hz
        # When each got its last command.
        self.heard = {}
        self.begin()

    def socket(self, kind, port):
        socket = self.daemon.context.socket(kind)
        socket.reconnect_ivl = 20
        socket.reconnect_ivl_max = 100
        socket.connect(f"tcp://127.0.0.1:{port}")
        return socket

    def publish(self):
        socket = self.socket(zmq.PUB, self.daemon.ports[0])
        sequence, due = 0, time.monotonic()
        while not self.ending.is_set():
            for name in [*self.names, STOPPED]:
                message = observation(name, 1, sequence, session=7)
                socket.send_multipart([f"observation.{name}".encode(), msgpack.packb(message)])
            sequence += 1
            due += 1 / self.hz
            time.sleep(max(due - time.monotonic(), 0))
        socket.close(0)

    def listen(self):
        socket = self.socket(zmq.SUB, self.daemon.ports[1])
        socket.subscribe(b"command.")
        while not self.ending.is_set():
            if socket.poll(50):
                topic, _ = socket.recv_multipart()
                self.heard[topic.decode().split(".", 1)[1]] = time.monotonic()
        socket.close(0)

    def wait_for_all(self, since, timeout):
        """Waits until each robot has had a command since then; returns how long that took."""
        while time.monotonic() - since < timeout:
            if all(self.heard.get(name, 0) > since for name in self.names):
                return time.monotonic() - since
            time.sleep(0.005)
        silent = [name for name in self.names if self.heard.get(name, 0) <= since]
        raise Failed(f"no command within {timeout} s of the restart for {', '.join(silent)}")

    def stop_one(self):
        """Stops one robot for good."""
        self.wait_for(STOPPED)
        answer = self.daemon.request({"type": "stop", "robot": STOPPED})
        if answer.get("kept") is not True:
            raise Failed(f"the stop is not kept: {answer}")
        # What was sent before the answer is still on its way.
        time.sleep(0.2)
        self.stopped = time.monotonic()

    def wait_for(self, name, timeout=10):
        begun = time.monotonic()
        while name not in self.heard:
            if time.monotonic() - begun > timeout:
                raise Failed(f"no command within {timeout} s for {name}")
            time.sleep(0.005)

    def check_stopped(self):
        if self.heard[STOPPED] > self.stopped:
            raise Failed("the robot that was stopped got a command")


def main(outcome):
    parser = report.options(__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--robots", type=int, default=4)
    parser.add_argument("--hz", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)

    folder = pathlib.Path(tempfile.mkdtemp(prefix="denoised-kill-"))
    robot_file = folder / "robot.yaml"
    robot_file.write_text(ROBOT_FILE.format(hz=arguments.hz))
    ports = free_ports(3)
    options = ["--robot", str(robot_file), "--window", "auto", "--precision", "auto"]
    options += ["--state", str(folder / "state.json")]
    robots, times, starts = None, [], []
    compared = 0
    try:
        for turn in range(arguments.kills + 1):
            recording = folder / f"{turn}.mcap"
            daemon = Daemon(arguments.binary, arguments.policy, *options, "--record", str(recording), ports=ports, log=sys.stderr)
            begun = time.monotonic()
            daemon.start()
            ready = time.monotonic()
            starts.append(ready - begun)
            robots = robots or Robots(daemon, arguments.robots, arguments.hz)
            times.append(robots.wait_for_all(ready, timeout=10))
            if turn == 0:
                robots.stop_one()
            time.sleep(generator.uniform(0.0, 1.0))
            robots.check_stopped()
            if turn == arguments.kills:
                daemon.stop()
            else:
                daemon.kill()
            check = subprocess.run(
                [arguments.binary, "replay", str(recording), "--policy", arguments.policy, "--json"],
                capture_output=True,
                text=True,
            )
            if check.returncode != 0:
                raise Failed(f"recording {turn}, exit code {check.returncode}: {check.stderr.strip()}")
            compared += json.loads(check.stdout)["replay"]["identical"]
            recording.unlink()
    finally:
        if robots:
            robots.end()
    # The first is a start, not a restart: sockets and caches are new.
    again = sorted(times[1:])
    result = {
        "kills": arguments.kills,
        "robots": arguments.robots,
        "robots_kept_stopped": 1,
        "seconds_to_commands_p50": again[len(again) // 2],
        "seconds_to_commands_max": again[-1],
        "chunks_replayed_identically": compared,
        "seconds_to_start_p50": sorted(starts)[len(starts) // 2],
    }
    outcome.expect(again[-1] <= 1, f"commands came {again[-1]:.2f} s after a restart, expected within 1 s")
    return outcome.end(result)


if __name__ == "__main__":
    report.run(main)
