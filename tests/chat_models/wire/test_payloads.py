"""Payloads whose fields are missing, null or of other types."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnb.chat_models.wire.payloads import MAX_COUNT, to_count
from chatnb.errors import (
    MalformedReplyError,
    ModelError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
)
from chatnb.schema import AIMessage
from chatnb.schema.messages import join_chunks
from tests.chat_models.wire.mutations import (
    VALUES,
    WIRES,
    Wire,
    json_bytes,
    paths,
    read_stream,
    replaced,
    without,
)
from tests.support.examples import examples

OPENAI, RESPONSES, ANTHROPIC = WIRES[0], WIRES[-2], WIRES[-1]
THREE = pytest.mark.parametrize("wire", [OPENAI, RESPONSES, ANTHROPIC], ids=lambda wire: wire.name)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
nested = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6
)
values = st.sampled_from(VALUES) | nested
PLACES = [
    (wire, streamed, path)
    for wire in WIRES
    for streamed in (False, True)
    for path in paths(list(wire.events) if streamed else wire.whole)
]


def check_types(message: AIMessage) -> None:
    """Check that all fields of a message have the types that its annotations promise."""
    assert message.id is None or type(message.id) is str
    assert isinstance(message.text + message.reasoning, str)
    for call in message.tool_calls:
        assert (type(call["name"]), type(call["args"])) == (str, dict)
    for call in (*message.tool_calls, *message.invalid_tool_calls):
        assert call["id"] is None or type(call["id"]) is str
    usage = message.usage_metadata
    if usage is not None:
        assert type(usage["input_tokens"] + usage["output_tokens"] + usage["total_tokens"]) is int
    for name in ("finish_reason", "model_name"):
        assert type(message.response_metadata.get(name, "")) is str


@pytest.mark.slow
@settings(max_examples=examples(250), deadline=None)
@given(st.sampled_from(PLACES), values, st.booleans())
def test_any_value_anywhere_is_read_or_a_model_error(
    place: tuple[Wire, bool, tuple[Any, ...]], value: Any, removed: bool
) -> None:
    """A payload with another value at any place gives typed messages or one of chatnb's errors."""
    wire, streamed, path = place
    payload = list(wire.events) if streamed else wire.whole
    payload = without(payload, path) if removed else replaced(payload, path, value)
    try:
        messages = [read_stream(wire, payload)] if streamed else wire.read(json_bytes(payload))
    except ModelError:
        return
    for message in messages:
        check_types(message)


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_the_payloads_are_replies(wire: Wire) -> None:
    """Unchanged, each payload is a whole reply with text, a call and usage."""
    for message in (wire.read(json_bytes(wire.whole))[0], read_stream(wire, wire.events)):
        check_types(message)
        assert message.text
        assert message.usage_metadata
        assert message.tool_calls[0]["name"] == "weather"


def completion(**message: Any) -> bytes:
    """Return a chat completion with these fields of its message."""
    choice = {"index": 0, "message": {"content": "", **message}, "finish_reason": "stop"}
    return json_bytes({"id": 7, "model": 4.5, "choices": [choice]})


@pytest.mark.parametrize(
    ("name", "arguments", "args"),
    [
        ("f", {"a": [1]}, {"a": [1]}),
        ("f", '{"a": 1}', {"a": 1}),
        (7, "{}", {}),
        ("f", None, {}),
        ("f", "", {}),
    ],
)
def test_what_is_clear_about_a_call_is_taken(name: Any, arguments: Any, args: Any) -> None:
    """Arguments may be JSON itself, and names and ids numbers."""
    call = {"id": 3, "function": {"name": name, "arguments": arguments}}
    (message,) = OPENAI.read(completion(tool_calls=[None, call]))
    (read,) = message.tool_calls
    assert (read["name"], read["args"], read["id"]) == (str(name), args, "3")
    assert (message.id, message.response_metadata["model_name"]) == ("7", "4.5")


@pytest.mark.parametrize("arguments", [5, "5", [1], True])
def test_arguments_that_are_no_object_are_an_invalid_call(arguments: Any) -> None:
    """The call is kept, with what the model wrote."""
    call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
    (message,) = OPENAI.read(completion(tool_calls=[call]))
    (invalid,) = message.invalid_tool_calls
    assert invalid["args"] == (arguments if arguments == "5" else json.dumps(arguments))


def test_what_a_reply_can_do_without_is_left_out() -> None:
    """Notes and names of unclear types do not lose the text."""
    message = {"content": "Hello", "annotations": 3, "audio": [1], "reasoning_content": {"a": 1}}
    choice = {"index": "x", "message": message, "finish_reason": "stop", "logprobs": 3}
    whole = {"id": [], "model": {}, "system_fingerprint": True, "choices": [choice]}
    (read,) = OPENAI.read(json_bytes(whole))
    assert (read.text, read.id, read.reasoning, read.additional_kwargs) == ("Hello", None, "", {})
    assert read.response_metadata == {"finish_reason": "stop"}


@THREE
def test_a_list_with_an_error_is_that_error(wire: Wire) -> None:
    """Google answers so, also with HTTP's status 200."""
    body = [{"error": {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED"}}]
    with pytest.raises(RateLimitError, match="Slow down"):
        wire.read(json_bytes(body))
    with pytest.raises(MalformedReplyError, match="an empty body"):
        wire.read(b"")


@pytest.mark.parametrize(
    ("written", "count"),
    [
        *((17, 17), ("17", 17), (17.0, 17), ("17.0", 17), ("1e3", 1000), (0, 0)),
        *((-1, None), ("many", None), (True, None), (None, None), ({}, None), ([], None)),
        *((float("inf"), None), (float("nan"), None), ("inf", None), (10**400, None)),
        (MAX_COUNT, None),
    ],
)
def test_counts_are_whole_numbers(written: object, count: int | None) -> None:
    """Strings and floats are counts; what is no count is unknown."""
    assert to_count(written) == count


@THREE
def test_usage_as_strings_is_usage(wire: Wire) -> None:
    """Gateways write counts as strings, also in details."""
    as_text = json.loads(json.dumps(wire.whole), parse_int=str)
    expected = wire.read(json_bytes(wire.whole))[0].usage_metadata
    assert wire.read(json_bytes(as_text))[0].usage_metadata == expected
    events = json.loads(json.dumps(list(wire.events)), parse_int=str)
    streamed, usual = read_stream(wire, events), read_stream(wire, wire.events)
    assert streamed.usage_metadata == usual.usage_metadata
    assert streamed.tool_calls == usual.tool_calls


@THREE
@pytest.mark.parametrize("usage", [[], "", 0, False, {}, None, True, 7, "x", [1], {"a": [1]}])
def test_usage_that_is_none_loses_no_reply(wire: Wire, usage: object) -> None:
    """A gateway in PHP writes an empty object as a list: the paid reply is read all the same."""

    def without(payload: Any) -> Any:
        if isinstance(payload, list):
            return list(map(without, payload))
        if not isinstance(payload, dict):
            return payload
        return {name: usage if name == "usage" else without(payload[name]) for name in payload}

    (read,), (usual,) = (
        wire.read(json_bytes(without(wire.whole))),
        wire.read(json_bytes(wire.whole)),
    )
    assert (read.content, read.tool_calls, read.usage_metadata) == (
        *(usual.content, usual.tool_calls),
        None,
    )
    streamed = read_stream(wire, without(list(wire.events)))
    assert streamed.text == read_stream(wire, wire.events).text
    assert streamed.usage_metadata is None


# Events that servers and gateways send between, before and after those of a reply.
ODD = [
    *(b"data: : COMMENT", b": comment", b"data:", b"data: ping", b"data: null", b"data: 3"),
    *(b"data: []", b'data: "text"', b'data: {"object": "chat.completion.chunk"}', b"data: {}"),
    *(b'event: ping\ndata: {"type": "ping"}', b"event: keepalive\ndata: alive"),
    b'data:   {"type": "ping"}',
]


def read_with(wire: Wire, odd: bytes, position: int) -> AIMessage:
    """Return the message of a stream with an odd event before one of its events."""
    lines = [b"data: " + json_bytes(event) for event in wire.events]
    lines.insert(position, odd)
    with closing(wire.decoder()) as decoder:
        chunks = [chunk for line in lines for chunk in decoder.decode(line + b"\n\n")]
        return join_chunks([*chunks, *decoder.end()]).to_message()


@THREE
@pytest.mark.parametrize("odd", ODD)
def test_an_event_that_says_nothing_is_skipped(wire: Wire, odd: bytes) -> None:
    """The reply is the same with it at any place."""
    expected = read_stream(wire, wire.events)
    for position in (0, 2, len(wire.events)):
        assert read_with(wire, odd, position) == expected


@THREE
def test_an_event_that_cannot_be_read_is_an_error_unless_the_reply_is_complete(wire: Wire) -> None:
    """In the middle it may have been text; after the end nothing is missing."""
    for broken in (b'data: {"a": ', b'data: {"choices": 3, "type": 3}'):
        with pytest.raises(MalformedReplyError):
            read_with(wire, broken, 2)
        assert read_with(wire, broken, len(wire.events)) == read_stream(wire, wire.events)


def test_usage_without_choices_is_taken() -> None:
    """A usage event may leave out the list of choices, or have null there."""
    usage = {"prompt_tokens": 1, "completion_tokens": "2"}
    end = {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    for event in ({"usage": usage}, {"choices": None, "usage": usage}):
        message = read_stream(OPENAI, [end, event])
        assert message.usage_metadata == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


@THREE
@pytest.mark.parametrize(
    ("odd", "error", "text"),
    [
        (b"event: error\ndata: upstream failed", ServerError, "upstream failed"),
        (b'event: error\ndata: {"code": 503}', ServerError, "503"),
        (b'data: {"error": {"message": "Down."}}', ServerError, "Down"),
        (b'data: {"object": "error", "message": "Down."}', ServerError, "Down"),
        (b'data: {"errors": [{"message": "Down."}]}', ServerError, "Down"),
        (b'data: [{"error": {"message": "Down."}}]', ServerError, "Down"),
    ],
)
def test_an_error_within_a_stream_is_raised(
    wire: Wire, odd: bytes, error: type[ModelError], text: str
) -> None:
    """In whatever form a server writes it, as JSON or as text."""
    with pytest.raises(error, match=text):
        read_with(wire, odd, 2)


@THREE
def test_a_stream_of_another_protocol_shows_what_came(wire: Wire) -> None:
    """Without a reply the error shows the first event; within one, what broke it off."""
    with closing(wire.decoder()) as decoder:
        list(decoder.decode(b'data: {"foo": "bar"}\n\n'))
        with pytest.raises(MalformedReplyError, match="bar"):
            list(decoder.end())
    with closing(wire.decoder()) as decoder:
        for event in (*wire.events[:4],):
            list(decoder.decode(b"data: " + json_bytes(event) + b"\n\n"))
        list(decoder.decode(b"data: upstream hung up\n\n"))
        with pytest.raises(StreamInterruptedError, match="upstream hung up"):
            list(decoder.end())
