"""Writes Tests/PushTTests/Resources/gym_frames.json: pictures of gym-pusht's observation, disturbed ones, and shapes.

Needs gym-pusht 0.1.8 (pygame 2.6, OpenCV). Run from the repository root:

    python Tests/Oracles/pusht_frames.py           writes the file
    python Tests/Oracles/pusht_frames.py --check   draws the file's 50 states again and compares

The 50 states are resets, states with parts of the block outside the walls, and steps of episodes. A frame is kept as what
differs from the bare table: base64 of runs, each of which is the number of pixels to skip and the number that follow, two
bytes each with the low one first, and then three bytes a pixel. The bare table is kept in the same way, against white.
"""

import argparse
import base64
import json
import os
import struct
import sys
from pathlib import Path

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import gym_pusht  # noqa: F401  (registers the environment)
import gymnasium as gym
import numpy as np
import pygame

PATH = Path("Tests/PushTTests/Resources/gym_frames.json")
SHAPE = (96, 96, 3)
# What --check allows, and the tests: grey levels on average, and the share of bytes that are off by more than 16.
MEAN_DIFFERENCE = 1.0
SHARE_FAR_OFF = 0.005
# Agent and block far outside the picture, which leaves the goal and the walls.
BARE_TABLE = [-1000.0, -1000.0, -3000.0, -3000.0, 0.0]
RESET_SEEDS = range(10)
STATES = [
    [480.0, 30.0, 20.0, 20.0, 0.3],
    [10.0, 505.0, 500.0, 490.0, -2.0],
    [256.0, 256.0, 256.0, 256.0, 0.785],
    [300.0, 120.0, 290.0, 100.0, 4.0],
    [520.0, -8.0, 60.0, 450.0, 9.0],
]
EPISODE_SEEDS = [100, 101, 102, 103, 104, 105, 106]
EPISODE_STEPS = [2, 7, 15, 28, 50]
HOLD = 3
CANVAS = (48, 40)
DRAWINGS = 60
SIZES = [(128, 96), (97, 131), (224, 224), (256, 256), (512, 512), (700, 520)]


def make(width=96, height=96):
    return gym.make(
        "gym_pusht/PushT-v0",
        obs_type="pixels_agent_pos",
        observation_width=width,
        observation_height=height,
        disable_env_checker=True,
    ).unwrapped


def target(rng, env, seed):
    """Pushes the block about: by long contacts with even seeds, and hard into the walls with odd ones."""
    block = np.array(env.block.position)
    if seed % 2 == 0:
        return np.clip(block + rng.normal(0, 60, 2), 0, 512)
    return np.clip(block + 3 * (block - np.array(env.agent.position)) + rng.normal(0, 30, 2), 0, 512)


def record(seed=None, state=None, steps=(0,), width=96, height=96, targets=None):
    """Plays an episode; returns what it was given, what the targets were and the frames after `steps`."""
    env = make(width, height)
    observation, _ = env.reset(seed=seed) if state is None else env.reset(options={"reset_to_state": state})
    rng = np.random.default_rng(seed)
    chosen = [] if targets is None else targets
    frames = []
    for step in range(max(steps) + 1):
        if step > 0:
            if targets is None and (step - 1) % HOLD == 0:
                chosen.append(target(rng, env, seed).tolist())
            observation, *_ = env.step(np.array(chosen[(step - 1) // HOLD]))
        if step in steps:
            frames.append(observation["pixels"])
    return {"seed": seed, "state": state, "steps": list(steps), "targets": chosen}, frames


def encode(frame, base):
    """The runs of pixels that differ from those of `base`; a run goes on over one pixel that does not."""
    pixels = frame.reshape(-1, 3)
    different = np.flatnonzero((pixels != base.reshape(-1, 3)).any(axis=1)).tolist()
    runs = []
    for index in different:
        if runs and index - runs[-1][1] <= 2:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    encoded, position = b"", 0
    for first, last in runs:
        encoded += struct.pack("<HH", first - position, last + 1 - first) + pixels[first : last + 1].tobytes()
        position = last + 1
    return base64.b64encode(encoded).decode()


def decode(text, base):
    pixels, encoded, position = base.reshape(-1, 3).copy(), base64.b64decode(text), 0
    while encoded:
        skip, count = struct.unpack_from("<HH", encoded)
        position += skip
        pixels[position : position + count] = np.frombuffer(encoded, np.uint8, 3 * count, 4).reshape(-1, 3)
        position += count
        encoded = encoded[4 + 3 * count :]
    return pixels.reshape(SHAPE)


def white():
    return np.full(SHAPE, 255, np.uint8)


def fnv1a(data):
    """The 64-bit FNV-1a hash, in hexadecimal."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def drawing(seed):
    """The hash of 12 random shapes, many of them partly or wholly outside the picture."""
    rng = np.random.default_rng(seed)

    def number(low, high):
        return int(rng.integers(low, high))

    def point():
        return number(-20, 70), number(-20, 70)

    screen = pygame.Surface(CANVAS)
    screen.fill((255, 255, 255))
    for _ in range(12):
        kind, color = number(0, 4), (number(0, 256), number(0, 256), number(0, 256))
        if kind == 0:
            pygame.draw.polygon(screen, color, [point() for _ in range(number(3, 8))])
        elif kind == 1:
            pygame.draw.circle(screen, color, point(), number(0, 25), 0)
        elif kind == 2:
            pygame.draw.lines(screen, color, False, [point(), point()], number(1, 7))
        else:
            pygame.draw.aalines(screen, color, False, [point(), point()])
    return fnv1a(np.transpose(pygame.surfarray.array3d(screen), (1, 0, 2)).tobytes())


def disturbed(frame, step, seed, gain, offset, deviation):
    """What Sources/PushT/Disturbances says of brightness and noise, in NumPy."""
    draws = np.random.default_rng([0, step, seed]).bit_generator.random_raw(frame.size)
    sums = draws.astype("<u8").view(np.uint8).reshape(-1, 8).sum(axis=1, dtype=np.int64)
    noise = deviation / np.sqrt(43690.0) * (sums - 1020)
    return np.clip(np.rint(gain * frame + offset + noise), 0, 255).astype(np.uint8)


def disturbances():
    frame = np.arange(0, 256, 5, dtype=np.uint8)
    cases = []
    for step, seed, gain, offset, deviation in [
        (0, 0, 1.0, 0.0, 8.0),
        (7, 100000, 1.25, -20.0, 0.0),
        (299, 2**53 - 1, 0.75, 12.5, 40.0),
    ]:
        expected = disturbed(frame, step, seed, gain, offset, deviation)
        cases.append(
            {
                "step": step,
                "seed": str(seed),
                "gain": gain,
                "offset": offset,
                "standard_deviation": deviation,
                "frame": frame.tolist(),
                "expected": expected.tolist(),
            }
        )
    return cases


def drops():
    """The steps of an episode whose frames are lost with probability 0.2."""
    seed = 100003
    lost = [step for step in range(100) if np.random.default_rng([1, step, seed]).random() < 0.2]
    return {"seed": str(seed), "probability": 0.2, "count": 100, "lost": lost}


def write():
    _, (table,) = record(state=BARE_TABLE)
    recordings = [record(seed=seed) for seed in RESET_SEEDS]
    recordings += [record(state=state) for state in STATES]
    recordings += [record(seed=seed, steps=EPISODE_STEPS) for seed in EPISODE_SEEDS]
    sizes = []
    for width, height in SIZES:
        episode, (frame,) = record(seed=102, steps=[4], width=width, height=height)
        assert frame.shape == (height, width, 3)
        sizes.append({**episode, "width": width, "height": height, "fnv1a": fnv1a(frame.tobytes())})
    content = {
        "hold": HOLD,
        "bare_state": BARE_TABLE,
        "table": encode(table, white()),
        "episodes": [{**episode, "frames": [encode(f, table) for f in frames]} for episode, frames in recordings],
        "sizes": sizes,
        "drawings": [drawing(seed) for seed in range(DRAWINGS)],
        "disturbed": disturbances(),
        "drops": drops(),
    }
    text = json.dumps(content, separators=(",", ":"))
    PATH.write_text(text.replace('{"seed"', '\n{"seed"').replace('{"step"', '\n{"step"') + "\n")
    print(f"{PATH}: {sum(len(frames) for _, frames in recordings)} frames, {PATH.stat().st_size} bytes")


def check():
    content = json.loads(PATH.read_text())
    table = decode(content["table"], white())
    found, expected = [], []
    for episode in content["episodes"]:
        _, frames = record(seed=episode["seed"], state=episode["state"], steps=episode["steps"], targets=episode["targets"])
        expected += frames
        found += [decode(text, table) for text in episode["frames"]]
    difference = np.abs(np.array(found, int) - np.array(expected, int))
    equal = int((difference.reshape(len(found), -1).max(axis=1) == 0).sum())
    mean, far_off = float(difference.mean()), float((difference > 16).mean())
    print(f"{len(found)} frames, {equal} equal; mean difference {mean:.4f}, {far_off:.4%} of the bytes off by more than 16")
    if len(found) < 50 or mean > MEAN_DIFFERENCE or far_off > SHARE_FAR_OFF:
        sys.exit(f"expected 50 frames, a mean of at most {MEAN_DIFFERENCE}, and at most {SHARE_FAR_OFF:.1%} of the bytes far off")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="draw the file's states again and compare")
    if parser.parse_args().check:
        check()
    else:
        write()


main()
