import re

import pytest

from denoised_ros2.faults import ParameterFault
from denoised_ros2.parameters import change_setting, read_settings

GIVEN = {
    "control_hz": 10,
    "joints": ["a", "b"],
    "inputs": ["arm", "front"],
    "arm.feature": "observation.state",
    "arm.type": "joint_state",
    "arm.topic": "joint_states",
    "front.feature": "observation.images.front",
    "front.type": "image",
    "front.topic": "camera/image_raw",
    "front.qos.depth": 3,
    "output.mode": "trajectory",
    "output.topic": "joint_trajectory",
    "use_sim_time": False,
    "qos_overrides./tf.publisher.depth": 3,
}


def test_what_is_not_given_has_its_default():
    settings = read_settings(GIVEN)
    assert (settings.control_hz, settings.robot, settings.clock) == (10.0, "arm1", "monotonic")
    assert settings.joints == settings.inputs["arm"].joints == ("a", "b")
    assert settings.inputs["arm"].fields == ("position",)
    assert settings.inputs["front"].qos.depth == 3
    assert settings.inputs["front"].qos.reliability == "best_effort"
    assert settings.output.qos.reliability == "reliable"
    assert list(settings.inputs) == ["arm", "front"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"control_hz": None}, "parameter control_hz: found None, expected a number above 0 up to 1000: it must be given"),
        ({"control_hz": 0}, "parameter control_hz: found 0, expected a number above 0 up to 1000"),
        ({"control_hz": float("nan")}, "parameter control_hz: found nan"),
        ({"control_hz": "10"}, "parameter control_hz: found '10'"),
        ({"control_hz": True}, "parameter control_hz: found True"),
        ({"robot": "arm 1"}, "parameter robot: found 'arm 1', expected 1 to 64 of"),
        ({"robot": 7}, "parameter robot: found 7, expected a string"),
        ({"contrl_hz": 10}, "parameter contrl_hz: found 10, expected a parameter that the node has; did you mean control_hz?"),
        ({"front.max_agee": 1}, "parameter front.max_agee: found 1, expected a parameter that the node has; did you mean front"),
        ({"side.topic": "x"}, "parameter side.topic: found 'x', expected a parameter that the node has"),
        ({"inputs": []}, "parameter inputs: found [], expected one name or more"),
        ({"inputs": ["arm", "arm"]}, "parameter inputs: found ['arm', 'arm'], expected one name or more, each once"),
        ({"inputs": ["output"]}, "parameter inputs: found 'output', expected a name of letters"),
        ({"inputs": ["1st"]}, "parameter inputs: found '1st'"),
        ({"inputs": "arm"}, "parameter inputs: found 'arm', expected a list of strings"),
        ({"arm.topic": None}, "parameter arm.topic: found None, expected a string: it must be given"),
        ({"arm.topic": ""}, "parameter arm.topic: found '', expected the name of a topic"),
        ({"arm.type": "joint_states"}, "parameter arm.type: found 'joint_states', expected 'joint_state', 'image'"),
        (
            {"arm.fields": ["positions"]},
            "parameter arm.fields: found ['positions'], expected a list of 'position', 'velocity' or",
        ),
        ({"arm.fields": []}, "parameter arm.fields: found [], expected one or more of position"),
        ({"arm.max_age": 0}, "parameter arm.max_age: found 0, expected a number above 0 up to 3600"),
        ({"arm.joints": ["a", "a"]}, "parameter arm.joints: found ['a', 'a'], expected names, each once"),
        ({"front.feature": "observation.state"}, "parameter front.feature: found 'observation.state', expected a camera of its"),
        ({"front.qos.depth": 0}, "parameter front.qos.depth: found 0, expected a whole number from 1 up to 1000"),
        ({"front.qos.depth": 1.5}, "parameter front.qos.depth: found 1.5"),
        (
            {"front.qos.reliability": "best"},
            "parameter front.qos.reliability: found 'best', expected 'best_effort', 'reliable' or",
        ),
        ({"output.mode": "chunks"}, "parameter output.mode: found 'chunks', expected 'trajectory' or 'commands'"),
        ({"output.topic": ""}, "parameter output.topic: found '', expected the name of a topic"),
        (
            {"joints": [], "arm.joints": ["a"]},
            "parameter joints: found [], expected the names of the joints, because output.mode",
        ),
        ({"joints": [], "output.mode": "commands"}, "parameter arm.joints: found [], expected names of joints"),
        ({"timed_by": "wrist"}, "parameter timed_by: found 'wrist', expected one of the inputs: arm, front"),
        ({"curve_key": "k"}, "parameter curve_server: found '', expected a file"),
        ({"clock": "wall"}, "parameter clock: found 'wall', expected 'monotonic' or 'ros'"),
        ({"resume_at_start": 1}, "parameter resume_at_start: found 1, expected true or false"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_what_was_expected(changes, says):
    with pytest.raises(ParameterFault) as fault:
        read_settings({**GIVEN, **changes})
    assert str(fault.value).startswith(says)


def test_ages_may_change_and_topics_may_not():
    settings = read_settings(GIVEN)
    change_setting(settings, "front.max_age", 2)
    change_setting(settings, "output.stop_time", 0.5)
    change_setting(settings, "request_timeout", 3)
    assert (settings.inputs["front"].max_age, settings.output.stop_time, settings.request_timeout) == (2.0, 0.5, 3.0)
    with pytest.raises(ParameterFault, match=re.escape("parameter front.max_age: found -1, expected a number above 0")):
        change_setting(settings, "front.max_age", -1)
    with pytest.raises(ParameterFault, match=re.escape("parameter arm.topic: found 'b', expected no change while the node runs")):
        change_setting(settings, "arm.topic", "b")
    assert settings.inputs["front"].max_age == 2.0


def test_every_parameter_has_a_description_and_one_name():
    settings = read_settings(GIVEN)
    assert all(parameter.description for parameter in settings.parameters.values())
    assert set(settings.values) == set(settings.parameters)
