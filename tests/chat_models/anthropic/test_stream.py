from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from chatnb import errors
from chatnb.chat_models.anthropic import errors as anthropic_errors
from chatnb.chat_models.anthropic.replies import message_from_anthropic, replies_in
from chatnb.chat_models.anthropic.requests import request_body
from chatnb.chat_models.anthropic.stream import MessageDecoder
from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from chatnb.schema.messages import join_chunks
from chatnb.schema.serialization import messages_from_json, messages_to_json
from tests.support.anthropic_events import (
    SIGNATURE,
    Event,
    calling,
    closed,
    finish,
    grown,
    opened,
    sent,
    start,
    text,
    thinking,
    whole,
)

Read = Callable[..., AIMessage]


def chunks_of(*events: Event) -> list[AIMessageChunk]:
    decoder = MessageDecoder()
    return [*decoder.decode(sent(*events)), *decoder.end()]


def decoded(*events: Event) -> AIMessage:
    """The message that a stream adds up to."""
    return join_chunks(chunks_of(*events)).to_message()


def streamed(*blocks: Event, reason: str = "end_turn", **usage: int) -> AIMessage:
    """The message of a reply whose blocks come in pieces, as the documentation shows them."""
    events = [start(**usage), {"type": "ping"}]
    for index, block in enumerate(blocks):
        match block["type"]:
            case "text":
                events += text(index, *block["text"])
            case "thinking":
                events += thinking(index, *block["thinking"], signature=block["signature"])
            case "tool_use":
                events += calling(index, block["id"], block["name"], *json.dumps(block["input"]))
            case _:
                events += [opened(index, **{**block, "kind": block["type"]}), closed(index)]
    return decoded(*events, *finish(reason))


def unstreamed(*blocks: Event, reason: str = "end_turn", **usage: int) -> AIMessage:
    counts = {"input_tokens": 8, "output_tokens": 5, **usage}
    return replies_in(json.dumps(whole(*blocks, reason=reason, usage=counts)).encode())[0]


both = pytest.mark.parametrize("read", [streamed, unstreamed])

TEXT = {"type": "text", "text": "Two 😀."}
THOUGHT = {"type": "thinking", "thinking": "Let me think.", "signature": SIGNATURE}
SECRET = {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1, "b": [2]}}
EMPTY_CALL = {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}}


@both
def test_text_is_the_content(read: Read) -> None:
    """Blocks of text are one string, with id, model, reason and usage beside it."""
    message = read(TEXT, {"type": "text", "text": " Three."})
    assert (message.content, message.id) == ("Two 😀. Three.", "msg_1")
    assert message.additional_kwargs == {}
    assert message.response_metadata == {
        "finish_reason": "stop",
        "stop_reason": "end_turn",
        "model_name": "loopback-1",
    }
    assert message.usage_metadata == {"input_tokens": 8, "output_tokens": 5, "total_tokens": 13}


@both
def test_calls_are_tool_calls(read: Read) -> None:
    """Also several, with arguments and without."""
    message = read(TEXT, CALL, EMPTY_CALL, reason="tool_use")
    assert message.tool_calls == [
        {"name": "add", "args": {"a": 1, "b": [2]}, "id": "toolu_1", "type": "tool_call"},
        {"name": "now", "args": {}, "id": "toolu_2", "type": "tool_call"},
    ]
    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert message.content == "Two 😀."


def test_pieces_of_calls_are_told_as_they_come() -> None:
    """Each chunk has its call's index; the first has its name and id, too."""
    calls = [*calling(0, "c0", "f", "{}"), *calling(1, "c1", "g", '{"a"', ": 1}")]
    chunks = chunks_of(*calls, *finish("tool_use"))
    pieces = [piece for chunk in chunks for piece in chunk.tool_call_chunks]
    assert [(p["index"], p["id"], p["name"], p["args"]) for p in pieces] == [
        (0, "c0", "f", ""),
        (0, None, None, "{}"),
        (1, "c1", "g", ""),
        (1, None, None, '{"a"'),
        (1, None, None, ": 1}"),
    ]


def test_arguments_that_come_at_once_are_not_lost() -> None:
    """A server may say them where the call begins."""
    begun = opened(0, "tool_use", id="c1", name="f", input={"a": 1})
    message = decoded(start(), begun, closed(0), *finish("tool_use"))
    assert message.tool_calls[0]["args"] == {"a": 1}


@both
def test_thinking_is_reasoning_and_goes_back_unchanged(read: Read) -> None:
    """With tools the API wants its signed blocks back, in their order, before the calls."""
    message = read(THOUGHT, SECRET, {**THOUGHT, "thinking": "So."}, TEXT, CALL, reason="tool_use")
    assert (message.reasoning, message.content) == ("Let me think.\n\nSo.", "Two 😀.")
    (message,) = messages_from_json(messages_to_json([message]))
    answer = ToolMessage("3", tool_call_id="toolu_1")
    turns = request_body([HumanMessage("Add."), message, answer], {})["messages"]
    assert turns[1] == {
        "role": "assistant",
        "content": [THOUGHT, SECRET, {**THOUGHT, "thinking": "So."}, TEXT, CALL],
    }


def test_thinking_that_is_not_shown_goes_back_too() -> None:
    """There is no reasoning to read, only a signature."""
    message = decoded(start(), *thinking(0), *text(1, "4"), *finish("end_turn"))
    assert message.reasoning == ""
    kept = request_body([message], {})["messages"][0]["content"][0]
    assert kept == {"type": "thinking", "thinking": "", "signature": SIGNATURE}


def test_what_the_provider_s_own_tools_did_goes_back() -> None:
    """Their calls and results are kept whole, also when a call came in pieces."""
    query = grown(0, "input_json_delta", partial_json='{"query": "cats"}')
    found = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    begun = opened(0, "server_tool_use", id="s1", name="web_search", input={})
    result = opened(1, kind="web_search_tool_result", tool_use_id="s1", content=[])
    events = [start(), begun, query, closed(0), result, closed(1), *text(2, "Cats.")]
    message = decoded(*events, *finish("pause_turn"))
    assert (message.content, message.tool_calls) == ("Cats.", [])
    assert message.response_metadata["finish_reason"] == "length"
    searched = {"type": "server_tool_use", "id": "s1", "name": "web_search"}
    assert request_body([message], {})["messages"][0]["content"] == [
        {**searched, "input": {"query": "cats"}},
        found,
        {"type": "text", "text": "Cats."},
    ]


CITED = [{"type": "web_search_result_location", "cited_text": "c", "url": "u"}]
SEARCHED = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
CALLED = {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}}


def test_citations_are_kept() -> None:
    """One after the other, whole or streamed."""
    cited = [{"type": "char_location", "cited_text": word} for word in ("a", "b")]
    block = {"type": "text", "text": "ab", "citations": cited}
    deltas = [grown(0, "citations_delta", citation=each) for each in cited]
    grows = grown(0, "text_delta", text="ab")
    events = [opened(0, "text", text=""), grows, *deltas, closed(0)]
    for message in (unstreamed(block), decoded(*events, *finish("end_turn"))):
        assert message.additional_kwargs["citations"] == cited
        assert request_body([message], {})["messages"][0]["content"] == [block]


ORDERED: list[list[Event]] = [
    [{"type": "text", "text": "I search."}, SEARCHED, FOUND, {"type": "text", "text": "Cats."}],
    [{"type": "text", "text": "Wait."}, CALLED, SEARCHED, FOUND],
    [
        SEARCHED,
        FOUND,
        {"type": "text", "text": "A"},
        {"type": "text", "text": "B", "citations": CITED},
    ],
    [{"type": "text", "text": "A"}, SEARCHED, FOUND, CALLED, {"type": "text", "text": "B"}],
]


@pytest.mark.parametrize("blocks", ORDERED)
def test_blocks_go_back_in_their_order(blocks: list[Event]) -> None:
    """Texts, calls and citations around the provider's own tools, whole or streamed."""
    events: list[Event] = []
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            events += text(index, *block["text"])
            notes = block.get("citations", ())
            events[-1:] = [
                *(grown(index, "citations_delta", citation=n) for n in notes),
                closed(index),
            ]
        else:
            type_ = block["type"]
            fields = {name: value for name, value in block.items() if name != "type"}
            events += [opened(index, type_, **fields), closed(index)]
    whole, read = unstreamed(*blocks), decoded(start(), *events, *finish("end_turn"))
    assert whole == read
    assert request_body([whole], {})["messages"][0]["content"] == blocks
    texts = [block["text"] for block in whole.content_blocks if block["type"] == "text"]
    assert texts == [block["text"] for block in blocks if block["type"] == "text"]
    whole.content = "Changed."
    changed = request_body([whole], {})["messages"][0]["content"]
    assert [block["text"] for block in changed if block["type"] == "text"] == ["Changed."]


@pytest.mark.parametrize(
    ("reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
    ],
)
@both
def test_reasons_are_told_in_the_words_of_all_providers(
    read: Read, reason: str, finish_reason: str
) -> None:
    """And in Anthropic's own."""
    metadata = read(TEXT, reason=reason).response_metadata
    assert (metadata["finish_reason"], metadata["stop_reason"]) == (finish_reason, reason)


def test_the_text_that_stopped_the_reply_is_told() -> None:
    """`stop_sequence` is in the metadata."""
    message = decoded(start(), *text(0, "a"), *finish("stop_sequence", stop_sequence="!"))
    assert message.response_metadata["stop_sequence"] == "!"


@both
def test_tokens_of_the_cache_are_a_part_of_the_input(read: Read) -> None:
    """Anthropic counts them apart; here they are in the sum, and in the details."""
    cached = {"cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
    assert read(TEXT, **cached).usage_metadata == {
        "input_tokens": 128,
        "output_tokens": 5,
        "total_tokens": 133,
        "input_token_details": {"cached": 100, "cache_creation": 20},
    }


def test_thinking_is_a_part_of_the_output() -> None:
    """Its tokens are the reasoning; what a stream's end does not repeat stays as it began."""
    end = finish("end_turn", output=9)
    end[0]["usage"] = {
        "output_tokens": 9,
        "input_tokens": None,
        "output_tokens_details": {"thinking_tokens": 4},
    }
    message = decoded(start(input_tokens=3), *text(0, "a"), *end)
    assert message.usage_metadata == {
        "input_tokens": 3,
        "output_tokens": 9,
        "total_tokens": 12,
        "output_token_details": {"reasoning": 4},
    }


@both
def test_a_refusal_is_an_error_with_what_there_is(read: Read) -> None:
    """A reply that a classifier ended is not taken for an answer."""
    with pytest.raises(errors.ContentFilterError, match="refused to answer") as raised:
        read(TEXT, reason="refusal")
    assert raised.value.partial is not None
    assert raised.value.partial.content == "Two 😀."
    why = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    with pytest.raises(errors.ContentFilterError, match=r"Not this\."):
        decoded(start(), *finish("refusal", stop_details=why))


def test_the_partial_is_all_that_arrived() -> None:
    """Text, reasoning and calls on their way are kept, half a call as invalid, and thinking
    without its signature not as a block to be sent back."""
    decoder = MessageDecoder()
    assert decoder.partial is None
    events = [start(), *thinking(0, "Hm.")[:-2], *text(1, "Hel", "lo")[:-1]]
    events += calling(2, "c1", "f", '{"a"')[:-1]
    events += [opened(3, "server_tool_use", id="s1", name="web_search", input={})]
    list(decoder.decode(sent(*events)))
    partial = decoder.partial
    assert partial is not None
    assert (partial.content, partial.reasoning, partial.tool_calls) == ("Hello", "Hm.", [])
    assert partial.invalid_tool_calls[0]["args"] == '{"a"'
    assert partial.additional_kwargs == {"reasoning_content": "Hm."}


def test_a_long_stream_takes_the_memory_of_its_text() -> None:
    """Ten thousand pieces that nobody keeps leave less than twice their characters behind."""
    decoder = MessageDecoder()
    list(decoder.decode(sent(start(), opened(0, "text", text=""))))
    piece = sent(grown(0, "text_delta", text="word "))
    list(decoder.decode(piece))
    gc.collect()
    tracemalloc.start()
    for _ in range(10_000):
        list(decoder.decode(piece))
    grew, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grew < 2 * 5 * 10_000
    assert decoder.partial is not None
    assert len(decoder.partial.text) == 5 * 10_001


def test_halves_of_an_emoji_join() -> None:
    """Halves join in text and in thinking; a half that stays alone becomes U+FFFD."""
    halves = ("\ud83d", "\ude00")
    events = [start(), *thinking(0, *halves), *text(1, *halves, "\ud83d"), *finish("end_turn")]
    message = decoded(*events)
    assert (message.reasoning, message.content) == ("😀", "😀\ufffd")
    kept = request_body([message], {})["messages"][0]["content"][0]
    assert kept["thinking"] == "😀"


def test_bytes_may_be_cut_anywhere() -> None:
    """One byte at a time gives the same message."""
    events = [start(), *thinking(0, "Hm."), *text(1, "☃"), *finish("end_turn")]
    decoder = MessageDecoder()
    received = sent(*events)
    chunks = [chunk for n in range(len(received)) for chunk in decoder.decode(received[n : n + 1])]
    assert join_chunks([*chunks, *decoder.end()]).to_message() == decoded(*events)


def test_events_and_deltas_of_new_kinds_are_passed_over() -> None:
    """The API reserves the right to send them."""
    news = [{"type": "news"}, *text(0, "a")[:2], grown(0, "news_delta"), closed(0)]
    assert decoded(start(), *news, *finish("end_turn")).content == "a"


def test_a_stream_without_an_end_is_interrupted() -> None:
    """A stream is interrupted if it ends within a block or between two."""
    unfinished = {"type": "message_delta", "delta": {"stop_reason": None}}
    for events in ([], [start()], [start(), *text(0, "a"), unfinished]):
        with pytest.raises(errors.StreamInterruptedError):
            decoded(*events)
    assert decoded(start(), *text(0, "a"), finish("end_turn")[0]).content == "a"


def test_a_whole_reply_instead_of_a_stream_is_one_chunk() -> None:
    """A JSON body, from a server that does not stream, becomes one chunk."""
    decoder = MessageDecoder()
    decoder.begin("application/json")
    body = json.dumps(whole(TEXT, CALL, reason="tool_use")).encode()
    assert list(decoder.decode(body[:9])) + list(decoder.decode(body[9:])) == []
    (chunk,) = decoder.end()
    assert chunk.to_message() == unstreamed(TEXT, CALL, reason="tool_use")


@pytest.mark.parametrize(
    "event",
    [
        grown(0, "text_delta", text="of no block"),
        {"type": "content_block_start", "index": 0},
        opened(0, "text"),
        opened(0, "text", text=3),
        opened(0, "tool_use", id="c1"),
        {"type": "message_start", "message": 3},
        {"type": "message_delta"},
    ],
)
def test_an_event_that_is_none_is_malformed(event: Event) -> None:
    """An event that is not of the protocol raises one error that shows it."""
    with pytest.raises(errors.MalformedReplyError, match="not of the Messages API"):
        decoded(event)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"content": 3},
        {"content": [3]},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "tool_use", "id": "c1", "name": "f"}]},
    ],
)
def test_a_reply_that_is_none_is_malformed(payload: dict[str, Any]) -> None:
    """The same for whole replies."""
    with pytest.raises(errors.MalformedReplyError, match="not of the Messages API"):
        message_from_anthropic(payload)


@pytest.mark.parametrize(
    ("kind", "status", "error", "hint"),
    [
        ("invalid_request_error", 400, errors.BadRequestError, "parameters"),
        ("authentication_error", 401, errors.AuthenticationError, "ANTHROPIC_API_KEY"),
        ("billing_error", 402, errors.QuotaSpentError, "credit"),
        ("permission_error", 403, errors.AuthenticationError, "rights"),
        ("not_found_error", 404, errors.NotFoundError, "base_url"),
        ("request_too_large", 413, errors.BadRequestError, "Shorten"),
        ("rate_limit_error", 429, errors.RateLimitError, "limits"),
        ("api_error", 500, errors.ServerError, "again"),
        ("timeout_error", 504, errors.ModelTimeoutError, "stream"),
        ("overloaded_error", 529, errors.ServerError, "again"),
        ("of_a_new_kind", 418, errors.ModelError, "request"),
        ("of_a_new_kind", 503, errors.ServerError, "again"),
    ],
)
def test_refusals_are_typed(
    kind: str, status: int, error: type[errors.ModelError], hint: str
) -> None:
    """Every documented kind is an error of chatnb's, with a status or in a stream without one."""
    body = {"error": {"type": kind, "message": "No."}, "request_id": "req_1"}
    read = anthropic_errors.error_response(status, body)
    assert type(read) is error
    assert hint in read.hint
    assert (read.message, read.status, read.request_id) == ("No.", status, "req_1")
    if kind != "of_a_new_kind":
        assert type(anthropic_errors.error_response(None, body)) is error


def test_too_long_a_prompt_is_an_overflow() -> None:
    """Told by Anthropic in its message, by llama.cpp in its type."""
    long = {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"}
    llama = {"type": "exceed_context_size_error", "code": 400, "message": "Too many."}
    for said in (long, llama):
        read = anthropic_errors.error_response(400, {"error": said})
        assert type(read) is errors.ContextOverflowError


def test_the_time_to_wait_is_in_the_hint() -> None:
    """`retry-after` wins over what is known of the kind."""
    body = {"error": {"type": "rate_limit_error", "message": "Slow."}}
    headers = {"retry-after": "7", "request-id": "req_2"}
    read = anthropic_errors.error_response(429, body, headers=headers)
    assert (read.retry_after, read.request_id) == (7.0, "req_2")
    assert "wait 7 s" in str(read)
