"""A LangChain reply, whole or in chunks, read into chatnb's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import langchain_core.messages as theirs

from chatnb.errors import MalformedReplyError
from chatnb.langchain.messages import message_from_langchain
from chatnb.schema.messages import AIMessage, AIMessageChunk, as_chunk, join_chunks
from chatnb.schema.usage import UsageMetadata, add_usage

_REASONS = ("finish_reason", "stop_reason", "done_reason")
"""Where providers say why a reply ended."""
_FINISH_REASONS = {
    "end_turn": "stop",
    "max_tokens": "length",
    "refusal": "content_filter",
    "safety": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}
"""What providers call it, and what OpenAI does."""


class ReplyReader:
    """Turns the chunks of a LangChain reply into chatnb's.

    LangChain's token counts are additions, chatnb's are running totals.

    Example:
        >>> reader = ReplyReader()
        >>> [reader.read(theirs.AIMessageChunk("Hi")), *reader.end()]
        [AIMessageChunk(content='Hi'), AIMessageChunk(content='')]
    """

    def __init__(self) -> None:
        self._chunks: list[AIMessageChunk] = []
        self._usage: UsageMetadata | None = None

    @property
    def partial(self) -> AIMessage | None:
        """What has arrived, or None if nothing has."""
        return join_chunks(self._chunks).to_message() if self._chunks else None

    def read(self, said: object) -> AIMessageChunk:
        """Read the next chunk.

        Args:
            said: What the LangChain model gave: a chunk, or a whole message where it has no
                streams.

        Returns:
            The chunk.

        Raises:
            MalformedReplyError: If it is no message of a model.
        """
        chunk = as_chunk(_reply(said))
        if chunk.usage_metadata is not None:
            self._usage = chunk.usage_metadata = add_usage(self._usage, chunk.usage_metadata)
        self._chunks.append(chunk)
        return chunk

    def end(self) -> Iterator[AIMessageChunk]:
        """End the reply.

        Yields:
            A last chunk that says why it ended, if anything came before it.
        """
        if self._chunks:
            whole = join_chunks(self._chunks)
            ending = _ending(whole.response_metadata, calls=bool(whole.tool_call_chunks))
            yield AIMessageChunk("", response_metadata=ending)


def read_reply(said: object) -> AIMessage:
    """Read a whole reply.

    Args:
        said: What the LangChain model gave.

    Returns:
        The message, with the reason why it ended by OpenAI's names.

    Raises:
        MalformedReplyError: If it is no message of a model.

    Example:
        >>> read_reply(theirs.AIMessage("Hi")).response_metadata
        {'finish_reason': 'stop'}
    """
    reply = _reply(said)
    if isinstance(reply, AIMessageChunk):
        reply = reply.to_message()
    reply.response_metadata |= _ending(reply.response_metadata, calls=bool(reply.tool_calls))
    return reply


def _reply(said: object) -> AIMessage:
    reply = message_from_langchain(said) if isinstance(said, theirs.AIMessage) else None
    if not isinstance(reply, AIMessage):
        raise MalformedReplyError(
            f"The LangChain runnable gave {type(said).__name__}, not a model's message.",
            hint="Give from_langchain a chat model, without a parser behind it.",
        )
    return reply


def _ending(metadata: Mapping[str, Any], *, calls: bool) -> dict[str, Any]:
    said = next((metadata[name] for name in _REASONS if metadata.get(name)), None)
    if said is None:
        return {"finish_reason": "tool_calls" if calls else "stop"}
    reason = str(said).lower()
    return {"finish_reason": _FINISH_REASONS.get(reason, reason)}
