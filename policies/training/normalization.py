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

STATE = "observation.state"
ENVIRONMENT_STATE = "observation.environment_state"
ACTION = "action"


def condition(statistics: Statistics, state: Tensor, environment_state: Tensor) -> Tensor:
    """[batch, n_obs_steps, count] of both features, in robot units -> the network's condition [batch, c].

    For each observation step in turn: state first, then environment state.
    """
    features = (
        statistics[STATE].normalize(state),
        statistics[ENVIRONMENT_STATE].normalize(environment_state),
    )
    return torch.cat(features, dim=-1).flatten(start_dim=1)
