"""The network of a kernel whose notebook is under test: which part of it is recorded or refused."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any, cast

DEFAULT_PORTS = {"http": 80, "https": 443}

_WAY_OUT = (
    "A replay has no network: only calls over HTTP are recorded. "
    "To allow this host: --chatnb-allow-hosts={host}"
)
# Audit events of sockets, and where each has its address or name.
_ADDRESS_EVENTS = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}
_NAME_EVENTS = ("socket.getaddrinfo", "socket.gethostbyname")

# Not the end of an IPv6 address.
_PORT = re.compile(r"^[^:]+:\d+$|\]:\d+$")

_in_model_call: ContextVar[bool] = ContextVar("chatnb_in_model_call", default=False)


class NetworkRefused(BaseException):
    """A replay refuses a call to the network."""

    # SDKs repeat and wrap every Exception, which would hide the message after some seconds.


@contextmanager
def model_call() -> Generator[None]:
    """Say that a chat model calls its provider; its cassette records the reply, not the HTTP."""
    token = _in_model_call.set(True)
    try:
        yield
    finally:
        _in_model_call.reset(token)


def in_model_call() -> bool:
    """Return whether a chat model under a cassette is calling its provider."""
    return _in_model_call.get()


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    if host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_allowed(host: str, port: object, allowed: Collection[str]) -> bool:
    """Return whether a host is among the allowed ones, which may be followed by `:PORT`.

    `localhost` stands for all of loopback.

    Example:
        >>> is_allowed("api.example.org", 443, ["*.example.org"])
        True
        >>> is_allowed("127.0.0.1", 8787, ["localhost:8786"])
        False
    """
    host = host.lower().rstrip(".")
    for entry in map(str.lower, allowed):
        name, _, only = entry.rpartition(":") if _PORT.search(entry) else (entry, "", "")
        if only and port is not None and only != str(port):
            continue
        if host == name or name == "*" or (is_loopback(host) and is_loopback(name)):
            return True
        if name.startswith("*.") and host.endswith(name[1:]):
            return True
    return False


def refuse_network(allowed: Collection[str]) -> Callable[[], None]:
    """Refuse connections of this process to all other hosts, until the returned function is called.

    Unix sockets, and names that need no network, are not refused.
    """
    guard = _Guard(allowed)
    # An audit hook sees each use of a socket from Python, asyncio's too, and cannot be removed.
    sys.addaudithook(guard.check)
    return guard.lift


class _Guard:
    """Checks where sockets connect to."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = set(map(str.lower, allowed))
        # A cluster on this machine looks up its own name.
        self._own_name = socket.gethostname()
        self._resolving = set[str]()
        self._lifted = False

    def lift(self) -> None:
        self._lifted = True

    def check(self, event: str, args: tuple[Any, ...]) -> None:
        if not event.startswith("socket.") or self._lifted:
            return
        if event in _NAME_EVENTS:
            self._check_name(args[0], args[1] if len(args) > 1 else None)
        elif event in _ADDRESS_EVENTS and isinstance(args[1], tuple):
            address = cast("tuple[Any, ...]", args[1])
            self._check_address(str(address[0]), address[1])

    def _check_name(self, name: Any, port: Any) -> None:
        host: str = name.decode("ascii", "replace") if isinstance(name, bytes) else name or ""
        if not host or is_loopback(host) or _is_number(host):
            return
        if host == self._own_name or host in self._resolving:
            return
        if not is_allowed(host, port, self._allowed):
            raise NetworkRefused(_refusal(host, port))
        # What follows is a connection to one of its numbers.
        self._resolving.add(host)
        with suppress(OSError):
            self._allowed.update(str(found[4][0]) for found in socket.getaddrinfo(host, port))
        self._resolving.discard(host)

    def _check_address(self, host: str, port: Any) -> None:
        # Windows makes its pairs of sockets out of connections to itself.
        is_pair = sys.platform == "win32" and is_loopback(host)
        if not is_pair and not is_allowed(host, port, self._allowed):
            raise NetworkRefused(_refusal(host, port))


def _is_number(host: str) -> bool:
    try:
        ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def _refusal(host: str, port: Any) -> str:
    address = f"{host}:{port}" if port else host
    return f"{address} was called. {_WAY_OUT.format(host=host)}"
