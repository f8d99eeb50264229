"""Times a chunk of LeRobot's default image policy from new frames of two cameras, in LeRobot and in denoised, in turn.

    python lerobot_chunk.py BINARY [--folder .build/peers/cameras] [--rounds 5] [--threads 2]

Needs torch, torchvision and lerobot 0.4.4. The policy is LeRobot's default one (down_dims 512, 1024, 2048, horizon 16, a
ResNet18 with group norms, a crop of 84 x 84 from 96 x 96) with DDIM 10 and random weights. Each chunk has two steps of frames
that were never seen before. LeRobot gets them as tensors, normalised already; denoised gets bytes.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import torch
from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy
from lerobot.policies.diffusion.processor_diffusion import make_diffusion_pre_post_processors

CAMERAS = ["observation.images.front", "observation.images.wrist"]
SIDE = 96


def make_policy():
    torch.manual_seed(0)
    inputs = {"observation.state": PolicyFeature(FeatureType.STATE, (2,))}
    inputs |= {camera: PolicyFeature(FeatureType.VISUAL, (3, SIDE, SIDE)) for camera in CAMERAS}
    config = DiffusionConfig(
        input_features=inputs,
        output_features={"action": PolicyFeature(FeatureType.ACTION, (2,))},
        normalization_mapping={
            "VISUAL": NormalizationMode.IDENTITY,
            "STATE": NormalizationMode.MIN_MAX,
            "ACTION": NormalizationMode.MIN_MAX,
        },
        noise_scheduler_type="DDIM",
        num_inference_steps=10,
        device="cpu",
    )
    return DiffusionPolicy(config).eval()


def save(policy, folder):
    """Writes the checkpoint, unless it is there."""
    if (folder / "complete").exists():
        return
    policy.save_pretrained(folder)
    limits = {"min": torch.full((2,), -1.0), "max": torch.full((2,), 1.0)}
    for processor in make_diffusion_pre_post_processors(policy.config, {"observation.state": limits, "action": limits}):
        processor.save_pretrained(folder)
    (folder / "complete").touch()


def lerobot_turn(policy, runs):
    steps = policy.config.n_obs_steps
    times = []
    for index in range(-2, runs):
        batch = {"observation.state": torch.zeros(1, steps, 2)}
        batch["observation.images"] = torch.rand(1, steps, len(CAMERAS), 3, SIDE, SIDE)
        start = time.perf_counter_ns()
        with torch.inference_mode():
            policy.diffusion.generate_actions(batch)
        if index >= 0:
            times.append((time.perf_counter_ns() - start) / 1e6)
    return statistics.median(times)


def denoised_turn(binary, folder, precision, threads, runs):
    command = [binary, "bench", "chunk", "--policy", str(folder), "--window", "1", "--precision", precision]
    command += ["--threads", str(threads), "--runs", str(runs), "--json"]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return report["results"][0]["ms_p50"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--folder", type=Path, default=Path(".build/peers/cameras"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    policy = make_policy()
    save(policy, arguments.folder)
    turns = {"LeRobot": [], "f32": [], "int8": []}
    for _ in range(arguments.rounds):
        turns["LeRobot"].append(lerobot_turn(policy, arguments.runs))
        for precision in ("f32", "int8"):
            time.sleep(0.2)  # threads that spin for a while after their work have stopped by then
            turns[precision].append(
                denoised_turn(arguments.binary, arguments.folder, precision, arguments.threads, arguments.runs)
            )
    ms = {engine: statistics.median(times) for engine, times in turns.items()}
    load = os.getloadavg()[0]
    print(json.dumps({"ms": ms, "f32_times_faster": ms["LeRobot"] / ms["f32"], "int8_times_faster": ms["LeRobot"] / ms["int8"]}))
    print(f"load average {load:.1f}")


if __name__ == "__main__":
    main()
