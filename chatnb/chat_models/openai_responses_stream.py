"""The bytes of a streamed reply of OpenAI's Responses API, read into chunks.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from chatnb.chat_models.arrived import Arrived
from chatnb.chat_models.openai_payloads import Payload, malformed, parse_json
from chatnb.chat_models.openai_replies import raise_if_refused
from chatnb.chat_models.openai_responses import ITEMS
from chatnb.chat_models.openai_responses_replies import (
    BETWEEN,
    annotations_in,
    failure,
    kept_items,
    message_from_response,
    metadata_of,
    usage_from_response,
)
from chatnb.chat_models.reply_bytes import ReplyBytes, broken_off
from chatnb.chat_models.sse import SSEDecoder
from chatnb.schema.messages import (
    AIMessage,
    AIMessageChunk,
    ToolCallChunk,
    as_chunk,
)
from chatnb.schema.surrogates import SurrogateJoiner


class ResponseDecoder(ReplyBytes):
    """Turns the bytes of a streamed reply into chunks and knows whether the reply is whole.

    Text, reasoning, refusals and the arguments of calls come as they are said. Annotations and
    what has to be sent back are complete with the last chunk only.

    Example:
        >>> decoder = ResponseDecoder()
        >>> said = b'data: {"type": "response.output_text.delta", "delta": "Hi"}\\n\\n'
        >>> list(decoder.decode(said))
        [AIMessageChunk(content='Hi')]
        >>> decoder.close()
    """

    def __init__(self) -> None:
        self._events = SSEDecoder()
        self._text = _Told()
        self._thought = _Told()
        self._arrived = Arrived()
        self._metadata: dict[str, Any] = {}
        self._calls: dict[str | int | None, _Call] = {}
        self._items: list[Payload] = []
        self._id: str | None = None
        self._done = False

    @property
    def partial(self) -> AIMessage | None:
        """What has arrived, or None if nothing has."""
        return self._arrived.message()

    def decode(self, received: bytes) -> Iterator[AIMessageChunk]:
        """Take the next bytes and give the chunks that they complete.

        Args:
            received: Any number of bytes, cut anywhere.

        Yields:
            The chunks.

        Raises:
            MalformedReplyError: If an event is not what the API says.
            ModelError: If the response fails in mid-stream.
        """
        if self._keeps(received):
            return
        for event in self._events.decode(received):
            if event.data in (b"", b"[DONE]"):
                continue
            payload = parse_json(event.data)
            try:
                chunk = self._read(payload)
            except (KeyError, TypeError, AttributeError) as error:
                raise malformed(json.dumps(payload, default=str)) from error
            if chunk is not None:
                chunk.id = self._id
                self._arrived.take(chunk)
                self._metadata.update(chunk.response_metadata)
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
            message = message_from_response(parse_json(whole))
            yield as_chunk(message)
            raise_if_refused(message)
            return
        if not self._done:
            raise broken_off()
        message = self.partial or AIMessage("")
        message.response_metadata = self._metadata
        raise_if_refused(message)

    def close(self) -> None:
        """Give up what was kept for `partial`."""
        self._arrived.close()

    def _read(self, event: Payload) -> AIMessageChunk | None:
        """The chunk of an event, unless it only says again, or announces, what others say."""
        match event["type"]:
            case "response.output_text.delta":
                return self._read_text(event)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                return self._read_thought(event)
            case "response.refusal.delta":
                return _additional("refusal", event["delta"])
            case "response.output_item.added":
                return self._read_added(event)
            case "response.function_call_arguments.delta":
                return self._calls[_place(event.get("item_id"), event)].more(event["delta"])
            case "response.output_item.done":
                return self._read_done(event)
            case "response.created":
                self._id = event["response"].get("id")
            case "response.completed" | "response.incomplete":
                return self._read_end(event["response"])
            case "response.failed" | "error":
                raise failure(event.get("response") or event)
            case _:
                pass
        return None

    def _read_text(self, event: Payload) -> AIMessageChunk:
        chunk = AIMessageChunk(self._text.more(event["delta"], event.get("item_id")))
        if event.get("logprobs"):
            chunk.response_metadata = {"logprobs": {"content": event["logprobs"]}}
        return chunk

    def _read_thought(self, event: Payload) -> AIMessageChunk:
        part = tuple(event.get(name) for name in ("item_id", "summary_index", "content_index"))
        return _additional("reasoning_content", self._thought.more(event["delta"], part))

    def _read_added(self, event: Payload) -> AIMessageChunk | None:
        item: Payload = event["item"]
        if item["type"] != "function_call":
            return None
        call = _Call(len(self._calls))
        self._calls[_place(item.get("id"), event)] = call
        return call.more(item.get("arguments") or "", item)

    def _read_done(self, event: Payload) -> AIMessageChunk | None:
        """Keep a finished item; a call whose arguments were not streamed comes whole with it."""
        item: Payload = event["item"]
        self._items.append(item)
        if item["type"] != "function_call":
            return None
        call = self._calls.get(_place(item.get("id"), event))
        if call is None:
            return self._read_added(event)
        return None if call.told else call.more(item.get("arguments") or "")

    def _read_end(self, response: Payload) -> AIMessageChunk:
        self._id = response.get("id") or self._id
        output = response.get("output") or self._items
        said = {"annotations": annotations_in(output), ITEMS: kept_items(output)}
        metadata = metadata_of({"id": self._id, **response}, output)
        metadata.pop("logprobs", None)  # They came with the text.
        self._done = True
        return AIMessageChunk(
            self._text.rest(),
            additional_kwargs={name: value for name, value in said.items() if value},
            response_metadata=metadata,
            usage_metadata=usage_from_response(response.get("usage")),
        )


class _Told:
    """A text that comes in pieces, of parts that are told apart."""

    def __init__(self) -> None:
        self._joiner = SurrogateJoiner()
        self._part: object = None

    def more(self, text: str, part: object) -> str:
        """The next piece, after what stands between two parts if it begins a new one."""
        before = BETWEEN if self._part is not None and part != self._part else ""
        self._part = part
        return self._joiner.push(before + text)

    def rest(self) -> str:
        return self._joiner.flush()


class _Call:
    """A function call whose arguments come in pieces."""

    def __init__(self, index: int) -> None:
        self._index = index
        self.told = False

    def more(self, arguments: str, item: Payload | None = None) -> AIMessageChunk:
        """The next piece; the first has the item that names the call."""
        self.told = self.told or bool(arguments)
        named: Payload = item or {}
        piece = ToolCallChunk(
            name=named.get("name"),
            args=arguments,
            id=named.get("call_id"),
            index=self._index,
            type="tool_call_chunk",
        )
        return AIMessageChunk("", tool_call_chunks=[piece])


def _additional(name: str, text: str) -> AIMessageChunk:
    return AIMessageChunk("", additional_kwargs={name: text})


def _place(item_id: str | None, event: Payload) -> str | int | None:
    """What tells items apart: some servers number them, and some only name them."""
    return item_id or event.get("output_index")
