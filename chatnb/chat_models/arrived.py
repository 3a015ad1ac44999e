"""What has arrived of a reply, for the error of a stream that breaks off."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile

from chatnb.schema.merging import merge_content
from chatnb.schema.messages import AIMessage, AIMessageChunk, join_chunks

_IN_MEMORY = 2**20
"""The characters of text that are kept in memory; the rest of a longer reply waits on disk."""
_TOGETHER = 1024
"""How many pieces are gathered before they are joined."""


class Arrived:
    """Gathers a reply as it arrives, in little memory, however long it gets.

    Example:
        >>> arrived = Arrived()
        >>> arrived.take_text("Hel")
        >>> arrived.take_text("lo")
        >>> arrived.message()
        AIMessage(content='Hello')
        >>> arrived.close()
    """

    def __init__(self) -> None:
        self._text = SpooledTemporaryFile(  # noqa: SIM115 (`close` closes it)
            _IN_MEMORY, "w+", encoding="utf-8", newline=""
        )
        self._pieces: list[str] = []
        self._rest: list[AIMessageChunk] = []

    def take_text(self, text: str) -> None:
        """Take a piece of text.

        Args:
            text: What the reply goes on with, without unpaired surrogates.
        """
        self._pieces.append(text)
        if len(self._pieces) == _TOGETHER:
            self._join_pieces()

    def take(self, chunk: AIMessageChunk) -> None:
        """Take a chunk of any kind.

        Args:
            chunk: What the reply goes on with.
        """
        if isinstance(chunk.content, str):
            self.take_text(chunk.content)
        self._rest.append(chunk)
        if len(self._rest) == _TOGETHER:
            self._rest = [join_chunks(self._rest)]

    def message(self) -> AIMessage | None:
        """The message so far, or None if nothing was said."""
        self._join_pieces()
        self._text.seek(0)
        text, said = self._text.read(), join_chunks(self._rest)
        content = text if isinstance(said.content, str) else merge_content(text, said.content)
        if not (content or said.additional_kwargs or said.tool_call_chunks):
            return None
        return AIMessage(
            content,
            additional_kwargs=said.additional_kwargs,
            tool_calls=said.tool_calls,
            invalid_tool_calls=said.invalid_tool_calls,
        )

    def close(self) -> None:
        """Give up what was gathered."""
        self._text.close()

    def _join_pieces(self) -> None:
        self._text.write("".join(self._pieces))
        self._pieces.clear()
