"""What LeRobot makes of observations, and what the daemon gets of that."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lerobot.envs.utils import preprocess_observation
from lerobot.policies.utils import prepare_observation_for_inference

from lerobot_policy_denoised.observations import Features, as_bytes

FEATURES = Features({"observation.state": 2, "observation.environment_state": 3}, {"observation.image": (4, 5)})
EVERY_BYTE = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)


def batch(robots: int = 1, **changes: object) -> dict[str, object]:
    entries = {
        "observation.state": torch.arange(2.0).repeat(robots, 1),
        "observation.environment_state": torch.arange(3.0).repeat(robots, 1),
        "observation.image": torch.zeros(robots, 3, 4, 5),
        "task": ["push"] * robots,
    }
    return entries | {name.replace("__", "."): value for name, value in changes.items()}


def test_every_byte_survives_lerobots_way_of_a_simulated_frame() -> None:
    frames = preprocess_observation({"pixels": EVERY_BYTE[None]})["observation.image"]
    assert frames.dtype == torch.float32
    assert np.array_equal(as_bytes(frames, "observation.image")[0].permute(1, 2, 0).numpy(), EVERY_BYTE)


def test_every_byte_survives_lerobots_way_of_a_robots_frame() -> None:
    frames = prepare_observation_for_inference({"observation.images.front": EVERY_BYTE.copy()}, torch.device("cpu"))
    assert np.array_equal(as_bytes(frames["observation.images.front"], "front")[0].permute(1, 2, 0).numpy(), EVERY_BYTE)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_bytes_are_found_again_in_other_floats(dtype: torch.dtype) -> None:
    levels = torch.arange(256) / 255
    found = as_bytes(levels.to(dtype), "x").int()
    tolerance = {torch.float64: 0, torch.float16: 0, torch.bfloat16: 1}[dtype]  # bfloat16 has 8 bits
    assert (found - torch.arange(256)).abs().max() <= tolerance


def test_bytes_stay_bytes() -> None:
    frames = torch.from_numpy(EVERY_BYTE)
    assert as_bytes(frames, "x") is frames


@pytest.mark.parametrize(
    "frames", [torch.tensor([-2.1, 2.2]), torch.tensor([0.0, 255.0]), torch.tensor([float("nan")]), torch.tensor([0, 128])]
)
def test_frames_that_are_no_grey_levels_are_refused(frames: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"observation\.image has .*expected"):
        as_bytes(frames, "observation.image")


def test_a_batch_is_split_into_robots() -> None:
    entries = batch(robots=2)
    entries["observation.state"] = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    first, second = FEATURES.split(entries)
    assert list(first) == ["observation.state", "observation.environment_state", "observation.image"]
    assert first["observation.state"].dtype == np.float32
    assert second["observation.state"].tolist() == [3, 4]
    assert (first["observation.image"].shape, first["observation.image"].dtype) == ((4, 5, 3), np.uint8)


def test_a_camera_may_be_left_to_a_camera_server() -> None:
    entries = batch()
    del entries["observation.image"]
    assert list(FEATURES.split(entries)[0]) == ["observation.state", "observation.environment_state"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"observation__state": "x"}, r"lacks observation\.state: it has observation\.environment_state, observation\.image"),
        ({"observation__state": torch.zeros(1, 3)}, r"observation\.state is \[1, 3\], the daemon's policy expects \[robots, 2\]"),
        ({"observation__state": torch.zeros(2)}, r"observation\.state is \[2\]"),
        (
            {"observation__image": torch.zeros(1, 3, 8, 8)},
            r"image is \[1, 3, 8, 8\].*\[robots, 3, 4, 5\]; .* not resized",
        ),
        ({"observation__image": torch.zeros(1, 4, 5, 3)}, r"observation\.image is \[1, 4, 5, 3\]"),
        ({"observation__state": torch.zeros(2, 2)}, r"robots, expected as many of each entry"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        FEATURES.split(batch(**changes))


def test_what_is_missing_is_told_with_what_is_there() -> None:
    error = FEATURES.lacking({"observation.images.top": torch.zeros(1, 3, 4, 5), "task": [""]})
    assert "lacks observation.state, observation.environment_state, observation.image: it has" in str(error)
    assert "--policy.rename_map" in str(error)
    assert FEATURES.lacking(batch()) is None
