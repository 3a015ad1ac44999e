from __future__ import annotations

import random

import pytest

from chatnb.chat_models.sse import ServerSentEvent, SSEDecoder

STREAM = (
    "\N{ZERO WIDTH NO-BREAK SPACE}data: one\r\n\r\n: a comment\ndata:two\ndata: lines\n\n"
    "event: odd\rdata: drei ü 😀\r\rid: 7\nretry: 10\n\ndata\n\ndata:  two spaces\n\ndata: cut"
).encode()
EVENTS = [
    ServerSentEvent("one"),
    ServerSentEvent("two\nlines"),
    ServerSentEvent("drei ü 😀", "odd"),
    ServerSentEvent(""),
    ServerSentEvent(" two spaces"),
]


def decode(pieces: list[bytes]) -> list[ServerSentEvent]:
    decoder = SSEDecoder()
    return [event for piece in pieces for event in decoder.decode(piece)]


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_a_stream_cut_in_two_anywhere_gives_the_same_events(cut: int) -> None:
    """Cutting between CR and LF, inside the BOM or inside a character changes nothing."""
    assert decode([STREAM[:cut], STREAM[cut:]]) == EVENTS


def test_a_stream_cut_into_random_pieces_gives_the_same_events() -> None:
    """So does any number of cuts, empty pieces included."""
    dice = random.Random(7)
    for _ in range(300):
        cuts = sorted(dice.choices(range(len(STREAM) + 1), k=dice.randint(1, 60)))
        edges = zip([0, *cuts], [*cuts, len(STREAM)], strict=True)
        assert decode([STREAM[start:end] for start, end in edges]) == EVENTS
