from __future__ import annotations

import ast
import io
import unicodedata
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chatnb
from chatnb.callbacks import Run, StreamingStdOutCallbackHandler
from chatnb.schema import AIMessageChunk
from chatnb.terminal import (
    SafeText,
    print_code,
    print_line,
    replace_control_characters,
    warn,
    with_visible_characters,
    without_colours,
    write_text,
)
from tests.support.unseen_characters import UNSEEN

PACKAGE = Path(chatnb.__file__).parent
# Functions that put text on a screen, and the only modules that may use them.
DOORS = {
    "print": "terminal.py",
    "sys.stdout.write": "terminal.py",
    "sys.stderr.write": "terminal.py",
    "warnings.warn": "terminal.py",
    "publish_display_data": "notebook/widgets/mounting.py",
    "str.__new__": "markdown/html.py",
}
BIDI = {"ALM": "\u061c", "LRM": "\u200e", "RLO": "\u202e", "PDI": "\u2069"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc\r\nd é 中 🎉 \u200c", "a\tb\nc\nd é 中 🎉 \u200c"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b]52;c;eA==\x1b\\", "\\x1b]52;c;eA==\\x1b\\"),
        ("\x1b]8;;http://e.test\x07x", "\\x1b]8;;http://e.test\\x07x"),
        ("\x1b[2J\x9b2J\x8d\x7f\x08", "\\x1b[2J\\x9b2J\\x8d\\x7f\\x08"),
        ("safe\rFAKE\x0b\x0c", "safe\\x0dFAKE\\x0b\\x0c"),
        ("\u202ecod\u2069", "\\u202ecod\\u2069"),
        ("<JavaScript://%0ax> vbscript:///x", "<JavaScript:/\\x2f%0ax> vbscript:/\\x2f/x"),
        ("https://e.test s3://bucket javascript: //", "https://e.test s3://bucket javascript: //"),
    ],
)
def test_steering_characters_are_shown(text: str, shown: str) -> None:
    """Sequences for titles, the clipboard, links, the cursor and directions become visible, and
    addresses that are scripts, which JupyterLab would make links of, are broken."""
    assert SafeText(text) == shown


@pytest.mark.parametrize("character", [*UNSEEN, *BIDI.values(), "\x1b", "\x9b"])
def test_what_somebody_decides_about_is_seen(character: str) -> None:
    """Characters without a shape are escapes, too; others stay."""
    shown = with_visible_characters(f"a{character}é 中 🎉\tb\n")
    assert shown == f"a{ascii(character)[1:-1]}é 中 🎉\tb\n"
    assert with_visible_characters(shown) == shown


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf"])))
def test_no_text_steers_a_terminal(text: str) -> None:
    """No control character but tabs and line ends is left; a safe text is not changed again."""
    for safe in (SafeText(text), replace_control_characters(text)):
        left = set(safe) - set("\t\n")
        assert not [c for c in left if unicodedata.category(c) == "Cc" or c in BIDI.values()]
        assert SafeText(str(safe)) == safe


@given(
    st.lists(st.sampled_from(["java", "JAVASCRIPT", "vb", "script", ":", "/", "//x ", "\x07", "é"]))
)
def test_pieces_are_together_as_safe_as_a_whole(pieces: list[str]) -> None:
    """An address that is a script is broken wherever it is cut, and each piece comes at once."""
    stream = io.StringIO()
    with redirect_stdout(stream):
        handler = StreamingStdOutCallbackHandler()
        for count, piece in enumerate(pieces, 1):
            handler.on_token(
                Run("r", "model", "chat_model", datetime.now(UTC)), AIMessageChunk(piece)
            )
            assert stream.getvalue() == SafeText("".join(pieces[:count]))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\tb\nc\x0bd\x1f\x85", "a b c d  "),
        ("\x00a\x1b[31m\x7f\x9f", "�a�[31m��"),
        ("\u202ea\u2066", "�a�"),
        ("plain é 中", "plain é 中"),
    ],
)
def test_a_line_keeps_its_words_apart(text: str, line: str) -> None:
    """White space stays a space, and other controls are seen."""
    assert replace_control_characters(text) == line


def test_colours_can_be_taken_away() -> None:
    """Only whole sequences are; what else a bracket begins stays."""
    assert without_colours("\x1b[1;31mred\x1b[0m [0m \x1b[K\x1b]0;t") == "red [0m \x1b]0;t"


class Terminal(io.StringIO):
    """A stream that may be a terminal, and counts how often it is flushed."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal, self.flushed = is_terminal, 0

    def isatty(self) -> bool:
        return self.is_terminal

    def flush(self) -> None:
        self.flushed += 1


@pytest.mark.parametrize("is_terminal", [True, False])
def test_code_is_printed_in_colours_on_terminals_only(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    """And at once; what would steer the terminal is shown on both."""
    stream = Terminal(is_terminal=is_terminal)
    monkeypatch.setattr("sys.stdout", stream)
    print_code("def f(): pass  # \x07")
    written = stream.getvalue()
    assert without_colours(written) == "def f(): pass  # \\x07\n"
    assert ("\x1b[" in written) is is_terminal
    assert stream.flushed == 1


def test_text_is_written_at_once_where_there_is_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the stream that is given, else to standard output, which some programs do not have."""
    output, other = Terminal(is_terminal=False), Terminal(is_terminal=False)
    monkeypatch.setattr("sys.stdout", output)
    write_text("a\x07")
    print_line("b")
    print_line()
    write_text("c", file=other)
    assert (output.getvalue(), output.flushed) == ("a\\x07b\n\n", 3)
    assert (other.getvalue(), other.flushed) == ("c", 1)
    monkeypatch.setattr("sys.stdout", None)
    write_text("nobody sees it")


def test_warnings_cannot_steer_a_terminal() -> None:
    """A warning that quotes a server shows its characters, at the line of the caller."""
    with pytest.warns(UserWarning, match=r"model \\x1b\]0;x\\x07") as caught:
        warn("model \x1b]0;x\x07", stacklevel=1)
    assert caught[0].filename == __file__


def uses(source: str) -> set[str]:
    """Return the functions of `DOORS` that a module calls."""
    if not any(word in source for word in ("print(", "warn(", "write(", "publish_", "__new__(")):
        return set()
    names = {ast.unparse(n.func) for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)}
    return names & DOORS.keys()


def test_all_text_leaves_through_the_same_doors() -> None:
    """No module but its owner prints, warns, displays, or declares a text to be safe HTML."""
    found = {
        (name, str(path.relative_to(PACKAGE).as_posix()))
        for path in PACKAGE.rglob("*.py")
        for name in uses(path.read_text(encoding="utf-8"))
    }
    assert {(name, module) for name, module in found if DOORS[name] != module} == set()
    assert ("publish_display_data", DOORS["publish_display_data"]) in found
