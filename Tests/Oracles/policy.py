"""Makes the fixtures of Tests/SafetensorsTests and Tests/PolicyTests from PyTorch, safetensors and LeRobot.

    python Tests/Oracles/policy.py

Needs torch, safetensors, diffusers and lerobot 0.4.4. Everything is seeded; running it again gives the same numbers.
"""

import json
import shutil
from pathlib import Path

import lerobot_stub  # noqa: F401  (lets LeRobot import without torchvision)

# isort: split
import draccus
import torch
from diffusers.schedulers import scheduling_ddpm
from lerobot.configs.policies import PreTrainedConfig
from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy
from lerobot.policies.diffusion.processor_diffusion import make_diffusion_pre_post_processors
from lerobot.processor import NormalizerProcessorStep, TransitionKey, UnnormalizerProcessorStep
from safetensors.torch import load_file, save_file

TESTS = Path(__file__).resolve().parent.parent


def safetensors_fixtures(folder: Path) -> None:
    """One file with every dtype that is converted, written by the reference implementation."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    values[0, 0] = 1e-40  # subnormal in f32
    values[0, 1] = 65504.0  # the largest f16
    values[0, 2] = 6e-8  # the smallest f16
    values[0, 3] = -0.0
    tensors = {
        "f64": values,
        "f32": values.float(),
        "f16": values.half(),
        "bf16": values.bfloat16(),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 5),
        "i64": torch.tensor([-(2**62), -1, 0, 7]),
        "i32": torch.tensor([-(2**31), 5], dtype=torch.int32),
        "u8": torch.tensor([0, 255, 3], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        'quoted "name" \u00e9': torch.ones(1),
    }
    save_file(tensors, folder / "dtypes.safetensors", metadata={"format": "pt"})
    expected = {name: tensors[name].double().flatten().tolist() for name in ("f64", "f32", "f16", "bf16")}
    (folder / "dtypes.json").write_text(json.dumps(expected, indent=1) + "\n")


STATE, ENV, ACTION = "observation.state", "observation.environment_state", "action"
MIN_MAX, MEAN_STD = NormalizationMode.MIN_MAX, NormalizationMode.MEAN_STD

STATISTICS = {
    STATE: {"min": [10.0, -3.0], "max": [500.0, -2.5], "mean": [250.0, -2.75], "std": [100.0, 0.25]},
    # The second number never moved.
    ENV: {
        "min": [-1.0, 7.5, 0.0],
        "max": [1.0, 7.5, 1e-3],
        "mean": [0.25, 7.5, 4e-4],
        "std": [0.5, 0.0, 2e-4],
    },
    ACTION: {"min": [12.0, 25.0], "max": [511.0, 505.0], "mean": [230.0, 290.0], "std": [101.0, 97.0]},
}
STATISTICS = {key: {name: torch.tensor(v) for name, v in value.items()} for key, value in STATISTICS.items()}

# Small, and together through every choice that the configuration leaves.
BUNDLES = {
    "processors": dict(
        layout="processors",
        dtype=torch.float32,
        config=dict(
            normalization_mapping={"VISUAL": MEAN_STD, "STATE": MIN_MAX, "ENV": MEAN_STD, "ACTION": MIN_MAX},
            num_inference_steps=5,
        ),
    ),
    "environment-unmapped": dict(
        layout="processors",
        dtype=torch.bfloat16,
        config=dict(
            normalization_mapping={"VISUAL": MEAN_STD, "STATE": MEAN_STD, "ACTION": MEAN_STD},
            n_obs_steps=3,
            n_action_steps=2,
            use_film_scale_modulation=False,
            noise_scheduler_type="DDIM",
            num_inference_steps=4,
            prediction_type="sample",
            beta_schedule="linear",
            clip_sample_range=1.5,
        ),
    ),
    "buffers": dict(
        layout="buffers",
        dtype=torch.float16,
        config=dict(
            normalization_mapping={"VISUAL": MEAN_STD, "STATE": MEAN_STD, "ENV": MIN_MAX, "ACTION": MIN_MAX},
            n_obs_steps=1,
            beta_schedule="scaled_linear",
            clip_sample=False,
        ),
    ),
}


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def old_normalize(value, statistics, mode):
    """`Normalize.forward` of LeRobot 0.1 to 0.3, which 0.4 no longer has."""
    if mode == MEAN_STD:
        return (value - statistics["mean"]) / (statistics["std"] + 1e-8)
    value = (value - statistics["min"]) / (statistics["max"] - statistics["min"] + 1e-8)
    return value * 2 - 1


def old_unnormalize(value, statistics, mode):
    """`Unnormalize.forward` of LeRobot 0.1 to 0.3."""
    if mode == MEAN_STD:
        return value * statistics["std"] + statistics["mean"]
    value = (value + 1) / 2
    return value * (statistics["max"] - statistics["min"]) + statistics["min"]


def sample(policy, condition, noise):
    """LeRobot's own sampling loop, with the noise given: noise[k] is what step k adds."""
    rows = iter(noise[1:])
    drawn = scheduling_ddpm.randn_tensor
    scheduling_ddpm.randn_tensor = lambda *arguments, **options: next(rows)[None]
    try:
        return policy.diffusion.conditional_sample(1, global_cond=condition, noise=noise[:1].clone())[0]
    finally:
        scheduling_ddpm.randn_tensor = drawn


def policy_fixture(folder: Path, layout: str, dtype: torch.dtype, config: dict, seed: int) -> None:
    features = {
        STATE: PolicyFeature(FeatureType.STATE, (2,)),
        ENV: PolicyFeature(FeatureType.ENV, (3,)),
    }
    config = DiffusionConfig(
        input_features=features,
        output_features={ACTION: PolicyFeature(FeatureType.ACTION, (2,))},
        device="cpu",
        push_to_hub=False,
        **(
            dict(
                horizon=8,
                n_action_steps=4,
                down_dims=(8, 16),
                kernel_size=3,
                n_groups=4,
                diffusion_step_embed_dim=8,
                num_train_timesteps=20,
            )
            | config
        ),
    )
    torch.manual_seed(seed)
    policy = DiffusionPolicy(config).eval()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.copy_(parameter.to(dtype).float())

    fresh(folder)
    policy.save_pretrained(folder)
    # draccus 0.10, which LeRobot 0.4.4 asks for, writes the type by itself; newer ones want the base class for it.
    (folder / "config.json").write_text(json.dumps(draccus.encode(config, PreTrainedConfig), indent=4))
    preprocess, postprocess = make_diffusion_pre_post_processors(config, STATISTICS)
    weights = {name: tensor.to(dtype) for name, tensor in load_file(folder / "model.safetensors").items()}
    mapping = config.normalization_mapping
    if layout == "processors":
        preprocess.save_pretrained(folder)
        postprocess.save_pretrained(folder)
    else:
        for module, feature in (
            ("normalize_inputs", STATE),
            ("normalize_inputs", ENV),
            ("normalize_targets", ACTION),
            ("unnormalize_outputs", ACTION),
        ):
            kind = features[feature].type if feature in features else FeatureType.ACTION
            for name in {MIN_MAX: ("min", "max"), MEAN_STD: ("mean", "std")}[mapping[kind.value]]:
                weights[f"{module}.buffer_{feature.replace('.', '_')}.{name}"] = STATISTICS[feature][name].clone()
    save_file(weights, folder / "model.safetensors")

    # An episode of one observation more than the policy looks back on, and one that has only just begun.
    steps = config.n_obs_steps + 1
    state = torch.rand(steps, 2) * torch.tensor([490.0, 0.5]) + torch.tensor([10.0, -3.0])
    # The number that never moved in training stays where it was: elsewhere it would be scaled by 2e8.
    env = torch.rand(steps, 3) * torch.tensor([2.0, 0.0, 1e-3]) + torch.tensor([-1.0, 7.5, 0.0])
    noise = torch.randn(policy.diffusion.num_inference_steps + 1, config.horizon, 2)
    cases = []
    for arrived in (steps, 1):
        seen = [max(0, arrived - config.n_obs_steps + index) for index in range(config.n_obs_steps)]
        if arrived == 1:
            seen = [0] * config.n_obs_steps
        if layout == "processors":
            rows = [preprocess({STATE: state[index], ENV: env[index]}) for index in seen]
            batch = {key: torch.stack([row[key] for row in rows], dim=1) for key in (STATE, ENV)}
        else:
            batch = {
                key: old_normalize(values[seen], STATISTICS[key], mapping[kind])[None]
                for key, values, kind in ((STATE, state, "STATE"), (ENV, env, "ENV"))
            }
        with torch.no_grad():
            condition = policy.diffusion._prepare_global_conditioning(batch)
            normalized = sample(policy, condition, noise)
            policy.diffusion.noise_scheduler.set_timesteps(policy.diffusion.num_inference_steps)
            timestep = policy.diffusion.noise_scheduler.timesteps[:1]
            output = policy.diffusion.unet(noise[:1], timestep, global_cond=condition)[0]
        if layout == "processors":
            prediction = torch.stack([postprocess(action[None])[0] for action in normalized])
        else:
            prediction = old_unnormalize(normalized, STATISTICS[ACTION], mapping["ACTION"])
        first = config.n_obs_steps - 1
        cases.append(
            {
                "arrived": arrived,
                "condition": condition.flatten().tolist(),
                "first_model_output": output.flatten().tolist(),
                "action_pred": prediction.flatten().tolist(),
                "action": prediction[first : first + config.n_action_steps].flatten().tolist(),
            }
        )
    golden = {STATE: state.tolist(), ENV: env.tolist(), "noise": noise.flatten().tolist(), "cases": cases}
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")


def normalization_fixture(file: Path) -> None:
    """What LeRobot's processors and the older modules make of numbers, for every mode."""
    generator = torch.Generator().manual_seed(5)
    features = {STATE: PolicyFeature(FeatureType.STATE, (6,))}
    statistics = {
        # An ordinary range, one far from 0, a tiny one, a huge one, and two that never moved.
        "min": torch.tensor([-1.0, 1000.0, 0.0, -1e6, 7.3, 0.0]),
        "max": torch.tensor([3.0, 1001.0, 1e-5, 1e6, 7.3, 0.0]),
        "mean": torch.tensor([1.0, 1000.5, 5e-6, 0.0, 7.3, 0.0]),
        "std": torch.tensor([2.0, 0.25, 1e-6, 1e5, 0.0, 0.0]),
    }
    low, high = statistics["min"], statistics["max"]
    values = low + (high - low) * torch.rand(20, 6, generator=generator) * 1.2
    values[0], values[1] = low, high
    normalized = torch.rand(20, 6, generator=generator) * 2 - 1
    cases = []
    for mode in (MIN_MAX, MEAN_STD, NormalizationMode.IDENTITY):
        for epsilon in (1e-8, 1e-3):
            options = dict(
                features=features,
                norm_map={FeatureType.STATE: mode, FeatureType.ACTION: mode},
                stats={STATE: statistics, ACTION: statistics},
                eps=epsilon,
            )
            forward = NormalizerProcessorStep(**options)({TransitionKey.OBSERVATION: {STATE: values}})
            backward = UnnormalizerProcessorStep(**options)({TransitionKey.ACTION: normalized})
            cases.append(
                {
                    "layout": "processors",
                    "mode": mode.value,
                    "epsilon": epsilon,
                    "normalized": forward[TransitionKey.OBSERVATION][STATE].tolist(),
                    "unnormalized": backward[TransitionKey.ACTION].tolist(),
                }
            )
        if mode != NormalizationMode.IDENTITY:
            cases.append(
                {
                    "layout": "buffers",
                    "mode": mode.value,
                    "epsilon": 1e-8,
                    "normalized": old_normalize(values, statistics, mode).tolist(),
                    "unnormalized": old_unnormalize(normalized, statistics, mode).tolist(),
                }
            )
    golden = {name: tensor.tolist() for name, tensor in statistics.items()}
    golden |= {"values": values.tolist(), "normalized_values": normalized.tolist(), "cases": cases}
    file.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    safetensors_fixtures(fresh(TESTS / "SafetensorsTests" / "Fixtures"))
    fixtures = fresh(TESTS / "PolicyTests" / "Fixtures")
    normalization_fixture(fixtures / "normalization.json")
    for number, (name, bundle) in enumerate(BUNDLES.items()):
        policy_fixture(fixtures / name, **bundle, seed=number)
    for file in TESTS.glob("*/Fixtures/**/*"):
        if file.is_file():
            file.chmod(0o644)
