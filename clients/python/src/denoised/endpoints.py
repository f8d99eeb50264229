"""ZeroMQ endpoints, as a client reaches them."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoints:
    """Where a daemon's sockets are: observations come in, chunks, commands and heartbeats go out, requests are answered."""

    observations: str
    chunks: str
    requests: str
    #: Where clients of a GR00T or an openpi policy server are answered, as `Info` tells; None: nowhere.
    gr00t: str | None = None
    openpi: str | None = None


def reachable(endpoint: str, reached: str) -> str:
    """An endpoint as a client calls it that reached the daemon at `reached`.

    A daemon that listens on all interfaces names 0.0.0.0, [::] or *: the host of `reached` takes the place of that.
    """
    parts, host = _split(endpoint), _split(reached)
    if parts is None or host is None or not _is_wildcard(parts[0]):
        return endpoint
    return f"tcp://{host[0]}:{parts[1]}"


def needs_ipv6(endpoint: str) -> bool:
    """Whether a socket needs IPv6: the host is an address in brackets, or a name that has IPv6 addresses alone."""
    parts = _split(endpoint)
    if parts is None:
        return False
    if parts[0].startswith("["):
        return True
    if parts[0] == "*" or _address(parts[0]) is not None:
        return False
    try:
        families = {found[0] for found in socket.getaddrinfo(parts[0], None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return False
    return families == {socket.AF_INET6}


def _split(endpoint: str) -> tuple[str, str] | None:
    """Host and port of a tcp endpoint."""
    if not endpoint.startswith("tcp://"):
        return None
    host, colon, port = endpoint[len("tcp://") :].rpartition(":")
    return (host, port) if colon and host else None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_wildcard(host: str) -> bool:
    address = _address(host)
    return host == "*" or (address is not None and int(address) == 0)
