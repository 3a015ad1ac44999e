"""The option --context: what goes along of the notebook, within its budget and without secrets."""

from __future__ import annotations

from typing import Any

import pandas
import polars
import pytest
from IPython import version_info
from IPython.core.interactiveshell import InteractiveShell

from tests.support.example_model import answer_example
from tests.support.loopback import LoopbackServer

KEY = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 3


@pytest.fixture
def shell(
    bare_shell: InteractiveShell, loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> InteractiveShell:
    loopback.plays(answer_example)
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", loopback.base_url)
    monkeypatch.setenv("CHATNB_STORE", ":memory:")
    run(bare_shell, "%load_ext chatnb")
    return bare_shell


def run(shell: InteractiveShell, *cells: str) -> None:
    for cell in cells:
        shell.run_cell(cell, store_history=True)


def sent(loopback: LoopbackServer) -> tuple[str, str]:
    """The prompt and the context of the last request."""
    content: Any = loopback.exchanges[-1].body["messages"][-1]["content"]
    if isinstance(content, str):
        return content, ""
    return content[0]["text"], content[1]["text"]


def test_nothing_goes_along_unless_it_is_asked_for(
    shell: InteractiveShell, loopback: LoopbackServer
) -> None:
    """A prompt alone is sent alone."""
    run(shell, "secret_number = 7", "%%chat\nHello")
    assert sent(loopback) == ("Hello", "")


def test_cells_go_along_with_their_outputs(
    shell: InteractiveShell, loopback: LoopbackServer
) -> None:
    """Cells that ran, with results, prints and errors, in their order; cells of chatnb not."""
    run(shell, "first = 1\nfirst + 1", "print('printed')", "1 / 0", "%%chat\nEarlier", "%chat list")
    run(shell, "%%chat --context cells\nWhat is above?")
    prompt, context = sent(loopback)
    assert prompt == "What is above?"
    # IPython 8 keeps only results.
    kept = ("printed", "ZeroDivisionError") if version_info[0] > 8 else ()
    places = [context.index(text) for text in ("first + 1", "2\n", *kept)]
    assert places == sorted(places)
    assert "Earlier" not in context
    assert "What is above?" not in context
    assert "%load_ext" not in context


def test_the_last_cells(shell: InteractiveShell, loopback: LoopbackServer) -> None:
    """A number is that many cells."""
    run(shell, "one = 1", "two = 2", "three = 3", "%%chat --context 2\nHello")
    context = sent(loopback)[1]
    assert "one = 1" not in context
    assert context.index("two = 2") < context.index("three = 3")


@pytest.mark.parametrize("library", [pandas, polars])
def test_variables_go_along_as_types_and_first_rows(
    shell: InteractiveShell, loopback: LoopbackServer, library: Any
) -> None:
    """Names, types and shapes; of tables the first rows, without columns of secrets."""
    shell.user_ns["table"] = library.DataFrame({"city": list("ABCDE"), "password": ["hidden"] * 5})
    run(
        shell, f"token = {KEY!r}\nnames = ['x'] * 9\ndef area(r): pass", "%%chat --context vars\nHi"
    )
    context = sent(loopback)[1]
    for word in ("table", "names", "list of 9", "area", "token", "city", "(5, 2)", "| C |"):
        assert word in context
    for word in ("| D |", KEY, "hidden"):
        assert word not in context


def test_a_variable_that_cannot_be_shown_keeps_no_other_back(
    shell: InteractiveShell, loopback: LoopbackServer
) -> None:
    """Code of its class may raise errors, also that of a cell in a table; the rest goes along."""
    run(shell, "class Odd:\n    def __repr__(self): raise ValueError('no')\nodd = Odd()")
    shell.user_ns["table"] = pandas.DataFrame({"odd": [shell.user_ns["odd"], "fine"]})
    shell.user_ns["indexed"] = pandas.DataFrame({"a": [1]}, pandas.Index(["hidden"], name="token"))
    run(shell, "huge = 10**5_000", "%%chat --context vars\nHi")
    context = sent(loopback)[1]
    for word in ("`odd`: Odd", "| 0 | <Odd> |", "| 1 | fine |", "`huge`: int", "| 0 | 1 |"):
        assert word in context
    assert "hidden" not in context


def test_the_last_error_goes_along(shell: InteractiveShell, loopback: LoopbackServer) -> None:
    """The error is what `%chat explain` would send."""
    run(shell, "1 / 0")
    run(shell, "%%chat --context error\nWhy?")
    assert "ZeroDivisionError" in sent(loopback)[1]


def test_several_kinds_go_along(shell: InteractiveShell, loopback: LoopbackServer) -> None:
    """Kinds with commas are all there."""
    run(shell, "size = 3", "1 / 0", "%%chat --context 1,vars,error\nWhy?")
    context = sent(loopback)[1]
    assert "`size`: int" in context
    assert context.count("1 / 0") >= 2


def test_secrets_are_redacted(shell: InteractiveShell, loopback: LoopbackServer) -> None:
    """A key in a cell, or in its output, does not leave the kernel."""
    run(shell, f"key = {KEY!r}", "print('token: ' + key)", "%%chat --context cells\nHello")
    context = sent(loopback)[1]
    assert "key = " in context
    assert KEY not in context


@pytest.mark.parametrize("budget", [30, 200, 1_000])
def test_the_budget_is_kept(
    shell: InteractiveShell,
    loopback: LoopbackServer,
    capsys: pytest.CaptureFixture[str],
    budget: int,
) -> None:
    """The newest cells are kept within the tokens, and how many is told."""
    run(shell, *(f"value_{n} = {n}  # {'word ' * 40}" for n in range(30)))
    run(shell, f"%chat config context=cells context_tokens={budget}", "%%chat\nHello")
    context = sent(loopback)[1]
    assert len(context) / 4 < budget + 60  # The title, and the fence around it all.
    assert ("value_29" in context) == (budget >= 200)
    assert "value_0 " not in context
    assert f"at most {budget:,} tokens" in capsys.readouterr().out


def test_what_was_sent_can_be_seen(
    shell: InteractiveShell, loopback: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """`%chat context` shows the last one; with a kind, what would be sent, and sends nothing."""
    run(shell, "seen = 1", "%chat context cells")
    shown = capsys.readouterr().out
    assert "seen = 1" in shown
    assert "nothing has been sent" in shown
    assert not loopback.exchanges
    run(shell, "%%chat --context cells\nHello", "seen = 2")
    capsys.readouterr()
    run(shell, "%chat context")
    assert "seen = 1" in (shown := capsys.readouterr().out)
    assert "seen = 2" not in shown


@pytest.mark.parametrize("typed", ["all", "0", "-1", "cells,", "cells vars", "\u0661"])
def test_what_is_no_context_is_refused(
    shell: InteractiveShell,
    loopback: LoopbackServer,
    capsys: pytest.CaptureFixture[str],
    typed: str,
) -> None:
    """Another word says what a context is, and nothing is sent."""
    run(shell, f"%%chat --context '{typed}'\nHello", f"%chat config 'context={typed}'")
    shown = capsys.readouterr()
    assert (shown.out + shown.err).count("cells, a number of cells, vars, error") == 2
    assert not loopback.exchanges


def test_none_leaves_the_session_s_context_out(
    shell: InteractiveShell, loopback: LoopbackServer
) -> None:
    """A cell can be sent without the context that the session has set."""
    run(shell, "x = 1", "%chat config context=cells", "%%chat --context none\nHello")
    assert sent(loopback) == ("Hello", "")
