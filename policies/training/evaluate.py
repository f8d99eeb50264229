#!/usr/bin/env python3
"""Scores a policy bundle in gym-pusht: sequential DDPM, all episodes side by side.

    python evaluate.py --policy policies/pusht

Prints one JSON object. An episode's score is the largest min(coverage / 0.95, 1) of its steps; it succeeds when
coverage exceeds 0.95, and then ends. Its noise is drawn from its own seed, so that its result does not depend on
which episodes run beside it.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import gym_pusht  # noqa: F401  registers the environment
import numpy as np
import torch
from gym_pusht.envs.pusht import PushTEnv

from policy import Policy
from progress import ProgressBar, progress_bar

SUCCESS_COVERAGE = 0.95


@dataclass
class Episode:
    """One environment, its observation history and its best coverage so far."""

    seed: int
    n_obs_steps: int
    observation_type: str
    max_coverage: float = 0.0
    steps: int = 0
    done: bool = False
    history: list[dict[str, np.ndarray]] = field(default_factory=list)

    def __post_init__(self):
        self.environment = PushTEnv(obs_type=self.observation_type)
        observation, _ = self.environment.reset(seed=self.seed)
        self.history = [observation] * self.n_obs_steps
        self.generator = torch.Generator().manual_seed(self.seed)

    def execute(self, actions: np.ndarray, max_steps: int) -> None:
        for action in actions:
            observation, _, terminated, _, info = self.environment.step(action)
            self.history = [*self.history[1:], observation]
            self.steps += 1
            self.max_coverage = max(self.max_coverage, info["coverage"])
            if terminated or self.steps == max_steps:
                self.done = True
                return

    def result(self) -> dict:
        return {
            "seed": self.seed,
            "score": min(self.max_coverage / SUCCESS_COVERAGE, 1.0),
            "max_coverage": self.max_coverage,
            "success": self.max_coverage > SUCCESS_COVERAGE,
            "steps": self.steps,
        }


def replan(policy: Policy, episodes: list[Episode]) -> np.ndarray:
    """The next action chunk [episode, n_action_steps, 2] of each episode, in one batch."""

    def histories(key: str) -> torch.Tensor:
        return torch.from_numpy(np.array([[observation[key] for observation in episode.history] for episode in episodes]))

    scene = histories("pixels") if policy.shape.encoder else histories("environment_state").float()
    noise = [torch.randn(policy.noise_shape, generator=episode.generator) for episode in episodes]
    chunk = policy.chunk(histories("agent_pos").float(), scene, torch.stack(noise, dim=1))
    return chunk.action.double().numpy()


def show(bar: ProgressBar, episodes: list[Episode], max_steps: int) -> None:
    ended = [episode for episode in episodes if episode.done]
    succeeded = sum(episode.max_coverage > SUCCESS_COVERAGE for episode in ended)
    remark = f"{succeeded} of {len(ended)} succeeded" if ended else ""
    bar.show(sum(max_steps if episode.done else episode.steps for episode in episodes), remark)


def main() -> None:
    parser = argparse.ArgumentParser(description="Scores a policy bundle in gym-pusht.")
    parser.add_argument("--policy", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=100_000, help="the first of consecutive seeds")
    parser.add_argument("--max-steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    policy = Policy(arguments.policy)
    seeds = range(arguments.seed, arguments.seed + arguments.episodes)
    observation_type = "pixels_agent_pos" if policy.shape.encoder else "environment_state_agent_pos"
    episodes = [Episode(seed, policy.shape.n_obs_steps, observation_type) for seed in seeds]

    started = time.monotonic()
    # An episode that ends early is done with all its steps, so that the bar may jump.
    with progress_bar("episodes", arguments.max_steps * len(episodes), stream=sys.stderr, log_interval=10) as bar:
        while running := [episode for episode in episodes if not episode.done]:
            for episode, actions in zip(running, replan(policy, running), strict=True):
                episode.execute(actions, arguments.max_steps)
            show(bar, episodes, arguments.max_steps)
    results = [episode.result() for episode in episodes]

    def mean(key: str) -> float:
        return round(float(np.mean([result[key] for result in results])), 4)

    summary = {
        "episodes": len(results),
        "mean_score": mean("score"),
        "mean_max_coverage": mean("max_coverage"),
        "success_rate": mean("success"),
        "seconds": round(time.monotonic() - started, 1),
        "per_episode": results,
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
