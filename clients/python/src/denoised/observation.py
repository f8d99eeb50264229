"""What the robot sees, checked against the policy before it is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InvalidObservation, InvalidValue
from .messages import Camera, Feature, Policy
from .packing import LARGEST_U64, pack_array, picture_header

#: A feature is an array of numbers, or what NumPy makes one of. A frame is an array [height, width, 3] of uint8 in red, green and
#: blue, or the bytes of a JPEG or PNG file; None: no new frame.
Observation = Mapping[str, Any]

NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


def check_name(field: str, name: object) -> str:
    """A robot's id or an episode's name."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidValue(field, f"{name!r:.80}", "1 to 64 of A-Z a-z 0-9 _ - . : /")
    return name


def check_episode(episode: object) -> int | str:
    """An episode: an integer, or a name."""
    return check_name("episode", episode) if isinstance(episode, str) else check_u64("episode", episode)


def check_u64(field: str, value: object) -> int:
    """An integer from 0 to 2^64 - 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value <= LARGEST_U64:
        raise InvalidObservation(field, f"{value!r:.80}", "an integer from 0 to 2^64 - 1")
    return int(value)


def pack_observation(observation: Observation, policy: Policy) -> dict[str, Any]:
    """The field `observation` of a message; `InvalidObservation` for what the daemon would refuse."""
    if not isinstance(observation, Mapping):
        raise InvalidObservation("observation", type(observation).__name__, f"a mapping with {_names(policy)}")
    cameras = {camera.name: camera for camera in policy.cameras}
    features = {feature.name: feature for feature in policy.features}
    packed: dict[str, Any] = {}
    for name, value in observation.items():
        if name in features:
            packed[name] = pack_array(_numbers(features[name], value))
        elif name not in cameras:
            raise InvalidObservation(str(name), "a feature that the policy does not have", _names(policy))
        elif value is not None:
            packed[name] = _frame(cameras[name], value)
    for name, feature in features.items():
        if name not in packed:
            raise InvalidObservation(name, "nothing", f"an array [{feature.count}]")
    return packed


def _names(policy: Policy) -> str:
    return ", ".join([feature.name for feature in policy.features] + [camera.name for camera in policy.cameras])


def to_array(field: str, value: Any) -> npt.NDArray[np.float32]:
    """An array of finite 32-bit floats."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidObservation(field, f"what NumPy makes no array of ({error})", "an array of numbers") from None
    if array.dtype.kind not in "fiub":
        raise InvalidObservation(field, f"dtype {array.dtype}", "an array of numbers")
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32)
    if not np.isfinite(numbers).all():
        place = tuple(int(index) for index in np.argwhere(~np.isfinite(numbers))[0])
        raise InvalidObservation(field, f"{array[place]} at {list(place)}", "finite numbers within a 32-bit float")
    return numbers


def _numbers(feature: Feature, value: Any) -> npt.NDArray[np.float32]:
    numbers = to_array(feature.name, value)
    if numbers.shape != (feature.count,):
        raise InvalidObservation(feature.name, f"an array {list(numbers.shape)}", f"[{feature.count}]")
    return numbers


def pack_committed(committed: Any, policy: Policy) -> dict[bytes, Any]:
    """The field `committed` of a message: [k, action_dim]."""
    rows = to_array("committed", committed)
    if rows.ndim != 2 or rows.shape[1] != policy.action_dim or len(rows) > policy.most_committed:
        expected = f"[k, {policy.action_dim}] with k from 0 to {policy.most_committed}"
        raise InvalidObservation("committed", f"an array {list(rows.shape)}", expected)
    return pack_array(rows)


def _frame(camera: Camera, value: Any) -> dict[Any, Any]:
    size = f"{camera.height} rows of {camera.width} pixels"
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        header = picture_header(data)
        if header is None:
            raise InvalidObservation(camera.name, f"{len(data)} bytes of no JPEG and no PNG", f"a picture of {size}")
        picture_format, height, width = header
        if (height, width) != (camera.height, camera.width):
            raise InvalidObservation(camera.name, f"{height} rows of {width} pixels", f"{size}; the daemon does not resize")
        return {"format": picture_format, "data": data}
    try:
        pixels = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidObservation(camera.name, f"what NumPy makes no array of ({error})", f"a frame of {size}") from None
    expected = [camera.height, camera.width, 3]
    if list(pixels.shape) != expected or pixels.dtype != np.uint8:
        hint = ""
        if list(pixels.shape) == [3, camera.height, camera.width]:
            hint = "; the three colours come last"
        elif list(pixels.shape[2:]) == [3] and pixels.dtype == np.uint8:
            hint = "; the daemon does not resize"
        found = f"an array {list(pixels.shape)} of {pixels.dtype}"
        raise InvalidObservation(camera.name, found, f"{expected} of uint8 in red, green and blue, JPEG or PNG{hint}")
    return pack_array(pixels)
