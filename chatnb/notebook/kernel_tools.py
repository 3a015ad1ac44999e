"""Tools on the notebook's own kernel: code that runs there, and a look at its variables."""

from __future__ import annotations

import asyncio
import base64
import inspect
import sys
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from functools import partial
from io import StringIO
from itertools import islice
from reprlib import Repr
from typing import Any

from IPython.core.async_helpers import _asyncio_runner
from IPython.core.getipython import get_ipython
from IPython.utils.capture import CapturedIO, capture_output

from chatnb.concurrency.cancellation import Abandoned
from chatnb.concurrency.main_thread import (
    interrupts_raised,
    main_thread_work,
    on_interrupt,
    run_within_loop,
)
from chatnb.concurrency.waiting import has_threads, is_main_thread
from chatnb.errors import ChatnbError
from chatnb.notebook.kernel import wake_main_loop, within_cell
from chatnb.notebook.panel.variables import notebook_variables, summary
from chatnb.notebook.values import is_table, text_and_cut, without_secrets, written
from chatnb.redaction import REDACTED, environment_secrets, is_secret_name, redact, redact_value
from chatnb.schema.characters import replace_surrogates
from chatnb.schema.content.parts import encoded_part, text_part
from chatnb.schema.merging import Content, ContentPart
from chatnb.terminal import SafeText, print_line, without_colours
from chatnb.tools.decorator import tool

_MAX_SHOWN = 1_000_000
_LEFT_OUT = "\n[… {:,} characters are left out …]\n"
_MAX_OUTPUT = 8_000  # Characters of each kind of output, half of its begin and half of its end.
_MAX_PICTURES = 4
_MAX_PICTURE_BYTES = 1_000_000
_MAX_ROWS = 30
_PICTURES = ("image/png", "image/jpeg")
# A repr of these runs no code of the user's, and is short.
_WITH_SHORT_REPR = ("datetime", "decimal", "fractions", "numpy", "pandas", "pathlib", "uuid")
_MAX_ITEMS = 20
_MAX_DEPTH = 5
_MAX_STRING = 1_000
_MAX_BITS = 4_000
_COLLECTIONS = (dict, list, tuple, set, frozenset)
_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, *_COLLECTIONS)
_NO_AWAIT = "Code with a top-level await cannot run here, as a browser has but one event loop."
_NO_EXIT = "exit and quit would end the user's kernel with all variables, and are not for tools."


class NoKernelError(ChatnbError, RuntimeError):
    """There is no notebook or IPython in which code could run."""


class CodeInterruptedError(ChatnbError, RuntimeError):
    """The user interrupted code that a model had run."""


@tool
def run_python(code: str) -> Any:
    """Run Python code in the user's notebook, whose variables it reads and sets.

    The result is what the code prints and shows, the value of its last line, and the traceback if
    it fails. Figures come back as pictures. The user sees all of it.

    Args:
        code: The code, of any number of lines.
    """
    shell = _shell()
    if is_main_thread():
        with interrupts_raised():
            return _result(shell, code)
    running = main_thread_work.submit(partial(_result, shell, code), wake_main_loop)
    try:
        return running.result()
    except KeyboardInterrupt:
        on_interrupt.get()()
        raise CodeInterruptedError("KeyboardInterrupt: the user stopped the code.") from None
    except Exception:
        raise
    except BaseException:  # The reply was stopped: so is the code.
        main_thread_work.cancel(running, Abandoned())
        raise


@tool
def describe_variable(name: str) -> str:
    """Describe a variable of the user's notebook, without changing anything.

    Args:
        name: The name of the variable.
    """
    value = _variable(name)
    type_ = type(value)
    lines = [f"{name}: {type_.__module__}.{type_.__qualname__}, {summary(value)}"]
    if is_secret_name(name) or _has_secret_fields(value):
        lines.append(f"Its value is hidden: {REDACTED}")
    elif is_table(value):
        lines += [_columns(value), _head(value, 5)]
    elif isinstance(value, _PLAIN):
        lines.append(_short_repr(redact_value(_bounded(value), environment_secrets())))
    elif type_.__module__.partition(".")[0] in _WITH_SHORT_REPR:
        lines.append(_shortened(written(value, _short_repr)))
    elif _has_columns(type_):
        lines.append(_columns(value))
    elif callable(value):
        lines.append(_signature(name, value))
    else:
        lines.append(f"Attributes: {', '.join(_attributes(value))}")
    return redact("\n".join(filter(None, lines)), environment_secrets())


@tool
def dataframe_head(name: str, rows: int = 5) -> str:
    """Show the first rows of a DataFrame or Series of the user's notebook.

    Args:
        name: The name of the variable.
        rows: The number of rows, at most 30.
    """
    value = _variable(name)
    if is_secret_name(name):
        raise LookupError(f"The values of {name} are hidden, as its name is that of a secret.")
    if not is_table(value):
        raise LookupError(f"{name} is no DataFrame but {type(value).__name__}: {summary(value)}.")
    shown = _head(value, max(1, min(rows, _MAX_ROWS)))
    return redact(f"{summary(value)}\n\n{shown}", environment_secrets())


# Code.


def _shell() -> Any:
    shell = get_ipython()
    if shell is None:
        raise NoKernelError("run_python needs a notebook or IPython, and there is none here.")
    return shell


def _result(shell: Any, code: str) -> Content:
    """Run code on the main thread, and return its output as the content of a message."""
    with (
        _tracebacks(shell) as tracebacks,
        _no_exit(shell),
        _awaiting(shell),
        _captured(shell) as captured,
        within_cell(),
    ):
        ran = shell.run_cell(code, store_history=False)
    error = ran.error_before_exec or ran.error_in_exec
    if not main_thread_work.is_idle:  # Else the output of another cell would get it.
        _show(captured, tracebacks)
    if isinstance(error, KeyboardInterrupt):
        raise error
    return _content(captured, tracebacks)


@contextmanager
def _captured(shell: Any) -> Generator[CapturedIO]:
    """Capture the output of code, and let the kernel take messages meanwhile."""
    publisher = shell.display_pub
    # Within the trap, that of the code does not bring the hook back that shows values.
    with shell.display_trap, capture_output() as captured:
        # Messages of widgets come on another thread, and each one tells the publisher.
        if hasattr(publisher, "set_parent"):
            shell.display_pub.set_parent = publisher.set_parent
        captured._stdout = sys.stdout = _BoundedText()
        captured._stderr = sys.stderr = _BoundedText()
        yield captured


class _BoundedText(StringIO):
    """Text that is written, of which the beginning and the end are kept."""

    # Code may print without end, until it is interrupted.

    def __init__(self) -> None:
        super().__init__()
        self._end = list[str]()
        self._left_out = self._end_size = 0

    def write(self, text: str, /) -> int:
        """Write text; half of a surrogate pair, which a kernel cannot send, is replaced."""
        cleaned = replace_surrogates(text)
        room = max(0, _MAX_SHOWN // 2 - self.tell())
        super().write(cleaned[:room])
        if rest := cleaned[room:]:
            self._end.append(rest)
            self._end_size += len(rest)
            if self._end_size > _MAX_SHOWN:
                self._cut()
        return len(text)

    def getvalue(self) -> str:
        """Return what is kept, with the number of characters between."""
        self._cut()
        between = _LEFT_OUT.format(self._left_out) if self._left_out else ""
        return super().getvalue() + between + "".join(self._end)

    def _cut(self) -> None:
        end = "".join(self._end)
        cut = max(0, len(end) - _MAX_SHOWN // 2)
        self._left_out += cut
        self._end, self._end_size = [end[cut:]], len(end) - cut


@contextmanager
def _awaiting(shell: Any) -> Generator[None]:
    """Let code await although the kernel's event loop runs, which IPython would run once more."""
    before = shell.loop_runner
    if asyncio._get_running_loop() is None or before is not _asyncio_runner:
        yield
        return
    shell.loop_runner = run_within_loop if has_threads() else _refuse_to_await
    try:
        yield
    finally:
        shell.loop_runner = before


def _refuse_to_await(coroutine: Coroutine[Any, Any, Any]) -> None:
    coroutine.close()
    raise ValueError(_NO_AWAIT)


@contextmanager
def _tracebacks(shell: Any) -> Generator[list[str]]:
    """Gather tracebacks: a kernel would send them as the failure of the cell that waits."""
    gathered = list[str]()

    def keep(type: object, error: object, lines: list[str]) -> None:
        gathered.append("\n".join(lines))

    shell._showtraceback = keep
    try:
        yield gathered
    finally:
        del shell._showtraceback


@contextmanager
def _no_exit(shell: Any) -> Generator[None]:
    """Let `exit` and `quit` fail: they would end the kernel once the cell is done."""

    def refuse() -> None:
        __tracebackhide__ = True
        raise RuntimeError(_NO_EXIT)

    shell.ask_exit = refuse
    try:
        yield
    finally:
        del shell.ask_exit


def _show(captured: CapturedIO, tracebacks: list[str]) -> None:
    """Show the output in the cell that waits for the code."""
    captured.show()
    for traceback in tracebacks:
        print_line(without_colours(traceback))


def _content(captured: CapturedIO, tracebacks: list[str]) -> Content:
    texts, pictures = [captured.stdout], list[ContentPart]()
    for output in captured.outputs:
        data = output.data
        picture = _picture(data)
        if picture is not None:
            pictures.append(picture)
        else:
            texts.append(str(data.get("text/plain", "")))
    texts += [captured.stderr, *tracebacks]
    text = "\n".join(_shortened(part.rstrip("\n")) for part in texts if part.strip())
    left_out = len(pictures) - _MAX_PICTURES
    if left_out > 0:
        text += f"\n[{left_out} more pictures are left out.]"
    text = redact(without_colours(text).strip(), environment_secrets(), by_name=False)
    if not pictures:
        return text or "[The code ran and printed nothing.]"
    return [text_part(text or "[Figures]"), *pictures[:_MAX_PICTURES]]


def _picture(data: dict[str, Any]) -> ContentPart | None:
    mime = next((mime for mime in _PICTURES if mime in data), None)
    if mime is None:
        return None
    given = data[mime]
    encoded = base64.b64encode(given).decode() if isinstance(given, bytes) else given
    encoded = "".join(encoded.split())
    if len(encoded) > _MAX_PICTURE_BYTES:
        return text_part(f"[A picture of {len(encoded):,} bytes is left out.]")
    return encoded_part(mime, encoded)


def _shortened(text: str) -> str:
    if len(text) <= _MAX_OUTPUT:
        return text
    half, more = _MAX_OUTPUT // 2, len(text) - _MAX_OUTPUT
    return text[:half] + _LEFT_OUT.format(more) + text[-half:]


# Variables.


def _variable(name: str) -> Any:
    variables = notebook_variables()
    if name not in variables:
        known = ", ".join(list(variables)[:_MAX_ROWS]) or "none"
        raise LookupError(f"There is no variable {name!r:.80}. There are: {known}.")
    return variables[name]


def _bounded(value: Any, depth: int = 0) -> Any:
    """Return as much of plain data as is shown: what is redacted is all that is looked at."""
    if isinstance(value, str | bytes):
        return value[:_MAX_STRING]
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return f"<int of {value.bit_length():,} bits>"
    if not isinstance(value, _COLLECTIONS):
        return value
    if depth == _MAX_DEPTH:
        return "…"
    first = [*islice(value, _MAX_ITEMS + 1)]
    if isinstance(value, dict):
        return {key: _bounded(value[key], depth + 1) for key in first}
    bounded = [_bounded(item, depth + 1) for item in first]
    return type(value)(bounded) if type(value) in (set, frozenset) else bounded


def _short_repr(value: Any) -> str:
    short = Repr()
    short.maxstring = short.maxother = short.maxlong = _MAX_STRING
    short.maxdict = short.maxlist = short.maxset = short.maxfrozenset = _MAX_ITEMS
    return short.repr(value)


def _signature(name: str, value: Any) -> str:
    try:
        signature = str(inspect.signature(value))
    except (TypeError, ValueError):
        signature = "(...)"
    return f"{name}{signature}\n{(inspect.getdoc(value) or '')[:1_000]}"


def _attributes(value: Any) -> list[str]:
    try:
        names = dir(value)
    except Exception:  # Of the value's class, which may have a `__dir__`.
        names = dir(type(value))
    return [name for name in names if not name.startswith("_")][:100]


def _has_secret_fields(value: Any) -> bool:
    """Return whether an array of numpy has fields with names of secrets."""
    is_array = type(value).__module__ == "numpy" and hasattr(value, "dtype")
    return is_array and any(map(is_secret_name, value.dtype.names or ()))


def _has_columns(type_: type) -> bool:
    """Return whether values of a type are frames of another library, or such as are not read."""
    return all(hasattr(type_, name) for name in ("columns", "dtypes"))


def _columns(table: Any) -> str:
    if hasattr(type(table), "collect_schema"):  # A lazy frame of polars.
        found = table.collect_schema().items()
    elif getattr(table, "columns", None) is None:
        return f"dtype: {getattr(table, 'dtype', '')}"
    else:
        # Of Spark these are pairs.
        types = (each[-1] if isinstance(each, tuple) else each for each in table.dtypes)
        found = zip(table.columns, types, strict=False)
    return "Columns: " + ", ".join(f"{name} ({type})" for name, type in islice(found, 100))


def _head(table: Any, rows: int) -> str:
    """Return the first rows as Markdown, without columns whose names say that they are secret."""
    shown, secret = without_secrets(table.head(rows))
    text, cut = text_and_cut(shown)
    hidden = f"Hidden columns: {', '.join(secret)}" if secret else ""
    return SafeText("\n\n".join(filter(None, (text, cut, hidden))))
