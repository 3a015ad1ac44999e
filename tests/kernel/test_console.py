"""A real `jupyter console`: a terminal that has no widgets and no outputs to replace."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pexpect = pytest.importorskip("pexpect", reason="Windows has no terminals of this kind")

pytestmark = pytest.mark.slow

SECONDS = 120
OPTIONS = [
    # The console takes the kernel's "idle" after this question for the end of the cell
    # that it then runs, if it comes late, and prints nothing more until the cell has ended.
    "--ZMQTerminalInteractiveShell.use_kernel_is_complete=False",
    f"--ZMQTerminalInteractiveShell.kernel_timeout={SECONDS}",
    "--JupyterConsoleApp.confirm_exit=False",
]
ESCAPE = r"\x1b\[[0-9;?]*[A-Za-z]"
SETUP = """\
%load_ext chatnb
from chatnb import ChatPanel, ScriptedChatModel, UsageTable, ask
brief = ScriptedChatModel(["It *works*, once."], delay=0.02)
endless = ScriptedChatModel([["Again "] * 100_000], delay=0.02)"""


class Console:
    """A console, in which cells are typed."""

    def __init__(self, folder: Path) -> None:
        command = ["-m", "jupyter_console", *OPTIONS]
        folders = dict.fromkeys(["IPYTHONDIR", "JUPYTER_CONFIG_DIR"], str(folder))
        # pexpect does not tell where the cursor is.
        env = {**os.environ, **folders, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm"}
        self._process = pexpect.spawn(
            sys.executable,
            command,
            env=env,
            encoding="utf-8",
            timeout=SECONDS,
            dimensions=(50, 200),
        )
        self._number = 1
        self._prompt()

    def type(self, cell: str) -> None:
        """Type a cell, and run it."""
        # Without the kernel's word, the console runs a cell at its second empty line.
        for line in [*cell.split("\n"), "", ""]:
            self._process.send(f"{line}\r")

    def wait_for(self, text: str) -> None:
        """Wait until a text is printed."""
        self._process.expect_exact(text)

    def interrupt(self) -> None:
        """Press Control and C."""
        self._process.sendintr()

    def printed(self) -> str:
        """Wait for the next prompt, and return what was printed before it."""
        self._number += 1
        return self._prompt()

    def run(self, cell: str) -> str:
        """Run a cell, and return what it prints."""
        self.type(cell)
        return self.printed()

    def close(self) -> None:
        """End the console and its kernel."""
        self._process.sendeof()
        self._process.expect(pexpect.EOF)
        self._process.close()

    def _prompt(self) -> str:
        # Each part of the prompt has a colour.
        parts = map(re.escape, ("In [", str(self._number), "]: "))
        self._process.expect(f"(?:{ESCAPE})*".join(parts))
        return re.sub(ESCAPE, "", self._process.before)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console with chatnb loaded."""
    console = Console(tmp_path_factory.mktemp("console"))
    for line in SETUP.splitlines():
        console.run(line)
    yield console
    console.close()


def test_replies_are_printed_once(console: Console) -> None:
    """The first one, before chatnb knows that nobody shows widgets, and those that stream."""
    for _ in range(3):
        printed = console.run("%%chat -m brief\nDoes it?")
        assert printed.count("It *works*, once.") == 1
        assert printed.count("ScriptedChatModel") + printed.count("scripted ·") == 1


def test_an_interrupt_keeps_what_has_come(console: Console) -> None:
    """The text so far stays in the terminal and in the conversation, and the next cell runs."""
    console.run("%%chat -m brief\nHi")
    console.type("%%chat -m endless -c birds\nSing")
    console.wait_for("Again Again")
    console.interrupt()
    assert "Stopped" in console.printed()
    kept = console.run("ChatPanel(name='birds').messages[-1].text[:11]")
    assert kept.count("Again Again") == 1
    assert "4" in console.run("2 + 2")


def test_views_are_text(console: Console) -> None:
    """A panel, a table and the reply of `ask` are their text, and nothing of a widget."""
    for view in ("ChatPanel(brief)", "UsageTable(brief.generate([['One']]))", "ask('Hi', brief)"):
        printed = console.run(view)
        assert "model_id" not in printed
        assert "<" not in printed
        assert printed.strip()
