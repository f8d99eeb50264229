"""Writes Tests/Gr00tTests/Resources/gr00t.json: arrays as NumPy saves them, and messages as Isaac-GR00T N1.5 and N1.6 pack them.

    python Tests/Oracles/gr00t.py

Needs msgpack and numpy.
"""

import io
import json
import pathlib
import zipfile

import msgpack
import numpy as np


def npy(array, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version, allow_pickle=False)
    return file.getvalue()


def pack_npy(value):
    return {"__ndarray_class__": True, "as_npy": npy(value)}


def pack_msgpack_numpy(value):
    return {b"nd": True, b"type": value.dtype.str, b"kind": b"", b"shape": value.shape, b"data": value.tobytes()}


def packed(message, array=pack_npy):
    return msgpack.packb(message, default=array).hex()


NUMBERS = [[0, 1, 2], [3, 4, 100]]
DTYPES = ["<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8"]


def good_arrays():
    arrays = {dtype: npy(np.array(NUMBERS, dtype)) for dtype in DTYPES}
    arrays["version 2.0"] = npy(np.array(NUMBERS, "<f4"), (2, 0))
    arrays["no extent"] = npy(np.array(2.5, "<f4"))
    arrays["one extent"] = npy(np.array([1.5, -2.5], "<f4"))
    arrays["nothing"] = npy(np.zeros((1, 0, 3), "<f4"))
    arrays["batch"] = npy(np.arange(6, dtype="<f4").reshape(1, 3, 2))
    return [
        {"name": name, "hex": data.hex(), "shape": array.shape, "elements": array.astype(float).ravel().tolist()}
        for name, data in arrays.items()
        for array in [np.load(io.BytesIO(data))]
    ]


def bad_arrays():
    good = npy(np.array(NUMBERS, "<f4"))

    def header(text):
        """A file whose header is `text`."""
        text = text.encode() + b"\n"
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 24

    objects = io.BytesIO()
    np.save(objects, np.array([None, "text"], object), allow_pickle=True)
    fields = np.zeros(2, [("x", "<f4"), ("y", "<f4")])
    shape = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
    arrays = {
        "objects": objects.getvalue(),
        "structure": npy(fields),
        "Fortran order": npy(np.asfortranarray(np.array(NUMBERS, "<f4"))),
        "big-endian": npy(np.array(NUMBERS, ">f4")),
        "complex": npy(np.array(NUMBERS, "<c8")),
        "text": npy(np.array(["abc"])),
        "bool": npy(np.array([True])),
        "float16": npy(np.array(NUMBERS, "<f2")),
        "version 3.0": npy(np.array(NUMBERS, "<f4"), (3, 0)),
        "version 1.1": good[:7] + b"\x01" + good[8:],
        "no file": b"text",
        "empty": b"",
        "magic only": good[:6],
        "no length": good[:9],
        "half a header": good[:60],
        "header beyond the file": good[:8] + b"\xff\xff" + good[10:],
        "data too short": good[:-1],
        "data too long": good + b"\0",
        "half an element": good[:-2],
        "larger than an Int": header(shape % "(9999999999999999, 9999999999999999)"),
        "many digits": header(shape % "(99999999999999999,)"),
        "negative": header(shape % "(-6,)"),
        "hexadecimal": header(shape % "(0x6,)"),
        "no tuple": header(shape % "(6)"),
        "list": header(shape % "[6]"),
        "two commas": header(shape % "(6,,)"),
        "nine extents": header(shape % "(1, 1, 1, 1, 1, 1, 1, 1, 6)"),
        "expression": header(shape % "(2*3,)"),
        "call": header(shape % "__import__('os').getpid()"),
        "key twice": header("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}"),
        "unknown key": header("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'more': 1}"),
        "key missing": header("{'descr': '<f4', 'shape': (6,)}"),
        "no dictionary": header("('<f4', False, (6,))"),
        "open string": header("{'descr': '<f4"),
        "escape": header("{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (6,)}"),
        "text after it": header(shape % "(6,)" + " x"),
        "no bool": header("{'descr': '<f4', 'fortran_order': 0, 'shape': (6,)}"),
        "long header": header(shape % "(6,)" + " " * 5000),
    }
    return [{"name": name, "hex": data.hex()} for name, data in arrays.items()]


STATE = np.array([[[0.5, -2.0], [0.75, -1.0]]], "<f4")
OBSERVATION = {
    "video": {"front": np.zeros((1, 1, 2, 2, 3), "|u1")},
    "state": {"arm": STATE},
    "language": {"task": [["push the T"]]},
}
FLAT = {"video.front": np.zeros((1, 1, 2, 2, 3), "|u1"), "state.arm": STATE, "task": ["push the T"]}


# One robot without a batch, and the same in a batch of one: N1.5 takes both, and has no other place for an observation.
N15 = {
    "video.front": np.zeros((2, 2, 2, 3), "|u1"),
    "state.arm": STATE[0].astype("<f8"),
    "annotation.human.action.task_description": ["push the T"],
}
N15_BATCH = {"video.front": np.zeros((1, 2, 2, 2, 3), "|u1"), "state.arm": STATE}


# What two cameras see at two time steps, 2 rows of 3 pixels each, and a camera that is of no interest.
COUNT = np.arange(36).reshape(1, 2, 2, 3, 3)
FRAMES = {"front": (COUNT * 7).astype("|u1"), "wrist": (COUNT * 41 % 256).astype("|u1")}
TOP = np.full((1, 1, 1, 1, 4), 0.5, "<f2")
CAMERAS = {"video": FRAMES | {"top": TOP}, "state": {"arm": STATE}}
CAMERAS_FLAT = {"video." + name: array for name, array in CAMERAS["video"].items()} | {"state.arm": STATE}
CAMERAS_N15 = {key: array[0] for key, array in CAMERAS_FLAT.items()}


def torch_file():
    """A file as torch.save writes it, as far as it tells: a zip archive with a pickle in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), b"\x80\x02}q\x00.")
    return file.getvalue()


def requests():
    def get_action(observation, options=None):
        return {"endpoint": "get_action", "data": {"observation": observation, "options": options}}

    return {
        "ping": packed({"endpoint": "ping"}),
        "kill": packed({"endpoint": "kill"}),
        "get_modality_config": packed({"endpoint": "get_modality_config"}),
        "reset": packed({"endpoint": "reset", "data": {"options": None}}),
        "reset with options": packed({"endpoint": "reset", "data": {"options": {"robot": "arm1", "more": [1]}}}),
        "with token": packed({"endpoint": "ping", "api_token": "secret"}),
        "nested": packed(get_action(OBSERVATION)),
        "flat": packed(get_action(FLAT, {"robot": "arm1", "noise_seed": 5})),
        "no endpoint": packed({"data": {"observation": FLAT, "options": {"robot": "arm1", "noise_seed": 5}}}),
        "msgpack_numpy": packed(get_action(OBSERVATION), pack_msgpack_numpy),
        "N1.5": packed({"endpoint": "get_action", "data": N15}),
        "N1.5 no endpoint": packed({"data": N15}),
        "N1.5 batch": packed({"endpoint": "get_action", "data": N15_BATCH}),
        "N1.5 options": packed({"endpoint": "get_action", "data": N15 | {"options": {"robot": "arm1", "noise_seed": 5}}}),
        "cameras nested": packed(get_action(CAMERAS)),
        "cameras flat": packed(get_action(CAMERAS_FLAT)),
        "cameras msgpack_numpy": packed(get_action(CAMERAS), pack_msgpack_numpy),
        "cameras N1.5": packed({"endpoint": "get_action", "data": CAMERAS_N15}),
        "cameras N1.5 batch": packed({"endpoint": "get_action", "data": CAMERAS_FLAT}),
        "torch file": torch_file().hex(),
    }


def replies():
    info = {
        "robot": "arm1",
        "episode": "gr00t-0",
        "sequence": 3,
        "noise_seed": 42,
        "quality": "coarse",
        "coarse_steps": 4,
        "total_ns": 50_150_000,
    }
    action = {"arm": np.array([[[1, 2], [4, 5]]], "<f4"), "gripper": np.array([[[3], [6]]], "<f4")}
    modalities = {
        name: {
            "__ModalityConfig_class__": True,
            "__ModalityConfig__": True,
            "as_json": {"delta_indices": indices, "modality_keys": keys},
        }
        for name, indices, keys in [("state", [-1, 0], ["arm", "gripper"]), ("action", [0, 1, 2], ["arm"])]
    }
    # ModalityConfig of N1.5 is a pydantic model; its model_dump_json() writes no blanks and no escapes it can do without.
    modalities_n15 = {
        name: {
            "__ModalityConfig_class__": True,
            "as_json": json.dumps({"delta_indices": indices, "modality_keys": keys}, separators=(",", ":"), ensure_ascii=False),
        }
        for name, indices, keys in [
            ("state", [-1, 0], ["state.arm", 'state."Gr\u00fc\u00dfe\\"\x01']),
            ("action", [0, 1, 2], ["action.arm"]),
        ]
    }
    action_n15 = {"action." + key: value[0] for key, value in action.items()}
    action_n15_batch = {"action." + key: value for key, value in action.items()}
    return {
        "pong": packed({"status": "ok", "message": "Server is running"}),
        "done": packed({}),
        "modalities": packed(modalities),
        "modalities N1.5": packed(modalities_n15),
        "unauthorized": packed({"error": "Unauthorized: Invalid API token"}),
        "error": packed({"error": "busy: 16 wait"}),
        "actions": packed([action, info]),
        "actions msgpack_numpy": packed([action, info], pack_msgpack_numpy),
        "actions N1.5": packed(action_n15),
        "actions N1.5 batch": packed(action_n15_batch),
    }


def main():
    path = pathlib.Path(__file__).resolve().parents[1] / "Gr00tTests" / "Resources" / "gr00t.json"
    path.parent.mkdir(exist_ok=True)
    golden = {"good": good_arrays(), "bad": bad_arrays(), "requests": requests(), "replies": replies()}
    golden["frames"] = {name: [frame.ravel().tolist() for frame in frames[0]] for name, frames in FRAMES.items()}
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
