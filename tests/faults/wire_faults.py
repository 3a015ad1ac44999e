"""Faults of the wire: what a server, a proxy or a line may do to a reply."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.chat_models.contract.providers import Wire
from tests.support.loopback import Exchange, Script, event

PIECES = ("Hel", "lo, ", "wörld €")
TEXT = "".join(PIECES)
Outcome = Literal["reply", "error", "either"]
Ending = Literal["close", "reset", "stall"]
Framing = Literal["close", "length", "chunked"]


@dataclass(frozen=True)
class Fault:
    """A fault, and what may come of it.

    Args:
        name: Its name in reports.
        script: The server's side.
        outcome: The whole reply, one of our errors, or either of them.
        text: The text of the reply.
        stalls: Whether the client has to give up by itself.
        is_stream: Whether only a request for a stream is answered so.
    """

    name: str
    script: Script
    outcome: Outcome = "error"
    text: str = TEXT
    stalls: bool = False
    is_stream: bool = False


class _Bodies:
    """The bytes of a right reply, as a stream and whole."""

    def __init__(self, wire: Wire) -> None:
        self.pieces = (wire.start, *map(wire.text, PIECES), wire.end(TEXT))
        self.stream = b"".join(self.pieces)
        self.whole = json.dumps(wire.whole(TEXT), ensure_ascii=False).encode()

    def of(self, exchange: Exchange) -> bytes:
        return self.stream if exchange.body.get("stream") else self.whole


Change = Callable[[bytes], bytes]


def _head(
    *headers: str, status: str = "200 OK", type: str | None = None, framing: Framing = "close"
) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers]
    lines += [f"content-type: {type}"] if type else []
    lines += ["transfer-encoding: chunked"] if framing == "chunked" else ["connection: close"]
    return "\r\n".join([*lines, "", ""]).encode()


def _type(exchange: Exchange) -> str:
    return "text/event-stream" if exchange.body.get("stream") else "application/json"


def _chunked(body: bytes, size: int = 50) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _framed(exchange: Exchange, body: bytes, framing: Framing, *headers: str) -> bytes:
    if framing == "length":
        headers = (*headers, f"content-length: {len(body)}")
    head = _head(*headers, type=_type(exchange), framing=framing)
    return head + (_chunked(body) if framing == "chunked" else body)


async def _end(exchange: Exchange, ending: Ending) -> AsyncIterator[bytes]:
    while ending == "stall":
        yield b""  # The server looks if the client is still there.
        await asyncio.sleep(0.02)
    if ending == "reset":
        await asyncio.sleep(0.01)
        exchange.torn = True


def _raw(
    make: Callable[[Exchange], bytes], ending: Ending = "close", sizes: Sequence[int] = ()
) -> Script:
    """Send what is made of a request, in parts of these sizes in turn."""

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        data, at, turn = make(exchange), 0, 0
        while sizes and at < len(data):
            size = sizes[turn % len(sizes)]
            yield data[at : at + size]
            await asyncio.sleep(0)
            at, turn = at + size, turn + 1
        if not sizes:
            yield data
        async for nothing in _end(exchange, ending):
            yield nothing

    return script


def wire_faults(wire: Wire) -> list[Fault]:
    """Return all faults for a wire format, each under a name of its own."""
    bodies = _Bodies(wire)
    families = (_cuts, _lengths, _chunks, _encodings, _characters, _types, _events, _statuses)
    faults = [fault for family in (*families, _protocols) for fault in family(wire, bodies)]
    names = [fault.name for fault in faults]
    assert len(set(names)) == len(names)
    return faults


def _cuts(wire: Wire, bodies: _Bodies) -> Iterator[Fault]:
    """Ends of the connection at every kind of byte."""
    head, last = len(_head(type="text/event-stream")), len(bodies.stream)
    marks = [0]
    for piece in bodies.pieces:
        marks.append(marks[-1] + len(piece))
    split = bodies.stream.index("ö".encode()) + 1 if "ö".encode() in bodies.stream else marks[3] + 9
    places = {
        "in the status": 5,
        "after the status": 17,
        "in a header": 30,
        "before the head's end": head - 2,
        "after the head": head,
        "in a field's name": head + 2,
        "in the first event": head + 20,
        "at an event's end": head + marks[1] - 1,
        "after an event": head + marks[2],
        "in JSON": head + marks[2] + 25,
        "in a character": head + split,
        "after all text": head + marks[4],
        "before the end": head + last - 20,
    }
    for name, place in places.items():
        # There the wire's last event may be whole, and only the mark behind it missing.
        outcome: Outcome = "either" if name == "before the end" else "error"
        for framing in ("close", "length", "chunked"):
            for ending in ("close", "reset"):
                yield Fault(
                    f"{ending} {name}, framed by {framing}",
                    _raw(_cut(bodies, place, framing), ending),
                    outcome,
                )
        yield Fault(
            f"stall {name}", _raw(_cut(bodies, place, "close"), "stall"), outcome, stalls=True
        )
    yield Fault("refused", _raw(lambda _: b"", "reset"))
    held = _raw(lambda e: _framed(e, bodies.of(e), "close"), "stall")
    yield Fault("a stream's line is held open", held, "either", stalls=True)
    yield Fault("closed early, whole", _raw(lambda e: _framed(e, bodies.whole[:-9], "close")))


def _cut(bodies: _Bodies, place: int, framing: Framing) -> Callable[[Exchange], bytes]:
    def make(exchange: Exchange) -> bytes:
        body = bodies.of(exchange)
        data = _framed(exchange, body, framing)
        # The heads differ in length, and so do the bodies of whole replies.
        plain = len(_head(type="text/event-stream"))
        head = data.index(b"\r\n\r\n") + 4
        if place <= plain:
            return data[: head if place == plain else min(place, head - 1)]
        share = min((place - plain) / len(bodies.stream), 1)
        wanted = place - plain if exchange.body.get("stream") else int(share * len(body))
        cut = body[: min(wanted, len(body) - 1)]
        return data[:head] + (_chunked(cut)[:-5] if framing == "chunked" else cut)

    return make


def _lengths(_: Wire, bodies: _Bodies) -> Iterator[Fault]:
    def claims(*lengths: str, more: bytes = b"") -> Script:
        headers = [f"content-length: {length}" for length in lengths]
        return _raw(lambda e: _head(*headers, type=_type(e)) + bodies.of(e) + more)

    def off_by(number: int) -> Script:
        def make(exchange: Exchange) -> bytes:
            body = bodies.of(exchange)
            return _head(f"content-length: {len(body) + number}", type=_type(exchange)) + body

        return _raw(make)

    for number in (1, 1000, 10**12):
        yield Fault(f"length too long by {number}", off_by(number), "either")
    for number in (1, 25, 100):
        yield Fault(f"length too short by {number}", off_by(-number), "either")
    yield Fault("length too short by 300", off_by(-300))
    for length in ("-1", "x", "", "1.5", "0x10", "1e3", "9" * 400):
        yield Fault(f"length is {length[:9]!r}", claims(length), "either")
    yield Fault("length is 0", claims("0"))
    yield Fault("two lengths", claims("5", "7"), "either")
    more = b"HTTP/1.1 200 OK\r\n\r\n"
    script = _raw(lambda e: _framed(e, bodies.of(e), "length") + more)
    yield Fault("length and bytes behind it", script, "reply")


def _chunks(_: Wire, bodies: _Bodies) -> Iterator[Fault]:
    def changed(change: Change) -> Script:
        return _raw(lambda e: _head(type=_type(e), framing="chunked") + change(bodies.of(e)))

    cases: dict[str, tuple[Change, Outcome]] = {
        "no number": (lambda body: b"zz\r\n" + body, "error"),
        "a negative number": (lambda body: b"-5\r\n" + body, "error"),
        "a huge number": (lambda body: b"ffffffffff\r\n" + body, "either"),
        "no line end": (lambda body: b"%x" % len(body) + body, "error"),
        "no end": (lambda body: _chunked(body)[:-5], "either"),
        "half an end": (lambda body: _chunked(body)[:-2], "either"),
        "an empty part at first": (lambda body: b"0\r\n\r\n" + _chunked(body), "error"),
        "nothing": (lambda _: b"", "error"),
        "an extension": (lambda body: b"%x;a=b\r\n%b\r\n0\r\n\r\n" % (len(body), body), "reply"),
        "a trailer": (lambda body: _chunked(body)[:-2] + b"x: y\r\n\r\n", "reply"),
        "capitals": (lambda body: b"%X\r\n%b\r\n0\r\n\r\n" % (len(body), body), "reply"),
        "bytes behind": (lambda body: _chunked(body) + b"junk", "reply"),
        "parts of a byte": (lambda body: _chunked(body, 1), "reply"),
        "line ends alone": (lambda body: _chunked(body).replace(b"\r\n", b"\n"), "either"),
        "no line end behind": (lambda body: b"%x\r\n%b0\r\n\r\n" % (len(body), body), "either"),
    }
    for name, (change, outcome) in cases.items():
        yield Fault(f"chunked: {name}", changed(change), outcome)
    yield Fault("chunked, and a length", _raw(
        lambda e: _framed(e, bodies.of(e), "chunked", "content-length: 5")), "either")  # fmt: skip


def _encodings(_: Wire, bodies: _Bodies) -> Iterator[Fault]:
    def encoded(name: str, change: Change) -> Script:
        header = f"content-encoding: {name}"
        return _raw(lambda e: _head(header, type=_type(e)) + change(bodies.of(e)))

    def flipped(body: bytes) -> bytes:
        data = bytearray(gzip.compress(body))
        data[len(data) // 2] ^= 255
        return bytes(data)

    cases: dict[str, tuple[str, Change, Outcome]] = {
        "gzip": ("gzip", gzip.compress, "reply"),
        "deflate": ("deflate", zlib.compress, "reply"),
        "gzip in capitals": ("GZIP", gzip.compress, "reply"),
        "identity": ("identity", lambda body: body, "reply"),
        "twice": ("gzip, gzip", lambda body: gzip.compress(gzip.compress(body)), "either"),
        "gzip, cut": ("gzip", lambda body: gzip.compress(body)[:-30], "either"),
        "gzip, its end cut": ("gzip", lambda body: gzip.compress(body)[:-8], "either"),
        "gzip, half": ("gzip", lambda body: gzip.compress(body)[: len(body) // 5], "error"),
        "gzip, flipped": ("gzip", flipped, "error"),
        "gzip, empty": ("gzip", lambda _: b"", "error"),
        "gzip, plain": ("gzip", lambda body: body, "error"),
        "gzip, bytes behind": ("gzip", lambda body: gzip.compress(body) + b"junk", "either"),
        "deflate, plain": ("deflate", lambda body: body, "error"),
        "br, plain": ("br", lambda body: body, "either"),
        "zstd, plain": ("zstd", lambda body: body, "either"),
        "unknown": ("x-unknown", lambda body: body, "either"),
    }
    for name, (header, change, outcome) in cases.items():
        yield Fault(f"encoding: {name}", encoded(header, change), outcome)


def _characters(wire: Wire, bodies: _Bodies) -> Iterator[Fault]:
    def body(change: Change) -> Script:
        return _raw(lambda e: _framed(e, change(bodies.of(e)), "close"))

    euro = "€".encode()

    def in_place(new: bytes) -> Change:
        return lambda data: data.replace(euro, new).replace(b"\\u20ac", new)

    broken = TEXT.replace("€", "\ufffd")
    bad = {"a byte": b"\xff", "half a character": euro[:1], "a surrogate": b"\xed\xa0\xbd"}
    for name, new in bad.items():
        marks = "\ufffd" * len(new.decode(errors="replace"))
        text = TEXT.replace("€", marks)
        yield Fault(f"bad UTF-8: {name}", body(in_place(new)), "either", text)
    yield Fault("half an escape", body(in_place(b"\\ud83d")), "either", broken)
    yield Fault("an escape's end", body(in_place(b"\\ude00")), "either", broken)
    yield Fault("a pair of escapes", body(in_place(b"\\ud83d\\ude00")), "reply",
                TEXT.replace("€", "\U0001f600"))  # fmt: skip
    yield Fault("an escape cut", body(in_place(b"\\u20a")))
    yield Fault("NUL", body(in_place(b"\\u0000")), "reply", TEXT.replace("€", "\0"))
    yield Fault("a raw NUL", body(in_place(b"\x00")), "either", TEXT.replace("€", "\0"))
    yield Fault("a byte order mark", body(lambda data: b"\xef\xbb\xbf" + data), "reply")
    yield Fault("UTF-16", body(lambda data: data.decode().encode("utf-16")))
    yield Fault("zeros", body(lambda data: b"\0" * len(data)))
    noise = random.Random(7).randbytes(3000)
    yield Fault("noise", body(lambda _: noise))


def _types(_: Wire, bodies: _Bodies) -> Iterator[Fault]:
    for name in (
        *("text/plain", "Text/Event-Stream", "text/event-stream; charset=utf-8"),
        *("application/json", "application/octet-stream", "text/html", "x"),
        *("text/event-stream;charset=latin-1", 'text/event-stream; charset="nonsense"'),
        "application/x-ndjson",
    ):
        script = _raw(lambda e, name=name: _head(type=name) + bodies.of(e))
        yield Fault(f"content type {name}", script, "either" if name == "text/html" else "reply")
    yield Fault("no content type", _raw(lambda e: _head() + bodies.of(e)), "reply")
    page = b"<!doctype html><html><body>It works!</body></html>"
    for type in ("text/html", "text/event-stream", "application/json", "text/plain"):
        yield Fault(f"a page as {type}", _raw(lambda e, type=type: _head(type=type) + page))


def _events(wire: Wire, bodies: _Bodies) -> Iterator[Fault]:
    """Streams that are odd, for the methods that ask for one."""

    def odd(name: str, *pieces: bytes, outcome: Outcome = "error") -> Fault:
        script = _raw(lambda e: _framed(e, b"".join(pieces), "close"))
        return Fault(name, script, outcome, is_stream=True)

    start, *texts, end = bodies.pieces
    junk = {
        "null": b"null",
        "a list": b"[]",
        "a text": b'"x"',
        "a number": b"3",
        "true": b"true",
        "no JSON": b"{",
        "nothing": b"",
        "NaN": b"NaN",
        "a list of it": b"[{}]",
        "single quotes": b"{'a': 1}",
        "a deep list": b"[" * 20_000,
        "an empty error": b'{"error": {}}',
        "a text as error": b'{"error": "No."}',
        "a list as error": b'{"error": ["No."]}',
        "a number as error": b'{"error": 5}',
        "null as error": b'{"error": null}',
    }
    for name, data in junk.items():
        line = b"data: " + data + b"\n\n"
        yield odd(f"event: {name}", start, texts[0], line, *texts[1:], end, outcome="either")
    for number in range(4):
        yield odd(f"error event after {number}", start, *texts[:number], wire.error_event("No."))
    yield odd("error event first", wire.error_event("No."))
    yield odd("no end", start, *texts)
    yield odd("only the end", event("[DONE]"))
    yield odd("only the start", start)
    yield odd("empty stream", b"")
    yield odd("the end twice", start, *texts, end, end, outcome="reply")
    yield odd("text after the end", start, *texts, end, texts[0], outcome="reply")
    yield odd("junk after the end", start, *texts, end, b"\xff\xfe junk", outcome="reply")
    new = b"event: new\n" + event({"type": "new", "object": "new"})
    yield odd("an unknown event", start, new, *texts, end, outcome="either")
    yield odd("a line without an end", start, b"data: " + b"x" * 2_000_000)
    whole = b"".join(bodies.pieces)
    right: dict[str, bytes] = {
        "comments": b": ping\n\n" + whole.replace(b"\n\n", b"\n\n: ping\n\n"),
        "CRLF": whole.replace(b"\n", b"\r\n"),
        "CR": whole.replace(b"\n", b"\r"),
        "no space": whole.replace(b"data: ", b"data:"),
        "ids and retries": b"id: 1\nretry: 5\n\n" + whole,
        "blank lines": b"\n\n\n" + whole.replace(b"\n\n", b"\n\n\n\n"),
        "no last line end": whole.rstrip(b"\n"),
        "a long comment": b":" + b"x" * 300_000 + b"\n\n" + whole,
    }
    for name, data in right.items():
        outcome = "either" if name == "no last line end" else "reply"
        yield odd(f"stream with {name}", data, outcome=outcome)
    yield Fault("whole in place of a stream", _raw(
        lambda e: _head(type="application/json") + bodies.whole), "reply")  # fmt: skip


_STATUSES = (
    *(400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 413, 414, 415, 418, 421, 422),
    *(423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520),
    *(521, 522, 524, 529, 530, 598, 599, 600, 999),
)
_WAITS = ("0", "-1", "inf", "nan", "1e400", "86400", "\xe9", "", "Wed, 21 Oct 2015 07:28:00 GMT")


def _statuses(wire: Wire, bodies: _Bodies) -> Iterator[Fault]:
    def answer(status: str, body: bytes, *headers: str, type: str = "application/json") -> Script:
        return _raw(lambda _: _head(*headers, status=status, type=type) + body)

    for status in _STATUSES:
        known = status if status in (400, 401, 403, 404, 413, 429, 500, 503, 529) else 500
        try:
            body = json.dumps(wire.error(known, "Not today.")).encode()
        except KeyError:
            body = json.dumps(wire.error(500, "Not today.")).encode()
        yield Fault(f"status {status}", answer(f"{status} Odd", body))
    bodies_of_errors = {
        "empty": b"",
        "a page": b"<html>Bad gateway</html>",
        "cut": b'{"error": {"mess',
        "null": b"null",
        "a list": b"[1]",
        "a text": b'"no"',
        "bad UTF-8": b'{"error": "\xff"}',
        "huge": b"x" * 1_000_000,
        "deep": b"[" * 50_000,
        "odd": b'{"error": {"message": {"a": [1]}, "code": {}, "type": 5}}',
        "noise": bytes(range(256)),
    }
    for status in ("400 Bad", "429 Slow", "500 Bad"):
        for name, body in bodies_of_errors.items():
            yield Fault(f"status {status[:3]}, body {name}", answer(status, body))
    for wait in _WAITS:
        body = json.dumps(wire.error(429, "Later.")).encode()
        yield Fault(f"retry-after {wait!r}", answer("429 Slow", body, f"retry-after: {wait}"))
    for status in ("201 Created", "202 Accepted", "206 Partial", "299 Odd"):
        script = _raw(lambda e, status=status: _head(status=status, type=_type(e)) + bodies.of(e))
        yield Fault(f"status {status}", script, "either")
    for status in ("204 None", "205 Reset", "304 Same"):
        yield Fault(f"status {status}", answer(status, b""))
    yield Fault("an error as 200", answer("200 OK", json.dumps(wire.error(500, "No.")).encode()))
    for status in (300, 301, 302, 303, 307, 308):
        for place in ("/v1/again", "http://127.0.0.1:9/", "javascript:x", "", "//", "http://["):
            headers = [f"location: {place}"] if place else []
            yield Fault(
                f"{status} to {place!r}", answer(f"{status} Moved", b"", *headers), "either"
            )


def _protocols(_: Wire, bodies: _Bodies) -> Iterator[Fault]:
    def after(data: bytes) -> Script:
        return _raw(lambda e: data + _framed(e, bodies.of(e), "close"))

    def headers(*lines: str) -> Script:
        return _raw(lambda e: _framed(e, bodies.of(e), "close", *lines))

    for name, data in {
        "no HTTP": b"220 mail.test ESMTP\r\n",
        "HTTP 2": b"\0\0\x12\4\0\0\0\0\0",
        "TLS": b"\x15\3\3\0\2\2\x28",
        "a blank": b"\r\n\r\n",
        "half a head": b"HTTP/1.1 200 OK\r\nx: y\r\n",
        "status x": b"HTTP/1.1 xyz OK\r\n\r\n",
        "version 9": b"HTTP/9.9 200 OK\r\n\r\n",
        "a tab": b"HTTP/1.1\t200\tOK\r\n\r\n",
    }.items():
        yield Fault(f"protocol: {name}", after(data), "either")
    yield Fault("100 before", after(b"HTTP/1.1 100 Continue\r\n\r\n"), "reply")
    yield Fault("103 before", after(b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\n"), "reply")
    yield Fault("a header without a colon", headers("nonsense"), "either")
    yield Fault("a header of 200 KB", headers(f"x: {'y' * 200_000}"), "either")
    yield Fault("a thousand headers", headers(*(f"x{n}: y" for n in range(1000))), "either")
    yield Fault("a header in Latin 1", headers("x: \xe9"), "either")
    yield Fault("a header twice", headers("content-type: text/html"), "either")
    for sizes in ((1,), (3, 1, 7), (2, 90), (17,)):
        script = _raw(lambda e: _framed(e, bodies.of(e), "chunked"), "close", sizes)
        yield Fault(f"in parts of {sizes}", script, "reply")
