"""Time stamps of messages, in nanoseconds."""

from .faults import MessageFault

NANOSECONDS = 1_000_000_000


def stamp_ns(stamp):
    """A builtin_interfaces/Time in nanoseconds; None if it is zero, by which ROS says that there is none.

    Raises MessageFault if it is no time.
    """
    seconds, nanoseconds = stamp.sec, stamp.nanosec
    if seconds < 0 or not 0 <= nanoseconds < NANOSECONDS:
        raise MessageFault(f"header.stamp: found {seconds} s and {nanoseconds} ns, expected 0 or more, and 0 to 999999999")
    return seconds * NANOSECONDS + nanoseconds or None


def split_ns(nanoseconds):
    """Nanoseconds, 0 or more, as whole seconds and the rest: the fields of a Time or a Duration."""
    return divmod(nanoseconds, NANOSECONDS)


class RobotClock:
    """What `time_ns` of observations counts: `monotonic`, this machine's clock since it was started, or `ros`.

    A moment of the ROS clock becomes one of the monotonic clock by the difference that the two have at the time. Within an
    episode the result never goes back, although that difference varies a little: the daemon refuses a clock that does.
    """

    def __init__(self, kind):
        self.is_monotonic = kind == "monotonic"
        self._latest_ns = 0

    def begin_episode(self):
        """Lets the clock go back."""
        self._latest_ns = 0

    def time_ns(self, moment_ns, ros_now_ns, monotonic_now_ns):
        """The robot's time of a moment that the ROS clock calls `moment_ns`."""
        time_ns = moment_ns - ros_now_ns + monotonic_now_ns if self.is_monotonic else moment_ns
        self._latest_ns = max(self._latest_ns, time_ns)
        return self._latest_ns
