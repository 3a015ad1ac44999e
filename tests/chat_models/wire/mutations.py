"""Payloads of every wire format, and what becomes of them when a field has another type."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from chatnb.chat_models.anthropic import replies as anthropic
from chatnb.chat_models.anthropic.stream import MessageDecoder
from chatnb.chat_models.compatible import parse_reply
from chatnb.chat_models.openai import completions, responses_replies
from chatnb.chat_models.openai.completions_stream import CompletionDecoder
from chatnb.chat_models.openai.responses_stream import ResponseDecoder
from chatnb.chat_models.providers import known_providers
from chatnb.chat_models.stream_decoder import StreamDecoder
from chatnb.schema import AIMessage
from chatnb.schema.messages import join_chunks
from tests.support import anthropic_events as claude
from tests.support import responses_events as openai

Json = Any

# A value for each type of JSON, and those at which conversions fail.
VALUES: Sequence[Json] = (
    *(None, True, 0, -1, 7, 10**30, 1.5, float("inf"), float("nan"), "", "7", "text", "\ud83d"),
    *([], [None], [3], ["a"], [[]], [{}], {}, {"a": None}, {"type": 3}, {"type": "text"}),
)


@dataclass(frozen=True)
class Wire:
    """A wire format: a whole reply and the events of a stream, and the functions that read them."""

    name: str
    whole: Json
    events: Sequence[Json]
    read: Callable[[bytes], Sequence[AIMessage]]
    decoder: Callable[[], StreamDecoder]


def json_bytes(payload: Json) -> bytes:
    """Write JSON, also values that it has no form for."""
    return json.dumps(payload, separators=(",", ":")).encode()


def read_stream(wire: Wire, events: Sequence[Json]) -> AIMessage:
    """Return the message that events add up to."""
    with closing(wire.decoder()) as decoder:
        lines = (b"data: " + json_bytes(event) + b"\n\n" for event in events)
        chunks = [chunk for line in lines for chunk in decoder.decode(line)]
        return join_chunks([*chunks, *decoder.end()]).to_message()


def paths(payload: Json, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to each value within a payload."""
    items: Any = ()
    if isinstance(payload, dict):
        items = payload.items()
    elif isinstance(payload, list):
        items = enumerate(payload)
    for key, value in items:
        yield (*at, key)
        yield from paths(value, (*at, key))


def replaced(payload: Json, path: tuple[Any, ...], value: Json) -> Json:
    """Return a copy of a payload with another value at a path."""
    payload = copy.deepcopy(payload)
    holder = payload
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return payload


def without(payload: Json, path: tuple[Any, ...]) -> Json:
    """Return a copy of a payload without what is at a path."""
    payload = copy.deepcopy(payload)
    holder = payload
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return payload


_CALL = {"name": "weather", "arguments": '{"city": "Paris"}'}
_USAGE = {
    "prompt_tokens": 8,
    "completion_tokens": 5,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 1},
}


def _completion(finish: str | None = None, **choice: Any) -> Json:
    choices = [{"index": 0, "finish_reason": finish, "logprobs": None, **choice}]
    return {"id": "c", "model": "m", "choices": choices, "usage": _USAGE if finish else None}


def _completions_wire(name: str, provider: str | None = None) -> Wire:
    parse = completions.parse_json
    if provider is not None:
        row = known_providers()[provider]
        parse = lambda data: parse_reply(row, data)  # noqa: E731
    whole = _completion(
        "tool_calls",
        message={
            "role": "assistant",
            "content": [{"type": "text", "text": "Hello"}],
            "reasoning_content": "Hm.",
            "refusal": None,
            "annotations": [{"type": "url_citation"}],
            "audio": {"id": "a1"},
            "function_call": _CALL,
            "tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": _CALL}],
        },
    )
    if provider == "mistral":
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
        whole["choices"][0]["message"]["content"].insert(0, thinking)
    if provider == "groq":
        whole = {**whole, "usage": None, "x_groq": {"usage": _USAGE}}
    called = {"index": 0, "id": "c1", "function": {"name": "weather", "arguments": '{"city"'}}
    events = [
        _completion(delta={"role": "assistant", "content": "", "reasoning": "Hm."}),
        _completion(delta={"content": "Hello", "refusal": None}),
        _completion(delta={"tool_calls": [called]}),
        _completion(delta={"tool_calls": [{"index": 0, "function": {"arguments": ': "P"}'}}]}),
        _completion("tool_calls", delta={}),
        {"id": "c", "choices": [], "usage": _USAGE},
    ]
    return Wire(
        name,
        whole,
        events,
        lambda body: completions.replies_in(body, parse),
        lambda: CompletionDecoder(parse),
    )


def _parsed(*events: bytes) -> list[Json]:
    return [json.loads(event.partition(b"data: ")[2]) for event in events]


_RESPONSE_USAGE = {
    "input_tokens": 8,
    "output_tokens": 5,
    "total_tokens": 13,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens_details": {"reasoning_tokens": 1},
}
_OUTPUT = (openai.REASONING, openai.SEARCH, openai.SAID, openai.CALL)
_RESPONSES = Wire(
    "responses",
    openai.response(*_OUTPUT, usage=_RESPONSE_USAGE, incomplete_details=None, service_tier="flex"),
    _parsed(
        openai.CREATED,
        openai.thought("Look it up.", 0),
        openai.done(openai.REASONING),
        openai.added({**openai.SAID, "content": [], "phase": "final_answer"}, 1),
        openai.text("Let me see.", logprobs=[{"token": "L"}]),
        openai.done(openai.SAID, 1),
        openai.added({**openai.CALL, "arguments": ""}, 2),
        openai.arguments('{"city": "Paris"}', 2, item_id="fc_1"),
        openai.done(openai.CALL, 2),
        openai.completed(*_OUTPUT, usage=_RESPONSE_USAGE),
    ),
    responses_replies.replies_in_response,
    ResponseDecoder,
)
_TOOL_USE = {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Paris"}}
_THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
_TEXT = {"type": "text", "text": "Hello", "citations": [{"type": "char_location"}]}
_ANTHROPIC = Wire(
    "anthropic",
    claude.whole(
        _THINKING,
        _TEXT,
        _TOOL_USE,
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
        reason="tool_use",
        stop_details={"type": "none"},
    ),
    [
        claude.start(cache_read_input_tokens=2),
        *claude.thinking(0, "Hm."),
        *claude.text(1, "Hel", "lo"),
        claude.grown(1, "citations_delta", citation={"type": "char_location"}),
        *claude.calling(2, "c1", "weather", '{"city": "P"}'),
        *claude.finish("tool_use"),
    ],
    anthropic.replies_in,
    MessageDecoder,
)
WIRES = (
    _completions_wire("chat completions"),
    *(_completions_wire(name, name) for name in ("mistral", "groq", "gemini", "deepseek")),
    _RESPONSES,
    _ANTHROPIC,
)
