"""A stream decoder of Anthropic's Messages API.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

from chatnb.chat_models.anthropic.errors import malformed, parse_json
from chatnb.chat_models.anthropic.replies import (
    MESSAGE,
    KeptBlocks,
    message_from_anthropic,
    metadata_from_anthropic,
    usage_from_anthropic,
)
from chatnb.chat_models.stream_decoder import StreamDecoder
from chatnb.chat_models.wire.payloads import Payload, payload_text
from chatnb.schema.characters import SurrogateJoiner
from chatnb.schema.chunks import bare_chunk
from chatnb.schema.content.reply_blocks import ANTHROPIC_BLOCKS
from chatnb.schema.messages import AIMessage, AIMessageChunk, text_chunk
from chatnb.schema.tool_calls import tool_call_chunk

# The deltas that continue a block, and the field with the next characters.
_TEXT_DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}


class MessageDecoder(StreamDecoder):
    """A decoder of a streamed message."""

    _text_path = ("delta", "text")

    def __init__(self) -> None:
        super().__init__(parse_json, malformed, MESSAGE)
        self._blocks: dict[int, _Block] = {}
        self._kept = KeptBlocks()
        self._usage: dict[str, Any] = {}
        self._ending: dict[str, Any] = {}

    def _read_body(self, body: bytes) -> AIMessage:
        return message_from_anthropic(parse_json(body))

    @property
    def is_complete(self) -> bool:
        return self._done or "stop_reason" in self._ending

    def _plain_chunk(self, event: Payload) -> AIMessageChunk | None:
        try:
            delta = event["delta"]
            text = delta["text"]
            if delta["type"] != "text_delta" or type(text) is not str:
                return None
            if not self._blocks[event["index"]].is_text:
                return None
        except (LookupError, TypeError):
            return None
        return self._continued(event, text)

    def _continued(self, event: Payload, text: str) -> AIMessageChunk:
        return self._blocks[event["index"]].read_text(text)

    def _read_event(self, event: Payload) -> AIMessageChunk | None:
        match event.get("type"):
            case "content_block_delta":
                return self._blocks[event["index"]].read(event["delta"])
            case "message_start":
                return self._start(event.get("message") or {})
            case "content_block_start":
                return self._open(event["index"], event["content_block"])
            case "content_block_stop":
                block = self._blocks.get(event["index"])
                return None if block is None else self._close(block)
            case "message_delta":
                return self._finish(event)
            case "message_stop":
                self._done = True
            case None:
                self._odd = payload_text(event)
            case _:
                pass  # The API reserves the right to send events of new types.
        return None

    def _start(self, message: Payload) -> AIMessageChunk:
        self._usage.update(message.get("usage") or {})
        self._ending["model"] = message.get("model")
        return AIMessageChunk("", id=message.get("id"))

    def _open(self, index: int, started: Payload) -> AIMessageChunk | None:
        has_reasoning = any(block.has_reasoning for block in self._blocks.values())
        block = _Block(index, started, separator="\n\n" if has_reasoning else "")
        chunk = block.open()
        self._blocks[index] = block
        return chunk

    def _close(self, block: _Block) -> AIMessageChunk | None:
        """Return the chunk of what was held back, and of blocks to be sent back."""
        rest = block.flush()
        kept = self._kept.add(block.whole(), block.chars)
        chunk = bare_chunk(additional_kwargs={ANTHROPIC_BLOCKS: kept}) if kept else None
        return rest + chunk if rest and chunk else rest or chunk

    def _finish(self, event: Payload) -> AIMessageChunk:
        delta: Payload = (event.get("delta") or {}) if event.get("usage") else event["delta"]
        self._ending.update(_without_none(delta))
        self._usage.update(_without_none(event.get("usage") or {}))
        kept = self._kept.end()
        return AIMessageChunk(
            "",
            additional_kwargs={ANTHROPIC_BLOCKS: kept} if kept else {},
            response_metadata=metadata_from_anthropic({**self._ending, "usage": self._usage}),
            usage_metadata=usage_from_anthropic(self._usage),
        )


class _Block:
    """A content block while it is streamed."""

    def __init__(self, index: int, started: Payload, *, separator: str) -> None:
        self._index = index
        self._started = dict(started)
        self._type: str = started["type"]
        self.is_text = self._type == "text"
        self._separator = separator
        self._joiner = SurrogateJoiner()
        # Only blocks that may be sent back unchanged keep their text.
        self._grown = None if self._type in ("text", "tool_use") else StringIO()
        self.has_reasoning = False
        self.chars = 0

    def open(self) -> AIMessageChunk | None:
        """Return the chunk of the block's first content, if it has any."""
        if self._type in ("text", "thinking"):
            return self._chunk(self._joiner.push(self._started[self._type] or ""))
        if self._type != "tool_use":
            return None
        input = self._started.get("input")
        call = tool_call_chunk(
            name=self._started["name"],
            args=input if isinstance(input, str) else json.dumps(input) if input else "",
            id=self._started["id"],
            index=self._index,
        )
        return bare_chunk(tool_call_chunks=[call])

    def read_text(self, text: str) -> AIMessageChunk:
        """Return the chunk of a text's continuation."""
        text = self._joiner.push(text)
        self.chars += len(text)
        return text_chunk(text, None)

    def read(self, delta: Payload) -> AIMessageChunk | None:
        """Return the chunk of a delta, if it has one."""
        type_ = delta["type"]
        if type_ in _TEXT_DELTAS:
            return self._chunk(self._joiner.push(delta[_TEXT_DELTAS[type_]] or ""))
        if type_ == "signature_delta":
            self._started["signature"] = (self._started.get("signature") or "") + (
                delta["signature"] or ""
            )
        if type_ == "citations_delta" and delta["citation"]:
            citation = [delta["citation"]]
            self._started["citations"] = [*(self._started.get("citations") or ()), *citation]
            return bare_chunk(additional_kwargs={"citations": citation})
        return None

    def flush(self) -> AIMessageChunk | None:
        """Return the chunk of what was held back."""
        return self._chunk(self._joiner.flush())

    def whole(self) -> dict[str, Any]:
        """Return the block as it is sent back, without its text if it is a text."""
        grown = "" if self._grown is None else self._grown.getvalue()
        if self._type == "thinking":
            return {**self._started, "thinking": grown}
        return {**self._started, "input": json.loads(grown)} if grown else self._started

    def _chunk(self, text: str) -> AIMessageChunk | None:
        if not text:
            return None
        if self._grown is not None:
            self._grown.write(text)
        if self._type == "text":
            self.chars += len(text)
            return text_chunk(text, None)
        if self._type == "tool_use":
            call = tool_call_chunk(args=text, index=self._index)
            return bare_chunk(tool_call_chunks=[call])
        if self._type != "thinking":
            return None
        separator = "" if self.has_reasoning else self._separator
        self.has_reasoning = True
        return bare_chunk(additional_kwargs={"reasoning_content": separator + text})


def _without_none(fields: Payload) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
