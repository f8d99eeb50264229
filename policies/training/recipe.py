"""The numbers that define the PushT policy and its training run."""

from dataclasses import dataclass

from network import NetworkShape


@dataclass(frozen=True)
class PolicyShape:
    """What the policy sees and returns: agent position and block keypoints in, a chunk of positions out."""

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

    def network_shape(self) -> NetworkShape:
        return NetworkShape(
            action_count=self.action_count,
            condition_count=self.n_obs_steps * (self.state_count + self.environment_state_count),
            down_dims=self.down_dims,
            kernel_size=self.kernel_size,
            n_groups=self.n_groups,
            diffusion_step_embed_dim=self.diffusion_step_embed_dim,
            use_film_scale_modulation=self.use_film_scale_modulation,
        )


@dataclass(frozen=True)
class TrainingRecipe:
    steps: int = 8_000
    batch: int = 256
    learning_rate: float = 3e-4
    betas: tuple[float, float] = (0.95, 0.999)
    weight_decay: float = 1e-6
    warmup_steps: int = 500
    gradient_norm: float = 1.0
    ema_power: float = 0.75
    ema_maximum: float = 0.9999
    seed: int = 0
    align: bool = True
    mirror: bool = True
