"""Robots whose observations come at another rate than their robot file says, unevenly, and from a daemon that is paused.

    python3 Tests/Soak/limits.py --binary .build/release/denoised

Every pair of commands is measured as a robot would: by their `time_ns` and by their `published_ns`. Then the daemon is stopped
with SIGSTOP while the robot moves, and goes on.

Holds, or exits 1: no pair of commands breaks velocity or acceleration by more than 1 %, or is less than nine tenths of a period
apart; after a pause the robot begins at rest; after a long one it is held or stopped; a rate that is not the robot file's is
among the warnings of `status`.
"""

import itertools
import pathlib
import random
import signal
import struct
import tempfile
import time

import msgpack

import report
from daemon import Client, Daemon, free_ports, observation

VELOCITY, ACCELERATION, COMMAND_HZ = 300, 2000, 50
ROBOT_FILE = f"""
control_hz: 10
command_hz: {COMMAND_HZ}
actions:
  - {{name: x, position: [0, 512], velocity: {VELOCITY}, acceleration: {ACCELERATION}}}
  - {{name: y, position: [0, 512], velocity: {VELOCITY}, acceleration: {ACCELERATION}}}
"""
# A silence of more than three periods and 20 ms ends a motion.
LONGEST_GAP = 3 / COMMAND_HZ


class Robot(Client):
    """A robot that observes at a rate, and keeps every command that it gets."""

    def __init__(self, daemon, name, hz, jitter):
        self.daemon, self.name, self.hz, self.jitter = daemon, name, hz, jitter
        self.commands, self.warnings, self.state = [], set(), None
        self.begin()

    def publish(self):
        socket = self.daemon.publisher()
        time.sleep(0.3)
        generator, due = random.Random(self.name), time.monotonic()
        for sequence in itertools.count():
            message = observation(self.name, 1, sequence)
            # Far from the T and elsewhere each time, so that the policy has reason to move fast.
            message["observation"]["observation.state"] = [256 + 200 * ((sequence // 7) % 2), 400 - 300 * ((sequence // 11) % 2)]
            socket.send_multipart([f"observation.{self.name}".encode(), msgpack.packb(message)])
            due += 1 / self.hz
            time.sleep(max(due + generator.uniform(0, self.jitter) - time.monotonic(), 0))
            if self.ending.is_set():
                break
        socket.close(100)

    def listen(self):
        socket = self.daemon.subscriber(f"command.{self.name}", "status")
        while not self.ending.is_set():
            if not socket.poll(50):
                continue
            topic, payload = socket.recv_multipart()
            message = msgpack.unpackb(payload, strict_map_key=False)
            if topic == b"status":
                self.warnings.update(message.get("warnings", []))
                self.state = message["robots"].get(self.name, {}).get("state")
            elif message["robot"] == self.name:
                action = struct.unpack("<2f", message["action"][b"data"])
                self.commands.append((message["time_ns"], message["published_ns"], action, message["state"]))
        socket.close(0)


def extremes(commands):
    """The largest velocity and acceleration, in parts of the limits, and the shortest interval in periods."""
    velocity = acceleration = 0
    shortest = float("inf")
    for clock in (0, 1):
        speeds = None
        for last, command in itertools.pairwise(commands):
            real = (command[1] - last[1]) / 1e9
            if real > LONGEST_GAP:
                speeds = None
                continue
            elapsed = (command[clock] - last[clock]) / 1e9
            shortest = min(shortest, real * COMMAND_HZ)
            if command[2] == last[2]:
                speeds = (0, 0)
                continue
            before, speeds = speeds, [(b - a) / elapsed for a, b in zip(last[2], command[2])]
            velocity = max(velocity, *(abs(speed) / VELOCITY for speed in speeds))
            # The resolution of a 32-bit float at 512.
            blur = 2 * 6.2e-5 / elapsed
            for was, is_now in zip(before or (0, 0), speeds):
                acceleration = max(acceleration, (abs(is_now - was) - blur) / elapsed / ACCELERATION)
    return velocity, acceleration, shortest


def check(outcome, name, robot):
    commands = robot.commands
    outcome.expect(len(commands) > 50, f"{name}: {len(commands)} commands")
    velocity, acceleration, shortest = extremes(commands)
    outcome.expect(
        velocity <= 1.01 and acceleration <= 1.01,
        f"{name}: {velocity:.2f} times the velocity, {acceleration:.2f} times the acceleration",
    )
    outcome.expect(shortest >= 0.899, f"{name}: two commands {shortest:.3f} periods apart")
    return [name, len(commands), f"{velocity:.3f}", f"{acceleration:.3f}", f"{shortest:.3f}"]


def main(outcome):
    parser = report.options(__doc__)
    parser.add_argument("--seconds", type=float, default=6, help="of each rate")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="denoised-limits-") as folder:
        robot_file = pathlib.Path(folder) / "robot.yaml"
        robot_file.write_text(ROBOT_FILE)
        daemon = Daemon(arguments.binary, arguments.policy, "--robot", str(robot_file), "--steps", "10", ports=free_ports(3))
        daemon.start()
        for hz, jitter in [(10, 0), (10, 0.005), (5, 0), (12, 0), (20, 0), (50, 0.002), (200, 0)]:
            robot = Robot(daemon, f"robot-{hz}-{jitter}", hz, jitter)
            time.sleep(arguments.seconds)
            robot.end()
            rows.append(check(outcome, f"{hz} Hz, {1000 * jitter:.0f} ms of jitter", robot))
            is_named = any(warning.startswith(f"{robot.name}:") for warning in robot.warnings)
            outcome.expect(is_named == (hz != 10), f"{hz} Hz: warnings {robot.warnings}")
            daemon.request({"type": "reset", "robot": robot.name})
        for pause, expected in [(0.3, "running"), (2, "running"), (8, "stopped")]:
            robot = Robot(daemon, f"paused-{pause}", 10, 0)
            time.sleep(3)
            daemon.process.send_signal(signal.SIGSTOP)
            before = len(robot.commands)
            time.sleep(pause)
            daemon.process.send_signal(signal.SIGCONT)
            time.sleep(3)
            robot.end()
            rows.append(check(outcome, f"paused for {pause} s", robot))
            after = [command for command in robot.commands[before:] if command[1] - robot.commands[before - 1][1] > 1e8 * pause]
            kept = robot.commands[before - 1][2]
            outcome.expect(not after or after[0][2] == kept, f"paused for {pause} s: from {kept} to {after[:1]}")
            outcome.expect(robot.state == expected, f"paused for {pause} s: {robot.state}, expected {expected}")
        daemon.stop()
    print("\n".join(report.table(["robot", "commands", "velocity", "acceleration", "shortest interval"], rows)))
    return outcome.end()


if __name__ == "__main__":
    report.run(main)
