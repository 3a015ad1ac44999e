"""The review of changed outputs on a page, which this process serves to this machine."""

from __future__ import annotations

import secrets
import webbrowser
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from chatnb.markdown.html import SafeHtml, element, join, literal
from chatnb.pytest_plugin.reports.review import Change, summary
from chatnb.pytest_plugin.reports.side_by_side import page_head, side_by_side

if TYPE_CHECKING:
    import pytest

_MAX_FORM = 10_000_000
_MAX_DIGITS = 9
_ACCEPT, _REJECT = "accept", "reject"
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def review_on_page(
    changes: Sequence[Change], reporter: pytest.TerminalReporter
) -> Mapping[int, bool]:
    """Serve the page until it is answered; an interrupt accepts nothing."""
    path = f"/{secrets.token_urlsafe(16)}"
    with _Server(path, changes) as server:
        address = f"http://127.0.0.1:{server.server_port}{path}"
        reporter.write_line(f"Review the changes on {address} (Ctrl+C to leave them).")
        reporter.flush()
        if reporter.isatty:
            webbrowser.open(address)
        try:
            while server.decisions is None:
                server.handle_request()
        except KeyboardInterrupt:
            return {}
        return server.decisions


class _Server(HTTPServer):
    """A server of one page, on a port of this machine that only those who know the path use."""

    def __init__(self, path: str, changes: Sequence[Change]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.path, self.changes = path, changes
        self.decisions: dict[int, bool] | None = None


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = 60  # A browser may open a connection and send nothing.

    def do_GET(self) -> None:
        """Send the page."""
        if self._is_ours():
            self._send(review_page(self.server.changes))

    def do_POST(self) -> None:
        """Take the decisions."""
        if not self._is_ours():
            return
        length = self.headers.get("Content-Length", "")
        is_known = length.isascii() and length.isdecimal() and len(length) < _MAX_DIGITS
        if not is_known or int(length) > _MAX_FORM:
            self.send_error(413)
            return
        form = parse_qs(self.rfile.read(int(length)).decode("utf-8", "replace"))
        decisions = parse_decisions(form, len(self.server.changes))
        said = summary(sum(decisions.values()), len(self.server.changes))
        text = f"{said} You can close this page."
        self._send(join(page_head("Review"), element("h1", text), literal("</html>\n")))
        self.server.decisions = decisions

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def _is_ours(self) -> bool:
        ours = secrets.compare_digest(self.path.encode(), self.server.path.encode())
        if not ours:
            self.send_error(404)
        return ours

    def _send(self, page: SafeHtml) -> None:
        data = page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.end_headers()
        self.wfile.write(data)


def parse_decisions(form: Mapping[str, list[str]], count: int) -> dict[int, bool]:
    """Return the decisions of a form; its button for all cells counts for each."""
    everything = form.get("all")
    given = {index: everything or form.get(f"cell-{index}", [""]) for index in range(count)}
    return {index: answers[0] == _ACCEPT for index, answers in given.items() if answers[0]}


def review_page(changes: Sequence[Change]) -> SafeHtml:
    """Return the page: a form without scripts, with two choices for each cell."""
    grouped = groupby(enumerate(changes), key=lambda item: item[1].notebook)
    notebooks = (
        join(element("h2", name), *(_cell(index, change) for index, change in some))
        for name, some in grouped
    )
    count = f"{len(changes)} cells" if len(changes) > 1 else "1 cell"
    buttons = (
        element("button", "Save the decisions", type="submit"),
        literal(" "),
        element("button", "Accept all", type="submit", name="all", value=_ACCEPT),
        literal(" "),
        element("button", "Reject all", type="submit", name="all", value=_REJECT),
    )
    return join(
        page_head("Review"),
        element("h1", f"{count} with other outputs"),
        element("p", "What is not accepted stays as it is saved."),
        element("form", *notebooks, element("p", *buttons), method="post"),
        literal("</html>\n"),
    )


def _cell(index: int, change: Change) -> SafeHtml:
    return element(
        "details",
        element("summary", element("b", change.name)),
        element("pre", change.source, class_="source"),
        side_by_side(change.old, change.new, change.old_images, change.new_images),
        element("p", _choice(index, _ACCEPT, "Accept"), _choice(index, _REJECT, "Reject")),
        open=True,
    )


def _choice(index: int, value: str, label: str) -> SafeHtml:
    button = element("input", type="radio", name=f"cell-{index}", value=value)
    return element("label", button, f" {label}")
