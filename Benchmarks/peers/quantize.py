"""Writes the networks that export.py wrote with weights and activations of 8 bits for OpenVINO, as network-int8.xml.

    python quantize.py FOLDER 256-512-1024 ...

Post-training quantization by NNCF with its default preset, calibrated with seeded inputs; a network that is there already is left
alone. All weights take half of their range: processors with AVX2 and without VNNI add pairs of products with saturation, and with
the whole range sums overflow. The instructions are the same.
"""

import json
import sys
from pathlib import Path

import nncf
import numpy as np
import openvino

SAMPLES = 100
CONDITION_DIM, ACTION_DIM = 40, 2


def samples(horizon):
    """Noise as a sampler begins with, at timesteps of the whole schedule, under conditions in -1...1."""
    random = np.random.default_rng(3)
    for index in range(SAMPLES):
        yield {
            "samples": random.standard_normal((1, horizon, ACTION_DIM)).clip(-3, 3).astype(np.float32),
            "timesteps": np.array([index * 100 // SAMPLES], dtype=np.int64),
            "conditions": random.uniform(-1, 1, (1, CONDITION_DIM)).astype(np.float32),
        }


def main():
    root = Path(sys.argv[1])
    for name in sys.argv[2:]:
        folder = root / name
        if (folder / "network-int8.xml").exists():
            continue
        horizon = json.loads((folder / "config.json").read_text())["horizon"]
        model = openvino.Core().read_model(folder / "network.onnx")
        quantized = nncf.quantize(
            model,
            nncf.Dataset(list(samples(horizon))),
            subset_size=SAMPLES,
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
        )
        # The weights first: an interrupted run leaves no .xml behind.
        openvino.save_model(quantized, folder / "partial.xml", compress_to_fp16=False)
        (folder / "partial.bin").rename(folder / "network-int8.bin")
        (folder / "partial.xml").rename(folder / "network-int8.xml")
        print(f"{folder}: quantized")


if __name__ == "__main__":
    main()
