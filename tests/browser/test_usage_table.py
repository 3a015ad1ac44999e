"""The table of calls, in a real browser: what it shows, and what it does when it is used."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from chatnb.notebook.usage_table.static import text_table
from chatnb.schema.model_call import ModelCall
from tests.browser.usage_table_page import TOTALS, UsageTablePage, usage_table_page
from tests.support.model_calls import made_up, tokens
from tests.support.thorough import thorough

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror='window.pwned = 1'><script>window.pwned = 2</script> | `c` $x$"


@pytest.fixture
def table(browser: Browser) -> Iterator[UsageTablePage]:
    permissions = ["clipboard-read", "clipboard-write"]
    with usage_table_page(browser, permissions=permissions) as page:
        yield page


def clipboard(table: UsageTablePage) -> str:
    return table.run("return navigator.clipboard.readText()")


# What it shows is what Python shows.


@pytest.mark.parametrize("models", [*thorough([1]), 3])
@pytest.mark.parametrize("gaps", [False, True])
def test_cells_and_sums_are_those_of_the_static_table(
    table: UsageTablePage, models: int, gaps: bool
) -> None:
    """The browser sums up by itself, and comes to what Python wrote for those without a kernel."""
    calls = made_up(20, models, gaps=gaps)
    table.open(calls)
    static = text_table(calls)
    assert table.cells(".chatnb-usage-header") == [[column.title for column in static.columns]]
    # A page has more room for prompts than a file.
    assert [row[1:] for row in table.cells()] == [row[1:] for row in static.rows]
    assert table.column("Prompt") == [call.prompt for call in calls]
    shown = [[cell.replace(" +", " + ") for cell in row] for row in table.cells(TOTALS)]
    # The label has the room of the prompt and the model.
    assert shown == [[line.label, *line.joined()[2:-1], ""] for line in static.totals]
    note = table.page.locator(".chatnb-usage-prices")
    if models == 1 or not gaps:
        expect(note).to_contain_text("Costs by genai-prices")


def test_it_stands_in_the_place_of_the_static_table(table: UsageTablePage) -> None:
    """One of the two is to be seen: the live one as long as there is a model, then the other."""
    table.open(made_up(3))
    static = table.page.locator("table")
    expect(static).to_be_hidden()
    expect(table.page.get_by_role("grid")).to_be_visible()
    table.run("unload(); window.unload = undefined")
    expect(static).to_be_visible()
    expect(table.page.get_by_role("grid")).to_have_count(0)


def test_what_is_not_known_is_blank(table: UsageTablePage) -> None:
    """Neither 0 nor a dash; a cached reply says that it is one, and a failure its name."""
    calls = [
        ModelCall("m", prompt="one", usage=tokens(3, 4), finish_reason="stop"),
        ModelCall("m", prompt="two"),
        ModelCall("m", prompt="three", cached=True),
        ModelCall("m", prompt="four", error="RateLimitError"),
    ]
    table.open(calls)
    assert table.column("Total") == ["7", "", "0", ""]
    assert table.column("Cost") == ["", "", "cached", ""]
    assert table.column("Finish") == ["stop", "", "", "RateLimitError"]
    assert table.cells(TOTALS)[-1][0] == "Total · 4 calls, 1 failed, 1 from cache"
    assert table.cells(TOTALS)[-1][1:] == ["3 +2 unknown", "4 +2 unknown", "7 +2 unknown", "", ""]


def test_what_prompts_say_is_text(table: UsageTablePage) -> None:
    """Tags of prompts, models and errors make no elements, run nothing and load nothing."""
    table.open([ModelCall(HOSTILE, HOSTILE, HOSTILE, error=HOSTILE), ModelCall("m")])
    assert table.column("Prompt")[0] == HOSTILE
    assert (
        table.run("return document.querySelectorAll('.chatnb-usage :is(img, script)').length") == 0
    )
    assert table.run("return window.pwned ?? null") is None
    assert table.requests == []
    table.page.get_by_role("button", name="Copy Markdown").click()
    expect(table.page.get_by_role("status")).to_have_text("Copied 2 calls as Markdown")
    row = clipboard(table).splitlines()[2]
    assert "<img" not in row
    assert row.replace(r"\|", "").count("|") == 4


def test_messages_of_any_kind_are_survived(table: UsageTablePage) -> None:
    """The view survives states that it does not know."""
    for odd in (None, [], {"length": "x"}, {"length": 2, "columns": [None, {"kind": "text"}]}):
        table.page.evaluate("(table) => openTable(table)", odd)
        assert table.errors == []


# Sorting and filtering.


def test_a_click_on_a_heading_sorts(table: UsageTablePage) -> None:
    """Numbers from the largest, texts from A, a second click the other way, a third as it was;
    what is not known comes last either way."""
    table.open(made_up(15, gaps=True))
    before = table.column("Prompt")
    totals = [int(text.replace(",", "")) for text in table.column("Total") if text]
    table.sort("Total")
    expect(table.heading("Total")).to_have_attribute("aria-sort", "descending")
    expect(table.heading("Model")).to_have_attribute("aria-sort", "none")
    assert table.column("Total") == [*(f"{n:,}" for n in sorted(totals, reverse=True)), "", ""]
    table.sort("Total")
    expect(table.heading("Total")).to_have_attribute("aria-sort", "ascending")
    assert table.column("Total") == [*(f"{n:,}" for n in sorted(totals)), "", ""]
    table.sort("Total")
    expect(table.heading("Total")).to_have_attribute("aria-sort", "none")
    assert table.column("Prompt") == before
    table.sort("Model")
    expect(table.heading("Model")).to_have_attribute("aria-sort", "ascending")
    models = table.column("Model")
    assert models == sorted(models)


def test_a_filter_leaves_rows_that_have_all_its_words(table: UsageTablePage) -> None:
    """In whatever case and column, and the sums are of what was found."""
    calls = made_up(30, gaps=True)
    table.open(calls)
    search = table.page.get_by_label("Filter calls by prompt, model and finish")
    search.fill("GPT cell")
    found = [call for call in calls if "gpt" in call.model and "cell" in call.prompt]
    assert table.column("Prompt") == [call.prompt for call in found]
    expect(table.page.get_by_role("status")).to_have_text(f"{len(found)} of 30 calls")
    assert table.cells(TOTALS)[-1][0].startswith("Total of what was found · 2 calls")
    search.fill("ratelimit")
    assert set(table.column("Finish")) == {"RateLimitError"}
    search.fill("no such thing")
    expect(table.page.get_by_text("No call has all of these words.")).to_be_visible()
    search.fill("")
    assert len(table.cells()) == 24


# Selecting.


def test_clicks_select_rows_whose_sums_are_shown(table: UsageTablePage) -> None:
    """A click one, with Shift all up to it, with Ctrl one more or less; the order is the shown."""
    calls = made_up(10, 1)
    table.open(calls)
    table.sort("Total")
    table.row(1).click()
    assert table.selected() == [1]
    table.row(3).click(modifiers=["Shift"])
    assert table.selected() == [1, 2, 3]
    table.row(6).click(modifiers=["ControlOrMeta"])
    table.row(2).click(modifiers=["ControlOrMeta"])
    assert table.selected() == [1, 3, 6]
    chosen = [calls[9 - place] for place in (1, 3, 6)]
    last = table.cells(TOTALS)[-1]
    assert last[0] == "Selected · 3 calls"
    assert last[5] == f"{sum(call.count('total') or 0 for call in chosen):,}"
    expect(table.page.get_by_role("status")).to_have_text("10 calls · 3 selected")
    table.row(6).click()
    table.row(6).click()
    assert table.selected() == []
    assert table.cells(TOTALS)[-1][0] == "Total · 10 calls"


def test_keys_go_through_the_rows_and_select_them(table: UsageTablePage) -> None:
    """From the filter down to the rows, up to the headings and along them, and back."""
    table.open(made_up(1_000))
    table.page.get_by_role("searchbox").press("ArrowDown")
    expect(table.row(0)).to_be_focused()
    table.press("ArrowDown", "ArrowDown", "Space")
    assert table.selected() == [2]
    table.press("Shift+ArrowDown", "Shift+ArrowDown")
    assert table.selected() == [2, 3, 4]
    table.press("PageDown")
    expect(table.row(14)).to_be_focused()
    table.press("Shift+ArrowUp")
    assert table.selected() == list(range(2, 14))
    table.press("End")
    expect(table.row(999)).to_be_focused()
    expect(table.row(999)).to_be_in_viewport()
    table.press("Control+a")
    expect(table.page.get_by_role("status")).to_have_text("1,000 calls · 1,000 selected")
    table.press("Escape")
    expect(table.page.get_by_role("status")).to_have_text("1,000 calls")
    table.press("Home", "ArrowUp")
    expect(table.heading("Prompt").get_by_role("button")).to_be_focused()
    table.press("ArrowRight", "Enter")
    expect(table.heading("Model")).to_have_attribute("aria-sort", "ascending")
    table.press("ArrowDown")
    assert table.run("return document.activeElement.className").endswith("chatnb-usage-call")


def test_keys_of_the_table_are_not_jupyterlabs(table: UsageTablePage) -> None:
    """Plain keys and Select all are kept from its shortcuts, all others go through."""
    table.open(made_up(3))
    table.row(0).click()
    marked = "return document.activeElement.getAttribute('data-lm-suppress-shortcuts')"
    for key, kept in (("b", "true"), ("Control+a", "true"), ("Control+s", None)):
        table.press(key)
        assert table.run(marked) == kept, key


# Copying.


def test_copied_csv_is_the_selection(table: UsageTablePage) -> None:
    """In the order that is shown, exact numbers, what is not known left empty."""
    calls = [
        ModelCall("m", "p", 'a "b", c', tokens(1_000, 4), 1.25),
        ModelCall("m", "p", "d", tokens(2_000, 4)),
        ModelCall("n", "p", "e", cached=True),
    ]
    table.open(calls)
    table.sort("Input")
    table.row(0).click()
    table.row(1).click(modifiers=["Shift"])
    table.page.get_by_role("button", name="Copy CSV").click()
    expect(table.page.get_by_role("status")).to_have_text("Copied 2 calls as CSV")
    first, second = csv.DictReader(io.StringIO(clipboard(table)))
    assert (first["prompt"], first["input_tokens"], first["seconds"]) == ("d", "2000", "")
    assert (second["prompt"], second["input_tokens"]) == ('a "b", c', "1000")
    assert (second["provider"], second["from_cache"]) == ("p", "False")


def test_copied_markdown_is_all_without_a_selection(table: UsageTablePage) -> None:
    """Also rows that are not in the page, and the sums; it is the table that Python writes."""
    calls = made_up(60, gaps=True)
    table.open(calls)
    table.page.get_by_role("button", name="Copy Markdown").click()
    expect(table.page.get_by_role("status")).to_have_text("Copied 60 calls as Markdown")
    lines = clipboard(table).replace("\\", "").splitlines()
    static = text_table(calls)
    assert len(lines) == 2 + 60 + 4
    texts = [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines]
    assert texts[0] == [column.title for column in static.columns]
    assert [row[2:8] for row in texts[2:62]] == [row[2:8] for row in static.rows]
    assert texts[-1] == [f"**{cell}**" if cell else "" for cell in static.totals[-1].joined()]


def test_without_permission_there_is_the_old_way(browser: Browser) -> None:
    """A page without HTTPS has no clipboard of the new kind."""
    with usage_table_page(browser, permissions=["clipboard-read"]) as table:
        table.run("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        table.open(made_up(3))
        table.page.get_by_role("button", name="Copy CSV").click()
        expect(table.page.get_by_role("status")).to_have_text("Copied 3 calls as CSV")
        expect(table.page.get_by_role("button", name="Copy CSV")).to_be_focused()


def test_ctrl_c_copies_the_selected_rows(browser: Browser) -> None:
    """Rows come as a spreadsheet pastes them; marked text stays the browser's to copy. Columns that
    are cut off fade out until they are scrolled to."""
    permissions = ["clipboard-read", "clipboard-write"]
    size = {"width": 420, "height": 800}
    with usage_table_page(browser, viewport=size, permissions=permissions) as table:
        table.open(made_up(5))
        table.row(2).click()
        table.press("Shift+ArrowDown", "Control+c")
        expect(table.page.get_by_role("status")).to_have_text("Copied 2 calls as TSV")
        lines = table.run("return navigator.clipboard.readText()").strip("\n").split("\n")
        assert len(lines) == 3
        assert len({line.count("\t") for line in lines}) == 1
        assert lines[0].split("\t")[:2] == ["Prompt", "Model"]
        grid = table.page.get_by_role("grid")
        expect(grid).to_have_attribute("data-more", "")
        grid.evaluate("grid => (grid.scrollLeft = grid.scrollWidth)")
        expect(grid).not_to_have_attribute("data-more", "")


# Many rows.


@pytest.mark.thorough
def test_only_visible_rows_are_in_the_page(table: UsageTablePage) -> None:
    """Ten thousand rows are as few elements as a hundred, and each says which one it is."""
    counts = list[int]()
    for rows in (100, 10_000):
        table.open(made_up(rows))
        counts.append(table.run("return document.querySelectorAll('.chatnb-usage *').length"))
    assert counts[1] <= counts[0] < 800
    grid = table.page.get_by_role("grid")
    expect(grid).to_have_attribute("aria-rowcount", str(1 + 10_000 + 4))
    table.run("document.querySelector('.chatnb-usage-grid').scrollTop = 5_000 * 24")
    expect(table.row(5_010)).to_be_in_viewport()
    assert len(table.cells()) < 32
    places = [
        int(row.get_attribute("aria-rowindex") or 0)
        for row in table.page.locator(".chatnb-usage-call").all()
    ]
    assert places == sorted(places)


def test_many_models_leave_the_sums_in_sight(table: UsageTablePage) -> None:
    """They scroll by themselves, and the last ones are one line."""
    calls = [ModelCall(f"model {number}", prompt="Hi", usage=tokens(3, 4)) for number in range(50)]
    table.open(calls)
    totals = table.cells(TOTALS)
    assert len(totals) == 22
    assert totals[20][0] == "30 more models · 30 calls"
    expect(table.page.locator(TOTALS).last).to_be_in_viewport()
    expect(table.page.locator(TOTALS).last).to_contain_text("Total · 50 calls")


# How it looks.


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_takes_the_colours_of_the_page(browser: Browser, scheme: str, dark: bool) -> None:
    """Those of the theme, or of the reader's choice where there is none."""
    with usage_table_page(browser, color_scheme=scheme) as table:
        table.open(made_up(3))
        script = "return getComputedStyle(document.querySelector('.chatnb-usage')).{}"
        surface = table.run(script.format("backgroundColor"))
        text = table.run(script.format("color"))
        assert (_lightness(surface) < 0.5) == dark
        assert abs(_lightness(surface) - _lightness(text)) > 0.6
        table.run(
            "document.documentElement.style.setProperty('--jp-layout-color1', 'rgb(1, 2, 3)')"
        )
        assert table.run(script.format("backgroundColor")) == "rgb(1, 2, 3)"


def _lightness(colour: str) -> float:
    numbers = colour.removeprefix("rgb(").removesuffix(")").split(",")
    return sum(map(float, numbers)) / 3 / 255


@pytest.mark.parametrize("width", [360, 1200])
def test_sums_stand_below_their_columns(browser: Browser, width: int) -> None:
    """On a narrow page as on a wide one no number is cut off, and the page does not scroll."""
    with usage_table_page(browser, viewport={"width": width, "height": 800}) as table:
        table.open(made_up(45, gaps=True))
        right = """(selector) => [...document.querySelectorAll(selector)].map((cell) =>
            Math.round(cell.getBoundingClientRect().right))"""
        kinds = ":is([data-kind=count], [data-kind=dollars], [data-kind=seconds])"
        heads = table.page.evaluate(right, f".chatnb-usage-heading{kinds}")
        for row in (".chatnb-usage-call:first-child", ".chatnb-usage-sums .chatnb-usage-total"):
            assert table.page.evaluate(right, f"{row} .chatnb-usage-cell{kinds}") == heads
        cut = """return [...document.querySelectorAll(given)]
            .filter((cell) => cell.scrollWidth > cell.clientWidth + 1)
            .map((cell) => cell.textContent)"""
        cells = f":is(.chatnb-usage-call, .chatnb-usage-total) {kinds}"
        assert table.run(cut, cells) == []
        assert table.run("return document.documentElement.scrollWidth") <= width


def test_names_are_whole_where_there_is_room(browser: Browser) -> None:
    """On a wide page the name of a model is not cut, and no text begins right after a number."""
    with usage_table_page(browser, viewport={"width": 1200, "height": 800}) as table:
        name = "claude-sonnet-4-5-20250929"
        table.open([ModelCall(name, "anthropic", "Hi", seconds=3.0, finish_reason="stop")] * 3)
        cells = [table.row(0).get_by_text(text, exact=True) for text in (name, "3.00 s", "stop")]
        assert cells[0].evaluate("cell => cell.scrollWidth <= cell.clientWidth")
        latency, finish = (cell.bounding_box() for cell in cells[1:])
        assert latency
        assert finish
        assert finish["x"] - (latency["x"] + latency["width"]) >= 16
