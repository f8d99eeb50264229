"""Writes Tests/OpenPITests/Resources/openpi.json: messages as openpi_client packs them.

    python Tests/Oracles/openpi.py

Needs openpi-client 0.1.2.
"""

import json
import pathlib

import numpy as np
from openpi_client import msgpack_numpy

pack = msgpack_numpy.Packer().pack

STATE = np.array([1, 2], np.float32)
GRIPPER = np.array([3], np.float64)
WORLD = np.array([4, 5], np.int64)
FRAME = np.arange(1, 7, dtype=np.uint8).reshape(1, 2, 3)
ARRAYS = {"observation/state": STATE, "observation/gripper": GRIPPER, "world": WORLD, "front": FRAME}


def stacked(count):
    return {key: np.stack([array + 10 * i for i in range(count)]).astype(array.dtype) for key, array in ARRAYS.items()}


def requests():
    nested = {"observation": {"state": STATE, "gripper": GRIPPER}, "world": WORLD, "front": FRAME}
    options = {"robot": "arm1", "noise_seed": np.uint64(5), "reset": np.bool_(True), "unknown": 1}
    return {
        "flat": ARRAYS,
        "nested": nested,
        "scalars": ARRAYS | {"observation/gripper": np.float32(3)},
        "a number": ARRAYS | {"observation/gripper": 3.0},
        "without extents": ARRAYS | {"observation/gripper": np.array(3)},
        "lists": ARRAYS | {"observation/state": [1, 2.0], "world": [np.float32(4), 5]},
        "ignored": ARRAYS | {"prompt": "pick it up", "wrist": np.zeros((4, 4, 3), np.uint8), "more": {"of": [1], "it": None}},
        "options": ARRAYS | {"options": options},
        "options nil": ARRAYS | {"options": None},
        "two": stacked(2),
        "three": stacked(3),
        "reset": ARRAYS | {"first": True},
        "reset numpy": ARRAYS | {"first": np.bool_(True)},
        "reset array": ARRAYS | {"first": np.array([True])},
        "reset number": ARRAYS | {"first": 1},
        "no reset": ARRAYS | {"first": False},
        "no reset numpy": ARRAYS | {"first": np.float32(0)},
        "float frame": ARRAYS | {"front": FRAME.astype(np.float32) / 255},
        "turned frame": ARRAYS | {"front": FRAME.transpose(2, 0, 1)},
        "nothing": {},
    }


def answer():
    """What a server of openpi would send: the arrays and the timing in its form, and an entry of denoised."""
    actions = np.arange(6, dtype=np.float32).reshape(3, 2)
    return {
        "gripper": actions[:, 1:],
        "arm": actions[:, :1],
        "server_timing": {
            "infer_ms": 9.0,
            "prev_total_ms": 12.5,
            "decode_ms": 1.0,
            "queue_ms": 2.0,
            "condition_ms": 0.5,
            "sample_ms": 4.0,
            "encode_ms": 0.25,
            "total_ms": 10.0,
        },
        "policy_timing": {"infer_ms": 4.5},
        "chunk": {
            "robot": "arm1",
            "episode": "openpi-0",
            "sequence": 7,
            "noise_seed": 2**64 - 1,
            "quality": "exact",
            "coarse_steps": 0,
        },
    }


def metadata():
    return {
        "server": "denoised",
        "daemon_version": "1.2.3",
        "policy": "test",
        "n_obs_steps": 2,
        "n_action_steps": 3,
        "observations": {
            "observation.state": {"keys": ["observation/state", "observation/gripper"], "count": 3},
            "observation.environment_state": {"keys": ["world"], "count": 2},
        },
        "cameras": {"observation.images.front": {"key": "front", "shape": [1, 2, 3]}},
        "actions": {"gripper": [3, 1], "arm": [3, 1]},
    }


def main():
    golden = {
        "requests": {name: pack(request).hex() for name, request in requests().items()},
        "answer": pack(answer()).hex(),
        "metadata": pack(metadata()).hex(),
    }
    path = pathlib.Path(__file__).parent.parent / "OpenPITests/Resources/openpi.json"
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
