"""Endless labelled frames: drawn by the simulator, of blocks where a policy meets them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from episode_files import load_episodes
from pusht_data import GOAL_POSE, aligned_to_goal, block_keypoints, load_demonstrations, with_mirror_images
from world import World

# Of all frames: moments of episodes, blocks around the goal, blocks anywhere.
SHARES = (0.4, 0.4, 0.2)
# Moments are moved by so much: standard deviations for the agent (pixels) and the block (pixels, rad).
AGENT_JITTER = 20.0
BLOCK_JITTER = np.array([6.0, 6.0, 0.08])
# Blocks around the goal: uniform within these distances from it, times a factor that is itself uniform from 0 to 1.
NEAR_SPREAD = np.array([50.0, 50.0, 0.6])
# Half of the agents near the goal are within this distance from the block's origin.
BESIDE_DISTANCE = 140.0


@dataclass(frozen=True)
class LabelledFrames:
    frames: np.ndarray  # [batch, 96, 96, 3] uint8
    keypoints: np.ndarray  # [batch, 16] f32, pixels of the 512 x 512 table


def moments_of(data: Path, episodes: list[Path]) -> np.ndarray:
    """All states [n, 5] of the demonstrations, as recorded and moved, and of the episodes; each with its mirror image."""
    recorded = load_demonstrations(data)
    states = [with_mirror_images(recorded).state, with_mirror_images(aligned_to_goal(recorded)).state]
    for folder in episodes:
        states += [episode.state for episode in load_episodes(folder)]
    return np.concatenate(states).astype(np.float64)


class FrameSource:
    def __init__(self, moments: np.ndarray):
        self.moments = moments
        self.world = World()

    def batch(self, count: int, seed: list[int]) -> LabelledFrames:
        """The same frames for the same seed and moments."""
        random = np.random.default_rng(seed)
        return self._labelled([self._draw(random) for _ in range(count)])

    def near_goal(self, count: int, seed: list[int]) -> LabelledFrames:
        random = np.random.default_rng(seed)
        return self._labelled([self._near_goal(random) for _ in range(count)])

    def _labelled(self, states: list[np.ndarray]) -> LabelledFrames:
        frames, poses = [], []
        for state in states:
            # The place need not be free: an agent inside the block moves it, and its frame shows where it is then.
            self.world.place(state)
            frames.append(self.world.frame)
            poses.append(self.world.state[2:])
        return LabelledFrames(np.stack(frames), block_keypoints(np.array(poses)).astype(np.float32))

    def _draw(self, random: np.random.Generator) -> np.ndarray:
        kind = random.choice(3, p=SHARES)
        if kind == 0:
            return self._moment(random)
        return self._near_goal(random) if kind == 1 else self._anywhere(random)

    def _moment(self, random: np.random.Generator) -> np.ndarray:
        state = self.moments[random.integers(len(self.moments))].copy()
        if random.uniform() < 0.5:
            state[:2] += random.normal(0, AGENT_JITTER, size=2)
            state[2:] += random.normal(0, 1, size=3) * BLOCK_JITTER
        return state

    def _near_goal(self, random: np.random.Generator) -> np.ndarray:
        pose = GOAL_POSE + random.uniform() * random.uniform(-NEAR_SPREAD, NEAR_SPREAD)
        if random.uniform() < 0.5:
            agent = pose[:2] + random.uniform(-BESIDE_DISTANCE, BESIDE_DISTANCE, size=2)
        else:
            agent = random.uniform(20, 490, size=2)
        return np.concatenate((agent, pose))

    def _anywhere(self, random: np.random.Generator) -> np.ndarray:
        return random.uniform([20, 20, 60, 60, 0], [490, 490, 450, 450, 2 * np.pi])
