"""The tokens of messages, with all that they hold."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chatnb.chat_models import ScriptedChatModel
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from chatnb.schema.content import audio_part, file_part, image_part
from chatnb.schema.token_counts import count_tokens_approximately
from chatnb.schema.trimming import trim_messages
from chatnb.tools import to_openai_tool

PNG = b"\x89PNG\r\n\x1a\n" + bytes(4_000_000)
DATA = base64.b64encode(PNG).decode()
URL = f"data:image/png;base64,{DATA}"
Counter = Callable[[Sequence[BaseMessage]], int]
COUNTERS: dict[str, Counter] = {
    "model": lambda messages: ScriptedChatModel(["Hi"]).get_num_tokens_from_messages(
        list(messages)
    ),
    "approximate": count_tokens_approximately,
}
each_counter = pytest.mark.parametrize("count", COUNTERS.values(), ids=COUNTERS)

IMAGES: dict[str, dict[str, Any]] = {
    "chat completions": image_part(PNG),
    "responses": {"type": "input_image", "image_url": URL},
    "anthropic": {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": DATA},
    },
    "standard v0": {
        "type": "image",
        "source_type": "base64",
        "mime_type": "image/png",
        "data": DATA,
    },
    "standard v1": {"type": "image", "mime_type": "image/png", "base64": DATA},
    "url": {"type": "image", "url": "https://example.org/a.png"},
    "id": {"type": "image", "file_id": "file-1"},
}


@each_counter
@pytest.mark.parametrize("part", IMAGES.values(), ids=IMAGES)
def test_an_image_counts_in_every_form(count: Counter, part: dict[str, Any]) -> None:
    """An image takes hundreds of tokens, however large its data and whatever holds it."""
    for message in (HumanMessage([part]), ToolMessage([part], tool_call_id="c1")):
        assert 500 < count([message]) < 2_000


@each_counter
def test_files_and_audio_count_by_their_size(count: Counter) -> None:
    """A longer file takes more tokens; one that is only named takes some."""
    text = {"type": "file", "mime_type": "text/plain", "base64": base64.b64encode(b"a" * 400)}
    sizes = [
        count([HumanMessage([part])])
        for part in (
            {**text, "base64": base64.b64encode(b"a" * 400).decode()},
            file_part("file-1"),
            file_part(b"%PDF-" + b"/Type /Page " * 40),
            file_part(b"%PDF-" + b"/Type /Pages /Type /Page" * 100),
        )
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < 110
    short, long = (audio_part(b"RIFF....WAVE" + bytes(n)) for n in (100_000, 2_000_000))
    assert 10 < count([HumanMessage([short])]) < count([HumanMessage([long])])


@each_counter
def test_tool_calls_and_their_results_count(count: Counter) -> None:
    """Long arguments count as long texts do, valid or not, in fields or in the content."""
    args = {"query": "word " * 400}
    call: Any = {"name": "search", "args": args, "id": "c1"}
    broken: Any = {**call, "args": str(args)}
    used = {"type": "tool_use", "id": "c1", "name": "search", "input": args}
    for message in (
        AIMessage("", tool_calls=[call]),
        AIMessage("", invalid_tool_calls=[broken]),
        AIMessage([used]),
        AIMessage([used], tool_calls=[call]),
        ToolMessage("word " * 400, tool_call_id="c1"),
        HumanMessage([{"type": "tool_result", "tool_use_id": "c1", "content": "word " * 400}]),
    ):
        assert 480 < count([message]) < 560, message


@each_counter
def test_text_counts_the_same_in_every_form(count: Counter) -> None:
    """A text is as long in parts as in one string."""
    text = "word " * 100
    parts = [text, {"type": "text", "text": text}]
    assert count([HumanMessage(parts)]) == count([HumanMessage(text + text)])


def test_trimming_counts_them_too() -> None:
    """A conversation with an image is cut where its tokens do not fit."""
    talk = [HumanMessage([image_part(PNG)]), AIMessage("A cat."), HumanMessage("Sure?")]
    for counter in ("approximate", ScriptedChatModel(["Hi"])):
        kept = trim_messages(talk, max_tokens=100, token_counter=counter)  # type: ignore[arg-type]
        assert kept == talk[1:]


def test_tools_count_as_the_text_that_declares_them() -> None:
    """Tools add a token for four characters of their declarations, whatever their form."""

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    messages = [HumanMessage("Hi")]
    extra = count_tokens_approximately(messages, tools=[add]) - count_tokens_approximately(messages)
    assert extra == -(-len(json.dumps(to_openai_tool(add))) // 4)
    both = count_tokens_approximately(messages, tools=[to_openai_tool(add), to_openai_tool(len_)])
    assert both > count_tokens_approximately(messages) + extra


def len_(text: str) -> int:
    """Return a length."""
    return len(text)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def file_of(type: str, data: bytes) -> dict[str, Any]:
    return {"type": "file", "mime_type": type, "base64": encoded(data)}


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("a" * 4, 1),
        ("a" * 5, 2),
        (["a" * 4, {"type": "text", "text": "a" * 4}, "a"], 3),
        ([{"type": "image", "url": "https://example.org/a.png"}], 765),
        ([{"type": "image_url", "image_url": {"url": URL, "detail": "high"}}], 765),
        ([{"type": "image_url", "image_url": {"url": URL, "detail": "low"}}], 85),
        ([{"type": "audio", "mime_type": "audio/wav", "base64": encoded(bytes(160_000))}], 100),
        ([{"type": "audio", "mime_type": "audio/wav", "base64": encoded(b"a")}], 1),
        ([{"type": "audio", "mime_type": "audio/wav", "url": "https://example.org/a.wav"}], 600),
        ([{"type": "video", "mime_type": "video/mp4", "base64": encoded(bytes(500_000))}], 520),
        ([{"type": "video", "mime_type": "video/mp4", "base64": "?"}], 15_600),
        ([{"type": "text-plain", "mime_type": "text/plain", "text": "a" * 9}], 3),
        ([file_of("text/plain", b"a" * 9)], 3),
        ([file_of("application/pdf", b"%PDF-")], 1_500),
        ([file_of("application/pdf", b"%PDF-/Type /Page /Type/Page/Type /Pages")], 3_000),
        ([file_of("application/pdf", bytes(99_999))], 1_500),
        ([file_of("application/pdf", bytes(150_000))], 4_500),
        ([{"type": "file", "file_id": "file-1", "mime_type": "application/pdf"}], 1_500),
        ([{"type": "reasoning", "reasoning": "a" * 400}], 0),
        ([{"type": "mine", "a": "é"}], 16),
    ],
    ids=lambda value: f"{value!r:.60}",
)
def test_each_part_has_its_estimate(content: Any, tokens: int) -> None:
    """Text counts by its length, media by seconds and pages, and every message three more."""
    assert count_tokens_approximately([AIMessage(content)]) == 3 + tokens
    assert count_tokens_approximately([AIMessageChunk(content)] * 2) == 2 * (3 + tokens)


def test_names_and_calls_count_as_text() -> None:
    """The name of a speaker, and the names and arguments of calls, are a part of the text."""
    call: Any = {"name": "abcd", "args": {"é": 1}, "id": "c1"}  # Of 4 and 8 characters.
    broken: Any = {"name": None, "args": "{" * 4, "id": "c2", "error": "No."}
    unsaid: Any = {**broken, "args": None}
    for message, tokens in (
        (HumanMessage("a" * 4, name="b" * 4), 2),
        (AIMessage("a" * 4, tool_calls=[call]), 4),
        (AIMessage("a" * 4, tool_calls=[call], invalid_tool_calls=[broken]), 5),
        (AIMessage(["a" * 4], tool_calls=[call], name="b" * 4), 5),
        (AIMessage("a" * 4, invalid_tool_calls=[unsaid]), 2),
    ):
        assert count_tokens_approximately([message]) == 3 + tokens, message
