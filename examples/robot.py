#!/usr/bin/env python3
"""A robot that a `denoised serve` controls, to copy from: Denoised is the client, Body stands in for the arm.

    apt install python3-zmq python3-msgpack
    denoised serve --policy policies/pusht
    python3 examples/robot.py

The robot's world does not wait. Every control step it publishes what it sees, and carries out what is planned for that step,
whether a new chunk is there or not. With --commands it needs no plan of its own: the daemon, started with --robot FILE, sends
an action for every tick. docs/PROTOCOL.md describes the messages.

If the policy has cameras, the robot sends their frames: --camera says where from (cameras.py), and without it they are made up.

Ctrl-C stops the robot: the daemon then sends this robot nothing until somebody starts it with --resume.
"""

import argparse
import math
import secrets
import signal
import struct
import sys
import time
from collections import deque

import msgpack
import zmq

from cameras import CameraError, open_cameras

HEARTBEAT_TIMEOUT = 0.5  # seconds without a status message, of which ten are sent a second, until the daemon counts as gone
INFO_INTERVAL = 0.25  # seconds between two attempts to reach a daemon that is gone
COMMAND_TIMEOUT = 0.25  # seconds without a command until the robot holds by itself
LARGEST_MESSAGE = 1 << 20
FAULTS = (LookupError, TypeError, ValueError, AttributeError, struct.error)  # what reading a malformed message raises


class Failure(Exception):
    """There is no going on."""


def rows(array, size):
    """The rows of a packed array of numbers, [steps, size] or [size]; ValueError where it is anything else."""
    shape, data = array[b"shape"], array[b"data"]
    if array[b"dtype"] != "<f4" or shape[-1] != size or len(data) != 4 * math.prod(shape):
        raise ValueError(f"an array of {array[b'dtype']} {shape}, expected <f4 rows of {size}")
    numbers = struct.unpack(f"<{len(data) // 4}f", data)
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a number that is not finite")
    return [list(numbers[start : start + size]) for start in range(0, len(numbers), size)]


class Plan:
    """The chunk buffer: the actions to come, by control step."""

    def __init__(self):
        self.rows, self.first, self.meant, self.answers = [], 0, 0, -1

    def join(self, chunk, action_dim, step):
        """Goes over to a chunk from `step` on, the first step that has not begun. Returns whether it did."""
        actions = rows(chunk["action"], action_dim)
        beyond = rows(chunk["beyond"], action_dim) if chunk.get("beyond") else []
        sequence, first = chunk["sequence"], chunk["first_step"]
        if sequence <= self.answers or not first <= step < first + len(actions) + len(beyond):
            return False
        # Row i is meant for step first + i. What was meant for steps that have begun would come too late: skipped.
        self.rows, self.first = (actions + beyond)[step - first :], step
        self.meant, self.answers = first + len(actions), sequence
        return True

    def at(self, step):
        """The action of a control step, None where there is none."""
        return self.rows[step - self.first] if self.first <= step < self.first + len(self.rows) else None

    def end(self):
        """The step after the last that the policy means to be carried out; those beyond are for when a chunk is late."""
        return min(self.meant, self.first + len(self.rows))

    def left(self, step):
        return max(self.first + len(self.rows) - step, 0)


class Denoised:
    """The robot's side of the protocol, for one episode and the thread that made it.

    ZeroMQ connects again by itself, and loses what is sent meanwhile; what remains to be done is to notice, and to start
    afresh with a daemon that is another process: it knows nothing of the history, nor of a stop.
    """

    def __init__(self, requests, robot, hz, commands=False, keys=None):
        self.endpoint, self.robot, self.period, self.commands, self.keys = requests, robot, 1 / hz, commands, keys
        # Which process speaks for the robot: the daemon refuses another one meanwhile.
        self.session = secrets.randbits(64)
        self.context = zmq.Context()
        self.poller = zmq.Poller()
        self.info = self.requests = self.observations = self.published = None
        self.request_number, self.awaited, self.reply = 0, None, None
        self.heard = self.process = self.gone_since = None
        self.info_asked = -math.inf
        self.stopped = None  # why, where the daemon has stopped the robot
        self.stops_again = False  # whether a new daemon has yet to be told so
        self.reconnects = self.malformed = 0
        self.begin_episode()

    # The episode

    def begin_episode(self):
        # The daemon starts a fresh history for an id that it has not seen.
        self.episode = time.time_ns()
        self.plan, self.step, self.asked, self.command = Plan(), 0, None, None
        self.latencies = deque(maxlen=8)

    def observe(self, step, observation):
        """Publishes what the robot sees at a control step, and asks for a chunk where one will be needed."""
        self.step = step
        message = {
            "v": 1,
            "type": "observation",
            "robot": self.robot,
            "episode": self.episode,
            "sequence": step,
            "time_ns": time.monotonic_ns(),
            "observation": observation,
            "session": self.session,
        }
        if not self.commands:
            message["replan"] = self._needs_chunk(step)
        self.observations.send_multipart([f"observation.{self.robot}".encode(), msgpack.packb(message)])

    def _needs_chunk(self, step):
        """Early enough that the chunk is there when the plan runs out, as far as past latencies tell."""
        lead = math.ceil(max(self.latencies, default=self.period) / self.period)
        if step + lead < self.plan.end():
            return False
        # With nothing planned every observation asks: the first ones are lost while the sockets join.
        if self.asked is not None and self.plan.left(step) and step <= self.asked + 2 * lead:
            return False
        self.asked = step
        return True

    def action(self, step):
        """What to carry out at a control step; None: hold."""
        return None if self.stopped else self.plan.at(step)

    # What arrives

    def listen(self, until):
        """Takes in what arrives before `until`, by time.monotonic(); with commands, returns at each one."""
        while True:
            self._watch()
            self._poll(min(max(until - time.monotonic(), 0), 0.05))
            if self.command is not None or time.monotonic() >= until:
                return

    def _poll(self, seconds):
        for socket, _ in self.poller.poll(1000 * seconds):
            self._receive(socket)

    def _receive(self, socket):
        while not socket.closed:  # as a reply to `info` may have it
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                message = msgpack.unpackb(frames[-1])
                if socket is self.requests:
                    self._take_reply(message)
                elif frames[0] == b"status":
                    self._take_status(message)
                # A subscription is a prefix: "chunk.arm1" also gets what is for arm10.
                elif message["robot"] == self.robot and message["episode"] == self.episode:
                    (self._take_command if self.commands else self._take_chunk)(message)
            except FAULTS as fault:
                self.malformed += 1
                say(f"malformed message: {fault}")

    def _take_chunk(self, chunk):
        latency = (time.monotonic_ns() - chunk["time_ns"]) / 1e9  # time_ns is this robot's own, sent back
        if self.stopped is not None or not 0 <= latency < 60:
            return
        self.latencies.append(latency)
        if self.asked is not None and chunk["sequence"] >= self.asked:
            self.asked = None
        self.plan.join(chunk, self.info["policy"]["action_dim"], self.step + 1)

    def _take_command(self, command):
        (action,) = rows(command["action"], self.info["policy"]["action_dim"])
        age = (time.monotonic_ns() - command["time_ns"]) / 1e9
        # A stopped robot follows the way to rest, but not a new daemon that has yet to learn of the stop.
        is_allowed = self.stopped is None or command["state"] == "holding"
        # What was held up on its way is for a tick that is over.
        if is_allowed and abs(age) < COMMAND_TIMEOUT:
            self.command = (action, command["state"])

    def take_command(self):
        """The newest command, [action_dim] and `running` or `holding`, once; None where there is no new one."""
        command, self.command = self.command, None
        return command

    def _take_status(self, status):
        process = status["monotonic_ns"] - status["statistics"]["uptime_ns"]  # when the daemon started
        mine = status["robots"].get(self.robot)
        state, reason = (mine["state"], mine["reason"]) if mine else ("idle", "")
        silent_since, self.heard = self.heard, time.monotonic()
        if self.process is not None and process != self.process:
            self._rejoin(silent_since, "another process: its history begins anew")
        elif self.gone_since is not None:
            self._rejoin(silent_since, "the same process")
        self.process = process
        if state in ("stopped", "faulted"):
            if self.stopped is None:
                say(f"step {self.step}: {state}: {reason}; the robot holds")
            self.stopped, self.stops_again, self.plan = reason, False, Plan()
        elif self.stops_again:
            self._request("stop", robot=self.robot)
        elif self.stopped is not None:
            say(f"step {self.step}: released, the robot goes on")
            self.stopped = self.asked = None

    # A daemon that goes and comes back

    def _watch(self):
        now = time.monotonic()
        if self.heard is not None and self.gone_since is None and now - self.heard > HEARTBEAT_TIMEOUT:
            self.gone_since = self.heard
            say(f"step {self.step}: the daemon is gone; {self.plan.left(self.step + 1)} actions left")
        if self.gone_since is not None and now - self.info_asked > INFO_INTERVAL:
            # A new socket drops what waits in the old one, and finds a daemon that came back elsewhere behind the same name.
            self._open_requests()
            self._request("info")
            self.info_asked = now

    def _rejoin(self, silent_since, what):
        say(f"step {self.step}: the daemon is back after {time.monotonic() - silent_since:.1f} s, {what}")
        self.reconnects += 1
        self.gone_since = self.asked = None
        self._request("info")
        # A stop holds until a person releases it, and a new daemon knows of none.
        self.stops_again = self.stopped is not None

    def _take_reply(self, reply):
        if reply["type"] == "info":
            self._take_info(reply)
        if reply["request"] == self.awaited:
            self.awaited, self.reply = None, reply

    def _take_info(self, info):
        if self.info is not None and info["policy"] != self.info["policy"]:
            raise Failure(f"the daemon runs another policy now: {info['policy']['name']}")
        before, self.info = self.info, info
        if before is None or before["endpoints"] != info["endpoints"]:
            self._join(info["endpoints"])

    # Sockets

    def connect(self, timeout):
        """Waits for a daemon and learns what its policy observes. Returns `policy` of its info."""
        self._open_requests()
        self.ask("info", timeout)
        self.heard = time.monotonic()
        return self.info["policy"]

    def _socket(self, kind, endpoint):
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.maxmsgsize = LARGEST_MESSAGE
        # A peer whose machine lost power closes no connection.
        socket.heartbeat_ivl, socket.heartbeat_timeout = 500, 1500
        socket.reconnect_ivl, socket.connect_timeout = 50, 1000
        if self.keys:
            (socket.curve_publickey, socket.curve_secretkey), socket.curve_serverkey = self.keys
        if kind == zmq.PUB:
            socket.sndhwm = 8  # observations that wait for a daemon that does not read: frames are large, and soon old
        if kind == zmq.SUB:
            # Before connecting, so that nothing that is sent after it is missed.
            socket.subscribe("status")
            socket.subscribe(f"{'command' if self.commands else 'chunk'}.{self.robot}")
        socket.connect(endpoint)
        if kind != zmq.PUB:
            self.poller.register(socket, zmq.POLLIN)
        return socket

    def _close(self, socket):
        if socket is not None:
            if socket in self.poller:
                self.poller.unregister(socket)
            socket.close()

    def _open_requests(self):
        self._close(self.requests)
        self.requests = self._socket(zmq.DEALER, self.endpoint)

    def _join(self, endpoints):
        self._close(self.published)
        self._close(self.observations)
        self.published = self._socket(zmq.SUB, self._reachable(endpoints["chunks"]))
        self.observations = self._socket(zmq.PUB, self._reachable(endpoints["observations"]))

    def _reachable(self, endpoint):
        """A daemon that listens on every interface tells no address to call: it is that of its requests."""
        for anywhere in ("tcp://0.0.0.0:", "tcp://[::]:", "tcp://*:"):
            if endpoint.startswith(anywhere):
                return self.endpoint.rpartition(":")[0] + ":" + endpoint[len(anywhere) :]
        return endpoint

    def _request(self, kind, **fields):
        self.request_number += 1
        message = {"v": 1, "type": kind, "request": self.request_number, **fields}
        self.requests.send(msgpack.packb(message), zmq.NOBLOCK)
        return self.request_number

    def ask(self, kind, timeout, **fields):
        """Sends a request and waits for its reply; not for the control loop, which must not wait."""
        deadline = time.monotonic() + timeout
        self.awaited = self._request(kind, **fields)
        while self.awaited is not None:
            if time.monotonic() > deadline:
                raise Failure(f"no answer to {kind} from {self.endpoint} within {timeout:g} s: is the daemon running?")
            self._poll(0.05)
        reply = self.reply
        if reply["type"] == "error":
            raise Failure(f"the daemon refused {kind}: {reply['code']}: {reply['message']}")
        return reply


class Body:
    """Stands in for motors and sensors: a point that follows its target as fast as motors do, next to a T that lies still.

    It has the features of PushT, and serves other policies with numbers that mean nothing. Its cameras see something else.
    """

    T = [206.0, 250, 306, 250, 306, 275, 206, 275, 243, 275, 243, 350, 268, 350, 268, 275]
    FOLLOWS_IN = 0.1  # seconds

    def __init__(self, features, action_dim, cameras):
        self.cameras = cameras
        self.features = {feature["name"]: feature["count"] for feature in features}
        self.place, self.target = [256.0] * action_dim, None
        self.moved = time.monotonic()

    def move(self):
        now = time.monotonic()
        part = 1 - math.exp((self.moved - now) / self.FOLLOWS_IN)
        self.moved = now
        if self.target is not None:
            self.place = [place + part * (target - place) for place, target in zip(self.place, self.target)]

    def act(self, target):
        self.move()
        self.target = target

    def hold(self):
        self.move()
        self.target = None

    def observe(self):
        self.move()

        def numbers(name, count):
            known = self.place if name == "observation.state" else self.T
            return [float(number) for number in (known + [0.0] * count)[:count]]

        frames = {name: camera.frame() for name, camera in self.cameras.items()}
        return {name: numbers(name, count) for name, count in self.features.items()} | frames


def say(line):
    print(line, flush=True)


def run(daemon, body, steps):
    """One episode. Returns how many control steps had an action, how many of those were beyond, and how many held."""
    planned = beyond = held = step = 0
    was_moving = False
    start = time.monotonic()
    while step < steps:
        daemon.observe(step, body.observe())
        end = start + (step + 1) * daemon.period
        if daemon.commands:
            moves = follow_commands(daemon, body, end)
        else:
            action = daemon.action(step)
            moves = action is not None
            beyond += moves and step >= daemon.plan.meant
            body.act(action) if moves else body.hold()
            daemon.listen(end)
        if moves != was_moving:
            say(f"step {step}: {'moving' if moves else 'holding'}")
        was_moving, planned, held = moves, planned + moves, held + (not moves)
        # A robot that was off its core goes on with the step that it is, not with those that it missed.
        step = max(step + 1, int((time.monotonic() - start) / daemon.period))
    return planned, beyond, held


def follow_commands(daemon, body, end):
    """Carries out commands as they come until `end`. Returns whether one of them moved the robot."""
    moves = False
    silent_since = time.monotonic()
    while time.monotonic() < end:
        daemon.listen(end)
        command = daemon.take_command()
        now = time.monotonic()
        if command is not None:
            action, state = command
            body.act(action)
            moves, silent_since = moves or state == "running", now
        elif now - silent_since > COMMAND_TIMEOUT:
            body.hold()
    return moves


def main():
    parser = argparse.ArgumentParser(
        description="Runs one episode of a simulated robot against a running daemon.",
        epilog="Ctrl-C stops the robot at the daemon too. Exit status: 0; 1 where it never moved or ended stopped; 130 "
        "after Ctrl-C.",
    )
    parser.add_argument("--requests", default="tcp://127.0.0.1:5557", help="the daemon's request endpoint")
    parser.add_argument("--robot", default="arm1", help="the robot's id")
    parser.add_argument("--steps", type=int, default=100, help="control steps in the episode")
    parser.add_argument("--hz", type=float, default=10, help="control steps a second, as the policy was trained")
    parser.add_argument("--commands", action="store_true", help="follow the daemon's commands; it needs serve --robot FILE")
    parser.add_argument(
        "--camera",
        metavar="[NAME=]SOURCE",
        action="append",
        default=[],
        help="a picture (PNG or JPEG), a folder of pictures, or, for OpenCV, a camera's number or a film; repeat it with the "
        "names that the policy's cameras have",
    )
    parser.add_argument("--resize", action="store_true", help="bring frames to the policy's size; otherwise others are refused")
    parser.add_argument("--resume", action="store_true", help="release the robot first, if it is stopped")
    parser.add_argument("--timeout", type=float, default=30, help="seconds to wait for the daemon")
    parser.add_argument("--curve-key", metavar="FILE", help="the robot's secret certificate, as denoised keygen writes it")
    parser.add_argument("--curve-server", metavar="FILE", help="the daemon's public certificate")
    options = parser.parse_args()
    if options.steps < 1 or not 0 < options.hz <= 1000:
        parser.error("--steps is from 1 and --hz up to 1000")
    if (options.curve_key is None) != (options.curve_server is None):
        parser.error("--curve-key and --curve-server go together")
    keys = None
    if options.curve_key:
        import zmq.auth

        keys = zmq.auth.load_certificate(options.curve_key), zmq.auth.load_certificate(options.curve_server)[0]

    # What starts a robot may have left SIGINT ignored or blocked; the stop must not be.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    daemon = Denoised(options.requests, options.robot, options.hz, options.commands, keys)
    try:
        policy = daemon.connect(options.timeout)
        say(f"policy {policy['name']}: {policy['n_action_steps']} actions of {policy['action_dim']} numbers a chunk")
        cameras = open_cameras(policy.get("cameras", []), options.camera, options.resize)
        for name, camera in cameras.items():
            say(f"camera {name}: {type(camera).__name__.lower()}, {camera.size[0]} rows of {camera.size[1]} pixels")
        if options.resume:
            # The newest stop that this robot knows of: one that comes meanwhile holds.
            daemon.ask("resume", options.timeout, robot=options.robot, stop=daemon.info["stop"])
        body = Body(policy["features"], policy["action_dim"], cameras)
        planned, beyond, held = run(daemon, body, options.steps)
        # An episode that ends is no silence: without this the daemon would hold, and then stop, a robot that it commands.
        if daemon.gone_since is None:
            daemon.ask("reset", 2, robot=options.robot, episode=daemon.episode)
    except KeyboardInterrupt:
        say("stopping")
        daemon.ask("stop", 1, robot=options.robot)
        say("stopped; --resume releases the robot")
        return 130
    say(f"episode done: {options.steps} steps, {planned} with an action, {beyond} of them beyond the chunk, {held} held")
    say(f"{daemon.reconnects} reconnects, {daemon.malformed} malformed messages")
    if planned == 0 and daemon.stopped is None:
        say("it never moved: the daemon's log says why" + ", if it was started with --robot FILE" * options.commands)
    return 1 if daemon.stopped is not None or planned == 0 else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, CameraError, OSError, zmq.ZMQError) as failure:
        sys.exit(str(failure))
