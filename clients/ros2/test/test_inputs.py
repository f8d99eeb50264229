import math

import numpy as np
import pytest

import messages
from denoised_ros2.faults import MessageFault
from denoised_ros2.inputs import Inputs
from denoised_ros2.parameters import read_settings

SECOND = 1_000_000_000
START = 1000 * SECOND
PIXELS = np.zeros((4, 6, 3), np.uint8)


def inputs(**changes):
    given = {
        "control_hz": 10,
        "joints": ["a", "b"],
        "inputs": ["arm", "gripper", "front"],
        "arm.feature": "observation.state",
        "arm.type": "joint_state",
        "arm.topic": "joint_states",
        "gripper.feature": "observation.state",
        "gripper.type": "float32_multi_array",
        "gripper.topic": "gripper",
        "front.feature": "observation.image",
        "front.type": "image",
        "front.topic": "image",
        "front.max_age": 0.5,
        "output.mode": "commands",
        "output.topic": "commands",
    }
    given.update((name.replace("__", "."), value) for name, value in changes.items())
    return Inputs(read_settings({name: value for name, value in given.items() if value is not None}))


def arm(position, at_ns, frame_id=""):
    return messages.joint_state(["b", "a"], position, seconds=at_ns / SECOND, frame_id=frame_id)


def image(at_ns, pixels=PIXELS):
    message = messages.image(pixels, "rgb8")
    message.header = messages.header(at_ns / SECOND)
    return message


def filled(now_ns=START, **changes):
    made = inputs(**changes)
    made.put("arm", arm([2, 1], now_ns), now_ns)
    made.put("gripper", messages.numbers([0.5], code="f"), now_ns)
    made.put("front", image(now_ns), now_ns)
    return made


def test_an_observation_has_each_feature_in_the_order_of_its_inputs():
    made = filled()
    assert made.waits_for(START) == []
    observation = made.observe(START + 7)
    assert observation.features["observation.state"].tolist() == [1, 2, 0.5]
    np.testing.assert_array_equal(observation.features["observation.image"], PIXELS)
    assert observation.made_ns == START + 7


def test_without_a_message_of_each_there_is_no_observation():
    made = inputs()
    made.put("gripper", messages.numbers([0.5]), START)
    assert made.waits_for(START) == ["arm: no message yet (joint_states)", "front: no message yet (image)"]


def test_what_could_not_be_used_is_told_in_place_of_silence():
    made = inputs()
    with pytest.raises(MessageFault):
        made.put("arm", messages.joint_state(["a"], [1]), START)
    assert made.waits_for(START)[0].startswith("arm: none of 1 messages can be used: name: found no joint 'b'")
    assert made.counts["arm"].refused == 1 and made.counts["arm"].used == 0


def test_a_message_that_cannot_be_used_does_not_keep_the_one_before_fresh():
    made = filled()
    with pytest.raises(MessageFault):
        made.put("arm", arm([math.nan, 1], START + SECOND // 5), START + SECOND // 5)
    assert made.waits_for(START + SECOND // 5) == []
    assert made.waits_for(START + 3 * SECOND // 10) == [
        "arm: 0.30 s old, expected 0.25 s at most (joint_states)",
        "gripper: 0.30 s old, expected 0.25 s at most (gripper)",
    ]


def test_a_stale_camera_keeps_the_observation_back():
    made = filled()
    later = START + 6 * SECOND // 10
    made.put("arm", arm([2, 1], later), later)
    made.put("gripper", messages.numbers([0.5]), later)
    assert made.waits_for(later) == ["front: 0.60 s old, expected 0.5 s at most (image)"]
    made.put("front", image(later), later)
    assert made.waits_for(later) == []


def test_the_age_counts_from_the_stamp_or_from_the_receipt():
    by_stamp, by_receipt = inputs(), inputs(arm__stamp="receipt")
    for made in (by_stamp, by_receipt):
        made.put("arm", arm([2, 1], START - SECOND), START)
    assert by_stamp.age_ns("arm", START) == SECOND
    assert by_receipt.age_ns("arm", START) == 0
    assert by_stamp.age_ns("front", START) is None
    # Zero is no stamp.
    by_stamp.put("arm", arm([2, 1], 0), START)
    assert by_stamp.age_ns("arm", START) == 0


def test_a_stamp_from_the_future_is_of_another_clock():
    made = inputs()
    with pytest.raises(MessageFault, match=r"header.stamp: found 5.0 s after this node's time.*arm.stamp be receipt"):
        made.put("arm", arm([2, 1], START + 5 * SECOND), START)
    made.put("arm", arm([2, 1], START + SECOND // 2), START)
    assert made.age_ns("arm", START) == 0


def test_a_message_of_another_frame_is_refused():
    made = inputs(arm__frame_id="base")
    made.put("arm", arm([2, 1], START, "base"), START)
    with pytest.raises(MessageFault, match=r"header.frame_id: found 'tool', expected 'base'"):
        made.put("arm", arm([2, 1], START, "tool"), START)


def test_a_frame_is_in_one_observation_until_an_episode_begins():
    made = filled()
    assert "observation.image" in made.observe(START).features
    assert "observation.image" not in made.observe(START + 1).features
    made.put("front", image(START + 2), START + 2)
    assert "observation.image" in made.observe(START + 2).features
    assert "observation.image" not in made.observe(START + 3).features
    made.send_frames_again()
    assert "observation.image" in made.observe(START + 4).features


def test_the_time_of_an_observation_can_be_that_of_an_input():
    made = filled(timed_by="arm")
    assert made.observe(START + 9).made_ns == START


def test_the_inputs_fit_a_policy_or_say_what_does_not():
    made = inputs()
    assert made.expect({"observation.state": 3}, {"observation.image": (4, 6)}) == []
    assert made.expect({"observation.state": 3, "observation.force": 6}, {"observation.wrist": (4, 6)}) == [
        "the policy observes observation.force, and no input has it as its feature",
        "the policy observes observation.wrist, and no input has it as its feature",
        "parameter front.feature: found 'observation.image', expected one of the policy's: "
        "observation.state, observation.force, observation.wrist",
    ]
    assert made.expect({"observation.state": 3, "observation.image": 2}, {}) == [
        "parameter front.type: found 'image', expected joint_state or a multi_array for observation.image"
    ]
    joints_alone = inputs(inputs=["arm", "front"], gripper__feature=None, gripper__type=None, gripper__topic=None)
    assert joints_alone.expect({"observation.state": 3}, {"observation.image": (4, 6)}) == [
        "observation.state has 3 numbers, and the joints and fields of arm give 2"
    ]


def test_a_feature_of_another_length_is_told_with_its_parts():
    made = filled()
    made.expect({"observation.state": 4}, {"observation.image": (4, 6)})
    with pytest.raises(MessageFault, match=r"observation.state: found 3 numbers \(2 of arm and 1 of gripper\), expected 4"):
        made.observe(START)
    # The frame was not sent, so it is still to be.
    made.expect({"observation.state": 3}, {"observation.image": (4, 6)})
    assert "observation.image" in made.observe(START).features


def test_a_frame_of_another_size_is_refused_once_the_policy_is_known():
    made = filled()
    made.expect({"observation.state": 3}, {"observation.image": (96, 96)})
    with pytest.raises(MessageFault, match="height and width: found 4 and 6, expected 96 and 96"):
        made.put("front", image(START), START)


def test_when_the_clock_went_back_everything_is_forgotten():
    made = filled()
    made.forget()
    assert len(made.waits_for(START)) == 3
