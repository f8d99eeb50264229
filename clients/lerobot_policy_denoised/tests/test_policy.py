"""The policy at a real daemon, made as LeRobot makes it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from denoised import DenoisedError, NoReply, RequestRejected, Robot
from lerobot.configs.policies import PreTrainedConfig
from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
from lerobot.policies.factory import get_policy_class, make_pre_post_processors

from daemons import Daemon
from lerobot_policy_denoised import DenoisedConfig, DenoisedPolicy
from lerobot_policy_denoised.episodes import derived_seed, noise_seed
from lerobot_policy_denoised.robots import RobotStopped


def policy(daemon: Daemon, **changes: object) -> DenoisedPolicy:
    settings: dict[str, object] = {"endpoint": daemon.endpoint, "robot": f"robot-{os.urandom(4).hex()}", "first_episode": 7}
    return DenoisedPolicy(DenoisedConfig(**(settings | changes)))  # type: ignore[arg-type]


def seen(step: int, robots: int = 1) -> dict[str, torch.Tensor]:
    """What the tiny policy observes, another thing for each robot."""
    rows = torch.arange(robots)[:, None] + step
    return {
        "observation.state": torch.tensor([[100.0, -2.75]]) + rows,
        "observation.environment_state": torch.tensor([[0.25, 7.5, 0.0004]]) + 0.1 * rows,
    }


def play(policy: DenoisedPolicy, steps: int, robots: int = 1) -> torch.Tensor:
    policy.reset()
    return torch.stack([policy.select_action(seen(step, robots)) for step in range(steps)], dim=1)


def test_lerobot_finds_the_policy_by_its_type() -> None:
    config_class = PreTrainedConfig.get_choice_class("denoised")
    assert config_class is DenoisedConfig
    assert get_policy_class("denoised") is DenoisedPolicy


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"timeout_s": 0}, "policy.timeout_s is 0"),
        ({"curve_key": "robot.key_secret"}, "policy.curve_key and policy.curve_server go together"),
        ({"first_episode": -1}, "policy.first_episode is -1"),
    ],
)
def test_settings_that_cannot_be_are_named(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DenoisedConfig(**changes)  # type: ignore[arg-type]


def test_the_daemon_says_what_the_policy_is(daemon: Daemon) -> None:
    config = policy(daemon).config
    assert config.input_features == {
        "observation.state": PolicyFeature(FeatureType.STATE, (2,)),
        "observation.environment_state": PolicyFeature(FeatureType.ENV, (3,)),
    }
    assert config.action_feature == PolicyFeature(FeatureType.ACTION, config.output_features["action"].shape)
    assert (config.horizon, config.n_obs_steps) == (8, 2)
    assert config.n_action_steps and config.n_action_steps > 1


def test_actions_are_those_of_the_daemons_chunks(daemon: Daemon) -> None:
    tested = policy(daemon)
    chunk_size = tested.config.n_action_steps
    assert chunk_size is not None
    actions = play(tested, steps=2 * chunk_size)[0]
    with Robot(daemon.endpoint, "direct") as robot:
        robot.begin_episode("direct")
        expected = []
        for step in range(2 * chunk_size):
            observation = {name: tensor[0].numpy() for name, tensor in seen(step).items()}
            chunk = robot.predict(observation, step=step, noise_seed=noise_seed(7, "pusht", step))
            if step % chunk_size == 0:
                expected.append(chunk.action)
    assert np.array_equal(actions.numpy(), np.concatenate(expected))


def test_a_batch_is_as_many_robots_that_know_nothing_of_each_other(daemon: Daemon) -> None:
    together = play(policy(daemon), steps=12, robots=3)
    assert together.shape[:2] == (3, 12)
    for index in range(3):
        alone = policy(daemon, first_episode=7 + index)
        alone.reset()
        for step in range(12):
            observation = {name: tensor[index : index + 1] for name, tensor in seen(step, robots=3).items()}
            assert torch.equal(alone.select_action(observation)[0], together[index, step])


def test_each_reset_begins_the_next_episode(daemon: Daemon) -> None:
    tested = policy(daemon)
    first, second = play(tested, steps=3), play(tested, steps=3)
    assert not torch.equal(first, second)
    # A reset before anything was observed begins nothing.
    again = policy(daemon, first_episode=8)
    again.reset()
    again.reset()
    assert torch.equal(play(again, steps=3), second)


def test_a_chunk_is_what_select_action_plays(daemon: Daemon) -> None:
    actions = play(policy(daemon), steps=2)
    chunk = policy(daemon).predict_action_chunk(seen(0))
    assert torch.equal(chunk[:, :2], actions)


def test_the_daemon_chooses_the_noise_without_a_name(daemon: Daemon) -> None:
    robot = "noise"
    actions = play(policy(daemon, noise_name=None, robot=robot), steps=1)
    with Robot(daemon.endpoint, robot) as direct:
        direct.begin_episode(7)
        direct.reset()
        observation = {name: tensor[0].numpy() for name, tensor in seen(0).items()}
        chunk = direct.predict(observation, noise_seed=derived_seed(0, robot, 7, 0))
    assert np.array_equal(actions[0, 0].numpy(), chunk.action[0])


def test_observations_and_actions_that_do_not_fit_are_refused_before_anything_moves(daemon: Daemon) -> None:
    tested = policy(daemon)
    with pytest.raises(ValueError, match=r"lacks observation\.environment_state: it has observation\.state"):
        tested.select_action({"observation.state": torch.zeros(1, 2)})
    config = DenoisedConfig(endpoint=daemon.endpoint)
    config.output_features = {"action": PolicyFeature(FeatureType.ACTION, (6,))}
    with pytest.raises(ValueError, match=r"has actions of \d numbers, and the environment or data set has \[6\]"):
        DenoisedPolicy(config)
    play(tested, steps=1, robots=2)
    with pytest.raises(ValueError, match="1 observations, and the episode began with 2"):
        tested.select_action(seen(1))


def test_a_camera_that_nobody_sends_is_missed(seeing: Daemon) -> None:
    tested = policy(seeing)
    with pytest.raises(ValueError, match=r"lacks observation\.image: it has observation\.images\.top") as caught:
        tested.select_action({"observation.state": torch.zeros(1, 2), "observation.images.top": torch.zeros(1, 3, 96, 96)})
    assert isinstance(caught.value.__cause__, RequestRejected)


def test_frames_are_renamed_and_seen(seeing: Daemon) -> None:
    config = DenoisedConfig(
        endpoint=seeing.endpoint, robot="eye", first_episode=1, rename_map={"observation.images.top": "observation.image"}
    )
    tested = DenoisedPolicy(config)
    assert set(config.image_features) == {"observation.images.top"}
    preprocess, postprocess = make_pre_post_processors(config)
    frame = torch.arange(3 * 96 * 96).reshape(1, 3, 96, 96) % 256
    observation = {"observation.state": torch.tensor([[100.0, 200.0]]), "observation.images.top": frame / 255}
    action = postprocess(tested.select_action(preprocess(observation)))
    with Robot(seeing.endpoint, "eye2") as robot:
        pixels = frame[0].permute(1, 2, 0).to(torch.uint8).numpy()
        sent = {"observation.state": [100.0, 200.0], "observation.image": pixels}
        chunk = robot.predict(sent, noise_seed=noise_seed(1, "pusht", 0))
    assert np.array_equal(action[0].numpy(), chunk.action[0])


def test_processors_are_named_as_a_checkpoints_and_change_nothing(daemon: Daemon) -> None:
    tested = policy(daemon)
    statistics = {"observation.state": {"min": torch.zeros(2), "max": torch.ones(2), "mean": torch.ones(2), "std": torch.ones(2)}}
    preprocess, postprocess = make_pre_post_processors(tested.config, dataset_stats=statistics)
    assert set(tested.config.normalization_mapping.values()) == {NormalizationMode.IDENTITY}
    names = [type(step)._registry_name for step in preprocess.steps]
    assert names == ["rename_observations_processor", "to_batch_processor", "device_processor", "normalizer_processor"]
    assert [type(step)._registry_name for step in postprocess.steps] == ["unnormalizer_processor", "device_processor"]
    observation = seen(0)
    processed = preprocess(dict(observation))
    assert all(torch.equal(processed[name], tensor) for name, tensor in observation.items())
    action = torch.tensor([[300.0, 17.5]])
    assert torch.equal(postprocess(action), action)


def test_there_is_nothing_to_train(daemon: Daemon) -> None:
    tested = policy(daemon)
    assert list(tested.parameters()) == []
    for refused in (lambda: tested.forward(seen(0)), tested.get_optim_params, tested.config.get_optimizer_preset):
        with pytest.raises(NotImplementedError, match=r"cannot be trained.*denoised serve --policy"):
            refused()


def test_a_folder_has_the_settings_and_no_weights(daemon: Daemon, tmp_path: pathlib.Path) -> None:
    tested = policy(daemon, rename_map={"observation.theirs": "observation.state"})
    tested.save_pretrained(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["config.json", "policy_postprocessor.json", "policy_preprocessor.json"]
    config = PreTrainedConfig.from_pretrained(tmp_path)
    assert isinstance(config, DenoisedConfig)
    assert (config.endpoint, config.first_episode) == (daemon.endpoint, 7)
    assert config.rename_map == {"observation.theirs": "observation.state"}
    loaded = DenoisedPolicy.from_pretrained(tmp_path, config=config)
    assert torch.equal(play(loaded, steps=2), play(policy(daemon), steps=2))
    preprocess, _ = make_pre_post_processors(config, pretrained_path=str(tmp_path))
    assert preprocess({"observation.theirs": torch.zeros(1, 2)})["observation.state"].shape == (1, 2)
    # As `lerobot-rollout --policy.type=denoised` loads it, without a folder.
    assert DenoisedPolicy.from_pretrained(None, config=config, revision=None).config is config


def test_a_daemon_that_is_not_there_is_told_soon(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NoReply, match="is the daemon running"):
        DenoisedPolicy(DenoisedConfig(endpoint=f"ipc://{tmp_path}/nobody", timeout_s=0.3))


def test_a_stop_ends_the_program_with_its_reason(daemon: Daemon) -> None:
    tested = policy(daemon, robot="stopped")
    play(tested, steps=1)
    with Robot(daemon.endpoint, "person") as person:
        person.stop(everyone=True)
        try:
            with pytest.raises(DenoisedError, match=r"robot stopped is stopped: .*was requested.*denoised resume") as caught:
                for step in range(1, 20):
                    tested.select_action(seen(step))
            assert isinstance(caught.value, RobotStopped)
            tested.reset()
            with pytest.raises(RequestRejected, match="stopped"):
                tested.select_action(seen(0))
        finally:
            person.resume(everyone=True)


def test_lerobot_eval_runs_as_it_is(seeing: Daemon, tmp_path: pathlib.Path) -> None:
    pytest.importorskip("gym_pusht")
    command = [
        sys.executable,
        "-m",
        "lerobot.scripts.lerobot_eval",
        "--policy.type=denoised",
        f"--policy.endpoint={seeing.endpoint}",
        "--env.type=pusht",
        "--env.episode_length=10",
        "--eval.n_episodes=2",
        "--eval.batch_size=2",
        "--eval.use_async_envs=false",
        f"--output_dir={tmp_path}",
    ]
    environment = os.environ | {"SDL_VIDEODRIVER": "dummy", "HF_HUB_OFFLINE": "1"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "eval_info.json").exists()
