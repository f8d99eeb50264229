"""LeRobot's batches of observations as the observations of single robots, in the units that the daemon takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

# What rounding may have done to a grey level in [0, 1].
_ROUNDING = 1e-3


class Features:
    """What the daemon's policy observes: counts of numbers, and cameras' heights and widths, by LeRobot's names."""

    def __init__(self, counts: Mapping[str, int], cameras: Mapping[str, tuple[int, int]]) -> None:
        self.counts, self.cameras = dict(counts), dict(cameras)

    def __str__(self) -> str:
        numbers = [f"{name} [{count}]" for name, count in self.counts.items()]
        frames = [f"{name} [3, {height}, {width}]" for name, (height, width) in self.cameras.items()]
        return ", ".join(numbers + frames)

    def split(self, batch: Mapping[str, Any]) -> list[dict[str, np.ndarray]]:
        """The observation of each robot of a batch: float32 [count], and uint8 [height, width, 3].

        - `batch`: tensors [robots, count], and for cameras [robots, 3, height, width], of grey levels in [0, 1] or of bytes. A
          camera may be missing: the daemon may have its frames from a camera server.

        Raises `ValueError` that names the entry, what was found and what was expected.
        """
        arrays = {name: self._numbers(name, self._tensor(batch, name)) for name in self.counts}
        arrays |= {name: self._frames(name, self._tensor(batch, name)) for name in self.cameras if name in batch}
        sizes = {name: len(array) for name, array in arrays.items()}
        if len(set(sizes.values())) != 1:
            raise ValueError(f"the observation has {sizes} robots, expected as many of each entry")
        return [{name: array[index] for name, array in arrays.items()} for index in range(next(iter(sizes.values())))]

    def lacking(self, batch: Mapping[str, Any]) -> ValueError | None:
        """What to raise for a batch that lacks some of this; None: it lacks nothing."""
        lacks = [name for name in [*self.counts, *self.cameras] if not isinstance(batch.get(name), Tensor)]
        if not lacks:
            return None
        found = ", ".join(sorted(key for key, value in batch.items() if isinstance(value, Tensor))) or "nothing"
        return ValueError(
            f"the observation lacks {', '.join(lacks)}: it has {found}, and the daemon's policy expects {self}. Entries of other "
            """names are renamed by --policy.rename_map='{"theirs": "the policy's"}'"""
        )

    def _tensor(self, batch: Mapping[str, Any], name: str) -> Tensor:
        tensor = batch.get(name)
        if not isinstance(tensor, Tensor):
            raise self.lacking(batch) or ValueError(name)
        return tensor

    def _numbers(self, name: str, tensor: Tensor) -> np.ndarray:
        if tensor.ndim != 2 or tensor.shape[1] != self.counts[name]:
            raise ValueError(f"{name} is {list(tensor.shape)}, the daemon's policy expects [robots, {self.counts[name]}]")
        return tensor.detach().to("cpu", torch.float32).numpy()

    def _frames(self, name: str, tensor: Tensor) -> np.ndarray:
        height, width = self.cameras[name]
        if tensor.ndim != 4 or tuple(tensor.shape[1:]) != (3, height, width):
            raise ValueError(
                f"{name} is {list(tensor.shape)}, the daemon's policy expects [robots, 3, {height}, {width}]; frames are not "
                "resized"
            )
        return as_bytes(tensor.detach().to("cpu"), name).permute(0, 2, 3, 1).contiguous().numpy()


def as_bytes(frames: Tensor, name: str) -> Tensor:
    """Frames as the bytes from which LeRobot made grey levels in [0, 1]; bytes stay as they are.

    Raises `ValueError` for numbers that are none: frames that were normalised already, for example.
    """
    if frames.dtype == torch.uint8:
        return frames
    if not frames.is_floating_point():
        raise ValueError(f"{name} has {frames.dtype}, expected grey levels in [0, 1] or bytes")
    low, high = float(frames.min()), float(frames.max())
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # NaN fails, too
        raise ValueError(f"{name} has grey levels from {low:g} to {high:g}, expected [0, 1]: the daemon normalises, nobody else")
    return (frames.float() * 255).round().clamp(0, 255).to(torch.uint8)
