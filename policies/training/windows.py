"""Training windows: from demonstrations to the network's conditions and normalised action chunks."""

from dataclasses import dataclass

import torch
from torch import Tensor

from normalization import ACTION, ENVIRONMENT_STATE, STATE, Range, Statistics, condition_on
from pusht_data import Demonstrations, distance_to_goal, window_indices
from recipe import PolicyShape


@dataclass(frozen=True)
class Windows:
    """All training windows, normalised: the conditions [windows, c] and the actions [windows, horizon, action]."""

    statistics: Statistics
    conditions: Tensor
    actions: Tensor

    def __len__(self) -> int:
        return len(self.actions)


@dataclass(frozen=True)
class Source:
    """Demonstrations, and what to take of them."""

    demonstrations: Demonstrations
    # [steps, scene_count], as the network takes it; without, the block's keypoints, normalised.
    scene: Tensor | None = None
    # Only windows whose current step is at least so far from the goal, in pixels (`distance_to_goal`).
    far_distance: float = 0.0


def statistics_of(demonstrations: Demonstrations) -> Statistics:
    return {
        STATE: Range.of(demonstrations.agent_position),
        ENVIRONMENT_STATE: Range.of(demonstrations.keypoints),
        ACTION: Range.of(demonstrations.action),
    }


def training_windows(
    sources: list[Source], shape: PolicyShape, statistics: Statistics, device: torch.device | str = "cpu"
) -> Windows:
    size = shape.unet_shape()
    conditions, actions = [torch.empty(0, size.condition_count)], [torch.empty(0, shape.horizon, size.action_count)]
    for source in sources:
        demonstrations = source.demonstrations
        observation_rows, action_rows = window_indices(
            demonstrations.episode_ends, shape.n_obs_steps, shape.horizon, shape.n_action_steps
        )
        far = distance_to_goal(demonstrations.state[observation_rows[:, -1], 2:]) >= source.far_distance
        observation_rows, action_rows = observation_rows[far], action_rows[far]
        scene = source.scene
        if scene is None:
            scene = statistics[ENVIRONMENT_STATE].normalize(torch.from_numpy(demonstrations.keypoints))
        state = torch.from_numpy(demonstrations.agent_position)
        conditions.append(condition_on(statistics, state[observation_rows], scene[observation_rows]))
        action = torch.from_numpy(demonstrations.action).float()[action_rows]
        actions.append(statistics[ACTION].normalize(action))
    return Windows(statistics, torch.cat(conditions).to(device), torch.cat(actions).to(device))
