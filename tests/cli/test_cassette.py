"""`python -m chatnb cassette`: calls in a table, and what has changed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from chatnb.cassettes.yaml_file import call_yaml, head_yaml
from chatnb.cli import main

STREAM = 'data: {"choices": [{"delta": {"content": "%s"}}]}\n'


def asked(prompt: str, reply: str = "Yes.", **fields: Any) -> dict[str, Any]:
    return {
        "request": {"model": "ChatOpenAI gpt-4o", "messages": [{"human": prompt}]},
        "replies": [{"text": reply, **fields}],
        "after_ms": [1500],
    }


def http(reply: dict[str, Any]) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": "Over HTTP?"}]}
    return {"request": {"http": "POST https://api.example/v1", "body": body}, "response": reply}


def write(path: Path, *calls: dict[str, Any]) -> Path:
    head = head_yaml(recorded_at="2031-05-06T07:08:09+00:00")
    path.write_text("".join([head, *map(call_yaml, calls)]))
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[str]]:
    code = main(["cassette", *map(str, arguments)])
    return code, capsys.readouterr().out.splitlines()


def test_show_lists_the_calls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in one line of the terminal, whatever its prompt has in it, and HTTP as well."""
    monkeypatch.setenv("COLUMNS", "120")
    usage = {"input_tokens": 1234, "output_tokens": 5, "total_tokens": 1239}
    error = {"request": asked("")["request"], "error": {"type": "RateLimitError", "message": "No."}}
    file = write(
        tmp_path / "calls.yaml",
        asked("Two\nlines \x1b]0;title\x07", "word " * 200, usage_metadata=usage),
        http({"status": 200, "json": {"choices": [{"message": {"content": "In JSON."}}]}}),
        http({"status": 200, "text": STREAM % "In " + STREAM % "events."}),
        http({"status": 404}),
        error,
    )
    code, lines = printed(capsys, "show", file)
    assert code == 0
    assert lines[0] == f"{file}: 5 calls, recorded at 2031-05-06 07:08 UTC"
    assert lines[2].split() == ["model", "request", "reply", "tokens", "seconds"]
    rows = lines[3:]
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "4", "5"]
    assert "Two lines" in rows[0]
    assert rows[0].endswith("1,234 + 5      1.5")
    assert all(row.isprintable() and len(row) <= 120 for row in rows)
    for row, reply in zip(
        rows[1:], ("In JSON.", "In events.", "status 404", "RateLimitError"), strict=True
    ):
        assert reply in row


@pytest.mark.parametrize(
    "damaged",
    [
        {"replies": [{"text": "No request."}]},
        {**asked("Hi"), "reply": "An unknown field."},
        {**asked("Hi"), "after_ms": "soon"},
        {**asked("Hi"), "error": "boom"},
    ],
)
@pytest.mark.parametrize("command", ["show", "diff"])
def test_a_call_that_cannot_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damaged: dict[str, Any], command: str
) -> None:
    """In one sentence with its number, whichever command meets it."""
    file = write(tmp_path / "calls.yaml", asked("Hello"), damaged)
    with pytest.raises(SystemExit) as ended:
        main(["cassette", command, str(file), *([str(file)] if command == "diff" else [])])
    assert ended.value.code == 1
    assert f"{file} is damaged: call 2 cannot be read (" in capsys.readouterr().err


def test_the_tokens_of_other_apis_are_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A response over HTTP counts tokens in words of its own, and may be no object at all."""
    counted = {"usage_metadata": {"prompt_token_count": 3}, "text": "Counted."}
    events = "data: [1]\n" + STREAM % "Streamed."
    file = write(
        tmp_path / "calls.yaml",
        http({"status": 200, "json": counted}),
        http({"status": 200, "text": events}),
    )
    code, lines = printed(capsys, "show", file)
    assert code == 0
    assert "Counted." in lines[3]
    assert "Streamed." in lines[4]


def test_show_prints_one_call_as_it_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its number; another number says which there are, and a notebook what its cassette is."""
    file = write(tmp_path / "calls.yaml", asked("One?"), asked("Two?"))
    assert "    - human: Two?" in printed(capsys, "show", file, 2)[1]
    with pytest.raises(SystemExit):
        main(["cassette", "show", str(file), "3"])
    assert capsys.readouterr().err.endswith("calls.yaml has the calls 1 to 2.\n")
    with pytest.raises(SystemExit):
        main(["cassette", "show", "notebooks/calls.ipynb"])
    assert "Name its cassette: notebooks/cassettes/calls.yaml" in capsys.readouterr().err


def test_diff_shows_requests_and_replies_that_have_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Call by call: a new id and another order are no change."""
    old = write(
        tmp_path / "old.yaml",
        asked("Same?", id="chatcmpl-8fA02b91c"),
        asked("Old?"),
        asked("Reply?"),
        asked("Moved?"),
        asked("Gone?"),
    )
    new = write(
        tmp_path / "new.yaml",
        asked("Moved?"),
        asked("Same?", id="chatcmpl-00112233c"),
        asked("New?"),
        asked("Reply?", "No."),
        asked("Added?"),
    )
    code, lines = printed(capsys, "diff", old, new)
    assert code == 1
    assert (
        lines[0] == "2 the same, 1 with another request, 1 with another reply, 1 added, 1 removed"
    )
    for line in (
        "Call 3 has another request:",
        "-   - human: Old?",
        "+   - human: New?",
        "Call 4 has another reply:",
        "- - text: Yes.",
        "+ - text: No.",
        "Call 5 was added:",
        "Call 5 was removed:",
    ):
        assert line in lines
    assert printed(capsys, "diff", old, old) == (0, ["5 the same"])


@pytest.mark.process
def test_diff_compares_with_the_last_commit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or with the one that is named; without a commit it says what to do."""

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    file = write(tmp_path / "calls.yaml", asked("One?"))
    git("init", "-q")
    with pytest.raises(SystemExit):
        main(["cassette", "diff", str(file)])
    assert "Name a commit that has it with --since, or another file" in capsys.readouterr().err
    for prompts in (["One?"], ["One?", "Two?"]):
        write(file, *map(asked, prompts))
        git("add", ".")
        git("commit", "-qm", "Record")
    assert printed(capsys, "diff", file) == (0, ["2 the same"])
    assert printed(capsys, "diff", file, "--since", "HEAD~1")[1][0] == "1 the same, 1 added"


def test_errors_steer_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that somebody else gave a file shows as escapes."""
    with pytest.raises(SystemExit):
        main(["cassette", "show", "\x1b]0;title\x07\u202e.yaml"])
    assert r"\x1b]0;title\x07\u202e.yaml" in capsys.readouterr().err
