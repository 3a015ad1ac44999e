"""Server-sent events: bytes in, events out.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream;
knows neither sockets nor asyncio.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """One event: its data, and its type where the server names one."""

    data: str
    event: str = "message"


class SSEDecoder:
    """Turns the bytes of an event stream, cut anywhere, into events.

    Example:
        >>> decoder = SSEDecoder()
        >>> decoder.decode(b"data: one\\n")
        []
        >>> decoder.decode(b"\\ndata: two\\n\\n")
        [ServerSentEvent(data='one', event='message'), ServerSentEvent(data='two', event='message')]
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._after_cr = False
        self._at_start = True
        self._data: list[str] = []
        self._event = ""

    def decode(self, received: bytes) -> list[ServerSentEvent]:
        """Take the next bytes.

        Args:
            received: Any number of bytes, cut anywhere, also within a character.

        Returns:
            The events that these bytes complete.
        """
        if self._after_cr and received:
            self._after_cr = False
            received = received.removeprefix(b"\n")
        if b"\n" not in received and b"\r" not in received:
            self._pieces.append(received)
            return []
        self._after_cr = received.endswith(b"\r")
        *lines, rest = _LINE_END.split(b"".join([*self._pieces, received]))
        self._pieces = [rest]
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: bytes) -> ServerSentEvent | None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        data, event = self._data, self._event or "message"
        self._data, self._event = [], ""
        return ServerSentEvent("\n".join(data), event) if data else None
