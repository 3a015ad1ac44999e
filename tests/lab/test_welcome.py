"""The welcome notebook as a newcomer runs it, with the real embedded model."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, expect

from tests.lab.jupyterlab import OUTPUT, REPLY, JupyterLab

pytestmark = pytest.mark.lab

# A quick reply has ended before a page that is asked from time to time is asked again.
_NOTE_TEXTS = """selector => {
    window.texts = new Set();
    const note = () => {
        for (const found of document.querySelectorAll(selector)) texts.add(found.textContent);
    };
    const whole = { childList: true, characterData: true, subtree: true };
    new MutationObserver(note).observe(document.body, whole);
}"""

LOAD, ASK, FOLLOW_UP, STORY = range(4)
"""The code cells of the welcome notebook that are run here."""


def test_a_real_reply_grows_stops_and_is_saved(lab: JupyterLab, browser: Browser) -> None:
    """A reply is seen in at least three growing states; Stop ends a long one and keeps the
    partial; the saved file holds both replies as Markdown, and no widget state even
    where JupyterLab is told to save it."""
    welcome = lab.copy("01_welcome.ipynb")
    lab.set("@jupyter-widgets/jupyterlab-manager", "plugin", {"saveState": True})
    with lab.open(browser, welcome) as notebook:
        notebook.run(LOAD)
        notebook.page.evaluate(_NOTE_TEXTS, f"{REPLY} .chatnb-text")
        asked = notebook.run(ASK)
        expect(notebook.page.locator(f"{REPLY} .chatnb-text")).to_have_count(0)
        grown = sorted(filter(None, notebook.page.evaluate("[...texts]")), key=len)
        assert len(grown) >= 3
        assert all(longer.startswith(shorter) for shorter, longer in pairwise(grown))
        expect(asked.locator(OUTPUT).first).to_contain_text(grown[0].split()[0])
        expect(asked.locator(OUTPUT).nth(1)).to_contain_text("smollm2-135m-instruct · ")

        story = notebook.start(STORY)
        stop = story.get_by_role("button", name="Stop the reply")
        notebook.page.wait_for_function(
            "text => document.querySelector(text)?.textContent.length > 40",
            arg=f"{REPLY} .chatnb-text",
        )
        stop.click()
        notebook.wait_until_done(story)
        expect(story.locator(OUTPUT).first).to_contain_text(re.compile("^.{30}", re.DOTALL))
        expect(story.locator(OUTPUT).nth(1)).to_contain_text("Stopped · smollm2")

        saved = notebook.saved()
    cells = [cell for cell in saved["cells"] if cell["cell_type"] == "code"]
    for number in (ASK, STORY):
        reply, footer = cells[number]["outputs"]
        assert set(reply["data"]) == {"text/markdown", "text/plain"}
        assert set(footer["data"]) == {"text/markdown", "text/plain"}
    widgets = saved["metadata"].get("widgets", {}).values()
    assert [kept["state"] for kept in widgets if kept["state"]] == []
    assert "widget-view" not in welcome.read_text(encoding="utf-8")


def test_a_saved_reply_is_readable_without_a_kernel(lab: JupyterLab, browser: Browser) -> None:
    """Opened again, with nothing run, the notebook shows the reply as rendered Markdown."""
    path = lab.write(
        "welcome_saved.ipynb", "%load_ext chatnb", "%%chat -m 'scripted:Some **bold** words.'\nHi"
    )
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        notebook.run(1)
        notebook.saved()
    with lab.open(browser, path, fresh=True) as notebook:
        expect(notebook.cell(1).locator(OUTPUT).first.locator("strong")).to_have_text("bold")
