from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook import register


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    bare_shell.run_cell("from pydantic import BaseModel\nclass City(BaseModel):\n    people: int")
    bare_shell.run_cell("schema = {'type': 'object', 'required': ['people']}")
    return bare_shell


def ask(shell: InteractiveShell, options: str, reply: str) -> bool:
    shell.push({"told": ScriptedChatModel([reply])})
    return shell.run_cell(f"%%chat -m told {options}\nHi").success


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        ("--expect oslo", "In OSLO, of course."),
        ("--expect 'a.c'", "It is a.c here."),
        ('--expect "/^[0-9]{2}$/"', "Well:\n42"),
        ("--expect-schema City", 'Here:\n```json\n{"people": 3}\n```'),
        ("--expect-schema schema", '{"people": null}'),
        ("--expect people --expect-schema City", '{"people": 3}'),
    ],
)
def test_a_reply_as_expected_passes(shell: InteractiveShell, options: str, reply: str) -> None:
    """A text in any case of letters, a pattern between slashes, JSON of a type, or several."""
    assert ask(shell, options, reply)


@pytest.mark.parametrize(
    ("options", "reply", "said"),
    [
        ("--expect oslo", "In Bergen.", "expected 'oslo', but the reply is: 'In Bergen.'"),
        ("--expect 'a.c'", "abc", "expected 'a.c'"),
        ('--expect "/^[0-9]{2}$/"', "423", "expected '/^[0-9]{2}$/'"),
        ("--expect-schema City", '{"people": "many"}', "(people: Input should be a valid integer"),
        (
            "--expect-schema City",
            "None\nof that.",
            "reply is: 'None of that.' (Invalid JSON",
        ),
        ("--expect-schema schema", "{}", '("people" is a required property)'),
    ],
)
def test_another_reply_fails_the_cell_in_one_line(
    shell: InteractiveShell,
    capsys: pytest.CaptureFixture[str],
    options: str,
    reply: str,
    said: str,
) -> None:
    """The line has the expectation and the reply; `_reply` holds the reply all the same."""
    assert not ask(shell, options, reply)
    *_, last = capsys.readouterr().out.strip().splitlines()
    assert last.startswith("ReplyUnexpected: expected ")
    assert said in last
    assert shell.user_ns["_reply"].text == reply


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--expect '/(/'", "--expect /(/ is no regular expression"),
        ("--expect ''", "is empty"),
        ("--expect-schema Town", "there is no variable Town"),
        ("--expekt x", "did you mean --expect?"),
    ],
)
def test_what_cannot_be_expected_is_told_before_anything_is_asked(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], options: str, said: str
) -> None:
    """A mistyped option costs no tokens."""
    assert not ask(shell, options, "asked")
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert "_reply" not in shell.user_ns
