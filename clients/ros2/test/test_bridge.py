"""The bridge with a robot that answers as it is told, and a clock that stands still unless it is moved."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

import messages
from denoised import Camera, Feature, NoReply, Plan, Policy, PolicyChanged, RequestRejected
from denoised_ros2 import bridge as bridge_module
from denoised_ros2.bridge import Bridge, Throttle
from denoised_ros2.parameters import read_settings

SECOND = 1_000_000_000
START = 1_764_492_340 * SECOND
POLICY = Policy("test", (Feature("observation.state", 2),), (Camera("observation.image", 4, 6),), 16, 2, 8, 2)
PIXELS = np.zeros((4, 6, 3), np.uint8)


class Robot:
    """A denoised.Robot without a daemon."""

    def __init__(self):
        self.policy, self.plan = POLICY, Plan()
        self.episodes, self.published, self.orders = 0, [], []
        self.reconnects, self.stopped, self.chunk, self.connected, self.state, self.step = 0, None, None, True, None, None
        self.error = None

    def begin_episode(self):
        self.episodes += 1
        self.chunk = self.step = None

    def publish(self, observation, **options):
        if self.error is not None:
            raise self.error
        self.published.append((observation, options))
        self.step = options["step"]

    def ordered(self, name):
        self.orders.append(name)
        if self.error is not None:
            raise self.error

    def stop(self, timeout):
        self.stopped = "this program stopped it"
        self.ordered("stop")
        return SimpleNamespace(kept=False, problem=None)

    def resume(self, timeout):
        self.ordered("resume")
        count, self.stopped = int(self.stopped is not None), None
        return SimpleNamespace(robots=count)

    def reset(self, timeout):
        self.ordered("reset")

    def connect(self, timeout):
        self.error = None
        return SimpleNamespace(policy=self.policy)


class Stage:
    """A bridge, its robot, its clocks, and what it sent and said."""

    def __init__(self, monkeypatch, **changes):
        given = {
            "control_hz": 10,
            "joints": ["a", "b"],
            "inputs": ["arm", "front"],
            "arm.feature": "observation.state",
            "arm.type": "joint_state",
            "arm.topic": "joint_states",
            "front.feature": "observation.image",
            "front.type": "image",
            "front.topic": "image",
            "output.mode": "trajectory",
            "output.topic": "out",
        }
        given.update((name.replace("__", "."), value) for name, value in changes.items())
        self.now, self.monotonic = START, 5000.0
        self.sent, self.said = [], []
        clock = SimpleNamespace(
            monotonic=lambda: self.monotonic, monotonic_ns=lambda: round(self.monotonic * 1e9), sleep=lambda s: self.pass_time(s)
        )
        monkeypatch.setattr(bridge_module, "time", clock)
        self.robot = Robot()
        self.bridge = Bridge(
            self.robot,
            read_settings(given),
            now_ns=lambda: self.now,
            send_trajectory=self.sent.append,
            send_command=lambda action: self.sent.append(action.tolist()),
            say=lambda level, text: self.said.append((level, text)),
        )
        assert self.bridge.prepare(POLICY) == []

    def pass_time(self, seconds):
        self.now += round(seconds * 1e9)
        self.monotonic += seconds

    def sense(self, arm=(1, 2), pixels=PIXELS):
        self.bridge.take_message("arm", messages.joint_state(["a", "b"], arm))
        if pixels is not None:
            self.bridge.take_message("front", messages.image(pixels, "rgb8"))

    def step(self, seconds=0.1, **sensed):
        """Senses, does what is due, and lets time pass."""
        self.sense(**sensed)
        self.bridge.turn()
        self.pass_time(seconds)

    def plan(self, rows=((0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (3.0, 3.0)), step=None):
        """A chunk for the newest observation, or for `step`."""
        step = self.robot.step if step is None else step
        self.robot.chunk = SimpleNamespace(
            step=step, first_step=step, action=np.array(rows, np.float32), beyond=np.zeros((0, 2), np.float32)
        )

    def lines(self, level):
        return [text for said, text in self.said if said == level]


@pytest.fixture
def stage(monkeypatch):
    return lambda **changes: Stage(monkeypatch, **changes)


def test_an_observation_is_published_at_every_control_step(stage):
    made = stage()
    for _ in range(3):
        made.step()
    steps = [options["step"] for _, options in made.robot.published]
    times = [options["time_ns"] for _, options in made.robot.published]
    assert steps == [0, 1, 2]
    assert times == [5000 * SECOND + index * SECOND // 10 for index in range(3)]
    assert made.robot.published[0][0]["observation.state"].tolist() == [1, 2]
    assert made.bridge.counts["observations"] == 3


def test_between_control_steps_nothing_is_published(stage):
    made = stage()
    for _ in range(20):
        made.step(0.005)
    assert len(made.robot.published) == 1


def test_steps_that_were_missed_are_left_out(stage):
    made = stage()
    made.step(0.35)
    made.step()
    assert [options["step"] for _, options in made.robot.published] == [0, 3]


def test_ros_time_is_sent_if_it_is_the_robots_clock(stage):
    made = stage(clock="ros")
    made.step()
    assert made.robot.published[0][1]["time_ns"] == START


def test_a_slow_camera_s_frame_is_sent_once(stage):
    made = stage()
    made.step()
    made.step(pixels=None)
    assert ["observation.image" in seen for seen, _ in made.robot.published] == [True, False]


def test_a_daemon_that_came_back_gets_a_frame_at_once(stage):
    made = stage()
    made.step()
    made.robot.reconnects += 1
    made.step(pixels=None)
    assert "observation.image" in made.robot.published[1][0]


def test_a_chunk_becomes_a_trajectory_by_the_time_of_its_observation(stage):
    made = stage()
    made.step(0.03)
    made.plan()
    made.bridge.turn()
    (trajectory,) = made.sent
    assert trajectory.stamp_ns == START
    np.testing.assert_array_equal(trajectory.positions, [[1, 1], [2, 2], [3, 3]])
    assert made.bridge.latency_ms == pytest.approx(30)
    made.bridge.turn()
    assert len(made.sent) == 1, "a chunk is carried out once"


def test_what_is_predicted_beyond_goes_along_unless_told_otherwise(stage):
    for includes in (True, False):
        made = stage(output__include_beyond=includes)
        made.step(0.03)
        made.plan()
        made.robot.chunk.beyond = np.array([[4, 4]], np.float32)
        made.bridge.turn()
        assert made.sent[0].positions[-1].tolist() == ([4, 4] if includes else [3, 3])


def test_a_chunk_that_is_too_late_is_told_and_not_carried_out(stage):
    made = stage(arm__max_age=10.0, front__max_age=10.0)
    made.step(0.5)
    made.plan()
    made.bridge.turn()
    assert made.sent == [] and made.bridge.counts["late_chunks"] == 1
    assert made.lines("warn") == ["a chunk came 0.50 s after its observation: too late for all of it"]


def test_without_fresh_inputs_the_robot_is_braked_and_told_why(stage):
    made = stage()
    made.step(0.01)
    made.plan()
    made.bridge.turn()
    made.pass_time(0.26)
    made.bridge.turn()
    brake = made.sent[-1]
    assert len(made.sent) == 2 and brake.velocities.tolist() == [[0, 0]]
    assert len(made.robot.published) == 1
    assert made.bridge.state[0] == "waiting"
    waits = "arm: 0.27 s old, expected 0.25 s at most (joint_states); front: 0.27 s old, expected 0.25 s at most (image)"
    assert made.lines("warn") == [f"the robot holds; nothing is sent to the daemon: {waits}"]
    # A chunk for what was seen before does not move it again.
    made.plan(step=0)
    made.bridge.turn()
    assert len(made.sent) == 2


def test_the_same_warning_comes_once_in_a_while(stage):
    made = stage()
    for _ in range(100):
        made.bridge.turn()
        made.pass_time(0.1)
    said = [text for text in made.lines("warn") if "nothing is sent" in text]
    assert len(said) == 2 and said[0].endswith("arm: no message yet (joint_states); front: no message yet (image)")


def test_after_a_gap_an_episode_begins(stage):
    made = stage()
    made.step(1.5)
    episodes = made.robot.episodes
    made.step()
    made.step()
    assert made.robot.episodes == episodes + 1
    assert [options["step"] for _, options in made.robot.published] == [0, 0, 1]
    assert "observation.image" in made.robot.published[1][0]


def test_a_ros_clock_that_went_back_begins_an_episode(stage):
    made = stage()
    made.step()
    episodes = made.robot.episodes
    made.now -= 60 * SECOND
    made.bridge.turn()
    assert made.robot.episodes == episodes + 1
    assert made.lines("warn")[0] == "ROS time went back by 59.90 s: what came before is forgotten, and an episode begins"
    assert made.bridge.waits[0] == "arm: no message yet (joint_states)"
    made.pass_time(0.1)
    made.step()
    assert len(made.robot.published) == 2


def test_a_ros_clock_that_is_set_back_a_little_begins_none(stage):
    made = stage()
    made.step()
    made.step(-0.05)
    episodes = made.robot.episodes
    made.monotonic += 0.1
    made.step()
    made.step(0.06)
    made.step()
    assert made.robot.episodes == episodes
    assert [options["step"] for _, options in made.robot.published] == [0, 1, 2]
    times = [options["time_ns"] for _, options in made.robot.published]
    assert times == sorted(times)


def test_without_simulated_time_the_bridge_says_what_it_waits_for(stage):
    made = stage()
    made.now = made.bridge._last_ns = made.bridge._start_ns = 0
    for _ in range(100):
        made.sense()
        made.bridge.turn()
        made.monotonic += 0.1
    assert made.bridge.waits == ["no /clock yet, which use_sim_time needs"] and made.bridge.state[0] == "waiting"
    assert made.robot.published == [] and made.lines("error") == []
    said = "the robot holds; nothing is sent to the daemon: no /clock yet, which use_sim_time needs"
    assert made.lines("warn") == [said] * 2
    made.now = 1000 * SECOND
    made.step()
    assert [options["step"] for _, options in made.robot.published] == [0]


def test_simulated_time_that_stands_still_is_told(stage):
    made = stage()
    made.step(0.01)
    for _ in range(31):
        made.bridge.turn()
        made.monotonic += 0.1
    assert made.bridge.state == ("waiting", "ROS time has stood still for 3 s: is the simulation paused?")
    made.pass_time(0.1)
    made.step()
    assert made.bridge.waits == [] and len(made.robot.published) == 2


def test_a_message_that_cannot_be_used_is_told_with_its_topic(stage):
    made = stage()
    made.sense(arm=(1, math.nan))
    made.sense(arm=(1, math.nan))
    assert made.lines("error") == ["arm (joint_states): position of joint 'b': found nan, expected a finite 32-bit float"]


def test_a_stop_brakes_at_once_and_tells_the_daemon(stage):
    made = stage()
    made.step(0.01)
    made.plan()
    made.bridge.turn()
    assert made.bridge.stop() == (True, "stopped, until ~/resume")
    assert made.robot.orders == ["stop"]
    assert made.sent[-1].velocities.tolist() == [[0, 0]]
    assert made.bridge.state == ("stopped", "this program stopped it")
    # While it is stopped it is watched on, and not moved.
    made.step()
    made.plan()
    made.step()
    assert len(made.sent) == 2 and len(made.robot.published) == 2
    assert made.bridge.resume() == (True, "released; it moves with the next chunk")
    made.step(0.01)
    made.plan()
    made.bridge.turn()
    assert len(made.sent) == 3
    assert made.bridge.resume() == (True, "the robot was not stopped")


def test_a_stop_without_a_daemon_brakes_all_the_same(stage):
    made = stage()
    made.step(0.01)
    made.plan()
    made.bridge.turn()
    made.robot.error = NoReply("answer to stop", "tcp://127.0.0.1:5557", 2, "is the daemon running?")
    done, message = made.bridge.stop()
    assert not done and message.startswith("this node holds the robot, and tells the daemon once it answers: no answer to stop")
    assert len(made.sent) == 2
    made.robot.error = RequestRejected("resume", "newer_stop", "it was stopped again")
    assert made.bridge.resume() == (False, "the daemon refused resume: newer_stop: it was stopped again")


def test_a_robot_that_somebody_else_stopped_is_braked(stage):
    made = stage()
    made.step(0.01)
    made.plan()
    made.bridge.turn()
    made.robot.stopped = "stopped by a person"
    made.step()
    assert made.sent[-1].velocities.tolist() == [[0, 0]]
    made.step()
    assert ("warn", "stopped: stopped by a person") in made.said


def test_a_reset_begins_an_episode(stage):
    made = stage()
    made.step()
    episodes = made.robot.episodes
    assert made.bridge.reset() == (True, "an episode begins")
    assert made.robot.orders == ["reset"] and made.robot.episodes == episodes + 1
    made.step()
    assert made.robot.published[-1][1]["step"] == 0


def test_another_policy_holds_the_robot_until_a_person_accepts_it(stage):
    made = stage()
    made.step(0.01)
    made.plan()
    made.bridge.turn()
    made.robot.error = PolicyChanged("test", "other")
    made.step(0.2)
    made.step(0.2)
    assert made.bridge.state[0] == "failed"
    assert len(made.sent) == 2 and made.sent[-1].velocities.tolist() == [[0, 0]]
    assert len([text for text in made.lines("error") if text.endswith("the robot holds until ~/reset")]) == 1
    assert made.bridge.reset() == (True, "an episode begins")
    made.step()
    assert len(made.robot.published) == 2


def test_a_policy_that_does_not_fit_is_told_before_anything_moves(stage):
    made = stage()
    other = Policy("other", (Feature("observation.state", 2),), (), 16, 2, 8, 3)
    problems = made.bridge.prepare(other)
    assert problems == [
        "parameter front.feature: found 'observation.image', expected one of the policy's: observation.state",
        "parameter joints: found 2 names, expected 3, one for each number of an action",
    ]
    made.step()
    assert made.robot.published == [] and made.bridge.state[0] == "failed"


def test_the_next_chunk_begins_with_what_is_carried_out_meanwhile(stage):
    made = stage(output__commit_steps=2)
    made.robot.plan = SimpleNamespace(at=lambda step: np.array([step, step], np.float32) if step < 3 else None)
    made.step(0.01)
    made.plan()
    made.bridge.turn()
    made.pass_time(0.09)
    made.step()
    made.step()
    committed = [options["committed"] for _, options in made.robot.published]
    assert committed[0] is None, "there is no plan yet"
    np.testing.assert_array_equal(committed[1], [[1, 1], [2, 2]])
    np.testing.assert_array_equal(committed[2], [[2, 2]])
    made.bridge.stop()
    made.step()
    assert made.robot.published[3][1]["committed"] is None, "braking has ended the plan"


def test_a_chunk_is_asked_for_if_none_is_in_force(stage):
    made = stage()
    made.step(0.01)
    made.plan()
    made.bridge.turn()
    made.pass_time(0.09)
    made.step()
    made.bridge.stop()
    made.bridge.resume()
    made.step()
    assert [options["replan"] for _, options in made.robot.published] == [True, None, True]
    made = stage(output__mode="commands")
    made.step()
    assert made.robot.published[0][1]["replan"] is None, "the daemon decides"


def test_velocities_end_when_the_plan_does(stage):
    made = stage(output__kind="velocity")
    made.step(0.01)
    made.plan()
    made.bridge.turn()
    assert made.sent[0].positions is None
    for _ in range(3):
        made.pass_time(0.1)
        made.sense()
        made.bridge.turn()
    assert len(made.sent) == 2 and made.sent[-1].velocities.tolist() == [[0, 0]]
    # The next chunk moves it again, also one for an observation that was there already.
    made.plan(step=made.robot.step)
    made.bridge.turn()
    assert len(made.sent) == 3


def command(made, action=(1.0, 2.0), late=0.0):
    return SimpleNamespace(action=np.array(action), time_ns=round((made.monotonic - late) * 1e9))


def test_commands_are_passed_on_and_late_ones_dropped(stage):
    made = stage(output__mode="commands")
    made.bridge._pass_on(command(made))
    made.bridge._pass_on(command(made, late=0.3))
    assert made.sent == [[1, 2]]
    assert (made.bridge.counts["commands"], made.bridge.counts["late_commands"]) == (1, 1)
    assert made.lines("warn") == ["a command came 0.300 s late and is dropped"]


def test_a_robot_told_positions_keeps_the_last_and_one_told_velocities_gets_zeros(stage):
    for kind, expected in (("position", [[1, 2]]), ("velocity", [[1, 2], [0, 0]])):
        made = stage(output__mode="commands", output__kind=kind)
        made.bridge._pass_on(command(made))
        for _ in range(5):
            made.step()
        assert made.sent == expected


def test_the_end_leaves_no_robot_at_a_velocity(stage):
    made = stage(output__mode="commands", output__kind="velocity")
    made.step()
    made.bridge._pass_on(command(made))
    made.robot.error = NoReply("answer to stop", "tcp://127.0.0.1:5557", 1, "is the daemon running?")
    made.bridge.end()
    assert made.sent == [[1, 2], [0, 0]]


def test_a_reset_passes_on_the_way_to_rest_before_the_episode_ends(stage):
    made = stage(output__mode="commands")
    made.step()
    episodes = made.robot.episodes
    made.robot.state = SimpleNamespace(state="holding", reason="")
    passed = []

    def sleep(seconds):
        made.pass_time(seconds)
        made.robot.next_command = lambda seconds: command(made) if len(passed) < 5 else None
        made.bridge._wait(0.001)
        assert made.robot.episodes == episodes and len(made.robot.published) == 1
        made.bridge.turn()
        passed.append(made.monotonic)
        if len(passed) == 10:
            made.robot.state = SimpleNamespace(state="idle", reason="")

    bridge_module.time.sleep = sleep
    assert made.bridge.reset() == (True, "an episode begins")
    assert len(made.sent) == 5 and made.robot.episodes == episodes + 1


def test_a_chunk_does_not_move_a_robot_with_commands(stage):
    made = stage(output__mode="commands")
    made.step()
    made.plan()
    made.step()
    assert made.sent == []


def test_the_end_brakes_stops_and_says_how_to_go_on(stage):
    made = stage()
    assert made.bridge.end() == "the robot was told nothing"
    made = stage()
    made.step(0.01)
    made.plan()
    made.bridge.turn()
    assert made.bridge.end().startswith("the robot is stopped; ~/resume")
    assert made.robot.orders == ["stop"] and made.sent[-1].velocities.tolist() == [[0, 0]]
    published = len(made.robot.published)
    made.step()
    assert len(made.robot.published) == published


def test_the_end_can_be_that_of_an_episode_or_without_a_daemon(stage):
    made = stage(shutdown="reset")
    made.step()
    assert made.bridge.end() == "the episode is over"
    assert made.robot.orders == ["reset"]
    made = stage()
    made.step()
    made.robot.error = NoReply("answer to stop", "tcp://127.0.0.1:5557", 1, "is the daemon running?")
    assert made.bridge.end().startswith("the daemon was not told of the end: no answer to stop")


def test_the_end_waits_until_the_daemon_has_braked_a_robot_with_commands(stage):
    made = stage(output__mode="commands")
    made.step()
    made.robot.state = SimpleNamespace(state="running", reason="")
    before = made.monotonic
    made.bridge.end()
    assert made.monotonic - before >= 2, "no longer than that if the daemon never ends"
    made = stage(output__mode="commands")
    made.step()
    made.robot.state = SimpleNamespace(state="stopped", reason="")
    before = made.monotonic
    made.bridge.end()
    assert made.monotonic - before < 0.3


def test_a_defect_brakes_and_ends(stage):
    made = stage()
    made.robot.listen = lambda seconds: (_ for _ in ()).throw(RuntimeError("boom"))
    turns = []

    def turn():
        turns.append(1)
        made.bridge._is_over = len(turns) == 3
        return 0.001

    made.bridge.turn = turn
    made.bridge.run()
    assert "RuntimeError: boom" in made.bridge.defect and made.bridge.is_ending


def test_the_throttle_is_by_key(monkeypatch):
    said, clock = [], SimpleNamespace(monotonic=lambda: now[0])
    now = [0.0]
    monkeypatch.setattr(bridge_module, "time", clock)
    throttle = Throttle(lambda level, text: said.append(text))
    for moment, key in ((0, "a"), (1, "a"), (1, "b"), (4.9, "a"), (5, "a")):
        now[0] = moment
        throttle("warn", key, f"{key} at {moment}")
    assert said == ["a at 0", "b at 1", "a at 5"]
    throttle.over("a")
    throttle("warn", "a", "again")
    assert said[-1] == "again"
