"""Camera frames from sensor_msgs/Image and sensor_msgs/CompressedImage."""

from dataclasses import dataclass

import numpy as np

from denoised import picture_header

from .faults import MessageFault

# For each encoding the bytes of a pixel, and which of them are red, green and blue.
ENCODINGS = {
    "rgb8": (3, (0, 1, 2)),
    "bgr8": (3, (2, 1, 0)),
    "rgba8": (4, (0, 1, 2)),
    "bgra8": (4, (2, 1, 0)),
    "mono8": (1, (0, 0, 0)),
}


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
    header = picture_header(data)
    if header is None:
        start = data[:8].hex(" ") or "nothing"
        raise MessageFault(f"data: found {len(data)} bytes ({start} ...), expected a whole JPEG or PNG")
    kind, height, width = header
    others = {"jpeg": ("png",), "png": ("jpeg", "jpg")}[kind]
    if kind not in named and any(other in named for other in others):
        raise MessageFault(f"format: found {message.format!r}, expected {kind}, which the data is")
    if height < 1 or width < 1:
        raise MessageFault(f"data: found a {kind} of {height} x {width} pixels, expected 1 x 1 or more")
    return Picture(kind, data, height, width)


def check_size(height, width, expected_height, expected_width):
    """Raises MessageFault if a frame does not have the size that the policy was trained with."""
    if (height, width) != (expected_height, expected_width):
        raise MessageFault(
            f"height and width: found {height} and {width}, expected {expected_height} and {expected_width}, with which the "
            "policy was trained; image_proc's ResizeNode and CropDecimateNode make other sizes"
        )
