"""A policy bundle: the folder in which LeRobot keeps a trained diffusion policy."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from image_encoder import EncoderShape
from network import DiffusionNetwork
from normalization import ACTION, ENVIRONMENT_STATE, IMAGE, STATE, FrameNormalization, Range, Statistics
from recipe import PolicyShape, TrainingRecipe

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
PREPROCESSOR = "policy_preprocessor"
POSTPROCESSOR = "policy_postprocessor"
# LeRobot names a state file after the position of its step in the pipeline.
NORMALIZER_STATE = f"{PREPROCESSOR}_step_3_normalizer_processor.safetensors"
UNNORMALIZER_STATE = f"{POSTPROCESSOR}_step_0_unnormalizer_processor.safetensors"

NORMALIZATION_MAPPING = {
    "VISUAL": "MEAN_STD",
    "STATE": "MIN_MAX",
    # LeRobot leaves a feature type that the mapping does not name as it is.
    "ENV": "MIN_MAX",
    "ACTION": "MIN_MAX",
}


@dataclass(frozen=True)
class Bundle:
    shape: PolicyShape
    network: DiffusionNetwork
    statistics: Statistics
    frames: FrameNormalization | None = None


def write_bundle(
    directory: Path,
    shape: PolicyShape,
    recipe: TrainingRecipe,
    weights: dict[str, Tensor],
    statistics: Statistics,
    frames: FrameNormalization | None = None,
) -> None:
    """Writes the folder; the weights are rounded to bf16, but for those of `is_exact`, and the statistics stay f32."""
    directory.mkdir(parents=True, exist_ok=True)
    rounded = {name: stored(name, tensor).contiguous() for name, tensor in weights.items()}
    _write_tensors(directory / WEIGHTS, rounded)
    state = {}
    for name, range_ in statistics.items():
        state[f"{name}.min"], state[f"{name}.max"] = range_.minimum, range_.maximum
    if frames:
        state[f"{IMAGE}.mean"] = frames.mean.reshape(3, 1, 1)
        state[f"{IMAGE}.std"] = frames.deviation.reshape(3, 1, 1)
    for file in (NORMALIZER_STATE, UNNORMALIZER_STATE):
        _write_tensors(directory / file, state)
    _write_json(directory / CONFIG, _config(shape, recipe))
    _write_json(directory / f"{PREPROCESSOR}.json", _preprocessor(shape))
    _write_json(directory / f"{POSTPROCESSOR}.json", _postprocessor(shape))


def is_exact(name: str) -> bool:
    """Whether a tensor is stored in f32: the last layers of the encoder, whose few weights place the block."""
    return name.startswith(("diffusion.rgb_encoder.pool.", "diffusion.rgb_encoder.out."))


def stored(name: str, tensor: Tensor) -> Tensor:
    """The tensor in the precision in which a bundle keeps it."""
    return tensor.float() if is_exact(name) else tensor.to(torch.bfloat16)


def read_bundle(directory: Path) -> Bundle:
    """Reads what `write_bundle` wrote. Not a reader for every LeRobot policy."""
    config = json.loads((directory / CONFIG).read_text())
    inputs, outputs = config["input_features"], config["output_features"]
    shape = PolicyShape(
        horizon=config["horizon"],
        n_obs_steps=config["n_obs_steps"],
        n_action_steps=config["n_action_steps"],
        num_train_timesteps=config["num_train_timesteps"],
        state_count=inputs[STATE]["shape"][0],
        environment_state_count=inputs[ENVIRONMENT_STATE]["shape"][0] if ENVIRONMENT_STATE in inputs else 0,
        action_count=outputs[ACTION]["shape"][0],
        down_dims=tuple(config["down_dims"]),
        kernel_size=config["kernel_size"],
        n_groups=config["n_groups"],
        diffusion_step_embed_dim=config["diffusion_step_embed_dim"],
        use_film_scale_modulation=config["use_film_scale_modulation"],
        encoder=_encoder_shape(config) if IMAGE in inputs else None,
    )
    network = DiffusionNetwork(shape.network_shape())
    weights = load_file(directory / WEIGHTS)
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    state = load_file(directory / NORMALIZER_STATE)
    ranged = [name for name in (STATE, ENVIRONMENT_STATE, ACTION) if f"{name}.min" in state]
    statistics = {name: Range(state[f"{name}.min"], state[f"{name}.max"]) for name in ranged}
    frames = None
    if shape.encoder:
        frames = FrameNormalization(state[f"{IMAGE}.mean"].flatten(), state[f"{IMAGE}.std"].flatten())
    return Bundle(shape, network.eval().requires_grad_(False), statistics, frames)


def _encoder_shape(config: dict) -> EncoderShape:
    return EncoderShape(
        frame_size=config["input_features"][IMAGE]["shape"][1],
        crop_size=config["crop_shape"][0],
        keypoints=config["spatial_softmax_num_keypoints"],
    )


def _config(shape: PolicyShape, recipe: TrainingRecipe) -> dict:
    return {
        "type": "diffusion",
        "n_obs_steps": shape.n_obs_steps,
        "input_features": _input_features(shape),
        "output_features": _output_features(shape),
        "device": "cpu",
        "use_amp": False,
        "use_peft": False,
        "push_to_hub": False,
        "repo_id": None,
        "private": None,
        "tags": None,
        "license": None,
        "pretrained_path": None,
        "horizon": shape.horizon,
        "n_action_steps": shape.n_action_steps,
        "normalization_mapping": NORMALIZATION_MAPPING,
        # The action padding that training windows allow.
        "drop_n_last_frames": shape.horizon - shape.n_action_steps - shape.n_obs_steps + 1,
        "vision_backbone": "resnet18",
        "resize_shape": None,
        "crop_ratio": 1.0,
        "crop_shape": [shape.encoder.crop_size] * 2 if shape.encoder else None,
        "crop_is_random": True,
        "pretrained_backbone_weights": None,
        "use_group_norm": True,
        "spatial_softmax_num_keypoints": shape.encoder.keypoints if shape.encoder else 32,
        "use_separate_rgb_encoder_per_camera": False,
        "down_dims": list(shape.down_dims),
        "kernel_size": shape.kernel_size,
        "n_groups": shape.n_groups,
        "diffusion_step_embed_dim": shape.diffusion_step_embed_dim,
        "use_film_scale_modulation": shape.use_film_scale_modulation,
        "noise_scheduler_type": "DDPM",
        "num_train_timesteps": shape.num_train_timesteps,
        "beta_schedule": "squaredcos_cap_v2",
        "beta_start": 0.0001,
        "beta_end": 0.02,
        "prediction_type": "epsilon",
        "clip_sample": True,
        "clip_sample_range": 1.0,
        "num_inference_steps": None,
        "compile_model": False,
        "compile_mode": "reduce-overhead",
        "do_mask_loss_for_padding": False,
        "optimizer_lr": recipe.learning_rate,
        "optimizer_betas": list(recipe.betas),
        "optimizer_eps": 1e-08,
        "optimizer_weight_decay": recipe.weight_decay,
        "scheduler_name": "cosine",
        "scheduler_warmup_steps": recipe.warmup_steps,
    }


def _feature(kind: str, *sizes: int) -> dict:
    return {"type": kind, "shape": list(sizes)}


def _input_features(shape: PolicyShape) -> dict:
    state = {STATE: _feature("STATE", shape.state_count)}
    if shape.encoder:
        return state | {IMAGE: _feature("VISUAL", 3, shape.encoder.frame_size, shape.encoder.frame_size)}
    return state | {ENVIRONMENT_STATE: _feature("ENV", shape.environment_state_count)}


def _output_features(shape: PolicyShape) -> dict:
    return {ACTION: _feature("ACTION", shape.action_count)}


def _preprocessor(shape: PolicyShape) -> dict:
    features = _input_features(shape) | _output_features(shape)
    return {
        "name": PREPROCESSOR,
        "steps": [
            {"registry_name": "rename_observations_processor", "config": {"rename_map": {}}},
            {"registry_name": "to_batch_processor", "config": {}},
            _to_cpu(),
            _normalization("normalizer_processor", features, NORMALIZER_STATE),
        ],
    }


def _postprocessor(shape: PolicyShape) -> dict:
    return {
        "name": POSTPROCESSOR,
        "steps": [
            _normalization("unnormalizer_processor", _output_features(shape), UNNORMALIZER_STATE),
            _to_cpu(),
        ],
    }


def _to_cpu() -> dict:
    return {"registry_name": "device_processor", "config": {"device": "cpu", "float_dtype": None}}


def _normalization(name: str, features: dict, state_file: str) -> dict:
    return {
        "registry_name": name,
        "config": {"eps": 1e-08, "features": features, "norm_map": NORMALIZATION_MAPPING},
        "state_file": state_file,
    }


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, path)
    # safetensors lets only the owner read; the daemon may run as somebody else.
    path.chmod(0o644)


def _write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=4) + "\n")
