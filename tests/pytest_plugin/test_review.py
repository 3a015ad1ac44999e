"""Changed outputs that a person accepts or rejects, on a page or in a terminal."""

from __future__ import annotations

import json
import re
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import pytest

from chatnb import ScriptedChatModel, cassette
from chatnb.pytest_plugin.outputs import images
from chatnb.pytest_plugin.reports.rejected_replies import Recorded, restore_rejected
from chatnb.pytest_plugin.reports.review import Change, decision_lines, save_accepted
from chatnb.pytest_plugin.reports.review_page import review_on_page, review_page
from chatnb.pytest_plugin.reports.review_terminal import review_in_terminal
from chatnb.pytest_plugin.reports.side_by_side import side_by_side_lines
from tests.support.notebook_runs import edit, run_pytest, write_notebook


def change(notebook: Path, cell: int, new: str = "new") -> Change:
    """A cell that printed "old" and now prints another text."""
    output = {"output_type": "stream", "name": "stdout", "text": f"{new}\n"}
    name = f"Cell {cell}[print]"
    return Change(
        file=str(notebook),
        is_cassette=False,
        notebook=notebook.name,
        cell=cell,
        name=name,
        source="print(1)",
        old="old",
        new=new,
        old_images=[],
        new_images=[],
        outputs=[output],
    )


class Reporter:
    """As much of a terminal as the reviews use."""

    isatty = False

    def __init__(self, on_line: Callable[[str], object] = str) -> None:
        self.config = self.pluginmanager = self
        self.write_line = on_line

    def getplugin(self, name: str) -> None:
        """There is no capture."""

    def flush(self) -> None:
        """There is nothing to write."""


def terminal(reporter: Reporter) -> pytest.TerminalReporter:
    return cast("pytest.TerminalReporter", reporter)


@pytest.mark.parametrize(
    ("answers", "decisions"),
    [
        (["y", "^"], {}),
        (["y", "no", "Y"], {0: True, 1: False, 2: True}),
        (["x", "accept", "a", " ", "n"], {0: True, 1: True, 2: False}),
        (["yes", "q"], {0: True}),
        ([], {}),
    ],
)
def test_each_change_is_answered_in_a_terminal(
    answers: list[str],
    decisions: dict[int, bool],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Or all of a notebook at once; what has no answer stays undecided, and after an interrupt
    everything does."""
    given: Iterator[str] = iter(answers)

    def answer(_: str) -> str:
        if (word := next(given, None)) is None:
            raise EOFError
        if word == "^":
            raise KeyboardInterrupt
        return word

    monkeypatch.setattr("builtins.input", answer)
    changes = [change(Path(name), cell) for name, cell in (("a", 0), ("a", 1), ("b", 0))]
    assert review_in_terminal(changes, terminal(Reporter())) == decisions
    out = capsys.readouterr().out
    assert "a: Cell 0[print] (1 of 3)\n  | print(1)\n" in out
    assert re.search(r"^- old +\| \+ new$", out, re.MULTILINE)


def test_long_lines_of_both_sides_stay_side_by_side() -> None:
    """Each is wrapped in its column, and equal lines have no sign."""
    lines = list(side_by_side_lines("same\n" + "old " * 9, "same\nnew", 43))
    assert lines[1:] == [
        "  same               |   same",
        "- old old old old    | + new",
        "- old old old old    |",
        "- old                |",
    ]
    assert all(len(line) <= 43 for line in lines)


def test_only_accepted_cells_are_written(tmp_path: Path) -> None:
    """The others keep every byte, and so does a notebook in which nothing is accepted."""
    notebook = write_notebook(tmp_path / "two.ipynb", "print(1)", "", "print(3)")
    before = json.loads(notebook.read_text())
    save_accepted([change(notebook, 0), change(notebook, 2)], {1})
    after = json.loads(notebook.read_text())
    assert after["cells"][:2] == before["cells"][:2]
    assert after["cells"][2]["outputs"][0]["text"] == ["new\n"]
    assert after["cells"][2]["execution_count"] == 2


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """And the accepted cells of the others are saved."""
    good = write_notebook(tmp_path / "good.ipynb", "print(1)")
    changes = [change(tmp_path / "gone.ipynb", 0), change(good, 0)]
    unsaved = save_accepted(changes, {0, 1})
    assert [*unsaved] == [0]
    assert "gone.ipynb cannot be written: " in unsaved[0]
    assert json.loads(good.read_text())["cells"][0]["outputs"][0]["text"] == ["new\n"]
    assert list(decision_lines(changes, {0: True, 1: True}, {1})) == [
        "1 of 2 changes accepted; 1 stayed as it was.",
        "Not saved: gone.ipynb::Cell 0[print]",
    ]


def answered(
    changes: list[Change], form: dict[str, str], before: bytes = b""
) -> tuple[dict[int, bool], str]:
    """Serve the page to a browser that sends a form, and other bytes before it."""
    pages: list[str] = []

    def browse(line: str) -> None:
        address = re.search(r"http://127\S+", line)
        assert address is not None
        data, url = urlencode(form).encode(), urlsplit(address[0])

        def send() -> None:
            if before:
                request = before.replace(b"PATH", url.path.encode())
                with socket.create_connection((url.hostname, url.port or 0)) as sent:
                    sent.sendall(request + b"\r\n\r\n")
                    sent.shutdown(socket.SHUT_WR)
                    pages.append(sent.makefile("rb").read().decode())
            with urlopen(address[0]) as page:
                pages.append(page.read().decode())
            with urlopen(address[0], data) as page:
                pages.append(page.read().decode())

        threads.append(threading.Thread(target=send))
        threads[0].start()

    threads: list[threading.Thread] = []
    decisions = review_on_page(changes, terminal(Reporter(browse)))
    threads[0].join()
    return dict(decisions), "".join(pages)


@pytest.mark.parametrize(
    ("form", "decisions"),
    [
        ({"cell-0": "accept", "cell-1": "reject"}, {0: True, 1: False}),
        ({"cell-1": "accept", "cell-7": "accept"}, {1: True}),
        ({"all": "accept", "cell-0": "reject"}, {0: True, 1: True}),
        ({"all": "reject"}, {0: False, 1: False}),
        ({}, {}),
    ],
)
def test_each_change_is_answered_on_the_page(
    form: dict[str, str], decisions: dict[int, bool]
) -> None:
    """With its two buttons, or all at once; the page then says what was accepted."""
    changes = [change(Path("a"), 0), change(Path("a"), 1)]
    found, pages = answered(changes, form)
    assert found == decisions
    assert f"{sum(decisions.values())} of 2 changes accepted" in pages


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /\xff HTTP/1.1", "404"),
        (b"POST /other HTTP/1.1\r\nContent-Length: 10", "404"),
        (b"POST PATH HTTP/1.1", "413"),
        (b"POST PATH HTTP/1.1\r\nContent-Length: many", "413"),
        (b"POST PATH HTTP/1.1\r\nContent-Length: -1", "413"),
        (b"POST PATH HTTP/1.1\r\nContent-Length: 99999999", "413"),
        (b"POST PATH HTTP/1.1\r\nContent-Length: " + b"9" * 5_000, "413"),
    ],
)
def test_what_is_no_answer_of_the_page_decides_nothing(
    request_: bytes, status: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is refused without a traceback, and the page waits on."""
    found, pages = answered([change(Path("a"), 0)], {"all": "accept"}, request_)
    assert found == {0: True}
    assert status in pages.partition("\n")[0]
    assert capfd.readouterr() == ("", "")


def test_the_page_runs_nothing_of_what_it_shows() -> None:
    """Texts of notebooks are escaped, and it loads nothing."""
    page = review_page([change(Path("a"), 0, "<script>alert(1)</script>")])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for loaded in ("<script", "src=", "href=", "url(", "@import"):
        assert loaded not in page


def test_images_are_shown_old_beside_new() -> None:
    """Also those of HTML reports; a picture in SVG runs nothing, as it is an image, too."""
    svg = b64encode(b"<svg onload='alert(1)'/>").decode()
    shown = change(Path("a"), 0)._replace(
        old_images=[("image/png", "aaaa")], new_images=[("image/svg+xml", svg)]
    )
    page = review_page([shown])
    old, new = (
        page.index(f'<img src="data:{of}')
        for of in ("image/png;base64,aaaa", f"image/svg+xml;base64,{svg}")
    )
    assert page.index("Saved") < old < page.index("This run") < new
    outputs = [{"output_type": "display_data", "data": data} for data in (
        {"image/png": "aa\naa\n", "text/plain": "x"}, {"text/plain": "y"},
        {"image/svg+xml": ["<svg onload=", "'alert(1)'/>"]})]  # fmt: skip
    assert images(outputs) == [*shown.old_images, *shown.new_images]


def notebook_with_two_changes(folder: Path) -> Path:
    """Record a notebook, and change the recorded replies of both of its cells."""
    ask = (
        "from chatnb import ScriptedChatModel\nprint(ScriptedChatModel(['{0}']).invoke('{0}').text)"
    )
    cells = (ask.format("One."), ask.format("Two."))
    notebook = write_notebook(folder / "asks.ipynb", *cells)
    assert run_pytest(folder, "--chatnb", "--chatnb-record", ".").code == 0
    edit(folder / "cassettes" / "asks.yaml", "- text: One.", "- text: Uno.")
    edit(folder / "cassettes" / "asks.yaml", "- text: Two.", "- text: Due.")
    return notebook


ONE_OF_TWO = ("sh", "-c", "printf 'y\\nn\\n' | \"$@\"", "sh")


@pytest.mark.slow
def test_a_notebook_that_is_one_test_passes_once_all_its_changes_are_accepted(
    tmp_path: Path,
) -> None:
    """With one change of two accepted it fails, as its other cell does."""
    notebook_with_two_changes(tmp_path)
    options = ("--chatnb-review=terminal", "--chatnb-one-test", ".")
    ran = run_pytest(tmp_path, "--chatnb", *options, before=ONE_OF_TWO)
    assert "1 of 2 changes accepted; 1 stayed as it was." in ran.said
    assert ran.code == pytest.ExitCode.TESTS_FAILED
    assert "1 failed in" in ran.said


@pytest.mark.slow
def test_a_changed_reply_is_reviewed_and_saved(tmp_path: Path) -> None:
    """One cell of two that differ is accepted, and the run fails for the other one; once that is
    accepted as well, it passes."""
    notebook = notebook_with_two_changes(tmp_path)
    options = ("--chatnb-review=terminal", "-n1", ".")
    ran = run_pytest(tmp_path, "--chatnb", *options, before=ONE_OF_TWO, COLUMNS="200")
    lines = ran.said.splitlines()
    assert "1 of 2 changes accepted; 1 stayed as it was." in ran.said
    name = "asks.ipynb::Cell 1[print(ScriptedChatModel(['Two.']).invoke('Two.'...]"
    assert f"Rejected: {name}" in lines
    assert f"FAILED {name} - stdout differs: 'Two.' is now 'Due.'" in lines
    assert ran.code == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 1 accepted" in ran.said
    outputs: Any = [cell["outputs"] for cell in json.loads(notebook.read_text())["cells"]]
    assert [output[0]["text"] for output in outputs] == [["Uno.\n"], ["Two.\n"]]
    answers = ("sh", "-c", 'echo y | "$@"', "sh")
    options = ("--chatnb-review=terminal", "--chatnb-one-test", ".")
    ran = run_pytest(tmp_path, "--chatnb", *options, before=answers)
    assert "1 of 1 changes accepted." in ran.said
    assert "1 accepted in" in ran.said
    assert ran.code == pytest.ExitCode.OK
    assert "FAILED" not in ran.said


def recorded_calls(path: Path, *requests: str) -> str:
    """Record a call for each request, answered by it, and return the cassette."""
    with cassette(path, "record"):
        for request in requests:
            ScriptedChatModel([f"{request}1"]).invoke(request)
    return path.read_text()


def replies_in(path: Path) -> list[str]:
    return re.findall("- text: (.+)", path.read_text())


@pytest.mark.parametrize(
    ("decisions", "replies"),
    [
        ({1: True, 2: True}, ["A2", "B2", "C2", "D2"]),
        ({1: True, 2: False}, ["A2", "B2", "C1", "D2"]),
        ({1: False, 2: True}, ["A1", "B1", "C2", "D2"]),
        ({1: False, 2: None}, ["A1", "B1", "C2", "D2"]),
        ({1: False, 2: False}, ["A1", "B1", "C1", "D1", "E1"]),
    ],
)
def test_replies_of_rejected_cells_do_not_stay(
    tmp_path: Path, decisions: dict[int, bool | None], replies: list[str]
) -> None:
    """Nor those of cells before it that show nothing: the earlier replies come back. Without an
    accepted cell, the cassette is as it was to the last byte."""
    path = tmp_path / "calls.yaml"
    before = recorded_calls(path, *"ABCDE")
    path.write_text(re.sub("- text: (.)1", r"- text: \g<1>2", before).rpartition("\n- request")[0])
    is_restored = restore_rejected(
        Recorded("calls.ipynb", str(path), before, [0, 1, 2, 3]), decisions
    )
    assert replies_in(path) == replies
    assert is_restored == (False in decisions.values())
    assert (path.read_text() == before) == (set(decisions.values()) == {False})


def test_a_cassette_of_rejected_cells_alone_does_not_stay(tmp_path: Path) -> None:
    """If there was none before the review, there is none after it."""
    path = tmp_path / "calls.yaml"
    recorded_calls(path, "A")
    restore_rejected(Recorded("calls.ipynb", str(path), None, [0]), {0: False})
    assert not path.exists()


@pytest.mark.slow
def test_a_rejected_recording_replays_as_before(tmp_path: Path) -> None:
    """One of two cells with another prompt is rejected: the cassette has its earlier reply."""
    ask = "from chatnb import ScriptedChatModel as M\nprint(M(['{0}']).invoke('{0}').text)"
    notebook = write_notebook(tmp_path / "asks.ipynb", *map(ask.format, ("One.", "Two.")))
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".").code == 0
    path = tmp_path / "cassettes" / "asks.yaml"
    for old, new in (("One.", "Uno."), ("Two.", "Due.")):
        edit(notebook, ask.format(old).partition("\n")[2], ask.format(new).partition("\n")[2])
    answers = ("sh", "-c", "printf 'y\\nn\\n' | \"$@\"", "sh")
    options = ("--chatnb-record", "--chatnb-review=terminal", ".")
    ran = run_pytest(tmp_path, "--chatnb", *options, before=answers, COLUMNS="200")
    assert "1 of 2 changes accepted; 1 stayed as it was." in ran.said
    assert "Cassettes have the earlier replies of rejected cells again." in ran.said
    assert replies_in(path) == ["Uno.", "Two."]
