"""Content parts in every form, on every wire: each form of one thing is written the same."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnb.chat_models import BaseChatModel, ChatOpenAI, init_chat_model
from chatnb.chat_models.anthropic.requests import request_body as anthropic_body
from chatnb.chat_models.openai.completions import request_body
from chatnb.chat_models.openai.responses import responses_body
from chatnb.errors import BadRequestError, UnsupportedContentError
from chatnb.schema import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    ToolMessage,
    convert_to_openai_messages,
)
from tests.chat_models.contract.providers import PROVIDERS, Provider
from tests.support.examples import examples
from tests.support.loopback import LoopbackServer

Part = dict[str, Any]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


PNG, PDF, WAV = b64(b"\x89PNG\r\n\x1a\nrest"), b64(b"%PDF-1.7"), b64(b"RIFF....WAVE")
PNG_URL, PDF_URL = f"data:image/png;base64,{PNG}", f"data:application/pdf;base64,{PDF}"
WEB = "https://example.org/a"


def v0(type_: str, source: str, **fields: Any) -> Part:
    return {"type": type_, "source_type": source, **fields}


def anthropic(type_: str, **source: Any) -> Part:
    return {"type": type_, "source": source}


# Each thing: its forms, its standard block, and how the three wires write it; None: not at all.
THINGS: dict[str, tuple[Any, ...]] = {
    "image by data": (
        [
            {"type": "image_url", "image_url": {"url": PNG_URL}},
            {"type": "image_url", "image_url": PNG_URL},
            {"type": "input_image", "image_url": PNG_URL},
            v0("image", "base64", data=PNG, mime_type="image/png"),
            {"type": "image", "base64": PNG, "mime_type": "image/png"},
            {"type": "image", "base64": PNG},
            {"type": "image", "url": PNG_URL},
            anthropic("image", type="base64", media_type="image/png", data=PNG),
            {"type": "media", "mime_type": "image/png", "data": PNG},
            {"type": "media", "mime_type": "image/png", "data": base64.b64decode(PNG)},
            {"type": "file", "base64": PNG, "mime_type": "image/png"},
        ],
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": PNG_URL}},
        {"type": "input_image", "image_url": PNG_URL, "detail": "auto"},
        anthropic("image", type="base64", media_type="image/png", data=PNG),
    ),
    "image by URL": (
        [
            {"type": "image_url", "image_url": {"url": WEB}},
            {"type": "image_url", "image_url": WEB},
            v0("image", "url", url=WEB),
            {"type": "image", "url": WEB},
            anthropic("image", type="url", url=WEB),
        ],
        {"type": "image", "url": WEB},
        {"type": "image_url", "image_url": {"url": WEB}},
        {"type": "input_image", "image_url": WEB, "detail": "auto"},
        anthropic("image", type="url", url=WEB),
    ),
    "image by id": (
        [
            {"type": "input_image", "file_id": "f1"},
            v0("image", "id", id="f1"),
            {"type": "image", "file_id": "f1"},
            anthropic("image", type="file", file_id="f1"),
        ],
        {"type": "image", "file_id": "f1"},
        None,
        {"type": "input_image", "file_id": "f1", "detail": "auto"},
        anthropic("image", type="file", file_id="f1"),
    ),
    "file by data": (
        [
            {"type": "file", "file": {"file_data": PDF_URL, "filename": "a.pdf"}},
            {"type": "input_file", "file_data": PDF_URL, "filename": "a.pdf"},
            v0("file", "base64", data=PDF, mime_type="application/pdf", filename="a.pdf"),
            v0("file", "base64", data=PDF, mime_type="application/pdf", metadata={"name": "a.pdf"}),
            {"type": "file", "base64": PDF, "mime_type": "application/pdf", "filename": "a.pdf"},
            {"type": "file", "base64": PDF, "extras": {"filename": "a.pdf"}},
            {
                **anthropic("document", type="base64", media_type="application/pdf", data=PDF),
                "title": "a.pdf",
            },
        ],
        {"type": "file", "base64": PDF, "mime_type": "application/pdf"},
        {"type": "file", "file": {"file_data": PDF_URL, "filename": "a.pdf"}},
        {"type": "input_file", "file_data": PDF_URL, "filename": "a.pdf"},
        {
            **anthropic("document", type="base64", media_type="application/pdf", data=PDF),
            "title": "a.pdf",
        },
    ),
    "file by URL": (
        [
            {"type": "input_file", "file_url": WEB},
            v0("file", "url", url=WEB),
            {"type": "file", "url": WEB},
            anthropic("document", type="url", url=WEB),
        ],
        {"type": "file", "url": WEB},
        None,
        {"type": "input_file", "file_url": WEB},
        anthropic("document", type="url", url=WEB),
    ),
    "file by id": (
        [
            {"type": "file", "file": {"file_id": "f1"}},
            {"type": "input_file", "file_id": "f1"},
            v0("file", "id", id="f1"),
            {"type": "file", "file_id": "f1"},
            anthropic("document", type="file", file_id="f1"),
        ],
        {"type": "file", "file_id": "f1"},
        {"type": "file", "file": {"file_id": "f1"}},
        {"type": "input_file", "file_id": "f1"},
        anthropic("document", type="file", file_id="f1"),
    ),
    "audio by data": (
        [
            {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
            v0("audio", "base64", data=WAV, mime_type="audio/wav"),
            {"type": "audio", "base64": WAV, "mime_type": "audio/wav"},
            {"type": "audio", "base64": WAV},
            {"type": "audio", "url": f"data:audio/wav;base64,{WAV}"},
            {"type": "media", "mime_type": "audio/wav", "data": WAV},
        ],
        {"type": "audio", "base64": WAV, "mime_type": "audio/wav"},
        {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
        None,
        None,
    ),
    "audio by URL": ([{"type": "audio", "url": WEB}], {"type": "audio", "url": WEB}, *[None] * 3),
    "video": (
        [
            {"type": "video", "url": WEB},
            v0("video", "url", url=WEB),
            {"type": "video_url", "video_url": {"url": WEB}},
            {"type": "media", "mime_type": "video/mp4", "file_uri": WEB},
        ],
        {"type": "video", "url": WEB},
        *[None] * 3,
    ),
    "plain text": (
        [
            {"type": "text-plain", "text": "Hi.", "title": "T", "mime_type": "text/plain"},
            {
                **anthropic("document", type="text", media_type="text/plain", data="Hi."),
                "title": "T",
            },
            v0("file", "text", text="Hi.", title="T"),
        ],
        {"type": "text-plain", "text": "Hi.", "mime_type": "text/plain", "title": "T"},
        {"type": "text", "text": "T\n\nHi."},
        {"type": "input_text", "text": "T\n\nHi."},
        {**anthropic("document", type="text", media_type="text/plain", data="Hi."), "title": "T"},
    ),
    "text": (
        [
            {"type": "text", "text": "Hi."},
            {"type": "input_text", "text": "Hi."},
            {"type": "output_text", "text": "Hi.", "annotations": []},
            {"type": "text", "text": "Hi.", "index": 0, "annotations": [{"type": "citation"}]},
            {"type": "non_standard", "value": {"type": "text", "text": "Hi."}},
        ],
        {"type": "text", "text": "Hi."},
        {"type": "text", "text": "Hi."},
        {"type": "input_text", "text": "Hi."},
        {"type": "text", "text": "Hi."},
    ),
}
FORMS = [
    pytest.param(name, form, id=f"{name} {n}")
    for name, (forms, *_) in THINGS.items()
    for n, form in enumerate(forms)
]
WIRES: list[Callable[[Sequence[BaseMessage]], Any]] = [
    lambda messages: request_body(messages, {})["messages"],
    lambda messages: responses_body(messages, {})["input"],
    lambda messages: anthropic_body(messages, {})["messages"],
]
EXTRAS = ("extras", "annotations", "index")


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_a_part_is_written_for_every_wire(name: str, form: Part) -> None:
    """A part of any form is written; one that a provider cannot take is refused by its name."""
    for wire, written in zip(WIRES, THINGS[name][2:], strict=True):
        if written is not None:
            assert wire([HumanMessage([form])])[0]["content"] == [written]
        elif form["type"] != "video_url" or wire is not WIRES[0]:
            with pytest.raises(UnsupportedContentError, match=f"take.* no {name.split()[0]}"):
                wire([HumanMessage([form])])


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_content_blocks_are_langchains(name: str, form: Part) -> None:
    """A part is read as the standard block, with what else it has as extras."""
    (block,) = HumanMessage([form]).content_blocks
    if form["type"] == "file" and name == "image by data":
        assert block == form
    else:
        assert THINGS[name][1].items() <= block.items()


def test_options_of_parts_are_kept() -> None:
    """Details, names of files, cache control and citations, beside the fields or in extras."""
    cached = {"cache_control": {"type": "ephemeral"}}
    for image in (
        {"type": "image", "url": WEB, "extras": {"detail": "low", **cached}},
        {"type": "image", "url": WEB, "detail": "low", **cached},
        {"type": "image_url", "image_url": {"url": WEB, "detail": "low"}, **cached},
    ):
        chat, response, block = (wire([HumanMessage([image])])[0]["content"][0] for wire in WIRES)
        assert chat == {"type": "image_url", "image_url": {"url": WEB, "detail": "low"}, **cached}
        assert (response["detail"], response["cache_control"]) == ("low", cached["cache_control"])
        assert block == {**anthropic("image", type="url", url=WEB), **cached}
    unnamed = {"type": "file", "base64": PDF, "mime_type": "application/pdf"}
    assert WIRES[0]([HumanMessage([unnamed])])[0]["content"][0]["file"]["filename"] == "file.pdf"
    text = {"type": "file", "base64": b64(b"Hi."), "mime_type": "text/plain", "filename": "a.txt"}
    assert WIRES[2]([HumanMessage([{**text, "citations": {"enabled": True}}])])[0]["content"] == [
        {
            **anthropic("document", type="text", media_type="text/plain", data="Hi."),
            "title": "a.txt",
            "citations": {"enabled": True},
        }
    ]


@pytest.mark.parametrize(
    ("part", "wires"),
    [
        ({"type": "file", "base64": "AA==", "mime_type": "application/msword"}, [2]),
        ({"type": "container_upload", "file_id": "f"}, [0, 1]),
        ({"type": "image", "base64": "AA=="}, [0, 1, 2]),
        ({"type": "image"}, [0, 1, 2]),
        ({"type": "document", "source": {"type": "content", "content": [{}]}}, [0, 1]),
    ],
)
def test_a_part_that_no_provider_reads_is_refused(part: Part, wires: list[int]) -> None:
    """The error is a request's error and a ValueError, and names the part."""
    for wire in wires:
        with pytest.raises(UnsupportedContentError, match=str(part["type"])) as raised:
            WIRES[wire]([HumanMessage(["Look:", part])])
        assert isinstance(raised.value, BadRequestError | ValueError)


CALL = {"name": "add", "args": {"a": 1}, "id": "c1"}
CALL_FORMS: list[Part] = [
    {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
    {"type": "tool_call", **CALL},
    {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a": 1}'},
]
THOUGHT_FORMS: list[Part] = [
    {"type": "thinking", "thinking": "Hm.", "signature": "s"},
    {"type": "reasoning", "reasoning": "Hm.", "extras": {"signature": "s"}},
]
OTHERS: list[Part] = [
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
    {"type": "web_search_call", "id": "ws_1", "action": {"query": "q", "sources": []}},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
    {"type": "server_tool_call", "id": "fs_1", "name": "file_search", "args": {"queries": ["q"]}},
    {"type": "text", "text": "A", "citations": [{"type": "page_location", "cited_text": "c"}]},
    {"type": "tool_result", "tool_use_id": "c1", "content": "3"},
    {"type": "search_result", "title": "T", "content": [{"type": "text", "text": "A"}]},
    {"type": "non_standard", "value": {"type": "refusal", "refusal": "No."}},
]


ODD = st.sampled_from([None, 0, True, "", "x", [], [1], [None], {}, {"a": 1}, {"type": "text"}])
ANY_FORM = st.sampled_from([form for forms, *_ in THINGS.values() for form in forms])


@st.composite
def broken_parts(draw: st.DrawFn) -> Part:
    """A known part in which some fields, or fields within them, are missing or of other types."""
    part = copy.deepcopy(draw(ANY_FORM | st.sampled_from([*CALL_FORMS, *THOUGHT_FORMS, *OTHERS])))
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from([name for name in part if name != "type"] or ["extras"]))
        fields = [part, part[name]] if isinstance(part.get(name), dict) else [part]
        inner = draw(st.sampled_from(fields))
        key = name if inner is part else draw(st.sampled_from([*inner, "type"]))
        if draw(st.booleans()):
            inner[key] = copy.deepcopy(draw(ODD))
        else:
            inner.pop(key, None)
    return part


@settings(max_examples=examples(200), deadline=None, database=None, derandomize=True)
@given(broken_parts(), st.sampled_from([HumanMessage, AIMessage]))
def test_a_broken_part_is_read_as_it_is_or_refused(part: Part, message: type[BaseMessage]) -> None:
    """Blocks with any fields stay blocks, and a request is written or refused in words."""
    assert all(isinstance(block["type"], str) for block in message([part]).content_blocks)
    for wire in WIRES:
        with contextlib.suppress(UnsupportedContentError):
            wire([message([part])])


def test_unknown_parts_go_to_the_provider() -> None:
    """It may know more than chatnb does."""
    new = {"type": "hologram", "depth": 3}
    for wire in WIRES:
        assert wire([HumanMessage([new])])[0]["content"] == [new]
        assert wire([HumanMessage([{"type": "non_standard", "value": new}])])[0]["content"] == [new]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("form", CALL_FORMS, ids=lambda form: form["type"])
@pytest.mark.parametrize("thought", THOUGHT_FORMS, ids=lambda form: form["type"])
def test_a_reply_in_parts_is_sent_back(*, form: Part, thought: Part, listed: bool) -> None:
    """A call is sent once, also if the message does not list it; reasoning where it is known."""
    content = [thought, {"type": "text", "text": "Well."}, form]
    reply = AIMessage(content, tool_calls=[CALL] if listed else [])  # type: ignore[list-item]
    history = [reply, ToolMessage("3", tool_call_id="c1")]
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert WIRES[0](history)[0] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "Well."}],
        "tool_calls": [{"type": "function", "id": "c1", "function": function}],
    }
    said, called, result = WIRES[1](history)
    assert (said["type"], said["content"][0]["text"]) == ("message", "Well.")
    assert (called["type"], called["call_id"], called["arguments"]) == (
        *("function_call", "c1", '{"a": 1}'),
    )
    assert result["type"] == "function_call_output"
    assert WIRES[2](history)[0]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "text", "text": "Well."},
        CALL_FORMS[0],
    ]
    thought_block, text, call = reply.content_blocks
    assert (thought_block["type"], thought_block["reasoning"]) == ("reasoning", "Hm.")
    assert thought_block["extras"] == {"signature": "s"}
    assert (text["text"], {name: call[name] for name in CALL}) == ("Well.", CALL)


def test_reasoning_of_others_is_not_sent() -> None:
    """Without its signature, or its id of the Responses API, reasoning stays here."""
    parts = [
        {"type": "reasoning", "reasoning": "Hm."},
        {"type": "thinking", "thinking": "Hm."},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "reasoning_content", "reasoning_content": "Hm."},
        {"type": "server_tool_call", "id": "srvtoolu_1", "name": "web_search", "args": {}},
        "Yes.",
    ]
    texts = [wire([AIMessage(list(parts))])[0]["content"] for wire in WIRES]
    assert texts[0] == [{"type": "text", "text": "Yes."}]
    assert texts[1] == [{"type": "output_text", "text": "Yes.", "annotations": []}]
    assert texts[2] == [
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "Yes."},
    ]
    own = {
        "type": "reasoning",
        "id": "rs_1",
        "reasoning": "Hm.",
        "extras": {"encrypted_content": "e"},
    }
    summary = [{"type": "summary_text", "text": "Hm."}]
    item = {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "e"}
    assert WIRES[1]([AIMessage([own])]) == WIRES[1]([AIMessage([item])]) == [item]
    assert responses_body([AIMessage([{**own, "extras": {}}])], {"store": False})["input"] == []


def test_messages_of_the_responses_api_in_parts_keep_ids_and_phases() -> None:
    """As LangChain keeps them: a text with its id and phase, parts of one message together."""
    content: list[Any] = [
        {"type": "text", "text": "I look.", "id": "msg_1", "phase": "commentary"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "text", "text": "A", "id": "msg_2", "phase": "final_answer"},
        {"type": "text", "text": "B", "id": "msg_2", "phase": "final_answer"},
    ]
    first, search, last = WIRES[1]([AIMessage(content)])
    assert (first["id"], first["phase"], search) == ("msg_1", "commentary", content[1])
    assert (last["id"], last["phase"], len(last["content"])) == ("msg_2", "final_answer", 2)


def test_standard_blocks_of_a_reply_become_items() -> None:
    """Citations, ids, namespaces, results of built-in tools, and items of unknown types."""
    note = {"type": "citation", "title": "a.pdf", "extras": {"file_id": "f1", "index": 1}}
    content: list[Any] = [
        {"type": "reasoning", "id": "rs_1", "reasoning": "A"},
        {"type": "reasoning", "id": "rs_1", "reasoning": "B"},
        {**CALL_FORMS[1], "extras": {"item_id": "fc_1", "namespace": "crm"}},
        {"type": "text", "text": "Yes.", "annotations": [{"type": "citation", "url": WEB}, note]},
        {
            "type": "server_tool_call",
            "id": "fs_1",
            "name": "file_search",
            "args": {"queries": ["q"]},
        },
        {"type": "server_tool_result", "tool_call_id": "fs_1", "status": "success", "output": [1]},
        {"type": "refusal", "refusal": "No.", "id": "msg_1"},
        {"type": "image", "base64": PNG, "id": "ig_1"},
        {"type": "non_standard", "value": {"type": "new_item", "id": "n"}},
        {"type": "text", "id": "msg_2"},
    ]
    thoughts, call, said, search, refusal, image, new = WIRES[1]([AIMessage(content)])
    assert [part["text"] for part in thoughts["summary"]] == ["A", "B"]
    assert (call["id"], call["namespace"], call["call_id"]) == ("fc_1", "crm", "c1")
    assert said["content"][0]["annotations"] == [
        {"type": "url_citation", "url": WEB},
        {"type": "file_citation", "filename": "a.pdf", "file_id": "f1", "index": 1},
    ]
    assert search == {
        "type": "file_search_call",
        "id": "fs_1",
        "queries": ["q"],
        "results": [1],
        "status": "completed",
    }
    assert (refusal["id"], refusal["content"]) == ("msg_1", [{"type": "refusal", "refusal": "No."}])
    assert image == {"type": "image_generation_call", "id": "ig_1", "result": PNG}
    assert new == {"type": "new_item", "id": "n"}


def test_answers_to_calls_of_the_provider_are_items() -> None:
    """Approvals and outputs within a user's message, and outputs of computers and custom tools."""
    approval = {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True}
    patched = {"type": "apply_patch_call_output", "call_id": "c1", "output": "Done."}
    user = HumanMessage([approval, {"type": "text", "text": "Go on."}, patched])
    assert WIRES[1]([user]) == [
        approval,
        patched,
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Go on."}],
        },
    ]
    seen = ToolMessage(
        [{"type": "image", "base64": PNG}],
        tool_call_id="c1",
        additional_kwargs={"type": "computer_call_output", "acknowledged_safety_checks": []},
    )
    custom = {"type": "custom_tool_call_output", "output": "27"}
    assert WIRES[1]([seen, ToolMessage([custom], tool_call_id="c2")]) == [
        {
            "type": "computer_call_output",
            "call_id": "c1",
            "output": {"type": "input_image", "image_url": PNG_URL, "detail": "auto"},
            "acknowledged_safety_checks": [],
        },
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "27"},
    ]


def test_results_within_a_users_message_are_messages_of_tools() -> None:
    """Anthropic's form of a tool's result, for OpenAI's APIs."""
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "3", "is_error": True}
    history = [HumanMessage([result, {"type": "text", "text": "So?"}])]
    assert WIRES[0](history) == convert_to_openai_messages(history)
    assert [message["role"] for message in WIRES[0](history)] == ["tool", "user"]
    assert WIRES[1](history)[0] == {
        "type": "function_call_output",
        "call_id": "c1",
        "output": "3",
    }
    assert WIRES[2](history)[0]["content"][0] == result
    wrapped = ToolMessage([result], tool_call_id="c1")
    assert WIRES[0]([wrapped]) == [{"role": "tool", "content": "3", "tool_call_id": "c1"}]


def test_blocks_of_a_reply_have_all_that_came_with_it() -> None:
    """Reasoning, texts with citations, built-in tools, pictures, audio, and the current calls."""
    items = [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "q"}},
        {"type": "image_generation_call", "id": "ig_1", "result": PNG},
        {
            "type": "message",
            "phase": "final_answer",
            "content": [
                {"type": "output_text", "annotations": [{"type": "url_citation", "url": WEB}]}
            ],
        },
    ]
    reply = AIMessage("Yes.", additional_kwargs={"output_items": items}, tool_calls=[CALL])  # type: ignore[list-item]
    assert [block["type"] for block in reply.content_blocks] == [
        *("reasoning", "server_tool_call", "server_tool_result", "image", "text", "tool_call"),
    ]
    text = reply.content_blocks[4]
    assert text == {
        "type": "text",
        "text": "Yes.",
        "annotations": [{"type": "citation", "url": WEB}],
        "phase": "final_answer",
    }
    plain = AIMessage(
        "Yes.",
        additional_kwargs={
            "reasoning_content": "Hm.",
            "annotations": [{"type": "url_citation", "url_citation": {"url": WEB, "title": "T"}}],
            "images": [{"type": "image_url", "image_url": {"url": PNG_URL}}],
            "audio": {"id": "a", "data": WAV, "transcript": "Yes."},
        },
    )
    assert plain.content_blocks == [
        {"type": "reasoning", "reasoning": "Hm."},
        {
            "type": "text",
            "text": "Yes.",
            "annotations": [{"type": "citation", "url": WEB, "title": "T"}],
        },
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
        {
            "type": "audio",
            "base64": WAV,
            "mime_type": "audio/wav",
            "extras": {"transcript": "Yes."},
        },
    ]
    assert HumanMessage("Hi").content_blocks == [{"type": "text", "text": "Hi"}]


def test_media_are_refused_where_a_provider_takes_text_alone() -> None:
    """DeepSeek everywhere, and OpenAI outside of users' messages; other servers may take them."""
    image = {"type": "image", "url": WEB}
    result = ToolMessage([image], tool_call_id="c1")
    with pytest.raises(UnsupportedContentError, match="deepseek takes no image"):
        init_chat_model("deepseek:x", api_key="k").invoke([HumanMessage([image])])
    with pytest.raises(UnsupportedContentError, match="in a tool message no image"):
        ChatOpenAI("gpt-x", api_key="k").invoke([result])
    assert WIRES[0]([result])[0]["content"][0]["type"] == "image_url"


_NAMES = ("openai", "azure-responses", "anthropic", "gemini")
ONE_OF_EACH_WIRE = [provider for provider in PROVIDERS if provider.name in _NAMES]


def invoke(chat: BaseChatModel, input: Any) -> Any:
    return chat.invoke(input)


def astream(chat: BaseChatModel, input: Any) -> Any:
    async def collect() -> list[Any]:
        return [chunk async for chunk in chat.astream(input)]

    return asyncio.run(collect())


@pytest.mark.parametrize("provider", ONE_OF_EACH_WIRE, ids=lambda provider: provider.name)
@pytest.mark.parametrize("ask", [invoke, astream])
def test_a_standard_image_arrives_and_a_video_does_not(
    loopback: LoopbackServer, provider: Provider, ask: Callable[..., Any]
) -> None:
    """By every provider's model; what it cannot take is refused before the call."""
    loopback.plays(provider.wire.reply("Yes."))
    chat = provider.model(loopback.base_url)
    ask(chat, [HumanMessage(["Look:", {"type": "image", "base64": PNG}])])
    assert PNG in json.dumps(loopback.exchanges[0].body)
    with pytest.raises(UnsupportedContentError, match="video"):
        ask(chat, [HumanMessage([{"type": "video", "url": WEB}])])
    assert len(loopback.exchanges) == 1
