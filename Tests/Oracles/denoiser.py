"""Golden outputs of the conditional 1D UNet, from LeRobot's PyTorch class.

Writes Tests/NetworksTests/Resources/unet1d.json: for each architecture, the network's output for two observation
conditions and a batch of (sample, timestep) pairs. Parameters, samples and conditions are seeded NumPy draws that the
tests draw again, so that only outputs are stored.

    python Tests/Oracles/denoiser.py
"""

import json
import pathlib
from types import SimpleNamespace

import lerobot_stub  # noqa: F401  (lets LeRobot import without torchvision)

# isort: split
import numpy as np
import torch
from lerobot.policies.diffusion.modeling_diffusion import DiffusionConditionalUnet1d

SEED = 7
TIMESTEPS = [0, 1, 37, 99]

BASE = dict(
    action_dim=2,
    horizon=16,
    condition_dim=6,
    down_dims=[16, 32],
    kernel_size=5,
    n_groups=4,
    diffusion_step_embed_dim=16,
    use_film_scale_modulation=True,
)

# Each entry changes one thing, and the last ones change many at once to sizes that nothing divides well.
ARCHITECTURES = [
    dict(name="base"),
    dict(name="one resolution", down_dims=[16]),
    dict(name="three resolutions", down_dims=[8, 16, 24]),
    dict(name="four resolutions", down_dims=[8, 8, 16, 16], horizon=8),
    dict(name="channels that do not change", down_dims=[16, 16]),
    dict(name="action as wide as the first resolution", down_dims=[8, 16], action_dim=8),
    dict(name="kernel 3", kernel_size=3),
    dict(name="kernel 1", kernel_size=1),
    dict(name="kernel 7", kernel_size=7),
    dict(name="one group", n_groups=1),
    dict(name="a group a channel", n_groups=16),
    dict(name="embedding 4", diffusion_step_embed_dim=4),
    dict(name="embedding 30", diffusion_step_embed_dim=30),
    dict(name="shift only", use_film_scale_modulation=False),
    dict(name="shortest horizon", horizon=2),
    dict(name="long horizon", horizon=48),
    dict(name="one number", action_dim=1, condition_dim=1),
    dict(name="odd sizes", action_dim=7, horizon=12, condition_dim=13, down_dims=[24, 15, 21], n_groups=3, kernel_size=3),
    dict(
        name="odd sizes, shift only",
        action_dim=3,
        horizon=10,
        condition_dim=5,
        down_dims=[40, 35],
        n_groups=5,
        use_film_scale_modulation=False,
        diffusion_step_embed_dim=10,
    ),
    dict(name="kernel wider than the coarsest length", horizon=4, down_dims=[8, 12, 16], kernel_size=9),
    dict(name="a real size", down_dims=[64, 128, 256], n_groups=8, diffusion_step_embed_dim=64, condition_dim=36),
]


def draws(architecture, index):
    """Seeded input number `index`: uniform in [-1, 1)."""
    count = 2 * architecture["condition_dim"] + len(TIMESTEPS) * architecture["horizon"] * architecture["action_dim"]
    values = np.random.default_rng([SEED, 1_000_000 + index]).uniform(-1, 1, count).astype(np.float32)
    conditions = values[: 2 * architecture["condition_dim"]].reshape(2, -1)
    samples = values[2 * architecture["condition_dim"] :]
    return conditions, samples.reshape(len(TIMESTEPS), architecture["horizon"], architecture["action_dim"])


def fill(network):
    """The seeded parameters that `UNet1DArchitecture.randomValues` documents."""
    with torch.no_grad():
        for index, (name, parameter) in enumerate(network.named_parameters()):
            shape = tuple(parameter.shape)
            is_gain = len(shape) == 1 and name.endswith(".weight")
            bound = 0.1 if len(shape) == 1 else (3 / np.prod(shape[1:])) ** 0.5
            values = np.random.default_rng([SEED, index]).uniform(-bound, bound, shape)
            parameter.copy_(torch.from_numpy((values + is_gain).astype(np.float32)))


def main():
    cases = []
    for index, change in enumerate(ARCHITECTURES):
        architecture = {**BASE, **change}
        name = architecture.pop("name")
        config = SimpleNamespace(
            action_feature=SimpleNamespace(shape=(architecture["action_dim"],)),
            **{
                key: architecture[key]
                for key in ("down_dims", "kernel_size", "n_groups", "diffusion_step_embed_dim", "use_film_scale_modulation")
            },
        )
        network = DiffusionConditionalUnet1d(config, global_cond_dim=architecture["condition_dim"]).eval()
        fill(network)
        conditions, samples = draws(architecture, index)
        outputs = []
        with torch.no_grad():
            for condition in conditions:
                rows = torch.from_numpy(condition).expand(len(TIMESTEPS), -1)
                output = network(torch.from_numpy(samples), torch.tensor(TIMESTEPS), global_cond=rows)
                outputs.append([float(f"{value:.7g}") for value in output.flatten().tolist()])
        cases.append(
            {
                "name": name,
                "architecture": architecture,
                "parameters": [[key, list(value.shape)] for key, value in network.named_parameters()],
                "outputs": outputs,
            }
        )
    path = pathlib.Path(__file__).parent.parent / "NetworksTests" / "Resources" / "unet1d.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"seed": SEED, "timesteps": TIMESTEPS, "cases": cases}, separators=(",", ":")) + "\n")
    print(f"{path.name}: {len(cases)} architectures, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
