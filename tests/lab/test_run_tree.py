"""The tree of a run's log in a real JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from chatnb.schema.run_logs.log import RunLog
from tests.lab.jupyterlab import OUTPUT, JupyterLab, NotebookPage
from tests.support.run_logs import story

pytestmark = pytest.mark.lab

SETUP = """\
import asyncio
from chatnb.notebook.run_tree.tree import RunLogTree
from chatnb.schema.run_logs.log import RunLog

async def replay(hang=False):
    try:
        for patch in RunLog.load("story.jsonl").patches[: 12 if hang else None]:
            yield patch
            await asyncio.sleep(0.1)
        if hang:
            await asyncio.Event().wait()
    finally:
        globals()["closed"] = True
"""


def prepared(lab: JupyterLab, name: str, *sources: str) -> Path:
    """A notebook, and a saved log beside it."""
    RunLog(*story().patches).save(lab.folder / "story.jsonl")
    return lab.write(name, SETUP, *sources)


def rows_of(cell: Locator) -> Locator:
    return cell.get_by_role("treeitem")


def test_tree_grows_beside_the_notebook_and_stays_alive(lab: JupyterLab, browser: Browser) -> None:
    """The cell returns at once, the tree grows while another cell runs, and when the run has ended
    it can be rewound; what is saved holds the static trees too."""
    path = prepared(lab, "tree.ipynb", "tree = RunLogTree(replay())\ntree", "print(6 * 7)")
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.run(1)
        expect(rows_of(cell).nth(1)).to_be_visible()
        expect(cell.get_by_role("button", name="Stop the run")).to_be_visible()
        early = rows_of(cell).count()
        expect(notebook.run(2).locator(OUTPUT)).to_have_text("42\n")
        expect(cell.locator(".chatnb-run-status")).to_have_text("Done")
        assert early < rows_of(cell).count() == 9
        rewind(notebook, cell)
        bundle = notebook.saved()["cells"][1]["outputs"][0]["data"]
        assert set(bundle) == {"text/plain", "text/html"}
        assert "".join(bundle["text/plain"]).startswith("answer_with_sources · chain · 1.16 s\n")
        assert "".join(bundle["text/html"]).count("<details open") == 9


def rewind(notebook: NotebookPage, cell: Locator) -> None:
    """Keys reach the slider and the tree, and not JupyterLab's own shortcuts."""
    cell.get_by_role("slider").focus()
    for _ in range(20):
        notebook.page.keyboard.press("ArrowLeft")
    expect(cell.locator(".chatnb-run-status")).to_have_text("Was running")
    notebook.page.keyboard.press("End")
    expect(cell.locator(".chatnb-run-status")).to_have_text("Done")
    rows_of(cell).first.focus()
    notebook.page.keyboard.press("ArrowDown")
    expect(rows_of(cell).nth(1)).to_be_focused()
    notebook.page.keyboard.press("Enter")
    expect(cell.get_by_role("region", name="Details of RunnableSequence")).to_be_visible()


@pytest.mark.thorough
def test_stop_closes_the_stream(lab: JupyterLab, browser: Browser) -> None:
    """The button stops the run, and what was running is stopped in the tree."""
    path = prepared(lab, "stop.ipynb", "tree = RunLogTree(replay(hang=True))\ntree", "closed")
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.run(1)
        expect(rows_of(cell).nth(6)).to_be_visible()
        cell.get_by_role("button", name="Stop the run").click()
        expect(cell.locator(".chatnb-run-status")).to_have_text("Stopped")
        expect(rows_of(cell).first).to_have_attribute("data-status", "stopped")
        expect(notebook.run(2).locator(OUTPUT)).to_have_text("True")


@pytest.mark.thorough
def test_a_page_that_is_loaded_again_shows_the_whole_log(lab: JupyterLab, browser: Browser) -> None:
    """A file's tree, and a page that comes to it later, know every patch."""
    path = prepared(lab, "file.ipynb", 'RunLogTree("story.jsonl")')
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.run(1)
        expect(rows_of(cell)).to_have_count(9)
        notebook.saved()
        notebook.reload()
        expect(rows_of(notebook.cell(1))).to_have_count(9)


@pytest.mark.thorough
def test_a_notebook_without_its_kernel_shows_the_static_tree(
    lab: JupyterLab, browser: Browser
) -> None:
    """A page outlives its kernel, and a saved notebook that is opened with another one shows the
    run, and no error."""
    path = prepared(lab, "tree_saved.ipynb", 'RunLogTree("story.jsonl")')
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.run(1)
        expect(rows_of(cell)).to_have_count(9)
        notebook.saved()
        notebook.run_command("kernelmenu:shutdown")
        expect(notebook.page.get_by_text("No Kernel").first).to_be_visible()
        expect(rows_of(cell)).to_have_count(9)
    with lab.open(browser, path, fresh=True) as notebook:
        shown = notebook.cell(1).locator(OUTPUT)
        expect(shown.locator("summary").first).to_have_text("answer_with_sources · chain · 1.16 s")
        expect(shown.locator("details[open] > summary")).to_have_count(9)
        expect(shown).not_to_contain_text("Error displaying widget")
