"""HTTP by httpx and httpx2, which the SDKs of OpenAI and Anthropic use: recorded as it streams."""

# pyright: standard
# The module is either of the two, which have the same classes.

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from types import ModuleType
from typing import Any

from chatnb.cassettes.http_recorder import HttpCall, HttpRecorder, check_keys


def record_httpx(module: ModuleType, recorder: HttpRecorder) -> Callable[[], None]:
    """Let a recorder answer for the transports of a module; return a function that undoes it."""
    patch = _Patch(module, recorder)
    sync, asynchronous = module.HTTPTransport, module.AsyncHTTPTransport
    before = sync.handle_request, asynchronous.handle_async_request
    sync.handle_request = patch.sync(before[0])
    asynchronous.handle_async_request = patch.asynchronous(before[1])

    def undo() -> None:
        sync.handle_request, asynchronous.handle_async_request = before

    return undo


class _Patch:
    """The methods that stand in for those of a module's transports."""

    def __init__(self, module: ModuleType, recorder: HttpRecorder) -> None:
        self._module = module
        self._recorder = recorder
        bases = (_Stream, module.SyncByteStream, module.AsyncByteStream)
        self._stream: Any = type("RecordedStream", bases, {})

    def sync(self, send: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Return a method that sends what the cassette does not have."""

        @wraps(send)
        def handle_request(transport: Any, request: Any) -> Any:
            if not self._covers(request):
                return send(transport, request)
            call = self._start(request, b"".join(request.stream))
            if call.response is not None:
                return self._replayed(call)
            return self._recording(call, send(transport, request))

        return handle_request

    def asynchronous(self, send: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Return a coroutine method that does so."""

        @wraps(send)
        async def handle_async_request(transport: Any, request: Any) -> Any:
            if not self._covers(request):
                return await send(transport, request)
            call = self._start(request, b"".join([part async for part in request.stream]))
            if call.response is not None:
                return self._replayed(call)
            return self._recording(call, await send(transport, request))

        return handle_async_request

    def _covers(self, request: Any) -> bool:
        if self._recorder.covers(str(request.url)):
            return True
        check_keys(str(request.url), request.headers)
        return False

    def _start(self, request: Any, body: bytes) -> HttpCall:
        request.stream = self._module.ByteStream(body)
        call = self._recorder.call(request.method, str(request.url), request.headers, body)
        # A compressed body could not be read in the file.
        request.headers["accept-encoding"] = "identity"
        return call

    def _replayed(self, call: HttpCall) -> Any:
        assert call.response is not None
        status, headers, chunks = call.response
        return self._module.Response(status, headers=headers, stream=self._stream(chunks))

    def _recording(self, call: HttpCall, response: Any) -> Any:
        response.stream = self._stream((), call, response)
        return response


class _Stream:
    """The body of a response: replayed, or passed on and recorded at its end."""

    def __init__(self, chunks: Any, call: HttpCall | None = None, response: Any = None) -> None:
        self._chunks = chunks
        self._call, self._response = call, response
        self._source: Any = response.stream if response is not None else None
        self._read: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        yield from self._passed(self._chunks) if self._source is None else self._source_chunks()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._source is None:
            for chunk in self._chunks:
                yield chunk
            return
        try:
            async for chunk in self._source:
                self._read.append(chunk)
                yield chunk
        except Exception:
            self._call = None  # It broke off: a replay must not take it for the whole body.
            raise
        self._record()

    def _source_chunks(self) -> Iterator[bytes]:
        try:
            for chunk in self._source:
                self._read.append(chunk)
                yield chunk
        except Exception:
            self._call = None
            raise
        self._record()

    @staticmethod
    def _passed(chunks: Any) -> Iterator[bytes]:
        yield from chunks

    def close(self) -> None:
        """Close the connection; who closes a stream early gets as much of it in a replay."""
        if self._source is not None:
            self._source.close()
        self._record()

    async def aclose(self) -> None:
        """Do so without blocking."""
        if self._source is not None:
            await self._source.aclose()
        self._record()

    def _record(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            headers = self._response.headers.multi_items()
            call.record(self._response.status_code, headers, b"".join(self._read))
