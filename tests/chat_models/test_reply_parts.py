"""The parts of replies beside their text, over every wire that has some."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from chatnb.chat_models.anthropic.replies import message_from_anthropic
from chatnb.chat_models.anthropic.requests import request_body as anthropic_body
from chatnb.chat_models.openai.completions import messages_from_openai
from chatnb.chat_models.openai.completions import request_body as completions_body
from chatnb.chat_models.openai.completions_stream import CompletionDecoder
from chatnb.chat_models.openai.responses import responses_body
from chatnb.chat_models.openai.responses_replies import message_from_response
from chatnb.schema import AIMessage, BaseMessage, HumanMessage, count_tokens_approximately
from chatnb.schema.content.reply_parts import Media, Source, joined_parts, reply_parts
from chatnb.schema.messages import join_chunks
from chatnb.terminal import SafeText
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


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (
            "https://en.wikipedia.org/wiki/Moore's_law",
            "https://en.wikipedia.org/wiki/Moore%27s_law",
        ),
        ("HTTPS://example.org/a b", "HTTPS://example.org/a%20b"),
        ("https://example.org/\u202egpj.exe", "https://example.org/%E2%80%AEgpj.exe"),
        ("https://example.org/\ud800<b>`\\", "https://example.org/%EF%BF%BD%3Cb%3E%60%5C"),
        ("https://example.org/%20?q=ä&r[]=1", "https://example.org/%20?q=%C3%A4&r[]=1"),
        ("https://[half", ""),
        ("https:///no-host", ""),
        (f"https://example.org/{'x' * 5000}", ""),
    ],
)
def test_addresses_are_escaped_as_in_a_browsers_bar(url: str, address: str) -> None:
    """All characters of an address may come, and none of them ends the link or turns it around."""
    message = completions(content="Yes.", search_results=[{"title": "Example", "url": url}])
    assert reply_parts(message).sources == (Source("Example", address),)


@pytest.mark.parametrize(
    "title", ["a\u202eb", "a\x1b[31mb", "a\x00b", "a\ud83db", "a\u2066\u2069b"]
)
def test_titles_cannot_steer_what_shows_them(title: str) -> None:
    """A page chooses its title: control, bidi and half characters are replaced in it."""
    message = completions(content="Yes.", search_results=[{"title": title, "url": EXAMPLE.url}])
    (source,) = reply_parts(message).sources
    assert (source.title[0], source.title[-1]) == ("a", "b")
    assert "\ufffd" in source.title
    assert source.title == SafeText(source.title)
    source.title.encode()


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


def test_pictures_within_a_result_are_shown_and_not_written_out() -> None:
    """A result of MCP has its picture in Anthropic's form; the text of the result names it."""
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    content = [{"type": "text", "text": "Drawn."}, {"type": "image", "source": source}]
    parts = reply_parts(
        anthropic(
            {"type": "mcp_tool_use", "id": "m1", "name": "draw", "server_name": "s", "input": {}},
            {"type": "mcp_tool_result", "tool_use_id": "m1", "content": content},
        )
    )
    assert parts.media == (PICTURE,)
    assert parts.calls[0].result == "Drawn.\n[image]"


def test_the_error_of_a_remote_tool_is_its_result() -> None:
    """OpenAI gives the error in place of an output."""
    call = {"type": "mcp_call", "id": "m1", "name": "draw", "server_label": "s", "arguments": "{}"}
    (called,) = reply_parts(responses({**call, "error": "No such tool", "output": None})).calls
    assert (called.failed, called.result) == (True, "No such tool")


def test_results_of_any_depth_are_read() -> None:
    """A result within results within results is cut off, and no error."""
    results: Any = [{"text": "deep"}]
    for _ in range(400):
        results = [{"content": results}]
    call = {"type": "file_search_call", "id": "f1", "queries": ["x"], "results": results}
    (called,) = reply_parts(AIMessage("", additional_kwargs={"output_items": [call]})).calls
    assert called.result == "…"


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
        {"annotations": [{"type": ["odd"]}, "odd", 3]},
        {"annotations": {"url": "https://example.org"}},
        {"audio": {"data": "no base64!", "transcript": None}},
        {"audio": {"data": ["odd"], "transcript": ["odd"]}},
        {"audio": "odd"},
        {"output_items": [{"type": "image_generation_call", "id": "ig", "result": None}]},
        {"output_items": [{"type": "code_interpreter_call", "id": "c", "outputs": [{"url": 1}]}]},
        {"citations": [None, 3, {"url": []}], "search_results": "none"},
    ],
)
def test_parts_in_no_known_form_are_left_out(kwargs: dict[str, Any]) -> None:
    """A reply is shown, however odd the parts are that a server sends beside its text."""
    reply = AIMessage("Yes.", additional_kwargs=json.loads(json.dumps(kwargs)))
    assert {"Yes."} == {b["text"] for b in reply.content_blocks if b["type"] == "text"}
    parts = reply_parts(reply)
    assert not parts.sources
    assert all(not media.url for media in parts.media)


@pytest.mark.parametrize("images", [["odd"], "odd", [3], {"url": "odd"}])
def test_images_in_no_known_form_leave_the_reply(images: object) -> None:
    """The text of a reply is read whatever else its server adds to it."""
    assert completions(content="Yes.", images=images).text == "Yes."


BODIES: dict[str, Callable[[list[BaseMessage]], dict[str, Any]]] = {
    "completions": lambda messages: completions_body(messages, {}),
    "responses": lambda messages: responses_body(messages, {}),
    "anthropic": lambda messages: anthropic_body(messages, {}),
}


@pytest.mark.parametrize("wire", BODIES)
def test_a_spoken_reply_is_sent_back_as_its_transcript(wire: str) -> None:
    """A provider that did not keep the sound gets the words; without them it would know nothing."""
    spoken = completions(content=None, audio={"data": WAV, "transcript": "Good morning."})
    body = BODIES[wire]([HumanMessage("Hi"), spoken, HumanMessage("Again")])
    assert "Good morning." in json.dumps(body)
    assert WAV not in json.dumps(body)
    assert count_tokens_approximately([spoken]) > count_tokens_approximately([AIMessage("")])


def test_a_sound_that_openai_keeps_is_sent_back_by_its_id() -> None:
    """As OpenAI asks for, which knows more of it than the words."""
    spoken = completions(content=None, audio={"id": "audio_1", "data": WAV, "transcript": "Hi."})
    (sent,) = completions_body([spoken], {})["messages"]
    assert sent == {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}
