#!/usr/bin/env python3
"""Trains the PushT keypoint policy.

    python train.py --data demos.npz --output run/
    python train.py --data demos.npz --output run/ --resume

The output folder gets `checkpoint.pt`, from which --resume goes on exactly where the run stood, and
`loss.jsonl`. `export.py` makes a policy bundle of the checkpoint.
"""

import argparse
import copy
import json
import math
import os
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from checkpoint import read_checkpoint
from network import DiffusionNetwork
from noise_schedule import NoiseSchedule
from normalization import ACTION, ENVIRONMENT_STATE, STATE, Range, Statistics, condition
from pusht_data import (
    Demonstrations,
    aligned_to_goal,
    load_demonstrations,
    window_indices,
    with_mirror_images,
)
from recipe import PolicyShape, TrainingRecipe


class Windows:
    """All training windows, normalised: the conditions [windows, c] and the actions [windows, horizon, action]."""

    def __init__(
        self,
        demonstrations: Demonstrations,
        shape: PolicyShape,
        device: torch.device,
        statistics: Statistics | None = None,
    ):
        self.statistics: Statistics = statistics or {
            STATE: Range.of(demonstrations.agent_position),
            ENVIRONMENT_STATE: Range.of(demonstrations.keypoints),
            ACTION: Range.of(demonstrations.action),
        }
        observation_rows, action_rows = window_indices(
            demonstrations.episode_ends, shape.n_obs_steps, shape.horizon, shape.n_action_steps
        )
        state = torch.from_numpy(demonstrations.agent_position)[observation_rows]
        environment_state = torch.from_numpy(demonstrations.keypoints)[observation_rows]
        action = torch.from_numpy(demonstrations.action).float()[action_rows]
        self.conditions = condition(self.statistics, state, environment_state).to(device)
        self.actions = self.statistics[ACTION].normalize(action).to(device)

    def __len__(self) -> int:
        return len(self.actions)


class Trainer:
    """Everything a checkpoint holds, and one training step."""

    def __init__(self, shape: PolicyShape, recipe: TrainingRecipe, windows: Windows, device: torch.device):
        self.shape, self.recipe, self.windows, self.device = shape, recipe, windows, device
        torch.manual_seed(recipe.seed)
        self.network = DiffusionNetwork(shape.network_shape()).to(device)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.schedule = NoiseSchedule(shape.num_train_timesteps)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=recipe.learning_rate,
            betas=recipe.betas,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        # Drawn on the CPU whatever the device, so that the batches of a seed are the same everywhere.
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.step_count = 0

    def step(self) -> float:
        """One optimizer step. Returns the batch's mean squared error of the predicted noise."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        conditions, actions, noise, timesteps = self.batch()
        noisy = self.schedule.add_noise(actions, noise, timesteps)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            predicted = self.network(noisy, timesteps, conditions)
        loss = nn.functional.mse_loss(predicted.float(), noise)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.gradient_norm)
        self.optimizer.step()
        self.step_count += 1
        self.update_average()
        return loss.item()

    def batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        recipe, generator, device = self.recipe, self.generator, self.device
        rows = torch.randint(len(self.windows), (recipe.batch,), generator=generator).to(device)
        timesteps = torch.randint(self.shape.num_train_timesteps, (recipe.batch,), generator=generator)
        actions = self.windows.actions[rows]
        noise = torch.randn(actions.shape, generator=generator)
        return self.windows.conditions[rows], actions, noise.to(device), timesteps.to(device)

    def learning_rate(self) -> float:
        """Linear warm-up, then half a cosine down to 0 at the last step."""
        recipe, step = self.recipe, self.step_count
        if step < recipe.warmup_steps:
            return recipe.learning_rate * (step + 1) / recipe.warmup_steps
        progress = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
        return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential moving average whose decay rises as 1 - (1 + step)^-power."""
        decay = min(self.recipe.ema_maximum, 1 - (1 + self.step_count) ** -self.recipe.ema_power)
        averages = list(self.average.parameters())
        torch._foreach_lerp_(averages, list(self.network.parameters()), 1 - decay)

    def save(self, path: Path) -> None:
        """Replaces the checkpoint in one move: a run that is cut off leaves the one before whole."""
        checkpoint = {
            "shape": asdict(self.shape),
            "recipe": asdict(self.recipe),
            "step_count": self.step_count,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "statistics": {
                name: {"min": range_.minimum, "max": range_.maximum} for name, range_ in self.windows.statistics.items()
            },
        }
        partial = path.with_suffix(".partial")
        torch.save(checkpoint, partial)
        os.replace(partial, path)

    def load(self, path: Path) -> None:
        checkpoint = torch.load(path, map_location=self.device, weights_only=True)
        for name, found, expected in (
            ("shape", checkpoint["shape"], asdict(self.shape)),
            ("recipe", checkpoint["recipe"], asdict(self.recipe)),
        ):
            if found != expected:
                raise SystemExit(f"{path}: its {name} is {found}, but this run asks for {expected}")
        self.step_count = checkpoint["step_count"]
        self.network.load_state_dict(checkpoint["network"])
        self.average.load_state_dict(checkpoint["average"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.generator.set_state(checkpoint["generator"].cpu())

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Begins with the averaged weights of another run, everything else new."""
        self.network.load_state_dict(weights)
        self.average.load_state_dict(weights)


class Progress:
    """A line every `every` steps: the step, the mean loss since the last line, the pace, the time left."""

    def __init__(self, log: Path, first_step: int, last_step: int, every: int = 50):
        self.log, self.last_step, self.every = log, last_step, every
        self.losses: list[float] = []
        self.first_step, self.started = first_step, time.monotonic()

    def report(self, step: int, loss: float, learning_rate: float) -> None:
        self.losses.append(loss)
        if step % self.every != 0 and step != self.last_step:
            return
        mean = sum(self.losses) / len(self.losses)
        self.losses.clear()
        elapsed = time.monotonic() - self.started
        pace = elapsed / (step - self.first_step)
        left = pace * (self.last_step - step)
        line = f"step {step}/{self.last_step}  loss {mean:.4f}  lr {learning_rate:.2e}  "
        line += f"{pace:.3f} s/step  {elapsed / 60:.1f} min  {left / 60:.1f} min left"
        if sys.stdout.isatty():
            print(f"\r\x1b[K{line}", end="" if step < self.last_step else "\n", flush=True)
        else:
            print(line, flush=True)
        with self.log.open("a") as file:
            record = {"step": step, "loss": mean, "learning_rate": learning_rate, "seconds": elapsed}
            file.write(json.dumps(record) + "\n")


def parse_arguments() -> argparse.Namespace:
    recipe = TrainingRecipe()
    parser = argparse.ArgumentParser(description="Trains the PushT keypoint policy.")
    parser.add_argument("--data", type=Path, required=True, help="demos.npz, or the zarr archive's folder")
    parser.add_argument("--output", type=Path, required=True, help="folder for the checkpoint and the loss")
    parser.add_argument("--resume", action="store_true", help="go on from the output folder's checkpoint")
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="CHECKPOINT",
        help="begin with the averaged weights and the normalisation of another run's checkpoint",
    )
    for option, help_ in (
        ("--align", "move each demonstration so that it ends at the goal exactly"),
        ("--mirror", "add each demonstration's mirror image"),
    ):
        parser.add_argument(option, action=argparse.BooleanOptionalAction, default=True, help=help_)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--checkpoint-every", type=int, default=500, metavar="STEPS")
    for field in fields(TrainingRecipe):
        if field.name in ("steps", "batch", "learning_rate", "warmup_steps", "seed"):
            default = getattr(recipe, field.name)
            option = "--" + field.name.replace("_", "-")
            parser.add_argument(option, type=type(default), default=default, help=f"(default {default})")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    recipe = TrainingRecipe(
        steps=arguments.steps,
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        warmup_steps=arguments.warmup_steps,
        seed=arguments.seed,
        align=arguments.align,
        mirror=arguments.mirror,
    )
    shape = PolicyShape()
    checkpoint = arguments.output / "checkpoint.pt"
    demonstrations = load_demonstrations(arguments.data)
    if recipe.align:
        demonstrations = aligned_to_goal(demonstrations)
    if recipe.mirror:
        demonstrations = with_mirror_images(demonstrations)
    origin_path = checkpoint if arguments.resume else arguments.start_from
    origin = read_checkpoint(origin_path) if origin_path else None
    windows = Windows(demonstrations, shape, device, origin and origin.statistics)
    trainer = Trainer(shape, recipe, windows, device)
    arguments.output.mkdir(parents=True, exist_ok=True)
    if arguments.resume:
        trainer.load(checkpoint)
    elif checkpoint.exists():
        raise SystemExit(f"{checkpoint} exists: give --resume to go on from it, or another --output")
    elif origin:
        trainer.start_from(origin.average)
    parameters = sum(p.numel() for p in trainer.network.parameters())
    print(f"{len(windows)} windows, {parameters} parameters, from step {trainer.step_count}", flush=True)

    progress = Progress(arguments.output / "loss.jsonl", trainer.step_count, recipe.steps)
    while trainer.step_count < recipe.steps:
        loss = trainer.step()
        progress.report(trainer.step_count, loss, trainer.learning_rate())
        if trainer.step_count % arguments.checkpoint_every == 0 or trainer.step_count == recipe.steps:
            trainer.save(checkpoint)


if __name__ == "__main__":
    main()
