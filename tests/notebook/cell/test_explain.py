"""`%chat explain` and `%chat fix`."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.errors import RateLimitError, ServerError
from chatnb.notebook import register
from tests.support.recording_model import Asked

REPLY = "You divide by zero, as in `1 / 0`:\n```python\n1 / 0\n```\nBetter:\n```python\n1 / 1\n```"


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    bare_shell.push({"model": Asked([REPLY])})
    bare_shell.run_cell("%chat use model")
    return bare_shell


def model(shell: InteractiveShell) -> Asked:
    return shell.user_ns["model"]


def test_explain_tells_why_and_puts_the_fixed_cell_below(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """The explanation stays, the last block is the next cell, and it has not been run."""
    shell.run_cell("a = 0\nresult = 10 / a", store_history=True)
    capsys.readouterr()
    assert shell.run_cell("%chat explain", store_history=True).success
    shown = capsys.readouterr().out
    assert shown.startswith("You divide by zero")
    assert "The new code is below; it has not been run." in shown
    assert shell.rl_next_input == "1 / 1"
    assert "result" not in shell.user_ns
    assert shell.user_ns["_reply"].text == REPLY


def test_the_model_is_shown_the_cell_the_traceback_and_the_kinds(shell: InteractiveShell) -> None:
    """The cell as it was typed, the line, the traceback without IPython's own frames, and types
    and sizes of the variables that it names; not what is in them, and no other variable."""
    shell.run_cell("rows = [{'name': 'Ada Lovelace'}] * 500\nother = 'Grace Hopper'")
    shell.run_cell("%time pass\ntotal = sum(rows)", store_history=True)
    shell.run_cell("%chat explain", store_history=True)
    said = model(shell).prompt
    assert "%time pass\ntotal = sum(rows)" in said
    assert "failed at line 2" in said
    assert "TypeError: unsupported operand" in said
    assert "- rows: list of 500 (dict, dict, dict, ...)" in said
    assert "Lovelace" not in said
    assert "Hopper" not in said
    assert "interactiveshell.py" not in said


def test_a_function_of_another_cell_is_what_is_mended(shell: InteractiveShell) -> None:
    """The cell in which it went wrong comes first, and the one that called it second."""
    shell.run_cell("def half(number):\n    return number / 0", store_history=True)
    shell.run_cell("half(21)", store_history=True)
    shell.run_cell("%chat explain", store_history=True)
    said = model(shell).prompt
    assert said.index("def half") < said.index("It was called from this cell") < said.index("(21)")
    assert said.endswith("- number: int")


def test_a_syntax_error_is_explained_too(shell: InteractiveShell) -> None:
    """Code that never ran has no frame; its cell is shown all the same."""
    shell.run_cell("x = 1\nfor", store_history=True)
    shell.run_cell("%chat explain", store_history=True)
    assert "x = 1\nfor" in model(shell).prompt
    assert "SyntaxError" in model(shell).prompt


def test_fix_leaves_the_cell_and_not_a_word(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """fix asks for the corrected cell alone, and puts it below."""
    shell.run_cell("1 / 0", store_history=True)
    assert shell.run_cell("%chat fix").success
    assert "and nothing else" in model(shell).prompt
    assert shell.rl_next_input == "1 / 1"


def test_the_fix_is_shown_as_a_change_of_the_cell_that_failed(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """The diff has the cell as it was typed, with its values but without its secrets, and names the
    cell with the mistake, not the one that called it."""
    key = "sk-proj-" + "Ab3" * 11
    head = f"def half(key='<{len(key)} characters, no. 0>'):"
    shell.push({"model": Asked([f"```python\n{head}\n    return 1 / 1\n```"])})
    shell.run_cell("%chat use model")
    shell.run_cell(f"def half(key='{key}'):\n    return 1 / 0", store_history=True)
    shell.run_cell("half()", store_history=True)
    capsys.readouterr()
    shell.run_cell("%chat fix", store_history=True)
    shown = capsys.readouterr().out
    assert "Proposed change of In[1]" in shown
    assert "-    return 1 / 0\n+    return 1 / 1" in shown
    assert key not in shown
    assert model(shell).asked


def test_a_fix_that_changes_nothing_says_so(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """No diff is shown, and nothing is put below."""
    shell.run_cell("1 / 1 / 0", store_history=True)
    shell.push({"same": Asked(["```python\n1 / 1 / 0\n```"])})
    shell.run_cell("%chat use same")
    capsys.readouterr()
    shell.run_cell("%chat fix", store_history=True)
    assert "The model would change nothing." in capsys.readouterr().out
    assert getattr(shell, "rl_next_input", None) is None


def test_without_an_error_there_is_nothing_to_explain(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line says so; no model is asked and the cell does not fail."""
    capsys.readouterr()
    assert shell.run_cell("%chat explain").success
    assert "No cell has failed yet" in capsys.readouterr().out
    assert model(shell).asked == []


def test_an_error_of_chatnb_says_itself_what_to_do(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing key or a rate limit needs no model to explain it."""
    shell.run_cell("%%chat -m openai:gpt-4o-mini\nHi")
    capsys.readouterr()
    shell.run_cell("%chat explain")
    assert "**MissingKeyError**: A provider needs an API key" in capsys.readouterr().out
    shell.push({"RateLimitError": RateLimitError})
    shell.run_cell("raise RateLimitError('Too many.', hint='Wait a little.', retry_after=20)")
    capsys.readouterr()
    shell.run_cell("%chat explain")
    shown = capsys.readouterr().out
    assert "Wait a little." in shown
    assert "in 20 s" in shown
    assert model(shell).asked == []


def test_an_interrupt_is_no_error(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interrupted cell has nothing to fix."""
    shell.run_cell("1 / 0")
    shell.run_cell("raise KeyboardInterrupt")
    shell.run_cell("%chat explain")
    assert "was interrupted" in capsys.readouterr().out


def test_what_fails_while_explaining_does_not_take_the_errors_place(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a model that did not answer, the next try is still about the cell."""
    from chatnb.chat_models import ScriptedChatModel

    shell.push({"breaks": ScriptedChatModel([ServerError("Overloaded.", hint="Try again.")])})
    shell.run_cell("1 / 0", store_history=True)
    shell.run_cell("%chat use breaks")
    assert not shell.run_cell("%chat explain").success
    shell.run_cell("%chat use model")
    assert shell.run_cell("%chat explain").success
    assert "ZeroDivisionError" in model(shell).prompt


def test_a_model_that_gives_no_code_says_so(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """The explanation stays; there is no cell."""
    shell.push({"wordy": Asked(["Zero has no inverse."])})
    shell.run_cell("%chat use wordy")
    shell.run_cell("1 / 0")
    shell.run_cell("%chat explain")
    assert "The model gave no corrected cell." in capsys.readouterr().out
    assert getattr(shell, "rl_next_input", None) is None
