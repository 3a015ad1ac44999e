"""Plain text for terminals: characters that steer them are shown, and not obeyed."""

from __future__ import annotations

import re
import sys
import warnings
from functools import cache
from typing import TextIO

# Everything that ECMA-48 calls a control, C0 and C1, but tabs and line ends: terminals set titles,
# write the clipboard (OSC 52) and link (OSC 8) by them. And Unicode's Bidi_Control, which reorders.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_STEERING = re.compile(rf"\r\n|[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI}]")
# JupyterLab makes links of what programs print, whatever the scheme.
# Unicode's Default_Ignorable_Code_Point and separators of lines: nobody sees them in code.
_INVISIBLE = (
    r"[\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff]"
)
_SCRIPT_ADDRESS = re.compile("((?:java|vb)script:/)/", re.IGNORECASE)
_LONGEST_BEFORE_SLASH = len("javascript:/")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STEERING_IN_LINE = re.compile(rf"[\x00-\x1f\x7f-\x9f{_BIDI}]")


class SafeText(str):
    r"""Plain text that cannot steer a terminal: control and bidi characters are escapes.

    So is a slash of addresses that are scripts, which JupyterLab would make links of.

    Args:
        text: Any text.

    Example:
        >>> print(SafeText("a\x1b]0;title\x07 b"))
        a\x1b]0;title\x07 b
    """

    __slots__ = ()

    def __new__(cls, text: str) -> SafeText:
        if isinstance(text, SafeText):
            return text
        return super().__new__(cls, _without_scripts(_STEERING.sub(_escape, text)))


def with_visible_characters(text: str) -> SafeText:
    """Return what somebody decides about, with escapes for characters that would not be seen."""
    return SafeText(_invisible().sub(_escape, text))


def replace_control_characters(text: str) -> str:
    """Replace control and bidi characters in a line: white space by " ", others by U+FFFD."""
    return _STEERING_IN_LINE.sub(lambda match: " " if match[0].isspace() else "\ufffd", text)


def without_colours(text: str) -> str:
    """Return text without the escapes that colour it, as in tracebacks of IPython."""
    return _COLOUR.sub("", text)


def write_text(text: str, *, file: TextIO | None = None) -> None:
    """Write text to standard output, or to another stream, at once."""
    stream: TextIO | None = file or sys.stdout
    if stream is not None:  # As in programs without a console.
        stream.write(SafeText(text))
        stream.flush()


class PieceWriter:
    """Writes text that arrives in pieces to standard output, each piece at once."""

    # JupyterLab joins what is printed, so that two harmless pieces may be the address of a script.

    def __init__(self) -> None:
        self._written = ""  # The end of it.

    def write(self, piece: str) -> None:
        """Write the next piece."""
        text = _without_scripts(self._written + SafeText(piece))
        write_text(text[len(self._written) :])
        self._written = text[-_LONGEST_BEFORE_SLASH:]


def print_line(text: str = "") -> None:
    """Write text and a line end to standard output."""
    write_text(f"{text}\n")


def print_code(code: str) -> None:
    """Write Python code to standard output, in colours where that is a terminal."""
    safe = SafeText(code)
    if not sys.stdout.isatty():
        print_line(safe)
        return
    from pygments import highlight
    from pygments.formatter import Formatter
    from pygments.formatters import TerminalFormatter
    from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType]

    formatter: Formatter[str] = TerminalFormatter()
    sys.stdout.write(highlight(safe, get_lexer_by_name("python"), formatter))
    sys.stdout.flush()


def warn(message: str, *, stacklevel: int) -> None:
    """Warn as `warnings.warn` does; `stacklevel` counts from the caller."""
    warnings.warn(SafeText(message), stacklevel=stacklevel + 1)


@cache
def _invisible() -> re.Pattern[str]:
    return re.compile(_INVISIBLE)


def _without_scripts(text: str) -> str:
    return _SCRIPT_ADDRESS.sub(r"\1\\x2f", text)


def _escape(match: re.Match[str]) -> str:
    if match[0] == "\r\n":
        return "\n"
    code = ord(match[0])
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
