"""The code of a reply as the next cell: put there, and never run."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from IPython.core.inputtransformer2 import TransformerManager
from markdown_it import MarkdownIt

_PYTHON = frozenset({"python", "py", "python3", "ipython", "ipython3", "jupyter"})
_SESSIONS = frozenset({"pycon", "ipython-session", "python-console", "doctest"})
_MAGICS = {
    "sh": "bash",
    "shell": "bash",
    "zsh": "bash",
    "console": "bash",
    "js": "javascript",
    "md": "markdown",
    "tex": "latex",
    "rb": "ruby",
    "pl": "perl",
}
"""Where a cell magic goes by another name than the language on the fence."""


class Block(NamedTuple):
    """A block of code in a reply.

    Args:
        language: The first word on its fence, in small letters; "python" where there is none and
            it reads as Python.
        code: Its lines, without a line end.
    """

    language: str
    code: str


class CodeCell(NamedTuple):
    """What to put into the next cell.

    Args:
        source: Its text, or None if there is nothing to put there.
        why_not: Then the reason.
    """

    source: str | None
    why_not: str = ""


def blocks_of(text: str) -> list[Block]:
    """The code blocks of a reply, in order.

    Args:
        text: Markdown.

    Example:
        >>> blocks_of("So:\\n```bash\\nls\\n```")
        [Block(language='bash', code='ls')]
    """
    fences = (token for token in _parser().parse(text) if token.type == "fence")
    return [_block(token.info, token.content) for token in fences]


def code_cell(text: str, has_magic: Callable[[str], object]) -> CodeCell:
    """The code of a reply: its blocks of the language that most of its code is in, one below the
    other.

    Args:
        text: The reply, in Markdown.
        has_magic: Whether there is a cell magic of a name.

    Example:
        >>> code_cell("First\\n```python\\nx = 1\\n```\\nthen\\n```python\\nx\\n```", bool)
        CodeCell(source='x = 1\\n\\nx', why_not='')
        >>> code_cell("```sh\\nls\\n```", bool).source
        '%%bash\\nls'
    """
    codes = defaultdict[str, list[str]](list)
    for language, code in blocks_of(text):
        if code:
            codes[language].append(code)
    if not codes:
        return CodeCell(None, "The reply has no code block, so no cell was added.")
    language = max(codes, key=lambda each: sum(map(len, codes[each])))
    source = "\n\n".join(codes[language])
    if language == "python":
        return CodeCell(source)
    magic = _MAGICS.get(language, language)
    if magic and has_magic(magic):
        return CodeCell(f"%%{magic}\n{source}")
    kind = f"is {language}, which no cell magic here runs" if language else "names no language"
    return CodeCell(None, f"The code {kind}, so no cell was added.")


def put_below(shell: Any, source: str) -> None:
    """Put text into a new cell below this one, or into a terminal's next prompt; nothing runs it.

    Args:
        shell: The IPython shell.
        source: The text.
    """
    shell.set_next_input(source, replace=False)


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").disable(["inline", "text_join"])


def _block(info: str, content: str) -> Block:
    words = info.split()
    language = words[0].strip("{}.").lower() if words else ""
    code = content.rstrip()
    if language in _SESSIONS:
        return Block("python", _typed_in(code))
    if language in _PYTHON or (not language and _is_python(code)):
        return Block("python", code)
    return Block(language, code)


def _typed_in(session: str) -> str:
    """What was typed into a Python session, without what it answered."""
    prompts = (">>> ", "... ")
    lines = (line for line in session.splitlines() if f"{line} ".startswith(prompts))
    return "\n".join(line[4:] for line in lines)


def _is_python(code: str) -> bool:
    try:
        ast.parse(TransformerManager().transform_cell(code))
    except (SyntaxError, ValueError):
        return False
    return bool(code)
