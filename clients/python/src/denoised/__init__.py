"""A robot's client for denoised, a daemon that runs a trained diffusion policy as a robot's controller.

`Robot` is the client, `AsyncRobot` the same for asyncio. Both publish observations, and give actions by control step.
"""

from .aio import AsyncRobot
from .endpoints import Endpoints
from .errors import (
    DenoisedError,
    InvalidKeys,
    InvalidObservation,
    InvalidValue,
    NoReply,
    NotConnected,
    PolicyChanged,
    ProtocolError,
    ProtocolVersion,
    RequestRejected,
)
from .keys import Keys
from .messages import (
    Camera,
    CameraServer,
    Chunk,
    Command,
    Feature,
    Info,
    Limits,
    Passes,
    Policy,
    Pong,
    Resumed,
    RobotStatus,
    Sampler,
    Sampling,
    ServedPolicy,
    Status,
    Stopped,
    Timing,
)
from .observation import Observation
from .packing import picture_header
from .plan import Plan
from .robot import Robot

__version__ = "0.2.0"

__all__ = [
    "AsyncRobot",
    "Camera",
    "CameraServer",
    "Chunk",
    "Command",
    "DenoisedError",
    "Endpoints",
    "Feature",
    "Info",
    "InvalidKeys",
    "InvalidObservation",
    "InvalidValue",
    "Keys",
    "Limits",
    "NoReply",
    "NotConnected",
    "Observation",
    "Passes",
    "Plan",
    "Policy",
    "PolicyChanged",
    "Pong",
    "ProtocolError",
    "ProtocolVersion",
    "RequestRejected",
    "Resumed",
    "Robot",
    "RobotStatus",
    "Sampler",
    "Sampling",
    "ServedPolicy",
    "Status",
    "Stopped",
    "Timing",
    "picture_header",
]
