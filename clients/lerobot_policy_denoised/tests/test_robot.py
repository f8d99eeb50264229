"""`lerobot-record` and `lerobot-rollout` with a robot whose actions come from a daemon."""

from __future__ import annotations

import os
import pathlib

import gymnasium
import numpy as np
import pytest
from denoised import Robot
from packaging.version import Version

from daemons import Daemon
from lerobot_policy_denoised import DenoisedConfig
from lerobot_policy_denoised.episodes import noise_seed

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
pytest.importorskip("gym_pusht")
lerobot = pytest.importorskip("lerobot")

import pusht_robot  # noqa: E402
from pusht_robot import PushTRobotConfig  # noqa: E402

# More than a chunk.
STEPS = 10
HAS_ROLLOUT = Version(lerobot.__version__) >= Version("0.6")


def config(daemon: Daemon) -> DenoisedConfig:
    names = {"observation.images.top": "observation.image"}
    return DenoisedConfig(endpoint=daemon.endpoint, robot="recorded", first_episode=5, rename_map=names)


def interrupt() -> None:
    """As Ctrl-C does, which lerobot-rollout takes for the end."""
    raise KeyboardInterrupt


def expected_actions(daemon: Daemon, steps: int) -> np.ndarray:
    """The actions that the daemon gives a robot that plays the episode without LeRobot, [steps, 2]."""
    environment = gymnasium.make("gym_pusht/PushT-v0", obs_type="pixels_agent_pos", disable_env_checker=True).unwrapped
    seen, _ = environment.reset(seed=PushTRobotConfig().seed)
    actions: list[np.ndarray] = []
    with Robot(daemon.endpoint, "direct") as robot:
        robot.begin_episode("direct")
        for step in range(steps):
            observation = {"observation.state": seen["agent_pos"].astype(np.float32), "observation.image": seen["pixels"]}
            chunk = robot.predict(observation, step=step, noise_seed=noise_seed(5, "pusht", step))
            if step == len(actions):
                actions += list(chunk.action)
            seen, *_ = environment.step(actions[step])
    return np.stack(actions[:steps])


@pytest.mark.skipif(HAS_ROLLOUT, reason="from 0.6 on lerobot-record takes no policy")
def test_lerobot_record_takes_the_daemons_actions(
    seeing: Daemon, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rerun")
    parquet = pytest.importorskip("pyarrow.parquet")
    from lerobot.scripts import lerobot_record
    from lerobot.scripts.lerobot_record import DatasetRecordConfig, RecordConfig

    # In place of somebody who presses the key for the next episode.
    events = {"exit_early": False, "rerecord_episode": False, "stop_recording": False}
    monkeypatch.setattr(lerobot_record, "init_keyboard_listener", lambda: (None, events))
    monkeypatch.setattr(pusht_robot, "AFTER", (STEPS, lambda: events.update(exit_early=True)))
    dataset = lerobot_record.record(
        RecordConfig(
            robot=PushTRobotConfig(),
            policy=config(seeing),
            dataset=DatasetRecordConfig(
                repo_id="tests/eval_pusht",
                single_task="push the T",
                root=tmp_path / "data",
                fps=10,
                num_episodes=1,
                episode_time_s=120,
                reset_time_s=0,
                push_to_hub=False,
            ),
            play_sounds=False,
        )
    )
    sent = np.stack(pusht_robot.ROBOTS[-1].actions)
    assert np.array_equal(sent[:STEPS], expected_actions(seeing, STEPS))
    assert dataset.num_episodes == 1
    (file,) = (tmp_path / "data" / "data").rglob("*.parquet")
    recorded = np.array(parquet.read_table(file)["action"].to_pylist(), np.float32)
    assert np.array_equal(recorded[:STEPS], sent[:STEPS])


@pytest.mark.skipif(not HAS_ROLLOUT, reason="lerobot-rollout comes with LeRobot 0.6")
def test_lerobot_rollout_takes_the_daemons_actions(seeing: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    from lerobot.rollout import RolloutConfig
    from lerobot.scripts.lerobot_rollout import rollout

    monkeypatch.setattr(pusht_robot, "AFTER", (STEPS, interrupt))
    rollout(
        RolloutConfig(
            robot=PushTRobotConfig(),
            policy=config(seeing),
            fps=10,
            duration=120,
            task="push the T",
            return_to_initial_position=False,
            play_sounds=False,
            rename_map={"observation.images.top": "observation.image"},
        )
    )
    sent = np.stack(pusht_robot.ROBOTS[-1].actions)
    assert np.array_equal(sent, expected_actions(seeing, STEPS))
