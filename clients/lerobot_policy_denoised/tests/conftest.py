"""What the tests share: daemons, of the program that DENOISED_BINARY names. Without it, tests that need one are skipped."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator

import pytest

from daemons import BINARY, LACKING, NEED_LEROBOT, PACKAGE, SEEING, SOURCES, TINY, Daemon

if importlib.util.find_spec(PACKAGE) is None:
    sys.path.insert(0, str(SOURCES))
if LACKING:
    # The package itself registers its policy with LeRobot. So its modules that need no LeRobot are found in one that does not.
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)

# test_packages.py tells what is missing.
collect_ignore = list(NEED_LEROBOT) if LACKING else []


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
