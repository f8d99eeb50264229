"""gym-pusht's simulator, made quick for many episodes: the same physics, and coverage only where it matters."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pymunk
import shapely.geometry
from gym_pusht.envs.pusht import PushTEnv
from pymunk.vec2d import Vec2d

from pusht_data import GOAL_POSE

SUCCESS_COVERAGE = 0.95
AGENT_RADIUS = 15  # pixels
FRAME_SIZE = 96  # pixels of a camera frame, each way
# Further from the goal than this, in pixels or rad, less than 0.6 of it is covered.
_NEAR_DISTANCE, _NEAR_ANGLE = 60.0, 1.0


@dataclass(frozen=True)
class Pushed:
    """How far the agent went on a straight push, and where the block is then."""

    length: float
    pose: np.ndarray


class World:
    """One PushT table: an agent that follows commanded positions, and the block it pushes."""

    def __init__(self):
        self._environment = PushTEnv(obs_type="state")
        self._environment.reset(seed=0)
        self._goal = self._polygon(self._environment.get_goal_pose_body(GOAL_POSE))

    def reset(self, seed: int) -> None:
        """The initial state that gym-pusht draws from the seed."""
        self._environment.reset(seed=seed)

    def place(self, state: np.ndarray) -> bool:
        """Puts agent and block at [agent x, y, block x, y, angle], at rest.

        Returns false if that place is not free, so that the block moves by itself.
        """
        environment = self._environment
        environment._setup()
        environment.agent.position = Vec2d(*map(float, state[:2]))
        # The angle first: turning moves the position, for the block turns about its centre of mass.
        environment.block.angle = float(state[4])
        environment.block.position = Vec2d(*map(float, state[2:4]))
        # An overlap is found in the first step, and moves the block in the second.
        for _ in range(2):
            environment.space.step(environment.dt)
        return bool(np.abs(self._pose_with_winding() - state[2:]).max() < 1e-6)

    def advance(self, action: np.ndarray) -> None:
        """One control step of 0.1 s towards the commanded agent position, as `PushTEnv.step` makes it."""
        environment = self._environment
        target = Vec2d(float(action[0]), float(action[1]))
        for _ in range(int(1 / (environment.dt * environment.control_hz))):
            agent = environment.agent
            acceleration = environment.k_p * (target - agent.position) + environment.k_v * (Vec2d(0, 0) - agent.velocity)
            agent.velocity += acceleration * environment.dt
            environment.space.step(environment.dt)

    def push_straight(self, state: np.ndarray, direction: np.ndarray, length: float) -> Iterator[Pushed]:
        """Puts agent and block there and moves the agent along the unit vector `direction`, half a pixel at a time.

        Yields after each pixel. The block has no momentum, so that the speed of a push does not matter.
        """
        environment = self._environment
        agent, block = environment.agent, environment.block
        agent.position = Vec2d(*map(float, state[:2]))
        block.angle = float(state[4])
        block.position = Vec2d(*map(float, state[2:4]))
        block.velocity, block.angular_velocity = Vec2d(0, 0), 0.0
        agent.velocity = Vec2d(*map(float, direction)) * (0.5 / environment.dt)
        for pixel in range(int(length)):
            environment.space.step(environment.dt)
            environment.space.step(environment.dt)
            yield Pushed(pixel + 1.0, self._pose_with_winding())

    @property
    def state(self) -> np.ndarray:
        """[agent x, y, block x, y (pixels), block angle (rad, in 0 to 2 pi)]."""
        return self._environment.get_obs()

    @property
    def coverage(self) -> float:
        """The part of the goal that the block covers; 0 if the block is so far off that it is less than 0.6."""
        pose = self._pose_with_winding()
        turned = abs((pose[2] - GOAL_POSE[2] + np.pi) % (2 * np.pi) - np.pi)
        if turned > _NEAR_ANGLE or np.hypot(*(pose[:2] - GOAL_POSE[:2])) > _NEAR_DISTANCE:
            return 0.0
        return self._goal.intersection(self._polygon(self._environment.block)).area / self._goal.area

    @property
    def frame(self) -> np.ndarray:
        """What gym-pusht's camera sees, [96, 96, 3] uint8, RGB: its `pixels_agent_pos`, without its detours."""
        screen = self._environment._draw()
        pixels = np.frombuffer(screen.get_buffer(), np.uint8).reshape(screen.get_height(), screen.get_width(), 4)
        # The screen is BGRA.
        return cv2.resize(pixels, (FRAME_SIZE, FRAME_SIZE))[..., 2::-1].copy()

    def _pose_with_winding(self) -> np.ndarray:
        block = self._environment.block
        return np.array([block.position.x, block.position.y, block.angle])

    def _polygon(self, body: pymunk.Body) -> shapely.geometry.MultiPolygon:
        corners = [[body.local_to_world(v) for v in shape.get_vertices()] for shape in self._environment.block.shapes]
        return shapely.geometry.MultiPolygon([(ring, ()) for ring in corners])
