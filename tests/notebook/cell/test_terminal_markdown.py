"""Replies in a terminal with rich: Markdown that streams, and nothing that steers the terminal."""

from __future__ import annotations

import io
import re
import sys
from contextlib import redirect_stdout

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from rich.console import Console

from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ServerError
from chatnb.notebook import register
from chatnb.notebook.cell.terminal import MarkdownTerminalDisplay
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.widgets.tool_calls import ItemToolCall
from chatnb.schema import AIMessage
from tests.support.examples import examples

# Colours, the line above, erasing a line, and hiding the cursor: all that a reply may cause.
CONTROL = re.compile(r"\x1b\[(?:[\d;]*m|\d*A|2K|\?25[lh])|\r")
WORDS = ["one", "**two**", "`three`", "<b>four</b>", "[five](https://x.test/5)", "&amp;", "#", "-"]
BLOCKS = [
    "# Heading",
    "Words with *emphasis*\nin two lines.",
    "- item\n- other\n\n  of two paragraphs",
    "```python\nif x < 1:\n\n    y()\n```",
    "| a | b |\n|---|--:|\n| 1 | 22 |",
    "> quoted\nlazily",
    "<div>kept</div>",
    "[1]: https://ref.test",
    "1. first\n2. second",
    "---",
]


class Terminal(io.StringIO):
    """A stream that is a terminal, in which cells of a shell run."""

    def __init__(self, shell: InteractiveShell | None = None) -> None:
        super().__init__()
        self._shell = shell

    def run(self, cell: str) -> bool:
        """Run a cell; return whether it succeeded."""
        assert self._shell is not None
        with redirect_stdout(self):
            return bool(self._shell.run_cell(cell).success)

    def isatty(self) -> bool:
        return True

    def screen(self) -> str:
        """The lines that are left once all controls are obeyed."""
        lines, row = [""], 0
        for part in re.split(r"(\x1b\[\d*A|\x1b\[2K|\n)", self.getvalue()):
            up = re.fullmatch(r"\x1b\[(\d*)A", part)
            if up:
                row -= int(up[1] or 1)
            elif part == "\x1b[2K":
                lines[row] = ""
            elif part == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            else:
                lines[row] += CONTROL.sub("", part)
        return "\n".join(line.rstrip() for line in lines)


def console_of(terminal: Terminal, **given: int) -> Console:
    size = {"width": 70, "height": 24, **given}
    return Console(file=terminal, force_terminal=True, legacy_windows=False, **size)


def shown(*chunks: str, **size: int) -> str:
    """The screen after a reply in these chunks."""
    terminal = Terminal()
    display = MarkdownTerminalDisplay("m", console_of(terminal, **size))
    for chunk in chunks:
        display.append(chunk)
    display.end()
    assert "\x1b" not in CONTROL.sub("", terminal.getvalue())
    return terminal.screen()


@pytest.fixture
def terminal(bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    register(bare_shell)
    monkeypatch.setenv("TERM", "xterm-256color")
    return Terminal(bare_shell)


def test_a_cell_shows_markdown_and_its_footer(
    bare_shell: InteractiveShell, terminal: Terminal
) -> None:
    """Emphasis is no asterisks, a table has columns, the facts follow."""
    bare_shell.push({"m": ScriptedChatModel(["Some **bold**.\n\n| a | b |\n|---|---|\n| 1 | 2 |"])})
    terminal.run("%%chat -m m\nHi")
    screen = terminal.screen()
    assert "Some bold." in screen
    assert re.search(r"^ *1 +2$", screen, re.MULTILINE)
    assert re.search(r"^scripted · .* s", screen, re.MULTILINE)


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(60))
@given(
    st.lists(st.sampled_from([*BLOCKS, *WORDS]), min_size=1, max_size=8).map("\n\n".join),
    st.integers(1, 9),
)
def test_chunks_make_no_difference(text: str, length: int) -> None:
    """A text in any pieces makes the screen of the whole text: no block is lost or repeated."""
    chunks = [text[start : start + length] for start in range(0, len(text), length)]
    assert shown(*chunks) == shown(text)


@pytest.mark.parametrize("text", [*BLOCKS, *WORDS])
def test_every_word_is_there(text: str) -> None:
    """HTML, the addresses of links and definitions of references are shown as text."""
    words = re.findall(r"[a-zA-Z/:.<>]{3,}", text.replace("&amp;", "").replace("python", ""))
    screen = shown(text)
    assert [word for word in words if word not in screen] == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x1b]0;owned\x07b", "a\\x1b]0;owned\\x07b"),
        ("`\x1b[2J`", "\\x1b[2J"),
        ("```\n\x9b2J\n```", "\\x9b2J"),
        ("# \x1b]8;;http://e.test\x07x", "\\x1b]8;;http://e.test\\x07x"),
        ("&#x202e;cod &rlm;", "\\u202ecod \\u200f"),
        ("safe&#13;FAKE", "FAKE"),
        ("[a](javascript:x())", "javascript:x()"),
        ("![a *b*](https://t.test/i.png)", "(https://t.test/i.png)"),
        ("| a |\n|---|\n| \x1b[2J |", "\\x1b[2J"),
    ],
)
def test_nothing_steers_the_terminal(text: str, kept: str) -> None:
    """Controls are shown, those of entities too, and links are no links of the terminal."""
    assert kept in shown(text)
    assert shown(*text) == shown(text)


def test_a_block_that_is_longer_than_the_screen_is_shown_once() -> None:
    """Its end is in sight while it grows; no line of it is left twice."""
    lines = [f"line_{number}" for number in range(200)]
    chunks = ["```\n", *(f"{line}\n" for line in lines), "```\n"]
    assert shown(*chunks, height=12).split() == lines


def test_a_reply_that_breaks_off_keeps_its_text(
    bare_shell: InteractiveShell, terminal: Terminal
) -> None:
    """The open block is printed, then the facts and the error."""
    broken = ScriptedChatModel([["```python\nx = 1", ServerError("Overloaded.")]])
    bare_shell.push({"broken": broken})
    assert not terminal.run("%%chat -m broken\nHi")
    screen = terminal.screen()
    assert screen.index("x = 1") < screen.index("Broke off · ") < screen.index("ServerError")


def test_typed_replies_and_comparisons_are_drawn_too(
    bare_shell: InteractiveShell, terminal: Terminal
) -> None:
    """JSON keeps its lines, as code; compared replies stand below each other, under their names."""
    bare_shell.push({"m": ScriptedChatModel(['{\n  "a": 1\n}', "**Two**."])})
    bare_shell.push({"any": {"title": "any", "type": "object"}})
    terminal.run("%%chat -m m --schema any\nHi")
    assert re.search(r'^ *\{\n +"a": 1\n *\}$', terminal.screen(), re.MULTILINE)
    terminal.run("%%chat --compare m,scripted:Yes.\nHi")
    assert re.search(r"^ *m\n\nTwo\.\n\nscripted", terminal.screen(), re.MULTILINE)


@pytest.mark.parametrize("without", ["rich", "a capable terminal", "wish"])
def test_plain_text_stays_plain(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    """Without rich, in a dumb terminal, and where `CHATNB_VIEW=text` asks for it."""
    match without:
        case "rich":
            monkeypatch.setitem(sys.modules, "rich.console", None)
        case "a capable terminal":
            monkeypatch.setenv("TERM", "dumb")
        case _:
            monkeypatch.setenv("CHATNB_VIEW", "text")
    terminal.run("%%chat -m 'scripted:Some **bold** words.'\nHi")
    assert terminal.getvalue().startswith("Some **bold** words.\nscripted · ")


def test_a_reply_is_printed_block_by_block() -> None:
    """With notes and calls between its blocks, and nothing after its end."""
    file = io.StringIO()
    display = MarkdownTerminalDisplay("m", Console(file=file, width=60, color_system=None))
    call = ItemToolCall(id="c", name="look", arguments='{"n": 1}', state="done", result="ok")
    open_call = ItemToolCall(id="d", name="look", arguments="{}", state="running", result="")
    display.show_note("")
    display.show_note("Trying again.")
    display.append("One *line*.\n\n")
    display.append("Two.")
    display.show_calls([call, open_call])
    display.show_calls([call, {**open_call, "state": "failed", "result": "KeyError"}])
    display.append("Three ![pic](https://x.test/a.png) ![](b.png).")
    display.end()
    display.append("Late.")
    assert [line.rstrip() for line in file.getvalue().splitlines() if line.strip()] == [
        "m: Trying again.",
        "One line.",
        "Two.",
        "look(n=1) → ok",
        "look(): failed, KeyError",
        "Three pic (https://x.test/a.png) image (b.png).",
    ]
    display.finish(Reply(AIMessage("Three."), "done", 1.0), "Notice.")
    assert file.getvalue().splitlines()[-2:] == ["m · 1.0 s", "Notice."]
