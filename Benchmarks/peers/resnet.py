"""LeRobot's image encoder in plain PyTorch: a ResNet18 without its last two layers, a spatial softmax, a linear layer, a ReLU."""

import torch
from torch import nn

KEYPOINTS = 32


def normalization(kind, channels):
    return nn.GroupNorm(channels // 16, channels) if kind == "group" else nn.BatchNorm2d(channels)


class Block(nn.Module):
    def __init__(self, kind, inputs, outputs, stride):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.first_norm, self.second_norm = normalization(kind, outputs), normalization(kind, outputs)
        self.shortcut = None
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), normalization(kind, outputs))

    def forward(self, values):
        residual = values if self.shortcut is None else self.shortcut(values)
        values = torch.relu(self.first_norm(self.first(values)))
        return torch.relu(self.second_norm(self.second(values)) + residual)


class Encoder(nn.Module):
    """Frames [batch, 3, height, width] to features [batch, 2 * KEYPOINTS]."""

    def __init__(self, kind, height, width):
        super().__init__()
        layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), normalization(kind, 64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        inputs = 64
        for group in range(4):
            for block in range(2):
                outputs = 64 << group
                layers.append(Block(kind, inputs, outputs, 2 if group and not block else 1))
                inputs = outputs
        self.backbone = nn.Sequential(*layers)
        self.logits = nn.Conv2d(512, KEYPOINTS, 1)
        self.out = nn.Linear(2 * KEYPOINTS, 2 * KEYPOINTS)
        with torch.no_grad():
            rows, columns = self.backbone.eval()(torch.zeros(1, 3, height, width)).shape[2:]
        y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
        self.register_buffer("grid", torch.stack([x.flatten(), y.flatten()], 1))

    def forward(self, frames):
        maps = self.logits(self.backbone(frames)).flatten(2)
        points = torch.softmax(maps, 2) @ self.grid
        return torch.relu(self.out(points.flatten(1)))
