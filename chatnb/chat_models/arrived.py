"""What has arrived of a reply, for the error of a stream that breaks off."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import IO

from chatnb.schema.merging import merge_content
from chatnb.schema.messages import AIMessage, AIMessageChunk, join_chunks

_IN_MEMORY = 2**20
"""The most characters of text that are kept in memory; those of a longer reply wait on disk."""
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
        self._pieces: list[str] = []
        self._blocks: list[str] = []
        self._size = 0
        self._file: IO[str] | None = None
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
            if not (chunk.additional_kwargs or chunk.tool_call_chunks):
                return
        self._rest.append(chunk)
        if len(self._rest) == _TOGETHER:
            self._rest = [join_chunks(self._rest)]

    def message(self) -> AIMessage | None:
        """The message so far, or None if nothing was said."""
        text, said = self._text(), join_chunks(self._rest)
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
        if self._file is not None:
            self._file.close()

    def _text(self) -> str:
        self._join_pieces()
        if self._file is None:
            return "".join(self._blocks)
        self._file.seek(0)
        return self._file.read() + "".join(self._blocks)

    def _join_pieces(self) -> None:
        block = "".join(self._pieces)
        self._pieces.clear()
        self._blocks.append(block)
        self._size += len(block)
        if self._size > _IN_MEMORY:
            self._move_to_disk()

    def _move_to_disk(self) -> None:
        if self._file is None:
            self._file = TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115
        self._file.write("".join(self._blocks))
        self._blocks.clear()
        self._size = 0
