"""Approval in cells, pictures on the wire, and replies with pictures, in a real JupyterLab."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.lab.jupyterlab import OUTPUT, JupyterLab, NotebookPage
from tests.support.loopback import LoopbackServer, delta, event, head, saying

pytestmark = pytest.mark.lab

TOOLS = """\
%load_ext chatnb
from chatnb.chat_models import ScriptedChatModel
from chatnb.schema import AIMessage
from chatnb.tools import run_python

def calls(code):
    call = {"name": "run_python", "args": {"code": code}, "id": "c1", "type": "tool_call"}
    return AIMessage("Let me see.", tool_calls=[call])

coder = ScriptedChatModel([
    calls("first = 6 * 7\\nfirst"), "Allowed.",
    calls("second = 1"), "Then not.",
    calls("third = 3"), "Always.",
    calls("fourth = 4"), "Not asked.",
])"""
PANEL_CODER = """\
coder = ScriptedChatModel([
    calls("%matplotlib inline\\nimport matplotlib.pyplot as plt, asyncio\\n"
          "await asyncio.sleep(0)\\nplt.plot([1, 3, 2])\\nplt.show()\\n6 * 7"), "Plotted.",
    calls("import time\\nfirst = 'begun'\\ntime.sleep(600)\\nfirst = 'ended'"),
    calls("first"), "Went on.",
])"""
ASK = "%%chat -m coder --tools run_python --conversation {}\nCompute it."
DRAWN = """\
%load_ext chatnb
import base64
from chatnb.chat_models import ScriptedChatModel
from chatnb.schema import AIMessage

from PIL import Image
import io

def drawn(color):
    file = io.BytesIO()
    Image.new("RGB", (320, 200), color).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()

note = {"type": "url_citation", "url": "https://example.org/colours", "title": "Colours"}
items = [
    {"type": "web_search_call", "id": "ws_1", "status": "completed",
     "action": {"type": "search", "query": "teal", "sources": [{"url": note["url"]}]}},
    {"type": "message", "content": [{"type": "output_text", "annotations": [note]}]},
    {"type": "image_generation_call", "id": "ig_1", "result": drawn("teal")},
]
sound = base64.b64encode(bytes(48000)).decode()
kwargs = {"output_items": items, "audio": {"data": sound, "transcript": "Here is teal."}}
painter = ScriptedChatModel([AIMessage("Here is teal.", additional_kwargs=kwargs)] * 2)"""
SEEN = """\
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
from chatnb import ChatOpenAI
fig, ax = plt.subplots(figsize=(2, 1))
ax.plot([1, 3, 2])
plt.close(fig)
seeing = ChatOpenAI("gpt-4o-mini", api_key="sk-none", base_url="BASE_URL")"""


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    started = LoopbackServer()
    yield started
    started.close()


def asking(cell: Locator) -> Locator:
    group = cell.get_by_role("group", name="May run_python be called?")
    expect(group).to_be_visible()
    return group


def variables(notebook: NotebookPage, number: int) -> Locator:
    return notebook.run(number).locator(OUTPUT).last


def test_code_runs_in_the_kernel_after_a_click(jupyter: JupyterLab, browser: Browser) -> None:
    """Allow runs the code that is shown, once; Reject tells the model why and runs nothing; what is
    always allowed is not asked for again in its conversation, but in another one."""
    names = "[name for name in ('first', 'second', 'third', 'fourth') if name in globals()]"
    chats = [ASK.format(name) for name in ("one", "one", "one", "one")]
    path = jupyter.write("approve.ipynb", TOOLS, *chats, names)
    with jupyter.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.start(1)
        group = asking(cell)
        expect(cell.get_by_role("group", name="Code")).to_contain_text("first = 6 * 7")
        group.get_by_role("button", name="Allow once").click()
        notebook.wait_until_done(cell)
        expect(cell).to_contain_text("Allowed.")
        expect(cell.locator("summary").last).to_contain_text("→ 42")

        cell = notebook.start(2)
        group = asking(cell)
        group.get_by_role("button", name="Reject").click()
        group.get_by_role("textbox").fill("Not now.")
        group.get_by_role("button", name="Reject").click()
        notebook.wait_until_done(cell)
        expect(cell.locator("summary").last).to_contain_text("rejected")

        cell = notebook.start(3)
        asking(cell).get_by_role("button", name="Always in this conversation").click()
        notebook.wait_until_done(cell)
        cell = notebook.run(4)
        expect(cell).to_contain_text("Not asked.")
        expect(variables(notebook, 5)).to_have_text("['first', 'third', 'fourth']")


def test_code_of_a_panel_is_seen_and_stopped(lab: JupyterLab, browser: Browser) -> None:
    """Its figure and its value are in the panel; Stop ends code that sleeps, and the next code
    runs."""
    setup = TOOLS.partition("coder = ")[0] + PANEL_CODER
    panel = "from chatnb import ChatPanel\nChatPanel(coder, tools=[run_python])"
    path = lab.write("panel_code.ipynb", setup, panel)
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        shown = notebook.run(1)

        def ask(text: str) -> None:
            shown.get_by_role("textbox", name="Message").fill(text)
            shown.get_by_role("textbox", name="Message").press("Enter")
            asking(shown).get_by_role("button", name="Allow once").click()

        ask("Plot it.")
        expect(shown).to_contain_text("Plotted.")
        expect(shown.get_by_alt_text("Picture of the answer")).to_be_visible()
        calls = shown.locator(".chatnb-panel-call")
        expect(calls).to_contain_text("→ 42")
        ask("Sleep.")
        expect(calls.last).to_contain_text("running")
        shown.get_by_role("button", name="Stop").click()
        expect(calls.last).to_contain_text("stopped while it ran")
        ask("Go on.")
        expect(shown).to_contain_text("Went on.")
        expect(calls.last).to_contain_text("→ 'begun'")


@pytest.mark.thorough
def test_a_figure_goes_out_as_a_picture(
    lab: JupyterLab, browser: Browser, server: LoopbackServer
) -> None:
    """The server reads a part with the PNG of the figure, after the text."""
    server.plays(saying(head(), delta("A line."), delta(None, "stop"), event("[DONE]")))
    setup = "%load_ext chatnb\n" + SEEN.replace("BASE_URL", server.base_url)
    path = lab.write("figure.ipynb", setup, "%%chat -m seeing\nWhat is in {fig}?")
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        expect(notebook.run(1)).to_contain_text("A line.")
    (exchange,) = server.exchanges
    parts: list[dict[str, Any]] = exchange.body["messages"][-1]["content"]
    pictures = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    (address,) = pictures
    head_, _, data = address.partition(",")
    assert head_ == "data:image/png;base64"
    assert base64.b64decode(data).startswith(b"\x89PNG\r\n\x1a\n")
    assert "What is in" in parts[0]["text"]


def test_pictures_and_sources_of_a_reply_are_shown(lab: JupyterLab, browser: Browser) -> None:
    """A cell and a panel show the picture, a player and the link; the file has them without a
    widget."""
    panel = "from chatnb import ChatPanel\npanel = ChatPanel(painter)\npanel"
    path = lab.write("painter.ipynb", DRAWN, "%%chat -m painter\nPaint teal.", panel)
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.run(1)
        expect(cell.locator("img")).to_be_visible()
        assert cell.locator("img").evaluate("image => image.naturalWidth") == 320
        expect(cell.locator("audio")).to_be_visible()
        expect(cell.get_by_role("link", name="Colours")).to_have_attribute(
            "href", "https://example.org/colours"
        )
        expect(cell.locator("summary").last).to_contain_text("web_search")
        shown = notebook.run(2)
        message = shown.get_by_role("textbox", name="Message")
        message.fill("Paint teal.")
        message.press("Enter")
        expect(shown.get_by_alt_text("Picture of the answer")).to_be_visible()
        expect(shown.get_by_label("Sound of the answer")).to_be_visible()
        expect(shown.get_by_role("link", name="Colours")).to_be_visible()
        saved = notebook.saved()
    types = [set(output.get("data", {})) for output in saved["cells"][1]["outputs"]]
    assert {"image/png", "text/plain"} in types
    assert "widgets" not in saved["metadata"]
