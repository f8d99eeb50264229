#!/usr/bin/env python3
"""Trains the PushT keypoint policy.

    python train.py --data demos.npz --output run/
    python train.py --data demos.npz --output run/ --resume

The output folder gets `checkpoint.pt`, from which --resume goes on exactly where the run stood, and
`loss.jsonl`. `export.py` makes a policy bundle of the checkpoint.
"""

import argparse
import copy
import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor

from checkpoint import FixedEncoder, read_origin
from episode_files import load_episodes, successful
from network import DiffusionNetwork
from noise_schedule import NoiseSchedule
from pusht_data import Demonstrations, aligned_to_goal, load_demonstrations, with_mirror_images
from recipe import PolicyShape, TrainingRecipe
from training_run import descend, load_checkpoint, refuse_to_overwrite, run_training, save_checkpoint, update_average
from windows import Source, Windows, statistics_of, training_windows


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
        descend(loss, self.network, self.optimizer, self.recipe.gradient_norm)
        self.step_count += 1
        recipe = self.recipe
        update_average(self.average, self.network, self.step_count, recipe.ema_power, recipe.ema_maximum)
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

    def save(self, path: Path) -> None:
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
        save_checkpoint(checkpoint, path)

    def load(self, path: Path) -> None:
        checkpoint = load_checkpoint(path, self.device, shape=asdict(self.shape), recipe=asdict(self.recipe))
        self.step_count = checkpoint["step_count"]
        self.network.load_state_dict(checkpoint["network"])
        self.average.load_state_dict(checkpoint["average"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.generator.set_state(checkpoint["generator"].cpu())

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Begins with the averaged weights of another run, everything else new."""
        self.network.load_state_dict(weights)
        self.average.load_state_dict(weights)


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


def train(trainer: Trainer, arguments: argparse.Namespace) -> None:
    """From where the trainer stands to the recipe's last step."""
    parameters = sum(p.numel() for p in trainer.network.parameters())
    print(f"{len(trainer.windows)} windows, {parameters} parameters, from step {trainer.step_count}", flush=True)
    run_training(trainer, arguments.output, trainer.recipe.steps, 50, arguments.checkpoint_every)


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
    train(trainer, arguments)


if __name__ == "__main__":
    main()
