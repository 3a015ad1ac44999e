"""A blank page with the built usage table in it, cut off from the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page

from chatnb.notebook.usage_table.static import usage_mimebundle
from chatnb.notebook.usage_table.widget import table_state
from chatnb.schema.model_call import ModelCall

STATIC = Path(__file__).parents[2] / "chatnb" / "static"
FAKE_MODEL = Path(__file__).parent / "usage_table_model.js"

_CELLS = """(selector) => [...document.querySelectorAll(selector)].map((row) =>
    [...row.children].map((cell) => cell.textContent))"""
ADDRESS = "https://notebook.test/"
ROWS, TOTALS = ".chatnb-usage-call", ".chatnb-usage-total"


@dataclass
class UsageTablePage:
    """A page with one usage table: `model` and `unload` are globals of the page."""

    page: Page
    requests: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])

    def open(self, calls: Sequence[ModelCall]) -> None:
        """Show calls in the place of their static table, as an output does."""
        self.page.evaluate(
            "([html, table]) => { document.body.innerHTML = html; return openTable(table); }",
            [usage_mimebundle(calls, "here")["text/html"], table_state(calls)],
        )

    def run(self, script: str, argument: object = None) -> Any:
        """Run the body of an async function in the page."""
        return self.page.evaluate(f"async (given) => {{ {script} }}", argument)

    def cells(self, selector: str = ROWS) -> list[list[str]]:
        """The texts of the rows that are in the page."""
        return self.page.evaluate(_CELLS, selector)

    def column(self, title: str) -> list[str]:
        """The texts of a column, of the rows that are in the page."""
        titles = self.cells(".chatnb-usage-header")[0]
        return [row[titles.index(title)] for row in self.cells()]

    def heading(self, title: str) -> Locator:
        return self.page.get_by_role("columnheader", name=title, exact=True)

    def sort(self, title: str) -> None:
        self.heading(title).get_by_role("button").click()

    def row(self, place: int) -> Locator:
        """The row at a place, counted from 0 in the order that is shown."""
        return self.page.locator(f'{ROWS}[aria-rowindex="{place + 2}"]')

    def selected(self) -> list[int]:
        """The places of the selected rows that are in the page."""
        return self.run(
            """return [...document.querySelectorAll(given)].map((row) =>
                Number(row.getAttribute("aria-rowindex")) - 2)""",
            f'{ROWS}[aria-selected="true"]',
        )

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


@contextmanager
def usage_table_page(browser: Browser, **context_options: Any) -> Iterator[UsageTablePage]:
    """A blank page; whatever it asks of the network is refused and written down."""
    context = browser.new_context(**context_options)
    page = context.new_page()
    made = UsageTablePage(page)
    context.route("**/*", lambda route: route.abort())
    # A page of a secure address, for only such a one has a clipboard.
    page.route(ADDRESS, lambda route: route.fulfill(body="", content_type="text/html"))
    page.goto(ADDRESS)
    context.on(
        "request",
        lambda request: (
            made.requests.append(request.url) if not request.url.startswith("blob:") else None
        ),
    )
    page.on("pageerror", lambda error: made.errors.append(str(error)))
    page.add_style_tag(content=(STATIC / "usage_table.css").read_text(encoding="utf-8"))
    source = (STATIC / "usage_table.js").read_text(encoding="utf-8")
    page.evaluate(FAKE_MODEL.read_text(encoding="utf-8"), source)
    yield made
    context.close()
    assert made.errors == []
