"""What the other tests need, and what this package needs."""

from __future__ import annotations

import importlib.metadata

import pytest

from daemons import LACKING, NEED_LEROBOT, PACKAGE


def test_lerobot_is_there() -> None:
    if LACKING:
        lacking = " and ".join(LACKING)
        pytest.skip(f"{', '.join(NEED_LEROBOT)} need {lacking}, see clients/lerobot_policy_denoised/README.md, Tests")


def test_the_package_is_one_that_lerobot_finds() -> None:
    try:
        package = importlib.metadata.metadata(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{PACKAGE} is not installed: its sources are tested")
    assert package["Name"].startswith("lerobot_policy_")
    assert package["License-Expression"] == "Apache-2.0"
    # It is of one version with the client.
    assert f"denoised=={package['Version']}" in (importlib.metadata.requires(PACKAGE) or [])
