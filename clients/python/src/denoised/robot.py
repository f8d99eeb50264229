"""The plain client."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import zmq

from .base import JOIN_SECONDS, SLICE, RobotBase
from .core import COMMAND_TIMEOUT, Request, Result, log
from .errors import DenoisedError
from .keys import Keys
from .messages import Chunk, Command, Info, Pong, Resumed, Status, Stopped
from .observation import Observation


class _FairLock:
    """A lock that is handed over: who releases it and wants it again waits behind those who wait already."""

    def __init__(self) -> None:
        # Reentrant, so that a signal handler, or what follows a KeyboardInterrupt, cannot wait for its own thread.
        self._lock, self._next = threading.RLock(), threading.RLock()

    def __enter__(self) -> None:
        with self._next:
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Robot(RobotBase):
    """A robot that a `denoised serve` controls.

        with Robot("tcp://127.0.0.1:5557", "arm1", hz=10) as robot:
            for step in robot.steps(100):
                robot.publish({"observation.state": joints()})
                action = robot.action()

    A Robot may be used by several threads. Of those that wait each lets the others in.
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
            guard=_FairLock(),
        )

    __init__.__doc__ = RobotBase.__init__.__doc__

    # Connecting

    def connect(self, timeout: float | None = None) -> Info:
        """Waits for the daemon and learns what its policy observes.

        Waits `timeout` seconds (`math.inf`: for ever; None: the robot's own), and a second more at most until observations and
        heartbeats get through. May be called again; it then accepts another policy than before.

        Raises `NoReply` if no daemon answers, `ProtocolVersion` if it is one of another version.
        """
        try:
            info = self._ask(self._connect, timeout)
            if (naming := self._core.naming) is not None:
                self._ask(lambda: naming, timeout)
        finally:
            self._end_watch()
        until = time.monotonic() + JOIN_SECONDS
        while not self._has_joined() and time.monotonic() < until:
            self._wait(until, self._has_joined)
        self._warn_of_endpoints()
        return info

    def close(self) -> None:
        """Closes the connection. The daemon is told nothing: see `end_episode` and `stop`."""
        self._close()

    def __enter__(self) -> Robot:
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.end_episode()
        finally:
            self.close()

    # The episode

    def steps(self, count: int | None = None) -> Iterator[int]:
        """An episode: the numbers of `count` control steps from 0, `hz` a second; None: for ever.

        While it waits for the end of a step it takes in chunks and commands. A step that took too long makes those leave out
        that are over meanwhile, so the numbers may have gaps. The daemon is told of the end (`end_episode`).
        """
        self.begin_episode()
        start, step = time.monotonic(), 0
        while count is None or step < count:
            self._begin_step(step, start)
            yield step
            self._wait(self._step_end)
            step = self._next_step(step, start)
        self.end_episode()

    def end_episode(self, timeout: float = 1) -> None:
        """Tells the daemon that the episode is over, so that it does not take the silence for a fault.

        Does nothing if nothing was published in the episode. A daemon that does not answer is logged, not raised.
        """
        if not self._core.is_open or not self.connected:
            return
        try:
            self.reset(timeout)
        except DenoisedError as error:
            log.warning("the end of the episode was not told: %s", error)

    def commands(self) -> Iterator[Command | None]:
        """The commands as they arrive, until the control step is over.

        None: none has come for 0.25 s, so hold. For the body of a loop over `steps`, of a robot with `commands=True`.
        """
        self._needs_commands()
        while (left := self._step_end - time.monotonic()) > 0:
            command = self.next_command(min(left, self._until_silent() or left))
            if self._is_worth_telling(command):
                yield command

    def next_command(self, timeout: float = COMMAND_TIMEOUT) -> Command | None:
        """Waits for the next command. None: none came within `timeout` seconds, so hold."""
        self._needs_commands()
        until = time.monotonic() + timeout
        while (command := self.command()) is None and time.monotonic() < until:
            self._wait(until, lambda: self._core.has_new_command)
        return command

    def next_chunk(self, timeout: float = 1.0) -> Chunk | None:
        """Waits for the chunk of the newest observation: what `publish(..., replan=True)` asked for.

        None: it did not come within `timeout` seconds, or the robot is stopped. One that is there already is returned at once.
        """
        self._wait(time.monotonic() + timeout, lambda: self._core.answer() is not None or self._core.stopped is not None)
        return self._core.answer()

    # Requests

    def predict(
        self,
        observation: Observation,
        *,
        step: int | None = None,
        committed: Any = None,
        noise_seed: int | None = None,
        time_ns: int | None = None,
        timeout: float | None = None,
    ) -> Chunk:
        """Sends an observation as a request, and waits for its chunk.

        The observation enters the history as with `publish`, and its parameters are the same. The plan takes the chunk from
        the observation's own step on, so `action()` has its first action: for a robot that waits while it is planned for.

        Raises `InvalidObservation` before anything is sent, `RequestRejected` with the daemon's code, `NoReply`.
        """
        return self._ask(
            lambda: self._core.predict(observation, step=step, committed=committed, noise_seed=noise_seed, time_ns=time_ns),
            timeout,
        )

    def info(self, timeout: float | None = None) -> Info:
        """What the daemon runs and has done."""
        return self._ask(self._core.ask_info, timeout)

    def ping(self, timeout: float | None = None) -> Pong:
        """The daemon's clocks; it answers at once, also while a chunk is sampled."""
        return self._ask(self._core.ping, timeout)

    def status(self, timeout: float | None = None) -> Status:
        """The newest heartbeat: the states of all robots. Waits for the next one if the newest is older than 0.5 s."""
        seconds = self.timeout if timeout is None else timeout
        self._wait(time.monotonic() + seconds, lambda: self._fresh_status() is not None)
        status = self._fresh_status()
        if status is None:
            raise self._no_heartbeat(seconds)
        return status

    def reset(self, timeout: float | None = None, *, policy: str | None = None) -> bool:
        """Makes the daemon forget the history of the episode. Returns whether it had one.

        With the name of one of the daemon's policies that drives the robot from then on, and a new episode begins.
        """
        return self._ask(lambda: self._core.reset(policy), timeout)

    def stop(self, *, everyone: bool = False, timeout: float | None = None) -> Stopped:
        """Stops this robot, or every one, until somebody resumes it. This is no emergency stop.

        From the call on `action()` gives nothing, whether the daemon answers or not. A daemon that is gone is told when it is
        back, as long as this Robot is there. Raises `NoReply`.
        """
        return self._ask(lambda: self._core.stop(everyone=everyone), timeout)

    def resume(self, *, everyone: bool = False, seen: int | None = None, timeout: float | None = None) -> Resumed:
        """Releases this robot, or every one.

        `seen` is the number of the newest stop that whoever resumes has seen; None: the newest that this Robot was told of. The
        daemon refuses with the code `newer_stop` if the robot was stopped since.
        """
        return self._ask(lambda: self._core.resume(everyone=everyone, seen=seen), timeout)

    def _ask(self, send: Callable[[], Request[Result]], timeout: float | None) -> Result:
        seconds = self.timeout if timeout is None else timeout
        until = time.monotonic() + seconds
        with self._guard:
            request = self._sent(send)
        try:
            self._wait(until, lambda: request.is_done)
        except BaseException:  # KeyboardInterrupt
            with self._guard:
                self._core.forget(request)
            raise
        with self._guard:
            if not request.is_done:
                raise self._given_up(request, seconds)
        return request.result()

    # Waiting

    def listen(self, seconds: float) -> None:
        """Waits, and takes in what arrives: for a loop without `steps`."""
        self._wait(time.monotonic() + seconds)

    def _wait(self, until: float, is_over: Callable[[], bool] = lambda: False) -> None:
        """Takes in what arrives until then, or until `is_over`."""
        while True:
            with self._guard:
                self._take_in()
                left = until - time.monotonic()
                if is_over() or left <= 0:
                    return
                poller = zmq.Poller()
                for socket in self._sockets.readable:
                    poller.register(socket, zmq.POLLIN)
                poller.poll(math.ceil(1000 * min(left, SLICE)))
