"""Robots that publish observations for a long time, and count what they get.

    python3 Tests/Soak/robots.py --binary .build/release/denoised --minutes 15

Holds, or exits 1: no chunk later than the budget beyond 1 in 10,000; no fresh observation dropped; every robot gets a command
for every tick but those at the start; the daemon's memory grows by less than 1 MB after the first minute; everything but
sampling takes at most 0.2 ms at the 99th percentile.
"""

import json
import os
import sys
import threading
import time

import msgpack

import report
from daemon import ROBOT_FILE, ROOT, Daemon, free_ports, observation


def publish(daemon, names, hz, ending):
    """Publishes what each robot sees, one robot after the other, spread over the period."""
    sockets = {}
    for name in names:
        sockets[name] = daemon.publisher()
    time.sleep(0.5)
    sequence = 0
    due = time.monotonic()
    while not ending.is_set():
        for name in names:
            message = observation(name, 1, sequence)
            sockets[name].send_multipart([f"observation.{name}".encode(), msgpack.packb(message)])
            due += 1 / hz / len(names)
            time.sleep(max(due - time.monotonic(), 0))
        sequence += 1
    for socket in sockets.values():
        socket.close(100)


def listen(daemon, counts, ticks, ending):
    """Counts commands and chunks, and looks at every command."""
    socket = daemon.subscriber("command.", "chunk.")
    while not ending.is_set():
        if not socket.poll(100):
            continue
        topic, payload = socket.recv_multipart()
        kind, name = topic.decode().split(".", 1)
        counts[kind, name] = counts.get((kind, name), 0) + 1
        if kind == "command":
            ticks.setdefault(name, []).append(msgpack.unpackb(payload)["tick"])
    socket.close(0)


def missed(ticks):
    """Ticks that were passed over after the first."""
    return ticks[-1] - ticks[0] + 1 - len(ticks)


def main(outcome):
    parser = report.options(__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--robots", type=int, default=8)
    parser.add_argument("--hz", type=float, default=20)
    parser.add_argument("--budget-ms", type=float, default=100)
    parser.add_argument("--threads", type=int, help="threads for the network")
    parser.add_argument("--priority", type=int, help="real-time priority of the daemon's socket thread")
    parser.add_argument("--chunks-only", action="store_true", help="robots without commands: a chunk for each observation")
    arguments = parser.parse_args()

    options = ["--budget-ms", str(arguments.budget_ms), "--window", "auto", "--precision", "auto"]
    if arguments.threads:
        options += ["--threads", str(arguments.threads)]
    if arguments.priority:
        options += ["--priority", str(arguments.priority)]
    if not arguments.chunks_only:
        robot_file = ROOT / ".build" / "soak-robot.yaml"
        robot_file.write_text(ROBOT_FILE.format(hz=arguments.hz))
        options += ["--robot", str(robot_file)]
    daemon = Daemon(
        arguments.binary,
        arguments.policy,
        *options,
        ports=free_ports(3),
        log=sys.stderr,
    )
    daemon.start()
    # The robots' own programs run on the daemon's processors. The service is started with nice -5, which needs rights.
    os.nice(5)
    names = [f"robot{index}" for index in range(arguments.robots)]
    counts, ticks, ending = {}, {}, threading.Event()
    threads = [
        threading.Thread(target=publish, args=(daemon, names, arguments.hz, ending)),
        threading.Thread(target=listen, args=(daemon, counts, ticks, ending)),
    ]
    for thread in threads:
        thread.start()

    begin, memory = time.monotonic(), []
    settled = min(60, arguments.minutes * 60 / 2)
    while time.monotonic() - begin < arguments.minutes * 60 and daemon.is_alive():
        time.sleep(1)
        if time.monotonic() - begin >= settled:
            memory.append(daemon.memory())
    ending.set()
    for thread in threads:
        thread.join()
    statistics = json.loads(daemon.stop())

    chunks, late = statistics["chunks"], statistics["late_chunks"]
    growth = max(memory) - memory[0]
    overhead = statistics["latency_ns"]["overhead"]["p99"] / 1e6
    result = {
        "minutes": arguments.minutes,
        "observations": statistics["observations"],
        "chunks": chunks,
        "late_chunks": late,
        "coarse_chunks": statistics["coarse_chunks"],
        "commands": statistics["commands"],
        "missed_ticks": {name: missed(ticks[name]) for name in names if name in ticks},
        "dropped_observations": statistics["dropped_observations"],
        "rejected_messages": statistics["rejected_messages"],
        "limit_violations": statistics["limit_violations"],
        "memory_growth_bytes": growth,
        "overhead_p99_ms": overhead,
        "stages_p50_p99_ms": {
            stage: [latency["p50"] / 1e6, latency["p99"] / 1e6] for stage, latency in statistics["latency_ns"].items()
        },
        "total_p99_ms": statistics["latency_ns"]["total"]["p99"] / 1e6,
        "total_max_ms": statistics["latency_ns"]["total"]["max"] / 1e6,
    }
    outcome.expect(late * 10_000 <= chunks, f"{late} of {chunks} chunks late, expected at most 1 in 10,000")
    dropped, rejected = statistics["dropped_observations"], statistics["rejected_messages"]
    outcome.expect(not dropped, f"{dropped} observations dropped, expected none")
    outcome.expect(not rejected, f"messages rejected: {rejected}, expected none")
    outcome.expect(growth < 1_000_000, f"memory grew by {growth} bytes, expected less than 1,000,000")
    outcome.expect(overhead <= 0.2, f"overhead {overhead} ms at the 99th percentile, expected at most 0.2")
    kind = "chunk" if arguments.chunks_only else "command"
    for name in names:
        count = counts.get((kind, name), 0)
        outcome.expect(
            ("chunk", name) in counts and count >= 0.9 * arguments.minutes * 60 * arguments.hz,
            f"{name} got {count} {kind}s",
        )
    return outcome.end(result)


if __name__ == "__main__":
    report.run(main)
