"""The widgets within the containers of ipywidgets, in a real JupyterLab."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect

from tests.lab.jupyterlab import OUTPUT, JupyterLab

pytestmark = pytest.mark.lab

SETUP = """\
from ipywidgets import HTML, Tab, VBox, dlink
from chatnb import ChatPanel, RunLogTree, ScriptedChatModel, UsageTable, compare
from chatnb.runnables import RunnableLambda

usage = [{"input_tokens": n, "output_tokens": 2 * n, "total_tokens": 3 * n} for n in (7, 90, 300)]
chat = ScriptedChatModel(["Hello."], usage=usage, model_name="scripted")
chain = RunnableLambda(lambda text: text) | chat
panel, table = ChatPanel(chat), UsageTable(chat.generate([["One"], ["Two"], ["Three"]]))
tree = RunLogTree(chain.astream_log("Hi"))
await tree.wait()
compared = compare("Hi", {"left": "scripted:One.", "right": "scripted:Two *three*."})
heard = HTML()
dlink((panel, "value"), (heard, "value"))"""
BOX = "VBox([panel, tree, table, compared, heard])"


def test_a_box_holds_them_all(lab: JupyterLab, browser: Browser) -> None:
    """Within a box a typed question is answered, runs and rows can be selected, and Python hears
    of it; what Python sets is shown in the box and in the output beside it; once it is closed, a
    widget leaves its static form."""
    select = "tree.selected, table.selected = '', [0, 2]\ntree.patch = 2\ntable"
    said = "print(panel.value, tree.selected, table.value[0].prompt, len(panel.messages))"
    # Else JupyterLab keeps what a box of ipywidgets holds, with the source of its children.
    lab.set("@jupyter-widgets/jupyterlab-manager", "plugin", {"saveState": False})
    path = lab.write(
        "box.ipynb", SETUP, BOX, said, select, "Tab([panel, compared])", "table.close()"
    )
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        box = notebook.run(1).locator(OUTPUT)
        field = box.get_by_label("Message", exact=True)
        field.fill("Hi")
        field.press("Enter")
        expect(box.locator(".chatnb-panel-item").last).to_contain_text("Hello.")
        expect(box.locator(".widget-html")).to_have_text("Hello.")
        expect(box.locator(".chatnb-comparison .chatnb-text")).to_have_text(["One.", "Two three."])
        box.locator(".chatnb-run", has_text="ScriptedChatModel").click()
        box.locator(".chatnb-usage-call").nth(1).click()
        expect(box.get_by_role("status").filter(has_text="1 selected")).to_be_visible()
        cell = notebook.run(2)
        expect(cell.locator(OUTPUT)).to_have_text("Hello. ScriptedChatModel Two 2")
        beside = notebook.run(3).locator(OUTPUT)
        for place in (box, beside):
            expect(place.get_by_role("status").filter(has_text="2 selected")).to_be_visible()
        expect(box.locator(".chatnb-runs[data-rewound]")).to_be_visible()
        expect(notebook.run(4).locator(OUTPUT).locator(".chatnb-panel-item")).to_have_count(2)
        notebook.run(5)
        expect(beside.locator("tfoot th").first).to_have_text("Total · 3 calls")
        saved = notebook.saved()
    assert "_esm" not in json.dumps(saved)
    [output] = saved["cells"][3]["outputs"]
    assert set(output["data"]) == {"text/plain", "text/html", "text/markdown"}
