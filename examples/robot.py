#!/usr/bin/env python3
"""A robot that a `denoised serve` controls, to copy from: Body stands in for the arm.

    pip install ./clients/python
    denoised serve --policy policies/pusht
    python3 examples/robot.py

Without pip: apt install python3-zmq python3-msgpack python3-numpy, and PYTHONPATH=clients/python/src.

The robot's world does not wait. Every control step it publishes what it sees, and carries out what is planned for that step,
whether a new chunk is there or not. With --commands it needs no plan of its own: the daemon, started with --robot FILE, sends
an action for every tick. clients/python/README.md describes the client.

If the policy has cameras, the robot sends their frames: --camera says where from (cameras.py), and without it they are made up.

Ctrl-C stops the robot: the daemon then sends this robot nothing until somebody starts it with --resume.
"""

import argparse
import logging
import math
import signal
import sys
import time

try:
    from denoised import DenoisedError, Keys, Robot
except ModuleNotFoundError as missing:
    sys.exit(f"{missing}: pip install ./clients/python, or set PYTHONPATH=clients/python/src")

from cameras import CameraError, open_cameras


class Body:
    """Stands in for motors and sensors: a point that follows its target as fast as motors do, next to a T that lies still.

    It has the features of PushT, and serves other policies with numbers that mean nothing. Its cameras see something else.
    """

    T = [206.0, 250, 306, 250, 306, 275, 206, 275, 243, 275, 243, 350, 268, 350, 268, 275]
    FOLLOWS_IN = 0.1  # seconds

    def __init__(self, policy, cameras):
        self.cameras = cameras
        self.features = {feature.name: feature.count for feature in policy.features}
        self.place, self.target = [256.0] * policy.action_dim, None
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
            return (known + [0.0] * count)[:count]

        frames = {name: camera.frame() for name, camera in self.cameras.items()}
        return {name: numbers(name, count) for name, count in self.features.items()} | frames


def say(line):
    print(line, flush=True)


def run(robot, body, options):
    """One episode. Returns how many control steps had an action, how many of those were beyond, and how many held."""
    planned = beyond = held = 0
    was_moving = False
    for step in robot.steps(options.steps):
        robot.publish(body.observe())
        if options.commands:
            moves = follow_commands(robot, body)
        else:
            action = robot.action()
            moves = action is not None
            beyond += moves and step >= robot.plan.meant_end
            body.act(action) if moves else body.hold()
        if moves != was_moving:
            say(f"step {step}: {'moving' if moves else 'holding'}")
        was_moving, planned, held = moves, planned + moves, held + (not moves)
    return planned, beyond, held


def follow_commands(robot, body):
    """Carries out commands as they come until the control step is over. Returns whether one of them moved the robot."""
    moves = False
    for command in robot.commands():
        if command is None:
            body.hold()
        else:
            body.act(command.action)
            moves = moves or command.state == "running"
    return moves


def parsed_options():
    parser = argparse.ArgumentParser(
        description="Runs one episode of a simulated robot against a running daemon.",
        epilog="Ctrl-C stops the robot at the daemon too. Exit status: 0; 1 where it never moved or ended stopped; 130 "
        "after Ctrl-C.",
    )
    parser.add_argument("--requests", default="tcp://127.0.0.1:5557", help="the daemon's request endpoint")
    parser.add_argument("--robot", default="arm1", help="the robot's id")
    parser.add_argument("--policy", metavar="NAME", help="one of the daemon's policies, if it runs several")
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
    return options


def main():
    options = parsed_options()
    # The client tells what becomes of the connection: a daemon that is gone or back, stops, malformed messages.
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    # What starts a robot may have left SIGINT ignored or blocked; the stop must not be.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    keys = Keys.load(options.curve_key, options.curve_server) if options.curve_key else None
    robot = Robot(options.requests, options.robot, hz=options.hz, commands=options.commands, policy=options.policy, keys=keys)
    try:
        robot.connect(options.timeout)
        policy = robot.policy
        say(f"policy {policy.name}: {policy.n_action_steps} actions of {policy.action_dim} numbers a chunk")
        cameras = open_cameras(policy.cameras, options.camera, options.resize)
        for name, camera in cameras.items():
            say(f"camera {name}: {type(camera).__name__.lower()}, {camera.size[0]} rows of {camera.size[1]} pixels")
        if options.resume:
            robot.resume()
        planned, beyond, held = run(robot, Body(policy, cameras), options)
    except KeyboardInterrupt:
        say("stopping")
        robot.stop(timeout=1)
        say("stopped; --resume releases the robot")
        return 130
    finally:
        is_stopped = robot.stopped is not None
        robot.close()
    say(f"episode done: {options.steps} steps, {planned} with an action, {beyond} of them beyond the chunk, {held} held")
    say(f"{robot.reconnects} reconnects, {robot.malformed} malformed messages")
    if planned == 0 and not is_stopped:
        say("it never moved: the daemon's log says why" + ", if it was started with --robot FILE" * options.commands)
    return 1 if is_stopped or planned == 0 else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (DenoisedError, CameraError, OSError) as failure:
        sys.exit(str(failure))
