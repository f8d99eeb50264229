"""A robot as a ROS node: PushT's disc and block, a joint state and the block's corners out, trajectories or commands in."""

import threading
import time

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from pusht_world import STEP, SUCCESS_COVERAGE, World

SIZE = 96  # pixels of a camera's frame
CONTROL_STEPS_PER_OBSERVATION = 2  # states are published every so many steps of physics: 50 a second
SENSOR = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT, durability=DurabilityPolicy.VOLATILE)


class Follower:
    """Carries out a trajectory as ros2_control's joint_trajectory_controller does, by linear interpolation.

    A trajectory replaces the one before at once. Until its first point the way goes there from where it is then.
    """

    def __init__(self, place):
        # One value, because one thread takes trajectories and another follows them.
        self._way = [0.0], np.array([place])

    def take(self, message, now):
        start = message.header.stamp.sec + message.header.stamp.nanosec / 1e9 or now
        offsets = [point.time_from_start.sec + point.time_from_start.nanosec / 1e9 for point in message.points]
        here = self.at(now)
        later = [index for index, offset in enumerate(offsets) if start + offset > now]
        times = [now, *(start + offsets[index] for index in later)]
        self._way = times, np.array([here, *(message.points[index].positions for index in later)])

    def at(self, now):
        times, places = self._way
        return np.array([np.interp(now, times, column) for column in places.T])


class SimulatedRobot(Node):
    """`speed`: seconds of the simulation in a second. Unless that is 1, the robot publishes /clock and lives by it."""

    def __init__(self, seed, speed=1.0, camera=None):
        super().__init__("simulated_robot")
        self.world, self.speed, self.camera = World(), speed, camera
        self.world.reset(seed)
        self.follower = Follower(self.world.place_of_disc)
        self.command = None
        self.trajectories, self.commands, self.positions = [], [], []
        self.best_coverage = self.world.coverage
        self.is_silent = self.is_camera_silent = False
        self.success_after = None
        self.joints = self.create_publisher(JointState, "joint_states", SENSOR)
        self.block = self.create_publisher(Float64MultiArray, "block", SENSOR)
        self.clock = self.create_publisher(Clock, "/clock", 1) if speed != 1 else None
        if camera is not None:
            kind = CompressedImage if camera == "compressed_image" else Image
            self.frames = self.create_publisher(kind, "image", SENSOR)
        reliable = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        self.create_subscription(JointTrajectory, "joint_trajectory", self._take_trajectory, reliable)
        self.create_subscription(Float64MultiArray, "commands", self._take_command, reliable)
        # Simulated time starts far from zero, which would be no stamp.
        self.start = time.time() if speed == 1 else 1000.0
        self.elapsed = 0.0

    @property
    def now(self):
        return self.start + self.elapsed

    def miss(self, seconds):
        """Leaves out so much time: stamps are those of the machine's clock, unless time is simulated."""
        if self.clock is None:
            self.start += seconds

    def _take_trajectory(self, message):
        self.trajectories.append((self.now, message))
        self.follower.take(message, self.now)
        self.command = None

    def _take_command(self, message):
        self.commands.append((self.now, list(message.data)))
        self.command = list(message.data)

    def advance(self):
        """One step of physics, and what the sensors publish after it."""
        target = self.command if self.command is not None else self.follower.at(self.now)
        self.world.advance(target)
        self.elapsed += STEP
        self.positions.append((self.now, *self.world.place_of_disc))
        step = round(self.elapsed / STEP)
        if step % 10 == 0:
            self.best_coverage = max(self.best_coverage, self.world.coverage)
            if self.success_after is None and self.best_coverage > SUCCESS_COVERAGE:
                self.success_after = self.elapsed
        stamp = Time(sec=int(self.now), nanosec=int(self.now % 1 * 1e9))
        if self.clock is not None:
            self.clock.publish(Clock(clock=stamp))
        if step % CONTROL_STEPS_PER_OBSERVATION == 0 and not self.is_silent:
            self._publish_states(stamp)
        if self.camera is not None and step % 5 == 0 and not self.is_camera_silent:
            self._publish_frame(stamp)

    def _publish_states(self, stamp):
        x, y = self.world.place_of_disc
        # In another order than the policy's, with a joint that it does not know.
        message = JointState(name=["gripper", "y", "x"], position=[0.0, y, x])
        message.header.stamp = stamp
        self.joints.publish(message)
        self.block.publish(Float64MultiArray(data=self.world.keypoints))

    def _publish_frame(self, stamp):
        pixels = self.picture()
        if self.camera == "compressed_image":
            message = CompressedImage(format="bgr8; jpeg compressed bgr8", data=encoded(pixels))
        else:
            message = Image(height=SIZE, width=SIZE, encoding="bgr8", step=SIZE * 3, data=pixels[..., ::-1].tobytes())
        message.header.stamp, message.header.frame_id = stamp, "camera"
        self.frames.publish(message)

    def picture(self):
        """The table from above, roughly as PushT's camera sees it, [SIZE, SIZE, 3] of uint8."""
        rows, columns = np.mgrid[0:SIZE, 0:SIZE] * (512 / SIZE) + 256 / SIZE
        pixels = np.full((SIZE, SIZE, 3), 255, np.uint8)
        body = self.world.block
        offsets = np.stack([columns - body.position.x, rows - body.position.y])
        cosine, sine = np.cos(body.angle), np.sin(body.angle)
        x, y = cosine * offsets[0] + sine * offsets[1], cosine * offsets[1] - sine * offsets[0]
        bar, stem = (abs(x) < 60) & (y > 0) & (y < 30), (abs(x) < 15) & (y > 0) & (y < 120)
        pixels[bar | stem] = (119, 136, 153)
        disc = self.world.place_of_disc
        pixels[(columns - disc[0]) ** 2 + (rows - disc[1]) ** 2 < 15**2] = (65, 105, 225)
        return pixels


def encoded(pixels):
    import io

    from PIL import Image as Picture

    file = io.BytesIO()
    Picture.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


class Running:
    """A robot whose world moves, in two threads: its physics, and what it receives."""

    def __init__(self, robot):
        self.robot = robot
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(robot)
        self.is_over = False
        self.threads = [threading.Thread(target=self._spin), threading.Thread(target=self._simulate)]
        for thread in self.threads:
            thread.start()

    def _spin(self):
        while not self.is_over and rclpy.ok():
            self.executor.spin_once(timeout_sec=0.1)

    def _simulate(self):
        robot = self.robot
        start = time.monotonic()
        while not self.is_over and rclpy.ok():
            robot.advance()
            # In step with the clock; what was missed, because the machine had no time, is missed.
            late = time.monotonic() - start - robot.elapsed / robot.speed
            if late < 0:
                time.sleep(-late)
            elif late > 0.2:
                start += late
                robot.miss(late)

    def wait(self, condition, seconds, what):
        """Waits until `condition` holds; an AssertionError that names `what` if it does not."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.02)

    def close(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()
        self.executor.shutdown()
        self.robot.destroy_node()
