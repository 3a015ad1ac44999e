"""The progress bar of a batch in a notebook."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from tqdm import tqdm

from chatnb.notebook.tables.progress import NotebookBar, bar_mimebundle, notebook_bar
from chatnb.notebook.widgets import front_end

# Done, total, elapsed, postfix; the line; and the width of what is done, if there is a track.
BARS: list[tuple[int, int | None, float, str, str, str]] = [
    (0, 4, 0.0, "", "0 of 4", "0.0%"),
    (0, 4, 9.0, "", "0 of 4", "0.0%"),
    (1, 4, 0.0, "", "1 of 4", "25.0%"),
    (1, 4, 2.0, "", "1 of 4 · 0.5 a second · 00:06 left", "25.0%"),
    (2, 3, 4.0, "1 failed, $2", "2 of 3 · 0.5 a second · 00:02 left · 1 failed · $2", "66.7%"),
    (1_000, 3_000, 100.0, "$2", "1,000 of 3,000 · 10.0 a second · 03:20 left · $2", "33.3%"),
    (4, 4, 70.0, "", "4 of 4 · 0.1 a second · 01:10 in all", ""),
    (5, 4, 10.0, "", "5 of 4 · 0.5 a second · 00:10 in all", ""),
    (3, None, 0.0, "", "3", ""),
    (1_200, None, 3_661.0, "$1", "1,200 · 0.3 a second · 1:01:01 so far · $1", ""),
    (0, 0, 5.0, "", "0 of 0", ""),
]  # fmt: skip


@pytest.mark.parametrize(("done", "total", "elapsed", "postfix", "line", "width"), BARS)
def test_a_bar_tells_its_pace(
    done: int, total: int | None, elapsed: float, postfix: str, line: str, width: str
) -> None:
    """And has a track while it is known how much is left, in another colour after a failure."""
    shown = bar_mimebundle(done, total, elapsed, postfix)
    html = shown.get("text/html", "")
    assert shown.get("text/plain") == line
    assert html.endswith(f"<span>{line}</span></div>")
    if not width:
        assert "progressbar" not in html
        return
    assert f"width: {width}" in html
    track = f'role="progressbar" aria-valuemin="0" aria-valuemax="{total}" aria-valuenow="{done}" '
    assert f'{track}aria-label="Calls">' in html
    assert ("--jp-warn-color1" in html) is ("failed" in postfix)
    assert ("--jp-brand-color1" in html) is ("failed" not in postfix)


@pytest.fixture
def published(
    bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, str, bool]]:
    """The lines that are shown, with their display ids, and whether one replaces another."""
    found: list[tuple[str, str, bool]] = []

    def publish(
        data: dict[str, Any], metadata: Any = None, *, transient: Any, update: bool, **_: Any
    ) -> None:
        found.append((data["text/plain"], transient["display_id"], update))

    monkeypatch.setattr(InteractiveShell, "_instance", bare_shell)
    monkeypatch.setattr(bare_shell.display_pub, "publish", publish)
    return found


def test_a_bar_is_drawn_in_place_a_few_times_a_second(
    published: list[tuple[str, str, bool]],
) -> None:
    """A change in between is drawn with the next one, or when it is asked for."""
    now = [100.0]
    bar = NotebookBar(8, clock=lambda: now[0])
    assert (bar.start_t, bar.last_print_t, bar.n) == (100.0, 100.0, 0)
    bar.update()
    for seconds, number in ((100.125, 1), (100.2499, 1), (100.25, 2), (100.375, None)):
        now[0] = seconds
        bar.update(number)
    assert bar.n == 5
    bar.set_postfix_str("1 failed", refresh=False)
    assert len(published) == 2
    bar.set_postfix_str("2 failed")
    now[0] = 101.0
    bar.set_postfix_str()
    bar.close()
    lines, ids, updates = zip(*published, strict=True)
    assert [line.partition(" · ")[0] for line in lines] == ["1 of 8", "5 of 8", "5 of 8", "5 of 8"]
    assert [line.rpartition(" · ")[2] for line in lines] == [
        "1 of 8", "00:00 left", "2 failed", "00:00 left"
    ]  # fmt: skip
    assert len(set(ids)) == 1
    assert updates == (False, True, True, True)
    assert NotebookBar(1)._display_id is None


@pytest.mark.parametrize(
    ("view", "kind"), [("live", NotebookBar), ("static", None), ("text", tqdm)]
)
def test_a_bar_is_for_those_who_watch(
    monkeypatch: pytest.MonkeyPatch, view: str, kind: type[Any] | None
) -> None:
    """A terminal has a line of its own, and a program that runs a notebook has none."""
    monkeypatch.setenv("CHATNB_VIEW", view)
    bar = notebook_bar(3)
    assert type(bar) is (kind or type(None)) or isinstance(bar, kind or type(None))
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(notebook_bar(3)))
    thread.start()
    thread.join()
    assert (found[0] is None) is (view != "text")


def test_the_view_is_that_of_the_cell() -> None:
    """Without a kernel it is text."""
    assert front_end.cell_view() == "text"
    assert notebook_bar(None) is not None
