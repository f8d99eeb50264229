"""Camera frames from sensor_msgs/Image and sensor_msgs/CompressedImage."""

from dataclasses import dataclass

import numpy as np

from .faults import MessageFault

# For each encoding the bytes of a pixel, and which of them are red, green and blue.
ENCODINGS = {
    "rgb8": (3, (0, 1, 2)),
    "bgr8": (3, (2, 1, 0)),
    "rgba8": (4, (0, 1, 2)),
    "bgra8": (4, (2, 1, 0)),
    "mono8": (1, (0, 0, 0)),
}
PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8\xff"
# The markers of a JPEG's frame header, which has its size.
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_WITHOUT_LENGTH = frozenset([0x01, *range(0xD0, 0xD9)])


@dataclass(frozen=True)
class Picture:
    """A compressed frame as it came: `format` is `jpeg` or `png`, `data` the file, its size in pixels."""

    format: str
    data: bytes
    height: int
    width: int


def frame_from_image(message):
    """The pixels of a sensor_msgs/Image, [height, width, 3] of uint8: red, green, blue.

    Padding at the end of rows is left out, alpha is dropped, and grey becomes three equal numbers. `is_bigendian` says nothing
    about pixels of one byte a channel, and those are all that is read. Raises MessageFault.
    """
    layout = ENCODINGS.get(message.encoding)
    if layout is None:
        raise MessageFault(
            f"encoding: found {message.encoding!r}, expected one of {', '.join(ENCODINGS)}; "
            "image_proc and cv_bridge convert others"
        )
    size, channels = layout
    height, width, step = message.height, message.width, message.step
    if height < 1 or width < 1:
        raise MessageFault(f"height and width: found {height} and {width}, expected 1 or more")
    if step < width * size:
        raise MessageFault(f"step: found {step}, expected {width * size} or more: {width} pixels of {size} bytes")
    if len(message.data) != step * height:
        raise MessageFault(f"data: found {len(message.data)} bytes, expected {step * height}: step {step} times height {height}")
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)
    pixels = rows[:, : width * size].reshape(height, width, size)
    return np.ascontiguousarray(pixels[..., channels])


def picture_from_compressed(message):
    """The file in a sensor_msgs/CompressedImage, as it is. Raises MessageFault if it is no JPEG or PNG.

    What the file is, its first bytes tell. `format` must not say otherwise: image_transport writes `jpeg`, `png`, or
    `bgr8; jpeg compressed bgr8`.
    """
    data = bytes(message.data)
    named = message.format.lower()
    if "compresseddepth" in named:
        raise MessageFault(f"format: found {message.format!r}, expected a colour picture, JPEG or PNG")
    if data.startswith(JPEG_START):
        kind, (height, width) = "jpeg", _jpeg_size(data)
    elif data.startswith(PNG_START):
        kind, (height, width) = "png", _png_size(data)
    else:
        start = data[:8].hex(" ") or "nothing"
        raise MessageFault(f"data: found {start} at the start, expected a JPEG (ff d8 ff) or a PNG (89 50 4e 47)")
    others = {"jpeg": ("png",), "png": ("jpeg", "jpg")}[kind]
    # `png` may also be part of a longer name; what counts is that the other kind is named and this one is not.
    if any(other in named for other in others) and kind not in named:
        raise MessageFault(f"format: found {message.format!r}, expected {kind}, which the data is")
    if height < 1 or width < 1:
        raise MessageFault(f"data: found a {kind} of {width} x {height} pixels, expected 1 x 1 or more")
    return Picture(kind, data, height, width)


def check_size(height, width, expected_height, expected_width):
    """Raises MessageFault if a frame does not have the size that the policy was trained with."""
    if (height, width) != (expected_height, expected_width):
        raise MessageFault(
            f"height and width: found {height} and {width}, expected {expected_height} and {expected_width}, with which the "
            "policy was trained; image_proc's ResizeNode and CropDecimateNode make other sizes"
        )


def _png_size(data):
    if len(data) < 24 or data[12:16] != b"IHDR":
        raise MessageFault("data: found a PNG without its header, expected IHDR as the first chunk")
    return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")


def _jpeg_size(data):
    """Height and width from the frame header: segments follow one another until it, each with its length."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in JPEG_WITHOUT_LENGTH:
            at += 2
        elif marker in JPEG_FRAMES:
            if at + 9 > len(data):
                break
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        else:
            at += 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)
    raise MessageFault("data: found a JPEG without a frame header, expected a whole file")
