import io
import struct
import zlib

import numpy as np
import pytest

import messages
from denoised_ros2.faults import MessageFault
from denoised_ros2.pictures import check_size, frame_from_image, picture_from_compressed

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)  # red, green, blue
ALPHA = np.full((2, 3, 1), 200, np.uint8)


def png(height, width):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def jpeg(height, width):
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    return b"\xff\xd8" + b"\xff\xe0\x00\x04AB" + frame


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("rgb8", PIXELS),
        ("bgr8", PIXELS[..., ::-1]),
        ("rgba8", np.concatenate([PIXELS, ALPHA], axis=2)),
        ("bgra8", np.concatenate([PIXELS[..., ::-1], ALPHA], axis=2)),
    ],
)
def test_every_colour_encoding_gives_red_green_blue(encoding, sent, padding):
    frame = frame_from_image(messages.image(sent, encoding, padding))
    np.testing.assert_array_equal(frame, PIXELS)
    assert frame.dtype == np.uint8 and frame.flags.c_contiguous


def test_grey_becomes_three_equal_channels():
    grey = PIXELS[..., 0]
    frame = frame_from_image(messages.image(grey, "mono8", 2))
    for channel in range(3):
        np.testing.assert_array_equal(frame[..., channel], grey)


def test_the_byte_order_says_nothing_about_single_bytes():
    np.testing.assert_array_equal(frame_from_image(messages.image(PIXELS, "rgb8", is_bigendian=1)), PIXELS)


def test_a_frame_does_not_share_the_memory_of_its_message():
    message = messages.image(PIXELS, "rgb8")
    frame = frame_from_image(message)
    message.data[0] = 99
    assert frame[0, 0, 0] == 0


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"encoding": "16UC1"}, "encoding: found '16UC1', expected one of rgb8, bgr8"),
        ({"encoding": "bayer_rggb8"}, "encoding: found 'bayer_rggb8'"),
        ({"encoding": ""}, "encoding: found ''"),
        ({"step": 8}, "step: found 8, expected 9 or more: 3 pixels of 3 bytes"),
        ({"height": 3}, "data: found 18 bytes, expected 27: step 9 times height 3"),
        ({"height": 0}, "height and width: found 0 and 3"),
        ({"width": 0}, "height and width: found 2 and 0"),
    ],
)
def test_an_image_that_cannot_be_read_is_refused_by_its_field(fields, found):
    with pytest.raises(MessageFault) as fault:
        frame_from_image(messages.image(PIXELS, "rgb8", **fields))
    assert str(fault.value).startswith(found)


def test_a_frame_of_another_size_is_refused_with_both():
    check_size(96, 96, 96, 96)
    with pytest.raises(MessageFault, match="found 480 and 640, expected 96 and 96"):
        check_size(480, 640, 96, 96)


@pytest.mark.parametrize("named", ["jpeg", "jpg", "JPEG", "bgr8; jpeg compressed bgr8", "rgb8; jpeg compressed bgr8", ""])
def test_a_jpeg_goes_on_as_it_is(named):
    picture = picture_from_compressed(messages.compressed(jpeg(48, 64), named))
    assert (picture.format, picture.height, picture.width) == ("jpeg", 48, 64)
    assert picture.data == jpeg(48, 64)


@pytest.mark.parametrize("named", ["png", "bgr8; png compressed bgr8"])
def test_a_png_goes_on_as_it_is(named):
    picture = picture_from_compressed(messages.compressed(png(48, 64), named))
    assert (picture.format, picture.height, picture.width) == ("png", 48, 64)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_sizes_are_those_that_pillow_writes(kind):
    pillow = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pillow.new("RGB", (31, 17)).save(file, kind)
    picture = picture_from_compressed(messages.compressed(file.getvalue(), kind.lower()))
    assert (picture.height, picture.width) == (17, 31)


@pytest.mark.parametrize(
    ("data", "named", "found"),
    [
        (jpeg(4, 4), "png", "format: found 'png', expected jpeg, which the data is"),
        (png(4, 4), "bgr8; jpeg compressed bgr8", "format: found 'bgr8; jpeg compressed bgr8', expected png"),
        (png(4, 4), "16UC1; compressedDepth png", "format: found '16UC1; compressedDepth png', expected a colour picture"),
        (b"", "jpeg", "data: found 0 bytes (nothing ...), expected a whole JPEG or PNG"),
        (b"GIF89a....", "gif", "data: found 10 bytes (47 49 46 38 39 61 2e 2e ...), expected a whole JPEG or PNG"),
        (png(4, 4)[:20], "png", "data: found 20 bytes (89 50 4e 47"),
        (jpeg(4, 4)[:8], "jpeg", "data: found 8 bytes (ff d8 ff e0"),
        (jpeg(0, 4), "jpeg", "data: found a jpeg of 0 x 4 pixels"),
    ],
)
def test_what_is_no_such_picture_is_refused_by_its_field(data, named, found):
    with pytest.raises(MessageFault) as fault:
        picture_from_compressed(messages.compressed(data, named))
    assert str(fault.value).startswith(found)
