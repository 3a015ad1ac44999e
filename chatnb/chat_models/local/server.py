"""The servers of the embedded model: processes beside this one, which end with it."""

from __future__ import annotations

import atexit
import json
import os
import secrets
import subprocess
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from chatnb.errors import ConfigurationError, MissingRuntimeError

_CONTEXT_TOKENS = 8192
_PARALLEL_REPLIES = 2
_PROGRAM = str(Path(__file__).with_name("server_process.py"))
_NO_RUNTIME = (
    "ChatLocal needs the package xllamacpp, which carries llama.cpp. "
    'Install it with: pip install "chatnb[local]"'
)


class _Server(NamedTuple):
    process: subprocess.Popen[str]
    address: str


_servers: dict[Path, _Server] = {}
_lock = threading.Lock()
_secret_key: str | None = None


def server_key() -> str:
    # One random key for a process and its forks: other users of the machine can reach loopback too.
    global _secret_key
    _secret_key = _secret_key or secrets.token_urlsafe(24)
    return _secret_key


def running_server(weights: Path, alias: str) -> _Server:
    """Return the running server of a model; a fork has its own, as it has no processes."""
    with _lock:
        server = _servers.get(weights)
        if server is None or server.process.poll() is not None:
            server = _servers[weights] = _start(weights, alias)
        return server


def _start(weights: Path, alias: str) -> _Server:
    if find_spec("xllamacpp") is None:
        raise MissingRuntimeError(_NO_RUNTIME)
    start = {
        "path": sys.path,
        "server": {
            "weights": str(weights),
            "alias": alias,
            "key": server_key(),
            "context_tokens": _CONTEXT_TOKENS,
            "parallel_replies": _PARALLEL_REPLIES,
            "threads": _threads(),
        },
    }
    # Its input is a pipe, which ends with this process, whatever ends it.
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(start) + "\n")
        process.stdin.flush()
    with process.stdout:
        answer = json.loads(process.stdout.readline() or "{}")
    if "address" in answer:
        return _Server(process, answer["address"])
    process.kill()
    process.stdin.close()
    process.wait()
    raise ConfigurationError(
        f"{weights.name} cannot be loaded: {answer.get('error', 'llama.cpp has crashed')}. "
        "Is it a whole GGUF file, and is there memory for it?"
    )


def _threads() -> int:
    # Half the cores, at most four: llama.cpp's threads spin while they wait for each other, so one
    # that shares its core with a browser slows all of them down: twentyfold on two cores.
    return max(1, min(4, (os.cpu_count() or 2) // 2))


def _end_servers() -> None:
    for server in _servers.values():
        if server.process.poll() is None:  # It never is in a fork, whose parent's they are.
            server.process.kill()
            server.process.wait()
        if server.process.stdin is not None:
            server.process.stdin.close()


atexit.register(_end_servers)


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()  # A thread of the parent may hold it.


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
