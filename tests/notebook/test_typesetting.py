"""JupyterLab typesets the formulas of replies in HTML of ours, and no other text of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from chatnb.chat_models.registry import Availability
from chatnb.notebook.panel.transcript import panel_mimebundle
from chatnb.notebook.run_tree.static import run_tree_mimebundle
from chatnb.notebook.tables.answers import answer_html
from chatnb.notebook.tables.comparison import Answer, comparison_mimebundle
from chatnb.notebook.tables.conversations import (
    conversations_mimebundle,
    found_mimebundle,
    history_mimebundle,
)
from chatnb.notebook.tables.progress import bar_mimebundle
from chatnb.notebook.tables.providers import ProviderTable
from chatnb.notebook.usage_table.static import usage_mimebundle
from chatnb.notebook.widgets.footer import footer_mimebundle, reasoning_mimebundle
from chatnb.schema import AIMessage, RunLog, RunLogPatch
from chatnb.schema.model_call import ModelCall
from chatnb.store.nodes import Node, Summary
from chatnb.store.search import Found

TEXT = "$\\unicode[x]{y}$"
STATE = {"id": "0", "streamed_output": [], "final_output": TEXT, "logs": {}}
LOG = RunLog(RunLogPatch({"op": "replace", "path": "", "value": STATE}, root={"name": TEXT}))
SUMMARY = Summary(TEXT, "", 1, 0.0, 0.0, TEXT, {})
FOUND = Found(TEXT, "1", TEXT, 0.0, TEXT, ((0, 1),))
OUTPUTS: dict[str, dict[str, Any]] = {
    "footer": footer_mimebundle(TEXT, TEXT, TEXT),
    "reasoning": dict(reasoning_mimebundle(TEXT)),
    "comparison": comparison_mimebundle([Answer(TEXT, TEXT, TEXT, "failed", TEXT)]),
    "note": history_mimebundle(TEXT, [], TEXT),
    "conversations": conversations_mimebundle([SUMMARY], None, None),
    "found": found_mimebundle([FOUND]),
    "usage": usage_mimebundle([ModelCall(TEXT, TEXT, TEXT)]),
    "object": {"text/html": answer_html({TEXT: TEXT})},
    "list": {"text/html": answer_html([TEXT])},
    "objects": {"text/html": answer_html([{TEXT: TEXT}])},
    "text": {"text/html": answer_html(TEXT)},
    "progress": bar_mimebundle(1, 2, 1.0, TEXT),
    "providers": ProviderTable([Availability(TEXT, TEXT, None, TEXT)])._repr_mimebundle_(),
    "run tree": run_tree_mimebundle(LOG),
}


# MathJax leaves code alone, and so it does elements of a class.
IGNORED_TAGS = ("code", "pre")


class TypesetText(HTMLParser):
    """The text outside of the elements that JupyterLab does not typeset."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self._ignored = list[bool]()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        self._ignored.append(tag in IGNORED_TAGS or "mathjax_ignore" in classes)

    def handle_endtag(self, tag: str) -> None:
        self._ignored.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._ignored):
            self.text += f"{data}|"  # Dollars in different elements are no pair.


@pytest.mark.parametrize("name", OUTPUTS)
def test_nothing_is_typeset(name: str) -> None:
    """All text of the output is within an element that is left alone."""
    source = OUTPUTS[name]["text/html"]
    assert "$" in source
    assert TypesetText(source).text.strip("|\n") == ""


@pytest.mark.parametrize("name", ["comparison", "transcript"])
def test_formulas_of_replies_are_typeset(name: str) -> None:
    """Formulas of all delimiters are, unlike prices, code and the text around them."""
    text = r"$x^2$, \(y\), \[z+1\] for $5 and then $10, `$a$`"
    if name == "comparison":
        shown = comparison_mimebundle([Answer("$n$", text, "$f$", "failed", "$e$")], "$b$")
    else:
        shown = panel_mimebundle([Node(1, "1", None, AIMessage(text), "done", 0.0, {})])
    typeset = TypesetText(shown["text/html"]).text
    for formula in ("$x^2$", "$y$", "$$z+1$$"):
        assert formula in typeset
        typeset = typeset.replace(formula, "")
    assert not re.search(r"\$[^|]*\$", typeset)
