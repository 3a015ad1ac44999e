"""Templates in Mustache: variables, sections, inverted sections and comments.

Source: https://mustache.github.io/mustache.5.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, cast

from chatnb.prompts.variables import refuse_missing
from chatnb.terminal import SafeText

# A template may come from elsewhere: names are looked up in dicts and lists only, never as
# attributes, and nothing is called. There are no partials, which would be other templates.
_ESCAPES = str.maketrans({"&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;"})
_MISSING: Any = object()
_MAX_DEPTH = 100
_ALONE = ("#", "^", "/", "!", "=")


@dataclass
class _Variable:
    name: str
    escapes: bool


@dataclass
class _Section:
    name: str
    inverted: bool
    nodes: list[_Node] = field(default_factory=list["_Node"])


_Node: TypeAlias = str | _Variable | _Section


class MustacheTemplate:
    """A text with variables `{{x}}`, `{{{x}}}` and sections `{{#xs}}...{{/xs}}`.

    As in LangChain, `{{x}}` escapes HTML and `{{{x}}}` does not; the variables are the names
    outside of sections, and names within sections that are missing are empty.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._nodes = _parsed(text)
        self.variables = tuple(
            dict.fromkeys(
                node.name.partition(".")[0]
                for node in self._nodes
                if not isinstance(node, str) and node.name != "."
            )
        )

    def format(self, values: Mapping[str, Any]) -> str:
        """Return the text with values in place of its variables."""
        refuse_missing(self.variables, values)
        return "".join(_rendered(self._nodes, [values]))


def _rendered(nodes: list[_Node], scopes: list[Any]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, str):
            yield node
            continue
        value = _looked_up(node.name, scopes)
        if isinstance(node, _Variable):
            text = "" if value is None or value is _MISSING else str(value)
            yield text.translate(_ESCAPES) if node.escapes else text
        elif node.inverted:
            yield from () if _is_true(value) else _rendered(node.nodes, scopes)
        elif _is_true(value):
            for item in _items(value):
                yield from _rendered(node.nodes, [*scopes, item])


def _looked_up(name: str, scopes: list[Any]) -> Any:
    if name == ".":
        return scopes[-1]
    first, *rest = name.split(".")
    found = (_item(scope, first) for scope in reversed(scopes))
    value = next((value for value in found if value is not _MISSING), _MISSING)
    for part in rest:
        value = _item(value, part)
    return value


def _item(scope: Any, name: str) -> Any:
    if isinstance(scope, Mapping):
        return cast("Mapping[str, Any]", scope).get(name, _MISSING)
    if isinstance(scope, list | tuple) and name.isdecimal():
        items = cast("Sequence[Any]", scope)
        return items[int(name)] if int(name) < len(items) else _MISSING
    return _MISSING


def _is_true(value: Any) -> bool:
    return value is not _MISSING and bool(value)


def _items(value: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list | tuple) else [value]


class _Tag(NamedTuple):
    before: str
    sigil: str
    name: str


def _parsed(text: str) -> list[_Node]:
    root, sections = list[_Node](), list[_Section]()
    for before, sigil, name in _tags(text):
        nodes = sections[-1].nodes if sections else root
        if before:
            nodes.append(before)
        if sigil == "/":
            if not sections or sections.pop().name != name:
                raise ValueError(f"{{{{/{name}}}}} ends no section: {text!r:.200}")
        elif sigil in ("#", "^"):
            nodes.append(section := _Section(name, inverted=sigil == "^"))
            sections.append(section)
            if len(sections) > _MAX_DEPTH:
                raise ValueError(f"Sections are nested more than {_MAX_DEPTH} deep: {text!r:.200}")
        elif name:
            nodes.append(_Variable(name, escapes=not sigil))
    if sections:
        name = sections[-1].name
        raise ValueError(f"The section {{{{#{name}}}}} has no {{{{/{name}}}}}: {text!r:.200}")
    return root


def _tags(text: str) -> Iterator[_Tag]:
    """Yield each tag and the text before it; at the end, the last text with a nameless tag."""
    opening, closing, position = "{{", "}}", 0
    pattern = _tag_pattern(opening, closing)
    # The pattern reads to the end of the text for each opening that has no end.
    while _has_tag(text, opening, closing, position):
        found = cast("re.Match[str]", pattern.search(text, position))
        margin, _, raw, sigil, name, end_of_line = found.groups()
        before, position = text[position : found.start("tag")], found.end("tag")
        # A tag other than a variable that is alone on its line takes up the whole line.
        if sigil in _ALONE and margin is not None and end_of_line is not None:
            before, position = before[: len(before) - len(margin)], found.end()
        if sigil == "=":
            opening, closing = _delimiters(name)
            pattern = _tag_pattern(opening, closing)
        if sigil in ("!", "="):
            yield _Tag(before, "", "")
        else:
            yield _Tag(before, "&" if raw is not None else sigil, _checked(raw or name, sigil))
    if (start := text.find("{{", position)) >= 0 and closing == "}}":
        raise ValueError(f"This tag has no end: {text[start:]!r:.200}")
    yield _Tag(text[position:], "", "")


def _has_tag(text: str, opening: str, closing: str, position: int) -> bool:
    start = text.find(opening, position)
    return start >= 0 and text.find(closing, start + len(opening)) >= 0


def _tag_pattern(opening: str, closing: str) -> re.Pattern[str]:
    tag = r"\{(.*?)\}|([#^/!&>=]?)(.*?)"
    return re.compile(
        rf"(^[ \t]*)?(?P<tag>{re.escape(opening)}(?:{tag}){re.escape(closing)})"
        r"([ \t]*(?:\r?\n|\Z))?",
        re.MULTILINE | re.DOTALL,
    )


def _checked(given: str, sigil: str | None) -> str:
    name = given.strip()
    if sigil == ">":
        raise ValueError(
            f"{{{{> {SafeText(name)}}}}}: there are no partials, which are other templates"
        )
    if not re.fullmatch(r"[^\s{}]+", name):
        raise ValueError(f"{{{{{SafeText(given)}}}}} is not the name of a variable")
    return name


def _delimiters(written: str) -> tuple[str, str]:
    given = written.strip().removesuffix("=").split()
    if len(given) != 2:
        raise ValueError(f"{{{{={written}}}}} does not set two delimiters")
    return given[0], given[1]
