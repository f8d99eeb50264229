"""The robots of a batch at a real daemon. Needs no LeRobot."""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
from denoised import NoReply, RequestRejected, Robot

from daemons import Daemon
from lerobot_policy_denoised.episodes import noise_seed
from lerobot_policy_denoised.robots import Robots, RobotStopped

Observation = dict[str, np.ndarray]


def settings(endpoint: str, **changes: object) -> SimpleNamespace:
    """What `DenoisedConfig` has by default, which is one of LeRobot's classes."""
    name = f"robot-{os.urandom(4).hex()}"
    defaults = dict(endpoint=endpoint, robot=name, policy_name=None, timeout_s=30.0, curve_key=None, curve_server=None)
    return SimpleNamespace(**(defaults | {"noise_name": "pusht"} | changes))


@pytest.fixture
def one(daemon: Daemon) -> Iterator[Robots]:
    with closing(Robots(settings(daemon.endpoint))) as robots:  # type: ignore[arg-type]
        yield robots


def seen(step: int, robot: int = 0) -> Observation:
    """What the tiny policy observes, another thing for each robot."""
    row = np.float32(robot + step)
    state, environment = np.array([100.0, -2.75], np.float32), np.array([0.25, 7.5, 0.0004], np.float32)
    return {"observation.state": state + row, "observation.environment_state": environment + np.float32(0.1) * row}


def play(robots: Robots, episodes: list[int], steps: int) -> np.ndarray:
    """The actions of episodes that are played together, [robots, steps, action_dim]."""
    robots.begin(episodes)
    actions: list[np.ndarray] = []
    for step in range(steps):
        chunk = robots.observe([seen(step, episode) for episode in episodes], wants_chunk=step == len(actions))
        if chunk is not None:
            actions += list(chunk.swapaxes(0, 1))
    return np.stack(actions[:steps], axis=1)


def test_actions_are_those_of_the_daemons_chunks(daemon: Daemon, one: Robots) -> None:
    steps = 2 * one.info().policy.n_action_steps
    played = play(one, [7], steps)[0]
    with Robot(daemon.endpoint, "direct-batch") as robot:
        robot.begin_episode("direct")
        expected: list[np.ndarray] = []
        for step in range(steps):
            chunk = robot.predict(seen(step, 7), step=step, noise_seed=noise_seed(7, "pusht", step))
            if step == len(expected):
                expected += list(chunk.action)
    assert np.array_equal(played, np.stack(expected))


def test_a_batch_is_as_many_robots_that_know_nothing_of_each_other(daemon: Daemon, one: Robots) -> None:
    with closing(Robots(settings(daemon.endpoint, robot="many"))) as many:  # type: ignore[arg-type]
        together = play(many, [7, 8, 9], steps=10)
        with Robot(daemon.endpoint, "looking") as looking:
            assert {"many-0", "many-1", "many-2"} <= set(looking.status().robots)
    for index, episode in enumerate((7, 8, 9)):
        assert np.array_equal(play(one, [episode], steps=10)[0], together[index])


def test_an_observation_is_wanted_of_each_robot(one: Robots) -> None:
    one.begin([1, 2])
    with pytest.raises(ValueError, match="1 observations, and the episode began with 2"):
        one.observe([seen(0)], wants_chunk=True)


def test_a_stop_is_told_with_its_reason(daemon: Daemon, one: Robots) -> None:
    play(one, [1], steps=1)
    with Robot(daemon.endpoint, "person") as person:
        person.stop(everyone=True)
        try:
            with pytest.raises(RobotStopped, match=r"is stopped: .*was requested.*denoised resume"):
                one.observe([seen(1)], wants_chunk=True)
            one.begin([2])
            with pytest.raises(RequestRejected, match="stopped"):
                one.observe([seen(0)], wants_chunk=True)
        finally:
            person.resume(everyone=True)


def test_a_stop_is_told_before_the_chunk_is_over(daemon: Daemon, one: Robots) -> None:
    play(one, [1], steps=1)
    with Robot(daemon.endpoint, "person") as person:
        person.stop(everyone=True)
        try:
            began = time.monotonic()
            with pytest.raises(RobotStopped, match=r"is stopped: .*was requested.*denoised resume"):
                # Heartbeats tell it, ten times a second.
                for step in range(1, 1000):
                    assert one.observe([seen(step)], wants_chunk=False) is None
                    assert time.monotonic() - began < 20, "nobody told of the stop"
                    time.sleep(0.01)
        finally:
            person.resume(everyone=True)


def test_a_daemon_that_is_not_there_is_told_soon(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NoReply, match="is the daemon running"):
        Robots(settings(f"ipc://{tmp_path}/nobody", timeout_s=0.3))  # type: ignore[arg-type]
