"""The bytes of Anthropic's streamed replies, read into chunks: knows neither sockets nor asyncio.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

from chatnb.chat_models.anthropic_blocks import KEPT_BLOCKS
from chatnb.chat_models.anthropic_errors import malformed, parse_payload, raise_error_in
from chatnb.chat_models.anthropic_replies import (
    is_kept,
    message_from_anthropic,
    metadata_from_anthropic,
    raise_if_refused,
    reply_in,
    usage_from_anthropic,
)
from chatnb.chat_models.openai_payloads import Payload
from chatnb.chat_models.reply_bytes import ReplyBytes, broken_off
from chatnb.chat_models.sse import SSEDecoder
from chatnb.schema.messages import AIMessage, AIMessageChunk, as_chunk
from chatnb.schema.surrogates import SurrogateJoiner
from chatnb.schema.tool_calls import tool_call_chunk

_GROWING = {"text": "text", "thinking": "thinking"}
"""The blocks that grow by text, and where it stands in them."""
_PIECES = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
"""The deltas that continue what a block consists of, and where the next characters stand."""


class ReplyDecoder(ReplyBytes):
    """Turns the bytes of a streamed reply into chunks and knows whether the reply is whole.

    What has arrived is kept as blocks that grow in place: a reply of a hundred thousand pieces
    takes the memory of its text.

    Example:
        >>> decoder = ReplyDecoder()
        >>> block = b'"index": 0, "content_block": {"type": "text", "text": "Hi"}'
        >>> list(decoder.decode(b'data: {"type": "content_block_start", ' + block + b"}\\n\\n"))
        [AIMessageChunk(content='Hi')]
    """

    def __init__(self) -> None:
        self._events = SSEDecoder()
        self._blocks: dict[int, _Block] = {}
        self._usage: dict[str, Any] = {}
        self._ending: dict[str, Any] = {}
        self._done = False

    @property
    def partial(self) -> AIMessage | None:
        """What has arrived, or None if nothing has."""
        blocks = [block.so_far() for block in self._blocks.values() if block.is_worth_keeping()]
        message = message_from_anthropic({"content": blocks, **self._ending})
        said = message.content or message.additional_kwargs
        return message if said or message.tool_calls or message.invalid_tool_calls else None

    def decode(self, received: bytes) -> Iterator[AIMessageChunk]:
        """Take the next bytes and give the chunks that they complete.

        Args:
            received: Any number of bytes, cut anywhere.

        Yields:
            The chunks.

        Raises:
            MalformedReplyError: If an event is not of the protocol.
            ModelError: If the provider sends an error in mid-stream.
        """
        if self._keeps(received):
            return
        for event in self._events.decode(received):
            payload = parse_payload(event.data)
            raise_error_in(payload)
            try:
                chunk = self._read(payload)
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise malformed(event.text) from error
            if chunk is not None:
                yield chunk

    def end(self) -> Iterator[AIMessageChunk]:
        """End the reply.

        Yields:
            The only chunk of a reply that was not streamed.

        Raises:
            StreamInterruptedError: If the bytes ended before the reply did.
            ContentFilterError: If the model or the provider refused to answer.
        """
        whole = self._kept()
        if whole is not None:
            yield as_chunk(reply_in(whole))
        elif self._done or "stop_reason" in self._ending:
            raise_if_refused(self.partial or AIMessage("", response_metadata=self._metadata()))
        else:
            raise broken_off()

    def _read(self, event: Payload) -> AIMessageChunk | None:
        match event.get("type"):
            case "content_block_delta":
                return self._blocks[event["index"]].grow(event["delta"])
            case "message_start":
                return self._start(event["message"])
            case "content_block_start":
                return self._open(event["index"], event["content_block"])
            case "content_block_stop":
                return self._blocks[event["index"]].close()
            case "message_delta":
                return self._finish(event)
            case "message_stop":
                self._done = True
            case _:
                pass  # The API reserves the right to send events of new types.
        return None

    def _start(self, message: Payload) -> AIMessageChunk:
        self._usage.update(message.get("usage") or {})
        self._ending["model"] = message.get("model")
        return AIMessageChunk("", id=message.get("id"))

    def _open(self, index: int, started: Payload) -> AIMessageChunk | None:
        follows = any(block.has_thoughts() for block in self._blocks.values())
        block = _Block(index, started, after_thoughts=follows)
        chunk = block.open()
        self._blocks[index] = block
        return chunk

    def _finish(self, event: Payload) -> AIMessageChunk:
        self._ending.update(_told(event["delta"]))
        self._usage.update(_told(event.get("usage") or {}))
        return AIMessageChunk(
            "",
            response_metadata=self._metadata(),
            usage_metadata=usage_from_anthropic(self._usage),
        )

    def _metadata(self) -> dict[str, Any]:
        return metadata_from_anthropic(self._ending)


class _Block:
    """A block of the reply while it grows."""

    def __init__(self, index: int, started: Payload, *, after_thoughts: bool) -> None:
        self._index = index
        self._started = dict(started)
        self._kind: str = started["type"]
        self._between = "\n\n" if after_thoughts else ""
        self._grown = StringIO()
        self._joiner = SurrogateJoiner()
        self._closed = False

    def open(self) -> AIMessageChunk | None:
        """Give the chunk of what the block begins with."""
        if self._kind in _GROWING:
            return self._tell(self._started[_GROWING[self._kind]])
        if self._kind != "tool_use":
            return None
        given = self._started.get("input")
        self._grown.write(json.dumps(given) if given else "")
        call = tool_call_chunk(
            name=self._started["name"],
            args=self._grown.getvalue(),
            id=self._started["id"],
            index=self._index,
        )
        return AIMessageChunk("", tool_call_chunks=[call])

    def grow(self, delta: Payload) -> AIMessageChunk | None:
        """Take a delta and give its chunk."""
        kind = delta["type"]
        if kind in _PIECES:
            return self._tell(self._joiner.push(delta[_PIECES[kind]]))
        if kind == "signature_delta":
            self._started["signature"] = self._started.get("signature", "") + delta["signature"]
        if kind == "citations_delta":
            cited = delta["citation"]
            self._started["citations"] = [*(self._started.get("citations") or ()), cited]
            return AIMessageChunk("", additional_kwargs={"citations": [cited]})
        return None

    def close(self) -> AIMessageChunk | None:
        """Give the chunk of what was held back, or of a block that has to be sent back whole."""
        rest = self._tell(self._joiner.flush())
        block = self.so_far()
        self._closed = True
        if not is_kept(block):
            return rest
        kept = AIMessageChunk("", additional_kwargs={KEPT_BLOCKS: [block]})
        return kept if rest is None else rest + kept

    def has_thoughts(self) -> bool:
        """Whether the block holds reasoning that can be read."""
        return self._kind == "thinking" and self._grown.tell() > 0

    def is_worth_keeping(self) -> bool:
        """Whether a reply that breaks off here still has this block."""
        return self._closed or self._kind in (*_GROWING, "tool_use")

    def so_far(self) -> dict[str, Any]:
        """The block as the API would have sent it, were this all."""
        grown = self._grown.getvalue()
        if self._kind in _GROWING:
            return {**self._started, _GROWING[self._kind]: grown}
        if self._kind == "tool_use":
            return {**self._started, "input": grown}
        return {**self._started, "input": json.loads(grown)} if grown else self._started

    def _tell(self, text: str) -> AIMessageChunk | None:
        if not text:
            return None
        between = "" if self._grown.tell() else self._between
        self._grown.write(text)
        if self._kind == "text":
            return AIMessageChunk(text)
        if self._kind == "thinking":
            return AIMessageChunk("", additional_kwargs={"reasoning_content": between + text})
        if self._kind == "tool_use":
            call = tool_call_chunk(args=text, index=self._index)
            return AIMessageChunk("", tool_call_chunks=[call])
        return None


def _told(said: Payload) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}
