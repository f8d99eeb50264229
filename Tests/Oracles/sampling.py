"""Writes Tests/SamplingTests/Resources/sampling.json: noise schedules and samples from diffusers, noise from NumPy.

    python Tests/Oracles/sampling.py

Needs torch and diffusers 0.42. The model is `Model` below, which the Swift tests evaluate in the same way (in double
precision, rounded once), so that only the schedulers differ. The parallel samples come from diffusers' own ParaDiGMS
pipeline with that model in the place of its network.
"""

import json
import math
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace

import diffusers.schedulers.scheduling_ddpm as ddpm_module
import numpy as np
import torch
from diffusers import (
    DDIMParallelScheduler,
    DDIMScheduler,
    DDPMParallelScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
)


class StandIn(ModuleType):
    """A module that has every name: an empty class."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


# What the ParaDiGMS pipeline's file imports for images and text, none of which its sampling loop needs here. The
# real modules would bring in transformers and torchvision.
for module in (
    "transformers",
    "diffusers.image_processor",
    "diffusers.loaders",
    "diffusers.models",
    "diffusers.models.lora",
    "diffusers.pipelines.pipeline_utils",
    "diffusers.pipelines.stable_diffusion",
    "diffusers.pipelines.stable_diffusion.pipeline_output",
    "diffusers.pipelines.stable_diffusion.safety_checker",
):
    sys.modules[module] = StandIn(module)
from diffusers.pipelines.deprecated.stable_diffusion_variants import (  # noqa: E402
    pipeline_stable_diffusion_paradigms as paradigms,
)

SAMPLE_COUNT = 6
LARGEST_N = 100
RESOURCES = Path(__file__).parent.parent / "SamplingTests" / "Resources"


class Model:
    """The posterior mean of a Gaussian with mean mu_i and deviation 0.4, bent by a sine, as the asked-for output."""

    def __init__(self, alphas_cumprod, prediction_type):
        self.alphas_cumprod = alphas_cumprod.double()
        self.prediction_type = prediction_type
        self.mu = torch.arange(SAMPLE_COUNT, dtype=torch.float64) * 0.5 - 1.25
        self.index = torch.arange(SAMPLE_COUNT, dtype=torch.float64)
        self.evaluations = 0
        self.iterations = 0

    def __call__(self, samples, timesteps):
        """samples [batch, SAMPLE_COUNT], timesteps [batch]"""
        self.evaluations += len(samples)
        self.iterations += 1
        x = samples.double()
        alpha_bar = self.alphas_cumprod[timesteps][:, None]
        alpha, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
        x0 = (
            self.mu
            + alpha * 0.16 * (x - alpha * self.mu) / (alpha_bar * 0.16 + 1 - alpha_bar)
            + 0.05 * torch.sin(2 * x + self.index + 0.01 * timesteps[:, None])
        )
        epsilon = (x - alpha * x0) / sigma
        if self.prediction_type == "epsilon":
            output = epsilon
        elif self.prediction_type == "sample":
            output = x0
        else:
            output = alpha * epsilon - sigma * x0
        return output.float()


def scheduler_for(solver, schedule, num_train_timesteps, prediction_type, clip):
    common = dict(num_train_timesteps=num_train_timesteps, beta_schedule=schedule, prediction_type=prediction_type)
    if solver == "dpmsolver++":
        assert clip in (None, 1.0)
        return DPMSolverMultistepScheduler(**common, thresholding=clip is not None, sample_max_value=1.0)
    scheduler = DDPMScheduler if solver == "ddpm" else DDIMScheduler
    return scheduler(**common, clip_sample=clip is not None, clip_sample_range=clip or 1.0)


def floats(tensor):
    return [float(str(value)) for value in tensor.detach().numpy().astype(np.float32).ravel()]


def sequential_case(noise, solver, schedule, num_train_timesteps, prediction_type, clip, n):
    scheduler = scheduler_for(solver, schedule, num_train_timesteps, prediction_type, clip)
    scheduler.set_timesteps(n)
    model = Model(scheduler.alphas_cumprod, prediction_type)
    x = noise[0][None].clone()
    halfway = None
    for k, t in enumerate(scheduler.timesteps):
        if k == n // 2:
            halfway = floats(x)
        ddpm_module.randn_tensor = lambda *_, k=k, **__: noise[k + 1][None, :, None]
        x = scheduler.step(model(x, t[None])[..., None], t, x[..., None]).prev_sample[..., 0]
    case = {
        "solver": solver,
        "beta_schedule": schedule,
        "num_train_timesteps": num_train_timesteps,
        "prediction_type": prediction_type,
        "clip_sample_range": clip,
        "num_inference_steps": n,
        "halfway": halfway,
        "sample": floats(x),
    }
    if prediction_type == "epsilon" and clip is None:
        case["timesteps"] = [int(t) for t in scheduler.timesteps]
    return case


def frozen_case(noise, solver, prediction_type, clip, n, known, first):
    """The scheduler's own loop, with the known elements' outputs replaced by those that imply their values."""
    scheduler = scheduler_for(solver, "squaredcos_cap_v2", 100, prediction_type, clip)
    scheduler.set_timesteps(n)
    model = Model(scheduler.alphas_cumprod, prediction_type)
    x = noise[0][None].clone()
    part = slice(first, first + len(known))
    clean = torch.tensor(known, dtype=torch.float64)
    for k, t in enumerate(scheduler.timesteps):
        if k == n // 2:
            halfway = floats(x)
        output = model(x, t[None])
        alpha_bar = scheduler.alphas_cumprod[t].double()
        alpha, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
        epsilon = (x[0, part].double() - alpha * clean) / sigma
        output[0, part] = {"epsilon": epsilon, "sample": clean, "v_prediction": alpha * epsilon - sigma * clean}[
            prediction_type
        ].float()
        ddpm_module.randn_tensor = lambda *_, k=k, **__: noise[k + 1][None, :, None]
        x = scheduler.step(output[..., None], t, x[..., None]).prev_sample[..., 0]
    return {
        "solver": solver,
        "prediction_type": prediction_type,
        "clip_sample_range": clip,
        "num_inference_steps": n,
        "known": known,
        "first": first,
        "halfway": halfway,
        "sample": floats(x),
    }


class UNetStandIn:
    """The model in the shape that the pipeline asks its network in: [batch, SAMPLE_COUNT, 1, 1]."""

    def __init__(self, model):
        self.model = model
        self.config = SimpleNamespace(in_channels=SAMPLE_COUNT, sample_size=1, time_cond_proj_dim=None)

    def __call__(self, samples, timesteps, **_):
        return (self.model(samples[:, :, 0, 0], timesteps)[:, :, None, None],)


def paradigms_case(noise, solver, prediction_type, clip, n, window, tolerance):
    scheduler_class = {"ddpm": DDPMParallelScheduler, "ddim": DDIMParallelScheduler}[solver]
    scheduler = scheduler_class(
        num_train_timesteps=100,
        beta_schedule="squaredcos_cap_v2",
        prediction_type=prediction_type,
        clip_sample=clip is not None,
        clip_sample_range=clip or 1.0,
    )
    model = Model(scheduler.alphas_cumprod, prediction_type)

    class Pipeline(paradigms.StableDiffusionParadigmsPipeline):
        _execution_device = torch.device("cpu")

        def __init__(self):
            self.scheduler = scheduler
            self.unet = self.wrapped_unet = UNetStandIn(model)
            self.vae_scale_factor = 1
            self.image_processor = SimpleNamespace(postprocess=lambda image, **_: image)

        def check_inputs(self, *_, **__):
            pass

        def encode_prompt(self, *_, **__):
            return torch.zeros(1, 1, 1), torch.zeros(1, 1, 1)

        def prepare_latents(self, *_, **__):
            return noise[0].reshape(1, SAMPLE_COUNT, 1, 1).clone()

        def prepare_extra_step_kwargs(self, *_, **__):
            return {}

        def progress_bar(self, total):
            return nullcontext(SimpleNamespace(update=lambda _: None))

        def maybe_free_model_hooks(self):
            pass

    rows = iter(noise[1:])
    paradigms.randn_tensor = lambda *_, **__: next(rows).reshape(1, SAMPLE_COUNT, 1, 1)
    sample = Pipeline()(
        prompt="",
        height=1,
        width=1,
        num_inference_steps=n,
        guidance_scale=0,
        parallel=window,
        tolerance=tolerance,
        output_type="latent",
        return_dict=False,
    )[0]
    return {
        "solver": solver,
        "prediction_type": prediction_type,
        "clip_sample_range": clip,
        "num_inference_steps": n,
        "window": window,
        "tolerance": tolerance,
        "parallel_iterations": model.iterations,
        "model_evaluations": model.evaluations,
        "sample": floats(sample),
    }


def polar_normals(seed, count):
    """Marsaglia's polar method over NumPy's PCG64."""
    generator = np.random.Generator(np.random.PCG64(seed))
    values = []
    while len(values) < count:
        u, v = 2 * generator.random() - 1, 2 * generator.random() - 1
        s = u * u + v * v
        if 0 < s < 1:
            r = math.sqrt(-2 * math.log(s) / s)
            values += [u * r, v * r]
    return values[:count]


def main():
    torch.manual_seed(7)
    noise = torch.randn(LARGEST_N + 1, SAMPLE_COUNT)

    schedules = []
    for schedule in ("squaredcos_cap_v2", "linear", "scaled_linear"):
        for t in (1, 2, 10, 100, 1000):
            alphas_cumprod = DDPMScheduler(num_train_timesteps=t, beta_schedule=schedule).alphas_cumprod
            picked = sorted({round(i * (t - 1) / 20) for i in range(21)})
            schedules.append(
                {
                    "beta_schedule": schedule,
                    "num_train_timesteps": t,
                    "timesteps": picked,
                    "alphas_cumprod": floats(alphas_cumprod[picked]),
                }
            )

    sequential = []
    for solver in ("ddpm", "ddim", "dpmsolver++"):
        for prediction_type in ("epsilon", "sample", "v_prediction"):
            for clip in (None, 1.0, 0.7):
                if clip == 0.7 and (solver == "dpmsolver++" or prediction_type != "sample"):
                    continue
                for schedule, t, ns in (
                    ("squaredcos_cap_v2", 100, (1, 2, 7, 15, 30, 99, 100)),
                    ("linear", 1000, (10, 30)),
                    ("scaled_linear", 1000, (15, 64)),
                ):
                    for n in ns:
                        if solver == "dpmsolver++" and n == t:
                            continue  # NaN in diffusers: one timestep occurs twice
                        sequential.append(sequential_case(noise, solver, schedule, t, prediction_type, clip, n))

    parallel = []
    for solver, n in (("ddpm", 100), ("ddim", 15)):
        for prediction_type, clip in (("epsilon", 1.0), ("v_prediction", None)):
            for window in (1, 4, 8, 20):
                for tolerance in (0.1, 0.02):
                    parallel.append(paradigms_case(noise, solver, prediction_type, clip, n, window, tolerance))

    frozen = [
        frozen_case(noise, solver, prediction_type, 1.0, n, [0.5, -0.25, 0.75], first)
        for solver in ("ddpm", "ddim", "dpmsolver++")
        for prediction_type in ("epsilon", "sample", "v_prediction")
        for n, first in ((15, 0), (30, 2))
    ]

    for case in sequential + parallel + frozen:
        assert all(math.isfinite(value) for value in case["sample"]), case

    RESOURCES.mkdir(parents=True, exist_ok=True)
    content = {
        "noise": [floats(row) for row in noise],
        "schedules": schedules,
        "sequential": sequential,
        "parallel": parallel,
        "frozen": frozen,
        "gaussian": [
            {"seed": seed, "values": floats(torch.tensor(polar_normals(seed, 7), dtype=torch.float64))}
            for seed in (0, 1, 2**64 - 1)
        ],
    }
    lines = ",\n".join(
        f'"{key}": [\n' + ",\n".join(json.dumps(item, separators=(",", ":")) for item in items) + "\n]"
        for key, items in content.items()
    )
    (RESOURCES / "sampling.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
