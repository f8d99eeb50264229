"""A client of a GR00T policy server that needs no NumPy, and what the tests ask of a daemon with it.

    python Tests/Oracles/gr00t_client.py --endpoint tcp://127.0.0.1:5558 [--token TOKEN] [--robot ID] [--noise-seed N]
        --observation '{"state": {"arm": [[[0, 1], [2, 3]]]}}' [--frames FILE]

Sends ping, get_modality_config, reset, get_action, a kill and a wrong token, each as Isaac-GR00T N1.6's PolicyClient
does, and prints one JSON object of the answers. Numbers in nested lists go as arrays of 32-bit floats. FILE is a JSON object
of cameras, each with the `shape` and the `pixels` (base64) of an array of bytes, which go beside them as `video`. Needs pyzmq
and msgpack.
"""

import argparse
import ast
import base64
import json
import math
import struct
import sys

import msgpack
import zmq

ARRAY = "__ndarray_class__"
CONFIGURATION = "__ModalityConfig_class__"


def shape_of(numbers):
    return (len(numbers), *shape_of(numbers[0])) if isinstance(numbers, list) else ()


def flat(numbers):
    return [x for inner in numbers for x in flat(inner)] if isinstance(numbers, list) else [numbers]


def folded(numbers, shape):
    if not shape:
        return numbers[0]
    size = math.prod(shape[1:])
    return [folded(numbers[size * i : size * (i + 1)], shape[1:]) for i in range(shape[0])]


def npy(dtype, shape, data):
    header = repr({"descr": dtype, "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def save(numbers):
    values = flat(numbers)
    return npy("<f4", shape_of(numbers), struct.pack(f"<{len(values)}f", *values))


def load(data):
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    start = 10 + struct.unpack("<H", data[8:10])[0]
    assert start % 64 == 0 and data[start - 1 : start] == b"\n"
    header = ast.literal_eval(data[10:start].decode("latin1"))
    assert set(header) == {"descr", "fortran_order", "shape"}, header
    assert header["descr"] == "<f4" and header["fortran_order"] is False, header
    values = struct.unpack(f"<{math.prod(header['shape'])}f", data[start:])
    return folded(list(values), header["shape"])


def pack(value):
    if isinstance(value, dict):
        return {key: pack(inner) for key, inner in value.items()}
    return {ARRAY: True, "as_npy": save(value)} if isinstance(value, list) else value


def unpack(value):
    if ARRAY in value:
        return load(value["as_npy"])
    if CONFIGURATION in value:
        return value["as_json"]
    return value


def video(path):
    with open(path) as file:
        cameras = json.load(file)
    return {
        name: {ARRAY: True, "as_npy": npy("|u1", camera["shape"], base64.b64decode(camera["pixels"]))}
        for name, camera in cameras.items()
    }


class Client:
    def __init__(self, endpoint, token=None):
        self.token = token
        self.socket = zmq.Context.instance().socket(zmq.REQ)
        self.socket.linger = 0
        self.socket.connect(endpoint)

    def ask(self, endpoint, data=None):
        request = {"endpoint": endpoint}
        if data is not None:
            request["data"] = data
        if self.token:
            request["api_token"] = self.token
        self.socket.send(msgpack.packb(request))
        if not self.socket.poll(30_000):
            sys.exit(f"no answer to {endpoint}")
        return msgpack.unpackb(self.socket.recv(), object_hook=unpack)


def main():
    parser = argparse.ArgumentParser(description="Asks a daemon what a GR00T client asks.")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--token")
    parser.add_argument("--robot")
    parser.add_argument("--noise-seed", type=int)
    parser.add_argument("--observation", type=json.loads, required=True)
    parser.add_argument("--frames")
    arguments = parser.parse_args()

    options = {"robot": arguments.robot, "noise_seed": arguments.noise_seed}
    client = Client(arguments.endpoint, arguments.token)
    answers = {
        "ping": client.ask("ping"),
        "modalities": client.ask("get_modality_config"),
        "reset": client.ask("reset", {"options": options}),
    }
    observation = pack(arguments.observation)
    if arguments.frames:
        observation["video"] = video(arguments.frames)
    answers["actions"] = [client.ask("get_action", {"observation": observation, "options": options}) for _ in range(2)]
    answers["anonymous"] = client.ask("get_action", {"observation": observation, "options": None})
    answers["kill"] = client.ask("kill")
    answers["stranger"] = Client(arguments.endpoint, "a wrong token").ask("ping")
    answers["after"] = client.ask("ping")
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
