#!/usr/bin/env python3
"""How sure a score is: 95 % intervals of what evaluate.py or `denoised sim --json` printed.

    denoised sim --policy policies/pusht --episodes 500 --seed 700000 --json > score.json
    python score_intervals.py score.json

Success: Wilson's interval. Mean score: the bootstrap's percentiles, from episodes drawn again with replacement.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np

# Of the standard normal distribution: 95 % lie within so many standard deviations.
NORMAL_95 = 1.959964
RESAMPLES = 10_000


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson, 1927)."""
    z2 = NORMAL_95**2
    share = successes / count
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return centre - half, centre + half


def bootstrap(scores: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a mean: percentiles of the means of `RESAMPLES` samples of the same size."""
    random = np.random.default_rng(seed)
    means = [random.choice(scores, size=len(scores)).mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def summary(results: dict) -> dict:
    episodes = results["per_episode"]
    scores = np.array([episode["score"] for episode in episodes])
    successes = sum(episode["success"] for episode in episodes)
    return {
        "episodes": len(episodes),
        "mean_score": float(scores.mean()),
        "mean_score_95": bootstrap(scores),
        "success_rate": successes / len(episodes),
        "success_rate_95": wilson(successes, len(episodes)),
        "median_steps": float(np.median([episode["steps"] for episode in episodes])),
        "lowest_score": float(scores.min()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="95 % intervals of a score.")
    parser.add_argument("results", type=Path, nargs="+", help="files with one JSON object each")
    arguments = parser.parse_args()
    for path in arguments.results:
        found = {
            name: [round(x, 4) for x in value] if isinstance(value, tuple) else round(value, 4)
            for name, value in summary(json.loads(path.read_text())).items()
        }
        print(json.dumps({"results": path.name, **found}))


if __name__ == "__main__":
    main()
