"""A stream decoder of OpenAI's Responses API.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from chatnb.chat_models.openai.errors import malformed, parse_json
from chatnb.chat_models.openai.response_items import (
    CALLS,
    CUSTOM_CALL,
    ITEMS,
    SEPARATOR,
    given_items,
    reply_text,
)
from chatnb.chat_models.openai.responses_replies import (
    RESPONSE,
    additional_fields,
    message_from_response,
    metadata_from_response,
    raise_failure_in,
    usage_from_response,
)
from chatnb.chat_models.stream_decoder import StreamDecoder
from chatnb.chat_models.wire.payloads import ARGUMENTS, Payload, fit, payload_text
from chatnb.schema.characters import SurrogateJoiner
from chatnb.schema.chunks import bare_chunk
from chatnb.schema.message_types import COMMENTARY
from chatnb.schema.messages import AIMessage, AIMessageChunk, join_chunks, text_chunk
from chatnb.schema.tool_calls import CUSTOM_INPUT, tool_call_chunk

_TEXTS = ("response.output_text.delta", "response.output_text.done")
_REASONING = (
    *("response.reasoning_summary_text.delta", "response.reasoning_summary_text.done"),
    *("response.reasoning_text.delta", "response.reasoning_text.done"),
)
_REFUSALS = ("response.refusal.delta", "response.refusal.done")
_STREAMED = ("message", "reasoning", *CALLS)


class ResponseDecoder(StreamDecoder):
    """A decoder of a streamed response."""

    # Text, reasoning, refusals and calls are streamed, and read from finished items where a server
    # sends no deltas. Annotations and the items to send back are complete with the last chunk only;
    # but what a tool of the provider made, as a picture, comes as soon as it is there: a stream
    # that breaks off, or is stopped, keeps it.

    _text_path = ("delta",)

    def __init__(self) -> None:
        super().__init__(parse_json, malformed, RESPONSE)
        self._text = _Texts(paragraphs=_ITEM)
        self._reasoning = _Texts(paragraphs=_PART)
        self._refusal = _Texts(paragraphs=_NONE)
        self._phases: dict[object, str] = {}
        self._commentary = ""
        self._calls = list[_Call]()
        self._calls_by_key = dict[object, _Call]()
        self._added: Payload = {}
        self._items: list[Payload] = []
        self._sent: list[Payload] = []
        self._id: str | None = None

    def _read_body(self, body: bytes) -> AIMessage:
        return message_from_response(parse_json(body))

    def _plain_chunk(self, event: Payload) -> AIMessageChunk | None:
        if event.get("type") != _TEXTS[0] or event.get("logprobs") or self._phases:
            return None
        if type(event.get("delta")) is not str:
            return None
        return self._continued(event, event["delta"])

    def _continued(self, event: Payload, text: str) -> AIMessageChunk:
        delta = {**self._placed(event), "delta": text}
        return text_chunk(self._text.push(delta) or "", self._id)

    def _read_event(self, event: Payload) -> AIMessageChunk | None:
        chunk = self._chunk(event)
        if chunk is not None:
            chunk.id = self._id
        return chunk

    def _chunk(self, event: Payload) -> AIMessageChunk | None:
        """Return an event's chunk; many events only announce or repeat the text of others."""
        type_ = event.get("type")
        if type_ in _TEXTS:
            return self._read_text(self._placed(event))
        if type_ in _REASONING:
            return _additional("reasoning_content", self._reasoning.push(self._placed(event)))
        if type_ in _REFUSALS:
            return _additional("refusal", self._refusal.push(self._placed(event)))
        match type_:
            case "response.output_item.added":
                return self._read_added(event)
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                call = self._call(self._placed(event))
                return call.add(_arguments(event)) if call else None
            case "response.output_item.done":
                self._items.append(event["item"])
                index = event.get("output_index", len(self._items) - 1)
                chunks = self._read_item(event["item"], index)
                return _joined((*chunks, self._read_result(event["item"], index)))
            case "response.created":
                created: Payload = event.get("response") or {}
                self._id = created.get("id")
            case "response.completed" | "response.incomplete" | "response.cancelled":
                return self._read_end(event["response"])
            case "response.failed":
                raise_failure_in({**(event.get("response") or {}), "status": "failed"})
            case None:
                self._odd = payload_text(event)
            case _:
                pass
        return None

    def _placed(self, event: Payload) -> Payload:
        """Return an event of an item; one that names none is of the item that was added last."""
        is_named = event.get("item_id") is not None or event.get("output_index") is not None
        return event if is_named or not self._added else {**event, **self._added}

    def _read_text(self, event: Payload) -> AIMessageChunk | None:
        text = self._text.push(event)
        if text is None:
            return None
        chunk = text_chunk(text, self._id)
        if event.get("logprobs"):
            chunk.response_metadata = {"logprobs": {"content": event["logprobs"]}}
        if self._phases and self._phase(event) == COMMENTARY:
            text = text if self._commentary else text.removeprefix(SEPARATOR)
            self._commentary += text
            chunk.additional_kwargs = {COMMENTARY: text}
        return chunk

    def _phase(self, event: Payload) -> str | None:
        by_index = self._phases.get(event.get("output_index"))
        return self._phases.get(event.get("item_id"), by_index)

    def _note_phase(self, item: Payload, event: Payload) -> None:
        if item.get("phase"):
            keys = (item.get("id"), event.get("output_index"))
            self._phases.update((key, item["phase"]) for key in keys if key is not None)
            self._repeated.stop()

    def _read_added(self, event: Payload) -> AIMessageChunk | None:
        item: Payload = event["item"]
        self._note_phase(item, event)
        self._added = {"item_id": item.get("id"), "output_index": event.get("output_index")}
        if item["type"] not in CALLS:
            return None
        return self._new_call(item, event.get("output_index")).start(item)

    def _new_call(self, item: Payload, index: object) -> _Call:
        call = _Call(item, len(self._calls))
        self._calls.append(call)
        self._calls_by_key.update({key: call for key in (item.get("id"), index) if key is not None})
        return call

    def _call(self, event: Payload) -> _Call | None:
        """Return the call of an event by its item's id, by its number, or else the latest."""
        keys = (event.get("item_id"), event.get("output_index"))
        known = (self._calls_by_key.get(key) for key in keys if key is not None)
        latest = self._calls[-1] if self._calls and keys == (None, None) else None
        return next((call for call in known if call), latest)

    def _read_item(self, item: Payload, index: int) -> Iterator[AIMessageChunk | None]:
        """Yield chunks of what a finished item has and its deltas had not."""
        at = {"item_id": item.get("id"), "output_index": index}
        self._note_phase(item, at)
        if item["type"] in CALLS:
            yield self._read_call(item, at)
        elif item["type"] == "message":
            for part in _finished_parts(item, "content", at):
                if part.get("type") == "output_text":
                    yield self._read_text(part)
                elif part.get("type") == "refusal":
                    yield _additional("refusal", self._refusal.push(part))
        elif item["type"] == "reasoning":
            for part in (
                *_finished_parts(item, "summary", at),
                *_finished_parts(item, "content", at),
            ):
                yield _additional("reasoning_content", self._reasoning.push(part))

    def _read_result(self, item: Payload, index: int) -> AIMessageChunk | None:
        """Return the items up to the finished one of a provider's tool, as far as in order."""
        # Some servers tell the ids of items at the end only.
        is_next = index == len(self._items) - 1 and item.get("id")
        if item["type"] in _STREAMED or not is_next:
            return None
        new = given_items(self._items[len(self._sent) :])
        self._sent += new
        return bare_chunk(additional_kwargs={ITEMS: new})

    def _read_call(self, item: Payload, at: Payload) -> AIMessageChunk | None:
        same = (call for call in self._calls if call.id == item.get("call_id"))
        call = self._call(at) or next(same, None)
        if call is not None:
            return call.end(item)
        call = self._new_call(item, at["output_index"])
        return _joined([call.start(item), call.end(item)])

    def _read_end(self, response: Payload) -> AIMessageChunk:
        raise_failure_in(response)
        self._id = response.get("id") or self._id
        output = response.get("output") or self._items
        rest = [
            chunk for index, item in enumerate(output) for chunk in self._read_item(item, index)
        ]
        metadata = metadata_from_response({"id": self._id, **response}, output)
        metadata.pop("logprobs", None)  # They were sent with the text.
        self._done = True
        additional = additional_fields(output)
        if self._sent:
            additional[ITEMS] = [*_after(self._sent, additional.get(ITEMS) or ())]
        # The phase of a text may be known only now.
        if commentary := reply_text(output, COMMENTARY)[len(self._commentary) :]:
            additional[COMMENTARY] = commentary
        last = AIMessageChunk(
            self._text.flush(),
            additional_kwargs=additional,
            response_metadata=metadata,
            usage_metadata=usage_from_response(response),
        )
        return join_chunks(chunk for chunk in (*rest, last) if chunk is not None)


_Part: TypeAlias = tuple[object, object, object]
# The number of fields of a part that are the same in one paragraph.
_NONE, _ITEM, _PART = 0, 2, 3
_ANY, _UNNUMBERED = "any", (None, None)


class _Texts:
    """The text of several parts, each taken once: from its deltas, or else from what is whole."""

    def __init__(self, *, paragraphs: int) -> None:
        self._paragraphs = paragraphs
        self._joiner = SurrogateJoiner()
        self._part: _Part | None = None
        self._seen: set[tuple[object, object]] = set()

    def push(self, event: Payload) -> str | None:
        """Return the text of a delta, or of a whole part without deltas, else None."""
        number = (event.get("content_index"), event.get("summary_index"))
        part = (event.get("item_id"), event.get("output_index"), number)
        if "delta" not in event:
            if self._has(part):
                return None
            text = (event["text"] if "text" in event else event["refusal"]) or ""
        else:
            text = event["delta"] or ""
        last, self._part = self._part, part
        if part != last:
            keys = [key for key in part[:2] if key is not None] or [None]
            self._seen.update((key, n) for key in keys for n in (number, _ANY))
            if last is not None and part[: self._paragraphs] != last[: self._paragraphs]:
                text = SEPARATOR + text
        return self._joiner.push(text)

    def flush(self) -> str:
        return self._joiner.flush()

    def _has(self, part: _Part) -> bool:
        # Some servers give items no ids, and some do not number them or their parts.
        numbers = (_ANY,) if part[2] == _UNNUMBERED else (part[2], _UNNUMBERED)
        return any((key, n) in self._seen for key in (*part[:2], None) for n in numbers)


class _Call:
    """A call whose arguments are streamed; the text for a custom tool becomes one argument."""

    def __init__(self, item: Payload, index: int) -> None:
        self.id: str | None = item.get("call_id")
        self._input = "input" if item["type"] == CUSTOM_CALL else "arguments"
        self._index = index
        self._begun = self._ended = False

    def start(self, item: Payload) -> AIMessageChunk:
        """Return the chunk with the name, the id, and arguments that came at once."""
        args = item.get(self._input)
        named = self._chunk("", name=item.get("name"), id=self.id)
        return named + self.add(args) if args else named

    def add(self, text: str) -> AIMessageChunk:
        """Return the chunk of a delta."""
        if self._input == "input":
            text = json.dumps(text)[1:-1]
            text = text if self._begun else f'{{"{CUSTOM_INPUT}": "{text}'
        self._begun = True
        return self._chunk(text)

    def end(self, item: Payload) -> AIMessageChunk | None:
        """Return the chunk of what the finished item has and the deltas had not."""
        if self._ended:
            return None
        self._ended = True
        rest = None if self._begun else self.add(item.get(self._input) or "")
        closing = self._chunk('"}') if self._input == "input" else None
        return _joined([rest, closing])

    def _chunk(self, args: str, **named: str | None) -> AIMessageChunk:
        call = tool_call_chunk(args=args, index=self._index, **named)
        return bare_chunk(tool_call_chunks=[call])


def _arguments(event: Payload) -> str:
    return fit({"delta": event["delta"]}, {"delta": ARGUMENTS})["delta"] or ""


def _additional(name: str, text: str | None) -> AIMessageChunk | None:
    return None if text is None else bare_chunk(additional_kwargs={name: text})


def _finished_parts(item: Payload, name: str, at: Payload) -> list[Payload]:
    """Return the parts of a finished item as events of whole parts."""
    parts: Sequence[Payload] = item.get(name) or ()
    return [{**part, **at, f"{name}_index": number} for number, part in enumerate(parts)]


def _after(sent: Iterable[Payload], items: Iterable[Payload]) -> Iterator[Payload]:
    """Yield the items that were not sent before."""
    types = [item["type"] for item in sent]
    for item in items:
        if types and item["type"] == types[0]:
            del types[0]
        else:
            yield item


def _joined(chunks: Iterable[AIMessageChunk | None]) -> AIMessageChunk | None:
    some = [chunk for chunk in chunks if chunk is not None]
    return join_chunks(some) if some else None
