"""What the tests share. They need LeRobot, and the daemon's program in DENOISED_BINARY; without, they are skipped."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from support import BINARY, PACKAGES, SEEING, TINY, Daemon

# Modules that cannot be imported without LeRobot. test_packages.py tells what is missing.
is_complete = all(importlib.util.find_spec(package) for package in PACKAGES)
collect_ignore = [] if is_complete else ["test_observations.py", "test_policy.py", "test_robot.py"]


def _serve(policy: object) -> Iterator[Daemon]:
    if not BINARY:
        pytest.skip("DENOISED_BINARY is not set")
    daemon = Daemon(policy)
    yield daemon
    daemon.end()


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    """A daemon with a tiny policy of numbers."""
    yield from _serve(TINY)


@pytest.fixture(scope="session")
def seeing() -> Iterator[Daemon]:
    """A daemon with a policy that sees."""
    yield from _serve(SEEING)
