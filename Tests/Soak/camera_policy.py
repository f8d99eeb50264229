"""Makes a policy with two cameras of 96 x 96 pixels out of policies/pusht: its network, and encoders with random weights.

It moves senselessly, and takes the time that a trained one takes.
"""

import json
import random
import shutil
import struct

from daemon import ROOT

CAMERAS = ["observation.images.front", "observation.images.wrist"]
SIDE = 96
KEYPOINTS = 32
STEP_EMBEDDING, STATE, N_OBS_STEPS = 128, 2, 2
CONDITION = STEP_EMBEDDING + N_OBS_STEPS * (STATE + len(CAMERAS) * 2 * KEYPOINTS)


def read(path):
    """A file's tensors: name to (type, shape, bytes)."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            first, end = entry["data_offsets"]
            tensors[name] = (entry["dtype"], entry["shape"], data[8 + length + first : 8 + length + end])
    return tensors


def write(path, tensors):
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def numbers(shape, low, high):
    """A tensor of bf16, of a few thousand random numbers again and again."""
    count = 1
    for extent in shape:
        count *= extent
    source = random.Random(count)
    block = b"".join(struct.pack("<f", source.uniform(low, high))[2:] for _ in range(min(count, 4099)))
    return "BF16", shape, (block * (2 * count // len(block) + 1))[: 2 * count]


def weights(*shape):
    """Numbers that keep activations of one size."""
    bound = (6 / (shape[1] * (shape[2] * shape[3] if len(shape) == 4 else 1))) ** 0.5
    return numbers(list(shape), -bound, bound)


def encoder(prefix):
    """The tensors of a ResNet18 with group norms, by torchvision's names."""
    tensors = {f"{prefix}backbone.0.weight": weights(64, 3, 7, 7)}

    def norm(name, channels):
        tensors[f"{prefix}{name}.weight"] = numbers([channels], 0.9, 1.1)
        tensors[f"{prefix}{name}.bias"] = numbers([channels], -0.1, 0.1)

    norm("backbone.1", 64)
    inputs = 64
    for group in range(4):
        outputs = 64 << group
        for block in range(2):
            name = f"backbone.{4 + group}.{block}"
            tensors[f"{prefix}{name}.conv1.weight"] = weights(outputs, inputs, 3, 3)
            tensors[f"{prefix}{name}.conv2.weight"] = weights(outputs, outputs, 3, 3)
            norm(f"{name}.bn1", outputs)
            norm(f"{name}.bn2", outputs)
            if inputs != outputs:
                tensors[f"{prefix}{name}.downsample.0.weight"] = weights(outputs, inputs, 1, 1)
                norm(f"{name}.downsample.1", outputs)
            inputs = outputs
    tensors[f"{prefix}pool.nets.weight"] = weights(KEYPOINTS, 512, 1, 1)
    tensors[f"{prefix}pool.nets.bias"] = numbers([KEYPOINTS], -0.1, 0.1)
    grid = [(x, y) for y in (-1.0, 0.0, 1.0) for x in (-1.0, 0.0, 1.0)]
    tensors[f"{prefix}pool.pos_grid"] = ("F32", [9, 2], b"".join(struct.pack("<2f", *point) for point in grid))
    tensors[f"{prefix}out.weight"] = weights(2 * KEYPOINTS, 2 * KEYPOINTS)
    tensors[f"{prefix}out.bias"] = numbers([2 * KEYPOINTS], -0.1, 0.1)
    return tensors


def make(folder):
    """Writes the policy, as LeRobot does."""
    origin = ROOT / "policies/pusht"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    inputs = {"observation.state": {"type": "STATE", "shape": [STATE]}}
    inputs |= {camera: {"type": "VISUAL", "shape": [3, SIDE, SIDE]} for camera in CAMERAS}
    mapping = {"VISUAL": "IDENTITY", "STATE": "MIN_MAX", "ACTION": "MIN_MAX"}

    configuration = json.loads((origin / "config.json").read_text())
    configuration |= {
        "input_features": inputs,
        "normalization_mapping": mapping,
        "crop_shape": [84, 84],
        "use_separate_rgb_encoder_per_camera": True,
    }
    (folder / "config.json").write_text(json.dumps(configuration))
    for name in ("policy_preprocessor", "policy_postprocessor"):
        pipeline = json.loads((origin / f"{name}.json").read_text())
        for step in pipeline["steps"]:
            if "state_file" in step:
                features = step["config"]["features"]
                step["config"]["features"] = {"action": features["action"]} | (inputs if name == "policy_preprocessor" else {})
                step["config"]["norm_map"] = mapping
                statistics = read(origin / step["state_file"])
                write(folder / step["state_file"], {key: value for key, value in statistics.items() if "environment" not in key})
        (folder / f"{name}.json").write_text(json.dumps(pipeline))

    tensors = read(origin / "model.safetensors")
    for name, (_, shape, _) in tensors.items():
        if name.endswith("cond_encoder.1.weight"):
            tensors[name] = weights(shape[0], CONDITION)
    for index in range(len(CAMERAS)):
        tensors |= encoder(f"diffusion.rgb_encoder.{index}.")
    write(folder / "model.safetensors", tensors)
    return folder
