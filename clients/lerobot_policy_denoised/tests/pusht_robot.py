"""A robot of LeRobot whose body is gym-pusht: a state of two joints, and a camera called `top`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gym_pusht  # noqa: F401  (registers the environment)
import gymnasium
import numpy as np
from lerobot.robots import Robot, RobotConfig

JOINTS = ("x.pos", "y.pos")


@RobotConfig.register_subclass("pusht_robot")
@dataclass
class PushTRobotConfig(RobotConfig):
    seed: int = 3


class PushTRobot(Robot):
    config_class = PushTRobotConfig
    name = "pusht_robot"

    def __init__(self, config: PushTRobotConfig) -> None:
        super().__init__(config)
        self._seed = config.seed
        self._environment = gymnasium.make("gym_pusht/PushT-v0", obs_type="pixels_agent_pos", disable_env_checker=True).unwrapped
        self._is_connected = False
        self.cameras: dict[str, Any] = {}
        self.actions: list[np.ndarray] = []
        #: What is called once so many actions have been carried out.
        self.after: tuple[int, Callable[[], None]] | None = AFTER
        ROBOTS.append(self)

    @property
    def observation_features(self) -> dict[str, Any]:
        return dict.fromkeys(JOINTS, float) | {"top": (96, 96, 3)}

    @property
    def action_features(self) -> dict[str, type]:
        return dict.fromkeys(JOINTS, float)

    @property
    def is_connected(self) -> bool:
        return self._is_connected

    def connect(self, calibrate: bool = True) -> None:
        self._seen, _ = self._environment.reset(seed=self._seed)
        self._is_connected = True

    @property
    def is_calibrated(self) -> bool:
        return True

    def calibrate(self) -> None:
        """Nothing to do."""

    def configure(self) -> None:
        """Nothing to do."""

    def get_observation(self) -> dict[str, Any]:
        return {name: float(value) for name, value in zip(JOINTS, self._seen["agent_pos"], strict=True)} | {
            "top": self._seen["pixels"]
        }

    def send_action(self, action: dict[str, Any]) -> dict[str, Any]:
        target = np.array([action[name] for name in JOINTS], np.float32)
        self.actions.append(target)
        self._seen, *_ = self._environment.step(target)
        if self.after is not None and len(self.actions) == self.after[0]:
            self.after[1]()
        return action

    def disconnect(self) -> None:
        self._is_connected = False


#: Those that LeRobot has made.
ROBOTS: list[PushTRobot] = []
#: For the next robot: a number of actions, and what is called after them.
AFTER: tuple[int, Callable[[], None]] | None = None
