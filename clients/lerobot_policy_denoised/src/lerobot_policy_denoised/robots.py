"""The robots of a batch at the daemon: one client for each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from denoised import DenoisedError, Info, Keys, NoReply, Robot

from .episodes import noise_seed

if TYPE_CHECKING:  # it needs LeRobot, and nothing here does
    from .configuration_denoised import DenoisedConfig

# Without a chunk for so long the observation is published again: the daemon counts it once. In seconds.
_REPEAT_INTERVAL = 0.25
# How long one look at what has arrived takes at most, in seconds.
_LISTENING = 0.001


class RobotStopped(DenoisedError):
    """The daemon plans nothing for a robot that is stopped. `reason` says why it is."""

    def __init__(self, robot: str, reason: str) -> None:
        self.robot, self.reason = robot, reason
        super().__init__(f"robot {robot} is stopped: {reason}. `denoised resume {robot}` releases it")


class Robots:
    """As many robots as the batch has, which go from control step to control step together."""

    def __init__(self, config: DenoisedConfig) -> None:
        self._config = config
        self._keys = Keys.load(config.curve_key, config.curve_server) if config.curve_key and config.curve_server else None
        self._robots: list[Robot] = []
        self._episodes: list[int] = []
        self._step = 0
        self._newest: list[Mapping[str, np.ndarray]] = []
        self._connect(1)

    def info(self) -> Info:
        """What the daemon runs."""
        return self._robots[0].info()

    def begin(self, episodes: Sequence[int]) -> None:
        """Begins an episode of each robot; there are as many robots as episodes."""
        self._connect(len(episodes))
        for robot, episode in zip(self._robots, episodes, strict=True):
            # To the daemon an episode that it has had cannot begin again, unless it has forgotten the robot.
            robot.begin_episode(episode)
            robot.reset()
        self._episodes, self._step = list(episodes), 0

    def observe(self, observations: Sequence[Mapping[str, np.ndarray]], wants_chunk: bool) -> np.ndarray | None:
        """Tells what each robot sees at the next control step.

        Returns the actions of their chunks, float32 [robots, n_action_steps, action_dim], or None if none is wanted.

        Raises `RobotStopped`, `RequestRejected`, `NoReply` and what else the client raises.
        """
        if len(observations) != len(self._episodes):
            raise ValueError(f"{len(observations)} observations, and the episode began with {len(self._episodes)}")
        step, self._step = self._step, self._step + 1
        seeds = [self._noise_seed(episode, step) for episode in self._episodes]
        if step == 0:
            self._newest = list(observations)
            # As requests, which tell what is wrong with an observation. The answer is there before the next is published, so that
            # they cannot overtake each other. A chunk that is not wanted yet costs little once an episode.
            pairs = zip(self._robots, observations, seeds, strict=True)
            chunks = [robot.predict(seen, step=0, noise_seed=seed).action for robot, seen, seed in pairs]
            return np.stack(chunks) if wants_chunk else None
        # Whoever stops a robot does not want it to carry out what is left of its chunk.
        for robot in self._robots:
            robot.listen(0)
            self._check_stopped(robot)
        earlier, self._newest = self._newest, list(observations)
        for robot, before, seen, seed in zip(self._robots, earlier, observations, seeds, strict=True):
            if wants_chunk:
                # Nobody tells whether an observation has arrived that asks for nothing, and a connection that breaks loses some.
                # The newest of them, on which the chunk depends, is repeated: the daemon counts it once.
                robot.publish(before, step=step - 1, replan=False)
            robot.publish(seen, step=step, replan=wants_chunk, noise_seed=seed)
        if not wants_chunk:
            return None
        waited = zip(self._robots, observations, seeds, strict=True)
        return np.stack([self._chunk(robot, seen, step, seed) for robot, seen, seed in waited])

    def close(self) -> None:
        """Ends the episodes and the connections."""
        for robot in self._robots:
            robot.end_episode()
            robot.close()
        self._robots = []

    def _noise_seed(self, episode: int, step: int) -> int | None:
        name = self._config.noise_name
        return None if name is None else noise_seed(episode, name, step)

    @staticmethod
    def _check_stopped(robot: Robot) -> None:
        if (reason := robot.stopped) is not None:
            raise RobotStopped(robot.name, reason)

    def _chunk(self, robot: Robot, seen: Mapping[str, np.ndarray], step: int, seed: int | None) -> np.ndarray:
        """Waits for the chunk of an observation that was published."""
        began = published = time.monotonic()
        while (chunk := robot.chunk) is None or chunk.step != step:
            self._check_stopped(robot)
            now = time.monotonic()
            if now - began > self._config.timeout_s:
                hint = "its log says why" if robot.connected else "is the daemon running?"
                raise NoReply(f"chunk for step {step} of robot {robot.name}", self._config.endpoint, self._config.timeout_s, hint)
            if now - published > _REPEAT_INTERVAL:
                robot.publish(seen, step=step, replan=True, noise_seed=seed)
                published = now
            robot.listen(_LISTENING)
        return chunk.action

    def _connect(self, count: int) -> None:
        """Sees to it that there are so many robots, with the names that a batch of that size has."""
        base = self._config.robot
        names = [base] if count == 1 else [f"{base}-{index}" for index in range(count)]
        if [robot.name for robot in self._robots] == names:
            return
        self.close()
        for name in names:
            robot = Robot(
                self._config.endpoint,
                name,
                policy=self._config.policy_name,
                keys=self._keys,
                timeout=self._config.timeout_s,
            )
            try:
                robot.connect()
            except BaseException:
                robot.close()
                self.close()
                raise
            self._robots.append(robot)
