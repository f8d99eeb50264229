"""Robots and policies for pages to show. Needs python3-zmq and python3-msgpack."""

import json
import math
import pathlib
import random
import shutil
import struct
import sys
import threading
import time

import msgpack

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Soak"))

from camera_policy import CAMERAS, SIDE, numbers, read, weights, write
from daemon import ROOT, observation

# What the policy of `wide_policy` knows besides the joints.
SURROUNDINGS = 3
JOINTS = ["waist", "neck"] + [
    f"{side} {joint}"
    for side in ["left", "right"]
    for joint in ["shoulder pitch", "shoulder roll", "shoulder yaw", "elbow", "wrist roll", "wrist pitch", "gripper"]
    + ["hip pitch", "hip roll", "hip yaw", "knee", "ankle"]
]


def floats(*values):
    return "F32", [len(values)], struct.pack(f"<{len(values)}f", *values)


def wide_policy(folder):
    """Makes a policy with many dimensions out of policies/pusht. It goes to a fixed posture, a little differently each time."""
    dimensions, origin = len(JOINTS), ROOT / "policies/pusht"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    state, surroundings = "observation.state", "observation.environment_state"
    inputs = {
        state: {"type": "STATE", "shape": [dimensions]},
        surroundings: {"type": "ENV", "shape": [SURROUNDINGS]},
    }
    output = {"action": {"type": "ACTION", "shape": [dimensions]}}
    configuration = json.loads((origin / "config.json").read_text())
    configuration |= {"input_features": inputs, "output_features": output, "prediction_type": "sample"}
    (folder / "config.json").write_text(json.dumps(configuration))
    statistics = {}
    for name, feature in (inputs | output).items():
        count = feature["shape"][0]
        statistics |= {f"{name}.min": floats(*[-1.6] * count), f"{name}.max": floats(*[1.6] * count)}
    for name in ("policy_preprocessor", "policy_postprocessor"):
        pipeline = json.loads((origin / f"{name}.json").read_text())
        for step in pipeline["steps"]:
            if "state_file" in step:
                step["config"]["features"] = inputs | output
                write(folder / step["state_file"], statistics)
        (folder / f"{name}.json").write_text(json.dumps(pipeline))

    source = random.Random(1)
    tensors = read(origin / "model.safetensors")
    for name, (_, shape, _) in tensors.items():
        if name.endswith("cond_encoder.1.weight"):
            tensors[name] = weights(shape[0], 128 + 2 * (dimensions + SURROUNDINGS))
        elif name.endswith(("down_modules.0.0.conv1.block.0.weight", "down_modules.0.0.residual_conv.weight")):
            tensors[name] = numbers([shape[0], dimensions, shape[2]], -0.05, 0.05)
        elif name.endswith("final_conv.1.weight"):
            tensors[name] = numbers([dimensions, shape[1], shape[2]], -0.004, 0.004)
        elif name.endswith("final_conv.1.bias"):
            tensors[name] = floats(*[source.uniform(-0.6, 0.6) for _ in range(dimensions)])
    write(folder / "model.safetensors", tensors)
    return folder


def wide_robot_file(path, robot, hz=10):
    """Writes a robot file for the policy of `wide_policy`, of a robot that may go where it likes within its joints' limits."""
    limits = "position: [-1.6, 1.6], velocity: 20, acceleration: 400"
    actions = "\n".join(f"  - {{name: {json.dumps(joint)}, {limits}}}" for joint in JOINTS)
    path.write_text(
        f"robot: {robot}\ncontrol_hz: {hz}\ncommand_hz: {5 * hz}\nclock: monotonic\nactions:\n{actions}\n"
        "feedback: {feature: observation.state}\n"
    )
    return path


class Robots:
    """Robots that publish observations from `begin` to `end`."""

    def __init__(self, daemon, names, hz, replan=None, see=observation):
        """`replan`: each robot wants a chunk so often, in seconds; None leaves it to the daemon."""
        self.daemon, self.names, self.hz, self.replan, self.see = daemon, names, hz, replan, see
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()

    def run(self):
        socket = self.daemon.publisher()
        time.sleep(0.5)
        sequence, due = 0, time.monotonic()
        while not self.ending.is_set():
            for index, name in enumerate(self.names):
                message = self.see(name, 1, sequence)
                if self.replan is not None:
                    every = max(round(self.replan * self.hz), 1)
                    message["replan"] = (sequence + index) % every == 0
                socket.send_multipart([b"observation." + name.encode(), msgpack.packb(message)])
            sequence += 1
            due += 1 / self.hz
            time.sleep(max(0, due - time.monotonic()))
        socket.close()


class Followers:
    """What robots of the policy of `wide_policy` see: they follow their commands, and sway."""

    def __init__(self, daemon):
        self.places = {}
        self.listener = daemon.subscriber("command.")

    def __call__(self, robot, episode, sequence):
        while self.listener.poll(0):
            topic, packed = self.listener.recv_multipart()
            action = msgpack.unpackb(packed, strict_map_key=False)["action"]
            data = action.get("data", action.get(b"data"))
            self.places[topic.decode().removeprefix("command.")] = list(struct.unpack(f"<{len(JOINTS)}f", data))
        place = self.places.get(robot, [0.0] * len(JOINTS))
        sway = [0.15 * math.sin(sequence / (7 + index % 5) + index) for index in range(len(JOINTS))]
        return {
            "v": 1,
            "type": "observation",
            "robot": robot,
            "episode": episode,
            "sequence": sequence,
            "time_ns": time.monotonic_ns(),
            "observation": {
                "observation.state": [value + more for value, more in zip(place, sway)],
                "observation.environment_state": [math.sin(sequence / (8 + 3 * index)) for index in range(SURROUNDINGS)],
            },
        }


def seeing(robot, episode, sequence):
    """What a robot of the policy of `camera_policy` sees: a square that moves over a floor, from two places."""
    message = observation(robot, episode, sequence)
    del message["observation"]["observation.environment_state"]
    for index, camera in enumerate(CAMERAS):
        left, top = (3 * sequence + 20 * index) % (SIDE - 24), 30 + 12 * index
        rows = []
        for row in range(SIDE):
            floor = bytes([60 + row, 90 + row // 2, 120 - row // 3]) * SIDE
            if top <= row < top + 24:
                floor = floor[: 3 * left] + bytes([220, 80, 40]) * 24 + floor[3 * (left + 24) :]
            rows.append(floor)
        message["observation"][camera] = {
            b"__ndarray__": True,
            b"data": b"".join(rows),
            b"dtype": "|u1",
            b"shape": [SIDE, SIDE, 3],
        }
    return message
