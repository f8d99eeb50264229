"""The 1D temporal UNet of Diffusion Policy (Chi et al., RSS 2023), with LeRobot's parameter names.

A weight file written from `DiffusionNetwork.state_dict()` loads into LeRobot's DiffusionPolicy as it stands:
every tensor is called `diffusion.unet.*` there and here.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from image_encoder import EncoderShape, ImageEncoder


@dataclass(frozen=True)
class NetworkShape:
    """What fixes the shape of every weight. `condition_count` counts all observation steps together."""

    action_count: int
    condition_count: int
    down_dims: tuple[int, ...] = (64, 128, 256)
    kernel_size: int = 5
    n_groups: int = 8
    diffusion_step_embed_dim: int = 128
    use_film_scale_modulation: bool = True
    encoder: EncoderShape | None = None


class SinusoidalEmbedding(nn.Module):
    """Timestep [batch] -> [batch, count]: all sines first, then all cosines, frequencies 1 down to 1/10000."""

    def __init__(self, count: int):
        super().__init__()
        half = count // 2
        frequencies = torch.exp(torch.arange(half) * -(math.log(10_000) / (half - 1)))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, timesteps: Tensor) -> Tensor:
        angles = timesteps[:, None] * self.frequencies
        return torch.cat((angles.sin(), angles.cos()), dim=-1)


class ConvolutionBlock(nn.Module):
    """Convolution over time, group normalisation, Mish."""

    def __init__(self, inputs: int, outputs: int, shape: NetworkShape):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv1d(inputs, outputs, shape.kernel_size, padding=shape.kernel_size // 2),
            nn.GroupNorm(shape.n_groups, outputs),
            nn.Mish(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)


class ResidualBlock(nn.Module):
    """Two convolution blocks with FiLM between them, and a skip around both."""

    def __init__(self, inputs: int, outputs: int, shape: NetworkShape):
        super().__init__()
        self.scaled = shape.use_film_scale_modulation
        film_inputs = shape.diffusion_step_embed_dim + shape.condition_count
        self.conv1 = ConvolutionBlock(inputs, outputs, shape)
        self.cond_encoder = nn.Sequential(nn.Mish(), nn.Linear(film_inputs, 2 * outputs if self.scaled else outputs))
        self.conv2 = ConvolutionBlock(outputs, outputs, shape)
        self.residual_conv = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        film = self.cond_encoder(condition)[:, :, None]
        h = self.conv1(x)
        if self.scaled:
            scale, bias = film.chunk(2, dim=1)
            h = scale * h + bias
        else:
            h = h + film
        return self.conv2(h) + self.residual_conv(x)


class UNet1D(nn.Module):
    """(sample [batch, horizon, action], timestep [batch], condition [batch, c]) -> [batch, horizon, action]."""

    def __init__(self, shape: NetworkShape):
        super().__init__()
        embedding = shape.diffusion_step_embed_dim
        self.diffusion_step_encoder = nn.Sequential(
            SinusoidalEmbedding(embedding),
            nn.Linear(embedding, 4 * embedding),
            nn.Mish(),
            nn.Linear(4 * embedding, embedding),
        )
        widths = (shape.action_count, *shape.down_dims)
        levels = len(shape.down_dims)
        self.down_modules = nn.ModuleList()
        for level in range(levels):
            width = widths[level + 1]
            last = level == levels - 1
            self.down_modules.append(
                nn.ModuleList(
                    [
                        ResidualBlock(widths[level], width, shape),
                        ResidualBlock(width, width, shape),
                        nn.Identity() if last else nn.Conv1d(width, width, 3, stride=2, padding=1),
                    ]
                )
            )
        deepest = widths[-1]
        self.mid_modules = nn.ModuleList([ResidualBlock(deepest, deepest, shape) for _ in range(2)])
        self.up_modules = nn.ModuleList()
        for level in range(levels - 1, 0, -1):
            width = widths[level]
            self.up_modules.append(
                nn.ModuleList(
                    [
                        # Twice the width below: the skip of that level is concatenated.
                        ResidualBlock(2 * widths[level + 1], width, shape),
                        ResidualBlock(width, width, shape),
                        nn.ConvTranspose1d(width, width, 4, stride=2, padding=1),
                    ]
                )
            )
        first = shape.down_dims[0]
        self.final_conv = nn.Sequential(ConvolutionBlock(first, first, shape), nn.Conv1d(first, shape.action_count, 1))

    def forward(self, sample: Tensor, timesteps: Tensor, condition: Tensor) -> Tensor:
        film_input = torch.cat((self.diffusion_step_encoder(timesteps), condition), dim=-1)
        x = sample.transpose(1, 2)
        skips = []
        for block1, block2, downsample in self.down_modules:
            x = block2(block1(x, film_input), film_input)
            skips.append(x)
            x = downsample(x)
        for block in self.mid_modules:
            x = block(x, film_input)
        for block1, block2, upsample in self.up_modules:
            x = torch.cat((x, skips.pop()), dim=1)
            x = upsample(block2(block1(x, film_input), film_input))
        return self.final_conv(x).transpose(1, 2)


class DiffusionNetwork(nn.Module):
    """The UNet, and the image encoder if there is one, under the names LeRobot nests them in."""

    def __init__(self, shape: NetworkShape):
        super().__init__()
        self.diffusion = nn.ModuleDict({"unet": UNet1D(shape)})
        if shape.encoder:
            self.diffusion["rgb_encoder"] = ImageEncoder(shape.encoder)

    def forward(self, sample: Tensor, timesteps: Tensor, condition: Tensor) -> Tensor:
        return self.diffusion["unet"](sample, timesteps, condition)

    def encode(self, frames: Tensor) -> Tensor:
        """Normalised frames [batch, 3, h, w] -> features [batch, feature_count]."""
        return self.diffusion["rgb_encoder"](frames)
