"""Tools on the notebook's own kernel: code that runs there, and a look at its variables."""

from __future__ import annotations

import asyncio
import base64
import inspect
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from reprlib import Repr
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.utils.capture import CapturedIO, capture_output

from chatnb.concurrency.cancellation import Abandoned
from chatnb.concurrency.main_thread import interrupts_raised, main_thread_work
from chatnb.concurrency.waiting import is_main_thread
from chatnb.errors import ChatnbError
from chatnb.notebook.kernel import wake_main_loop, within_cell
from chatnb.notebook.panel.variables import notebook_variables, summary
from chatnb.notebook.prompt import is_table, text_and_cut
from chatnb.redaction import REDACTED, environment_secrets, is_secret_name, redact, redact_value
from chatnb.schema.content.parts import encoded_part, text_part
from chatnb.schema.merging import Content, ContentPart
from chatnb.terminal import SafeText, print_line, without_colours
from chatnb.tools.base import tool

_MAX_OUTPUT = 8_000  # Characters of each kind of output, half of its begin and half of its end.
_MAX_PICTURES = 4
_MAX_PICTURE_BYTES = 1_000_000
_MAX_ROWS = 30
_PICTURES = ("image/png", "image/jpeg")
_PLAIN = (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range)
_NO_AWAIT = (
    "Code with a top-level await cannot run here, as the kernel's event loop is running. Put it "
    "into a function and run that on a thread of its own: "
    "concurrent.futures.ThreadPoolExecutor().submit(asyncio.run, main()).result()"
)


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
    lines = [f"{name}: {type(value).__module__}.{type(value).__qualname__}, {summary(value)}"]
    if is_table(value):
        lines += [_columns(value), _head(value, 5)]
    elif is_secret_name(name):
        lines.append(f"Its value is hidden: {REDACTED}")
    elif isinstance(value, _PLAIN):
        lines.append(_shortened(_short_repr(redact_value(value, environment_secrets()))))
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
    if asyncio._get_running_loop() is not None and shell.should_run_async(
        code, transformed_cell=shell.transform_cell(code)
    ):
        raise ValueError(_NO_AWAIT)
    with _tracebacks(shell) as tracebacks, capture_output() as captured, within_cell():
        ran = shell.run_cell(code, store_history=False)
    error = ran.error_before_exec or ran.error_in_exec
    if not main_thread_work.is_idle:  # Else the output of another cell would get it.
        _show(captured, tracebacks)
    if isinstance(error, KeyboardInterrupt):
        raise error
    return _content(captured, tracebacks)


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
    return f"{text[:half]}\n[… {more:,} characters are left out …]\n{text[-half:]}"


# Variables.


def _variable(name: str) -> Any:
    variables = notebook_variables()
    if name not in variables:
        known = ", ".join(list(variables)[:_MAX_ROWS]) or "none"
        raise LookupError(f"There is no variable {name!r:.80}. There are: {known}.")
    return variables[name]


def _short_repr(value: Any) -> str:
    short = Repr()
    short.maxstring = short.maxother = short.maxlong = 1_000
    short.maxdict = short.maxlist = short.maxtuple = short.maxset = short.maxfrozenset = 20
    return short.repr(value)


def _signature(name: str, value: Any) -> str:
    try:
        signature = str(inspect.signature(value))
    except (TypeError, ValueError):
        signature = "(...)"
    return f"{name}{signature}\n{(inspect.getdoc(value) or '')[:1_000]}"


def _attributes(value: Any) -> list[str]:
    return [name for name in dir(value) if not name.startswith("_")][:100]


def _columns(table: Any) -> str:
    names, types = getattr(table, "columns", None), getattr(table, "dtypes", None)
    if names is None or types is None:
        return f"dtype: {getattr(table, 'dtype', '')}"
    return "Columns: " + ", ".join(
        f"{name} ({type})" for name, type in list(zip(names, list(types), strict=False))[:100]
    )


def _head(table: Any, rows: int) -> str:
    """Return the first rows as Markdown, without columns whose names say that they are secret."""
    shown = table.head(rows)
    secret = [name for name in getattr(shown, "columns", ()) if is_secret_name(str(name))]
    if secret:
        shown = shown[[name for name in shown.columns if name not in secret]]
    text, cut = text_and_cut(shown)
    hidden = f"Hidden columns: {', '.join(map(str, secret))}" if secret else ""
    return SafeText("\n\n".join(filter(None, (text, cut, hidden))))
