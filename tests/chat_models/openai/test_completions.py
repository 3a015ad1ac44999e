from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from chatnb.chat_models.openai.completions import (
    chunks_from_openai,
    messages_from_openai,
    replies_in,
    request_body,
    usage_from_openai,
)
from chatnb.chat_models.openai.completions_stream import CompletionDecoder
from chatnb.errors import (
    ContentFilterError,
    MalformedReplyError,
    ModelError,
    StreamInterruptedError,
)
from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage, ToolMessage, image_part
from chatnb.schema.messages import join_chunks


def event(payload: dict[str, Any] | str) -> bytes:
    return f"data: {payload if isinstance(payload, str) else json.dumps(payload)}\n\n".encode()


def said(finish: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    """An event in which one candidate says something."""
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def answered(finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    """A whole reply of one candidate."""
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def calling(arguments: str | None, index: int | None = 0, **more: Any) -> dict[str, Any]:
    """A piece of a tool call."""
    place = {} if index is None else {"index": index}
    return {**place, **more, "function": {"arguments": arguments, "name": more.get("name")}}


def read_whole(payload: dict[str, Any]) -> AIMessage:
    """The first candidate of a whole reply."""
    return replies_in(json.dumps(payload).encode())[0]


def read_piece(payload: dict[str, Any]) -> AIMessageChunk:
    """The first candidate's part of an event."""
    return chunks_from_openai(payload)[0][1]


def decoded(*events: dict[str, Any] | str) -> AIMessage:
    """The message that a stream adds up to."""
    with closing(CompletionDecoder()) as decoder:
        chunks = [chunk for each in events for chunk in decoder.decode(event(each))]
        return join_chunks([*chunks, *decoder.end()]).to_message()


@pytest.fixture
def decoder() -> Iterator[CompletionDecoder]:
    with closing(CompletionDecoder()) as decoder:
        yield decoder


def test_a_request_holds_every_kind_of_message() -> None:
    """Calls, their answers and parts are written in OpenAI's form, and unset parameters not."""
    image = image_part("https://example.org/a.png")
    body = request_body(
        [
            HumanMessage(["What is", image]),
            AIMessage("", tool_calls=[{"name": "look", "args": {"at": 1}, "id": "c1"}]),
            ToolMessage("A cat.", tool_call_id="c1"),
        ],
        {"model": "m", "seed": 0, "stop": None},
    )
    function = {"name": "look", "arguments": '{"at": 1}'}
    assert body == {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "What is"}, image]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"type": "function", "id": "c1", "function": function}],
            },
            {"role": "tool", "content": "A cat.", "tool_call_id": "c1"},
        ],
        "model": "m",
        "seed": 0,
    }


def test_usage_has_its_details() -> None:
    """Cached, reasoning, audio and predicted tokens are told apart; zeros are left out."""
    usage = usage_from_openai(
        {
            "prompt_tokens": 9,
            "completion_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 5,
                "audio_tokens": 1,
                "accepted_prediction_tokens": 2,
            },
        }
    )
    assert usage == {
        "input_tokens": 9,
        "output_tokens": 8,
        "total_tokens": 17,
        "input_token_details": {"cached": 4},
        "output_token_details": {"reasoning": 5, "audio": 1, "accepted_prediction": 2},
    }
    assert usage_from_openai(None) is None


def test_several_candidates_are_several_messages() -> None:
    """Candidates come in the order of their numbers; what the call cost is on the first."""
    choices = [{"index": n, "message": {"content": str(n)}} for n in (1, 0)]
    counts = {"prompt_tokens": 1, "completion_tokens": 2}
    first, second = messages_from_openai({"choices": choices, "usage": counts, "id": "r"})
    assert (first.content, second.content, second.id) == ("0", "1", "r")
    assert first.usage_metadata == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert second.usage_metadata is None


def test_streams_of_several_candidates_are_told_apart() -> None:
    """Interleaved candidates each add up; who asks for one gets only the first."""
    events = [said(index=n, content=f"{text}{n}") for text in ("a", "b") for n in (0, 1)]
    events += [said("stop", index=0), said("length", index=1)]
    chunks = [pair for each in events for pair in chunks_from_openai(each)]
    texts = [join_chunks(c for n, c in chunks if n == number).content for number in (0, 1)]
    assert texts == ["a0b0", "a1b1"]
    assert decoded(*events).content == "a0b0"
    two_in_one = {"choices": [said(index=n, content="x")["choices"][0] for n in (0, 1)]}
    assert [number for number, _ in chunks_from_openai(two_in_one)] == [0, 1]


def test_a_stream_is_whole_only_when_every_candidate_is(decoder: CompletionDecoder) -> None:
    """A candidate that was cut off is noticed, though another one had ended."""
    for each in (said("stop", index=0, content="a"), said(index=1, content="b")):
        list(decoder.decode(event(each)))
    with pytest.raises(StreamInterruptedError):
        list(decoder.end())


def test_an_empty_event_after_the_end_is_no_interruption() -> None:
    """Servers may say more of a candidate that has finished."""
    assert decoded(said("stop", content="a"), said(content=""), {"choices": []}).content == "a"


def test_tool_calls_of_a_whole_reply_are_read() -> None:
    """Valid calls are parsed, and truncated ones are invalid."""
    calls = [
        {"id": "c1", "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"id": "c2", "function": {"name": "g", "arguments": '{"a": '}},
    ]
    message = read_whole(answered("length", content=None, tool_calls=calls))
    assert message.tool_calls == [{"name": "f", "args": {"a": 1}, "id": "c1", "type": "tool_call"}]
    assert [(call["id"], call["args"]) for call in message.invalid_tool_calls] == [("c2", '{"a": ')]


@pytest.mark.parametrize("index", [0, None])
def test_tool_call_deltas_add_up(index: int | None) -> None:
    """Pieces of calls become calls, also where a server leaves their numbers out."""
    message = decoded(
        said(tool_calls=[calling("", index, id="c1", type="function", name="f")]),
        said(tool_calls=[calling('{"a"', index)]),
        said(tool_calls=[calling(": 1}", index)]),
        said("tool_calls"),
    )
    assert message.tool_calls == [{"name": "f", "args": {"a": 1}, "id": "c1", "type": "tool_call"}]
    assert message.response_metadata == {"finish_reason": "tool_calls"}


def test_calls_of_the_older_protocol_add_up() -> None:
    """function_call grows in additional_kwargs, and its name is not doubled."""
    message = decoded(
        said(function_call={"name": "f", "arguments": '{"a"'}),
        said(function_call={"name": "f", "arguments": ": 1}"}),
        said("function_call"),
    )
    assert message.additional_kwargs == {"function_call": {"name": "f", "arguments": '{"a": 1}'}}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept(field: str) -> None:
    """Either field that compatible servers use for reasoning becomes the message's reasoning."""
    message = decoded(
        said(**{field: "Let me"}), said(**{field: " think."}), said("stop", content="4")
    )
    assert (message.content, message.reasoning) == ("4", "Let me think.")
    whole = read_whole(answered(content="4", **{field: "Hm."}))
    assert whole.reasoning == "Hm."


@pytest.mark.parametrize(
    "beside",
    [
        {"reasoning_content": "Hm."},
        {"reasoning": "Hm."},
        {"tool_calls": [calling("{}", id="c", name="say")]},
        {"function_call": {"name": "say", "arguments": "{}"}},
        {"audio": {"id": "a", "transcript": "Hi"}},
    ],
    ids=lambda beside: next(iter(beside)),
)
@pytest.mark.parametrize("first", [{}, {"role": "assistant"}], ids=["later", "first"])
def test_what_comes_beside_text_in_one_event_is_kept(
    beside: dict[str, Any], first: dict[str, Any]
) -> None:
    """A server may send the text and more in one event, which adds up to what two events do."""
    before = [] if first else [said(content="O", role="assistant")]
    together = decoded(*before, said(content="h", **first, **beside), said("stop"))
    apart = decoded(*before, said(content="h", **first), said(**beside), said("stop"))
    assert together == apart
    assert together.tool_calls or together.reasoning or together.additional_kwargs


def test_halves_of_an_emoji_join_in_reasoning_too() -> None:
    """A pair that a server cut in two is one character, and each candidate's are its own."""
    message = decoded(
        said(reasoning_content="\ud83d"),
        said(reasoning_content="\ude00"),
        said(content="\ud83d"),
        said("stop", index=1, content="x"),
        said("stop", content="\ude00"),
    )
    assert (message.reasoning, message.content) == ("😀", "😀")


def test_probabilities_are_metadata() -> None:
    """logprobs of a whole reply, and of a stream's tokens one after the other."""
    tokens = [{"token": token, "logprob": -0.5} for token in "ab"]
    events = [said(content=token["token"]) for token in tokens]
    for each, token in zip(events, tokens, strict=True):
        each["choices"][0]["logprobs"] = {"content": [token]}
    streamed = decoded(*events, said("stop"))
    assert streamed.response_metadata["logprobs"] == {"content": tokens}
    whole = answered(content="ab")
    whole["choices"][0]["logprobs"] = {"content": tokens}
    assert read_whole(whole).response_metadata["logprobs"] == {"content": tokens}


def test_metadata_comes_once_at_the_end() -> None:
    """The model's name and fingerprint come with the finish reason."""
    about = {"id": "r1", "model": "m", "system_fingerprint": "fp"}
    first = read_piece({**said(content="a"), **about})
    last = read_piece({**said("stop"), **about})
    assert (first.response_metadata, first.id) == ({}, "r1")
    assert last.response_metadata == {
        "finish_reason": "stop",
        "model_name": "m",
        "system_fingerprint": "fp",
    }


@pytest.mark.parametrize(
    ("events", "message", "partial"),
    [
        (
            [said(content="Hel"), said("content_filter")],
            "content filter",
            "Hel",
        ),
        (
            [said(refusal="I can"), said(refusal="not."), said("stop")],
            "refused to answer: I cannot.",
            "",
        ),
    ],
)
def test_a_refusal_is_an_error_with_what_there_is(
    events: list[dict[str, Any]], message: str, partial: str
) -> None:
    """A filtered or refused reply is not taken for an answer, streamed or whole."""
    with pytest.raises(ContentFilterError, match=message) as raised:
        decoded(*events)
    assert raised.value.partial is not None
    assert raised.value.partial.content == partial
    finish = events[-1]["choices"][0]["finish_reason"]
    declined = "I cannot." if "refused" in message else None
    with pytest.raises(ContentFilterError, match=message):
        read_whole(answered(finish, content=partial, refusal=declined))


def test_the_partial_is_all_that_arrived(decoder: CompletionDecoder) -> None:
    """Text, reasoning and calls that were on their way are kept; half a call is invalid."""
    assert decoder.partial is None
    for each in (
        said(role="assistant", content=""),
        said(reasoning_content="Hm."),
        said(content="Hel"),
        said(tool_calls=[calling('{"a"', id="c1", name="f")]),
    ):
        list(decoder.decode(event(each)))
    partial = decoder.partial
    assert partial is not None
    assert (partial.content, partial.reasoning, partial.tool_calls) == ("Hel", "Hm.", [])
    assert partial.invalid_tool_calls[0]["args"] == '{"a"'


def test_a_whole_reply_instead_of_a_stream_is_one_chunk(decoder: CompletionDecoder) -> None:
    """A server that does not stream is understood all the same."""
    decoder.begin("application/json")
    body = json.dumps(answered(content="Hello.")).encode()
    assert list(decoder.decode(body[:9])) + list(decoder.decode(body[9:])) == []
    (chunk,) = decoder.end()
    assert (chunk.content, chunk.response_metadata) == ("Hello.", {"finish_reason": "stop"})


@pytest.mark.parametrize(
    "payload",
    [
        {"choices": [3]},
        {"choices": 3},
        {"choices": [{"delta": {"content": 3}}]},
        {"choices": [{"delta": {"content": [3]}}]},
        {"choices": [{"delta": "Hi"}]},
        {"choices": [{"delta": {"tool_calls": [3]}}]},
        {"choices": [{"delta": {"tool_calls": 3}}]},
    ],
)
def test_a_chunk_that_is_none_is_malformed(payload: dict[str, Any]) -> None:
    """An event outside the protocol is one error that shows what came."""
    with pytest.raises(MalformedReplyError, match="not a chat completion"):
        chunks_from_openai(payload)


@pytest.mark.parametrize("usage", [3, [3], "three"])
def test_a_usage_that_is_none_costs_no_reply(usage: Any) -> None:
    """A usage of another form is not known; the reply, which was paid for, is there."""
    assert read_piece({"choices": [{"delta": {"content": "a"}}], "usage": usage}).content == "a"
    reply = read_whole({"choices": [{"message": {"content": "a"}}], "usage": usage})
    assert (reply.content, reply.usage_metadata) == ("a", None)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": {"content": 3}}]},
        {"choices": [{"message": {"tool_calls": [3]}}]},
    ],
)
def test_a_reply_that_is_none_is_malformed(payload: dict[str, Any]) -> None:
    """The same for whole replies."""
    with pytest.raises(MalformedReplyError, match="not a chat completion"):
        read_whole(payload)


@pytest.mark.parametrize("read", [chunks_from_openai, messages_from_openai])
def test_an_error_among_replies_is_raised(read: Any) -> None:
    """An error where a reply was expected is the provider's, in its words."""
    with pytest.raises(ModelError, match="Overloaded"):
        read({"error": {"message": "Overloaded."}})


def test_custom_tools_are_called_with_text_and_answered() -> None:
    """Whole and streamed; the calls go back as they came, by the tools of the request."""
    code = 'print("a\\n")\n'
    call = {"id": "c1", "type": "custom", "custom": {"name": "run", "input": code}}
    whole = read_whole(answered("tool_calls", content=None, tool_calls=[call]))
    pieces = [
        said(tool_calls=[{"index": 0, **call, "custom": {"name": "run", "input": code[:3]}}]),
        said(tool_calls=[{"index": 0, "custom": {"input": code[3:]}}]),
        said("tool_calls"),
    ]
    for reply in (whole, decoded(*pieces, "[DONE]")):
        assert [(c["name"], c["args"], c["id"]) for c in reply.tool_calls] == [
            ("run", {"__arg1": code}, "c1")
        ]
        tool = {"type": "custom", "name": "run"}
        choice = {"type": "custom", "name": "run"}
        body = request_body([reply], {"tools": [tool], "tool_choice": choice})
        assert body["messages"][0]["tool_calls"] == [call]
        assert body["tools"] == [{"type": "custom", "custom": {"name": "run"}}]
        assert body["tool_choice"] == body["tools"][0]
