"""What the daemon sends: docs/PROTOCOL.md has each message, field by field.

Times are in nanoseconds. A `*_ns` of the daemon is by its monotonic clock, `wall_ns` since 1970 (UTC).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .endpoints import Endpoints
from .packing import Array, Fields


@dataclass(frozen=True)
class Feature:
    """A feature of the observation: its LeRobot name, and how many numbers it has."""

    name: str
    count: int


@dataclass(frozen=True)
class Camera:
    """A camera of the policy: its LeRobot name, and the size of a frame in pixels."""

    name: str
    height: int
    width: int


@dataclass(frozen=True)
class Policy:
    """What runs: the observation that it takes, and the actions that it gives."""

    name: str
    features: tuple[Feature, ...]
    cameras: tuple[Camera, ...]
    #: Control steps that one prediction covers.
    horizon: int
    #: Observations in the history.
    n_obs_steps: int
    #: Actions in a chunk.
    n_action_steps: int
    #: Numbers in an action.
    action_dim: int

    @property
    def most_committed(self) -> int:
        """How many actions an observation may commit to."""
        return max(self.horizon - self.n_obs_steps + 1, 0)


@dataclass(frozen=True)
class Sampler:
    """How the policy is sampled."""

    solver: str
    #: Denoising steps.
    steps: int
    #: `sequential`, `quasi-newton` or `paradigms`.
    method: str
    #: A parallel method's window in denoising steps.
    window: int
    tolerance: float
    #: The network's precision and instruction set.
    kernel: str
    #: The latency that is kept, in milliseconds; 0: none is.
    budget_ms: float


@dataclass(frozen=True)
class ServedPolicy:
    """A policy of the daemon."""

    policy: Policy
    sampler: Sampler
    #: Bytes of its weights in memory.
    weight_bytes: int
    #: How far its calibration has come; below 100 chunks are sampled one step after the other.
    calibration_percent: int


@dataclass(frozen=True)
class Limits:
    """How much may be sent."""

    #: The longest message.
    message_bytes: int
    #: Observations a second; one counts once for each `counted_bytes` that it begins.
    messages_per_second: int
    counted_bytes: int


@dataclass(frozen=True)
class CameraServer:
    """A camera server that the daemon reads (`serve --camera`)."""

    #: The policy's camera, by its LeRobot name.
    camera: str
    #: Where the server publishes, and what it calls the camera.
    endpoint: str
    name: str
    #: Frames that came and could be used.
    frames: int
    #: Messages and pictures that could not be used.
    refused: int
    #: Pictures with the time stamp of the one before, which are not used.
    repeated: int
    #: The time since the newest frame came; None: none has come.
    age_ns: int | None


@dataclass(frozen=True)
class Info:
    """What the daemon runs and has done."""

    daemon_version: str
    #: What drives this robot.
    policy: Policy
    sampler: Sampler
    #: Everything that runs; empty: the daemon does not tell.
    policies: tuple[ServedPolicy, ...]
    #: As the daemon names them. `Robot.endpoints` has those of a robot as this machine reaches them.
    endpoints: Endpoints
    #: None: the daemon does not tell.
    limits: Limits | None
    #: The number of the newest stop of any robot; 0: there was none.
    stop: int
    #: What the daemon has counted since its start, as docs/PROTOCOL.md lists it.
    statistics: Mapping[str, Any]
    #: How far the calibration has come; below 100 chunks are sampled one step after the other. Of several policies that of the
    #: least: `policies` has each. 100 for a daemon that does not tell, which calibrates before it answers.
    calibration_percent: int = 100
    #: Empty: there are none.
    camera_servers: tuple[CameraServer, ...] = ()

    @staticmethod
    def read(fields: Fields) -> Info:
        endpoints = fields.map("endpoints")
        return Info(
            daemon_version=fields.text("daemon_version"),
            policy=_policy(fields.map("policy")),
            sampler=_sampler(fields.map("sampler")),
            policies=tuple(
                ServedPolicy(
                    _policy(each.map("policy")),
                    _sampler(each.map("sampler")),
                    each.integer("weight_bytes"),
                    each.integer("calibration_percent"),
                )
                for each in fields.maps("policies")
            ),
            endpoints=Endpoints(
                endpoints.text("observations"),
                endpoints.text("chunks"),
                endpoints.text("requests"),
                endpoints.optional("gr00t", endpoints.text),
                endpoints.optional("openpi", endpoints.text),
            ),
            limits=fields.optional("limits", lambda name: _limits(fields.map(name))),
            stop=fields.integer("stop"),
            statistics=fields.map("statistics").message,
            calibration_percent=_calibration_percent(fields),
            camera_servers=_camera_servers(fields),
        )


def _policy(fields: Fields) -> Policy:
    return Policy(
        name=fields.text("name"),
        features=tuple(Feature(each.text("name"), each.integer("count")) for each in fields.maps("features")),
        cameras=tuple(
            Camera(each.text("name"), each.integer("height"), each.integer("width")) for each in fields.maps("cameras")
        ),
        horizon=fields.integer("horizon"),
        n_obs_steps=fields.integer("n_obs_steps"),
        n_action_steps=fields.integer("n_action_steps"),
        action_dim=fields.integer("action_dim"),
    )


def _sampler(fields: Fields) -> Sampler:
    return Sampler(
        solver=fields.text("solver"),
        steps=fields.integer("steps"),
        method=fields.text("method"),
        window=fields.integer("window"),
        tolerance=fields.number("tolerance"),
        kernel=fields.text("kernel"),
        budget_ms=fields.number("budget_ms"),
    )


def _limits(fields: Fields) -> Limits:
    return Limits(fields.integer("message_bytes"), fields.integer("messages_per_second"), fields.integer("counted_bytes"))


def _calibration_percent(fields: Fields) -> int:
    percent = fields.optional("calibration_percent", fields.integer)
    return 100 if percent is None else percent


def _camera_servers(fields: Fields) -> tuple[CameraServer, ...]:
    return tuple(
        CameraServer(
            camera=each.text("camera"),
            endpoint=each.text("endpoint"),
            name=each.text("name"),
            frames=each.integer("frames"),
            refused=each.integer("refused"),
            repeated=each.integer("repeated"),
            age_ns=each.optional("age_ns", each.integer),
        )
        for each in fields.maps("camera_servers")
    )


@dataclass(frozen=True)
class Sampling:
    """How a chunk was sampled."""

    #: `ddpm`, `ddim` or `dpmsolver++`.
    solver: str
    #: Denoising steps.
    steps: int
    #: `sequential`, `quasi-newton` or `paradigms`.
    method: str
    #: A parallel method's window in denoising steps; 1 if sequential.
    window: int
    #: A parallel method's tolerance; 0 if sequential.
    tolerance: float
    #: Passes of the network, one after the other.
    iterations: int
    #: (Sample, timestep) pairs that went through the network.
    evaluations: int
    #: What was neglected, in the tolerance's unit; 0 if sequential.
    residual: float
    #: `exact`, `converged` (within the tolerance), `warm` (another chunk, which started from the last one, re-noised) or
    #: `coarse` (finished in coarse steps to keep the budget).
    quality: str
    #: Coarse steps of a coarse chunk.
    coarse_steps: int
    noise_seed: int


@dataclass(frozen=True)
class Timing:
    """When a chunk was made, and what it took."""

    #: The daemon's monotonic clock when it had read the observation.
    received_ns: int
    #: The daemon's monotonic clock when the chunk was packed.
    published_ns: int
    #: The daemon's wall clock at that moment.
    wall_ns: int
    #: Nanoseconds in each stage: decode, queue, vision (with cameras), condition, sample, encode, and their sum, total.
    stages_ns: Mapping[str, int]

    @property
    def total_ms(self) -> float:
        """Milliseconds from reading the observation to the packed chunk."""
        return self.stages_ns.get("total", 0) / 1e6


@dataclass(frozen=True)
class Passes:
    """The passes of the network, one after the other: [n] each."""

    #: The earliest denoising step that a pass evaluated, from 0, the noisiest.
    first_step: Array
    #: The step after the latest.
    end_step: Array
    #: How many of them it evaluated.
    evaluations: Array
    #: How long it took, in nanoseconds.
    ns: Array


@dataclass(frozen=True, eq=False)
class Chunk:
    """Actions for the control steps from `first_step` on."""

    robot: str
    episode: int | str
    #: The control step of the observation that it answers.
    step: int
    #: That observation's time stamp, by the robot's clock.
    time_ns: int
    #: The control step at which the first action applies.
    first_step: int
    #: [T, D], float32, in the robot's units: row i is for control step `first_step` + i.
    action: Array
    #: [k, D]: what is predicted after them, for when the next chunk is late.
    beyond: Array
    #: [k, D]: the actions that the observation committed to; `action` begins with them.
    frozen: Array
    sampling: Sampling
    timing: Timing
    #: The name of the policy that planned it; None: the daemon runs one.
    policy: str | None
    #: None: the daemon does not tell.
    passes: Passes | None

    def at(self, step: int) -> Array | None:
        """The action for a control step, [D], also one beyond the T meant to be carried out; None if there is none."""
        index = step - self.first_step
        if 0 <= index < len(self.action):
            return self.action[index]  # type: ignore[no-any-return]
        index -= len(self.action)
        return self.beyond[index] if 0 <= index < len(self.beyond) else None

    @property
    def quality(self) -> str:
        """`exact`, `converged`, `warm` or `coarse`."""
        return self.sampling.quality

    @staticmethod
    def read(fields: Fields, action_dim: int) -> Chunk:
        def rows(name: str) -> Array:
            found = fields.optional(name, lambda name: fields.array(name, rows_of=action_dim))
            return _no_rows(action_dim) if found is None else found

        return Chunk(
            robot=fields.text("robot"),
            episode=fields.episode("episode"),
            step=fields.integer("sequence"),
            time_ns=fields.integer("time_ns"),
            first_step=fields.integer("first_step"),
            action=fields.array("action", rows_of=action_dim),
            beyond=rows("beyond"),
            frozen=rows("frozen"),
            sampling=Sampling(
                solver=fields.text("solver"),
                steps=fields.integer("steps"),
                method=fields.text("method"),
                window=fields.integer("window"),
                tolerance=fields.number("tolerance"),
                iterations=fields.integer("iterations"),
                evaluations=fields.integer("evaluations"),
                residual=fields.number("residual"),
                quality=fields.text("quality"),
                coarse_steps=fields.integer("coarse_steps"),
                noise_seed=fields.integer("noise_seed"),
            ),
            policy=fields.optional("policy", fields.text),
            timing=Timing(
                received_ns=fields.integer("received_ns"),
                published_ns=fields.integer("published_ns"),
                wall_ns=fields.integer("wall_ns"),
                stages_ns=fields.integers("stages_ns"),
            ),
            passes=fields.optional("passes", lambda name: _passes(fields.map(name))),
        )


def _passes(fields: Fields) -> Passes:
    return Passes(fields.array("first_step"), fields.array("end_step"), fields.array("evaluations"), fields.array("ns"))


def _no_rows(action_dim: int) -> Array:
    return np.zeros((0, action_dim), np.float32)


@dataclass(frozen=True, eq=False)
class Command:
    """What to do at one tick of the robot's control."""

    robot: str
    episode: int | str
    #: Counts the periods of the robot file's `command_hz` in the episode; rises from one command to the next.
    tick: int
    #: The control step that the command is for, with the fraction of it that is over.
    step: float
    #: When it is to take effect, by the robot's clock.
    time_ns: int
    #: [D], float32, in the robot's units, within its limits.
    action: Array
    #: The control step of the observation that the chunk in force answers.
    answers: int
    #: `running`, or `holding`: the robot is brought to rest and kept there.
    state: str
    #: Whether a limit changed the action.
    limited: bool
    published_ns: int
    wall_ns: int

    @staticmethod
    def read(fields: Fields, action_dim: int) -> Command:
        action = fields.array("action")
        if len(action) != action_dim:
            raise fields.wrong("action", f"{len(action)} numbers", str(action_dim))
        state = fields.text("state")
        if state not in ("running", "holding"):
            raise fields.wrong("state", repr(state), "running or holding")
        return Command(
            robot=fields.text("robot"),
            episode=fields.episode("episode"),
            tick=fields.integer("tick"),
            step=fields.number("step"),
            time_ns=fields.integer("time_ns"),
            action=action,
            answers=fields.integer("sequence"),
            state=state,
            limited=fields.flag("limited"),
            published_ns=fields.integer("published_ns"),
            wall_ns=fields.integer("wall_ns"),
        )


@dataclass(frozen=True)
class RobotStatus:
    """What the daemon says about a robot."""

    #: `idle`, `running`, `holding`, `stopped` or `faulted`.
    state: str
    #: What led to it.
    reason: str
    for_ns: int
    #: Those of the newest observation, and the time since it.
    episode: int | str
    step: int
    silent_ns: int
    #: How many it was sent, and how many of them limits changed or held back.
    chunks: int
    commands: int
    limit_violations: int
    #: The name of the policy that it named; None: the daemon runs one, or it named none.
    policy: str | None = None


@dataclass(frozen=True)
class Status:
    """A heartbeat of the daemon, of which ten are sent a second."""

    monotonic_ns: int
    wall_ns: int
    #: At most 256, those that are not idle first.
    robots: Mapping[str, RobotStatus]
    #: The number of the newest stop of any robot; 0: there was none.
    stop: int
    #: As in `Info`.
    statistics: Mapping[str, Any]
    #: What is wrong and keeps no robot waiting, for people.
    warnings: tuple[str, ...]
    #: The daemon's monotonic clock when it started: another number is another process.
    started_ns: int
    #: As in `Info`.
    calibration_percent: int = 100
    camera_servers: tuple[CameraServer, ...] = ()

    @staticmethod
    def read(fields: Fields) -> Status:
        robots, monotonic_ns = fields.map("robots"), fields.integer("monotonic_ns")
        return Status(
            monotonic_ns=monotonic_ns,
            wall_ns=fields.integer("wall_ns"),
            robots={str(name): _robot_status(robots.map(name)) for name in robots.message},
            stop=fields.integer("stop"),
            statistics=fields.map("statistics").message,
            warnings=fields.texts("warnings"),
            started_ns=monotonic_ns - fields.map("statistics").integer("uptime_ns"),
            calibration_percent=_calibration_percent(fields),
            camera_servers=_camera_servers(fields),
        )


def _robot_status(fields: Fields) -> RobotStatus:
    return RobotStatus(
        state=fields.text("state"),
        reason=fields.text("reason"),
        for_ns=fields.integer("for_ns"),
        episode=fields.episode("episode"),
        step=fields.integer("sequence"),
        silent_ns=fields.integer("silent_ns"),
        chunks=fields.integer("chunks"),
        commands=fields.integer("commands"),
        limit_violations=fields.integer("limit_violations"),
        policy=fields.optional("policy", fields.text),
    )


@dataclass(frozen=True)
class Pong:
    """The daemon's clocks."""

    monotonic_ns: int
    wall_ns: int
    #: This machine's monotonic clock when the daemon was asked.
    time_ns: int | None = None

    @staticmethod
    def read(fields: Fields) -> Pong:
        return Pong(fields.integer("monotonic_ns"), fields.integer("wall_ns"), fields.optional("time_ns", fields.integer))


@dataclass(frozen=True)
class Stopped:
    """The reply to `stop`."""

    #: Those that stopped and had not been stopped before.
    robots: int
    #: Of the robots that the stop is for, those that the daemon has heard of or has a robot file for.
    known: int
    #: The number of this stop.
    stop: int
    #: Whether the stop outlives the daemon (`serve --state`).
    kept: bool
    #: Why it does not, although it should.
    problem: str | None
    #: If the name is not known: those that are.
    known_names: tuple[str, ...]

    @staticmethod
    def read(fields: Fields) -> Stopped:
        return Stopped(
            robots=fields.integer("robots"),
            known=fields.integer("known"),
            stop=fields.integer("stop"),
            kept=fields.flag("kept"),
            problem=fields.optional("problem", fields.text),
            known_names=fields.texts("known_names"),
        )


@dataclass(frozen=True)
class Resumed:
    """The reply to `resume`."""

    #: Those that were released.
    robots: int
    #: Whether that outlives the daemon (`serve --state`).
    kept: bool
    #: Why it does not, although it should.
    problem: str | None

    @staticmethod
    def read(fields: Fields) -> Resumed:
        return Resumed(fields.integer("robots"), fields.flag("kept"), fields.optional("problem", fields.text))
