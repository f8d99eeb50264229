"""What the live page costs: a robot moves, and its page is opened and closed again and again.

    python3 Tests/Soak/watchers.py --binary .build/release/denoised

A robot sends 20 observations a second, each of which asks for a chunk. In every second phase somebody watches it. Holds, or
exits 1: watching takes less than 2 % of a core, sockets included; the median chunk is not later by more than 0.1 ms, in the
middle of all pairs of phases. With --cameras the robot has two cameras of 96 x 96 pixels, whose frames are compressed for the
page.
"""

import itertools
import pathlib
import random
import socket
import statistics
import sys
import threading
import time

import msgpack

import camera_policy
import report
from cameras import frame
from daemon import ROOT, Client, Daemon, Failed, free_ports, observation

ROBOT = "watched"


class Robot(Client):
    """Sends observations, and keeps what its chunks say of their stages."""

    def __init__(self, daemon, hz, has_cameras):
        self.daemon, self.hz, self.has_cameras = daemon, hz, has_cameras
        self.chunks = []
        self.begin()

    def see(self, sequence):
        message = observation(ROBOT, 1, sequence)
        message["replan"] = True
        if self.has_cameras:
            del message["observation"]["observation.environment_state"]
            for camera in camera_policy.CAMERAS:
                message["observation"][camera] = frame(random.randbytes(camera_policy.SIDE**2 * 3))
        return message

    def publish(self):
        socket = self.daemon.publisher()
        time.sleep(0.5)
        due = time.monotonic()
        for sequence in itertools.count():
            if self.ending.is_set():
                break
            socket.send_multipart([b"observation." + ROBOT.encode(), msgpack.packb(self.see(sequence))])
            due += 1 / self.hz
            time.sleep(max(due - time.monotonic(), 0))
        socket.close(0)

    def listen(self):
        socket = self.daemon.subscriber("chunk.")
        while not self.ending.is_set():
            if socket.poll(100):
                self.chunks.append(msgpack.unpackb(socket.recv_multipart()[1], strict_map_key=False)["stages_ns"])
        socket.close(0)


class Watcher:
    """Reads the events of the live page, until `end`."""

    def __init__(self, port):
        self.bytes = self.events = 0
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.sendall(f"GET /events?robot={ROBOT} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while data := self.connection.recv(1 << 16):
            self.bytes += len(data)
            self.events += data.count(b"event: ")

    def end(self):
        self.connection.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.connection.close()


def processor_times(daemon):
    """For how long each of the daemon's threads has run, in seconds, by its name."""
    times = {}
    for task in pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        times[name] = times.get(name, 0) + int((task / "schedstat").read_text().split()[0]) / 1e9
    return times


def phase(daemon, robot, port, seconds, is_watched):
    """One phase's figures."""
    watcher = Watcher(port) if is_watched else None
    time.sleep(1)
    begun, before, first = time.monotonic(), processor_times(daemon), len(robot.chunks)
    events = watcher.events if watcher else 0
    time.sleep(seconds)
    spent = time.monotonic() - begun
    after, chunks = processor_times(daemon), robot.chunks[first:]
    if watcher:
        events = (watcher.events - events) / spent
        watcher.end()
    if not chunks:
        raise Failed("no chunk came")
    totals = sorted(stages["total"] / 1e6 for stages in chunks)
    computing = ["sample", "condition", "vision"]
    overheads = sorted((stages["total"] - sum(stages.get(name, 0) for name in computing)) / 1e6 for stages in chunks)
    return {
        "http": 100 * (after["http"] - before["http"]) / spent,
        "sockets": 100 * (after["sockets"] - before["sockets"]) / spent,
        "total_p50": statistics.median(totals),
        "total_p99": totals[len(totals) * 99 // 100],
        "overhead_p50": statistics.median(overheads),
        "overhead_p99": overheads[len(overheads) * 99 // 100],
        "chunks": len(chunks) / spent,
        "events": events,
    }


def main(outcome):
    parser = report.options(__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each phase")
    parser.add_argument("--pairs", type=int, default=8, help="of phases")
    parser.add_argument("--hz", type=float, default=20)
    parser.add_argument("--cameras", action="store_true")
    parser.add_argument("--steps", type=int, default=5, help="denoising steps, by DDIM")
    arguments = parser.parse_args()
    policy = camera_policy.make(ROOT / ".build/soak-cameras") if arguments.cameras else arguments.policy
    port = free_ports(1)[0]
    sampler = ["--solver", "ddim", "--steps", str(arguments.steps), "--threads", "1"]
    daemon = Daemon(arguments.binary, policy, "--http", str(port), *sampler, ports=free_ports(3), log=sys.stderr)
    daemon.start()
    robot = Robot(daemon, arguments.hz, arguments.cameras)
    time.sleep(3)
    # Which comes first alternates, so that what drifts counts for neither.
    phases = {False: [], True: []}
    for pair in range(arguments.pairs):
        for is_watched in [False, True] if pair % 2 == 0 else [True, False]:
            phases[is_watched].append(phase(daemon, robot, port, arguments.seconds, is_watched))
    robot.end()
    daemon.stop()

    result, rows = {}, []
    for name in ["http", "sockets", "total_p50", "total_p99", "overhead_p50", "overhead_p99", "chunks", "events"]:
        without, watched = ([one[name] for one in phases[is_watched]] for is_watched in [False, True])
        difference = statistics.median(after - before for before, after in zip(without, watched))
        result[name] = {"without": statistics.median(without), "watched": statistics.median(watched), "difference": difference}
        rows.append([name, *(f"{result[name][key]:.3f}" for key in result[name])])
    print("\n".join(report.table(["", "without", "watched", "difference"], rows)), file=sys.stderr)
    cost = result["http"]["difference"] + result["sockets"]["difference"]
    later = result["total_p50"]["difference"]
    outcome.expect(cost < 2, f"watching takes {cost:.2f} % of a core, expected less than 2 %")
    outcome.expect(later < 0.1, f"the median chunk is {later:.3f} ms later, expected less than 0.1 ms")
    return outcome.end(result)


if __name__ == "__main__":
    report.run(main)
