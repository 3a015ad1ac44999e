"""The tree of a run's log, in a real browser: what it shows, and what it does when it is used."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, expect

from chatnb.notebook.run_tree.static import visible_rows
from chatnb.schema.run_logs.log import RunLog, RunLogPatch
from chatnb.schema.run_logs.tree import leaf_usage, run_rows
from tests.browser.run_tree_page import RunTreePage, run_tree_page, wired
from tests.support.run_logs import (
    LogWriter,
    branches,
    failure,
    generated,
    many,
    nested,
    story,
    tokens,
)
from tests.support.thorough import some_of, thorough

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror='window.pwned = 1'><script>window.pwned = 2</script>"


@pytest.fixture
def tree(browser: Browser) -> Iterator[RunTreePage]:
    with run_tree_page(browser) as page:
        yield page


# The rows are those that Python makes of the log for the static tree.


@pytest.mark.parametrize("seed", some_of(range(8), 4))
def test_rows_are_those_of_the_log(tree: RunTreePage, seed: int) -> None:
    """Names, branches, kinds, nesting, states and tokens are those that Python folds from the same
    patches, at the end of the log and in the middle of it."""
    patches = generated(seed, 15, finished=seed % 2 == 0).patches
    for length in (len(patches), len(patches) // 2):
        shown = RunTreePage(tree.page)
        shown.run("document.body.replaceChildren()")
        shown.open(patches[:length], live=True)
        assert shown.rows()
        assert [_told(row) for row in shown.rows()] == _expected(patches[:length])


def _expected(patches: list[RunLogPatch]) -> list[tuple[object, ...]]:
    log = RunLog(*patches)
    rows = visible_rows(run_rows(log.state, log.root))
    return [
        (
            row.name,
            row.branch or "",
            row.type,
            row.depth + 1,
            row.status,
            f"{row.usage['total_tokens']:,}" if row.usage else "",
        )
        for row in rows
    ]


def _told(row: dict[str, object]) -> tuple[object, ...]:
    return tuple(row[name] for name in ("name", "branch", "kind", "level", "status", "tokens"))


def test_branches_have_their_keys_and_wrappers_of_one_run_fold(tree: RunTreePage) -> None:
    """A wrapper is a row while it runs, and again where one rewinds to that; once it has ended, its
    run takes its place, its branch and its level. A filter finds the key and the wrapper."""
    patches = branches().patches
    at_work = patches[:10]
    tree.open(at_work, live=True)
    assert "RunnableRetry" in tree.names()
    tree.add(patches[10:], after=at_work)
    assert [_told(row) for row in tree.rows()] == _expected(patches)
    assert tree.names() == ["write", "RunnableParallel", "ChatLocal", "search"]
    labels = [tree.row(name).get_attribute("aria-label") for name in ("ChatLocal", "search")]
    assert [str(label).split(",")[0] for label in labels] == ["story: ChatLocal", "<facts>: search"]
    tree.row("search").click()
    tree.press("ArrowLeft")
    expect(tree.row("RunnableParallel")).to_be_focused()
    tree.rewind(10)
    assert "RunnableRetry" in tree.names()
    tree.rewind(len(patches))
    tree.page.get_by_label("Filter by name").fill("story")
    tree.settle()
    assert tree.names()[-1] == "RunnableRetry"


def test_a_log_without_a_run_says_so(tree: RunTreePage) -> None:
    """Neither a state nor a clock is told of a run that there is not, and the filter has words."""
    tree.open([])
    page = tree.page
    expect(page.get_by_text("There is no run in this log.")).to_be_visible()
    expect(page.locator(".chatnb-run-told")).to_be_hidden()
    expect(page.get_by_label("Filter by kind").locator("option:checked")).to_have_text("All kinds")
    assert "NaN" not in page.locator("body").inner_text()
    tree.run("document.body.replaceChildren()")
    tree.open([], live=True)
    expect(page.get_by_text("Waiting for the first run…")).to_be_visible()


def test_totals_count_each_model_call_once(tree: RunTreePage) -> None:
    """The line below sums what Python sums: model calls that have none below them."""
    log = LogWriter("sums", type="llm")
    outer = log.start("outer", "llm")
    inner = log.start("inner", "llm", outer)
    log.end(inner, "x", usage=tokens(1_000, 10))
    log.end(outer, "x", usage=tokens(1_000, 10))
    other = log.start("other", "llm")
    log.end(other, "x", usage=tokens(5, 2))
    log.finish("x")
    tree.open(log.patches)
    whole = RunLog(*log.patches)
    usage = leaf_usage(run_rows(whole.state, whole.root))
    assert usage == tokens(1_005, 12)
    footer = tree.page.locator(".chatnb-run-footer")
    expect(footer).to_have_text("4 runs · 2 model calls · 1,005 tokens in, 12 out")


def test_a_price_opens_a_column(tree: RunTreePage) -> None:
    """A column for the cost is there only if a run has one."""
    tree.open(story().patches)
    assert not tree.page.locator(".chatnb-run-cost").first.is_visible()
    log = LogWriter("priced")
    call = log.start("model", "llm")
    log.end(call, "x", usage=tokens(5, 2))
    path = f"/logs/{call}/cost"
    log.patches.append(RunLogPatch({"op": "add", "path": path, "value": 0.0012}, time=log.time))
    tree.run("document.body.replaceChildren()")
    tree.open(log.patches)
    expect(tree.row("model").locator(".chatnb-run-cost")).to_have_text("$0.0012")
    expect(tree.page.locator(".chatnb-run-footer")).to_contain_text("$0.0012")


def test_bars_share_an_axis_and_mark_the_first_token(tree: RunTreePage) -> None:
    """A bar stands where its run was, and is divided where its first token came."""
    log = LogWriter("axis")
    first = log.start("first", "llm")
    log.later(0.25)
    token = log.time
    log.token(first, "Hi")
    log.later(0.75)
    log.end(first, "Hi", first_token=token)
    second = log.start("second", "tool")
    log.later(1.0)
    log.end(second, "x")
    log.finish("x")
    tree.open(log.patches)
    bars = {row["name"]: (row["left"], row["width"], row["time"]) for row in tree.rows()}
    assert bars["first"] == ("0%", "50%", "1.00 s")
    assert bars["second"] == ("50%", "50%", "1.00 s")
    bar = tree.row("first").locator(".chatnb-run-bar")
    assert bar.evaluate("bar => bar.style.getPropertyValue('--chatnb-wait')") == "25.000%"
    assert bar.get_attribute("data-token") is not None


@pytest.mark.parametrize("width", [430, 640, 900, 1400])
def test_labels_of_the_axis_do_not_overlap(tree: RunTreePage, width: int) -> None:
    """The first label is there at every width, and all of them where there is room."""
    log = LogWriter("axis")
    key = log.start("search", "tool")
    log.later(0.2)
    log.end(key, "x")
    log.finish("x")
    tree.page.set_viewport_size({"width": width, "height": 600})
    tree.open(log.patches)
    labels = tree.page.locator(".chatnb-run-tick:not([data-crowded])")
    boxes = [box for label in labels.all() if (box := label.bounding_box())]
    assert all(a["x"] + a["width"] <= b["x"] for a, b in pairwise(boxes))
    assert labels.first.text_content() == "0"
    assert width < 1400 or len(boxes) == 5


def test_lines_of_the_axis_are_seen_in_jupyterlabs_dark_theme(tree: RunTreePage) -> None:
    """Its third colour of borders is that of the surface, on which nobody would see a line."""
    tree.page.add_style_tag(
        content=":root { --jp-layout-color1: #212121; --jp-border-color2: #424242;"
        " --jp-border-color3: #212121 }"
    )
    log = LogWriter("axis")
    log.finish("x")
    tree.open(log.patches)
    colour = "node => getComputedStyle(node).borderLeftColor"
    line = tree.page.locator(".chatnb-run-tick").first.evaluate(colour)
    tree.page.add_style_tag(content=".chatnb-run-tick { border-color: #212121 !important }")
    assert line != tree.page.locator(".chatnb-run-tick").first.evaluate(colour)


def test_states_differ_in_shape_and_words(tree: RunTreePage) -> None:
    """Running, done, failed and stopped each have a shape and a word of their own."""
    log = LogWriter("states")
    for name, error in (
        ("fine", None),
        ("broken", failure()),
        ("halted", failure("CancelledError", "", stopped=True)),
    ):
        log.end(log.start(name, "tool"), "x", error=error)
    log.start("busy", "tool")
    tree.open(log.patches, live=True)
    names = {"fine": "done", "broken": "failed", "halted": "stopped", "busy": "running"}
    shapes = set[str | None]()
    for name, status in names.items():
        assert status in (tree.row(name).get_attribute("aria-label") or "")
        shapes.add(tree.row(name).locator(".chatnb-run-state path").get_attribute("d"))
    assert len(shapes) == 4


# What comes late, twice or not at all.


def test_rows_appear_as_patches_arrive(tree: RunTreePage) -> None:
    """A row is there as soon as its run has begun, and changes when it ends."""
    patches = story().patches
    tree.open(patches[:2], live=True)
    assert tree.names() == ["answer_with_sources", "RunnableSequence"]
    tree.add(patches[2:3], after=patches[:2])
    assert tree.names()[-1] == "ChatPromptTemplate"
    assert tree.rows()[-1]["status"] == "running"
    tree.add(patches[3:4], after=patches[:3])
    assert tree.rows()[-1]["status"] == "done"


def test_gap_asks_and_heals(tree: RunTreePage) -> None:
    """A page that was missed is asked for, once, and pages that come twice change nothing."""
    patches = story().patches
    tree.open(patches[:2], live=True)
    tree.run("model.sent.length = 0; model.patches.push(...given)", wired(patches)[2:])
    tree.run("for (const first of [6, 7, 8]) model.page(first, first + 1)")
    tree.settle()
    assert tree.run("return model.sent") == [{"type": "resync", "first": 2}]
    tree.run("model.page(0); model.page(3); model.end()")
    tree.settle()
    assert [_told(row) for row in tree.rows()] == _expected(patches)


def test_lost_end_is_asked_for(tree: RunTreePage) -> None:
    """The browser requests the last pages if the log ends and they were lost."""
    patches = story().patches
    tree.open(patches[:5], live=True)
    tree.run("model.patches.push(...given); model.end()", wired(patches)[5:])
    tree.settle()
    assert [_told(row) for row in tree.rows()] == _expected(patches)


def test_requests_are_repeated_until_there_is_an_answer(tree: RunTreePage) -> None:
    """The tree is whole in the end, though many requests are lost while a kernel is busy."""
    patches = story().patches
    tree.page.clock.install()
    tree.open(patches[:2], live=True)
    tree.run(
        """model.patches.push(...given);
        model.sent.length = 0;
        window.answer = model.receiveFromBrowser;
        model.receiveFromBrowser = (message) => model.sent.push(message);
        model.page(6, 7);""",
        wired(patches)[2:],
    )
    for asked in range(1, 9):
        assert tree.run("return model.sent.length") == asked
        tree.page.clock.fast_forward(121_000)
    tree.run("model.receiveFromBrowser = window.answer")
    tree.page.clock.fast_forward(121_000)
    tree.run("model.end()")
    tree.page.clock.run_for(100)
    assert [_told(row) for row in tree.rows()] == _expected(patches)


def test_long_log_comes_page_by_page(tree: RunTreePage) -> None:
    """A page that opens late asks for each next page when it has the one before."""
    patches = many(400).patches
    tree.open(patches)
    tree.page.wait_for_function("document.querySelector('.chatnb-run-slider').max > 700")
    asked = tree.run("return model.sent.map((message) => message.first)")
    assert asked == [0, 250, 500, 750][: len(asked)]
    assert len(asked) == -(-len(patches) // 250)


def test_odd_messages_are_ignored(tree: RunTreePage) -> None:
    """A message of another shape neither throws nor shows."""
    tree.open(story().patches[:3], live=True)
    before = tree.rows()
    tree.run("""
        const odd = [null, 7, "x", {}, { type: "page" }, { type: "page", first: "0" }];
        for (const message of odd) model.message(message);
        model.message({ type: "page", first: 3, patches: [null, { ops: [null, { path: 3 }] },
            { ops: [{ path: "/logs/none/error", value: 3 }, { path: "/logs" }] }], total: 6 });
    """)
    tree.settle()
    assert [row["name"] for row in before] == tree.names()


# Rewinding.


@pytest.mark.parametrize("make", [story, *thorough([lambda: generated(3, 17), lambda: nested(10)])])
def test_rewinding_is_folding_from_the_start(tree: RunTreePage, make: object) -> None:
    """At any patch, reached from either side, the tree is what the patches up to it make."""
    patches: list[RunLogPatch] = make().patches  # type: ignore[operator]
    tree.open(patches)
    back = range(len(patches) - 1, 0, -1)
    for length in [*back, *range(1, len(patches)), 2, len(patches) - 1, 3]:
        tree.rewind(length)
        assert [_told(row) for row in tree.rows()] == _expected(patches[:length])
    assert [message["type"] for message in tree.run("return model.sent")] == ["resync"]


def test_rewinding_with_keys_and_back_to_the_end(tree: RunTreePage) -> None:
    """Arrow keys on the slider go patch by patch; Home is the first one, and End goes on with the
    log, which one that looks back does not follow."""
    patches = story().patches
    tree.open(patches[:10], live=True)
    slider = tree.page.locator(".chatnb-run-slider")
    slider.focus()
    tree.press("ArrowLeft", "ArrowLeft")
    assert slider.get_attribute("aria-valuetext") is not None
    expect(tree.page.locator(".chatnb-run-position")).to_have_text("Patch 8 of 10")
    tree.add(patches[10:20], after=patches[:10])
    expect(tree.page.locator(".chatnb-run-position")).to_have_text("Patch 8 of 20")
    tree.press("Home")
    assert tree.names() == ["answer_with_sources"]
    tree.press("End")
    tree.add(patches[20:], after=patches[:20])
    expect(tree.page.locator(".chatnb-run-position")).to_have_text("Patch 32 of 32")


def test_rewinding_shows_what_had_streamed(tree: RunTreePage) -> None:
    """An opened run shows its output as it was, and the slider stays where it is on the page."""
    log = LogWriter("stream")
    call = log.start("model", "llm")
    for word in ("one ", "two ", "three"):
        log.token(call, word)
    tree.open(log.patches, live=True)
    tree.row("model").click()
    output = tree.page.get_by_role("group", name="Output")
    expect(output).to_have_text("one two three")
    place = tree.page.locator(".chatnb-run-slider").bounding_box()
    tree.rewind(4)
    expect(output).to_have_text("one two ")
    assert tree.page.locator(".chatnb-run-slider").bounding_box() == place


# A row opens.


def test_row_opens_to_what_it_was_given_and_gave(tree: RunTreePage) -> None:
    """Input, output, metadata and the error with its traceback, and none of it twice."""
    tree.open(story().patches)
    tree.row("RunnableSequence").click()
    details = tree.page.get_by_role("region")
    expect(details).to_contain_text("Regularisation keeps a model simple.")
    expect(details.get_by_role("group", name="Metadata")).to_contain_text("tags: docs")
    expect(details.get_by_role("group", name="Metadata")).to_contain_text('"user": "ada"')
    expect(details.get_by_role("group", name="Error")).to_be_hidden()
    tree.row("ChatOpenAI").click()
    expect(details.get_by_role("group", name="Input")).to_have_text("Human: Why?")
    expect(details.get_by_role("group", name="Error")).to_contain_text("RateLimitError: Too many")
    expect(details.get_by_role("group", name="Error")).to_contain_text("line 12, in look_up")
    tree.press("Escape")
    expect(details).to_be_hidden()


def test_long_values_are_cut_with_a_note(tree: RunTreePage) -> None:
    """A value of a million characters is cut where it is sent, and the view says so."""
    log = LogWriter("long", "x" * 1_000_000)
    assert len(str(wired(log.patches))) < 12_000
    tree.open(log.patches, live=True)
    tree.row("long").click()
    expect(tree.page.locator(".chatnb-run-more:visible")).to_have_text(
        "990,000 more characters in the log"
    )


def test_output_streams_by_appending(tree: RunTreePage) -> None:
    """A token adds to the text that is there; its nodes stay the same nodes."""
    log = LogWriter("stream")
    call = log.start("model", "llm")
    log.token(call, "one ")
    known = len(log.patches)
    tree.open(log.patches, live=True)
    tree.row("model").click()
    tree.settle()
    output = "document.querySelector('[aria-label=Output]')"
    tree.run(f"window.first = {output}.firstChild")
    log.token(call, "two")
    tree.add(log.patches[known:], after=log.patches[:known])
    assert tree.run(f"return [{output}.textContent, {output}.firstChild === first]") == [
        "one two",
        True,
    ]


def test_hostile_texts_do_nothing(tree: RunTreePage) -> None:
    """Names, kinds, tags, inputs, tokens, outputs and errors are shown as the text they are."""
    log = LogWriter(HOSTILE, HOSTILE)
    call = log.start(HOSTILE, HOSTILE, tags=[HOSTILE], metadata={HOSTILE: HOSTILE}, inputs=HOSTILE)
    log.token(call, HOSTILE)
    log.end(call, HOSTILE, error=failure(HOSTILE, HOSTILE))
    log.finish(HOSTILE)
    tree.open(log.patches)
    for place in (0, 1):
        tree.page.locator(".chatnb-run").nth(place).click()
        tree.settle()
    tree.page.wait_for_timeout(50)
    assert tree.run("return window.pwned ?? null") is None
    assert tree.run("return document.querySelectorAll('.chatnb-runs :is(img, script)').length") == 0
    assert tree.names() == [HOSTILE, HOSTILE]
    assert HOSTILE in (tree.page.get_by_role("region").text_content() or "")
    assert tree.requests == []


# The filter.


def test_filter_by_name_kind_and_failure(tree: RunTreePage) -> None:
    """A search shows and counts the runs that match, with the runs above them, and no others."""
    tree.open(story().patches)
    tree.page.get_by_role("searchbox").fill("openai")
    tree.settle()
    above = ["answer_with_sources", "RunnableSequence", "RunnableParallel", "RunnableRetry"]
    assert tree.names() == [*above, "ChatOpenAI", "ChatOpenAI"]
    expect(tree.page.locator(".chatnb-run-found")).to_have_text("2 found in")
    tree.page.get_by_role("button", name="Failed").click()
    tree.settle()
    assert tree.names() == [*above, "ChatOpenAI"]
    assert tree.page.get_by_role("button", name="Failed").get_attribute("aria-pressed") == "true"
    tree.page.get_by_role("button", name="Failed").click()
    tree.page.get_by_role("searchbox").fill("")
    tree.page.get_by_role("combobox").select_option("parser")
    tree.settle()
    assert tree.names() == ["answer_with_sources", "RunnableSequence", "StrOutputParser"]
    tree.page.get_by_role("searchbox").fill("nothing is called that")
    tree.settle()
    expect(tree.page.locator(".chatnb-run-none")).to_have_text("No run is like that.")


def test_a_filter_looks_into_what_is_folded_up(tree: RunTreePage) -> None:
    """A search shows matches within folded runs, which are folded again afterwards."""
    tree.open(story().patches)
    tree.row("RunnableParallel").locator(".chatnb-run-twisty").click()
    tree.page.get_by_role("searchbox").fill("look")
    tree.settle()
    assert tree.names()[-1] == "look_up"
    tree.row("RunnableParallel").locator(".chatnb-run-twisty").click()
    tree.page.get_by_role("searchbox").fill("")
    tree.settle()
    assert "look_up" not in tree.names()


# Keyboard and screen reader.


def test_tree_has_the_roles_of_a_tree(tree: RunTreePage) -> None:
    """Every row says how deep it is, which of how many, and whether it is open."""
    tree.open(story().patches)
    assert tree.page.get_by_role("tree").count() == 1
    rows = tree.page.get_by_role("treeitem")
    assert rows.count() == 9
    facts = rows.evaluate_all("""rows => rows.map((row) => ["level", "posinset", "setsize",
        "expanded"].map((name) => row.getAttribute("aria-" + name)))""")
    assert facts[0] == ["1", "1", "1", "true"]
    assert facts[2] == ["3", "1", "3", None]
    assert facts[3] == ["3", "2", "3", "true"]
    assert rows.nth(5).get_attribute("aria-label") == "ChatOpenAI, llm, failed, 420 ms"
    assert rows.nth(6).get_attribute("aria-label") == "ChatOpenAI, llm, done, 730 ms, 1,290 tokens"
    stops = rows.evaluate_all("rows => rows.filter((row) => row.tabIndex === 0).length")
    assert stops == 1


def test_keys_walk_the_tree(tree: RunTreePage) -> None:
    """Arrows, Home, End, a letter and the star do what they do in every tree."""
    tree.open(story().patches)
    tree.page.get_by_role("treeitem").first.focus()

    def active() -> str | None:
        return tree.run(
            "return document.activeElement.querySelector('.chatnb-run-name').textContent"
        )

    tree.press("ArrowDown", "ArrowDown")
    assert active() == "ChatPromptTemplate"
    tree.press("ArrowLeft")
    assert active() == "RunnableSequence"
    tree.press("ArrowLeft")
    assert tree.names() == ["answer_with_sources", "RunnableSequence"]
    assert tree.row("RunnableSequence").get_attribute("aria-expanded") == "false"
    tree.press("ArrowRight", "ArrowRight")
    assert active() == "ChatPromptTemplate"
    tree.press("End")
    assert active() == "StrOutputParser"
    tree.press("Home")
    assert active() == "answer_with_sources"
    tree.press("l")
    assert active() == "look_up"
    tree.press("Enter")
    expect(tree.page.get_by_role("region", name="Details of look_up")).to_be_visible()
    assert tree.row("look_up").get_attribute("aria-selected") == "true"
    tree.press("Enter")
    expect(tree.page.get_by_role("region")).to_be_hidden()
    tree.press("ArrowUp", "ArrowUp", "ArrowUp", "ArrowLeft", "*")
    assert tree.row("RunnableRetry").get_attribute("aria-expanded") == "true"
    assert active() == "RunnableRetry"


def test_the_active_row_stays_where_focus_is(tree: RunTreePage) -> None:
    """A row that is scrolled away keeps the focus, and the next key goes on from it."""
    tree.open(many(300).patches)
    tree.page.wait_for_function("document.querySelector('.chatnb-run-slider').max > 500")
    tree.settle()
    tree.page.get_by_role("treeitem").nth(1).focus()
    tree.press("ArrowDown")
    tree.run("document.querySelector('.chatnb-run-scroller').scrollTop = 4000")
    tree.settle()
    tree.press("ArrowDown")
    assert tree.run(
        "return document.activeElement.querySelector('.chatnb-run-name').textContent"
    ) == ("run 2")
    assert tree.run("return document.querySelector('.chatnb-run-scroller').scrollTop") < 100


def test_twisty_folds_and_views_share_it(tree: RunTreePage) -> None:
    """A click on the arrow folds the runs below, in every view of the log, and opens no details."""
    tree.open(story().patches)
    tree.run("window.second = await show()")
    tree.row("RunnableParallel").locator(".chatnb-run-twisty").click()
    tree.settle()
    shown = tree.run(
        "return [view, second].map(({ el }) => el.querySelectorAll('[role=treeitem]').length)"
    )
    assert shown == [5, 5]
    assert tree.page.get_by_role("region").count() == 0


def test_a_view_that_is_drawn_anew_goes_on_where_it_was(tree: RunTreePage) -> None:
    """A notebook replaces the view when an output is updated: focus, position, what is folded up
    and what is asked for stay."""
    tree.open(story().patches)
    tree.row("RunnableRetry").locator(".chatnb-run-twisty").click()
    tree.page.get_by_role("searchbox").fill("o")
    tree.rewind(18)
    tree.row("look_up").focus()
    before = tree.rows()
    tree.run("view.el.remove(); view.dispose(); window.view = await show()")
    tree.settle()
    assert tree.rows() == before
    assert tree.page.get_by_role("searchbox").input_value() == "o"
    expect(tree.row("look_up")).to_be_focused()


def test_the_tree_takes_the_place_of_the_static_one(tree: RunTreePage) -> None:
    """In every place of the page with the static tree of this log, the live one stands in for
    it; when the kernel is gone, the static one is there again."""
    static = "<div data-chatnb-mount=here><p>static</p></div><div data-chatnb-mount=other>x</div>"
    tree.run("document.body.innerHTML = given", static)
    tree.open(story().patches)
    tree.run("view.dispose()")
    here = tree.page.locator("[data-chatnb-mount=here]")
    expect(here.get_by_role("treeitem")).to_have_count(9)
    expect(here.get_by_text("static")).to_be_hidden()
    assert tree.page.get_by_role("treeitem").count() == 9
    tree.run("document.body.innerHTML = ''; await 0; document.body.innerHTML = given", static)
    expect(here.get_by_role("treeitem")).to_have_count(9)
    tree.run("unload()")
    assert tree.page.get_by_role("treeitem").count() == 0
    expect(here.get_by_text("static")).to_be_visible()


def test_stop_is_offered_while_the_run_is_live(tree: RunTreePage) -> None:
    """Stop asks the kernel once, and is gone when the run has ended."""
    tree.open(story().patches[:10], live=True)
    stop = tree.page.get_by_role("button", name="Stop the run")
    stop.click()
    assert stop.is_disabled()
    assert tree.run("return model.sent.filter((m) => m.type === 'stop').length") == 1
    tree.run("model.end()")
    tree.settle()
    expect(stop).to_be_hidden()


def test_a_live_tree_ends_with_its_kernel(tree: RunTreePage) -> None:
    """Its clock stands still, it says why, and there is nothing to stop any more."""
    tree.run(
        """
        const slots = [];
        const connect = (slot) => slots.push(slot);
        window.kernel = { status: "busy", statusChanged: { connect, disconnect: () => {} } };
        window.lose = () => { kernel.status = "dead"; slots.forEach((slot) => slot()); };
        """
    )
    tree.open(story().patches[:10], live=True)
    expect(tree.page.get_by_role("status").first).to_have_text("Running")
    tree.run("lose()")
    expect(tree.page.get_by_role("status").first).to_have_text("Broke off: the kernel is gone")
    expect(tree.page.get_by_role("button", name="Stop the run")).to_be_hidden()
    clock = tree.page.locator(".chatnb-run-clock")
    before = clock.text_content()
    tree.run("await new Promise((done) => setTimeout(done, 250))")
    assert clock.text_content() == before
    tree.run("delete window.kernel")


# Size.


@pytest.mark.thorough
def test_rows_in_the_page_do_not_grow_with_the_log(tree: RunTreePage) -> None:
    """Of 5,000 runs only those that can be seen are in the page, wherever one scrolls."""
    patches = many(5_000).patches
    tree.open(patches[:200])
    few = tree.run("return document.querySelectorAll('.chatnb-runs *').length")
    tree.run("document.body.replaceChildren()")
    tree.open(patches)
    last = f"document.querySelector('.chatnb-run-slider').max == {len(patches)}"
    tree.page.wait_for_function(last)
    tree.settle()
    expect(tree.page.locator(".chatnb-run-footer")).to_contain_text("5,001 runs")
    for top in (0, 30_000, 119_000):
        tree.run("document.querySelector('.chatnb-run-scroller').scrollTop = given", top)
        tree.settle()
        assert 20 <= len(tree.rows()) <= 29
        nodes = tree.run("return document.querySelectorAll('.chatnb-runs *').length")
        assert nodes < few * 1.3


def test_work_for_a_patch_does_not_grow(tree: RunTreePage) -> None:
    """The last of 2,000 patches touch no more nodes of the page than the first ones, when each is
    drawn by itself; the clocks of runs stand still."""
    patches = many(1_000).patches
    tree.open(patches[:100], live=True)
    first, last, most = tree.run(
        """const now = performance.now();
        performance.now = () => now;
        let touched = 0;
        const observer = new MutationObserver((records) => {
            for (const { addedNodes, removedNodes } of records) {
                touched += 1 + addedNodes.length + removedNodes.length;
            }
        });
        const options = { subtree: true, childList: true, characterData: true, attributes: true };
        observer.observe(view.el, options);
        const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        const counts = [];
        const draw = async (patches) => {
            for (const patch of patches) {
                touched = 0;
                model.add([patch]);
                await frame();
                counts.push(touched);
            }
        };
        await draw(given.slice(100, 140));
        model.add(given.slice(140, -40));
        await frame();
        await draw(given.slice(-40));
        const sum = (some) => some.reduce((a, b) => a + b, 0);
        return [sum(counts.slice(0, 40)), sum(counts.slice(-40)), Math.max(...counts)];""",
        wired(patches),
    )
    assert 0 < last <= first * 1.5
    # The rows that can be seen, each with its bar and its time.
    assert most < 29 * 6
