"""The client for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
import weakref
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any

import zmq

from .base import JOIN_SECONDS, RobotBase
from .core import COMMAND_TIMEOUT, Request, Result, log
from .errors import DenoisedError
from .keys import Keys
from .messages import Chunk, Command, Info, Pong, Resumed, Status, Stopped
from .observation import Observation

TICK = 0.05  # seconds between two looks at whether the daemon is there


class AsyncRobot(RobotBase):
    """A robot that a `denoised serve` controls, for asyncio.

        async with AsyncRobot("tcp://127.0.0.1:5557", "arm1", hz=10) as robot:
            async for step in robot.steps(100):
                robot.publish({"observation.state": joints()})
                action = robot.action()

    It has the methods of `Robot`; those that wait are awaited. It belongs to the event loop in which it was connected.
    """

    def __init__(
        self,
        endpoint: str = "tcp://127.0.0.1:5557",
        name: str = "arm1",
        *,
        hz: float = 10,
        commands: bool = False,
        policy: str | None = None,
        keys: Keys | None = None,
        timeout: float = 5,
        observations: str | None = None,
        chunks: str | None = None,
        bind: bool = False,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(
            endpoint,
            name,
            hz=hz,
            commands=commands,
            policy=policy,
            keys=keys,
            timeout=timeout,
            observations=observations,
            chunks=chunks,
            bind=bind,
            clock=clock,
            guard=contextlib.nullcontext(),
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        me = weakref.ref(self)  # the sockets do not keep the robot

        def read(socket: zmq.Socket[bytes]) -> None:
            if (robot := me()) is not None:
                robot._read(socket)

        def end_read(socket: zmq.Socket[bytes]) -> None:
            if (robot := me()) is not None:
                robot._end_read(socket)

        self._sockets.on_open, self._sockets.on_close = read, end_read

    __init__.__doc__ = RobotBase.__init__.__doc__

    # Connecting

    async def connect(self, timeout: float | None = None) -> Info:
        """Waits for the daemon and learns what its policy observes; see `Robot.connect`."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._look()
        try:
            info = await self._ask(self._connect, timeout)
            if (naming := self._core.naming) is not None:
                await self._ask(lambda: naming, timeout)
        finally:
            self._end_watch()
        await self._wait(time.monotonic() + JOIN_SECONDS, self._has_joined)
        self._warn_of_endpoints()
        return info

    def close(self) -> None:
        """Closes the connection. The daemon is told nothing: see `end_episode` and `stop`."""
        if self._tick is not None:
            self._tick.cancel()
        self._close()
        self._wake()

    async def __aenter__(self) -> AsyncRobot:
        try:
            await self.connect()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                await self.end_episode()
        finally:
            self.close()

    # The episode

    async def steps(self, count: int | None = None) -> AsyncIterator[int]:
        """An episode: the numbers of `count` control steps from 0, `hz` a second; see `Robot.steps`."""
        self.begin_episode()
        start, step = time.monotonic(), 0
        while count is None or step < count:
            self._begin_step(step, start)
            yield step
            await self._wait(self._step_end)
            step = self._next_step(step, start)
        await self.end_episode()

    async def end_episode(self, timeout: float = 1) -> None:
        """Tells the daemon that the episode is over; see `Robot.end_episode`."""
        if not self._core.is_open or not self.connected:
            return
        try:
            await self.reset(timeout)
        except DenoisedError as error:
            log.warning("the end of the episode was not told: %s", error)

    async def commands(self) -> AsyncIterator[Command | None]:
        """The commands as they arrive, until the control step is over; see `Robot.commands`."""
        self._needs_commands()
        while (left := self._step_end - time.monotonic()) > 0:
            command = await self.next_command(min(left, self._until_silent() or left))
            if self._is_worth_telling(command):
                yield command

    async def next_command(self, timeout: float = COMMAND_TIMEOUT) -> Command | None:
        """Waits for the next command. None: none came within `timeout` seconds, so hold."""
        self._needs_commands()
        until = time.monotonic() + timeout
        while (command := self.command()) is None and time.monotonic() < until:
            await self._wait(until, lambda: self._core.has_new_command)
        return command

    async def next_chunk(self, timeout: float = 1.0) -> Chunk | None:
        """Waits for the chunk of the newest observation; see `Robot.next_chunk`."""
        await self._wait(time.monotonic() + timeout, lambda: self._core.answer() is not None or self._core.stopped is not None)
        return self._core.answer()

    # Requests

    async def predict(
        self,
        observation: Observation,
        *,
        step: int | None = None,
        committed: Any = None,
        noise_seed: int | None = None,
        time_ns: int | None = None,
        timeout: float | None = None,
    ) -> Chunk:
        """Sends an observation as a request, and waits for its chunk; see `Robot.predict`."""
        return await self._ask(
            lambda: self._core.predict(observation, step=step, committed=committed, noise_seed=noise_seed, time_ns=time_ns),
            timeout,
        )

    async def info(self, timeout: float | None = None) -> Info:
        """What the daemon runs and has done."""
        return await self._ask(self._core.ask_info, timeout)

    async def ping(self, timeout: float | None = None) -> Pong:
        """The daemon's clocks; it answers at once, also while a chunk is sampled."""
        return await self._ask(self._core.ping, timeout)

    async def status(self, timeout: float | None = None) -> Status:
        """The newest heartbeat: the states of all robots; see `Robot.status`."""
        seconds = self.timeout if timeout is None else timeout
        await self._wait(time.monotonic() + seconds, lambda: self._fresh_status() is not None)
        status = self._fresh_status()
        if status is None:
            raise self._no_heartbeat(seconds)
        return status

    async def reset(self, timeout: float | None = None, *, policy: str | None = None) -> bool:
        """Makes the daemon forget the history of the episode, and names its policy; see `Robot.reset`."""
        return await self._ask(lambda: self._core.reset(policy), timeout)

    async def stop(self, *, everyone: bool = False, timeout: float | None = None) -> Stopped:
        """Stops this robot, or every one, until somebody resumes it; see `Robot.stop`. This is no emergency stop."""
        return await self._ask(lambda: self._core.stop(everyone=everyone), timeout)

    async def resume(self, *, everyone: bool = False, seen: int | None = None, timeout: float | None = None) -> Resumed:
        """Releases this robot, or every one; see `Robot.resume`."""
        return await self._ask(lambda: self._core.resume(everyone=everyone, seen=seen), timeout)

    async def _ask(self, send: Callable[[], Request[Result]], timeout: float | None) -> Result:
        seconds = self.timeout if timeout is None else timeout
        request = self._sent(send)
        try:
            await self._wait(time.monotonic() + seconds, lambda: request.is_done)
        except BaseException:  # CancelledError
            self._core.forget(request)
            raise
        if not request.is_done:
            raise self._given_up(request, seconds)
        return request.result()

    # Waiting

    async def listen(self, seconds: float) -> None:
        """Waits, and takes in what arrives: for a loop without `steps`."""
        await self._wait(time.monotonic() + seconds)

    async def _wait(self, until: float, is_over: Callable[[], bool] = lambda: False) -> None:
        """Waits until then, or until `is_over`, while messages are taken in."""
        loop = asyncio.get_running_loop()
        self._take_in()
        while not is_over() and (left := until - time.monotonic()) > 0:
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.add(waiter)
            timer = None if left == math.inf else loop.call_later(left, _release, waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
                if timer is not None:
                    timer.cancel()

    def _take_in(self) -> None:
        super()._take_in()
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            _release(waiter)

    def _look(self) -> None:
        self._take_in()
        assert self._loop is not None
        self._tick = self._loop.call_later(TICK, self._look)

    # A descriptor of ZeroMQ tells of a change, not of a state: whoever is told, or has sent something, drains the sockets.
    # Should a change be missed all the same, the next tick finds it.

    def _read(self, socket: zmq.Socket[bytes]) -> None:
        assert self._loop is not None
        self._loop.add_reader(socket.fileno(), self._take_in)

    def _end_read(self, socket: zmq.Socket[bytes]) -> None:
        assert self._loop is not None
        self._loop.remove_reader(socket.fileno())


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
