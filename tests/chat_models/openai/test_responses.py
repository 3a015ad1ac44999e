from __future__ import annotations

import json
from typing import Any

import pytest

from chatnb.chat_models.openai.responses import input_items, responses_body
from chatnb.chat_models.openai.responses_replies import (
    message_from_response,
    replies_in_response,
    usage_from_response,
)
from chatnb.errors import (
    BadRequestError,
    ContentFilterError,
    MalformedReplyError,
    RateLimitError,
    ServerError,
)
from chatnb.schema import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from chatnb.schema.conversion import message_from_openai_dict
from chatnb.schema.messages import FunctionMessage
from tests.support.responses_events import CALL, CITATION, REASONING, SAID, SEARCH, response

WEATHER = {
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def test_messages_of_every_role_become_input_items() -> None:
    """System, developer, user and tool messages, calls, parts and pictures in the API's form."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    paper = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf,A"}}
    call = {"name": "weather", "args": {"city": "Orléans"}, "id": "c1"}
    messages = [
        SystemMessage("Be brief."),
        message_from_openai_dict({"type": "message", "role": "developer", "content": "Be kind."}),
        HumanMessage(["What is this?", {"type": "text", "text": "And this?"}, picture, paper]),
        AIMessage("A cat.", tool_calls=[call]),
        ToolMessage("Rain.", tool_call_id="c1"),
        ToolMessage([{"type": "text", "text": "Wind."}], tool_call_id="c2"),
        ChatMessage("Hm.", role="user"),
    ]
    assert responses_body(messages, {})["input"] == [
        {"type": "message", "role": "system", "content": "Be brief."},
        {"type": "message", "role": "developer", "content": "Be kind."},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_text", "text": "And this?"},
                {
                    "type": "input_image",
                    "image_url": "data:image/png;base64,AA",
                    "detail": "auto",
                },
                {
                    "type": "input_file",
                    "filename": "a.pdf",
                    "file_data": "data:application/pdf,A",
                },
            ],
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "A cat.", "annotations": []}],
        },
        {
            "type": "function_call",
            "call_id": "c1",
            "name": "weather",
            "arguments": '{"city": "Orléans"}',
        },
        {"type": "function_call_output", "call_id": "c1", "output": "Rain."},
        {
            "type": "function_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "Wind."}],
        },
        {"type": "message", "role": "user", "content": "Hm."},
    ]


def test_a_broken_call_is_sent_as_it_came() -> None:
    """The model is shown what it wrote, so that the tool's complaint makes sense."""
    broken = {"name": "weather", "args": '{"city":', "id": "c1", "error": "cut"}
    (item,) = input_items([AIMessage("", invalid_tool_calls=[broken])], {})
    assert (item["call_id"], item["arguments"]) == ("c1", '{"city":')


def test_function_messages_are_refused() -> None:
    """The API has no place for them, and the error says what to write instead."""
    with pytest.raises(ValueError, match="ToolMessage"):
        input_items([FunctionMessage("4", name="add")], {})


def test_canonical_parameters_are_converted() -> None:
    """Chat completions' parameters come out in this API's names and forms."""
    schema = {"type": "object", "properties": {}}
    body = responses_body(
        [],
        {
            "max_tokens": 9,
            "tools": [{"type": "function", "function": WEATHER}, {"type": "web_search"}],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
            "parallel_tool_calls": False,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "city", "schema": schema, "strict": True},
            },
            "verbosity": "low",
            "reasoning_effort": "low",
            "reasoning": {"summary": "auto"},
            "logprobs": True,
            "top_logprobs": 2,
            "include": ["reasoning.encrypted_content"],
            "stream": True,
            "stream_options": {"include_usage": True},
            "previous_response_id": "resp_0",
            "store": False,
            "n": 1,
            "stop": ["."],
            "temperature": None,
        },
    )
    assert body == {
        "input": [],
        "max_output_tokens": 9,
        "tools": [{"type": "function", "strict": False, **WEATHER}, {"type": "web_search"}],
        "tool_choice": {"type": "function", "name": "weather"},
        "parallel_tool_calls": False,
        "text": {
            "format": {"type": "json_schema", "name": "city", "schema": schema, "strict": True},
            "verbosity": "low",
        },
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "top_logprobs": 2,
        "stream": True,
        "previous_response_id": "resp_0",
        "store": False,
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        ({"tool_choice": {"type": "web_search"}}, {"tool_choice": {"type": "web_search"}}),
        (
            {"response_format": {"type": "json_object"}},
            {"text": {"format": {"type": "json_object"}}},
        ),
        ({"max_completion_tokens": 3}, {"max_output_tokens": 3}),
        (
            {"tools": [{"type": "function", "function": {"name": "now", "strict": True}}]},
            {
                "tools": [
                    {
                        "type": "function",
                        "name": "now",
                        "strict": True,
                        "parameters": {"type": "object", "properties": {}},
                    }
                ]
            },
        ),
    ],
)
def test_each_form_of_a_parameter(given: dict[str, Any], sent: dict[str, Any]) -> None:
    """Parameters that chat completions take in several forms are accepted in each."""
    assert responses_body([], given) == {"input": [], **sent}


@pytest.mark.parametrize("name", ["seed", "n", "logit_bias", "frequency_penalty", "functions"])
def test_a_parameter_that_the_api_lacks_is_a_clear_error(name: str) -> None:
    """The error names the parameter and says what to do; nothing is dropped silently."""
    with pytest.raises(BadRequestError, match=rf"has no {name}\. Leave it out"):
        responses_body([], {name: 2})


def test_a_reply_is_read_with_all_that_came_with_it() -> None:
    """Text, calls, reasoning, annotations, built-in tools, the finish reason and both ids."""
    usage = {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 20},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 39,
    }
    message = message_from_response(response(REASONING, SEARCH, SAID, CALL, usage=usage))
    assert message.content == "Let me see."
    assert message.tool_calls == [
        {"name": "weather", "args": {"city": "Paris"}, "id": "c1", "type": "tool_call"}
    ]
    assert message.additional_kwargs["reasoning_content"] == "Look it up.\n\nThen tell."
    assert message.additional_kwargs["annotations"] == [CITATION]
    assert SEARCH in message.additional_kwargs["output_items"]
    assert message.id == "resp_1"
    assert message.response_metadata == {
        "finish_reason": "tool_calls",
        "model_name": "gpt-x",
        "id": "resp_1",
    }
    assert message.usage_metadata == {
        "input_tokens": 30,
        "output_tokens": 9,
        "total_tokens": 39,
        "input_token_details": {"cached": 20},
        "output_token_details": {"reasoning": 5},
    }


def test_a_plain_reply_carries_nothing_extra() -> None:
    """Text and calls, which a message has in its own fields, are not kept twice."""
    said = {**SAID, "content": [{"type": "output_text", "text": "Hello.", "annotations": []}]}
    assert message_from_response(response(said, CALL)).additional_kwargs == {}


def test_no_usage_is_none() -> None:
    """A reply without counts does not pretend to have cost nothing."""
    assert usage_from_response({}) is None


def test_log_probabilities_are_where_chat_completions_have_them() -> None:
    """Code that reads them need not know which API answered."""
    entry = {"token": "Hi", "bytes": [72, 105], "logprob": -0.1, "top_logprobs": []}
    part = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": [entry]}
    message = message_from_response(response({**SAID, "content": [part]}))
    assert message.response_metadata["logprobs"] == {"content": [entry]}


def test_a_reply_survives_the_round_trip() -> None:
    """Reasoning with its encrypted content, built-in tools, citations and calls are sent back."""
    message = message_from_response(response(REASONING, SEARCH, SAID, CALL))
    assert input_items([message], {}) == [REASONING, SEARCH, SAID, CALL]


def test_a_reply_that_was_changed_is_sent_as_it_is_now() -> None:
    """Text and calls are the message's own, whatever the items were; new calls follow."""
    message = message_from_response(response(REASONING, SAID, CALL))
    message.content = "Changed."
    message.tool_calls = [{"name": "now", "args": {}, "id": "c2"}]
    items = input_items([message], {})
    assert [item["type"] for item in items] == ["reasoning", "message", "function_call"]
    assert items[1]["content"][0]["text"] == "Changed."
    assert items[2]["call_id"] == "c2"


def test_reasoning_that_the_server_cannot_know_is_left_out() -> None:
    """With store=False, reasoning without encrypted content is left out, as the API rejects it."""
    unknown = {**REASONING, "encrypted_content": None}
    message = message_from_response(response(unknown, SAID))
    kinds = [item["type"] for item in responses_body([message], {"store": False})["input"]]
    assert kinds == ["message"]
    assert [item["type"] for item in responses_body([message], {})["input"]] == [
        "reasoning",
        "message",
    ]


def test_a_refusal_is_an_error_and_can_be_sent_back() -> None:
    """The model's words are kept in the error's partial reply, in the API's form."""
    part = {"type": "refusal", "refusal": "I can't."}
    with pytest.raises(ContentFilterError, match=r"I can't\.") as raised:
        replies_in_response(json.dumps(response({**SAID, "content": [part]})).encode())
    assert raised.value.partial is not None
    assert input_items([raised.value.partial], {})[0]["content"] == [part]


@pytest.mark.parametrize(
    ("reason", "finish"), [("max_output_tokens", "length"), ("max_messages", "max_messages")]
)
def test_a_reply_that_was_cut_says_so(reason: str, finish: str) -> None:
    """`incomplete` becomes chat completions' finish reason, and cut calls are invalid."""
    cut = {**CALL, "arguments": '{"city": "Pa'}
    message = message_from_response(
        response(cut, status="incomplete", incomplete_details={"reason": reason})
    )
    assert message.response_metadata["finish_reason"] == finish
    assert message.invalid_tool_calls[0]["args"] == '{"city": "Pa'


@pytest.mark.parametrize(
    ("payload", "error", "match"),
    [
        (response(status="failed"), ServerError, "did not say why"),
        (
            response(status="failed", error={"code": "rate_limit_exceeded", "message": "Slow."}),
            RateLimitError,
            "Slow",
        ),
        (
            response(status="failed", error={"code": "invalid_image", "message": "No image."}),
            BadRequestError,
            "No image",
        ),
        ({"object": "list"}, MalformedReplyError, "base_url"),
        (response({"content": []}), MalformedReplyError, "base_url"),
        (
            response(SAID, status="incomplete", incomplete_details={"reason": "content_filter"}),
            ContentFilterError,
            "filter",
        ),
    ],
)
def test_what_is_no_reply_is_an_error(
    payload: dict[str, Any], error: type[Exception], match: str
) -> None:
    """Failures, filters and strange payloads are the errors that the other wire raises."""
    with pytest.raises(error, match=match):
        replies_in_response(json.dumps(payload).encode())
