"""Move reasoning that a model writes into its text, between tags, out of it: pure functions.

Models write it at the beginning of a reply, as `<think>...</think>`. Tags anywhere else are text.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from chatnb.chat_models.stream_decoder import StreamDecoder
from chatnb.errors import ModelError
from chatnb.schema.messages import AIMessage, AIMessageChunk

_KEY = "reasoning_content"


class Split(NamedTuple):
    """Reasoning, and the text after it."""

    reasoning: str
    text: str


class ReasoningSplitter:
    """A splitter of a text that comes in pieces, cut anywhere."""

    def __init__(self, tag: str) -> None:
        self._open, self._close = f"<{tag}>", f"</{tag}>"
        self._held = ""  # What may be a tag, with the white space beside it.
        self._space = list[str]()  # What was held back as long as it is all white space.
        self._within = False
        self._found = False  # Whether there was reasoning.
        self._started = False  # Whether this block of reasoning has any text yet.
        self._gap = ""  # What its text begins with, after that of an earlier block.
        self.is_done = False

    def push(self, piece: str) -> Split:
        """Return the reasoning and the text that are certain by now."""
        if self.is_done:
            return Split("", piece)
        if not self._held and not piece.strip():  # Reading all of it anew for each piece is slow.
            self._space.append(piece)
            return Split("", "")
        self._held = self._take_held() + piece
        split = self._read()
        if self._held.isspace():
            self._space.append(self._held)
            self._held = ""
        return split

    def _take_held(self) -> str:
        held = "".join([*self._space, self._held])
        self._space.clear()
        self._held = ""
        return held

    def _read(self) -> Split:
        reasoning = list[str]()
        while True:
            if self._within:
                reasoning.append(self._read_reasoning())
                if self._within:
                    return Split("".join(reasoning), "")
            elif not self._read_opening():
                return Split("".join(reasoning), self._read_text())

    def flush(self) -> Split:
        """Return what was held back, at the end."""
        held = self._take_held()
        if self._within:
            return Split(self._stripped(held.rstrip()), "")
        return Split("", "" if self._found and not held.strip() else held)

    def _read_opening(self) -> bool:
        start = self._held.lstrip()
        if not start.startswith(self._open):
            return False
        self._held = start[len(self._open) :]
        if self._started:
            self._gap = "\n\n"
        self._started, self._within, self._found = False, True, True
        return True

    def _read_reasoning(self) -> str:
        reasoning, close, rest = self._held.partition(self._close)
        if close:
            self._held, self._within = rest, False
            return self._stripped(reasoning.rstrip())
        # The end of what is there may be the beginning of the tag, or white space before it.
        kept = reasoning[: len(reasoning) - _overlap(reasoning, self._close)].rstrip()
        self._held = reasoning[len(kept) :]
        return self._stripped(kept)

    def _stripped(self, reasoning: str) -> str:
        if self._started:
            return reasoning
        text = reasoning.lstrip()
        if not text:
            return ""
        gap, self._gap, self._started = self._gap, "", True
        return gap + text

    def _read_text(self) -> str:
        start = self._held.lstrip()
        if self._open.startswith(start):
            return ""  # It may still be a tag.
        text = start if self._found else self._held
        self.is_done, self._held = True, ""
        return text


def _overlap(text: str, tag: str) -> int:
    """Return the length of the longest end of a text with which a tag begins."""
    return next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)


def split_message(tag: str, message: AIMessage) -> AIMessage:
    """Return a message with the reasoning of its text in `reasoning`."""
    if not isinstance(message.content, str) or not message.content.lstrip().startswith(f"<{tag}>"):
        return message
    splitter = ReasoningSplitter(tag)
    parts = splitter.push(message.content), splitter.flush()
    reasoning = message.reasoning + "".join(part.reasoning for part in parts)
    others = {name: value for name, value in message.additional_kwargs.items() if name != _KEY}
    kwargs = {**others, _KEY: reasoning} if reasoning else others
    text = "".join(part.text for part in parts)
    return replace(message, content=text, additional_kwargs=kwargs)


def tagged_replies(
    tag: str, read: Callable[[bytes], list[AIMessage]], body: bytes
) -> list[AIMessage]:
    """Return the replies of a body with their reasoning out of their text."""
    with _split_partial(tag):
        return [split_message(tag, reply) for reply in read(body)]


class TaggedDecoder:
    """A stream decoder whose chunks have their reasoning out of their text."""

    def __init__(self, tag: str, decoder: Callable[[], StreamDecoder | TaggedDecoder]) -> None:
        self._tag = tag
        self._decoder = decoder()
        self._splitter = ReasoningSplitter(tag)

    @property
    def partial(self) -> AIMessage | None:
        """The reply so far, or None if nothing has arrived."""
        message = self._decoder.partial
        return message and split_message(self._tag, message)

    @property
    def is_done(self) -> bool:
        """True once the server has said that nothing follows."""
        return self._decoder.is_done

    @property
    def is_complete(self) -> bool:
        """True if nothing is missing, though the server may not have said that it is done."""
        return self._decoder.is_complete

    def begin(self, content_type: str) -> None:
        """Take the response's content type."""
        self._decoder.begin(content_type)

    def decode(self, received: bytes) -> Iterator[AIMessageChunk]:
        """Return the chunks that the next bytes, cut anywhere, complete."""
        chunks = self._decoder.decode(received)
        return chunks if self._splitter.is_done else map(self._split, chunks)

    def end(self) -> Iterator[AIMessageChunk]:
        """Yield the last chunks, and check that the reply ended well."""
        with _split_partial(self._tag):
            for chunk in self._decoder.end():
                yield self._split(chunk)
                yield from self._rest()
            yield from self._rest()

    def close(self) -> None:
        """Release what was kept for `partial`."""
        self._decoder.close()

    def _rest(self) -> Iterator[AIMessageChunk]:
        reasoning, text = self._splitter.flush()
        if reasoning or text:
            yield _set(AIMessageChunk(""), reasoning, text)

    def _split(self, chunk: AIMessageChunk) -> AIMessageChunk:
        content = chunk.content
        if self._splitter.is_done or not content or not isinstance(content, str):
            return chunk
        return _set(chunk, *self._splitter.push(content))


def _set(chunk: AIMessageChunk, reasoning: str, text: str) -> AIMessageChunk:
    chunk.content = text
    if reasoning:
        before = chunk.additional_kwargs.get(_KEY) or ""
        chunk.additional_kwargs = {**chunk.additional_kwargs, _KEY: before + reasoning}
    return chunk


@contextmanager
def _split_partial(tag: str) -> Generator[None]:
    try:
        yield
    except ModelError as error:
        if error.partial is not None:
            error.partial = split_message(tag, error.partial)
        raise
