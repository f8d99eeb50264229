"""Which number an episode has, and from which seed the noise of its chunks is drawn."""

from __future__ import annotations

_MASK = (1 << 64) - 1


class Episodes:
    """Numbers episodes as `lerobot-eval` numbers the seeds of its environments.

    In rollout r of batches of n environments, environment i plays episode first + r * n + i.
    """

    def __init__(self, first: int | None) -> None:
        self._next = _lerobots_seed() if first is None else first

    def take(self, environments: int) -> list[int]:
        """The episodes of the next rollout, one for each environment, from 0 to 2^64 - 1."""
        first = self._next
        self._next += environments
        return [(first + index) & _MASK for index in range(environments)]


def _lerobots_seed() -> int:
    """What LeRobot's `set_seed` was given; a random number in a program that sets no seed."""
    import torch  # here, so that the rest needs none

    return torch.initial_seed()


def noise_seed(episode: int, name: str, step: int) -> int:
    """The seed of the noise of the chunk that is asked for at a control step.

    It is what `denoised sim` gives its chunks, with the name `pusht` and the seed of the environment as the episode.
    """
    return derived_seed(episode, name, episode, step)


def derived_seed(seed: int, robot: str, episode: int, sequence: int) -> int:
    """The daemon's own rule, docs/PROTOCOL.md, *Noise seed*."""
    data = seed.to_bytes(8, "little") + sequence.to_bytes(8, "little") + robot.encode() + b"\0" + str(episode).encode()
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31
