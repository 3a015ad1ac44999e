"""Every common client of HTTP in Python, answered by a recorder instead of the network."""

# pyright: standard
# vcrpy has no types.

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial, wraps
from types import ModuleType
from typing import Any

from chatnb.cassettes.after_import import Action, after_import
from chatnb.cassettes.http_messages import HttpResponse
from chatnb.cassettes.http_recorder import HttpCall, HttpRecorder, check_keys, pairs
from chatnb.cassettes.httpx_transports import record_httpx
from chatnb.cassettes.requests import plain_data
from chatnb.errors import MissingRuntimeError

_NO_VCR = 'Recording HTTP needs vcrpy. Install it with: pip install "chatnb[testing]"'
# The methods through which clients make requests, by the modules that have them.
_ENTRANCES = {
    "aiohttp.client": ("ClientSession", "_request"),
    "httplib2": ("Http", "request"),
    "tornado.simple_httpclient": ("SimpleAsyncHTTPClient", "fetch_impl"),
    "urllib.request": ("AbstractHTTPHandler", "do_open"),
    "urllib3.connectionpool": ("HTTPConnectionPool", "urlopen"),
}


def record_clients(recorder: HttpRecorder) -> None:
    """Let a recorder answer for the clients of this process, also those imported later."""
    # httpx streams while it records, so it has its own way; the others go through vcrpy, which is
    # loaded at the first request, as it imports all clients that are installed.
    actions: dict[str, Action] = {
        name: partial(record_httpx, recorder=recorder) for name in ("httpx", "httpx2")
    }
    others = _OtherClients(recorder)
    after_import(actions | dict.fromkeys(_ENTRANCES, others.watch))
    others.watch_connections()


class _OtherClients:
    """The clients that vcrpy knows."""

    def __init__(self, recorder: HttpRecorder) -> None:
        self._recorder = recorder
        self._is_patched = False
        self._patches = ExitStack()

    def watch(self, module: ModuleType) -> None:
        """Patch all clients at the first request of a module's client."""
        class_name, method = _ENTRANCES[module.__name__]
        owner: Any = getattr(module, class_name)
        original: Callable[..., Any] = getattr(owner, method)

        @wraps(original)
        def request(client: Any, *args: Any, **kwargs: Any) -> Any:
            if self._is_patched:
                return original(client, *args, **kwargs)
            self._patch()
            return getattr(owner, method)(client, *_current_classes(args), **kwargs)

        setattr(owner, method, request)

    def watch_connections(self) -> None:
        """Patch all clients as well when a connection of http.client is made, by that itself."""
        for original in (http.client.HTTPConnection, http.client.HTTPSConnection):
            # Other clients have classes of their own, derived from these.
            def connection(
                owner: type, *args: Any, _original: type = original, **options: Any
            ) -> Any:
                if owner is not _original or self._is_patched:
                    return object.__new__(owner)
                self._patch()
                return getattr(http.client, _original.__name__)(*args, **options)

            original.__new__ = staticmethod(connection)  # pyright: ignore

    def _patch(self) -> None:
        try:
            from vcr.patch import CassettePatcherBuilder
            from vcr.stubs import VCRHTTPResponse
        except ImportError as error:
            raise MissingRuntimeError(_NO_VCR) from error

        class Builder(CassettePatcherBuilder):
            def _httpx(self) -> Any:
                return ()

            def _httpx2(self) -> Any:
                return ()

        # Its lines about playing responses would stand in the outputs of notebooks.
        logging.getLogger("vcr").setLevel(logging.ERROR)
        # urllib3's responses have it, and vcrpy's stand for them.
        VCRHTTPResponse.json = lambda response: json.loads(response.data)  # pyright: ignore
        self._is_patched = True
        patchers: Any = Builder(_VcrCassette(self._recorder)).build()
        for patcher in patchers:
            self._patches.enter_context(patcher)


def _current_classes(args: tuple[Any, ...]) -> list[Any]:
    """Return arguments with the patched classes of http.client, which urllib passes on."""
    known = ("HTTPConnection", "HTTPSConnection")
    names = [getattr(each, "__name__", "") if isinstance(each, type) else "" for each in args]
    return [
        getattr(http.client, name) if name in known else each
        for name, each in zip(names, args, strict=True)
    ]


class _VcrCassette:
    """A recorder, as the patches of vcrpy use their cassettes."""

    write_protected = False
    custom_patches = ()
    _path = "chatnb"

    def __init__(self, recorder: HttpRecorder) -> None:
        self._recorder = recorder

    def can_play_response_for(self, request: Any) -> bool:
        """Return whether the cassette has a response; in a replay it must."""
        if not self._recorder.covers(request.uri):
            check_keys(request.uri, dict(pairs(request.headers)))
            return False
        return self._call(request).response is not None

    def play_response(self, request: Any) -> dict[str, Any]:
        """Return the recorded response."""
        response = self._call(request).response
        assert response is not None
        return _vcr_response(response)

    def append(self, request: Any, response: dict[str, Any]) -> None:
        """Record a response."""
        if self._recorder.covers(request.uri):
            body = response["body"].get("string", b"")
            headers = pairs(response["headers"])
            self._call(request).record(response["status"]["code"], headers, body)

    def filter_request(self, request: Any) -> Any:
        """Return the request as it is."""
        return request

    def find_requests_with_most_matches(self, request: Any) -> list[tuple[Any, ...]]:
        """Return a request that follows a redirect."""
        return [(request, [], [])]

    def _call(self, request: Any) -> HttpCall:
        # vcrpy asks several times about one request.
        if "_chatnb_call" not in vars(request):
            headers = dict(pairs(request.headers))
            body = _as_bytes(request.body)
            request._chatnb_call = self._recorder.call(request.method, request.uri, headers, body)
            if "accept-encoding" in {name.lower() for name in headers}:
                request.headers["accept-encoding"] = "identity"
        return request._chatnb_call


def _as_bytes(body: Any) -> bytes:
    """Return the body of a request, which may be a file, an iterator, or data to be encoded."""
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, Iterator):
        body = b"".join(body)
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray) or body is None:
        return bytes(body or b"")
    return json.dumps(plain_data(body)).encode()


def _vcr_response(response: HttpResponse) -> dict[str, Any]:
    try:
        reason = http.HTTPStatus(response.status).phrase
    except ValueError:
        reason = ""
    headers: dict[str, list[str]] = {}
    for name, value in response.headers:
        headers.setdefault(name, []).append(value)
    return {
        "status": {"code": response.status, "message": reason},
        "headers": headers,
        "body": {"string": response.body},
    }
