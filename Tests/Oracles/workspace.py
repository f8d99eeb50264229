"""Writes Tests/LimitsTests/Resources/workspace.json: where the tools of random arms are.

Needs numpy. Run from the repository root: python Tests/Oracles/workspace.py
Each link is one 4 x 4 matrix, Rz(theta + offset) Tz(d) Tx(a) Rx(alpha), and the tool is the origin after their product.
"""

import json
from pathlib import Path

import numpy as np


def rotation_z(angle):
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0, 0], [sine, cosine, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def rotation_x(angle):
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0, 0], [0, cosine, -sine, 0], [0, sine, cosine, 0], [0, 0, 0, 1]])


def translation(x, z):
    matrix = np.eye(4)
    matrix[0, 3], matrix[2, 3] = x, z
    return matrix


def tool(links, angles):
    product = np.eye(4)
    for link, angle in zip(links, angles):
        turn = rotation_z(angle + link["offset"])
        product = product @ turn @ translation(0, link["d"]) @ translation(link["a"], 0) @ rotation_x(link["alpha"])
    return product[:3, 3]


def main():
    generator = np.random.default_rng(5)
    cases = []
    for count in [1, 2, 3, 4, 6, 6, 6, 7, 7, 16] * 3:
        links = [
            {
                "d": generator.uniform(-0.5, 0.5),
                "a": generator.uniform(-0.5, 0.5),
                "alpha": float(generator.choice([0, np.pi / 2, -np.pi / 2, generator.uniform(-np.pi, np.pi)])),
                "offset": float(generator.choice([0, generator.uniform(-np.pi, np.pi)])),
            }
            for _ in range(count)
        ]
        # Angles are sent in single precision.
        angles = generator.uniform(-np.pi, np.pi, count).astype(np.float32)
        place = tool(links, angles.astype(np.float64))
        cases.append({"links": links, "angles": [float(angle) for angle in angles], "place": place.tolist()})
    path = Path("Tests/LimitsTests/Resources/workspace.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(cases) + "\n")


main()
