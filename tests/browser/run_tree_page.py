"""A blank page with the built run tree in it, cut off from the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page

from chatnb.notebook.run_tree.updates import RunTreeUpdates
from chatnb.schema.run_logs.log import RunLogPatch

STATIC = Path(__file__).parents[2] / "chatnb" / "static"
FAKE_MODEL = Path(__file__).parent / "run_tree_model.js"

_ROWS = """() => [...document.querySelectorAll(".chatnb-run")].map((row) => ({
    name: row.querySelector(".chatnb-run-name").textContent,
    branch: row.querySelector(".chatnb-run-branch").textContent,
    kind: row.querySelector(".chatnb-run-kind").textContent,
    level: Number(row.getAttribute("aria-level")),
    place: Number(row.getAttribute("aria-posinset")),
    size: Number(row.getAttribute("aria-setsize")),
    status: row.dataset.status,
    tokens: row.querySelector(".chatnb-run-tokens").textContent,
    time: row.querySelector(".chatnb-run-number").textContent,
    left: row.querySelector(".chatnb-run-bar").style.left,
    width: row.querySelector(".chatnb-run-bar").style.width,
}))"""


@dataclass
class RunTreePage:
    """A page with one run tree: `model`, `widget` and `view` are globals of the page."""

    page: Page
    requests: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])

    def open(self, patches: Sequence[RunLogPatch], *, live: bool = False) -> None:
        """Make a model whose kernel knows these patches, and a view of it."""
        self.page.evaluate(
            "([patches, live]) => window.openTree(patches, live)", [wired(patches), live]
        )
        self.settle()

    def add(self, patches: Sequence[RunLogPatch], *, after: Sequence[RunLogPatch]) -> None:
        """Let more patches come, after those that the page knows."""
        new = wired([*after, *patches])[len(after) :]
        self.page.evaluate("(patches) => model.add(patches)", new)
        self.settle()

    def settle(self) -> None:
        """Wait for what has come to be drawn."""
        self.run("await new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def run(self, script: str, argument: object = None) -> Any:
        """Run the body of an async function in the page."""
        return self.page.evaluate(f"async (given) => {{ {script} }}", argument)

    def rows(self) -> list[dict[str, Any]]:
        """The rows that are in the page."""
        return self.page.evaluate(_ROWS)

    def names(self) -> list[str]:
        return [row["name"] for row in self.rows()]

    def row(self, name: str) -> Locator:
        return self.page.locator(".chatnb-run", has=self.page.get_by_text(name, exact=True)).first

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def rewind(self, to: int) -> None:
        """Move the slider, as a drag does."""
        self.run(
            """const slider = document.querySelector(".chatnb-run-slider");
               slider.value = String(given);
               slider.dispatchEvent(new Event("input"));""",
            to,
        )
        self.settle()


def wired(patches: Sequence[RunLogPatch]) -> list[dict[str, Any]]:
    """The patches as the kernel sends them."""
    wire = RunTreeUpdates()
    for patch in patches:
        wire.push(patch)
    written, first = list[dict[str, Any]](), 0
    while first < len(wire):
        page = wire.page(first)["patches"]
        written += page
        first += len(page)
    return written


@contextmanager
def run_tree_page(browser: Browser, **context_options: Any) -> Iterator[RunTreePage]:
    """A blank page; whatever it asks of the network is refused and written down."""
    context = browser.new_context(**context_options)
    page = context.new_page()
    made = RunTreePage(page)
    context.route("**/*", lambda route: route.abort())
    context.on(
        "request",
        lambda request: (
            made.requests.append(request.url) if not request.url.startswith("blob:") else None
        ),
    )
    page.on("pageerror", lambda error: made.errors.append(str(error)))
    page.add_style_tag(content=(STATIC / "run_tree.css").read_text(encoding="utf-8"))
    source = (STATIC / "run_tree.js").read_text(encoding="utf-8")
    page.evaluate(FAKE_MODEL.read_text(encoding="utf-8"), source)
    yield made
    context.close()
    assert made.errors == []
