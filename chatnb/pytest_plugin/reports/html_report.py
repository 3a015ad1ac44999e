"""An HTML page with the saved and the new outputs of notebooks, side by side."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from chatnb.files import replace_text
from chatnb.markdown.html import SafeHtml, element, join, literal
from chatnb.pytest_plugin.reports.notes import take_properties
from chatnb.pytest_plugin.reports.side_by_side import page_head, side_by_side


class HtmlReport:
    """A pytest plugin that collects the results of cells and writes `index.html` at the end."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._cells: list[dict[str, Any]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Collect the result of a cell, from any worker process."""
        for _, data in take_properties(report, {"chatnb"}):
            if report.when == "call":
                problem = report.longreprtext if report.failed else ""
                # One test of all cells says how each of them ended.
                self._cells.append({"outcome": report.outcome, "problem": problem, **data})

    def pytest_sessionfinish(self) -> None:
        """Write the page."""
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_text(self._folder / "index.html", [page(self._cells)])


def page(cells: list[dict[str, Any]]) -> SafeHtml:
    """Return the page as self-contained HTML without scripts."""
    ordered = sorted(cells, key=lambda cell: (cell["notebook"], cell["cell"]))
    failed = sum(cell["outcome"] == "failed" for cell in cells)
    grouped = groupby(ordered, key=lambda cell: cell["notebook"])
    notebooks = (join(element("h2", name), *map(_cell, some)) for name, some in grouped)
    return join(
        page_head("Notebooks"),
        element("h1", _title(len(cells), failed)),
        element(
            "p", "Saved on the left, this run on the right; ids, times and durations are left out."
        ),
        *notebooks,
        literal("</html>\n"),
    )


def _title(cells: int, failed: int) -> str:
    if not cells:
        return "No notebooks ran"
    return f"{failed} of {cells} cells failed" if failed else f"All {cells} cells passed"


def _cell(data: dict[str, Any]) -> SafeHtml:
    failed, same = data["outcome"] == "failed", data["old"] == data["new"]
    verdict = "failed" if failed else "same" if same else "differs, not compared"
    if data["compared"] and not failed and not same:
        verdict = "differs"
    first = next((line for line in data["source"].splitlines() if line.strip()), "")
    head = (
        element("b", f"Cell {data['cell']}"),
        element("code", first),
        element("em", verdict),
    )
    return element(
        "details",
        element("summary", *head),
        element("pre", data["source"], class_="source"),
        side_by_side(data["old"], data["new"], data["old_images"], data["new_images"]),
        element("pre", data["problem"], class_="problem") if data["problem"] else "",
        class_=data["outcome"],
        open=failed,
    )
