"""Variants of OpenAI's protocol: fields of requests and replies that providers have elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatnb.chat_models.compatible import body_for, parse_reply
from chatnb.chat_models.providers import Provider
from chatnb.errors import BadRequestError, MalformedReplyError
from chatnb.schema import AIMessage, HumanMessage
from chatnb.schema.tool_calls import tool_call


def variant(**fields: Any) -> Provider:
    defaults = {"name": "p", "docs": "", "base_url": "", "usage": "on_request", "reasoning": "none"}
    return Provider(**{**defaults, **fields})


USAGE = {"prompt_tokens": 1}
CALLS = [
    {"id": "a", "extra_content": {"x": 1}},
    {"id": "b"},
    {"extra_content": {"x": 2}},
]
THOUGHTS = [
    {"type": "thinking", "thinking": [{"text": "Let "}, {"text": "me "}]},
    {"type": "text", "text": "4"},
    {"type": "thinking", "thinking": [{"text": "see."}]},
    {"type": "text", "text": "2"},
]


@pytest.mark.parametrize(
    ("fields", "payload", "read"),
    [
        ({}, {"x_groq": {"usage": USAGE}}, {"x_groq": {"usage": USAGE}}),
        (
            {"usage": "x_groq"},
            {"x_groq": {"usage": USAGE}},
            {"x_groq": {"usage": USAGE}, "usage": USAGE},
        ),
        ({"usage": "x_groq"}, {}, {"usage": None}),
        ({"usage": "x_groq"}, {"usage": USAGE, "x_groq": {}}, {"usage": USAGE, "x_groq": {}}),
        (
            {"usage": "choice"},
            {"choices": [{"usage": USAGE, "delta": {}}]},
            {"choices": [{"usage": USAGE, "delta": {}}], "usage": USAGE},
        ),
        ({"usage": "choice"}, {"choices": None}, {"choices": None}),
        (
            {"reasoning": "thinking parts"},
            {"choices": [{"message": {"content": THOUGHTS}}]},
            {"choices": [{"message": {"content": "42", "reasoning_content": "Let me see."}}]},
        ),
        (
            {"reasoning": "thinking parts"},
            {"choices": [{"delta": {"content": "42"}}]},
            {"choices": [{"delta": {"content": "42"}}]},
        ),
        (
            {"reasoning": "thinking parts"},
            {"choices": [{"delta": {"content": [{"type": "image_url"}, THOUGHTS[1]]}}]},
            {
                "choices": [
                    {
                        "delta": {
                            "content": [{"type": "image_url"}, THOUGHTS[1]],
                            "reasoning_content": "",
                        }
                    }
                ]
            },
        ),
        (
            {"sent_back": "extra_content"},
            {"choices": [{"delta": {"tool_calls": CALLS}}]},
            {"choices": [{"delta": {"tool_calls": CALLS, "extra_content": {"a": {"x": 1}}}}]},
        ),
        (
            {"kept": ("citations", "images")},
            {"choices": [{"delta": {"content": "a"}}], "citations": ["u"]},
            {"choices": [{"delta": {"content": "a"}}], "citations": ["u"]},
        ),
        (
            {"kept": ("citations", "images")},
            {"choices": [{"delta": {}, "finish_reason": "stop"}], "citations": ["u"], "images": []},
            {
                "choices": [{"delta": {"citations": ["u"]}, "finish_reason": "stop"}],
                "citations": ["u"],
                "images": [],
            },
        ),
        (
            {"kept": ("citations",)},
            {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "citations": [1]},
            {
                "choices": [
                    {"message": {"content": "a", "citations": [1]}, "finish_reason": "stop"}
                ],
                "citations": [1],
            },
        ),
    ],
)
def test_fields_of_a_reply_are_moved_to_openai_s(
    fields: dict[str, Any], payload: Any, read: Any
) -> None:
    """Token counts, reasoning, signatures and sources, where the provider has them elsewhere."""
    assert parse_reply(variant(**fields), json.dumps(payload).encode()) == read


@pytest.mark.parametrize(
    ("fields", "payload"),
    [
        ({}, {"choices": 3}),
        ({"usage": "x_groq"}, {"x_groq": [1]}),
        ({"reasoning": "thinking parts"}, {"choices": [{"delta": {"content": [{}]}}]}),
        ({"sent_back": "extra_content"}, {"choices": [{"delta": {"tool_calls": [3]}}]}),
    ],
)
def test_fields_of_other_types_are_a_malformed_reply(fields: dict[str, Any], payload: Any) -> None:
    """The error shows the payload."""
    with pytest.raises(MalformedReplyError, match=r"x_groq|choices"):
        parse_reply(variant(**fields), json.dumps(payload).encode())


CALLED = AIMessage(
    "Hi",
    tool_calls=[tool_call(name="f", args={}, id=id) for id in ("a", "b")],
    additional_kwargs={"reasoning_content": "Hm.", "extra_content": {"a": {"x": 1}}},
)


@pytest.mark.parametrize(
    ("sent_back", "sent"),
    [
        (None, [None, None, None]),
        ("reasoning_content", ["Hm.", None, None]),
        ("extra_content", [None, {"x": 1}, None]),
    ],
)
def test_what_the_next_request_repeats_is_the_provider_s(sent_back: Any, sent: list[Any]) -> None:
    """Reasoning, or the signature of each call; of replies alone that have some."""
    messages = [HumanMessage("?"), AIMessage("Hello"), CALLED]
    body = body_for(variant(sent_back=sent_back), messages, {"model": "m"})
    plain, called = body["messages"][1:3]
    assert "reasoning_content" not in plain
    extras = [call.get("extra_content") for call in called["tool_calls"]]
    assert [called.get("reasoning_content"), *extras] == sent


def test_parameters_are_renamed_or_refused() -> None:
    """Those that are None are not given."""
    row = variant(renamed={"max_tokens": "limit"}, rejected=("seed", "logprobs", "n"))
    given = {"model": "m", "max_tokens": 3, "top_p": None, "seed": None}
    body = body_for(row, [HumanMessage("Hi")], given)
    assert (body["limit"], body.get("max_tokens"), "seed" in body) == (3, None, False)
    with pytest.raises(BadRequestError) as raised:
        body_for(row, [HumanMessage("Hi")], {**given, "n": 2, "seed": 1})
    assert str(raised.value) == "p takes no seed, n. Leave it out."
