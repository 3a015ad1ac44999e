"""A %%chat cell whose page is saved and loaded again, or whose kernel is lost, in mid-reply."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, TimeoutError, expect

from tests.lab.jupyterlab import LOADING, OUTPUT, REPLY, JupyterLab, NotebookPage

pytestmark = pytest.mark.lab

# The reply is held in its middle while there is no file "gate".
SETUP = """\
%load_ext chatnb
import asyncio, os
from chatnb import ScriptedChatModel

class Held(ScriptedChatModel):
    async def _astream(self, *args, **kwargs):
        async for chunk in super()._astream(*args, **kwargs):
            while "gate" in chunk.text and not os.path.exists("gate"):
                await asyncio.sleep(0.02)
            yield chunk

held = Held(["Half **of** <b>it.\\n\\nNow the gate opens."])
"""
HELD = "%%chat -m held\nHi"


def markdown(saved: dict[str, Any], cell: int) -> list[str]:
    outputs = saved["cells"][cell]["outputs"]
    return ["".join(output["data"].get("text/markdown", "")) for output in outputs]


def saved_half(notebook: NotebookPage, cell: int) -> str:
    """Save until the file has as much of the reply as the page, which gets it a bit later."""
    while True:
        [half] = markdown(notebook.saved(), cell)
        if "Now the" in half:
            return half


def reload_until_shown(notebook: NotebookPage, live: Locator) -> None:
    """Load the page again: ipywidgets gives a kernel 4 s to tell of its widgets, and no second
    chance. The kernel is not idle, for which `NotebookPage.reload` would wait."""
    notebook.was_reloaded = True
    for _ in range(3):
        notebook.page.reload()
        try:
            live.wait_for(timeout=20_000)
        except TimeoutError:
            continue
        break
    expect(live).to_contain_text("Now")


def test_a_reply_outlives_saving_reloading_and_the_kernel(
    lab: JupyterLab, browser: Browser
) -> None:
    """Saved in mid-reply, the file has the text so far and nothing that only a live page can show.
    Loaded again, the page shows all of it, streams on, and keeps the end, also in the file. A cell
    that streams when the kernel is lost says so, in the page and in the file."""
    gate = lab.folder / "gate"
    path = lab.write("cell_reload.ipynb", SETUP, HELD, HELD)
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        live = notebook.start(1).locator(REPLY)
        expect(live).to_contain_text("Now")
        half = saved_half(notebook, 1)
        note = "*scripted was replying when this was saved. `%chat resume` goes on.*"
        assert half == f"Half **of** &lt;b>it.\n\nNow the\n\n{note}"
        reload_until_shown(notebook, live)
        gate.touch()
        shown = notebook.cell(1).locator(OUTPUT)
        expect(shown.first).to_have_text("Half of <b>it.\n\nNow the gate opens.")
        expect(shown.nth(1)).to_contain_text("scripted · ")
        gate.unlink()
        notebook.start(2)
        live = notebook.cell(2).locator(REPLY)
        expect(live).to_contain_text("Now")
        assert "scripted was replying" in saved_half(notebook, 2)
        notebook.restart()
        expect(live).to_contain_text("Broke off: the kernel is gone. %chat resume goes on")
        saved = notebook.saved()
        assert markdown(saved, 1)[0] == "Half **of** &lt;b>it.\n\nNow the gate opens."
        [half] = markdown(saved, 2)
        note = "*Broke off: the kernel is gone. `%chat resume` goes on.*"
        assert half == f"Half **of** &lt;b>it.\n\nNow the\n\n{note}"


COUNT_BYTES = """() => {
    const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
    window.received = 0;
    kernel.iopubMessage.connect((_, { content }) => {
        window.received += JSON.stringify(content).length;
    });
}"""


@pytest.mark.thorough
def test_later_replies_take_their_code_from_the_page(lab: JupyterLab, browser: Browser) -> None:
    """A kernel's first reply brings the code of the view, and the next ones do not. They stream
    all the same: in the page that is loaded again, before and after that, in a second window, and
    after a restart of the kernel."""
    gate = lab.folder / "gate"
    path = lab.write("cell_code.ipynb", SETUP, "%%chat -m scripted:Short.\nHi", HELD, HELD)
    with lab.open(browser, path) as notebook:
        page = notebook.page
        page.evaluate(COUNT_BYTES)
        notebook.run(0)
        notebook.run(1)
        with_code = page.evaluate("received")
        live = notebook.start(2).locator(REPLY)
        expect(live).to_contain_text("Now")
        assert with_code > 100_000
        assert page.evaluate("received") - with_code < 20_000
        reload_until_shown(notebook, live)
        gate.touch()
        expect(live).to_have_count(0)
        gate.unlink()
        live = notebook.start(3).locator(REPLY)
        expect(live).to_contain_text("Now")
        second = NotebookPage(page.context.new_page(), path)
        second.page.goto(page.url, timeout=LOADING)
        # JupyterLab leads a second window on to a workspace of its own.
        expect(second.cell(0)).to_be_visible(timeout=LOADING)
        in_second = second.cell(3).locator(REPLY)
        reload_until_shown(second, in_second)
        gate.touch()
        for shown in (live, in_second):
            expect(shown).to_have_count(0)
        second.page.close()
        gate.unlink()
        notebook.restart()
        notebook.run(0)
        live = notebook.start(2).locator(REPLY)
        expect(live).to_contain_text("Now")
        gate.touch()
        expect(live).to_have_count(0)
        gate.unlink()
