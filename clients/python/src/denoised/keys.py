"""CURVE keys, for a daemon that encrypts: docs/SECURITY.md."""

from __future__ import annotations

import os
import pathlib
import stat
from dataclasses import dataclass, field

import zmq
import zmq.auth

from .errors import InvalidKeys

LARGEST_CERTIFICATE = 64 << 10


@dataclass(frozen=True)
class Keys:
    """The keys of a robot: its own pair, and the daemon's public key, each in Z85 (40 bytes)."""

    public: bytes
    secret: bytes = field(repr=False)
    server: bytes

    @staticmethod
    def load(secret_certificate: str | os.PathLike[str], server_certificate: str | os.PathLike[str]) -> Keys:
        """Reads the files that `denoised keygen` writes: the robot's `NAME.key_secret`, and the daemon's `NAME.key`.

        Raises `InvalidKeys` for a file that is missing, is no such certificate, or holds a secret that others may read.
        """
        public, secret = _load(secret_certificate)
        if secret is None:
            raise InvalidKeys(os.fspath(secret_certificate), "a public certificate", "the secret one, NAME.key_secret")
        mode = stat.S_IMODE(os.stat(secret_certificate).st_mode)
        if mode & 0o077:
            raise InvalidKeys(os.fspath(secret_certificate), f"mode {mode:04o}", "0600: a secret that nobody else may read")
        if zmq.curve_public(secret) != public:
            raise InvalidKeys(os.fspath(secret_certificate), "keys that do not belong together", "a key pair")
        server, server_secret = _load(server_certificate)
        if server_secret is not None:
            raise InvalidKeys(os.fspath(server_certificate), "a secret certificate", "the daemon's public one, NAME.key")
        return Keys(public, secret, server)


def _load(path: str | os.PathLike[str]) -> tuple[bytes, bytes | None]:
    name = os.fspath(path)
    expected = "a certificate as denoised keygen writes it"
    try:
        size = pathlib.Path(path).stat().st_size
        public, secret = zmq.auth.load_certificate(path) if size <= LARGEST_CERTIFICATE else (b"", None)
    except OSError as error:
        raise InvalidKeys(name, error.strerror or str(error), expected) from None
    except ValueError:
        raise InvalidKeys(name, "no public key in it", expected) from None
    if size > LARGEST_CERTIFICATE:
        raise InvalidKeys(name, f"{size} bytes", f"a certificate of at most {LARGEST_CERTIFICATE}")
    for key in filter(None, (public, secret)):
        if len(key) != 40:
            raise InvalidKeys(name, f"a key of {len(key)} characters", "40 characters of Z85")
    return public, secret
