"""Numbers of episodes, and the noise that follows from them. Needs no LeRobot."""

from __future__ import annotations

import pytest

from lerobot_policy_denoised.episodes import Episodes, derived_seed, noise_seed


def test_the_noise_seed_is_the_daemons_rule() -> None:
    assert derived_seed(0, "arm1", 7, 8) == 11858078140823481186  # docs/PROTOCOL.md
    assert noise_seed(3, "pusht", 8) == derived_seed(3, "pusht", 3, 8)


def test_episodes_are_numbered_as_lerobot_eval_numbers_seeds() -> None:
    episodes = Episodes(first=1000)
    assert [episodes.take(3), episodes.take(3), episodes.take(2)] == [[1000, 1001, 1002], [1003, 1004, 1005], [1006, 1007]]
    assert Episodes(first=(1 << 64) - 1).take(2) == [(1 << 64) - 1, 0]


def test_the_first_episode_is_the_seed_that_lerobot_sets() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(4321)
    assert Episodes(first=None).take(2) == [4321, 4322]
