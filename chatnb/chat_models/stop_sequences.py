"""Cut replies at stop sequences, for providers that do not stop there themselves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace

from chatnb.schema.messages import AIMessage, AIMessageChunk


class StopFilter:
    """Passes text through up to the first stop sequence, also one split over several chunks."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [text for text in stop if text]
        self._held = ""
        self.ended = False

    def push(self, text: str) -> str:
        """Return the text to show by now; the possible start of a stop sequence is held back."""
        text = self._held + text
        found = [text.index(stop) for stop in self._stop if stop in text]
        if found:
            self.ended, self._held = True, ""
            return text[: min(found)]
        held = max((_overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """Return the text that was held back, at the end of the reply."""
        text, self._held = self._held, ""
        return text


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of the text begin the stop sequence."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)


def cut_reply(stop: Sequence[str], reply: AIMessage) -> AIMessage:
    """Return a whole reply up to the first stop sequence."""
    if not isinstance(reply.content, str):
        return reply
    filter = StopFilter(stop)
    text = filter.push(reply.content) + filter.flush()
    return replace(reply, content=text) if filter.ended else reply


def cut_stream(stop: Sequence[str], chunks: Iterator[AIMessageChunk]) -> Iterator[AIMessageChunk]:
    """Yield the chunks up to the first stop sequence; then the source is read no further."""
    filter = StopFilter(stop)
    for chunk in chunks:
        yield _cut_chunk(filter, chunk)
        if filter.ended:
            return
    if rest := filter.flush():
        yield AIMessageChunk(rest)


async def acut_stream(
    stop: Sequence[str], chunks: AsyncGenerator[AIMessageChunk, None]
) -> AsyncGenerator[AIMessageChunk, None]:
    """Yield the chunks up to the first stop sequence; like `cut_stream`."""
    filter = StopFilter(stop)
    async for chunk in chunks:
        yield _cut_chunk(filter, chunk)
        if filter.ended:
            return
    if rest := filter.flush():
        yield AIMessageChunk(rest)


def _cut_chunk(filter: StopFilter, chunk: AIMessageChunk) -> AIMessageChunk:
    content = chunk.content
    if not isinstance(content, str) or not content:
        return chunk
    text = filter.push(content)
    return chunk if text == content else replace(chunk, content=text)
