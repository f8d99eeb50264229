"""Makes checkpoints of the Diffusion Policy code base, and says what it computes with them.

    python Tests/Oracles/diffusion_checkpoints.py CODE
    python Tests/Oracles/diffusion_checkpoints.py CODE --check BINARY

The first writes Tests/ImportingTests/Resources. The second imports checkpoints of the shapes of the code base's tasks and
compares what is predicted, which takes gigabytes and minutes.

CODE is a checkout of github.com/real-stanford/diffusion_policy. Needs besides what image_policies.py needs: hydra-core,
omegaconf<2.4, dill, zarr<3, h5py, tensorboardX, and robomimic==0.2.0 installed with --no-deps.

Policies and normalisers are the code base's, and so are configurations, but for what a case overrides. Weights are random. Every
checkpoint is saved by the code base's `save_checkpoint`. The larger ones of the tests are not stored: of these only the pickle
is, and the test draws the weights again (see `draw`).
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy
import torch

from image_policies import frame, generator, noise, weights

RESOURCES = Path(__file__).resolve().parent.parent / "ImportingTests" / "Resources"
IMAGE = "train_diffusion_unet_hybrid_workspace"
LOWDIM = "train_diffusion_unet_lowdim_workspace"

# The cases of the tests: the configuration, what it is overridden by, and options of the import.
SMALL = ["policy.model.down_dims=[8,16]", "policy.model.diffusion_step_embed_dim=8", "policy.model.kernel_size=3"]
SMALL += ["horizon=8", "n_obs_steps=2", "n_action_steps=4", "policy.noise_scheduler.num_train_timesteps=10"]
SMALL += ["task.obs_dim=5", "task.action_dim=3", "policy.num_inference_steps=10"]
SMALL_IMAGE = ["policy.down_dims=[16,32]", "policy.diffusion_step_embed_dim=16", "policy.num_inference_steps=4"]
SMALL_IMAGE += ["policy.noise_scheduler.num_train_timesteps=4"]
TWO_CAMERAS = {
    "robot0_eef_pos": {"shape": [3]},
    "wrist": {"shape": [3, 40, 52], "type": "rgb"},
    "robot0_gripper_qpos": {"shape": [2], "type": "low_dim"},
    "front": {"shape": [3, 40, 52], "type": "rgb"},
    "object": {"shape": [4]},
}
# Parts of a configuration that only make files larger.
UNREAD = ["ema", "dataloader", "val_dataloader", "optimizer", "logging", "checkpoint", "multi_run"]
# What of an encoder is no weight.
NOT_DRAWN = ("pos_x", "pos_y", "temperature", "batches_tracked")
GOLDEN = {
    "lowdim": dict(config=LOWDIM, overrides=SMALL, resolved=False, options=["--state", "3-4,0"]),
    "hybrid": dict(
        config=IMAGE,
        overrides=[*SMALL_IMAGE, "policy.crop_shape=[33,41]", "task=square_image"],
        observations=TWO_CAMERAS,
        options=["--state", "0-4"],
    ),
    "batch-norm": dict(
        config=IMAGE,
        overrides=[*SMALL_IMAGE, "policy.crop_shape=null", "policy.obs_encoder_group_norm=false", "task=pusht_image"],
        observations={"image": {"shape": [3, 48, 64], "type": "rgb"}, "agent_pos": {"shape": [2]}},
    ),
}
# The shapes of the code base's tasks, with the numbers of their papers' networks.
TASKS = {
    "pusht_lowdim": dict(config=LOWDIM, overrides=["task=pusht_lowdim"], options=["--state", "18-19"]),
    "lift_lowdim": dict(config=LOWDIM, overrides=["task=lift_lowdim"]),
    "square_lowdim": dict(config=LOWDIM, overrides=["task=square_lowdim"], options=["--state", "14-22"]),
    "kitchen_lowdim": dict(config=LOWDIM, overrides=["task=kitchen_lowdim"]),
    "pusht_image": dict(config=IMAGE, overrides=["task=pusht_image", "policy.crop_shape=[84,84]"]),
    "lift_image": dict(config=IMAGE, overrides=["task=lift_image"]),
    "square_image_abs": dict(config=IMAGE, overrides=["task=square_image_abs"], options=["--raw-rotations"]),
    "real_pusht_image": dict(config="train_diffusion_unet_real_hybrid_workspace", overrides=["task=real_pusht_image"]),
}


def configuration(
    code: Path, config: str, overrides: list, resolved: bool = True, observations: dict | None = None, without=(), **_
):
    """The code base's configuration of a case, as its `train.py` leaves it."""
    import hydra
    from omegaconf import OmegaConf, open_dict

    OmegaConf.register_new_resolver("eval", eval, replace=True)
    with hydra.initialize_config_dir(str(code.resolve() / "diffusion_policy/config"), version_base=None):
        cfg = hydra.compose(config, overrides)
    if observations is not None:
        with open_dict(cfg):
            cfg.task.shape_meta.obs = observations
    for key in without:
        with open_dict(cfg):
            del cfg[key]
    if resolved:
        OmegaConf.resolve(cfg)
    return cfg


def draw(module: torch.nn.Module, prefix: str = "") -> None:
    """Gives a policy's networks the weights that tests draw again, by the names of its tensors."""
    for name, value in module.state_dict().items():
        # Backbone and pool are there twice: by these names they are drawn.
        drawn = name.replace(".backbone.nets.", ".nets.0.nets.").replace(".pool.", ".nets.1.")
        if name.startswith(("model.", "obs_encoder.")) and not name.endswith(
            ("pos_x", "pos_y", "temperature", "batches_tracked")
        ):
            value.copy_(torch.tensor(weights(prefix + drawn, tuple(value.shape))))


def normalizer(cfg):
    """A normaliser with one dimension of every entry that never moved, and one of a narrow range far from 0."""
    from diffusion_policy.common.normalize_util import array_to_stats, get_image_range_normalizer, get_range_normalizer_from_stat
    from diffusion_policy.model.common.normalizer import LinearNormalizer, SingleFieldLinearNormalizer

    def samples(name, count):
        data = 4 * generator(f"{name} data").random(20 * count).reshape(20, count) - 1
        data[:, 0] = 0.25
        if count > 2:
            data[:, 1] = 1 + 0.01 * data[:, 1]
        return data.astype(numpy.float32)

    result = LinearNormalizer()
    if "shape_meta" not in cfg.policy:
        for key, count in (("obs", cfg.policy.obs_dim), ("action", cfg.policy.action_dim)):
            result[key] = SingleFieldLinearNormalizer.create_fit(samples(key, count))
        return result
    for key, entry in [*cfg.policy.shape_meta.obs.items(), ("action", cfg.policy.shape_meta.action)]:
        if entry.get("type") == "rgb":
            result[key] = get_image_range_normalizer()
        else:
            result[key] = get_range_normalizer_from_stat(array_to_stats(samples(key, entry.shape[0])))
    return result


def workspace(cfg, only_averaged: bool = False, optimizer: str = "AdamW"):
    """A workspace with a policy, its average and an optimiser, as those of the code base have them."""
    import hydra
    from diffusion_policy.workspace.base_workspace import BaseWorkspace

    class Workspace(BaseWorkspace):
        include_keys = ("global_step", "epoch")

        def __init__(self):
            super().__init__(cfg, output_dir="data/outputs")
            model = hydra.utils.instantiate(cfg.policy).eval()
            model.set_normalizer(normalizer(cfg))
            draw(model)
            self.ema_model = copy.deepcopy(model)
            if not only_averaged:
                self.model = model
                draw(self.model, "other ")
                self.optimizer = getattr(torch.optim, optimizer)(self.model.parameters(), lr=1e-4)
            self.global_step = 12345
            self.epoch = 250

    return Workspace()


def observations(cfg) -> dict[str, numpy.ndarray]:
    """An observation of a case for each step, oldest first: [n_obs_steps, ...], frames as bytes."""
    entries = cfg.policy.shape_meta.obs if "shape_meta" in cfg.policy else {"obs": {"shape": [cfg.policy.obs_dim]}}
    result = {}
    for key, entry in entries.items():
        if entry.get("type") == "rgb":
            steps = [frame(key, step, *entry["shape"][1:]) for step in range(cfg.policy.n_obs_steps)]
        else:
            steps = [
                (3 * generator(f"{key} observation {step}").random(entry["shape"][0]) - 1).astype(numpy.float32)
                for step in range(cfg.policy.n_obs_steps)
            ]
        result[key] = numpy.stack(steps)
    return result


def prediction(policy, values: dict[str, numpy.ndarray], numbers: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """What the code base predicts with the noise given, in its precision: numbers[0] first, one more for each step."""
    precision = next(policy.parameters()).dtype
    batch = {}
    for key, value in values.items():
        tensor = torch.tensor(value)
        batch[key] = (tensor.permute(0, 3, 1, 2).float() / 255 if value.ndim == 4 else tensor)[None].to(precision)
    rows = iter(torch.tensor(numbers, dtype=precision))
    drawn = torch.randn
    torch.randn = lambda *arguments, **options: next(rows)[None].clone()
    torch.set_default_dtype(precision)
    try:
        with torch.no_grad():
            result = policy.predict_action(batch)
    finally:
        torch.randn = drawn
        torch.set_default_dtype(torch.float32)
    return {key: result[key][0].numpy() for key in ("action", "action_pred")}


def noise_of(name: str, cfg) -> numpy.ndarray:
    action_dim = cfg.policy.action_dim if "action_dim" in cfg.policy else cfg.policy.shape_meta.action.shape[0]
    return noise(f"{name} noise", (cfg.policy.num_inference_steps + 1, cfg.policy.horizon, action_dim))


def split(values: dict[str, numpy.ndarray], options: list[str]) -> dict[str, numpy.ndarray]:
    """The observations under LeRobot's names, as `--state` of the options cuts them."""
    numbers = numpy.concatenate([value for value in values.values() if value.ndim == 2], axis=1)
    cameras = {key: value for key, value in values.items() if value.ndim == 4}
    state = list(range(numbers.shape[1]))
    if "--state" in options:
        parts = [part.split("-") for part in options[options.index("--state") + 1].split(",")]
        state = [index for part in parts for index in range(int(part[0]), int(part[-1]) + 1)]
    others = [index for index in range(numbers.shape[1]) if index not in state]
    # Columns that are picked lie one after the other in memory, and safetensors writes memory.
    result = {"observation.state": numpy.ascontiguousarray(numbers[:, state])}
    if others:
        result["observation.environment_state"] = numpy.ascontiguousarray(numbers[:, others])
    for key, value in cameras.items():
        result["observation.image" if list(cameras) == ["image"] else f"observation.images.{key}"] = value
    return result


def write_golden(code: Path, name: str, case: dict) -> None:
    cfg = configuration(code, without=UNREAD, **case)
    is_stored = name == "lowdim"
    space = workspace(cfg, only_averaged=not is_stored, optimizer="SGD")
    values = observations(cfg)
    result = prediction(space.ema_model, values, noise_of(name, cfg))
    golden = dict(
        options=case.get("options", []),
        observations={key: value.tolist() for key, value in split(values, case.get("options", [])).items() if value.ndim == 2},
        cameras=[key for key, value in values.items() if value.ndim == 4],
        prediction=[float(value) for value in result["action_pred"].flatten()],
    )
    if is_stored:
        golden["other_prediction"] = [
            float(value) for value in prediction(space.model, values, noise_of(name, cfg))["action_pred"].flatten()
        ]
    path = RESOURCES / f"{name}.ckpt"
    space.save_checkpoint(path, use_thread=False)
    if not is_stored:
        # What is not drawn.
        state = space.ema_model.state_dict()
        golden["numbers"] = {
            key: value.flatten().tolist()
            for key, value in state.items()
            if key.startswith("normalizer.") or key.endswith(("pos_x", "pos_y", "temperature"))
        }
        with zipfile.ZipFile(path) as archive:
            (RESOURCES / f"{name}.pkl").write_bytes(archive.read("archive/data.pkl"))
        path.unlink()
    (RESOURCES / f"{name}.json").write_text(json.dumps(golden) + "\n")
    print(name, "spread of the prediction", float(result["action_pred"].std()))


def check(code: Path, binary: str, name: str, case: dict, folder: Path) -> tuple[float, float]:
    """Imports a checkpoint of a task's shape. Returns the largest difference of a chunk, normalised, and in units."""
    from safetensors.numpy import load_file, save_file

    cfg = configuration(code, **case)
    cfg.policy.num_inference_steps = min(cfg.policy.num_inference_steps, int(os.environ.get("STEPS", 1000)))
    space = workspace(cfg)
    values = observations(cfg)
    numbers = noise_of(name, cfg)
    expected = prediction(space.ema_model, values, numbers)
    exact = prediction(copy.deepcopy(space.ema_model).double(), values, numbers)["action_pred"]
    path = folder / f"{name}.ckpt"
    space.save_checkpoint(path)
    space._saving_thread.join()
    scale = space.ema_model.normalizer["action"].params_dict["scale"].detach().numpy()
    size = path.stat().st_size
    del space
    options = case.get("options", [])
    subprocess.run([binary, "import", str(path), "--output", str(folder / name), *options], check=True, stdout=subprocess.DEVNULL)
    path.unlink()
    save_file(split(values, options) | {"noise": numbers}, folder / "in.safetensors")
    command = [binary, "predict", "--policy", str(folder / name), "--input", str(folder / "in.safetensors")]
    subprocess.run([*command, "--output", str(folder / "out.safetensors")], check=True, stdout=subprocess.DEVNULL)
    found = load_file(folder / "out.safetensors")
    assert found["action"].shape == expected["action"].shape, (found["action"].shape, expected["action"].shape)
    difference = numpy.abs(found["action_pred"] - expected["action_pred"])
    assert numpy.abs(found["action"] - expected["action"]).max() <= difference.max()
    loads = lerobot(folder / name)
    ours, theirs = (numpy.abs((each["action_pred"] - exact) * scale).max() for each in (found, expected))
    print(
        f"{name}: {size / 1e6:.0f} MB, largest difference {(difference * scale).max():.1e} normalised, {difference.max():.1e} in "
        f"units; from theirs in 64 bits: ours {ours:.1e}, theirs in 32 bits {theirs:.1e}; LeRobot {loads}",
        flush=True,
    )
    return float((difference * scale).max()), float(difference.max())


def lerobot(folder: Path) -> str:
    """What LeRobot says to the folder."""
    from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy
    from lerobot.policies.factory import make_pre_post_processors

    try:
        policy = DiffusionPolicy.from_pretrained(folder, strict=True)
        make_pre_post_processors(policy.config, pretrained_path=str(folder))
    except ValueError as error:
        return f"refuses it: {error}"
    return "loads it"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("code", type=Path)
    parser.add_argument("--check", metavar="BINARY")
    parser.add_argument("--task", choices=TASKS, action="append")
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.code))
    torch.set_num_threads(2)
    if not arguments.check:
        RESOURCES.mkdir(parents=True, exist_ok=True)
        for name, case in GOLDEN.items():
            write_golden(arguments.code, name, case)
        return
    worst = 0.0
    for name in arguments.task or TASKS:
        with tempfile.TemporaryDirectory() as folder:
            # A ResNet's sums of thousands of products are rounded in another order.
            limit = 1e-4 if "image" in name else 1e-5
            worst = max(worst, check(arguments.code, arguments.check, name, TASKS[name], Path(folder))[0] / limit)
    sys.exit(0 if worst <= 1 else 1)


if __name__ == "__main__":
    main()
