"""What the tests share. DENOISED_BINARY names the daemon's program; `make test-clients` sets it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import ROBOT_FILE, TINY, Daemon, Fake


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    """A daemon with a tiny policy, for tests that leave it as it was."""
    with Daemon(TINY) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def commander() -> Iterator[Daemon]:
    """A daemon that sends commands."""
    with Daemon(TINY, "--robot", str(ROBOT_FILE)) as daemon:
        yield daemon


@pytest.fixture
def fake() -> Iterator[Fake]:
    with Fake() as fake:
        yield fake
