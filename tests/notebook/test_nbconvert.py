"""Outputs in a notebook file, as nbconvert exports them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from markdown_it import MarkdownIt
from nbconvert import HTMLExporter, MarkdownExporter, SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from traitlets.config import Config

import chatnb
from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook.cell.display import reply_mimebundle
from chatnb.notebook.widgets.footer import footer_mimebundle

TEXT = "Words **in bold**.\n\n```python\nprint(1)\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"
# As docs/front_ends.md has it.
PLAIN = ["text/markdown", "image/png", "text/plain"]


@pytest.fixture(scope="module")
def notebook() -> NotebookNode:
    """A notebook with an output of every kind."""
    chat = ScriptedChatModel([TEXT], model_name="scripted")
    shown: list[Any] = [
        reply_mimebundle(TEXT),
        footer_mimebundle("scripted_1 · 1.0 s · $0.2", "A [notice](x)."),
        footer_mimebundle("scripted · 1.0 s", "A notice.", "Because."),
        chatnb.compare("Hi", {"left": chat, "right": "scripted:Yes."}),
        chatnb.ask("Hi", chat),
        chatnb.ChatPanel(chat),
        chatnb.UsageTable(chat.generate([["One"]])),
    ]
    return new_notebook(cells=[new_code_cell("…", outputs=[_output(item)]) for item in shown])


def _output(item: Any) -> NotebookNode:
    if isinstance(item, dict):
        return new_output("display_data", dict(item))
    if hasattr(item, "result"):
        item.result(30)
    return new_output("display_data", dict(item.static_mimebundle()))


def test_markdown_without_html(notebook: NotebookNode) -> None:
    """With the option of the docs, nothing is HTML, and no words, code or tables are missing."""
    config = Config({"NbConvertBase": {"display_data_priority": PLAIN}})
    text, _ = MarkdownExporter(config=config).from_notebook_node(notebook)
    assert "<" not in text.replace(r"\< 1 ms", "")
    assert text.count("Words **in bold**.") == 3
    assert text.count("```python\nprint(1)\n```") == 3
    for words in ("scripted · 1.0 s", "A notice.", "#### left", "Yes.", "| One | scripted |"):
        assert words in text


def test_footers_are_markdown_without_an_option(notebook: NotebookNode) -> None:
    """A reply and its footer are Markdown, and the footer reads as its text does."""
    replies = new_notebook(cells=notebook.cells[:2])
    text, _ = MarkdownExporter().from_notebook_node(replies)
    assert "<" not in text
    footer = text.split("| 1 | 2 |")[1]
    shown = MarkdownIt().render(footer).strip()
    lines = "scripted_1 · 1.0 s · $0.2<br />\nA [notice](x)."
    assert shown.endswith(f"<p><em><em>{lines}</em></em></p>")


@pytest.mark.parametrize("exporter", [HTMLExporter, SlidesExporter])
def test_html_has_the_static_forms(notebook: NotebookNode, exporter: Any) -> None:
    """Pages and slides have all texts, as they have no widgets to show."""
    page, _ = exporter().from_notebook_node(notebook)
    assert len(re.findall("Words <strong>in bold</strong>", page)) == 3
    for words in ("scripted · 1.0 s", "A notice.", "Because.", ">left<", "Yes.", ">One<"):
        assert words in page
    assert "application/vnd.jupyter.widget-view" not in page
