"""The bytes of a streamed reply, read into chunks: knows neither sockets nor asyncio."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chatnb.chat_models.arrived import Arrived
from chatnb.chat_models.openai_payloads import Payload, parse_json
from chatnb.chat_models.openai_replies import (
    chunks_from_openai,
    messages_from_openai,
    plain_text,
    raise_if_refused,
)
from chatnb.chat_models.reply_bytes import ReplyBytes, broken_off
from chatnb.chat_models.sse import SSEDecoder
from chatnb.schema.messages import AIMessage, AIMessageChunk, as_chunk, text_chunk
from chatnb.schema.surrogates import SurrogateJoiner


class ReplyDecoder(ReplyBytes):
    """Turns the bytes of a streamed reply into the chunks of its first candidate, and knows
    whether the reply is whole.

    Args:
        parse: Reads an event's data as OpenAI's JSON.

    Example:
        >>> decoder = ReplyDecoder()
        >>> delta = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\\n\\n'
        >>> list(decoder.decode(delta))
        [AIMessageChunk(content='Hi')]
        >>> decoder.close()
    """

    def __init__(self, parse: Callable[[bytes], Payload] = parse_json) -> None:
        self._parse = parse
        self._events = SSEDecoder()
        self._arrived = Arrived()
        self._text = SurrogateJoiner()
        self._thought = SurrogateJoiner()
        self._begun: set[int] = set()
        self._ended: set[int] = set()
        self._done = False
        self._may_be_refused = False
        self._finish: str | None = None

    @property
    def partial(self) -> AIMessage | None:
        """What has arrived of the first candidate, or None if nothing has."""
        return self._arrived.message()

    def decode(self, received: bytes) -> Iterator[AIMessageChunk]:
        """Take the next bytes and give the chunks that they complete.

        Args:
            received: Any number of bytes, cut anywhere.

        Yields:
            The chunks.

        Raises:
            MalformedReplyError: If an event is not JSON of a chunk.
            ModelError: If the provider sends an error in mid-stream.
        """
        if self._keeps(received):
            return
        for event in self._events.decode(received):
            if event.data == b"[DONE]":
                self._done = True
            elif event.data:
                payload = self._parse(event.data)
                text = plain_text(payload)
                if text is None:
                    yield from self._decode(payload)
                elif text := self._text.push(text):
                    self._begun.add(0)
                    self._arrived.take_text(text)
                    yield text_chunk(text, payload.get("id"))

    def end(self) -> Iterator[AIMessageChunk]:
        """End the reply: what was still held back.

        Yields:
            The last chunk, if there is one.

        Raises:
            StreamInterruptedError: If the bytes ended before the reply did.
            ContentFilterError: If the model or the provider refused to answer.
        """
        whole = self._kept()
        if whole is not None:
            message = messages_from_openai(self._parse(whole))[0]
            yield as_chunk(message)
            raise_if_refused(message)
            return
        rest = self._text.flush()
        if rest:
            self._arrived.take_text(rest)
            yield AIMessageChunk(rest)
        if not self._done and not (self._begun and self._begun <= self._ended):
            raise broken_off()
        if self._may_be_refused:
            self._raise_if_refused()

    def close(self) -> None:
        """Give up what was kept for `partial`."""
        self._arrived.close()

    def _decode(self, payload: Payload) -> Iterator[AIMessageChunk]:
        for choice, chunk in chunks_from_openai(payload):
            finish = chunk.response_metadata.get("finish_reason")
            if finish:
                self._ended.add(choice)
            self._begun.add(choice)
            if choice == 0:
                self._take(chunk)
                yield chunk

    def _take(self, chunk: AIMessageChunk) -> None:
        content, extra = chunk.content, chunk.additional_kwargs
        if content and isinstance(content, str):
            chunk.content = self._text.push(content)
        if extra and isinstance(extra.get("reasoning_content"), str):
            extra["reasoning_content"] = self._thought.push(extra["reasoning_content"])
        self._finish = chunk.response_metadata.get("finish_reason", self._finish)
        if "refusal" in extra or self._finish == "content_filter":
            self._may_be_refused = True
        self._arrived.take(chunk)

    def _raise_if_refused(self) -> None:
        message = self.partial or AIMessage("")
        if self._finish:
            message.response_metadata["finish_reason"] = self._finish
        raise_if_refused(message)
