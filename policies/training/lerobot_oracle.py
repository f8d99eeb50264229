"""LeRobot's own DiffusionPolicy as the oracle of a bundle, with every bit of its noise given."""

import sys
import types
from pathlib import Path

import torch
from torch import Tensor

from normalization import IMAGE
from policy import Chunk


def _import_lerobot():
    """LeRobot's policy class and processor factory.

    A low-dimensional policy uses nothing of torchvision, but LeRobot imports it at load, and torchvision's compiled
    part refuses a PyTorch build other than its own. A module without contents stands in for it then. An image policy
    needs a torchvision that loads.
    """
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        sys.meta_path.insert(0, _EmptyTorchvision())
    from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy
    from lerobot.policies.factory import make_pre_post_processors

    return DiffusionPolicy, make_pre_post_processors


class _EmptyTorchvision:
    """Finds torchvision and all below it as modules in which any name is an empty class."""

    def find_spec(self, name: str, path=None, target=None):
        if name.split(".")[0] != "torchvision":
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__getattr__ = self.empty_class
        return module

    @staticmethod
    def empty_class(name: str) -> type:
        # Python's own names must stay missing: what looks at modules in passing takes them at their word.
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})

    def exec_module(self, module):
        pass


class LeRobotOracle:
    def __init__(self, directory: Path):
        policy_class, make_processors = _import_lerobot()
        self.policy = policy_class.from_pretrained(directory, local_files_only=True).eval()
        self.preprocess, self.postprocess = make_processors(self.policy.config, pretrained_path=str(directory))

    @torch.inference_mode()
    def chunk(self, history: dict[str, Tensor], noise: Tensor) -> Chunk:
        """One history and noise [steps + 1, horizon, action] -> a chunk of batch 1.

        The history has each feature [n_obs_steps, ...] by its name; frames are [n_obs_steps, h, w, 3] uint8.
        """
        model, config = self.policy.diffusion, self.policy.config
        # The preprocessor takes one observation at a time, as it would from a robot, and a frame as LeRobot's robots
        # give it: channels first, 0 to 1.
        given = {key: value.movedim(-1, -3).float() / 255 if key == IMAGE else value for key, value in history.items()}
        steps = [self.preprocess({key: value[i] for key, value in given.items()}) for i in range(config.n_obs_steps)]
        batch = {key: torch.stack([step[key] for step in steps], dim=1) for key in given}
        if IMAGE in batch:
            # LeRobot stacks all cameras in a dimension before the channels.
            batch["observation.images"] = batch.pop(IMAGE).unsqueeze(-4)
        outputs: list[Tensor] = []
        hook = model.unet.register_forward_hook(lambda module, inputs, output: outputs.append(output))
        try:
            with _GivenVarianceNoise(noise[1:]):
                global_condition = model._prepare_global_conditioning(batch)
                sample = model.conditional_sample(1, global_cond=global_condition, noise=noise[:1].clone())
        finally:
            hook.remove()
        prediction = self.postprocess(sample)
        first = config.n_obs_steps - 1
        return Chunk(prediction[:, first : first + config.n_action_steps], prediction, outputs[0])


class _GivenVarianceNoise:
    """While entered, the diffusers DDPM scheduler draws its noise from a list: the k-th draw is entry k."""

    def __init__(self, noise: Tensor):
        self.remaining = list(noise)

    def __enter__(self):
        from diffusers.schedulers import scheduling_ddpm

        self.module, self.original = scheduling_ddpm, scheduling_ddpm.randn_tensor

        def draw(shape, generator=None, device=None, dtype=None):
            return self.remaining.pop(0).reshape(shape).to(dtype=dtype, device=device)

        scheduling_ddpm.randn_tensor = draw

    def __exit__(self, *exception):
        self.module.randn_tensor = self.original
