import math

import numpy as np
import pytest

import messages
from denoised_ros2.faults import MessageFault
from denoised_ros2.states import JointReader, numbers_from_array


def test_joints_come_in_the_order_of_the_policy():
    reader = JointReader(["shoulder", "elbow"])
    message = messages.joint_state(["gripper", "elbow", "shoulder"], [1, 2, 3])
    assert reader.read(message).tolist() == [3, 2]
    # Another publisher of the same topic may have another order.
    assert reader.read(messages.joint_state(["shoulder", "elbow"], [5, 6])).tolist() == [5, 6]
    assert reader.read(message).tolist() == [3, 2]


def test_fields_follow_one_another():
    reader = JointReader(["a", "b"], ["position", "velocity", "effort"])
    message = messages.joint_state(["b", "a"], [1, 2], [3, 4], [5, 6])
    assert reader.read(message).tolist() == [2, 1, 4, 3, 6, 5]
    assert reader.count == 6
    assert JointReader(["a"], ["velocity"]).read(message).tolist() == [4]


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (messages.joint_state(["a", "c"], [1, 2]), "name: found no joint 'b' in ['a', 'c'], expected each of ['a', 'b'] once"),
        (messages.joint_state([], []), "name: found no joint 'a' in []"),
        (messages.joint_state(["a", "b", "a"], [1, 2, 3]), "name: found joint 'a' 2 times"),
        (messages.joint_state(["a", "b"], [1]), "position: found 1 numbers, expected 2, one for each name"),
        (messages.joint_state(["a", "b"], [], [1, 2]), "position: found 0 numbers, expected 2"),
        (messages.joint_state(["a", "b"], [1, math.nan]), "position of joint 'b': found nan, expected a finite 32-bit float"),
        (messages.joint_state(["b", "a"], [1, math.inf]), "position of joint 'a': found inf"),
        (messages.joint_state(["b", "a"], [-1e39, 0]), "position of joint 'b': found -1e+39"),
    ],
)
def test_a_joint_state_that_cannot_be_used_is_refused_by_its_field_and_joint(message, found):
    reader = JointReader(["a", "b"])
    reader.read(messages.joint_state(["a", "b"], [1, 2]))
    with pytest.raises(MessageFault) as fault:
        reader.read(message)
    assert str(fault.value).startswith(found)


def test_what_other_joints_are_does_not_matter():
    message = messages.joint_state(["a", "broken"], [1, math.nan])
    assert JointReader(["a"]).read(message).tolist() == [1]


@pytest.mark.parametrize("code", ["f", "d"])
def test_arrays_give_their_numbers_from_the_offset_on(code):
    np.testing.assert_array_equal(numbers_from_array(messages.numbers([9, 1.5, 2], 1, code)), [1.5, 2])
    assert len(numbers_from_array(messages.numbers([9], 1, code))) == 0


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (messages.numbers([1, 2], 3), "layout.data_offset: found 3, expected 2 at most"),
        (messages.numbers([0, 1, math.nan], 1), "data[2]: found nan"),
        (messages.numbers([math.inf], code="f"), "data[0]: found inf"),
        (messages.numbers([1e300]), "data[0]: found 1e+300"),
    ],
)
def test_an_array_that_cannot_be_used_is_refused_by_its_element(message, found):
    with pytest.raises(MessageFault) as fault:
        numbers_from_array(message)
    assert str(fault.value).startswith(found)
