"""Min-max normalisation as LeRobot does it: [min, max] of the data to [-1, 1], per number."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Range:
    minimum: Tensor
    maximum: Tensor

    @staticmethod
    def of(data: np.ndarray) -> "Range":
        """The range of each column of [rows, count]."""
        return Range(torch.from_numpy(data.min(axis=0)).float(), torch.from_numpy(data.max(axis=0)).float())

    def normalize(self, x: Tensor) -> Tensor:
        return 2 * (x - self.minimum) / (self.maximum - self.minimum) - 1

    def unnormalize(self, x: Tensor) -> Tensor:
        return (x + 1) / 2 * (self.maximum - self.minimum) + self.minimum


Statistics = dict[str, Range]
"""A range for each feature, by its LeRobot name."""


@dataclass(frozen=True)
class FrameNormalization:
    """Mean and standard deviation of each channel (red, green, blue) of frames whose numbers are 0 to 1."""

    mean: Tensor
    deviation: Tensor

    def normalize(self, frames: Tensor) -> Tensor:
        """[..., h, w, 3] uint8 -> [..., 3, h, w]. LeRobot adds 1e-8 to the deviation."""
        return ((frames.float() / 255 - self.mean) / (self.deviation + 1e-8)).movedim(-1, -3).contiguous()


STATE = "observation.state"
ENVIRONMENT_STATE = "observation.environment_state"
IMAGE = "observation.image"
ACTION = "action"


def condition(statistics: Statistics, state: Tensor, environment_state: Tensor) -> Tensor:
    """[batch, n_obs_steps, count] of both features, in robot units -> the network's condition [batch, c]."""
    return condition_on(statistics, state, statistics[ENVIRONMENT_STATE].normalize(environment_state))


def condition_on(statistics: Statistics, state: Tensor, scene: Tensor) -> Tensor:
    """As `condition`, of a scene that the network takes as it is: for each step in turn, state first, then scene."""
    return torch.cat((statistics[STATE].normalize(state), scene), dim=-1).flatten(start_dim=1)
