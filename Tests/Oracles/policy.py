"""Makes the fixtures of Tests/SafetensorsTests and Tests/PolicyTests from PyTorch, safetensors and LeRobot.

    python Tests/Oracles/policy.py

Needs torch, safetensors, diffusers and lerobot 0.4.4. Everything is seeded; running it again gives the same numbers.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save, save_file

TESTS = Path(__file__).resolve().parent.parent


def safetensors_fixtures(folder: Path) -> None:
    """One file with every dtype that is converted, written by the reference implementation."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    values[0, 0] = 1e-40  # subnormal in f32
    values[0, 1] = 65504.0  # the largest f16
    values[0, 2] = 6e-8  # the smallest f16
    values[0, 3] = -0.0
    tensors = {
        "f64": values,
        "f32": values.float(),
        "f16": values.half(),
        "bf16": values.bfloat16(),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 5),
        "i64": torch.tensor([-(2**62), -1, 0, 7]),
        "i32": torch.tensor([-(2**31), 5], dtype=torch.int32),
        "u8": torch.tensor([0, 255, 3], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        'quoted "name" \u00e9': torch.ones(1),
    }
    save_file(tensors, folder / "dtypes.safetensors", metadata={"format": "pt"})
    expected = {name: tensors[name].double().flatten().tolist() for name in ("f64", "f32", "f16", "bf16")}
    (folder / "dtypes.json").write_text(json.dumps(expected, indent=1) + "\n")


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    safetensors_fixtures(fresh(TESTS / "SafetensorsTests" / "Fixtures"))
