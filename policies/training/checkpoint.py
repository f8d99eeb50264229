"""What others take from a training run's checkpoint: the averaged weights and how inputs are normalised."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bundle import read_bundle
from normalization import FrameNormalization, Range, Statistics
from recipe import PolicyShape, TrainingRecipe

ENCODER_PREFIX = "diffusion.rgb_encoder."


@dataclass(frozen=True)
class FixedEncoder:
    """The encoder of an image policy, which the training of its UNet leaves as it is; names without ENCODER_PREFIX."""

    weights: dict[str, Tensor]
    frames: FrameNormalization


@dataclass(frozen=True)
class TrainedWeights:
    shape: PolicyShape
    recipe: TrainingRecipe
    step_count: int
    average: dict[str, Tensor]
    statistics: Statistics
    encoder: FixedEncoder | None = None

    @property
    def policy_weights(self) -> dict[str, Tensor]:
        """By the names of a policy bundle."""
        encoder = self.encoder.weights if self.encoder else {}
        return self.average | {ENCODER_PREFIX + name: tensor for name, tensor in encoder.items()}


def read_checkpoint(path: Path) -> TrainedWeights:
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    encoder = None
    if "encoder" in checkpoint:
        frames = FrameNormalization(checkpoint["frames"]["mean"], checkpoint["frames"]["std"])
        encoder = FixedEncoder(checkpoint["encoder"], frames)
    return TrainedWeights(
        PolicyShape.of(checkpoint["shape"]),
        TrainingRecipe(**checkpoint["recipe"]),
        checkpoint["step_count"],
        checkpoint["average"],
        {name: Range(range_["min"], range_["max"]) for name, range_ in checkpoint["statistics"].items()},
        encoder,
    )


@dataclass(frozen=True)
class Origin:
    """What a run begins with."""

    average: dict[str, Tensor]
    statistics: Statistics


def read_origin(path: Path) -> Origin:
    """Of a checkpoint, or of a policy bundle (a folder)."""
    if path.is_dir():
        bundle = read_bundle(path)
        return Origin(bundle.network.state_dict(), bundle.statistics)
    trained = read_checkpoint(path)
    return Origin(trained.average, trained.statistics)
