"""The client at the real daemon."""

from __future__ import annotations

import io
import threading
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import OBSERVATION, ROBOT_FILE, SEEING, TINY, Daemon, wait_until

from denoised import CameraServer, Chunk, InvalidObservation, NotConnected, RequestRejected, Robot, __version__


def planned(robot: Robot, observation: dict[str, Any] = OBSERVATION) -> Chunk:
    """Publishes an observation until its chunk is there."""

    def chunk() -> Chunk | None:
        robot.publish(observation, step=robot.step or 0, replan=True)
        robot.listen(0.1)
        return robot.chunk

    wait_until(chunk, "a chunk")
    found = robot.chunk
    assert found
    return found


def test_an_episode_follows_its_chunks(daemon: Daemon) -> None:
    with Robot(daemon.address, "episode", hz=50) as robot:
        assert robot.connected and robot.stopped is None
        assert (robot.policy.action_dim, robot.policy.n_action_steps, robot.policy.cameras) == (2, 4, ())
        assert [(feature.name, feature.count) for feature in robot.policy.features] == [
            ("observation.state", 2),
            ("observation.environment_state", 3),
        ]
        moved = chunks = 0
        seen: Chunk | None = None
        last = -1
        for step in robot.steps(60):
            assert step > last, "control steps rise"
            last = step
            assert robot.publish(OBSERVATION) == step
            action, chunk = robot.action(), robot.chunk
            if action is not None:
                assert action.shape == (2,) and action.dtype == np.float32 and np.isfinite(action).all()
                moved += 1
            if chunk is not None and chunk is not seen:
                assert chunk.action.shape == (4, 2) and chunk.beyond.shape == (3, 2) and chunk.robot == "episode"
                assert chunk.step <= step and chunk.first_step == chunk.step
                seen, chunks = chunk, chunks + 1
        assert moved > 10 and chunks > 2
        assert seen and seen.quality == "exact" and seen.sampling.solver == "ddpm" and seen.sampling.iterations == 5
        assert seen.timing.stages_ns["total"] == seen.timing.published_ns - seen.timing.received_ns
        # steps() told of the end.
        wait_until(lambda: robot.state and robot.state.reason == "the robot was reset", "the end of the episode")
        assert robot.malformed == 0 and robot.reconnects == 0


def test_a_prediction_is_the_chunk_that_is_published(daemon: Daemon) -> None:
    with Robot(daemon.address, "same") as robot:
        robot.begin_episode("one")
        predicted = robot.predict(OBSERVATION, step=3, noise_seed=7)
        assert (predicted.step, predicted.episode, predicted.sampling.noise_seed) == (3, "one", 7)
        # The plan has it from the observation's own step on.
        assert np.array_equal(robot.action(), predicted.action[0]) and robot.action(2) is None  # type: ignore[arg-type]
        assert robot.plan.left(3) == 7
        assert [each is None for each in (predicted.at(2), predicted.at(3), predicted.at(9), predicted.at(10))] == [
            True,
            False,
            False,
            True,
        ]
        assert robot.predict(OBSERVATION).step == 4
        robot.begin_episode("two")
        robot.publish(OBSERVATION, step=3, replan=False, noise_seed=7)
        until = time.monotonic() + 20
        while robot.chunk is None and time.monotonic() < until:
            robot.publish(OBSERVATION, step=3, replan=True, noise_seed=7)
            robot.listen(0.1)
        assert robot.chunk and np.array_equal(robot.chunk.action, predicted.action)


def test_committed_actions_begin_the_chunk(daemon: Daemon) -> None:
    with Robot(daemon.address, "committed") as robot:
        first = robot.predict(OBSERVATION, step=0)
        second = robot.predict(OBSERVATION, step=1, committed=first.action[1:3])
        assert second.frozen.shape == (2, 2)
        assert np.allclose(second.action[:2], first.action[1:3], atol=1e-3)
        with pytest.raises(InvalidObservation) as error:
            robot.predict(OBSERVATION, committed=np.zeros((8, 2)))
        assert (error.value.field, error.value.expected) == ("committed", "[k, 2] with k from 0 to 7")


INVALID: list[tuple[dict[str, Any], str, str, str]] = [
    ({"observation.state": [1, 2, 3]}, "observation.state", "an array [3]", "[2]"),
    ({"observation.state": [[1, 2]]}, "observation.state", "an array [1, 2]", "[2]"),
    ({"observation.state": 1.0}, "observation.state", "an array []", "[2]"),
    ({"observation.state": [1, float("nan")]}, "observation.state", "nan at [1]", "finite numbers"),
    ({"observation.state": [float("inf"), 1]}, "observation.state", "inf at [0]", "finite numbers"),
    ({"observation.state": [1e39, 1]}, "observation.state", "1e+39 at [0]", "32-bit float"),
    ({"observation.state": [1 + 1j, 1]}, "observation.state", "dtype complex128", "numbers"),
    ({"observation.state": ["1", "2"]}, "observation.state", "dtype <U1", "numbers"),
    ({"observation.state": [[1], [2, 3]]}, "observation.state", "NumPy", "numbers"),
    ({"observation.state": None}, "observation.state", "dtype object", "numbers"),
    ({"observation.stat": [1, 2]}, "observation.stat", "does not have", "observation.state, observation.environment_state"),
]


@pytest.mark.parametrize("changes, field, found, expected", INVALID)
def test_what_the_daemon_would_refuse_is_not_sent(
    daemon: Daemon, invalid: Robot, changes: dict[str, Any], field: str, found: str, expected: str
) -> None:
    for use in (invalid.publish, invalid.predict):
        with pytest.raises(InvalidObservation) as error:
            use({**OBSERVATION, **changes})
        assert error.value.field == field
        assert found in error.value.found and expected in error.value.expected
        assert field in str(error.value)
    assert invalid.step is None
    assert "invalid" not in invalid.status().robots


@pytest.fixture(scope="module")
def invalid(daemon: Daemon) -> Any:
    with Robot(daemon.address, "invalid") as robot:
        yield robot


def test_features_that_are_left_out_are_named(invalid: Robot) -> None:
    with pytest.raises(InvalidObservation, match=r"observation.environment_state: found nothing, expected an array \[3\]"):
        invalid.publish({"observation.state": [1, 2]})
    with pytest.raises(InvalidObservation, match="found list"):
        invalid.publish([1, 2])  # type: ignore[arg-type]
    for name, value in (("step", -1), ("noise_seed", 1 << 64), ("time_ns", 1.5)):
        with pytest.raises(InvalidObservation, match=f"{name}: found {value}, expected an integer from 0"):
            invalid.publish(OBSERVATION, **{name: value})  # type: ignore[arg-type]


def test_steps_rise(daemon: Daemon) -> None:
    with Robot(daemon.address, "rising") as robot:
        assert [robot.publish(OBSERVATION, replan=False) for _ in range(3)] == [0, 1, 2]
        assert robot.publish(OBSERVATION, step=2, replan=False) == 2
        with pytest.raises(InvalidObservation, match="step: found 1, expected at least 2"):
            robot.publish(OBSERVATION, step=1)
        robot.begin_episode()
        assert robot.publish(OBSERVATION) == 0


def test_what_is_packed_any_way_is_the_same(daemon: Daemon) -> None:
    states: list[Any] = [
        [100, -3],
        (np.float64(100), np.int8(-3)),
        np.array([100, -3], ">f8"),
        np.array([100, 0, -3, 0], np.int16)[::2],
        np.array([100, -3], np.float16),
    ]
    with Robot(daemon.address, "packed") as robot:
        actions = []
        for state in states:
            robot.begin_episode()
            actions.append(robot.predict({**OBSERVATION, "observation.state": state}, noise_seed=1).action)
        assert all(np.array_equal(actions[0], each) for each in actions)


def test_a_refused_request_has_the_daemons_code(daemon: Daemon) -> None:
    with Robot(daemon.address, "refused") as robot, Robot(daemon.address, "refused") as other:
        robot.predict(OBSERVATION)
        with pytest.raises(RequestRejected) as taken:
            other.predict(OBSERVATION)
        assert (taken.value.code, taken.value.request) == ("robot_taken", "predict")
        assert "robot_taken" in str(taken.value)
        robot.reset()
        assert other.predict(OBSERVATION).robot == "refused"


def test_a_reset_forgets_the_episode(daemon: Daemon) -> None:
    with Robot(daemon.address, "reset") as robot:
        robot.predict(OBSERVATION)
        assert robot.reset() is True
        assert robot.reset() is False


def test_clocks_and_counters(daemon: Daemon) -> None:
    with Robot(daemon.address, "counting") as robot:
        before, pong, after = time.monotonic_ns(), robot.ping(), time.monotonic_ns()
        assert before <= (pong.time_ns or 0) < pong.monotonic_ns < after
        predictions = robot.info().statistics["predictions"]
        robot.predict(OBSERVATION)
        info = robot.info()
        assert info.statistics["predictions"] == predictions + 1
        assert (info.daemon_version, info.sampler.steps, info.sampler.method) == (__version__, 5, "sequential")
        assert info.limits and info.limits.message_bytes == 1 << 20
        assert (info.calibration_percent, info.camera_servers) == (100, ())
        wait_until(lambda: robot.status().statistics["predictions"] > predictions, "a heartbeat that counts it")
        assert abs(robot.status().monotonic_ns - time.monotonic_ns()) < 1e9
        assert (robot.status().calibration_percent, robot.status().camera_servers) == (100, ())


def test_a_stop_holds_until_it_is_released(daemon: Daemon) -> None:
    with Robot(daemon.address, "stopping") as robot, Robot(daemon.address, "watching") as other:
        planned(robot)
        assert robot.action(robot.plan.end - 1) is not None
        stopped = robot.stop()
        assert (stopped.robots, stopped.known, stopped.kept) == (1, 1, False)
        assert robot.stopped and robot.action() is None and robot.plan.chunk is None
        wait_until(lambda: robot.state and robot.state.state == "stopped", "the heartbeat")
        with pytest.raises(RequestRejected) as refused:
            robot.predict(OBSERVATION)
        assert refused.value.code == "stopped"
        assert other.stopped is None
        with pytest.raises(RequestRejected) as newer:
            robot.resume(seen=stopped.stop - 1)
        assert newer.value.code == "newer_stop"
        assert robot.resume().robots == 1
        wait_until(lambda: robot.stopped is None, "the release")
        robot.begin_episode()
        assert planned(robot)


def test_everyone_is_stopped_and_released() -> None:
    with Daemon(TINY) as daemon, Robot(daemon.address, "a") as a, Robot(daemon.address, "b") as b:
        planned(a), planned(b)
        assert a.stop(everyone=True).robots == 2
        wait_until(lambda: b.stopped, "the stop of the other robot")
        assert b.stopped == "every robot is stopped" or "stop" in (b.stopped or "")
        assert b.action() is None
        assert b.resume(everyone=True).robots == 2
        wait_until(lambda: a.stopped is None and b.stopped is None, "the release of both")


def test_two_robots_at_once(daemon: Daemon) -> None:
    """A subscription is a prefix: arm1 is sent what is for arm10."""
    with Robot(daemon.address, "arm1") as one, Robot(daemon.address, "arm10") as ten:
        chunks = planned(one), planned(ten, {**OBSERVATION, "observation.state": [10, 20]})
        one.listen(0.2)
        assert [chunk.robot for chunk in chunks] == ["arm1", "arm10"]
        assert one.chunk and one.chunk.robot == "arm1" and one.malformed == 0
        assert {"arm1", "arm10"} <= set(one.status().robots)


def test_commands_come_at_their_rate(commander: Daemon) -> None:
    with Robot(commander.address, "commanded", hz=10, commands=True) as robot:
        commands, silent = [], 0
        for _ in robot.steps(15):
            robot.publish(OBSERVATION)
            for command in robot.commands():
                if command is None:
                    silent += 1
                else:
                    commands.append(command)
                    assert robot.action() is not None
        assert len(commands) > 2
        ticks = [command.tick for command in commands]
        assert ticks == sorted(set(ticks))
        running = [command for command in commands if command.state == "running"]
        assert running and all(command.action.shape == (2,) and command.robot == "commanded" for command in running)
        assert robot.malformed == 0
        robot.listen(0.5)
        assert robot.action() is None, "a command from before is none"
        assert robot.next_command(0.05) is None


def test_a_stop_brings_a_commanded_robot_to_rest(commander: Daemon) -> None:
    with Robot(commander.address, "braked", hz=10, commands=True) as robot:
        before, after = [], []
        for _ in robot.steps(300):
            robot.publish(OBSERVATION)
            states = [command.state for command in robot.commands() if command]
            if robot.stopped is None:
                before += states
                if "running" in before:
                    robot.stop()
            else:
                after += states
                if robot.state and robot.state.state == "stopped":
                    break
        assert "running" in before
        assert set(after) <= {"holding"}, "the way to rest is all that is followed"
        assert robot.resume().robots == 1


def test_commands_are_for_robots_that_follow_them(daemon: Daemon) -> None:
    with Robot(daemon.address, "plain") as robot, pytest.raises(ValueError, match="commands=True"):
        robot.next_command()


@pytest.fixture(scope="module")
def seeing() -> Any:
    with Daemon(SEEING, "--solver", "ddim", "--steps", "2") as daemon, Robot(daemon.address, "eye", timeout=30) as robot:
        yield robot


def test_camera_servers_are_told_of() -> None:
    options = ("--solver", "ddim", "--steps", "2", "--camera", "observation.image=head@tcp://127.0.0.1:9")
    with Daemon(SEEING, *options) as daemon, Robot(daemon.address, "waiting", timeout=30) as robot:
        nobody = CameraServer("observation.image", "tcp://127.0.0.1:9", "head", frames=0, refused=0, repeated=0, age_ns=None)
        assert robot.info().camera_servers == robot.status().camera_servers == (nobody,)


def picture(picture_format: str, size: tuple[int, int] = (96, 96)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (96, 96, 96)).save(file, picture_format)
    return file.getvalue()


def test_frames_of_every_kind_are_planned_from(seeing: Robot) -> None:
    (camera,) = seeing.policy.cameras
    assert (camera.name, camera.height, camera.width) == ("observation.image", 96, 96)
    grey = np.full((96, 96, 3), 96, np.uint8)
    frames: list[Any] = [grey, np.flip(grey, 2), grey.tolist() and picture("PNG"), memoryview(picture("JPEG"))]
    actions = []
    for frame in frames:
        seeing.begin_episode()
        actions.append(seeing.predict({"observation.state": [256, 256], camera.name: frame}, noise_seed=1).action)
    assert np.array_equal(actions[0], actions[1]) and np.array_equal(actions[0], actions[2])
    assert np.allclose(actions[0], actions[3], atol=30), "JPEG loses a little"
    # A camera that is slower than the others is left out.
    for late in ({}, {camera.name: None}):
        assert seeing.predict({"observation.state": [256, 256], **late}).timing.stages_ns["vision"] >= 0


@pytest.mark.parametrize(
    "frame, found, expected",
    [
        (np.zeros((48, 96, 3), np.uint8), "[48, 96, 3] of uint8", "does not resize"),
        (np.zeros((3, 96, 96), np.uint8), "[3, 96, 96] of uint8", "colours come last"),
        (np.zeros((96, 96, 3), np.float32), "[96, 96, 3] of float32", "of uint8"),
        (np.zeros((96, 96), np.uint8), "[96, 96] of uint8", "[96, 96, 3]"),
        (picture("JPEG", (40, 30)), "30 rows of 40 pixels", "96 rows of 96 pixels"),
        (picture("GIF"), "no JPEG and no PNG", "96 rows of 96 pixels"),
        ("frame.jpg", "array []", "JPEG or PNG"),
    ],
)
def test_frames_that_do_not_fit_are_not_sent(seeing: Robot, frame: Any, found: str, expected: str) -> None:
    with pytest.raises(InvalidObservation) as error:
        seeing.publish({"observation.state": [1, 2], "observation.image": frame})
    assert error.value.field == "observation.image"
    assert found in error.value.found and expected in error.value.expected


def test_a_damaged_picture_is_refused_by_the_daemon(seeing: Robot) -> None:
    seeing.begin_episode()
    with pytest.raises(RequestRejected) as error:
        seeing.predict({"observation.state": [1, 2], "observation.image": picture("PNG")[:-40]})
    assert error.value.code == "bad_image"


def test_threads_share_a_robot(daemon: Daemon) -> None:
    with Robot(daemon.address, "shared", hz=20) as robot:
        times: list[float] = []
        errors: list[BaseException] = []
        ends = threading.Event()

        def ask() -> None:
            try:
                while not ends.is_set():
                    start = time.monotonic()
                    robot.ping()
                    times.append(time.monotonic() - start)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in robot.steps(20):
            robot.publish(OBSERVATION)
        ends.set()
        for thread in threads:
            thread.join()
        assert not errors and len(times) > 10
        assert robot.chunk is not None
        assert sorted(times)[len(times) // 2] < 0.2, "a thread that waits lets others in"


def test_a_robot_that_is_not_connected_says_so(daemon: Daemon) -> None:
    robot = Robot(daemon.address, "early")
    with pytest.raises(NotConnected, match="call connect"):
        robot.publish(OBSERVATION)
    with pytest.raises(NotConnected):
        _ = robot.policy
    assert not robot.connected and robot.state is None
    robot.connect()
    robot.close()
    robot.close()
    for use in (lambda: robot.publish(OBSERVATION), robot.action, robot.ping, robot.connect):
        with pytest.raises(NotConnected, match="robot early is closed"):
            use()
    assert not robot.connected and "closed" in repr(robot)


def test_an_exception_in_the_body_is_not_the_end_of_an_episode(commander: Daemon) -> None:
    with pytest.raises(ZeroDivisionError), Robot(commander.address, "crashing", commands=True) as robot:
        robot.predict(OBSERVATION)
        raise ZeroDivisionError
    with Robot(commander.address, "looking") as other:
        wait_until(lambda: "crashing" in other.status().robots, "the robot")
        assert other.status().robots["crashing"].reason != "the robot was reset"


def test_the_daemon_listens_everywhere() -> None:
    """It names 0.0.0.0, which the client takes for the host that it called."""
    with (
        Daemon(TINY, "--insecure", listen="tcp://0.0.0.0:*") as daemon,
        Robot(daemon.address.replace("127.0.0.1", "localhost"), "far") as robot,
    ):
        assert robot.info().endpoints.chunks.startswith("tcp://0.0.0.0:")
        assert robot.endpoints and robot.endpoints.chunks.startswith("tcp://localhost:")
        assert planned(robot)


def test_the_daemon_calls_a_robot_that_binds(tmp_path: Any) -> None:
    observations, chunks = f"ipc://{tmp_path}/observations", f"ipc://{tmp_path}/chunks"
    with (
        Daemon(TINY, "--observations-from", observations, "--chunks-to", chunks) as daemon,
        Robot(daemon.address, "binding", bind=True, observations=observations, chunks=chunks) as robot,
    ):
        assert planned(robot)


def test_a_daemon_that_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    first = Daemon(TINY, "--robot", str(ROBOT_FILE))
    with Robot(first.address, "steady", hz=20) as robot:
        planned(robot)
        left = robot.plan.left(0)
        first.kill()
        wait_until(lambda: not robot.connected, "the daemon to be gone")
        # What was planned is still there, and what is published is dropped.
        assert robot.plan.left(0) == left
        robot.publish(OBSERVATION)
        with Daemon(TINY, "--robot", str(ROBOT_FILE), at=first.endpoints) as second:
            wait_until(lambda: robot.reconnects == 1 and robot.connected, "the daemon to be back")
            robot.begin_episode()
            assert planned(robot).step == 0
            assert robot.predict(OBSERVATION).step == 1
            assert second.process.poll() is None
    messages = [record.getMessage() for record in caplog.records]
    assert any("the daemon is gone" in message for message in messages)
    assert any("another process" in message for message in messages)


def test_a_stop_outlives_the_daemon_in_the_client() -> None:
    first = Daemon(TINY)
    with Robot(first.address, "held") as robot:
        planned(robot)
        robot.stop()
        first.kill()
        with Daemon(TINY, at=first.endpoints):
            wait_until(lambda: robot.reconnects == 1, "the daemon to be back")
            wait_until(lambda: robot.state and robot.state.state == "stopped", "the new daemon to be told")
            assert robot.stopped and robot.action() is None
            assert robot.resume().robots == 1
            wait_until(lambda: robot.stopped is None, "the release")


def test_a_robot_waits_for_the_chunk_of_what_it_published(daemon: Daemon) -> None:
    with Robot(daemon.address, "waits") as robot:
        assert robot.next_chunk(0.01) is None, "nothing was published"
        planned(robot)
        for step in range(1, 4):
            robot.publish(OBSERVATION, step=step, replan=True)
            chunk = robot.next_chunk(20)
            assert chunk is not None and chunk.step == step
            assert robot.next_chunk(0) is chunk, "it is there"
        robot.publish(OBSERVATION, replan=False)
        assert robot.next_chunk(0.05) is None, "none was asked for"
        robot.stop()
        began = time.monotonic()
        assert robot.next_chunk(20) is None and time.monotonic() - began < 5, "a stopped robot gets none"
        robot.resume()
