"""A page of a real JupyterLab with traps in it, for what a text might do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from playwright.sync_api import Browser, Dialog, Page, Request, Route

from chatnb.notebook.usage_table.widget import table_state
from chatnb.schema.model_call import ModelCall
from tests.attacks.surfaces import run_log
from tests.browser.chat_panel_page import ai, call, human
from tests.browser.run_tree_page import wired
from tests.lab.jupyterlab import JupyterLab
from tests.support.model_calls import tokens

TESTS = Path(__file__).parents[1]
STATIC = TESTS.parent / "chatnb" / "static"
WIDGETS = {
    "cell": "fake_model.js",
    "panel": "chat_panel_model.js",
    "run_tree": "run_tree_model.js",
    "usage_table": "usage_table_model.js",
}
# JupyterLab asks its server for the files that an error names.
_ELSEWHERE = re.compile(
    r"https?://(?!127\.0\.0\.1)|(?!.*/api/resolvePath\?).*trap\.test", re.IGNORECASE
)


class Sprung(NamedTuple):
    """A trap that went off: `request`, `navigation`, `dialog`, `script`, `command` or `link`."""

    kind: str
    what: str


class TrappedPage:
    """A notebook in JupyterLab, with its renderers, the built widgets and the traps."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._sprung = list[Sprung]()
        self._listeners = {
            "request": self._note_request,
            "dialog": self._note_dialog,
            "popup": self._note_popup,
        }
        page.context.route(_ELSEWHERE, _refuse)
        for event, listener in self._listeners.items():
            page.on(event, listener)  # type: ignore[call-overload]
        for name, model in WIDGETS.items():
            host = (TESTS / "browser" / model).read_text(encoding="utf-8")
            page.evaluate(host, (STATIC / f"{name}.js").read_text(encoding="utf-8"))
        page.evaluate((Path(__file__).parent / "traps.js").read_text(encoding="utf-8"))
        # MathJax and mermaid are loaded by the first formula and diagram.
        self.show([("text/markdown", "$x$\n\n```mermaid\ngraph TD\n  A\n```\n")])
        page.wait_for_timeout(1000)
        self.show([("text/markdown", "$x$\n\n```mermaid\ngraph TD\n  A\n```\n")])

    def show(self, outputs: Sequence[tuple[str, str]]) -> list[Sprung]:
        """Show outputs, each of a MIME type, and return the traps that went off."""
        return self._call("showOutputs", list(outputs))

    def springs(self, kind: str, output: tuple[str, str]) -> bool:
        """Show an output, and wait a while for it to spring a trap of a kind."""
        sprung = self.show([output])
        for _ in range(100):
            if any(trap.kind == kind for trap in sprung):
                return True
            self._page.wait_for_timeout(100)
            sprung += self.show([])
        return False

    def show_replies(self, texts: Sequence[str]) -> list[Sprung]:
        """Stream texts into reply views."""
        return self._call("showReplies", texts)

    def show_panel(self, texts: Sequence[str]) -> list[Sprung]:
        """Show a panel with texts in all that a model, a user or a tool writes."""
        items = list[dict[str, Any]]()
        for number, text in enumerate(texts):
            tool = call(name=text, arguments=text, result=text)
            more = {"reasoning": text, "footer": text, "error": text, "tool_calls": [tool]}
            items += [human(text, id=f"h{number}"), ai(text, id=f"a{number}", **more)]
        text = texts[0]
        state = {"error": text, "model": text, "models": [text], "system": text, "name": text}
        return self._call("showPanel", items, state)

    def show_run_trees(self, texts: Sequence[str]) -> list[Sprung]:
        """Open each run of logs that have a text everywhere."""
        return [trap for t in texts for trap in self._call("showTree", wired(run_log(t).patches))]

    def show_usage_table(self, texts: Sequence[str]) -> list[Sprung]:
        """Show calls with texts as prompts and names."""
        usage = tokens(3, 2)
        calls = [ModelCall(t, t, t, usage, finish_reason=t, error=t) for t in texts]
        return self._call("showTable", table_state(calls))

    def close(self) -> None:
        """Take the traps away; the page may be another test's next."""
        for event, listener in self._listeners.items():
            self._page.remove_listener(event, listener)
        self._page.context.unroute(_ELSEWHERE, _refuse)

    def _call(self, function: str, *arguments: Any) -> list[Sprung]:
        script = f"given => window.{function}(...given)"
        found = self._page.evaluate(script, list(arguments))
        sprung = [*self._sprung, *(Sprung(**trap) for trap in found)]
        self._sprung.clear()
        return sprung

    def _note(self, kind: str, what: str) -> None:
        self._sprung.append(Sprung(kind, what))

    def _note_request(self, request: Request) -> None:
        if _ELSEWHERE.match(request.url):
            is_navigation = (
                request.is_navigation_request() and request.frame == self._page.main_frame
            )
            self._note("navigation" if is_navigation else "request", request.url)

    def _note_dialog(self, dialog: Dialog) -> None:
        # JupyterLab asks before a page is left.
        self._note("navigation" if dialog.type == "beforeunload" else "dialog", dialog.message)
        dialog.dismiss()

    def _note_popup(self, popup: Page) -> None:
        self._note("navigation", popup.url)
        popup.close()


def _refuse(route: Route) -> None:
    # A navigation that is answered with no content leaves the page as it is.
    route.fulfill(status=204)


@contextmanager
def trapped_page(lab: JupyterLab, browser: Browser) -> Iterator[TrappedPage]:
    """Open a notebook with traps around it."""
    with lab.open(browser, lab.write(f"attacks-{uuid4().hex}.ipynb", "")) as notebook:
        page = TrappedPage(notebook.page)
        yield page
        page.close()
