#!/usr/bin/env python3
"""Lets the finishing expert bring the T onto the goal, from many places near it.

    python generate_finishes.py --data demos.npz --output finishes/ --seed 2000000 --starts 1600

A third of the starts is drawn around the goal; a third is a moment of a demonstration, moved to end at the goal, or of
its mirror image; a third is drawn around the goal and then spoilt by a push at random, so that the agent is beside the
block. The output folder gets a file for each 32 starts; a run that was cut off goes on if it is given again.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from episode_files import SimulatedEpisode, missing_groups, save_episodes
from finishing_expert import FinishingExpert
from progress import progress_bar
from pusht_data import GOAL_POSE, Demonstrations, aligned_to_goal, distance_to_goal, load_demonstrations, with_mirror_images
from world import SUCCESS_COVERAGE, World

# Starts around the goal: the block's pose is uniform within these distances from it (pixels, rad).
SPREAD = np.array([40.0, 40.0, 0.5])
# Moments of demonstrations: mean distance of the block's corners from the goal, pixels.
MOMENT_DISTANCE = (3.0, 60.0)
# Three quarters of the starts are so many times closer to the goal, evenly from 0 to 1.
CLOSER_SHARE = 0.75


def near_moments(demonstrations: Demonstrations) -> np.ndarray:
    """The states [n, 5] of the demonstrations, and of their mirror images, from which the expert may go on."""
    state = with_mirror_images(aligned_to_goal(demonstrations)).state.astype(np.float64)
    distance = distance_to_goal(state[:, 2:])
    return state[(distance > MOMENT_DISTANCE[0]) & (distance < MOMENT_DISTANCE[1])]


def begin(world: World, moments: np.ndarray, expert: FinishingExpert, random: np.random.Generator) -> None:
    """Puts agent and block where an episode starts."""
    while True:
        kind = random.integers(3)
        if kind == 0:
            free = world.place(random.permutation(moments)[0])
        else:
            closer = random.uniform() if random.uniform() < CLOSER_SHARE else 1.0
            pose = GOAL_POSE + closer * random.uniform(-SPREAD, SPREAD)
            free = world.place(np.concatenate((random.uniform(50, 450, size=2), pose)))
            if free and kind == 1:
                push = expert.random_push(world.state)
                for target in expert.targets(push) if push else []:
                    world.advance(target)
        if free and world.coverage < SUCCESS_COVERAGE:
            return


def run(seed: int, moments: np.ndarray, max_steps: int) -> SimulatedEpisode:
    random = np.random.default_rng(seed)
    expert = FinishingExpert(random)
    while True:
        world = World()
        begin(world, moments, expert, random)
        states, actions, success_step = expert.finish(world, max_steps)
        if len(states):
            return SimulatedEpisode(seed, states, actions, success_step)


def main() -> None:
    parser = argparse.ArgumentParser(description="Lets the finishing expert bring the T onto the goal.")
    parser.add_argument("--data", type=Path, required=True, help="demos.npz, or the zarr archive's folder")
    parser.add_argument("--output", type=Path, required=True, help="folder for the episodes")
    parser.add_argument("--seed", type=int, required=True, help="the first of consecutive seeds, one a start")
    parser.add_argument("--starts", type=int, default=1600, help="a multiple of 32 (default 1600)")
    parser.add_argument("--max-steps", type=int, default=150)
    arguments = parser.parse_args()
    moments = near_moments(load_demonstrations(arguments.data))
    groups = list(missing_groups(arguments.output, arguments.seed, arguments.starts))
    done = 0
    with progress_bar("starts", sum(len(seeds) for _, seeds in groups)) as bar:
        for path, seeds in groups:
            started, episodes = time.monotonic(), []
            for seed in seeds:
                episodes.append(run(seed, moments, arguments.max_steps))
                done += 1
                bar.show(done)
            save_episodes(path, episodes)
            succeeded = sum(episode.success_step >= 0 for episode in episodes)
            steps = sum(len(episode.state) for episode in episodes)
            seconds = time.monotonic() - started
            bar.note(f"{path.name}: {succeeded} of {len(episodes)} succeeded, {steps} steps, {seconds:.0f} s")


if __name__ == "__main__":
    main()
