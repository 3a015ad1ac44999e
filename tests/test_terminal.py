from __future__ import annotations

import ast
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chatnb
from chatnb.terminal import SafeText, replace_control_characters, warn

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
        ("<JavaScript://%0ax> vbscript:///x", "<JavaScript:\\x2f/%0ax> vbscript:\\x2f//x"),
        ("https://e.test s3://bucket javascript: //", "https://e.test s3://bucket javascript: //"),
    ],
)
def test_steering_characters_are_shown(text: str, shown: str) -> None:
    """Sequences for titles, the clipboard, links, the cursor and directions become visible, and
    addresses that are scripts, which JupyterLab would make links of, are broken."""
    assert SafeText(text) == shown


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf"])))
def test_no_text_steers_a_terminal(text: str) -> None:
    """No control character but tabs and line ends is left; a safe text is not changed again."""
    for safe in (SafeText(text), replace_control_characters(text)):
        left = set(safe) - set("\t\n")
        assert not [c for c in left if unicodedata.category(c) == "Cc" or c in BIDI.values()]
        assert SafeText(str(safe)) == safe


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
