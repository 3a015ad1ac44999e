"""Remove secrets from the logs of SDKs, HTTP clients and MCP.

HTTP clients log each address with its password and query, and SDKs log the headers of responses.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakValueDictionary

from chatnb.redaction.secrets import model_secrets, secrets_in
from chatnb.redaction.texts import redact

_LOGGING_PACKAGES = frozenset(
    {"anthropic", "httpcore", "httpcore2", "httpx", "httpx2", "mcp", "openai"}
)
# httpcore makes its loggers as late as its connections.
_LATE_LOGGERS = [
    f"{package}.{module}"
    for package in ("httpcore", "httpcore2")
    for module in ("connection", "http11", "http2", "proxy", "socks")
]
_ADDRESS = re.compile(r"https?://[^\s'\"]+")


def hide_in_logs(model: object) -> None:
    """Replace the secrets of a model, or a connection, in all that its packages log from now on."""
    _logging_models[id(model)] = model
    # A logger does not ask the filters of its parents.
    for name in [*logging.root.manager.loggerDict, *_LATE_LOGGERS]:
        if package_of(name) in _LOGGING_PACKAGES:
            logging.getLogger(name).addFilter(_hide_secrets)


_logging_models = WeakValueDictionary[int, object]()
_secrets_of_call = ContextVar[Callable[[], Iterable[str]] | None](
    "chatnb_secrets_of_call", default=None
)


@contextmanager
def hide_call_in_logs(secrets: Callable[[], Iterable[str]]) -> Generator[None]:
    """Replace the secrets of a call's own options, too, in what is logged meanwhile."""
    outer = _secrets_of_call.get()
    _secrets_of_call.set(secrets)
    try:
        yield
    finally:  # A stream may be closed in another context, where no token is valid.
        _secrets_of_call.set(outer)


def _hide_secrets(record: logging.LogRecord) -> bool:
    try:
        text = record.getMessage()
    except (TypeError, ValueError):  # The handler says so.
        return True
    secrets = secrets_in(*_ADDRESS.findall(text))
    secrets.update(*map(model_secrets, list(_logging_models.values())))
    of_call = _secrets_of_call.get()
    if of_call is not None:
        secrets.update(of_call())
    clean = redact(text, secrets)
    if clean != text:
        record.msg, record.args = clean, None
    return True


def package_of(module: str) -> str:
    """Return the package of a module or a logger."""
    return module.partition(".")[0]
