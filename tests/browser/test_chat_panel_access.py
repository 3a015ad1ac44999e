"""Accessibility of the chat panel: axe-core's rules, names, roles and announcements."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_panel_page import (
    ChatPanelPage,
    ai,
    branch,
    call,
    chat_panel_page,
    human,
    system,
    turns,
)

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
RULES = """
const found = await axe.run(document, { resultTypes: ["violations"] });
return found.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
"""
RING = """
const at = document.activeElement;
const box = at.closest(".chatnb-panel-composer");
const ring = getComputedStyle(at).outlineStyle !== "none";
return ring || getComputedStyle(box ?? at).boxShadow !== "none";
"""
CODE = "Look at `x`, [this](https://a.test) and:\n\n```python\nif x:\n    y = 'z' # why\n```\n"
FILE = {"name": "a.csv", "mime": "text/csv", "size": 1200}


def every_state() -> list[dict[str, Any]]:
    """Messages in every state that there is."""
    calls = [
        call(state, id=state, name=f"tool_{state}", result="3 books")
        for state in ("done", "failed", "rejected", "running", "asking")
    ]
    return [
        system(),
        human(id="h1", branch=branch(1, 3, None, "x"), attachments=[FILE]),
        ai(CODE, id="a1", footer="812 tokens · 2.1 s", reasoning="Let me think."),
        human(id="h2"),
        ai("Half of", id="a2", status="stopped", branch=branch(2, 2, "y", None)),
        human(id="h3"),
        ai("", id="a3", status="failed", error="RateLimitError: Too many requests."),
        human(id="h4"),
        ai("", id="a4", status="waiting", tool_calls=calls),
    ]


def theme_of(scheme: str) -> Path:
    """JupyterLab's own style sheet."""
    spec = importlib.util.find_spec("jupyterlab")
    themes = Path((spec and spec.origin) or "").parent / "themes" / "@jupyterlab"
    return themes / f"theme-{scheme}-extension" / "index.css"


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[1200, 300])
def panel(browser: Browser, scheme: str, request: pytest.FixtureRequest) -> Iterator[ChatPanelPage]:
    size = {"width": request.param, "height": 900}
    with chat_panel_page(browser, color_scheme=scheme, viewport=size) as page:
        page.page.add_script_tag(path=AXE)
        page.page.add_style_tag(
            content="body { background: Canvas; } :root { color-scheme: light dark; }"
        )
        yield page


@pytest.mark.parametrize("theme", ["JupyterLab's theme", "none"])
def test_axe_finds_nothing(panel: ChatPanelPage, scheme: str, theme: str) -> None:
    """In light and dark, wide and narrow, with JupyterLab's colours and without, in every state of
    messages and with everything open, axe-core has nothing to say."""
    if theme != "none":
        panel.page.add_style_tag(path=theme_of(scheme))
    panel.open(every_state(), error="Something went wrong.", usage="12 turns", system="Be brief.")
    assert panel.run(RULES) == []
    panel.button("Settings").click()
    for fold in panel.page.locator("summary:visible").all():
        fold.click()
    panel.message(1).get_by_role("button", name="Delete", exact=True).click()
    panel.field.fill("text")
    panel.log.evaluate("log => { log.scrollTop = 0; }")
    panel.settle()
    assert panel.run(RULES) == []
    panel.run("model.turn({ status: 'done', tool_calls: [] }); model.set({ error: null })")
    panel.field.fill("")
    panel.field.press("ArrowUp")
    assert panel.run(RULES) == []
    assert panel.page.locator("main").evaluate(
        "() => document.documentElement.scrollWidth <= window.innerWidth"
    )


def test_empty_panel_passes_too(panel: ChatPanelPage) -> None:
    """Before anything was said there is nothing for axe-core to say either."""
    panel.open()
    assert panel.run(RULES) == []


def test_a_stream_is_not_read_piece_by_piece(browser: Browser) -> None:
    """While an answer comes the log is busy, so that screen readers wait; that it comes, is there
    or was stopped is told once each."""
    with chat_panel_page(browser) as panel:
        panel.open(turns(1))
        expect(panel.log).to_have_attribute("aria-live", "polite")
        told = panel.page.locator(".chatnb-panel > [role=status]")
        panel.run("model.item(given)", ai("", id="new", status="streaming"))
        expect(panel.log).to_have_attribute("aria-busy", "true")
        expect(told).to_have_text("The answer is coming.")
        panel.run(
            """window.changes = 0;
               new MutationObserver((records) => { changes += records.length; }).observe(
                   document.querySelector(".chatnb-panel > [role=status]"), { childList: true });
               for (let i = 0; i < 20; i += 1) model.grow("word ");"""
        )
        panel.settle()
        assert panel.run("return changes") == 0
        panel.run("model.turn({ status: 'stopped' })")
        expect(panel.log).to_have_attribute("aria-busy", "false")
        expect(told).to_have_text("The answer was stopped.")


def test_everything_can_be_reached_with_the_keyboard(browser: Browser) -> None:
    """Tab goes through the panel, the arrows through a toolbar; each stop has a name and a ring."""
    with chat_panel_page(browser) as panel:
        panel.open([human(), ai(CODE, branch=branch(2, 3, "a", "b"))])
        names, rings, stops = list[str](), list[bool](), 0
        for _ in range(40):
            panel.page.keyboard.press("Tab")
            if panel.run("return document.activeElement === document.body"):
                break
            stops += 1
            while (name := panel.focused()) not in names[-4:]:
                names.append(name)
                rings.append(panel.run(RING))
                panel.page.keyboard.press("ArrowRight")
        wanted = ["Model", "Settings", "Conversation", "Edit", "Insert as cell", "Copy code"]
        wanted += ["Previous version", "Next version", "Regenerate", "Delete", "Message", "Send"]
        assert [name for name in wanted if name not in names] == []
        assert all(names)
        assert all(rings)
        # The rows of buttons are one stop each.
        assert stops == 13
