#!/usr/bin/env python3
"""Makes a policy bundle of a training checkpoint: the averaged weights, in bf16.

Usage: python export.py --checkpoint run/checkpoint.pt --output policies/pusht
"""

import argparse
from pathlib import Path

from bundle import WEIGHTS, write_bundle
from checkpoint import read_checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a policy bundle of a training checkpoint.")
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint.pt of a training run")
    parser.add_argument("--output", type=Path, required=True, help="the bundle's folder")
    arguments = parser.parse_args()
    trained = read_checkpoint(arguments.checkpoint)
    frames = trained.encoder.frames if trained.encoder else None
    write_bundle(arguments.output, trained.shape, trained.recipe, trained.policy_weights, trained.statistics, frames)
    size = (arguments.output / WEIGHTS).stat().st_size
    print(f"{arguments.output}: step {trained.step_count}, {size / 1e6:.1f} MB of weights")


if __name__ == "__main__":
    main()
