"""The style sheets of the views, which come to a page in the order in which views do."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import STATIC
from tests.support.thorough import thorough

pytestmark = pytest.mark.browser

SHEETS = ["cell", "cell_outputs", "panel", "proposal", "run_tree", "usage_table"]
ROOTS = """
    <div class="chatnb-view chatnb-proposal"><button class="chatnb-panel-button"></button></div>
    <div class="chatnb-view chatnb-panel"><button class="chatnb-panel-button"></button></div>
    <div class="chatnb-view chatnb-runs"></div><div class="chatnb-view chatnb-usage"></div>
    <div class="chatnb-actions"><button class="chatnb-panel-button"></button></div>
    <div class="chatnb-reply">
        <div class="chatnb-line"><button class="chatnb-stop"></button></div>
    </div>
"""
COMPUTED = """() => [...document.querySelectorAll("body *")].map((node) => {
    const style = getComputedStyle(node);
    return [node.className, Object.fromEntries([...style].map((name) => [name, style[name]]))];
})"""


def computed_styles(page: Page, sheets: list[str]) -> list[tuple[str, dict[str, str]]]:
    """Load these sheets in their order; return the styles of the views' roots and buttons."""
    page.set_content(ROOTS)
    for name in sheets:
        page.add_style_tag(path=STATIC / f"{name}.css")
    return page.evaluate(COMPUTED)


@pytest.mark.parametrize(
    "sheet", ["proposal", *thorough(name for name in SHEETS if name != "proposal")]
)
def test_the_order_of_the_style_sheets_changes_nothing(browser: Browser, sheet: str) -> None:
    """A rule that several sheets bring along does not win over a view's own by coming last."""
    page = browser.new_page()
    others = [name for name in SHEETS if name != sheet]
    first, last = (computed_styles(page, order) for order in ([sheet, *others], [*others, sheet]))
    page.close()
    for (name, style), (_, other) in zip(first, last, strict=True):
        assert style == other, name
