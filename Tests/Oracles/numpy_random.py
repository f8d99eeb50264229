"""Writes Tests/NumPyRandomTests/Resources/numpy_random.json: what NumPy draws for a set of seeds.

Needs numpy. Run from the repository root: python Tests/Oracles/numpy_random.py
Words are decimal strings and doubles are hexadecimal, so that no JSON reader can round them.
"""

import json
from pathlib import Path

import numpy as np

ENTROPIES = [[0], [1], [42], [100000], [2**32 - 1], [2**32], [2**32 + 5], [2**64 - 1], [1, 2], [7, 0, 2**40, 3, 2**63, 9]]
RANGES = [
    (50, 450),
    (100, 400),
    (-3, 4),
    (7, 8),
    (0, 2**32 - 1),
    (0, 2**32),
    (-1, 2**32),
    (0, 2**62 + 2**61),
    (-(2**63), 2**63 - 1),
]


def texts(words):
    return [str(int(word)) for word in words]


def draws(entropy):
    def generator():
        return np.random.default_rng(np.random.SeedSequence(entropy))

    sequence = np.random.SeedSequence(entropy)
    mixed = generator()
    mixed_draws = []
    for low, high in RANGES * 6:
        mixed_draws.append(str(int(mixed.integers(low, high))))
        mixed_draws.append(float(mixed.uniform(-np.pi, np.pi)).hex())
    return {
        "entropy": texts(entropy),
        "state32": texts(sequence.generate_state(10, np.uint32)),
        "state64": texts(sequence.generate_state(4, np.uint64)),
        "raw": texts(generator().bit_generator.random_raw(24)),
        "doubles": [float(x).hex() for x in generator().random(16)],
        "mixed": mixed_draws,
    }


def main():
    if all(np.random.default_rng(5).random(3) != np.random.default_rng([5]).random(3)):
        raise SystemExit("a seed and a list of one seed no longer agree")
    path = Path("Tests/NumPyRandomTests/Resources/numpy_random.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "ranges": [texts(pair) for pair in RANGES],
        "streams": [draws(entropy) for entropy in ENTROPIES],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


main()
