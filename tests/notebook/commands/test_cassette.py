from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from chatnb.cassettes.cassette import Cassette
from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook import register
from chatnb.testing import cassette


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    yield bare_shell
    bare_shell.run_cell("%chat cassette off")


def test_a_notebook_records_and_replays_by_a_line(
    shell: InteractiveShell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """%chat cassette FILE records where there is no file, and replays where there is one."""
    file = tmp_path / "calls.yaml"
    shell.push({"chat": ScriptedChatModel(["first", "second"])})
    for said in ("first", "first"):
        shell.run_cell(f"%chat cassette {file}")
        shell.run_cell("%%chat -m chat\nHi")
        assert shell.user_ns["_reply"].text == said
        shell.run_cell("%chat cassette off")
        shell.run_cell("%chat new")
    shown = capsys.readouterr().out
    assert "others are requested and recorded there." in shown
    assert "replays the replies of all models from now on." in shown
    shell.run_cell("%%chat -m chat\nHi")
    assert shell.user_ns["_reply"].text == "second"


def test_the_footer_of_a_replay_has_the_recorded_time(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    """As it was when the reply was recorded, and not the moment that the replay takes."""
    file = tmp_path / "calls.yaml"
    shell.push({"chat": ScriptedChatModel(["One two three."])})
    ticks = count()

    def footer(calls: Cassette) -> str:
        with calls, capture_output() as captured:
            assert shell.run_cell("%%chat -m chat\nHi").success
        shell.run_cell("%chat new")
        return captured.stdout + str([output.data for output in captured.outputs])

    recorded = footer(Cassette(file, "record", clock=lambda: 700.0 * next(ticks)))
    assert "2100.0 s" not in recorded
    assert "2100.0 s" in footer(Cassette(file, "replay"))


@pytest.mark.process
def test_a_cell_that_names_no_model_replays_the_recorded_one(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded where no key is set, replayed where one is: the embedded model answers both."""
    file = tmp_path / "calls.yaml"
    with cassette(file):
        assert shell.run_cell("%%chat --max-tokens 3\nHi").success
    said = shell.user_ns["_reply"]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
    shell.run_cell("%chat new")
    with cassette(file, "replay"):
        assert shell.run_cell("%%chat --max-tokens 3\nHi").success
    assert shell.user_ns["_reply"] == said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%chat cassette a b c", "Usage: %chat cassette [FILE [MODE] | off]"),
        ("%chat cassette a.yaml rewind", "one of replay, record, refresh, not 'rewind'"),
        ("%chat cassette nowhere.yaml replay", "There is no cassette nowhere.yaml to replay."),
    ],
)
def test_bad_lines_say_what_to_do(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    """In one line, without a traceback, and the cassette that was in stays in."""
    assert not shell.run_cell(line).success
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert "Traceback" not in shown.out
