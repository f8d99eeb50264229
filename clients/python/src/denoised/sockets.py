"""The ZeroMQ sockets of a robot. Nothing here waits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import zmq
from zmq.utils.monitor import recv_monitor_message

from .endpoints import Endpoints, needs_ipv6
from .errors import DenoisedError, InvalidValue
from .keys import Keys
from .packing import LARGEST_MESSAGE

RECONNECT_MS = 50
CONNECT_TIMEOUT_MS = 1000
# A peer whose machine lost power closes no connection.
HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 500, 1500
# Observations that wait for a daemon that does not read: they are soon old, and frames are large.
WAITING_OBSERVATIONS = 8
# Requests and replies that wait.
WAITING_REQUESTS = 64

Take = Callable[[list[bytes]], None]


class Sockets:
    """The three sockets. Whoever has messages taken in calls `drain`."""

    def __init__(self, endpoint: str, keys: Keys | None, *, binds: bool) -> None:
        self._endpoint, self._keys, self._binds = endpoint, keys, binds
        self._context = zmq.Context()
        self._requests: zmq.Socket[bytes] | None = None
        self._observations: zmq.Socket[bytes] | None = None
        self._chunks: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._seen: set[int] = set()
        self._largest_message = LARGEST_MESSAGE
        self._needs_ipv6: dict[str, bool] = {}
        #: Whether the daemon has subscribed to observations. What is published before is lost.
        self.is_subscribed = False
        #: Whether the connection of requests is watched, for `hint`. Not for long: events that nobody reads stop the socket.
        self.is_watched = False
        #: Called with a socket that begins or ends to be read.
        self.on_open: Callable[[zmq.Socket[bytes]], None] = lambda _: None
        self.on_close: Callable[[zmq.Socket[bytes]], None] = lambda _: None

    @property
    def readable(self) -> list[zmq.Socket[bytes]]:
        """The sockets that messages come from."""
        return [each for each in (self._requests, self._chunks, self._observations) if each is not None]

    # What the core asks for

    def open_requests(self) -> None:
        self._close(self._requests)
        self._requests = None
        self._requests = self._open(zmq.DEALER, self._endpoint)

    def join(self, endpoints: Endpoints, topics: list[str], longest_message: int) -> None:
        self._largest_message = max(longest_message, LARGEST_MESSAGE)
        self._close(self._chunks)
        self._close(self._observations)
        self._chunks = self._observations = None
        self.is_subscribed = False
        self._chunks = self._open(zmq.SUB, endpoints.chunks, topics)
        # A PUB that tells when somebody has subscribed.
        self._observations = self._open(zmq.XPUB, endpoints.observations)

    def request(self, data: bytes) -> None:
        if self._requests is not None:
            with contextlib.suppress(zmq.Again):  # too many wait for a daemon that does not read: no reply will come
                self._requests.send(data, zmq.NOBLOCK)

    def publish(self, frames: list[bytes]) -> None:
        if self._observations is not None:
            with contextlib.suppress(zmq.Again):
                self._observations.send_multipart(frames, zmq.NOBLOCK)

    # Messages

    def drain(self, take_reply: Take, take_published: Take) -> None:
        """Hands over what has arrived: replies, and what is published for the robot."""
        for frames in self._received(lambda: self._requests):
            take_reply(frames)
        for frames in self._received(lambda: self._chunks):
            take_published(frames)
        for frames in self._received(lambda: self._observations):
            self.is_subscribed = frames[0][:1] == b"\x01"
        self._drain_monitor()

    def _received(self, socket: Callable[[], zmq.Socket[bytes] | None]) -> Iterator[list[bytes]]:
        """The messages of a socket, which taking one in may replace."""
        while (current := socket()) is not None:
            try:
                yield current.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return

    # Sockets

    def _open(self, kind: int, endpoint: str, topics: list[str] | None = None) -> zmq.Socket[bytes]:
        if self._context.closed:
            raise DenoisedError("the robot is closed")
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        socket.linger = 0
        socket.maxmsgsize = self._largest_message
        socket.heartbeat_ivl, socket.heartbeat_timeout = HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS
        socket.reconnect_ivl, socket.connect_timeout = RECONNECT_MS, CONNECT_TIMEOUT_MS
        if self._keys is not None:
            socket.curve_publickey, socket.curve_secretkey = self._keys.public, self._keys.secret
            socket.curve_serverkey = self._keys.server
        if kind == zmq.XPUB:
            socket.sndhwm = WAITING_OBSERVATIONS
            socket.immediate = True  # what is published while there is no connection is dropped
        elif kind == zmq.DEALER:
            socket.sndhwm = socket.rcvhwm = WAITING_REQUESTS
            if self.is_watched:
                self._watch(socket)
        for topic in topics or []:
            socket.subscribe(topic)  # before connecting, so that nothing that is sent after it is missed
        try:
            socket.ipv6 = self._is_ipv6(endpoint)
            if self._binds and kind != zmq.DEALER:
                socket.bind(endpoint)
            else:
                socket.connect(endpoint)
        except zmq.ZMQError as error:
            socket.close()
            raise InvalidValue("endpoint", f"{endpoint!r} ({error.strerror})", "one like tcp://127.0.0.1:5557") from None
        self.on_open(socket)
        return socket

    def _is_ipv6(self, endpoint: str) -> bool:
        """Asked once: a name server that is gone with the network must not hold up a control loop."""
        if endpoint not in self._needs_ipv6:
            self._needs_ipv6[endpoint] = needs_ipv6(endpoint)
        return self._needs_ipv6[endpoint]

    def _close(self, socket: zmq.Socket[bytes] | None) -> None:
        if socket is None:
            return
        self.on_close(socket)
        if socket is self._requests:
            self._end_watch()
        socket.close()

    def close(self) -> None:
        """Closes the sockets; what waits in them is dropped."""
        for socket in (self._requests, self._chunks, self._observations):
            self._close(socket)
        self._requests = self._chunks = self._observations = None
        self._context.destroy(linger=0)

    # Why no reply comes

    def _watch(self, socket: zmq.Socket[bytes]) -> None:
        events = zmq.EVENT_CONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED
        events |= zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        self._monitor = socket.get_monitor_socket(events)
        self._seen = set()

    def _drain_monitor(self) -> None:
        while self._monitor is not None and self._monitor.poll(0):
            self._seen.add(int(recv_monitor_message(self._monitor)["event"]))

    def _end_watch(self) -> None:
        if self._monitor is not None and self._requests is not None:
            self._requests.disable_monitor()
            self._monitor = None

    def begin_watch(self) -> None:
        """Watches the connections of requests that are opened from here on."""
        self.is_watched = True
        self._needs_ipv6.clear()

    def end_watch(self) -> None:
        """Ends to watch the connection of requests."""
        self._end_watch()
        self.is_watched = False

    def hint(self) -> str:
        """Why no reply comes, as far as the connection tells."""
        self._drain_monitor()
        if zmq.EVENT_HANDSHAKE_SUCCEEDED in self._seen:
            return "the connection is there, but nothing answers: is this the endpoint of the daemon's requests?"
        if zmq.EVENT_CONNECTED in self._seen:
            keys = "with these keys" if self._keys else "without keys"
            return f"a program listens there, but refuses a connection {keys}: is the daemon running, and are its keys others?"
        return "nothing listens there: is the daemon running?"
