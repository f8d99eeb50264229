"""Prints the hex dumps of docs/PROTOCOL.md, packed by the Python msgpack package.

    python Tests/Oracles/wire.py          prints them
    python Tests/Oracles/wire.py --check  compares them with docs/PROTOCOL.md

Needs msgpack and numpy. Arrays are packed as openpi_client.msgpack_numpy packs them.
"""

import pathlib
import re
import sys

import msgpack
import numpy as np


def pack_array(value):
    if isinstance(value, np.ndarray):
        return {
            b"__ndarray__": True,
            b"data": value.tobytes(),
            b"dtype": value.dtype.str,
            b"shape": value.shape,
        }
    raise TypeError(type(value))


OBSERVATION = {
    "robot": "arm1",
    "episode": 7,
    "sequence": 8,
    "time_ns": 1_000_000_000,
    "observation": {"observation.state": np.array([0.5, -2.0], "<f4")},
    "replan": True,
}

CHUNK = {
    "robot": "arm1",
    "episode": 7,
    "sequence": 8,
    "time_ns": 1_000_000_000,
    "first_step": 8,
    "action": np.array([[1.0, 2.0], [3.0, 4.0]], "<f4"),
    "beyond": np.array([[5.0, 6.0]], "<f4"),
    "frozen": np.array([[1.0, 2.0]], "<f4"),
    "noise_seed": 42,
    "solver": "ddpm",
    "steps": 100,
    "method": "paradigms",
    "window": 20,
    "tolerance": 0.1,
    "iterations": 25,
    "evaluations": 390,
    "residual": 0.0625,
    "quality": "converged",
    "coarse_steps": 0,
    "stages_ns": {
        "decode": 20_000,
        "queue": 30_000,
        "condition": 40_000,
        "sample": 50_000_000,
        "encode": 60_000,
        "total": 50_150_000,
    },
    "received_ns": 5_000_000_000,
    "published_ns": 5_050_150_000,
    "wall_ns": 1_700_000_000_000_000_000,
}

COMMAND = {
    "robot": "arm1",
    "episode": 7,
    "tick": 85,
    "step": 8.5,
    "time_ns": 1_050_000_000,
    "action": np.array([1.5, 2.5], "<f4"),
    "sequence": 8,
    "state": "running",
    "limited": False,
    "published_ns": 5_050_200_000,
    "wall_ns": 1_700_000_000_000_000_000,
}

FRAMES = {
    "observation.images.front": np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
    "observation.images.wrist": {"format": "jpeg", "data": b"\xff\xd8\xff"},
}

MESSAGES = {
    "observation": {"v": 1, "type": "observation", **OBSERVATION},
    "frames": {"v": 1, "type": "observation", **OBSERVATION, "observation": FRAMES},
    "chunk": {"v": 1, "type": "chunk", **CHUNK},
    "command": {"v": 1, "type": "command", **COMMAND},
    "predict": {"v": 1, "type": "predict", "request": 3, **OBSERVATION},
    "ping": {"v": 1, "type": "ping", "request": 1, "time_ns": 1_000_000_000},
    "pong": {
        "v": 1,
        "type": "pong",
        "request": 1,
        "time_ns": 1_000_000_000,
        "monotonic_ns": 5_000_000_000,
        "wall_ns": 1_700_000_000_000_000_000,
    },
    "reset": {"v": 1, "type": "reset", "request": 2, "robot": "arm1", "episode": 7},
    "stop": {"v": 1, "type": "stop", "request": 4, "robot": "arm1"},
    "stopped": {
        "v": 1,
        "type": "stop",
        "request": 4,
        "robots": 1,
        "known": 1,
        "stop": 1_700_000_000_000_000_000,
        "kept": True,
    },
    "resume": {"v": 1, "type": "resume", "request": 5, "robot": "arm1", "stop": 1_700_000_000_000_000_000},
    "error": {
        "v": 1,
        "type": "error",
        "request": 3,
        "code": "stale",
        "message": "found 7, expected at least 8 in episode 7",
        "field": "sequence",
    },
}


def dump(data):
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{start:04x}  {row.hex(' '):<47}  {text}")
    return "\n".join(lines)


def main():
    dumps = {name: dump(msgpack.packb(message, default=pack_array)) for name, message in MESSAGES.items()}
    if "--check" not in sys.argv:
        for name, text in dumps.items():
            print(f"```hex {name}\n{text}\n```\n")
        return 0
    page = pathlib.Path(__file__).resolve().parents[2] / "docs" / "PROTOCOL.md"
    found = dict(re.findall(r"```hex (\w+)\n(.*?)\n```", page.read_text(), re.DOTALL))
    wrong = [name for name in dumps if found.get(name) != dumps[name]]
    print("differs: " + ", ".join(wrong) if wrong else "docs/PROTOCOL.md agrees")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
