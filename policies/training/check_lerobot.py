#!/usr/bin/env python3
"""Compares a prediction with LeRobot's, from the same bundle, observations and noise.

    python check_lerobot.py --policy policies/pusht --input IN.safetensors --make-input
    denoised predict --policy policies/pusht --input IN.safetensors --output OUT.safetensors
    python check_lerobot.py --policy policies/pusht --input IN.safetensors --output OUT.safetensors

Without --output, the PyTorch policy beside this script is compared instead. --make-input only writes IN, and needs
no LeRobot. The exit status is 1 where a difference, as a fraction of the range of its feature, exceeds the tolerance.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from normalization import ACTION, ENVIRONMENT_STATE, IMAGE, STATE
from policy import Policy
from pusht_data import block_keypoints


def make_input(policy: Policy, path: Path, seed: int) -> None:
    """A history in which the agent and the block move a little from a random pose, and the noise of one chunk."""
    random = np.random.default_rng(seed)
    n_obs_steps = policy.shape.n_obs_steps
    steps = np.arange(n_obs_steps)[:, None]
    agent = random.uniform(100, 400, size=2) + steps * random.uniform(-8, 8, size=2)
    pose = random.uniform([150, 150, -np.pi], [350, 350, np.pi])
    pose = pose + steps * random.uniform([-4, -4, -0.05], [4, 4, 0.05])
    noise = random.standard_normal(policy.noise_shape, dtype=np.float32)
    tensors = {STATE: torch.from_numpy(agent).float(), "noise": torch.from_numpy(noise)}
    if policy.shape.encoder:
        tensors[IMAGE] = torch.from_numpy(frames_of(np.concatenate((agent, pose), axis=1)))
    else:
        tensors[ENVIRONMENT_STATE] = torch.from_numpy(block_keypoints(pose)).float()
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def frames_of(states: np.ndarray) -> np.ndarray:
    """What gym-pusht's camera sees of each state: [states, 96, 96, 3] uint8."""
    from world import World

    world, frames = World(), []
    for state in states:
        world.place(state)
        frames.append(world.frame)
    return np.stack(frames)


def torch_prediction(policy: Policy, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    scene = tensors[IMAGE if policy.shape.encoder else ENVIRONMENT_STATE]
    chunk = policy.chunk(tensors[STATE][None], scene[None], tensors["noise"][:, None])
    return {name: tensor[0] for name, tensor in vars(chunk).items()}


def lerobot_prediction(directory: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    from lerobot_oracle import LeRobotOracle

    history = {name: tensor for name, tensor in tensors.items() if name != "noise"}
    chunk = LeRobotOracle(directory).chunk(history, tensors["noise"])
    return {name: tensor[0] for name, tensor in vars(chunk).items()}


def compare(policy: Policy, found: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, dict[str, float]]:
    """Largest difference of each tensor: as it is, and over the range of what it holds."""
    range_ = policy.bundle.statistics[ACTION]
    action_range = range_.maximum - range_.minimum
    differences = {}
    for name, tensor in expected.items():
        if name not in found or found[name].shape != tensor.shape:
            shape = tuple(found[name].shape) if name in found else "missing"
            raise SystemExit(f"prediction: {name} is {shape}, expected {tuple(tensor.shape)}")
        difference = (found[name].double() - tensor.double()).abs()
        # The network's output is noise of unit scale; 2 is the width of [-1, 1].
        scale = torch.tensor(2.0) if name == "first_model_output" else action_range
        differences[name] = {
            "max_abs": difference.max().item(),
            "max_of_range": (difference / scale).max().item(),
        }
    return differences


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares a prediction with LeRobot's.")
    parser.add_argument("--policy", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--input", type=Path, required=True, help="observations and noise")
    parser.add_argument("--output", type=Path, help="the prediction to check, from `denoised predict`")
    parser.add_argument("--make-input", action="store_true", help="write --input from --seed, and end")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tolerance", type=float, default=1e-3, help="fraction of the range (default 1e-3)")
    arguments = parser.parse_args()
    policy = Policy(arguments.policy)
    if arguments.make_input:
        make_input(policy, arguments.input, arguments.seed)
        return
    tensors = load_file(arguments.input)
    found = load_file(arguments.output) if arguments.output else torch_prediction(policy, tensors)
    differences = compare(policy, found, lerobot_prediction(arguments.policy, tensors))
    # Written so that a difference that is not a number fails.
    passed = all(entry["max_of_range"] <= arguments.tolerance for entry in differences.values())
    print(json.dumps({"passed": passed, "tolerance": arguments.tolerance, "differences": differences}))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
