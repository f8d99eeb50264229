"""The messages, against the examples of docs/PROTOCOL.md."""

from __future__ import annotations

import dataclasses
import itertools
import re
from random import Random
from typing import Any

import msgpack
import numpy as np
import pytest
from support import ROOT, chunk_for, pack

from denoised import Camera, CameraServer, Chunk, Command, Feature, Policy, ProtocolError, ProtocolVersion, picture_header
from denoised.core import Core
from denoised.endpoints import Endpoints, needs_ipv6, reachable
from denoised.messages import (
    Info,
    Limits,
    Passes,
    Pong,
    Resumed,
    RobotStatus,
    Sampler,
    Sampling,
    ServedPolicy,
    Status,
    Stopped,
    Timing,
)
from denoised.observation import pack_observation
from denoised.packing import unpack


def example(name: str) -> bytes:
    """The bytes of an example of docs/PROTOCOL.md."""
    text = (ROOT / "docs/PROTOCOL.md").read_text()
    found = re.search(rf"```hex {name}\n(.*?)```", text, re.DOTALL)
    assert found, f"docs/PROTOCOL.md has no example {name}"
    return bytes.fromhex("".join(line[6:54] for line in found[1].splitlines()))


class NoWires:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def open_requests(self) -> None:
        pass

    def join(self, endpoints: Endpoints, topics: list[str], longest_message: int) -> None:
        pass

    def request(self, data: bytes) -> None:
        self.sent.append(data)

    def publish(self, frames: list[bytes]) -> None:
        self.sent += frames


def policy(features: tuple[Feature, ...], cameras: tuple[Camera, ...] = ()) -> Policy:
    return Policy("test", features, cameras, horizon=16, n_obs_steps=2, n_action_steps=8, action_dim=2)


def core_of(what: Policy, commands: bool = False) -> tuple[Core, NoWires]:
    wires = NoWires()
    core = Core(
        wires,
        "tcp://h:1",
        "arm1",
        hz=10,
        commands=commands,
        policy=None,
        observations=None,
        chunks=None,
        clock=lambda: 1_000_000_000,
    )
    core.info = Info("0", what, Sampler("ddpm", 1, "sequential", 1, 0, "none", 0), (), Endpoints("", "", ""), None, 0, {})
    core.begin_episode(7)
    return core, wires


def sent(data: bytes, *left_out: str) -> dict[str, Any]:
    return {key: value for key, value in msgpack.unpackb(data).items() if key not in left_out}


def test_an_observation_is_the_documented_one() -> None:
    core, wires = core_of(policy((Feature("observation.state", 2),)))
    core.publish({"observation.state": np.array([0.5, -2])}, step=8, replan=True, committed=None, noise_seed=None, time_ns=None)
    assert wires.sent[0] == b"observation.arm1"
    assert sent(wires.sent[1], "session") == msgpack.unpackb(example("observation"))


def test_a_prediction_is_the_documented_one() -> None:
    core, wires = core_of(policy((Feature("observation.state", 2),)))
    core.predict({"observation.state": (0.5, -2)}, step=8, committed=None, noise_seed=None, time_ns=None)
    documented = sent(example("predict"), "replan")  # which a prediction ignores
    assert sent(wires.sent[0], "session") == {**documented, "request": 1}


def test_frames_are_the_documented_ones() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    packed = pack_observation({"observation.images.front": pixels}, policy((), (Camera("observation.images.front", 2, 2),)))
    documented = msgpack.unpackb(example("frames"))["observation"]
    assert packed["observation.images.front"] == documented["observation.images.front"]


@pytest.mark.parametrize("name", ["ping", "reset", "stop", "resume"])
def test_a_request_is_the_documented_one(name: str) -> None:
    core, wires = core_of(policy(()))
    if name == "ping":
        core.ping()
    elif name == "reset":
        core.reset()
    elif name == "stop":
        core.stop(everyone=False)
    else:
        core.resume(everyone=False, seen=msgpack.unpackb(example("resume"))["stop"])
    varies = ("request", "time_ns", "session")
    assert sent(wires.sent[0], *varies) == sent(example(name), *varies)


def test_a_chunk_is_read() -> None:
    chunk = Chunk.read(unpack(example("chunk")), 2)
    assert (chunk.robot, chunk.episode, chunk.step, chunk.first_step) == ("arm1", 7, 8, 8)
    assert chunk.action.tolist() == [[1, 2], [3, 4]]
    assert chunk.beyond.tolist() == [[5, 6]]
    assert chunk.frozen.tolist() == [[1, 2]]
    assert chunk.quality == "converged"
    assert (chunk.sampling.method, chunk.sampling.iterations, chunk.sampling.evaluations) == ("paradigms", 25, 390)
    assert chunk.timing.total_ms == pytest.approx(50.15, abs=0.01)
    assert chunk.timing.stages_ns["decode"] == 20000
    rows = [chunk.at(step) for step in range(7, 12)]
    assert [None if row is None else row.tolist() for row in rows] == [None, [1, 2], [3, 4], [5, 6], None]


def test_a_command_is_read() -> None:
    command = Command.read(unpack(example("command")), 2)
    assert (command.tick, command.step, command.answers, command.state, command.limited) == (85, 8.5, 8, "running", False)
    assert command.action.tolist() == [1.5, 2.5]


def test_replies_are_read() -> None:
    pong, stopped = Pong.read(unpack(example("pong"))), Stopped.read(unpack(example("stopped")))
    assert (pong.monotonic_ns, pong.time_ns) == (5_000_000_000, 1_000_000_000)
    assert (stopped.robots, stopped.known, stopped.kept, stopped.problem) == (1, 1, True, None)


SAMPLER = dict(solver="ddpm", steps=100, method="sequential", window=1, tolerance=0.0, kernel="avx2 f32", budget_ms=0.0)
SIZES = dict(name="pusht", features=[], horizon=16, n_obs_steps=2, n_action_steps=8, action_dim=2)
#: What daemons have always told, and what they tell if there is something to tell.
INFO = dict(
    v=1,
    type="info",
    daemon_version="0",
    policy=SIZES,
    sampler=SAMPLER,
    endpoints=dict(observations="tcp://h:1", chunks="tcp://h:2", requests="tcp://h:3"),
    stop=0,
    statistics={},
)
STATUS = dict(v=1, type="status", monotonic_ns=9, wall_ns=1, robots={}, stop=0, statistics={"uptime_ns": 1})
ROBOT = dict(state="running", reason="", for_ns=1, episode=7, sequence=8, silent_ns=2, chunks=3, commands=4, limit_violations=5)
SERVER = dict(camera="observation.images.front", endpoint="tcp://h:5555", name="head", frames=30, refused=1, repeated=2)


def test_what_the_daemon_runs_is_read() -> None:
    served = dict(policy=SIZES, sampler=SAMPLER, weight_bytes=4096, calibration_percent=40)
    endpoints = dict(observations="tcp://h:1", chunks="tcp://h:2", requests="tcp://h:3", gr00t="tcp://h:4", openpi="ws://h:8000")
    told = dict(policies=[served], endpoints=endpoints, calibration_percent=40, camera_servers=[SERVER | {"age_ns": 5}, SERVER])
    info = Info.read(unpack(pack(INFO | told)))
    assert (info.calibration_percent, info.policies[0].calibration_percent, info.policies[0].weight_bytes) == (40, 40, 4096)
    assert (info.endpoints.gr00t, info.endpoints.openpi) == ("tcp://h:4", "ws://h:8000")
    server = CameraServer("observation.images.front", "tcp://h:5555", "head", frames=30, refused=1, repeated=2, age_ns=5)
    assert info.camera_servers == (server, dataclasses.replace(server, age_ns=None))


def test_a_heartbeat_is_read() -> None:
    told = dict(robots={"arm1": ROBOT | {"policy": "pick"}, "arm2": ROBOT}, calibration_percent=0, camera_servers=[SERVER])
    status = Status.read(unpack(pack(STATUS | told | {"warnings": ["slow"]})))
    assert {name: robot.policy for name, robot in status.robots.items()} == {"arm1": "pick", "arm2": None}
    assert (status.calibration_percent, status.camera_servers[0].name, status.warnings) == (0, "head", ("slow",))
    assert status.started_ns == 8


def test_a_daemon_that_tells_less_is_read() -> None:
    info, status = Info.read(unpack(pack(INFO))), Status.read(unpack(pack(STATUS | {"robots": {"arm1": ROBOT}})))
    for told in (info, status):
        assert (told.calibration_percent, told.camera_servers) == (100, ())
    assert (info.policies, info.limits, info.endpoints.gr00t, info.endpoints.openpi) == ((), None, None, None)
    assert (status.robots["arm1"].policy, status.warnings) == (None, ())
    assert Pong.read(unpack(pack(dict(v=1, type="pong", monotonic_ns=1, wall_ns=2)))).time_ns is None


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"calibration_percent": -1}, "calibration_percent"),
        ({"calibration_percent": "all"}, "calibration_percent"),
        ({"camera_servers": {"head": SERVER}}, "camera_servers"),
        ({"camera_servers": [SERVER, SERVER | {"frames": "many"}]}, "camera_servers[1].frames"),
        ({"camera_servers": [SERVER | {"age_ns": -1}]}, "camera_servers[0].age_ns"),
    ],
)
def test_a_malformed_field_of_both_is_an_error_that_names_it(changes: dict[str, Any], field: str) -> None:
    for read, message in ((Info.read, INFO), (Status.read, STATUS)):
        with pytest.raises(ProtocolError) as error:
            read(unpack(pack(message | changes)))
        assert error.value.field == field


def documented(section: str, heading: str) -> set[str]:
    """The fields in a table of docs/PROTOCOL.md: the first one with that heading in a section."""
    text = (ROOT / "docs/PROTOCOL.md").read_text()
    table = text[text.index(f"\n{section}\n") :]
    table = table[table.index(f"\n| {heading} | type | |\n") + 1 :].split("\n\n", 1)[0]
    return {name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])}


#: Fields of every message, and the one by which a reply finds its request.
EVERYWHERE = {"v", "type", "request"}


@pytest.mark.parametrize(
    "section, heading, read, renamed",
    [
        ("## chunk", "field", (Chunk, Sampling, Timing), {"sequence": "step"}),
        ("## chunk", "field of `passes`", (Passes,), {}),
        ("## command", "field", (Command,), {"sequence": "answers"}),
        ("## status", "field", (Status,), {}),
        ("## status", "field of a robot", (RobotStatus,), {"sequence": "step"}),
        ("### ping, pong", "field of `pong`", (Pong,), {}),
        ("### stop, resume", "field of the reply to `stop`", (Stopped,), {}),
        ("### stop, resume", "field of the reply to `resume`", (Resumed,), {}),
        ("### info", "field", (Info,), {}),
        ("### info", "field of a policy", (ServedPolicy,), {}),
        ("### info", "field of `policy`", (Policy,), {}),
        ("### info", "field of a feature", (Feature,), {}),
        ("### info", "field of a camera", (Camera,), {}),
        ("### info", "field of a camera server", (CameraServer,), {}),
        ("### info", "field of `limits`", (Limits,), {}),
        ("### info", "field of `sampler`", (Sampler,), {}),
        ("### info", "field of `endpoints`", (Endpoints,), {}),
    ],
)
def test_every_documented_field_is_read(section: str, heading: str, read: tuple[type, ...], renamed: dict[str, str]) -> None:
    fields = {renamed.get(name, name) for name in documented(section, heading) - EVERYWHERE}
    assert fields
    assert fields <= {field.name for what in read for field in dataclasses.fields(what)}


OBSERVED = dict(robot="arm1", episode=1, sequence=0, time_ns=0)


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"action": None}, "action"),
        ({"action": [[1, 2]]}, "action"),
        ({"action": {"dtype": "<f4", "shape": [1, 2], "data": b"1234"}}, "action"),
        ({"action": {"dtype": "<f8", "shape": [1, 2], "data": bytes(16)}}, "action"),
        ({"action": {"dtype": "<f4", "shape": [1, 3], "data": bytes(12)}}, "action"),
        ({"action": {"dtype": "<f4", "shape": [-1, -2], "data": bytes(8)}}, "action"),
        ({"action": {"dtype": "<f4", "shape": [1, 2], "data": np.array([1, np.nan], "<f4").tobytes()}}, "action"),
        ({"action": {b"\xff": 1}}, "action"),
        ({"beyond": 1}, "beyond"),
        ({"first_step": -1}, "first_step"),
        ({"first_step": "0"}, "first_step"),
        ({"first_step": True}, "first_step"),
        ({"residual": float("nan")}, "residual"),
        ({"stages_ns": {"total": -1}}, "stages_ns.total"),
        ({"stages_ns": {b"total": -1}}, "stages_ns.b'total'"),
        ({"passes": {"first_step": 1}}, "passes.first_step"),
        ({"episode": 1.5}, "episode"),
    ],
)
def test_a_malformed_chunk_is_an_error_that_names_the_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ProtocolError) as error:
        Chunk.read(unpack(pack(chunk_for(OBSERVED, **changes))), 2)
    assert error.value.field == field


def test_bytes_that_are_no_message_are_errors() -> None:
    chunk = pack(chunk_for(OBSERVED))
    for data in (b"", b"\xc1", b"\x01", b"\xdd\xff\xff\xff\xff", b"\x91" * 100_000, chunk[:-1], chunk + b"\0", b"\x81\x90\x01"):
        with pytest.raises(ProtocolError):
            unpack(data)
    with pytest.raises(ProtocolVersion) as error:
        unpack(pack({"v": 2}))
    assert error.value.found == 2


def test_broken_messages_are_counted_and_nothing_else() -> None:
    """Bytes of the documented messages, changed, cut and repeated at random."""
    random = Random(0)
    core, _ = core_of(policy((Feature("observation.state", 2),)))
    core.publish({"observation.state": [0, 0]}, step=8, replan=True, committed=None, noise_seed=None, time_ns=None)
    status = pack(dict(v=1, type="status", monotonic_ns=9, wall_ns=1, robots={}, stop=0, statistics={"uptime_ns": 1}))
    replies = [example(name) for name in ("pong", "stopped", "error", "chunk")]
    published = [example("chunk"), example("command"), status]
    tries = 3000
    for _ in range(tries):
        is_reply = random.random() < 0.3
        message = bytearray(random.choice(replies if is_reply else published))
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(message))
            message[at : at + random.choice((0, 1, 1, 1, 4))] = random.randbytes(random.choice((0, 1, 1, 1, 4)))
        if is_reply:
            request = random.choice((core.ping, core.ask_info))()
            core.take_reply([bytes(message)])
            core._outstanding.pop(request.number, None)
        else:
            core.take_published([random.choice((b"chunk.arm1", b"status")), bytes(message)])
    assert 100 < core.malformed < tries


@pytest.mark.parametrize(
    "endpoint, reached, expected",
    [
        ("tcp://0.0.0.0:5555", "tcp://10.0.0.1:5557", "tcp://10.0.0.1:5555"),
        ("tcp://[::]:5555", "tcp://[fe80::1]:5557", "tcp://[fe80::1]:5555"),
        ("tcp://[::ffff:0.0.0.0]:5555", "tcp://robot.local:5557", "tcp://robot.local:5555"),
        ("tcp://*:5555", "tcp://localhost:5557", "tcp://localhost:5555"),
        ("tcp://10.0.0.2:5555", "tcp://10.0.0.1:5557", "tcp://10.0.0.2:5555"),
        ("tcp://0.0.0.0:5555", "ipc:///run/requests", "tcp://0.0.0.0:5555"),
        ("ipc:///run/chunks", "tcp://10.0.0.1:5557", "ipc:///run/chunks"),
    ],
)
def test_a_wildcard_takes_the_host_that_was_called(endpoint: str, reached: str, expected: str) -> None:
    assert reachable(endpoint, reached) == expected


def test_ipv6_is_for_addresses_in_brackets() -> None:
    endpoints = ["tcp://[::1]:1", "tcp://127.0.0.1:1", "tcp://localhost:1", "ipc:///a", "tcp://*:1", "tcp://no.invalid:1"]
    assert [needs_ipv6(each) for each in endpoints] == [True, False, False, False, False, False]


def test_headers_of_pictures() -> None:
    folder = ROOT / "Tests/PicturesTests/Resources"
    assert picture_header((folder / "jpeg-420.jpeg").read_bytes()) == ("jpeg", 29, 37)
    jpeg = (folder / "jpeg-420.jpeg").read_bytes()
    assert all(picture_header(jpeg[:length]) in (None, ("jpeg", 29, 37)) for length in range(len(jpeg)))
    assert picture_header(b"") is None
    assert picture_header(b"GIF89a" + bytes(50)) is None
    assert picture_header(b"\xff\xd8" + b"\xff" * 100) is None


def test_limits_bound_what_is_sent() -> None:
    core, wires = core_of(policy((), (Camera("camera", 200, 200),)))
    assert core.info
    core.info = Info("0", core.info.policy, core.info.sampler, (), core.info.endpoints, Limits(100_000, 1000, 4096), 0, {})
    with pytest.raises(ValueError, match="at most 100000 in a message"):
        core.publish(
            {"camera": np.zeros((200, 200, 3), np.uint8)},
            step=None,
            replan=None,
            committed=None,
            noise_seed=None,
            time_ns=None,
        )
    assert not wires.sent and core.step is None


def test_a_stopped_robot_follows_the_way_to_rest_and_nothing_else() -> None:
    core, _ = core_of(policy((Feature("observation.state", 2),)), commands=True)
    documented = msgpack.unpackb(example("command"))

    def given(**changes: Any) -> tuple[list[float] | None, str | None]:
        core.take_published([b"command.arm1", pack({**documented, "time_ns": 1_000_000_000, **changes})])
        action, command = core.action(None), core.take_command()
        assert core.take_command() is None, "once"
        return None if action is None else action.tolist(), None if command is None else command.state

    assert given() == ([1.5, 2.5], "running")
    assert given(time_ns=700_000_000) == (None, None), "a command that was held up"
    assert given(robot="arm10") == (None, None)
    core.stop(everyone=False)
    assert given() == (None, None)
    assert given(state="holding") == ([1.5, 2.5], "holding")
    assert given(state="gliding") == ([1.5, 2.5], None), "the one before"
    assert core.malformed == 1


def test_the_plan_goes_over_to_newer_chunks() -> None:
    core, _ = core_of(policy((Feature("observation.state", 2),)))

    def take(step: int, **changes: Any) -> None:
        observed = dict(robot="arm1", episode=7, sequence=step, time_ns=1_000_000_000)
        core.take_published([b"chunk.arm1", pack(chunk_for(observed, **changes))])

    def planned() -> list[float | None]:
        rows = [core.plan.at(step) for step in range(10)]
        return [None if row is None else float(row[0]) for row in rows]

    def publish(step: int) -> None:
        core.publish({"observation.state": [0, 0]}, step=step, replan=None, committed=None, noise_seed=None, time_ns=None)

    publish(0)
    take(0)
    # Step 0 has begun: its action comes too late. Step 3 is beyond the chunk.
    nothing = itertools.repeat(None)
    assert planned() == [None, 3, 5, 7, *itertools.islice(nothing, 6)]
    assert (core.plan.left(1), core.plan.meant_end, core.plan.end) == (3, 3, 4)
    publish(2)
    take(2)
    assert planned() == [None, None, None, 3, 5, 7, None, None, None, None]
    publish(3)
    for stale in (1, 2):
        take(stale)
    take(3, robot="arm10")
    take(3, episode=8)
    take(3, time_ns=10**18)
    assert planned() == [None, None, None, 3, 5, 7, None, None, None, None]
    assert core.malformed == 0
    publish(9)
    take(3)
    assert core.plan.at(9) is None  # a chunk that is over by the time it comes
