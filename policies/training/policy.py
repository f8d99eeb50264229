"""The trained policy in PyTorch: observation histories in, action chunks out, in pixels."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bundle import Bundle, read_bundle
from noise_schedule import NoiseSchedule
from normalization import ACTION, condition


@dataclass(frozen=True)
class Chunk:
    action: Tensor  # [batch, n_action_steps, action], from the current step on
    action_pred: Tensor  # [batch, horizon, action], from the first observation on
    first_model_output: Tensor  # [batch, horizon, action], the network's output in the first step


class Policy:
    def __init__(self, directory: Path):
        self.bundle: Bundle = read_bundle(directory)
        self.shape = self.bundle.shape
        self.schedule = NoiseSchedule(self.shape.num_train_timesteps)

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """Shape of the noise of one chunk: the initial sample, then what each step adds."""
        return (self.shape.num_train_timesteps + 1, self.shape.horizon, self.shape.action_count)

    @torch.inference_mode()
    def chunk(self, state: Tensor, environment_state: Tensor, noise: Tensor) -> Chunk:
        """Histories [batch, n_obs_steps, count] and noise [steps + 1, batch, horizon, action] -> chunks."""
        statistics, shape = self.bundle.statistics, self.shape
        conditions = condition(statistics, state, environment_state)
        outputs: list[Tensor] = []

        def predict(sample: Tensor, timesteps: Tensor) -> Tensor:
            output = self.bundle.network(sample, timesteps, conditions)
            if not outputs:
                outputs.append(output)
            return output

        prediction = statistics[ACTION].unnormalize(self.schedule.sample(predict, noise))
        first = shape.n_obs_steps - 1
        return Chunk(prediction[:, first : first + shape.n_action_steps], prediction, outputs[0])
