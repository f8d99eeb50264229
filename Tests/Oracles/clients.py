"""Writes Tests/WireTests/Resources/clients.json: observations as robots' Python packages pack them, and what is no MessagePack.

    python Tests/Oracles/clients.py

Needs msgpack, numpy, msgpack-numpy and openpi-client from PyPI.
"""

import io
import json
import pathlib
import pickle

import msgpack
import msgpack_numpy
import numpy as np
from openpi_client import msgpack_numpy as openpi

STATE = [0.5, -2.0]
COMMITTED = [[1.0, 2.0], [3.0, 4.0]]
# The time is whole as a double, and too large for 32 bits.
FIELDS = {"v": 1, "type": "observation", "robot": "arm1", "episode": 7, "sequence": 8, "time_ns": 1 << 40}


def observation(array, **changes):
    return FIELDS | {"observation": {"observation.state": array}} | changes


def floats(message):
    """Every integer as a double, as JavaScript packages pack large ones."""
    return {name: float(value) if type(value) is int else value for name, value in message.items()}


def scalars(kind=np.int64):
    return {name: kind(FIELDS[name]) for name in ("episode", "sequence", "time_ns")} | {"replan": np.bool_(True)}


def good():
    state = np.array(STATE, "<f4")
    committed = np.array(COMMITTED, "<f4")
    in_numpy = observation(state, committed=committed, **scalars())
    with_numbers = observation([np.float32(value) for value in STATE], **scalars(np.uint64))
    without_extents = observation(state, **{name: np.array(FIELDS[name]) for name in ("episode", "sequence", "time_ns")})
    plain = observation(STATE, committed=COMMITTED, replan=True)
    return {
        "msgpack_numpy": msgpack.packb(in_numpy, default=msgpack_numpy.encode),
        "msgpack_numpy with a list of scalars": msgpack.packb(with_numbers, default=msgpack_numpy.encode),
        "msgpack_numpy with arrays without extents": msgpack.packb(without_extents, default=msgpack_numpy.encode),
        "msgpack_numpy of doubles": msgpack.packb(
            observation(state.astype("<f8"), committed=committed.astype("<f8")), default=msgpack_numpy.encode
        ),
        "openpi": openpi.packb(in_numpy),
        "openpi with a list of scalars": openpi.packb(with_numbers),
        "openpi with arrays without extents": openpi.packb(without_extents),
        "openpi with a list of arrays": openpi.packb(observation(state, committed=list(committed))),
        "lists": msgpack.packb(plain),
        "floats for integers": msgpack.packb(floats(plain)),
        "str keys asked for": msgpack.packb(plain | {"array_keys": "str"}),
    }


def frames():
    """A camera's frame of 2 x 2 pixels, and the first bytes of a picture."""
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    picture = {"format": "jpeg", "data": b"\xff\xd8\xff"}

    def with_frame(frame):
        message = observation(np.array(STATE, "<f4"))
        message["observation"]["observation.image"] = frame
        return message

    return {
        "msgpack_numpy": msgpack.packb(with_frame(pixels), default=msgpack_numpy.encode),
        "openpi": openpi.packb(with_frame(pixels)),
        "openpi of a transposed array": openpi.packb(
            with_frame(np.ascontiguousarray(pixels.transpose(1, 0, 2)).transpose(1, 0, 2))
        ),
        "picture with msgpack_numpy": msgpack.packb(with_frame(picture), default=msgpack_numpy.encode),
        "picture with openpi": openpi.packb(with_frame(picture)),
    }


def foreign():
    message = observation(STATE)
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, np.array(STATE))
    np.savez(npz, state=np.array(STATE))
    found = {
        "JSON text": [json.dumps(message), json.dumps(message, indent=2), "\ufeff" + json.dumps(message), json.dumps([message])],
        "a Python pickle": [pickle.dumps(message, protocol) for protocol in range(2, 6)],
        "a .npy file": [npy.getvalue()],
        "a zip archive": [npz.getvalue()],
        "a JPEG image": [bytes([0xFF, 0xD8, 0xFF, 0xE0]) + bytes(16)],
        "a PNG image": [b"\x89PNG\r\n\x1a\n" + bytes(16)],
        "plain text": ["robot: arm1", "hello\n"],
    }
    return [
        {"name": name, "hex": (text.encode() if isinstance(text, str) else text).hex()}
        for name, texts in found.items()
        for text in texts
    ]


def main():
    def listed(messages):
        return [{"name": name, "hex": packed.hex()} for name, packed in messages.items()]

    path = pathlib.Path(__file__).parent.parent / "WireTests/Resources/clients.json"
    path.write_text(json.dumps({"good": listed(good()), "frames": listed(frames()), "foreign": foreign()}, indent=1) + "\n")


main()
