"""The code of a reply as the next cell, which nothing runs."""

from __future__ import annotations

import ast
import re
import textwrap
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from IPython.core.inputtransformer2 import TransformerManager

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# The views have these tables, too: `make wire-types`.
PYTHON = ("python", "py", "python3", "ipython", "ipython3", "jupyter")
"""The names of Python on a fence."""
SESSIONS = ("pycon", "ipython-session", "python-console", "doctest")
"""The names of a session of Python, with prompts and output."""
MAGICS = {
    **dict.fromkeys(("bash", "sh", "shell", "zsh", "console", "shell-session"), "bash"),
    **dict.fromkeys(("javascript", "js"), "javascript"),
    **dict.fromkeys(("markdown", "md"), "markdown"),
    **dict.fromkeys(("latex", "tex"), "latex"),
    **dict.fromkeys(("ruby", "rb"), "ruby"),
    **dict.fromkeys(("perl", "pl"), "perl"),
    "html": "html",
    "svg": "svg",
}
"""The cell magics of IPython for the names of other languages."""
_PROMPTS = {"python": (">>> ", "... "), "bash": ("$ ",)}


class CodeBlock(NamedTuple):
    """A block of code in a reply; a fence without a language is Python if it parses as Python."""

    language: str
    code: str


class CodeCell(NamedTuple):
    """The source of the next cell, or the reason why there is none."""

    source: str | None
    why_not: str = ""


def code_blocks(text: str) -> list[CodeBlock]:
    """Return the code blocks of a Markdown text, in order."""
    fences = (token for token in _parser().parse(text) if token.type == "fence")
    return [_block(token.info, token.content) for token in fences]


def code_cell(text: str, has_magic: Callable[[str], object]) -> CodeCell:
    """Return the code of a reply: its Python, or else the language that most of its code is in."""
    codes = defaultdict[str, list[str]](list)
    for language, code in code_blocks(text):
        if code:
            codes[MAGICS.get(language, language)].append(code)
    if not codes:
        return CodeCell(None, "The reply has no code block, so no cell was added.")
    if "python" in codes:
        # The magic of a cell holds for all of it, and has to stand first.
        plain = [code for code in codes["python"] if not code.startswith("%%")]
        return CodeCell("\n\n".join(plain or codes["python"][:1]))
    runnable = [magic for magic in codes if magic and has_magic(magic)]
    magic = max(runnable or codes, key=lambda magic: sum(map(len, codes[magic])))
    if runnable:
        return CodeCell(f"%%{magic}\n" + "\n\n".join(codes[magic]))
    reason = f"is {magic}, which no cell magic here runs" if magic else "names no language"
    return CodeCell(None, f"The code {reason}, so no cell was added.")


def add_cell_below(shell: Any, source: str) -> None:
    """Put text into a new cell below this one, or into a terminal's next prompt."""
    shell.set_next_input(source, replace=False)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").disable(["inline", "text_join"])


def _block(info: str, content: str) -> CodeBlock:
    # Models also write `python:file.py` and `{python}`.
    named = re.match(r"[{.]*([^\s{}:,]*)", info.strip())
    language = named[1].lower() if named else ""
    code = textwrap.dedent(content).rstrip()
    if language in PYTHON or (not language and _is_python(code)):
        return CodeBlock("python", code)
    if language in SESSIONS:
        return CodeBlock("python", _session_input(code, _PROMPTS["python"]))
    if MAGICS.get(language) == "bash" and code.startswith(_PROMPTS["bash"]):
        code = _session_input(code, _PROMPTS["bash"])
    return CodeBlock(language, code)


def _session_input(session: str, prompts: tuple[str, ...]) -> str:
    """Return the input lines of a session, without its output."""
    lines = (line for line in session.splitlines() if f"{line} ".startswith(prompts))
    return "\n".join(line[len(prompts[0]) :] for line in lines)


def _is_python(code: str) -> bool:
    try:
        ast.parse(TransformerManager().transform_cell(code))
    except (SyntaxError, ValueError):
        return False
    return bool(code)
