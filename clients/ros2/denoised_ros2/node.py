"""The node: topics, services and parameters around a Bridge. The only module that imports rclpy."""

import contextlib
import logging
import signal
import sys
import threading
import traceback

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Float32MultiArray, Float64MultiArray, MultiArrayDimension
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from denoised import DenoisedError, Keys, NoReply, Robot

from .bridge import Bridge, Throttle
from .faults import ParameterFault
from .outputs import fill_command
from .parameters import BUILT_IN, change_setting, read_settings

MESSAGES = {
    "joint_state": JointState,
    "image": Image,
    "compressed_image": CompressedImage,
    "float32_multi_array": Float32MultiArray,
    "float64_multi_array": Float64MultiArray,
}
DIAGNOSTICS_EVERY = 1.0  # seconds
# What `ros2 topic echo /diagnostics` and rqt show for each state of the bridge.
LEVELS = {
    "moving": DiagnosticStatus.OK,
    "holding": DiagnosticStatus.OK,
    "waiting": DiagnosticStatus.WARN,
    "stopped": DiagnosticStatus.ERROR,
    "failed": DiagnosticStatus.ERROR,
    "gone": DiagnosticStatus.STALE,
}


def quality(settings):
    """A topic's quality of service, as rclpy has it."""
    return QoSProfile(
        depth=settings.depth,
        reliability=ReliabilityPolicy[settings.reliability.upper()],
        durability=DurabilityPolicy[settings.durability.upper()],
    )


class Failure(Exception):
    """There is no going on."""


class Log(logging.Handler):
    """The node's log, for lines whose level is known at run time, and for those of the client."""

    def __init__(self, logger):
        super().__init__()
        # rclpy wants each place of the source to have one level.
        self._by_level = {
            "info": lambda text: logger.info(text),
            "warn": lambda text: logger.warning(text),
            "error": lambda text: logger.error(text),
            "fatal": lambda text: logger.fatal(text),
        }

    def say(self, level, text):
        self._by_level[level](text)

    def emit(self, record):
        level = "error" if record.levelno >= logging.ERROR else "warn" if record.levelno >= logging.WARNING else "info"
        self.say(level, record.getMessage())


class DenoisedNode(Node):
    """Subscribes to the inputs, and publishes what the daemon plans. Raises ParameterFault."""

    def __init__(self, name="denoised", **options):
        super().__init__(name, automatically_declare_parameters_from_overrides=True, **options)
        given = {name: parameter.value for name, parameter in self.get_parameters_by_prefix("").items()}
        self.settings = read_settings(given)
        self._declare_parameters()
        self.log = Log(self.get_logger())
        logging.getLogger("denoised").addHandler(self.log)
        logging.getLogger("denoised").setLevel(logging.INFO)
        self._throttled = Throttle(self.log.say)
        settings, output = self.settings, self.settings.output
        self.robot = Robot(
            settings.endpoint,
            settings.robot,
            hz=settings.control_hz,
            commands=output.mode == "commands",
            policy=settings.policy or None,
            keys=Keys.load(settings.curve_key, settings.curve_server) if settings.curve_key else None,
            timeout=settings.request_timeout,
            **({"clock": self._now_ns} if settings.clock == "ros" else {}),
        )
        self.bridge = Bridge(
            self.robot,
            settings,
            now_ns=self._now_ns,
            send_trajectory=self._send_trajectory,
            send_command=self._send_command,
            say=self.log.say,
        )
        kind = JointTrajectory if output.mode == "trajectory" else Float64MultiArray
        self._output = self.create_publisher(kind, output.topic, quality(output.qos))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._subscribe()
        self._offer_services()
        # By a clock that goes on when simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(DIAGNOSTICS_EVERY, self._diagnose, self._group(), clock=steady)
        self.failure = None  # why the node ends
        self._control = threading.Thread(target=self._run, name="control", daemon=True)
        self._is_ending = False

    # Parameters

    def _declare_parameters(self):
        """Declares them again, with what they are and what they may be."""
        for name, parameter in self.settings.parameters.items():
            if self.has_parameter(name):
                self.undeclare_parameter(name)
            value = self.settings.values[name]
            descriptor = ParameterDescriptor(
                description=parameter.description,
                read_only=parameter.read_only,
                additional_constraints=parameter.expected,
                # A number may be given as an integer.
                dynamic_typing=parameter.kind == "number",
            )
            # rclpy cannot tell what an empty list is a list of.
            declared = RosParameter.Type.STRING_ARRAY if value == () else list(value) if isinstance(value, tuple) else value
            self.declare_parameter(name, declared, descriptor, ignore_override=True)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._take_parameters)

    def _check_parameters(self, parameters):
        for changed in parameters:
            known = self.settings.parameters.get(changed.name)
            if known is None and changed.name.partition(".")[0] in BUILT_IN:
                continue
            try:
                known.checked(changed.name, changed.value)
            except ParameterFault as fault:
                return SetParametersResult(successful=False, reason=str(fault))
        return SetParametersResult(successful=True)

    def _take_parameters(self, parameters):
        for changed in parameters:
            if changed.name in self.settings.parameters:
                change_setting(self.settings, changed.name, changed.value)

    # Topics and services

    def _group(self):
        return MutuallyExclusiveCallbackGroup()

    def _now_ns(self):
        return self.get_clock().now().nanoseconds

    def _subscribe(self):
        for name, source in self.settings.inputs.items():
            self.create_subscription(
                MESSAGES[source.type],
                source.topic,
                lambda message, name=name: self.bridge.take_message(name, message),
                quality(source.qos),
                callback_group=self._group(),
            )

    def _send_trajectory(self, trajectory):
        message = trajectory.fill(JointTrajectory(), JointTrajectoryPoint, self.settings.joints, self.settings.output.frame_id)
        self._output.publish(message)

    def _send_command(self, action):
        self._output.publish(fill_command(Float64MultiArray(), MultiArrayDimension, action))

    def _offer_services(self):
        group = ReentrantCallbackGroup()  # a stop need not wait for a reset that waits for the daemon
        for name in ("stop", "resume", "reset"):
            order = getattr(self.bridge, name)
            self.create_service(
                Trigger,
                f"~/{name}",
                lambda request, response, name=name, order=order: self._serve(name, order, response),
                callback_group=group,
            )

    def _serve(self, name, order, response):
        response.success, response.message = order()
        self.log.say("info" if response.success else "error", f"~/{name}: {response.message}")
        return response

    def _diagnose(self):
        state, reason = self.bridge.state
        status = DiagnosticStatus(
            level=LEVELS[state],
            name=f"{self.get_name()}: {self.settings.robot}",
            message=f"{state}: {reason}" if reason else state,
            hardware_id=self.settings.robot,
        )
        values = {"endpoint": self.settings.endpoint, "state": state, "episode": self.robot.episode, "step": self.robot.step}
        values |= self.bridge.counts
        values |= {"latency_ms": self.bridge.latency_ms, "reconnects": self.robot.reconnects, "malformed": self.robot.malformed}
        for name, age in self.bridge.ages().items():
            counts = self.bridge.inputs.counts[name]
            values |= {f"{name}.age_s": age, f"{name}.used": counts.used, f"{name}.refused": counts.refused}
        status.values = [KeyValue(key=key, value=shown(value)) for key, value in values.items()]
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    # Control

    def start(self):
        """Begins to connect to the daemon, and then to move the robot."""
        self._control.start()

    def _run(self):
        try:
            self._connect()
            self.bridge.run()
        except Failure as failure:
            self.failure = str(failure)
        except Exception:
            # Nothing else tells of what ends a thread.
            self.failure = traceback.format_exc()

    def _connect(self):
        while not self._is_ending and not self.bridge.is_ready:
            try:
                policy = self.robot.connect(self.settings.request_timeout).policy
            except NoReply as error:
                self._throttled("warn", "connect", f"{error}; the node goes on trying")
                continue
            except DenoisedError as error:
                raise Failure(str(error)) from None
            if problems := self.bridge.prepare(policy):
                raise Failure("; ".join(problems))
            mode = "trajectories" if self.settings.output.mode == "trajectory" else "commands"
            self.log.say(
                "info",
                f"{self.settings.robot} follows {policy.name} at {self.settings.endpoint}: {mode} of {policy.action_dim} "
                f"numbers to {self._output.topic_name}, {self.settings.control_hz:g} observations a second",
            )
            if self.settings.resume_at_start:
                success, message = self.bridge.resume()
                self.log.say("info" if success else "error", f"resume_at_start: {message}")

    def end(self):
        """Brings the robot to rest, and closes the connection. Call it while the node still spins."""
        self._is_ending = True
        if self._control.is_alive():
            self.log.say("info", self.bridge.end())
            self._control.join(5)
        self.robot.close()
        logging.getLogger("denoised").removeHandler(self.log)


def shown(value):
    """A value for people."""
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def main(arguments=None):
    """Runs the node until SIGINT or SIGTERM. Returns the exit code: 0; 1 if it cannot go on."""
    # rclpy's own handlers end publishing at once, and the robot has yet to be brought to rest.
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        # A parameter file that is no YAML, or has `y` without quotes, which is true, in a list of strings.
        print(f"denoised_ros2: {error}", file=sys.stderr)
        return 1
    is_asked_to_end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_asked_to_end.set())
    try:
        node = DenoisedNode()
    except (ParameterFault, ParameterException, DenoisedError) as fault:
        rclpy.logging.get_logger("denoised").fatal(str(fault))
        rclpy.try_shutdown()
        return 1
    spinner = Spinner(node)
    node.start()
    while not is_asked_to_end.wait(0.1) and node.failure is None and node.bridge.defect is None and rclpy.ok():
        pass
    if rclpy.ok():
        node.end()
    failure = node.failure or node.bridge.defect
    if failure is not None:
        node.log.say("fatal", failure)
    spinner.end()
    node.destroy_node()
    rclpy.try_shutdown()
    return 0 if failure is None else 1


class Spinner:
    """Serves a node's callbacks in threads of its own, until `end`."""

    def __init__(self, node):
        self._executor = MultiThreadedExecutor(num_threads=4)
        self._executor.add_node(node)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="executor", daemon=True)
        self._thread.start()

    def _spin(self):
        with contextlib.suppress(ExternalShutdownException):
            while not self._is_over.is_set():
                self._executor.spin_once(timeout_sec=0.1)

    def end(self):
        """Ends serving. An executor that is shut down while it spins fails, and loses what its callbacks publish."""
        self._is_over.set()
        self._thread.join(2)
        self._executor.shutdown()


if __name__ == "__main__":
    sys.exit(main())
