"""What LeRobot's command line takes as `--policy.type=denoised --policy.endpoint=...`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from lerobot.configs.policies import PreTrainedConfig
from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature

ACTION = "action"
ENVIRONMENT_STATE = "observation.environment_state"
NO_TRAINING = (
    "a policy of type denoised cannot be trained: its weights are with the daemon. Train one of type diffusion with "
    "lerobot-train, and give its checkpoint to `denoised serve --policy`"
)


@PreTrainedConfig.register_subclass("denoised")
@dataclass
class DenoisedConfig(PreTrainedConfig):
    """Where the daemon is, and under which names the robot asks it.

    What the policy observes, and how many actions a chunk has, is the daemon's to say: `DenoisedPolicy` asks it and fills in
    `input_features`, `output_features`, `n_obs_steps`, `horizon` and `n_action_steps`.

    - `endpoint`: where the daemon answers requests. The other endpoints are learnt from it.
    - `robot`: the robot's id at the daemon. In a batch of n > 1 environments the ids are `<robot>-0` ... `<robot>-<n-1>`.
    - `timeout_s`: the longest wait for a chunk, in seconds.
    - `policy_name`: the name of one of the daemon's policies, if it runs several (`serve --policy NAME=...`).
    - `curve_key`, `curve_server`: this client's secret certificate and the daemon's public one, for a daemon with CURVE keys.
    - `first_episode`: the number of the first episode; each further one has the next number. Unset: the seed that
      `lerobot-eval --seed` gives the first environment, so that an episode has its environment's seed as its number. A program
      that sets no seed gets a random number.
    - `noise_name`: the noise of a chunk is drawn from a seed that depends on the episode's number, this name and the control
      step alone. The default is what `denoised sim` uses. Null: the daemon chooses the seed, from its own `--seed` and the
      robot's id.
    - `rename_map`: observation names of the environment or robot -> those of the daemon's policy.
    """

    endpoint: str = "tcp://127.0.0.1:5557"
    robot: str = "lerobot"
    policy_name: str | None = None
    timeout_s: float = 30.0
    curve_key: str | None = None
    curve_server: str | None = None
    first_episode: int | None = None
    noise_name: str | None = "pusht"
    rename_map: dict[str, str] = field(default_factory=dict)

    # Nothing is computed here, so there is no better device.
    device: str | None = "cpu"
    push_to_hub: bool = False
    # The daemon normalises: its observations and actions are in the units of the data.
    normalization_mapping: dict[str, NormalizationMode] = field(
        default_factory=lambda: {kind.value: NormalizationMode.IDENTITY for kind in FeatureType}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        # Not fields: the daemon says them.
        self.horizon: int | None = None
        self.n_action_steps: int | None = None
        if not self.timeout_s > 0:
            raise ValueError(f"policy.timeout_s is {self.timeout_s}, expected more than 0")
        if (self.curve_key is None) != (self.curve_server is None):
            raise ValueError("policy.curve_key and policy.curve_server go together")
        if self.first_episode is not None and not 0 <= self.first_episode < 1 << 63:
            raise ValueError(f"policy.first_episode is {self.first_episode}, expected 0...2^63 - 1")

    def validate_features(self) -> None:
        """Nothing: the daemon's features are compared with each observation."""

    @property
    def observation_delta_indices(self) -> None:
        return None

    @property
    def action_delta_indices(self) -> None:
        return None

    @property
    def reward_delta_indices(self) -> None:
        return None

    def get_optimizer_preset(self) -> NoReturn:
        raise NotImplementedError(NO_TRAINING)

    def get_scheduler_preset(self) -> None:
        return None


def feature(name: str, count: int) -> PolicyFeature:
    """A daemon's feature of numbers, as LeRobot describes it."""
    kind = FeatureType.ENV if name == ENVIRONMENT_STATE else FeatureType.STATE
    return PolicyFeature(type=kind, shape=(count,))


def camera(height: int, width: int) -> PolicyFeature:
    """A daemon's camera, as LeRobot describes it: channels first."""
    return PolicyFeature(type=FeatureType.VISUAL, shape=(3, height, width))
