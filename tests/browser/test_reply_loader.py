"""The entry of a reply's widget whose code is in another model of the page, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import STATIC, ReplyPage, blank_reply_page

pytestmark = pytest.mark.browser

TRAITS = {"code_model": "page", "_anywidget_id": "chatnb.Reply"}
STYLE = ".chatnb-reply { outline: 7px solid }"


@pytest.fixture
def loader_page(browser: Browser) -> Iterator[ReplyPage]:
    """A page whose replies have the small entry, and which has no code of theirs yet."""
    source = (STATIC / "reply_loader.js").read_text(encoding="utf-8")
    with blank_reply_page(browser, source, style="") as page:
        yield page


@pytest.fixture
def code(reply_source: str) -> dict[str, Any]:
    """The code of the view, as the kernel sends it; an import of it is counted."""
    count = "globalThis.imports = (globalThis.imports ?? 0) + 1;"
    return {"type": "code", "esm": f"{count}{reply_source}", "css": STYLE}


def test_all_replies_take_the_code_of_one_model(
    loader_page: ReplyPage, code: dict[str, Any]
) -> None:
    """They show their text and their style, ask for nothing, and the code is run once."""
    loader_page.run("addModel('page', {reply_code: given})", code)
    for number in range(3):
        loader_page.open(**TRAITS)
        loader_page.say(f"Reply {number} ", "streams.")
        assert loader_page.text() == f"Reply {number} streams."
        assert loader_page.run("return model.sent") == []
    assert loader_page.run("return imports") == 1
    styles = "return [...document.querySelectorAll('style')].map((style) => style.textContent)"
    assert loader_page.run(styles).count(STYLE) == 1
    loader_page.run("widget.unload()")
    assert loader_page.run("return model.handlers") == []


@pytest.mark.parametrize("others", ["", "addModel('page', {reply_code: null})"])
def test_a_page_without_the_code_asks_for_it(
    loader_page: ReplyPage, code: dict[str, Any], others: str
) -> None:
    """The widget is ready at once, as anywidget delivers no message before; with the code it
    shows the text so far, and goes on."""
    shown = """
        window.widget = await newWidget(given);
        window.model = widget.model;
        window.showing = widget.show();
        model.say("Missed, ");
        return model.sent;
    """
    loader_page.run(others)
    assert loader_page.run(shown, TRAITS) == [{"type": "get_code"}]
    loader_page.run("model.message(given); window.view = await showing", code)
    assert loader_page.run("return model.sent") == [{"type": "get_code"}, {"type": "resync"}]
    loader_page.run("model.receive('snapshot', { seq: 1, text: 'Missed, ' })")
    loader_page.say("and shown.")
    assert loader_page.text() == "Missed, and shown."
    outline = "return getComputedStyle(view.el.querySelector('.chatnb-reply')).outlineWidth"
    assert loader_page.run(outline) == "7px"
    loader_page.run("model.message(given)", code)
    assert loader_page.run("return imports") == 1


def test_a_widget_that_is_closed_before_its_code_comes_shows_nothing(
    loader_page: ReplyPage, code: dict[str, Any]
) -> None:
    """It waits for the code no longer, and late code opens no reply."""
    closed = """
        window.widget = await newWidget(given);
        widget.show();
        widget.unload();
        return widget.model.handlers;
    """
    assert loader_page.run(closed, TRAITS) == []
    loader_page.run("widget.model.message(given)", code)
    assert loader_page.run("return [widget.model.count('get_code'), globalThis.imports]") == [
        1,
        None,
    ]
