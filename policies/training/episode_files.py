"""Folders of simulated episodes: a file for each group of starts, with the arrays of `demos.npz`."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pusht_data import Demonstrations

STARTS_A_FILE = 32


@dataclass(frozen=True)
class SimulatedEpisode:
    seed: int
    state: np.ndarray  # [steps, 5] as in Demonstrations
    action: np.ndarray  # [steps, 2]
    success_step: int  # the number of steps after which the coverage sufficed first, or -1


def missing_groups(folder: Path, seed: int, starts: int) -> list[tuple[Path, range]]:
    """The files that seeds `seed` ... `seed + starts - 1` still lack, and the seeds of each."""
    if starts % STARTS_A_FILE != 0:
        raise SystemExit(f"--starts {starts} is not a multiple of {STARTS_A_FILE}")
    folder.mkdir(parents=True, exist_ok=True)
    groups = [
        (folder / f"from-{first}.npz", range(first, first + STARTS_A_FILE)) for first in range(seed, seed + starts, STARTS_A_FILE)
    ]
    return [(path, seeds) for path, seeds in groups if not path.exists()]


def save_episodes(path: Path, episodes: list[SimulatedEpisode]) -> None:
    """Writes the file in one move, so that a file that exists is whole."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(
            file,
            state=np.concatenate([episode.state for episode in episodes]).astype(np.float32),
            action=np.concatenate([episode.action for episode in episodes]).astype(np.float32),
            episode_ends=np.cumsum([len(episode.state) for episode in episodes]),
            seed=np.array([episode.seed for episode in episodes]),
            success_step=np.array([episode.success_step for episode in episodes]),
        )
    os.replace(partial, path)


def load_episodes(folder: Path) -> list[SimulatedEpisode]:
    """All episodes of a folder, in the order of the files' first seeds."""
    episodes = []
    paths = sorted(folder.glob("from-*.npz"), key=lambda path: int(path.stem.removeprefix("from-")))
    if not paths:
        raise ValueError(f"{folder}: no file from-*.npz")
    for path in paths:
        with np.load(path) as arrays:
            start = 0
            for i, end in enumerate(arrays["episode_ends"]):
                episodes.append(
                    SimulatedEpisode(
                        int(arrays["seed"][i]),
                        arrays["state"][start:end],
                        arrays["action"][start:end],
                        int(arrays["success_step"][i]),
                    )
                )
                start = end
    return episodes


def successful(episodes: list[SimulatedEpisode]) -> Demonstrations:
    """The episodes that succeeded, as demonstrations."""
    kept = [episode for episode in episodes if episode.success_step >= 0]
    if not kept:
        raise ValueError(f"none of {len(episodes)} episodes succeeded")
    return Demonstrations(
        np.concatenate([episode.state for episode in kept]),
        np.concatenate([episode.action for episode in kept]).astype(np.float64),
        np.cumsum([len(episode.state) for episode in kept]),
    )
