"""What can go wrong. Everything that the package raises on purpose is a `DenoisedError`."""

from __future__ import annotations


class DenoisedError(Exception):
    """The base of all exceptions of this package."""


class NotConnected(DenoisedError):
    """The robot is used before `connect`, or after `close`."""


class NoReply(DenoisedError, TimeoutError):
    """Nothing came in time.

    `waiting_for` says what was expected, `endpoint` from where, `seconds` how long it was waited for, and `hint` what the
    connection tells about the reason.
    """

    def __init__(self, waiting_for: str, endpoint: str, seconds: float, hint: str) -> None:
        self.waiting_for, self.endpoint, self.seconds, self.hint = waiting_for, endpoint, seconds, hint
        super().__init__(f"no {waiting_for} from {endpoint} within {seconds:g} s: {hint}")


class RequestRejected(DenoisedError):
    """The daemon answered a request with an error.

    `code` is one of those that docs/PROTOCOL.md lists, such as `stale`, `stopped` or `bad_array`. `message` says what was found
    and what was expected. `field` is the path of the field that was wrong, or None. `request` is the request's type.
    """

    def __init__(self, request: str, code: str, message: str, field: str | None = None) -> None:
        self.request, self.code, self.message, self.field = request, code, message, field
        where = f"{field}: " if field else ""
        super().__init__(f"the daemon refused {request}: {code}: {where}{message}")


class InvalidValue(DenoisedError, ValueError):
    """A value that the daemon would refuse, found before it was sent.

    `field` names it, `found` says what it is, `expected` what it has to be.
    """

    def __init__(self, field: str, found: str, expected: str) -> None:
        self.field, self.found, self.expected = field, found, expected
        super().__init__(f"{field}: found {found}, expected {expected}")


class InvalidObservation(InvalidValue):
    """An observation, or a number that goes with it, that the daemon would refuse. Nothing was sent."""


class InvalidKeys(InvalidValue):
    """A certificate that cannot be used. `field` is the file's path."""


class ProtocolError(DenoisedError):
    """The daemon sent something that cannot be read; `field` names the part of it, or is None."""

    def __init__(self, message: str, field: str | None = None) -> None:
        self.field = field
        super().__init__(f"{field}: {message}" if field else message)


class ProtocolVersion(ProtocolError):
    """The daemon speaks another version of the protocol; `found` is its version."""

    def __init__(self, found: object) -> None:
        self.found = found
        super().__init__(f"found version {found!r} of the protocol, this client speaks version 1", "v")


class PolicyChanged(DenoisedError):
    """The daemon was started again with another policy.

    Its features, cameras or actions are not those that the robot was connected with. `connect` accepts the new policy.
    `before` and `after` are the names of the policies.
    """

    def __init__(self, before: str, after: str) -> None:
        self.before, self.after = before, after
        super().__init__(f"the daemon runs another policy now: {after}, not {before}; connect() accepts it")
