"""Robots at work beside a client that floods the daemon.

    python3 Tests/Soak/flood.py --binary .build/release/denoised --seconds 60

The robots publish and ask for a chunk with every observation. They are measured alone, then with each flood: what they
measure themselves, from an observation made to its chunk read, so that waiting in sockets counts. The flood comes from a
process of its own, at a bounded rate and with the lowest priority, because it shares the processors with the daemon: what is
measured is the daemon, not how the system divides the processors.

One more robot is stopped and resumed all the time, and the time is taken from a stop sent to the first command read that
brings it to rest.

Holds, or exits 1: with a flood no more chunks are late than alone, but for 1 in 1,000; every robot gets its chunks and its
commands; a stop reaches its robot within one command period and 5 ms at the 99th percentile; the daemon counts what it refused
of the flood by the right reasons, and nothing of the robots.
"""

import contextlib
import itertools
import json
import multiprocessing
import os
import pathlib
import random
import tempfile
import threading
import time

import msgpack
import zmq

import report
from daemon import ROBOT_FILE, STOPPABLE_FILE, Client, Daemon, Failed, free_ports, observation
from robots import missed


class Robots(Client):
    """Robots that ask for a chunk with every observation, and what became of each."""

    def __init__(self, daemon, count, hz):
        self.daemon = daemon
        self.hz = hz
        self.names = [f"robot{index}" for index in range(count)]
        self.sent = 0
        # Nanoseconds from an observation made to its chunk read, by robot and sequence number.
        self.latencies = {}
        self.ticks = {name: [] for name in self.names}
        self.published = threading.Event()
        self.begin()

    def publish(self):
        socket = self.daemon.publisher()
        time.sleep(0.5)
        due = time.monotonic()
        for sequence in itertools.count():
            for name in self.names:
                message = {**observation(name, 1, sequence), "replan": True}
                socket.send_multipart([f"observation.{name}".encode(), msgpack.packb(message)])
                self.sent += 1
                due += 1 / self.hz / len(self.names)
                time.sleep(max(due - time.monotonic(), 0))
            if self.ending.is_set():
                break
        socket.close(100)
        self.published.set()

    def listen(self):
        socket = self.daemon.subscriber("chunk.robot", "command.robot")
        # Until nothing has come for a while after the last observation.
        while socket.poll(200) or not self.published.is_set():
            if not socket.poll(0):
                continue
            _, payload = socket.recv_multipart()
            read_ns = time.monotonic_ns()
            message = msgpack.unpackb(payload, strict_map_key=False)
            name = message["robot"]
            if message["type"] == "command":
                # The last observation has been sent, so that the robot may well hold.
                if not self.published.is_set():
                    self.ticks[name].append(message["tick"])
            else:
                self.latencies[name, message["sequence"]] = read_ns - message["time_ns"]
            if self.published.is_set() and len(self.latencies) == self.sent:
                break
        socket.close(0)

    def figures(self, budget_ms):
        latencies = sorted(nanoseconds / 1e6 for nanoseconds in self.latencies.values())
        return {
            "sent": self.sent,
            "chunks": len(latencies),
            "p50_ms": latencies[len(latencies) // 2],
            "p99_ms": latencies[len(latencies) * 99 // 100],
            "longest_ms": latencies[-1],
            "late": sum(latency > budget_ms for latency in latencies),
            "commands": min(len(ticks) for ticks in self.ticks.values()),
            "missed_ticks": sum(missed(ticks) for ticks in self.ticks.values() if ticks),
        }


class Stopped:
    """A robot that is stopped as soon as it moves, and resumed, and how long each stop took to reach it.

    It lives in a process of its own, as robots do, so that nothing but the daemon delays what it reads.
    """

    NAME = "stoppable"

    def __init__(self, ports, hz):
        self.ending, self.results = multiprocessing.Event(), multiprocessing.Queue()
        self.process = multiprocessing.Process(target=self.live, args=(ports, hz))
        self.process.start()

    def live(self, ports, hz):
        context = zmq.Context()
        publisher = threading.Thread(target=self.publish, args=(context, ports, hz))
        publisher.start()
        milliseconds, failure = [], None
        try:
            self.stop_and_resume(context, ports, milliseconds)
        except Failed as reason:
            failure = str(reason)
        publisher.join()
        self.results.put((self.sent, milliseconds, failure))

    def publish(self, context, ports, hz):
        socket = context.socket(zmq.PUB)
        socket.connect(f"tcp://127.0.0.1:{ports[0]}")
        time.sleep(0.5)
        due, self.sent = time.monotonic(), 0
        while not self.ending.is_set():
            message = observation(self.NAME, 1, self.sent)
            socket.send_multipart([f"observation.{self.NAME}".encode(), msgpack.packb(message)])
            self.sent += 1
            due += 1 / hz
            time.sleep(max(due - time.monotonic(), 0))
        socket.close(100)

    def stop_and_resume(self, context, ports, milliseconds):
        commands = context.socket(zmq.SUB)
        commands.connect(f"tcp://127.0.0.1:{ports[1]}")
        commands.subscribe(f"command.{self.NAME}")
        requests = context.socket(zmq.DEALER)
        requests.connect(f"tcp://127.0.0.1:{ports[2]}")
        generator = random.Random(2)
        while self.await_state(commands, "running"):
            time.sleep(generator.uniform(0.05, 0.15))
            while commands.poll(0):
                commands.recv_multipart()
            sent = time.monotonic_ns()
            requests.send(msgpack.packb({"v": 1, "type": "stop", "robot": self.NAME}))
            read = self.await_state(commands, "holding")
            if read is None:
                break
            milliseconds.append((read - sent) / 1e6)
            stop = self.answer(requests)
            requests.send(msgpack.packb({"v": 1, "type": "resume", "robot": self.NAME, "stop": stop["stop"]}))
            self.answer(requests)
        commands.close(0)
        requests.close(0)

    def await_state(self, commands, state):
        """When a command of that state was read; None at the end."""
        while not self.ending.is_set():
            if not commands.poll(100):
                continue
            message = msgpack.unpackb(commands.recv_multipart()[1], strict_map_key=False)
            if message["state"] == state:
                return time.monotonic_ns()
        return None

    @staticmethod
    def answer(requests):
        if not requests.poll(10_000):
            raise Failed("a stop or resume was not answered within 10 s")
        reply = msgpack.unpackb(requests.recv(), strict_map_key=False)
        if reply["type"] == "error":
            raise Failed(f"a stop or resume was refused: {reply['message']}")
        return reply

    def end(self):
        """Ends the robot, and returns its figures."""
        self.ending.set()
        sent, milliseconds, failure = self.results.get()
        self.process.join()
        ordered = sorted(milliseconds) or [float("nan")]
        return {
            "stoppable_sent": sent,
            "stops": len(milliseconds),
            "stop_p50_ms": ordered[len(ordered) // 2],
            "stop_p99_ms": ordered[len(ordered) * 99 // 100],
            "stop_failure": failure,
        }


class Flooder:
    """What a flood sends, and what the daemon is to make of it."""

    # The codes by which the daemon may refuse it.
    reasons = set()
    # Messages a second where fewer than asked for: what is expensive to read.
    slowest = None

    def __init__(self, ports):
        context = zmq.Context()
        self.publisher = context.socket(zmq.PUB)
        self.publisher.sndhwm = 100_000
        self.publisher.connect(f"tcp://127.0.0.1:{ports[0]}")
        self.requests = context.socket(zmq.DEALER)
        self.requests.sndhwm = 100_000
        self.requests.connect(f"tcp://127.0.0.1:{ports[2]}")
        self.generator = random.Random(1)

    def send(self, number):
        raise NotImplementedError

    def publish(self, name, message):
        self.publisher.send_multipart([f"observation.{name}".encode(), message])

    def request(self, message):
        with contextlib.suppress(zmq.Again):
            self.requests.send(message, zmq.DONTWAIT)
        while self.requests.poll(0):
            self.requests.recv()


class Observations(Flooder):
    """Observations of a robot of its own, as good as any, each of which asks for a chunk."""

    reasons = {"rate_limited"}

    def send(self, number):
        self.publish("flooder", msgpack.packb({**observation("flooder", 1, number), "replan": True}))


class Garbage(Flooder):
    """Bytes that are no observation, under topics of robots that do not exist."""

    reasons = {"not_messagepack", "wrong_type", "missing_field", "bad_frames", "too_deep", "unsupported_version"}

    def __init__(self, ports):
        super().__init__(ports)
        good = msgpack.packb(observation("nobody", 1, 1))
        self.messages = [
            b"",
            b"\x91" * 60,
            b"\xdf\xff\xff\xff\xff",
            good[: len(good) // 2],
            good,
            msgpack.packb({"type": "observation"}),
            msgpack.packb({**observation("nobody", 1, 1), "sequence": "seven"}),
        ] + [self.generator.randbytes(200) for _ in range(100)]

    def send(self, number):
        self.publish(f"made-up-{number % 5000}", self.generator.choice(self.messages))


class Long(Flooder):
    """Observations as long as they may be, of which the last number is wrong."""

    reasons = {"bad_array", "rate_limited"}
    slowest = 500

    def __init__(self, ports):
        super().__init__(ports)
        message = observation("long", 1, 1)
        message["observation"]["observation.state"] = [0.5] * 60_000
        self.message = msgpack.packb(message)

    def send(self, number):
        self.publish("long", self.message)


class Requests(Flooder):
    """Requests: what is answered at once, what is planned for, and what is refused."""

    reasons = {"busy", "unknown_type", "not_messagepack"}

    def __init__(self, ports):
        super().__init__(ports)
        self.others = [
            msgpack.packb({"v": 1, "type": "ping", "request": 1}),
            msgpack.packb({"v": 1, "type": "info", "request": 1}),
            msgpack.packb({"v": 1, "type": "dance"}),
            b"\xc1",
        ]

    def send(self, number):
        if number % 5:
            self.request(self.others[number % 5 - 1])
        else:
            self.request(msgpack.packb({**observation("flooder", 1, number), "type": "predict"}))


FLOODS = {"observations": Observations, "garbage": Garbage, "long": Long, "requests": Requests}


def flood(name, ports, rate, ending, sent):
    """Floods until told to end, so many messages a second, with what the others leave of the processors."""
    os.nice(19)
    flooder = FLOODS[name](ports)
    time.sleep(0.5)
    begin = time.monotonic()
    while not ending.is_set():
        # What it could not send in time it does not make up for.
        wanted = int((time.monotonic() - begin) * rate)
        if wanted - sent.value > rate / 10:
            begin = time.monotonic() - sent.value / rate
        while sent.value < wanted:
            flooder.send(sent.value)
            sent.value += 1
        time.sleep(0.001)
    flooder.publisher.close(0)
    flooder.requests.close(0)


def measure(arguments, name):
    """Runs a daemon and robots for a while, with a flood or with none."""
    with tempfile.TemporaryDirectory(prefix="denoised-flood-") as folder:
        robot_file = pathlib.Path(folder) / "robot.yaml"
        robot_file.write_text(ROBOT_FILE.format(hz=arguments.hz))
        stoppable_file = pathlib.Path(folder) / "stoppable.yaml"
        stoppable_file.write_text(STOPPABLE_FILE.format(hz=arguments.hz, command_hz=5 * arguments.hz))
        daemon = Daemon(
            arguments.binary,
            arguments.policy,
            *["--robot", str(robot_file), "--robot", str(stoppable_file)],
            *["--budget-ms", str(arguments.budget_ms), "--window", "auto"],
            *["--precision", "auto"],
            *(["--priority", str(arguments.priority)] if arguments.priority else []),
            ports=free_ports(3),
        )
        daemon.start()
    ending, sent = multiprocessing.Event(), multiprocessing.Value("q", 0, lock=False)
    flooder = None
    if name != "alone":
        rate = min(arguments.rate, FLOODS[name].slowest or arguments.rate)
        flooder = multiprocessing.Process(target=flood, args=(name, daemon.ports, rate, ending, sent))
        flooder.start()
        time.sleep(1)
    robots = Robots(daemon, arguments.robots, arguments.hz)
    stopped = Stopped(daemon.ports, arguments.hz)
    time.sleep(arguments.seconds)
    stops = stopped.end()
    robots.end()
    if flooder:
        ending.set()
        flooder.join()
    statistics = json.loads(daemon.stop())
    return {
        **robots.figures(arguments.budget_ms),
        **stops,
        "flood_per_second": sent.value / arguments.seconds,
        "flood_sent": sent.value,
        "statistics": statistics,
    }


def check(outcome, name, found, alone, arguments):
    """Notes what does not hold of a run."""
    chunks, rejected = found["chunks"], found["statistics"]["rejected_messages"]
    allowed = alone["late"] / alone["chunks"] * chunks + chunks / 1000
    outcome.expect(found["late"] <= allowed, f"{name}: {found['late']} of {chunks} chunks late, {alone['late']} alone")
    outcome.expect(
        chunks >= 0.999 * found["sent"],
        f"{name}: {chunks} chunks for {found['sent']} observations, expected one for each",
    )
    expected = 0.95 * arguments.seconds * arguments.hz - arguments.hz
    outcome.expect(
        found["commands"] >= expected and found["missed_ticks"] == 0,
        f"{name}: a robot got {found['commands']} commands, expected {expected:.0f}; {found['missed_ticks']} ticks missed",
    )
    most_ms = 1000 / (5 * arguments.hz) + 5
    outcome.expect(
        found["stop_failure"] is None and found["stops"] >= arguments.seconds / 2,
        f"{name}: {found['stops']} stops, expected {arguments.seconds / 2:.0f}; {found['stop_failure']}",
    )
    outcome.expect(
        found["stop_p99_ms"] <= most_ms,
        f"{name}: a stop took {found['stop_p99_ms']:.1f} ms at the 99th percentile, expected {most_ms:.1f}",
    )
    if name == "alone":
        outcome.expect(not rejected, f"alone: messages were rejected: {rejected}")
        return
    reasons = FLOODS[name].reasons
    outcome.expect(
        set(rejected) <= reasons and rejected,
        f"{name}: rejected as {sorted(rejected)}, expected some of {sorted(reasons)}",
    )
    if name == "observations":
        # Under one topic the daemon reads 1,000 messages a second, and 1,000 more at first.
        read = found["statistics"]["observations"] - found["sent"] - found["stoppable_sent"]
        most = 1000 * (arguments.seconds + 4)
        outcome.expect(read <= most, f"{name}: {read} of the flooder's were read, expected at most {most:.0f}")


def main(outcome):
    parser = report.options(__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each run")
    parser.add_argument("--robots", type=int, default=4)
    parser.add_argument("--hz", type=float, default=10)
    parser.add_argument("--budget-ms", type=float, default=100)
    parser.add_argument("--priority", type=int, help="real-time priority of the daemon's socket thread")
    parser.add_argument("--rate", type=int, default=20_000, help="messages a second that a flood has at most")
    parser.add_argument("--floods", default=",".join(FLOODS), help="which, separated by commas")
    arguments = parser.parse_args()

    rows, alone = [], None
    for name in ["alone"] + arguments.floods.split(","):
        found = measure(arguments, name)
        alone = alone or found
        check(outcome, name, found, alone, arguments)
        dropped = found["sent"] - found["chunks"]
        refused = found["statistics"]["rejected_messages"]
        rows.append(
            [name, f"{found['flood_per_second']:.0f}"]
            + [f"{found[key]:.1f}" for key in ("p50_ms", "p99_ms", "longest_ms")]
            + [found["chunks"], found["late"], dropped, found["missed_ticks"]]
            + [found["stops"], f"{found['stop_p50_ms']:.1f}", f"{found['stop_p99_ms']:.1f}"]
            + [" ".join(f"{reason} {count}" for reason, count in sorted(refused.items()))]
        )
    header = ["flood", "a second", "p50 ms", "p99", "longest", "chunks", "late", "dropped", "missed ticks"]
    header += ["stops", "p50 ms", "p99", "rejected"]
    print("\n".join(report.table(header, rows)))
    return outcome.end()


if __name__ == "__main__":
    report.run(main)
