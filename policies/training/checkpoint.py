"""What others take from a training run's checkpoint: the averaged weights and how inputs are normalised."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from normalization import Range, Statistics
from recipe import PolicyShape, TrainingRecipe


@dataclass(frozen=True)
class TrainedWeights:
    shape: PolicyShape
    recipe: TrainingRecipe
    step_count: int
    average: dict[str, Tensor]
    statistics: Statistics


def read_checkpoint(path: Path) -> TrainedWeights:
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    return TrainedWeights(
        PolicyShape(**checkpoint["shape"]),
        TrainingRecipe(**checkpoint["recipe"]),
        checkpoint["step_count"],
        checkpoint["average"],
        {name: Range(range_["min"], range_["max"]) for name, range_ in checkpoint["statistics"].items()},
    )
