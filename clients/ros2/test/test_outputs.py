import numpy as np
import pytest

import messages
from denoised_ros2.outputs import Plan, Trajectory, fill_command
from denoised_ros2.times import stamp_ns

SECOND = 1_000_000_000
START = 1_764_492_340_000_000_000
ROWS = np.array([[0.0, 10.0], [1.0, 11.0], [2.0, 12.0], [3.0, 13.0]])


def moments(trajectory):
    """When each point is reached."""
    return [trajectory.stamp_ns + ns for ns in trajectory.from_start_ns]


def test_a_point_is_at_the_beginning_of_its_control_step():
    trajectory = Plan(10).join(ROWS, 5, START, START - 1)
    assert trajectory.stamp_ns == START
    assert trajectory.from_start_ns == (0, SECOND // 10, 2 * SECOND // 10, 3 * SECOND // 10)
    np.testing.assert_array_equal(trajectory.positions, ROWS)
    assert trajectory.velocities is None


@pytest.mark.parametrize(("late", "skipped"), [(0, 1), (1, 1), (99_999_999, 1), (100_000_000, 2), (250_000_000, 3)])
def test_what_is_meant_for_steps_that_have_begun_is_left_out(late, skipped):
    trajectory = Plan(10).join(ROWS, 5, START, START + late)
    np.testing.assert_array_equal(trajectory.positions, ROWS[skipped:])
    assert all(moment > START + late for moment in moments(trajectory))
    assert moments(trajectory)[-1] == START + 300_000_000


def test_a_chunk_that_is_too_late_gives_nothing_and_leaves_the_plan():
    plan = Plan(10)
    plan.join(ROWS, 5, START, START)
    ends = plan.ends_ns
    assert plan.join(ROWS, 6, START - SECOND, START) is None
    assert plan.ends_ns == ends == START + 300_000_000


def test_an_older_chunk_does_not_take_over():
    plan = Plan(10)
    assert plan.join(ROWS, 5, START, START) is not None
    assert plan.join(ROWS, 5, START, START) is None
    assert plan.join(ROWS, 4, START, START) is None
    assert plan.join(ROWS, 6, START, START) is not None
    plan.clear()
    assert plan.join(ROWS, 0, START, START) is not None


def test_without_a_stamp_points_count_from_the_arrival():
    now = START + 30_000_000
    trajectory = Plan(10, is_stamped=False).join(ROWS, 5, START, now)
    assert trajectory.stamp_ns == 0
    assert trajectory.from_start_ns == (70_000_000, 170_000_000, 270_000_000)


def test_velocities_are_velocities():
    trajectory = Plan(10, "velocity").join(ROWS, 5, START, START - 1)
    np.testing.assert_array_equal(trajectory.velocities, ROWS)
    assert trajectory.positions is None


def test_braking_covers_half_the_way_that_the_speed_would_and_ends_at_rest():
    plan = Plan(10)
    plan.join(ROWS, 5, START, START)
    now = START + 150_000_000  # the first number is 1.5 and rises by 10 a second
    trajectory = plan.brake(now, SECOND // 10)
    assert moments(trajectory) == [now + SECOND // 10]
    np.testing.assert_allclose(trajectory.positions, [[2.0, 12.0]])
    np.testing.assert_array_equal(trajectory.velocities, [[0, 0]])
    assert plan.ends_ns == 0
    assert plan.brake(now, SECOND // 10) is None


def test_braking_never_goes_beyond_the_plan():
    plan = Plan(10, is_stamped=False)
    plan.join(ROWS, 5, START, START)
    trajectory = plan.brake(START + 290_000_000, SECOND)
    np.testing.assert_allclose(trajectory.positions, [[3.0, 13.0]])
    assert (trajectory.stamp_ns, trajectory.from_start_ns) == (0, (SECOND,))


def test_a_robot_at_the_end_of_its_plan_is_at_rest_unless_it_was_told_a_velocity():
    still, moving = Plan(10), Plan(10, "velocity")
    for plan in (still, moving):
        plan.join(ROWS, 5, START, START)
    assert still.brake(START + SECOND, SECOND) is None
    trajectory = moving.brake(START + SECOND, SECOND // 5)
    np.testing.assert_array_equal(trajectory.velocities, [[0, 0]])
    assert trajectory.positions is None
    assert moments(trajectory) == [START + SECOND + SECOND // 5]


def test_an_old_chunk_does_not_move_a_robot_that_was_braked():
    plan = Plan(10)
    plan.join(ROWS, 5, START, START)
    plan.brake(START, SECOND)
    assert plan.join(ROWS, 5, START, START) is None
    plan.brake(START, SECOND, 8)
    assert plan.join(ROWS, 8, START, START) is None
    assert plan.join(ROWS, 9, START, START) is not None


def test_a_trajectory_fills_a_message():
    trajectory = Trajectory(START + 5, (0, 1_500_000_000), ROWS[:2], ROWS[2:])
    message = trajectory.fill(messages.trajectory(), messages.trajectory_point, ["a", "b"], "base")
    assert stamp_ns(message.header.stamp) == START + 5
    assert (message.header.frame_id, message.joint_names) == ("base", ["a", "b"])
    assert [point.positions for point in message.points] == ROWS[:2].tolist()
    assert [point.velocities for point in message.points] == ROWS[2:].tolist()
    assert (message.points[1].time_from_start.sec, message.points[1].time_from_start.nanosec) == (1, 500_000_000)


def test_a_command_fills_an_array():
    message = fill_command(messages.numbers([]), messages.stamp, np.array([1.5, -2.0], np.float32))
    assert message.data == [1.5, -2.0]
    (dimension,) = message.layout.dim
    assert (dimension.label, dimension.size, dimension.stride) == ("action", 2, 2)
