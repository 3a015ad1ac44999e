"""Events of a stream that repeat an earlier one with another text, read without parsing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from chatnb.chat_models.sse import Event, SSEDecoder
from chatnb.chat_models.wire.payloads import UNREADABLE, Payload
from chatnb.errors import MalformedReplyError

Path: TypeAlias = Sequence[str | int]
"""The keys and indexes that lead to the text in an event's payload."""

_MAX_MISSES = 16  # Where events differ in more than their text, trying costs and gains nothing.
# Values that say nothing about a reply, and are others in each event.
_VARYING = re.compile(r'(?<="obfuscation":")[0-9A-Za-z]+(?=")|(?<="sequence_number":)[0-9]+')
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_decode_json = json.JSONDecoder().raw_decode


class RepeatedEvents:
    """A reader of events that are equal to an earlier one, byte by byte, but for their text."""

    # Nearly all events of a reply only continue its text. To compare what is around the text takes
    # a fifth of the time that splitting lines and parsing JSON take.

    def __init__(self, path: Path, parse: Callable[[bytes], Payload]) -> None:
        self._path = path
        self._parse = parse
        self._latest: Event | None = None
        self._pattern: _Pattern | None = None
        self._misses = 0
        self.payload: Payload = {}
        """The payload of such an event, with some text."""

    def note(self, event: Event) -> None:
        """Take an event that only continued the text, and had to be parsed."""
        if self._misses < _MAX_MISSES and (self._misses or self._pattern is None):
            self._latest = event

    def stop(self) -> None:
        """Read no more of them: what they mean depends on others now."""
        self._misses = _MAX_MISSES

    def read(self, events: SSEDecoder, received: bytes) -> tuple[Sequence[str], bytes]:
        """Return the texts of such events that the next bytes begin with, and the rest."""
        if self._latest is not None:
            self._pattern, self._latest = _learn(self._latest, self._path, self._parse), None
            if self._pattern is None:
                self._misses += 1
            else:
                self.payload = self._pattern.payload
        if self._pattern is None or self._misses >= _MAX_MISSES:
            return (), received
        is_whole = received.endswith(b"\n\n")  # A search costs as much as the comparison.
        if not is_whole and b"\n\n" not in received:
            return (), received
        unfinished = events.take_unfinished()
        if unfinished is None:
            return (), received
        received = unfinished + received
        whole = received if is_whole else received[: received.rfind(b"\n\n") + 2]
        try:
            text = whole.decode()
        except UnicodeDecodeError:
            return (), received
        texts, length = self._pattern.read(text)
        self._misses = 0 if texts else self._misses + 1
        rest = received[len(whole) :]
        return texts, rest if length == len(text) else text[length:].encode() + rest


class _Pattern:
    """An event with any text in its place."""

    # If the bytes around a JSON string are the same, and those in it are the inside of a JSON
    # string, parsing can only give the same payload with the other text.

    def __init__(self, before: str, after: str, payload: Payload) -> None:
        self._before, *self._rest_before = _VARYING.split(before)
        self._after, *self._rest_after = _VARYING.split(after)
        self.payload = payload

    def read(self, events: str) -> tuple[list[str], int]:
        """Return the texts of all that the events begin with, and the length of these."""
        texts: list[str] = []
        position, before, after = 0, self._before, self._after
        while position < len(events) and events.startswith(before, position):
            start = position + len(before)
            if self._rest_before:
                start = _skip(events, start, self._rest_before)
            end = events.find('"', start)
            text = events[start:end]
            if "\\" in text or not text.isprintable():
                text, end = _unescaped(events, start)
            if not events.startswith(after, end):
                break
            end += len(after)
            if self._rest_after:
                end = _skip(events, end, self._rest_after)
                if end < 0:
                    break
            texts.append(text)
            position = end
        return texts, position


def _learn(event: Event, path: Path, parse: Callable[[bytes], Payload]) -> _Pattern | None:
    """Return the pattern of an event, or None if its text cannot be found in its bytes."""
    data, name = event
    fields = "data: " if name == "message" else f"event: {name}\ndata: "
    try:
        text, written = _at(parse(data), path), data.decode()
        for string in _JSON_STRING.finditer(written):
            if json.loads(string[0]) != text:
                continue
            # Other fields may have the same value: another text in its place shows which it is.
            before, after = written[: string.start() + 1], written[string.end() - 1 :]
            payload = parse(f"{before}another {after}".encode())
            if _at(payload, path) == "another ":
                return _Pattern(fields + before, f"{after}\n\n", payload)
    except (*UNREADABLE, MalformedReplyError):
        pass
    return None


def _skip(events: str, position: int, parts: list[str]) -> int:
    """Return the end of the parts with any values between them; -1 if they are not there."""
    for part in parts:
        end = events.find(part[0], position)
        if not (events[position:end].isalnum() and events.startswith(part, end)):
            return -1
        position = end + len(part)
    return position


def _unescaped(events: str, start: int) -> tuple[str, int]:
    """Return the text of the JSON string whose inside begins here, and the position of its end."""
    try:
        text, end = _decode_json(events, start - 1)
    except ValueError:
        return "", -1
    return text, end - 1


def _at(payload: Any, path: Path) -> Any:
    for key in path:
        payload = payload[key]
    return payload
