from __future__ import annotations

import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ServerError
from chatnb.notebook import register
from chatnb.output_parsers import StrOutputParser


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
    assert [line.split(" · ")[0].strip("├└─ ") for line in lines[:3]] == [
        "Out[0]: RunnableSequence",
        "ScriptedChatModel",
        "StrOutputParser",
    ]


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
