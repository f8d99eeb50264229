"""What the plain and the asyncio client have in common: all that does not wait."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable
from typing import Any

from .core import COMMAND_TIMEOUT, Core, Request, Result, log
from .endpoints import Endpoints
from .errors import InvalidValue, NoReply, NotConnected
from .keys import Keys
from .messages import Chunk, Command, Info, Policy, RobotStatus, Status
from .observation import Observation
from .packing import Array
from .plan import Plan
from .sockets import Sockets

SLICE = 0.01  # seconds after which who waits lets other threads in
JOIN_SECONDS = 1.0  # that connecting waits until observations and heartbeats get through


class RobotBase:
    """One robot at one daemon."""

    def __init__(
        self,
        endpoint: str,
        name: str,
        *,
        hz: float,
        commands: bool,
        policy: str | None,
        keys: Keys | None,
        timeout: float,
        observations: str | None,
        chunks: str | None,
        bind: bool,
        clock: Callable[[], int],
        guard: contextlib.AbstractContextManager[None],
    ) -> None:
        """Prepares a robot; `connect`, or a with statement, connects it.

        - `endpoint`: where the daemon answers requests. The other endpoints are learnt from it.
        - `name`: the robot's id, 1 to 64 of `A-Z a-z 0-9 _ - . : /`.
        - `hz`: control steps a second, as the policy was trained.
        - `commands`: whether the robot follows the commands of a daemon that runs with `serve --robot FILE`, and not chunks.
        - `policy`: the name of one of the daemon's policies (`serve --policy NAME=...`); None: it has one. A daemon that was
          started anew is told it again.
        - `keys`: for a daemon that encrypts, see `Keys.load`.
        - `timeout`: the seconds that a request waits for its reply unless told otherwise.
        - `observations`, `chunks`: endpoints that take the place of those that the daemon names, behind a tunnel, say.
        - `bind`: the robot binds these two, and the daemon connects (`serve --observations-from`, `--chunks-to`).
        - `clock`: gives the nanoseconds of `time_ns`; `time.time_ns` for a robot file with `clock: wall`.
        """
        if bind and not (observations and chunks):
            raise InvalidValue("bind", "True", "both endpoints to bind, observations and chunks")
        if not timeout > 0:
            raise InvalidValue("timeout", repr(timeout), "seconds above 0")
        self.timeout = timeout
        self._guard = guard
        self._sockets = Sockets(endpoint, keys, binds=bind)
        # A robot that is not closed is closed with its last reference. Left to pyzmq, its context would wait for ever for sockets
        # of the same garbage. At the end of the process nothing need be closed.
        self._finalizer = weakref.finalize(self, Sockets.close, self._sockets)
        self._finalizer.atexit = False
        self._core = Core(
            self._sockets,
            endpoint,
            name,
            hz=hz,
            commands=commands,
            policy=policy,
            observations=observations,
            chunks=chunks,
            clock=clock,
        )
        self._is_closed = False
        self._step_end = self._commanded = 0.0  # by time.monotonic()

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "connected" if self._core.is_connected else "not connected"
        return f"<{type(self).__name__} {self.name} at {self._core.endpoint}, {state}>"

    # What is known

    @property
    def name(self) -> str:
        """The robot's id."""
        return self._core.name

    @property
    def hz(self) -> float:
        """Control steps a second."""
        return 1 / self._core.period

    @property
    def policy(self) -> Policy:
        """What drives the robot. Raises `NotConnected` before `connect`."""
        if self._core.info is None:
            raise NotConnected(f"robot {self.name} is not connected: call connect(), or use it in a with statement")
        return self._core.info.policy

    @property
    def endpoints(self) -> Endpoints | None:
        """The endpoints that are called; None before `connect`."""
        return self._core.endpoints

    @property
    def connected(self) -> bool:
        """Whether the daemon is heard: its last heartbeat, of which ten are sent a second, is no older than 0.5 s."""
        with self._guard:
            self._take_in()
            return self._core.is_connected

    @property
    def state(self) -> RobotStatus | None:
        """What the daemon said last about this robot; None: nothing."""
        with self._guard:
            self._take_in()
            status = self._core.status
            return None if status is None else status.robots.get(self.name)

    @property
    def stopped(self) -> str | None:
        """Why the robot is stopped, or faulted; None: it is not. A daemon's stop is known up to 0.1 s late."""
        with self._guard:
            self._take_in()
            return self._core.stopped

    @property
    def episode(self) -> int | str:
        """The current episode."""
        return self._core.episode

    @property
    def step(self) -> int | None:
        """The control step of the newest observation of the episode; None: there is none."""
        return self._core.step

    @property
    def plan(self) -> Plan:
        """The actions to come."""
        with self._guard:
            self._take_in()
            return self._core.plan

    @property
    def chunk(self) -> Chunk | None:
        """The newest chunk of the episode."""
        with self._guard:
            self._take_in()
            return self._core.chunk

    @property
    def reconnects(self) -> int:
        """How many times the daemon was gone and came back."""
        with self._guard:
            self._take_in()
            return self._core.reconnects

    @property
    def malformed(self) -> int:
        """How many messages could not be read, and were passed over."""
        with self._guard:
            self._take_in()
            return self._core.malformed

    # What is done

    def begin_episode(self, episode: int | str | None = None) -> int | str:
        """Begins an episode: a fresh history, step 0, no plan. Returns its id: a number that rises unless one is given."""
        with self._guard:
            self._take_in()
            return self._core.begin_episode(episode)

    def publish(
        self,
        observation: Observation,
        *,
        step: int | None = None,
        replan: bool | None = None,
        committed: Any = None,
        noise_seed: int | None = None,
        time_ns: int | None = None,
    ) -> int:
        """Publishes what the robot sees at a control step. Returns the step.

        - `observation`: each feature of the policy as an array [D] of finite numbers, and each camera's frame: an array
          [height, width, 3] of uint8 in red, green and blue, or the bytes of a JPEG or PNG file. A camera without a new frame is
          left out, or None.
        - `step`: the control step; that of `steps`, or else the next one. The same again repeats the observation.
        - `replan`: whether a chunk is wanted. None: if one will be needed before another observation's could be there.
        - `committed`: [k, D], what the robot will carry out from this step on in any case; the chunk begins with it.
        - `noise_seed`: of the sampling noise, from 0 to 2^64 - 1; None: the daemon derives it.
        - `time_ns`: when the observation was made, by the robot's clock; None: now.

        Does not wait. What is published while the daemon is gone is dropped.

        Raises `InvalidObservation` for what the daemon would refuse; nothing is sent then. `PolicyChanged` after the daemon
        was started with another policy.
        """
        with self._guard:
            self._take_in()
            return self._core.publish(
                observation,
                step=step,
                replan=replan,
                committed=committed,
                noise_seed=noise_seed,
                time_ns=time_ns,
            )

    def action(self, step: int | None = None) -> Array | None:
        """The action to carry out, [D], float32, in the robot's units; None: hold.

        With chunks: that for a control step; None: the step of the newest observation. With commands: that of the newest
        command, if it is no older than 0.25 s. There is none while the robot is stopped, but the way to rest of a robot with
        commands. Raises `PolicyChanged` after the daemon was started with another policy.
        """
        with self._guard:
            self._take_in()
            return self._core.action(step)

    def command(self) -> Command | None:
        """The newest command, once; None: there is no new one. Does not wait."""
        with self._guard:
            self._take_in()
            return self._core.take_command()

    # For the two clients

    def _take_in(self) -> None:
        if not self._is_closed:
            self._sockets.drain(self._core.take_reply, self._core.take_published)
            self._core.watch()

    def _sent(self, send: Callable[[], Request[Result]]) -> Request[Result]:
        if self._is_closed:
            raise NotConnected(f"robot {self.name} is closed")
        request = send()
        self._take_in()
        return request

    def _connect(self) -> Request[Info]:
        self._sockets.begin_watch()
        return self._core.connect()

    def _has_joined(self) -> bool:
        return self._core.has_heard and self._sockets.is_subscribed

    def _end_watch(self) -> None:
        with self._guard:
            self._sockets.end_watch()

    def _warn_of_endpoints(self) -> None:
        with self._guard:
            endpoints = self._core.endpoints
            if endpoints is not None and not self._core.has_heard:
                log.warning("no heartbeat from %s within %g s: chunks may not come either", endpoints.chunks, JOIN_SECONDS)
            if endpoints is not None and not self._sockets.is_subscribed:
                log.warning("nobody reads observations at %s after %g s", endpoints.observations, JOIN_SECONDS)

    def _given_up(self, request: Request[Any], seconds: float) -> NoReply:
        hint = self._sockets.hint() if self._sockets.is_watched else None
        return self._core.give_up(request, seconds, hint)

    def _fresh_status(self) -> Status | None:
        return self._core.status if self._core.is_connected else None

    def _no_heartbeat(self, seconds: float) -> NoReply:
        endpoint = self._core.endpoints.chunks if self._core.endpoints else self._core.endpoint
        return NoReply("heartbeat", endpoint, seconds, "is the daemon running?")

    def _needs_commands(self) -> None:
        if not self._core.commands:
            raise InvalidValue("commands", "False", f"Robot(..., commands=True) for {self.name} to follow commands")

    def _until_silent(self) -> float:
        """Seconds until no command has come for `COMMAND_TIMEOUT`; 0: that is over."""
        return max(self._commanded + COMMAND_TIMEOUT - time.monotonic(), 0)

    def _is_worth_telling(self, command: Command | None) -> bool:
        if command is not None:
            self._commanded = time.monotonic()
        return command is not None or self._until_silent() == 0

    def _begin_step(self, step: int, start: float) -> None:
        self._core.next_step = step
        if step == 0:
            self._commanded = start
        self._step_end = start + (step + 1) * self._core.period

    def _next_step(self, step: int, start: float) -> int:
        # A robot that was off its core goes on with the step that it is, not with those that it missed.
        return max(step + 1, int((time.monotonic() - start) / self._core.period))

    def _close(self) -> None:
        with self._guard:
            self._is_closed = True
            self._core.close()
            self._finalizer()
