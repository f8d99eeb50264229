"""The client for asyncio. What it has in common with the plain one is tested there."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support import OBSERVATION, TINY, Daemon, Fake, wait_until

from denoised import AsyncRobot, InvalidObservation, NoReply, NotConnected, RequestRejected, Robot


async def until(condition: Callable[[], Any], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        await asyncio.sleep(0.01)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 60))


def test_it_has_the_methods_of_the_plain_client() -> None:
    def public(kind: type) -> dict[str, list[str]]:
        members = inspect.getmembers(kind, lambda member: inspect.isfunction(member) or isinstance(member, property))
        return {
            name: [] if isinstance(member, property) else list(inspect.signature(member).parameters)
            for name, member in members
            if not name.startswith("_")
        }

    assert public(AsyncRobot) == public(Robot)
    assert inspect.signature(AsyncRobot) == inspect.signature(Robot)


def test_an_episode(daemon: Daemon) -> None:
    async def episode() -> None:
        async with AsyncRobot(daemon.address, "async", hz=50) as robot:
            moved = 0
            async for step in robot.steps(40):
                assert robot.publish(OBSERVATION) == step
                moved += robot.action() is not None
            assert moved > 10 and robot.chunk is not None and robot.malformed == 0
            await until(lambda: robot.state and robot.state.reason == "the robot was reset", "the end of the episode")

    run(episode())


def test_two_robots_and_many_requests_at_once(daemon: Daemon) -> None:
    async def drive(name: str) -> str:
        async with AsyncRobot(daemon.address, name, hz=50) as robot:
            async for _ in robot.steps(20):
                robot.publish(OBSERVATION)
            assert robot.chunk
            return robot.chunk.robot

    async def both() -> None:
        async with AsyncRobot(daemon.address, "asking") as asking:
            chunks, pongs, names = await asyncio.gather(
                asyncio.gather(*(asking.predict(OBSERVATION) for _ in range(5))),
                asyncio.gather(*(asking.ping() for _ in range(5))),
                asyncio.gather(drive("async1"), drive("async10")),
            )
            assert [chunk.step for chunk in chunks] == [0, 1, 2, 3, 4]
            assert all(chunk.robot == "asking" for chunk in chunks) and len(pongs) == 5
            assert list(names) == ["async1", "async10"]
            assert (await asking.status()).robots["async1"].chunks > 0
            assert (await asking.info()).daemon_version

    run(both())


def test_replies_wake_those_who_wait(daemon: Daemon) -> None:
    """Not only the next look, which comes after 50 ms."""

    async def ask() -> None:
        async with AsyncRobot(daemon.address, "quick") as robot:
            times = []
            for _ in range(50):
                start = time.monotonic()
                await robot.ping()
                times.append(time.monotonic() - start)
            assert sorted(times)[10] < 0.02

    run(ask())


def test_stop_resume_and_refusals(daemon: Daemon) -> None:
    async def stop() -> None:
        async with AsyncRobot(daemon.address, "async-stop") as robot:
            await robot.predict(OBSERVATION)
            assert robot.action() is not None
            await robot.stop()
            assert robot.stopped and robot.action() is None
            with pytest.raises(RequestRejected) as error:
                await robot.predict(OBSERVATION)
            assert error.value.code == "stopped"
            assert (await robot.resume()).robots == 1
            await until(lambda: robot.stopped is None, "the release")
            with pytest.raises(InvalidObservation):
                await robot.predict({})
            assert await robot.reset() is True

    run(stop())


def test_commands(commander: Daemon) -> None:
    async def follow() -> None:
        async with AsyncRobot(commander.address, "async-commanded", commands=True) as robot:
            ticks = []
            async for _ in robot.steps(10):
                robot.publish(OBSERVATION)
                async for command in robot.commands():
                    if command is not None:
                        ticks.append(command.tick)
            assert len(ticks) > 2 and ticks == sorted(set(ticks))

    run(follow())


def test_no_daemon_and_no_reply(fake: Fake) -> None:
    async def fail() -> None:
        nobody = AsyncRobot("tcp://127.0.0.1:1")
        with pytest.raises(NoReply, match="is the daemon running"):
            await nobody.connect(0.2)
        nobody.close()
        async with AsyncRobot(fake.address) as robot:
            fake.reply = lambda request: None
            with pytest.raises(NoReply):
                await robot.ping(0.2)
            waiting = asyncio.create_task(robot.ping(30))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            # What was cancelled is not asked again.
            asked = len(fake.requests)
            assert not robot._core._outstanding
            fake.beats = False
            await until(lambda: not robot.connected, "the daemon to be gone")
            await until(lambda: len(fake.requests) > asked, "info to be asked for")
            assert {request["type"] for request in fake.requests[asked:]} == {"info"}
        with pytest.raises(NotConnected):
            await robot.ping()

    run(fail())


def test_closing_ends_what_waits(fake: Fake) -> None:
    async def close() -> None:
        robot = AsyncRobot(fake.address)
        await robot.connect()
        fake.reply = lambda request: None
        waiting = asyncio.create_task(robot.ping(30))
        await asyncio.sleep(0.05)
        robot.close()
        with pytest.raises(NotConnected):
            await asyncio.wait_for(waiting, 2)

    run(close())


def test_a_daemon_that_is_started_again() -> None:
    async def restart() -> None:
        first = Daemon(TINY)
        async with AsyncRobot(first.address, "async-steady", hz=50) as robot:
            await robot.predict(OBSERVATION)
            first.kill()
            await until(lambda: not robot.connected, "the daemon to be gone")
            with Daemon(TINY, at=first.endpoints):
                await until(lambda: robot.reconnects == 1 and robot.connected, "the daemon to be back")
                assert (await robot.predict(OBSERVATION)).step == 1

    run(restart())


def test_a_robot_outlives_no_loop(daemon: Daemon) -> None:
    """One that is not closed leaves nothing that hangs."""

    async def forget() -> None:
        robot = AsyncRobot(daemon.address, "forgotten")
        await robot.connect()

    run(forget())
    with Robot(daemon.address, "next") as robot:
        wait_until(lambda: robot.connected, "another robot")
