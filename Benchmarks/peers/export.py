"""Writes a network for every engine: a LeRobot checkpoint folder with, next to it, the same weights as ONNX.

    python export.py FOLDER 256-512-1024 ...

Makes FOLDER/256-512-1024/ and so on; one that is complete already is left alone.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from safetensors.torch import save_file

from unet import UNet1D, fill

SEED = 0
# Horizon and timestep embedding by network: the paper's for PushT, and what LeRobot trains by default.
PAPER = (16, 256)
LEROBOT = {"512-1024-2048": (64, 128)}
OBSERVATION_STEPS = 2
# 2 observation steps of 20 numbers: the condition of 40 that the paper's PushT policy has with keypoints.
INPUTS = {
    "observation.state": {"type": "STATE", "shape": [2]},
    "observation.environment_state": {"type": "ENV", "shape": [18]},
}
OUTPUTS = {"action": {"type": "ACTION", "shape": [2]}}
NORMALIZATION = {"VISUAL": "MEAN_STD", "STATE": "MIN_MAX", "ENV": "MIN_MAX", "ACTION": "MIN_MAX"}
SHAPE = dict(
    action_dim=2,
    condition_dim=OBSERVATION_STEPS * sum(feature["shape"][0] for feature in INPUTS.values()),
    kernel_size=5,
    groups=8,
)


def shape_of(name):
    """(horizon, timestep embedding) of a network by its name."""
    return LEROBOT.get(name, PAPER)


def make_network(down_dims, embedding):
    network = UNet1D(down_dims, embedding=embedding, **SHAPE).eval()
    fill(network, SEED)
    return network


def processors():
    """(file, contents) of the checkpoint's two processor pipelines, which change no number."""

    def normalizer(name, features, state_file):
        return {
            "registry_name": name,
            "config": {"eps": 1e-8, "features": features, "norm_map": NORMALIZATION},
            "state_file": state_file,
        }

    before = "policy_preprocessor_step_0_normalizer_processor.safetensors"
    after = "policy_postprocessor_step_0_unnormalizer_processor.safetensors"
    yield (
        "policy_preprocessor.json",
        {
            "name": "policy_preprocessor",
            "steps": [normalizer("normalizer_processor", INPUTS | OUTPUTS, before)],
        },
    )
    yield (
        "policy_postprocessor.json",
        {
            "name": "policy_postprocessor",
            "steps": [normalizer("unnormalizer_processor", OUTPUTS, after)],
        },
    )
    statistics = {}
    for name, feature in (INPUTS | OUTPUTS).items():
        statistics[f"{name}.min"] = -torch.ones(feature["shape"])
        statistics[f"{name}.max"] = torch.ones(feature["shape"])
    yield before, statistics
    yield after, statistics


def write_checkpoint(folder, network, down_dims, horizon, embedding):
    configuration = {
        "type": "diffusion",
        "n_obs_steps": OBSERVATION_STEPS,
        "input_features": INPUTS,
        "output_features": OUTPUTS,
        "horizon": horizon,
        "n_action_steps": 8,
        "normalization_mapping": NORMALIZATION,
        "down_dims": down_dims,
        "kernel_size": SHAPE["kernel_size"],
        "n_groups": SHAPE["groups"],
        "diffusion_step_embed_dim": embedding,
        "use_film_scale_modulation": True,
        "noise_scheduler_type": "DDPM",
        "num_train_timesteps": 100,
        "beta_schedule": "squaredcos_cap_v2",
        "beta_start": 0.0001,
        "beta_end": 0.02,
        "prediction_type": "epsilon",
        "clip_sample": True,
        "clip_sample_range": 1.0,
        "num_inference_steps": None,
    }
    (folder / "config.json").write_text(json.dumps(configuration, indent=4) + "\n")
    for name, contents in processors():
        if name.endswith(".json"):
            (folder / name).write_text(json.dumps(contents, indent=2) + "\n")
        else:
            save_file(contents, folder / name)
    save_file(
        {f"diffusion.unet.{name}": value.contiguous() for name, value in network.state_dict().items()},
        folder / "model.safetensors",
    )


def write_onnx(file, network, horizon):
    inputs = (
        torch.zeros(2, horizon, SHAPE["action_dim"]),
        torch.zeros(2, dtype=torch.int64),
        torch.zeros(2, SHAPE["condition_dim"]),
    )
    names = ["samples", "timesteps", "conditions"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package says that it is the older one
        torch.onnx.export(
            network,
            inputs,
            str(file),
            input_names=names,
            output_names=["outputs"],
            dynamic_axes={name: {0: "batch"} for name in [*names, "outputs"]},
            opset_version=18,
            dynamo=False,
        )


def main():
    root = Path(sys.argv[1])
    for name in sys.argv[2:]:
        folder = root / name
        if (folder / "complete").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        down_dims = [int(width) for width in name.split("-")]
        horizon, embedding = shape_of(name)
        network = make_network(down_dims, embedding)
        write_checkpoint(folder, network, down_dims, horizon, embedding)
        write_onnx(folder / "network.onnx", network, horizon)
        (folder / "complete").touch()
        count = sum(parameter.numel() for parameter in network.parameters())
        print(f"{folder}: {count / 1e6:.1f} M parameters")


if __name__ == "__main__":
    main()
