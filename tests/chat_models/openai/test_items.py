"""Items and parts of requests to OpenAI's APIs, each exactly as it is sent."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chatnb.chat_models.openai.custom_tools import write_custom_tools
from chatnb.chat_models.openai.response_blocks import items_in
from chatnb.chat_models.openai.response_items import reply_text, sent_items
from chatnb.chat_models.openai.response_parts import input_content
from chatnb.chat_models.openai.responses import input_items, responses_body
from chatnb.errors import BadRequestError, UnsupportedContentError
from chatnb.schema import AIMessage, HumanMessage, ToolMessage
from chatnb.schema.content.reply_blocks import OUTPUT_ITEMS
from chatnb.schema.tool_calls import CUSTOM_INPUT, invalid_tool_call, tool_call

PNG, TXT = base64.b64encode(b"\x89PNG").decode(), base64.b64encode("é".encode()).decode()
IMAGE_URL = f"data:image/png;base64,{PNG}"


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ("Hi", "Hi"),
        (["Hi"], [{"type": "input_text", "text": "Hi"}]),
        ([{"type": "text", "text": ""}], [{"type": "input_text", "text": ""}]),
        ([{"type": "input_text", "text": "x"}], [{"type": "input_text", "text": "x"}]),
        (
            [{"type": "image", "url": "https://e.test/a.png"}],
            [{"type": "input_image", "image_url": "https://e.test/a.png", "detail": "auto"}],
        ),
        (
            [{"type": "image_url", "image_url": {"url": IMAGE_URL, "detail": "low"}}],
            [{"type": "input_image", "image_url": IMAGE_URL, "detail": "low"}],
        ),
        (
            [{"type": "image", "file_id": "f1"}],
            [{"type": "input_image", "file_id": "f1", "detail": "auto"}],
        ),
        (
            [{"type": "file", "base64": PNG, "mime_type": "image/png"}],
            [{"type": "input_image", "image_url": IMAGE_URL, "detail": "auto"}],
        ),
        (
            [{"type": "file", "file": {"file_id": "f1"}}],
            [{"type": "input_file", "file_id": "f1"}],
        ),
        ([{"type": "file", "file_id": "f1"}], [{"type": "input_file", "file_id": "f1"}]),
        (
            [{"type": "file", "url": "https://e.test/a.pdf"}],
            [{"type": "input_file", "file_url": "https://e.test/a.pdf"}],
        ),
        (
            [
                {
                    "type": "file",
                    "base64": TXT,
                    "mime_type": "application/pdf",
                    "filename": "a.pdf",
                }
            ],
            [
                {
                    "type": "input_file",
                    "filename": "a.pdf",
                    "file_data": f"data:application/pdf;base64,{TXT}",
                }
            ],
        ),
    ],
)
def test_content_is_sent_as_input_parts(content: Any, written: Any) -> None:
    """Text, pictures and files, by whichever of their addresses they have."""
    assert input_content(content) == written


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"type": "image", "base64": PNG}, "The Responses API takes no image"),
        ({"type": "audio", "base64": PNG, "mime_type": "audio/wav"}, "takes no audio"),
        ({"type": "video", "url": "https://e.test/a"}, "takes no video"),
        ({"type": "file", "base64": PNG}, "The Responses API takes no "),
    ],
)
def test_content_that_the_api_has_not_is_refused(part: Any, problem: str) -> None:
    """The error names its kind."""
    with pytest.raises(UnsupportedContentError, match=problem):
        input_content([part])


def message(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", **fields, "content": [*parts]}


def said(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


@pytest.mark.parametrize(
    ("parts", "items"),
    [
        (["a", {"type": "text", "text": "b"}], [message(said("a"), said("b"))]),
        ([{"type": "text", "text": ""}], []),
        (
            [
                {"type": "text", "text": "a", "id": "m1"},
                {"type": "text", "text": "b", "id": "m1"},
                {"type": "text", "text": "c", "id": "m2"},
                {"type": "text", "text": "d", "id": "m2", "phase": "commentary"},
                {"type": "text", "text": "e", "id": "lc_1"},
            ],
            [
                message(said("a"), said("b"), id="m1"),
                message(said("c"), id="m2"),
                message(said("d"), id="m2", phase="commentary"),
                message(said("e")),
            ],
        ),
        (
            [
                {"type": "reasoning", "reasoning": "a", "id": "r1"},
                {"type": "reasoning", "reasoning": "b", "id": "r1"},
                {"type": "reasoning", "id": "r2", "extras": {"encrypted_content": "x"}},
                {"type": "reasoning", "reasoning": "c"},
            ],
            [
                {
                    "type": "reasoning",
                    "id": "r1",
                    "summary": [
                        {"type": "summary_text", "text": "a"},
                        {"type": "summary_text", "text": "b"},
                    ],
                },
                {"type": "reasoning", "id": "r2", "summary": [], "encrypted_content": "x"},
            ],
        ),
        (
            [
                {"type": "tool_call", "id": "c1", "name": "f", "args": {}},
                {
                    "type": "tool_call",
                    "id": "c2",
                    "name": "f",
                    "args": {},
                    "extras": {"item_id": "fc_2", "namespace": "n"},
                },
            ],
            [
                {"type": "function_call", "call_id": "c1"},
                {"type": "function_call", "call_id": "c2", "id": "fc_2", "namespace": "n"},
            ],
        ),
        (
            [{"type": "refusal", "refusal": "No.", "id": "m1"}],
            [message({"type": "refusal", "refusal": "No."}, id="m1")],
        ),
        (
            [{"type": "image", "id": "ig_1", "base64": PNG}],
            [{"type": "image_generation_call", "id": "ig_1", "result": PNG}],
        ),
        (
            [{"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}],
            [{"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}],
        ),
        (
            [{"type": "reasoning", "summary": [], "id": "r1"}],
            [{"type": "reasoning", "summary": [], "id": "r1"}],
        ),
        (
            [{"type": "file_search_call", "id": "fs_1", "queries": ["q"]}],
            [{"type": "file_search_call", "id": "fs_1", "queries": ["q"]}],
        ),
    ],
)
def test_parts_of_a_reply_are_items(parts: Any, items: Any) -> None:
    """Those of one message, or one thought, are one item; foreign ids are left out."""
    assert items_in(parts) == items


CALL = tool_call(name="f", args={"a": "é"}, id="c1")
ITEM = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f"}


@pytest.mark.parametrize(
    ("kept", "calls", "items"),
    [
        ([{**ITEM, "arguments": '{"a":"é"}'}], [CALL], [{**ITEM, "arguments": '{"a":"é"}'}]),
        ([{**ITEM, "arguments": '{"a":1}'}], [CALL], [{**ITEM, "arguments": '{"a": "é"}'}]),
        ([{**ITEM, "arguments": "{"}], [CALL], [{**ITEM, "arguments": '{"a": "é"}'}]),
        (
            [{**ITEM, "name": "g", "arguments": '{"a":"é"}'}],
            [CALL],
            [{**ITEM, "arguments": '{"a": "é"}'}],
        ),
        ([{**ITEM, "arguments": "{}"}], [], []),
        (
            [],
            [CALL],
            [{"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": "é"}'}],
        ),
        (
            [{**ITEM, "arguments": "{"}],
            [invalid_tool_call(name="f", args="{", id="c1")],
            [{**ITEM, "arguments": "{"}],
        ),
        (
            [],
            [invalid_tool_call(name=None, args=None, id="c1")],
            [{"type": "function_call", "call_id": "c1", "name": "", "arguments": "{}"}],
        ),
    ],
)
def test_calls_are_sent_as_they_came_unless_they_were_changed(
    kept: Any, calls: list[Any], items: Any
) -> None:
    """By their names and by what their arguments mean, not by how these are written."""
    fields = {"tool_calls": [call for call in calls if "error" not in call]}
    invalid = [call for call in calls if "error" in call]
    reply = AIMessage("", **fields, invalid_tool_calls=invalid)
    reply.additional_kwargs = {OUTPUT_ITEMS: kept} if kept else {}
    assert sent_items(reply) == items


def test_texts_of_a_reply_are_those_of_its_messages() -> None:
    """Of one phase or all; empty ones leave no gap."""
    items = [
        message(said("a"), said("b"), phase="commentary"),
        {"type": "reasoning", "summary": []},
        message(phase="final"),
        message({"type": "refusal", "refusal": "No."}, said("c")),
        {"type": "message"},
    ]
    assert reply_text(items) == "ab\n\nc"
    assert reply_text(items, "commentary") == "ab"
    assert reply_text(items, "other") == ""


@pytest.mark.parametrize(
    ("result", "item"),
    [
        (
            ToolMessage("4", tool_call_id="c1"),
            {"type": "function_call_output", "call_id": "c1", "output": "4"},
        ),
        (
            ToolMessage(["4"], tool_call_id="c1"),
            {
                "type": "function_call_output",
                "call_id": "c1",
                "output": [{"type": "input_text", "text": "4"}],
            },
        ),
        (
            ToolMessage("4", tool_call_id="c9"),
            {"type": "custom_tool_call_output", "call_id": "c9", "output": "4"},
        ),
        (
            ToolMessage(
                IMAGE_URL,
                tool_call_id="c1",
                additional_kwargs={
                    "type": "computer_call_output",
                    "acknowledged_safety_checks": [1],
                },
            ),
            {
                "type": "computer_call_output",
                "call_id": "c1",
                "output": {"type": "input_image", "image_url": IMAGE_URL},
                "acknowledged_safety_checks": [1],
            },
        ),
        (
            ToolMessage(
                [{"type": "image", "url": "https://e.test/a"}],
                tool_call_id="c1",
                additional_kwargs={"type": "computer_call_output"},
            ),
            {
                "type": "computer_call_output",
                "call_id": "c1",
                "output": {
                    "type": "input_image",
                    "image_url": "https://e.test/a",
                    "detail": "auto",
                },
            },
        ),
        (
            ToolMessage([{"type": "local_shell_call_output", "output": "x"}], tool_call_id="c1"),
            {"type": "local_shell_call_output", "call_id": "c1", "output": "x"},
        ),
    ],
)
def test_a_result_is_the_item_of_its_kind_of_call(result: ToolMessage, item: Any) -> None:
    """A function's, a custom tool's, a computer's, or one that its content is already."""
    calls = [tool_call(name=name, args={}, id=id) for name, id in (("f", "c1"), ("g", "c9"))]
    tools = {"tools": [{"type": "custom", "custom": {"name": "g"}}]}
    sent = input_items([AIMessage("", tool_calls=calls), result], tools)
    assert sent[-1] == item


def test_items_within_a_users_message_come_before_it() -> None:
    """Approvals of calls are items of their own; without other content there is no message."""
    approval = {"type": "mcp_approval_response", "approval_request_id": "r", "approve": True}
    text = {"type": "text", "text": "Go."}
    assert input_items([HumanMessage([text, approval])], {}) == [
        approval,
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go."}]},
    ]
    assert input_items([HumanMessage([approval])], {}) == [approval]
    assert input_items([HumanMessage([])], {}) == [
        {"type": "message", "role": "user", "content": []}
    ]


@pytest.mark.parametrize(
    ("given", "problem"),
    [({"n": 2}, "n"), ({"seed": 1, "n": 2}, "seed, n"), ({"stop": None, "n": 1}, "")],
)
def test_parameters_that_the_api_has_not_are_named(given: dict[str, Any], problem: str) -> None:
    """All at once, with what to do; one candidate is what it gives."""
    if not problem:
        assert responses_body([], given)["input"] == []
        return
    with pytest.raises(BadRequestError) as raised:
        responses_body([], given)
    assert str(raised.value) == (
        f"The Responses API has no {problem}. Leave it out, or ask without use_responses_api=True."
    )


def call_of(name: str, arguments: Any, id: str = "c") -> dict[str, Any]:
    return {"type": "function", "id": id, "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("arguments", "input"),
    [
        (json.dumps({CUSTOM_INPUT: "x = 1"}), "x = 1"),
        ("not json", "not json"),
        ('{"other": 1}', '{"other": 1}'),
        ("[1]", "[1]"),
    ],
)
def test_calls_of_custom_tools_have_text(arguments: str, input: str) -> None:
    """A call without such a text is sent as it is; other calls stay calls of functions."""
    other, custom = call_of("f", "{}"), call_of("g", arguments)
    choice = {"type": "custom", "name": "g"}
    body: dict[str, Any] = {
        "tools": [{"type": "function", "function": {"name": "f"}}, choice],
        "tool_choice": choice,
        "messages": [{"role": "user"}, {"role": "assistant", "tool_calls": [other, custom]}],
    }
    write_custom_tools(body)
    written = {"type": "custom", "custom": {"name": "g"}}
    assert body["tools"][1] == body["tool_choice"] == written
    assert body["messages"] == [
        {"role": "user"},
        {
            "role": "assistant",
            "tool_calls": [
                other,
                {"type": "custom", "id": "c", "custom": {"name": "g", "input": input}},
            ],
        },
    ]
