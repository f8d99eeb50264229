"""Makes the fixtures of Tests/PolicyTests for policies that see, from LeRobot.

    python Tests/Oracles/image_policies.py

Needs torch, torchvision, safetensors, diffusers and lerobot 0.4.4. Everything is seeded; running it again gives the same numbers.

Weights, frames and noise are large, so they are not stored: the test draws them again. Every tensor has a generator of its own,
NumPy's PCG64 seeded by the tensor's name (see `generator`); `weights` says which numbers a parameter gets.
"""

import json
import shutil
from pathlib import Path

import numpy
import torch
import torchvision
from diffusers.schedulers import scheduling_ddpm
from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy, DiffusionRgbEncoder
from lerobot.policies.diffusion.processor_diffusion import make_diffusion_pre_post_processors

FIXTURES = Path(__file__).resolve().parent.parent / "PolicyTests" / "Fixtures" / "images"
STATE, ENVIRONMENT, ACTION = "observation.state", "observation.environment_state", "action"
IMAGENET = {"mean": [[[0.485]], [[0.456]], [[0.406]]], "std": [[[0.229]], [[0.224]], [[0.225]]]}
RANGE = {"min": [[[0.0]], [[0.125]], [[0.25]]], "max": [[[1.0]], [[0.75]], [[0.875]]]}

# Each case: its cameras with their sizes, and what differs from the defaults of LeRobot 0.4.4.
CASES = {
    "one-camera": dict(cameras={"observation.image": (96, 96)}, crop_shape=(84, 84)),
    "two-cameras-one-encoder": dict(
        cameras={"observation.images.wrist": (40, 52), "observation.images.front": (40, 52)}, crop_shape=(33, 41)
    ),
    "two-cameras-two-encoders": dict(
        cameras={"observation.images.wrist": (40, 52), "observation.images.front": (40, 52)},
        crop_shape=(33, 41),
        use_separate_rgb_encoder_per_camera=True,
    ),
    "batch-norm": dict(cameras={"observation.image": (48, 64)}, crop_shape=None, use_group_norm=False),
    "resize-and-crop-ratio": dict(
        cameras={"observation.image": (75, 100)}, resize_shape=(48, 52), crop_ratio=0.875, crop_shape=(42, 45)
    ),
    "resize-to-larger": dict(cameras={"observation.image": (31, 45)}, resize_shape=(48, 57), crop_shape=None),
    "no-crop": dict(cameras={"observation.image": (45, 61)}, crop_shape=None),
    "minimum-and-maximum": dict(cameras={"observation.image": (48, 48)}, crop_shape=None, visual="MIN_MAX"),
    "identity": dict(cameras={"observation.image": (48, 48)}, crop_shape=None, visual="IDENTITY"),
    "environment-state": dict(
        cameras={"observation.image": (48, 48)}, crop_shape=None, environment=3, n_obs_steps=3, n_action_steps=4
    ),
    "resnet34": dict(cameras={"observation.image": (40, 40)}, crop_shape=None, vision_backbone="resnet34"),
    "resnet50": dict(cameras={"observation.image": (40, 40)}, crop_shape=None, vision_backbone="resnet50", use_group_norm=False),
}


def generator(name: str) -> numpy.random.Generator:
    """The generator of a tensor: seeded by its name's bytes, read as a polynomial in 31, modulo 2^32."""
    seed = 0
    for byte in name.encode():
        seed = (seed * 31 + byte) % 2**32
    return numpy.random.default_rng(seed)


def weights(name: str, shape: tuple[int, ...]) -> numpy.ndarray:
    """Numbers for a parameter, such that neither activations nor their differences vanish on the way."""
    numbers = 2 * generator(name).random(int(numpy.prod(shape))) - 1
    if name.endswith("running_var"):
        numbers = 1 + 0.75 * numbers
    elif len(shape) == 1:
        numbers = (1 if name.endswith("weight") else 0) + 0.25 * numbers
    else:
        gain = 24 if ".pool." in name else 6
        numbers = numbers * numpy.sqrt(gain / numpy.prod(shape[1:]))
    return numbers.astype(numpy.float32).reshape(shape)


def frame(name: str, step: int, height: int, width: int) -> numpy.ndarray:
    """A camera's frame at an observation step: blocks of 8 by 8 pixels of one colour, with noise."""
    random = generator(f"{name} {step}")
    rows, columns = -(-height // 8), -(-width // 8)
    blocks = random.random(rows * columns * 3).reshape(rows, columns, 3)
    noise = random.random(height * width * 3).reshape(height, width, 3)
    blocks = blocks.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    return numpy.floor(200 * blocks + 56 * noise).astype(numpy.uint8)


def noise(name: str, shape: tuple[int, ...]) -> numpy.ndarray:
    """Numbers of variance 1."""
    numbers = generator(name).random(3 * int(numpy.prod(shape))).reshape(-1, 3).sum(axis=1)
    return (2 * numbers - 3).astype(numpy.float32).reshape(shape)


def policy_of(name: str, cameras: dict, visual: str = "MEAN_STD", environment: int = 0, **options):
    """LeRobot's policy of a case with its pipelines."""
    resize = options.pop("resize_shape", None)
    crop_ratio = options.pop("crop_ratio", 1.0)
    features = {STATE: PolicyFeature(FeatureType.STATE, (2,))}
    features |= {camera: PolicyFeature(FeatureType.VISUAL, (3, *size)) for camera, size in cameras.items()}
    statistics = {
        STATE: {"min": [0.0, 10.0], "max": [512.0, 500.0]},
        ACTION: {"min": [0.0, 10.0], "max": [512.0, 500.0]},
    }
    statistics |= dict.fromkeys(cameras, IMAGENET | RANGE)
    mapping = {"VISUAL": visual, "STATE": "MIN_MAX", "ACTION": "MIN_MAX"}
    if environment:
        features[ENVIRONMENT] = PolicyFeature(FeatureType.ENV, (environment,))
        statistics[ENVIRONMENT] = {"min": [-1.0] * environment, "max": [1.0] * environment}
        mapping["ENV"] = "MIN_MAX"
    arguments = dict(down_dims=(16, 32), diffusion_step_embed_dim=16, num_inference_steps=4, device="cpu")
    arguments |= dict(pretrained_backbone_weights=None, noise_scheduler_type="DDIM")
    config = DiffusionConfig(
        input_features=features,
        output_features={ACTION: PolicyFeature(FeatureType.ACTION, (2,))},
        normalization_mapping={key: NormalizationMode(mode) for key, mode in mapping.items()},
        **(arguments | options),
    )
    # LeRobot 0.4.4 has no resize. Later releases put torchvision's in front of the crop, and size the pool for its result.
    if resize is not None:
        for camera in cameras:
            features[camera] = PolicyFeature(FeatureType.VISUAL, (3, *resize))
    policy = DiffusionPolicy(config).eval()
    if resize is not None:
        for camera, size in cameras.items():
            features[camera] = PolicyFeature(FeatureType.VISUAL, (3, *size))
    tensors = {
        key: torch.tensor(weights(key, tuple(value.shape)))
        for key, value in policy.state_dict().items()
        if not key.endswith(("pos_grid", "num_batches_tracked"))
    }
    policy.load_state_dict(tensors, strict=False)
    statistics = {
        feature: {key: torch.tensor(value) for key, value in numbers.items()} for feature, numbers in statistics.items()
    }
    written = dict(resize_shape=resize, crop_ratio=crop_ratio) if resize else {}
    return policy, make_diffusion_pre_post_processors(config, dataset_stats=statistics), resize, written


def observations(name: str, cameras: dict, environment: int, steps: int) -> list[dict]:
    """The observations of a case, oldest first, as a robot has them."""
    result = []
    for step in range(steps):
        random = generator(f"{name} observation {step}")
        observation = {STATE: (512 * random.random(2)).astype(numpy.float32)}
        if environment:
            observation[ENVIRONMENT] = (2 * random.random(environment) - 1).astype(numpy.float32)
        observation |= {camera: frame(camera, step, *size) for camera, size in cameras.items()}
        result.append(observation)
    return result


def sample(policy, condition, numbers):
    """LeRobot's own sampling loop, with the noise given."""
    rows = iter(numbers[1:])
    drawn = scheduling_ddpm.randn_tensor
    scheduling_ddpm.randn_tensor = lambda *arguments, **options: next(rows)[None]
    try:
        return policy.diffusion.conditional_sample(1, global_cond=condition, noise=numbers[:1].clone())[0]
    finally:
        scheduling_ddpm.randn_tensor = drawn


def write_case(name: str, **case) -> None:
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    policy, (before, after), resize, written = policy_of(name, **case)
    config = policy.config
    steps = observations(name, case["cameras"], case.get("environment", 0), config.n_obs_steps)
    original = DiffusionRgbEncoder.forward
    if resize is not None:
        shrink = torchvision.transforms.Resize(list(resize), antialias=True)
        DiffusionRgbEncoder.forward = lambda self, x: original(self, shrink(x))
    try:
        processed = []
        for observation in steps:
            batch = {
                key: torch.tensor(value).permute(2, 0, 1).float() / 255 if value.ndim == 3 else torch.tensor(value)
                for key, value in observation.items()
            }
            processed.append(before(batch))
        batch = {key: torch.stack([step[key] for step in processed], dim=1) for key in steps[0]}
        batch["observation.images"] = torch.stack([batch[camera] for camera in config.image_features], dim=-4)
        with torch.no_grad():
            condition = policy.diffusion._prepare_global_conditioning(batch)
            numbers = torch.tensor(noise(f"{name} noise", (config.num_inference_steps + 1, config.horizon, 2)))
            prediction = sample(policy, condition, numbers)
            actions = after(prediction)
    finally:
        DiffusionRgbEncoder.forward = original
    config._save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | written, indent=1) + "\n")
    before.save_pretrained(folder)
    after.save_pretrained(folder)
    golden = dict(
        observations=[{key: value.tolist() for key, value in step.items() if value.ndim == 1} for step in steps],
        cameras=list(case["cameras"]),
        condition=[round(float(value), 7) for value in condition.flatten()],
        prediction=[round(float(value), 5) for value in actions.flatten()],
    )
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    print(name, "condition", len(golden["condition"]), "spread", float(condition.std()))


def main() -> None:
    torch.set_num_threads(1)
    for name, case in CASES.items():
        write_case(name, **case)


if __name__ == "__main__":
    main()
