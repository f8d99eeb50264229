#!/usr/bin/env python3
"""Makes the PushT image policy of an encoder and a keypoint policy, and lets its UNet get used to what the encoder sees.

    python train_image.py --data demos.npz --finishes finishes/ --encoder encoder/checkpoint.pt \\
        --policy policies/pusht --output image/ --steps 2000
    python train_image.py ... --resume

The encoder does not change, so that every frame is drawn and encoded once, into `features.pt` in the output folder.
With `--steps 0` the policy is only put together. `export.py` makes a policy bundle of the checkpoint.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bundle import Bundle, read_bundle, stored
from checkpoint import FixedEncoder
from image_encoder import ImageEncoder
from image_policy import encoder_shape, with_lines, with_spread_condition
from normalization import ACTION, STATE
from progress import progress_bar
from recipe import PolicyShape, TrainingRecipe
from train import Trainer, add_training_options, load_training_data, recipe_of, train
from train_encoder import FRAME_NORMALIZATION
from training_run import refuse_to_overwrite
from windows import training_windows
from world import World

FRAMES_AT_ONCE = 128
STATES_A_PART = 4096


def encoder_weights(checkpoint: Path, keypoint_count: int) -> dict[str, Tensor]:
    """Of a checkpoint of `train_encoder.py`, as a policy takes them: rounded as a bundle rounds them."""
    weights = torch.load(checkpoint, map_location="cpu", weights_only=True)["average"]
    lines = with_lines(weights, keypoint_count)
    return {name: stored(f"diffusion.rgb_encoder.{name}", tensor).float() for name, tensor in lines.items()}


def image_shape(shape: PolicyShape) -> PolicyShape:
    return replace(shape, environment_state_count=0, encoder=encoder_shape(shape.environment_state_count))


def unet_weights(keypoint_policy: Bundle) -> dict[str, Tensor]:
    shape = keypoint_policy.shape
    return with_spread_condition(
        keypoint_policy.network.state_dict(), shape.diffusion_step_embed_dim, shape.n_obs_steps, shape.state_count
    )


@torch.inference_mode()
def features_of_states(encoder: ImageEncoder, states: np.ndarray, show: Callable[[int], None]) -> Tensor:
    """Draws each state [n, 5] and encodes its frame: [n, feature_count]. `show` is told of every few frames."""
    world, features = World(), []
    for begin in range(0, len(states), FRAMES_AT_ONCE):
        frames = []
        for state in states[begin : begin + FRAMES_AT_ONCE]:
            world.place(state)
            frames.append(world.frame)
        features.append(encoder(FRAME_NORMALIZATION.normalize(torch.from_numpy(np.stack(frames)))))
        show(len(frames))
    return torch.cat(features)


def cached_features(path: Path, encoder: ImageEncoder, data: list[np.ndarray]) -> list[Tensor]:
    """The features of each array of states; computed in parts, so that a run that is cut off loses little."""
    path.mkdir(parents=True, exist_ok=True)
    files = [[path / f"{i}-{begin}.pt" for begin in range(0, len(s), STATES_A_PART)] for i, s in enumerate(data)]
    parts = [
        (file, states[begin : begin + STATES_A_PART].astype(np.float64))
        for states, row in zip(data, files)
        for file, begin in zip(row, range(0, len(states), STATES_A_PART))
        if not file.exists()
    ]
    done, total = 0, sum(len(states) for _, states in parts)
    with progress_bar("encoding frames", total, log_interval=10) as bar:

        def show(count: int) -> None:
            nonlocal done
            done += count
            bar.show(done)

        for file, states in parts:
            torch.save(features_of_states(encoder, states, show), file.with_suffix(".partial"))
            os.replace(file.with_suffix(".partial"), file)
    return [torch.cat([torch.load(file, weights_only=True) for file in row]) for row in files]


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the PushT image policy of an encoder and a keypoint policy.")
    recipe = TrainingRecipe(steps=2_000, batch=128, learning_rate=1e-4, warmup_steps=100)
    add_training_options(parser, recipe)
    parser.add_argument("--encoder", type=Path, required=True, help="checkpoint of train_encoder.py")
    parser.add_argument("--policy", type=Path, required=True, help="the keypoint policy's bundle")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = recipe_of(arguments, recipe)
    checkpoint = arguments.output / "checkpoint.pt"
    if not arguments.resume:
        refuse_to_overwrite(checkpoint)
    keypoint_policy = read_bundle(arguments.policy)
    shape = image_shape(keypoint_policy.shape)
    encoder = ImageEncoder(shape.encoder).eval()
    encoder.load_state_dict(encoder_weights(arguments.encoder, keypoint_policy.shape.environment_state_count))
    statistics = {name: keypoint_policy.statistics[name] for name in (STATE, ACTION)}
    arguments.output.mkdir(parents=True, exist_ok=True)
    device = torch.device(arguments.device)
    sources = []
    if recipe.steps:
        data = load_training_data(arguments.data, arguments.finishes, recipe)
        states = [source.demonstrations.state for source in data.sources(0)]
        sources = data.sources(recipe.far_distance, cached_features(arguments.output / "features", encoder, states))
    windows = training_windows(sources, shape, statistics, device)
    trainer = Trainer(shape, recipe, windows, device, FixedEncoder(encoder.state_dict(), FRAME_NORMALIZATION))
    if arguments.resume:
        trainer.load(checkpoint)
    else:
        trainer.start_from(unet_weights(keypoint_policy))
    train(trainer, arguments)


if __name__ == "__main__":
    main()
