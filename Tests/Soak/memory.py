"""What a daemon keeps in memory for peers that send long messages as fast as they can.

    python3 Tests/Soak/memory.py --binary .build/release/denoised --seconds 10

Messages of 0.9 MB have 60,000 values to walk; those of 15 MB are above the limit, so that the daemon refuses them unread.
Each kind comes on the request socket, then on the observation socket, from one peer and from four. Prints the daemon's
resident memory before, at most, and 5 s after.

Holds, or exits 1: the daemon answers afterwards, and its memory is at most 64 MB above what it was before.
"""

import multiprocessing
import time

import msgpack
import zmq

import report
from daemon import Daemon, Failed, free_ports, observation

MEGABYTE = 1_000_000
SETTLE_SECONDS = 5
ALLOWED_GROWTH = 64 * MEGABYTE


def long_message():
    message = observation("long", 1, 1)
    message["observation"]["observation.state"] = [0.5] * 60_000
    message["padding"] = bytes(350_000)
    return msgpack.packb(message)


MESSAGES = {"0.9 MB": long_message, "15 MB": lambda: bytes([0x81]) + bytes(15 * MEGABYTE)}


def flood(socket_kind, port, make, ending):
    context = zmq.Context()
    socket = context.socket(zmq.DEALER if socket_kind == "requests" else zmq.PUB)
    socket.sndhwm, socket.linger = 8, 0
    socket.connect(f"tcp://127.0.0.1:{port}")
    message = make()
    frames = [message] if socket_kind == "requests" else [b"observation.long", message]
    while not ending.is_set():
        try:
            socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            time.sleep(0.001)
        while socket_kind == "requests" and socket.poll(0):
            socket.recv()
    socket.close()


def measure(arguments, socket_kind, size, peers):
    """Megabytes before, at most and after one flood, against a daemon of its own."""
    ports = free_ports(3)
    daemon = Daemon(arguments.binary, arguments.policy, ports=ports)
    daemon.start()
    before = daemon.memory()
    ending = multiprocessing.Event()
    port = ports[2] if socket_kind == "requests" else ports[0]
    flooders = [multiprocessing.Process(target=flood, args=(socket_kind, port, MESSAGES[size], ending)) for _ in range(peers)]
    for flooder in flooders:
        flooder.start()
    highest, end = before, time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        time.sleep(0.01)
        highest = max(highest, daemon.memory())
    ending.set()
    for flooder in flooders:
        flooder.join()
    time.sleep(SETTLE_SECONDS)
    after = daemon.memory()
    refused = daemon.request({"type": "info"})["statistics"]["rejected_messages"]
    daemon.stop()
    if not refused:
        raise Failed(f"nothing of the flood on {socket_kind} reached the daemon")
    return [round(bytes_ / MEGABYTE) for bytes_ in (before, highest, after)], after - before


def soak(outcome):
    parser = report.options(__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    rows = []
    for size in MESSAGES:
        for socket_kind in ("requests", "observations"):
            for peers in (1, 4):
                name = f"{socket_kind} of {size}, {peers} peer{'s' if peers > 1 else ''}"
                megabytes, growth = measure(arguments, socket_kind, size, peers)
                rows.append([name] + megabytes)
                outcome.expect(growth <= ALLOWED_GROWTH, f"{name}: {growth} bytes are kept afterwards")
    print("\n".join(report.table(["MB", "before", "at most", "5 s after"], rows)))
    return outcome.end()


if __name__ == "__main__":
    report.run(soak)
