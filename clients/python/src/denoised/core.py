"""The robot's side of the protocol without its sockets: what to send, and what follows from what arrives.

`Robot` and `AsyncRobot` move the bytes and wait; everything else is here.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from .endpoints import Endpoints, reachable
from .errors import (
    DenoisedError,
    InvalidObservation,
    InvalidValue,
    NoReply,
    NotConnected,
    PolicyChanged,
    ProtocolError,
    ProtocolVersion,
    RequestRejected,
)
from .messages import Chunk, Command, Info, Policy, Pong, Resumed, Status, Stopped
from .observation import Observation, check_episode, check_name, check_u64, pack_committed, pack_observation
from .packing import LARGEST_MESSAGE, Array, Fields, pack, unpack
from .plan import Plan

log = logging.getLogger("denoised")

HEARTBEAT_TIMEOUT = 0.5  # seconds without a heartbeat, of which ten are sent a second, until the daemon counts as gone
JOIN_TIMEOUT = 2.0  # seconds that the first heartbeat over a new connection may take
SHORTEST_INFO_INTERVAL = 0.25  # seconds between two attempts to reach a daemon that is gone, doubled each time
LONGEST_INFO_INTERVAL = 2.0
COMMAND_TIMEOUT = 0.25  # seconds after which a command is too old to be carried out
UNANSWERED_WARNING = 2.0  # seconds without a chunk or command, although one was asked for
LARGEST_LATENCY = 60.0  # seconds; what is older is not from this run

Result = TypeVar("Result")
Reply = TypeVar("Reply")


class Wires(Protocol):
    """The sockets, as the core uses them. None of this waits."""

    def open_requests(self) -> None:
        """Makes the request socket afresh; what waited in the old one is dropped."""

    def join(self, endpoints: Endpoints, topics: list[str], longest_message: int) -> None:
        """Makes the sockets for observations and for chunks afresh, if an endpoint is another one than before."""

    def request(self, data: bytes) -> None:
        """Sends a request."""

    def publish(self, frames: list[bytes]) -> None:
        """Publishes an observation."""


class Request(Generic[Result]):
    """A request that was sent: its reply, once it is there."""

    def __init__(self, kind: str, number: int, data: bytes, read: Callable[[Fields], Result], is_repeated: bool) -> None:
        self.kind, self.number, self.data = kind, number, data
        #: Whether it is sent again to a daemon that was gone meanwhile.
        self.is_repeated = is_repeated
        self.is_done = False
        self._read = read
        self._result: Result
        self._error: DenoisedError | None = None

    def take(self, reply: Fields) -> None:
        expected = {"ping": "pong", "predict": "chunk"}.get(self.kind, self.kind)
        try:
            kind = reply.text("type")
            if kind == "error":
                field = reply.optional("field", reply.text)
                self.fail(RequestRejected(self.kind, reply.text("code"), reply.text("message"), field))
                return
            if kind != expected:
                raise ProtocolError(f"the daemon answered {self.kind} with {kind}, expected {expected}", "type")
            self._result = self._read(reply)
        except DenoisedError as error:
            self.fail(error)
            if isinstance(error, ProtocolError):
                raise
        self.is_done = True

    def fail(self, error: DenoisedError) -> None:
        self._error, self.is_done = error, True

    def result(self) -> Result:
        if self._error is not None:
            raise self._error
        return self._result


class Core:
    """One robot at one daemon."""

    def __init__(
        self,
        wires: Wires,
        endpoint: str,
        name: str,
        *,
        hz: float,
        commands: bool,
        policy: str | None,
        observations: str | None,
        chunks: str | None,
        clock: Callable[[], int],
    ) -> None:
        if isinstance(hz, bool) or not isinstance(hz, (int, float)) or not 0 < hz <= 1000:
            raise InvalidValue("hz", repr(hz), "control steps a second, above 0 and up to 1000")
        self.wires, self.endpoint, self.name = wires, endpoint, check_name("name", name)
        self.period, self.commands, self.clock = 1 / hz, commands, clock
        self._given = (observations, chunks)
        #: The name of the policy that drives the robot; None: the daemon has one.
        self.policy_name = policy
        self._names_policy = False  # whether a daemon has yet to be told of it
        #: The request that tells the daemon of it after it was reached.
        self.naming: Request[bool] | None = None
        # Which process speaks for the robot: the daemon refuses another one meanwhile.
        self.session = secrets.randbits(64)
        self.info: Info | None = None
        self.endpoints: Endpoints | None = None
        self.status: Status | None = None
        self.failure: DenoisedError | None = None
        self.reconnects = self.malformed = 0
        self._request_number = 0
        self._outstanding: dict[int, Request[Any]] = {}
        self._accepts_policy = False
        self._heard: float | None = None
        self._patience = -math.inf  # until then the daemon is not gone
        self._gone_since: float | None = None
        self._info_asked, self._info_interval = -math.inf, SHORTEST_INFO_INTERVAL
        self._malformed_told = self._unanswered_told = -math.inf
        #: Why the robot is stopped; None: it is not.
        self.stopped: str | None = None
        self._tells_stop = False  # whether the daemon has yet to be told of the stop
        self._own_stop = 0  # the number of the newest stop that this robot asked for
        self.newest_stop = 0
        self.begin_episode(None)

    # The episode

    def begin_episode(self, episode: int | str | None) -> int | str:
        """Starts a fresh history; a number of its own unless one is given."""
        # The time is an id that neither this robot nor its predecessors have had.
        self.episode = time.time_ns() if episode is None else check_episode(episode)
        self.plan, self.chunk, self.command = Plan(), None, None
        self.step: int | None = None  # that of the newest observation
        self.is_open = False  # whether the daemon has heard of the episode, and not of its end
        self.next_step = 0
        self._asked: int | None = None
        self._unanswered_since: float | None = None
        self._rejected: dict[str, int] = {}
        self._is_new_command = False
        self._latencies: deque[float] = deque(maxlen=8)
        return self.episode

    chunk: Chunk | None
    command: Command | None

    def publish(
        self,
        observation: Observation,
        *,
        step: int | None,
        replan: bool | None,
        committed: Any,
        noise_seed: int | None,
        time_ns: int | None,
    ) -> int:
        """Publishes what the robot sees at a control step, and asks for a chunk if one will be needed. Returns the step."""
        at = self._step(step)
        extra = {} if replan is None else {"replan": bool(replan)}
        message = self._observation("observation", observation, at, committed, noise_seed, time_ns)
        if replan is None and not self.commands:
            extra["replan"] = self._needs_chunk(at)
        self.wires.publish([f"observation.{self.name}".encode(), self._packed(message | extra)])
        self.step, self.next_step, self.is_open = at, at + 1, True
        if (self.commands or extra.get("replan")) and self._unanswered_since is None:
            self._unanswered_since = time.monotonic()
            self._rejected = self._rejections()
        return at

    def predict(
        self, observation: Observation, *, step: int | None, committed: Any, noise_seed: int | None, time_ns: int | None
    ) -> Request[Chunk]:
        """Asks for the chunk of an observation, which goes into the plan from the observation's own step on."""
        at = self._step(step)
        policy = self._policy()

        def read(reply: Fields) -> Chunk:
            chunk = Chunk.read(reply, policy.action_dim)
            if chunk.episode == self.episode and self.stopped is None:
                self.chunk = chunk
                self.plan.join(chunk, chunk.step)
            return chunk

        message = self._observation("predict", observation, at, committed, noise_seed, time_ns)
        request = self._request("predict", message, read)
        self.step, self.next_step, self.is_open = at, at + 1, True
        return request

    def _step(self, step: int | None) -> int:
        at = self.next_step if step is None else check_u64("step", step)
        if self.step is not None and at < self.step:
            raise InvalidObservation("step", str(at), f"at least {self.step}, that of the newest observation of the episode")
        return at

    def _observation(
        self, kind: str, observation: Observation, step: int, committed: Any, noise_seed: int | None, time_ns: int | None
    ) -> dict[str, Any]:
        policy = self._policy()
        message: dict[str, Any] = {
            "type": kind,
            "robot": self.name,
            "episode": self.episode,
            "sequence": step,
            "time_ns": check_u64("time_ns", self.clock() if time_ns is None else time_ns),
            "observation": pack_observation(observation, policy),
            "session": self.session,
        }
        if committed is not None:
            message["committed"] = pack_committed(committed, policy)
        if noise_seed is not None:
            message["noise_seed"] = check_u64("noise_seed", noise_seed)
        return message

    def _packed(self, message: dict[str, Any]) -> bytes:
        data, longest = pack(message), self.longest_message
        if len(data) > longest:
            raise InvalidObservation("observation", f"{len(data)} bytes", f"at most {longest} in a message")
        return data

    @property
    def longest_message(self) -> int:
        limits = self.info.limits if self.info else None
        return limits.message_bytes if limits else LARGEST_MESSAGE

    def _needs_chunk(self, step: int) -> bool:
        """Early enough that the chunk is there when the plan runs out, as far as past latencies tell."""
        lead = math.ceil(max(self._latencies, default=self.period) / self.period)
        if step + lead < self.plan.meant_end:
            return False
        # With nothing planned every observation asks: the first ones may be lost while the sockets join.
        if self._asked is not None and self.plan.left(step) and step <= self._asked + 2 * lead:
            return False
        self._asked = step
        return True

    def action(self, step: int | None) -> Array | None:
        """What to carry out at a control step, or the newest command; None: hold."""
        self._policy()
        if self.commands:
            command = self.command
            return command.action if command is not None and self._is_due(command) else None
        at = self.step if step is None else check_u64("step", step)
        return None if self.stopped is not None or at is None else self.plan.at(at)

    def answer(self) -> Chunk | None:
        """The chunk of the newest observation; None: it is not there."""
        self._policy()
        chunk = self.chunk
        return chunk if chunk is not None and self.step is not None and chunk.step >= self.step else None

    def take_command(self) -> Command | None:
        """The newest command, once."""
        self._policy()
        is_new, self._is_new_command = self._is_new_command, False
        command = self.command
        return command if is_new and command is not None and self._is_due(command) else None

    @property
    def has_new_command(self) -> bool:
        return self._is_new_command

    def _is_due(self, command: Command) -> bool:
        # What was held up on its way is for a tick that is over. A stopped robot follows the way to rest, but not a new daemon
        # that has yet to learn of the stop.
        is_allowed = self.stopped is None or command.state == "holding"
        return is_allowed and abs(self.clock() - command.time_ns) / 1e9 < COMMAND_TIMEOUT

    def _policy(self) -> Policy:
        if self.failure is not None:
            raise self.failure
        if self.info is None:
            raise NotConnected(f"robot {self.name} is not connected: call connect(), or use it in a with statement")
        return self.info.policy

    def close(self) -> None:
        """Fails what waits, and everything that is asked for from here on."""
        self.failure, self._heard = NotConnected(f"robot {self.name} is closed"), None
        for request in self._outstanding.values():
            request.fail(self.failure)
        self._outstanding.clear()

    # Requests

    def connect(self) -> Request[Info]:
        """Asks for what the daemon runs, and accepts another policy."""
        self.failure, self._accepts_policy = None, True
        self._names_policy = self.policy_name is not None
        self.wires.open_requests()
        return self.ask_info()

    def ask_info(self) -> Request[Info]:
        return self._request("info", {"type": "info"}, self._take_info)

    def ping(self) -> Request[Pong]:
        return self._request("ping", {"type": "ping", "time_ns": time.monotonic_ns()}, Pong.read)

    def reset(self, policy: str | None = None) -> Request[bool]:
        """Makes the daemon forget the episode; with a policy, has that drive the robot from the next one on."""
        if policy is not None:
            return self._name_policy(policy)
        message: dict[str, Any] = {"type": "reset", "robot": self.name, "episode": self.episode, "session": self.session}
        if self.policy_name is not None:
            message["policy"] = self.policy_name

        def read(reply: Fields) -> bool:
            self.is_open = self.is_open and reply.value("episode") != message["episode"]
            return reply.flag("forgotten")

        return self._request("reset", message, read)

    def _name_policy(self, policy: str) -> Request[bool]:
        def read(reply: Fields) -> bool:
            if self.info is not None:
                self.policy_name, self.info = policy, self._own(self.info, policy)
            self.begin_episode(None)
            return reply.flag("forgotten")

        message = {"type": "reset", "robot": self.name, "policy": policy, "session": self.session}
        return self._request("reset", message, read)

    @staticmethod
    def _own(info: Info, policy: str | None) -> Info:
        """What is told of the daemon, with the policy that drives this robot."""
        if policy is None and len(info.policies) < 2:
            return info
        for served in info.policies:
            if served.policy.name == policy:
                return replace(info, policy=served.policy, sampler=served.sampler)
        names = ", ".join(served.policy.name for served in info.policies) or info.policy.name
        raise InvalidValue("policy", repr(policy), f"the name of one of the daemon's policies: {names}")

    def stop(self, *, everyone: bool) -> Request[Stopped]:
        """Stops this robot or every one. This one holds from here on, whatever becomes of the request."""
        self._hold(self.stopped or "this program stopped it")
        self._tells_stop = True

        def read(reply: Fields) -> Stopped:
            stopped = Stopped.read(reply)
            self._own_stop = max(self._own_stop, stopped.stop)
            self.newest_stop = max(self.newest_stop, stopped.stop)
            self._tells_stop = False
            return stopped

        return self._request("stop", {"type": "stop"} if everyone else {"type": "stop", "robot": self.name}, read)

    def resume(self, *, everyone: bool, seen: int | None) -> Request[Resumed]:
        """Releases this robot or every one, unless a stop is newer than the one that was `seen`."""
        newest = self.newest_stop if seen is None else check_u64("seen", seen)
        whom: dict[str, Any] = {"all": True} if everyone else {"robot": self.name}

        def read(reply: Fields) -> Resumed:
            self._tells_stop = False  # the next heartbeat releases the robot
            self._own_stop = 0
            return Resumed.read(reply)

        # Not repeated: a daemon that was started meanwhile is another one than the person saw who resumes.
        return self._request("resume", {"type": "resume", "stop": newest, **whom}, read, is_repeated=False)

    def _request(
        self, kind: str, message: dict[str, Any], read: Callable[[Fields], Reply], is_repeated: bool = True
    ) -> Request[Reply]:
        self._request_number += 1
        data = self._packed({"request": self._request_number, **message})
        request = Request(kind, self._request_number, data, read, is_repeated)
        self._outstanding[request.number] = request
        self.wires.request(data)
        return request

    def forget(self, request: Request[Any]) -> None:
        """Gives up a request. It will not be sent any more, if it was not."""
        if self._outstanding.pop(request.number, None) is not None:
            self._open_requests()

    def give_up(self, request: Request[Any], seconds: float, hint: str | None) -> NoReply:
        """Gives up a request without a reply. Returns what to raise."""
        self.forget(request)
        if hint is None:
            since = self._gone_since
            hint = (
                "the daemon sends heartbeats, but does not answer"
                if since is None
                else f"nothing was heard of the daemon for {time.monotonic() - since:.1f} s: is the daemon running?"
            )
        return NoReply(f"answer to {request.kind}", self.endpoint, seconds, hint)

    def _open_requests(self) -> None:
        """A new socket drops what waits in the old one, and finds a daemon that came back elsewhere behind the same name."""
        self.wires.open_requests()
        for request in self._outstanding.values():
            if request.is_repeated:
                self.wires.request(request.data)

    def _take_info(self, reply: Fields) -> Info:
        info = Info.read(reply)
        before = self.info.policy if self.info else None
        if before is not None and not self._accepts_policy and before not in [info.policy, *(p.policy for p in info.policies)]:
            self.failure = PolicyChanged(before.name, ", ".join(p.policy.name for p in info.policies) or info.policy.name)
            log.error("%s%s; the robot holds", self._at(), self.failure)
            return info
        info = self._own(info, self.policy_name)
        if before is not None and info.policy != before:
            self.begin_episode(None)
        self.info, self._accepts_policy = info, False
        self.newest_stop = max(self.newest_stop, info.stop)
        observations, chunks = self._given
        endpoints = Endpoints(
            observations or reachable(info.endpoints.observations, self.endpoint),
            chunks or reachable(info.endpoints.chunks, self.endpoint),
            self.endpoint,
        )
        if endpoints != self.endpoints:
            self.endpoints, self._patience = endpoints, time.monotonic() + JOIN_TIMEOUT
            topic = f"{'command' if self.commands else 'chunk'}.{self.name}"
            self.wires.join(endpoints, ["status", topic], self.longest_message)
        if self._names_policy and self.policy_name is not None:
            self._names_policy = False
            self.naming = self._name_policy(self.policy_name)
        return info

    # What arrives

    def take_reply(self, frames: list[bytes]) -> None:
        """Takes a message of the request socket."""
        try:
            reply = unpack(frames[-1])
            number = reply.optional("request", reply.integer)
            request = self._outstanding.pop(number, None) if number is not None else None
            if request is not None:  # else it came after it was given up
                request.take(reply)
        except ProtocolVersion as error:
            for request in self._outstanding.values():
                request.fail(error)
            self._outstanding.clear()
        except ProtocolError as error:
            self._count_malformed(error)

    def take_published(self, frames: list[bytes]) -> None:
        """Takes a message of the chunk socket."""
        try:
            fields = unpack(frames[-1])
            if frames[0] == b"status":
                self._take_status(Status.read(fields))
            # A subscription is a prefix: "chunk.arm1" also gets what is for arm10.
            elif fields.text("robot") == self.name and fields.episode("episode") == self.episode and self.info:
                self._take_own(fields, self.info.policy.action_dim)
        except ProtocolError as error:
            self._count_malformed(error)

    def _take_own(self, fields: Fields, action_dim: int) -> None:
        kind = fields.text("type")
        if kind == "command" and self.commands:
            self._take_command(Command.read(fields, action_dim))
        elif kind == "chunk" and not self.commands:
            self._take_chunk(Chunk.read(fields, action_dim))
        else:
            raise ProtocolError(f"found {kind!r:.40} under the topic of {'commands' if self.commands else 'chunks'}", "type")

    def _count_malformed(self, error: ProtocolError) -> None:
        self.malformed += 1
        now = time.monotonic()
        if now - self._malformed_told > 1:
            self._malformed_told = now
            log.warning("%smalformed message: %s", self._at(), error)

    def _take_chunk(self, chunk: Chunk) -> None:
        latency = (self.clock() - chunk.time_ns) / 1e9  # time_ns is this robot's own, sent back
        if self.stopped is not None or not 0 <= latency < LARGEST_LATENCY or self.step is None:
            return
        self._latencies.append(latency)
        if self._asked is not None and chunk.step >= self._asked:
            self._asked = None
        self._unanswered_since = None
        if self.chunk is None or chunk.step > self.chunk.step:
            self.chunk = chunk
        self.plan.join(chunk, self.step + 1)

    def _take_command(self, command: Command) -> None:
        self._unanswered_since = None
        self.command, self._is_new_command = command, True

    def _take_status(self, status: Status) -> None:
        silent_since, self._heard, self._patience = self._heard, time.monotonic(), -math.inf
        before, self.status = self.status, status
        if before is not None and status.started_ns != before.started_ns:
            self._rejoin(silent_since, "another process: its history begins anew")
        elif self._gone_since is not None:
            self._rejoin(silent_since, "the same process")
        self.newest_stop = max(self.newest_stop, status.stop)
        robot = status.robots.get(self.name)
        if robot is not None and robot.state in ("stopped", "faulted"):
            if self.stopped is None:
                log.warning("%s%s: %s; the robot holds", self._at(), robot.state, robot.reason)
            self._hold(robot.reason)
            self._tells_stop = False
        elif self._tells_stop:
            if not any(request.kind == "stop" for request in self._outstanding.values()):
                self.stop(everyone=False)
        elif self.stopped is not None and status.stop >= self._own_stop:
            log.info("%sreleased, the robot goes on", self._at())
            self.stopped = self._asked = self._unanswered_since = None
        self._warn_of_silence()

    def _hold(self, reason: str) -> None:
        self.stopped, self.plan, self._unanswered_since = reason, Plan(), None

    # A daemon that goes and comes back, or takes nothing

    @property
    def is_connected(self) -> bool:
        return self._heard is not None and self._gone_since is None

    @property
    def has_heard(self) -> bool:
        """Whether a heartbeat has come."""
        return self._heard is not None

    def watch(self) -> None:
        """Notices that the daemon is gone, and asks for it; to be called often, after taking in what has arrived."""
        now = time.monotonic()
        if self.endpoints is None:
            return
        silent_since = self._patience if self._heard is None else self._heard
        if self._gone_since is None and now > max(silent_since + HEARTBEAT_TIMEOUT, self._patience):
            self._gone_since, self._info_interval = silent_since, SHORTEST_INFO_INTERVAL
            left = 0 if self.step is None else self.plan.left(self.step + 1)
            log.warning("%sthe daemon is gone; %d actions left", self._at(), left)
        if self._gone_since is not None and now - self._info_asked > self._info_interval:
            self._info_asked, self._info_interval = now, min(2 * self._info_interval, LONGEST_INFO_INTERVAL)
            self._open_requests()
            self._ask_info_again()

    def _ask_info_again(self) -> None:
        """Forgets an attempt from before: one at a time is outstanding, so that none heap up while a daemon is gone."""
        if not any(request.kind == "info" for request in self._outstanding.values()):
            self.ask_info()

    def _rejoin(self, silent_since: float | None, what: str) -> None:
        silent = 0 if silent_since is None else time.monotonic() - silent_since
        log.warning("%sthe daemon is back after %.1f s, %s", self._at(), silent, what)
        self.reconnects += 1
        self._gone_since = self._asked = self._unanswered_since = None
        self.newest_stop, self._own_stop, self.command = 0, 0, None
        self._names_policy = self.policy_name is not None
        self._open_requests()
        self._ask_info_again()
        # A stop holds until a person releases it, and a new daemon may know of none.
        self._tells_stop = self.stopped is not None

    def _rejections(self) -> dict[str, int]:
        found = self.status.statistics.get("rejected_messages") if self.status else None
        return {str(code): count for code, count in found.items() if type(count) is int} if isinstance(found, dict) else {}

    def _warn_of_silence(self) -> None:
        """Observations are not answered, and what is wrong with one only the daemon knows."""
        now, since = time.monotonic(), self._unanswered_since
        if since is None or now - since < UNANSWERED_WARNING or now - self._unanswered_told < UNANSWERED_WARNING:
            return
        self._unanswered_told = now
        counts = {code: count - self._rejected.get(code, 0) for code, count in self._rejections().items()}
        refused = ", ".join(f"{code} {count} times" for code, count in sorted(counts.items()) if count > 0)
        what = f"no {'command' if self.commands else 'chunk'} for {now - since:.1f} s"
        log.warning(
            "%s%s: %s", self._at(), what, f"meanwhile the daemon refused {refused}" if refused else "the daemon's log may say why"
        )

    def _at(self) -> str:
        return "" if self.step is None else f"step {self.step}: "
