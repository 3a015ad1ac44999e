"""A page that shows what notebooks showed and what they show now, side by side."""

from __future__ import annotations

import difflib
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

_STYLE = """\
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
.said { border-top: 1px solid var(--line); }
mark { color: inherit; display: block; margin: 0 -.75rem; padding: 0 .75rem; }
.old mark { background: var(--gone); } .new mark { background: var(--come); }
@media (max-width: 44rem) { .sides { grid-template-columns: 1fr; }
  .sides > div + div { border-left: 0; border-top: 1px solid var(--line); } }
"""


class HtmlReport:
    """Gathers what pytest tells of cells, and writes the page when the session ends.

    Args:
        folder: Where `index.html` goes.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._cells: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take a cell's outcome in, from whatever process ran it."""
        if report.when != "call":
            return
        for name, told in report.user_properties:
            if name == "chatnb":
                said = report.longreprtext if report.failed else ""
                self._cells.append({**told, "outcome": report.outcome, "said": said})

    def pytest_sessionfinish(self) -> None:
        """Write the page."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "index.html").write_text(page(self._cells), encoding="utf-8")


def page(cells: list[dict[str, Any]]) -> str:
    """Write the page as HTML that needs nothing else and does nothing.

    Args:
        cells: Of each cell `notebook`, `cell`, `source`, `old`, `new`, `outcome`, what was `said`
            of a failure, and whether its output was `compared`.

    Example:
        >>> "<h1>No notebooks ran</h1>" in page([])
        True
    """
    ordered = sorted(cells, key=lambda each: (each["notebook"], each["cell"]))
    failed = sum(each["outcome"] == "failed" for each in cells)
    grouped = groupby(ordered, key=lambda each: each["notebook"])
    body = "".join(
        f"<h2>{escape(name)}</h2>{''.join(_cell(each) for each in some)}" for name, some in grouped
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Notebooks</title><style>{_STYLE}</style>"
        f"<h1>{_title(len(cells), failed)}</h1>"
        "<p>Saved on the left, this run on the right; ids, times and durations are left out.</p>"
        f"{body}</html>\n"
    )


def _title(cells: int, failed: int) -> str:
    if not cells:
        return "No notebooks ran"
    return f"{failed} of {cells} cells failed" if failed else f"All {cells} cells passed"


def _cell(told: dict[str, Any]) -> str:
    failed, same = told["outcome"] == "failed", told["old"] == told["new"]
    verdict = "failed" if failed else "same" if same else "differs, not compared"
    if told["compared"] and not failed and not same:
        verdict = "differs"
    first = next((line for line in told["source"].splitlines() if line.strip()), "")
    old, new = _marked(told["old"], told["new"])
    said = f'<pre class="said">{escape(told["said"])}</pre>' if told["said"] else ""
    return (
        f'<details class="{escape(told["outcome"])}"{" open" if failed else ""}>'
        f"<summary><b>Cell {told['cell']}</b><code>{escape(first)}</code>"
        f"<em>{verdict}</em></summary>"
        f'<pre class="source">{escape(told["source"])}</pre>'
        f'<div class="sides"><div class="old"><h3>Saved</h3><pre>{old}</pre></div>'
        f'<div class="new"><h3>This run</h3><pre>{new}</pre></div></div>{said}</details>'
    )


def _marked(old: str, new: str) -> tuple[str, str]:
    """Both texts, with the lines that differ marked."""
    before, after = old.splitlines(), new.splitlines()
    left, right = list[str](), list[str]()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        left += _lines(before[a:b], mark=kind != "equal")
        right += _lines(after[c:d], mark=kind != "equal")
    return "".join(left), "".join(right)


def _lines(lines: list[str], *, mark: bool) -> list[str]:
    if mark:
        return [f"<mark>{escape(line) or '&nbsp;'}</mark>" for line in lines]
    return [f"{escape(line)}\n" for line in lines]
