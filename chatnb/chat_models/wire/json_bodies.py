"""Bodies that end with their JSON, also where the server keeps the line open or breaks it off."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from httpx2 import AsyncByteStream, SyncByteStream, TransportError

from chatnb.chat_models.wire.loop_clients import aread_rest, read_rest

if TYPE_CHECKING:
    from httpx2 import Response

# A server may send parts that all seem to be the last one.
_MAX_READS = 16


def end_with_json(response: Response) -> None:
    """Have a response to a request with JSON end with its object, whatever comes after that."""
    headers = response.headers
    # Files of lines of JSON have one object after the other; they are downloaded, though.
    if response.request.method != "POST" or "content-encoding" in headers:
        return
    if headers.get("content-type", "application/json").partition(";")[0] != "application/json":
        return
    is_async = isinstance(response.stream, AsyncByteStream)
    response.stream = (_AsyncBody if is_async else _Body)(response)


class _JsonEnd:
    def __init__(self, response: Response) -> None:
        length = response.headers.get("content-length", "")
        self._length = int(length) if length.isdecimal() and len(length) < 20 else None
        self._received = bytearray()
        self._read = 0

    def is_reached(self, part: bytes) -> bool:
        """Return whether the JSON is whole with a part, and the body does not tell that it is."""
        self._received += part
        if len(self._received) == self._length or part.rstrip()[-1:] != b"}":
            return False
        if self._read > _MAX_READS * len(self._received):
            return False
        self._read += len(self._received)
        try:
            return isinstance(json.loads(self._received), dict)
        except (ValueError, RecursionError):
            return False


class _Body(SyncByteStream):
    def __init__(self, response: Response) -> None:
        self._response = response
        self._stream: Any = response.stream

    def __iter__(self) -> Iterator[bytes]:
        end, parts = _JsonEnd(self._response), iter(self._stream)
        for part in parts:
            yield part
            if end.is_reached(part):
                with suppress(TransportError):
                    read_rest(self._response, parts)
                return

    def close(self) -> None:
        self._stream.close()


class _AsyncBody(AsyncByteStream):
    def __init__(self, response: Response) -> None:
        self._response = response
        self._stream: Any = response.stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        end, parts = _JsonEnd(self._response), aiter(self._stream)
        async for part in parts:
            yield part
            if end.is_reached(part):
                with suppress(TransportError):
                    await aread_rest(parts)
                return

    async def aclose(self) -> None:
        await self._stream.aclose()
