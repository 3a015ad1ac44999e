"""The place of a reply in its page: its height as it is replaced, and its end in sight."""

from __future__ import annotations

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ReplyPage

pytestmark = pytest.mark.browser


@pytest.fixture
def output_area(reply_page: ReplyPage) -> ReplyPage:
    """A live view in JupyterLab's output area, and what draws finished outputs there."""
    reply_page.run(
        """
        document.body.innerHTML =
            '<div class="jp-OutputArea" style="overflow: auto"></div>';
        window.area = document.querySelector(".jp-OutputArea");
        await openWidget();
        area.append(document.querySelector(".chatnb-reply").parentElement);
        window.later = async () => {
            for (let i = 0; i < 3; i++) await new Promise((done) => requestAnimationFrame(done));
        };
        window.draw = async (html) => {
            const rendered = "jp-RenderedHTMLCommon jp-RenderedMarkdown";
            const output = `<div class="${rendered}">${html}</div>`;
            area.insertAdjacentHTML("beforeend", output);
            await later();
        };
        """
    )
    return reply_page


FOOTERS = {"html": "<div class='chatnb-footer'>m</div>", "markdown": "<p><em><em>m</em></em></p>"}


@pytest.mark.parametrize("footer", FOOTERS)
def test_the_height_is_held_until_text_and_footer_are_drawn(
    output_area: ReplyPage, footer: str
) -> None:
    """The output is never lower than the live view, though its renderers draw in turn."""
    reply_page = output_area
    reply_page.say(*["A line.\n\n"] * 20)
    before = reply_page.run("await later(); return area.offsetHeight")
    reply_page.run("for (const view of widget.views) await view.dispose()")
    reply_page.run("await draw('<div class=\"chatnb-thoughts\">Hm.</div>')")
    assert reply_page.run("return area.offsetHeight") == before
    reply_page.run("await draw('<p>A line.</p>')")
    assert reply_page.run("return area.offsetHeight") == before
    reply_page.run(f'await draw("{FOOTERS[footer]}")')
    assert reply_page.run("return area.offsetHeight") < before


def test_a_footer_of_several_lines_opens_by_steps(output_area: ReplyPage) -> None:
    """The output grows by at most 2 px in each frame, and ends as high as its content."""
    output_area.say("A line.\n\n")
    output_area.run("""
        await later();
        window.heights = [area.offsetHeight];
        const shoot = () => {
            heights.push(area.offsetHeight);
            requestAnimationFrame(shoot);
        };
        requestAnimationFrame(shoot);
        for (const view of widget.views) await view.dispose();
        await draw("<p>A line.</p>");
        await draw("<div class='chatnb-footer' style='height: 99px'>m</div>");
    """)
    output_area.wait_for("area.offsetHeight === area.scrollHeight && !area.style.maxHeight")
    heights: list[int] = output_area.run("await later(); return heights")
    assert heights[-1] - heights[0] > 60
    assert max(abs(after - before) for before, after in pairwise(heights)) <= 2


def test_a_button_stays_in_its_place_while_the_output_opens(output_area: ReplyPage) -> None:
    """Focus and scrolling to a button that is not in sight yet do not move it in the output, or a
    click would begin on the button and end beside it."""
    output_area.say("A line.\n\n")
    output_area.run("""
        await later();
        for (const view of widget.views) await view.dispose();
        await draw("<p>A line.</p>");
        window.moved = [];
        const footer = "<div class='chatnb-footer'><p style='height: 150px'>m</p>";
        await draw(`${footer}<button>Accept</button></div>`);
        const button = area.querySelector("button");
        const top = (node) => node.getBoundingClientRect().top;
        const place = top(button) - top(area);
        while (area.style.maxHeight) {
            button.blur();
            button.focus();
            button.scrollIntoView();
            moved.push(top(button) - top(area) - place);
            await new Promise((done) => requestAnimationFrame(done));
        }
    """)
    moved: list[float] = output_area.run("return moved")
    assert len(moved) > 10
    assert set(moved) == {0}


def test_no_height_is_held_for_a_text_that_does_not_come(output_area: ReplyPage) -> None:
    """Of a reply that is reasoning alone, fold and footer are all that is drawn."""
    thought = "{ type: 'delta', seq: 1, text: '', reasoning: 'Hm.\\n'.repeat(9) }"
    output_area.run(f"model.message({thought}); await later()")
    output_area.run("for (const view of widget.views) await view.dispose()")
    output_area.run("await draw('<div class=\"chatnb-thoughts\">Hm.</div>')")
    output_area.run("await draw('<div class=\"chatnb-footer\">m</div>')")
    assert not output_area.run("return area.classList.contains('chatnb-swapping')")
    output_area.wait_for("area.style.minHeight === ''")


def test_reasoning_stays_as_the_reader_has_it(output_area: ReplyPage) -> None:
    """Reasoning opened in the live view is open in the finished reply, too."""
    thought = "{ type: 'delta', seq: ++model.seq, text: '', reasoning: 'Hm.' }"
    output_area.run(f"model.message({thought}); model.delta('So.'); await later()")
    output_area.page.locator("summary").click()
    output_area.run("for (const view of widget.views) await view.dispose()")
    fold = "<details><summary>Thought for 1 s</summary>Hm.</details>"
    output_area.run(f"await draw('<div class=\"chatnb-thoughts\">{fold}</div>')")
    expect(output_area.page.locator(".chatnb-thoughts details")).to_have_attribute("open", "")


def test_stop_stays_in_sight(reply_page: ReplyPage) -> None:
    """While a reply is longer than the window its status line stays within it, and is in its
    place once the end is in sight or the reply has ended."""
    reply_page.open()
    page, stop = reply_page.page, reply_page.page.get_by_role("button", name="Stop the reply")
    reply_page.say(*["A line.\n\n"] * 200)
    below = "stop => innerHeight - stop.getBoundingClientRect().bottom"
    page.wait_for_function(f"stop => ({below})(stop) > 0", arg=stop.element_handle())
    assert 0 < stop.evaluate(below) < 20
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    line = page.locator(".chatnb-line")
    expect(line).not_to_have_attribute("data-stuck", "")
    page.evaluate("scrollTo(0, 0)")
    expect(line).to_have_attribute("data-stuck", "")
    reply_page.run("model.receive('phase', 'done')")
    expect(line).not_to_have_attribute("data-stuck", "")


LINES = ["A line.\n\n"] * 50
MISSING = "document.querySelector('.chatnb-reply').getBoundingClientRect().bottom - innerHeight"


def follow_the_end(reply_page: ReplyPage, missing: str) -> None:
    """Scroll from the top to the end of a reply that grows; `missing` is how far below the window
    it is."""
    page = reply_page.page
    reply_page.run("document.body.style.paddingBottom = '400px'")
    reply_page.say(*LINES)
    page.wait_for_function(f"{missing} > 100")
    assert page.evaluate("scrollY") == 0
    page.mouse.move(20, 20)
    page.mouse.wheel(0, 10_000)
    page.wait_for_function(f"{missing} < 0")
    reply_page.say(*LINES)
    page.wait_for_function(f"Math.abs({missing} + 12) <= 2")


def test_the_end_is_followed_once_the_reader_has_scrolled_to_it(reply_page: ReplyPage) -> None:
    """A reader at the top stays there; one who scrolls to the end follows it until they scroll
    up."""
    reply_page.open()
    page = reply_page.page
    follow_the_end(reply_page, MISSING)
    page.mouse.wheel(0, -500)
    page.wait_for_function(f"{MISSING} > 300")
    place = page.evaluate("scrollY")
    reply_page.say(*LINES)
    page.wait_for_function(f"{MISSING} > 1000")
    assert page.evaluate("scrollY") == place


def test_scrolling_down_goes_on_following(reply_page: ReplyPage) -> None:
    """Text that comes while the reader still scrolls down does not leave them behind."""
    reply_page.open()
    page = reply_page.page
    follow_the_end(reply_page, MISSING)
    reply_page.run(
        """
        document.scrollingElement.dispatchEvent(new Event("wheel"));
        scrollBy(0, 5);
        for (const line of given) model.say(line);
        """,
        LINES,
    )
    page.wait_for_function("document.querySelectorAll('.chatnb-text p').length === 150")
    page.wait_for_function(f"Math.abs({MISSING} + 12) <= 2")


def test_the_footer_is_followed_too(output_area: ReplyPage) -> None:
    """A reader who follows the end of a reply sees all of the footer that opens below it."""
    page = output_area.page
    missing = "area.getBoundingClientRect().bottom - innerHeight"
    follow_the_end(output_area, missing)
    output_area.run("for (const view of widget.views) await view.dispose()")
    output_area.run("""
        await draw("<p>A line.</p>".repeat(100));
        await draw("<div class='chatnb-footer' style='height: 220px'>m</div>");
    """)
    page.wait_for_function("!area.classList.contains('chatnb-swapping') && !area.style.maxHeight")
    assert page.evaluate(f"Math.abs({missing} + 12)") <= 2
