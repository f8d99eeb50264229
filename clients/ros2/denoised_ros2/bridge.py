"""What the node does, without ROS: observations at the control rate, and what the daemon answers.

Times are in nanoseconds of the ROS clock unless they are called monotonic.
"""

import math
import threading
import time
import traceback
from collections import OrderedDict

import numpy as np

from denoised import DenoisedError, InvalidObservation, PolicyChanged

from .faults import MessageFault
from .inputs import Inputs
from .outputs import Plan
from .pictures import Picture
from .times import NANOSECONDS, RobotClock

REMEMBERED_STEPS = 1024
# After so long without an observation what was seen before says nothing about how the robot moves: an episode begins.
LONGEST_GAP = 1.0  # seconds
LONGEST_BRAKING = 2.0  # seconds that the daemon may take to bring a robot to rest
LONGEST_STANDSTILL = 2.0  # seconds in which ROS time may stand still
# A clock that is set back by less stands still for that long.
SMALLEST_JUMP_NS = NANOSECONDS // 10
SAY_EVERY = 5.0  # seconds between two lines about the same


class Throttle:
    """Says a line about the same thing once in a while."""

    def __init__(self, say):
        self._say, self._said = say, {}

    def __call__(self, level, key, text):
        """Says `text` unless something about `key` was said within `SAY_EVERY`."""
        now = time.monotonic()
        if now - self._said.get(key, -SAY_EVERY) >= SAY_EVERY:
            self._said[key] = now
            self._say(level, text)

    def over(self, key):
        """Lets the next line about `key` be said at once."""
        self._said.pop(key, None)


class Bridge:
    """One robot between ROS and the daemon.

    `robot` is a denoised.Robot, `settings` the node's. `now_ns` gives the ROS time. `send_trajectory` takes an
    outputs.Trajectory, `send_command` the numbers of an action. `say` takes a level (`info`, `warn`, `error`) and a line.

    A thread calls `run`; any other may call the rest.
    """

    def __init__(self, robot, settings, *, now_ns, send_trajectory, send_command, say):
        self.robot, self.settings = robot, settings
        self._now_ns, self._send_trajectory, self._send_command = now_ns, send_trajectory, send_command
        self._say, self._say_once_in_a_while = say, Throttle(say)
        self._lock = threading.RLock()
        self.inputs = Inputs(settings)
        self.clock = RobotClock(settings.clock)
        self.period_ns = round(NANOSECONDS / settings.control_hz)
        output = settings.output
        self.plan = Plan(settings.control_hz, output.kind, output.stamp == "observation")
        self.is_ready = False
        self.is_ending = False
        self.failure = None  # why nothing is done until ~/reset
        self.defect = None  # what went wrong in this program itself
        self.waits = []  # why no observation is sent
        self.counts = dict(observations=0, trajectories=0, late_chunks=0, commands=0, late_commands=0, clock_jumps=0)
        self.latency_ms = None
        self._last_ns, self._advanced = 0, time.monotonic()
        self._told, self._looked = None, -math.inf
        self._reconnects = 0
        self._commanded = -math.inf  # monotonic; when the newest command was passed on
        self._has_velocity = False  # whether the robot goes on at a velocity unless it is told otherwise
        self._is_over = self._is_paused = False
        self._begin_episode(0)

    # Beginning

    def prepare(self, policy):
        """Checks the settings against the daemon's policy. Returns what is wrong, one line each; none: the robot may move."""
        features = {feature.name: feature.count for feature in policy.features}
        cameras = {camera.name: (camera.height, camera.width) for camera in policy.cameras}
        with self._lock:
            problems = self.inputs.expect(features, cameras)
            joints = self.settings.joints
            if self.settings.output.mode == "trajectory" and len(joints) != policy.action_dim:
                problems.append(
                    f"parameter joints: found {len(joints)} names, expected {policy.action_dim}, one for each number of an action"
                )
            self.is_ready = not problems
            self.failure = None if self.is_ready else "; ".join(problems)
            self._begin_episode(self._now_ns())
        return problems

    def _begin_episode(self, now_ns):
        self.robot.begin_episode()
        self.clock.begin_episode()
        self.inputs.send_frames_again()
        self.plan.clear()
        self._start_ns, self._next_step, self._published = now_ns, 0, -1
        self._step_times = OrderedDict()
        self._observed_ns, self._taken = None, None

    def take_message(self, name, message):
        """Takes in a message of an input."""
        with self._lock:
            now_ns = self._now_ns()
            if now_ns == 0:  # there is no /clock yet, by which to tell its age
                return
            try:
                self.inputs.put(name, message, now_ns)
            except MessageFault as fault:
                source = self.settings.inputs[name]
                self._say_once_in_a_while("error", f"fault {name}", f"{name} ({source.topic}): {fault}")

    # The control loop

    def run(self):
        """Does what is due, until `end`."""
        while not self._is_over:
            try:
                self._wait(self.turn())
            except PolicyChanged as change:
                self._take_change(change)
            except Exception:
                # A defect must not leave a robot that moves to itself: it is braked, and the node ends.
                self.defect = self.defect or traceback.format_exc()
                self.is_ending = True
                time.sleep(0.05)

    def _wait(self, seconds):
        """Takes in what the daemon sends, for so long or until a command comes, which is passed on."""
        is_told = self.is_ready and (self.failure is None or self.is_ending)
        if self.settings.output.mode == "trajectory" or not is_told:
            self.robot.listen(seconds)
        elif (command := self.robot.next_command(seconds)) is not None:
            with self._lock:
                self._pass_on(command)

    def turn(self):
        """Does what is due. Returns the seconds until something may be due again, 0.005 at most."""
        with self._lock:
            now_ns = self._now_ns()
            if now_ns < self._last_ns - SMALLEST_JUMP_NS:
                self._clock_went_back(now_ns)
                self._last_ns = now_ns
            if now_ns > self._last_ns:
                self._advanced = time.monotonic()
                if self._last_ns == 0:
                    self._begin_episode(now_ns)
            self._last_ns = now_ns = max(now_ns, self._last_ns)
            self._follow_daemon(now_ns)
            if now_ns == 0 or time.monotonic() - self._advanced > LONGEST_STANDSTILL:
                self._tell_standstill(now_ns)
            elif now_ns >= self._next_ns and self.is_ready and not self.is_ending and not self._is_paused:
                self._next_step = (now_ns - self._start_ns) // self.period_ns + 1
                self._observe(self._next_step - 1, now_ns)
            self._tell_state(now_ns)
            return min(max((self._next_ns - now_ns) / NANOSECONDS, 0.001), 0.005)

    @property
    def _next_ns(self):
        """When the next control step begins."""
        return self._start_ns + self._next_step * self.period_ns

    def _clock_went_back(self, now_ns):
        self.counts["clock_jumps"] += 1
        back = (self._last_ns - now_ns) / NANOSECONDS
        self._say("warn", f"ROS time went back by {back:.2f} s: what came before is forgotten, and an episode begins")
        self.inputs.forget()
        self._begin_episode(now_ns)

    def _tell_standstill(self, now_ns):
        """With simulated time: no control step comes, so nothing else would tell."""
        since = f"for {time.monotonic() - self._advanced:.0f} s: is the simulation paused?"
        self.waits = [f"ROS time has stood still {since}" if now_ns else "no /clock yet, which use_sim_time needs"]
        self._say_once_in_a_while("warn", "clock", f"the robot holds; nothing is sent to the daemon: {self.waits[0]}")

    def _observe(self, step, now_ns):
        """Publishes what the robot sees at a control step, or holds it if that is not known."""
        if self.failure is not None:
            self._brake(now_ns)
            return
        self.waits = self.inputs.waits_for(now_ns)
        if self.waits:
            self._say_once_in_a_while("warn", "waits", "the robot holds; nothing is sent to the daemon: " + "; ".join(self.waits))
            self._brake(now_ns)
            return
        self._say_once_in_a_while.over("waits")
        if self._observed_ns is not None and now_ns - self._observed_ns > LONGEST_GAP * NANOSECONDS:
            self._begin_episode(now_ns)
            step, self._next_step = 0, 1
        try:
            observation = self.inputs.observe(now_ns)
            self._publish(step, observation, now_ns)
        except (MessageFault, InvalidObservation) as fault:
            self.waits = [str(fault)]
            self._say_once_in_a_while("error", "observation", f"the robot holds; nothing is sent to the daemon: {fault}")
            self._brake(now_ns)
        except PolicyChanged as change:
            self._take_change(change)

    def _publish(self, step, observation, now_ns):
        features = {name: value.data if isinstance(value, Picture) else value for name, value in observation.features.items()}
        self.robot.publish(
            features,
            step=step,
            # The client counts on a plan that braking has ended.
            replan=True if self.settings.output.mode == "trajectory" and now_ns >= self.plan.ends_ns else None,
            committed=self._committed(step, now_ns),
            time_ns=self.clock.time_ns(observation.made_ns, now_ns, time.monotonic_ns()),
        )
        self.counts["observations"] += 1
        self._observed_ns, self._published = now_ns, step
        self._step_times[step] = observation.made_ns
        if len(self._step_times) > REMEMBERED_STEPS:
            self._step_times.popitem(last=False)

    def _committed(self, step, now_ns):
        """What the robot carries out from a control step on in any case, [k, D], as `output.commit_steps` says; None: nothing."""
        output = self.settings.output
        if output.mode != "trajectory" or not output.commit_steps or now_ns >= self.plan.ends_ns:
            return None
        rows, plan = [], self.robot.plan
        for index in range(min(output.commit_steps, self.robot.policy.most_committed)):
            row = plan.at(step + index)
            if row is None:
                break
            rows.append(row)
        return np.array(rows) if rows else None

    def _take_change(self, change):
        """The daemon runs another policy: the robot holds until a person accepts it."""
        with self._lock:
            if self.failure is None:
                self._say("error", f"{change}: the robot holds until ~/reset")
            self.failure = str(change)
            self._brake(self._now_ns())

    # What the daemon says

    def _follow_daemon(self, now_ns):
        robot = self.robot
        if robot.reconnects != self._reconnects:
            self._reconnects = robot.reconnects
            self.inputs.send_frames_again()
        if self.settings.output.mode == "commands":
            self._end_velocities()
            return
        if robot.stopped is not None:
            self._brake(now_ns)
        self._take_chunk(now_ns)
        if self.plan.has_run_out(now_ns):
            self._send_trajectory(self.plan.brake(now_ns, self._stop_time_ns))

    def _take_chunk(self, now_ns):
        chunk = self.robot.chunk
        if chunk is None or chunk is self._taken or self.is_ending or self.failure is not None:
            return
        self._taken = chunk
        step_ns = self._step_times.get(chunk.first_step)
        if step_ns is None or self.robot.stopped is not None or self.waits:
            return
        self.latency_ms = (now_ns - step_ns) / 1e6
        rows = np.concatenate([chunk.action, chunk.beyond]) if self.settings.output.include_beyond else chunk.action
        trajectory = self.plan.join(rows, chunk.step, step_ns, now_ns)
        if trajectory is None:
            self.counts["late_chunks"] += 1
            late = (now_ns - step_ns) / NANOSECONDS
            self._say_once_in_a_while("warn", "late", f"a chunk came {late:.2f} s after its observation: too late for all of it")
            return
        self.counts["trajectories"] += 1
        self._send_trajectory(trajectory)

    def _pass_on(self, command):
        """Tells the robot a command, unless its moment is over."""
        output = self.settings.output
        # By the clock of the observations, which is the command's too.
        age = ((time.monotonic_ns() if self.clock.is_monotonic else self._now_ns()) - command.time_ns) / NANOSECONDS
        if abs(age) > output.max_age:
            self.counts["late_commands"] += 1
            self._say_once_in_a_while("warn", "late", f"a command came {age:.3f} s late and is dropped")
            return
        self.counts["commands"] += 1
        self._commanded = time.monotonic()
        self._has_velocity = output.kind == "velocity"
        self._send_command(command.action)

    def _end_velocities(self):
        """A robot that is told velocities goes on with the last: after a silence it is told to stand still."""
        silence = self.settings.output.max_age
        if self._has_velocity and time.monotonic() - self._commanded > silence:
            self._has_velocity = False
            self._say("info", f"no command for {silence:g} s: velocities become 0")
            self._send_command(np.zeros(self.robot.policy.action_dim))

    @property
    def _stop_time_ns(self):
        return round(self.settings.output.stop_time * NANOSECONDS)

    def _brake(self, now_ns):
        """Brings a robot with trajectories to rest. One with commands is braked by the daemon."""
        if self.settings.output.mode == "trajectory":
            trajectory = self.plan.brake(now_ns, self._stop_time_ns, self._published)
            if trajectory is not None:
                self._send_trajectory(trajectory)

    # What people ask for

    def stop(self):
        """Stops the robot until `resume`. Returns whether the daemon knows, and what happened, for people."""
        with self._lock:
            self._brake(self._now_ns())
        try:
            stopped = self.robot.stop(timeout=self.settings.request_timeout)
        except DenoisedError as error:
            return False, f"this node holds the robot, and tells the daemon once it answers: {error}"
        with self._lock:
            # A chunk may have come in between.
            self._brake(self._now_ns())
        kept = "" if stopped.kept or stopped.problem is None else f"; it would not outlive the daemon: {stopped.problem}"
        return True, f"stopped, until ~/resume{kept}"

    def resume(self):
        """Releases the robot. Returns whether that was done, and what happened."""
        try:
            resumed = self.robot.resume(timeout=self.settings.request_timeout)
        except DenoisedError as error:
            return False, str(error)
        return True, "released; it moves with the next chunk" if resumed.robots else "the robot was not stopped"

    def reset(self):
        """Begins an episode, and accepts another policy. Returns whether that was done, and what happened."""
        timeout = self.settings.request_timeout
        with self._lock:
            self._is_paused = True
            self._brake(self._now_ns())
        try:
            if self.failure is not None or not self.robot.connected:
                policy = self.robot.connect(timeout).policy
            else:
                policy = self.robot.policy
            self.robot.reset(timeout)
            # Commands on the way to rest are of the episode before, and would be taken for old ones in the next.
            self._await_rest(time.monotonic() + LONGEST_BRAKING)
            problems = self.prepare(policy)
        except DenoisedError as error:
            return False, str(error)
        finally:
            self._is_paused = False
        return not problems, "; ".join(problems) or "an episode begins"

    def end(self):
        """Brings the robot to rest, tells the daemon, and ends `run`, which goes on meanwhile. Returns what happened."""
        with self._lock:
            self.is_ending = True
            self._brake(self._now_ns())
        try:
            return self._say_goodbye()
        finally:
            self._is_over = True
            with self._lock:
                if self._has_velocity:
                    self._send_command(np.zeros(self.robot.policy.action_dim))

    def _say_goodbye(self):
        timeout = min(self.settings.request_timeout, 1.0)
        if self.counts["observations"] == 0:
            return "the robot was told nothing"
        try:
            if self.settings.shutdown == "stop":
                self.robot.stop(timeout=timeout)
            else:
                self.robot.reset(timeout)
        except DenoisedError as error:
            return f"the daemon was not told of the end: {error}"
        self._await_rest(time.monotonic() + LONGEST_BRAKING)
        if self.settings.shutdown == "stop":
            return "the robot is stopped; ~/resume, resume_at_start or `denoised resume` releases it"
        return "the episode is over"

    def _await_rest(self, deadline):
        """The daemon brakes a robot with commands, one by one; those are passed on until they end."""
        if self.settings.output.mode != "commands":
            # The controller brakes within that time.
            time.sleep(min(self.settings.output.stop_time, max(deadline - time.monotonic(), 0)))
            return
        while time.monotonic() < deadline:
            state = self.robot.state
            is_silent = time.monotonic() - self._commanded > self.settings.output.max_age
            if is_silent and (state is None or state.state not in ("running", "holding")):
                return
            time.sleep(0.02)

    # What is shown

    @property
    def state(self):
        """One word and the reason: `failed`, `stopped`, `gone`, `waiting`, `holding`, `moving`."""
        with self._lock:
            return self._state(self._now_ns())

    def _state(self, now_ns):
        if self.failure is not None:
            return "failed", self.failure
        if (reason := self.robot.stopped) is not None:
            return "stopped", reason
        if not self.robot.connected:
            return "gone", "the daemon is not heard; the robot goes on with what it has, then holds"
        if self.waits:
            return "waiting", "; ".join(self.waits)
        if self.settings.output.mode == "trajectory":
            is_moving = now_ns < self.plan.ends_ns
        else:
            said = self.robot.state
            is_moving = said is not None and said.state == "running"
            if said is not None and said.state == "holding":
                return "holding", said.reason
        return ("moving", "") if is_moving else ("holding", "there is nothing to carry out")

    def _tell_state(self, now_ns):
        """A line when the state is another one; it is looked at ten times a second."""
        now = time.monotonic()
        if not self.is_ready or now - self._looked < 0.1:
            return
        self._looked = now
        state, reason = self._state(now_ns)
        if state == self._told:
            return
        self._told = state
        # A robot whose chunks come late begins and ends to move again and again.
        if state in ("moving", "holding"):
            self._say_once_in_a_while("info", state, f"{state}: {reason}" if reason else state)
        elif state != "waiting":  # of which `_observe` tells
            self._say("warn", f"{state}: {reason}")

    def ages(self):
        """For each input the age of its newest message in seconds, or None."""
        with self._lock:
            now_ns = self._now_ns()
            ages = {name: self.inputs.age_ns(name, now_ns) for name in self.settings.inputs}
            return {name: None if age is None else age / NANOSECONDS for name, age in ages.items()}
