"""Requests of HTTP answered from a cassette, or recorded: the same for every client."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext, suppress
from threading import current_thread, main_thread
from typing import Any, NoReturn, cast
from urllib.parse import urlsplit

from chatnb.cassettes.cassette import Cassette, CassetteCall, environment_cassette
from chatnb.cassettes.http_messages import HttpResponse, http_request
from chatnb.cassettes.misses import noted_misses
from chatnb.cassettes.network import (
    DEFAULT_PORTS,
    NetworkRefused,
    in_model_call,
    is_allowed,
    is_loopback,
)
from chatnb.cassettes.requests import model_endpoint
from chatnb.errors import CassetteError
from chatnb.redaction import PLACEHOLDER_KEY, environment_secrets, secrets_in


class HttpRecorder:
    """Answers requests of HTTP from a cassette, or records their responses there.

    Args:
        path: The cassette's file, opened when the first request is made.
        allowed: Hosts whose requests are neither recorded nor replayed.
    """

    def __init__(self, path: str, allowed: Collection[str] = ()) -> None:
        self._path = path
        self._allowed = allowed

    def covers(self, url: str) -> bool:
        """Return whether requests to an address are recorded."""
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
        return not in_model_call() and not is_allowed(parts.hostname or "", port, self._allowed)

    def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> HttpCall:
        """Start a call.

        Raises:
            NetworkRefused: If a replay has no response to the request.
        """
        lower = {name.lower(): value for name, value in headers.items()}
        request = http_request(method, url, lower.get("content-type", ""), body)
        secrets = environment_secrets() | secrets_in(url, lower)
        # What libraries send in threads of their own, such as statistics, is theirs to handle.
        is_ours = model_endpoint(request) is not None or current_thread() is main_thread()
        try:
            with noted_misses() if is_ours else nullcontext():
                cassette = environment_cassette(self._path)
                call = cassette.http_call(request, secrets)
        except CassetteError as error:
            # An Exception would be taken for a connection that failed, and be tried again.
            raise NetworkRefused(str(error)) from None
        if call.recording is None:
            check_keys(url, lower)
        return HttpCall(cassette, call)


class HttpCall:
    """One request of HTTP: answered by a recording, or recorded."""

    def __init__(self, cassette: Cassette, call: CassetteCall) -> None:
        self._cassette = cassette
        self._call = call

    @property
    def response(self) -> HttpResponse | None:
        """The recorded response, or None if the request is to be sent."""
        return self._call.recording and self._call.recording.response

    def record(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Record the response."""
        self._call.record_response(status, headers, body)


def check_keys(url: str, headers: Mapping[str, str]) -> None:
    """Raise NetworkRefused if a request is about to be sent with a key that is none."""
    host = urlsplit(url).hostname or ""
    texts = [url, *headers.values()]
    found = next((text for text in texts if PLACEHOLDER_KEY in text), None)
    if found is not None and not is_loopback(host):
        _refuse_placeholder(host, found)


def _refuse_placeholder(host: str, text: str) -> NoReturn:
    after = text.partition(PLACEHOLDER_KEY)[2]
    variable = "".join(c if c.isidentifier() or c.isdigit() else " " for c in after).split()[0]
    raise NetworkRefused(
        f"To record this call of {host}, set the environment variable {variable}: the cassette "
        "has no reply to it yet."
    )


def pairs(headers: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    """Yield the headers of a mapping to texts, or to lists of them."""
    for name, value in headers.items():
        with suppress(TypeError):
            values: list[object] = [value] if isinstance(value, str) else list(cast("Any", value))
            yield from ((name, str(each)) for each in values)
