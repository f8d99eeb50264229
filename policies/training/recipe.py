"""The numbers that define the PushT policies and their training runs."""

from dataclasses import dataclass, field, replace

from image_encoder import EncoderShape
from network import NetworkShape


@dataclass(frozen=True)
class PolicyShape:
    """What the policy sees and returns: agent position and the scene in, a chunk of agent positions out.

    The scene is the block's keypoints, or, with an encoder, a camera frame.
    """

    horizon: int = 16
    n_obs_steps: int = 2
    n_action_steps: int = 8
    num_train_timesteps: int = 100
    state_count: int = 2
    environment_state_count: int = 16
    action_count: int = 2
    down_dims: tuple[int, ...] = (64, 128, 256)
    kernel_size: int = 5
    n_groups: int = 8
    diffusion_step_embed_dim: int = 128
    use_film_scale_modulation: bool = True
    encoder: EncoderShape | None = None

    @property
    def scene_count(self) -> int:
        """Numbers of the condition that one observation step's scene makes."""
        return self.encoder.feature_count if self.encoder else self.environment_state_count

    def network_shape(self) -> NetworkShape:
        """The UNet, and the encoder if there is one."""
        return replace(self.unet_shape(), encoder=self.encoder)

    def unet_shape(self) -> NetworkShape:
        return NetworkShape(
            action_count=self.action_count,
            condition_count=self.n_obs_steps * (self.state_count + self.scene_count),
            down_dims=self.down_dims,
            kernel_size=self.kernel_size,
            n_groups=self.n_groups,
            diffusion_step_embed_dim=self.diffusion_step_embed_dim,
            use_film_scale_modulation=self.use_film_scale_modulation,
        )

    @staticmethod
    def of(numbers: dict) -> "PolicyShape":
        """What `asdict` made of a shape."""
        encoder = numbers.get("encoder")
        return PolicyShape(**{**numbers, "encoder": EncoderShape(**encoder) if encoder else None})


def _option(default, help_: str):
    """A number of the recipe that is also an option of the training scripts."""
    return field(default=default, metadata={"help": help_})


@dataclass(frozen=True)
class TrainingRecipe:
    steps: int = _option(8_000, "optimizer steps")
    batch: int = _option(256, "windows a step")
    learning_rate: float = _option(3e-4, "after the warm-up; it falls to 0 along half a cosine")
    betas: tuple[float, float] = (0.95, 0.999)
    weight_decay: float = 1e-6
    warmup_steps: int = _option(500, "steps in which the learning rate rises")
    gradient_norm: float = 1.0
    ema_power: float = 0.75
    ema_maximum: float = 0.9999
    seed: int = _option(0, "seed of the weights, the batches and the noise")
    align: bool = _option(True, "move each demonstration so that it ends at the goal exactly")
    mirror: bool = _option(True, "add each demonstration's mirror image")
    autocast: bool = _option(True, "compute in bf16 what may be; not faster on every processor")
    snr_limit: float = _option(0.0, "weigh a noise level's error by min(1, this / its signal-to-noise ratio); 0: all alike")
    far_distance: float = _option(
        30.0, "with --finishes, take of the demonstrations what is further from the goal, in pixels of its corners' mean"
    )
