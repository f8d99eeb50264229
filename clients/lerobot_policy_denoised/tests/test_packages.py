"""What the other tests need."""

from __future__ import annotations

import importlib.metadata
import importlib.util

import pytest

from support import PACKAGES


def test_the_packages_are_there() -> None:
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"the tests of the LeRobot plugin need {', '.join(missing)}")
    # LeRobot imports packages whose names begin so.
    assert "lerobot_policy_denoised" in {found.metadata["Name"] for found in importlib.metadata.distributions()}
