"""The parts of replies beside their text, over every wire that has some."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from chatnb.chat_models.anthropic.replies import message_from_anthropic
from chatnb.chat_models.openai.completions import messages_from_openai
from chatnb.chat_models.openai.completions_stream import CompletionDecoder
from chatnb.chat_models.openai.responses_replies import message_from_response
from chatnb.schema import AIMessage
from chatnb.schema.content.reply_parts import Media, Source, joined_parts, reply_parts
from chatnb.schema.messages import join_chunks
from tests.support.loopback import event
from tests.support.responses_events import SAID, SEARCH, response

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()
WAV = base64.b64encode(b"RIFF\0\0\0\0WAVEfmt ").decode()
PICTURE = Media("image", "image/png", PNG)
EXAMPLE = Source("Example", "https://example.org/a")


def responses(*items: dict[str, Any]) -> AIMessage:
    return message_from_response(response(*items))


def completions(**message: Any) -> AIMessage:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
    return messages_from_openai({"id": "c", "model": "m", "choices": [choice]})[0]


def anthropic(*blocks: dict[str, Any]) -> AIMessage:
    return message_from_anthropic(
        {"id": "m", "model": "c", "stop_reason": "end_turn", "content": list(blocks)}
    )


def cited(**note: Any) -> dict[str, Any]:
    return {**SAID, "content": [{"type": "output_text", "text": "Yes.", "annotations": [note]}]}


IMAGE_URL = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
MEDIA: dict[str, Callable[[], AIMessage]] = {
    "responses": lambda: responses(
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG}
    ),
    "drawn by code": lambda: responses(
        {
            "type": "code_interpreter_call",
            "id": "ci_1",
            "code": "plot()",
            "outputs": [{"type": "image", "url": f"data:image/png;base64,{PNG}"}],
        }
    ),
    "images of a message": lambda: completions(content="Here.", images=[IMAGE_URL]),
    "content of a message": lambda: AIMessage(["Here.", IMAGE_URL]),
}


@pytest.mark.parametrize("wire", MEDIA)
def test_pictures_are_found(wire: str) -> None:
    """A picture is found wherever a provider puts it."""
    assert reply_parts(MEDIA[wire]()).media == (PICTURE,)


def test_a_spoken_reply_has_sound_and_transcript() -> None:
    """The transcript is there in place of the text, which such a reply has not."""
    audio = {"id": "a", "data": WAV, "transcript": "Good morning.", "expires_at": 1}
    parts = reply_parts(completions(content=None, audio=audio))
    assert parts.media == (Media("audio", "audio/wav", WAV),)
    assert parts.transcript == "Good morning."
    assert reply_parts(completions(content="Text.", audio=audio)).transcript == ""


def test_streamed_samples_become_one_file() -> None:
    """Chunks of bare samples, each with its own padding, are joined into a WAV file."""
    samples = [b"\1\0\2\0", b"\3\0", b"\4\0\5\0"]
    deltas: list[dict[str, Any]] = [{"audio": {"id": "a", "transcript": "Hi "}}]
    deltas += [{"audio": {"data": base64.b64encode(some).decode()}} for some in samples]
    deltas += [{"audio": {"transcript": "there.", "expires_at": 1}}]
    choices = [{"index": 0, "delta": delta} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    wire = b"".join(event({"id": "c", "model": "m", "choices": [choice]}) for choice in choices)
    with closing(CompletionDecoder()) as decoder:
        decoder.begin("text/event-stream")
        chunks = [*decoder.decode(wire + event("[DONE]")), *decoder.end()]
    parts = reply_parts(join_chunks(chunks).to_message())
    (sound,) = parts.media
    wav = base64.b64decode(sound.data)
    assert wav.startswith(b"RIFF")
    assert wav.endswith(b"".join(samples))
    assert parts.transcript == "Hi there."


SOURCES: dict[str, Callable[[], AIMessage]] = {
    "responses": lambda: responses(
        cited(type="url_citation", url=EXAMPLE.url, title="Example", start_index=0, end_index=3)
    ),
    "completions": lambda: completions(
        content="Yes.",
        annotations=[
            {"type": "url_citation", "url_citation": {"url": EXAMPLE.url, "title": "Example"}}
        ],
    ),
    "search results": lambda: completions(
        content="Yes.",
        citations=[EXAMPLE.url],
        search_results=[{"title": "Example", "url": EXAMPLE.url, "date": "2026-01-01"}],
    ),
    "anthropic": lambda: anthropic(
        {
            "type": "text",
            "text": "Yes.",
            "citations": [
                {
                    "type": "web_search_result_location",
                    "url": EXAMPLE.url,
                    "title": "Example",
                    "cited_text": "Indeed",
                    "encrypted_index": "e",
                }
            ]
            * 2,
        }
    ),
}


@pytest.mark.parametrize("wire", SOURCES)
def test_sources_are_found_once(wire: str) -> None:
    """A page that is cited twice is one source, with its title."""
    parts = reply_parts(SOURCES[wire]())
    assert parts.sources == (EXAMPLE,)
    assert joined_parts([parts, parts]).sources == (EXAMPLE,)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "file:///etc", 7, None])
def test_only_web_addresses_are_links(url: object) -> None:
    """Any other address is dropped, and the title stays."""
    message = completions(content="Yes.", search_results=[{"title": "Example", "url": url}])
    assert reply_parts(message).sources == (Source("Example"),)


def test_documents_are_sources_without_an_address() -> None:
    """A cited file is named."""
    file = cited(type="file_citation", file_id="file-1", filename="report.pdf", index=3)
    assert reply_parts(responses(file)).sources == (Source("report.pdf"),)


CALLS: dict[str, tuple[Callable[[], AIMessage], str, dict[str, Any], str]] = {
    "web search": (
        lambda: responses(
            {
                **SEARCH,
                "action": {
                    **SEARCH["action"],
                    "sources": [{"type": "url", "url": EXAMPLE.url}],
                },
            }
        ),
        "web_search",
        {"query": "weather in Paris"},
        EXAMPLE.url,
    ),
    "file search": (
        lambda: responses(
            {
                "type": "file_search_call",
                "id": "fs_1",
                "status": "completed",
                "queries": ["sales"],
                "results": [{"filename": "a.pdf", "text": "Sales\nrose.", "score": 0.9}],
            }
        ),
        "file_search",
        {"queries": ["sales"]},
        "a.pdf · Sales rose.",
    ),
    "code interpreter": (
        lambda: responses(
            {
                "type": "code_interpreter_call",
                "id": "ci_1",
                "status": "completed",
                "code": "print(6 * 7)",
                "outputs": [{"type": "logs", "logs": "42\n"}],
            }
        ),
        "code_interpreter",
        {"code": "print(6 * 7)"},
        "42",
    ),
    "anthropic's web search": (
        lambda: anthropic(
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s1",
                "content": [
                    {
                        "type": "web_search_result",
                        "title": "Example",
                        "url": EXAMPLE.url,
                        "encrypted_content": "e",
                    }
                ],
            },
        ),
        "web_search",
        {"query": "x"},
        f"Example · {EXAMPLE.url}",
    ),
    "anthropic's code": (
        lambda: anthropic(
            {
                "type": "server_tool_use",
                "id": "s1",
                "name": "code_execution",
                "input": {"code": "1"},
            },
            {
                "type": "code_execution_tool_result",
                "tool_use_id": "s1",
                "content": {
                    "type": "code_execution_result",
                    "stdout": "1\n",
                    "stderr": "",
                    "return_code": 0,
                    "content": [],
                },
            },
        ),
        "code_interpreter",
        {"code": "1"},
        "1",
    ),
}


@pytest.mark.parametrize("wire", CALLS)
def test_calls_of_the_providers_tools_are_found_with_their_results(wire: str) -> None:
    """The arguments are those of the model, and the result is a text for people."""
    make, name, args, result = CALLS[wire]
    (call,) = reply_parts(make()).calls
    assert (call.name, call.args, call.result, call.failed) == (name, args, result, False)


def test_a_call_that_failed_says_so() -> None:
    """An error of the tool is its result."""
    failed = anthropic(
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s1",
            "content": {"type": "web_search_tool_result_error", "error_code": "too_many_requests"},
        },
    )
    (call,) = reply_parts(failed).calls
    assert call.failed
    assert call.result == "too_many_requests"


@pytest.mark.parametrize(
    "kwargs",
    [
        {"annotations": [{"type": "odd"}], "images": [{"type": "image_url"}]},
        {"audio": {"data": "no base64!", "transcript": None}},
        {"output_items": [{"type": "image_generation_call", "id": "ig", "result": None}]},
        {"output_items": [{"type": "code_interpreter_call", "id": "c", "outputs": [{"url": 1}]}]},
        {"citations": [None, 3, {"url": []}], "search_results": "none"},
    ],
)
def test_parts_in_no_known_form_are_left_out(kwargs: dict[str, Any]) -> None:
    """What a server sends otherwise is no reason to show no reply."""
    parts = reply_parts(AIMessage("Yes.", additional_kwargs=json.loads(json.dumps(kwargs))))
    assert not parts.sources
    assert all(not media.url for media in parts.media)
