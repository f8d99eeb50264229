"""Stand-ins for ROS messages: objects with the same fields, for tests without ROS."""

from array import array
from types import SimpleNamespace


def stamp(seconds=0, nanoseconds=0):
    return SimpleNamespace(sec=seconds, nanosec=nanoseconds)


def header(seconds=0.0, frame_id=""):
    return SimpleNamespace(stamp=stamp(int(seconds), round(seconds % 1 * 1e9)), frame_id=frame_id)


def image(pixels, encoding, padding=0, /, **fields):
    """An Image of `pixels`, [height, width, channels] or [height, width] of uint8, with `padding` bytes at the end of rows."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    data = b"".join(bytes(row) + b"\xaa" * padding for row in rows)
    message = SimpleNamespace(header=header(), height=height, width=width, encoding=encoding, is_bigendian=0)
    message.step = rows.shape[1] + padding
    message.data = array("B", data)
    vars(message).update(fields)
    return message


def compressed(data, format="jpeg"):
    return SimpleNamespace(header=header(), format=format, data=array("B", data))


def joint_state(name, position=(), velocity=(), effort=(), seconds=0.0, frame_id=""):
    return SimpleNamespace(
        header=header(seconds, frame_id),
        name=list(name),
        position=array("d", position),
        velocity=array("d", velocity),
        effort=array("d", effort),
    )


def numbers(data, offset=0, code="d"):
    return SimpleNamespace(layout=SimpleNamespace(dim=[], data_offset=offset), data=array(code, data))


def trajectory_point():
    return SimpleNamespace(positions=[], velocities=[], time_from_start=stamp())


def trajectory():
    return SimpleNamespace(header=header(), joint_names=[], points=[])
