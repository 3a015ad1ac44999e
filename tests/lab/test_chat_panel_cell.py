"""A chat panel's browser half in a real JupyterLab: cells that it inserts, keys that it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.lab.jupyterlab import JupyterLab, NotebookPage
from tests.support.thorough import thorough

pytestmark = [pytest.mark.browser, pytest.mark.lab]

CODE = """\
def f(xs):
    for x in xs:
        if x:
            print("é", x)

    return {
        "a": [1,
              2],
    }


# the end"""
PANEL = """\
import anywidget, traitlets, pathlib, chatnb
from IPython.display import HTML, display

static = pathlib.Path(chatnb.__file__).parent / "static"
item = {"id": "a", "role": "ai", "text": "Look:\\n\\n```python\\n" + CODE + "\\n```\\n"}
heard = []

class Panel(anywidget.AnyWidget):
    _esm = static / "panel.js"
    _css = static / "panel.css"
    mount_point = traitlets.Unicode("p").tag(sync=True)
    seq = traitlets.Int(0).tag(sync=True)

    def __init__(self):
        super().__init__()
        self.on_msg(self.hear)

    def hear(self, _, content, buffers):
        heard.append(content)
        state = {"name": "n", "limits": {}}
        everything = {"part": 0, "parts": 1, "items": [item], "state": state}
        self.send({"type": "snapshot", "seq": 0, **everything})

panel = Panel()
place = '<div data-chatnb-mount="p"><div class="chatnb-panel-static">The transcript</div></div>'
shown = display(HTML(place), display_id=True)"""


@pytest.fixture(scope="module")
def notebook(lab: JupyterLab, browser: Browser) -> Iterator[NotebookPage]:
    path = lab.write("panel.ipynb", f"CODE = {CODE!r}", PANEL, "print('below')")
    with lab.open(browser, path) as page:
        page.run(0)
        page.run(1)
        expect(page.page.locator(".chatnb-panel")).to_be_visible()
        yield page


def sources(notebook: NotebookPage) -> list[str]:
    """The text of each cell."""
    return notebook.page.evaluate(
        """() => [...jupyterapp.shell.currentWidget.content.widgets].map(
            (cell) => cell.model.sharedModel.getSource())"""
    )


def prompts(notebook: NotebookPage) -> list[Any]:
    return notebook.page.evaluate(
        """() => [...jupyterapp.shell.currentWidget.content.widgets].map(
            (cell) => cell.model.executionCount)"""
    )


@pytest.mark.parametrize("active", [1, *thorough([2])])
def test_code_becomes_a_cell(notebook: NotebookPage, active: int) -> None:
    """With any cell active, the code stands below the panel's own cell, character by character,
    has the cursor, and has not been run."""
    before = sources(notebook)
    notebook.cell(active).locator(".jp-InputPrompt").click()
    # By the keyboard: JupyterLab scrolls to the active cell some time later, below a mouse.
    notebook.page.get_by_role("button", name="Insert as cell").press("Enter")
    notebook.page.wait_for_function(
        "count => jupyterapp.shell.currentWidget.content.widgets.length === count",
        arg=len(before) + 1,
    )
    notebook.page.wait_for_timeout(300)
    assert sources(notebook) == [*before[:2], CODE, *before[2:]]
    assert prompts(notebook)[2] is None
    assert notebook.page.evaluate("() => document.activeElement.matches('.cm-content')")


def test_keys_do_not_reach_the_notebook(notebook: NotebookPage) -> None:
    """Typing the letters of the notebook's shortcuts, undoing and breaking a line write into the
    field; no cell is run, cut, made or undone."""
    before, ran = sources(notebook), prompts(notebook)
    field = notebook.page.get_by_label("Message", exact=True)
    field.click()
    for key in [*"ddabxz", "Shift+Enter", "m", "Control+z", *"00", "Escape", *"dd"]:
        notebook.page.keyboard.press(key)
    notebook.page.wait_for_timeout(300)
    assert (sources(notebook), prompts(notebook)) == (before, ran)
    assert "ddabxz" in field.input_value()
    assert notebook.page.evaluate("() => document.activeElement.tagName") == "TEXTAREA"


def test_the_panel_outlives_its_output(notebook: NotebookPage) -> None:
    """An update of the output by the kernel keeps the panel that is shown, its
    text and its focus."""
    field = notebook.page.get_by_label("Message", exact=True)
    field.fill("half a word")
    notebook.page.evaluate("() => { window.before = document.querySelector('.chatnb-panel'); }")
    notebook.page.evaluate(
        """() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
            { code: "shown.update(HTML(place + '<p>updated</p>'))" }).done"""
    )
    expect(notebook.page.get_by_text("updated", exact=True)).to_be_visible()
    notebook.page.wait_for_timeout(100)
    assert notebook.page.evaluate("() => document.querySelector('.chatnb-panel') === before")
    focused = notebook.page.evaluate("() => document.activeElement.getAttribute('aria-label')")
    assert focused == "Message"
    expect(field).to_have_value("half a word")
