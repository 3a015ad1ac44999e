"""The base of stream decoders: bytes of one reply in, chunks out, without I/O or asyncio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from tempfile import TemporaryFile
from typing import IO, Any, ClassVar

from chatnb.chat_models.sse import Event, SSEDecoder, is_event_stream
from chatnb.chat_models.wire.error_responses import error_response
from chatnb.chat_models.wire.finish_reasons import (
    RUN_BROKEN_REPLY_AGAIN,
    ended_well,
    raise_bad_ending,
)
from chatnb.chat_models.wire.payloads import Malformed, Payload, Shape, reads
from chatnb.chat_models.wire.repeated_events import Path, RepeatedEvents
from chatnb.errors import MalformedReplyError, ModelError, StreamInterruptedError
from chatnb.schema.merging import merge_content
from chatnb.schema.messages import AIMessage, AIMessageChunk, as_chunk, join_chunks

_MAX_CHARACTERS_IN_MEMORY = 2**20
_CHUNKS_PER_JOIN = 256
_EVENT_STREAM = ("", "text/event-stream")


class StreamDecoder:
    """The base of a provider's stream decoder."""

    # A provider supplies `_read_event` and `_read_body`; and for the events that nearly all
    # streams consist of, `_plain_chunk`, `_continued` and the `_text_path` to their text. The whole
    # reply of a server that does not stream becomes one chunk.

    _text_path: ClassVar[Path]

    def __init__(
        self, parse: Callable[[bytes], Payload], malformed: Malformed, shape: Shape
    ) -> None:
        self._parse = parse
        self._malformed = malformed
        self._read = reads(shape, malformed)(self._read_event)
        self._events = SSEDecoder()
        self._repeated = RepeatedEvents(self._text_path, parse)
        self._unrecognized: bytes | None = b""  # Until it is known what the bytes are.
        self._body: list[bytes] | None = None
        self._declared = ""
        self._partial = PartialReply()
        self._metadata: dict[str, Any] = {}
        self._odd = ""  # The last event that is neither a part of a reply nor an error.
        self._may_end_badly = False
        self._done = False

    @property
    def partial(self) -> AIMessage | None:
        """The reply so far, or None if nothing has arrived."""
        return self._partial.message()

    @property
    def is_done(self) -> bool:
        """True once the server has said that nothing follows."""
        return self._done

    @property
    def is_complete(self) -> bool:
        """True if nothing is missing, though the server may not have said that it is done."""
        return self._done

    def begin(self, content_type: str) -> None:
        """Take the response's content type, which counts only where there are no bytes."""
        self._declared = content_type.lower()

    def decode(self, received: bytes) -> Iterator[AIMessageChunk]:
        """Return the chunks that the next bytes, cut anywhere, complete."""
        if self._unrecognized is not None:
            received = self._recognize(received)
        if self._body is not None:
            self._body.append(received)
            return iter(())
        if self._done:
            return iter(())
        texts, rest = self._repeated.read(self._events, received)
        if not texts:
            return self._chunks(self._events.decode(rest))
        chunks = self._text_chunks(texts)
        return chain(chunks, self._chunks(self._events.decode(rest))) if rest else iter(chunks)

    def end(self) -> Iterator[AIMessageChunk]:
        """Yield the chunk of a reply that was not streamed, and check that the reply ended well."""
        if self._unrecognized is not None and self._declared.partition(";")[0] not in _EVENT_STREAM:
            self._body = [self._unrecognized]
        if self._body is not None:
            message = self._read_body(b"".join(self._body))
            yield as_chunk(message)
            raise_bad_ending(message)
            return
        if not self.is_complete:
            raise self._broken_off()
        if self._may_end_badly:
            message = self.partial or AIMessage("")
            message.response_metadata = self._metadata
            raise_bad_ending(message)

    def close(self) -> None:
        """Release what was kept for `partial`."""
        self._partial.close()

    def _recognize(self, received: bytes) -> bytes:
        """Return the bytes to read, if it is known what they are: events, or one whole reply."""
        # Servers and gateways send either under any content type.
        start = (self._unrecognized or b"") + received
        is_stream = is_event_stream(start)
        self._unrecognized = start if is_stream is None else None
        if is_stream is False:
            self._body = []
        return b"" if is_stream is None else start

    def _broken_off(self) -> ModelError:
        if self._odd and self.partial is None:
            return self._malformed(self._odd)
        sent = f" The server sent: {self._odd[:200]}" if self._odd else ""
        return StreamInterruptedError(
            f"The reply broke off: the connection ended before the model did.{sent}",
            hint=RUN_BROKEN_REPLY_AGAIN,
        )

    def _plain_chunk(self, event: Payload) -> AIMessageChunk | None:
        """Return the chunk of an event that only continues the text, None for all others."""
        return None

    def _continued(self, event: Payload, text: str) -> AIMessageChunk:
        """Return the chunk of an event that only continues the text with the one given."""
        raise NotImplementedError

    def _read_event(self, event: Payload) -> AIMessageChunk | None:
        """Return the chunk of an event, if it has one; the event's fields have their types."""
        raise NotImplementedError

    def _read_body(self, body: bytes) -> AIMessage:
        """Return the message of a reply that was not streamed."""
        raise NotImplementedError

    def _text_chunks(self, texts: Sequence[str]) -> list[AIMessageChunk]:
        """Return the chunks of texts whose events need not be parsed."""
        chunks: list[AIMessageChunk] = []
        event, take_text = self._repeated.payload, self._partial.texts.append
        # Most pieces hold one event; to enter a comprehension would cost half as much as its chunk.
        for text in texts:
            chunk = self._continued(event, text)
            take_text(chunk.content)  # pyright: ignore[reportArgumentType]
            chunks.append(chunk)
        self._partial.join_texts()
        return chunks

    def _chunks(self, events: Iterable[Event]) -> Iterator[AIMessageChunk]:
        take_text = self._partial.texts.append
        plain: Event | None = None
        for event in events:
            if self._done:  # The protocol's end is the end, whatever the same bytes bring.
                return
            data, name = event
            try:
                # The first test alone costs the least.
                if name == "error" or (data[:1] != b"{" and not data.lstrip().startswith(b"{")):
                    self._read_odd(data, name)
                    continue
                payload = self._parse(data)
                chunk = self._plain_chunk(payload)
                if chunk is not None:
                    take_text(chunk.content)  # pyright: ignore[reportArgumentType]
                    plain = event
                elif (chunk := self._read(payload)) is not None:
                    self._keep(chunk)
            except MalformedReplyError:
                # An event that cannot be read may have been text; after the end, none is missing.
                if not self.is_complete:
                    raise
                continue
            if chunk is not None:
                yield chunk
        if plain is not None:
            self._repeated.note(plain)
        self._partial.join_texts()

    def _read_odd(self, data: bytes, name: str) -> None:
        """Take an event that is no JSON object: an error, a comment, or text for the end."""
        text = data.decode("utf-8", "replace").strip()
        if name == "error" or text.startswith("[{"):  # Google sends a list with one error.
            raise error_response(None, text)
        if text == "[DONE]":
            self._end_of_stream()
        elif text and not text.startswith(":"):  # Proxies wrap comments in events.
            self._odd = text

    def _end_of_stream(self) -> None:
        """Take the `[DONE]` that ends streams of OpenAI's protocol."""

    def _keep(self, chunk: AIMessageChunk) -> None:
        """Keep a chunk for `partial`, and note what `end` has to check."""
        fields = vars(chunk)  # Reading an absent field would create it.
        if "response_metadata" in fields:
            self._metadata.update(chunk.response_metadata)
            reason = self._metadata.get("finish_reason")
            if reason == "content_filter" or not ended_well(self._metadata):
                self._may_end_badly = True
        if "additional_kwargs" in fields and "refusal" in chunk.additional_kwargs:
            self._may_end_badly = True
        self._partial.take(chunk)


class PartialReply:
    """The reply so far, kept in little memory however long it gets."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        """The texts since `join_texts`, each without unpaired surrogates."""
        self._blocks: list[str] = []
        self._size = 0
        self._file: IO[str] | None = None
        self._chunks: list[AIMessageChunk] = []

    def take_text(self, text: str) -> None:
        """Append text, without unpaired surrogates."""
        self.texts.append(text)
        self.join_texts()

    def join_texts(self) -> None:
        """Join the texts, if there are many."""
        if len(self.texts) >= _CHUNKS_PER_JOIN:
            self._join_texts()

    def take(self, chunk: AIMessageChunk) -> None:
        """Append any chunk."""
        fields = vars(chunk)  # Reading an absent field would create it.
        if isinstance(chunk.content, str):
            self.take_text(chunk.content)
            if "additional_kwargs" not in fields and "tool_call_chunks" not in fields:
                return
        self._chunks.append(chunk)
        if len(self._chunks) == _CHUNKS_PER_JOIN:
            self._chunks = [join_chunks(self._chunks)]

    def message(self) -> AIMessage | None:
        """Return the message so far, or None if nothing has arrived."""
        text, rest = self._text(), join_chunks(self._chunks)
        content = text if isinstance(rest.content, str) else merge_content(text, rest.content)
        if not (content or rest.additional_kwargs or rest.tool_call_chunks):
            return None
        return AIMessage(
            content,
            additional_kwargs=rest.additional_kwargs,
            tool_calls=rest.tool_calls,
            invalid_tool_calls=rest.invalid_tool_calls,
        )

    def close(self) -> None:
        """Release what was kept."""
        if self._file is not None:
            self._file.close()

    def _text(self) -> str:
        self._join_texts()
        if self._file is None:
            return "".join(self._blocks)
        self._file.seek(0)
        return self._file.read() + "".join(self._blocks)

    def _join_texts(self) -> None:
        block = "".join(self.texts)
        self.texts.clear()
        self._blocks.append(block)
        self._size += len(block)
        if self._size > _MAX_CHARACTERS_IN_MEMORY:
            self._move_to_disk()

    def _move_to_disk(self) -> None:
        if self._file is None:
            self._file = TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115
        self._file.write("".join(self._blocks))
        self._blocks.clear()
        self._size = 0
