"""The newest message of each input, and the observations that they make."""

from dataclasses import dataclass, field

import numpy as np

from .faults import MessageFault
from .parameters import CAMERA_TYPES
from .pictures import Picture, check_size, frame_from_image, picture_from_compressed
from .states import JointReader, numbers_from_array
from .times import stamp_ns

# A stamp from the future is one of another clock, beyond what clocks that are kept right differ by.
LARGEST_LEAD_NS = 1_000_000_000


@dataclass
class Newest:
    """An input's newest usable message: its value, when it was made by the ROS clock, and whether an observation had it."""

    value: object
    made_ns: int
    was_sent: bool = False


@dataclass(frozen=True)
class Observation:
    """What the robot sees: feature name to numbers [D], to pixels [height, width, 3] or to a Picture.

    `made_ns` is the time of the observation by the ROS clock.
    """

    features: dict
    made_ns: int


@dataclass
class Counts:
    """What came of an input's messages."""

    used: int = 0
    refused: int = 0
    last_fault: str = ""


@dataclass
class Inputs:
    """Keeps the newest of each input; times are in nanoseconds of the ROS clock.

    `settings` are the node's Settings. `policy` says what the daemon's policy observes; until it is known, sizes are not
    checked.
    """

    settings: object
    newest: dict = field(default_factory=dict)
    counts: dict = field(default_factory=dict)

    def __post_init__(self):
        self._sources = self.settings.inputs
        self._readers = {name: _reader(source) for name, source in self._sources.items()}
        self._sizes, self._lengths = {}, {}
        self.counts = {name: Counts() for name in self._sources}

    def expect(self, features, cameras):
        """What the policy observes: `features`, name to count, and `cameras`, name to (height, width).

        Returns what is wrong with the inputs' parameters, one line each; none if they fit.
        """
        given = {source.feature: source for source in self._sources.values()}
        problems = []
        for name in [*features, *cameras]:
            if name not in given:
                problems.append(f"the policy observes {name}, and no input has it as its feature")
        for feature, source in given.items():
            if feature not in features and feature not in cameras:
                known = ", ".join([*features, *cameras])
                problems.append(f"parameter {source.name}.feature: found {feature!r}, expected one of the policy's: {known}")
            elif (feature in cameras) != source.is_camera:
                kinds = " or ".join(CAMERA_TYPES) if feature in cameras else "joint_state or a multi_array"
                problems.append(f"parameter {source.name}.type: found {source.type!r}, expected {kinds} for {feature}")
        for feature, count in features.items():
            readers = [self._readers[source.name] for source in self._sources.values() if source.feature == feature]
            counts = [reader.count for reader in readers if isinstance(reader, JointReader)]
            if readers and len(counts) == len(readers) and sum(counts) != count:
                names = " and ".join(source.name for source in self._sources.values() if source.feature == feature)
                problems.append(f"{feature} has {count} numbers, and the joints and fields of {names} give {sum(counts)}")
        self._lengths, self._sizes = dict(features), dict(cameras)
        return problems

    def put(self, name, message, now_ns):
        """Takes in a message that came now. Raises MessageFault if it cannot be used; the one before is kept then."""
        source, counts = self._sources[name], self.counts[name]
        try:
            made_ns = self._made(source, message, now_ns)
            value = self._value(source, message)
        except MessageFault as fault:
            counts.refused += 1
            counts.last_fault = str(fault)
            raise
        counts.used += 1
        self.newest[name] = Newest(value, made_ns)

    def _made(self, source, message, now_ns):
        header = getattr(message, "header", None)
        if header is None:
            return now_ns
        if source.frame_id and header.frame_id != source.frame_id:
            raise MessageFault(f"header.frame_id: found {header.frame_id!r}, expected {source.frame_id!r}")
        stamped_ns = stamp_ns(header.stamp)
        if source.stamp == "receipt" or stamped_ns is None:
            return now_ns
        if stamped_ns - now_ns > LARGEST_LEAD_NS:
            raise MessageFault(
                f"header.stamp: found {(stamped_ns - now_ns) / 1e9:.1f} s after this node's time, expected the same clock; "
                f"set the clocks, check use_sim_time, or let {source.name}.stamp be receipt"
            )
        return min(stamped_ns, now_ns)

    def _value(self, source, message):
        value = self._readers[source.name].read(message)
        if source.is_camera and source.feature in self._sizes:
            height, width = (value.height, value.width) if isinstance(value, Picture) else value.shape[:2]
            check_size(height, width, *self._sizes[source.feature])
        return value

    def age_ns(self, name, now_ns):
        """How old the newest of an input is; None if there is none."""
        newest = self.newest.get(name)
        return None if newest is None else now_ns - newest.made_ns

    def waits_for(self, now_ns):
        """Why no observation can be made, one line for each input; none if one can."""
        problems = []
        for name, source in self._sources.items():
            age_ns = self.age_ns(name, now_ns)
            if age_ns is None:
                counts = self.counts[name]
                why = (
                    f"none of {counts.refused} messages can be used: {counts.last_fault}" if counts.refused else "no message yet"
                )
                problems.append(f"{name}: {why} ({source.topic})")
            elif age_ns > source.max_age * 1e9:
                problems.append(f"{name}: {age_ns / 1e9:.2f} s old, expected {source.max_age:g} s at most ({source.topic})")
        return problems

    def observe(self, now_ns):
        """The Observation of now. Call it if `waits_for` has nothing. Raises MessageFault if a feature has the wrong length.

        A frame that an observation had is left out of the next ones: the daemon lets it stand in.
        """
        features, sent = {}, []
        for name, source in self._sources.items():
            newest = self.newest[name]
            if not source.is_camera:
                features.setdefault(source.feature, []).append(newest.value)
            elif not newest.was_sent:
                features[source.feature] = newest.value
                sent.append(newest)
        for feature, parts in features.items():
            if isinstance(parts, list):
                features[feature] = self._joined(feature, parts)
        for newest in sent:
            newest.was_sent = True
        timed_by = self.settings.timed_by
        return Observation(features, self.newest[timed_by].made_ns if timed_by else now_ns)

    def _joined(self, feature, parts):
        numbers = np.concatenate(parts)
        expected = self._lengths.get(feature, len(numbers))
        if len(numbers) != expected:
            names = [source.name for source in self._sources.values() if source.feature == feature]
            lengths = " and ".join(f"{len(part)} of {name}" for name, part in zip(names, parts))
            raise MessageFault(f"{feature}: found {len(numbers)} numbers ({lengths}), expected {expected}")
        return numbers

    def send_frames_again(self):
        """Lets the next observation have a frame of each camera: an episode begins, and the daemon has none."""
        for newest in self.newest.values():
            newest.was_sent = False

    def forget(self):
        """Forgets every message: the ROS clock went back."""
        self.newest.clear()


class _Reader:
    """Reads a message by a function."""

    def __init__(self, read):
        self.read = read


def _reader(source):
    if source.type == "joint_state":
        return JointReader(source.joints, source.fields)
    reads = {"image": frame_from_image, "compressed_image": picture_from_compressed}
    return _Reader(reads.get(source.type, numbers_from_array))
