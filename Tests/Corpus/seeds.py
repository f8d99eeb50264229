"""Writes what the fuzzers start from: the seeds Tests/Corpus/<target>/<name> and the words in dictionaries/<target>.

    python3 Tests/Corpus/seeds.py          writes them
    python3 Tests/Corpus/seeds.py --check  says which are missing or differ, and which have no source here

Standard library only. The messages are the dumps of docs/PROTOCOL.md and hand-made bytes, the GR00T requests those of
Tests/Gr00tTests/Resources, the policies those of Tests/PolicyTests/Fixtures. An input that broke something gets a name here
and stays.
"""

import json
import math
import pathlib
import re
import struct
import sys
import zlib

CORPUS = pathlib.Path(__file__).parent
ROOT = CORPUS.parent.parent


def dumps():
    """The messages of docs/PROTOCOL.md by name."""
    page = (ROOT / "docs/PROTOCOL.md").read_text()
    found = {}
    for name, dump in re.findall(r"```hex (\S+)\n(.*?)\n```", page, re.S):
        found[name] = b"".join(bytes.fromhex(line[6:53]) for line in dump.splitlines())
    return found


def text(string):
    raw = string.encode()
    return (bytes([0xA0 | len(raw)]) if len(raw) < 32 else b"\xd9" + bytes([len(raw)])) + raw


def observation(values, **changes):
    """An observation whose feature `s` is the packed value `values`; a change to None leaves a field out."""
    fields = {
        "v": b"\x01",
        "type": text("observation"),
        "robot": text("arm1"),
        "episode": b"\x07",
        "sequence": b"\x08",
        "time_ns": b"\x09",
        "observation": b"\x81" + text("s") + values,
    } | changes
    fields = {name: value for name, value in fields.items() if value is not None}
    return bytes([0x80 | len(fields)]) + b"".join(text(name) + value for name, value in fields.items())


def array(dtype, data, shape):
    return (
        b"\x84"
        + text("__ndarray__")
        + b"\xc3"
        + text("data")
        + b"\xc4"
        + bytes([len(data)])
        + data
        + text("dtype")
        + text(dtype)
        + text("shape")
        + bytes([0x90 | len(shape)])
        + b"".join(shape)
    )


def msgpack_numpy(dtype, data, shape):
    return (
        b"\x85"
        + text("nd")
        + b"\xc3"
        + text("type")
        + text(dtype)
        + text("kind")
        + b"\xc4\x00"
        + text("shape")
        + bytes([0x90 | len(shape)])
        + b"".join(shape)
        + text("data")
        + b"\xc4"
        + bytes([len(data)])
        + data
    )


def scalar(dtype, data):
    return b"\x83" + text("nd") + b"\xc2" + text("type") + text(dtype) + text("data") + b"\xc4" + bytes([len(data)]) + data


def generic(value):
    return b"\x83" + text("__npgeneric__") + b"\xc3" + text("data") + value + text("dtype") + text("<i8")


def messages():
    seeds = dumps()
    two = array("<f4", struct.pack("<2f", 1, -2), [b"\x02"])
    chunk = seeds["chunk"]
    huge = b"\xcf" + struct.pack(">Q", 1 << 60)
    action = chunk.index(b"\xa6action") + 7
    beyond = chunk.index(b"\xa6beyond")
    steps = array("<f4", b"", [huge, b"\x00"])
    seeds |= {
        "list": observation(b"\x93\x01\xff\xcb" + struct.pack(">d", 0.5)),
        "empty-list": observation(b"\x90"),
        "doubles": observation(array("<f8", struct.pack("<d", 1e300), [b"\x01"])),
        "bytes": observation(array("|u1", b"\x00\xff", [b"\x02"])),
        "not-finite": observation(array("<f4", struct.pack("<2f", float("nan"), float("inf")), [b"\x02"])),
        "nan-in-list": observation(b"\x91\xca\x7f\xc0\x00\x00"),
        "objects": observation(array("|O", b"\x80\x04\x2e", [b"\x01"])),
        "rank-nine": observation(array("<f4", b"\x00" * 4, [b"\x01"] * 9)),
        "shape-overflows": observation(array("<f4", b"\x00" * 4, [huge, huge, huge])),
        "shape-lies": observation(array("<f4", b"\x00" * 4, [b"\x03"])),
        "shape-negative": observation(array("<f4", b"\x00" * 4, [b"\xff"])),
        "episode-name": observation(two, episode=text("a:b-c.d_e")),
        "robot-control": observation(two, robot=text("arm\n1")),
        "key-control": observation(two, **{"a\nb": b"\xc0"}),
        "seed": observation(two, noise_seed=b"\xcf" + b"\xff" * 8, replan=b"\xc2"),
        "no-robot": observation(two, robot=None),
        "version-two": observation(two, v=b"\x02"),
        "key-twice": b"\x82" + text("v") + b"\x01" + text("v") + b"\x01",
        "key-number": b"\x81\x01\x01",
        "deep": b"\x91" * 40 + b"\x01",
        "array-lies": b"\xdd\xff\xff\xff\xff",
        "map-lies": b"\xdf\xff\xff\xff\xff\x01",
        "binary-lies": b"\xc6\xff\xff\xff\xff\x01",
        "string-lies": b"\xdb\x7f\xff\xff\xff\x01",
        "extension": b"\xc7\x01\x05\x00",
        "unused-byte": b"\xc1",
        "two-values": b"\x01\x01",
        "not-utf8": observation(two, robot=b"\xa1\xff"),
        # What each key is compared with: all those before it.
        "many-keys": b"\xde\x01\x00" + b"".join(b"\xa2%02x\x00" % key for key in range(256)),
        "msgpack-numpy": observation(msgpack_numpy("<f4", struct.pack("<2f", 1, -2), [b"\x02"])),
        "msgpack-numpy-objects": observation(msgpack_numpy("|O", b"\x80\x04\x2e", [b"\x01"])),
        "scalars": observation(two, sequence=generic(b"\x08"), episode=scalar("<i8", struct.pack("<q", 7))),
        "scalar-short": observation(two, sequence=scalar("<i8", b"\x08")),
        "scalar-of-map": observation(two, sequence=generic(b"\x80")),
        "floats": observation(two, sequence=b"\xcb" + struct.pack(">d", 8), time_ns=b"\xcb" + struct.pack(">d", 2**63)),
        "rows": observation(two, committed=b"\x92\x92\x01\x02\x92\x03\x04"),
        "rows-ragged": observation(two, committed=b"\x92\x92\x01\x02\x91\x03"),
        "rows-of-arrays": observation(two, committed=b"\x91" + two),
        "frame": observation(array("|u1", bytes(12), [b"\x02", b"\x02", b"\x03"])),
        "frame-of-floats": observation(array("<f4", bytes(12), [b"\x01", b"\x01", b"\x03"])),
        "frame-lies": observation(array("|u1", bytes(3), [huge, huge, b"\x03"])),
        "picture": observation(b"\x82" + text("format") + text("jpeg") + text("data") + b"\xc4\x03\xff\xd8\xff"),
        "picture-of-none": observation(b"\x82" + text("format") + text("gif") + text("data") + b"\xc4\x00"),
        "str-keys": observation(two, array_keys=text("str")),
        "json": b'{"v": 1}',
        "info": b"\x82" + text("v") + b"\x01" + text("type") + text("info"),
        # A chunk of 2^60 steps without a number in them.
        "chunk-of-nothing": chunk[:action] + steps + chunk[beyond:],
    }
    return seeds


def openpi_requests():
    """The observations that Tests/Oracles/openpi.py packed, and the same with both cameras of the fuzzer's own policy."""
    golden = json.loads((ROOT / "Tests/OpenPITests/Resources/openpi.json").read_text())
    seeds = {name.replace(" ", "-"): bytes.fromhex(dump) for name, dump in golden["requests"].items()}

    def array(dtype, data, *extents):
        shape = bytes([0x90 | len(extents), *extents])
        kind = b"\xc4" + bytes([len(data)]) + data
        keys = [b"__ndarray__", b"data", b"dtype", b"shape"]
        values = [b"\xc3", kind, text(dtype), shape]
        return b"\x84" + b"".join(b"\xc4" + bytes([len(key)]) + key + value for key, value in zip(keys, values))

    def numbers(*values):
        return array("<f4", struct.pack(f"<{len(values)}f", *values), len(values))

    def packed_map(fields):
        return bytes([0x80 | len(fields)]) + b"".join(text(name) + value for name, value in fields.items())

    frame = array("|u1", bytes(range(1, 7)), 1, 2, 3)
    fitting = {"observation/state": numbers(1, 2), "gripper": numbers(3), "world": numbers(4, 5)}
    return seeds | {
        "fitting": packed_map(fitting),
        "frames": packed_map(fitting | {"front": frame, "images": packed_map({"wrist": frame})}),
        "stacked": packed_map(
            {
                "observation": packed_map({"state": array("|i1", bytes([1, 2, 3, 4]), 2, 2)}),
                "gripper": array("|u1", bytes([3, 4]), 2, 1),
                "world": array("<u2", struct.pack("<4H", 5, 6, 7, 8), 2, 2),
                "first": b"\xc3",
            }
        ),
    }


def gr00t_requests():
    """The requests and arrays that Tests/Oracles/gr00t.py packed, and hand-made ones for the fuzzer's own policy."""
    golden = json.loads((ROOT / "Tests/Gr00tTests/Resources/gr00t.json").read_text())
    seeds = {f"request-{name}".replace(" ", "-"): bytes.fromhex(dump) for name, dump in golden["requests"].items()}

    def packed_map(**fields):
        return bytes([0x80 | len(fields)]) + b"".join(text(name) + value for name, value in fields.items())

    def numbers(*values):
        data = struct.pack(f"<{len(values)}f", *values)
        return msgpack_numpy("<f4", data, [b"\x01", b"\x01", bytes([len(values)])])

    def action(observation, **data):
        return packed_map(endpoint=text("get_action"), data=packed_map(observation=observation, **data))

    def frames(*extents, dtype="|u1"):
        count = math.prod(extents)
        return msgpack_numpy(dtype, bytes(range(1, count + 1)), [bytes([extent]) for extent in extents])

    fitting = {"arm": numbers(1, 2), "gripper": numbers(3), "x": numbers(4, 5)}
    array = numbers(1, 2)
    seen = {"video.front": frames(1, 1, 1, 2, 3), "video.wrist": frames(1, 1, 1, 2, 3)}
    return seeds | {
        "fitting": action(packed_map(**fitting)),
        "frames": action(packed_map(**fitting, **seen)),
        "frames-of-n15": packed_map(endpoint=text("get_action"), data=packed_map(**fitting, **seen)),
        "frames-nested": action(
            packed_map(video=packed_map(front=frames(1, 1, 1, 2, 3), wrist=frames(1, 1, 1, 2, 3)), **fitting)
        ),
        "frames-turned": action(packed_map(**fitting, **seen | {"video.wrist": frames(1, 1, 2, 1, 3)})),
        "frames-of-floats": action(packed_map(**fitting, **seen | {"video.wrist": frames(1, 1, 1, 2, 3, dtype="<f4")})),
        "frame-missing": action(packed_map(**fitting, **{"video.front": seen["video.front"]})),
        "nested": action(packed_map(state=packed_map(arm=array, gripper=numbers(3)), x=numbers(4, 5))),
        "twice": action(packed_map(**{"state": packed_map(arm=array), "state.arm": array})),
        "of-n15": packed_map(endpoint=text("get_action"), data=packed_map(**fitting)),
        "both": action(packed_map(**fitting), **{"state.arm": array}),
        "options": action(packed_map(**fitting), options=packed_map(robot=text("arm1"), noise_seed=b"\x07")),
        "no-robot": action(packed_map(**fitting), options=packed_map(robot=text("a b"))),
        "batch": action(packed_map(arm=msgpack_numpy("|u1", b"\x01\x02", [b"\x02", b"\x01", b"\x01"]))),
        "scalar": action(packed_map(arm=scalar("<f4", b"\x00" * 4))),
        "nothing": action(packed_map()),
        "token": packed_map(endpoint=text("ping"), api_token=text("secret")),
        "other-token": packed_map(endpoint=text("ping"), api_token=text("secreT")),
        "reset": packed_map(endpoint=text("reset"), data=packed_map(options=packed_map(robot=text("arm1")))),
        "no-endpoint": packed_map(data=packed_map(**fitting)),
        "unknown-endpoint": packed_map(endpoint=text("kil\n")),
        "torch": b"PK\x03\x04",
        "npy": bytes.fromhex(golden["good"][0]["hex"]),
    }


def safetensors(header, data=b"", length=None):
    header = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors_files():
    return {
        "floats": safetensors(
            {
                "__metadata__": {"format": "pt"},
                "a": tensor("F64", [1], 0, 8),
                "b": tensor("F32", [2, 1], 8, 16),
                "c": tensor("F16", [1], 16, 18),
                "d": tensor("BF16", [1], 18, 20),
            },
            struct.pack("<dff", 0.1, -1, 2) + b"\x00\x3c\x80\x3f",
        ),
        "not-finite": safetensors({"a": tensor("F32", [2], 0, 8)}, b"\x00\x00\xc0\x7f\x00\x00\x80\xff"),
        "integers": safetensors({"a": tensor("I64", [1], 0, 8), "b": tensor("BOOL", [2], 8, 10)}, b"\x01" * 10),
        "eight-bits": safetensors({"a": tensor("F8_E4M3", [2], 0, 2)}, b"\x38\x7f"),
        "scalar": safetensors({"a": tensor("F32", [], 0, 4)}, b"\x00\x00\x80\x3f"),
        "empty": safetensors({"a": tensor("F32", [0, 1 << 40], 0, 0)}),
        "no-tensors": safetensors(b"{}  "),
        "metadata-only": safetensors({"__metadata__": {"a\u0000b": "\u20ac"}}),
        "length-lies": safetensors(b"{}", length=(1 << 64) - 1),
        "length-huge": safetensors(b"{}", length=100_000_001),
        "length-short": b"\x02\x00\x00",
        "overlap": safetensors({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 1, 3)}, b"abc"),
        "hole": safetensors({"a": tensor("U8", [1], 0, 1), "b": tensor("U8", [1], 2, 3)}, b"abc"),
        "tail": safetensors({"a": tensor("U8", [1], 0, 1)}, b"ab"),
        "offsets-back": safetensors({"a": tensor("U8", [1], 1, 0)}, b"a"),
        "offsets-negative": safetensors({"a": tensor("U8", [1], -1, 0)}, b"a"),
        "shape-overflows": safetensors({"a": tensor("F32", [1 << 62, 1 << 62], 0, 4)}, b"\x00" * 4),
        "rank-seventeen": safetensors({"a": tensor("U8", [1] * 17, 0, 1)}, b"a"),
        "twice": safetensors(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":1}', b"a"),
        "deep": safetensors(b'{"a":' + b"[" * 64 + b"]" * 64 + b"}"),
    }


def checkpoints():
    def index(**weight_map):
        return json.dumps({"metadata": {}, "weight_map": weight_map}).encode()

    shard = safetensors({"weight": tensor("F32", [1], 0, 4)}, b"\x00\x00\x80\x3f")
    return {
        "two-shards": index(weight="a.safetensors", bias="b.safetensors") + b"\0" + shard,
        "one-shard": index(weight="a.safetensors") + b"\0" + shard,
        "only-the-good": index(bias="b.safetensors") + b"\0",
        "wrong-shard": index(weight="b.safetensors", bias="a.safetensors") + b"\0" + shard,
        "missing": index(weight="a.safetensors", other="a.safetensors") + b"\0" + shard,
        "folder": index(weight="../a.safetensors") + b"\0" + shard,
        "hidden": index(weight=".a.safetensors") + b"\0" + shard,
        "itself": index(weight="model.safetensors.index.json") + b"\0" + shard,
        "slash-with-accent": index(weight="..\u0308/\u0301a.safetensors") + b"\0" + shard,
        "control-in-name": index(weight="a\u0001.safetensors") + b"\0" + shard,
        "zero-in-name": index(weight="a\0.safetensors") + b"\0" + shard,
        "no-map": b"{}\0" + shard,
        "empty-map": index() + b"\0" + shard,
    }


# fmt: off
CONFIGURATION = [
    "type", "n_obs_steps", "horizon", "n_action_steps", "input_features", "output_features", "normalization_mapping",
    "down_dims", "kernel_size", "n_groups", "diffusion_step_embed_dim", "use_film_scale_modulation",
    "noise_scheduler_type", "num_train_timesteps", "beta_schedule", "beta_start", "beta_end", "prediction_type",
    "clip_sample", "clip_sample_range", "num_inference_steps", "use_peft",
]
# fmt: on


def policies():
    fixture = ROOT / "Tests/PolicyTests/Fixtures/processors"
    names = ["config.json", "policy_preprocessor.json", "policy_postprocessor.json"]
    config, before, after = [json.loads((fixture / name).read_text()) for name in names]
    config = {name: value for name, value in config.items() if name in CONFIGURATION}

    def small(value):
        return json.dumps(value, separators=(",", ":")).encode()

    def policy(**changes):
        return small(config | changes)

    def pipeline(steps):
        return b"\0".join([small(config), small(before | {"steps": steps}), small(after)])

    minimal = {
        name: config[name] for name in ["type", "input_features", "output_features", "down_dims", "n_groups", "kernel_size"]
    }
    return {
        "tiny": pipeline(before["steps"]),
        "ddim": policy(noise_scheduler_type="DDIM", num_inference_steps=3, prediction_type="sample"),
        "defaults": small(minimal),
        "many-steps": policy(num_train_timesteps=10_000, beta_schedule="linear", beta_end=0.999),
        "huge-horizon": policy(horizon=4096, n_action_steps=4096),
        "huge-network": policy(down_dims=[16_384] * 8, kernel_size=63),
        "no-network": policy(down_dims=[]),
        "many-groups": policy(n_groups=16_384),
        "image": policy(input_features={"observation.image": {"type": "VISUAL", "shape": [3, 96, 96]}}),
        "renamed": pipeline(
            [{"registry_name": "rename_observations_processor", "config": {"rename_map": {"q": "observation.state"}}}]
            + before["steps"][1:]
        ),
        "two-normalizers": pipeline(before["steps"] + before["steps"][-1:]),
        "statistics-elsewhere": pipeline(
            before["steps"][:-1] + [before["steps"][-1] | {"state_file": "../statistics.safetensors"}]
        ),
        "no-steps": pipeline([]),
        "control-in-key": policy(**{"normalizati\x7fn_mapping\u2028": {}}),
    }


def documents():
    return {
        "everything": rb'{"a":[1,-2.5e-3,true,false,null],"b":{"c":"\u00e9\ud83d\ude00\n\"\\"}}',
        "integers": b"[0,-0,9223372036854775807,-9223372036854775808,9223372036854775808]",
        "numbers": b"[1e308,1e-400,0.1,1E+2,4.9e-324]",
        "too-large": b"1e309",
        "twice": b'{"a":1,"a":2}',
        "same-letter-twice": '{"\u00e9":1,"e\u0301":2}'.encode(),
        "half-a-pair": rb'"\ud800"',
        "pair-backwards": rb'"\udc00\ud800"',
        "not-utf8": b'"\xff"',
        "overlong": b'"\xc0\x80"',
        "zero": rb'"\u0000"',
        "control": b'"\x01"',
        "deep": b"[" * 31 + b"]" * 31,
        "too-deep": b"[" * 32 + b"]" * 32,
        "unfinished": b'{"a":[{"b":"',
        "after-the-end": b"{} {}",
        "nothing": b"",
        "nan": b"NaN",
        "leading-zero": b"01",
        "mark": b"\xef\xbb\xbf{}",
    }


def robot_files():
    """The examples, and what each field may come as."""
    seeds = {path.stem: path.read_bytes() for path in sorted((ROOT / "examples/robots").glob("*.yaml"))}
    one = b"control_hz: 10\nactions: [{name: x%s}]\n%s"
    return seeds | {
        "least": one % (b"", b""),
        "velocity": one % (b", kind: velocity, velocity: 1, acceleration: 2", b"on_violation: stop\n"),
        "narrow": one % (b", position: [0, 1e-6], velocity: 1e9, acceleration: 1e-6", b"command_hz: 1000\n"),
        "box": one % (b", position: [-1, 1]", b"workspace: {axes: [x], minimum: [0], maximum: [1]}\n"),
        "names": one % (b"", b"gr00t: {observations: {s: [a.b]}, actions: {arm: [x]}, lookback: calls}\n"),
        "openpi-names": one % (b"", b"openpi: {observations: {s: [a/b]}, actions: {arm: [x]}, reset: first}\n"),
        "smooth": one
        % (
            b", velocity: 1, acceleration: 2, deceleration: 3, jerk: 40",
            b"feedback: {feature: observation.state, following_error: [0.5]}\n",
        ),
        "watchdogs": one % (b"", b"watchdogs: {observation_ms: 150, stop_after_ms: never}\nclock: wall\n"),
        "not-a-number": one % (b", velocity: .nan, position: [-.inf, .inf]", b""),
        "anchors": b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "deep": b"[" * 200 + b"]" * 200,
        "tabs": b"control_hz:\t10\n\tactions: []\n",
        "nothing": b"",
    }


def configuration_files():
    """Keys of every kind, as they are right and as they are not."""
    return {
        "all": b"""# a daemon
policy: ../policies/pusht
robots: [arm1.yaml, /etc/arm2.yaml]
cameras: {front: "tcp://127.0.0.1:6000", wrist: ipc:///run/wrist}
sampler:
  solver: ddim
  window: auto
  tolerance: 5e-3
http: {token: true}
""",
        "unknown": b"polcy: a\nsampler: {treads: 2}\nwindow: 3\nsampler.window: 4\n",
        "types": b"policy: [a]\nrobots: {}\nsampler: {window: 1:30, tolerance: .nan}\nhttp: {token: 1}\n",
        "nothing-given": b"policy:\nsampler:\ncameras: {front: }\n",
        "twice": b'policy: a\n"policy": b\n',
        "names": b"cameras: {a=b: c, ~: d, [e]: f}\n? {g: h}\n: i\n",
        "lines": b"policy:\r\n  a\rrobots:\n - b\n\n -\n   c\n",
        "escapes": b'policy: "\\0\\n\\u2028"\n',
        "anchors": b"policy: &a b\nrobots: [*a]\n",
        "tag": b"policy: !!binary aGk=\nsampler: !!set {}\nhttp: {<<: {token: true}}\n",
        "nothing": b"",
    }


def pictures():
    """Golden pictures of every kind, and some that lie about their size or end early."""
    folder = ROOT / "Tests/PicturesTests/Resources"
    # fmt: off
    names = [
        "jpeg-420", "jpeg-411", "jpeg-grey", "jpeg-progressive", "jpeg-progressive-grey", "jpeg-restarts", "jpeg-rgb",
        "jpeg-without-tables", "jpeg-1x1", "jpeg-cmyk", "jpeg-arithmetic", "png-rgb", "png-rgba", "png-grey", "png-palette-2",
        "png-palette-transparent", "png-described", "png-stored", "png-interlaced-rgba-16", "png-interlaced-grey-1",
        "png-interlaced-1x5", "png-rgb-key", "png-gamma", "png-depth",
    ]
    # fmt: on
    seeds = {name: (folder / f"{name}.{name.partition('-')[0]}").read_bytes() for name in names}
    progressive = seeds["jpeg-progressive-grey"]
    scan = progressive.index(b"\xff\xda", progressive.index(b"\xff\xda") + 2)
    frame = seeds["jpeg-grey"].index(b"\xff\xc0")
    return seeds | {
        "jpeg-first-scan-only": progressive[:scan] + b"\xff\xd9",
        "jpeg-no-height": seeds["jpeg-grey"][: frame + 5] + bytes(2) + seeds["jpeg-grey"][frame + 7 :],
        "jpeg-cut": seeds["jpeg-grey"][:400],
        "png-cut": seeds["png-rgb"][:60],
        "png-too-large": seeds["png-stored"][:16] + b"\x7f\xff\xff\xff" * 2 + seeds["png-stored"][24:],
        "png-no-pixels": seeds["png-stored"][:33] + seeds["png-stored"][-12:],
        "other": b"RIFF\x10\0\0\0WEBPVP8L",
    }


def simulated(scores=(1, 0.5), first=7, **changes):
    """What `denoised sim --json` prints, shortened; a change to None leaves a member out."""
    latency = {"p50": 5.25, "p90": 6.5, "p99": 9.75, "max": 12.5}
    stages = ["decode", "queue", "vision", "condition", "sample", "encode", "total"]
    times = {stage: 1000 * (index + 1) for index, stage in enumerate(stages)}
    passes = {"first_step": [0, 4], "end_step": [6, 10], "evaluations": [6, 6], "ns": [3000, 2000]}
    chunk = {"episode": "7", "step": 16, "stages_ns": times, "round_trip_ms": 5.4, "window": 6, "steps": 10, "iterations": 2}
    chunk |= {"evaluations": 12, "quality": "converged", "passes": passes}
    histogram = {"first_bucket": 190, "counts": [3, 0, 9]}
    run = {
        "version": "1.0.0",
        "policy": "pusht",
        "sampler": {"solver": "ddpm", "steps": 10, "method": "quasi-newton", "window": 6, "tolerance": 0.005, "kernel": "f32"},
        "chunks": 12,
        "chunk_latency_ms": latency,
        "stage_latency_ms": {"total": latency, "sample": latency},
        "iterations_mean": 2,
        "evaluations_mean": 12,
        "qualities": {"converged": 12},
        "latency_histograms": {"buckets_per_octave": 16, "stages": {"total": histogram, "round_trip": histogram}},
        "example_chunks": {"median": chunk, "slowest": chunk},
        "per_episode": [
            {"seed": first + i, "score": score, "max_coverage": score, "success": score == 1, "steps": 200}
            for i, score in enumerate(scores)
        ],
    } | changes
    run = {name: value for name, value in run.items() if value is not None}
    return json.dumps(run, separators=(",", ":")).encode()


def recording(*messages):
    """An MCAP file without a summary: each message is its schema's name, its topic and its JSON."""

    def record(opcode, content):
        return bytes([opcode]) + struct.pack("<Q", len(content)) + content

    def prefixed(string):
        return struct.pack("<I", len(string)) + string.encode()

    file = b"\x89MCAP0\r\n" + record(1, prefixed("") + prefixed("seeds.py"))
    for number, (schema, topic, content) in enumerate(messages, start=1):
        file += record(3, struct.pack("<H", number) + prefixed(schema) + prefixed("jsonschema") + prefixed("{}"))
        file += record(4, struct.pack("<HH", number, number) + prefixed(topic) + prefixed("json") + struct.pack("<I", 0))
        data = json.dumps(content, separators=(",", ":")).encode()
        file += record(5, struct.pack("<HIQQ", number, 0, 1, 1) + data)
    return file + record(0x0F, bytes(4)) + record(2, bytes(20)) + b"\x89MCAP0\r\n"


def recordings():
    policy = {"name": "toy", "features": [{"name": "s", "count": 1}], "horizon": 4, "n_obs_steps": 1, "n_action_steps": 1}
    sampler = {"solver": "ddim", "steps": 5, "method": "sequential", "window": 1, "tolerance": 0, "kernel": "f32", "budget_ms": 0}
    session = {"format": 2, "daemon_version": "1", "policy": policy | {"action_dim": 1}, "fingerprint": "0", "sampler": sampler}
    session = ("denoised.session", "/session", session | {"seed": 3, "threads": 1, "warm_start": False})
    chunk = {"robot": "arm1", "episode": "1", "sequence": 3, "first_step": 3, "solver": "ddim", "steps": 5, "window": 1}
    chunk |= {"method": "sequential", "tolerance": 0, "iterations": 5, "evaluations": 5, "quality": "exact", "coarse_steps": 0}
    chunk |= {"passes": {"first_step": [0], "end_step": [1], "evaluations": [1], "ns": [1000]}}
    chunk = ("denoised.chunk", "/arm1/chunk", chunk)
    times = {"sequence": 3, "decode_ms": 0.07, "queue_ms": 0.03, "condition_ms": 0.01, "sample_ms": 0.2, "encode_ms": 0.05}
    times = ("denoised.latency", "/arm1/latency", times | {"total_ms": 0.36})
    whole = recording(session, chunk, times)
    return {
        "recording": whole,
        "recording-cut": whole[:-60],
        "recording-of-nothing": recording(session),
        "recording-without-session": recording(chunk, times),
        "recording-gap": recording(session, ("denoised.gap", "/gap", {"lost": 7}), chunk, times),
        "recording-times": recording(session, chunk, times[:2] + (times[2] | {"decode_ms": 1e9, "total_ms": 0},)),
    }


def reports():
    sampler = {"solver": "ddpm", "steps": 100, "method": "quasi-newton", "window": 8, "tolerance": 0.005}
    means = {"kernel": "f32", "precision": "f32", "iterations_mean": 17.5, "evaluations_mean": 129, "ms_p50": 5, "ms_p90": 6}
    means |= {"ms_p99": 7}
    paper = sampler | means | {"rewards": [1, 0.5], "successes": [True, False], "success_rate": 0.5, "chunks": 20}
    chunk = sampler | means | {"deviation_mean": 0.0005, "deviation_max": 0.0027, "ms_p10": 4}
    real = {"schedule": "blend", "delay_ms": 20, "steps": 10, "held_steps": 1, "beyond_steps": 2, "late_steps": 3}
    real |= {"velocity_jump": {"mean": 4}, "other_jump": {"mean": 5}}
    camera = {"name": "observation.image", "encoding": "jpeg", "disturbances": "noise 1", "lost_frames": 1}

    def small(value):
        return json.dumps(value, separators=(",", ":")).encode()

    def shard(number, scores, of=2, settings=None, **changes):
        """Each `of`-th of four episodes."""
        run = json.loads(simulated(scores, **changes))
        for i, episode in enumerate(run["per_episode"]):
            episode["seed"] = 7 + number - 1 + i * of
        whole = {"number": number, "of": of, "first_seed": 7, "episodes": 4, "settings": settings or {}}
        return small(run | {"shard": whole})

    joined = {"shards": 2, "missing_shards": [2], "episodes": 4, "missing_seeds": [8, 10], "doubled_episodes": 1, "files": ["a"]}
    evaluation = small(
        {"per_episode": [{"seed": 7, "score": 1, "success": True, "steps": 30, "max_coverage": 1}], "seconds": 3.5}
    )
    return recordings() | {
        "run": simulated(),
        "two-runs": simulated() + b"\0" + simulated((0.25, 1), 8, sampler=None),
        "real-time": simulated(realtime=real, camera=camera),
        "no-episode": simulated((), chunks=0, example_chunks=None),
        "evaluation": evaluation + b"\0" + evaluation,
        "paper": small({"policy": "pusht", "seed": (1 << 64) - 1, "results": [paper, paper]}),
        "chunks": small({"policy": "pusht", "results": [chunk, chunk | {"deviation_max": 0, "deviation_mean": 0}]}),
        "everything": simulated() + b"\0" + evaluation + b"\0" + small({"policy": "pusht", "seed": 7, "results": [paper]}),
        "markup": simulated(policy="<script>&\u202e", **{"</td>": 1}),
        "huge": simulated(chunk_latency_ms={"p50": 1e12, "p90": 0, "p99": 1e-300, "max": 1e12}),
        "last-bucket": simulated(
            latency_histograms={"buckets_per_octave": 16, "stages": {"total": {"first_bucket": 640, "counts": [1]}}}
        ),
        "shards": shard(1, (1, 0.5)) + b"\0" + shard(2, (0.25, 1)),
        "shard-missing": shard(3, (1,), of=4),
        "shard-doubled": shard(1, (1, 0.5)) + b"\0" + shard(1, (1, 0.5), chunks=13) + b"\0" + shard(2, (0, 0)),
        "shard-unequal": shard(1, (1, 0.5)) + b"\0" + shard(1, (1, 0.25)),
        "shard-other-settings": shard(1, (1,)) + b"\0" + shard(2, (1,), settings={"warm_start": "true"}),
        "shard-real-time": shard(1, (1, 0), realtime=real, camera=camera) + b"\0" + shard(2, (1,), realtime=real, camera=camera),
        "shard-of-other-seeds": shard(1, (1, 1, 1)),
        "joined": simulated((1, 0.5), joined=joined),
        "no-object": b"[]",
        "nothing": b"",
    }


def pickles():
    """Pickles as PyTorch and dill write them, and hand-made ones."""

    class Named:
        """Pickled as a class of a module that need not be there."""

        def __init__(self, module, name):
            self.module, self.name = module, name

    def write(value):
        """Protocol 2 by hand, so that names of any module can be written."""
        if value is None or isinstance(value, bool):
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        if isinstance(value, int):
            return b"J" + struct.pack("<i", value)
        if isinstance(value, float):
            return b"G" + struct.pack(">d", value)
        if isinstance(value, str):
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        if isinstance(value, Named):
            return f"c{value.module}\n{value.name}\n".encode()
        if isinstance(value, list):
            return b"](" + b"".join(map(write, value)) + b"e"
        if isinstance(value, tuple):
            return b"(" + b"".join(map(write, value)) + b"t"
        if isinstance(value, dict):
            return b"}(" + b"".join(write(key) + write(member) for key, member in value.items()) + b"u"
        return value.instructions

    class Raw:
        def __init__(self, instructions):
            self.instructions = instructions

    def call(module, name, *arguments):
        return Raw(write(Named(module, name)) + write(arguments) + b"R")

    def node(value):
        state = {"_metadata": None, "_parent": None, "_val": value}
        return Raw(write(Named("omegaconf.nodes", "AnyNode")) + b")\x81" + write(state) + b"b")

    def container(value):
        kind = ("listconfig", "ListConfig") if isinstance(value, list) else ("dictconfig", "DictConfig")
        members = [wrap(member) for member in value] if isinstance(value, list) else {k: wrap(v) for k, v in value.items()}
        state = {"_parent": None, "_content": members}
        return Raw(write(Named(f"omegaconf.{kind[0]}", kind[1])) + b")\x81" + write(state) + b"b")

    def wrap(value):
        return container(value) if isinstance(value, list | dict) else node(value)

    def tensor(shape, count=4, strides=(1,), offset=0):
        storage = Raw(write(("storage", Named("torch", "FloatStorage"), "0", "cpu", count)) + b"Q")
        hooks = call("collections", "OrderedDict")
        return call("torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, False, hooks)

    scheduler = {"_target_": "diffusers.schedulers.scheduling_ddpm.DDPMScheduler", "num_train_timesteps": 10, "beta_end": 0.02}
    network = {"_target_": "diffusion_policy.model.diffusion.conditional_unet1d.ConditionalUnet1D", "down_dims": [8, 16]}
    time = {"horizon": "${horizon}", "n_obs_steps": 2, "n_action_steps": "${eval:'${n}+${horizon}*2'}"}
    lowdim = {
        "_target_": "diffusion_policy.policy.diffusion_unet_lowdim_policy.DiffusionUnetLowdimPolicy",
        "model": network,
        "noise_scheduler": scheduler,
        "obs_dim": 3,
        "action_dim": 2,
        "obs_as_global_cond": True,
        "oa_step_convention": True,
    } | time
    entries = {"image": {"shape": [3, 8, 8], "type": "rgb"}, "agent_pos": {"shape": [2]}}
    hybrid = {
        "_target_": "diffusion_policy.policy.diffusion_unet_hybrid_image_policy.DiffusionUnetHybridImagePolicy",
        "shape_meta": {"obs": entries, "action": {"shape": [2]}},
        "noise_scheduler": scheduler,
        "crop_shape": None,
    } | time
    task = {"dataset": {"abs_action": True, "rotation_rep": "rotation_6d"}}
    epoch = call("_codecs", "encode", "\x80\x04K\x05.", "latin1")

    def checkpoint(policy):
        cfg = container({"horizon": 8, "n": 1, "task": task, "policy": policy})
        states = {"ema_model": {"model.x": tensor((2, 2), strides=(2, 1)), "model.y": tensor((2,), offset=1)}}
        return b"\x80\x02" + write({"cfg": cfg, "state_dicts": states, "pickles": {"epoch": epoch}}) + b"."

    return {
        "lowdim": checkpoint(lowdim),
        "hybrid": checkpoint(hybrid),
        "tensor": b"\x80\x02" + write(tensor((2, 2), strides=(1, 2))) + b".",
        "parameter": b"\x80\x02" + write(call("torch._utils", "_rebuild_parameter", tensor((1,)), True, None)) + b".",
        "tensor-overflows": b"\x80\x02" + write(tensor((1 << 30, 1 << 30), strides=(1, 1))) + b".",
        "system": b"\x80\x02" + write(call("os", "system", "true")) + b".",
        "itself": b"\x80\x02]q\x00h\x00a.",
        "protocol-4": b"\x80\x04\x95" + struct.pack("<Q", 18) + b"}\x94(\x8c\x01a\x94]\x94(K\x01K\x02eu.",
        "sets": b"\x80\x04\x8f\x94(K\x01K\x02\x90.",
        "memo": b"\x80\x02Nr\xff\xff\xff\x7f0j\xff\xff\xff\x7f.",
        "long": b"\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.",
        "length-lies": b"\x80\x02X\xff\xff\xff\xffa.",
        "protocol-0": b"(dp0\nS'a'\np1\nI1\ns.",
        "marks": b"\x80\x02((((ttt1.",
    }


def torch_files():
    """Zip archives as torch.save writes them. The standard library's writer differs from PyTorch's in nothing that is read."""
    seeds = pickles()

    def entry(name, data, start, extra=b"", method=0, flags=0x808):
        """The bytes of an entry, and its line in the directory."""
        encoded = name.encode()
        head = struct.pack("<IHHHIIIIHH", 0x04034B50, 20, flags, method, 0, 0, 0, 0, len(encoded), len(extra))
        head = head + encoded + extra
        sizes = (zlib.crc32(data), len(data), len(data), len(encoded))
        line = struct.pack("<IHHHHIIIIHHHHHII", 0x02014B50, 0, 20, flags, method, 0, *sizes, 0, 0, 0, 0, 0, start)
        return head + data, line + encoded

    def archive(*entries, wide=False, **options):
        data, directory = b"", b""
        for name, content in entries:
            block, line = entry(name, content, len(data), **options)
            data, directory = data + block, directory + line
        end = b""
        if wide:
            end += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, len(entries), len(entries), len(directory), len(data))
            end += struct.pack("<IIQI", 0x07064B50, 0, len(data) + len(directory), 1)
        counts = (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF) if wide else (len(entries), len(entries), len(directory), len(data))
        return data + directory + end + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, *counts, 0)

    storage = ("archive/data/0", struct.pack("<4f", 1, 2, 3, 4))
    order = ("archive/byteorder", b"little")
    return {
        "lowdim": archive(("archive/data.pkl", seeds["lowdim"]), order, storage),
        "tensor": archive(("archive/data.pkl", seeds["tensor"]), storage),
        "wide": archive(("archive/data.pkl", seeds["tensor"]), storage, wide=True),
        "padded": archive(("archive/data.pkl", seeds["tensor"]), storage, extra=b"FB\x05\x00ZZZZZ"),
        "deflated": archive(("archive/data.pkl", seeds["tensor"]), storage, method=8),
        "encrypted": archive(("archive/data.pkl", seeds["tensor"]), storage, flags=1),
        "twice": archive(("archive/data.pkl", seeds["tensor"]), ("archive/data.pkl", b"N.")),
        "big-endian": archive(("archive/data.pkl", seeds["tensor"]), ("archive/byteorder", b"big"), storage),
        "empty": archive(),
        "old-format": b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
        "cut": archive(("archive/data.pkl", seeds["tensor"]), storage)[:-30],
    }


def dictionaries():
    """Words that a fuzzer would hardly hit upon."""
    keys = re.findall(rb"[\xa1-\xbf]([a-z_]{2,})", b"".join(dumps().values()))
    keys += [b"info", b"seed", b"noise_seed", b"statistics", b"daemon_version", b"sampler", b"endpoints", b"features"]
    keys += [b"array_keys", b"__npgeneric__", b"nd", b"type", b"kind"]
    dtypes = [b"<f4", b"<f8", b"|i1", b"<i2", b"<i4", b"<i8", b"|u1", b"<u2", b"<u4", b"<u8"]
    gr00t = ["endpoint", "data", "observation", "options", "api_token", "ping", "reset", "kill", "get_action", "secret"]
    gr00t += ["get_modality_config", "arm", "gripper", "x", "state", "state.arm", "nd", "type", "kind", "shape", "as_npy"]
    gr00t += ["__ndarray_class__", "video", "video.front", "video.wrist", "front", "wrist"]
    openpi = ["observation/state", "observation", "state", "gripper", "world", "front", "images", "wrist", "images/wrist"]
    openpi += ["first", "options", "robot", "noise_seed", "reset", "__ndarray__", "__npgeneric__", "data", "dtype", "shape"]
    npy = [b"\x93NUMPY\x01\x00", b"'descr': '<f4'", b"'fortran_order': False", b"'shape': (1, 2), "]
    syntax = [b'{"', b'":', b"[]", b"{}", b"null", b"true", b"false", b"-0", b"1e400", rb"\u0000", rb"\ud83d\ude00"]
    tensors = [b'"dtype":', b'"shape":[', b'"data_offsets":[', b'"__metadata__":{']
    tensors += [b"F64", b"F32", b"F16", b"BF16", b"I64", b"I32", b"I16", b"I8", b"U64", b"U32", b"U16", b"U8", b"BOOL"]
    files = [b'"weight_map":{', b'"a.safetensors"', b'"b.safetensors"', b'"bias"', b'"weight"']
    # fmt: off
    policy = [word.encode() for word in CONFIGURATION] + [
        b"diffusion", b"STATE", b"ENV", b"ACTION", b"VISUAL", b"MIN_MAX", b"MEAN_STD", b"IDENTITY", b"DDPM", b"DDIM",
        b"linear", b"scaled_linear", b"squaredcos_cap_v2", b"epsilon", b"sample", b"v_prediction", b"norm_map",
        b"registry_name", b"class", b"config", b"state_file", b"rename_map", b"features", b"float_dtype", b"eps",
        b"normalize_observation_keys", b"observation.state", b"observation.environment_state", b"action",
        b"rename_observations_processor", b"to_batch_processor", b"device_processor", b"normalizer_processor",
        b"unnormalizer_processor",
    ]
    robots = [
        b"control_hz: ", b"command_hz: ", b"interpolation: ", b"clock: ", b"strategy: ", b"actions: ", b"workspace: ",
        b"on_violation: ", b"feedback: ", b"watchdogs: ", b"gr00t: ", b"name: ", b"kind: velocity", b"position: [0, 1]",
        b"velocity: ", b"acceleration: ", b"deceleration: ", b"jerk: ", b"following_error: ", b"axes: [x]", b"joints: [{d: 1}]",
        b"minimum: ", b"maximum: ", b".nan", b".inf",
        b"openpi: ",
        b"linear", b"cubic", b"monotonic", b"stop", b"never", b"observation_ms: ", b"stop_after_ms: ", b"&a ", b"*a", b"!!",
    ]
    # fmt: on
    results = re.findall(rb'"([a-z_]{4,})"', b"".join(reports().values()))
    configuration = [b"policy: ", b"robots: ", b"cameras: ", b"sampler: ", b"solver: ", b"window: auto", b"tolerance: "]
    configuration += [b"token: ", b"true", b"ddim", b"? ", b"!!str ", b"---\n", b"<<: "]
    chunks = [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"sBIT", b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"eXIf", b"acTL"]
    markers = [bytes([0xFF, code]) for code in [*range(0xC0, 0xD0), *range(0xD0, 0xDE), 0xE0, 0xEE, 0xFE, 0x00]]
    frames = chunks + markers + [b"JFIF\0", b"Adobe", b"\x89PNG\r\n\x1a\n", b"\x78\x9c", b"\xff\xd8\xff"]
    names = [b"cfg", b"state_dicts", b"ema_model", b"model", b"pickles", b"_content", b"_val", b"_target_", b"shape_meta", b"obs"]
    names += [b"comegaconf.dictconfig\nDictConfig\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n"]
    names += [
        b"ctorch\nFloatStorage\n",
        b"${eval:'",
        b"${horizon}",
        b"storage",
        b")\x81",
        b"tR",
        b"Q",
        b"\x80\x02",
        b"\x80\x04\x95",
    ]
    zips = [b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"archive/data.pkl", b"archive/data/0"]
    return {
        "pickle": names,
        "torchfile": zips + names,
        "pictures": frames,
        "robotfile": robots,
        "configuration": configuration,
        "messages": [text(key.decode()) for key in sorted(set(keys))] + dtypes,
        "openpi": [text(key) for key in openpi] + dtypes,
        "gr00t": [text(key) for key in gr00t] + [text(key.decode()) for key in (b"robot", b"noise_seed")] + dtypes + npy,
        "safetensors": syntax + tensors,
        "checkpoint": syntax + tensors + files,
        "policy": syntax + policy,
        "json": syntax,
        "reports": syntax
        + sorted(set(results))
        + [b"\x89MCAP0\r\n", b"denoised.session", b"denoised.chunk", b"denoised.latency"],
    }


def main():
    wanted = {}
    for target, words in dictionaries().items():
        lines = "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words)
        wanted[CORPUS / "dictionaries" / target] = lines.encode()
    for target, seeds in {
        "messages": messages(),
        "gr00t": gr00t_requests(),
        "openpi": openpi_requests(),
        "safetensors": safetensors_files(),
        "checkpoint": checkpoints(),
        "policy": policies(),
        "json": documents(),
        "robotfile": robot_files(),
        "configuration": configuration_files(),
        "pictures": pictures(),
        "reports": reports(),
        "pickle": pickles(),
        "torchfile": torch_files(),
    }.items():
        for name, seed in seeds.items():
            wanted[CORPUS / target / name] = seed
    if "--check" in sys.argv[1:]:
        found = {path for path in CORPUS.glob("*/*") if path.is_file()}
        wrong = [path for path, seed in wanted.items() if path not in found or path.read_bytes() != seed]
        for path in sorted(wrong) + sorted(found - wanted.keys()):
            print(f"{path.relative_to(ROOT)}: not what seeds.py makes")
        sys.exit(1 if wrong or found - wanted.keys() else 0)
    for path, seed in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(seed)
    print(f"{len(wanted)} files, {sum(map(len, wanted.values()))} bytes")


if __name__ == "__main__":
    main()
