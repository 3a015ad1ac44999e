"""The providers as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chatnb.chat_models.registry import Availability
from chatnb.markdown.html import SafeHtml, element
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.safe_markdown import SafeMarkdown, join_blocks, plain_markdown, safe_markdown
from chatnb.notebook.widgets.formatting import aligned, markdown_table
from chatnb.notebook.widgets.html import MUTED, NO_MATH
from chatnb.terminal import SafeText

_HEADER = ("Provider", "Model", "State", "Needs")
_MAX_MODELS = 5
_LEFT = "text-align: left"
_UNBROKEN = "text-align: left; white-space: nowrap"


class ProviderTable:
    """A small table that needs no kernel: text, Markdown and HTML."""

    def __init__(
        self,
        providers: Sequence[Availability],
        running: Mapping[str, Sequence[str]] | None = None,
        default: str = "",
    ) -> None:
        """`running` has the models of the servers that run on this machine."""
        self._rows = [_row(row, (running or {}).get(row.name, ())) for row in providers]
        # A provider's name stands for its own default model.
        default = next((row.example for row in providers if row.name == default), default)
        self._note = default and f"Cells without -m ask {default}. %chat use MODEL changes that."

    def __repr__(self) -> str:
        table = aligned([_HEADER, *self._rows])
        return SafeText(f"{table}\n\n{self._note}") if self._note else table

    def _repr_mimebundle_(self, **_: Any) -> Mimebundle:
        return {
            "text/plain": SafeText(repr(self)),
            "text/markdown": self._markdown(),
            "text/html": self._html(),
        }

    def _markdown(self) -> SafeMarkdown:
        rows = [_HEADER, ("---",) * len(_HEADER)]
        rows += [(name, f"`{write}`", state, needs) for name, write, state, needs in self._rows]
        return join_blocks(safe_markdown(markdown_table(rows)), plain_markdown(self._note))

    def _html(self) -> SafeHtml:
        head = element("tr", *(element("th", title, style=_LEFT) for title in _HEADER))
        body = element("tbody", *(element("tr", *_cells(row)) for row in self._rows))
        table = element("table", element("thead", head), body)
        note = [element("div", self._note, style=MUTED)] if self._note else []
        return element("div", table, *note, class_=NO_MATH)


def _row(provider: Availability, models: Sequence[str]) -> tuple[str, str, str, str]:
    if not models:
        return provider.name, provider.example, provider.state, provider.needs
    shown = ", ".join(models[:_MAX_MODELS])
    more = f" and {len(models) - _MAX_MODELS} more" if len(models) > _MAX_MODELS else ""
    return provider.name, f"{provider.name}:{models[0]}", "running", f"has {shown}{more}"


def _cells(row: tuple[str, str, str, str]) -> list[SafeHtml]:
    name, write, state, needs = row
    unbroken = [name, element("code", write, style=_UNBROKEN), state]
    return [
        *(element("td", cell, style=_UNBROKEN) for cell in unbroken),
        element("td", needs, style=_LEFT),
    ]
