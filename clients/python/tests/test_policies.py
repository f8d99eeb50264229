"""A daemon of several policies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from support import OBSERVATION, OTHER, TINY, Daemon, wait_until

from denoised import AsyncRobot, InvalidValue, RequestRejected, Robot

NAMES = (f"pick={TINY}", "--policy", f"place={OTHER}")


@pytest.fixture(scope="module")
def both() -> Iterator[Daemon]:
    with Daemon(*NAMES) as daemon:
        yield daemon


def test_a_robot_names_its_policy(both: Daemon) -> None:
    with Robot(both.address, "chooser", hz=50, policy="pick") as robot:
        assert robot.policy.name == "pick"
        assert [served.policy.name for served in robot.info().policies] == ["pick", "place"]
        assert all(served.weight_bytes > 0 for served in robot.info().policies)
        first = robot.predict(OBSERVATION, noise_seed=1)
        assert first.policy == "pick"
        assert robot.reset(policy="place"), "there was an episode to forget"
        assert robot.policy.name == "place" and robot.step is None
        second = robot.predict(OBSERVATION, noise_seed=1)
        assert second.policy == "place" and (second.action != first.action).any()
        wait_until(lambda: robot.state and robot.state.policy == "place", "a heartbeat that names it")
        # The end of an episode does not end the choice.
        for step in robot.steps(5):
            robot.publish(OBSERVATION, step=step)
        assert robot.predict(OBSERVATION, step=9).policy == "place"


def test_a_second_program_does_not_take_the_robot(both: Daemon) -> None:
    with Robot(both.address, "wanted", policy="pick") as robot:
        assert robot.predict(OBSERVATION).policy == "pick"
        with pytest.raises(RequestRejected) as taken:
            Robot(both.address, "wanted", policy="place").connect()
        assert taken.value.code == "robot_taken"
        assert robot.predict(OBSERVATION).policy == "pick"


def test_a_policy_that_there_is_not_is_told_of(both: Daemon) -> None:
    with pytest.raises(InvalidValue, match="pick, place"), Robot(both.address, "nobody"):
        pass
    with pytest.raises(InvalidValue, match="put"), Robot(both.address, "nobody", policy="put"):
        pass
    with Robot(both.address, "chooser2", policy="pick") as robot:
        with pytest.raises(RequestRejected) as refused:
            robot.reset(policy="put")
        assert refused.value.code == "unknown_policy"
        assert robot.policy.name == "pick" and robot.predict(OBSERVATION).policy == "pick"


def test_the_only_policy_may_be_named(daemon: Daemon) -> None:
    name = Robot(daemon.address, "only")
    with name as robot:
        policy = robot.policy.name
    with Robot(daemon.address, "only", policy=policy) as robot:
        assert robot.predict(OBSERVATION).policy is None


def test_a_daemon_that_comes_back_is_told_again() -> None:
    daemon = Daemon(*NAMES)
    with Robot(daemon.address, "steady", hz=50, policy="place") as robot:
        assert robot.predict(OBSERVATION).policy == "place"
        daemon.kill()
        with Daemon(*NAMES, at=daemon.endpoints):
            wait_until(lambda: robot.reconnects == 1, "the daemon")

            def planned() -> bool:
                robot.publish(OBSERVATION, step=robot.step or 0, replan=True)
                robot.listen(0.1)
                return robot.chunk is not None and robot.chunk.policy == "place"

            robot.begin_episode()
            wait_until(planned, "a chunk of the new daemon")


def test_asyncio(both: Daemon) -> None:
    async def run() -> None:
        async with AsyncRobot(both.address, "loop", policy="pick") as robot:
            assert (await robot.predict(OBSERVATION)).policy == "pick"
            await robot.reset(policy="place")
            assert (await robot.predict(OBSERVATION)).policy == "place"

    asyncio.run(run())
