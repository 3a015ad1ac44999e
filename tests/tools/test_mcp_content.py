"""Results of MCP servers, as content of messages."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from mcp import types

from chatnb.schema import AIMessage, HumanMessage
from chatnb.tools.mcp_content import content_from_mcp, message_from_mcp

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\nrest").decode()
URL = f"data:image/png;base64,{PNG}"


def text(written: str) -> types.TextContent:
    return types.TextContent(type="text", text=written)


def image(data: str, mime: str = "image/png") -> types.ImageContent:
    return types.ImageContent(type="image", data=data, mime_type=mime)


def embedded(**fields: Any) -> types.EmbeddedResource:
    kind = types.TextResourceContents if "text" in fields else types.BlobResourceContents
    return types.EmbeddedResource(type="resource", resource=kind(**fields))


def link(**fields: Any) -> types.ResourceLink:
    return types.ResourceLink(type="resource_link", uri="file:///a.txt", **fields)


@pytest.mark.parametrize(
    ("blocks", "structured", "content"),
    [
        ([], None, ""),
        ([], {"é": 1}, '{"é": 1}'),
        ([text("a")], {"é": 1}, "a"),
        ([text("a"), text("b")], None, "a\nb"),
        (
            [text("a"), image(PNG)],
            None,
            [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": URL}}],
        ),
        ([image("?")], None, "[image of the type image/png, which is not readable]"),
        (
            [image(base64.b64encode(b"plain").decode(), "x" * 200)],
            None,
            f"[image of the type {'x' * 100}, which is not readable]",
        ),
        ([embedded(uri="file:///a.txt", text="inside")], None, "inside"),
        ([link(name="n")], None, "n: file:///a.txt"),
        ([link(name="n", title="T")], None, "T: file:///a.txt"),
        (
            [embedded(uri="file:///dir/a.pdf", blob="QQ==", mime_type="application/pdf")],
            None,
            [
                {
                    "type": "file",
                    "file": {
                        "filename": "a.pdf",
                        "file_data": "data:application/pdf;base64,QQ==",
                    },
                }
            ],
        ),
        (
            [embedded(uri="file:///dir/", blob="QQ==")],
            None,
            [
                {
                    "type": "file",
                    "file": {
                        "filename": "resource",
                        "file_data": "data:application/octet-stream;base64,QQ==",
                    },
                }
            ],
        ),
    ],
)
def test_what_a_server_returns_is_content(blocks: list[Any], structured: Any, content: Any) -> None:
    """Text alone is one text, media are parts, and what no model reads is named."""
    assert content_from_mcp(blocks, structured) == content


def test_messages_of_a_prompt_have_their_roles() -> None:
    """A model's is an answer, and all else a user's."""
    for role, kind in (("assistant", AIMessage), ("user", HumanMessage)):
        message = types.PromptMessage(role=role, content=text("a"))  # pyright: ignore[reportArgumentType]
        assert message_from_mcp(message) == kind("a")
