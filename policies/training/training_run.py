"""What the trainings of the policy and of its encoder have in common: the average of the weights, checkpoints, the log."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from progress import progress_bar


class Trainer(Protocol):
    """What `run_training` trains."""

    step_count: int

    def step(self) -> float: ...

    def learning_rate(self) -> float: ...

    def save(self, path: Path) -> None: ...


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, step_count: int, power: float, maximum: float) -> None:
    """Exponential moving average whose decay rises as 1 - (1 + step)^-power, up to `maximum`."""
    decay = min(maximum, 1 - (1 + step_count) ** -power)
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)


def descend(loss: torch.Tensor, network: nn.Module, optimizer: torch.optim.Optimizer, gradient_norm: float) -> None:
    """One step of the optimizer, with clipped gradients."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), gradient_norm)
    optimizer.step()


def save_checkpoint(checkpoint: dict, path: Path) -> None:
    """Replaces the checkpoint in one move: a run that is cut off leaves the one before whole."""
    partial = path.with_suffix(".partial")
    torch.save(checkpoint, partial)
    os.replace(partial, path)


def load_checkpoint(path: Path, device: torch.device | str = "cpu", **expected: dict) -> dict:
    """The checkpoint, whose `expected` members must be those of this run."""
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    for name, value in expected.items():
        if checkpoint[name] != value:
            raise SystemExit(f"{path}: its {name} is {checkpoint[name]}, but this run asks for {value}")
    return checkpoint


def refuse_to_overwrite(checkpoint: Path) -> None:
    if checkpoint.exists():
        raise SystemExit(f"{checkpoint} exists: give --resume to go on from it, or another --output")


def run_training(
    trainer: Trainer,
    output: Path,
    last_step: int,
    every: int,
    checkpoint_every: int,
    remark: Callable[[], str] | None = None,
) -> None:
    """From where the trainer stands to the last step, with checkpoints in the output folder.

    `loss.jsonl` gets a line every `every` steps: the step, the mean loss since the last line, the learning rate, the
    seconds. Standard output gets it too, or a progress bar if it is a terminal. `remark` is a line after each checkpoint.
    """
    checkpoint, log = output / "checkpoint.pt", output / "loss.jsonl"
    losses: list[float] = []
    with progress_bar("training", last_step, first=trainer.step_count) as bar:
        text = ""
        while trainer.step_count < last_step:
            losses.append(trainer.step())
            step = trainer.step_count
            bar.show(step, text or f"loss {losses[-1]:.4f}")
            if step % every == 0 or step == last_step:
                mean = sum(losses) / len(losses)
                losses.clear()
                record = {"step": step, "loss": mean, "learning_rate": trainer.learning_rate(), "seconds": bar.elapsed}
                text = f"loss {mean:.4f}"
                if not bar.is_shown:
                    bar.note(training_line(record, last_step, bar.first, bar.left(step)))
                with log.open("a") as file:
                    file.write(json.dumps(record) + "\n")
            if step % checkpoint_every == 0 or step == last_step:
                trainer.save(checkpoint)
                if remark:
                    bar.note(remark())
        if bar.is_shown and text:
            bar.note(f"step {trainer.step_count}/{last_step}  {text}  {bar.elapsed / 60:.1f} min")
    if not checkpoint.exists():
        trainer.save(checkpoint)


def training_line(record: dict, last_step: int, first_step: int, left: float | None) -> str:
    pace = record["seconds"] / (record["step"] - first_step)
    line = f"step {record['step']}/{last_step}  loss {record['loss']:.4f}  lr {record['learning_rate']:.2e}  "
    return line + f"{pace:.3f} s/step  {record['seconds'] / 60:.1f} min  {(left or 0) / 60:.1f} min left"
