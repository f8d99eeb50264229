#!/usr/bin/env python3
"""Makes a layout for Foxglove or Lichtblick that fits a recording of `denoised serve --record`.

    pip install mcap
    python3 layout.py RUN.mcap --output layout.json [--robot arm1]

In the viewer open the recording, then choose "Import from file" in the menu of layouts. `arm1.json` beside this script was
made of a recording of examples/robot.py with commands, whose robot is called `arm1`.
"""

import argparse
import json
import sys
from dataclasses import dataclass, field

from scene import records

STAGES = ["decode", "queue", "vision", "condition", "sample", "encode", "total"]
# More lines than these nobody tells apart.
MOST_LINES = 8
# The characters that may stand in a topic of a message path without quotation marks.
PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/")


@dataclass
class Robot:
    """What a recording has of a robot."""

    name: str
    cameras: list[str] = field(default_factory=list)
    features: dict[str, int] = field(default_factory=dict)
    action_dim: int = 0
    has_commands: bool = False
    has_scene: bool = False


def robots_of(path: str) -> list[Robot]:
    """The robots of a recording, the one with most observations first."""
    counts: dict[str, int] = {}
    robots: dict[str, Robot] = {}
    for schema, channel, message in records(path):
        if not channel.topic.startswith("/") or "/" not in channel.topic[1:]:
            continue
        # A robot's name may have slashes itself: what follows the last one is the kind, or the camera.
        name, kind = channel.topic[1:].rsplit("/", 1)
        robot = robots.setdefault(name, Robot(name))
        if schema and schema.name == "foxglove.CompressedImage":
            if kind not in robot.cameras:
                robot.cameras.append(kind)
        elif kind == "observation":
            counts[name] = counts.get(name, 0) + 1
            if not robot.features:
                values = json.loads(message.data)["observation"]
                robot.features = {feature: len(numbers) for feature, numbers in values.items()}
        elif kind == "chunk" and not robot.action_dim:
            robot.action_dim = json.loads(message.data)["action_dim"]
        elif kind == "command":
            robot.has_commands = True
        elif kind == "scene":
            robot.has_scene = True
    return sorted(robots.values(), key=lambda robot: -counts.get(robot.name, 0))


def topic(robot: Robot, kind: str) -> str:
    """A topic as a message path names it."""
    name = f"/{robot.name}/{kind}"
    return name if set(name) <= PLAIN else f'"{name}"'


class Layout:
    """Panels, and how they lie."""

    def __init__(self) -> None:
        self.panels: dict[str, dict] = {}

    def add(self, kind: str, config: dict) -> str:
        identifier = f"{kind}!denoised{len(self.panels)}"
        self.panels[identifier] = config
        return identifier

    def plot(self, title: str, paths: list[tuple[str, str]]) -> str:
        """A plot over time of message paths, each with its name in the legend."""
        lines = [{"value": path, "label": label, "enabled": True, "timestampMethod": "receiveTime"} for path, label in paths]
        return self.add(
            "Plot",
            {
                "foxglovePanelTitle": title,
                "paths": lines,
                "xAxisVal": "timestamp",
                "isSynced": True,
                "showLegend": True,
                "legendDisplay": "floating",
                "showXAxisLabels": True,
                "showYAxisLabels": True,
                "showPlotValuesInLegend": True,
                "sidebarDimension": 240,
            },
        )

    def stack(self, panels: list[str], direction: str) -> str | dict:
        """Panels side by side (row) or one below the other (column), each as large as the others."""
        if len(panels) == 1:
            return panels[0]
        return {
            "first": panels[0],
            "second": self.stack(panels[1:], direction),
            "direction": direction,
            "splitPercentage": 100 / len(panels),
        }


def views(layout: Layout, robot: Robot) -> list[str]:
    """What shows where the robot is: the scene that scene.py makes, the cameras, or the numbers that it observes."""
    panels = []
    if robot.has_scene:
        panels.append(
            layout.add(
                "3D",
                {
                    "foxglovePanelTitle": "Scene",
                    "followTf": "table",
                    "cameraState": {
                        "perspective": False,
                        "phi": 0,
                        "thetaOffset": 0,
                        "distance": 600,
                        "target": [256, -256, 0],
                        "targetOffset": [0, 0, 0],
                        "targetOrientation": [0, 0, 0, 1],
                        "near": 0.5,
                        "far": 5000,
                        "fovy": 45,
                    },
                    "topics": {f"/{robot.name}/scene": {"visible": True}},
                },
            )
        )
    for camera in robot.cameras[:4]:
        image = {"imageTopic": f"/{robot.name}/{camera}"}
        panels.append(layout.add("Image", {"foxglovePanelTitle": camera, "imageMode": image}))
    for feature, count in robot.features.items():
        name = f'{topic(robot, "observation")}.observation."{feature}"'
        paths = [(f"{name}[{index}]", f"{feature} {index}") for index in range(min(count, MOST_LINES))]
        panels.append(layout.plot(feature, paths))
    return panels


def layout_of(robot: Robot) -> dict:
    layout = Layout()
    dimensions = range(min(robot.action_dim, MOST_LINES))
    actions = [(f"{topic(robot, 'chunk')}.action[{index}]", f"planned {index}") for index in dimensions]
    if robot.has_commands:
        actions += [(f"{topic(robot, 'command')}.action[{index}]", f"commanded {index}") for index in dimensions]
    latency = topic(robot, "latency")
    right = [
        layout.plot("First action of each chunk, and commands" if robot.has_commands else "First action of each chunk", actions),
        layout.plot("Latency of a chunk by stage, ms", [(f"{latency}.{stage}_ms", stage) for stage in STAGES]),
    ]
    if robot.has_commands:
        state = {"value": f"{topic(robot, 'command')}.state", "label": "state", "timestampMethod": "receiveTime"}
        right.append(layout.add("StateTransitions", {"isSynced": True, "paths": [state]}))
    right.append(layout.add("RosOut", {"searchTerms": [], "minLogLevel": 1, "topicToRender": "/log"}))
    left = views(layout, robot) or [layout.add("RawMessages", {"topicPath": "/status"})]
    return {
        "configById": layout.panels,
        "globalVariables": {},
        "userNodes": {},
        "playbackConfig": {"speed": 1},
        "layout": {
            "first": layout.stack(left, "column"),
            "second": layout.stack(right, "column"),
            "direction": "row",
            "splitPercentage": 45,
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a layout for Foxglove or Lichtblick that fits a recording.")
    parser.add_argument("recording", help="a recording of denoised serve --record, or what scene.py made of it")
    parser.add_argument("--output", default="layout.json", help="the layout to write (default layout.json)")
    parser.add_argument("--robot", help="whose it is (default: the robot with most observations)")
    arguments = parser.parse_args()
    try:
        robots = robots_of(arguments.recording)
    except Exception as error:  # The package has exceptions of many kinds for files that are no recordings.
        sys.exit(f"{arguments.recording}: cannot be read as a recording ({str(error) or 'it ends at once'})")
    if arguments.robot:
        robots = [robot for robot in robots if robot.name == arguments.robot]
    robots = [robot for robot in robots if robot.features or robot.cameras or robot.action_dim]
    if not robots:
        wanted = f"of a robot called {arguments.robot}" if arguments.robot else "of any robot"
        sys.exit(f"{arguments.recording}: no observation {wanted}")
    with open(arguments.output, "w", encoding="utf-8") as file:
        json.dump(layout_of(robots[0]), file, indent=2)
        file.write("\n")
    print(f"{arguments.output}: a layout for {robots[0].name}")


if __name__ == "__main__":
    main()
