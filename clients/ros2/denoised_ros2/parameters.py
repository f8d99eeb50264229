"""The node's parameters: what there is, what each may be, and the settings that they make."""

import difflib
import math
import re
from dataclasses import dataclass, field

from .faults import ParameterFault
from .states import FIELDS

INPUT_TYPES = ("joint_state", "image", "compressed_image", "float32_multi_array", "float64_multi_array")
CAMERA_TYPES = ("image", "compressed_image")
NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
INPUT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# ROS has these by itself.
BUILT_IN = ("use_sim_time", "start_type_description_service", "qos_overrides")


@dataclass(frozen=True)
class Parameter:
    """One parameter: `kind` is `string`, `strings`, `number`, `integer` or `bool`; a `default` of None: it must be given."""

    name: str
    kind: str
    default: object
    description: str
    read_only: bool = True
    choices: tuple = ()
    # The value is above `above`, `least` or more, `most` or less.
    above: float = -math.inf
    least: float = -math.inf
    most: float = math.inf

    @property
    def expected(self):
        if self.choices:
            text = " or ".join([", ".join(map(repr, self.choices[:-1])), repr(self.choices[-1])])
            return f"a list of {text}" if self.kind == "strings" else text
        bounds = [f"above {self.above:g}"] * (self.above > -math.inf) + [f"from {self.least:g}"] * (self.least > -math.inf)
        bounds += [f"up to {self.most:g}"] * (self.most < math.inf)
        noun = {"string": "a string", "strings": "a list of strings", "number": "a number", "integer": "a whole number"}
        return " ".join([noun.get(self.kind, "true or false"), *bounds])

    def checked(self, name, value):
        """The value, as the kind has it. Raises ParameterFault."""
        read = getattr(self, f"_{self.kind}")(value)
        if read is None:
            raise ParameterFault(name, value, self.expected)
        return read

    def _string(self, value):
        return value if isinstance(value, str) and (not self.choices or value in self.choices) else None

    def _strings(self, value):
        is_list = isinstance(value, (list, tuple))
        return tuple(value) if is_list and all(self._string(item) is not None for item in value) else None

    def _number(self, value):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return None
        return float(value) if value > self.above and self.least <= value <= self.most else None

    def _integer(self, value):
        return int(value) if not isinstance(value, float) and self._number(value) is not None else None

    def _bool(self, value):
        return value if isinstance(value, bool) else None


def quality_of_service(prefix, reliability, depth):
    """The three parameters of a topic's quality of service."""
    return [
        Parameter(
            f"{prefix}qos.reliability",
            "string",
            reliability,
            "best_effort takes what any publisher sends; reliable needs a reliable one on the other side",
            choices=("best_effort", "reliable", "system_default"),
        ),
        Parameter(
            f"{prefix}qos.durability",
            "string",
            "volatile",
            "transient_local keeps messages for those who come later, and needs both sides to",
            choices=("volatile", "transient_local", "system_default"),
        ),
        Parameter(f"{prefix}qos.depth", "integer", depth, "messages that wait to be read", least=1, most=1000),
    ]


NODE_PARAMETERS = [
    Parameter("robot", "string", "arm1", "the robot's id at the daemon"),
    Parameter("endpoint", "string", "tcp://127.0.0.1:5557", "the daemon's request endpoint; it tells the others"),
    Parameter("policy", "string", "", "the name of one of the daemon's policies, if it runs several"),
    Parameter("curve_key", "string", "", "file with this client's secret certificate, for a daemon with keys"),
    Parameter("curve_server", "string", "", "file with the daemon's public certificate"),
    Parameter("control_hz", "number", None, "control steps a second, as the policy was trained", above=0, most=1000),
    Parameter("inputs", "strings", None, "names of the inputs; each has parameters of its own, NAME.feature and so on"),
    Parameter("joints", "strings", (), "the robot's joints in the order of the policy's actions"),
    Parameter(
        "clock",
        "string",
        "monotonic",
        "what time_ns of observations counts: this machine's monotonic clock, or ROS time, for a robot file with clock: wall",
        choices=("monotonic", "ros"),
    ),
    Parameter("timed_by", "string", "", "the input whose stamp is the time of an observation; empty: the node's tick"),
    Parameter("request_timeout", "number", 2.0, "seconds to wait for a reply of the daemon", False, above=0, most=60),
    Parameter("resume_at_start", "bool", False, "release the robot at the start if it is stopped"),
    Parameter(
        "shutdown",
        "string",
        "stop",
        "what the node asks for when it ends: stop, which lasts until somebody resumes the robot, or reset",
        choices=("stop", "reset"),
    ),
    Parameter(
        "output.mode",
        "string",
        None,
        "trajectory: each chunk as a JointTrajectory; commands: each command as a Float64MultiArray, for serve --robot",
        choices=("trajectory", "commands"),
    ),
    Parameter("output.topic", "string", None, "where trajectories or commands go"),
    Parameter("output.kind", "string", "position", "what an action is", choices=("position", "velocity")),
    Parameter("output.frame_id", "string", "", "frame_id of the header of trajectories"),
    Parameter(
        "output.stamp",
        "string",
        "observation",
        "what a trajectory's points count from: the time of its observation, or its arrival, if the controller's clock differs",
        choices=("observation", "arrival"),
    ),
    Parameter("output.include_beyond", "bool", True, "trajectories go on with what is predicted beyond the chunk", False),
    Parameter(
        "output.stop_time", "number", 0.2, "seconds in which a trajectory brings the robot to rest", False, above=0, most=10
    ),
    Parameter(
        "output.commit_steps",
        "integer",
        0,
        "actions of the plan in force that the next chunk begins with, so that it takes over smoothly; for trajectories",
        False,
        least=0,
        most=64,
    ),
    Parameter(
        "output.max_age",
        "number",
        0.25,
        "seconds; a command that is late by more is dropped, and after a silence of that length velocities become 0",
        False,
        above=0,
        most=0.25,
    ),
    *quality_of_service("output.", "reliable", 1),
]


def input_parameters(name):
    """The parameters of the input of that name."""
    prefix = f"{name}."
    return [
        Parameter(f"{prefix}feature", "string", None, "the policy's feature or camera, such as observation.state"),
        Parameter(f"{prefix}type", "string", None, "the kind of message", choices=INPUT_TYPES),
        Parameter(f"{prefix}topic", "string", None, "where it comes from"),
        Parameter(
            f"{prefix}max_age",
            "number",
            0.25,
            "seconds; with nothing newer no observation is sent",
            False,
            above=0,
            most=3600,
        ),
        Parameter(
            f"{prefix}joints", "strings", (), "for joint_state: the joints in the policy's order; empty: the node's joints"
        ),
        Parameter(f"{prefix}fields", "strings", ("position",), "for joint_state: what is read of each joint", choices=FIELDS),
        Parameter(f"{prefix}frame_id", "string", "", "refuse messages of another frame; empty: any frame"),
        Parameter(
            f"{prefix}stamp",
            "string",
            "header",
            "what the age counts from: the stamp in the header, or the receipt",
            choices=("header", "receipt"),
        ),
        *quality_of_service(prefix, "best_effort", 1),
    ]


@dataclass(frozen=True)
class QualityOfService:
    """Of one topic, by ROS' own names."""

    reliability: str
    durability: str
    depth: int


@dataclass
class InputSettings:
    """What is known of one input. `max_age` is in seconds and may change."""

    name: str
    feature: str
    type: str
    topic: str
    max_age: float
    joints: tuple
    fields: tuple
    frame_id: str
    stamp: str
    qos: QualityOfService

    @property
    def is_camera(self):
        return self.type in CAMERA_TYPES


@dataclass
class OutputSettings:
    """What is known of the output; times are in seconds."""

    mode: str
    topic: str
    kind: str
    frame_id: str
    stamp: str
    include_beyond: bool
    stop_time: float
    commit_steps: int
    max_age: float
    qos: QualityOfService


@dataclass
class Settings:
    """What the parameters say. `parameters` are those that there are, with these inputs, and `values` what they are."""

    robot: str
    endpoint: str
    policy: str
    curve_key: str
    curve_server: str
    control_hz: float
    joints: tuple
    clock: str
    timed_by: str
    request_timeout: float
    resume_at_start: bool
    shutdown: str
    output: OutputSettings
    inputs: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)


def read_settings(given):
    """The settings that parameters, name to value, make. Raises ParameterFault at the first that cannot be used."""
    inputs = _value(given, _named("inputs"))
    for name in inputs:
        if not INPUT_NAME.fullmatch(name) or name in [parameter.name.partition(".")[0] for parameter in NODE_PARAMETERS]:
            raise ParameterFault("inputs", name, "a name of letters, digits and _, that is no parameter of the node")
    if not inputs or len(set(inputs)) != len(inputs):
        raise ParameterFault("inputs", list(inputs), "one name or more, each once")
    parameters = {parameter.name: parameter for parameter in NODE_PARAMETERS}
    for name in inputs:
        parameters.update((parameter.name, parameter) for parameter in input_parameters(name))
    _refuse_unknown(given, parameters)
    values = {name: _value(given, parameter) for name, parameter in parameters.items()}

    settings = Settings(
        **{name: value for name, value in values.items() if "." not in name and name != "inputs"},
        output=OutputSettings(**_group(values, "output")),
        inputs={name: InputSettings(name=name, **_group(values, name)) for name in inputs},
        parameters=parameters,
        values=values,
    )
    _check(settings)
    return settings


def change_setting(settings, name, value):
    """Changes one parameter of a running node. Raises ParameterFault if it is read-only or cannot be that."""
    parameter = settings.parameters[name]
    value = parameter.checked(name, value)
    if parameter.read_only:
        raise ParameterFault(name, value, "no change while the node runs")
    group, _, member = name.rpartition(".")
    owner = settings if not group else settings.output if group == "output" else settings.inputs[group]
    setattr(owner, member, value)
    settings.values[name] = value


def _named(name):
    return next(parameter for parameter in NODE_PARAMETERS if parameter.name == name)


def _value(given, parameter):
    value = given.get(parameter.name)
    if value is not None:
        return parameter.checked(parameter.name, value)
    if parameter.default is None:
        raise ParameterFault(parameter.name, None, f"{parameter.expected}: it must be given")
    return parameter.default


def _group(values, prefix):
    """The values whose names begin with `prefix.`, without it; those of `qos` as one."""
    own = {name[len(prefix) + 1 :]: value for name, value in values.items() if name.startswith(f"{prefix}.")}
    qos = {name[4:]: own.pop(name) for name in list(own) if name.startswith("qos.")}
    return {**own, "qos": QualityOfService(**qos)}


def _refuse_unknown(given, parameters):
    """A parameter with a typing error would pass for one that was left out."""
    for name, value in given.items():
        if name not in parameters and name.partition(".")[0] not in BUILT_IN:
            close = difflib.get_close_matches(name, parameters, 1)
            hint = f"; did you mean {close[0]}?" if close else ", or NAME.* of one of the inputs"
            raise ParameterFault(name, value, f"a parameter that the node has{hint}")


def _check(settings):
    """What one parameter demands of another."""
    if not NAME.fullmatch(settings.robot):
        raise ParameterFault("robot", settings.robot, "1 to 64 of A-Z a-z 0-9 _ - . : /")
    if bool(settings.curve_key) != bool(settings.curve_server):
        missing = "curve_server" if settings.curve_key else "curve_key"
        raise ParameterFault(missing, "", "a file, because the other of curve_key and curve_server is given")
    if settings.timed_by and settings.timed_by not in settings.inputs:
        raise ParameterFault("timed_by", settings.timed_by, f"one of the inputs: {', '.join(settings.inputs)}")
    for name, repeated in [("joints", settings.joints), *((f"{i.name}.joints", i.joints) for i in settings.inputs.values())]:
        if len(set(repeated)) != len(repeated) or "" in repeated:
            raise ParameterFault(name, list(repeated), "names, each once")
    if settings.output.mode == "trajectory" and not settings.joints:
        raise ParameterFault("joints", [], "the names of the joints, because output.mode is trajectory")
    if not settings.output.topic:
        raise ParameterFault("output.topic", "", "the name of a topic")
    for source in settings.inputs.values():
        if not source.topic:
            raise ParameterFault(f"{source.name}.topic", "", "the name of a topic")
        if source.type == "joint_state":
            source.joints = source.joints or settings.joints
            if not source.joints:
                raise ParameterFault(f"{source.name}.joints", [], "names of joints, here or in joints")
            if not source.fields:
                raise ParameterFault(f"{source.name}.fields", [], f"one or more of {', '.join(FIELDS)}")
        others = [other for other in settings.inputs.values() if other.feature == source.feature and other is not source]
        if source.is_camera and others:
            expected = f"a camera of its own: {others[0].name} has the same"
            raise ParameterFault(f"{source.name}.feature", source.feature, expected)
