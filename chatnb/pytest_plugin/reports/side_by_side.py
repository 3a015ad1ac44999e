"""Saved and new outputs side by side, as HTML and as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import LiteralString, TypeAlias

from chatnb.markdown.html import SafeHtml, element, join, literal
from chatnb.pytest_plugin.text_matching import BoundedMatcher

Image: TypeAlias = tuple[str, str]
"""The type of an image, and its data in base64."""

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
.sides img { display: block; max-width: calc(100% - 1.5rem); margin: .25rem .75rem .75rem;
  background: #ffffff; }
form p { margin: .5rem .75rem; } form > p { margin: 1.5rem 0; }
label { margin-right: 1rem; color: var(--ink); }
button { font: inherit; padding: .3rem .9rem; margin-right: .25rem; color: var(--ink);
  background: var(--panel); border: 1px solid var(--line); border-radius: 6px; cursor: pointer; }
button:hover { border-color: var(--soft); } .problem { border-top: 1px solid var(--line); }
mark { color: inherit; display: block; margin: 0 -.75rem; padding: 0 .75rem; }
.old mark { background: var(--gone); } .new mark { background: var(--come); }
@media (max-width: 44rem) { .sides { grid-template-columns: 1fr; }
  .sides > div + div { border-left: 0; border-top: 1px solid var(--line); } }
"""


def page_head(title: LiteralString) -> SafeHtml:
    """Return the head of a self-contained page."""
    return join(
        literal('<!doctype html><html lang="en"><meta charset="utf-8">'),
        literal('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        literal(f"<title>{title}</title><style>{_STYLE}</style>"),
    )


def side_by_side(
    old: str, new: str, old_images: Sequence[Image] = (), new_images: Sequence[Image] = ()
) -> SafeHtml:
    """Return both texts as HTML, with their differences marked, and the images below them."""
    left, right = _marked(old, new)
    return element(
        "div",
        element("div", element("h3", "Saved"), element("pre", left), *_images(old_images),
                class_="old"),
        element("div", element("h3", "This run"), element("pre", right), *_images(new_images),
                class_="new"),
        class_="sides",
    )  # fmt: skip


def _images(images: Sequence[Image]) -> Iterator[SafeHtml]:
    # In an element of this type, an SVG runs no scripts and loads nothing.
    for mime, data in images:
        yield element("img", src=f"data:{mime};base64,{data}", alt=mime)


def side_by_side_lines(old: str, new: str, width: int) -> Iterator[str]:
    """Yield both texts as lines of a terminal, with - and + before those that differ."""
    column = max((width - 3) // 2, 10)
    yield f"{'  Saved':<{column}} |   This run"
    before, after = old.splitlines(), new.splitlines()
    matcher = BoundedMatcher(before, after)
    for change, a, b, c, d in matcher.get_opcodes():
        equal = change == "equal"
        left = _wrapped(before[a:b], " " if equal else "-", column)
        right = _wrapped(after[c:d], " " if equal else "+", column)
        for one, other in zip_longest(left, right, fillvalue=""):
            yield f"{one:<{column}} | {other}".rstrip()


def _wrapped(lines: list[str], sign: str, width: int) -> list[str]:
    parts = (part for line in lines for part in textwrap.wrap(line, width - 2) or [""])
    return [f"{sign} {part}" for part in parts]


def _marked(old: str, new: str) -> tuple[SafeHtml, SafeHtml]:
    """Return both texts as HTML with their differences marked."""
    before, after = old.splitlines(), new.splitlines()
    left, right = list[SafeHtml](), list[SafeHtml]()
    matcher = BoundedMatcher(before, after)
    for change, a, b, c, d in matcher.get_opcodes():
        left += _lines(before[a:b], mark=change != "equal")
        right += _lines(after[c:d], mark=change != "equal")
    return join(*left), join(*right)


def _lines(lines: list[str], *, mark: bool) -> list[SafeHtml]:
    if mark:
        return [element("mark", line or "\u00a0") for line in lines]
    return [SafeHtml(f"{line}\n") for line in lines]
