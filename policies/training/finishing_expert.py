"""A planner that brings the T from near the goal onto it, push by push, with the simulator as its model.

The demonstrations end a few pixels short of what an episode asks for. This expert shows the rest: it tries pushes all
around the block in the simulator, carries out the one that leaves the block closest to the goal, and begins again.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from pusht_data import BLOCK_CORNERS, distance_to_goal
from world import AGENT_RADIUS, SUCCESS_COVERAGE, World

# The T's outline, pixels in the block's frame, and for each edge the direction out of the block.
OUTLINE = BLOCK_CORNERS[[0, 1, 2, 5, 6, 7, 4, 3]]
_EDGES = np.roll(OUTLINE, -1, axis=0) - OUTLINE
_LENGTHS = np.linalg.norm(_EDGES, axis=1)
_OUTWARD = np.stack((_EDGES[:, 1], -_EDGES[:, 0]), axis=1) / _LENGTHS[:, None]

# Distances between the agent's centre and the block, pixels: where a push begins, and what a way around it keeps.
PUSH_DISTANCE = AGENT_RADIUS + 12
CORNER_DISTANCE = AGENT_RADIUS + 10
CLEARANCE = AGENT_RADIUS + 5
# The agent's centre stays this far inside the walls.
_TABLE = shapely.box(22, 22, 489, 489)

CONTACT_SPACING = 7.5  # along the outline
LONGEST_PUSH = 60.0
TRAVEL_SPEED = 14.0  # pixels a control step
PUSH_SPEED = 6.0
HOLD_STEPS = 3
# A controlled agent lags behind a moving target by this many control steps: k_v / k_p = 0.2 s.
LAG_STEPS = 2.0
# What a control step costs against what a push gains, pixels.
STEP_COST = 0.05


@dataclass(frozen=True)
class Push:
    """A straight push: the agent goes to `start` and then along `direction` for `length` pixels."""

    start: np.ndarray
    direction: np.ndarray
    length: float
    way: np.ndarray  # [points, 2] from where the agent is to `start`
    remaining: float  # distance to the goal after it


def to_world(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    return rotated(points, pose[2]) + pose[:2]


def rotated(points: np.ndarray, angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return points @ np.array([[cosine, sine], [-sine, cosine]])


def contacts() -> tuple[np.ndarray, np.ndarray]:
    """Points on the outline and the direction out of the block at each, in the block's frame; each [contacts, 2]."""
    points, outward = [], []
    for corner, edge, length, out in zip(OUTLINE, _EDGES, _LENGTHS, _OUTWARD, strict=True):
        count = int(length // CONTACT_SPACING)
        for i in range(count):
            points.append(corner + edge * (i + 0.5) / count)
            outward.append(out)
    return np.array(points), np.array(outward)


_CONTACTS, _CONTACT_OUTWARD = contacts()


class FinishingExpert:
    def __init__(self, random: np.random.Generator):
        self.random = random
        self.model = World()

    def finish(self, world: World, max_steps: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Pushes the block onto the goal. Returns states [steps, 5], actions [steps, 2] and the step of success or -1."""
        states, actions = [], []
        while len(states) < max_steps:
            push = self.best_push(world.state)
            if push is None:
                break
            succeeded = -1
            for action in self.targets(push):
                states.append(world.state)
                actions.append(action)
                world.advance(action)
                if succeeded < 0 and world.coverage > SUCCESS_COVERAGE:
                    succeeded = len(states)
            if succeeded >= 0:
                return np.array(states), np.array(actions), succeeded
        return np.array(states), np.array(actions), -1

    def random_push(self, state: np.ndarray) -> Push | None:
        """A push somewhere on the block, of up to 40 pixels; none if that place cannot be reached."""
        agent, pose = state[:2], state[2:]
        i = self.random.integers(len(_CONTACTS))
        start = to_world(_CONTACTS[i] + PUSH_DISTANCE * _CONTACT_OUTWARD[i], pose)
        direction = -rotated(_CONTACT_OUTWARD[i], pose[2])
        length = float(self.random.uniform(12, 40))
        obstacle = shapely.Polygon(to_world(OUTLINE, pose)).buffer(CLEARANCE)
        if shapely.contains_xy(obstacle, *start) or not shapely.contains_xy(_TABLE, *start):
            return None
        way = Roads(agent, pose, obstacle).to(start)
        return None if way is None else Push(start, direction, length, way, np.nan)

    def best_push(self, state: np.ndarray) -> Push | None:
        """The push that leaves least to do, the way to it counted as well; none if no push helps."""
        agent, pose = state[:2], state[2:]
        starts = to_world(_CONTACTS + PUSH_DISTANCE * _CONTACT_OUTWARD, pose)
        directions = -rotated(_CONTACT_OUTWARD, pose[2])
        before = distance_to_goal(pose)
        obstacle = shapely.Polygon(to_world(OUTLINE, pose)).buffer(CLEARANCE)
        free = shapely.contains_xy(_TABLE, starts) & ~shapely.contains_xy(obstacle, starts)
        roads = Roads(agent, pose, obstacle)
        best, best_value = None, 0.0
        for start, direction in zip(starts[free], directions[free], strict=True):
            length, remaining = self.try_push(start, direction, pose)
            value = before - remaining - STEP_COST * length / PUSH_SPEED
            if value <= best_value:
                continue
            way = roads.to(start)
            if way is None:
                continue
            value -= STEP_COST * path_length(way) / TRAVEL_SPEED
            if value > best_value:
                best, best_value = Push(start, direction, length, way, remaining), value
        return best

    def try_push(self, start: np.ndarray, direction: np.ndarray, pose: np.ndarray) -> tuple[float, float]:
        """How far to push from there so that the block ends closest to the goal, and how close that is."""
        best_length, best_remaining = 0.0, distance_to_goal(pose)
        length = 0.0
        for moved in self.model.push_straight(np.concatenate((start, pose)), direction, LONGEST_PUSH):
            length = moved.length
            remaining = distance_to_goal(moved.pose)
            if remaining < best_remaining:
                best_length, best_remaining = length, remaining
            elif remaining > best_remaining + 1.0:
                break
        return best_length, best_remaining

    def targets(self, push: Push) -> np.ndarray:
        """Commanded positions [steps, 2]: the way to the push's start, then the push, then a short hold."""
        way = along(push.way, TRAVEL_SPEED)
        end = push.start + push.direction * push.length
        pushing = along(np.stack((push.start, end)), PUSH_SPEED)
        # A target ahead of where the agent should be makes up for the lag, except at the end, where it must stop.
        path = np.concatenate((way, pushing))
        velocity = np.diff(path, axis=0, append=path[-1:])
        lead = path + LAG_STEPS * velocity
        ahead_of_end = ((lead - end) @ push.direction > 0) & (np.arange(len(path)) >= len(way))
        lead[ahead_of_end] = end
        return np.concatenate((lead, np.repeat(end[None], HOLD_STEPS, axis=0)))


class Roads:
    """Shortest ways for the agent around the block: straight lines by way of points off the block's corners."""

    def __init__(self, agent: np.ndarray, pose: np.ndarray, obstacle: shapely.Polygon):
        self.obstacle = obstacle
        self.beginning = [agent]
        if shapely.contains_xy(obstacle, *agent):
            # Close to the block, the way begins straight out.
            nearest = shapely.get_coordinates(shapely.shortest_line(obstacle.exterior, shapely.Point(agent)))[0]
            outward = (nearest - agent) / max(np.linalg.norm(nearest - agent), 1e-6)
            self.beginning.append(nearest + 2 * outward)
        corners = to_world(OUTLINE + CORNER_DISTANCE * _corner_directions(), pose)
        corners = corners[shapely.contains_xy(_TABLE, corners)]
        self.nodes = np.concatenate((self.beginning[-1][None], corners))
        self.lengths, self.previous = self._shortest_from_agent()

    def to(self, destination: np.ndarray) -> np.ndarray | None:
        """[points, 2] from the agent to the destination; none if there is no way."""
        last = np.where(self._free(self.nodes, destination[None]), np.linalg.norm(self.nodes - destination, axis=1), np.inf)
        node = int(np.argmin(self.lengths + last))
        if not np.isfinite(self.lengths[node] + last[node]):
            return None
        middle = []
        while node != 0:
            middle.append(self.nodes[node])
            node = self.previous[node]
        return np.array([*self.beginning, *reversed(middle), destination])

    def _shortest_from_agent(self) -> tuple[np.ndarray, np.ndarray]:
        """For each node: the length of the shortest way to it from node 0, and the node before it (Bellman, Ford)."""
        count = len(self.nodes)
        a, b = np.divmod(np.arange(count * count), count)
        steps = np.linalg.norm(self.nodes[a] - self.nodes[b], axis=1)
        steps[~self._free(self.nodes[a], self.nodes[b])] = np.inf
        steps = steps.reshape(count, count)
        lengths, previous = steps[0].copy(), np.zeros(count, dtype=int)
        lengths[0] = 0
        for _ in range(count):
            through = lengths[:, None] + steps
            better = through.min(axis=0) < lengths - 1e-9
            previous[better] = through.argmin(axis=0)[better]
            lengths = np.minimum(lengths, through.min(axis=0))
        return lengths, previous

    def _free(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = np.broadcast_arrays(a, b)
        lines = shapely.linestrings(np.stack((a, b), axis=1))
        return ~shapely.intersects(self.obstacle, lines)


def _corner_directions() -> np.ndarray:
    """From each corner of the outline, where the offsets of its two edges by 1 pixel meet."""
    return _OUTWARD + np.roll(_OUTWARD, 1, axis=0)


def path_length(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def along(points: np.ndarray, speed: float) -> np.ndarray:
    """Positions [steps, 2] along a polyline, `speed` apart, without its first point and with its last."""
    lengths = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))))
    steps = max(1, int(np.ceil(lengths[-1] / speed)))
    at = np.linspace(0, lengths[-1], steps + 1)[1:]
    return np.stack([np.interp(at, lengths, points[:, i]) for i in range(2)], axis=1)
