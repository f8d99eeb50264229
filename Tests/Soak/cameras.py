"""A robot with two cameras publishes frames for a long time.

    python3 Tests/Soak/cameras.py --binary .build/release/denoised --minutes 5

It sends both frames 30 times a second and asks for a chunk with every eighth observation. Holds, or exits 1: nothing is dropped
or refused; each observation that asks gets its chunk; the daemon's memory grows by less than 1 MB after the first minute, or
in the second half of a shorter run. With --compare it then runs a minute with --encode-on-demand as well: a chunk whose
earlier frames were encoded as they came has fewer left to encode, and is sooner there.
"""

import json
import random
import statistics
import sys
import time

import msgpack

import camera_policy
import report
from daemon import ROOT, Client, Daemon, free_ports


def frame(data, side=camera_policy.SIDE):
    return {b"__ndarray__": True, b"data": data, b"dtype": "|u1", b"shape": [side, side, 3]}


class Robot(Client):
    """Sends what it sees, and counts its chunks."""

    def __init__(self, daemon, hz, every):
        self.daemon, self.hz, self.every = daemon, hz, every
        self.sent = self.asked = 0
        self.chunks = []
        self.begin()

    def publish(self):
        socket = self.daemon.publisher()
        # As long as a subscriber takes to join.
        time.sleep(0.5)
        pixels = [random.Random(index).randbytes(camera_policy.SIDE**2 * 3) for index in range(16)]
        due = time.monotonic()
        while not self.ending.is_set():
            asks = self.sent % self.every == self.every - 1
            message = {
                "v": 1,
                "type": "observation",
                "robot": "eyes",
                "episode": 1,
                "sequence": self.sent,
                "time_ns": time.monotonic_ns(),
                "observation": {
                    "observation.state": [256.0 + self.sent % 40, 400.0],
                    **{
                        camera: frame(pixels[(self.sent + index) % len(pixels)])
                        for index, camera in enumerate(camera_policy.CAMERAS)
                    },
                },
                "replan": asks,
            }
            socket.send_multipart([b"observation.eyes", msgpack.packb(message)])
            self.sent += 1
            self.asked += asks
            due += 1 / self.hz
            time.sleep(max(due - time.monotonic(), 0))
        time.sleep(1)
        socket.close(1000)

    def listen(self):
        socket = self.daemon.subscriber("chunk.")
        while not self.ending.is_set() or socket.poll(1500):
            if socket.poll(100):
                self.chunks.append(msgpack.unpackb(socket.recv_multipart()[1])["stages_ns"])
        socket.close(0)


def run(arguments, policy, minutes, *options):
    """Runs a daemon and its robot; returns the robot, the daemon's statistics and its memory, second by second."""
    daemon = Daemon(arguments.binary, policy, "--precision", arguments.precision, *options, ports=free_ports(3), log=sys.stderr)
    daemon.start()
    robot = Robot(daemon, arguments.hz, arguments.every)
    begin, memory = time.monotonic(), []
    settled = min(60, minutes * 60 / 2)
    while time.monotonic() - begin < minutes * 60 and daemon.is_alive():
        time.sleep(1)
        if time.monotonic() - begin >= settled:
            memory.append(daemon.memory())
    robot.end()
    return robot, json.loads(daemon.stop()), memory


def milliseconds(chunks, stage):
    times = sorted(stages[stage] / 1e6 for stages in chunks)
    return {"p50": statistics.median(times), "p99": times[len(times) * 99 // 100]}


def main(outcome):
    parser = report.options(__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--hz", type=float, default=30)
    parser.add_argument("--every", type=int, default=8, help="observations for each chunk")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--compare", action="store_true", help="also run with --encode-on-demand")
    arguments = parser.parse_args()

    policy = camera_policy.make(ROOT / ".build/soak-cameras")
    robot, counters, memory = run(arguments, policy, arguments.minutes)
    growth = max(memory) - memory[0]
    result = {
        "minutes": arguments.minutes,
        "observations": counters["observations"],
        "chunks": len(robot.chunks),
        "dropped_observations": counters["dropped_observations"],
        "rejected_messages": counters["rejected_messages"],
        "memory_growth_bytes": growth,
        "vision_ms": milliseconds(robot.chunks, "vision"),
        "total_ms": milliseconds(robot.chunks, "total"),
    }
    outcome.expect(counters["observations"] == robot.sent, f"{counters['observations']} of {robot.sent} observations came")
    outcome.expect(len(robot.chunks) == robot.asked, f"{len(robot.chunks)} chunks for {robot.asked} observations that asked")
    dropped, rejected = counters["dropped_observations"], counters["rejected_messages"]
    outcome.expect(not dropped, f"{dropped} observations dropped, expected none")
    outcome.expect(not rejected, f"messages rejected: {rejected}, expected none")
    outcome.expect(growth < 1_000_000, f"memory grew by {growth} bytes, expected less than 1,000,000")
    if arguments.compare:
        on_demand, _, _ = run(arguments, policy, min(arguments.minutes, 1), "--encode-on-demand")
        result["on_demand_vision_ms"] = milliseconds(on_demand.chunks, "vision")
        result["on_demand_total_ms"] = milliseconds(on_demand.chunks, "total")
    return outcome.end(result)


if __name__ == "__main__":
    report.run(main)
