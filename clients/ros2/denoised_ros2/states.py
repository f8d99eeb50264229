"""Numbers from sensor_msgs/JointState and std_msgs/Float32MultiArray and Float64MultiArray."""

import numpy as np

from .faults import MessageFault

FIELDS = ("position", "velocity", "effort")
LARGEST = float(np.finfo(np.float32).max)


class JointReader:
    """Reads the joints of a policy, in its order, out of messages that name theirs in any order.

    `joints`: names, in the policy's order. `fields`: one or more of `position`, `velocity`, `effort`; all joints' numbers of the
    first come first.
    """

    def __init__(self, joints, fields=("position",)):
        self.joints, self.fields = tuple(joints), tuple(fields)
        self.count = len(self.joints) * len(self.fields)
        self._names, self._indices = None, []

    def read(self, message):
        """The numbers, [len(joints) * len(fields)] of float64. Raises MessageFault."""
        names = tuple(message.name)
        if names != self._names:
            self._indices = self._find(names)
            self._names = names
        parts = [self._field(message, field, len(names)) for field in self.fields]
        return np.concatenate(parts)

    def _find(self, names):
        indices = []
        for joint in self.joints:
            found = names.count(joint)
            if found != 1:
                problem = f"no joint {joint!r}" if found == 0 else f"joint {joint!r} {found} times"
                raise MessageFault(f"name: found {problem} in {list(names)}, expected each of {list(self.joints)} once")
            indices.append(names.index(joint))
        return indices

    def _field(self, message, field, expected):
        values = np.asarray(getattr(message, field), np.float64)
        if len(values) != expected:
            raise MessageFault(f"{field}: found {len(values)} numbers, expected {expected}, one for each name")
        values = values[self._indices]
        for joint, value in zip(self.joints, values):
            if not abs(value) <= LARGEST:  # so that NaN is caught too
                raise MessageFault(f"{field} of joint {joint!r}: found {value}, expected a finite 32-bit float")
        return values


def numbers_from_array(message):
    """The numbers of a Float32MultiArray or Float64MultiArray from `layout.data_offset` on, [count] of float64.

    Raises MessageFault.
    """
    offset = message.layout.data_offset
    if offset > len(message.data):
        raise MessageFault(f"layout.data_offset: found {offset}, expected {len(message.data)} at most, the length of data")
    values = np.asarray(message.data, np.float64)[offset:]
    bad = np.flatnonzero(~(np.abs(values) <= LARGEST))
    if len(bad):
        raise MessageFault(f"data[{offset + bad[0]}]: found {values[bad[0]]}, expected a finite 32-bit float")
    return values
