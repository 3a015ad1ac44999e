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
    """One event: its data, and its type where the server names one.

    The data is UTF-8 as it came, because most is JSON, whose parser takes bytes.
    """

    data: bytes
    event: str = "message"

    @property
    def text(self) -> str:
        """The data as text; U+FFFD stands for what is not UTF-8."""
        return self.data.decode("utf-8", "replace")


class SSEDecoder:
    """Turns the bytes of an event stream, cut anywhere, into events.

    Example:
        >>> decoder = SSEDecoder()
        >>> decoder.decode(b"data: one\\n")
        []
        >>> [event.data for event in decoder.decode(b"\\ndata: two\\n\\n")]
        [b'one', b'two']
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._after_cr = False
        self._at_start = True
        self._data: list[bytes] = []
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
        has_cr = b"\r" in received
        if not has_cr and b"\n" not in received:
            self._pieces.append(received)
            return []
        self._after_cr = received.endswith(b"\r")
        if self._pieces:
            received = b"".join([*self._pieces, received])
        lines = _LINE_END.split(received) if has_cr else received.split(b"\n")
        rest = lines.pop()
        self._pieces = [rest] if rest else []
        return self._events_in(lines)

    def _events_in(self, lines: list[bytes]) -> list[ServerSentEvent]:
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        events, data = list[ServerSentEvent](), self._data
        for line in lines:
            if line[:6] == b"data: ":
                data.append(line[6:])
            elif line:
                self._take_field(line)
            elif data:
                whole = data[0] if len(data) == 1 else b"\n".join(data)
                events.append(ServerSentEvent(whole, self._event or "message"))
                data.clear()
                self._event = ""
            else:
                self._event = ""
        return events

    def _take_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name == b"event":
            self._event = value.removeprefix(b" ").decode("utf-8", "replace")
