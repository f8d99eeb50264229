"""LeRobot's image encoder: a ResNet-18 with group normalisation, spatial softmax, a linear layer.

Its tensors have LeRobot's names below `diffusion.rgb_encoder.`, so that a policy can be put together by name.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class EncoderShape:
    """What fixes the shape of every weight. A frame is [3, frame_size, frame_size]; its middle is looked at."""

    frame_size: int = 96
    crop_size: int = 84
    widths: tuple[int, ...] = (64, 128, 256, 512)
    keypoints: int = 32
    channels_a_group: int = 16

    @property
    def feature_count(self) -> int:
        return 2 * self.keypoints


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the width or the size changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = norm(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class SpatialSoftmax(nn.Module):
    """[batch, channels, h, w] -> the mean position [batch, keypoints, 2] of each keypoint's softmax, in -1 to 1."""

    def __init__(self, channels: int, size: int, keypoints: int):
        super().__init__()
        self.nets = nn.Conv2d(channels, keypoints, 1)
        axis = torch.linspace(-1, 1, size)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        self.register_buffer("pos_grid", torch.stack((x.flatten(), y.flatten()), dim=1))

    def forward(self, x: Tensor) -> Tensor:
        attention = self.nets(x).flatten(start_dim=2).softmax(dim=-1)
        return attention @ self.pos_grid


class ImageEncoder(nn.Module):
    """Normalised frames [batch, 3, frame_size, frame_size] -> features [batch, feature_count], none of them negative."""

    def __init__(self, shape: EncoderShape):
        super().__init__()
        self.shape = shape

        def norm(channels: int) -> nn.GroupNorm:
            return nn.GroupNorm(channels // shape.channels_a_group, channels)

        first = shape.widths[0]
        layers: list[nn.Module] = [
            nn.Conv2d(3, first, 7, stride=2, padding=3, bias=False),
            norm(first),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        ]
        inputs = first
        for i, width in enumerate(shape.widths):
            stride = 1 if i == 0 else 2
            layers.append(nn.Sequential(BasicBlock(inputs, width, stride, norm), BasicBlock(width, width, 1, norm)))
            inputs = width
        self.backbone = nn.Sequential(*layers)
        # Halved, rounding up, by the first convolution, the pooling, and all groups of blocks but the first.
        size = shape.crop_size
        for _ in range(1 + len(shape.widths)):
            size = (size + 1) // 2
        self.pool = SpatialSoftmax(inputs, size, shape.keypoints)
        self.out = nn.Linear(shape.feature_count, shape.feature_count)

    def forward(self, frames: Tensor) -> Tensor:
        return torch.relu(self.linear(frames))

    def linear(self, frames: Tensor) -> Tensor:
        """The features before the last ReLU, through which a negative one gets no gradient."""
        begin = (self.shape.frame_size - self.shape.crop_size) // 2
        end = begin + self.shape.crop_size
        return self.out(self.pool(self.backbone(frames[..., begin:end, begin:end])).flatten(start_dim=1))
