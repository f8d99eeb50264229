"""Starts the node: `ros2 launch denoised_ros2 denoised.launch.py params_file:=robot.yaml`."""

from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription


def generate_launch_description():
    example = PathJoinSubstitution([FindPackageShare("denoised_ros2"), "config", "pusht.yaml"])
    arguments = [
        DeclareLaunchArgument("params_file", default_value=example, description="the node's parameters, YAML"),
        DeclareLaunchArgument("name", default_value="denoised", description="the node's name, as its services have it"),
        DeclareLaunchArgument("namespace", default_value="", description="a namespace for the node and its relative topics"),
        DeclareLaunchArgument("use_sim_time", default_value="false", description="time from /clock, for simulators and bags"),
        DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn, error or fatal"),
    ]
    node = Node(
        package="denoised_ros2",
        executable="node",
        name=LaunchConfiguration("name"),
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            LaunchConfiguration("params_file"),
            {"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)},
        ],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        output="screen",
        emulate_tty=True,
        # Ctrl-C: the node stops the robot and waits until it is at rest.
        sigterm_timeout="10",
    )
    return LaunchDescription([*arguments, node])
