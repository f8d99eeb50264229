import pytest

import messages
from denoised_ros2.faults import MessageFault
from denoised_ros2.times import RobotClock, split_ns, stamp_ns


def test_a_stamp_is_nanoseconds_and_zero_is_none():
    assert stamp_ns(messages.stamp(12, 345)) == 12_000_000_345
    assert stamp_ns(messages.stamp(0, 1)) == 1
    assert stamp_ns(messages.stamp(0, 0)) is None


@pytest.mark.parametrize(("seconds", "nanoseconds"), [(-1, 0), (0, 1_000_000_000), (0, -1)])
def test_what_is_no_time_is_refused(seconds, nanoseconds):
    with pytest.raises(MessageFault, match=rf"header.stamp: found {seconds} s and {nanoseconds} ns"):
        stamp_ns(messages.stamp(seconds, nanoseconds))


@pytest.mark.parametrize("moment", [0, 1, 999_999_999, 1_000_000_000, 1_764_492_340_123_456_789])
def test_splitting_keeps_every_nanosecond(moment):
    assert (stamp_ns(messages.stamp(*split_ns(moment))) or 0) == moment


def test_the_monotonic_clock_has_the_same_age_of_a_moment_as_the_ros_clock():
    ros_now, monotonic_now = 1_764_492_340_000_000_000, 5_000_000_000
    clock = RobotClock("monotonic")
    assert clock.time_ns(ros_now - 20_000_000, ros_now, monotonic_now) == monotonic_now - 20_000_000
    assert clock.time_ns(ros_now, ros_now, monotonic_now) == monotonic_now


def test_the_robots_clock_goes_back_with_a_new_episode_alone():
    clock = RobotClock("monotonic")
    assert clock.time_ns(1000, 2000, 5000) == 4000
    # The same moment again, after the ROS clock was set by a nanosecond.
    assert clock.time_ns(1000, 2001, 5000) == 4000
    clock.begin_episode()
    assert clock.time_ns(1000, 2001, 5000) == 3999


def test_the_ros_clock_is_passed_on():
    assert RobotClock("ros").time_ns(123, 456, 789) == 123
