"""The node between a simulated robot, as a ROS node, and a real daemon."""

import signal
import socket

import numpy as np
import pytest
from sensor_msgs.msg import JointState

from pusht_world import ROOT, World

SEED = 100002
COMMANDS = dict(output__mode="commands", output__topic="commands")
ROBOT_FILE = ("--robot", str(ROOT / "examples/robots/pusht.yaml"))
# So that a test machine that does other things as well is no robot whose sensors fail.
PATIENT = dict(disc__max_age=1.0, block__max_age=1.0)
CAMERA = dict(
    inputs=["disc", "camera"],
    block=None,
    disc__max_age=1.0,
    camera__feature="observation.image",
    camera__topic="image",
    camera__max_age=0.5,
    camera__frame_id="camera",
)


def free_ports():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def speed(running, seconds):
    """The disc's largest speed in the last so many seconds, in pixels a second."""
    positions = np.array(running.robot.positions[-round(seconds * 100) :])
    return np.abs(np.diff(positions[:, 1:], axis=0)).max() * 100


def wait_for_rest(running):
    running.wait(lambda: len(running.robot.positions) > 50 and speed(running, 0.3) < 1, 5, "the disc at rest")


def wait_for_motion(running, seconds=20):
    running.wait(lambda: len(running.robot.positions) > 50 and speed(running, 0.3) > 5, seconds, "the disc moves")


def test_trajectories_push_the_block_into_its_goal_in_simulated_time(setting):
    setting.daemon()
    running = setting.robot(SEED, speed=2.0)
    node = setting.node(use_sim_time=True, timed_by="disc", output__frame_id="table", **PATIENT)
    robot = running.robot
    running.wait(lambda: robot.success_after is not None, 60, "success")
    assert node.end() == 0
    assert "Traceback" not in node.output and "exception" not in node.output
    assert len(robot.trajectories) > 3
    for arrived, message in robot.trajectories:
        assert (message.joint_names, message.header.frame_id) == (["x", "y"], "table")
        start = message.header.stamp.sec + message.header.stamp.nanosec / 1e9
        ends = [start + point.time_from_start.sec + point.time_from_start.nanosec / 1e9 for point in message.points]
        assert ends == sorted(ends) and start <= arrived < ends[-1] + 0.5, "on time, as far as this machine has time"


def test_commands_push_the_block_into_its_goal(setting):
    setting.daemon(*ROBOT_FILE)
    running = setting.robot(SEED)
    setting.node(**COMMANDS, **PATIENT)
    running.wait(lambda: running.robot.success_after is not None, 60, "success")
    times = [moment for moment, _ in running.robot.commands]
    rate = (len(times) - 1) / (times[-1] - times[0])
    assert 10 < rate < 55, "50 commands a second, as the robot file says; fewer if this machine has no time"


@pytest.mark.parametrize("mode", ["trajectory", "commands"])
def test_a_stop_brings_the_robot_to_rest_until_it_is_resumed(setting, mode):
    setting.daemon(*(ROBOT_FILE if mode == "commands" else ()))
    running = setting.robot(SEED)
    node = setting.node(**(COMMANDS if mode == "commands" else {}), **PATIENT)
    wait_for_motion(running)

    stopped = setting.call("stop")
    assert (stopped.success, stopped.message) == (True, "stopped, until ~/resume")
    wait_for_rest(running)
    if mode == "trajectory":
        last = running.robot.trajectories[-1][1]
        assert [list(point.velocities) for point in last.points] == [[0, 0]]
    diagnosis = setting.diagnosis(lambda status: status.message.startswith("stopped: "))
    assert diagnosis.level == b"\x02" and diagnosis.hardware_id == "arm1"
    sent = len(running.robot.trajectories) + len(running.robot.commands)
    running.wait(lambda: running.robot.elapsed > 0 and speed(running, 1.0) < 1, 5, "rest for a second")
    assert len(running.robot.trajectories) + len(running.robot.commands) == sent

    resumed = setting.call("resume")
    assert (resumed.success, resumed.message) == (True, "released; it moves with the next chunk")
    wait_for_motion(running)
    assert setting.call("reset").message == "an episode begins"
    wait_for_motion(running)
    values = {each.key: each.value for each in setting.diagnosis(lambda status: "moving" in status.message).values}
    assert int(values["observations"]) > 0 and values["disc.refused"] == "0"
    assert node.end() == 0


@pytest.mark.parametrize("kind", ["image", "compressed_image"])
def test_a_camera_that_stops_holds_the_robot_until_it_is_back(setting, kind):
    setting.daemon(policy="pusht-image")
    running = setting.robot(SEED, camera=kind)
    node = setting.node(**CAMERA, camera__type=kind)
    wait_for_motion(running)

    running.robot.is_camera_silent = True
    node.wait_for(r"nothing is sent to the daemon: camera: 0\.\d+ s old, expected 0\.5 s at most \(image\)")
    wait_for_rest(running)
    diagnosis = setting.diagnosis(lambda status: status.message.startswith("waiting: camera: "))
    values = {each.key: each.value for each in diagnosis.values}
    assert diagnosis.level == b"\x01" and float(values["camera.age_s"]) > 0.5
    later = setting.diagnosis(lambda status: True)
    assert {each.key: each.value for each in later.values}["observations"] == values["observations"]
    assert node.output.count("nothing is sent to the daemon") <= 2, "not a line for every control step"

    running.robot.is_camera_silent = False
    wait_for_motion(running)
    assert node.end() == 0


def test_the_robot_rests_while_the_daemon_is_gone_and_goes_on_with_the_next(setting):
    ports = free_ports()
    daemon = setting.daemon(ports=ports)
    running = setting.robot(SEED)
    node = setting.node(**PATIENT, request_timeout=0.5)
    wait_for_motion(running)
    assert setting.call("stop").success
    daemon.end(signal.SIGKILL)
    node.wait_for("the daemon is gone")
    wait_for_rest(running)
    assert not setting.call("resume").success
    refused = setting.call("stop")
    assert not refused.success and "tells the daemon once it answers" in refused.message

    again = setting.daemon(ports=ports)
    node.wait_for("the daemon is back")
    # A new daemon knows of no stop: the node tells it.
    again.wait_for("arm1 is stopped")
    setting.diagnosis(lambda status: status.message == "stopped: a stop was requested")
    assert speed(running, 0.3) < 1
    assert setting.call("resume").success
    wait_for_motion(running)


@pytest.mark.parametrize(("shutdown", "number"), [("stop", signal.SIGINT), ("reset", signal.SIGTERM)])
def test_the_end_of_the_node_brings_the_robot_to_rest(setting, shutdown, number):
    setting.daemon(*ROBOT_FILE)
    running = setting.robot(SEED)
    node = setting.node(**COMMANDS, **PATIENT, shutdown=shutdown)
    wait_for_motion(running)
    assert node.end(number) == 0
    wait_for_rest(running)
    assert ("the robot is stopped" if shutdown == "stop" else "the episode is over") in node.output

    # The message tells that the robot was stopped at the daemon, or was not.
    again = setting.node(**COMMANDS, **PATIENT, resume_at_start=True)
    again.wait_for("resume_at_start: released" if shutdown == "stop" else "resume_at_start: the robot was not stopped")
    wait_for_motion(running)


def test_messages_that_cannot_be_used_are_told_once_in_a_while(setting):
    setting.daemon()
    running = setting.robot(SEED)
    node = setting.node(disc__joints=["x", "z"])
    fault = r"disc \(joint_states\): name: found no joint 'z' in \['gripper', 'y', 'x'\], expected each of \['x', 'z'\] once"
    node.wait_for(fault)
    diagnosis = setting.diagnosis(lambda status: "disc: none of" in status.message)
    assert int({each.key: each.value for each in diagnosis.values}["disc.refused"]) > 1
    assert node.output.count("found no joint 'z' in") <= 4
    assert not running.robot.trajectories
    # The node goes on: a publisher that has the joint is listened to.
    running.robot.is_silent = True
    message = JointState(name=["x", "z"], position=running.robot.world.place_of_disc)
    message.header.stamp = running.robot.get_clock().now().to_msg()
    running.robot.joints.publish(message)
    setting.diagnosis(lambda status: "disc: none of" not in status.message)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(contrl_hz=5.0), "parameter contrl_hz: found 5.0, expected a parameter that the node has; did you mean control_hz?"),
        (dict(endpoint="5557"), "endpoint: found '5557'"),
        (dict(joints=["x"]), "parameter joints: found 1 names, expected 2, one for each number of an action"),
        (dict(joints=[True]), "Couldn't parse|parameter joints: found"),
    ],
)
def test_a_wrong_parameter_ends_the_node_with_what_was_expected(setting, changes, says):
    setting.daemon()
    node = setting.node(**changes)
    assert node.process.wait(15) == 1
    node.reader.join()
    assert any(part in node.output for part in says.split("|")), node.output
    assert "Traceback" not in node.output


def test_ages_may_be_set_while_the_node_runs_and_topics_may_not(setting):
    from rcl_interfaces.srv import DescribeParameters, SetParameters
    from rclpy.parameter import Parameter

    setting.daemon()
    setting.robot(SEED)
    node = setting.node()
    node.wait_for("moving")
    changes = [
        Parameter("disc.max_age", value=2.5),
        Parameter("disc.max_age", value=3),
        Parameter("disc.max_age", value=-1.0),
        Parameter("disc.topic", value="other"),
        Parameter("output.include_beyond", value=False),
    ]
    request = SetParameters.Request(parameters=[change.to_parameter_msg() for change in changes])
    results = setting.ask(SetParameters, "set_parameters", request).results
    assert [result.successful for result in results] == [True, True, False, False, True]
    assert results[2].reason == "parameter disc.max_age: found -1.0, expected a number above 0 up to 3600"
    assert "read-only" in results[3].reason
    described = setting.ask(
        DescribeParameters, "describe_parameters", DescribeParameters.Request(names=["disc.max_age", "joints"])
    )
    assert [each.read_only for each in described.descriptors] == [False, True]
    assert described.descriptors[0].additional_constraints == "a number above 0 up to 3600"


def test_a_quality_of_service_that_does_not_fit_is_told(setting):
    setting.daemon()
    setting.robot(SEED)
    node = setting.node(disc__qos__reliability="reliable")
    node.wait_for(r"joint_states.*incompatible QoS")
    assert setting.diagnosis(lambda status: "disc: no message yet (joint_states)" in status.message).level == b"\x01"


def test_the_simulated_robot_sees_what_the_policy_was_trained_on(setting):
    """Its picture is drawn by hand: the block is where the world has it."""
    running = setting.robot(SEED, camera="image")
    world = World()
    world.reset(SEED)
    rows, columns = np.nonzero((running.robot.picture() == (119, 136, 153)).all(axis=2))
    corners = np.array(world.keypoints).reshape(8, 2)
    middle = (corners[:4].mean(axis=0) * 3600 + corners[4:].mean(axis=0) * 2700) / 6300
    assert abs((columns.mean() + 0.5) * 512 / 96 - middle[0]) < 8 and abs((rows.mean() + 0.5) * 512 / 96 - middle[1]) < 8
