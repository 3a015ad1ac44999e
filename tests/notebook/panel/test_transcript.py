"""The transcript of a panel in the notebook file, and its cells."""

from __future__ import annotations

import base64
from html import escape
from typing import Any

import nbformat
from nbformat.v4 import new_notebook

from chatnb.notebook.panel.transcript import panel_mimebundle, transcript_cells
from chatnb.schema import AIMessage, HumanMessage, ToolMessage
from chatnb.schema.message_types import BaseMessage
from chatnb.store import Node
from chatnb.store.nodes import Status

HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script> ![a](https://evil.example/x.png) "
    "[b](javascript:alert(3))"
)


def path_of(*messages: BaseMessage, status: Status = "done") -> list[Node]:
    return [
        Node(number, str(number), None, message, status, float(number), {"model": "m"})
        for number, message in enumerate(messages)
    ]


def test_the_transcript_is_markdown_text_and_html() -> None:
    """Authors and texts are in each form, times and ids in none."""
    bundle = panel_mimebundle(path_of(HumanMessage("Hi"), AIMessage("Some **bold** words.")))
    assert bundle["text/plain"] == "**You**\n\nHi\n\n**m**\n\nSome **bold** words."
    assert bundle["text/markdown"] == bundle["text/plain"]
    assert "<p>Some <strong>bold</strong> words.</p>" in bundle["text/html"]
    assert "data-chatnb-mount" not in bundle["text/html"]


def test_a_question_is_shown_as_it_was_typed() -> None:
    """Its lines stay and its marks are no Markdown, as in the panel; the Markdown has it, too."""
    question = "# Not a title: 2*3*4\n  $5 & $6\n```\nopen"
    bundle = panel_mimebundle(path_of(HumanMessage(question), AIMessage("*Yes*")))
    assert f">{escape(question)}</div>" in bundle["text/html"]
    assert "<h1>" not in bundle["text/html"]
    assert "<em>Yes</em>" in bundle["text/html"]
    assert "# Not a title" in bundle["text/markdown"]


def test_nothing_that_was_said_can_act() -> None:
    """Tags are text, images are not loaded and links of other kinds lead nowhere, whoever wrote
    them."""
    for message in (HumanMessage(HOSTILE), AIMessage(HOSTILE)):
        html = panel_mimebundle(path_of(message))["text/html"]
        assert "<img" not in html
        assert "<script" not in html
        assert 'href="javascript' not in html
        assert "<img" not in panel_mimebundle(path_of(message))["text/markdown"]


def test_a_fence_that_was_left_open_does_not_take_in_what_follows() -> None:
    """A reply that broke off in its code is closed before the next message."""
    path = path_of(AIMessage("Look:\n\n```python\n1 +"), HumanMessage("And?"))
    bundle = panel_mimebundle(path)
    assert bundle["text/plain"] == "**m**\n\nLook:\n\n```python\n1 +\n```\n\n**You**\n\nAnd?"
    assert "<strong>You</strong>" in bundle["text/html"]
    whole = path_of(AIMessage("```\nx\n```"))
    assert panel_mimebundle(whole)["text/plain"].count("```") == 2


def test_a_reply_that_was_stopped_says_so() -> None:
    """The mark stands beside the name."""
    bundle = panel_mimebundle(path_of(AIMessage("Half a"), status="stopped"))
    assert bundle["text/plain"] == "**m** *(stopped)*\n\nHalf a"


def test_the_output_is_bounded() -> None:
    """Of a long conversation the end is kept, of a huge message the beginning, and both say so."""
    path = path_of(*[HumanMessage("x" * 9_000) for _ in range(50)])
    bundle = panel_mimebundle(path)
    assert len(bundle["text/plain"]) < 110_000
    assert "earlier messages are in the conversation" in bundle["text/plain"]
    huge = panel_mimebundle(path_of(AIMessage("y" * 300_000)))["text/plain"]
    assert len(huge) < 110_000
    assert "more characters are in the conversation" in huge


def test_python_in_replies_becomes_code_cells() -> None:
    """Other code stays Markdown, and what the person wrote is never code to run."""
    code = "```python\nprint(1)\n```"
    path = path_of(HumanMessage(code), AIMessage(f"A:\n\n{code}\n\nB:\n\n```sh\nls\n```"))
    cells = transcript_cells(path)
    assert [cell["cell_type"] for cell in cells] == ["markdown", "markdown", "code", "markdown"]
    assert cells[2]["source"] == "print(1)"
    assert cells[3]["source"] == "B:\n\n```sh\nls\n```"
    nbformat.validate(nbformat.from_dict(new_notebook(cells=cells)))


def test_tool_calls_and_results_are_in_the_transcript() -> None:
    """A tool call is shown with its arguments and result."""
    call = {"name": "add", "args": {"a": 1}, "id": "c1"}
    path = path_of(
        AIMessage("", tool_calls=[call]),  # type: ignore[list-item]
        ToolMessage("3", tool_call_id="c1"),
    )
    text = panel_mimebundle(path)["text/plain"]
    assert 'add({"a": 1})' in text
    assert text.endswith("**Tool**\n\n3")


def test_pictures_and_thoughts_are_in_the_saved_transcript() -> None:
    """A small picture is shown, its place in Markdown is named, and reasoning is folded or quoted,
    from whatever place and of whatever form it is."""
    data = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(90)).decode()
    url = f"data:image/png;base64,{data}"
    pictures: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "image", "base64": data, "mime_type": "image/png"},
    ]
    thoughts = [
        AIMessage("So.", additional_kwargs={"reasoning_content": "Hm <b>.\n\n```\nx"}),
        AIMessage([{"type": "reasoning", "reasoning": "Hm <b>.\n\n```\nx"}, "So."]),
    ]
    for picture, thought in zip(pictures, thoughts, strict=True):
        path = path_of(HumanMessage(["Look:", picture]), thought)
        bundle = panel_mimebundle(path)
        assert f'<img src="{url}"' in bundle["text/html"]
        assert "<details><summary" in bundle["text/html"]
        author, thought, answer = (
            bundle["text/html"].index(said) for said in (">m<", "Hm &lt;b&gt;.", "<p>So.</p>")
        )
        assert author < thought < answer
        assert "*[image, image/png, 0.1 KB]*" in bundle["text/markdown"]
        assert "> *Reasoning*\n>\n> Hm" in bundle["text/markdown"]
        assert bundle["text/plain"].endswith("So.")
        assert "[reasoning]" not in str(bundle)
        assert "[image_url]" not in str(bundle)


def test_pictures_of_the_transcript_have_bounds() -> None:
    """Large, many or foreign pictures are named; what is no picture never becomes an address."""
    small = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(150_000)).decode()
    large = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(900_000)).decode()
    refused = [
        {"type": "image", "base64": large, "mime_type": "image/png"},
        {"type": "image", "base64": small, "mime_type": "image/svg+xml"},
        {"type": "image", "base64": '"><script>', "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": "https://evil.example/x.png"}},
    ]
    for part in refused:
        html = panel_mimebundle(path_of(HumanMessage([part])))["text/html"]
        assert "<img" not in html
        assert "<em>[image" in html
    many = path_of(*[HumanMessage([{**refused[0], "base64": small}])] * 40)
    assert len(panel_mimebundle(many)["text/html"]) < 4_100_000
