"""Messages that somebody broke: mutations of good ones, at every socket.

    python3 Tests/Soak/mutate.py --binary .build/release/denoised --messages 4000000

Holds, or exits 1: the daemon lives and answers; the robot that the messages name is never moved by one that was broken
(it is stopped: no command and no chunk); memory does not grow, which is to say that it is at most 1 MB higher in the second
half of the run than in the first, for an allocator takes a while to have all it needs.
"""

import json
import random
import time

import msgpack
import zmq

import report
from daemon import ROOT, Daemon, Failed, free_ports, observation

ARRAY = {b"__ndarray__": True, b"data": b"\0" * 8, b"dtype": "<f4", b"shape": [2]}


def seeds():
    """Good messages, as bytes."""
    message = observation("victim", 1, 1)
    with_array = observation("victim", 1, 1)
    with_array["observation"]["observation.state"] = ARRAY
    return [
        msgpack.packb(message),
        msgpack.packb(with_array),
        msgpack.packb({**message, "type": "predict", "request": 1}),
        msgpack.packb({"v": 1, "type": "info", "request": 1}),
        msgpack.packb({"v": 1, "type": "ping", "time_ns": 1}),
        msgpack.packb({"v": 1, "type": "reset", "robot": "victim", "episode": 1}),
        msgpack.packb({"v": 1, "type": "stop", "robot": "other"}),
    ]


def mutate(good, others, generator):
    """Breaks a message in one of the ways in which messages break."""
    data = bytearray(good)
    for _ in range(generator.choice([1, 1, 1, 2, 4, 16])):
        kind = generator.randrange(6)
        place = generator.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[place] = generator.randrange(256)
        elif kind == 1 and data:
            data[place] ^= 1 << generator.randrange(8)
        elif kind == 2:
            data[place:place] = generator.randbytes(generator.choice([1, 2, 4, 9]))
        elif kind == 3:
            del data[place : place + generator.choice([1, 2, 8, 40])]
        elif kind == 4:
            other = generator.choice(others)
            cut = generator.randrange(len(other))
            data[place:] = other[cut:]
        else:
            data[place : place + 1] = generator.choice(
                [b"\xdf\xff\xff\xff\xff", b"\xdd\x7f\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xca\x7f\xc0\0\0", b"\x91" * 60]
            )
    return bytes(data)


def main(outcome):
    parser = report.options(__doc__)
    parser.add_argument("--messages", type=int, default=4_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)

    daemon = Daemon(
        arguments.binary,
        arguments.policy,
        *["--robot", str(ROOT / "examples/robots/pusht.yaml"), "--steps", "4"],
        # None is kept from being read.
        *["--messages-per-second", "1000000"],
        ports=free_ports(3),
    )
    daemon.start()
    # Stopped, the victim must not move, whatever comes; what starts a robot again is not among the messages.
    daemon.request({"type": "stop", "robot": "victim"})
    publisher = daemon.context.socket(zmq.PUB)
    publisher.sndhwm = 100_000
    publisher.connect(f"tcp://127.0.0.1:{daemon.ports[0]}")
    requests = daemon.context.socket(zmq.DEALER)
    requests.connect(f"tcp://127.0.0.1:{daemon.ports[2]}")
    listener = daemon.context.socket(zmq.SUB)
    listener.connect(f"tcp://127.0.0.1:{daemon.ports[1]}")
    for topic in (b"command.victim", b"chunk.victim"):
        listener.subscribe(topic)
    time.sleep(0.5)

    good = seeds()
    sent, moved = 0, 0
    # The highest in each half.
    memory = [0, 0]
    while sent < arguments.messages:
        message = mutate(generator.choice(good), good, generator)
        if generator.random() < 0.5:
            publisher.send_multipart([b"observation.victim", message])
        else:
            requests.send(message)
        sent += 1
        if sent % 1000 == 0:
            # The answers, and the daemon's time to read.
            while requests.poll(0):
                requests.recv()
            while listener.poll(0):
                moved += 1
                listener.recv_multipart()
            daemon.request({"type": "ping"}, timeout=60)
            if not daemon.is_alive():
                raise Failed(f"the daemon died after {sent} messages")
            half = 2 * sent > arguments.messages
            memory[half] = max(memory[half], daemon.memory())
    time.sleep(1)
    while listener.poll(0):
        moved += 1
        listener.recv_multipart()
    growth = memory[1] - memory[0]
    daemon.request({"type": "info"})
    statistics = json.loads(daemon.stop())
    result = {
        "messages": sent,
        "rejected_messages": statistics["rejected_messages"],
        "stale_observations": statistics["stale_observations"],
        "observations": statistics["observations"],
        "messages_to_the_victim": moved,
        "memory_growth_bytes": growth,
    }
    outcome.expect(not moved, f"{moved} chunks and commands for a robot that is stopped, expected none")
    outcome.expect(growth < 1_000_000, f"memory grew by {growth} bytes, expected less than 1,000,000")
    outcome.expect(
        sum(statistics["rejected_messages"].values()) >= sent / 4,
        "fewer than a quarter of the messages were rejected: were they read?",
    )
    return outcome.end(result)


if __name__ == "__main__":
    report.run(main)
