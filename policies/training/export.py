#!/usr/bin/env python3
"""Makes a policy bundle of a training checkpoint: the averaged weights, in bf16.

    python export.py --checkpoint run/checkpoint.pt --output policies/pusht
"""

import argparse
from pathlib import Path

import torch

from bundle import WEIGHTS, write_bundle
from normalization import Range
from recipe import PolicyShape, TrainingRecipe


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a policy bundle of a training checkpoint.")
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint.pt of a training run")
    parser.add_argument("--output", type=Path, required=True, help="the bundle's folder")
    arguments = parser.parse_args()
    checkpoint = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
    statistics = {
        name: Range(range_["min"], range_["max"]) for name, range_ in checkpoint["statistics"].items()
    }
    write_bundle(
        arguments.output,
        PolicyShape(**checkpoint["shape"]),
        TrainingRecipe(**checkpoint["recipe"]),
        checkpoint["average"],
        statistics,
    )
    size = (arguments.output / WEIGHTS).stat().st_size
    print(f"{arguments.output}: step {checkpoint['step_count']}, {size / 1e6:.1f} MB of weights")


if __name__ == "__main__":
    main()
