"""Blocks, headers and parameters of requests, each exactly as it is sent."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from chatnb.chat_models.anthropic.blocks import call_id, content_blocks, result_blocks
from chatnb.chat_models.anthropic.replies import message_from_anthropic
from chatnb.chat_models.anthropic.requests import request_body, request_headers
from chatnb.errors import UnsupportedContentError
from chatnb.schema import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from chatnb.schema.messages import FunctionMessage

PNG, TXT = base64.b64encode(b"\x89PNG").decode(), base64.b64encode("é".encode()).decode()
CACHED = {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("part", "blocks"),
    [
        ("Hi", [{"type": "text", "text": "Hi"}]),
        ("", []),
        ({"type": "text", "text": ""}, []),
        (
            {"type": "text", "text": "Hi", "cache_control": CACHED},
            [{"type": "text", "text": "Hi", "cache_control": CACHED}],
        ),
        (
            {"type": "text", "text": "Hi", "citations": [{"a": 1, "b": None}, "x"], "c": None},
            [{"type": "text", "text": "Hi", "citations": [{"a": 1}, "x"]}],
        ),
        (
            {"type": "text", "text": "Hi", "id": "t1", "index": 0},
            [{"type": "text", "text": "Hi"}],
        ),
        (
            {"type": "image", "source": {"type": "file", "file_id": "f"}, "index": 3},
            [{"type": "image", "source": {"type": "file", "file_id": "f"}}],
        ),
        (
            {"type": "image", "base64": PNG, "mime_type": "image/png"},
            [
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                }
            ],
        ),
        (
            {"type": "image", "url": "https://e.test/a.png"},
            [{"type": "image", "source": {"type": "url", "url": "https://e.test/a.png"}}],
        ),
        (
            {"type": "image", "url": "http://e.test/a.png"},
            [{"type": "image", "source": {"type": "url", "url": "http://e.test/a.png"}}],
        ),
        (
            {"type": "image", "file_id": "f1"},
            [{"type": "image", "source": {"type": "file", "file_id": "f1"}}],
        ),
        (
            {"type": "file", "base64": PNG, "mime_type": "image/png"},
            [
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                }
            ],
        ),
        (
            {"type": "file", "base64": PNG, "mime_type": "application/pdf", "filename": "a.pdf"},
            [
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": PNG},
                    "title": "a.pdf",
                }
            ],
        ),
        (
            {"type": "file", "base64": TXT, "mime_type": "text/plain"},
            [
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "é"},
                }
            ],
        ),
        (
            {"type": "text-plain", "text": "Hm", "extras": {"context": "c", "citations": {}}},
            [
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "Hm"},
                    "context": "c",
                }
            ],
        ),
        (
            {"type": "web_fetch_tool_result", "tool_use_id": "s", "index": 1, "x": None},
            [{"type": "web_fetch_tool_result", "tool_use_id": "s"}],
        ),
        ({"type": "reasoning", "reasoning": "Hm."}, []),
        (
            {"type": "reasoning", "reasoning": "Hm.", "extras": {"signature": "s"}},
            [{"type": "thinking", "thinking": "Hm.", "signature": "s"}],
        ),
        ({"type": "refusal", "refusal": "No."}, []),
        ({"type": "input_json_delta", "partial_json": "{"}, []),
    ],
)
def test_a_part_is_sent_as_anthropic_s_block(part: Any, blocks: list[Any]) -> None:
    """Its own blocks as they are, but for what only replies have; files as documents."""
    assert content_blocks(part if isinstance(part, str) else [part]) == blocks


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"type": "image", "url": "data:image/svg+xml,<svg>"}, "not as 'data:image/svg"),
        ({"type": "image", "url": "ftp://e.test/a.png"}, "image by the URL 'ftp://e.test/a.png'"),
        ({"type": "image", "base64": PNG}, "Anthropic's models take no image"),
        ({"type": "audio", "base64": PNG, "mime_type": "audio/wav"}, "take no audio"),
        ({"type": "video", "url": "https://e.test/a"}, "take no video"),
        ({"type": "file", "base64": PNG, "mime_type": "application/zip"}, "take no "),
    ],
)
def test_a_part_that_the_api_rejects_is_not_sent(part: Any, problem: str) -> None:
    """The error names the kind of content."""
    with pytest.raises(UnsupportedContentError, match=problem):
        content_blocks([part])


@pytest.mark.parametrize(
    ("message", "blocks"),
    [
        (
            ToolMessage("4", tool_call_id="c1"),
            [{"type": "tool_result", "tool_use_id": "c1", "content": "4"}],
        ),
        (
            ToolMessage("No.", tool_call_id="c.1", status="error"),
            [
                {
                    "type": "tool_result",
                    "tool_use_id": call_id("c.1"),
                    "content": "No.",
                    "is_error": True,
                }
            ],
        ),
        (
            ToolMessage(
                [
                    {"type": "text", "text": "a", "cache_control": {"n": 1}},
                    {"type": "text", "text": "b", "cache_control": {"n": 2}},
                ],
                tool_call_id="c1",
            ),
            [
                {
                    "type": "tool_result",
                    "tool_use_id": "c1",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                    "cache_control": {"n": 2},
                }
            ],
        ),
        (
            ToolMessage(
                ["x", {"type": "tool_result", "tool_use_id": "c:1", "content": "4"}],
                tool_call_id="c1",
            ),
            [{"type": "tool_result", "tool_use_id": call_id("c:1"), "content": "4"}],
        ),
    ],
)
def test_a_result_is_one_block_of_its_call(message: ToolMessage, blocks: list[Any]) -> None:
    """Or those that it has already; a breakpoint of the cache is the result's."""
    assert result_blocks(message) == blocks


def test_ids_of_calls_have_no_characters_that_are_rejected() -> None:
    """And stay apart; what is none stays none."""
    assert [call_id(id) for id in ("toolu_1-A", "", None)] == ["toolu_1-A", "", None]
    odd = [call_id(id) for id in ("call.1", "call:1")]
    assert odd[0] != odd[1]
    assert all(id and id.startswith("call_1_") and len(id) == 15 for id in odd)


def test_messages_of_one_role_are_one_turn() -> None:
    """Roles of any name make turns; system messages are apart, as text if they all are."""
    messages = [
        SystemMessage("a"),
        HumanMessage("b"),
        ChatMessage("c", role="human"),
        ToolMessage("d", tool_call_id="c1"),
        ChatMessage("e", role="ai"),
        ChatMessage("f", role="developer"),
        AIMessage(""),
        AIMessage("g"),
        ChatMessage("h", role="user"),
    ]
    body = request_body(messages, {"model": "m", "top_k": None})
    assert (body["system"], body["model"], "top_k" in body) == ("a\n\nf", "m", False)
    turns = [(turn["role"], len(turn["content"])) for turn in body["messages"]]
    assert turns == [("user", 3), ("assistant", 2), ("user", 1)]
    block = {"type": "text", "text": "z", "cache_control": CACHED}
    body = request_body([*messages, SystemMessage([block])], {})
    assert body["system"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "f"},
        block,
    ]
    assert "system" not in request_body([SystemMessage(""), HumanMessage("b")], {})


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (ChatMessage("a", role="critic"), "no role for a ChatMessage of the role 'critic'"),
        (FunctionMessage("a", name="f"), "no role for a FunctionMessage$"),
    ],
)
def test_a_role_that_anthropic_has_not_is_named(message: Any, problem: str) -> None:
    """Of messages that name one."""
    with pytest.raises(ValueError, match=problem):
        request_body([message], {})


FUNCTION = {"name": "f", "description": "d", "strict": True, "parameters": {"type": "object"}}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}}}


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({"stop": ["a"]}, {"stop_sequences": ["a"]}),
        ({"stop": [], "tools": []}, {}),
        (
            {"tools": [{"type": "function", "function": FUNCTION, "cache_control": CACHED}]},
            {
                "tools": [
                    {
                        "name": "f",
                        "description": "d",
                        "strict": True,
                        "input_schema": {"type": "object"},
                        "cache_control": CACHED,
                    }
                ]
            },
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]},
        ),
        ({"tools": [{"type": "bash_20250124", "name": "b"}]}, None),
        (
            {"tools": [{"type": "x"}], "parallel_tool_calls": False},
            {
                "tools": [{"type": "x"}],
                "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            },
        ),
        ({"tools": [{"type": "x"}], "parallel_tool_calls": True}, {"tools": [{"type": "x"}]}),
        ({"parallel_tool_calls": False}, {}),
        ({"tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
        (
            {"tool_choice": "none", "parallel_tool_calls": False},
            {"tool_choice": {"type": "none"}},
        ),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tool_choice": {"type": "tool", "name": "f"}},
        ),
        (
            {"tool_choice": {"type": "tool", "name": "f"}, "parallel_tool_calls": False},
            {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        ),
        ({"effort": "low"}, {"output_config": {"effort": "low"}}),
        (
            {"effort": "low", "output_config": {"x": 1}, "response_format": JSON_SCHEMA},
            {
                "output_config": {
                    "x": 1,
                    "effort": "low",
                    "format": {"type": "json_schema", "schema": {"a": 1}},
                }
            },
        ),
        (
            {"response_format": {"type": "json_schema", "schema": {"a": 1}}},
            {"output_config": {"format": {"type": "json_schema", "schema": {"a": 1}}}},
        ),
    ],
)
def test_parameters_of_openai_are_written_as_anthropic_s(
    given: dict[str, Any], written: dict[str, Any] | None
) -> None:
    """Tools, choices, stops and formats; what has Anthropic's form stays as it is."""
    expected = given if written is None else written
    assert request_body([], dict(given)) == {"messages": [], **expected}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"tool_choice": "f"}, "one of auto, none, required, any, not 'f'"),
        ({"response_format": {"type": "json_object"}}, "of the type 'json_object'.*a json_schema"),
    ],
)
def test_parameters_that_anthropic_has_not_say_which_it_has(
    given: dict[str, Any], problem: str
) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=problem):
        request_body([], given)


@pytest.mark.parametrize(
    ("params", "headers"),
    [
        ({}, {}),
        ({"betas": ["a", "b"]}, {"anthropic-beta": "a,b"}),
        ({"betas": [], "workspace_id": None}, {}),
        ({"workspace_id": "w"}, {"anthropic-workspace-id": "w"}),
        ({"user_profile_id": "u"}, {"anthropic-user-profile-id": "u"}),
        ({"top_k": 3}, {"anthropic-version": "2023-06-01"}),
        ({"temperature": 0.0}, {"anthropic-version": "2023-06-01"}),
        ({"top_p": 1}, {"anthropic-version": "2023-06-01"}),
    ],
)
def test_some_parameters_are_headers(params: dict[str, Any], headers: dict[str, str]) -> None:
    """And sampling needs the version of the API that has it."""
    assert request_headers(params) == headers


@pytest.mark.parametrize(
    ("input", "args", "invalid"),
    [
        ({"a": 1}, {"a": 1}, None),
        ('{"a": 1}', {"a": 1}, None),
        (None, {}, None),
        ({}, {}, None),
        ("", {}, None),
        ([1], None, "[1]"),
        (7, None, "7"),
        ('{"a"', None, '{"a"'),
    ],
)
def test_arguments_of_calls_are_objects(input: Any, args: Any, invalid: str | None) -> None:
    """As JSON or as text with it; others are kept as what the model wrote."""
    block = {"type": "tool_use", "id": "c", "name": "f", "input": input}
    payload = {"content": [{"type": "text", "text": None}, block], "stop_reason": "tool_use"}
    message = message_from_anthropic(payload)
    assert [call["args"] for call in message.tool_calls] == ([] if args is None else [args])
    assert [call["args"] for call in message.invalid_tool_calls] == [invalid] * (args is None)
    assert message.content == ""
