"""Parts of content as standard blocks, and blocks as the items of a provider."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from chatnb.schema.content.blocks import (
    audio_format,
    data_url,
    decoded_text,
    file_name,
    is_image,
    is_known,
    media_option,
    plain_text,
    standard_blocks,
)
from chatnb.schema.content.openai_parts import content_of_format
from chatnb.schema.content.reply_blocks import (
    add_result,
    built_in_call,
    filled_blocks,
    openai_annotation,
)

# A part, and the blocks that it is read as.
# fmt: off
READ: list[tuple[Any, list[dict[str, Any]]]] = [
    ("a", [{"type": "text", "text": "a"}]),
    ({"text": "a"}, [{"type": "text", "text": "a"}]),
    ({"type": "text"}, [{"type": "text", "text": ""}]),
    ({"type": "text", "text": "a", "annotations": []}, [{"type": "text", "text": "a"}]),
    ({"type": "output_text", "text": "a", "annotations": [{"type": "url_citation", "url": "u",
      "title": "t", "start_index": 0, "end_index": 1, "confidence": None}, 3]},
     [{"type": "text", "text": "a", "annotations": [{"type": "citation", "url": "u", "title": "t",
      "start_index": 0, "end_index": 1}]}]),
    ({"type": "text", "text": "a", "annotations": [{"type": "url_citation", "url_citation": {"url":
      "u", "x": 1}}]},
     [{"type": "text", "text": "a", "annotations": [{"type": "citation", "url": "u", "extras":
      {"x": 1}}]}]),
    ({"type": "text", "text": "a", "citations": [{"type": "char_location", "cited_text": "c",
      "document_title": "t", "document_index": 0}, {"type": "citation", "url": "u"}, {"type":
      "odd", "x": 1}]},
     [{"type": "text", "text": "a", "annotations": [{"type": "citation", "title": "t",
      "cited_text": "c", "extras": {"document_index": 0}}, {"type": "citation", "url": "u"},
      {"type": "non_standard_annotation", "value": {"type": "odd", "x": 1}}]}]),
    ({"type": "text", "text": "a", "id": "i", "index": 0, "phase": "final", "cache_control":
      {"type": "e"}, "extras": {"k": 1}},
     [{"type": "text", "text": "a", "id": "i", "index": 0, "extras": {"k": 1}, "cache_control":
      {"type": "e"}, "phase": "final"}]),
    ({"type": "input_text", "text": "a"}, [{"type": "text", "text": "a"}]),
    ({"type": "non_standard", "value": {"type": "mine"}},
     [{"type": "non_standard", "value": {"type": "mine"}}]),
    ({"type": "non_standard", "value": "x"}, [{"type": "text", "text": "x"}]),
    ({"type": "reasoning", "summary": [{"text": "a"}, {"text": ""}, {"text": "b"}], "id": "r",
      "encrypted_content": "e", "status": None},
     [{"type": "reasoning", "reasoning": "a\n\nb", "id": "r", "extras": {"encrypted_content":
      "e"}}]),
    ({"type": "thinking", "thinking": "t", "signature": "s", "index": 0},
     [{"type": "reasoning", "reasoning": "t", "index": 0, "extras": {"signature": "s"}}]),
    ({"type": "reasoning_content", "reasoning_content": "r", "extras": {"a": 1}},
     [{"type": "reasoning", "reasoning": "r", "extras": {"a": 1}}]),
    ({"type": "reasoning", "content": [{"text": "c"}]},
     [{"type": "reasoning", "reasoning": "c"}]),
    ({"type": "custom_tool_call", "call_id": "c", "id": "i", "name": "f", "input": "{}"},
     [{"type": "tool_call", "id": "c", "name": "f", "args": {"__arg1": "{}"}}]),
    ({"type": "function_call", "call_id": "c", "id": "i", "name": "f", "arguments": '{"a":1}',
      "namespace": "n"},
     [{"type": "tool_call", "id": "c", "name": "f", "args": {"a": 1}, "extras": {"namespace":
      "n"}}]),
    ({"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}, "caller": {"type": "direct"}},
     [{"type": "tool_call", "id": "c", "name": "f", "args": {"a": 1}, "extras": {"caller": {"type":
      "direct"}}}]),
    ({"type": "tool_use", "id": "c", "name": "f", "input": {}, "partial_json": '{"a":1}'},
     [{"type": "tool_call", "id": "c", "name": "f", "args": {"a": 1}}]),
    ({"type": "tool_use", "id": "c", "name": "f", "partial_json": '{"a'},
     [{"type": "tool_call", "id": "c", "name": "f", "args": {"input": '{"a'}}]),
    ({"type": "function_call", "id": "i", "name": "f", "arguments": "[1]"},
     [{"type": "tool_call", "id": "i", "name": "f", "args": {"input": "[1]"}}]),
    ({"type": "server_tool_use", "id": "s", "name": "code_execution", "input": {"code": "1"}},
     [{"type": "server_tool_call", "id": "s", "name": "code_interpreter", "args": {"code": "1"}}]),
    ({"type": "server_tool_use", "id": "s", "name": "web_search", "partial_json": '{"query":"q"}'},
     [{"type": "server_tool_call", "id": "s", "name": "web_search", "args": {"query": "q"}}]),
    ({"type": "mcp_tool_use", "id": "m", "name": "ask", "input": {}, "server_name": "x"},
     [{"type": "server_tool_call", "id": "m", "name": "remote_mcp", "extras": {"tool_name": "ask"},
      "args": {}}]),
    ({"type": "web_search_call", "id": "w", "status": "completed", "action": {"type": "search",
      "query": "q", "sources": [{"url": "u"}]}},
     [{"type": "server_tool_call", "id": "w", "name": "web_search", "args": {"type": "search",
      "query": "q"}}, {"type": "server_tool_result", "tool_call_id": "w", "status": "success",
      "output": [{"url": "u"}]}]),
    ({"type": "file_search_call", "id": "f", "status": "failed", "queries": ["q"], "results":
      None},
     [{"type": "server_tool_call", "id": "f", "name": "file_search", "args": {"queries": ["q"]}},
      {"type": "server_tool_result", "tool_call_id": "f", "status": "error"}]),
    ({"type": "code_interpreter_call", "id": "i", "code": "1", "outputs": [{"type": "logs", "logs":
      "1"}], "container_id": "k"},
     [{"type": "server_tool_call", "id": "i", "name": "code_interpreter", "args": {"code": "1"},
      "extras": {"container_id": "k"}}, {"type": "server_tool_result", "tool_call_id": "i",
      "status": "success", "output": [{"type": "logs", "logs": "1"}]}]),
    ({"type": "mcp_call", "id": "m", "name": "ask", "server_label": "l", "arguments": '{"a":1}',
      "output": "o", "error": None},
     [{"type": "server_tool_call", "id": "m", "name": "remote_mcp", "args": {"a": 1}, "extras":
      {"name": "ask", "server_label": "l"}}, {"type": "server_tool_result", "tool_call_id": "m",
      "status": "success", "output": "o"}]),
    ({"type": "mcp_call", "id": "m", "name": "ask", "arguments": "{", "error": "no"},
     [{"type": "server_tool_call", "id": "m", "name": "remote_mcp", "args": {"arguments": "{"},
      "extras": {"name": "ask", "error": "no"}}, {"type": "server_tool_result", "tool_call_id":
      "m", "status": "error"}]),
    ({"type": "mcp_list_tools", "id": "l", "tools": [{"name": "a"}]},
     [{"type": "server_tool_call", "id": "l", "name": "mcp_list_tools", "args": {}}, {"type":
      "server_tool_result", "tool_call_id": "l", "status": "success", "output": [{"name": "a"}]}]),
    ({"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]},
     [{"type": "server_tool_result", "tool_call_id": "s", "status": "success", "output": [{"url":
      "u"}], "extras": {"block_type": "web_search_tool_result"}}]),
    ({"type": "web_search_tool_result", "tool_use_id": "s", "content": {"type": "e", "error_code":
      "max"}},
     [{"type": "server_tool_result", "tool_call_id": "s", "status": "error", "output": {"type":
      "e", "error_code": "max"}, "extras": {"block_type": "web_search_tool_result"}}]),
    ({"type": "mcp_tool_result", "content": [], "is_error": True},
     [{"type": "server_tool_result", "tool_call_id": "", "status": "error", "output": [], "extras":
      {"block_type": "mcp_tool_result"}}]),
    ({"type": "image_generation_call", "id": "g", "result": "QQ==", "status": "completed",
      "output_format": "webp"},
     [{"type": "image", "base64": "QQ==", "mime_type": "image/webp", "id": "g", "extras":
      {"status": "completed", "output_format": "webp"}}]),
    ({"type": "image_generation_call", "id": "g", "result": "QQ=="},
     [{"type": "image", "base64": "QQ==", "mime_type": "image/png", "id": "g"}]),
    ({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgpyZXN0", "detail":
      "low"}},
     [{"type": "image", "base64": "iVBORw0KGgpyZXN0", "mime_type": "image/png", "extras":
      {"detail": "low"}}]),
    ({"type": "image_url", "image_url": "https://u"}, [{"type": "image", "url": "https://u"}]),
    ({"type": "input_image", "file_id": "f", "detail": "high"},
     [{"type": "image", "file_id": "f", "extras": {"detail": "high"}}]),
    ({"type": "image", "base64": "iVBORw0KGgpyZXN0"},
     [{"type": "image", "base64": "iVBORw0KGgpyZXN0", "mime_type": "image/png"}]),
    ({"type": "image", "base64": "????"}, [{"type": "image", "base64": "????"}]),
    ({"type": "image", "base64": b'\x89PNG\r\n\x1a\n'},
     [{"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}]),
    ({"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "QQ=="},
      "cache_control": {"type": "e"}},
     [{"type": "image", "base64": "QQ==", "mime_type": "image/gif", "extras": {"cache_control":
      {"type": "e"}}}]),
    ({"type": "image", "source": {"type": "url", "url": "https://u"}},
     [{"type": "image", "url": "https://u"}]),
    ({"type": "image", "source": {"type": "file", "file_id": "f"}},
     [{"type": "image", "file_id": "f"}]),
    ({"type": "image", "source_type": "id", "id": "f"}, [{"type": "image", "file_id": "f"}]),
    ({"type": "image", "source_type": "base64", "data": "QQ==", "mime_type": "image/gif",
      "metadata": {"detail": "low"}},
     [{"type": "image", "base64": "QQ==", "mime_type": "image/gif", "extras": {"metadata":
      {"detail": "low"}}}]),
    ({"type": "image", "url": "https://u", "id": "i", "index": 0, "extras": None},
     [{"type": "image", "url": "https://u", "id": "i", "index": 0}]),
    ({"type": "audio", "base64": "QQ==", "mime_type": "audio/wav"},
     [{"type": "audio", "base64": "QQ==", "mime_type": "audio/wav"}]),
    ({"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}},
     [{"type": "audio", "base64": "QQ==", "mime_type": "audio/mp3"}]),
    ({"type": "video", "url": "https://v"}, [{"type": "video", "url": "https://v"}]),
    ({"type": "video_url", "video_url": {"url": "https://v", "fps": 1}},
     [{"type": "video", "url": "https://v", "extras": {"fps": 1}}]),
    ({"type": "file", "source_type": "text", "text": "t", "title": "T", "index": 0},
     [{"type": "text-plain", "text": "t", "mime_type": "text/plain", "index": 0, "title": "T"}]),
    ({"type": "file", "file": {"file_data": "data:application/pdf;base64,QQ==", "filename":
      "a.pdf"}},
     [{"type": "file", "base64": "QQ==", "mime_type": "application/pdf", "extras": {"filename":
      "a.pdf"}}]),
    ({"type": "file", "file": {"file_id": "f"}}, [{"type": "file", "file_id": "f"}]),
    ({"type": "input_file", "file_url": "https://f", "filename": "a"},
     [{"type": "file", "url": "https://f", "extras": {"filename": "a"}}]),
    ({"type": "file", "file_id": "f"}, [{"type": "file", "file_id": "f"}]),
    ({"type": "document", "source": {"type": "text", "data": "t", "media_type": "text/plain"},
      "title": "T", "context": "C", "citations": {"enabled": True}},
     [{"type": "text-plain", "text": "t", "mime_type": "text/plain", "title": "T", "context": "C",
      "extras": {"citations": {"enabled": True}}}]),
    ({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"},
      {"type": "text", "text": "b"}]}},
     [{"type": "text-plain", "text": "a\nb", "mime_type": "text/plain"}]),
    ({"type": "document", "source": {"type": "content", "content": "c"}},
     [{"type": "text-plain", "text": "c", "mime_type": "text/plain"}]),
    ({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data":
      "QQ=="}},
     [{"type": "file", "base64": "QQ==", "mime_type": "application/pdf"}]),
    ({"type": "search_result", "source": "s", "title": "T", "content": [{"type": "text", "text":
      "a"}]},
     [{"type": "text-plain", "text": "a", "mime_type": "text/plain", "title": "T", "extras":
      {"source": "s"}}]),
    ({"type": "media", "mime_type": "video/mp4", "data": "QQ=="},
     [{"type": "video", "base64": "QQ==", "mime_type": "video/mp4"}]),
    ({"type": "media", "mime_type": "application/pdf", "file_uri": "gs://a"},
     [{"type": "file", "url": "gs://a", "mime_type": "application/pdf"}]),
]
# fmt: on

# Parts of no known type, or in another form than their type has.
UNREAD: list[dict[str, Any]] = [
    {"type": "mine"},
    {"type": 3},
    {},
    {"type": "image_generation_call", "id": "g", "result": None},
    {"type": "image"},
    {"type": "image", "url": "https://u", "extras": [1]},
    {"type": "input_audio"},
    {
        "type": "document",
        "source": {
            "type": "content",
            "content": [{"type": "image"}, {"type": "text", "text": "b"}],
        },
    },
    {"type": "document", "source": {"type": "content", "content": []}},
    {"type": "document"},
]


@pytest.mark.parametrize(("part", "blocks"), READ, ids=lambda value: f"{value!r:.60}")
def test_a_part_is_read_as_standard_blocks(part: Any, blocks: list[dict[str, Any]]) -> None:
    """Text, thoughts, calls, results and media of every provider have one form."""
    assert standard_blocks(part) == blocks


@pytest.mark.parametrize("part", UNREAD, ids=lambda value: f"{value!r:.60}")
def test_a_part_that_is_not_understood_stays_whole(part: dict[str, Any]) -> None:
    """It is wrapped, and nothing of it is lost."""
    assert standard_blocks(part) == [{"type": "non_standard", "value": part}]


def test_types_of_parts_are_known_by_name() -> None:
    """A type that a provider made up is none of them."""
    for known in ("text", "tool_use", "input_file", "reasoning", "web_search_call"):
        assert is_known({"type": known})
    for unknown in ("mine", 3, None):
        assert not is_known({"type": unknown})


@pytest.mark.parametrize(
    ("note", "item"),
    [
        ({"type": "non_standard_annotation", "value": {"a": 1}}, {"a": 1}),
        (
            {"type": "citation", "url": "u", "title": "t", "id": "x"},
            {"type": "url_citation", "url": "u", "title": "t"},
        ),
        (
            {"type": "citation", "title": "f.txt", "extras": {"file_id": "f", "index": 0}},
            {"type": "file_citation", "filename": "f.txt", "file_id": "f", "index": 0},
        ),
        (
            {"type": "citation", "extras": {"file_id": "f"}},
            {"type": "file_citation", "file_id": "f"},
        ),
    ],
)
def test_a_citation_goes_back_in_openai_s_form(note: Any, item: Any) -> None:
    """A page has an address, and a file a name."""
    assert openai_annotation(note) == item


@pytest.mark.parametrize(
    ("block", "item"),
    [
        ({"name": "other", "id": "x"}, None),
        (
            {"name": "web_search", "id": "w", "args": {"query": "q"}, "extras": {"k": 1}},
            {"type": "web_search_call", "id": "w", "k": 1, "action": {"query": "q"}},
        ),
        (
            {"name": "file_search", "id": "f", "args": {"queries": ["q"]}},
            {"type": "file_search_call", "id": "f", "queries": ["q"]},
        ),
        (
            {"name": "remote_mcp", "id": "m", "args": {"a": 1}},
            {"type": "mcp_call", "id": "m", "arguments": '{"a": 1}'},
        ),
        ({"name": "mcp_list_tools", "id": "l"}, {"type": "mcp_list_tools", "id": "l"}),
        (
            {"name": "code_interpreter", "id": "c", "args": {"code": "1"}},
            {"type": "code_interpreter_call", "id": "c", "code": "1"},
        ),
    ],
)
def test_a_call_of_a_built_in_tool_goes_back_as_an_item(block: Any, item: Any) -> None:
    """Arguments are in the field that the item has for them."""
    assert built_in_call(block) == item


def test_the_result_of_a_built_in_tool_goes_into_the_item_of_its_call() -> None:
    """It is found by the call's id; another item with the id stays as it is."""
    items: list[dict[str, Any]] = [
        {"type": "web_search_call", "id": "w", "action": {"query": "q"}},
        {"type": "mcp_call", "id": "m", "arguments": "{}"},
        {"type": "message", "id": "m"},
    ]
    add_result(items, {"tool_call_id": "w", "output": [{"url": "u"}]})
    add_result(items, {"tool_call_id": "m", "output": None, "status": "error"})
    assert items == [
        {
            "type": "web_search_call",
            "id": "w",
            "action": {"query": "q", "sources": [{"url": "u"}]},
            "status": "completed",
        },
        {"type": "mcp_call", "id": "m", "arguments": "{}", "status": "failed"},
        {"type": "message", "id": "m"},
    ]
    add_result(items, {"tool_call_id": "m", "output": "o", "status": "success"})
    assert items[1] == {**items[1], "output": "o", "status": "completed"}


def test_kept_blocks_are_filled_with_the_text() -> None:
    """Each gets as many characters as it had; of another text, all is one block at the end."""
    thought = {"type": "thinking", "thinking": "t"}
    kept: list[dict[str, Any]] = [
        {"type": "text", "chars": 2, "citations": []},
        thought,
        {"type": "text", "chars": 1},
    ]
    assert filled_blocks(kept, "abc") == [
        {"type": "text", "text": "ab", "citations": []},
        thought,
        {"type": "text", "text": "c"},
    ]
    assert filled_blocks(kept, "abcd") == [thought, {"type": "text", "text": "abcd"}]
    assert filled_blocks(kept, "") == [thought]
    assert filled_blocks([thought], "") == [thought]


def test_options_of_media_are_found_in_three_places() -> None:
    """Beside the block's fields, in its extras, and in their metadata, in this order."""
    block = {"type": "file", "a": 1, "extras": {"a": 2, "b": 2, "metadata": {"b": 3, "c": 3}}}
    assert [media_option(block, name) for name in "abcd"] == [1, 2, 3, None]
    assert file_name({"extras": {"metadata": {"name": "n", "title": "t"}}}) == "n"
    assert file_name({"title": "t", "filename": ""}) == "t"
    assert file_name({}) is None


def test_media_are_described_by_their_fields() -> None:
    """An address, an image that is sent as a file, a format's name and the text of a document."""
    data = base64.b64encode("é\xff".encode("latin-1")).decode()
    assert data_url({"base64": "QQ==", "mime_type": "a/b", "url": "u"}) == "data:a/b;base64,QQ=="
    assert data_url({"base64": "QQ==", "url": "u"}) == data_url({"mime_type": "a", "url": "u"})
    assert data_url({"file_id": "f"}) is None
    assert is_image({"type": "image"})
    assert is_image({"type": "file", "mime_type": "image/png"})
    assert not is_image({"type": "file", "mime_type": "text/plain"})
    assert [audio_format(f"audio/{name}") for name in ("mpeg", "x-wav", "ogg")] == [
        "mp3",
        "wav",
        "ogg",
    ]
    assert plain_text({"text": "a", "title": "T", "extras": {"context": "C"}}) == "T\n\nC\n\na"
    assert plain_text({"text": "a"}) == "a"
    assert decoded_text({"mime_type": "text/plain", "base64": data}) == "\ufffd\ufffd"
    assert decoded_text({"mime_type": "text/plain"}) is None
    assert decoded_text({"mime_type": "application/pdf", "base64": data}) is None


@pytest.mark.parametrize(
    ("content", "format", "expected"),
    [
        ("a", None, "a"),
        ("a", "string", "a"),
        ("a", "block", [{"type": "text", "text": "a"}]),
        ("", "block", ""),
        (None, "block", None),
        (["a", {"type": "text", "text": "b"}], "string", "a\nb"),
        (["a", {"type": "image_url"}], "string", ["a", {"type": "image_url"}]),
        (["a"], "block", ["a"]),
        (["a"], None, ["a"]),
    ],
)
def test_content_is_one_text_or_blocks_as_asked_for(
    content: Any, format: str | None, expected: Any
) -> None:
    """Only text becomes one string, and what has other parts stays as it is."""
    assert content_of_format(content, format) == expected
