"""A chatnb reply in chunks, written as LangChain's chunks.

LangChain adds token counts up and joins whatever text is repeated, where chatnb takes the last
word. So only what grows is passed on as it comes; the rest is said once, at the end.
"""

from __future__ import annotations

import langchain_core.messages as theirs

from chatnb.langchain.messages import message_to_langchain
from chatnb.schema.messages import AIMessage, AIMessageChunk, ToolCallChunk, join_chunks

_GROWING = ("reasoning_content", "refusal")
"""The text in `additional_kwargs` that people watch."""


class ReplyWriter:
    """Turns the chunks of a reply into LangChain's, which add up to the same reply.

    Example:
        >>> writer = ReplyWriter()
        >>> counts = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        >>> said = [writer.write(AIMessageChunk("Hi", usage_metadata=counts)) for _ in range(2)]
        >>> (said[0] + said[1] + writer.end()).usage_metadata
        {'input_tokens': 1, 'output_tokens': 1, 'total_tokens': 2}
    """

    def __init__(self) -> None:
        self._held: list[AIMessageChunk] = []
        self._called: dict[int, tuple[str, str | None]] = {}
        self._in_parts = False

    def write(self, chunk: AIMessageChunk) -> theirs.AIMessageChunk:
        """Write what grows of a chunk, and hold the rest back.

        Args:
            chunk: The next chunk.

        Returns:
            LangChain's chunk.
        """
        extra = chunk.additional_kwargs
        growing = {name: extra[name] for name in _GROWING if isinstance(extra.get(name), str)}
        self._held.append(
            AIMessageChunk(
                "",
                additional_kwargs={name: extra[name] for name in extra if name not in growing},
                response_metadata=chunk.response_metadata,
                usage_metadata=chunk.usage_metadata,
            )
        )
        self._in_parts = isinstance(chunk.content, list)
        said = AIMessageChunk(
            chunk.content,
            additional_kwargs=growing,
            name=chunk.name,
            id=chunk.id,
            tool_call_chunks=[self._named_once(piece) for piece in chunk.tool_call_chunks],
        )
        return _chunk(said)

    def end(self) -> theirs.AIMessageChunk:
        """Write what was held back.

        Returns:
            The last chunk, marked as such.
        """
        last = _chunk(join_chunks(self._held))
        last.content = [] if self._in_parts else ""
        last.chunk_position = "last"
        return last

    def _named_once(self, piece: ToolCallChunk) -> ToolCallChunk:
        """Some servers repeat the tool's name with each piece."""
        index, name, id = piece.get("index"), piece.get("name"), piece.get("id")
        if index is None or not name:
            return piece
        called = self._called.get(index)
        if called and called[0] == name and id in (None, called[1]):
            return {**piece, "name": None}
        self._called[index] = (name, id)
        return piece


def _chunk(chunk: AIMessage) -> theirs.AIMessageChunk:
    written = message_to_langchain(chunk)
    assert isinstance(written, theirs.AIMessageChunk)
    return written
