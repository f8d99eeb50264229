#!/usr/bin/env python3
"""Writes Tests/StatisticsTests/Resources/intervals.json: intervals and p-values of made-up results.

    python Tests/Oracles/intervals.py

Needs numpy and scipy. Wilson's interval and the exact sign test are SciPy's. The interval of a mean is that of
policies/training/score_intervals.py, which the daemon's reports are to agree with.
"""

import json
import pathlib
import sys

import numpy as np
from scipy.stats import binomtest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "policies/training"))

from score_intervals import bootstrap, wilson  # noqa: E402

OUTPUT = ROOT / "Tests/StatisticsTests/Resources/intervals.json"


def proportion(successes, count):
    interval = binomtest(successes, count).proportion_ci(method="wilson")
    ours = wilson(successes, count)
    return {
        "successes": successes,
        "count": count,
        "scipy": [interval.low, interval.high],
        # Rounding takes the script's interval past 0 and 1.
        "script": [max(ours[0], 0.0), min(ours[1], 1.0)],
    }


def mean(values):
    return {"values": [float(value) for value in values], "low_high": bootstrap(np.array(values))}


def discordant(only_first, only_second):
    count = only_first + only_second
    p_value = binomtest(only_first, count).pvalue if count else 1.0
    return {"only_first": only_first, "only_second": only_second, "p_value": float(p_value)}


def main():
    random = np.random.default_rng(7)
    scores = np.round(np.minimum(random.uniform(0.6, 1.1, 50), 1.0), 3)
    others = np.round(np.minimum(random.uniform(0.5, 1.1, 50), 1.0), 3)
    golden = {
        "proportions": [
            proportion(*case) for case in [(0, 1), (1, 1), (0, 20), (20, 20), (7, 20), (38, 50), (333, 500), (99_999, 100_000)]
        ],
        "means": [
            mean(values) for values in [[0.25, 1.0], [0.5, 0.75, 1.0], scores, np.round(scores - others, 3), [1.0] * 19 + [0.0]]
        ],
        "discordant": [discordant(*case) for case in [(0, 0), (1, 0), (3, 3), (2, 9), (9, 2), (0, 20), (40, 60), (900, 1100)]],
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
