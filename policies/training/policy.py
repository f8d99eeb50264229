"""The trained policy in PyTorch: observation histories in, action chunks out, in pixels."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bundle import Bundle, read_bundle
from noise_schedule import NoiseSchedule
from normalization import ACTION, condition, condition_on


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
    def chunk(self, state: Tensor, scene: Tensor, noise: Tensor) -> Chunk:
        """Histories and noise [steps + 1, batch, horizon, action] -> chunks, by DDPM.

        `state` is [batch, n_obs_steps, 2]; `scene` is keypoints [batch, n_obs_steps, 16], or frames
        [batch, n_obs_steps, h, w, 3] uint8.
        """
        conditions = self.conditions(state, scene)
        outputs: list[Tensor] = []

        def predict(sample: Tensor, timesteps: Tensor) -> Tensor:
            output = self.bundle.network(sample, timesteps, conditions)
            if not outputs:
                outputs.append(output)
            return output

        prediction = self.bundle.statistics[ACTION].unnormalize(self.schedule.sample(predict, noise))
        return Chunk(self.executed(prediction), prediction, outputs[0])

    def conditions(self, state: Tensor, scene: Tensor) -> Tensor:
        statistics, frames = self.bundle.statistics, self.bundle.frames
        if not frames:
            return condition(statistics, state, scene)
        features = self.bundle.network.encode(frames.normalize(scene.flatten(end_dim=1)))
        return condition_on(statistics, state, features.unflatten(0, scene.shape[:2]))

    def executed(self, prediction: Tensor) -> Tensor:
        """The part of the horizon that is carried out: from the current step on."""
        first = self.shape.n_obs_steps - 1
        return prediction[:, first : first + self.shape.n_action_steps]
