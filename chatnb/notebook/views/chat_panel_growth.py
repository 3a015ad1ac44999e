"""A reply that grows: its pieces cleaned of half characters, and what of them a panel shows."""

from __future__ import annotations

from dataclasses import replace

from chatnb.schema.messages import AIMessage, AIMessageChunk, join_chunks
from chatnb.schema.surrogates import SurrogateJoiner

_REASONING = "reasoning_content"


class Growth:
    """The pieces of one reply, in which no half of a character is left alone.

    Example:
        >>> growth = Growth()
        >>> [growth.push(AIMessageChunk(text)).text for text in ("Hi \\ud83d", "\\ude00")]
        ['Hi ', '😀']
        >>> growth.message
        AIMessage(content='Hi 😀')
    """

    def __init__(self) -> None:
        self._chunks: list[AIMessageChunk] = []
        self._text, self._reasoning = SurrogateJoiner(), SurrogateJoiner()

    @property
    def message(self) -> AIMessage:
        """What has come so far."""
        return join_chunks(self._chunks).to_message()

    def push(self, chunk: AIMessageChunk) -> AIMessageChunk:
        """Take the next piece.

        Returns:
            The piece as it is to be kept and shown.
        """
        chunk = self._whole(chunk)
        self._chunks.append(chunk)
        return chunk

    def end(self) -> AIMessageChunk | None:
        """Take no more: what was held back, if anything was."""
        rest = AIMessageChunk(self._text.flush())
        thought = self._reasoning.flush()
        if thought:
            rest.additional_kwargs = {_REASONING: thought}
        if not (rest.content or thought):
            return None
        self._chunks.append(rest)
        return rest

    def _whole(self, chunk: AIMessageChunk) -> AIMessageChunk:
        if isinstance(chunk.content, str):
            text = self._text.push(chunk.content)
            chunk = chunk if text == chunk.content else replace(chunk, content=text)
        thought = chunk.additional_kwargs.get(_REASONING)
        if not thought:
            return chunk
        kwargs = {**chunk.additional_kwargs, _REASONING: self._reasoning.push(thought)}
        return replace(chunk, additional_kwargs=kwargs)
