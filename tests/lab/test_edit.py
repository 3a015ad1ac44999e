"""Accept and Reject of `%chat edit`, in a real JupyterLab and Notebook 7."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.lab.jupyterlab import JupyterLab, NotebookPage
from tests.support.thorough import thorough

pytestmark = pytest.mark.lab

SETUP = """\
%load_ext chatnb
from chatnb.chat_models import ScriptedChatModel

codes = ["first = 2", "second = 2", "third = 2", "fourth = 2", "fourth = 2  # Again"]
editor = ScriptedChatModel([f"```python\\n{code}\\n```" for code in codes])
%chat use editor"""
EDIT = '%chat edit "make it 2"'
SOURCE = ".cm-content"


def propose(notebook: NotebookPage, number: int) -> Locator:
    """Run a cell and the one below it that asks for a change; return the latter."""
    notebook.run(number)
    asking = notebook.run(number + 1)
    expect(asking.locator("pre").last).to_contain_text("= 2")
    expect(asking.get_by_role("button", name="Accept")).to_be_visible()
    return asking


def press(asking: Locator, name: str, told: str) -> None:
    """Press a button; the diff folds under what is told, and the buttons go."""
    asking.get_by_role("button", name=name).click()
    expect(asking.locator("summary").last).to_contain_text(told)
    expect(asking.get_by_role("button", name="Accept")).to_have_count(0)
    expect(asking.locator("pre").last).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "told"), [("Accept", "Accepted"), *thorough([("Reject", "Rejected")])]
)
def test_a_proposal_outlives_its_kernel(
    lab: JupyterLab, browser: Browser, name: str, told: str
) -> None:
    """After a restart the page does what the button says, and the file tells of it."""
    path = lab.write(f"restarted {name}.ipynb", SETUP, "first = 1", EDIT)
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        asking = propose(notebook, 1)
        notebook.restart()
        press(asking, name, f"{told} change of In[2]")
        source = "first = 2" if name == "Accept" else "first = 1"
        expect(notebook.cell(1).locator(SOURCE)).to_have_text(source)
        data = notebook.saved()["cells"][2]["outputs"][-1]["data"]
        assert "".join(data["text/plain"]).startswith(f"{told} change")
        assert "".join(data["text/markdown"]).endswith("-first = 1\n+first = 2\n```")


def test_a_proposal_is_accepted_or_rejected(jupyter: JupyterLab, browser: Browser) -> None:
    """Accept puts the code into its cell, not run, and Undo takes it back; Reject changes nothing;
    of a cell that has changed since, the new code goes below, also where an earlier proposal has
    changed it and another cell is as it was. The file has each as a diff."""
    cells = ("first = 1", EDIT, "second = 1", EDIT, "third = 1", EDIT)
    twice = ("fourth = 1", EDIT, '%chat edit 8 "make it 2"', "fourth = 1")
    path = jupyter.write("edit.ipynb", SETUP, *cells, *twice)
    with jupyter.open(browser, path) as notebook:
        notebook.run(0)
        asking = propose(notebook, 1)
        press(asking, "Accept", "Accepted change of In[2]")
        first = notebook.cell(1)
        expect(first.locator(SOURCE)).to_have_text("first = 2")
        expect(first.locator(".jp-InputPrompt")).to_have_text("[2]:")
        first.locator(SOURCE).click()
        notebook.page.keyboard.press("Control+z")
        expect(first.locator(SOURCE)).to_have_text("first = 1")

        press(propose(notebook, 3), "Reject", "Rejected change of In[4]")
        expect(notebook.cell(3).locator(SOURCE)).to_have_text("second = 1")

        asking = propose(notebook, 5)
        notebook.cell(5).locator(SOURCE).click()
        notebook.page.keyboard.press("End")
        notebook.page.keyboard.type("0")
        press(asking, "Accept", "in a cell below")
        expect(notebook.cell(5).locator(SOURCE)).to_have_text("third = 10")
        expect(notebook.cell(7).locator(SOURCE)).to_have_text("third = 2")
        expect(notebook.cell(7).locator(".jp-InputPrompt")).to_have_text("[ ]:")

        asking, again = propose(notebook, 8), notebook.run(10)
        expect(again.get_by_role("button", name="Accept")).to_be_visible()
        press(asking, "Accept", "Accepted change of In[8]")
        press(again, "Accept", "in a cell below")
        expect(notebook.cell(8).locator(SOURCE)).to_have_text("fourth = 2")
        expect(notebook.cell(11).locator(SOURCE)).to_have_text("fourth = 2  # Again")
        expect(notebook.cell(12).locator(SOURCE)).to_have_text("fourth = 1")

        saved = notebook.saved()
        outputs = [saved["cells"][number]["outputs"][-1]["data"] for number in (2, 4, 6)]
        assert all(set(data) == {"text/html", "text/markdown", "text/plain"} for data in outputs)
        texts = ["".join(data["text/markdown"]) for data in outputs]
        assert [text.split()[0] for text in texts] == ["Accepted", "Rejected", "Accepted"]
        assert "```diff\n@@ -1 +1 @@\n-second = 1\n+second = 2\n```" in texts[1]
        assert "widgets" not in saved["metadata"]
