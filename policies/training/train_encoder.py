#!/usr/bin/env python3
"""Trains an image encoder to see where the block is.

    python train_encoder.py --data demos.npz --episodes finishes/ --policy policies/pusht --output encoder/
    python train_encoder.py --data demos.npz --episodes finishes/ --policy policies/pusht --output encoder/ --resume

What the encoder's last layer computes becomes the block's keypoints, normalised as --policy takes them. With that,
`image_policy.py` makes a policy that sees of one that is told where the block is.
Frames are drawn while training, so that no frame comes twice. A resumed run may be given more --steps.
"""

import argparse
import copy
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bundle import read_bundle
from frame_source import FrameSource, LabelledFrames, moments_of
from image_encoder import EncoderShape, ImageEncoder
from normalization import ENVIRONMENT_STATE, FrameNormalization, Range
from training_run import descend, load_checkpoint, refuse_to_overwrite, run_training, save_checkpoint, update_average

# Mean and standard deviation of a frame's channels (red, green, blue; 0 to 1), over the demonstrations.
FRAME_NORMALIZATION = FrameNormalization(torch.tensor([0.973, 0.982, 0.979]), torch.tensor([0.101, 0.072, 0.077]))
# Seeds of batches are two numbers: a recipe's seed and the step. No recipe has this one.
HELD_OUT_SEED = 1_000_000


@dataclass(frozen=True)
class EncoderRecipe:
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    # The part of the run, at its end, in which the learning rate falls to 0. Before, it stays the same.
    decay_share: float = 0.4
    gradient_norm: float = 1.0
    ema_power: float = 0.75
    ema_maximum: float = 0.998
    # Errors below this many pixels count squared, larger ones linearly.
    huber_pixels: float = 4.0
    seed: int = 0


class EncoderTrainer:
    def __init__(self, shape: EncoderShape, recipe: EncoderRecipe, steps: int, keypoint_range: Range, source: FrameSource):
        self.shape, self.recipe, self.steps = shape, recipe, steps
        self.keypoint_range, self.source = keypoint_range, source
        torch.manual_seed(recipe.seed)
        self.encoder = ImageEncoder(shape)
        self.average = copy.deepcopy(self.encoder).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.encoder.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        self.step_count = 0

    def step(self) -> float:
        """One optimizer step. Returns the batch's mean error of a keypoint's coordinate, pixels."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        batch = self.source.batch(self.recipe.batch, [self.recipe.seed, self.step_count])
        errors = self.keypoints(self.encoder, batch.frames) - torch.from_numpy(batch.keypoints)
        loss = nn.functional.huber_loss(errors, torch.zeros_like(errors), delta=self.recipe.huber_pixels)
        descend(loss, self.encoder, self.optimizer, self.recipe.gradient_norm)
        self.step_count += 1
        recipe = self.recipe
        update_average(self.average, self.encoder, self.step_count, recipe.ema_power, recipe.ema_maximum)
        return errors.detach().abs().mean().item()

    def keypoints(self, encoder: ImageEncoder, frames: np.ndarray) -> Tensor:
        """Frames [batch, h, w, 3] uint8 -> keypoints [batch, 16], pixels of the table."""
        normalized = encoder.linear(FRAME_NORMALIZATION.normalize(torch.from_numpy(frames)))
        return self.keypoint_range.unnormalize(normalized[:, : len(self.keypoint_range.minimum)])

    def learning_rate(self) -> float:
        recipe, step = self.recipe, self.step_count
        if step < recipe.warmup_steps:
            return recipe.learning_rate * (step + 1) / recipe.warmup_steps
        decay_steps = recipe.decay_share * self.steps
        left = min(1.0, (self.steps - step) / decay_steps)
        return recipe.learning_rate * 0.5 * (1 - math.cos(math.pi * left))

    @torch.inference_mode()
    def error(self, frames: LabelledFrames) -> dict[str, float]:
        """Error of the averaged encoder, pixels: mean and 95th percentile of a coordinate's."""
        pieces = np.split(frames.frames, range(64, len(frames.frames), 64))
        found = torch.cat([self.keypoints(self.average, piece) for piece in pieces])
        errors = (found - torch.from_numpy(frames.keypoints)).abs()
        return {"mean": errors.mean().item(), "p95": errors.flatten().quantile(0.95).item()}

    def save(self, path: Path) -> None:
        checkpoint = {
            "shape": asdict(self.shape),
            "recipe": asdict(self.recipe),
            "step_count": self.step_count,
            "encoder": self.encoder.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "keypoint_range": {"min": self.keypoint_range.minimum, "max": self.keypoint_range.maximum},
        }
        save_checkpoint(checkpoint, path)

    def load(self, path: Path) -> None:
        checkpoint = load_checkpoint(path, shape=asdict(self.shape), recipe=asdict(self.recipe))
        self.step_count = checkpoint["step_count"]
        self.encoder.load_state_dict(checkpoint["encoder"])
        self.average.load_state_dict(checkpoint["average"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains an image encoder to see where the block is.")
    parser.add_argument("--data", type=Path, required=True, help="demos.npz, or the zarr archive's folder")
    parser.add_argument("--episodes", type=Path, nargs="*", default=[], help="folders of simulated episodes")
    parser.add_argument("--policy", type=Path, required=True, help="the keypoint policy, whose normalisation is taken")
    parser.add_argument("--output", type=Path, required=True, help="folder for the checkpoint and the errors")
    parser.add_argument("--resume", action="store_true", help="go on from the output folder's checkpoint")
    parser.add_argument("--steps", type=int, default=6_000, help="(default 6000)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--checkpoint-every", type=int, default=100, metavar="STEPS", help="(default 100)")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    checkpoint = arguments.output / "checkpoint.pt"
    keypoint_range = read_bundle(arguments.policy).statistics[ENVIRONMENT_STATE]
    source = FrameSource(moments_of(arguments.data, arguments.episodes))
    trainer = EncoderTrainer(EncoderShape(), EncoderRecipe(), arguments.steps, keypoint_range, source)
    arguments.output.mkdir(parents=True, exist_ok=True)
    if arguments.resume:
        trainer.load(checkpoint)
    else:
        refuse_to_overwrite(checkpoint)
    held_out = {"all": source.batch(256, [HELD_OUT_SEED, 0]), "near goal": source.near_goal(256, [HELD_OUT_SEED, 1])}

    def errors() -> str:
        found = {name: trainer.error(frames) for name, frames in held_out.items()}
        return json.dumps({"step": trainer.step_count, "pixels": found})

    run_training(trainer, arguments.output, arguments.steps, 20, arguments.checkpoint_every, remark=errors)


if __name__ == "__main__":
    main()
