"""Writes Tests/PushTTests/Resources/gym_pusht.json: episodes, resets and keypoints of gym-pusht.

Needs gym-pusht 0.1.8. Run from the repository root: python Tests/Oracles/pusht.py [EVERY]
The first four states and every EVERY-th one are kept (10 by default, for a small file; 1 compares all of them).
JSON keeps a double exactly: Python writes its shortest decimal form and readers round that back. States come out the
same on every run; a coverage can differ in its last digit, since pymunk keeps a body's shapes in an unordered set.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import gym_pusht  # noqa: F401  (registers the environment)
import gymnasium as gym
import numpy as np

RESET_SEEDS = [0, 1, 2, 42, 999, 100000, 100049, 2**31 - 1, 2**32 - 1, 2**32 + 5, 2**53 - 1]
STEPS = 300
EVERY = int(sys.argv[1]) if len(sys.argv) > 1 else 10


def make():
    return gym.make("gym_pusht/PushT-v0", obs_type="state", disable_env_checker=True).unwrapped


def random_targets(rng, env):
    """Jumps across the whole table: fast hits from every side."""
    return rng.uniform(0, 512, 2)


def ramming(rng, env):
    """Aims through the block, so that it is driven into the walls and kept there."""
    block = np.array(env.block.position)
    return np.clip(block + 3 * (block - np.array(env.agent.position)) + rng.normal(0, 30, 2), 0, 512)


def nudging(rng, env):
    """Stays close to the block: long sliding contacts."""
    return np.clip(np.array(env.block.position) + rng.normal(0, 60, 2), 0, 512)


def corners(rng, env):
    """Corner to corner, held for a while, exactly at the limits of the action space."""
    return np.array([0.0, 512.0])[rng.integers(0, 2, 2)]


def goal_pushing(rng, env):
    """Pushes the block towards the goal: coverage above 0."""
    away = np.array(env.block.position) - 256
    distance = np.linalg.norm(away) + 1e-9
    return np.clip(np.array(env.block.position) + away / distance * 40 * rng.uniform(-1, 1), 0, 512)


def episode(name, controller, seed, hold, initial_state=None):
    rng = np.random.default_rng(seed)
    env = make()
    if initial_state is None:
        observation, _ = env.reset(seed=seed)
    else:
        observation, _ = env.reset(options={"reset_to_state": initial_state})
    record = {
        "name": name,
        "seed": seed if initial_state is None else None,
        "initial_state": initial_state,
        "first_observation": observation.tolist(),
        "first_coverage": float(env._get_coverage()),
        "hold": hold,
        "targets": [],
        "steps": [],
        "states": [],
        "coverage": [],
        "reward": [],
        "success": [],
    }
    for step in range(STEPS):
        if step % hold == 0:
            action = controller(rng, env)
            record["targets"].append(action.tolist())
        observation, reward, terminated, _, info = env.step(action)
        if step >= 4 and (step + 1) % EVERY != 0:
            continue
        record["steps"].append(step + 1)
        record["states"].append(observation.tolist())
        record["coverage"].append(float(info["coverage"]))
        record["reward"].append(float(reward))
        record["success"].append(bool(terminated))
    record["last_keypoints"] = env.get_keypoints(env._block_shapes).flatten().tolist()
    return record


def reset(seed):
    env = make()
    state, _ = env.reset(seed=seed)
    return {
        "seed": str(seed),
        "state": state.tolist(),
        "keypoints": env.get_keypoints(env._block_shapes).flatten().tolist(),
        "coverage": float(env._get_coverage()),
    }


def near_goal():
    """Turning follows placing and moves the block, so the state to ask for is found by subtracting that move."""
    env = make()
    angle = float(np.pi / 4)
    observation, _ = env.reset(options={"reset_to_state": [60, 60, 256, 256, angle]})
    asked = np.array([256, 256]) - (observation[2:4] - 256)
    return [60.0, 60.0, float(asked[0]), float(asked[1]), angle]


def main():
    on_goal = near_goal()
    content = {
        "resets": [reset(seed) for seed in RESET_SEEDS],
        "episodes": [
            episode("random targets", random_targets, 7, 4),
            episode("new random target every step", random_targets, 8, 1),
            episode("ramming", ramming, 100000, 3),
            episode("nudging", nudging, 3, 6),
            episode("corners", corners, 11, 10),
            episode("goal pushing", goal_pushing, 5, 3),
            episode("from the goal", nudging, 12, 8, on_goal),
            episode("from a state of more than one turn", ramming, 13, 2, [400.0, 100.5, 200.25, 300.0, -20.0]),
        ],
    }
    path = Path("Tests/PushTTests/Resources/gym_pusht.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, separators=(",", ":"))
    path.write_text(text.replace('{"name"', '\n{"name"').replace('{"seed"', '\n{"seed"') + "\n")
    for record in content["episodes"]:
        print(record["name"], "max coverage", max(record["coverage"]), "successes", sum(record["success"]))


main()
