"""What goes wrong: no daemon, one that does not answer, one that lies, one that comes back as another."""

from __future__ import annotations

import gc
import logging
import socket
import time
from typing import Any

import numpy as np
import pytest
from support import OBSERVATION, TINY, Daemon, Fake, chunk_for, pack, wait_until

from denoised import (
    DenoisedError,
    InvalidValue,
    NoReply,
    PolicyChanged,
    ProtocolError,
    ProtocolVersion,
    RequestRejected,
    Robot,
)
from denoised.packing import pack_array

STATE = {"observation.state": [1, 2]}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_no_daemon() -> None:
    robot = Robot(f"tcp://127.0.0.1:{free_port()}", "arm1")
    start = time.monotonic()
    with pytest.raises(NoReply) as error:
        robot.connect(0.3)
    assert 0.3 <= time.monotonic() - start < 3
    assert isinstance(error.value, TimeoutError) and isinstance(error.value, DenoisedError)
    assert error.value.hint == "nothing listens there: is the daemon running?"
    assert "no answer to info from tcp://127.0.0.1:" in str(error.value) and "within 0.3 s" in str(error.value)
    with pytest.raises(NoReply):
        robot.stop(timeout=0.1)
    assert robot.stopped, "it holds all the same"
    robot.close()


def test_a_robot_that_is_forgotten_is_closed(fake: Fake) -> None:
    robots = [Robot(fake.address, f"arm{number}") for number in range(3)]
    for robot in robots:
        robot.connect()
    contexts = [robot._sockets._context for robot in robots]
    del robot
    robots.clear()
    gc.collect()
    assert all(context.closed for context in contexts)


def test_the_with_statement_leaves_nothing_open() -> None:
    with pytest.raises(NoReply), Robot(f"tcp://127.0.0.1:{free_port()}", "arm1", timeout=0.1) as robot:
        pytest.fail(f"{robot} is connected")


def test_something_else_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        robot = Robot(f"tcp://127.0.0.1:{server.getsockname()[1]}", "arm1")
        with pytest.raises(NoReply, match="a program listens there, but refuses a connection without keys"):
            robot.connect(0.5)
        robot.close()


def test_a_daemon_that_starts_later() -> None:
    with Daemon(TINY) as first:
        where = first.endpoints
    robot = Robot(where.requests, "patient")
    with pytest.raises(NoReply):
        robot.connect(0.1)
    with Daemon(TINY, at=where):
        robot.connect(20)
        assert robot.predict(OBSERVATION).step == 0
        robot.close()


@pytest.mark.parametrize(
    "options, field",
    [
        ({"name": "no spaces"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"hz": 0}, "hz"),
        ({"hz": 1001}, "hz"),
        ({"hz": float("nan")}, "hz"),
        ({"timeout": 0}, "timeout"),
        ({"bind": True}, "bind"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidValue) as error:
        Robot("tcp://127.0.0.1:1", **options)
    assert error.value.field == field and isinstance(error.value, ValueError)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:5557", "http://127.0.0.1:5557", "", "tcp://127.0.0.1"])
def test_endpoints_that_cannot_be(endpoint: str) -> None:
    robot = Robot(endpoint)
    with pytest.raises(InvalidValue, match=r"endpoint: found .*, expected one like tcp://127.0.0.1:5557"):
        robot.connect(0.1)
    robot.close()


def test_a_request_without_reply_is_given_up(fake: Fake) -> None:
    with Robot(fake.address) as robot:
        fake.reply = lambda request: None
        with pytest.raises(NoReply, match="the daemon sends heartbeats, but does not answer"):
            robot.ping(0.2)
        fake.reply = lambda request: {"v": 1, "type": "pong", "monotonic_ns": 1, "wall_ns": 2}
        assert robot.ping().wall_ns == 2
        assert [request["type"] for request in fake.requests] == ["info", "ping", "ping"]


def test_what_was_given_up_is_not_sent_later() -> None:
    """A stop or resume that a person gave up must not come minutes later."""
    with Fake() as fake:
        robot = Robot(fake.address)
        robot.connect()
        address, info = fake.address, fake.info
    with pytest.raises(NoReply):
        robot.resume(timeout=0.1)
    with pytest.raises(NoReply):
        robot.ping(timeout=0.1)
    assert robot.endpoints
    with Fake(requests=address) as again:
        again.info = {**info, "endpoints": {**again.info["endpoints"], "requests": address}}
        wait_until(lambda: robot.stopped is None and again.requests, "the next request")
        robot.listen(0.5)
        assert {request["type"] for request in again.requests} == {"info"}
        robot.close()


def test_a_daemon_that_comes_back_elsewhere() -> None:
    """Its requests are where they were, and its other sockets are not."""
    with Fake() as first:
        robot = Robot(first.address, hz=50)
        robot.connect()
        robot.publish(STATE)
        wait_until(lambda: robot.connected and first.observations, "the first")
    wait_until(lambda: not robot.connected, "the first to be gone")
    with Fake(requests=first.address) as second:
        second.started_ns = 2
        second.answers = lambda observation: [("chunk.arm1", pack(chunk_for(observation)))]
        wait_until(lambda: robot.connected, "the second")
        assert robot.reconnects == 1
        wait_until(lambda: robot.publish(STATE) and robot.chunk, "a chunk of the second")
        robot.close()


def test_another_policy_is_not_followed(fake: Fake) -> None:
    with Robot(fake.address, hz=50) as robot:
        fake.answers = lambda observation: [("chunk.arm1", pack(chunk_for(observation)))]
        wait_until(lambda: robot.publish(STATE) and robot.chunk, "a chunk")
        fake.info = {**fake.info, "policy": {**fake.info["policy"], "name": "other", "action_dim": 3}}
        fake.started_ns = 2
        wait_until(lambda: robot.reconnects == 1 and len(fake.requests) > 1, "another process")

        def changed() -> bool:
            try:
                robot.action()
            except PolicyChanged:
                return True
            return False

        wait_until(changed, "the policy to have changed")
        with pytest.raises(PolicyChanged) as error:
            robot.publish(STATE)
        assert (error.value.before, error.value.after) == ("lies", "other")
        robot.connect()
        assert robot.policy.action_dim == 3 and robot.step is None


def test_another_version(fake: Fake) -> None:
    fake.info = {**fake.info, "v": 2}
    with pytest.raises(ProtocolVersion, match="found version 2 of the protocol, this client speaks version 1"):
        Robot(fake.address).connect()


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"policy": 1}, "policy: found int, expected a map"),
        ({"stop": -1}, "stop: found -1, expected an integer"),
        ({"type": "pong"}, "the daemon answered info with pong, expected info"),
    ],
)
def test_replies_that_cannot_be_read(fake: Fake, changes: dict[str, Any], says: str) -> None:
    fake.info = {**fake.info, **changes}
    with pytest.raises(ProtocolError, match=says):
        Robot(fake.address).connect()


def test_an_error_has_code_and_field(fake: Fake) -> None:
    with Robot(fake.address) as robot:
        refusal = {"v": 1, "type": "error", "code": "new_in_2030", "message": "found 7, expected 8", "field": "sequence"}
        fake.reply = lambda request: refusal
        with pytest.raises(RequestRejected) as error:
            robot.predict(STATE)
        assert (error.value.code, error.value.field) == ("new_in_2030", "sequence")
        assert str(error.value) == "the daemon refused predict: new_in_2030: sequence: found 7, expected 8"


def test_malformed_messages_are_counted_and_passed_over(fake: Fake, caplog: pytest.LogCaptureFixture) -> None:
    def lies(observation: dict[str, Any]) -> list[tuple[str, bytes]]:
        chunk = chunk_for(observation)
        return [
            ("chunk.arm1", b""),
            ("chunk.arm1", b"\xc1"),
            ("chunk.arm1", pack(chunk)[:-1]),
            ("chunk.arm1", pack(chunk) + b"\0"),
            ("chunk.arm1", pack({**chunk, "action": pack_array(np.full((1, 2), np.nan, np.float32))})),
            ("chunk.arm1", pack({**chunk, "type": "command"})),
            ("chunk.arm1", pack({**chunk, "v": 3})),
            ("status", b"\x80"),
            # Not malformed, and not for this robot.
            ("chunk.arm10", pack({**chunk, "robot": "arm10"})),
            ("chunk.arm1", pack({**chunk, "episode": "another"})),
        ]

    fake.answers = lies
    with Robot(fake.address) as robot:
        robot.publish(STATE, replan=True)
        wait_until(lambda: robot.malformed == 8, "8 malformed messages")
        fake.answers = lambda observation: [("chunk.arm1", pack(chunk_for(observation)))]
        wait_until(lambda: robot.publish(STATE) and robot.plan.chunk, "a chunk")
        assert robot.malformed == 8 and robot.plan.left(0)
    told = [record for record in caplog.records if "malformed" in record.getMessage()]
    assert len(told) == 1, "one line a second"


def test_observations_that_nobody_answers_are_told(fake: Fake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with Robot(fake.address, hz=20) as robot:
        robot.publish(STATE)
        fake.rejected = {"robot_taken": 3}
        for _ in range(60):
            robot.publish(STATE)
            robot.listen(0.05)
        told = [record.getMessage() for record in caplog.records if "no chunk for" in record.getMessage()]
        assert told and "meanwhile the daemon refused robot_taken 3 times" in told[0]


def test_a_daemon_without_heartbeats(caplog: pytest.LogCaptureFixture) -> None:
    with Fake() as fake:
        fake.beats = False
        with Robot(fake.address, timeout=0.5) as robot:
            assert any("no heartbeat from" in record.getMessage() for record in caplog.records)
            assert not robot.connected
            with pytest.raises(NoReply, match="no heartbeat from"):
                robot.status(0.1)


def test_a_late_chunk_is_carried_on_beyond(fake: Fake) -> None:
    """The plan ends beyond the chunk, and then the robot holds."""
    fake.answers = lambda observation: [("chunk.arm1", pack(chunk_for(observation)))] if observation["sequence"] == 0 else []
    with Robot(fake.address, hz=20) as robot:
        found: list[float | None] = []
        for _ in robot.steps(7):
            robot.publish(STATE)
            action = robot.action()
            found.append(None if action is None else float(action[0]))
        assert found[:4] in ([None, 3, 5, 7], [None, None, 5, 7])
        assert found[4:] == [None] * 3
        assert fake.observations[0]["replan"] is True
        assert fake.requests[-1]["type"] == "reset"
