"""MessagePack: arrays and frames as docs/PROTOCOL.md packs them, and typed access to what was unpacked."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgpack
import numpy as np
import numpy.typing as npt

from .errors import ProtocolError, ProtocolVersion

VERSION = 1
LARGEST_MESSAGE = 1 << 20
LARGEST_U64 = (1 << 64) - 1

Array = npt.NDArray[np.float32]
Value = TypeVar("Value")


def pack_array(array: npt.NDArray[Any]) -> dict[bytes, Any]:
    """An array as a map of its bytes (row-major, little end first), dtype and shape."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    dtype = little.dtype.str
    return {b"__ndarray__": True, b"data": little.tobytes(), b"dtype": dtype, b"shape": list(array.shape)}


def pack(message: Mapping[str, Any]) -> bytes:
    """The bytes of a message."""
    packed: bytes = msgpack.packb({"v": VERSION, **message})
    return packed


def unpack(data: bytes) -> Fields:
    """The fields of a message; `ProtocolError` if it is none."""
    try:
        message = msgpack.unpackb(data)
    except (ValueError, TypeError, RecursionError) as error:
        # msgpack's errors are ValueErrors. One about a key that cannot be hashed is a TypeError.
        raise ProtocolError(f"not one MessagePack value: {error or type(error).__name__}") from None
    fields = Fields(message, "")
    if fields.value("v") != VERSION:
        raise ProtocolVersion(fields.value("v"))
    return fields


class Fields:
    """A map of a message, read field by field. What is missing or has another type is a `ProtocolError` that names it."""

    def __init__(self, message: object, path: str) -> None:
        if not isinstance(message, dict):
            raise ProtocolError(f"found {type(message).__name__}, expected a map", path.removesuffix(".") or None)
        self.message: dict[Any, Any] = message
        self.path = path

    def wrong(self, name: str, found: object, expected: str) -> ProtocolError:
        """What to raise for a field."""
        text = repr(found)
        shown = text if len(text) <= 60 else text[:60] + "..."
        return ProtocolError(f"found {shown}, expected {expected}", f"{self.path}{name}")

    def value(self, name: str) -> Any:
        """A field as it is; None if it is missing."""
        return self.message.get(name)

    def integer(self, name: str) -> int:
        """An integer from 0 to 2^64 - 1."""
        value = self.value(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int or not 0 <= value <= LARGEST_U64:
            raise self.wrong(name, value, "an integer from 0 to 2^64 - 1")
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        value = self.value(name)
        if type(value) not in (int, float) or not math.isfinite(value):
            raise self.wrong(name, value, "a finite number")
        return float(value)

    def text(self, name: str) -> str:
        value = self.value(name)
        if not isinstance(value, str):
            raise self.wrong(name, value, "a string")
        return value

    def flag(self, name: str) -> bool:
        value = self.value(name)
        if not isinstance(value, bool):
            raise self.wrong(name, value, "true or false")
        return value

    def episode(self, name: str) -> int | str:
        return self.text(name) if isinstance(self.value(name), str) else self.integer(name)

    def map(self, name: str) -> Fields:
        return Fields(self.value(name), f"{self.path}{name}.")

    def maps(self, name: str) -> list[Fields]:
        """A list of maps; none if it is missing."""
        value = self.value(name) or []
        if not isinstance(value, list):
            raise self.wrong(name, value, "a list of maps")
        return [Fields(each, f"{self.path}{name}[{index}].") for index, each in enumerate(value)]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; none if it is missing."""
        value = self.value(name) or []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(name, value, "a list of strings")
        return tuple(value)

    def integers(self, name: str) -> dict[str, int]:
        """A map of integers."""
        fields = self.map(name)
        return {str(key): fields.integer(key) for key in fields.message}

    def array(self, name: str, *, rows_of: int | None = None) -> Array:
        """An array of finite numbers: [n], or with `rows_of` [n, rows_of]. It cannot be written to."""
        packed = self.map(name)
        by_key = {key.decode(errors="replace") if isinstance(key, bytes) else key: value for key, value in packed.message.items()}
        dtype, shape, data = by_key.get("dtype"), by_key.get("shape"), by_key.get("data")
        rank = 1 if rows_of is None else 2
        if not (
            dtype == "<f4"
            and isinstance(data, bytes)
            and isinstance(shape, list)
            and all(type(extent) is int and extent >= 0 for extent in shape)
            and len(shape) == rank
            and len(data) == 4 * math.prod(shape)
            and (rows_of is None or shape[1] == rows_of)
        ):
            expected = "<f4 [n]" if rows_of is None else f"<f4 [n, {rows_of}]"
            raise ProtocolError(f"found {dtype!r} {shape!r:.60}, expected an array {expected}", self.path + name)
        array = np.frombuffer(data, dtype="<f4").reshape(shape)
        if not np.isfinite(array).all():
            raise ProtocolError("found a number that is not finite", self.path + name)
        return array

    def optional(self, name: str, read: Callable[[str], Value]) -> Value | None:
        """What `read` makes of a field; None if it is missing or nil."""
        return None if self.value(name) is None else read(name)


def picture_header(data: bytes) -> tuple[str, int, int] | None:
    """Format (`png`, `jpeg`), height and width of a picture file; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return "png", height, width
    at = 2
    while data.startswith(b"\xff\xd8") and at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # the start of a frame
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return "jpeg", height, width
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
