"""Daemons for the tests: the real one, and one that lies."""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgpack
import numpy as np
import zmq

from denoised.endpoints import Endpoints
from denoised.packing import pack_array

ROOT = pathlib.Path(__file__).resolve().parents[3]
TINY = ROOT / "Tests/PolicyTests/Fixtures/processors"
OTHER = ROOT / "Tests/PolicyTests/Fixtures/buffers"
SEEING = ROOT / "policies/pusht-image"
ROBOT_FILE = ROOT / "examples/robots/pusht.yaml"
FREE = "tcp://127.0.0.1:*"

#: What the tiny policy observes.
OBSERVATION = {"observation.state": [100.0, -2.75], "observation.environment_state": [0.25, 7.5, 0.0004]}


def binary() -> str:
    path = os.environ.get("DENOISED_BINARY")
    if not path:
        raise RuntimeError("set DENOISED_BINARY to the daemon's program, or run make test-clients")
    return path


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.01)


# Nothing has to be calibrated.
SAMPLING = ["--threads", "1", "--window", "1"]


class Daemon:
    """`denoised serve`, on free ports or those of another one."""

    def __init__(
        self, policy: pathlib.Path | str, *options: str, at: Endpoints | None = None, listen: str = FREE, reach: str = "127.0.0.1"
    ) -> None:
        self._log = tempfile.NamedTemporaryFile(prefix="denoised-test-", suffix=".log")  # noqa: SIM115
        where = at or Endpoints(listen, listen, listen)
        sockets = {"--observations": where.observations, "--chunks": where.chunks, "--requests": where.requests}
        if "--observations-from" in options:
            sockets = {"--requests": where.requests}
        self.process = subprocess.Popen(
            [binary(), "serve", "--policy", str(policy), *SAMPLING, *itertools.chain(*sockets.items()), *options],
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )
        line = r"observations (\S+), chunks (\S+), requests (\S+)"

        def found() -> re.Match[str] | None:
            assert self.process.poll() is None, self.log
            return re.search(line + r"[\n,]", self.log)

        wait_until(found, "the daemon's endpoints", 60)
        match = found()
        assert match is not None
        observations, chunks, requests = (re.sub(r"0\.0\.0\.0|\[::\]", reach, each) for each in match.groups())
        self.endpoints = Endpoints(observations, chunks, requests)
        self.address = requests

    @property
    def log(self) -> str:
        return pathlib.Path(self._log.name).read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(20) == 0, self.log
        self._log.close()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class Fake:
    """Takes a daemon's place in a thread of its own, and answers as it is told."""

    def __init__(self, requests: str = FREE) -> None:
        context = zmq.Context()
        self._observations, self._chunks = context.socket(zmq.SUB), context.socket(zmq.PUB)
        self._requests, self._context = context.socket(zmq.ROUTER), context
        self._observations.subscribe("")
        for socket in (self._observations, self._chunks, self._requests):
            socket.linger = 0
            socket.bind(requests if socket is self._requests else FREE)
        sockets = (self._observations, self._chunks, self._requests)
        names = [socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0") for socket in sockets]
        self.address = names[2]
        self.info: dict[str, Any] = {
            "v": 1,
            "type": "info",
            "daemon_version": "0",
            "policy": {
                "name": "lies",
                "features": [{"name": "observation.state", "count": 2}],
                "horizon": 4,
                "n_obs_steps": 1,
                "n_action_steps": 3,
                "action_dim": 2,
            },
            "sampler": dict(solver="ddim", steps=1, method="sequential", window=1, tolerance=0.0, kernel="none", budget_ms=0.0),
            "endpoints": dict(zip(("observations", "chunks", "requests"), names)),
            "stop": 0,
            "statistics": {},
        }
        #: The reply to a request; None: there is none.
        self.reply: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda request: self.info
        #: What is published after an observation: topics and messages.
        self.answers: Callable[[dict[str, Any]], list[tuple[str, bytes]]] = lambda observation: []
        self.requests: list[dict[str, Any]] = []
        self.observations: list[dict[str, Any]] = []
        self.beats, self.started_ns, self.states, self.rejected = True, 1, dict[str, Any](), dict[str, int]()
        self._ends = False
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def heartbeat(self) -> bytes:
        now = time.monotonic_ns()
        statistics = {"uptime_ns": now - self.started_ns, "rejected_messages": self.rejected}
        status = dict(v=1, type="status", monotonic_ns=now, wall_ns=1, robots=self.states, stop=0, statistics=statistics)
        return pack(status)

    def _work(self) -> None:
        beaten = 0.0
        while not self._ends:
            if self.beats and time.monotonic() - beaten > 0.1:
                beaten = time.monotonic()
                self._chunks.send_multipart([b"status", self.heartbeat()])
            if not zmq.select([self._requests, self._observations], [], [], 0.01)[0]:
                continue
            if self._requests.poll(0):
                route, data = self._requests.recv_multipart()
                request = msgpack.unpackb(data)
                self.requests.append(request)
                reply = self.reply(request)
                if reply is not None:
                    self._requests.send_multipart([route, pack({**reply, "request": request["request"]})])
            if self._observations.poll(0):
                observation = msgpack.unpackb(self._observations.recv_multipart()[-1])
                self.observations.append(observation)
                for topic, message in self.answers(observation):
                    self._chunks.send_multipart([topic.encode(), message])

    def __enter__(self) -> Fake:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends = True
        self._thread.join()
        self._context.destroy(linger=0)


def pack(message: Mapping[str, Any]) -> bytes:
    packed: bytes = msgpack.packb(message)
    return packed


def chunk_for(observation: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A chunk of the fake daemon: actions (1, 2), (3, 4), (5, 6), and (7, 8) beyond them."""
    return {
        "v": 1,
        "type": "chunk",
        **{name: observation[name] for name in ("robot", "episode", "sequence", "time_ns")},
        "first_step": observation["sequence"],
        "action": pack_array(np.array([[1, 2], [3, 4], [5, 6]], np.float32)),
        "beyond": pack_array(np.array([[7, 8]], np.float32)),
        **dict(noise_seed=0, solver="ddim", steps=1, method="sequential", window=1, tolerance=0.0, iterations=1),
        **dict(evaluations=1, residual=0.0, quality="exact", coarse_steps=0, received_ns=1, published_ns=2, wall_ns=3),
        "stages_ns": {"decode": 1, "total": 1},
        **changes,
    }
