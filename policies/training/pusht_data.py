"""The PushT demonstrations: reading them, keypoints from the block's pose, and training windows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Corners of the T in the block's frame, pixels: the bar, then the stem, in the order in which gym-pusht's
# `environment_state` lists them.
BLOCK_CORNERS = np.array([[-60, 0], [60, 0], [60, 30], [-60, 30], [-15, 30], [15, 30], [15, 120], [-15, 120]], dtype=np.float64)


# gym-pusht's goal for the block: x, y (pixels), angle (rad).
GOAL_POSE = np.array([256, 256, np.pi / 4])


@dataclass(frozen=True)
class Demonstrations:
    state: np.ndarray  # [steps, 5] agent x, y, block x, y (pixels), block angle (rad)
    action: np.ndarray  # [steps, 2] commanded agent position, pixels
    episode_ends: np.ndarray  # [episodes] one past the last step of each

    @property
    def agent_position(self) -> np.ndarray:
        return self.state[:, :2].astype(np.float32)

    @property
    def keypoints(self) -> np.ndarray:
        return block_keypoints(self.state[:, 2:5]).astype(np.float32)


def block_keypoints(pose: np.ndarray) -> np.ndarray:
    """Pose [..., 3] (x, y, angle) -> [..., 16], x0, y0, x1, y1, ... of BLOCK_CORNERS in the world."""
    pose = np.asarray(pose, dtype=np.float64)
    cosine, sine = np.cos(pose[..., 2:3]), np.sin(pose[..., 2:3])
    x = cosine * BLOCK_CORNERS[:, 0] - sine * BLOCK_CORNERS[:, 1] + pose[..., 0:1]
    y = sine * BLOCK_CORNERS[:, 0] + cosine * BLOCK_CORNERS[:, 1] + pose[..., 1:2]
    return np.stack((x, y), axis=-1).reshape(*pose.shape[:-1], 16)


def distance_to_goal(pose: np.ndarray) -> np.ndarray:
    """Mean distance of the block's corners from where they belong, pixels. Poses [..., 3] -> [...]."""
    pose = np.asarray(pose)
    corners = block_keypoints(pose).reshape(*pose.shape[:-1], 8, 2)
    return np.linalg.norm(corners - block_keypoints(GOAL_POSE).reshape(8, 2), axis=-1).mean(axis=-1)


def load_demonstrations(path: Path) -> Demonstrations:
    """Reads `demos.npz`, or the public archive `pusht_cchi_v7_replay.zarr` (a folder; needs zarr)."""
    if path.is_dir():
        import zarr

        root = zarr.open(str(path), mode="r")
        state, action = root["data/state"][:], root["data/action"][:]
        episode_ends = root["meta/episode_ends"][:]
    else:
        with np.load(path) as arrays:
            state, action = arrays["state"], arrays["action"]
            episode_ends = arrays["episode_ends"]
    demonstrations = Demonstrations(state, action, episode_ends.astype(np.int64))
    _check(demonstrations, path)
    return demonstrations


def aligned_to_goal(demonstrations: Demonstrations) -> Demonstrations:
    """Each demonstration turned and shifted as a whole, so that its last block pose is the goal exactly.

    The demonstrations end at a coverage of 0.77 to 0.90, a few pixels from the goal; a policy learns to be as far off.
    Pushing does not depend on where on the table it happens, so that the moved demonstration is as true as the
    recorded one, except close to a wall.
    """
    state, action = demonstrations.state.astype(np.float64), demonstrations.action.astype(np.float64)
    start = 0
    for end in demonstrations.episode_ends:
        last_pose = state[end - 1, 2:5].copy()
        turn = GOAL_POSE[2] - last_pose[2]
        cosine, sine = np.cos(turn), np.sin(turn)
        rotation = np.array([[cosine, -sine], [sine, cosine]])
        for points in (state[start:end, 0:2], state[start:end, 2:4], action[start:end]):
            points[:] = (points - last_pose[:2]) @ rotation.T + GOAL_POSE[:2]
        state[start:end, 4] = np.mod(state[start:end, 4] + turn, 2 * np.pi)
        start = end
    return Demonstrations(state.astype(np.float32), action.astype(np.float32), demonstrations.episode_ends)


def with_mirror_images(demonstrations: Demonstrations) -> Demonstrations:
    """The demonstrations, then each of them mirrored in the T's own axis at the goal, the line x + y = 512.

    The mirror image of a T is a T, and the goal is its own mirror image, so that the image of a demonstration is one
    as well. The walls move by 1 pixel.
    """
    state, action = demonstrations.state, demonstrations.action
    x_agent, y_agent, x_block, y_block, angle = state.T
    mirrored_angle = np.mod(np.pi / 2 - angle, 2 * np.pi)
    mirrored_state = np.stack((512 - y_agent, 512 - x_agent, 512 - y_block, 512 - x_block, mirrored_angle), axis=1)
    return Demonstrations(
        np.concatenate((state, mirrored_state.astype(state.dtype))),
        np.concatenate((action, 512 - action[:, ::-1])),
        np.concatenate((demonstrations.episode_ends, len(state) + demonstrations.episode_ends)),
    )


def _check(demonstrations: Demonstrations, path: Path) -> None:
    steps = len(demonstrations.state)
    ends = demonstrations.episode_ends
    if demonstrations.state.shape != (steps, 5) or demonstrations.action.shape != (steps, 2):
        raise ValueError(
            f"{path}: state is {demonstrations.state.shape} and action {demonstrations.action.shape}, "
            "expected [steps, 5] and [steps, 2]"
        )
    if len(ends) == 0 or ends[-1] != steps or np.any(np.diff(ends, prepend=0) <= 0):
        raise ValueError(f"{path}: episode_ends must rise strictly and end at {steps}, the number of steps")


def window_indices(
    episode_ends: np.ndarray, n_obs_steps: int, horizon: int, n_action_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the demonstrations that make each training window.

    Relative to a current step t, observations are t - n_obs_steps + 1 ... t and actions start at the same step and
    are `horizon` long. Steps outside the episode repeat its first or last one. The current step runs from the start
    of the episode as far as at most n_action_steps - 1 actions are padding. Returns observation rows
    [windows, n_obs_steps] and action rows [windows, horizon].
    """
    observations, actions = [], []
    start = 0
    for end in episode_ends:
        last_current = end - horizon + n_obs_steps - 1 + n_action_steps - 1
        current = np.arange(start, max(last_current, start) + 1)[:, None]
        first = current - n_obs_steps + 1
        observations.append(np.clip(first + np.arange(n_obs_steps), start, end - 1))
        actions.append(np.clip(first + np.arange(horizon), start, end - 1))
        start = end
    return np.concatenate(observations), np.concatenate(actions)
