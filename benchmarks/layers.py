"""The cost of each layer that a chunk passes: `python benchmarks/layers.py`.

A profiler slows short functions down more than long ones, so the layers are timed one on top of
the other, on the same bytes, with no network below them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import closing
from functools import partial

import jiter
from server import event, text_delta

from chatnb.chat_models.openai.completions_stream import CompletionDecoder
from chatnb.chat_models.openai.errors import parse_json
from chatnb.chat_models.sse import SSEDecoder

CHUNKS = 20_000
ROUNDS = 15
RECEIVED = event(text_delta(0)) * CHUNKS
EVENT = event(text_delta(0))
PIECES = [RECEIVED[start : start + 65_536] for start in range(0, len(RECEIVED), 65_536)]


def split() -> None:
    for each in RECEIVED.split(b"\n\n"):
        each[6:]


def events() -> None:
    for _ in SSEDecoder().decode(RECEIVED):
        pass


def floor() -> None:
    for each in RECEIVED.split(b"\n\n")[:-1]:
        jiter.from_json(each[6:])


def parsed() -> None:
    for data, _ in SSEDecoder().decode(RECEIVED):
        parse_json(data)


def decoded() -> None:
    with closing(CompletionDecoder()) as decoder:
        exhaust(decoder.decode(RECEIVED))


def repeated() -> None:
    with closing(CompletionDecoder()) as decoder:
        for piece in PIECES:
            exhaust(decoder.decode(piece))


def floor_of_each() -> None:
    blocks = [b""]
    for _ in range(CHUNKS):
        *events, rest = (b"".join(blocks) + EVENT).split(b"\n\n")
        blocks[:] = [rest]
        for each in events:
            jiter.from_json(each[6:])


def repeated_each() -> None:
    with closing(CompletionDecoder()) as decoder:
        for _ in range(CHUNKS):
            exhaust(decoder.decode(EVENT))


def awaited(generators: int) -> None:
    """Hand the chunks on through async generators: `astream` has three."""

    async def decoded_chunks() -> AsyncGenerator[object]:
        with closing(CompletionDecoder()) as decoder:
            for piece in PIECES:
                for chunk in decoder.decode(piece):
                    yield chunk

    async def handed_on(chunks: AsyncGenerator[object]) -> AsyncGenerator[object]:
        async for chunk in chunks:
            yield chunk

    async def read() -> None:
        chunks = decoded_chunks()
        for _ in range(generators - 1):
            chunks = handed_on(chunks)
        async for _ in chunks:
            pass

    asyncio.run(read())


def exhaust(chunks: Iterable[object]) -> None:
    for _ in chunks:
        pass


LAYERS: tuple[tuple[str, Callable[[], None]], ...] = (
    ("split at blank lines", split),
    ("split, jiter: the floor", floor),
    ("events by the standard", events),
    ("+ parse_json (jiter)", parsed),
    ("CompletionDecoder, in one piece: + the check of a plain event, surrogates, a chunk", decoded),
    ("CompletionDecoder, in pieces: what repeats an earlier event is compared", repeated),
    ("the decoder + one async generator", partial(awaited, 1)),
    ("the decoder + three async generators, as in `astream`", partial(awaited, 3)),
    ("the floor, a piece for each event", floor_of_each),
    ("CompletionDecoder, a piece for each event", repeated_each),
)


def main() -> None:
    print("| layer | µs a chunk |\n|---|--:|")
    for title, layer in LAYERS:
        took = []
        for _ in range(ROUNDS):
            started = time.process_time()
            layer()
            took.append(time.process_time() - started)
        print(f"| {title} | {min(took) / CHUNKS * 1e6:.2f} |")


if __name__ == "__main__":
    main()
