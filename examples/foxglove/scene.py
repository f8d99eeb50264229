#!/usr/bin/env python3
"""Adds the scene to a recording of PushT, so that the 3D panel of Foxglove or Lichtblick shows it.

    pip install mcap
    python3 scene.py RUN.mcap --output RUN-scene.mcap

The copy has a topic more for each robot, /<robot>/scene, with foxglove.SceneUpdate: the goal, the T from the observed keypoints,
the agent, and the plan of the newest chunk. Of a policy that sees through a camera the T is not known, and left out.
"""

import argparse
import json
import math
import pathlib
import sys

try:
    from mcap.exceptions import EndOfFile
    from mcap.stream_reader import StreamReader
    from mcap.writer import CompressionType, Writer
except ImportError:
    sys.exit("this needs the package mcap: pip install mcap")

# The T's two boxes around its origin, and where it belongs, as in sim/pusht.json.
BOXES = [[(-60, 30), (60, 30), (60, 0), (-60, 0)], [(-15, 30), (-15, 120), (15, 120), (15, 30)]]
GOAL_POSITION, GOAL_ANGLE = (256, 256), math.pi / 4
KEYPOINTS = "observation.environment_state"
STATE = "observation.state"
AGENT_RADIUS = 15
COLORS = {
    "goal": (0.61, 0.76, 0.64, 0.6),
    "block": (0.49, 0.58, 0.67, 1),
    "agent": (0.77, 0.41, 0.29, 1),
    "plan": (0.54, 0.24, 0.14, 1),
}


def schema() -> str:
    """The JSON Schema of the parts of foxglove.SceneUpdate that are written."""

    def numbers(*names: str) -> dict:
        return {"type": "object", "properties": {name: {"type": "number"} for name in names}}

    def items(properties: dict) -> dict:
        return {"type": "array", "items": {"type": "object", "properties": properties}}

    time = {"type": "object", "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}}}
    point, color = numbers("x", "y", "z"), numbers("r", "g", "b", "a")
    pose = {"type": "object", "properties": {"position": point, "orientation": numbers("x", "y", "z", "w")}}
    points = {"type": "array", "items": point}
    line = {"type": {"type": "integer"}, "pose": pose, "thickness": {"type": "number"}, "points": points, "color": color}
    entity = {
        "timestamp": time,
        "frame_id": {"type": "string"},
        "id": {"type": "string"},
        "lifetime": time,
        "frame_locked": {"type": "boolean"},
        "triangles": items({"pose": pose, "points": points, "color": color}),
        "lines": items(line),
        "spheres": items({"pose": pose, "size": point, "color": color}),
    }
    return json.dumps({"title": "foxglove.SceneUpdate", "type": "object", "properties": {"entities": items(entity)}})


def vector(x: float, y: float, z: float = 0) -> dict:
    """A point of the table. The simulator's y goes down, a viewer's up."""
    return {"x": x, "y": -y, "z": z}


def color(name: str) -> dict:
    return dict(zip("rgba", COLORS[name], strict=True))


def pose(position: dict | None = None) -> dict:
    return {"position": position or vector(0, 0), "orientation": {"x": 0, "y": 0, "z": 0, "w": 1}}


def polygons(parts: list, name: str, height: float) -> list:
    """Quadrangles as two triangles each."""
    corners = [vector(*part[index], height) for part in parts for index in (0, 1, 2, 0, 2, 3)]
    return [{"pose": pose(), "points": corners, "color": color(name)}]


def goal() -> list:
    """The corners of the T's boxes at its goal."""
    sine, cosine = math.sin(GOAL_ANGLE), math.cos(GOAL_ANGLE)
    x, y = GOAL_POSITION
    return [[(x + a * cosine - b * sine, y + a * sine + b * cosine) for a, b in box] for box in BOXES]


class Scene:
    """What is known of a robot's table."""

    def __init__(self) -> None:
        self.agent: tuple[float, float] | None = None
        self.block: list | None = None
        self.plan: list = []

    def observe(self, observation: dict) -> bool:
        """Takes an observation, and tells whether it is one of PushT."""
        values = observation["observation"]
        keypoints = values.get(KEYPOINTS)
        if len(values.get(STATE, [])) != 2 or (keypoints is not None and len(keypoints) != 16):
            return False
        self.agent = tuple(values[STATE])
        if keypoints is not None:
            corners = list(zip(keypoints[::2], keypoints[1::2], strict=True))
            self.block = [corners[:4], corners[4:]]
        return True

    def expect(self, chunk: dict) -> None:
        if chunk["action_dim"] == 2:
            self.plan = list(zip(chunk["action"][::2], chunk["action"][1::2], strict=True))

    def update(self, time_ns: int) -> bytes:
        def entity(identifier: str, **shapes: list) -> dict:
            return {
                "timestamp": {"sec": time_ns // 10**9, "nsec": time_ns % 10**9},
                "frame_id": "table",
                "id": identifier,
                "lifetime": {"sec": 0, "nsec": 0},
                "frame_locked": False,
                **shapes,
            }

        size = {"x": 2 * AGENT_RADIUS, "y": 2 * AGENT_RADIUS, "z": 2}
        agent = {"pose": pose(vector(*self.agent, 2)), "size": size, "color": color("agent")}
        entities = [entity("goal", triangles=polygons(goal(), "goal", 0)), entity("agent", spheres=[agent])]
        if self.block:
            entities.append(entity("block", triangles=polygons(self.block, "block", 1)))
        if self.plan:
            points = [vector(x, y, 3) for x, y in self.plan]
            line = {"type": 0, "pose": pose(), "thickness": 3, "scale_invariant": False, "points": points, "color": color("plan")}
            entities.append(entity("plan", lines=[line]))
        return json.dumps({"entities": entities}).encode()


def records(path: str):
    """The messages in the order of the file, also of one that was cut off."""
    schemas, channels = {}, {}
    with open(path, "rb") as file:
        try:
            for record in StreamReader(file).records:
                kind = type(record).__name__
                if kind == "Schema":
                    schemas[record.id] = record
                elif kind == "Channel":
                    channels[record.id] = record
                elif kind == "Message":
                    channel = channels[record.channel_id]
                    yield schemas.get(channel.schema_id), channel, record
        except EndOfFile:
            if not channels:
                raise
            print(f"{path} is cut off; everything before was read", file=sys.stderr)


def add_scenes(source: str, destination: str) -> int:
    """Copies a recording and adds the scenes; tells how many."""
    scenes: dict[str, Scene] = {}
    copied: dict[int, int] = {}
    schemas: dict[str, int] = {}
    topics: dict[str, int] = {}
    count = 0
    with open(destination, "wb") as file:
        writer = Writer(file, compression=CompressionType.NONE)
        writer.start(profile="", library="denoised scene.py")
        scene_schema = writer.register_schema("foxglove.SceneUpdate", "jsonschema", schema().encode())
        for found, channel, message in records(source):
            if channel.id not in copied:
                name = found.name if found else ""
                if found and name not in schemas:
                    schemas[name] = writer.register_schema(name, found.encoding, found.data)
                copied[channel.id] = writer.register_channel(channel.topic, channel.message_encoding, schemas.get(name, 0))
            writer.add_message(copied[channel.id], message.log_time, message.data, message.publish_time, message.sequence)
            robot, _, kind = channel.topic[1:].rpartition("/")
            if not robot or not found or not found.name.startswith("denoised."):
                continue
            scene = scenes.setdefault(robot, Scene())
            if kind == "chunk":
                scene.expect(json.loads(message.data))
            elif kind == "observation" and scene.observe(json.loads(message.data)):
                if robot not in topics:
                    topics[robot] = writer.register_channel(f"/{robot}/scene", "json", scene_schema)
                writer.add_message(topics[robot], message.log_time, scene.update(message.log_time), message.publish_time)
                count += 1
        writer.finish()
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description="Adds the scene to a recording of PushT.")
    parser.add_argument("recording", help="a recording of denoised serve --record")
    parser.add_argument("--output", required=True, help="the copy to write")
    arguments = parser.parse_args()
    if arguments.output == arguments.recording:
        parser.error(f"--output is {arguments.output}, which is the recording; expected another name")
    try:
        count = add_scenes(arguments.recording, arguments.output)
    except Exception as error:  # The package has exceptions of many kinds for files that are no recordings.
        pathlib.Path(arguments.output).unlink(missing_ok=True)
        sys.exit(f"{arguments.recording}: cannot be read as a recording ({str(error) or 'it ends at once'})")
    if not count:
        print(f"{arguments.recording}: no observation of PushT, so the copy has no scene", file=sys.stderr)
    print(f"{arguments.output}: {count} scenes")


if __name__ == "__main__":
    main()
