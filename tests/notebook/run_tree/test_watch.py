from __future__ import annotations

import _thread
import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ServerError
from chatnb.notebook import register
from chatnb.output_parsers import StrOutputParser
from chatnb.schema import AIMessageChunk
from tests.support.hangs import is_waiting


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    bare_shell.push({"chain": ScriptedChatModel(["Some words."]) | StrOutputParser()})
    return bare_shell


def test_log_shows_the_tree_below_the_reply(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reply and its facts come first, then the run that gave it."""
    shell.run_cell("%%chat -m 'scripted:Some words.' --log\nHi").raise_error()
    reply, facts, run, *_ = capsys.readouterr().out.splitlines()
    assert reply == "Some words."
    assert facts.startswith("scripted · ")
    assert run.startswith("ScriptedChatModel · llm · ")


def test_the_log_of_a_failed_reply_is_shown_too(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tree says what went wrong and where; the cell fails as it would without it."""
    shell.push({"unlucky": ScriptedChatModel([["Half", ServerError("Overloaded.")]])})
    ran = shell.run_cell("%%chat -m unlucky --log\nHi")
    assert not ran.success
    shown = capsys.readouterr().out
    assert "ScriptedChatModel · llm · failed" in shown
    assert "ServerError: Overloaded." in shown


class Stubborn(ScriptedChatModel):
    """A model that does not stop."""

    def __init__(self) -> None:
        super().__init__(["x"])
        self.begun, self.over = threading.Event(), threading.Event()

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        yield AIMessageChunk("Half")
        self.begun.set()
        while not self.over.is_set():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)


def test_a_cell_does_not_wait_for_the_log_of_a_reply_that_does_not_stop(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interrupted cell shows the tree as far as it has come."""
    monkeypatch.setattr("chatnb.notebook.cell.turn._STOP_SECONDS", 0.1)
    stubborn, ended, main = Stubborn(), threading.Event(), threading.get_ident()
    shell.push({"stubborn": stubborn})

    def interrupt() -> None:
        stubborn.begun.wait(60)
        while not is_waiting(sys._current_frames()[main]):
            time.sleep(0.001)
        _thread.interrupt_main()
        if not ended.wait(60):
            stubborn.over.set()

    threading.Thread(target=interrupt, daemon=True).start()
    shell.run_cell("%%chat -m stubborn --log\nHi")
    ended.set()
    assert not stubborn.over.is_set(), "the cell waits for the log"
    stubborn.over.set()
    assert "Stubborn · llm · running" in capsys.readouterr().out


def test_without_log_nothing_is_traced(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain cell shows the reply and its facts, and no tree."""
    shell.run_cell("%%chat -m 'scripted:Some words.'\nHi").raise_error()
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_watching_a_chain_shows_its_tree(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """`chain.watch(input)` as a cell's last line runs the chain and shows what ran within it."""
    shell.run_cell("chain.watch('Hi')").raise_error()
    lines = capsys.readouterr().out.splitlines()
    # Versions of IPython number the output differently.
    assert [line.split(" · ")[0].split("]: ")[-1].strip("├└─ ") for line in lines[:3]] == [
        "RunnableSequence",
        "ScriptedChatModel",
        "StrOutputParser",
    ]


@pytest.mark.process
def test_outside_of_a_notebook_watching_says_what_to_do() -> None:
    """Without the extension there is nothing to show a tree with, and nothing is run or paid."""
    code = (
        "from chatnb import ScriptedChatModel\n"
        "chat = ScriptedChatModel(['Hi'])\n"
        "try:\n    chat.watch('Hi')\n"
        "except Exception as error:\n    print(type(error).__name__, error, chat._turns)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert ran.stdout.startswith("ConfigurationError watch() shows runs in a notebook.")
    assert ran.stdout.endswith("%load_ext chatnb 0\n")
    assert ran.stderr == ""
