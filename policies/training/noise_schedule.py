"""DDPM (Ho et al., 2020) on the squared-cosine schedule (Nichol and Dhariwal, 2021), epsilon prediction."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


class NoiseSchedule:
    """`num_train_timesteps` steps; inference visits each one, from the last to 0."""

    def __init__(self, num_train_timesteps: int = 100, clip_sample_range: float | None = 1.0):
        self.num_train_timesteps = num_train_timesteps
        self.clip_sample_range = clip_sample_range
        n = num_train_timesteps

        def signal(fraction: float) -> float:
            return math.cos((fraction + 0.008) / 1.008 * math.pi / 2) ** 2

        betas = [min(1 - signal((i + 1) / n) / signal(i / n), 0.999) for i in range(n)]
        self.betas = torch.tensor(betas, dtype=torch.float32)
        self.alphas_cumprod = torch.cumprod(1 - self.betas, dim=0)

    def add_noise(self, sample: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The noisy sample at `timesteps` [batch]: sqrt(abar) sample + sqrt(1 - abar) noise."""
        alphas_cumprod = self.alphas_cumprod.to(sample.device)[timesteps][:, None, None]
        return alphas_cumprod.sqrt() * sample + (1 - alphas_cumprod).sqrt() * noise

    def loss_weights(self, snr_limit: float) -> Tensor:
        """Weights [timesteps] of the predicted noise's squared error, min(1, limit / SNR); 1 for a limit of 0.

        The min-SNR weighting of Hang et al. (2023). Without it, most of the loss is about detail at low noise, and little
        about what a chunk does at all, which is decided at high noise.
        """
        if snr_limit == 0:
            return torch.ones(self.num_train_timesteps)
        snr = self.alphas_cumprod / (1 - self.alphas_cumprod)
        return (snr_limit / snr).clamp(max=1)

    def step(self, epsilon: Tensor, timestep: int, sample: Tensor, noise: Tensor) -> Tensor:
        """One step of ancestral sampling, from `timestep` to the one before, with the given noise."""
        alphas_cumprod = self.alphas_cumprod[timestep].item()
        previous = self.alphas_cumprod[timestep - 1].item() if timestep > 0 else 1.0
        alpha = alphas_cumprod / previous
        original = (sample - math.sqrt(1 - alphas_cumprod) * epsilon) / math.sqrt(alphas_cumprod)
        if self.clip_sample_range is not None:
            original = original.clamp(-self.clip_sample_range, self.clip_sample_range)
        mean = (
            math.sqrt(previous) * (1 - alpha) / (1 - alphas_cumprod) * original
            + math.sqrt(alpha) * (1 - previous) / (1 - alphas_cumprod) * sample
        )
        if timestep == 0:
            return mean
        variance = max((1 - previous) / (1 - alphas_cumprod) * (1 - alpha), 1e-20)
        return mean + math.sqrt(variance) * noise

    def sample(self, predict: Callable[[Tensor, Tensor], Tensor], noise: Tensor) -> Tensor:
        """Denoises `noise[0]` [batch, horizon, action]; `noise[k]` is added in the k-th step.

        `noise` is [steps + 1, batch, horizon, action]. The last step adds none, so its last entry is not used.
        """
        sample = noise[0]
        for k, timestep in enumerate(reversed(range(self.num_train_timesteps)), start=1):
            timesteps = torch.full((sample.shape[0],), timestep, device=sample.device)
            sample = self.step(predict(sample, timesteps), timestep, sample, noise[k])
        return sample
