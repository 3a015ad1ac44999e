"""The decoder of server-sent events, held against a naive one written from the standard.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnb.chat_models.sse import Event, SSEDecoder
from tests.support.examples import examples

MEBIBYTE = 2**20
STREAM = (
    "\N{ZERO WIDTH NO-BREAK SPACE}data: one\r\n\r\n: a comment\ndata:two\ndata: lines\n\n"
    "event: odd\rdata: drei ü 😀\r\rid: 7\nretry: 10\n\ndata\n\ndata:  two spaces\n\ndata: cut"
).encode()
# The events that a browser reads from the stream.
EVENTS = [
    (b"one", "message"),
    (b"two\nlines", "message"),
    ("drei ü 😀".encode(), "odd"),
    (b"", "message"),
    (b" two spaces", "message"),
]

# What nearly all streams are: a line of data, a blank line, and so on; but for some.
PLAIN = st.lists(
    st.sampled_from(["data: a\n\n"] * 6 + ["data:b\n\n", "data: c\ndata: d\n\n", "\n", ": e\n\n"]),
    max_size=9,
).map(lambda events: "".join(events).encode())
LINES = st.one_of(
    st.sampled_from(
        ["", "data", "data:", "data: ", "event", "event:", "event: ping", "id: 7", "retry: 5"]
    ),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["data", "data", "data", "event", "id", "", "dat", "datax", " data"]),
        st.sampled_from([":", ": ", ":  ", "::", ""]),
        st.text(alphabet="aé€😀\N{ZERO WIDTH NO-BREAK SPACE}\x00 :{\u2028\x85\x0b", max_size=6),
    ),
)
FRAMED = st.lists(st.tuples(LINES, st.sampled_from(["\n", "\r", "\r\n"])), max_size=14)
STREAMS = PLAIN | st.builds(
    lambda bom, lines, rest: (bom + "".join(line + end for line, end in lines) + rest).encode(),
    st.sampled_from(["", "", "\N{ZERO WIDTH NO-BREAK SPACE}"]),
    FRAMED,
    LINES,
)


def read_naively(stream: bytes) -> list[tuple[str, str]]:
    """The standard's algorithm, sentence by sentence, on a whole stream."""
    text = stream.decode("utf-8", "replace").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    *lines, _ = re.split("\r\n|\n|\r", text)
    events: list[tuple[str, str]] = []
    data, kind = "", ""
    for line in lines:
        field, _, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if line == "":
            if data != "":
                events.append((data[:-1], kind or "message"))
            data, kind = "", ""
        elif field == "data":
            data += value + "\n"
        elif field == "event":
            kind = value
    return events


def decode(pieces: list[bytes]) -> list[Event]:
    decoder = SSEDecoder()
    return [event for piece in pieces for event in decoder.decode(piece)]


def read(pieces: list[bytes]) -> list[tuple[str, str]]:
    return [(data.decode("utf-8", "replace"), name) for data, name in decode(pieces)]


def test_a_browser_and_the_naive_decoder_agree() -> None:
    """The decoder that the others are held against reads a known stream as browsers do."""
    assert read_naively(STREAM) == [(data.decode(), name) for data, name in EVENTS]
    assert decode([STREAM]) == EVENTS


@pytest.mark.slow
@settings(max_examples=examples(400), deadline=None)
@given(STREAMS)
def test_every_split_of_a_stream_gives_what_the_standard_says(stream: bytes) -> None:
    """Cut in two anywhere, or into single bytes, a stream gives the same events as whole."""
    expected = read_naively(stream)
    assert read([stream]) == expected
    assert read([stream[at : at + 1] for at in range(len(stream))]) == expected
    for cut in range(len(stream) + 1):
        assert read([stream[:cut], stream[cut:]]) == expected


@pytest.mark.slow
@settings(max_examples=examples(400), deadline=None)
@given(STREAMS, st.lists(st.integers(0, 120), max_size=12))
def test_any_number_of_cuts_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    """Nor do several cuts, with empty pieces between them."""
    ends = sorted(cuts)
    edges = zip([0, *ends], [*ends, len(stream)], strict=True)
    assert read([stream[start:end] for start, end in edges]) == read_naively(stream)


@settings(max_examples=examples(300), deadline=None)
@given(st.binary(max_size=60).map(lambda noise: b"data: " + noise + b"\n\ndata: ok\n\n"))
def test_bytes_that_are_no_text_are_read_as_the_standard_says(stream: bytes) -> None:
    """Bytes that are not UTF-8 become U+FFFD, wherever they are cut."""
    expected = read_naively(stream)
    for cut in range(len(stream) + 1):
        assert read([stream[:cut], stream[cut:]]) == expected


@pytest.mark.slow
@pytest.mark.parametrize("size", [1_000, 65_536])
def test_an_event_of_64_mebibytes_is_held_three_times_at_most(size: int) -> None:
    """A huge event in small pieces is whole: there are its pieces, their sum, and its data."""
    piece = b"x" * size
    count = 64 * MEBIBYTE // size
    decoder = SSEDecoder()
    tracemalloc.start()
    assert decoder.decode(b"data: ") == []
    for _ in range(count):
        assert decoder.decode(piece) == []
    ((data, _),) = decoder.decode(b"\n\n")
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(data) == size * count
    assert highest < 3.2 * 64 * MEBIBYTE
