"""The files that `python -m chatnb cassette` reads and replays, and the widths of its table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatnb.cli import main
from chatnb.cli.download import shell_command
from tests.cli.test_cassette import asked, printed, write


def error(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return what a command says that ends with 1, and prints nothing else."""
    with pytest.raises(SystemExit) as ended:
        main(["cassette", *map(str, arguments)])
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    return err.removesuffix("\n")


# Columns of the terminal, the lengths of prompt and reply, and those that the table has for them.
WIDTHS = [
    (100, 5, 5, 7, 5),  # The heading is longer.
    (100, 20, 20, 20, 20),
    (100, 29, 30, 29, 30),
    (100, 30, 30, 29, 30),
    (100, 40, 20, 39, 20),
    (100, 20, 40, 20, 39),
    (100, 40, 40, 29, 30),
    (73, 40, 40, 16, 16),
    (74, 40, 40, 16, 17),
    (20, 40, 40, 16, 16),
    (20, 40, 10, 22, 10),
]


@pytest.mark.parametrize(("columns", "prompt", "reply", "request_width", "reply_width"), WIDTHS)
def test_prompts_and_replies_share_what_is_left(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    prompt: int,
    reply: int,
    request_width: int,
    reply_width: int,
) -> None:
    """Half each if both are long, and more if the other one is short; at least 16 each."""
    monkeypatch.setenv("COLUMNS", str(columns))
    file = write(tmp_path / "calls.yaml", asked("p" * prompt, "r" * reply))

    def cell(letter: str, length: int, width: int) -> str:
        return letter * length if length <= width else letter * (width - 3) + "..."

    head = f"   {'model':17}  {'request':{request_width}}  {'reply':{reply_width}}  tokens  seconds"
    asks, replies = cell("p", prompt, request_width), cell("r", reply, reply_width)
    texts = f"{asks:{request_width}}  {replies:{reply_width}}"
    row = f"1  ChatOpenAI gpt-4o  {texts}              1.5"
    assert printed(capsys, "show", file)[1][2:] == [head, row]


def test_a_cassette_of_one_call_and_of_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their counts are words, and there is no table of no calls, nor a call with a number."""
    one, none = write(tmp_path / "one.yaml", asked("Hi")), write(tmp_path / "none.yaml")
    when = "recorded at 2031-05-06 07:08 UTC"
    assert printed(capsys, "show", one)[1][0] == f"{one}: 1 call, {when}"
    assert printed(capsys, "show", none) == (0, [f"{none}: 0 calls, {when}"])
    assert error(capsys, "show", none, 1) == f"{none} has no calls."
    assert error(capsys, "show", one, 0) == f"{one} has the calls 1 to 1."
    assert error(capsys, "show", one, 2) == f"{one} has the calls 1 to 1."


def test_calls_are_shown_as_the_file_has_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole of a call, without empty lines around it."""
    file = write(tmp_path / "calls.yaml", asked("One?"), asked("Two?"))
    for number in (1, 2):
        code, lines = printed(capsys, "show", file, number)
        assert code == 0
        assert lines
        assert "\n".join(lines) in file.read_text(encoding="utf-8")
        assert all(lines)


@pytest.mark.parametrize("name", ["a.ipynb", "a.py", "a.md"])
def test_a_notebook_is_answered_with_its_cassette(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A notebook that is not there is answered so, too."""
    expected = (
        f"{tmp_path / name} is a notebook. Name its cassette: {tmp_path / 'cassettes' / 'a.yaml'}"
    )
    assert error(capsys, "show", tmp_path / name) == expected


@pytest.mark.parametrize("arguments", [("show",), ("diff",), ("prune",)])
def test_a_cassette_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    """Every command says its name."""
    file = tmp_path / "missing.yaml"
    assert error(capsys, *arguments, file) == f"There is no cassette {file}."


def test_a_file_that_is_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its name and the reason."""
    file = tmp_path / "calls.yaml"
    file.write_bytes(b"\xff\xfe\xff")
    assert error(capsys, "show", file).startswith(f"{file} cannot be read: 'utf-8' codec can't")


def test_without_git_two_versions_must_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two named versions need no git."""
    file = write(tmp_path / "calls.yaml", asked("One?"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert error(capsys, "diff", file) == f"git is not installed: name the two versions of {file}."
    assert printed(capsys, "diff", file, file) == (0, ["1 the same"])


@pytest.mark.process
def test_a_cassette_of_no_commit_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the words of git, and the two ways to name another version."""
    file = write(tmp_path / "calls.yaml", asked("One?"))
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    text = error(capsys, "diff", file, "--since", "v1")
    assert text.startswith(f"{file} is not in v1 (fatal: ")
    command = shell_command(["python", "-m", "chatnb", "cassette", "diff"])
    assert text.endswith(
        f"). Name a commit that has it with --since, or another file: {command} OLD NEW"
    )


@pytest.mark.parametrize(
    ("path", "notebook"),
    [
        ("", ""),
        ("folder", "folder"),
        ("b.ipynb", "b.ipynb"),
        ("missing.md", "missing.md"),
        ("cassettes/a.yaml", "a.ipynb"),
        ("cassettes/b.yaml", "b.ipynb"),
        ("cassettes/c.yaml", "c.md"),
        ("cassettes/d.yaml", "d.py"),
        ("cassettes/c.size=3.yaml", "c.md"),
        ("cassettes/e.size.yaml", "e.size.py"),
    ],
)
def test_prune_replays_the_notebook_of_a_cassette(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, notebook: str
) -> None:
    """With pytest, whose exit code it returns; a folder and a notebook are as they are."""
    commands: list[list[str]] = []

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        assert not check
        commands.append(command)
        return subprocess.CompletedProcess(command, 5)

    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "cassettes").mkdir()
    for name in ("a.ipynb", "a.py", "b.ipynb", "c.md", "d.py", "d.md", "e.py", "e.size.py"):
        (tmp_path / name).touch()
    for name in ("a", "b", "c", "d", "c.size=3", "e.size", "none"):
        (tmp_path / "cassettes" / f"{name}.yaml").touch()
    assert main(["cassette", "prune", path, "b.ipynb"]) == 5
    options = [sys.executable, "-m", "pytest", "--chatnb", "--chatnb-prune", "-q"]
    assert [*commands[0][:-2], *map(os.path.realpath, commands[0][-2:])] == [
        *options, os.path.realpath(notebook), os.path.realpath("b.ipynb")
    ]  # fmt: skip


def test_a_cassette_of_no_notebook_cannot_be_pruned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says what to do with it."""
    (tmp_path / "cassettes").mkdir()
    (tmp_path / "cassettes" / "other.ipynb").touch()
    file = write(tmp_path / "cassettes" / "other.yaml", asked("Hi"))
    assert error(capsys, "prune", file) == (
        f"{file} belongs to no notebook, so nothing says what is still requested: delete it if "
        "nothing uses it, or run what does with CHATNB_CASSETTE_MODE=refresh."
    )
