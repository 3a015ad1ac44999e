"""Mermaid diagrams that only draw."""

from __future__ import annotations

import re

# JupyterLab draws `mermaid` fences. Mermaid has statements, styles, directives and labels that
# fetch, and gets more of them with each version: only the types, statements and characters below
# are let through. Not `click`, `style`, `classDef`, `linkStyle`, `link(s)`, `properties`, `rect`.
# `js/src/markdown/diagrams.ts` decides the same of replies that stream, by the same patterns.

TYPE = re.compile(
    r"(?:flowchart|graph)(?: (?:TB|TD|BT|LR|RL))?|sequenceDiagram|classDiagram(?:-v2)?"
    r"|stateDiagram(?:-v2)?|erDiagram|pie(?: showData)?(?: title [^\n]*)?"
)
STATEMENT = re.compile(
    # A keyword and words, or a name with what does not make it a keyword, or no name.
    r"(?:activate|actor|alt|and|autonumber|break|class|critical|deactivate|direction|else|end|loop"
    r"|namespace|note|opt|option|par|participant|state|subgraph|title)\b.*"
    r"|\w[\w.-]*\s*(?:$|[^\s\w\"].*|[ox][-=.].*)"
    r"|[^\w\s].*|",
    re.IGNORECASE,
)
# The lines in these braces are no statements.
MEMBERS = {
    "classDiagram": re.compile(r"class [\w.~-]+\s*\{"),
    "erDiagram": re.compile(r"(?!acc|class|direction|style|title)[\w-]+\s*\{", re.IGNORECASE),
}
MEMBER = re.compile(r"[^{}]*|\}")
# Text cannot be HTML, an entity, Markdown, a formula, a directive, or the parameters of a shape.
CHARACTERS = re.compile(
    r"(?:[\w\s,.!?'\"*+=^~:/()\[\]{}|>-]|[^\x00-\x7f]|%(?!%\{)|& |#(?!\w)|\$(?!\$)|<br ?/?>"
    r"|<<(?:abstract|choice|enumeration|fork|interface|join|service)>>|<(?=[|.=~-]))*"
)


def is_inert_diagram(source: str) -> bool:
    """Return whether the source of a mermaid diagram can neither fetch nor act."""
    lines = [line.strip(" \t") for line in source.strip("\n").split("\n")]
    if not all(line.isprintable() and CHARACTERS.fullmatch(line) for line in lines):
        return False
    if not TYPE.fullmatch(lines[0]):
        return False
    opening = MEMBERS.get(lines[0].removesuffix("-v2"))
    is_member = False
    for line in lines[1:]:
        if not (MEMBER if is_member else STATEMENT).fullmatch(line):
            return False
        if opening is not None:
            is_member = line != "}" if is_member else opening.fullmatch(line) is not None
    return True
