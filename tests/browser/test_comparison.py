"""The view of a comparison, in a real browser: columns of one widget."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from chatnb.notebook.tables.comparison import Answer, comparison_mimebundle, grid_columns
from tests.browser.conftest import ReplyPage

pytestmark = pytest.mark.browser

PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAP///////yH+BSIgAAAAACwAAAAAAQABAAACAkQBADs="


def open_columns(page: ReplyPage, *names: str, **traits: Any) -> Locator:
    """Show a comparison of models that are waited for; return its columns."""
    columns = [{"model_name": name, "phase": "waiting", "footer": "", "note": ""} for name in names]
    texts, media = [{"seq": 0, "text": ""}] * len(names), [[]] * len(names)
    page.open(columns=columns, snapshots=texts, media=media, **traits)
    return page.page.locator(".chatnb-comparison > .chatnb-reply")


def write(page: ReplyPage, column: int, *texts: str) -> None:
    """Send the first deltas of a column."""
    script = "model.message({ type: 'delta', seq: given[0], text: given[1], column: given[2] })"
    for seq, text in enumerate(texts, 1):
        page.run(script, [seq, text, column])


def change(page: ReplyPage, column: int, **changes: str) -> None:
    """Change the state of one column."""
    script = """
        const [index, changes] = given;
        const merge = (column, at) => (at === index ? { ...column, ...changes } : column);
        model.receive("columns", model.traits.columns.map(merge));
    """
    page.run(script, [column, changes])


def test_each_column_gets_its_own_text_and_end(reply_page: ReplyPage) -> None:
    """Deltas of columns mix; a column that has ended shows its facts alone, while others go on."""
    columns = open_columns(reply_page, "fast model", "slow model")
    for name, column in zip(["fast model", "slow model"], columns.all(), strict=True):
        assert column.inner_text().startswith(f"{name}\n")
    change(reply_page, 0, phase="streaming")
    write(reply_page, 0, "One *a*", " and b.")
    write(reply_page, 1, "Two.")
    change(reply_page, 0, phase="done", footer="m · 8 tokens in · 1.0 s")
    expect(columns.nth(0).locator(".chatnb-text")).to_have_text("One a and b.")
    expect(columns.nth(1).locator(".chatnb-text")).to_have_text("Two.")
    assert columns.nth(0).locator(".chatnb-line").inner_text() == "m · 8 tokens in · 1.0 s"
    expect(columns.nth(1).locator(".chatnb-status")).to_have_text("Waiting for slow model…")
    change(reply_page, 1, note="attempt 2 of 3")
    expect(columns.nth(1).locator(".chatnb-status")).to_have_text("slow model: attempt 2 of 3")


def test_footers_of_several_lines_open_by_steps(reply_page: ReplyPage) -> None:
    """Columns below each other that end together grow by at most 2 px in each frame."""
    reply_page.page.set_viewport_size({"width": 300, "height": 900})
    open_columns(reply_page, "one", "two")
    reply_page.run("""
        window.root = document.querySelector(".chatnb-comparison");
        window.heights = [root.offsetHeight];
        const shoot = () => {
            heights.push(root.offsetHeight);
            requestAnimationFrame(shoot);
        };
        requestAnimationFrame(shoot);
    """)
    for column in range(2):
        change(reply_page, column, phase="done", footer="m · 8 tokens in · 1.0 s · " * 4)
    reply_page.wait_for("!root.querySelector('[style*=max-height]')")
    heights: list[int] = reply_page.run("return heights")
    assert heights[-1] - heights[0] > 30
    assert max(abs(after - before) for before, after in pairwise(heights)) <= 2


def test_pictures_and_sounds_come_at_the_end(reply_page: ReplyPage) -> None:
    """They stand in the column of their reply, above its footer, once it has ended. Nothing is
    fetched from another address."""
    columns = open_columns(reply_page, "one", "two")
    write(reply_page, 0, "Here.")
    media = [[PICTURE, "data:audio/wav;base64,UklGRg==", "https://example.org/a.png"], []]
    reply_page.run("model.receive('media', given)", media)
    expect(columns.locator("img, audio")).to_have_count(0)
    change(reply_page, 0, phase="done", footer="m · 1.0 s")
    picture, sound = columns.nth(0).locator(".chatnb-media > *").all()
    expect(picture).to_have_attribute("src", PICTURE)
    expect(picture).to_have_accessible_name("Picture of the answer")
    expect(sound).to_have_accessible_name("Sound of the answer")
    above = columns.nth(0).locator(".chatnb-media + .chatnb-panel-calls + .chatnb-line")
    expect(above).to_contain_text("m · 1.0 s")
    change(reply_page, 1, phase="done")
    expect(columns.nth(1).locator("img, audio")).to_have_count(0)


def test_a_gap_in_one_column_is_healed_by_the_snapshots(reply_page: ReplyPage) -> None:
    """It asks once, and the other columns stay as they are."""
    columns = open_columns(reply_page, "one", "two")
    write(reply_page, 0, "whole ")
    reply_page.run("model.message({ type: 'delta', seq: 3, text: 'c', column: 1 })")
    assert reply_page.run("return model.sent") == [{"type": "resync"}]
    reply_page.run("window.before = document.querySelector('.chatnb-text').firstChild")
    snapshots = [{"seq": 1, "text": "whole "}, {"seq": 3, "text": "a b c"}]
    reply_page.run("model.receive('snapshots', given)", snapshots)
    for index in range(2):
        change(reply_page, index, phase="done")
    expect(columns.nth(0).locator(".chatnb-text")).to_have_text("whole")
    expect(columns.nth(1).locator(".chatnb-text")).to_have_text("a b c")
    assert reply_page.run("return document.querySelector('.chatnb-text').firstChild === before")


def test_stop_in_any_column_stops_all(reply_page: ReplyPage) -> None:
    """Its button says so."""
    columns = open_columns(reply_page, "one", "two")
    columns.nth(1).get_by_role("button", name="Stop all replies").click()
    assert reply_page.run("return model.sent") == [{"type": "stop"}]


@pytest.mark.parametrize(
    ("count", "in_a_row"),
    [(2, {1200: 2, 300: 1}), (3, {1200: 3, 600: 2, 300: 1}), (4, {1200: 4, 900: 2, 300: 1})],
)
def test_columns_stand_as_in_the_finished_output(
    reply_page: ReplyPage, count: int, in_a_row: dict[int, int]
) -> None:
    """Live or finished, with a notice below, they stand at the same places, in rows as even as the
    width allows."""
    names = [f"model {number}" for number in range(count)]
    columns = open_columns(reply_page, *names, grid_columns=grid_columns(count))
    finished = comparison_mimebundle([Answer(name, "Text", "") for name in names], "A notice.")
    reply_page.run(
        "document.body.insertAdjacentHTML('beforeend', given)", finished.get("text/html")
    )
    still = reply_page.page.locator(".chatnb-comparison:not(:has(> .chatnb-reply)) > div")
    for width, beside in in_a_row.items():
        reply_page.page.set_viewport_size({"width": width, "height": 700})
        lefts = [_lefts(place) for place in (columns, still)]
        assert lefts[0] == lefts[1]
        assert len(lefts[0]) == count
        assert len(set(lefts[0])) == beside


def _lefts(columns: Locator) -> list[float]:
    return [box["x"] for box in (column.bounding_box() for column in columns.all()) if box]


def test_a_removed_comparison_leaves_nothing(reply_page: ReplyPage) -> None:
    """Neither nodes nor listeners."""
    open_columns(reply_page, "one", "two")
    reply_page.run("for (const view of widget.views) await view.dispose()")
    assert reply_page.run("return document.querySelectorAll('.chatnb-comparison *').length") == 0
    reply_page.run("await widget.unload()")
    assert reply_page.run("return model.handlers.length") == 0
