"""The conditional 1D UNet of LeRobot's diffusion policy in plain PyTorch.

Modules are registered under LeRobot's names and in its order, so that a state dict fits either class.
"""

import math

import numpy as np
import torch
from torch import nn


class SinusoidalEmbedding(nn.Module):
    def __init__(self, size):
        super().__init__()
        steps = torch.arange(size // 2, dtype=torch.float32)
        self.register_buffer("rates", torch.exp(-steps * math.log(10_000) / (size // 2 - 1)), persistent=False)

    def forward(self, timestep):
        angle = timestep[:, None].float() * self.rates
        return torch.cat((torch.sin(angle), torch.cos(angle)), dim=1)


class ConvolutionBlock(nn.Module):
    def __init__(self, inputs, outputs, kernel_size, groups):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv1d(inputs, outputs, kernel_size, padding=kernel_size // 2),
            nn.GroupNorm(groups, outputs),
            nn.Mish(),
        )

    def forward(self, x):
        return self.block(x)


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, feature_size, kernel_size, groups):
        super().__init__()
        self.conv1 = ConvolutionBlock(inputs, outputs, kernel_size, groups)
        self.cond_encoder = nn.Sequential(nn.Mish(), nn.Linear(feature_size, 2 * outputs))
        self.conv2 = ConvolutionBlock(outputs, outputs, kernel_size, groups)
        self.residual_conv = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x, feature):
        scale, shift = self.cond_encoder(feature).unsqueeze(2).chunk(2, dim=1)
        return self.conv2(scale * self.conv1(x) + shift) + self.residual_conv(x)


class UNet1D(nn.Module):
    """(samples [batch, horizon, action], timesteps [batch], conditions [batch, condition]) -> like the samples."""

    def __init__(self, down_dims, action_dim, condition_dim, embedding, kernel_size, groups):
        super().__init__()
        self.diffusion_step_encoder = nn.Sequential(
            SinusoidalEmbedding(embedding),
            nn.Linear(embedding, 4 * embedding),
            nn.Mish(),
            nn.Linear(4 * embedding, embedding),
        )

        def residual(inputs, outputs):
            return ResidualBlock(inputs, outputs, embedding + condition_dim, kernel_size, groups)

        widths = [action_dim, *down_dims]
        last = len(down_dims) - 1
        self.down_modules = nn.ModuleList(
            nn.ModuleList(
                [
                    residual(widths[level], width),
                    residual(width, width),
                    nn.Conv1d(width, width, 3, stride=2, padding=1) if level < last else nn.Identity(),
                ]
            )
            for level, width in enumerate(down_dims)
        )
        self.mid_modules = nn.ModuleList(residual(down_dims[-1], down_dims[-1]) for _ in range(2))
        self.up_modules = nn.ModuleList(
            nn.ModuleList(
                [
                    residual(2 * down_dims[level + 1], down_dims[level]),
                    residual(down_dims[level], down_dims[level]),
                    nn.ConvTranspose1d(down_dims[level], down_dims[level], 4, stride=2, padding=1),
                ]
            )
            for level in reversed(range(last))
        )
        self.final_conv = nn.Sequential(
            ConvolutionBlock(down_dims[0], down_dims[0], kernel_size, groups),
            nn.Conv1d(down_dims[0], action_dim, 1),
        )

    def forward(self, samples, timesteps, conditions):
        feature = torch.cat((self.diffusion_step_encoder(timesteps), conditions), dim=1)
        x = samples.transpose(1, 2)
        skips = []
        for first, second, resample in self.down_modules:
            x = second(first(x, feature), feature)
            skips.append(x)
            x = resample(x)
        for block in self.mid_modules:
            x = block(x, feature)
        for first, second, resample in self.up_modules:
            x = torch.cat((x, skips.pop()), dim=1)
            x = resample(second(first(x, feature), feature))
        return self.final_conv(x).transpose(1, 2)


def fill(network, seed):
    """The parameters that `UNet1DArchitecture.randomValues(for:seed:)` documents."""
    with torch.no_grad():
        for index, (name, parameter) in enumerate(network.named_parameters()):
            vector = parameter.ndim == 1
            bound = 0.1 if vector else math.sqrt(3 / math.prod(parameter.shape[1:]))
            values = np.random.default_rng([seed, index]).uniform(-bound, bound, tuple(parameter.shape))
            if vector and name.endswith(".weight"):
                values += 1
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
