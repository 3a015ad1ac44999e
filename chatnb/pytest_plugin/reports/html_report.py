"""An HTML page with the saved and the new outputs of notebooks, side by side."""

from __future__ import annotations

import difflib
from itertools import groupby
from pathlib import Path
from typing import Any, LiteralString

from chatnb.files import replace_text
from chatnb.markdown.html import SafeHtml, element, join, literal

_STYLE: LiteralString = """\
:root { color-scheme: light dark; --ink: #1f2328; --soft: #656d76; --line: #d8dee4;
  --page: #ffffff; --panel: #f6f8fa; --gone: #ffebe9; --come: #dafbe1; --bad: #b35900; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #8d96a0; --line: #30363d;
  --page: #0d1117; --panel: #161b22; --gone: #4b1e1e; --come: #123d22; --bad: #e3a04a; } }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.25rem 4rem; color: var(--ink);
  background: var(--page); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 0 0 .25rem; } h2 { font-size: 1.05rem; margin: 2.25rem 0 .5rem; }
p { margin: 0; color: var(--soft); }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; overflow: hidden; }
summary { padding: .45rem .75rem; background: var(--panel); cursor: pointer; display: flex;
  gap: .75rem; align-items: baseline; }
summary code { color: var(--soft); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
summary b { flex: none; font-weight: 600; min-width: 5.5rem; }
summary em { margin-left: auto; flex: none; font-style: normal; color: var(--soft); }
.failed summary em { color: var(--bad); font-weight: 600; }
pre { margin: 0; padding: .6rem .75rem; font: 13px/1.45 ui-monospace, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.source { border-top: 1px solid var(--line); color: var(--soft); }
.sides { display: grid; grid-template-columns: 1fr 1fr; border-top: 1px solid var(--line); }
.sides > div { min-width: 0; } .sides > div + div { border-left: 1px solid var(--line); }
.sides h3 { margin: 0; padding: .4rem .75rem 0; font-size: .8rem; font-weight: 500;
  color: var(--soft); }
.problem { border-top: 1px solid var(--line); }
mark { color: inherit; display: block; margin: 0 -.75rem; padding: 0 .75rem; }
.old mark { background: var(--gone); } .new mark { background: var(--come); }
@media (max-width: 44rem) { .sides { grid-template-columns: 1fr; }
  .sides > div + div { border-left: 0; border-top: 1px solid var(--line); } }
"""


class HtmlReport:
    """A pytest plugin that collects the results of cells and writes `index.html` at the end."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._cells: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Collect the result of a cell, from any worker process."""
        if report.when != "call":
            return
        for name, data in report.user_properties:
            if name == "chatnb":
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
        literal('<!doctype html><html lang="en"><meta charset="utf-8">'),
        literal('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        literal(f"<title>Notebooks</title><style>{_STYLE}</style>"),
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
    old, new = _marked(data["old"], data["new"])
    head = (
        element("b", f"Cell {data['cell']}"),
        element("code", first),
        element("em", verdict),
    )
    sides = (
        element("div", element("h3", "Saved"), element("pre", old), class_="old"),
        element("div", element("h3", "This run"), element("pre", new), class_="new"),
    )
    return element(
        "details",
        element("summary", *head),
        element("pre", data["source"], class_="source"),
        element("div", *sides, class_="sides"),
        element("pre", data["problem"], class_="problem") if data["problem"] else "",
        class_=data["outcome"],
        open=failed,
    )


def _marked(old: str, new: str) -> tuple[SafeHtml, SafeHtml]:
    """Return both texts as HTML with their differences marked."""
    before, after = old.splitlines(), new.splitlines()
    left, right = list[SafeHtml](), list[SafeHtml]()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for change, a, b, c, d in matcher.get_opcodes():
        left += _lines(before[a:b], mark=change != "equal")
        right += _lines(after[c:d], mark=change != "equal")
    return join(*left), join(*right)


def _lines(lines: list[str], *, mark: bool) -> list[SafeHtml]:
    if mark:
        return [element("mark", line or "\u00a0") for line in lines]
    return [SafeHtml(f"{line}\n") for line in lines]
