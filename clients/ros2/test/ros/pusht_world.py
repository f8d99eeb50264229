"""PushT's physics, as sim/pusht.json describes them and gym-pusht computes them, with Chipmunk by pymunk.

`test_the_world_is_gym_pushts` compares it with episodes that gym-pusht itself made.
"""

import json
import pathlib

import numpy as np
import pymunk
import shapely

ROOT = pathlib.Path(__file__).resolve().parents[4]
TASK = json.loads((ROOT / "sim/pusht.json").read_text())
STEP = TASK["control"]["physics_time_step"]  # seconds
SUCCESS_COVERAGE = TASK["episode"]["success_coverage"]
# The corners of the T in the order of `observation.environment_state`: the bar, then the stem.
KEYPOINTS = [(-60, 0), (60, 0), (60, 30), (-60, 30), (-15, 30), (15, 30), (15, 120), (-15, 120)]


def space_of(world):
    """An empty table with its walls."""
    space = pymunk.Space()
    space.gravity, space.damping = tuple(world["gravity"]), world["damping"]
    space.iterations = world["solver_iterations"]
    space.add(*(pymunk.Segment(space.static_body, wall["from"], wall["to"], wall["radius"]) for wall in world["walls"]))
    return space


class World:
    """One table: a disc that follows a target, and the block that it pushes. Lengths are in pixels."""

    def __init__(self):
        self.space = space_of(TASK["world"])
        disc, block = TASK["agent"], TASK["block"]
        self.disc = pymunk.Body(body_type=pymunk.Body.KINEMATIC)
        self.disc.position = tuple(disc["start"])
        self.space.add(self.disc, pymunk.Circle(self.disc, disc["radius"]))
        parts = block["parts"]
        inertia = sum(pymunk.moment_for_poly(block["mass"], parts[part]) for part in block["inertia_parts"])
        self.block = pymunk.Body(block["mass"], inertia)
        self.shapes = [pymunk.Poly(self.block, part) for part in parts]
        middles = [shape.center_of_gravity for shape in self.shapes]
        self.block.center_of_gravity = sum(middles, pymunk.Vec2d(0, 0)) / len(middles)
        self.block.position = tuple(block["start"])
        self.space.add(self.block, *self.shapes)
        self.gains = disc["position_gain"], disc["velocity_gain"]
        goal = pymunk.Body(block["mass"], inertia)
        goal.center_of_gravity = self.block.center_of_gravity
        goal.angle, goal.position = TASK["goal"]["angle"], tuple(TASK["goal"]["position"])
        self.goal = self._outline(goal)

    def reset(self, seed):
        """The state that gym-pusht draws from a seed."""
        random, ranges = np.random.default_rng(seed), TASK["reset"]
        draws = [random.integers(*ranges[name]) for name in ("agent_x", "agent_y", "block_x", "block_y")]
        self.place([*draws, random.uniform(*ranges["block_angle"])])

    def place(self, state):
        """Puts disc and block at [disc x, y, block x, y, angle], and lets one moment of physics pass."""
        self.disc.position, self.disc.velocity = (float(state[0]), float(state[1])), (0, 0)
        self.block.velocity, self.block.angular_velocity = (0, 0), 0
        # Turning, about the centre of mass, moves the block. gym-pusht does it in this order.
        self.block.position = float(state[2]), float(state[3])
        self.block.angle = float(state[4])
        self.space.step(STEP)

    def advance(self, target):
        """STEP seconds with the disc drawn to `target`."""
        position_gain, velocity_gain = self.gains
        pull = (pymunk.Vec2d(*map(float, target)) - self.disc.position) * position_gain
        self.disc.velocity += (pull - self.disc.velocity * velocity_gain) * STEP
        self.space.step(STEP)

    @property
    def place_of_disc(self):
        return [self.disc.position.x, self.disc.position.y]

    @property
    def state(self):
        """[disc x, y, block x, y, angle from 0 to 2 pi]."""
        return [*self.place_of_disc, self.block.position.x, self.block.position.y, self.block.angle % (2 * np.pi)]

    @property
    def keypoints(self):
        """The 16 numbers of `observation.environment_state`."""
        return [coordinate for corner in KEYPOINTS for coordinate in self.block.local_to_world(corner)]

    @property
    def coverage(self):
        """How much of the goal the block covers, 0 to 1."""
        return self.goal.intersection(self._outline(self.block)).area / self.goal.area

    def _outline(self, body):
        parts = [[body.local_to_world(corner) for corner in shape.get_vertices()] for shape in self.shapes]
        return shapely.MultiPolygon([(part, ()) for part in parts])
