"""The last exception of a notebook, with its code and the kinds of its values."""

from __future__ import annotations

import ast
import linecache
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from types import FrameType, FunctionType, ModuleType, TracebackType
from typing import Any, NamedTuple

from IPython.core.inputtransformer2 import TransformerManager

from chatnb.notebook.secrets import is_secret_name, secrets_in, without_secrets
from chatnb.notebook.value_kinds import kind_of

_MOST_TRACEBACK_LINES = 60
_MOST_VALUES = 40
_CELL_NUMBER = re.compile(r"In\[(\d+)\]")


class FailedCell(NamedTuple):
    """What there is to know of a failure; no secret is in it.

    Args:
        error: The exception.
        source: The cell to mend, as it was typed.
        line: The number of the line in it that failed, or None where that is not known.
        traceback: The traceback, its end if it is long.
        values: The kinds of the values that the failing code names.
        called_from: The cell that was run, if it is another one.
    """

    error: BaseException
    source: str
    line: int | None
    traceback: str
    values: dict[str, str]
    called_from: str

    def described(self) -> str:
        """All of it, in Markdown for a model."""
        where = "" if self.line is None else f" It failed at line {self.line}."
        parts = [f"The cell:{where}\n{_fenced(self.source)}"] if self.source else []
        if self.called_from:
            parts.append(f"It was called from this cell:\n{_fenced(self.called_from)}")
        parts.append(f"The traceback:\n```text\n{self.traceback}\n```")
        if self.values:
            kinds = "\n".join(f"- {name}: {kind}" for name, kind in self.values.items())
            parts.append(f"Its variables:\n{kinds}")
        return "\n\n".join(parts)


def last_error() -> BaseException | None:
    """The exception that a cell failed with last, or None."""
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    return error if isinstance(error, BaseException) else None


def failed_cell(shell: Any, error: BaseException) -> FailedCell:
    """Gather what a model needs in order to explain an exception.

    Args:
        shell: The IPython shell that the code ran in.
        error: The exception.
    """
    steps = [
        step
        for step in _steps(error.__traceback__)
        if shell.compile.format_code_name(step.tb_frame.f_code.co_filename)
    ]
    frames = [step.tb_frame for step in steps]
    names = secrets_in(shell.user_ns, *(frame.f_locals for frame in frames))
    sources = [_source(shell, frame.f_code.co_filename) for frame in frames]
    source = sources[-1] if sources else _unparsed(shell, error)
    called_from = sources[0] if sources and sources[0] != source else ""
    return FailedCell(
        error,
        without_secrets(source, names),
        steps[-1].tb_lineno if steps else getattr(error, "lineno", None),
        without_secrets(_traceback(error, steps), names),
        {name: without_secrets(kind, names) for name, kind in _values(frames, source).items()},
        without_secrets(called_from, names),
    )


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _source(shell: Any, filename: str) -> str:
    """A cell as it was typed; where it left no history, as it was compiled."""
    label = shell.compile.format_code_name(filename)
    number = _CELL_NUMBER.search(label[1]) if label else None
    typed = shell.history_manager.input_hist_raw if shell.history_manager else []
    if number and 0 < int(number[1]) < len(typed):
        return str(typed[int(number[1])]).rstrip()
    return "".join(linecache.getlines(filename)).rstrip()


def _unparsed(shell: Any, error: BaseException) -> str:
    """A cell that did not come to run: a syntax error is in no frame."""
    if not isinstance(error, SyntaxError):
        return ""
    if error.filename and shell.compile.format_code_name(error.filename):
        return _source(shell, error.filename)
    return (error.text or "").rstrip()


def _traceback(error: BaseException, steps: list[TracebackType]) -> str:
    """Only the frames from the first cell on: those before are IPython's own."""
    start = steps[0] if steps else None
    text = "".join(traceback.format_exception(type(error), error, start))
    lines = text.rstrip().splitlines()
    cut = len(lines) - _MOST_TRACEBACK_LINES
    return "\n".join([f"({cut} lines before)", *lines[cut:]] if cut > 0 else lines)


def _values(frames: list[FrameType], source: str) -> dict[str, str]:
    if not frames:
        return {}
    known: Mapping[str, Any] = {**frames[-1].f_globals, **frames[-1].f_locals}
    named = [name for name in _names(source) if name in known and not _is_code(known[name])]
    return {
        name: kind_of(known[name], shown=not is_secret_name(name)) for name in named[:_MOST_VALUES]
    }


def _names(source: str) -> list[str]:
    """The variables that a cell names, in order."""
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError):
        return []
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.arg))
    names = (node.id if isinstance(node, ast.Name) else node.arg for node in nodes)
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def _is_code(value: object) -> bool:
    """What the source or the reader's knowledge tells better than a kind."""
    return isinstance(value, ModuleType | FunctionType | type) or callable(value)


def _fenced(source: str) -> str:
    marks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", source) or [""]))
    return f"{marks}python\n{source}\n{marks}"
