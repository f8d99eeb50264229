"""A daemon to be tested: started, watched, killed. Needs python3-zmq and python3-msgpack."""

import pathlib
import signal
import subprocess
import threading
import time

import msgpack
import zmq

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A robot of the PushT policy that may move as it likes.
ROBOT_FILE = """
control_hz: {hz}
clock: monotonic
actions:
  - {{name: x, position: [0, 512], velocity: 3000, acceleration: 100000}}
  - {{name: y, position: [0, 512], velocity: 3000, acceleration: 100000}}
feedback: {{feature: observation.state, indices: [0, 1]}}
"""


# A robot that is stopped again and again: its commands come five times as often as the others'.
STOPPABLE_FILE = """
robot: stoppable
control_hz: {hz}
command_hz: {command_hz}
clock: monotonic
actions:
  - {{name: x, position: [0, 512], velocity: 300, acceleration: 2000}}
  - {{name: y, position: [0, 512], velocity: 300, acceleration: 2000}}
"""


class Failed(Exception):
    """What was to hold does not."""


class Daemon:
    """`denoised serve` on ports of its own."""

    def __init__(self, binary, policy, *options, ports, log=None):
        self.command = [binary, "serve", "--policy", str(policy), "--json", "--log-level", "warning"]
        self.options = list(options)
        self.ports = ports
        self.log = log or subprocess.DEVNULL
        self.process = None
        self.context = zmq.Context()

    def start(self):
        """Starts it, and returns once it answers."""
        sockets = []
        for name, port in zip(["--observations", "--chunks", "--requests"], self.ports):
            sockets += [name, f"tcp://127.0.0.1:{port}"]
        self.process = subprocess.Popen(self.command + sockets + self.options, stdout=subprocess.PIPE, stderr=self.log, text=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failed(f"the daemon ended at once with {self.process.returncode}")
            try:
                return self.request({"type": "info"}, timeout=0.1)
            except TimeoutError:
                continue
        raise Failed("the daemon does not answer")

    def request(self, message, timeout=10.0):
        """Asks, and returns the answer."""
        socket = self.context.socket(zmq.DEALER)
        socket.linger = 0
        try:
            socket.connect(f"tcp://127.0.0.1:{self.ports[2]}")
            socket.send(msgpack.packb({"v": 1, **message}))
            if not socket.poll(int(timeout * 1000)):
                raise TimeoutError(f"no answer to {message['type']}")
            return msgpack.unpackb(socket.recv(), strict_map_key=False)
        finally:
            socket.close()

    def publisher(self):
        """A socket that publishes observations to it."""
        socket = self.context.socket(zmq.PUB)
        socket.connect(f"tcp://127.0.0.1:{self.ports[0]}")
        return socket

    def subscriber(self, *topics):
        """A socket that gets what it publishes under topics that begin like this."""
        socket = self.context.socket(zmq.SUB)
        socket.connect(f"tcp://127.0.0.1:{self.ports[1]}")
        for topic in topics:
            socket.subscribe(topic)
        return socket

    def memory(self):
        """Resident memory that is the process's own, in bytes: what a file backs does not count."""
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
        raise Failed("the daemon has no memory: it is gone")

    def is_alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """Ends it as one should, and returns what it printed."""
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=60)
        if self.process.returncode != 0:
            raise Failed(f"the daemon ended with {self.process.returncode}")
        return output


class Client:
    """Publishes in one thread and listens in another, from `begin` to `end`: `publish` and `listen` of a class made from this."""

    def begin(self):
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.publish), threading.Thread(target=self.listen)]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()


def free_ports(count):
    """Ports that nobody listens on now."""
    context = zmq.Context.instance()
    sockets = [context.socket(zmq.PUB) for _ in range(count)]
    ports = [socket.bind_to_random_port("tcp://127.0.0.1") for socket in sockets]
    for socket in sockets:
        socket.close(0)
    return ports


def observation(robot, episode, sequence, session=None):
    """An observation of the PushT policy, its disc somewhere on a circle."""
    corners = [206, 250, 306, 250, 306, 275, 206, 275, 243, 275, 243, 350, 268, 350, 268, 275]
    message = {
        "v": 1,
        "type": "observation",
        "robot": robot,
        "episode": episode,
        "sequence": sequence,
        "time_ns": time.monotonic_ns(),
        "observation": {
            "observation.state": [256.0 + 100 * ((sequence % 40) / 20 - 1), 400.0],
            "observation.environment_state": corners,
        },
    }
    if session is not None:
        message["session"] = session
    return message
