"""A failed cell as a model is told of it: names, types, sizes, and code without values."""

from __future__ import annotations

import ast
import dis
import linecache
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from pathlib import Path
from types import FrameType, FunctionType, ModuleType, TracebackType
from typing import Any, NamedTuple

from IPython.core.inputtransformer2 import TransformerManager

from chatnb.notebook.cell.masking import Masks, placeholder
from chatnb.redaction import environment_secrets, redact

_SCALARS = (bool, int, float, complex, type(None))
_COLLECTIONS = (list, tuple, set, frozenset, dict)
_MAX_ITEMS = 3
_MAX_COLUMNS = 30
_MAX_COLUMN_CHARACTERS = 40
_MAX_TRACEBACK_LINES = 60
_MAX_VALUES = 40
_MAX_CHAIN = 10
# "datetime64[ns, Europe/Oslo]", "List(Int64)"; what is quoted may be a value, as of an enum.
_PLAIN_TYPE = re.compile(r"[\w<>=|.]{1,30}(?:[\[(<][\w<>=|., /()\[\]-]{0,60})?")
_WORD = re.compile(r"[^\W\d_]+")
_CELL_NUMBER = re.compile(r"In\[(\d+)\]")


class FailedCell(NamedTuple):
    """A failed cell with its traceback and the types of its variables, without any value."""

    # `source` and `called_from`, the cell that was run if that is another one, are masked; `typed`
    # is the source as it is, which does not leave. `line` is None where it is not known, and
    # `number` where the cell left no history.

    masks: Masks
    source: str
    line: int | None
    traceback: str
    values: dict[str, str]
    called_from: str
    typed: str
    number: int | None

    def to_markdown(self) -> str:
        """Describe the failure to a model."""
        where = "" if self.line is None else f" It failed at line {self.line}."
        parts = [f"The cell:{where}\n{_fenced(self.source)}"] if self.source else []
        if self.called_from:
            parts.append(f"It was called from this cell:\n{_fenced(self.called_from)}")
        parts.append(f"The traceback:\n```text\n{self.traceback}\n```")
        if self.values:
            values = "\n".join(f"- {name}: {value}" for name, value in self.values.items())
            parts.append(f"Its variables:\n{values}")
        return _redacted("\n\n".join(parts))

    @property
    def redacted_traceback(self) -> str:
        """The traceback alone."""
        return _redacted(self.traceback)


def _redacted(text: str) -> str:
    # No known form of a secret is left by the rule; this holds whatever becomes of the rule.
    return redact(text, environment_secrets(), by_name=False)


def last_error() -> BaseException | None:
    """Return the exception that a cell failed with last, or None."""
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    return error if isinstance(error, BaseException) else None


def cell_number(shell: Any, error: BaseException) -> int | None:
    """Return the number of the cell that was run when an error was raised, if it is known."""
    names = [step.tb_frame.f_code.co_filename for step in _steps(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        names.append(error.filename)
    labels = filter(None, map(shell.compile.format_code_name, names))
    numbers = filter(None, (_CELL_NUMBER.search(label[1]) for label in labels))
    first = next(numbers, None)
    return int(first[1]) if first else None


def failed_cell(shell: Any, error: BaseException) -> FailedCell:
    """Gather what a model needs to explain an exception."""
    steps = [step for step in _steps(error.__traceback__) if _is_cell(shell, step)]
    frames = [step.tb_frame for step in steps]
    cells = [_typed_cell(shell, frame.f_code.co_filename) for frame in frames]
    number, source = cells[-1] if cells else _unparsed(shell, error)
    called_from = cells[0][1] if cells and cells[0][1] != source else ""
    masks = Masks()
    masked = [masks.code(source), masks.code(called_from)]
    variables = _variables(frames, source)
    return FailedCell(
        masks,
        masked[0],
        steps[-1].tb_lineno if steps else getattr(error, "lineno", None),
        _Traceback(shell, masks, variables).text(error),
        {name: describe_value(variables[name]) for name in list(variables)[:_MAX_VALUES]},
        masked[1],
        source,
        number,
    )


def _is_cell(shell: Any, step: TracebackType) -> bool:
    return bool(shell.compile.format_code_name(step.tb_frame.f_code.co_filename))


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _typed_cell(shell: Any, filename: str) -> tuple[int | None, str]:
    """Return a cell's number and source as typed; where it left no history, as compiled."""
    label = shell.compile.format_code_name(filename)
    number = _CELL_NUMBER.search(label[1]) if label else None
    typed = shell.history_manager.input_hist_raw if shell.history_manager else []
    if number and 0 < int(number[1]) < len(typed):
        return int(number[1]), str(typed[int(number[1])]).rstrip()
    return None, "".join(linecache.getlines(filename)).rstrip()


def _unparsed(shell: Any, error: BaseException) -> tuple[int | None, str]:
    """Return the cell of a syntax error, which is in no frame."""
    if not isinstance(error, SyntaxError):
        return None, ""
    if error.filename and shell.compile.format_code_name(error.filename):
        return _typed_cell(shell, error.filename)
    return None, (error.text or "").rstrip()


class _Traceback:
    """Writes a traceback with masked code and messages."""

    def __init__(self, shell: Any, masks: Masks, variables: Mapping[str, Any]) -> None:
        self._shell = shell
        self._masks = masks
        self._names = {*variables, *shell.user_ns}
        texts = {name: value for name, value in variables.items() if type(value) in (str, bytes)}
        self._values = {
            value if isinstance(value, str) else value.decode("utf-8", "replace"): name
            for name, value in texts.items()
        }
        for value in variables.values():
            self._names |= {type(value).__name__, *map(str, _columns(value))}
        self._files: dict[str, list[str]] = {}

    def text(self, error: BaseException) -> str:
        """Return the traceback of an error and of those that led to it, the first of them first."""
        lines = list[str]()
        for index, found in enumerate(reversed(_chain(error))):
            lines += ["", "Then:", ""] if index else []
            lines += self._one(found)
        cut = len(lines) - _MAX_TRACEBACK_LINES
        return "\n".join([f"({cut} lines before)", *lines[cut:]] if cut > 0 else lines)

    def _one(self, error: BaseException) -> Iterator[str]:
        steps = list(_steps(error.__traceback__))
        # The frames before the first cell are IPython's own.
        first = next((i for i, step in enumerate(steps) if _is_cell(self._shell, step)), 0)
        if steps:
            yield "Traceback (most recent call last):"
        for step in steps[first:]:
            yield from self._step(step)
        name = type(error).__qualname__
        message = self._message(error, steps)
        yield f"{name}: {message}" if message else name
        for inner in getattr(error, "exceptions", ()):
            yield f"  with {type(inner).__qualname__}"

    def _step(self, step: TracebackType) -> Iterator[str]:
        code = step.tb_frame.f_code
        label = self._shell.compile.format_code_name(code.co_filename)
        where = " ".join(label) if label else f"File {Path(code.co_filename).name}"
        yield f"  {where}, line {step.tb_lineno}, in {code.co_name}"
        line = self._line(code.co_filename, step.tb_lineno)
        if line:
            yield f"    {line}"

    def _line(self, filename: str, number: int) -> str:
        is_cell = bool(self._shell.compile.format_code_name(filename))
        if not is_cell and _is_installed(filename):
            return ""
        # A file is masked as a whole: a line may be the inside of a string.
        if filename not in self._files:
            source = _typed_cell(self._shell, filename)[1] if is_cell else _file_text(filename)
            masks = self._masks if is_cell else Masks()
            self._files[filename] = masks.code(source).splitlines()
        lines = self._files[filename]
        return lines[number - 1].strip() if 0 < number <= len(lines) else ""

    def _message(self, error: BaseException, steps: Sequence[TracebackType]) -> str:
        try:
            text = str(error.msg) if isinstance(error, SyntaxError) else str(error)
        except Exception:  # Its class may raise anything.
            return ""
        last = steps[-1] if steps else None
        # One without steps was never raised, but for those of the parser.
        never_raised = last is None and not isinstance(error, SyntaxError)
        if never_raised or (last is not None and self._is_raised_by_user(last)):
            # Its code is shown, and what it says is a value.
            return placeholder(text) if text else ""
        # What C raises has no code to read; what it says of data, it quotes.
        is_raised = last is not None and _is_raised_by(last)
        has_words = is_raised or isinstance(error, BaseExceptionGroup)
        words = _words_of_messages(error, steps) if has_words else None
        return self._masks.message(text, self._names, self._values, words)

    def _is_raised_by_user(self, step: TracebackType) -> bool:
        """Return whether the code of a cell or of a file of the user's raises or asserts."""
        filename = step.tb_frame.f_code.co_filename
        is_cell = _is_cell(self._shell, step)
        if not is_cell and _is_installed(filename):
            return False
        # A traceback from another process has no code of its own.
        source = _typed_cell(self._shell, filename)[1] if is_cell else _file_text(filename)
        return _is_raised_by(step) or _is_raise_statement(_parsed(source), step.tb_lineno)


def _file_text(filename: str) -> str:
    return "".join(linecache.getlines(filename))


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and those that led to it, as Python prints them."""
    found = list[BaseException]()
    current: BaseException | None = error
    while current is not None and current not in found and len(found) < _MAX_CHAIN:
        found.append(current)
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)
    return found


def _variables(frames: list[FrameType], source: str) -> dict[str, Any]:
    """Return the variables that a cell names, in order."""
    if not frames:
        return {}
    known: Mapping[str, Any] = {**frames[-1].f_globals, **frames[-1].f_locals}
    named = [name for name in _names(source) if name in known and not _is_code(known[name])]
    return {name: known[name] for name in named}


def _parsed(source: str) -> ast.Module:
    """Return the tree of a cell or a file; an empty one if it cannot be parsed."""
    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _names(source: str) -> list[str]:
    """Return the variables that a cell names, in order."""
    nodes = (node for node in ast.walk(_parsed(source)) if isinstance(node, ast.Name | ast.arg))
    names = (node.id if isinstance(node, ast.Name) else node.arg for node in nodes)
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def _is_code(value: object) -> bool:
    return isinstance(value, ModuleType | FunctionType | type) or callable(value)


def _fenced(source: str) -> str:
    marks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", source) or [""]))
    return f"{marks}python\n{source}\n{marks}"


def describe_value(value: Any) -> str:
    """Return the type of a value, and its size, shape, columns or the types of its items."""
    # No code of the value's class runs but that of its shape and length.
    name = type(value).__qualname__
    if type(value) in _SCALARS:
        return name
    if type(value) in (str, bytes):
        return f"{name} of {len(value)}"
    if type(value) in _COLLECTIONS:
        return f"{name} of {len(value)}{_items(value)}"
    return f"{_full_name(type(value))}{_shape(value)}"


def _items(value: Any) -> str:
    first = [item for item, _ in zip(value, range(_MAX_ITEMS), strict=False)]
    if isinstance(value, Mapping):
        items = [f"{type(key).__qualname__}: {type(value[key]).__qualname__}" for key in first]
    else:
        items = [type(item).__qualname__ for item in first]
    more = ["..."] if len(value) > _MAX_ITEMS else []
    return f" ({', '.join([*items, *more])})" if items else ""


def _full_name(cls: type) -> str:
    plain = cls.__module__ in ("builtins", "__main__")
    return cls.__qualname__ if plain else f"{cls.__module__}.{cls.__qualname__}"


def _shape(value: Any) -> str:
    """Return the shape of an array or a table, with the names of its columns; else the length."""
    try:
        shape = getattr(value, "shape", None)
        text = f" of shape {tuple(shape)}" if isinstance(shape, tuple) and _are_sizes(shape) else ""
        if text and getattr(value, "columns", None) is not None:
            return f"{text} with columns {', '.join(map(repr, _columns(value)))}"
        dtype = getattr(value, "dtype", None)
        if text:
            return f"{text}, {_type_of_items(dtype)}" if dtype is not None else text
        return f" of {len(value)}" if isinstance(value, Sized) else ""
    except Exception:  # The class may raise anything; its name is known in any case.
        return ""


def _are_sizes(shape: Iterable[Any]) -> bool:
    return all(type(size) in (int, float) for size in shape)


def _type_of_items(dtype: Any) -> str:
    """Return the type of an array's items, which may have fields; where it has values, its name."""
    fields = getattr(dtype, "names", None)
    if type(dtype).__module__.partition(".")[0] == "numpy" and fields:
        return f"records with fields {', '.join(map(repr, map(_column, fields[:_MAX_COLUMNS])))}"
    text = "" if isinstance(dtype, str) else str(dtype)
    return text if _PLAIN_TYPE.fullmatch(text) else type(dtype).__qualname__


def _columns(value: Any) -> list[Any]:
    """Return the names of a table's columns; a label that is no short text or number is a type."""
    try:
        columns = getattr(value, "columns", None) if hasattr(value, "shape") else None
        named = zip(columns, range(_MAX_COLUMNS), strict=False) if columns is not None else ()
        return [_column(column) for column, _ in named]
    except Exception:  # The class may raise anything.
        return []


def _column(label: Any) -> Any:
    is_short = type(label) in (str, int) and len(str(label)) <= _MAX_COLUMN_CHARACTERS
    return label if is_short else type(label)


def _is_installed(filename: str) -> bool:
    """Return whether a file belongs to Python or to a package."""
    parts = Path(filename).parts
    library = str(Path(traceback.__file__).parent)
    return "site-packages" in parts or filename.startswith((library, "<frozen"))


def _is_raised_by(step: TracebackType) -> bool:
    """Return whether a frame's own code raises or asserts, and not C code that it calls."""
    code, place = step.tb_frame.f_code.co_code, step.tb_lasti
    if not 0 <= place < len(code):  # Of a traceback that a program has made.
        return True
    return dis.opname[code[place]] == "RAISE_VARARGS"


def _is_raise_statement(tree: ast.AST, line: int) -> bool:
    """Return whether a statement on a line raises or asserts."""
    return any(
        isinstance(node, ast.Raise | ast.Assert)
        and node.lineno <= line <= (node.end_lineno or node.lineno)
        for node in ast.walk(tree)
    )


def _words_of_messages(error: BaseException, steps: Sequence[TracebackType]) -> set[str]:
    """Return the words, in lower case, in the code of the packages that have raised an error."""
    # A message is a template of that code, filled with data: of a file, of a table, of an argument.
    modules = [sys.modules.get(cls.__module__) for cls in type(error).__mro__]
    files = [getattr(module, "__file__", None) or "" for module in modules]
    files += [step.tb_frame.f_code.co_filename for step in steps]
    code = "".join(map(_file_text, filter(_is_installed, dict.fromkeys(files))))
    return set(_WORD.findall(code.lower()))
