"""Which providers there are, as a table."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from chatnb.chat_models.availability import Availability

_HEADER = ("Provider", "Write", "State", "Needs")


class ProviderTable:
    """A small table that a cell shows: text, Markdown and HTML that need no kernel.

    Args:
        providers: The rows.

    Example:
        >>> print(ProviderTable([Availability("local", "local:smollm2", True)]))
        Provider  Write          State  Needs
        local     local:smollm2  ready
    """

    def __init__(self, providers: Sequence[Availability]) -> None:
        self._rows = [(each.name, each.example, each.state, each.needs) for each in providers]

    def __repr__(self) -> str:
        table = [_HEADER, *self._rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = (
            "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
            for row in table
        )
        return "\n".join(line.rstrip() for line in lines)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {
            "text/plain": repr(self),
            "text/markdown": self._markdown(),
            "text/html": self._html(),
        }

    def _markdown(self) -> str:
        rows = [_HEADER, ("---",) * len(_HEADER)]
        rows += [(name, f"`{write}`", state, needs) for name, write, state, needs in self._rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def _html(self) -> str:
        head = "".join(f"<th {_LEFT}>{title}</th>" for title in _HEADER)
        body = "".join(f"<tr>{_cells(row)}</tr>" for row in self._rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_LEFT = 'style="text-align: left"'
_WHOLE = 'style="text-align: left; white-space: nowrap"'


def _cells(row: tuple[str, ...]) -> str:
    name, write, state, needs = map(html.escape, row)
    whole = "".join(f"<td {_WHOLE}>{each}</td>" for each in (name, f"<code>{write}</code>", state))
    return f"{whole}<td {_LEFT}>{needs}</td>"
