"""The cameras of robot.py: where frames come from, and how they go into an observation.

A frame is sent in one of two forms: the bytes of a compressed picture as they are, or an array of pixels [height, width, 3] in
red, green and blue. Either must have the size that the policy was trained with.
"""

import itertools
import pathlib

import numpy as np

from denoised import picture_header

SUFFIXES = (".jpg", ".jpeg", ".png")


class CameraError(Exception):
    """A camera that gives no frames, or none that fit."""


def check_size(source, found, expected):
    """Sizes are [height, width]."""
    if found != expected:
        raise CameraError(
            f"{source}: {found[0]} rows of {found[1]} pixels, the policy expects {expected[0]} rows of {expected[1]}; "
            "--resize makes them so, which is not what the policy saw in training"
        )


class MadeUp:
    """A white bar that moves over grey, one pixel a frame."""

    def __init__(self, size):
        self.size, self.shown = size, 0

    def frame(self):
        height, width = self.size
        start = self.shown % width
        picture = np.full((height, width, 3), 0x60, np.uint8)
        picture[:, start : start + 8] = 0xFF
        self.shown += 1
        return picture


class Pictures:
    """A picture file, or those of a folder by name, over and over. They are sent as they are."""

    def __init__(self, path, size, resize):
        self.size, self.resize = size, resize
        paths = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not paths:
            raise CameraError(f"{path}: found no file in it that ends in {', '.join(SUFFIXES)}")
        for file in paths:  # now, and not in the middle of an episode
            self.read(file)
        self.paths = itertools.cycle(paths)

    def frame(self):
        return self.read(next(self.paths))

    def read(self, path):
        data = path.read_bytes()
        found = picture_header(data)
        if found is None:
            raise CameraError(f"{path}: neither PNG nor JPEG")
        size = list(found[1:])
        if size != self.size and self.resize:
            return resized(path, *self.size)
        check_size(path, size, self.size)
        return data


def resized(path, height, width):
    """The pixels of a picture file in another size, with OpenCV or else Pillow."""
    try:
        import cv2
    except ImportError:
        try:
            from PIL import Image
        except ImportError:
            raise CameraError("--resize needs OpenCV (apt install python3-opencv) or Pillow (python3-pil)") from None
        try:
            return np.asarray(Image.open(path).convert("RGB").resize((width, height)))
        except OSError as error:
            raise CameraError(f"{path}: {error}") from None
    picture = cv2.imread(str(path))
    if picture is None:
        raise CameraError(f"{path}: OpenCV cannot read it")
    return cv2.cvtColor(cv2.resize(picture, (width, height)), cv2.COLOR_BGR2RGB)


class Video:
    """A camera of this machine, by its number, or a film. Needs OpenCV."""

    def __init__(self, source, size, resize):
        try:
            import cv2
        except ImportError:
            raise CameraError(f"{source}: a camera or a film needs OpenCV (apt install python3-opencv)") from None
        self.cv2, self.source, self.size, self.resize = cv2, source, size, resize
        self.capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
        self.capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[0])
        self.capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[1])
        self.capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # what is seen now, not what waited
        self.frame()

    def frame(self):
        is_there, picture = self.capture.read()
        if not is_there:
            raise CameraError(f"{self.source}: gives no frame")
        if self.resize:
            picture = self.cv2.resize(picture, self.size[::-1])
        check_size(self.source, list(picture.shape[:2]), self.size)
        return self.cv2.cvtColor(picture, self.cv2.COLOR_BGR2RGB)


def camera(source, size, resize):
    """What gives frames of [height, width]; `source` is what --camera says, None: nothing."""
    if source is None:
        return MadeUp(size)
    path = pathlib.Path(source)
    if path.is_dir() or (path.is_file() and path.suffix.lower() in SUFFIXES):
        return Pictures(path, size, resize)
    if source.isdigit() or path.exists():
        return Video(source, size, resize)
    raise CameraError(f"{source}: no such file or folder, and no number of a camera")


def open_cameras(described, given, resize):
    """The cameras of a policy by name.

    `described` is `cameras` of the client's policy. Each of `given` is NAME=SOURCE, or SOURCE for all others. If
    none is given, all frames are made up; a robot that sees something does not also see what is made up.
    """
    sources = {}
    names = [camera.name for camera in described]
    for text in given:
        name, _, source = text.partition("=")
        key, source = (name, source) if name in names else (None, text)
        if not names or not source or key in sources:
            problem = "the policy has no cameras" if not names else f"{key or 'all'} twice" if source else "no source"
            raise CameraError(f"--camera {text}: {problem}")
        if key is None and "=" in text and not pathlib.Path(text).exists():
            raise CameraError(f"--camera {text}: no camera has that name; the policy has {', '.join(names)}")
        sources[key] = source
    for name in names:
        if sources and name not in sources and None not in sources:
            raise CameraError(f"camera {name}: no source; expected --camera {name}=SOURCE")
    return {one.name: camera(sources.get(one.name, sources.get(None)), [one.height, one.width], resize) for one in described}
