"""`%chat edit`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ServerError
from chatnb.notebook import register
from chatnb.notebook.cell.proposal import (
    MaskedSource,
    Proposal,
    diff,
    proposal_mimebundle,
    redacted_diff,
    unified_line_ends,
)
from chatnb.notebook.cell.proposal_widget import ProposalView
from tests.support.recording_model import Asked
from tests.support.unseen_characters import UNSEEN

KEY = "sk-" + "Ab3" * 12
TOKEN = "ghp_" + "x7Yz" * 9


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    bare_shell.run_cell("%load_ext chatnb", store_history=True)
    return bare_shell


def replying(shell: InteractiveShell, *replies: str) -> Asked:
    """Let the shell use a model with these replies."""
    model = Asked(replies)
    shell.push({"model": model})
    shell.run_cell("%chat use model", store_history=True)
    return model


def fenced(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


def test_the_last_cell_with_code_is_changed_and_not_run(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal shows the diff, and has the new code at its next prompt; chatnb's own cells
    between are not meant."""
    model = replying(shell, "Fine.", fenced("total = sum(range(10))"))
    shell.run_cell("first = 1", store_history=True)
    shell.run_cell("total = 1 + 2\nlater = 2", store_history=True)
    shell.run_cell("%%chat\nHi", store_history=True)
    capsys.readouterr()
    assert shell.run_cell('%chat edit "use sum"', store_history=True).success
    shown = capsys.readouterr().out
    assert "```python\ntotal = 1 + 2\nlater = 2\n```\n\nuse sum" in model.prompt
    assert "-total = 1 + 2\n-later = 2\n+total = sum(range(10))" in shown
    assert "In[4]" in shown
    assert "it has not been run" in shown
    assert shell.rl_next_input == "total = sum(range(10))"
    assert shell.user_ns["total"] == 3
    assert "sum(range" in shell.user_ns["_reply"].text


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("edit 3 make it 2", "make it 2"),
        ('edit 3 "make it 2"', "make it 2"),
        ("edit 3 don't add", "don't add"),
    ],
)
def test_a_cell_can_be_named_by_its_number(shell: InteractiveShell, line: str, wanted: str) -> None:
    """The words after the number are what is asked, in quotes or not."""
    model = replying(shell, fenced("first = 2"))
    shell.run_cell("first = 1", store_history=True)
    shell.run_cell("second = 1", store_history=True)
    assert shell.run_cell(f"%chat {line}", store_history=True).success
    assert model.prompt.endswith(f"```python\nfirst = 1\n```\n\n{wanted}")
    assert shell.rl_next_input == "first = 2"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("edit", "Say what is to change"),
        ("edit 3", "Say what is to change"),
        ("edit ' '", "Say what is to change"),
        ("edit faster", "No cell has run yet"),
        ("edit 99 faster", "No cell with code has run as In[99]"),
        ("edit 0 faster", "No cell with code has run as In[0]"),
        ("edit 2 faster", "No cell with code has run as In[2]"),
    ],
)
def test_without_a_cell_or_a_wish_no_model_is_asked(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, told: str
) -> None:
    """The error says what is missing, and nothing is put below."""
    model = replying(shell)
    capsys.readouterr()
    shell.run_cell(f"%chat {line}", store_history=True)
    written = capsys.readouterr()
    assert f"UsageError: {told}" in written.out + written.err
    assert model.asked == []
    assert getattr(shell, "rl_next_input", None) is None


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", "gave no new code"),
        ("I would use sum.", "gave no new code"),
        ("```python\n```", "gave no new code"),
        (fenced("total = 1"), "would change nothing"),
        (fenced("total = 1\n\n"), "would change nothing"),
    ],
)
def test_a_reply_that_changes_nothing_says_so(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], reply: str, told: str
) -> None:
    """There is no diff, and nothing below."""
    replying(shell, reply)
    shell.run_cell("total = 1", store_history=True)
    capsys.readouterr()
    assert shell.run_cell("%chat edit faster", store_history=True).success
    shown = capsys.readouterr().out
    assert told in shown
    assert "@@" not in shown
    assert getattr(shell, "rl_next_input", None) is None


def test_a_reply_that_breaks_off_proposes_nothing(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of a cell is no new cell: the error is a line, without frames of ours."""
    half = ["```python\ntotal = 2\n", ServerError("Overloaded.")]
    shell.push({"breaks": ScriptedChatModel([half])})
    shell.run_cell("%chat use breaks", store_history=True)
    shell.run_cell("total = 1", store_history=True)
    capsys.readouterr()
    assert not shell.run_cell("%chat edit faster", store_history=True).success
    written = "".join(capsys.readouterr())
    assert "@@" not in written
    assert "explain.py" not in written
    assert getattr(shell, "rl_next_input", None) is None


@pytest.mark.process
@pytest.mark.parametrize(
    ("cell", "reply", "new"),
    [
        ("%time pass\nx = 1", fenced("%time pass\nx = 2"), "%time pass\nx = 2"),
        ("%%bash\ntrue", fenced("false", "bash"), "%%bash\nfalse"),
        ("%%bash\ntrue", fenced("%%bash\nfalse"), "%%bash\nfalse"),
        ("%%time\nx = 1", fenced("x = 1"), "x = 1"),
        ("x = 1\r\ny = 1", fenced("x = 1\ny = 2"), "x = 1\ny = 2"),
        ("x = '''\n```\n'''", "````python\nx = '''\n```'''\n````", "x = '''\n```'''"),
        ("x = 1", f"Was:\n{fenced('x = 1')}\nNow:\n{fenced('x = 3')}", "x = 3"),
    ],
)
def test_magics_line_ends_and_fences_are_kept(
    shell: InteractiveShell, cell: str, reply: str, new: str
) -> None:
    """A magic stays where it is unless the model takes it away; fences in code end nothing."""
    replying(shell, reply)
    shell.run_cell(cell, store_history=True)
    assert shell.run_cell("%chat edit change it", store_history=True).success
    assert shell.rl_next_input == new


def test_secrets_do_not_leave_and_come_back(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the model nor the diff has them; the new code does, where its placeholders are."""
    cell = f"# *** set up ***\napi_key = '{KEY}'\ntoken = '{TOKEN}'"
    reply = "# *** set up ***\ntoken = '<secret no. 2>'\napi_key = '<secret no. 1>'"
    model = replying(shell, fenced(reply))
    shell.run_cell(cell, store_history=True)
    capsys.readouterr()
    shell.run_cell("%chat edit swap them", store_history=True)
    shown = capsys.readouterr().out
    for secret in (KEY, TOKEN):
        assert secret not in model.prompt
        assert secret not in shown
    assert "# *** set up ***" in model.prompt
    swapped = f"# *** set up ***\ntoken = '{TOKEN}'\napi_key = '{KEY}'"
    assert shell.rl_next_input == swapped


@pytest.mark.parametrize("masked", ["***", "<secret no. 2>", "<secret>"])
def test_a_secret_that_cannot_be_put_back_is_no_code(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], masked: str
) -> None:
    """A proposal would overwrite the user's key by a mask."""
    replying(shell, fenced(f"api_key = '{masked}'"))
    shell.run_cell(f"api_key = '{KEY}'", store_history=True)
    capsys.readouterr()
    shell.run_cell("%chat edit change it", store_history=True)
    assert "cannot be put back" in capsys.readouterr().out
    assert getattr(shell, "rl_next_input", None) is None


PIECES = [f"k = '{KEY}'", f" {TOKEN}", "***", "*", "'", "\n", "<secret no. 1>", "a b"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_masking_hides_secrets_and_is_undone(source: str) -> None:
    """Code that comes back unchanged is the source again, whatever is around the secrets."""
    masked = MaskedSource(source)
    assert KEY not in masked.text
    assert TOKEN not in masked.text
    assert masked.restore(masked.text) == source
    if KEY not in source and TOKEN not in source:
        assert masked.text == source


@given(st.text("ab\n\r "))
def test_line_ends_are_unified(source: str) -> None:
    """No carriage return is left, and no line end at the end."""
    unified = unified_line_ends(source)
    assert "\r" not in unified
    assert not unified.endswith("\n")
    assert unified.split() == source.split()


DISGUISES = [
    "password = f'{EVIL}'",
    'token = rf"{EVIL}"',
    "# -----BEGIN RSA PRIVATE KEY-----\nEVIL",
    "# -----BEGIN PRIVATE KEY-----\nEVIL\n# -----END PRIVATE KEY-----",
    "x = 1  # Bearer abcdefgh=EVIL",
    "db = 'postgres://ada:{EVIL}@host'",
    f"other = '{TOKEN}EVIL'",
]


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_diff_shows_all_that_the_model_wrote(disguise: str) -> None:
    """Code that looks like a secret is not masked; the secrets that were there are."""
    old = f"api_key = '{KEY}'\nb = 1"
    shown = redacted_diff(old, f"api_key = '{KEY}'\n{disguise}")
    assert "EVIL" in shown
    assert KEY not in shown


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\x1b[2K", "\x08", *UNSEEN])
def test_a_diff_shows_characters_that_would_make_it_look_different(mark: str) -> None:
    """As escapes, in each form of it."""
    new = f"if user == 'admin{mark} # is none':\n    pass"
    for form in proposal_mimebundle(Proposal(1, "x", new, diff("x", new))).values():
        assert mark not in str(form)
        assert ascii(mark)[1:-1] in str(form).replace("&#92;", "\\")


PROPOSAL = Proposal(7, "a < 1\nb", "a < 2\nb", diff("a < 1\nb", "a < 2\nb"))


@pytest.mark.parametrize(
    ("decision", "title"),
    [
        (None, "Proposed change of In[7]"),
        ("accepted", "Accepted change of In[7]"),
        ("inserted", "Accepted change of In[7], in a cell below"),
        ("rejected", "Rejected change of In[7]"),
    ],
)
def test_the_saved_form_is_a_diff_that_says_what_was_decided(decision: str, title: str) -> None:
    """Markdown has it as a block of diff, HTML escaped; a decided one is folded."""
    shown: Any = proposal_mimebundle(PROPOSAL, decision)  # pyright: ignore[reportArgumentType]
    assert shown["text/markdown"].startswith(title)
    assert "```diff\n@@ -1,2 +1,2 @@\n-a < 1\n+a < 2\n b\n```" in shown["text/markdown"]
    assert title in shown["text/plain"]
    assert "+a &lt; 2" in shown["text/html"]
    assert ("<details" in shown["text/html"]) == (decision is not None)
    assert "data-chatnb-mount" not in shown["text/html"]


@pytest.mark.parametrize(
    "message",
    [None, [], {}, {"type": "decide"}, {"type": "decide", "decision": "run"}, {"decision": []}],
)
def test_only_the_first_known_decision_of_the_page_counts(message: object) -> None:
    """Other messages change nothing, nor does a second decision."""
    view = ProposalView(PROPOSAL)
    view._receive(view, message, [])
    assert view.decision is None
    for decision in ("rejected", "accepted"):
        view._receive(view, {"type": "decide", "decision": decision}, [])
    assert view.decision == "rejected"
    assert "Rejected" in view.static_mimebundle().get("text/markdown", "")
