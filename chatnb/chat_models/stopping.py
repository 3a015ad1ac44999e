"""Texts at which a reply ends, for models that do not end there by themselves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace

from chatnb.schema.messages import AIMessage, AIMessageChunk


class StopFilter:
    """Lets text through up to the first of some texts, wherever the pieces are cut.

    Args:
        stop: The texts.

    Example:
        >>> gate = StopFilter(["###"])
        >>> gate.push("one #"), gate.push("# two #"), gate.push("## three"), gate.ended
        ('one ', '## two ', '', True)
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [text for text in stop if text]
        self._held = ""
        self.ended = False

    def push(self, text: str) -> str:
        """Take the next piece of text.

        Returns:
            What can be told by now: a piece that may be the start of a stop is held back.
        """
        text = self._held + text
        found = [text.index(stop) for stop in self._stop if stop in text]
        if found:
            self.ended, self._held = True, ""
            return text[: min(found)]
        held = max((_overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """What was held back at the end of the text."""
        text, self._held = self._held, ""
        return text


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text begin the stop."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)


def ended_at(stop: Sequence[str], message: AIMessage) -> AIMessage:
    """A whole reply up to the first of the texts.

    Example:
        >>> ended_at(["."], AIMessage("One. Two."))
        AIMessage(content='One')
    """
    if not stop or not isinstance(message.content, str):
        return message
    gate = StopFilter(stop)
    text = gate.push(message.content) + gate.flush()
    return replace(message, content=text) if gate.ended else message


def until(stop: Sequence[str], chunks: Iterator[AIMessageChunk]) -> Iterator[AIMessageChunk]:
    """The chunks of a reply up to the first of the texts; the model is asked for no more.

    Example:
        >>> chunks = [AIMessageChunk("Hel"), AIMessageChunk("lo"), AIMessageChunk("!")]
        >>> list(until(["o"], iter(chunks)))
        [AIMessageChunk(content='Hel'), AIMessageChunk(content='l')]
    """
    gate = StopFilter(stop)
    for chunk in chunks:
        yield _let_through(gate, chunk)
        if gate.ended:
            return
    rest = gate.flush()
    if rest:
        yield AIMessageChunk(rest)


async def auntil(
    stop: Sequence[str], chunks: AsyncGenerator[AIMessageChunk, None]
) -> AsyncGenerator[AIMessageChunk, None]:
    """The chunks of a reply up to the first of the texts; like `until`."""
    gate = StopFilter(stop)
    async for chunk in chunks:
        yield _let_through(gate, chunk)
        if gate.ended:
            return
    rest = gate.flush()
    if rest:
        yield AIMessageChunk(rest)


def _let_through(gate: StopFilter, chunk: AIMessageChunk) -> AIMessageChunk:
    content = chunk.content
    if not isinstance(content, str) or not content:
        return chunk
    text = gate.push(content)
    return chunk if text == content else replace(chunk, content=text)
