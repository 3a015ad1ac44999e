"""A blank page with the built chat panel in it, cut off from the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page

STATIC = Path(__file__).parents[2] / "chatnb" / "static"
FAKE_MODEL = Path(__file__).parent / "chat_panel_model.js"

Item = dict[str, Any]


@dataclass
class ChatPanelPage:
    """A page with one panel: `model` (its fake kernel) and `view` are globals of the page."""

    page: Page
    requests: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])

    def open(self, items: Sequence[Item] = (), **state: Any) -> None:
        """Make a kernel that knows these messages, and a panel of it."""
        self.page.evaluate("given => window.openPanel(...given)", [list(items), state])
        self.settle()

    def settle(self) -> None:
        """Wait for what has come to be drawn."""
        self.run("await new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def stop_clock(self) -> None:
        """Let time pass only by `page.clock.run_for`, also on a machine that stalls."""
        self.page.clock.pause_at(self.page.evaluate("Date.now() / 1000 + 60"))

    def run(self, script: str, argument: object = None) -> Any:
        """Run the body of an async function in the page."""
        return self.page.evaluate(f"async (given) => {{ {script} }}", argument)

    def sent(self, type: str) -> list[dict[str, Any]]:
        """The requests of one type that the browser has sent."""
        return self.run("return model.of(given)", type)

    def ask(self, text: str) -> None:
        """Write a message and send it."""
        self.field.fill(text)
        self.field.press("Enter")

    def arrive(self, text: str) -> None:
        """Do what the kernel does with a new message: add it and start a reply."""
        self.run(
            "model.item(given[0]); model.set({ running: true }); model.item(given[1])",
            [human(text, id="new"), ai("", id="answer", status="streaming")],
        )

    def mark_seen(self) -> None:
        """Remember where the message in the middle of the log stands."""
        self.run(
            """
            const log = document.querySelector(".chatnb-panel-log").getBoundingClientRect();
            const isSeen = (item) => item.getBoundingClientRect().bottom > log.top + log.height / 2;
            window.seen = [...document.querySelectorAll(".chatnb-panel-item")].find(isSeen);
            window.before = seen.getBoundingClientRect().top;
            """
        )

    def moved(self) -> float:
        """The pixels by which that message has moved since."""
        return self.run("return seen.getBoundingClientRect().top - before")

    @property
    def field(self) -> Locator:
        return self.page.get_by_label("Message", exact=True)

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log")

    def message(self, number: int) -> Locator:
        """The message of that number, from 0."""
        return self.page.locator(".chatnb-panel-item").nth(number)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def focused(self) -> str:
        """The name of what has the focus."""
        return self.run(
            """const at = document.activeElement;
               return at.getAttribute("aria-label") ?? at.textContent;"""
        )


def human(text: str = "Why?", **changes: Any) -> Item:
    """A message of one's own."""
    return _item("human", text, **changes)


def ai(text: str = "Because.", **changes: Any) -> Item:
    """An answer."""
    return _item("ai", text, **changes)


def call(state: str = "done", **changes: Any) -> dict[str, Any]:
    """A call of a tool."""
    given = {"id": "c1", "name": "look_up", "arguments": '{\n  "word": "heron"\n}', "result": ""}
    return {**given, "state": state, **changes}


def branch(index: int, count: int, previous: str | None, following: str | None) -> dict[str, Any]:
    """Return the position of a message among its siblings."""
    return {"index": index, "count": count, "previous": previous, "next": following}


def turns(number: int, text: str = "Because.") -> list[Item]:
    """So many questions with their answers."""
    return [
        item
        for i in range(number)
        for item in (human(f"Question {i}?", id=f"h{i}"), ai(text, id=f"a{i}"))
    ]


def system(text: str = "Be brief.", **changes: Any) -> Item:
    """Return a system prompt."""
    return _item("system", text, **changes)


def _item(role: str, text: str, **changes: Any) -> Item:
    plain: Item = {
        "id": role,
        "role": role,
        "text": text,
        "reasoning": "",
        "reasoning_seconds": None,
        "status": "done",
        "footer": "",
        "error": None,
        "branch": branch(1, 1, None, None),
        "attachments": [],
        "tool_calls": [],
    }
    return {**plain, **changes}


@contextmanager
def chat_panel_page(browser: Browser, **context_options: Any) -> Iterator[ChatPanelPage]:
    """A page with nothing in it; whatever it asks of the network is refused and written down."""
    context = browser.new_context(**context_options)
    page = context.new_page()
    made = ChatPanelPage(page)
    # Only a page with an address of its own has a session's storage.
    html = "<!doctype html><html lang=en><title>Panel</title><main><h1>Notebook</h1></main>"
    context.route("**/*", lambda route: route.abort())
    page.route(
        "https://notebook.test/", lambda route: route.fulfill(body=html, content_type="text/html")
    )
    page.goto("https://notebook.test/")
    context.on(
        "request",
        lambda request: (
            made.requests.append(request.url)
            if not request.url.startswith(("blob:", "data:"))
            else None
        ),
    )
    page.on("pageerror", lambda error: made.errors.append(str(error)))
    load_panel(page)
    yield made
    context.close()
    assert made.errors == []


def load_panel(page: Page) -> None:
    """Put the panel's module and style into a page."""
    page.add_style_tag(content=(STATIC / "panel.css").read_text(encoding="utf-8"))
    source = (STATIC / "panel.js").read_text(encoding="utf-8")
    page.evaluate(FAKE_MODEL.read_text(encoding="utf-8"), source)
