"""Remove secrets from the errors of a call.

What an SDK raises holds the request with its headers, and the frames of SDK and HTTP client hold
them once more. Tracebacks with local variables print them: `pytest --showlocals`, `%xmode Verbose`.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from typing import Any

from chatnb.redaction import redact, redact_errors, redact_value, secrets_in
from chatnb.redaction.logs import package_of

# Packages below a chat model. The errors and frames of others are up to their owners.
_PACKAGES = frozenset(
    {
        *("anthropic", "anyio", "chatnb", "h11", "h2", "hpack", "httpcore", "httpcore2", "httpx"),
        *("httpx2", "openai", "pydantic", "socket", "ssl"),
    }
)
_LANGCHAIN = "langchain_"  # Its packages of models.
_MAX_CHAIN = 20
_REQUESTS = ("request", "_request")
# The body of a copy is not compressed any more.
_HEADERS_OF_ENCODING = (b"content-encoding", b"content-length", b"transfer-encoding")


def remove_secrets(secrets: Iterable[str], *errors: BaseException) -> None:
    """Replace secrets in errors and in those that caused them, in place."""
    chain = [found for outermost in errors for found in _chain(outermost)]
    known = frozenset(secrets).union(*map(_sent_secrets, chain))
    for error in chain:
        for name in ("response", *_REQUESTS):
            message = vars(error).get(name)
            if message is not None and package_of(type(message).__module__) in _PACKAGES:
                vars(error)[name] = _clean(message, known)
        redact_errors(known, error)
        _clear_locals(error)


def _sent_secrets(error: BaseException) -> set[str]:
    """Return the secrets of a request that failed, to which an HTTP client may have added some."""
    request = next((vars(error)[name] for name in _REQUESTS if vars(error).get(name)), None)
    if request is None or package_of(type(request).__module__) not in _PACKAGES:
        return set()
    headers = [(name.decode("latin-1"), value) for name, value in request.headers.raw]
    return secrets_in(str(request.url), *({name: value} for name, value in headers))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen = list[BaseException]()
    waiting = [error]
    while waiting and len(seen) < _MAX_CHAIN:
        found = waiting.pop()
        if found in seen:
            continue
        seen.append(found)
        yield found
        inner = (found.__cause__, found.__context__, *getattr(found, "exceptions", ()))
        waiting += [e for e in inner if e and _is_below(e)]


def _is_below(error: BaseException) -> bool:
    """Return whether an error was raised below a chat model, and not around its call."""
    trace = error.__traceback__
    return trace is not None and _is_package_frame(trace.tb_frame)


def _clear_locals(error: BaseException) -> None:
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if _is_package_frame(frame):
            try:
                frame.clear()
            except RuntimeError:  # It is still running.
                continue


def _is_package_frame(frame: Any) -> bool:
    package = package_of(frame.f_globals.get("__name__", ""))
    return package in _PACKAGES or package.startswith(_LANGCHAIN)


def _clean(message: Any, secrets: frozenset[str]) -> Any:
    """Return a copy of an HTTP client's request or response without secrets."""
    headers = [
        (name, _clean_header(name, value, secrets))
        for name, value in message.headers.raw
        if name.lower() not in _HEADERS_OF_ENCODING
    ]
    body = redact(_text(message), secrets)
    if hasattr(message, "status_code"):
        request = getattr(message, "_request", None)
        return type(message)(
            message.status_code,
            headers=headers,
            text=body,
            request=None if request is None else _clean(request, secrets),
        )
    address = redact(str(message.url), secrets)
    return type(message)(message.method, address, headers=headers, content=body.encode())


def _clean_header(name: bytes, value: bytes, secrets: frozenset[str]) -> bytes:
    # Servers and proxies send any bytes, which the client takes as bytes alone.
    given = {name.decode("latin-1"): value.decode("latin-1")}
    [clean] = redact_value(given, secrets).values()
    return clean.encode("latin-1")


def _text(message: Any) -> str:
    content = getattr(message, "_content", b"")  # Absent where a body is not read.
    return content.decode("utf-8", "replace")
