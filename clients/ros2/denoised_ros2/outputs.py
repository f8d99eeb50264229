"""Chunks as trajectory_msgs/JointTrajectory, commands as std_msgs/Float64MultiArray."""

from dataclasses import dataclass

import numpy as np

from .times import split_ns


@dataclass(frozen=True)
class Trajectory:
    """Where the joints are to be, and when.

    `stamp_ns` is the ROS time that `from_start_ns` counts from; 0: the moment at which the trajectory arrives. `positions` and
    `velocities` are [points, joints] in the robot's units, or None.
    """

    stamp_ns: int
    from_start_ns: tuple
    positions: np.ndarray | None
    velocities: np.ndarray | None

    def fill(self, message, make_point, joints, frame_id=""):
        """Writes the trajectory into a JointTrajectory; `make_point` gives an empty JointTrajectoryPoint. Returns the message."""
        message.header.stamp.sec, message.header.stamp.nanosec = split_ns(self.stamp_ns)
        message.header.frame_id = frame_id
        message.joint_names = list(joints)
        points = []
        for index, from_start_ns in enumerate(self.from_start_ns):
            point = make_point()
            point.time_from_start.sec, point.time_from_start.nanosec = split_ns(from_start_ns)
            if self.positions is not None:
                point.positions = self.positions[index].tolist()
            if self.velocities is not None:
                point.velocities = self.velocities[index].tolist()
            points.append(point)
        message.points = points
        return message


class Plan:
    """What the robot was last told by a trajectory, so that the next one can take over and a stop can brake along it.

    `kind` says what actions are: `position` or `velocity`. With `is_stamped` a trajectory has the ROS time of the observation
    that it answers; without, it counts from its arrival. All times are of the ROS clock.
    """

    def __init__(self, control_hz, kind="position", is_stamped=True):
        self.period_ns = round(1e9 / control_hz)
        self.is_velocity, self.is_stamped = kind == "velocity", is_stamped
        self.clear()

    def clear(self):
        """Forgets what the robot was told."""
        self._times_ns, self._rows, self._answers = None, None, -1

    @property
    def ends_ns(self):
        """When the last point is reached; 0 without a plan."""
        return 0 if self._times_ns is None else int(self._times_ns[-1])

    def has_run_out(self, now_ns):
        """Whether the robot was told velocities, and none for now: it would go on with the last."""
        return self.is_velocity and self._times_ns is not None and now_ns >= self._times_ns[-1]

    def join(self, rows, sequence, step_ns, now_ns):
        """Goes over to a chunk: returns its Trajectory from the first control step on that has not begun, or None.

        `rows` are the actions, [steps, joints]; row 0 is for the control step that began at `step_ns`, and row i for i periods
        later. What is meant for steps that have begun is left out. None: all of them have, or a newer observation
        (`sequence`) was answered before.
        """
        skipped = max((now_ns - step_ns) // self.period_ns + 1, 0)
        if sequence <= self._answers or skipped >= len(rows):
            return None
        self._answers = sequence
        self._rows = np.asarray(rows[skipped:], np.float64)
        self._times_ns = step_ns + self.period_ns * np.arange(skipped, len(rows), dtype=np.int64)
        return self._trajectory(self._times_ns, self._rows, step_ns, now_ns)

    def brake(self, now_ns, stop_time_ns, sequence=-1):
        """A Trajectory that brings the robot to rest within `stop_time_ns`, and forgets the plan; None if it is at rest.

        Positions go on for half the way that their speed covers meanwhile, which is braking evenly. Velocities become 0.
        Chunks that answer observations up to `sequence` do not move the robot any more.
        """
        self._answers = max(self._answers, sequence)
        times_ns, rows = self._times_ns, self._rows
        self._times_ns = self._rows = None
        if times_ns is None or (now_ns >= times_ns[-1] and not self.is_velocity):
            return None
        end_ns = now_ns + stop_time_ns
        if self.is_velocity:
            return self._trajectory(np.array([end_ns]), np.zeros((1, rows.shape[1])), now_ns, now_ns)
        # Seconds from now, so that a float holds them.
        seconds = (times_ns - now_ns) / 1e9
        place = [np.interp(stop_time_ns / 2e9, seconds, column) for column in rows.T]
        rest = np.zeros((1, rows.shape[1]))
        start_ns = now_ns if self.is_stamped else 0
        return Trajectory(start_ns, (stop_time_ns,), np.array([place]), rest)

    def _trajectory(self, times_ns, rows, step_ns, now_ns):
        start_ns = step_ns if self.is_stamped else now_ns
        from_start = tuple(int(moment - start_ns) for moment in times_ns)
        positions, velocities = (None, rows) if self.is_velocity else (rows, None)
        return Trajectory(step_ns if self.is_stamped else 0, from_start, positions, velocities)


def fill_command(message, make_dimension, action):
    """Writes an action, [action_dim], into a Float64MultiArray; `make_dimension` gives an empty MultiArrayDimension."""
    dimension = make_dimension()
    dimension.label, dimension.size, dimension.stride = "action", len(action), len(action)
    message.layout.dim = [dimension]
    message.layout.data_offset = 0
    message.data = [float(number) for number in action]
    return message
