"""Lines of jupyter-ai's `%ai` and `%%ai`, as their users type them."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.notebook import register
from tests.support.recording_model import Asked

SECRET = "sk-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL"


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    bare_shell.push({"model": Asked(["Fine."])})
    bare_shell.run_cell("%chat use model")
    return bare_shell


def sent(shell: InteractiveShell, prompt: str) -> str:
    assert shell.run_cell(f"%%chat\n{prompt}", store_history=True).success
    messages, _ = shell.user_ns["model"].asked[-1]
    return messages[-1].text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%ai reset", "%ai is jupyter-ai's. Write %chat new."),
        ("%ai error", "Write %chat explain."),
        ("%ai list", "Write %chat models."),
        ("%ai", "Write %%chat"),
        (
            "%%ai chatgpt\nHi",
            "is jupyter-ai's. The model is an option: write %%chat -m openai.",
        ),
        ("%%ai chatgpt -f code\nHi", "write %%chat -m openai. Write --code,"),
        ("%%ai\nHi", "Write %%chat"),
        ("%chat reset", "Write %chat new."),
        ("%chat error", "Write %chat explain."),
        ("%chat chatgpt", "Write %chat use openai."),
        ("%chat anthropic-chat:claude-opus-5-5", "Write %chat use anthropic:claude-opus-5-5."),
        ("%chat register mine openai:gpt-4o", "A name for a model is a variable"),
        ("%%chat chatgpt\nHi", "write %%chat -m openai."),
        ("%%chat openai-chat:gpt-4o\nHi", "write %%chat -m openai:gpt-4o."),
        ("%%chat groq:llama\nHi", "write %%chat -m groq:llama."),
        ("%%chat my-model\nHi", "write %%chat -m my-model."),
        ("%%chat reset\nHi", "Write %chat new."),
        ("%%chat -f code\nHi", "Write --code,"),
        ("%%chat chatgpt -f code\nHi", "write %%chat -m openai. Write --code,"),
        ("%%chat --format=json\nHi", "Write --schema TYPE,"),
        ("%%chat -f math\nHi", "Leave it out"),
        ('%%chat -m model -p {"temperature":0}\nHi', "Write -t TEMPERATURE"),
        ("%%chat -a KEY\nHi", "%chat models names it"),
    ],
)
def test_a_line_of_jupyter_ai_says_what_to_write(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    """The error names the command or the option that does the same; nothing is sent."""
    assert not shell.run_cell(line).success
    assert said in " ".join(capsys.readouterr().err.split())
    assert shell.user_ns["model"].asked == []


@pytest.mark.parametrize("written", ["{Err}", "{Err[1]}", "{Err[-1]}"])
def test_err_is_the_last_error(shell: InteractiveShell, written: str) -> None:
    """A prompt gets the traceback, with the code of the cell and without values and keys."""
    code = f"key, zero = {SECRET!r}, 0\nkey.index('x') if zero else 1 / zero"
    assert not shell.run_cell(code, store_history=True).success
    prompt = sent(shell, f"Explain this:\n{written}")
    assert "ZeroDivisionError" in prompt
    assert "1 / zero" in prompt
    assert SECRET not in prompt


def test_err_of_a_syntax_error(shell: InteractiveShell) -> None:
    """It was raised before the cell ran, and its cell is known nevertheless."""
    shell.run_cell("1 +", store_history=True)
    assert "SyntaxError" in sent(shell, "{Err[1]}")


def test_only_the_last_error_is_kept(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error for another cell's says of which cell it is."""
    shell.run_cell("1 / 0", store_history=True)
    shell.run_cell("len(5)", store_history=True)
    assert not shell.run_cell("%%chat\nWhy {Err[1]}?").success
    assert "only the last error is kept, of cell 2" in " ".join(capsys.readouterr().err.split())
    assert "TypeError" in sent(shell, "Why {Err}?")


def test_err_is_only_there_after_an_error(shell: InteractiveShell) -> None:
    """Before, braces stay as they are; a variable of that name is the notebook's own."""
    assert sent(shell, "Why {Err}?") == "Why {Err}?"
    shell.run_cell("1 / 0", store_history=True)
    shell.run_cell("Err = 'mine'")
    assert sent(shell, "Why {Err}?") == "Why mine?"


def test_inputs_and_outputs_of_cells(shell: InteractiveShell) -> None:
    """`{In[1]}` is the code of a cell and `{Out[1]}` its value."""
    shell.run_cell("20 + 22", store_history=True)
    assert sent(shell, "Of {In[1]} came {Out[1]}.") == "Of 20 + 22 came 42."
