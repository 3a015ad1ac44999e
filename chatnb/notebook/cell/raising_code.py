"""The code that raised an error: the user's own or a package's, and the words of its messages."""

from __future__ import annotations

import ast
import dis
import linecache
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

_WORD = re.compile(r"[^\W\d_]+")


def is_installed(filename: str) -> bool:
    """Return whether a file belongs to Python or to a package."""
    parts = Path(filename).parts
    library = str(Path(traceback.__file__).parent)
    return "site-packages" in parts or filename.startswith((library, "<frozen"))


def is_raised_by(step: TracebackType) -> bool:
    """Return whether a frame's own code raises or asserts, and not C code that it calls."""
    code, place = step.tb_frame.f_code.co_code, step.tb_lasti
    if not 0 <= place < len(code):  # Of a traceback that a program has made.
        return True
    return dis.opname[code[place]] == "RAISE_VARARGS"


def is_raise_statement(tree: ast.AST, line: int) -> bool:
    """Return whether a statement on a line raises or asserts."""
    return any(
        isinstance(node, ast.Raise | ast.Assert)
        and node.lineno <= line <= (node.end_lineno or node.lineno)
        for node in ast.walk(tree)
    )


def words_of_messages(error: BaseException, steps: Sequence[TracebackType]) -> set[str]:
    """Return the words, in lower case, in the code of the packages that have raised an error."""
    # A message is a template of that code, filled with data: of a file, of a table, of an argument.
    modules = [sys.modules.get(cls.__module__) for cls in type(error).__mro__]
    files = [getattr(module, "__file__", None) or "" for module in modules]
    files += [step.tb_frame.f_code.co_filename for step in steps]
    return set(_WORD.findall(_text(filter(is_installed, files)).lower()))


def _text(files: Iterable[str]) -> str:
    return "".join(line for name in dict.fromkeys(files) for line in linecache.getlines(name))
