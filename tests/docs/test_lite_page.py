"""The notebook in the site's JupyterLite, which `make lite` builds."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
LITE = ROOT / "build" / "site" / "lite"
NOTEBOOK = "10_in_the_browser.ipynb"
# Python starts in it, on a machine that may have other things to do.
STARTING = 480_000
REMOTE = """
from chatnb import ChatOpenAI

remote = ChatOpenAI("m", base_url="{address}/v1", openai_api_key="k", max_retries=0)
"""
CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


class Handler(SimpleHTTPRequestHandler):
    """Serves the page, its notebook with cells of the test, and OpenAI's protocol."""

    extensions_map: ClassVar[dict[str, str]] = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def do_GET(self) -> None:
        if self.path.split("?")[0] != f"/files/{NOTEBOOK}":
            return super().do_GET()
        address = f"http://{self.headers['Host']}"
        return self._answer(json.dumps(notebook(address)).encode(), "application/json")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        choices = [{"delta": {"content": "Over "}}, {"delta": {"content": "*fetch*."}}]
        choices.append({"delta": {}, "finish_reason": "stop"})
        events = [json.dumps({**CHUNK, "choices": [{"index": 0, **one}]}) for one in choices]
        body = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"])
        self._answer(body.encode(), "text/event-stream")

    def _answer(self, body: bytes, media_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def notebook(address: str) -> dict[str, Any]:
    """The notebook of the page, with a model at an address."""
    read: dict[str, Any] = json.loads((LITE / "files" / NOTEBOOK).read_text("utf-8"))
    sources = [REMOTE.format(address=address).strip(), "%%chat -m remote -c remote\nHow?"]
    read["cells"] += [
        {"cell_type": "code", "id": f"remote-{index}", "source": source, "metadata": {}}
        | {"outputs": [], "execution_count": None}
        for index, source in enumerate(sources)
    ]
    return read


@pytest.fixture
def address() -> Iterator[str]:
    """The address of the page."""
    if not (LITE / "index.html").is_file():
        pytest.skip("There is no JupyterLite; `make lite` builds it.")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(LITE)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_notebook_runs_in_the_browser(browser: Browser, address: str) -> None:
    """Cells stream, a panel answers a typed question, a chain and a batch are shown, and a model is
    called over HTTP; the page asks no other server for anything."""
    context = browser.new_context(viewport={"width": 1100, "height": 3000})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/notebooks/index.html?path={NOTEBOOK}")
    run_all(page)
    text = page.locator(".jp-Notebook").inner_text()
    assert "Traceback" not in text
    outputs = page.locator(".jp-OutputArea")
    expect(outputs.filter(has_text="trying out an idea")).to_have_count(1)
    expect(page.locator(".jp-OutputArea strong", has_text="three")).to_be_visible()
    expect(outputs.filter(has_text="RunnableSequence")).to_contain_text("Done")
    expect(outputs.filter(has_text="'Tromsø'")).to_contain_text("Rain until noon, then sun.")
    expect(outputs.filter(has_text="Total")).to_contain_text("What is a notebook good for?")
    expect(page.locator(".jp-OutputArea em", has_text="fetch")).to_be_visible()
    page.get_by_placeholder("Message guide").fill("And now?")
    page.keyboard.press("Enter")
    expect(outputs.filter(has_text="And now?")).to_contain_text(
        "good for three things", timeout=STARTING
    )
    assert [url for url in asked if not re.match(rf"{address}/|data:|blob:", url)] == []
    context.close()


def run_all(page: Page) -> None:
    """Run all cells, and wait for their ends."""
    expect(page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=STARTING)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
    expect(prompts.filter(has_text=re.compile(r"\[\d+\]"))).to_have_count(11, timeout=STARTING)
