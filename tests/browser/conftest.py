"""A blank page with the built reply view in it, cut off from the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

STATIC = Path(__file__).parents[2] / "chatnb" / "static"
FAKE_MODEL = Path(__file__).parent / "fake_model.js"


@dataclass
class ReplyPage:
    """A page with one reply view: `model`, `widget` and `view` are globals of the page."""

    page: Page
    requests: list[str] = field(default_factory=list[str])
    dialogs: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])

    def load(self, source: str, style: str) -> None:
        """Load this module and style sheet into the document."""
        if style:
            self.page.add_style_tag(content=style)
        self.page.evaluate(FAKE_MODEL.read_text(encoding="utf-8"), source)

    def open(self, **traits: object) -> None:
        """Make a model and a view of it."""
        self.page.evaluate("(traits) => window.openWidget(traits)", traits)

    def run(self, script: str, argument: object = None) -> Any:
        """Run the body of an async function in the page."""
        return self.page.evaluate(f"async (given) => {{ {script} }}", argument)

    def say(self, *pieces: str) -> None:
        """Stream pieces of text."""
        self.run("for (const piece of given) model.say(piece)", list(pieces))

    def text(self) -> str:
        return self.run("return view.text.textContent")

    def wait_for(self, condition: str) -> None:
        self.page.wait_for_function(condition)


@pytest.fixture(scope="session")
def reply_source() -> str:
    """The built module of the view."""
    built = STATIC / "cell.js"
    if not built.is_file():
        pytest.fail("The view is not built: run `make js`.")
    return built.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def highlighter_source() -> str:
    """The built highlighter, as the kernel sends it."""
    return (STATIC / "highlighter.js").read_text(encoding="utf-8")


@pytest.fixture
def reply_page(browser: Browser, reply_source: str) -> Iterator[ReplyPage]:
    """A blank page; whatever it asks of the network is refused and written down."""
    style = (STATIC / "cell.css").read_text(encoding="utf-8")
    with blank_reply_page(browser, reply_source, style) as page:
        yield page


@pytest.fixture(scope="module")
def page_of_module(browser: Browser, reply_source: str) -> Iterator[ReplyPage]:
    """The page of the tests of a module that do not change its context."""
    with blank_reply_page(browser, reply_source, style="") as page:
        yield page


@pytest.fixture
def same_reply_page(page_of_module: ReplyPage, reply_source: str) -> Iterator[ReplyPage]:
    """A blank document in the page of the module: that costs half of another context."""
    page_of_module.page.goto("about:blank")
    for noted in (page_of_module.requests, page_of_module.dialogs, page_of_module.errors):
        noted.clear()
    page_of_module.load(reply_source, (STATIC / "cell.css").read_text(encoding="utf-8"))
    yield page_of_module
    assert page_of_module.errors == []


@contextmanager
def blank_reply_page(browser: Browser, source: str, style: str) -> Iterator[ReplyPage]:
    """A blank page for replies with this module and style sheet."""
    context = browser.new_context()
    page = context.new_page()
    made = ReplyPage(page)

    def refuse(route: Route) -> None:
        route.abort()

    def note_request(url: str) -> None:
        if not url.startswith("blob:"):
            made.requests.append(url)

    context.route("**/*", refuse)
    context.on("request", lambda request: note_request(request.url))
    page.on("dialog", lambda dialog: (made.dialogs.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: made.errors.append(str(error)))
    made.load(source, style)
    yield made
    context.close()
    assert made.errors == []
