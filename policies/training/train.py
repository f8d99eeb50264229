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
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from checkpoint import FixedEncoder, read_origin
from episode_files import load_episodes, successful
from network import DiffusionNetwork
from noise_schedule import NoiseSchedule
from pusht_data import Demonstrations, aligned_to_goal, load_demonstrations, with_mirror_images
from recipe import PolicyShape, TrainingRecipe
from windows import Source, Windows, statistics_of, training_windows


@torch.no_grad()
def lerp_towards(average: nn.Module, network: nn.Module, weight: float) -> None:
    """average += weight (network - average), parameter by parameter."""
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), weight)


class Trainer:
    """Everything a checkpoint holds, and one training step."""

    def __init__(
        self,
        shape: PolicyShape,
        recipe: TrainingRecipe,
        windows: Windows,
        device: torch.device,
        encoder: FixedEncoder | None = None,
    ):
        self.shape, self.recipe, self.windows, self.device = shape, recipe, windows, device
        self.encoder = encoder
        torch.manual_seed(recipe.seed)
        self.network = DiffusionNetwork(shape.unet_shape()).to(device)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.schedule = NoiseSchedule(shape.num_train_timesteps)
        self.weights = self.schedule.loss_weights(recipe.snr_limit).to(device)
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
        """One optimizer step. Returns the batch's mean squared error of the predicted noise, weighted."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        conditions, actions, noise, timesteps = self.batch()
        noisy = self.schedule.add_noise(actions, noise, timesteps)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.recipe.autocast):
            predicted = self.network(noisy, timesteps, conditions)
        errors = (predicted.float() - noise).square().mean(dim=(1, 2))
        loss = (errors * self.weights[timesteps]).mean()
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

    def update_average(self) -> None:
        """Exponential moving average whose decay rises as 1 - (1 + step)^-power."""
        decay = min(self.recipe.ema_maximum, 1 - (1 + self.step_count) ** -self.recipe.ema_power)
        lerp_towards(self.average, self.network, 1 - decay)

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
        if self.encoder:
            frames = self.encoder.frames
            checkpoint["encoder"] = self.encoder.weights
            checkpoint["frames"] = {"mean": frames.mean, "std": frames.deviation}
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


def add_training_options(parser: argparse.ArgumentParser, recipe: TrainingRecipe) -> None:
    """The options of a training run. Its recipe's numbers have `recipe`'s as their defaults."""
    parser.add_argument("--data", type=Path, required=True, help="demos.npz, or the zarr archive's folder")
    parser.add_argument(
        "--finishes",
        type=Path,
        nargs="+",
        default=[],
        help="folders of generate_finishes.py, whose episodes show what to do near the goal",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for the checkpoint and the loss")
    parser.add_argument("--resume", action="store_true", help="go on from the output folder's checkpoint")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--checkpoint-every", type=int, default=500, metavar="STEPS")
    for field in fields(TrainingRecipe):
        help_ = field.metadata.get("help")
        if help_ is None:
            continue
        default = getattr(recipe, field.name)
        option = "--" + field.name.replace("_", "-")
        if isinstance(default, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default, help=help_)
        else:
            parser.add_argument(option, type=type(default), default=default, help=f"{help_} (default {default})")


def recipe_of(arguments: argparse.Namespace, recipe: TrainingRecipe) -> TrainingRecipe:
    names = [field.name for field in fields(TrainingRecipe) if hasattr(arguments, field.name)]
    return replace(recipe, **{name: getattr(arguments, name) for name in names})


@dataclass(frozen=True)
class TrainingData:
    demonstrations: Demonstrations
    finishes: Demonstrations | None

    def sources(self, far_distance: float, scenes: list[Tensor] | None = None) -> list[Source]:
        """With finishes, the demonstrations show only what to do further than `far_distance` from the goal."""
        parts = [(self.demonstrations, far_distance if self.finishes else 0.0)]
        if self.finishes:
            parts.append((self.finishes, 0.0))
        return [Source(part, scenes[i] if scenes else None, far) for i, (part, far) in enumerate(parts)]


def load_training_data(data: Path, finishes: list[Path], recipe: TrainingRecipe) -> TrainingData:
    demonstrations = load_demonstrations(data)
    if recipe.align:
        demonstrations = aligned_to_goal(demonstrations)
    near = None
    if finishes:
        near = successful([episode for folder in finishes for episode in load_episodes(folder)])
    if recipe.mirror:
        demonstrations = with_mirror_images(demonstrations)
        near = near and with_mirror_images(near)
    return TrainingData(demonstrations, near)


def run_training(trainer: Trainer, arguments: argparse.Namespace) -> None:
    """From where the trainer stands to the recipe's last step, with checkpoints."""
    checkpoint = arguments.output / "checkpoint.pt"
    parameters = sum(p.numel() for p in trainer.network.parameters())
    print(f"{len(trainer.windows)} windows, {parameters} parameters, from step {trainer.step_count}", flush=True)
    steps = trainer.recipe.steps
    progress = Progress(arguments.output / "loss.jsonl", trainer.step_count, steps)
    while trainer.step_count < steps:
        loss = trainer.step()
        progress.report(trainer.step_count, loss, trainer.learning_rate())
        if trainer.step_count % arguments.checkpoint_every == 0 or trainer.step_count == steps:
            trainer.save(checkpoint)
    if not checkpoint.exists():
        trainer.save(checkpoint)


def refuse_to_overwrite(checkpoint: Path) -> None:
    if checkpoint.exists():
        raise SystemExit(f"{checkpoint} exists: give --resume to go on from it, or another --output")


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the PushT keypoint policy.")
    add_training_options(parser, TrainingRecipe())
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="PATH",
        help="begin with the averaged weights and the normalisation of another run's checkpoint, or with a bundle",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    recipe = recipe_of(arguments, TrainingRecipe())
    shape = PolicyShape()
    checkpoint = arguments.output / "checkpoint.pt"
    if not arguments.resume:
        refuse_to_overwrite(checkpoint)
    data = load_training_data(arguments.data, arguments.finishes, recipe)
    origin_path = checkpoint if arguments.resume else arguments.start_from
    origin = read_origin(origin_path) if origin_path else None
    statistics = origin.statistics if origin else statistics_of(data.demonstrations)
    windows = training_windows(data.sources(recipe.far_distance), shape, statistics, device)
    trainer = Trainer(shape, recipe, windows, device)
    arguments.output.mkdir(parents=True, exist_ok=True)
    if arguments.resume:
        trainer.load(checkpoint)
    elif origin:
        trainer.start_from(origin.average)
    run_training(trainer, arguments)


if __name__ == "__main__":
    main()
