from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from chatnb.chat_models.anthropic.requests import request_body, request_headers
from chatnb.schema import (
    AIMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    file_part,
    image_part,
)
from chatnb.schema.tool_calls import invalid_tool_call

CACHED = {"cache_control": {"type": "ephemeral"}}
PNG = b"\x89PNG\r\n\x1a\n"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "add", "description": "Adds.", "parameters": SCHEMA},
}


def written(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def test_system_messages_go_before_the_conversation() -> None:
    """At any place, they are one `system`, and not among the messages."""
    messages = [SystemMessage("Be brief."), HumanMessage("Hi"), SystemMessage("Be kind.")]
    assert request_body(messages, {}) == {
        "system": "Be brief.\n\nBe kind.",
        "messages": [{"role": "user", "content": [written("Hi")]}],
    }
    developer = ChatMessage("Be brief.", role="developer")
    assert request_body([developer], {})["system"] == "Be brief."
    assert "system" not in request_body([SystemMessage(""), HumanMessage("Hi")], {})


def test_cache_control_stays_on_the_parts_it_is_given_to() -> None:
    """On parts of the system prompt, on text, on images and on tools."""
    image = {**image_part("https://example.org/a.png"), **CACHED}
    messages = [
        SystemMessage([{**written("A long text."), **CACHED}]),
        SystemMessage("Be brief."),
        HumanMessage([{**written("Hi"), **CACHED}, image]),
    ]
    body = request_body(messages, {"tools": [{**TOOL, **CACHED}]})
    assert body["system"] == [{**written("A long text."), **CACHED}, written("Be brief.")]
    assert [part["cache_control"] for part in body["messages"][0]["content"]] == [
        {"type": "ephemeral"}
    ] * 2
    assert body["tools"] == [
        {"name": "add", "description": "Adds.", "input_schema": SCHEMA, **CACHED}
    ]


def test_messages_of_one_role_in_a_row_are_one() -> None:
    """Users and models alternate; empty text, which the API refuses, is left out."""
    messages = [
        HumanMessage("One."),
        HumanMessage(["Two.", ""]),
        AIMessage(""),
        ChatMessage("Three.", role="user"),
        AIMessage("Four."),
    ]
    assert request_body(messages, {})["messages"] == [
        {"role": "user", "content": [written("One."), written("Two."), written("Three.")]},
        {"role": "assistant", "content": [written("Four.")]},
    ]


def test_calls_and_their_results_are_blocks() -> None:
    """Results of one round share a message with what the user adds, and tell failures."""
    calls = [{"name": "add", "args": {"a": n}, "id": f"c{n}"} for n in (1, 2)]
    image = image_part(PNG)
    messages = [
        HumanMessage("Add."),
        AIMessage("Well.", tool_calls=calls),  # type: ignore[arg-type]
        ToolMessage("3", tool_call_id="c1"),
        ToolMessage([written("No."), image], tool_call_id="c2", status="error"),
        HumanMessage("So?"),
    ]
    source = {
        "type": "base64",
        "media_type": "image/png",
        "data": base64.b64encode(PNG).decode(),
    }
    assert request_body(messages, {})["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                written("Well."),
                {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
                {"type": "tool_use", "id": "c2", "name": "add", "input": {"a": 2}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "3"},
                {
                    "type": "tool_result",
                    "tool_use_id": "c2",
                    "content": [written("No."), {"type": "image", "source": source}],
                    "is_error": True,
                },
                written("So?"),
            ],
        },
    ]


def test_results_in_anthropic_s_form_stay_results() -> None:
    """A result's block is not wrapped again; a breakpoint of the cache stands on the result."""
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "3"}
    cached = ToolMessage([written("A"), {**written("B"), **CACHED}], tool_call_id="c2")
    messages = [ToolMessage([result], tool_call_id="c1"), cached]
    assert request_body(messages, {})["messages"][0]["content"] == [
        result,
        {
            "type": "tool_result",
            "tool_use_id": "c2",
            "content": [written("A"), written("B")],
            **CACHED,
        },
    ]


def test_ids_of_calls_of_other_providers_are_made_valid() -> None:
    """A call and its result keep the same id, and different ids stay different."""
    ids = ["functions.add:0", "functions_add:0", "call_1"]
    calls = [{"name": "add", "args": {}, "id": id} for id in ids]
    reply = AIMessage("", tool_calls=calls)  # type: ignore[arg-type]
    results = [ToolMessage("3", tool_call_id=id) for id in ids]
    called, answered = request_body([reply, *results], {})["messages"]
    sent = [block["id"] for block in called["content"]]
    assert sent == [block["tool_use_id"] for block in answered["content"]]
    assert len(set(sent)) == 3
    assert sent[2] == "call_1"
    assert all(re.fullmatch("[a-zA-Z0-9_-]+", id) for id in sent)


def test_a_call_that_was_broken_goes_back_as_the_model_wrote_it() -> None:
    """So that its answer, an error, refers to something."""
    broken = invalid_tool_call(name="add", args='{"a": ', id="c1")
    nameless = invalid_tool_call(args="{", id="c2")
    body = request_body([AIMessage("", invalid_tool_calls=[broken, nameless])], {})
    assert body["messages"][0]["content"] == [
        {"type": "tool_use", "id": "c1", "name": "add", "input": {"invalid_json": '{"a": '}}
    ]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "image_url", "image_url": "https://example.org/a.png"},
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        ),
        (
            file_part(b"%PDF-1.7", filename="a.pdf"),
            {
                "type": "document",
                "source": {
                    "type": "base64",
                    "media_type": "application/pdf",
                    "data": base64.b64encode(b"%PDF-1.7").decode(),
                },
                "title": "a.pdf",
            },
        ),
        (
            file_part("file-1"),
            {"type": "document", "source": {"type": "file", "file_id": "file-1"}},
        ),
        (
            {"type": "image", "source": {"type": "file", "file_id": "f"}},
            {"type": "image", "source": {"type": "file", "file_id": "f"}},
        ),
        ({"type": "search_result", "title": "t"}, {"type": "search_result", "title": "t"}),
    ],
)
def test_parts_are_written_as_blocks(part: dict[str, Any], block: dict[str, Any]) -> None:
    """OpenAI's pictures and files become Anthropic's; Anthropic's own stay as they are."""
    assert request_body([HumanMessage([part])], {})["messages"][0]["content"] == [block]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (FunctionMessage("4", name="add"), "no role for a FunctionMessage"),
        (ChatMessage("Hm.", role="critic"), "no role for a ChatMessage of the role 'critic'"),
        (HumanMessage([{"type": "input_audio", "input_audio": {}}]), "take no audio"),
        (HumanMessage([image_part("data:image/png,%89PNG")]), "base64, not as 'data:image/png,"),
        (HumanMessage([{"type": "image", "url": "gs://a/b.png"}]), "image by the URL 'gs://"),
    ],
)
def test_what_has_no_place_is_refused(message: Any, said: str) -> None:
    """Before anything is sent, and in words."""
    with pytest.raises(ValueError, match=said):
        request_body([message], {})


def test_tools_are_written_in_anthropic_s_form() -> None:
    """Functions are converted, with their strictness; built-in tools stay as they are."""
    strict = {"type": "function", "function": {"name": "now", "strict": True}}
    search = {"type": "web_search_20250305", "name": "web_search"}
    own = {"name": "mine", "input_schema": SCHEMA}
    assert request_body([], {"tools": [strict, search, own]})["tools"] == [
        {"name": "now", "strict": True, "input_schema": {"type": "object", "properties": {}}},
        search,
        own,
    ]


@pytest.mark.parametrize(
    ("params", "choice"),
    [
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "add"}}},
            {"type": "tool", "name": "add"},
        ),
        ({"tool_choice": {"type": "tool", "name": "add"}}, {"type": "tool", "name": "add"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
        ({"parallel_tool_calls": True}, None),
    ],
)
def test_the_choice_of_tools_is_converted(
    params: dict[str, Any], choice: dict[str, Any] | None
) -> None:
    """Every canonical choice has its like; one call at a time is a part of the choice."""
    body = request_body([], {"tools": [TOOL], **params})
    assert body.get("tool_choice") == choice
    assert "parallel_tool_calls" not in body
    with pytest.raises(ValueError, match="one of auto, none, required"):
        request_body([], {"tools": [TOOL], "tool_choice": "maybe"})


def test_a_schema_for_the_reply_is_an_output_config() -> None:
    """json_schema is converted beside what is there; json_object, which there is not, refused."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}
    body = request_body([], {"response_format": form, "output_config": {"effort": "low"}})
    assert body["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": SCHEMA},
    }
    with pytest.raises(ValueError, match="'json_object': give it a json_schema"):
        request_body([], {"response_format": {"type": "json_object"}})


def test_other_parameters_pass_and_unset_ones_do_not() -> None:
    """By Anthropic's names; only `stop` has another."""
    thinking = {"type": "adaptive"}
    body = request_body([], {"thinking": thinking, "top_k": None, "stop": ["!"], "speed": "fast"})
    assert body == {
        "messages": [],
        "thinking": thinking,
        "speed": "fast",
        "stop_sequences": ["!"],
    }


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_sampling_is_asked_for_in_the_version_that_has_it(name: str) -> None:
    """The newest version refuses it whatever its value; without it nothing is said."""
    assert request_headers({name: 0}) == {"anthropic-version": "2023-06-01"}
    assert request_headers({"thinking": {}}) == {}
