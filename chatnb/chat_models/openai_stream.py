"""The bytes of a streamed reply, read into chunks: knows neither sockets nor asyncio."""

from __future__ import annotations

from collections.abc import Iterator

from chatnb.chat_models.openai_payloads import parse_json
from chatnb.chat_models.openai_replies import (
    chunks_from_openai,
    messages_from_openai,
    raise_if_refused,
)
from chatnb.chat_models.sse import SSEDecoder
from chatnb.errors import StreamInterruptedError
from chatnb.schema.messages import AIMessage, AIMessageChunk, as_chunk, join_chunks
from chatnb.schema.surrogates import SurrogateJoiner


class ReplyDecoder:
    """Turns the bytes of a streamed reply into chunks and knows whether the reply is whole.

    Example:
        >>> decoder = ReplyDecoder()
        >>> delta = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\\n\\n'
        >>> list(decoder.decode(delta))
        [AIMessageChunk(content='Hi')]
    """

    def __init__(self) -> None:
        self._events = SSEDecoder()
        self._chunks: list[AIMessageChunk] = []
        self._texts: dict[int, SurrogateJoiner] = {}
        self._thoughts: dict[int, SurrogateJoiner] = {}
        self._begun: set[int] = set()
        self._ended: set[int] = set()
        self._whole: list[bytes] | None = None
        self._done = False

    @property
    def partial(self) -> AIMessage | None:
        """What has arrived of the first candidate, or None if nothing has."""
        said = join_chunks(self._chunks)
        if not (said.content or said.additional_kwargs or said.tool_call_chunks):
            return None
        return AIMessage(
            said.content,
            additional_kwargs=said.additional_kwargs,
            tool_calls=said.tool_calls,
            invalid_tool_calls=said.invalid_tool_calls,
        )

    def begin(self, content_type: str) -> None:
        """Say what comes: anything but an event stream is read to its end as one reply.

        Args:
            content_type: The header of the response; empty if there is none.
        """
        if content_type and not content_type.startswith("text/event-stream"):
            self._whole = []

    def decode(self, received: bytes) -> Iterator[AIMessageChunk]:
        """Take the next bytes and give the chunks of the first candidate that they complete.

        Args:
            received: Any number of bytes, cut anywhere.

        Yields:
            The chunks.

        Raises:
            MalformedReplyError: If an event is not JSON of a chunk.
            ModelError: If the provider sends an error in mid-stream.
        """
        return (chunk for choice, chunk in self.decode_choices(received) if choice == 0)

    def decode_choices(self, received: bytes) -> Iterator[tuple[int, AIMessageChunk]]:
        """Take the next bytes and give the chunks of all candidates that they complete.

        Args:
            received: Any number of bytes, cut anywhere.

        Yields:
            The number of the candidate, and its chunk.

        Raises:
            MalformedReplyError: If an event is not JSON of a chunk.
            ModelError: If the provider sends an error in mid-stream.
        """
        if self._whole is not None:
            self._whole.append(received)
            return
        for event in self._events.decode(received):
            if event.data == "[DONE]":
                self._done = True
                continue
            for choice, chunk in chunks_from_openai(parse_json(event.data)):
                self._take(choice, chunk)
                yield choice, chunk

    def end(self) -> Iterator[AIMessageChunk]:
        """End the reply: what was still held back of the first candidate.

        Yields:
            The last chunk, if there is one.

        Raises:
            StreamInterruptedError: If the bytes ended before the reply did.
            ContentFilterError: If the model or the provider refused to answer.
        """
        for choice, chunk in self.end_choices():
            if choice == 0:
                yield chunk
        raise_if_refused(join_chunks(self._chunks).to_message())

    def end_choices(self) -> Iterator[tuple[int, AIMessageChunk]]:
        """End the reply: what was still held back of all candidates.

        Yields:
            The number of the candidate, and its last chunk.

        Raises:
            StreamInterruptedError: If the bytes ended before the reply did.
        """
        if self._whole is not None:
            whole = parse_json(b"".join(self._whole).decode("utf-8", "replace"))
            for choice, message in enumerate(messages_from_openai(whole)):
                chunk = as_chunk(message)
                self._keep(choice, chunk)
                yield choice, chunk
            return
        for choice, joiner in self._texts.items():
            rest = joiner.flush()
            if rest:
                chunk = AIMessageChunk(rest)
                self._keep(choice, chunk)
                yield choice, chunk
        if not self._done and not (self._begun and self._begun <= self._ended):
            raise StreamInterruptedError(
                "The reply broke off: the connection ended before the model did.",
                hint="Run it again.",
            )

    def _take(self, choice: int, chunk: AIMessageChunk) -> None:
        content, extra = chunk.content, chunk.additional_kwargs
        if content and isinstance(content, str):
            chunk.content = _joined(self._texts, choice, content)
        if extra and isinstance(extra.get("reasoning_content"), str):
            thought = _joined(self._thoughts, choice, extra["reasoning_content"])
            extra["reasoning_content"] = thought
        if "finish_reason" in chunk.response_metadata:
            self._ended.add(choice)
        self._begun.add(choice)
        self._keep(choice, chunk)

    def _keep(self, choice: int, chunk: AIMessageChunk) -> None:
        if choice == 0:
            self._chunks.append(chunk)


def _joined(joiners: dict[int, SurrogateJoiner], choice: int, text: str) -> str:
    joiner = joiners.get(choice)
    if joiner is None:
        joiner = joiners[choice] = SurrogateJoiner()
    return joiner.push(text)
