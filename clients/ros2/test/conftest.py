import importlib.util
import pathlib
import sys

# So that the tests need no installation.
CLIENTS = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CLIENTS / "ros2"), str(CLIENTS / "python/src")]

# These need ROS: `make test-ros`.
collect_ignore = [] if all(map(importlib.util.find_spec, ("rclpy", "pymunk"))) else ["ros"]
