"""A server-sent-events decoder: bytes in, events out, without I/O or asyncio.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from typing import TypeAlias

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_FIRST_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
_BEGUN_FIELDS = frozenset(field[:size] for field in _FIRST_FIELDS for size in range(len(field)))


def is_event_stream(start: bytes) -> bool | None:
    """Return whether bytes begin an event stream; None if more of them are needed.

    Example:
        >>> is_event_stream(b"data: {}"), is_event_stream(b'{"id": 1}'), is_event_stream(b"\\nev")
        (True, False, None)
    """
    if _BOM.startswith(start[:3]):
        start = start[3:]
    start = start.lstrip()
    if start.startswith(_FIRST_FIELDS):
        return True
    return None if start in _BEGUN_FIELDS else False


Event: TypeAlias = tuple[bytes, str]
"""An event's data, in UTF-8 as received, and its type, which is `message` if it has no name."""
# A class would cost as much as the decoding does. Most data is JSON, whose parser takes bytes.


class SSEDecoder:
    """A decoder of the bytes of an event stream, cut anywhere."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._after_cr = False
        self._at_start = True
        self._data: list[bytes] = []
        self._event = ""

    def decode(self, received: bytes) -> list[Event]:
        """Return the events that the next bytes complete."""
        if self._after_cr and received:
            self._after_cr = False
            received = received.removeprefix(b"\n")
        has_cr = b"\r" in received
        if not has_cr and b"\n" not in received:
            self._rest.append(received)
            return []
        self._after_cr = received.endswith(b"\r")
        if self._rest:
            received = b"".join([*self._rest, received])
        lines = _LINE_END.split(received) if has_cr else received.split(b"\n")
        rest = lines.pop()
        self._rest = [rest] if rest else []
        return self._events_in(lines)

    def take_unfinished(self) -> bytes | None:
        """Return the bytes of the event that has begun, and forget them; None if lines are read."""
        if self._data or self._event or self._after_cr or self._at_start:
            return None
        if not self._rest:
            return b""
        unfinished = b"".join(self._rest)
        self._rest.clear()
        return unfinished

    def _events_in(self, lines: list[bytes]) -> list[Event]:
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        # Nearly all streams are lines of data and blank lines in turn.
        if not (self._data or self._event or any(lines[1::2])):
            events = [(line[6:], "message") for line in lines[::2] if line[:6] == b"data: "]
            if 2 * len(events) == len(lines):
                return events
        return self._read_lines(lines)

    def _read_lines(self, lines: list[bytes]) -> list[Event]:
        events, data = list[Event](), self._data
        for line in lines:
            if line[:6] == b"data: ":
                data.append(line[6:])
            elif line:
                self._take_field(line)
            elif data:
                whole = data[0] if len(data) == 1 else b"\n".join(data)
                events.append((whole, self._event or "message"))
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
